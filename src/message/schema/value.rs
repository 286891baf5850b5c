//! Simple types: white space, built-in forms and facets (XML Schema 1.0, part 2).
//!
//! A value is checked where it lies; only one whose white space must be changed is copied. The reasons say which rule
//! was broken and never what the value is.

use super::number::{Bounds, Number};
use super::pattern::Pattern;
use crate::base::time::Day;

/// What happens to white space before a value is looked at (part 2, section 4.3.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum White {
    Preserve,
    Replace,
    Collapse,
}

/// A simple type, all its steps of derivation in one.
#[derive(Clone, Debug)]
pub(super) struct Simple {
    pub(super) white: White,
    pub(super) kind: Kind,
    /// Characters, octets or items, by the kind.
    pub(super) length_min: usize,
    pub(super) length_max: usize,
    pub(super) bounds: Bounds,
    /// One for each step of derivation; all must match.
    pub(super) patterns: Vec<Pattern>,
    pub(super) enumeration: Option<Vec<Box<str>>>,
}

/// What a value is, before facets.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    Text,
    Name,
    Uri,
    Base64,
    Boolean,
    Decimal,
    Integer,
    Date,
    /// A date whose only pattern leaves neither sign, zone nor longer years: what [`Day::parse`] reads.
    PlainDay,
    DateTime,
    Year,
    YearMonth,
    List(Box<Simple>),
    Union(Vec<Simple>),
}

impl Simple {
    pub(super) fn of(white: White, kind: Kind) -> Self {
        let bounds = Bounds::default();
        Self { white, kind, length_min: 0, length_max: usize::MAX, bounds, patterns: Vec::new(), enumeration: None }
    }

    /// The built-in types of the subset.
    pub(super) fn built_in(name: &str) -> Option<Self> {
        let collapsed = |kind| Some(Self::of(White::Collapse, kind));
        match name {
            "string" => Some(Self::of(White::Preserve, Kind::Text)),
            "normalizedString" => Some(Self::of(White::Replace, Kind::Text)),
            "token" => collapsed(Kind::Text),
            "NCName" => collapsed(Kind::Name),
            "anyURI" => collapsed(Kind::Uri),
            "base64Binary" => collapsed(Kind::Base64),
            "boolean" => collapsed(Kind::Boolean),
            "decimal" => collapsed(Kind::Decimal),
            "date" => collapsed(Kind::Date),
            "dateTime" => collapsed(Kind::DateTime),
            "gYear" => collapsed(Kind::Year),
            "gYearMonth" => collapsed(Kind::YearMonth),
            _ => {
                let bounds = Bounds::of_built_in(name)?;
                Some(Self { bounds, ..Self::of(White::Collapse, Kind::Integer) })
            }
        }
    }

    /// Checks a value; returns it as its white space is to be read.
    #[inline]
    pub(super) fn check<'t>(&self, raw: &'t str, scratch: &'t mut String) -> Result<&'t str, &'static str> {
        if self.fits_plainly(raw) {
            return Ok(raw);
        }
        if let Kind::Union(members) = &self.kind {
            let fits = members.iter().find(|member| member.check(raw, &mut String::new()).is_ok());
            return fits.ok_or("not of any of the forms allowed").map(|member| normalise(member.white, raw, scratch));
        }
        let value = normalise(self.white, raw, scratch);
        self.check_normal(value).map(|()| value)
    }

    /// A quick yes for what most values are: one of those listed, a plain day, a short text without a space to collapse.
    #[inline]
    fn fits_plainly(&self, raw: &str) -> bool {
        match (&self.kind, &self.enumeration) {
            (_, Some(allowed)) => allowed.iter().any(|known| **known == *raw),
            (Kind::PlainDay, None) => self.patterns.is_empty() && Day::parse(raw).is_some(),
            _ => false,
        }
    }

    fn check_normal(&self, value: &str) -> Result<(), &'static str> {
        if let Some(allowed) = &self.enumeration {
            // The values listed were checked against all other facets when the schema was compiled.
            let listed = allowed.iter().any(|known| **known == *value);
            return if listed { Ok(()) } else { Err("not one of the values allowed") };
        }
        if !self.patterns.iter().all(|pattern| pattern.matches(value)) {
            return Err("not of the pattern required");
        }
        self.check_kind(value)
    }

    fn check_kind(&self, value: &str) -> Result<(), &'static str> {
        let good = |good: bool, what| if good { Ok(()) } else { Err(what) };
        match &self.kind {
            Kind::Text => self.check_characters(value),
            Kind::Name => good(is_ncname(value), "not a name").and_then(|()| self.check_characters(value)),
            Kind::Uri => good(is_uri(value), "not a URI").and_then(|()| self.check_characters(value)),
            Kind::Base64 => self.check_length(base64_octets(value).ok_or("not base64")?),
            Kind::Boolean => good(matches!(value, "true" | "false" | "1" | "0"), "not true or false"),
            Kind::Decimal => self.bounds.check(&Number::parse(value).ok_or("not a decimal number")?),
            Kind::Integer => self.bounds.check_integer(value),
            Kind::Date => good(is_date(value), "not a day"),
            Kind::PlainDay => good(Day::parse(value).is_some(), "not a day"),
            Kind::DateTime => good(is_date_time(value), "not an instant"),
            Kind::Year => good(year_end(value).and_then(zone) == Some(""), "not a year"),
            Kind::YearMonth => good(month_end(value).and_then(|(_, rest)| zone(rest)) == Some(""), "not a month of a year"),
            Kind::List(item) => self.check_items(item, value),
            Kind::Union(_) => Err("not of any of the forms allowed"),
        }
    }

    fn check_characters(&self, value: &str) -> Result<(), &'static str> {
        // A character has one to four octets: short and plain values need no counting.
        if value.len() <= self.length_max && value.len().div_ceil(4) >= self.length_min {
            return Ok(());
        }
        self.check_length(value.chars().count())
    }

    fn check_items(&self, item: &Simple, value: &str) -> Result<(), &'static str> {
        let mut items = 0_usize;
        for word in value.split(' ').filter(|word| !word.is_empty()) {
            items = items.saturating_add(1);
            item.check(word, &mut String::new())?;
        }
        self.check_length(items)
    }

    fn check_length(&self, length: usize) -> Result<(), &'static str> {
        match length {
            short if short < self.length_min => Err("too short"),
            long if long > self.length_max => Err("too long"),
            _ => Ok(()),
        }
    }
}

