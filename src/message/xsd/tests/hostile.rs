//! Schemas and documents that are made to be slow, large or endless: each ends soon, with an error that says why.

use super::{broken, compiled, loaded, schema};
use crate::base::limits;
use crate::message::xsd::read::{Library, Source, load};
use crate::message::xsd::{SchemaError, compile};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// Far more than any of these takes, and far less than one without its bound would.
const SOON: Duration = Duration::from_secs(20);

fn many(count: usize, each: impl Fn(usize) -> String) -> String {
    (0..count).fold(String::new(), |mut all, at| {
        let _ = write!(all, "{}", each(at));
        all
    })
}

/// What is said of a schema; nothing if it is taken.
fn said(text: &str) -> String {
    let begin = Instant::now();
    let found = compiled(text);
    assert!(begin.elapsed() < SOON, "{:?}", begin.elapsed());
    found.err().map_or(String::new(), |SchemaError { what, .. }| what)
}

#[test]
fn what_doubles_itself_is_refused() {
    let groups = |inside: &str| {
        let one = many(40, |at| {
            let next = at + 1;
            format!(
                "<xs:group name='g{at}'><xs:{inside}><xs:group ref='g{next}'/><xs:group ref='g{next}'/></xs:{inside}></xs:group>"
            )
        });
        one + "<xs:group name='g40'><xs:sequence><xs:element name='a'/></xs:sequence></xs:group>"
    };
    let attributes = many(40, |at| {
        let next = at + 1;
        format!(
            "<xs:attributeGroup name='g{at}'><xs:attributeGroup ref='g{next}'/><xs:attributeGroup ref='g{next}'/></xs:attributeGroup>"
        )
    }) + "<xs:attributeGroup name='g40'><xs:attribute name='a'/></xs:attributeGroup>";
    let unions = "<xs:simpleType name='g40'><xs:restriction base='xs:int'/></xs:simpleType>".to_owned()
        + &many(40, |at| format!("<xs:simpleType name='g{at}'><xs:union memberTypes='g{0} g{0}'/></xs:simpleType>", at + 1));
    let extensions =
        "<xs:complexType name='g30'><xs:sequence><xs:element name='a'/><xs:element name='b'/></xs:sequence></xs:complexType>"
            .to_owned()
            + &many(30, |at| {
                format!(
                    "<xs:complexType name='g{at}'><xs:complexContent><xs:extension base='g{0}'><xs:sequence>{1}</xs:sequence></xs:extension></xs:complexContent></xs:complexType>",
                    at + 1,
                    many(900, |one| format!("<xs:element name='e{at}-{one}'/>"))
                )
            });
    assert_eq!(said(&groups("sequence")), "a content model with too many particles");
    assert_eq!(
        said(&(groups("choice") + "<xs:element name='r'><xs:complexType><xs:group ref='g0'/></xs:complexType></xs:element>")),
        "a content model with too many particles"
    );
    // The same attributes over and over are one for us, but the judge writes them out.
    assert_eq!(
        said(&(attributes + "<xs:complexType name='T'><xs:attributeGroup ref='g0'/></xs:complexType>")),
        "a set of schemas whose types have too many attributes"
    );
    assert_eq!(said(&unions), "a type whose values are of too many others");
    assert_eq!(said(&extensions), "a content model with too many particles");
}

