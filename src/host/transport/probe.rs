//! A look at whoever should be at an address: how far one gets, and what its clock says. For operators, never for messages.

use crate::base::limits;
use crate::base::time::UnixTime;
use rustls::pki_types::ServerName;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// The step that a look ended at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The name has no address.
    Name,
    /// Nobody takes a connection.
    Connection,
    /// The handshake failed: an authority that is not ours, another name, an end of validity.
    Handshake,
}

/// Why nobody is there.
#[derive(Debug)]
pub struct NotThere {
    /// How far it went.
    pub step: Step,
    /// The words of the system.
    pub cause: String,
}

/// Who is there.
#[derive(Debug)]
pub struct There {
    /// How long connection and handshake took.
    pub took: Duration,
    /// What its clock said, by the `Date` of its answer (RFC 9110, section 6.6.1), if it gave one.
    pub date: Option<UnixTime>,
}

fn failed(step: Step, cause: &dyn std::fmt::Display) -> NotThere {
    NotThere { step, cause: cause.to_string() }
}

/// Whether a host takes a connection; nothing is sent.
pub async fn knock(host: &str, port: u16) -> Result<There, NotThere> {
    let begun = tokio::time::Instant::now();
    connect(host, port).await?;
    Ok(There { took: begun.elapsed(), date: None })
}

async fn connect(host: &str, port: u16) -> Result<TcpStream, NotThere> {
    let addresses = tokio::net::lookup_host((host, port)).await.map_err(|cause| failed(Step::Name, &cause))?;
    let addresses: Vec<_> = addresses.collect();
    if addresses.is_empty() {
        return Err(failed(Step::Name, &"it has no address"));
    }
    let limit = Duration::from_millis(limits::CONNECT_MS);
    let connecting = tokio::time::timeout(limit, TcpStream::connect(addresses.as_slice())).await;
    let connecting = connecting.map_err(|_| failed(Step::Connection, &"no connection in time"))?;
    connecting.map_err(|cause| failed(Step::Connection, &cause))
}

/// Looks at a host. With a configuration of TLS it shakes hands. Then it asks for the headers of a path, which costs a server
/// nothing; one that does not answer that is there all the same.
pub async fn probe(host: &str, port: u16, path: &str, tls: Option<Arc<rustls::ClientConfig>>) -> Result<There, NotThere> {
    let begun = tokio::time::Instant::now();
    let limit = Duration::from_millis(limits::CONNECT_MS);
    let stream = connect(host, port).await?;
    let Some(tls) = tls else {
        let took = begun.elapsed();
        return Ok(There { took, date: date(stream, host, path).await });
    };
    let name = ServerName::try_from(host.to_owned()).map_err(|cause| failed(Step::Handshake, &cause))?;
    let shaking = tokio::time::timeout(limit, TlsConnector::from(tls).connect(name, stream)).await;
    let shaking = shaking.map_err(|_| failed(Step::Handshake, &"no handshake in time"))?;
    let mut stream = shaking.map_err(|cause| failed(Step::Handshake, &cause))?;
    let took = begun.elapsed();
    // With TLS 1.3 a server that does not take our certificate says so after the handshake, in place of an answer.
    let asked = tokio::time::timeout(limit, ask(&mut stream, host, path)).await;
    match asked {
        Ok(Err(cause)) if cause.kind() == std::io::ErrorKind::InvalidData => Err(failed(Step::Handshake, &cause)),
        Ok(Ok(head)) => Ok(There { took, date: date_of(&head) }),
        _ => Ok(There { took, date: None }),
    }
}

async fn date(mut stream: impl AsyncRead + AsyncWrite + Unpin, host: &str, path: &str) -> Option<UnixTime> {
    let asked = tokio::time::timeout(Duration::from_millis(limits::CONNECT_MS), ask(&mut stream, host, path)).await;
    date_of(&asked.ok()?.ok()?)
}

/// The beginning of the answer to a `HEAD`.
async fn ask(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), host: &str, path: &str) -> std::io::Result<String> {
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    stream.write_all(format!("HEAD {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").as_bytes()).await?;
    let mut head = Vec::new();
    let mut part = [0; 1024];
    while head.len() < limits::HEAD_BYTES_MAX && !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut part).await? {
            0 => break,
            count => head.extend_from_slice(&part[..count]),
        }
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

fn date_of(head: &str) -> Option<UnixTime> {
    let line = head.lines().find_map(|line| line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("date")));
    let time: SystemTime = httpdate::parse_http_date(line?.1.trim()).ok()?;
    Some(UnixTime::from_ms(time.duration_since(UNIX_EPOCH).ok()?.as_millis() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_of_an_answer_is_read() {
        let head = "HTTP/1.1 405 No\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n";
        assert_eq!(date_of(head).map(|time| time.to_string()), Some("1994-11-06T08:49:37.000Z".to_owned()));
        assert_eq!(date_of("HTTP/1.1 200 OK\r\n\r\n"), None);
    }
}
