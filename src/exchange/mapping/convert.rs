//! Conversions: from the text of a cell to a value as XML Schema spells it. A closed list; what more is needed is done by whoever
//! makes the table. A conversion that fails says what it expects, and never what it found.

use crate::base::ids::{AgencyId, Identifier, Uuid};
use crate::base::time::{Day, UnixTime};
use crate::message::crypto::sha256;
use std::collections::BTreeMap;
use std::fmt;

/// Where clocks stand in a part of the world.
pub trait Zones {
    /// The instant at which a clock of this zone shows this day and these seconds of it; the earlier of two, and where a clock
    /// jumps over it what it would have shown without.
    fn instant(&self, zone: &str, day: Day, seconds: u32) -> Option<UnixTime>;

    /// Whether there is such a zone.
    fn has(&self, zone: &str) -> bool;
}

/// What is done with a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conversion {
    /// It stays as it is.
    Text,
    /// An identifier, its check digits verified; signs between its digits go if they have to.
    Id {
        /// Its scheme.
        scheme: Box<str>,
    },
    /// A day.
    Day(Form),
    /// A moment.
    Instant {
        /// Its form.
        form: Form,
        /// Where its clock stands; nothing where the form says it by itself.
        zone: Option<Zone>,
    },
    /// A whole number.
    Integer,
    /// An amount.
    Money {
        /// ISO 4217.
        currency: Box<str>,
        /// What stands before the decimals.
        decimal: char,
    },
    /// `true` or `false`.
    YesNo {
        /// What means yes, in lower case.
        yes: Vec<Box<str>>,
        /// What means no.
        no: Vec<Box<str>>,
    },
    /// A code of the register to one of the document.
    Codes(BTreeMap<Box<str>, Box<str>>),
    /// The id of a document: a UUID as it stands, or one that follows from the agency and the text.
    DocumentId,
    /// Full years from a day until the day of the question.
    Years(Form),
}

/// A zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Zone {
    /// So many minutes before UTC's noon.
    Offset(i32),
    /// One of the time zone database.
    Named(Box<str>),
}

impl Zone {
    /// Reads `Z`, `+03:00` or `Europe/Moscow`.
    pub fn parse(text: &str, zones: &dyn Zones) -> Option<Self> {
        if matches!(text, "Z" | "UTC") {
            return Some(Self::Offset(0));
        }
        offset(text).map(Self::Offset).or_else(|| zones.has(text).then(|| Self::Named(text.into())))
    }

    fn instant(&self, day: Day, seconds: u32, zones: &dyn Zones) -> Option<UnixTime> {
        match self {
            Self::Named(name) => zones.instant(name, day, seconds),
            Self::Offset(minutes) => {
                let local = day.days_since_epoch().checked_mul(86_400)?.checked_add(i64::from(seconds))?;
                let utc = local.checked_sub(i64::from(*minutes).checked_mul(60)?)?;
                u64::try_from(utc).ok()?.checked_mul(1000).map(UnixTime::from_ms)
            }
        }
    }
}

/// Minutes of `+03:00`.
fn offset(text: &str) -> Option<i32> {
    let (sign, rest) = text.strip_prefix('-').map(|rest| (-1, rest)).or_else(|| text.strip_prefix('+').map(|rest| (1, rest)))?;
    let (hours, minutes) = rest.split_once(':')?;
    let is_short = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_short(hours) || !is_short(minutes) {
        return None;
    }
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    (hours <= 14 && minutes < 60).then_some(sign * (hours * 60 + minutes))
}

/// How a day or a moment is written: `dd.mm.yyyy HH:MM`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    text: Box<str>,
    tokens: Vec<Token>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    /// A part, in so many digits; one or two where it has one letter.
    Part(Part, usize),
    Sign(char),
    /// `Z`, `+03:00`.
    Offset,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
}

/// What a text says of time.
struct Read {
    day: Day,
    seconds: u32,
    offset: Option<i32>,
}

