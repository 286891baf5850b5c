//! What a document could be called and whom it could be about, guessed from the names in its schema.
//!
//! It is a rule over parts of names, in Latin and Cyrillic letters and several languages, and no list of known sets: a word says
//! what a value is, wherever it stands. Every guess is a person's to confirm before it counts.

use crate::base::limits;
use crate::message::xsd::Set;
use crate::message::xsd::set::{Content, TypeRef};
use crate::message::xsd::simple::Simple;
use std::collections::BTreeSet;
use std::sync::Arc;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Whom a document could be about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Person {
    /// The path of the element; empty for the root.
    pub path: String,
    /// Identifiers: path below that element, and scheme.
    pub ids: Vec<(String, &'static str)>,
    /// The path of the family name.
    pub family: Option<String>,
    /// The path of the given name.
    pub given: Option<String>,
    /// The path of the date of birth, and how it is written.
    pub birth: Option<(String, &'static str)>,
}

impl Person {
    /// Whether it has the numbers of an organisation alone, and nothing of a person.
    pub fn is_organisation(&self) -> bool {
        let of_organisations = ["RU-OGRN", "ZZ-LEI"];
        let is_plain = self.family.is_none() && self.given.is_none() && self.birth.is_none();
        is_plain && self.ids.iter().any(|(_, scheme)| of_organisations.contains(scheme))
    }
}

impl Person {
    /// The same with the innermost element that has all of its parts: around it are others, such as an office with a number of its own.
    fn narrowed(mut self) -> Self {
        loop {
            let parts = || self.parts();
            let Some((step, _)) = parts().next().and_then(|first| first.split_once('/')) else { return self };
            if !parts().all(|part| part.split_once('/').is_some_and(|(other, _)| other == step)) {
                return self;
            }
            let step = step.to_owned();
            self.parts_mut().for_each(|part| drop(part.drain(..=step.len())));
            self.path = if self.path.is_empty() { step } else { format!("{}/{step}", self.path) };
        }
    }

    fn parts(&self) -> impl Iterator<Item = &String> {
        let names = self.family.iter().chain(&self.given).chain(self.birth.iter().map(|(path, _)| path));
        self.ids.iter().map(|(path, _)| path).chain(names)
    }

    fn parts_mut(&mut self) -> impl Iterator<Item = &mut String> {
        let names = self.family.iter_mut().chain(&mut self.given).chain(self.birth.iter_mut().map(|(path, _)| path));
        self.ids.iter_mut().map(|(path, _)| path).chain(names)
    }
}

/// The scheme of an identifier whose name does not tell it.
pub const UNKNOWN_SCHEME: &str = "XX-ID";

/// What a value could be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    Id(&'static str),
    Family,
    Given,
    Birth,
}

/// Words that say what a value is: all parts of one entry are in the name, in any order; `=` before a part means that it is a whole
/// word of the name, `!` that it is all of it. They are written without accents, as [`folded`] has them. The first entry that fits counts.
const WORDS: &[(Meaning, &[&str])] = &[
    (Meaning::Id("RU-SNILS"), &["snils", "снилс"]),
    (Meaning::Id("RU-OGRNIP"), &["ogrnip", "огрнип"]),
    (Meaning::Id("RU-OGRN"), &["=ogrn", "=огрн", "=огрнюл"]),
    (Meaning::Id("RU-INN"), &["=inn", "=innfl", "=innul", "=инн", "=иннфл", "=иннюл"]),
    (Meaning::Id("PL-PESEL"), &["pesel"]),
    (Meaning::Id("NL-BSN"), &["=bsn", "burgerservicen"]),
    (Meaning::Id("EE-IK"), &["isikukood", "=ik"]),
    (Meaning::Id("FI-HETU"), &["=hetu", "henkilotunnus"]),
    (Meaning::Id("SE-PNR"), &["personnummer", "=personnr", "=pnr"]),
    (Meaning::Id("IN-AADHAAR"), &["aadhaar", "aadhar"]),
    (Meaning::Id("ZZ-LEI"), &["=lei"]),
    (
        Meaning::Id(UNKNOWN_SCHEME),
        &[
            "national id",
            "person id",
            "personal id",
            "personal number",
            "personal code",
            "identity number",
            "identification number",
            "citizen id",
            "subject id",
            "tax id",
            "taxpayer id",
            "social secur",
            "=ssn",
            "=nin",
            "=nif",
            "=nie",
            "=dni",
            "codice fiscale",
            "steuer id",
            "steueridentifik",
            "identifikationsnummer",
            "kennitala",
            "=cpr",
            "=rodnecislo",
            "=asmenskodas",
            "=personaskods",
            "=unzr",
            "=rnokpp",
            "=рнокпп",
            "=унзр",
            "=ипн",
        ],
    ),
    (
        Meaning::Birth,
        &[
            "birth dat",
            "=birthday",
            "=dob",
            "geburt dat",
            "geboorte dat",
            "рожд дат",
            "народж дат",
            "dat urodz",
            "fecha nac",
            "dat naiss",
            "dat nasc",
            "syntyma aik",
            "synni aeg",
            "synni kuupaev",
            "fodelse dat",
            "=fodt",
            "gimimo dat",
            "dzimsanas dat",
            "narozeni dat",
        ],
    ),
    (
        Meaning::Family,
        &[
            "=family",
            "family name",
            "last name",
            "surname",
            "!last",
            "nachname",
            "familienname",
            "achternaam",
            "geslachtsnaam",
            "nazwisko",
            "sukunimi",
            "perekonnanimi",
            "perenimi",
            "efternamn",
            "etternavn",
            "efternavn",
            "apellido",
            "cognome",
            "!nom",
            "=familia",
            "=familiya",
            "фамили",
            "прізвищ",
            "призвищ",
            "=pavarde",
            "=uzvards",
            "=prijmeni",
            "=prezime",
        ],
    ),
    (
        Meaning::Given,
        &[
            "=given",
            "given name",
            "first name",
            "!first",
            "=forename",
            "=forenames",
            "vorname",
            "voorna",
            "=imie",
            "etunimi",
            "eesnimi",
            "fornamn",
            "fornavn",
            "=nombre",
            "prenom",
            "!nome",
            "=имя",
            "=imya",
            "=имъя",
            "=ім",
            "=vardas",
            "=vards",
            "=jmeno",
            "=ime",
        ],
    ),
];

/// Small letters without accents.
fn folded(text: &str) -> String {
    text.nfd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase).collect()
}

