//! Whether a connection does what a connection is for: what hyper has no deadline for.
//!
//! A [`Pulse`] sees the octets that come and go ([`Felt`]) and the requests that are open ([`Busy`]). Once a second it is
//! asked whether the connection should end: nothing has been asked since it was opened, a head does not become whole, it
//! has been idle, its peer does not take what it asked for.

use super::body::{Body, Held};
use super::linger::Lingering;
use crate::base::limits;
use hyper::body::{Bytes, Frame, SizeHint};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What a connection has been doing.
#[derive(Debug)]
pub(super) struct Pulse(Mutex<State>);

#[derive(Debug)]
struct State {
    /// Requests that are read, worked on or answered.
    open: usize,
    /// Whether there was ever one.
    was_asked: bool,
    /// Whether it has kept a request waiting, and no further one is wanted.
    is_spent: bool,
    /// Since when there is none.
    since: Instant,
    /// When the first octet came since then.
    head_since: Option<Instant>,
    /// Since when the peer takes too little, and how much it took since.
    stalled: Option<(Instant, usize)>,
    /// Octets that came, and those that may have come: what requests declare, and some for what is about the connection.
    came: u64,
    may_come: u64,
    /// So much more may come of requests that have not begun here: what HTTP/2's windows let a peer send ahead.
    ahead: u64,
    /// Whether the peer may still be sending when the connection is closed, and whether it is being waited for.
    unread: Unread,
    /// When the responses that are being sent must have been taken.
    due: Vec<(u64, Instant)>,
    next: u64,
}

/// What a peer may still be sending that nobody reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unread {
    /// Nothing.
    Nothing,
    /// The rest of a body.
    Rest,
    /// The rest, which is read and forgotten now.
    Forgotten,
}

/// What is to be done about a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing.
    Goes,
    /// It is idle: it may be closed in good order.
    Idle,
    /// Its peer keeps it waiting.
    Stuck,
}

/// How a connection's protocol treats what comes while nothing is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heads {
    /// It is the beginning of a head.
    Begin,
    /// It may be anything: HTTP/2 has frames about the connection.
    Unknown,
}

