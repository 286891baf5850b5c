//! What an exchange costs at the least: the sum of its primitives, as measured in the same round.

use super::load::Weight;
use super::primitive::Primitives;

/// How many records share a sync in the model.
const RECORDS_PER_SYNC: f64 = 32.0;
/// Copying a record into the journal.
const RECORD_US: f64 = 0.6;
/// How much of a message of 2 KiB is its header.
const HEADER: f64 = 0.31;

/// The model in microseconds.
#[derive(Clone, Copy, Debug)]
pub struct Model {
    /// With our own verification and a receipt for each exchange (row B).
    pub receipts: f64,
    /// With our own verification and Merkle receipts (row C).
    pub merkle: f64,
    /// Row C with the least that any verification does: P-256, the borders of tokens, one hash, nothing else.
    pub strict: f64,
}

impl Model {
    /// The model from the primitives of a round and the CPU of bare forwarding.
    pub fn of(weight: Weight, found: &Primitives, forward_us: f64) -> Self {
        let one = found.of(weight);
        let log = found.sync_cpu / RECORDS_PER_SYNC + RECORD_US;
        let small = 2.0 * found.sha256_64 + found.sha256_1k;
        let header = 2.0 * HEADER * found.pull_attributes;
        let share = found.p256_sign / RECORDS_PER_SYNC + 2.0 * found.node;
        // The digest that the log needs is the signature's: no body is hashed a second time.
        let common = forward_us + log + small;
        let ours = common + 2.0 * one.verify + header;
        let least = common + 2.0 * (found.p256_verify + one.pull + one.sha256);
        Self { receipts: ours + found.p256_sign, merkle: ours + share, strict: least + share }
    }
}
