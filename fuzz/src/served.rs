//! What the process reads beside messages: heads of requests, its configuration, revocation lists, what witnesses and time
//! stamping authorities send.

use crate::memory::bounded;
use crate::originals::{self, Few, LEAVES, LOG};
use oncegate::base::ids::AgencyId;
use oncegate::base::limits;
use oncegate::base::time::UnixTime;
use oncegate::evidence::tlog::tree::{self, Hash, Head, verify_consistency};
use oncegate::gateway::timestamp::Request as StampRequest;
use oncegate::gateway::witness::{Book, Submission, WitnessFile};
use oncegate::host::authority::make_request;
use oncegate::host::config::{Config, place};
use oncegate::host::joins::{Application, State};
use oncegate::host::transport::Anchors;
use oncegate::message::pki::to_pem;
use std::path::Path;
use std::sync::LazyLock;

/// A configuration means the same with a comment at its end, and lifts no limit; a refusal's place is in the text. The same
/// text is read as the file of a witness.
pub fn config(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let (folder, longer) = (Path::new("/folder"), format!("{text}\n# end\n"));
    match Config::parse(text, folder) {
        Ok(config) => {
            let again = Config::parse(&longer, folder).expect("a comment changes nothing");
            assert_eq!(format!("{config:?}"), format!("{again:?}"));
            let read = &config.limits;
            assert!((1..=limits::MESSAGE_BYTES_MAX).contains(&read.message_bytes), "a limit was lifted");
            assert!((1..=limits::WAIT_MS_MAX).contains(&read.wait_ms) && (1..=limits::ANSWER_MS).contains(&read.answer_ms));
            assert!((1..=limits::BODY_MS).contains(&read.body_ms) && (1..=limits::CONNECTIONS_MAX).contains(&read.connections));
            assert!((1..=limits::ADDRESS_CONNECTIONS_MAX).contains(&read.per_address), "a limit was lifted");
            assert!((1..=limits::CERTIFICATE_CONNECTIONS_MAX).contains(&read.per_certificate), "a limit was lifted");
            assert!(config.log.witnesses.witnesses.len() <= limits::WITNESSES_MAX);
        }
        Err((offset, what)) => refused_inside(text, offset, &what),
    }
    match WitnessFile::parse(text, folder) {
        Ok(file) => {
            let again = WitnessFile::parse(&longer, folder).expect("a comment changes nothing");
            assert_eq!(format!("{file:?}"), format!("{again:?}"));
        }
        Err((offset, what)) => refused_inside(text, offset, &what),
    }
}

fn refused_inside(text: &str, offset: usize, what: &str) {
    assert!(text.is_char_boundary(offset) && !what.is_empty(), "{what:?} at {offset} of {}", text.len());
    let (line, column) = place(text, offset);
    let found = text.split('\n').nth(line - 1).expect("the line is in the text");
    assert!((1..=found.chars().count() + 1).contains(&column), "column {column} of line {line}");
}

/// What somebody sends who wants to take part is within its limits and means the same written again, or is refused in words; so is what he
/// is told.
pub fn joining(input: &[u8]) {
    match Application::parse(input) {
        Ok(application) => {
            assert!(AgencyId::parse(&application.agency).is_some() && !application.name.chars().any(char::is_control));
            assert!(application.holds.len() <= limits::JOIN_HOLDS_MAX, "a limit was lifted");
            let again = serde_json::to_vec(&application).expect("JSON");
            assert_eq!(Application::parse(&again).ok(), Some(application));
        }
        Err(fault) => assert!(!fault.detail.is_empty()),
    }
    if let Ok(state) = serde_json::from_slice::<State>(input) {
        let again = serde_json::to_vec(&state).expect("JSON");
        assert_eq!(serde_json::from_slice::<State>(&again).ok(), Some(state));
    }
}

/// Requests to take part, and what is said to them.
pub fn joinings() -> Vec<Vec<u8>> {
    let agency = AgencyId::parse("xx.town.school-1").expect("a name");
    let request = || make_request(&agency).expect("a request").1;
    let application = |url: Option<&str>, holds: &[&str]| {
        let application = Application {
            format: 1,
            agency: agency.to_string(),
            name: "School 1".to_owned(),
            url: url.map(str::to_owned),
            holds: holds.iter().map(|what| (*what).to_owned()).collect(),
            tls_request: request(),
            sign_request: request(),
        };
        serde_json::to_vec(&application).expect("JSON")
    };
    let said = |state: &State| serde_json::to_vec(state).expect("JSON");
    vec![
        application(None, &[]),
        application(Some("outbound"), &["school-enrolment"]),
        application(Some("https://school.example:9443/x"), &["a", "b"]),
        said(&State::Waiting),
        said(&State::Refused { reason: "no".to_owned() }),
        said(&State::Approved { tls: "t".to_owned(), sign: "s".to_owned(), gateway: "https://g".to_owned() }),
    ]
}