/// The words of a name: `birthDate`, `birth-date` and `BIRTH_DATE` have two.
fn words(name: &str) -> Vec<String> {
    words_of(name, Digits::Apart)
}

/// Whether digits are a word of their own.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Digits {
    Apart,
    Inside,
}

fn words_of(name: &str, digits: Digits) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for c in name.chars() {
        let begins =
            c.is_uppercase() && before.is_lowercase() || digits == Digits::Apart && c.is_numeric() != before.is_numeric();
        if begins || !c.is_alphanumeric() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| c.is_alphanumeric()) {
            word.push(c);
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    words.iter().map(|word| folded(word)).collect()
}

fn meaning(name: &str) -> Option<Meaning> {
    let words = words(name);
    let joined = words.concat();
    let fits = |entry: &&'static str| {
        entry.split(' ').all(|part| match (part.strip_prefix('='), part.strip_prefix('!')) {
            (Some(word), _) => joined == word || words.iter().any(|known| known == word),
            (None, Some(name)) => joined == name,
            (None, None) => joined.contains(&folded(part)),
        })
    };
    WORDS.iter().find(|(_, entries)| entries.iter().any(fits)).map(|(meaning, _)| *meaning)
}

/// A value of a document by its path.
struct Leaf {
    path: String,
    meaning: Meaning,
    simple: Arc<Simple>,
}

/// The values whose names say what they are, those near the root first.
fn leaves(set: &Set, root: u32) -> Vec<Leaf> {
    let mut found = Vec::new();
    let Some(element) = set.element(root) else { return found };
    let mut open: Vec<(String, TypeRef, Vec<TypeRef>)> = vec![(String::new(), element.of, Vec::new())];
    let (mut at, mut seen) = (0, BTreeSet::new());
    while let Some((path, of, above)) = open.get(at).cloned() {
        at += 1;
        let below = |step: &str| if path.is_empty() { step.to_owned() } else { format!("{path}/{step}") };
        let last = path.rsplit('/').next().unwrap_or("");
        if let (Some(simple), Some(meaning)) = (set.simple_of(of), meaning(last)) {
            found.push(Leaf { path: path.clone(), meaning, simple: Arc::clone(simple) });
        }
        let TypeRef::Complex(number) = of else { continue };
        let Some(complex) = set.complex(number).filter(|_| !above.contains(&of)) else { continue };
        for attribute in &complex.attributes.uses {
            let name = set.names().local(attribute.name);
            if let (Some(simple), Some(meaning)) = (&attribute.of, meaning(name)) {
                found.push(Leaf { path: below(&format!("@{name}")), meaning, simple: Arc::clone(simple) });
            }
        }
        let Content::Elements { model, .. } = &complex.content else { continue };
        for inner in model.elements().filter_map(|inner| set.element(inner.element)) {
            let path = below(set.names().local(inner.name));
            if open.len() < limits::SCHEMA_PATHS_MAX && seen.insert(path.clone()) {
                open.push((path, inner.of, [above.as_slice(), &[of]].concat()));
            }
        }
    }
    found
}

