//! `oncegate agency`

mod admit;
mod conformance;
mod delegate;

use super::reload::tell;
use super::{Failure, Out, Outcome};
use crate::base::ids::{AgencyId, Code};
use crate::gateway::driver::now;
use crate::host::authority::KeyType;
use crate::host::config::{Config, read_bounded};
use crate::host::control::{Command, HolderStanding, call};
use crate::message::schema::{PREDICATE, Schemas};
use crate::program::setup::{Installation, NewAgency, NewGrant, Suspension};
use crate::rules::registry::{About, Agency as Registered, AgencyIndex, Registry, Status};
use clap::Subcommand;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "Examples:\n  oncegate agency add ru.yar.school-17 --in office --name \"School 17\"\n  \
oncegate agency add ru.yar.clinic-3 --in office --name \"Clinic 3\" --url https://clinic.example:9443/oncegate --holds medical-absence-note\n  \
oncegate agency grant school-reads-absence --in office --who 'ru.*.school-*' --what medical-absence-note \\\n      --purpose school-attendance --basis RU:323-FZ:13 --field PeExemption --until 2027-12-31\n\n\n\
A gateway that runs on this folder takes each change at once, and the command says so.";

/// Agencies, their keys and their grants.
#[derive(clap::Args)]
#[command(before_help = EXAMPLES)]
pub(super) struct Agency {
    #[command(subcommand)]
    action: Action,
    /// The installation's folder
    #[arg(long = "in", global = true, default_value = ".")]
    folder: PathBuf,
}

