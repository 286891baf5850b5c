use super::*;
use crate::exchange::ledger::OutcomePlace;

const NOW: UnixTime = UnixTime::from_ms(1_800_000_000_000);

fn agency(name: &str) -> AgencyId {
    AgencyId::parse(name).expect("an agency")
}

fn question(index: u64, holder: &str, seconds: u64) -> Row {
    let mut octets = [0; 32];
    octets[..8].copy_from_slice(&index.to_be_bytes());
    let mut random = [1; 10];
    random[2..].copy_from_slice(&index.to_be_bytes());
    Row {
        key: Key { index, to: agency(holder) },
        what: What::Question,
        sender: agency("xx.school"),
        id: MessageId::new(NOW, random),
        digest: Digest::from_octets(octets),
        system: None,
        class: Class::Normal,
        since: NOW,
        deadline: NOW.plus_ms(seconds * 1000),
        order: None,
        place: OutcomePlace { index, segment: 0, offset: 0 },
        stage: Stage::Waiting,
        tries: 0,
    }
}

fn event(index: u64, subject: u64) -> Row {
    let row = question(index, "xx.school", 3_600);
    Row { what: What::Event, order: Some(subject), since: NOW.plus_ms(index), ..row }
}

/// Everybody but `xx.behind` and those below it can be reached.
fn ways() -> Ways {
    Box::new(|to| if to.as_str().starts_with("xx.behind") { Way::Inbox } else { Way::Push })
}

fn work() -> Work<Memory> {
    Work::open(Memory::default(), ways())
}

fn accept(work: &mut Work<Memory>, rows: impl IntoIterator<Item = Row>) {
    rows.into_iter().for_each(|row| work.fold(Fact::Accepted(row)));
}

fn next(work: &mut Work<Memory>, now: UnixTime) -> Option<u64> {
    work.next(now).map(|row| row.key.index)
}

fn take(work: &mut Work<Memory>, to: &str, most: usize) -> Vec<u64> {
    work.take(&agency(to), NOW, most).into_iter().map(|row| row.key.index).collect()
}

fn lease(work: &mut Work<Memory>, key: &Key, lease: u64, until: UnixTime) -> bool {
    work.fold(Fact::Leased { key: key.clone(), digest: None, lease, until });
    work.lease(key, lease, until)
}

fn key(index: u64, to: &str) -> Key {
    Key { index, to: agency(to) }
}

#[test]
fn memory_is_a_shelf() {
    assert_eq!(conformance(&mut Memory::default()), Ok(()));
}

/// A shelf that forgets to remove, or sees what is at a key as behind it, is told.
#[test]
fn what_is_no_shelf_is_found_out() {
    struct Deaf(Memory);
    impl Shelf for Deaf {
        fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
            self.0.get(key)
        }
        fn from(&self, key: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
            self.0.from(key)
        }
        fn write(&mut self, changes: Vec<Change>) {
            self.0.write(changes.into_iter().filter(|(_, value)| value.is_some()).collect());
        }
    }
    assert!(conformance(&mut Deaf(Memory::default())).is_err());
}

#[test]
fn a_row_is_read_as_written() {
    for stage in [Stage::Waiting, Stage::Leased { lease: 7, until: NOW }, Stage::Delivered(None), Stage::Delivered(Some(NOW))] {
        for order in [None, Some(9)] {
            let row = Row { stage, order, system: order.map(|_| Digest::from_octets([3; 32])), ..question(5, "xx.clinic", 9) };
            assert_eq!(Row::read(row.key.clone(), &row.write()), Some(row.clone()));
        }
    }
    assert_eq!(Row::read(key(1, "xx.clinic"), b"{}"), None);
}

#[test]
fn the_nearest_deadline_comes_first_within_its_class() {
    let mut work = work();
    accept(&mut work, [(1, 30), (2, 10), (3, 20)].map(|(index, seconds)| question(index, "xx.clinic", seconds)));
    accept(&mut work, [Row { class: Class::Urgent, ..question(4, "xx.clinic", 40) }]);
    accept(&mut work, [Row { class: Class::Bulk, ..question(5, "xx.clinic", 5) }]);
    assert_eq!([(); 6].map(|()| next(&mut work, NOW)), [Some(4), Some(2), Some(3), Some(1), Some(5), None]);
}

