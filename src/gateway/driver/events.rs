//! Events: accepted once, then given to each subscriber whose grant fits.

use super::delivery::Unready;
use super::{Gateway, Refused, Reply, Visit, World, as_xml, log_unavailable, now};
use crate::base::fault::{Code, Fault};
use crate::base::ids::{AgencyId, Code as Word};
use crate::base::limits;
use crate::evidence::journal::Entry;
use crate::evidence::tlog::leaf::Leaf;
use crate::evidence::tlog::{Private, Record, RecordKind};
use crate::exchange::admission::{Event, Refusal, Told, event_again, personal};
use crate::exchange::ledger::Known;
use crate::exchange::work::{Key, Notice, Row, action};
use crate::rules::registry::AgencyIndex;
use std::sync::Arc;
use std::time::Duration;

impl Gateway {
    /// Accepts an event: its record and its octets are durable before its publisher is told so.
    pub(super) async fn publish(&self, visit: &Visit, event: Event) -> Result<Reply, Refused> {
        let (id, digest) = (event.message().header.id, event.digest());
        let sender = event.message().header.from.clone();
        let mut record = Record::new(RecordKind::Event, now());
        (record.message, record.digest, record.consumer) = (Some(id), Some(digest), Some(sender.clone()));
        (record.document_type, record.until) = (Some(event.what().clone()), Some(event.message().header.expires_at));
        let context = event.message().context.as_ref();
        record.purpose = context.map(|context| context.purpose.clone());
        record.case = context.and_then(|context| context.case);
        (record.registry_version, record.world) = (visit.world.registry.version(), event.message().header.world);
        (record.octets, record.system) = (event.octets().len() as u64, Some(visit.peer.system()));
        record.counterpart = event.variant_of().map(|base| base.digest);
        record.elapsed_us = visit.arrived.elapsed().as_micros() as u64;
        self.telemetry.close(&record, None);
        let private = personal(event.message());
        match self.keep(Entry { record, private, body: Some(event.into_octets()) }).await {
            Ok(committed) => {
                self.ledger().settle(&sender, id, digest, committed.place);
                Ok(Reply::Accepted { id, logged: Some(committed.logged.index()) })
            }
            Err(cause) => {
                self.ledger().abandon(&sender, id);
                Err(Refused { fault: log_unavailable(&cause), id: Some(id), logged: None })
            }
        }
    }

    /// Variants come before the event that they name, so that nobody is told of less, or more, than it may have; the event joins
    /// what has come.
    pub(super) fn is_of_its_variants(&self, world: &World, event: Event) -> Result<Event, Refusal> {
        let sender = &event.message().header.from;
        let refuse = |why: String| Refusal::of(Fault::at(Code::MsgReplyTo, why), event.message(), event.digest());
        if let Some(base) = event.variant_of() {
            let known = self.known(sender, base.id).map_err(|fault| Refusal::of(fault, event.message(), event.digest()))?;
            if known.is_some_and(|known| !matches!(known, Known::Refused(_))) {
                return Err(refuse(format!("a variant comes before the event that it names, and {} is here already", base.id)));
            }
            if self.work().variants_naming(&base.digest, sender).len() >= limits::VARIANTS_MAX {
                return Err(refuse(format!("an event has at most {} variants", limits::VARIANTS_MAX)));
            }
            return Ok(event);
        }
        let variants = self.work().variants_naming(&event.digest(), sender);
        for row in variants {
            match self.read_event(world, &row) {
                Ok(variant) if variant.is_about_the_same(&event) => {}
                Ok(_) => return Err(refuse(format!("{} names this event, and is about somebody else", row.id))),
                Err(Unready::Refused(_)) => {}
                Err(Unready::Later) => {
                    let fault = Fault::new(Code::LogUnavailable).with_retry_after(5);
                    return Err(Refusal::of(fault, event.message(), event.digest()));
                }
            }
        }
        Ok(event)
    }

    /// Gives events to their subscribers, until the gateway stops.
    pub async fn tell_events(self: Arc<Self>) {
        while !self.is_stopping() {
            let (mut from, mut is_left) = (0, false);
            loop {
                let fresh = self.work().fresh_event(from);
                let Some(row) = fresh else { break };
                // One that cannot be read just now keeps nobody from the others.
                is_left |= !self.tell_event(&row).await;
                from = row.key.index + 1;
            }
            let pause = if is_left { limits::HEALTH_MS } else { limits::UPKEEP_MS };
            let _ = tokio::time::timeout(Duration::from_millis(pause), self.published.notified()).await;
        }
    }

    /// Whether all that may hear of an event wait for it now.
    async fn tell_event(&self, row: &Row) -> bool {
        let world = self.world();
        let event = match self.read_event(&world, row) {
            Ok(event) => event,
            Err(Unready::Later) => return false,
            Err(Unready::Refused(refusal)) => {
                let refused = self.refuse_event(row, &row.key.to, refusal.fault).await;
                if refused.logged.is_some() {
                    self.work().forget_event(&row.key);
                }
                return refused.logged.is_some();
            }
        };
        let Ok(all) = self.with_variants(&world, row, event) else { return false };
        for (index, agency) in world.registry.agencies() {
            match self.richest(&world, &all, index) {
                None => {}
                Some(Ok(variant)) => {
                    self.work().give_variant(row, variant, &agency.id);
                    self.inbox.tell(&agency.id);
                }
                Some(Err(path)) => {
                    let key = Key { index: row.key.index, to: agency.id.clone() };
                    if self.work().has_had(&key) {
                        continue;
                    }
                    if self.refuse_event(row, &agency.id, too_many(&path)).await.logged.is_none() {
                        return false;
                    }
                }
            }
        }
        self.work().given(row.key.index);
        self.work_changed.notify_one();
        true
    }

