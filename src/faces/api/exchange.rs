//! The exchange listener: agency systems, known by their client certificate.

use super::attachments;
use super::evidence;
use super::log::{Reader, TrailPage};
use super::problem::{Form, insert, problem};
use super::{Listeners, catalogue, common, no_such_path, preference, respond};
use crate::base::fault::{Code, Fault};
use crate::base::ids::{AgencyId, Digest, MessageId};
use crate::base::limits;
use crate::exchange::admission::{Peer, Refusal};
use crate::exchange::ledger::{Known, Release};
use crate::exchange::work::Stage;
use crate::gateway::driver::{Carried, Gateway, Refused, Replayed, Reply, Telling, Visit, Wait, World};
use crate::host::transport::{Body, Held, Inbound, forget, full, read_body, read_body_as};
use crate::message::parts::is_related;
use crate::rules::quota::{MESSAGES, READS, Standing};
use hyper::body::Body as _;
use hyper::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_LOCATION, CONTENT_RANGE, CONTENT_TYPE, DATE, EXPECT, FROM, HOST,
    HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_RANGE, IF_UNMODIFIED_SINCE, MAX_FORWARDS, PROXY_AUTHORIZATION, RANGE, REFERER,
    RETRY_AFTER, TRANSFER_ENCODING, USER_AGENT,
};
use hyper::http::request::Parts;
use hyper::service::Service;
use hyper::{HeaderMap, Method, Request, Response, StatusCode, Uri, Version};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// Where signed messages are sent to: what is about cases has paths of its own, and is a message like any other.
fn is_of_messages(path: &str) -> bool {
    let is_of_cases = matches!(super::segments(path).as_slice(), ["v1", "cases"] | ["v1", "cases", _, "orders"]);
    is_of_cases || matches!(path, "/v1/messages" | "/v1/trail")
}

/// The API of one connection.
#[derive(Clone)]
pub struct ExchangeApi {
    gateway: Arc<Gateway>,
    certificate: Digest,
}

impl ExchangeApi {
    /// The API for the client with this certificate.
    pub fn new(gateway: Arc<Gateway>, certificate: Digest) -> Self {
        Self { gateway, certificate }
    }

    /// Answers a request. Each kind is a future of its own, of its own size: there are as many workers waiting at inboxes as there
    /// are connections.
    fn answer(self, request: Request<Inbound>) -> Answering {
        let form = Form::preferred(request.headers());
        // Copied, since a part of the head keeps all of it.
        let trace = request.headers().get("traceparent").and_then(|trace| HeaderValue::from_bytes(trace.as_bytes()).ok());
        let dress = Dress { form, trace, is_head: request.method() == Method::HEAD };
        if let Err(fault) = check_head(&request) {
            return Box::pin(async move { Ok(dress.refused(&self.refuse(fault).await)) });
        }
        match (request.method(), request.uri().path()) {
            (&Method::POST, path) if is_of_messages(path) => {
                Box::pin(async move { Ok(dress.put_on(self.message(request).await)) })
            }
            (&Method::GET, "/v1/inbox") => Box::pin(async move { Ok(dress.put_on(self.inbox(request).await)) }),
            _ => Box::pin(async move { Ok(dress.put_on(self.read(request).await)) }),
        }
    }

