//! The texts of notices, as files of the catalogue: `texts/SITUATION/EVENT.LANGUAGE.txt`, and `texts/any/EVENT.LANGUAGE.txt` for every
//! situation that has none of its own. In each language of the catalogue there is one of `any` for each event.
//!
//! A text is one line of at most 300 characters, with places that are filled in: `{step}`, `{situation}`, `{date}`, `{agency}`,
//! `{document}`, `{link}`. What is filled in is cut so that the whole is no longer either, but for the link. No control character gets
//! into it, wherever it comes from: what is told goes into headers of mails and onto people's screens.

use super::diagnostic::File;
use super::file::{Noted, Read, Reading};
use super::{Catalogue, Notice, Texts};
use crate::base::fault::{Code as Fault, nearest};
use crate::base::ids::Code;
use crate::base::limits;
use std::collections::BTreeMap;
use std::ops::Range;
use toml::Spanned;

/// Of what there are texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TextEvent {
    /// A step has begun.
    Started,
    /// It is done.
    Done,
    /// Its term has passed.
    Late,
    /// It was refused, or cannot be done.
    Failed,
    /// The right to it ends soon.
    Expiring,
    /// There are questions to answer.
    Form,
    /// A document is asked for that nobody else has given.
    Bring,
    /// All is done.
    Closed,
    /// The case was taken back.
    Withdrawn,
    /// Something that was asked for is still waited for.
    Reminder,
    /// All is over, and somebody may say how it was.
    Survey,
}

impl TextEvent {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Started,
        Self::Done,
        Self::Late,
        Self::Failed,
        Self::Expiring,
        Self::Form,
        Self::Bring,
        Self::Closed,
        Self::Withdrawn,
        Self::Reminder,
        Self::Survey,
    ];

    /// Its name in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Done => "done",
            Self::Late => "late",
            Self::Failed => "failed",
            Self::Expiring => "expiring",
            Self::Form => "form",
            Self::Bring => "bring",
            Self::Closed => "closed",
            Self::Withdrawn => "withdrawn",
            Self::Reminder => "reminder",
            Self::Survey => "survey",
        }
    }

    /// The event with this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.as_str() == text)
    }
}

/// What `tell` of a step names.
impl From<Notice> for TextEvent {
    fn from(notice: Notice) -> Self {
        match notice {
            Notice::Started => Self::Started,
            Notice::Done => Self::Done,
            Notice::Late => Self::Late,
            Notice::Failed => Self::Failed,
            Notice::Expiring => Self::Expiring,
        }
    }
}

/// What is filled into a text. What is not said leaves its place empty.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filling<'f> {
    /// The title of the step.
    pub step: &'f str,
    /// The title of the situation.
    pub situation: &'f str,
    /// A day, as people write it.
    pub date: &'f str,
    /// The title of the agency.
    pub agency: &'f str,
    /// The title of the document.
    pub document: &'f str,
    /// Where the case can be looked at.
    pub link: &'f str,
}

impl Filling<'_> {
    /// What stands in a place; nothing if no place has this name.
    fn of(&self, name: &str) -> Option<&str> {
        Some(match name {
            "step" => self.step,
            "situation" => self.situation,
            "date" => self.date,
            "agency" => self.agency,
            "document" => self.document,
            LINK => self.link,
            _ => return None,
        })
    }
}

/// Fills in a text. It has at most 300 characters then, and the link, which stands there once, whatever it is filled with.
pub fn fill(text: &str, filling: &Filling<'_>) -> String {
    let parts = parts(text);
    let fixed: usize = parts.iter().map(|part| part.fixed(filling).map_or(0, |fixed| fixed.chars().count())).sum();
    let values = parts.iter().filter_map(|part| part.value(filling));
    let most = share(values.map(|value| value.chars().count()).collect(), limits::CATALOGUE_TEXT_MAX.saturating_sub(fixed));
    let (mut filled, mut left, mut link) = (String::new(), limits::CATALOGUE_TEXT_MAX, Some(filling.link));
    for part in &parts {
        if let Some(fixed) = part.fixed(filling) {
            filled.extend(fixed.chars().take(left).map(|c| if is_hidden(c) { ' ' } else { c }));
            left = left.saturating_sub(fixed.chars().count());
        } else if let Some(value) = part.value(filling) {
            filled.push_str(&cut(&value, most));
        } else if let Some(link) = link.take() {
            filled.extend(link.chars().filter(|c| !is_hidden(*c) && !c.is_whitespace()));
        }
    }
    filled
}

