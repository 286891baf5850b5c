//! Questions about organisations, and about things: what a gateway lets through, and what it holds answers against.

use crate::folder::Folder;
use crate::process::{Process, Scene, oncegate};
use crate::suspicions::{Answering, client, clinic_at};
use oncegate::base::ids::{AgencyId, Code, Identifier};
use oncegate::faces::client::{Client, ClientError};
use oncegate::host::config::Config;
use oncegate::host::schemas::sets::{Judging, Sets};
use oncegate::host::transport::full;
use oncegate::message::envelope::{Ask, Body, Context, Described, Kind, Message, Personal, ReplyTo, Subject, World};
use oncegate::message::schema::FieldPath;
use oncegate::program::setup::{Installation, NewAgency, NewGrant};
use oncegate::rules::registry::About;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

const SILENT: &str = "records = \"off\"\n";
const CLINIC: &str = "xx.demo.clinic-3";
const FUND: &str = "xx.demo.social-fund";
const COURT: &str = "xx.demo.auditor";
const PORTAL: &str = "xx.demo.portal";
const PURPOSE: &str = "tender";
const BASIS: &str = "XX:TENDER:1";

const EXTRACT: &str = r#"<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:oncegate:types:1"
 targetNamespace="urn:x:company" elementFormDefault="qualified">
 <xs:import namespace="urn:oncegate:types:1" schemaLocation="types-1.xsd"/>
 <xs:element name="Extract"><xs:complexType><xs:sequence>
  <xs:element name="Company" type="t:Organisation"/>
  <xs:element name="Capital" type="xs:integer" minOccurs="0"/>
  <xs:element name="Office" minOccurs="0" maxOccurs="9"><xs:complexType><xs:sequence>
   <xs:element name="Town" type="xs:string"/><xs:element name="Phone" type="xs:string" minOccurs="0"/>
  </xs:sequence><xs:attribute name="since" type="xs:date"/></xs:complexType></xs:element>
 </xs:sequence></xs:complexType></xs:element>
 <xs:element name="Roll"><xs:complexType><xs:sequence><xs:element name="Member" type="t:Organisation" maxOccurs="9"/></xs:sequence></xs:complexType></xs:element>
 <xs:element name="Permit"><xs:complexType><xs:sequence><xs:element name="Number" type="xs:string"/></xs:sequence></xs:complexType></xs:element>
</xs:schema>"#;

const DOCUMENTS: &str = r#"
[[document]]
name = "company-extract"
file = "company-extract-1.xsd"
root = "Extract"
class = "personal"
title = "Extract of the register of companies"
subject = [{ path = "Company", kind = "organisation" }]

[[document]]
name = "building-permit"
file = "company-extract-1.xsd"
root = "Permit"
class = "personal"
title = "Permit to build"

[[document]]
name = "roll"
file = "company-extract-1.xsd"
root = "Roll"
class = "personal"
title = "Roll of members"
subject = [{ path = "Member" }, { role = "member", path = "Member", several = true }]
"#;

/// Writes the set of the register of companies into a folder of sets.
fn write_set(schemas: &Path) {
    let folder = schemas.join("companies");
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join("company-extract-1.xsd"), EXTRACT).expect("writable");
    fs::write(folder.join("documents.toml"), DOCUMENTS).expect("writable");
}

/// The gateway's documents and those of the set.
fn sets(schemas: &Path) -> Sets {
    let sets = Sets::load(Some(schemas), &Judging::of_this_program(), None).expect("a folder of sets");
    assert!(sets.bad().is_empty(), "{:?}", sets.bad());
    sets
}

