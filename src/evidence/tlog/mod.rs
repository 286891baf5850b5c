//! The evidence log: what a record says, and the proof that it is durable.
//!
//! A leaf is UTF-8 JSON with sorted keys, no spaces, strings and integers only (RFC 8785 holds trivially), at most
//! 1 KiB, and holds nothing that would ever need erasing: no identifier, no name, no free text of a person. Over the
//! leaves stands a Merkle tree ([`tree`]), which checkpoints sign ([`note`]) and receipts stand on ([`proof`]).

pub mod leaf;
pub mod note;
pub mod policy;
pub mod proof;
pub mod range;
pub mod tiles;
pub mod tree;

use crate::base::fault;
use crate::base::ids::{AgencyId, Code, Digest, Identifier, MessageId, Uuid};
use crate::base::limits;
use crate::base::time::UnixTime;
use crate::message::envelope::{Subject, World};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::borrow::Cow;
use std::fmt::Write;
use std::sync::Arc;

/// What a record is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordKind {
    /// A permitted request, before it is forwarded.
    Request,
    /// An answer, before it is released.
    Answer,
    /// A refusal or failure, before it is answered.
    Refusal,
    /// Somebody read the log who had to say why.
    Audit,
    /// Something of a record was erased.
    Erasure,
    /// Something was done to the gateway: it was started, its registry was changed, a checkpoint was stamped.
    Administration,
    /// An event, before it is given to anybody.
    Event,
    /// A message that was accepted is kept, leased to a worker, or has been taken by its receiver.
    Delivery,
    /// A word of how far a question has come, before whoever asked is told.
    Status,
    /// Whoever asked has cancelled a question.
    Cancel,
    /// A change of a case.
    Case,
}

impl RecordKind {
    /// All kinds.
    pub const ALL: [Self; 11] = [
        Self::Request,
        Self::Answer,
        Self::Refusal,
        Self::Audit,
        Self::Erasure,
        Self::Administration,
        Self::Event,
        Self::Delivery,
        Self::Status,
        Self::Cancel,
        Self::Case,
    ];

    /// The word in the leaf.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Request => "req",
            Self::Answer => "rsp",
            Self::Refusal => "err",
            Self::Audit => "aud",
            Self::Erasure => "era",
            Self::Administration => "adm",
            Self::Event => "evt",
            Self::Delivery => "dlv",
            Self::Status => "sts",
            Self::Cancel => "cnl",
            Self::Case => "cse",
        }
    }
}

/// One verdict or effect. The log line, the metrics and the leaf are all written from it.
#[derive(Clone, Debug)]
pub struct Record {
    /// What it is of.
    pub kind: RecordKind,
    /// When it was decided.
    pub time: UnixTime,
    /// The id of the request, also in the record of its answer.
    pub message: Option<MessageId>,
    /// The digest of the message that the record is of.
    pub digest: Option<Digest>,
    /// The digest of the message that it answers.
    pub counterpart: Option<Digest>,
    /// Who asked.
    pub consumer: Option<AgencyId>,
    /// On whose behalf, if not on its own.
    pub principal: Option<AgencyId>,
    /// Who holds.
    pub provider: Option<AgencyId>,
    /// Whom it was for by name, if the provider stands in the place of another agency.
    pub addressed: Option<AgencyId>,
    /// What was asked for.
    pub document_type: Option<Code>,
    /// For which purpose.
    pub purpose: Option<Code>,
    /// On which legal basis.
    pub basis: Option<Arc<str>>,
    /// By which grant.
    pub grant: Option<Code>,
    /// In which case.
    pub case: Option<Uuid>,
    /// By which version of the registry.
    pub registry_version: u64,
    /// Why it was refused.
    pub code: Option<fault::Code>,
    /// How many octets came.
    pub octets: u64,
    /// SHA-256 of octets that could not be read as a message.
    pub raw: Option<Digest>,
    /// SHA-256 of the client certificate.
    pub system: Option<Digest>,
    /// Test or live.
    pub world: World,
    /// How long the exchange took so far, in microseconds.
    pub elapsed_us: u64,
    /// Until when the citizen is not shown it, where the law orders that.
    pub withheld_until: Option<UnixTime>,
    /// What was done, for records of other things than messages.
    pub action: Option<Code>,
    /// How many refusals it stands for, where there were too many to record each.
    pub summed: Option<u64>,
    /// The record that it was done to.
    pub concerns: Option<u64>,
    /// How long it holds: the deadline of what is kept, the end of a lease, when a holder is asked again.
    pub until: Option<UnixTime>,
}

