//! What starts cases, and what is asked of them.

use super::super::delivery::Unready;
use super::super::run::{Arrived, Running};
use super::super::{Gateway, World, now};
use super::{InHand, Step, new_id, part_under};
use crate::base::fault::{Code, Fault};
use crate::base::ids::{AgencyId, Code as Word, Region, Uuid};
use crate::base::limits;
use crate::base::time::DAY_MS;
use crate::evidence::journal::Entry;
use crate::evidence::tlog::Private;
use crate::exchange::admission::{Refusal, read_again};
use crate::exchange::cases::{Came, Case, CaseRow, Change, Opening, Order, OrderOf, Reading, RowState, StartedBy, Text, Written};
use crate::exchange::work::Row;
use crate::host::store::StoreError;
use crate::message::crypto::sha256;
use crate::message::envelope::{self, Body, Context, Header, Kind, Message, ReplyTo, Subject};
use crate::rules::situation::{Catalogue, Situation, Start};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::MutexGuard;

impl Gateway {
    /// Takes an event that the coordinator is told of: it may start cases.
    pub(in super::super) async fn case_event(self: &Arc<Self>, row: &Row) {
        let notice = match self.take_notice(row) {
            Ok(notice) => notice,
            Err(unready) => return self.not_now(row, unready).await,
        };
        let world = self.world();
        let octets = notice.into_octets();
        let reading = match read_again(self.snapshot(&world), octets.clone()) {
            Ok(verified) => Reading::new(verified),
            Err(refusal) => return self.not_now(row, Unready::refused(refusal)).await,
        };
        let started = self.start_by_event(&world, row, &reading, &octets).await;
        let is_over = match started {
            Ok(ended) => ended == Ends::Row || self.row_is_taken(row).await,
            Err(cause) => {
                self.telemetry.say_sparingly(&format!("an event that starts a case waits: {cause}"));
                false
            }
        };
        if is_over {
            self.work().reached(&row.key.to);
        } else {
            self.again(row);
        }
        self.cases.changed.notify_one();
        self.work_changed.notify_one();
    }

    /// Notes that something was taken of which no case came.
    async fn row_is_taken(&self, row: &Row) -> bool {
        let record = self.delivery(row, crate::exchange::work::action::TAKEN, None);
        self.keep(Entry { record, private: Private::default(), body: None }).await.is_ok()
    }

    async fn start_by_event(
        self: &Arc<Self>,
        world: &Arc<World>,
        row: &Row,
        reading: &Reading,
        octets: &[u8],
    ) -> Result<Ends, StoreError> {
        let Some(context) = &reading.message.context else { return Ok(Ends::Nothing) };
        let mut ends = Ends::Nothing;
        let Some(paper) = reading.documents().next() else { return Ok(Ends::Nothing) };
        let what = paper.facts.document_type.clone();
        let region = context.region.clone().or_else(|| self.region_of(world, &reading.message.header.from, &what));
        let situations = started_by(&world.catalogue, &Start::Document(what.clone()), region.as_ref());
        let count = situations.len();
        for (number, situation) in situations.into_iter().enumerate() {
            let is_last = number + 1 == count;
            let Some(document) = world.catalogue.start_document(&situation, &what) else { continue };
            let opening = Opening {
                situation: Text(situation.id.clone()),
                version: situation.version.to_string(),
                region: region.clone().map(Text),
                test: reading.message.header.world == envelope::World::Test,
                coordinator: Text(row.key.to.clone()),
                start: StartedBy::Event,
                by: Text(reading.message.header.from.clone()),
                message: Text(reading.digest),
                subject: Written::from(&context.subject),
                pace: self.pace(reading.message.header.world),
            };
            let around = self.around(world, &situation);
            let start = paper.facts.document_id.map(|id| id.to_string());
            let fresh = Case::open(case_id(reading, &situation.id), opening.clone(), &situation, now());
            let mut came = fresh.has_come(around, &document, reading, paper, Came::Start);
            for change in &mut came {
                if let Change::Came { paper, .. } = change {
                    paper.start.clone_from(&start);
                }
            }
            let changes: Vec<Change> = std::iter::once(Change::Opened(Box::new(opening))).chain(came).collect();
            self.open_or_join(world, fresh, &situation, (changes, octets), is_last.then_some(row)).await?;
            if is_last {
                ends = Ends::Row;
            }
        }
        Ok(ends)
    }

