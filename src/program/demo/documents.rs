//! The documents that the registers of the demo hold, as markup.

use super::people::{BUSINESS_FROM, Person, Role};
use crate::base::ids::{Identifier, MessageId};
use crate::base::time::Day;
use crate::gateway::driver::now;
use crate::message::envelope::TYPES;
use crate::message::xml::Writer;

/// The document of a type about a person, if the register has one; `family` are the four of the person's household.
pub(super) fn document(document_type: &str, person: &Person, family: &[Person]) -> Option<String> {
    match (document_type, person.role) {
        // One pupil in three has not been ill.
        ("medical-absence-note", Role::Pupil) if person.household() % 3 != 2 => Some(absence_note(person)),
        ("school-enrolment", Role::Pupil) => Some(enrolment(person)),
        ("birth-certificate", Role::Pupil | Role::Newborn) => Some(birth_certificate(person, family)),
        ("medical-birth-record", Role::Mother) => {
            Some(birth_record(person, family.iter().find(|person| person.role == Role::Newborn)?))
        }
        ("identity-record", Role::Mother | Role::Father) => Some(identity(person)),
        ("residence-record", _) => Some(residence(person)),
        ("business-registration", Role::Mother) => Some(business(person)),
        _ => None,
    }
}

fn begin(root: &'static str, document_type: &str) -> Writer {
    let mut out = Writer::new();
    out.open(root, &[("xmlns", &format!("urn:oncegate:doc:{document_type}:1")), ("xmlns:t", TYPES)]);
    out.open("Head", &[]);
    // A document id is a fresh UUID; without randomness the demo could not have made its keys.
    let id = MessageId::new(now(), crate::message::crypto::random().unwrap_or_default());
    out.leaf("t:DocumentId", &id.to_string());
    organisation("t:Issuer", 9001, "Register of the demo", &mut out);
    out.leaf("t:IssuedAt", &now().to_string()).leaf("t:Status", "in-force").close();
    out
}

fn organisation(element: &'static str, number: u32, name: &str, out: &mut Writer) {
    let id = Identifier::synthetic(number);
    out.open(element, &[]).leaf_with("t:Id", &[("scheme", id.scheme())], id.value()).leaf("t:Name", name).close();
}

fn name(element: &'static str, person: &Person, out: &mut Writer) {
    out.open(element, &[]).leaf("t:Family", &person.family).leaf("t:Given", person.given).close();
}

fn person(element: &'static str, person: &Person, out: &mut Writer) {
    let id = &person.identifier;
    out.open(element, &[]).leaf_with("t:Id", &[("scheme", id.scheme())], id.value());
    name("t:Name", person, out);
    out.leaf("t:Sex", person.sex).leaf("t:BirthDate", &person.born.to_string()).close();
}

fn period(element: &'static str, from: Day, to: Day, out: &mut Writer) {
    out.open(element, &[]).leaf("t:From", &from.to_string()).leaf("t:To", &to.to_string()).close();
}

/// A note for so many days, with a diagnosis or without one.
pub(super) fn absence_note_of(pupil: &Person, days: i64, diagnosis: Option<&str>) -> String {
    let mut out = begin("MedicalAbsenceNote", "medical-absence-note");
    person("Patient", pupil, &mut out);
    let today = now().day().days_since_epoch();
    let day = |offset: i64| Day::from_days(today + offset);
    period("Absence", day(1 - days), day(0), &mut out);
    out.leaf("Days", &days.to_string()).leaf("Reason", "illness").leaf("FirstOrFollowUp", "first");
    period("PeExemption", day(1), day(12), &mut out);
    out.leaf("MayReturnOn", &day(1).to_string()).leaf_if("Diagnosis", diagnosis);
    out.finish()
}

