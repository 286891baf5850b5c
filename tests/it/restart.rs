//! What a gateway keeps when it ends and starts again, and when it does not start.

use crate::process::{Process, Scene, answered, health, is_replayed, oncegate, refused, send};
use crate::tool::free_port;
use oncegate::base::ids::{AgencyId, MessageId};
use oncegate::base::time::UnixTime;
use oncegate::evidence::journal::{self, Commit, Erasure, Frame, FrameKind, Header};
use oncegate::evidence::tlog::tree::{Edge, Head};
use oncegate::faces::client::{Client, problem_of};
use oncegate::host::store::{Settings, Store, StoreError};
use oncegate::program::demo::Behaviour;
use oncegate::program::setup::Suspension;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use tokio::sync::watch;

const SILENT: &str = "records = \"off\"\n";
const SCHOOL: &str = "xx.demo.school-17";

#[test]
fn outcomes_are_the_same_after_a_restart() {
    let scene = Scene::new(SILENT);
    let client = scene.client();
    let gateway = scene.start();
    let (first, unasked) = (scene.request(&client, 1), scene.request(&client, 2));
    let failed = scene.request_about(&client, Behaviour::Failing.household());
    let failure = scene.block_on(refused(&client, &failed));
    let before = scene.block_on(answered(&client, &first));
    assert!(!is_replayed(&before));
    gateway.stop();
    assert!(scene.block_on(send(&client, &first.octets)).is_none(), "it has ended");
    let gateway = scene.start();
    assert!(gateway.greeting.contains("journal: 4 records"), "{}", gateway.greeting);
    let again = scene.block_on(answered(&client, &first));
    assert!(is_replayed(&again) && again.body == before.body);
    assert_eq!(again.headers.get("oncegate-log-index"), before.headers.get("oncegate-log-index"));
    let state = scene.block_on(client.get(&format!("/v1/messages/{}", failed.id))).expect("the gateway is there");
    let state: serde_json::Value = serde_json::from_slice(&state.body).expect("JSON");
    assert_eq!((state["state"].as_str(), state["code"].as_str()), (Some("refused"), Some(failure.code.as_str())), "{state}");
    let fetched = scene.block_on(client.get(&format!("/v1/messages/{}/answer", first.id))).expect("the gateway is there");
    assert_eq!((fetched.status.as_u16(), fetched.body == before.body), (200, true));
    // The same id with another content is no retry, and another id is a new message.
    for known in [first, failed] {
        let text = String::from_utf8(known.octets).expect("UTF-8");
        let signature = text.find("<Signature").expect("signed");
        let changed = format!("{}</Message>", &text[..signature]).replace("XX:HEALTH:13", "XX:HEALTH:14");
        let changed = client.sign_markup(&changed).expect("it is signed");
        let problem = scene.block_on(async { problem_of(&send(&client, &changed).await.expect("the gateway is there")) });
        assert_eq!(problem.code, "OG-MSG-014", "{problem:?}");
    }
    assert!(!is_replayed(&scene.block_on(answered(&client, &unasked))));
    gateway.stop();
}

/// A provider that waits with its answers until it is told to go on, and tells when it has a question.
struct Held {
    arrived: watch::Receiver<Option<MessageId>>,
    go_on: watch::Sender<bool>,
}

fn held(config: &str) -> (Scene, Held) {
    let (arriving, arrived) = watch::channel(None);
    let go_on = watch::Sender::new(false);
    let waiting = go_on.clone();
    let observer = Arc::new(move |id| {
        arriving.send_replace(Some(id));
        let mut waiting = waiting.subscribe();
        Box::pin(async move { drop(waiting.wait_for(|go_on| *go_on).await) })
            as std::pin::Pin<Box<dyn Future<Output = ()> + Send>>
    });
    (Scene::observed(config, observer), Held { arrived, go_on })
}