/// What is personal about a record: kept sealed beside the leaf, and erasable.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Private {
    /// Whom it is about. Of somebody without an identifier only an index key is kept, no name.
    pub subject: Subject,
    /// The official who asked.
    pub official: Option<Identifier>,
    /// The official's role.
    pub role: Option<Code>,
    /// The fields that were asked for.
    pub fields: Vec<String>,
    /// What was asked for, where the leaf does not say so: a refused request may name any document there could be, and names
    /// in leaves are counted for good.
    pub document: Option<Code>,
    /// For which purpose, likewise.
    pub purpose: Option<Code>,
    /// Where and why something was refused, in words that may hold what a message says.
    pub cause: Option<String>,
    /// Why, in the words of whoever had to give a reason.
    pub reason: Option<String>,
    /// What has changed in a case, as JSON.
    pub changes: Option<String>,
    /// It is sealed with the request's record already: this one has tags and index keys, and the cause of a refusal.
    pub is_with_request: bool,
    /// Of an answer: it says that there is no record. It stands beside the leaf, since a leaf is for good and for many.
    pub is_miss: bool,
}

impl Private {
    /// Whether there is nothing to keep.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What of it is sealed with this record, if anything is.
    pub fn sealed(&self) -> Option<Cow<'_, Self>> {
        match (self.is_with_request, &self.cause) {
            (false, _) => (!self.is_empty()).then_some(Cow::Borrowed(self)),
            (true, Some(cause)) => Some(Cow::Owned(Self { cause: Some(cause.clone()), ..Self::default() })),
            (true, None) => None,
        }
    }

    /// What is sealed: JSON with sorted keys; `d` document type, `e` cause, `f` fields, `i` identifiers as scheme and value, `o`
    /// the official's, `p` purpose, `r` the role, `s` the salt, `w` the reason, `x` changes of a case.
    pub fn to_json(&self, salt: &[u8; 32]) -> String {
        let mut out = String::from("{");
        shown("d", self.document.as_ref(), &mut out);
        text("e", self.cause.as_deref().map(cut), &mut out);
        let mut list = |key: &str, items: &mut dyn Iterator<Item = &str>| {
            comma(&mut out);
            let _ = write!(out, "\"{key}\":[");
            for (number, item) in items.enumerate() {
                out.push_str(if number == 0 { "" } else { "," });
                quoted(item, &mut out);
            }
            out.push(']');
        };
        let pair = |id: &'_ Identifier| [id.scheme().to_owned(), id.value().to_owned()];
        let (persons, official): (Vec<_>, Vec<_>) =
            (self.subject.identifiers.iter().flat_map(pair).collect(), self.official.iter().flat_map(pair).collect());
        list("f", &mut self.fields.iter().take(limits::SELECT_PATHS_MAX).map(String::as_str));
        list("i", &mut persons.iter().map(String::as_str));
        list("o", &mut official.iter().map(String::as_str));
        shown("p", self.purpose.as_ref(), &mut out);
        shown("r", self.role.as_ref(), &mut out);
        text("s", Some(&URL_SAFE_NO_PAD.encode(salt)), &mut out);
        text("w", self.reason.as_deref(), &mut out);
        text("x", self.changes.as_deref(), &mut out);
        out.push('}');
        out
    }
}

impl std::fmt::Debug for Private {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Private(…)")
    }
}

/// A cause names a place in a message, which may be deep: its beginning says most.
fn cut(cause: &str) -> &str {
    cause.get(..cause.floor_char_boundary(limits::CAUSE_BYTES_MAX)).unwrap_or(cause)
}

/// What a leaf says of its private part without telling it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blind {
    /// A tag for each identifier: the persons' keys find them, nothing else links them.
    pub tags: Vec<[u8; limits::TAG_BYTES]>,
    /// HMAC-SHA-256 of the private part under its salt.
    pub commitment: Option<Digest>,
    /// Keys of the log: name, colon and SHA-256 of each, with a blank between two.
    pub keys: Option<String>,
}

