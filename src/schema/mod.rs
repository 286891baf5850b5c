//! stub until the schema branch lands
use crate::fault::Fault; use crate::ids::{Code, Identifier}; use crate::xml::Start;
/// s
#[derive(Debug)]
pub struct Schemas;
/// t
#[derive(Debug)]
pub struct DocumentType { /// n
 pub name: Code, /// n
 pub fields: Vec<String>, /// n
 pub namespace: String, /// f
 pub file: String }
/// v
pub struct Validator<'s>(&'s Schemas);
/// f
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts { /// d
 pub document_type: Code, /// d
 pub optional_paths: Vec<String>, /// d
 pub subject_identifiers: Vec<(String, Identifier)> }
impl Schemas { /// b
 pub fn built_in() -> Self { Self } /// b
 pub fn document_type(&self, _n: &Code) -> Option<&DocumentType> { None } /// x
 pub fn document_types(&self) -> impl Iterator<Item=&DocumentType> { std::iter::empty() } /// f
 pub fn file(&self, _n: &str) -> Option<&str> { None } /// e
 pub fn example(_n: &str) -> Option<&'static str> { None } /// c
 pub fn compile(_f: &[(String, String)], _d: &str) -> Result<Self, Fault> { Ok(Self) } }
impl<'s> Validator<'s> { /// n
 pub fn new(s: &'s Schemas) -> Self { Self(s) } /// n
 pub fn start(&mut self, _e: &Start<'_>) {} /// n
 pub fn text(&mut self, _t: &str, _at: usize) {} /// n
 pub fn end(&mut self) {} /// n
 pub fn finish(self) -> Result<Facts, Fault> { Err(Fault::new(crate::fault::Code::DocUnknown)) } }
