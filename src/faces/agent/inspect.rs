//! What the columns of a table are: kinds, how many cells are empty, whether each value is there once. Never a value.

use crate::base::ids::AgencyId;
use crate::base::ids::Identifier;
use crate::base::time::Day;
use crate::exchange::mapping::{Conversion, Row, Surroundings, TimeForm, identifier};
use crate::exchange::mapping::{Zone, Zones};
use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};

/// What a column is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: Box<str>,
    /// What all cells of it are that are not empty.
    pub kind: Kind,
    /// How many cells are empty.
    pub empty: u64,
    /// How many different values there are, up to [`DIFFERENT_MAX`].
    pub different: usize,
    /// Whether no value is there twice.
    pub is_unique: bool,
}

/// What cells are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// All are empty.
    Nothing,
    /// Identifiers of a scheme with check digits.
    Id(&'static str),
    /// Days of this form.
    Day(&'static str),
    /// Moments of this form.
    Instant(&'static str),
    /// Whole numbers.
    Integer,
    /// Amounts, with this before the decimals.
    Amount(char),
    /// Words for yes and no.
    YesNo,
    /// Texts.
    Text,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing"),
            Self::Id(scheme) => write!(f, "identifiers of {scheme}"),
            Self::Day(form) => write!(f, "days, {form}"),
            Self::Instant(form) => write!(f, "moments, {form}"),
            Self::Integer => f.write_str("whole numbers"),
            Self::Amount(decimal) => write!(f, "amounts, decimals behind \"{decimal}\""),
            Self::YesNo => f.write_str("yes and no"),
            Self::Text => f.write_str("texts"),
        }
    }
}

/// So many different values are told apart.
pub const DIFFERENT_MAX: usize = 1_000_000;

/// Forms of days and moments that registers write.
const DAYS: [&str; 5] = ["yyyy-mm-dd", "dd.mm.yyyy", "d.m.yyyy", "dd/mm/yyyy", "yyyymmdd"];
const INSTANTS: [&str; 6] = [
    "yyyy-mm-ddTHH:MM:SSZ",
    "yyyy-mm-dd HH:MM:SS",
    "yyyy-mm-dd HH:MM",
    "dd.mm.yyyy HH:MM",
    "dd.mm.yyyy HH:MM:SS",
    "yyyy-mm-ddTHH:MM:SS",
];

/// Looks at rows, one after the other.
pub struct Survey {
    columns: Vec<Looked>,
    rows: u64,
    hashes: RandomState,
}

struct Looked {
    name: Box<str>,
    /// What all cells so far could be.
    could_be: Vec<(Kind, Conversion)>,
    seen: BTreeSet<u64>,
    empty: u64,
    filled: u64,
    is_unique: bool,
}

struct NoZones;

impl Zones for NoZones {
    fn instant(&self, _: &str, _: Day, _: u32) -> Option<crate::base::time::UnixTime> {
        None
    }

    fn has(&self, _: &str) -> bool {
        false
    }
}

impl Survey {
    /// A survey of these columns.
    pub fn new(columns: &[Box<str>]) -> Self {
        let looked = |name: &str| Looked {
            name: name.into(),
            could_be: candidates(),
            seen: BTreeSet::new(),
            empty: 0,
            filled: 0,
            is_unique: true,
        };
        Self { columns: columns.iter().map(|name| looked(name)).collect(), rows: 0, hashes: RandomState::new() }
    }

    /// Looks at a row.
    pub fn see(&mut self, row: &Row, agency: &AgencyId) {
        self.rows = self.rows.saturating_add(1);
        let around = Surroundings { agency, today: Day::from_days(20_000), zones: &NoZones };
        for (looked, cell) in self.columns.iter_mut().zip(&row.cells) {
            let Some(text) = cell.expose() else {
                looked.empty = looked.empty.saturating_add(1);
                continue;
            };
            looked.filled = looked.filled.saturating_add(1);
            looked.could_be.retain(|(_, conversion)| match conversion {
                Conversion::Id { scheme } => identifier(scheme, text).is_some(),
                other => other.apply(text, &around).is_ok(),
            });
            if looked.seen.len() < DIFFERENT_MAX && !looked.seen.insert(self.hashes.hash_one(text)) {
                looked.is_unique = false;
            }
        }
    }

    /// How many rows there were, and what the columns are.
    pub fn finish(self) -> (u64, Vec<Column>) {
        let column = |looked: Looked| {
            let best = looked.could_be.into_iter().next().map(|(kind, _)| kind);
            let kind = if looked.filled == 0 { Kind::Nothing } else { best.unwrap_or(Kind::Text) };
            Column { name: looked.name, kind, empty: looked.empty, different: looked.seen.len(), is_unique: looked.is_unique }
        };
        (self.rows, self.columns.into_iter().map(column).collect())
    }
}

/// What a column could be, the narrowest first.
fn candidates() -> Vec<(Kind, Conversion)> {
    let mut schemes: Vec<&'static str> = Identifier::schemes().collect();
    schemes.dedup();
    let ids = schemes.into_iter().map(|scheme| (Kind::Id(scheme), Conversion::Id { scheme: scheme.into() }));
    let instants = INSTANTS.into_iter().filter_map(|text| {
        let form = TimeForm::parse(text)?;
        let zone = (!form.has_offset()).then_some(Zone::Offset(0));
        Some((Kind::Instant(text), Conversion::Instant { form, zone }))
    });
    let days = DAYS.into_iter().filter_map(|text| Some((Kind::Day(text), Conversion::Day(TimeForm::parse(text)?))));
    let words = |list: &[&str]| list.iter().map(|word| (*word).into()).collect();
    let yes_no =
        Conversion::YesNo { yes: words(&["yes", "true", "t", "y", "да"]), no: words(&["no", "false", "f", "n", "нет"]) };
    let amount = |decimal| (Kind::Amount(decimal), Conversion::Money { currency: "XXX".into(), decimal });
    ids.chain(instants)
        .chain(days)
        .chain([(Kind::YesNo, yes_no), (Kind::Integer, Conversion::Integer), amount('.'), amount(',')])
        .collect()
}
