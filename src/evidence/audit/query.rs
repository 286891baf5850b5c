//! A query of the log: filter, page, reason.

use super::{Filter, Pairs};
use crate::base::fault::{self, Fault};
use crate::base::ids::{AgencyId, Code, Digest, Identifier, MessageId, Uuid};
use crate::base::limits;
use crate::base::time::{Day, UnixTime};
use crate::evidence::tlog::RecordKind;
use crate::message::crypto::Sha256;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fmt;

/// The keys that every query may have.
pub const KEYS: [&str; 18] = [
    "from", "to", "kind", "consumer", "provider", "agency", "document", "purpose", "basis", "code", "message", "digest", "case",
    "official", "person", "limit", "cursor", "reason",
];

/// A query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Which records.
    pub filter: Filter,
    /// How many of a page.
    pub limit: usize,
    /// Where to go on.
    pub cursor: Option<String>,
    /// Why.
    pub reason: Option<String>,
}

/// Why a query is refused. Keys are shown as far as they are plain; values never are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueryError {
    /// No such key; perhaps another was meant.
    Unknown {
        /// The key.
        key: String,
        /// The nearest known one.
        nearest: Option<&'static str>,
    },
    /// A key is given twice.
    Doubled {
        /// The key.
        key: String,
    },
    /// A value has not its form.
    Value {
        /// The key.
        key: String,
        /// What it should be.
        expected: &'static str,
    },
    /// `from` is after `to`.
    Order,
    /// The cursor is none that this gateway made.
    CursorForm,
    /// The cursor is of a query with another filter.
    CursorOfOther,
    /// Person and official are not asked for in an address.
    InAddress {
        /// The key.
        key: &'static str,
    },
    /// A search by person or official, or for what is private, must say why.
    NoReason,
    /// It would look at more than it may.
    TooWide {
        /// What there would be too much of.
        what: &'static str,
        /// How much there may be.
        limit: u64,
    },
}

impl QueryError {
    /// There is no such key.
    pub fn unknown(key: &str) -> Self {
        Self::Unknown { key: plain(key), nearest: fault::nearest(key, KEYS.into_iter()) }
    }

    pub(super) fn doubled(key: &str) -> Self {
        Self::Doubled { key: plain(key) }
    }

    pub(super) fn escape(key: &str) -> Self {
        Self::value(key, "UTF-8 in percent-encoding")
    }

    /// A value has not its form.
    pub fn value(key: &str, expected: &'static str) -> Self {
        Self::Value { key: plain(key), expected }
    }
}

/// As much of a key as may be shown: whoever writes it could have put anything there.
fn plain(key: &str) -> String {
    let is_plain = |c: &char| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-' || *c == '_';
    key.chars().map(|c| if is_plain(&c) { c } else { '?' }).take(24).collect()
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { key, nearest: Some(nearest) } => write!(f, "no key is called {key}; did you mean {nearest}?"),
            Self::Unknown { key, nearest: None } => write!(f, "no key is called {key}"),
            Self::Doubled { key } => write!(f, "{key} is given twice"),
            Self::Value { key, expected } => write!(f, "{key}: expected {expected}"),
            Self::Order => f.write_str("from is after to"),
            Self::CursorForm => f.write_str("cursor: expected one that a page of this query gave"),
            Self::CursorOfOther => f.write_str("cursor: it is of a query with another filter"),
            Self::InAddress { key } => {
                write!(f, "{key} is not taken in an address, which others may keep: use POST /v1/log/search")
            }
            Self::NoReason => write!(f, "reason: expected {REASON}"),
            Self::TooWide { what, limit } => write!(f, "more than {limit} {what}: narrow from and to, or the filter"),
        }
    }
}

impl std::error::Error for QueryError {}

impl From<QueryError> for Fault {
    fn from(error: QueryError) -> Self {
        let code = match &error {
            QueryError::CursorForm | QueryError::CursorOfOther => fault::Code::AudCursor,
            QueryError::InAddress { .. } | QueryError::NoReason => fault::Code::AudReason,
            _ => fault::Code::AudQuery,
        };
        Self::at(code, error.to_string())
    }
}

