//! Services that answer in JSON, as sources.
//!
//! Host and path are fixed; what a question says is written into the path or the query octet by octet, so that nothing of it can become
//! another path. No redirect is followed, no proxy asked. That there is none is only what `absent` says or an empty list: any other
//! status than 200, another media type and a text that is no JSON are outages, whatever they look like.

use super::answer::{Gathering, Parameter, Presence, Question, columns, now, optional, rows_max, secret, too_large, within_ms};
use super::config::{Absent, Method};
use super::json::{Json, Pointer, put};
use super::{HttpConfig, SourceError};
use crate::base::fault::{Code, nearest};
use crate::base::limits;
use crate::exchange::mapping::{Asked, Table};
use crate::host::config::is_loopback;
use crate::host::transport::{Fetch, Fetcher, Received, UpstreamError, trust, trust_nobody};
use crate::rules::registry::{Endpoint, Scheme};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A service that is asked.
pub(super) struct HttpSource {
    /// Its path is filled anew for each question.
    at: Endpoint,
    pieces: Vec<Piece>,
    method: Method,
    token: Option<String>,
    fetcher: Fetcher,
    deadline: Duration,
    reading: Reading,
}

/// How an answer is read.
struct Reading {
    rows: Pointer,
    columns: Arc<[Box<str>]>,
    /// For each column where it is in a row, and whether it must be there.
    cells: Vec<(Pointer, Presence)>,
    absent_status: Option<u16>,
    absent_value: Option<(Pointer, String)>,
    rows_max: usize,
}

/// A piece of the address behind the host.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Fixed(String),
    Filled(Parameter),
}

impl HttpSource {
    pub fn open(config: &HttpConfig, folder: &Path) -> Result<Self, SourceError> {
        let (at, pieces) = address(&config.url).map_err(wrong)?;
        let tls = match (at.scheme, &config.authorities) {
            (Scheme::Https, Some(authorities)) => trust(&folder.join(authorities)),
            (Scheme::Https, None) => return Err(wrong("authorities is needed for https: the PEM file with whom to believe")),
            (Scheme::Http, _) => trust_nobody(),
        };
        let tls = tls.map_err(|error| wrong(format!("authorities: {error}")))?;
        let said = config.deadline.map(super::Span::duration);
        Ok(Self {
            at,
            pieces,
            method: config.method,
            token: config.token_file.as_ref().map(|file| secret(&folder.join(file))).transpose()?,
            fetcher: Fetcher::new(tls),
            deadline: within_ms("deadline", said, limits::SOURCE_ANSWER_MS, limits::SOURCE_ANSWER_MS)?,
            reading: Reading::of(config)?,
        })
    }

    pub fn columns(&self) -> Arc<[Box<str>]> {
        Arc::clone(&self.reading.columns)
    }

    pub async fn rows(&self, asked: &Asked) -> Result<Table, SourceError> {
        let mut at = self.at.clone();
        at.url.path = fill(&self.pieces, asked)?;
        let mut headers = vec![("accept", "application/json".to_owned())];
        headers.extend(self.token.iter().map(|token| ("authorization", format!("Bearer {token}"))));
        let body = match self.method {
            Method::Get => None,
            Method::Post => Some(("application/json", Question::of(asked).line()?)),
        };
        let fetch = Fetch { body, headers, answer_bytes_max: limits::SOURCE_ANSWER_BYTES_MAX, deadline: self.deadline };
        let received = self.fetcher.fetch(&at, fetch).await.map_err(|error| match error {
            UpstreamError::TooLarge => too_large(),
            // What was not understood of an answer may be part of it, so the kind alone is said.
            UpstreamError::Broken(_) => unavailable("the answer was broken off, or is no HTTP"),
            UpstreamError::Unreachable(cause) => unavailable(format!("not reached: {cause}")),
            UpstreamError::Status(..) | UpstreamError::Deadline | UpstreamError::Parts(_) => unavailable("no answer in time"),
        })?;
        self.reading.read(&received)
    }
}

impl Reading {
    fn of(config: &HttpConfig) -> Result<Self, SourceError> {
        let pointer = |key: &str, text: &str| {
            Pointer::parse(text).ok_or_else(|| wrong(format!("{key} is no JSON pointer, which begins with a solidus")))
        };
        let columns = columns(config.columns.keys().map(String::as_str))?;
        let presences = optional(&config.optional, &columns)?;
        let pointers = config.columns.iter().map(|(name, text)| pointer(&format!("columns.{name}"), text));
        let cells = pointers.zip(presences).map(|(pointer, presence)| Ok((pointer?, presence))).collect::<Result<_, _>>()?;
        let absent = config.absent.clone().unwrap_or(Absent { status: None, pointer: None, is: None });
        let absent_value = match (absent.pointer, absent.is) {
            (Some(text), Some(is)) => Some((pointer("absent.pointer", &text)?, is)),
            (None, None) => None,
            _ => {
                return Err(wrong("absent has pointer and is together: where it is said that there is none, and by which value"));
            }
        };
        if absent.status.is_some_and(|status| !(400..500).contains(&status)) {
            return Err(wrong(
                "absent.status is from 400 to 499: others say that something went wrong, or that there is something",
            ));
        }
        let (rows, rows_max) = (pointer("rows", &config.rows)?, rows_max(config.rows_max)?);
        Ok(Self { rows, columns, cells, absent_status: absent.status, absent_value, rows_max })
    }

