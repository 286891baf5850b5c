//! What a hostile message costs before it is refused, and a strange one before it is taken: processor time and memory by
//! its size. A binary of its own, since it counts every allocation of its process.
//!
//! Memory has the same bound in every build. Time is bounded as it is built: with `--release` a mebibyte costs at most
//! 50 ms; otherwise it is only looked at whether the cost grows with the size and not with its square.

#[path = "it/figures.rs"]
mod figures;

use cap::Cap;
use figures::{number_from, tell};
use oncegate::base::limits::MESSAGE_BYTES_MAX;
use oncegate::message::envelope::EnvelopeReader;
use oncegate::message::schema::Schemas;
use oncegate::message::sig;
use oncegate::message::xml::{Profile, scan};
use oncegate::message::xsd::compile;
use oncegate::message::xsd::read::{Library, Source, load};
use oncegate::message::xsd::run::Run;
use rustix::time::{ClockId, clock_gettime};
use std::alloc::System;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// The bounds for a message of a mebibyte that is refused.
const TIME_MAX: Duration = Duration::from_millis(50);
const MEMORY_MAX: usize = 8;

/// Where the hostile part stands.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// It is all there is.
    Alone,
    /// In the header, where the envelope's grammar reads.
    Header,
    /// In a leaf of the context.
    Leaf,
    /// In a document that nobody knows.
    Unknown,
    /// In a document whose schema is known.
    Known,
    /// Inside `ds:Signature`.
    Signature,
    /// Inside the signature's value.
    Value,
}

const PLACES: [Place; 7] =
    [Place::Alone, Place::Header, Place::Leaf, Place::Unknown, Place::Known, Place::Signature, Place::Value];

const HEAD: &str = "<Message xmlns=\"urn:oncegate:message:1\" version=\"1\"><Header>";
const HEADER: &str = "<MessageId>01990a5d-ac96-774b-8cce-b302099a8057</MessageId><Kind>application</Kind><From>xx.a</From>\
                      <CreatedAt>2026-03-04T05:12:09Z</CreatedAt><ExpiresAt>2026-03-04T05:17:09Z</ExpiresAt></Header>";
const CONTEXT: &str = "<Context><Purpose>";
const SUBJECT: &str = "</Purpose><LegalBasis>L</LegalBasis><Subject><t:Name xmlns:t=\"urn:oncegate:types:1\">\
                       <t:FamilyAbsent>unknown</t:FamilyAbsent><t:GivenAbsent>unknown</t:GivenAbsent></t:Name></Subject></Context>";
const SIGNATURE: &str = "<Signature xmlns=\"http://www.w3.org/2000/09/xmldsig#\">";

impl Place {
    /// What stands before the hostile part, and after it.
    fn around(self) -> (String, &'static str) {
        let documents = format!("{HEAD}{HEADER}{CONTEXT}p{SUBJECT}<Body><Documents>");
        match self {
            Self::Alone => (String::new(), ""),
            Self::Header => (HEAD.to_owned(), "</Header></Message>"),
            Self::Leaf => (format!("{HEAD}{HEADER}{CONTEXT}"), "</Purpose></Context></Message>"),
            Self::Unknown => (format!("{documents}<x xmlns=\"urn:x\">"), "</x></Documents></Body></Message>"),
            Self::Known => {
                let root = "<m:MedicalAbsenceNote xmlns:m=\"urn:oncegate:medical-absence-note:1\">";
                (format!("{documents}{root}"), "</m:MedicalAbsenceNote></Documents></Body></Message>")
            }
            Self::Signature => {
                (format!("{documents}<x xmlns=\"urn:x\"></x></Documents></Body>{SIGNATURE}"), "</Signature></Message>")
            }
            Self::Value => {
                let method = "<SignatureMethod Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256\"/>";
                let start = "<SignedInfo><CanonicalizationMethod Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/>";
                let reference = "<Reference URI=\"\"><Transforms><Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"/>\
                                 <Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/></Transforms>\
                                 <DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/><DigestValue>";
                (
                    format!("{documents}<x xmlns=\"urn:x\"></x></Documents></Body>{SIGNATURE}{start}{method}{reference}"),
                    "</DigestValue></Reference></SignedInfo></Signature></Message>",
                )
            }
        }
    }
}

/// A hostile part: its name, and what it repeats.
struct Shape {
    name: &'static str,
    part: fn(usize) -> String,
}

const fn shape(name: &'static str, part: fn(usize) -> String) -> Shape {
    Shape { name, part }
}

fn attributes(count: usize, spell: impl Fn(usize) -> String) -> String {
    (0..count).map(spell).collect()
}

/// As many of a unit as fit.
fn filled(unit: &str, size: usize) -> String {
    unit.repeat(size / unit.len().max(1))
}

