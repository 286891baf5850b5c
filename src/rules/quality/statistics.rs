//! What can be said of many answers: shares with Wilson's interval, whether a drop is noise, how far two assessors agree, what those who
//! did not answer might have said, and what is too little to be shown at all.
//!
//! Refuses to show a figure of fewer than ten answers: [`Shown`] has it, or nothing. Sources: Wilson, Journal of the American Statistical
//! Association 22 (1927); Cohen, Educational and Psychological Measurement 20 (1960); Manski, "Partial Identification of Probability
//! Distributions" (2003), for worst-case bounds; Abramowitz and Stegun, 7.1.6 and 7.1.14, for the error function.

pub use crate::rules::situation::measure::Share;

/// Fewer answers than this are not shown.
pub const SHOWN_MIN: u64 = 10;

/// A drop is an alarm below this probability of one as large, either way, without any change. Many services are looked at each month:
/// at one in twenty, every fortieth of them would raise a false alarm.
pub const ALARM_LEVEL: f64 = 0.01;

/// A figure, or nothing where it would say too much about few people.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shown<T = Share> {
    /// Of fewer than ten, or next to such a figure: it may not be told.
    Suppressed,
    /// It may be told.
    Value(Safe<T>),
}

/// A figure that may be told. Only suppression makes one: whoever has it has gone through that.
///
/// ```compile_fail
/// # use oncegate::rules::quality::statistics::{Safe, Share};
/// let told = Safe(Share::new(1, 2)); // private
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Safe<T>(T);

impl<T> std::ops::Deref for Safe<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl Shown {
    /// A share of at least ten.
    pub fn of(share: Share) -> Self {
        Self::from(share.of, share)
    }
}

impl<T> Shown<T> {
    /// A figure that so many answers have made.
    pub(super) fn from(answers: u64, figure: T) -> Self {
        if answers < SHOWN_MIN { Self::Suppressed } else { Self::Value(Safe(figure)) }
    }

    /// What may be told.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Suppressed => None,
            Self::Value(Safe(figure)) => Some(figure),
        }
    }
}

/// The parts of a total, by whatever: those of fewer than ten are suppressed, and so many of the smallest others that what is missing
/// cannot be had by subtracting the rest from the total: never one part alone, and never fewer than ten answers together.
///
/// The figures come with how many answers each has, in a fixed order, which decides between parts of one size.
pub(super) fn protect<T>(parts: Vec<(u64, T)>) -> Vec<Shown<T>> {
    let mut is_hidden: Vec<bool> = parts.iter().map(|(answers, _)| *answers < SHOWN_MIN).collect();
    loop {
        // Of parts of nobody there is nothing to be had: a month in which people were asked and have not answered yet hides no other.
        let hidden = || {
            let hidden = parts.iter().zip(&is_hidden).filter(|(_, is_hidden)| **is_hidden);
            hidden.map(|((answers, _), _)| *answers).filter(|answers| *answers > 0)
        };
        let (count, answers) = (hidden().count(), hidden().sum::<u64>());
        if count == 0 || (count > 1 && answers >= SHOWN_MIN) {
            break;
        }
        let shown = parts.iter().enumerate().filter(|(at, _)| is_hidden.get(*at) == Some(&false));
        let Some(smallest) = shown.min_by_key(|(_, (answers, _))| *answers).map(|(at, _)| at) else { break };
        if let Some(hidden) = is_hidden.get_mut(smallest) {
            *hidden = true;
        }
    }
    let shown = parts.into_iter().zip(is_hidden);
    shown.map(|((_, figure), is_hidden)| if is_hidden { Shown::Suppressed } else { Shown::Value(Safe(figure)) }).collect()
}

/// The share of the satisfied among all that were asked, if those who did not answer were all dissatisfied, and if all satisfied.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// At the worst.
    pub low: f64,
    /// At the best.
    pub high: f64,
}