/// A text as one line of so many characters: what is hidden, and any run of blanks, is one blank.
pub fn line(text: &str, characters_max: usize) -> String {
    let visible = text.split(|c: char| c.is_whitespace() || is_hidden(c)).filter(|word| !word.is_empty());
    cut(&visible.collect::<Vec<_>>().join(" "), characters_max)
}

/// Its first characters, with a mark where something is missing.
fn cut(text: &str, characters_max: usize) -> String {
    if text.chars().count() <= characters_max {
        return text.to_owned();
    }
    let kept: String = text.chars().take(characters_max.saturating_sub(1)).collect();
    if characters_max == 0 { kept } else { format!("{}…", kept.trim_end()) }
}

/// How long a value may be so that values of these lengths have room together: only the longest are cut.
fn share(mut lengths: Vec<usize>, mut room: usize) -> usize {
    lengths.sort_unstable();
    let count = lengths.len();
    for (at, length) in lengths.into_iter().enumerate() {
        let each = room / (count - at);
        if length > each {
            return each;
        }
        room -= length;
    }
    usize::MAX
}

/// What is not seen and does something: control characters, ends of lines and paragraphs, and what turns the direction of writing.
pub fn is_hidden(c: char) -> bool {
    let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{061c}');
    c.is_control() || turns || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')
}

/// The place of the link.
const LINK: &str = "link";

/// The places that a text may have.
const PLACES: [&str; 6] = ["step", "situation", "date", "agency", "document", LINK];

/// A part of a text, with where it stands.
#[derive(Clone, Debug)]
enum Part<'t> {
    Fixed(&'t str),
    /// A name in braces.
    Place(Range<usize>, &'t str, &'t str),
    /// A brace that has no other.
    Brace(Range<usize>, &'t str),
}

impl<'t> Part<'t> {
    /// What stays as it stands.
    fn fixed(&self, filling: &Filling<'_>) -> Option<&'t str> {
        match self {
            Self::Fixed(text) | Self::Brace(_, text) => Some(text),
            Self::Place(_, name, text) => filling.of(name).is_none().then_some(text),
        }
    }

    /// What is filled in, but for the link.
    fn value(&self, filling: &Filling<'_>) -> Option<String> {
        let Self::Place(_, name, _) = self else { return None };
        filling.of(name).filter(|_| *name != LINK).map(|value| line(value, usize::MAX))
    }
}

fn parts(text: &str) -> Vec<Part<'_>> {
    let (mut parts, mut at) = (Vec::new(), 0);
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let brace = rest.find(['{', '}']).unwrap_or(rest.len());
        let (fixed, rest) = rest.split_at(brace);
        if !fixed.is_empty() {
            parts.push(Part::Fixed(fixed));
        }
        at += brace;
        let Some(inside) = rest.get(1..) else { break };
        let name = inside.split_once(['{', '}']).map_or("", |(name, _)| name);
        let is_place = rest.starts_with('{') && inside.get(name.len()..).is_some_and(|behind| behind.starts_with('}'));
        let length = if is_place { name.len() + 2 } else { 1 };
        let (range, whole) = (at..at + length, rest.get(..length).unwrap_or_default());
        parts.push(if is_place { Part::Place(range, name, whole) } else { Part::Brace(range, whole) });
        at += length;
    }
    parts
}

