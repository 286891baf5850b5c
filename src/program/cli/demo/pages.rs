//! The pages of the demo's gateways: who signs in where.

use super::{Failure, Out, Outcome};
use crate::host::config::Config;
use crate::host::control::{Command, call};
use std::path::Path;

/// What a gateway's configuration says of its pages: any port that is free.
pub(super) const CONFIGURATION: &str = "\n[console]\nlisten = \"127.0.0.1:0\"\n";

/// Somebody who looks: name, role, agency, and what they see.
pub(super) type Seat = (&'static str, &'static str, Option<&'static str>, &'static str);

/// Prints a link for each, good once.
pub(super) fn links(config: &Path, seats: &[Seat], out: &Out) -> Outcome {
    let data = Config::load(config).map_err(|error| Failure::new(1, error))?.data;
    for (name, role, agency, sees) in seats {
        let who = serde_json::json!({ "name": name, "agency": agency, "roles": [role] });
        // The gateway that answers is in this very process.
        let answer = tokio::task::block_in_place(|| call(&data, Command::Link(who.to_string())));
        let answer = answer.map_err(|cause| Failure::new(1, cause))?;
        let link =
            answer.and_then(|answer| answer.link).ok_or_else(|| Failure::new(1, "the gateway gave no link to its pages"))?;
        out.print(format_args!("   {role:<9} {sees}\n             {link}"))?;
    }
    Ok(())
}
