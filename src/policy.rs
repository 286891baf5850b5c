//! Right, purpose, legal basis and fields: a table of grants, refused by default.
//!
//! The gateway refuses, it never edits: stripping a field would break the holder's signature. A request says which
//! fields it selects, the grant says which it may receive, and an answer that holds another optional field is refused.

use crate::envelope::Context;
use crate::fault::{Code as FaultCode, Fault};
use crate::ids::Code;
use crate::registry::{Action, AgencyIndex, GrantIndex, Registry};
use crate::time::UnixTime;
use std::sync::Arc;

/// The grounds on which something is permitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grounds {
    /// The grant.
    pub grant: GrantIndex,
    /// Its name.
    pub grant_id: Code,
    /// The legal basis.
    pub basis: Arc<str>,
    /// The optional fields that may be released.
    fields: Arc<[String]>,
}

/// What is asked of the policy.
pub struct Question<'q> {
    /// Who asks.
    pub consumer: AgencyIndex,
    /// What they want to do.
    pub action: Action,
    /// The document type.
    pub what: &'q Code,
    /// Why.
    pub context: &'q Context,
    /// The fields selected; empty means all that the grant gives.
    pub select: &'q [String],
    /// The optional fields of the document type.
    pub optional: &'q [String],
}

/// Finds the grant that permits the question, or says which step it failed at.
pub fn decide(registry: &Registry, question: &Question<'_>, now: UnixTime) -> Result<Grounds, Fault> {
    // The closer a row comes to permitting, the more its refusal helps.
    let mut refusal = Fault::at(FaultCode::PolNoGrant, format!("no grant for {} exists", question.what));
    let mut nearest = 0;
    for (index, grant) in registry.grants_of(question.consumer, question.what) {
        let (step, fault) = if grant.action != question.action {
            (0, None)
        } else if grant.purpose != question.context.purpose {
            (1, Some(Fault::at(FaultCode::PolPurpose, format!("the purpose {} is not granted", question.context.purpose))))
        } else if !question.context.legal_basis.iter().any(|basis| **basis == *grant.basis) {
            (2, Some(Fault::at(FaultCode::PolBasis, format!("the grant {} stands on {}", grant.id, grant.basis))))
        } else if grant.until < now.day() {
            (3, Some(Fault::at(FaultCode::PolExpired, format!("the grant {} ended on {}", grant.id, grant.until))))
        } else if let Some(path) = question.select.iter().find(|path| !is_covered(path, &grant.fields, question.optional)) {
            (4, Some(Fault::at(FaultCode::PolField, format!("the grant {} does not give {path}", grant.id))))
        } else {
            let fields = if question.select.is_empty() { Arc::clone(&grant.fields) } else { question.select.into() };
            return Ok(Grounds { grant: index, grant_id: grant.id.clone(), basis: Arc::clone(&grant.basis), fields });
        };
        if let (true, Some(fault)) = (step >= nearest, fault) {
            (nearest, refusal) = (step, fault);
        }
    }
    Err(refusal)
}

/// Whether a selected path may be selected. What the schema requires is in every answer and needs no grant of its own.
fn is_covered(path: &str, granted: &[String], optional: &[String]) -> bool {
    granted.iter().any(|field| lies_in(path, field)) || !optional.iter().any(|field| lies_in(path, field))
}

/// Whether `path` is `field` or below it.
fn lies_in(path: &str, field: &str) -> bool {
    path.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl Grounds {
    /// The first optional path of a document that these grounds do not release. A path is released when it lies in a
    /// granted field, when a granted field lies in it, or when it describes the subject, whom the consumer knows.
    pub fn withheld<'p>(&self, optional_paths: &'p [String], subject: &[&str]) -> Option<&'p str> {
        let granted = |path: &str| self.fields.iter().any(|field| lies_in(path, field) || lies_in(field, path));
        let released = |path: &str| granted(path) || subject.iter().any(|subject| lies_in(path, subject));
        optional_paths.iter().map(String::as_str).find(|path| !released(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_releases_what_is_below_it_and_what_leads_to_it() {
        let grounds = Grounds {
            grant: GrantIndex(0),
            grant_id: Code::parse("g").expect("a code"),
            basis: "".into(),
            fields: ["Doctor/Name".to_owned(), "PeExemption".to_owned()].into(),
        };
        let paths = |list: &[&str]| list.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>();
        assert_eq!(grounds.withheld(&paths(&["Doctor", "Doctor/Name", "PeExemption/From", "Patient/Sex"]), &["Patient"]), None);
        assert_eq!(grounds.withheld(&paths(&["Doctor", "Doctor/Id"]), &[]), Some("Doctor/Id"));
        assert_eq!(grounds.withheld(&paths(&["PeExemptions"]), &[]), Some("PeExemptions"));
    }
}
