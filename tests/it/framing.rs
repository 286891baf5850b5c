//! Where a request ends and what becomes of the rest of it: bodies that nobody reads, fields that come twice, trailers,
//! expectations, and peers who speak to the wrong port.

use crate::abuse::peer::{
    DATA, END_HEADERS, END_STREAM, GET, HEADERS, HTTP1, HTTP2, POST, PREFACE, Peer, RST_STREAM, frame, head,
};
use crate::process::Scene;
use oncegate::base::limits;
use std::process::{Command, Output};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

const SILENT: &str = "records = \"off\"\n[limits]\nbody_ms = 2000\n";
const FUND: &str = "xx.demo.social-fund";
/// What nobody waits for longer than.
const LONG: Duration = Duration::from_secs(30);

/// Sends a request whole before it reads a word, as simple clients do; gives the response, and whether all was well.
async fn whole(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), head: &str, octets: usize) -> Result<String, std::io::Error> {
    stream.write_all(head.as_bytes()).await?;
    let portion = [b'<'; 64 << 10];
    let mut left = octets;
    while left > 0 {
        let count = left.min(portion.len());
        stream.write_all(&portion[..count]).await?;
        left -= count;
    }
    stream.flush().await?;
    let mut response = Vec::new();
    stream.read_to_end(&mut response).await?;
    Ok(String::from_utf8_lossy(&response).into_owned())
}

/// Each refusal that is given before the body was read.
const EARLY: [(&str, &str, &str); 6] = [
    ("POST /v1/messages HTTP/1.1\r\nhost: l\r\ncontent-type: application/xml\r\n", "413", "OG-HTTP-006"),
    ("POST /v1/nowhere HTTP/1.1\r\nhost: l\r\ncontent-type: application/xml\r\n", "404", "OG-HTTP-002"),
    ("PUT /v1/messages HTTP/1.1\r\nhost: l\r\n", "405", "OG-HTTP-003"),
    ("POST /v1/log/search HTTP/1.1\r\nhost: l\r\ncontent-type: text/plain\r\n", "415", "OG-HTTP-007"),
    ("POST /v1/messages HTTP/1.1\r\nhost: l\r\nhost: m\r\n", "400", "OG-HTTP-001"),
    ("POST /v1/messages HTTP/1.1\r\nhost: l\r\nexpect: a-miracle\r\n", "417", "OG-HTTP-011"),
];

