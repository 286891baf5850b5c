//! Attacks by octets: encodings, document types, what is not well-formed, size, namespaces, and markup inside text.

use super::SECRET;
use super::bench::{Attack, Bench, How, List, element, replaced_leaf};
use oncegate::base::limits;

fn octets(parts: &[&[u8]]) -> How {
    How::Message(parts.concat())
}

/// The order of octets.
#[derive(Clone, Copy, Debug)]
enum Order {
    Big,
    Little,
}

fn wide(text: &str, width: usize, order: Order) -> Vec<u8> {
    let put = |unit: u32| match order {
        Order::Big => unit.to_be_bytes()[4 - width..].to_vec(),
        Order::Little => unit.to_le_bytes()[..width].to_vec(),
    };
    let units: Vec<u32> =
        if width == 2 { text.encode_utf16().map(u32::from).collect() } else { text.chars().map(u32::from).collect() };
    units.into_iter().flat_map(put).collect()
}

const NOT_UTF8: &[(&str, &[u8])] = &[
    ("an overlong solidus", b"\xc0\xaf"),
    ("an overlong less-than sign", b"\xc0\xbc"),
    ("an overlong letter", b"\xc1\x81"),
    ("an overlong solidus of three", b"\xe0\x80\xaf"),
    ("an overlong less-than sign of four", b"\xf0\x80\x80\xbc"),
    ("an overlong NUL", b"\xc0\x80"),
    ("a high surrogate", b"\xed\xa0\x80"),
    ("a low surrogate", b"\xed\xbf\xbf"),
    ("a pair of surrogates", b"\xed\xa0\xbd\xed\xb8\x80"),
    ("above U+10FFFF", b"\xf4\x90\x80\x80"),
    ("a lead of five", b"\xf8\x88\x80\x80\x80"),
    ("a lead of six", b"\xfc\x84\x80\x80\x80\x80"),
    ("a lone continuation", b"\x80"),
    ("a half of two", b"\xc3"),
    ("two thirds of three", b"\xe2\x82"),
    ("three quarters of four", b"\xf0\x9f\x98"),
    ("FE", b"\xfe"),
    ("FF", b"\xff"),
    ("an e with acute in Latin-1", b"\xe9"),
];

pub fn encodings(bench: &Bench<'_>) -> Vec<Attack> {
    let mut list = List::new("encoding");
    for (width, name) in [(2, "UTF-16"), (4, "UTF-32")] {
        for order in [Order::Big, Order::Little] {
            for (mark, declaration) in ["", "\u{feff}"].iter().flat_map(|mark| [(mark, false), (mark, true)]) {
                let declared = if declaration { format!("<?xml version=\"1.0\" encoding=\"{name}\"?>") } else { String::new() };
                let text = format!("{mark}{declared}{}", bench.signed());
                let name = format!("{name}, {order:?}, mark {mark:?}, declared {declaration}");
                list.add(name, &["OG-XML-001"], How::Message(wide(&text, width, order)));
            }
        }
    }
    for declared in [
        "ISO-8859-1",
        "windows-1251",
        "KOI8-R",
        "Shift_JIS",
        "EBCDIC-CP-US",
        "IBM037",
        "US-ASCII",
        "UTF-16",
        "UTF-16LE",
        "UTF-32",
        "UTF8",
        "utf_8",
        "UTF-7",
        "unicode-1-1-utf-7",
        "GB18030",
        "HZ-GB-2312",
        "ISO-2022-JP",
        "x-user-defined",
        "",
    ] {
        let text = format!("<?xml version=\"1.0\" encoding=\"{declared}\"?>{}", bench.signed());
        list.add(format!("declared as {declared:?}"), &["OG-XML-001"], How::Message(text.into_bytes()));
    }
    let ebcdic = b"\x4c\x6f\xa7\x94\x93\x40\xa5\x85\x99\xa2\x89\x96\x95\x7e\x7f\xf1\x4b\xf0\x7f\x6f\x6e";
    list.add("EBCDIC", &["OG-XML-001"], octets(&[ebcdic, bench.signed().as_bytes()]));
    list.add("a byte order mark", &["OG-XML-001"], octets(&[b"\xef\xbb\xbf", bench.signed().as_bytes()]));
    list.add("two byte order marks", &["OG-XML-001"], octets(&[b"\xef\xbb\xbf\xef\xbb\xbf", bench.signed().as_bytes()]));
    list.add("a mark inside", &["OG-SIG-003", "OG-MSG-002"], bench.after("<Purpose>", "<Purpose>\u{feff}"));
    list.add("UTF-7 for a tag", &["OG-MSG-002"], bench.with_leaf("Purpose", "+ADw-script+AD4-"));
    for (name, wrong) in NOT_UTF8 {
        let signed = bench.signed();
        let at = |place: &str| signed.find(place).expect("there") + place.len();
        for (where_, at) in [("in text", at("<Purpose>")), ("in a value", at("version=\"")), ("at the end", signed.len())] {
            let (head, tail) = signed.as_bytes().split_at(at);
            list.add(format!("{name} {where_}"), &["OG-XML-001"], octets(&[head, wrong, tail]));
        }
    }
    list.attacks.extend(controls(bench).attacks);
    list.attacks
}

