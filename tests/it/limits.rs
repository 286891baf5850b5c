//! Every constant of `limits.rs` has a row here: a case at the limit that is taken and one above that is refused, or the
//! place where it is tested, or why it is not tested. A constant without a row fails.

use crate::figures::tell;
use oncegate::admission::check_times;
use oncegate::audit::{Pairs, Query};
use oncegate::envelope::EnvelopeReader;
use oncegate::limits;
use oncegate::schema::Schemas;
use oncegate::sig;
use oncegate::time::UnixTime;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// How a limit is tested.
enum Row {
    /// What is made from a number, and the code that it gets: none if it is taken.
    Here(usize, fn(usize) -> Option<&'static str>, &'static str),
    /// A file that tests it, and words of that test.
    In(&'static str, &'static str),
    /// It bounds what the gateway itself does, or is a default: nobody outside can go beyond it.
    Own,
    /// Not tested, and why.
    Untested(&'static str),
}

use Row::{Here, In, Own, Untested};

const ID: &str = "01990a5d-ac96-774b-8cce-b302099a8057";
const XML: &str = "OG-XML-012";
const STRUCTURE: &str = "OG-MSG-001";

/// The parts of a message that a row changes; the rest is good.
#[derive(Default)]
struct Parts {
    basis: String,
    subject: String,
    body: String,
    after: String,
    certificate: String,
    purpose: String,
}

/// How far reading gets with a message: its refusal, or nothing where only the digest is missing.
fn read(parts: &Parts) -> Option<&'static str> {
    let or = |text: &str, otherwise: &str| if text.is_empty() { otherwise.to_owned() } else { text.to_owned() };
    let (basis, purpose) = (or(&parts.basis, "<LegalBasis>L</LegalBasis>"), or(&parts.purpose, "p"));
    let body = or(&parts.body, "<Ask><DocumentType>d</DocumentType></Ask>");
    let markup = format!(
        "<Message xmlns=\"urn:oncegate:message:1\" xmlns:t=\"urn:oncegate:types:1\" version=\"1\"><Header><MessageId>{ID}</MessageId>\
         <Kind>request</Kind><From>xx.a</From><CreatedAt>2026-03-04T05:12:09Z</CreatedAt><ExpiresAt>2026-03-04T05:17:09Z</ExpiresAt>\
         </Header><Context><Purpose>{purpose}</Purpose>{basis}<Subject>{}<t:Name><t:FamilyAbsent>unknown</t:FamilyAbsent>\
         <t:GivenAbsent>unknown</t:GivenAbsent></t:Name></Subject></Context><Body>{body}</Body>{}{}</Message>",
        parts.subject,
        parts.after,
        signature(&parts.certificate)
    );
    refusal(markup.as_bytes())
}

fn refusal(octets: &[u8]) -> Option<&'static str> {
    let schemas = Schemas::built_in();
    let read = sig::read(octets, EnvelopeReader::new(&schemas)).map_err(|read| read.fault.code.as_str());
    // The digest is compared last: whoever gets that far has broken no limit.
    read.err().filter(|code| *code != "OG-SIG-003")
}

fn signature(certificate: &str) -> String {
    let key = if certificate.is_empty() {
        String::new()
    } else {
        format!("<KeyInfo><X509Data><X509Certificate>{certificate}</X509Certificate></X509Data></KeyInfo>")
    };
    format!(
        "<Signature xmlns=\"http://www.w3.org/2000/09/xmldsig#\"><SignedInfo><CanonicalizationMethod \
         Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/><SignatureMethod Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256\"/>\
         <Reference URI=\"\"><Transforms><Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"/><Transform \
         Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/></Transforms><DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/>\
         <DigestValue>{}=</DigestValue></Reference></SignedInfo><SignatureValue>{}==</SignatureValue>{key}</Signature>",
        "A".repeat(43),
        "A".repeat(86),
    )
}

/// Base64 of so many octets.
fn base64(octets: usize) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(vec![0x30; octets])
}

fn document(inside: &str) -> Option<&'static str> {
    read(&Parts { body: format!("<Documents><x xmlns=\"urn:x\">{inside}</x></Documents>"), ..Parts::default() })
}

