//! What is over is in no memory, and is known all the same: from the index, also where a record is in a volume that is complete.

use crate::process::{LONG, Scene, answered, is_replayed, refused, send};
use oncegate::base::ids::MessageId;
use oncegate::base::time::UnixTime;
use oncegate::evidence::journal::Entry;
use oncegate::evidence::tlog::{Private, Record, RecordKind};
use oncegate::faces::client::{Client, Signed, problem_of};
use oncegate::host::store::{Settings, Store, StoreError};
use oncegate::program::demo::Behaviour;
use std::io::{Read, Write};
use std::time::{SystemTime, UNIX_EPOCH};

const SILENT: &str = "records = \"off\"\n";

fn metric(scene: &Scene, wanted: &str) -> Option<u64> {
    let mut stream = std::net::TcpStream::connect(scene.world().public_address()).expect("it listens");
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").expect("written");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("read");
    let line = text.lines().find_map(|line| line.strip_prefix(wanted));
    line.and_then(|value| value.trim().parse().ok())
}

fn now() -> UnixTime {
    UnixTime::from_ms(SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as u64)
}

/// The store of a gateway that is stopped, whose volumes are complete after three records.
fn store(scene: &Scene) -> Store {
    loop {
        match Store::open(&scene.data(), "localhost/audit", Settings { volume_records: 3, ..Settings::default() }) {
            // Another test is just starting a process, which has our files open until it becomes that program.
            Err(StoreError::InUse { .. }) => std::thread::yield_now(),
            opened => return opened.expect("opens").0,
        }
    }
}

/// Makes all volumes complete that there are, and some more.
fn complete_all(scene: &Scene) {
    let store = store(scene);
    let complete = || (0..99).take_while(|number| scene.data().join(format!("log/vol-{number:06}/meta")).exists()).count();
    let before = complete();
    for _ in 0..10 {
        let record = Record::new(RecordKind::Audit, now());
        scene.block_on(store.append(Entry { record, private: Private::default(), body: None })).expect("durable");
    }
    store.close();
    assert!(complete() >= before + 3, "volumes were completed");
}

/// That a message was answered, and another with its id is refused.
fn is_known(scene: &Scene, client: &Client, request: &Signed, before: &[u8]) {
    let again = scene.block_on(answered(client, request));
    assert!(is_replayed(&again) && again.body == before);
    let fetched = scene.block_on(client.get(&format!("/v1/messages/{}/answer", request.id))).expect("the gateway is there");
    assert_eq!((fetched.status.as_u16(), fetched.body == before), (200, true));
    is_changed(scene, client, request);
}

fn is_changed(scene: &Scene, client: &Client, request: &Signed) {
    let text = String::from_utf8(request.octets.clone()).expect("UTF-8");
    let signature = text.find("<Signature").expect("signed");
    let changed = format!("{}</Message>", &text[..signature]).replace("XX:HEALTH:13", "XX:HEALTH:14");
    let changed = client.sign_markup(&changed).expect("it is signed");
    let problem = scene.block_on(async { problem_of(&send(client, &changed).await.expect("the gateway is there")) });
    assert_eq!(problem.code, "OG-MSG-014", "{problem:?}");
}

fn state(scene: &Scene, client: &Client, id: MessageId) -> (String, String) {
    let received = scene.block_on(client.get(&format!("/v1/messages/{id}"))).expect("the gateway is there");
    let state: serde_json::Value = serde_json::from_slice(&received.body).expect("JSON");
    let word = |name: &str| state[name].as_str().unwrap_or_default().to_owned();
    (word("state"), word("code"))
}

#[test]
fn what_is_over_is_in_no_memory_and_is_known_in_any_volume() {
    let scene = Scene::new(SILENT);
    let client = scene.client();
    let gateway = scene.start();
    let request = scene.request(&client, 1);
    let failing = scene.request_about(&client, Behaviour::Failing.household());
    let before = scene.block_on(answered(&client, &request)).body;
    let code = scene.block_on(refused(&client, &failing)).code;
    let hold = |when: &str| {
        is_known(&scene, &client, &request, &before);
        is_changed(&scene, &client, &failing);
        assert_eq!(state(&scene, &client, failing.id), ("refused".to_owned(), code.clone()), "{when}");
        assert_eq!(state(&scene, &client, request.id).0, "answered", "{when}");
    };
    hold("at once");
    let end = std::time::Instant::now() + LONG;
    while metric(&scene, "oncegate_remembered_ids") != Some(0) {
        assert!(std::time::Instant::now() < end, "something stays in memory");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    hold("from the live volume");
    gateway.kill();
    let gateway = scene.start();
    assert_eq!(metric(&scene, "oncegate_remembered_ids"), Some(0));
    hold("after a kill");
    gateway.stop();
    complete_all(&scene);
    let gateway = scene.start();
    hold("from a complete volume");
    // What failed may come again, and is then known by what came of it last.
    assert_eq!(scene.block_on(refused(&client, &failing)).code, code);
    hold("after it came again");
    gateway.stop();
    oncegate::host::store::remove_derived(&scene.data()).expect("removable");
    let gateway = scene.start();
    hold("with an index made anew");
    gateway.stop();
}

#[test]
fn a_question_that_is_kept_is_open_and_no_other_has_its_id_also_in_volumes_that_are_complete() {
    let scene = Scene::without_clinic(SILENT);
    let client = scene.client();
    let gateway = scene.start();
    let request = scene.request(&client, 1);
    let received = scene.block_on(client.post(request.octets.clone(), "respond-async", LONG)).expect("the gateway is there");
    assert_eq!(received.status.as_u16(), 202, "{:?}", problem_of(&received));
    gateway.kill();
    for _ in 0..2 {
        complete_all(&scene);
        let gateway = scene.start();
        assert_eq!(state(&scene, &client, request.id).0, "accepted");
        is_changed(&scene, &client, &request);
        gateway.stop();
    }
}

#[test]
fn whom_an_agency_asked_about_today_counts_from_complete_volumes_too() {
    let scene = Scene::prepared(SILENT, &|installation| {
        let file = installation.folder().join("registry.toml");
        let text = std::fs::read_to_string(&file).expect("readable");
        assert!(text.contains("burst = 5000 }"), "{text}");
        let text = text.replace("burst = 5000 }", "burst = 5000, persons_per_day = 2 }");
        std::fs::write(&file, text).expect("writable");
        installation.sign().expect("signed");
    });
    let client = scene.client();
    let gateway = scene.start();
    let first = scene.request(&client, 1);
    scene.block_on(answered(&client, &first));
    gateway.stop();
    complete_all(&scene);
    let gateway = scene.start();
    let mut codes = Vec::new();
    for number in 1..8 {
        let request = scene.request(&client, number);
        let received = scene.block_on(send(&client, &request.octets)).expect("the gateway is there");
        codes.push((received.status.as_u16() == 429).then(|| problem_of(&received).code));
    }
    assert_eq!(codes.first(), Some(&None), "who was asked about before costs nothing");
    assert!(codes.iter().flatten().count() >= 5 && codes.iter().flatten().all(|code| code == "OG-LIM-005"), "{codes:?}");
    gateway.stop();
}