/// Control characters, and references to what is no character.
fn controls(bench: &Bench<'_>) -> List {
    let mut list = List::new("character");
    for control in (0_u8..0x20).filter(|control| !matches!(control, 9 | 10 | 13)) {
        let raw = char::from(control).to_string();
        let codes: &[&str] = if control == 0 { &["OG-XML-001"] } else { &["OG-XML-002"] };
        list.add(format!("U+{control:04X} as it is"), codes, bench.after("<Purpose>", &format!("<Purpose>{raw}")));
        let reference = format!("<Purpose>&#{control};");
        list.add(format!("U+{control:04X} as a reference"), &["OG-XML-002"], bench.after("<Purpose>", &reference));
    }
    for name in ["\u{fffe}", "\u{ffff}"] {
        list.add(
            format!("{} as it is", name.escape_unicode()),
            &["OG-XML-002"],
            bench.after("<Purpose>", &format!("<Purpose>{name}")),
        );
    }
    for reference in [
        "&#xD800;",
        "&#xDFFF;",
        "&#55296;",
        "&#xFFFE;",
        "&#xFFFF;",
        "&#x110000;",
        "&#99999999999;",
        "&#4294967361;",
        "&#-1;",
        "&#+65;",
        "&#X41;",
        "&#;",
        "&#x;",
        "&# 65;",
        "&#65 ;",
        "&#x4g;",
        "&#0x41;",
        "&#65",
        "&#6\u{661};",
        "&#00000000000000000000065;",
    ] {
        list.add(
            format!("the reference {reference}"),
            &["OG-XML-002"],
            bench.after("<Purpose>", &format!("<Purpose>{reference}")),
        );
    }
    list
}