/// SIGTERM while an exchange is open: it is answered, and nothing new is begun.
fn drains(behaviour: Behaviour) {
    let (scene, mut held) = held(SILENT);
    let mut gateway = scene.start();
    let (client, other) = (scene.client(), scene.client());
    let request = scene.request_about(&client, behaviour.household());
    scene.block_on(async {
        let sending = {
            let (client, octets) = (client.clone(), request.octets.clone());
            tokio::spawn(async move { send(&client, &octets).await })
        };
        held.arrived.wait_for(|id| *id == Some(request.id)).await.expect("the provider has the question");
        gateway.signal("TERM");
        gateway.says("stopping");
        // The line is printed when the signal is there; the next thing that happens is that nothing is taken.
        let late = scene.request(&other, 3);
        while other.get("/health").await.expect("it still answers").status.as_u16() != 503 {
            tokio::task::yield_now().await;
        }
        let problem = refused(&other, &late).await;
        assert_eq!((problem.status, problem.code.as_str()), (503, "OG-HTTP-009"), "{problem:?}");
        assert_eq!((problem.blame.as_str(), problem.retry.as_str()), ("gateway", "later"));
        assert_eq!(*held.arrived.borrow(), Some(request.id), "the message that was refused went no further");
        held.go_on.send_replace(true);
        let received = sending.await.expect("it ends").expect("an answer");
        assert_eq!(received.status.as_u16(), 200, "{:?}", problem_of(&received));
        let (status, said) = gateway.ended();
        assert!(status.success() && said.contains("stopped"), "{status}: {said}");
        let gateway = scene.start();
        let again = answered(&client, &request).await;
        assert!(is_replayed(&again) && again.body == received.body);
        assert!(!is_replayed(&answered(&other, &late).await), "what was refused while stopping is taken afterwards");
        gateway.stop();
    });
}

#[test]
fn sigterm_lets_an_open_exchange_end() {
    drains(Behaviour::Honest);
}

#[test]
fn sigterm_lets_a_holder_answer_by_a_message_of_its_own() {
    drains(Behaviour::Later);
}

#[test]
fn sighup_puts_a_changed_registry_in_force_and_no_broken_one() {
    let scene = Scene::new("");
    let mut gateway = scene.start();
    let (client, installation) = (scene.client(), scene.world().installation());
    let ask = || {
        let received = scene.block_on(send(&client, &scene.request(&client, 4).octets)).expect("the gateway is there");
        if received.status.as_u16() == 200 { String::new() } else { problem_of(&received).code }
    };
    let school = AgencyId::parse(SCHOOL).expect("an agency");
    assert_eq!(ask(), "");
    installation.suspend(&school, Suspension::Impose).expect("changed");
    assert_eq!(ask(), "", "a change is not in force before it is asked for");
    gateway.signal("HUP");
    gateway.says("is in force");
    assert_eq!(ask(), "OG-TLS-002");

    // Neither a broken registry, nor one that nobody signed, takes the place of the one in force.
    let path = scene.world().folder().join("registry.toml");
    let good = fs::read_to_string(&path).expect("readable");
    fs::write(&path, good.replace("[[grant]]", "[[grunt]]")).expect("writable");
    installation.sign().expect("signed");
    gateway.signal("HUP");
    let said = gateway.says("was not read again");
    assert!(said.contains("OG-CFG-002") && said.contains("registry.toml:"), "{said}");
    assert_eq!(ask(), "OG-TLS-002");
    fs::write(&path, good.replace("suspended = true\n", "")).expect("writable");
    gateway.signal("HUP");
    assert!(gateway.says("was not read again").contains("OG-CFG-003"));
    assert_eq!(ask(), "OG-TLS-002");

    fs::write(&path, good).expect("writable");
    installation.suspend(&school, Suspension::Lift).expect("changed");
    gateway.signal("HUP");
    gateway.says("is in force");
    assert_eq!(ask(), "");
    gateway.stop();
}