/// Whom a document could be about: an element with an identifier, or with a family name and a date of birth, near it. Of several the one
/// near the root, which a document is about rather than a relative or an official in it; a level counts for two parts of a person.
pub fn person(set: &Set, root: u32) -> Option<Person> {
    let leaves = leaves(set, root);
    let around = |leaf: &Leaf| around_of(&leaf.path).nth(1).unwrap_or("").to_owned();
    let bearers: BTreeSet<String> = leaves.iter().filter(|leaf| matches!(leaf.meaning, Meaning::Id(_))).map(around).collect();
    let seeds: BTreeSet<String> = leaves.iter().filter(|leaf| leaf.meaning != Meaning::Given).map(around).collect();
    let mut best: Option<(usize, Person)> = None;
    // Whoever has a number of its own is somebody else.
    let is_free = |seed: &str, path: &str| path == seed || !bearers.contains(path);
    let places = |seed| around_of(seed).take(LEVELS_UP).take_while(move |path| is_free(seed, path)).map(move |path| (seed, path));
    for (seed, path) in seeds.iter().map(String::as_str).flat_map(places) {
        let is_others = |bearer: &String| is_in(bearer, path) && !is_in(seed, bearer) && seed != bearer;
        let others: Vec<&String> = bearers.iter().filter(|bearer| is_others(bearer)).collect();
        let own = leaves.iter().filter(|leaf| !others.iter().any(|other| is_in(&leaf.path, other)));
        let person = gather(own, path);
        let has = [!person.ids.is_empty(), person.family.is_some(), person.given.is_some(), person.birth.is_some()];
        if !(has[0] || has[1] && has[3]) {
            continue;
        }
        let missing = has.into_iter().filter(|has| !has).count();
        let cost = person.path.split('/').filter(|step| !step.is_empty()).count() * 2 + missing;
        if best.as_ref().is_none_or(|(known, _)| cost < *known) {
            best = Some((cost, person));
        }
    }
    best.map(|(_, person)| person)
}

/// An element and those around it.
fn around_of(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| (!path.is_empty()).then(|| path.get(..path.rfind('/').unwrap_or(0)).unwrap_or("")))
}

/// Whether a path lies below an element.
fn is_in(path: &str, element: &str) -> bool {
    if element.is_empty() { !path.is_empty() } else { path.strip_prefix(element).is_some_and(|rest| rest.starts_with('/')) }
}

/// What is below an element, of each kind the nearest.
fn gather<'l>(leaves: impl Iterator<Item = &'l Leaf>, path: &str) -> Person {
    let below = |leaf: &'_ Leaf| -> Option<String> {
        let rest = if path.is_empty() { leaf.path.as_str() } else { leaf.path.strip_prefix(path)?.strip_prefix('/')? };
        (rest.split('/').count() <= LEVELS_UP).then(|| rest.to_owned())
    };
    let mut person = Person { path: path.to_owned(), ..Person::default() };
    for leaf in leaves {
        let Some(rest) = below(leaf) else { continue };
        match leaf.meaning {
            Meaning::Id(scheme) if person.ids.iter().all(|(_, known)| *known != scheme) => person.ids.push((rest, scheme)),
            Meaning::Family => drop(person.family.get_or_insert(rest)),
            Meaning::Given => drop(person.given.get_or_insert(rest)),
            Meaning::Birth => drop(person.birth.get_or_insert_with(|| (rest, form(&leaf.simple)))),
            Meaning::Id(_) => {}
        }
    }
    person.narrowed()
}

