//! The log's side: witnesses are asked in the background to cosign the latest checkpoint, and believed when they say that
//! there are two histories.
//!
//! Nothing waits for a witness: one that is away, slow or talks nonsense changes nothing but a line and a number.

use super::ask::{Client, Failing, Reply};
use super::book::Submission;
use crate::evidence::tlog::note::{Checkpoint, SignatureLine, VerifierKey};
use crate::evidence::tlog::tree::{self, Hash};
use crate::host::config::Witnesses;
use crate::host::telemetry::{Telemetry, WitnessAnswer};
use crate::host::transport::Fetcher;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The log that witnesses are asked about.
pub trait Log: Send + Sync + 'static {
    /// Why a proof could not be made.
    type Error: std::error::Error + Send;

    /// The latest checkpoint; all that it counts is durable.
    fn checkpoint(&self) -> Arc<Checkpoint>;

    /// The proof that the tree of `old` leaves is the beginning of that of `new` leaves. It may read files.
    fn consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, Self::Error>;
}

/// A witness says that the log has two histories.
#[derive(Clone, Debug)]
pub struct Fork {
    /// The witness's name.
    pub witness: String,
    /// How many records this log has.
    pub own_size: u64,
    /// How many the witness says it has cosigned, if it says.
    pub size: Option<u64>,
    /// What the witness cosigned last, signed with this log's key: the proof. A witness need not give it.
    pub evidence: Option<Box<Checkpoint>>,
}

impl fmt::Display for Fork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (witness, own) = (&self.witness, self.own_size);
        match self.size {
            Some(size) if size > own => write!(
                f,
                "the witness {witness} has cosigned {size} records of this log, which has {own}: it was rolled back, or another \
                 one has its key"
            )?,
            _ => write!(f, "the witness {witness} has cosigned another history of this log, which has {own} records")?,
        }
        match &self.evidence {
            Some(evidence) => {
                let lines: Vec<&str> = evidence.text().lines().collect();
                write!(f, "; what it cosigned is signed with this log's key: {}", lines.join(" "))
            }
            None => f.write_str("; it does not show what it cosigned"),
        }
    }
}

/// The log was rolled back, or has two histories: the gateway must not start.
#[derive(Clone, Debug)]
pub struct RolledBack(pub Fork);

impl fmt::Display for RolledBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for RolledBack {}

/// What is known of a witness.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Its name.
    pub name: String,
    /// The size that it cosigned last, as far as is known.
    pub size: u64,
    /// Why its last answer says nothing.
    pub trouble: Option<String>,
}

/// The witnesses of a log, asked again and again.
pub struct Witnessing {
    log: VerifierKey,
    clients: Vec<Client>,
    every: Duration,
    known: Mutex<Vec<Known>>,
    cosigned: watch::Sender<Option<Arc<Checkpoint>>>,
    fork: watch::Sender<Option<Arc<Fork>>>,
}

/// What became of asking one witness.
enum Became {
    Cosigned(SignatureLine),
    /// It is ahead of this checkpoint and not of the log.
    Ahead(u64),
    Fork(Box<Fork>),
    Failed(String),
}

impl Witnessing {
    /// The witnesses that the configuration names, for the log with this key.
    pub fn new(config: &Witnesses, log: VerifierKey, fetcher: &Fetcher) -> Self {
        let clients: Vec<Client> =
            config.witnesses.iter().map(|at| Client::new(at.key.clone(), at.url.clone(), fetcher.clone())).collect();
        let known = clients.iter().map(|client| Known { name: client.name().to_owned(), ..Known::default() }).collect();
        let (cosigned, fork) = (watch::Sender::new(None), watch::Sender::new(None));
        Self { log, clients, every: Duration::from_secs(config.every_s), known: Mutex::new(known), cosigned, fork }
    }

    /// The latest checkpoint that at least one witness cosigned, with all cosignatures that it got.
    pub fn cosigned(&self) -> Option<Arc<Checkpoint>> {
        self.cosigned.borrow().clone()
    }

    /// What is known of each witness.
    pub fn known(&self) -> Vec<Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What a witness said when it said that there are two histories.
    pub fn fork(&self) -> Option<Arc<Fork>> {
        self.fork.borrow().clone()
    }

