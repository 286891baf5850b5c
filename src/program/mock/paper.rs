//! The document that a mock gives: the example of its type, about whoever is asked about, without the fields that may not go out.

use crate::base::ids::{Code, Identifier};
use crate::exchange::admission::same_subject_as;
use crate::host::schemas::sets::Sets;
use crate::message::envelope::{Ask, Subject};
use crate::message::schema::{Facts, FieldPath, Schemas, Validator};
use crate::message::xml::{Profile, ScanError, scan, without};
use crate::message::xsd::example::Fullness;

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
        text = without(&text, &facts.withheld(sets.schemas(), fields));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::envelope::Described;
    use crate::message::schema::SubjectKind;

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
                    made += usize::from(facts.is_ok_and(|facts| facts.withheld(sets.schemas(), &fields).is_empty()));
                }
            }
        }
        assert!(made > 40, "{made}");
    }
}
