//! The agency's side as one process: a holder from tables, and a desk at which the agency's own systems ask in JSON. It holds the keys
//! and TLS, signs, verifies, and keeps receipts; whoever stands behind it needs to know none of this.

mod config;
mod desk;
mod draft;
mod fields;
mod fixtures;
mod holder;
mod inspect;
mod kept;
mod listen;
mod pull;
mod repeat;
mod zones;

pub use config::{Config, DeskAt, DeskConfig, FILE, Finding, Hold, HoldConfig, Holds};
pub use desk::OPENAPI;
pub use draft::{Draft, quoted};
pub use fixtures::{Case, Fixtures, Tried, Trying, some_identifier};
pub use holder::{Answered, Holder, Said, schemas};
pub use inspect::{Column, Kind as ColumnKind, Survey};
pub use kept::{Kept, Waiting};
pub use pull::Say;
pub use zones::Database;

use crate::base::fault::Code as FaultCode;
use crate::host::transport::{Identity, Listening};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// So many questions are taken at once where they are come for.
const PULLS: usize = 8;
/// How often it is looked whether a file of a source was replaced.
const LOOK: Duration = Duration::from_secs(1);
/// How often kept answers are looked through.
const TIDY: Duration = Duration::from_secs(60 * 60);

/// An agent that is ready to run.
pub struct Agent {
    folder: PathBuf,
    config: Config,
    current: Arc<RwLock<Current>>,
    kept: Arc<Kept>,
    listener: Option<TcpListener>,
    desk: Option<desk::At>,
}

/// What is in force: replaced whole when files are read again.
struct Current {
    holder: Arc<Holder>,
    tls: Option<Listening>,
}

impl Agent {
    /// Opens all that a folder names; all that is wrong is said.
    pub async fn open(folder: &Path) -> Result<Self, Vec<Finding>> {
        let config = Config::load(folder)?;
        let current = Current::open(&config).await?;
        let failed = |what: String| vec![Finding::of_file(&folder.join(FILE), FaultCode::AgtFile, what)];
        let listener = match config.holds {
            Holds::At(address) => {
                let bound = TcpListener::bind(address).await;
                Some(bound.map_err(|cause| failed(format!("holds = \"{address}\": {cause}")))?)
            }
            Holds::Outbound => None,
        };
        let desk = match &config.desk {
            Some(desk) => Some(desk::At::open(desk).await.map_err(|what| failed(format!("desk: {what}")))?),
            None => None,
        };
        let (kept, days) = config.desk.as_ref().map_or((folder.join("kept"), 30), |desk| (desk.kept.clone(), desk.keep_days));
        let kept = Kept::open(&kept, days).map_err(|cause| failed(format!("{}: {cause}", kept.display())))?;
        let current = Arc::new(RwLock::new(current));
        Ok(Self { folder: folder.to_owned(), config, current, kept: Arc::new(kept), listener, desk })
    }

    /// What it is, for a line.
    pub fn describe(&self) -> String {
        let holder = self.holder();
        let documents: Vec<&str> = holder.holds().iter().map(|hold| hold.mapping.document().as_str()).collect();
        let how = match self.listener.as_ref().and_then(|listener| listener.local_addr().ok()) {
            Some(address) => format!("the gateway asks at {address}"),
            None => "no port is open: it comes for its questions".to_owned(),
        };
        format!("{} holds {}; {how}", holder.client().agency(), documents.join(", "))
    }

    /// The holder that is in force.
    pub fn holder(&self) -> Arc<Holder> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner).holder)
    }

    /// Reads all files again. What is wrong leaves everything as it was.
    pub async fn reload(&self) -> Result<(), Vec<Finding>> {
        let config = Config::load(&self.folder)?;
        if config.holds != self.config.holds {
            let what = "holds has changed: that takes a restart".to_owned();
            return Err(vec![Finding::of_file(&self.folder.join(FILE), FaultCode::AgtFile, what)]);
        }
        let current = Current::open(&config).await?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = current;
        Ok(())
    }

    /// Runs until it is told to stop; what was taken is ended first. `again` says when files are to be read again.
    pub async fn run(mut self, say: Say, mut again: watch::Receiver<u64>, stop: watch::Receiver<bool>) {
        let (listener, desk) = (self.listener.take(), self.desk.take());
        let this = Arc::new(self);
        let holder: Arc<dyn Fn() -> Arc<Holder> + Send + Sync> = {
            let this = Arc::clone(&this);
            Arc::new(move || this.holder())
        };
        let mut tasks = JoinSet::new();
        if let Some(at) = desk {
            let desk = desk::Desk::new(Arc::clone(&holder), Arc::clone(&this.kept), Arc::clone(&say));
            tasks.spawn(desk.serve(at, stop.clone()));
        }
        match listener {
            Some(listener) => {
                let current = Arc::clone(&this.current);
                let Some(first) = current.read().unwrap_or_else(PoisonError::into_inner).tls.clone() else { return };
                let tls = Arc::new(move || {
                    let tls = current.read().unwrap_or_else(PoisonError::into_inner).tls.clone();
                    tls.unwrap_or_else(|| first.clone())
                });
                tasks.spawn(listen::listen(
                    listener,
                    tls,
                    (Arc::clone(&holder), Arc::clone(&this.kept)),
                    Arc::clone(&say),
                    stop.clone(),
                ));
            }
            None => {
                for _ in 0..PULLS {
                    tasks.spawn(pull::pull(Arc::clone(&holder), Arc::clone(&this.kept), Arc::clone(&say), stop.clone()));
                }
            }
        }
        let mut stopping = stop.clone();
        let (mut look, mut tidy) = (tokio::time::interval(LOOK), tokio::time::interval(TIDY));
        let mut told = String::new();
        loop {
            tokio::select! {
                () = told_to_stop(&mut stopping) => break,
                Ok(()) = again.changed() => match this.reload().await {
                    Ok(()) => say("files read again, and in force".to_owned()),
                    Err(findings) => findings.iter().for_each(|finding| say(format!("{finding}; everything stays as it was"))),
                },
                _ = look.tick() => {
                    for line in this.holder().refresh().await {
                        let line = line.unwrap_or_else(|error| format!("{error}; the last good one stays in use"));
                        // A bad file is told once, and not each second.
                        if line != told {
                            say(line.clone());
                            told = line;
                        }
                    }
                }
                _ = tidy.tick() => {
                    let kept = Arc::clone(&this.kept);
                    let _ = tokio::task::spawn_blocking(move || kept.tidy_up()).await;
                }
            }
        }
        while tasks.join_next().await.is_some() {}
    }
}

async fn told_to_stop(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

impl Current {
    async fn open(config: &Config) -> Result<Self, Vec<Finding>> {
        let holder = Arc::new(Holder::open(config, schemas(config)?).await?);
        let tls = match config.holds {
            Holds::Outbound => None,
            Holds::At(_) => {
                let file = |name: &str| config.client.join(name);
                let identity = Identity::load(&file("tls.pem"), &file("tls.key"), &file("ca.pem"), None);
                let tls = identity.and_then(|identity| identity.server());
                Some(tls.map_err(|error| vec![Finding::of_file(&config.client, FaultCode::AgtFile, error)])?)
            }
        };
        Ok(Self { holder, tls })
    }
}
