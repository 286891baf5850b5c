//! The primitives, on the CPU clock of the thread: what the same run says that the parts cost.

use super::BenchError;
use super::load::Weight;
use super::message::{Template, Values};
use super::process::{CORE, LOAD_CORE, can_pin, pin};
use super::world::World;
use crate::base::ids::MessageId;
use crate::gateway::driver::now;
use crate::message::crypto::{PublicKey, Sha256, Signer, sha256};
use crate::message::envelope::EnvelopeReader;
use crate::message::schema::Schemas;
use crate::message::sig;
use crate::message::xml::{Canonical, Event, Octets, Profile, Reader};
use quick_xml::events::Event as Token;
use rustix::time::{ClockId, clock_gettime};
use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// Figures of one size of message, in microseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct OfWeight {
    /// quick-xml alone: borders of tokens, nothing checked.
    pub pull: f64,
    /// SHA-256.
    pub sha256: f64,
    /// Our canonical form with its hash.
    pub canonical: f64,
    /// Our whole verification: reading, canonical form, hash, grammar of the signature, P-256.
    pub verify: f64,
    /// The same with the envelope read and the document validated.
    pub admit: f64,
}

/// Figures of one round, in microseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Primitives {
    /// P-256.
    pub p256_verify: f64,
    /// P-256.
    pub p256_sign: f64,
    /// SHA-256 of 64 octets.
    pub sha256_64: f64,
    /// SHA-256 of 1 KiB.
    pub sha256_1k: f64,
    /// A node of a Merkle tree: SHA-256 of 65 octets.
    pub node: f64,
    /// quick-xml with attributes, 2 KiB: for the header.
    pub pull_attributes: f64,
    /// CPU of one `fdatasync` of 1 KiB that was written before.
    pub sync_cpu: f64,
    /// Its median time.
    pub sync_wall: f64,
    /// By size.
    pub small: OfWeight,
    /// By size.
    pub large: OfWeight,
}

impl Primitives {
    /// Those of a size.
    pub fn of(&self, weight: Weight) -> &OfWeight {
        if weight == Weight::W2 { &self.small } else { &self.large }
    }
}

/// What is measured on.
pub struct Subjects {
    small: Subject,
    large: Subject,
    schemas: Schemas,
    key: PublicKey,
    record: Vec<u8>,
    signature: Vec<u8>,
}

struct Subject {
    unsigned: String,
    signed: Vec<u8>,
}

impl Subjects {
    /// Signed messages of both sizes.
    pub fn new(world: &World) -> Result<Self, BenchError> {
        let client = world.clients.first().ok_or(BenchError::Workload("no clients"))?;
        let key = client.key.public_key().ok_or(BenchError::Workload("no key"))?;
        let subject = |weight: Weight| {
            let values = Values {
                id: MessageId::new(now(), [1; 10]),
                from: client.id.as_str(),
                to: world.holder.id.as_str(),
                now: now(),
                reply: ("", ""),
            };
            let template = Template::request(weight.octets(), &client.id)?;
            let (signed, _) = template.sign(&values, &*client.key)?;
            Ok::<_, BenchError>(Subject { unsigned: template.unsigned(&values), signed })
        };
        let record = vec![b'x'; 700];
        let signature = client.key.sign(&record).map_err(|_| BenchError::Workload("a key that cannot sign"))?;
        Ok(Self {
            small: subject(Weight::W2)?,
            large: subject(Weight::W200)?,
            schemas: Schemas::built_in(),
            key,
            record,
            signature,
        })
    }

    /// The signed message of 2 KiB, for peers.
    pub fn signed(&self, weight: Weight) -> &[u8] {
        if weight == Weight::W2 { &self.small.signed } else { &self.large.signed }
    }

    /// Measures everything once, on the core of what is measured.
    pub fn measure(&self, world: &World, each: Duration) -> Result<Primitives, BenchError> {
        if can_pin() {
            pin(CORE);
        }
        let client = world.clients.first().ok_or(BenchError::Workload("no clients"))?;
        let (zeros, node) = (vec![0_u8; 1024], [1_u8; 65]);
        let (sync_cpu, sync_wall) = sync(world.folder(), each)?;
        let found = Primitives {
            p256_verify: time(each, || self.key.verify(&self.record, &self.signature).is_ok()),
            p256_sign: time(each, || client.key.sign(&self.record).is_ok()),
            sha256_64: time(each, || sha256(zeros.get(..64).unwrap_or_default())),
            sha256_1k: time(each, || sha256(&zeros)),
            node: time(each, || sha256(&node)),
            pull_attributes: time(each, || pull(&self.small.unsigned, Depth::Attributes)),
            sync_cpu,
            sync_wall,
            small: self.of_weight(&self.small, each)?,
            large: self.of_weight(&self.large, each)?,
        };
        if can_pin() {
            pin(LOAD_CORE);
        }
        Ok(found)
    }

