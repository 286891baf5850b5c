//! What is told of many records at once: summaries and anomalies from the index's rows, exports from the leaves.

use super::index::{By, Conditions, Row};
use super::{Found, Store, StoreError};
use crate::base::limits;
use crate::base::time::{DAY_MS, Day, UnixTime};
use crate::evidence::audit::{
    Anomaly, AnomalyKind, Bucket, COLUMNS, Count, Filter, First, GROUPINGS_MAX, Group, Grouping, Histogram, Last, Line,
    QueryError,
};
use crate::evidence::audit::{Thresholds, csv_row};
use crate::evidence::tlog::RecordKind;
use crate::evidence::tlog::leaf::Leaf;
use crate::evidence::tlog::note::Checkpoint;
use crate::evidence::tlog::range;
use crate::exchange::ledger::OutcomePlace;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write;
use std::sync::Arc;

/// Why a report could not be made.
#[derive(Clone, Debug)]
pub enum ReportError {
    /// The store could not be read.
    Store(StoreError),
    /// The query asks for too much.
    Query(QueryError),
}

impl From<StoreError> for ReportError {
    fn from(cause: StoreError) -> Self {
        Self::Store(cause)
    }
}

const HOUR_MS: u64 = 60 * 60 * 1000;

fn too_wide(what: &'static str, limit: u64) -> ReportError {
    ReportError::Query(QueryError::TooWide { what, limit })
}

/// Counts a record that a report looks at.
fn one_more(count: &mut u64) -> Result<(), ReportError> {
    *count += 1;
    if *count > limits::REPORT_ROWS_MAX { Err(too_wide("records", limits::REPORT_ROWS_MAX)) } else { Ok(()) }
}

impl Store {
    /// Counts the records of a filter in groups, in the order of what the groups have in common.
    pub fn summary(&self, filter: &Filter, by: &[Grouping]) -> Result<Vec<Group>, ReportError> {
        let mut groups = BTreeMap::<[u64; GROUPINGS_MAX], Group>::new();
        let mut codes = HashMap::<u64, Arc<str>>::new();
        self.each_hit(filter, |_, row| {
            let mut key = [0; GROUPINGS_MAX];
            key.iter_mut().zip(by).for_each(|(place, by)| *place = part(row, *by));
            if groups.len() == limits::REPORT_GROUPS_MAX && !groups.contains_key(&key) {
                return Err(too_wide("groups", limits::REPORT_GROUPS_MAX as u64));
            }
            let group = groups.entry(key).or_default();
            let kind = kind_of(row);
            *group.kinds.entry(kind.map_or("", RecordKind::as_str)).or_default() += 1;
            if row.key(By::Code) != 0 {
                let code = codes.entry(row.key(By::Code)).or_insert_with_key(|number| self.text(*number));
                if let Some(count) = group.codes.get_mut(&**code) {
                    *count += 1;
                } else {
                    group.codes.insert(code.to_string(), 1);
                }
            }
            if kind == Some(RecordKind::Answer) {
                group.latencies.add(row.latency_us);
            }
            Ok(())
        })?;
        let named = groups.into_iter().map(|(key, group)| {
            let key = key.iter().zip(by).map(|(part, by)| self.part_text(*part, *by)).collect();
            Group { key, ..group }
        });
        let mut groups: Vec<Group> = named.collect();
        groups.sort_by(|left, right| left.key.cmp(&right.key));
        Ok(groups)
    }

    /// Looks for what is conspicuous among the requests of a filter.
    pub fn anomalies(&self, filter: &Filter, thresholds: &Thresholds) -> Result<Vec<Anomaly>, ReportError> {
        let mut seen = Seen::default();
        let filter = Filter { kind: Some(RecordKind::Request), ..filter.clone() };
        self.each_hit(&filter, |index, row| seen.enter(index, row, thresholds))?;
        Ok(seen.found(thresholds, |number| self.text(number)))
    }

    /// How many records a filter finds from a time to before another, in buckets of time, of which there are so many at most. What
    /// would take too long is calculated from a part of the log, and it says so.
    pub fn histogram(&self, filter: &Filter, from: UnixTime, to: UnixTime, buckets: usize) -> Result<Histogram, StoreError> {
        let mut histogram = Histogram::new(from, to, buckets);
        self.settle(u64::MAX);
        self.index.expect_written()?;
        let within = Filter {
            from: Some(filter.from.map_or(from, |earliest| earliest.max(from))),
            to: Some(filter.to.map_or(to, |latest| latest.min(to))),
            ..filter.clone()
        };
        let conditions = self.conditions(&within);
        if (filter.message.is_none() && filter.case.is_none()) || !self.count_by_leaves(&within, &conditions, &mut histogram)? {
            self.index.histogram(&conditions, &mut histogram)?;
        }
        Ok(histogram)
    }

