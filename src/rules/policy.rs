//! Right, purpose, legal basis and fields: a table of grants, refused by default.
//!
//! The gateway refuses, it never edits: stripping a field would break the holder's signature. A request says which
//! fields it selects, the grant says which it may receive, and an answer that holds another optional field is refused.

mod behalf;

pub use behalf::principal;

use crate::base::fault::{Code as FaultCode, Fault};
use crate::base::ids::Code;
use crate::base::time::UnixTime;
use crate::message::envelope::Context;
use crate::message::schema::{Describing, DocumentType, FieldPath, Known, Reach, SubjectKind};
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
        let Err((step, fault)) = weigh(grant, question, now) else { return Ok(grounds(index, grant, question)) };
        if let (true, Some(fault)) = (step >= nearest, fault) {
            (nearest, refusal) = (step, fault);
        }
    }
    Err(refusal)
}

/// The grounds that one grant gives, if it permits the question.
pub fn by_grant((index, grant): (GrantIndex, &Grant), question: &Question<'_>, now: UnixTime) -> Option<Grounds> {
    weigh(grant, question, now).ok().map(|()| grounds(index, grant, question))
}

fn grounds(index: GrantIndex, grant: &Grant, question: &Question<'_>) -> Grounds {
    Grounds {
        grant: index,
        grant_id: grant.id.clone(),
        basis: Arc::clone(&grant.basis),
        about: grant.about,
        granted: Arc::clone(&grant.fields),
        selected: (!question.select.is_empty()).then(|| question.select.into()),
    }
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
        let (about, kind) = (grant.about.as_str(), a_kind(kind));
        let what = format!("the grant {} is for questions about a {about}, and this one is about {kind}", grant.id);
        return failed(1, FaultCode::PolNoGrant, what);
    }
    if let Some(why) = about_nobody(question) {
        return failed(1, FaultCode::PolNoGrant, why);
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
    if let Some(path) = question.select.iter().find(|path| !question.document.has_path(path)) {
        return failed(5, FaultCode::PolField, names_nothing(question.document, path));
    }
    match first_refused(&grant.fields, question) {
        Some(path) => failed(5, FaultCode::PolField, format!("the grant {} does not give {path}", grant.id)),
        None => Ok(()),
    }
}

/// Why no answer could be about the subject of a question, if none could.
fn about_nobody(question: &Question<'_>) -> Option<String> {
    let (what, role, roles) = (&question.document.name, question.role, question.document.roles());
    let kind = question.context.subject.kind();
    // Of a thing nobody is described; an application brings its documents along.
    if question.action != Action::Read || roles.is_empty() && role.is_empty() {
        return None;
    }
    let kinds = question.document.kinds(role);
    if kinds.contains(&kind) {
        return None;
    }
    let place = if role.is_empty() { "without a role in Of".to_owned() } else { format!("in the role {role}") };
    if let Some(other) = kinds.first() {
        return Some(format!("{what} is about {} {place}, and this question is about {}", a_kind(*other), a_kind(kind)));
    }
    let named: Vec<&str> = roles.iter().copied().filter(|role| !role.is_empty()).collect();
    let next = match (named.is_empty(), roles.contains("")) {
        (true, _) => "leave Of out".to_owned(),
        (false, true) => format!("leave Of out, or write {}", named.join(", ")),
        (false, false) => format!("write in Of one of {}", named.join(", ")),
    };
    Some(format!("{what} is about nobody {place}; {next}"))
}

fn a_kind(kind: SubjectKind) -> &'static str {
    match kind {
        SubjectKind::Person => "a person",
        SubjectKind::Organisation => "an organisation",
    }
}

/// What is selected is refused before the holder is asked, who would be blamed for an answer without it.
fn names_nothing(document: &DocumentType, path: &FieldPath) -> String {
    let nearest = document.nearest(path).map_or(String::new(), |near| format!("; did you mean {near}?"));
    format!("{} has nothing at {path}{nearest}", document.name)
}

