//! Telling people of their cases: who is told of what the case has decided; here it goes out, again and again until it is taken.

use super::super::{Gateway, World, now};
use super::{InHand, Step};
use crate::base::ids::{Identifier, Uuid};
use crate::base::time::UnixTime;
use crate::exchange::cases::{Case, Change, Notice as Told, SURVEY, Text, Whom};
use crate::host::config;
use crate::host::notices::{Address, Notice, Notices, Undelivered};
use crate::host::store::StoreError;
use crate::message::crypto::sha256;
use crate::rules::registry::{Endpoint, Scheme};
use crate::rules::situation::quiet::quiet_until;
use crate::rules::situation::texts::{Filling, TextEvent, fill};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How people are told.
pub struct Telling {
    /// By what.
    pub notices: Notices,
    /// When, and from where.
    pub config: config::Notices,
    /// Where curators are told, by their names in situations.
    pub curators: BTreeMap<String, String>,
}

/// What is being done about a notice.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Trying {
    tries: u32,
    /// When it is tried again; none while it is on its way.
    again: Option<UnixTime>,
}

impl Gateway {
    /// Sends the notices of a case whose time has come; says when there is something to send, if nothing happens before.
    pub(super) async fn notify(self: &Arc<Self>, world: &Arc<World>, hand: &mut InHand) -> Result<Option<UnixTime>, StoreError> {
        let pending: Vec<u32> =
            (0..).zip(&hand.case.notices).filter(|(_, told)| !told.is_over).map(|(number, _)| number).collect();
        let (mut nobody, mut wakes) = (Vec::new(), None::<UnixTime>);
        for number in pending {
            let Some(told) = hand.case.notices.get(number as usize).cloned() else { continue };
            let is_for_nothing = told.event == SURVEY && self.survey_link(&hand.case).is_none();
            let Some(to) = self.address_of(hand, told.whom).filter(|_| !is_for_nothing) else {
                nobody.push(Change::NoticeIs { number, taken: false });
                continue;
            };
            let trying = hand.telling.get(&number).copied().unwrap_or(Trying { tries: 0, again: Some(UnixTime::default()) });
            // On its way.
            let Some(again) = trying.again else { continue };
            let due = self.quiet_until(world, &hand.case, &told).map_or(again, |quiet| quiet.max(again));
            let due = due.max(self.asked_from(world, hand, &told));
            if due > now() {
                wakes = Some(wakes.map_or(due, |wakes| wakes.min(due)));
                continue;
            }
            if hand.case.link_in_force(now()).is_none() && self.has_pages() && told.whom == Whom::Applicant {
                self.make_link(world, hand).await?;
            }
            hand.telling.insert(number, Trying { tries: trying.tries.saturating_add(1), again: None });
            let notice = self.written(world, hand, (number, &told));
            let (gateway, id) = (Arc::clone(self), hand.case.id);
            tokio::spawn(async move {
                let sent = match &gateway.telling_people {
                    Some(telling) => telling.notices.send(&to, &notice).await,
                    None => Err(Undelivered::Never("nobody is told of anything".to_owned())),
                };
                gateway.was_told(id, number, sent).await;
            });
        }
        if !nobody.is_empty() {
            let by = hand.case.opening.coordinator.0.clone();
            self.record_changes(world, hand, nobody, Step { ends: None, by: &by, at: now() }).await?;
        }
        Ok(wakes)
    }

    fn has_pages(&self) -> bool {
        self.telling_people.as_ref().is_some_and(|telling| telling.config.public_url.is_some())
    }

    fn address_of(&self, hand: &InHand, whom: Whom) -> Option<Address> {
        let telling = self.telling_people.as_ref()?;
        let text = match whom {
            Whom::Applicant => hand.case.contact.address.as_deref(),
            Whom::Curator => telling.curators.get(&*hand.situation.curator).map(String::as_str),
            Whom::Assistant | Whom::Agency => None,
        };
        text.and_then(Address::parse)
    }