    /// How many records a filter finds, in the same way.
    pub fn count(&self, filter: &Filter) -> Result<Count, StoreError> {
        let (from, to) = (UnixTime::from_ms(0), UnixTime::from_ms(u64::MAX));
        let histogram = self.histogram(filter, from, to, 1)?;
        Ok(Count { found: histogram.sum(), is_exact: histogram.is_exact })
    }

    /// Rows know ids by half of them: the leaves of what they find are read. Not if there are too many: then rows have to do.
    fn count_by_leaves(&self, filter: &Filter, conditions: &Conditions, histogram: &mut Histogram) -> Result<bool, StoreError> {
        let (mut rows, mut more) = (Vec::new(), false);
        self.index.each_hit(conditions, u64::MAX, |index, row| {
            more = rows.len() == limits::COUNT_LEAVES_MAX;
            if !more {
                rows.push((index, *row));
            }
            more
        })?;
        histogram.is_exact = !more;
        if more {
            return Ok(false);
        }
        for (index, row) in rows {
            let place = OutcomePlace { index, segment: row.segment, offset: row.offset };
            let found = self.with_frame(place, super::found)?;
            let bucket = histogram.bucket_of(UnixTime::from_ms(row.time)).and_then(|at| histogram.buckets.get_mut(at));
            if let Some(bucket) = bucket.filter(|_| super::has_ids_of(filter, &found)) {
                bucket.add(Bucket { records: 1, refused: u64::from(kind_of(&row) == Some(RecordKind::Refusal)) });
            }
        }
        Ok(true)
    }

    fn text(&self, number: u64) -> Arc<str> {
        self.index.name(number).unwrap_or_else(|| "".into())
    }

    fn part_text(&self, part: u64, by: Grouping) -> String {
        match by {
            Grouping::Day => Day::from_days(part as i64).to_string(),
            Grouping::Hour => UnixTime::from_ms(part * HOUR_MS).to_string(),
            Grouping::Kind => {
                part.checked_sub(1).and_then(|at| RecordKind::ALL.get(at as usize)).map_or("", |kind| kind.as_str()).to_owned()
            }
            _ => self.text(part).to_string(),
        }
    }

    fn each_hit(&self, filter: &Filter, mut visit: impl FnMut(u64, &Row) -> Result<(), ReportError>) -> Result<(), ReportError> {
        self.settle(u64::MAX);
        let (mut result, mut count) = (Ok(()), 0);
        self.index.each_hit(&self.conditions(filter), u64::MAX, |index, row| {
            result = one_more(&mut count).and_then(|()| visit(index, row));
            result.is_err()
        })?;
        result
    }
}

pub(super) fn kind_of(row: &Row) -> Option<RecordKind> {
    usize::from(row.kind).checked_sub(1).and_then(|at| RecordKind::ALL.get(at)).copied()
}

fn part(row: &Row, by: Grouping) -> u64 {
    match by {
        Grouping::Consumer => row.key(By::Consumer),
        Grouping::Provider => row.key(By::Provider),
        Grouping::Document => row.key(By::DocumentType),
        Grouping::Purpose => row.key(By::Purpose),
        Grouping::Basis => row.key(By::Basis),
        Grouping::Code => row.key(By::Code),
        Grouping::Kind => u64::from(row.kind),
        Grouping::Day => row.time / DAY_MS,
        Grouping::Hour => row.time / HOUR_MS,
    }
}

/// How many, and one of them.
#[derive(Clone, Copy, Default)]
struct Tally {
    count: u64,
    example: u64,
}

impl Tally {
    fn add(&mut self, index: u64) {
        (self.count, self.example) = (self.count + 1, index);
    }
}

/// What the requests had in common.
#[derive(Default)]
struct Seen {
    at_night: BTreeMap<u64, Tally>,
    daily: BTreeMap<u64, BTreeMap<u64, Tally>>,
    /// Consumer, official, day, person.
    asked: HashSet<(u64, u64, u64, u64)>,
    persons: HashMap<(u64, u64, u64), Tally>,
    /// Person, day, consumer.
    asking: HashSet<(u64, u64, u64)>,
    agencies: HashMap<(u64, u64), Tally>,
}