#[derive(Subcommand)]
enum Action {
    /// Add an agency: makes its keys and certificates, and prints its client configuration
    #[command(
        before_help = "Examples:\n  oncegate agency add ru.yar.school-17 --in office --name \"School 17\"\n  oncegate agency add ru.yar.clinic-3 --in office --name \"Clinic 3\" --url https://clinic.example:9443/oncegate --holds medical-absence-note"
    )]
    Add(Add),
    /// Open the door for some days to agencies that want to take part, and say what they type
    #[command(before_help = "Examples:\n  oncegate agency invite --in office\n  oncegate agency invite --days 30 --in office")]
    Invite {
        /// For how many days
        #[arg(long, default_value_t = 7)]
        days: u64,
    },
    /// Show who has asked to take part
    #[command(before_help = "Examples:\n  oncegate agency requests --in office\n  oncegate agency requests --in office --json")]
    Requests,
    /// Have an agency take part that has asked: issue its certificates, enter it into the registry
    #[command(
        before_help = "Examples:\n  oncegate agency approve 1f0a-88c2-5d3e-9b47-06ac --in office\n  oncegate agency approve 1f0a-88c2-5d3e-9b47-06ac --live --in office"
    )]
    Approve(admit::Approve),
    /// Turn away an agency that has asked
    #[command(
        before_help = "Examples:\n  oncegate agency turn-away 1f0a-88c2-5d3e-9b47-06ac --reason \"ask under the name of your region\" --in office"
    )]
    TurnAway {
        /// The code
        code: String,
        /// Why; the newcomer reads it
        #[arg(long)]
        reason: String,
    },
    /// Let agencies ask for a document type
    #[command(
        before_help = "Examples:\n  oncegate agency grant school-reads-absence --in office --who 'ru.*.school-*' --what medical-absence-note --purpose school-attendance --basis RU:323-FZ:13 --until 2027-12-31"
    )]
    Grant {
        /// The grant's name
        id: String,
        /// Who may ask: an agency, or a pattern such as 'xx.town.school-*', with at most one * between two dots
        #[arg(long)]
        who: String,
        /// The document type, such as medical-absence-note
        #[arg(long)]
        what: String,
        /// The purpose, such as school-attendance
        #[arg(long)]
        purpose: String,
        /// The legal basis, such as XX:HEALTH:13
        #[arg(long)]
        basis: String,
        /// Whom or what the documents are about: person, organisation or thing
        #[arg(long, default_value = "person")]
        about: String,
        /// An optional field that may be released, such as Doctor/Name, Payer/@inn or Extract/**; may be given again
        #[arg(long = "field")]
        fields: Vec<String>,
        /// The last day, UTC: 2027-12-31
        #[arg(long)]
        until: String,
        /// Let them send applications instead of requests
        #[arg(long)]
        apply: bool,
    },
    /// Say that an agency holds a document type
    #[command(before_help = "Examples:\n  oncegate agency holds ru.yar.clinic-3 medical-absence-note --in office")]
    Holds {
        /// The agency
        id: String,
        /// The document type
        what: String,
    },
    /// List all grants
    #[command(before_help = "Examples:\n  oncegate agency grants --in office\n  oncegate agency grants --in office --json")]
    Grants,
    /// End a grant
    #[command(before_help = "Examples:\n  oncegate agency revoke-grant school-reads-absence --in office")]
    RevokeGrant {
        /// The grant's name
        id: String,
    },
    /// Let an agency ask on behalf of another, by the other's grants
    #[command(
        before_help = "Examples:\n  oncegate agency delegate portal-for-school --in office --agent ru.yar.portal --principal ru.yar.school-17 --what birth-certificate --basis RU:273-FZ:34 --until 2027-12-31"
    )]
    Delegate(delegate::Delegate),
    /// List all delegations
    #[command(
        before_help = "Examples:\n  oncegate agency delegations --in office\n  oncegate agency delegations --in office --json"
    )]
    Delegations,
    /// End a delegation
    #[command(before_help = "Examples:\n  oncegate agency end-delegation portal-for-school --in office")]
    EndDelegation {
        /// The delegation's name
        id: String,
    },
    /// List all agencies
    #[command(before_help = "Examples:\n  oncegate agency list --in office\n  oncegate agency list --in office --json")]
    List,
    /// Show one agency: what the registry says of it, and what stands at it in the running gateway
    #[command(before_help = "Examples:\n  oncegate agency show ru.yar.school-17 --in office")]
    Show {
        /// Its name
        id: String,
    },
    /// Refuse an agency from now on
    #[command(
        before_help = "Examples:\n  oncegate agency suspend ru.yar.school-17 --in office\n  oncegate agency suspend ru.yar.school-17 --in office --lift"
    )]
    Suspend {
        /// Its name
        id: String,
        /// Let it take part again
        #[arg(long)]
        lift: bool,
    },
    /// Have another agency stand in the place of one from now on: what is addressed to the old name reaches it, and records name both
    #[command(
        before_help = "Examples:\n  oncegate agency succeed ru.yar.employment-3 --by ru.yar.my-documents --in office\n  oncegate agency succeed ru.yar.employment-3 --lift --in office"
    )]
    Succeed {
        /// The old name
        id: String,
        /// Who does the work now
        #[arg(long, required_unless_present = "lift", conflicts_with = "lift")]
        by: Option<String>,
        /// Let it do its work itself again
        #[arg(long)]
        lift: bool,
    },
    /// Enrol a further signing key
    #[command(
        before_help = "Examples:\n  oncegate agency cert ru.yar.school-17 --in office --request key.csr --name sign-2027\n  oncegate agency cert ru.yar.school-17 --in office --name sign-2027 --ed25519"
    )]
    Cert {
        /// The agency
        id: String,
        /// A certificate request (PKCS#10, PEM): the key stays where it was made
        #[arg(long)]
        request: Option<PathBuf>,
        /// The name of the files that are made
        #[arg(long, default_value = "sign-2")]
        name: String,
        /// Make an Ed25519 key instead of a P-256 key
        #[arg(long)]
        ed25519: bool,
    },
    /// Enrol a signing certificate that an agency already has
    #[command(before_help = "Examples:\n  oncegate agency enrol ru.yar.school-17 seal.pem --in office")]
    Enrol {
        /// The agency
        id: String,
        /// The certificate, PEM
        certificate: PathBuf,
    },
    /// Test an agency that is to be admitted: twenty checks through the running gateway and at its port, and a signed report
    #[command(
        before_help = "Examples:\n  oncegate agency test ru.yar.clinic-3 --in office\n  oncegate agency test ru.yar.clinic-3 --in office --found XX-OGTEST:99000000136 --found XX-OGTEST:99000000245 --none XX-OGTEST:99000000354\n  oncegate agency test --verify office/conformance/ru.yar.clinic-3-20261201T090000000Z.note --in office\n\n\
Exit codes: 0 all checks are held, 1 some are not, 2 the run could not be made, 6 a report that is not to be believed"
    )]
    Test(conformance::Test),
    /// Let an agency go from the test world to the live one, by a conformance report of 20 of 20
    #[command(
        before_help = "Examples:\n  oncegate agency go-live ru.yar.clinic-3 --in office\n  oncegate agency go-live ru.yar.clinic-3 --in office --back"
    )]
    GoLive(conformance::GoLive),
    /// Sign the registry after a change by hand
    #[command(before_help = "Examples:\n  oncegate agency sign --in office")]
    Sign,
}