#[test]
fn a_refusal_is_read_by_whoever_is_still_sending() {
    let scene = Scene::new(SILENT);
    let gateway = scene.start();
    let fund = Peer::new(&scene, FUND);
    let mut wrong = Vec::new();
    for (head, status, code) in EARLY {
        for octets in [2 << 20, 5 << 20, 50 << 20] {
            let head = format!("{head}content-length: {octets}\r\n\r\n");
            let said = scene.block_on(async {
                let mut stream = fund.tls(HTTP1).await.expect("a handshake");
                whole(&mut stream, &head, octets).await
            });
            match said {
                Ok(said) if said.starts_with(&format!("HTTP/1.1 {status} ")) && said.contains(code) => {
                    assert!(said.to_ascii_lowercase().contains("\r\nconnection: close\r\n"), "{said}");
                }
                other => wrong.push(format!("{code}, {octets} octets: {other:?}")),
            }
        }
    }
    for (head, status) in [("POST /v1/messages", 421), ("POST /health", 405), ("POST /nothing", 404)] {
        let said = scene.block_on(async {
            let mut stream = TcpStream::connect(scene.world().public_address()).await.expect("it listens");
            whole(&mut stream, &format!("{head} HTTP/1.1\r\nhost: l\r\ncontent-length: {}\r\n\r\n", 5 << 20), 5 << 20).await
        });
        if !said.as_ref().is_ok_and(|said| said.starts_with(&format!("HTTP/1.1 {status} "))) {
            wrong.push(format!("public, {head}: {said:?}"));
        }
    }
    // A length that nobody knows, and a head that is none.
    for (head, status) in [
        ("POST /v1/messages HTTP/1.1\r\nhost: l\r\ntransfer-encoding: chunked\r\n\r\n".to_owned(), "411"),
        (format!("GET /{} HTTP/1.1\r\nhost: l\r\n\r\n", "a".repeat(80 << 10)), "4"),
        ("NO SUCH THING\r\n\r\n".to_owned(), "400"),
    ] {
        let said = scene.block_on(async {
            let mut stream = fund.tls(HTTP1).await.expect("a handshake");
            whole(&mut stream, &head, 5 << 20).await
        });
        if !said.as_ref().is_ok_and(|said| said.starts_with(&format!("HTTP/1.1 {status}"))) {
            wrong.push(format!("{}: {said:?}", &head[..20]));
        }
    }
    gateway.stop();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What clients of other makers see of a body that is too large.
#[test]
fn clients_of_other_makers_see_why_a_body_was_refused() {
    let scene = Scene::new(SILENT);
    let gateway = scene.start();
    let folder = scene.world().agency_folder(FUND);
    let url = format!("https://{}/v1/messages", scene.world().exchange_address()).replace("127.0.0.1", "localhost");
    let python = "import http.client, ssl, sys\n\
        from urllib.parse import urlsplit\n\
        folder, url, octets = sys.argv[1], urlsplit(sys.argv[2]), int(sys.argv[3])\n\
        context = ssl.create_default_context(cafile=folder + '/ca.pem')\n\
        context.load_cert_chain(folder + '/tls.pem', folder + '/tls.key')\n\
        for turn in range(10):\n\
        \x20   there = http.client.HTTPSConnection(url.hostname, url.port, context=context, timeout=30)\n\
        \x20   there.request('POST', url.path, b'<' * octets, {'Content-Type': 'application/xml'})\n\
        \x20   print(there.getresponse().status)\n\
        try:\n\
        \x20   import requests\n\
        except ImportError:\n\
        \x20   sys.exit()\n\
        for turn in range(10):\n\
        \x20   print(requests.post(sys.argv[2], data=b'<' * octets, headers={'Content-Type': 'application/xml'}, timeout=30,\n\
        \x20       verify=folder + '/ca.pem', cert=(folder + '/tls.pem', folder + '/tls.key')).status_code)\n";
    for octets in [5_000_000, 50_000_000] {
        let mut command = Command::new("python3");
        let said = said(command.args(["-c", python]).arg(&folder).arg(&url).arg(octets.to_string()).output().expect("Python"));
        let statuses: Vec<&str> = said.lines().collect();
        assert!(statuses.len() >= 10 && statuses.iter().all(|status| *status == "413"), "{octets}: {statuses:?}");
        let body = scene.folder().join("body");
        std::fs::write(&body, vec![b'<'; octets]).expect("writable");
        for protocol in ["--http1.1", "--http2"] {
            let mut curl = Command::new("curl");
            curl.args([protocol, "--silent", "--show-error", "--max-time", "30", "--output", "/dev/null", "--write-out"]);
            curl.args(["%{http_code}", "--header", "Content-Type: application/xml", "--cacert"]).arg(folder.join("ca.pem"));
            curl.arg("--cert").arg(folder.join("tls.pem")).arg("--key").arg(folder.join("tls.key"));
            curl.arg("--data-binary").arg(format!("@{}", body.display())).arg(&url);
            let output = curl.output().expect("curl");
            assert_eq!(self::said(output), "413", "{protocol}, {octets}");
        }
    }
    gateway.stop();
}

/// The same for the HTTP client of the JDK, which reads while it sends.
#[test]
fn the_client_of_the_jdk_sees_why_a_body_was_refused() {
    const POST: &str = "import java.net.URI; import java.net.http.*;\n\
        public class Post { public static void main(String[] a) throws Exception {\n\
        byte[] body = new byte[Integer.parseInt(a[1])]; java.util.Arrays.fill(body, (byte) '<');\n\
        for (var version : HttpClient.Version.values()) for (int turn = 0; turn < 3; turn++) {\n\
        var client = HttpClient.newBuilder().version(version).build();\n\
        var request = HttpRequest.newBuilder(URI.create(a[0])).header(\"Content-Type\", \"application/xml\")\n\
        .POST(HttpRequest.BodyPublishers.ofByteArray(body)).build();\n\
        System.out.println(client.send(request, HttpResponse.BodyHandlers.ofString()).statusCode()); } } }\n";
    let scene = Scene::new(SILENT);
    let gateway = scene.start();
    let (own, folder) = (scene.world().agency_folder(FUND), scene.folder());
    let url = format!("https://localhost:{}/v1/messages", scene.world().exchange_address().port());
    std::fs::write(folder.join("Post.java"), POST).expect("writable");
    let run = |program: &str, arguments: &str| {
        said(Command::new(program).args(arguments.split_whitespace()).current_dir(folder).output().expect("it starts"))
    };
    let own = own.display();
    run("openssl", &format!("pkcs12 -export -in {own}/tls.pem -inkey {own}/tls.key -out own.p12 -passout pass:changeit"));
    run(
        "keytool",
        &format!("-importcert -noprompt -file {own}/ca.pem -keystore trust.p12 -storetype PKCS12 -storepass changeit"),
    );
    let store = |name: &str, file: &str| format!("-Djavax.net.ssl.{name}={file} -Djavax.net.ssl.{name}Password=changeit");
    let stores = format!("{} {}", store("keyStore", "own.p12"), store("trustStore", "trust.p12"));
    for octets in [5_000_000, 50_000_000] {
        let said = run("java", &format!("{stores} Post.java {url} {octets}"));
        assert_eq!(said.lines().collect::<Vec<_>>(), ["413"; 6], "{octets}");
    }
    gateway.stop();
}

fn said(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Frames of a connection: kind, flags, stream and payload.
async fn next_frame(stream: &mut (impl AsyncRead + Unpin)) -> Option<(u8, u8, u32, Vec<u8>)> {
    let mut front = [0; 9];
    stream.read_exact(&mut front).await.ok()?;
    let length = usize::from(front[0]) << 16 | usize::from(front[1]) << 8 | usize::from(front[2]);
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).await.ok()?;
    Some((front[3], front[4], u32::from_be_bytes([front[5], front[6], front[7], front[8]]), payload))
}

/// What a stream of HTTP/2 is told: the status, as it stands in the static table or as text, the problem, and the code of a reset
/// that came after the end.
#[derive(Debug, Default)]
struct Told {
    status: String,
    problem: String,
    reset: Option<u8>,
}

/// The status in a header block (RFC 7541, appendix A, or literal with a Huffman code or without).
fn status_of(block: &[u8]) -> String {
    match block {
        [0x88, ..] => "200".to_owned(),
        [0x8c, ..] => "400".to_owned(),
        [0x8d, ..] => "404".to_owned(),
        [_, length, rest @ ..] if length & 0x80 != 0 => huffman(rest.get(..usize::from(length & 0x7f)).unwrap_or_default()),
        [_, length, rest @ ..] => String::from_utf8_lossy(rest.get(..usize::from(*length)).unwrap_or_default()).into_owned(),
        _ => String::new(),
    }
}

/// Digits alone (RFC 7541, appendix B): 0 to 2 have five bits, the others six.
fn huffman(octets: &[u8]) -> String {
    let bits: String = octets.iter().map(|octet| format!("{octet:08b}")).collect();
    let mut rest = bits.as_str();
    let mut digits = String::new();
    while digits.len() < 3 && rest.len() >= 5 {
        let short = u8::from_str_radix(&rest[..5], 2).expect("bits");
        if short <= 2 {
            digits.push(char::from(b'0' + short));
            rest = &rest[5..];
        } else {
            let long = u8::from_str_radix(rest.get(..6).unwrap_or("0"), 2).expect("bits");
            digits.push(char::from(b'3' + long.wrapping_sub(0x19)));
            rest = rest.get(6..).unwrap_or("");
        }
    }
    digits
}

/// The flags of frames.
fn frames_of(mut octets: &[u8]) -> Vec<u8> {
    let mut all = Vec::new();
    while let [a, b, c, _, flags, _, _, _, _, rest @ ..] = octets {
        all.push(*flags);
        octets = rest.get(usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c)..).unwrap_or_default();
    }
    all
}

