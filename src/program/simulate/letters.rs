//! The agencies of the simulated land, their registry, and the messages that they send: number, id, digest and length stand for
//! the signed octets.

use crate::base::ids::{AgencyId, Code, Digest, Identifier, MessageId};
use crate::base::time::UnixTime;
use crate::message::crypto::sha256;
use crate::message::envelope::{Ask, Body, Context, Header, Kind, Message, ReplyTo, World};
use crate::message::schema::Schemas;
use crate::rules::policy::{self, Question};
use crate::rules::registry::{Action, Registry, Status};
use std::sync::Arc;

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    Question,
    Answer,
    Status,
    Cancel,
    Event,
}

/// A message.
#[derive(Clone, Debug)]
pub(super) struct Letter {
    pub number: u32,
    pub sort: Sort,
    pub from: usize,
    /// The question that it is about.
    pub about: Option<u32>,
    pub document: usize,
    pub person: u64,
    pub id: MessageId,
    pub digest: Digest,
    pub created: UnixTime,
    pub expires: UnixTime,
    /// When a holder that needs time wants to be asked again.
    pub by: Option<UnixTime>,
    pub size: usize,
}

/// All messages of a run.
#[derive(Default)]
pub(super) struct Letters(Vec<Letter>);

impl Letters {
    /// Writes a message; its number, id and digest are made from the seed and its place.
    pub(super) fn write(&mut self, seed: u64, letter: Letter) -> u32 {
        let number = self.0.len() as u32;
        let octets = [seed.to_be_bytes().as_slice(), &number.to_be_bytes()].concat();
        let digest = sha256(&octets);
        let mut random = [0; 10];
        random.copy_from_slice(&digest.octets()[..10]);
        self.0.push(Letter { number, digest, id: MessageId::new(letter.created, random), ..letter });
        number
    }

    /// A message by its number.
    pub(super) fn get(&self, number: u32) -> &Letter {
        &self.0[number as usize]
    }

    /// A message by its digest.
    pub(super) fn find(&self, digest: &Digest) -> Option<&Letter> {
        self.0.iter().find(|letter| letter.digest == *digest)
    }
}

impl Letter {
    /// A message about nothing yet.
    pub(super) fn new(sort: Sort, from: usize, created: UnixTime, life: u64) -> Self {
        let (id, digest) = (MessageId::new(created, [0; 10]), Digest::from_octets([0; 32]));
        let expires = created.plus_ms(life);
        let size = 40;
        Self { number: 0, sort, from, about: None, document: 0, person: 0, id, digest, created, expires, by: None, size }
    }

    /// The message as admission knows it, as far as its times go.
    pub(super) fn message(&self, land: &Land, letters: &Letters) -> Message {
        let kind = match self.sort {
            Sort::Question => Kind::Request,
            Sort::Answer => Kind::Answer,
            Sort::Status => Kind::Status,
            Sort::Cancel => Kind::Cancel,
            Sort::Event => Kind::Event,
        };
        let question = self.about.map(|about| letters.get(about));
        let header = Header {
            id: self.id,
            in_reply_to: question.map(|question| ReplyTo { id: question.id, digest: question.digest }),
            kind,
            from: land.agencies[self.from].clone(),
            to: None,
            created_at: self.created,
            expires_at: self.expires,
            world: World::Live,
            signer_certificate: None,
        };
        let ask = Ask { document_type: land.documents[self.document].clone(), of: None, select: Vec::new(), during: None };
        Message { header, context: None, body: Body::Ask(ask), attachments: Vec::new() }
    }
}

/// What all runs have in common.
pub(super) struct Land {
    pub schemas: Schemas,
    pub agencies: [AgencyId; 4],
    pub documents: [Code; 2],
    /// By what is missing: grants of the school, of the office; the clinic, the village.
    registries: Vec<Arc<Registry>>,
    contexts: Vec<Context>,
}

/// Asks, has a server, hears of events.
pub(super) const SCHOOL: usize = 0;
/// Asks, opens no port, hears of events.
pub(super) const OFFICE: usize = 1;
/// Holds the first document and has a server; tells events.
pub(super) const CLINIC: usize = 2;
/// Holds the second document and opens no port.
pub(super) const VILLAGE: usize = 3;

/// Persons that an agency may ask about on a day.
pub(super) const PERSONS: u32 = 4;
/// Exchanges that an agency may have open at once.
pub(super) const PARALLEL: u32 = 6;
/// Messages per minute, and at once.
pub(super) const PER_MINUTE: (u32, u32) = (240, 30);

