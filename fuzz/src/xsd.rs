//! Schemas of all kinds, and documents that are held against them.

use crate::forge::Choices;
use crate::memory::bounded_by;
use oncegate::message::xml::{Profile, scan};
use oncegate::message::xsd::pattern::Pattern;
use oncegate::message::xsd::read::{Library, Loaded, Source, load};
use oncegate::message::xsd::run::Run;
use oncegate::message::xsd::simple::Room;
use oncegate::message::xsd::{Set, compile};
use std::fmt::Write as _;
use xsd_schema::SchemaSetBuilder;
use xsd_schema::validation::{CollectingValidationSink, SchemaValidator, ValidationFlags, drive_quick_xml};

/// Octets of memory for each octet of a schema: its longest patterns become automata.
const COMPILED: usize = 8192;
/// What is taken beside that.
const CONSTANT: usize = 16 << 20;

/// The parts of an input are the files of a set.
struct Parts(Vec<Source>);

impl Library for Parts {
    fn fetch(&mut self, _: &str, location: Option<&str>, _: &str) -> Option<Source> {
        self.0.iter().find(|part| Some(part.name.as_str()) == location).cloned()
    }
}

fn sources(text: &str) -> Vec<Source> {
    text.split('\0').enumerate().map(|(at, text)| Source { name: format!("{at}.xsd"), text: text.to_owned() }).collect()
}

fn read(text: &str) -> Result<Loaded, oncegate::message::xsd::SchemaError> {
    let sources = sources(text);
    load(vec![sources[0].clone()], &mut Parts(sources))
}

/// Any octets as a set of schemas, parted by NUL, end as a set or with an error whose place is in one of them.
pub fn xsd_compile(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let found = bounded_by(COMPILED * input.len() + CONSTANT, || read(text).and_then(|loaded| compile(&loaded)));
    match found {
        Err(error) => {
            let source = sources(text).into_iter().find(|source| source.name == error.file);
            let lines = source.map_or(1, |source| source.text.split('\n').count());
            assert!((1..=lines + 1).contains(&error.line), "{error} is outside");
        }
        Ok(set) => {
            let first = set.global_elements().next().and_then(|number| set.element(number));
            if let Some(element) = first {
                let (uri, local) = (set.names().uri(element.name).to_owned(), set.names().local(element.name).to_owned());
                let _ = verdict(&set, &format!("<{local} xmlns='{uri}'><a/>x<{local}/></{local}>"));
            }
        }
    }
}

/// Whether a document is valid; nothing if it is not well-formed.
fn verdict(set: &Set, document: &str) -> Option<Result<(), String>> {
    let mut run = Run::new(set, 1);
    scan(document.as_bytes(), Profile::Schema, &mut run).ok()?;
    Some(run.violations().first().map_or(Ok(()), |found| Err(format!("{} {}", found.rule, found.what))))
}

/// The particles of a generated schema.
enum Term {
    Element(usize),
    Any,
    Sequence(Vec<Part>),
    Choice(Vec<Part>),
}

struct Part {
    min: usize,
    max: Option<usize>,
    term: Term,
}

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

fn part(choices: &mut Choices<'_>, depth: usize) -> Part {
    let kind = choices.octet() % if depth == 0 { 6 } else { 12 };
    let items = |choices: &mut Choices<'_>| (0..1 + choices.octet() % 3).map(|_| part(choices, depth - 1)).collect();
    let term = match kind {
        0..=4 => Term::Element(usize::from(kind)),
        5 => Term::Any,
        6..=9 => Term::Sequence(items(choices)),
        _ => Term::Choice(items(choices)),
    };
    let counts = choices.octet();
    let min = [1, 1, 0, 0, 2, 3][usize::from(counts % 6)];
    let max = [Some(min.max(1)), Some(min.max(1)), Some(min + 1), Some(min + 2), None][usize::from(counts / 6 % 5)];
    Part { min, max, term }
}

fn written(part: &Part, out: &mut String) {
    let max = part.max.map_or("unbounded".to_owned(), |max| max.to_string());
    let counts = format!("minOccurs='{}' maxOccurs='{max}'", part.min);
    let (tag, items) = match &part.term {
        Term::Element(name) => {
            let _ = write!(out, "<xs:element ref='{}' {counts}/>", NAMES[*name]);
            return;
        }
        Term::Any => {
            let _ = write!(out, "<xs:any namespace='##other' processContents='lax' {counts}/>");
            return;
        }
        Term::Sequence(items) => ("sequence", items),
        Term::Choice(items) => ("choice", items),
    };
    let _ = write!(out, "<xs:{tag} {counts}>");
    items.iter().for_each(|item| written(item, out));
    let _ = write!(out, "</xs:{tag}>");
}