const TIME: &str = "an instant like 2026-03-04T05:12:09Z or a day like 2026-03-04";
const AGENCY: &str = "an agency like ru.yar.school-17";
const CODE: &str = "a code: a to z, 0 to 9, dot and hyphen";
const IDENTIFIER: &str = "SCHEME|VALUE with good check digits, like RU-SNILS|11223344595";
const DIGEST: &str = "a SHA-256 in 64 hexadecimal digits or in base64url";
const REASON: &str = "why, in 1 to 1024 octets";

impl Query {
    /// Reads a query; every pair must be one of a query's.
    pub fn parse(mut pairs: Pairs) -> Result<Self, QueryError> {
        let filter = read_filter(&mut pairs)?;
        let limit = read(&mut pairs, "limit", "a number from 1 to 1000", |text| {
            text.parse().ok().filter(|limit| (1..=limits::PAGE_RECORDS_MAX).contains(limit))
        })?;
        let cursor = pairs.take("cursor");
        let reason = read(&mut pairs, "reason", REASON, reason)?;
        if let Some(key) = pairs.left() {
            return Err(QueryError::unknown(key));
        }
        Ok(Self { filter, limit: limit.unwrap_or(limits::PAGE_RECORDS), cursor, reason })
    }

    /// The same, from an address: person and official do not belong there.
    pub fn parse_address(pairs: Pairs) -> Result<Self, QueryError> {
        for key in ["person", "official"] {
            if pairs.clone().take(key).is_some() {
                return Err(QueryError::InAddress { key });
            }
        }
        Self::parse(pairs)
    }

    /// The index before which the page begins.
    pub fn before(&self) -> Result<Option<u64>, QueryError> {
        self.cursor.as_deref().map(|cursor| Cursor::parse(cursor, &self.filter).map(|cursor| cursor.0)).transpose()
    }

    /// The reason, where one is needed.
    pub fn reason(&self) -> Result<&str, QueryError> {
        self.reason.as_deref().ok_or(QueryError::NoReason)
    }
}

fn read<T>(
    pairs: &mut Pairs,
    key: &'static str,
    expected: &'static str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, QueryError> {
    let Some(text) = pairs.take(key) else { return Ok(None) };
    parse(&text).map(Some).ok_or_else(|| QueryError::value(key, expected))
}

fn read_filter(pairs: &mut Pairs) -> Result<Filter, QueryError> {
    let known = |text: &str| fault::Code::parse(text).map(|code| code.as_str().to_owned());
    let kind = |text: &str| RecordKind::ALL.into_iter().find(|kind| kind.as_str() == text);
    let basis = |text: &str| {
        let is_good = (1..=limits::QUERY_VALUE_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control);
        is_good.then(|| text.to_owned())
    };
    let filter = Filter {
        from: read(pairs, "from", TIME, time)?,
        to: read(pairs, "to", TIME, time)?,
        kind: read(pairs, "kind", "req, rsp, err, aud, era or adm", kind)?,
        consumer: read(pairs, "consumer", AGENCY, AgencyId::parse)?,
        provider: read(pairs, "provider", AGENCY, AgencyId::parse)?,
        party: read(pairs, "agency", AGENCY, AgencyId::parse)?,
        scope: None,
        document_type: read(pairs, "document", CODE, Code::parse)?,
        purpose: read(pairs, "purpose", CODE, Code::parse)?,
        basis: read(pairs, "basis", "a legal basis as the registry has it", basis)?,
        code: read(pairs, "code", "a fault code like OG-POL-001", known)?,
        message: read(pairs, "message", "a message id: a UUID of version 7 in lower case", MessageId::parse)?,
        digest: read(pairs, "digest", DIGEST, digest)?,
        case: read(pairs, "case", "a UUID in lower case", Uuid::parse)?,
        official: read(pairs, "official", IDENTIFIER, identifier)?,
        person: read(pairs, "person", IDENTIFIER, identifier)?,
    };
    if filter.from.zip(filter.to).is_some_and(|(from, to)| from > to) { Err(QueryError::Order) } else { Ok(filter) }
}

/// A digest as tools write one: in hexadecimal digits, or in base64 of either alphabet.
pub fn digest(text: &str) -> Option<Digest> {
    let hex = || Digest::parse_hex(&text.replace(':', "").to_ascii_lowercase());
    hex().or_else(|| Digest::parse_base64url(&text.trim_end_matches('=').replace('+', "-").replace('/', "_")))
}

