//! Who is told of an event, and who is told that it was not: by what the registry knows of its publisher, by fields, by variants.

use crate::inbox::{PATIENT, are_outbound, done, event_on, header, inbox, post, registry, state, subscribe};
use crate::process::Scene;
use crate::suspicions::client;
use oncegate::base::ids::Region;
use oncegate::base::limits::VARIANTS_MAX;
use oncegate::faces::client::{Client, Signed, problem_of};
use oncegate::message::envelope::{Message, ReplyTo};

const SILENT: &str = "records = \"off\"\n";
const CLINIC: &str = "xx.demo.clinic-3";
const SCHOOL: &str = "xx.demo.school-17";
const FUND: &str = "xx.demo.social-fund";
const AUDITOR: &str = "xx.demo.auditor";
const ALL: &str = "\"*\"";
const FULL: &str = include_str!("../../schemas/examples/medical-absence-note/valid/full.xml");
const MINIMAL: &str = include_str!("../../schemas/examples/medical-absence-note/valid/minimal.xml");

fn region(name: Option<&str>) -> impl FnOnce(&mut Message) {
    let region = name.map(|name| Region::parse(name).expect("a region"));
    move |message| message.context.as_mut().expect("a context").region = region
}

/// A grant to be told of events, with more in it.
fn hears(who: &str, fields: &str, more: &str) -> String {
    subscribe(who, fields) + more + "\n"
}

/// The registration of the clinic as a holder, with more in it.
fn registered(text: &str, more: &str) -> String {
    let row = format!("document = \"medical-absence-note\"\nagency = \"{CLINIC}\"\n");
    assert!(text.contains(&row), "{text}");
    text.replace(&row, &format!("{row}{more}\n"))
}

fn scene(change: impl Fn(String) -> String) -> Scene {
    Scene::prepared_without_clinic(SILENT, &|installation| {
        are_outbound(installation);
        registry(installation, |text| change(text.to_owned()));
    })
}

/// The next that waits, acknowledged, is this.
async fn hears_of(subscriber: &Client, event: &Signed) {
    let told = inbox(subscriber, "wait=20").await;
    assert_eq!((told.status.as_u16(), header(&told, "oncegate-kind")), (200, "event"));
    assert_eq!(header(&told, "oncegate-message-id"), event.id.to_string());
    assert!(told.body == event.octets, "octet for octet");
    assert_eq!(done(subscriber, header(&told, "oncegate-lease"), "ack").await.0, 200);
}

async fn hears_nothing(subscriber: &Client) {
    assert_eq!(inbox(subscriber, "wait=1").await.status.as_u16(), 204);
}

async fn published(publisher: &Client, event: &Signed) {
    let told = post(publisher, event, "").await;
    assert_eq!(told.status.as_u16(), 202, "{:?}", problem_of(&told));
}

/// A grant may be for the events of some regions: of the one that the event names, else of those that its publisher is registered
/// for. Where it is not known, it is not told.
#[test]
fn a_grant_for_a_region_lets_nothing_through_of_another() {
    let here = |text: String, regions: &str| {
        registered(&text, regions)
            + &hears(SCHOOL, ALL, "regions = [\"XX-NOR\"]")
            + &hears(FUND, ALL, "regions = [\"XX-SOU\", \"XX-EAS\"]")
            + &hears(AUDITOR, ALL, "")
    };
    let scene = scene(|text| here(text, "regions = [\"XX-NOR\"]"));
    let [school, clinic, fund, auditor] = [SCHOOL, CLINIC, FUND, AUDITOR].map(|who| client(&scene, who));
    let event = |name| event_on(&scene, &clinic, (&school, FULL), region(name));
    let gateway = scene.start();
    scene.block_on(async {
        for event in [event(None), event(Some("XX-NOR"))] {
            published(&clinic, &event).await;
            hears_of(&auditor, &event).await;
            hears_of(&school, &event).await;
            hears_nothing(&fund).await;
        }
        let elsewhere = problem_of(&post(&clinic, &event(Some("XX-SOU")), "").await);
        assert_eq!(elsewhere.code, "OG-POL-001", "it is not registered there");
        assert!(elsewhere.detail.contains("XX-NOR"), "{}", elsewhere.detail);
    });
    gateway.kill();
    registry(scene.world().installation(), |text| {
        text.replacen("\nregions = [\"XX-NOR\"]\n", "\nregions = [\"XX-NOR\", \"XX-SOU\"]\n", 1)
    });
    let gateway = scene.start();
    scene.block_on(async {
        let (anywhere, south) = (event(None), event(Some("XX-SOU")));
        published(&clinic, &anywhere).await;
        hears_of(&auditor, &anywhere).await;
        published(&clinic, &south).await;
        hears_of(&auditor, &south).await;
        hears_of(&fund, &south).await;
        hears_nothing(&school).await;
    });
    gateway.stop();
}