/// Puts the schemas in place, and what the registry says of their documents.
fn prepare(installation: &Installation) {
    write_set(&installation.folder().join("schemas"));
    let has_schemas = |text: &str| text.lines().any(|line| line.starts_with("schemas = "));
    edit(&installation.config(), |text| {
        if has_schemas(&text) { text } else { text.replacen("format = 1\n", "format = 1\nschemas = \"schemas\"\n", 1) }
    });
    let holder = |what: &str| format!("\n[[holder]]\ndocument = \"{what}\"\nagency = \"{CLINIC}\"\n");
    edit(&installation.folder().join("registry.toml"), |text| {
        text + &holder("company-extract") + &holder("building-permit") + &holder("roll")
    });
    installation.sign().expect("signed");
    let gateway = format!("https://{}", Config::load(&installation.config()).expect("a configuration").exchange.listen);
    let id = AgencyId::parse(PORTAL).expect("a name");
    let portal = NewAgency { id: &id, name: "A portal", url: None, holds: &[], more: "roles = [\"portal\"]\n" };
    installation.add_agency(&portal, &gateway).expect("added");
    for (id, what, about, fields) in [
        ("fund-reads-companies", "company-extract", About::Organisation, &["*/@since"][..]),
        ("fund-reads-permits", "building-permit", About::Thing, &[]),
        ("fund-reads-rolls", "roll", About::Organisation, &[]),
    ] {
        let grant =
            NewGrant { id, who: FUND, action: "read", what, about, fields, purpose: PURPOSE, basis: BASIS, until: "2099-12-31" };
        installation.add_grant(&grant).unwrap_or_else(|error| panic!("{id}: {error}"));
    }
}

fn edit(file: &Path, change: impl FnOnce(String) -> String) {
    let text = fs::read_to_string(file).expect("readable");
    fs::write(file, change(text)).expect("writable");
}

fn code(text: &str) -> Code {
    Code::parse(text).expect("a code")
}

fn office(identifiers: &[(&str, &str)], name: Option<&str>) -> Subject {
    let identifiers = identifiers.iter().map(|(scheme, value)| Identifier::parse(scheme, value).expect("an identifier"));
    Subject { identifiers: identifiers.collect(), described: Described::Organisation(name.map(Personal::new)) }
}

fn extract(identifiers: &[(&str, &str)], name: &str, more: &str) -> String {
    let ids: String = identifiers.iter().map(|(scheme, value)| format!("<t:Id scheme=\"{scheme}\">{value}</t:Id>")).collect();
    let name = if name.is_empty() { String::new() } else { format!("<t:Name>{name}</t:Name>") };
    format!(
        "<Extract xmlns=\"urn:x:company\"><Company>{}{}</Company>{more}</Extract>",
        ids.replace("<t:Id ", "<t:Id xmlns:t=\"urn:oncegate:types:1\" "),
        name.replace("<t:Name>", "<t:Name xmlns:t=\"urn:oncegate:types:1\">")
    )
}

/// A world whose clinic answers with the document that it is told.
struct Offices {
    scene: Scene,
    document: Arc<Mutex<String>>,
    sets: Sets,
    fund: Client,
    _gateway: Process,
}

impl Offices {
    fn open() -> Self {
        let scene = Scene::prepared_without_clinic(SILENT, &prepare);
        let document = Arc::<Mutex<String>>::default();
        let said = Arc::clone(&document);
        let manner = move |client: Arc<Client>, reply: ReplyTo, asked: Message| -> Answering {
            let document = said.lock().expect("nobody panics").clone();
            let answer = Message {
                header: client.header(Kind::Answer, Some(asked.header.from), Some(reply), World::Live).expect("a header"),
                context: None,
                body: Body::Documents(Vec::new()),
                attachments: Vec::new(),
            };
            let signed = client.sign(&answer, &document).expect("signed");
            Box::pin(std::future::ready(Some(hyper::Response::new(full(signed.octets)))))
        };
        let address = scene.world().provider_address(CLINIC).expect("a holder");
        clinic_at(&scene, address, Arc::new(manner));
        let sets = sets(&scene.world().installation().folder().join("schemas"));
        let (gateway, fund) = (scene.start(), client(&scene, FUND));
        Self { scene, document, sets, fund, _gateway: gateway }
    }

    /// The code with which a question is refused that gets this document as its answer.
    fn asked(&self, what: &str, about: &Subject, select: &[&str], document: &str) -> Option<String> {
        self.asked_of(None, what, about, select, document)
    }

