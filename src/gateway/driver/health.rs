//! What a message would meet, and why; and which of the workers behind it do not go on.

use super::Gateway;
use crate::base::fault::Code;
use crate::host::schemas::sets::Bad;
use crate::host::store::StoreError;
use crate::host::telemetry::Worker;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

/// Whether messages are taken, and all that is in their way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Why messages are refused; empty if they are taken.
    pub reasons: Vec<Reason>,
    /// Workers that do not go on at present, and are tried again: messages are taken all the same.
    pub workers: Vec<(Worker, String)>,
    /// Sets of schemas that are refused as they lie in the folder, each with why in short: messages on other documents are taken.
    pub schemas: Vec<(String, Reason)>,
}

/// One reason for which messages are refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The code that a message is refused with.
    pub code: Code,
    /// Why, without a path: that is the operator's to know.
    pub what: String,
}

impl Health {
    /// Whether messages are taken.
    pub fn is_ready(&self) -> bool {
        self.reasons.is_empty()
    }
}

impl Gateway {
    /// What the next message would meet.
    pub fn health(&self) -> Health {
        let bad = |bad: &Bad| {
            let what = bad.to_string();
            (bad.name.clone(), Reason { code: Code::CfgSchema, what })
        };
        let schemas = self.world().sets.bad().iter().map(bad).collect();
        let mut health = Health { reasons: Vec::new(), workers: self.counters().workers(), schemas };
        if let Some(trouble) = self.store.trouble() {
            health.reasons.push(Reason { code: Code::LogUnavailable, what: in_short(&trouble) });
        }
        if self.is_stopping.load(Ordering::Relaxed) {
            health.reasons.push(Reason { code: Code::HttpBusy, what: "the gateway is stopping".to_owned() });
        }
        health
    }

    /// Sees whether messages are taken and the index goes on, and says what has changed; called every second.
    pub fn look_after(&self) {
        self.upstream.tidy_up();
        let trouble = self.store.index().trouble().map(|cause| cause.to_string());
        self.counters().worker_is(Worker::Index, trouble);
        let silent = self.witnessing.known().into_iter().find_map(|known| known.trouble.map(|trouble| (known.name, trouble)));
        self.counters().worker_is(Worker::Witness, silent.map(|(name, trouble)| format!("{name}: {trouble}")));
        let health = self.health();
        self.counters().ready.set(i64::from(health.is_ready()));
        let mut last = self.last_health.lock().unwrap_or_else(PoisonError::into_inner);
        if health.reasons != last.reasons {
            // A journal that has stopped, and a gateway that is stopping, have lines of their own.
            match health.reasons.first() {
                Some(reason) => self.counters().say(&format!("not ready: {} {}", reason.code, reason.what)),
                None => self.counters().say("ready again: messages are taken"),
            }
        }
        *last = health;
    }
}

fn in_short(trouble: &StoreError) -> String {
    match trouble {
        StoreError::Io { cause, .. } => format!("the journal could not be written: {cause}"),
        StoreError::Full => "the journal has reached limits.journal_bytes".to_owned(),
        StoreError::Damaged { path, .. } => {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            format!("the key file {name} is damaged")
        }
        StoreError::Stopped => "the journal has stopped".to_owned(),
        other => other.to_string(),
    }
}
