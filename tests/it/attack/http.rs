//! Attacks on HTTP/1.1: framing, heads, media. Each over a TLS connection of its own; what is hidden behind a request is
//! never answered.

use super::SECRET;
use super::bench::{Attack, Bench, How, List};

/// Refused by a code of ours, or by a bare 400 where the head could not be read at all.
const BROKEN: &[&str] = &["400", "OG-HTTP-001", "OG-HTTP-005"];
const LENGTH: &[&str] = &["OG-HTTP-005", "400"];

const COMMON: &str = "Host: localhost\r\nAccept: application/json\r\n";
const HIDDEN: &str = "GET /v1/hidden HTTP/1.1\r\nHost: localhost\r\n\r\n";

fn post(headers: &str, body: &str) -> How {
    How::Raw(format!("POST /v1/messages HTTP/1.1\r\n{COMMON}Content-Type: application/xml\r\n{headers}\r\n{body}").into_bytes())
}

fn get(path: &str, headers: &str) -> How {
    How::Raw(format!("GET {path} HTTP/1.1\r\n{COMMON}Connection: close\r\n{headers}\r\n").into_bytes())
}

pub fn framing(bench: &Bench<'_>) -> Vec<Attack> {
    let mut list = List::new("framing");
    let message = bench.signed();
    let length = message.len();
    let chunked = format!("{length:x}\r\n{message}\r\n0\r\n\r\n");
    let own = format!("Content-Length: {length}\r\n");
    let te = "Transfer-Encoding: chunked\r\n";
    for (name, headers) in [
        ("chunked", te.to_owned()),
        ("length, then chunked", format!("{own}{te}")),
        ("chunked, then length", format!("{te}{own}")),
        ("length, chunked, length", format!("{own}{te}{own}")),
        ("chunked twice", format!("{te}{te}")),
        ("chunked, chunked in one field", "Transfer-Encoding: chunked, chunked\r\n".to_owned()),
        ("a length of 0 and chunked", format!("Content-Length: 0\r\n{te}")),
        ("a length of 4 and chunked", format!("Content-Length: 4\r\n{te}")),
        ("identity and a length", format!("Transfer-Encoding: identity\r\n{own}")),
        ("gzip, chunked", format!("Transfer-Encoding: gzip, chunked\r\n{own}")),
        ("chunked, gzip", format!("Transfer-Encoding: chunked, gzip\r\n{own}")),
        ("chunked, identity", format!("Transfer-Encoding: chunked, identity\r\n{own}")),
        ("xchunked", format!("Transfer-Encoding: xchunked\r\n{own}")),
        ("chunked in capitals", format!("Transfer-Encoding: CHUNKED\r\n{own}")),
        ("chunked with a tab", format!("Transfer-Encoding:\tchunked\r\n{own}")),
        ("chunked in quotes", format!("Transfer-Encoding: \"chunked\"\r\n{own}")),
        ("chunked; q=1", format!("Transfer-Encoding: chunked;q=1\r\n{own}")),
        ("chunked with a vertical tab", format!("Transfer-Encoding: \x0bchunked\r\n{own}")),
        ("chunked with an octet of Latin-1", format!("Transfer-Encoding: chunked\u{e9}\r\n{own}")),
        ("an empty coding", format!("Transfer-Encoding: \r\n{own}")),
        ("a comma", format!("Transfer-Encoding: ,chunked\r\n{own}")),
    ] {
        list.add(name, LENGTH, post(&headers, &(chunked.clone() + HIDDEN)));
    }
    for (name, headers) in [
        ("a space before the colon", format!("{own}Transfer-Encoding : chunked\r\n")),
        ("a folded coding", format!("{own}Transfer-Encoding:\r\n chunked\r\n")),
        ("a NUL in the coding", format!("{own}Transfer-Encoding: chun\0ked\r\n")),
        ("a lone CR", format!("{own}X: a\rTransfer-Encoding: chunked\r\n")),
        ("a space before the name", format!(" Transfer-Encoding: chunked\r\n{own}")),
        ("two lengths that differ", format!("{own}Content-Length: 1\r\n")),
        ("two lengths, the other order", format!("Content-Length: 1\r\n{own}")),
        ("lengths in a list that differ", format!("Content-Length: {length}, 1\r\n")),
        ("a signed length", format!("Content-Length: +{length}\r\n")),
        ("a negative length", "Content-Length: -1\r\n".to_owned()),
        ("a length in hexadecimal", format!("Content-Length: 0x{length:x}\r\n")),
        ("a length with a fraction", format!("Content-Length: {length}.0\r\n")),
        ("a length in another script", "Content-Length: \u{661}\u{660}\r\n".to_owned()),
        ("an empty length", "Content-Length: \r\n".to_owned()),
        ("a length with a letter", format!("Content-Length: {length}a\r\n")),
        ("a length with a space inside", "Content-Length: 1 0\r\n".to_owned()),
        ("a length beyond 64 bits", "Content-Length: 18446744073709551616\r\n".to_owned()),
        ("a space before the length's colon", format!("Content-Length : {length}\r\n")),
    ] {
        list.add(name, BROKEN, post(&headers, &(message.clone() + HIDDEN)));
    }
    list.add("no length", LENGTH, post("", ""));
    list.add("no length, and a body", LENGTH, post("", &message));
    list.add("a length above the limit", &["OG-HTTP-006"], post("Content-Length: 1048577\r\n", ""));
    list.add("a length of a terabyte", &["OG-HTTP-006"], post("Content-Length: 1099511627776\r\n", ""));
    list.add("the greatest length", &["OG-HTTP-006", "431"], post("Content-Length: 18446744073709551615\r\n", ""));
    list.add("a length of 0", &["OG-XML-002"], post("Content-Length: 0\r\nConnection: close\r\n", ""));
    list.add(
        "less than the length",
        &["OG-HTTP-004", "OG-HTTP-010"],
        post(&format!("Content-Length: {}\r\n", length + 1), &message),
    );
    list.add(
        "HTTP/1.0 and chunked",
        LENGTH,
        How::Raw(format!("POST /v1/messages HTTP/1.0\r\n{COMMON}{te}\r\n{chunked}").into_bytes()),
    );
    list.attacks
}