/// How a date is written, by what its type lets through.
fn form(simple: &Simple) -> &'static str {
    let sample = simple.sample(false).unwrap_or_default();
    let shape: String = sample.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    match shape.as_str() {
        "00.00.0000" => "dd.mm.yyyy",
        "00000000" => "yyyymmdd",
        _ => "yyyy-mm-dd",
    }
}

/// What a document could be called: the name of its set and of its root, in letters of ASCII.
pub fn name(set: &str, root: &str) -> String {
    // Digits stay with their word: de4a.
    let plain = |text: &str| {
        words_of(text, Digits::Inside)
            .iter()
            .map(|word| latin(word))
            .filter(|word| !word.is_empty())
            .collect::<Vec<_>>()
            .join("-")
    };
    let (set, root) = (plain(set), plain(root));
    let name = if root.is_empty() || root.starts_with(&set) || set.is_empty() {
        format!("{root}{}", if root.is_empty() { &*set } else { "" })
    } else {
        format!("{set}-{root}")
    };
    let name = name.trim_matches('-');
    let name = if name.is_empty() { "document" } else { name };
    name.get(..NAME_BYTES_MAX.min(name.len())).unwrap_or("document").trim_end_matches('-').to_owned()
}

/// A word in letters of ASCII; signs of other scripts than Latin and Cyrillic are left out.
fn latin(word: &str) -> String {
    let letter = |c: char| {
        let at = CYRILLIC.iter().find(|(known, _)| *known == c).map(|(_, latin)| *latin);
        at.map_or_else(|| if c.is_ascii_alphanumeric() { c.to_string() } else { String::new() }, str::to_owned)
    };
    word.chars().map(letter).collect()
}

/// How far from an identifier the names of its person may stand.
const LEVELS_UP: usize = 3;
/// A code has at most 64 characters; a number may be put behind.
const NAME_BYTES_MAX: usize = 60;