#[test]
fn a_holder_that_fails_is_left_alone_for_longer_and_longer_and_the_others_are_not() {
    let mut work = work();
    accept(&mut work, (1..=3).map(|index| question(index, "xx.clinic", 100_000)));
    let mut now = NOW;
    let mut pauses = Vec::new();
    for _ in 0..14 {
        let index = next(&mut work, now).expect("one is tried");
        assert!(pauses.is_empty() || next(&mut work, now).is_none(), "a door that failed is tried with one");
        work.failed(&key(index, "xx.clinic"), now, 999);
        let wakes = work.wakes().expect("it is tried again");
        pauses.push(wakes.as_ms() - now.as_ms());
        assert!(next(&mut work, wakes.minus_ms(1)).is_none());
        now = wakes;
    }
    assert!(pauses.windows(2).all(|two| two[0] <= two[1]), "{pauses:?}");
    assert_eq!((pauses.first(), pauses.last()), (Some(&limits::DELIVERY_PAUSE_MS), Some(&limits::DELIVERY_PAUSE_MS_MAX)));
    accept(&mut work, [question(9, "xx.register", 5)]);
    assert_eq!(next(&mut work, NOW), Some(9));
    let index = next(&mut work, now).expect("it is tried again");
    work.fold(Fact::Taken { key: key(index, "xx.clinic"), again: None });
    work.reached(&agency("xx.clinic"));
    assert!(next(&mut work, now).is_some() && next(&mut work, now).is_some(), "whoever answers again is asked again");
}

#[test]
fn a_holder_has_so_many_under_way_and_no_more() {
    let mut work = work();
    accept(&mut work, (0..=limits::DELIVERIES_PER_HOLDER as u64).map(|index| question(index, "xx.clinic", 60)));
    (0..limits::DELIVERIES_PER_HOLDER).for_each(|_| assert!(next(&mut work, NOW).is_some()));
    assert!(next(&mut work, NOW).is_none());
    work.fold(Fact::Ended(key(0, "xx.clinic")));
    work.reached(&agency("xx.clinic"));
    assert!(next(&mut work, NOW).is_some());
}

#[test]
fn an_answer_is_taken_once_from_the_holder_that_was_asked() {
    let mut work = work();
    accept(&mut work, [question(1, "xx.clinic", 60)]);
    let digest = question(1, "xx.clinic", 0).digest;
    assert!(work.answered(&digest, &agency("xx.other")).is_none());
    assert_eq!(next(&mut work, NOW), Some(1));
    assert!(work.answered(&digest, &agency("xx.clinic")).is_none(), "whoever delivers it takes what comes meanwhile");
    work.fold(Fact::Taken { key: key(1, "xx.clinic"), again: None });
    work.reached(&agency("xx.clinic"));
    assert_eq!(work.question(&digest).map(|row| row.stage), Some(Stage::Delivered(None)));
    assert!(work.answered(&digest, &agency("xx.clinic")).is_some() && work.answered(&digest, &agency("xx.clinic")).is_none());
    work.fold(Fact::Ended(key(1, "xx.clinic")));
    assert!(work.shelf().is_empty() && work.question(&digest).is_none() && work.wakes().is_none());
    assert!(work.doors.names().is_empty() && work.under_way() == 0);
}

#[test]
fn what_is_past_its_deadline_is_ended_and_not_delivered() {
    let mut work = work();
    accept(&mut work, [question(1, "xx.clinic", 10), question(2, "xx.clinic", 20)]);
    assert!(work.expired(NOW.plus_ms(9_999)).is_none());
    assert_eq!(work.expired(NOW.plus_ms(10_000)).map(|row| row.key.index), Some(1));
    assert_eq!(work.expired(NOW.plus_ms(10_000)), None);
    work.fold(Fact::Ended(key(1, "xx.clinic")));
    assert_eq!(work.expired(NOW.plus_ms(20_000)).map(|row| row.key.index), Some(2));
    assert!(next(&mut work, NOW).is_none());
    work.fold(Fact::Ended(key(2, "xx.clinic")));
    assert!(work.shelf().is_empty());
}

