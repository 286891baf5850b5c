//! What two people decide together about a record: the gateway sees to it that they are two, and does it.

use super::audit::{Onlooker, opened};
use super::{Gateway, log_unavailable, log_unreadable, now};
use crate::base::fault::{Code, Fault};
use crate::base::ids::{Code as Word, MessageId, Uuid};
use crate::base::limits;
use crate::base::time::UnixTime;
use crate::evidence::audit::Filter;
use crate::evidence::audit::decisions::{DECISION, Decisions, Measure, Step};
use crate::evidence::tlog::leaf::Leaf;
use crate::evidence::tlog::{Logged, Private, Record, RecordKind};
use crate::host::store::{Store, StoreError};
use std::sync::Arc;

/// How the second person decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is done.
    CarryOut,
    /// It is not.
    Decline,
}

/// What is open: proposals of the last weeks.
pub fn decisions(store: &Store, now: UnixTime) -> Result<Decisions, StoreError> {
    let from = Some(now.minus_ms(limits::PROPOSAL_MS));
    let filter = Filter { from, purpose: Word::parse(DECISION), ..Filter::default() };
    let mut decisions = Decisions::default();
    for record in store.search_all(&filter)?.iter().rev() {
        Leaf::parse(&record.leaf).iter().for_each(|leaf| decisions.take(record.index, leaf));
    }
    Ok(decisions)
}

/// Whether a record may be erased, or shown, now.
fn fits(leaf: &Leaf, measure: Measure, now: UnixTime) -> Result<(), Fault> {
    let wrong = |what: &'static str| Err(Fault::at(Code::ConsoleMeasure, what));
    match measure {
        Measure::Disclose if leaf.withheld_until.is_none_or(|until| UnixTime::from_ms(until) <= now) => {
            wrong("the citizen may see this record already")
        }
        Measure::Disclose => Ok(()),
        _ if leaf.until.is_some_and(|until| UnixTime::from_ms(until) > now) => {
            wrong("what the record is of is still under way; it may be erased when its time is over")
        }
        // An erasure that had no trace any more would be as if it had not been.
        _ if [RecordKind::Erasure.as_str(), RecordKind::Audit.as_str()].contains(&leaf.kind.as_str())
            || leaf.purpose.as_deref() == Some(DECISION) =>
        {
            wrong("records of erasures, of readings and of decisions are not erased")
        }
        _ => Ok(()),
    }
}

impl Gateway {
    /// Somebody proposes that something is done to a record.
    pub async fn propose(self: &Arc<Self>, measure: Measure, of: u64, reason: &str, by: &Onlooker<'_>) -> Result<Logged, Fault> {
        let _alone = self.deciding.lock().await;
        self.expect_measure(measure, of).await?;
        if self.open_decisions().await?.find(of, measure).is_some() {
            return Err(Fault::at(Code::ConsoleMeasure, "somebody has proposed this already; another person decides"));
        }
        self.record_step(Step::Propose, measure, of, reason, by, Private::default()).await
    }

    /// Another person carries it out, or declines; whoever has proposed it may take it back.
    pub async fn decide(
        self: &Arc<Self>,
        verdict: Verdict,
        measure: Measure,
        of: u64,
        reason: &str,
        by: &Onlooker<'_>,
    ) -> Result<Logged, Fault> {
        // Two who decide at the same moment do so one after the other, and the second finds nothing.
        let _alone = self.deciding.lock().await;
        let proposal = self.open_decisions().await?.find(of, measure).copied();
        let proposal = proposal.ok_or_else(|| Fault::at(Code::ConsoleMeasure, "nothing of this is proposed any more"))?;
        if verdict == Verdict::Decline {
            return self.record_step(Step::Decline, measure, of, reason, by, Private::default()).await;
        }
        self.expect_another(proposal.index, by).await?;
        self.expect_measure(measure, of).await?;
        let private = match measure {
            // The person finds by it that the record is shown.
            Measure::Disclose => Private { subject: self.subject_of(of).await?.into(), ..Private::default() },
            _ => Private::default(),
        };
        let this = Arc::clone(self);
        if matches!(measure, Measure::ErasePrivate | Measure::EraseRecord) {
            // Only of a complete volume these can be erased: the record of it begins a new one.
            let begin = move |store: &Store| {
                if !store.is_complete(of) {
                    store.begin_volume();
                }
                Ok(())
            };
            self.apart(begin).await?;
        }
        let logged = self.record_step(Step::CarryOut, measure, of, reason, by, private).await?;
        this.apart(move |store| match measure {
            Measure::ErasePrivate => store.erase_private(of),
            Measure::EraseMessage => store.erase_body(of),
            Measure::EraseRecord => store.shred(of),
            Measure::Disclose => Ok(()),
        })
        .await?;
        Ok(logged)
    }

    async fn apart<T: Send + 'static>(
        self: &Arc<Self>,
        act: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Fault> {
        let this = Arc::clone(self);
        let done = tokio::task::spawn_blocking(move || act(this.store())).await.map_err(|_| Fault::new(Code::AudUnavailable))?;
        done.map_err(|cause| match cause {
            StoreError::Forgotten => Fault::at(Code::ConsoleMeasure, "it is not there: it was erased, or never was"),
            other => log_unreadable(&other),
        })
    }

    async fn open_decisions(self: &Arc<Self>) -> Result<Decisions, Fault> {
        self.apart(|store| decisions(store, now())).await
    }

