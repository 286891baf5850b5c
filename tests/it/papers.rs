//! Documents of agencies that never heard of Oncegate, end to end: their own schemas, a gateway as a process, and holders that
//! sign with xmlsec1, without a line of our code.
//!
//! The sets of real agencies belong to others and lie beside the package, if at all; small ones of the same kinds are here.

use crate::folder::Folder;
use crate::others::given;
use crate::peers::post;
use crate::process::{LONG, Process, oncegate};
use crate::tool::{Program, free_port, request, root, said};
use oncegate::base::ids::{AgencyId, Code, Identifier};
use oncegate::faces::client::{Client, ClientError};
use oncegate::host::schemas::sets::{Judging, Sets};
use oncegate::message::envelope::{Ask, Body, Context, Described, Person, Personal, Subject, World};
use oncegate::message::schema::FieldPath;
use oncegate::program::setup::{Installation, Listening, NewAgency, NewGrant};
use oncegate::rules::registry::About;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

const CONSUMER: &str = "xx.town.heirs-office";
const PURPOSE: &str = "inheritance";
const BASIS: &str = "XX:INHERITANCE:3";

/// A document of somebody's, who holds it, and what the consumer is granted of it.
struct Paper {
    /// Its set.
    set: &'static str,
    documents: String,
    /// Its name, and the files that xmllint holds its documents against, one of which must do.
    what: &'static str,
    schemas: &'static [&'static str],
    holder: &'static str,
    about: About,
    fields: &'static [&'static str],
}

/// A question, the document that its holder has, and the codes of the refusal, if it is one.
struct Case {
    says: &'static str,
    of: Option<&'static str>,
    about: Subject,
    select: &'static [&'static str],
    document: String,
    expected: Option<&'static str>,
}

/// Answers about somebody else, with a field withheld, of a version that has ended; questions that no answer could fit.
const ELSE: Option<&str> = Some("OG-RTE-004");
const WITHHELD: Option<&str> = Some("OG-POL-012");
const ENDED: Option<&str> = Some("OG-RTE-003 OG-DOC-004");
const NOWHERE: Option<&str> = Some("OG-POL-011");
const NOBODY: Option<&str> = Some("OG-POL-001");

fn case(says: &'static str, about: &Subject, document: &str, expected: Option<&'static str>) -> Case {
    Case { says, of: None, about: about.clone(), select: &[], document: document.to_owned(), expected }
}

impl Case {
    fn of(self, role: &'static str) -> Self {
        Self { of: Some(role), ..self }
    }

    fn select(self, select: &'static [&'static str]) -> Self {
        Self { select, ..self }
    }
}

fn company(ogrn: &str) -> Subject {
    let id = Identifier::parse("RU-OGRN", ogrn).expect("an identifier");
    Subject { identifiers: vec![id], described: Described::Organisation(None) }
}

fn known_by(scheme: &str, value: &str) -> Subject {
    Subject::from(vec![Identifier::parse(scheme, value).expect("an identifier")])
}

fn named(family: &str, given: &str, born: &str) -> Subject {
    let personal = |text: &str| Some(Personal::new(text));
    let described = Person { family: personal(family), given: personal(given), birth_date: personal(born) };
    Subject { identifiers: Vec::new(), described: Described::Person(described) }
}

/// An office with a gateway that runs, one agency that asks, and for each paper one that answers.
struct Office {
    sets: Sets,
    runtime: tokio::runtime::Runtime,
    consumer: Client,
    url: String,
    installation: Installation,
    _holders: Vec<Program>,
    _gateway: Process,
    folder: Folder,
}

