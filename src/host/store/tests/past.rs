//! What is looked up of messages that are over, and of persons who were asked about.

use super::*;
use crate::base::fault::Code;
use crate::exchange::ledger::{Known, Past};
use crate::rules::quota::{Answers, Found};
use std::collections::HashSet;

fn now() -> UnixTime {
    UnixTime::from_ms(SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as u64)
}

#[test]
fn what_became_of_messages_is_known_again() {
    let (folder, runtime) = (Folder::new(), runtime());
    let now = now();
    let school = AgencyId::parse("xx.school").expect("a name");
    let [asked, answered] = [1, 2].map(|octet| Digest::from_octets([octet; 32]));
    let id = |number: u8| MessageId::new(now, [number; 10]);
    let (store, _) = Store::open(&folder.0, ORIGIN, SMALL).expect("opens");
    let append = |number: u8, kind, change: &dyn Fn(&mut Record)| {
        let mut record = Record::new(kind, now);
        (record.message, record.consumer, record.digest) = (Some(id(number)), Some(school.clone()), Some(asked));
        record.grant = crate::base::ids::Code::parse("g-1");
        change(&mut record);
        let body = (kind == RecordKind::Answer).then(|| vec![number]);
        runtime.block_on(store.append(Entry { record, private: Private::default(), body })).expect("durable")
    };
    let ask = |number| append(number, RecordKind::Request, &|_| ());
    let refuse = |number, code| append(number, RecordKind::Refusal, &|record| record.code = Some(code));
    ask(1);
    let place =
        append(1, RecordKind::Answer, &|record| (record.digest, record.counterpart) = (Some(answered), Some(asked))).place;
    ask(2);
    ask(3);
    refuse(3, Code::RteBadAnswer);
    append(3, RecordKind::Refusal, &|record| (record.code, record.grant) = (Some(Code::MsgReplayed), None));
    refuse(4, Code::PolPurpose);
    append(5, RecordKind::Request, &|record| record.time = now.minus_ms(3 * DAY_MS));
    let event = append(6, RecordKind::Event, &|record| record.grant = None).place;
    ask(7);
    append(7, RecordKind::Cancel, &|record| (record.digest, record.counterpart) = (Some(answered), Some(asked)));
    // A question that was kept, refused, and refused at the door when it came again.
    ask(8);
    append(8, RecordKind::Refusal, &|record| {
        (record.code, record.grant, record.concerns) = (Some(Code::RteDeadline), None, Some(1));
    });
    append(8, RecordKind::Refusal, &|record| (record.code, record.grant) = (Some(Code::MsgReplayed), None));
    ask(9);
    append(9, RecordKind::Status, &|record| record.counterpart = Some(asked));
    append(9, RecordKind::Delivery, &|record| record.concerns = Some(1));
    // Two that were kept: what became of the one is of now, of the other of five days ago.
    let old = |number: u8| MessageId::new(now.minus_ms(5 * DAY_MS), [number; 10]);
    for (number, time) in [(10, now), (11, now.minus_ms(5 * DAY_MS))] {
        let of_old = |record: &mut Record| (record.message, record.time) = (Some(old(number)), time);
        append(number, RecordKind::Request, &|record| {
            (record.message, record.time) = (Some(old(number)), now.minus_ms(5 * DAY_MS))
        });
        append(number, RecordKind::Refusal, &|record| {
            of_old(record);
            record.code = Some(Code::RteDeadline);
        });
    }
    let refused = |code| Some(Past { digest: asked, outcome: Known::Refused(code) });
    let settled = |place| Some(Past { digest: asked, outcome: Known::Settled(place) });
    let look = |store: &Store, sender: &AgencyId| {
        [1, 2, 3, 4, 5, 6, 7, 8, 9].map(|number| store.past(sender, id(number), now.minus_ms(2 * DAY_MS)).expect("readable"))
    };
    let look_back =
        |store: &Store| [10, 11].map(|number| store.past(&school, old(number), now.minus_ms(2 * DAY_MS)).expect("readable"));
    let [busy, bad, late] = [Code::HttpBusy, Code::RteBadAnswer, Code::RteDeadline].map(refused);
    let of_all = [settled(place), busy, bad, None, None, settled(event), refused(Code::MsgCancelled), late, busy];
    store.settle(u64::MAX);
    assert_eq!(look(&store, &school), of_all, "while it runs");
    assert_eq!(look_back(&store), [late, None]);
    drop(store);
    let (store, _) = Store::open(&folder.0, ORIGIN, SMALL).expect("opens");
    assert_eq!(look(&store, &school), of_all, "after a start");
    assert_eq!(look_back(&store), [late, None]);
    assert_eq!(look(&store, &AgencyId::parse("xx.clinic").expect("a name")), [None; 9], "others have ids of their own");
    drop(store);
    remove_derived(&folder.0).expect("removable");
    let (store, _) = Store::open(&folder.0, ORIGIN, SMALL).expect("opens");
    assert_eq!(look(&store, &school), of_all, "with an index made anew");
}