impl Form {
    /// How the standard has a day.
    pub const DAY: &'static str = "yyyy-mm-dd";
    /// How the standard has a moment (RFC 3339).
    pub const INSTANT: &'static str = "yyyy-mm-ddTHH:MM:SSZ";

    /// Reads `yyyy`, `mm` or `m`, `dd` or `d`, `HH` or `H`, `MM`, `SS`, `Z` for an offset, and signs between them.
    pub fn parse(text: &str) -> Option<Self> {
        let mut tokens = Vec::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let run = rest.chars().take_while(|c| *c == first).count();
            let part = match (first, run) {
                ('y', 4) => Some(Part::Year),
                ('m', 1 | 2) => Some(Part::Month),
                ('d', 1 | 2) => Some(Part::Day),
                ('H', 1 | 2) => Some(Part::Hour),
                ('M', 2) => Some(Part::Minute),
                ('S', 2) => Some(Part::Second),
                _ => None,
            };
            let is_sign = matches!(first, '.' | '-' | '/' | ':' | ' ' | 'T' | ',');
            let (token, length) = match part {
                Some(part) => (Token::Part(part, run), run),
                None if first == 'Z' => (Token::Offset, 1),
                None if is_sign => (Token::Sign(first), 1),
                None => return None,
            };
            tokens.push(token);
            rest = rest.get(length..)?;
        }
        let mut parts: Vec<Part> =
            tokens.iter().filter_map(|token| if let Token::Part(part, _) = token { Some(*part) } else { None }).collect();
        let count = parts.len();
        parts.sort_unstable();
        parts.dedup();
        let is_whole = [Part::Year, Part::Month, Part::Day].iter().all(|part| parts.contains(part));
        // Two parts without a sign between them are told apart only if each has all its digits.
        let runs_on = tokens.windows(2).any(|two| matches!(two, [Token::Part(_, 1), Token::Part(..)]));
        (is_whole && parts.len() == count && !runs_on).then(|| Self { text: text.into(), tokens })
    }

    /// Whether it says where its clock stands.
    pub fn has_offset(&self) -> bool {
        self.tokens.contains(&Token::Offset)
    }

    /// Whether it says the time of the day.
    pub fn has_clock(&self) -> bool {
        self.tokens.iter().any(|token| matches!(token, Token::Part(Part::Hour, _)))
    }

    fn read(&self, text: &str) -> Option<Read> {
        let (mut values, mut offset_of, mut rest) = ([0_u32; 6], None, text);
        for token in &self.tokens {
            match token {
                Token::Sign(sign) => rest = rest.strip_prefix(*sign)?,
                Token::Offset => {
                    // Decimals of a second say nothing that is asked for.
                    let after =
                        rest.strip_prefix('.').map_or(rest, |after| after.trim_start_matches(|c: char| c.is_ascii_digit()));
                    offset_of = Some(if after == "Z" { 0 } else { offset(after)? });
                    rest = "";
                }
                Token::Part(part, width) => {
                    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
                    let length = if *width == 1 { digits.min(2) } else { *width };
                    let number = rest.get(..length).filter(|_| length > 0 && digits >= length)?;
                    let slot = values.get_mut(*part as usize)?;
                    *slot = number.parse().ok()?;
                    rest = rest.get(length..)?;
                }
            }
        }
        let [year, month, day, hour, minute, second] = values;
        let day = Day::parse(&format!("{year:04}-{month:02}-{day:02}"))?;
        let is_clock = hour < 24 && minute < 60 && second < 60 && rest.is_empty();
        is_clock.then_some(Read { day, seconds: hour * 3600 + minute * 60 + second, offset: offset_of })
    }

    /// The day that a text of this form says.
    pub fn day(&self, text: &str) -> Option<Day> {
        self.read(text).map(|read| read.day)
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What conversions go by.
pub struct Surroundings<'s> {
    /// The agency.
    pub agency: &'s AgencyId,
    /// The day of the question.
    pub today: Day,
    /// Where clocks stand.
    pub zones: &'s dyn Zones,
}