const VALUES: [&str; 12] = ["1", " 2 ", "x", "", "1.5", "true", "2024-02-30", "1 2", "-0", "t:a", "300", "INF"];
const SIMPLE: [&str; 8] = ["xs:int", "xs:boolean", "xs:decimal", "xs:date", "U", "L", "E", "xs:QName"];

fn schema(choices: &mut Choices<'_>) -> (String, Vec<Part>) {
    let mut out = String::from(
        "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema' xmlns='urn:t' targetNamespace='urn:t' elementFormDefault='qualified'>\
         <xs:simpleType name='U'><xs:union memberTypes='xs:int xs:boolean'/></xs:simpleType><xs:simpleType name='L'><xs:list itemType='U'/></xs:simpleType>\
         <xs:simpleType name='E'><xs:restriction base='xs:decimal'><xs:enumeration value='1'/><xs:enumeration value='1.50'/></xs:restriction></xs:simpleType>",
    );
    let parts: Vec<Part> = (0..2).map(|_| part(choices, 2)).collect();
    let mut mixed = "";
    for (at, part) in parts.iter().enumerate() {
        let flags = choices.octet();
        mixed = if flags & 1 == 1 { " mixed='true'" } else { "" };
        let _ = write!(out, "<xs:complexType name='T{at}'{mixed}><xs:sequence>");
        written(part, &mut out);
        let uses = ["optional", "required"][usize::from(flags >> 1 & 1)];
        let wild = if flags & 4 == 4 { "<xs:anyAttribute namespace='##other' processContents='lax'/>" } else { "" };
        let of = SIMPLE[usize::from(flags >> 3 & 7)];
        let _ = write!(
            out,
            "</xs:sequence><xs:attribute name='x' type='{of}' use='{uses}'/><xs:attribute name='f' fixed='1' type='xs:decimal'/>{wild}</xs:complexType>"
        );
    }
    let _ = write!(
        out,
        "<xs:complexType name='D'{mixed}><xs:complexContent><xs:extension base='T1'><xs:sequence minOccurs='0'><xs:element ref='e'/></xs:sequence></xs:extension></xs:complexContent></xs:complexType>"
    );
    let of = |choices: &mut Choices<'_>| SIMPLE[usize::from(choices.octet() % 8)];
    let (a, b) = (of(choices), of(choices));
    let nil = ["", " nillable='true'"][usize::from(choices.octet() % 2)];
    let head = ["", " substitutionGroup='c'"][usize::from(choices.octet() % 2)];
    let unique = ["", "<xs:unique name='u'><xs:selector xpath='.//t:a' xmlns:t='urn:t'/><xs:field xpath='.'/></xs:unique>"]
        [usize::from(choices.octet() % 2)];
    let _ = write!(
        out,
        "<xs:element name='a' type='{a}'{nil}/><xs:element name='b' type='{b}'/><xs:element name='c' type='T1'/><xs:element name='d' type='D'{head}/>\
         <xs:element name='e' type='xs:token'/><xs:element name='r' type='T0'>{unique}</xs:element></xs:schema>"
    );
    (out, parts)
}

/// A word of a content model, with a slip now and then.
fn word(part: &Part, choices: &mut Choices<'_>, out: &mut Vec<Option<usize>>) {
    let slip = choices.octet();
    let most = part.max.unwrap_or(part.min + 2);
    let mut count = part.min + usize::from(slip % 16) % (most - part.min + 1);
    if slip >= 240 {
        count = count.saturating_sub(1) + 2 * usize::from(slip % 2);
    }
    for _ in 0..count.min(6) {
        if out.len() > 24 {
            return;
        }
        match &part.term {
            Term::Element(name) => out.push(Some(if slip == 239 { choices.below(NAMES.len()) } else { *name })),
            Term::Any => out.push(None),
            Term::Sequence(items) => items.iter().for_each(|item| word(item, choices, out)),
            Term::Choice(items) => word(&items[choices.below(items.len())], choices, out),
        }
    }
}

