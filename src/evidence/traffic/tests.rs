use super::*;
use proptest::prelude::*;

const NOW: UnixTime = UnixTime::from_ms(1_800_000_000_000);

fn agency(name: &str) -> Option<AgencyId> {
    AgencyId::parse(&format!("xx.{name}"))
}

fn told(kind: RecordKind, time: UnixTime) -> Told {
    let (consumer, provider) = (agency("school"), agency("clinic"));
    Told { time, kind, code: None, consumer, provider, elapsed_us: 0, count: 1, is_at_the_door: false }
}

fn refusal(code: Code, time: UnixTime) -> Told {
    Told { code: Some(code), is_at_the_door: true, ..told(RecordKind::Refusal, time) }
}

fn traffic(all: &[Told]) -> Traffic {
    let mut traffic = Traffic::new(NOW);
    all.iter().for_each(|told| traffic.tell(told));
    traffic
}

fn sum<'t>(tallies: impl Iterator<Item = (UnixTime, &'t Tally)>) -> Tally {
    tallies.fold(Tally::default(), |mut sum, (_, tally)| {
        sum.add(tally);
        sum
    })
}

#[test]
fn each_record_counts_as_what_became_of_a_message() {
    let tally = |requests, answered, refused, limited, failed| Tally { requests, answered, refused, limited, failed };
    for (told, expected) in [
        (told(RecordKind::Request, NOW), tally(1, 0, 0, 0, 0)),
        (told(RecordKind::Answer, NOW), tally(0, 1, 0, 0, 0)),
        (refusal(Code::PolNoGrant, NOW), tally(1, 0, 1, 0, 0)),
        (refusal(Code::LimRequests, NOW), tally(1, 0, 0, 1, 0)),
        (Told { count: 7, ..refusal(Code::LimRequests, NOW) }, tally(7, 0, 0, 7, 0)),
        // What was permitted is counted by its own record.
        (Told { is_at_the_door: false, ..refusal(Code::RteDeadline, NOW) }, tally(0, 0, 0, 0, 1)),
        (refusal(Code::LogUnavailable, NOW), tally(1, 0, 0, 0, 1)),
        (Told { code: None, ..refusal(Code::PolNoGrant, NOW) }, tally(1, 0, 1, 0, 0)),
        (told(RecordKind::Event, NOW), tally(0, 0, 0, 0, 0)),
        (told(RecordKind::Administration, NOW), tally(0, 0, 0, 0, 0)),
    ] {
        let traffic = traffic(std::slice::from_ref(&told));
        assert_eq!((sum(traffic.minutes(NOW)), sum(traffic.hours(NOW))), (expected, expected), "{told:?}");
    }
}

#[test]
fn what_is_told_of_a_record_is_what_is_told_of_its_leaf() {
    let mut record = Record::new(RecordKind::Refusal, NOW);
    (record.code, record.summed, record.elapsed_us) = (Some(Code::LimBytes), Some(9), 77);
    (record.consumer, record.provider) = (agency("school"), agency("clinic"));
    for concerns in [None, Some(3)] {
        record.concerns = concerns;
        let leaf = Leaf::parse(&record.leaf(&crate::evidence::tlog::Blind::default())).expect("as written");
        let told = Told::of_record(&record);
        assert_eq!((Told::of_leaf(&leaf), told.is_at_the_door), (Some(told.clone()), concerns.is_none()));
    }
    assert_eq!(Told::of_leaf(&Leaf::default()), None);
}

