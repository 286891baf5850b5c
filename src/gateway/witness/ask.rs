//! Asking a witness, and believing of its answer only what its signature or the log's shows.

use super::book::Submission;
use crate::base::limits;
use crate::base::time::UnixTime;
use crate::evidence::tlog::note::{Checkpoint, NoteError, SignatureLine, VerifierKey, parse_decimal};
use crate::host::transport::{Fetch, Fetcher, Received, UpstreamError};
use crate::message::crypto::sha256;
use crate::rules::registry::Endpoint;
use std::fmt;
use std::time::Duration;

/// A witness that is asked.
#[derive(Clone)]
pub struct Client {
    key: VerifierKey,
    at: Endpoint,
    fetcher: Fetcher,
}

/// What a witness answers to a checkpoint.
#[derive(Debug)]
pub enum Reply {
    /// It cosigned it.
    Cosigned(SignatureLine),
    /// It cosigned a tree of this size last (409).
    At(u64),
    /// The proof does not hold for it (422).
    Inconsistent,
    /// It gave no answer that says anything.
    Failed(Failing),
}

/// Why a witness's answer says nothing.
#[derive(Debug)]
pub enum Failing {
    /// There was none.
    Unreachable(UpstreamError),
    /// It has a status that the protocol has no meaning for, or that says that it does not know the log.
    Status(u16),
    /// It is not to the letter, or its signature does not fit.
    Form(&'static str),
}

impl fmt::Display for Failing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(cause) => cause.fmt(f),
            Self::Status(403) => f.write_str("status 403: it knows the log by another key"),
            Self::Status(404) => f.write_str("status 404: it does not know the log"),
            Self::Status(status) => write!(f, "status {status}"),
            Self::Form(what) => f.write_str(what),
        }
    }
}

impl Client {
    /// The witness with this key at this submission prefix.
    pub fn new(key: VerifierKey, at: Endpoint, fetcher: Fetcher) -> Self {
        Self { key, at, fetcher }
    }

    /// The witness's name.
    pub fn name(&self) -> &str {
        self.key.name()
    }

    /// Submits a checkpoint.
    pub async fn submit(&self, submission: &Submission) -> Reply {
        let body = Some(("text/plain; charset=utf-8", submission.to_string().into_bytes()));
        match self.fetch("add-checkpoint", body).await {
            Ok(received) => self.read(&received, submission, super::now()),
            Err(cause) => Reply::Failed(Failing::Unreachable(cause)),
        }
    }

    /// The last checkpoint of a log that the witness cosigned, if it has one: signed by the log and by the witness.
    pub async fn last(&self, log: &VerifierKey) -> Result<Option<Checkpoint>, Failing> {
        let path = format!("{}/checkpoint", sha256(log.name().as_bytes()));
        let received = self.fetch(&path, None).await.map_err(Failing::Unreachable)?;
        match received.status.as_u16() {
            200 => {}
            404 => return Ok(None),
            other => return Err(Failing::Status(other)),
        }
        let checkpoint = std::str::from_utf8(&received.body).ok().and_then(|text| Checkpoint::parse(text).ok());
        let checkpoint = checkpoint.ok_or(Failing::Form("its last checkpoint is not a checkpoint"))?;
        checkpoint.verify(log).map_err(|_| Failing::Form("its last checkpoint is not signed by this log"))?;
        checkpoint.cosigned_at(&self.key).map_err(|_| Failing::Form("its last checkpoint is not cosigned by it"))?;
        Ok(Some(checkpoint))
    }

    async fn fetch(&self, path: &str, body: Option<(&'static str, Vec<u8>)>) -> Result<Received, UpstreamError> {
        let deadline = Duration::from_millis(limits::WITNESS_MS);
        let fetch = Fetch { body, headers: Vec::new(), answer_bytes_max: limits::NOTE_BYTES_MAX, deadline };
        self.fetcher.fetch(&self.at.below(path), fetch).await
    }

    fn read(&self, received: &Received, submission: &Submission, now: UnixTime) -> Reply {
        let body = std::str::from_utf8(&received.body).unwrap_or_default();
        match received.status.as_u16() {
            200 => self.cosignature(body, &submission.checkpoint, now).map_or_else(Reply::Failed, Reply::Cosigned),
            409 => {
                let media_type = received.headers.get("content-type").and_then(|value| value.to_str().ok());
                let size = body.strip_suffix('\n').and_then(parse_decimal).filter(|_| media_type == Some("text/x.tlog.size"));
                size.map_or(Reply::Failed(Failing::Form("a conflict without a size")), Reply::At)
            }
            422 => Reply::Inconsistent,
            other => Reply::Failed(Failing::Status(other)),
        }
    }

    /// Lines of unknown keys are passed over.
    fn cosignature(&self, body: &str, checkpoint: &Checkpoint, now: UnixTime) -> Result<SignatureLine, Failing> {
        let lines = body.strip_suffix('\n').ok_or(Failing::Form("its answer is not a list of signatures"))?;
        for line in lines.split('\n') {
            let line = SignatureLine::parse(line).map_err(|_| Failing::Form("its answer is not a list of signatures"))?;
            let mut cosigned = checkpoint.clone();
            cosigned.add(line.clone());
            match cosigned.cosigned_at(&self.key) {
                Ok(seconds) if seconds.saturating_mul(1000) > now.as_ms() + limits::CLOCK_SKEW_MS => {
                    return Err(Failing::Form("its cosignature has a time in the future"));
                }
                Ok(_) => return Ok(line),
                Err(NoteError::Unsigned) => {}
                Err(_) => return Err(Failing::Form("its cosignature is wrong")),
            }
        }
        Err(Failing::Form("no cosignature by its key"))
    }
}