/// Sends frames on a connection of its own, and waits for what the first stream is told.
async fn told(peer: &Peer, frames: &[u8]) -> Told {
    // Whether the last frame leaves the stream open.
    let is_open = frames_of(frames).last().is_some_and(|flags| flags & END_STREAM == 0);
    let mut stream = peer.tls(HTTP2).await.expect("a handshake");
    stream.write_all(&[PREFACE, frames].concat()).await.expect("taken");
    let mut told = Told::default();
    let listening = async {
        let mut is_over = false;
        while let Some((kind, flags, on, payload)) = next_frame(&mut stream).await {
            match kind {
                HEADERS if on == 1 => told.status = status_of(&payload),
                DATA if on == 1 => told.problem += &String::from_utf8_lossy(&payload),
                RST_STREAM if on == 1 => {
                    told.reset = payload.last().copied();
                    return;
                }
                _ => {}
            }
            is_over |= on == 1 && matches!(kind, HEADERS | DATA) && flags & END_STREAM != 0;
            if is_over && told.reset.is_none() {
                // What comes of the rest comes when nothing more of it has come for a while.
                let pause = Duration::from_millis(limits::LINGER_PAUSE_MS + 1_000);
                let resets = async {
                    while let Some((kind, _, on, payload)) = next_frame(&mut stream).await {
                        if (kind, on) == (RST_STREAM, 1) {
                            return payload.last().copied();
                        }
                    }
                    None
                };
                if is_open {
                    told.reset = tokio::time::timeout(pause, resets).await.ok().flatten();
                }
                return;
            }
        }
    };
    tokio::time::timeout(LONG, listening).await.expect("it is answered");
    told
}

