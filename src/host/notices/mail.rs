//! Notices by mail: one message to one person, given to one server (RFC 5321).
//!
//! Lines that come from elsewhere are parsed or made one line before they get into a header. A notice that is sent again has the same
//! `Message-ID`, by which mailboxes know it (RFC 5322, section 3.6.4); `Auto-Submitted` keeps answering machines from answering
//! (RFC 3834, section 5).

use super::starttls::{self, Greeted};
use super::{Notice, NoticesError, Undelivered, now};
use crate::base::ids::MailAddress;
use crate::base::limits;
use crate::host::config::{self, Relay, Wire, read_bounded};
use crate::host::transport::Dialed;
use crate::rules::situation::texts::line;
use lettre::message::Mailbox;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, Message};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

/// Whoever posts mail.
pub(super) struct Post {
    relay: Relay,
    from: MailAddress,
    login: Option<Credentials>,
    tls: Option<Arc<rustls::ClientConfig>>,
}

impl Post {
    /// Reads the password, if there is one.
    pub(super) fn open(config: &config::Mail, tls: Option<Arc<rustls::ClientConfig>>) -> Result<Self, NoticesError> {
        let login = config.login.as_ref().map(|login| {
            let text = read_bounded(&login.password_file).map_err(NoticesError::Password)?;
            // The line's end is the editor's.
            let password = text.strip_suffix('\n').unwrap_or(&text);
            let password = password.strip_suffix('\r').unwrap_or(password);
            if password.is_empty() || password.contains(char::is_control) {
                return Err(NoticesError::NoPassword(login.password_file.clone()));
            }
            Ok(Credentials::new(login.user.clone(), password.to_owned()))
        });
        Ok(Self { relay: config.relay.clone(), from: config.from.clone(), login: login.transpose()?, tls })
    }

    pub(super) async fn send(&self, to: &MailAddress, notice: &Notice) -> Result<(), Undelivered> {
        let message = self.message(to, notice)?.formatted();
        let (from, to) = (address(&self.from)?, address(to)?);
        let deadline = Duration::from_millis(limits::MAIL_MS);
        let given = tokio::time::timeout(deadline, self.give(from, to, &message)).await;
        let mut connection = given.unwrap_or_else(|_| Err(Undelivered::Later("the mail server took too long".to_owned())))?;
        // It has the message. Whatever becomes of the connection now, sending again would be twice.
        let end = Duration::from_millis(limits::MAIL_END_MS);
        let _ = tokio::time::timeout(end, connection.quit()).await;
        Ok(())
    }

    /// Gives a message to the server, and the connection back. What it refuses before it has heard for whom it is, is no word about them:
    /// that may be put right.
    async fn give(&self, from: Address, to: Address, message: &[u8]) -> Result<AsyncSmtpConnection, Undelivered> {
        let mut connection = self.connect().await.map_err(|cause| Undelivered::Later(format!("the mail server: {cause}")))?;
        connection.command(Mail::new(Some(from), Vec::new())).await.map_err(|cause| later("the sender", &cause))?;
        connection.command(Rcpt::new(to, Vec::new())).await.map_err(|cause| judged("the recipient", &cause))?;
        connection.command(Data).await.map_err(|cause| judged("the message", &cause))?;
        connection.message(message).await.map_err(|cause| judged("the message", &cause))?;
        Ok(connection)
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, String> {
        let Relay { wire, host, port } = &self.relay;
        // The operator's own server may be anywhere; in the clear it was found to be an address of the loopback.
        let mut stream = Dialed::connect(host, *port, |_| true).await.map_err(|cause| cause.to_string())?;
        let secured = async |stream| match &self.tls {
            Some(tls) => Dialed::secure(stream, host, tls).await.map_err(|cause| cause.to_string()),
            None => Err("there is no TLS for it".to_owned()),
        };
        let stream = match wire {
            Wire::Plain => Greeted::by_itself(Dialed::Plain(stream)),
            Wire::Tls => Greeted::by_itself(secured(stream).await?),
            Wire::StartTls => {
                starttls::begin(&mut stream, self.from.domain()).await?;
                Greeted::before(secured(stream).await?)
            }
        };
        let hello = ClientId::Domain(self.from.domain().to_owned());
        let connecting = AsyncSmtpConnection::connect_with_transport(Box::new(stream), &hello).await;
        let mut connection = connecting.map_err(|cause| said(&cause))?;
        if let Some(login) = &self.login {
            let answered = connection.auth(&[Mechanism::Plain, Mechanism::Login], login).await;
            answered.map_err(|cause| format!("the login: {}", said(&cause)))?;
        }
        Ok(connection)
    }

    fn message(&self, to: &MailAddress, notice: &Notice) -> Result<Message, Undelivered> {
        let written = |name, value: &str| HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned());
        let language: String = notice.language.chars().filter(char::is_ascii_alphanumeric).collect();
        let message = Message::builder()
            .from(Mailbox::new(None, address(&self.from)?))
            .to(Mailbox::new(None, address(to)?))
            .subject(line(&notice.title, limits::CATALOGUE_TEXT_MAX))
            .date(UNIX_EPOCH + Duration::from_millis(now().as_ms()))
            .message_id(Some(format!("<{}@{}>", notice.id, self.from.domain())))
            .raw_header(written("Auto-Submitted", "auto-generated"))
            .raw_header(written("Content-Language", &language))
            .header(ContentType::TEXT_PLAIN);
        message.body(body(notice)).map_err(|cause| Undelivered::Never(cause.to_string()))
    }
}

/// The text, and the link where the text does not have it. What ends the message ends its last line as well.
fn body(notice: &Notice) -> String {
    let mut body = line(&notice.text, usize::MAX);
    if let Some(link) = notice.link.as_ref().filter(|link| !notice.text.contains(link.as_str())) {
        body += &format!("\r\n\r\n{}", line(link, usize::MAX));
    }
    body
}

fn address(address: &MailAddress) -> Result<Address, Undelivered> {
    Address::new(address.local(), address.domain())
        .map_err(|_| Undelivered::Never("the address is none that mail can be sent to".to_owned()))
}

fn later(what: &str, cause: &Error) -> Undelivered {
    Undelivered::Later(format!("the mail server, about {what}: {}", said(cause)))
}

fn judged(what: &str, cause: &Error) -> Undelivered {
    match later(what, cause) {
        Undelivered::Later(why) if cause.is_permanent() => Undelivered::Never(why),
        other => other,
    }
}

/// The code alone, where there is one: servers repeat addresses in their words.
fn said(cause: &Error) -> String {
    cause.status().map_or_else(|| cause.to_string(), |code| format!("status {code}"))
}