/// A message of so many octets.
fn sized(octets: usize) -> Option<&'static str> {
    let message = |blanks: usize| {
        let body = format!("<Body><Documents><x xmlns=\"urn:x\"></x></Documents>{}</Body>", " ".repeat(blanks));
        format!(
            "<Message xmlns=\"urn:oncegate:message:1\" version=\"1\"><Header><MessageId>{ID}</MessageId><Kind>application</Kind>\
             <From>xx.a</From><CreatedAt>2026-03-04T05:12:09Z</CreatedAt><ExpiresAt>2026-03-04T05:17:09Z</ExpiresAt></Header>{body}{}</Message>",
            signature("")
        )
    };
    let bare = message(0).len();
    refusal(message(octets - bare).as_bytes())
}

fn query(text: &str) -> Option<&'static str> {
    Pairs::parse(text).and_then(Query::parse).err().map(|error| oncegate::fault::Fault::from(error).code.as_str())
}

/// A message whose clock is so many milliseconds off, or whose life is so long.
fn times(kind: &str, skew: u64, life: u64) -> Option<&'static str> {
    let made = UnixTime::from_ms(1_772_601_129_000);
    let id = oncegate::ids::MessageId::new(made, [1; 10]);
    let markup = format!(
        "<Message xmlns=\"urn:oncegate:message:1\" version=\"1\"><Header><MessageId>{id}</MessageId><Kind>{kind}</Kind><From>xx.a</From>\
         <CreatedAt>{made}</CreatedAt><ExpiresAt>{}</ExpiresAt></Header><Body><State><Of>s</Of><At>{made}</At></State></Body></Message>",
        made.plus_ms(life)
    );
    let schemas = Schemas::built_in();
    let mut reader = EnvelopeReader::new(&schemas);
    oncegate::xml::scan(markup.as_bytes(), oncegate::xml::Profile::Message, &mut reader).expect("a message");
    let message = reader.into_message().expect("a message");
    check_times(&message, made.plus_ms(skew)).err().map(|fault| fault.code.as_str())
}

fn repeated(count: usize, spell: impl Fn(usize) -> String) -> String {
    (0..count).map(spell).collect()
}