    /// What has a signed message as its body, and uses the quota of messages.
    async fn message(&self, request: Request<Inbound>) -> Outcome {
        let (head, body) = request.into_parts();
        let content_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
        let has_parts = head.uri.path() == "/v1/messages" && is_related(content_type);
        let limits = self.gateway.limits();
        let limit = if has_parts { attachments::body_bytes_max(&limits) } else { limits.message_bytes };
        let declared = crate::host::transport::declared_length(head.version, &head.headers, limit);
        // Of several parts only the first has its room before it comes.
        let visit = match declared.and_then(|length| self.gateway.enter(&self.certificate, length.filter(|_| !has_parts))) {
            Ok(visit) => visit,
            Err(fault) => return self.not_now(fault, MESSAGES).await,
        };
        let slot = Arc::clone(visit.slot());
        let standing = slot.standing();
        let mut result = match head.uri.path() {
            path if path != "/v1/trail" => match self.take(visit, &head, body).await {
                Ok(reply) => self.write(reply, &head.headers).await,
                Err(refused) => Err(refused),
            },
            _ => self.citizens_trail(visit, head, body).await,
        };
        if let Ok(response) = &mut result {
            // An exchange is open until its answer has been taken: else nothing would bound those that are kept for it.
            response.extensions_mut().insert(Held::new(slot));
        }
        (result, Some(standing))
    }

    /// A worker that comes for what waits, and may wait for it: of its request nothing is kept meanwhile.
    async fn inbox(&self, request: Request<Inbound>) -> Outcome {
        let (reader, standing) = match self.enter_as_reader() {
            Ok(entered) => entered,
            Err(fault) => return Box::pin(self.not_read(fault)).await,
        };
        let query = request.uri().query().unwrap_or("").to_owned();
        let result = match Box::pin(forget(request.into_body())).await {
            Ok(()) => reader.inbox(&query).await,
            Err(fault) => Err(fault),
        };
        self.read_to_the_end(&reader, standing, result).await
    }

    /// Everything else, which uses the quota of reads.
    async fn read(&self, request: Request<Inbound>) -> Outcome {
        let (reader, standing) = match self.enter_as_reader() {
            Ok(entered) => entered,
            Err(fault) => return self.not_read(fault).await,
        };
        let (head, body) = request.into_parts();
        let result = match (&head.method, head.uri.path()) {
            (&Method::POST, "/v1/log/search") => self.search_log(&reader, head, body).await,
            (&Method::HEAD, path) if let Some(sha256) = attachments::named(path) => {
                attachments::head(&self.gateway, &reader.agency, sha256)
            }
            (&Method::GET, path) => {
                // What nobody reads would be kept by HTTP/2 for as long as the answer takes.
                match forget(body).await {
                    Ok(()) => self.get(&reader, path, head.uri.query().unwrap_or(""), &head.headers).await,
                    Err(fault) => Err(fault),
                }
            }
            (&Method::POST, path) => match super::segments(path).as_slice() {
                // Only of what is there is the body waited for.
                ["v1", "inbox", lease, what @ ("ack" | "nack" | "extend")] => match forget(body).await {
                    Ok(()) => reader.lease_is(lease, what).await,
                    Err(fault) => Err(fault),
                },
                _ => Err(no_such_path(Listeners::Exchange, &Method::POST, path)),
            },
            (method, path) => Err(no_such_path(Listeners::Exchange, method, path)),
        };
        self.read_to_the_end(&reader, standing, result).await
    }

    /// Whoever is at the other end, as a reader with quota left.
    fn enter_as_reader(&self) -> Result<(Reader, Standing), NotRead> {
        let reader = self.reader().map_err(NotRead::Unknown)?;
        let standing = reader.world.quotas.read(reader.peer.agency()).map_err(NotRead::TooMuch)?;
        Ok((reader, standing))
    }

    async fn not_read(&self, why: NotRead) -> Outcome {
        match why {
            NotRead::Unknown(fault) => (Err(self.refuse(fault).await), None),
            NotRead::TooMuch(fault) => self.not_now(fault, READS).await,
        }
    }

    /// What was read uses the quota by its length; what was refused is recorded.
    async fn read_to_the_end(&self, reader: &Reader, standing: Standing, result: Result<Response<Body>, Fault>) -> Outcome {
        match result {
            Ok(response) => {
                let octets = response.body().size_hint().exact().unwrap_or(0);
                let reads = u32::try_from(octets / limits::READ_BYTES).unwrap_or(u32::MAX);
                reader.world.quotas.charge_reads(reader.peer.agency(), reads);
                (Ok(response), Some(standing))
            }
            Err(fault) => (Err(Box::pin(self.refuse(fault)).await), Some(standing)),
        }
    }

