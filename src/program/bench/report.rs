//! What was found, as a table and as JSON.

use super::load::{Outcome, Weight};
use super::model::Model;
use super::primitive::{self, Primitives, median};
use super::process;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// The version of the JSON form.
const FORMAT: u32 = 1;

/// One size in one round.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct OfWeight {
    pub(super) exchange: Outcome,
    pub(super) forward: Outcome,
    pub(super) nginx: Option<Outcome>,
    pub(super) xmlsec_us: Option<f64>,
}

/// One round.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Round {
    pub(super) primitives: Primitives,
    pub(super) small: OfWeight,
    pub(super) large: OfWeight,
    pub(super) volatile: Option<Outcome>,
    pub(super) few: Option<Outcome>,
    pub(super) many: Option<Outcome>,
}

impl Round {
    fn of(&self, weight: Weight) -> &OfWeight {
        if weight == Weight::W2 { &self.small } else { &self.large }
    }

    fn model(&self, weight: Weight) -> Model {
        Model::of(weight, &self.primitives, self.of(weight).forward.cpu_us)
    }
}

/// What is said of the machine: its class, nothing that would name it.
#[derive(Clone, Debug, Default)]
pub(super) struct Machine {
    cores: usize,
    is_pinned: bool,
}

impl Machine {
    pub(super) fn here() -> Self {
        let cores = std::fs::read_to_string("/proc/cpuinfo")
            .map_or(0, |text| text.lines().filter(|line| line.starts_with("processor")).count());
        Self { cores, is_pinned: process::can_pin() || cores >= 2 }
    }
}

/// All figures.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    pub(super) machine: Machine,
    pub(super) rounds: Vec<Round>,
    pub(super) load_seconds: f64,
    pub(super) registry: (usize, usize),
    pub(super) kib_per_agency: f64,
    pub(super) fresh_start_seconds: f64,
    pub(super) full_start_seconds: f64,
    pub(super) fresh_mib: f64,
    pub(super) endurance_mib: f64,
}

/// What was measured, row by row.
#[derive(Clone, Debug)]
pub struct Report {
    rows: Vec<Row>,
    machine: Machine,
    rounds: usize,
}

/// One figure.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its name in JSON.
    pub key: &'static str,
    /// What it is.
    pub name: String,
    /// The median of the rounds.
    pub value: f64,
    /// Its unit; empty for a ratio.
    pub unit: &'static str,
    /// What it should be.
    pub goal: Option<Goal>,
}

/// What a figure should be.
#[derive(Clone, Copy, Debug)]
pub enum Goal {
    /// At least this.
    AtLeast(f64),
    /// At most this.
    AtMost(f64),
}

impl Row {
    /// Whether the figure is as it should be; nothing without a goal.
    pub fn is_met(&self) -> Option<bool> {
        self.goal.map(|goal| match goal {
            Goal::AtLeast(least) => self.value >= least,
            Goal::AtMost(most) => self.value <= most,
        })
    }
}

impl Report {
    pub(super) fn new(found: Found) -> Self {
        let mut rows = Rows { rounds: &found.rounds, rows: Vec::new() };
        for weight in Weight::ALL {
            rows.exchange(weight);
        }
        rows.primitives();
        if found.registry.0 > 0 {
            rows.full(&found);
        }
        Self { rows: rows.rows, rounds: found.rounds.len(), machine: found.machine }
    }

    /// All rows.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The table for people.
    pub fn table(&self) -> String {
        let width = self.rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
        let mut out = String::new();
        let pinned = if self.machine.is_pinned { "gateway and load on a core of their own" } else { "not pinned: one core" };
        let _ = writeln!(
            out,
            "{} cores, {pinned}, medians of {} rounds, CPU time from the scheduler\n",
            self.machine.cores, self.rounds
        );
        for row in &self.rows {
            let goal = match row.goal {
                Some(Goal::AtLeast(least)) => format!("≥ {least}"),
                Some(Goal::AtMost(most)) => format!("≤ {most}"),
                None => String::new(),
            };
            let verdict = row.is_met().map_or("", |is_met| if is_met { "met" } else { "MISSED" });
            let line = format!("{:width$}  {:>10} {:<8} {goal:<8} {verdict}", row.name, shown(row.value), row.unit);
            let _ = writeln!(out, "{}", line.trim_end());
        }
        out
    }

