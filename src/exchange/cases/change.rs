//! What can happen to a case. Each change is written down, sealed beside its record, before anything comes of it; a case is what its
//! changes make of it, in their order.

use crate::base::ids::{AgencyId, Code, Digest, Identifier, MessageId, Region, Uuid};
use crate::base::time::{Day, UnixTime};
use crate::message::envelope::{Described, Person, Personal, Subject, World};
use crate::rules::condition::Value;
use crate::rules::situation::DocumentOf;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A change of a case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "c", rename_all = "kebab-case")]
pub enum Change {
    /// It begins.
    Opened(Box<Opening>),
    /// Somebody whom it is about was found, in a document that proves it.
    Person {
        /// As whom.
        role: Text<Code>,
        /// Who it is.
        subject: Written,
    },
    /// A holder is asked for a document.
    Asked(Box<Errand>),
    /// It has come; with what the facts are by it.
    Came {
        /// Which document.
        document: Text<DocumentOf>,
        /// The message that it came in.
        paper: Paper,
        /// What the facts are, by their names.
        facts: Vec<(String, Said)>,
        /// Those whom it proves to be somebody.
        names: Vec<Text<Code>>,
    },
    /// Its holder has signed that there is none.
    Absent {
        /// Which document.
        document: Text<DocumentOf>,
        /// The message that it came in.
        paper: Paper,
    },
    /// Its holder has promised it.
    Promised {
        /// Which document.
        document: Text<DocumentOf>,
        /// By when, or by whom.
        by: Time,
    },
    /// It could not be had; when it is asked for again.
    NotHad {
        /// Which document.
        document: Text<DocumentOf>,
        /// Why.
        code: String,
        /// When it is tried again.
        again: Time,
    },
    /// Its holder has been silent for too long: nobody waits for it alone any more.
    Late {
        /// Which document.
        document: Text<DocumentOf>,
    },
    /// Its holder has been silent for so long that the citizen is asked for it.
    Silent {
        /// Which document.
        document: Text<DocumentOf>,
    },
    /// It says something else than what is known already; nothing is replaced.
    Contradicted {
        /// Which document.
        document: Text<DocumentOf>,
        /// Which fact.
        fact: String,
    },
    /// The citizen is asked, in one form, and for documents.
    Form {
        /// Facts.
        ask: Vec<String>,
        /// Documents.
        bring: Vec<Text<DocumentOf>>,
        /// Days of which one is to be chosen, by the names of the appointments.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        days: BTreeMap<Text<Code>, BTreeSet<Text<Day>>>,
    },
    /// The citizen has answered.
    Answered {
        /// What the facts are, by their names.
        facts: Vec<(String, Said)>,
    },
    /// Nothing but documents stands between a step and its agency any more: its term runs.
    Begun {
        /// Which step.
        step: Text<Code>,
        /// When its term is over.
        due: Time,
    },
    /// Its agency is asked to do it.
    Offered(Box<Errand>),
    /// It could not be asked; when it is asked again.
    NotOffered {
        /// Which step.
        step: Text<Code>,
        /// Why.
        code: String,
        /// When it is tried again.
        again: Time,
    },
    /// Its agency has it and is at work, perhaps until a time that it names.
    Accepted {
        /// Which step.
        step: Text<Code>,
        /// By when, or by whom.
        by: Option<Time>,
    },
    /// It is done.
    Done {
        /// Which step.
        step: Text<Code>,
    },
    /// Its agency has refused it.
    Refused {
        /// Which step.
        step: Text<Code>,
        /// Why.
        reason: Option<String>,
    },
    /// What its agency has said is of no use; it is asked again.
    Unusable {
        /// Which step.
        step: Text<Code>,
        /// Why.
        code: String,
        /// When it is tried again.
        again: Time,
    },
    /// Its agency offers times at which it can be attended.
    Offers {
        /// Which step.
        step: Text<Code>,
        /// From when until when.
        times: Vec<(Time, Time)>,
    },
    /// There is no day on which all steps of an appointment can be attended; when their agencies are asked again.
    NoDay {
        /// Which appointment.
        appointment: Text<Code>,
        /// When it is tried again.
        again: Time,
    },
    /// The citizen has chosen a day.
    Chosen {
        /// Of which appointment.
        appointment: Text<Code>,
        /// When each of its steps is attended.
        visits: Vec<(Text<Code>, Time)>,
    },
    /// Half of its term is over.
    Half {
        /// Which step.
        step: Text<Code>,
    },
    /// Its term is over.
    Overdue {
        /// Which step.
        step: Text<Code>,
    },
    /// The right to it ends soon; how often it was said.
    Expiring {
        /// Which step.
        step: Text<Code>,
        /// How often it was said.
        times: u8,
    },
    /// The right to it has ended.
    Expired {
        /// Which step.
        step: Text<Code>,
    },
    /// Another agency does it from now on, or has said that it does.
    HandedOver {
        /// Which step.
        step: Text<Code>,
        /// To whom.
        to: Text<AgencyId>,
        /// By which message.
        message: Option<Text<MessageId>>,
        /// Until when.
        until: Option<Time>,
        /// How far that is.
        state: Handing,
    },
    /// An official looks after it.
    Assistant {
        /// Of which agency.
        agency: Text<AgencyId>,
        /// Their name.
        name: Option<String>,
    },
    /// Somebody was told; by a message to an agency, if it is one.
    Told {
        /// Who.
        whom: Whom,
        /// Of what.
        event: String,
        /// Which step.
        step: Option<Text<Code>>,
        /// By which message.
        message: Option<Text<MessageId>>,
    },
    /// A notice has been taken by whoever it was for, or will never be.
    NoticeIs {
        /// Which.
        number: u32,
        /// Whether it was taken.
        taken: bool,
    },
    /// Where the citizen is reached.
    Contact {
        /// Where.
        contact: Contact,
    },
    /// The personal link is this one, by its hash; the one before ends.
    Link {
        /// SHA-256 of the link.
        hash: Text<Digest>,
        /// Until when.
        until: Time,
    },
    /// A document is not needed any more.
    Forgotten {
        /// Which document.
        document: Text<DocumentOf>,
    },
    /// What adds up over the cases of a person.
    Summed {
        /// Which fact.
        fact: String,
        /// What it is.
        sum: i64,
    },
    /// Something that was asked of it is done: the digest of the message.
    Heard {
        /// By which message.
        message: Text<Digest>,
    },
    /// Somebody has applied for the same, and has a part in it from now on.
    Joined {
        /// Who.
        by: Text<AgencyId>,
    },
    /// The same was told or asked again.
    Again {
        /// By when, or by whom.
        by: Text<AgencyId>,
    },
    /// It is over.
    Closed {
        /// How.
        how: Ending,
        /// Whoever it was for is asked how it was. It is in the change that ends the case, so that there is one for each end, whatever
        /// crashes between.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        invited: Option<Invitation>,
    },
    /// Whoever was asked has answered: the link is used up. What they said is nowhere here.
    Rated,
}

