//! Texts that are longer than what is kept: checked as they come, or refused where they must be kept.

use super::{broken, compiled};
use crate::base::limits::{KEPT_TEXT_BYTES_MAX, MESSAGE_BYTES_MAX};

/// A scan of a page in base64, within an extension, as registers have it.
const SCAN: &str = "<xs:element name='r'><xs:complexType><xs:simpleContent><xs:extension base='Scan'>
    <xs:attribute name='type' type='xs:token'/></xs:extension></xs:simpleContent></xs:complexType></xs:element>";

/// So many octets in base64 take almost all of a message.
const OCTETS: usize = (MESSAGE_BYTES_MAX - 1024) / 4 * 3;

fn scan(length: usize) -> String {
    let facet = format!("<xs:restriction base='xs:base64Binary'><xs:length value='{length}'/></xs:restriction>");
    format!("{SCAN}<xs:simpleType name='Scan'>{facet}</xs:simpleType>")
}

fn filled(digits: &str) -> String {
    let size = OCTETS / 3 * 4;
    digits.repeat(size / digits.len())
}

fn said(schema: &str, text: &str) -> Vec<&'static str> {
    broken(&compiled(schema).expect("a good schema"), &format!("<r xmlns='urn:t'>{text}</r>"))
}

#[test]
fn a_scan_that_fills_a_message_is_checked_to_its_last_octet() {
    let text = filled("AbC/");
    assert!(text.len() > MESSAGE_BYTES_MAX - 2048);
    assert_eq!(said(&scan(OCTETS), &text), <[&str; 0]>::default());
    assert_eq!(said(&scan(OCTETS + 1), &text), ["cvc-length-valid"]);
    assert_eq!(said(&scan(OCTETS - 1), &text), ["cvc-length-valid"]);
    let (most, _) = text.split_at(text.len() - 1);
    assert_eq!(said(&scan(OCTETS), &format!("{most}*")), ["cvc-datatype-valid"]);
    assert_eq!(said(&scan(OCTETS - 1), &format!("{most}=")), ["cvc-datatype-valid"], "bits are left over");
    let (most, _) = text.split_at(text.len() - 4);
    assert_eq!(said(&scan(OCTETS - 1), &format!("{most}AbA=")), <[&str; 0]>::default());
}

#[test]
fn white_space_inside_long_octets_is_as_in_short_ones() {
    let ends = ["\r\n", "&#10; ", "", "\n\n"].into_iter().cycle();
    let text = filled("AbC/");
    let lines: String =
        text.as_bytes().chunks(77).zip(ends).flat_map(|(line, end)| [std::str::from_utf8(line).expect("ASCII"), end]).collect();
    assert_eq!(said(&scan(OCTETS), &lines), <[&str; 0]>::default());
    let hex = "<xs:element name='r' type='xs:hexBinary'/>";
    let digits = "09afAF".repeat(KEPT_TEXT_BYTES_MAX);
    assert_eq!(said(hex, &format!(" \n{digits}\r\n ")), <[&str; 0]>::default());
    assert_eq!(said(hex, &format!("{digits} {digits}")), ["cvc-datatype-valid"]);
    assert_eq!(said(hex, &format!("{digits}0")), ["cvc-datatype-valid"]);
}

#[test]
fn long_texts_are_held_to_lengths_and_patterns() {
    let of = |facets: &str| {
        format!(
            "<xs:element name='r'><xs:simpleType><xs:restriction base='xs:token'>{facets}</xs:restriction></xs:simpleType></xs:element>"
        )
    };
    let text = "наука ".repeat(KEPT_TEXT_BYTES_MAX);
    let long = 6 * KEPT_TEXT_BYTES_MAX - 1;
    assert_eq!(said(&of(&format!("<xs:maxLength value='{long}'/>")), &text), <[&str; 0]>::default());
    assert_eq!(said(&of(&format!("<xs:maxLength value='{}'/>", long - 1)), &text), ["cvc-maxLength-valid"]);
    assert_eq!(said(&of(r"<xs:pattern value='(\w+ )*\w+'/>"), &text), <[&str; 0]>::default());
    assert_eq!(said(&of(r"<xs:pattern value='(\w+ )*\w+'/>"), &format!("{text}.")), ["cvc-pattern-valid"]);
    assert_eq!(said(&of(r"<xs:pattern value='.{9,}'/>"), &text), <[&str; 0]>::default());
    assert_eq!(said(&of(r"<xs:pattern value='\D{9,}'/>"), &format!("{text}1")), ["cvc-pattern-valid"]);
}

