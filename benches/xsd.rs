//! Validating a document of 200 KiB in the manner of UBL against libxml2 and the JDK, all in one run, and the ratios:
//! `cargo bench --bench xsd`. Needs `cc` with the headers of libxml2 (`libxml2-dev`) and a JDK; what is not there is said.
//!
//! The schema and the document are made here: types with some forty optional children, deep nesting, values of code lists,
//! amounts with a currency, dates and identifiers.

use cap::Cap;
use oncegate::message::xml::{Profile, Start, Visitor, scan};
use oncegate::message::xsd::read::{Library, Source, load};
use oncegate::message::xsd::run::Run;
use oncegate::message::xsd::{Set, compile};
use std::alloc::System;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

struct Nothing;

impl Library for Nothing {
    fn fetch(&mut self, _: &str, _: Option<&str>, _: &str) -> Option<Source> {
        None
    }
}

const SIZE: usize = 200 << 10;
/// How many times as fast as the others it should be.
const GOAL: f64 = 3.0;
const CHILDREN: usize = 40;
const AGGREGATES: usize = 24;

/// The kinds of simple elements, with a value.
const BASIC: [(&str, &str); 8] = [
    (
        "<xs:simpleContent><xs:extension base='xs:normalizedString'><xs:attribute name='schemeID' type='xs:normalizedString'/><xs:attribute name='schemeAgencyID' type='xs:normalizedString'/></xs:extension></xs:simpleContent>",
        "<{n} schemeID=\"0088\">57989876545{i}</{n}>",
    ),
    (
        "<xs:simpleContent><xs:extension base='Amount'><xs:attribute name='currencyID' type='xs:normalizedString' use='required'/></xs:extension></xs:simpleContent>",
        "<{n} currencyID=\"EUR\">10{i}.50</{n}>",
    ),
    ("<xs:simpleContent><xs:extension base='xs:date'/></xs:simpleContent>", "<{n}>2026-11-2{d}</{n}>"),
    (
        "<xs:simpleContent><xs:extension base='xs:string'><xs:attribute name='languageID' type='xs:language'/></xs:extension></xs:simpleContent>",
        "<{n} languageID=\"en\">Delivered goods &amp; services as agreed, lot {i}</{n}>",
    ),
    (
        "<xs:simpleContent><xs:extension base='Code'><xs:attribute name='listID' type='xs:normalizedString'/></xs:extension></xs:simpleContent>",
        "<{n} listID=\"UN\">C{d}</{n}>",
    ),
    (
        "<xs:simpleContent><xs:extension base='xs:decimal'><xs:attribute name='unitCode' type='xs:normalizedString'/></xs:extension></xs:simpleContent>",
        "<{n} unitCode=\"KGM\">{i}</{n}>",
    ),
    ("<xs:simpleContent><xs:extension base='xs:boolean'/></xs:simpleContent>", "<{n}>true</{n}>"),
    ("<xs:simpleContent><xs:extension base='Number'/></xs:simpleContent>", "<{n}>AB-{i}</{n}>"),
];

/// The schema: aggregates A0 to A23, each of basic elements and of two aggregates further on.
pub fn schema() -> String {
    let mut out = String::from(
        "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema' xmlns='urn:ubl-like' targetNamespace='urn:ubl-like' elementFormDefault='qualified'>
        <xs:simpleType name='Amount'><xs:restriction base='xs:decimal'><xs:fractionDigits value='2'/></xs:restriction></xs:simpleType>
        <xs:simpleType name='Number'><xs:restriction base='xs:token'><xs:pattern value='[A-Z]{2}-[0-9]{1,9}'/></xs:restriction></xs:simpleType>
        <xs:simpleType name='Code'><xs:restriction base='xs:normalizedString'>",
    );
    for at in 0..200 {
        let _ = write!(out, "<xs:enumeration value='C{at}'/>");
    }
    out += "</xs:restriction></xs:simpleType>";
    for (at, (content, _)) in BASIC.iter().enumerate() {
        let _ = write!(out, "<xs:complexType name='B{at}'>{content}</xs:complexType>");
    }
    for aggregate in 0..AGGREGATES {
        for child in 0..CHILDREN {
            let _ = write!(out, "<xs:element name='{}' type='B{}'/>", name(aggregate, child), child % BASIC.len());
        }
        let _ = write!(
            out,
            "<xs:element name='Aggregate{aggregate}' type='A{aggregate}'/><xs:complexType name='A{aggregate}'><xs:sequence>"
        );
        for child in 0..CHILDREN {
            let counts = if child == 0 {
                ""
            } else if child % 10 == 3 {
                " minOccurs='0' maxOccurs='unbounded'"
            } else {
                " minOccurs='0'"
            };
            let _ = write!(out, "<xs:element ref='{}'{counts}/>", name(aggregate, child));
        }
        for next in [aggregate + 1, aggregate + 2].into_iter().filter(|next| *next < AGGREGATES) {
            let _ = write!(out, "<xs:element ref='Aggregate{next}' minOccurs='0' maxOccurs='unbounded'/>");
        }
        out += "</xs:sequence></xs:complexType>";
    }
    out + "</xs:schema>"
}

fn name(aggregate: usize, child: usize) -> String {
    format!(
        "{}{aggregate}{}",
        ["Tax", "Party", "Delivery", "Payment", "Item"][child % 5],
        ["ID", "Amount", "Date", "Note", "TypeCode", "Quantity", "Indicator", "Number"][child % 8].to_owned()
            + &child.to_string()
    )
}