/// A link under which somebody can say how it was, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// SHA-256 of it.
    #[serde(with = "hex")]
    pub hash: Digest,
    /// Until when, by everybody's clock: whoever answers lives by that.
    pub until: Time,
}

/// A digest as a text.
mod hex {
    use super::{Digest, Text};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(digest: &Digest, to: S) -> Result<S::Ok, S::Error> {
        Text(*digest).serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Digest, D::Error> {
        Text::deserialize(from).map(|text| text.0)
    }
}

/// With what a case begins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Opening {
    /// Its situation.
    pub situation: Text<Code>,
    /// The version of it that it stays with.
    pub version: String,
    /// Where.
    pub region: Option<Text<Region>>,
    /// Test or live.
    pub test: bool,
    /// Who coordinates it.
    pub coordinator: Text<AgencyId>,
    /// What started it.
    pub start: StartedBy,
    /// Who sent that.
    pub by: Text<AgencyId>,
    /// The digest of that message.
    pub message: Text<Digest>,
    /// Whom it is about most of all.
    pub subject: Written,
    /// How many times as fast its clock goes as everybody's; more than once in the test world alone.
    pub pace: u32,
}

/// What started a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StartedBy {
    /// An event.
    Event,
    /// An application.
    Application,
}

/// A message that goes out for a case. All that it says follows from this and from what was known before it, so that the same message
/// can be made again after a crash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Errand {
    /// Its id.
    pub message: Text<MessageId>,
    /// Whom it is on behalf of, or to.
    pub agency: Text<AgencyId>,
    /// The step.
    pub step: Text<Code>,
    /// The document that is asked for.
    pub document: Option<Text<DocumentOf>>,
    /// As whose it is asked for.
    pub by: Option<Text<Code>>,
    /// The role of the question.
    pub of: Option<Text<Code>>,
    /// The fields that are asked for; all that may be had if there are none.
    pub select: Vec<String>,
    /// What for.
    pub purpose: Text<Code>,
    /// By which law.
    pub basis: String,
    /// Documents that go along.
    pub enclosed: Vec<Text<DocumentOf>>,
    /// Facts that go along, as texts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shown: Vec<(String, String)>,
    /// What is said of the time at which a step is attended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visit: Option<Visit>,
    /// When what is asked for is due.
    pub due: Option<Time>,
    /// Until when the message holds.
    pub expires: Time,
    /// How often it was sent before.
    pub tries: u32,
}