/// A field as a new literal, without an index (RFC 7541, section 6.2.2).
fn field(name: &str, value: &str) -> Vec<u8> {
    let length = |text: &str| u8::try_from(text.len()).expect("short");
    [&[0, length(name)], name.as_bytes(), &[length(value)], value.as_bytes()].concat()
}

fn posting(path: &str, more: &[(&str, &str)]) -> Vec<u8> {
    let mut block = head(POST, path);
    more.iter().for_each(|(name, value)| block.extend(field(name, value)));
    block
}

#[test]
fn on_http_2_a_refused_body_is_stopped_after_the_whole_answer_and_without_an_error() {
    let scene = Scene::new(SILENT);
    let gateway = scene.start();
    let fund = Peer::new(&scene, FUND);
    for (path, more, code) in [
        ("/v1/messages", &[("content-type", "application/xml"), ("content-length", "5000000")][..], "OG-HTTP-006"),
        ("/v1/messages", &[("content-type", "text/plain")], "OG-HTTP-007"),
        ("/v1/nowhere", &[], "OG-HTTP-002"),
    ] {
        let head = frame(HEADERS, END_HEADERS, 1, &posting(path, more));
        // What may be sent before the gateway has opened its windows.
        let data: Vec<u8> = (0..3).flat_map(|_| frame(DATA, 0, 1, &[b'<'; 16 << 10])).collect();
        let told = scene.block_on(told(&fund, &[head, data].concat()));
        assert!(told.problem.contains(code), "{code}: {told:?}");
        assert_eq!(told.reset, Some(0), "{code}: NO_ERROR");
    }
    gateway.stop();
}

