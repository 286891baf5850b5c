//! Whether the gateway runs, and whether everybody whom it talks with can be reached.

use super::{Report, State};
use crate::base::limits;
use crate::base::time::UnixTime;
use crate::gateway::driver::now;
use crate::host::config::Config;
use crate::host::control::{Command, call};
use crate::host::transport::{Fetch, Fetcher, Identity, NotThere, Step, There, knock, probe, trust};
use crate::rules::registry::{Endpoint, Registry, Scheme, Status, Url};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What the gateway says of itself, if one runs.
pub(super) async fn gateway(config: &Config, report: &mut Report) {
    let of = format!("http://{}/health", config.public);
    let Ok(tls) = trust(&config.exchange.authorities) else {
        return report.add("gateway", of, State::Warning, "not asked: there is no authority to trust", "see above");
    };
    let ip = config.public.ip();
    let host = if ip.is_unspecified() { "127.0.0.1".to_owned() } else { ip.to_string() };
    let url = Url { host, port: config.public.port(), path: "/health".to_owned() };
    let at = Endpoint { scheme: Scheme::Http, url };
    let fetch = Fetch {
        body: None,
        headers: Vec::new(),
        answer_bytes_max: 64 << 10,
        deadline: Duration::from_millis(limits::CONNECT_MS),
    };
    match Fetcher::new(tls).fetch(&at, fetch).await {
        Err(_) => {
            report.add("gateway", of, State::Warning, "no gateway answers", "start it: oncegate run, or systemctl start oncegate")
        }
        Ok(received) => {
            let health: serde_json::Value = serde_json::from_slice(&received.body).unwrap_or_default();
            let reason = health["reason"].as_str().unwrap_or("it does not say why");
            match received.status.as_u16() {
                200 if health["status"] == "ready" => {
                    report.good("gateway", of, format!("ready, {} records", health["records"]));
                }
                _ => report.bad("gateway", of, format!("it takes no messages: {reason}"), "see its lines on standard error"),
            }
        }
    }
}

/// Holders, witnesses, the time stamping authority: name, connection, handshake, clock.
pub(super) async fn others(config: &Config, identity: Option<&Identity>, registry: Option<&Registry>, report: &mut Report) {
    let last = last_answers(config);
    let mut clocks = Vec::new();
    let tls = identity.and_then(|identity| identity.client().ok());
    for (_, agency) in registry.into_iter().flat_map(Registry::agencies).filter(|(_, agency)| agency.status == Status::Active) {
        let Some(url) = &agency.url else { continue };
        let answered = match last.get(agency.id.as_str()) {
            Some(Some(time)) => format!(", answered last at {time}"),
            Some(None) => ", has never answered".to_owned(),
            None => String::new(),
        };
        let (found, more) = match &tls {
            Some(tls) => (probe(&url.host, url.port, &url.path, Some(Arc::clone(tls))).await, answered),
            None => (knock(&url.host, url.port).await, answered + "; the handshake needs the gateway's certificate"),
        };
        clocks.extend(told(report, "holder", &agency.id, Some(url), &more, found));
    }
    let authorities = config.log.authorities.as_ref().unwrap_or(&config.exchange.authorities);
    let trusted = trust(authorities).ok();
    let witnesses = config.log.witnesses.witnesses.iter().map(|witness| ("witness", &witness.url));
    for (check, at) in witnesses.chain(config.log.stamps.iter().map(|stamps| ("time stamps", &stamps.url))) {
        let tls = match (at.scheme, &trusted) {
            (Scheme::Http, _) => None,
            (Scheme::Https, Some(tls)) => Some(Arc::clone(tls)),
            (Scheme::Https, None) => continue,
        };
        let found = probe(&at.url.host, at.url.port, &at.url.path, tls).await;
        clocks.extend(told(report, check, at, None, "", found));
    }
    clock(&clocks, report);
}

/// The way of an agency to its gateway; says whether it leads there.
pub(super) async fn from_agency(gateway: &Url, tls: Arc<rustls::ClientConfig>, report: &mut Report) -> bool {
    let found = probe(&gateway.host, gateway.port, "/health", Some(tls)).await;
    let is_reached = found.is_ok();
    let distance = told(report, "gateway", gateway.authority(), None, "", found);
    if is_reached {
        clock(distance.as_slice(), report);
    }
    is_reached
}

/// Tells what was found; gives how far its clock is from ours, in milliseconds, if it said.
fn told(
    report: &mut Report,
    check: &'static str,
    of: impl ToString,
    at: Option<&Url>,
    more: &str,
    found: Result<There, NotThere>,
) -> Option<u64> {
    let at = at.map_or(String::new(), |url| format!(" at {}", url.authority()));
    match found {
        Ok(there) => {
            report.good(check, of, format!("reached{at} in {:.0} ms{more}", there.took.as_secs_f64() * 1e3));
            there.date.map(|date| date.distance_ms(now()))
        }
        Err(not_there) => {
            let (what, next) = match not_there.step {
                Step::Name => ("its name has no address", "correct the url, or the DNS of this machine"),
                Step::Connection => ("nothing accepts connections there", "start it, or open the firewall on the way"),
                Step::Handshake => {
                    ("the handshake fails", "its certificate must be of our authorities, for this name, and valid")
                }
            };
            report.bad(check, of, format!("{what}{at}: {}{more}", not_there.cause), next);
            None
        }
    }
}

/// Messages whose time is further from the gateway's than five minutes are refused: most clocks of others being off is ours.
fn clock(distances: &[u64], report: &mut Report) {
    let mut sorted = distances.to_vec();
    sorted.sort_unstable();
    let Some(middle) = sorted.get(sorted.len() / 2) else {
        return report.good("clock", "this machine", "no other clock could be asked, so it was not compared");
    };
    let seconds = middle / 1000;
    let found = format!("{seconds} s from the clocks of {} others (their median)", sorted.len());
    if *middle > limits::CLOCK_SKEW_MS {
        report.bad("clock", "this machine", found, "synchronise it (NTP): messages more than five minutes away are refused");
    } else if *middle > limits::CLOCK_SKEW_MS / 5 {
        report.add("clock", "this machine", State::Warning, found, "synchronise it (NTP)");
    } else {
        report.good("clock", "this machine", found);
    }
}

/// When each holder answered last, if a gateway runs that can be asked.
fn last_answers(config: &Config) -> BTreeMap<String, Option<UnixTime>> {
    let answer = call(&config.data, Command::Holders).ok().flatten().unwrap_or_default();
    answer.holders.into_iter().map(|(id, time)| (id, time.map(UnixTime::from_ms))).collect()
}
