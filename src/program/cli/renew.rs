//! `oncegate renew`

use super::{Failure, Out, Outcome};
use crate::base::ids::AgencyId;
use crate::program::setup::{Installation, Renewal};
use std::path::PathBuf;

const EXAMPLES: &str = "Examples:\n  oncegate renew --in office\n  oncegate renew --in office --new-key\n  oncegate renew xx.office.school-1 --in office";

/// Renew the certificate of the gateway, or those of an agency.
#[derive(clap::Args)]
#[command(before_help = EXAMPLES)]
pub(super) struct Renew {
    /// The agency; without it, the gateway's own certificate
    agency: Option<String>,
    /// The installation's folder
    #[arg(long = "in", default_value = ".")]
    folder: PathBuf,
    /// Make a new key as well, instead of a new certificate for the old one
    #[arg(long)]
    new_key: bool,
}

impl Renew {
    pub(super) fn run(self, out: &Out) -> Outcome {
        let installation = Installation::at(&self.folder);
        let renewal = if self.new_key { Renewal::NewKey } else { Renewal::KeepKey };
        let wrong =
            |id: &str| Failure::new(2, format!("\"{id}\" is not the name of an agency; a name looks like ru.yar.school-17"));
        let agency = self.agency.as_deref().map(|id| AgencyId::parse(id).ok_or_else(|| wrong(id))).transpose()?;
        let written = match &agency {
            Some(id) => installation.renew_agency(id, renewal),
            None => installation.renew_gateway(renewal),
        };
        let written = written.map_err(|error| Failure::new(2, error))?;
        if out.is_json {
            return out.print(serde_json::json!({ "format": 1, "written": written }));
        }
        written.iter().try_for_each(|path| out.print(path.display()))?;
        out.say("the files that were in use are kept beside them as .old");
        out.say("next: kill -HUP the gateway; it reads certificates and registry again");
        if agency.is_some() {
            out.say("then give the agency the new files; until the old certificates end, both are taken");
        }
        Ok(())
    }
}
