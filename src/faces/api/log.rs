//! The log as it is read: an agency sees its own exchanges, an auditor all. Whoever looks for a person says why, and is
//! recorded before anything is shown.

use super::apart::apart;
use super::evidence::Leaves;
use super::problem::insert;
use super::respond;
use crate::base::fault::{Code, Fault};
use crate::base::ids::{AgencyId, Identifier, MessageId};
use crate::base::limits;
use crate::base::time::UnixTime;
use crate::evidence::audit::{Anomaly, Cursor, Filter, Group, Grouping, Pairs, Query, QueryError, Thresholds};
use crate::evidence::tlog::leaf::Leaf;
use crate::evidence::tlog::{Private, RecordKind};
use crate::gateway::driver::audit::{Access, Granted, Opened, Outcome, Trail, opened, trail};
use crate::gateway::driver::{Gateway, Sight, World, log_unreadable, now};
use crate::host::store::{ExportForm, Found, ReportError, Store, StoreError};
use crate::host::transport::{Body, streamed};
use crate::rules::registry::Role;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit, mpsc};

/// Reports and exports take their time: so many at once, of everybody together.
static ROOM: Semaphore = Semaphore::const_new(limits::REPORTS_MAX);

/// Places for questions that are worked on.
static READS: Semaphore = Semaphore::const_new(limits::READS_MAX);

fn may_report() -> Option<SemaphorePermit<'static>> {
    ROOM.try_acquire().ok()
}

async fn may_read() -> Option<SemaphorePermit<'static>> {
    READS.acquire().await.ok()
}

/// The failures of an exchange as its holder may see them, newest first; none if there is no such exchange of this holder.
fn refusals(store: &Store, id: MessageId, holder: &AgencyId) -> Result<Option<Vec<Value>>, StoreError> {
    let mut found = Vec::new();
    let mut is_known = false;
    for kind in [RecordKind::Refusal, RecordKind::Request] {
        let filter = Filter { message: Some(id), kind: Some(kind), scope: Some(holder.clone()), ..Filter::default() };
        for record in store.search(&filter, None, limits::PAGE_RECORDS)?.records {
            let Some(leaf) = Leaf::parse(&record.leaf) else { continue };
            // A holder may be a consumer as well, and learns no more than any other of its own questions.
            if leaf.provider.as_deref() != Some(holder.as_str()) {
                continue;
            }
            is_known = true;
            if kind == RecordKind::Refusal {
                let cause = opened(store, record.index)?.and_then(|(_, private)| private.cause);
                let time = UnixTime::from_ms(leaf.time).to_string();
                found.push(json!({ "logIndex": record.index, "time": time, "code": leaf.code, "cause": cause }));
            }
        }
    }
    Ok(is_known.then_some(found))
}