fn element(name: usize, parts: &[Part], choices: &mut Choices<'_>, depth: usize, out: &mut String) {
    let tag = NAMES.get(name).copied().unwrap_or("r");
    let flags = choices.octet();
    let _ = write!(out, "<{tag}");
    if depth == 0 {
        out.push_str(" xmlns='urn:t' xmlns:t='urn:t' xmlns:o='urn:o' xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'");
    }
    if flags & 0x0f == 0x0f {
        let of = ["t:D", "t:T1", "D", "U", "t:N"][choices.below(5)];
        let _ = write!(out, " xsi:type='{of}'");
    }
    let is_nil = flags & 0x70 == 0x70;
    if is_nil {
        out.push_str(" xsi:nil='true'");
    }
    let part = match name {
        2 | 3 => Some(&parts[1]),
        5 => Some(&parts[0]),
        _ => None,
    };
    if part.is_some() || flags == 0x80 {
        let kind = choices.octet();
        if kind & 3 != 3 {
            let _ = write!(out, " x='{}'", VALUES[usize::from(kind >> 4) % VALUES.len()]);
        }
        if kind & 12 == 12 {
            out.push_str([" f='1.0'", " f='2'", " o:y='1'", " y='1'"][usize::from(kind >> 4 & 3)]);
        }
    }
    out.push('>');
    if let Some(part) = part.filter(|_| !is_nil && depth < 4) {
        let mut names = Vec::new();
        word(part, choices, &mut names);
        for name in names {
            match name {
                Some(name) => element(name, parts, choices, depth + 1, out),
                None => out.push_str(["<o:x/>", "<o:y>1</o:y>"][choices.below(2)]),
            }
        }
    } else if !is_nil || flags & 0x80 == 0x80 {
        out.push_str(VALUES[choices.below(VALUES.len())]);
    }
    let _ = write!(out, "</{tag}>");
}

/// What another validator says of a document, if it takes the schema.
fn judged(schema: &str, document: &str) -> Option<Result<(), String>> {
    let set = SchemaSetBuilder::new().add_source(schema, "t.xsd").ok()?.compile().ok()?.into_schema_set();
    let validator = SchemaValidator::new(&set, ValidationFlags::default());
    let (mut errors, mut warnings) = (Vec::new(), Vec::new());
    let mut runtime = validator.start_run(CollectingValidationSink { errors: &mut errors, warnings: &mut warnings });
    let ended = drive_quick_xml(document.as_bytes(), &mut runtime, &set).is_ok();
    drop(runtime);
    Some(match errors.first() {
        None if ended => Ok(()),
        None => Err("it did not end".to_owned()),
        Some(error) => Err(error.to_string()),
    })
}

/// A schema and a document made together have the verdict of another validator.
pub fn xsd_validate(input: &[u8]) {
    let mut choices = Choices(input);
    let (schema, parts) = schema(&mut choices);
    let mut document = String::new();
    element(5, &parts, &mut choices, 0, &mut document);
    let Some(other) = judged(&schema, &document) else { return };
    let set = read(&schema).and_then(|loaded| compile(&loaded)).unwrap_or_else(|error| panic!("{error}\n{schema}"));
    let own = verdict(&set, &document).expect("it is well-formed");
    assert_eq!(own.is_ok(), other.is_ok(), "{own:?} here, {other:?} there\n{schema}\n{document}");
}

/// A regular expression.
enum Expression {
    Class(&'static str, &'static str),
    Sequence(Vec<Expression>),
    Choice(Vec<Expression>),
    Repeat(Box<Expression>, usize, Option<usize>),
}

/// Classes with those of the letters that they have.
const CLASSES: [(&str, &str); 8] = [
    ("a", "a"),
    ("b", "b"),
    ("[ab]", "ab"),
    (".", "abя1"),
    ("\\d", "1"),
    ("\\p{L}", "abя"),
    ("[^a]", "bя1\n"),
    ("[\\w-[b1]]", "aя"),
];
const LETTERS: [char; 5] = ['a', 'b', 'я', '1', '\n'];

fn expression(choices: &mut Choices<'_>, depth: usize) -> Expression {
    let kind = choices.octet();
    match kind % if depth == 0 { 4 } else { 10 } {
        0..=3 => {
            let (text, letters) = CLASSES[usize::from(kind >> 4) % CLASSES.len()];
            Expression::Class(text, letters)
        }
        4 | 5 => Expression::Sequence((0..kind >> 4 & 3).map(|_| expression(choices, depth - 1)).collect()),
        6 => Expression::Choice((0..1 + (kind >> 4 & 3)).map(|_| expression(choices, depth - 1)).collect()),
        _ => {
            let min = usize::from(kind >> 4 & 3);
            let max = [None, Some(min), Some(min + 1), Some(min + 3)][usize::from(kind >> 6)];
            Expression::Repeat(Box::new(expression(choices, depth - 1)), min, max)
        }
    }
}