    fn read(&self, received: &Received) -> Result<Table, SourceError> {
        let mut gathering = Gathering::new(&self.columns, self.rows_max);
        let status = received.status.as_u16();
        if self.absent_status == Some(status) {
            return Ok(gathering.finish(now()));
        }
        if status != 200 {
            let hint = match status {
                300..=399 => "; redirects are not followed",
                404 => "; if that means that there is none, say so: absent = { status = 404 }",
                _ => "",
            };
            return Err(unavailable(format!("status {status}{hint}")));
        }
        let media_type = received.headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
        if !is_json(media_type) {
            return Err(unavailable("the answer is no JSON by its media type"));
        }
        let no_json = |_| unavailable("the answer is no JSON, or has a name twice in one object");
        let answer = Json::parse(&received.body).map_err(no_json)?;
        if let Some((pointer, is)) = &self.absent_value
            && let Some(Json::Scalar(said)) = answer.at(pointer).map_err(no_json)?
            && said == is.as_str()
        {
            return Ok(gathering.finish(now()));
        }
        match answer.at(&self.rows).map_err(no_json)? {
            Some(Json::List(items)) => {
                for item in items {
                    self.row(&Json::of(item).map_err(no_json)?, &mut gathering)?;
                }
            }
            Some(row @ Json::Object(_)) => self.row(&row, &mut gathering)?,
            Some(Json::Nothing | Json::Scalar(_)) | None => {
                return Err(changed("where rows are said to be is neither a list nor an object"));
            }
        }
        Ok(gathering.finish(now()))
    }

    fn row(&self, row: &Json, gathering: &mut Gathering) -> Result<(), SourceError> {
        if !matches!(row, Json::Object(_)) {
            return Err(changed("a row is no object"));
        }
        for (name, (pointer, presence)) in self.columns.iter().zip(&self.cells) {
            let no_json = |_| changed(format!("column {name:?} cannot be read"));
            put(row.at(pointer).map_err(no_json)?, name, *presence, gathering)?;
        }
        gathering.end_row(None)
    }
}

/// Takes an address apart: where the service is, and what comes behind.
fn address(url: &str) -> Result<(Endpoint, Vec<Piece>), String> {
    let form = "url is https://HOST/PATH, with {scheme}, {value}, {from}, {to} and {today} in path and query alone";
    let host_at = url.find("://").map(|at| at + 3).ok_or(form)?;
    let path_at = url.get(host_at..).and_then(|rest| rest.find(['/', '?'])).map_or(url.len(), |at| host_at + at);
    let (base, behind) = url.split_at_checked(path_at).ok_or(form)?;
    let at = Endpoint::parse(base).ok_or(form)?;
    if at.scheme == Scheme::Http && !is_loopback(&at.url.host) {
        return Err("url is https, or http with a loopback address such as 127.0.0.1".to_owned());
    }
    let behind = if behind.starts_with('/') { behind.to_owned() } else { format!("/{behind}") };
    let (mut pieces, mut rest) = (Vec::new(), behind.as_str());
    while let Some((fixed, inside)) = rest.split_once('{') {
        let (name, after) = inside.split_once('}').ok_or(form)?;
        let Some(parameter) = Parameter::named(name) else {
            let meant = nearest(name, Parameter::ALL.iter().map(|(known, _)| *known)).unwrap_or("value");
            return Err(format!("url: there is no {{{name}}}; did you mean {{{meant}}}?"));
        };
        pieces.extend([Piece::Fixed(fixed.to_owned()), Piece::Filled(parameter)]);
        rest = after;
    }
    pieces.push(Piece::Fixed(rest.to_owned()));
    let plain = |octet: u8| octet.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?%".contains(&octet);
    let is_plain = |piece: &Piece| !matches!(piece, Piece::Fixed(text) if !text.bytes().all(plain));
    if pieces.iter().all(is_plain) { Ok((at, pieces)) } else { Err(form.to_owned()) }
}

/// What is behind the host for a question. A value that is a step up the path in some server's eyes is none that can be asked for.
fn fill(pieces: &[Piece], asked: &Asked) -> Result<String, SourceError> {
    let filled = |piece: &Piece| match piece {
        Piece::Fixed(text) => text.clone(),
        Piece::Filled(parameter) => escaped(&parameter.of(asked).unwrap_or_default()),
    };
    let path: String = pieces.iter().map(filled).collect();
    let steps = path.split('?').next().unwrap_or_default().replace("%2F", "/");
    if steps.split('/').any(|step| matches!(step, "." | "..")) {
        return Err(SourceError::new(Code::SrcSelector, "the identifier would be another path of the service"));
    }
    Ok(path)
}

