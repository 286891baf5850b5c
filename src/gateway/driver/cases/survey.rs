//! Asking people how it was, and keeping what they say apart from them.
//!
//! An answer is first kept under the hash of its link; then its case notes that the link is used up, and no more; then the answer goes
//! among all others, and nothing joins them any more. Whatever is cut off in between is done at the next start.

use super::super::{Gateway, World, now};
use super::notices::plain;
use super::{InHand, Step};
use crate::base::fault::{Code, Fault};
use crate::base::ids::{Digest, Uuid};
use crate::base::time::UnixTime;
use crate::exchange::cases::{Around, Case, Change};
use crate::host::ratings::{Ratings, RatingsError};
use crate::host::store::StoreError;
use crate::message::crypto::sha256;
use crate::message::envelope;
use crate::rules::quality::scoreboard::Invited;
use crate::rules::quality::{Answer, Rating};
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// What people have said. What they are asked is of the world in force.
pub struct Quality {
    /// Of the live world and of the test world.
    ratings: [Ratings; 2],
    /// Where the pages are, once they are.
    pages: OnceLock<String>,
}

impl Quality {
    /// With answers under a folder of the gateway's data.
    pub fn open(data: &Path) -> Result<Self, RatingsError> {
        let of = |world: &str| Ratings::open(&data.join("ratings").join(world));
        Ok(Self { ratings: [of("live")?, of("test")?], pages: OnceLock::new() })
    }

    /// What people have said in a world.
    pub fn ratings(&self, world: envelope::World) -> &Ratings {
        let [live, test] = &self.ratings;
        match world {
            envelope::World::Live => live,
            envelope::World::Test => test,
        }
    }

    /// The pages are at this address.
    pub fn pages_are_at(&self, url: String) {
        let _ = self.pages.set(url);
    }
}

impl Gateway {
    /// What people have said, if that is looked after here.
    pub fn quality(&self) -> Option<&Quality> {
        self.quality.as_ref()
    }

    /// How many were asked how it was.
    pub fn invited(&self, world: envelope::World) -> Vec<Invited> {
        self.cases.book(|book| book.invited(world)).unwrap_or_default()
    }

    /// Fills in the invitation of a case that ends by some changes.
    pub(super) fn invite(&self, case: &Case, changes: &mut [Change], at: UnixTime) -> Result<(), StoreError> {
        if self.quality.is_none() || !changes.iter().any(|change| matches!(change, Change::Closed { .. })) {
            return Ok(());
        }
        let link = self.survey_secret(case)?;
        Case::invite(changes, sha256(link.as_bytes()), at);
        Ok(())
    }

    /// The link under which somebody says how it was: 128 bits that follow from a key of the log's, and are kept nowhere.
    fn survey_secret(&self, case: &Case) -> Result<String, StoreError> {
        self.secret_of(case, "XX-OGRATE", &case.id.to_string())
    }

    /// The path of the page on which whoever a case was for can say how it was, as long as they have not.
    pub fn survey_path(&self, case: &Case) -> Option<String> {
        case.invitation().filter(|invited| self.quality.is_some() && UnixTime::from(invited.until) > now())?;
        Some(format!("/s/{}", self.survey_secret(case).ok()?))
    }

    /// The same as a link, if it is known where the pages are.
    pub fn survey_link(&self, case: &Case) -> Option<String> {
        let public = self.telling_people.as_ref().and_then(|telling| telling.config.public_url.as_ref()).map(plain);
        let base = public.or_else(|| self.quality()?.pages.get().cloned())?;
        Some(format!("{base}{}", self.survey_path(case)?))
    }

