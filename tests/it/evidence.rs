//! The log of a real gateway: receipts that others can verify, witnesses that find a second history, data that was put back.

use crate::folder::Folder;
use crate::process::{LONG, Scene, answered, oncegate};
use oncegate::base::time::UnixTime;
use oncegate::evidence::journal::Entry;
use oncegate::evidence::tlog::note::VerifierKey;
use oncegate::evidence::tlog::proof::Proof;
use oncegate::evidence::tlog::{Private, Record, RecordKind};
use oncegate::faces::client::{Client, problem_of};
use oncegate::gateway::witness::Witnessing;
use oncegate::host::config::{Config, Lines};
use oncegate::host::store::{Settings, Store, log_key};
use oncegate::host::telemetry::Telemetry;
use oncegate::host::transport::{Fetcher, trust};
use oncegate::program::demo::{DemoWitness, copy};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

const ORIGIN: &str = "localhost/audit";

/// A scene whose gateway has a witness.
pub struct Witnessed {
    pub scene: Scene,
    key: VerifierKey,
    witness: VerifierKey,
    _serving: watch::Sender<bool>,
    _runtime: tokio::runtime::Runtime,
    _folder: Folder,
}

impl Witnessed {
    pub fn new() -> Self {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let folder = Folder::new();
        let witness = runtime.block_on(DemoWitness::make(folder.path())).expect("a witness");
        let witness_key = witness.key().clone();
        let scene = Scene::new(&format!("records = \"off\"\n{}", witness.configuration()));
        let key = log_key(&scene.data(), ORIGIN).expect("a key");
        let serving = runtime.block_on(async { witness.serve(&key) }).expect("it serves");
        Self { scene, key, witness: witness_key, _serving: serving, _runtime: runtime, _folder: folder }
    }

    fn config(&self) -> Config {
        Config::load(&self.scene.config()).expect("a configuration")
    }

