//! As many connections as a listener of plain HTTP has room for, and one more.

use std::io::ErrorKind;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Asks over a connection that stays open; it is answered once there is room for it.
async fn is_answered(stream: &mut TcpStream, path: &str) -> bool {
    ask(stream, path).await;
    let mut octets = [0; 4096];
    let count = stream.read(&mut octets).await.expect("a response");
    octets[..count].starts_with(b"HTTP/1.1 200")
}

async fn ask(stream: &mut TcpStream, path: &str) {
    let request = format!("GET {path} HTTP/1.1\r\nhost: l\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("it is taken");
}

/// All of so many connections are served; the next one is not, until one of them is gone.
pub async fn has_room_for(address: SocketAddr, most: usize, path: &str) {
    allow_files(most as u64 * 2 + 256);
    let mut inside = Vec::with_capacity(most);
    for number in 0..most {
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        assert!(is_answered(&mut stream, path).await, "{number}");
        inside.push(stream);
    }
    let mut next = TcpStream::connect(address).await.expect("it listens");
    ask(&mut next, path).await;
    // Meanwhile it would have been answered many times.
    for stream in inside.iter_mut().take(100) {
        assert!(is_answered(stream, path).await);
    }
    let read = next.try_read(&mut [0]);
    assert!(read.as_ref().is_err_and(|error| error.kind() == ErrorKind::WouldBlock), "{read:?} beyond {most}");
    drop(inside.pop());
    assert!(next.read(&mut [0]).await.is_ok_and(|count| count == 1));
}

/// Lets this process, and those that it starts from now on, have at least so many files open.
pub fn allow_files(count: u64) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    // Other tests of this process want some too.
    const AMPLE: u64 = 16 << 10;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_some_and(|current| current < AMPLE) {
        let current = maximum.map_or(AMPLE, |maximum| maximum.min(AMPLE));
        assert!(current >= count, "the hard limit of open files is {current}");
        setrlimit(Resource::Nofile, Rlimit { current: Some(current), maximum }).expect("not above the hard limit");
    }
}
