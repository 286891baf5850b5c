//! The parts of an exchange, one by one: `cargo bench --bench parts`. For work on a part; `oncegate bench` measures the
//! whole, and says what the parts of the same run cost.

use divan::{Bencher, black_box, counter::BytesCount};
use oncegate::base::ids::{AgencyId, Code, Digest, MessageId};
use oncegate::base::time::UnixTime;
use oncegate::evidence::journal::{Frame, FrameKind, write_frame};
use oncegate::evidence::tlog::{self, Record, RecordKind};
use oncegate::exchange::ledger::{Ledger, OutcomePlace, Seen};
use oncegate::host::authority::make_registry_key;
use oncegate::message::crypto::{PrivateKey, PublicKey, Signer};
use oncegate::message::envelope::{Context, EnvelopeReader, Subject};
use oncegate::message::pki;
use oncegate::message::schema::{Schemas, Validator};
use oncegate::message::sig;
use oncegate::message::xml::{self, Profile};
use oncegate::program::bench::{Template, Values, canonical};
use oncegate::rules::policy::{Question, decide};
use oncegate::rules::quota::{EngineClock, Quotas};
use oncegate::rules::registry::{Action, Registry};
use std::fmt::Write as _;

const SIZES: [usize; 2] = [2_048, 204_800];
const NOW: UnixTime = UnixTime::from_ms(1_800_000_000_000);

fn main() {
    divan::main();
}

struct Subjects {
    template: Template,
    agency: AgencyId,
    key: PrivateKey,
}

impl Subjects {
    fn new(size: usize) -> Self {
        let pem = make_registry_key(NOW).expect("a key").key;
        let der = pki::pem_blocks(&pem, "PRIVATE KEY").into_iter().next().expect("one block");
        let agency = AgencyId::parse("xx.bench.client-00").expect("a name");
        Self {
            template: Template::request(size, &agency).expect("a size"),
            key: PrivateKey::from_pkcs8(&der).expect("a key"),
            agency,
        }
    }

    fn values(&self) -> Values<'_> {
        let name = self.agency.as_str();
        Values { id: MessageId::new(NOW, [1; 10]), from: name, to: name, now: NOW, reply: ("", "") }
    }

    fn signed(&self) -> Vec<u8> {
        self.template.sign(&self.values(), &self.key).expect("signing").0
    }

    fn public(&self) -> PublicKey {
        self.key.public_key().expect("a key")
    }
}

#[divan::bench(args = SIZES)]
fn canonical_form_and_hash(bencher: Bencher, size: usize) {
    let subjects = Subjects::new(size);
    let text = subjects.template.unsigned(&subjects.values());
    bencher.counter(BytesCount::new(size)).bench(|| canonical(black_box(text.as_bytes())));
}

#[divan::bench(args = SIZES)]
fn verify(bencher: Bencher, size: usize) {
    let subjects = Subjects::new(size);
    let (signed, key) = (subjects.signed(), subjects.public());
    bencher
        .counter(BytesCount::new(size))
        .bench(|| sig::read(black_box(&signed), sig::Unread).is_ok_and(|read| read.verify(&key).is_ok()));
}

#[divan::bench(args = SIZES)]
fn sign(bencher: Bencher, size: usize) {
    let subjects = Subjects::new(size);
    let text = subjects.template.unsigned(&subjects.values());
    bencher.counter(BytesCount::new(size)).bench(|| sig::sign(black_box(text.as_bytes()), &subjects.key, None).is_ok());
}

#[divan::bench]
fn p256_sign(bencher: Bencher) {
    let subjects = Subjects::new(2_048);
    bencher.bench(|| subjects.key.sign(black_box(b"seven hundred octets would be no dearer")).is_ok());
}

#[divan::bench(args = SIZES)]
fn envelope_read(bencher: Bencher, size: usize) {
    let (subjects, schemas) = (Subjects::new(size), Schemas::built_in());
    let signed = subjects.signed();
    bencher.counter(BytesCount::new(size)).bench(|| sig::read(black_box(&signed), EnvelopeReader::new(&schemas)).is_ok());
}

#[divan::bench(args = ["birth-certificate", "residence-record", "medical-absence-note"])]
fn schema_validation(bencher: Bencher, name: &str) {
    let (schemas, text) = (Schemas::built_in(), Schemas::example(name).expect("an example"));
    bencher.counter(BytesCount::new(text.len())).bench(|| {
        let mut validator = Validator::new(&schemas);
        xml::scan(black_box(text.as_bytes()), Profile::Message, &mut validator).is_ok() && validator.finish().is_ok()
    });
}