/// The agency's place, and the place among all.
type Room = (OwnedSemaphorePermit, SemaphorePermit<'static>);

/// How far back anomalies are looked for, unless told otherwise.
const ANOMALY_MS: u64 = 30 * 24 * 60 * 60 * 1000;

/// Whoever reads.
pub(super) struct Reader {
    pub gateway: Arc<Gateway>,
    pub world: Arc<World>,
    pub peer: crate::exchange::admission::Peer,
    pub agency: AgencyId,
}

type Answered = Result<Response<Body>, Fault>;

impl Reader {
    /// Answers a `GET`; nothing if the path is none of the log's.
    pub(super) async fn get(&self, path: &[&str], query: &str) -> Option<Answered> {
        Some(match path {
            ["v1", "trail"] => self.own(query).await,
            ["v1", "log", "records"] => self.records(query).await,
            ["v1", "log", "records", index] => self.record(index, query).await,
            ["v1", "log", "records", index, "receipt"] => self.receipt(index).await,
            ["v1", "log", "summary"] => self.summary(query).await,
            ["v1", "log", "anomalies"] => self.anomalies(query).await,
            ["v1", "log", "export"] => self.export(query).await,
            _ => return None,
        })
    }

    /// What the caller may see: an auditor everything.
    fn scope(&self) -> Option<AgencyId> {
        if self.is_auditor() { None } else { Some(self.agency.clone()) }
    }

    fn is_auditor(&self) -> bool {
        let agency = self.world.registry.agency(self.peer.agency());
        agency.is_some_and(|agency| agency.roles.contains(&Role::Auditor))
    }

    /// Which receipts the caller may have.
    fn sight(&self) -> Sight {
        self.scope().map_or(Sight::All, Sight::Own)
    }

    /// Whether the caller may have all leaves.
    pub(super) fn leaves(&self) -> Leaves {
        if self.is_auditor() { Leaves::Shown } else { Leaves::Hidden }
    }

    fn scoped(&self, query: Query) -> Query {
        Query { filter: Filter { scope: self.scope(), ..query.filter }, ..query }
    }

    /// The caller's own records, whatever its role.
    async fn own(&self, query: &str) -> Answered {
        let query = Query::parse_address(Pairs::parse(query)?)?;
        let filter = Filter { scope: Some(self.agency.clone()), ..query.filter };
        self.page(Query { filter, ..query }, None).await
    }

    async fn records(&self, query: &str) -> Answered {
        let query = Query::parse_address(Pairs::parse(query)?)?;
        self.page(self.scoped(query), None).await
    }

    /// `POST /v1/log/search`: the only way to look for a person or an official.
    pub(super) async fn search(&self, body: &[u8]) -> Answered {
        let query = self.scoped(Query::parse(Pairs::parse_json(body)?)?);
        // What would be refused is refused before it is recorded.
        query.before()?;
        let mut recorded = None;
        if query.filter.is_personal() {
            let sought: Vec<_> = query.filter.person.iter().chain(&query.filter.official).cloned().collect();
            let action = if query.filter.person.is_some() { "search-person" } else { "search-official" };
            let private = Private { subject: sought.into(), reason: Some(query.reason()?.to_owned()), ..Private::default() };
            recorded = Some(self.gateway.record_reading(&self.world, &self.peer, action, private, None).await?.index());
        }
        self.page(query, recorded).await
    }

    async fn page(&self, query: Query, recorded: Option<u64>) -> Answered {
        let before = query.before()?;
        let (filter, limit) = (query.filter, query.limit);
        let read = move |gateway: &Gateway| -> Result<String, StoreError> {
            let size = gateway.store().size();
            let page = gateway.store().search(&filter, before, limit)?;
            let entries = page.records.iter().map(|found| json!({ "logIndex": found.index, "record": leaf_json(&found.leaf) }));
            let answer = json!({
                "indexedUpTo": page.indexed, "indexLag": size.saturating_sub(page.indexed), "recordedAs": recorded, "entries": entries.collect::<Vec<_>>(),
                "next": page.next.map(|next| Cursor(next).to_text(&filter)),
            });
            Ok(answer.to_string())
        };
        Ok(json_text(self.read(read).await?.map_err(unreadable)?))
    }

    /// A record that the caller may see; any other is not there.
    async fn visible(&self, index: &str) -> Result<Found, Fault> {
        let unknown = || Fault::new(Code::AudUnknown);
        let index: u64 = index.parse().map_err(|_| unknown())?;
        // Beyond the end another record is read all the same, so that what is not there takes as long as what is not to be seen.
        // Not the last one: the index may not have it yet, and waiting for it would tell.
        let size = self.gateway.store().size();
        let place = index.checked_rem(size).ok_or_else(unknown)?;
        let found = self.read(move |gateway| gateway.store().record(place)).await?.map_err(|cause| match cause {
            StoreError::Forgotten => unknown(),
            other => unreadable(other),
        })?;
        let own = Filter { scope: self.scope(), ..Filter::default() };
        let is_visible = index < size && (self.is_auditor() || Leaf::parse(&found.leaf).is_some_and(|leaf| own.matches(&leaf)));
        if is_visible { Ok(found) } else { Err(unknown()) }
    }

    async fn record(&self, index: &str, query: &str) -> Answered {
        let query = Query::parse_address(Pairs::parse(query)?)?;
        let found = self.visible(index).await?;
        let index = found.index;
        let mut answer = json!({ "logIndex": index, "record": leaf_json(&found.leaf), "leaf": found.leaf });
        let Some(reason) = query.reason.filter(|_| self.is_auditor()) else { return Ok(json_response(&answer)) };
        let private = self.read(move |gateway| opened(gateway.store(), index)).await?.map_err(unreadable)?;
        let identifiers = private.as_ref().map(|(_, private)| private.identifiers()).unwrap_or_default();
        let reading = Private { subject: identifiers.into(), reason: Some(reason), ..Private::default() };
        let logged = self.gateway.record_reading(&self.world, &self.peer, "read-private", reading, Some(index)).await?;
        if let Some(answer) = answer.as_object_mut() {
            answer.insert("private".to_owned(), private.map_or(Value::Null, |(text, private)| private_json(&text, &private)));
            answer.insert("recordedAs".to_owned(), logged.index().into());
        }
        Ok(json_response(&answer))
    }

    async fn receipt(&self, index: &str) -> Answered {
        let index = self.visible(index).await?.index;
        let receipt = self.read(move |gateway| {
            let checkpoint = gateway.store().checkpoint();
            gateway.store().receipt(index, &checkpoint)
        });
        Ok(text(receipt.await?.map_err(unreadable)?.to_string()))
    }

    /// The receipts of all records of a message.
    pub(super) async fn receipts(&self, id: &str) -> Answered {
        let id = MessageId::parse(id).ok_or_else(|| Fault::new(Code::MsgUnknown))?;
        let sight = self.sight();
        Ok(text(self.read(move |gateway| gateway.receipt(&sight, id)).await??))
    }

    /// `GET /v1/messages/{id}/refusals`: for the holder of an exchange, what went wrong with it and where. The consumer, who
    /// learns the code alone, and everybody else find no such message; auditors read it record by record, and say why.
    pub(super) async fn refusals(&self, id: &str) -> Answered {
        let unknown = || Fault::new(Code::MsgUnknown);
        let id = MessageId::parse(id).ok_or_else(unknown)?;
        let holder = self.agency.clone();
        let read = move |gateway: &Gateway| refusals(gateway.store(), id, &holder);
        let found = self.read(read).await?.map_err(unreadable)?.ok_or_else(unknown)?;
        Ok(json_response(&json!({ "messageId": id.to_string(), "refusals": found })))
    }

    async fn summary(&self, query: &str) -> Answered {
        let mut pairs = Pairs::parse(query)?;
        let by = Grouping::take(&mut pairs)?;
        let filter = self.scoped(Query::parse_address(pairs)?).filter;
        let _room = self.room()?;
        let read = move |gateway: &Gateway| -> Result<String, ReportError> {
            let words: Vec<&str> = by.iter().map(|by| by.as_str()).collect();
            let groups = gateway.store().summary(&filter, &by)?;
            let groups: Vec<Value> = groups.iter().map(|group| group_json(group, &words)).collect();
            Ok(json!({ "by": words, "groups": groups }).to_string())
        };
        Ok(json_text(self.report(read).await?.map_err(unreported)?))
    }

    async fn anomalies(&self, query: &str) -> Answered {
        let mut pairs = Pairs::parse(query)?;
        let thresholds = Thresholds::take(&mut pairs)?;
        let mut filter = self.scoped(Query::parse_address(pairs)?).filter;
        filter.from = filter.from.or_else(|| Some(filter.to.unwrap_or_else(now).minus_ms(ANOMALY_MS)));
        let _room = self.room()?;
        let from = filter.from.map(|from| from.to_string());
        let found = self.report(move |gateway| gateway.store().anomalies(&filter, &thresholds)).await?.map_err(unreported)?;
        let Thresholds { night, nightly, persons, agencies, jump } = thresholds;
        Ok(json_response(&json!({
            "from": from,
            "thresholds": { "night": format!("{}-{}", night.0, night.1), "nightly": nightly, "persons": persons, "agencies": agencies, "jump": jump },
            "anomalies": found.iter().map(anomaly_json).collect::<Vec<_>>(),
        })))
    }

    async fn export(&self, query: &str) -> Answered {
        let mut pairs = Pairs::parse(query)?;
        let form = export_form(&mut pairs)?;
        let query = self.scoped(Query::parse_address(pairs)?);
        if query.cursor.is_some() {
            return Err(QueryError::value("cursor", "none: an export is whole").into());
        }
        let room = self.room()?;
        let what: Vec<String> = query.filter.to_pairs().iter().map(|(key, value)| format!("{key}={value}")).collect();
        let reason = [query.reason.unwrap_or_default(), what.join(" ")].join(" ").trim().to_owned();
        let private = Private { reason: (!reason.is_empty()).then_some(reason), ..Private::default() };
        let logged = self.gateway.record_reading(&self.world, &self.peer, "export", private, None).await?;
        let filter = query.filter;
        let export = self.read(move |gateway| gateway.store().export(filter, form)).await?.map_err(unreadable)?;
        let (sender, receiver) = mpsc::channel(2);
        let checkpoint = BASE64.encode(export.checkpoint().to_string());
        tokio::spawn(send_export(Arc::clone(&self.gateway), export, sender, room));
        let mut response = Response::new(streamed(receiver));
        let media = if form == ExportForm::Table { "text/csv; charset=utf-8; header=present" } else { "application/x-ndjson" };
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media));
        insert(response.headers_mut(), "oncegate-checkpoint", &checkpoint);
        insert(response.headers_mut(), "oncegate-log-index", &logged.index().to_string());
        Ok(response)
    }

    /// What a portal shows a citizen, whose request was checked and recorded.
    pub(super) async fn citizens_trail(&self, granted: &Granted, page: &TrailPage) -> Answered {
        let (subject, page, registry) = (granted.subject.clone(), *page, Arc::clone(&self.world));
        let read = move |gateway: &Gateway| -> Result<Value, StoreError> {
            let store = gateway.store();
            let trail = trail(store, &subject, page.before, page.limit, now(), gateway.limits().attempts)?;
            let checkpoint = store.checkpoint();
            let proof = |index| -> Result<Value, StoreError> {
                if !page.is_proved {
                    Ok(Value::Null)
                } else {
                    store.receipt(index, &checkpoint).map(|proof| proof.to_string().into())
                }
            };
            let accesses = trail.accesses.iter().map(|access| Ok(access_json(access, &registry, proof(access.index)?)));
            let accesses = accesses.collect::<Result<Vec<_>, StoreError>>()?;
            Ok(trail_json(&trail, accesses))
        };
        let mut answer = self.read(read).await?.map_err(unreadable)?;
        answer["recordedAs"] = granted.logged.index().into();
        let mut response = json_response(&answer);
        insert(response.headers_mut(), "oncegate-message-id", &granted.id.to_string());
        insert(response.headers_mut(), "oncegate-log-index", &granted.logged.index().to_string());
        Ok(response)
    }

    /// Room for one more report: everybody's, and the agency's part of it.
    fn room(&self) -> Result<Room, Fault> {
        let places = self.world.may_report(self.peer.agency()).zip(may_report());
        places.ok_or_else(|| Fault::new(Code::AudBusy).with_retry_after(5))
    }

    /// Reads from the store where it holds up nobody else, and only few at a time for one agency.
    async fn read<T: Send + 'static>(&self, read: impl FnOnce(&Gateway) -> T + Send + 'static) -> Result<T, Fault> {
        let _lane = self.world.may_read(self.peer.agency()).await;
        let _place = may_read().await;
        self.report(read).await
    }

    /// Reads for as long as it takes: whoever has room for a report waits for no lane.
    async fn report<T: Send + 'static>(&self, read: impl FnOnce(&Gateway) -> T + Send + 'static) -> Result<T, Fault> {
        let gateway = Arc::clone(&self.gateway);
        let (made, took) = apart(move || read(&gateway)).await?;
        let reads = u32::try_from(took.as_millis()).unwrap_or(u32::MAX);
        self.world.quotas.charge_reads(self.peer.agency(), reads);
        Ok(made)
    }
}