const ROWS: &[(&str, Row)] = &[
    ("MESSAGE_BYTES_MAX", Here(limits::MESSAGE_BYTES_MAX, sized, XML)),
    // Message, Body, Documents and the document are around it.
    ("DEPTH_MAX", Here(limits::DEPTH_MAX, |n| document(&format!("{}{}", "<a>".repeat(n - 4), "</a>".repeat(n - 4))), XML)),
    (
        "ATTRIBUTES_MAX",
        Here(limits::ATTRIBUTES_MAX, |n| document(&format!("<a{}/>", repeated(n, |i| format!(" a{i}=\"\"")))), XML),
    ),
    // The prefixes xml and t, the default of the message and that of the document are bound before.
    (
        "BINDINGS_MAX",
        Here(limits::BINDINGS_MAX, |n| document(&format!("<a{}/>", repeated(n - 4, |i| format!(" xmlns:n{i}=\"u:{i}\"")))), XML),
    ),
    ("NAME_BYTES_MAX", Here(limits::NAME_BYTES_MAX, |n| document(&format!("<{}/>", "n".repeat(n))), XML)),
    ("VALUE_BYTES_MAX", Here(limits::VALUE_BYTES_MAX, |n| document(&format!("<a b=\"{}\"/>", "v".repeat(n))), XML)),
    (
        "ATTACHMENTS_MAX",
        Here(
            limits::ATTACHMENTS_MAX,
            |n| {
                let hash = "0".repeat(64);
                let one = |i| {
                    format!("<Attachment id=\"a{i}\" name=\"n.pdf\" mediaType=\"application/pdf\" size=\"1\" sha256=\"{hash}\"/>")
                };
                read(&Parts { after: format!("<Attachments>{}</Attachments>", repeated(n, one)), ..Parts::default() })
            },
            STRUCTURE,
        ),
    ),
    (
        "CERTIFICATE_BYTES_MAX",
        Here(limits::CERTIFICATE_BYTES_MAX, |n| read(&Parts { certificate: base64(n), ..Parts::default() }), "OG-SIG-002"),
    ),
    (
        "LEAF_TEXT_BYTES_MAX",
        Here(limits::LEAF_TEXT_BYTES_MAX, |n| read(&Parts { purpose: " ".repeat(n - 1) + "p", ..Parts::default() }), STRUCTURE),
    ),
    ("PAYLOAD_TEXT_BYTES_MAX", In("src/schema/tests.rs", "PAYLOAD_TEXT_BYTES_MAX + 1")),
    (
        "DOCUMENTS_MAX",
        Here(
            limits::DOCUMENTS_MAX,
            |n| read(&Parts { body: format!("<Documents>{}</Documents>", "<x xmlns=\"urn:x\"/>".repeat(n)), ..Parts::default() }),
            STRUCTURE,
        ),
    ),
    (
        "SELECT_PATHS_MAX",
        Here(
            limits::SELECT_PATHS_MAX,
            |n| {
                let paths = "<Path>A</Path>".repeat(n);
                read(&Parts {
                    body: format!("<Ask><DocumentType>d</DocumentType><Select>{paths}</Select></Ask>"),
                    ..Parts::default()
                })
            },
            STRUCTURE,
        ),
    ),
    (
        "LEGAL_BASES_MAX",
        Here(
            limits::LEGAL_BASES_MAX,
            |n| read(&Parts { basis: "<LegalBasis>L</LegalBasis>".repeat(n), ..Parts::default() }),
            STRUCTURE,
        ),
    ),
    (
        "IDENTIFIERS_MAX",
        Here(
            limits::IDENTIFIERS_MAX,
            |n| read(&Parts { subject: "<t:Id scheme=\"XX-OGTEST\">99000000136</t:Id>".repeat(n), ..Parts::default() }),
            STRUCTURE,
        ),
    ),
    ("CLOCK_SKEW_MS", Here(limits::CLOCK_SKEW_MS as usize, |n| times("answer", n as u64, 3_600_000), "OG-MSG-013")),
    ("REQUEST_LIFE_MS", Here(limits::REQUEST_LIFE_MS as usize, |n| times("answer", 0, n as u64), "OG-MSG-012")),
    ("EVENT_LIFE_MS", Here(limits::EVENT_LIFE_MS as usize, |n| times("status", 0, n as u64), "OG-MSG-012")),
    ("PAGE_RECORDS_MAX", Here(limits::PAGE_RECORDS_MAX, |n| query(&format!("limit={n}")), "OG-AUD-001")),
    ("REASON_BYTES_MAX", Here(limits::REASON_BYTES_MAX, |n| query(&format!("reason={}", "r".repeat(n))), "OG-AUD-001")),
    ("QUERY_VALUE_BYTES_MAX", Here(limits::QUERY_VALUE_BYTES_MAX, |n| query(&format!("basis={}", "b".repeat(n))), "OG-AUD-001")),
    (
        "QUERY_PAIRS_MAX",
        Here(
            limits::QUERY_PAIRS_MAX,
            |n| {
                Pairs::parse(&repeated(n, |i| format!("k{i}=&")))
                    .err()
                    .map(|error| oncegate::fault::Fault::from(error).code.as_str())
            },
            "OG-AUD-001",
        ),
    ),
    ("HEAD_BYTES_MAX", In("tests/it/api.rs", "field(17_000)")),
    ("HEADERS_MAX", In("tests/it/attack/http.rs", "for count in [100, 1_000, 20_000]")),
    ("BODY_MS", In("src/demo/refusals.rs", "\"too slow\"")),
    ("ANSWER_MS", In("src/demo/refusals.rs", "\"a provider that is slow\"")),
    ("IDEMPOTENCY_WINDOW_MS", In("src/demo/refusals.rs", "\"an id older than the window\"")),
    ("DOCUMENT_WATCHED_MAX", In("src/schema/tests.rs", "DOCUMENT_WATCHED_MAX")),
    ("PERSONS_PER_DAY", In("src/quota/persons.rs", "a_budget_is_of_different_persons")),
    ("PERSONS_PER_DAY_MAX", Own),
    ("WAIT_MS_MAX", Own),
    ("WAIT_MS_DEFAULT", Own),
    ("GROUP_RECORDS_MAX", Own),
    ("GROUP_BYTES_MAX", Own),
    ("GROUP_GATHER_US", Own),
    ("GROUP_BUSY_US", Own),
    ("GROUP_GATHER_RECORDS", Own),
    ("INDEX_BATCH_MAX", Own),
    ("INDEX_GATHER_MAX", Own),
    ("INDEX_WAITING_BYTES_MAX", Own),
    ("INDEX_WAIT_MS", Own),
    ("PAGE_RECORDS", Own),
    ("EXPORT_CHUNK_BYTES", Own),
    ("EXPORT_LINE_BYTES_MAX", Own),
    ("VOLUME_RECORDS_MIN", Own),
    ("VOLUME_RECORDS_MAX", Own),
    ("VOLUME_MS", Own),
    ("UPKEEP_MS", Own),
    ("SEGMENT_BYTES_MAX", Own),
    ("PREWRITE_BYTES", Own),
    ("LEAF_BYTES_MAX", Own),
    ("BASIS_BYTES_MAX", Own),
    ("TAG_BYTES", Own),
    ("PRIVATE_BYTES_MAX", Own),
    ("BODY_BYTES_MAX", Own),
    ("POOL_IDLE_MAX", Own),
    ("DRAIN_MS", Own),
    ("CLOSE_MS", Own),
    ("ANOMALIES_MAX", Own),
    ("SCHEMA_BYTES_MAX", Untested(OPERATOR)),
    ("SCHEMA_PATHS_MAX", Untested(OPERATOR)),
    ("SCHEMA_PARTICLES_MAX", Untested(OPERATOR)),
    ("SCHEMA_PATTERN_BYTES_MAX", Untested(OPERATOR)),
    ("FILE_BYTES_MAX", Untested(OPERATOR)),
    ("AGENCY_BYTES_MAX", Untested(OPERATOR)),
    ("KEYS_PER_AGENCY_MAX", Untested(OPERATOR)),
    ("WITHHELD_DAYS_MAX", Untested(OPERATOR)),
    ("LOG_NAME_BYTES_MAX", Untested(OPERATOR)),
    ("WITNESS_POLICY_BYTES_MAX", Untested(OPERATOR)),
    ("WITNESS_POLICY_NAMES_MAX", Untested(OPERATOR)),
    ("WITNESSES_MAX", Untested(OPERATOR)),
    ("WITNESSED_LOGS_MAX", Untested(OPERATOR)),
    ("DOCUMENT_IDENTIFIERS_MAX", Untested("no built-in document repeats an identifier so often")),
    ("QUERY_BYTES_MAX", Untested("the same code reads all bodies")),
    ("NOTE_BYTES_MAX", Untested(WITNESS)),
    ("PROOF_BYTES_MAX", Untested(WITNESS)),
    ("RECEIPT_PROOFS_MAX", Untested(WITNESS)),
    ("WITNESS_REQUEST_BYTES_MAX", Untested(WITNESS)),
    ("WITNESS_CONNECTIONS_MAX", Untested(WITNESS)),
    ("WITNESS_MS", Untested(WITNESS)),
    ("STAMP_BYTES_MAX", Untested(WITNESS)),
    ("REPORT_ROWS_MAX", Untested(LARGE)),
    ("REPORT_GROUPS_MAX", Untested(LARGE)),
    ("REPORT_PAIRS_MAX", Untested(LARGE)),
    ("REPORTS_MAX", Untested(LARGE)),
    ("AGENCY_REPORTS_MAX", Untested(LARGE)),
    ("AGENCY_READS_MAX", Own),
    ("READS_PER_REQUEST", In("tests/it/api.rs", "whoever_reads_too_often_is_told_when_to_come_again")),
    ("SEARCH_ROWS_MAX", Untested(LARGE)),
    ("EXPORT_STALL_MS", Untested(SLOW)),
    ("CONNECT_MS", Untested(SLOW)),
    ("IDLE_MS", Untested(SLOW)),
    ("STALL_BYTES", In("tests/it/abuse/slow.rs", "HTTP/1.1, answers that are not read")),
    ("STALL_MS", In("tests/it/abuse/slow.rs", "HTTP/2, no window for answers")),
    ("HANDSHAKE_MS", In("tests/it/abuse/slow.rs", "TLS, a hello by the octet")),
    ("HEAD_MS", In("tests/it/abuse/slow.rs", "HTTP/1.1, a second head by the octet")),
    ("UNASKED_BYTES_MAX", In("tests/it/abuse/floods.rs", "h2 PING")),
    ("RESETS_MAX", In("tests/it/abuse/floods.rs", "h2 rapid reset")),
    ("STREAMS_MAX", In("tests/it/abuse/floods.rs", "h2 streams without end")),
    ("ADDRESS_CONNECTIONS_MAX", In("tests/it/entrance.rs", "an_address_has_so_many_connections_and_no_more")),
    ("CERTIFICATE_CONNECTIONS_MAX", In("tests/it/entrance.rs", "a_certificate_has_so_many_connections_and_no_more")),
    ("REFUSALS_BURST", In("tests/it/entrance.rs", "refusals_beyond_the_budget_are_summed_up")),
    ("DOORS_MAX", In("src/quota/doors.rs", "limits::DOORS_MAX")),
    ("ADDRESS_PER_SECOND", In("src/quota/doors.rs", "nobody_comes_faster_than_may_be")),
    ("ADDRESS_BURST", In("src/quota/doors.rs", "nobody_comes_faster_than_may_be")),
    ("CERTIFICATE_PER_SECOND", In("src/quota/doors.rs", "nobody_comes_faster_than_may_be")),
    ("CERTIFICATE_BURST", In("src/quota/doors.rs", "nobody_comes_faster_than_may_be")),
    ("REFUSALS_PER_MINUTE", Untested("it is the burst's refill, which governor tests")),
    ("CONNECTIONS_MAX", Untested(MANY)),
    ("PUBLIC_CONNECTIONS_MAX", Untested(MANY)),
    ("HANDSHAKES_MAX", Untested(MANY)),
    ("ADDRESS_HANDSHAKES_MAX", In("tests/it/abuse/floods.rs", "TCP connections")),
    ("BODIES_BYTES_MAX", Untested(MANY)),
    ("REFUSALS_SUMMED_MS", Own),
    ("REFUSED_TOO_OFTEN_MS", Own),
    ("HEAVY_BYTES", Own),
    ("PULSE_MS", Own),
    ("DISCARD_MS", Own),
];

