//! Metrics and log lines, both written from the record.
//!
//! Labels come from enums. No identifier of a person or a message is a label, and no personal data is in a line: the
//! line is the leaf, and a leaf holds none.

use crate::base::fault::Fault;
use crate::base::ids::AgencyId;
use crate::base::limits;
use crate::base::time::UnixTime;
use crate::evidence::tlog::{Blind, Record, RecordKind};
use crate::exchange::bulkhead::{Standing, State};
use crate::host::config::Lines;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

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

/// The version of the program, and of what it was built.
pub const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("ONCEGATE_BUILD"), ")");
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabels {
    kind: Label,
}

/// The name of a holder, of so many at most.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HolderLabels {
    holder: String,
}

/// A kind of open work, and how far it has come.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WorkLabels {
    kind: Label,
    state: Label,
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

/// What works behind the exchanges, and is tried again when it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Worker {
    /// Follows the journal, so that it can be searched.
    Index,
    /// Forgets what is past its time and reads the log again.
    Upkeep,
    /// Asks the witnesses.
    Witness,
    /// Has checkpoints stamped.
    Stamps,
}

impl Worker {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Index, Self::Upkeep, Self::Witness, Self::Stamps];

    /// Its name in `/health` and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Index => "index",
            Self::Upkeep => "upkeep",
            Self::Witness => "witness",
            Self::Stamps => "stamps",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WorkerLabels {
    worker: Label,
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
    /// Exchanges that the ledger has in memory.
    pub remembered_ids: Gauge,
    /// Records in the last checkpoint that a witness cosigned.
    pub cosigned_records: Gauge,
    witness_answers: Family<WitnessLabels, Counter>,
    connections_ended: Family<EndLabels, Counter>,
    alarms: Family<AlarmLabels, Counter>,
    /// When the first certificate of a kind ends.
    expiry: Family<KindLabels, Gauge>,
    /// Whether messages are taken: 1 or 0.
    pub ready: Gauge,
    worker_failing: Family<WorkerLabels, Gauge>,
    /// Requests that holders have, those that wait for a place there, and whether a holder is left alone.
    holder_requests: Family<HolderLabels, Gauge>,
    holder_waiting: Family<HolderLabels, Gauge>,
    holder_left_alone: Family<HolderLabels, Gauge>,
    work_open: Family<WorkLabels, Gauge>,
    /// How old the oldest open work is, in seconds.
    pub work_oldest: Gauge,
    /// Cases that are open.
    pub cases_open: Gauge,
    /// Workers that do not go on, and why.
    failing: Mutex<BTreeMap<Worker, String>>,
    lines: Lines,
    sparing: Mutex<Sparing>,
    notices: Mutex<Vec<Notice>>,
}

/// A certificate or list that ends: its kind, how it stands, and up to when it is valid.
pub type Notice = (&'static str, &'static str, Option<UnixTime>);

