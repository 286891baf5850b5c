//! What a caller without a right can find out: nothing. Two questions that differ only in what is behind them get the same
//! response, in code, head and length, and take as long; and who has a right is stopped when it tries out persons.

use crate::figures::{number_from, tell};
use crate::process::{Scene, is_replayed};
use crate::world::{World, set_quota};
use oncegate::base::ids::{Code, Identifier};
use oncegate::faces::client::{Client, problem_of};
use oncegate::host::transport::Received;
use oncegate::message::envelope::{Ask, Context, Described, Person, Personal, Subject, World as MessageWorld};
use oncegate::program::demo::Behaviour;
use std::time::{Duration, Instant};

const SCHOOL: &str = "xx.demo.school-17";
const FUND: &str = "xx.demo.social-fund";
const LONG: Duration = Duration::from_secs(30);

fn client(world: &World, name: &str) -> Client {
    world.demo().client(name).expect("an agency")
}

/// A request of this agency about somebody, for a purpose.
fn request(client: &Client, subject: Subject, purpose: &str, basis: &str) -> Vec<u8> {
    let code = |text| Code::parse(text).expect("a code");
    let ask = Ask { document_type: code("medical-absence-note"), of: None, select: Vec::new(), during: None };
    client.request(ask, Context::new(code(purpose), basis, subject), None, MessageWorld::Live).expect("signed").octets
}

/// Somebody by number: those of the register are there, those behind it nobody knows.
fn somebody(number: u32) -> Subject {
    Subject { identifiers: vec![Identifier::synthetic(number)], ..Subject::default() }
}

/// What a response shows, but for the numbers that each response has of its own.
fn seen(received: &Received) -> (u16, String, usize, Vec<String>) {
    let mut body = String::from_utf8_lossy(&received.body).into_owned();
    if let Some(index) = received.headers.get("oncegate-log-index").and_then(|value| value.to_str().ok()) {
        body = body.replacen(&format!("\"logIndex\":{index},"), "", 1);
    }
    let heads = received.headers.iter().filter(|(name, _)| !["date", "content-length"].contains(&name.as_str()));
    let mut heads: Vec<String> = heads.map(|(name, _)| name.to_string()).collect();
    heads.sort();
    (received.status.as_u16(), problem_of(received).code, body.len(), heads)
}

/// How long two questions took.
struct Compared {
    medians: (Duration, Duration),
    sigma: Duration,
    /// In which part of all pairs the first was faster: a half, if nothing tells them apart.
    faster: f64,
}

/// In which parts of all pairs either may be faster.
const ALIKE: std::ops::RangeInclusive<f64> = 0.2..=0.8;

/// Compares two questions. Whoever shares the machine disturbs both, and may disturb one more for a while: a difference that
/// is theirs is there each time.
fn compared(trials: u64, mut ask: impl FnMut(bool, u64) -> Received) -> Compared {
    let again = |_| {
        let found = once_compared(trials, &mut ask);
        ALIKE.contains(&found.faster).then_some(found).ok_or(())
    };
    (0..2).map(again).find_map(Result::ok).unwrap_or_else(|| once_compared(trials, &mut ask))
}

/// Asks two questions in turns; gives the median times, and what tells them apart.
fn once_compared(trials: u64, mut ask: impl FnMut(bool, u64) -> Received) -> Compared {
    let mut times = [Vec::new(), Vec::new()];
    let mut first = None;
    for trial in 0..trials {
        // Neither is always the first of a pair.
        for side in if trial % 2 == 0 { [false, true] } else { [true, false] } {
            let start = Instant::now();
            let received = ask(side, trial);
            times[usize::from(side)].push(start.elapsed());
            let seen = seen(&received);
            assert!(seen.0 >= 400 || seen.0 == 200, "{seen:?}");
            let first = first.get_or_insert_with(|| seen.clone());
            assert_eq!(*first, seen, "{}", String::from_utf8_lossy(&received.body));
        }
    }
    let faster = times[0].iter().zip(&times[1]).filter(|(left, right)| left < right).count();
    let [left, right] = times.map(|mut times| {
        times.sort_unstable();
        times
    });
    let of = |times: &[Duration], hundredths: usize| times[(times.len() - 1) * hundredths / 100];
    // Half of what lies between the sixteenth and the eighty-fourth of a hundred is what sigma is of a bell.
    let sigma = (of(&left, 84) - of(&left, 16)) / 2;
    Compared { medians: (of(&left, 50), of(&right, 50)), sigma, faster: faster as f64 / (trials.max(1) as f64) }
}