impl Pulse {
    pub(super) fn new(ahead: u64) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            open: 0,
            was_asked: false,
            is_spent: false,
            since: Instant::now(),
            head_since: None,
            stalled: None,
            came: 0,
            may_come: limits::UNASKED_BYTES_MAX,
            ahead,
            unread: Unread::Nothing,
            due: Vec::new(),
            next: 0,
        })))
    }

    /// A request has begun whose body has up to so many octets; it ends when what is given back is dropped.
    pub(super) fn begin(self: &Arc<Self>, body_bytes: u64) -> Busy {
        let mut state = self.state();
        state.may_come = state.may_come.saturating_add(limits::HEAD_BYTES_MAX as u64).saturating_add(body_bytes);
        (state.open, state.was_asked, state.head_since) = (state.open + 1, true, None);
        state.unread = Unread::Nothing;
        Busy { pulse: Arc::clone(self), response: None }
    }

    pub(super) fn verdict(&self, heads: Heads, now: Instant) -> Verdict {
        let state = self.state();
        if state.unread == Unread::Forgotten {
            return Verdict::Goes;
        }
        let over = |since: Instant, limit: u64| now.duration_since(since) >= Duration::from_millis(limit);
        if state.stalled.is_some_and(|(since, _)| over(since, limits::STALL_MS)) || state.due.iter().any(|(_, due)| now >= *due) {
            return Verdict::Stuck;
        }
        // Whatever has come was looked at by now: all requests in it have begun.
        if state.came > state.may_come {
            return Verdict::Stuck;
        }
        if state.open > 0 {
            return Verdict::Goes;
        }
        let is_late = match (state.was_asked, state.head_since) {
            (false, _) => over(state.since, limits::HEAD_MS),
            (true, Some(begun)) => heads == Heads::Begin && over(begun, limits::HEAD_MS),
            (true, None) => false,
        };
        match is_late {
            true => Verdict::Stuck,
            false if state.is_spent || over(state.since, limits::IDLE_MS) => Verdict::Idle,
            false => Verdict::Goes,
        }
    }

    /// Whether nothing can become late unless something else happens first: a request is worked on, and nothing is on its way out.
    pub(super) fn is_calm(&self) -> bool {
        let state = self.state();
        state.open > 0 && state.stalled.is_none() && state.due.is_empty() && state.came <= state.may_come
    }

    /// Octets have come. Those that belong to no request are few, unless they are a flood of frames about nothing.
    fn read(&self, count: usize) -> io::Result<()> {
        let mut state = self.state();
        state.came += count as u64;
        if state.came > state.may_come.saturating_add(state.ahead) {
            return Err(io::Error::other("more than was declared"));
        }
        if state.open == 0 && state.head_since.is_none() {
            state.head_since = Some(Instant::now());
        }
        Ok(())
    }

    fn wrote(&self, polled: &Poll<io::Result<usize>>) {
        let mut state = self.state();
        match polled {
            Poll::Pending if state.stalled.is_none() => state.stalled = Some((Instant::now(), 0)),
            Poll::Ready(Ok(count)) => {
                // HTTP/2 answers what it gets by opening windows.
                state.may_come = state.may_come.saturating_add(*count as u64 / 64);
                state.stalled =
                    state.stalled.map(|(since, taken)| (since, taken + count)).filter(|(_, taken)| *taken < limits::STALL_BYTES)
            }
            _ => {}
        }
    }

    fn flushed<T>(&self, polled: &Poll<T>) {
        let mut state = self.state();
        match polled {
            Poll::Ready(_) => state.stalled = None,
            Poll::Pending if state.stalled.is_none() => state.stalled = Some((Instant::now(), 0)),
            Poll::Pending => {}
        }
    }

    /// So many octets came of a body that was refused, and were asked for by reading them.
    pub(super) fn forgot(&self, octets: u64) {
        let mut state = self.state();
        state.may_come = state.may_come.saturating_add(octets);
    }

    /// The connection is shut. Whether its peer may still be sending: the rest of a body that was not read, or of a head that is
    /// none.
    fn shut(&self) -> bool {
        let mut state = self.state();
        let is_sending = state.unread == Unread::Rest || (state.open == 0 && state.head_since.is_some());
        if is_sending {
            state.unread = Unread::Forgotten;
        }
        is_sending
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that is open.
pub(super) struct Busy {
    pulse: Arc<Pulse>,
    response: Option<u64>,
}

impl Busy {
    /// It was not whole in time: the connection ends with it, on HTTP/2 as well, where no header says so.
    pub(super) fn is_late(&self) {
        self.pulse.state().is_spent = true;
    }

    /// Its body was not read to the end: the connection ends with the response.
    pub(super) fn leaves_a_rest(&self) {
        self.pulse.state().unread = Unread::Rest;
    }

    /// A response of so many octets goes out from now on.
    fn sends(&mut self, octets: u64) {
        let allowed =
            Duration::from_millis(limits::STALL_MS + octets.saturating_mul(limits::STALL_MS) / limits::STALL_BYTES as u64);
        let mut state = self.pulse.state();
        let number = state.next;
        state.next += 1;
        state.due.push((number, Instant::now() + allowed));
        self.response = Some(number);
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let mut state = self.pulse.state();
        if let Some(response) = self.response {
            state.due.retain(|(number, _)| *number != response);
        }
        state.open -= 1;
        if state.open == 0 {
            (state.since, state.head_since) = (Instant::now(), None);
        }
    }
}

/// A stream whose pulse is felt.
pub(super) struct Felt<S> {
    stream: S,
    pulse: Arc<Pulse>,
    is_shut: bool,
    lingering: Option<Lingering>,
}

impl<S> Felt<S> {
    pub(super) fn new(stream: S, pulse: &Arc<Pulse>) -> Self {
        Self { stream, pulse: Arc::clone(pulse), is_shut: false, lingering: None }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Felt<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        let count = buffer.filled().len().saturating_sub(before);
        if count > 0 {
            self.pulse.read(count)?;
        }
        polled
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Felt<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, octets);
        self.pulse.wrote(&polled);
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(context, octets);
        self.pulse.wrote(&polled);
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(context);
        self.pulse.flushed(&polled);
        polled
    }

    /// Whoever is still sending is listened to for a while, since a connection that is closed upon octets that nobody has read
    /// is reset, and then the peer may never see what it was told (RFC 9112, section 9.6).
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_shut {
            let polled = Pin::new(&mut self.stream).poll_shutdown(context);
            self.pulse.flushed(&polled);
            if !matches!(polled, Poll::Ready(Ok(()))) {
                return polled;
            }
            self.is_shut = true;
            self.lingering = self.pulse.shut().then(Lingering::begin).flatten();
        }
        let Self { stream, lingering, .. } = &mut *self;
        match lingering {
            Some(lingering) => lingering.poll(Pin::new(stream), context).map(Ok),
            None => Poll::Ready(Ok(())),
        }
    }
}

/// A response on its way: given out in small frames, so that one whose reader opens no window is still here, and late.
pub(super) struct Paced {
    body: Body,
    rest: Bytes,
    frame_bytes: usize,
    _busy: Busy,
    _held: Option<Held>,
}

impl Paced {
    pub(super) fn new(body: Body, frame_bytes: usize, mut busy: Busy, held: Option<Held>) -> Self {
        // What is sent as it is made has a deadline where it is made.
        if let Some(octets) = hyper::body::Body::size_hint(&body).exact() {
            busy.sends(octets);
        }
        Self { body, rest: Bytes::new(), frame_bytes, _busy: busy, _held: held }
    }
}