#[expect(clippy::too_many_lines, reason = "a table of attacks")]
pub fn document_types(bench: &Bench<'_>) -> Vec<Attack> {
    let mut list = List::new("dtd");
    let port = bench.canary;
    let laughs: String = (1..10).map(|n| format!("<!ENTITY l{n} \"{}\">", format!("&l{};", n - 1).repeat(10))).collect();
    let internal = [
        "<!DOCTYPE Message>".to_owned(),
        "<!DOCTYPE Message []>".to_owned(),
        "<!DOCTYPE\tMessage\n[\n]\n>".to_owned(),
        "<!DOCTYPE html>".to_owned(),
        format!("<!DOCTYPE Message [<!ENTITY e \"{SECRET}\">]>"),
        format!("<!DOCTYPE Message [<!ENTITY l0 \"ha\">{laughs}]>"),
        format!("<!DOCTYPE Message [<!ENTITY a \"{}\">]>", "a".repeat(50_000)),
        "<!DOCTYPE Message [<!ENTITY % p '<!ENTITY &#37; q \"&#37;p;\">'> %p; %q;]>".to_owned(),
        "<!DOCTYPE Message [<!ENTITY a \"&b;\"><!ENTITY b \"&a;\">]>".to_owned(),
        "<!DOCTYPE Message [<!ATTLIST Header id ID #IMPLIED>]>".to_owned(),
        "<!DOCTYPE Message [<!ATTLIST Message version CDATA \"1\">]>".to_owned(),
        "<!DOCTYPE Message [<!ATTLIST Message xmlns CDATA #FIXED \"urn:oncegate:message:1\">]>".to_owned(),
        "<!DOCTYPE Message [<!ELEMENT Message ANY>]>".to_owned(),
        "<!DOCTYPE Message [<!NOTATION n SYSTEM \"calc.exe\">]>".to_owned(),
        "<!DOCTYPE Message [<!-- ]> -->]>".to_owned(),
        "<!DOCTYPE Message [<!ENTITY e \"]>\">]>".to_owned(),
        "<!DOCTYPE Message [<?p ]>?>]>".to_owned(),
        "<!DOCTYPE Message PUBLIC \"-//W3C//DTD XHTML 1.0//EN\" \"\">".to_owned(),
    ];
    for text in internal {
        let name: String = text.chars().take(52).collect();
        list.add(name, &["OG-XML-003"], How::Message((text + &bench.signed()).into_bytes()));
    }
    for scheme in ["http", "https", "ftp", "gopher", "jar:http", "netdoc", "php://filter/resource=http", "expect"] {
        let url = format!("{scheme}://127.0.0.1:{port}/x.dtd");
        for text in [
            format!("<!DOCTYPE Message SYSTEM \"{url}\">"),
            format!("<!DOCTYPE Message PUBLIC \"x\" \"{url}\">"),
            format!("<!DOCTYPE Message [<!ENTITY e SYSTEM \"{url}\">]>"),
            format!("<!DOCTYPE Message [<!ENTITY % p SYSTEM \"{url}\"> %p;]>"),
        ] {
            let name: String = text.chars().take(52).collect();
            let body = bench.signed().replacen("school-attendance", "&e;", 1);
            list.add(name, &["OG-XML-003"], How::Message((text + &body).into_bytes()));
        }
    }
    for file in
        ["file:///etc/passwd", "file:///dev/urandom", "/etc/passwd", "\\\\127.0.0.1\\share\\x", "file://localhost/c:/boot.ini"]
    {
        let text = format!("<!DOCTYPE Message [<!ENTITY e SYSTEM \"{file}\">]>");
        let body = bench.signed().replacen("school-attendance", "&e;", 1);
        list.add(format!("an entity of {file}"), &["OG-XML-003"], How::Message((text + &body).into_bytes()));
    }
    list.add(
        "a DOCTYPE that does not end",
        &["OG-XML-002"],
        octets(&[b"<!DOCTYPE Message [", b"<!ENTITY a 'b'>".repeat(1000).as_slice()]),
    );
    list.add("a DOCTYPE inside", &["OG-XML-003"], bench.after("<Header>", "<!DOCTYPE x><Header>"));
    list.add("a DOCTYPE after the root", &["OG-XML-003"], bench.after("</Message>", "</Message><!DOCTYPE x>"));
    list.add("a doctype in small letters", &["OG-XML-00"], octets(&[b"<!doctype Message>", bench.signed().as_bytes()]));
    list.add("an ENTITY outside of a DOCTYPE", &["OG-XML-002"], octets(&[b"<!ENTITY e 'x'>", bench.signed().as_bytes()]));
    for entity in ["&e;", "&xxe;", "&nbsp;", "&Amp;", "&AMP;", "&lol9;", "%p;&p;"] {
        list.add(format!("the entity {entity}"), &["OG-XML-007"], bench.after("<Purpose>", &format!("<Purpose>{entity}")));
        let value = format!("version=\"{entity}");
        list.add(format!("the entity {entity} in a value"), &["OG-XML-007"], bench.after("version=\"", &value));
    }
    let here = format!("http://127.0.0.1:{port}/");
    let xi = format!("<xi:include xmlns:xi=\"http://www.w3.org/2001/XInclude\" href=\"{here}\"></xi:include>");
    list.add("XInclude", &["OG-MSG-001"], bench.before("<Header>", &format!("{xi}<Header>")));
    list.add("XInclude in a leaf", &["OG-MSG-001"], bench.before("<Purpose>", &format!("<Purpose>{xi}")));
    let sheet = format!("<?xml-stylesheet type=\"text/xsl\" href=\"{here}\"?>");
    list.add("a style sheet", &["OG-XML-004"], How::Message((sheet + &bench.signed()).into_bytes()));
    let xsi = "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"";
    for attribute in [
        format!("{xsi} xsi:schemaLocation=\"urn:oncegate:message:1 {here}\""),
        format!("{xsi} xsi:noNamespaceSchemaLocation=\"{here}\""),
        format!("xml:base=\"{here}\""),
        "xmlns:s=\"http://www.w3.org/2001/XMLSchema-instance\" s:schemaLocation=\"a b\"".to_owned(),
    ] {
        let how = bench.before("<Message ", &format!("<Message {attribute} "));
        list.add(attribute.chars().take(50).collect::<String>(), &["OG-XML-010"], how);
    }
    list.attacks
}

