//! Metrics and log lines, both written from the record.
//!
//! Labels come from enums. No identifier of a person or a message is a label, and no personal data is in a line: the
//! line is the leaf, and a leaf holds none.

use crate::base::fault::Fault;
use crate::evidence::tlog::{Blind, Record, RecordKind};
use crate::host::config::Lines;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use std::fmt::Write as _;
use std::io::Write as _;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    kind: Label,
    code: Label,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Label(&'static str);

impl EncodeLabelValue for Label {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> std::fmt::Result {
        encoder.write_str(self.0)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WitnessLabels {
    answer: Label,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndLabels {
    why: Label,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AlarmLabels {
    kind: Label,
}

/// What a witness answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WitnessAnswer {
    /// A cosignature.
    Cosigned,
    /// That there are two histories.
    Fork,
    /// Nothing, or nothing that says anything.
    Failed,
}

/// The gateway's metrics.
pub struct Telemetry {
    registry: Registry,
    records: Family<Labels, Counter>,
    exchange_seconds: Histogram,
    octets: Counter,
    /// Exchanges that are open.
    pub open_exchanges: Gauge,
    /// Connections at the exchange listener.
    pub connections: Gauge,
    /// Records in the journal.
    pub journal_records: Gauge,
    /// Records that the index lacks.
    pub index_lag: Gauge,
    /// Message ids that are remembered.
    pub remembered_ids: Gauge,
    /// Records in the last checkpoint that a witness cosigned.
    pub cosigned_records: Gauge,
    witness_answers: Family<WitnessLabels, Counter>,
    connections_ended: Family<EndLabels, Counter>,
    alarms: Family<AlarmLabels, Counter>,
    lines: Lines,
}

impl Telemetry {
    /// Fresh metrics.
    pub fn new(lines: Lines) -> Self {
        let buckets = [0.000_5, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
        let mut this = Self {
            registry: Registry::with_prefix("oncegate"),
            records: Family::default(),
            exchange_seconds: Histogram::new(buckets),
            octets: Counter::default(),
            open_exchanges: Gauge::default(),
            connections: Gauge::default(),
            journal_records: Gauge::default(),
            index_lag: Gauge::default(),
            remembered_ids: Gauge::default(),
            cosigned_records: Gauge::default(),
            witness_answers: Family::default(),
            connections_ended: Family::default(),
            alarms: Family::default(),
            lines,
        };
        let registry = &mut this.registry;
        registry.register("records", "Records written, by kind and fault code", this.records.clone());
        registry.register_with_unit(
            "exchange",
            "Time from a request's arrival to its answer",
            Unit::Seconds,
            this.exchange_seconds.clone(),
        );
        registry.register_with_unit("messages", "Octets of messages received", Unit::Bytes, this.octets.clone());
        registry.register("exchanges_open", "Exchanges that are open", this.open_exchanges.clone());
        registry.register("connections_open", "Connections at the exchange listener", this.connections.clone());
        registry.register("journal_records", "Records in the journal", this.journal_records.clone());
        registry.register("index_lag_records", "Records that the index lacks", this.index_lag.clone());
        registry.register("remembered_ids", "Message ids in the idempotency window", this.remembered_ids.clone());
        registry.register("cosigned_records", "Records in the last cosigned checkpoint", this.cosigned_records.clone());
        registry.register("witness_answers", "Answers of witnesses, by what they said", this.witness_answers.clone());
        let ended = this.connections_ended.clone();
        registry.register("connections_ended", "Connections at the exchange listener that ended, and why", ended);
        registry.register("alarms", "What an operator should look at, by kind", this.alarms.clone());
        this
    }

    /// Counts an alarm and writes its line.
    pub fn alarm(&self, kind: &'static str, what: &str) {
        self.alarms.get_or_create(&AlarmLabels { kind: Label(kind) }).inc();
        self.say(what);
    }

    /// Counts a record and writes its line.
    pub fn close(&self, record: &Record, private: Option<&Fault>) {
        let labels = Labels { kind: Label(record.kind.as_str()), code: Label(record.code.map_or("", |code| code.as_str())) };
        self.records.get_or_create(&labels).inc();
        self.octets.inc_by(record.octets);
        if record.kind == RecordKind::Answer {
            self.exchange_seconds.observe(record.elapsed_us as f64 / 1e6);
        }
        if self.lines == Lines::Stderr {
            self.write_line(record, private);
        }
    }

    /// What only the operator may know stands beside the leaf, never in it.
    fn write_line(&self, record: &Record, fault: Option<&Fault>) {
        let mut line = record.leaf(&Blind::default());
        line.pop();
        if let Some(private) = fault.and_then(|fault| fault.private.as_deref()).filter(|private| !private.is_empty()) {
            let _ = write!(line, ",\"private\":{}", serde_json::Value::from(private));
        }
        line.push_str("}\n");
        let _ = std::io::stderr().lock().write_all(line.as_bytes());
    }

    /// Writes a line about the gateway itself, whether or not there are lines about records.
    pub fn say(&self, what: &str) {
        let line = format!("{{\"gateway\":{}}}\n", serde_json::Value::from(what));
        let _ = std::io::stderr().lock().write_all(line.as_bytes());
    }

    /// Counts a connection that has ended, or that was turned away; `why` comes from an enum.
    pub fn connection_ended(&self, why: &'static str) {
        self.connections_ended.get_or_create(&EndLabels { why: Label(why) }).inc();
    }

    /// Counts the answer of a witness.
    pub fn witness_answered(&self, answer: WitnessAnswer) {
        let answer = match answer {
            WitnessAnswer::Cosigned => "cosigned",
            WitnessAnswer::Fork => "fork",
            WitnessAnswer::Failed => "failed",
        };
        self.witness_answers.get_or_create(&WitnessLabels { answer: Label(answer) }).inc();
    }

    /// The metrics in the OpenMetrics text format.
    pub fn metrics(&self) -> String {
        let mut text = String::new();
        let _ = encode(&mut text, &self.registry);
        text
    }
}