#[test]
fn whoever_waits_to_be_told_to_go_on_is_told_something() {
    let scene = Scene::new(SILENT);
    let gateway = scene.start();
    let fund = Peer::new(&scene, FUND);
    let common = [("content-type", "application/xml"), ("content-length", "9")];
    let with = |expect: &'static str| [&common[..], &[("expect", expect)]].concat();
    let waiting = |expect| frame(HEADERS, END_HEADERS, 1, &posting("/v1/messages", &with(expect)));
    let begun = Instant::now();
    let answer = scene.block_on(told(&fund, &waiting("100-continue")));
    assert_eq!((answer.status.as_str(), answer.problem.contains("OG-HTTP-011")), ("417", true), "{answer:?}");
    assert!(begun.elapsed() >= Duration::from_millis(limits::EXPECT_MS));
    let sends = [waiting("100-Continue"), frame(DATA, END_STREAM, 1, b"<no-xml->")].concat();
    let answer = scene.block_on(told(&fund, &sends));
    assert!(answer.problem.contains("OG-MSG-001"), "whoever sends its body all the same is answered about that: {answer:?}");
    let answer = scene.block_on(told(&fund, &waiting("a-miracle")));
    assert_eq!(answer.status, "417", "{answer:?}");

    // HTTP/1.1: told to go on where the body is wanted, and the end of it where it is not.
    for (head, expected) in [
        ("POST /v1/messages HTTP/1.1\r\nhost: l\r\ncontent-type: application/xml\r\n", "HTTP/1.1 100 "),
        ("POST /v1/messages HTTP/1.1\r\nhost: l\r\ncontent-type: text/plain\r\n", "HTTP/1.1 415 "),
        ("POST /v1/nowhere HTTP/1.1\r\nhost: l\r\n", "HTTP/1.1 404 "),
    ] {
        let said = scene.block_on(async {
            let mut stream = fund.tls(HTTP1).await.expect("a handshake");
            let head = format!("{head}expect: 100-continue\r\ncontent-length: 9\r\n\r\n");
            stream.write_all(head.as_bytes()).await.expect("taken");
            let mut octets = [0; 13];
            stream.read_exact(&mut octets).await.expect("something");
            String::from_utf8_lossy(&octets).into_owned()
        });
        assert_eq!(said, expected);
    }
    gateway.stop();
}

