//! What pages say, in the languages that there are files for. A test holds the files against each other and against what pages say.

use crate::base::fault::Code;
use crate::base::time::Day;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// A language of the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// English.
    En,
    /// Russian.
    Ru,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::En, Self::Ru];

    /// Its tag (RFC 5646).
    pub const fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Ru => "ru",
        }
    }

    /// Its name in itself.
    pub const fn name(self) -> &'static str {
        match self {
            Self::En => "English",
            Self::Ru => "Русский",
        }
    }

    /// Reads a tag.
    pub fn parse(tag: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.tag() == tag)
    }

    /// The best of what a browser accepts (RFC 9110, section 12.5.4).
    pub fn accepted(field: &str) -> Self {
        let mut best = (0, Self::En);
        for part in field.split(',').take(ACCEPTED_MAX) {
            let mut pieces = part.split(';');
            let tag = pieces.next().unwrap_or("").trim();
            let quality = pieces.find_map(|piece| piece.trim().strip_prefix("q=")).map_or(1000, thousandths);
            let language = Self::parse(tag.split('-').next().unwrap_or("").to_ascii_lowercase().as_str());
            if let Some(language) = language.filter(|_| quality > best.0) {
                best = (quality, language);
            }
        }
        best.1
    }

    fn table(self) -> &'static Table {
        static TABLES: LazyLock<[Table; 2]> =
            LazyLock::new(|| [include_str!("words/en.toml"), include_str!("words/ru.toml")].map(read));
        match self {
            Self::En => &TABLES[0],
            Self::Ru => &TABLES[1],
        }
    }
}

fn thousandths(text: &str) -> u32 {
    text.trim().parse::<f32>().ok().filter(|quality| (0.0..=1.0).contains(quality)).map_or(0, |quality| (quality * 1000.0) as u32)
}

/// What codes mean in Russian: rule and next step. English is in the catalogue of codes itself.
static CODES: LazyLock<BTreeMap<String, (String, String)>> =
    LazyLock::new(|| toml::from_str(include_str!("words/codes.ru.toml")).expect("the files of words are read by a test"));

/// Languages of a browser that are looked at.
const ACCEPTED_MAX: usize = 16;

type Table = BTreeMap<String, String>;

/// Sections of a file become the beginning of its keys: `title` of `[log]` is `log.title`.
fn read(text: &str) -> Table {
    let sections: BTreeMap<String, BTreeMap<String, String>> =
        toml::from_str(text).expect("the files of words are read by a test");
    let flat = sections
        .into_iter()
        .flat_map(|(section, words)| words.into_iter().map(move |(key, text)| (format!("{section}.{key}"), text)));
    flat.collect()
}

/// The words of a language.
#[derive(Clone, Copy, Debug)]
pub struct Words(pub Language);

impl Words {
    /// The text of a key. One that there is no text for stands for itself; a test finds it.
    pub fn say(self, key: &str) -> &str {
        self.0.table().get(key).map_or(key, String::as_str)
    }