/// An agency to be added.
#[derive(clap::Args)]
struct Add {
    /// Its name in messages: ru.yar.school-17
    id: String,
    /// Its name for people
    #[arg(long)]
    name: String,
    /// The address of its server, if it holds documents: https://host:port/path
    #[arg(long)]
    url: Option<String>,
    /// A document type that it holds; may be given again
    #[arg(long)]
    holds: Vec<String>,
    /// Requests per minute
    #[arg(long)]
    requests_per_minute: Option<u32>,
    /// The gateway's address as this agency sees it; without it, the one that it listens on
    #[arg(long)]
    gateway: Option<String>,
    /// What else it may do: auditor, portal; may be given again
    #[arg(long = "role")]
    roles: Vec<String>,
    /// An agency of the test world
    #[arg(long)]
    test: bool,
}

impl Agency {
    pub(super) fn run(self, out: &Out) -> Outcome {
        let installation = Installation::at(&self.folder);
        let failed = |error: crate::program::setup::SetupError| Failure::new(2, error);
        match self.action {
            Action::Add(add) => add.run(&installation, out),
            Action::Invite { days } => admit::invite(&installation, days, out),
            Action::Requests => admit::requests(&installation, out),
            Action::Approve(approve) => admit::approve(&installation, &approve, out),
            Action::TurnAway { code, reason } => admit::turn_away(&installation, &code, reason, out),
            Action::Grant { id, who, what, purpose, basis, about, fields, until, apply } => {
                let known = About::ALL.into_iter().find(|known| known.as_str() == about);
                let wrong = || Failure::new(2, format!("--about {about}: it is person, organisation or thing"));
                let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
                let grant = NewGrant {
                    id: &id,
                    who: &who,
                    action: if apply { "apply" } else { "read" },
                    what: &what,
                    about: known.ok_or_else(wrong)?,
                    fields: &fields,
                    purpose: &purpose,
                    basis: &basis,
                    until: &until,
                };
                installation.add_grant(&grant).map_err(failed)?;
                out.result(format_args!("granted {id}"), &serde_json::json!({ "format": 1, "granted": id }))?;
                warn_unchecked(&installation, &what, out);
                tell(&installation.config(), out)
            }
            Action::Holds { id, what } => holds(&installation, &parse(&id)?, &what, out),
            Action::Grants => {
                let sets = installation.schemas().map_err(failed)?;
                grants(&draft(&installation)?, sets.schemas(), out)
            }
            Action::RevokeGrant { id } => {
                installation.revoke_grant(&id).map_err(failed)?;
                out.result(format_args!("ended {id}"), &serde_json::json!({ "format": 1, "ended": id }))?;
                tell(&installation.config(), out)
            }
            Action::Delegate(delegate) => delegate.run(&installation, out),
            Action::Delegations => delegate::list(&draft(&installation)?, out),
            Action::EndDelegation { id } => delegate::end(&installation, &id, out),
            Action::List => list(&draft(&installation)?, out),
            Action::Show { id } => show(&installation, &parse(&id)?, out),
            Action::Suspend { id, lift } => {
                let suspension = if lift { Suspension::Lift } else { Suspension::Impose };
                installation.suspend(&parse(&id)?, suspension).map_err(failed)?;
                let status = if lift { "active" } else { "suspended" };
                out.result(format_args!("{status} {id}"), &serde_json::json!({ "format": 1, "id": id, "status": status }))?;
                tell(&installation.config(), out)
            }
            Action::Succeed { id, by, lift: _ } => {
                let by = by.as_deref().map(parse).transpose()?;
                succeed(&installation, &parse(&id)?, by.as_ref(), out)
            }
            Action::Cert { id, request, name, ed25519 } => {
                let key_type = if ed25519 { KeyType::Ed25519 } else { KeyType::P256 };
                cert(&installation, &parse(&id)?, request.as_deref(), (&name, key_type), out)
            }
            Action::Enrol { id, certificate } => {
                let text = read_bounded(&certificate).map_err(|error| Failure::new(2, error))?;
                let named = |error| Failure::new(2, format!("{}: {error}", certificate.display()));
                installation.enrol(&parse(&id)?, &text).map_err(named)?;
                out.result(format_args!("enrolled {}", certificate.display()), &serde_json::json!({ "format": 1, "id": id }))?;
                tell(&installation.config(), out)
            }
            Action::Test(test) => test.run(&installation, out),
            Action::GoLive(go_live) => go_live.run(&installation, out),
            Action::Sign => sign(&installation, out),
        }
    }
}

