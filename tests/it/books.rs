//! What the two sides of a gateway know of it, to be held against what its journal says after it was killed, cut from its
//! power, or given errors by its system.

use crate::process::{is_replayed, send};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oncegate::base::ids::{Digest, MessageId};
use oncegate::evidence::journal;
use oncegate::evidence::tlog::note::Checkpoint;
use oncegate::faces::client::{Client, Signed, digest_of, problem_of};
use oncegate::host::store::verify_all;
use oncegate::host::transport::Received;
use oncegate::program::demo::Observer;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::watch;

/// What the two sides of the gateway know.
pub struct Books {
    pages: Mutex<Pages>,
    /// A request is sent, a provider has it, its answer is back.
    pub events: watch::Sender<u64>,
}

#[derive(Default)]
pub struct Pages {
    pub round: u64,
    pub asked: BTreeMap<MessageId, Asked>,
    /// The ids that reached a provider.
    pub forwarded: BTreeSet<MessageId>,
    /// The ids whose answer was given or is on record: no provider may see them again.
    pub settled: BTreeSet<MessageId>,
    /// The log's checkpoints, in the order in which they were seen.
    pub checkpoints: Vec<String>,
    wrong: Vec<String>,
}

pub struct Asked {
    request: Vec<u8>,
    digest: Digest,
    round: u64,
    pub answer: Option<Given>,
}

#[derive(Clone)]
pub struct Given {
    octets: Vec<u8>,
    digest: String,
    log_index: u64,
}

impl Books {
    pub fn new() -> Arc<Self> {
        Arc::new(Self { pages: Mutex::default(), events: watch::Sender::new(0) })
    }

    /// What the providers of a scene are to tell.
    pub fn observer(self: &Arc<Self>) -> Observer {
        let books = Arc::clone(self);
        Arc::new(move |id| {
            books.forwarded(id);
            Box::pin(std::future::ready(()))
        })
    }

    pub fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().expect("no test panics with it")
    }

    fn event(&self) {
        self.events.send_modify(|count| *count += 1);
    }

    pub fn asked(&self, signed: &Signed) {
        let mut pages = self.pages();
        let asked = Asked { request: signed.octets.clone(), digest: signed.digest, round: pages.round, answer: None };
        pages.asked.insert(signed.id, asked);
        drop(pages);
        self.event();
    }

    fn forwarded(&self, id: MessageId) {
        let mut pages = self.pages();
        pages.forwarded.insert(id);
        if pages.settled.contains(&id) {
            pages.wrong.push(format!("a provider sees {id} again, which was answered before"));
        }
        drop(pages);
        self.event();
    }

    /// The log's checkpoint as somebody has just seen it.
    pub fn seen(&self, checkpoint: &[u8]) {
        let text = String::from_utf8_lossy(checkpoint).into_owned();
        let mut pages = self.pages();
        if pages.checkpoints.last() != Some(&text) {
            pages.checkpoints.push(text);
        }
    }

    fn answered(&self, id: MessageId, given: Given) {
        let mut pages = self.pages();
        pages.settled.insert(id);
        if let Some(asked) = pages.asked.get_mut(&id) {
            asked.answer = Some(given);
        }
        drop(pages);
        self.event();
    }
}

/// Sends a message and notes its answer; tells whether it was one given before, or none if the gateway is away.
pub async fn ask(books: &Books, client: &Client, id: MessageId, octets: &[u8]) -> Option<bool> {
    let received = send(client, octets).await?;
    assert_eq!(received.status.as_u16(), 200, "{id}: {:?}", problem_of(&received));
    Some(note(books, id, received))
}

/// Notes an answer; tells whether it was one given before.
pub fn note(books: &Books, id: MessageId, received: Received) -> bool {
    let replayed = is_replayed(&received);
    let log_index = received.headers.get("oncegate-log-index").expect("an index").to_str().expect("digits");
    let digest = in_a_leaf(digest_of(&received.body).expect("an answer"));
    let given = Given { log_index: log_index.parse().expect("digits"), octets: received.body, digest };
    let before = books.pages().asked.get(&id).and_then(|asked| asked.answer.clone());
    if let Some(before) = before {
        assert!(replayed, "{id} was answered before and is answered afresh");
        assert!(before.octets == given.octets, "{id} has another answer than before");
        assert_eq!(before.log_index, given.log_index, "{id} has another record than before");
    }
    books.answered(id, given);
    replayed
}

/// The part of a leaf that is compared.
#[derive(Default, Deserialize)]
pub struct Leaf {
    k: String,
    m: Option<String>,
    h: Option<String>,
    q: Option<String>,
    e: Option<String>,
    w: Option<String>,
}

fn in_a_leaf(digest: Digest) -> String {
    URL_SAFE_NO_PAD.encode(digest.octets())
}

