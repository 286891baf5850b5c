//! Heads of HTTP requests: octets go through the connection that both listeners have, to the checks of the exchange.

use hyper::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, Version};
use oncegate::base::limits;
use oncegate::faces::api::check_head;
use oncegate::host::transport::{Inbound, Protocol, declared_length, full, read_body, serve};
use std::cell::LazyCell;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::runtime::{Builder, Runtime};

thread_local! {
    static RUNTIME: LazyCell<Runtime> = LazyCell::new(|| Builder::new_current_thread().enable_time().build().expect("a runtime"));
}

/// A request as it got through.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    method: String,
    target: String,
    hosts: Vec<Vec<u8>>,
    lengths: Vec<Vec<u8>>,
    body: Vec<u8>,
    /// Whether the gateway would have gone on with it.
    is_let_through: bool,
}

/// What is let through has one host, no coding and the body it declares; on HTTP/1.1 (first octet even) its body is what
/// stands behind its head, the next request begins behind that, and whatever a strict reader takes for N whole requests is
/// N requests. Odd is HTTP/2.
pub fn http_head(input: &[u8]) {
    let Some((kind, octets)) = input.split_first() else { return };
    let protocol = if kind % 2 == 0 { Protocol::Http1 } else { Protocol::Http2 };
    let seen = served(octets, protocol);
    let are_all_through = seen.iter().take_while(|seen| seen.is_let_through).count();
    if protocol == Protocol::Http1 {
        framed(octets, &seen[..are_all_through]);
        let (strict, is_all) = strictly(octets);
        for (seen, strict) in seen.iter().zip(&strict) {
            let read = (&seen.method, &seen.target, &seen.body);
            assert_eq!(read, (&strict.method, &strict.target, &strict.body), "read as another request");
            assert!(seen.is_let_through, "a good request is refused: {seen:?}");
        }
        assert!(!is_all || seen.len() == strict.len(), "{} whole requests were read as {}", strict.len(), seen.len());
    }
}

fn served(octets: &[u8], protocol: Protocol) -> Vec<Seen> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let list = Arc::clone(&seen);
    let service = service_fn(move |request: Request<Inbound>| {
        let list = Arc::clone(&list);
        async move {
            let (one, status) = taken(request).await;
            list.lock().expect("nobody panics").extend(one);
            let mut response = Response::new(full(""));
            *response.status_mut() = status;
            Ok::<_, Infallible>(response)
        }
    });
    let waiting = Arc::clone(&seen);
    let count = move || waiting.lock().expect("nobody panics").len();
    RUNTIME.with(|runtime| {
        runtime.block_on(async {
            let (mut near, far) = tokio::io::duplex(4 << 20);
            near.write_all(octets).await.expect("there is room");
            let (_stop, stopped) = tokio::sync::watch::channel(false);
            let serving = tokio::spawn(serve(far, protocol, service, stopped));
            // A peer that goes away while its request is worked on gets no answer, so it stays until nothing happens any more.
            let (mut quiet, mut before) = (0, 0);
            while quiet < TURNS && !serving.is_finished() {
                tokio::task::yield_now().await;
                let now = count();
                quiet = if now == before { quiet + 1 } else { 0 };
                before = now;
            }
            drop(near);
            serving.await.expect("nothing panics behind the connection")
        })
    });
    std::mem::take(&mut *seen.lock().expect("nobody panics"))
}

/// Turns of the runtime after which a connection on which nothing was noted is quiet.
const TURNS: usize = 24;

/// Does what the exchange listener does before it knows who asks, and notes what it has seen. One whose body did not come
/// whole is not noted: nothing is done for it.
async fn taken(request: Request<Inbound>) -> (Option<Seen>, StatusCode) {
    let checked = check_head(&request);
    let (head, body) = request.into_parts();
    let values = |name| head.headers.get_all(name).iter().map(|value| value.as_bytes().to_vec()).collect::<Vec<_>>();
    let mut one = Seen {
        method: head.method.to_string(),
        target: head.uri.to_string(),
        hosts: values(HOST),
        lengths: values(CONTENT_LENGTH),
        body: Vec::new(),
        is_let_through: false,
    };
    let declared = declared_length(head.version, &head.headers, limits::MESSAGE_BYTES_MAX);
    if checked.is_err() || (declared.is_err() && head.headers.contains_key(CONTENT_LENGTH)) {
        return (Some(one), StatusCode::BAD_REQUEST);
    }
    assert!(!head.headers.contains_key(TRANSFER_ENCODING), "a coding is let through");
    assert!(one.hosts.len() == 1 || (head.version != Version::HTTP_11 && one.hosts.is_empty()), "hosts: {:?}", one.hosts);
    assert!(one.hosts.iter().flatten().all(|octet| octet.is_ascii_graphic() && !b"/?#@\\,\"".contains(octet)), "{:?}", one.hosts);
    assert!(one.lengths.len() <= 1, "lengths: {:?}", one.lengths);
    assert!(one.target.len() <= limits::HEAD_BYTES_MAX && head.headers.len() <= limits::HEADERS_MAX);
    one.is_let_through = true;
    if declared.is_ok() {
        let deadline = Duration::from_millis(limits::BODY_MS);
        match read_body(head.version, &head.headers, body, limits::MESSAGE_BYTES_MAX, deadline).await {
            Ok(octets) => one.body = octets,
            Err(_) => return (None, StatusCode::BAD_REQUEST),
        }
        let declared = one.lengths.first().map(|length| String::from_utf8_lossy(length).parse::<usize>());
        assert!(declared.is_none_or(|declared| declared == Ok(one.body.len())), "{} octets: {:?}", one.body.len(), one.lengths);
    }
    (Some(one), StatusCode::OK)
}