#[test]
fn a_registry_that_was_in_force_once_does_not_come_back() {
    let scene = Scene::new("");
    let files = ["registry.toml", "registry.sig"].map(|name| scene.world().folder().join(name));
    let before = files.clone().map(|path| fs::read_to_string(path).expect("readable"));
    let bring_back = || files.iter().zip(&before).for_each(|(path, text)| fs::write(path, text).expect("writable"));
    let mut gateway = scene.start();
    let (client, installation) = (scene.client(), scene.world().installation());
    let ask = || {
        let received = scene.block_on(send(&client, &scene.request(&client, 4).octets)).expect("the gateway is there");
        if received.status.as_u16() == 200 { String::new() } else { problem_of(&received).code }
    };
    installation.suspend(&AgencyId::parse(SCHOOL).expect("an agency"), Suspension::Impose).expect("changed");
    gateway.signal("HUP");
    gateway.says("is in force");
    assert_eq!(ask(), "OG-TLS-002");
    // The same version again is nothing new, and an older one is refused although it is signed.
    gateway.signal("HUP");
    gateway.says("is in force");
    bring_back();
    gateway.signal("HUP");
    let said = gateway.says("registry");
    assert!(said.contains("was not read again") && said.contains("OG-CFG-002") && said.contains("older"), "{said}");
    assert_eq!(ask(), "OG-TLS-002");
    gateway.stop();
    // The log knows by which version the last messages were judged.
    let said = scene.refuses_to_start();
    assert!(said.contains("OG-CFG-002") && said.contains("older"), "{said}");
    let version = before[0].lines().find(|line| line.starts_with("version = ")).expect("a version");
    fs::write(&files[0], before[0].replacen(version, "version = 1000", 1)).expect("writable");
    installation.sign().expect("signed");
    let gateway = scene.start();
    assert_eq!(ask(), "");
    gateway.stop();
}

#[test]
fn a_registry_that_was_changed_without_its_signature_is_refused_at_start() {
    let scene = Scene::new(SILENT);
    let path = scene.world().folder().join("registry.toml");
    let good = fs::read_to_string(&path).expect("readable");
    fs::write(&path, format!("{good}\n# a word more\n")).expect("writable");
    let said = scene.refuses_to_start();
    assert!(said.contains("OG-CFG-003") && said.contains("registry.toml"), "{said}");
    assert!(!scene.data().exists(), "nothing was written before all was checked");
    scene.world().installation().sign().expect("signed");
    scene.start().stop();
}

#[test]
fn a_second_gateway_on_the_same_data_does_not_start() {
    let scene = Scene::new(SILENT);
    let gateway = scene.start();
    let text = fs::read_to_string(scene.config()).expect("readable");
    let world = scene.world();
    let [exchange, public] = [(); 2].map(|()| format!("127.0.0.1:{}", free_port()));
    let text =
        text.replace(&world.exchange_address().to_string(), &exchange).replace(&world.public_address().to_string(), &public);
    let second = world.folder().join("second.toml");
    fs::write(&second, text).expect("writable");
    let Err((status, said)) = Process::run(&second) else { panic!("two gateways write to one journal") };
    assert_eq!(status.code(), Some(1));
    assert!(said.contains("another gateway is running on this data directory"), "{said}");
    let client = scene.client();
    scene.block_on(answered(&client, &scene.request(&client, 5)));
    gateway.kill();
    // What a killed gateway leaves behind holds nobody up.
    let Ok(second) = Process::run(&second) else { panic!("the data directory is free") };
    second.stop();
}

async fn trail(client: &Client) -> Vec<String> {
    let received = client.get("/v1/trail").await.expect("the gateway is there");
    let page: serde_json::Value = serde_json::from_slice(&received.body).expect("JSON");
    page["entries"].as_array().expect("a list").iter().map(ToString::to_string).collect()
}

