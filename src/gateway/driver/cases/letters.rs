//! The messages that cases send, the documents that go along, and the records that somebody gets them.

use super::super::run::Tries;
use super::super::{Gateway, Visit, Wait, World, log_unavailable, now};
use super::{BUSY_MS, Followed, InHand, SENDING_ROUNDS, Step, new_id};
use crate::base::fault::{Code, Fault, Retry};
use crate::base::ids::{AgencyId, Code as Word, Digest, MessageId, Uuid};
use crate::base::limits;
use crate::base::time::DAY_MS;
use crate::evidence::journal::Entry;
use crate::evidence::tlog::{Private, Record, RecordKind};
use crate::exchange::admission::{Peer, read_again};
use crate::exchange::cases::{Case, Change, Heard, MadeBody, Paper, Reading, Sent, action, enclosure};
use crate::host::store::{Named, Naming, StoreError};
use crate::message::crypto::sha256;
use crate::message::envelope::{self, Attachment, Body, Context, Header, Kind, Message, ReplyTo};
use crate::message::schema::FieldPath;
use crate::rules::policy::{self, Question};
use crate::rules::registry::{Action, AgencyIndex, Grant, GrantIndex};
use crate::rules::situation::{DocumentOf, Situation};
use std::sync::Arc;
use std::time::{Duration, Instant};

impl Gateway {
    /// Sends the messages that were decided on and not sent yet; all side by side.
    pub(super) async fn send(self: &Arc<Self>, world: &Arc<World>, hand: &mut InHand) -> Result<(), StoreError> {
        for _ in 0..SENDING_ROUNDS {
            let unsent: Vec<(MessageId, Sent)> =
                hand.case.under_way().filter(|(id, _)| !hand.sent.contains(id)).map(|(id, sent)| (*id, sent.clone())).collect();
            if unsent.is_empty() {
                break;
            }
            let mut sending = Vec::with_capacity(unsent.len());
            for (id, sent) in unsent {
                let situation = Arc::clone(&hand.situation);
                let prepared = self.prepare(world, &hand.case, &situation, id, &sent);
                // Who gets what is on record once, however often the message waits for room.
                let is_handed = hand.handed.contains(&id);
                let prepared = prepared.map(|(octets, handed)| (octets, if is_handed { Vec::new() } else { handed }));
                let (gateway, coordinator) = (Arc::clone(self), hand.case.opening.coordinator.0.clone());
                sending.push((id, tokio::spawn(async move { gateway.submit_own(&coordinator, prepared).await })));
            }
            let mut failed = Vec::new();
            let mut is_busy = false;
            for (id, sending) in sending {
                let failed_itself =
                    |_| Submitted { is_handed: false, taken: Err(Fault::new(Code::HttpBusy).with_retry_after(1)) };
                let Submitted { is_handed, taken } = sending.await.unwrap_or_else(failed_itself);
                hand.handed.extend(is_handed.then_some(id));
                match taken {
                    Ok(()) => {
                        hand.sent.insert(id);
                        hand.case.is_sent(id);
                    }
                    // It waits for room, and is sent the same once more.
                    Err(fault) if fault.code.retry() == Retry::Later => is_busy = true,
                    Err(fault) => failed.push((id, fault)),
                }
            }
            for (id, fault) in failed {
                let situation = Arc::clone(&hand.situation);
                let around = self.around(world, &situation);
                let changes = hand.case.hear(around, id, &Heard::Failed(fault.code.as_str()), &mut new_id);
                let by = hand.case.opening.coordinator.0.clone();
                hand.sent.insert(id);
                self.record_changes(world, hand, changes, Step { ends: None, by: &by, at: now() }).await?;
            }
            if !is_busy {
                break;
            }
            tokio::time::sleep(Duration::from_millis(BUSY_MS)).await;
        }
        Ok(())
    }

