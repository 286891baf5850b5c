//! `oncegate policy explain`

use super::{Failure, Out, Outcome};
use crate::base::ids::{AgencyId, Code};
use crate::gateway::driver::now;
use crate::host::config::Config;
use crate::message::envelope::{Context, Described, Subject, World};
use crate::message::schema::FieldPath;
use crate::program::server::check;
use crate::rules::policy::{Question, decide, explain, principal};
use crate::rules::registry::{Action, Status};
use clap::{Args, Subcommand};
use std::path::PathBuf;

const EXAMPLES: &str = "Examples:\n  oncegate policy explain -c office/oncegate.toml --who ru.yar.school-17 --what medical-absence-note --for school-attendance\n  \
oncegate policy explain --who ru.yar.school-17 --what medical-absence-note --for school-attendance --basis RU:323-FZ:13 --select Diagnosis";

/// Say who may ask what of whom, and why not.
#[derive(Args)]
#[command(before_help = EXAMPLES)]
pub(super) struct Policy {
    #[command(subcommand)]
    action: Explain,
}

#[derive(Subcommand)]
enum Explain {
    /// Say for each grant whether it permits a question, or which rule it fails at
    #[command(before_help = EXAMPLES)]
    Explain(Asked),
}

#[derive(Args)]
struct Asked {
    /// The configuration
    #[arg(short, long, default_value = "oncegate.toml")]
    config: PathBuf,
    /// The agency that asks
    #[arg(long)]
    who: String,
    /// The agency on whose behalf, and by whose grants
    #[arg(long)]
    on_behalf_of: Option<String>,
    /// The document type, such as medical-absence-note
    #[arg(long)]
    what: String,
    /// The purpose, such as school-attendance
    #[arg(long = "for")]
    purpose: String,
    /// The legal basis; without it each grant's own is assumed
    #[arg(long)]
    basis: Option<String>,
    /// A field that is selected; may be given again
    #[arg(long)]
    select: Vec<String>,
    /// The role of the person in the document, where there are several
    #[arg(long)]
    role: Option<String>,
    /// The question is about an organisation
    #[arg(long)]
    organisation: bool,
    /// An application instead of a request
    #[arg(long)]
    apply: bool,
}

impl Policy {
    pub(super) fn run(self, out: &Out) -> Outcome {
        let Explain::Explain(asked) = self.action;
        asked.run(out)
    }
}

impl Asked {
    fn run(self, out: &Out) -> Outcome {
        let config = Config::load(&self.config).map_err(|error| Failure::new(2, error))?;
        let checked = check(config).map_err(|error| Failure::new(2, error))?;
        let (registry, schemas) = (&checked.registry, checked.sets.schemas());
        let code = |text: &str| Code::parse(text).ok_or_else(|| Failure::new(2, format!("\"{text}\" is not a code")));
        let (what, purpose) = (code(&self.what)?, code(&self.purpose)?);
        let document = schemas.document_type(&what);
        let document = document.ok_or_else(|| Failure::new(2, format!("no document type is called {what}")))?;
        let known = |name: &str| {
            let found = AgencyId::parse(name).and_then(|id| Some((registry.find(&id)?, id)));
            found.ok_or_else(|| Failure::new(2, format!("no agency is called {name}")))
        };
        let (agent, _) = known(&self.who)?;
        let described = if self.organisation { Described::Organisation(None) } else { Described::default() };
        let mut context = Context::new(purpose, String::new(), Subject { described, ..Subject::default() });
        context.on_behalf_of = self.on_behalf_of.as_deref().map(known).transpose()?.map(|(_, id)| id);
        let refused = |fault: crate::base::fault::Fault| Failure::new(3, format!("refused, {}: {}", fault.code, fault.detail));
        let principal = principal(registry, agent, (&what, &context), now()).map_err(refused)?;
        if let Some(named) = &context.on_behalf_of {
            out.say(format_args!("{} may ask on behalf of {named}, by whose grants it asks:", self.who));
        }
        let consumer = principal.unwrap_or(agent);
        context.legal_basis = match &self.basis {
            Some(basis) => vec![basis.clone()],
            None => registry.grants_of(consumer, &what).map(|(_, grant)| grant.basis.to_string()).collect(),
        };
        let question = Question {
            consumer,
            action: if self.apply { Action::Apply } else { Action::Read },
            document,
            context: &context,
            select: &super::ask::fields(&self.select)?,
            role: self.role.as_deref().unwrap_or_default(),
        };
        let agency = registry.agency(agent);
        let suspended = agency.is_some_and(|agency| agency.status == Status::Suspended);
        let holders = registry.holders(&what, agency.map_or(World::Live, |agency| agency.world)).count();
        for (grant, fault) in explain(registry, &question, now()) {
            let (verdict, why) = match &fault {
                None => ("permits", format!("until {}, fields: {}", grant.until, listed(&grant.fields))),
                Some(fault) => ("refuses", format!("{} {}", fault.code, fault.detail)),
            };
            let code = fault.as_ref().map(|fault| fault.code.as_str());
            let json =
                serde_json::json!({ "format": 1, "grant": grant.id.as_str(), "verdict": verdict, "code": code, "why": why });
            out.result(format_args!("{verdict}  {:<32} {why}", grant.id), &json)?;
        }
        let verdict = if suspended {
            Err(format!("OG-TLS-002: {} is suspended", self.who))
        } else {
            decide(registry, &question, now())
                .map(|grounds| grounds.grant_id)
                .map_err(|fault| format!("{}: {}", fault.code, fault.detail))
        };
        match verdict {
            Ok(grant) if holders > 0 => out.say(format_args!("permitted by {grant}; {holders} active holders")),
            Ok(grant) => return Err(Failure::new(3, format!("permitted by {grant}, but no agency holds {what}: OG-RTE-001"))),
            Err(why) => return Err(Failure::new(3, format!("refused, {why}"))),
        }
        Ok(())
    }
}

fn listed(fields: &[FieldPath]) -> String {
    if fields.is_empty() { "only those that the schema requires".to_owned() } else { spaced(fields) }
}

/// The fields of a grant in one line.
pub(super) fn spaced(fields: &[FieldPath]) -> String {
    fields.iter().map(FieldPath::as_str).collect::<Vec<_>>().join(" ")
}