#[test]
fn a_lease_is_one_workers_until_it_runs_out() {
    let mut work = work();
    let (behind, until) = (agency("xx.behind"), NOW.plus_ms(60_000));
    accept(&mut work, (1..=3).map(|index| question(index, "xx.behind", 600)));
    assert!(work.next(NOW).is_none(), "it is taken nowhere");
    assert_eq!(take(&mut work, "xx.behind", 2), [1, 2]);
    assert_eq!(take(&mut work, "xx.behind", 9), [3]);
    assert!(lease(&mut work, &key(1, "xx.behind"), 101, until) && lease(&mut work, &key(2, "xx.behind"), 102, until));
    work.free(&key(3, "xx.behind"));
    assert!(work.leased(&agency("xx.other"), 101).is_none() && work.leased(&behind, 103).is_none());
    let third: Vec<_> = work.take(&behind, NOW, 9).iter().map(|row| (row.key.index, row.tries)).collect();
    assert_eq!(third, [(3, 0)], "its lease could not be recorded, so nobody has had it");
    let first = work.take_leased(&behind, 101).expect("a lease");
    assert!(work.take_leased(&behind, 101).is_none(), "somebody is about it");
    work.fold(Fact::Ended(first.key));
    assert_eq!(work.wakes(), Some(until));
    assert_eq!(work.come_back(until.minus_ms(1)), None);
    assert_eq!(work.come_back(until), Some(behind.clone()));
    assert!(work.leased(&behind, 102).is_none(), "it has run out");
    let again = work.take(&behind, until, 9);
    assert_eq!(again.iter().map(|row| (row.key.index, row.tries)).collect::<Vec<_>>(), [(2, 1)]);
}

#[test]
fn a_cancel_and_an_answer_cannot_both_be() {
    let mut work = work();
    accept(&mut work, (1..=3).map(|index| question(index, "xx.clinic", 60)));
    let digest = |index| question(index, "xx.clinic", 0).digest;
    let (school, clinic) = (agency("xx.school"), agency("xx.clinic"));
    assert_eq!(work.cancel(&digest(1), &clinic).map(drop), Err(NotCancelled::Unknown), "another's");
    // On its way: the outcome finds that it was cancelled.
    assert_eq!(next(&mut work, NOW), Some(1));
    assert!(work.cancel(&digest(1), &school).is_ok());
    assert!(!work.settle(&key(1, "xx.clinic")));
    work.failed(&key(1, "xx.clinic"), NOW, 0);
    assert_eq!(work.cancel(&digest(1), &school).map(drop), Err(NotCancelled::TooLate), "it is being recorded");
    work.fold(Fact::Ended(key(1, "xx.clinic")));
    // Its outcome is being recorded: the cancel comes too late.
    let wakes = work.wakes().expect("a door that is tried again");
    assert_eq!(next(&mut work, wakes), Some(2));
    assert!(work.settle(&key(2, "xx.clinic")));
    assert_eq!(work.cancel(&digest(2), &school).map(drop), Err(NotCancelled::TooLate));
    // While a worker is about to get it.
    assert!(work.cancel(&digest(3), &school).is_ok());
    assert!(!lease(&mut work, &key(3, "xx.clinic"), 9, NOW));
    work.uncancel(&key(3, "xx.clinic"));
    assert!(work.answered(&digest(3), &clinic).is_some());
}

#[test]
fn a_holder_that_asks_for_time_is_asked_again_then() {
    let mut work = work();
    accept(&mut work, [question(1, "xx.clinic", 600)]);
    assert_eq!(next(&mut work, NOW), Some(1));
    let by = NOW.plus_ms(60_000);
    work.fold(Fact::Taken { key: key(1, "xx.clinic"), again: Some(by) });
    work.reached(&agency("xx.clinic"));
    assert_eq!((next(&mut work, NOW), work.wakes()), (None, Some(by)));
    assert_eq!(work.come_back(by), Some(agency("xx.clinic")));
    assert_eq!(work.next(by).map(|row| (row.key.index, row.tries > 0)), Some((1, true)));
}

