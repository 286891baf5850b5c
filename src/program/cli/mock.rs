//! `oncegate mock`

use super::ask::folder;
use super::schema::With;
use super::{Failure, Out, Outcome, runtime};
use crate::base::ids::Code;
use crate::host::transport::Identity;
use crate::program::mock::Mock;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

const EXAMPLES: &str = "Examples:\n  oncegate mock birth-certificate --as agencies/ru.yar.registry\n  \
oncegate mock birth-certificate residence-record --as agencies/ru.yar.registry --listen 127.0.0.1:9443";

/// Answer as a holder from the examples of the schemas, until SIGTERM or SIGINT: in the test world only, for consumers that begin
/// before their provider is there.
#[derive(clap::Args)]
#[command(before_help = EXAMPLES)]
pub(super) struct MockCommand {
    /// The document types that it holds
    #[arg(required = true, value_name = "TYPE")]
    types: Vec<String>,
    /// The agency's folder, or its name under ./agencies
    #[arg(long = "as")]
    agency: PathBuf,
    /// Take questions at this address, which the agency's url leads to; without it, come for them (url = "outbound")
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    #[command(flatten)]
    with: With,
}

impl MockCommand {
    pub(super) fn run(self, out: &Out) -> Outcome {
        let sets = self.with.load()?;
        let types: Vec<Code> = self.types.iter().map(|name| known(&sets, name)).collect::<Result<_, _>>()?;
        let folder = folder(&self.agency);
        let is_quiet = out.is_quiet;
        let say = move |line: &str| {
            if !is_quiet {
                let _ = writeln!(std::io::stderr().lock(), "{line}");
            }
        };
        let mock = Mock::open(&folder, sets, types, Arc::new(say))?;
        runtime()?.block_on(async {
            let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
            let (stopping, stopped) = watch::channel(false);
            let working = match self.listen {
                None => {
                    out.say("ready: it comes for questions");
                    tokio::spawn(mock.come_for_questions(stopped))
                }
                Some(address) => {
                    let files = ["tls.pem", "tls.key", "ca.pem"].map(|name| folder.join(name));
                    let [certificate, key, authorities] = &files;
                    let identity = Identity::load(certificate, key, authorities, None).map_err(|error| Failure::new(2, error))?;
                    let listener = TcpListener::bind(address).await;
                    let listener = listener.map_err(|cause| Failure::new(1, format!("{address}: {cause}")))?;
                    out.say(format_args!("ready: https://{}", listener.local_addr()?));
                    tokio::spawn(async move { mock.serve(listener, &identity, stopped).await })
                }
            };
            tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
            let _ = stopping.send(true);
            working.abort();
            out.say("stopped");
            Ok(())
        })
    }
}

fn known(sets: &crate::host::schemas::sets::Sets, name: &str) -> Result<Code, Failure> {
    let known = Code::parse(name).filter(|code| sets.schemas().document_type(code).is_some());
    known.ok_or_else(|| {
        Failure::new(
            2,
            format!("\"{name}\" is not a document type that is known; for those of other owners' sets name --schemas"),
        )
    })
}