    /// The record is there, and this may be done to it.
    async fn expect_measure(self: &Arc<Self>, measure: Measure, of: u64) -> Result<(), Fault> {
        let found = self.apart(move |store| store.record(of)).await?;
        let leaf = Leaf::parse(&found.leaf).ok_or_else(|| Fault::at(Code::ConsoleMeasure, "the record was erased already"))?;
        fits(&leaf, measure, now())?;
        let case = leaf.case.as_deref().and_then(Uuid::parse).filter(|_| measure != Measure::Disclose);
        let is_open = match case {
            // One that cannot be read any more is not lost by this.
            Some(case) => self.case_for_people(case, |case, _| !case.is_over()).await.unwrap_or(false),
            None => false,
        };
        match is_open {
            true => {
                Err(Fault::at(Code::ConsoleMeasure, "the record is of a case that is open; it may be erased when that is over"))
            }
            false => Ok(()),
        }
    }

    /// Whoever decides is not whoever has proposed, by name and by certificate.
    async fn expect_another(self: &Arc<Self>, proposal: u64, by: &Onlooker<'_>) -> Result<(), Fault> {
        let (ends, system) = (signature(by), by.system.map(|system| system.to_base64url()));
        let is_same = self.apart(move |store| {
            let said = opened(store, proposal)?.and_then(|(_, private)| private.reason);
            let shown = Leaf::parse(&store.record(proposal)?.leaf).and_then(|leaf| leaf.system);
            // A proposal that says of nobody that it is theirs may be anybody's.
            Ok(said.is_none_or(|said| said.ends_with(&ends)) || (system.is_some() && shown == system))
        });
        if is_same.await? { Err(Fault::new(Code::ConsoleSecond)) } else { Ok(()) }
    }

    async fn subject_of(self: &Arc<Self>, of: u64) -> Result<Vec<crate::base::ids::Identifier>, Fault> {
        let persons = self.apart(move |store| Ok(opened(store, of)?.map(|(_, private)| private.identifiers()))).await?;
        let persons = persons.filter(|persons| !persons.is_empty());
        persons.ok_or_else(|| Fault::at(Code::ConsoleMeasure, "the record says of nobody that it is about them"))
    }

    async fn record_step(
        &self,
        step: Step,
        measure: Measure,
        of: u64,
        reason: &str,
        by: &Onlooker<'_>,
        private: Private,
    ) -> Result<Logged, Fault> {
        let random = crate::message::crypto::random().map_err(|_| log_unavailable(&StoreError::NoRandomness))?;
        let kind = match (step, measure) {
            (Step::CarryOut, Measure::ErasePrivate | Measure::EraseMessage | Measure::EraseRecord) => RecordKind::Erasure,
            _ => RecordKind::Administration,
        };
        let mut record = Record::new(kind, now());
        (record.action, record.purpose) = (Word::parse(&step.word(measure)), Word::parse(DECISION));
        record.concerns = Some(of);
        // The tag by which a person finds it is of an id.
        record.message = Some(MessageId::new(record.time, random));
        (record.consumer, record.system, record.world) = (by.agency.cloned(), by.system, by.world);
        record.registry_version = self.world().registry.version();
        let reason = Some(format!("{reason}{}", signature(by)));
        self.append_reading(record, Private { reason, ..private }).await
    }
}

/// How a reason says whose it is.
fn signature(by: &Onlooker<'_>) -> String {
    format!(" ({})", by.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::journal::Entry;
    use crate::host::store::Settings;

    #[test]
    fn a_proposal_waits_two_weeks_and_no_longer() {
        let folder = std::env::temp_dir().join(format!("oncegate-decisions-{}", std::process::id()));
        let (store, _) = Store::open(&folder, "log.example/audit", Settings::default()).expect("opens");
        let start = UnixTime::from_ms(1_800_000_000_000);
        let mut record = Record::new(RecordKind::Administration, start);
        (record.action, record.purpose) = (Word::parse("propose-shred"), Word::parse(DECISION));
        record.concerns = Some(0);
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(store.append(Entry { record, private: Private::default(), body: None })).expect("room");
        let waits = |now: UnixTime| decisions(&store, now).expect("readable").open().len();
        assert_eq!(waits(start.plus_ms(limits::PROPOSAL_MS)), 1);
        assert_eq!(waits(start.plus_ms(limits::PROPOSAL_MS + 1)), 0);
        store.close();
        std::fs::remove_dir_all(&folder).expect("it is there");
    }

    #[test]
    fn what_is_under_way_or_says_what_was_erased_is_not_erased() {
        let now = UnixTime::from_ms(1_800_000_000_000);
        let leaf = |kind: RecordKind| Leaf { kind: kind.as_str().to_owned(), ..Leaf::default() };
        for kind in RecordKind::ALL {
            let is_kept = matches!(kind, RecordKind::Erasure | RecordKind::Audit);
            assert_eq!(fits(&leaf(kind), Measure::EraseRecord, now).is_err(), is_kept, "{}", kind.as_str());
        }
        let question = |until: u64| Leaf { until: Some(until), ..leaf(RecordKind::Request) };
        assert!(fits(&question(now.as_ms() + 1), Measure::EraseMessage, now).is_err());
        assert!(fits(&question(now.as_ms()), Measure::EraseMessage, now).is_ok());
        let decision = Leaf { purpose: Some(DECISION.to_owned()), ..leaf(RecordKind::Administration) };
        assert!(fits(&decision, Measure::ErasePrivate, now).is_err());
        let withheld = |until: u64| Leaf { withheld_until: Some(until), ..leaf(RecordKind::Request) };
        assert!(fits(&withheld(now.as_ms() + 1), Measure::Disclose, now).is_ok());
        assert!(fits(&withheld(now.as_ms()), Measure::Disclose, now).is_err());
    }
}
