//! Time stamps of checkpoints (RFC 3161): a time stamping authority confirms that a checkpoint was there at a time.
//!
//! What is stamped is the checkpoint as it is kept beside the token, signature included, so that `openssl ts -verify` and
//! every other verifier takes the two files as they are. Here it is checked that the token is of this checkpoint and of
//! this request; the authority's signature is for whoever relies on the token, by the authorities that they believe.

#![cfg_attr(not(test), deny(clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used))]

use crate::base::ids::Digest;
use crate::base::limits;
use crate::evidence::tlog::note::Checkpoint;
use crate::host::config::Stamps;
use crate::host::store::{make_folder, replace};
use crate::host::telemetry::{Telemetry, Worker};
use crate::host::transport::{Fetch, Fetcher, UpstreamError};
use crate::message::crypto::{self, sha256};
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Why there is no time stamp.
#[derive(Debug)]
pub enum StampError {
    /// The authority was not reached, or did not answer whole.
    Unreachable(UpstreamError),
    /// It answered with this HTTP status.
    Http(u16),
    /// It did not grant the stamp; the status of RFC 3161, section 2.4.2.
    Refused(u8),
    /// Its answer is not DER of the form of RFC 3161.
    Form,
    /// The stamp is of another text, or of another request.
    Other,
    /// There is no randomness for the nonce.
    NoRandomness,
    /// The stamp cannot be kept.
    File(PathBuf, io::Error),
}

impl fmt::Display for StampError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(cause) => cause.fmt(f),
            Self::Http(status) => write!(f, "status {status}"),
            Self::Refused(status) => write!(f, "refused, PKIStatus {status}"),
            Self::Form => f.write_str("the answer is not of the form of RFC 3161"),
            Self::Other => f.write_str("the stamp is of another text or request"),
            Self::NoRandomness => f.write_str("no randomness"),
            Self::File(path, cause) => write!(f, "{}: {cause}", path.display()),
        }
    }
}

impl std::error::Error for StampError {}

/// Has checkpoints stamped, and keeps the stamps.
pub struct Stamping {
    config: Stamps,
    folder: PathBuf,
    fetcher: Fetcher,
}

impl Stamping {
    /// Stamps are kept in `folder`: `<size>.checkpoint` and `<size>.tsr`.
    pub fn new(config: Stamps, folder: PathBuf, fetcher: Fetcher) -> Self {
        Self { config, folder, fetcher }
    }