#[test]
fn a_field_that_is_no_list_comes_once() {
    let scene = Scene::new(SILENT);
    let gateway = scene.start();
    let fund = Peer::new(&scene, FUND);
    let twice = [
        ("content-type", "application/xml", "text/xml"),
        ("content-type", "application/xml", "application/xml"),
        ("authorization", "Bearer a", "Bearer b"),
        ("expect", "100-continue", "100-continue"),
        ("user-agent", "a", "b"),
        ("range", "bytes=0-1", "bytes=2-3"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00"),
    ];
    for (name, one, other) in twice {
        let block = posting("/v1/messages", &[(name, one), (name, other), ("content-length", "3")]);
        let answer =
            scene.block_on(told(&fund, &[frame(HEADERS, END_HEADERS, 1, &block), frame(DATA, END_STREAM, 1, b"<a>")].concat()));
        assert!(answer.status == "400" && answer.problem.contains(&format!("{name} comes twice")), "{name}: {answer:?}");
        let head = format!("POST /v1/messages HTTP/1.1\r\nhost: l\r\n{name}: {one}\r\n{name}: {other}\r\nconnection: close\r\n");
        let said = scene.block_on(async {
            let mut stream = fund.tls(HTTP1).await.expect("a handshake");
            whole(&mut stream, &format!("{head}content-length: 3\r\n\r\n"), 3).await
        });
        let said = said.expect("an answer");
        assert!(said.starts_with("HTTP/1.1 400 ") && said.contains(&format!("{name} comes twice")), "{name}: {said}");
    }
    // Lists may come in parts.
    for (name, one, other) in
        [("accept", "application/json", "text/xml"), ("prefer", "wait=1", "respond-async"), ("via", "1.1 a", "1.1 b")]
    {
        let block = [head(GET, "/health"), field(name, one), field(name, other)].concat();
        let answer = scene.block_on(told(&fund, &frame(HEADERS, END_HEADERS | END_STREAM, 1, &block)));
        assert_eq!(answer.status, "200", "{name}: {answer:?}");
    }
    gateway.stop();
}

#[test]
fn trailers_are_refused_whatever_they_hold() {
    let scene = Scene::new(SILENT);
    let gateway = scene.start();
    let fund = Peer::new(&scene, FUND);
    let trailers = [
        [field(":path", "/other"), field("x", "y")].concat(),
        field(":method", "GET"),
        field("content-length", "3"),
        field("content-type", "text/html"),
        field("authorization", "Bearer a"),
        field("x-checksum", "a"),
    ];
    for trailer in &trailers {
        for (method, path) in [(POST, "/v1/messages"), (GET, "/health")] {
            let block = [head(method, path), field("content-type", "application/xml")].concat();
            let frames = [
                frame(HEADERS, END_HEADERS, 1, &block),
                frame(DATA, 0, 1, b"<a>"),
                frame(HEADERS, END_HEADERS | END_STREAM, 1, trailer),
            ];
            let answer = scene.block_on(told(&fund, &frames.concat()));
            let is_refused = answer.problem.contains("trailer fields are not taken") || answer.reset == Some(1);
            assert!(is_refused, "{path}, {}: {answer:?}", String::from_utf8_lossy(trailer));
        }
    }
    gateway.stop();
}

/// The connection goes on after a small body that was refused unread, and its next request is not taken for the rest of it.
#[test]
fn a_small_body_that_was_refused_leaves_the_connection_open() {
    let scene = Scene::new(SILENT);
    let gateway = scene.start();
    let fund = Peer::new(&scene, FUND);
    for refused in [
        "POST /v1/messages HTTP/1.1\r\nhost: l\r\ncontent-type: text/plain\r\n",
        "POST /v1/nowhere HTTP/1.1\r\nhost: l\r\n",
        "PUT /v1/messages HTTP/1.1\r\nhost: l\r\n",
        "GET /health HTTP/1.1\r\nhost: l\r\n",
    ] {
        let said = scene.block_on(async {
            let mut stream = fund.tls(HTTP1).await.expect("a handshake");
            let next = "GET /v1/openapi.json HTTP/1.1\r\nhost: l\r\nconnection: close\r\n\r\n";
            let both = format!("{refused}content-length: 100000\r\n\r\n{}{next}", "<".repeat(100_000));
            whole(&mut stream, &both, 0).await.expect("two answers")
        });
        assert_eq!(said.matches("HTTP/1.1 ").count(), 2, "{refused}: {said:.300}");
        assert!(said.contains("\"openapi\""), "{refused}");
    }
    gateway.stop();
}

#[test]
fn whoever_speaks_to_the_wrong_port_is_told_which_one_is_right() {
    let scene = Scene::new(SILENT);
    let mut gateway = scene.start();
    let fund = Peer::new(&scene, FUND);
    let plain = scene.block_on(async {
        let mut stream = fund.tcp().await.expect("it listens");
        whole(&mut stream, "POST /v1/messages HTTP/1.1\r\nhost: l\r\ncontent-length: 100000\r\n\r\n", 100_000).await
    });
    let plain = plain.expect("an answer");
    assert!(plain.starts_with("HTTP/1.1 400 ") && plain.contains("OG-HTTP-001") && plain.contains("https://"), "{plain}");
    gateway.says("speaks HTTP without TLS");

    let misdirected = |request: &'static str| {
        scene.block_on(async {
            let mut stream = TcpStream::connect(scene.world().public_address()).await.expect("it listens");
            whole(&mut stream, &format!("{request} HTTP/1.1\r\nhost: l\r\nconnection: close\r\n\r\n"), 0)
                .await
                .expect("an answer")
        })
    };
    for request in
        ["POST /v1/messages", "GET /v1/catalogue", "GET /v1/messages/01990a5d-ac96-774b-8cce-b302099a8057", "DELETE /v1/trail"]
    {
        let said = misdirected(request);
        let is_told = said.starts_with("HTTP/1.1 421 ") && said.contains("OG-HTTP-012") && said.contains("exchange listener");
        assert!(is_told, "{request}: {said}");
    }
    let said = scene.block_on(async {
        let mut stream = fund.tls(HTTP1).await.expect("a handshake");
        whole(&mut stream, "GET /metrics HTTP/1.1\r\nhost: l\r\nconnection: close\r\n\r\n", 0).await.expect("an answer")
    });
    assert!(said.starts_with("HTTP/1.1 421 ") && said.contains("public listener"), "{said}");

    let mut openssl = Command::new("openssl");
    openssl.args(["s_client", "-connect", &scene.world().public_address().to_string()]);
    let output = openssl.stdin(std::process::Stdio::null()).output().expect("openssl");
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(words.contains("alert handshake failure"), "{words}");
    gateway.says("spoke TLS to the public listener");
    gateway.stop();
}