/// As a part of a path or of a query: nothing but what means nothing there stays as it is (RFC 3986, section 2.3).
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for octet in text.bytes() {
        if octet.is_ascii_alphanumeric() || b"-._~".contains(&octet) {
            escaped.push(char::from(octet));
        } else {
            escaped.push_str(&format!("%{octet:02X}"));
        }
    }
    escaped
}

/// `application/json`, or something in JSON: `application/fhir+json`.
fn is_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.strip_prefix("application/").is_some_and(|kind| kind == "json" || kind.ends_with("+json"))
}

fn wrong(what: impl Into<String>) -> SourceError {
    SourceError::new(Code::AgtFile, what)
}

fn unavailable(what: impl Into<String>) -> SourceError {
    SourceError::new(Code::SrcUnavailable, what)
}

fn changed(what: impl Into<String>) -> SourceError {
    SourceError::new(Code::SrcChanged, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::Identifier;
    use crate::base::time::Day;

    fn asked(value: &str) -> Asked {
        let person = Identifier::parse("XX-ANY", value).expect("an identifier");
        Asked { person, from: Day::parse("2026-01-02"), to: None, today: Day::parse("2026-03-04").expect("a day") }
    }

    #[test]
    fn a_question_is_filled_in_octet_by_octet() {
        let filled = |url: &str, value: &str| fill(&address(url).expect(url).1, &asked(value)).map_err(|error| error.code);
        let url = "https://r.example/p/{value}.json?s={scheme}&f={from}&t={to}&d={today}";
        assert_eq!(filled(url, "A+1/B").as_deref(), Ok("/p/A%2B1%2FB.json?s=XX-ANY&f=2026-01-02&t=&d=2026-03-04"));
        assert_eq!(filled("https://r.example?v={value}", "..").as_deref(), Ok("/?v=.."));
        for value in ["..", ".", "A/../B", "../.."] {
            assert_eq!(filled("https://r.example/p/{value}", value), Err(Code::SrcSelector), "{value}");
        }
        assert_eq!(filled("https://r.example/p/{value}", "..A").as_deref(), Ok("/p/..A"));
        assert_eq!(escaped("a b/?#&=%'\"\0Ж"), "a%20b%2F%3F%23%26%3D%25%27%22%00%D0%96");
    }

    #[test]
    fn an_address_has_a_fixed_host_and_known_names() {
        for url in [
            "https://{value}/",
            "https://r.example:{value}/",
            "https://u@r.example/{value}",
            "https://r.example/{vaule}",
            "https://r.example/{value",
            "https://r.example/value}",
            "https://r.example/a#{value}",
            "https://r.example/a b",
            "http://r.example/{value}",
            "http://127.0.0.1.example/{value}",
            "ftp://r.example/",
            "r.example/{value}",
        ] {
            assert!(address(url).is_err(), "{url}");
        }
        for url in ["https://r.example", "https://r.example:8443/a?b={value}", "http://127.0.0.1:80/{value}", "http://[::1]:1/"] {
            assert!(address(url).is_ok(), "{url}");
        }
    }

    #[test]
    fn what_says_that_there_is_none_is_said_in_full() {
        let open = |more: &str| {
            let text = format!("url = \"http://127.0.0.1:1/{{value}}\"\ncolumns = {{ a = \"/a\" }}\n{more}");
            HttpSource::open(&toml::from_str(&text).expect(more), Path::new("/nowhere")).map(|_| ()).map_err(|error| error.what)
        };
        for good in [
            "",
            "absent = { status = 404 }",
            "absent = { pointer = \"/total\", is = \"0\" }",
            "optional = [\"a\"]",
            "deadline = \"5s\"",
        ] {
            assert_eq!(open(good), Ok(()), "{good}");
        }
        for (bad, words) in [
            ("absent = { pointer = \"/total\" }", "together"),
            ("absent = { status = 500 }", "from 400"),
            ("absent = { status = 200 }", "from 400"),
            ("absent = { pointer = \"total\", is = \"0\" }", "JSON pointer"),
            ("rows = \"data\"", "JSON pointer"),
            ("optional = [\"b\"]", "did you mean \"a\"?"),
            ("deadline = \"5001ms\"", "deadline"),
            ("token_file = \"none\"", "/nowhere/none"),
        ] {
            let said = open(bad).expect_err(bad);
            assert!(said.contains(words), "{bad}: {said}");
        }
    }

    #[test]
    fn json_is_known_by_its_media_type() {
        for good in ["application/json", "Application/JSON; charset=utf-8", "application/fhir+json"] {
            assert!(is_json(good), "{good}");
        }
        for bad in ["", "text/html", "text/json", "application/xml", "application/jsonp", "json"] {
            assert!(!is_json(bad), "{bad}");
        }
    }
}
