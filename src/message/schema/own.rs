//! The documents of one owner: a set of schemas with a symbol space of its own, and its `documents.toml`.

use super::SchemaError;
use super::documents::{self, DocumentType, FILE, Version};
use super::paths::TYPES;
use crate::base::ids::Code;
use crate::message::xsd::read::{Loaded, target_of};
use crate::message::xsd::set::TypeRef;
use crate::message::xsd::{Set, compile};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A set of schemas with its documents, compiled. Immutable; to be shared.
#[derive(Debug)]
pub struct OwnSet {
    name: String,
    documents: Vec<DocumentType>,
    schemas: Vec<Arc<Schema>>,
    files: BTreeMap<String, String>,
}

/// What one or more documents are held against.
#[derive(Debug)]
pub(super) struct Schema {
    pub(super) set: Set,
    /// By complex type: whether it is an identifier of ours.
    identifiers: Vec<bool>,
    /// The target namespace of each file.
    targets: Vec<(String, String)>,
    texts: Vec<(String, String)>,
}

/// Where the schema with this root file comes from.
pub(super) type Shelf<'l> = dyn FnMut(&str) -> Result<Arc<Schema>, SchemaError> + 'l;

impl OwnSet {
    /// Compiles the documents of a set: its name, its `documents.toml`, and where a root file of it comes from with all that it
    /// needs. Whether schemas keep all constraints is for the judge to say before. All that is wrong is said.
    pub fn compile(
        name: &str,
        documents: &str,
        load: &mut dyn FnMut(&str) -> Result<Loaded, SchemaError>,
    ) -> Result<Self, Vec<SchemaError>> {
        Self::of(name, documents, &mut |file| {
            let loaded = load(file)?;
            Ok(Arc::new(Schema::new(compile(&loaded)?, &loaded)?))
        })
    }

    /// The root files that the documents of a set are in, each once.
    pub fn roots(documents: &str) -> Result<Vec<String>, SchemaError> {
        let mut roots: Vec<String> = Vec::new();
        for (_, row) in documents::rows(documents)? {
            if !roots.contains(&row.file) {
                roots.push(row.file);
            }
        }
        Ok(roots)
    }

    /// The names of the documents, as far as the file can be read.
    pub fn names(documents: &str) -> Vec<Code> {
        let rows = documents::rows(documents).unwrap_or_default();
        let mut names: Vec<Code> = rows.iter().filter_map(|(_, row)| Code::parse(&row.name)).collect();
        names.dedup();
        names
    }

    /// The same set without some of its documents.
    pub(super) fn without(&self, names: &[Code]) -> Self {
        let documents = self.documents.iter().filter(|document| !names.contains(&document.name)).cloned().collect();
        Self { name: self.name.clone(), documents, schemas: self.schemas.clone(), files: self.files.clone() }
    }

    pub(super) fn of(name: &str, text: &str, shelf: &mut Shelf<'_>) -> Result<Self, Vec<SchemaError>> {
        let rows = documents::rows(text).map_err(|error| vec![error])?;
        let mut this = Self { name: name.to_owned(), documents: Vec::new(), schemas: Vec::new(), files: BTreeMap::new() };
        let (mut faults, mut places) = (Vec::new(), BTreeMap::new());
        let at = |(at, what): (usize, String)| SchemaError::in_text(FILE, text, at, &what);
        for (place, row) in &rows {
            faults.extend(row.guesses().into_iter().map(at));
            if let Some(gives_way) = row.gives_way.as_ref().filter(|_| !name.is_empty()) {
                faults.push(at((gives_way.span().start, "gives_way, which is for the documents of Oncegate alone".to_owned())));
            }
            // Each file is compiled once, and what is wrong with it is said once.
            let schema = *places.entry(row.file.as_str()).or_insert_with(|| match shelf(&row.file) {
                Ok(schema) => Some(this.take(schema)),
                Err(fault) => {
                    faults.push(fault);
                    None
                }
            });
            if let Some(schema) = schema
                && let Err(wrong) = this.add((*place, row), schema)
            {
                faults.push(at(wrong));
            }
        }
        if faults.is_empty() { Ok(this) } else { Err(faults) }
    }

    fn take(&mut self, schema: Arc<Schema>) -> usize {
        self.files.extend(schema.texts.iter().cloned());
        let known = self.schemas.iter().position(|known| Arc::ptr_eq(known, &schema));
        known.unwrap_or_else(|| {
            self.schemas.push(schema);
            self.schemas.len().saturating_sub(1)
        })
    }

    fn add(&mut self, (at, row): (usize, &documents::Row), number: usize) -> Result<(), documents::Wrong> {
        let here = |what: String| (at, what);
        let Some(schema) = self.schemas.get(number) else { return Ok(()) };
        let target = schema.targets.iter().find(|(file, _)| *file == row.file).map(|(_, target)| target);
        let target = target.ok_or_else(|| here(format!("the file {}, which is not in the set", row.file)))?;
        let version = documents::version((at, row), target, (number, &schema.set))?;
        match self.documents.iter_mut().find(|known| known.name.as_str() == row.name) {
            Some(document) => document.add(row, version).map_err(here),
            None => {
                self.documents.push(DocumentType::new(row, version).map_err(here)?);
                Ok(())
            }
        }
    }

    /// The set's name; empty for the documents that come with the gateway.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its document types, in the order of `documents.toml`.
    pub fn document_types(&self) -> &[DocumentType] {
        &self.documents
    }

    /// The text of a schema file.
    pub fn file(&self, name: &str) -> Option<&str> {
        self.files.get(name).map(String::as_str)
    }

    /// The compiled schema that a version's documents are held against.
    pub fn schema(&self, version: &Version) -> Option<&Set> {
        self.schemas.get(version.schema).map(|schema| &schema.set)
    }

    pub(super) fn compiled(&self, version: &Version) -> Option<&Schema> {
        self.schemas.get(version.schema).map(|schema| &**schema)
    }
}

impl Schema {
    pub(super) fn new(set: Set, loaded: &Loaded) -> Result<Self, SchemaError> {
        let targets = loaded.sources.iter().map(|source| Ok((source.name.clone(), target_of(source)?)));
        let targets: Vec<(String, String)> = targets.collect::<Result<_, SchemaError>>()?;
        let texts = loaded.sources.iter().map(|source| (source.name.clone(), source.text.clone())).collect();
        let id = set.names().find(TYPES, "Id").and_then(|name| set.global_type(name));
        let is_id = |number: usize| id.is_some_and(|id| set.derives(TypeRef::Complex(number as u32), id).is_some());
        let identifiers = (0..set.complex_count()).map(is_id).collect();
        Ok(Self { set, identifiers, targets, texts })
    }

    pub(super) fn is_identifier(&self, number: u32) -> bool {
        self.identifiers.get(number as usize).copied().unwrap_or(false)
    }
}