/// The value as its white space is to be read, in place where nothing changes.
fn normalise<'t>(white: White, raw: &'t str, scratch: &'t mut String) -> &'t str {
    match white {
        White::Preserve => raw,
        White::Replace if !raw.bytes().any(is_other_space) => raw,
        White::Replace => {
            scratch.clear();
            scratch.extend(raw.chars().map(|character| if matches!(character, '\t' | '\n' | '\r') { ' ' } else { character }));
            scratch
        }
        White::Collapse if is_collapsed(raw) => raw,
        White::Collapse => {
            scratch.clear();
            for word in raw.split([' ', '\t', '\n', '\r']).filter(|word| !word.is_empty()) {
                scratch.push_str(if scratch.is_empty() { "" } else { " " });
                scratch.push_str(word);
            }
            scratch
        }
    }
}

fn is_other_space(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | b'\r')
}

fn is_collapsed(raw: &str) -> bool {
    let (words, rest) = raw.as_bytes().as_chunks::<8>();
    let mut previous = b' ';
    for word in words {
        if holds_space(*word) {
            if !is_collapsed_after(&mut previous, word) {
                return false;
            }
        } else {
            previous = 0;
        }
    }
    is_collapsed_after(&mut previous, rest) && (previous != b' ' || raw.is_empty())
}

#[inline]
fn is_collapsed_after(previous: &mut u8, bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| {
        let good = *byte > b' ' || (*byte == b' ' && *previous != b' ');
        *previous = *byte;
        good
    })
}

/// Whether any of eight octets is a space or below: borrows from the top bit of each octet, all eight at once.
#[inline]
fn holds_space(word: [u8; 8]) -> bool {
    let word = u64::from_ne_bytes(word);
    word.wrapping_sub(0x2121_2121_2121_2121) & !word & 0x8080_8080_8080_8080 != 0
}

/// Whether there is nothing but white space. The reader lets no other character below the space through.
#[inline]
pub(super) fn is_blank(text: &str) -> bool {
    let (words, rest) = text.as_bytes().as_chunks::<8>();
    let blank = |word: &[u8; 8]| {
        let word = u64::from_ne_bytes(*word);
        (word.wrapping_add(0x5f5f_5f5f_5f5f_5f5f) | word) & 0x8080_8080_8080_8080 == 0
    };
    words.iter().all(blank) && rest.iter().all(|byte| *byte <= b' ')
}

/// Namespaces in XML 1.0, production 4, over the characters of XML 1.0 (fifth edition), productions 4 and 4a.
fn is_ncname(value: &str) -> bool {
    let starts = |c: char| {
        matches!(c, 'A'..='Z' | 'a'..='z' | '_' | '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{2FF}'
            | '\u{370}'..='\u{37D}' | '\u{37F}'..='\u{1FFF}' | '\u{200C}'..='\u{200D}' | '\u{2070}'..='\u{218F}'
            | '\u{2C00}'..='\u{2FEF}' | '\u{3001}'..='\u{D7FF}' | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}'
            | '\u{10000}'..='\u{EFFFF}')
    };
    let follows =
        |c: char| starts(c) || matches!(c, '0'..='9' | '-' | '.' | '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}');
    value.chars().next().is_some_and(starts) && value.chars().all(follows)
}