#[test]
fn events_come_to_those_who_were_away_or_are_new_once_and_in_order() {
    let mut work = work();
    let (one, two) = (agency("xx.behind.one"), agency("xx.behind.two"));
    for (index, subject) in [(1, 7), (2, 7), (3, 8)] {
        work.fold(Fact::Published(event(index, subject)));
        let published = work.fresh_event(0).expect("it is to be given");
        assert_eq!(published.key, key(index, "xx.school"));
        work.give(&published, &one);
        work.given(index);
        assert!(work.fresh_event(0).is_none());
    }
    assert_eq!(take(&mut work, "xx.behind.one", 9), [1, 3], "the second about one person waits for the first");
    assert!(lease(&mut work, &key(1, "xx.behind.one"), 101, NOW.plus_ms(1)));
    assert!(take(&mut work, "xx.behind.one", 9).is_empty());
    work.fold(Fact::Taken { key: key(1, "xx.behind.one"), again: None });
    assert_eq!(take(&mut work, "xx.behind.one", 9), [2]);
    work.arrange(ways());
    while let Some(published) = work.fresh_event(0) {
        [&one, &two].into_iter().for_each(|to| work.give(&published, to));
        work.given(published.key.index);
    }
    assert_eq!(take(&mut work, "xx.behind.two", 9), [1, 3]);
    assert!(take(&mut work, "xx.behind.one", 9).is_empty());
    // What nobody may have any more is forgotten, and that it was had.
    ["one", "two"].into_iter().for_each(|name| {
        (1..=3).for_each(|index| work.fold(Fact::Ended(key(index, &format!("xx.behind.{name}")))));
    });
    assert_eq!(work.expired(NOW.plus_ms(3_600_000)), None);
    assert!(work.shelf().is_empty());
}

#[test]
fn a_start_finds_what_was_there_and_folds_the_same_again() {
    let mut work = work();
    let facts = [
        Fact::Accepted(question(1, "xx.clinic", 60)),
        Fact::Accepted(question(2, "xx.behind", 60)),
        Fact::Leased { key: key(2, "xx.behind"), digest: None, lease: 12, until: NOW.plus_ms(9) },
        Fact::Published(event(3, 1)),
        Fact::Accepted(question(4, "xx.clinic", 60)),
        Fact::Ended(key(4, "xx.clinic")),
        Fact::Taken { key: key(1, "xx.clinic"), again: Some(NOW.plus_ms(5)) },
    ];
    let mut saved = Vec::new();
    for fact in facts.clone() {
        saved.push(work.shelf().clone());
        work.fold(fact);
    }
    saved.push(work.shelf().clone());
    for (from, shelf) in saved.iter().enumerate() {
        for again in 0..=from {
            let mut other = Work::open(shelf.clone(), ways());
            facts[again..].iter().cloned().for_each(|fact| other.fold(fact));
            assert_eq!(format!("{:?}", other.shelf()), format!("{:?}", work.shelf()), "saved at {from}, folded from {again}");
        }
    }
}

/// What was cancelled while its holder took it is over; that it was taken is nothing to remember.
#[test]
fn nothing_is_kept_of_what_is_over() {
    let mut work = work();
    accept(&mut work, [question(1, "xx.clinic", 60)]);
    work.fold(Fact::Ended(key(1, "xx.clinic")));
    work.fold(Fact::Taken { key: key(1, "xx.clinic"), again: None });
    work.fold(Fact::Ended(key(1, "xx.clinic")));
    assert!(work.shelf().is_empty());
}

#[test]
fn the_oldest_of_what_is_open_is_known() {
    let mut work = work();
    assert_eq!(work.oldest(), None);
    let since = |row: Row, seconds: u64| Row { since: NOW.plus_ms(seconds * 1_000), ..row };
    work.fold(Fact::Published(since(event(1, 7), 1)));
    accept(&mut work, [since(question(2, "xx.clinic", 60), 2), since(question(3, "xx.clinic", 60), 3)]);
    assert_eq!(work.oldest(), Some(NOW.plus_ms(1_000)));
    work.forget_event(&key(1, "xx.school"));
    assert_eq!(work.oldest(), Some(NOW.plus_ms(2_000)));
    work.fold(Fact::Ended(key(2, "xx.clinic")));
    assert_eq!(work.oldest(), Some(NOW.plus_ms(3_000)));
}

