//! Every constant of `limits.rs` has a row here: a case at the limit that is taken and one above that is refused, or the
//! place where it is tested; or it is none that somebody outside can reach. A constant without a row fails.

use crate::figures::tell;
use oncegate::base::fault::Fault;
use oncegate::base::limits;
use oncegate::base::time::UnixTime;
use oncegate::evidence::audit::{Pairs, Query};
use oncegate::exchange::admission::check_times;
use oncegate::message::envelope::EnvelopeReader;
use oncegate::message::schema::{Schemas, Validator};
use oncegate::message::sig;
use oncegate::message::xml::{Profile, scan};
use oncegate::message::xsd::compile;
use oncegate::message::xsd::read::{Library, Source, load};
use oncegate::rules::registry::Registry;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// How a limit is tested.
enum Row {
    /// What is made from a number; the code, or other words, of what is said of it above the limit. Nothing is said of what is
    /// taken.
    Here(usize, fn(usize) -> Option<String>, &'static str),
    /// A file that tests it, and words of that test.
    In(&'static str, &'static str),
    /// It bounds what the gateway itself does, or is a default or a price: nobody outside can go beyond it.
    Own,
}

use Row::{Here, In, Own};

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
fn read(parts: &Parts) -> Option<String> {
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

fn refusal(octets: &[u8]) -> Option<String> {
    let schemas = Schemas::built_in();
    let read = sig::read(octets, EnvelopeReader::new(&schemas)).map_err(|read| read.fault.code.as_str());
    // The digest is compared last: whoever gets that far has broken no limit.
    read.err().filter(|code| *code != "OG-SIG-003").map(str::to_owned)
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

fn document(inside: &str) -> Option<String> {
    read(&Parts { body: format!("<Documents><x xmlns=\"urn:x\">{inside}</x></Documents>"), ..Parts::default() })
}

/// A message of so many octets.
fn sized(octets: usize) -> Option<String> {
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

fn query(text: &str) -> Option<String> {
    Pairs::parse(text).and_then(Query::parse).err().map(told)
}

/// The code of a fault.
fn told(fault: impl Into<Fault>) -> String {
    fault.into().code.as_str().to_owned()
}

/// An order with so many answers: what it is refused for.
fn answers(count: usize) -> Option<String> {
    let answers = "<Answer fact=\"a.b\">1</Answer>".repeat(count);
    let order = format!("<CaseOrder xmlns=\"urn:oncegate:doc:case-order:1\"><Case>{ID}</Case>{answers}</CaseOrder>");
    let schemas = Schemas::built_in();
    let mut validator = Validator::new(&schemas);
    scan(order.as_bytes(), Profile::Message, &mut validator).expect("well-formed");
    validator.finish().err().map(told)
}

/// A message whose clock is so many milliseconds off, or whose life is so long.
fn times(kind: &str, skew: u64, life: u64) -> Option<String> {
    let made = UnixTime::from_ms(1_772_601_129_000);
    let id = oncegate::base::ids::MessageId::new(made, [1; 10]);
    let markup = format!(
        "<Message xmlns=\"urn:oncegate:message:1\" version=\"1\"><Header><MessageId>{id}</MessageId><Kind>{kind}</Kind><From>xx.a</From>\
         <CreatedAt>{made}</CreatedAt><ExpiresAt>{}</ExpiresAt></Header><Body><State><Of>s</Of><At>{made}</At></State></Body></Message>",
        made.plus_ms(life)
    );
    let schemas = Schemas::built_in();
    let mut reader = EnvelopeReader::new(&schemas);
    scan(markup.as_bytes(), Profile::Message, &mut reader).expect("a message");
    let message = reader.into_message().expect("a message");
    check_times(&message, made.plus_ms(skew)).err().map(told)
}

/// What two readers of the same size say: both, or neither.
fn both(one: Option<String>, other: Option<String>) -> Option<String> {
    match (one, other) {
        (None, None) => None,
        (Some(one), Some(other)) => Some(format!("{one}; {other}")),
        (one, other) => panic!("only one refuses: {one:?}, {other:?}"),
    }
}

fn schema_of(declarations: &str) -> String {
    format!(
        "<xs:schema xmlns:xs=\"http://www.w3.org/2001/XMLSchema\" targetNamespace=\"urn:t\" elementFormDefault=\"qualified\">\
         {declarations}</xs:schema>"
    )
}

const DOCUMENTS: &str = "[[document]]\nname = \"test\"\nfile = \"t.xsd\"\nroot = \"R\"\nclass = \"test\"\ntitle = \"T\"\n";
const TEXT_ROOT: &str = "<xs:element name='R' type='xs:string'/>";

fn compiled(schema: &str, documents: &str) -> Option<String> {
    Schemas::compile(&[("t.xsd".to_owned(), schema.to_owned())], documents).err().map(|error| error.to_string())
}

/// An element with so many inside; those within `group` are texts.
fn sequence(name: &str, inside: &str) -> String {
    format!("<xs:element name='{name}'><xs:complexType><xs:sequence>{inside}</xs:sequence></xs:complexType></xs:element>")
}

fn texts(count: usize) -> String {
    repeated(count, |i| format!("<xs:element name='e{i}' type='xs:string'/>"))
}

/// A set of XML Schema 1.0 with these declarations, which may name documents without any.
fn set(declarations: &str) -> Option<String> {
    struct Blanks;
    impl Library for Blanks {
        fn fetch(&mut self, _: &str, location: Option<&str>, _: &str) -> Option<Source> {
            let name = location?.to_owned();
            let octets: usize = name.split('-').nth(1).and_then(|octets| octets.parse().ok()).unwrap_or(0);
            let text = schema_of("").replacen(" targetNamespace=\"urn:t\"", "", 1);
            Some(Source { text: format!("{text}{}", " ".repeat(octets.saturating_sub(text.len()))), name })
        }
    }
    let text = schema_of(declarations).replacen(" targetNamespace=\"urn:t\"", "", 1);
    let source = Source { name: "t.xsd".to_owned(), text };
    load(vec![source], &mut Blanks).and_then(|loaded| compile(&loaded)).err().map(|error| error.to_string())
}

/// A set of so many octets: nine documents.
fn set_of_octets(count: usize) -> Option<String> {
    let include = |at: usize, octets: usize| format!("<xs:include schemaLocation='{at}-{octets:08}'/>");
    let with = |last: usize| repeated(8, |at| include(at, 7 << 20)) + &include(8, last);
    set(&with(count - 8 * (7 << 20) - schema_of(&with(0)).len() + " targetNamespace=\"urn:t\"".len()))
}

/// A chain of so many steps of derivation.
fn derived(steps: usize) -> Option<String> {
    let one = |at: usize| format!("<xs:simpleType name='s{at}'><xs:restriction base='s{}'/></xs:simpleType>", at + 1);
    let last = format!("<xs:simpleType name='s{}'><xs:restriction base='xs:string'/></xs:simpleType>", steps - 1);
    set(&(repeated(steps - 1, one) + &last))
}

/// A registry of one agency, whose section goes on like this.
fn registry(id: &str, more: &str) -> Option<String> {
    let text = format!("format = 1\nversion = 1\n[[agency]]\nid = \"{id}\"\nname = \"A\"\n{more}");
    Registry::check(&text, &Schemas::built_in()).err().map(|error| error.to_string())
}

fn holder_load(figure: &str, count: usize) -> Option<String> {
    registry("xx.a", &format!("load = {{ {figure} = {count} }}\n"))
}

fn keys(count: usize) -> Option<String> {
    use base64::Engine as _;
    let of = |seed| base64::engine::general_purpose::STANDARD.encode(crate::admission::certificate(seed as u8 + 1));
    registry("xx.a", &repeated(count, |seed| format!("[[agency.key]]\ncertificate = \"{}\"\n", of(seed))))
}

fn withheld(days: usize) -> Option<String> {
    let grant = "[[grant]]\nid = \"g\"\nwho = \"xx.a\"\nwhat = \"birth-certificate\"\npurpose = \"p\"\nbasis = \"b\"\n\
                 until = \"2030-12-31\"\n";
    registry("xx.a", &format!("{grant}withheld_days = {days}\n"))
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
    ("KEPT_TEXT_BYTES_MAX", In("src/message/schema/tests.rs", "KEPT_TEXT_BYTES_MAX + 1")),
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
        "FIELD_PATH_CHARS_MAX",
        Here(
            limits::FIELD_PATH_CHARS_MAX,
            |n| {
                let path = "я".repeat(n);
                read(&Parts {
                    body: format!("<Ask><DocumentType>d</DocumentType><Select><Path>{path}</Path></Select></Ask>"),
                    ..Parts::default()
                })
            },
            "OG-MSG-002",
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
        Here(limits::QUERY_PAIRS_MAX, |n| Pairs::parse(&repeated(n, |i| format!("k{i}=&"))).err().map(told), "OG-AUD-001"),
    ),
    ("HEAD_BYTES_MAX", In("src/faces/api/exchange.rs", "a_head_has_so_many_octets_and_no_more")),
    ("HEADERS_MAX", In("src/host/transport/mod.rs", "a_request_has_so_many_header_fields_and_no_more")),
    ("BODY_MS", In("src/host/config.rs", "a_setting_tightens_a_limit_and_never_lifts_one")),
    ("ANSWER_MS", In("src/host/config.rs", "a_setting_tightens_a_limit_and_never_lifts_one")),
    ("LEDGER_ENDED_MAX", In("src/exchange/ledger.rs", "so_many_outcomes_wait_for_the_index_and_no_more")),
    ("LEDGER_FORGETS", Own),
    ("IDEMPOTENCY_WINDOW_MS", In("src/exchange/ledger.rs", "the_window_bounds_the_ledger")),
    ("DOCUMENT_WATCHED_MAX", In("src/message/schema/tests.rs", "DOCUMENT_WATCHED_MAX + 1")),
    ("DOCUMENT_SCOPES_MAX", In("src/message/schema/tests/about.rs", "a_document_is_about_so_many_and_no_more")),
    ("DESK_PERSONS_MAX", In("tests/it/agents.rs", "own_systems_ask_at_the_desk_in_json_and_nobody_else_does")),
    ("FIELDS_HEADER_BYTES_MAX", In("src/message/schema/field.rs", "a_header_of_fields_has_so_many_octets_and_no_more")),
    ("PERSONS_PER_DAY", In("src/rules/quota/persons.rs", "a_budget_is_of_different_persons")),
    ("PERSONS_PER_DAY_MAX", In("src/rules/registry/mod.rs", "no_agency_has_more_persons_a_day_than_are_counted")),
    ("MISSES_PER_DAY", In("src/rules/registry/mod.rs", "how_often_there_may_be_no_record_is_a_count_and_a_share")),
    ("MISSES_PER_DAY_MAX", In("src/rules/registry/mod.rs", "how_often_there_may_be_no_record_is_a_count_and_a_share")),
    ("MISSES_ANSWERS_MIN", In("src/rules/quota/misses.rs", "a_share_counts_from_twenty_answers_on")),
    ("WAIT_MS_MAX", In("src/faces/api/exchange.rs", "nobody_waits_longer_than_may_be")),
    ("CATALOGUE_FILES_MAX", In("src/rules/situation/tests.rs", "limits::CATALOGUE_FILES_MAX")),
    ("CATALOGUE_BYTES_MAX", In("src/rules/situation/tests.rs", "limits::CATALOGUE_BYTES_MAX")),
    ("CATALOGUE_ERRORS_MAX", In("src/rules/situation/tests.rs", "limits::CATALOGUE_ERRORS_MAX")),
    ("CATALOGUE_FACTS_MAX", In("src/rules/situation/tests.rs", "limits::CATALOGUE_FACTS_MAX")),
    ("QUALITY_FILE_BYTES_MAX", In("src/rules/quality/questionnaire.rs", "limits::QUALITY_FILE_BYTES_MAX + 1")),
    ("QUALITY_FILES_MAX", In("src/rules/quality/folder.rs", "limits::QUALITY_FILES_MAX + 1")),
    ("COMMENT_CHARACTERS_MAX", In("src/rules/quality/rating.rs", "limits::COMMENT_CHARACTERS_MAX + 1")),
    ("RATING_BYTES_MAX", In("src/rules/quality/rating.rs", "limits::RATING_BYTES_MAX + 1")),
    ("RATING_AGENCIES_MAX", In("src/rules/quality/rating.rs", "limits::RATING_AGENCIES_MAX + 1")),
    ("SURVEY_LINK_MS", In("src/exchange/cases/survey.rs", "limits::SURVEY_LINK_MS")),
    ("RATINGS_RECENT_MAX", In("src/host/ratings.rs", "limits::RATINGS_RECENT_MAX + 20")),
    ("RATINGS_MONTH_BYTES_MAX", In("src/host/ratings.rs", "a_full_month_refuses_before_anything_is_written")),
    ("RATINGS_PENDING_MAX", In("src/host/ratings.rs", "of_those_that_wait_there_is_a_most")),
    ("CATALOGUE_TEXT_MAX", In("src/rules/situation/tests.rs", "limits::CATALOGUE_TEXT_MAX + 1")),
    ("SLOTS_MAX", In("src/exchange/cases/visits.rs", "times_are_taken_in_order_once_and_only_so_many")),
    ("VISITS_MAX", In("src/rules/situation/tests.rs", "limits::VISITS_MAX + 1")),
    ("CASE_ANSWERS_MAX", Here(limits::CASE_ANSWERS_MAX, answers, "OG-DOC-002")),
    (
        "CASE_AGAIN_MS",
        In(
            "src/exchange/cases/tests/limits.rs",
            "a_case_in_which_nothing_could_be_done_is_looked_at_again_after_so_long_and_no_sooner",
        ),
    ),
    ("CASE_CHANGES_BYTES_MAX", Own),
    ("TRAIL_LOOK", Own),
    ("CASES_KEPT_MAX", Own),
    ("MAIL_MS", In("tests/it/notices.rs", "whoever_hangs_is_waited_for_so_long_and_no_longer")),
    ("MAIL_END_MS", Own),
    ("MAIL_REPLY_BYTES_MAX", In("src/host/notices/starttls.rs", "a_reply_has_so_many_octets_and_no_more")),
    ("WEBHOOK_MS", In("tests/it/notices.rs", "whoever_hangs_is_waited_for_so_long_and_no_longer")),
    ("WEBHOOK_ANSWER_BYTES_MAX", In("tests/it/notices.rs", "what_a_webhook_says_beside_its_status_is_not_waited_for")),
    ("WEBHOOK_HOSTS_MAX", In("src/host/config/notices.rs", "limits::WEBHOOK_HOSTS_MAX + 1")),
    ("PROPOSAL_MS", In("src/gateway/driver/decisions.rs", "limits::PROPOSAL_MS + 1")),
    ("OIDC_MS", In("tests/it/oidc.rs", "a_provider_that_hangs_is_waited_for_so_long_and_no_longer")),
    ("OIDC_DOCUMENT_BYTES_MAX", In("tests/it/oidc.rs", "limits::OIDC_DOCUMENT_BYTES_MAX + 1")),
    ("OIDC_KEYS_MAX", In("src/host/oidc/tests.rs", "limits::OIDC_KEYS_MAX + 1")),
    ("OIDC_KEPT_MS", In("tests/it/oidc.rs", "what_is_known_of_a_provider_is_kept_so_long_and_no_longer")),
    ("OIDC_KEYS_AGAIN_MS", In("tests/it/oidc.rs", "an_unknown_key_has_the_keys_read_again_once_a_minute_and_no_more")),
    ("OIDC_SKEW_MS", In("src/host/oidc/tests.rs", "limits::OIDC_SKEW_MS")),
    ("OIDC_QUERY_BYTES_MAX", In("src/host/oidc/tests.rs", "limits::OIDC_QUERY_BYTES_MAX + 1")),
    ("OIDC_PENDING_MS", In("src/host/oidc/tests.rs", "limits::OIDC_PENDING_MS + 1")),
    ("OIDC_PENDING_MAX", In("src/host/oidc/tests.rs", "so_many_sign_ins_are_pending_and_of_more_the_oldest_is_forgotten")),
    ("OIDC_GROUPS_MAX", In("src/host/config/oidc.rs", "limits::OIDC_GROUPS_MAX + 1")),
    ("SITUATION_STEPS_MAX", In("src/rules/situation/tests.rs", "limits::SITUATION_STEPS_MAX - own")),
    ("CONDITION_CHARACTERS_MAX", In("src/rules/condition/tests.rs", "CONDITION_CHARACTERS_MAX - \"a.yes\".len()")),
    ("CONDITION_DEPTH_MAX", In("src/rules/condition/tests.rs", "CONDITION_DEPTH_MAX / open.len()")),
    ("CONDITION_FACTS_MAX", In("src/rules/condition/tests.rs", "CONDITION_FACTS_MAX + 1")),
    ("WAIT_MS_DEFAULT", Own),
    ("PARTS_MAX", In("src/message/parts/tests.rs", "parts(limits::PARTS_MAX + 1)")),
    ("PART_HEAD_BYTES_MAX", In("src/message/parts/tests.rs", "head(limits::PART_HEAD_BYTES_MAX + 1)")),
    ("PART_FIELDS_MAX", In("src/message/parts/tests.rs", "fields(limits::PART_FIELDS_MAX + 1)")),
    ("ATTACHMENT_BYTES", In("src/gateway/driver/attachments.rs", "checked(limits::ATTACHMENT_BYTES + 1)")),
    ("ATTACHED_DOCUMENT_BYTES_MAX", In("src/gateway/driver/attachments.rs", "document(limits::ATTACHED_DOCUMENT_BYTES_MAX + 1)")),
    ("MARKUP_BYTES_MAX", In("src/message/xml/tests.rs", "tag(limits::MARKUP_BYTES_MAX + 1)")),
    ("ATTACHMENT_BYTES_MAX", In("src/host/config.rs", "an_attachment_may_be_made_so_large_and_no_larger")),
    ("ATTACHMENTS_BYTES", Own),
    ("ATTACHMENT_BYTES_MIN", In("src/host/store/attachments.rs", "all_together_take_so_much_and_no_more")),
    ("CHUNK_BYTES", Own),
    ("TRANSFERS_MAX", In("src/gateway/driver/attachments.rs", "so_many_are_on_their_way_at_once_and_no_more")),
    ("AGENCY_TRANSFERS_MAX", In("src/gateway/driver/attachments.rs", "so_many_are_on_their_way_at_once_and_no_more")),
    ("TRANSFER_RATE", Own),
    ("DISK_RESERVE_BYTES", Own),
    ("ATTACHMENT_AGAIN_MS", In("src/host/store/attachments.rs", "limits::ATTACHMENT_AGAIN_MS + 1")),
    ("GROUP_RECORDS_MAX", Own),
    ("GROUP_BYTES_MAX", Own),
    ("GROUP_GATHER_US", Own),
    ("GROUP_BUSY_US", Own),
    ("GROUP_GATHER_RECORDS", Own),
    ("INDEX_BATCH_MAX", Own),
    ("INDEX_GATHER_MAX", Own),
    ("INDEX_WAITING_BYTES_MAX", Own),
    ("INDEX_WAIT_MS", Own),
    ("WORKER_RETRY_MS", Own),
    ("WORKER_RETRY_MS_MAX", Own),
    ("ROOM_BYTES_MIN", Own),
    ("HEALTH_MS", Own),
    ("PAGE_RECORDS", Own),
    ("EXPORT_CHUNK_BYTES", Own),
    ("EXPORT_LINE_BYTES_MAX", In("tests/it/log.rs", "(EXPORT_LINE_BYTES_MAX as usize + 1, 6)")),
    ("VOLUME_RECORDS_MIN", Own),
    ("VOLUME_RECORDS_MAX", Own),
    ("VOLUME_MS", Own),
    ("UPKEEP_MS", Own),
    ("SEGMENT_BYTES_MAX", Own),
    ("PREWRITE_BYTES", Own),
    ("LEAF_BYTES_MAX", In("src/evidence/tlog/proof.rs", "with(limits::LEAF_BYTES_MAX + 1, 0)")),
    ("CAUSE_BYTES_MAX", In("src/evidence/tlog/mod.rs", "what_is_sealed_is_sorted_json")),
    ("BASIS_BYTES_MAX", In("src/evidence/tlog/mod.rs", "a_leaf_is_sorted_and_fits_at_its_longest")),
    ("TAG_BYTES", Own),
    ("PRIVATE_BYTES_MAX", In("src/evidence/journal.rs", "(0, PRIVATE + 1, 0)")),
    ("BODY_BYTES_MAX", In("src/evidence/journal.rs", "(0, 0, BODY + 1)")),
    ("POOL_IDLE_MAX", Own),
    ("POOL_IDLE_MS", In("src/host/transport/upstream.rs", "a_connection_waits_for_a_request_for_so_long_and_no_longer")),
    ("HOLDER_PARALLEL", In("src/exchange/bulkhead.rs", "a_holder_has_so_many_places_a_queue_and_no_more")),
    ("HOLDER_PARALLEL_MAX", Here(limits::HOLDER_PARALLEL_MAX as usize, |n| holder_load("parallel", n), "it is 1 to")),
    ("HOLDER_WAITING", In("src/exchange/bulkhead.rs", "a_holder_has_so_many_places_a_queue_and_no_more")),
    ("HOLDER_WAITING_MAX", Here(limits::HOLDER_WAITING_MAX as usize, |n| holder_load("waiting", n), "it is 0 to")),
    ("HOLDER_FAILURES", In("src/exchange/bulkhead.rs", "a_holder_that_fails_is_left_alone_and_tried_by_one_at_a_time")),
    ("HOLDER_FAILURES_MAX", Here(limits::HOLDER_FAILURES_MAX as usize, |n| holder_load("failures", n), "it is 1 to")),
    ("HOLDER_PAUSE_MS", In("src/exchange/bulkhead.rs", "a_holder_that_fails_is_left_alone_and_tried_by_one_at_a_time")),
    ("HOLDER_PAUSE_MS_MAX", In("src/exchange/bulkhead.rs", "a_holder_that_fails_is_left_alone_and_tried_by_one_at_a_time")),
    ("HOLDER_BYTES_MAX", In("src/exchange/bulkhead.rs", "messages_take_no_more_than_their_holders_share_of_the_room")),
    ("HOLDERS_MEASURED_MAX", In("src/host/telemetry.rs", "so_many_holders_are_measured_by_name_and_the_others_as_one")),
    ("DELEGATION_BYTES_MAX", In("src/rules/policy/behalf.rs", "the_names_of_a_delegation_have_so_many_characters_and_no_more")),
    (
        "SUCCESSION_BYTES_MAX",
        In("src/rules/registry/succession.rs", "the_names_of_a_succession_have_so_many_characters_and_no_more"),
    ),
    ("DELIVERIES_PER_HOLDER", In("src/exchange/work/tests.rs", "a_holder_has_so_many_under_way_and_no_more")),
    ("DELIVERIES_MAX", Own),
    ("WORK_SCAN_MAX", Own),
    ("LEASE_MS", Own),
    ("WORK_SAVED_MS", Own),
    ("INBOX_BYTES_MAX", Own),
    ("VARIANTS_MAX", In("tests/it/events.rs", "an_event_has_so_many_variants_and_no_more")),
    ("INBOX_MAX", In("src/faces/api/inbox.rs", "an_inbox_is_asked_with_wait_and_max_and_nothing_else")),
    (
        "DELIVERY_PAUSE_MS",
        In("src/exchange/work/tests.rs", "a_holder_that_fails_is_left_alone_for_longer_and_longer_and_the_others_are_not"),
    ),
    (
        "DELIVERY_PAUSE_MS_MAX",
        In("src/exchange/work/tests.rs", "a_holder_that_fails_is_left_alone_for_longer_and_longer_and_the_others_are_not"),
    ),
    ("AGAIN_MS", In("tests/it/holders.rs", "connections_that_died_silently_cost_a_few_seconds")),
    ("KEEPALIVE_MS", Own),
    ("UNACKNOWLEDGED_MS", Own),
    ("DRAIN_MS", Own),
    ("CLOSE_MS", Own),
    ("ANOMALIES_MAX", In("src/host/store/report.rs", "so_many_anomalies_of_a_kind_are_told_and_no_more")),
    (
        "SCHEMA_BYTES_MAX",
        Here(
            limits::SCHEMA_BYTES_MAX,
            |n| {
                let text = schema_of(TEXT_ROOT);
                let (schema, documents) =
                    (format!("{text}{}", " ".repeat(n - text.len())), format!("{DOCUMENTS}{}", "#".repeat(n - DOCUMENTS.len())));
                both(compiled(&schema, DOCUMENTS), compiled(&text, &documents))
            },
            "a file larger than",
        ),
    ),
    ("SCHEMA_PATHS_MAX", In("src/message/schema/tests.rs", "a_document_has_so_many_different_paths_and_no_more")),
    // The group itself is one.
    (
        "SCHEMA_PARTICLES_MAX",
        Here(limits::SCHEMA_PARTICLES_MAX, |n| set(&sequence("R", &texts(n - 1))), "a content model with too many particles"),
    ),
    ("SCHEMA_SET_BYTES_MAX", Here(limits::SCHEMA_SET_BYTES_MAX, set_of_octets, "too large")),
    (
        "SCHEMA_FILES_MAX",
        Here(
            limits::SCHEMA_FILES_MAX,
            |n| set(&repeated(n - 1, |at| format!("<xs:include schemaLocation='{at}'/>"))),
            "too many documents",
        ),
    ),
    // The document itself and its root are two nodes.
    ("SCHEMA_NODES_MAX", Here(limits::SCHEMA_NODES_MAX as usize, |n| set(&"<!---->".repeat(n - 2)), "nodes limit")),
    // The document, its root, an annotation and what it holds are around it.
    (
        "SCHEMA_DEPTH_MAX",
        Here(
            limits::SCHEMA_DEPTH_MAX,
            |n| {
                let inside = format!("{}{}", "<a>".repeat(n - 3), "</a>".repeat(n - 3));
                set(&format!("<xs:annotation><xs:appinfo>{inside}</xs:appinfo></xs:annotation>"))
            },
            "nested too deep",
        ),
    ),
    (
        "SCHEMA_COMPONENTS_MAX",
        Here(
            limits::SCHEMA_COMPONENTS_MAX,
            |n| set(&repeated(n, |at| format!("<xs:element name='e{at}'/>"))),
            "too many elements",
        ),
    ),
    ("SCHEMA_DERIVATIONS_MAX", Here(limits::SCHEMA_DERIVATIONS_MAX, derived, "too many steps")),
    (
        "SCHEMA_ATTRIBUTES_MAX",
        Here(
            limits::SCHEMA_ATTRIBUTES_MAX,
            |n| {
                set(&format!(
                    "<xs:complexType name='t'>{}</xs:complexType>",
                    repeated(n, |at| format!("<xs:attribute name='a{at}'/>"))
                ))
            },
            "attributes",
        ),
    ),
    ("SCHEMA_SET_PARTICLES_MAX", In("src/message/xsd/tests/hostile.rs", "what_doubles_itself_is_refused")),
    ("SCHEMA_WAYS_MAX", In("tests/it/others.rs", "a_run_keeps_so_much_and_no_more")),
    ("SCHEMA_CANDIDATES_MAX", In("tests/it/others.rs", "limits::SCHEMA_CANDIDATES_MAX")),
    ("SCHEMA_STACK_MAX", In("src/message/xsd/tests/hostile.rs", "counts_in_counts_have_a_most_of_ways")),
    ("SCHEMA_CACHE_BYTES_MAX", Own),
    ("SCHEMA_KEYS_MAX", In("tests/it/others.rs", "limits::SCHEMA_KEYS_MAX")),
    ("SCHEMA_JUDGED_MS", In("tests/it/others.rs", "did not end within")),
    ("SCHEMA_JUDGED_BYTES_MAX", In("tests/it/others.rs", "more than 512 MiB of memory")),
    ("SCHEMA_TOLD_MAX", In("tests/it/others.rs", "matches(\"cvc-datatype-valid\").count(), 100")),
    ("SCHEMA_DOCUMENT_BYTES_MAX", In("tests/it/others.rs", "larger than 64 MiB")),
    ("SCHEMA_FOLDERS_MAX", In("tests/it/others.rs", "nested more than 16 deep")),
    ("SCHEMA_EXAMPLE_ELEMENTS", Own),
    ("SCHEMA_SET_NODES_MAX", In("src/message/xsd/tests/hostile.rs", "what_swells_is_refused")),
    ("SCHEMA_ARCHIVE_FILES_MAX", In("src/host/schemas/archive.rs", "limits::SCHEMA_ARCHIVE_FILES_MAX + 1")),
    ("SCHEMA_RATIO_MAX", In("src/host/schemas/archive.rs", "an_archive_may_grow_so_much_and_no_more")),
    ("SCHEMA_SETS_MAX", In("tests/it/sets.rs", "limits::SCHEMA_SETS_MAX")),
    ("SCHEMA_SETS_BYTES_MAX", In("tests/it/sets.rs", "limits::SCHEMA_SETS_BYTES_MAX")),
    ("RELOAD_MS", Own),
    ("SCHEMA_BINDINGS_MAX", In("src/message/xsd/tests/hostile.rs", "what_swells_is_refused")),
    ("SCHEMA_STEPS_MAX", In("src/message/xsd/tests/hostile.rs", "keys_and_their_fields_have_a_most")),
    ("SCHEMA_SET_ATTRIBUTES_MAX", In("src/message/xsd/tests/hostile.rs", "what_doubles_itself_is_refused")),
    ("SCHEMA_MEMBERS_MAX", In("src/message/xsd/tests/hostile.rs", "what_doubles_itself_is_refused")),
    ("SCHEMA_SET_NAMES_MAX", In("src/message/xsd/tests/hostile.rs", "tables_of_names_are_bounded")),
    ("SCHEMA_FIELDS_MAX", In("src/message/xsd/tests/hostile.rs", "keys_and_their_fields_have_a_most")),
    ("FILE_BYTES_MAX", In("src/host/config.rs", "a_file_may_be_as_large_as_it_may_be_and_no_larger")),
    (
        "AGENCY_BYTES_MAX",
        Here(
            limits::AGENCY_BYTES_MAX,
            |n| registry(&format!("xx.{0}.{0}.{1}", "a".repeat(40), "b".repeat(n - 85)), ""),
            "an agency name has at most",
        ),
    ),
    ("KEYS_PER_AGENCY_MAX", Here(limits::KEYS_PER_AGENCY_MAX, keys, "keys")),
    ("WITHHELD_DAYS_MAX", Here(limits::WITHHELD_DAYS_MAX as usize, withheld, "withheld_days is at most")),
    ("LOG_NAME_BYTES_MAX", In("src/evidence/tlog/note.rs", "with_origin(limits::LOG_NAME_BYTES_MAX + 1)")),
    ("WITNESS_POLICY_BYTES_MAX", In("src/evidence/tlog/policy.rs", "of_length(limits::WITNESS_POLICY_BYTES_MAX + 1)")),
    ("WITNESS_POLICY_NAMES_MAX", In("src/evidence/tlog/policy.rs", "verdict(0, MAX + 1, 0)")),
    ("WITNESSES_MAX", In("src/host/config.rs", "a_log_has_so_many_witnesses_and_no_more")),
    ("WITNESSED_LOGS_MAX", In("src/gateway/witness/file.rs", "a_witness_knows_so_many_logs_and_no_more")),
    ("DOCUMENT_IDENTIFIERS_MAX", In("src/message/schema/tests.rs", "a_document_holds_so_many_identifiers_and_no_more")),
    ("QUERY_BYTES_MAX", In("tests/it/log.rs", "a_query_is_so_large_and_no_larger")),
    ("NOTE_BYTES_MAX", In("src/evidence/tlog/note.rs", "of_length(limits::NOTE_BYTES_MAX + 1)")),
    ("PROOF_BYTES_MAX", In("src/evidence/tlog/proof.rs", "what_is_longer_than_a_proof_can_be_is_not_read")),
    ("RECEIPT_PROOFS_MAX", In("src/evidence/tlog/proof.rs", "a_receipt_has_so_many_proofs_and_no_more")),
    ("WITNESS_REQUEST_BYTES_MAX", In("tests/it/witness.rs", "a_request_to_a_witness_is_read_up_to_its_limit")),
    ("WITNESS_CONNECTIONS_MAX", In("tests/it/witness.rs", "a_witness_has_so_many_connections_and_no_more")),
    ("WITNESS_MS", In("tests/it/asked.rs", "whoever_says_nothing_is_waited_for_so_long_and_no_longer")),
    ("STAMP_BYTES_MAX", In("tests/it/asked.rs", "a_time_stamp_is_read_up_to_its_limit")),
    ("REPORT_ROWS_MAX", In("src/host/store/report.rs", "a_report_looks_at_so_many_records_and_no_more")),
    ("REPORT_GROUPS_MAX", In("src/host/store/tests.rs", "a_summary_has_so_many_groups_and_no_more")),
    ("REPORT_PAIRS_MAX", In("src/host/store/report.rs", "so_many_pairs_are_kept_in_memory_and_no_more")),
    ("REPORTS_MAX", In("src/faces/api/log.rs", "so_many_reports_are_made_at_once_and_no_more")),
    ("AGENCY_REPORTS_MAX", In("src/gateway/driver/mod.rs", "an_agency_has_so_many_reports_at_once_and_no_more")),
    ("AGENCY_READS_MAX", In("src/gateway/driver/mod.rs", "an_agency_has_so_many_questions_worked_on_and_the_others_wait")),
    ("READS_MAX", In("src/faces/api/log.rs", "so_many_questions_are_worked_on_and_the_others_wait")),
    ("READ_BYTES", Own),
    ("READS_PER_REQUEST", In("tests/it/api.rs", "whoever_reads_too_often_is_told_when_to_come_again")),
    ("SEARCH_ROWS_MAX", In("src/host/store/index/search.rs", "a_page_looks_at_so_many_rows_and_then_says_where_to_go_on")),
    (
        "SEARCH_BLOCKS_MAX",
        In("src/host/store/index/search.rs", "a_page_reads_so_many_blocks_of_postings_and_then_says_where_to_go_on"),
    ),
    (
        "COUNT_BLOCKS_MAX",
        In("src/host/store/index/count.rs", "what_would_cost_too_much_is_calculated_from_a_part_and_said_to_be"),
    ),
    (
        "COUNT_LEAVES_MAX",
        In("src/host/store/tests/count.rs", "a_case_of_so_many_records_is_counted_by_leaves_and_a_larger_one_by_rows"),
    ),
    ("HISTOGRAM_BUCKETS_MAX", In("src/evidence/audit/histogram.rs", "a_histogram_has_so_many_buckets_and_each_time_is_in_one")),
    ("TRAFFIC_AGENCIES_MAX", In("src/evidence/traffic/tests.rs", "so_many_agencies_are_told_one_by_one_and_no_more")),
    (
        "TRAFFIC_AGENCY_HOURS_MAX",
        In("src/evidence/traffic/tests.rs", "so_many_hours_of_agencies_are_kept_and_then_the_oldest_go"),
    ),
    (
        "TRAFFIC_REJECTIONS_MAX",
        In("src/evidence/traffic/tests.rs", "so_many_rejections_of_an_agency_are_kept_the_latest_in_whatever_order_they_come"),
    ),
    ("TRAFFIC_ROWS_MAX", In("src/host/store/tests/recall.rs", "so_many_rows_and_leaves_are_looked_at_and_no_more")),
    ("TRAFFIC_LEAVES_MAX", In("src/host/store/tests/recall.rs", "so_many_rows_and_leaves_are_looked_at_and_no_more")),
    ("EXPORT_STALL_MS", In("src/faces/api/log.rs", "an_export_waits_so_long_for_whoever_reads_it_and_no_longer")),
    ("CONNECT_MS", In("src/host/transport/upstream.rs", "a_connection_is_there_in_so_long_or_not_at_all")),
    ("IDLE_MS", In("src/host/transport/pulse.rs", "a_connection_may_be_idle_for_so_long")),
    ("STALL_BYTES", In("src/host/transport/pulse.rs", "whoever_is_answered_takes_so_much_in_time")),
    ("STALL_MS", In("src/host/transport/pulse.rs", "whoever_is_answered_takes_so_much_in_time")),
    ("HANDSHAKE_MS", In("tests/it/entrance.rs", "a_handshake_takes_so_long_and_no_longer")),
    ("HEAD_MS", In("src/host/transport/pulse.rs", "the_first_request_and_each_later_head_come_in_time")),
    ("UNASKED_BYTES_MAX", In("src/host/transport/pulse.rs", "what_belongs_to_no_request_is_so_much_and_no_more")),
    ("RESETS_MAX", In("src/host/transport/mod.rs", "so_many_streams_may_be_reset_at_once_and_no_more")),
    ("STREAMS_MAX", In("src/host/transport/mod.rs", "a_connection_has_so_many_streams_and_no_more")),
    ("ADDRESS_CONNECTIONS_MAX", In("tests/it/entrance.rs", "an_address_has_so_many_connections_and_no_more")),
    ("CERTIFICATE_CONNECTIONS_MAX", In("tests/it/entrance.rs", "a_certificate_has_so_many_connections_and_no_more")),
    ("REFUSALS_BURST", In("src/rules/quota/mod.rs", "refusals_are_recorded_one_by_one_up_to_a_budget_of_each")),
    ("DOORS_MAX", In("src/rules/quota/doors.rs", "limits::DOORS_MAX")),
    ("ADDRESS_PER_SECOND", In("src/rules/quota/doors.rs", "nobody_comes_faster_than_may_be")),
    ("ADDRESS_BURST", In("src/rules/quota/doors.rs", "nobody_comes_faster_than_may_be")),
    ("CERTIFICATE_PER_SECOND", In("src/rules/quota/doors.rs", "nobody_comes_faster_than_may_be")),
    ("CERTIFICATE_BURST", In("src/rules/quota/doors.rs", "nobody_comes_faster_than_may_be")),
    ("REFUSALS_PER_MINUTE", In("src/rules/quota/mod.rs", "refusals_are_recorded_one_by_one_up_to_a_budget_of_each")),
    ("CONNECTIONS_MAX", In("src/host/config.rs", "a_setting_tightens_a_limit_and_never_lifts_one")),
    ("PUBLIC_CONNECTIONS_MAX", In("tests/it/entrance.rs", "the_public_listener_has_so_many_connections_and_no_more")),
    ("HANDSHAKES_MAX", In("tests/it/entrance.rs", "so_many_are_inside_and_shake_hands_at_once_and_no_more")),
    ("ADDRESS_HANDSHAKES_MAX", In("tests/it/entrance.rs", "so_many_are_inside_and_shake_hands_at_once_and_no_more")),
    ("BODIES_BYTES_MAX", In("src/gateway/driver/bodies.rs", "bodies_take_so_much_room_together_and_no_more")),
    ("AUTHORITY_VIEWS_MAX", In("tests/it/pki.rs", "of_two_authorities_of_one_name_each_has_its_own_revocation_list")),
    ("SPARING_LINES_PER_MINUTE", In("src/host/telemetry.rs", "lines_that_others_cause_are_so_many_in_a_minute")),
    ("SUBJECT_SHOWN_MAX", Own),
    ("CONFORMANCE_DAYS", In("tests/it/conformance.rs", "an_agency_goes_live_by_a_good_report_of_its_own_and_by_no_other")),
    ("EXPIRY_NOTICE_MS", In("tests/it/pki.rs", "what_ends_is_named_thirty_days_before")),
    ("EXPIRY_LOOK_MS", In("src/program/server.rs", "what_ends_is_said_once_a_day")),
    ("REFUSALS_SUMMED_MS", Own),
    ("REFUSED_TOO_OFTEN_MS", Own),
    ("HEAVY_BYTES", Own),
    ("PULSE_MS", Own),
    ("CONTROL_BYTES_MAX", Own),
    ("CONTROL_MS", Own),
    ("HOLDERS_TOLD_MAX", Own),
    ("CONTROL_LINE_MS", Own),
    ("LINGER_MS", In("src/host/transport/linger.rs", "whoever_is_still_sending_is_listened_to_within_bounds")),
    ("LINGER_PAUSE_MS", In("src/host/transport/linger.rs", "whoever_is_still_sending_is_listened_to_within_bounds")),
    ("LINGER_BYTES_MAX", In("src/host/transport/linger.rs", "whoever_is_still_sending_is_listened_to_within_bounds")),
    ("LINGERING_MAX", In("src/host/transport/linger.rs", "so_many_are_listened_to_at_once_and_no_more")),
    ("EXPECT_MS", In("tests/it/framing.rs", "whoever_waits_to_be_told_to_go_on_is_told_something")),
    ("SOURCE_FILE_BYTES_MAX", In("src/host/source/tests.rs", "source_of_a_file_has_so_many_rows_and_no_more")),
    ("SOURCE_FILE_ROWS_MAX", In("src/host/source/tests.rs", "source_of_a_file_has_so_many_rows_and_no_more")),
    ("SOURCE_FILE_READS", Own),
    ("SOURCE_COLUMNS_MAX", In("src/host/source/csv.rs", "a_row_has_so_many_cells_of_so_many_octets_and_no_more")),
    ("SOURCE_CELL_BYTES_MAX", In("src/host/source/csv.rs", "a_row_has_so_many_cells_of_so_many_octets_and_no_more")),
    ("SOURCE_ROWS", In("src/host/source/tests.rs", "source_of_a_file_says_by_codes_of_their_own_what_it_cannot_give")),
    ("SOURCE_ROWS_MAX", In("src/host/source/postgres.rs", "rows_max = 1001")),
    ("SOURCE_ANSWER_BYTES_MAX", In("src/host/source/tests.rs", "source_of_a_service_is_read_so_far_and_so_long_and_no_further")),
    ("SOURCE_ANSWER_MS", In("src/host/source/http.rs", "deadline = \\\"5001ms\\\"")),
    ("SOURCE_STATEMENT_MS", Own),
    ("SOURCE_STATEMENT_MS_MAX", In("src/host/source/postgres.rs", "10001ms")),
    ("SOURCE_SILENT_MS", In("tests/it/sources.rs", "source_of_a_database_that_hangs_is_waited_for_so_long_and_no_longer")),
    ("SOURCE_STATEMENT_BYTES_MAX", In("src/host/source/statement.rs", "limits::SOURCE_STATEMENT_BYTES_MAX")),
    ("SOURCE_PARALLEL_MAX", In("tests/it/sources.rs", "source_of_a_database_has_so_many_connections_and_no_more")),
    ("SOURCE_PROGRAM_END_MS", In("src/host/source/tests.rs", "source_of_a_program_that_forks_is_answered")),
    ("SOURCE_SECRET_BYTES_MAX", In("src/host/source/answer.rs", "a_secret_is_one_line_that_nobody_else_may_read")),
    ("SOURCE_TOLD_MAX", Own),
    ("AGENT_REPEATS_MAX", In("src/faces/agent/repeat.rs", "so_many_answers_are_kept_and_so_many_octets_and_no_more")),
    ("AGENT_REPEATS_BYTES_MAX", In("src/faces/agent/repeat.rs", "so_many_answers_are_kept_and_so_many_octets_and_no_more")),
    ("JOINS_MAX", In("tests/it/joining.rs", "1..limits::JOINS_MAX")),
    ("JOIN_KEPT_MS", In("src/host/joins.rs", "what_is_too_old_is_taken_away_when_somebody_comes")),
    ("JOIN_BYTES_MAX", In("tests/it/joining.rs", "limits::JOIN_BYTES_MAX + 1")),
    ("JOIN_HOLDS_MAX", In("tests/it/joining.rs", "limits::JOIN_HOLDS_MAX + 1")),
    ("JOIN_NAME_CHARS_MAX", In("tests/it/joining.rs", "limits::JOIN_NAME_CHARS_MAX + 1")),
    ("JOIN_DAYS_MAX", In("tests/it/joining.rs", "limits::JOIN_DAYS_MAX + 1")),
    ("DISCARD_MS", In("src/host/transport/body.rs", "a_body_is_read_and_forgotten_for_so_long_and_no_longer")),
];

#[test]
fn each_limit_holds_at_its_value_and_not_above() {
    let mut wrong = Vec::new();
    let mut tested = 0;
    for (name, row) in ROWS {
        let Here(limit, make, code) = row else { continue };
        tested += 1;
        let (at, above) = (make(*limit), make(limit + 1));
        if at.is_some() || above.as_ref().is_none_or(|above| !above.contains(code)) {
            wrong.push(format!("{name}: {at:?} at {limit}, {above:?} above instead of {code}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {tested}:\n{}", wrong.len(), wrong.join("\n"));
    let limits = ROWS.iter().filter(|(_, row)| !matches!(row, Own)).count();
    tell("limits tested at their value and one above", format!("{limits}, of them {tested} in one table, where all hold"));
}

#[test]
fn each_constant_has_a_row_and_each_row_a_constant() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    let source = read("src/base/limits.rs");
    let constants = source.lines().filter_map(|line| line.strip_prefix("pub const ")?.split(':').next());
    let constants: BTreeSet<&str> = constants.collect();
    let rows: BTreeSet<&str> = ROWS.iter().map(|(name, _)| *name).collect();
    assert_eq!(rows.len(), ROWS.len(), "a row twice");
    assert_eq!(constants, rows);
    for (name, row) in ROWS {
        match row {
            In(path, words) => assert!(read(path).contains(words), "{name} is not tested in {path}"),
            Here(..) | Own => {}
        }
    }
}

/// 10,000.
fn number(value: u64) -> String {
    let digits = value.to_string();
    let groups = digits.as_bytes().rchunks(3).rev().map(|group| String::from_utf8_lossy(group));
    groups.collect::<Vec<_>>().join(",")
}

fn unit(value: u64, of: u64, name: &str) -> String {
    assert_eq!(value % of, 0, "{value} is no multiple of {of}");
    format!("{} {name}", number(value / of))
}

fn kib(octets: usize) -> String {
    unit(octets as u64, 1 << 10, "KiB")
}

fn mib(octets: usize) -> String {
    unit(octets as u64, 1 << 20, "MiB")
}

fn seconds(ms: u64) -> String {
    unit(ms, 1000, "s")
}

fn minutes(ms: u64) -> String {
    unit(ms, 60_000, "minutes")
}

fn hours(ms: u64) -> String {
    unit(ms, 3_600_000, "hours")
}

/// A document, and what it says with the values of the program.
type Said = (&'static str, Vec<String>);

fn of_messages() -> [Said; 1] {
    use limits::{ATTACHMENTS_MAX, ATTRIBUTES_MAX, BINDINGS_MAX, DEPTH_MAX, DOCUMENTS_MAX, IDENTIFIERS_MAX, LEGAL_BASES_MAX};
    use limits::{CLOCK_SKEW_MS, EVENT_LIFE_MS, IDEMPOTENCY_WINDOW_MS, MESSAGE_BYTES_MAX, REQUEST_LIFE_MS};
    let (skew, window) = (minutes(CLOCK_SKEW_MS), hours(IDEMPOTENCY_WINDOW_MS));
    let (life, long_life) = (hours(REQUEST_LIFE_MS), unit(EVENT_LIFE_MS, 24 * 3_600_000, "days"));
    let said = vec![
        format!("| message | {} ({} bytes);", mib(MESSAGE_BYTES_MAX), number(MESSAGE_BYTES_MAX as u64)),
        format!("| depth | {DEPTH_MAX} elements, the root being at 1 |"),
        format!("| attributes of one element, declarations included | {ATTRIBUTES_MAX} |"),
        format!("| namespace bindings in scope | {BINDINGS_MAX} |"),
        format!("| qualified name | {} bytes |", limits::NAME_BYTES_MAX),
        format!("| attribute value, as written | {} |", kib(limits::VALUE_BYTES_MAX)),
        format!("| text of one element of the envelope | {} as XML;", kib(limits::LEAF_TEXT_BYTES_MAX)),
        format!("| text of one element of a document | {} where its value is kept whole;", kib(limits::KEPT_TEXT_BYTES_MAX)),
        format!("| documents in one message | {DOCUMENTS_MAX} |"),
        format!("| identifiers of the subject | {IDENTIFIERS_MAX} |"),
        format!("| legal bases | {LEGAL_BASES_MAX} |"),
        format!("| paths of one `Select`; characters of one | {}; {} |", limits::SELECT_PATHS_MAX, limits::FIELD_PATH_CHARS_MAX),
        format!("| attachments named | {ATTACHMENTS_MAX} |"),
        format!("| certificate in `KeyInfo` | {} decoded |", kib(limits::CERTIFICATE_BYTES_MAX)),
        format!("used by this sender within {window} with another digest"),
        format!("| `CreatedAt` is within {skew} of the gateway's clock |"),
        format!("| the time in `MessageId` is within {skew} of `CreatedAt`, and not older than {window} |"),
        format!("by at most {life}, for events, applications, status and cancel {long_life} |"),
    ];
    [("docs/message.md", said)]
}

fn of_connections() -> [Said; 2] {
    use limits::{ADDRESS_BURST, ADDRESS_PER_SECOND, CERTIFICATE_BURST, CERTIFICATE_PER_SECOND};
    let number = |value: usize| number(value as u64);
    let [per_address, at_once] = [ADDRESS_PER_SECOND, ADDRESS_BURST].map(|value| number(value as usize));
    let [per_certificate, at_once_too] = [CERTIFICATE_PER_SECOND, CERTIFICATE_BURST].map(|value| number(value as usize));
    let [address, handshakes] =
        [limits::ADDRESS_CONNECTIONS_MAX, limits::ADDRESS_HANDSHAKES_MAX].map(|value| number(value as usize));
    let (connections, certificate) = (number(limits::CONNECTIONS_MAX), number(limits::CERTIFICATE_CONNECTIONS_MAX as usize));
    let per_stall = limits::STALL_BYTES / (limits::STALL_MS / 1000) as usize;
    let http = vec![
        format!("| body | {}; the declared length", mib(limits::MESSAGE_BYTES_MAX)),
        format!("| head | {}: request line and header fields together |", kib(limits::HEAD_BYTES_MAX)),
        format!("| header fields | HTTP/1.1: {} |", limits::HEADERS_MAX),
        format!("| TLS handshake | {} |", seconds(limits::HANDSHAKE_MS)),
        format!("| first request of a connection | {} after", seconds(limits::HEAD_MS)),
        format!("| pause between requests | {} |", seconds(limits::IDLE_MS)),
        format!("| body | {} | `408`", seconds(limits::BODY_MS)),
        format!("| taking an answer | {}, and 1 s more for each {} |", seconds(limits::STALL_MS), kib(per_stall)),
        format!("pings, windows) | {}, and", kib(limits::UNASKED_BYTES_MAX as usize)),
        format!("HTTP/2 connection | {}; of them reset and not yet done with: {} |", limits::STREAMS_MAX, limits::RESETS_MAX),
        format!("| connections | {connections}; of them before the handshake: {} |", number(limits::HANDSHAKES_MAX)),
        format!("64 bits of it) | {address}; before the handshake {handshakes} |"),
        format!("| connections with one client certificate | {certificate} |"),
        format!(
            "of one address {per_address}/s, with one certificate {per_certificate}/s, after {at_once} and {at_once_too} at once"
        ),
        format!(
            "| the rest of a body that nobody reads | {}, {} without an octet, {}; of ",
            seconds(limits::LINGER_MS),
            seconds(limits::LINGER_PAUSE_MS),
            mib(limits::LINGER_BYTES_MAX as usize)
        ),
        format!("of {} connections at once |", limits::LINGERING_MAX),
        format!("A body that begins within {} ms is read as ever |", limits::EXPECT_MS),
        format!("| at most {}, and it comes within {} |", mib(limits::MESSAGE_BYTES_MAX), seconds(limits::DISCARD_MS)),
        format!("no head within {}: the same message", seconds(limits::AGAIN_MS)),
        format!("closed {} after its last use", seconds(limits::POOL_IDLE_MS)),
        format!("acknowledged for {}", seconds(limits::UNACKNOWLEDGED_MS.into())),
        format!("asked by TCP every {}", seconds(limits::KEEPALIVE_MS)),
        format!(
            "| attachments on their way at once | {} of all, {} of one agency |",
            limits::TRANSFERS_MAX,
            limits::AGENCY_TRANSFERS_MAX
        ),
        format!("and 1 s more for each {} of attachments", kib(limits::TRANSFER_RATE as usize)),
        format!("| head of a part | {}, {} fields |", kib(limits::PART_HEAD_BYTES_MAX), limits::PART_FIELDS_MAX),
        format!("| bodies that are read or worked on, until the holder has them, together | {} |", mib(limits::BODIES_BYTES_MAX)),
        format!("| connections of the public listener | {} |", number(limits::PUBLIC_CONNECTIONS_MAX)),
        format!("| different persons a day, UTC, that an agency asks about | {} |", number(limits::PERSONS_PER_DAY as usize)),
    ];
    let ms = |ms: u64| number(ms as usize);
    let configuration = vec![
        format!("| `limits.message_bytes` | bytes | {} |", number(limits::MESSAGE_BYTES_MAX)),
        format!("| `limits.attachment_bytes` | bytes | {} |", number(limits::ATTACHMENT_BYTES as usize)),
        format!("| `limits.attachments_bytes` | bytes | {} |", number(limits::ATTACHMENTS_BYTES as usize)),
        format!("1 to {} |", number(limits::ATTACHMENT_BYTES_MAX as usize)),
        format!("| `limits.wait_ms` | ms | {} |", ms(limits::WAIT_MS_MAX)),
        format!("| `limits.answer_ms` | ms | {} |", ms(limits::ANSWER_MS)),
        format!("| `limits.body_ms` | ms | {} |", ms(limits::BODY_MS)),
        format!("| `limits.connections` | number | {connections} |"),
        format!("| `limits.connections_per_address` | number | {address} |"),
        format!("| `limits.connections_per_certificate` | number | {certificate} |"),
        format!("the registry; at most {};", mib(limits::FILE_BYTES_MAX as usize)),
        format!("`http` or `https`; at most {}; see", limits::WITNESSES_MAX),
        format!("at most {} and responses go out for at most {},", seconds(limits::DRAIN_MS), seconds(limits::CLOSE_MS)),
    ];
    [("docs/http.md", http), ("docs/configuration.md", configuration)]
}

fn of_the_log() -> [Said; 3] {
    use limits::{GROUP_BYTES_MAX, GROUP_GATHER_RECORDS, GROUP_GATHER_US, GROUP_RECORDS_MAX, SEGMENT_BYTES_MAX};
    use limits::{VOLUME_RECORDS_MAX, VOLUME_RECORDS_MIN, WITNESS_POLICY_NAMES_MAX};
    assert_eq!(hours(limits::VOLUME_MS), "24 hours", "a day, in the words below");
    let (most, least, names) = (number(VOLUME_RECORDS_MAX), number(VOLUME_RECORDS_MIN), WITNESS_POLICY_NAMES_MAX);
    let journal = vec![
        format!("`leaf_len` | at most {} |", number(limits::LEAF_BYTES_MAX as u64)),
        format!("`private_crc` | at most {};", number(limits::PRIVATE_BYTES_MAX as u64)),
        format!("`body_crc` | at most {};", number(limits::BODY_BYTES_MAX as u64)),
        format!("grown beyond {} octets ({})", number(SEGMENT_BYTES_MAX), mib(SEGMENT_BYTES_MAX as usize)),
        format!("in steps of {} ahead of what is written", mib(limits::PREWRITE_BYTES as usize)),
        format!("for up to {} or {GROUP_GATHER_RECORDS} records", unit(GROUP_GATHER_US, 1000, "ms")),
        format!("at most {GROUP_RECORDS_MAX} records and {}; hashes", mib(GROUP_BYTES_MAX)),
        format!("range of records: {most} of them, or, once it is a day old, at least {least}."),
        format!("unless {} of records wait already", mib(limits::INDEX_WAITING_BYTES_MAX)),
    ];
    let log = vec![
        format!("complete after {most} records, or a day if they have at least {least}."),
        format!("one volume again every {}.", minutes(limits::UPKEEP_MS)),
        format!("`413` above {};", kib(limits::WITNESS_REQUEST_BYTES_MAX)),
        format!("Limits: {}; {names} logs, {names} witnesses", kib(limits::WITNESS_POLICY_BYTES_MAX)),
        format!("a log may have several; at most {} |", number(limits::WITNESSED_LOGS_MAX as u64)),
    ];
    let audit = vec![
        format!("| why, 1 to {} octets", number(limits::REASON_BYTES_MAX as u64)),
        format!("| `limit` | 1 to {}; {} |", number(limits::PAGE_RECORDS_MAX as u64), limits::PAGE_RECORDS),
        format!("JSON object of at most {}.", kib(limits::QUERY_BYTES_MAX)),
        format!("it looks at {} rows at most", number(limits::SEARCH_ROWS_MAX as u64)),
        format!("At most {} records", number(limits::REPORT_ROWS_MAX)),
        format!("takes nothing for {} loses it", seconds(limits::EXPORT_STALL_MS)),
    ];
    [("docs/journal.md", journal), ("docs/log.md", log), ("docs/audit.md", audit)]
}

fn of_the_operators_files() -> [Said; 2] {
    let number = |value: usize| number(value as u64);
    let registry = vec![
        format!("`, at most {} characters, once |", limits::AGENCY_BYTES_MAX),
        format!("`[[agency.key]]`, at most {}:", limits::KEYS_PER_AGENCY_MAX),
        format!("of a signing certificate, at most {}:", kib(limits::CERTIFICATE_BYTES_MAX)),
        format!(
            "requests that it has at once: {}; 1 to {} |",
            limits::HOLDER_PARALLEL,
            number(limits::HOLDER_PARALLEL_MAX as usize)
        ),
        format!("wait for a place there: {}; 0 to {} |", limits::HOLDER_WAITING, number(limits::HOLDER_WAITING_MAX as usize)),
        format!("for a while: {}; 1 to {} (", limits::HOLDER_FAILURES, number(limits::HOLDER_FAILURES_MAX as usize)),
        format!("have together at most {} characters |", limits::DELEGATION_BYTES_MAX),
        format!("where the law orders that: 0; at most {} |", number(limits::WITHHELD_DAYS_MAX as usize)),
    ];
    let schemas = vec![
        format!("A value that must be kept whole is at most {}: of any", kib(limits::KEPT_TEXT_BYTES_MAX)),
        format!("An attribute's value is at most {}.", kib(limits::VALUE_BYTES_MAX)),
        format!("A schema file is at most {},", mib(limits::SCHEMA_BYTES_MAX)),
        format!("has at most {} different paths,", number(limits::SCHEMA_PATHS_MAX)),
        format!("a content model at most {} particles.", number(limits::SCHEMA_PARTICLES_MAX)),
        format!(
            "folders inside each other | {}; {}; {}; {} |",
            mib(limits::SCHEMA_BYTES_MAX),
            mib(limits::SCHEMA_SET_BYTES_MAX),
            number(limits::SCHEMA_FILES_MAX),
            limits::SCHEMA_FOLDERS_MAX
        ),
        format!("elements inside each other | {}; {} |", number(limits::SCHEMA_NODES_MAX as usize), limits::SCHEMA_DEPTH_MAX),
        format!("types and elements of a set | {} |", number(limits::SCHEMA_COMPONENTS_MAX)),
        format!("attributes of a type | {}; {} |", limits::SCHEMA_DERIVATIONS_MAX, number(limits::SCHEMA_ATTRIBUTES_MAX)),
        format!(
            "of all models of a set | {}; {} |",
            number(limits::SCHEMA_PARTICLES_MAX),
            number(limits::SCHEMA_SET_PARTICLES_MAX)
        ),
        format!("may be open | {}; {} |", number(limits::SCHEMA_KEYS_MAX), limits::SCHEMA_WAYS_MAX),
        format!(
            "for {} and {} at most for each",
            seconds(limits::SCHEMA_JUDGED_MS),
            unit(limits::SCHEMA_JUDGED_BYTES_MAX, 1 << 20, "MiB")
        ),
    ];
    [("docs/registry.md", registry), ("docs/schemas.md", schemas)]
}

fn of_what_it_does_not_do() -> [Said; 1] {
    use limits::{
        ADDRESS_CONNECTIONS_MAX, CERTIFICATE_CONNECTIONS_MAX, PERSONS_PER_DAY, PERSONS_PER_DAY_MAX, REFUSALS_PER_MINUTE,
    };
    let (life, long_life) = (hours(limits::REQUEST_LIFE_MS), unit(limits::EVENT_LIFE_MS, 24 * 3_600_000, "days"));
    let number = |value: u32| number(u64::from(value));
    let said = vec![
        format!("| size of a message | {} |", mib(limits::MESSAGE_BYTES_MAX)),
        format!("attributes of one element | {}; {} |", limits::DEPTH_MAX, limits::ATTRIBUTES_MAX),
        format!("nothing is compared with; else {} |", kib(limits::KEPT_TEXT_BYTES_MAX)),
        format!("| documents in one answer | {} |", limits::DOCUMENTS_MAX),
        format!(
            "| a document that comes as an attachment; a tag of it | {}; {} |",
            mib(limits::ATTACHED_DOCUMENT_BYTES_MAX as usize),
            mib(limits::MARKUP_BYTES_MAX)
        ),
        format!("| identifiers of one person or organisation | {} |", limits::IDENTIFIERS_MAX),
        format!(
            "| paths of one `Select`; characters of the path of a field | {}; {} |",
            limits::SELECT_PATHS_MAX,
            limits::FIELD_PATH_CHARS_MAX
        ),
        format!("| persons in one request to the desk of an agent | {} |", number(limits::DESK_PERSONS_MAX as u32)),
        format!("| octets of `Oncegate-Fields`, which is left out beyond that | {} |", kib(limits::FIELDS_HEADER_BYTES_MAX)),
        format!("clock and the gateway's | {} |", minutes(limits::CLOCK_SKEW_MS)),
        format!("| life of a request; of an application | {life}; {long_life} |"),
        format!("what came of it, is remembered | {} |", hours(limits::IDEMPOTENCY_WINDOW_MS)),
        format!("to connect; to answer | {}; {} |", seconds(limits::CONNECT_MS), seconds(limits::ANSWER_MS)),
        format!(
            "| {}; {}, unless its registry entry says otherwise, never more than {}; {} |",
            limits::HOLDER_PARALLEL,
            limits::HOLDER_WAITING,
            number(limits::HOLDER_PARALLEL_MAX),
            number(limits::HOLDER_WAITING_MAX)
        ),
        format!("or that wait for it, together | {} |", mib(limits::HOLDER_BYTES_MAX)),
        format!("is left alone at once | {} |", seconds(limits::HOLDER_PAUSE_MS_MAX)),
        format!("of a delegation, together | {} characters |", limits::DELEGATION_BYTES_MAX),
        format!("in its place, together | {} characters |", limits::SUCCESSION_BYTES_MAX),
        format!("| wait of a consumer on one connection | {} |", seconds(limits::WAIT_MS_MAX)),
        format!("| connections | {} |", number(limits::CONNECTIONS_MAX as u32)),
        format!("certificate | {}; {} |", number(ADDRESS_CONNECTIONS_MAX), number(CERTIFICATE_CONNECTIONS_MAX)),
        format!(
            "| {} unless its entry says otherwise, never more than {} |",
            number(PERSONS_PER_DAY),
            number(PERSONS_PER_DAY_MAX)
        ),
        format!(
            "| {} unless the agency's entry says otherwise, never more than {}; {} |",
            number(limits::MISSES_PER_DAY),
            number(limits::MISSES_PER_DAY_MAX),
            limits::MISSES_ANSWERS_MIN
        ),
        format!("recorded one by one | {} a minute;", number(REFUSALS_PER_MINUTE)),
        format!("| keys of one agency | {} |", limits::KEYS_PER_AGENCY_MAX),
        format!("| size of the registry file | {};", mib(limits::FILE_BYTES_MAX as usize)),
        format!("kept from a citizen | {} |", number(u32::from(limits::WITHHELD_DAYS_MAX))),
        format!("anomaly search reads | {} |", number(limits::REPORT_ROWS_MAX as u32)),
        format!("| witnesses of one log | {} |", limits::WITNESSES_MAX),
        format!("are attended on one day | {}; {} |", limits::SLOTS_MAX, limits::VISITS_MAX),
        format!(
            "in which nothing could be done | {}; {}; {}; {} |",
            limits::CASE_ANSWERS_MAX,
            kib(limits::CASE_CHANGES_BYTES_MAX),
            number(limits::CASES_KEPT_MAX as u32),
            seconds(limits::CASE_AGAIN_MS)
        ),
    ];
    [("docs/limits.md", said)]
}

fn of_sources() -> [Said; 1] {
    let said = vec![
        format!(
            "columns; octets of a cell | {}; {}; {}; {} |",
            unit(limits::SOURCE_FILE_BYTES_MAX, 1 << 30, "GiB"),
            number(limits::SOURCE_FILE_ROWS_MAX as u64),
            number(limits::SOURCE_COLUMNS_MAX as u64),
            kib(limits::SOURCE_CELL_BYTES_MAX)
        ),
        format!(
            "rows; octets | {}, {} at most; {} |",
            limits::SOURCE_ROWS,
            number(limits::SOURCE_ROWS_MAX as u64),
            mib(limits::SOURCE_ANSWER_BYTES_MAX)
        ),
        format!(
            "a statement; how much longer a silent database is waited for | {}; {}, {} at most; {} |",
            seconds(limits::SOURCE_ANSWER_MS),
            seconds(limits::SOURCE_STATEMENT_MS),
            seconds(limits::SOURCE_STATEMENT_MS_MAX),
            seconds(limits::SOURCE_SILENT_MS)
        ),
        format!(
            "a file with a password or a token | {}; {}; {} |",
            limits::SOURCE_PARALLEL_MAX,
            kib(limits::SOURCE_STATEMENT_BYTES_MAX),
            kib(limits::SOURCE_SECRET_BYTES_MAX)
        ),
        format!("their octets | {}; {} |", number(limits::AGENT_REPEATS_MAX as u64), mib(limits::AGENT_REPEATS_BYTES_MAX)),
        format!(
            "days for which an operator opens the door | {}; {} days; {}; {}; {}; {} |",
            limits::JOINS_MAX,
            limits::JOIN_KEPT_MS / (24 * 60 * 60 * 1000),
            kib(limits::JOIN_BYTES_MAX),
            limits::JOIN_HOLDS_MAX,
            limits::JOIN_NAME_CHARS_MAX,
            limits::JOIN_DAYS_MAX
        ),
    ];
    [("docs/limits.md", said)]
}

fn of_signing_in() -> [Said; 1] {
    let said = vec![
        format!(
            "its octets; keys that are looked at | {}; {}; {} |",
            seconds(limits::OIDC_MS),
            kib(limits::OIDC_DOCUMENT_BYTES_MAX),
            limits::OIDC_KEYS_MAX
        ),
        format!(
            "between its clock and the gateway's | {}; {}; {} |",
            minutes(limits::OIDC_KEPT_MS),
            seconds(limits::OIDC_KEYS_AGAIN_MS),
            seconds(limits::OIDC_SKEW_MS)
        ),
        format!(
            "groups that have roles | {}; {}; {}; {} |",
            minutes(limits::OIDC_PENDING_MS),
            number(limits::OIDC_PENDING_MAX as u64),
            kib(limits::OIDC_QUERY_BYTES_MAX),
            limits::OIDC_GROUPS_MAX
        ),
    ];
    [("docs/limits.md", said)]
}

/// The documents are the contract, so a constant that is changed by mistake differs from them.
#[test]
fn the_documents_name_the_values_of_the_program() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let all = of_messages().into_iter().chain(of_connections()).chain(of_the_log()).chain(of_the_operators_files());
    let all = all.chain(of_what_it_does_not_do()).chain(of_signing_in()).chain(of_sources());
    let mut missing = Vec::new();
    for (path, said) in all {
        let text = fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        missing.extend(said.into_iter().filter(|words| !text.contains(words)).map(|words| format!("{path}: {words}")));
    }
    assert!(missing.is_empty(), "not said:\n{}", missing.join("\n"));
}

/// What no document names still has to hold what it is for, and not many times of it.
#[test]
fn what_holds_something_is_large_enough_for_it_and_not_much_larger() {
    // In base64, line by line: the leaf, 63 hashes, and the words around them.
    let (leaf, hashes, note) = (limits::LEAF_BYTES_MAX.div_ceil(3) * 4, 63 * (44 + 1), limits::NOTE_BYTES_MAX);
    let cosignature = 200;
    let record = leaf + limits::PRIVATE_BYTES_MAX.div_ceil(3) * 4;
    let largest_example =
        Schemas::built_in().document_types().filter_map(|known| Schemas::example(known.name.as_str())).map(str::len).max();
    for (what, least, is, most) in [
        ("a note with all its cosignatures", limits::WITNESSES_MAX * cosignature, note, 32 * limits::WITNESSES_MAX * cosignature),
        // The changes are a text in the JSON that is sealed: a quotation mark in three is escaped.
        (
            "what is sealed of the changes of a case",
            limits::CASE_CHANGES_BYTES_MAX * 4 / 3,
            limits::PRIVATE_BYTES_MAX,
            2 * limits::CASE_CHANGES_BYTES_MAX,
        ),
        ("a proof", note + leaf + hashes, limits::PROOF_BYTES_MAX, 2 * (note + leaf + hashes)),
        ("a request to a witness", note + hashes, limits::WITNESS_REQUEST_BYTES_MAX, 2 * (note + hashes)),
        ("the first line of an export", note + leaf + 2 * hashes, limits::EXPORT_LINE_BYTES_MAX as usize, 2 * record),
        ("a piece of an export", leaf, limits::EXPORT_CHUNK_BYTES, limits::MESSAGE_BYTES_MAX),
        (
            "a time stamp with its certificates",
            4 * limits::CERTIFICATE_BYTES_MAX,
            limits::STAMP_BYTES_MAX,
            limits::MESSAGE_BYTES_MAX,
        ),
        (
            "a message that is not heavy",
            2 * largest_example.expect("examples"),
            limits::HEAVY_BYTES,
            limits::MESSAGE_BYTES_MAX / 2,
        ),
        ("the addresses of all connections", limits::CONNECTIONS_MAX, limits::DOORS_MAX, 10 * limits::CONNECTIONS_MAX),
    ] {
        assert!((least..=most).contains(&is), "{what}: {is} is not between {least} and {most}");
    }
}