    /// Has the latest checkpoint stamped as often as is configured, for ever. What fails is told once and tried again.
    pub async fn run(&self, latest: impl Fn() -> Arc<Checkpoint>, telemetry: &Telemetry) {
        let mut is_in_trouble = false;
        loop {
            tokio::time::sleep(self.due()).await;
            match self.stamp(&latest()).await {
                Ok(path) => {
                    is_in_trouble = false;
                    telemetry.worker_is(Worker::Stamps, None);
                    telemetry.say(&format!("time stamp kept: {}", path.display()));
                }
                Err(error) => {
                    if !std::mem::replace(&mut is_in_trouble, true) {
                        telemetry.say(&format!("no time stamp by {}: {error}", self.config.url));
                    }
                    telemetry.worker_is(Worker::Stamps, Some(error.to_string()));
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    /// Has a checkpoint stamped and keeps the stamp; gives the token's path.
    pub async fn stamp(&self, checkpoint: &Checkpoint) -> Result<PathBuf, StampError> {
        let text = checkpoint.to_string();
        let request = Request::new(&text)?;
        let fetch = Fetch {
            body: Some(("application/timestamp-query", request.octets())),
            headers: Vec::new(),
            answer_bytes_max: limits::STAMP_BYTES_MAX,
            deadline: Duration::from_millis(limits::WITNESS_MS),
        };
        let received = self.fetcher.fetch(&self.config.url, fetch).await.map_err(StampError::Unreachable)?;
        if received.status.as_u16() != 200 {
            return Err(StampError::Http(received.status.as_u16()));
        }
        request.check(&received.body)?;
        let name = self.folder.join(checkpoint.claimed().size.to_string());
        let (of, token) = (name.with_extension("checkpoint"), name.with_extension("tsr"));
        make_folder(&self.folder).map_err(|cause| StampError::File(self.folder.clone(), cause))?;
        // The token last: where it is, the checkpoint is too.
        for (path, octets) in [(&of, text.as_bytes()), (&token, &received.body)] {
            replace(path, octets, 0o644).map_err(|cause| StampError::File(path.clone(), cause))?;
        }
        Ok(token)
    }

    /// How long until the next stamp: so that a restart does not bring one, its time is that of the last token's file.
    fn due(&self) -> Duration {
        let every = Duration::from_secs(self.config.every_hours * 3600);
        let files = std::fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let tokens = files.filter(|file| file.path().extension().is_some_and(|extension| extension == "tsr"));
        let last = tokens.filter_map(|file| file.metadata().ok()?.modified().ok()).max();
        due(every, last, SystemTime::now())
    }
}

/// A last stamp from the future says that the clock was set back: the next is not due at once, and over and over.
fn due(every: Duration, last: Option<SystemTime>, now: SystemTime) -> Duration {
    let since = last.map(|last| now.duration_since(last).unwrap_or_default());
    since.map_or(Duration::ZERO, |since| every.saturating_sub(since))
}

/// After a failure the authority is left alone this long.
const RETRY: Duration = Duration::from_secs(600);

/// A request, and what its answer must repeat.
pub struct Request {
    digest: Digest,
    nonce: [u8; 8],
}

impl Request {
    fn new(text: &str) -> Result<Self, StampError> {
        let nonce = crypto::random::<8>().map_err(|crypto::NoRandomness| StampError::NoRandomness)?;
        Ok(Self::of(text, nonce))
    }

    /// A request for a stamp of this text, with this nonce but for one or two bits of it.
    pub fn of(text: &str, mut nonce: [u8; 8]) -> Self {
        // DER has one form of an integer: a first octet from 1 to 127 needs nothing before it and is needed itself.
        if let Some(first) = nonce.first_mut() {
            *first = (*first & 0x7f).max(1);
        }
        Self { digest: sha256(text.as_bytes()), nonce }
    }

    /// `TimeStampReq` (RFC 3161, section 2.4.1): version 1, the imprint, the nonce, and that certificates are wanted.
    pub fn octets(&self) -> Vec<u8> {
        let imprint = [SHA256.to_vec(), der(OCTET_STRING, self.digest.octets())].concat();
        let parts = [vec![INTEGER, 1, 1], der(SEQUENCE, &imprint), der(INTEGER, &self.nonce), vec![BOOLEAN, 1, 0xff]];
        der(SEQUENCE, &parts.concat())
    }

    /// Checks a `TimeStampResp` (section 2.4.2): granted, and the token of this text and this request.
    pub fn check(&self, octets: &[u8]) -> Result<(), StampError> {
        let status = status(octets).ok_or(StampError::Form)?;
        // 0 is granted, 1 is granted with modifications.
        if status > 1 {
            return Err(StampError::Refused(status));
        }
        let stamped = Stamped::read(octets).ok_or(StampError::Form)?;
        let is_ours = stamped.digest == self.digest.octets() && stamped.nonce == Some(self.nonce.as_slice());
        if is_ours { Ok(()) } else { Err(StampError::Other) }
    }
}

fn status(response: &[u8]) -> Option<u8> {
    let mut response = Der::whole(response)?.inside(SEQUENCE)?;
    match response.inside(SEQUENCE)?.next(INTEGER)? {
        [status] => Some(*status),
        _ => None,
    }
}

/// What a token says was stamped.
struct Stamped<'a> {
    digest: &'a [u8],
    nonce: Option<&'a [u8]>,
}

impl<'a> Stamped<'a> {
    /// Walks from `TimeStampResp` through `ContentInfo` and `SignedData` (RFC 5652, section 5.1) to `TSTInfo`.
    fn read(response: &'a [u8]) -> Option<Self> {
        let mut response = Der::whole(response)?.inside(SEQUENCE)?;
        response.next(SEQUENCE)?;
        let mut content = response.inside(SEQUENCE)?;
        if content.next(OBJECT)? != SIGNED_DATA {
            return None;
        }
        let mut signed = content.inside(EXPLICIT_0)?.inside(SEQUENCE)?;
        signed.next(INTEGER)?;
        signed.next(SET)?;
        let mut encapsulated = signed.inside(SEQUENCE)?;
        if encapsulated.next(OBJECT)? != TST_INFO {
            return None;
        }
        let info = encapsulated.inside(EXPLICIT_0)?.next(OCTET_STRING)?;
        let mut info = Der::whole(info)?.inside(SEQUENCE)?;
        info.next(INTEGER)?;
        info.next(OBJECT)?;
        let mut imprint = info.inside(SEQUENCE)?;
        if imprint.next(SEQUENCE)?.get(..SHA256_OID.len())? != SHA256_OID {
            return None;
        }
        let digest = imprint.next(OCTET_STRING)?;
        info.next(INTEGER)?;
        info.next(GENERALIZED_TIME)?;
        // Accuracy and ordering may stand before the nonce; what stands after it is of no interest.
        let _ = info.next(SEQUENCE);
        let _ = info.next(BOOLEAN);
        Some(Self { digest, nonce: info.next(INTEGER) })
    }
}

/// A reader of DER: elements one after the other, of definite length (X.690, section 10.1).
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// One element and nothing after it.
    fn whole(octets: &'a [u8]) -> Option<Self> {
        let mut rest = Self(octets);
        rest.element(*octets.first()?)?;
        rest.0.is_empty().then_some(Self(octets))
    }

    /// The contents of the next element, which has this tag; else nothing is consumed.
    fn next(&mut self, tag: u8) -> Option<&'a [u8]> {
        let before = self.0;
        let found = self.element(tag);
        if found.is_none() {
            self.0 = before;
        }
        found
    }

    /// A reader of the contents of the next element.
    fn inside(&mut self, tag: u8) -> Option<Der<'a>> {
        self.next(tag).map(Der)
    }