const CYRILLIC: &[(char, &str)] = &[
    ('а', "a"),
    ('б', "b"),
    ('в', "v"),
    ('г', "g"),
    ('ґ', "g"),
    ('д', "d"),
    ('е', "e"),
    ('є', "ie"),
    ('ж', "zh"),
    ('з', "z"),
    ('и', "i"),
    ('і', "i"),
    ('к', "k"),
    ('л', "l"),
    ('м', "m"),
    ('н', "n"),
    ('о', "o"),
    ('п', "p"),
    ('р', "r"),
    ('с', "s"),
    ('т', "t"),
    ('у', "u"),
    ('ф', "f"),
    ('х', "kh"),
    ('ц', "ts"),
    ('ч', "ch"),
    ('ш', "sh"),
    ('щ', "shch"),
    ('ъ', ""),
    ('ы', "y"),
    ('ь', ""),
    ('э', "e"),
    ('ю', "iu"),
    ('я', "ia"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::xsd::compile;
    use crate::message::xsd::read::{Library, Source, load};

    struct Nothing;

    impl Library for Nothing {
        fn fetch(&mut self, _: &str, _: Option<&str>, _: &str) -> Option<Source> {
            None
        }
    }

    fn guessed(declarations: &str) -> Option<Person> {
        let text = format!("<xs:schema xmlns:xs=\"http://www.w3.org/2001/XMLSchema\">{declarations}</xs:schema>");
        let loaded = load(vec![Source { name: "a.xsd".to_owned(), text }], &mut Nothing).expect("read");
        let set = compile(&loaded).expect("compiled");
        let root = set.global_elements().next().expect("a root");
        person(&set, root)
    }

    fn element(name: &str, inside: &str) -> String {
        format!("<xs:element name=\"{name}\"><xs:complexType><xs:sequence>{inside}</xs:sequence></xs:complexType></xs:element>")
    }

    fn texts(names: &[&str]) -> String {
        names.iter().map(|name| format!("<xs:element name=\"{name}\" type=\"xs:string\"/>")).collect()
    }

    #[test]
    fn a_word_says_what_a_value_is_in_several_languages() {
        for (name, expected) in [
            ("SNILS", Some(Meaning::Id("RU-SNILS"))),
            ("СНИЛСЗастрахованного", Some(Meaning::Id("RU-SNILS"))),
            ("ИННФЛ", Some(Meaning::Id("RU-INN"))),
            ("inner", None),
            ("winner", None),
            ("ОГРН", Some(Meaning::Id("RU-OGRN"))),
            ("numerPESEL", Some(Meaning::Id("PL-PESEL"))),
            ("burgerservicenummer", Some(Meaning::Id("NL-BSN"))),
            ("NationalID", Some(Meaning::Id(UNKNOWN_SCHEME))),
            ("birthDate", Some(Meaning::Birth)),
            ("DateOfBirth", Some(Meaning::Birth)),
            ("BirthPlace", None),
            ("ДатаРожд", Some(Meaning::Birth)),
            ("Geburtsdatum", Some(Meaning::Birth)),
            ("dataUrodzenia", Some(Meaning::Birth)),
            ("FechaNacimiento", Some(Meaning::Birth)),
            ("Фамилия", Some(Meaning::Family)),
            ("last_name", Some(Meaning::Family)),
            ("Familienname", Some(Meaning::Family)),
            ("Nazwisko", Some(Meaning::Family)),
            ("lastUpdated", None),
            ("Имя", Some(Meaning::Given)),
            ("Imię", Some(Meaning::Given)),
            ("FirstName", Some(Meaning::Given)),
            ("Prénom", Some(Meaning::Given)),
            ("Unit", None),
        ] {
            assert_eq!(meaning(name), expected, "{name}");
        }
    }

    #[test]
    fn the_element_around_identifier_and_names_is_the_person() {
        let fio = "<xs:element name=\"ФИО\"><xs:complexType><xs:attribute name=\"Фамилия\" type=\"xs:string\"/><xs:attribute name=\"Имя\" \
                   type=\"xs:string\"/></xs:complexType></xs:element>";
        let date = "<xs:element name=\"ДатаРожд\"><xs:simpleType><xs:restriction base=\"xs:string\"><xs:pattern \
                    value=\"[0-9]{2}\\.[0-9]{2}\\.[0-9]{4}\"/></xs:restriction></xs:simpleType></xs:element>";
        let person = element("СвФЛ", &format!("{}{fio}{date}", texts(&["СНИЛС", "ИНН"])));
        let agency = element("Орган", &texts(&["ОГРН", "Название"]));
        let guess = guessed(&element("Выписка", &format!("{agency}{person}"))).expect("a person");
        assert_eq!(guess.path, "СвФЛ");
        assert_eq!(guess.ids, [("СНИЛС".to_owned(), "RU-SNILS"), ("ИНН".to_owned(), "RU-INN")]);
        assert_eq!((guess.family.as_deref(), guess.given.as_deref()), (Some("ФИО/@Фамилия"), Some("ФИО/@Имя")));
        assert_eq!(guess.birth, Some(("ДатаРожд".to_owned(), "dd.mm.yyyy")));
        let flat = guessed(&element("R", &texts(&["pesel", "nazwisko", "imie"]))).expect("a person");
        assert_eq!((flat.path.as_str(), flat.family.as_deref()), ("", Some("nazwisko")));
        assert_eq!(guessed(&element("R", &texts(&["total", "currency"]))), None);
        // Without a number the name and the date of birth tell.
        let child = element("Child", &texts(&["DateOfBirth", "GivenName", "FamilyName"]));
        assert_eq!(
            guessed(&element("Evidence", &element("Birth", &child))).map(|guess| guess.path),
            Some("Birth/Child".to_owned())
        );
        // An organisation, and not the persons deep in it.
        let founders = element("Founders", &element("Founder", &texts(&["ИНН", "Фамилия", "Имя"])));
        let company = element("Company", &format!("{}{founders}", texts(&["ОГРН", "ИНН"])));
        let guess = guessed(&element("Extract", &company)).expect("an organisation");
        assert_eq!((guess.path.as_str(), guess.ids.len(), guess.is_organisation()), ("Company", 2, true));
    }

    #[test]
    fn names_of_documents_are_codes() {
        for (set, root, expected) in [
            ("tax", "Extract", "tax-extract"),
            ("tax", "TaxExtract", "tax-extract"),
            ("fns", "Файл", "fns-fail"),
            ("ЕГРЮЛ", "СведенияОЮЛ", "egriul-svedeniia-oiul"),
            ("x", "表", "x"),
            ("de4a", "BirthEvidence", "de4a-birth-evidence"),
        ] {
            assert_eq!(name(set, root), expected);
            assert!(crate::base::ids::Code::parse(expected).is_some());
        }
        assert!(name("a", &"b".repeat(100)).len() <= 64);
    }
}
