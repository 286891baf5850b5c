//! Asking how it was: who is invited when a case ends, and what is said of the case beside an answer.
//!
//! Refuses a second invitation, and one where nothing applied. What goes beside an answer names nobody, no case and no day.

use super::{Around, Case, Change, Ending, Invitation, StepState};
use crate::base::ids::{AgencyId, Digest, Region};
use crate::base::limits;
use crate::base::time::UnixTime;
use crate::message::envelope::World;
use crate::rules::quality::{About, Ending as Ended, Month, Provider, Rated};
use crate::rules::situation::Level;
use std::collections::BTreeSet;

/// The event of which whoever is asked is told.
pub const SURVEY: &str = "survey";

/// What somebody is asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survey {
    /// What is kept beside the answer.
    pub about: About,
    /// In which world: answers about people who do not exist lie apart.
    pub world: World,
}

/// Whether whoever a case was for is asked how it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asking {
    /// It goes on still, or nothing applied, or nobody was asked when it ended.
    Not,
    /// They are, under this link.
    Open(Invitation),
    /// They were, and have said it.
    Over,
}

impl Case {
    /// The invitation to say how it was, as long as nobody has; it may be too late for it.
    pub const fn invitation(&self) -> Option<Invitation> {
        match self.asking {
            Asking::Open(invitation) => Some(invitation),
            Asking::Not | Asking::Over => None,
        }
    }

    /// Invites whoever a case is for when it ends by one of these changes, with the hash of their link.
    pub fn invite(changes: &mut [Change], hash: Digest, now: UnixTime) {
        for change in changes {
            if let Change::Closed { how, invited: invited @ None } = change
                && how.is_rated()
            {
                *invited = Some(Invitation { hash, until: now.plus_ms(limits::SURVEY_LINK_MS).into() });
            }
        }
    }

    /// Whether a link with this hash takes an answer now.
    pub fn is_invited(&self, hash: &Digest, now: UnixTime) -> bool {
        self.invitation().is_some_and(|known| known.hash == *hash && UnixTime::from(known.until) > now)
    }

    /// What an answer is about; nothing as long as the case is not over.
    pub fn survey(&self, around: Around<'_>) -> Option<Survey> {
        let (how, at) = self.ended?;
        let ending = match how {
            Ending::Done => Ended::Done,
            Ending::Refused => Ended::Refused,
            Ending::Withdrawn => Ended::Withdrawn,
            Ending::Abandoned => Ended::Abandoned,
            Ending::Nothing => return None,
        };
        let (agencies, provider) = self.took_part(around);
        let about = About {
            rated: Rated::Situation(self.opening.situation.0.clone()),
            region: self.region().cloned().or_else(|| no_region(&self.opening.coordinator.0))?,
            month: Month::of(self.real(at).day()),
            ending,
            agencies,
            provider,
        };
        Some(Survey { about, world: self.opening.world() })
    }

    /// The agencies that had a step, and whose they are: not the state's if all of them are partners. Where nobody had one it is the
    /// coordinator that is rated.
    fn took_part(&self, around: Around<'_>) -> (BTreeSet<AgencyId>, Provider) {
        let lines = around.situation.steps.iter().zip(&self.steps);
        let had = lines.filter_map(|(step, line)| {
            let agency = line.agency.clone().filter(|_| line.state != StepState::Idle || line.offered.is_some())?;
            let level = around.catalogue.offices().get(&step.office).map(|office| office.level);
            Some((agency, level == Some(Level::Partner)))
        });
        let had: Vec<(AgencyId, bool)> = had.take(limits::RATING_AGENCIES_MAX).collect();
        let is_partners = !had.is_empty() && had.iter().all(|(_, is_partner)| *is_partner);
        let mut agencies: BTreeSet<AgencyId> = had.into_iter().map(|(agency, _)| agency).collect();
        if agencies.is_empty() {
            agencies.insert(self.opening.coordinator.0.clone());
        }
        (agencies, if is_partners { Provider::NonState } else { Provider::State })
    }
}

/// Of a case without a region: the coordinator's country, and no part of it.
pub(super) fn no_region(coordinator: &AgencyId) -> Option<Region> {
    let country = coordinator.as_str().split('.').next().filter(|country| country.len() == 2).unwrap_or("zz");
    Region::parse(&format!("{}-0", country.to_ascii_uppercase()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::crypto::sha256;

    /// Beside an end there is one invitation, and the first one stays.
    #[test]
    fn every_ending_invites_once_and_nothing_that_did_not_apply_does() {
        let now = UnixTime::from_ms(1_800_000_000_000);
        for how in Ending::ALL {
            let mut changes =
                [Change::Heard { message: crate::exchange::cases::Text(sha256(b"m")) }, Change::Closed { how, invited: None }];
            Case::invite(&mut changes, sha256(b"link"), now);
            let before = changes.clone();
            Case::invite(&mut changes, sha256(b"another"), now);
            assert_eq!(changes, before);
            let [_, Change::Closed { invited, .. }] = &changes else { panic!("it is still the end") };
            assert_eq!(invited.map(|invited| invited.hash), (how != Ending::Nothing).then(|| sha256(b"link")), "{how:?}");
            assert!(invited.is_none_or(|invited| UnixTime::from(invited.until) == now.plus_ms(limits::SURVEY_LINK_MS)));
            // What was written before there were invitations is read as it was.
            let old = format!("[{{\"c\":\"closed\",\"how\":\"{}\"}}]", how.as_str());
            assert_eq!(super::super::read(&old), Some(vec![Change::Closed { how, invited: None }]));
            assert_eq!(super::super::read(&super::super::write(&changes)), Some(changes.to_vec()));
        }
    }
}