/// What an agency is told of the time at which a step is attended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Visit {
    /// That it is to offer some.
    ToBeOffered,
    /// When it is.
    At(Time),
}

/// A signed message that a document came in, or the word that there is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paper {
    /// Its id.
    pub message: Text<MessageId>,
    /// Who signed it.
    pub from: Text<AgencyId>,
    /// SHA-256 of its octets.
    pub sha256: Text<Digest>,
    /// How many there are.
    pub size: u64,
    /// How it came.
    pub way: Came,
    /// What tells it from others, of what started the case: its own id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
}

/// How a document came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Came {
    /// With what started the case.
    Start,
    /// Its holder was asked.
    Fetched,
    /// A step has made it.
    Made,
    /// The citizen brought it.
    Brought,
}

/// How far a handing over has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Handing {
    /// The other was asked to take it.
    Asked,
    /// It has taken it.
    Taken,
    /// It has not answered in time.
    Overdue,
    /// It will not.
    Refused,
}

/// Who is told of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Whom {
    /// The citizen.
    Applicant,
    /// The curator.
    Curator,
    /// The assistant.
    Assistant,
    /// The agency of the step.
    Agency,
}

/// Where the citizen is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// `mailto:` or `https:`.
    pub address: Option<String>,
    /// In which language.
    pub language: Option<String>,
    /// Minutes that their clock is ahead of UTC.
    pub ahead_minutes: Option<i32>,
}

/// How a case ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// All that applied is over, and something was done.
    Done,
    /// All that applied was refused.
    Refused,
    /// Nothing applied.
    Nothing,
    /// It was taken back.
    Withdrawn,
    /// The citizen did not answer.
    Abandoned,
}

impl Ending {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Done, Self::Refused, Self::Nothing, Self::Withdrawn, Self::Abandoned];

    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Nothing => "nothing",
            Self::Withdrawn => "withdrawn",
            Self::Abandoned => "abandoned",
        }
    }

    /// Whether people are asked how it was: where nothing applied, nothing was.
    pub const fn is_rated(self) -> bool {
        !matches!(self, Self::Nothing)
    }
}

/// A moment, in milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Time(pub u64);

impl From<UnixTime> for Time {
    fn from(time: UnixTime) -> Self {
        Self(time.as_ms())
    }
}

impl From<Time> for UnixTime {
    fn from(time: Time) -> Self {
        Self::from_ms(time.0)
    }
}

/// Something that is written as a text, and read back as what it was.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Text<T>(pub T);