    /// What can wait waits for the morning where the citizen lives.
    fn quiet_until(&self, world: &World, case: &Case, told: &Told) -> Option<UnixTime> {
        let is_urgent = matches!(told.event.as_str(), "failed" | "expiring");
        let quiet = self.telling_people.as_ref().filter(|_| told.whom == Whom::Applicant && !is_urgent)?.config.quiet;
        let calendar = world.catalogue.calendar(case.region());
        let ahead = case.contact.ahead_minutes.or_else(|| calendar.map(|calendar| calendar.ahead_minutes())).unwrap_or(0);
        quiet_until(case.time(now()), ahead, quiet).map(|until| case.real(until))
    }

    /// How it was is asked a while after the end, as the situation has it.
    fn asked_from(&self, world: &World, hand: &InHand, told: &Told) -> UnixTime {
        let delay = hand.situation.survey.as_ref().filter(|_| told.event == SURVEY).map(|survey| survey.delay);
        let calendar = world.catalogue.calendar(hand.case.region());
        let from = delay.zip(calendar).map(|(delay, calendar)| delay.end(told.since, calendar));
        from.map_or(UnixTime::default(), |from| hand.case.real(from))
    }

    async fn make_link(self: &Arc<Self>, world: &World, hand: &mut InHand) -> Result<(), StoreError> {
        let link = self.link_of(&hand.case, hand.case.links.saturating_add(1))?;
        let until = hand.case.time(now()).plus_ms(super::starts::LINK_MS).into();
        let change = Change::Link { hash: Text(sha256(link.as_bytes())), until };
        let by = hand.case.opening.coordinator.0.clone();
        self.record_changes(world, hand, vec![change], Step { ends: None, by: &by, at: now() }).await
    }

    /// The so-manyth personal link of a case: 128 bits that nobody can guess, which follow from a key of the log's and are kept nowhere.
    pub(super) fn link_of(&self, case: &Case, number: u32) -> Result<String, StoreError> {
        self.secret_of(case, "XX-OGLINK", &format!("{}-{number}", case.id))
    }

    /// A secret of a case, by its name in a scheme.
    pub(super) fn secret_of(&self, case: &Case, scheme: &str, name: &str) -> Result<String, StoreError> {
        let named = Identifier::parse(scheme, &name.to_uppercase()).map_err(|_| StoreError::Forgotten)?;
        let (year, ..) = case.opened.day().parts();
        let key = self.store.person_key(year, &named)?;
        Ok(key.iter().take(16).map(|octet| format!("{octet:02x}")).collect())
    }

    fn written(&self, world: &World, hand: &InHand, (number, told): (u32, &Told)) -> Notice {
        let case = &hand.case;
        let telling = self.telling_people.as_ref();
        let standard = telling.map_or("en", |telling| telling.config.language.as_str());
        let language = match told.whom {
            Whom::Applicant => case.contact.language.as_deref().unwrap_or(standard),
            _ => standard,
        };
        let event = TextEvent::parse(&told.event).unwrap_or(TextEvent::Failed);
        let step = told.step.as_ref().and_then(|step| hand.situation.steps.iter().find(|known| known.id == *step));
        let titles = |step: &crate::rules::situation::Step| {
            let office = world.catalogue.offices().get(&step.office).map(|office| office.title.in_language(language).to_owned());
            (step.title.in_language(language).to_owned(), office.unwrap_or_default())
        };
        let (step, agency) = step.map(titles).unwrap_or_default();
        let situation = hand.situation.title.in_language(language);
        let documents = case.asked_for(&world.catalogue, language);
        let link = case.link.filter(|_| told.whom == Whom::Applicant).and_then(|_| {
            let base = telling?.config.public_url.as_ref()?;
            Some(format!("{}/my/{}", plain(base), self.link_of(case, case.links).ok()?))
        });
        let link = if told.event == SURVEY { self.survey_link(case) } else { link };
        let date = case.due_of(&hand.situation, told.step.as_ref()).map_or_else(String::new, |due| due.day().to_string());
        let filling = Filling {
            step: &step,
            situation,
            date: &date,
            agency: &agency,
            document: &documents,
            link: link.as_deref().unwrap_or(""),
        };
        let text = match told.whom {
            // A curator looks after many, and is told which and where, but not whose.
            Whom::Applicant => fill(world.catalogue.text(&hand.situation.id, event, language), &filling),
            _ => format!("{situation}: {} {step} ({agency}), {}", told.event, case.id),
        };
        Notice {
            id: Uuid::derived(case.id.octets(), &sha256(&[case.id.octets().as_slice(), &number.to_be_bytes()].concat())),
            case: case.id,
            event,
            title: situation.to_owned(),
            text,
            language: language.to_owned(),
            link,
        }
    }