impl Conversion {
    /// The value of a text, which is not empty; or what a text should be.
    pub fn apply(&self, text: &str, around: &Surroundings<'_>) -> Result<String, String> {
        let is_control = |c: char| c < ' ' && !matches!(c, '\t' | '\n' | '\r') || matches!(c, '\u{fffe}' | '\u{ffff}');
        if text.contains(is_control) {
            return Err("a text without control characters".to_owned());
        }
        let expected = || self.expects();
        match self {
            Self::Text => Some(text.to_owned()),
            Self::Id { scheme } => identifier(scheme, text).map(|id| id.value().to_owned()),
            Self::Day(form) => form.day(text).map(|day| day.to_string()),
            Self::Instant { form, zone } => {
                let read = form.read(text).ok_or_else(expected)?;
                let zone = read.offset.map(Zone::Offset).or_else(|| zone.clone()).ok_or_else(expected)?;
                zone.instant(read.day, read.seconds, around.zones).map(seconds_of)
            }
            Self::Integer => integer(text),
            Self::Money { decimal, .. } => money(text, *decimal),
            Self::YesNo { yes, no } => {
                let text = text.to_lowercase();
                let is_in = |words: &[Box<str>]| words.iter().any(|word| **word == *text);
                if is_in(yes) { Some("true".to_owned()) } else { is_in(no).then(|| "false".to_owned()) }
            }
            Self::Codes(codes) => codes.get(text).map(|code| code.to_string()),
            Self::DocumentId => Some(document_id(text, around.agency)),
            Self::Years(form) => form.day(text).and_then(|born| years(born, around.today)).map(|years| years.to_string()),
        }
        .ok_or_else(expected)
    }

    /// What goes into an attribute beside the value: its name and its text.
    pub fn beside(&self) -> Option<(&'static str, &str)> {
        match self {
            Self::Id { scheme } => Some(("scheme", scheme)),
            Self::Money { currency, .. } => Some(("currency", currency)),
            _ => None,
        }
    }

    /// Values that it gives, for holding them against a type: all that it can give, or some of their form.
    pub fn samples(&self) -> (Vec<&str>, bool) {
        match self {
            Self::Text | Self::Id { .. } => (Vec::new(), false),
            Self::Day(_) => (vec!["2026-03-04"], false),
            Self::Instant { .. } => (vec!["2026-03-04T05:12:09Z"], false),
            Self::Integer | Self::Years(_) => (vec!["1", "0", "2", "5", "10", "18", "100", "1000", "2026"], false),
            Self::Money { .. } => (vec!["1.00", "100.00"], false),
            Self::YesNo { .. } => (vec!["true", "false"], true),
            Self::Codes(codes) => (codes.values().map(|code| &**code).collect(), true),
            Self::DocumentId => (vec!["0c9d3f3c-5d7e-8d0a-9b1e-7f0c2a6b4d11"], false),
        }
    }

    /// What a cell should hold.
    pub fn expects(&self) -> String {
        match self {
            Self::Text => "a text".to_owned(),
            Self::Id { scheme } => format!("an identifier of {scheme} with its check digits"),
            Self::Day(form) | Self::Years(form) => format!("a day such as {form}"),
            Self::Instant { form, .. } => format!("a moment such as {form}"),
            Self::Integer => "a whole number".to_owned(),
            Self::Money { decimal, .. } => format!("an amount with at most two decimals behind \"{decimal}\""),
            Self::YesNo { .. } => "one of the words for yes and no".to_owned(),
            Self::Codes(_) => "a code that has a row in codes".to_owned(),
            Self::DocumentId => "a number or name of the document".to_owned(),
        }
    }
}