    fn of_weight(&self, subject: &Subject, each: Duration) -> Result<OfWeight, BenchError> {
        let verify = || sig::read(&subject.signed, sig::Unread).is_ok_and(|read| read.verify(&self.key).is_ok());
        let admit = || {
            let read = sig::read(&subject.signed, EnvelopeReader::new(&self.schemas)).ok();
            read.and_then(|read| read.verify(&self.key).ok()).and_then(|verified| verified.into_value().into_message().ok())
        };
        if !verify() || admit().is_none() {
            return Err(BenchError::Workload("a message that does not verify"));
        }
        Ok(OfWeight {
            pull: time(each, || pull(&subject.unsigned, Depth::Tags)),
            sha256: time(each, || sha256(subject.unsigned.as_bytes())),
            canonical: time(each, || canonical(subject.unsigned.as_bytes())),
            verify: time(each, verify),
            admit: time(each, admit),
        })
    }
}

struct Hash(Sha256);

impl Octets for Hash {
    fn put(&mut self, octets: &[u8]) {
        self.0.update(octets);
    }
}

/// Reads, canonicalises and hashes; whether that went well.
pub fn canonical(octets: &[u8]) -> bool {
    let Ok(mut reader) = Reader::new(octets, Profile::Message) else { return false };
    let mut canonical = Canonical::new(octets, Hash(Sha256::new()));
    loop {
        match reader.next() {
            Ok(Event::Done) => break,
            Ok(event) if canonical.event(&event).is_ok() => {}
            _ => return false,
        }
    }
    black_box(canonical.finish().0.finish());
    true
}

/// How far quick-xml alone reads.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    Tags,
    Attributes,
}

fn pull(text: &str, depth: Depth) -> usize {
    let mut tokens = quick_xml::Reader::from_str(text);
    let mut count = 0;
    loop {
        match tokens.read_event() {
            Ok(Token::Eof) | Err(_) => return count,
            Ok(Token::Start(tag) | Token::Empty(tag)) if depth == Depth::Attributes => {
                count += tag.attributes().flatten().map(black_box).count()
            }
            Ok(token) => {
                black_box(&token);
                count += 1;
            }
        }
    }
}

/// The CPU time of the calling thread.
fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// CPU time per call in microseconds: the median of nine repetitions that together take about `each`.
fn time<T>(each: Duration, mut call: impl FnMut() -> T) -> f64 {
    let mut calls = 1_u32;
    let slice = each / 10;
    loop {
        let started = thread_cpu();
        (0..calls).for_each(|_| drop(black_box(call())));
        let taken = thread_cpu().saturating_sub(started);
        if taken >= slice / 2 || calls > 1 << 24 {
            calls = (f64::from(calls) * slice.as_secs_f64() / taken.as_secs_f64().max(1e-9)).ceil() as u32;
            break;
        }
        calls *= 2;
    }
    let mut found: Vec<f64> = (0..9)
        .map(|_| {
            let started = thread_cpu();
            (0..calls).for_each(|_| drop(black_box(call())));
            thread_cpu().saturating_sub(started).as_secs_f64() * 1e6 / f64::from(calls)
        })
        .collect();
    median(&mut found)
}

/// The median; zero of nothing.
pub fn median(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    let at = |place: usize| figures.get(place).copied().unwrap_or(0.0);
    if figures.len() % 2 == 1 { at(middle) } else { (at(middle.saturating_sub(1)) + at(middle)) / 2.0 }
}

/// CPU and median time of one `fdatasync` of 1 KiB in a file that was written before.
fn sync(folder: &Path, each: Duration) -> Result<(f64, f64), BenchError> {
    let path = folder.join("sync.bin");
    let failed = |cause| BenchError::file(&path, cause);
    let file = std::fs::File::create(&path).map_err(failed)?;
    file.write_all_at(&vec![0; 4 << 20], 0).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    let (record, started, cpu) = ([7_u8; 1024], Instant::now(), thread_cpu());
    let mut times = Vec::new();
    while (started.elapsed() < each * 2 || times.len() < 50) && times.len() < 4000 {
        let at = Instant::now();
        file.write_all_at(&record, times.len() as u64 * 1024).map_err(failed)?;
        file.sync_data().map_err(failed)?;
        times.push(at.elapsed().as_secs_f64() * 1e6);
    }
    let cpu = thread_cpu().saturating_sub(cpu).as_secs_f64() * 1e6 / times.len() as f64;
    std::fs::remove_file(&path).map_err(failed)?;
    Ok((cpu, median(&mut times)))
}
