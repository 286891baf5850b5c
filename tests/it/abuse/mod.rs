//! HTTP and TLS under abuse, against the real program: sockets that are silent or slow, and floods. Each is cut off or
//! pushed back, and somebody else's exchanges go on meanwhile.

mod floods;
pub mod peer;
mod slow;

use crate::figures::tell;
use crate::process::{Scene, answered};
use crate::world::QUICK;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// The exchanges of a good client while something else goes on.
#[derive(Default)]
pub struct Meanwhile {
    pub times: Vec<Duration>,
}

impl Meanwhile {
    /// Exchanges, one after the other with a short pause, until told to stop.
    pub async fn go_on(scene: Arc<Scene>, until: watch::Receiver<bool>, first: usize) -> Self {
        let client = scene.client();
        let mut meanwhile = Self::default();
        // The first opens the connection.
        answered(&client, &scene.request(&client, first)).await;
        while !*until.borrow() {
            let request = scene.request(&client, first + 1 + meanwhile.times.len());
            let begun = Instant::now();
            answered(&client, &request).await;
            meanwhile.times.push(begun.elapsed());
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
        meanwhile
    }

    pub fn percentile(&self, percent: usize) -> Duration {
        let mut times = self.times.clone();
        times.sort();
        times.get(times.len() * percent / 100).copied().unwrap_or_default()
    }

    fn told(&self) -> String {
        let ms = |percent| self.percentile(percent).as_secs_f64() * 1e3;
        format!(
            "{} exchanges, p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms",
            self.times.len(),
            ms(50),
            ms(99),
            ms(100 - 1).max(self.times.iter().max().map_or(0.0, |most| most.as_secs_f64() * 1e3))
        )
    }
}

/// Runs something while a good client exchanges; gives what came of both.
fn beside<T>(scene: &Arc<Scene>, abuse: impl Future<Output = T>) -> (T, Meanwhile) {
    scene.block_on(async {
        let (stop, until) = watch::channel(false);
        let good = tokio::spawn(Meanwhile::go_on(Arc::clone(scene), until, 0));
        let outcome = abuse.await;
        stop.send(true).expect("it listens");
        (outcome, good.await.expect("the good client is served"))
    })
}

#[test]
fn sockets_that_are_silent_or_slow_are_closed_while_others_are_served() {
    let scene = Arc::new(Scene::new(QUICK));
    let gateway = scene.start();
    let (closed, meanwhile) = beside(&scene, slow::all(&scene));
    let longest = closed.iter().map(|closed| closed.after).max().unwrap_or_default();
    for closed in &closed {
        println!("{:<44} closed after {:>5.1} s {}", closed.name, closed.after.as_secs_f64(), closed.said);
    }
    tell(
        "silent and slow sockets",
        format!("{} closed, the last after {:.1} s; beside them {}", closed.len(), longest.as_secs_f64(), meanwhile.told()),
    );
    assert!(closed.len() >= 200);
    gateway.stop();
}

#[test]
fn floods_are_pushed_back_while_others_are_served() {
    let scene = Arc::new(Scene::new(QUICK));
    let gateway = scene.start();
    let idle = beside(&scene, async { tokio::time::sleep(Duration::from_secs(1)).await }).1;
    let before = gateway.memory_kib("VmHWM");
    let mut all = Meanwhile::default();
    for flood in floods::ALL {
        let (ended, meanwhile) = beside(&scene, floods::run(&scene, flood));
        println!("{:<36} {ended:<40} {}", flood.name, meanwhile.told());
        all.times.extend(meanwhile.times);
    }
    let grown = gateway.memory_kib("VmHWM") - before;
    tell(
        "floods of HTTP and TLS",
        format!("{} pushed back; beside them {} (quiet: {})", floods::ALL.len(), all.told(), idle.told()),
    );
    tell("memory under floods", format!("{} MiB more", grown >> 10));
    assert!(grown < 64 << 10, "the gateway took {grown} KiB for floods");
    gateway.stop();
}
