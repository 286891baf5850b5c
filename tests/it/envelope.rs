//! The grammar of the envelope in code against the same grammar as a schema: xmllint is the judge.

use crate::folder::Folder;
use oncegate::message::envelope::EnvelopeReader;
use oncegate::message::schema::{FieldPath, Schemas};
use oncegate::message::xml::{Profile, scan};
use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

const PERSON: &str = "<Subject><t:Id scheme=\"XX-OGTEST\">99000000136</t:Id><t:Name><t:Family>A</t:Family><t:Given>B</t:Given></t:Name>\
                      <t:Sex>female</t:Sex><t:BirthDate>2015-09</t:BirthDate><t:BirthPlace><t:Country>RU</t:Country><t:Text>x</t:Text>\
                      </t:BirthPlace><t:Citizenship>RU</t:Citizenship></Subject>";

const OFFICE: &str = "<Organisation><t:Id scheme=\"RU-OGRN\">1027700132195</t:Id><t:Id scheme=\"XX-OGTEST\">99000000136</t:Id>\
                      <t:Name>An office</t:Name></Organisation>";

fn message(kind: &str, more: &str, context: &str, body: &str, after: &str) -> String {
    format!(
        "<Message xmlns=\"urn:oncegate:message:1\" xmlns:t=\"urn:oncegate:types:1\" version=\"1\"><Header>\
         <MessageId>01990a5d-ac96-774b-8cce-b302099a8057</MessageId>{more}<Kind>{kind}</Kind><From>xx.a</From><To>xx.b</To>\
         <CreatedAt>2026-03-04T05:12:09Z</CreatedAt><ExpiresAt>2026-03-04T05:17:09.123Z</ExpiresAt><Test>false</Test></Header>\
         {context}<Body>{body}</Body>{after}</Message>"
    )
}

/// One good message for each shape of body.
fn good() -> Vec<String> {
    let context = format!(
        "<Context><Purpose>p</Purpose><LegalBasis>L 1</LegalBasis><LegalBasis>L 2</LegalBasis><Consent>01990a5c-0000-7000-8000-000000000001</Consent>\
         {PERSON}<Official><Id scheme=\"XX-OGTEST\">99000000245</Id><Role>clerk</Role></Official><OnBehalfOf>xx.c</OnBehalfOf>\
         <Case>01990a5c-0000-7000-8000-000000000001</Case><Situation>s</Situation><SituationVersion>3</SituationVersion><Step>t</Step>\
         <Region>RU-YAR</Region><Trace>00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01</Trace></Context>"
    );
    let reply = format!("<InReplyTo sha256=\"{}\">01990a5d-ac96-774b-8cce-b302099a8057</InReplyTo>", "0".repeat(64));
    let office = context.replace(PERSON, OFFICE);
    let ask = "<Ask><DocumentType>d</DocumentType><Of>child</Of><Select><Path>A</Path><Path>A/*/@Ю</Path></Select>\
               <During><t:From>2026-01-01</t:From><t:To>2026-01-02</t:To></During></Ask>";
    let part = format!(
        "<Attachments><Attachment id=\"a\" name=\"n.pdf\" mediaType=\"application/pdf\" size=\"1\" sha256=\"{}\"></Attachment></Attachments>",
        "0".repeat(64)
    );
    vec![
        message("request", "", &context, ask, ""),
        message("request", "", &context, ask, &part),
        message("request", "", &office, "<Ask><DocumentType>d</DocumentType></Ask>", ""),
        message("answer", &reply, "", "<NoRecord><DocumentType>d</DocumentType><Searched>all</Searched></NoRecord>", ""),
        message(
            "answer",
            &reply,
            "",
            "<Documents><Attached id=\"a\" documentType=\"d\"></Attached></Documents>",
            &part.replace("application/pdf", "application/xml"),
        ),
        message("answer", &reply, "", "<Later><By>2026-03-04T05:12:09Z</By><Reason>busy</Reason></Later>", ""),
        message("status", &reply, "", "<State><Of>s</Of><At>2026-03-04T05:12:09Z</At><Text>x</Text></State>", ""),
        message(
            "fault",
            &reply,
            "",
            "<Fault><Code>OG-HTTP-001</Code><Blame>sender</Blame><Retry>later</Retry><RetryAfterSeconds>5</RetryAfterSeconds>\
             <Where>w</Where><Text>t</Text><Help>urn:h</Help></Fault>",
            "",
        ),
    ]
}

/// What each leaf has for another value.
const VALUES: [&str; 22] = [
    " ",
    "x y",
    "2026-02-30",
    "1",
    "\u{416}",
    "xx.a",
    "RU",
    "request",
    "99000000136",
    "2026-03-04T05:12:09Z",
    "2026-03-04T24:00:00Z",
    "urn:a b",
    " A/*/@b\n",
    "@\u{416}",
    "**",
    "A/*/**",
    "A/**/B",
    "A/@b/C",
    "A//B",
    "a:b/C",
    "A/@*",
    "A*",
];