/// Lines that others can cause at will: so many in a minute.
#[derive(Default)]
struct Sparing {
    minute: Option<Instant>,
    said: u32,
    unsaid: u64,
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
            expiry: Family::default(),
            ready: Gauge::default(),
            worker_failing: Family::default(),
            holder_requests: Family::default(),
            holder_waiting: Family::default(),
            holder_left_alone: Family::default(),
            work_open: Family::default(),
            work_oldest: Gauge::default(),
            cases_open: Gauge::default(),
            failing: Mutex::default(),
            lines,
            sparing: Mutex::default(),
            notices: Mutex::default(),
        };
        let registry = &mut this.registry;
        let (version, build) = (env!("CARGO_PKG_VERSION"), env!("ONCEGATE_BUILD"));
        registry.register("build", "The program", Info::new(vec![("version", version), ("build", build)]));
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
        registry.register("remembered_ids", "Exchanges that are open, or not in the index yet", this.remembered_ids.clone());
        registry.register("cosigned_records", "Records in the last cosigned checkpoint", this.cosigned_records.clone());
        registry.register("witness_answers", "Answers of witnesses, by what they said", this.witness_answers.clone());
        let ended = this.connections_ended.clone();
        registry.register("connections_ended", "Connections at the exchange listener that ended, and why", ended);
        registry.register("alarms", "What an operator should look at, by kind", this.alarms.clone());
        let expiry = this.expiry.clone();
        let help = "When the first certificate or revocation list of a kind ends, in seconds since 1970";
        registry.register_with_unit("certificate_expiry", help, Unit::Seconds, expiry);
        registry.register("ready", "Whether messages are taken: 1 or 0", this.ready.clone());
        registry.register("worker_failing", "Whether a worker fails and is tried again: 1 or 0", this.worker_failing.clone());
        registry.register("holder_requests", "Requests that a holder has at present", this.holder_requests.clone());
        registry.register("holder_waiting", "Requests that wait for a place at a holder", this.holder_waiting.clone());
        let help = "Whether a holder has failed and is left alone or tried: 1 or 0";
        registry.register("holder_left_alone", help, this.holder_left_alone.clone());
        registry.register("work_open", "Messages that are kept and not over, by kind and state", this.work_open.clone());
        registry.register_with_unit("work_oldest", "How old the oldest of them is", Unit::Seconds, this.work_oldest.clone());
        registry.register("cases_open", "Cases of life situations that are open", this.cases_open.clone());
        for worker in Worker::ALL {
            this.worker_failing.get_or_create(&WorkerLabels { worker: Label(worker.as_str()) }).set(0);
        }
        this
    }

    /// Sets when the first certificate of each kind ends, and what `/health` says of those that end; words come from enums.
    pub fn certificates_end(&self, ends: impl Iterator<Item = (&'static str, u64)>, notices: Vec<Notice>) {
        let mut first = BTreeMap::new();
        for (kind, seconds) in ends {
            let known = first.entry(kind).or_insert(seconds);
            *known = seconds.min(*known);
        }
        self.expiry.clear();
        for (kind, seconds) in first {
            self.expiry.get_or_create(&KindLabels { kind: Label(kind) }).set(i64::try_from(seconds).unwrap_or(i64::MAX));
        }
        *self.notices.lock().unwrap_or_else(PoisonError::into_inner) = notices;
    }

    /// Sets how much is open; words come from enums.
    pub fn work_is(&self, open: impl Iterator<Item = (&'static str, &'static str, u64)>) {
        for (kind, state, count) in open {
            let labels = WorkLabels { kind: Label(kind), state: Label(state) };
            self.work_open.get_or_create(&labels).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// Sets what stands at holders. So many are named, the worst first; the others are one, called `other`.
    pub fn holders_are(&self, standings: &[(AgencyId, Standing)]) {
        let mut standings: Vec<_> = standings.iter().collect();
        let is_left_alone = |standing: &Standing| standing.state != State::Asked;
        standings.sort_by_key(|(_, standing)| Reverse((is_left_alone(standing), standing.waiting, standing.under_way)));
        let mut sums: BTreeMap<&str, [i64; 3]> = BTreeMap::new();
        for (at, (holder, standing)) in standings.into_iter().enumerate() {
            let holder = if at < limits::HOLDERS_MEASURED_MAX { holder.as_str() } else { "other" };
            let figures = [standing.under_way as i64, standing.waiting as i64, i64::from(is_left_alone(standing))];
            sums.entry(holder).or_default().iter_mut().zip(figures).for_each(|(sum, figure)| *sum += figure);
        }
        for (family, at) in [(&self.holder_requests, 0), (&self.holder_waiting, 1), (&self.holder_left_alone, 2)] {
            family.clear();
            for (holder, figures) in &sums {
                family.get_or_create(&HolderLabels { holder: (*holder).to_owned() }).set(figures[at]);
            }
        }
    }

    /// What has ended, ends soon or cannot be used, worst first.
    pub fn notices(&self) -> Vec<Notice> {
        self.notices.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Writes a line that somebody outside has caused, if there were not too many of them within a minute; how many were left
    /// out is said with the first of a later minute.
    pub fn say_sparingly(&self, what: &str) {
        let now = Instant::now();
        let unsaid = {
            let mut sparing = self.sparing.lock().unwrap_or_else(PoisonError::into_inner);
            let is_over = sparing.minute.is_none_or(|begun| now.duration_since(begun).as_secs() >= 60);
            let unsaid = if is_over { sparing.unsaid } else { 0 };
            if is_over {
                *sparing = Sparing { minute: Some(now), said: 0, unsaid: 0 };
            }
            if sparing.said == limits::SPARING_LINES_PER_MINUTE {
                sparing.unsaid += 1;
                return;
            }
            sparing.said += 1;
            unsaid
        };
        if unsaid > 0 {
            self.say(&format!("{unsaid} more lines of this kind were left out before"));
        }
        self.say(what);
    }

    /// Notes that a worker fails, or goes on; says so when that has changed.
    pub fn worker_is(&self, worker: Worker, trouble: Option<String>) {
        self.worker_failing.get_or_create(&WorkerLabels { worker: Label(worker.as_str()) }).set(i64::from(trouble.is_some()));
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        let name = worker.as_str();
        // Witnesses and time stamps have lines of their own, which say whose they are.
        let has_lines = matches!(worker, Worker::Witness | Worker::Stamps);
        let line = match trouble {
            Some(trouble) => {
                let line = format!("worker {name} fails, and is tried again: {trouble}");
                failing.insert(worker, trouble).is_none().then_some(line)
            }
            None => failing.remove(&worker).map(|_| format!("worker {name} works again")),
        };
        if let Some(line) = line.filter(|_| !has_lines) {
            self.say(&line);
        }
    }

    /// The workers that do not go on, and why.
    pub fn workers(&self) -> Vec<(Worker, String)> {
        let failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        failing.iter().map(|(worker, trouble)| (*worker, trouble.clone())).collect()
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
        match self.lines {
            Lines::Off => {}
            Lines::Json => write_line(&json_line(record, private)),
            Lines::Text => write_line(&text_line(record, private)),
        }
    }

    /// Writes a line about the gateway itself, whether or not there are lines about records.
    pub fn say(&self, what: &str) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
        let time = UnixTime::from_ms(now);
        write_line(&match self.lines {
            Lines::Json => serde_json::json!({ "time": time.to_string(), "gateway": what }).to_string(),
            // One line is one event, whatever a cause in the system's words holds.
            Lines::Text | Lines::Off => format!("{time} gateway: {}", what.replace(char::is_control, " ")),
        });
    }

    /// How many connections have ended for a reason, since the start.
    pub fn connections_ended(&self, why: &'static str) -> u64 {
        self.connections_ended.get_or_create(&EndLabels { why: Label(why) }).get()
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

fn write_line(line: &str) {
    let _ = std::io::stderr().lock().write_all(format!("{line}\n").as_bytes());
}

/// The leaf, with its time to read. What only the operator may know stands beside the leaf, never in it.
fn json_line(record: &Record, fault: Option<&Fault>) -> String {
    let mut line = record.leaf(&Blind::default());
    line.pop();
    let _ = write!(line, ",\"time\":\"{}\"", record.time);
    if let Some(private) = fault.and_then(|fault| fault.private.as_deref()).filter(|private| !private.is_empty()) {
        let _ = write!(line, ",\"private\":{}", serde_json::Value::from(private));
    }
    line + "}"
}

/// The same in words: what happened, between whom, about what, and why not.
fn text_line(record: &Record, fault: Option<&Fault>) -> String {
    let mut line = format!("{} {}", record.time, word(record.kind));
    let mut add = |before: &str, what: Option<String>| {
        if let Some(what) = what {
            let _ = write!(line, "{before}{what}");
        }
    };
    add(" ", record.action.as_ref().map(ToString::to_string));
    add(" ", record.message.map(|id| id.to_string()));
    add(" from ", record.consumer.as_ref().map(ToString::to_string));
    add(" on behalf of ", record.principal.as_ref().map(ToString::to_string));
    add(" to ", record.provider.as_ref().map(ToString::to_string));
    add(": ", record.document_type.as_ref().map(ToString::to_string));
    add(" for ", record.purpose.as_ref().map(ToString::to_string));
    add(" on ", record.basis.as_ref().map(|basis| basis.replace(char::is_control, " ")));
    add(", ", record.code.map(|code| format!("{code} {}", code.title())));
    add(", and so ", record.summed.map(|count| format!("{count} in all")));
    if record.kind == RecordKind::Answer {
        add(", ", Some(format!("{:.1} ms", record.elapsed_us as f64 / 1e3)));
    }
    let private = fault.and_then(|fault| fault.private.as_deref()).filter(|private| !private.is_empty());
    add("; ", private.map(|private| private.replace(char::is_control, " ")));
    line
}

fn word(kind: RecordKind) -> &'static str {
    match kind {
        RecordKind::Request => "request",
        RecordKind::Answer => "answer",
        RecordKind::Refusal => "refused",
        RecordKind::Audit => "log read",
        RecordKind::Erasure => "erased",
        RecordKind::Administration => "changed",
        RecordKind::Event => "event",
        RecordKind::Delivery => "delivery",
        RecordKind::Status => "status",
        RecordKind::Cancel => "cancelled",
        RecordKind::Case => "case",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::fault::Code;

    #[test]
    fn a_line_says_what_happened_in_words_or_as_json() {
        let mut record = Record::new(RecordKind::Refusal, UnixTime::parse("2027-03-04T05:12:09Z").expect("an instant"));
        record.consumer = crate::base::ids::AgencyId::parse("xx.school");
        record.code = Some(Code::RteUnreachable);
        let fault = Fault::new(Code::RteUnreachable).with_private("connection\nrefused");
        let line = text_line(&record, Some(&fault));
        assert!(line.starts_with("2027-03-04T05:12:09") && line.contains(" refused from xx.school, OG-RTE-002 "), "{line}");
        assert!(line.ends_with("; connection refused") && line.lines().count() == 1, "{line}");
        let line = json_line(&record, Some(&fault));
        let json: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        assert!(json["private"] == "connection\nrefused" && json["u"] == "xx.school" && json["time"].is_string(), "{line}");
        let empty = Fault::new(Code::RteUnreachable).with_private("");
        assert!(!json_line(&record, Some(&empty)).contains("private") && !text_line(&record, Some(&empty)).contains(';'));
    }

    #[test]
    fn so_many_holders_are_measured_by_name_and_the_others_as_one() {
        let telemetry = Telemetry::new(Lines::Off);
        let standing = |under_way, state| Standing { under_way, waiting: 2, state };
        let holder = |number: usize| AgencyId::parse(&format!("xx.h{number:03}")).expect("a name");
        let mut standings: Vec<_> =
            (0..limits::HOLDERS_MEASURED_MAX + 1).map(|number| (holder(number), standing(1, State::Asked))).collect();
        standings.push((holder(900), standing(0, State::Tried)));
        telemetry.holders_are(&standings);
        let text = telemetry.metrics();
        let has = |line: &str| text.lines().any(|there| there == line);
        assert!(
            has("oncegate_holder_left_alone{holder=\"xx.h900\"} 1") && has("oncegate_holder_waiting{holder=\"xx.h000\"} 2"),
            "{text}"
        );
        assert!(
            has("oncegate_holder_requests{holder=\"other\"} 2") && has("oncegate_holder_waiting{holder=\"other\"} 4"),
            "{text}"
        );
        telemetry.holders_are(&standings[..1]);
        assert_eq!(telemetry.metrics().matches("holder=").count(), 3, "what is over is measured no more");
    }

    #[test]
    fn lines_that_others_cause_are_so_many_in_a_minute() {
        let telemetry = Telemetry::new(Lines::Off);
        for _ in 0..limits::SPARING_LINES_PER_MINUTE + 7 {
            telemetry.say_sparingly("a handshake failed");
        }
        let sparing = telemetry.sparing.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!((sparing.said, sparing.unsaid), (limits::SPARING_LINES_PER_MINUTE, 7));
    }
}