#[test]
fn what_is_compared_is_kept_and_has_a_most() {
    let with = |more: &str| {
        format!("<xs:element name='r'><xs:complexType><xs:sequence><xs:element name='a' maxOccurs='9' {more}</xs:element>")
    };
    let value = "<xs:simpleType><xs:restriction base='xs:token'><xs:enumeration value='x'/></xs:restriction></xs:simpleType>";
    let typed = |simple: &str, after: &str| format!("{}</xs:element></xs:sequence></xs:complexType>{after}", with(simple));
    let unique = |field: &str| format!("<xs:unique name='u'><xs:selector xpath='t:a'/><xs:field xpath='{field}'/></xs:unique>");
    let end = "</xs:element>";
    let text = |length: usize| format!("<a>{}x</a>", " ".repeat(length - 1));
    let kept = [
        typed(&format!(">{value}"), end),
        typed("type='xs:token' fixed='x'>", end),
        typed("type='xs:ID'>", end),
        typed("type='xs:token'>", &(unique(".") + end)),
        typed("type='xs:NMTOKENS'>", end),
        typed("><xs:simpleType><xs:union memberTypes='xs:int xs:token'/></xs:simpleType>", end),
    ];
    for schema in kept {
        let schema = schema.replacen("</xs:element></xs:element>", "</xs:element>", 1);
        assert_eq!(said(&schema, &text(KEPT_TEXT_BYTES_MAX)), <[&str; 0]>::default(), "{schema}");
        assert_eq!(said(&schema, &text(KEPT_TEXT_BYTES_MAX + 1)), ["cvc-datatype-valid"], "{schema}");
    }
    // What stands beside a key is not compared.
    let beside = "<xs:complexType><xs:simpleContent><xs:extension base='xs:token'><xs:attribute name='n'/></xs:extension></xs:simpleContent></xs:complexType>";
    let schema = typed(&format!(">{beside}"), &(unique("@n") + end)).replacen("</xs:element></xs:element>", "</xs:element>", 1);
    assert_eq!(said(&schema, &text(KEPT_TEXT_BYTES_MAX * 3).replace("<a>", "<a n='1'>")), <[&str; 0]>::default());
}

#[test]
fn what_comes_after_a_long_text_is_checked_as_ever() {
    let schema = "<xs:element name='r'><xs:complexType><xs:sequence><xs:element name='a' type='xs:string'/>
        <xs:element name='b' type='xs:int' minOccurs='0'/></xs:sequence></xs:complexType></xs:element>";
    let long = "x".repeat(KEPT_TEXT_BYTES_MAX + 1);
    assert_eq!(said(schema, &format!("<a>{long}</a><b>1</b>")), <[&str; 0]>::default());
    assert_eq!(said(schema, &format!("<a>{long}</a><b>x</b>")), ["cvc-datatype-valid"]);
    assert_eq!(said(schema, &format!("<a>{long}<c/>{long}</a><b>x</b>")), ["cvc-type.3.1.2", "cvc-datatype-valid"]);
    assert_eq!(said(schema, &format!("<a>{long}</a>{long}")), ["cvc-complex-type.2.3"]);
    let open = "<xs:element name='r'><xs:complexType mixed='true'><xs:sequence>
        <xs:any processContents='skip' minOccurs='0'/></xs:sequence></xs:complexType></xs:element>";
    assert_eq!(said(open, &format!("{long}<a>{long}</a>{long}")), <[&str; 0]>::default());
}
