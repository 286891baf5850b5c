//! Tells people what has become of their cases: by mail, or by a webhook of theirs.
//!
//! Nothing is kept here and nothing is tried twice: who sends a notice again does so with the same notice, whose id says that it is the
//! same. What comes back says nothing of anybody's address of mail, nor of what was said.

mod mail;
mod outside;
mod starttls;
mod webhook;

use crate::base::ids::{MailAddress, Uuid};
use crate::base::time::UnixTime;
use crate::host::authority::{self, AuthorityError};
use crate::host::config::{self, ConfigError, Wire, is_loopback};
use crate::host::keyfile::{self, KeyFileError};
use crate::host::store::replace;
use crate::host::transport::{TlsError, trust};
use crate::message::crypto::{Algorithm, PrivateKey, PublicKey, Signer};
use crate::rules::registry::{Endpoint, Scheme};
use crate::rules::situation::texts::TextEvent;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Where somebody is reached.
#[derive(Clone, PartialEq, Eq)]
pub enum Address {
    /// By mail.
    Mail(MailAddress),
    /// By a program of theirs that is told over HTTP.
    Webhook(Endpoint),
}

impl Address {
    /// Reads `mailto:a@b.example`, one address without header fields (RFC 6068), or `https://host:port/path`; `http` is for addresses of
    /// the loopback alone.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(mail) = text.strip_prefix("mailto:") {
            return MailAddress::parse(mail).map(Self::Mail);
        }
        let at = Endpoint::parse(text)?;
        (at.scheme == Scheme::Https || is_loopback(&at.url.host)).then_some(Self::Webhook(at))
    }
}

/// As it is read again.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mail(address) => write!(f, "mailto:{address}"),
            Self::Webhook(at) => at.fmt(f),
        }
    }
}

/// It is somebody's.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mail(_) => "Mail",
            Self::Webhook(_) => "Webhook",
        })
    }
}

/// One notice.
#[derive(Clone)]
pub struct Notice {
    /// Its id, the same however often it is sent.
    pub id: Uuid,
    /// The case that it is about.
    pub case: Uuid,
    /// What has happened.
    pub event: TextEvent,
    /// A line that says what it is about.
    pub title: String,
    /// What is said, filled in.
    pub text: String,
    /// In which language.
    pub language: String,
    /// Where the case can be looked at: a secret of whoever is told.
    pub link: Option<String>,
}

/// Without what is said.
impl fmt::Debug for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "notice {} of {} in case {}", self.id, self.event.as_str(), self.case)
    }
}

/// Why a notice did not arrive, for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Undelivered {
    /// It may, if it is sent again.
    Later(String),
    /// It never will.
    Never(String),
}

impl fmt::Display for Undelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Later(cause) | Self::Never(cause)) = self;
        f.write_str(cause)
    }
}

/// Why nobody can be told of anything, for the operator.
#[derive(Debug)]
pub enum NoticesError {
    /// The authorities of relay and webhooks cannot be read.
    Authorities(TlsError),
    /// The password of the relay cannot be read.
    Password(ConfigError),
    /// There is none in its file.
    NoPassword(PathBuf),
    /// The key of webhooks cannot be read.
    Key(KeyFileError),
    /// It is none of Ed25519.
    KeyType(PathBuf),
    /// It cannot be made.
    NewKey(AuthorityError),
    /// It cannot be written.
    File(PathBuf, std::io::Error),
}

impl fmt::Display for NoticesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Authorities(cause) => write!(f, "{cause}"),
            Self::Password(cause) => write!(f, "{cause}"),
            Self::NoPassword(path) => write!(f, "{}: it has no password: one line, of visible characters", path.display()),
            Self::Key(cause) => write!(f, "{cause}"),
            Self::KeyType(path) => {
                write!(f, "{}: webhooks are signed with Ed25519; move it away, and a key is made", path.display())
            }
            Self::NewKey(cause) => write!(f, "the key of webhooks: {cause}"),
            Self::File(path, cause) => write!(f, "{}: {cause}", path.display()),
        }
    }
}

impl std::error::Error for NoticesError {}