const SHAPES: &[Shape] = &[
    shape("blanks", |size| filled(" ", size)),
    shape("text", |size| filled("x", size)),
    shape("text beyond ASCII", |size| filled("Ж", size)),
    shape("text at the edge of the noncharacters", |size| filled("\u{ffbd}", size)),
    shape("line ends", |size| filled("\r\n", size)),
    shape("carriage returns", |size| filled("\r", size)),
    shape("closing brackets", |size| filled(">", size)),
    shape("square brackets", |size| filled("]]&gt;", size)),
    shape("short references", |size| filled("&lt;", size)),
    shape("references to letters", |size| filled("&#65;", size)),
    shape("long references", |size| filled("&#0000000000065;", size)),
    shape("references to what is not there", |size| filled("&e;", size)),
    shape("ampersands", |size| filled("&", size)),
    shape("empty elements", |size| filled("<a/>", size)),
    shape("elements", |size| filled("<a></a>", size)),
    shape("elements with a letter", |size| filled("<a>b</a>", size)),
    shape("elements with a reference", |size| filled("<a>&lt;</a>", size)),
    shape("open elements", |size| filled("<a>", size)),
    shape("open elements of many letters", |size| filled(&format!("<{}>", "n".repeat(250)), size)),
    shape("end tags", |size| filled("</a>", size)),
    shape("columns sixty deep", |size| filled(&format!("{}{}", "<a>".repeat(58), "</a>".repeat(58)), size)),
    shape("columns with a declaration each", |size| {
        let open: String = (0..58).map(|n| format!("<p{n}:a xmlns:p{n}=\"urn:{n}\">")).collect();
        let close: String = (0..58).rev().map(|n| format!("</p{n}:a>")).collect();
        filled(&(open + &close), size)
    }),
    shape("one prefix bound anew in each element", |size| {
        let open: String = (0..58).map(|n| format!("<p:a xmlns:p=\"urn:{n}\" p:b=\"\">")).collect();
        filled(&(open + &"</p:a>".repeat(58)), size)
    }),
    shape("sixty-four attributes", |size| filled(&format!("<a{}/>", attributes(64, |n| format!(" a{n}=\"\""))), size)),
    shape("sixty-four attributes backwards", |size| {
        filled(&format!("<a{}/>", attributes(64, |n| format!(" a{:02}=\"\"", 64 - n))), size)
    }),
    shape("sixty-four attributes in apostrophes", |size| {
        filled(&format!("<a{}/>", attributes(64, |n| format!(" a{n}=''"))), size)
    }),
    shape("sixty-four attributes with long common starts", |size| {
        filled(&format!("<a{}/>", attributes(64, |n| format!(" {}{n:02}=\"\"", "n".repeat(250)))), size)
    }),
    shape("sixty-four attributes of one name", |size| filled(&format!("<a{}/>", " a=\"\"".repeat(64)), size)),
    shape("sixty-four attributes of sixty-two names of one prefix", |size| {
        filled(&format!("<a xmlns:p=\"urn:p\"{}/>", attributes(62, |n| format!(" p:a{n}=\"\""))), size)
    }),
    shape("attributes without end", |size| format!("<a{}", (0..size / 10).map(|n| format!(" a{n}=\"\"")).collect::<String>())),
    shape("sixty declarations", |size| filled(&format!("<a{}/>", attributes(60, |n| format!(" xmlns:p{n}=\"u:{n}\""))), size)),
    shape("sixty declarations of long names with a common start", |size| {
        filled(&format!("<a{}/>", attributes(60, |n| format!(" xmlns:p{n}=\"urn:{}{n}\"", "u".repeat(500)))), size)
    }),
    shape("sixty declarations of one name", |size| {
        filled(&format!("<a{}/>", attributes(60, |n| format!(" xmlns:p{n}=\"urn:u\""))), size)
    }),
    shape("thirty declarations, used backwards", |size| {
        let declared = attributes(30, |n| format!(" xmlns:p{n}=\"urn:{n}\""));
        filled(&format!("<a{declared}{}/>", attributes(30, |n| format!(" p{}:a=\"\"", 29 - n))), size)
    }),
    shape("declarations without end", |size| {
        format!("<a{}", (0..size / 20).map(|n| format!(" xmlns:p{n}=\"u:{n}\"")).collect::<String>())
    }),
    shape("a name without end", |size| format!("<{}", filled("n", size))),
    shape("a value without end", |size| format!("<a b=\"{}", filled("v", size))),
    shape("a value of references", |size| filled(&format!("<a b=\"{}\"/>", "&#65;".repeat(1_600)), size)),
    shape("a value of tabs", |size| filled(&format!("<a b=\"{}\"/>", "\t".repeat(8_000)), size)),
    shape("a value of quotation marks", |size| filled(&format!("<a b='{}'/>", "\"".repeat(8_000)), size)),
    shape("long values", |size| filled(&format!("<a b=\"{}\"/>", "v".repeat(8_000)), size)),
    shape("quotation marks in a tag without end", |size| format!("<a{}", filled(" b='\"' c=\"'\"", size))),
    shape("names without values", |size| format!("<a{}", filled(" a", size))),
    shape("equals signs", |size| format!("<a {}", filled("=", size))),
    shape("blanks in a tag", |size| filled(&format!("<a{}/>", " ".repeat(200)), size)),
    shape("one tag of blanks", |size| format!("<a{}>", filled(" ", size))),
    shape("blanks in end tags", |size| filled(&format!("<a></a{}>", " ".repeat(200)), size)),
    shape("an end tag of blanks", |size| format!("<a></a{}>", filled(" ", size))),
    shape("names beyond ASCII", |size| filled(&format!("<{}/>", "Ж".repeat(120)), size)),
    shape("attributes beyond ASCII", |size| filled(&format!("<a{}/>", attributes(60, |n| format!(" Ж{n}=\"Ж\""))), size)),
    shape("xsi:type in each element", |size| {
        filled("<a xmlns:x=\"http://www.w3.org/2001/XMLSchema-instance\" x:type=\"b\"/>", size)
    }),
    shape("a comment without end", |size| format!("<!--{}", filled("-", size))),
    shape("comments", |size| filled("<!-- -->", size)),
    shape("a CDATA section without end", |size| format!("<![CDATA[{}", filled("]]", size))),
    shape("an instruction without end", |size| format!("<?p {}", filled("?", size))),
    shape("a DOCTYPE without end", |size| format!("<!DOCTYPE a [{}", filled("<!ENTITY a \"b\">", size))),
    shape("exclamation marks", |size| filled("<!", size)),
    shape("a declaration of blanks", |size| format!("<?xml version=\"1.0\"{}?>", filled(" ", size))),
    shape("a declaration of names", |size| format!("<?xml {}?>", filled("version ", size))),
    shape("base64", |size| filled("QUJD", size)),
    shape("base64 in lines", |size| filled("QUJD\n", size)),
    shape("documents", |size| filled("<x xmlns=\"urn:x\"/>", size)),
    shape("signatures", |size| filled("<Signature xmlns=\"http://www.w3.org/2000/09/xmldsig#\"/>", size)),
    shape("elements of the types", |size| {
        filled("<t:Id xmlns:t=\"urn:oncegate:types:1\" scheme=\"XX-OGTEST\">99000000136</t:Id>", size)
    }),
    shape("elements of the envelope", |size| filled("<LegalBasis>x</LegalBasis>", size)),
    shape("a noncharacter at the end", |size| filled("x", size.saturating_sub(3)) + "\u{fffe}"),
];

