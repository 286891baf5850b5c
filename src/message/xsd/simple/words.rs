//! What a type asks for, in words, and values that it takes, for examples.

use super::calendar::Parts;
use super::{Form, NoScope, Pattern, Primitive, Room, Simple, Variety};
use std::fmt::Write;

/// What a value should be.
pub(super) fn expects(simple: &Simple) -> String {
    if let Some(allowed) = &simple.enumeration {
        let mut words = String::from(if allowed.count == 1 { "" } else { "one of: " });
        words.push_str(&allowed.shown.join(", "));
        let more = allowed.count.saturating_sub(allowed.shown.len());
        if more > 0 {
            let _ = write!(words, " and {more} more");
        }
        return words;
    }
    let mut words = base(simple);
    for (at, pattern) in simple.patterns.iter().enumerate() {
        words.push_str(if at == 0 { " that matches " } else { " and " });
        words.push_str(&named(pattern));
    }
    words
}

/// Which pattern a value does not match.
pub(super) fn pattern(pattern: &Pattern) -> String {
    format!("not as {} wants it", named(pattern))
}

fn named(pattern: &Pattern) -> String {
    let sources = pattern.sources().collect::<Vec<_>>();
    let mut text = sources.join(" or ");
    if let Some((cut, _)) = text.char_indices().nth(PATTERN_SHOWN_MAX) {
        text.truncate(cut);
        text.push('…');
    }
    let many = if sources.len() == 1 { "pattern" } else { "patterns" };
    format!("the {many} {text}")
}

fn base(simple: &Simple) -> String {
    let primitive = match &simple.variety {
        Variety::Any => return "any text".to_owned(),
        Variety::List(item) => return format!("a list{}, each {}", lengths(simple, "items"), expects(item)),
        Variety::Union(members) => return members.iter().map(|member| expects(member)).collect::<Vec<_>>().join(", or "),
        Variety::Atomic(primitive) => *primitive,
    };
    match primitive {
        Primitive::String => {
            let what = match simple.form {
                Form::Language => "a language such as en or et-EE",
                Form::Nmtoken => "a word without spaces",
                Form::Name | Form::NcName => "a name",
                Form::Any | Form::Integer | Form::Unsigned => "text",
            };
            format!("{what}{}", lengths(simple, "characters"))
        }
        Primitive::AnyUri => format!("a reference (URI){}", lengths(simple, "characters")),
        Primitive::Boolean => "true or false".to_owned(),
        Primitive::Decimal => number(simple),
        Primitive::Float | Primitive::Double => format!("a number{}", bounds(simple)),
        Primitive::Duration => format!("a duration (such as P1Y2M3DT4H5M6S){}", bounds(simple)),
        Primitive::Calendar(parts) => {
            let words = calendar(parts).strip_prefix("not ").unwrap_or_default();
            format!("{words}{}", bounds(simple))
        }
        Primitive::HexBinary => format!("octets in hexadecimal{}", lengths(simple, "octets")),
        Primitive::Base64Binary => format!("octets in base64{}", lengths(simple, "octets")),
        Primitive::QName => "a name, with or without a prefix".to_owned(),
        Primitive::Notation => "the name of a notation".to_owned(),
    }
}

fn number(simple: &Simple) -> String {
    let mut words = String::from(if simple.fraction_digits == Some(0) { "a whole number" } else { "a decimal number" });
    words.push_str(&bounds(simple));
    if let Some(digits) = simple.total_digits {
        let _ = write!(words, " of at most {digits} digits");
    }
    if let Some(digits) = simple.fraction_digits.filter(|digits| *digits > 0) {
        let _ = write!(words, " with at most {digits} behind the point");
    }
    words
}

fn bounds(simple: &Simple) -> String {
    let is_inclusive = |bound: &Option<super::Bound>| bound.as_ref().is_some_and(|bound| bound.is_inclusive);
    match (&simple.low, &simple.high) {
        (None, None) => String::new(),
        (Some(low), Some(high)) if is_inclusive(&simple.low) && is_inclusive(&simple.high) => {
            format!(" from {} to {}", low.text, high.text)
        }
        (low, high) => {
            let low = low.as_ref().map(|low| format!(" {} {}", if low.is_inclusive { "from" } else { "above" }, low.text));
            let high = high.as_ref().map(|high| format!(" {} {}", if high.is_inclusive { "up to" } else { "below" }, high.text));
            [low.unwrap_or_default(), high.unwrap_or_default()].concat()
        }
    }
}

fn lengths(simple: &Simple, of: &str) -> String {
    match (simple.length_min, simple.length_max) {
        (0, usize::MAX) => String::new(),
        (min, max) if min == max => format!(" of {max} {of}"),
        (min, usize::MAX) => format!(" of at least {min} {of}"),
        (0, max) => format!(" of at most {max} {of}"),
        (min, max) => format!(" of {min} to {max} {of}"),
    }
}

/// What is refused that should have been this.
pub(super) fn calendar(parts: Parts) -> &'static str {
    match parts {
        Parts::DateTime => "not an instant (YYYY-MM-DDThh:mm:ss)",
        Parts::Time => "not a time of day (hh:mm:ss)",
        Parts::Date => "not a date (YYYY-MM-DD)",
        Parts::YearMonth => "not a month of a year (YYYY-MM)",
        Parts::Year => "not a year (YYYY)",
        Parts::MonthDay => "not a day of the year (--MM-DD)",
        Parts::Day => "not a day of the month (---DD)",
        Parts::Month => "not a month (--MM)",
    }
}