/// Why somebody does something, as they have written it: not empty, in one line, and so long at most.
pub fn reason(text: &str) -> Option<String> {
    let is_good = (1..=limits::REASON_BYTES_MAX).contains(&text.trim().len()) && !text.chars().any(char::is_control);
    is_good.then(|| text.trim().to_owned())
}

/// A day is its first instant.
fn time(text: &str) -> Option<UnixTime> {
    let day = |day: Day| u64::try_from(day.days_since_epoch()).ok().map(|days| UnixTime::from_ms(days * 86_400_000));
    UnixTime::parse(text).or_else(|| Day::parse(text).and_then(day))
}

fn identifier(text: &str) -> Option<Identifier> {
    let (scheme, value) = text.split_once('|')?;
    Identifier::parse(scheme, value).ok()
}

/// Where a page of a query goes on: below an index, which stays the same record however much the log grows. It says of
/// which filter it is, so that it cannot be used with another by mistake; it is no secret and no permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor(pub u64);

impl Cursor {
    /// The cursor as text: base64url of the index and eight octets of the filter's hash.
    pub fn to_text(self, filter: &Filter) -> String {
        URL_SAFE_NO_PAD.encode([self.0.to_be_bytes(), hash_of(filter)].concat())
    }

    /// Reads a cursor of a query with this filter.
    pub fn parse(text: &str, filter: &Filter) -> Result<Self, QueryError> {
        let octets = URL_SAFE_NO_PAD.decode(text).map_err(|_| QueryError::CursorForm)?;
        let octets: [u8; 16] = octets.try_into().map_err(|_| QueryError::CursorForm)?;
        let (index, hash) = octets.split_first_chunk::<8>().ok_or(QueryError::CursorForm)?;
        if *hash == hash_of(filter) { Ok(Self(u64::from_be_bytes(*index))) } else { Err(QueryError::CursorOfOther) }
    }
}