impl Land {
    /// Makes it.
    pub(super) fn new() -> Option<Self> {
        let schemas = Schemas::built_in();
        let agency = |name: &str| AgencyId::parse(name);
        let agencies = [agency("xx.school")?, agency("xx.office")?, agency("xx.clinic")?, agency("xx.village")?];
        let documents = [Code::parse("medical-absence-note")?, Code::parse("school-enrolment")?];
        let registries = (0..16).map(|without| Registry::check(&text(without), &schemas).ok().map(Arc::new));
        let registries = registries.collect::<Option<_>>()?;
        let purpose = Code::parse("p")?;
        let context = |number| Context::new(purpose.clone(), "L 1", vec![Identifier::synthetic(number)].into());
        Some(Self { schemas, agencies, documents, registries, contexts: (0..8).map(context).collect() })
    }

    /// The registry without some of it.
    pub(super) fn registry(&self, without: usize) -> &Arc<Registry> {
        &self.registries[without % self.registries.len()]
    }

    /// The number of an agency.
    pub(super) fn number(&self, agency: &AgencyId) -> usize {
        self.agencies.iter().position(|known| known == agency).unwrap_or_default()
    }

    /// Whether an agency may do something with a document about a person.
    pub(super) fn permits(&self, registry: &Registry, who: usize, action: Action, letter: &Letter, now: UnixTime) -> bool {
        let here = registry.find(&self.agencies[who]).and_then(|index| Some((index, registry.agency(index)?)));
        let Some((consumer, _)) = here.filter(|(_, agency)| agency.status == Status::Active) else { return false };
        let Some(document) = self.schemas.document_type(&self.documents[letter.document]) else { return false };
        let context = &self.contexts[letter.person as usize % self.contexts.len()];
        let question = Question { consumer, action, document, context, select: &[], role: "" };
        policy::decide(registry, &question, now).is_ok()
    }

    /// Who holds a document.
    pub(super) fn holder(&self, registry: &Registry, document: usize) -> Option<AgencyId> {
        let index = registry.holder(&self.documents[document], None, World::Live).ok()?;
        let holder = registry.agency(index).filter(|agency| agency.status == Status::Active)?;
        Some(holder.id.clone())
    }
}

fn text(without: usize) -> String {
    let mut text = "format = 1\nversion = 1\n".to_owned();
    for (at, name) in ["school", "office", "clinic", "village"].into_iter().enumerate() {
        let url = if at % 2 == 0 { "https://there/" } else { "outbound" };
        let suspended = at >= 2 && without >> at & 1 == 1;
        text += &format!(
            "[[agency]]\nid = \"xx.{name}\"\nname = \"A\"\nurl = \"{url}\"\nsuspended = {suspended}\n[agency.quota]\n\
             requests_per_minute = {}\nburst = {}\nparallel = {PARALLEL}\npersons_per_day = {PERSONS}\n",
            PER_MINUTE.0, PER_MINUTE.1
        );
    }
    for (document, agency) in [("medical-absence-note", "clinic"), ("school-enrolment", "village")] {
        text += &format!("[[holder]]\ndocument = \"{document}\"\nagency = \"xx.{agency}\"\n");
    }
    for (at, who) in ["school", "office"].into_iter().enumerate().filter(|(at, _)| without >> at & 1 == 0) {
        for (grant, action, what) in
            [("a", "read", "medical-absence-note"), ("b", "read", "school-enrolment"), ("c", "subscribe", "medical-absence-note")]
        {
            text += &format!(
                "[[grant]]\nid = \"{grant}-{at}\"\nwho = \"xx.{who}\"\naction = \"{action}\"\nwhat = \"{what}\"\npurpose = \"p\"\n\
                 basis = \"L 1\"\nuntil = \"2039-12-31\"\n"
            );
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_land_permits_what_it_grants() {
        let land = Land::new().expect("a land");
        let now = UnixTime::from_ms(1_800_000_000_000);
        for document in 0..2 {
            let letter = Letter { document, ..Letter::new(Sort::Question, SCHOOL, now, 1_000) };
            for (who, without, action, expected) in [
                (SCHOOL, 0, Action::Read, true),
                (OFFICE, 0, Action::Read, true),
                (OFFICE, 2, Action::Read, false),
                (CLINIC, 0, Action::Read, false),
                (SCHOOL, 0, Action::Subscribe, document == 0),
            ] {
                assert_eq!(
                    land.permits(land.registry(without), who, action, &letter, now),
                    expected,
                    "{who} {without} {document}"
                );
            }
        }
        assert_eq!(land.holder(land.registry(0), 1).as_ref(), Some(&land.agencies[VILLAGE]));
        assert_eq!(land.holder(land.registry(8), 1), None);
    }
}