const OPERATOR: &str = "only the operator's own files reach it";
const WITNESS: &str = "witnesses and time stamping authorities that the operator names reach it";
const LARGE: &str = "it takes a log of millions of records, or many at once";
const SLOW: &str = "it takes longer than a test should";
const MANY: &str = "it takes thousands of connections, or hundreds of MiB, at once";

#[test]
fn each_limit_holds_at_its_value_and_not_above() {
    let mut wrong = Vec::new();
    let mut tested = 0;
    for (name, row) in ROWS {
        let Here(limit, make, code) = row else { continue };
        tested += 1;
        let (at, above) = (make(*limit), make(limit + 1));
        if at.is_some() || above != Some(*code) {
            wrong.push(format!("{name}: {at:?} at {limit}, {above:?} above instead of {code}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {tested}:\n{}", wrong.len(), wrong.join("\n"));
    tell("limits tested at their value and one above", format!("{tested} of {tested} hold"));
}

#[test]
fn each_constant_has_a_row_and_each_row_a_constant() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    let source = read("src/limits.rs");
    let constants = source.lines().filter_map(|line| line.strip_prefix("pub const ")?.split(':').next());
    let constants: BTreeSet<&str> = constants.collect();
    let rows: BTreeSet<&str> = ROWS.iter().map(|(name, _)| *name).collect();
    assert_eq!(rows.len(), ROWS.len(), "a row twice");
    assert_eq!(constants, rows);
    for (name, row) in ROWS {
        match row {
            In(path, words) => assert!(read(path).contains(words), "{name} is not tested in {path}"),
            Untested(why) => println!("not tested: {name}: {why}"),
            Here(..) | Own => {}
        }
    }
}
