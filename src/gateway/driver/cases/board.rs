//! What people see of cases who are no party to them, and what curators do.

use super::super::audit::Onlooker;
use super::super::{Gateway, World, now};
use super::{CaseError, InHand, Step, new_id};
use crate::base::fault::{Code, Fault};
use crate::base::ids::Uuid;
use crate::exchange::cases::{Around, Board, Case, Glance, OrderOf};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

impl Gateway {
    /// Puts a case on the board as it is now.
    pub(super) fn glance(&self, world: &World, hand: &InHand) {
        let glance = Glance::at(&hand.case, self.around(world, &hand.situation));
        self.cases.board.lock().unwrap_or_else(PoisonError::into_inner).put(hand.case.id, glance);
    }

    /// Looks at all open cases.
    pub fn board<T>(&self, look: impl FnOnce(&Board) -> T) -> T {
        look(&self.cases.board.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts the open cases on the board that nothing has happened in since the start: slowly, since nobody waits for it. It reads files: give it
    /// a task of its own.
    pub async fn fill_board(self: Arc<Self>) {
        let mut last: Option<Uuid> = None;
        while !self.is_stopping()
            && let Some(row) = self.cases.book(|book| book.open_behind(last.as_ref())).flatten()
        {
            last = Some(row.id);
            if self.board(|board| board.has(&row.id)) {
                continue;
            }
            let _ = self.case_for_people(row.id, |_, _| ()).await;
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Looks a case up for people who may see all cases: what they may be told of it is for whoever asks to see to.
    pub async fn case_for_people<T>(&self, id: Uuid, look: impl FnOnce(&Case, Around<'_>) -> T) -> Result<T, CaseError> {
        if self.cases.book(|book| book.row(&id)).flatten().is_none() {
            return Err(CaseError::Unknown);
        }
        let held = self.cases.held(id);
        let mut slot = held.lock().await;
        let world = self.world();
        if slot.is_none() {
            *slot = self.load_case(&world, id)?;
        }
        let hand = slot.as_ref().ok_or(CaseError::Unknown)?;
        self.glance(&world, hand);
        Ok(look(&hand.case, self.around(&world, &hand.situation)))
    }

    /// What a curator has done about a case: on record with who it was and what they have said, then done.
    pub async fn curate(
        self: &Arc<Self>,
        id: Uuid,
        onlooker: &Onlooker<'_>,
        order: &OrderOf,
        said: Option<&str>,
    ) -> Result<u64, Fault> {
        let unknown = || Fault::new(Code::CasUnknown);
        let held = self.cases.held(id);
        let mut slot = held.lock().await;
        let world = self.world();
        if slot.is_none() {
            *slot = self.load_case(&world, id).map_err(|cause| super::super::log_unreadable(&cause))?;
        }
        let hand = slot.as_mut().ok_or_else(unknown)?;
        let situation = Arc::clone(&hand.situation);
        let changes = hand.case.curated(self.around(&world, &situation), order, &mut new_id)?;
        let action = if matches!(order, OrderOf::Remind(_)) { "remind" } else { "reassign" };
        let onlooker = Onlooker { world: hand.case.opening.world(), ..*onlooker };
        let recorded = self.record_doing(&onlooker, action, Some(id), said).await?.index();
        let by = hand.case.opening.coordinator.0.clone();
        let kept = self.record_changes(&world, hand, changes, Step { ends: None, by: &by, at: now() }).await;
        let went = match kept {
            Ok(()) => self.advance(&world, hand).await,
            Err(cause) => Err(cause),
        };
        if let Err(cause) = went {
            // What was decided may not be what is on record: it is read again.
            *slot = None;
            return Err(super::super::log_unavailable(&cause));
        }
        Ok(recorded)
    }
}

/// Between two cases that are read.
const PAUSE: Duration = Duration::from_millis(2);