#[test]
fn what_is_not_there_is_refused_as_what_is_not_yours() {
    // Refused signatures cost ten requests each.
    let world = World::with_quota(FUND, "requests_per_minute = 1000000000, burst = 1000000000");
    let (school, fund) = (client(&world, SCHOOL), client(&world, FUND));
    let trials = number_from("ENUMERATION_TRIALS", 1_000);
    let get = |path: &str| world.block_on(fund.get(path)).expect("a response");
    let post = |octets: Vec<u8>| world.block_on(fund.post(octets, "wait=20", LONG)).expect("a response");
    // A message of the school, with its answer and its records, which the fund has nothing to do with.
    let person = world.demo().people()[Behaviour::Honest.household() as usize * 4].subject();
    let ask =
        Ask { document_type: Code::parse("medical-absence-note").expect("a code"), of: None, select: Vec::new(), during: None };
    let purpose = Code::parse("school-attendance").expect("a code");
    let theirs = school.request(ask, Context::new(purpose, "XX:HEALTH:13", person), None, MessageWorld::Live).expect("signed");
    let answer = world.block_on(school.post(theirs.octets.clone(), "wait=20", LONG)).expect("a response");
    assert!(answer.status.is_success() && !is_replayed(&answer), "{:?}", problem_of(&answer));
    let index = answer.headers.get("oncegate-log-index").and_then(|value| value.to_str().ok()).expect("a record").to_owned();
    let unused = "01990a5d-ac96-774b-8cce-b302099a8057".to_owned();
    let sign = |markup: &str| fund.sign_markup(markup).expect("signed");
    let named = |from: &str| {
        let octets = request(&fund, somebody(1), "fault-finding", "XX:TEST:1");
        let text = String::from_utf8(octets).expect("UTF-8");
        let unsigned = &text[..text.find("<Signature ").expect("signed")];
        sign(&format!("{}</Message>", unsigned.replacen(FUND, from, 1)))
    };
    let mut told = Vec::new();
    for rest in ["", "/answer", "/receipt"] {
        let times = compared(trials, |side, _| {
            get(&format!("/v1/messages/{}{rest}", if side { theirs.id.to_string() } else { unused.clone() }))
        });
        told.push((format!("another's message{rest}, and none"), times));
    }
    let times = compared(trials, |side, _| get(&format!("/v1/log/records/{}", if side { &index } else { "4294967296" })));
    told.push(("another's record, and none".to_owned(), times));
    let times = compared(trials, |side, _| post(named(if side { SCHOOL } else { "xx.demo.school-00" })));
    told.push(("the name of an agency, and of none".to_owned(), times));
    let times = compared(trials, |side, trial| {
        // Persons of the register, and numbers that nobody has.
        let number = if side { trial as u32 % 900 } else { 5_000 + trial as u32 };
        post(request(&fund, somebody(number + 1), "curiosity", "XX:TEST:1"))
    });
    told.push(("a person who is known, and one who is not, without a grant".to_owned(), times));
    let mut worst = 0.0_f64;
    for (what, Compared { medians: (left, right), sigma, faster }) in &told {
        let distance = left.abs_diff(*right).as_secs_f64() / sigma.as_secs_f64().max(1e-6);
        println!("{what}: {left:?} and {right:?}, sigma {sigma:?}: {distance:.2} sigma, faster in {faster:.2}");
        worst = worst.max(distance);
        // What is looked for is one that nearly always comes first.
        assert!(ALIKE.contains(faster), "{what}: the first is faster in {faster:.2} of all pairs");
    }
    tell(
        "what cannot be told apart",
        format!("{} pairs of {trials} trials: same code, head and length; medians at most {worst:.2} sigma apart", told.len()),
    );
}

