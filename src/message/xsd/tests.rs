use super::read::{Library, Source, load};
use super::run::Run;
use super::*;
use crate::message::xml::{Profile, scan};
use cases::{Case, OPEN, SETS, TYPES, VALUES, document, schema};

mod cases;
mod hostile;
mod long;
mod models;

/// The files of a set, by name.
struct Files(Vec<Source>);

impl Library for Files {
    fn fetch(&mut self, _: &str, location: Option<&str>, _: &str) -> Option<Source> {
        self.0.iter().find(|file| Some(file.name.as_str()) == location).cloned()
    }
}

fn source(name: &str, text: String) -> Source {
    Source { name: name.to_owned(), text }
}

fn loaded(root: String, more: &[(&str, &str)]) -> Result<read::Loaded, SchemaError> {
    let mut files = Files(more.iter().map(|(name, text)| source(name, schema(text))).collect());
    load(vec![source("t.xsd", root)], &mut files)
}

fn compiled(text: &str) -> Result<Set, SchemaError> {
    compile(&loaded(schema(text), &[])?)
}

/// The rules that a document breaks.
fn broken(set: &Set, document: &str) -> Vec<&'static str> {
    let mut run = Run::new(set, 8);
    scan(document.as_bytes(), Profile::Schema, &mut run).unwrap_or_else(|error| panic!("{document}: {error:?}"));
    run.violations().iter().map(|violation| violation.rule).collect()
}

fn hold(cases: &[Case]) {
    for case in cases {
        let loaded = loaded(schema(case.schema), case.more).expect(case.name);
        judge::judge(&loaded).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        let set = compile(&loaded).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        for good in case.good {
            assert_eq!(broken(&set, &document(case, good)), <[&str; 0]>::default(), "{}: {good}", case.name);
        }
        for (bad, rule) in case.bad {
            assert_eq!(broken(&set, &document(case, bad)).first(), Some(rule), "{}: {bad}", case.name);
        }
    }
}

#[test]
fn content_and_attributes_are_as_the_types_have_them() {
    hold(TYPES);
}

#[test]
fn what_schemas_leave_open_is_held_to_what_the_document_names() {
    hold(OPEN);
}

#[test]
fn values_are_of_their_types_and_refer_to_what_is_there() {
    hold(VALUES);
}

#[test]
fn the_files_of_a_set_make_one_schema() {
    hold(SETS);
}
