//! The pages for people, asked for too much: limits without measure, ten thousand at once, those who read slowly or never send their form.

use crate::console::{SCHOOL, Site, is_guarded};
use crate::process::LONG;
use oncegate::program::demo::Behaviour;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const WHY: (&str, &str) = ("school-attendance", "XX:HEALTH:13");

#[test]
fn what_is_asked_for_without_measure_is_refused_or_bounded() {
    let site = Site::start();
    site.ask(SCHOOL, Behaviour::Honest, WHY);
    let mut auditor = site.auditor();
    let pairs = (0..40).map(|number| format!("k{number}=1")).collect::<Vec<_>>().join("&");
    for target in [
        "/log?limit=0",
        "/log?limit=18446744073709551616",
        "/log?limit=-1",
        "/log?cursor=AAAA",
        "/log?cursor=18446744073709551615",
        &format!("/log?cursor={}", "A".repeat(4_000)),
        &format!("/log?purpose={}", "a".repeat(4_000)),
        &format!("/log?{pairs}"),
        "/log?from=9999-99-99",
        "/log?from=0000-00-00T00:00:00Z&to=9999-12-31",
        "/log?agency=a&agency=b",
        "/log?%zz=1",
    ] {
        let response = auditor.get(target);
        assert!(response.status == 400 && response.code().starts_with("OG-AUD-00"), "{target}: {}", response.code());
    }
    for target in ["/log?limit=1000000000", "/log?as=json&limit=4000000000"] {
        let response = auditor.get(target);
        assert!(matches!(response.status, 200 | 400) && response.body.len() < 2 << 20, "{target}");
    }
    // A form with more than it may have, and one that says it has more than it sends.
    auditor.get("/");
    let response = auditor.post("/find", &[("q", &"a".repeat(70_000))]);
    assert_eq!(response.status, 413);
    is_guarded(&response, "413");
    assert_eq!(auditor.post("/find", &[("q", &"a".repeat(60_000))]).status, 200);
    let reason = |length: usize| "r".repeat(length);
    assert_eq!(auditor.post("/log/0/open", &[("reason", &reason(5_000))]).status, 400);
    assert_eq!(auditor.post("/log/0/open", &[("reason", " ")]).status, 400);
    assert_eq!(auditor.post("/log/0/open", &[("reason", "two\nlines")]).status, 400);
}

#[test]
fn ten_thousand_at_once_are_answered_or_refused_and_the_gateway_exchanges() {
    let site = Site::start();
    let operator = site.operator();
    let paths = ["/", "/log", "/agencies", "/log/0", "/help/OG-POL-002", "/about", "/sign-in", "/log?as=csv"];
    let mut asked = Vec::new();
    let began = Instant::now();
    site.world.block_on(async {
        for number in 0..10_000 {
            let octets = operator.octets("GET", paths[number % paths.len()], "");
            asked.push(tokio::spawn(outcome(site.address, octets)));
        }
        tokio::task::yield_now().await;
    });
    for _ in 0..5 {
        assert_eq!(site.ask(SCHOOL, Behaviour::Honest, WHY).1, 200, "exchanges go on meanwhile");
    }
    let exchanged = began.elapsed();
    let outcomes = site.world.block_on(async {
        let mut outcomes = Vec::new();
        for task in asked {
            outcomes.push(task.await.expect("it ends"));
        }
        outcomes
    });
    let answered = outcomes.iter().filter(|status| matches!(status, 200 | 303)).count();
    let refused = outcomes.iter().filter(|status| matches!(status, 429 | 503)).count();
    // Whoever finds the system's queue of connections full gets nothing at all.
    let turned_away = outcomes.iter().filter(|status| **status == 0).count();
    assert_eq!(answered + refused + turned_away, 10_000, "{outcomes:?}");
    assert!(answered >= 5_000, "{answered} were answered");
    assert!(exchanged < LONG, "{exchanged:?}");
    assert_eq!(site.operator().get("/").status, 200);
}

/// The status that comes, in the end.
async fn outcome(address: std::net::SocketAddr, octets: String) -> u16 {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let asking = async {
        let mut stream = tokio::net::TcpStream::connect(address).await.ok()?;
        stream.write_all(octets.as_bytes()).await.ok()?;
        let mut came = Vec::new();
        stream.read_to_end(&mut came).await.ok()?;
        String::from_utf8_lossy(&came).split(' ').nth(1)?.parse().ok()
    };
    tokio::time::timeout(Duration::from_secs(300), asking).await.ok().flatten().unwrap_or(0)
}

#[test]
fn whoever_reads_slowly_or_never_sends_their_form_holds_up_nobody() {
    let site = Site::start();
    let mut operator = site.operator();
    operator.get("/");
    let connect = || {
        let stream = TcpStream::connect(site.address).expect("connected");
        stream.set_read_timeout(Some(LONG)).expect("settable");
        stream
    };
    // They ask, and read nothing.
    let slow: Vec<TcpStream> = (0..50)
        .map(|_| {
            let mut stream = connect();
            let octets = operator.octets("GET", "/help", "").replace("Connection: close", "Connection: keep-alive");
            stream.write_all(octets.repeat(20).as_bytes()).expect("sent");
            stream
        })
        .collect();
    // They say that a form comes, and send a part of it.
    let mut silent: Vec<TcpStream> = (0..50)
        .map(|_| {
            let mut stream = connect();
            let whole = operator.octets("POST", "/find", "q=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
            stream.write_all(&whole.as_bytes()[..whole.len() - 10]).expect("sent");
            stream
        })
        .collect();
    for _ in 0..5 {
        let began = Instant::now();
        assert_eq!(operator.get("/").status, 200);
        assert!(began.elapsed() < Duration::from_secs(10));
    }
    assert_eq!(site.ask(SCHOOL, Behaviour::Honest, WHY).1, 200);
    let began = Instant::now();
    for stream in &mut silent {
        let mut came = Vec::new();
        let _ = stream.read_to_end(&mut came);
        let came = String::from_utf8_lossy(&came);
        assert!(came.is_empty() || came.starts_with("HTTP/1.1 408"), "{came}");
    }
    assert!(began.elapsed() < Duration::from_secs(40), "{:?}", began.elapsed());
    drop(slow);
}
