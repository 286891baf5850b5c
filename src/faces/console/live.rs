//! Pages that change while they are looked at: server-sent events (HTML Living Standard, section 9.2) that say that something has changed, and
//! nothing of what. The page asks for itself anew then, by the rights that its visitor has at that moment.

use super::Visit;
use super::request::Answer;
use crate::host::transport::streamed;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Whoever waits for changes at once.
static WAITING: AtomicUsize = AtomicUsize::new(0);

/// `GET /live`
pub(super) fn live(visit: Visit) -> Answer {
    let (give, take) = tokio::sync::mpsc::channel(2);
    let gateway = Arc::clone(visit.gateway());
    // One too many is told to ask no more for a while.
    let place = Place::take();
    tokio::spawn(async move {
        let end = tokio::time::Instant::now() + LIVE_TIME;
        let mut size = gateway.store().size();
        let mut first = Some("retry: 15000\n\n".to_owned());
        let mut quiet = 0;
        while place.is_some() && gateway.is_ready() && tokio::time::Instant::now() < end {
            let now = gateway.store().size();
            let event = match first.take() {
                Some(first) => Some(first),
                None if now != size => Some("event: changed\ndata: 1\n\n".to_owned()),
                None if quiet >= QUIET_MAX => Some(": waiting\n\n".to_owned()),
                None => None,
            };
            quiet = if event.is_some() { 0 } else { quiet + 1 };
            size = now;
            if let Some(event) = event
                && give.send(Some(event.into())).await.is_err()
            {
                return;
            }
            tokio::time::sleep(LIVE_PAUSE).await;
        }
        let _ = give.send(None).await;
    });
    Answer::stream(streamed(take), "text/event-stream")
}

struct Place;

impl Place {
    fn take() -> Option<Self> {
        let before = WAITING.fetch_add(1, Ordering::Relaxed);
        // Given back when this is dropped, in any case.
        let place = Self;
        (before < WAITING_MAX).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        WAITING.fetch_sub(1, Ordering::Relaxed);
    }
}

const WAITING_MAX: usize = 256;
/// For how long a stream goes on; the browser asks again then.
const LIVE_TIME: Duration = Duration::from_secs(300);
const LIVE_PAUSE: Duration = Duration::from_secs(2);
/// Pauses after which something is sent so that the connection is not taken for dead.
const QUIET_MAX: u32 = 5;