#[test]
fn the_index_is_made_anew_when_it_is_gone_or_garbage() {
    let scene = Scene::new(SILENT);
    let (client, index) = (scene.client(), scene.data().join("log/live-000000/postings"));
    let gateway = scene.start();
    for number in 0..3 {
        scene.block_on(answered(&client, &scene.request(&client, number)));
    }
    gateway.stop();
    let gateway = scene.start();
    assert!(!gateway.greeting.contains("index rebuilt"), "{}", gateway.greeting);
    let expected = scene.block_on(trail(&client));
    assert_eq!(expected.len(), 6);
    gateway.stop();
    type Spoil = fn(&Path);
    let spoil: [(&str, Spoil); 5] = [
        ("deleted", |index| fs::remove_dir_all(index).expect("writable")),
        ("each file garbage", |index| overwrite(index, |at, _| b"garbage "[at % 8])),
        ("each file zeros", |index| overwrite(index, |_, _| 0)),
        ("a bit changed here and there", |index| overwrite(index, |at, octet| octet ^ u8::from(at % 61 == 60))),
        ("a file in its place", |index| {
            fs::remove_dir_all(index).expect("writable");
            fs::write(index, "no folder").expect("writable");
        }),
    ];
    for (what, spoil) in spoil {
        spoil(&index);
        let gateway = scene.start();
        assert_eq!(scene.block_on(trail(&client)), expected, "{what}");
        // sled itself forgets pages whose checksums do not fit, and those rows come from the journal again.
        let is_told = gateway.greeting.contains("index rebuilt");
        assert!(is_told || matches!(what, "deleted" | "a bit changed here and there"), "{what}: {}", gateway.greeting);
        gateway.stop();
    }
}

/// Changes each octet of the files of a folder, and of those in it, by its offset.
fn overwrite(folder: &Path, change: fn(usize, u8) -> u8) {
    for entry in fs::read_dir(folder).expect("readable").map(|entry| entry.expect("readable").path()) {
        if entry.is_dir() {
            overwrite(&entry, change);
        } else {
            let octets = fs::read(&entry).expect("readable");
            let changed: Vec<u8> = octets.into_iter().enumerate().map(|(at, octet)| change(at, octet)).collect();
            fs::write(&entry, changed).expect("writable");
        }
    }
}

const START: journal::From = journal::From { offset: 0, size: 0 };

/// The tree over the records of the only segment.
fn edge_of(octets: &[u8]) -> Edge {
    let mut edge = Edge::new();
    journal::walk(octets, START, Erasure::None, |_, frame| edge.push(frame.hash(), |_, _| {}));
    edge
}

fn head_of(edge: &Edge) -> Head {
    Head { size: edge.size(), root: edge.root() }
}

/// The acknowledged part of the only segment, and the offsets at which its groups end.
fn acknowledged(scene: &Scene) -> (Vec<u8>, Vec<usize>) {
    let mut octets = fs::read(scene.segment(0)).expect("readable");
    let walked = journal::walk(&octets, START, Erasure::None, |_, _| {});
    octets.truncate(walked.end);
    let (mut at, mut ends) = (0, Vec::new());
    while let Ok((frame, length)) = journal::read_frame(&octets[at..], Erasure::None) {
        at += length;
        ends.extend((frame.kind == FrameKind::Commit).then_some(at));
    }
    assert_eq!(at, octets.len());
    (octets, ends)
}

/// A scene whose gateway has answered two requests and stopped.
fn two_exchanges() -> (Scene, Client) {
    let scene = Scene::new(SILENT);
    let (gateway, client) = (scene.start(), scene.client());
    for number in 0..2 {
        scene.block_on(answered(&client, &scene.request(&client, number)));
    }
    gateway.stop();
    (scene, client)
}