impl Seen {
    fn enter(&mut self, index: u64, row: &Row, thresholds: &Thresholds) -> Result<(), ReportError> {
        let (consumer, official, person) = (row.key(By::Consumer), row.key(By::Official), row.key(By::Person));
        let (day, hour) = (row.time / DAY_MS, row.time / HOUR_MS % 24);
        if thresholds.is_night(hour as u8) {
            self.at_night.entry(consumer).or_default().add(index);
        }
        self.daily.entry(consumer).or_default().entry(day).or_default().add(index);
        if person == 0 {
            return Ok(());
        }
        if self.asked.insert((consumer, official, day, person)) {
            self.persons.entry((consumer, official, day)).or_default().add(index);
        }
        if self.asking.insert((person, day, consumer)) {
            self.agencies.entry((person, day)).or_default().add(index);
        }
        if self.asked.len().max(self.asking.len()) > limits::REPORT_PAIRS_MAX {
            return Err(too_wide("different persons asked for", limits::REPORT_PAIRS_MAX as u64));
        }
        Ok(())
    }

    fn found(&self, thresholds: &Thresholds, name: impl Fn(u64) -> Arc<str>) -> Vec<Anomaly> {
        let anomaly = |kind, agency: Option<u64>, day: Option<u64>, tally: &Tally, usual| Anomaly {
            kind,
            agency: agency.map(|agency| name(agency).to_string()),
            official: None,
            day: day.map(|day| Day::from_days(day as i64)),
            count: tally.count,
            usual,
            example: tally.example,
        };
        let mut found = Vec::new();
        for (agency, tally) in self.at_night.iter().filter(|(_, tally)| tally.count >= thresholds.nightly) {
            let all = self.daily.get(agency).map_or(0, |days| days.values().map(|tally| tally.count).sum());
            found.push(anomaly(AnomalyKind::Night, Some(*agency), None, tally, Some(all)));
        }
        for ((agency, official, day), tally) in self.persons.iter().filter(|(_, tally)| tally.count >= thresholds.persons) {
            let official = (*official != 0).then(|| format!("{official:016x}"));
            let many = anomaly(AnomalyKind::ManyPersons, Some(*agency), Some(*day), tally, None);
            found.push(Anomaly { official, ..many });
        }
        for ((_, day), tally) in self.agencies.iter().filter(|(_, tally)| tally.count >= thresholds.agencies) {
            found.push(anomaly(AnomalyKind::ManyAgencies, None, Some(*day), tally, None));
        }
        for (agency, days) in &self.daily {
            let usual = usual_of(days);
            for (day, tally) in days {
                if usual.is_some_and(|usual| tally.count >= thresholds.jump.saturating_mul(usual.max(JUMP_MIN))) {
                    found.push(anomaly(AnomalyKind::Jump, Some(*agency), Some(*day), tally, usual));
                }
            }
        }
        most_conspicuous(found)
    }
}

/// An agency that asks once a day and then thrice has not jumped.
const JUMP_MIN: u64 = 4;
/// A usual day can be told from so many.
const JUMP_DAYS_MIN: usize = 4;

/// The number of requests of a usual day: the median of all days from the first to the last.
fn usual_of(days: &BTreeMap<u64, Tally>) -> Option<u64> {
    let (first, last) = (days.keys().next()?, days.keys().next_back()?);
    let all = (last - first + 1) as usize;
    let mut counts: Vec<u64> = days.values().map(|tally| tally.count).collect();
    counts.sort_unstable();
    // Days without requests come before all others.
    let middle = (all / 2).checked_sub(all - counts.len()).map_or(Some(0), |at| counts.get(at).copied())?;
    (all >= JUMP_DAYS_MIN).then_some(middle)
}

/// The largest of each kind.
fn most_conspicuous(mut found: Vec<Anomaly>) -> Vec<Anomaly> {
    found.sort_by(|left, right| {
        left.kind.cmp(&right.kind).then(right.count.cmp(&left.count)).then(right.example.cmp(&left.example))
    });
    let mut told = BTreeMap::<AnomalyKind, usize>::new();
    found.retain(|anomaly| {
        let told = told.entry(anomaly.kind).or_default();
        *told += 1;
        *told <= limits::ANOMALIES_MAX
    });
    found
}