/// Enrols a further signing key.
fn cert(
    installation: &Installation,
    id: &AgencyId,
    request: Option<&Path>,
    (name, key_type): (&str, KeyType),
    out: &Out,
) -> Outcome {
    let request = request.map(read_bounded).transpose().map_err(|error| Failure::new(2, error))?;
    if let Some(request) = request.as_deref().and_then(|text| crate::message::pki::read_request(text).ok())
        && !request.passed_over.is_empty()
    {
        out.say(format_args!("only the key was taken from the request; ignored: {}", request.passed_over.join(", ")));
    }
    let file = installation.add_key(id, name, key_type, request.as_deref()).map_err(|error| Failure::new(2, error))?;
    out.result(file.display(), &serde_json::json!({ "format": 1, "id": id.as_str(), "certificate": file }))?;
    tell(&installation.config(), out)
}

fn succeed(installation: &Installation, id: &AgencyId, by: Option<&AgencyId>, out: &Out) -> Outcome {
    installation.succeed(id, by).map_err(|error| Failure::new(2, error))?;
    let said = by.map_or_else(|| format!("{id} does its work itself"), |by| format!("{by} stands in the place of {id}"));
    let shown = serde_json::json!({ "format": 1, "id": id.as_str(), "succeededBy": by.map(AgencyId::as_str) });
    out.result(said, &shown)?;
    tell(&installation.config(), out)
}

fn sign(installation: &Installation, out: &Out) -> Outcome {
    let version = draft(installation)?.version();
    let raised = installation.sign().map_err(|error| Failure::new(2, error))?;
    if let Some(raised) = raised {
        out.say(format_args!("version {version} was in force with another content, so this is version {raised}"));
    }
    let version = raised.unwrap_or(version);
    out.result("signed registry.toml", &serde_json::json!({ "format": 1, "registryVersion": version }))?;
    tell(&installation.config(), out)
}

impl Add {
    fn run(self, installation: &Installation, out: &Out) -> Outcome {
        let Self { id, name, url, holds, requests_per_minute, gateway, roles, test } = self;
        let id = parse(&id)?;
        let gateway = gateway.map_or_else(|| address(installation), Ok)?;
        let holds: Vec<&str> = holds.iter().map(String::as_str).collect();
        let quota = requests_per_minute.map_or(String::new(), |limit| format!("quota = {{ requests_per_minute = {limit} }}\n"));
        let roles = if roles.is_empty() { String::new() } else { format!("roles = {roles:?}\n") };
        let more = quota + &roles + if test { "test = true\n" } else { "" };
        let agency = NewAgency { id: &id, name: &name, url: url.as_deref(), holds: &holds, more: &more };
        let folder = installation.add_agency(&agency, &gateway).map_err(|error| Failure::new(2, error))?;
        let client = folder.join("client.toml");
        let json = serde_json::json!({ "format": 1, "id": id.as_str(), "client": client });
        let text = read_bounded(&client).map_err(|error| Failure::new(1, error))?;
        out.result(text.trim_end(), &json)?;
        out.say(format_args!("the agency's keys and this file are in {}", folder.display()));
        tell(&installation.config(), out)
    }
}

fn parse(id: &str) -> Result<AgencyId, Failure> {
    AgencyId::parse(id)
        .ok_or_else(|| Failure::new(2, format!("\"{id}\" is not the name of an agency; a name looks like ru.yar.school-17")))
}