/// An identifier of a scheme as people write it: as it is, or without the signs between its digits.
pub fn identifier(scheme: &str, text: &str) -> Option<Identifier> {
    let text = text.trim();
    Identifier::parse(scheme, text).ok().or_else(|| {
        let bare: String = text.chars().filter(|c| !matches!(c, ' ' | '\u{a0}' | '\u{202f}' | '-' | '.')).collect();
        Identifier::parse(scheme, &bare).ok()
    })
}

fn seconds_of(time: UnixTime) -> String {
    let text = time.to_string();
    format!("{}Z", text.split('.').next().unwrap_or(&text))
}

/// Spaces between thousands go, and zeros before the number.
fn integer(text: &str) -> Option<String> {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text.strip_prefix('+').unwrap_or(text)), |digits| ("-", digits));
    let digits: String = digits.chars().filter(|c| !matches!(c, ' ' | '\u{a0}' | '\u{202f}')).collect();
    let is_number = !digits.is_empty() && digits.len() <= 18 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let digits = digits.trim_start_matches('0');
    is_number.then(|| if digits.is_empty() { "0".to_owned() } else { format!("{sign}{digits}") })
}

fn money(text: &str, decimal: char) -> Option<String> {
    let (whole, decimals) = text.split_once(decimal).unwrap_or((text, ""));
    let is_good = decimals.len() <= 2 && decimals.bytes().all(|byte| byte.is_ascii_digit());
    integer(whole).filter(|_| is_good).map(|whole| format!("{whole}.{decimals:0<2}"))
}

/// Full years between two days.
fn years(from: Day, to: Day) -> Option<u16> {
    let ((year, month, day), (to_year, to_month, to_day)) = (from.parts(), to.parts());
    let full = to_year.checked_sub(year)?;
    if (to_month, to_day) < (month, day) { full.checked_sub(1) } else { Some(full) }
}