/// Opens the store as the gateway does, without the rest of it.
fn open(scene: &Scene) -> Result<u64, StoreError> {
    loop {
        match Store::open(&scene.data(), "localhost/audit", Settings::default()) {
            // Another test is just starting a process, which has our files open until it becomes that program.
            Err(StoreError::InUse { .. }) => std::thread::yield_now(),
            opened => {
                let (store, recovered) = opened?;
                store.close();
                return Ok(recovered.size);
            }
        }
    }
}

#[test]
fn a_journal_cut_anywhere_in_its_tail_starts() {
    let (scene, client) = two_exchanges();
    let (good, ends) = acknowledged(&scene);
    let mut tail = Vec::new();
    let mut edge = edge_of(&good);
    for seq in 4..6 {
        let leaf = b"{\"k\":\"err\",\"o\":0,\"r\":0,\"t\":1,\"v\":1}";
        let frame = Frame { kind: FrameKind::Record, seq, leaf, private: b"", body: b"" };
        journal::write_frame(&frame, &mut tail);
        edge.push(frame.hash(), |_, _| {});
    }
    Commit { head: head_of(&edge), start: good.len() as u64, time: UnixTime::from_ms(7) }.write(&mut tail);
    let put = |tail: &[u8]| fs::write(scene.segment(0), [&good, tail, &[0; 4096]].concat()).expect("writable");
    // A frame ends with zeros, which the zeros behind it make up for.
    let needed = tail.iter().rposition(|octet| *octet != 0).expect("not only zeros") + 1;
    for cut in (0..needed).step_by(5) {
        put(&tail[..cut]);
        assert_eq!(open(&scene).expect("a tail is cut off"), 4, "cut at {cut}");
        let mut holed = tail.clone();
        holed[cut..(cut + 20).min(tail.len())].fill(0);
        put(&holed);
        assert_eq!(open(&scene).expect("a hole in the tail is no damage"), 4, "zeros at {cut}");
    }
    put(&tail);
    assert_eq!(open(&scene).expect("whole"), 6);
    // It was closed with six records: now that they were durable, less of them is a loss and is named.
    put(&tail[..needed - 1]);
    let end = (good.len() + tail.len()) as u64;
    match open(&scene) {
        Err(StoreError::Lost { path, offset, known: 6, found: 4 }) => assert_eq!((path, offset), (scene.segment(0), end)),
        other => panic!("{other:?}"),
    }
    assert!(scene.refuses_to_start().contains("the log had 6 records"));
    // From here on as if it had been killed.
    fs::remove_file(scene.data().join("log/end")).expect("there");
    // And the gateway itself, with what was never acknowledged cut at three places.
    for cut in [4, needed / 2, needed - 1] {
        put(&tail[..cut]);
        let gateway = scene.start();
        assert!(gateway.greeting.contains("journal: 4 records"), "{}", gateway.greeting);
        gateway.kill();
    }
    // A file that ends where its last commit frame ends, without zeros, is whole; and a segment may be cut within its
    // first frame, when it was just made.
    fs::write(scene.segment(0), &good).expect("writable");
    assert_eq!(open(&scene).expect("whole"), 4);
    fs::write(scene.segment(1), &good[..9]).expect("writable");
    let gateway = scene.start();
    scene.block_on(answered(&client, &scene.request(&client, 6)));
    gateway.stop();
    assert_eq!((open(&scene).expect("two segments"), ends.len()), (6, 5));
}

