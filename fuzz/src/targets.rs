//! The targets and what each holds to be true.

use crate::forge::{Choices, Forgeries, forged};
use crate::memory::{bounded, bounded_by};
use crate::originals::{self, LEAVES, LOG, ORIGINALS, Original, SCHEMAS, verified};
use crate::xml::{Noted, Said, canonical, written};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oncegate::base::fault::{Code, Fault};
use oncegate::base::ids::Digest;
use oncegate::base::time::UnixTime;
use oncegate::evidence::audit::{Cursor, Pairs, Query};
use oncegate::evidence::journal::{
    Commit, Erasure, Frame, FrameKind, From as Place, Header, is_damaged, read_frame, walk, write_frame,
};
use oncegate::evidence::tlog::note::{Checkpoint, VerifierKey};
use oncegate::evidence::tlog::policy::Policy;
use oncegate::evidence::tlog::proof::Proof;
use oncegate::evidence::tlog::tree::{Hash, Head};
use oncegate::exchange::admission::{authenticate, permit};
use oncegate::message::crypto::sha256;
use oncegate::message::envelope::{Body, EnvelopeReader, Message, write};
use oncegate::message::pki::{Certificate, decode, pem_blocks, to_pem};
use oncegate::message::schema::{Facts, Schemas, Validator};
use oncegate::message::xml::{Profile, ScanError, Start, Stream, Violation, Visitor, scan as read_all};
use oncegate::rules::registry::Registry;

/// Reads everything and forgets it.
struct Nobody;

impl Visitor for Nobody {
    type Error = std::convert::Infallible;

    fn start(&mut self, _: &Start<'_>) -> Result<(), Self::Error> {
        Ok(())
    }

    fn text(&mut self, _: &str, _: usize) -> Result<(), Self::Error> {
        Ok(())
    }