#[test]
fn what_contains_itself_is_refused() {
    for (text, words) in [
        ("<xs:group name='g'><xs:sequence><xs:group ref='g'/></xs:sequence></xs:group>", "a group that contains itself"),
        (
            "<xs:group name='g'><xs:sequence><xs:group ref='h'/></xs:sequence></xs:group><xs:group name='h'><xs:choice><xs:group ref='g'/></xs:choice></xs:group>",
            "a group that contains itself",
        ),
        (
            "<xs:attributeGroup name='g'><xs:attributeGroup ref='h'/></xs:attributeGroup><xs:attributeGroup name='h'><xs:attributeGroup ref='g'/></xs:attributeGroup>",
            "an attribute group that contains itself, or too many others inside each other",
        ),
        (
            "<xs:complexType name='A'><xs:complexContent><xs:extension base='B'/></xs:complexContent></xs:complexType><xs:complexType name='B'><xs:complexContent><xs:extension base='A'/></xs:complexContent></xs:complexType>",
            "a type that is derived from itself, or in too many steps",
        ),
        (
            "<xs:simpleType name='A'><xs:restriction base='B'/></xs:simpleType><xs:simpleType name='B'><xs:restriction base='A'/></xs:simpleType>",
            "a type that is derived from itself, or in too many steps",
        ),
        (
            "<xs:simpleType name='A'><xs:union memberTypes='B xs:int'/></xs:simpleType><xs:simpleType name='B'><xs:union memberTypes='A'/></xs:simpleType>",
            "a type that is derived from itself, or in too many steps",
        ),
        (
            "<xs:simpleType name='A'><xs:list itemType='A'/></xs:simpleType>",
            "a type that is derived from itself, or in too many steps",
        ),
    ] {
        assert_eq!(said(text), words, "{text}");
    }
    // Elements that stand for each other in a circle, and a file that redefines itself, end; the judge refuses them.
    assert_eq!(said("<xs:element name='a' substitutionGroup='b'/><xs:element name='b' substitutionGroup='a'/>"), "");
    let itself = schema(
        "<xs:redefine schemaLocation='t.xsd'><xs:simpleType name='S'><xs:restriction base='S'/></xs:simpleType></xs:redefine>",
    );
    let loaded = loaded(itself, &[]).expect("it ends");
    assert!(compile(&loaded).is_err() || loaded.absent.len() == 1);
}

#[test]
fn what_is_deep_is_refused() {
    let nested = |open: &str, close: &str, count: usize| open.repeat(count) + &close.repeat(count);
    let inline = "<xs:complexType><xs:sequence><xs:element name='a'>";
    let deep =
        format!("<xs:element name='r'>{}</xs:element>", nested(inline, "</xs:element></xs:sequence></xs:complexType>", 20_000));
    assert_eq!(said(&deep), "elements are nested too deep");
    let deep = format!("<xs:complexType name='T'>{}</xs:complexType>", nested("<xs:sequence>", "</xs:sequence>", 120));
    assert_eq!(said(&deep), "");
    let groups = many(5_000, |at| {
        format!(
            "<xs:group name='g{at}'><xs:sequence><xs:element name='e{at}'/><xs:group ref='g{}' minOccurs='0'/></xs:sequence></xs:group>",
            at + 1
        )
    }) + "<xs:group name='g5000'><xs:sequence/></xs:group>";
    assert_eq!(said(&groups), "a content model whose groups are nested too deep");
    let groups =
        many(5_000, |at| format!("<xs:attributeGroup name='g{at}'><xs:attributeGroup ref='g{}'/></xs:attributeGroup>", at + 1))
            + "<xs:attributeGroup name='g5000'/>";
    assert_eq!(said(&groups), "an attribute group that contains itself, or too many others inside each other");
    let heads =
        many(5_000, |at| format!("<xs:element name='e{at}' substitutionGroup='e{}'/>", at + 1)) + "<xs:element name='e5000'/>";
    assert_eq!(said(&heads), "substitution groups that are nested too deep");
    let heads = "<xs:element name='e0'/>".to_owned()
        + &many(5_000, |at| format!("<xs:element name='e{}' substitutionGroup='e{at}'/>", at + 1));
    assert_eq!(said(&heads), "substitution groups that are too large, or nested too deep");
    let types = many(5_000, |at| {
        format!(
            "<xs:complexType name='t{at}'><xs:complexContent><xs:extension base='t{}'/></xs:complexContent></xs:complexType>",
            at + 1
        )
    }) + "<xs:complexType name='t5000'/>";
    assert_eq!(said(&types), "a type that is derived from itself, or in too many steps");
    let types = "<xs:complexType name='t0'><xs:sequence/></xs:complexType>".to_owned()
        + &many(3_000, |at| {
            format!(
                "<xs:complexType name='t{}'><xs:complexContent><xs:extension base='t{at}'><xs:sequence><xs:element name='e{at}'/></xs:sequence></xs:extension></xs:complexContent></xs:complexType>",
                at + 1
            )
        });
    assert!(said(&types).ends_with("too many particles") || said(&types).ends_with("in too many steps"), "{}", said(&types));
}