#[test]
fn agencies_are_counted_as_consumers_and_as_holders_and_seen_last() {
    let (school, clinic) = (agency("school").expect("a name"), agency("clinic").expect("a name"));
    let later = NOW.plus_ms(HOUR_MS);
    let failed = Told { is_at_the_door: false, ..refusal(Code::RteDeadline, later) };
    let traffic = traffic(&[
        told(RecordKind::Answer, NOW.plus_ms(5)),
        told(RecordKind::Request, NOW),
        failed.clone(),
        Told { provider: None, ..refusal(Code::LimGrant, later) },
    ]);
    let (asking, holding) = (traffic.agency(&school).expect("known"), traffic.agency(&clinic).expect("known"));
    assert_eq!((asking.last_seen, asking.last_answer, asking.last_failure), (Some(later), None, None));
    assert_eq!(asking.rejections, [(later, Code::LimGrant)]);
    assert_eq!((holding.last_seen, holding.last_answer), (Some(NOW.plus_ms(5)), Some(NOW.plus_ms(5))));
    assert_eq!((holding.last_failure, holding.rejections.len()), (Some((later, Code::RteDeadline)), 0));
    let hours: Vec<_> = traffic.hours_of_agency(&clinic, later).collect();
    assert_eq!(hours.len(), 2);
    let both = traffic.by_agency(later, HOURS);
    assert_eq!((both[&clinic].holder.answered, both[&clinic].holder.failed, both[&clinic].consumer.requests), (1, 1, 0));
    assert_eq!((both[&school].consumer.requests, both[&school].consumer.limited), (2, 1));
    assert_eq!(traffic.by_agency(later, 1)[&clinic].holder.answered, 0, "that was an hour before");
    assert_eq!(traffic.agencies().count(), 2);
    assert_eq!(holding.sum, both[&clinic], "a sum is that of all hours");
}

#[test]
fn what_is_past_its_time_goes_when_it_is_later_also_from_sums() {
    let mut traffic = traffic(&[told(RecordKind::Answer, NOW)]);
    let sum = |traffic: &Traffic| traffic.agency(&agency("clinic").expect("a name")).expect("known").sum.holder.answered;
    traffic.advance(NOW.plus_ms((HOURS - 1) * HOUR_MS));
    assert_eq!((sum(&traffic), traffic.hours.len(), traffic.minutes.len()), (1, 1, 0));
    traffic.advance(NOW.plus_ms(HOURS * HOUR_MS));
    assert_eq!((sum(&traffic), traffic.hours.len(), traffic.kept), (0, 0, 0));
}

#[test]
fn so_many_rejections_of_an_agency_are_kept_the_latest_in_whatever_order_they_come() {
    let many = limits::TRAFFIC_REJECTIONS_MAX as u64;
    let at = |number: u64| refusal(Code::LimRequests, NOW.plus_ms(number));
    let numbers = |traffic: &Traffic| -> Vec<u64> {
        let school = traffic.agency(&agency("school").expect("a name")).expect("known");
        school.rejections.iter().map(|(time, _)| time.as_ms() - NOW.as_ms()).collect()
    };
    let kept = traffic(&(0..many).rev().map(at).collect::<Vec<_>>());
    assert_eq!(numbers(&kept), (0..many).collect::<Vec<_>>());
    let one_more = traffic(&(0..=many).rev().map(at).collect::<Vec<_>>());
    assert_eq!(numbers(&one_more), (1..=many).collect::<Vec<_>>());
}

#[test]
fn minutes_are_of_a_day_hours_of_thirty_and_latencies_and_faults_of_a_day() {
    let answered = |time| Told { elapsed_us: 1000, ..told(RecordKind::Answer, time) };
    let mut traffic = traffic(&[answered(NOW), refusal(Code::PolNoGrant, NOW)]);
    let of = |traffic: &Traffic| {
        (traffic.minutes.len(), traffic.hours.len(), traffic.latency(NOW).count(), traffic.faults(NOW).count())
    };
    assert_eq!(of(&traffic), (1, 1, 1, 1));
    let after = |ms: u64| Told { code: None, ..told(RecordKind::Request, NOW.plus_ms(ms)) };
    traffic.tell(&after((HOURS_OF_DAY - 1) * HOUR_MS));
    assert_eq!(of(&traffic), (2, 2, 1, 1), "just still of this day");
    traffic.tell(&after(HOURS_OF_DAY * HOUR_MS));
    assert_eq!(of(&traffic), (2, 3, 0, 0), "a day is over");
    traffic.tell(&after((HOURS - 1) * HOUR_MS));
    assert_eq!(of(&traffic).1, 4, "just still of these 30 days");
    traffic.tell(&after(HOURS * HOUR_MS));
    assert_eq!(of(&traffic).1, 4, "the first hour is gone, and one has come");
    // What is too old is not taken any more.
    traffic.tell(&answered(NOW));
    assert_eq!(of(&traffic), (2, 4, 0, 0));
}