/// Whoever sends notices.
pub struct Notices {
    mail: Option<mail::Post>,
    webhooks: Option<webhook::Webhooks>,
    public_key: Option<PublicKey>,
}

impl Notices {
    /// Reads what the configuration names; makes the key of webhooks, if it names one that is not there.
    pub fn open(config: &config::Notices) -> Result<Self, NoticesError> {
        let is_tls = config.webhook_key.is_some() || config.mail.as_ref().is_some_and(|mail| mail.relay.wire != Wire::Plain);
        let tls = is_tls.then(|| trust(&config.authorities)).transpose().map_err(NoticesError::Authorities)?;
        let mail = config.mail.as_ref().map(|mail| mail::Post::open(mail, tls.clone())).transpose()?;
        let key = config.webhook_key.as_deref().map(signing_key).transpose()?;
        let public_key = key.as_ref().and_then(PrivateKey::public_key);
        let webhooks = key.zip(tls).map(|(key, tls)| webhook::Webhooks::new(key, config.webhook_hosts.clone(), tls));
        Ok(Self { mail, webhooks, public_key })
    }

    /// The key that verifies what webhooks are told, in PEM, as they need it (RFC 8410).
    pub fn webhook_public_key(&self) -> Option<String> {
        const HEAD: [u8; 12] = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];
        let der = [&HEAD, self.public_key.as_ref()?.octets()].concat();
        Some(format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", BASE64.encode(der)))
    }

    /// Sends a notice, once, and waits until it was taken or refused.
    pub async fn send(&self, to: &Address, notice: &Notice) -> Result<(), Undelivered> {
        let unset = |what: &str| Undelivered::Never(format!("[notices] in the configuration has no {what}"));
        match to {
            Address::Mail(to) => self.mail.as_ref().ok_or_else(|| unset("mail"))?.send(to, notice).await,
            Address::Webhook(to) => self.webhooks.as_ref().ok_or_else(|| unset("webhook_key"))?.send(to, notice, now()).await,
        }
    }
}

/// The clock of the machine, whatever clock cases go by: the receiver compares it with its own.
fn now() -> UnixTime {
    UnixTime::from_ms(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64))
}

/// The key of a file, which is made if it is not there.
fn signing_key(path: &Path) -> Result<PrivateKey, NoticesError> {
    if !path.exists() {
        let pem = authority::make_log_key().map_err(NoticesError::NewKey)?;
        replace(path, pem.as_bytes(), 0o600).map_err(|cause| NoticesError::File(path.to_owned(), cause))?;
    }
    let key = keyfile::read_signing(path).map_err(NoticesError::Key)?;
    if key.algorithm() == Algorithm::Ed25519 { Ok(key) } else { Err(NoticesError::KeyType(path.to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// It is shared by tasks that send.
    #[test]
    fn a_task_can_send() {
        fn spawned(notices: std::sync::Arc<Notices>, to: Address, notice: Notice) -> impl Send + 'static {
            async move { notices.send(&to, &notice).await }
        }
        let _ = spawned;
    }

    #[test]
    fn an_address_is_one_of_mail_or_of_a_webhook_that_is_protected() {
        for good in ["mailto:a@b.example", "https://hooks.example:443/a/b", "http://127.0.0.1:80/", "http://[::1]:8080/x"] {
            let address = Address::parse(good).expect(good);
            assert_eq!(address.to_string(), good);
            assert!(!format!("{address:?}").contains("example"), "{address:?}");
        }
        for bad in [
            "",
            "a@b.example",
            "mailto:",
            "mailto:a@b.example?bcc=c@d.example",
            "mailto:a@b.example,c@d.example",
            "mailto:a%0d%0ab@c.example",
            "mailto:a@b.example\r\nBcc: c@d.example",
            "MAILTO:a@b.example",
            "http://hooks.example/",
            "http://localhost/",
            "http://10.0.0.1/",
            "http://2130706433/",
            "https://u:p@hooks.example/",
            "https://hooks.example/?a=b",
            "https://hooks.example/\r\nX: y",
            "ftp://127.0.0.1/",
        ] {
            assert!(Address::parse(bad).is_none(), "{bad}");
        }
    }
}
