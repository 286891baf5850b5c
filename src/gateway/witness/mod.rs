//! Witnesses (C2SP tlog-witness): one that anybody can run, and how a log has its checkpoints cosigned by others.
//!
//! A witness cosigns a checkpoint when its tree goes on from the last one that it cosigned, and refuses everything else;
//! so nobody who has a log's disk and key can show one history to one party and another to the next. What it cosigns is
//! on disk before the cosignature is given ([`Witness`]). The log's side ([`Witnessing`]) asks witnesses in the
//! background, and tells when one of them says that there are two histories.

#![cfg_attr(not(test), deny(clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used))]

mod ask;
mod book;
mod file;
mod make;
mod service;
mod state;
mod watch;

pub use ask::{Client, Failing, Reply};
pub use book::{Book, Consistent, Malformed, Refusal, Submission};
pub use file::WitnessFile;
pub use service::{ROUTE_PREFIX, Say, Service, serve};
pub use state::{Weighed, Witness, WitnessError};
pub use watch::{Fork, Known, Log, RolledBack, Witnessing};

use crate::base::time::UnixTime;
use std::time::{SystemTime, UNIX_EPOCH};

fn now() -> UnixTime {
    UnixTime::from_ms(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64))
}