/// What has one form as a text.
pub trait Form: Sized {
    /// Reads it.
    fn read(text: &str) -> Option<Self>;
    /// Writes it.
    fn write(&self) -> String;
}

macro_rules! forms {
    ($($of:ty => $read:expr),*) => { $(impl Form for $of {
        fn read(text: &str) -> Option<Self> {
            $read(text)
        }

        fn write(&self) -> String {
            self.to_string()
        }
    })* };
}
forms!(Code => Code::parse, AgencyId => AgencyId::parse, MessageId => MessageId::parse, Region => Region::parse, Uuid => Uuid::parse,
       DocumentOf => DocumentOf::parse, Digest => Digest::parse_hex, Day => Day::parse);

impl<T: Form> Serialize for Text<T> {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0.write())
    }
}

impl<'de, T: Form> Deserialize<'de> for Text<T> {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        T::read(&text).map(Text).ok_or_else(|| serde::de::Error::custom("not of its form"))
    }
}

/// The value of a fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said(pub Value);

impl Said {
    /// As it is written in forms.
    pub fn text(&self) -> String {
        match &self.0 {
            Value::Text(text) => text.to_string(),
            other => other.to_string(),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum RawSaid {
    Truth(bool),
    Number(i64),
    Text(String),
    Date { day: String },
}

impl Serialize for Said {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Value::Truth(truth) => RawSaid::Truth(*truth),
            Value::Number(number) => RawSaid::Number(*number),
            Value::Text(text) => RawSaid::Text(text.to_string()),
            Value::Date(day) => RawSaid::Date { day: day.to_string() },
        }
        .serialize(to)
    }
}

impl<'de> Deserialize<'de> for Said {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Self(match RawSaid::deserialize(from)? {
            RawSaid::Truth(truth) => Value::Truth(truth),
            RawSaid::Number(number) => Value::Number(number),
            RawSaid::Text(text) => Value::Text(text.into()),
            RawSaid::Date { day } => Value::Date(Day::parse(&day).ok_or_else(|| serde::de::Error::custom("not a day"))?),
        }))
    }
}

/// A subject as it is written down.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    i: Vec<(String, String)>,
    /// Of an organisation: what it is called, if that is known.
    #[serde(default, deserialize_with = "there", skip_serializing_if = "Option::is_none")]
    o: Option<Option<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    f: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    g: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    b: Option<String>,
}

/// What is there as `null` is there.
fn there<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(from).map(Some)
}

impl std::fmt::Debug for Written {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Written(…)")
    }
}

impl From<&Subject> for Written {
    fn from(subject: &Subject) -> Self {
        let text = |text: &Option<Personal>| text.as_ref().map(|text| text.expose().to_owned());
        let pair = |id: &Identifier| (id.scheme().to_owned(), id.value().to_owned());
        let i = subject.identifiers.iter().map(pair).collect();
        match &subject.described {
            Described::Person(person) => {
                Self { i, o: None, f: text(&person.family), g: text(&person.given), b: text(&person.birth_date) }
            }
            Described::Organisation(name) => Self { i, o: Some(text(name)), ..Self::default() },
        }
    }
}

impl From<&Written> for Subject {
    fn from(written: &Written) -> Self {
        let text = |text: &Option<String>| text.as_deref().map(Personal::new);
        let identifiers = written.i.iter().filter_map(|(scheme, value)| Identifier::parse(scheme, value).ok()).collect();
        let described = match &written.o {
            Some(name) => Described::Organisation(text(name)),
            None => Described::Person(Person { family: text(&written.f), given: text(&written.g), birth_date: text(&written.b) }),
        };
        Self { identifiers, described }
    }
}

impl Opening {
    /// Test or live.
    pub fn world(&self) -> World {
        if self.test { World::Test } else { World::Live }
    }
}

/// Changes as they are written down together.
pub fn write(changes: &[Change]) -> String {
    serde_json::to_string(changes).unwrap_or_default()
}

/// Reads them back; nothing if it is of a version that is not known.
pub fn read(text: &str) -> Option<Vec<Change>> {
    serde_json::from_str(text).ok()
}
