//! The words in which quality is spoken of: what is asked about, how it ended, why somebody was not content, in which month.
//!
//! Each is one of a few, so that nothing of a person can stand in it; the comment alone is free, and prints nothing of itself.

use crate::base::ids::Code;
use crate::base::time::Day;
use std::fmt;

/// Makes an enum of words, each with its name in files and its titles in English and Russian.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$row:meta])* $variant:ident = $word:literal, $en:literal, $ru:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name { $($(#[$row])* $variant,)* }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Its name in files.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// What people call it.
            pub const fn title(self, language: Language) -> &'static str {
                match (self, language) {
                    $((Self::$variant, Language::English) => $en, (Self::$variant, Language::Russian) => $ru,)*
                }
            }

            /// The one with this name.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.as_str() == text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

/// A language of reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// `en`.
    #[default]
    English,
    /// `ru`.
    Russian,
}

impl Language {
    /// Reads `en` or `ru`.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::English, Self::Russian].into_iter().find(|known| known.as_str() == text)
    }

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Russian => "ru",
        }
    }
}

words! {
    /// What a question asks about.
    Dimension {
        /// The way through the service: steps, papers, waiting.
        Process = "process", "process", "порядок получения";
        /// How easy it was to come and to be there, or to find one's way online.
        Comfort = "comfort", "comfort", "удобство";
        /// How one was spoken to.
        Courtesy = "courtesy", "courtesy", "вежливость";
        /// Whether those who answered knew.
        Competence = "competence", "competence", "компетентность";
        /// Rooms, ways without steps, hours; a page that works.
        Conditions = "conditions", "conditions", "условия";
    }
}

words! {
    /// How what is rated came to its end.
    Ending {
        /// It was done.
        Done = "done", "done", "оказано";
        /// It was refused. Those who are refused something are asked as the others are.
        Refused = "refused", "refused", "отказано";
        /// The person took it back.
        Withdrawn = "withdrawn", "withdrawn", "отозвано";
        /// The person did not come back.
        Abandoned = "abandoned", "abandoned", "прекращено без обращения";
    }
}

words! {
    /// Whose a provider is.
    Provider {
        /// The state's, a region's or a town's.
        State = "state", "state", "государственный";
        /// Nobody's of these: a charity, a company.
        NonState = "non-state", "not of the state", "негосударственный";
    }
}

words! {
    /// Why somebody was not content, as whoever read the comment has coded it.
    Reason {
        /// It took long.
        Waiting = "waiting", "long waiting", "долгое ожидание";
        /// Papers were asked for that agencies have.
        Documents = "documents", "papers that agencies have were asked for", "требовали документы, которые есть у ведомств";
        /// One had to come again.
        Visits = "visits", "had to come again", "пришлось приходить повторно";
        /// It was not clear what to do.
        Information = "information", "not clear what to do", "непонятно, что делать";
        /// How people were spoken to.
        Staff = "staff", "manner of the staff", "поведение сотрудников";
        /// It was refused, and not explained.
        Refusal = "refusal", "refusal not explained", "отказ без объяснения";
        /// Something technical did not work.
        Technical = "technical", "something did not work", "технический сбой";
        /// Rooms, ways, hours.
        Premises = "premises", "rooms, access, opening hours", "помещение, доступность, часы работы";
        /// Anything else.
        Other = "other", "other", "другое";
    }
}

words! {
    /// How far two assessors agree, in words for Cohen's kappa (Landis and Koch, Biometrics 33, 1977).
    Strength {
        /// Below 0.
        Poor = "poor", "poor: less than by chance", "плохое: реже, чем случайно";
        /// To 0.20.
        Slight = "slight", "slight", "незначительное";
        /// To 0.40.
        Fair = "fair", "fair", "слабое";
        /// To 0.60.
        Moderate = "moderate", "moderate", "умеренное";
        /// To 0.80.
        Substantial = "substantial", "substantial", "существенное";
        /// To 1.
        AlmostPerfect = "almost-perfect", "almost perfect", "почти полное";
    }
}

impl Strength {
    /// That of a kappa, as it is printed with two digits behind the point.
    pub fn of(kappa: f64) -> Self {
        let hundredths = (kappa * 100.0).round();
        let borders = [(20.0, Self::Slight), (40.0, Self::Fair), (60.0, Self::Moderate), (80.0, Self::Substantial)];
        let below = borders.into_iter().find(|(to, _)| hundredths <= *to).map_or(Self::AlmostPerfect, |(_, strength)| strength);
        if hundredths < 0.0 { Self::Poor } else { below }
    }
}

