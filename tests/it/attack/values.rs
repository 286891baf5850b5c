//! Attacks by what the message says: values that break out of a line, a log or a path, times, senders, receivers.

use super::SECRET;
use super::bench::{Attack, Bench, FUND, How, List, SCHOOL, element};
use oncegate::base::ids::MessageId;
use oncegate::gateway::driver::now;
use oncegate::message::envelope::{Message, write};

const FORM: &[&str] = &["OG-MSG-002"];

/// What nobody's log, terminal, path or query should be given.
const HOSTILE: &[(&str, &str)] = &[
    ("a line break", "a&#13;&#10;level=error fake"),
    ("a new record", "a&#10;{\"kind\":\"answer\"}"),
    ("an escape of C1", "a&#155;31m"),
    ("right-to-left", "a\u{202e}nimda"),
    ("an isolate", "a\u{2066}b"),
    ("a zero width space", "a\u{200b}b"),
    ("a soft hyphen", "a\u{ad}b"),
    ("full width", "\u{ff41}\u{ff42}"),
    ("a Cyrillic letter", "\u{430}bc"),
    ("a lookup", "${jndi:ldap://127.0.0.1/a}"),
    ("a template", "{{7*7}}"),
    ("a path", "../../etc/passwd"),
    ("an encoded path", "..%2f..%2fetc%2fpasswd"),
    ("a query of SQL", "a' OR '1'='1"),
    ("markup", "&lt;script&gt;alert(1)&lt;/script&gt;"),
    ("a format", "%s%n%x"),
    ("a wildcard", "*"),
    ("an empty text", ""),
    ("a space inside", "a b"),
];

#[expect(clippy::too_many_lines, reason = "a table of attacks")]
pub fn forms(bench: &Bench<'_>) -> Vec<Attack> {
    let mut list = List::new("value");
    for (name, value) in HOSTILE {
        for leaf in ["MessageId", "Kind", "From", "CreatedAt", "Purpose", "DocumentType"] {
            list.add(format!("{name} in {leaf}"), FORM, bench.with_leaf(leaf, value));
        }
        for (leaf, before) in [
            ("To", "<CreatedAt>"),
            ("Case", "</Context>"),
            ("Region", "</Context>"),
            ("Trace", "</Context>"),
            ("SignerCertificate", "</Header>"),
        ] {
            let how = bench.before(before, &format!("<{leaf}>{value}</{leaf}>{before}"));
            list.add(format!("{name} in {leaf}"), FORM, how);
        }
    }
    list.add("a secret as a purpose that is not granted", &["OG-POL-002"], bench.with_leaf("Purpose", "another-purpose"));
    list.add("a secret as the legal basis", &["OG-POL-003"], bench.with_leaf("LegalBasis", SECRET));
    list.add("a secret as the kind", FORM, bench.with_leaf("Kind", SECRET));
    list.add(
        "right-to-left in the legal basis",
        &["OG-POL-003", "OG-MSG-002"],
        bench.with_leaf("LegalBasis", "XX\u{202e}:HEALTH:13"),
    );
    list.add("the legal basis in another case", &["OG-POL-003"], bench.with_leaf("LegalBasis", "xx:health:13"));
    list.add(
        "five legal bases",
        &["OG-MSG-001"],
        bench.before("<LegalBasis>", &format!("{}<LegalBasis>", "<LegalBasis>x</LegalBasis>".repeat(4))),
    );
    list.add("a legal basis of 201 letters", FORM, bench.with_leaf("LegalBasis", &"x".repeat(201)));
    for like in [
        "XX.DEMO.SCHOOL-17",
        "xx.demo.School-17",
        "xx.demo.school-17.",
        ".xx.demo.school-17",
        "xx..demo.school-17",
        "xx.demo.sch\u{43e}ol-17",
        "xx.demo.school\u{2010}17",
        "xx.demo.school-\u{661}7",
        "\u{ff58}x.demo.school-17",
        "xx.demo.school_17",
        "xx.demo.school-17\u{200d}",
    ] {
        list.add(format!("the sender {like:?}"), FORM, bench.with_leaf("From", like));
    }
    for like in
        ["xx.demo.school-1", "xx.demo.school-170", "xx.demo.schoo1-17", "xx.demo", "xx.demo.school-17.a", "yy.demo.school-17"]
    {
        list.add(format!("the sender {like:?}"), &["OG-SIG-004"], bench.with_leaf("From", like));
    }
    for id in [
        "00000000-0000-0000-0000-000000000000",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
        "01990a5d-ac96-474b-8cce-b302099a8057",
        "01990a5d-ac96-774b-0cce-b302099a8057",
        "01990A5D-AC96-774B-8CCE-B302099A8057",
        "{01990a5d-ac96-774b-8cce-b302099a8057}",
        "urn:uuid:01990a5d-ac96-774b-8cce-b302099a8057",
        "01990a5dac96774b8cceb302099a8057",
        "01990a5d-ac96-774b-8cce-b302099a805",
        "01990a5d-ac96-774b-8cce-b302099a80577",
        "1",
        "-1",
        "99999999999999999999",
    ] {
        list.add(format!("the id {id}"), FORM, bench.with_leaf("MessageId", id));
    }
    for number in [
        "99000000135",
        "9900000013",
        "990000001360",
        "99 000000136",
        "-9900000136",
        "99000000136\u{200b}",
        "\u{669}9000000136",
        "' OR 1=1",
        "",
    ] {
        let markup = bench.markup();
        let part = element(&markup, "t:Id");
        let (tag, _) = part.split_once('>').expect("a tag");
        let changed = markup.replacen(&part, &format!("{tag}>{number}</t:Id>"), 1);
        let how = How::Message(bench.sign(&changed).into_bytes());
        list.add(format!("the identifier {number:?}"), &["OG-DOC-021", "OG-MSG-002"], how);
    }
    for scheme in ["", "xx-ogtest", "../XX", "XX-OGTEST X", "RU-SNILS"] {
        let markup = bench.markup();
        let how =
            How::Message(bench.sign(&markup.replacen("scheme=\"XX-OGTEST\"", &format!("scheme=\"{scheme}\""), 1)).into_bytes());
        list.add(format!("the scheme {scheme:?}"), &["OG-DOC-021", "OG-MSG-002"], how);
    }
    for path in [
        "../Absence",
        "/Absence",
        "//Absence",
        "Absence/..",
        "Absence[1]",
        "*",
        "**",
        "*/**",
        "@x",
        "@x/y",
        "@",
        "a:b",
        "**/Absence",
        "Diagnosis",
        "",
    ] {
        let how = bench.before("</Ask>", &format!("<Select><Path>{path}</Path></Select></Ask>"));
        list.add(format!("the path {path:?}"), &["OG-POL-011", "OG-MSG-002"], how);
    }
    list.attacks
}