/// Found by the simulator: that a subscriber has an event on lease is on record, and holds before the event was given again.
#[test]
fn an_event_on_lease_is_nobody_elses_after_its_shelf_was_lost() {
    let mut work = work();
    let (one, until) = (agency("xx.behind.one"), NOW.plus_ms(60_000));
    work.fold(Fact::Published(event(1, 7)));
    work.fold(Fact::Leased { key: key(1, "xx.behind.one"), digest: None, lease: 2, until });
    while let Some(published) = work.fresh_event(0) {
        work.give(&published, &one);
        work.given(published.key.index);
    }
    assert!(take(&mut work, "xx.behind.one", 9).is_empty(), "its worker is at it");
    assert!(work.leased(&one, 2).is_some());
    assert_eq!(work.come_back(until), Some(one.clone()));
    assert_eq!(work.take(&one, until, 9).first().map(|row| row.tries), Some(1), "it is told that it may have had it");
}

/// Found by the simulator: an extension after the clock was set back ended before what it extended.
#[test]
fn an_extension_takes_nothing_from_a_worker() {
    let mut work = work();
    accept(&mut work, [question(1, "xx.behind", 600)]);
    let (of, until) = (key(1, "xx.behind"), NOW.plus_ms(60_000));
    assert_eq!(take(&mut work, "xx.behind", 1), [1]);
    assert!(lease(&mut work, &of, 9, until));
    work.fold(Fact::Extended { key: of.clone(), until: NOW.plus_ms(1_000) });
    assert_eq!(work.wakes(), Some(until));
    work.fold(Fact::Extended { key: of, until: NOW.plus_ms(90_000) });
    assert_eq!(work.wakes(), Some(NOW.plus_ms(90_000)));
}

/// A cancel that could not be recorded leaves what is on its way there: its outcome counts, and it is not sent out beside.
#[test]
fn a_cancel_that_comes_to_nothing_leaves_what_is_on_its_way() {
    let mut work = work();
    accept(&mut work, (1..=2).map(|index| question(index, "xx.clinic", 60)));
    let school = agency("xx.school");
    assert_eq!(next(&mut work, NOW), Some(1));
    assert!(work.cancel(&question(1, "xx.clinic", 0).digest, &school).is_ok());
    work.uncancel(&key(1, "xx.clinic"));
    assert_eq!((next(&mut work, NOW), next(&mut work, NOW)), (Some(2), None));
    assert!(work.settle(&key(1, "xx.clinic")), "its answer is taken");
    // One that was back before finds it waiting again.
    assert!(work.cancel(&question(2, "xx.clinic", 0).digest, &school).is_ok());
    assert!(!work.settle(&key(2, "xx.clinic")));
    work.uncancel(&key(2, "xx.clinic"));
    assert_eq!(work.next(NOW).map(|row| (row.key.index, row.tries > 0)), Some((2, true)));
}

/// Found by the simulator: what was on its way when the power went may have come.
#[test]
fn after_a_start_a_receiver_is_told_that_it_may_have_had_what_it_gets() {
    let mut before = work();
    accept(&mut before, [question(1, "xx.clinic", 60), question(2, "xx.clinic", 70)]);
    before.begin(0);
    assert_eq!(before.next(NOW).map(|row| row.tries), Some(0));
    let mut after = Work::open(before.shelf().clone(), ways());
    after.begin(3);
    accept(&mut after, [question(3, "xx.clinic", 80)]);
    let tries: Vec<_> = std::iter::from_fn(|| after.next(NOW)).map(|row| (row.key.index, row.tries)).collect();
    assert_eq!(tries, [(1, 1), (2, 1), (3, 0)]);
}

/// Looking for what is next costs the same, whether little waits or much.
#[test]
fn a_start_finds_the_first_of_each_receiver() {
    let mut work = work();
    accept(&mut work, (1..=20).map(|index| question(index, ["xx.clinic", "xx.clinic-1"][index as usize % 2], 1_000 - index)));
    let mut again = Work::open(work.shelf().clone(), ways());
    again.begin(19);
    let order: Vec<_> = std::iter::from_fn(|| again.next(NOW).map(|row| (row.key.index, row.tries))).collect();
    let wanted: Vec<_> = (1..=20).rev().map(|index| (index, u32::from(index < 19))).collect();
    assert_eq!(order, wanted, "what was there before the start may have been on its way");
}