    /// A message of a case, signed; with the records of what it hands to an agency.
    fn prepare(
        &self,
        world: &World,
        case: &Case,
        situation: &Situation,
        id: MessageId,
        sent: &Sent,
    ) -> Result<(Vec<u8>, Vec<Entry>), Fault> {
        let around = self.around(world, situation);
        let made = case.made(around, id, sent).ok_or_else(|| Fault::new(Code::CasUnknown))?;
        let coordinator = case.opening.coordinator.0.clone();
        let task = || Word::parse("case-task");
        let (purpose, basis) = match made.grounds {
            Some(grounds) => grounds,
            None => {
                let own = world.registry.find(&coordinator);
                let grants =
                    own.zip(task()).map(|(own, task)| world.registry.grants_of(own, &task).map(|(_, grant)| grant).collect());
                let grants: Vec<_> = grants.unwrap_or_default();
                let grant = grants.into_iter().find(|grant| grant.action == Action::Apply);
                let grant = grant.ok_or_else(|| Fault::at(Code::PolNoGrant, "the coordinator may send no tasks"))?;
                (grant.purpose.clone(), grant.basis.to_string())
            }
        };
        let context = Context {
            on_behalf_of: made.behalf,
            case: Some(case.id),
            situation: Some((case.opening.situation.0.clone(), Some(case.opening.version.clone()))),
            step: made.step.clone(),
            region: case.region().cloned(),
            ..Context::new(purpose, basis, made.subject)
        };
        let (kind, body, markup) = match made.body {
            MadeBody::Ask(ask) => (Kind::Request, Body::Ask(ask), String::new()),
            MadeBody::Task(markup) => (Kind::Application, Body::Documents(Vec::new()), markup),
        };
        let header = Header {
            id,
            in_reply_to: None,
            kind,
            from: coordinator.clone(),
            to: made.to.clone(),
            created_at: made.at,
            expires_at: made.expires,
            world: case.opening.world(),
            signer_certificate: None,
        };
        let mut attachments = Vec::with_capacity(made.enclosed.len());
        let mut handed = Vec::with_capacity(made.enclosed.len());
        for (number, (document, paper)) in made.enclosed.iter().zip(&made.papers).enumerate() {
            attachments.push(Attachment {
                id: enclosure(number),
                name: format!("{}-{}.xml", document.document, document.role),
                media_type: "application/xml".to_owned(),
                size: paper.size,
                sha256: paper.sha256.0,
                document: None,
            });
            if let Some(to) = &made.to {
                handed.push(self.handed(world, case, situation, (to, made.step.as_ref()), (document, paper))?);
            }
        }
        let message = Message { header, context: Some(context), body, attachments };
        Ok((self.sign_own(&coordinator, &message, &markup)?, handed))
    }

    /// The record that an agency gets a document, if it may.
    fn handed(
        &self,
        world: &World,
        case: &Case,
        situation: &Situation,
        (to, step): (&AgencyId, Option<&Word>),
        (document, paper): (&DocumentOf, &Paper),
    ) -> Result<Entry, Fault> {
        let known = step.and_then(|step| situation.steps.iter().find(|known| known.id == *step));
        let around = self.around(world, situation);
        let principal = known.and_then(|known| case.principal(around, known)).unwrap_or_else(|| to.clone());
        let index = world.registry.find(&principal).ok_or_else(|| Fault::new(Code::RteNoHolder))?;
        // Who stands in the place of another gets it for its step.
        let gets = world.registry.find(to).and_then(|index| world.registry.agency(world.registry.acting(index)));
        let to = gets.map_or(to, |agency| &agency.id);
        let mut record = Record::new(RecordKind::Case, now());
        (record.action, record.case) = (Word::parse(action::HAND), Some(case.id));
        (record.consumer, record.provider) = (Some(to.clone()), Some(paper.from.0.clone()));
        record.principal = Some(principal.clone()).filter(|principal| principal != to);
        (record.document_type, record.registry_version) = (Some(document.document.clone()), world.registry.version());
        (record.world, record.octets) = (case.opening.world(), paper.size);
        if !world.registry.is_holder(index, &document.document) {
            let kind = case.person(&document.role).map_or_else(|| case.subject().kind(), |person| person.kind());
            let fits = |grant: &Grant| {
                grant.action == Action::Read
                    && grant.until >= now().day()
                    && grant.about.fits(kind)
                    && known.and_then(|step| step.purpose.as_ref()).is_none_or(|purpose| *purpose == grant.purpose)
            };
            let none = || Fault::at(Code::PolNoGrant, format!("{principal} has no grant for {}", document.document));
            let grant = world.registry.grants_of(index, &document.document).find(|(_, grant)| fits(grant)).ok_or_else(none)?;
            let kept_back: Vec<&FieldPath> = known.map_or_else(Vec::new, |known| known.withholds(&document.document).collect());
            self.may_have(world, (index, grant), case, (document, paper), &kept_back)?;
            (record.purpose, record.basis) = (Some(grant.1.purpose.clone()), Some(Arc::clone(&grant.1.basis)));
            record.grant = Some(grant.1.id.clone());
        }
        let person = case.person(&document.role).cloned().unwrap_or_else(|| case.subject());
        Ok(Entry { record, private: Private { subject: person, ..Private::default() }, body: None })
    }