    /// Refuses somebody whose quota is used up, and says how it stands.
    async fn not_now(&self, fault: Fault, policy: &'static str) -> Outcome {
        let known = self.gateway.identify(&self.certificate).ok().filter(|_| fault.code == Code::LimRequests);
        let standing = known.and_then(|(world, peer)| world.quotas.used_up(peer.agency(), policy));
        (Err(self.refuse(fault).await), standing)
    }

    async fn take(&self, mut visit: Visit, head: &Parts, body: Inbound) -> Result<Reply, Refused> {
        let content_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
        let read = if is_related(content_type) {
            attachments::read(&self.gateway, &mut visit, (&head.headers, content_type), body).await
        } else {
            self.read_message(&mut visit, head, body).await.map(Carried::from)
        };
        match read {
            Ok(carried) => self.gateway.submit(visit, carried, self.wait(&head.headers)).await,
            Err(fault) => Err(self.refuse(fault).await),
        }
    }

    /// Writes what a message led to.
    async fn write(&self, reply: Reply, headers: &HeaderMap) -> Result<Response<Body>, Refused> {
        let (id, release, replayed) = match reply {
            Reply::Cancelled { id, question, logged } => return Ok(cancelled(id, question, logged)),
            Reply::Answered { id, release, replayed } => (id, release, replayed),
            Reply::Accepted { id, logged: Some(index) } => return Ok(accepted(id, Some(index))),
            // An answer that was awaited: what comes of it is told to its consumer, so there is nothing to come back for.
            Reply::Accepted { id, logged: None } => return Ok(taken(id)),
        };
        match self.write_answer(id, release, replayed, headers) {
            Ok(response) => Ok(response),
            Err(fault) => Err(self.refuse(fault).await),
        }
    }

    /// An answer, with its attachments for whoever takes several parts.
    fn write_answer(
        &self,
        id: MessageId,
        release: Release,
        replayed: Replayed,
        headers: &HeaderMap,
    ) -> Result<Response<Body>, Fault> {
        let index = release.logged().index();
        let mut response = if attachments::are_accepted(headers) {
            let (_, peer) = self.gateway.identify(&self.certificate)?;
            attachments::with_parts(&self.gateway, peer.agency(), release.into_octets())?
        } else {
            respond(StatusCode::OK, "application/xml", release.into_octets())
        };
        let headers = response.headers_mut();
        mark(headers, id, Some(index));
        if replayed == Replayed::Yes {
            insert(headers, "oncegate-replayed", "true");
        }
        Ok(response)
    }

    /// Reads a message within limit, deadline and quota.
    async fn read_message(&self, visit: &mut Visit, head: &Parts, body: Inbound) -> Result<Vec<u8>, Fault> {
        check_media_type(&head.headers)?;
        let limits = self.gateway.limits();
        let deadline = Duration::from_millis(limits.body_ms);
        let is_declared = head.headers.contains_key(CONTENT_LENGTH);
        let room = |octets| if is_declared { Ok(()) } else { self.gateway.make_room(visit, octets) };
        read_body_as(head.version, &head.headers, body, limits.message_bytes, deadline, room).await
    }

    /// Whoever is at the other end, as a reader.
    fn reader(&self) -> Result<Reader, Fault> {
        let (world, peer) = self.gateway.identify(&self.certificate)?;
        let agency = world.registry.agency(peer.agency()).map(|agency| agency.id.clone());
        let agency = agency.ok_or_else(|| Fault::new(Code::TlsUnknownCertificate))?;
        Ok(Reader { gateway: Arc::clone(&self.gateway), world, peer, agency })
    }