/// A registry of so many agencies, each with one grant.
fn registry(agencies: usize, schemas: &Schemas) -> Registry {
    let mut text = String::from("format = 1\nversion = 1\n");
    for number in 0..agencies {
        let _ = write!(text, "[[agency]]\nid = \"xx.bench.a-{number:05}\"\nname = \"a\"\n");
    }
    for number in 0..agencies {
        let _ = write!(
            text,
            "[[grant]]\nid = \"g-{number}\"\nwho = \"xx.bench.a-{number:05}\"\nwhat = \"birth-certificate\"\npurpose = \"p\"\nbasis = \"b\"\n\
             until = \"2099-12-31\"\n"
        );
    }
    Registry::check(&text, schemas).expect("a registry")
}

#[divan::bench(args = [10, 10_000])]
fn registry_look_up_and_decision(bencher: Bencher, agencies: usize) {
    let schemas = Schemas::built_in();
    let registry = registry(agencies, &schemas);
    let name = AgencyId::parse(&format!("xx.bench.a-{:05}", agencies / 2)).expect("a name");
    let code = |text: &str| Code::parse(text).expect("a code");
    let what = code("birth-certificate");
    let document = schemas.document_type(&what).expect("a document type");
    let context = Context::new(code("p"), "b", Subject::default());
    bencher.bench(|| {
        let consumer = registry.find(black_box(&name)).expect("an agency");
        let question = Question { consumer, action: Action::Read, document, context: &context, select: &[], role: "" };
        decide(&registry, &question, NOW).is_ok()
    });
}

#[divan::bench]
fn quota(bencher: Bencher) {
    let (schemas, clock) = (Schemas::built_in(), EngineClock::default());
    let registry = registry(400, &schemas);
    let quotas = Quotas::new(&registry, &clock);
    let agency = registry.agencies().next().expect("an agency").0;
    bencher.bench(|| quotas.enter(black_box(agency), 2_048).is_ok());
}

/// The ledger's part of an exchange, with so many open: what is not known, what the log says of it, and its end.
#[divan::bench(args = [32, 100_000])]
fn ledger(bencher: Bencher, entries: u64) {
    let (agency, digest) = (AgencyId::parse("xx.bench.a").expect("a name"), Digest::from_octets([1; 32]));
    let mut ledger = Ledger::new();
    let id = |number: u64| {
        let mut random = [0; 10];
        random[2..].copy_from_slice(&number.to_be_bytes());
        MessageId::new(NOW, random)
    };
    let open = |ledger: &mut Ledger, number| {
        if let Ok(Seen::Nowhere(inquiry)) = ledger.begin(NOW, &agency, id(number), digest) {
            let _ = ledger.found(inquiry, None);
        }
    };
    (0..entries).for_each(|number| open(&mut ledger, number));
    let mut next = entries;
    bencher.bench_local(|| {
        next += 1;
        ledger.forget(next);
        open(&mut ledger, next);
        ledger.settle(&agency, id(next), digest, OutcomePlace { index: next, segment: 0, offset: 0 });
    });
}

#[divan::bench(args = [0, 2_900, 206_000])]
fn frame(bencher: Bencher, body: usize) {
    let (leaf, body) = ([b'x'; 500], vec![b'y'; body]);
    let mut out = Vec::with_capacity(body.len() + 1024);
    bencher.bench_local(|| {
        out.clear();
        write_frame(&Frame { kind: FrameKind::Record, seq: 1, leaf: black_box(&leaf), private: b"", body: &body }, &mut out);
        out.len()
    });
}

#[divan::bench]
fn leaf(bencher: Bencher) {
    let mut record = Record::new(RecordKind::Answer, NOW);
    let (agency, digest) = (AgencyId::parse("xx.bench.client-00"), Some(Digest::from_octets([7; 32])));
    record.message = Some(MessageId::new(NOW, [1; 10]));
    (record.digest, record.counterpart, record.system) = (digest, digest, digest);
    (record.consumer, record.provider) = (agency.clone(), agency);
    (record.document_type, record.purpose, record.grant) =
        (Code::parse("bench-record"), Code::parse("benchmark"), Code::parse("g-1"));
    record.basis = Some("XX:BENCH:1".into());
    bencher.bench(|| black_box(&record).leaf(&tlog::Blind::default()));
}
