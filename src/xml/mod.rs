//! Strict, bounded reading of the XML subset that messages are written in, and exclusive canonicalisation.
//!
//! One pass over the octets feeds both the canonical form and whoever reads the values: there is no tree and no second
//! look. Follows XML 1.0 (fifth edition), Namespaces in XML 1.0 (third edition) and Exclusive XML Canonicalization 1.0;
//! refuses what `message.md` section 1 refuses. quick-xml finds the borders of the tokens; everything else, above all
//! the rules of well-formedness that quick-xml leaves to its caller, is checked here.

#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used))]

mod canonical;
mod chars;
mod reader;
mod tag;
mod write;

pub use canonical::{Canonical, Octets};
pub use reader::{Attribute, Event, Profile, Reader, Start};
pub use write::{Writer, escape_attribute, escape_text};

use crate::fault::Code;
use std::fmt;

/// A broken rule of the XML subset, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which family and rule.
    pub code: Code,
    /// What exactly, in words without any of the document's content.
    pub what: &'static str,
    /// Offset in bytes from the start of the document.
    pub at: usize,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.what, self.at)
    }
}

/// Whoever reads a document while it is scanned.
pub trait Visitor {
    /// What stops the scan.
    type Error;
    /// An element begins; its names are resolved and its attribute values normalised.
    fn start(&mut self, element: &Start<'_>) -> Result<(), Self::Error>;
    /// A piece of text, references resolved; the text of one element may come in several pieces.
    fn text(&mut self, text: &str, at: usize) -> Result<(), Self::Error>;
    /// The innermost open element ends.
    fn end(&mut self) -> Result<(), Self::Error>;
}

/// Why a scan ended early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScanError<E> {
    /// The document broke a rule of the subset.
    Xml(Violation),
    /// The visitor had enough.
    Visitor(E),
}

