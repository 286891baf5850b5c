//! What is done to the log of a stopped gateway by whoever has its disk, by the program itself.

use crate::folder::Folder;
use crate::process::oncegate;
use crate::tool::said;
use oncegate::base::time::UnixTime;
use oncegate::evidence::journal::Entry;
use oncegate::evidence::tlog::{Private, Record, RecordKind};
use oncegate::host::store::{Settings, Store, log_key};
use oncegate::program::setup::{Installation, Listening};
use std::fs;
use std::process::Command;

const ORIGIN: &str = "localhost/audit";

/// An installation with a log of three records, and a receipt of the second.
fn office() -> (Folder, String) {
    let folder = Folder::new();
    Installation::create(folder.path(), &Listening { origin: Some(ORIGIN.to_owned()), ..Listening::default() }).expect("made");
    let (store, _) = Store::open(&folder.path().join("data"), ORIGIN, Settings::default()).expect("opens");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    for number in 1..=3 {
        let record = Record::new(RecordKind::Answer, UnixTime::from_ms(number));
        runtime.block_on(store.append(Entry { record, private: Private::default(), body: None })).expect("durable");
    }
    let receipt = store.receipt(1, &store.checkpoint()).expect("in the log").to_string();
    store.close();
    (folder, receipt)
}

/// Runs `oncegate log …`; gives what it says.
fn log(folder: &Folder, status: i32, arguments: &[&str]) -> String {
    let output = Command::new(oncegate()).arg("log").args(arguments).current_dir(folder.path()).output().expect("it starts");
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {}", said(&output));
    said(&output)
}

#[test]
fn a_receipt_that_the_whole_log_is_held_against_must_hold_itself() {
    let (folder, receipt) = office();
    fs::write(folder.path().join("receipt"), &receipt).expect("writable");
    let said = log(&folder, 0, &["verify", "--all", "--checkpoint", "receipt"]);
    assert!(said.contains("3 records") && said.contains("agrees with 1 kept checkpoints"), "{said}");
    // Its checkpoint is good, and it is of another place.
    fs::write(folder.path().join("receipt"), receipt.replacen("index 1", "index 0", 1)).expect("writable");
    let said = log(&folder, 6, &["verify", "--all", "--checkpoint", "receipt"]);
    assert!(said.contains("the leaf is not in the tree"), "{said}");
}

/// A copy that `cp` made while the gateway wrote may lack octets before others that came later. It is not called changed.
#[test]
fn a_torn_copy_is_told_in_a_line_of_its_own_and_a_change_is_not() {
    let (folder, _) = office();
    let segment = folder.path().join("data/log/seg-000000");
    let good = fs::read(&segment).expect("there");
    let leaf = |number: u8| {
        let text = format!("\"t\":{number},").into_bytes();
        good.windows(text.len()).position(|octets| octets == text).expect("a record")
    };
    let spoil = |from: usize, to: usize, octet: u8| {
        let mut octets = good.clone();
        octets[from..to].fill(octet);
        fs::write(&segment, octets).expect("writable");
    };
    spoil(leaf(2) - 30, leaf(2) + 60, 0);
    let said = log(&folder, 1, &["verify", "--all"]);
    let words = ["seg-000000", "cut short while copying", "All 1 records before hold", "oncegate backup"];
    assert!(words.iter().all(|words| said.contains(words)), "{said}");
    spoil(leaf(2), leaf(2) + 1, b'x');
    let said = log(&folder, 6, &["verify", "--all"]);
    assert!(said.contains("damaged from byte") && !said.contains("copying"), "{said}");
    // The last group, of a log that was not closed: a copy, or a gateway that was killed.
    fs::remove_file(folder.path().join("data/log/end")).expect("there");
    spoil(leaf(3) + 40, good.len(), 0);
    let said = log(&folder, 0, &["verify", "--all"]);
    let words = ["note:", "the last records were cut short while copying", "all 2 before hold", "ok  2 records"];
    assert!(words.iter().all(|words| said.contains(words)), "{said}");
}

/// A new key would make another log of it, that nobody trusts.
#[test]
fn no_command_makes_a_new_key_for_a_log_that_has_records() {
    let (folder, receipt) = office();
    let key = folder.path().join("data/keys/log");
    fs::remove_file(&key).expect("there");
    fs::write(folder.path().join("receipt"), receipt).expect("writable");
    let verify = &["verify", "--all", "--checkpoint", "receipt"];
    // Verifying all verifies the keys as well: it says what is lost.
    for arguments in [&["key"][..], verify, &["verify", "--all"], &["rebuild"], &["erase", "1", "message", "--reason", "a court"]]
    {
        let said = log(&folder, 6, arguments);
        assert!(said.contains("keys/log") && !key.exists(), "{arguments:?}: {said}");
    }
}

/// An operator asks for the key while the gateway starts for the first time.
#[test]
fn all_who_ask_for_a_key_that_is_not_there_yet_get_the_same() {
    let folder = Folder::new();
    for round in 0..20 {
        let data = folder.path().join(round.to_string());
        let keys = std::thread::scope(|scope| {
            let asking = (0..4).map(|_| scope.spawn(|| log_key(&data, ORIGIN).expect("a key").to_string()));
            asking.collect::<Vec<_>>().into_iter().map(|thread| thread.join().expect("a key")).collect::<Vec<_>>()
        });
        let kept = log_key(&data, ORIGIN).expect("a key").to_string();
        assert!(keys.iter().all(|key| *key == kept), "{keys:?}");
    }
}

/// With new ones in their place nobody would be found by a search, and everything would seem to have been erased.
#[test]
fn a_log_that_has_lost_keys_is_not_opened() {
    let (folder, _) = office();
    let data = folder.path().join("data");
    for name in ["index", "private", "bodies"] {
        let key = data.join("keys").join(name);
        let kept = fs::read(&key).expect("there");
        fs::remove_file(&key).expect("there");
        let said = log(&folder, 6, &["rebuild"]);
        assert!(said.contains(name) && !key.exists(), "{said}");
        fs::write(&key, kept).expect("writable");
    }
    log(&folder, 0, &["rebuild"]);
}
