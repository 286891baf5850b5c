//! Holders and agencies of steps, and citizens. Each agency does what a message asks once, whatever comes of its answer, and says the
//! same to a message that comes again.

use super::super::plan::Trouble;
use super::wire::{Asked, Event, Packet, Posted, Say, Scene, Towards};
use crate::base::ids::{AgencyId, MessageId};
use std::collections::BTreeMap;

/// All of them.
#[derive(Default)]
pub(super) struct Agencies {
    /// What each message was answered with, or will be.
    answers: BTreeMap<MessageId, Option<Say>>,
}

impl Agencies {
    /// A message has come to an agency.
    pub(super) fn take(&mut self, scene: &mut Scene<'_>, posted: &Posted) {
        let id = posted.id;
        match self.answers.get(&id) {
            Some(Some(say)) => return scene.carry(Towards::Gateway, Packet::Says(id, *say)),
            // It is at work.
            Some(None) => return,
            None => {}
        }
        if scene.errs(Trouble::Busy) || scene.errs(Trouble::NoAnswer) {
            return;
        }
        let is_fault = posted.what != Asked::Word && scene.errs(Trouble::OtherAnswer);
        let say = if is_fault { Say::Fault } else { Say::Right };
        let asks = scene.errs(Trouble::Asks);
        if asks {
            scene.carry(Towards::Gateway, Packet::Says(id, Say::AtWork));
        }
        let pause = match asks || scene.errs(Trouble::LateAnswer) {
            true => scene.dice.pick(&[300, 5_000, 40_000]),
            false => scene.dice.between(1, 40),
        };
        self.answers.insert(id, None);
        if let (Asked::Step(step), Say::Right) = (&posted.what, say) {
            scene.watcher.is_done(posted.case, step, id);
        }
        scene.later(pause, Event::Say(posted.to.clone(), id, say));
    }

    /// An agency has done what it was asked, and says so.
    pub(super) fn say(&mut self, scene: &mut Scene<'_>, agency: &AgencyId, id: MessageId, say: Say) {
        scene.note(|| format!("{agency} says {say:?} of {id}"));
        self.answers.insert(id, Some(say));
        scene.carry(Towards::Gateway, Packet::Says(id, say));
        if scene.errs(Trouble::AnswerTwice) {
            let pause = scene.dice.pick(&[0, 100, 20_000]);
            scene.later(pause, Event::Say(agency.clone(), id, say));
        }
    }
}