#[test]
fn a_journal_damaged_in_the_middle_does_not_start_and_names_the_place() {
    let (scene, _) = two_exchanges();
    let (good, ends) = acknowledged(&scene);
    let [.., last_but_one, last] = ends[..] else { panic!("{ends:?}") };
    // Each commit frame, and places of all other frames; the last group has no witness behind it.
    let places = ends.iter().flat_map(|end| end - 83..*end).chain((0..last_but_one).step_by(97));
    for at in places.filter(|at| *at < last_but_one) {
        let mut damaged = good.clone();
        damaged[at] ^= 0x40;
        fs::write(scene.segment(0), damaged).expect("writable");
        let group = ends.iter().rfind(|end| **end <= at).copied().unwrap_or(0) as u64;
        match open(&scene) {
            Err(StoreError::Damaged { path, offset }) => assert_eq!((path, offset), (scene.segment(0), group), "byte {at}"),
            Err(other) => panic!("byte {at}: {other}"),
            Ok(size) => panic!("byte {at} is damaged, and {size} records are found"),
        }
        assert_eq!(fs::metadata(scene.segment(0)).expect("there").len(), good.len() as u64, "nothing is cut off");
    }
    let said = scene.refuses_to_start_with(&good, last_but_one - 1);
    let place = format!("damaged from byte {}", ends[ends.len() - 3]);
    assert!(said.contains("OG-LOG-001") && said.contains("seg-000000") && said.contains(&place), "{said}");
    // A segment that is missing, or has lost its end, is found by the one behind it.
    let mut next = Vec::new();
    let head = head_of(&edge_of(&good));
    Header { head, volume: 0 }.write(&mut next);
    Commit { head, start: 0, time: UnixTime::from_ms(7) }.write(&mut next);
    fs::write(scene.segment(0), &good).expect("writable");
    fs::write(scene.segment(1), &next).expect("writable");
    assert_eq!(open(&scene).expect("whole"), 4);
    fs::write(scene.segment(0), &good[..last - 1]).expect("writable");
    let offset = last_but_one as u64;
    assert!(matches!(open(&scene), Err(StoreError::Damaged { path, offset: at }) if path == scene.segment(0) && at == offset));
    fs::remove_file(scene.segment(0)).expect("there");
    assert!(matches!(open(&scene), Err(StoreError::Damaged { path, offset: 0 }) if path == scene.segment(0)));
    fs::write(scene.segment(0), &good).expect("writable");
    assert_eq!(open(&scene).expect("whole again"), 4);
}

impl Scene {
    fn refuses_to_start_with(&self, good: &[u8], damaged_at: usize) -> String {
        let mut damaged = good.to_vec();
        damaged[damaged_at] ^= 1;
        fs::write(self.segment(0), damaged).expect("writable");
        self.refuses_to_start()
    }

    fn limit_journal(&self, octets: usize) {
        let text = fs::read_to_string(self.config()).expect("readable");
        let text = text.split("[limits]").next().expect("a first part");
        fs::write(self.config(), format!("{text}[limits]\njournal_bytes = {octets}\n")).expect("writable");
    }
}

/// Is there a gateway that says, as it must, that it could not make the record?
async fn unrecorded(client: &Client, octets: &[u8]) {
    let received = send(client, octets).await.expect("the gateway stays up");
    let problem = problem_of(&received);
    assert_eq!((received.status.as_u16(), problem.code.as_str()), (503, "OG-LOG-001"), "{problem:?}");
    assert_eq!((problem.blame.as_str(), problem.retry.as_str(), problem.log_index), ("gateway", "later", None));
    assert!(received.headers.contains_key("retry-after"));
    let body = String::from_utf8_lossy(&received.body);
    assert!(!body.contains("MedicalAbsenceNote") && !body.contains("Signature"), "the answer was released: {body}");
    assert_eq!(client.get("/v1/catalogue").await.expect("the gateway stays up").status.as_u16(), 200);
}