/// Which part of a citizen's trail is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TrailPage {
    before: Option<u64>,
    limit: usize,
    is_proved: bool,
}

impl TrailPage {
    /// Reads `limit`, `before` and `proof`; whose trail it is stands in the signed message.
    pub(super) fn parse(query: &str) -> Result<Self, QueryError> {
        let mut pairs = Pairs::parse(query)?;
        let before =
            pairs.take("before").map(|text| text.parse().map_err(|_| QueryError::value("before", "an index of the log")));
        let (before, is_proved) = (before.transpose()?, yes_or_no(&mut pairs, "proof", YesNo::No)?);
        let limit = Query::parse_address(pairs)?;
        if limit.filter != Filter::default() || limit.cursor.is_some() || limit.reason.is_some() {
            return Err(QueryError::value("query", "only limit, before and proof"));
        }
        Ok(Self { before, limit: limit.limit.min(limits::PAGE_RECORDS), is_proved })
    }
}

/// What holds where nothing is said.
enum YesNo {
    Yes,
    No,
}

fn yes_or_no(pairs: &mut Pairs, key: &str, otherwise: YesNo) -> Result<bool, QueryError> {
    match pairs.take(key).as_deref() {
        None => Ok(matches!(otherwise, YesNo::Yes)),
        Some("1") => Ok(true),
        Some("0") => Ok(false),
        Some(_) => Err(QueryError::value(key, "1 or 0")),
    }
}

