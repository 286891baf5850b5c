//! Figures of traffic: they count what goes through a gateway, and a start tells them what was before it.

use crate::process::{LONG, Scene, answered, send};
use oncegate::base::fault::Code;
use oncegate::base::ids::AgencyId;
use oncegate::base::time::{DAY_MS, UnixTime};
use oncegate::evidence::traffic::{HOURS, Sides, Tally, Traffic};
use oncegate::faces::client::{Client, Signed, problem_of};
use oncegate::gateway::driver::{Gateway, now};
use oncegate::host::config::Config;
use oncegate::program::server::{Durability, Server, check};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::oneshot;

/// The same id with another content, which is refused at the door.
async fn is_changed(client: &Client, request: &Signed) {
    let text = String::from_utf8(request.octets.clone()).expect("UTF-8");
    let signature = text.find("<Signature").expect("signed");
    let changed = format!("{}</Message>", &text[..signature]).replace("XX:HEALTH:13", "XX:HEALTH:14");
    let changed = client.sign_markup(&changed).expect("it is signed");
    let problem = problem_of(&send(client, &changed).await.expect("the gateway is there"));
    assert_eq!(problem.code, "OG-MSG-014", "{problem:?}");
}

/// Starts the gateway in this process, and stops it after `work`.
fn run<R>(scene: &Scene, work: impl AsyncFnOnce(&Gateway) -> R) -> R {
    scene.block_on(async {
        let checked = check(Config::load(&scene.config()).expect("a configuration")).expect("it is good");
        let server = Server::open(checked, Durability::Always).await.expect("it starts");
        let (gateway, (stop, stopped)) = (Arc::clone(server.gateway()), oneshot::channel::<()>());
        let running = tokio::spawn(server.run(async move {
            let _ = stopped.await;
        }));
        let result = work(&gateway).await;
        let _ = stop.send(());
        running.await.expect("it ends").expect("it ends well");
        result
    })
}

type Figures = (Tally, u64, BTreeMap<Code, u32>, BTreeMap<AgencyId, Sides>, Option<UnixTime>);

fn figures(traffic: &Traffic) -> Figures {
    let now = now();
    let (mut sum, mut faults) = (Tally::default(), BTreeMap::new());
    traffic.hours(now).for_each(|(_, tally)| sum.add(tally));
    for (code, count) in traffic.faults(now).flat_map(|(_, faults)| faults) {
        *faults.entry(*code).or_default() += count;
    }
    let agencies = traffic.by_agency(now, HOURS).into_iter().map(|(id, sides)| (id.clone(), sides)).collect();
    let clinic = AgencyId::parse("xx.demo.clinic-3").expect("a name");
    let last_answer = traffic.agency(&clinic).and_then(|clinic| clinic.last_answer);
    (sum, traffic.latency(now).count(), faults, agencies, last_answer)
}

#[test]
fn what_went_through_is_counted_and_known_again_after_a_start() {
    let scene = Scene::new("records = \"off\"\n");
    let client = scene.client();
    let before = run(&scene, async |gateway| {
        let requests = [0, 1].map(|number| scene.request(&client, number));
        for request in &requests {
            answered(&client, request).await;
        }
        is_changed(&client, &requests[0]).await;
        gateway.traffic(figures)
    });
    let (sum, answers, faults, agencies, last_answer) = &before;
    assert_eq!(*sum, Tally { requests: 3, answered: 2, refused: 1, limited: 0, failed: 0 });
    assert_eq!((*answers, last_answer.is_some()), (2, true));
    assert_eq!(*faults, BTreeMap::from([(Code::parse("OG-MSG-014").expect("a code"), 1)]));
    let of = |name: &str| agencies[&AgencyId::parse(name).expect("a name")];
    assert_eq!((of("xx.demo.school-17").consumer, of("xx.demo.clinic-3").holder.answered), (*sum, 2));
    let again = run(&scene, async |gateway| {
        let start = Instant::now();
        let is_whole = |traffic: &Traffic| now().as_ms() - traffic.whole_since().as_ms() >= 29 * DAY_MS;
        while !gateway.traffic(is_whole) {
            assert!(start.elapsed() < LONG, "it is told what was before");
            tokio::task::yield_now().await;
        }
        gateway.traffic(figures)
    });
    assert_eq!(again, before);
}