/// A message of this size.
fn message(shape: &Shape, place: Place, size: usize) -> Vec<u8> {
    let (before, after) = place.around();
    let room = size.saturating_sub(before.len() + after.len());
    let mut part = (shape.part)(room);
    while part.len() > room {
        part.pop();
    }
    format!("{before}{part}{after}").into_bytes()
}

struct Cost {
    time: Duration,
    /// All that was allocated meanwhile, whether it was given back or not: at least the greatest need.
    memory: usize,
    code: &'static str,
}

fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// What it costs to read a message as the gateway's door does.
fn cost(schemas: &Schemas, octets: &[u8]) -> Cost {
    let (before, start) = (ALLOCATOR.total_allocated(), thread_time());
    let result = sig::read(octets, EnvelopeReader::new(schemas));
    let (time, memory) = (thread_time() - start, ALLOCATOR.total_allocated() - before);
    let code = result.as_ref().map_or_else(|read| read.fault.code.as_str(), |_| "accepted");
    Cost { time, memory, code }
}

/// The least of some runs: whatever is above it is somebody else's.
fn least(schemas: &Schemas, octets: &[u8], runs: usize) -> Cost {
    let costs = (0..runs.max(1)).map(|_| cost(schemas, octets));
    costs.min_by_key(|cost| cost.time).expect("one at least")
}

/// All allocations are counted together: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// A set of one file.
struct Nothing;

impl Library for Nothing {
    fn fetch(&mut self, _: &str, _: Option<&str>, _: &str) -> Option<Source> {
        None
    }
}

