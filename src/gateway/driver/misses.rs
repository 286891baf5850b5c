//! Answers that there is no record: counted as they are released, and asked about before the next question.

use super::{Gateway, Visit, World, now};
use crate::base::fault::Fault;
use crate::exchange::admission::{Answer, Permitted};
use crate::message::envelope::Body;
use crate::rules::quota::{Alarm, Found, Misses};
use std::sync::PoisonError;

/// What an answer to a question for a document says; nothing of any other.
pub(super) fn found(question: &Permitted, answer: &Answer) -> Option<Found> {
    match (&question.message().body, &answer.message().body) {
        (Body::Ask(_), Body::NoRecord { .. }) => Some(Found::Nothing),
        (Body::Ask(_), Body::Documents(_)) => Some(Found::Something),
        _ => None,
    }
}

impl Gateway {
    /// Who tries out identifiers is stopped before the holder is asked.
    pub(super) fn may_miss(&self, visit: &Visit, question: &Permitted) -> Result<(), Fault> {
        // Whoever asks for another asks from the other's budget.
        let agency = visit.world.registry.agency(question.principal().unwrap_or(question.consumer()));
        let Some(agency) = agency.filter(|_| matches!(question.message().body, Body::Ask(_))) else { return Ok(()) };
        let asked = self.misses().ask(&agency.id, agency.allowance.misses, now());
        if asked.alarm != Alarm::None {
            let what = format!("{} has asked about too many people of whom there is no record on this day", agency.id);
            self.telemetry.alarm("misses", &what);
        }
        asked.verdict
    }

    /// Counts an answer that is on record.
    pub(super) fn count_answer(&self, world: &World, question: &Permitted, found: Found) {
        let agency = question.principal().unwrap_or(question.consumer());
        let Some(agency) = world.registry.agency(agency) else { return };
        let alarm = self.misses().answered(&agency.id, found, agency.allowance.misses, now());
        if alarm != Alarm::None {
            let what = format!("{} has used four fifths of its answers that there is no record on this day", agency.id);
            self.telemetry.alarm("misses", &what);
        }
    }

    pub(super) fn misses(&self) -> std::sync::MutexGuard<'_, Misses> {
        self.misses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