impl Bounds {
    /// Nothing if more answered than were asked, or nobody was asked.
    pub fn new(answers: Share, asked: u64) -> Option<Self> {
        let silent = asked.checked_sub(answers.of).filter(|_| asked > 0 && answers.count <= answers.of)?;
        let of = asked as f64;
        Some(Self { low: answers.count as f64 / of, high: (answers.count + silent) as f64 / of })
    }
}

/// Two shares, one after the other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
    /// What it was.
    pub before: Share,
    /// What it is.
    pub after: Share,
    /// By how many standard errors of the pooled share it has changed: negative for a drop.
    pub z: f64,
    /// How often, without any change, one at least as large would be seen, either way.
    pub p: f64,
}

/// What a comparison says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A drop that is not noise.
    Drop,
    /// A rise that is not noise.
    Rise,
    /// Nothing that could not be noise.
    Noise,
    /// Too few answers for the test to say anything.
    TooFew,
}

impl Comparison {
    /// Compares by the two-proportion test with the pooled share. Nothing if one of them is of nobody.
    pub fn between(before: Share, after: Share) -> Option<Self> {
        if before.of == 0 || after.of == 0 {
            return None;
        }
        let pooled = Self::pooled(before, after);
        let error = (pooled * (1.0 - pooled) * (1.0 / before.of as f64 + 1.0 / after.of as f64)).sqrt();
        let z = if error > 0.0 { (after.share() - before.share()) / error } else { 0.0 };
        Some(Self { before, after, z, p: erfc(z.abs() / std::f64::consts::SQRT_2) })
    }

    fn pooled(before: Share, after: Share) -> f64 {
        (before.count + after.count) as f64 / (before.of + after.of) as f64
    }

    /// What it says. The normal distribution stands for the true one where at least five are expected in each of the four cells.
    pub fn verdict(&self) -> Verdict {
        let pooled = Self::pooled(self.before, self.after);
        let rarer = pooled.min(1.0 - pooled);
        if (self.before.of.min(self.after.of) as f64) * rarer < 5.0 || self.before.of.min(self.after.of) < SHOWN_MIN {
            return Verdict::TooFew;
        }
        match self.p < ALARM_LEVEL {
            true if self.z < 0.0 => Verdict::Drop,
            true => Verdict::Rise,
            false => Verdict::Noise,
        }
    }
}

/// What an assessor says of one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judged {
    /// It is as it should be.
    Meets,
    /// It is not.
    Fails,
}

/// How two assessors judged the same things.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Agreement {
    /// Both said yes.
    pub both: u64,
    /// The first alone said yes.
    pub first: u64,
    /// The second alone did.
    pub second: u64,
    /// Neither did.
    pub neither: u64,
}

impl Agreement {
    /// Counts one more thing.
    pub fn add(&mut self, first: Judged, second: Judged) {
        let cell = match (first, second) {
            (Judged::Meets, Judged::Meets) => &mut self.both,
            (Judged::Meets, Judged::Fails) => &mut self.first,
            (Judged::Fails, Judged::Meets) => &mut self.second,
            (Judged::Fails, Judged::Fails) => &mut self.neither,
        };
        *cell += 1;
    }

    /// How many things.
    pub const fn count(&self) -> u64 {
        self.both + self.first + self.second + self.neither
    }

    /// Cohen's kappa: 1 where they always agree, 0 where they agree as often as if each had drawn lots in the same number. Nothing where both
    /// said the same of everything: there is nothing to tell apart.
    pub fn kappa(&self) -> Option<f64> {
        let count = self.count() as f64;
        let (yes, also) = ((self.both + self.first) as f64, (self.both + self.second) as f64);
        let expected = (yes * also + (count - yes) * (count - also)) / (count * count);
        let seen = (self.both + self.neither) as f64 / count;
        (count > 0.0 && expected < 1.0).then(|| (seen - expected) / (1.0 - expected))
    }
}

/// The middle of many figures, and what nineteen of twenty do not pass.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantiles {
    /// How many figures.
    pub count: u64,
    /// The smallest that half of them do not pass.
    pub median: f64,
    /// The smallest that nineteen of twenty do not pass.
    pub p95: f64,
}