fn told(work: &mut Work<Memory>, index: u64, leaf: &str) {
    let parsed = crate::evidence::tlog::leaf::Leaf::parse(leaf).expect("a leaf");
    let place = OutcomePlace { index, segment: 0, offset: index as u32 };
    work.record(Told { leaf: &parsed, place, person: None, class: Class::Normal });
}

/// What is durable becomes work by its record alone: a request, an answer for whoever comes for it, a word, a cancel.
#[test]
fn records_say_what_there_is_to_do() {
    let mut work = work();
    let id = MessageId::new(NOW, [1; 10]);
    let digest = |octet| Digest::from_octets([octet; 32]).to_base64url();
    let leaf = |kind: &str, of: u8, more: &str| {
        let head =
            format!("\"k\":\"{kind}\",\"h\":\"{}\",\"m\":\"{id}\",\"o\":1,\"r\":1,\"t\":{},\"v\":1", digest(of), NOW.as_ms());
        format!("{{{head},\"s\":\"xx.clinic\",\"u\":\"xx.behind\"{more}}}")
    };
    let until = format!(",\"until\":{}", NOW.plus_ms(9_000).as_ms());
    told(&mut work, 1, &leaf("req", 1, ""));
    assert!(work.shelf().is_empty(), "its consumer waits for it");
    told(&mut work, 2, &leaf("req", 1, &until));
    assert_eq!(next(&mut work, NOW), Some(2));
    told(&mut work, 3, &leaf("sts", 2, &format!(",\"z\":2{until}")));
    assert_eq!(
        work.question(&Digest::from_octets([1; 32])).map(|row| row.stage),
        Some(Stage::Delivered(Some(NOW.plus_ms(9_000))))
    );
    assert_eq!(take(&mut work, "xx.behind", 9), [3]);
    told(&mut work, 4, &leaf("rsp", 3, ",\"z\":2"));
    assert!(work.question(&Digest::from_octets([1; 32])).is_none());
    assert!(take(&mut work, "xx.behind", 9).is_empty(), "the word before it comes first");
    told(
        &mut work,
        5,
        &format!("{{\"k\":\"dlv\",\"a\":\"lease\",\"o\":0,\"r\":1,\"t\":1,\"v\":1,\"s\":\"xx.behind\",\"z\":3{until}}}"),
    );
    assert!(work.lease(&key(3, "xx.behind"), 5, NOW.plus_ms(9_000)));
    told(&mut work, 6, "{\"k\":\"dlv\",\"a\":\"taken\",\"o\":0,\"r\":1,\"t\":1,\"v\":1,\"s\":\"xx.behind\",\"z\":3}");
    assert_eq!(take(&mut work, "xx.behind", 9), [4]);
    work.fold(Fact::Ended(key(4, "xx.behind")));
    assert!(work.shelf().is_empty());
}

/// A record may be told again, and more than one subscriber may be refused the same event.
#[test]
fn a_publisher_is_told_once_that_its_event_was_withheld() {
    let mut work = work();
    let publisher = agency("xx.behind.clinic");
    let told = Row { key: Key { index: 1, to: publisher.clone() }, sender: publisher.clone(), ..event(1, 7) };
    let word = |index: u64, to: &str| Fact::Withheld {
        key: key(1, to),
        word: Row { what: What::Withheld, order: None, ..question(index, to, 3_600) },
    };
    let take_all = |work: &mut Work<Memory>, who: &str| {
        let taken = take(work, who, 9);
        taken.iter().for_each(|index| work.fold(Fact::Taken { key: key(*index, who), again: None }));
        taken
    };
    work.fold(Fact::Published(told.clone()));
    assert!(!work.is_withheld(1));
    work.fold(word(2, "xx.behind.a"));
    work.fold(word(2, "xx.behind.a"));
    work.fold(word(3, "xx.behind.b"));
    assert!(work.is_withheld(1) && work.has_had(&key(1, "xx.behind.a")));
    assert_eq!((take_all(&mut work, "xx.behind.a"), take_all(&mut work, "xx.behind.b")), (vec![2], vec![3]));
    assert_eq!(take_all(&mut work, "xx.behind.clinic"), [2], "one word, and none of the second");
    work.fold(word(4, "xx.behind.c"));
    assert_eq!(take_all(&mut work, "xx.behind.clinic"), [0; 0]);
    let end = told.deadline.plus_ms(1);
    while work.expired(end).is_some_and(|row| {
        work.fold(Fact::Ended(row.key));
        true
    }) {}
    assert!(work.shelf().is_empty(), "the word of an event does not keep it: {}", work.shelf().len());
}