/// The form of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportForm {
    /// Lines of JSON that prove that the range is whole.
    Proved,
    /// Lines of JSON without a proof.
    Plain,
    /// A table: comma-separated values.
    Table,
}

/// An export that is being made, a portion at a time.
pub struct Export {
    filter: Filter,
    conditions: Conditions,
    form: ExportForm,
    checkpoint: Arc<Checkpoint>,
    range: (u64, u64),
    next: u64,
    /// Where the records begin that are not shown and not yet written.
    hidden_from: u64,
    shown: u64,
    state: ExportState,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ExportState {
    Begins,
    Goes,
    Done,
}

impl Export {
    /// What it stands on.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The range of indexes, the end not included.
    pub fn range(&self) -> (u64, u64) {
        self.range
    }
}

/// Rows of an export that are read together.
const EXPORT_ROWS: u64 = 512;

impl Store {
    /// Begins an export of what a filter finds. Its range is that of the indexes of all records between the filter's
    /// times: times are those of decisions, and records come into the log in nearly, but not quite, their order.
    pub fn export(&self, filter: Filter, form: ExportForm) -> Result<Export, StoreError> {
        let checkpoint = self.checkpoint();
        let size = self.settle(checkpoint.claimed().size).min(checkpoint.claimed().size);
        let times = Filter { from: filter.from, to: filter.to, ..Filter::default() };
        let (mut first, mut last) = (None, None);
        if times != Filter::default() {
            self.index.each_hit(&self.conditions(&times), size, |index, _| {
                first = Some(index);
                last = last.or(first);
                false
            })?;
        }
        let range = match (first, last) {
            (Some(first), Some(last)) => {
                (if filter.from.is_some() { first } else { 0 }, if filter.to.is_some() { last + 1 } else { size })
            }
            _ if times == Filter::default() => (0, size),
            _ => (size, size),
        };
        let conditions = self.conditions(&filter);
        let (next, state) = (range.0, ExportState::Begins);
        Ok(Export { filter, conditions, form, checkpoint, range, next, hidden_from: next, shown: 0, state })
    }

    /// Makes the next portion of an export; none when it is done.
    pub fn export_next(&self, export: &mut Export) -> Result<Option<String>, StoreError> {
        let mut out = String::new();
        if export.state == ExportState::Done {
            return Ok(None);
        }
        if export.state == ExportState::Begins {
            self.export_first(export, &mut out)?;
            export.state = ExportState::Goes;
        }
        let mut rows = Vec::new();
        while export.next < export.range.1 && out.len() < limits::EXPORT_CHUNK_BYTES {
            self.index.rows_from(export.next, export.range.1.min(export.next + EXPORT_ROWS), &mut rows)?;
            if rows.is_empty() {
                return Err(StoreError::Index("rows are missing".to_owned()));
            }
            for row in &rows {
                if export.conditions.hold(row, None) {
                    self.export_record(export, row, &mut out)?;
                }
                export.next += 1;
            }
        }
        if export.next >= export.range.1 {
            self.export_last(export, &mut out)?;
            export.state = ExportState::Done;
        }
        Ok(Some(out))
    }

    fn export_first(&self, export: &Export, out: &mut String) -> Result<(), StoreError> {
        if export.form == ExportForm::Table {
            let _ = write!(out, "{COLUMNS}\r\n");
            return Ok(());
        }
        let left = (export.form == ExportForm::Proved).then(|| self.range_hashes(0, export.range.0)).transpose()?;
        let filter = export.filter.to_pairs().into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        json_line(&First { format: 1, checkpoint: export.checkpoint.to_string(), range: export.range, filter, left }, out)
    }

    fn export_record(&self, export: &mut Export, row: &Row, out: &mut String) -> Result<(), StoreError> {
        let index = export.next;
        let place = OutcomePlace { index, segment: row.segment, offset: row.offset };
        let Found { leaf: text, .. } = self.with_frame(place, super::found)?;
        // A row knows ids by half of them; and of what was shredded there is no leaf.
        let Some(leaf) = Leaf::parse(&text).filter(|leaf| export.filter.matches(leaf)) else { return Ok(()) };
        export.shown += 1;
        if export.form == ExportForm::Table {
            let _ = write!(out, "{}\r\n", csv_row(index, &text, &leaf));
            return Ok(());
        }
        self.export_hidden(export, index, out)?;
        export.hidden_from = index + 1;
        json_line(&Line { index, leaf: Some(text.into()), count: None, hash: None }, out)
    }