impl Record {
    /// A record that says only what it is of and when.
    pub fn new(kind: RecordKind, time: UnixTime) -> Self {
        Self {
            kind,
            time,
            message: None,
            digest: None,
            counterpart: None,
            consumer: None,
            principal: None,
            provider: None,
            addressed: None,
            document_type: None,
            purpose: None,
            basis: None,
            grant: None,
            case: None,
            registry_version: 0,
            code: None,
            octets: 0,
            raw: None,
            system: None,
            world: World::Live,
            elapsed_us: 0,
            withheld_until: None,
            action: None,
            summed: None,
            concerns: None,
            until: None,
        }
    }

    /// The leaf. Keys: `a` what was done, `b` legal basis, `c` commitment to the private part, `case`, `d` document type,
    /// `e` fault code, `f` on whose behalf, `g` grant, `h` digest of the message, `i` tags of the persons, `j` commitments to keys, `k` kind, `l` microseconds since the
    /// request came, `m` message id, `n` withheld from the citizen until, `o` octets, `p` purpose, `q` digest of the message
    /// answered, `r` registry version, `s` provider, `t` milliseconds since the epoch, `test`, `to` the agency in whose place the provider stands, `u` consumer, `v` version of
    /// this form, `w` SHA-256 of unreadable octets, `x` SHA-256 of the client certificate, `z` the record concerned.
    pub fn leaf(&self, blind: &Blind) -> String {
        let mut leaf = String::with_capacity(640);
        leaf.push('{');
        shown("a", self.action.as_ref(), &mut leaf);
        // A legal basis is the only long text; cut, it still names the law.
        text("b", self.basis.as_deref().map(basis_of_leaf), &mut leaf);
        digest("c", blind.commitment.as_ref(), &mut leaf);
        shown("case", self.case.as_ref(), &mut leaf);
        shown("d", self.document_type.as_ref(), &mut leaf);
        shown("e", self.code.as_ref(), &mut leaf);
        shown("f", self.principal.as_ref(), &mut leaf);
        shown("g", self.grant.as_ref(), &mut leaf);
        digest("h", self.digest.as_ref(), &mut leaf);
        let tags: String = blind.tags.iter().map(|tag| URL_SAFE_NO_PAD.encode(tag)).collect();
        text("i", (!tags.is_empty()).then_some(&tags), &mut leaf);
        text("j", blind.keys.as_deref(), &mut leaf);
        text("k", Some(self.kind.as_str()), &mut leaf);
        integer("l", (self.elapsed_us > 0).then_some(self.elapsed_us.min(u64::from(u32::MAX))), &mut leaf);
        shown("m", self.message.as_ref(), &mut leaf);
        integer("n", self.withheld_until.map(UnixTime::as_ms), &mut leaf);
        integer("o", Some(self.octets), &mut leaf);
        shown("p", self.purpose.as_ref(), &mut leaf);
        digest("q", self.counterpart.as_ref(), &mut leaf);
        integer("r", Some(self.registry_version), &mut leaf);
        shown("s", self.provider.as_ref(), &mut leaf);
        integer("t", Some(self.time.as_ms()), &mut leaf);
        text("test", (self.world == World::Test).then_some("1"), &mut leaf);
        shown("to", self.addressed.as_ref(), &mut leaf);
        shown("u", self.consumer.as_ref(), &mut leaf);
        integer("until", self.until.map(UnixTime::as_ms), &mut leaf);
        integer("v", Some(1), &mut leaf);
        digest("w", self.raw.as_ref(), &mut leaf);
        digest("x", self.system.as_ref(), &mut leaf);
        integer("y", self.summed, &mut leaf);
        integer("z", self.concerns, &mut leaf);
        leaf.push('}');
        assert!(leaf.len() <= limits::LEAF_BYTES_MAX, "the parts of a leaf are bounded so that it fits");
        leaf
    }
}