/// RFC 3986 where it can be told from the characters alone, and letters of other scripts (RFC 3987).
fn is_uri(value: &str) -> bool {
    let plain = |byte: u8| byte > b' ' && byte != 0x7f && !b"<>\"{}|\\^`".contains(&byte);
    let mut parts = value.split('%');
    parts.next();
    value.bytes().all(plain)
        && value.matches('#').count() <= 1
        && parts.all(|part| part.get(..2).is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit())))
}

/// How many octets a base64 text stands for (part 2, section 3.2.16: a space may follow any character).
fn base64_octets(value: &str) -> Option<usize> {
    let (mut digits, mut padding, mut last) = (0_usize, 0_usize, 0_u8);
    for byte in value.bytes().filter(|byte| *byte != b' ') {
        match byte {
            b'=' => padding = padding.saturating_add(1),
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' if padding == 0 => {
                digits = digits.saturating_add(1);
                last = byte;
            }
            _ => return None,
        }
    }
    // The bits that padding leaves over must be zero, so that one content has one text.
    let rest_is_zero = match padding {
        0 => true,
        1 => b"AEIMQUYcgkosw048".contains(&last),
        2 => b"AQgw".contains(&last),
        _ => false,
    };
    let whole = digits.saturating_add(padding).is_multiple_of(4);
    (whole && rest_is_zero).then(|| digits.saturating_mul(3) / 4)
}

fn is_date(value: &str) -> bool {
    Day::parse(value).is_some() || date_end(value).and_then(zone) == Some("")
}

/// Section 3.2.7; 24:00:00 is the first moment of the next day.
fn is_date_time(value: &str) -> bool {
    let Some(clock) = date_end(value).and_then(|rest| rest.strip_prefix('T')) else { return false };
    let (Some(hour), Some(minute), Some(second)) = (two(clock, 0), two(clock, 3), two(clock, 6)) else { return false };
    if clock.get(2..3) != Some(":") || clock.get(5..6) != Some(":") || minute > 59 || second > 59 {
        return false;
    }
    let rest = clock.get(8..).unwrap_or("");
    let (zero, rest) = match rest.strip_prefix('.') {
        None => (true, rest),
        Some(fraction) => {
            let after = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
            let digits = fraction.strip_suffix(after).unwrap_or("");
            if digits.is_empty() {
                return false;
            }
            (digits.bytes().all(|digit| digit == b'0'), after)
        }
    };
    let midnight = hour == 24 && minute == 0 && second == 0 && zero;
    (hour < 24 || midnight) && zone(rest) == Some("")
}

/// What follows the year: a sign, 4 to 18 digits, no leading zero beyond four, no year 0.
fn year_end(value: &str) -> Option<&str> {
    let unsigned = value.strip_prefix('-').unwrap_or(value);
    let rest = unsigned.trim_start_matches(|c: char| c.is_ascii_digit());
    let digits = unsigned.strip_suffix(rest)?;
    let good = (4..=18).contains(&digits.len())
        && !(digits.len() > 4 && digits.starts_with('0'))
        && digits.bytes().any(|digit| digit != b'0');
    good.then_some(rest)
}

/// The month, and what follows it.
fn month_end(value: &str) -> Option<(u32, &str)> {
    let rest = year_end(value)?.strip_prefix('-')?;
    let month = two(rest, 0)?;
    (1..=12).contains(&month).then(|| rest.get(2..))?.map(|rest| (month, rest))
}

fn date_end(value: &str) -> Option<&str> {
    let (month, rest) = month_end(value)?;
    let day = two(rest.strip_prefix('-')?, 0)?;
    // The Gregorian calendar repeats after 400 years, so the last four digits say whether there is a leap day.
    let year = (year_digits(value)? % 400).saturating_add(400);
    Day::parse(&format!("{year:04}-{month:02}-{day:02}")).and(rest.get(3..))
}

/// The last four digits of the year.
fn year_digits(value: &str) -> Option<u32> {
    let end = value.len().checked_sub(year_end(value)?.len())?;
    value.get(end.checked_sub(4)?..end)?.parse().ok()
}

/// What follows the time zone, which may be missing.
fn zone(rest: &str) -> Option<&str> {
    let Some(offset) = rest.strip_prefix(['+', '-']) else { return Some(rest.strip_prefix('Z').unwrap_or(rest)) };
    let (hours, minutes) = (two(offset, 0)?, two(offset, 3)?);
    let good = offset.get(2..3) == Some(":") && (hours < 14 && minutes < 60 || hours == 14 && minutes == 0);
    good.then(|| offset.get(5..))?
}