/// Each element left out, given twice, emptied, renamed; each leaf with another value.
fn mutants(message: &str) -> Vec<String> {
    let mut found = BTreeSet::new();
    for (start, _) in message.match_indices('<').filter(|(at, _)| !message[*at..].starts_with("</")) {
        let tag = message[start + 1..].split([' ', '>']).next().expect("a tag").to_owned();
        if tag == "Message" {
            continue;
        }
        let close = format!("</{tag}>");
        let end = start + message[start..].find(&close).expect("it ends") + close.len();
        let (before, element, after) = (&message[..start], &message[start..end], &message[end..]);
        let open = &element[..=element.find('>').expect("it opens")];
        found.insert(format!("{before}{after}"));
        found.insert(format!("{before}{element}{element}{after}"));
        found.insert(format!("{before}{open}{close}{after}"));
        found.insert(format!("{before}{}{after}", element.replace(&tag, "Other")));
        found.insert(format!("{before}<Other/>{element}{after}"));
        for value in VALUES {
            found.insert(format!("{before}{open}{value}{close}{after}"));
        }
        if let Some((name, _)) = open.split_once('=') {
            found.insert(format!("{before}{}{after}", element.replacen(name.rsplit(' ').next().expect("a name"), "wrong", 1)));
        }
        // Blanks around the value of each attribute, and inside.
        for (at, _) in open.match_indices("=\"") {
            let (name, value) = open.split_at(at + 2);
            let (value, more) = value.split_once('"').expect("it is quoted");
            let (first, rest) = value.split_at(1);
            let blanks =
                [format!(" {value}"), format!("{value}\n "), format!("\t{value} "), format!("{first} {rest}"), String::new()];
            let long = "a".repeat(201);
            let others = ["-0", "+1", "007", "9007199254740991", "9007199254740992", "A b", "x/y", "x/", "/y", "x/y/z", "-x/y"];
            let more_others = [
                "text/plain; charset=utf-8",
                "text/plain;",
                "text/plain  ;a",
                "a/b+xml",
                "\u{c9}",
                &long[..64],
                &long[..65],
                &long[..200],
                &long,
            ];
            for value in blanks.into_iter().chain(others.into_iter().chain(more_others).map(str::to_owned)) {
                found.insert(format!("{before}{name}{value}\"{more}{}{after}", &element[open.len()..]));
            }
        }
        if tag == "Test" {
            let thumbprint = "A".repeat(43) + "=";
            let (first, rest) = thumbprint.split_at(20);
            for value in [thumbprint.clone(), format!("\n{thumbprint} "), format!("{first}\n{rest}"), format!("{first} {rest}")] {
                found.insert(format!("{before}{element}<SignerCertificate>{value}</SignerCertificate>{after}"));
            }
        }
    }
    found.into_iter().collect()
}

fn ours(schemas: &Schemas, message: &str) -> Result<(), String> {
    let mut reader = EnvelopeReader::new(schemas);
    scan(message.as_bytes(), Profile::Message, &mut reader).map_err(|error| format!("{error:?}"))?;
    reader.into_message().map(|_| ()).map_err(|fault| fault.to_string())
}

/// What is beyond XML Schema: versions of UUIDs, check digits, which attachment is a document.
fn is_beyond_schema(verdict: &Result<(), String>, message: &str) -> bool {
    if matches!(verdict, Err(error) if error.contains("Attached names no attachment")) {
        return true;
    }
    let is_id = matches!(verdict, Err(error) if error.contains("MessageId") || error.contains("InReplyTo") || error.contains("DocCheckDigit"));
    is_id && message.contains("774b")
}

