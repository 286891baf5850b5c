//! What is said to a mail server before TLS begins, where it begins by `STARTTLS` (RFC 3207), and the stream that goes on behind it.
//!
//! It is said here and not by lettre, whose buffer would carry what somebody in between has said before TLS began over to behind it, as
//! if it had come from the server. Here nothing may come behind the server's last reply.

use crate::base::limits;
use crate::host::transport::Dialed;
use lettre::transport::smtp::client::AsyncTokioStream;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

/// Has a server say that it begins TLS now.
pub(super) async fn begin<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, hello: &str) -> Result<(), String> {
    reply(stream, "220").await?;
    stream.write_all(format!("EHLO {hello}\r\n").as_bytes()).await.map_err(|cause| cause.to_string())?;
    let offers = reply(stream, "250").await?;
    if !offers.lines().any(|line| line.get(4..).is_some_and(|word| word.trim_end().eq_ignore_ascii_case("STARTTLS"))) {
        return Err("the mail server has no STARTTLS".to_owned());
    }
    stream.write_all(b"STARTTLS\r\n").await.map_err(|cause| cause.to_string())?;
    reply(stream, "220").await.map(drop)
}

/// A reply with this code (RFC 5321, section 4.2.1): lines of `250-`, and a last one of `250` and a blank.
async fn reply<S: AsyncRead + Unpin>(stream: &mut S, code: &str) -> Result<String, String> {
    let (mut said, mut portion) = (Vec::new(), [0; 512]);
    let end = loop {
        let read = stream.read(&mut portion).await.map_err(|cause| cause.to_string())?;
        said.extend_from_slice(portion.get(..read).unwrap_or_default());
        if let Some(end) = end_of_reply(&said) {
            break end;
        }
        if read == 0 || said.len() > limits::MAIL_REPLY_BYTES_MAX {
            return Err("the mail server gave no whole reply".to_owned());
        }
    };
    if end < said.len() {
        return Err("the mail server has said something before it was asked".to_owned());
    }
    let text = String::from_utf8_lossy(&said).into_owned();
    if text.lines().all(|line| line.starts_with(code)) {
        return Ok(text);
    }
    let other: String = text.chars().take(3).filter(char::is_ascii_digit).collect();
    Err(format!("the mail server said {other} and not {code}"))
}

/// Where a reply ends: behind its first line that says that none follows.
fn end_of_reply(said: &[u8]) -> Option<usize> {
    let mut end = 0;
    said.split_inclusive(|octet| *octet == b'\n').find_map(|line| {
        end += line.len();
        (line.ends_with(b"\n") && line.get(3) != Some(&b'-')).then_some(end)
    })
}

/// A connection that begins with a greeting of ours: a server has none behind `STARTTLS`, and lettre waits for one.
#[derive(Debug)]
pub(super) struct Greeted {
    greeting: &'static [u8],
    stream: Dialed,
}

impl Greeted {
    /// One whose server greets itself.
    pub(super) fn by_itself(stream: Dialed) -> Self {
        Self { greeting: b"", stream }
    }

    /// One whose server has greeted before.
    pub(super) fn before(stream: Dialed) -> Self {
        Self { greeting: b"220 TLS\r\n", stream }
    }
}

impl AsyncTokioStream for Greeted {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer()
    }
}

impl AsyncRead for Greeted {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.greeting.is_empty() {
            return Pin::new(&mut this.stream).poll_read(context, into);
        }
        let (now, later) = this.greeting.split_at(this.greeting.len().min(into.remaining()));
        into.put_slice(now);
        this.greeting = later;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Greeted {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, octets)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of it if a server has said all of this as soon as it could.
    async fn told(said: &[&str]) -> Result<(), String> {
        let (mut ours, mut theirs) = tokio::io::duplex(64 << 10);
        let talk = async {
            let mut heard = [0; 256];
            for said in said {
                theirs.write_all(said.as_bytes()).await.expect("there is room");
                if !said.starts_with('4') && theirs.read(&mut heard).await.is_ok_and(|read| read == 0) {
                    return;
                }
            }
        };
        let (began, ()) = tokio::join!(
            async {
                let began = begin(&mut ours, "a.example").await;
                drop(ours);
                began
            },
            talk
        );
        began
    }

    #[tokio::test]
    async fn tls_begins_with_whoever_offers_it_and_says_nothing_else() {
        let (hello, offers) = ("220 m.example\r\n", "250-m.example\r\n250-SIZE 9\r\n250 STARTTLS\r\n");
        assert_eq!(told(&[hello, offers, "220 go\r\n"]).await, Ok(()));
        assert_eq!(told(&[hello, "250-m\r\n250-starttls\r\n250 X\r\n", "220-go\r\n220 on\r\n"]).await, Ok(()));
        let early = "the mail server has said something before it was asked";
        for (said, expected) in [
            (vec![hello, "250 m.example\r\n"], "the mail server has no STARTTLS"),
            (vec![hello, "250-STARTTLS2\r\n250 m\r\n"], "the mail server has no STARTTLS"),
            // What somebody in between would have taken for said behind the protection.
            (vec![hello, offers, "220 go\r\n250 m.example\r\n"], early),
            (vec!["220 m\r\n250 m\r\n"], early),
            (vec!["554 no\r\n"], "the mail server said 554 and not 220"),
            (vec![hello, offers, "454 not now\r\n"], "the mail server said 454 and not 220"),
            (vec![hello, "250-m\r\n550 STARTTLS\r\n"], "the mail server said 250 and not 250"),
        ] {
            assert_eq!(told(&said).await, Err(expected.to_owned()), "{said:?}");
        }
    }

    #[tokio::test]
    async fn a_reply_has_so_many_octets_and_no_more() {
        let reply_of = |octets: usize| format!("220-{}\r\n220 m\r\n", "x".repeat(octets - 13));
        let read = async |text: String| super::reply(&mut text.as_bytes(), "220").await;
        // Read in portions: it is noticed with the one behind the limit.
        assert!(read(reply_of(limits::MAIL_REPLY_BYTES_MAX)).await.is_ok());
        let refused = read(reply_of(limits::MAIL_REPLY_BYTES_MAX + 1024)).await;
        assert_eq!(refused, Err("the mail server gave no whole reply".to_owned()));
        assert!(read("220 m".to_owned()).await.is_err(), "it is not whole");
    }
}