    /// One document for programs.
    pub fn json(&self) -> Value {
        let rows = self.rows.iter().map(|row| {
            let (least, most) = match row.goal {
                Some(Goal::AtLeast(least)) => (Some(least), None),
                Some(Goal::AtMost(most)) => (None, Some(most)),
                None => (None, None),
            };
            json!({ "key": row.key, "name": row.name, "value": row.value, "unit": row.unit, "atLeast": least, "atMost": most, "met": row.is_met() })
        });
        json!({ "format": FORMAT, "cores": self.machine.cores, "pinned": self.machine.is_pinned, "rounds": self.rounds, "rows": rows.collect::<Vec<_>>() })
    }
}

/// Three digits that count.
fn shown(value: f64) -> String {
    match value.abs() {
        large if large >= 1000.0 => format!("{value:.0}"),
        middle if middle >= 10.0 => format!("{value:.1}"),
        small if small >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

struct Rows<'r> {
    rounds: &'r [Round],
    rows: Vec<Row>,
}

impl Rows<'_> {
    fn add(&mut self, key: &'static str, name: impl Into<String>, value: f64, unit: &'static str, goal: Option<Goal>) {
        self.rows.push(Row { key, name: name.into(), value, unit, goal });
    }

    /// The median over the rounds of what each has; none if a round lacks it.
    fn median(&self, figure: impl Fn(&Round) -> Option<f64>) -> Option<f64> {
        let mut figures = self.rounds.iter().map(figure).collect::<Option<Vec<f64>>>()?;
        (!figures.is_empty()).then(|| median(&mut figures))
    }

    fn row(
        &mut self,
        key: &'static str,
        name: &str,
        unit: &'static str,
        goal: Option<Goal>,
        figure: impl Fn(&Round) -> Option<f64>,
    ) {
        if let Some(value) = self.median(figure) {
            self.add(key, name, value, unit, goal);
        }
    }

    fn exchange(&mut self, weight: Weight) {
        let small = weight == Weight::W2;
        let size = if small { "2 KiB" } else { "200 KiB" };
        let key = |for_small: &'static str, for_large: &'static str| if small { for_small } else { for_large };
        let name = |what: &str| format!("{size}: {what}");
        let cpu = |outcome: Option<&Outcome>| outcome.map(|outcome| outcome.cpu_us);
        let at = move |round: &Round| *round.of(weight);
        self.row(key("w2.perSecond", "w200.perSecond"), &name("exchanges per second, one core"), "/s", None, |round| {
            Some(at(round).exchange.per_second)
        });
        self.row(key("w2.cpu", "w200.cpu"), &name("CPU of the gateway per exchange"), "us", None, |round| {
            Some(at(round).exchange.cpu_us)
        });
        self.row(key("w2.p50", "w200.p50"), &name("median time, 32 open"), "us", None, |round| Some(at(round).exchange.p50_us));
        self.row(key("w2.p99", "w200.p99"), &name("99 of 100 within, 32 open"), "us", None, |round| {
            Some(at(round).exchange.p99_us)
        });
        self.row(key("w2.loadShare", "w200.loadShare"), &name("share of the load's core in use"), "", None, |round| {
            Some(at(round).exchange.load_share)
        });
        self.row(key("w2.modelB", "w200.modelB"), &name("floor model, receipt each (B)"), "us", None, |round| {
            Some(round.model(weight).receipts)
        });
        self.row(key("w2.modelC", "w200.modelC"), &name("floor model, Merkle receipts (C)"), "us", None, |round| {
            Some(round.model(weight).merkle)
        });
        self.row(key("w2.modelStrict", "w200.modelStrict"), &name("floor model, strict"), "us", None, |round| {
            Some(round.model(weight).strict)
        });
        let least = Some(Goal::AtLeast(if small { 0.65 } else { 0.80 }));
        self.row(key("w2.floorShare", "w200.floorShare"), &name("floor share (C / CPU)"), "", least, |round| {
            Some(round.model(weight).merkle / at(round).exchange.cpu_us)
        });
        self.row(key("w2.strictShare", "w200.strictShare"), &name("strict floor share"), "", None, |round| {
            Some(round.model(weight).strict / at(round).exchange.cpu_us)
        });
        self.row(key("w2.forward", "w200.forward"), &name("CPU of bare forwarding"), "us", None, |round| {
            Some(at(round).forward.cpu_us)
        });
        self.row(key("w2.nginx", "w200.nginx"), &name("CPU of nginx, two hops"), "us", None, |round| {
            cpu(at(round).nginx.as_ref())
        });
        let most = Some(Goal::AtMost(if small { 0.9 } else { 0.6 }));
        self.row(key("w2.forwardToNginx", "w200.forwardToNginx"), &name("bare forwarding / nginx, CPU"), "", most, |round| {
            Some(at(round).forward.cpu_us / at(round).nginx?.cpu_us)
        });
        let (share, wall) = (small.then_some(Goal::AtLeast(0.12)), small.then_some(Goal::AtLeast(0.12)));
        self.row(key("w2.toNginx", "w200.toNginx"), &name("exchanges/s / nginx's requests/s"), "", wall, |round| {
            Some(at(round).exchange.per_second / at(round).nginx?.per_second)
        });
        self.row(key("w2.toNginxCpu", "w200.toNginxCpu"), &name("the same by CPU"), "", share, |round| {
            Some(at(round).nginx?.cpu_us / at(round).exchange.cpu_us)
        });
    }

    fn primitives(&mut self) {
        let of = |figure: fn(&Primitives) -> f64| move |round: &Round| Some(figure(&round.primitives));
        self.row("p256Verify", "P-256 verification", "us", None, of(|found| found.p256_verify));
        self.row("p256Sign", "P-256 signature", "us", None, of(|found| found.p256_sign));
        self.row("merkleNode", "Merkle node", "us", None, of(|found| found.node));
        self.row("syncCpu", "fdatasync of 1 KiB written before, CPU", "us", None, of(|found| found.sync_cpu));
        self.row("syncWall", "fdatasync of 1 KiB written before, median", "us", None, of(|found| found.sync_wall));
        type Figure = fn(&primitive::OfWeight) -> f64;
        let rows: [(&'static str, &'static str, &str, Figure); 5] = [
            ("sha256.w2", "sha256.w200", "SHA-256", |of| of.sha256),
            ("pull.w2", "pull.w200", "quick-xml alone", |of| of.pull),
            ("canonical.w2", "canonical.w200", "canonical form and hash", |of| of.canonical),
            ("verify.w2", "verify.w200", "verification of a message", |of| of.verify),
            ("admit.w2", "admit.w200", "the same, envelope read and schema checked", |of| of.admit),
        ];
        for (small, large, name, figure) in rows {
            self.row(small, &format!("{name}, 2 KiB"), "us", None, move |round| Some(figure(&round.primitives.small)));
            self.row(large, &format!("{name}, 200 KiB"), "us", None, move |round| Some(figure(&round.primitives.large)));
        }
        let speed = |round: &Round| Some(Weight::W200.octets() as f64 / round.primitives.large.canonical);
        self.row("canonicalSpeed", "canonical form and hash, 200 KiB", "MB/s", Some(Goal::AtLeast(400.0)), speed);
        let over = |weight| move |round: &Round| Some(round.of(weight).xmlsec_us? / round.primitives.of(weight).verify);
        self.row("xmlsec.w2", "verification / libxmlsec1's, speed, 2 KiB", "", Some(Goal::AtLeast(2.0)), over(Weight::W2));
        self.row("xmlsec.w200", "verification / libxmlsec1's, speed, 200 KiB", "", Some(Goal::AtLeast(4.0)), over(Weight::W200));
    }

    fn full(&mut self, found: &Found) {
        self.row("durability", "durable / not durable, exchanges/s", "", Some(Goal::AtLeast(0.90)), |round| {
            Some(round.small.exchange.per_second / round.volatile?.per_second)
        });
        self.row("durabilityCpu", "not durable / durable, CPU", "", None, |round| {
            Some(round.volatile?.cpu_us / round.small.exchange.cpu_us)
        });
        self.row("manyAgencies", "10,000 agencies / 10 agencies, CPU per exchange", "", Some(Goal::AtMost(1.05)), |round| {
            Some(round.many?.cpu_us / round.few?.cpu_us)
        });
        let (agencies, grants) = found.registry;
        let name = format!("loading {agencies} agencies and {grants} grants");
        self.add("loadSeconds", name, found.load_seconds, "s", Some(Goal::AtMost(2.0)));
        self.add("kibPerAgency", "resident memory per agency", found.kib_per_agency, "KiB", Some(Goal::AtMost(4.0)));
        self.add("freshStart", "start to first answer", found.fresh_start_seconds, "s", Some(Goal::AtMost(1.0)));
        self.add("fullStart", "start to first answer after 100,000 exchanges", found.full_start_seconds, "s", None);
        self.add("freshMemory", "resident memory at start", found.fresh_mib, "MiB", None);
        self.add("memory", "resident memory after 100,000 exchanges", found.endurance_mib, "MiB", Some(Goal::AtMost(160.0)));
    }
}