fn hash_of(filter: &Filter) -> [u8; 8] {
    let mut hash = Sha256::new();
    hash.update(b"oncegate cursor 1");
    for (key, value) in filter.to_pairs() {
        // Neither has controls in it.
        [b"\n", key.as_bytes(), b"=", value.as_bytes()].iter().for_each(|part| hash.update(part));
    }
    hash.finish().octets().first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn query(text: &str) -> Result<Query, QueryError> {
        Query::parse(Pairs::parse(text)?)
    }

    #[test]
    fn every_key_is_read() {
        let text = "from=2026-03-04&to=2026-03-04T05:12:09Z&kind=rsp&consumer=xx.a&provider=xx.b&agency=xx.a&document=note\
                    &purpose=school-attendance&basis=RU%3A323-FZ%3A13&code=OG-POL-001\
                    &message=01990a5d-ac96-774b-8cce-b302099a8057&digest=AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE\
                    &case=01990a5c-0000-7000-8000-000000000001\
                    &official=RU-SNILS%7C11223344595&person=RU-SNILS%7C11223344595&limit=7&reason=complaint+17-22";
        let query = query(text).expect("good");
        assert_eq!((query.limit, query.reason.as_deref()), (7, Some("complaint 17-22")));
        assert_eq!(query.filter.to_pairs().len(), 15);
        assert_eq!(query.filter.from.map(|time| time.to_string()).as_deref(), Some("2026-03-04T00:00:00.000Z"));
        // All keys but the cursor are in the text above.
        assert!(KEYS.iter().all(|key| *key == "cursor" || text.contains(&format!("{key}="))));
    }

    #[test]
    fn a_digest_is_read_in_every_form_in_which_tools_write_it() {
        let octets = [0xfb; 32];
        let colons: Vec<String> = octets.iter().map(|octet| format!("{octet:02X}")).collect();
        for text in ["fb".repeat(32), colons.join(":"), "-_v7".repeat(10) + "-_s", "+/v7".repeat(10) + "+/s="] {
            assert_eq!(digest(&text), Some(Digest::from_octets(octets)), "{text}");
        }
        assert_eq!((digest(""), digest(&"fb".repeat(31)), digest("note")), (None, None, None));
    }

    #[test]
    fn what_is_wrong_is_named_and_no_value_is_repeated() {
        for (text, named, words) in [
            ("form=2026-03-04", "form", "did you mean from?"),
            ("zzzzzzzzzzzzzz=1", "zzzzzzzzzzzzzz", "no key"),
            ("to=1&to=2", "to", "twice"),
            ("from=2026-02-30", "from", "an instant like"),
            ("to=1969-12-31", "to", "an instant like"),
            ("from=2026-03-04T05:12:09%2B03:00", "from", "an instant like"),
            ("from=2026-03-05&to=2026-03-04", "from", "after to"),
            ("kind=x", "kind", "req, rsp"),
            ("consumer=School", "consumer", "an agency"),
            ("agency=", "agency", "an agency"),
            ("document=A%20B", "document", "a code"),
            ("code=OG-POL-999", "code", "a fault code"),
            ("message=01990a5d-ac96-474b-8cce-b302099a8057", "message", "version 7"),
            ("digest=01", "digest", "a SHA-256"),
            ("case=1", "case", "a UUID"),
            ("person=RU-SNILS|11223344594", "person", "check digits"),
            ("official=RU-SNILS", "official", "SCHEME|VALUE"),
            ("limit=0", "limit", "1 to 1000"),
            ("limit=1001", "limit", "1 to 1000"),
            ("limit=-1", "limit", "1 to 1000"),
            ("limit=99999999999999999999999", "limit", "1 to 1000"),
            ("reason=", "reason", "1 to 1024"),
            ("reason=%20", "reason", "1 to 1024"),
            ("reason=a%0Ab", "reason", "1 to 1024"),
            ("basis=%00", "basis", "a legal basis"),
            ("person=%ff", "person", "UTF-8"),
            ("%3Cscript%3E%0A=1", "?script??", "no key"),
        ] {
            let error = query(text).expect_err(text).to_string();
            assert!(error.contains(named) && error.contains(words), "{text}: {error}");
            assert!(!error.contains("11223344594"), "{error}");
        }
        let long = format!("reason={}", "a".repeat(limits::REASON_BYTES_MAX));
        assert!(query(&long).is_ok() && query(&format!("{long}a")).is_err());
    }

    #[test]
    fn persons_are_not_asked_for_in_an_address() {
        for (text, is_good) in [("person=XX-OGTEST|99000000136", false), ("official=x", false), ("consumer=xx.a", true)] {
            assert_eq!(Query::parse_address(Pairs::parse(text).expect("pairs")).is_ok(), is_good, "{text}");
        }
    }

    #[test]
    fn a_cursor_is_of_its_filter() {
        let (a, b) = (query("consumer=xx.a").expect("good").filter, query("consumer=xx.b").expect("good").filter);
        let text = Cursor(77).to_text(&a);
        assert_eq!(Cursor::parse(&text, &a), Ok(Cursor(77)));
        assert_eq!(Cursor::parse(&text, &b), Err(QueryError::CursorOfOther));
        let seen = Filter { scope: AgencyId::parse("xx.a"), ..a.clone() };
        assert_eq!(Cursor::parse(&text, &seen), Err(QueryError::CursorOfOther));
        for bad in ["", "a", "====", &text[1..], &format!("{text}AA"), &text.replace(&text[..1], "ё")] {
            assert_eq!(Cursor::parse(bad, &a), Err(QueryError::CursorForm), "{bad}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

        /// Whatever comes is a query or a refusal in plain words; what is a query is the same once it was written.
        #[test]
        fn no_text_does_harm(key in "(from|to|kind|limit|cursor|person|basis|[a-z]{0,5}|\\PC{0,6})", value in "\\PC{0,12}", rest in "[ -~]{0,20}") {
            let text = format!("{key}={value}&{rest}");
            match query(&text) {
                Ok(query) => {
                    let mut pairs = Pairs::default();
                    for (key, value) in query.filter.to_pairs() {
                        prop_assert_eq!(pairs.add(key.to_owned(), value), Ok(()));
                    }
                    let again = Query::parse(Pairs::parse(&pairs.to_string()).expect("as written")).expect("as written");
                    prop_assert_eq!(again.filter, query.filter);
                }
                Err(error) => prop_assert!(error.to_string().is_ascii(), "{}", error),
            }
            let _ = Cursor::parse(&value, &Filter::default());
            let _ = Pairs::parse_json(text.as_bytes());
        }
    }
}
