//! An export: records of a range of the log, with the proof that the range is whole.
//!
//! The first line has the checkpoint that everything stands on, the range `[from, to)` of indexes, the filter and the
//! hashes of what is left of the range. A line for each record follows, in the order of the log: its leaf, or, where the
//! filter leaves records out, the hash of a complete subtree of them and how many they are. The last line has the hashes
//! of what is right of the range. All together give the root that the log has signed. That a record which is only hashed
//! does not fit the filter is the gateway's word; that there is a record at its place is not.

use super::{Filter, Pairs, Query};
use crate::base::ids::AgencyId;
use crate::evidence::tlog::leaf::Leaf;
use crate::evidence::tlog::note::{Checkpoint, NoteError, VerifierKey};
use crate::evidence::tlog::range::RangeVerifier;
use crate::evidence::tlog::tree::{Hash, Head};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct First {
    pub format: u32,
    pub checkpoint: String,
    pub range: (u64, u64),
    pub filter: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<Vec<String>>,
}

/// A line of the range.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Line<'l> {
    pub index: u64,
    #[serde(skip_serializing_if = "Option::is_none", borrow)]
    pub leaf: Option<Cow<'l, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", borrow)]
    pub hash: Option<Cow<'l, str>>,
}

/// The last line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Last {
    pub shown: u64,
    pub hidden: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub right: Option<Vec<String>>,
}

/// Why an export is not what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExportError {
    /// A line has not the form of one.
    Form {
        /// The line, from 1.
        line: u64,
    },
    /// The checkpoint is refused.
    Checkpoint(NoteError),
    /// It was made without a proof.
    NoProof,
    /// A line is not the one that comes next: one is missing, twice there, or at another place.
    Order {
        /// The line, from 1.
        line: u64,
        /// The index that was to come.
        expected: u64,
    },
    /// A leaf does not fit the filter that the first line states.
    Filter {
        /// The line, from 1.
        line: u64,
    },
    /// The last line counts other records than there are.
    Count {
        /// The line, from 1.
        line: u64,
    },
    /// It ends before its last line.
    Cut,
    /// The leaves and hashes do not give the root of the checkpoint: something was changed.
    NotInTree,
}

impl fmt::Display for ExportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form { line } => write!(f, "line {line}: not a line of an export"),
            Self::Checkpoint(error) => write!(f, "line 1: the checkpoint: {error}"),
            Self::NoProof => f.write_str("the export was made without a proof (proof=0)"),
            Self::Order { line, expected } => write!(f, "line {line}: record {expected} is missing here"),
            Self::Filter { line } => write!(f, "line {line}: the record does not match the filter of line 1"),
            Self::Count { line } => write!(f, "line {line}: its number of records is wrong"),
            Self::Cut => f.write_str("the last line is missing: the export was cut off"),
            Self::NotInTree => {
                f.write_str("the records do not give the root that the log has signed: at least one line was changed")
            }
        }
    }
}

impl std::error::Error for ExportError {}

/// What an export has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// The log.
    pub origin: String,
    /// Its tree.
    pub head: Head,
    /// What everything stands on: signed by the log, its cosignatures not looked at.
    pub checkpoint: Checkpoint,
    /// The range of indexes, the end not included.
    pub range: (u64, u64),
    /// What was looked for, as pairs of key and value.
    pub filter: BTreeMap<String, String>,
    /// How many records are shown.
    pub shown: u64,
    /// How many are only hashed.
    pub hidden: u64,
}

/// Takes an export line by line, in memory that does not grow with it.
pub struct ExportVerifier {
    shown: Exported,
    filter: Filter,
    range: RangeVerifier,
    line: u64,
    is_done: bool,
}

fn hashes(texts: Option<Vec<String>>, line: u64) -> Result<Vec<Hash>, ExportError> {
    let texts = texts.ok_or(ExportError::NoProof)?;
    texts.iter().map(|text| Hash::parse(text).ok_or(ExportError::Form { line })).collect()
}

impl ExportVerifier {
    /// Begins with the first line; the checkpoint must be of the log with this key.
    pub fn begin(line: &str, log: &VerifierKey) -> Result<Self, ExportError> {
        let form = ExportError::Form { line: 1 };
        let first: First = serde_json::from_str(line).map_err(|_| form.clone())?;
        let checkpoint = Checkpoint::parse(&first.checkpoint).map_err(ExportError::Checkpoint)?;
        let head = checkpoint.verify(log).map_err(ExportError::Checkpoint)?;
        let filter = read_filter(&first.filter).ok_or(form.clone())?;
        let (from, to) = first.range;
        if first.format != 1 || from > to || to > head.size {
            return Err(form);
        }
        let left = hashes(first.left, 1)?;
        let range = RangeVerifier::new(from, to, &left).map_err(|_| form)?;
        let origin = checkpoint.origin().to_owned();
        let shown = Exported { origin, head, checkpoint, range: first.range, filter: first.filter, shown: 0, hidden: 0 };
        Ok(Self { shown, filter, range, line: 1, is_done: false })
    }

