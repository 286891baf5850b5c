//! Attachments of messages: taken in before the record of their message is written, given out and passed on after it.
//!
//! Whoever sends some has been let in, and its message permitted, before the first of their octets is read. They are hashed and
//! sealed on the way to the disk, and never whole in memory; what is refused, or comes to no end, leaves nothing behind.

use super::{Gateway, Refused, Visit, World, now};
use crate::base::fault::{Blame, Code, Fault};
use crate::base::ids::{AgencyId, Digest};
use crate::base::limits;
use crate::base::time::{DAY_MS, UnixTime};
use crate::exchange::admission::{Answer, Permitted, Refusal, admit_attached};
use crate::exchange::ledger::Known;
use crate::host::store::{Attachments, Content, Held, Named, Naming, NoRoom, Pending, Reading, Spoilt, StoreError, Writing};
use crate::host::transport::{Arrival, Body, Bytes, Came, Parts, UpstreamError, sized};
use crate::message::crypto::{Sha256, equal, random, sha256};
use crate::message::envelope::{Attachment, Message};
use crate::message::parts::plain;
use crate::message::schema::{Facts, Streamed};
use crate::rules::registry::{AgencyIndex, Url};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;

/// A message as it came, and what has not been read of what came with it.
pub struct Carried {
    /// The message.
    pub octets: Vec<u8>,
    pub(super) rest: Option<Box<Rest>>,
}

/// The parts behind a message.
pub(super) struct Rest {
    parts: Parts,
    /// Whose quota of octets they use, where it is an agency that sends.
    payer: Option<(Arc<World>, AgencyIndex)>,
}

impl From<Vec<u8>> for Carried {
    fn from(octets: Vec<u8>) -> Self {
        Self { octets, rest: None }
    }
}

impl From<Arrival> for Carried {
    fn from(arrival: Arrival) -> Self {
        Self { octets: arrival.octets, rest: arrival.parts.map(|parts| Box::new(Rest { parts, payer: None })) }
    }
}

impl Carried {
    /// What a visitor has sent.
    pub fn from_visitor(octets: Vec<u8>, parts: Parts, visit: &Visit) -> Self {
        let payer = Some((Arc::clone(&visit.world), visit.peer.agency()));
        Self { octets, rest: Some(Box::new(Rest { parts, payer })) }
    }
}

/// Whether a document that came as an attachment may be there.
type Check<'c> = &'c (dyn Fn(&Facts) -> Result<(), Fault> + Sync);

/// How many attachments are on their way, of all and of each agency.
#[derive(Default)]
pub(super) struct Transfers(Arc<Mutex<BTreeMap<AgencyId, usize>>>);

/// One of them, until it is dropped.
pub struct Transfer {
    all: Arc<Mutex<BTreeMap<AgencyId, usize>>>,
    agency: AgencyId,
}

impl Transfers {
    fn begin(&self, agency: &AgencyId) -> Result<Transfer, Fault> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (total, theirs) = (all.values().sum::<usize>(), all.get(agency).copied().unwrap_or(0));
        if total >= limits::TRANSFERS_MAX || theirs >= limits::AGENCY_TRANSFERS_MAX {
            let detail = format!("{theirs} transfers are open; there may be {}", limits::AGENCY_TRANSFERS_MAX);
            return Err(Fault::at(Code::AttNoRoom, detail).with_retry_after(1));
        }
        all.insert(agency.clone(), theirs + 1);
        Ok(Transfer { all: Arc::clone(&self.0), agency: agency.clone() })
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(theirs) = all.get_mut(&self.agency) {
            *theirs -= 1;
            if *theirs == 0 {
                all.remove(&self.agency);
            }
        }
    }
}

/// A question that is open in the ledger while its attachments come: if its sender goes away meanwhile, it was never there.
struct Unfinished<'g> {
    gateway: &'g Gateway,
    question: Option<&'g Message>,
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if let Some(question) = self.question {
            self.gateway.ledger().abandon(&question.header.from, question.header.id);
        }
    }
}