    /// Whether an agency may have a document as it was signed: it cannot be cut.
    fn may_have(
        &self,
        world: &World,
        (agency, grant): (AgencyIndex, (GrantIndex, &Grant)),
        case: &Case,
        (document, paper): (&DocumentOf, &Paper),
        kept_back: &[&FieldPath],
    ) -> Result<(), Fault> {
        let unreadable = |cause: StoreError| match cause {
            StoreError::Forgotten => Fault::at(Code::AttMissing, "the document is not kept any more"),
            cause => Fault::new(Code::AttNoRoom).with_private(cause.to_string()).with_retry_after(5),
        };
        let octets = self.paper_octets(&case.id, paper).map_err(unreadable)?;
        let verified = read_again(self.snapshot(world), octets).map_err(|refusal| refusal.fault)?;
        let Some(what) = world.schemas().document_type(&document.document) else { return Err(Fault::new(Code::DocUnknown)) };
        let mut context = Context::new(grant.1.purpose.clone(), grant.1.basis.to_string(), case.subject());
        context.subject = case.person(&document.role).cloned().unwrap_or_else(|| case.subject());
        let question =
            Question { consumer: agency, action: Action::Read, document: what, context: &context, select: &[], role: "" };
        let Some(grounds) = policy::by_grant(grant, &question, now()).or_else(|| {
            let role = document.role.as_str();
            policy::by_grant(grant, &Question { role, ..question }, now())
        }) else {
            return Err(Fault::at(Code::PolNoGrant, format!("the grant {} is not for {document}", grant.1.id)));
        };
        let reading = Reading::new(verified);
        let found = reading.documents().filter(|paper| paper.facts.document_type == document.document);
        for paper in found {
            let paths = || paper.facts.optional_paths.iter().filter_map(|path| FieldPath::parse(path));
            if let Some(path) = paths().find(|path| kept_back.iter().any(|field| field.includes(path))) {
                return Err(Fault::new(Code::PolWithheldField).with_private(format!("the field {path}")));
            }
            for role in what.roles() {
                let described = what.described(role);
                let names = context.subject.identifiers.is_empty() || paper.is_about(&context.subject, role);
                if !names {
                    continue;
                }
                if let Some(path) = grounds.withheld(&paper.facts.optional_paths, &what.paths(), &described) {
                    return Err(Fault::new(Code::PolWithheldField).with_private(format!("the field {path}")));
                }
                break;
            }
        }
        Ok(())
    }

    /// The octets of a document of a case.
    fn paper_octets(&self, case: &Uuid, paper: &Paper) -> Result<Vec<u8>, StoreError> {
        let attachments = self.store.attachments();
        let content = attachments.of_message(&paper_key(case, paper)).and_then(|named| named.first().map(|named| named.content));
        let content = content.ok_or(StoreError::Forgotten)?;
        let mut reading = attachments.read(content, 0..content.size)?;
        let mut octets = Vec::with_capacity(content.size as usize);
        while let Some(chunk) = reading.chunk()? {
            octets.extend(chunk);
        }
        Ok(octets)
    }

    pub(super) fn sign_own(&self, coordinator: &AgencyId, message: &Message, markup: &str) -> Result<Vec<u8>, Fault> {
        let unsigned = envelope::write(message, markup);
        let signed = self.seal.sign(coordinator, unsigned.as_bytes());
        signed
            .ok_or_else(|| Fault::new(Code::CfgInvalid).with_private(format!("there is no key of {coordinator} to sign with")))?
    }

    /// Submits a message of a case like anybody's; it is kept, and what comes of it is heard from its record.
    async fn submit_own(self: &Arc<Self>, coordinator: &AgencyId, prepared: Result<(Vec<u8>, Vec<Entry>), Fault>) -> Submitted {
        let (visit, octets) = match self.hand_out(coordinator, prepared).await {
            Ok(ready) => ready,
            Err(fault) => return Submitted { is_handed: false, taken: Err(fault) },
        };
        let submitting: std::pin::Pin<Box<dyn Future<Output = _> + Send>> = Box::pin(self.submit(visit, octets, Wait::Not));
        let taken = submitting.await.map(drop).map_err(|refused| refused.fault);
        Submitted { is_handed: true, taken }
    }

    /// Finds room for a message of a case, and records who gets what with it.
    async fn hand_out(
        self: &Arc<Self>,
        coordinator: &AgencyId,
        prepared: Result<(Vec<u8>, Vec<Entry>), Fault>,
    ) -> Result<(Visit, Vec<u8>), Fault> {
        let (octets, handed) = prepared?;
        let visit = self.enter_own(coordinator, octets.len())?;
        // All of them wait for the disk together.
        let mut keeping = tokio::task::JoinSet::new();
        for entry in handed {
            self.telemetry.close(&entry.record, None);
            let gateway = Arc::clone(self);
            keeping.spawn(async move { gateway.keep(entry).await });
        }
        for kept in keeping.join_all().await {
            kept.map_err(|cause| log_unavailable(&cause))?;
        }
        Ok((visit, octets))
    }