    /// The text of a key, if there is one: for words that come from elsewhere.
    pub fn find(self, key: &str) -> Option<&'static str> {
        self.0.table().get(key).map(String::as_str)
    }

    /// What people call a purpose, if there is a word for it; registries have others as well.
    pub fn purpose(self, code: &str) -> &str {
        self.find(&format!("purpose.{code}")).unwrap_or(code)
    }

    /// The rule that a code stands for, and the next step.
    pub fn code(self, code: Code) -> (&'static str, &'static str) {
        let english = (code.title(), code.next_step());
        match self.0 {
            Language::En => english,
            Language::Ru => CODES.get(code.as_str()).map_or(english, |(rule, next)| (rule.as_str(), next.as_str())),
        }
    }

    /// The text of a key, with its places filled in.
    pub fn fill(self, key: &str, places: &[(&str, &str)]) -> String {
        places.iter().fold(self.say(key).to_owned(), |text, (place, with)| text.replace(&format!("{{{place}}}"), with))
    }

    /// The text for so many, `{n}` of them: its forms stand in one text, parted by `|`, in English one and other, in Russian one, few and
    /// many (Unicode CLDR, plural rules).
    pub fn count(self, key: &str, n: u64) -> String {
        let mut forms = self.say(key).split('|');
        let form = match self.0 {
            Language::En => usize::from(n != 1),
            Language::Ru => match (n % 10, n % 100) {
                (1, rest) if rest != 11 => 0,
                (2..=4, rest) if !(12..=14).contains(&rest) => 1,
                _ => 2,
            },
        };
        let last = self.say(key).rsplit('|').next().unwrap_or("");
        forms.nth(form).unwrap_or(last).replace("{n}", &self.number(n))
    }

    /// A number with its digits in groups of three, parted by what does not break a line.
    pub fn number(self, n: u64) -> String {
        let digits = n.to_string();
        let mut out = String::with_capacity(digits.len() + digits.len() / 3);
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                out.push('\u{202f}');
            }
            out.push(digit);
        }
        out
    }

    /// A day as people write it: `4 March 2026`.
    pub fn day(self, day: Day) -> String {
        let (year, month, number) = day.parts();
        let month = self.say("day.months").split(' ').nth(usize::from(month) - 1).unwrap_or_default();
        format!("{number}\u{a0}{month} {year}")
    }

    /// A number with so many digits behind the point.
    pub fn decimal(self, number: f64, digits: usize) -> String {
        let text = format!("{number:.digits$}");
        if self.0 == Language::Ru { text.replace('.', ",") } else { text }
    }

    /// A share of a hundred with one digit behind the point.
    pub fn percent(self, share: f64) -> String {
        let text = format!("{:.1}\u{202f}%", share * 100.0);
        if self.0 == Language::Ru { text.replace('.', ",") } else { text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    #[test]
    fn both_languages_say_the_same_things() {
        let keys = |language: Language| language.table().keys().cloned().collect::<BTreeSet<_>>();
        let (english, russian) = (keys(Language::En), keys(Language::Ru));
        assert_eq!(english.difference(&russian).collect::<Vec<_>>(), Vec::<&String>::new(), "Russian lacks");
        assert_eq!(russian.difference(&english).collect::<Vec<_>>(), Vec::<&String>::new(), "English lacks");
        let places = |text: &str| {
            let inside = text.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(place, _)| place.to_owned());
            inside.collect::<BTreeSet<_>>()
        };
        for (key, text) in Language::En.table() {
            let other = &Language::Ru.table()[key];
            assert_eq!(places(text), places(other), "{key}");
            let forms = |text: &str| text.matches('|').count();
            assert!(matches!((forms(text), forms(other)), (0, 0) | (1, 2)), "{key} has other forms");
        }
    }

    #[test]
    fn what_pages_say_is_there_and_nothing_else_is() {
        fn files(folder: &Path, texts: &mut String) {
            for entry in std::fs::read_dir(folder).expect("readable").map(|entry| entry.expect("readable").path()) {
                if entry.is_dir() {
                    files(&entry, texts);
                } else if entry.extension().is_some_and(|extension| extension == "rs" || extension == "html") {
                    texts.push_str(&std::fs::read_to_string(entry).expect("readable"));
                }
            }
        }
        let mut texts = String::new();
        files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/faces/console"), &mut texts);
        // A text between quotation marks that begins like a key is one.
        let sections: BTreeSet<&str> = Language::En.table().keys().filter_map(|key| key.split('.').next()).collect();
        let is_key = |text: &str| {
            let parts = text.split_once('.').filter(|(section, _)| sections.contains(section));
            let is_word = |word: &str| {
                !word.is_empty()
                    && word != "html"
                    && word.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-')
            };
            parts.is_some_and(|(_, word)| is_word(word))
        };
        let said: BTreeSet<String> = texts.split('"').filter(|text| is_key(text)).map(str::to_owned).collect();
        let known: BTreeSet<String> = Language::En.table().keys().cloned().collect();
        assert_eq!(said.difference(&known).collect::<Vec<_>>(), Vec::<&String>::new(), "said, and not in the files");
        // Words that are looked up by a word from elsewhere have sections of their own.
        let unsaid: Vec<&String> =
            known.difference(&said).filter(|key| !LOOKED_UP.iter().any(|section| key.starts_with(section))).collect();
        assert_eq!(unsaid, Vec::<&String>::new(), "in the files, and never said");
    }

    /// Sections whose keys are made of words from elsewhere.
    const LOOKED_UP: &[&str] = &[
        "kind.",
        "duty.",
        "state.",
        "step.",
        "happened.",
        "document.",
        "ended.",
        "paper.",
        "action.",
        "ends.",
        "fact.",
        "value.",
        "region.",
        "purpose.",
        "registry.",
        "unusual.",
    ];

    #[test]
    fn each_month_has_a_name() {
        for (language, first, last) in
            [(Language::En, "1 January 2026", "31 December 2026"), (Language::Ru, "1 января 2026", "31 декабря 2026")]
        {
            let said = |day| Words(language).day(Day::parse(day).expect("a day")).replace('\u{a0}', " ");
            assert_eq!((said("2026-01-01").as_str(), said("2026-12-31").as_str()), (first, last));
        }
    }

    #[test]
    fn each_code_is_told_in_russian() {
        let missing: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).filter(|code| !CODES.contains_key(*code)).collect();
        assert_eq!(missing, Vec::<&str>::new());
        assert_eq!(CODES.keys().filter(|code| Code::parse(code).is_none()).collect::<Vec<_>>(), Vec::<&String>::new());
    }

    #[test]
    fn what_a_browser_accepts_is_spoken() {
        for (field, language) in [
            ("", Language::En),
            ("ru", Language::Ru),
            ("ru-RU,ru;q=0.9,en;q=0.8", Language::Ru),
            ("en-GB;q=0.5, ru;q=0.4", Language::En),
            ("de, ru;q=0.1", Language::Ru),
            ("ru;q=0", Language::En),
            ("ru;q=nonsense", Language::En),
        ] {
            assert_eq!(Language::accepted(field), language, "{field}");
        }
    }

    #[test]
    fn forms_of_many_are_those_of_the_language() {
        let of = |n| Words(Language::Ru).count("unit.days", n);
        assert_eq!([1, 2, 5, 11, 21, 112].map(of), ["1 день", "2 дня", "5 дней", "11 дней", "21 день", "112 дней"]);
        assert_eq!([0, 1, 2].map(|n| Words(Language::En).count("unit.days", n)), ["0 days", "1 day", "2 days"]);
        assert_eq!(Words(Language::En).number(1_204_331), "1\u{202f}204\u{202f}331");
        assert_eq!(Words(Language::Ru).percent(146.0 / 228.0), "64,0\u{202f}%");
    }
}