    fn element(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_first_chunk::<2>()?;
        let [found, length] = *head;
        if found != tag {
            return None;
        }
        let (length, rest) = match length {
            0..=0x7f => (usize::from(length), rest),
            0x81..=0x84 => {
                let (octets, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
                (octets.iter().fold(0, |length: usize, octet| length << 8 | usize::from(*octet)), rest)
            }
            // An indefinite length, or one that no answer within the limit can have.
            _ => return None,
        };
        let (contents, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(contents)
    }
}

/// An element of less than 128 octets: all that a request has.
fn der(tag: u8, contents: &[u8]) -> Vec<u8> {
    assert!(contents.len() < 0x80, "a request is short");
    [&[tag, contents.len() as u8], contents].concat()
}

const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const OBJECT: u8 = 0x06;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const EXPLICIT_0: u8 = 0xa0;
/// `AlgorithmIdentifier` of SHA-256 with absent parameters written as NULL, as most authorities expect.
const SHA256: [u8; 15] = [0x30, 13, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0];
/// 2.16.840.1.101.3.4.2.1, as an element.
const SHA256_OID: &[u8] = &[6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];
/// 1.2.840.113549.1.7.2
const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2];
/// 1.2.840.113549.1.9.16.1.4
const TST_INFO: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 16, 1, 4];

#[cfg(test)]
mod tests {
    use super::*;

    fn long(tag: u8, contents: &[u8]) -> Vec<u8> {
        [&[tag, 0x82, (contents.len() >> 8) as u8, contents.len() as u8], contents].concat()
    }

    /// A token as authorities write it, without its signature, which is not read here.
    fn response(request: &Request, status: u8) -> Vec<u8> {
        let imprint = long(SEQUENCE, &[SHA256.to_vec(), long(OCTET_STRING, request.digest.octets())].concat());
        let parts = [
            vec![INTEGER, 1, 1, OBJECT, 1, 42],
            imprint,
            vec![INTEGER, 1, 9, GENERALIZED_TIME, 1, b'Z', SEQUENCE, 0],
            long(INTEGER, &request.nonce),
        ];
        let info = long(OCTET_STRING, &long(SEQUENCE, &parts.concat()));
        let encapsulated = long(SEQUENCE, &[long(OBJECT, TST_INFO), long(EXPLICIT_0, &info)].concat());
        let signed = long(SEQUENCE, &[vec![INTEGER, 1, 3, SET, 0], encapsulated].concat());
        let content = long(SEQUENCE, &[long(OBJECT, SIGNED_DATA), long(EXPLICIT_0, &signed)].concat());
        long(SEQUENCE, &[vec![SEQUENCE, 3, INTEGER, 1, status], content].concat())
    }

    #[test]
    fn a_clock_that_is_set_back_brings_no_stamp_upon_stamp() {
        let (hour, now) = (Duration::from_secs(3600), SystemTime::now());
        let of = |last| due(24 * hour, last, now);
        assert_eq!((of(None), of(Some(now))), (Duration::ZERO, 24 * hour));
        assert_eq!((of(Some(now - hour)), of(Some(now - 25 * hour))), (23 * hour, Duration::ZERO));
        for back in [hour, 24 * hour, 24 * 365 * hour] {
            assert_eq!(of(Some(now + back)), 24 * hour);
        }
    }

    #[test]
    fn a_stamp_is_of_this_text_and_this_request_or_none() {
        let request = Request::new("a checkpoint").expect("randomness");
        let good = response(&request, 0);
        assert!(request.check(&good).is_ok() && request.check(&response(&request, 1)).is_ok());
        assert!(matches!(request.check(&response(&request, 2)), Err(StampError::Refused(2))));
        let (text, other) = (Request::new("another").expect("randomness"), Request::new("a checkpoint").expect("randomness"));
        assert!(matches!(text.check(&good), Err(StampError::Other)));
        assert!(matches!(other.check(&good), Err(StampError::Other)));
        for at in 0..good.len() {
            assert!(request.check(&good[..at]).is_err(), "{at}");
            let mut changed = good.clone();
            for value in [0, 0x80, 0x84, 0xff] {
                changed[at] = value;
                // Whatever is read of it, nothing panics.
                let _ = request.check(&changed);
            }
        }
        assert!(request.check(&[good.as_slice(), &[0]].concat()).is_err());
    }
}