    pub(super) fn enter_own(&self, coordinator: &AgencyId, octets: usize) -> Result<Visit, Fault> {
        self.clock.advance_to(self.started.elapsed());
        let world = self.world();
        let certificate = self.seal.certificate(coordinator).ok_or_else(|| Fault::new(Code::CasNone))?;
        let peer = Peer::coordinator(&world.registry, coordinator, certificate)?;
        let slot = world.quotas.enter(peer.agency(), octets as u64)?;
        let body = self.bodies.hold(octets)?;
        Ok(Visit { world, peer, slot: Arc::new(slot), arrived: Instant::now(), body, attachments: None, tries: Tries::First })
    }

    /// Takes back what a case that is over has asked and nobody has answered.
    pub(super) async fn take_back_all(self: &Arc<Self>, world: &World, case: &Case, asked: &[MessageId]) {
        let coordinator = &case.opening.coordinator.0;
        for id in asked {
            let row = self.work().asked(coordinator, *id);
            let Some(row) = row else { continue };
            let of = Word::parse("case-over");
            let header = Header {
                id: new_id(),
                in_reply_to: Some(ReplyTo { id: row.id, digest: row.digest }),
                kind: Kind::Cancel,
                from: coordinator.clone(),
                to: None,
                created_at: now(),
                expires_at: now().plus_ms(limits::REQUEST_LIFE_MS),
                world: case.opening.world(),
                signer_certificate: None,
            };
            let body = of.map(|of| Body::State { of, at: now() });
            let message = body.map(|body| Message { header, context: None, body, attachments: Vec::new() });
            let signed = message.and_then(|message| self.sign_own(coordinator, &message, "").ok());
            if let (Some(octets), true) = (signed, world.registry.find(coordinator).is_some()) {
                // What cannot be taken back any more is answered to nobody.
                let _ = self.submit_own(coordinator, Ok((octets, Vec::new()))).await;
            }
        }
    }

    /// Keeps the octets of documents that have come, sealed, until they are forgotten. Those of several messages go to the disk side by
    /// side: each waits for it several times.
    pub(super) fn keep_papers(&self, case: &Uuid, coordinator: &AgencyId, come: &[Followed<'_>]) -> Result<(), StoreError> {
        tokio::task::block_in_place(|| match come {
            [] => Ok(()),
            [(changes, octets)] => self.write_papers(case, coordinator, changes, octets),
            _ => std::thread::scope(|scope| {
                let write = |(changes, octets): &Followed<'_>| self.write_papers(case, coordinator, changes, octets);
                let share = come.len().div_ceil(PAPERS_AT_ONCE);
                let writing = come.chunks(share).map(|some| scope.spawn(move || some.iter().try_for_each(write)));
                let writing: Vec<_> = writing.collect();
                let ended = |_| Err(StoreError::Index("a document of a case could not be kept".to_owned()));
                writing.into_iter().try_for_each(|written| written.join().unwrap_or_else(ended))
            }),
        })
    }

    fn write_papers(&self, case: &Uuid, coordinator: &AgencyId, changes: &[Change], octets: &[u8]) -> Result<(), StoreError> {
        for change in changes {
            let paper = match change {
                Change::Came { paper, .. } | Change::Absent { paper, .. } => paper,
                _ => continue,
            };
            let key = paper_key(case, paper);
            let time = now();
            let attachments = self.store.attachments();
            if attachments.has_note(&key, time) {
                continue;
            }
            let size = octets.len() as u64;
            let full = |_| StoreError::Index("there is no room for the documents of cases".to_owned());
            let mut writing = match attachments.begin(coordinator, (size, paper.sha256.0), time) {
                Ok(writing) => writing,
                Err(Ok(no_room)) => return Err(full(no_room)),
                Err(Err(cause)) => return Err(cause),
            };
            let spoilt = |_| StoreError::Index("a document of a case could not be kept".to_owned());
            writing.take(octets).map_err(spoilt)?;
            let held = writing.finish().map_err(spoilt)?;
            let named = Named { id: "d1".to_owned(), media_type: "application/xml".to_owned(), content: held.content() };
            let naming = Naming {
                octets: key,
                digest: paper.sha256.0,
                exchange: paper.message.0,
                parties: [coordinator.clone(), coordinator.clone()],
                until: time.plus_ms(PAPER_MS),
            };
            attachments.note(naming, vec![named], time)?.keep();
        }
        Ok(())
    }
}

/// What came of submitting a message of a case.
struct Submitted {
    /// Whether it is on record who gets what with it.
    is_handed: bool,
    taken: Result<(), Fault>,
}

/// The name under which a document of a case is kept: another for each case.
pub(super) fn paper_key(case: &Uuid, paper: &Paper) -> Digest {
    sha256(&[case.octets().as_slice(), paper.sha256.0.octets().as_slice()].concat())
}

/// How long documents of cases are kept at most: 400 days.
const PAPER_MS: u64 = 400 * DAY_MS;
/// Threads that write documents of one case at once.
const PAPERS_AT_ONCE: usize = 8;
