//! `oncegate agency invite`, `requests`, `approve`, `turn-away`: the operator's side of taking part.

use super::super::reload::tell;
use super::super::{Failure, Out, Outcome};
use super::address;
use crate::base::limits;
use crate::gateway::driver::now;
use crate::host::config::{Config, read_bounded};
use crate::host::joins::{Joins, State, Waiting, spoken};
use crate::message::crypto::sha256;
use crate::message::pki::pem_blocks;
use crate::program::setup::Installation;

/// Who is approved, and as what.
#[derive(clap::Args)]
pub(super) struct Approve {
    /// The code, as the newcomer has told it: 1f0a-88c2-…
    code: String,
    /// Let it take part in the live world at once; without it, in the test world until it goes live
    #[arg(long)]
    live: bool,
    /// Requests per minute
    #[arg(long)]
    requests_per_minute: Option<u32>,
}

/// Opens the door for some days, and says what the newcomer types.
pub(super) fn invite(installation: &Installation, days: u64, out: &Out) -> Outcome {
    let most = limits::JOIN_DAYS_MAX;
    if !(1..=most).contains(&days) {
        return Err(Failure::new(2, format!("--days: from 1 to {most}")));
    }
    let config = Config::load(&installation.config()).map_err(|error| Failure::new(2, error))?;
    let until = now().plus_ms(days * 24 * 60 * 60 * 1000);
    joins(&config).open_until(until)?;
    // Of those that the gateway believes the one that issues here: a newcomer's certificates will be of it.
    let issuer = installation.folder().join("certs/ca.pem");
    let pem = read_bounded(&issuer).map_err(|error| Failure::new(2, error))?;
    let authority = pem_blocks(&pem, "CERTIFICATE").into_iter().next();
    let fingerprint = authority.map(|der| sha256(&der).to_string());
    let fingerprint = fingerprint.ok_or_else(|| Failure::new(2, format!("{}: holds no certificate", issuer.display())))?;
    let url = public_address(&config);
    let command = format!("oncegate join {url} --fingerprint {fingerprint} --as NAME --name \"TITLE\"");
    let told = serde_json::json!({
        "format": 1, "url": url, "fingerprint": fingerprint, "openUntil": until.to_string(), "command": command,
    });
    out.result(&command, &told)?;
    out.say(format_args!(
        "until {until} whoever reaches the public address may ask to take part; nobody does before you approve it"
    ));
    out.say("if the public address has another name outside, put that in its place");
    Ok(())
}

/// Shows who waits, and what was decided of late.
pub(super) fn requests(installation: &Installation, out: &Out) -> Outcome {
    let config = Config::load(&installation.config()).map_err(|error| Failure::new(2, error))?;
    let all = joins(&config).all()?;
    if all.is_empty() {
        out.say("nobody waits; oncegate agency invite opens the door");
    }
    all.iter().try_for_each(|waiting| if out.is_json { out.print(json(waiting)) } else { out.print(line(waiting)) })
}

/// Has somebody take part.
pub(super) fn approve(installation: &Installation, approve: &Approve, out: &Out) -> Outcome {
    let (joins, found) = find(installation, &approve.code)?;
    let quota = approve.requests_per_minute.map(|limit| format!("quota = {{ requests_per_minute = {limit} }}\n"));
    let more = quota.unwrap_or_default() + if approve.live { "" } else { "test = true\n" };
    let state = installation.admit(&found.application, &more, &address(installation)?).map_err(|error| Failure::new(2, error))?;
    // In the registry first: with its certificates alone it would be refused.
    tell(&installation.config(), out)?;
    joins.decide(&found.code, &state)?;
    let (agency, world) = (&found.application.agency, if approve.live { "live" } else { "test" });
    out.result(
        format_args!("{agency} takes part in the {world} world; its oncegate join has its certificates now"),
        &serde_json::json!({ "format": 1, "approved": agency, "world": world }),
    )
}

/// Turns somebody away.
pub(super) fn turn_away(installation: &Installation, code: &str, reason: String, out: &Out) -> Outcome {
    let (joins, found) = find(installation, code)?;
    joins.decide(&found.code, &State::Refused { reason })?;
    let agency = &found.application.agency;
    out.result(format_args!("{agency} was turned away"), &serde_json::json!({ "format": 1, "turnedAway": agency }))
}

/// Where newcomers reach the public listener: as personal links do, if the configuration says that.
fn public_address(config: &Config) -> String {
    if let Some(url) = &config.notices.public_url {
        return url.to_string().trim_end_matches('/').to_owned();
    }
    match &config.exchange.host {
        Some(host) if config.public.ip().is_unspecified() => format!("http://{host}:{}", config.public.port()),
        _ => format!("http://{}", config.public),
    }
}

fn joins(config: &Config) -> Joins {
    Joins::of(&config.data)
}

/// The one that waits with this code. The whole spoken part must fit: with less of it, keys could be found that fit too.
fn find(installation: &Installation, code: &str) -> Result<(Joins, Waiting), Failure> {
    let config = Config::load(&installation.config()).map_err(|error| Failure::new(2, error))?;
    let joins = joins(&config);
    let wanted: String = code.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let said = |waiting: &Waiting| spoken(&waiting.code).replace('-', "");
    let fits = |waiting: &Waiting| wanted == said(waiting) || wanted == waiting.code.to_string();
    let found = joins.all()?.into_iter().find(fits);
    let found = found
        .ok_or_else(|| Failure::new(2, format!("nobody waits with the code {code}; oncegate agency requests shows who does")))?;
    if found.state != State::Waiting {
        return Err(Failure::new(2, format!("{} was decided already", found.application.agency)));
    }
    Ok((joins, found))
}

fn word(state: &State) -> &'static str {
    match state {
        State::Waiting => "waiting",
        State::Approved { .. } => "approved",
        State::Refused { .. } => "refused",
    }
}

fn line(waiting: &Waiting) -> String {
    let Waiting { code, application, since, state } = waiting;
    let holds = if application.holds.is_empty() { String::new() } else { format!("  holds {}", application.holds.join(", ")) };
    let url = application.url.as_ref().map_or(String::new(), |url| format!("  at {url}"));
    format!("{}  {:8}  {since}  {}  {}{holds}{url}", spoken(code), word(state), application.agency, application.name)
}

fn json(waiting: &Waiting) -> serde_json::Value {
    let Waiting { code, application, since, state } = waiting;
    serde_json::json!({
        "format": 1, "code": code.to_string(), "spoken": spoken(code), "state": word(state), "since": since.to_string(),
        "agency": application.agency, "name": application.name, "url": application.url, "holds": application.holds,
    })
}