/// A legal basis as leaves have it: cut at a character, so that with its escapes it takes no more room than it may.
pub fn basis_of_leaf(basis: &str) -> &str {
    let mut written = 0_usize;
    let kept = basis.chars().take_while(|character| {
        written = written.saturating_add(match character {
            '"' | '\\' => 2,
            control if *control < ' ' => 6,
            other => other.len_utf8(),
        });
        written <= limits::BASIS_BYTES_MAX
    });
    let end = kept.map(char::len_utf8).sum();
    basis.get(..end).unwrap_or(basis)
}

/// Ids, codes and digests are of characters that JSON writes as they are.
fn shown(key: &str, value: Option<&impl std::fmt::Display>, out: &mut String) {
    if let Some(value) = value {
        comma(out);
        let _ = write!(out, "\"{key}\":\"{value}\"");
    }
}

/// Digests are written in base64url without padding (RFC 4648, section 5): 43 characters.
fn digest(key: &str, value: Option<&Digest>, out: &mut String) {
    if let Some(digest) = value {
        comma(out);
        let _ = write!(out, "\"{key}\":\"");
        URL_SAFE_NO_PAD.encode_string(digest.octets(), out);
        out.push('"');
    }
}

fn integer(key: &str, value: Option<u64>, out: &mut String) {
    if let Some(value) = value {
        comma(out);
        let _ = write!(out, "\"{key}\":{value}");
    }
}

/// RFC 8785, section 3.2.2.2: only the quotation mark, the reverse solidus and controls are escaped.
fn text(key: &str, value: Option<&str>, out: &mut String) {
    let Some(value) = value else { return };
    comma(out);
    let _ = write!(out, "\"{key}\":");
    quoted(value, out);
}

fn quoted(value: &str, out: &mut String) {
    out.push('"');
    let is_escaped = |character: char| character == '"' || character == '\\' || character < ' ';
    let mut rest = value;
    while let Some(at) = rest.find(is_escaped) {
        let (plain, after) = rest.split_at(at);
        out.push_str(plain);
        let mut after = after.chars();
        match after.next() {
            Some(control) if control < ' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            Some(other) => out.extend(['\\', other]),
            None => {}
        }
        rest = after.as_str();
    }
    out.push_str(rest);
    out.push('"');
}

fn comma(out: &mut String) {
    if !out.ends_with('{') {
        out.push(',');
    }
}

/// The proof that a record is durable. Only a store makes it, after its flush has returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Logged {
    index: u64,
}

impl Logged {
    /// For the stores, which call it only for records that `fdatasync` has covered; `tests/it/tidy.rs` holds them to it.
    #[cfg_attr(not(any(feature = "server", test)), expect(dead_code, reason = "the core has no store"))]
    pub(crate) const fn durable(index: u64) -> Self {
        Self { index }
    }

    /// For unit tests of what needs the proof; no program has it.
    #[cfg(test)]
    pub(crate) const fn of_test(index: u64) -> Self {
        Self::durable(index)
    }