fn address(installation: &Installation) -> Result<String, Failure> {
    let config = Config::load(&installation.config()).map_err(|error| Failure::new(2, error))?;
    let listen = config.exchange.listen;
    let host = match config.exchange.host {
        Some(host) => host,
        None if listen.ip().is_unspecified() => "localhost".to_owned(),
        None => listen.ip().to_string(),
    };
    // RFC 3986, section 3.2.2: an IPv6 address in a URL stands in brackets.
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    Ok(format!("https://{host}:{}", listen.port()))
}

/// While a set is refused nobody knows the fields of its documents: a wrong one would refuse the registry once the set is in order.
fn warn_unchecked(installation: &Installation, what: &str, out: &Out) {
    let Ok(sets) = installation.schemas() else { return };
    if Code::parse(what).is_some_and(|code| sets.schemas().is_absent(&code)) {
        out.say(format_args!(
            "warning: the schemas of {what} are refused at present, so whom the grant is about and its fields were not checked, and it \
             counts for nothing yet; put the set in order, then run oncegate check"
        ));
    }
}

fn holds(installation: &Installation, id: &AgencyId, what: &str, out: &Out) -> Outcome {
    installation.add_holder(id, what).map_err(|error| Failure::new(2, error))?;
    out.result(format_args!("{id} holds {what}"), &serde_json::json!({ "format": 1, "id": id.as_str(), "holds": what }))?;
    tell(&installation.config(), out)
}

/// The registry as it stands, signed or not.
fn draft(installation: &Installation) -> Result<Registry, Failure> {
    installation.draft().map_err(|error| Failure::new(2, error))
}

/// Who stands in the place of an agency.
fn successor(registry: &Registry, index: AgencyIndex) -> Option<&AgencyId> {
    let acting = registry.acting(index);
    registry.agency(acting).filter(|_| acting != index).map(|agency| &agency.id)
}

fn status(agency: &Registered) -> &'static str {
    match agency.status {
        Status::Active => "active",
        Status::Suspended => "suspended",
    }
}

fn list(registry: &Registry, out: &Out) -> Outcome {
    for (index, agency) in registry.agencies() {
        let holds: Vec<&str> = registry.held_by(index).map(|what| what.as_str()).collect();
        if out.is_json {
            out.print(serde_json::json!({ "format": 1, "id": agency.id.as_str(), "name": agency.name, "status": status(agency), "holds": holds }))?;
        } else {
            out.print(format_args!("{:<32} {:<10} {:<40} {}", agency.id.as_str(), status(agency), holds.join(","), agency.name))?;
        }
    }
    Ok(())
}

fn grants(registry: &Registry, schemas: &Schemas, out: &Out) -> Outcome {
    let today = now().day();
    let class = |what: &Code| schemas.document_type(what).map(|document| document.class.as_str());
    for (grant, who) in registry.grants_with_whom() {
        let state = if grant.until < today { "ended" } else { "in force" };
        if out.is_json {
            out.print(serde_json::json!({
                "format": 1, "id": grant.id.as_str(), "who": who, "action": grant.action.as_str(),
                "what": grant.what.as_str(), "class": class(&grant.what), "about": grant.about.as_str(), "fields": &*grant.fields, "purpose": grant.purpose.as_str(), "legalBasis": &*grant.basis,
                "until": grant.until.to_string(), "inForce": grant.until >= today,
                "regions": grant.sources.iter().flat_map(|from| &from.regions).map(|region| region.as_str()).collect::<Vec<_>>(),
                "publishers": grant.sources.iter().flat_map(|from| &from.publishers).collect::<Vec<_>>(),
            }))?;
        } else {
            out.print(format_args!(
                "{:<32} {state:<8} {} may {} {}{}{} for {} on {} until {}  {}",
                grant.id,
                who,
                grant.action.as_str(),
                grant.what,
                if class(&grant.what) == Some(PREDICATE) { " (yes or no)" } else { "" },
                grant.sources.as_ref().map_or(String::new(), ToString::to_string),
                grant.purpose,
                grant.basis,
                grant.until,
                super::policy::spaced(&grant.fields)
            ))?;
        }
    }
    Ok(())
}

