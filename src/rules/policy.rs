//! Right, purpose, legal basis and fields: a table of grants, refused by default.
//!
//! The gateway refuses, it never edits: stripping a field would break the holder's signature. A request says which
//! fields it selects, the grant says which it may receive, and an answer that holds another optional field is refused.

use crate::base::fault::{Code as FaultCode, Fault};
use crate::base::ids::Code;
use crate::base::time::UnixTime;
use crate::message::envelope::Context;
use crate::message::schema::{DocumentType, FieldPath, Reach, SubjectKind};
use crate::rules::registry::{About, Action, AgencyIndex, Grant, GrantIndex, Registry};
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
    /// Whom or what the document is about.
    pub about: About,
    /// The optional fields that the grant gives.
    granted: Arc<[FieldPath]>,
    /// Those of them that are wanted, if not all are.
    selected: Option<Arc<[FieldPath]>>,
}

/// What is asked of the policy.
pub struct Question<'q> {
    /// Who asks.
    pub consumer: AgencyIndex,
    /// What they want to do.
    pub action: Action,
    /// The document type.
    pub document: &'q DocumentType,
    /// Why.
    pub context: &'q Context,
    /// The fields selected; empty means all that the grant gives.
    pub select: &'q [FieldPath],
    /// The role of the subject in the document; empty if the question names none.
    pub role: &'q str,
}

/// Finds the grant that permits the question, or says which step it failed at.
pub fn decide(registry: &Registry, question: &Question<'_>, now: UnixTime) -> Result<Grounds, Fault> {
    // The closer a row comes to permitting, the more its refusal helps.
    let mut refusal = Fault::at(FaultCode::PolNoGrant, format!("no grant for {} exists", question.document.name));
    let mut nearest = 0;
    for (index, grant) in registry.grants_of(question.consumer, &question.document.name) {
        let Err((step, fault)) = weigh(grant, question, now) else {
            return Ok(Grounds {
                grant: index,
                grant_id: grant.id.clone(),
                basis: Arc::clone(&grant.basis),
                about: grant.about,
                granted: Arc::clone(&grant.fields),
                selected: (!question.select.is_empty()).then(|| question.select.into()),
            });
        };
        if let (true, Some(fault)) = (step >= nearest, fault) {
            (nearest, refusal) = (step, fault);
        }
    }
    Err(refusal)
}

/// Each grant that the question could stand on, in the order in which they are tried, with the rule that it fails at, if any.
pub fn explain<'r>(
    registry: &'r Registry,
    question: &Question<'_>,
    now: UnixTime,
) -> impl Iterator<Item = (&'r Grant, Option<Fault>)> {
    let action = question.action.as_str();
    registry.grants_of(question.consumer, &question.document.name).map(move |(_, grant)| {
        let other = || Fault::at(FaultCode::PolNoGrant, format!("the grant {} is not a grant to {action}", grant.id));
        (grant, weigh(grant, question, now).err().map(|(_, fault)| fault.unwrap_or_else(other)))
    })
}

/// Whether a grant permits the question, or at which step it does not. That it is for another action is nothing to tell a sender.
fn weigh(grant: &Grant, question: &Question<'_>, now: UnixTime) -> Result<(), (u8, Option<Fault>)> {
    let failed = |step, code, what: String| Err((step, Some(Fault::at(code, what))));
    if grant.action != question.action {
        return Err((0, None));
    }
    let kind = question.context.subject.kind();
    if !grant.about.fits(kind) {
        let (about, kind) = (grant.about.as_str(), if kind == SubjectKind::Person { "a person" } else { "an organisation" });
        let what = format!("the grant {} is for questions about a {about}, and this one is about {kind}", grant.id);
        return failed(1, FaultCode::PolNoGrant, what);
    }
    if grant.purpose != question.context.purpose {
        return failed(2, FaultCode::PolPurpose, format!("the purpose {} is not granted", question.context.purpose));
    }
    if !question.context.legal_basis.iter().any(|basis| **basis == *grant.basis) {
        return failed(3, FaultCode::PolBasis, format!("the grant {} is for the legal basis {}", grant.id, grant.basis));
    }
    if grant.until < now.day() {
        return failed(4, FaultCode::PolExpired, format!("the grant {} ended on {}", grant.id, grant.until));
    }
    let subject = question.document.described(question.role);
    match question.select.iter().find(|path| !is_covered(path, &grant.fields, question, &subject)) {
        Some(path) => failed(5, FaultCode::PolField, format!("the grant {} does not give {path}", grant.id)),
        None => Ok(()),
    }
}

/// Whether a path may be selected: all that would be released for it is granted, or describes the subject. What the schema
/// requires is in every answer and needs no grant of its own.
fn is_covered(path: &FieldPath, granted: &[FieldPath], question: &Question<'_>, subject: &[&str]) -> bool {
    if subject.iter().any(|subject| path.lies_in(subject)) || granted.iter().any(|field| field.includes(path)) {
        return true;
    }
    // What may be optional in it is not all known.
    if question.document.reach == Reach::Open {
        return false;
    }
    let known: &[&[String]] = &[&question.document.fields];
    let mut concerned = question.document.fields.iter().filter(|field| path.releases(field, known));
    concerned.all(|field| is_released(field, granted, known) || describes(field, subject))
}

