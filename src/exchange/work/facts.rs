//! What a record says of open work.

use super::doors::Way;
use super::row::{Key, Row, Stage, What};
use super::shelf::Shelf;
use super::{Class, Fact, Work};
use crate::base::ids::{AgencyId, Digest, MessageId};
use crate::base::limits;
use crate::base::time::UnixTime;
use crate::evidence::tlog::leaf::Leaf;
use crate::exchange::ledger::OutcomePlace;

/// A record, as far as work has to know of it.
#[derive(Clone, Copy, Debug)]
pub struct Told<'r> {
    /// Its leaf.
    pub leaf: &'r Leaf,
    /// Where it is.
    pub place: OutcomePlace,
    /// The number of the person whom it is about, if it is about one.
    pub person: Option<u64>,
    /// How soon documents of its type are handed out.
    pub class: Class,
}

/// What was done, in records of deliveries.
pub mod action {
    /// A question whose consumer waited is kept from now on.
    pub const KEEP: &str = "keep";
    /// A worker has it.
    pub const LEASE: &str = "lease";
    /// It has it for longer.
    pub const EXTEND: &str = "extend";
    /// Its receiver has taken it.
    pub const TAKEN: &str = "taken";
    /// An event is not delivered to a subscriber, which is told so.
    pub const WITHHOLD: &str = "withhold";
    /// In the record of a question: it was here before, and its holder may have had it.
    pub const AGAIN: &str = "again";
}

impl<S: Shelf> Work<S> {
    /// Takes a record: the only way in which something durable becomes work, while the gateway runs and when it starts.
    pub fn record(&mut self, told: Told<'_>) {
        for fact in self.facts(told).unwrap_or_default() {
            self.fold(fact);
        }
    }

    fn facts(&self, told: Told<'_>) -> Option<Vec<Fact>> {
        let leaf = told.leaf;
        let until = leaf.until.map(UnixTime::from_ms);
        let concerned = || self.row(&told.key()?);
        Some(match (leaf.kind.as_str(), leaf.action.as_deref()) {
            ("req", _) if until.is_some() => vec![Fact::Accepted(told.question(told.place.index)?)],
            ("dlv", Some(action::KEEP)) => vec![Fact::Accepted(told.question(leaf.concerns?)?)],
            ("dlv", Some(action::LEASE)) => {
                vec![Fact::Leased { key: told.key()?, digest: digest(&leaf.digest), lease: told.place.index, until: until? }]
            }
            ("dlv", Some(action::EXTEND)) => vec![Fact::Extended { key: told.key()?, until: until? }],
            ("dlv", Some(action::TAKEN)) => vec![Fact::Taken { key: told.key()?, again: until }],
            // Those of exchanges that were never kept concern no other record.
            ("rsp", _) => self.settled(told, concerned()?),
            ("err", Some(action::WITHHOLD)) => vec![Fact::Withheld { key: told.key()?, word: told.withheld()? }],
            ("err" | "cse", _) => vec![Fact::Ended(told.key()?)],
            ("sts", _) => self.heard(told, concerned()?, until),
            ("cnl", _) => self.cancelled(told, concerned()?),
            ("evt", _) => {
                let row = told.row(What::Event, told.place.index, agency(&leaf.consumer)?, told.person)?;
                vec![digest(&leaf.counterpart).map_or(Fact::Published(row.clone()), |base| Fact::Variant(row, base))]
            }
            _ => return None,
        })
    }

    /// Whoever comes for its messages gets its answers there too.
    fn notice(&self, told: Told<'_>, what: What, question: &Row) -> Option<Fact> {
        let to = question.sender.clone();
        // An answer can be got by its id, and nobody's server was told that one would come by itself.
        if what == What::Answer && self.way(&to) == Way::Push || self.way(&to) == Way::Here {
            return None;
        }
        // Words about one question come in their order.
        let row = told.row(what, told.place.index, to, Some(about(question)))?;
        Some(Fact::Accepted(Row { sender: question.key.to.clone(), id: question.id, ..row }))
    }

    fn settled(&self, told: Told<'_>, question: Row) -> Vec<Fact> {
        let notice = self.notice(told, What::Answer, &question);
        std::iter::once(Fact::Ended(question.key)).chain(notice).collect()
    }

    fn heard(&self, told: Told<'_>, question: Row, again: Option<UnixTime>) -> Vec<Fact> {
        let notice = self.notice(told, What::Status, &question);
        let taken = Fact::Taken { key: question.key, again };
        std::iter::once(taken).chain(notice).collect()
    }

    /// The holder is told of a cancel if it may have the question.
    fn cancelled(&self, told: Told<'_>, question: Row) -> Vec<Fact> {
        let row = told.row(What::Cancel, told.place.index, question.key.to.clone(), Some(about(&question)));
        let notice = row.filter(|_| self.may_be_there(&question)).map(|row| Row { id: question.id, ..row });
        std::iter::once(Fact::Ended(question.key)).chain(notice.map(Fact::Accepted)).collect()
    }
}

/// The number that the words about a question have in common.
fn about(question: &Row) -> u64 {
    let [first, ..] = question.digest.octets().as_chunks::<8>().0 else { return 0 };
    u64::from_be_bytes(*first)
}

impl Told<'_> {
    fn key(self) -> Option<Key> {
        Some(Key { index: self.leaf.concerns?, to: agency(&self.leaf.provider)? })
    }

    fn question(self, index: u64) -> Option<Row> {
        let row = self.row(What::Question, index, agency(&self.leaf.provider)?, None)?;
        Some(Row { tries: u32::from(self.leaf.action.as_deref() == Some(action::AGAIN)), ..row })
    }

    /// The word to whoever an event was withheld from. It comes from nobody but the gateway, and the record names no publisher.
    fn withheld(self) -> Option<Row> {
        let to = agency(&self.leaf.provider)?;
        self.row_of(What::Withheld, (self.place.index, to.clone()), to, None)
    }

    fn row(self, what: What, index: u64, to: AgencyId, order: Option<u64>) -> Option<Row> {
        self.row_of(what, (index, to), agency(&self.leaf.consumer)?, order)
    }

    fn row_of(self, what: What, (index, to): (u64, AgencyId), sender: AgencyId, order: Option<u64>) -> Option<Row> {
        let (leaf, since) = (self.leaf, UnixTime::from_ms(self.leaf.time));
        Some(Row {
            key: Key { index, to },
            what,
            sender,
            id: MessageId::parse(leaf.message.as_deref()?)?,
            digest: digest(&leaf.digest)?,
            system: leaf.system.as_deref().and_then(Digest::parse_base64url),
            class: self.class,
            since,
            deadline: match what {
                What::Question | What::Event | What::Withheld => leaf.until.map_or(since, UnixTime::from_ms),
                // For as long as an answer may be asked for again.
                What::Answer | What::Status | What::Cancel => since.plus_ms(limits::IDEMPOTENCY_WINDOW_MS),
            },
            order,
            place: self.place,
            stage: Stage::Waiting,
            tries: 0,
        })
    }
}

fn digest(text: &Option<String>) -> Option<Digest> {
    text.as_deref().and_then(Digest::parse_base64url)
}

fn agency(name: &Option<String>) -> Option<AgencyId> {
    name.as_deref().and_then(AgencyId::parse)
}