#[test]
fn what_does_not_fit_into_the_journal_is_not_released() {
    let (arriving, arrived) = watch::channel(0);
    let observer = Arc::new(move |_| {
        arriving.send_modify(|count| *count += 1);
        Box::pin(std::future::ready(())) as std::pin::Pin<Box<dyn Future<Output = ()> + Send>>
    });
    let scene = Scene::observed(SILENT, observer);
    let (gateway, client) = (scene.start(), scene.client());
    scene.block_on(answered(&client, &scene.request(&client, 0)));
    gateway.stop();
    // Requests about one person make groups of one size, the request's and the answer's, but for the digits of the time
    // that they took.
    const DIGITS: usize = 12;
    let (_, ends) = acknowledged(&scene);
    let [header, request, answer] = ends[..] else { panic!("{ends:?}") };
    let message = scene.request(&client, 0);
    for (limit, forwarded) in [(answer + (request - header) - DIGITS, 0), (2 * answer - header - DIGITS, 1)] {
        scene.limit_journal(limit);
        let (gateway, before) = (scene.start(), *arrived.borrow());
        scene.block_on(unrecorded(&client, &message.octets));
        assert_eq!(*arrived.borrow() - before, forwarded, "without a record of it no request is forwarded");
        gateway.kill();
        // The request's record of the second time is there for good.
        fs::write(scene.segment(0), &fs::read(scene.segment(0)).expect("readable")[..answer]).expect("writable");
    }
    scene.limit_journal(2 * answer - header + DIGITS);
    let gateway = scene.start();
    assert!(!is_replayed(&scene.block_on(answered(&client, &message))), "the same message passes when it just fits");
    scene.block_on(unrecorded(&client, &scene.request(&client, 0).octets));
    assert!(is_replayed(&scene.block_on(answered(&client, &message))), "an answer on record needs no room");
    gateway.stop();
}

/// Where nothing may be mounted, as in most containers, this shows nothing and says so.
#[test]
fn a_full_disk_stops_no_gateway() {
    let (scene, client) = two_exchanges();
    let (good, _) = acknowledged(&scene);
    fs::write(scene.segment(0), &good).expect("writable");
    let kept = scene.folder().join("kept");
    fs::rename(scene.data(), &kept).expect("writable");
    fs::create_dir(scene.data()).expect("writable");
    // 16 MiB in all: room for the journal, which writes 8 MiB ahead, once the filler is gone.
    let script = "set -e; mount -t tmpfs -o size=16m none \"$1\"; cp -r \"$2\"/. \"$1\"; exec \"$3\" run -c \"$4\"";
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", script, "sh"]).arg(scene.data()).arg(&kept).arg(oncegate()).arg(scene.config());
    let gateway = match Process::from(command) {
        Ok(gateway) => gateway,
        Err((status, said)) if ["unshare", "mount"].iter().any(|word| said.starts_with(word)) => {
            println!("skipped: nothing can be mounted here: {status} {said}");
            return;
        }
        Err((status, said)) => panic!("{status}: {said}"),
    };
    let inside = format!("/proc/{}/root{}", gateway.id(), scene.data().display());
    let filler = Path::new(&inside).join("filler");
    let filled = fs::write(&filler, vec![1; 32 << 20]);
    assert_eq!(filled.map_err(|cause| cause.kind()), Err(std::io::ErrorKind::StorageFull), "the disk is full now");
    let message = scene.request(&client, 7);
    scene.block_on(unrecorded(&client, &message.octets));
    scene.block_on(unrecorded(&client, &message.octets));
    fs::remove_file(&filler).expect("it is there");
    assert!(!is_replayed(&scene.block_on(answered(&client, &message))), "with room the same message passes, without a restart");
    gateway.stop();
    println!("a real disk was full");
}

