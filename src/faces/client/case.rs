//! What parties of cases send, and what they are answered: the documents `case-application`, `case-order` and `case-state`.

use super::Checked;
use crate::base::ids::{AgencyId, Code, Region, Uuid};
use crate::message::envelope::{Subject, write_subject};
use crate::message::xml::Writer;

/// What a case is applied for with.
pub struct NewCase<'n> {
    /// The situation.
    pub situation: &'n Code,
    /// By which way it is applied for: `portal`, `onestop`.
    pub channel: &'n Code,
    /// Where.
    pub region: Option<&'n Region>,
    /// Whom it is about.
    pub about: &'n Subject,
    /// Whom it is about as well, by their roles, where no document says it.
    pub others: &'n [(Code, Subject)],
    /// Where the citizen is reached, `mailto:` or `https:`, and in which language.
    pub contact: Option<(&'n str, Option<&'n str>)>,
    /// What the citizen says, by the names of the facts.
    pub answers: &'n [(String, String)],
}

/// What is asked of a case.
#[derive(Clone, Copy, Debug)]
pub enum Order<'o> {
    /// What the citizen says, by the names of the facts.
    Answer(&'o [(String, String)]),
    /// Documents that the citizen brings come behind it.
    Bring,
    /// It is taken back.
    Withdraw,
    /// An official of an agency looks after it, perhaps one of this name.
    Assistant(&'o AgencyId, Option<&'o str>),
    /// Another agency is to do a step.
    HandOver(&'o Code, &'o AgencyId),
    /// The agency of a step is reminded.
    Remind(&'o Code),
    /// Where the citizen is reached, and in which language.
    Contact(&'o str, Option<&'o str>),
    /// The citizen gets a new personal link; the one before ends.
    Link,
}

/// The document that applies for a case, in canonical form.
pub fn application(new: &NewCase<'_>) -> String {
    let mut out = Writer::new();
    out.open("CaseApplication", &[("xmlns", "urn:oncegate:doc:case-application:1")]);
    out.leaf("Situation", new.situation.as_str()).leaf("Channel", new.channel.as_str());
    out.leaf_if("Region", new.region.map(Region::as_str)).open("About", &[]);
    write_subject(new.about, "Person", &mut out);
    out.close();
    for (role, other) in new.others {
        out.open("Other", &[("role", role.as_str())]);
        write_subject(other, "Person", &mut out);
        out.close();
    }
    if let Some((address, language)) = new.contact {
        write_contact(address, language, &mut out);
    }
    write_answers(new.answers, &mut out);
    out.close();
    out.finish()
}

/// The document that asks something of a case, in canonical form.
pub fn order(case: Uuid, order: Order<'_>) -> String {
    let mut out = Writer::new();
    out.open("CaseOrder", &[("xmlns", "urn:oncegate:doc:case-order:1")]).leaf("Case", &case.to_string());
    match order {
        Order::Answer(answers) => write_answers(answers, &mut out),
        Order::Bring => _ = out.open("Bring", &[]).close(),
        Order::Withdraw => _ = out.open("Withdraw", &[]).close(),
        Order::Assistant(agency, name) => {
            out.open("Assistant", &[]).leaf("Agency", agency.as_str()).leaf_if("Name", name).close();
        }
        Order::HandOver(step, to) => {
            out.open("HandOver", &[]).leaf("Step", step.as_str()).leaf("To", to.as_str()).close();
        }
        Order::Remind(step) => _ = out.open("Remind", &[]).leaf("Step", step.as_str()).close(),
        Order::Contact(address, language) => write_contact(address, language, &mut out),
        Order::Link => _ = out.open("Link", &[]).close(),
    }
    out.close();
    out.finish()
}

fn write_answers(answers: &[(String, String)], out: &mut Writer) {
    for (fact, text) in answers {
        out.leaf_with("Answer", &[("fact", fact)], text);
    }
}

fn write_contact(address: &str, language: Option<&str>, out: &mut Writer) {
    out.open("Contact", &[]).leaf("Address", address).leaf_if("Language", language).close();
}

/// How far a case is, as the coordinator has signed it for whoever asked something of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CaseState {
    /// The case.
    pub case: String,
    /// Its situation.
    pub situation: String,
    /// The version of it.
    pub version: String,
    /// `open`, or how it ended.
    pub state: String,
    /// The personal link, if one was asked for.
    pub link: Option<String>,
    /// The steps that apply: each with how far it is, and when it is due.
    pub steps: Vec<StepState>,
    /// What the citizen is asked: fact and kind.
    pub ask: Vec<(String, String)>,
    /// Of which days the citizen is to choose, by appointment.
    pub choose: Vec<(String, Vec<String>)>,
    /// What the citizen is to bring: document and whose.
    pub bring: Vec<(String, String)>,
}

