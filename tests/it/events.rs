//! Who is told of an event, and who is told that it was not: by what the registry knows of its publisher, by fields, by variants.

use crate::inbox::{are_outbound, done, event_in, header, inbox, post, registry, subscribe};
use crate::process::Scene;
use crate::suspicions::client;
use oncegate::faces::client::{Client, Signed, problem_of};
use oncegate::message::xsd::example::Fullness;

const SILENT: &str = "records = \"off\"\n";
const CLINIC: &str = "xx.demo.clinic-3";
const SCHOOL: &str = "xx.demo.school-17";
const FUND: &str = "xx.demo.social-fund";
const AUDITOR: &str = "xx.demo.auditor";
const ALL: &str = "\"*\"";

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
    assert_eq!(told.body, event.octets, "octet for octet");
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
    let event = |region| event_in(&scene, &clinic, &school, Fullness::Full, region);
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
    let event = |publisher| event_in(&scene, publisher, &school, Fullness::Full, None);
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