/// How many alarms of a kind there were.
fn alarms_of(public: std::net::SocketAddr, kind: &str) -> u64 {
    let mut stream = std::net::TcpStream::connect(public).expect("it listens");
    let mut text = String::new();
    std::io::Write::write_all(&mut stream, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .expect("written");
    std::io::Read::read_to_string(&mut stream, &mut text).expect("read");
    let line = text.lines().find(|line| line.starts_with(&format!("oncegate_alarms_total{{kind=\"{kind}\"}}")));
    line.and_then(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).unwrap_or(0)
}

#[test]
fn whoever_tries_out_persons_is_stopped_and_told_of() {
    let world = World::with_quota(SCHOOL, "requests_per_minute = 60000, burst = 5000, persons_per_day = 10");
    let school = client(&world, SCHOOL);
    let ask = |number: u32| {
        let octets = request(&school, somebody(number), "school-attendance", "XX:HEALTH:13");
        world.block_on(school.post(octets, "wait=20", LONG)).expect("a response")
    };
    let alarms = || alarms_of(world.demo().public_address(), "persons");
    for number in 1..=10 {
        assert_ne!(ask(number * 4 + 1).status.as_u16(), 429, "{number}");
        assert_eq!(alarms(), u64::from(number >= 8), "{number}");
    }
    for number in 11..=40 {
        let received = ask(number * 4 + 1);
        let problem = problem_of(&received);
        assert_eq!((problem.code.as_str(), problem.status), ("OG-LIM-005", 429));
        assert!(problem.log_index.is_some() && received.headers.contains_key("retry-after"), "{problem:?}");
    }
    assert_eq!(alarms(), 2, "near, and beyond: once each");
    assert_ne!(ask(5).status.as_u16(), 429, "whoever was asked about already");
    tell("persons tried out beyond the budget of the day", "30 of 30 refused, alarm told");
}

#[test]
fn whoever_asks_about_people_of_whom_there_is_no_record_is_stopped_over_a_start_too_and_told_of() {
    let scene = Scene::new("records = \"off\"\n");
    set_quota(scene.world().installation(), SCHOOL, "requests_per_minute = 60000, burst = 5000, misses_per_day = 5");
    let school = scene.client();
    let ask = |subject: Subject| {
        let octets = request(&school, subject, "school-attendance", "XX:HEALTH:13");
        let received = scene.block_on(school.post(octets, "wait=20", LONG)).expect("a response");
        let code = if received.status.as_u16() == 200 { String::new() } else { problem_of(&received).code };
        (code, received.headers.contains_key("retry-after"))
    };
    let alarms = || alarms_of(scene.world().public_address(), "misses");
    let nobody = |number: u32| Subject::from(vec![Identifier::synthetic(7_000_000 + number)]);
    let gateway = scene.start();
    // Whoever is on record costs nothing.
    (0..3).for_each(|number| assert_eq!(ask(scene.world().people()[number * 12].subject()).0, ""));
    for number in 0..4 {
        assert_eq!((ask(nobody(number)).0.as_str(), alarms()), ("", u64::from(number == 3)), "{number}");
    }
    gateway.kill();
    let gateway = scene.start();
    assert_eq!(ask(nobody(4)).0, "", "the fifth of five");
    assert_eq!(alarms(), 1, "near, once more after a start");
    let refused = ("OG-LIM-006".to_owned(), true);
    assert_eq!(ask(nobody(5)), refused);
    assert_eq!(ask(scene.world().people()[0].subject()), refused, "it may ask about nobody any more");
    assert_eq!(alarms(), 2, "near, and beyond: once each");
    gateway.stop();
    let gateway = scene.start();
    assert_eq!(ask(nobody(6)), refused, "after a start too");
    gateway.stop();
    // A share of few answers means nothing; of twenty it does.
    crate::inbox::registry(scene.world().installation(), |text| text.replacen("misses_per_day = 5", "misses_share = 50", 1));
    let gateway = scene.start();
    (6..18).for_each(|number| assert_eq!(ask(nobody(number)).0, "", "{number}"));
    assert_eq!(ask(nobody(18)), refused, "17 of 20 answers were that there is no record");
    gateway.stop();
}

#[test]
fn a_start_gives_nobody_a_second_budget() {
    let scene = Scene::new("records = \"off\"\n");
    set_quota(scene.world().installation(), SCHOOL, "requests_per_minute = 60000, burst = 5000, persons_per_day = 3");
    let school = scene.client();
    let is_refused = |subject: Subject| {
        let octets = request(&school, subject, "school-attendance", "XX:HEALTH:13");
        let received = scene.block_on(school.post(octets, "wait=20", LONG)).expect("a response");
        let is_refused = received.status.as_u16() == 429;
        assert!(!is_refused || problem_of(&received).code == "OG-LIM-005", "{:?}", problem_of(&received));
        is_refused
    };
    let named = |family: &str| {
        let person = Person { family: Some(Personal::new(family)), ..Person::default() };
        Subject { described: Described::Person(person), ..Subject::default() }
    };
    let gateway = scene.start();
    assert!(!is_refused(somebody(1)) && !is_refused(named("Ivanova")));
    gateway.kill();
    let gateway = scene.start();
    assert!(!is_refused(somebody(1)) && !is_refused(named("Ivanova")), "they are known");
    assert!(!is_refused(somebody(5)), "one is left");
    gateway.stop();
    let gateway = scene.start();
    assert!(is_refused(somebody(9)) && is_refused(named("Petrova")));
    assert!(!is_refused(somebody(1)) && !is_refused(somebody(5)) && !is_refused(named("Ivanova")));
    gateway.stop();
}