fn export_form(pairs: &mut Pairs) -> Result<ExportForm, QueryError> {
    let is_proved = yes_or_no(pairs, "proof", YesNo::Yes)?;
    match pairs.take("format").as_deref() {
        Some("csv") => Ok(ExportForm::Table),
        None | Some("ndjson") if is_proved => Ok(ExportForm::Proved),
        None | Some("ndjson") => Ok(ExportForm::Plain),
        Some(_) => Err(QueryError::value("format", "ndjson or csv")),
    }
}

/// Sends an export as fast as it is taken; whoever stops taking it loses it. If it ends before its end, so does the
/// connection.
async fn send_export(
    gateway: Arc<Gateway>,
    mut export: crate::host::store::Export,
    sender: mpsc::Sender<Option<Bytes>>,
    _room: Room,
) {
    loop {
        let gateway_ = Arc::clone(&gateway);
        let made = apart(move || (gateway_.store().export_next(&mut export), export));
        let Ok(((portion, rest), _)) = made.await else { return };
        export = rest;
        let portion = match portion {
            Ok(portion) => portion.map(Bytes::from),
            Err(cause) => return gateway.telemetry().say(&format!("an export was broken off: {cause}")),
        };
        let is_last = portion.is_none();
        if !was_taken(&sender, portion).await || is_last {
            return;
        }
    }
}