impl Office {
    /// The sets lie in the folder already, without their `documents.toml`.
    fn open(folder: Folder, papers: &[Paper]) -> Self {
        let office = folder.path().join("office");
        let port = free_port();
        let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let listening = Listening { exchange: at(port), public: at(free_port()), ..Listening::default() };
        let installation = Installation::create(&office, &listening).expect("an installation");
        let url = format!("https://localhost:{port}");
        let schemas = office.join("schemas");
        for paper in papers {
            let target = schemas.join(paper.set);
            fs::rename(folder.path().join(paper.set), &target).expect("a set");
            fs::write(target.join("documents.toml"), &paper.documents).expect("writable");
        }
        let sets = Sets::load(Some(&schemas), &Judging::Compiled, None).expect("a folder of sets");
        assert!(sets.bad().is_empty(), "{:?}", sets.bad());
        let add = |id: &str, url: Option<&str>, holds: &[&str], gateway: &str| {
            let id = AgencyId::parse(id).expect("a name");
            let agency = NewAgency { id: &id, name: "An office", url, holds, more: "" };
            installation.add_agency(&agency, gateway).expect("an agency")
        };
        let consumer = add(CONSUMER, None, &[], &url);
        let mut holders = Vec::new();
        for paper in papers {
            let port = free_port();
            let holder = add(paper.holder, Some(&format!("https://localhost:{port}/")), &[paper.what], &url);
            let grant = NewGrant {
                id: &format!("{}-for-heirs", paper.what),
                who: CONSUMER,
                action: "read",
                what: paper.what,
                about: paper.about,
                fields: paper.fields,
                purpose: PURPOSE,
                basis: BASIS,
                until: "2099-12-31",
            };
            installation.add_grant(&grant).expect("a grant");
            let mut script = Command::new(root().join("tests/peers/papers.sh"));
            script.arg(&holder).arg(paper.holder).arg(port.to_string()).arg(answer(folder.path(), paper));
            holders.push(Program::start(script, port));
        }
        let gateway = Process::run(&installation.config()).unwrap_or_else(|(status, said)| panic!("{status}: {said}"));
        let consumer = Client::load(&consumer).expect("a client");
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        Self { sets, runtime, consumer, url, installation, _holders: holders, _gateway: gateway, folder }
    }

    /// Asks all questions of a paper; documents that are not as xmllint wants them would show nothing.
    fn ask(&self, paper: &Paper, cases: &[Case]) {
        for case in cases {
            self.has(paper, &case.document);
            assert_eq!(self.asked(paper, case).as_deref(), case.expected, "{}: {}", paper.what, case.says);
        }
    }

    /// Puts a document into the holder's hands.
    fn has(&self, paper: &Paper, document: &str) {
        let file = answer(self.folder.path(), paper);
        fs::write(&file, document).expect("writable");
        let fits = |schema: &&&str| {
            let schema = self.installation.folder().join("schemas").join(paper.set).join(schema);
            let judged = Command::new("xmllint").args(["--nonet", "--noout", "--schema"]).arg(schema).arg(&file).output();
            judged.expect("xmllint starts").status.success()
        };
        assert!(paper.schemas.iter().any(|schema| fits(&schema)), "xmllint refuses {document}");
    }

    fn asked(&self, paper: &Paper, case: &Case) -> Option<String> {
        let code = |text: &str| Code::parse(text).expect("a code");
        let select = case.select.iter().map(|path| FieldPath::parse(path).expect("a path")).collect();
        let ask = Ask { document_type: code(paper.what), of: case.of.map(code), select, during: None };
        let context = Context::new(code(PURPOSE), BASIS, case.about.clone());
        let request = self.consumer.request(ask, context, None, World::Live).expect("signed");
        match self.runtime.block_on(self.consumer.exchange(&request, LONG, self.sets.schemas())) {
            Ok(checked) => {
                assert!(
                    matches!(&checked.message.body, Body::Documents(found) if found.len() == 1 && found.iter().all(Result::is_ok))
                );
                None
            }
            Err(ClientError::Refused(problem)) => {
                let cause = problem.detail.split([' ', ':', ';']).next().filter(|word| word.starts_with("OG-"));
                Some(cause.map_or(problem.code.clone(), |cause| format!("{} {cause}", problem.code)))
            }
            Err(other) => panic!("{}: {other}", case.says),
        }
    }

    /// A question that was made by hand too: a template, xmlsec1 and curl; gives the values of the answer.
    fn asked_by_hand(&self, paper: &Paper, subject: &str, document: &str) -> String {
        self.has(paper, document);
        let agency = self.installation.agency_folder(self.consumer.agency());
        let [message, signed, answer] = ["message", "signed", "answer"].map(|name| self.folder.path().join(name));
        let text = request(CONSUMER, "XX-OGTEST:99000000136").replace("medical-absence-note", paper.what);
        let text = text.replace("school-attendance", PURPOSE).replace("XX:HEALTH:13", BASIS);
        let (before, rest) = text.split_once("<Subject>").expect("a subject");
        let (_, after) = rest.split_once("</Subject>").expect("its end");
        fs::write(&message, format!("{before}{subject}{after}")).expect("writable");
        self.xmlsec1(&["sign".as_ref(), &agency, "sign".as_ref(), &message, &signed]);
        let status = post(&self.url, &agency, &signed, &answer);
        let text = fs::read_to_string(&answer).expect("an answer");
        assert_eq!(status, "200", "{}: {text}", paper.what);
        let verdict = self.xmlsec1(&["verify".as_ref(), &agency, &answer]);
        assert!(verdict.starts_with("valid "), "{verdict}");
        // xmlsec1 writes letters as references to characters.
        let found = roxmltree::Document::parse(&text).expect("well-formed");
        let values = |node: roxmltree::Node<'_, '_>| node.attributes().map(|found| found.value().to_owned()).collect::<Vec<_>>();
        found.descendants().flat_map(|node| node.text().map(str::to_owned).into_iter().chain(values(node))).collect()
    }

