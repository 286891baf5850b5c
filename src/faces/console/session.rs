//! Who has signed in: sessions, and links that sign in once. All of it is in memory, so a restart signs everybody out.
//!
//! A session is known by a random token that only its browser has; kept is the SHA-256 of it. It ends when nobody has asked anything for a
//! while, in any case after some hours, when somebody signs out, and when an operator says so.

use crate::base::ids::Digest;
use crate::base::time::UnixTime;
use crate::evidence::audit::Filter;
use crate::gateway::driver::audit::Onlooker;
use crate::host::config::{Duty, Official, People};
use crate::message::crypto::{equal, random, sha256};
use crate::message::envelope::World;
use crate::rules::registry::Registry;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Somebody who looks at a page.
#[derive(Clone, Debug)]
pub(super) struct Visitor {
    /// Who.
    pub official: Arc<Official>,
    /// The client certificate, if they came by one.
    pub certificate: Option<Digest>,
    /// What forms have to say, so that no other site can send them.
    pub token: String,
    /// The session.
    pub session: Digest,
}

impl Visitor {
    /// They as records have them.
    pub fn onlooker(&self, registry: &Registry) -> Onlooker<'_> {
        let agency = self.official.agency.as_ref();
        let known = agency.and_then(|id| registry.find(id)).and_then(|index| registry.agency(index));
        let world = known.map_or(World::Live, |agency| agency.world);
        Onlooker { agency, system: self.certificate, name: &self.official.name, world }
    }

    /// Whether they do one of these.
    pub fn does(&self, duties: &[Duty]) -> bool {
        self.official.duties.iter().any(|duty| duties.contains(duty))
    }
}

/// What somebody may see for a while because they have said why, and it is on record.
#[derive(Clone, Debug)]
pub(super) struct Ticket {
    /// Its name in addresses.
    pub name: String,
    /// What it is for.
    pub of: TicketOf,
    /// The record of the reading.
    pub recorded: u64,
}

/// What a ticket is for.
#[derive(Clone, Debug)]
pub(super) enum TicketOf {
    /// A search by person or official.
    Search(Box<Filter>),
    /// What is private about a record.
    Record(u64),
}

/// By what somebody has signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// A link that was good once.
    Link,
    /// A client certificate.
    Certificate(Digest),
    /// A provider, for which there is an entry in the file of people: the subject.
    Entry(String),
    /// A provider, whose groups have roles: the subject.
    Groups(String),
}

impl By {
    fn certificate(&self) -> Option<Digest> {
        match self {
            Self::Certificate(certificate) => Some(*certificate),
            Self::Link | Self::Entry(_) | Self::Groups(_) => None,
        }
    }

    /// Whether the people who are known now would still let them in as the same.
    fn still_holds(&self, official: &Official, people: &People) -> bool {
        match self {
            Self::Link => true,
            // What an agency's system may do is in the registry, and is looked up each time that it comes.
            Self::Certificate(certificate) => people.by_certificate(certificate).is_none_or(|known| known == official),
            Self::Entry(subject) => people.by_subject(subject) == Some(official),
            Self::Groups(subject) => people.by_subject(subject).is_none(),
        }
    }
}

struct Session {
    official: Arc<Official>,
    by: By,
    token: String,
    began: UnixTime,
    seen: UnixTime,
    tickets: VecDeque<Ticket>,
}

struct Link {
    official: Official,
    until: UnixTime,
}

/// All who have signed in.
pub(super) struct Sessions {
    idle_ms: u64,
    session_ms: u64,
    open: BTreeMap<Digest, Session>,
    links: BTreeMap<Digest, Link>,
}

impl Sessions {
    pub fn new(idle_ms: u64, session_ms: u64) -> Self {
        Self { idle_ms, session_ms, open: BTreeMap::new(), links: BTreeMap::new() }
    }

    /// Signs somebody in; gives what their browser has to show. Of too many sessions the one goes that was quiet for the longest time.
    pub fn open(&mut self, official: Official, by: By, now: UnixTime) -> Option<String> {
        self.forget(now);
        if self.open.len() >= SESSIONS_MAX {
            let quiet = self.open.iter().min_by_key(|(_, session)| session.seen).map(|(name, _)| *name)?;
            self.open.remove(&quiet);
        }
        let (shown, token) = (secret()?, secret()?);
        let session = Session { official: Arc::new(official), by, token, began: now, seen: now, tickets: VecDeque::new() };
        self.open.insert(sha256(shown.as_bytes()), session);
        Some(shown)
    }

    /// Whose session a browser shows.
    pub fn find(&mut self, shown: &str, now: UnixTime) -> Option<Visitor> {
        let name = sha256(shown.as_bytes());
        if !self.is_good(self.open.get(&name)?, now) {
            self.open.remove(&name);
            return None;
        }
        let session = self.open.get_mut(&name)?;
        session.seen = now;
        let (official, certificate, token) = (Arc::clone(&session.official), session.by.certificate(), session.token.clone());
        Some(Visitor { official, certificate, token, session: name })
    }