impl Catalogue {
    /// The text of an event of a situation in a language: its own, or that for any situation; in the first language of the catalogue,
    /// if it does not have this one. It is filled in by [`fill`].
    pub fn text(&self, situation: &Code, event: TextEvent, language: &str) -> &str {
        let language = self.languages.iter().find(|known| ***known == *language).or(self.languages.first());
        let of = |situation: Option<&Code>| self.texts.get(&(situation.cloned(), event))?.0.get(language?);
        of(Some(situation)).or_else(|| of(None)).map_or("", |text| text)
    }
}

/// Texts by situation, or for any, and event.
pub(super) type Notices = BTreeMap<(Option<Code>, TextEvent), Texts>;

/// The folder of all texts.
pub(super) const FOLDER: &str = "texts/";
/// The folder of those for any situation.
const ANY: &str = "any";

/// Reads a text, one of the files that are given. The situations have been read before.
pub(super) fn text(reading: &mut Reading<'_>, file: &File, given: &[File]) -> Read<()> {
    // What is wrong with a name is told without a line.
    let (named, start) = (File::new(&*file.name, ""), 0..0);
    let Some((situation, event, language)) = name_of(file) else {
        let what = "a text is texts/SITUATION/EVENT.LANGUAGE.txt, or texts/any/EVENT.LANGUAGE.txt";
        return reading.wrong(Fault::CatSyntax, &named, &start, what);
    };
    // Where the catalogue has no languages, or the situation is there and could not be read, that was told already.
    let is_read = situation == ANY || reading.catalogue.situations().any(|known| known.id.as_str() == situation);
    if reading.catalogue.languages.is_empty() || (!is_read && given.iter().any(|file| is_of(file, situation))) {
        return Err(Noted);
    }
    let spanned = |word: &str| Spanned::new(start.clone(), word.to_owned());
    let situation = (situation != ANY)
        .then(|| {
            let known: Vec<Code> = reading.catalogue.situations().map(|known| known.id.clone()).collect();
            reading.known(&named, &spanned(situation), "situation", &known)
        })
        .transpose()?;
    let events: Vec<Code> = TextEvent::ALL.iter().filter_map(|event| Code::parse(event.as_str())).collect();
    let event = reading.known(&named, &spanned(event), "event of a notice", &events)?;
    let languages = &reading.catalogue.languages;
    let Some(language) = languages.iter().find(|known| ***known == *language).cloned() else {
        let what = format!("{language} is none of the languages of the catalogue: {}", languages.join(", "));
        return reading.wrong(Fault::CatText, &named, &start, what);
    };
    // The end of the line is the editor's.
    let line = file.text.strip_suffix('\n').unwrap_or(&file.text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    check(reading, file, line);
    if let Some(event) = TextEvent::parse(event.as_str()) {
        // A text with a mistake is there all the same: it is not told as missing as well.
        reading.catalogue.texts.entry((situation, event)).or_default().0.insert(language, line.into());
    }
    Ok(())
}

/// Whether a file has this situation, in some version.
fn is_of(file: &File, situation: &str) -> bool {
    let name = file.name.strip_prefix("federal/").and_then(|name| name.strip_suffix(".toml"));
    name.is_some_and(|name| name.split('@').next() == Some(situation))
}

/// Situation, event and language.
fn name_of(file: &File) -> Option<(&str, &str, &str)> {
    let (situation, name) = file.name.strip_prefix(FOLDER)?.split_once('/')?;
    let (event, language) = name.strip_suffix(".txt")?.split_once('.')?;
    let is_plain = !event.contains('/') && !language.contains(['/', '.']);
    is_plain.then_some((situation, event, language))
}

/// Notes what is wrong with a text.
fn check(reading: &mut Reading<'_>, file: &File, line: &str) {
    let most = limits::CATALOGUE_TEXT_MAX;
    if line.trim().is_empty() {
        return reading.note(
            Fault::CatText,
            file,
            &(0..0),
            format!("a notice has one to {most} characters, and this one has none"),
        );
    }
    if let Some((beyond, _)) = line.char_indices().nth(most) {
        let what = format!("a notice has at most {most} characters, and this one has {}", line.chars().count());
        reading.note(Fault::CatText, file, &(beyond..line.len()), what);
    }
    if let Some((at, hidden)) = line.char_indices().find(|(_, c)| is_hidden(*c)) {
        let what = format!("a notice is one line, without control characters; this is U+{:04X}", u32::from(hidden));
        reading.note(Fault::CatText, file, &(at..at + hidden.len_utf8()), what);
    }
    for part in parts(line) {
        match part {
            Part::Place(at, name, _) if !PLACES.contains(&name) => {
                let near = nearest(name, PLACES.into_iter()).map_or(String::new(), |near| format!("; did you mean {{{near}}}?"));
                let what = format!("nothing is filled in for {{{name}}}{near}");
                reading.note(Fault::CatUnknown, file, &at, what);
            }
            Part::Brace(at, _) => {
                let places = PLACES.map(|name| format!("{{{name}}}")).join(", ");
                reading.note(Fault::CatSyntax, file, &at, format!("a brace without its other one; there are {places}"));
            }
            _ => {}
        }
    }
}

/// Notes which texts for any situation are missing, at the language in `catalogue.toml`.
pub(super) fn missing(reading: &mut Reading<'_>, files: &[File]) {
    let head =
        files.iter().find(|file| file.name == "catalogue.toml").cloned().unwrap_or_else(|| File::new("catalogue.toml", ""));
    for language in reading.catalogue.languages.clone() {
        let texts = &reading.catalogue.texts;
        let has = |event: &TextEvent| texts.get(&(None, *event)).is_some_and(|texts| texts.0.contains_key(&language));
        let missing: Vec<&str> = TextEvent::ALL.iter().filter(|event| !has(event)).map(|event| event.as_str()).collect();
        if !missing.is_empty() {
            let quoted = format!("\"{language}\"");
            let at = head.text.find(&quoted).map_or(0..0, |at| at..at + quoted.len());
            let what = format!("there is no texts/any/EVENT.{language}.txt for {}", missing.join(", "));
            reading.note(Fault::CatText, &head, &at, what);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::schema::Schemas;
    use proptest::prelude::*;

    fn built_in() -> Catalogue {
        let schemas = Schemas::built_in();
        Catalogue::built_in(&schemas).unwrap_or_else(|wrong| panic!("{}", wrong[0]))
    }

    fn code(text: &str) -> Code {
        Code::parse(text).expect("a code")
    }

    /// What is told of the program's catalogue with this text more, or in place of that of the same name.
    fn told(name: &str, text: &str) -> Vec<String> {
        let mut files = Catalogue::built_in_files();
        files.retain(|file| file.name != name);
        files.push(File::new(name, text));
        let wrong = Catalogue::read(&files, &Schemas::built_in()).err().unwrap_or_default();
        wrong.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_situation_has_its_own_text_or_that_for_any() {
        let catalogue = built_in();
        let own = catalogue.text(&code("birth-of-child"), TextEvent::Closed, "en");
        assert!(own.contains("birth of your child"), "{own}");
        let russian = catalogue.text(&code("birth-of-child"), TextEvent::Closed, "ru");
        assert!(russian.starts_with("Ничего делать не нужно."), "{russian}");
        let any = catalogue.text(&code("marriage"), TextEvent::Closed, "en");
        assert_eq!(
            (any, any),
            (catalogue.text(&code("no-such"), TextEvent::Closed, "en"), "You need to do nothing. All is done: {situation}.")
        );
        assert_eq!(catalogue.text(&code("marriage"), TextEvent::Closed, "fr"), any, "the first language");
        for situation in catalogue.situations() {
            for (event, language) in
                TextEvent::ALL.into_iter().flat_map(|event| catalogue.languages().iter().map(move |l| (event, l)))
            {
                let text = catalogue.text(&situation.id, event, language);
                let does = [
                    "You need to",
                    "You still need to",
                    "Ничего делать",
                    "Сделайте",
                    "Ответьте",
                    "Предоставьте",
                    "Посмотрите",
                    "Вам ещё нужно",
                ];
                assert!(does.iter().any(|does| text.starts_with(does)), "{} {event:?} {language}: {text}", situation.id);
            }
        }
    }

    /// A text may stand in one language only: the others have that for any situation.
    #[test]
    fn an_own_text_in_one_language_leaves_the_others_as_they_are() {
        let mut files = Catalogue::built_in_files();
        files.push(File::new("texts/marriage/done.en.txt", "You need to do nothing. Congratulations.\n"));
        let catalogue = Catalogue::read(&files, &Schemas::built_in()).unwrap_or_else(|wrong| panic!("{}", wrong[0]));
        assert_eq!(catalogue.text(&code("marriage"), TextEvent::Done, "en"), "You need to do nothing. Congratulations.");
        assert_eq!(
            catalogue.text(&code("marriage"), TextEvent::Done, "ru"),
            catalogue.text(&code("retirement"), TextEvent::Done, "ru")
        );
    }

    const DONE: &str = "texts/any/done.en.txt";

    #[test]
    fn each_mistake_of_a_text_is_told_with_its_code_and_place() {
        let most = limits::CATALOGUE_TEXT_MAX;
        let (longest, too_long) = ("é".repeat(most), "é".repeat(most + 1));
        for (name, text, expected) in [
            (DONE, "", "OG-CAT-009 a notice has one to 300 characters, and this one has none"),
            (DONE, " \n", "OG-CAT-009 a notice has one to 300 characters, and this one has none"),
            (DONE, &too_long, "1:301: OG-CAT-009 a notice has at most 300 characters, and this one has 301"),
            (DONE, "Two\nlines.\n", "1:4: OG-CAT-009 a notice is one line, without control characters; this is U+000A"),
            (DONE, "A\u{202e}b", "1:2: OG-CAT-009 a notice is one line, without control characters; this is U+202E"),
            (DONE, "Done: {steps}.", "1:7: OG-CAT-002 nothing is filled in for {steps}; did you mean {step}?"),
            (DONE, "Done: {}.", "1:7: OG-CAT-002 nothing is filled in for {}"),
            (DONE, "Готово: {step", "1:9: OG-CAT-001 a brace without its other one; there are {step}, {situation}"),
            (DONE, "Done: {{step}", "1:7: OG-CAT-001 a brace without its other one"),
            (DONE, "Done: step}", "1:11: OG-CAT-001 a brace without its other one"),
            ("texts/any/dnoe.en.txt", "x", "OG-CAT-002 no event of a notice is called dnoe; did you mean done?"),
            (
                "texts/birth-of-chlid/done.en.txt",
                "x",
                "OG-CAT-002 no situation is called birth-of-chlid; did you mean birth-of-child?",
            ),
            ("texts/any/done.fr.txt", "x", "OG-CAT-009 fr is none of the languages of the catalogue: en, ru"),
            ("texts/any/done.txt", "x", "OG-CAT-001 a text is texts/SITUATION/EVENT.LANGUAGE.txt"),
            ("texts/any/done.en.toml", "x", "OG-CAT-001 a text is texts/SITUATION/EVENT.LANGUAGE.txt"),
            ("texts/done.en.txt", "x", "OG-CAT-001 a text is texts/SITUATION/EVENT.LANGUAGE.txt"),
            ("texts/any/more/done.en.txt", "x", "OG-CAT-001 a text is texts/SITUATION/EVENT.LANGUAGE.txt"),
            ("texts/Any/done.en.txt", "x", "OG-CAT-001 \"Any\" is not a name"),
        ] {
            let told = told(name, text);
            assert_eq!(told.len(), 1, "{name} {text}: {told:#?}");
            assert!(told[0].starts_with(name) && told[0].contains(expected), "expected {expected}\nand found {}", told[0]);
        }
        assert_eq!((told(DONE, &longest), told(DONE, "{step}\r\n")), (Vec::new(), Vec::new()));
        let marked = told(DONE, "Готово: {шаг}.");
        assert!(marked[0].ends_with("\n    Готово: {шаг}.\n            ^^^^^"), "{marked:?}");
    }

    #[test]
    fn a_language_without_a_text_for_any_situation_is_told_at_its_place() {
        let mut files = Catalogue::built_in_files();
        files.retain(|file| !matches!(file.name.as_str(), "texts/any/done.ru.txt" | "texts/any/form.ru.txt"));
        let wrong = Catalogue::read(&files, &Schemas::built_in()).map(drop).expect_err("two are missing");
        let told = wrong[0].to_string();
        assert!(told.contains(": OG-CAT-009 there is no texts/any/EVENT.ru.txt for done, form\n"), "{told}");
        assert!(told.starts_with("catalogue.toml:") && told.ends_with("^^^^") && wrong.len() == 1, "{told}");
    }

    #[test]
    fn what_is_filled_in_is_cut_where_it_would_be_too_long() {
        let filling =
            Filling { step: "a step", agency: "an\r\nagency", date: "1 May", link: "https://x/\r\n y", ..Filling::default() };
        assert_eq!(
            fill("{agency}: {step} by {date}, {link} and {link}.", &filling),
            "an agency: a step by 1 May, https://x/y and ."
        );
        assert_eq!(fill("{nobody} {} { }", &filling), "{nobody} {} { }");
        let long = "x".repeat(400);
        let filled = fill("{agency}: {step}.", &Filling { step: &long, agency: "ZAGS", ..Filling::default() });
        assert!(filled.starts_with("ZAGS: xxx") && filled.ends_with("x….") && filled.chars().count() == 300, "{filled}");
        assert_eq!(fill(&long, &filling).len(), 300);
        assert_eq!(
            (line(" a\u{2028}\tb ", 9), line("abc", 2), line("abc", 0)),
            ("a b".to_owned(), "a…".to_owned(), String::new())
        );
    }

    /// Texts as people write them, and others.
    fn any_text() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            "\\PC{0,80}",
            "[ -~\\n\\r\\t\\x00\u{202e}\u{2028}]{0,40}",
            proptest::sample::select(vec![
                "{step}",
                "{situation}",
                "{date}",
                "{agency}",
                "{document}",
                "{link}",
                "{",
                "}",
                "{x}"
            ])
            .prop_map(str::to_owned),
        ];
        proptest::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn no_filling_makes_a_text_too_long_or_lets_a_control_character_in(
            text in any_text(), values in proptest::collection::vec(any_text(), 5), link in any_text(),
        ) {
            let value = |at: usize| values.get(at).map_or("", String::as_str);
            let filling =
                Filling { step: value(0), situation: value(1), date: value(2), agency: value(3), document: value(4), link: &link };
            let filled = fill(&text, &filling);
            prop_assert!(!filled.chars().any(is_hidden), "{filled:?}");
            prop_assert!(filled.chars().count() <= limits::CATALOGUE_TEXT_MAX + link.chars().count(), "{filled}");
            if !text.contains("{link}") {
                prop_assert!(filled.chars().count() <= limits::CATALOGUE_TEXT_MAX, "{filled}");
            }
        }

        /// Of a text that the catalogue takes, all but what is filled in is there as it was written.
        #[test]
        fn of_a_good_text_nothing_is_lost_but_of_what_is_filled_in(before in "[a-zа-я .]{0,100}", after in "[a-zа-я .]{0,100}", step in "\\PC{0,600}") {
            let filled = fill(&format!("{before}{{step}}{after}"), &Filling { step: &step, ..Filling::default() });
            prop_assert!(filled.starts_with(&before) && filled.ends_with(&after), "{filled}");
        }

        #[test]
        fn a_line_is_one(text in any_text(), most in 0_usize..50) {
            let line = line(&text, most);
            prop_assert!(line.chars().count() <= most && !line.chars().any(is_hidden) && line.trim() == line, "{line:?}");
        }
    }
}