    /// Notes what became of a notice.
    async fn was_told(self: &Arc<Self>, id: Uuid, number: u32, sent: Result<(), Undelivered>) {
        let held = self.cases.held(id);
        let mut slot = held.lock().await;
        let Some(hand) = slot.as_mut() else { return };
        let tries = hand.telling.get(&number).map_or(1, |trying| trying.tries);
        let taken = match sent {
            Ok(()) => true,
            Err(Undelivered::Later(cause)) if tries < TRIES_MAX => {
                self.telemetry.say_sparingly(&format!("a notice of the case {id} waits: {cause}"));
                let again = now().plus_ms(pause_ms(tries));
                hand.telling.insert(number, Trying { tries, again: Some(again) });
                self.cases.book(|book| book.wake_by(&id, again));
                return self.cases.changed.notify_one();
            }
            Err(undelivered) => {
                self.telemetry.say_sparingly(&format!("a notice of the case {id} reaches nobody: {undelivered}"));
                false
            }
        };
        hand.telling.remove(&number);
        let (world, by) = (self.world(), hand.case.opening.coordinator.0.clone());
        let change = vec![Change::NoticeIs { number, taken }];
        if self.record_changes(&world, hand, change, Step { ends: None, by: &by, at: now() }).await.is_err() {
            // It may be told twice; its id is the same.
            *slot = None;
            return;
        }
        let again = hand.telling.values().filter_map(|trying| trying.again).min();
        self.set_wake(&world, hand, again);
    }
}

/// An address as people write it: without the port that it has anyway, and without a solidus at its end.
pub(super) fn plain(base: &Endpoint) -> String {
    let (text, port) = (base.to_string(), if base.scheme == Scheme::Https { ":443" } else { ":80" });
    let (origin, path) = text.split_at(text.find("://").map_or(0, |at| at + 3));
    let (host, rest) = path.split_at(path.find('/').unwrap_or(path.len()));
    format!("{origin}{}{}", host.strip_suffix(port).unwrap_or(host), rest.trim_end_matches('/'))
}

/// How long is waited before a notice is sent again that was sent so often.
fn pause_ms(tries: u32) -> u64 {
    (PAUSE_MS << tries.min(13)).min(PAUSE_MS_MAX)
}

/// How often a notice is sent: over about three days.
const TRIES_MAX: u32 = 48;
const PAUSE_MS: u64 = 1_000;
const PAUSE_MS_MAX: u64 = 2 * 60 * 60 * 1000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::DAY_MS;

    /// As docs/notices.md says it.
    #[test]
    fn a_notice_is_sent_for_three_days_every_two_hours_in_the_end() {
        let pauses: Vec<u64> = (1..TRIES_MAX).map(pause_ms).collect();
        assert_eq!(pauses[..3], [2_000, 4_000, 8_000]);
        assert_eq!(pauses.iter().max(), Some(&(2 * 60 * 60 * 1000)));
        let all: u64 = pauses.iter().sum();
        assert!(all.abs_diff(3 * DAY_MS) < DAY_MS / 10, "{all}");
    }
}
