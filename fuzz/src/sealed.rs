//! What is personal about a record: sealed beside its leaf, opened again, and read.

use crate::forge::Choices;
use crate::memory::{bounded, bounded_by};
use crate::originals::{now, numbers};
use oncegate::base::ids::{Code, Digest, Identifier, MessageId};
use oncegate::base::limits::{CAUSE_BYTES_MAX, SELECT_PATHS_MAX};
use oncegate::evidence::tlog::{Private, Record, RecordKind};
use oncegate::gateway::driver::audit::Opened;
use oncegate::host::store::{Beside, Keys, PrivateHead, log_key};
use oncegate::message::crypto::HmacKey;
use std::sync::LazyLock;

/// What was sealed, and how it looks since.
struct Part {
    plain: Vec<u8>,
    sealed: Vec<u8>,
    is_erased: bool,
}

/// A record that was sealed.
struct Kept {
    beside: Beside,
    private: Option<Part>,
    body: Option<Part>,
}

/// Records about nobody, some and as many persons as there can be; with and without a body, of which one is empty.
fn records() -> Vec<(Private, Option<Vec<u8>>)> {
    let persons = |count: u32| (0..count).map(Identifier::synthetic).collect::<Vec<_>>();
    let full = || Private {
        subject: persons(2).into(),
        official: Some(Identifier::synthetic(9)),
        role: Code::parse("clerk"),
        fields: vec!["Absence".to_owned(), "\"\\\u{1}\u{2028}".to_owned()],
        document: Code::parse("birth-certificate"),
        purpose: Code::parse("p"),
        cause: Some("OG-DOC-003, in /A".to_owned()),
        reason: Some("a complaint".to_owned()),
        changes: Some("[{\"kind\":\"begun\"}]".to_owned()),
        is_with_request: false,
        is_miss: false,
    };
    let body = |text: &str| Some(text.as_bytes().to_vec());
    vec![
        (full(), body("<an answer/>")),
        (Private { subject: persons(1).into(), ..Private::default() }, None),
        (Private::default(), body("<another answer/>")),
        (Private { is_with_request: true, cause: None, ..full() }, body("<an answer to it/>")),
        (Private { subject: persons(4).into(), ..Private::default() }, body("")),
        // These are erased: the personal part, the body, both.
        (full(), body("<a body that is kept/>")),
        (full(), body("<a body that goes/>")),
        (full(), body("<a body that goes with all/>")),
    ]
}

fn record() -> Record {
    let mut record = Record::new(RecordKind::Answer, now());
    record.message = Some(MessageId::new(now(), [1; 10]));
    record
}

/// Keys whose folder is gone once they are read, and what was sealed with them.
static KEPT: LazyLock<(Keys, Vec<Kept>)> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("oncegate-fuzz-keys-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    // The key of the log is the first that a folder has.
    log_key(&folder, "fuzz/log").expect("a key of the log");
    let keys = Keys::open(&folder.join("keys")).expect("a folder for keys");
    let mut kept: Vec<_> = records().into_iter().map(|(private, body)| keep(&keys, &private, body)).collect();
    let (first, second) = (kept.len() - 3, kept.len() - 2);
    for (number, one) in kept.iter_mut().enumerate().skip(first) {
        if number != second {
            keys.erase_private(&[one.beside.head.ticket]).expect("erased");
            one.private.iter_mut().for_each(|part| part.is_erased = true);
            assert!(keys.open_private(&one.beside.private).is_err(), "a personal part is opened whose key was erased");
        }
        if number != first {
            keys.erase_bodies(&[one.beside.head.ticket], 0).expect("erased");
            one.body.iter_mut().for_each(|part| part.is_erased = true);
            assert!(keys.open_body(&one.beside.private, &one.beside.body).is_err(), "a body is opened whose key was erased");
        }
    }
    std::fs::remove_dir_all(&folder).expect("the folder can be removed");
    (keys, kept)
});

fn keep(keys: &Keys, private: &Private, body: Option<Vec<u8>>) -> Kept {
    let beside = keys.seal(&record(), private, body.clone()).expect("it is sealed");
    let sealed = sealed_of(&beside.private).to_vec();
    let plain = keys.open_private(&beside.private).expect("it is opened");
    let private = (!sealed.is_empty()).then_some(Part { plain, sealed, is_erased: false });
    let body = body.map(|plain| Part { plain, sealed: beside.body.clone(), is_erased: false });
    Kept { beside, private, body }
}

fn sealed_of(private: &[u8]) -> &[u8] {
    PrivateHead::read(private).map_or(&[], |(_, sealed)| sealed)
}

/// By its first octet: the private part of a frame as it comes from a disk; what was sealed, as text; sealed records that were
/// edited; a record that is sealed now.
pub fn private(input: &[u8]) {
    let Some((kind, rest)) = input.split_first() else { return };
    match kind % 4 {
        0 => opened_as_sealed(rest, &KEPT.1[0].beside.body),
        1 => read_again(rest),
        2 => edited(rest),
        _ => sealed_now(rest),
    }
}

