//! The document that a mock gives: the example of its type, about whoever is asked about, without the fields that may not go out.

use crate::base::ids::{Code, Identifier};
use crate::exchange::admission::same_subject_as;
use crate::host::schemas::sets::Sets;
use crate::message::envelope::{Ask, Subject};
use crate::message::schema::{Facts, FieldPath, Known, Schemas, Validator};
use crate::message::xml::{Profile, ScanError, Start, Visitor, scan};
use crate::message::xsd::example::Fullness;
use std::ops::Range;

/// Whether the document is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    InForce,
    /// Its head says that it is cancelled, if it has one.
    Cancelled,
}

/// Why there is no document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoPaper {
    /// No example of this type can be made.
    NoExample,
    /// The example knows its subject by other identifiers.
    OtherScheme,
    /// What came of it is not valid, for this reason.
    Invalid(String),
}

/// Makes it. `fields` are the optional fields that it may have; none means all.
pub(super) fn paper(
    sets: &Sets,
    (ask, subject): (&Ask, &Subject),
    fields: Option<&[FieldPath]>,
    standing: Standing,
) -> Result<String, NoPaper> {
    let example = sets.example(ask.document_type.as_str(), Fullness::Full).ok_or(NoPaper::NoExample)?;
    let mut text = example.split_once("?>").map_or(&*example, |(_, rest)| rest).trim().to_owned();
    if standing == Standing::Cancelled {
        text = text.replacen(">in-force</", ">cancelled</", 1);
    }
    let facts = valid(sets.schemas(), &text, &ask.document_type)?;
    if let Some(described) = facts.subjects_as(ask.role()).next() {
        let asked = subject.identifiers.first().ok_or(NoPaper::OtherScheme)?;
        text = put(&text, &described.identifiers, asked).ok_or(NoPaper::OtherScheme)?;
    }
    if let Some(fields) = fields {
        text = without(&text, &withheld(sets.schemas(), &ask.document_type, &facts, fields));
    }
    let facts = valid(sets.schemas(), &text, &ask.document_type)?;
    let mut described = facts.subjects_as(ask.role()).peekable();
    if described.peek().is_some() && !described.any(|described| same_subject_as(subject, described)) {
        return Err(NoPaper::OtherScheme);
    }
    Ok(text)
}

fn valid(schemas: &Schemas, text: &str, wanted: &Code) -> Result<Facts, NoPaper> {
    let mut validator = Validator::new(schemas);
    scan(text.as_bytes(), Profile::Message, &mut validator).map_err(|error| match error {
        ScanError::Xml(violation) => NoPaper::Invalid(format!("{violation:?}")),
        ScanError::Visitor(fault) => NoPaper::Invalid(fault.to_string()),
    })?;
    let facts = validator.finish().map_err(|fault| NoPaper::Invalid(fault.to_string()))?;
    if facts.document_type == *wanted { Ok(facts) } else { Err(NoPaper::NoExample) }
}

/// Puts the identifier that was asked about in the place of the one of its scheme, wherever that stands; else, in a document of
/// ours, in the place of the first one with its scheme.
fn put(text: &str, known: &[Identifier], asked: &Identifier) -> Option<String> {
    if let Some(same) = known.iter().find(|known| known.scheme() == asked.scheme()) {
        return Some(text.replace(same.value(), asked.value()));
    }
    let first = known.first()?;
    let spelled = |id: &Identifier| format!("scheme=\"{}\">{}<", id.scheme(), id.value());
    text.contains(&spelled(first)).then(|| text.replace(&spelled(first), &spelled(asked)))
}

/// The optional paths of a document that may not go out.
fn withheld<'f>(schemas: &Schemas, document: &Code, facts: &'f Facts, fields: &[FieldPath]) -> Vec<&'f str> {
    let listed = schemas.document_type(document).map_or([&[][..]; 2], |document| document.paths());
    let [optional, required] = listed;
    let known = Known::of(fields, &[optional, required, &facts.optional_paths]);
    let is_released = |path: &str| fields.iter().any(|field| field.releases(path, &known));
    facts.optional_paths.iter().map(String::as_str).filter(|path| !is_released(path)).collect()
}

/// The text without the elements and attributes at these paths.
fn without(text: &str, paths: &[&str]) -> String {
    let mut cutter = Cutter { text, paths, open: Vec::new(), at: 0, tag: Tag::Open, cutting: None, cuts: Vec::new() };
    let mut kept = text.to_owned();
    if scan(text.as_bytes(), Profile::Message, &mut cutter).is_err() {
        return kept;
    }
    cutter.cuts.sort_by_key(|cut| cut.start);
    cutter.cuts.into_iter().rev().for_each(|cut| kept.replace_range(cut, ""));
    kept
}

/// Finds where stands what is left out. There is markup of tags and text alone: an example is signed, so it has no more.
struct Cutter<'t> {
    text: &'t str,
    paths: &'t [&'t str],
    open: Vec<String>,
    /// Behind the last tag.
    at: usize,
    tag: Tag,
    /// Where an element begins that is left out, and how deep it lies.
    cutting: Option<(usize, usize)>,
    cuts: Vec<Range<usize>>,
}

/// What the last tag was.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tag {
    /// An element without content, whose end has no tag of its own.
    Empty,
    /// Any other.
    Open,
}