    fn xmlsec1(&self, arguments: &[&Path]) -> String {
        let output = Command::new(root().join("tests/peers/xmlsec1.sh")).args(arguments).output().expect("it starts");
        assert!(output.status.success(), "{}", said(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

/// The file with what a holder answers.
fn answer(folder: &Path, paper: &Paper) -> PathBuf {
    folder.join(format!("{}.xml", paper.what))
}

/// A document that the program makes from a set.
fn example(set: &Path, root: &str) -> String {
    let output = Command::new(oncegate()).args(["schema", "example", "--root", root]).arg(set).output().expect("it starts");
    assert!(output.status.success(), "{}", said(&output));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The same text with words in the place of others, each of which must be there.
fn with(text: &str, changes: &[(&str, &str)]) -> String {
    changes.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "no {from} in {text}");
        text.replace(from, to)
    })
}

const SBERBANK: &str = "1027700132195";
const OTHER: &str = "1037739010891";
const OF_COMPANY: &str = "<Organisation><t:Id scheme=\"RU-OGRN\">1027700132195</t:Id></Organisation>";
const SNILS: &str = "11223344595";
const OTHER_SNILS: &str = "08765430300";

/// A register of companies: attributes as fields, a choice, versions that an attribute of the root tells apart.
const COMPANIES: &str = r#"<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:x:companies" elementFormDefault="qualified">
 <xs:element name="Extract"><xs:complexType>
  <xs:choice>
   <xs:element name="Company"><xs:complexType>
    <xs:sequence>
     <xs:element name="Capital" minOccurs="0"><xs:complexType>
      <xs:attribute name="sum" type="xs:decimal" use="required"/><xs:attribute name="currency" type="xs:string"/>
     </xs:complexType></xs:element>
     <xs:element name="Director" minOccurs="0"><xs:complexType>
      <xs:attribute name="last" type="xs:string" use="required"/><xs:attribute name="inn" type="xs:string"/>
     </xs:complexType></xs:element>
    </xs:sequence>
    <xs:attribute name="ogrn" type="xs:string" use="required"/><xs:attribute name="name" type="xs:string" use="required"/>
    <xs:attribute name="short" type="xs:string"/><xs:attribute name="inn" type="xs:string"/>
   </xs:complexType></xs:element>
   <xs:element name="None" type="xs:string"/>
  </xs:choice>
  <xs:attribute name="format" type="xs:string" use="required"/>
 </xs:complexType></xs:element>
</xs:schema>"#;

fn companies() -> Paper {
    let version = |version: &str, until: &str| {
        format!(
            "[[document]]\nname = \"company-extract\"\nversion = \"{version}\"\n{until}when = {{ attribute = \"format\", is = \"{version}\" }}\n\
             file = \"companies.xsd\"\nroot = \"Extract\"\nclass = \"personal\"\ntitle = \"Extract of the register of companies\"\n\
             subject = [{{ path = \"Company\", name = \"@name\", id = [{{ path = \"@ogrn\", scheme = \"RU-OGRN\" }}] }},\n\
             {{ role = \"director\", path = \"Company/Director\", family = \"@last\", id = [{{ path = \"@inn\", scheme = \"RU-INN\" }}] }}]\n"
        )
    };
    Paper {
        set: "companies",
        documents: version("4.05", "until = \"2020-12-31\"\n")
            + &version("4.06", "until = \"2099-12-31\"\n")
            + &version("4.07", ""),
        what: "company-extract",
        schemas: &["companies.xsd"],
        holder: "xx.state.tax",
        about: About::Organisation,
        fields: &["Company/Capital", "Company/@inn"],
    }
}

fn company_cases() -> Vec<Case> {
    let extract = |inside: &str, attributes: &str| {
        format!(
            "<Extract xmlns=\"urn:x:companies\" format=\"4.06\"><Company ogrn=\"{SBERBANK}\" name=\"A\"{attributes}>{inside}</Company></Extract>"
        )
    };
    let about = company(SBERBANK);
    let (plain, capital) = (extract("", ""), extract("<Capital sum=\"5\"/>", ""));
    let in_roubles = extract("<Capital sum=\"5\" currency=\"RUB\"/>", "");
    let director = extract("<Director last=\"B\" inn=\"500100732259\"/>", "");
    vec![
        case("what is required", &about, &plain, None),
        case("a field that is granted", &about, &in_roubles, None),
        case("an attribute that is granted", &about, &extract("", " inn=\"7707083893\""), None),
        case("an attribute that is not", &about, &extract("", " short=\"a\""), WITHHELD),
        case("an element that is not", &about, &director, WITHHELD),
        case("an attribute that was not selected", &about, &in_roubles, WITHHELD).select(&["Company/Capital/@sum"]),
        case("what was selected", &about, &capital, None).select(&["Company/Capital/@sum"]),
        case("a path of nothing", &about, &capital, NOWHERE).select(&["Company/Capital/@summ"]),
        case("another company", &company(OTHER), &plain, ELSE),
        case("no company", &about, "<Extract xmlns=\"urn:x:companies\" format=\"4.06\"><None/></Extract>", WITHHELD),
        case("a version that has ended", &about, &with(&plain, &[("4.06", "4.05")]), ENDED),
        case("a company as the director", &about, &director, NOBODY).of("director"),
        case("a role that nobody has", &about, &plain, NOBODY).of("founder"),
    ]
}

/// A record of deaths: persons repeated, told apart by their roles, with names in parts, days as people write them, and signs in
/// numbers.
const DEATHS: &str = r#"<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns="urn:x:deaths" targetNamespace="urn:x:deaths" elementFormDefault="qualified">
 <xs:element name="Record"><xs:complexType><xs:sequence>
  <xs:element name="Person" type="Person" maxOccurs="9"/><xs:element name="Office" type="xs:string"/>
 </xs:sequence></xs:complexType></xs:element>
 <xs:complexType name="Person"><xs:sequence>
  <xs:element name="FullName" type="xs:string"/><xs:element name="Born"><xs:simpleType><xs:restriction base="xs:string">
   <xs:pattern value="\d\d\.\d\d\.\d{4}"/></xs:restriction></xs:simpleType></xs:element>
  <xs:element name="Number" type="xs:string" minOccurs="0"/><xs:element name="Cause" type="xs:string" minOccurs="0"/>
 </xs:sequence><xs:attribute name="role" type="xs:string" use="required"/><xs:attribute name="sex" type="xs:string"/></xs:complexType>
</xs:schema>"#;

fn deaths() -> Paper {
    let subject = |role: &str, is: &str| {
        format!(
            "{{ {role}path = \"Person\", only_if = {{ path = \"Person/@role\", is = \"{is}\" }},\n\
             family = [{{ path = \"FullName\", words = \"first\" }}], given = [{{ path = \"FullName\", words = \"all-but-first\" }}],\n\
             birth_date = {{ path = \"Born\", form = \"dd.mm.yyyy\" }}, id = [{{ path = \"Number\", scheme = \"RU-SNILS\", form = \"digits\" }}] }},\n"
        )
    };
    let subjects = ["", "role = \"deceased\", "].map(|role| subject(role, "dead")).concat();
    Paper {
        set: "deaths",
        documents: format!(
            "[[document]]\nname = \"death-record\"\nfile = \"deaths.xsd\"\nroot = \"Record\"\nclass = \"personal\"\ntitle = \"Record of a death\"\n\
             subject = [{subjects}{}]\n",
            subject("role = \"applicant\", ", "applicant")
        ),
        what: "death-record",
        schemas: &["deaths.xsd"],
        holder: "xx.state.civil-registry",
        about: About::Person,
        fields: &["Person/Number", "Person/Cause"],
    }
}

fn death() -> String {
    let person = |role: &str, name: &str, born: &str, number: &str| {
        format!("<Person role=\"{role}\"><FullName>{name}</FullName><Born>{born}</Born><Number>{number}</Number></Person>")
    };
    let applicant = person("applicant", "Иванова Мария", "02.03.1970", "087-654-303 00");
    let dead = person("dead", "Иванов  Пётр Ильич", "22.06.1941", "112-233-445 95");
    format!("<Record xmlns=\"urn:x:deaths\">{applicant}{dead}<Office>1</Office></Record>")
}

fn death_cases() -> Vec<Case> {
    let record = death();
    let (dead, applicant) = (known_by("RU-SNILS", SNILS), known_by("RU-SNILS", OTHER_SNILS));
    let unnumbered = with(&record, &[("<Number>112-233-445 95</Number>", "")]);
    let cause = with(&record, &[("<Number>112-233-445 95</Number>", "<Cause>age</Cause>")]);
    vec![
        case("by number", &dead, &record, None),
        case("in the role by name", &dead, &record, None).of("deceased"),
        case("by name and day", &named("Иванов", "Пётр Ильич", "1941-06-22"), &unnumbered, None),
        case("another day", &named("Иванов", "Пётр Ильич", "1941-06-23"), &unnumbered, ELSE),
        case("the name of the applicant", &named("Иванова", "Мария", "1970-03-02"), &unnumbered, ELSE),
        case("the number of the applicant", &applicant, &record, ELSE),
        case("the applicant", &applicant, &record, None).of("applicant"),
        case("the dead as the applicant", &dead, &record, ELSE).of("applicant"),
        case("a role that nobody has", &dead, &record, NOBODY).of("widow"),
        case("a company", &company(SBERBANK), &record, NOBODY),
        case("a field that is granted", &named("Иванов", "Пётр Ильич", "1941-06-22"), &cause, None),
        case("one that was not selected", &named("Иванов", "Пётр Ильич", "1941-06-22"), &cause, WITHHELD)
            .select(&["Person/Number"]),
        case("an attribute that is not granted", &dead, &with(&record, &[("\"dead\"", "\"dead\" sex=\"m\"")]), WITHHELD),
    ]
}

/// An evidence of birth without a namespace.
const BIRTHS: &str = r#"<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">
 <xs:element name="Evidence"><xs:complexType><xs:sequence>
  <xs:element name="Child"><xs:complexType><xs:sequence>
   <xs:element name="Year" type="xs:gYear"/><xs:element name="Month" type="xs:string"/><xs:element name="Day" type="xs:string"/>
   <xs:element name="GivenName" type="xs:string" maxOccurs="3"/><xs:element name="FamilyName" type="xs:string"/>
  </xs:sequence><xs:attribute name="weight" type="xs:integer"/></xs:complexType></xs:element>
 </xs:sequence></xs:complexType></xs:element>
</xs:schema>"#;

fn births() -> Paper {
    Paper {
        set: "births",
        documents: "[[document]]\nname = \"birth-evidence\"\nfile = \"births.xsd\"\nroot = \"Evidence\"\nclass = \"personal\"\ntitle = \"Evidence of a birth\"\n\
             subject = [{ path = \"Child\", family = \"FamilyName\", given = \"GivenName\", birth_date = { year = \"Year\", month = \"Month\", day = \"Day\" } }]\n"
            .to_owned(),
        what: "birth-evidence",
        schemas: &["births.xsd"],
        holder: "yy.registry.births",
        about: About::Person,
        fields: &[],
    }
}

fn birth_cases() -> Vec<Case> {
    let evidence = "<Evidence xmlns=\"\"><Child><Year>2015</Year><Month>09</Month><Day>01</Day><GivenName>Ana</GivenName>\
                    <GivenName>María</GivenName><FamilyName>Ruiz</FamilyName></Child></Evidence>";
    let child = named("Ruiz", "Ana María", "2015-09-01");
    vec![
        case("by name and day", &child, evidence, None),
        case("another child", &named("Ruiz", "Ana", "2015-09-01"), evidence, ELSE),
        case(
            "an attribute of the child that nobody is granted",
            &child,
            &with(evidence, &[("<Child>", "<Child weight=\"3100\">")]),
            WITHHELD,
        ),
        case("a path of nothing", &child, evidence, NOWHERE).select(&["Child/Height"]),
    ]
}

#[test]
fn papers_of_the_kinds_that_agencies_have_go_from_one_to_another() {
    let folder = Folder::new();
    for (file, text) in [("companies/companies.xsd", COMPANIES), ("deaths/deaths.xsd", DEATHS), ("births/births.xsd", BIRTHS)] {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().expect("a folder")).expect("writable");
        fs::write(path, text).expect("writable");
    }
    let papers = [companies(), deaths(), births()];
    let office = Office::open(folder, &papers);
    for (paper, cases) in papers.iter().zip([company_cases(), death_cases(), birth_cases()]) {
        office.ask(paper, &cases);
    }
    let [companies, deaths, _] = &papers;
    let snils = format!(
        "<Subject><t:Id scheme=\"RU-SNILS\">{SNILS}</t:Id><t:Name><t:FamilyAbsent>withheld</t:FamilyAbsent><t:GivenAbsent>withheld</t:GivenAbsent></t:Name></Subject>"
    );
    assert!(office.asked_by_hand(deaths, &snils, &death()).contains("Иванов  Пётр Ильич"));
    let extract = &company_cases()[0].document;
    assert!(office.asked_by_hand(companies, OF_COMPANY, extract).contains(SBERBANK));
}

/// A register that changes its form gives both for as long as the old one is taken, and everybody gets over in their own time.
#[test]
fn two_versions_of_a_schema_are_served_side_by_side_until_a_day() {
    let folder = Folder::new();
    fs::create_dir(folder.path().join("companies")).expect("writable");
    fs::write(folder.path().join("companies/companies.xsd"), COMPANIES).expect("writable");
    let paper = companies();
    let office = Office::open(folder, std::slice::from_ref(&paper));
    let (about, plain) = (company(SBERBANK), company_cases().swap_remove(0).document);
    let of = |version: &str| with(&plain, &[("4.06", version)]);
    office.ask(
        &paper,
        &[
            case("the version before, whose day is to come", &about, &plain, None),
            case("the new one beside it", &about, &of("4.07"), None),
            case("the one before the two, whose day has passed", &about, &of("4.05"), ENDED),
            case("one that nobody has said anything of", &about, &of("4.08"), Some("OG-RTE-003 OG-DOC-001")),
        ],
    );
}

/// The extract of a company of the Russian tax service; of an earlier version the namespace differs.
fn egrul() -> Paper {
    let version = |version: &str, until: &str| {
        format!(
            "[[document]]\nname = \"egrul\"\nversion = \"{version}\"\n{until}file = \"{version}/fns-vipul-tosmv-ru.xsd\"\nroot = \"FNSVipULResponse\"\n\
             class = \"personal\"\ntitle = \"Extract of the register of companies\"\nsubject = [{{ path = \"СвЮЛ\", kind = \"organisation\",\n\
             name = \"СвНаимЮЛ/@НаимЮЛПолн\", id = [{{ path = \"@ОГРН\", scheme = \"RU-OGRN\" }}, {{ path = \"@ИНН\", scheme = \"RU-INN\" }}] }}]\n"
        )
    };
    Paper {
        set: "fns-egrul-smev3",
        documents: version("4.0.4", "until = \"2020-12-31\"\n") + &version("4.0.5", ""),
        what: "egrul",
        schemas: &["4.0.4/fns-vipul-tosmv-ru.xsd", "4.0.5/fns-vipul-tosmv-ru.xsd"],
        holder: "ru.fns",
        about: About::Organisation,
        fields: &["СвЮЛ/СвУстКап", "СвЮЛ/СвОбрЮЛ/@РегНом"],
    }
}

const EGRUL: &str = "<FNSVipULResponse xmlns=\"urn://x-artefacts-fns-vipul-tosmv-ru/311-14/4.0.5\" \
    xmlns:n=\"urn://x-artefacts-fns/vipul-types/4.0.5\" ИдДок=\"7\"><СвЮЛ ДатаВып=\"2024-05-17\" ОГРН=\"1027700132195\" \
    ДатаОГРН=\"2002-08-16\" ИНН=\"7707083893\"><СвНаимЮЛ НаимЮЛПолн=\"ПАО ПРИМЕР\">\
    ЗАПИСЬ</СвНаимЮЛ><СвАдресЮЛ><АдресРФ КодРегион=\"77\"><n:Регион ТипРегион=\"Г\" НаимРегион=\"МОСКВА\"/>\
    <n:ГРНДата ДатаЗаписи=\"2024-05-17\"/></АдресРФ></СвАдресЮЛ><СвОбрЮЛ ОГРН=\"1027700132195\" \
    ДатаОГРН=\"2002-08-16\" РегНом=\"005\"><СпОбрЮЛ КодСпОбрЮЛ=\"01\"/>ЗАПИСЬ</СвОбрЮЛ><СвРегОрг КодНО=\"7746\" НаимНО=\"МИФНС 46\">ЗАПИСЬ\
    </СвРегОрг><СвУстКап НаимВидКап=\"УСТАВНЫЙ КАПИТАЛ\" СумКап=\"67760844000\">ЗАПИСЬ</СвУстКап><СвЗапЕГРЮЛ ИдЗап=\"1\" \
    ДатаЗап=\"2024-05-17\"><ВидЗап КодСПВЗ=\"11101\" НаимВидЗап=\"X\"/><СвРегОрг КодНО=\"7746\" \
    НаимНО=\"МИФНС 46\"/></СвЗапЕГРЮЛ></СвЮЛ></FNSVipULResponse>";

fn egrul_cases() -> Vec<Case> {
    let whole = with(EGRUL, &[("ЗАПИСЬ", "<ГРНДата ДатаЗаписи=\"2024-05-17\"/>")]);
    let bare = with(&whole, &[(" РегНом=\"005\"", "")]);
    let short = with(&whole, &[("НаимЮЛПолн=\"ПАО ПРИМЕР\"", "НаимЮЛПолн=\"ПАО ПРИМЕР\" НаимЮЛСокр=\"ПРИМЕР\"")]);
    let about = company(SBERBANK);
    vec![
        case("what is granted", &about, &whole, None),
        case("an attribute that is not granted", &about, &short, WITHHELD),
        case("an attribute that was not selected", &about, &whole, WITHHELD).select(&["СвЮЛ/СвУстКап"]),
        case("what was selected", &about, &bare, None).select(&["СвЮЛ/СвУстКап"]),
        case("what was selected by a pattern", &about, &bare, None).select(&["СвЮЛ/СвУстКап/*", "СвЮЛ/СвУстКап/@*"]),
        case("a path of nothing", &about, &bare, NOWHERE).select(&["СвЮЛ/СвУстКап/@СумКапп"]),
        case("another company", &company(OTHER), &bare, ELSE),
        case("a version that has ended", &about, &with(&bare, &[("4.0.5", "4.0.4")]), ENDED),
        case("a person", &known_by("RU-INN", "500100732259"), &bare, NOBODY),
    ]
}

/// The record of a death of the Russian civil registry.
fn fatal() -> Paper {
    Paper {
        set: "zags-fatal",
        documents: "[[document]]\nname = \"zags-fatal\"\nfile = \"zags-fataloiv-ru-root.xsd\"\nroot = \"FATALOIVRequest\"\nclass = \"personal\"\n\
             title = \"Record of a death\"\nsubject = [\n{ path = \"СведРегСмертОИВ/ПрдСведРег/СведУмер\", family = \"ФИОУмер/Фамилия\", \
             given = [\"ФИОУмер/Имя\", \"ФИОУмер/Отчество\"], birth_date = \"ДатаРождКаленд\" },\n\
             { role = \"applicant\", path = \"СведРегСмертОИВ/СведЗаявительФЛ\", family = \"ФИОЗаявитель/Фамилия\", \
             given = [\"ФИОЗаявитель/Имя\", \"ФИОЗаявитель/Отчество\"], id = [{ path = \"УдЛичнФЛ/@СерНомДок\", form = \"digits\", \
             scheme_at = \"УдЛичнФЛ/@КодВидДок\", schemes = { 21 = \"RU-PASSPORT\" } }] },\n]\n"
            .to_owned(),
        what: "zags-fatal",
        schemas: &["zags-fataloiv-ru-root.xsd"],
        holder: "ru.zags",
        about: About::Person,
        fields: &["СведРегСмертОИВ/ПрдСведРег/СведУмер/*", "СведРегСмертОИВ/СведЗаявительФЛ"],
    }
}

fn fatal_cases(example: &str) -> Vec<Case> {
    let dead = "<n2:Фамилия>text</n2:Фамилия>\n          <n2:Имя>text</n2:Имя>\n          <n2:Отчество>text</n2:Отчество>";
    let record = with(
        example,
        &[
            (
                dead,
                &with(dead, &[("Фамилия>text", "Фамилия>Иванов"), ("Имя>text", "Имя>Пётр"), ("Отчество>text", "Отчество>Ильич")]),
            ),
            ("<ПрДатаРожд>1</ПрДатаРожд>", "<ДатаРождКаленд>1941-06-22</ДатаРождКаленд>"),
            (
                "<n2:ПрУдЛичнФЛ>1</n2:ПрУдЛичнФЛ>",
                "<n2:УдЛичнФЛ КодВидДок=\"21\" НаимДок=\"паспорт\" СерНомДок=\"45 08 123456\"/>",
            ),
        ],
    );
    let (dead, applicant) = (named("Иванов", "Пётр Ильич", "1941-06-22"), known_by("RU-PASSPORT", "4508123456"));
    let other_paper = with(&record, &[("КодВидДок=\"21\"", "КодВидДок=\"10\"")]);
    vec![
        case("by name and day", &dead, &record, None),
        case("another day", &named("Иванов", "Пётр Ильич", "1941-06-23"), &record, ELSE),
        case("the applicant", &applicant, &record, None).of("applicant"),
        case("the applicant by a paper of another kind", &applicant, &other_paper, ELSE).of("applicant"),
        case("the applicant as the dead", &applicant, &record, ELSE),
        case("a role that nobody has", &dead, &record, NOBODY).of("widow"),
        case("an attribute that is not granted", &dead, &with(&record, &[("<СведУмер>", "<СведУмер Пол=\"1\">")]), WITHHELD),
    ]
}

/// The evidence of a birth of the European project DE4A, which has no namespace.
fn evidence() -> Paper {
    Paper {
        set: "de4a-birth",
        documents: "[[document]]\nname = \"de4a-birth\"\nfile = \"BirthCertificate.xsd\"\nroot = \"BirthEvidence\"\nclass = \"personal\"\ntitle = \"Birth evidence\"\n\
             subject = [{ path = \"CerfifiedBirth/Child\", family = \"FamilyName\", given = \"GivenName\", birth_date = \"DateOfBirth\" }]\n"
            .to_owned(),
        what: "de4a-birth",
        schemas: &["BirthCertificate.xsd"],
        holder: "es.registro-civil",
        about: About::Person,
        fields: &[],
    }
}

fn evidence_cases(example: &str) -> Vec<Case> {
    let parts = [
        ("<BirthEvidence>", "<BirthEvidence xmlns=\"\">"),
        ("<DateOfBirth>text", "<DateOfBirth>2015-09-01"),
        ("<GivenName>text", "<GivenName>Ana María"),
        ("<FamilyName>text", "<FamilyName>Ruiz"),
    ];
    let evidence = with(example, &parts);
    vec![
        case("by name and day", &named("Ruiz", "Ana María", "2015-09-01"), &evidence, None),
        case("another child", &named("Ruiz", "Ana", "2015-09-01"), &evidence, ELSE),
        case("a path of nothing", &named("Ruiz", "Ana María", "2015-09-01"), &evidence, NOWHERE)
            .select(&["CertifiedBirth/Child"]),
    ]
}

#[test]
fn papers_of_real_agencies_go_from_one_to_another() {
    let Some(folder) = given("schemas/schema-sets-given.tar.xz") else { return };
    // The version before: the same files under the names that it had.
    let set = folder.path().join("fns-egrul-smev3");
    for version in ["4.0.4", "4.0.5"] {
        fs::create_dir_all(set.join(version).join("commons")).expect("writable");
        for file in ["fns-vipul-tosmv-ru.xsd", "commons/fns-vipul-types.xsd"] {
            let text = fs::read_to_string(set.join(file)).expect("readable").replace("4.0.5", version);
            fs::write(set.join(version).join(file), text).expect("writable");
        }
    }
    fs::remove_dir_all(set.join("commons")).expect("removable");
    fs::remove_file(set.join("fns-vipul-tosmv-ru.xsd")).expect("removable");
    let [deaths, births] = [("zags-fatal", "FATALOIVRequest"), ("de4a-birth", "BirthEvidence")]
        .map(|(set, root)| example(&folder.path().join(set), root));
    let papers = [egrul(), fatal(), evidence()];
    let office = Office::open(folder, &papers);
    for (paper, cases) in papers.iter().zip([egrul_cases(), fatal_cases(&deaths), evidence_cases(&births)]) {
        office.ask(paper, &cases);
    }
    let whole = &egrul_cases()[0].document;
    assert!(office.asked_by_hand(&papers[0], OF_COMPANY, whole).contains("ПАО ПРИМЕР"));
}
