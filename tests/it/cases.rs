//! Cases over real connections: a town of agencies that open no port, a gateway, and people who do not exist.

use crate::folder::Folder;
use crate::notices::{Mailbox, Receiver, status};
use crate::process::LONG;
use oncegate::base::ids::Code;
use oncegate::base::time::{Day, UnixTime};
use oncegate::faces::client::{Client, NewCase, Signed, application as case_application, problem_of};
use oncegate::host::transport::Received;
use oncegate::message::envelope::{Body, Context, Header, Kind, Message, Subject};
use oncegate::program::demo::{Asked, Manners, PORTAL, Person, Tasked, Town, TownPlan, WORKING_DAY_IN_A_SECOND, school_id};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// How long anything may take on a busy machine.
const WAIT: Duration = Duration::from_secs(20);

/// A town whose gateway runs in this process.
pub struct Scene {
    runtime: tokio::runtime::Runtime,
    town: Option<Town>,
    _folder: Folder,
}

impl Scene {
    pub fn with(plan: TownPlan, prepare: impl FnOnce(&mut Manners)) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
        let folder = Folder::new();
        let town = runtime.block_on(async {
            let mut town = Town::found(&folder.path().join("town"), plan, Town::ports().await.expect("ports")).expect("a town");
            prepare(&mut town.manners());
            town.open().await.expect("a gateway");
            town.work();
            town
        });
        Self { runtime, town: Some(town), _folder: folder }
    }

    pub fn new(prepare: impl FnOnce(&mut Manners)) -> Self {
        Self::with(TownPlan::default(), prepare)
    }

    pub fn town(&self) -> &Town {
        self.town.as_ref().expect("it is there until it is dropped")
    }

    /// Stops the gateway, and leaves its folder.
    pub fn close(&mut self) {
        self.runtime.block_on(self.town.as_mut().expect("it is there until it is dropped").close());
    }

    /// Stops the gateway, and starts it again.
    pub fn open_again(&mut self) {
        self.close();
        let opened = self.runtime.block_on(self.town.as_mut().expect("it is there until it is dropped").open());
        opened.expect("a gateway");
    }

    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    pub fn client(&self, name: &str) -> Client {
        self.town().client(name).expect("a client")
    }

    pub fn send(&self, by: &str, message: &Signed) -> Received {
        self.block_on(self.client(by).post(message.octets.clone(), "", LONG)).expect("the gateway is there")
    }

    /// The case that a message has started, as the portal or an agency sees it.
    pub fn case(&self, by: &str, id: &str) -> Value {
        let received = self.block_on(self.client(by).get(&format!("/v1/cases/{id}"))).expect("the gateway is there");
        serde_json::from_slice(&received.body).expect("JSON")
    }

    /// Waits until something is so of what the agencies have seen.
    pub fn until<T>(&self, what: &str, look: impl Fn(&Manners) -> Option<T>) -> T {
        let end = Instant::now() + WAIT;
        loop {
            if let Some(found) = look(&self.town().manners()) {
                return found;
            }
            if Instant::now() > end {
                let manners = self.town().manners();
                let asked: Vec<_> = manners.asked.iter().map(|asked| format!("{} {}", asked.kind, asked.document)).collect();
                let tasks: Vec<_> =
                    manners.tasks.iter().map(|task| format!("{} {:?} {:?}", task.kind, task.step, task.note)).collect();
                let cases: BTreeSet<String> =
                    manners.asked.iter().filter_map(|asked| Some(asked.context.as_ref()?.0.to_string())).collect();
                drop(manners);
                let cases: Vec<Value> = cases.iter().map(|id| self.case("xx.town.cases", id)).collect();
                panic!("{what}; asked: {asked:?}; tasks: {tasks:?}; {cases:#?}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The case in which a step was asked of an agency.
    pub fn case_of(&self, step: &str) -> String {
        self.until(step, |manners| {
            manners.tasks.iter().find(|task| task.step.as_deref() == Some(step)).map(|task| task.case.clone())
        })
    }

    /// Waits until a case is as it should be, as the coordinator sees it.
    pub fn becomes(&self, id: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + WAIT;
        loop {
            let case = self.case("xx.town.cases", id);
            if is_so(&case) {
                return case;
            }
            if Instant::now() > end {
                panic!("{what}: {case:#}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        if let Some(town) = self.town.take() {
            self.runtime.block_on(town.stop());
        }
    }
}

pub fn step_of<'c>(case: &'c Value, id: &str) -> &'c Value {
    case["steps"].as_array().expect("steps").iter().find(|step| step["id"] == id).unwrap_or(&Value::Null)
}

pub fn state_of(case: &Value, id: &str) -> String {
    step_of(case, id)["state"].as_str().unwrap_or("-").to_owned()
}

pub const DONE_WITHOUT_A_FORM: [&str; 6] =
    ["register-birth", "snils", "health-policy", "residence", "birth-allowance", "family-capital"];

fn born(scene: &Scene, household: u32, region: Option<&str>) -> String {
    let birth = scene.town().birth(household, region).expect("signed");
    let told = scene.send("xx.town.maternity", &birth);
    assert_eq!(told.status.as_u16(), 202, "{:?}", problem_of(&told));
    scene.case_of("register-birth")
}

fn are(case: &Value, steps: &[&str], state: &str) -> bool {
    steps.iter().all(|step| state_of(case, step) == state)
}

pub fn order(scene: &Scene, case: &str, by: &str, about: &Person, what: &str) -> Received {
    let markup = format!("<CaseOrder xmlns=\"urn:oncegate:doc:case-order:1\"><Case>{case}</Case>{what}</CaseOrder>");
    let signed = scene.town().apply(by, about, &markup).expect("signed");
    scene.send(by, &signed)
}

/// The document with which something is applied for.
pub fn applied_for(situation: &str, channel: &str, about: &Person, more: &str) -> String {
    let id = &about.identifier;
    format!(
        "<CaseApplication xmlns=\"urn:oncegate:doc:case-application:1\"><Situation>{situation}</Situation><Channel>{channel}</Channel>\
         <About><Person><t:Id xmlns:t=\"urn:oncegate:types:1\" scheme=\"{}\">{}</t:Id><t:Name xmlns:t=\"urn:oncegate:types:1\">\
         <t:Family>{}</t:Family><t:Given>{}</t:Given></t:Name></Person></About>{more}</CaseApplication>",
        id.scheme(),
        id.value(),
        about.family,
        about.given
    )
}

/// Documents that a citizen brings by way of the portal.
pub fn brought(scene: &Scene, case: &str, about: &Person, documents: &[&str]) -> Received {
    let all: String = documents.iter().map(|name| scene.town().paper(name, about).expect("a document")).collect();
    let order = format!("<CaseOrder xmlns=\"urn:oncegate:doc:case-order:1\"><Case>{case}</Case><Bring></Bring></CaseOrder>{all}");
    scene.send(PORTAL, &scene.town().apply(PORTAL, about, &order).expect("signed"))
}

/// What happened in a case, as the coordinator sees it.
fn timeline_of(scene: &Scene, id: &str) -> String {
    let received = scene.block_on(scene.client("xx.town.cases").get(&format!("/v1/cases/{id}/timeline"))).expect("there");
    String::from_utf8_lossy(&received.body).into_owned()
}

pub fn application(scene: &Scene, situation: &str, about: &Person, more: &str) -> Signed {
    scene.town().apply(PORTAL, about, &applied_for(situation, "portal", about, more)).expect("signed")
}

/// The id of the case that an application was answered with.
pub fn case_in(received: &Received) -> String {
    let text = String::from_utf8_lossy(&received.body).into_owned();
    let found = text.split_once("<Case>").and_then(|(_, rest)| rest.split_once("</Case>")).map(|(id, _)| id.to_owned());
    found.unwrap_or_else(|| panic!("{} {text}", received.status))
}

/// The hospital's signed record is all that there is: six agencies do what follows, and the family is asked once.
#[test]
fn a_birth_is_followed_by_all_that_follows_without_an_application() {
    let scene = Scene::new(|_| {});
    let id = born(&scene, 3, None);
    let case = scene.becomes(&id, "all but the form is done", |case| are(case, &DONE_WITHOUT_A_FORM, "done"));
    // Whether the child goes to a kindergarten nobody but the family can say; where the allowance is paid nobody else knows.
    let asked: Vec<&str> =
        case["form"]["ask"].as_array().expect("a list").iter().filter_map(|ask| ask["fact"].as_str()).collect();
    assert_eq!(asked, ["mother.wants_kindergarten"]);
    let brought: Vec<&str> =
        case["form"]["bring"].as_array().expect("a list").iter().filter_map(|bring| bring["document"].as_str()).collect();
    assert!(brought.len() <= 1, "{brought:?}");
    let counts = &case["counts"];
    assert!(counts["fetched"].as_u64() >= Some(6) && counts["made"].as_u64() >= Some(5), "{counts}");
    assert_eq!(counts["forms"], 1, "one form");
    let agencies: BTreeSet<&str> =
        case["steps"].as_array().expect("steps").iter().filter_map(|step| step["agency"].as_str()).collect();
    assert!(agencies.len() >= 4, "{agencies:?}");
    assert_eq!(case["contradictions"], Value::Array(Vec::new()));
}

/// Of each document the holder gets one question in a case, however many steps need it, and each names case, situation and step.
#[test]
fn asked_once_per_case() {
    let scene = Scene::new(|_| {});
    let id = born(&scene, 3, None);
    scene.becomes(&id, "all but the form is done", |case| are(case, &DONE_WITHOUT_A_FORM, "done"));
    let manners = scene.town().manners();
    let mut counts: BTreeMap<(String, Option<u32>), Vec<&Asked>> = BTreeMap::new();
    for asked in &manners.asked {
        counts.entry((asked.document.clone(), asked.about)).or_default().push(asked);
    }
    for ((document, about), asked) in &counts {
        assert_eq!(asked.len(), 1, "{document} about {about:?}");
        let (case, situation, _) = asked[0].context.as_ref().expect("it names its case");
        assert_eq!((case.to_string(), situation.as_str()), (id.clone(), "birth-of-child"));
        assert!(asked[0].behalf.is_some(), "{document} is asked for on behalf of whoever needs it");
    }
    // The certificate was made on the way, and five steps have it, octet for octet.
    let certificates: Vec<&Vec<u8>> = manners
        .tasks
        .iter()
        .flat_map(|task| &task.enclosed)
        .filter(|(name, _)| name == "birth-certificate:child")
        .map(|(_, octets)| octets)
        .collect();
    assert!(certificates.len() >= 4, "{}", certificates.len());
    assert!(certificates.iter().all(|octets| *octets == certificates[0] && !octets.is_empty()));
    assert!(manners.asked.iter().all(|asked| asked.document != "birth-certificate"), "nobody is asked for what a step has made");
}

/// Each agency gets what its step names, and nothing else.
#[test]
fn each_agency_gets_its_part_and_no_other() {
    let scene = Scene::new(|_| {});
    let id = born(&scene, 3, None);
    scene.becomes(&id, "all but the form is done", |case| are(case, &DONE_WITHOUT_A_FORM, "done"));
    let manners = scene.town().manners();
    let of = |step: &str| -> BTreeSet<String> {
        let tasks = manners.tasks.iter().filter(|task| task.what == "step" && task.step.as_deref() == Some(step));
        tasks.flat_map(|task| task.enclosed.iter().map(|(name, _)| name.clone())).collect()
    };
    let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(of("snils"), names(&["birth-certificate:child"]));
    assert_eq!(of("family-capital"), names(&["birth-certificate:child", "identity-record:mother"]));
    let policy = ["birth-certificate:child", "insurance-number:child", "identity-record:mother", "residence-record:mother"];
    assert_eq!(of("health-policy"), names(&policy));
    drop(manners);
    // It sees its own steps, and strangers see nothing.
    let own = scene.case("xx.town.tfoms", &id);
    assert_eq!(own["steps"].as_array().map(Vec::len), Some(1), "{own:#}");
    assert!(own.get("form").is_none() && own.get("documents").is_none());
    let strange = scene.case("xx.town.employer", &id);
    assert_eq!(strange["code"], "OG-CAS-001");
}

/// A holder that is away: its steps wait, the others finish, and nothing is lost when it is back.
#[test]
fn one_agency_down() {
    let scene = Scene::new(|manners| _ = manners.away.insert("tax".to_owned()));
    let id = born(&scene, 3, None);
    // Income is known to the tax service alone: the low-income allowance waits, all else goes on.
    let case = scene.becomes(&id, "the others finish", |case| are(case, &DONE_WITHOUT_A_FORM, "done"));
    assert!(matches!(state_of(&case, "unified-allowance").as_str(), "open" | "waiting"), "{case:#}");
    assert_eq!(case["state"], "open");
    scene.town().manners().away.clear();
    let asked = scene.until("the tax service is asked once it is back", |manners| {
        let asked = manners.asked.iter().filter(|asked| asked.document == "income-statement").count();
        (asked > 0).then_some(asked)
    });
    assert!(asked >= 1);
    scene.becomes(&id, "what it says is known", |case| state_of(case, "unified-allowance") != "open");
}

/// Twice the same event is one case, whatever message it comes in.
#[test]
fn the_same_event_twice_is_one_case() {
    let scene = Scene::new(|_| {});
    let town = scene.town();
    let mother = town.mother(3);
    let record = town.paper("medical-birth-record", &mother).expect("a record");
    let events = [1, 2].map(|_| town.event("xx.town.maternity", &mother, &record, None).expect("signed"));
    assert_ne!(events[0].id, events[1].id);
    for event in [&events[0], &events[1], &events[0]] {
        assert_eq!(scene.send("xx.town.maternity", event).status.as_u16(), 202);
    }
    let id = scene.case_of("register-birth");
    scene.becomes(&id, "all but the form is done", |case| are(case, &DONE_WITHOUT_A_FORM, "done"));
    scene.becomes(&id, "it was told again", |_| timeline_of(&scene, &id).contains("\"again\""));
    let cases: BTreeSet<String> = town.manners().tasks.iter().map(|task| task.case.clone()).collect();
    assert_eq!(cases, BTreeSet::from([id.clone()]));
    // Whoever tells of a birth has no part in what follows.
    assert_eq!(problem_of(&order(&scene, &id, "xx.town.maternity", &mother, "<Withdraw></Withdraw>")).code, "OG-CAS-001");
    assert_eq!(scene.case("xx.town.maternity", &id)["code"], "OG-CAS-001");
    // A second child is a second case.
    let second = town.birth(3, None).expect("signed");
    assert_eq!(scene.send("xx.town.maternity", &second).status.as_u16(), 202);
    scene.until("a second case", |manners| {
        let cases: BTreeSet<String> = manners.tasks.iter().map(|task| task.case.clone()).collect();
        (cases.len() == 2).then_some(())
    });
}

/// Whoever applies before the hospital has told of the birth has one case with it, and the birth is registered once.
#[test]
fn an_event_joins_what_was_applied_for() {
    let scene = Scene::new(|_| {});
    let mother = scene.town().mother(3);
    let id = case_in(&scene.send(PORTAL, &application(&scene, "birth-of-child", &mother, "")));
    scene.becomes(&id, "it is registered", |case| state_of(case, "register-birth") == "done");
    let birth = scene.town().birth(3, None).expect("signed");
    assert_eq!(scene.send("xx.town.maternity", &birth).status.as_u16(), 202);
    scene.becomes(&id, "it has joined", |_| timeline_of(&scene, &id).contains("\"again\""));
    assert_eq!(scene.send("xx.town.maternity", &birth).status.as_u16(), 202);
    scene.becomes(&id, "all but the form is done", |case| are(case, &DONE_WITHOUT_A_FORM, "done"));
    let manners = scene.town().manners();
    let registered =
        manners.tasks.iter().filter(|task| task.what == "step" && task.step.as_deref() == Some("register-birth")).count();
    assert_eq!(registered, 1);
}

/// The record of an event that joins is the case's: a step that waited for it gets it, though its holder was never asked for it in vain.
#[test]
fn what_an_event_brings_to_a_case_goes_along_with_its_steps() {
    let scene = Scene::new(|manners| _ = manners.away.insert("maternity".to_owned()));
    let mother = scene.town().mother(3);
    let id = case_in(&scene.send(PORTAL, &application(&scene, "birth-of-child", &mother, "")));
    let birth = scene.town().birth(3, None).expect("signed");
    assert_eq!(scene.send("xx.town.maternity", &birth).status.as_u16(), 202);
    let case = scene.becomes(&id, "it is registered", |case| state_of(case, "register-birth") == "done");
    assert_eq!(step_of(&case, "register-birth")["trouble"], Value::Null);
    let manners = scene.town().manners();
    let task = manners.tasks.iter().find(|task| task.step.as_deref() == Some("register-birth")).expect("a task");
    let record = task.enclosed.iter().find(|(name, _)| name == "medical-birth-record:mother");
    assert_eq!(
        record.map(|(_, octets)| octets),
        Some(&birth.octets),
        "{:?}",
        task.enclosed.iter().map(|(name, _)| name).collect::<Vec<_>>()
    );
}

/// However many apply for the same at one moment, there is one case.
#[test]
fn those_who_apply_at_the_same_moment_have_one_case() {
    let scene = Scene::new(|_| {});
    let mother = scene.town().mother(3);
    let applications: Vec<Signed> = (0..8).map(|_| application(&scene, "birth-of-child", &mother, "")).collect();
    let cases = scene.block_on(async {
        let mut sending = tokio::task::JoinSet::new();
        for signed in applications {
            let portal = scene.client(PORTAL);
            sending.spawn(async move { portal.post(signed.octets, "", LONG).await.expect("the gateway is there") });
        }
        sending.join_all().await
    });
    let cases: BTreeSet<String> = cases.iter().map(case_in).collect();
    assert_eq!(cases.len(), 1, "{cases:?}");
}

/// An id is everybody's own: whoever applies under the id of somebody else's application begins a case of their own.
#[test]
fn the_id_of_a_message_gives_no_part_in_the_case_of_another() {
    let scene = Scene::new(|_| {});
    let (mother, other) = (scene.town().mother(3), scene.town().mother(4));
    let first = application(&scene, "birth-of-child", &mother, "");
    let id = case_in(&scene.send(PORTAL, &first));
    let desk = scene.client("xx.town.onestop");
    let coordinator = oncegate::base::ids::AgencyId::parse("xx.town.cases");
    let header = desk.header(Kind::Application, coordinator, None, scene.town().world()).expect("a header");
    let code = |text: &str| oncegate::base::ids::Code::parse(text).expect("a code");
    let message = Message {
        header: Header { id: first.id, ..header },
        context: Some(Context::new(code("life-situation"), "XX:LIFE:1", other.subject())),
        body: Body::Documents(Vec::new()),
        attachments: Vec::new(),
    };
    let second = desk.sign(&message, &applied_for("birth-of-child", "onestop", &other, "")).expect("signed");
    assert_eq!(second.id, first.id);
    assert_ne!(case_in(&scene.send("xx.town.onestop", &second)), id);
    assert_eq!(scene.case("xx.town.onestop", &id)["code"], "OG-CAS-001");
}

/// The papers of a relative are asked for where a document of the case says that there is one, and who.
#[test]
fn relative_needs_proof() {
    let unmarried = |manners: &mut Manners| {
        manners.none.insert(("marriage-record".to_owned(), None));
        manners.none.insert(("paternity-record".to_owned(), None));
    };
    let about_father = |manners: &Manners| {
        let people = oncegate::program::demo::people();
        let is_father = |asked: &&Asked| {
            asked
                .about
                .and_then(|number| people.get(number as usize))
                .is_some_and(|person| person.role == oncegate::program::demo::Role::Father)
        };
        manners.asked.iter().filter(is_father).map(|asked| asked.document.clone()).collect::<Vec<_>>()
    };
    let scene = Scene::new(|_| {});
    let id = born(&scene, 3, None);
    scene.becomes(&id, "all but the form is done", |case| are(case, &DONE_WITHOUT_A_FORM, "done"));
    let asked = about_father(&scene.town().manners());
    assert!(asked.contains(&"employment-record".to_owned()), "the marriage record proves who the father is: {asked:?}");
    let timeline = scene.block_on(scene.client("xx.town.cases").get(&format!("/v1/cases/{id}/timeline"))).expect("there");
    let events: Value = serde_json::from_slice(&timeline.body).expect("JSON");
    let place = |what: &str, document: &str| {
        events.as_array().expect("events").iter().position(|event| event["what"] == what && event["document"] == document)
    };
    let (proven, asked) = (place("came", "marriage-record:mother"), place("asked", "employment-record:father"));
    assert!(proven < asked && proven.is_some(), "{proven:?} {asked:?}");
    drop(scene);
    // The certificate of another household's child does not name this mother: it proves nothing.
    let scene = Scene::new(|manners| {
        unmarried(manners);
        manners.mistaken.insert("register-birth".to_owned());
    });
    let id = born(&scene, 3, None);
    let case = scene.becomes(&id, "what is about somebody else is not taken", |case| {
        step_of(case, "register-birth")["trouble"] == "OG-RTE-007"
    });
    assert_eq!(about_father(&scene.town().manners()), Vec::<String>::new());
    assert_ne!(state_of(&case, "register-birth"), "done");
}

/// The note reaches the school at which the pupil is enrolled, and no other.
#[test]
fn note_reaches_register() {
    let scene = Scene::new(|_| {});
    note_reaches(&scene, "school");
    assert!(scene.town().manners().tasks.iter().all(|task| task.kind != "school-2"));
}

/// Of a pupil who has changed school the note reaches the new one: where the pupil is enrolled is asked, and never remembered.
#[test]
fn note_of_a_pupil_who_changed_school_reaches_the_new_one() {
    let scene = Scene::new(|_| {});
    note_reaches(&scene, "school");
    let moved = ("school-enrolment".to_owned(), (school_id(1), school_id(2)));
    scene.town().manners().otherwise.extend([moved]);
    scene.town().manners().tasks.clear();
    note_reaches(&scene, "school-2");
    assert!(scene.town().manners().tasks.iter().all(|task| task.kind != "school"), "the old one hears nothing more");
}

/// A clinic's note of a pupil reaches the register of a school of this kind.
fn note_reaches(scene: &Scene, school: &str) {
    let note = scene.town().note(5, 4, None).expect("signed");
    let begun = Instant::now();
    assert_eq!(scene.send("xx.town.clinic", &note).status.as_u16(), 202);
    let task = scene
        .until("the school has it", |manners| manners.tasks.iter().find(|task| task.step.as_deref() == Some("excuse")).cloned());
    assert!(begun.elapsed() < Duration::from_secs(60));
    assert_eq!(task.kind, school);
    assert_eq!(task.enclosed.len(), 1);
    assert!(task.enclosed[0].1 == note.octets, "octet for octet as the clinic has signed it");
    let case = scene.becomes(&task.case, "it is over", |case| case["state"] == "done");
    assert_eq!(state_of(&case, "excuse"), "done");
    assert_eq!(case["counts"]["brought"], 0);
}

/// The diagnosis stays at the clinic: a note with it is withheld, and what the school gets has none.
#[test]
fn diagnosis_never_reaches_school() {
    let scene = Scene::new(|_| {});
    let full = scene.town().note(5, 4, Some("J06.9")).expect("signed");
    assert_eq!(scene.send("xx.town.clinic", &full).status.as_u16(), 202);
    scene.until("the clinic is told that its note was withheld", |manners| {
        let has_code = |octets: &Vec<u8>| String::from_utf8_lossy(octets).contains("OG-POL-013");
        manners.octets.get("clinic")?.iter().any(has_code).then_some(())
    });
    let plain = scene.town().note(5, 4, None).expect("signed");
    assert_eq!(scene.send("xx.town.clinic", &plain).status.as_u16(), 202);
    let task = scene.until("the school has the note", |manners| manners.tasks.iter().find(|task| task.kind == "school").cloned());
    scene.becomes(&task.case, "it is over", |case| case["state"] == "done");
    let manners = scene.town().manners();
    let cases: BTreeSet<&str> = manners.tasks.iter().map(|task| task.case.as_str()).collect();
    assert_eq!(cases.len(), 1, "the note with the diagnosis has started nothing");
    for (kind, all) in manners.octets.iter().filter(|(kind, _)| *kind != "clinic") {
        let has_it = |octets: &Vec<u8>| {
            octets.windows(5).any(|part| part == b"J06.9") || octets.windows(9).any(|part| part == b"Diagnosis")
        };
        assert!(!all.iter().any(has_it), "{kind} has the diagnosis");
    }
}

/// A working day goes by in a second: a whole case is seen to its end, by the same way as a real one.
#[test]
fn demo_birth_fast() {
    let plan = TownPlan { pace: WORKING_DAY_IN_A_SECOND, ..TownPlan::default() };
    let scene = Scene::with(plan, |_| {});
    let mother = scene.town().mother(3);
    let id = case_in(&scene.send(PORTAL, &application(&scene, "birth-of-child", &mother, "")));
    scene.becomes(&id, "the form is there", |case| case["form"]["ask"].as_array().is_some_and(|ask| !ask.is_empty()));
    let yes = "<Answer fact=\"mother.wants_kindergarten\">true</Answer>";
    assert_eq!(order(&scene, &id, PORTAL, &mother, yes).status.as_u16(), 200);
    assert_eq!(brought(&scene, &id, &mother, &["bank-details"]).status.as_u16(), 200);
    scene.becomes(&id, "it is over", |case| case["state"] == "done");
    let events: Value = serde_json::from_str(&timeline_of(&scene, &id)).expect("JSON");
    let at = |event: &Value| event["at"].as_str().and_then(UnixTime::parse).expect("a time");
    let events = events.as_array().expect("events");
    let took = at(events.last().expect("events")).as_ms() - at(&events[0]).as_ms();
    assert!(took > 60 * 60 * 1000, "by the clock of the case it took {took} ms");
}

/// Agencies of the live world get nothing of a case in the test world, whichever the catalogue names, and the curator sees why.
#[test]
fn no_test_message_reaches_a_live_agency() {
    let live = ["tfoms", "sfr", "school"];
    let plan = TownPlan { of_other_world: live.to_vec(), ..TownPlan::default() };
    let scene = Scene::with(plan, |_| {});
    let id = born(&scene, 3, None);
    let case = scene.becomes(&id, "what the others do is done", |case| are(case, &["register-birth", "residence"], "done"));
    assert_ne!(state_of(&case, "snils"), "done");
    scene.becomes(&id, "it is said why", |case| step_of(case, "snils")["trouble"] == "OG-MSG-019");
    let manners = scene.town().manners();
    for kind in live {
        assert_eq!(manners.octets.get(kind), None, "{kind} has got something");
    }
}

/// What a citizen alone can say is asked in one form, and answered by whoever applied: in its kind, and nothing else.
#[test]
fn the_form_is_answered_by_whoever_applied_and_by_nobody_else() {
    let scene = Scene::new(|_| {});
    let (mother, other) = (scene.town().mother(3), scene.town().mother(4));
    let id = born(&scene, 3, None);
    scene.becomes(&id, "the form is there", |case| case["form"]["ask"].as_array().is_some_and(|ask| !ask.is_empty()));
    let yes = "<Answer fact=\"mother.wants_kindergarten\">true</Answer>";
    // The portal has no part in it yet.
    assert_eq!(problem_of(&order(&scene, &id, PORTAL, &mother, yes)).code, "OG-CAS-001");
    let joined = scene.send(PORTAL, &application(&scene, "birth-of-child", &mother, ""));
    assert_eq!(case_in(&joined), id, "there is a case already");
    for (what, code) in [
        ("<Answer fact=\"mother.wants_kindergarten\">perhaps</Answer>", "OG-CAS-003"),
        ("<Answer fact=\"mother.employed\">true</Answer>", "OG-CAS-003"),
        ("<Bring/>", "OG-CAS-007"),
        ("<HandOver><Step>snils</Step><To>xx.town.nobody</To></HandOver>", "OG-CAS-006"),
        ("<Remind><Step>kindergarten</Step></Remind>", "OG-CAS-006"),
    ] {
        assert_eq!(problem_of(&order(&scene, &id, PORTAL, &mother, what)).code, code, "{what}");
    }
    // An agency does its steps, and speaks for nobody.
    assert_eq!(problem_of(&order(&scene, &id, "xx.town.zags", &mother, yes)).code, "OG-CAS-004");
    let bank = scene.town().paper("bank-details", &other).expect("a document");
    let wrong = scene.town().apply(
        PORTAL,
        &mother,
        &format!("<CaseOrder xmlns=\"urn:oncegate:doc:case-order:1\"><Case>{id}</Case><Bring></Bring></CaseOrder>{bank}"),
    );
    assert_eq!(problem_of(&scene.send(PORTAL, &wrong.expect("signed"))).code, "OG-CAS-007", "of somebody else");
    assert_eq!(order(&scene, &id, PORTAL, &mother, yes).status.as_u16(), 200);
    scene.becomes(&id, "the kindergarten is asked", |case| state_of(case, "kindergarten") == "done");
    let bank = scene.town().paper("bank-details", &mother).expect("a document");
    let brought = scene.town().apply(
        PORTAL,
        &mother,
        &format!("<CaseOrder xmlns=\"urn:oncegate:doc:case-order:1\"><Case>{id}</Case><Bring></Bring></CaseOrder>{bank}"),
    );
    let brought = scene.send(PORTAL, &brought.expect("signed"));
    assert_eq!(brought.status.as_u16(), 200, "{:?}", problem_of(&brought));
    let case = scene.becomes(&id, "it is over", |case| case["state"] == "done");
    assert_eq!((&case["counts"]["brought"], &case["counts"]["answered"]), (&Value::from(1), &Value::from(1)));
    assert_eq!(problem_of(&order(&scene, &id, PORTAL, &mother, "<Withdraw></Withdraw>")).code, "OG-CAS-002");
}

/// A case is taken back: nothing more is asked, and it says so.
#[test]
fn what_is_withdrawn_is_over() {
    let scene = Scene::new(|manners| _ = manners.idle.insert("register-birth".to_owned()));
    let mother = scene.town().mother(3);
    let applied = scene.send(PORTAL, &application(&scene, "birth-of-child", &mother, ""));
    let id = case_in(&applied);
    scene.becomes(&id, "the registry is at work", |case| state_of(case, "register-birth") == "accepted");
    assert_eq!(order(&scene, &id, PORTAL, &mother, "<Withdraw></Withdraw>").status.as_u16(), 200);
    let case = scene.becomes(&id, "it is over", |case| case["state"] == "withdrawn");
    assert_eq!(case["form"]["ask"], Value::Array(Vec::new()));
    // Another may begin.
    let again = scene.send(PORTAL, &application(&scene, "birth-of-child", &mother, ""));
    assert_ne!(case_in(&again), id);
}

/// An assistant is told of each change of a step.
#[test]
fn no_change_without_assistant_told() {
    let scene = Scene::new(|manners| _ = manners.idle.insert("register-birth".to_owned()));
    let mother = scene.town().mother(3);
    let id = case_in(&scene.send(PORTAL, &application(&scene, "birth-of-child", &mother, "")));
    scene.becomes(&id, "the registry is at work", |case| state_of(case, "register-birth") == "accepted");
    let assistant = "<Assistant><Agency>xx.town.social</Agency><Name>Team 4</Name></Assistant>";
    assert_eq!(order(&scene, &id, PORTAL, &mother, assistant).status.as_u16(), 200);
    scene.town().manners().idle.clear();
    let hand_over = "<HandOver><Step>register-birth</Step><To>xx.town.zags-2</To></HandOver>";
    assert_eq!(order(&scene, &id, "xx.town.social", &mother, hand_over).status.as_u16(), 200);
    scene.becomes(&id, "all but the form is done", |case| are(case, &DONE_WITHOUT_A_FORM, "done"));
    for (step, note) in [
        ("register-birth", "handed-over"),
        ("register-birth", "done"),
        ("snils", "started"),
        ("snils", "done"),
        ("residence", "done"),
    ] {
        scene.until(&format!("the assistant is told: {step} {note}"), |manners| {
            let told = |task: &&Tasked| {
                task.kind == "social"
                    && task.what == "notice"
                    && task.step.as_deref() == Some(step)
                    && task.note.as_deref() == Some(note)
            };
            manners.tasks.iter().find(told).map(|_| ())
        });
    }
    let seen = scene.case("xx.town.social", &id);
    assert!(seen["steps"].as_array().is_some_and(|steps| steps.len() > 5), "it sees all of the case");
}

/// A step goes from one institution to another and a third; the case stays one, and each has acknowledged it.
#[test]
fn handover_keeps_thread() {
    let scene = Scene::new(|manners| _ = manners.idle.insert("register-birth".to_owned()));
    let mother = scene.town().mother(3);
    let id = case_in(&scene.send(PORTAL, &application(&scene, "birth-of-child", &mother, "")));
    for (by, to) in [(PORTAL, "xx.town.zags-2"), ("xx.town.zags-2", "xx.town.zags-3")] {
        scene.becomes(&id, "somebody is at work", |case| state_of(case, "register-birth") == "accepted");
        let hand_over = format!("<HandOver><Step>register-birth</Step><To>{to}</To></HandOver>");
        let taken = order(&scene, &id, by, &mother, &hand_over);
        assert_eq!(taken.status.as_u16(), 200, "{:?}", problem_of(&taken));
        scene.becomes(&id, "it has gone over", |case| {
            step_of(case, "register-birth")["agency"] == to && state_of(case, "register-birth") == "accepted"
        });
    }
    let manners = scene.town().manners();
    let kinds: Vec<&str> = manners
        .tasks
        .iter()
        .filter(|task| task.what == "step" && task.step.as_deref() == Some("register-birth"))
        .map(|task| task.kind.as_str())
        .collect();
    assert_eq!(kinds, ["zags", "zags-2", "zags-3"]);
    assert!(manners.tasks.iter().all(|task| task.case == id));
}

/// In Yaroslavl certificate and policy are issued at the clinic, in hours.
#[test]
fn in_yaroslavl_the_clinic_issues_certificate_and_policy() {
    let scene = Scene::new(|_| {});
    let id = born(&scene, 3, Some("RU-YAR"));
    let case = scene.becomes(&id, "both are issued", |case| are(case, &["register-birth", "health-policy"], "done"));
    for step in ["register-birth", "health-policy"] {
        let step = step_of(&case, step);
        assert_eq!(
            (&step["channel"], &step["agency"]),
            (&Value::from("onestop@perinatal-clinic"), &Value::from("xx.town.perinatal-clinic"))
        );
    }
    assert_eq!(case["region"], "RU-YAR");
}

/// A new personal link to a case.
pub fn personal_link(scene: &Scene, id: &str, by: &str, about: &Person) -> String {
    let received = order(scene, id, by, about, "<Link></Link>");
    let text = String::from_utf8_lossy(&received.body).into_owned();
    let link = text.split_once("<Link>").and_then(|(_, rest)| rest.split_once("</Link>")).map(|(link, _)| link.to_owned());
    link.unwrap_or_else(|| panic!("{text}"))
}

/// What whoever has a link is shown, and the status.
fn by_link(scene: &Scene, link: &str) -> (String, String) {
    let address = scene.town().public_address();
    let output = std::process::Command::new("curl")
        .args(["-s", "-w", "\n%{http_code}", &format!("http://{address}/v1/my/{link}")])
        .output()
        .expect("curl starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.rsplit_once('\n').map(|(body, code)| (body.to_owned(), code.to_owned())).expect("a status")
}

/// Whoever has a link to one case sees how far all cases of the person are, whichever agencies do them and whoever applied.
#[test]
fn my_shows_all_cases_of_the_subject_over_all_agencies() {
    let scene = Scene::new(|_| {});
    let (mother, other) = (scene.town().mother(3), scene.town().mother(4));
    let birth = case_in(&scene.send(PORTAL, &application(&scene, "birth-of-child", &mother, "")));
    let desk = "xx.town.onestop";
    let moves = scene.town().apply(desk, &mother, &applied_for("change-of-residence", "onestop", &mother, "")).expect("signed");
    let moving = case_in(&scene.send(desk, &moves));
    let strange = case_in(&scene.send(PORTAL, &application(&scene, "change-of-residence", &other, "")));
    scene
        .becomes(&moving, "it goes on", |case| are(case, &["register-residence"], "done") || case["steps"][0]["state"] != "open");
    let link = personal_link(&scene, &birth, PORTAL, &mother);
    let (body, code) = by_link(&scene, &link);
    assert_eq!(code, "200", "{body}");
    let shown: Value = serde_json::from_str(&body).expect("JSON");
    let cases = shown["cases"].as_array().expect("a list");
    let ids: Vec<&str> = cases.iter().filter_map(|case| case["id"].as_str()).collect();
    assert_eq!(ids, [moving.as_str(), birth.as_str()], "the newest first, and no case of anybody else: {strange}");
    assert!(cases.iter().all(|case| case["state"] == "open" && case["title"].is_string()), "{cases:?}");
    assert_eq!(shown["case"]["id"], birth.as_str());
    // What is taken back stays in the list, as such.
    assert_eq!(order(&scene, &moving, desk, &mother, "<Withdraw></Withdraw>").status.as_u16(), 200);
    let shown: Value = serde_json::from_str(&by_link(&scene, &link).0).expect("JSON");
    assert_eq!(shown["cases"][0]["state"], "withdrawn", "{shown:#}");
}

/// A personal link shows the case, until another takes its place.
#[test]
fn a_personal_link_is_in_force_until_another_is() {
    let scene = Scene::new(|_| {});
    let mother = scene.town().mother(3);
    let id = case_in(&scene.send(PORTAL, &application(&scene, "birth-of-child", &mother, "")));
    let link = || personal_link(&scene, &id, PORTAL, &mother);
    let look = |link: &str| by_link(&scene, link);
    let first = link();
    assert_eq!(first.len(), 32, "128 bits");
    let (body, code) = look(&first);
    assert!(code == "200" && body.contains(&id) && body.contains("register-birth"), "{code} {body}");
    let second = link();
    assert_eq!(look(&first).1, "410", "a link that was replaced");
    assert_eq!(look(&second).1, "200");
    assert_eq!(look(&"0".repeat(32)).1, "410", "a guessed one");
}

/// What a case tells a citizen goes out by mail, in their language, and a curator is told without names; each once.
#[test]
fn people_are_told_by_mail_and_webhook() {
    let mailbox = Mailbox::start("plain");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let hook = runtime.block_on(Receiver::start(vec![status("503 Service Unavailable"), status("204 No Content")]));
    let config = format!(
        "records = \"off\"\n[notices]\nmail = {{ relay = \"smtp://127.0.0.1:{}\", from = \"notices@town.example\" }}\n\
         webhook_key = \"w.key\"\nwebhook_hosts = [\"{}\"]\npublic_url = \"https://town.example\"\nquiet = \"off\"\n",
        mailbox.port, hook.at
    );
    let curators = BTreeMap::from([("curator:births".to_owned(), format!("http://{}/curator", hook.at))]);
    // A text may say itself where the case can be looked at.
    let text = "Ничего делать не нужно. Готово: {step} ({agency}). Подробнее: {link}\n".to_owned();
    let catalogue = vec![("texts/birth-of-child/done.ru.txt".to_owned(), text)];
    let plan = TownPlan { catalogue, config, curators, ..TownPlan::default() };
    let scene = Scene::with(plan, |manners| {
        manners.refused.insert("family-capital".to_owned(), "It was given before".to_owned());
    });
    let mother = scene.town().mother(3);
    let contact = "<Contact><Address>mailto:maria@home.example</Address><Language>ru</Language></Contact>";
    let id = case_in(&scene.send(PORTAL, &application(&scene, "birth-of-child", &mother, contact)));
    scene.becomes(&id, "it is refused", |case| state_of(case, "family-capital") == "refused");
    let end = Instant::now() + WAIT;
    let has = |mails: &[Value], words: &str| mails.iter().any(|mail| mail.to_string().contains(words));
    while !has(&mailbox.mails(), "СНИЛС") || hook.heard().len() < 2 {
        assert!(Instant::now() < end, "{:#?} {:?}", mailbox.mails(), hook.heard());
        std::thread::sleep(Duration::from_millis(50));
    }
    let mails = mailbox.mails();
    assert!(has(&mails, "Подробнее: https://town.example/my/"), "{mails:#?}");
    // It was refused once, and told again with the same id.
    let ids: BTreeSet<String> = hook
        .heard()
        .iter()
        .take(2)
        .map(|told| {
            let body: Value = serde_json::from_str(told.split_once("\r\n\r\n").expect("a body").1).expect("JSON");
            assert!(!told.contains(&mother.family) && body["case"] == id.as_str(), "{told}");
            body["id"].to_string()
        })
        .collect();
    assert_eq!(ids.len(), 1);
    // The link of the mail shows the case.
    let link = mails.iter().find_map(|mail| {
        let text = mail.to_string();
        text.split_once("/my/").map(|(_, rest)| rest.chars().take(32).collect::<String>())
    });
    let address = format!("http://{}/v1/my/{}", scene.town().public_address(), link.expect("a link"));
    let output = std::process::Command::new("curl").args(["-s", &address]).output().expect("curl starts");
    assert!(String::from_utf8_lossy(&output.stdout).contains(&id));
}

/// Whoever listens hears of each change as it comes.
#[test]
fn changes_are_told_as_they_come() {
    let scene = Scene::new(|manners| _ = manners.idle.insert("register-birth".to_owned()));
    let mother = scene.town().mother(3);
    let id = case_in(&scene.send(PORTAL, &application(&scene, "birth-of-child", &mother, "")));
    let client = scene.client(PORTAL);
    let heard = std::sync::Arc::new(std::sync::Mutex::new(Vec::<u8>::new()));
    let listening = {
        let (heard, path) = (std::sync::Arc::clone(&heard), format!("/v1/cases/{id}/events"));
        scene.runtime.spawn(async move {
            let _ = client
                .download(&path, |octets| {
                    heard.lock().expect("nobody panics").extend_from_slice(octets);
                    Ok(())
                })
                .await;
        })
    };
    let said = |words: &str| String::from_utf8_lossy(&heard.lock().expect("nobody panics")).contains(words);
    let wait = |words: &str| {
        let end = Instant::now() + WAIT;
        while !said(words) {
            assert!(Instant::now() < end, "{words}: {}", String::from_utf8_lossy(&heard.lock().expect("nobody panics")));
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    wait("event: case");
    wait("\"state\":\"accepted\"");
    assert_eq!(order(&scene, &id, PORTAL, &mother, "<Withdraw></Withdraw>").status.as_u16(), 200);
    wait("\"state\":\"withdrawn\"");
    listening.abort();
}

/// A situation of the town's own: its files beside those of the program.
pub fn own(name: &str, text: &str) -> TownPlan {
    TownPlan { catalogue: vec![(format!("federal/{name}.toml"), text.to_owned())], ..TownPlan::default() }
}

/// A situation of so many steps that somebody begins.
pub fn situation(id: &str, starts_on: &str, role: &str, steps: &str) -> String {
    format!(
        r#"format = 1
id = "{id}"
version = "1"
title = {{ en = "A situation of the town's own", ru = "Своя жизненная ситуация" }}
curator = "curator:{id}"
starts_on = ["{starts_on}"]
legal = ["XX:1"]

[[role]]
name = "{role}"

[baseline]
carry_days = 1
source = "invented"
{steps}"#
    )
}

/// A step that an office does.
pub fn step(id: &str, office: &str, more: &str) -> String {
    format!(
        "\n[[step]]\nid = \"{id}\"\ntitle = {{ en = \"{id}\", ru = \"Шаг\" }}\nagency = \"{office}\"\nservice = \"{id}\"\n{more}\n"
    )
}

/// Somebody moves: a registration, and a partner's box.
fn moving() -> String {
    let steps = r#"
[[step]]
id = "register"
title = { en = "Registration", ru = "Регистрация" }
agency = "mvd"
service = "registration"
needs = ["identity-record:applicant"]
deadline = "2wd"
tell = { applicant = ["done", "late"], curator = ["late"] }

[[step]]
id = "kit"
title = { en = "A box of things for the first days", ru = "Набор на первые дни" }
agency = "charity"
service = "box"
needs = ["identity-record:applicant"]
deadline = "P20D"
"#;
    situation("moving", "request:portal", "applicant", steps)
}

/// At half of its term the agency is reminded, at the end once more, and the curator is told, once; by the clock of the case.
#[test]
fn terms_are_watched_and_the_curator_is_told_once() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let hook = runtime.block_on(Receiver::start(vec![status("204 No Content")]));
    let config =
        format!("records = \"off\"\n[notices]\nwebhook_key = \"w.key\"\nwebhook_hosts = [\"{}\"]\nquiet = \"off\"\n", hook.at);
    let curators = BTreeMap::from([("curator:moving".to_owned(), format!("http://{}/curator", hook.at))]);
    let plan = TownPlan { config, curators, pace: 100_000, ..own("moving", &moving()) };
    let scene = Scene::with(plan, |manners| _ = manners.idle.insert("register".to_owned()));
    let person = scene.town().mother(3);
    let id = case_in(&scene.send(PORTAL, &application(&scene, "moving", &person, "")));
    let told = |manners: &Manners, what: &str, note: &str| {
        manners.tasks.iter().filter(|task| task.kind == "mvd" && task.what == what && task.note.as_deref() == Some(note)).count()
    };
    scene.until("it is reminded at half of its term", |manners| (told(manners, "reminder", "reminder") == 1).then_some(()));
    scene.until("and told when it is over", |manners| (told(manners, "notice", "late") == 1).then_some(()));
    let case = scene.becomes(&id, "it is late", |case| step_of(case, "register")["late"] == true);
    assert_eq!(state_of(&case, "kit"), "done", "what does not wait for it goes on");
    let end = Instant::now() + WAIT;
    while hook.heard().is_empty() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(50));
    }
    std::thread::sleep(Duration::from_millis(500));
    let late: Vec<String> = hook.heard().into_iter().filter(|told| told.contains("\"event\":\"late\"")).collect();
    assert_eq!(late.len(), 1, "{:?}", hook.heard());
    // What is late may still be done.
    scene.town().manners().idle.clear();
    let hand_over = "<HandOver><Step>register</Step><To>xx.town.onestop</To></HandOver>";
    let _ = order(&scene, &id, PORTAL, &person, hand_over);
}

/// A partner is told what to do: no name, no identifier, no document.
#[test]
fn a_partner_gets_a_task_without_a_name() {
    let scene = Scene::with(own("moving", &moving()), |_| {});
    let person = scene.town().mother(3);
    let id = case_in(&scene.send(PORTAL, &application(&scene, "moving", &person, "")));
    scene.becomes(&id, "both are done", |case| case["state"] == "done");
    let manners = scene.town().manners();
    let task = manners.tasks.iter().find(|task| task.kind == "charity").expect("a task");
    assert_eq!((task.step.as_deref(), task.enclosed.len()), (Some("kit"), 0));
    for octets in &manners.octets["charity"] {
        let text = String::from_utf8_lossy(octets);
        for word in [person.family.as_str(), person.given, person.identifier.value()] {
            assert!(!text.contains(word), "{word} in {text}");
        }
    }
    // The police have it all.
    let of_police =
        manners.octets["mvd"].iter().any(|octets| String::from_utf8_lossy(octets).contains(person.identifier.value()));
    assert!(of_police);
}

/// A partner has no right to documents.
#[test]
fn partner_cannot_read() {
    let scene = Scene::new(|_| {});
    let person = scene.town().mother(3);
    let charity = scene.client("xx.town.charity");
    let code = |text: &str| oncegate::base::ids::Code::parse(text).expect("a code");
    let ask =
        oncegate::message::envelope::Ask { document_type: code("identity-record"), of: None, select: Vec::new(), during: None };
    let context = oncegate::message::envelope::Context::new(code("life-situation"), "XX:LIFE:1", person.subject());
    let request = charity.request(ask, context, None, scene.town().world()).expect("signed");
    let refused = scene.block_on(charity.post(request.octets, "", LONG)).expect("the gateway is there");
    assert_eq!(problem_of(&refused).code, "OG-POL-001");
}

/// A holder that is silent for half of a term: the citizen is asked, where the file says so.
#[test]
fn who_is_silent_for_too_long_is_passed_over() {
    let text = moving().replace("deadline = \"2wd\"", "deadline = \"2wd\"\nfallback = \"ask-applicant\"");
    let plan = TownPlan { pace: 50_000, ..own("moving", &text) };
    let scene = Scene::with(plan, |manners| _ = manners.away.insert("mvd".to_owned()));
    let person = scene.town().mother(3);
    let id = case_in(&scene.send(PORTAL, &application(&scene, "moving", &person, "")));
    let case = scene.becomes(&id, "the citizen is asked", |case| {
        case["form"]["bring"].as_array().is_some_and(|bring| bring.iter().any(|bring| bring["document"] == "identity-record"))
    });
    assert_eq!(case["state"], "open");
    let brought = brought(&scene, &id, &person, &["identity-record"]);
    assert_eq!(brought.status.as_u16(), 200, "{:?}", problem_of(&brought));
    scene.town().manners().away.clear();
    let case = scene.becomes(&id, "it goes on", |case| state_of(case, "register") == "done");
    assert_eq!(case["counts"]["brought"], 1);
}

/// Two documents that came in one signed message: what one step does not need any more is kept for the other.
#[test]
fn a_message_is_kept_as_long_as_one_of_its_documents_is_needed() {
    let steps = r#"
[[step]]
id = "account"
title = { en = "Note the account", ru = "Учесть счёт" }
agency = "mvd"
service = "account"
needs = ["bank-details:applicant"]
deadline = "2wd"

[[step]]
id = "look"
title = { en = "Look into it", ru = "Проверить" }
agency = "tax"
service = "look"
after = ["account"]
deadline = "2wd"

[[step]]
id = "claim"
title = { en = "Decide on the claim", ru = "Решить" }
agency = "sfr"
service = "claim"
after = ["look"]
needs = ["birth-allowance-application:applicant"]
deadline = "2wd"
"#;
    let plan = own("claim", &situation("claim", "request:portal", "applicant", steps));
    let scene = Scene::with(plan, |manners| _ = manners.away.insert("tax".to_owned()));
    let person = scene.town().mother(3);
    let id = case_in(&scene.send(PORTAL, &application(&scene, "claim", &person, "")));
    scene.becomes(&id, "it is asked for both", |case| case["form"]["bring"].as_array().is_some_and(|bring| bring.len() == 2));
    let brought = brought(&scene, &id, &person, &["bank-details", "birth-allowance-application"]);
    assert_eq!(brought.status.as_u16(), 200, "{:?}", problem_of(&brought));
    scene.becomes(&id, "one needs nothing any more", |case| {
        let documents = case["documents"].as_array().into_iter().flatten();
        documents.filter(|document| document["state"] == "forgotten").count() == 1
    });
    scene.town().manners().away.clear();
    scene.becomes(&id, "all are done", |case| case["state"] == "done");
    let manners = scene.town().manners();
    let enclosed = |step: &str| {
        let task = manners.tasks.iter().find(|task| task.step.as_deref() == Some(step)).expect("a task");
        task.enclosed.iter().map(|(_, octets)| octets.clone()).collect::<Vec<_>>()
    };
    assert!(!enclosed("account")[0].is_empty());
    assert_eq!(enclosed("account")[0], enclosed("claim")[0]);
}

/// A document that says something else than is known: the case says so, and nothing is replaced.
#[test]
fn a_contradiction_is_told_and_replaces_nothing() {
    let steps = r#"
[[step]]
id = "first"
title = { en = "First", ru = "Первый" }
agency = "mvd"
service = "first"
when = "applicant.citizen"
gives = "identity-record:applicant"
deadline = "2wd"
"#;
    let scene = Scene::with(own("twice-told", &situation("twice-told", "request:portal", "applicant", steps)), |manners| {
        let other = ("<Citizen>true<".to_owned(), "<Citizen>false<".to_owned());
        manners.otherwise.insert("first".to_owned(), other);
    });
    // By the register the applicant is a citizen; the document that the step makes says otherwise.
    let person = scene.town().mother(3);
    let id = case_in(&scene.send(PORTAL, &application(&scene, "twice-told", &person, "")));
    let case = scene.becomes(&id, "it is done", |case| case["state"] == "done");
    let against = serde_json::json!([{ "document": "identity-record:applicant", "fact": "applicant.citizen" }]);
    assert_eq!(case["contradictions"], against, "{case:#}");
    // It applied by what was known first.
    assert_eq!(state_of(&case, "first"), "done");
}

/// A case stays with the version that it began with; a catalogue without it is not taken while the case is open.
#[test]
fn a_case_stays_with_its_version_over_a_change_of_the_catalogue() {
    let scene = Scene::with(own("moving", &moving()), |manners| _ = manners.idle.insert("register".to_owned()));
    let person = scene.town().mother(3);
    let id = case_in(&scene.send(PORTAL, &application(&scene, "moving", &person, "")));
    scene.becomes(&id, "the police are at work", |case| state_of(case, "register") == "accepted");
    let file = scene.town().installation().folder().join("catalogue/federal/moving.toml");
    let newer = moving().replace("version = \"1\"", "version = \"2\"").replace("id = \"kit\"", "id = \"box\"");
    let reload = || {
        let data = scene.town().installation().folder().join("data");
        oncegate::host::control::call(&data, oncegate::host::control::Command::Reload).expect("it answers").expect("it runs")
    };
    std::fs::write(&file, &newer).expect("writable");
    let refused = reload();
    assert!(
        refused.refused.iter().any(|line| line.contains("moving 1") && line.contains("keep its file")),
        "{:?}",
        refused.refused
    );
    std::fs::write(file.with_file_name("moving@1.toml"), moving()).expect("writable");
    let taken = reload();
    assert!(taken.refused.is_empty(), "{:?}", taken.refused);
    let other = scene.town().mother(4);
    let second = case_in(&scene.send(PORTAL, &application(&scene, "moving", &other, "")));
    let case = scene.becomes(&second, "the new one has a box", |case| state_of(case, "box") == "done");
    assert_eq!(case["version"], "2");
    let case = scene.becomes(&id, "the old one has a kit", |case| state_of(case, "kit") == "done");
    assert_eq!(case["version"], "1");
    // What is broken changes nothing.
    std::fs::write(&file, "format = 1\nid = \"moving\"").expect("writable");
    assert!(reload().refused.iter().any(|line| line.contains("OG-CAT-001")));
    assert_eq!(scene.case("xx.town.cases", &id)["version"], "1");
}

/// An agency without the right to a document gets no step that needs it: the curator is told, and nothing goes out.
#[test]
fn without_the_right_there_is_no_document() {
    let plan = TownPlan { ungranted: vec![("sfr", "birth-certificate")], ..TownPlan::default() };
    let scene = Scene::with(plan, |_| {});
    let id = born(&scene, 3, None);
    let case = scene.becomes(&id, "the fund may not have it", |case| step_of(case, "snils")["trouble"] == "OG-POL-001");
    assert_ne!(state_of(&case, "snils"), "done");
    scene.becomes(&id, "others go on", |case| state_of(case, "residence") == "done");
    assert!(
        scene
            .town()
            .manners()
            .tasks
            .iter()
            .all(|task| task.kind != "sfr" || task.enclosed.iter().all(|(name, _)| !name.starts_with("birth-certificate")))
    );
}

/// What a child has missed adds up over its notes: with the fortieth day school and family are told of lessons to catch up.
#[test]
fn the_fortieth_missed_day() {
    let scene = Scene::new(|_| {});
    let ill = |days: i64, before: usize| {
        let note = scene.town().note(5, days, None).expect("signed");
        assert_eq!(scene.send("xx.town.clinic", &note).status.as_u16(), 202);
        let case = scene.until("the school has it", |manners| {
            let excused: Vec<&Tasked> = manners.tasks.iter().filter(|task| task.step.as_deref() == Some("excuse")).collect();
            excused.get(before).map(|task| task.case.clone())
        });
        scene.becomes(&case, "it is over", |case| case["state"] == "done")
    };
    for (number, days) in [15, 15, 9].into_iter().enumerate() {
        let case = ill(days, number);
        assert_eq!(state_of(&case, "catch-up"), "-", "{number}");
    }
    // Another child's days are its own.
    let other = scene.town().note(9, 15, None).expect("signed");
    assert_eq!(scene.send("xx.town.clinic", &other).status.as_u16(), 202);
    scene.until("the school has it", |manners| {
        (manners.tasks.iter().filter(|task| task.step.as_deref() == Some("excuse")).count() == 4).then_some(())
    });
    let case = ill(1, 4);
    assert_eq!(state_of(&case, "catch-up"), "done", "39 days and one");
    let manners = scene.town().manners();
    assert_eq!(manners.tasks.iter().filter(|task| task.step.as_deref() == Some("catch-up")).count(), 1);
}

/// Who has accessed the data of somebody, as the portal shows it.
fn trail_of(scene: &Scene, person: &Person) -> Value {
    let code = |text: &str| Code::parse(text).expect("a code");
    let portal = scene.client(PORTAL);
    let ask =
        oncegate::message::envelope::Ask { document_type: code("access-trail"), of: None, select: Vec::new(), during: None };
    let context = Context::new(code("citizen-trail"), "XX:LIFE:1", person.subject());
    let request = portal.request(ask, context, None, scene.town().world()).expect("signed");
    let trail = scene.block_on(portal.post_to("/v1/trail", "application/xml", request.octets)).expect("the gateway is there");
    assert!(trail.status.is_success(), "{}", String::from_utf8_lossy(&trail.body));
    serde_json::from_slice(&trail.body).expect("JSON")
}

/// Whoever has got a paper for a step of a case stands in the trail of whom the paper is about.
#[test]
fn the_trail_tells_who_has_got_papers_for_their_steps() {
    let scene = Scene::new(|_| {});
    let id = born(&scene, 3, None);
    scene.becomes(&id, "all but the form is done", |case| are(case, &DONE_WITHOUT_A_FORM, "done"));
    let entries = trail_of(&scene, &scene.town().mother(3));
    let has = |agency: &str, document: &str| {
        entries["entries"]
            .as_array()
            .expect("entries")
            .iter()
            .any(|entry| entry["institution"] == agency && entry["documentType"] == document && entry["case"] == id.as_str())
    };
    // The identity record was asked for once, and three offices have it.
    for agency in ["xx.town.zags", "xx.town.sfr", "xx.town.tfoms"] {
        assert!(has(agency, "identity-record"), "{agency}: {entries:#}");
    }
}

/// At three in the morning the state is shown at once, and what can wait is told when people are up; a refusal is told at once.
#[test]
fn state_is_visible_at_night_and_what_can_wait_is_told_in_the_morning() {
    let mailbox = Mailbox::start("plain");
    let config = format!(
        "records = \"off\"\n[notices]\nmail = {{ relay = \"smtp://127.0.0.1:{}\", from = \"notices@town.example\" }}\nquiet = \"21-8\"\n",
        mailbox.port
    );
    let plan = TownPlan { config, ..TownPlan::default() };
    let scene = Scene::with(plan, |manners| {
        manners.refused.insert("birth-allowance".to_owned(), "Another office has paid it".to_owned());
    });
    let mother = scene.town().mother(3);
    // Where it is three o'clock now.
    let minute = i64::try_from(std::time::UNIX_EPOCH.elapsed().expect("after 1970").as_secs() / 60 % 1440).expect("small");
    let ahead = (180 - minute).rem_euclid(1440);
    let ahead = if ahead > 840 { ahead - 1440 } else { ahead };
    let contact = format!(
        "<Contact><Address>mailto:maria@home.example</Address><Language>en</Language><AheadMinutes>{ahead}</AheadMinutes></Contact>"
    );
    let id = case_in(&scene.send(PORTAL, &application(&scene, "birth-of-child", &mother, &contact)));
    scene.becomes(&id, "the state is shown", |case| {
        state_of(case, "register-birth") == "done" && state_of(case, "birth-allowance") == "refused"
    });
    let end = Instant::now() + WAIT;
    while mailbox.mails().is_empty() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(50));
    }
    std::thread::sleep(Duration::from_secs(1));
    let mails: Vec<String> = mailbox.mails().iter().map(|mail| mail["text"].to_string()).collect();
    assert_eq!(mails.len(), 1, "only what is urgent: {mails:#?}");
    assert!(mails[0].contains("Payment at the birth of a child"), "{mails:?}");
}

/// Whoever has no right to apply begins nothing, and what begins in no such way is refused.
#[test]
fn nobody_applies_without_the_right() {
    let scene = Scene::new(|_| {});
    let mother = scene.town().mother(3);
    let of = |by: &str, situation: &str, channel: &str| {
        let markup = applied_for(situation, channel, &mother, "");
        problem_of(&scene.send(by, &scene.town().apply(by, &mother, &markup).expect("signed"))).code
    };
    assert_eq!(of("xx.town.charity", "birth-of-child", "portal"), "OG-POL-001");
    assert_eq!(of(PORTAL, "birth-of-childs", "portal"), "OG-CAS-005");
    assert_eq!(of(PORTAL, "birth-of-child", "letter"), "OG-CAS-005");
    assert_eq!(of(PORTAL, "pupil-illness", "portal"), "OG-CAS-005", "a note begins it");
    assert!(scene.town().manners().tasks.is_empty());
}

/// Money follows the pupil: the finance body hears of one pupil more at a school, and not of whom.
#[test]
fn an_enrolment_reaches_the_finance_body_as_a_count() {
    let steps = r#"
[[step]]
id = "count"
title = { en = "Count one pupil more for the school", ru = "Учесть ещё одного ученика" }
agency = "finance"
service = "pupil-count"
when = "pupil.enrolled"
needs = ["school-enrolment:pupil"]
shows = ["pupil.school"]
deadline = "5wd"
"#;
    let counted = situation("pupil-counted", "document:school-enrolment", "pupil", steps);
    let built_in = oncegate::rules::situation::Catalogue::built_in_files();
    let agencies = built_in.iter().find(|file| file.name == "agencies.toml").expect("it is there").text.clone();
    let agencies = agencies + "finance = { level = \"partner\", title = { en = \"Finance body\", ru = \"Финансы\" } }\n";
    let catalogue = vec![("agencies.toml".to_owned(), agencies), ("federal/pupil-counted.toml".to_owned(), counted)];
    let scene = Scene::with(TownPlan { catalogue, ..TownPlan::default() }, |_| {});
    let pupil = scene.town().pupil(5);
    let enrolment = scene.town().paper("school-enrolment", &pupil).expect("a document");
    let event = scene.town().event("xx.town.education", &pupil, &enrolment, None).expect("signed");
    assert_eq!(scene.send("xx.town.education", &event).status.as_u16(), 202);
    let task = scene.until("it is counted", |manners| manners.tasks.iter().find(|task| task.kind == "finance").cloned());
    scene.becomes(&task.case, "it is over", |case| case["state"] == "done");
    let manners = scene.town().manners();
    let got = &manners.octets["finance"];
    assert!(got.iter().any(|octets| String::from_utf8_lossy(octets).contains("<Fact name=\"pupil.school\">")));
    for octets in got {
        let text = String::from_utf8_lossy(octets);
        for word in [pupil.family.as_str(), pupil.given, pupil.identifier.value()] {
            assert!(!text.contains(word), "{word} in {text}");
        }
    }
}

/// Neither parent works: the family is told before the right to the allowance ends, and not once it has applied.
#[test]
fn a_right_that_ends_is_told_of_until_it_is_used() {
    let plan = TownPlan { pace: 1_000_000, ..TownPlan::default() };
    let scene = Scene::with(plan, |manners| {
        manners.none.insert(("employment-record".to_owned(), None));
    });
    let mother = scene.town().mother(3);
    let id = case_in(&scene.send(PORTAL, &application(&scene, "birth-of-child", &mother, "")));
    let told = || timeline_of(&scene, &id).matches("\"expiring\"").count();
    let case = scene.becomes(&id, "it is told of in time", |_| told() >= 1);
    assert_eq!((case["state"].as_str(), state_of(&case, "birth-allowance")), (Some("open"), "-".to_owned()));
    let brought = brought(&scene, &id, &mother, &["birth-allowance-application", "bank-details"]);
    assert_eq!(brought.status.as_u16(), 200, "{:?}", problem_of(&brought));
    scene.becomes(&id, "it is paid", |case| state_of(case, "birth-allowance-on-application") == "done");
    let before = told();
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(told(), before, "and silence");
}

/// A café is begun: the application is about the business, and names who founds it, whose papers are fetched as well.
#[test]
fn business_event_cafe() {
    let scene = Scene::new(|_| {});
    let founder = scene.town().mother(3);
    let (business, code) = (founder.business(), |text: &str| Code::parse(text).expect("a code"));
    let (situation, channel, none) = (code("business-start"), code("portal"), &[]);
    let apply = |others: &[(Code, Subject)]| {
        let new = NewCase {
            situation: &situation,
            channel: &channel,
            region: None,
            about: &business,
            others,
            contact: None,
            answers: none,
        };
        scene.send(PORTAL, &scene.town().apply_about(PORTAL, business.clone(), &case_application(&new)).expect("signed"))
    };
    // Whoever is not named cannot be asked about, and nobody else is taken from an application.
    assert_eq!(problem_of(&apply(&[])).code, "OG-CAS-005");
    let applicant = (code("applicant"), founder.subject());
    for others in [&[applicant.clone(), applicant.clone()][..], &[applicant.clone(), (code("spouse"), founder.subject())]] {
        assert_eq!(problem_of(&apply(others)).code, "OG-CAS-005");
    }
    let id = case_in(&apply(&[applicant]));
    let steps = ["register", "small-business", "employer"];
    let case = scene.becomes(&id, "the business is registered", |case| are(case, &steps, "done"));
    assert_eq!(case["contradictions"], Value::Array(Vec::new()), "{case:#}");
    let manners = scene.town().manners();
    let asked: BTreeSet<(&str, Option<u32>)> = manners.asked.iter().map(|asked| (asked.document.as_str(), asked.about)).collect();
    assert!(asked.contains(&("identity-record", Some(founder.number))), "{asked:?}");
    // The registration names its founder, and it goes to those who may see that alone.
    let notice = manners.tasks.iter().filter(|task| task.step.as_deref() == Some("simplified-tax")).count();
    assert_eq!(notice, 0, "nobody knows yet whether it is wanted");
    drop(manners);
    // A citizen's own situation has no others, and takes none.
    let mother = scene.town().mother(4);
    let new = NewCase {
        situation: &code("change-of-residence"),
        channel: &channel,
        region: None,
        about: &mother.subject(),
        others: &[(code("applicant"), mother.subject())],
        contact: None,
        answers: none,
    };
    let refused = scene.send(PORTAL, &scene.town().apply(PORTAL, &mother, &case_application(&new)).expect("signed"));
    assert_eq!(problem_of(&refused).code, "OG-CAS-005");
}

/// An employment centre is merged into the one-stop desk: what is addressed to its old name reaches the desk, which answers under its own,
/// and the log shows both.
#[test]
fn merge_two_agencies() {
    let plan = TownPlan { succeeded: vec![("mvd", "onestop")], ..TownPlan::default() };
    let scene = Scene::with(plan, |manners| _ = manners.away.insert("mvd".to_owned()));
    let id = born(&scene, 3, None);
    scene.becomes(&id, "all but the form is done", |case| are(case, &DONE_WITHOUT_A_FORM, "done"));
    let manners = scene.town().manners();
    let found = |step: &str| manners.tasks.iter().find(|task| task.step.as_deref() == Some(step)).expect(step);
    let (task, asked) =
        (found("residence"), manners.asked.iter().find(|asked| asked.document == "identity-record").expect("asked"));
    assert_eq!((task.kind.as_str(), asked.kind.as_str()), ("onestop", "onestop"));
    assert!(!task.enclosed.is_empty() && task.enclosed.iter().all(|(_, octets)| !octets.is_empty()), "it has its papers");
    let messages = [task.message, asked.message];
    drop(manners);
    for message in messages {
        let path = format!("/v1/log/records?message={message}");
        let received = scene.block_on(scene.client("xx.town.cases").get(&path)).expect("the gateway is there");
        let found: Value = serde_json::from_slice(&received.body).expect("JSON");
        let records: Vec<&Value> = found["entries"].as_array().expect("entries").iter().map(|entry| &entry["record"]).collect();
        assert!(records.iter().any(|record| record["k"] == "rsp"), "{found}");
        let both = |record: &Value| record["s"] == "xx.town.onestop" && record["to"] == "xx.town.mvd";
        let exchange = |record: &&Value| record["k"] == "req" || record["k"] == "rsp";
        assert!(records.iter().filter(|record| exchange(record)).all(|record| both(record)), "{found}");
    }
    // The citizen reads who has got the papers for the step, and whose step it was.
    let entries = trail_of(&scene, &scene.town().mother(3));
    let has = |entry: &Value| entry["institution"] == "xx.town.onestop" && entry["onBehalfOf"] == "xx.town.mvd";
    assert!(entries["entries"].as_array().expect("entries").iter().any(has), "{entries:#}");
    // Whoever does the step sees it, under the name that it has in the case.
    let own = scene.case("xx.town.onestop", &id);
    assert_eq!(own["steps"].as_array().map(Vec::len), Some(1), "{own:#}");
    assert_eq!(
        (state_of(&own, "residence").as_str(), &step_of(&own, "residence")["agency"]),
        ("done", &Value::from("xx.town.mvd"))
    );
}

/// Three institutions are attended on one day, one after the other: each says when it has time, the parents choose of the days that all
/// have, and each is told when they come. None of them sees a paper before.
#[test]
fn all_specialists_on_one_day() {
    let more = "appointment = \"specialists\"\nneeds = [\"identity-record:applicant\"]\ndeadline = \"5wd\"";
    let steps = [("eyes", "clinic"), ("heart", "hospital"), ("bureau", "mse")];
    let file =
        situation("specialist-day", "request:portal", "applicant", &steps.map(|(id, office)| step(id, office, more)).concat());
    let plan = TownPlan { catalogue: vec![("federal/specialist-day.toml".to_owned(), file)], ..TownPlan::default() };
    // Days from tomorrow on, hours by UTC: all have time on the third day alone, and not at the same hour.
    let today = oncegate::gateway::driver::now().day().days_since_epoch();
    let at = |day: i64, hour: u64| {
        let text = format!("{}T{hour:02}:00:00Z", Day::from_days(today + day));
        oncegate::base::time::UnixTime::parse(&text).expect("an instant")
    };
    let slots = |list: &[(i64, u64)]| list.iter().map(|(day, hour)| (at(*day, *hour), at(*day, *hour + 1))).collect::<Vec<_>>();
    let scene = Scene::with(plan, |manners| {
        manners.times.insert("eyes".to_owned(), slots(&[(2, 9), (3, 9), (4, 9)]));
        manners.times.insert("heart".to_owned(), slots(&[(2, 9), (3, 9), (3, 10)]));
        manners.times.insert("bureau".to_owned(), slots(&[(1, 9), (3, 8), (3, 9)]));
    });
    let mother = scene.town().mother(3);
    let id = case_in(&scene.send(PORTAL, &application(&scene, "specialist-day", &mother, "")));
    let case = scene.becomes(&id, "a day is offered", |case| !case["form"]["days"].as_array().is_none_or(Vec::is_empty));
    let day = Day::from_days(today + 3).to_string();
    let offered = &case["form"]["days"][0];
    assert_eq!((&offered["appointment"], &offered["days"]), (&Value::from("specialists"), &serde_json::json!([day])), "{case:#}");
    // Nobody else's day, and nothing that was not offered.
    let answer = |by: &str, name: &str, text: &str| {
        problem_of(&order(&scene, &id, by, &mother, &format!("<Answer fact=\"{name}\">{text}</Answer>"))).code
    };
    let other = Day::from_days(today + 2).to_string();
    assert_eq!(answer(PORTAL, "appointment.specialists", &other), "OG-CAS-003");
    assert_eq!(answer(PORTAL, "appointment.dentists", &day), "OG-CAS-003");
    assert_eq!(answer("xx.town.clinic", "appointment.specialists", &day), "OG-CAS-004");
    let chosen = order(&scene, &id, PORTAL, &mother, &format!("<Answer fact=\"appointment.specialists\">{day}</Answer>"));
    assert_eq!(chosen.status.as_u16(), 200, "{:?}", problem_of(&chosen));
    scene.becomes(&id, "all are done", |case| case["state"] == "done");
    let manners = scene.town().manners();
    let of = |step: &str, what: &str| {
        let found = manners.tasks.iter().filter(|task| task.step.as_deref() == Some(step) && task.what == what);
        found.map(|task| (task.visit, task.enclosed.len())).collect::<Vec<_>>()
    };
    for (step, hour) in [("bureau", 8), ("eyes", 9), ("heart", 10)] {
        assert_eq!(of(step, "times"), [(None, 0)], "{step} is asked when it has time, and gets no paper for that");
        assert_eq!(of(step, "step"), [(Some(at(3, hour)), 1)], "{step}");
    }
}