impl Visitor for Cutter<'_> {
    type Error = ();

    fn start(&mut self, element: &Start<'_>) -> Result<(), ()> {
        self.open.push(element.local().to_owned());
        let path = self.open.get(1..).unwrap_or_default().join("/");
        let from = element.at();
        self.at = end_of_tag(self.text, from).ok_or(())?;
        self.tag = if self.text.get(from..self.at).is_some_and(|tag| tag.ends_with("/>")) { Tag::Empty } else { Tag::Open };
        if self.cutting.is_some() {
            return Ok(());
        }
        if self.paths.contains(&path.as_str()) {
            self.cutting = Some((from, self.open.len()));
            return Ok(());
        }
        for found in element.attributes() {
            let below = if path.is_empty() { format!("@{}", found.local) } else { format!("{path}/@{}", found.local) };
            if self.paths.contains(&below.as_str()) {
                self.cuts.push(attribute(self.text, from, found.local).ok_or(())?);
            }
        }
        Ok(())
    }

    fn text(&mut self, _: &str, _: usize) -> Result<(), ()> {
        Ok(())
    }

    fn end(&mut self) -> Result<(), ()> {
        if self.tag == Tag::Open {
            let from = self.at + self.text.get(self.at..).and_then(|rest| rest.find("</")).ok_or(())?;
            self.at = end_of_tag(self.text, from).ok_or(())?;
        }
        self.tag = Tag::Open;
        if let Some((from, _)) = self.cutting.filter(|(_, depth)| *depth == self.open.len()) {
            self.cuts.push(from..self.at);
            self.cutting = None;
        }
        self.open.pop();
        Ok(())
    }
}

/// Behind the tag that begins at a place; `>` may stand in values.
fn end_of_tag(text: &str, from: usize) -> Option<usize> {
    let mut quote = None;
    for (at, char) in text.get(from..)?.char_indices() {
        match (quote, char) {
            (None, '>') => return Some(from + at + 1),
            (None, '"' | '\'') => quote = Some(char),
            (Some(open), char) if open == char => quote = None,
            _ => {}
        }
    }
    None
}

/// Where an attribute of the tag that begins at a place stands, with the space before it.
fn attribute(text: &str, tag: usize, name: &str) -> Option<Range<usize>> {
    let rest = text.get(tag..)?;
    let spelled = format!("{name}=");
    let at = rest.match_indices(&spelled).map(|(at, _)| at).find(|at| {
        let before = rest.get(..*at).and_then(|before| before.chars().next_back());
        before.is_some_and(|before| before.is_whitespace() || before == ':')
    })?;
    let from = rest.get(..at)?.rfind(char::is_whitespace)?;
    let value = rest.get(at + spelled.len()..)?;
    let quote = value.chars().next()?;
    let end = at + spelled.len() + 1 + value.get(1..)?.find(quote)? + 1;
    Some(tag + from..tag + end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::envelope::Described;
    use crate::message::schema::SubjectKind;

    #[test]
    fn elements_and_attributes_are_left_out_by_their_paths_and_nothing_else_is() {
        let text = "<r x=\"1\"><A b='2' c=\"3\"><B/>t</A><A c=\"4\"><C>u</C></A><D/>&amp;<E xmlns:p=\"urn:p\" p:b=\"5\"/></r>";
        let left = |paths: &[&str]| without(text, paths);
        assert_eq!(left(&[]), text);
        assert_eq!(left(&["A/@c", "D"]), "<r x=\"1\"><A b='2'><B/>t</A><A><C>u</C></A>&amp;<E xmlns:p=\"urn:p\" p:b=\"5\"/></r>");
        assert_eq!(left(&["A", "A/@c", "E/@b"]), "<r x=\"1\"><D/>&amp;<E xmlns:p=\"urn:p\"/></r>");
        assert_eq!(left(&["@x", "A/B", "A/C", "E"]), "<r><A b='2' c=\"3\">t</A><A c=\"4\"></A><D/>&amp;</r>");
    }

    /// Each example is about whoever is asked about, with all fields and with none; the second where its schema lets it.
    #[test]
    fn each_example_stays_valid_about_somebody_else_with_all_fields_and_with_none() {
        let sets = Sets::load(None, &crate::host::schemas::sets::Judging::of_this_program(), None).expect("our own");
        let mut made = 0;
        for document in sets.schemas().document_types() {
            for role in document.roles() {
                let of = (!role.is_empty()).then(|| Code::parse(role).expect("a code"));
                let described = match document.kinds(role).first() {
                    Some(SubjectKind::Organisation) => Described::Organisation(None),
                    _ => Described::default(),
                };
                let subject = Subject { identifiers: vec![Identifier::synthetic(4_711)], described };
                let ask = Ask { document_type: document.name.clone(), of, select: Vec::new(), during: None };
                for standing in [Standing::InForce, Standing::Cancelled] {
                    let all = paper(&sets, (&ask, &subject), None, standing);
                    assert!(all.is_ok(), "{} {role}: {all:?}", document.name);
                    let fields: Vec<FieldPath> = document.described(role).iter().filter_map(|part| part.field()).collect();
                    let least = paper(&sets, (&ask, &subject), Some(&fields), standing);
                    let facts = least.as_ref().map(|text| valid(sets.schemas(), text, &document.name).expect("valid"));
                    made += usize::from(
                        facts.is_ok_and(|facts| withheld(sets.schemas(), &document.name, &facts, &fields).is_empty()),
                    );
                }
            }
        }
        assert!(made > 40, "{made}");
    }
}