#[expect(clippy::too_many_lines, reason = "a table of attacks")]
pub fn ill_formed(bench: &Bench<'_>) -> Vec<Attack> {
    let mut list = List::new("well-formed");
    for (from, to) in [
        ("</Header>", "</header>"),
        ("</Header>", ""),
        ("</Header>", "</Header></Header>"),
        ("<Header>", "<Header"),
        ("<Header>", "< Header>"),
        ("<Header>", "<Header/>>"),
        ("<Header>", "<<Header>"),
        ("<Header>", "<Header =\"\">"),
        ("<Header>", "<Header a>"),
        ("<Header>", "<Header a=b>"),
        ("<Header>", "<Header a=\"b>"),
        ("<Header>", "<Header a='b\">"),
        ("<Header>", "<Header a=\"1\"b=\"2\">"),
        ("<Header>", "<Header a=\"1\" a=\"2\">"),
        ("<Header>", "<Header a=\"<\">"),
        ("<Header>", "<Header a=\"&\">"),
        ("<Header>", "<Header a=\"&lt\">"),
        ("<Header>", "<Header 1=\"\">"),
        ("<Header>", "<Header -a=\"\">"),
        ("<Header>", "<1Header>"),
        ("<Header>", "<:Header>"),
        ("<Header>", "<a:b:c>"),
        ("<Header>", "<Header:>"),
        ("<Header>", "<>"),
        ("<Header>", "</>"),
        ("<Header>", "<!Header>"),
        ("<Header>", "<!>"),
        ("<Header>", "&<Header>"),
        ("<Header>", "&;<Header>"),
        ("<Header>", "& <Header>"),
        ("<Header>", "]]><Header>"),
        ("<Header>", "<Header\u{a0}a=\"\">"),
        ("<Header>", "<Header\u{2028}>"),
        ("</Header>", "</Header a=\"\">"),
        ("</Header>", "</ Header>"),
        ("</Header>", "</Header/>"),
        ("<Header>", "<Header><![CDATA[]]"),
        ("<Header>", "<Header><!-"),
        ("<Header>", "<?xml version=\"1.0\"?><Header>"),
        ("</Message>", "</Message><Message></Message>"),
        ("</Message>", "</Message>x"),
        ("</Message>", "</Message>&amp;"),
        ("</Message>", "</Message></Message>"),
        ("</Message>", "</Message><"),
        ("</Message>", ""),
        ("</Message>", "</Message"),
        ("<Message ", " x<Message "),
        ("<Message ", "\u{a0}<Message "),
        ("<Message ", " <?xml version=\"1.0\"?><Message "),
    ] {
        list.add(
            format!("{to:?} for {from:?}"),
            &["OG-XML-002", "OG-XML-006", "OG-XML-005", "OG-MSG-001"],
            bench.after(from, to),
        );
    }
    for declaration in [
        "<?xml?>",
        "<?xml ?>",
        "<?xml encoding=\"UTF-8\"?>",
        "<?xml version='1.0\"?>",
        "<?xml version=1.0?>",
        "<?xml version=\"1.0\" version=\"1.0\"?>",
        "<?xml standalone=\"yes\" version=\"1.0\"?>",
        "<?xml version=\"1.0\" standalone=\"maybe\"?>",
        "<?xml version=\"1.0\" encoding=\"UTF-8\" x=\"\"?>",
        "<?xml version=\"1.0\"encoding=\"UTF-8\"?>",
        "<?xml version=\"1.0\" standalone=\"yes\" encoding=\"UTF-8\"?>",
        "<?xml version=\"1.0\"",
        "<?xml version=\"1.0\"?><?xml version=\"1.0\"?>",
    ] {
        let codes: &[&str] = &["OG-XML-002"];
        list.add(
            format!("the declaration {declaration}"),
            codes,
            How::Message(format!("{declaration}{}", bench.signed()).into_bytes()),
        );
    }
    for declaration in ["<?XML version=\"1.0\"?>", "<?xml-x ?>", "<?p?>"] {
        let how = How::Message(format!("{declaration}{}", bench.signed()).into_bytes());
        list.add(format!("the instruction {declaration}"), &["OG-XML-004", "OG-XML-002"], how);
    }
    for version in ["1.1", "1.2", "2.0", "1", "", "1.0 ", "0.9"] {
        let text = format!("<?xml version=\"{version}\"?>{}", bench.signed());
        list.add(format!("version {version:?}"), &["OG-XML-008"], How::Message(text.into_bytes()));
    }
    for (name, text) in [
        ("nothing", &b""[..]),
        ("a space", b" "),
        ("JSON", b"{\"a\":1}"),
        ("a tag that does not end", b"<a"),
        ("only NUL", b"\0\0\0\0"),
    ] {
        list.add(name, &["OG-XML-002", "OG-XML-001", "OG-HTTP-005"], octets(&[text]));
    }
    let signed = bench.signed();
    for part in 1..20 {
        let cut = &signed.as_bytes()[..signed.len() * part / 20];
        list.add(format!("cut off after {part} of 20 parts"), &["OG-XML-002"], octets(&[cut]));
    }
    list.attacks
}

