//! Agencies: whoever asks, holders with and without a server, workers, subscribers; with the bad habits of the plan.

use super::letters::{Letter, OFFICE, Sort, VILLAGE};
use super::plan::Trouble;
use super::wire::{Act, Done, Event, Node, Packet, Reply, Scene, What};
use crate::base::fault::Code;
use crate::base::time::UnixTime;
use std::collections::{BTreeMap, BTreeSet};

/// All agencies.
#[derive(Default)]
pub(super) struct People {
    /// Calls that wait for a reply.
    waiting: BTreeMap<u64, (usize, Act)>,
    /// What holders have answered.
    answers: BTreeMap<u32, u32>,
    /// Who is on its way to its inbox.
    coming: BTreeSet<(usize, usize, u64)>,
}

/// For how long a call waits for its reply beside what it asked for.
const PATIENCE_MS: u64 = 10_000;

impl People {
    /// An agency does something by itself.
    pub(super) fn act(&mut self, scene: &mut Scene<'_>, agency: usize, act: Act) {
        let (gateway, what, wait) = match &act {
            Act::Submit { gateway, letter, wait, .. } => (*gateway, What::Submit { letter: *letter, wait: *wait }, *wait),
            Act::Answer { gateway, question } => {
                let letter = self.answer(scene, agency, *question);
                let wrong = scene.plan.gateways > 1 && scene.errs(Trouble::WrongGateway);
                let gateway = if wrong { 1 - *gateway } else { *gateway };
                let act = Act::Submit { gateway, letter, wait: 0, more: 3 };
                return self.act(scene, agency, act);
            }
            Act::Come { gateway, worker } => {
                if !self.coming.insert((agency, *gateway, *worker)) {
                    return;
                }
                (*gateway, What::Come, 0)
            }
            Act::Lease { gateway, lease, done } => (*gateway, What::Lease { lease: *lease, done: *done }, 0),
        };
        scene.note(|| format!("agency {agency} to gateway {gateway}: {what:?}"));
        let call = scene.call(Node::Agency(agency), Node::Gateway(gateway), what, wait + PATIENCE_MS);
        self.waiting.insert(call, (agency, act));
    }

    /// A call has waited long enough.
    pub(super) fn call_over(&mut self, scene: &mut Scene<'_>, call: u64) {
        if let Some((agency, act)) = self.waiting.remove(&call) {
            self.came_to_nothing(scene, agency, act);
        }
    }

    fn came_to_nothing(&mut self, scene: &mut Scene<'_>, agency: usize, act: Act) {
        match act {
            Act::Submit { gateway, letter, wait, more } if more > 0 => {
                scene.count(Trouble::Resent);
                let act = Act::Submit { gateway, letter, wait, more: more - 1 };
                let pause = scene.dice.between(1_000, 15_000);
                scene.later(pause, Event::Agency(agency, act));
            }
            Act::Come { gateway, worker } => drop(self.coming.remove(&(agency, gateway, worker))),
            _ => {}
        }
    }

    /// A call or a reply has come.
    pub(super) fn arrive(&mut self, scene: &mut Scene<'_>, agency: usize, packet: Packet) {
        let Node::Gateway(gateway) = packet.from else { return };
        match packet.what {
            What::Post { letter, is_question } => {
                let reply = if is_question { self.asked(scene, agency, gateway, letter) } else { self.told(scene) };
                if let Some(reply) = reply {
                    scene.reply(Node::Agency(agency), packet.from, packet.call, reply);
                }
            }
            What::Reply(reply) => {
                if let Some((agency, act)) = self.waiting.remove(&packet.call) {
                    self.replied(scene, agency, act, reply);
                }
            }
            _ => {}
        }
    }

    /// A notice, or an event, has come to an agency that has a server.
    fn told(&mut self, scene: &mut Scene<'_>) -> Option<Reply> {
        if scene.errs(Trouble::NeverAcked) {
            return None;
        }
        Some(if scene.errs(Trouble::Busy) { Reply::Busy } else { Reply::Taken })
    }

    /// A question has come to its holder.
    fn asked(&mut self, scene: &mut Scene<'_>, agency: usize, gateway: usize, question: u32) -> Option<Reply> {
        if scene.errs(Trouble::NeverAcked) {
            return None;
        }
        if scene.errs(Trouble::Busy) {
            return Some(Reply::Busy);
        }
        if scene.errs(Trouble::NoAnswer) {
            return Some(Reply::Taken);
        }
        let late = Act::Answer { gateway, question };
        if scene.errs(Trouble::LateAnswer) {
            let pause = scene.dice.pick(&[1, 50, 2_000, 40_000, 150_000]);
            scene.later(pause, Event::Agency(agency, late));
            return Some(Reply::Taken);
        }
        if scene.errs(Trouble::Asks) {
            return Some(Reply::Says(self.word(scene, agency, question)));
        }
        if scene.errs(Trouble::AnswerTwice) {
            let pause = scene.dice.pick(&[0, 1, 20, 5_000]);
            let answer = self.answer(scene, agency, question);
            self.answers.remove(&question);
            scene.later(pause, Event::Agency(agency, late));
            return Some(Reply::Says(answer));
        }
        Some(Reply::Says(self.answer(scene, agency, question)))
    }

