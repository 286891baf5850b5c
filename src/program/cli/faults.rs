//! `oncegate faults`

use super::{Failure, Out, Outcome};
use crate::base::fault::{Code, nearest};

/// Print the catalogue of fault codes.
#[derive(clap::Args)]
#[command(before_help = "Examples:\n  oncegate faults\n  oncegate faults OG-SIG-003\n  oncegate faults --json | head -1")]
pub(super) struct Faults {
    /// One code
    code: Option<String>,
}

impl Faults {
    pub(super) fn run(self, out: &Out) -> Outcome {
        let wanted = self.code.as_deref().map(str::to_ascii_uppercase);
        if let Some(code) = wanted.as_deref().filter(|code| Code::parse(code).is_none()) {
            let known = nearest(code, Code::ALL.iter().map(|code| code.as_str()));
            let suggestion = known.map_or(String::new(), |known| format!("; did you mean {known}?"));
            return Err(Failure::new(2, format!("no fault has the code \"{code}\"{suggestion}")));
        }
        let wanted = |code: &&Code| wanted.as_deref().is_none_or(|wanted| code.as_str() == wanted);
        for code in Code::ALL.iter().filter(wanted) {
            let (blame, retry) = (code.blame().as_str(), code.retry().as_str());
            if out.is_json {
                out.print(serde_json::json!({
                    "format": 1, "code": code.as_str(), "status": code.status(), "blame": blame, "retry": retry, "title": code.title(), "next": code.next_step(),
                }))?;
            } else {
                out.print(format_args!(
                    "{code:<12} {:<4} {blame:<9} {retry:<13} {}; {}",
                    code.status(),
                    code.title(),
                    code.next_step()
                ))?;
            }
        }
        Ok(())
    }
}