#[test]
fn what_swells_is_refused() {
    let head = "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema'";
    let swells = "entities or namespaces that make the file larger than a schema may be";
    let said = |text: String| {
        let begin = Instant::now();
        let found = loaded(text, &[]).and_then(|loaded| compile(&loaded)).err().map(|error| error.what);
        assert!(begin.elapsed() < SOON);
        found.unwrap_or_default()
    };
    let bomb = "<!DOCTYPE xs:schema [<!ENTITY a '0123456789'>".to_owned()
        + &many(10, |at| format!("<!ENTITY a{} '{}'>", at + 1, format!("&a{at};").repeat(10)).replace("&a0;", "&a;"));
    assert!(said(format!("{bomb}]>{head}><xs:annotation>&a10;</xs:annotation></xs:schema>")).contains("entity reference loop"));
    let long = format!("<!DOCTYPE xs:schema [<!ENTITY a '{}'>]>", "a".repeat(100_000));
    assert_eq!(said(format!("{long}{head}><xs:annotation>{}</xs:annotation></xs:schema>", "&a;".repeat(1_000))), swells);
    let small = "<!DOCTYPE xs:schema [<!ENTITY a 'xs:int'>]>";
    assert_eq!(said(format!("{small}{head}><xs:element name='r' type='&a;'/></xs:schema>")), "");
    let spaces = many(5_000, |at| format!(" xmlns:p{at}='urn:{at}'"));
    let children = many(10_000, |at| format!("<xs:annotation xmlns:q{at}='urn:q'/>"));
    assert_eq!(said(format!("{head}{spaces}>{children}</xs:schema>")), swells);
    assert!(
        said(format!("{head}><!--{}--></xs:schema>", " ".repeat(limits::SCHEMA_BYTES_MAX)))
            .contains("larger than a schema may be")
    );
    assert!(said(format!("{head}>{}</xs:schema>", "<!---->".repeat(1_100_000))).contains("not well-formed"), "too many nodes");
}

#[test]
fn tables_of_names_are_bounded() {
    // One head with many members, which many particles refer to.
    let members = many(10_000, |at| format!("<xs:element name='m{at}' substitutionGroup='h'/>"));
    let users =
        many(500, |at| format!("<xs:complexType name='t{at}'><xs:sequence><xs:element ref='h'/></xs:sequence></xs:complexType>"));
    assert_eq!(said(&format!("<xs:element name='h'/>{members}{users}")), "content models with too many names");
    // Choices inside each other, each of which must know what the inner ones begin with.
    let inner = many(15_000, |at| format!("<xs:element name='e{at}'/>"));
    let nested = |at: usize| {
        let open = many(60, |level| format!("<xs:choice><xs:element name='x{level}'/>"));
        format!("<xs:complexType name='t{at}'>{open}{inner}{}</xs:complexType>", "</xs:choice>".repeat(60))
    };
    assert_eq!(said(&many(6, nested)), "content models with too many names");
    let attributes = many(1_900, |at| format!("<xs:attribute name='a{at}'/>"));
    let types = many(400, |at| {
        format!("<xs:complexType name='t{at}'><xs:complexContent><xs:extension base='t'/></xs:complexContent></xs:complexType>")
    });
    assert_eq!(
        said(&format!("<xs:complexType name='t'>{attributes}</xs:complexType>{types}")),
        "a set of schemas whose types have too many attributes"
    );
    assert_eq!(
        said(&format!("<xs:complexType name='t'>{attributes}{}</xs:complexType>", attributes.replace("name='a", "name='b"))),
        "a type with too many attributes"
    );
}

/// A document of so many children.
fn children(count: usize, each: &str) -> String {
    format!("<r xmlns='urn:t'>{}</r>", each.repeat(count))
}

fn quickly(schema: &str, document: &str) -> Vec<&'static str> {
    let set = compiled(schema).unwrap_or_else(|error| panic!("{error}"));
    let begin = Instant::now();
    let found = broken(&set, document);
    assert!(begin.elapsed() < SOON, "{:?}", begin.elapsed());
    found
}