/// Configurations, and the file of a witness.
pub fn configs() -> Vec<Vec<u8>> {
    let least = "format = 1\ndata = \"data\"\n[exchange]\nlisten = \"127.0.0.1:8443\"\ncertificate = \"c\"\nkey = \"k\"\n\
                 authorities = \"a\"\n[registry]\nfile = \"r\"\nsignature = \"s\"\nauthority = \"z\"\n";
    let more = "[public]\nlisten = \"[::1]:8081\"\n[limits]\nmessage_bytes = 1000\nwait_ms = 1000\nanswer_ms = 1000\nbody_ms = 9\n\
                journal_bytes = 900000\nconnections = 9\nconnections_per_address = 2\nconnections_per_certificate = 3\n[log]\n\
                origin = \"a.example/log\"\nrecords = \"off\"\narchive_days = 3\ntimestamp = \"http://tsa.example/\"\n\
                timestamp_hours = 7\nwitness_seconds = 60\n[[log.witness]]\nkey = \"KEY\"\nurl = \"https://w.example:8443/w\"\n\
                [witness]\nfile = \"w.toml\"\n";
    let witness = originals::WITNESS.verifier().to_string();
    let log = LOG.verifier();
    vec![
        least.into(),
        format!("{least}{}", more.replace("KEY", &witness)).into(),
        format!("format = 1\nname = \"w\"\nkey = \"k\"\nstate = \"s\"\nlisten = \"127.0.0.1:1\"\nprefix = \"/p\"\n[[log]]\nkey = \"{log}\"\n")
            .into(),
    ]
}

const AUTHORITY: &[u8] = include_bytes!("../fixtures/ca.der");
/// Two certificates of the authority, of which the list below revokes the second.
const GOOD: &[u8] = include_bytes!("../fixtures/good.der");
const REVOKED: &[u8] = include_bytes!("../fixtures/revoked.der");
const LIST: &[u8] = include_bytes!("../fixtures/revoked.crl");

/// What of the list is signed: the first element of its sequence, both of less than 256 octets.
static SIGNED: LazyLock<&[u8]> = LazyLock::new(|| {
    let inside = &LIST[3..];
    let length = if inside[1] == 0x81 { 3 + usize::from(inside[2]) } else { 2 + usize::from(inside[1]) };
    &inside[..length]
});

fn now() -> UnixTime {
    UnixTime::parse("2027-03-04T05:12:10Z").expect("an instant")
}

/// With a list that was edited after it was signed (as DER, first octet 0; as PEM, 1) the revoked certificate is not
/// believed, and no other unless the list still holds what was signed. A certificate that was edited (2) is not believed.
pub fn crl(input: &[u8]) {
    let Some((kind, octets)) = input.split_first() else { return };
    let pem = match kind % 3 {
        0 => to_pem("X509 CRL", octets),
        1 => String::from_utf8_lossy(octets).into_owned(),
        _ => {
            let anchors = Anchors::of(AUTHORITY, &to_pem("X509 CRL", LIST)).expect("a good list");
            let is_believed = anchors.check(octets, now()).is_ok();
            return assert_eq!(is_believed, octets == GOOD, "an edited certificate is believed");
        }
    };
    let read = bounded(octets.len(), || Anchors::of(AUTHORITY, &pem));
    // What stands around a list in a file changes nothing.
    let around = Anchors::of(AUTHORITY, &format!("a list\n{pem}\nand its end\n"));
    assert!(read.is_ok() == around.is_ok() || kind % 3 == 1, "the same list is read and refused");
    let Ok(anchors) = read else { return };
    assert!(anchors.check(REVOKED, now()).is_err(), "a revoked certificate is believed");
    // What PEM is a list is for rustls to say; of DER it is plain whether what was signed is still there.
    if anchors.check(GOOD, now()).is_ok() && kind.is_multiple_of(3) {
        let is_there = octets.windows(SIGNED.len()).any(|window| window == *SIGNED);
        assert!(is_there, "a list that was not signed is believed");
    }
}

/// The list and the certificates, as they were signed.
pub fn lists() -> Vec<Vec<u8>> {
    let pem = to_pem("X509 CRL", LIST);
    let after = |kind: u8, octets: &[u8]| [&[kind], octets].concat();
    vec![
        after(0, LIST),
        after(1, pem.as_bytes()),
        after(1, pem.repeat(2).as_bytes()),
        after(1, LIST),
        after(2, GOOD),
        after(2, REVOKED),
    ]
}

static BOOK: LazyLock<Book> = LazyLock::new(|| {
    let mut book = Book::new([LOG.verifier().clone()]);
    book.enter(LOG.checkpoint(originals::head(3)).expect("signs"));
    book
});