#[test]
fn so_many_agencies_are_told_one_by_one_and_no_more() {
    let mut traffic = Traffic::new(NOW);
    let of = |number: usize| Told { consumer: agency(&format!("a{number}")), provider: None, ..told(RecordKind::Request, NOW) };
    (0..limits::TRAFFIC_AGENCIES_MAX).for_each(|number| traffic.tell(&of(number)));
    assert_eq!((traffic.agencies().count(), traffic.left_out()), (limits::TRAFFIC_AGENCIES_MAX, 0));
    traffic.tell(&of(limits::TRAFFIC_AGENCIES_MAX));
    assert_eq!((traffic.agencies().count(), traffic.left_out()), (limits::TRAFFIC_AGENCIES_MAX, 1));
    assert_eq!(sum(traffic.hours(NOW)).requests as usize, limits::TRAFFIC_AGENCIES_MAX + 1, "it is in the sums");
}

#[test]
fn so_many_hours_of_agencies_are_kept_and_then_the_oldest_go() {
    const AGENCIES: usize = 1000;
    let agencies: Vec<_> = (0..AGENCIES).map(|number| agency(&format!("a{number}"))).collect();
    let mut traffic = Traffic::new(NOW);
    let told = |hour: usize, consumer: &Option<AgencyId>| Told {
        consumer: consumer.clone(),
        provider: None,
        ..told(RecordKind::Request, NOW.plus_ms(hour as u64 * HOUR_MS))
    };
    let hours = limits::TRAFFIC_AGENCY_HOURS_MAX / AGENCIES;
    (0..hours).for_each(|hour| agencies.iter().for_each(|agency| traffic.tell(&told(hour, agency))));
    let now = NOW.plus_ms(hours as u64 * HOUR_MS);
    let hours_of = |traffic: &Traffic| traffic.hours_of_agency(&agencies[0].clone().expect("a name"), now).count();
    assert_eq!((hours_of(&traffic), traffic.agencies_since()), (hours, NOW));
    traffic.tell(&told(hours, &agencies[0]));
    assert_eq!((hours_of(&traffic), traffic.kept), (hours, limits::TRAFFIC_AGENCY_HOURS_MAX - AGENCIES + 1));
    assert_eq!(traffic.agencies_since().as_ms() / HOUR_MS, NOW.as_ms() / HOUR_MS + 1);
    assert_eq!(sum(traffic.hours(now)).requests as usize, hours * AGENCIES + 1, "sums stay");
    // What is told of the hour that was given up is in the sums alone.
    traffic.tell(&told(0, &agencies[0]));
    assert_eq!((hours_of(&traffic), sum(traffic.hours(now)).requests as usize), (hours, hours * AGENCIES + 2));
}

#[test]
fn figures_are_whole_from_when_all_has_been_told() {
    let mut traffic = Traffic::new(NOW);
    assert_eq!(traffic.whole_since(), NOW);
    traffic.is_whole_since(NOW.minus_ms(5));
    traffic.is_whole_since(NOW.minus_ms(3));
    assert_eq!((traffic.whole_since(), traffic.agencies_since()), (NOW.minus_ms(5), NOW.minus_ms(5)));
}