#[test]
fn counts_in_counts_have_a_most_of_ways() {
    let counted = |inside: &str, levels: usize| {
        let open = "<xs:sequence minOccurs='2' maxOccurs='1000000'>".repeat(levels);
        let element = "<xs:element name='b' minOccurs='0'/>".repeat(0);
        format!(
            "<xs:element name='r'><xs:complexType>{open}{element}{inside}{}</xs:complexType></xs:element>",
            "</xs:sequence>".repeat(levels)
        )
    };
    let inside = "<xs:element name='a' minOccurs='2' maxOccurs='3'/>";
    // All numbers of them from some on are possible, so nothing is open.
    assert_eq!(
        quickly(&counted("<xs:element name='a' maxOccurs='1000000'/>", 20), &children(1 << 21, "").replace("></r>", "/>")),
        ["cvc-complex-type.2.4"]
    );
    let found = quickly(&counted(inside, 3), &children(2_000, "<a/>"));
    assert!(found.is_empty() || found == ["cvc-model-group"], "{found:?}");
    let open = "<xs:sequence minOccurs='7' maxOccurs='1000000'><xs:element name='a' minOccurs='5' maxOccurs='6'/></xs:sequence>"
        .to_owned();
    let set = format!(
        "<xs:element name='r'><xs:complexType><xs:sequence minOccurs='3' maxOccurs='9'>{open}</xs:sequence></xs:complexType></xs:element>"
    );
    let found = quickly(&set, &children(5_000, "<a/>"));
    assert!(found.is_empty() || found == ["cvc-model-group"], "{found:?}");
}

#[test]
fn keys_and_their_fields_have_a_most() {
    let key = |selector: &str, fields: &str| {
        format!("<xs:element name='r'><xs:complexType><xs:sequence><xs:element name='a' type='xs:int' maxOccurs='unbounded'/></xs:sequence></xs:complexType>
            <xs:unique name='k'><xs:selector xpath='{selector}'/>{fields}</xs:unique></xs:element>")
    };
    let values = many(limits::SCHEMA_KEYS_MAX + 1, |at| format!("<a>{at}</a>"));
    let document = format!("<r xmlns='urn:t'>{values}</r>");
    assert_eq!(quickly(&key("t:a", "<xs:field xpath='.'/>"), &document), ["cvc-identity-constraint"]);
    let document = document.replacen("<a>1</a>", "", 1);
    assert_eq!(quickly(&key("t:a", "<xs:field xpath='.'/>"), &document), <[&str; 0]>::default());
    // Ten thousand fields, and steps beyond all use.
    let fields = "<xs:field xpath='@x'/>".repeat(10_000);
    assert_eq!(said(&key("t:a", &fields)), "an identity constraint with too many paths, or too long ones");
    let long = format!("<xs:field xpath='{}t:a'/>", "t:a/".repeat(100));
    assert_eq!(said(&key("t:a", &long)), "an identity constraint with too many paths, or too long ones");
    for path in [".//.", ".//", "a//b", "", "|", "/a", "@x/a", "a/@x", "a/", "x:a", "*:a", "a b", "..", ".//.//a"] {
        let found = said(&key(path, "<xs:field xpath='.'/>"));
        assert!(!found.is_empty() || path == ".//.", "{path}: {found}");
    }
    // Each element is one that is looked into.
    let nested = "<xs:element name='r'><xs:complexType><xs:sequence><xs:element ref='r' minOccurs='0' maxOccurs='9'/></xs:sequence><xs:attribute name='x'/></xs:complexType>
        <xs:unique name='k'><xs:selector xpath='.//*'/><xs:field xpath='@x'/></xs:unique></xs:element>";
    let document = format!("{}{}", "<r xmlns='urn:t' x='1'>".repeat(30), "</r>".repeat(30));
    assert!(quickly(nested, &document).iter().all(|rule| rule.starts_with("cvc-identity-constraint")));
}

/// Files that each name the next one, without an end.
struct Endless(usize);

impl Library for Endless {
    fn fetch(&mut self, from: &str, _: Option<&str>, _: &str) -> Option<Source> {
        let name = format!("{from}1");
        let name = if name.len() > 40 { format!("{}.", from.trim_end_matches('1')) } else { name };
        let blanks = " ".repeat(self.0);
        let text = format!(
            "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema'><xs:include schemaLocation='x'/>{blanks}</xs:schema>"
        );
        Some(Source { name, text })
    }
}

#[test]
fn a_set_of_files_has_an_end() {
    for size in [0, 4 << 20] {
        let mut library = Endless(size);
        let first = library.fetch("a", None, "").expect("endless");
        let error = load(vec![first], &mut library).expect_err("it has no end");
        assert_eq!(error.what, "a set of schemas with too many documents, or too large");
    }
}