/// The first path that may not be selected.
fn first_refused<'q>(granted: &[FieldPath], question: &Question<'q>) -> Option<&'q FieldPath> {
    if question.select.is_empty() {
        return None;
    }
    let subject = question.document.described(question.role);
    let known = Known::of(granted, &question.document.paths());
    question.select.iter().find(|path| !is_covered(path, (granted, &known), question.document, &subject))
}

/// Whether a path may be selected: all that would be released for it is granted, or describes the subject. What the schema
/// requires is in every answer and needs no grant of its own.
fn is_covered(
    path: &FieldPath,
    granted: (&[FieldPath], &Known<'_>),
    document: &DocumentType,
    subject: &[Describing<'_>],
) -> bool {
    let (granted, known) = granted;
    if subject.iter().any(|part| part.has(path)) || granted.iter().any(|field| field.includes(path)) {
        return true;
    }
    // What may be optional in it is not all known.
    if document.reach == Reach::Open {
        return false;
    }
    document.fields.iter().all(|field| {
        if path.covers(field) {
            return granted.iter().any(|granted| granted.covers(field)) || describes(field, subject);
        }
        // The elements around it. Those around what a pattern names are around what was found to be granted.
        path.is_pattern() || !path.lies_in(field) || is_released(field, granted, known) || describes(field, subject)
    })
}

fn is_released(path: &str, fields: &[FieldPath], known: &Known<'_>) -> bool {
    fields.iter().any(|field| field.releases(path, known))
}

/// Whether what stands at a path describes the subject, whom the consumer knows.
pub fn describes(path: &str, subject: &[Describing<'_>]) -> bool {
    subject.iter().any(|part| part.covers(path))
}

impl Grounds {
    /// The first optional path of a document that these grounds do not release. A path is released when it is granted, and
    /// selected if anything is, or when it describes the subject, whom the consumer knows. `listed` has the paths of the document
    /// type, among which patterns find the elements around what they name.
    pub fn withheld<'p>(&self, found: &'p [String], listed: &[&[String]], subject: &[Describing<'_>]) -> Option<&'p str> {
        let fields = self.granted.iter().chain(self.selected.iter().flat_map(|fields| fields.iter()));
        let known = Known::of(fields, &[listed, &[found]].concat());
        let is_selected = |path: &str| self.selected.as_ref().is_none_or(|fields| is_released(path, fields, &known));
        let released = |path: &str| is_released(path, &self.granted, &known) && is_selected(path) || describes(path, subject);
        found.iter().map(String::as_str).find(|path| !released(path))
    }

    /// The optional fields that an answer in this role may hold: those that are granted, or of these those that are selected, and
    /// what describes the subject.
    pub fn may_hold(&self, document: &DocumentType, role: &str) -> Vec<FieldPath> {
        // What is selected was found to be granted, or to be in every answer.
        let mut fields: Vec<FieldPath> = match &self.selected {
            Some(selected) => selected.iter().filter(|path| document.has_field(path)).cloned().collect(),
            None => self.granted.to_vec(),
        };
        for path in document.described(role).iter().filter_map(Describing::field).filter(|path| document.has_field(path)) {
            if !fields.iter().any(|field| field.includes(&path)) {
                fields.push(path);
            }
        }
        fields
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::AgencyId;
    use crate::message::schema::Schemas;

    const NOTE: &str = "medical-absence-note";

    fn fields(list: &[&str]) -> Vec<FieldPath> {
        list.iter().map(|text| FieldPath::parse(text).expect("a path")).collect()
    }

    fn grounds(granted: &[&str], selected: &[&str]) -> Grounds {
        Grounds {
            grant: GrantIndex(0),
            grant_id: Code::parse("g").expect("a code"),
            basis: "".into(),
            about: About::Person,
            granted: fields(granted).into(),
            selected: (!selected.is_empty()).then(|| fields(selected).into()),
        }
    }

    fn paths(list: &[&str]) -> Vec<String> {
        list.iter().map(|path| (*path).to_owned()).collect()
    }

    #[test]
    fn a_field_releases_what_is_below_it_and_what_leads_to_it() {
        for (granted, found, subject, withheld) in [
            (
                &["Doctor/Name", "PeExemption"][..],
                &["Doctor", "Doctor/Name", "PeExemption/From", "Patient/Sex"][..],
                &["Patient"][..],
                None,
            ),
            (&["Doctor/Name", "PeExemption"], &["Doctor", "Doctor/Id"], &[], Some("Doctor/Id")),
            (&["PeExemption"], &["PeExemptions"], &[], Some("PeExemptions")),
            (&[], &["School", "Diagnosis"], &["School"], Some("Diagnosis")),
            // The root as the subject is not all of the document.
            (&[], &["Diagnosis"], &[""], Some("Diagnosis")),
            (&["**"], &["Diagnosis", "@id", "Doctor/**"], &[], None),
            // A pattern leads to what has something that it names, in this document or in its type.
            (&["*/@id"], &["Doctor", "Doctor/@id"], &[], None),
            (&["*/@id"], &["Doctor"], &[], Some("Doctor")),
            (&["*/Id"], &["School"], &[], None),
            (&["*/Id"], &["Diagnosis"], &[], Some("Diagnosis")),
            (&["Doctor/*"], &["Doctor", "Doctor/Name", "Doctor/@id"], &[], Some("Doctor/@id")),
            // What nobody looked at is in no field but the whole.
            (&["Doctor/*", "Doctor/@*"], &["Doctor/**"], &[], Some("Doctor/**")),
            (&["Doctor/**"], &["Doctor/**"], &[], None),
            (&[], &[], &[], None),
        ] {
            let grounds = grounds(granted, &[]);
            let (found, listed) = (paths(found), paths(&["School", "School/Id"]));
            let subject: Vec<Describing<'_>> = subject.iter().map(|element| Describing::whole(element)).collect();
            assert_eq!(grounds.withheld(&found, &[&listed], &subject), withheld, "{granted:?} {found:?}");
        }
    }

    /// Nobody has listed what a type adds that a document names with `xsi:type`.
    #[test]
    fn what_is_selected_gives_nothing_that_the_grant_does_not() {
        let found = paths(&["Doctor/Name", "Doctor/Added"]);
        let withheld = |granted, selected| grounds(granted, selected).withheld(&found, &[], &[]).map(str::to_owned);
        assert_eq!(withheld(&["Doctor/Name", "Doctor/Id"], &["Doctor"]).as_deref(), Some("Doctor/Added"));
        assert_eq!(withheld(&["Doctor"], &["Doctor/Name"]).as_deref(), Some("Doctor/Added"));
        assert_eq!(withheld(&["Doctor/*"], &["*/**"]), None);
    }

    /// What may be in a document beside what its type lists: by `xsi:type`, substitution, attributes and wildcards.
    const LOOSE: &str = r###"<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns="urn:t" targetNamespace="urn:t" elementFormDefault="qualified">
        <xs:element name="R"><xs:complexType><xs:sequence><xs:element name="a" type="A"/><xs:element ref="h"/>
        <xs:element name="b" minOccurs="0"><xs:complexType><xs:sequence><xs:any namespace="##other" processContents="skip"/></xs:sequence></xs:complexType></xs:element>
        <xs:any namespace="##other" processContents="skip" minOccurs="0"/></xs:sequence>
        <xs:attribute name="k"/><xs:anyAttribute processContents="skip" namespace="##other"/></xs:complexType></xs:element>
        <xs:complexType name="A"><xs:sequence><xs:element name="v" minOccurs="0"/></xs:sequence></xs:complexType>
        <xs:complexType name="B"><xs:complexContent><xs:extension base="A"><xs:sequence><xs:element name="w"/></xs:sequence>
        <xs:attribute name="l" use="required"/></xs:extension></xs:complexContent></xs:complexType>
        <xs:element name="h" type="xs:anySimpleType"/><xs:element name="i" substitutionGroup="h" type="xs:string"/></xs:schema>"###;

    const LOOSE_DOCUMENT: &str = r#"<R xmlns="urn:t" xmlns:o="urn:o" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" k="1" o:m="1"><a xsi:type="B" l="1"><v></v><w></w></a><i>x</i><b><o:x><o:y></o:y></o:x></b><o:z></o:z></R>"#;

    fn lies_in(path: &str, element: &str) -> bool {
        Describing::whole(element).covers(path)
    }

    fn paths_of(schemas: &Schemas, document: &str) -> Vec<String> {
        let mut validator = crate::message::schema::Validator::new(schemas);
        let scanned = crate::message::xml::scan(document.as_bytes(), crate::message::xml::Profile::Message, &mut validator);
        scanned.unwrap_or_else(|error| panic!("{error:?}"));
        validator.finish().unwrap_or_else(|fault| panic!("{fault:?}")).optional_paths
    }

    #[test]
    fn nothing_optional_goes_out_by_way_of_what_stands_beside_it() {
        let names = "[[document]]\nname = \"t\"\nfile = \"t.xsd\"\nroot = \"R\"\nclass = \"test\"\ntitle = \"T\"\n";
        let loose = Schemas::compile(&[("t.xsd".to_owned(), LOOSE.to_owned())], names).expect("a good schema");
        let found = paths_of(&loose, LOOSE_DOCUMENT);
        for path in ["@k", "@m", "a/@l", "a/v", "a/w", "i", "b", "b/x/**", "z/**"] {
            assert!(found.iter().any(|other| other == path), "{path} is not among {found:?}");
        }
        let (built_in, mut walked) = (Schemas::built_in(), vec![(found, loose.document_types().next())]);
        for name in ["birth-certificate", "medical-absence-note", "identity-record", "residence-record", "school-enrolment"] {
            let text = Schemas::example(name).expect("an example");
            let document = built_in.document_type(&Code::parse(name).expect("a code"));
            walked.push((paths_of(&built_in, text.split_once("?>").map_or(text, |(_, rest)| rest)), document));
        }
        for (found, document) in walked {
            let listed = document.map_or([&[][..]; 2], DocumentType::paths);
            for path in &found {
                let is_apart = |other: &&String| !lies_in(path, other) && !lies_in(other, path);
                let beside: Vec<&str> = found.iter().filter(is_apart).map(String::as_str).collect();
                // As they are, and each element's attributes and children by a pattern that does not name this one.
                let is_element = |other: &&&str| !other.ends_with("/**") && !other.contains('@');
                let patterns: Vec<String> = beside.iter().filter(is_element).map(|other| format!("{other}/*")).collect();
                let granted: Vec<&str> = beside.iter().copied().chain(patterns.iter().map(String::as_str)).collect();
                let withheld = grounds(&granted, &[]).withheld(&found, &listed, &[]);
                assert!(
                    withheld.is_some_and(|withheld| lies_in(withheld, path) || lies_in(path, withheld)),
                    "{path}: {withheld:?}"
                );
                let whole = path.strip_suffix("/**").unwrap_or(path);
                assert!(
                    grounds(&[&granted[..], &[whole]].concat(), &[]).withheld(std::slice::from_ref(path), &listed, &[]).is_none()
                );
            }
        }
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
        let document = schemas.document_type(&what).expect("a document type");
        let question = Question {
            consumer: registry.find(&AgencyId::parse(asked.consumer).expect("a name")).expect("an agency"),
            action: asked.action,
            document,
            context: &context,
            select: &fields(asked.select),
            role: "",
        };
        decide(registry, &question, UnixTime::parse(asked.now).expect("an instant"))
    }

    #[test]
    fn each_reason_to_refuse_has_its_code_and_its_twin_is_permitted() {
        let given = "\"Diagnosis\", \"Doctor/Name\"";
        let registry = registry(&[
            grant("read", NOTE, "read", "school-attendance", "a law", "2027-03-04", given),
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
            ("all that is in a field granted", Asked { select: &["Doctor/Name/**"], ..USUAL }, None),
            ("any part of a field granted", Asked { select: &["Doctor/Name/*"], ..USUAL }, None),
            ("what the document does not have", Asked { select: &["Diagnoses"], ..USUAL }, Some(FaultCode::PolField)),
            ("an attribute that it does not have", Asked { select: &["@x"], ..USUAL }, Some(FaultCode::PolField)),
            ("what the subject does not have", Asked { select: &["Patient/Height"], ..USUAL }, Some(FaultCode::PolField)),
            ("a pattern of nothing", Asked { select: &["Absence/*/*/*"], ..USUAL }, Some(FaultCode::PolField)),
            ("any field", Asked { select: &["*"], ..USUAL }, Some(FaultCode::PolField)),
            ("everything", Asked { select: &["**"], ..USUAL }, Some(FaultCode::PolField)),
            ("a name wherever it is granted", Asked { select: &["*/Name"], ..USUAL }, None),
            ("an identifier wherever it is", Asked { select: &["*/Id"], ..USUAL }, Some(FaultCode::PolField)),
            ("any part of what the schema requires", Asked { select: &["Head/*"], ..USUAL }, None),
            ("any part of the subject", Asked { select: &["Patient/*", "Patient/**"], ..USUAL }, None),
            ("the subject", Asked { select: &["Patient", "Patient/Name"], ..USUAL }, None),
        ] {
            let decided = decided(&registry, &asked);
            assert_eq!(decided.as_ref().err().map(|fault| fault.code), code, "{name}: {decided:?}");
        }
    }

    #[test]
    fn a_question_about_nobody_in_the_document_is_refused_with_what_it_may_say() {
        let registry = registry(&[grant("g", "birth-certificate", "read", "p", "b", "2030-01-01", "")]);
        let schemas = Schemas::built_in();
        let document = schemas.document_type(&Code::parse("birth-certificate").expect("a code")).expect("built in");
        let consumer = registry.find(&AgencyId::parse("xx.school").expect("a name")).expect("an agency");
        let context = Context::new(Code::parse("p").expect("a code"), "b", crate::message::envelope::Subject::default());
        for (role, expected) in [
            ("", None),
            ("mother", None),
            (
                "witness",
                Some(
                    "birth-certificate is about nobody in the role witness; leave Of out, or write child, father, mother, parent",
                ),
            ),
        ] {
            let question = Question { consumer, action: Action::Read, document, context: &context, select: &[], role };
            let decided = decide(&registry, &question, UnixTime::parse(USUAL.now).expect("an instant"));
            let refused = decided.err().map(|fault| (fault.code, fault.detail.to_string()));
            assert_eq!(refused, expected.map(|what| (FaultCode::PolNoGrant, what.to_owned())), "{role}");
        }
    }

    #[test]
    fn what_a_document_does_not_have_is_told_with_what_is_like_it() {
        let registry = registry(&[grant("g", NOTE, "read", "school-attendance", "a law", "2030-01-01", "\"**\"")]);
        let fault = decided(&registry, &Asked { select: &["Doctor/Nam"], ..USUAL }).expect_err("nothing is there");
        assert_eq!(&*fault.detail, "medical-absence-note has nothing at Doctor/Nam; did you mean Doctor/Name?");
    }

    #[test]
    fn the_grounds_are_the_grant_with_the_fields_that_were_selected_of_it() {
        let given = "\"Diagnosis\", \"School\"";
        let registry = registry(&[
            grant("for-another-purpose", NOTE, "read", "statistics", "a law", "2030-01-01", ""),
            grant("the-one", NOTE, "read", "school-attendance", "a law", "2030-01-01", given),
        ]);
        let grounds = decided(&registry, &USUAL).expect("it is granted");
        assert_eq!((grounds.grant, grounds.grant_id.as_str(), &*grounds.basis), (GrantIndex(1), "the-one", "a law"));
        assert_eq!(grounds.withheld(&paths(&["Diagnosis", "School", "Doctor"]), &[], &[]), Some("Doctor"));
        let selected = decided(&registry, &Asked { select: &["School"], ..USUAL }).expect("it is granted");
        assert_eq!(selected.withheld(&paths(&["School", "Diagnosis"]), &[], &[]), Some("Diagnosis"));
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