/// Under one key waits the one that a subscriber gets; a start that finds it on lease finds the same again.
#[test]
fn a_subscriber_has_one_variant_of_an_event_and_the_same_after_a_start() {
    let publisher = agency("xx.behind.clinic");
    let told = |index, order| Row { key: Key { index, to: publisher.clone() }, sender: publisher.clone(), ..event(index, order) };
    let (full, base, to) = (told(1, 7), told(3, 7), agency("xx.behind.a"));
    let foreign = Row { sender: agency("xx.behind.other"), ..told(2, 7) };
    let published = || {
        let mut work = work();
        work.fold(Fact::Variant(full.clone(), base.digest));
        work.fold(Fact::Variant(Row { key: Key { index: 2, to: foreign.sender.clone() }, ..foreign.clone() }, base.digest));
        assert_eq!((work.variant(1), work.fresh_event(0)), (Some(Variant::Waits), None), "nobody is told of it by itself");
        work.fold(Fact::Published(base.clone()));
        work
    };
    let mut work = published();
    assert_eq!((work.variant(1), work.variant(2)), (Some(Variant::Told), Some(Variant::Waits)));
    let variants = work.variants(&base);
    assert_eq!(variants.iter().map(|row| row.key.index).collect::<Vec<_>>(), [1]);
    work.give(&base, &to);
    work.give_variant(&base, &variants[0], &to);
    let taken = work.take(&to, NOW, 9);
    assert_eq!(
        taken.iter().map(|row| (row.key.index, row.digest)).collect::<Vec<_>>(),
        [(3, full.digest)],
        "what nobody had seen"
    );
    let leased = Fact::Leased { key: key(3, "xx.behind.a"), digest: Some(full.digest), lease: 9, until: NOW.plus_ms(9) };
    let mut again = published();
    again.fold(leased);
    again.give(&base, &to);
    assert_eq!(again.leased(&to, 9).map(|row| row.digest), Some(full.digest));
    again.fold(Fact::Taken { key: key(3, "xx.behind.a"), again: None });
    again.give_variant(&base, &variants[0], &to);
    assert!(!again.waits_for(&to), "it has had the event");
    let end = base.deadline.plus_ms(1);
    assert!(again.expired(end).is_none() && again.shelf().is_empty(), "{}", again.shelf().len());
}

/// What is counted is what lies there, whatever happens; a shelf without a count is counted.
#[test]
fn what_is_open_is_counted_as_it_changes() {
    let figures = |work: &Work<Memory>| {
        let all = work.counts().all().filter(|(_, _, count)| *count > 0);
        all.map(|(what, state, count)| (what.as_str(), state.as_str(), count)).collect::<Vec<_>>()
    };
    let mut work = work();
    accept(&mut work, (1..=3).map(|index| question(index, "xx.behind", 60)));
    accept(&mut work, [question(1, "xx.behind", 60), Row { what: What::Status, ..question(4, "xx.behind.asks", 60) }]);
    lease(&mut work, &key(1, "xx.behind"), 9, NOW.plus_ms(9));
    work.fold(Fact::Taken { key: key(2, "xx.behind"), again: None });
    let open = [("request", "waiting", 1), ("request", "leased", 1), ("request", "delivered", 1), ("status", "waiting", 1)];
    assert_eq!(figures(&work), open);
    assert_eq!(work.waits_since(), Some(NOW));
    let mut shelf = work.shelf().clone();
    assert_eq!(figures(&Work::open(shelf.clone(), ways())), open);
    shelf.write(vec![(vec![of::COUNTS], None)]);
    assert_eq!(figures(&Work::open(shelf, ways())), open, "that of an earlier version");
    [1, 2, 3].into_iter().for_each(|index| work.fold(Fact::Ended(key(index, "xx.behind"))));
    work.fold(Fact::Taken { key: key(4, "xx.behind.asks"), again: None });
    assert!(figures(&work).is_empty() && work.shelf().is_empty() && work.waits_since().is_none());
}
