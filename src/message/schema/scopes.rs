//! How whoever a document is about is put together: the compiled form of the rows of `documents.toml`.
//!
//! Each element of a subject is a *scope*: what is kept inside it belongs to it, in whatever order it comes and however it is
//! nested, until it ends. Conversions are a closed list: parts of names put together, words of a name, forms of dates and of
//! identifiers, codes of schemes.

use super::facts::SubjectKind;
use serde::Deserialize;
use std::borrow::Cow;

/// What is kept together while its element is open.
#[derive(Clone, Debug)]
pub(super) enum Scope {
    /// Somebody the document is about.
    Subject(Form),
    /// An identifier whose scheme stands beside it as a code.
    Identifier { of: usize, form: IdForm, schemes: Vec<(String, String)> },
    /// An element that holds both a subject and what says its role; slot by slot for each row.
    Meeting,
}

impl Scope {
    /// Of those that begin at one element, which is outside of which.
    pub(super) const fn rank(&self) -> u8 {
        match self {
            Self::Meeting => 0,
            Self::Subject(_) => 1,
            Self::Identifier { .. } => 2,
        }
    }
}

/// How the parts of a subject are put together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) kind: SubjectKind,
    /// The rows that it may stand for.
    pub(super) rows: Vec<usize>,
    pub(super) family: Vec<Piece>,
    pub(super) given: Vec<Piece>,
    pub(super) name: Vec<Piece>,
    pub(super) birth: Option<Birth>,
    pub(super) slots: u16,
}

/// A part of a name: a value that was kept, or words of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) slot: u16,
    pub(super) words: Words,
}

/// Which words of a text.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Words {
    #[default]
    All,
    First,
    Last,
    AllButFirst,
    AllButLast,
}

/// Where a date of birth is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Birth {
    Written { slot: u16, form: DateForm },
    Parts { year: u16, month: Option<u16>, day: Option<u16> },
}

/// How a date is written: `yyyy`, `mm` and `dd` in some order, with or without signs between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DateForm(Vec<DatePart>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DatePart {
    Year,
    Month,
    Day,
    Sign(char),
}

/// How an identifier is written.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum IdForm {
    /// As its scheme has it.
    #[default]
    Plain,
    /// With signs between the digits, which are left out: `112-233-445 95`.
    Digits,
    /// Behind the last sign of a longer one: `ES/AT/02635542Y`, `urn:id:123`.
    LastPart,
}

/// The slots of an identifier whose scheme is a code.
pub(super) const VALUE: u16 = 0;
/// The code of its scheme.
pub(super) const CODE: u16 = 1;

impl Words {
    /// These words of a text.
    pub(super) fn of(self, text: &str) -> impl Iterator<Item = &str> {
        let count = text.split_whitespace().count();
        let (skipped, taken) = match self {
            Self::All => (0, count),
            Self::First => (0, 1),
            Self::Last => (count.saturating_sub(1), 1),
            Self::AllButFirst => (1, count),
            Self::AllButLast => (0, count.saturating_sub(1)),
        };
        text.split_whitespace().skip(skipped).take(taken)
    }
}

impl IdForm {
    /// An identifier as its scheme has it.
    pub(super) fn read(self, text: &str) -> Cow<'_, str> {
        match self {
            Self::Plain => Cow::Borrowed(text),
            Self::Digits => text.chars().filter(char::is_ascii_digit).collect(),
            Self::LastPart => Cow::Borrowed(text.rsplit(['/', ':', '|', '#']).next().unwrap_or(text)),
        }
    }
}

impl DateForm {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(sign) = rest.chars().next() {
            let (part, length) = match sign {
                _ if rest.starts_with("yyyy") => (DatePart::Year, 4),
                _ if rest.starts_with("mm") => (DatePart::Month, 2),
                _ if rest.starts_with("dd") => (DatePart::Day, 2),
                'y' | 'm' | 'd' => return Err(wrong_form(text)),
                sign => (DatePart::Sign(sign), sign.len_utf8()),
            };
            let is_sign = matches!(part, DatePart::Sign(_));
            if !is_sign && parts.contains(&part) {
                return Err(wrong_form(text));
            }
            parts.push(part);
            rest = rest.get(length..).unwrap_or_default();
        }
        let has = |part| parts.contains(&part);
        if !has(DatePart::Year) || has(DatePart::Day) && !has(DatePart::Month) || parts.len() > 8 {
            return Err(wrong_form(text));
        }
        Ok(Self(parts))
    }

    /// A date as a question has it; one that cannot be read is none. What follows, a time or a time zone, does not move a birthday.
    pub(super) fn read(&self, text: &str) -> Option<String> {
        let (mut year, mut month, mut day) = ("", None, None);
        let mut rest = text;
        for (at, part) in self.0.iter().enumerate() {
            let length = if *part == DatePart::Year { 4 } else { 2 };
            match part {
                // Ours has births known by the year or the month only.
                DatePart::Sign(_) if at > 0 && rest.is_empty() => break,
                DatePart::Sign(sign) => rest = rest.strip_prefix(*sign)?,
                DatePart::Year | DatePart::Month | DatePart::Day => {
                    let (digits, behind) = rest.split_at_checked(length)?;
                    digits.bytes().all(|octet| octet.is_ascii_digit()).then_some(())?;
                    rest = behind;
                    match part {
                        DatePart::Year => year = digits,
                        DatePart::Month => month = Some(digits),
                        _ => day = Some(digits),
                    }
                }
            }
        }
        if rest.starts_with(|sign: char| sign.is_ascii_digit()) {
            return None;
        }
        joined(year, month, day)
    }
}

fn wrong_form(text: &str) -> String {
    format!("the form {text}, which is not one of a date; write yyyy, mm and dd once each, as in dd.mm.yyyy")
}

/// A date of its parts; a month or day that is not known is absent, or zero.
pub(super) fn joined(year: &str, month: Option<&str>, day: Option<&str>) -> Option<String> {
    let good = |text: &str| (1..=4).contains(&text.len()) && text.bytes().all(|octet| octet.is_ascii_digit());
    // Nothing but zeros is a part that is not known.
    let known = |part: Option<&str>| match part {
        None | Some("") => Some(false),
        Some(text) => good(text).then(|| text.len() > 2 || text.bytes().any(|octet| octet != b'0')),
    };
    let (has_month, has_day) = (known(month)?, known(day)?);
    if !good(year) || year.bytes().all(|octet| octet == b'0') {
        return None;
    }
    let mut date = String::with_capacity(10);
    let mut write = |text: &str, least: usize| {
        date.push_str(if date.is_empty() { "" } else { "-" });
        (text.len()..least).for_each(|_| date.push('0'));
        date.push_str(text);
    };
    write(year, 4);
    if has_month {
        write(month.unwrap_or_default(), 2);
        if has_day {
            write(day.unwrap_or_default(), 2);
        }
    }
    Some(date)
}
