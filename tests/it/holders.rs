//! Deliveries to holders whose connections die without a word, or who are slow.

use crate::process::{Scene, send};
use crate::suspicions::{Answering, ask, client, clinic_at, empty, nothing};
use oncegate::base::limits;
use oncegate::faces::client::{Client, Signed};
use oncegate::message::envelope::{Message, ReplyTo};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

const CONFIG: &str = "records = \"off\"\n\n[limits]\nanswer_ms = 20000\n";
const CLINIC: &str = "xx.demo.clinic-3";
const FUND: &str = "xx.demo.social-fund";

/// What stands between the gateway and a holder.
struct Between {
    /// Counts how often it has gone silent: connections that were opened before take octets and give none.
    silences: watch::Sender<u32>,
}

impl Between {
    /// Listens in the clinic's place, and passes on to another address.
    fn new(scene: &Scene, to: SocketAddr) -> Self {
        let silences = watch::Sender::new(0);
        let address = scene.world().provider_address(CLINIC).expect("a holder");
        let listener = scene.block_on(TcpListener::bind(address)).expect("nobody is there");
        let heard = silences.subscribe();
        let passing = async move {
            while let Ok((near, _)) = listener.accept().await {
                let Ok(far) = TcpStream::connect(to).await else { continue };
                let ((from_near, to_near), (from_far, to_far)) = (near.into_split(), far.into_split());
                let now = *heard.borrow();
                tokio::spawn(pass(from_near, to_far, heard.clone(), now));
                tokio::spawn(pass(from_far, to_near, heard.clone(), now));
            }
        };
        scene.block_on(async { drop(tokio::spawn(passing)) });
        Self { silences }
    }

    fn goes_silent(&self) {
        self.silences.send_modify(|silences| *silences += 1);
    }
}

/// Passes octets on until there is silence, and takes them after that.
async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    heard: watch::Receiver<u32>,
    since: u32,
) -> Option<()> {
    let mut octets = [0; 16 << 10];
    loop {
        let count = from.read(&mut octets).await.ok()?;
        if *heard.borrow() != since {
            continue;
        }
        if count == 0 {
            return None;
        }
        to.write_all(octets.get(..count)?).await.ok()?;
    }
}

/// How often a holder was asked, by the message's id.
type Asked = Arc<Mutex<Vec<String>>>;

/// A holder that counts, and does something before it answers that there is nothing on record; the first time that it is asked
/// something, or again.
fn holder<F>(scene: &Scene, address: SocketAddr, before: F) -> Asked
where
    F: Fn(usize) -> std::pin::Pin<Box<dyn Future<Output = Option<u16>> + Send>> + Send + Sync + 'static,
{
    let asked = Asked::default();
    let counted = Arc::clone(&asked);
    let before = Arc::new(before);
    let manner = move |client: Arc<Client>, reply: ReplyTo, question: Message| -> Answering {
        let id = question.header.id.to_string();
        let times = {
            let mut all = counted.lock().expect("nobody panics");
            all.push(id.clone());
            all.iter().filter(|known| **known == id).count()
        };
        let before = Arc::clone(&before);
        Box::pin(async move {
            if let Some(status) = before(times).await {
                return empty(status);
            }
            let answer = client.sign(&nothing(&client, reply, &question), "").expect("signed");
            Some(hyper::Response::new(oncegate::host::transport::full(answer.octets)))
        })
    };
    clinic_at(scene, address, Arc::new(manner));
    asked
}

/// The slowest of some requests that are sent at once; each is answered.
fn at_once(scene: &Scene, client: &Client, requests: Vec<Signed>) -> Duration {
    scene.block_on(async {
        let begun = Instant::now();
        let mut sent = JoinSet::new();
        for request in requests {
            let client = client.clone();
            sent.spawn(async move { send(&client, &request.octets).await.map(|received| received.status.as_u16()) });
        }
        let statuses = sent.join_all().await;
        assert!(statuses.iter().all(|status| *status == Some(200)), "{statuses:?} after {:?}", begun.elapsed());
        begun.elapsed()
    })
}

fn elsewhere() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], crate::tool::free_port()))
}

#[test]
fn connections_that_died_silently_cost_a_few_seconds() {
    let scene = Scene::without_clinic(CONFIG);
    let gateway = scene.start();
    let there = elsewhere();
    let asked = holder(&scene, there, |_| {
        Box::pin(async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            None
        })
    });
    let between = Between::new(&scene, there);
    let fund = client(&scene, FUND);
    let three = |from: u32| (from..from + 3).map(|household| ask(&scene, &fund, household)).collect::<Vec<_>>();
    at_once(&scene, &fund, three(0));
    for from in [3, 6] {
        between.goes_silent();
        let took = at_once(&scene, &fund, three(from));
        let again = Duration::from_millis(limits::AGAIN_MS);
        assert!(took >= again && took < again + Duration::from_secs(4), "{took:?}");
        let took = at_once(&scene, &fund, vec![ask(&scene, &fund, from + 20)]);
        assert!(took < Duration::from_secs(2), "the others are not tried any more: {took:?}");
    }
    // What went into the void came to nobody: each was asked once.
    let mut asked = asked.lock().expect("nobody panics").clone();
    let all = asked.len();
    asked.sort();
    asked.dedup();
    assert_eq!((asked.len(), all), (11, 11));
    gateway.stop();
}

#[test]
fn a_slow_holder_is_asked_once_more_and_its_first_answer_is_waited_for() {
    for refuses in [None, Some(409), Some(503)] {
        let scene = Scene::without_clinic(CONFIG);
        let gateway = scene.start();
        let address = scene.world().provider_address(CLINIC).expect("a holder");
        let asked = holder(&scene, address, move |times| {
            Box::pin(async move {
                match (times, refuses) {
                    (2.., Some(status)) => return Some(status),
                    _ => tokio::time::sleep(Duration::from_millis(2 * limits::AGAIN_MS + 1_000)).await,
                }
                None
            })
        });
        let fund = client(&scene, FUND);
        let slow = Duration::from_millis(2 * limits::AGAIN_MS + 1_000);
        let connected = at_once(&scene, &fund, vec![ask(&scene, &fund, 0)]);
        assert!(connected >= slow, "a new connection is not doubted: {connected:?}");
        assert_eq!(asked.lock().expect("nobody panics").len(), 1);
        let took = at_once(&scene, &fund, vec![ask(&scene, &fund, 1)]);
        assert!(took >= slow && took < slow + Duration::from_secs(2), "{refuses:?}: {took:?}");
        assert_eq!(asked.lock().expect("nobody panics").len(), 3, "{refuses:?}: once more, and not again");
        gateway.stop();
    }
}