    fn asked_of(&self, of: Option<&str>, what: &str, about: &Subject, select: &[&str], document: &str) -> Option<String> {
        document.clone_into(&mut self.document.lock().expect("nobody panics"));
        let select = select.iter().map(|path| FieldPath::parse(path).expect("a path")).collect();
        let ask = Ask { document_type: code(what), of: of.map(code), select, during: None };
        let context = Context::new(code(PURPOSE), BASIS, about.clone());
        let request = self.fund.request(ask, context, None, World::Live).expect("signed");
        let exchanged = self.fund.exchange(&request, crate::process::LONG, self.sets.schemas());
        match self.scene.block_on(exchanged) {
            Ok(checked) => {
                assert!(matches!(&checked.message.body, Body::Documents(found) if found.iter().all(Result::is_ok)));
                None
            }
            Err(ClientError::Refused(problem)) => Some(problem.code),
            Err(other) => panic!("{other}"),
        }
    }
}

const OGRN: (&str, &str) = ("RU-OGRN", "1027700132195");
const OTHER_OGRN: (&str, &str) = ("RU-OGRN", "1037739010891");
const NUMBER: (&str, &str) = ("YY-NUMBER", "17");
const OTHER_NUMBER: (&str, &str) = ("YY-NUMBER", "18");

#[test]
fn an_answer_is_about_the_organisation_asked_about_by_its_identifiers_alone() {
    let offices = Offices::open();
    let wrong = Some("OG-RTE-004");
    for (name, asked, described, expected) in [
        ("the same identifier", office(&[OGRN], None), extract(&[OGRN], "A", ""), None),
        ("the same identifier and another name", office(&[OGRN], Some("B")), extract(&[OGRN], "A", ""), None),
        ("another organisation", office(&[OGRN], None), extract(&[OTHER_OGRN], "", ""), wrong),
        ("another organisation of one name", office(&[OGRN], Some("A")), extract(&[NUMBER], "A", ""), wrong),
        ("one the same, one of another scheme", office(&[OGRN], None), extract(&[NUMBER, OGRN], "A", ""), None),
        ("one the same, one other", office(&[OGRN, NUMBER], None), extract(&[OGRN, OTHER_NUMBER], "A", ""), wrong),
    ] {
        let said = offices.asked("company-extract", &asked, &[], &described);
        assert_eq!(said.as_deref(), expected, "{name}");
    }
    let person = Subject::from(office(&[OGRN], None).identifiers);
    assert_eq!(offices.asked("company-extract", &person, &[], &extract(&[OGRN], "", "")).as_deref(), Some("OG-POL-001"));
    // Whoever looks for an organisation finds who asked about it, as with a person.
    let query = serde_json::json!({ "person": "RU-OGRN|1027700132195", "kind": "req", "reason": "audit 7" });
    let court = client(&offices.scene, COURT);
    let found = court.post_to("/v1/log/search", "application/json", query.to_string().into_bytes());
    let found = offices.scene.block_on(found).expect("a response");
    let page: serde_json::Value = serde_json::from_slice(&found.body).expect("JSON");
    assert_eq!(page["entries"].as_array().map(Vec::len), Some(6), "{page}");
}

#[test]
fn what_a_grant_gives_by_a_pattern_is_released_and_nothing_beside_it() {
    let offices = Offices::open();
    let asked = office(&[OGRN], None);
    let town = "<Office><Town>X</Town></Office>";
    let since = "<Office since=\"2020-01-01\"><Town>X</Town></Office>";
    let phone = "<Office><Town>X</Town><Phone>1</Phone></Office>";
    let withheld = Some("OG-POL-012");
    for (select, more, expected) in [
        (&[][..], town, None),
        (&[], since, None),
        (&[], phone, withheld),
        (&[], "<Capital>1</Capital>", withheld),
        (&["Office/@since"], since, None),
        (&["Office/@*"], since, None),
        (&["*/@since"], since, None),
        (&["Office"], "", Some("OG-POL-011")),
        (&["Office/*"], "", Some("OG-POL-011")),
        (&["Capital"], "", Some("OG-POL-011")),
        (&["**"], "", Some("OG-POL-011")),
        // What is required there comes with what is granted, and what is nowhere is refused before anybody is asked.
        (&["Office/Town"], town, None),
        (&["Office/Town"], since, withheld),
        (&["Office/Street"], town, Some("OG-POL-011")),
    ] {
        let said = offices.asked("company-extract", &asked, select, &extract(&[OGRN], "", more));
        assert_eq!(said.as_deref(), expected, "{select:?} {more}");
    }
}

