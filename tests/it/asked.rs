//! Those whom the gateway asks beside holders, witnesses and authorities for time stamps: what they answer has a limit, and
//! so has the time that they take.

use crate::folder::Folder;
use crate::memory::signer;
use crate::witness::fetcher;
use oncegate::base::limits;
use oncegate::evidence::tlog::note::{LogSigner, Role};
use oncegate::evidence::tlog::tree::{Hash, Head};
use oncegate::gateway::timestamp::{StampError, Stamping};
use oncegate::gateway::witness::{Client, Failing};
use oncegate::host::config::Stamps;
use oncegate::host::transport::UpstreamError;
use oncegate::rules::registry::Endpoint;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::Instant;

fn log() -> LogSigner {
    signer("log.example/2026", Role::Log, 1)
}

/// Somebody who answers each request with so many octets that say nothing, or not at all.
async fn answering(octets: Option<usize>) -> Endpoint {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let at = format!("http://{}/", listener.local_addr().expect("bound"));
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let Some(octets) = octets else {
                open.push(stream);
                continue;
            };
            assert!(stream.read(&mut [0; 4096]).await.is_ok_and(|count| count > 0), "a request");
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {octets}\r\n\r\n{}", "x".repeat(octets));
            // Who has heard enough closes.
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
            open.push(stream);
        }
    });
    Endpoint::parse(&at).expect("a URL")
}

async fn ask_witness(folder: &Folder, octets: Option<usize>) -> Failing {
    let witness = signer("witness.example", Role::Witness, 2);
    let client = Client::new(witness.verifier().clone(), answering(octets).await, fetcher(folder.path()));
    client.last(log().verifier()).await.expect_err("it says nothing")
}

async fn ask_authority(folder: &Folder, octets: Option<usize>) -> StampError {
    let stamps = Stamps { url: answering(octets).await, every_hours: 24 };
    let checkpoint = log().checkpoint(Head { size: 1, root: Hash::of_leaf(b"x") }).expect("signs");
    let stamping = Stamping::new(stamps, folder.path().join("stamps"), fetcher(folder.path()));
    stamping.stamp(&checkpoint).await.expect_err("it says nothing")
}

#[tokio::test]
async fn what_a_witness_answers_is_read_up_to_its_limit() {
    let folder = Folder::new();
    let at = ask_witness(&folder, Some(limits::NOTE_BYTES_MAX)).await;
    assert!(matches!(at, Failing::Form(_)), "it was read: {at:?}");
    let above = ask_witness(&folder, Some(limits::NOTE_BYTES_MAX + 1)).await;
    assert!(matches!(above, Failing::Unreachable(UpstreamError::TooLarge)), "{above:?}");
}

#[tokio::test]
async fn a_time_stamp_is_read_up_to_its_limit() {
    let folder = Folder::new();
    let at = ask_authority(&folder, Some(limits::STAMP_BYTES_MAX)).await;
    assert!(matches!(at, StampError::Form), "it was read: {at:?}");
    let above = ask_authority(&folder, Some(limits::STAMP_BYTES_MAX + 1)).await;
    assert!(matches!(above, StampError::Unreachable(UpstreamError::TooLarge)), "{above:?}");
}

#[tokio::test(start_paused = true)]
async fn whoever_says_nothing_is_waited_for_so_long_and_no_longer() {
    let folder = Folder::new();
    let begun = Instant::now();
    let failing = ask_witness(&folder, None).await;
    assert!(matches!(failing, Failing::Unreachable(UpstreamError::Deadline)), "{failing:?}");
    assert_eq!(begun.elapsed(), Duration::from_millis(limits::WITNESS_MS));
    let error = ask_authority(&folder, None).await;
    assert!(matches!(error, StampError::Unreachable(UpstreamError::Deadline)), "{error:?}");
    assert_eq!(begun.elapsed(), Duration::from_millis(2 * limits::WITNESS_MS));
}