/// A score from 1 to 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Score(u8);

impl Score {
    /// The lowest and the highest.
    pub const RANGE: std::ops::RangeInclusive<u8> = 1..=5;

    /// A score, if it is one.
    pub fn new(score: u8) -> Option<Self> {
        Self::RANGE.contains(&score).then_some(Self(score))
    }

    /// Reads one digit.
    pub fn parse(text: &str) -> Option<Self> {
        match text.as_bytes() {
            [digit @ b'1'..=b'5'] => Self::new(digit - b'0'),
            _ => None,
        }
    }

    /// 1 to 5.
    pub const fn value(self) -> u8 {
        self.0
    }

    /// Its place among five, from 0.
    pub(super) const fn place(self) -> usize {
        self.0 as usize - 1
    }
}

/// A month: all that is kept of when somebody has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month {
    year: u16,
    month: u8,
}

impl Month {
    /// Reads `2026-03`.
    pub fn parse(text: &str) -> Option<Self> {
        Day::parse(&format!("{text}-01")).map(Self::of)
    }

    /// That of a day.
    pub fn of(day: Day) -> Self {
        let (year, month, _) = day.parts();
        Self { year, month }
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

/// What somebody has rated.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rated {
    /// A life situation.
    Situation(Code),
    /// One service.
    Service(Code),
}

impl Rated {
    /// Its name.
    pub const fn code(&self) -> &Code {
        match self {
            Self::Situation(code) | Self::Service(code) => code,
        }
    }
}

/// `situation birth-of-child`.
impl fmt::Display for Rated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Situation(code) => write!(f, "situation {code}"),
            Self::Service(code) => write!(f, "service {code}"),
        }
    }
}

/// What somebody wrote in their own words: may name persons, so its `Debug` says how long it is and no more.
#[derive(Clone, PartialEq, Eq)]
pub struct Comment(Box<str>);

impl Comment {
    /// Takes over what was checked.
    pub(super) fn checked(text: String) -> Self {
        Self(text.into_boxed_str())
    }

    /// The words, for whoever reads and codes them.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Comment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Comment({} characters)", self.0.chars().count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_they_are_written() {
        fn all<T: Copy + PartialEq + fmt::Debug>(words: &[T], name: fn(T) -> &'static str, parse: fn(&str) -> Option<T>) {
            for word in words {
                assert_eq!(parse(name(*word)), Some(*word));
                assert_eq!(parse(&name(*word).to_uppercase()), None);
            }
        }
        all(Dimension::ALL, Dimension::as_str, Dimension::parse);
        all(Ending::ALL, Ending::as_str, Ending::parse);
        all(Provider::ALL, Provider::as_str, Provider::parse);
        all(Reason::ALL, Reason::as_str, Reason::parse);
        all(Strength::ALL, Strength::as_str, Strength::parse);
        all(&[Language::English, Language::Russian], Language::as_str, Language::parse);
    }

    #[test]
    fn a_kappa_has_its_word() {
        for (kappa, word) in [
            (-0.01, "poor"),
            (-1.0, "poor"),
            (0.0, "slight"),
            (0.20, "slight"),
            (0.21, "fair"),
            (0.40, "fair"),
            (0.41, "moderate"),
            (0.60, "moderate"),
            (0.622_448_979_591_836_7, "substantial"),
            (0.80, "substantial"),
            (0.81, "almost-perfect"),
            (1.0, "almost-perfect"),
        ] {
            assert_eq!(Strength::of(kappa).as_str(), word, "{kappa}");
        }
    }

    #[test]
    fn months_and_scores_are_exact() {
        assert_eq!(Month::parse("2026-03").map(|month| month.to_string()).as_deref(), Some("2026-03"));
        for text in ["2026-13", "2026-3", "2026", "2026-03-01", "+026-03", "", "0000-01"] {
            assert_eq!(Month::parse(text), None, "{text}");
        }
        assert!(Month::parse("2025-12") < Month::parse("2026-01"));
        for text in ["0", "6", "05", "5.0", "+5", " 5", "", "٣"] {
            assert_eq!(Score::parse(text), None, "{text}");
        }
        assert_eq!(Score::parse("5").map(Score::value), Some(5));
    }

    #[test]
    fn a_comment_says_nothing_of_itself_in_debug() {
        assert_eq!(format!("{:?}", Comment::checked("Ivanova was rude".to_owned())), "Comment(16 characters)");
    }
}