const LONG: &str = r"<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema'>
  <xs:element name='r'><xs:complexType mixed='true'><xs:choice minOccurs='0' maxOccurs='unbounded'>
    <xs:element name='scan'><xs:complexType><xs:simpleContent><xs:extension base='Scan'><xs:attribute name='type'/>
      </xs:extension></xs:simpleContent></xs:complexType></xs:element>
    <xs:element name='hex' type='xs:hexBinary'/><xs:element name='text' type='xs:string'/><xs:element name='token' type='Token'/>
    <xs:element name='code' type='Code'/><xs:any processContents='skip' namespace='##other'/>
  </xs:choice></xs:complexType></xs:element>
  <xs:simpleType name='Scan'><xs:restriction base='xs:base64Binary'><xs:maxLength value='1000000'/></xs:restriction></xs:simpleType>
  <xs:simpleType name='Token'><xs:restriction base='xs:token'><xs:pattern value='(\w+ )*\w+'/></xs:restriction></xs:simpleType>
  <xs:simpleType name='Code'><xs:restriction base='xs:token'><xs:enumeration value='A'/></xs:restriction></xs:simpleType>
</xs:schema>";

#[test]
fn a_run_takes_little_memory_however_long_a_text_is() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let source = Source { name: "long.xsd".to_owned(), text: LONG.to_owned() };
    let set = compile(&load(vec![source], &mut Nothing).expect("it is found")).expect("a good schema");
    let room = MESSAGE_BYTES_MAX - 200;
    for (name, unit, broken) in [
        ("scan", "AbC/", 0),
        ("scan", "AbC/\r\n", 0),
        ("scan", "AbC/*\n", 1),
        ("hex", "09aF", 0),
        ("text", "\u{44f} &amp; &#xD;\r", 0),
        ("token", "\u{44f}\n", 0),
        ("token", " \r\n", 1),
        ("code", " ", 1),
        ("r", "text ", 0),
        ("o:any xmlns:o=\"urn:o\"", "text ", 0),
    ] {
        let end = name.split(' ').next().unwrap_or(name);
        let text = unit.repeat(room / unit.len());
        let document = format!("<r><{name}>{text}</{end}></r>").replace("<r><r>", "<r>").replace("</r></r>", "</r>");
        let before = ALLOCATOR.total_allocated();
        let mut run = Run::new(&set, 1);
        scan(document.as_bytes(), Profile::Message, &mut run).expect("well-formed");
        let taken = ALLOCATOR.total_allocated() - before;
        assert_eq!(run.violations().len(), broken, "{name} {unit:?}: {:?}", run.violations());
        println!("{taken:>8} octets for {name} of {unit:?}");
        assert!(taken < 256 << 10, "{taken} octets for {name} of {unit:?}");
    }
}

#[test]
fn no_message_costs_more_than_its_size_allows() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let schemas = Schemas::built_in();
    let is_release = !cfg!(debug_assertions);
    // A build that is not optimised is looked at with less: what grows with the square shows all the same.
    let (size, runs) = if is_release { (MESSAGE_BYTES_MAX, 3) } else { (MESSAGE_BYTES_MAX / 2, 1) };
    let runs = usize::try_from(number_from("COST_RUNS", runs)).expect("a small number");
    let (mut wrong, mut measured) = (Vec::new(), 0);
    let (mut dearest, mut largest, mut steepest) = ((Duration::ZERO, ""), (0, ""), (0.0_f64, ""));
    for shape in SHAPES {
        for place in PLACES {
            let name = shape.name;
            let quarter = least(&schemas, &message(shape, place, size / 4), runs);
            let whole = least(&schemas, &message(shape, place, size), runs);
            println!("{:>8.2} ms {:>9} {:<12} {name}, {place:?}", whole.time.as_secs_f64() * 1e3, whole.memory, whole.code);
            measured += 1;
            if whole.code == "accepted" {
                wrong.push(format!("{name}, {place:?}: accepted"));
            }
            // Four times the size costs four times as much; a square would cost sixteen times as much.
            let ratio = whole.time.as_secs_f64() / quarter.time.as_secs_f64().max(2e-3);
            if ratio > 9.0 {
                wrong.push(format!("{name}, {place:?}: {:?} for four times what costs {:?}", whole.time, quarter.time));
            }
            if is_release && whole.time > TIME_MAX {
                wrong.push(format!("{name}, {place:?}: {:?}", whole.time));
            }
            if whole.memory > MEMORY_MAX * size {
                wrong.push(format!("{name}, {place:?}: {} octets of memory", whole.memory));
            }
            dearest = dearest.max((whole.time, name));
            largest = largest.max((whole.memory, name));
            if ratio > steepest.0 {
                steepest = (ratio, name);
            }
        }
    }
    println!("dearest {dearest:?}, largest {largest:?}, steepest {steepest:?}, of {measured}");
    assert!(wrong.is_empty(), "{} of {measured}:\n{}", wrong.len(), wrong.join("\n"));
    let times = largest.0 as f64 / size as f64;
    tell("memory of the dearest refused MiB", format!("{times:.2} times its size ({}; {measured} shapes)", largest.1));
    if is_release {
        let time = dearest.0.as_secs_f64() * 1e3;
        tell("cpu of the dearest refused MiB", format!("{time:.1} ms ({}; {measured} shapes)", dearest.1));
    }
}