impl Quantiles {
    /// By nearest rank: figures that were there. Nothing of no figures, or where one is none.
    pub fn of(mut figures: Vec<f64>) -> Option<Self> {
        if figures.iter().any(|figure| !figure.is_finite()) {
            return None;
        }
        figures.sort_by(f64::total_cmp);
        let count = figures.len();
        // In whole numbers: 0.95 * 20 is more than 19 in binary.
        let at = |percent: usize| figures.get((count * percent).div_ceil(100).saturating_sub(1)).copied();
        Some(Self { count: count as u64, median: at(50)?, p95: at(95)? })
    }
}

/// The complementary error function, to 1e-12 of its value: near zero the series of erf with positive terms alone (Abramowitz and
/// Stegun 7.1.6), further out the continued fraction (7.1.14) by Lentz's method.
pub fn erfc(x: f64) -> f64 {
    if x < 0.0 {
        return 2.0 - erfc(-x);
    }
    if x > 28.0 || x.is_nan() {
        // Less than any number has room for.
        return if x.is_nan() { x } else { 0.0 };
    }
    if x < BORDER {
        // erf x = 2/√π e^(-x²) Σ 2^n x^(2n+1) / (1·3···(2n+1))
        let (mut term, mut sum, mut n) = (x, x, 0.0);
        while term > sum * f64::EPSILON / 8.0 {
            n += 1.0;
            term *= 2.0 * x * x / (2.0 * n + 1.0);
            sum += term;
        }
        return 1.0 - std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp() * sum;
    }
    // √π e^(x²) erfc x = 1/(x + (1/2)/(x + 1/(x + (3/2)/(x + …
    let (mut fraction, mut ahead, mut behind) = (x, x, 0.0);
    for step in 1..500 {
        let part = f64::from(step) / 2.0;
        behind = 1.0 / (x + part * behind);
        ahead = x + part / ahead;
        let factor = ahead * behind;
        fraction *= factor;
        if (factor - 1.0).abs() < f64::EPSILON {
            break;
        }
    }
    std::f64::consts::FRAC_2_SQRT_PI / 2.0 * (-x * x).exp() / fraction
}