fn edited(bench: &Bench<'_>, edit: impl Fn(&mut Message)) -> How {
    let mut message = bench.message();
    edit(&mut message);
    How::Message(bench.sign(&write(&message, "")).into_bytes())
}

pub fn times(bench: &Bench<'_>) -> Vec<Attack> {
    let mut list = List::new("time");
    for text in [
        "2026-03-04T05:12:09",
        "2026-03-04T05:12:09+00:00",
        "2026-03-04T05:12:09+03:00",
        "2026-03-04T05:12:60Z",
        "2026-03-04T24:00:00Z",
        "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "99999-01-01T00:00:00Z",
        "-2026-03-04T05:12:09Z",
        "2026-03-04 05:12:09Z",
        "2026-03-04t05:12:09z",
        "2026-03-04T05:12:09.Z",
        "2026-03-04T05:12:09.1234567Z",
        "20260304T051209Z",
        "2026-03-04T5:12:09Z",
        "1772601129",
        "now",
        "\u{662}026-03-04T05:12:09Z",
    ] {
        for leaf in ["CreatedAt", "ExpiresAt"] {
            list.add(format!("{leaf} {text}"), FORM, bench.with_leaf(leaf, text));
        }
    }
    let long = format!("2026-03-04T05:12:09.{}Z", "1".repeat(400));
    list.add("400 decimals", FORM, bench.with_leaf("CreatedAt", &long));
    for (name, minutes, is_past) in [
        ("ten minutes ago", 10, true),
        ("in ten minutes", 10, false),
        ("a year ago", 525_600, true),
        ("in a year", 525_600, false),
    ] {
        let moved = if is_past { now().minus_ms(minutes * 60_000) } else { now().plus_ms(minutes * 60_000) };
        let how = edited(bench, |message| {
            message.header.created_at = moved;
            message.header.expires_at = moved.plus_ms(60_000);
            message.header.id = MessageId::new(moved, [7; 10]);
        });
        list.add(format!("made {name}"), &["OG-MSG-013", "OG-MSG-011"], how);
    }
    let how = edited(bench, |message| message.header.id = MessageId::new(now().plus_ms(600_000), [8; 10]));
    list.add("an id of the future", &["OG-MSG-011"], how);
    let how = edited(bench, |message| message.header.expires_at = message.header.created_at);
    list.add("no life", &["OG-MSG-012"], how);
    let how = edited(bench, |message| message.header.expires_at = message.header.created_at.minus_ms(1));
    list.add("dead before it is born", &["OG-MSG-012"], how);
    let how = edited(bench, |message| message.header.expires_at = message.header.created_at.plus_ms(86_400_001));
    list.add("valid for too long", &["OG-MSG-012"], how);
    list.attacks
}