fn is_released(path: &str, fields: &[FieldPath], known: &[&[String]]) -> bool {
    fields.iter().any(|field| field.releases(path, known))
}

/// Whether what stands at a path describes the subject, whom the consumer knows.
fn describes(path: &str, subject: &[&str]) -> bool {
    let lies_in = |subject: &&str| path.strip_prefix(*subject).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    subject.iter().any(lies_in)
}

impl Grounds {
    /// The first optional path of a document that these grounds do not release. A path is released when it is granted, and
    /// selected if anything is, or when it describes the subject, whom the consumer knows. `listed` has the paths of the document
    /// type, among which patterns find the elements around what they name.
    pub fn withheld<'p>(&self, found: &'p [String], listed: &[String], subject: &[&str]) -> Option<&'p str> {
        let known: &[&[String]] = &[listed, found];
        let is_selected = |path: &str| self.selected.as_ref().is_none_or(|fields| is_released(path, fields, known));
        let released = |path: &str| is_released(path, &self.granted, known) && is_selected(path) || describes(path, subject);
        found.iter().map(String::as_str).find(|path| !released(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::AgencyId;
    use crate::message::schema::Schemas;

    const NOTE: &str = "medical-absence-note";

    fn grounds_of(fields: &[&str]) -> Grounds {
        let fields = fields.iter().map(|field| (*field).to_owned()).collect();
        Grounds { grant: GrantIndex(0), grant_id: Code::parse("g").expect("a code"), basis: "".into(), fields }
    }

    fn paths(list: &[&str]) -> Vec<String> {
        list.iter().map(|path| (*path).to_owned()).collect()
    }

    #[test]
    fn a_field_releases_what_is_below_it_and_what_leads_to_it() {
        let grounds = grounds_of(&["Doctor/Name", "PeExemption"]);
        assert_eq!(grounds.withheld(&paths(&["Doctor", "Doctor/Name", "PeExemption/From", "Patient/Sex"]), &["Patient"]), None);
        assert_eq!(grounds.withheld(&paths(&["Doctor", "Doctor/Id"]), &[]), Some("Doctor/Id"));
        assert_eq!(grounds.withheld(&paths(&["PeExemptions"]), &[]), Some("PeExemptions"));
        assert_eq!(
            grounds.withheld(&paths(&["School", "Diagnosis"]), &["School"]),
            Some("Diagnosis"),
            "the first that is withheld"
        );
        assert_eq!(grounds_of(&[]).withheld(&[], &[]), None, "a document without optional fields");
    }

    /// A grant: what it is called, and its lines that differ from the usual.
    fn grant(id: &str, what: &str, action: &str, purpose: &str, basis: &str, until: &str, fields: &str) -> String {
        format!(
            "[[grant]]\nid = \"{id}\"\nwho = \"xx.school\"\nwhat = \"{what}\"\naction = \"{action}\"\npurpose = \"{purpose}\"\n\
             basis = \"{basis}\"\nuntil = \"{until}\"\nfields = [{fields}]\n"
        )
    }

    fn registry(grants: &[String]) -> Registry {
        let agencies = ["xx.school", "xx.other"].map(|id| format!("[[agency]]\nid = \"{id}\"\nname = \"A\"\n"));
        let text = format!("format = 1\nversion = 1\n{}{}", agencies.concat(), grants.concat());
        Registry::check(&text, &Schemas::built_in()).expect("a good registry")
    }

    /// What the school asks, as the rows change it.
    struct Asked {
        consumer: &'static str,
        action: Action,
        what: &'static str,
        purpose: &'static str,
        bases: &'static [&'static str],
        select: &'static [&'static str],
        now: &'static str,
    }

    const USUAL: Asked = Asked {
        consumer: "xx.school",
        action: Action::Read,
        what: NOTE,
        purpose: "school-attendance",
        bases: &["a law"],
        select: &[],
        now: "2027-03-04T23:59:59.999Z",
    };

    fn decided(registry: &Registry, asked: &Asked) -> Result<Grounds, Fault> {
        let context = Context {
            legal_basis: paths(asked.bases),
            ..Context::new(Code::parse(asked.purpose).expect("a code"), "", crate::message::envelope::Subject::default())
        };
        let (schemas, what) = (Schemas::built_in(), Code::parse(asked.what).expect("a code"));
        let question = Question {
            consumer: registry.find(&AgencyId::parse(asked.consumer).expect("a name")).expect("an agency"),
            action: asked.action,
            what: &what,
            context: &context,
            select: &paths(asked.select),
            optional: &schemas.document_type(&what).expect("a document type").fields,
            reach: Reach::Listed,
            subject: &["Patient"],
        };
        decide(registry, &question, UnixTime::parse(asked.now).expect("an instant"))
    }

    #[test]
    fn each_reason_to_refuse_has_its_code_and_its_twin_is_permitted() {
        let fields = "\"Diagnosis\", \"Doctor/Name\"";
        let registry = registry(&[
            grant("read", NOTE, "read", "school-attendance", "a law", "2027-03-04", fields),
            grant("apply", "birth-certificate", "apply", "school-attendance", "a law", "2027-03-04", ""),
        ]);
        let certificate = Asked { what: "birth-certificate", ..USUAL };
        for (name, asked, code) in [
            ("as granted", USUAL, None),
            ("another agency", Asked { consumer: "xx.other", ..USUAL }, Some(FaultCode::PolNoGrant)),
            ("another document type", Asked { what: "school-enrolment", ..USUAL }, Some(FaultCode::PolNoGrant)),
            ("to read what may only be applied with", certificate, Some(FaultCode::PolNoGrant)),
            ("to apply with it", Asked { what: "birth-certificate", action: Action::Apply, ..USUAL }, None),
            ("to apply with what may only be read", Asked { action: Action::Apply, ..USUAL }, Some(FaultCode::PolNoGrant)),
            ("another purpose", Asked { purpose: "curiosity", ..USUAL }, Some(FaultCode::PolPurpose)),
            ("no basis", Asked { bases: &[], ..USUAL }, Some(FaultCode::PolBasis)),
            ("a basis spelled otherwise", Asked { bases: &["A law", "a law "], ..USUAL }, Some(FaultCode::PolBasis)),
            ("the basis among others", Asked { bases: &["another", "a law"], ..USUAL }, None),
            ("on the day after the last", Asked { now: "2027-03-05T00:00:00Z", ..USUAL }, Some(FaultCode::PolExpired)),
            ("years later", Asked { now: "2030-01-01T00:00:00Z", ..USUAL }, Some(FaultCode::PolExpired)),
            ("long before", Asked { now: "2020-01-01T00:00:00Z", ..USUAL }, None),
            ("a field granted", Asked { select: &["Diagnosis"], ..USUAL }, None),
            ("a part of a field granted", Asked { select: &["Doctor/Name/Family"], ..USUAL }, None),
            ("what the schema requires", Asked { select: &["Reason", "Head/Status"], ..USUAL }, None),
            ("a field not granted", Asked { select: &["Diagnosis", "School"], ..USUAL }, Some(FaultCode::PolField)),
            ("a part of a field not granted", Asked { select: &["School/Name"], ..USUAL }, Some(FaultCode::PolField)),
            ("the parent of a field granted", Asked { select: &["Doctor"], ..USUAL }, Some(FaultCode::PolField)),
            ("another child of that parent", Asked { select: &["Doctor/Id"], ..USUAL }, Some(FaultCode::PolField)),
            ("what holds a field not granted", Asked { select: &["Absence"], ..USUAL }, Some(FaultCode::PolField)),
            ("the subject", Asked { select: &["Patient", "Patient/Name"], ..USUAL }, None),
        ] {
            let decided = decided(&registry, &asked);
            assert_eq!(decided.as_ref().err().map(|fault| fault.code), code, "{name}: {decided:?}");
        }
    }

    #[test]
    fn the_grounds_are_the_grant_with_the_fields_that_were_selected_of_it() {
        let fields = "\"Diagnosis\", \"School\"";
        let registry = registry(&[
            grant("for-another-purpose", NOTE, "read", "statistics", "a law", "2030-01-01", ""),
            grant("the-one", NOTE, "read", "school-attendance", "a law", "2030-01-01", fields),
        ]);
        let grounds = decided(&registry, &USUAL).expect("it is granted");
        assert_eq!((grounds.grant, grounds.grant_id.as_str(), &*grounds.basis), (GrantIndex(1), "the-one", "a law"));
        assert_eq!(grounds.withheld(&paths(&["Diagnosis", "School", "Doctor"]), &[]), Some("Doctor"));
        let selected = decided(&registry, &Asked { select: &["School"], ..USUAL }).expect("it is granted");
        assert_eq!(selected.withheld(&paths(&["School", "Diagnosis"]), &[]), Some("Diagnosis"));
    }

    #[test]
    fn of_several_grants_the_one_that_came_closest_is_told() {
        let closer = grant("closer", NOTE, "read", "school-attendance", "a law", "2027-03-03", "");
        let farther = grant("farther", NOTE, "read", "statistics", "a law", "2030-01-01", "");
        for grants in [[closer.clone(), farther.clone()], [farther, closer]] {
            let fault = decided(&registry(&grants), &USUAL).expect_err("it has ended");
            assert_eq!((fault.code, &*fault.detail), (FaultCode::PolExpired, "the grant closer ended on 2027-03-03"));
        }
    }
}
