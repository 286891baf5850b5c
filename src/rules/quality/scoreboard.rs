//! What many ratings say together: how many are satisfied, with the interval; how many answered, and what the others might have said; the
//! same by month, ending, region, agency, provider and what was rated; and whether a drop is noise.
//!
//! A fold over ratings and invitations, in whatever order they come. Nothing leaves it but what suppression has let through.

use super::rating::{Rating, Satisfied};
use super::statistics::{Bounds, Comparison, SHOWN_MIN, Share, Shown, Verdict, protect};
use super::words::{Dimension, Ending, Month, Provider, Rated, Reason};
use crate::base::ids::{AgencyId, Region};
use std::collections::BTreeMap;

/// Counts of ratings and invitations. What they are is told by [`Scoreboard::show`] alone.
#[derive(Clone, Debug, Default)]
pub struct Scoreboard {
    all: Tally,
    months: BTreeMap<Month, Tally>,
    endings: BTreeMap<Ending, Tally>,
    regions: BTreeMap<Region, Tally>,
    agencies: BTreeMap<AgencyId, Tally>,
    providers: BTreeMap<Provider, Tally>,
    rated: BTreeMap<Rated, Tally>,
    /// Those who gave points and the satisfied among them, by what was rated and by month.
    courses: BTreeMap<Rated, BTreeMap<Month, (u64, u64)>>,
    /// By what was rated and how: the items of reports.
    items: BTreeMap<(Dimension, Rated), Points>,
    reasons: BTreeMap<Reason, u64>,
    coded: u64,
}

/// How often each of five points was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Points([u64; 5]);

impl Points {
    fn count(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Of so many who were asked, if that is known.
    fn scores(self, invited: Option<u64>) -> Scores {
        let sum: u64 = self.0.iter().zip(1..).map(|(count, score)| count * score).sum();
        let satisfied = self.0.iter().skip(3).sum();
        let mean = if self.count() == 0 { 0.0 } else { sum as f64 / self.count() as f64 };
        let satisfied = Share::new(satisfied, self.count());
        let bounds = invited.and_then(|invited| Bounds::new(satisfied, invited));
        Scores { satisfied, mean, points: self.0, bounds }
    }
}

#[derive(Clone, Debug, Default)]
struct Tally {
    /// Those who answered, with points or in words alone.
    answered: u64,
    /// Those who gave points,
    scored: u64,
    /// and of these the satisfied.
    satisfied: u64,
    /// Those who were asked, where that is known.
    invited: Option<u64>,
    points: BTreeMap<Dimension, Points>,
}

impl Tally {
    fn add(&mut self, rating: &Rating) {
        self.answered += 1;
        if let Some(satisfied) = rating.satisfied() {
            self.scored += 1;
            self.satisfied += u64::from(satisfied == Satisfied::Yes);
        }
        for (dimension, score) in rating.scores() {
            self.points.entry(*dimension).or_default().give(score.place());
        }
    }

    fn invite(&mut self, count: u64) {
        self.invited = Some(self.invited.unwrap_or(0).saturating_add(count));
    }

    fn share(&self) -> Share {
        Share::new(self.satisfied, self.scored)
    }

    /// How many were asked and have not answered.
    fn silent(&self) -> Option<u64> {
        self.invited?.checked_sub(self.answered)
    }

    /// A line of a board on which so many have not answered at all.
    fn row(&self, silent_of_all: Option<u64>) -> Row {
        let participation = self.participation();
        let worst = || Bounds::new(self.share(), self.answered.saturating_add(silent_of_all?));
        // Those who were asked of these are no more than have answered, with all who have not.
        let bounds = participation.map(|known| known.bounds).or_else(|| worst().filter(|_| self.invited.is_none()));
        Row { satisfied: self.share(), participation, bounds }
    }

    /// How many answered, and what the others might have said; nothing where it is not known who was asked, or more answered than that.
    fn participation(&self) -> Option<Participation> {
        let invited = self.invited.filter(|invited| *invited >= self.answered)?;
        Some(Participation {
            answered: Share::new(self.answered, invited),
            bounds: Bounds::new(self.share(), invited)?,
            within: Share::within(self.satisfied, self.scored, invited)?,
        })
    }
}

impl Points {
    fn give(&mut self, place: usize) {
        if let Some(count) = self.0.get_mut(place) {
            *count += 1;
        }
    }
}

/// Who was asked: what they were asked about, where and when, and how many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invited {
    /// About what.
    pub rated: Rated,
    /// Where.
    pub region: Region,
    /// When they were asked.
    pub month: Month,
    /// How many.
    pub count: u64,
}