pub fn limits(bench: &Bench<'_>) -> Vec<Attack> {
    let mut list = List::new("limit");
    let nested = |depth: usize| format!("<Header>{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
    for depth in [limits::DEPTH_MAX - 1, 1_000, 20_000, 100_000] {
        list.add(format!("{depth} deep in a document"), &["OG-XML-012"], deep(bench, depth));
        list.add(format!("{depth} deep in the header"), &["OG-MSG-001"], bench.after("<Header>", &nested(depth)));
    }
    list.add("200,000 open elements", &["OG-XML-012"], in_document(bench, &"<a>".repeat(200_000)));
    let attributes = |n: usize| (0..n).map(|i| format!(" a{i}=\"\"")).collect::<String>();
    let declarations = |n: usize| (0..n).map(|i| format!(" xmlns:n{i}=\"urn:n:{i}\"")).collect::<String>();
    for count in [limits::ATTRIBUTES_MAX + 1, 1_000, 60_000] {
        list.add(
            format!("{count} attributes"),
            &["OG-XML-012"],
            bench.after("<Header>", &format!("<Header{}>", attributes(count))),
        );
    }
    for count in [limits::BINDINGS_MAX, 1_000, 30_000] {
        list.add(
            format!("{count} declarations"),
            &["OG-XML-012"],
            bench.after("<Header>", &format!("<Header{}>", declarations(count))),
        );
    }
    for length in [limits::NAME_BYTES_MAX + 1, 10_000, 900_000] {
        list.add(format!("a name of {length}"), &["OG-XML-012"], bench.after("<Header>", &format!("<{}>", "n".repeat(length))));
        let attribute = format!("<Header {}=\"\">", "n".repeat(length));
        list.add(format!("an attribute name of {length}"), &["OG-XML-012"], bench.after("<Header>", &attribute));
    }
    for length in [limits::VALUE_BYTES_MAX + 1, 100_000, 900_000] {
        let value = format!("<Header a=\"{}\">", "v".repeat(length));
        list.add(format!("a value of {length}"), &["OG-XML-012"], bench.after("<Header>", &value));
    }
    for (name, text) in [
        ("a text of 900,000", "x".repeat(900_000)),
        ("150,000 references in a text", "&#65;".repeat(150_000)),
        ("100,000 lines in a text", "\r\n".repeat(100_000)),
    ] {
        list.add(name, &["OG-MSG-001"], bench.after("<Purpose>", &format!("<Purpose>{text}")));
    }
    list.add("100,000 siblings", &["OG-MSG-001"], bench.after("<Header>", &format!("{}<Header>", "<a/>".repeat(100_000))));
    list.add(
        "40,000 CDATA sections",
        &["OG-XML-006"],
        bench.after("<Purpose>", &format!("<Purpose>{}", "<![CDATA[x]]>".repeat(40_000))),
    );
    list.add(
        "one CDATA section of 900,000",
        &["OG-XML-006"],
        bench.after("<Purpose>", &format!("<Purpose><![CDATA[{}]]>", "x".repeat(900_000))),
    );
    list.add("40,000 comments", &["OG-XML-005"], bench.after("<Header>", &format!("{}<Header>", "<!-- x -->".repeat(40_000))));
    list.add("a mebibyte and one octet", &["OG-HTTP-006"], bench.after("<Header>", &format!("{}<Header>", " ".repeat(1 << 20))));
    list.add("five mebibytes", &["OG-HTTP-006"], octets(&[b"<".repeat(5 << 20).as_slice()]));
    let name = format!("{SECRET}{}", "n".repeat(limits::NAME_BYTES_MAX - 20));
    let path = format!("{}&e;", format!("<{name}>").repeat(40));
    list.add("long names before a fault, to be repeated", &["OG-XML-007"], in_document(bench, &path));
    list.attacks
}

/// Markup inside a payload document of an application.
fn in_document(bench: &Bench<'_>, markup: &str) -> How {
    let signed = bench.signed();
    let body = format!("<Body><Documents><x xmlns=\"urn:x\">{markup}</x></Documents></Body>");
    How::Message(signed.replacen(&element(&signed, "Body"), &body, 1).into_bytes())
}

fn deep(bench: &Bench<'_>, depth: usize) -> How {
    in_document(bench, &format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth)))
}

