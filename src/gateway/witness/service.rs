//! The HTTP face of a witness: `POST <prefix>/add-checkpoint` and `GET <prefix>/<SHA-256 of the origin>/checkpoint`.

use super::book::Refusal;
use super::state::{Weighed, Witness};
use crate::base::ids::Digest;
use crate::base::limits;
use crate::host::transport::{Answered, Asked, Asking, serve_whole};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

/// What the paths of a witness inside a gateway begin with.
pub const ROUTE_PREFIX: &str = "/witness";

/// A witness that is asked over HTTP.
#[derive(Clone)]
pub struct Service {
    witness: Arc<Witness>,
    prefix: Arc<str>,
    say: Say,
}

/// Takes a line for the operator.
pub type Say = Arc<dyn Fn(&str) + Send + Sync>;

impl Service {
    /// The service of a witness, its paths beginning with `prefix`. `say` is told what its operator should know.
    pub fn new(witness: Arc<Witness>, prefix: &str, say: Say) -> Self {
        Self { witness, prefix: prefix.into(), say }
    }

    /// Whether a path is one of its own.
    pub fn has(&self, path: &str) -> bool {
        path.strip_prefix(&*self.prefix).is_some_and(|rest| rest.starts_with('/'))
    }

    /// Answers a request.
    pub async fn answer(&self, asked: Asked) -> Answered {
        let path = asked.path.strip_prefix(&*self.prefix).unwrap_or_default();
        match (asked.asking, path.split('/').collect::<Vec<_>>().as_slice()) {
            (Asking::Post, ["", "add-checkpoint"]) => self.add_checkpoint(asked.body).await,
            (Asking::Get, ["", origin, "checkpoint"]) => {
                let last = Digest::parse_hex(origin).and_then(|origin| self.witness.last(&origin));
                last.map_or_else(no_such_path, |last| Answered {
                    status: 200,
                    media_type: "text/plain; charset=utf-8",
                    body: last.into_bytes(),
                })
            }
            (Asking::Get, ["", "health"]) if self.witness.is_ready() => Answered::text(200, "ready"),
            (Asking::Get, ["", "health"]) => Answered::text(503, Refusal::Stopped),
            (_, ["", "add-checkpoint"]) => Answered::text(405, "POST only"),
            _ => no_such_path(),
        }
    }

    /// Weighing waits for the disk, so it does not run among the connections.
    async fn add_checkpoint(&self, body: Vec<u8>) -> Answered {
        let (witness, say) = (Arc::clone(&self.witness), Arc::clone(&self.say));
        let weighing = tokio::task::spawn_blocking(move || {
            let weighed = witness.add_checkpoint(&body, super::now());
            if let Weighed::Fork(_) = &weighed {
                match witness.keep_evidence(&body) {
                    Ok(Some(path)) => say(&format!("a log has two histories; both checkpoints are in {}", path.display())),
                    Ok(None) => {}
                    Err(cause) => say(&format!("a log has two histories, and this could not be written down: {cause}")),
                }
            }
            weighed
        });
        let refusal = match weighing.await {
            Ok(Weighed::Cosigned(line)) => {
                let body = line.to_string().into_bytes();
                return Answered { status: 200, media_type: "text/plain; charset=utf-8", body };
            }
            Ok(Weighed::Refused(refusal) | Weighed::Fork(refusal)) => refusal,
            Err(_) => Refusal::Stopped,
        };
        let mut answered = Answered::text(refusal.status(), refusal);
        if let Refusal::Conflict { .. } = refusal {
            answered.media_type = "text/x.tlog.size";
        }
        answered
    }
}

fn no_such_path() -> Answered {
    Answered::text(404, "there is nothing here")
}

/// Serves a witness until `stop` says so.
pub async fn serve(listener: TcpListener, service: Service, mut stop: watch::Receiver<bool>) {
    let room = Arc::new(Semaphore::new(limits::WITNESS_CONNECTIONS_MAX));
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let Ok((stream, _)) = accepted else {
            // Out of file descriptors, most likely: wait for some to be given back.
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let (service, stop) = (service.clone(), stop.clone());
        tokio::spawn(async move {
            let _permit = permit;
            let answer = move |asked| {
                let service = service.clone();
                async move { service.answer(asked).await }
            };
            serve_whole(stream, limits::WITNESS_REQUEST_BYTES_MAX, answer, stop).await;
        });
    }
    // Answers that are on their way out get out.
    let ended = room.acquire_many(limits::WITNESS_CONNECTIONS_MAX as u32);
    let _ = tokio::time::timeout(Duration::from_millis(limits::CLOSE_MS), ended).await;
}