impl Gateway {
    /// Takes in what a question names, which is permitted.
    pub(super) async fn take_in_question(
        &self,
        visit: &mut Visit,
        question: &Permitted,
        rest: Option<Box<Rest>>,
    ) -> Result<(), Refused> {
        let message = question.message();
        if message.attachments.is_empty() && rest.is_none() {
            return Ok(());
        }
        let mut unfinished = Unfinished { gateway: self, question: Some(message) };
        let name = |index| visit.world.registry.agency(index).map(|agency| agency.id.clone());
        let parties = name(question.consumer()).zip(name(question.holder()));
        let taken = match parties {
            Some((consumer, holder)) => {
                let naming = self.naming(question.octets(), question.digest(), question, [consumer, holder]);
                let check = |facts: &Facts| facts.in_force(now().day());
                self.take_in(naming, &message.attachments, rest, (&visit.world, &check)).await
            }
            None => Err(Fault::new(Code::RteNoHolder)),
        };
        match taken {
            Ok(pending) => {
                visit.attachments = pending;
                unfinished.question = None;
                Ok(())
            }
            Err(fault) => {
                drop(unfinished);
                let refusal = Refusal::of(fault, message, question.digest());
                Err(self.refuse(&visit.peer.system(), question.length(), refusal).await)
            }
        }
    }

    /// Takes in what an answer names, which is admitted. Whose fault it is if that fails is not said yet.
    pub(super) async fn take_in_answer(
        &self,
        (world, question): (&Arc<World>, &Permitted),
        answer: &Answer,
        parties: [AgencyId; 2],
        rest: Option<Box<Rest>>,
    ) -> Result<Option<Pending>, Fault> {
        if answer.message().attachments.is_empty() && rest.is_none() {
            return Ok(None);
        }
        let naming = self.naming(answer.octets(), answer.digest(), question, parties);
        let check = |facts: &Facts| admit_attached(self.snapshot(world), question, facts);
        self.take_in(naming, &answer.message().attachments, rest, (world, &check)).await
    }

    fn naming(&self, octets: &[u8], digest: Digest, question: &Permitted, parties: [AgencyId; 2]) -> Naming {
        let header = &question.message().header;
        let kept = (limits::IDEMPOTENCY_WINDOW_MS * 2).max(u64::from(self.limits.archive_days) * DAY_MS);
        // What is kept for long is delivered until then, and its answer may be asked for after that.
        let longest = now().plus_ms(kept).max(header.expires_at.plus_ms(limits::IDEMPOTENCY_WINDOW_MS));
        let world = self.world();
        let shorter = world.schemas().document_type(question.what()).and_then(|document| document.attachments_seconds);
        let until = shorter.map_or(longest, |seconds| now().plus_ms(u64::from(seconds.get()) * 1000).min(longest));
        Naming { octets: sha256(octets), digest, exchange: header.id, parties, until }
    }

    /// Removes attachments that are past their time, and documents of cases that nobody needs any more. Those of an exchange that is
    /// open stay until it is over.
    pub fn forget_attachments(&self) -> Result<(), StoreError> {
        self.store.attachments().remove_forgotten()?;
        let is_open = |naming: &Naming| {
            naming.parties.iter().any(|party| {
                let is_kept = self.work().asked(party, naming.exchange).is_some();
                is_kept || !matches!(self.known(party, naming.exchange), Ok(known) if known != Some(Known::Open))
            })
        };
        self.store.attachments().tidy_up(now(), is_open)
    }