    /// Writes the hashes of the records that were not shown, up to before `end`.
    fn export_hidden(&self, export: &Export, end: u64, out: &mut String) -> Result<(), StoreError> {
        if export.form != ExportForm::Proved {
            return Ok(());
        }
        let hashes = range::prove(&*self.tree, export.hidden_from, end)?;
        for ((index, height), hash) in range::pieces(export.hidden_from, end).zip(hashes) {
            json_line(&Line { index, leaf: None, count: Some(1 << height), hash: Some(hash.to_string().into()) }, out)?;
        }
        Ok(())
    }

    fn export_last(&self, export: &Export, out: &mut String) -> Result<(), StoreError> {
        if export.form == ExportForm::Table {
            return Ok(());
        }
        let (from, to) = export.range;
        self.export_hidden(export, to, out)?;
        let size = export.checkpoint.claimed().size;
        let right = (export.form == ExportForm::Proved).then(|| self.range_hashes(to, size)).transpose()?;
        json_line(&Last { shown: export.shown, hidden: to - from - export.shown, right }, out)
    }

    fn range_hashes(&self, from: u64, to: u64) -> Result<Vec<String>, StoreError> {
        Ok(range::prove(&*self.tree, from, to)?.iter().map(ToString::to_string).collect())
    }
}

fn json_line(value: &impl serde::Serialize, out: &mut String) -> Result<(), StoreError> {
    let line = serde_json::to_string(value).map_err(|cause| StoreError::Index(cause.to_string()))?;
    out.push_str(&line);
    out.push('\n');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An agency asks by an official for a person, at noon of the first day.
    fn asks(person: u64) -> Row {
        let mut row = Row { time: 12 * HOUR_MS, ..Row::default() };
        for (by, key) in [(By::Consumer, 1), (By::Official, 2), (By::Person, person)] {
            row.keys[by.number()] = key;
        }
        row
    }

    #[test]
    fn so_many_pairs_are_kept_in_memory_and_no_more() {
        let (mut seen, thresholds) = (Seen::default(), Thresholds::default());
        let most = limits::REPORT_PAIRS_MAX as u64;
        seen.asking.extend((2..=most).map(|person| (person, 0, 1)));
        assert!(seen.enter(0, &asks(1), &thresholds).is_ok());
        assert_eq!((seen.asked.len(), seen.asking.len()), (1, limits::REPORT_PAIRS_MAX));
        let refused = seen.enter(0, &asks(most + 1), &thresholds);
        assert!(matches!(refused, Err(ReportError::Query(QueryError::TooWide { limit, .. })) if limit == most), "{refused:?}");
    }

    #[test]
    fn a_pair_that_is_known_is_no_further_one() {
        let (mut seen, thresholds) = (Seen::default(), Thresholds::default());
        seen.asking.extend((2..=limits::REPORT_PAIRS_MAX as u64).map(|person| (person, 0, 1)));
        for person in [1, 1, 2, 0] {
            assert!(seen.enter(0, &asks(person), &thresholds).is_ok(), "{person}");
        }
    }

    #[test]
    fn a_report_looks_at_so_many_records_and_no_more() {
        let mut count = limits::REPORT_ROWS_MAX - 1;
        assert!(one_more(&mut count).is_ok());
        let refused = one_more(&mut count);
        let is_of_the_limit = |limit| limit == limits::REPORT_ROWS_MAX;
        assert!(matches!(refused, Err(ReportError::Query(QueryError::TooWide { limit, .. })) if is_of_the_limit(limit)));
    }

    #[test]
    fn so_many_anomalies_of_a_kind_are_told_and_no_more() {
        let anomaly = |kind, count| Anomaly { kind, agency: None, official: None, day: None, count, usual: None, example: 0 };
        let told = |nights: u64| {
            let nights = (1..=nights).map(|count| anomaly(AnomalyKind::Night, count));
            let told = most_conspicuous(nights.chain([anomaly(AnomalyKind::Jump, 1)]).collect());
            (told.len(), told.iter().map(|anomaly| anomaly.count).min_by_key(|count| (*count == 1, *count)))
        };
        let most = limits::ANOMALIES_MAX;
        assert_eq!(told(most as u64), (most + 1, Some(2)));
        assert_eq!(told(most as u64 + 5), (most + 1, Some(6)), "the least conspicuous are left out");
    }
}