    async fn search_log(&self, reader: &Reader, head: Parts, body: Inbound) -> Result<Response<Body>, Fault> {
        check_json(&head.headers)?;
        let deadline = Duration::from_millis(self.gateway.limits().body_ms);
        let octets = read_body(head.version, &head.headers, body, limits::QUERY_BYTES_MAX, deadline).await?;
        reader.search(&octets).await
    }

    /// A portal's signed request for what is known of accesses to a citizen's data.
    async fn citizens_trail(&self, mut visit: Visit, head: Parts, body: Inbound) -> Result<Response<Body>, Refused> {
        let read = async {
            let page = TrailPage::parse(head.uri.query().unwrap_or(""))?;
            let octets = self.read_message(&mut visit, &head, body).await?;
            Ok((page, octets, self.reader()?))
        };
        let (page, octets, reader) = match read.await {
            Ok(read) => read,
            Err(fault) => return Err(self.refuse(fault).await),
        };
        let granted = self.gateway.grant_trail(&visit, octets).await?;
        match reader.citizens_trail(&granted, &page).await {
            Ok(response) => Ok(response),
            Err(fault) => Err(self.refuse(fault).await),
        }
    }

    async fn get(&self, reader: &Reader, path: &str, query: &str, headers: &HeaderMap) -> Result<Response<Body>, Fault> {
        let Reader { world, peer, agency, .. } = reader;
        if let Some(response) = common(&self.gateway, path, query) {
            return Ok(response);
        }
        match super::segments(path).as_slice() {
            ["v1", "attachments", sha256] => attachments::get(&self.gateway, agency, sha256, headers),
            ["v1", "cases", id] => reader.case(id, "", query).await,
            ["v1", "cases", id, "events"] => reader.case_events(id, query).await,
            ["v1", "cases", id, what @ ("timeline" | "form")] => reader.case(id, what, query).await,
            ["v1", "catalogue"] => Ok(self.catalogue(world, peer)),
            ["v1", "messages", id] => self.state(agency, id, headers).await,
            ["v1", "messages", id, "answer"] => self.earlier_answer(agency, id, headers).await,
            ["v1", "messages", id, "receipt"] => reader.receipts(id).await,
            ["v1", "messages", id, "refusals"] => reader.refusals(id).await,
            ["log", ..] => {
                let file = evidence::file(&self.gateway, path, reader.leaves()).await?;
                file.ok_or_else(|| no_such_path(Listeners::Exchange, &Method::GET, path))
            }
            segments => {
                let found = reader.get(segments, query).await;
                found.unwrap_or_else(|| Err(no_such_path(Listeners::Exchange, &Method::GET, path)))
            }
        }
    }

    fn catalogue(&self, world: &World, peer: &Peer) -> Response<Body> {
        respond(StatusCode::OK, "application/json", catalogue::catalogue(&self.gateway, world, peer.agency()))
    }

    async fn known(&self, agency: &AgencyId, id: &str, headers: &HeaderMap) -> Result<(MessageId, Known), Fault> {
        let id = MessageId::parse(id).ok_or_else(|| Fault::new(Code::MsgUnknown))?;
        let wait = preference(headers).0.map_or(Duration::ZERO, |seconds| self.bounded(seconds));
        let known = self.gateway.known_within(agency, id, wait).await?;
        known.map(|known| (id, known)).ok_or_else(|| Fault::new(Code::MsgUnknown))
    }