/// Reads a whole document, without canonicalising it.
pub fn scan<V: Visitor>(octets: &[u8], profile: Profile, visitor: &mut V) -> Result<(), ScanError<V::Error>> {
    let mut reader = Reader::new(octets, profile).map_err(ScanError::Xml)?;
    loop {
        match reader.next().map_err(ScanError::Xml)? {
            Event::Start(start) => visitor.start(start).map_err(ScanError::Visitor)?,
            Event::Text { text, at, .. } => visitor.text(text, at).map_err(ScanError::Visitor)?,
            Event::End { .. } => visitor.end().map_err(ScanError::Visitor)?,
            Event::Done => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(octets: &[u8]) -> Result<String, Violation> {
        let mut reader = Reader::new(octets, Profile::Message)?;
        let mut canonical = Canonical::new(octets, Vec::new());
        loop {
            match reader.next()? {
                Event::Done => return Ok(String::from_utf8(canonical.finish()).expect("text in, text out")),
                event => canonical.event(&event)?,
            }
        }
    }

    #[test]
    fn canonical_form_is_exclusive() {
        for (input, output) in [
            ("<a/>", "<a></a>"),
            ("<a xmlns='http://a.b:80/%D0%96?c=d;e#f'/>", "<a xmlns=\"http://a.b:80/%D0%96?c=d;e#f\"></a>"),
            ("<?xml version='1.0'?>\n<a >x\r\ny\r</a >\n", "<a>x\ny\n</a>"),
            (
                r#"<a xmlns:q="u:q" xmlns="u:d"><q:b z="1" a='2'/></a>"#,
                r#"<a xmlns="u:d"><q:b xmlns:q="u:q" a="2" z="1"></q:b></a>"#,
            ),
            (r#"<a xmlns="u:d"><b xmlns=""/></a>"#, r#"<a xmlns="u:d"><b xmlns=""></b></a>"#),
            (
                r#"<a xmlns:x="u:1" xmlns:y="u:0" x:k="1" y:k="2" k="3"/>"#,
                r#"<a xmlns:x="u:1" xmlns:y="u:0" k="3" y:k="2" x:k="1"></a>"#,
            ),
            ("<a b='\"&lt;&gt;&#10;\t&#x416;'>&gt;&quot;&#xD;></a>", "<a b=\"&quot;&lt;>&#xA; Ж\">&gt;\"&#xD;&gt;</a>"),
            (
                r#"<p:a xmlns:p="u:1"><p:b xmlns:p="u:1"><p:c xmlns:p="u:2"/></p:b></p:a>"#,
                r#"<p:a xmlns:p="u:1"><p:b><p:c xmlns:p="u:2"></p:c></p:b></p:a>"#,
            ),
        ] {
            assert_eq!(canonical(input.as_bytes()).as_deref(), Ok(output), "{input}");
            assert_eq!(canonical(output.as_bytes()).as_deref(), Ok(output), "{output}");
        }
    }

    #[test]
    fn what_is_not_of_the_subset_is_refused_with_its_code() {
        for (input, code) in [
            ("\u{feff}<a/>", Code::XmlNotUtf8),
            ("<a>\0</a>", Code::XmlNotUtf8),
            ("<a>\u{1}</a>", Code::XmlMalformed),
            ("<a>\u{ffff}</a>", Code::XmlMalformed),
            ("<!DOCTYPE a><a/>", Code::XmlDoctype),
            ("<?p?><a/>", Code::XmlInstruction),
            ("<a><!-- --></a>", Code::XmlComment),
            ("<a><![CDATA[x]]></a>", Code::XmlCdata),
            ("<a>&e;</a>", Code::XmlEntity),
            ("<a b='&e;'/>", Code::XmlEntity),
            ("<?xml version='1.1'?><a/>", Code::XmlVersion),
            ("<?xml version='1.0' encoding='latin1'?><a/>", Code::XmlNotUtf8),
            ("<a xmlns:p='rel/ative'/>", Code::XmlNamespace),
            ("<a xmlns:p='urn:Ж'/>", Code::XmlNamespace),
            ("<a xmlns:p='urn:a b'/>", Code::XmlNamespace),
            ("<a xmlns:p='urn:%4'/>", Code::XmlNamespace),
            ("<a xmlns:p='urn:a&amp;b'/>", Code::XmlNamespace),
            ("<a xmlns:p='urn:a#b#c'/>", Code::XmlNamespace),
            ("<a xmlns:p='http://a:b/'/>", Code::XmlNamespace),
            ("<a xmlns:p='http://a:/'/>", Code::XmlNamespace),
            ("<a xmlns:p=''/>", Code::XmlNamespace),
            ("<p:a/>", Code::XmlNamespace),
            ("<a p:b='1'/>", Code::XmlNamespace),
            ("<a xml:base='x'/>", Code::XmlForbiddenAttribute),
            ("<a b='1' b='2'/>", Code::XmlMalformed),
            ("<a xmlns:p='u:1' xmlns:q='u:1' p:b='1' q:b='2'/>", Code::XmlMalformed),
            ("<a/><b/>", Code::XmlMalformed),
            ("<a/>x", Code::XmlMalformed),
            ("<a></b>", Code::XmlMalformed),
            ("<a>]]></a>", Code::XmlMalformed),
            ("<a b='<'/>", Code::XmlMalformed),
            ("<a b=1/>", Code::XmlMalformed),
            ("<a b='1'c='2'/>", Code::XmlMalformed),
            ("<1a/>", Code::XmlMalformed),
            ("<a>&#0;</a>", Code::XmlMalformed),
            ("<a>&#X41;</a>", Code::XmlMalformed),
            ("<a>&amp</a>", Code::XmlMalformed),
            ("<a", Code::XmlMalformed),
            ("<a>", Code::XmlMalformed),
            ("", Code::XmlMalformed),
            (" <?xml version='1.0'?><a/>", Code::XmlMalformed),
        ] {
            assert_eq!(canonical(input.as_bytes()).map_err(|violation| violation.code), Err(code), "{input:?}");
        }
    }

    #[test]
    fn a_path_repeats_no_name_that_is_long_or_strange() {
        let path = |text: &str| {
            let mut reader = Reader::new(text.as_bytes(), Profile::Message).expect("UTF-8");
            while reader.next().is_ok_and(|event| !matches!(event, Event::Done)) {}
            reader.path()
        };
        assert_eq!(path("<Message xmlns:t='u:t'><t:Id>"), "/Message/Id");
        assert_eq!(path(&format!("<a><Ж><{}>", "n".repeat(41))), "/a/\u{2026}/\u{2026}");
        assert!(path(&format!("<{}>", "n".repeat(40)).repeat(60)).len() < 1_000);
    }

    #[test]
    fn a_qname_in_xsi_type_must_be_signed() {
        let with = |declared: &str| {
            format!(r#"<a xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:t="u:t"><{declared} xsi:type="t:X"/></a>"#)
        };
        assert_eq!(canonical(with("b").as_bytes()).map_err(|v| v.code), Err(Code::XmlQName));
        assert!(canonical(with("t:b").as_bytes()).is_ok());
    }

    #[test]
    fn limits_hold_one_below_and_one_above() {
        let depth = |n: usize| format!("{}{}", "<a>".repeat(n), "</a>".repeat(n));
        let attributes = |n: usize| format!("<a{}/>", (0..n).map(|i| format!(" a{i}=''")).collect::<String>());
        let name = |n: usize| format!("<{}/>", "n".repeat(n));
        let value = |n: usize| format!("<a b='{}'/>", "v".repeat(n));
        // The prefix xml is always bound.
        let bindings = |n: usize| {
            let (outer, inner) = (n / 2, n - n / 2 - 1);
            let declare = |from: usize, n: usize| (from..from + n).map(|i| format!(" xmlns:p{i}='u:{i}'")).collect::<String>();
            format!("<a{}><b{}/></a>", declare(0, outer), declare(100, inner))
        };
        type Make<'m> = &'m dyn Fn(usize) -> String;
        let cases: [(&str, Make<'_>, usize); 5] = [
            ("depth", &depth, crate::limits::DEPTH_MAX),
            ("attributes", &attributes, crate::limits::ATTRIBUTES_MAX),
            ("name", &name, crate::limits::NAME_BYTES_MAX),
            ("value", &value, crate::limits::VALUE_BYTES_MAX),
            ("bindings", &bindings, crate::limits::BINDINGS_MAX),
        ];
        for (what, make, limit) in cases {
            assert!(canonical(make(limit).as_bytes()).is_ok(), "{what} at the limit");
            assert_eq!(canonical(make(limit + 1).as_bytes()).map_err(|v| v.code), Err(Code::XmlLimit), "{what} above the limit");
        }
    }
}