/// How many of those who were asked have answered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Participation {
    /// So many of all who were asked. It is no sample: its interval says nothing.
    pub answered: Share,
    /// What share would be satisfied if those who did not answer had been asked again and again, at the worst and at the best.
    pub bounds: Bounds,
    /// The satisfied, with the narrower interval for those who were asked and nobody else; if those who did not answer are as the others.
    pub within: Share,
}

/// Points of one kind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scores {
    /// Those who gave 4 or 5.
    pub satisfied: Share,
    /// The mean.
    pub mean: f64,
    /// How often 1 to 5 were given.
    pub points: [u64; 5],
    /// The share of the satisfied at the worst and at the best, whatever those think who were asked and have not answered this.
    pub bounds: Option<Bounds>,
}

/// One line of a board: the satisfied of one month, region or the like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    /// The satisfied.
    pub satisfied: Share,
    /// How many answered, where it is known who was asked.
    pub participation: Option<Participation>,
    /// The share of the satisfied at the worst and at the best, whatever those think who did not answer. Where it is not known how many were
    /// asked of these, all who did not answer at all might be of these.
    pub bounds: Option<Bounds>,
}

/// Lines by whatever they are of.
pub type Rows<K> = Vec<(K, Shown<Row>)>;

/// A drop that is not noise, from one month to the next of which there is something to show.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Alarm {
    /// The month before.
    pub before: Month,
    /// The month of the drop.
    pub after: Month,
    /// By how much.
    pub comparison: Comparison,
}

/// A drop of what one situation or service is rated. Its figures are not told: together with the other rows of the board they might give
/// away a part that is suppressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RatedAlarm {
    /// What was rated.
    pub rated: Rated,
    /// The month before.
    pub before: Month,
    /// The month of the drop.
    pub after: Month,
}

/// What may be told of a board.
#[derive(Clone, Debug, PartialEq)]
pub struct Board {
    /// All of it.
    pub total: Shown<Row>,
    /// How many were asked, where that is known: it says nothing of anybody's answer.
    pub invited: Option<u64>,
    /// Points by dimension.
    pub dimensions: Vec<(Dimension, Shown<Scores>)>,
    /// By month, in their order: the trend.
    pub months: Rows<Month>,
    /// By how it ended.
    pub endings: Rows<Ending>,
    /// By region.
    pub regions: Rows<Region>,
    /// By each agency that took part: one rating may be of several.
    pub agencies: Rows<AgencyId>,
    /// By whose the provider is.
    pub providers: Rows<Provider>,
    /// By situation and service.
    pub rated: Rows<Rated>,
    /// By dimension and what was rated, the worst first: the lowest share of the satisfied, and of these that with the lower end.
    pub items: Vec<((Dimension, Rated), Shown<Scores>)>,
    /// Comments of which somebody has coded the reasons.
    pub coded: Shown<u64>,
    /// How many of these give each reason, the most frequent first.
    pub reasons: Vec<(Reason, Shown<Share>)>,
    /// Drops of all together that are not noise.
    pub alarms: Vec<Alarm>,
    /// Drops of single situations and services: what one loses another may gain, so that all together shows nothing.
    pub rated_alarms: Vec<RatedAlarm>,
}