#[expect(clippy::too_many_lines, reason = "a table of attacks")]
pub fn heads(_: &Bench<'_>) -> Vec<Attack> {
    let mut list = List::new("head");
    let raw = |text: &str| How::Raw(text.as_bytes().to_vec());
    for (name, text) in [
        ("garbage", "\x16\x03\x01\x02\0\x01\0".to_owned() + "\r\n\r\n"),
        ("no version", "GET /v1/catalogue\r\n\r\n".to_owned()),
        ("HTTP/0.9", "GET /v1/catalogue HTTP/0.9\r\nHost: x\r\n\r\n".to_owned()),
        ("HTTP/1.2", "GET /v1/catalogue HTTP/1.2\r\nHost: x\r\n\r\n".to_owned()),
        ("HTTP/9.9", "GET /v1/catalogue HTTP/9.9\r\nHost: x\r\n\r\n".to_owned()),
        ("the version in small letters", "GET /v1/catalogue http/1.1\r\nHost: x\r\n\r\n".to_owned()),
        ("two spaces", "GET  /v1/catalogue HTTP/1.1\r\nHost: x\r\n\r\n".to_owned()),
        ("a space in the path", "GET /v1/cat alogue HTTP/1.1\r\nHost: x\r\n\r\n".to_owned()),
        ("a space at the front", " GET /v1/catalogue HTTP/1.1\r\nHost: x\r\n\r\n".to_owned()),
        ("a method with a space", "GE T /v1/catalogue HTTP/1.1\r\nHost: x\r\n\r\n".to_owned()),
        ("a method with a colon", "GE:T /v1/catalogue HTTP/1.1\r\nHost: x\r\n\r\n".to_owned()),
        ("an empty method", " /v1/catalogue HTTP/1.1\r\nHost: x\r\n\r\n".to_owned()),
        ("a NUL in the path", "GET /v1/\0 HTTP/1.1\r\nHost: x\r\n\r\n".to_owned()),
        ("a NUL in a name", format!("GET /v1/nothing HTTP/1.1\r\n{COMMON}X\0: a\r\n\r\n")),
        ("a NUL in a value", format!("GET /v1/nothing HTTP/1.1\r\n{COMMON}X: a\0b\r\n\r\n")),
        ("a CR in a value", format!("GET /v1/nothing HTTP/1.1\r\n{COMMON}X: a\rb\r\n\r\n")),
        ("a space before a colon", format!("GET /v1/nothing HTTP/1.1\r\n{COMMON}X : a\r\n\r\n")),
        ("a tab before a colon", format!("GET /v1/nothing HTTP/1.1\r\n{COMMON}X\t: a\r\n\r\n")),
        ("no colon", format!("GET /v1/nothing HTTP/1.1\r\n{COMMON}X\r\n\r\n")),
        ("no name", format!("GET /v1/nothing HTTP/1.1\r\n{COMMON}: a\r\n\r\n")),
        ("a folded field", format!("GET /v1/nothing HTTP/1.1\r\n{COMMON}X: a\r\n b\r\n\r\n")),
        ("a fold at once", "GET /v1/nothing HTTP/1.1\r\n Host: x\r\n\r\n".to_owned()),
        ("letters beyond ASCII in a name", format!("GET /v1/nothing HTTP/1.1\r\n{COMMON}\u{416}: a\r\n\r\n")),
        ("a bracket in a name", format!("GET /v1/nothing HTTP/1.1\r\n{COMMON}X(1): a\r\n\r\n")),
        ("no host", "GET /v1/nothing HTTP/1.1\r\nConnection: close\r\n\r\n".to_owned()),
        ("two hosts", format!("GET /v1/nothing HTTP/1.1\r\n{COMMON}Host: other\r\nConnection: close\r\n\r\n")),
        ("two hosts in one", "GET /v1/nothing HTTP/1.1\r\nHost: a, b\r\nConnection: close\r\n\r\n".to_owned()),
    ] {
        list.add(name, BROKEN, raw(&text));
    }
    for method in ["DELETE", "PUT", "PATCH", "OPTIONS", "TRACE", "JUNK", "get", "M-SEARCH", "PROPFIND"] {
        let text = format!("{method} /v1/messages HTTP/1.1\r\n{COMMON}Connection: close\r\n\r\n");
        list.add(format!("the method {method}"), &["OG-HTTP-003"], raw(&text));
    }
    list.add(
        "CONNECT",
        &["OG-HTTP-002", "OG-HTTP-003", "400"],
        raw(&format!("CONNECT 127.0.0.1:80 HTTP/1.1\r\n{COMMON}Connection: close\r\n\r\n")),
    );
    for path in [
        "/",
        "/v1",
        "/v1/",
        "//v1/catalogue",
        "/v1/catalogue/",
        "/V1/catalogue",
        "/v1/%63atalogue",
        "/v1/../v1/catalogue",
        "/v1/./catalogue",
        "/../../etc/passwd",
        "/..%2f..%2fetc%2fpasswd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/v1/catalogue;a=b",
        "/v1/schemas/../../Cargo.toml",
        "/v1/schemas/..%2fkeys",
        "/v1/schemas/message-1.xsd%00",
        "/v1/examples/../x",
        "/v1/examples/%c0%af",
        "/log/../gateway.toml",
        "/log/tile/../../x",
        "/log/tile/0/..%2f",
        "/log/tile/-1/000",
        "/log/tile/99999999999999999999/000",
        "/log/tile/0/x000",
        "/.git/config",
        "/admin",
        "/metrics",
        "/v1/messages",
        "/v1/log/records/18446744073709551616/receipt/x",
    ] {
        let codes: &[&str] = &["OG-HTTP-002", "OG-HTTP-003", "OG-HTTP-012", "OG-AUD", "OG-MSG-018", "400"];
        list.add(format!("the path {path}"), codes, get(path, ""));
    }
    for id in [
        SECRET,
        "..",
        "%2e%2e",
        "*",
        "'",
        "01990a5d-ac96-774b-8cce-b302099a8057",
        "01990A5D-AC96-774B-8CCE-B302099A8057",
        "0",
        "%00",
    ] {
        for rest in ["", "/answer", "/receipt"] {
            list.add(
                format!("the message {id}{rest}"),
                &["OG-MSG-018", "OG-AUD-004", "OG-HTTP-002"],
                get(&format!("/v1/messages/{id}{rest}"), ""),
            );
        }
    }
    for index in ["-1", "18446744073709551615", "18446744073709551616", "0x1", "1e3", " 1", SECRET] {
        let path = format!("/v1/log/records/{index}");
        list.add(format!("the record {index}"), &["OG-AUD-004", "OG-AUD-001", "OG-HTTP-002", "400"], get(&path, ""));
    }
    for query in [
        "from=2026",
        "since=\u{2028}",
        "code=OG-XML-999",
        "limit=-1",
        "limit=99999999999",
        "cursor=../..",
        "cursor=AAAA",
        "consumer=*",
        "consumer=xx.demo.clinic-3'--",
        "q=%00",
        "kind=%ff",
        "person=XX-OGTEST%7C99000000136",
        "=",
        "a=b=c",
        "limit=1&limit=2",
        "consumer=zq-secret-81.",
    ] {
        let encoded: String = query.chars().map(|c| if c.is_ascii() { c.to_string() } else { "%E2%80%A8".to_owned() }).collect();
        list.add(format!("the query {query}"), &["OG-AUD", "OG-HTTP-002"], get(&format!("/v1/log/records?{encoded}"), ""));
    }
    list.add("a path of 20,000", &["OG-HTTP-008", "400", "414", "431"], get(&format!("/{}", "a".repeat(20_000)), ""));
    list.add("a path of 70,000", &["OG-HTTP-008", "400", "414", "431"], get(&format!("/{}", "a".repeat(70_000)), ""));
    list.add("a field of 20,000", &["OG-HTTP-008", "431"], get("/v1/nothing", &format!("X: {}\r\n", "a".repeat(20_000))));
    list.add("a field of a mebibyte", &["OG-HTTP-008", "431"], get("/v1/nothing", &format!("X: {}\r\n", "a".repeat(1 << 20))));
    list.add("a name of 70,000", &["OG-HTTP-008", "431", "400"], get("/v1/nothing", &format!("{}: a\r\n", "x".repeat(70_000))));
    for count in [100, 1_000, 20_000] {
        list.add(format!("{count} fields"), &["OG-HTTP-008", "431"], get("/v1/nothing", &"X: a\r\n".repeat(count)));
    }
    list.attacks
}