/// How far a step is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepState {
    /// Its name.
    pub id: String,
    /// How far it is.
    pub state: String,
    /// When it is due.
    pub due: Option<String>,
}

impl CaseState {
    /// What an answer that was checked says; nothing if it is no such document.
    pub fn read(checked: &Checked) -> Option<Self> {
        let mut said = Self::default();
        for row in &checked.outline {
            let value = row.value.clone();
            match row.path.as_str() {
                "Case" => said.case = value,
                "Situation" => said.situation = value,
                "Version" => said.version = value,
                "State" => said.state = value,
                "Link" => said.link = Some(value),
                // Attributes come in the order of their names.
                "Step/@due" => said.steps.push(StepState { due: Some(value), ..StepState::default() }),
                "Step/@id" => match said.steps.last_mut().filter(|step| step.id.is_empty()) {
                    Some(step) => step.id = value,
                    None => said.steps.push(StepState { id: value, ..StepState::default() }),
                },
                "Step/@state" => said.steps.last_mut().into_iter().for_each(|step| step.state.clone_from(&value)),
                "Ask/@fact" => said.ask.push((value, String::new())),
                "Ask/@kind" => said.ask.last_mut().into_iter().for_each(|ask| ask.1.clone_from(&value)),
                "Choose/@appointment" => said.choose.push((value, Vec::new())),
                "Choose/Day" => said.choose.last_mut().into_iter().for_each(|choose| choose.1.push(value.clone())),
                "Bring/@documentType" => said.bring.push((value, String::new())),
                "Bring/@role" => said.bring.last_mut().into_iter().for_each(|bring| bring.1.clone_from(&value)),
                _ => {}
            }
        }
        (!said.case.is_empty() && !said.state.is_empty()).then_some(said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::Identifier;
    use crate::message::envelope::Described;
    use crate::message::schema::{Schemas, Validator};
    use crate::message::xml::{Profile, scan};

    /// Whether a document is valid by its schema.
    fn is_valid(markup: &str) -> bool {
        let schemas = Schemas::built_in();
        let mut validator = Validator::new(&schemas);
        scan(markup.as_bytes(), Profile::Message, &mut validator).is_ok() && validator.finish().is_ok()
    }

    #[test]
    fn what_is_sent_is_valid() {
        let code = |text: &str| Code::parse(text).expect("a code");
        let about = Subject { identifiers: vec![Identifier::synthetic(14)], ..Subject::default() };
        let answers = [("mother.wants_kindergarten".to_owned(), "a < b & c".to_owned())];
        let (situation, channel, region) = (code("birth-of-child"), code("portal"), Region::parse("RU-YAR"));
        let new = NewCase {
            situation: &situation,
            channel: &channel,
            region: region.as_ref(),
            about: &about,
            others: &[],
            contact: Some(("mailto:maria@example.org", Some("ru"))),
            answers: &answers,
        };
        assert!(is_valid(&application(&new)), "{}", application(&new));
        let organisation = Subject { described: Described::Organisation(None), ..about.clone() };
        let others = [(code("applicant"), about.clone())];
        let new = NewCase { about: &organisation, others: &others, region: None, contact: None, answers: &[], ..new };
        assert!(is_valid(&application(&new)), "{}", application(&new));
        let case = Uuid::parse("01990a5d-ac96-774b-8cce-b302099a8001").expect("an id");
        let agency = AgencyId::parse("xx.town.zags-2").expect("a name");
        let step = code("register-birth");
        for asked in [
            Order::Answer(&answers),
            Order::Bring,
            Order::Withdraw,
            Order::Assistant(&agency, Some("Team 4")),
            Order::HandOver(&step, &agency),
            Order::Remind(&step),
            Order::Contact("https://example.org/me", None),
            Order::Link,
        ] {
            assert!(is_valid(&order(case, asked)), "{asked:?}: {}", order(case, asked));
        }
    }
}