    /// Waits until a witness says that there are two histories.
    pub async fn forked(&self) -> Arc<Fork> {
        let mut fork = self.fork.subscribe();
        loop {
            if let Some(fork) = fork.borrow_and_update().clone() {
                return fork;
            }
            // The sender is in `self`: it is not gone before this is.
            let _ = fork.changed().await;
        }
    }

    /// Asks all witnesses at once for what they cosigned last. Those that do not answer are told about in a line: they are
    /// asked again soon enough.
    pub async fn check_not_rolled_back<L: Log>(&self, log: &Arc<L>, telemetry: &Telemetry) -> Result<(), RolledBack> {
        let mut asking = JoinSet::new();
        for (at, client) in self.clients.iter().cloned().enumerate() {
            let (key, log) = (self.log.clone(), Arc::clone(log));
            asking.spawn(async move { (at, recall(&client, &key, &log).await) });
        }
        let mut found = Ok(());
        while let Some(Ok((at, recalled))) = asking.join_next().await {
            match recalled {
                Ok(size) => self.note(at, size, None, telemetry),
                Err(Became::Fork(fork)) => {
                    telemetry.witness_answered(WitnessAnswer::Fork);
                    found = Err(RolledBack(*fork));
                }
                Err(Became::Failed(trouble)) => self.note(at, None, Some(trouble), telemetry),
                Err(Became::Cosigned(_) | Became::Ahead(_)) => {}
            }
        }
        found
    }