/// The two digits at a place.
fn two(text: &str, at: usize) -> Option<u32> {
    let digits = text.get(at..at.checked_add(2)?)?;
    digits.bytes().all(|digit| digit.is_ascii_digit()).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, value: &str) -> bool {
        Simple::built_in(name).expect("a built-in type").check(value, &mut String::new()).is_ok()
    }

    #[test]
    fn built_in_types_have_their_forms() {
        for (name, yes, no) in [
            ("boolean", &["true", " 0\n"][..], &["TRUE", "", "2"][..]),
            ("integer", &["-0", "+7", "00012", " 5 "], &["", "+", "1.0", "1e3", "- 1", "１"]),
            ("decimal", &["1.50", "-.5", "+0", "123456789012345678901234567890.1"], &[".", "", "1,5", "1e3", "--1", "INF"]),
            ("byte", &["127", "-128"], &["128", "-129"]),
            ("unsignedLong", &["18446744073709551615", "0"], &["18446744073709551616", "-1", "-0", "+1"]),
            ("long", &["-9223372036854775808", "+0009223372036854775807"], &["9223372036854775808"]),
            ("positiveInteger", &["1"], &["0"]),
            ("negativeInteger", &["-1"], &["0", "-0"]),
            (
                "date",
                &["2024-02-29", "2023-01-01Z", "2023-01-01+14:00", "-0004-02-29", "12024-02-29"],
                &[
                    "2023-02-29",
                    "0000-01-01",
                    "2023-1-1",
                    "2023-01-01+14:01",
                    "02023-01-01",
                    "2023-13-01",
                    "2023-01-00",
                    "12023-02-29",
                    "2023-01-01z",
                ],
            ),
            (
                "dateTime",
                &["2024-02-29T24:00:00", "2024-01-01T00:00:59.999999999Z"],
                &[
                    "2024-02-29T24:00:01",
                    "2024-01-01T00:00:60Z",
                    "2024-01-01 00:00:00",
                    "2024-01-01T00:00:00.Z",
                    "2024-01-01T25:00:00",
                    "2024-01-01T00:00",
                ],
            ),
            ("gYear", &["2024", "2024Z", "-0001"], &["0000", "24", "2024-01"]),
            ("gYearMonth", &["2024-12", "2024-01-05:00"], &["2024-13", "2024-00", "2024-1"]),
            ("NCName", &["a", "_1", "я.б"], &["1a", "a:b", "", "-a"]),
            ("anyURI", &["", "https://a.example/%20?q#f", "urn:x"], &["a b", "%2", "a##b", "<"]),
            ("base64Binary", &["", "QUJD", "QUI=", "QQ==", "Q Q = ="], &["QUJ", "QR==", "QUJ=", "=QQ=", "Q===", "QUJD="]),
        ] {
            yes.iter().for_each(|value| assert!(check(name, value), "{name} {value:?}"));
            no.iter().for_each(|value| assert!(!check(name, value), "{name} {value:?}"));
        }
    }

    #[test]
    fn white_space_is_read_as_the_type_says() {
        for (white, output) in [(White::Preserve, " a\t\nb  c "), (White::Replace, " a  b  c "), (White::Collapse, "a b c")] {
            assert_eq!(normalise(white, " a\t\nb  c ", &mut String::new()), output);
        }
        assert_eq!(normalise(White::Collapse, " \n", &mut String::new()), "");
    }

    #[test]
    fn eight_octets_at_a_time_are_as_good_as_one() {
        for len in 0..24 {
            for at in 0..=len {
                for (space, blank, collapsed) in [
                    (" ", true, at > 0 && at < len),
                    ("  ", true, false),
                    ("\n", true, false),
                    ("!", false, true),
                    ("я", false, true),
                ] {
                    let text = format!("{}{space}{}", "x".repeat(at), "x".repeat(len - at));
                    assert_eq!(is_collapsed(&text), collapsed, "{text:?}");
                    let text = format!("{}{space}{}", " \t\n\r".repeat(at), " ".repeat(len - at));
                    assert_eq!(is_blank(&text), blank, "{text:?}");
                }
            }
        }
        assert!(is_collapsed("") && is_blank(""));
    }

    #[test]
    fn lengths_count_characters() {
        let line = Simple { length_min: 2, length_max: 3, ..Simple::of(White::Collapse, Kind::Text) };
        for (value, good) in
            [("я", false), ("яя", true), ("яяя", true), ("яяяя", false), ("ab", true), ("abcd", false), ("a", false)]
        {
            assert_eq!(line.check(value, &mut String::new()).is_ok(), good, "{value}");
        }
    }
}