/// What `/health` says once it says what is waited for.
fn healthy(scene: &Scene, what: &str, holds: impl Fn(u16, &serde_json::Value) -> bool) -> serde_json::Value {
    let end = std::time::Instant::now() + crate::process::LONG;
    loop {
        let (status, said) = health(scene).expect("it answers");
        if holds(status, &said) {
            return said;
        }
        assert!(std::time::Instant::now() < end, "{what}: {status} {said}");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

/// A gateway whose data lie on a file system of 16 MiB; nothing where nothing may be mounted.
fn on_a_small_disk(scene: &Scene) -> Option<Process> {
    fs::create_dir_all(scene.data()).expect("writable");
    let script = "set -e; mount -t tmpfs -o size=16m none \"$1\"; exec \"$2\" run -c \"$3\"";
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", script, "sh"]).arg(scene.data()).arg(oncegate()).arg(scene.config());
    match Process::from(command) {
        Ok(gateway) => Some(gateway),
        Err((status, said)) if ["unshare", "mount"].iter().any(|word| said.starts_with(word)) => {
            println!("skipped: nothing can be mounted here: {status} {said}");
            None
        }
        Err((status, said)) => panic!("{status}: {said}"),
    }
}

#[test]
fn after_a_full_disk_the_index_comes_back_and_health_says_what_messages_meet() {
    let scene = Scene::new(SILENT);
    let client = scene.client();
    let Some(mut gateway) = on_a_small_disk(&scene) else { return };
    scene.block_on(answered(&client, &scene.request(&client, 0)));
    healthy(&scene, "with room", |status, _| status == 200);
    let filler = Path::new(&format!("/proc/{}/root{}", gateway.id(), scene.data().display())).join("filler");
    let filled = fs::write(&filler, vec![1; 32 << 20]);
    assert_eq!(filled.map_err(|cause| cause.kind()), Err(std::io::ErrorKind::StorageFull), "the disk is full now");
    // What is written ahead has room for some exchanges yet; the index has none.
    let mut taken = 0;
    while let Some(received) = scene.block_on(send(&client, &scene.request(&client, taken).octets)) {
        if received.status.as_u16() != 200 {
            assert_eq!(problem_of(&received).code, "OG-LOG-001");
            break;
        }
        taken += 1;
    }
    let said = healthy(&scene, "without room", |status, _| status == 503);
    assert_eq!((&said["status"], &said["reasons"][0]["code"]), (&"not ready".into(), &"OG-LOG-001".into()), "{said}");
    assert!(said["reason"].as_str().is_some_and(|why| why.contains("No space") || why.contains("no storage space")), "{said}");
    gateway.says("not ready: OG-LOG-001");
    let said = healthy(&scene, "the index has no room", |_, said| said["failingWorkers"] == serde_json::json!(["index"]));
    assert!(said["indexLag"].as_u64().is_some_and(|lag| lag > 0), "{said}");
    let received = scene.block_on(client.get("/v1/trail")).expect("it answers");
    assert_eq!(
        (received.status.as_u16(), problem_of(&received).code.as_str()),
        (503, "OG-AUD-008"),
        "an index that lags says so"
    );
    fs::remove_file(&filler).expect("it is there");
    let said =
        healthy(&scene, "with room again", |status, said| status == 200 && said["failingWorkers"] == serde_json::json!([]));
    assert_eq!(said["reasons"], serde_json::json!([]), "no message was needed for it");
    scene.block_on(answered(&client, &scene.request(&client, taken)));
    healthy(&scene, "the index has caught up", |_, said| said["indexLag"] == 0);
    let found = scene.block_on(client.get("/v1/trail")).expect("it answers");
    let page: serde_json::Value = serde_json::from_slice(&found.body).expect("JSON");
    let (records, indexed) = (healthy(&scene, "still", |_, _| true)["records"].clone(), page["indexedUpTo"].clone());
    assert_eq!(records, indexed);
    gateway.stop();
    println!("a real disk was full, and {taken} exchanges were answered meanwhile");
}

#[test]
fn health_says_that_the_journal_has_reached_its_limit() {
    let scene = Scene::new(SILENT);
    scene.limit_journal(100);
    let gateway = scene.start();
    let client = scene.client();
    let said = healthy(&scene, "no message came yet", |status, _| status == 503);
    assert_eq!((&said["journal"], &said["reasons"][0]["code"]), (&"open".into(), &"OG-LOG-001".into()), "{said}");
    assert!(said["reason"].as_str().is_some_and(|why| why.contains("journal_bytes")), "{said}");
    scene.block_on(unrecorded(&client, &scene.request(&client, 0).octets));
    gateway.stop();
}
