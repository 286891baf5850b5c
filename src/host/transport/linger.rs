//! The end of a connection whose peer is still sending: what comes is read and forgotten, within bounds.
//!
//! A connection that is closed while octets lie unread is reset, and a peer that is reset throws away what it has not read
//! yet: the refusal that told it why. So our side is shut, and the other side is read until it ends, too much has come, or
//! too much time has passed (RFC 9112, section 9.6).

use crate::base::limits;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, Sleep};

/// How many may do so at once, in the process: those beyond are closed at once, as if there were no such thing.
static ROOM: Semaphore = Semaphore::const_new(limits::LINGERING_MAX);

/// The same for streams of HTTP/2.
static STREAMS: Semaphore = Semaphore::const_new(limits::LINGERING_MAX);

/// Reads the rest of a stream's body and forgets it, within the bounds of a connection's; `forgot` is told of what came. Not every
/// client hears of a stream that is reset after its answer: some wait for room to send the rest. What is left after that is
/// reset, without an error (RFC 9113, section 8.1).
pub(super) fn forget_stream(mut rest: Incoming, forgot: impl Fn(u64) + Send + 'static) {
    let Ok(room) = STREAMS.try_acquire() else { return };
    // It ends with its connection, or when the time is over.
    tokio::spawn(async move {
        let _room = room;
        let until = Instant::now() + Duration::from_millis(limits::LINGER_MS);
        let mut left = limits::LINGER_BYTES_MAX;
        while left > 0 {
            let pause = Instant::now() + Duration::from_millis(limits::LINGER_PAUSE_MS);
            let Ok(Some(Ok(frame))) = tokio::time::timeout_at(pause.min(until), rest.frame()).await else { return };
            let octets = frame.data_ref().map_or(0, |data| data.len() as u64);
            forgot(octets);
            left = left.saturating_sub(octets);
        }
    });
}

/// A connection of which our side is shut.
pub(super) struct Lingering {
    until: Instant,
    left: u64,
    pause: Pin<Box<Sleep>>,
    _room: SemaphorePermit<'static>,
}

impl Lingering {
    /// Begins; unless too many others do so already.
    pub(super) fn begin() -> Option<Self> {
        let room = ROOM.try_acquire().ok()?;
        let until = Instant::now() + Duration::from_millis(limits::LINGER_MS);
        let pause = Box::pin(tokio::time::sleep(Duration::from_millis(limits::LINGER_PAUSE_MS)));
        Some(Self { until, left: limits::LINGER_BYTES_MAX, pause, _room: room })
    }

    /// Reads and forgets. It is done when the peer has ended its side, or is waited for no longer.
    pub(super) fn poll<S: AsyncRead + Unpin>(&mut self, mut stream: Pin<&mut S>, context: &mut Context<'_>) -> Poll<()> {
        let mut octets = [std::mem::MaybeUninit::uninit(); PORTION_BYTES];
        loop {
            let mut portion = ReadBuf::uninit(&mut octets);
            match stream.as_mut().poll_read(context, &mut portion) {
                Poll::Pending => {
                    ready!(self.pause.as_mut().poll(context));
                    return Poll::Ready(());
                }
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Ready(Ok(())) => {}
            }
            let (count, now) = (portion.filled().len() as u64, Instant::now());
            self.left = self.left.saturating_sub(count);
            if count == 0 || self.left == 0 || now >= self.until {
                return Poll::Ready(());
            }
            let pause = now + Duration::from_millis(limits::LINGER_PAUSE_MS);
            self.pause.as_mut().reset(pause.min(self.until));
        }
    }
}

/// What is read at a time.
const PORTION_BYTES: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncWriteExt, DuplexStream, duplex};

    /// How long a peer is listened to, and how many octets it got rid of.
    async fn listened(says: impl AsyncFn(&mut DuplexStream, &mut u64)) -> (u64, u64) {
        let (mut peer, mut stream) = duplex(PORTION_BYTES);
        let begun = Instant::now();
        let mut lingering = Lingering::begin().expect("there is room");
        let mut sent = 0;
        let listening = std::future::poll_fn(|context| lingering.poll(Pin::new(&mut stream), context));
        tokio::select! {
            biased;
            () = listening => {}
            () = says(&mut peer, &mut sent) => panic!("it was listened to for longer than that"),
        }
        (begun.elapsed().as_millis() as u64, sent)
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_is_still_sending_is_listened_to_within_bounds() {
        let silent = async |_: &mut DuplexStream, _: &mut u64| std::future::pending().await;
        assert_eq!(listened(silent).await, (limits::LINGER_PAUSE_MS, 0));
        let drips = async |peer: &mut DuplexStream, sent: &mut u64| {
            while peer.write_all(b"x").await.is_ok() {
                *sent += 1;
                tokio::time::sleep(Duration::from_millis(limits::LINGER_PAUSE_MS / 2)).await;
            }
        };
        assert_eq!(listened(drips).await.0, limits::LINGER_MS);
        let floods = async |peer: &mut DuplexStream, sent: &mut u64| {
            while peer.write_all(&[b'x'; 4096]).await.is_ok() {
                *sent += 4096;
            }
            std::future::pending().await
        };
        let (_, sent) = listened(floods).await;
        assert!(sent.abs_diff(limits::LINGER_BYTES_MAX) <= 2 * PORTION_BYTES as u64, "{sent}");
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_are_listened_to_at_once_and_no_more() {
        let mut all: Vec<_> = std::iter::from_fn(Lingering::begin).take(2 * limits::LINGERING_MAX).collect();
        assert!(all.len() <= limits::LINGERING_MAX && Lingering::begin().is_none());
        drop(all.pop());
        assert!(Lingering::begin().is_some());
    }
}