    /// Takes in what a message names, and writes down that it does.
    async fn take_in(
        &self,
        naming: Naming,
        attachments: &[Attachment],
        rest: Option<Box<Rest>>,
        (world, check): (&Arc<World>, Check<'_>),
    ) -> Result<Option<Pending>, Fault> {
        check_named(attachments, self.limits.attachment_bytes)?;
        let (store, from) = (Arc::clone(self.store.attachments()), naming.parties[0].clone());
        let held = match rest {
            Some(rest) => {
                let _transfer = self.transfers.begin(&from)?;
                self.receive(rest, attachments, &from, (world, check)).await?
            }
            None => {
                // What a case encloses it has for as long as it may need it.
                let time = if self.cases.is_coordinator(&from) { UnixTime::default() } else { now() };
                let again = |named: &Attachment| {
                    store
                        .again(&from, &named.sha256, named.size, time)
                        .ok_or_else(|| Fault::at(Code::AttMissing, named.id.clone()))
                };
                let held = attachments.iter().map(again).collect::<Result<Vec<_>, _>>()?;
                for (held, named) in held.iter().zip(attachments).filter(|(_, named)| named.document.is_some()) {
                    let _transfer = self.transfers.begin(&from)?;
                    check(&self.examine(world, held.content(), named).await?)?;
                }
                held
            }
        };
        // A message that was here before has its note; one that is past its time may go at any moment.
        if held.is_empty() || store.has_note(&naming.octets, now()) {
            return Ok(None);
        }
        let name = |(held, named): (&Held, &Attachment)| Named {
            id: named.id.clone(),
            media_type: named.media_type.clone(),
            content: held.content(),
        };
        let named = held.iter().zip(attachments).map(name).collect();
        let noting = tokio::task::spawn_blocking(move || {
            let noted = store.note(naming, named, now());
            drop(held);
            noted
        });
        let noted = noting.await.unwrap_or(Err(StoreError::Stopped));
        noted.map(Some).map_err(|cause| no_room(&cause))
    }

    /// Reads all parts, in whatever order they come.
    async fn receive(
        &self,
        mut rest: Box<Rest>,
        attachments: &[Attachment],
        from: &AgencyId,
        (world, check): (&Arc<World>, Check<'_>),
    ) -> Result<Vec<Held>, Fault> {
        let total: u64 = attachments.iter().map(|named| named.size).sum();
        rest.parts.expects(total);
        let deadline = transfer_time(total, self.limits.body_ms);
        let reading = async {
            let mut held: Vec<Option<Held>> = attachments.iter().map(|_| None).collect();
            loop {
                let head = match rest.parts.next().await? {
                    Came::Part(head) => head,
                    Came::Over => break,
                    Came::Octets(_) | Came::End => return Err(Fault::new(Code::AttFraming)),
                };
                let id = head.id.unwrap_or_default();
                let at = attachments.iter().position(|named| named.id == id);
                let slot = at.and_then(|at| held.get_mut(at).zip(attachments.get(at)));
                let Some((slot @ None, named)) = slot else {
                    return Err(Fault::at(
                        Code::AttUnnamed,
                        if at.is_some() { "a part comes twice" } else { "a part is not named" },
                    ));
                };
                let (one, facts) = self.receive_one(&mut rest, named, from, world).await?;
                facts.as_ref().map_or(Ok(()), check)?;
                *slot = Some(one);
            }
            let missing = held.iter().zip(attachments).find(|(held, _)| held.is_none());
            match missing {
                Some((_, named)) => Err(Fault::at(Code::AttMissing, named.id.clone())),
                None => Ok(held.into_iter().flatten().collect()),
            }
        };
        let late = || Fault::at(Code::HttpTimeout, "the attachments did not arrive in time");
        tokio::time::timeout(deadline, reading).await.unwrap_or_else(|_| Err(late()))
    }

    /// Validates a document that is there as the content of an attachment already.
    async fn examine(&self, world: &Arc<World>, content: Content, named: &Attachment) -> Result<Facts, Fault> {
        let (store, world, named) = (Arc::clone(self.store.attachments()), Arc::clone(world), named.clone());
        let reading = tokio::task::spawn_blocking(move || {
            let mut document = document_of(&named, &world).ok_or_else(|| Fault::new(Code::DocUnknown))?;
            let mut reading = store.read(content, 0..content.size).map_err(|cause| no_room(&cause))?;
            while let Some(octets) = reading.chunk().map_err(|cause| no_room(&cause))? {
                document.take(&octets).map_err(|fault| in_attachment(&named, fault))?;
            }
            document.finish().map_err(|fault| in_attachment(&named, fault))
        });
        reading.await.unwrap_or_else(|_| Err(Fault::new(Code::AttNoRoom)))
    }

    /// Reads one part, on to the disk. A thread hashes, seals and writes, so that nobody else waits for the disk; what is a document
    /// it validates meanwhile.
    async fn receive_one(
        &self,
        rest: &mut Rest,
        named: &Attachment,
        from: &AgencyId,
        world: &Arc<World>,
    ) -> Result<(Held, Option<Facts>), Fault> {
        let (give, mut take) = mpsc::channel::<Option<Vec<u8>>>(WAITING_CHUNKS);
        let (store, from, world, named) = (Arc::clone(self.store.attachments()), from.clone(), Arc::clone(world), named.clone());
        let writing = tokio::task::spawn_blocking(move || {
            let mut sink = Sink::begin(&store, &from, (named.size, named.sha256))?;
            let mut document = document_of(&named, &world);
            loop {
                match take.blocking_recv() {
                    Some(Some(octets)) => {
                        sink.take(&octets)?;
                        let validated = document.as_mut().map_or(Ok(()), |document| document.take(&octets));
                        validated.map_err(|fault| in_attachment(&named, fault))?;
                    }
                    Some(None) => {
                        let held = sink.finish()?;
                        let facts = document.map(Streamed::finish).transpose();
                        return Ok((held, facts.map_err(|fault| in_attachment(&named, fault))?));
                    }
                    // Its sender has gone away.
                    None => return Err(Fault::new(Code::HttpIncomplete)),
                }
            }
        });
        let mut chunk = Vec::with_capacity(limits::CHUNK_BYTES);
        loop {
            let is_over = match rest.parts.next().await? {
                Came::Octets(octets) => {
                    chunk.extend_from_slice(&octets);
                    false
                }
                Came::End => true,
                Came::Part(_) | Came::Over => return Err(Fault::new(Code::AttFraming)),
            };
            if is_over || chunk.len() >= limits::CHUNK_BYTES {
                self.pay(rest.payer.as_ref(), chunk.len() as u64).await?;
                let full = std::mem::replace(&mut chunk, Vec::with_capacity(limits::CHUNK_BYTES));
                let is_taken = give.send(Some(full)).await.is_ok() && (!is_over || give.send(None).await.is_ok());
                if is_over || !is_taken {
                    break;
                }
            }
        }
        writing.await.unwrap_or_else(|_| Err(Fault::new(Code::AttNoRoom)))
    }

    /// Takes octets of an agency's quota; whoever is faster than its quota is slowed down.
    async fn pay(&self, payer: Option<&(Arc<World>, AgencyIndex)>, octets: u64) -> Result<(), Fault> {
        let Some((world, agency)) = payer else { return Ok(()) };
        let begun = tokio::time::Instant::now();
        loop {
            self.clock.advance_to(self.started.elapsed());
            match world.quotas.take_octets(*agency, octets) {
                Ok(()) => return Ok(()),
                Err(fault) if begun.elapsed() > Duration::from_millis(limits::ANSWER_MS) => return Err(fault),
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    /// Posts a question to its holder, with what it names.
    pub(super) async fn carry(
        self: &Arc<Self>,
        url: &Url,
        (octets, attachments): (Bytes, usize),
        mut headers: Vec<(&'static str, String)>,
        deadline: Duration,
        agency: &AgencyId,
    ) -> Result<Carried, UpstreamError> {
        headers.push(("accept", "application/xml, multipart/related".to_owned()));
        if attachments == 0 {
            return self.upstream.post(url, octets, &headers, deadline).await.map(Carried::from);
        }
        let whole = self.with_parts(&octets, agency).map_err(UpstreamError::Parts)?;
        let gone = || Fault::at(Code::AttNoRoom, "what the question names is not kept any more");
        let (content_type, body) = whole.ok_or_else(|| UpstreamError::Parts(gone()))?;
        headers.push(("content-type", content_type));
        self.upstream.post_made(url, body, &headers, deadline).await.map(Carried::from)
    }

    /// How long a question may take on its way to its holder, with what it names.
    pub(super) fn patience(&self, question: &Message) -> Duration {
        transfer_time(question.attachments.iter().map(|named| named.size).sum(), self.limits.answer_ms)
    }

    /// A message with all that it names as one body, and its media type; nothing if it names nothing.
    pub fn with_parts(self: &Arc<Self>, octets: &[u8], agency: &AgencyId) -> Result<Option<(String, Body)>, Fault> {
        let store = self.store.attachments();
        let Some(named) = store.of_message(&sha256(octets)) else { return Ok(None) };
        let transfer = self.transfers.begin(agency)?;
        let token = random::<16>().map_err(|_| Fault::new(Code::AttNoRoom))?;
        let boundary = format!("og-{}", Digest::from_octets(sha256(&token).octets().to_owned()));
        let head = |id: &str, media: &str| format!("Content-Type: {media}\r\nContent-ID: <{id}>\r\n\r\n").into_bytes();
        let mut first = format!("--{boundary}\r\n").into_bytes();
        first.extend(head(ROOT, "application/xml"));
        first.extend(octets);
        let mut rows = Vec::with_capacity(named.len());
        for Named { id, media_type, content } in named {
            let mut before = format!("\r\n--{boundary}\r\n").into_bytes();
            before.extend(head(&id, &media_type));
            rows.push((before, store.read(content, 0..content.size).map_err(|cause| no_room(&cause))?));
        }
        let last = format!("\r\n--{boundary}--\r\n").into_bytes();
        let length = rows.iter().map(|(before, reading)| before.len() as u64 + reading.left()).sum::<u64>();
        let (out, body) = sized(length + first.len() as u64 + last.len() as u64);
        tokio::task::spawn_blocking(move || {
            let _transfer = transfer;
            if out.give(first).is_err() {
                return;
            }
            for (before, mut reading) in rows {
                if out.give(before).is_err() || drain(&mut reading, |octets| out.give(octets).is_ok()).is_err() {
                    return;
                }
            }
            let _ = out.give(last);
        });
        Ok(Some((format!("multipart/related; boundary=\"{boundary}\"; type=\"application/xml\"; start=\"<{ROOT}>\""), body)))
    }

    /// What an agency may have of an attachment: only of one in a message that it sent or that was sent to it.
    pub fn attachment(&self, agency: &AgencyId, sha256: &str) -> Result<Content, Fault> {
        let content = Digest::parse_hex(sha256).and_then(|sha256| self.store.attachments().for_party(agency, &sha256));
        content.ok_or_else(|| Fault::new(Code::AttUnknown))
    }

    /// Gives out a part of an attachment as it is read; each chunk is checked before it goes.
    pub fn give_out(self: &Arc<Self>, agency: &AgencyId, content: Content, range: Range<u64>) -> Result<Body, Fault> {
        let transfer = self.transfers.begin(agency)?;
        let read = self.store.attachments().read(content, range);
        let mut reading = read.map_err(|cause| match cause {
            StoreError::Forgotten => Fault::new(Code::AttUnknown),
            cause => no_room(&cause),
        })?;
        let (out, body) = sized(reading.left());
        let gateway = Arc::clone(self);
        tokio::task::spawn_blocking(move || {
            let _transfer = transfer;
            if let Err(cause) = drain(&mut reading, |octets| out.give(octets).is_ok()) {
                gateway.telemetry.say_sparingly(&format!("an attachment could not be read: {cause}"));
            }
        });
        Ok(body)
    }
}

/// Gives all of a reading to somebody, until nobody takes it.
fn drain(reading: &mut Reading, mut give: impl FnMut(Vec<u8>) -> bool) -> Result<(), StoreError> {
    while let Some(octets) = reading.chunk()? {
        if !give(octets) {
            return Ok(());
        }
    }
    Ok(())
}

/// Where an attachment goes: on to the disk, or nowhere, since it is there.
enum Sink {
    New(Box<Writing>),
    Known(Held, Box<Sha256>, u64),
}

impl Sink {
    fn begin(store: &Arc<Attachments>, from: &AgencyId, (size, sha256): (u64, Digest)) -> Result<Self, Fault> {
        let time: UnixTime = now();
        if let Some(held) = store.again(from, &sha256, size, time) {
            return Ok(Self::Known(held, Box::default(), 0));
        }
        let begun = store.begin(from, (size, sha256), time);
        begun.map(|writing| Self::New(Box::new(writing))).map_err(|why| match why {
            Ok(NoRoom::Limit) => Fault::at(Code::AttNoRoom, "limits.attachments_bytes is reached").with_retry_after(60),
            Ok(NoRoom::Disk) => Fault::at(Code::AttNoRoom, "the disk is full").with_retry_after(60),
            Err(cause) => no_room(&cause),
        })
    }

    fn take(&mut self, octets: &[u8]) -> Result<(), Fault> {
        match self {
            Self::New(writing) => writing.take(octets).map_err(spoilt),
            Self::Known(held, hash, came) => {
                hash.update(octets);
                *came = came.saturating_add(octets.len() as u64);
                if *came > held.content().size { Err(spoilt(Spoilt::Size)) } else { Ok(()) }
            }
        }
    }

    fn finish(self) -> Result<Held, Fault> {
        match self {
            Self::New(writing) => writing.finish().map_err(spoilt),
            Self::Known(held, _, came) if came != held.content().size => Err(spoilt(Spoilt::Size)),
            Self::Known(held, hash, _) => {
                if equal(&hash.finish(), &held.content().sha256) {
                    Ok(held)
                } else {
                    Err(spoilt(Spoilt::Differs))
                }
            }
        }
    }
}

/// What a message names can be taken: names that are safe, each identifier and name once, none too large.
fn check_named(attachments: &[Attachment], bytes_max: u64) -> Result<(), Fault> {
    for (at, named) in attachments.iter().enumerate() {
        let before = attachments.get(..at).unwrap_or_default();
        let place = || format!("Attachment {}", at + 1);
        plain(&named.name).map_err(|_| Fault::at(Code::AttName, place()))?;
        if before.iter().any(|other| other.id == named.id) {
            return Err(Fault::at(Code::AttUnnamed, format!("{} has the id of another", place())));
        }
        // Some systems do not tell them apart.
        if before.iter().any(|other| other.name.to_lowercase() == named.name.to_lowercase()) {
            return Err(Fault::at(Code::AttName, format!("{} has the name of another", place())));
        }
        let bytes_max = if named.document.is_some() { bytes_max.min(limits::ATTACHED_DOCUMENT_BYTES_MAX) } else { bytes_max };
        if named.size > bytes_max {
            return Err(Fault::at(Code::AttTooLarge, format!("{} has {} bytes; the limit is {bytes_max}", place(), named.size)));
        }
    }
    Ok(())
}

/// Whether what a message names may come another time: the line broke, or there is no room for it now.
pub(super) fn may_come_again(fault: &Fault) -> bool {
    matches!(fault.code, Code::HttpIncomplete | Code::HttpTimeout) || fault.code.blame() == Blame::Gateway
}

/// What is wrong with what a holder sends is told to it and to auditors.
pub(super) fn of_holder(fault: &Fault) -> Fault {
    let is_told = matches!(fault.code, Code::RteBadAnswer | Code::RteWrongSubject | Code::PolWithheldField);
    if is_told || fault.code.blame() == Blame::Gateway {
        return fault.clone();
    }
    Fault::at(Code::RteBadAnswer, fault.code.as_str()).with_sealed(fault.to_string())
}

/// The document that an attachment is, if it is one.
fn document_of<'w>(named: &'w Attachment, world: &'w World) -> Option<Streamed<'w>> {
    named.document.as_ref().map(|document_type| Streamed::new(world.schemas(), document_type))
}

fn in_attachment(named: &Attachment, fault: Fault) -> Fault {
    Fault { detail: format!("the attachment {}: {}", named.id, fault.detail).into(), ..fault }
}

fn spoilt(why: Spoilt) -> Fault {
    match why {
        Spoilt::Size => Fault::at(Code::AttDiffers, "the size is another"),
        Spoilt::Differs => Fault::at(Code::AttDiffers, "the SHA-256 is another"),
        Spoilt::Store(cause) => no_room(&cause),
    }
}

fn no_room(cause: &StoreError) -> Fault {
    Fault::new(Code::AttNoRoom).with_private(cause.to_string()).with_retry_after(60)
}

/// How long so many octets may take, beside what is allowed anyway.
fn transfer_time(octets: u64, allowed_ms: u64) -> Duration {
    Duration::from_millis(allowed_ms.saturating_add(octets.saturating_mul(1000) / limits::TRANSFER_RATE))
}

/// Chunks that wait for the disk.
const WAITING_CHUNKS: usize = 4;
/// Between two looks whether a quota has room.
const PAUSE: Duration = Duration::from_millis(50);
/// The `Content-ID` of the message itself: no code, so that no attachment has it.
const ROOT: &str = "message@oncegate";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::Code as Word;

    #[test]
    fn so_many_are_on_their_way_at_once_and_no_more() {
        let transfers = Transfers::default();
        let agency = |number: usize| AgencyId::parse(&format!("xx.a{number}")).expect("an agency");
        let begin = |number: usize| transfers.begin(&agency(number)).map_err(|fault| fault.code);
        let mut theirs: Vec<_> = (0..limits::AGENCY_TRANSFERS_MAX).map(|_| begin(0).expect("room")).collect();
        assert_eq!(begin(0).err(), Some(Code::AttNoRoom));
        let others: Vec<_> = (limits::AGENCY_TRANSFERS_MAX..limits::TRANSFERS_MAX)
            .map(|number| begin(number).expect("others have room"))
            .collect();
        assert_eq!(begin(limits::TRANSFERS_MAX).err(), Some(Code::AttNoRoom));
        theirs.pop();
        assert!(begin(0).is_ok());
        drop((theirs, others));
        assert!(transfers.0.lock().expect("nobody panics").is_empty());
    }

    #[test]
    fn an_attachment_is_so_large_and_no_larger() {
        let named = |size: u64| Attachment {
            id: "a".to_owned(),
            name: "a.pdf".to_owned(),
            media_type: "application/pdf".to_owned(),
            size,
            sha256: sha256(b""),
            document: None,
        };
        let checked = |size: u64| check_named(&[named(size)], limits::ATTACHMENT_BYTES).map_err(|fault| fault.code);
        assert_eq!(checked(limits::ATTACHMENT_BYTES), Ok(()));
        assert_eq!(checked(limits::ATTACHMENT_BYTES + 1), Err(Code::AttTooLarge));
        let document = |size: u64| {
            let named = Attachment { document: Word::parse("letter"), ..named(size) };
            check_named(&[named], limits::ATTACHMENT_BYTES).map_err(|fault| fault.code)
        };
        assert_eq!(document(limits::ATTACHED_DOCUMENT_BYTES_MAX), Ok(()));
        assert_eq!(document(limits::ATTACHED_DOCUMENT_BYTES_MAX + 1), Err(Code::AttTooLarge));
    }
}