/// A head is written as it was read. What is opened was sealed under this very ticket, is the same octet for octet, and its key
/// was not erased; whatever is all of that is opened.
fn opened_as_sealed(private: &[u8], body: &[u8]) {
    let (keys, kept) = &*KEPT;
    let head = bounded(private.len(), || PrivateHead::read(private));
    if let Some((head, sealed)) = &head {
        let mut again = Vec::new();
        head.write(&mut again);
        again.extend_from_slice(sealed);
        assert!(again == private, "a head that nobody writes");
    }
    let sealed_under = |ticket: u64| kept.iter().filter(move |one| one.beside.head.ticket == ticket);
    let plain = |part: &'static Option<Part>, sealed: &[u8]| {
        part.as_ref().filter(|part| part.sealed == sealed && !part.is_erased).map(|part| part.plain.as_slice())
    };
    let expected = head.as_ref().and_then(|(head, sealed)| match sealed {
        [] => Some(&[][..]),
        sealed => sealed_under(head.ticket).find_map(|one| plain(&one.private, sealed)),
    });
    let opened = bounded(private.len(), || keys.open_private(private)).ok();
    assert!(opened.as_deref() == expected, "a personal part that was not sealed, or one that was is not opened");
    let expected = head.as_ref().and_then(|(head, _)| sealed_under(head.ticket).find_map(|one| plain(&one.body, body)));
    let opened = bounded(private.len() + body.len(), || keys.open_body(private, body)).ok();
    assert!(opened.as_deref() == expected, "a body that was not sealed, or one that was is not opened");
}

/// One to five edits of what was sealed: octets, lengths, heads and parts of other records, one part as the other.
fn edited(input: &[u8]) {
    let mut choices = Choices(input);
    let kept = &KEPT.1;
    let one = &kept[choices.below(kept.len())].beside;
    let (mut private, mut body) = (one.private.clone(), one.body.clone());
    for _ in 0..choices.octet() % 6 {
        let other = &kept[choices.below(kept.len())].beside;
        let (at, value) = (choices.below(private.len().max(body.len())), choices.octet());
        let head_of = |private: &[u8]| private[..private.len() - sealed_of(private).len()].to_vec();
        match choices.octet() % 14 {
            0 => private.iter_mut().skip(at).take(1).for_each(|octet| *octet ^= value),
            1 => body.iter_mut().skip(at).take(1).for_each(|octet| *octet ^= value),
            2 => private.truncate(at),
            3 => body.truncate(at),
            4 => private.push(value),
            5 => body.push(value),
            6 => private = [&head_of(&other.private), sealed_of(&private)].concat(),
            7 => private = [&head_of(&private), sealed_of(&other.private)].concat(),
            8 => body = other.body.clone(),
            9 => body = sealed_of(&private).to_vec(),
            10 => private = [&head_of(&private), body.as_slice()].concat(),
            // One person more or less: what is sealed would begin elsewhere.
            11 if private.len() > 10 => private[8] = value % 6,
            12 if private.len() > 8 => private[7] = value % 12,
            13 => private.iter_mut().skip(at).for_each(|octet| *octet = 0),
            _ => {}
        }
    }
    opened_as_sealed(&private, &body);
}

/// Octets of memory for each octet of a personal part: lists of texts.
const OPENED: usize = 32;
const CONSTANT: usize = 64 << 10;

fn read(text: &str) -> Option<Opened> {
    bounded_by(OPENED * text.len() + CONSTANT, || serde_json::from_str(text)).ok()
}

fn rebuilt(read: &Opened) -> Private {
    Private {
        subject: read.identifiers().into(),
        official: read.official(),
        role: read.role.as_deref().and_then(Code::parse),
        fields: read.fields.iter().take(SELECT_PATHS_MAX).cloned().collect(),
        document: read.document.as_deref().and_then(Code::parse),
        purpose: read.purpose.as_deref().and_then(Code::parse),
        cause: read.cause.as_deref().map(|cause| cause[..cause.floor_char_boundary(CAUSE_BYTES_MAX)].to_owned()),
        reason: read.reason.clone(),
        changes: read.changes.clone(),
        is_with_request: false,
        is_miss: false,
    }
}

/// Whatever text is read, written by the gateway it is read as the same.
fn read_again(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let Some(first) = read(text).map(|first| rebuilt(&first)) else { return };
    let second = read(&first.to_json(&[7; 32])).expect("what the gateway writes is read");
    assert!(rebuilt(&second) == first, "another person, official, role, field or reason");
}