/// A grant may be for the events of some publishers, by name or by pattern.
#[test]
fn a_grant_for_some_publishers_lets_nothing_through_of_others() {
    let scene = scene(|text| {
        text + &format!("\n[[holder]]\ndocument = \"medical-absence-note\"\nagency = \"{SCHOOL}\"\n")
            + &hears(FUND, ALL, "publishers = [\"xx.demo.clinic-*\"]")
            + &hears(AUDITOR, ALL, &format!("publishers = [\"{SCHOOL}\"]"))
    });
    let [school, clinic, fund, auditor] = [SCHOOL, CLINIC, FUND, AUDITOR].map(|who| client(&scene, who));
    let event = |publisher| event_on(&scene, publisher, (&school, FULL), |_| {});
    let gateway = scene.start();
    scene.block_on(async {
        let (of_clinic, of_school) = (event(&clinic), event(&school));
        published(&clinic, &of_clinic).await;
        published(&school, &of_school).await;
        hears_of(&fund, &of_clinic).await;
        hears_of(&auditor, &of_school).await;
        hears_nothing(&fund).await;
        hears_nothing(&auditor).await;
    });
    gateway.stop();
}

/// The next that waits, acknowledged, is the word that an event was withheld; its record.
async fn is_told_of_withholding(agency: &Client, event: &Signed) -> String {
    let word = inbox(agency, "wait=20").await;
    assert_eq!((word.status.as_u16(), header(&word, "oncegate-kind")), (200, "withheld"));
    assert_eq!(header(&word, "oncegate-message-id"), event.id.to_string());
    assert_eq!(header(&word, "content-type"), "application/problem+xml");
    let text = String::from_utf8(word.body.clone()).expect("UTF-8");
    for said in ["<code>OG-POL-013</code>", "medical-absence-note", "<help>", &format!("<messageId>{}</messageId>", event.id)] {
        assert!(text.contains(said), "{said} in {text}");
    }
    for inner in ["Diagnosis", "Patient", "99000000", CLINIC, FUND, AUDITOR, SCHOOL] {
        assert!(!text.contains(inner), "no content, no person, no other agency: {text}");
    }
    let index = header(&word, "oncegate-log-index").to_owned();
    assert!(text.contains(&format!("<logIndex>{index}</logIndex>")), "{text}");
    assert_eq!(done(agency, header(&word, "oncegate-lease"), "ack").await.0, 200);
    index
}

