//! A post office for the demo: takes mail on a port of its own (SMTP, RFC 5321), and shows what has come.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A mail that has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mail {
    /// To whom.
    pub to: String,
    /// What it says.
    pub text: String,
}

/// The post office.
pub struct Postbox {
    address: SocketAddr,
    mails: Arc<Mutex<Vec<Mail>>>,
}

impl Postbox {
    /// Opens it; it takes mail as long as the runtime goes on.
    pub async fn open() -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let (address, mails) = (listener.local_addr()?, Arc::<Mutex<Vec<Mail>>>::default());
        let taken = Arc::clone(&mails);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // Whoever hangs up has sent no mail.
                tokio::spawn(serve(stream, Arc::clone(&taken)));
            }
        });
        Ok(Self { address, mails })
    }

    /// The port that it takes mail on.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// What has come and was not shown yet.
    pub fn take(&self) -> Vec<Mail> {
        std::mem::take(&mut *self.mails.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn serve(stream: TcpStream, mails: Arc<Mutex<Vec<Mail>>>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let (mut to, mut line) = (String::new(), String::new());
    stream.write_all(b"220 postbox\r\n").await?;
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let reply = match line.get(..4).unwrap_or_default().to_ascii_uppercase().as_str() {
            "RCPT" => {
                to = line
                    .split_once('<')
                    .and_then(|(_, rest)| rest.split_once('>'))
                    .map_or(String::new(), |(to, _)| to.to_owned());
                "250 to them"
            }
            "DATA" => {
                stream.write_all(b"354 until a line with a point\r\n").await?;
                let text = message(&mut stream).await?;
                mails.lock().unwrap_or_else(PoisonError::into_inner).push(Mail { to: to.clone(), text });
                "250 taken"
            }
            "QUIT" => {
                stream.write_all(b"221 good bye\r\n").await?;
                return Ok(());
            }
            _ => "250 yes",
        };
        stream.write_all(format!("{reply}\r\n").as_bytes()).await?;
    }
}

/// The text of a mail, up to the line with a point, without its headers.
async fn message(stream: &mut BufReader<TcpStream>) -> std::io::Result<String> {
    let (mut whole, mut line) = (String::new(), String::new());
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 || line == ".\r\n" {
            break;
        }
        whole.push_str(line.strip_prefix('.').unwrap_or(&line));
    }
    let (head, body) = whole.split_once("\r\n\r\n").unwrap_or(("", &whole));
    let is_quoted = head.to_ascii_lowercase().contains("quoted-printable");
    Ok(if is_quoted { unquoted(body) } else { body.to_owned() })
}

/// What is written as quoted-printable (RFC 2045, section 6.7).
fn unquoted(text: &str) -> String {
    let joined = text.replace("=\r\n", "");
    let mut parts = joined.split('=');
    let mut octets = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (code, rest) = part.split_at(part.floor_char_boundary(2));
        octets.extend(u8::from_str_radix(code, 16));
        octets.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8_lossy(&octets).into_owned()
}

#[cfg(test)]
mod tests {
    use super::unquoted;

    #[test]
    fn what_is_quoted_is_read() {
        assert_eq!(unquoted("=D0=94=D0=B0, a =\r\nlong=3Dline\r\n"), "Да, a long=line\r\n");
    }
}