/// What a fold over all records says.
struct Model {
    now: UnixTime,
    agencies: [AgencyId; 2],
    random: u64,
    past: BTreeMap<(AgencyId, MessageId), Known>,
    asked: BTreeMap<AgencyId, HashSet<u64>>,
    answered: BTreeMap<AgencyId, Answers>,
}

impl Model {
    fn choose(&mut self, of: u64) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % of
    }

    fn id(&self, number: u64) -> MessageId {
        MessageId::new(self.now, [number as u8; 10])
    }

    /// Appends a record and takes it; what was answered is not asked again.
    fn append(&mut self, store: &Store, runtime: &tokio::runtime::Runtime) {
        let (sender, number) = (self.agencies[self.choose(2) as usize].clone(), self.choose(IDS));
        let key = (sender.clone(), self.id(number));
        if matches!(self.past.get(&key), Some(Known::Settled(_))) {
            return;
        }
        let kind = match self.choose(32) {
            0 | 31 => RecordKind::Answer,
            9 => RecordKind::Event,
            10..12 => RecordKind::Cancel,
            1..9 => RecordKind::Refusal,
            _ => RecordKind::Request,
        };
        // An answer without one ends nothing.
        let has_body = kind == RecordKind::Event || self.choose(4) > 0;
        let principal = self.agencies[0].clone();
        let is_counted = matches!(kind, RecordKind::Request | RecordKind::Answer);
        let is_for_another = is_counted && sender != principal && self.choose(2) == 0;
        let subject = Subject::from([0, 100].map(|base| Identifier::synthetic(base + self.choose(9) as u32)).to_vec());
        let mut record = Record::new(kind, self.now);
        (record.message, record.consumer, record.provider) = (Some(key.1), Some(sender), Some(principal.clone()));
        record.principal = is_for_another.then(|| principal.clone());
        let digest = Some(Digest::from_octets([1; 32]));
        (record.digest, record.counterpart) = (digest, digest);
        // Some are refused at the door.
        record.grant = crate::base::ids::Code::parse("g-1").filter(|_| self.choose(3) > 0);
        let is_end = record.grant.is_some();
        record.code = (kind == RecordKind::Refusal).then_some(Code::RteBadAnswer);
        let persons = store.person_keys(&subject);
        let is_miss = kind == RecordKind::Answer && self.choose(2) == 0;
        let private = Private { subject, is_miss, ..Private::default() };
        if kind == RecordKind::Answer {
            let whose = if is_for_another { principal.clone() } else { key.0.clone() };
            self.answered.entry(whose).or_default().add(if is_miss { Found::Nothing } else { Found::Something });
        }
        let entry = Entry { record, private, body: has_body.then(|| vec![number as u8]) };
        let place = runtime.block_on(store.append(entry)).expect("durable").place;
        match kind {
            RecordKind::Request => {
                self.past.entry(key.clone()).or_insert(Known::Refused(Code::HttpBusy));
                self.asked.entry(if is_for_another { principal } else { key.0 }).or_default().extend(persons);
            }
            RecordKind::Answer | RecordKind::Event if has_body => drop(self.past.insert(key, Known::Settled(place))),
            RecordKind::Cancel => drop(self.past.insert(key, Known::Refused(Code::MsgCancelled))),
            RecordKind::Refusal if is_end => {
                self.past.entry(key).and_modify(|known| *known = Known::Refused(Code::RteBadAnswer));
            }
            _ => {}
        }
    }

    fn hold(&self, store: &Store, when: &str) {
        store.settle(u64::MAX);
        for (sender, number) in self.agencies.iter().flat_map(|sender| (0..IDS).map(move |number| (sender, number))) {
            let found = store.past(sender, self.id(number), self.now).expect("readable").map(|past| past.outcome);
            assert_eq!(found, self.past.get(&(sender.clone(), self.id(number))).copied(), "{when}: {sender} {number}");
        }
        assert_eq!(store.asked_since(self.now).expect("readable"), self.asked, "{when}");
        assert_eq!(store.answered_since(self.now).expect("readable"), self.answered, "{when}");
        assert!(store.answered_since(self.now.plus_ms(1)).expect("readable").is_empty());
        assert!(store.asked_since(self.now.plus_ms(1)).expect("readable").is_empty());
        let [sender, _] = &self.agencies;
        let later = self.now.plus_ms(1);
        assert!((0..IDS).all(|number| store.past(sender, self.id(number), later).expect("readable").is_none()), "all are older");
    }
}