/// Whoever may not have a field of an event is told that it was withheld; whoever told it learns that it was from some, once, and
/// neither from whom nor from how many. A start without the shelf folds the same again.
#[test]
fn an_event_with_a_field_too_many_is_withheld_and_both_sides_are_told() {
    let scene = scene(|text| text + &hears(SCHOOL, ALL, "") + &hears(FUND, "", "") + &hears(AUDITOR, "", ""));
    let [school, clinic, fund, auditor] = [SCHOOL, CLINIC, FUND, AUDITOR].map(|who| client(&scene, who));
    let events = [FULL, MINIMAL].map(|document| event_on(&scene, &clinic, (&school, document), |_| {}));
    let [full, minimal] = &events;
    let gateway = scene.start();
    scene.block_on(async {
        let told = post(&clinic, full, "").await;
        hears_of(&school, full).await;
        let index = is_told_of_withholding(&fund, full).await;
        for (agency, status) in [(&fund, 200), (&clinic, 404)] {
            let record = agency.get(&format!("/v1/log/records/{index}")).await.expect("the gateway is there");
            assert_eq!(record.status.as_u16(), status, "it is the subscriber's own, and not the publisher's");
        }
        assert_eq!(is_told_of_withholding(&clinic, full).await, header(&told, "oncegate-log-index"));
        hears_nothing(&clinic).await;
        assert_eq!(state(&clinic, full).await["code"], "OG-POL-013");
    });
    gateway.kill();
    std::fs::remove_dir_all(scene.world().installation().folder().join("data/log/work")).expect("the shelf");
    let gateway = scene.start();
    scene.block_on(async {
        is_told_of_withholding(&auditor, full).await;
        for agency in [&school, &fund, &auditor, &clinic] {
            hears_nothing(agency).await;
        }
        assert_eq!(state(&clinic, full).await["code"], "OG-POL-013");
        published(&clinic, minimal).await;
        for agency in [&school, &fund, &auditor] {
            hears_of(agency, minimal).await;
        }
        hears_nothing(&clinic).await;
        let state = state(&clinic, minimal).await;
        assert_eq!((&state["state"], &state["code"]), (&"published".into(), &serde_json::Value::Null));
    });
    gateway.stop();
}

/// The event that others are variants of, and what each of them needs to name it.
fn variant_of(event: &Signed) -> impl FnOnce(&mut Message) {
    let reply = ReplyTo { id: event.id, digest: event.digest };
    move |message| message.header.in_reply_to = Some(reply)
}

/// An event may have variants, which come before it and name it. Each subscriber gets the richest that it may have, and one alone,
/// over restarts and by whatever it is granted later; nobody is told of a variant by itself.
#[test]
fn of_the_variants_of_an_event_each_subscriber_gets_the_richest_it_may_have_and_no_other() {
    let fewer = FULL.replace("<Diagnosis>J06.9</Diagnosis>", "");
    assert_ne!(fewer, FULL);
    let but_diagnosis =
        "\"Head/*\", \"Absence/To\", \"School\", \"InfectiousContact\", \"PeExemption\", \"VaccinationExemption\", \"Doctor\"";
    let scene = scene(|text| text + &hears(SCHOOL, ALL, "") + &hears(FUND, but_diagnosis, ""));
    let [school, clinic, fund, auditor] = [SCHOOL, CLINIC, FUND, AUDITOR].map(|who| client(&scene, who));
    let event = |document| event_on(&scene, &clinic, (&school, document), |_| {});
    let (base, next) = (event(MINIMAL), event(MINIMAL));
    let variant = |document| event_on(&scene, &clinic, (&school, document), variant_of(&base));
    let (middle, full) = (variant(&fewer), variant(FULL));
    let gateway = scene.start();
    scene.block_on(async {
        for event in [&middle, &full] {
            published(&clinic, event).await;
            assert_eq!(state(&clinic, event).await["state"], "accepted", "it waits for what it is a variant of");
        }
        hears_nothing(&school).await;
    });
    gateway.kill();
    let gateway = scene.start();
    let lease = scene.block_on(async {
        published(&clinic, &base).await;
        published(&clinic, &next).await;
        hears_of(&school, &full).await;
        hears_of(&school, &next).await;
        let leased = inbox(&fund, "wait=20").await;
        assert_eq!(header(&leased, "oncegate-message-id"), middle.id.to_string());
        assert!(leased.body == middle.octets, "octet for octet");
        for event in [&middle, &full, &base] {
            assert_eq!(state(&clinic, event).await["state"], "published");
        }
        let late = problem_of(&post(&clinic, &variant(FULL), "").await);
        assert_eq!((late.code.as_str(), late.detail.contains("before")), ("OG-MSG-016", true), "{}", late.detail);
        header(&leased, "oncegate-lease").to_owned()
    });
    gateway.kill();
    std::fs::remove_dir_all(scene.world().installation().folder().join("data/log/work")).expect("the shelf");
    registry(scene.world().installation(), |text| text.replace(but_diagnosis, ALL) + &hears(AUDITOR, "", ""));
    let gateway = scene.start();
    scene.block_on(async {
        // Its lease was of this one, whatever it is granted since.
        assert_eq!(done(&fund, &lease, "nack").await.0, 200);
        let again = inbox(&fund, "wait=20").await;
        let said = ["oncegate-message-id", "oncegate-redelivered"].map(|name| header(&again, name).to_owned());
        assert_eq!(said, [middle.id.to_string(), "true".to_owned()]);
        assert_eq!(done(&fund, header(&again, "oncegate-lease"), "ack").await.0, 200);
        hears_of(&fund, &next).await;
        hears_of(&auditor, &base).await;
        hears_of(&auditor, &next).await;
        for agency in [&school, &fund, &auditor, &clinic] {
            hears_nothing(agency).await;
        }
    });
    gateway.stop();
}