impl Expression {
    fn text(&self) -> String {
        match self {
            Self::Class(text, _) => (*text).to_owned(),
            Self::Sequence(items) => items.iter().map(Self::text).collect(),
            Self::Choice(items) => format!("({})", items.iter().map(Self::text).collect::<Vec<_>>().join("|")),
            Self::Repeat(item, min, max) => {
                format!("({}){{{min},{}}}", item.text(), max.map_or(String::new(), |max| max.to_string()))
            }
        }
    }

    /// Where it may end if it begins at these places, which are bits.
    fn ends(&self, value: &[char], from: u64) -> u64 {
        match self {
            Self::Class(_, letters) => {
                let fits = |(at, letter): &(usize, &char)| from >> at & 1 == 1 && letters.contains(**letter);
                value.iter().enumerate().filter(fits).fold(0, |all, (at, _)| all | 2 << at)
            }
            Self::Sequence(items) => items.iter().fold(from, |now, item| item.ends(value, now)),
            Self::Choice(items) => items.iter().fold(0, |all, item| all | item.ends(value, from)),
            Self::Repeat(item, min, max) => {
                let (mut now, mut all) = (from, if *min == 0 { from } else { 0 });
                for count in 1..=max.unwrap_or(min + value.len() + 1) {
                    now = item.ends(value, now);
                    if count >= *min {
                        all |= now;
                    }
                }
                all
            }
        }
    }
}

/// A pattern matches what a slow matcher takes.
pub fn pattern(input: &[u8]) {
    let mut choices = Choices(input);
    let expression = expression(&mut choices, 3);
    let text = expression.text();
    let Ok(pattern) = Pattern::compile(&[&text]) else { return };
    let mut room = Room::default();
    for _ in 0..4 {
        let letters = usize::from(choices.octet() % 12);
        let value: Vec<char> = (0..letters).map(|_| LETTERS[choices.below(LETTERS.len())]).collect();
        let slow = expression.ends(&value, 1) >> value.len() & 1 == 1;
        let value: String = value.into_iter().collect();
        assert_eq!(pattern.matches(&value, &mut room.caches), slow, "{text} {value:?}");
    }
}

/// Choices to begin with, enough of them for a whole document.
pub fn choices() -> Vec<Vec<u8>> {
    let mut random = 1_u64;
    let mut next = move || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 56) as u8
    };
    (0..64).map(|_| (0..400).map(|_| next()).collect()).collect()
}

/// Schemas to begin with.
pub fn schemas() -> Vec<Vec<u8>> {
    let generated = choices().iter().take(8).map(|choices| schema(&mut Choices(choices)).0).collect::<Vec<_>>();
    let redefined = "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema'><xs:redefine schemaLocation='1.xsd'><xs:group name='g'><xs:choice><xs:group ref='g'/></xs:choice></xs:group></xs:redefine></xs:schema>\0<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema'><xs:group name='g'><xs:all><xs:element name='a' fixed='1'/></xs:all></xs:group><xs:attributeGroup name='h'><xs:attribute name='x' type='xs:ID'/></xs:attributeGroup></xs:schema>";
    let keys = "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema' xmlns='urn:t' targetNamespace='urn:t'><xs:element name='r'><xs:complexType><xs:simpleContent><xs:extension base='S'><xs:anyAttribute/></xs:extension></xs:simpleContent></xs:complexType><xs:key name='k'><xs:selector xpath='.//a|b'/><xs:field xpath='@x'/></xs:key><xs:keyref name='l' refer='k'><xs:selector xpath='.'/><xs:field xpath='.'/></xs:keyref></xs:element><xs:simpleType name='S'><xs:restriction base='xs:string'><xs:pattern value='[a-z-[b]]{2,3}|\\p{IsCyrillic}*'/><xs:maxLength value='3'/></xs:restriction></xs:simpleType></xs:schema>";
    generated.into_iter().chain([redefined.to_owned(), keys.to_owned()]).map(String::into_bytes).collect()
}