/// The records of the journal as it lies on the disk.
pub fn records(data: &Path) -> Vec<Leaf> {
    let mut leaves = Vec::new();
    for number in 0.. {
        let Ok(octets) = fs::read(data.join(format!("log/seg-{number:06}"))) else { break };
        let size = leaves.len() as u64;
        let from = journal::From { offset: 0, size };
        let walked = journal::walk(&octets, from, journal::Erasure::Possible, |_, frame| {
            let is_whole = frame.kind == journal::FrameKind::Record;
            leaves.push(if is_whole { serde_json::from_slice(frame.leaf).expect("a leaf") } else { Leaf::default() });
        });
        assert_eq!(walked.size, leaves.len() as u64);
    }
    leaves
}

/// Holds the journal against both sides; notes what is on record as answered.
pub fn compare(books: &Books, records: &[Leaf]) {
    let mut pages = books.pages();
    let (mut requests, mut answers) = (BTreeSet::new(), BTreeMap::new());
    for (index, leaf) in records.iter().enumerate() {
        let id = || leaf.m.as_deref().and_then(MessageId::parse).expect("a record of a message");
        match leaf.k.as_str() {
            "req" => drop(requests.insert(id())),
            "rsp" => {
                let id = id();
                assert!(requests.contains(&id), "the answer to {id} is on record, and its request is not before it");
                assert!(answers.insert(id, index).is_none(), "{id} is answered twice");
            }
            // What was done to the log; of a record that was shredded nothing is known.
            "era" | "" => {}
            // Octets that were no message.
            "err" if leaf.w.is_some() => {}
            other => panic!("{}: a record of kind {other}: {:?} {:?}", id(), leaf.h, leaf.e),
        }
    }
    for (id, asked) in &pages.asked {
        let Some(given) = &asked.answer else { continue };
        let index = *answers.get(id).unwrap_or_else(|| panic!("{id} was answered, and the answer is not on record"));
        assert_eq!(index as u64, given.log_index, "{id} has its record elsewhere");
        let leaf = &records[index];
        assert_eq!(leaf.h.as_deref(), Some(&*given.digest), "the record of {id} is of another answer");
        assert_eq!(leaf.q.as_deref(), Some(&*in_a_leaf(asked.digest)), "the record of {id} is of another request");
    }
    for id in &pages.forwarded {
        assert!(requests.contains(id), "a provider has seen {id}, and the request is not on record");
    }
    pages.settled.extend(answers.into_keys());
    assert!(pages.wrong.is_empty(), "{:#?}", pages.wrong);
}

/// How many answers that were given are not on record.
pub fn missing(books: &Books, records: &[Leaf]) -> usize {
    let answers: BTreeSet<_> = records.iter().filter(|leaf| leaf.k == "rsp").filter_map(|leaf| leaf.m.as_deref()).collect();
    let pages = books.pages();
    let given = pages.asked.iter().filter(|(_, asked)| asked.answer.is_some());
    given.filter(|(id, _)| !answers.contains(&*id.to_string())).count()
}

/// What was retried in a round.
#[derive(Default)]
pub struct Retried {
    pub answered_before: usize,
    pub on_record_only: usize,
    pub afresh: usize,
}

/// Sends everything of the last rounds again that was answered, at most so many of them, the latest; and what was not.
pub async fn retry(books: &Books, client: &Client, at_most: usize, retried: &mut Retried) {
    let (all, settled) = {
        let pages = books.pages();
        let answered = pages.asked.iter().rev().filter(|(_, asked)| asked.answer.is_some());
        let recent = answered.take_while(|(_, asked)| asked.round + AGAIN_ROUNDS >= pages.round).take(at_most);
        let all = recent.chain(pages.asked.iter().filter(|(_, asked)| asked.answer.is_none()));
        let all: Vec<_> = all.map(|(id, asked)| (*id, asked.request.clone(), asked.answer.is_some())).collect();
        (all, pages.settled.clone())
    };
    for (id, octets, was_answered) in all {
        let replayed = ask(books, client, id, &octets).await.expect("the gateway is there");
        assert_eq!(replayed, settled.contains(&id), "{id}: an answer on record is given again, and no other");
        match (was_answered, replayed) {
            (true, _) => retried.answered_before += 1,
            (false, true) => retried.on_record_only += 1,
            (false, false) => retried.afresh += 1,
        }
    }
}

/// Derives the log anew from the disk, and holds it against every checkpoint that was ever seen.
pub fn hold_against_checkpoints(data: &Path, books: &Books) -> usize {
    let seen: Vec<Checkpoint> =
        books.pages().checkpoints.iter().map(|text| Checkpoint::parse(text).expect("a checkpoint")).collect();
    let sizes: Vec<u64> = seen.iter().map(|checkpoint| checkpoint.claimed().size).collect();
    assert!(sizes.is_sorted(), "a checkpoint went backwards: {sizes:?}");
    let verified = verify_all(data, &seen).unwrap_or_else(|wrong| panic!("{wrong}"));
    assert_eq!(verified.checkpoints, seen.len());
    seen.len()
}

/// Numbers that look random (xorshift64*), so that a seed gives the same rounds.
pub struct Chance(pub u64);

impl Chance {
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % limit
    }
}

/// Answers of so many rounds are asked for again; their messages live for five minutes.
const AGAIN_ROUNDS: u64 = 3;