/// Whoever speaks for another.
pub fn deputies(bench: &Bench<'_>) -> Vec<Attack> {
    let mut list = List::new("deputy");
    let by_fund = bench.fund.sign_markup(&bench.markup()).expect("signed");
    list.add("the fund signs the school's message, and brings it", &["OG-SIG-004"], How::By(FUND, by_fund.clone()));
    list.add("the fund signs it, the school brings it", &["OG-SIG-006"], How::Message(by_fund));
    list.add("the fund brings what the school signed", &["OG-SIG-004"], How::By(FUND, bench.signed().into_bytes()));
    let of_fund = write(&bench.message_of(&bench.fund), "");
    list.add("the school signs in the fund's name", &["OG-SIG-004"], How::Message(bench.sign(&of_fund).into_bytes()));
    let theirs = bench.fund.sign_markup(&of_fund).expect("signed");
    list.add("the school brings what the fund signed", &["OG-SIG-004"], How::Message(theirs));
    list.add(
        "the fund asks by the school's grant",
        &["OG-POL"],
        How::By(FUND, bench.fund.sign_markup(&of_fund).expect("signed")),
    );
    for name in ["xx.demo.clinic-3", "xx.demo.hasty"] {
        list.add(format!("{name} brings what the school signed"), &["OG-SIG-004"], How::By(name, bench.signed().into_bytes()));
    }
    list.add("a stranger brings it", &["OG-TLS-001"], How::By("xx.demo.stranger", bench.signed().into_bytes()));
    list.add("a suspended agency brings it", &["OG-TLS-002"], How::By("xx.demo.suspended", bench.signed().into_bytes()));
    for name in ["xx.demo.old-key", "xx.demo.lost-key"] {
        let client = bench.world.demo().client(name).expect("an agency");
        let own = client.sign_markup(&write(&bench.message_of(&client), "")).expect("signed");
        list.add(format!("{name} with its own key"), &["OG-SIG-007", "OG-SIG-008"], How::By(name, own));
    }
    let clinic = bench.world.demo().client("xx.demo.clinic-3").expect("an agency");
    let answer = clinic.sign_markup(&write(&bench.message_of(&clinic), "").replacen(">request<", ">answer<", 1)).expect("signed");
    list.add("an answer to no question", &["OG-MSG-016"], How::By("xx.demo.clinic-3", answer));
    for kind in ["event", "cancel"] {
        list.add(format!("the kind {kind}"), &["OG-MSG-001"], bench.with_leaf("Kind", kind));
    }
    for kind in ["answer", "status", "fault"] {
        list.add(format!("the kind {kind}"), &["OG-MSG-016"], bench.with_leaf("Kind", kind));
    }
    list.add("a test message of a live agency", &["OG-MSG-019"], bench.before("</Header>", "<Test>true</Test></Header>"));
    list.add("without a context", &["OG-MSG-004"], edited(bench, |message| message.context = None));
    list.add(
        "a digest of another certificate",
        &["OG-SIG-010"],
        edited(bench, |m| m.header.signer_certificate = Some(oncegate::message::crypto::sha256(b"x"))),
    );
    list.attacks
}

/// Receivers that nobody should be led to.
pub fn receivers(bench: &Bench<'_>) -> Vec<Attack> {
    let mut list = List::new("receiver");
    let port = bench.canary;
    let to = |value: &str| bench.before("<CreatedAt>", &format!("<To>{value}</To><CreatedAt>"));
    for value in [
        format!("http://127.0.0.1:{port}/"),
        format!("https://localhost:{port}/"),
        "127.0.0.1".to_owned(),
        "[::1]".to_owned(),
        "169.254.169.254".to_owned(),
        "localhost".to_owned(),
        "file:///etc/passwd".to_owned(),
        "0x7f000001".to_owned(),
        "2130706433".to_owned(),
        "xx.demo.clinic-3@127.0.0.1".to_owned(),
        "xx.demo.clinic-3:443".to_owned(),
        "xx.demo.clinic-3/".to_owned(),
        "//xx.demo.clinic-3".to_owned(),
        "unix:/run/x".to_owned(),
    ] {
        list.add(format!("to {value}"), FORM, to(&value));
    }
    for value in [SCHOOL, FUND, "xx.demo.maternity", "xx.demo.nobody", "xx.demo.suspended", "xx.localhost", "xx.127.0.0.1"] {
        list.add(format!("to {value}"), &["OG-RTE-001"], to(value));
    }
    list.add(
        "to two",
        &["OG-MSG-001"],
        bench.before("<CreatedAt>", "<To>xx.demo.clinic-3</To><To>xx.demo.clinic-9</To><CreatedAt>"),
    );
    list.attacks
}