const IDS: u64 = 40;

#[test]
fn what_is_looked_up_over_volumes_is_what_a_fold_over_all_records_says() {
    let (folder, runtime) = (Folder::new(), runtime());
    let settings = Settings { volume_records: 16, ..SMALL };
    let agencies = ["xx.school", "xx.clinic"].map(|name| AgencyId::parse(name).expect("a name"));
    let (past, asked, answered) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    let mut model = Model { now: now(), agencies, random: 1, past, asked, answered };
    let (mut store, _) = Store::open(&folder.0, ORIGIN, settings).expect("opens");
    for _ in 0..3 {
        (0..60).for_each(|_| model.append(&store, &runtime));
        model.hold(&store, "while it runs");
        drop(store);
        store = Store::open(&folder.0, ORIGIN, settings).expect("opens").0;
        model.hold(&store, "after a start");
    }
    let is_settled = |known: &&Known| matches!(known, Known::Settled(_));
    assert!(store.index().sealed().len() > 5, "there is something to look for");
    assert!(model.past.values().filter(is_settled).count() > 5 && model.past.len() > 40);
    drop(store);
    remove_derived(&folder.0).expect("removable");
    let (store, _) = Store::open(&folder.0, ORIGIN, settings).expect("opens");
    model.hold(&store, "with an index made anew");
    drop(store);
    let last = std::fs::read_dir(folder.0.join("log")).expect("readable").flatten();
    let last = last.filter(|entry| entry.file_name().to_string_lossy().starts_with("vol-")).map(|entry| entry.path()).max();
    let path = last.expect("there are volumes").join("runs");
    let mut octets = std::fs::read(&path).expect("readable");
    // Who was asked about comes last, and is read at start.
    *octets.last_mut().expect("not empty") ^= 1;
    std::fs::write(&path, octets).expect("writable");
    let (store, _) = Store::open(&folder.0, ORIGIN, settings).expect("opens");
    assert!(store.index().was_rebuilt());
    model.hold(&store, "with a volume made anew");
}

#[test]
fn who_was_asked_about_before_midnight_does_not_count_where_the_day_begins_within_a_volume() {
    let (folder, runtime) = (Folder::new(), runtime());
    let settings = Settings { volume_records: 4, ..SMALL };
    let (store, _) = Store::open(&folder.0, ORIGIN, settings).expect("opens");
    let midnight = UnixTime::from_ms(now().as_ms() / DAY_MS * DAY_MS);
    let ask = |number: u32, time: UnixTime| {
        let mut record = Record::new(RecordKind::Request, time);
        (record.consumer, record.message) = (AgencyId::parse("xx.school"), Some(MessageId::new(time, [1; 10])));
        let subject = Subject::from([number, 100 + number].map(Identifier::synthetic).to_vec());
        let keys = store.person_keys(&subject);
        let private = Private { subject, ..Private::default() };
        runtime.block_on(store.append(Entry { record, private, body: None })).expect("durable");
        keys
    };
    let (mut before, mut since) = (HashSet::new(), HashSet::new());
    for number in 0..6 {
        before.extend(ask(number, midnight.minus_ms(1)));
    }
    for number in 6..13 {
        since.extend(ask(number, midnight));
    }
    store.settle(u64::MAX);
    let asked = |time| store.asked_since(time).expect("readable").into_values().next().unwrap_or_default();
    assert_eq!(store.index().sealed().len(), 3);
    assert_eq!((asked(midnight), asked(midnight.minus_ms(1)).len()), (since, 26));
    assert_eq!(before.len(), 12);
}
