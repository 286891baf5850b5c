//! `oncegate agency delegate`, `delegations`, `end-delegation`: who may ask on whose behalf.

use super::super::reload::tell;
use super::super::{Failure, Out, Outcome};
use crate::gateway::driver::now;
use crate::program::setup::{Installation, NewDelegation};
use crate::rules::registry::{AgencyIndex, Delegation, Registry};

/// A delegation to be added.
#[derive(clap::Args)]
pub(super) struct Delegate {
    /// The delegation's name
    id: String,
    /// The agency that asks, and signs
    #[arg(long)]
    agent: String,
    /// The agency on whose behalf, and by whose grants
    #[arg(long)]
    principal: String,
    /// A document type that it is for; may be given again; without it, all
    #[arg(long)]
    what: Vec<String>,
    /// A purpose that it is for; may be given again; without it, all
    #[arg(long = "purpose")]
    purposes: Vec<String>,
    /// The legal basis, such as XX:EDU:7
    #[arg(long)]
    basis: String,
    /// The first day, UTC; without it, today
    #[arg(long)]
    from: Option<String>,
    /// The last day, UTC: 2027-12-31
    #[arg(long)]
    until: String,
}

impl Delegate {
    pub(super) fn run(&self, installation: &Installation, out: &Out) -> Outcome {
        let Self { id, agent, principal, what, purposes, basis, from, until } = self;
        let delegation = NewDelegation { id, agent, principal, what, purposes, basis, from: from.as_deref(), until };
        installation.add_delegation(&delegation).map_err(|error| Failure::new(2, error))?;
        let said = format!("{agent} may ask on behalf of {principal}: {id}");
        out.result(said, &serde_json::json!({ "format": 1, "delegated": id, "agent": agent, "principal": principal }))?;
        tell(&installation.config(), out)
    }
}

/// Ends a delegation.
pub(super) fn end(installation: &Installation, id: &str, out: &Out) -> Outcome {
    installation.end_delegation(id).map_err(|error| Failure::new(2, error))?;
    out.result(format_args!("ended {id}"), &serde_json::json!({ "format": 1, "ended": id }))?;
    tell(&installation.config(), out)
}

/// Lists all delegations.
pub(super) fn list(registry: &Registry, out: &Out) -> Outcome {
    registry.delegations().try_for_each(|delegation| {
        if out.is_json {
            return out.print(json(registry, delegation));
        }
        out.print(format_args!("{:<32} {}", delegation.id, line(registry, delegation)))
    })
}

/// Those in which an agency is agent or principal.
pub(super) fn of(registry: &Registry, agency: AgencyIndex) -> impl Iterator<Item = &Delegation> {
    registry.delegations().filter(move |delegation| delegation.agent == agency || delegation.principal == agency)
}

/// A delegation in words.
pub(super) fn line(registry: &Registry, delegation: &Delegation) -> String {
    let listed = |codes: &[crate::base::ids::Code], all: &str| match codes {
        [] => all.to_owned(),
        codes => codes.iter().map(|code| code.as_str()).collect::<Vec<_>>().join(", "),
    };
    let from = delegation.from.map_or(String::new(), |from| format!(" from {from}"));
    format!(
        "{:<8} {} on behalf of {}: {} for {} on {}{from} until {}",
        state(delegation),
        name(registry, delegation.agent),
        name(registry, delegation.principal),
        listed(&delegation.what, "all documents"),
        listed(&delegation.purposes, "all purposes"),
        delegation.basis,
        delegation.until
    )
}

/// A delegation as JSON.
pub(super) fn json(registry: &Registry, delegation: &Delegation) -> serde_json::Value {
    let codes = |codes: &[crate::base::ids::Code]| codes.iter().map(|code| code.as_str().to_owned()).collect::<Vec<_>>();
    serde_json::json!({
        "format": 1, "delegation": delegation.id.as_str(), "agent": name(registry, delegation.agent),
        "principal": name(registry, delegation.principal), "what": codes(&delegation.what), "purposes": codes(&delegation.purposes),
        "legalBasis": &*delegation.basis, "from": delegation.from.map(|day| day.to_string()), "until": delegation.until.to_string(),
        "inForce": state(delegation) == IN_FORCE,
    })
}

const IN_FORCE: &str = "in force";

fn state(delegation: &Delegation) -> &'static str {
    let today = now().day();
    match delegation.from {
        _ if delegation.until < today => "ended",
        Some(from) if from > today => "to come",
        _ => IN_FORCE,
    }
}

fn name(registry: &Registry, index: AgencyIndex) -> &str {
    registry.agency(index).map_or("", |agency| agency.id.as_str())
}