pub fn namespaces(bench: &Bench<'_>) -> Vec<Attack> {
    let mut list = List::new("namespace");
    for like in [
        "",
        "urn:oncegate:message:1/",
        "urn:oncegate:message:1#",
        "urn:oncegate:message:2",
        "URN:oncegate:message:1",
        "urn:Oncegate:message:1",
        "urn:oncegate:message:%31",
        "urn:oncegate:messagе:1",
        "urn:oncegate:message:1\u{200b}",
        " urn:oncegate:message:1",
        "urn:oncegate:types:1",
        "http://www.w3.org/2000/09/xmldsig#",
    ] {
        let how = bench.before("xmlns=\"urn:oncegate:message:1\"", &format!("xmlns=\"{like}\""));
        list.add(format!("the namespace {like:?}"), &["OG-MSG-001", "OG-XML-009", "OG-SIG"], how);
    }
    for (name, declared, code) in [
        ("xml bound to another name", "xmlns:xml=\"urn:x\"", &["OG-XML-009"][..]),
        ("xmlns declared", "xmlns:xmlns=\"urn:x\"", &["OG-XML-009"]),
        ("the name of xmlns bound", "xmlns:p=\"http://www.w3.org/2000/xmlns/\"", &["OG-XML-009"]),
        ("the name of xml bound", "xmlns:p=\"http://www.w3.org/XML/1998/namespace\"", &["OG-XML-009"]),
        ("a prefix undeclared", "xmlns:p=\"\"", &["OG-XML-009"]),
        ("a prefix declared twice", "xmlns:p=\"urn:p\" xmlns:p=\"urn:p\"", &["OG-XML-009"]),
        ("the default declared twice", "xmlns=\"urn:p\" xmlns=\"urn:p\"", &["OG-XML-009"]),
        ("an attribute with no prefix declared", "p:a=\"\"", &["OG-XML-009"]),
        ("one attribute by two prefixes", "xmlns:p=\"urn:p\" xmlns:q=\"urn:p\" p:a=\"\" q:a=\"\"", &["OG-XML-002"]),
        ("a relative name", "xmlns:p=\"../x\"", &["OG-XML-009"]),
        ("a name without a scheme", "xmlns:p=\"//x/y\"", &["OG-XML-009"]),
        ("a name with a space", "xmlns:p=\"urn:a b\"", &["OG-XML-009"]),
        ("a name with an ampersand", "xmlns:p=\"urn:a&amp;b\"", &["OG-XML-009"]),
        ("a name in brackets", "xmlns:p=\"http://[::1]/\"", &["OG-XML-009"]),
        ("a port too long", "xmlns:p=\"http://a:123456/\"", &["OG-XML-009"]),
        ("letters beyond ASCII", "xmlns:p=\"urn:ж\"", &["OG-XML-009"]),
        ("an attribute of another namespace", "xmlns:p=\"urn:p\" p:version=\"1\"", &["OG-MSG-001"]),
        ("xml:id", "xml:id=\"a\"", &["OG-MSG-001"]),
        ("xml:space", "xml:space=\"preserve\"", &["OG-MSG-001"]),
        ("an Id", "Id=\"a\"", &["OG-MSG-001"]),
        ("an id", "id=\"a\"", &["OG-MSG-001"]),
        ("a wsu:Id", "xmlns:wsu=\"urn:wsu\" wsu:Id=\"a\"", &["OG-MSG-001"]),
        ("xsi:type", "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"Other\"", &["OG-MSG-001"]),
        (
            "xsi:type with a foreign prefix",
            "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns:q=\"urn:q\" xsi:type=\"q:T\"",
            &["OG-XML-011"],
        ),
        ("xsi:nil", "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:nil=\"true\"", &["OG-MSG-001"]),
    ] {
        list.add(name, code, bench.before("<Header>", &format!("<Header {declared}>")));
    }
    for name in ["Header", "Context", "Body", "From", "Purpose", "Subject"] {
        let markup = bench.markup();
        let part = element(&markup, name);
        let twin = part.replacen(&format!("<{name}"), &format!("<{name} xmlns=\"urn:x\""), 1);
        for (place, text) in [("before", format!("{twin}{part}")), ("behind", format!("{part}{twin}")), ("instead", twin.clone())]
        {
            let changed = markup.replacen(&part, &text, 1);
            list.add(format!("a foreign {name} {place}"), &["OG-MSG-001"], How::Message(bench.sign(&changed).into_bytes()));
        }
    }
    list.attacks
}