impl hyper::body::Body for Paced {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.rest.is_empty() {
            match Pin::new(&mut self.body).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(octets) => self.rest = octets,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                other => return other,
            }
        }
        let count = self.rest.len().min(self.frame_bytes);
        let portion = self.rest.split_to(count);
        Poll::Ready(Some(Ok(Frame::data(portion))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && hyper::body::Body::is_end_stream(&self.body)
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = hyper::body::Body::size_hint(&self.body);
        let rest = self.rest.len() as u64;
        hint.set_lower(hint.lower() + rest);
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper + rest);
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said a millisecond before so many have passed, and then; the pulse is of one who does nothing meanwhile.
    fn around(pulse: &Pulse, heads: Heads, ms: u64) -> [Verdict; 2] {
        let since = pulse.state().since;
        [ms - 1, ms].map(|ms| pulse.verdict(heads, since + Duration::from_millis(ms)))
    }

    #[test]
    fn a_connection_may_be_idle_for_so_long() {
        let pulse = Pulse::new(0);
        drop(pulse.begin(0));
        for heads in [Heads::Begin, Heads::Unknown] {
            assert_eq!(around(&pulse, heads, limits::IDLE_MS), [Verdict::Goes, Verdict::Idle]);
        }
        let _busy = pulse.begin(0);
        assert_eq!(around(&pulse, Heads::Begin, limits::IDLE_MS)[1], Verdict::Goes, "whoever is being served is not idle");
    }

    #[test]
    fn whoever_waits_for_an_answer_is_calm_and_nobody_else() {
        let pulse = Pulse::new(0);
        assert!(!pulse.is_calm(), "a head has so long to come");
        let mut busy = pulse.begin(0);
        assert!(pulse.is_calm());
        pulse.wrote(&Poll::Pending);
        assert!(!pulse.is_calm(), "the peer takes nothing");
        pulse.flushed(&Poll::Ready(()));
        assert!(pulse.is_calm());
        busy.sends(1);
        assert!(!pulse.is_calm(), "a response has so long to be taken");
        drop(busy);
        assert!(!pulse.is_calm(), "it may be idle for so long");
    }

    #[test]
    fn the_first_request_and_each_later_head_come_in_time() {
        let pulse = Pulse::new(0);
        assert_eq!(around(&pulse, Heads::Unknown, limits::HEAD_MS), [Verdict::Goes, Verdict::Stuck]);
        drop(pulse.begin(0));
        assert_eq!(around(&pulse, Heads::Begin, limits::HEAD_MS)[1], Verdict::Goes, "nothing of a head has come");
        pulse.read(1).expect("few");
        let begun = pulse.state().head_since.expect("it has begun");
        pulse.state().since = begun;
        assert_eq!(around(&pulse, Heads::Begin, limits::HEAD_MS), [Verdict::Goes, Verdict::Stuck]);
        assert_eq!(around(&pulse, Heads::Unknown, limits::HEAD_MS)[1], Verdict::Goes, "it need not be a head");
    }

    #[test]
    fn whoever_is_answered_takes_so_much_in_time() {
        let pulse = Pulse::new(0);
        let mut busy = pulse.begin(0);
        pulse.wrote(&Poll::Pending);
        let begun = pulse.state().stalled.expect("it has to wait").0;
        pulse.state().since = begun;
        assert_eq!(around(&pulse, Heads::Begin, limits::STALL_MS), [Verdict::Goes, Verdict::Stuck]);
        pulse.wrote(&Poll::Ready(Ok(limits::STALL_BYTES - 1)));
        assert_eq!(around(&pulse, Heads::Begin, limits::STALL_MS)[1], Verdict::Stuck, "too little");
        pulse.wrote(&Poll::Ready(Ok(1)));
        assert_eq!(around(&pulse, Heads::Begin, limits::STALL_MS)[1], Verdict::Goes);
        busy.sends(limits::STALL_BYTES as u64);
        let due = pulse.state().due[0].1;
        pulse.state().since = due - Duration::from_millis(2 * limits::STALL_MS);
        assert_eq!(around(&pulse, Heads::Begin, 2 * limits::STALL_MS), [Verdict::Goes, Verdict::Stuck]);
    }

    #[test]
    fn what_belongs_to_no_request_is_so_much_and_no_more() {
        let pulse = Pulse::new(0);
        let most = limits::UNASKED_BYTES_MAX as usize;
        assert!(pulse.read(most).is_ok() && pulse.read(1).is_err());
        let pulse = Pulse::new(0);
        let _busy = pulse.begin(7);
        assert!(pulse.read(most + limits::HEAD_BYTES_MAX + 7).is_ok() && pulse.read(1).is_err());
    }
}