/// Each body stands behind the first empty line after the request before.
fn framed(octets: &[u8], seen: &[Seen]) {
    let mut rest = octets;
    for one in seen {
        while let [b'\r' | b'\n', after @ ..] = rest {
            rest = after;
        }
        let lines = |at: &usize| rest[*at..].starts_with(b"\n\n") || rest[*at..].starts_with(b"\n\r\n");
        let end = (0..rest.len()).find(lines).expect("a head ends");
        assert!(rest.starts_with(one.method.as_bytes()), "{} does not begin here", one.method);
        rest = &rest[end + if rest[end + 1] == b'\n' { 2 } else { 3 }..];
        assert!(rest.starts_with(&one.body), "a body from another place");
        rest = &rest[one.body.len()..];
    }
}

/// What a small and strict reader of RFC 9112 takes for whole requests, from the first; and whether that is all.
fn strictly(octets: &[u8]) -> (Vec<Seen>, bool) {
    let (mut rest, mut read) = (octets, Vec::new());
    while !rest.is_empty() {
        let Some((one, after)) = strict(rest) else { return (read, false) };
        read.push(one);
        rest = after;
    }
    (read, true)
}

fn strict(octets: &[u8]) -> Option<(Seen, &[u8])> {
    let end = octets.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&octets[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, target, version) = (first.next()?, first.next()?, first.next()?);
    let is_plain = |text: &str| text.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"/-._".contains(&octet));
    if !matches!(method, "GET" | "POST" | "PUT" | "DELETE") || !target.starts_with('/') || !is_plain(target) {
        return None;
    }
    if version != "HTTP/1.1" || first.next().is_some() || head.len() > 4096 {
        return None;
    }
    let (mut hosts, mut lengths, mut types) = (Vec::new(), Vec::new(), 0);
    for (number, line) in lines.enumerate() {
        let (name, value) = line.split_once(": ")?;
        let is_known =
            matches!(name.to_ascii_lowercase().as_str(), "host" | "content-length" | "accept" | "content-type" | "prefer" | "x");
        if !is_known || value.is_empty() || number == 32 || !value.bytes().all(|octet| octet.is_ascii_graphic()) {
            return None;
        }
        match name.to_ascii_lowercase().as_str() {
            "host" => hosts.push(value.as_bytes().to_vec()),
            "content-length" => lengths.push(value.as_bytes().to_vec()),
            "content-type" => types += 1,
            _ => {}
        }
    }
    // It is no list, so it comes once (RFC 9110, section 5.3).
    if types > 1 {
        return None;
    }
    let is_host = hosts.len() == 1 && is_plain(std::str::from_utf8(&hosts[0]).ok()?) && !hosts[0].contains(&b'/');
    let length = match lengths.as_slice() {
        [] => 0,
        [length] if length.len() <= 5 && length.iter().all(u8::is_ascii_digit) => {
            std::str::from_utf8(length).ok()?.parse::<usize>().ok()?
        }
        _ => return None,
    };
    let body = octets.get(end + 4..end + 4 + length).filter(|_| is_host)?;
    let (method, target) = (method.to_owned(), target.to_owned());
    let one = Seen { method, target, hosts, lengths, body: body.to_vec(), is_let_through: true };
    Some((one, &octets[end + 4 + length..]))
}

/// Requests one after the other, with what smugglers try; and one of HTTP/2.
pub fn requests() -> Vec<Vec<u8>> {
    let post = "POST /v1/messages HTTP/1.1\r\nHost: gw\r\nContent-Type: application/xml\r\nContent-Length: 5\r\n\r\nhello";
    let get = "GET /health HTTP/1.1\r\nHost: gw\r\n\r\n";
    let chunked = "5\r\nhello\r\n0\r\n\r\n";
    let mut all: Vec<Vec<u8>> = [
        post.to_owned(),
        get.to_owned(),
        format!("{post}{get}{post}"),
        post.replace("Content-Length: 5", "Content-Length: 5\r\nContent-Length: 5"),
        post.replace("Content-Length: 5", "Content-Length: 05") + get,
        post.replace("Content-Length: 5", "Content-Length: 5\r\nTransfer-Encoding: chunked").replace("hello", chunked) + get,
        post.replace("Content-Length: 5", "Transfer-Encoding: chunked").replace("hello", chunked) + get,
        post.replace("Content-Length: 5", "Transfer-Encoding : chunked") + get,
        post.replace("Content-Length: 5", "Content-Length: 5\r\n Transfer-Encoding: chunked") + get,
        get.replace("Host: gw", "Host: gw\r\nHost: other"),
        get.replace("/health", "http://other/health"),
        get.replace("/health", "*").replace("GET", "OPTIONS"),
        get.replace("\r\n", "\n"),
        get.replace("HTTP/1.1\r\nHost: gw", "HTTP/1.0"),
        get.replace("Host: gw", "Host: gw\r\nConnection: upgrade\r\nUpgrade: h2c"),
        post.replace("Host: gw", "Host: gw\r\nExpect: 100-continue\r\nPrefer: wait=3"),
    ]
    .iter()
    .map(|text| [&[0], text.as_bytes()].concat())
    .collect();
    // The preface, empty settings, and a head of a GET with `:authority` as a literal (RFC 7541, appendix B is not needed).
    let block = [&[0x82, 0x87, 0x84, 0x41, 2][..], b"gw"].concat();
    let frame = [&[0, 0, block.len() as u8, 1, 5, 0, 0, 0, 1][..], &block].concat();
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    all.push([&[1], &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &settings, &frame].concat());
    all
}