pub fn inside_text(bench: &Bench<'_>) -> Vec<Attack> {
    let mut list = List::new("text");
    for leaf in
        ["MessageId", "Kind", "From", "CreatedAt", "ExpiresAt", "Purpose", "LegalBasis", "t:Family", "t:Given", "DocumentType"]
    {
        let markup = bench.markup();
        let part = element(&markup, leaf);
        let value = part.split_once('>').and_then(|(_, rest)| rest.rsplit_once('<')).map_or("", |(value, _)| value).to_owned();
        let middle = value.char_indices().nth(1).map_or(0, |(at, _)| at);
        let (head, tail) = value.split_at(middle);
        for (name, code, put) in [
            ("comment", &["OG-XML-005"], "<!---->".to_owned()),
            ("instruction", &["OG-XML-004"], "<?p?>".to_owned()),
            ("CDATA section", &["OG-XML-006"], "<![CDATA[]]>".to_owned()),
        ] {
            for (when, how) in [
                ("signed", How::Message(bench.sign(&replaced_leaf(&markup, leaf, &format!("{head}{put}{tail}"))).into_bytes())),
                ("put in", How::Message(replaced_leaf(&bench.sign(&markup), leaf, &format!("{head}{put}{tail}")).into_bytes())),
            ] {
                list.add(format!("a {name} in {leaf}, {when}"), code, how);
            }
        }
        let child = How::Message(bench.sign(&replaced_leaf(&markup, leaf, &format!("{head}<b></b>{tail}"))).into_bytes());
        list.add(format!("an element in {leaf}"), &["OG-MSG-001"], child);
    }
    for leaf in ["DigestValue", "SignatureValue", "X509Certificate"] {
        for (name, code, put) in [
            ("comment", "OG-XML-005", "<!---->"),
            ("instruction", "OG-XML-004", "<?p?>"),
            ("CDATA section", "OG-XML-006", "<![CDATA[]]>"),
        ] {
            let codes: &'static [&'static str] = match code {
                "OG-XML-005" => &["OG-XML-005"],
                "OG-XML-004" => &["OG-XML-004"],
                _ => &["OG-XML-006"],
            };
            list.add(format!("a {name} in {leaf}"), codes, bench.after(&format!("<{leaf}>"), &format!("<{leaf}>{put}")));
        }
        list.add(
            format!("an element in {leaf}"),
            &["OG-SIG-002"],
            bench.after(&format!("<{leaf}>"), &format!("<{leaf}><a></a>")),
        );
        list.add(
            format!("letters that are not base64 in {leaf}"),
            &["OG-SIG-002"],
            bench.after(&format!("<{leaf}>"), &format!("<{leaf}>*")),
        );
        list.add(format!("{leaf} empty"), &["OG-SIG-002", "OG-SIG-006"], emptied(bench, leaf));
    }
    list.attacks
}

fn emptied(bench: &Bench<'_>, leaf: &str) -> How {
    How::Message(replaced_leaf(&bench.signed(), leaf, "").into_bytes())
}