#[test]
fn percentiles_are_those_of_the_sorted_list_up_to_an_eighth() {
    let mut numbers: Vec<u32> = (0..1000_u32).map(|number| number.wrapping_mul(2_654_435_761) >> (number % 25)).collect();
    let mut latency = Latency::default();
    numbers.iter().for_each(|number| latency.add(*number));
    numbers.sort_unstable();
    for of_hundred in [1, 50, 90, 99, 100] {
        let exact = numbers[(of_hundred as usize * 10) - 1];
        let found = latency.percentile(of_hundred).expect("there are some");
        assert!(found >= exact && u64::from(found) <= u64::from(exact) * 9 / 8, "{of_hundred}: {found} for {exact}");
    }
    assert_eq!(Latency::default().percentile(50), None);
    let bounds = [0, 7, 8, 15, 16, 17, 18, u32::MAX].map(|us| upper(class_of(us)));
    assert_eq!(bounds, [0, 7, 8, 15, 17, 17, 19, u32::MAX]);
    assert!(class_of(u32::MAX) < Latency::CLASSES);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// A start tells what was before while the gateway works: nothing may depend on it.
    #[test]
    fn figures_are_the_same_in_whatever_order_records_are_told(
        records in prop::collection::vec((0..3_usize, 0..4_usize, 0..(3 * HOURS * HOUR_MS / 2), 0..5_u32), 0..60),
        at in any::<prop::sample::Index>(),
    ) {
        let codes = [None, Some(Code::LimBytes), Some(Code::RteDeadline), Some(Code::PolNoGrant)];
        let mut all: Vec<Told> = records
            .iter()
            .map(|(kind, code, time, who)| Told {
                code: codes[*code].filter(|_| *kind == 2),
                consumer: agency(&format!("a{who}")),
                elapsed_us: *who * 1000,
                ..told(RecordKind::ALL[*kind], NOW.plus_ms(*time))
            })
            .collect();
        let shown = |traffic: &Traffic| {
            let now = traffic.latest;
            let minutes: Vec<_> = traffic.minutes(now).map(|(time, tally)| (time, *tally)).collect();
            let hours: Vec<_> = traffic.hours(now).map(|(time, tally)| (time, *tally)).collect();
            let agencies: Vec<_> = traffic.agencies().map(|(id, agency)| (id.clone(), agency.last_seen, agency.last_failure)).collect();
            let sides: Vec<_> = traffic.by_agency(now, HOURS).into_iter().map(|(id, sides)| (id.clone(), sides)).collect();
            assert!(sides.iter().all(|(id, sides)| traffic.agency(id).is_some_and(|agency| agency.sum == *sides)));
            let faults: Vec<_> = traffic.faults(now).map(|(time, faults)| (time, faults.clone())).collect();
            (minutes, hours, agencies, sides, faults, traffic.latency(now))
        };
        let first = shown(&traffic(&all));
        let middle = at.index(all.len() + 1);
        all.rotate_left(middle);
        prop_assert_eq!(&first, &shown(&traffic(&all)));
        all.reverse();
        prop_assert_eq!(&first, &shown(&traffic(&all)));
    }
}

/// Two days, in whatever order they are told.
#[test]
fn how_long_an_agency_takes_is_known_of_two_days() {
    let at = |days_ago: u64, us: u32| Told { elapsed_us: us, ..told(RecordKind::Answer, NOW.minus_ms(days_ago * DAY_MS)) };
    let all = [at(0, 8), at(1, 1_000), at(2, 9_000_000), at(0, 9), Told { elapsed_us: 7, ..told(RecordKind::Request, NOW) }];
    let mut turned = all.clone();
    turned.reverse();
    for all in [all, turned] {
        let traffic = traffic(&all);
        let clinic = traffic.agency(&agency("clinic").expect("a name")).expect("known");
        let latency = clinic.latency(NOW);
        assert_eq!((latency.count(), latency.percentile(50), latency.percentile(95)), (3, Some(9), Some(1_023)));
        assert_eq!(clinic.latency(NOW.plus_ms(DAY_MS)).count(), 2, "a day later those of yesterday");
        assert_eq!(clinic.latency(NOW.plus_ms(2 * DAY_MS)).count(), 0);
        let school = traffic.agency(&agency("school").expect("a name")).expect("known");
        assert_eq!(school.latency(NOW).count(), 0, "it asks alone");
    }
}