/// What stands at an agency in the gateway that runs on this folder, if it was asked since the start.
fn standing(installation: &Installation, id: &AgencyId) -> Option<HolderStanding> {
    let data = Config::load(&installation.config()).ok()?.data;
    let answer = call(&data, Command::Standings).ok()??;
    answer.standings.into_iter().find(|standing| standing.holder == id.as_str())
}

fn show(installation: &Installation, id: &AgencyId, out: &Out) -> Outcome {
    let (registry, schemas) = (draft(installation)?, installation.schemas().map_err(|error| Failure::new(2, error))?);
    let index = registry.find(id).ok_or_else(|| Failure::new(4, format!("no agency is called {id}")))?;
    let Some(agency) = registry.agency(index) else { return Ok(()) };
    let load = agency.load;
    // Whoever looks at a registry of which no gateway runs looks at the registry alone.
    let standing = standing(installation, id);
    let (allowance, is_usable) = (agency.allowance, agency.key(None, now()).is_ok());
    let holds: Vec<&str> = registry.held_by(index).map(|what| what.as_str()).collect();
    let grants: Vec<_> =
        schemas.schemas().document_types().flat_map(|document| registry.grants_of(index, &document.name)).collect();
    if out.is_json {
        let may = grants.iter().map(|(_, grant)| {
            serde_json::json!({
                "grant": grant.id.as_str(), "what": grant.what.as_str(), "about": grant.about.as_str(), "purpose": grant.purpose.as_str(),
                "legalBasis": &*grant.basis, "until": grant.until.to_string(), "fields": &*grant.fields,
            })
        });
        return out.print(serde_json::json!({
            "format": 1, "id": agency.id.as_str(), "name": agency.name, "status": status(agency),
            "requestsPerMinute": allowance.requests_per_minute, "burst": allowance.burst, "parallel": allowance.parallel,
            "keys": agency.key_count(), "keyIsUsable": is_usable, "holds": holds, "may": may.collect::<Vec<_>>(),
            "succeededBy": successor(&registry, index).map(AgencyId::as_str),
            "roles": agency.roles.iter().map(|role| role.as_str()).collect::<Vec<_>>(),
            "load": { "parallel": load.parallel, "waiting": load.waiting, "failures": load.failures },
            "delegations": delegate::of(&registry, index).map(|found| delegate::json(&registry, found)).collect::<Vec<_>>(),
            "now": standing,
        }));
    }
    out.print(format_args!("{}  {}  {}", agency.id, agency.name, status(agency)))?;
    out.print(format_args!(
        "  quota   {} requests a minute, {} at once, {} open",
        allowance.requests_per_minute, allowance.burst, allowance.parallel
    ))?;
    successor(&registry, index).map_or(Ok(()), |by| out.print(format_args!("  place   {by} stands in its place")))?;
    let count = agency.key_count();
    out.print(format_args!("  keys    {count} enrolled, {} usable without naming one", u8::from(is_usable)))?;
    agency.roles.iter().try_for_each(|role| out.print(format_args!("  role    {}", role.as_str())))?;
    if agency.url.is_some() {
        out.print(format_args!(
            "  load    {} requests at once, {} waiting, left alone after {} failures",
            load.parallel, load.waiting, load.failures
        ))?;
    }
    if let Some(HolderStanding { requests, waiting, state, wait_ms, .. }) = standing {
        let wait = wait_ms.map_or(String::new(), |ms| format!(", tried again in {} s", ms.div_ceil(1000)));
        out.print(format_args!("  now     {state}{wait}: {requests} requests under way, {waiting} waiting"))?;
    }
    delegate::of(&registry, index)
        .try_for_each(|found| out.print(format_args!("  asks    {}  [{}]", delegate::line(&registry, found), found.id)))?;
    holds.iter().try_for_each(|what| out.print(format_args!("  holds   {what}")))?;
    grants.iter().try_for_each(|(_, grant)| {
        let fields = super::policy::spaced(&grant.fields);
        out.print(format_args!(
            "  may     {} for {} on {} until {}  [{}] {fields}",
            grant.what, grant.purpose, grant.basis, grant.until, grant.id
        ))
    })
}