    /// Looks at the case that somebody is asked about, by a link that takes an answer.
    pub async fn surveyed<T>(&self, link: &str, look: impl FnOnce(&Case, Around<'_>) -> T) -> Result<T, Fault> {
        let gone = || Fault::new(Code::ConsoleSurvey);
        let hash = sha256(link.as_bytes());
        let id = self.cases.book(|book| book.by_survey(&hash)).flatten().ok_or_else(gone)?;
        let held = self.cases.held(id);
        let mut slot = held.lock().await;
        let world = self.world();
        if slot.is_none() {
            *slot = self.load_case(&world, id).map_err(|cause| super::super::log_unreadable(&cause))?;
        }
        let hand = slot.as_ref().filter(|hand| hand.case.is_invited(&hash, now())).ok_or_else(gone)?;
        Ok(look(&hand.case, self.around(&world, &hand.situation)))
    }

    /// Keeps an answer, and uses up its link. Once this has returned the answer is durable, and will be counted once; whoever hangs up
    /// meanwhile undoes nothing.
    pub async fn rate(self: &Arc<Self>, link: &str, answer: Answer) -> Result<(), Fault> {
        let (gateway, hash) = (Arc::clone(self), sha256(link.as_bytes()));
        let doing = tokio::spawn(async move { gateway.rate_to_its_end(hash, answer).await });
        doing.await.unwrap_or_else(|_| Err(Fault::new(Code::HttpBusy).with_retry_after(1)))
    }

    async fn rate_to_its_end(self: Arc<Self>, hash: Digest, answer: Answer) -> Result<(), Fault> {
        let gone = || Fault::new(Code::ConsoleSurvey);
        let quality = self.quality().ok_or_else(gone)?;
        let id = self.cases.book(|book| book.by_survey(&hash)).flatten().ok_or_else(gone)?;
        let held = self.cases.held(id);
        let mut slot = held.lock().await;
        let world = self.world();
        if slot.is_none() {
            *slot = self.load_case(&world, id).map_err(|cause| super::super::log_unreadable(&cause))?;
        }
        let hand = slot.as_mut().filter(|hand| hand.case.is_invited(&hash, now())).ok_or_else(gone)?;
        let survey = hand.case.survey(self.around(&world, &hand.situation)).ok_or_else(gone)?;
        let rating = Rating::new(survey.about, answer).map_err(|cause| unkept(&cause))?;
        let ratings = quality.ratings(survey.world);
        on_disk(|| ratings.pend(&hash, &rating)).map_err(|cause| unkept(&cause))?;
        if let Err(cause) = self.use_up(&world, hand).await {
            // What is on record of it nobody knows: the next start does.
            *slot = None;
            return Err(super::super::log_unavailable(&cause));
        }
        if let Err(cause) = on_disk(|| ratings.settle(&hash)) {
            self.telemetry.say_sparingly(&format!("an answer is kept and waits to be counted: {cause}"));
        }
        Ok(())
    }

    /// Notes that the link of a case is used up.
    async fn use_up(self: &Arc<Self>, world: &World, hand: &mut InHand) -> Result<(), StoreError> {
        let by = hand.case.opening.coordinator.0.clone();
        self.record_changes(world, hand, vec![Change::Rated], Step { ends: None, by: &by, at: now() }).await?;
        let _ = self.cases.watched.send(hand.case.id);
        Ok(())
    }

    /// Takes answers apart from their cases that a crash or a full disk has left together.
    pub(super) async fn settle_ratings(self: &Arc<Self>) {
        let Some(quality) = self.quality() else { return };
        for ratings in &quality.ratings {
            let pending = on_disk(|| ratings.pending()).unwrap_or_default();
            for hash in pending {
                let id = self.cases.book(|book| book.by_survey(&hash)).flatten();
                let settled = match id {
                    Some(id) => self.settle_rating(ratings, id, &hash).await,
                    // It is of no case here.
                    None => on_disk(|| ratings.forget(&hash)).map_err(|cause| cause.to_string()),
                };
                if let Err(cause) = settled {
                    self.telemetry.say_sparingly(&format!("an answer waits to be counted: {cause}"));
                }
            }
        }
    }

    async fn settle_rating(self: &Arc<Self>, ratings: &Ratings, id: Uuid, hash: &Digest) -> Result<(), String> {
        let held = self.cases.held(id);
        let mut slot = held.lock().await;
        let world = self.world();
        if slot.is_none() {
            *slot = self.load_case(&world, id).map_err(|cause| cause.to_string())?;
        }
        let hand = slot.as_mut().ok_or_else(|| format!("the case {id} cannot be read"))?;
        // It came in time, whatever the time is now.
        if hand.case.invitation().is_some_and(|invited| invited.hash == *hash)
            && let Err(cause) = self.use_up(&world, hand).await
        {
            *slot = None;
            return Err(cause.to_string());
        }
        on_disk(|| ratings.settle(hash)).map_err(|cause| cause.to_string())
    }
}

/// Nobody else waits while files are written.
fn on_disk<T>(doing: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(doing)
}

fn unkept(cause: &dyn std::error::Error) -> Fault {
    Fault::new(Code::ConsoleUnkept).with_private(cause.to_string()).with_retry_after(60)
}