    /// Opens a case, or finds the one that was opened by the same.
    async fn open_or_join(
        self: &Arc<Self>,
        world: &Arc<World>,
        fresh: Case,
        situation: &Arc<Situation>,
        (changes, octets): (Vec<Change>, &[u8]),
        ends: Option<&Row>,
    ) -> Result<Uuid, StoreError> {
        let alone = self.starts_alone(&fresh.subject()).await;
        let start = self.start_key(&fresh.opening, &fresh.subject(), &changes);
        let known = match self.cases.book(|book| book.by_key(&start)).flatten() {
            Some(known) => Some(known),
            None => self.joins(world, &fresh).await?,
        };
        let by = fresh.opening.by.0.clone();
        let id = known.unwrap_or(fresh.id);
        let held = self.cases.held(id);
        let mut slot = held.lock().await;
        if known.is_none() {
            self.keep_papers(&id, &fresh.opening.coordinator.0, &[(&changes, octets)])?;
            let (at, situation) = (fresh.opened, Arc::clone(situation));
            let mut hand = InHand::new(fresh, situation);
            self.record_changes(world, &mut hand, changes, Step { ends, by: &by, at }).await?;
            *slot = Some(hand);
        } else {
            if slot.is_none() {
                *slot = self.load_case(world, id)?;
            }
            let Some(hand) = slot.as_mut() else {
                return Err(StoreError::Index(format!("the case {id} cannot be read")));
            };
            let again = self.again_in(world, hand, &fresh, changes);
            self.keep_papers(&id, &hand.case.opening.coordinator.0, &[(&again, octets)])?;
            let recorded = self.record_changes(world, hand, again, Step { ends, by: &by, at: now() }).await;
            if recorded.is_err() {
                *slot = None;
                recorded?;
            }
        }
        drop(alone);
        if let Some(hand) = slot.as_mut()
            && let Err(cause) = self.advance(world, hand).await
        {
            *slot = None;
            // What has begun goes on by itself.
            self.telemetry.say_sparingly(&format!("the case {id} waits: {cause}"));
        }
        Ok(id)
    }

