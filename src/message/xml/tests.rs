//! What is read, what is refused and what is handed on: documents with their canonical form, their code, their events.

use super::*;
use crate::base::limits;

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
        (r#"<a xmlns:q="u:q" xmlns="u:d"><q:b z="1" a='2'/></a>"#, r#"<a xmlns="u:d"><q:b xmlns:q="u:q" a="2" z="1"></q:b></a>"#),
        (r#"<a xmlns="u:d"><b xmlns=""/></a>"#, r#"<a xmlns="u:d"><b xmlns=""></b></a>"#),
        (
            r#"<a xmlns:x="u:1" xmlns:y="u:0" x:k="1" y:k="2" k="3"/>"#,
            r#"<a xmlns:x="u:1" xmlns:y="u:0" k="3" y:k="2" x:k="1"></a>"#,
        ),
        ("<a b='\"&lt;&gt;&#10;\t&#x416;'>&gt;&quot;&#xD;></a>", "<a b=\"&quot;&lt;>&#xA; Ж\">&gt;\"&#xD;&gt;</a>"),
        // An attribute without prefix has no namespace; the tag declares as many prefixes as are rendered, but another.
        (r#"<a xmlns="u:z" xmlns:b="u:b" b:c="1" d="2"></a>"#, r#"<a xmlns="u:z" xmlns:b="u:b" d="2" b:c="1"></a>"#),
        (r#"<r xmlns:a="u:a"><a:x xmlns:b="u:b"></a:x></r>"#, r#"<r><a:x xmlns:a="u:a"></a:x></r>"#),
        // A tag without attributes that has to declare its prefix all the same.
        (r#"<r xmlns:p="u:p"><p:a></p:a></r>"#, r#"<r><p:a xmlns:p="u:p"></p:a></r>"#),
        // What only looks like a declaration.
        (r#"<a xmlnsb="c" xmlnsb1="d"></a>"#, r#"<a xmlnsb="c" xmlnsb1="d"></a>"#),
        (r#"<a xmlns:xmlnsb="u:b" xmlnsb:c="d"></a>"#, r#"<a xmlns:xmlnsb="u:b" xmlnsb:c="d"></a>"#),
        // White space and quotes inside of tags, one departure at a time.
        ("<a  b=\"c\"></a>", "<a b=\"c\"></a>"),
        ("<a\nb=\"c\"></a>", "<a b=\"c\"></a>"),
        ("<a b=\"c\" ></a>", "<a b=\"c\"></a>"),
        ("<a b =\"c\"></a>", "<a b=\"c\"></a>"),
        ("<a b= \"c\"></a>", "<a b=\"c\"></a>"),
        ("<a b='c'></a>", "<a b=\"c\"></a>"),
        ("<\u{416} b='c' d=\"e\"></\u{416}>", "<\u{416} b=\"c\" d=\"e\"></\u{416}>"),
        // Characters that have another canonical spelling, by each of their spellings.
        ("<a>&#60;&#x3e;&#38;&gt;&apos;&#39;></a>", "<a>&lt;&gt;&amp;&gt;''&gt;</a>"),
        ("<a b=\"&#60;&#62;&#38;&#34;&apos;\"></a>", "<a b=\"&lt;>&amp;&quot;'\"></a>"),
        ("<a b=\"&#9;&#10;&#13;\"></a>", "<a b=\"&#x9;&#xA;&#xD;\"></a>"),
        ("<a b=\"&#65;\" c=\"d\"></a>", "<a b=\"A\" c=\"d\"></a>"),
        ("<a b=\"&#xA;&#65;\"></a>", "<a b=\"&#xA;A\"></a>"),
        // Line ends: XML 1.0, sections 2.11 and 3.3.3.
        ("<a b=\"v\rw\r\nx\ny\tz\"></a>", "<a b=\"v w x y z\"></a>"),
        ("<a>\r\nb\rc\r\r\nd\n\re</a>", "<a>\nb\nc\n\nd\n\ne</a>"),
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
        ("<a>\u{1}\u{1}</a>", Code::XmlMalformed),
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
        ("<a xmlns:xmlns='u:x'/>", Code::XmlNamespace),
        ("<a xmlns:p='http://www.w3.org/2000/xmlns/'/>", Code::XmlNamespace),
        ("<a xmlns:xml='u:x'/>", Code::XmlNamespace),
        ("<a xmlns:p='http://www.w3.org/XML/1998/namespace'/>", Code::XmlNamespace),
        ("<a xmlns='http://www.w3.org/XML/1998/namespace'/>", Code::XmlNamespace),
        ("<a xmlns:p='u:1' xmlns:p='u:1'/>", Code::XmlNamespace),
        ("<xmlns:a/>", Code::XmlNamespace),
        ("<xmlns:a b='c'/>", Code::XmlNamespace),
        ("<a xml:base='x'/>", Code::XmlForbiddenAttribute),
        ("<a xmlns:i='http://www.w3.org/2001/XMLSchema-instance' i:schemaLocation='x'/>", Code::XmlForbiddenAttribute),
        ("<a xmlns:i='http://www.w3.org/2001/XMLSchema-instance' i:noNamespaceSchemaLocation='x'/>", Code::XmlForbiddenAttribute),
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
        ("<a>&#;</a>", Code::XmlMalformed),
        ("<a>&#x;</a>", Code::XmlMalformed),
        ("<a>&#+65;</a>", Code::XmlMalformed),
        ("<a>&#x+41;</a>", Code::XmlMalformed),
        ("<a>&1;</a>", Code::XmlMalformed),
        ("<a>&;</a>", Code::XmlMalformed),
        ("<a>&amp</a>", Code::XmlMalformed),
        ("&amp;<a/>", Code::XmlMalformed),
        ("x<a/>", Code::XmlMalformed),
        ("</a>", Code::XmlMalformed),
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
        ("depth", &depth, crate::base::limits::DEPTH_MAX),
        ("attributes", &attributes, crate::base::limits::ATTRIBUTES_MAX),
        ("name", &name, crate::base::limits::NAME_BYTES_MAX),
        ("value", &value, crate::base::limits::VALUE_BYTES_MAX),
        ("bindings", &bindings, crate::base::limits::BINDINGS_MAX),
    ];
    for (what, make, limit) in cases {
        assert!(canonical(make(limit).as_bytes()).is_ok(), "{what} at the limit");
        assert_eq!(canonical(make(limit + 1).as_bytes()).map_err(|v| v.code), Err(Code::XmlLimit), "{what} above the limit");
    }
}

#[test]
fn the_declaration_says_xml_1_0_in_utf_8_or_is_refused() {
    for (declaration, code) in [
        ("<?xml version='1.0'?>", None),
        ("<?xml version = \"1.0\" ?>", None),
        ("<?xml version='1.0' encoding='UTF-8'?>", None),
        ("<?xml version='1.0' encoding='utf-8' standalone='no'?>", None),
        ("<?xml\tversion='1.0'\nstandalone='yes'?>", None),
        ("<?xml version='1.0' standalone='maybe'?>", Some(Code::XmlMalformed)),
        ("<?xml version='1.0'encoding='utf-8'?>", Some(Code::XmlMalformed)),
        ("<?xml version='1.0' encoding='utf-8' version='1.0'?>", Some(Code::XmlMalformed)),
        ("<?xml version='1.0' standalone='no' encoding='utf-8'?>", Some(Code::XmlMalformed)),
        ("<?xml encoding='utf-8' version='1.0'?>", Some(Code::XmlMalformed)),
        ("<?xml encoding='utf-8'?>", Some(Code::XmlMalformed)),
        ("<?xml version='1.0' charset='utf-8'?>", Some(Code::XmlMalformed)),
        ("<?xml version=1.0?>", Some(Code::XmlMalformed)),
        ("<?xml version='1.0\"?>", Some(Code::XmlMalformed)),
        ("<?xml version?>", Some(Code::XmlMalformed)),
        ("<?xml ?>", Some(Code::XmlMalformed)),
        ("<?xml version='1.1'?>", Some(Code::XmlVersion)),
        ("<?xml version='1.0' encoding='utf-16'?>", Some(Code::XmlNotUtf8)),
    ] {
        let outcome = canonical(format!("{declaration}<a/>").as_bytes());
        assert_eq!(outcome.err().map(|violation| violation.code), code, "{declaration}");
    }
    assert!(canonical(b"<a/><?xml version='1.0'?>").is_err(), "behind the root");
}

#[test]
fn a_namespace_name_is_a_plain_absolute_uri() {
    for (uri, is_taken) in [
        ("u:a", true),
        ("a+b-c.9:x", true),
        ("1a:x", false),
        ("+a:x", false),
        ("a_b:x", false),
        (":x", false),
        ("x", false),
        ("u:%41%aF", true),
        ("u:%4", false),
        ("u:%4g", false),
        ("u:a%", false),
        ("u:a#b%41", true),
        ("u:a#b%4", false),
        ("u:a#b#c", false),
        ("u:a b", false),
        ("u:a&amp;b", false),
        ("u:\u{416}", false),
        ("u:-._~:/?@!$&apos;()*+,;=", true),
        ("http://a.b:8/c", true),
        ("http://a.b:65535", true),
        ("http://a.b:123456/c", false),
        ("http://a.b:/c", false),
        ("http://a.b:8a/c", false),
        ("http://a:1:2/", false),
        ("http://a/b:c", true),
        ("http://a?b:c", true),
        ("http://[::1]/", false),
    ] {
        let outcome = canonical(format!("<a xmlns:p=\"{uri}\"/>").as_bytes());
        let expected = if is_taken { None } else { Some(Code::XmlNamespace) };
        assert_eq!(outcome.err().map(|violation| violation.code), expected, "{uri}");
    }
}

#[test]
fn of_the_reserved_names_only_some_are_refused() {
    for good in [
        "<a xml:lang=\"en\"></a>",
        "<a xmlns:xml='http://www.w3.org/XML/1998/namespace' xml:space='x'/>",
        "<a base=\"x\" schemaLocation=\"y\"></a>",
        "<a xmlns:i='http://www.w3.org/2001/XMLSchema-instance' i:nil='true'/>",
        "<a xmlns='u:x'><b xmlns=''/></a>",
    ] {
        assert!(canonical(good.as_bytes()).is_ok(), "{good}");
    }
    let what = |text: &str| canonical(text.as_bytes()).map_err(|violation| violation.what);
    assert_eq!(what("<xmlns:a/>"), Err("an element with the prefix xmlns"));
    assert_eq!(what("<xmlns:a b='c'/>"), Err("an element with the prefix xmlns"));
}

#[test]
fn only_xsi_type_is_a_qualified_name_in_a_value() {
    let root = |inside: &str| {
        let xsi = "http://www.w3.org/2001/XMLSchema-instance";
        format!("<p:a xmlns:p=\"u:p\" xmlns:xsi=\"{xsi}\" xmlns:t=\"u:t\" xmlns:o=\"u:o\">{inside}</p:a>")
    };
    for (inside, is_taken) in [
        ("<b xsi:type='t:X'/>", false),
        ("<b xsi:type=' t:X '/>", false),
        ("<t:b xsi:type=' t:X '/>", true),
        ("<b t:c='' xsi:type='t:X'/>", true),
        ("<b xsi:type='p:X'/>", true),
        ("<b xsi:type='none:X'/>", false),
        ("<b type='t:X'/>", true),
        ("<b o:type='t:X'/>", true),
        ("<b xsi:other='t:X'/>", true),
        ("<b xsi:type='X'/>", true),
        ("<b xmlns='u:d' xsi:type='X'/>", true),
        ("<p:b xmlns='u:d' xsi:type='X'/>", false),
        ("<t:b><c xmlns:t='u:2' xsi:type='t:X'/></t:b>", false),
    ] {
        let outcome = canonical(root(inside).as_bytes());
        let expected = if is_taken { None } else { Some(Code::XmlQName) };
        assert_eq!(outcome.err().map(|violation| violation.code), expected, "{inside}");
    }
}

/// How often it is given octets.
#[derive(Default)]
struct Counted(usize);

impl Octets for Counted {
    fn put(&mut self, _: &[u8]) {
        self.0 += 1;
    }
}

#[test]
fn canonical_octets_are_handed_on_in_one_run() {
    let puts = |text: &str| {
        let mut reader = Reader::new(text.as_bytes(), Profile::Message).expect("UTF-8");
        let mut canonical = Canonical::new(text.as_bytes(), Counted::default());
        loop {
            match reader.next().expect("a document") {
                Event::Done => return canonical.finish().0,
                event => canonical.event(&event).expect("it is good"),
            }
        }
    };
    assert_eq!(puts(r#"<a xmlns="u:d"><q:b xmlns:q="u:q" a="2" z="1">x&amp;y</q:b><c>&#xD;</c></a>"#), 1);
    assert_eq!(puts("<a><b/></a>"), 4, "the tags of an empty element are written anew");
    assert_eq!(puts("<a>x\ry<b>z</b></a>"), 3, "the text with a carriage return is, the other is not");
}

/// What a visitor is shown.
#[derive(Default)]
struct Heard(Vec<String>);

impl Visitor for Heard {
    type Error = &'static str;

    fn start(&mut self, element: &Start<'_>) -> Result<(), Self::Error> {
        let attributes = element.attributes().map(|a| format!(" {{{}}}{}={}", a.uri, a.local, a.value)).collect::<String>();
        self.0.push(format!("{}@{} {{{}}}{}{attributes}", element.depth(), element.at(), element.uri(), element.local()));
        if element.is("u:stop", "stop") { Err("start") } else { Ok(()) }
    }

    fn text(&mut self, text: &str, at: usize) -> Result<(), Self::Error> {
        self.0.push(format!("@{at} {text}"));
        if text == "stop" { Err("text") } else { Ok(()) }
    }

    fn end(&mut self) -> Result<(), Self::Error> {
        self.0.push("/".to_owned());
        if self.0.len() > 12 { Err("end") } else { Ok(()) }
    }
}

#[test]
fn a_visitor_is_shown_elements_texts_and_ends_with_their_places() {
    let mut heard = Heard::default();
    let text = "<a xmlns='u:d' b='1'><p:c xmlns:p='u:p' p:d='2'>x&lt;</p:c><e xmlns=''/></a>";
    scan(text.as_bytes(), Profile::Message, &mut heard).expect("a document");
    let expected = ["1@0 {u:d}a {}b=1", "2@21 {u:p}c {u:p}d=2", "@48 x", "@49 <", "/", "2@59 {}e", "/", "/"];
    assert_eq!(heard.0, expected);
}

#[test]
fn a_visitor_may_stop_the_scan_anywhere() {
    let outcome = |text: &str| scan(text.as_bytes(), Profile::Message, &mut Heard::default());
    assert_eq!(outcome("<stop xmlns='u:stop'/>"), Err(ScanError::Visitor("start")));
    assert_eq!(outcome("<stop/>"), Ok(()), "the name alone does not stop it");
    assert_eq!(outcome("<other xmlns='u:stop'/>"), Ok(()), "nor the namespace alone");
    assert_eq!(outcome("<a>stop</a>"), Err(ScanError::Visitor("text")));
    assert_eq!(outcome(&format!("<a>{}</a>", "<b/>".repeat(6))), Err(ScanError::Visitor("end")));
    assert!(matches!(outcome("<a>"), Err(ScanError::Xml(violation)) if violation.code == Code::XmlMalformed));
}

#[test]
fn a_prefix_in_a_value_is_resolved_where_it_stands() {
    let text = b"<a xmlns:p='u:1'><b xmlns='u:d' xmlns:p='u:2'/></a>";
    let mut reader = Reader::new(text, Profile::Schema).expect("UTF-8");
    for expected in [[Some("u:1"), Some(""), None], [Some("u:2"), Some("u:d"), None]] {
        let Ok(Event::Start(start)) = reader.next() else { panic!("an element begins") };
        assert_eq!(["p", "", "q"].map(|prefix| start.namespace(prefix)), expected);
    }
}

#[test]
fn comments_are_passed_over_in_schemas_only() {
    let text = "<!-- x --><a><!-- <b> -->c</a><!-- y -->";
    let mut heard = Heard::default();
    scan(text.as_bytes(), Profile::Schema, &mut heard).expect("a schema may have comments");
    assert_eq!(heard.0, ["1@10 {}a", "@25 c", "/"]);
    assert_eq!(canonical(text.as_bytes()).map_err(|violation| violation.code), Err(Code::XmlComment));
    let refused = |text: &str| scan(text.as_bytes(), Profile::Schema, &mut Heard::default()).is_err();
    assert!(refused("<a><?p?></a>") && refused("<a><![CDATA[x]]></a>") && refused("<!DOCTYPE a><a/>"));
}

#[test]
fn a_path_shows_sixteen_names() {
    let text = "<p:ab xmlns:p='u:p'>".to_owned() + &"<c>".repeat(20);
    let mut reader = Reader::new(text.as_bytes(), Profile::Message).expect("UTF-8");
    while reader.next().is_ok_and(|event| !matches!(event, Event::Done)) {}
    assert_eq!(reader.path(), format!("/ab{}/\u{2026}", "/c".repeat(15)));
}

#[test]
fn limits_hold_for_what_is_spelled_canonically_too() {
    use crate::base::limits::{ATTRIBUTES_MAX, NAME_BYTES_MAX, VALUE_BYTES_MAX};
    let (element, attribute) =
        (|n: usize| format!("<{0}></{0}>", "n".repeat(n)), |n: usize| format!("<a {}=\"\"></a>", "n".repeat(n)));
    let foreign =
        |n: usize| format!("<a n{}=\"\"></a>", "\u{416}".repeat(n.div_ceil(2) - 1) + if n.is_multiple_of(2) { "m" } else { "" });
    let value = |n: usize| format!("<a b=\"{}\"></a>", "v".repeat(n));
    let attributes = |n: usize| format!("<a{}></a>", (0..n).map(|i| format!(" a{i:03}=\"\"")).collect::<String>());
    type Make<'m> = &'m dyn Fn(usize) -> String;
    let cases: [(&str, Make<'_>, usize); 5] = [
        ("the name of an element", &element, NAME_BYTES_MAX),
        ("the name of an attribute", &attribute, NAME_BYTES_MAX),
        ("a name beyond ASCII", &foreign, NAME_BYTES_MAX),
        ("a value", &value, VALUE_BYTES_MAX),
        ("attributes", &attributes, ATTRIBUTES_MAX),
    ];
    for (what, make, limit) in cases {
        assert_eq!(canonical(make(limit).as_bytes()), Ok(make(limit)), "{what} at the limit");
        for above in [1, 2, 40] {
            let outcome = canonical(make(limit + above).as_bytes());
            assert_eq!(outcome.map_err(|violation| violation.code), Err(Code::XmlLimit), "{what}, {above} above the limit");
        }
    }
}

#[test]
fn the_writer_writes_what_it_is_told_in_canonical_form() {
    let mut out = Writer::new();
    out.open("a", &[("xmlns", "u:a"), ("b", "<&>\"\t\n\r'")]).leaf("c", "<&>\"\r'").leaf_with("d", &[("e", "f")], "g");
    out.leaf_if("h", None).leaf_if("i", Some("j")).raw("<k></k>").open("l", &[]).open("m", &[]).close().leaf("n", "");
    let written = out.open("o", &[]).raw("");
    let written = std::mem::take(written).finish();
    let expected = "<a xmlns=\"u:a\" b=\"&lt;&amp;>&quot;&#x9;&#xA;&#xD;'\"><c>&lt;&amp;&gt;\"&#xD;'</c><d e=\"f\">g</d><i>j</i>\
                    <k></k><l><m></m><n></n><o></o></l></a>";
    assert_eq!(written, expected);
    assert_eq!(canonical(written.as_bytes()).as_deref(), Ok(expected));
}

/// The pieces of text that a visitor is shown.
struct Texts(Vec<String>);

impl Visitor for Texts {
    type Error = std::convert::Infallible;

    fn start(&mut self, _: &Start<'_>) -> Result<(), Self::Error> {
        Ok(())
    }

    fn text(&mut self, text: &str, _: usize) -> Result<(), Self::Error> {
        self.0.push(text.to_owned());
        Ok(())
    }

    fn end(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}

#[test]
fn text_with_carriage_returns_is_copied_piece_by_piece() {
    for shift in 0..8 {
        let line = "я".repeat(509) + "]\r\n\r";
        let text = "x".repeat(shift) + &line.repeat(100);
        let mut texts = Texts(Vec::new());
        scan(format!("<a>{text}</a>").as_bytes(), Profile::Message, &mut texts).expect("well-formed");
        assert_eq!(texts.0.concat(), text.replace("\r\n", "\n").replace('\r', "\n"));
        assert!(texts.0.iter().all(|piece| piece.len() < 5_000));
        let canonical = canonical(format!("<a>{text}</a>").as_bytes()).expect("well-formed");
        assert_eq!(canonical, format!("<a>{}</a>", texts.0.concat()));
    }
}

#[test]
fn two_brackets_and_a_greater_sign_are_refused_wherever_a_piece_ends() {
    for length in 4_080..4_110 {
        let text = "\r".to_owned() + &"x".repeat(length) + "]]>";
        let found = scan(format!("<a>{text}</a>").as_bytes(), Profile::Message, &mut Texts(Vec::new()));
        assert_eq!(found, Err(ScanError::Xml(malformed("]]> in text", found_at(&found)))), "{length}");
        let good = text.replace("]]>", "] ]>");
        scan(format!("<a>{good}</a>").as_bytes(), Profile::Message, &mut Texts(Vec::new())).expect("well-formed");
    }
}

fn found_at(found: &Result<(), ScanError<std::convert::Infallible>>) -> usize {
    match found {
        Err(ScanError::Xml(violation)) => violation.at,
        _ => 0,
    }
}

/// What a document says: tags with their places, and the text between them.
#[derive(Default)]
struct Told(Vec<String>, String);

impl Told {
    fn flush(&mut self) {
        if !self.1.is_empty() {
            self.0.push(std::mem::take(&mut self.1));
        }
    }
}

impl Visitor for Told {
    type Error = std::convert::Infallible;

    fn start(&mut self, element: &Start<'_>) -> Result<(), Self::Error> {
        self.flush();
        let attributes: Vec<String> =
            element.attributes().map(|found| format!("{{{}}}{}={:?}", found.uri, found.local, found.value)).collect();
        let bindings = element.bindings();
        self.0.push(format!("{} {{{}}}{} {attributes:?} {bindings:?}", element.at(), element.uri(), element.local()));
        Ok(())
    }

    fn text(&mut self, text: &str, _: usize) -> Result<(), Self::Error> {
        self.1.push_str(text);
        Ok(())
    }

    fn end(&mut self) -> Result<(), Self::Error> {
        self.flush();
        self.0.push("end".to_owned());
        Ok(())
    }
}

/// What is told of a document in pieces of some size.
fn told_in_pieces(octets: &[u8], size: usize) -> Result<Vec<String>, Code> {
    let (mut stream, mut told) = (Stream::default(), Told::default());
    let code = |error: ScanError<_>| match error {
        ScanError::Xml(violation) => violation.code,
        ScanError::Visitor(never) => match never {},
    };
    octets.chunks(size).try_for_each(|piece| stream.take(piece, &mut told)).map_err(code)?;
    stream.finish(&mut told).map_err(code)?;
    Ok(told.0)
}

#[test]
fn a_document_in_pieces_is_the_same_document() {
    let long = format!("<a>{}</a>", "\u{1d11e}\u{e9}]x\r\n".repeat(900));
    let deep = format!("{}{}", "<a xmlns:p=\"urn:x\">".repeat(64), "</a>".repeat(64));
    let too_deep = format!("{}{}", "<a>".repeat(65), "</a>".repeat(65));
    for text in [
        "<?xml version=\"1.0\" encoding='UTF-8'?>\r\n <a xmlns=\"urn:a\"><p:b xmlns:p=\"urn:p\" p:x='1>2' y=\"\"/>t<b>\r\r\n</b>\r</a>\n\r\n",
        "<a>\u{feff}x\u{feff}&amp;&#x10FFFF;&#0000065;]] ]&gt;</a>",
        "<a  b = 'c'  ><b\n/>\u{10000}</a  >",
        "<a xmlns='urn:a'><b xmlns=''><c xmlns='urn:c'/></b><d/></a>",
        &long,
        &deep,
        // Refused.
        &too_deep,
        "<a>x]]></a>",
        "<a>]]]></a>",
        "<a>&amp</a>",
        "<a>&unknown;</a>",
        "<a>& b;</a>",
        "<a>&#x0;</a>",
        "<a><b></a></b>",
        "<a/><b/>",
        "<a/>x",
        "x<a/>",
        "<a",
        "<a>",
        "<a></a",
        "",
        "  ",
        "<a b='1' b='2'/>",
        "<a b='<'/>",
        "<p:a/>",
        "<a><?xml version='1.0'?></a>",
        " <?xml version='1.0'?><a/>",
        "<a><!-- c > d --></a>",
        "<a><![CDATA[x > y]]></a>",
        "<!DOCTYPE a><a/>",
        "<a><?p i > j?></a>",
        "\u{feff}<a/>",
        "<a>\u{1}</a>",
        "<a>\u{ffff}</a>",
        "<a xml:base='x'/>",
    ] {
        let mut whole = Told::default();
        let expected = match scan(text.as_bytes(), Profile::Message, &mut whole) {
            Ok(()) => Ok(whole.0),
            Err(ScanError::Xml(violation)) => Err(violation.code),
            Err(ScanError::Visitor(never)) => match never {},
        };
        for size in (1..40).chain([63, 64, 4096, 1 << 16]) {
            assert_eq!(told_in_pieces(text.as_bytes(), size), expected, "{text:.200} in pieces of {size}");
        }
    }
    for octets in [b"<a>\xff</a>".as_slice(), b"<a>\xc3</a>", b"<a>\xf0\x9d\x84</a>", b"<a>\xc3"] {
        for size in 1..12 {
            assert_eq!(told_in_pieces(octets, size), Err(Code::XmlNotUtf8), "{octets:?} in pieces of {size}");
        }
    }
}

#[test]
fn of_a_document_in_pieces_one_tag_is_kept_and_no_more() {
    let (mut stream, mut told) = (Stream::default(), Told::default());
    stream.take(b"<a>", &mut told).expect("a tag");
    let piece = vec![b'x'; 1 << 16];
    for _ in 0..64 {
        stream.take(&piece, &mut told).expect("text");
        told.1.clear();
    }
    // A tag that does not end.
    let tag = |length: usize| {
        let (mut stream, mut told) = (Stream::default(), Told::default());
        stream.take(b"<a>", &mut told).expect("a tag");
        let tag = [b"<b c='".as_slice(), &vec![b'x'; length - 6]].concat();
        tag.chunks(1 << 16).try_for_each(|piece| stream.take(piece, &mut told)).map_err(|error| match error {
            ScanError::Xml(violation) => (violation.code, violation.at),
            ScanError::Visitor(never) => match never {},
        })
    };
    assert_eq!(tag(limits::MARKUP_BYTES_MAX), Ok(()));
    assert_eq!(tag(limits::MARKUP_BYTES_MAX + 1), Err((Code::XmlLimit, 3)));
}