/// How much an example shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Amount {
    Least,
    Full,
}

/// A literal that the type takes, if one can be made.
pub(super) fn sample(simple: &Simple, amount: Amount) -> Option<String> {
    let mut room = Room::default();
    if let Some(allowed) = &simple.enumeration {
        return allowed.shown.first().or_else(|| allowed.literals.first()).map(|text| text.to_string());
    }
    let mut from_patterns = simple.patterns.iter().rev().flat_map(|pattern| pattern.samples()).collect::<Vec<_>>();
    if amount == Amount::Full {
        // Without their shortest forms first: what is optional is shown.
        from_patterns.sort_by_key(|text| text.is_empty());
    }
    let made = if simple.patterns.is_empty() {
        candidates(simple, amount)
    } else {
        [from_patterns, candidates(simple, amount)].concat()
    };
    made.into_iter().find(|text| simple.check(text, &NoScope, &mut room).is_ok())
}

fn candidates(simple: &Simple, amount: Amount) -> Vec<String> {
    match &simple.variety {
        Variety::Any => vec!["text".to_owned()],
        Variety::List(item) => {
            let Some(item) = sample(item, amount) else { return vec![String::new()] };
            let count =
                simple.length_min.max(if amount == Amount::Full { 2 } else { 1 }).min(simple.length_max).min(SAMPLE_ITEMS_MAX);
            vec![vec![item; count].join(" ")]
        }
        Variety::Union(members) => members.iter().filter_map(|member| sample(member, amount)).collect(),
        Variety::Atomic(primitive) => atomic(*primitive, simple),
    }
}

fn atomic(primitive: Primitive, simple: &Simple) -> Vec<String> {
    let count = simple.length_min.max(4).min(simple.length_max).min(SAMPLE_LENGTH_MAX);
    let filled = |text: &str| text.chars().chain(std::iter::repeat('a')).take(count).collect::<String>();
    let octets = simple.length_min.max(3).min(simple.length_max).min(SAMPLE_LENGTH_MAX);
    let fixed = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    match primitive {
        Primitive::String if simple.form == Form::Language => {
            fixed(&["en", "et-EE", "a", "eng", "ab-c", "eng-EE", "en-abcdefgh"])
        }
        Primitive::String => vec![filled("text")],
        Primitive::AnyUri => vec!["https://example.org/".to_owned(), filled("urn:example:"), filled("a")],
        Primitive::Boolean => fixed(&["true", "1"]),
        Primitive::HexBinary => vec!["0A".repeat(octets)],
        Primitive::Base64Binary => {
            let tail = ["", "AA==", "AAA="].get(octets.checked_rem(3).unwrap_or(0)).copied().unwrap_or_default();
            vec!["AAAA".repeat(octets / 3) + tail]
        }
        Primitive::QName | Primitive::Notation => fixed(&["name"]),
        Primitive::Decimal | Primitive::Float | Primitive::Double => numbers(simple),
        Primitive::Duration => [bound_texts(simple), fixed(&["P1D", "PT1H", "P1M", "P1Y", "P10Y", "-P1D"])].concat(),
        Primitive::Calendar(parts) => {
            let mut made = Vec::new();
            for (year, month, day, hour) in DATES {
                for zone in ["", "Z"] {
                    made.push(match parts {
                        Parts::DateTime => format!("{year}-{month}-{day}T{hour}:30:00{zone}"),
                        Parts::Time => format!("{hour}:30:00{zone}"),
                        Parts::Date => format!("{year}-{month}-{day}{zone}"),
                        Parts::YearMonth => format!("{year}-{month}{zone}"),
                        Parts::Year => format!("{year}{zone}"),
                        Parts::MonthDay => format!("--{month}-{day}{zone}"),
                        Parts::Day => format!("---{day}{zone}"),
                        Parts::Month => format!("--{month}{zone}"),
                    });
                }
            }
            made.extend(bound_texts(simple));
            made
        }
    }
}

fn bound_texts(simple: &Simple) -> Vec<String> {
    [&simple.low, &simple.high].into_iter().flatten().map(|bound| bound.text.to_string()).collect()
}

fn numbers(simple: &Simple) -> Vec<String> {
    let mut made = ["1", "0", "10", "100", "0.5", "-1", "-0.5"].map(str::to_owned).to_vec();
    for text in bound_texts(simple) {
        if let Ok(number) = text.parse::<i64>() {
            made.extend([number, number.saturating_add(1), number.saturating_sub(1)].map(|number| number.to_string()));
        }
        if !text.contains('.') {
            made.extend([format!("{text}.5"), format!("{text}.01")]);
        }
        made.extend([format!("{text}1"), text]);
    }
    made
}

const PATTERN_SHOWN_MAX: usize = 200;
const SAMPLE_LENGTH_MAX: usize = 4096;
const SAMPLE_ITEMS_MAX: usize = 64;
/// Years, months, days and hours to try, the plainest first.
const DATES: &[(&str, &str, &str, &str)] = &[
    ("2024", "05", "17", "12"),
    ("2000", "01", "01", "00"),
    ("1990", "12", "28", "23"),
    ("1950", "02", "02", "06"),
    ("1900", "11", "27", "18"),
    ("2030", "03", "10", "09"),
    ("2050", "07", "05", "15"),
    ("2100", "09", "22", "21"),
    ("1800", "06", "14", "03"),
    ("2500", "04", "30", "16"),
    ("1500", "10", "25", "20"),
    ("0900", "08", "08", "10"),
];