pub fn media(bench: &Bench<'_>) -> Vec<Attack> {
    let mut list = List::new("media");
    let message = bench.signed();
    let mut put = |name: &str, headers: &str| {
        let text = format!(
            "POST /v1/messages HTTP/1.1\r\n{COMMON}Connection: close\r\n{headers}Content-Length: {}\r\n\r\n{message}",
            message.len()
        );
        list.add(name, &["OG-HTTP-007"], How::Raw(text.into_bytes()));
    };
    put("no media type", "");
    for media in [
        "text/plain",
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/soap+xml",
        "text/html",
        "application/xml-dtd",
        "*/*",
        "",
        "application/xml,text/xml",
        SECRET,
        "application/xml; charset=utf-16",
        "application/xml; charset=iso-8859-1",
        "application/xml; charset=windows-1251",
        "application/xml; charset=utf-7",
        "text/xml; charset=us-ascii",
        "application/xml; charset=\"\"",
    ] {
        put(&format!("the media type {media:?}"), &format!("Content-Type: {media}\r\n"));
    }
    for coding in ["gzip", "deflate", "br", "zstd", "compress", "gzip, gzip", "identity, gzip", "x-unknown", "*", ""] {
        put(&format!("the coding {coding:?}"), &format!("Content-Type: application/xml\r\nContent-Encoding: {coding}\r\n"));
    }
    list.attacks
}