    /// The receipts of a message, once the witness has cosigned.
    pub fn cosigned_receipt(&self, client: &Client, id: &str) -> Vec<Proof> {
        let end = Instant::now() + LONG;
        loop {
            let proofs = self.scene.block_on(receipt(client, id));
            if proofs[0].checkpoint.to_string().contains("\u{2014} witness.demo.example ") {
                return proofs;
            }
            assert!(Instant::now() < end, "the witness has not cosigned");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

async fn receipt(client: &Client, id: &str) -> Vec<Proof> {
    let received = client.get(&format!("/v1/messages/{id}/receipt")).await.expect("the gateway is there");
    assert_eq!(received.status.as_u16(), 200);
    Proof::parse_bundle(std::str::from_utf8(&received.body).expect("text")).expect("receipts")
}

#[test]
fn both_sides_have_a_receipt_that_holds_and_nobody_else_has_one() {
    let witnessed = Witnessed::new();
    let (scene, key) = (&witnessed.scene, &witnessed.key);
    let (gateway, school) = (scene.start(), scene.client());
    let request = scene.request(&school, 0);
    let answer = scene.block_on(answered(&school, &request));
    let id = request.id.to_string();
    let link = answer.headers.get("link").and_then(|link| link.to_str().ok());
    assert_eq!(link, Some(&*format!("</v1/messages/{id}/receipt>; rel=\"receipt\"")));
    // At once, by the log's key alone.
    let proofs = scene.block_on(receipt(&school, &id));
    let kinds = ["req", "rsp"];
    assert_eq!(proofs.len(), 2);
    for (proof, kind) in proofs.iter().zip(kinds) {
        let leaf = String::from_utf8_lossy(&proof.leaf).into_owned();
        assert!(leaf.contains(&format!("\"k\":\"{kind}\"")) && leaf.contains(&format!("\"m\":\"{id}\"")), "{leaf}");
        assert!(!leaf.contains("XX-OGTEST"), "an identifier is in a leaf: {leaf}");
        assert_eq!(proof.verify(key).map(|shown| shown.head), Ok(proof.checkpoint.claimed()));
    }
    let index = answer.headers.get("oncegate-log-index").and_then(|index| index.to_str().ok());
    assert_eq!(index, Some(&*proofs[1].index.to_string()));
    // The clinic has the same; the fund, which took no part, none.
    let client = |name: &str| scene.world().client(name).expect("a client");
    assert_eq!(scene.block_on(receipt(&client("xx.demo.clinic-3"), &id)).len(), 2);
    let other = scene.block_on(client("xx.demo.social-fund").get(&format!("/v1/messages/{id}/receipt")));
    assert_eq!(problem_of(&other.expect("the gateway is there")).code, "OG-MSG-018");
    // Cosigned soon, and verified by other people's tools and the command line.
    let cosigned = witnessed.cosigned_receipt(&school, &id);
    let (file, key_file) = (scene.folder().join("receipt"), scene.folder().join("key"));
    std::fs::write(&file, cosigned.iter().map(Proof::to_string).collect::<String>()).expect("writable");
    std::fs::write(&key_file, key.to_string()).expect("writable");
    let verify = |file: &Path| {
        let mut command = Command::new(oncegate());
        command.args(["log", "verify"]).arg(file).arg("--key").arg(&key_file).output().expect("it starts").status.code()
    };
    assert_eq!(verify(&file), Some(0));
    // With a policy that asks for the witness, and with one that asks for another.
    let with_policy = |witness: &str| {
        let policy = scene.folder().join("policy");
        std::fs::write(&policy, format!("log {key}\nwitness w {witness}\nquorum w\n")).expect("writable");
        let mut command = Command::new(oncegate());
        let command = command.args(["log", "verify"]).arg(&file).arg("--key").arg(&key_file).arg("--policy").arg(policy);
        command.output().expect("it starts").status.code()
    };
    assert_eq!(with_policy(&witnessed.witness.to_string()), Some(0));
    let other = scene.block_on(DemoWitness::make(&scene.folder().join("other"))).expect("a witness");
    assert_eq!(with_policy(&other.key().to_string()), Some(6));
    let changed = std::fs::read_to_string(&file).expect("readable").replacen("\nindex 0\n", "\nindex 1\n", 1);
    std::fs::write(&file, changed).expect("writable");
    assert_eq!(verify(&file), Some(6));
    gateway.stop();
}

#[test]
fn a_data_directory_that_was_put_back_does_not_start() {
    let witnessed = Witnessed::new();
    let (scene, older) = (&witnessed.scene, witnessed.scene.folder().join("older"));
    let (gateway, school) = (scene.start(), scene.client());
    scene.block_on(answered(&school, &scene.request(&school, 0)));
    gateway.stop();
    copy(&scene.data(), &older).expect("a copy");
    let (gateway, school) = (scene.start(), scene.client());
    let request = scene.request(&school, 1);
    scene.block_on(answered(&school, &request));
    witnessed.cosigned_receipt(&school, &request.id.to_string());
    gateway.stop();
    let newest = scene.folder().join("newest");
    std::fs::rename(scene.data(), &newest).expect("writable");
    copy(&older, &scene.data()).expect("a copy");
    let said = scene.refuses_to_start();
    let words = ["OG-LOG-002", "witness.demo.example", "has cosigned 4 records of this log, which has 2"];
    assert!(words.iter().all(|words| said.contains(words)), "{said}");
    // With the newest copy it starts again.
    std::fs::remove_dir_all(scene.data()).expect("writable");
    std::fs::rename(&newest, scene.data()).expect("writable");
    scene.start().stop();
}

#[test]
fn of_two_copies_that_both_run_one_stops() {
    let witnessed = Witnessed::new();
    let scene = &witnessed.scene;
    let (gateway, school) = (scene.start(), scene.client());
    let request = scene.request(&school, 0);
    scene.block_on(answered(&school, &request));
    witnessed.cosigned_receipt(&school, &request.id.to_string());
    // Somebody runs a copy of the database elsewhere: it goes on in another way, and is witnessed first.
    let other = scene.folder().join("copy");
    copy(&scene.data(), &other).expect("a copy");
    let (store, _) = Store::open(&other, ORIGIN, Settings::default()).expect("opens");
    let store = Arc::new(store);
    scene.block_on(async {
        for number in 0..3 {
            let record = Record::new(RecordKind::Refusal, UnixTime::from_ms(number));
            store.append(Entry { record, private: Private::default(), body: None }).await.expect("there is room");
        }
        let config = witnessed.config();
        let fetcher = Fetcher::new(trust(&config.exchange.authorities).expect("authorities"));
        let witnessing = Witnessing::new(&config.log.witnesses, witnessed.key.clone(), &fetcher);
        let telemetry = Telemetry::new(Lines::Off);
        while witnessing.cosigned().is_none_or(|checkpoint| checkpoint.claimed().size < 5) {
            assert!(witnessing.fork().is_none(), "the copy comes first");
            witnessing.round(&store, &telemetry).await;
        }
    });
    store.close();
    // The gateway's next checkpoint is of another history.
    let (status, said) = gateway.ended();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("OG-LOG-002") && said.contains("witness.demo.example"), "{said}");
    assert!(scene.refuses_to_start().contains("OG-LOG-002"));
}
