//! Cases: what each party may see of one, and what a citizen sees by a personal link.

use super::log::Reader;
use super::respond;
use crate::base::fault::{Code, Fault};
use crate::base::ids::Uuid;
use crate::evidence::audit::{Pairs, QueryError};
use crate::exchange::cases::Part;
use crate::gateway::driver::{CaseError, Gateway, log_unreadable};
use crate::host::transport::{Body, streamed};
use hyper::{Response, StatusCode};
use std::time::Duration;

/// What is looked at.
#[derive(Clone, Copy)]
enum Look {
    Case,
    Timeline,
    Form,
}

impl Reader {
    /// `GET /v1/cases/{id}`, `/timeline`, `/form`.
    pub(super) async fn case(&self, id: &str, what: &str, query: &str) -> Result<Response<Body>, Fault> {
        let unknown = || Fault::new(Code::CasUnknown);
        let id = Uuid::parse(id).ok_or_else(unknown)?;
        let language = language(query)?;
        let look = match what {
            "timeline" => Look::Timeline,
            "form" => Look::Form,
            _ => Look::Case,
        };
        let shown = self.gateway.case(id, &self.agency, |case, around, part| match (look, part) {
            (Look::Case, part) => Some(case.view(around, part, &language)),
            (Look::Timeline, part) => Some(case.timeline_view(part)),
            (Look::Form, Part::Whole) => Some(case.form_view(around, &language)),
            // What a citizen is asked is for whoever speaks for them.
            (Look::Form, Part::Of(_)) => None,
        });
        let shown = shown.await.map_err(fault_of)?.ok_or_else(|| Fault::new(Code::CasParty))?;
        Ok(respond(StatusCode::OK, "application/json", shown.to_string()))
    }
}

impl Reader {
    /// `GET /v1/cases/{id}/events`: the case as it is and each time it has changed, as server-sent events (WHATWG HTML, 9.2), for some
    /// minutes; whoever wants more asks again, as browsers do.
    pub(super) async fn case_events(&self, id: &str, query: &str) -> Result<Response<Body>, Fault> {
        let id = Uuid::parse(id).ok_or_else(|| Fault::new(Code::CasUnknown))?;
        let language = language(query)?;
        let mut changes = self.gateway.watch_cases();
        let first = self.event(id, &language).await?;
        let (give, take) = tokio::sync::mpsc::channel(EVENTS_WAITING);
        let reader = Self {
            gateway: std::sync::Arc::clone(&self.gateway),
            world: std::sync::Arc::clone(&self.world),
            peer: self.peer,
            agency: self.agency.clone(),
        };
        tokio::spawn(async move {
            let end = tokio::time::Instant::now() + EVENTS_TIME;
            let mut next = Some(first);
            while let Some(event) = next {
                if give.send(Some(event.into())).await.is_err() || tokio::time::Instant::now() > end {
                    break;
                }
                next = loop {
                    match tokio::time::timeout(EVENTS_PAUSE, changes.recv()).await {
                        Ok(Ok(changed)) if changed == id => break reader.event(id, &language).await.ok(),
                        // Of so many changes one may have been this case's.
                        Ok(Err(tokio::sync::broadcast::error::RecvError::Lagged(_))) => {
                            break reader.event(id, &language).await.ok();
                        }
                        Ok(Ok(_)) => {}
                        Ok(Err(tokio::sync::broadcast::error::RecvError::Closed)) => break None,
                        Err(_) if reader.gateway.is_ready() => break Some(": waiting\n\n".to_owned()),
                        Err(_) => break None,
                    }
                };
            }
            let _ = give.send(None).await;
        });
        let mut response = Response::new(streamed(take));
        let headers = response.headers_mut();
        headers.insert(hyper::header::CONTENT_TYPE, hyper::header::HeaderValue::from_static("text/event-stream"));
        headers.insert(hyper::header::CACHE_CONTROL, hyper::header::HeaderValue::from_static("no-store"));
        Ok(response)
    }

    async fn event(&self, id: Uuid, language: &str) -> Result<String, Fault> {
        let shown = self.gateway.case(id, &self.agency, |case, around, part| case.view(around, part, language));
        let shown = shown.await.map_err(fault_of)?;
        Ok(format!("event: case\ndata: {shown}\n\n"))
    }
}

/// Events that wait for a slow reader.
const EVENTS_WAITING: usize = 4;
/// For how long events are sent.
const EVENTS_TIME: Duration = Duration::from_secs(600);
/// After how long something is sent so that the connection is not taken for dead.
const EVENTS_PAUSE: Duration = Duration::from_secs(5);

/// `GET /v1/my/{link}`: a case by a personal link, and how far all cases about the same person are.
pub(super) async fn mine(gateway: &Gateway, link: &str, query: &str) -> Result<Response<Body>, Fault> {
    let language = language(query)?;
    let fault = |error| match error {
        CaseError::Unknown | CaseError::None => Fault::new(Code::CasLink),
        CaseError::Unreadable(cause) => log_unreadable(&cause),
    };
    let found = gateway.case_by_link(link, |case, around| {
        let whole = case.view(around, Part::Whole, &language);
        (whole, case.timeline_view(Part::Whole), case.subject(), case.opening.world())
    });
    let (case, timeline, subject, world) = found.await.map_err(fault)?;
    let all = gateway.cases_about(&subject, world, |case, around| case.line_view(around, &language)).await.map_err(fault)?;
    let shown = serde_json::json!({ "case": case, "timeline": timeline, "cases": all });
    let mut response = respond(StatusCode::OK, "application/json", shown.to_string());
    let headers = response.headers_mut();
    headers.insert(hyper::header::CACHE_CONTROL, hyper::header::HeaderValue::from_static("no-store"));
    headers.insert("referrer-policy", hyper::header::HeaderValue::from_static("no-referrer"));
    Ok(response)
}

fn language(query: &str) -> Result<String, Fault> {
    let mut pairs = Pairs::parse(query)?;
    let language = pairs.take("language").unwrap_or_else(|| "en".to_owned());
    match pairs.iter().next() {
        Some((key, _)) => Err(QueryError::unknown(key).into()),
        None => Ok(language),
    }
}

fn fault_of(error: CaseError) -> Fault {
    match error {
        CaseError::Unknown => Fault::new(Code::CasUnknown),
        CaseError::None => Fault::new(Code::CasNone),
        CaseError::Unreadable(cause) => log_unreadable(&cause),
    }
}