#[test]
fn the_commands_ask_about_an_organisation_and_say_who_is_given_what() {
    let offices = Offices::open();
    let office = "<Office since=\"2020-01-01\"><Town>X</Town></Office><Office since=\"2021-01-01\"><Town>Y</Town></Office>";
    extract(&[OGRN], "A", office).clone_into(&mut offices.document.lock().expect("nobody panics"));
    let run = |arguments: &[&str]| {
        let output = Command::new(oncegate()).args(arguments).output().expect("it starts");
        let text = |octets: &[u8]| String::from_utf8(octets.to_vec()).expect("UTF-8");
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let fund = offices.scene.world().agency_folder(FUND);
    let ask =
        ["ask", "company-extract", "--of", "RU-OGRN:1027700132195", "--for", PURPOSE, "--as", fund.to_str().expect("UTF-8")];
    let (status, said, told) = run(&[&ask[..], &["--organisation"]].concat());
    assert_eq!(status, Some(0), "{said}{told}");
    let rows: Vec<Vec<&str>> = said.lines().map(|line| line.split_whitespace().collect()).collect();
    for row in [
        ["Company/Id/@scheme", "RU-OGRN"],
        ["Office/@since", "2020-01-01"],
        ["Office[2]/@since", "2021-01-01"],
        ["Office[2]/Town", "Y"],
    ] {
        assert!(rows.contains(&row.to_vec()), "{row:?}: {said}");
    }
    let (status, said, _) = run(&[&ask[..], &["--organisation", "--json"]].concat());
    let fields = serde_json::from_str::<serde_json::Value>(&said).expect("JSON")["fields"].clone();
    let last = serde_json::json!({ "path": "Office/Town", "place": "Office[2]/Town", "value": "Y" });
    assert_eq!((status, fields.as_array().and_then(|fields| fields.last())), (Some(0), Some(&last)));
    // Whoever it is about finds who asked, by its identifier.
    let portal = offices.scene.world().agency_folder(PORTAL);
    let trail = ["log", "trail", "--of", "RU-OGRN:1027700132195", "--as", portal.to_str().expect("UTF-8")];
    let (status, said, told) = run(&trail);
    assert!(status == Some(0) && said.contains("company-extract") && said.contains(PURPOSE), "{said}{told}");
    let (status, said, _) = run(&[&trail[..3], &["RU-OGRN:1037739010891"], &trail[4..]].concat());
    assert!(status == Some(0) && !said.contains("company-extract"), "{said}");
    // Without it the question is about a person, and the grant is not.
    let (status, _, told) = run(&ask);
    assert!(status == Some(3) && told.contains("OG-POL-001"), "{told}");

    let config = offices.scene.config();
    let config = config.to_str().expect("UTF-8");
    let (status, said, _) = run(&["schema", "fields", "company-extract", "-c", config]);
    let rows: Vec<Vec<&str>> = said.lines().map(|line| line.split_whitespace().collect()).collect();
    let expected = [
        ["Capital", "nobody"],
        ["Office", "(fund-reads-companies)"],
        ["Office/@since", "fund-reads-companies"],
        ["Office/Phone", "nobody"],
    ];
    assert_eq!(status, Some(0));
    assert!(expected.iter().all(|row| rows.contains(&row.to_vec())), "{said}");
    let (status, said, _) =
        run(&["schema", "fields", "company-extract", "-c", config, "--grant", "fund-reads-companies", "--json"]);
    let first: serde_json::Value = serde_json::from_str(said.lines().next().expect("a line")).expect("JSON");
    assert_eq!((status, first["format"].as_u64(), first["released"].is_array()), (Some(0), Some(1), true), "{said}");
    for (arguments, expected) in [
        (["company-extract", "--grant", "fund-reads-company"], "did you mean fund-reads-companies?"),
        (["company-extrakt", "--grant", "x"], "did you mean company-extract?"),
    ] {
        let (status, _, told) = run(&[&["schema", "fields", "-c", config][..], &arguments[..]].concat());
        assert!(status == Some(2) && told.contains(expected), "{told}");
    }
}

#[test]
fn of_a_thing_no_subject_is_held_against_the_question() {
    let offices = Offices::open();
    let permit = "<Permit xmlns=\"urn:x:company\"><Number>7</Number></Permit>";
    for who in [office(&[OGRN], None), Subject::from(vec![Identifier::synthetic(7)])] {
        assert_eq!(offices.asked("building-permit", &who, &[], permit), None);
    }
    assert_eq!(
        offices.asked("building-permit", &office(&[OGRN], None), &[], &extract(&[OGRN], "", "")).as_deref(),
        Some("OG-RTE-003")
    );
}

/// Whoever is asked about is not the pretext for others: a list of many is about each of them only where its type says so.
#[test]
fn a_document_about_others_besides_is_about_somebody_else() {
    let offices = Offices::open();
    let roll = |members: &[(&str, &str)]| {
        let member = |(scheme, value): &(&str, &str)| {
            format!("<Member><t:Id xmlns:t=\"urn:oncegate:types:1\" scheme=\"{scheme}\">{value}</t:Id></Member>")
        };
        format!("<Roll xmlns=\"urn:x:company\">{}</Roll>", members.iter().map(member).collect::<String>())
    };
    let (who, wrong) = (office(&[OGRN], None), Some("OG-RTE-004"));
    for (of, members, expected) in [
        (None, &[OGRN][..], None),
        (None, &[OGRN, OGRN], None),
        (None, &[OGRN, OTHER_OGRN], wrong),
        (None, &[OTHER_OGRN], wrong),
        (Some("member"), &[OGRN, OTHER_OGRN], None),
        (Some("member"), &[OTHER_OGRN], wrong),
    ] {
        assert_eq!(offices.asked_of(of, "roll", &who, &[], &roll(members)).as_deref(), expected, "{of:?} {members:?}");
    }
}

#[test]
fn a_grant_is_about_what_its_document_is_about() {
    use oncegate::rules::registry::Registry;
    let folder = Folder::new();
    write_set(folder.path());
    let sets = sets(folder.path());
    let said = |what: &str, more: &str| {
        let text = format!(
            "format = 1\nversion = 1\n[[agency]]\nid = \"xx.a\"\nname = \"A\"\n[[grant]]\nid = \"g\"\nwho = \"xx.a\"\nwhat = \"{what}\"\n\
             purpose = \"p\"\nbasis = \"b\"\nuntil = \"2030-12-31\"\n{more}\n"
        );
        Registry::check(&text, sets.schemas()).err().map(|error| error.what)
    };
    for (what, about, is_good) in [
        ("birth-certificate", "", true),
        ("birth-certificate", "person", true),
        ("birth-certificate", "organisation", false),
        ("birth-certificate", "thing", false),
        ("company-extract", "", false),
        ("company-extract", "organisation", true),
        ("company-extract", "thing", false),
        ("building-permit", "", false),
        ("building-permit", "thing", true),
        ("building-permit", "Thing", false),
    ] {
        let more = if about.is_empty() { String::new() } else { format!("about = \"{about}\"") };
        let said = said(what, &more);
        assert_eq!(said.is_none(), is_good, "{what} {about}: {said:?}");
        if let Some(said) = said {
            assert!(
                said.contains("about = ") && (said.contains("write about = \"") || said.contains("it is \"person\"")),
                "{said}"
            );
        }
    }
    for (field, expected) in [
        ("Capital", None),
        ("Office/**", None),
        ("*/@since", None),
        ("**", None),
        ("Office/*", None),
        ("Capitol", Some("did you mean \"Capital\"?")),
        ("Office/Town", None),
        ("*/Town", None),
        ("Company/@*", Some("nothing optional of company-extract is at \"Company/@*\"; oncegate schema fields company-extract")),
        ("Office/", Some("is not the path of a field: names of elements")),
    ] {
        let said = said("company-extract", &format!("about = \"organisation\"\nfields = [\"{field}\"]"));
        match expected {
            None => assert_eq!(said, None, "{field}"),
            Some(expected) => assert!(said.as_ref().is_some_and(|said| said.contains(expected)), "{field}: {said:?}"),
        }
    }
}