/// Whether a portion of an export is taken before whoever reads it has waited too long.
async fn was_taken(sender: &mpsc::Sender<Option<Bytes>>, portion: Option<Bytes>) -> bool {
    let sent = tokio::time::timeout(Duration::from_millis(limits::EXPORT_STALL_MS), sender.send(portion)).await;
    matches!(sent, Ok(Ok(())))
}

fn unreadable(cause: StoreError) -> Fault {
    log_unreadable(&cause)
}

fn unreported(error: ReportError) -> Fault {
    match error {
        ReportError::Store(cause) => unreadable(cause),
        ReportError::Query(error) => error.into(),
    }
}

fn text(text: String) -> Response<Body> {
    respond(StatusCode::OK, "text/plain; charset=utf-8", text)
}

fn json_response(value: &Value) -> Response<Body> {
    json_text(value.to_string())
}

fn json_text(text: String) -> Response<Body> {
    respond(StatusCode::OK, "application/json", text)
}

/// The leaf as JSON; null if the record was shredded.
fn leaf_json(leaf: &str) -> Value {
    serde_json::from_str(leaf).unwrap_or(Value::Null)
}

fn identifier_text(identifier: &Identifier) -> String {
    format!("{}|{}", identifier.scheme(), identifier.value())
}

/// `opening` is what the leaf's commitment is of: HMAC-SHA-256 under the salt that is in it.
fn private_json(text: &str, private: &Opened) -> Value {
    json!({
        "subject": private.identifiers().iter().map(identifier_text).collect::<Vec<_>>(),
        "official": private.official().as_ref().map(identifier_text), "role": private.role,
        "fields": private.fields, "documentType": private.document, "purpose": private.purpose, "cause": private.cause,
        "reason": private.reason, "opening": text,
    })
}

fn group_json(group: &Group, words: &[&str]) -> Value {
    let count = |kind: &str| group.kinds.get(kind).copied().unwrap_or(0);
    let latency = |of_hundred| group.latencies.percentile(of_hundred);
    let mut json = json!({
        "records": group.kinds.values().sum::<u64>(),
        "requests": count("req"), "answers": count("rsp"), "refusals": count("err"), "readings": count("aud"),
        "refusalsByCode": group.codes,
        "latencyUs": { "p50": latency(50), "p90": latency(90), "p99": latency(99) },
    });
    for (word, part) in words.iter().zip(&group.key) {
        json[*word] = if part.is_empty() { Value::Null } else { part.as_str().into() };
    }
    json
}