    async fn state(&self, agency: &AgencyId, id: &str, headers: &HeaderMap) -> Result<Response<Body>, Fault> {
        let (id, known) = self.known(agency, id, headers).await?;
        let stage = self.gateway.stage(agency, id);
        let (state, code) = match known {
            Known::Open if matches!(stage, Some(Stage::Delivered(_))) => ("delivered", None),
            Known::Open => ("accepted", None),
            Known::Settled(place) => match self.gateway.event(place) {
                Some(Telling::Published) => ("published", self.gateway.withheld(place).map(Code::as_str)),
                Some(Telling::Waits) => ("accepted", None),
                Some(Telling::Expired) => ("expired", Some(Code::RteDeadline.as_str())),
                None => ("answered", None),
            },
            Known::Refused(code @ Code::RteDeadline) => ("expired", Some(code.as_str())),
            Known::Refused(code @ Code::MsgCancelled) => ("cancelled", Some(code.as_str())),
            Known::Refused(code @ (Code::RteNoHolder | Code::RteUnreachable)) => ("undeliverable", Some(code.as_str())),
            Known::Refused(code) => ("refused", Some(code.as_str())),
        };
        let asked_again = match stage {
            Some(Stage::Delivered(again)) => again.map(|at| at.to_string()),
            _ => None,
        };
        let body = serde_json::json!({ "messageId": id.to_string(), "state": state, "code": code, "askedAgainAt": asked_again });
        Ok(respond(StatusCode::OK, "application/json", body.to_string()))
    }

    async fn earlier_answer(&self, agency: &AgencyId, id: &str, headers: &HeaderMap) -> Result<Response<Body>, Fault> {
        match self.known(agency, id, headers).await? {
            (_, Known::Settled(place)) if self.gateway.event(place).is_some() => {
                Err(Fault::at(Code::MsgUnknown, "it is an event: nobody answers it"))
            }
            (id, Known::Settled(place)) => self.write_answer(id, self.gateway.answer_again(place)?, Replayed::Yes, headers),
            (id, Known::Open) => Ok(accepted(id, None)),
            (_, Known::Refused(code)) => {
                Err(Fault::at(Code::MsgUnknown, format!("there is no answer: the exchange ended with {code}")))
            }
        }
    }

    fn wait(&self, headers: &HeaderMap) -> Wait {
        match preference(headers) {
            (_, true) => Wait::Not,
            (Some(seconds), _) => Wait::UpTo(self.bounded(seconds)),
            (None, _) => Wait::UpTo(Duration::from_millis(limits::WAIT_MS_DEFAULT.min(self.gateway.limits().wait_ms))),
        }
    }

    fn bounded(&self, seconds: u64) -> Duration {
        bounded(seconds, self.gateway.limits().wait_ms)
    }

    async fn refuse(&self, fault: Fault) -> Refused {
        self.gateway.refuse(&self.certificate, 0, Refusal::new(fault)).await
    }
}

impl Service<Request<Inbound>> for ExchangeApi {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: Request<Inbound>) -> Self::Future {
        self.clone().answer(request)
    }
}

type Answering = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

/// What a request led to, and how its sender stands with the quota.
type Outcome = (Result<Response<Body>, Refused>, Option<Standing>);

/// Why somebody may not read.
enum NotRead {
    /// Nobody knows them.
    Unknown(Fault),
    /// Their quota is used up.
    TooMuch(Fault),
}

/// What a response has beside what it says.
struct Dress {
    form: Form,
    trace: Option<HeaderValue>,
    is_head: bool,
}

impl Dress {
    fn put_on(self, (result, standing): Outcome) -> Response<Body> {
        let mut response = result.unwrap_or_else(|refused| problem(&refused, self.form));
        let headers = response.headers_mut();
        if let Some(Standing { policy, per_minute, remaining }) = standing {
            // draft-ietf-httpapi-ratelimit-headers: what is left of the burst, and the window of the policy in seconds.
            insert(headers, "ratelimit-policy", &format!("\"{policy}\";q={per_minute};w=60"));
            insert(headers, "ratelimit", &format!("\"{policy}\";r={remaining};t=60"));
        }
        if let Some(trace) = self.trace {
            headers.insert("traceparent", trace);
        }
        if self.is_head { attachments::without_body(response) } else { response }
    }

    /// A request whose head is wrong has no part in quotas.
    fn refused(self, refused: &Refused) -> Response<Body> {
        let response = problem(refused, self.form);
        if self.is_head { attachments::without_body(response) } else { response }
    }
}