/// Where the continued fraction takes over: below it 1 - erf has lost few digits, above it the fraction ends soon.
const BORDER: f64 = 1.5;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn near(left: f64, right: f64) -> bool {
        (left - right).abs() < 1e-9
    }

    /// Computed with mpmath 1.3.0 at 40 digits: the formula of Wilson's paper with z = 1.95996398454005423552.
    #[test]
    fn bounds_are_wilsons_to_a_billionth() {
        for (count, of, low, high) in [
            (146, 228, 0.576_208_263_787_645_1, 0.699_842_449_167_441_6),
            (8, 10, 0.490_162_471_536_641_7, 0.943_317_848_545_624_7),
            (0, 10, 0.0, 0.277_532_799_862_889_3),
            (5, 5, 0.565_517_535_216_825_2, 1.0),
            (171, 228, 0.689_965_723_515_782_4, 0.801_749_608_935_465_9),
            (96, 120, 0.719_633_264_937_180_4, 0.861_755_235_211_597_5),
            (1, 1, 0.206_549_314_377_237_4, 1.0),
            (999, 1000, 0.994_357_441_402_042, 0.999_823_453_629_373_9),
        ] {
            let share = Share::new(count, of);
            assert!(near(share.low, low) && near(share.high, high), "{share:?}");
        }
    }

    /// The same with n(N-1)/(N-n) in place of n.
    #[test]
    fn of_few_whom_there_are_more_is_known() {
        for (count, of, there_are, low, high) in [
            (40, 50, 60, 0.750_628_902_359_572_4, 0.841_658_395_053_871_8),
            (40, 50, 51, 0.783_865_293_870_955_6, 0.815_214_170_491_974_9),
            (8, 10, 1_000_000, 0.490_163_849_010_443_5, 0.943_317_553_820_672_4),
            (96, 120, 400, 0.733_752_813_410_995_6, 0.853_064_527_807_941_5),
            (0, 12, 15, 0.0, 0.064_193_936_718_763_4),
        ] {
            let share = Share::within(count, of, there_are).expect("no more than there are");
            assert!(near(share.low, low) && near(share.high, high), "{share:?}");
        }
        let all = Share::within(40, 50, 50).expect("all of them");
        assert_eq!((all.low, all.high), (0.8, 0.8));
        assert_eq!((Share::within(40, 50, 49), Share::within(5, 4, 10)), (None, None));
    }

    /// Computed with mpmath 1.3.0 at 40 digits.
    #[test]
    fn the_error_function_is_exact_to_a_billionth() {
        for (x, expected) in [
            (0.0, 1.0),
            (1e-10, 0.999_999_999_887_162_1),
            (0.1, 0.887_537_083_981_715),
            (0.5, 0.479_500_122_186_953_5),
            (1.0, 0.157_299_207_050_285_13),
            (1.5, 0.033_894_853_524_689_27),
            (2.0, 0.004_677_734_981_047_266),
            (2.4999, 0.000_407_169_900_333_450_9),
            (3.0, 2.209_049_699_858_544e-5),
            (5.0, 1.537_459_794_428_035e-12),
            (10.0, 2.088_487_583_762_545e-45),
            (26.0, 5.663_192_408_856_143e-296),
            (-1.0, 1.842_700_792_949_715),
            (-3.0, 1.999_977_909_503_001_4),
        ] {
            let error = (erfc(x) - expected).abs() / expected;
            assert!(error < 1e-12, "erfc({x}) = {}, off by {error}", erfc(x));
        }
        assert!(erfc(f64::NAN).is_nan());
        assert_eq!((erfc(f64::INFINITY), erfc(f64::NEG_INFINITY)), (0.0, 2.0));
    }

    #[test]
    fn a_drop_that_is_not_noise_raises_an_alarm_and_noise_none() {
        let compare = |before: (u64, u64), after: (u64, u64)| {
            Comparison::between(Share::new(before.0, before.1), Share::new(after.0, after.1)).expect("of somebody")
        };
        // z and p computed with mpmath 1.3.0 at 40 digits.
        for (before, after, z, p, verdict) in [
            ((80, 100), (60, 100), -3.086_066_999_241_838, 0.002_028_231_148_452_08, Verdict::Drop),
            ((60, 100), (80, 100), 3.086_066_999_241_838, 0.002_028_231_148_452_08, Verdict::Rise),
            ((80, 100), (77, 100), -0.516_359_532_056_615_1, 0.605_603_324_298_308_4, Verdict::Noise),
            ((171, 228), (146, 228), -2.543_228_599_734_088_5, 0.010_983_334_529_330_9, Verdict::Noise),
            ((40, 50), (10, 40), -5.217_758_139_277_826, 1.811_017_286_775_174_8e-7, Verdict::Drop),
            ((90, 300), (80, 310), -1.154_881_039_600_518, 0.248_139_144_804_713_5, Verdict::Noise),
            ((5, 12), (9, 11), 1.970_913_432_776_731_4, 0.048_733_778_390_007_9, Verdict::TooFew),
        ] {
            let found = compare(before, after);
            assert!(near(found.z, z) && near(found.p, p), "{found:?}");
            assert_eq!(found.verdict(), verdict, "{found:?}");
        }
        assert_eq!(compare((100, 100), (100, 100)).verdict(), Verdict::TooFew, "nobody is dissatisfied");
        assert_eq!(compare((9, 9), (0, 9)).verdict(), Verdict::TooFew);
        assert!(Comparison::between(Share::new(0, 0), Share::new(1, 2)).is_none());
    }

    /// By hand: 20, 5, 10, 15 is the example of many textbooks; the others with python3's fractions.
    #[test]
    fn kappa_is_cohens() {
        for (both, first, second, neither, kappa) in [
            (20, 5, 10, 15, Some(0.4)),
            (140, 31, 6, 51, Some(0.622_448_979_591_836_7)),
            (45, 15, 25, 15, Some(0.130_434_782_608_695_65)),
            (0, 5, 5, 0, Some(-1.0)),
            (10, 0, 0, 0, None),
            (0, 0, 0, 0, None),
        ] {
            let found = Agreement { both, first, second, neither }.kappa();
            assert!(found.zip(kappa).map_or(found == kappa, |(found, kappa)| near(found, kappa)), "{found:?} {kappa:?}");
        }
    }

    #[test]
    fn whoever_did_not_answer_might_have_said_anything() {
        let bounds = Bounds::new(Share::new(96, 120), 400).expect("more were asked");
        assert_eq!((bounds.low, bounds.high), (0.24, 0.94));
        assert_eq!((Bounds::new(Share::new(5, 10), 9), Bounds::new(Share::new(0, 0), 0)), (None, None));
    }

    #[test]
    fn nine_are_not_shown_and_ten_are() {
        assert_eq!(Shown::of(Share::new(9, 9)), Shown::Suppressed);
        assert_eq!(Shown::of(Share::new(0, 10)).value(), Some(&Share::new(0, 10)));
    }

    /// Which parts are shown.
    fn shown(parts: &[u64]) -> Vec<bool> {
        protect(parts.iter().map(|count| (*count, ())).collect()).iter().map(|part| part.value().is_some()).collect()
    }

    #[test]
    fn no_part_is_left_to_be_subtracted() {
        for (parts, expected) in [
            (&[50, 30, 20][..], &[true, true, true][..]),
            (&[50, 30, 4], &[true, false, false]),
            (&[50, 30, 4, 5], &[true, false, false, false]),
            (&[50, 30, 9, 9], &[true, true, false, false]),
            (&[50, 4], &[false, false]),
            (&[4], &[false]),
            (&[20, 20, 3], &[false, true, false]),
            (&[50, 30, 0], &[true, true, false]),
            (&[50, 30, 4, 0], &[true, false, false, false]),
            (&[], &[]),
        ] {
            assert_eq!(shown(parts), expected, "{parts:?}");
        }
    }

    #[test]
    fn quantiles_are_figures_that_were_there() {
        let quantiles = Quantiles::of((1..=20).rev().map(f64::from).collect()).expect("figures");
        assert_eq!(quantiles, Quantiles { count: 20, median: 10.0, p95: 19.0 });
        assert_eq!(Quantiles::of(vec![3.0]), Some(Quantiles { count: 1, median: 3.0, p95: 3.0 }));
        assert_eq!((Quantiles::of(Vec::new()), Quantiles::of(vec![1.0, f64::NAN])), (None, None));
    }

    proptest! {
        #[test]
        fn what_is_suppressed_is_of_two_and_ten_or_is_everything(parts in proptest::collection::vec(0_u64..40, 0..12)) {
            let shown = shown(&parts);
            let hidden = parts.iter().zip(&shown).filter(|(part, shown)| !**shown && **part > 0);
            let hidden: Vec<u64> = hidden.map(|(part, _)| *part).collect();
            prop_assert!(parts.iter().zip(&shown).all(|(part, shown)| !shown || *part >= SHOWN_MIN));
            let is_safe = hidden.is_empty() || !shown.contains(&true) || (hidden.len() > 1 && hidden.iter().sum::<u64>() >= SHOWN_MIN);
            prop_assert!(is_safe, "{parts:?} {shown:?}");
        }

        #[test]
        fn an_interval_holds_its_share_and_narrows_with_fewer_left(of in 1_u64..500, part in 0_u64..500, more in 0_u64..500) {
            let count = part.min(of);
            let (any, some) = (Share::new(count, of), Share::within(count, of, of + more).expect("enough"));
            prop_assert!(any.low <= any.share() + 1e-12 && any.share() <= any.high + 1e-12);
            prop_assert!(any.low <= some.low + 1e-12 && some.high <= any.high + 1e-12, "{any:?} {some:?}");
        }
    }
}