/// What a witness is sent (first octet even) is written as it was read, and is cosigned only if it is a tree of the log that
/// goes on from the last one. A proof of hashes (odd: two sizes, then the hashes) holds between trees of the log alone.
pub fn witness(input: &[u8]) {
    let Some((kind, octets)) = input.split_first() else { return };
    if kind % 2 == 0 {
        let Ok(text) = std::str::from_utf8(octets) else { return };
        let Ok(submission) = bounded(input.len(), || Submission::parse(text)) else { return };
        assert_eq!(submission.to_string(), text);
        if let Ok(consistent) = BOOK.weigh(&submission) {
            let head = consistent.checkpoint().claimed();
            assert!(submission.old == 3 && (3..=LEAVES).any(|size| originals::head(size) == head), "another history");
        }
        return;
    }
    let Some((sizes, octets)) = octets.split_first_chunk::<2>() else { return };
    let [old, size] = sizes.map(|size| u64::from(size) % (LEAVES + 1));
    let mut hashes: Vec<Hash> = octets.as_chunks().0.iter().map(|octets| Hash::from_octets(*octets)).collect();
    let old = originals::head(old);
    // The first hash may be the root of a tree that is not of the log.
    let root = if sizes[1] < 128 || hashes.is_empty() { originals::head(size).root } else { hashes.remove(0) };
    if old.size > 0 && bounded(input.len(), || verify_consistency(&old, &Head { size, root }, &hashes)).is_ok() {
        assert!(originals::head(size).root == root && old.size <= size, "a tree that does not go on");
        let Ok(expected) = tree::consistency(&Few, old.size, size);
        assert_eq!(hashes, expected, "a second proof");
    }
}

/// Submissions and proofs from each tree of the log to each later one.
pub fn submissions() -> Vec<Vec<u8>> {
    let pairs = (1..=LEAVES).flat_map(|old| (old..=LEAVES).map(move |new| (old, new)));
    let one = |(old, new): (u64, u64)| {
        let Ok(proof) = tree::consistency(&Few, old, new);
        let hashes: Vec<u8> = proof.iter().flat_map(|hash| *hash.octets()).collect();
        let checkpoint = LOG.checkpoint(originals::head(new)).expect("signs");
        let text = Submission { old, proof, checkpoint }.to_string();
        let other = [&[1, old as u8, 128 + new as u8], originals::head(new).root.octets().as_slice(), &hashes].concat();
        [[&[0], text.as_bytes()].concat(), [&[1, old as u8, new as u8], hashes.as_slice()].concat(), other]
    };
    pairs.flat_map(one).collect()
}

const STAMPED: &str = "a checkpoint";
const NONCE: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 8];

/// A time stamp that is taken has digest and nonce of the request in it, is of no other request, and ends where it ends.
pub fn stamp(input: &[u8]) {
    let request = StampRequest::of(STAMPED, NONCE);
    if bounded(input.len(), || request.check(input)).is_err() {
        return;
    }
    let holds = |what: &[u8]| input.windows(what.len()).any(|window| window == what);
    let digest = oncegate::message::crypto::sha256(STAMPED.as_bytes());
    assert!(holds(digest.octets()) && holds(&NONCE), "a stamp of something else");
    assert!(StampRequest::of("another", NONCE).check(input).is_err(), "it fits another text");
    assert!(StampRequest::of(STAMPED, [9; 8]).check(input).is_err(), "it fits another request");
    assert!(request.check(&input[..input.len() - 1]).is_err(), "it goes on after its end");
    assert!(request.check(&[input, &[0]].concat()).is_err(), "it ends before its end");
}

/// Answers of an authority: granted, granted with modifications, refused.
pub fn stamps() -> Vec<Vec<u8>> {
    fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let contents = parts.concat();
        match contents.len() {
            short @ ..0x80 => [&[tag, short as u8], contents.as_slice()].concat(),
            long => [&[tag, 0x82, (long >> 8) as u8, long as u8], contents.as_slice()].concat(),
        }
    }
    let digest = oncegate::message::crypto::sha256(STAMPED.as_bytes());
    let algorithm = [0x30, 13, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0];
    let imprint = der(0x30, &[&algorithm, &der(4, &[digest.octets()])]);
    let one = |status: u8, between: &[u8]| {
        let info = der(0x30, &[&[2, 1, 1, 6, 1, 42], &imprint, &[2, 1, 9, 0x18, 1, b'Z'], between, &der(2, &[&NONCE])]);
        let kind = der(6, &[&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 16, 1, 4]]);
        let inside = der(0x30, &[&kind, &der(0xa0, &[&der(4, &[&info])])]);
        let signed = der(0xa0, &[&der(0x30, &[&[2, 1, 3, 0x31, 0], &inside])]);
        let content = der(0x30, &[&der(6, &[&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2]]), &signed]);
        der(0x30, &[&[0x30, 3, 2, 1, status], &content])
    };
    vec![one(0, &[]), one(1, &[0x30, 0, 1, 1, 0xff]), one(2, &[])]
}