fn bounded(seconds: u64, wait_ms: u64) -> Duration {
    Duration::from_millis(seconds.saturating_mul(1000).min(wait_ms))
}

/// On any path: hyper drops `Content-Length` where `Transfer-Encoding` is there as well, and with it the sender's own word
/// about where its request ends.
fn check_framing(headers: &HeaderMap) -> Result<(), Fault> {
    if headers.contains_key(TRANSFER_ENCODING) {
        return Err(Fault::at(Code::HttpLengthRequired, "Transfer-Encoding is not taken"));
    }
    Ok(())
}

/// What is checked of every request before anything else: its host, its framing, and the limit of the whole head, which
/// hyper holds on HTTP/2 only, where on HTTP/1.1 it reads far more.
pub fn check_head<B>(request: &Request<B>) -> Result<(), Fault> {
    check_host(request)?;
    let fields = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
    let line = request.method().as_str().len() + length_of(request.uri()) + 12;
    let size = fields.fold(line, usize::saturating_add);
    if size > limits::HEAD_BYTES_MAX {
        return Err(Fault::at(Code::HttpHeadTooLarge, format!("{size} bytes; the limit is {}", limits::HEAD_BYTES_MAX)));
    }
    check_framing(request.headers())?;
    check_single(request.headers())?;
    check_expectation(request.headers())
}

/// The length of what is asked for, as a request has it.
fn length_of(target: &Uri) -> usize {
    let scheme = target.scheme_str().map_or(0, |scheme| scheme.len() + "://".len());
    let authority = target.authority().map_or(0, |authority| authority.as_str().len());
    scheme + authority + target.path_and_query().map_or(0, |path| path.as_str().len())
}

/// RFC 9110, section 5.3: only a field that is a list may come twice. Of two that are none each reader would take another.
fn check_single(headers: &HeaderMap) -> Result<(), Fault> {
    if headers.len() == headers.keys_len() {
        return Ok(());
    }
    match SINGLE.iter().find(|name| headers.get_all(*name).iter().nth(1).is_some()) {
        Some(name) => Err(Fault::at(Code::HttpMalformed, format!("{name} comes twice"))),
        None => Ok(()),
    }
}

/// The fields of a request that are no lists, by their definitions in RFC 9110, RFC 9112 and Trace Context.
const SINGLE: [HeaderName; 18] = [
    AUTHORIZATION,
    CONTENT_LENGTH,
    CONTENT_LOCATION,
    CONTENT_RANGE,
    CONTENT_TYPE,
    DATE,
    EXPECT,
    FROM,
    HOST,
    IF_MODIFIED_SINCE,
    IF_RANGE,
    IF_UNMODIFIED_SINCE,
    MAX_FORWARDS,
    PROXY_AUTHORIZATION,
    RANGE,
    REFERER,
    USER_AGENT,
    HeaderName::from_static("traceparent"),
];

/// RFC 9110, section 10.1.1: there is one expectation, `100-continue`, in any case of letters.
fn check_expectation(headers: &HeaderMap) -> Result<(), Fault> {
    match headers.get(EXPECT) {
        Some(expected) if !expected.as_bytes().eq_ignore_ascii_case(b"100-continue") => {
            Err(Fault::at(Code::HttpExpectation, "the only expectation is 100-continue"))
        }
        _ => Ok(()),
    }
}

/// RFC 9112, section 3.2: exactly one `Host` on HTTP/1.1, with nothing in it that is no host. hyper leaves that to us.
fn check_host<B>(request: &Request<B>) -> Result<(), Fault> {
    let is_host = |value: &HeaderValue| {
        value.as_bytes().iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+;=:[]".contains(byte))
    };
    let mut hosts = request.headers().get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) if is_host(host) => Ok(()),
        (None, None) if request.version() != Version::HTTP_11 => Ok(()),
        _ => Err(Fault::at(Code::HttpMalformed, "not one Host")),
    }
}

