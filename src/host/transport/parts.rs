//! Bodies of several parts, read as they come: a message, and what travels beside it.

use super::Body;
use super::body::Inbound;
use crate::base::fault::{Code, Fault};
use crate::message::parts::{Event, Head, Reader, Related, Wrong};
use http_body_util::BodyExt;
use hyper::body::{Bytes, Frame, Incoming};
use hyper::client::conn::http1::SendRequest;

enum Source {
    Request(Inbound),
    Response(Incoming),
}

/// What came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Came {
    /// A part begins.
    Part(Head),
    /// Octets of it.
    Octets(Vec<u8>),
    /// It has ended.
    End,
    /// All parts have ended, and so has the body.
    Over,
}

/// A body of several parts.
pub struct Parts {
    source: Source,
    reader: Reader,
    start: Option<String>,
    is_read: bool,
    /// The connection, which ends with this.
    _kept: Option<SendRequest<Body>>,
}

impl Parts {
    /// That of a request.
    pub fn of_request(related: &Related, body: Inbound) -> Self {
        Self::new(related, Source::Request(body))
    }

    /// That of a response.
    pub(super) fn of_response(related: &Related, body: Incoming) -> Self {
        Self::new(related, Source::Response(body))
    }

    fn new(related: &Related, source: Source) -> Self {
        Self { source, reader: Reader::new(related), start: related.start.clone(), is_read: false, _kept: None }
    }

    /// Has the connection end with this.
    pub(super) fn keeping(mut self, sender: SendRequest<Body>) -> Self {
        self._kept = Some(sender);
        self
    }

    /// More may come than a message has.
    pub fn expects(&self, octets: u64) {
        if let Source::Request(body) = &self.source {
            // HTTP/2 has nine octets with each frame, and parts have heads.
            body.expects(octets.saturating_add(octets / 64).saturating_add(1 << 20));
        }
    }

    /// Reads the root, which is the first part: the message. `room` is asked before more of it is kept.
    pub async fn root(&mut self, limit: usize, mut room: impl FnMut(usize) -> Result<(), Fault>) -> Result<Vec<u8>, Fault> {
        let Came::Part(head) = self.next().await? else { return Err(framing(Wrong::Cut)) };
        let media = head.media_type.as_deref().unwrap_or("").split(';').next().unwrap_or("").trim();
        if !["application/xml", "text/xml"].iter().any(|known| media.eq_ignore_ascii_case(known)) {
            return Err(Fault::at(Code::HttpMediaType, "the first part is not application/xml"));
        }
        if self.start.is_some() && self.start != head.id {
            return Err(Fault::at(Code::AttFraming, "the part that start names is not the first"));
        }
        let mut octets = Vec::new();
        loop {
            match self.next().await? {
                Came::Octets(more) if more.len() > limit.saturating_sub(octets.len()) => {
                    return Err(Fault::new(Code::HttpTooLarge));
                }
                Came::Octets(more) => {
                    room(octets.len().saturating_add(more.len()))?;
                    octets.extend_from_slice(&more);
                }
                Came::End => return Ok(octets),
                Came::Part(_) | Came::Over => return Err(framing(Wrong::Cut)),
            }
        }
    }

    /// What comes next.
    pub async fn next(&mut self) -> Result<Came, Fault> {
        loop {
            match self.reader.event().map_err(framing)? {
                Some(Event::Part(head)) => return Ok(Came::Part(head)),
                Some(Event::Octets(octets)) => return Ok(Came::Octets(octets.to_vec())),
                Some(Event::End) => return Ok(Came::End),
                None => {}
            }
            if self.is_read {
                self.reader.finish().map_err(framing)?;
                return Ok(Came::Over);
            }
            match self.frame().await {
                None => self.is_read = true,
                Some(Err(_)) => return Err(Fault::new(Code::HttpIncomplete)),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(octets) => self.reader.take(&octets),
                    Err(_) => return Err(Fault::at(Code::HttpMalformed, "trailer fields are not taken")),
                },
            }
        }
    }

    async fn frame(&mut self) -> Option<hyper::Result<Frame<Bytes>>> {
        match &mut self.source {
            Source::Request(body) => body.frame().await,
            Source::Response(body) => body.frame().await,
        }
    }
}

fn framing(wrong: Wrong) -> Fault {
    Fault::at(Code::AttFraming, wrong.to_string())
}