/// A UUID of version 8 (RFC 9562, section 5.8) that is the same whenever the document is made.
fn document_id(text: &str, agency: &AgencyId) -> String {
    if let Some(known) = Uuid::parse(&text.to_ascii_lowercase()) {
        return known.to_string();
    }
    let mut octets = [0; 16];
    let digest = sha256(format!("oncegate document {agency}\n{text}").as_bytes());
    octets.iter_mut().zip(digest.octets()).for_each(|(octet, other)| *octet = *other);
    octets[6] = octets[6] & 0x0f | 0x80;
    octets[8] = octets[8] & 0x3f | 0x80;
    let hex: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    let part = |range: std::ops::Range<usize>| hex.get(range).unwrap_or_default();
    format!("{}-{}-{}-{}-{}", part(0..8), part(8..12), part(12..16), part(16..20), part(20..32))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Moscow;

    impl Zones for Moscow {
        fn instant(&self, _: &str, day: Day, seconds: u32) -> Option<UnixTime> {
            Zone::Offset(180).instant(day, seconds, self)
        }

        fn has(&self, zone: &str) -> bool {
            zone == "Europe/Moscow"
        }
    }

    fn of(conversion: &Conversion, text: &str) -> Result<String, String> {
        let agency = AgencyId::parse("xx.demo.clinic-3").expect("an agency");
        let around = Surroundings { agency: &agency, today: Day::parse("2026-03-04").expect("a day"), zones: &Moscow };
        conversion.apply(text, &around)
    }

    fn form(text: &str) -> Form {
        Form::parse(text).expect("a form")
    }

    #[test]
    fn days_and_moments_are_read_in_the_form_that_is_said() {
        assert_eq!(of(&Conversion::Day(form("dd.mm.yyyy")), "04.03.2026").as_deref(), Ok("2026-03-04"));
        assert_eq!(of(&Conversion::Day(form("d/m/yyyy")), "4/3/2026").as_deref(), Ok("2026-03-04"));
        assert_eq!(of(&Conversion::Day(form("yyyymmdd")), "20260304").as_deref(), Ok("2026-03-04"));
        for wrong in ["4.3.2026", "04.03.26", "31.02.2026", "04.03.2026 ", "04-03-2026", "", "04.03.20261"] {
            assert!(of(&Conversion::Day(form("dd.mm.yyyy")), wrong).is_err(), "{wrong}");
        }
        let zone = Zone::parse("Europe/Moscow", &Moscow);
        let local = Conversion::Instant { form: form("dd.mm.yyyy HH:MM"), zone };
        assert_eq!(of(&local, "04.03.2026 01:30").as_deref(), Ok("2026-03-03T22:30:00Z"));
        let own = Conversion::Instant { form: form(Form::INSTANT), zone: None };
        assert_eq!(of(&own, "2026-03-04T01:30:00+03:00").as_deref(), Ok("2026-03-03T22:30:00Z"));
        assert_eq!(of(&own, "2026-03-04T01:30:00.123Z").as_deref(), Ok("2026-03-04T01:30:00Z"));
        assert!(of(&own, "2026-03-04T01:30:00").is_err());
        assert_eq!(Form::parse("dd.mm.yy"), None, "which century it is nobody knows");
        assert_eq!(Form::parse("mm.yyyy"), None);
        assert_eq!(Form::parse("dmyyyy"), None, "1112026 is two days");
    }

    #[test]
    fn numbers_and_amounts_have_one_spelling() {
        assert_eq!(of(&Conversion::Integer, "1 007").as_deref(), Ok("1007"));
        assert_eq!(of(&Conversion::Integer, "-007").as_deref(), Ok("-7"));
        assert!(of(&Conversion::Integer, "5.0").is_err());
        assert!(of(&Conversion::Integer, "=1+1").is_err());
        let amount = |decimal| Conversion::Money { currency: "RUB".into(), decimal };
        assert_eq!(of(&amount(','), "1\u{a0}234,5").as_deref(), Ok("1234.50"));
        assert!(of(&amount('.'), "1,234").is_err(), "it may be one and a bit, or a thousand and more");
        assert!(of(&amount('.'), "1.234").is_err());
    }

    #[test]
    fn an_identifier_is_taken_as_people_write_it_and_its_check_digits_are_verified() {
        let snils = Conversion::Id { scheme: "RU-SNILS".into() };
        assert_eq!(of(&snils, "112-233-445 95").as_deref(), Ok("11223344595"));
        assert_eq!(of(&snils, "112-233-445 96"), Err("an identifier of RU-SNILS with its check digits".to_owned()));
        assert_eq!(snils.beside(), Some(("scheme", "RU-SNILS")));
    }

    #[test]
    fn an_id_of_a_document_is_the_same_each_time_and_another_for_another_agency() {
        let made = of(&Conversion::DocumentId, "N-17").expect("an id");
        assert_eq!(of(&Conversion::DocumentId, "N-17").as_ref(), Ok(&made));
        assert_ne!(document_id("N-17", &AgencyId::parse("xx.demo.clinic-4").expect("an agency")), made);
        assert!(Uuid::parse(&made).is_some());
        let own = "0c9d3f3c-5d7e-8d0a-9b1e-7f0c2a6b4d11";
        assert_eq!(of(&Conversion::DocumentId, &own.to_uppercase()).as_deref(), Ok(own));
    }

    #[test]
    fn years_are_full_on_the_birthday_and_not_before() {
        let age = Conversion::Years(form("yyyy-mm-dd"));
        assert_eq!(of(&age, "2008-03-04").as_deref(), Ok("18"));
        assert_eq!(of(&age, "2008-03-05").as_deref(), Ok("17"));
        assert!(of(&age, "2027-01-01").is_err());
    }

    #[test]
    fn a_failure_never_says_what_was_found() {
        for conversion in [Conversion::Integer, Conversion::Day(form("yyyy-mm-dd")), Conversion::Codes(BTreeMap::new())] {
            assert!(!of(&conversion, "Ivanova").expect_err("refused").contains("Ivanova"));
        }
        assert!(of(&Conversion::Text, "a\u{0}b").is_err());
    }
}