fn anomaly_json(anomaly: &Anomaly) -> Value {
    json!({
        "kind": anomaly.kind.as_str(), "agency": anomaly.agency, "official": anomaly.official,
        "day": anomaly.day.map(|day| day.to_string()), "count": anomaly.count, "usual": anomaly.usual, "example": anomaly.example,
    })
}

fn access_json(access: &Access, world: &World, proof: Value) -> Value {
    let leaf = &access.leaf;
    let name = |id: &Option<String>| {
        let index = id.as_deref().and_then(AgencyId::parse).and_then(|id| world.registry.find(&id));
        index.and_then(|index| world.registry.agency(index)).map(|agency| agency.name.clone())
    };
    let (outcome, code) = match &access.outcome {
        Outcome::Answered => ("answered", None),
        Outcome::Refused(code) => ("refused", Some(code)),
        Outcome::Open => ("open", None),
        Outcome::Read(_) => ("log-read", None),
    };
    let action = if let Outcome::Read(action) = &access.outcome { Some(action) } else { None };
    let document = leaf.document_type.as_deref().and_then(crate::base::ids::Code::parse);
    let class = document.and_then(|code| world.schemas().document_type(&code)).map(|document| document.class.as_str());
    json!({
        "logIndex": access.index, "time": crate::base::time::UnixTime::from_ms(leaf.time).to_string(),
        "institution": leaf.consumer, "institutionName": name(&leaf.consumer), "role": access.role,
        "onBehalfOf": leaf.principal, "onBehalfOfName": name(&leaf.principal),
        "holder": leaf.provider, "holderName": name(&leaf.provider),
        "inPlaceOf": leaf.addressed, "inPlaceOfName": name(&leaf.addressed),
        "documentType": leaf.document_type, "class": class, "fields": access.fields, "purpose": leaf.purpose, "legalBasis": leaf.basis,
        "outcome": outcome, "code": code, "action": action, "outcomeLogIndex": access.ended, "case": leaf.case,
        "messageId": leaf.message,
        "receipt": leaf.message.as_ref().map(|id| format!("/v1/messages/{id}/receipt")), "proof": proof,
    })
}

fn trail_json(trail: &Trail, accesses: Vec<Value>) -> Value {
    let withheld = trail.withheld.iter().map(|(day, count)| {
        let entries = if *count == 1 { "one entry".to_owned() } else { format!("{count} entries") };
        json!({ "until": day.to_string(), "entries": count, "text": format!("{entries} withheld until {day}") })
    });
    json!({ "entries": accesses, "withheld": withheld.collect::<Vec<_>>(), "next": trail.next })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use tokio::time::{Instant, sleep};

    /// No other test asks for this room, which all share.
    #[test]
    fn so_many_reports_are_made_at_once_and_no_more() {
        let mut made: Vec<_> = (0..limits::REPORTS_MAX).map(|_| may_report().expect("room")).collect();
        assert!(may_report().is_none());
        made.pop();
        assert!(may_report().is_some());
    }

    #[tokio::test]
    async fn so_many_questions_are_worked_on_and_the_others_wait() {
        let mut worked_on = Vec::new();
        for _ in 0..limits::READS_MAX {
            worked_on.push(may_read().await.expect("room"));
        }
        let mut next = pin!(may_read());
        tokio::select! {
            biased;
            _ = next.as_mut() => panic!("it has to wait"),
            () = std::future::ready(()) => {}
        }
        worked_on.pop();
        assert!(next.await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn an_export_waits_so_long_for_whoever_reads_it_and_no_longer() {
        const STALL: Duration = Duration::from_millis(limits::EXPORT_STALL_MS);
        let (sender, mut receiver) = mpsc::channel(1);
        assert!(was_taken(&sender, Some(Bytes::new())).await, "there is room for one");
        let begun = Instant::now();
        assert!(!was_taken(&sender, Some(Bytes::new())).await);
        assert_eq!(begun.elapsed(), STALL);
        let late = async {
            sleep(STALL - Duration::from_millis(1)).await;
            receiver.recv().await
        };
        let (taken, received) = tokio::join!(was_taken(&sender, None), late);
        assert!(taken && received == Some(Some(Bytes::new())));
    }
}