fn absence_note(pupil: &Person) -> String {
    let mut out = begin("MedicalAbsenceNote", "medical-absence-note");
    person("Patient", pupil, &mut out);
    let today = now().day().days_since_epoch();
    let day = |offset: i64| Day::from_days(today + offset);
    period("Absence", day(-6), day(-2), &mut out);
    out.leaf("Days", "5").leaf("Reason", "illness").leaf("FirstOrFollowUp", "first");
    period("PeExemption", day(-1), day(12), &mut out);
    out.leaf("MayReturnOn", &day(-1).to_string());
    out.finish()
}

fn enrolment(pupil: &Person) -> String {
    let mut out = begin("SchoolEnrolment", "school-enrolment");
    person("Pupil", pupil, &mut out);
    organisation("School", 9017, "School 17", &mut out);
    out.leaf("Class", "4 B").leaf("Since", "2022-09-01").leaf("Active", "true").leaf("Form", "day");
    out.finish()
}

fn birth_certificate(child: &Person, family: &[Person]) -> String {
    let mut out = begin("BirthCertificate", "birth-certificate");
    out.open("Record", &[]).leaf("t:Register", "births").leaf("t:Number", &format!("1102697600{:05}", child.number));
    out.leaf("t:Date", &Day::from_days(child.born.days_since_epoch() + 1).to_string());
    organisation("t:Office", 9002, "Civil registry office", &mut out);
    out.close().open("Child", &[]);
    out.leaf_with("Id", &[("scheme", child.identifier.scheme())], child.identifier.value());
    name("Name", child, &mut out);
    out.leaf("Sex", child.sex).leaf("BirthDate", &child.born.to_string());
    out.open("BirthPlace", &[]).leaf("t:Country", "RU").leaf("t:Region", "RU-YAR").close();
    out.leaf("LiveBirth", "true").close();
    for parent in family.iter().filter(|person| matches!(person.role, Role::Mother | Role::Father)) {
        out.open("Parent", &[]).leaf("Role", if parent.role == Role::Mother { "mother" } else { "father" });
        person("Person", parent, &mut out);
        out.close();
    }
    out.leaf("FatherBasis", "marriage");
    out.finish()
}

fn birth_record(mother: &Person, newborn: &Person) -> String {
    let mut out = begin("MedicalBirthRecord", "medical-birth-record");
    person("Mother", mother, &mut out);
    out.leaf("BirthAt", &format!("{}T03:20:00Z", newborn.born)).open("Place", &[]).leaf("t:Country", "RU").close();
    out.open("Child", &[]).leaf("Sex", newborn.sex).leaf("LiveBirth", "true").leaf("OrderInBirth", "1").close();
    out.leaf("Multiplicity", "1").leaf("OrderForMother", "2");
    organisation("AttendedBy", 9003, "Maternity hospital", &mut out);
    out.finish()
}

fn identity(adult: &Person) -> String {
    let mut out = begin("IdentityRecord", "identity-record");
    person("Person", adult, &mut out);
    out.open("Document", &[]).leaf("Kind", "passport").leaf("Number", &format!("78 20 {:06}", adult.number));
    out.leaf("IssuedOn", "2020-06-01").leaf("IssuedBy", "Office 1").leaf("Valid", "true").close();
    out.leaf("Citizen", "true");
    out.finish()
}

fn business(founder: &Person) -> String {
    let mut out = begin("BusinessRegistration", "business-registration");
    organisation("Company", BUSINESS_FROM + founder.household(), "Café", &mut out);
    out.leaf("Form", "company").leaf("RegisteredOn", &now().day().to_string());
    out.open("Address", &[]).leaf("t:Country", "RU").leaf("t:Region", "RU-YAR").close();
    out.leaf("Active", "true").leaf("Employer", "true");
    person("Founder", founder, &mut out);
    out.finish()
}

fn residence(anybody: &Person) -> String {
    let mut out = begin("ResidenceRecord", "residence-record");
    person("Person", anybody, &mut out);
    out.leaf("Kind", "permanent").open("Place", &[]).leaf("t:Country", "RU").leaf("t:Region", "RU-YAR").close();
    out.leaf("Since", "2018-05-20");
    out.finish()
}