    /// Asks the witnesses for ever, beginning at once; ends when one of them says that there are two histories.
    pub async fn run<L: Log>(&self, log: Arc<L>, telemetry: &Telemetry) {
        let mut ticks = tokio::time::interval(self.every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while self.fork().is_none() {
            ticks.tick().await;
            self.round(&log, telemetry).await;
        }
    }

    /// Asks all witnesses at once to cosign the latest checkpoint.
    pub async fn round<L: Log>(&self, log: &Arc<L>, telemetry: &Telemetry) {
        let checkpoint = log.checkpoint();
        let mut asking = JoinSet::new();
        for (at, (client, known)) in self.clients.iter().cloned().zip(self.known()).enumerate() {
            let (key, log, checkpoint) = (self.log.clone(), Arc::clone(log), Arc::clone(&checkpoint));
            asking.spawn(async move { (at, ask(&client, &key, &log, &checkpoint, known.size).await) });
        }
        let mut lines = Vec::new();
        while let Some(Ok((at, became))) = asking.join_next().await {
            match became {
                Became::Cosigned(line) => {
                    telemetry.witness_answered(WitnessAnswer::Cosigned);
                    self.note(at, Some(checkpoint.claimed().size), None, telemetry);
                    lines.push(line);
                }
                Became::Ahead(size) => self.note(at, Some(size), None, telemetry),
                Became::Fork(fork) => {
                    telemetry.witness_answered(WitnessAnswer::Fork);
                    telemetry.say(&fork.to_string());
                    self.fork.send_if_modified(|first| first.is_none() && first.replace(Arc::new(*fork)).is_none());
                }
                Became::Failed(trouble) => self.note(at, None, Some(trouble), telemetry),
            }
        }
        self.merge(&checkpoint, lines, telemetry);
    }

    /// Cosignatures of one checkpoint are put together; of two checkpoints the later one counts.
    fn merge(&self, checkpoint: &Arc<Checkpoint>, lines: Vec<SignatureLine>, telemetry: &Telemetry) {
        if lines.is_empty() {
            return;
        }
        let earlier = self.cosigned().filter(|earlier| earlier.text() == checkpoint.text());
        let mut cosigned = Checkpoint::clone(earlier.as_ref().unwrap_or(checkpoint));
        lines.into_iter().for_each(|line| cosigned.add(line));
        telemetry.cosigned_records.set(i64::try_from(cosigned.claimed().size).unwrap_or(i64::MAX));
        self.cosigned.send_replace(Some(Arc::new(cosigned)));
    }

    /// A witness that is in trouble, or not any more, is worth a line; one that stays as it is is not.
    fn note(&self, at: usize, size: Option<u64>, trouble: Option<String>, telemetry: &Telemetry) {
        if trouble.is_some() {
            telemetry.witness_answered(WitnessAnswer::Failed);
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = known.get_mut(at) else { return };
        known.size = size.unwrap_or(known.size);
        match &trouble {
            Some(trouble) if known.trouble.is_none() => {
                telemetry.say(&format!("the witness {} does not cosign: {trouble}", known.name));
            }
            None if known.trouble.is_some() => telemetry.say(&format!("the witness {} cosigns again", known.name)),
            _ => {}
        }
        known.trouble = trouble;
    }
}

/// Has one witness cosign a checkpoint. `seen` is the size that it was seen to cosign; it may have gone on from there.
async fn ask<L: Log>(client: &Client, key: &VerifierKey, log: &Arc<L>, checkpoint: &Checkpoint, seen: u64) -> Became {
    let new = checkpoint.claimed().size;
    let mut old = seen.min(new);
    for _ in 0..2 {
        let proof = match prove(log, old, new).await {
            Ok(proof) => proof,
            Err(trouble) => return Became::Failed(trouble),
        };
        match client.submit(&Submission { old, proof, checkpoint: checkpoint.clone() }).await {
            Reply::Cosigned(line) => return Became::Cosigned(line),
            Reply::At(size) if size < seen => {
                return Became::Failed(format!("it cosigned {seen} records and says {size} now: it has lost its state"));
            }
            Reply::At(size) if size <= new && size != old => old = size,
            // Whoever reads our checkpoints may have brought it a later one than this.
            Reply::At(size) if size > new && size <= log.checkpoint().claimed().size => return Became::Ahead(size),
            Reply::At(size) => return suspect(client, key, log, Some(size)).await,
            Reply::Inconsistent => return suspect(client, key, log, None).await,
            Reply::Failed(failing) => return Became::Failed(failing.to_string()),
        }
    }
    Became::Failed("its size changes from one answer to the next".to_owned())
}

/// A witness has said that there are two histories. It is asked for what it cosigned: that can prove it, or disprove it;
/// if it shows nothing, its word counts.
async fn suspect<L: Log>(client: &Client, key: &VerifierKey, log: &Arc<L>, size: Option<u64>) -> Became {
    if let Ok(Some(last)) = client.last(key).await {
        return match compare(client, log, &last).await {
            Ok(_) => Became::Failed("it says that there are two histories, and shows this one".to_owned()),
            Err(other) => other,
        };
    }
    let own_size = log.checkpoint().claimed().size;
    Became::Fork(Box::new(Fork { witness: client.name().to_owned(), own_size, size, evidence: None }))
}

/// What a witness cosigned last, at the start: its size, if it can be had and fits.
async fn recall<L: Log>(client: &Client, key: &VerifierKey, log: &Arc<L>) -> Result<Option<u64>, Became> {
    match client.last(key).await {
        Ok(Some(last)) => return compare(client, log, &last).await.map(Some),
        Err(Failing::Unreachable(cause)) => return Err(Became::Failed(cause.to_string())),
        // Not every witness serves its checkpoints; each says its size when it is offered one that goes on from another.
        Ok(None) | Err(Failing::Status(_) | Failing::Form(_)) => {}
    }
    let checkpoint = log.checkpoint();
    match ask(client, key, log, &checkpoint, 0).await {
        Became::Cosigned(_) => Ok(Some(checkpoint.claimed().size)),
        Became::Ahead(size) => Ok(Some(size)),
        other => Err(other),
    }
}

/// Holds a checkpoint that the log has signed against what the log is now.
async fn compare<L: Log>(client: &Client, log: &Arc<L>, last: &Checkpoint) -> Result<u64, Became> {
    let (own, shown) = (log.checkpoint().claimed(), last.claimed());
    let fork = || {
        let (witness, evidence) = (client.name().to_owned(), Some(Box::new(last.clone())));
        Became::Fork(Box::new(Fork { witness, own_size: own.size, size: Some(shown.size), evidence }))
    };
    if shown.size > own.size {
        return Err(fork());
    }
    let proof = prove(log, shown.size, own.size).await.map_err(Became::Failed)?;
    match tree::verify_consistency(&shown, &own, &proof) {
        Ok(()) => Ok(shown.size),
        Err(tree::NotProved) => Err(fork()),
    }
}

/// Proofs may need files, so they are not made among the connections.
async fn prove<L: Log>(log: &Arc<L>, old: u64, new: u64) -> Result<Vec<Hash>, String> {
    let log = Arc::clone(log);
    let proof = tokio::task::spawn_blocking(move || log.consistency(old, new).map_err(|cause| cause.to_string()));
    proof.await.unwrap_or_else(|ended| Err(ended.to_string())).map_err(|cause| format!("no proof could be made: {cause}"))
}