/// `application/xml`, with UTF-8 as its only charset, and no coding: nothing is ever decompressed.
fn check_media_type(headers: &HeaderMap) -> Result<(), Fault> {
    let wrong = |what| Err(Fault::at(Code::HttpMediaType, what));
    if headers.get_all(CONTENT_ENCODING).iter().any(|coding| coding != "identity") {
        return wrong("Content-Encoding is not taken");
    }
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let mut parts = value.split(';').map(str::trim);
    // RFC 9110, section 8.3.1: type, subtype and parameter names in any case.
    let media = parts.next().unwrap_or("").to_ascii_lowercase();
    if !matches!(media.as_str(), "application/xml" | "text/xml") {
        return wrong("Content-Type is not application/xml");
    }
    let mut charsets = parts.filter_map(|part| part.split_once('=')).filter(|(name, _)| name.eq_ignore_ascii_case("charset"));
    if charsets.any(|(_, charset)| !charset.trim_matches('"').eq_ignore_ascii_case("utf-8")) {
        return wrong("the charset is not UTF-8");
    }
    Ok(())
}

/// `application/json`, without a coding.
fn check_json(headers: &HeaderMap) -> Result<(), Fault> {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let media = value.split(';').next().unwrap_or("").trim();
    if headers.contains_key(CONTENT_ENCODING) || !media.eq_ignore_ascii_case("application/json") {
        return Err(Fault::at(Code::HttpMediaType, "Content-Type is not application/json"));
    }
    Ok(())
}

fn cancelled(id: MessageId, question: MessageId, logged: u64) -> Response<Body> {
    let mut response = taken(id);
    let headers = response.headers_mut();
    insert(headers, "oncegate-log-index", &logged.to_string());
    insert(headers, "location", &format!("/v1/messages/{question}"));
    // RFC 8288.
    insert(headers, "link", &format!("</v1/messages/{question}/receipt>; rel=\"receipt\""));
    response
}

fn taken(id: MessageId) -> Response<Body> {
    let mut response = Response::new(full(""));
    *response.status_mut() = StatusCode::ACCEPTED;
    mark(response.headers_mut(), id, None);
    response
}

fn accepted(id: MessageId, index: Option<u64>) -> Response<Body> {
    let mut response = taken(id);
    let headers = response.headers_mut();
    mark(headers, id, index);
    insert(headers, "location", &format!("/v1/messages/{id}"));
    headers.insert(RETRY_AFTER, 1.into());
    response
}

fn mark(headers: &mut HeaderMap, id: MessageId, index: Option<u64>) {
    insert(headers, "oncegate-message-id", &id.to_string());
    if let Some(index) = index {
        insert(headers, "oncegate-log-index", &index.to_string());
        // RFC 8288.
        insert(headers, "link", &format!("</v1/messages/{id}/receipt>; rel=\"receipt\""));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_waits_longer_than_may_be() {
        let waits = |seconds| bounded(seconds, limits::WAIT_MS_MAX).as_millis() as u64;
        let most = limits::WAIT_MS_MAX / 1000;
        assert_eq!([0, most, most + 1, u64::MAX].map(waits), [0, most * 1000, most * 1000, most * 1000]);
    }

    #[test]
    fn a_head_has_so_many_octets_and_no_more() {
        let around = "GET /health HTTP/1.1\r\nhost: l\r\na: \r\n".len();
        let checked = |octets: usize| {
            let request = Request::get("/health").header(HOST, "l").header("a", "v".repeat(octets - around)).body(());
            check_head(&request.expect("a request")).map_err(|fault| fault.code)
        };
        assert_eq!(checked(limits::HEAD_BYTES_MAX), Ok(()));
        assert_eq!(checked(limits::HEAD_BYTES_MAX + 1), Err(Code::HttpHeadTooLarge));
    }
}