    fn end(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}

fn said(octets: &[u8]) -> Result<Vec<Said>, Violation> {
    let mut noted = Noted::default();
    match read_all(octets, Profile::Message, &mut noted) {
        Ok(()) => Ok(noted.0),
        Err(ScanError::Xml(violation)) => Err(violation),
    }
}

/// What a document says that comes in pieces of so many octets.
fn said_in_pieces(octets: &[u8], size: usize) -> Result<Vec<Said>, Violation> {
    let (mut stream, mut noted) = (Stream::default(), Noted::default());
    let read = octets.chunks(size).try_for_each(|piece| stream.take(piece, &mut noted));
    match read.and_then(|()| stream.finish(&mut noted)) {
        Ok(()) => Ok(noted.0),
        Err(ScanError::Xml(violation)) => Err(violation),
    }
}

/// What is read, written in another spelling, is read as the same, and in pieces as well; a refusal's place is in the document.
pub fn scan(input: &[u8]) {
    let result = bounded(input.len(), || read_all(input, Profile::Message, &mut Nobody));
    let pieces = said_in_pieces(input, input.iter().map(|octet| usize::from(*octet)).sum::<usize>() % 97 + 1);
    match (&result, pieces) {
        (Ok(()), pieces) => assert_eq!(pieces, said(input), "in pieces it is another"),
        (Err(ScanError::Xml(violation)), Ok(_)) => assert_eq!(violation.code, Code::XmlQName, "in pieces it is read"),
        (Err(_), Err(_)) => {}
        (Err(ScanError::Visitor(never)), _) => match *never {},
    }
    if let Err(ScanError::Xml(violation)) = result {
        assert!(violation.at <= input.len(), "{violation}");
        return;
    }
    // No comment, section, instruction or DOCTYPE is in what is taken.
    assert!(!input.windows(2).any(|two| two == b"<!"), "markup that is refused was read");
    let first = said(input).expect("what was read is read again");
    match said(written(&first).as_bytes()) {
        Ok(second) => assert_eq!(first, second),
        // The other spelling needs more attributes and longer values.
        Err(violation) => assert_eq!(violation.code, Code::XmlLimit, "{violation}"),
    }
}

/// The canonical form says the same as the document, and is its own canonical form.
pub fn c14n(input: &[u8]) {
    let Ok(form) = bounded(input.len(), || canonical(input)) else { return };
    match canonical(&form) {
        Ok(again) => assert_eq!(form, again),
        // Escaped, a value may be longer than a value as written may be.
        Err(violation) => return assert_eq!(violation.code, Code::XmlLimit, "{violation}"),
    }
    assert_eq!(said(input).expect("it was read"), said(&form).expect("it was read"));
}

fn must_equal(original: &Original, message: &Message, digest: Digest) {
    assert_eq!(digest, original.digest, "another digest under the signature");
    assert!(*message == original.message, "other values under the signature");
}

/// Whatever is verified is one of the messages that were signed.
pub fn verify_bytes(input: &[u8]) {
    if let Some((message, digest)) = bounded(input.len(), || verified(input)) {
        let original = ORIGINALS.iter().find(|original| original.digest == digest).expect("a digest that was signed");
        must_equal(original, &message, digest);
    }
}

/// A message edited after it was signed is refused, or says just what it said.
pub fn verify_forge(input: &[u8]) {
    let (octets, original) = forged(input);
    let accepted = bounded(octets.len(), || verified(&octets));
    if let Some((message, digest)) = &accepted {
        must_equal(original, message, *digest);
    }
    Forgeries::count(accepted.is_some() && octets != original.octets);
}

fn message_of(octets: &[u8]) -> Option<Message> {
    let mut reader = EnvelopeReader::new(&SCHEMAS);
    read_all(octets, Profile::Message, &mut reader).ok()?;
    reader.into_message().ok()
}

/// What a message says is the same after it was written again.
pub fn envelope(input: &[u8]) {
    let Some(message) = bounded(input.len(), || message_of(input)) else { return };
    if let Body::Documents(documents) = &message.body
        && documents.iter().any(Result::is_err)
    {
        // Their faults tell places, which are others in the canonical form.
        return;
    }
    let form = canonical(input).ok();
    if let Some(again) = form.as_deref().and_then(message_of) {
        assert!(message == again, "the canonical form says something else");
    }
    // Documents are kept as facts, from which they cannot be written; a fault's texts are not kept.
    if matches!(message.body, Body::Ask(_) | Body::Later { .. } | Body::State { .. }) {
        let text = write(&message, "");
        let again = message_of(text.as_bytes()).unwrap_or_else(|| panic!("cannot be read again: {text}"));
        assert!(message == again, "{text}");
    }
}

fn facts(octets: &[u8]) -> Option<Result<Facts, Fault>> {
    let mut validator = Validator::new(&SCHEMAS);
    read_all(octets, Profile::Message, &mut validator).ok()?;
    Some(validator.finish())
}

fn inside(text: &str, line: usize, column: usize) {
    let found = text.split('\n').nth(line.wrapping_sub(1));
    let last = line == text.split('\n').count() + 1;
    let columns = found.map_or(usize::from(last), |found| found.chars().count() + 1);
    assert!((1..=columns.max(1)).contains(&column), "line {line}, column {column} is outside");
}

/// How often an element of this name may stand beside itself by any declaration in the schemas of the program.
fn most(name: &str) -> usize {
    let declared = format!(" name=\"{name}\"");
    let tags = Schemas::built_in_files().iter().flat_map(|(_, text)| text.split('<')).filter(|tag| tag.contains(&declared));
    let most = tags.map(|tag| {
        let most = tag.split_once("maxOccurs=\"").and_then(|(_, rest)| rest.split_once('"')).map_or("1", |(most, _)| most);
        most.parse().expect("no element may stand there without a bound")
    });
    most.max().unwrap_or(0)
}

/// An example of the program is refused when one of its elements stands there more often than it may.
fn repeated(input: &[u8]) {
    let mut choices = Choices(input);
    let examples: Vec<&str> = SCHEMAS.document_types().filter_map(|known| Schemas::example(known.name.as_str())).collect();
    let mut octets = examples[choices.below(examples.len())].as_bytes().to_vec();
    assert!(matches!(facts(&octets), Some(Ok(_))), "an example is not valid");
    let elements = crate::forge::elements(&octets);
    // The root cannot be repeated.
    let whole = elements[1 + choices.below(elements.len() - 1)].whole.clone();
    let one = octets[whole.clone()].to_vec();
    let name = one[1..].split(|octet| b" />".contains(octet)).next().map(|name| String::from_utf8_lossy(name).into_owned());
    let name = name.expect("an element has a name");
    let copies = 1 + choices.below(17);
    octets.splice(whole.end..whole.end, one.repeat(copies));
    if copies >= most(name.rsplit(':').next().unwrap_or_default()) {
        assert!(!matches!(facts(&octets), Some(Ok(_))), "{name} stands there {} times", 1 + copies);
    }
}

/// A document and its canonical form have the same facts (first octet 0 modulo 3); a schema is compiled, or refused with a
/// place that is in it (1); an element that stands there more often than it may is refused (2).
pub fn schema(input: &[u8]) {
    let Some((kind, octets)) = input.split_first() else { return };
    if kind % 3 == 2 {
        return repeated(octets);
    }
    if kind % 3 == 0 {
        let found = bounded(octets.len(), || facts(octets));
        if let (Some(Ok(found)), Ok(form)) = (found, canonical(octets)) {
            assert!(facts(&form).is_some_and(|again| again.as_ref() == Ok(&found)), "the canonical form has other facts");
        }
        return;
    }
    let Ok(text) = std::str::from_utf8(octets) else { return };
    let (name, types) = Schemas::built_in_files()[0];
    let files = [(name.to_owned(), types.to_owned()), ("fuzzed.xsd".to_owned(), text.to_owned())];
    if let Err(error) = bounded_by(COMPILED * octets.len() + TYPES, || Schemas::compile(&files, ""))
        && error.file == "fuzzed.xsd"
    {
        inside(text, error.line, error.column);
    }
}

/// A certificate is the same by each way it comes; its thumbprint is that of its octets.
pub fn x509(input: &[u8]) {
    let read = bounded(input.len(), || Certificate::from_der(input));
    assert_eq!(read, Certificate::from_base64(&STANDARD.encode(input)));
    assert_eq!(pem_blocks(&to_pem("CERTIFICATE", input), "CERTIFICATE"), [input.to_vec()]);
    if let Ok(certificate) = read {
        assert_eq!(certificate.thumbprint, sha256(input));
        assert!(Certificate::from_der(&[input, &[0]].concat()).is_err(), "octets after a certificate");
    }
    if let Ok(text) = std::str::from_utf8(input) {
        for block in bounded(input.len(), || pem_blocks(text, "CERTIFICATE")) {
            let _ = Certificate::from_der(&block);
        }
        if let Some(octets) = decode(text) {
            assert_eq!(decode(&STANDARD.encode(&octets)), Some(octets));
        }
    }
}

/// Octets of memory for each octet of a registry: a key of dots alone is of as many keys, each with its place.
const REGISTRY: usize = 256;
/// Octets of memory for each octet of a schema: its longest patterns become automata.
const COMPILED: usize = 4096;
/// What is taken beside that: by a registry's smallest tables, and by the types that each schema is compiled with.
const CONSTANT: usize = 128 << 10;
const TYPES: usize = 8 << 20;

/// A registry means the same with a comment at its end; a refusal's place is in the text.
pub fn registry(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    match bounded_by(REGISTRY * input.len() + CONSTANT, || Registry::check(text, &SCHEMAS)) {
        Ok(read) => {
            let again = Registry::check(&format!("{text}\n# end\n"), &SCHEMAS).expect("a comment changes nothing");
            // All but what tells one file from another.
            assert_ne!(read.digest(), again.digest());
            let meant = |read: &Registry| format!("{read:?}").replace(&read.digest().to_string(), "");
            assert_eq!(meant(&read), meant(&again));
        }
        Err(error) => inside(text, error.line, error.column),
    }
}

/// Keys, checkpoints, proofs and policies are written as they were read; what is proved is in the log.
pub fn note(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Ok(key) = VerifierKey::parse(text) {
        assert_eq!(key.to_string(), text);
    }
    if let Ok(checkpoint) = bounded(input.len(), || Checkpoint::parse(text)) {
        assert_eq!(checkpoint.to_string(), text);
        if let Ok(head) = checkpoint.verify(LOG.verifier()) {
            assert!((0..=LEAVES).any(|size| originals::head(size) == head), "a tree that was not signed");
        }
    }
    if let Ok(proof) = bounded(input.len(), || Proof::parse(text)) {
        assert_eq!(proof.to_string(), text);
        if let Ok(included) = proof.verify(LOG.verifier()) {
            assert!(included.index < included.head.size && included.head.size <= LEAVES, "outside of the log");
            assert_eq!(proof.leaf, originals::leaf(included.index).as_bytes(), "a leaf that is not there");
        }
    }
    if let Ok(proofs) = bounded(input.len(), || Proof::parse_bundle(text)) {
        assert_eq!(proofs.iter().map(ToString::to_string).collect::<String>(), text);
    }
    if let Err(error) = bounded(input.len(), || Policy::parse(input)) {
        assert!(error.line <= text.split('\n').count(), "line {}", error.line);
    }
}

/// A segment with these groups of records; where each group ends, and how many records there are by then.
pub fn segment(groups: &[u8]) -> (Vec<u8>, Vec<(usize, u64)>) {
    let (mut out, mut ends) = (Vec::new(), Vec::new());
    let mut head = Head { size: 0, root: Hash::of_empty() };
    let time = UnixTime::from_ms(7);
    Header { head, volume: 0 }.write(&mut out);
    Commit { head, start: 0, time }.write(&mut out);
    ends.push((out.len(), 0));
    for group in groups {
        let start = out.len() as u64;
        for _ in 0..*group {
            let leaf = format!("the leaf of record number {:08}", head.size);
            let kind = FrameKind::Record;
            write_frame(&Frame { kind, seq: head.size, leaf: leaf.as_bytes(), private: b"p", body: b"body" }, &mut out);
            head.size += 1;
        }
        Commit { head, start, time }.write(&mut out);
        ends.push((out.len(), head.size));
    }
    (out, ends)
}

/// What recovery accepts is a prefix, frame by frame as it would be written (first octet even). Of a good segment that was
/// cut or damaged it gives the groups before the damage, all of them, and tells when a later group was there (odd).
pub fn journal(input: &[u8]) {
    let Some((kind, octets)) = input.split_first() else { return };
    if kind % 2 == 0 {
        return walked(octets);
    }
    let mut choices = Choices(octets);
    let groups: Vec<u8> = (0..1 + choices.octet() % 6).map(|_| choices.octet() % 5).collect();
    let (mut good, ends) = segment(&groups);
    let at = choices.below(good.len());
    let flip = choices.octet();
    if choices.octet() % 2 == 0 {
        good.truncate(at)
    } else {
        good[at] ^= flip.max(1)
    }
    let mut visited = 0;
    let found = walk(&good, Place { offset: 0, size: 0 }, Erasure::None, |_, frame| {
        assert_eq!(frame.leaf, format!("the leaf of record number {:08}", frame.seq).as_bytes());
        visited += 1;
    });
    let (end, size) = ends.iter().copied().take_while(|(end, _)| *end <= at).last().unwrap_or((0, 0));
    assert_eq!((found.end, found.size, visited), (end, size, size), "groups before the damage");
    // A group behind the damaged one proves that the damaged one was acknowledged.
    let behind = ends.iter().filter(|(end, _)| *end > at).count();
    if good.len() > at && behind > 1 {
        assert!(is_damaged(&good[found.end..], found.end as u64), "damage at {at} is not told");
    }
}

fn walked(octets: &[u8]) {
    let start = Place { offset: 0, size: 0 };
    let mut records = Vec::new();
    let found = bounded(octets.len(), || walk(octets, start, Erasure::None, |at, frame| records.push((at, frame))));
    assert!(found.end + found.cut <= octets.len() && found.size == records.len() as u64);
    for (number, (at, frame)) in records.iter().enumerate() {
        let mut out = Vec::new();
        write_frame(frame, &mut out);
        assert!(frame.seq == number as u64 && octets[*at..].starts_with(&out), "a frame that nobody writes");
    }
    let mut again = 0;
    let prefix = walk(&octets[..found.end], start, Erasure::None, |_, _| again += 1);
    assert_eq!((prefix.end, prefix.size, prefix.cut, again), (found.end, found.size, 0, records.len()));
    let _ = is_damaged(&octets[found.end..], found.end as u64);
    if let Ok((frame, length)) = read_frame(octets, Erasure::Possible) {
        assert!(length <= octets.len() && frame.leaf.len() + frame.private.len() + frame.body.len() < length);
    }
}

/// Pairs and filters are the same after they were written; a cursor is of its filter and no other text is it.
pub fn query(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Ok(pairs) = bounded(input.len(), || Pairs::parse_json(input)) {
        assert_eq!(Pairs::parse(&pairs.to_string()).as_ref(), Ok(&pairs));
    }
    let Ok(pairs) = bounded(input.len(), || Pairs::parse(text)) else { return };
    assert_eq!(Pairs::parse(&pairs.to_string()).as_ref(), Ok(&pairs));
    let cursor = pairs.clone().take("cursor");
    let Ok(query) = Query::parse(pairs) else { return };
    let mut again = Pairs::default();
    for (key, value) in query.filter.to_pairs() {
        again.add(key.to_owned(), value).expect("each key once");
    }
    assert_eq!(Query::parse(again).expect("a filter that was read").filter, query.filter);
    let own = Cursor(sha256(input).octets()[0].into());
    assert_eq!(Cursor::parse(&own.to_text(&query.filter), &query.filter), Ok(own));
    if query.filter != Default::default() {
        assert!(Cursor::parse(&own.to_text(&query.filter), &Default::default()).is_err(), "a cursor of another filter");
    }
    if let (Some(text), Ok(Some(before))) = (cursor, query.before()) {
        assert_eq!(Cursor(before).to_text(&query.filter), text);
    }
}

/// Whatever is admitted is one of the messages that were signed, octets (first octet even) or edits (odd).
pub fn admission(input: &[u8]) {
    let Some((kind, rest)) = input.split_first() else { return };
    let octets = if kind % 2 == 0 { rest.to_vec() } else { forged(rest).0 };
    let (snapshot, peer) = originals::world();
    let Ok(authenticated) = bounded(octets.len(), || authenticate(snapshot, peer, octets.clone())) else { return };
    let original = ORIGINALS.iter().find(|original| original.digest == authenticated.digest()).expect("a digest that was signed");
    must_equal(original, authenticated.message(), authenticated.digest());
    let read = oncegate::message::sig::read(&octets, EnvelopeReader::new(&SCHEMAS)).ok().expect("it was read");
    assert!(
        read.certificate().is_none_or(|named| named == originals::CERTIFICATE),
        "it names a certificate that is not enrolled"
    );
    let is_question = matches!(original.message.body, Body::Ask(_));
    match permit(snapshot, authenticated) {
        Ok(permitted) => {
            assert!(is_question && *permitted.message() == original.message, "other values were permitted");
            assert_eq!(permitted.octets(), octets, "other octets go on");
        }
        Err(refusal) => assert!(!is_question, "a question that is permitted was refused: {:?}", refusal.fault),
    }
}