    /// What a holder answers: the same again, if it has answered before.
    fn answer(&mut self, scene: &mut Scene<'_>, agency: usize, question: u32) -> u32 {
        let about = if scene.errs(Trouble::OtherAnswer) { question.saturating_sub(1) } else { question };
        if let Some(answer) = self.answers.get(&question) {
            return *answer;
        }
        let letter = Letter { about: Some(about), ..self.letter(scene, Sort::Answer, agency, 3_600_000) };
        let answer = scene.letters.write(scene.plan.seed, letter);
        if about == question {
            self.answers.insert(question, answer);
        }
        answer
    }

    fn word(&mut self, scene: &mut Scene<'_>, agency: usize, question: u32) -> u32 {
        let by = time(scene.now).plus_ms(scene.dice.pick(&[500, 20_000, 90_000]));
        let letter = self.letter(scene, Sort::Status, agency, 3_600_000);
        scene.letters.write(scene.plan.seed, Letter { about: Some(question), by: Some(by), ..letter })
    }

    fn letter(&self, scene: &mut Scene<'_>, sort: Sort, agency: usize, life: u64) -> Letter {
        let size = scene.dice.between(4, 300) as usize;
        Letter { size, ..Letter::new(sort, agency, time(scene.now), life) }
    }

    fn replied(&mut self, scene: &mut Scene<'_>, agency: usize, act: Act, reply: Reply) {
        match (act, reply) {
            (Act::Submit { gateway, letter, more, .. }, Reply::Accepted) => {
                let is_question = scene.letters.get(letter).sort == Sort::Question;
                if is_question && more > 0 && !scene.is_healed && scene.dice.hits(500) {
                    scene.count(Trouble::Resent);
                    let wait = scene.dice.pick(&[0, 2_000]);
                    let pause = scene.dice.pick(&[1_000, 60_000, 200_000]);
                    let act = Act::Submit { gateway, letter, wait, more: more - 1 };
                    scene.later(pause, Event::Agency(agency, act));
                }
            }
            (act @ Act::Submit { .. }, Reply::Refused(code)) if is_passing(code) => self.came_to_nothing(scene, agency, act),
            (act @ Act::Submit { .. }, Reply::Answered) if !scene.is_healed && scene.dice.hits(150) => {
                self.came_to_nothing(scene, agency, act);
            }
            (Act::Come { gateway, worker }, Reply::Leased(leases)) => {
                self.coming.remove(&(agency, gateway, worker));
                for (lease, letter) in leases {
                    self.work(scene, agency, gateway, lease, letter);
                }
            }
            (Act::Come { gateway, worker }, _) => drop(self.coming.remove(&(agency, gateway, worker))),
            _ => {}
        }
    }

    /// A worker works on what it has on lease.
    fn work(&mut self, scene: &mut Scene<'_>, agency: usize, gateway: usize, lease: u64, letter: u32) {
        let does = |done| Act::Lease { gateway, lease, done };
        let is_question = scene.letters.get(letter).sort == Sort::Question;
        if scene.errs(Trouble::Vanished) {
            return;
        }
        if scene.errs(Trouble::Nack) {
            return self.act(scene, agency, does(Done::Nack));
        }
        if scene.errs(Trouble::OtherLease) {
            let other = Act::Lease { gateway, lease: lease ^ 1, done: Done::Ack };
            let who = scene.dice.pick(&[OFFICE, VILLAGE]);
            self.act(scene, who, other);
        }
        let mut pause = scene.dice.between(10, 3_000);
        if scene.errs(Trouble::Extended) {
            scene.later(30_000, Event::Agency(agency, does(Done::Extend)));
            pause = 75_000;
        }
        if scene.errs(Trouble::AckLate) {
            pause += 65_000;
        }
        if scene.errs(Trouble::AckTwice) {
            scene.later(pause + 20, Event::Agency(agency, does(Done::Ack)));
        }
        let is_answered_at_once = is_question && scene.dice.hits(500);
        if !is_answered_at_once {
            scene.later(pause, Event::Agency(agency, does(Done::Ack)));
        }
        if is_question && !scene.errs(Trouble::NoAnswer) {
            let after = if scene.errs(Trouble::LateAnswer) { 90_000 } else { scene.dice.below(2_000) };
            scene.later(pause + after, Event::Agency(agency, Act::Answer { gateway, question: letter }));
        }
    }
}

/// Whether the same message may do better later.
fn is_passing(code: Code) -> bool {
    matches!(
        code,
        Code::LogUnavailable | Code::MsgInProgress | Code::LimRequests | Code::LimParallel | Code::HttpBusy | Code::RteDeadline
    )
}

/// What the clocks of agencies say, which are right.
pub(super) fn time(now: u64) -> UnixTime {
    UnixTime::from_ms(super::gateway::START as u64 + now)
}