    /// An event behind its variants, of which those that may not be told any more count for nothing.
    fn with_variants(&self, world: &World, row: &Row, event: Event) -> Result<Vec<(Row, Event)>, Unready> {
        let variants = self.work().variants(row);
        let mut all = Vec::with_capacity(variants.len() + 1);
        for variant in variants {
            match self.read_event(world, &variant) {
                Ok(read) => all.push((variant, read)),
                Err(Unready::Refused(_)) => {}
                Err(later) => return Err(later),
            }
        }
        all.push((row.clone(), event));
        Ok(all)
    }

    /// The richest that an agency may have, of as rich ones the first; else a field that it may not have; nothing if it is told
    /// of none.
    fn richest<'e>(&self, world: &World, all: &'e [(Row, Event)], agency: AgencyIndex) -> Option<Result<&'e Row, String>> {
        let (mut best, mut withheld) = (None, None);
        for (row, event) in all {
            match event.is_for(self.snapshot(world), agency) {
                Some(Told::Yes) if best.is_none_or(|(richness, _)| event.richness() > richness) => {
                    best = Some((event.richness(), row));
                }
                Some(Told::Withheld(path)) => withheld = Some(path),
                Some(Told::Yes) | None => {}
            }
        }
        best.map(|(_, row)| Ok(row)).or_else(|| withheld.map(Err))
    }

    fn read_event(&self, world: &World, row: &Row) -> Result<Event, Unready> {
        let octets = self.store.outcome(row.place).map_err(|_| Unready::Later)?.0;
        event_again(self.snapshot(world), octets).map_err(Unready::refused)
    }

    /// Whether a subscriber may still be told of an event.
    pub(super) fn may_still_hear(&self, world: &World, octets: Vec<u8>, agency: AgencyIndex) -> Result<(), Unready> {
        let event = event_again(self.snapshot(world), octets).map_err(Unready::refused)?;
        match event.is_for(self.snapshot(world), agency) {
            Some(Told::Yes) => Ok(()),
            Some(Told::Withheld(path)) => Err(Unready::refused(Refusal::new(too_many(&path)))),
            None => Err(Unready::refused(Refusal::new(Fault::new(Code::PolNoGrant)))),
        }
    }

    /// Records that somebody is not told of an event: its publisher is not named beside whoever would hear it. If that is for a
    /// field, both are told so.
    pub(super) async fn refuse_event(&self, row: &Row, to: &AgencyId, fault: Fault) -> Refused {
        let to_subscriber = Row { key: Key { index: row.key.index, to: to.clone() }, ..row.clone() };
        let mut record = self.record_about(RecordKind::Refusal, &to_subscriber);
        if fault.code == Code::PolEventField {
            (record.action, record.until) = (Word::parse(action::WITHHOLD), Some(row.deadline));
            record.document_type = self.store.leaf(row.place).ok().and_then(|(leaf, _)| type_of(&leaf));
        }
        let detail = Some(fault.detail.as_ref()).filter(|detail| !detail.is_empty());
        let cause = fault.sealed.as_deref().or(detail).map(str::to_owned);
        let private = Private { is_with_request: true, cause, ..Private::default() };
        let refused = self.record_refusal(record, private, fault).await;
        self.inbox.tell(&row.sender);
        refused
    }

    /// The word that an event was withheld: nothing of its content, nobody whom it is about, and no other agency.
    pub(super) fn word_of_withholding(&self, row: &Row) -> Result<Notice, Unready> {
        let (leaf, logged) = self.store.leaf(row.place).map_err(|_| Unready::Later)?;
        let what = type_of(&leaf).map_or_else(|| "a document".to_owned(), |what| what.to_string());
        let is_publisher = Leaf::parse(&leaf).is_some_and(|leaf| leaf.kind == RecordKind::Event.as_str());
        let detail = if is_publisher {
            format!("an event of yours on {what} was withheld from some: its document has a field that their grants do not give")
        } else {
            format!("an event on {what} was withheld from you: its document has a field that your grant does not give")
        };
        let fault = Fault::at(Code::PolEventField, detail);
        let problem = as_xml(&Refused { fault, id: Some(row.id), logged: Some(logged) });
        Ok(Notice::word(problem, &logged))
    }
}

/// Which field it is, is known to the operator and to auditors: that a document has it says something of whom it is about.
fn too_many(path: &str) -> Fault {
    let fault = Fault::at(Code::PolEventField, "its document has a field that the grant does not give");
    fault.with_private(format!("the field {path}")).with_sealed(format!("the field {path}"))
}

fn type_of(leaf: &str) -> Option<Word> {
    Leaf::parse(leaf)?.document_type.as_deref().and_then(Word::parse)
}