    /// Nothing else begins a case for whoever it is about as long as this is kept.
    async fn starts_alone(&self, subject: &Subject) -> Vec<MutexGuard<'_, ()>> {
        let places = self.store.person_keys(subject).into_iter().map(|key| key as usize % self.cases.starting.len());
        // In one order, so that no two wait for each other.
        let places: BTreeSet<usize> = places.collect();
        let mut alone = Vec::with_capacity(places.len());
        for place in places.into_iter().filter_map(|place| self.cases.starting.get(place)) {
            alone.push(place.lock().await);
        }
        alone
    }

    /// The open case that something belongs to that begins one: whoever applies joins what an event or somebody else has begun; an event
    /// joins what was applied for and has had none. Two births are two cases.
    async fn joins(&self, world: &World, fresh: &Case) -> Result<Option<Uuid>, StoreError> {
        let by_application = fresh.opening.start == StartedBy::Application;
        let known = self.cases_of(&fresh.subject(), Some(&fresh.opening.situation.0)).into_iter().rev();
        for CaseRow { id, .. } in known.filter(|row| row.state == RowState::Open) {
            let held = self.cases.held(id);
            let mut slot = held.lock().await;
            if slot.is_none() {
                *slot = self.load_case(world, id)?;
            }
            let Some(hand) = slot.as_ref() else { continue };
            let is_same_world = hand.case.opening.test == fresh.opening.test;
            if is_same_world && !hand.case.is_over() && (by_application || !hand.case.has_start()) {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    /// What is new in a case for which something else begins the same.
    fn again_in(&self, world: &World, hand: &InHand, fresh: &Case, changes: Vec<Change>) -> Vec<Change> {
        let by = fresh.opening.by.clone();
        let is_new_start = fresh.opening.start == StartedBy::Event && !hand.case.has_start();
        let mut again = match fresh.opening.start {
            StartedBy::Application => vec![Change::Joined { by }],
            StartedBy::Event => vec![Change::Again { by }],
        };
        let around = self.around(world, &hand.situation);
        for change in changes {
            match change {
                // Where the citizen is reached whoever came first has said.
                Change::Contact { .. } if hand.case.contact.address.is_none() => again.push(change),
                Change::Answered { facts } => {
                    let texts: Vec<(String, String)> = facts.into_iter().map(|(name, said)| (name, said.text())).collect();
                    let asked =
                        texts.into_iter().filter(|answer| hand.case.answered(around, std::slice::from_ref(answer)).is_ok());
                    let asked: Vec<(String, String)> = asked.collect();
                    again.extend(hand.case.answered(around, &asked).ok().filter(|_| !asked.is_empty()));
                }
                Change::Came { .. } | Change::Person { .. } if is_new_start => again.push(change),
                _ => {}
            }
        }
        hand.case.with_notices(around, again, &mut new_id)
    }

    fn pace(&self, world: envelope::World) -> u32 {
        if world == envelope::World::Test { self.cases.coordination.pace.max(1) } else { 1 }
    }

    /// The only region that a publisher holds such documents for.
    fn region_of(&self, world: &World, publisher: &AgencyId, what: &Word) -> Option<Region> {
        let index = world.registry.find(publisher)?;
        match world.registry.regions_of(index, what).as_slice() {
            [only] => Some((*only).clone()),
            _ => None,
        }
    }

    /// Takes an application to the coordinator: a case begins, or something is asked of one.
    pub(in super::super) async fn case_order(self: &Arc<Self>, row: &Row) {
        let (running, _) = match self.take_up(row) {
            Ok(found) => found,
            Err(unready) => return self.not_now(row, unready).await,
        };
        self.work().reached(&row.key.to);
        if !self.work().settle(&row.key) {
            return;
        }
        let result = match self.order_of(&running).await {
            Ok(answer) => self.conclude(&running, Arrived::At(answer.into())).await,
            Err(Ordered::Later) => return self.later(row),
            Err(Ordered::Refused(fault)) => Err(self.fail(&running, Refusal::new(*fault)).await),
        };
        self.end(row, result).await;
        self.cases.changed.notify_one();
    }

    /// Does what an application asks; the signed answer to it.
    async fn order_of(self: &Arc<Self>, running: &Running) -> Result<Vec<u8>, Ordered> {
        let world = Arc::clone(&running.world);
        let octets = running.question.octets().to_vec();
        let verified = read_again(self.snapshot(&world), octets.clone()).map_err(|refusal| Ordered::refused(refusal.fault))?;
        let reading = Reading::new(verified);
        let order = Order::read(&reading).map_err(Ordered::refused)?;
        let by = reading.message.header.from.clone();
        let (id, link) = match (&order.case, &order.of) {
            (None, OrderOf::Begin { .. }) => (self.begin_case(&world, running, (&order.of, &reading), &octets).await?, None),
            (Some(id), _) => self.order_case(&world, *id, &by, (&order.of, &reading), &octets).await?,
            (None, _) => return Err(Ordered::refused(Fault::new(Code::CasUnknown))),
        };
        let held = self.cases.held(id);
        let slot = held.lock().await;
        let hand = slot.as_ref().ok_or(Ordered::Later)?;
        let around = self.around(&world, &hand.situation);
        let state = hand.case.state_document(around, link.as_deref());
        let asked = &reading.message;
        let header = Header {
            id: new_id(),
            in_reply_to: Some(ReplyTo { id: asked.header.id, digest: reading.digest }),
            kind: Kind::Answer,
            from: running.provider.clone(),
            to: Some(by),
            created_at: now(),
            expires_at: now().plus_ms(limits::REQUEST_LIFE_MS - limits::CLOCK_SKEW_MS),
            world: asked.header.world,
            signer_certificate: None,
        };
        let context = asked.context.clone().map(|context| Context { official: None, on_behalf_of: None, ..context });
        let message = Message { header, context, body: Body::Documents(Vec::new()), attachments: Vec::new() };
        self.sign_own(&running.provider, &message, &state).map_err(Ordered::refused)
    }

    async fn begin_case(
        self: &Arc<Self>,
        world: &Arc<World>,
        running: &Running,
        (begin, reading): (&OrderOf, &Reading),
        octets: &[u8],
    ) -> Result<Uuid, Ordered> {
        let OrderOf::Begin { situation, channel, region, others, contact, answers } = begin else {
            return Err(Ordered::refused(Fault::new(Code::CasSituation)));
        };
        let asked = &reading.message;
        let context = asked.reason().map_err(Ordered::refused)?;
        let region = region.clone().or_else(|| context.region.clone());
        let wrong = |why: String| Ordered::refused(Fault::at(Code::CasSituation, why));
        let known = world.catalogue.situation(situation, region.as_ref()).cloned();
        let known = known.ok_or_else(|| wrong(format!("no situation is called {situation}")))?;
        if !known.starts_on.contains(&Start::Request(channel.clone())) {
            return Err(wrong(format!("{situation} is not applied for by way of {channel}")));
        }
        let opening = Opening {
            situation: Text(known.id.clone()),
            version: known.version.to_string(),
            region: region.map(Text),
            test: asked.header.world == envelope::World::Test,
            coordinator: Text(running.provider.clone()),
            start: StartedBy::Application,
            by: Text(asked.header.from.clone()),
            message: Text(reading.digest),
            subject: Written::from(&context.subject),
            pace: self.pace(asked.header.world),
        };
        let around = self.around(world, &known);
        let facts = Case::told_at_start(around, answers).map_err(Ordered::refused)?;
        let mut changes = vec![Change::Opened(Box::new(opening.clone()))];
        changes.extend(Case::named_at_start(&known, others).map_err(Ordered::refused)?);
        changes.extend(contact.clone().map(|contact| Change::Contact { contact }));
        changes.extend((!facts.is_empty()).then_some(Change::Answered { facts }));
        let fresh = Case::open(case_id(reading, &known.id), opening, &known, now());
        self.open_or_join(world, fresh, &known, (changes, octets), None).await.map_err(|_| Ordered::Later)
    }

    async fn order_case(
        self: &Arc<Self>,
        world: &Arc<World>,
        id: Uuid,
        by: &AgencyId,
        (order, reading): (&OrderOf, &Reading),
        octets: &[u8],
    ) -> Result<(Uuid, Option<String>), Ordered> {
        let held = self.cases.held(id);
        let mut slot = held.lock().await;
        if slot.is_none() {
            *slot = self.load_case(world, id).map_err(|_| Ordered::Later)?;
        }
        let hand = slot.as_mut().ok_or_else(|| Ordered::refused(Fault::new(Code::CasUnknown)))?;
        // It was done before the gateway died, and not answered.
        let is_done = hand.case.has_heard(&reading.digest);
        let situation = Arc::clone(&hand.situation);
        let around = self.around(world, &situation);
        // It was given before, and is the same as long as there is no other.
        let mut link = if is_done && *order == OrderOf::Link { self.link_of(&hand.case, hand.case.links).ok() } else { None };
        if !is_done {
            let known = part_under(world, &hand.case, by).unwrap_or(by);
            let mut changes = hand.case.order(around, known, order, reading, &mut new_id).map_err(Ordered::refused)?;
            if *order == OrderOf::Link {
                let text = self.link_of(&hand.case, hand.case.links.saturating_add(1)).map_err(|_| Ordered::Later)?;
                let until = hand.case.time(now()).plus_ms(LINK_MS).into();
                changes.push(Change::Link { hash: Text(sha256(text.as_bytes())), until });
                link = Some(text);
            }
            changes.push(Change::Heard { message: Text(reading.digest) });
            let coordinator = hand.case.opening.coordinator.0.clone();
            self.keep_papers(&id, &coordinator, &[(&changes, octets)]).map_err(|_| Ordered::Later)?;
            let recorded = self.record_changes(world, hand, changes, Step { ends: None, by, at: now() }).await;
            if recorded.is_err() {
                *slot = None;
                return Err(Ordered::Later);
            }
        }
        if let Some(hand) = slot.as_mut()
            && self.advance(world, hand).await.is_err()
        {
            *slot = None;
        }
        if slot.is_none() {
            *slot = self.load_case(world, id).map_err(|_| Ordered::Later)?;
        }
        Ok((id, link))
    }
}

/// Whether something has ended the work that it came by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ends {
    Row,
    Nothing,
}

/// Why an order is not answered.
enum Ordered {
    /// Another time.
    Later,
    /// It is refused.
    Refused(Box<Fault>),
}

impl Ordered {
    fn refused(fault: Fault) -> Self {
        Self::Refused(Box::new(fault))
    }
}

/// The newest situations that something starts in a region.
fn started_by(catalogue: &Catalogue, start: &Start, region: Option<&Region>) -> Vec<Arc<Situation>> {
    let named: BTreeSet<&Word> =
        catalogue.situations().filter(|situation| situation.starts_on.contains(start)).map(|situation| &situation.id).collect();
    let newest = named.into_iter().filter_map(|id| catalogue.situation(id, region));
    newest.filter(|situation| situation.starts_on.contains(start)).cloned().collect()
}

/// The id of a case: another for each situation that a message starts, and for each message, whatever id its sender gave it.
fn case_id(reading: &Reading, situation: &Word) -> Uuid {
    let digest = sha256(&[reading.digest.octets().as_slice(), situation.as_str().as_bytes()].concat());
    Uuid::derived(reading.message.header.id.octets(), &digest)
}

/// How long a personal link is in force: 180 days.
pub(super) const LINK_MS: u64 = 180 * DAY_MS;