#[test]
fn the_code_and_the_schema_agree_on_the_envelope() {
    let (folder, schemas) = (Folder::new(), Schemas::built_in());
    for name in ["message-1.xsd", "types-1.xsd"] {
        fs::write(folder.path().join(name), schemas.file(name).expect("a schema")).expect("writable");
    }
    let good = good();
    let messages: Vec<String> = good.iter().cloned().chain(good.iter().flat_map(|message| mutants(message))).collect();
    for (number, message) in messages.iter().enumerate() {
        fs::write(folder.path().join(format!("{number:05}.xml")), message).expect("writable");
    }
    let mut disagreements = Vec::new();
    let (mut accepted, mut refused) = (0, 0);
    let numbers: Vec<usize> = (0..messages.len()).collect();
    for batch in numbers.chunks(500) {
        let mut xmllint = Command::new("xmllint");
        xmllint.current_dir(folder.path()).args(["--noout", "--schema", "message-1.xsd"]);
        let output = xmllint.args(batch.iter().map(|number| format!("{number:05}.xml"))).output().expect("xmllint is installed");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        for number in batch {
            let is_valid = said.contains(&format!("{number:05}.xml validates"));
            let verdict = ours(&schemas, &messages[*number]);
            if verdict.is_ok() {
                accepted += 1
            } else {
                refused += 1
            }
            if verdict.is_ok() != is_valid && !is_beyond_schema(&verdict, &messages[*number]) {
                disagreements.push(format!("xmllint {is_valid}, ours {verdict:?}: {}", messages[*number]));
            }
        }
    }
    println!("{accepted} accepted, {refused} refused, by both");
    assert!(good.iter().all(|message| ours(&schemas, message).is_ok()) && accepted > good.len() && refused > 500);
    assert!(disagreements.is_empty(), "{}:\n{}", disagreements.len(), disagreements[..disagreements.len().min(12)].join("\n"));
}

#[test]
fn a_path_is_of_one_form_for_the_code_and_the_schema() {
    let (folder, schemas) = (Folder::new(), Schemas::built_in());
    for name in ["message-1.xsd", "types-1.xsd"] {
        fs::write(folder.path().join(name), schemas.file(name).expect("a schema")).expect("writable");
    }
    let most = oncegate::base::limits::FIELD_PATH_CHARS_MAX;
    let steps = [
        "A",
        "b-c.d_e",
        "\u{421}\u{432}\u{42e}\u{41b}",
        "\u{4e2d}\u{6587}",
        "*",
        "@a",
        "@*",
        "**",
        "1",
        "-a",
        "a b",
        "",
        "@",
        "A*",
        "@@a",
        "a:b",
        "_",
    ];
    let paths = steps.iter().flat_map(|first| steps.iter().map(move |last| format!("{first}/{last}")));
    let long =
        [most, most + 1].into_iter().flat_map(|count| ["\u{42f}".repeat(count), "A/".repeat(count / 2) + &"B".repeat(count % 2)]);
    let paths: Vec<String> = paths.chain(steps.iter().map(|step| (*step).to_owned())).chain(long).collect();
    for (number, path) in paths.iter().enumerate() {
        let asked = good().swap_remove(0).replacen("<Path>A</Path>", &format!("<Path>{path}</Path>"), 1);
        fs::write(folder.path().join(format!("{number:04}.xml")), asked).expect("writable");
    }
    let mut xmllint = Command::new("xmllint");
    xmllint.current_dir(folder.path()).args(["--noout", "--schema", "message-1.xsd"]);
    let output = xmllint.args((0..paths.len()).map(|number| format!("{number:04}.xml"))).output().expect("xmllint is installed");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let mut taken = 0;
    for (number, path) in paths.iter().enumerate() {
        let ours = FieldPath::parse(path).is_some();
        assert_eq!(said.contains(&format!("{number:04}.xml validates")), ours, "{path}");
        taken += usize::from(ours);
    }
    assert!(taken > 40 && paths.len() - taken > 100, "{taken} of {}", paths.len());
}

#[test]
fn what_is_written_is_read_as_it_was() {
    let schemas = Schemas::built_in();
    for text in good() {
        let mut reader = EnvelopeReader::new(&schemas);
        scan(text.as_bytes(), Profile::Message, &mut reader).expect("well-formed");
        let message = reader.into_message().expect("a message");
        let written = oncegate::message::envelope::write(&message, "");
        let mut again = EnvelopeReader::new(&schemas);
        scan(written.as_bytes(), Profile::Message, &mut again).unwrap_or_else(|error| panic!("{error:?}\n{written}"));
        assert_eq!(again.into_message().expect("a message"), message, "{written}");
    }
}

#[test]
fn a_value_without_its_form_is_told_the_form_and_no_place_is_empty() {
    let schemas = Schemas::built_in();
    let good = good().swap_remove(0);
    for (from, to, form) in [
        ("2026-03-04T05:12:09Z", "2026-03-04T05:12:09+03:00", "an instant in UTC such as 2026-03-04T05:12:09Z"),
        ("<Purpose>p<", "<Purpose>P<", "a code: 1 to 64 of a-z"),
        ("<Kind>request<", "<Kind>question<", "request, answer, event"),
    ] {
        let said = ours(&schemas, &good.replacen(from, to, 1)).expect_err("it has not its form");
        assert!(said.contains(form), "{said}");
    }
    let said = ours(&schemas, "<Other/>").expect_err("no message");
    assert!(said.contains("urn:oncegate:message:1 at byte") && !said.contains("in  at"), "{said}");
}