#[test]
fn an_event_has_so_many_variants_and_no_more() {
    let scene = scene(|text| text + &hears(FUND, ALL, ""));
    let (school, clinic) = (client(&scene, SCHOOL), client(&scene, CLINIC));
    let base = event_on(&scene, &clinic, (&school, MINIMAL), |_| {});
    let gateway = scene.start();
    scene.block_on(async {
        for _ in 0..VARIANTS_MAX {
            published(&clinic, &event_on(&scene, &clinic, (&school, FULL), variant_of(&base))).await;
        }
        let refused = problem_of(&post(&clinic, &event_on(&scene, &clinic, (&school, FULL), variant_of(&base)), "").await);
        assert_eq!(refused.code, "OG-MSG-016", "{}", refused.detail);
    });
    gateway.stop();
}

/// What is about somebody else, or of another publisher, is no variant.
/// By the Context go the order of events and the trail that a person sees: the document is about nobody else.
#[test]
fn the_document_of_an_event_is_about_whoever_its_context_names() {
    let scene = scene(|text| text + &hears(FUND, ALL, ""));
    let [school, clinic, fund] = [SCHOOL, CLINIC, FUND].map(|who| client(&scene, who));
    let other = scene.world().people()[8].subject();
    let of_another = MINIMAL.replace(PATIENT, other.identifiers[0].value());
    assert_ne!(of_another, MINIMAL);
    let [good, wrong] = [MINIMAL, &of_another].map(|document| event_on(&scene, &clinic, (&school, document), |_| {}));
    let gateway = scene.start();
    scene.block_on(async {
        assert_eq!(problem_of(&post(&clinic, &wrong, "").await).code, "OG-DOC-005");
        published(&clinic, &good).await;
        hears_of(&fund, &good).await;
        hears_nothing(&fund).await;
    });
    gateway.stop();
}

#[test]
fn a_variant_is_of_the_same_publisher_and_about_the_same_person() {
    let scene = scene(|text| {
        text + &format!("\n[[holder]]\ndocument = \"medical-absence-note\"\nagency = \"{SCHOOL}\"\n") + &hears(FUND, ALL, "")
    });
    let [school, clinic, fund] = [SCHOOL, CLINIC, FUND].map(|who| client(&scene, who));
    let base = event_on(&scene, &clinic, (&school, MINIMAL), |_| {});
    let foreign = event_on(&scene, &school, (&school, FULL), variant_of(&base));
    let other = scene.world().people()[8].subject();
    let about_another = event_on(&scene, &clinic, (&school, FULL), |message| {
        variant_of(&base)(message);
        message.context.as_mut().expect("a context").subject = other;
    });
    let gateway = scene.start();
    scene.block_on(async {
        published(&school, &foreign).await;
        published(&clinic, &about_another).await;
        let refused = problem_of(&post(&clinic, &base, "").await);
        assert_eq!(refused.code, "OG-MSG-016", "{}", refused.detail);
        assert!(refused.detail.contains(&about_another.id.to_string()), "{}", refused.detail);
        let alone = event_on(&scene, &clinic, (&school, MINIMAL), |_| {});
        published(&clinic, &alone).await;
        hears_of(&fund, &alone).await;
        hears_nothing(&fund).await;
    });
    gateway.stop();
}