    /// The session of whoever comes with a certificate on each connection, begun if there is none. What browsers send by themselves is the
    /// certificate, so its forms need a token as any other.
    pub fn of_certificate(&mut self, official: &Official, certificate: Digest, now: UnixTime) -> Option<(Visitor, Begun)> {
        let known = |session: &Session| session.by == By::Certificate(certificate) && *session.official == *official;
        let found = self.open.iter().find(|(_, session)| known(session) && self.is_good(session, now)).map(|(name, _)| *name);
        let (name, begun) = match found {
            Some(name) => (name, Begun::Before),
            None => (sha256(self.open(official.clone(), By::Certificate(certificate), now)?.as_bytes()), Begun::Now),
        };
        let session = self.open.get_mut(&name)?;
        session.seen = now;
        let (official, token) = (Arc::clone(&session.official), session.token.clone());
        Some((Visitor { official, certificate: Some(certificate), token, session: name }, begun))
    }

    fn is_good(&self, session: &Session, now: UnixTime) -> bool {
        now < session.seen.plus_ms(self.idle_ms) && now < session.began.plus_ms(self.session_ms)
    }

    /// Signs out.
    pub fn close(&mut self, session: &Digest) {
        self.open.remove(session);
    }

    /// Signs out everybody of this name; says how many sessions that were.
    pub fn close_all(&mut self, name: &str) -> usize {
        let before = self.open.len();
        self.open.retain(|_, session| session.official.name != name);
        self.links.retain(|_, link| link.official.name != name);
        before - self.open.len()
    }

    /// Makes a link that signs somebody in, once and soon.
    pub fn link(&mut self, official: Official, now: UnixTime) -> Option<String> {
        self.forget(now);
        if self.links.len() >= LINKS_MAX {
            return None;
        }
        let link = secret()?;
        self.links.insert(sha256(link.as_bytes()), Link { official, until: now.plus_ms(LINK_MS) });
        Some(link)
    }

    /// Whether a link would sign somebody in; looking uses nothing up, since others than people follow links.
    pub fn has_link(&mut self, link: &str, now: UnixTime) -> bool {
        self.forget(now);
        self.links.contains_key(&sha256(link.as_bytes()))
    }

    /// Uses a link up.
    pub fn take_link(&mut self, link: &str, now: UnixTime) -> Option<Official> {
        self.forget(now);
        self.links.remove(&sha256(link.as_bytes())).map(|link| link.official)
    }

    /// Signs out whoever these people would not let in any more, or not as the same.
    pub fn keep(&mut self, people: &People) {
        self.open.retain(|_, session| session.by.still_holds(&session.official, people));
    }

    /// Gives somebody a ticket, since what it is for is on record.
    pub fn give(&mut self, session: &Digest, of: TicketOf, recorded: u64) -> Option<String> {
        let session = self.open.get_mut(session)?;
        let name = secret()?;
        if session.tickets.len() == TICKETS_MAX {
            session.tickets.pop_front();
        }
        session.tickets.push_back(Ticket { name: name.clone(), of, recorded });
        Some(name)
    }

    /// The ticket of a session with this name.
    pub fn ticket(&self, session: &Digest, name: &str) -> Option<Ticket> {
        let hash = |text: &str| sha256(text.as_bytes());
        let tickets = &self.open.get(session)?.tickets;
        tickets.iter().find(|ticket| equal(&hash(&ticket.name), &hash(name))).cloned()
    }

    /// Who is signed in: name, duties, since when, and when they asked something last.
    pub fn all(&self, now: UnixTime) -> Vec<(Arc<Official>, UnixTime, UnixTime)> {
        let good = self.open.values().filter(|session| self.is_good(session, now));
        good.map(|session| (Arc::clone(&session.official), session.began, session.seen)).collect()
    }

    fn forget(&mut self, now: UnixTime) {
        let (idle, whole) = (self.idle_ms, self.session_ms);
        self.open.retain(|_, session| now < session.seen.plus_ms(idle) && now < session.began.plus_ms(whole));
        self.links.retain(|_, link| now < link.until);
    }
}

/// Whether a session was there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begun {
    /// It was.
    Before,
    /// It begins now.
    Now,
}

/// 256 bits that nobody guesses.
fn secret() -> Option<String> {
    random::<32>().ok().map(|octets| URL_SAFE_NO_PAD.encode(octets))
}