    /// The index of the record in the log.
    pub const fn index(&self) -> u64 {
        self.index
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leaf_is_sorted_and_fits_at_its_longest() {
        // To the end of the year 9999.
        let latest = UnixTime::from_ms(253_402_300_799_999);
        let mut record = Record::new(RecordKind::Refusal, latest);
        let name = format!("xx{}.{}", format!(".{}", "a".repeat(40)).repeat(2), "a".repeat(limits::AGENCY_BYTES_MAX - 85));
        record.message = Some(MessageId::new(UnixTime::from_ms(1), [0; 10]));
        let digest = Some(Digest::from_octets([0xff; 32]));
        // Octets that could not be read have no digest as a message.
        (record.digest, record.counterpart, record.raw, record.system) = (digest, digest, None, digest);
        (record.consumer, record.provider) = (AgencyId::parse(&name), AgencyId::parse(&name));
        // Of an agent and whom it asks for, both names together are not longer than this.
        let part = |country: &str| {
            AgencyId::parse(&format!("{country}.{}.{}", "a".repeat(20), "b".repeat(limits::DELEGATION_BYTES_MAX / 2 - 24)))
        };
        (record.consumer, record.principal) = (part("xx"), part("yy"));
        let leaf_of = |record: &Record| {
            let blind = Blind { tags: vec![[0xff; limits::TAG_BYTES]; limits::IDENTIFIERS_MAX], ..Blind::default() };
            record.leaf(&blind).len()
        };
        // Of an agency and who stands in its place neither.
        let succeeded = Record { provider: part("xx"), addressed: part("yy"), ..record.clone() };
        assert!(leaf_of(&succeeded) <= leaf_of(&record), "{} {}", leaf_of(&succeeded), leaf_of(&record));
        record.basis = Some("Ж".repeat(200).into());
        let code = Code::parse(&"c".repeat(64));
        (record.document_type, record.purpose, record.grant) = (code.clone(), code.clone(), code);
        record.case = Uuid::parse("01990a5c-0000-7000-8000-000000000001");
        (record.code, record.octets, record.registry_version) = (Some(fault::Code::XmlLimit), 1 << 40, u64::MAX);
        (record.elapsed_us, record.withheld_until) = (u64::MAX, Some(latest));
        // Of what is kept.
        record.concerns = Some((1 << 53) - 1);
        let blind = Blind { tags: vec![[0xff; limits::TAG_BYTES]; limits::IDENTIFIERS_MAX], commitment: digest, keys: None };
        let leaf = record.leaf(&blind);
        assert!(leaf.len() > 1_000, "{}", leaf.len());
        // What holds until some time has no code; a word of progress no legal basis, which stands in the record of the question.
        let again = Code::parse("again");
        let kept = Record { code: None, counterpart: None, until: Some(latest), action: again, ..record.clone() };
        let word = Record { code: None, basis: None, until: Some(latest), ..record.clone() };
        assert!([kept, word].iter().all(|record| record.leaf(&blind).len() > 900));
        // What is escaped takes more room than it has octets: two, or six.
        for (basis, kept) in [("\"", 40), ("\n", 13), ("a", 80), ("\u{416}", 40)] {
            record.basis = Some(basis.repeat(200).into());
            let parsed = leaf::Leaf::parse(&record.leaf(&blind)).expect("as written");
            assert_eq!(parsed.basis, Some(basis.repeat(kept)));
        }
    }

    #[test]
    fn a_leaf_is_plain_json() {
        let mut record = Record::new(RecordKind::Answer, UnixTime::from_ms(7));
        record.basis = Some("a \"law\" \\ \u{1}".into());
        assert_eq!(record.leaf(&Blind::default()), r#"{"b":"a \"law\" \\ \u0001","k":"rsp","o":0,"r":0,"t":7,"v":1}"#);
    }

    #[test]
    fn each_kind_has_its_word() {
        for (kind, word) in
            RecordKind::ALL.into_iter().zip(["req", "rsp", "err", "aud", "era", "adm", "evt", "dlv", "sts", "cnl"])
        {
            let leaf = Record::new(kind, UnixTime::from_ms(7)).leaf(&Blind::default());
            assert_eq!(leaf, format!("{{\"k\":\"{word}\",\"o\":0,\"r\":0,\"t\":7,\"v\":1}}"));
        }
    }

    #[test]
    fn the_time_that_it_took_is_told_from_the_first_microsecond_on_and_bounded() {
        let parsed = |elapsed_us| {
            let record = Record { elapsed_us, ..Record::new(RecordKind::Answer, UnixTime::from_ms(7)) };
            leaf::Leaf::parse(&record.leaf(&Blind::default())).expect("as written").elapsed_us
        };
        let longest = u64::from(u32::MAX);
        assert_eq!([0, 1, longest, u64::MAX].map(parsed), [None, Some(1), Some(longest), Some(longest)]);
    }

    #[test]
    fn text_is_escaped_where_json_says_so_and_nowhere_else() {
        for (plain, written) in [
            ("\u{0}", r"\u0000"),
            ("\u{1f}", r"\u001f"),
            ("\n", r"\u000a"),
            (" ", " "),
            ("!", "!"),
            ("\"\"", r#"\"\""#),
            ("\\n", r"\\n"),
            ("\u{7f}/\u{416}", "\u{7f}/\u{416}"),
        ] {
            let mut out = String::new();
            quoted(plain, &mut out);
            assert_eq!(out, format!("\"{written}\""));
            assert_eq!(serde_json::from_str::<String>(&out).expect("JSON"), plain);
        }
    }

    #[test]
    fn whatever_is_personal_is_kept() {
        assert!(Private::default().is_empty());
        let identifier = Identifier::synthetic(1);
        for private in [
            Private { subject: vec![identifier.clone()].into(), ..Private::default() },
            Private { official: Some(identifier), ..Private::default() },
            Private { role: Code::parse("clerk"), ..Private::default() },
            Private { fields: vec![String::new()], ..Private::default() },
            Private { document: Code::parse("note"), ..Private::default() },
            Private { purpose: Code::parse("aid"), ..Private::default() },
            Private { cause: Some(String::new()), ..Private::default() },
            Private { reason: Some(String::new()), ..Private::default() },
            Private { is_with_request: true, ..Private::default() },
        ] {
            assert!(!private.is_empty());
        }
    }

    #[test]
    fn what_is_sealed_is_sorted_json() {
        let salt = URL_SAFE_NO_PAD.encode([0xff; 32]);
        let empty = Private::default().to_json(&[0xff; 32]);
        assert_eq!(empty, format!(r#"{{"f":[],"i":[],"o":[],"s":"{salt}"}}"#));
        let [first, second, official] = [1, 2, 3].map(Identifier::synthetic);
        let values = [&first, &second, &official].map(|identifier| format!(r#""XX-OGTEST","{}""#, identifier.value()));
        let private = Private {
            subject: vec![first, second].into(),
            official: Some(official),
            role: Code::parse("clerk"),
            fields: (0..limits::SELECT_PATHS_MAX + 1).map(|number| number.to_string()).collect(),
            document: Code::parse("note"),
            purpose: Code::parse("aid"),
            cause: Some("é".repeat(limits::CAUSE_BYTES_MAX)),
            reason: Some("a \"reason\"".to_owned()),
            changes: None,
            is_with_request: false,
            is_miss: false,
        };
        let fields = (0..limits::SELECT_PATHS_MAX).map(|number| format!("\"{number}\"")).collect::<Vec<_>>().join(",");
        let [first, second, official] = values;
        let cause = "é".repeat(limits::CAUSE_BYTES_MAX / 2);
        let expected = format!(
            r#"{{"d":"note","e":"{cause}","f":[{fields}],"i":[{first},{second}],"o":[{official}],"p":"aid","r":"clerk","s":"{salt}","w":"a \"reason\""}}"#
        );
        assert_eq!(private.to_json(&[0xff; 32]), expected);
    }

    #[test]
    fn the_longest_paths_of_the_longest_question_fit_into_what_is_sealed() {
        let id = || Identifier::parse("XX-ABCDEFGHIJKLMNOP", &"9".repeat(64)).expect("an identifier");
        let private = Private {
            subject: (0..limits::IDENTIFIERS_MAX).map(|_| id()).collect::<Vec<_>>().into(),
            official: Some(id()),
            role: Code::parse(&"r".repeat(64)),
            fields: vec!["\u{20000}".repeat(limits::FIELD_PATH_CHARS_MAX); limits::SELECT_PATHS_MAX],
            document: Code::parse(&"d".repeat(64)),
            purpose: Code::parse(&"p".repeat(64)),
            cause: Some("\u{1}".repeat(limits::CAUSE_BYTES_MAX)),
            ..Private::default()
        };
        // Before it stands a head of keys, and behind it the seal's tag.
        assert!(private.to_json(&[0xff; 32]).len() + 256 <= limits::PRIVATE_BYTES_MAX);
    }

    #[test]
    fn of_what_is_sealed_with_the_request_only_the_cause_is_sealed_again() {
        let of = |is_with_request, cause: Option<&str>| {
            let (fields, cause) = (vec!["Absence".to_owned()], cause.map(str::to_owned));
            let private = Private { fields, cause, is_with_request, ..Private::default() };
            private.sealed().map(|sealed| (sealed.fields.len(), sealed.cause.clone()))
        };
        assert_eq!(of(false, None), Some((1, None)));
        assert_eq!(of(true, Some("why")), Some((0, Some("why".to_owned()))));
        assert_eq!((of(true, None), Private::default().sealed()), (None, None));
    }

    #[test]
    fn the_proof_of_a_record_says_which() {
        assert_eq!([0, 1, 7, u64::MAX].map(|index| Logged::durable(index).index()), [0, 1, 7, u64::MAX]);
    }
}