    /// Takes the next line; gives the leaf if it shows one.
    pub fn line<'l>(&mut self, text: &'l str) -> Result<Option<(u64, Cow<'l, str>)>, ExportError> {
        self.line += 1;
        let (line, expected) = (self.line, self.range.next());
        let form = ExportError::Form { line };
        if self.is_done {
            return Err(form);
        }
        let Ok(read) = serde_json::from_str::<Line<'l>>(text) else { return self.last(text).map(|()| None) };
        let order = ExportError::Order { line, expected };
        if read.index != expected {
            return Err(order);
        }
        match (read.leaf, read.count, read.hash) {
            (Some(leaf), None, None) => {
                self.range.push(0, Hash::of_leaf(leaf.as_bytes())).map_err(|_| order)?;
                let fits = Leaf::parse(&leaf).is_some_and(|leaf| self.filter.matches(&leaf));
                if !fits {
                    return Err(ExportError::Filter { line });
                }
                self.shown.shown += 1;
                Ok(Some((read.index, leaf)))
            }
            (None, Some(count), Some(hash)) if count.is_power_of_two() => {
                let hash = Hash::parse(&hash).ok_or(form)?;
                self.range.push(count.trailing_zeros(), hash).map_err(|_| order)?;
                self.shown.hidden += count;
                Ok(None)
            }
            _ => Err(form),
        }
    }

    fn last(&mut self, text: &str) -> Result<(), ExportError> {
        let line = self.line;
        let last: Last = serde_json::from_str(text).map_err(|_| ExportError::Form { line })?;
        if self.range.next() != self.shown.range.1 {
            return Err(ExportError::Order { line, expected: self.range.next() });
        }
        if (last.shown, last.hidden) != (self.shown.shown, self.shown.hidden) {
            return Err(ExportError::Count { line });
        }
        let right = hashes(last.right, line)?;
        self.range.clone().finish(&right, &self.shown.head).map_err(|_| ExportError::NotInTree)?;
        self.is_done = true;
        Ok(())
    }

    /// Ends; only now is anything proved.
    pub fn finish(self) -> Result<Exported, ExportError> {
        if self.is_done { Ok(self.shown) } else { Err(ExportError::Cut) }
    }
}

/// The filter from its pairs.
fn read_filter(pairs: &BTreeMap<String, String>) -> Option<Filter> {
    let mut read = Pairs::default();
    for (key, value) in pairs {
        read.add(key.clone(), value.clone()).ok()?;
    }
    let scope = match read.take("seen-by") {
        Some(name) => Some(AgencyId::parse(&name)?),
        None => None,
    };
    Query::parse(read).ok().map(|query| Filter { scope, ..query.filter })
}

/// The columns of a table of records.
pub const COLUMNS: &str = "index,time,kind,consumer,provider,document,purpose,basis,code,message,case,grant,action,concerns,\
                           elapsed_us,octets,withheld_until,registry,on_behalf_of,in_place_of,leaf_sha256";

