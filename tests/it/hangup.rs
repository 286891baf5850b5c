//! Whoever hangs up while something is recorded undoes nothing, and leaves nothing that nobody can go on with.

use crate::delivery::state;
use crate::inbox::{answer, are_outbound, cancel, event_of, header, post, registry, subscribe};
use crate::process::{LONG, Process, Scene, oncegate};
use crate::suspicions::client;
use oncegate::faces::client::problem_of;
use std::future::Future;
use std::process::Command;
use std::time::Duration;

const CLINIC: &str = "xx.demo.clinic-3";
/// How long each sync of the disk takes: whoever hangs up before that does so while something is recorded.
const SYNC: Duration = Duration::from_millis(300);

/// A gateway on a disk that takes its time.
fn slow(scene: &Scene) -> Process {
    let mut command = Command::new("strace");
    let delay = format!("inject=fdatasync:delay_enter={}", SYNC.as_micros());
    command.args(["-D", "-f", "-qq", "--seccomp-bpf", "-e", "trace=fdatasync", "-e", &delay, "-o", "/dev/null"]);
    command.arg(oncegate()).args(["run", "-c"]).arg(scene.config());
    Process::from(command).unwrap_or_else(|(status, said)| panic!("{status}: {said}"))
}

/// Asks for something, hangs up in the middle, and waits until all that was begun is over.
async fn hang_up<T>(asking: impl Future<Output = T>) {
    assert!(tokio::time::timeout(SYNC / 3, asking).await.is_err(), "the disk is slower than that");
    tokio::time::sleep(SYNC * 3).await;
}

#[test]
fn whoever_hangs_up_while_something_is_recorded_undoes_nothing() {
    let scene = Scene::prepared_without_clinic("records = \"off\"\n", &|installation| {
        are_outbound(installation);
        registry(installation, |text| text.to_owned() + &subscribe("xx.demo.school-17", "\"*\""));
    });
    let (school, clinic) = (scene.client(), client(&scene, CLINIC));
    let gateway = slow(&scene);
    let requests = [1, 2, 3].map(|number| scene.request(&school, number));
    let [answered, taken, cancelled] = &requests;
    scene.block_on(async {
        // A question: it is kept, and is so when it comes again.
        for request in &requests {
            hang_up(post(&school, request, "respond-async")).await;
            let again = post(&school, request, "respond-async").await;
            assert_eq!(again.status.as_u16(), 202, "{:?}", problem_of(&again));
        }
        // A worker that comes for one, and the answer of another to it.
        hang_up(clinic.get("/v1/inbox")).await;
        let reply = answer(&scene, &clinic, &answered.octets);
        hang_up(post(&clinic, &reply, "")).await;
        assert_eq!(state(&school, answered).await, "answered", "whoever took it is gone, and the answer came");
        // One that is acknowledged.
        let found = clinic.get("/v1/inbox?max=2").await.expect("the gateway is there");
        let text = String::from_utf8(found.body).expect("UTF-8");
        let lease = |id: &str| {
            let part = text.split("\r\n--").find(|part| part.contains(id)).expect("it is there");
            part.lines().find_map(|line| line.strip_prefix("oncegate-lease: ")).expect("a lease").to_owned()
        };
        let path = format!("/v1/inbox/{}/ack", lease(&taken.id.to_string()));
        hang_up(clinic.post_to(&path, "application/json", Vec::new())).await;
        assert_eq!(state(&school, taken).await, "delivered");
        hang_up(post(&school, &cancel(&school, cancelled), "")).await;
        assert_eq!(state(&school, cancelled).await, "cancelled");
        let event = event_of(&scene, &clinic, &school);
        hang_up(post(&clinic, &event, "")).await;
        assert_eq!(post(&clinic, &event, "").await.status.as_u16(), 202);
        assert_eq!(state(&clinic, &event).await, "published");
    });
    gateway.kill();
    // What was recorded is there after a start as well.
    let gateway = scene.start();
    scene.block_on(async {
        let states = [state(&school, answered).await, state(&school, taken).await, state(&school, cancelled).await];
        assert_eq!(states, ["answered", "delivered", "cancelled"]);
        let told = tokio::time::timeout(LONG, school.get("/v1/inbox?wait=20&max=9")).await.expect("in time");
        assert!(header(&told.expect("the gateway is there"), "content-type").starts_with("multipart/mixed"));
    });
    gateway.stop();
}