impl Scoreboard {
    /// A board of nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// A board of these.
    pub fn of<'r>(ratings: impl IntoIterator<Item = &'r Rating>) -> Self {
        let mut board = Self::new();
        ratings.into_iter().for_each(|rating| board.add(rating));
        board
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.rated.is_empty()
    }

    /// Counts one more rating.
    pub fn add(&mut self, rating: &Rating) {
        let about = rating.about();
        self.all.add(rating);
        self.months.entry(about.month).or_default().add(rating);
        self.endings.entry(about.ending).or_default().add(rating);
        self.regions.entry(about.region.clone()).or_default().add(rating);
        self.providers.entry(about.provider).or_default().add(rating);
        self.rated.entry(about.rated.clone()).or_default().add(rating);
        if let Some(satisfied) = rating.satisfied() {
            let (scored, count) = self.courses.entry(about.rated.clone()).or_default().entry(about.month).or_default();
            *scored += 1;
            *count += u64::from(satisfied == Satisfied::Yes);
        }
        for agency in &about.agencies {
            self.agencies.entry(agency.clone()).or_default().add(rating);
        }
        for (dimension, score) in rating.scores() {
            self.items.entry((*dimension, about.rated.clone())).or_default().give(score.place());
        }
        if !rating.reasons().is_empty() {
            self.coded += 1;
            rating.reasons().iter().for_each(|reason| *self.reasons.entry(*reason).or_default() += 1);
        }
    }

    /// Counts so many more who were asked.
    pub fn invite(&mut self, invited: &Invited) {
        self.invite_any(invited.count);
        self.months.entry(invited.month).or_default().invite(invited.count);
        self.regions.entry(invited.region.clone()).or_default().invite(invited.count);
        self.rated.entry(invited.rated.clone()).or_default().invite(invited.count);
    }

    /// Counts so many more who were asked, nobody knows about what.
    pub fn invite_any(&mut self, count: u64) {
        self.all.invite(count);
    }

    /// What may be told of it.
    pub fn show(&self) -> Board {
        let silent = self.all.silent();
        let months = rows(&self.months, silent);
        let points = |dimension: &Dimension| self.all.points.get(dimension).copied().unwrap_or_default();
        Board {
            total: Shown::from(self.all.scored, self.all.row(silent)),
            invited: self.all.invited,
            dimensions: Dimension::ALL.iter().map(|known| (*known, self.shown_points(points(known)))).collect(),
            alarms: alarms(&months),
            rated_alarms: self.rated_alarms(),
            months,
            endings: rows(&self.endings, silent),
            regions: rows(&self.regions, silent),
            agencies: rows(&self.agencies, silent),
            providers: rows(&self.providers, silent),
            rated: rows(&self.rated, silent),
            items: self.items(),
            coded: Shown::from(self.coded, self.coded),
            reasons: self.reasons(),
        }
    }

    /// More answered than were asked: then it is not known how many were.
    fn asked_about(&self, rated: &Rated) -> Option<u64> {
        self.rated.get(rated).and_then(|tally| tally.invited.filter(|invited| *invited >= tally.answered))
    }

    fn shown_points(&self, points: Points) -> Shown<Scores> {
        let invited = self.all.invited.filter(|invited| *invited >= self.all.answered);
        Shown::from(points.count(), points.scores(invited))
    }

    /// Suppressed within each dimension: its points in all are shown too.
    fn items(&self) -> Vec<((Dimension, Rated), Shown<Scores>)> {
        let mut items = Vec::new();
        for dimension in Dimension::ALL {
            let (names, parts): (Vec<_>, Vec<_>) = (self.items.iter())
                .filter(|((of, _), _)| of == dimension)
                .map(|(name, points)| (name.clone(), (points.count(), points.scores(self.asked_about(&name.1)))))
                .unzip();
            items.extend(names.into_iter().zip(protect(parts)));
        }
        let figures = |shown: &Shown<Scores>| {
            shown.value().map_or((f64::INFINITY, f64::INFINITY), |scores| (scores.satisfied.share(), scores.satisfied.low))
        };
        items.sort_by(|(left_name, left), (right_name, right)| {
            let (left, right) = (figures(left), figures(right));
            left.0.total_cmp(&right.0).then(left.1.total_cmp(&right.1)).then(left_name.cmp(right_name))
        });
        items
    }

    /// Each month of at least ten beside the one before of at least ten.
    fn rated_alarms(&self) -> Vec<RatedAlarm> {
        let mut alarms = Vec::new();
        for (rated, course) in &self.courses {
            let shares = course.iter().map(|(month, (scored, satisfied))| (*month, Share::new(*satisfied, *scored)));
            let enough: Vec<(Month, Share)> = shares.filter(|(_, share)| share.of >= SHOWN_MIN).collect();
            alarms.extend(drops(&enough).map(|alarm| RatedAlarm {
                rated: rated.clone(),
                before: alarm.before,
                after: alarm.after,
            }));
        }
        alarms
    }

    fn reasons(&self) -> Vec<(Reason, Shown<Share>)> {
        let (names, parts): (Vec<_>, Vec<_>) =
            self.reasons.iter().map(|(reason, count)| (*reason, (*count, Share::new(*count, self.coded)))).unzip();
        let mut reasons: Vec<_> = names.into_iter().zip(protect(parts)).collect();
        // Those that are suppressed in the order of their names: where they stand would say how many they are.
        let count = |shown: &Shown<Share>| shown.value().map_or(0, |share| share.count);
        reasons.sort_by(|(left_name, left), (right_name, right)| count(right).cmp(&count(left)).then(left_name.cmp(right_name)));
        reasons
    }
}