/// A document of about 200 KiB.
pub fn document() -> String {
    let mut out = String::from("<Aggregate0 xmlns=\"urn:ubl-like\">");
    let mut random = 7_u64;
    basic(0, &mut random, &mut out);
    while out.len() < SIZE {
        aggregate(1, &mut random, &mut out);
    }
    out + "</Aggregate0>\n"
}

fn below(random: &mut u64, most: u64) -> u64 {
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    (*random >> 11) % most
}

fn basic(aggregate: usize, random: &mut u64, out: &mut String) {
    for child in 0..CHILDREN {
        if child == 0 || below(random, 4) == 0 {
            let (i, d) = (below(random, 900), below(random, 9));
            let text = BASIC[child % BASIC.len()].1;
            *out += &text.replace("{n}", &name(aggregate, child)).replace("{i}", &i.to_string()).replace("{d}", &d.to_string());
            out.push('\n');
        }
    }
}

fn aggregate(number: usize, random: &mut u64, out: &mut String) {
    let _ = writeln!(out, "<Aggregate{number}>");
    basic(number, random, out);
    for next in [number + 1, number + 2] {
        if next < AGGREGATES && out.len() < SIZE && below(random, 10) < 6 {
            aggregate(next, random, out);
        }
    }
    let _ = writeln!(out, "</Aggregate{number}>");
}

/// Reads and forgets.
struct Nobody;

impl Visitor for Nobody {
    type Error = Infallible;

    fn start(&mut self, _: &Start<'_>) -> Result<(), Infallible> {
        Ok(())
    }

    fn text(&mut self, _: &str, _: usize) -> Result<(), Infallible> {
        Ok(())
    }

    fn end(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// The least milliseconds of many calls.
fn least(mut call: impl FnMut()) -> f64 {
    let begin = Instant::now();
    let mut least = f64::MAX;
    while begin.elapsed().as_secs_f64() < 1.5 {
        let one = Instant::now();
        call();
        least = least.min(one.elapsed().as_secs_f64() * 1e3);
    }
    least
}

/// All that is allocated meanwhile, whether it is given back or not.
fn allocated(call: impl FnOnce()) -> usize {
    let before = ALLOCATOR.total_allocated();
    call();
    ALLOCATOR.total_allocated() - before
}

fn validate(set: &Set, document: &[u8]) {
    let mut run = Run::new(set, 1);
    scan(black_box(document), Profile::Schema, &mut run).expect("well-formed");
    assert_eq!(run.violations(), [], "the document is valid");
}

/// libxml2's `xmlSchemaValidateStream`: a small program of `benches/peers`, compiled here.
fn libxml2(schema: &Path, document: &Path) -> Option<f64> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers/xsdstream.c");
    let program = schema.with_file_name("xsdstream");
    let built = Command::new("cc").args(["-O2", "-I/usr/include/libxml2", "-o"]).args([&program, &source]).arg("-lxml2").status();
    built.ok().filter(|status| status.success())?;
    let run = Command::new(program).args([schema, document]).output().ok()?;
    String::from_utf8_lossy(&run.stdout).trim().parse().ok()
}

fn jdk(schema: &Path, document: &Path) -> Option<f64> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers/Validate.java");
    let run = Command::new("java").arg(source).args([schema, document]).output().ok()?;
    String::from_utf8_lossy(&run.stdout).trim().parse().ok()
}

fn main() {
    let folder = std::env::temp_dir().join(format!("oncegate-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for temporary files");
    let (schema, document) = (schema(), document());
    let (schema_file, document_file) = (folder.join("t.xsd"), folder.join("t.xml"));
    std::fs::write(&schema_file, &schema).expect("a writable folder");
    std::fs::write(&document_file, &document).expect("a writable folder");
    let loaded = load(vec![Source { name: "t.xsd".to_owned(), text: schema.clone() }], &mut Nothing).expect("it is found");
    let set = compile(&loaded).expect("a good schema");

    let octets = document.as_bytes();
    let reader = least(|| scan(black_box(octets), Profile::Schema, &mut Nobody).expect("well-formed"));
    let both = least(|| validate(&set, octets));
    let compiled = least(|| drop(compile(black_box(&loaded))));
    let read = allocated(|| scan(octets, Profile::Schema, &mut Nobody).expect("well-formed"));
    let taken = allocated(|| validate(&set, octets)) - read;
    let tags = document.matches("</").count();
    let speed = |ms: f64| octets.len() as f64 / ms / 1e3;
    let row = |name: &str, ms: f64, ratio: &str| println!("{name:36}{ms:8.3} ms {:8.1} MB/s  {ratio}", speed(ms));
    println!("a document of {} octets, {tags} elements; least times; all but the first row read and validate", octets.len());
    println!("its schema of {} octets is compiled in {compiled:.2} ms", schema.len());
    println!("validating it allocates {taken} octets of memory, reading it {read}");
    row("Oncegate's reader alone", reader, "");
    row("Oncegate", both, &format!("{:.0} ns an element for validating", (both - reader) * 1e6 / tags as f64));
    let peers = [
        ("libxml2, xmlSchemaValidateStream", libxml2(&schema_file, &document_file), "cc or the headers of libxml2 (libxml2-dev)"),
        ("JDK, javax.xml.validation", jdk(&schema_file, &document_file), "a JDK of at least 11"),
    ];
    for (name, found, needs) in peers {
        match found {
            Some(ms) => {
                let ratio = ms / both;
                let verdict = if ratio >= GOAL { "met" } else { "MISSED" };
                row(name, ms, &format!("Oncegate is {ratio:.2} times as fast, goal {GOAL}: {verdict}"));
            }
            None => println!("{name:36}not measured: {needs} is not there"),
        }
    }
    // What is left over in the folder for temporary files does no harm.
    let _ = std::fs::remove_dir_all(&folder);
}