/// Sessions at once.
const SESSIONS_MAX: usize = 4096;
/// Links that nobody has used yet.
const LINKS_MAX: usize = 256;
/// For how long a link signs in.
const LINK_MS: u64 = 10 * 60 * 1000;
/// Tickets of a session; the oldest makes room.
const TICKETS_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60_000;

    fn official(name: &str) -> Official {
        Official::new(name, None, ["operator"].into_iter()).expect("good")
    }

    fn sessions() -> (Sessions, UnixTime) {
        (Sessions::new(30 * MINUTE, 8 * 60 * MINUTE), UnixTime::from_ms(1_800_000_000_000))
    }

    #[test]
    fn a_session_ends_when_it_is_idle_and_after_hours_in_any_case() {
        let (mut sessions, start) = sessions();
        let shown = sessions.open(official("o"), By::Link, start).expect("random");
        let mut now = start;
        for _ in 0..15 {
            now = now.plus_ms(29 * MINUTE);
            assert!(sessions.find(&shown, now).is_some());
        }
        assert!(sessions.find(&shown, now.plus_ms(30 * MINUTE)).is_none(), "idle");
        let shown = sessions.open(official("o"), By::Link, start).expect("random");
        for minute in (0..8 * 60).step_by(20) {
            assert!(sessions.find(&shown, start.plus_ms(minute * MINUTE)).is_some(), "{minute}");
        }
        assert!(sessions.find(&shown, start.plus_ms(8 * 60 * MINUTE)).is_none(), "eight hours");
    }

    #[test]
    fn what_was_guessed_closed_or_revoked_opens_nothing() {
        let (mut sessions, now) = sessions();
        let (first, second) = (sessions.open(official("a"), By::Link, now), sessions.open(official("a"), By::Link, now));
        let (first, second) = (first.expect("random"), second.expect("random"));
        assert!(sessions.find("", now).is_none() && sessions.find(&first[..42], now).is_none());
        let visitor = sessions.find(&first, now).expect("open");
        sessions.close(&visitor.session);
        assert!(sessions.find(&first, now).is_none());
        let link = sessions.link(official("a"), now).expect("random");
        assert_eq!(sessions.close_all("a"), 1);
        assert!(sessions.find(&second, now).is_none() && !sessions.has_link(&link, now));
    }

    #[test]
    fn a_link_signs_in_once_and_soon() {
        let (mut sessions, now) = sessions();
        let link = sessions.link(official("a"), now).expect("random");
        assert!(sessions.has_link(&link, now) && sessions.has_link(&link, now), "looking uses nothing up");
        assert!(sessions.take_link(&link, now).is_some());
        assert!(sessions.take_link(&link, now).is_none());
        let late = sessions.link(official("a"), now).expect("random");
        assert!(sessions.take_link(&late, now.plus_ms(LINK_MS)).is_none());
        let full: Vec<_> = (0..LINKS_MAX).map(|_| sessions.link(official("a"), now)).collect();
        assert!(full.iter().all(Option::is_some) && sessions.link(official("a"), now).is_none());
    }

    #[test]
    fn of_too_many_sessions_the_quietest_goes() {
        let (mut sessions, now) = sessions();
        let first = sessions.open(official("first"), By::Link, now).expect("random");
        for _ in 1..SESSIONS_MAX {
            sessions.open(official("o"), By::Link, now.plus_ms(1)).expect("random");
        }
        assert!(sessions.find(&first, now.plus_ms(2)).is_some());
        let others = sessions.open(official("o"), By::Link, now.plus_ms(3)).expect("random");
        assert!(sessions.find(&first, now.plus_ms(4)).is_some() && sessions.find(&others, now.plus_ms(4)).is_some());
        assert_eq!(sessions.open.len(), SESSIONS_MAX);
    }

    #[test]
    fn a_ticket_is_of_its_session() {
        let (mut sessions, now) = sessions();
        let (a, b) = (sessions.open(official("a"), By::Link, now), sessions.open(official("b"), By::Link, now));
        let (a, b) = (sessions.find(&a.expect("random"), now).expect("a"), sessions.find(&b.expect("random"), now).expect("b"));
        let name = sessions.give(&a.session, TicketOf::Record(7), 9).expect("random");
        assert!(sessions.ticket(&b.session, &name).is_none());
        assert_eq!(sessions.ticket(&a.session, &name).map(|ticket| ticket.recorded), Some(9));
        (0..TICKETS_MAX).for_each(|_| drop(sessions.give(&a.session, TicketOf::Record(8), 10)));
        assert!(sessions.ticket(&a.session, &name).is_none(), "the oldest made room");
    }

    #[test]
    fn whoever_the_people_do_not_know_any_more_is_out_at_once() {
        let (mut sessions, now) = sessions();
        let people = |text: &str| People::parse(&format!("format = 1\n{text}")).expect("people");
        let entry = |roles: &str| format!("[[person]]\nname = \"o\"\nroles = [{roles}]\nsubject = \"s\"\n");
        let mut open = |by: By| sessions.open(official("o"), by, now).expect("random");
        let (link, entered, grouped) = (open(By::Link), open(By::Entry("s".into())), open(By::Groups("g".into())));
        let mut left = |text: &str| {
            sessions.keep(&people(text));
            [&link, &entered, &grouped].map(|shown| sessions.find(shown, now).is_some())
        };
        assert_eq!(left(&entry("\"operator\"")), [true, true, true]);
        assert_eq!(left(&entry("\"operator\", \"security\"")), [true, false, true], "the roles are others");
        assert_eq!(left(&entry("\"operator\"").replace("\"s\"", "\"g\"")), [true, false, false], "there is an entry now");
    }
}