/// The row of a record in a table (RFC 4180), without its end; the last column is the hash that the tree has of it.
pub fn csv_row(index: u64, text: &str, leaf: &Leaf) -> String {
    use std::fmt::Write;
    let time = |ms: u64| crate::base::time::UnixTime::from_ms(ms).to_string();
    let mut row = format!("{index},{},{}", time(leaf.time), leaf.kind);
    let number = |number: Option<u64>| number.map(|number| number.to_string());
    for column in [
        &leaf.consumer,
        &leaf.provider,
        &leaf.document_type,
        &leaf.purpose,
        &leaf.basis,
        &leaf.code,
        &leaf.message,
        &leaf.case,
        &leaf.grant,
        &leaf.action,
        &number(leaf.concerns),
        &number(leaf.elapsed_us),
        &number(Some(leaf.octets)),
        &leaf.withheld_until.map(time),
        &number(Some(leaf.registry_version)),
        &leaf.principal,
        &leaf.addressed,
    ] {
        let column = column.as_deref().unwrap_or("");
        // A legal basis is whatever an agency has written, and what begins like this is carried out where tables are read.
        let mark = if column.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
        if column.contains(['"', ',', '\n', '\r']) {
            let _ = write!(row, ",\"{mark}{}\"", column.replace('"', "\"\""));
        } else {
            let _ = write!(row, ",{mark}{column}");
        }
    }
    let _ = write!(row, ",{}", crate::base::ids::Digest::from_octets(*Hash::of_leaf(text.as_bytes()).octets()));
    row
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::UnixTime;
    use crate::evidence::tlog::note::{LogSigner, Role};
    use crate::evidence::tlog::tree::Edge;
    use crate::evidence::tlog::{Blind, Record, RecordKind};
    use crate::message::crypto::PrivateKey;

    fn leaf(number: u64) -> String {
        Record::new(RecordKind::Request, UnixTime::from_ms(number)).leaf(&Blind::default())
    }

    /// Of seven records the export shows 2 and 4, and hashes 3.
    fn export() -> (Vec<String>, VerifierKey) {
        let signer = LogSigner::new("log.example", Role::Log, PrivateKey::from_seed(&[1; 32]).expect("a seed")).expect("a key");
        let mut edge = Edge::new();
        let hash = |number| Hash::of_leaf(leaf(number).as_bytes());
        (0..7).for_each(|number| edge.push(hash(number), |_, _| {}));
        let checkpoint = signer.checkpoint(Head { size: 7, root: edge.root() }).expect("signs");
        let first = First {
            format: 1,
            checkpoint: checkpoint.to_string(),
            range: (2, 5),
            filter: [("kind".to_owned(), "req".to_owned())].into(),
            left: Some(vec![Hash::of_children(&hash(0), &hash(1)).to_string()]),
        };
        let shown = |index| Line { index, leaf: Some(leaf(index).into()), count: None, hash: None };
        let hidden = Line { index: 3, leaf: None, count: Some(1), hash: Some(hash(3).to_string().into()) };
        let last = Last { shown: 2, hidden: 1, right: Some(vec![hash(5).to_string(), hash(6).to_string()]) };
        let lines = [serde_json::to_string(&first), serde_json::to_string(&shown(2)), serde_json::to_string(&hidden)];
        let more = [serde_json::to_string(&shown(4)), serde_json::to_string(&last)];
        (lines.into_iter().chain(more).map(|line| line.expect("JSON")).collect(), signer.verifier().clone())
    }

    fn verify(lines: &[String], key: &VerifierKey) -> Result<Exported, ExportError> {
        let (first, rest) = lines.split_first().expect("a line");
        let mut verifier = ExportVerifier::begin(first, key)?;
        rest.iter().try_for_each(|line| verifier.line(line).map(|_| ()))?;
        verifier.finish()
    }

    #[test]
    fn an_export_holds_and_no_changed_one() {
        let (lines, key) = export();
        let shown = verify(&lines, &key).expect("whole");
        assert_eq!((shown.shown, shown.hidden, shown.head.size), (2, 1, 7));
        for at in 0..lines.len() {
            let mut dropped = lines.clone();
            dropped.remove(at);
            assert!(verify(&dropped, &key).is_err(), "without {at}");
            let mut doubled = lines.clone();
            doubled.insert(at, lines[at].clone());
            assert!(verify(&doubled, &key).is_err(), "twice {at}");
        }
        for (at, from, to, expected) in [
            (1, "\\\"t\\\":2", "\\\"t\\\":3", ExportError::NotInTree),
            (1, "\"index\":2", "\"index\":3", ExportError::Order { line: 2, expected: 2 }),
            (1, "\\\"req\\\"", "\\\"rsp\\\"", ExportError::Filter { line: 2 }),
            (2, "\"count\":1", "\"count\":2", ExportError::Order { line: 3, expected: 3 }),
            (2, "\"count\":1", "\"count\":3", ExportError::Form { line: 3 }),
            (4, "\"hidden\":1", "\"hidden\":0", ExportError::Count { line: 5 }),
            (0, "\"range\":[2,5]", "\"range\":[2,4]", ExportError::Order { line: 4, expected: 4 }),
            (0, "\"range\":[2,5]", "\"range\":[5,2]", ExportError::Form { line: 1 }),
            (0, "\"range\":[2,5]", "\"range\":[2,99]", ExportError::Form { line: 1 }),
            (0, "\\n7\\n", "\\n8\\n", ExportError::Checkpoint(NoteError::Signature)),
        ] {
            let mut changed = lines.clone();
            changed[at] = lines[at].replacen(from, to, 1);
            assert_ne!(changed, lines, "{from}");
            assert_eq!(verify(&changed, &key), Err(expected), "{from} → {to}");
        }
    }

    #[test]
    fn no_cell_of_a_row_is_a_formula() {
        for (basis, cell) in [
            ("=HYPERLINK(\"https://x.example\")", ",\"'=HYPERLINK(\"\"https://x.example\"\")\","),
            ("@SUM(1)", ",'@SUM(1),"),
            ("+1", ",'+1,"),
            ("-1", ",'-1,"),
            ("\t=1", ",'\t=1,"),
            ("\r\n=1", ",\"'\r\n=1\","),
            ("a=1", ",a=1,"),
        ] {
            let record = Record { basis: Some(basis.into()), ..Record::new(RecordKind::Refusal, UnixTime::from_ms(5)) };
            let text = record.leaf(&Blind::default());
            let row = csv_row(9, &text, &Leaf::parse(&text).expect("a leaf"));
            assert!(row.contains(cell), "{row}");
        }
    }

    #[test]
    fn a_row_has_all_columns() {
        let mut record = Record::new(RecordKind::Answer, UnixTime::from_ms(5));
        record.basis = Some("a, \"law\"".into());
        let text = record.leaf(&Blind::default());
        let row = csv_row(9, &text, &Leaf::parse(&text).expect("a leaf"));
        assert!(row.starts_with("9,1970-01-01T00:00:00.005Z,rsp,,,,,\"a, \"\"law\"\"\",,"), "{row}");
        assert_eq!(row.replace("a, ", "").split(',').count(), COLUMNS.split(',').count());
    }
}