fn rows<K: Clone>(tallies: &BTreeMap<K, Tally>, silent_of_all: Option<u64>) -> Rows<K> {
    let row = |tally: &Tally| (tally.scored, tally.row(silent_of_all));
    tallies.keys().cloned().zip(protect(tallies.values().map(row).collect())).collect()
}

/// Each month beside the one before of which there is something to show: what is suppressed cannot raise an alarm that says how it was.
fn alarms(months: &Rows<Month>) -> Vec<Alarm> {
    let shown = months.iter().filter_map(|(month, shown)| Some((*month, shown.value()?.satisfied)));
    drops(&shown.collect::<Vec<_>>()).collect()
}

/// The drops between neighbours.
fn drops(months: &[(Month, Share)]) -> impl Iterator<Item = Alarm> {
    let pairs = months.windows(2).filter_map(|pair| match pair {
        [(before, was), (after, is)] => {
            Some(Alarm { before: *before, after: *after, comparison: Comparison::between(*was, *is)? })
        }
        _ => None,
    });
    pairs.filter(|alarm| alarm.comparison.verdict() == Verdict::Drop)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A rating of one score for one thing.
    pub(in crate::rules::quality) fn rating(about: &str, score: u8) -> Rating {
        let [rated, month, agency, provider, ending] = about.split(' ').collect::<Vec<_>>()[..] else { panic!("five words") };
        let line = format!(
            r#"{{"situation":"{rated}","region":"RU-YAR","month":"{month}","ending":"{ending}","agencies":["xx.town.{agency}"],"provider":"{provider}","scores":{{"process":{score}}}}}"#
        );
        Rating::parse(&line).unwrap_or_else(|wrong| panic!("{line}: {wrong}"))
    }

    /// So many, of whom so many are satisfied.
    pub(in crate::rules::quality) fn ratings(about: &str, count: usize, satisfied: usize) -> Vec<Rating> {
        (0..count).map(|number| rating(about, if number < satisfied { 5 } else { 2 })).collect()
    }

    fn month(text: &str) -> Month {
        Month::parse(text).expect("a month")
    }

    #[test]
    fn a_partners_service_is_on_the_scoreboard_as_any_other() {
        let mut board = Scoreboard::of(&ratings("birth-of-child 2026-03 sfr state done", 40, 30));
        ratings("birth-of-child 2026-03 charity non-state done", 20, 19).iter().for_each(|rating| board.add(rating));
        let board = board.show();
        let agency = |name: &str| AgencyId::parse(name).expect("a name");
        let of = |name: &str| {
            let row = board.agencies.iter().find(|(known, _)| *known == agency(name));
            row.and_then(|(_, shown)| Some(shown.value()?.satisfied))
        };
        assert_eq!(of("xx.town.charity"), Some(Share::new(19, 20)));
        assert_eq!(of("xx.town.sfr"), Some(Share::new(30, 40)));
        let providers: Vec<Option<Share>> =
            board.providers.iter().map(|(_, shown)| shown.value().map(|row| row.satisfied)).collect();
        assert_eq!(providers, [Some(Share::new(30, 40)), Some(Share::new(19, 20))]);
        assert_eq!(board.total.value().map(|row| row.satisfied), Some(Share::new(49, 60)));
    }

    #[test]
    fn a_drop_between_two_months_raises_an_alarm_and_noise_none() {
        let mut all = ratings("birth-of-child 2026-02 sfr state done", 100, 80);
        all.extend(ratings("birth-of-child 2026-03 sfr state done", 100, 77));
        assert_eq!(Scoreboard::of(&all).show().alarms, []);
        all.extend(ratings("birth-of-child 2026-04 sfr state done", 100, 50));
        let alarms = Scoreboard::of(&all).show().alarms;
        assert_eq!(
            alarms.iter().map(|alarm| (alarm.before, alarm.after)).collect::<Vec<_>>(),
            [(month("2026-03"), month("2026-04"))]
        );
    }

    #[test]
    fn a_drop_of_one_situation_is_seen_though_another_rises() {
        let mut all = ratings("birth-of-child 2026-03 sfr state done", 100, 80);
        all.extend(ratings("birth-of-child 2026-04 sfr state done", 100, 50));
        all.extend(ratings("pension 2026-03 sfr state done", 100, 50));
        all.extend(ratings("pension 2026-04 sfr state done", 100, 80));
        // Of nine nothing is said, though none of them is satisfied any more.
        all.extend(ratings("marriage 2026-03 zags state done", 40, 40));
        all.extend(ratings("marriage 2026-04 zags state done", 9, 0));
        let board = Scoreboard::of(&all).show();
        assert_eq!(board.alarms, []);
        let rated = all[0].about().rated.clone();
        assert_eq!(board.rated_alarms, [RatedAlarm { rated, before: month("2026-03"), after: month("2026-04") }]);
    }

    #[test]
    fn those_who_did_not_answer_are_counted() {
        let mut board = Scoreboard::of(&ratings("birth-of-child 2026-03 sfr state done", 120, 96));
        assert_eq!(board.show().total.value().expect("shown").participation, None, "nobody knows who was asked");
        let region = Region::parse("RU-YAR").expect("a region");
        let rated = rating("birth-of-child 2026-03 sfr state done", 5).about().rated.clone();
        board.invite(&Invited { rated, region, month: month("2026-03"), count: 390 });
        board.invite_any(10);
        let shown = board.show();
        let whole = shown.total.value().and_then(|row| row.participation).expect("known");
        assert_eq!((whole.answered.count, whole.answered.of, whole.bounds.low, whole.bounds.high), (120, 400, 0.24, 0.94));
        assert_eq!(Some(whole.within), Share::within(96, 120, 400));
        let of_month = shown.months[0].1.value().and_then(|row| row.participation).expect("known");
        assert_eq!(of_month.answered.of, 390);
        let (rated, region) = (board.rated.keys().next().cloned(), board.regions.keys().next().cloned());
        let (rated, region) = (rated.expect("one"), region.expect("one"));
        board.invite(&Invited { rated, region, month: month("2026-04"), count: 50 });
        let months: Vec<bool> = board.show().months.iter().map(|(_, shown)| shown.value().is_some()).collect();
        assert_eq!(months, [true, false], "nobody has answered in April yet, and March is shown all the same");
        let mut few = Scoreboard::of(&ratings("birth-of-child 2026-03 sfr state done", 12, 6));
        few.invite_any(11);
        assert_eq!(few.show().total.value().expect("shown").participation, None, "more answered than were asked");
    }

    #[test]
    fn of_fewer_than_ten_nothing_is_said_and_nothing_can_be_subtracted() {
        let mut all = ratings("birth-of-child 2026-03 sfr state done", 30, 20);
        all.extend(ratings("pension 2026-03 sfr state refused", 15, 3));
        all.extend(ratings("marriage 2026-04 zags state withdrawn", 4, 0));
        let board = Scoreboard::of(&all).show();
        assert_eq!(board.total.value().map(|row| row.satisfied.of), Some(49));
        let hidden = |rows: &[bool]| rows.iter().filter(|shown| !**shown).count();
        assert_eq!(hidden(&board.endings.iter().map(|(_, shown)| shown.value().is_some()).collect::<Vec<_>>()), 2);
        assert_eq!(hidden(&board.rated.iter().map(|(_, shown)| shown.value().is_some()).collect::<Vec<_>>()), 2);
        assert_eq!(hidden(&board.items.iter().map(|(_, shown)| shown.value().is_some()).collect::<Vec<_>>()), 2);
        assert!(board.months.iter().all(|(_, shown)| shown.value().is_none()), "of two months none");
        let nine = Scoreboard::of(&ratings("birth-of-child 2026-03 sfr state done", 9, 9)).show();
        assert!(nine.total.value().is_none() && nine.dimensions.iter().all(|(_, shown)| shown.value().is_none()));
    }

    #[test]
    fn whoever_gave_no_points_has_answered_and_is_in_no_share() {
        let mut all = ratings("birth-of-child 2026-03 sfr state done", 12, 12);
        all.push(Rating::parse(&all[0].to_line().replace("{\"process\":5}", "{},\"text\":\"x\"")).expect("a rating"));
        let mut board = Scoreboard::of(&all);
        board.invite_any(20);
        let row = board.show().total.value().copied().expect("shown");
        let participation = row.participation.expect("known");
        assert_eq!((row.satisfied.of, participation.answered.count), (12, 13));
        assert_eq!((participation.bounds.low, participation.bounds.high), (0.6, 1.0));
    }

    /// By hand: of 400 who were asked 120 have answered, so that 280 may say anything. Of an ending and of an agency nobody knows how many
    /// were asked: all 280 may be of it.
    #[test]
    fn each_line_has_bounds_whatever_those_think_who_did_not_answer() {
        let mut all = ratings("birth-of-child 2026-03 sfr state done", 80, 60);
        all.extend(ratings("birth-of-child 2026-03 zags state refused", 40, 10));
        let mut board = Scoreboard::of(&all);
        assert!(
            board.show().endings.iter().all(|(_, row)| row.value().expect("shown").bounds.is_none()),
            "nobody knows who was asked"
        );
        let rated = all[0].about().rated.clone();
        let region = Region::parse("RU-YAR").expect("a region");
        board.invite(&Invited { rated, region, month: month("2026-03"), count: 400 });
        let shown = board.show();
        let is = |bounds: Option<Bounds>, low: f64, high: f64| {
            let bounds = bounds.expect("known");
            assert!((bounds.low - low).abs() < 1e-9 && (bounds.high - high).abs() < 1e-9, "{bounds:?}, not {low} to {high}");
        };
        let row = |shown: &Shown<Row>| shown.value().expect("shown").bounds;
        for known in [&shown.total, &shown.months[0].1, &shown.regions[0].1, &shown.rated[0].1] {
            is(row(known), 70.0 / 400.0, 350.0 / 400.0);
        }
        is(row(&shown.endings[0].1), 60.0 / 360.0, 340.0 / 360.0);
        is(row(&shown.endings[1].1), 10.0 / 320.0, 290.0 / 320.0);
        is(row(&shown.agencies[0].1), 60.0 / 360.0, 340.0 / 360.0);
        is(row(&shown.agencies[1].1), 10.0 / 320.0, 290.0 / 320.0);
        is(row(&shown.providers[0].1), 70.0 / 400.0, 350.0 / 400.0);
        let process = shown.dimensions[0].1.value().expect("shown");
        is(process.bounds, 70.0 / 400.0, 350.0 / 400.0);
        is(shown.items[0].1.value().expect("shown").bounds, 70.0 / 400.0, 350.0 / 400.0);
        // One who was asked about this alone and answered another question is as silent.
        let words = all[0].to_line().replace("{\"process\":5}", "{\"courtesy\":5}");
        board.add(&Rating::parse(&words).expect("a rating"));
        is(board.show().dimensions[0].1.value().expect("shown").bounds, 70.0 / 400.0, 350.0 / 400.0);
        is(row(&board.show().endings[0].1), 61.0 / 360.0, 340.0 / 360.0);
    }

    #[test]
    fn points_are_spread_by_dimension() {
        let about = "birth-of-child 2026-03 sfr state done";
        let all: Vec<Rating> = [1, 2, 2, 3, 4, 4, 4, 5, 5, 5].iter().map(|score| rating(about, *score)).collect();
        let board = Scoreboard::of(&all).show();
        let process = board.dimensions[0].1.value().copied().expect("shown");
        assert_eq!((process.points, process.satisfied), ([1, 2, 1, 3, 3], Share::new(6, 10)));
        assert!((process.mean - 3.5).abs() < 1e-12);
    }

    #[test]
    fn reasons_are_counted_and_few_are_not_told() {
        let about = "birth-of-child 2026-03 sfr state done";
        let coded = |reason: Reason, count: usize| (0..count).map(move |_| rating(about, 2).coded([reason].into()));
        let all: Vec<Rating> =
            coded(Reason::Waiting, 30).chain(coded(Reason::Visits, 12)).chain(coded(Reason::Staff, 3)).collect();
        let board = Scoreboard::of(&all).show();
        let told: Vec<(Reason, Option<u64>)> =
            board.reasons.iter().map(|(reason, shown)| (*reason, shown.value().map(|share| share.count))).collect();
        assert_eq!(told, [(Reason::Waiting, Some(30)), (Reason::Visits, None), (Reason::Staff, None)]);
        assert_eq!(board.coded.value(), Some(&45));
    }
}