/// A record of these choices and texts: what is opened is what was sealed, read as what it was made of, and what the leaf
/// commits to; with one octet changed it is not opened.
fn sealed_now(input: &[u8]) {
    let keys = &KEPT.0;
    let (head, rest) = input.split_at(input.len().min(8));
    let mut choices = Choices(head);
    let text = String::from_utf8_lossy(rest);
    let mut texts = text.split('\n');
    let [persons, fields, more, at, flip] = std::array::from_fn(|_| choices.octet());
    let mut person = |number: u8| {
        let known = || Identifier::synthetic(number.into());
        texts.next().map_or_else(known, |text| Identifier::parse("XX-FUZZED", text).unwrap_or_else(|_| known()))
    };
    let private = Private {
        subject: (0..persons % 6).map(&mut person).collect::<Vec<_>>().into(),
        official: (more & 1 > 0).then(|| person(persons)),
        role: Code::parse("clerk").filter(|_| more & 2 > 0),
        fields: texts.by_ref().take(fields.into()).map(str::to_owned).collect(),
        document: Code::parse("birth-certificate").filter(|_| more & 64 > 0),
        purpose: Code::parse("p").filter(|_| more & 64 > 0),
        // Of an answer with its request the cause alone is sealed: another case.
        cause: texts.next().filter(|_| more & 128 > 0 && more & 24 != 24).map(|text| text.chars().take(100).collect()),
        reason: texts.next().filter(|_| more & 4 > 0).map(str::to_owned),
        changes: texts.next().filter(|_| persons & 8 > 0).map(str::to_owned),
        is_with_request: more & 24 == 24,
        is_miss: false,
    };
    let body = (more & 32 > 0).then(|| rest.to_vec());
    let beside = keys.seal(&record(), &private, body.clone()).expect("it is sealed");
    if private.is_empty() && body.is_none() {
        return assert!(beside.private.is_empty() && beside.body.is_empty(), "there is nothing to seal");
    }
    let (found, sealed) = PrivateHead::read(&beside.private).expect("a head that was written");
    assert_eq!(found, beside.head);
    assert!(beside.blind.tags.len() == private.subject.identifiers.len(), "a tag for each person");
    let opened = String::from_utf8(keys.open_private(&beside.private).expect("it was sealed")).expect("it is text");
    let is_sealed = !private.is_empty() && !private.is_with_request;
    assert!(is_sealed != sealed.is_empty() && is_sealed != opened.is_empty() && is_sealed == beside.blind.commitment.is_some());
    if is_sealed {
        let value: serde_json::Value = serde_json::from_str(&opened).expect("it is JSON");
        let salt = value["s"].as_str().and_then(Digest::parse_base64url).expect("it has a salt");
        assert!(opened == private.to_json(salt.octets()), "other octets than were sealed");
        assert_eq!(beside.blind.commitment, Some(Digest::from_octets(HmacKey::new(salt.octets()).tag(&[opened.as_bytes()]))));
        let expected = Private { fields: private.fields.iter().take(SELECT_PATHS_MAX).cloned().collect(), ..private.clone() };
        assert!(rebuilt(&read(&opened).expect("it is read")) == expected, "another person, official, role, field or reason");
        let (mut changed, length) = (beside.private.clone(), sealed.len());
        let place = changed.len() - 1 - usize::from(at) % length;
        changed[place] ^= flip.max(1);
        assert!(keys.open_private(&changed).is_err(), "it was changed and is opened");
    }
    if let Some(body) = body {
        assert!(keys.open_body(&beside.private, &beside.body).ok() == Some(body), "another body");
        let mut changed = beside.body.clone();
        let place = usize::from(at) % changed.len();
        changed[place] ^= flip.max(1);
        assert!(keys.open_body(&beside.private, &changed).is_err(), "it was changed and is opened");
    }
}

/// Heads with something behind them, texts as they are sealed, choices.
pub fn privates() -> Vec<Vec<u8>> {
    let heads = (0..4_u64).map(|count| {
        let head = PrivateHead {
            ticket: 1 << 32 | (count + 1),
            persons: (0..count).map(|person| person << 40 | 7).collect(),
            official: (count % 2 == 1).then_some(9),
            is_miss: count == 2,
        };
        let mut octets = vec![0];
        head.write(&mut octets);
        octets.extend_from_slice(b"what is sealed, and its tag");
        octets
    });
    let texts = records().into_iter().map(|(private, _)| [&[1], private.to_json(&[7; 32]).as_bytes()].concat());
    let now = (0..16_u8).map(|row| {
        let numbers = [3, row, row.wrapping_mul(3), row.wrapping_mul(37), row, 1, 0, 0, 0];
        [&numbers, "99000000136\n\u{1}\"\\\u{2028}\n\nAbsence\na complaint".as_bytes()].concat()
    });
    heads.chain(texts).chain(now).chain([vec![0; 41], vec![0; 11]]).chain(numbers(2)).collect()
}
