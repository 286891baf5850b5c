//! Attacks: every way that is known to deceive, to stall or to read out a gateway that takes signed XML, each sent to a
//! running gateway. Each is refused with its code, leaves a record where its sender is known, says nothing of what it
//! held, and is followed by a good message that passes.

mod bench;
mod crowd;
mod http;
mod octets;
mod signature;
mod values;

pub use bench::Bench;
use bench::{Attack, Outcome};

use crate::figures::tell;
use crate::world::World;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What no response may repeat: it stands in whatever an attack can make up.
const SECRET: &str = "zq-secret-81";

#[test]
fn every_attack_is_refused_with_its_code_and_the_next_good_message_passes() {
    // Each refusal has a record of its own.
    let world = World::with_quota(bench::SCHOOL, "requests_per_minute = 1000000, burst = 100000");
    let canary = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    canary.set_nonblocking(true).expect("a listener");
    let bench = Bench::new(&world, canary.local_addr().expect("an address").port());
    let attacks: Vec<Attack> = [
        octets::encodings(&bench),
        octets::document_types(&bench),
        octets::ill_formed(&bench),
        octets::limits(&bench),
        octets::namespaces(&bench),
        octets::inside_text(&bench),
        signature::wrapping(&bench),
        signature::shapes(&bench),
        signature::references(&bench),
        signature::algorithms(&bench),
        signature::keys(&bench),
        values::forms(&bench),
        values::times(&bench),
        values::deputies(&bench),
        values::receivers(&bench),
        http::framing(&bench),
        http::heads(&bench),
        http::media(&bench),
    ]
    .into_iter()
    .flatten()
    .collect();
    let (mut wrong, mut table) = (Vec::new(), String::new());
    let mut classes: BTreeMap<&str, usize> = BTreeMap::new();
    for attack in &attacks {
        let outcome = bench.send(attack);
        let good = bench.good_message_passes();
        let _ = writeln!(table, "{:<14} {:<58} {:<12} {}", attack.class, attack.name, outcome.code, outcome.status);
        *classes.entry(attack.class).or_default() += 1;
        wrong.extend(outcome.faults(attack).into_iter().map(|fault| format!("{}, {}: {fault}", attack.class, attack.name)));
        if !good {
            wrong.push(format!("{}, {}: the good message after it is refused", attack.class, attack.name));
        }
        bench.recorded.borrow_mut().extend(outcome.record());
    }
    println!("{table}");
    wrong.extend(bench.missing_records());
    if canary.accept().is_ok() {
        wrong.push("somebody fetched what an attack named".to_owned());
    }
    println!("{classes:?}");
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), attacks.len(), wrong.join("\n"));
    assert!(attacks.len() >= 400, "{}", attacks.len());
    tell("attack cases refused", format!("{0} of {0}", attacks.len()));
}

impl Outcome {
    /// What is not as it should be.
    fn faults(&self, attack: &Attack) -> Vec<String> {
        let mut faults = Vec::new();
        let is_right = attack.codes.iter().any(|code| self.code.starts_with(code) && !self.code.is_empty())
            || (self.code.is_empty() && attack.codes.contains(&self.status.to_string().as_str()));
        if !is_right {
            faults.push(format!("{} {} instead of {:?}: {}", self.status, self.code, attack.codes, self.shown()));
        }
        if self.status < 400 || self.status >= 500 {
            faults.push(format!("status {}", self.status));
        }
        if self.body.len() > 2000 {
            faults.push(format!("a response of {} octets", self.body.len()));
        }
        if self.body.contains(SECRET) {
            faults.push(format!("it is told what it sent: {}", self.shown()));
        }
        if !self.code.is_empty() && self.index.is_none() {
            faults.push("no record".to_owned());
        }
        if self.responses != 1 {
            faults.push(format!("{} responses", self.responses));
        }
        faults
    }
}
