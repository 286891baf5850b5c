//! How people are told of their cases: the section `[notices]`.

use super::within_list;
use crate::base::ids::MailAddress;
use crate::base::limits;
use crate::rules::registry::{Endpoint, Scheme, Url};
use crate::rules::situation::quiet::Quiet;
use serde::Deserialize;
use std::net::IpAddr;
use std::path::PathBuf;
use toml::Spanned;

/// How people are told of their cases. What is not set is not done.
#[derive(Clone, Debug)]
pub struct Notices {
    /// By whom mail goes out; without it none does.
    pub mail: Option<Mail>,
    /// The key that signs what is told to webhooks, made if it is not there; without it none are told.
    pub webhook_key: Option<PathBuf>,
    /// Webhooks that may be in the operator's own network, by host and port.
    pub webhook_hosts: Vec<Url>,
    /// Where people reach the gateway: what personal links begin with.
    pub public_url: Option<Endpoint>,
    /// When people are not told of what can wait.
    pub quiet: Quiet,
    /// The language for those of whom none is known.
    pub language: String,
    /// The authorities that the certificates of relay and webhooks come from.
    pub authorities: PathBuf,
}

/// By whom mail goes out.
#[derive(Clone, Debug)]
pub struct Mail {
    /// The server that takes it.
    pub relay: Relay,
    /// From whom it is.
    pub from: MailAddress,
    /// As whom the gateway logs in there.
    pub login: Option<Login>,
}

/// A server that takes mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relay {
    /// What its connections are protected by.
    pub wire: Wire,
    /// Its host, as its certificate has it.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// What a connection is protected by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// By nothing: it does not leave the machine.
    Plain,
    /// By TLS that both begin with `STARTTLS` (RFC 3207), or not at all.
    StartTls,
    /// By TLS from the beginning (RFC 8314, section 3).
    Tls,
}

/// As whom the gateway logs in.
#[derive(Clone, Debug)]
pub struct Login {
    /// The name.
    pub user: String,
    /// The file that has the password.
    pub password_file: PathBuf,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    mail: Option<RawMail>,
    webhook_key: Option<String>,
    webhook_hosts: Option<Spanned<Vec<Spanned<String>>>>,
    public_url: Option<Spanned<String>>,
    quiet: Option<Spanned<String>>,
    language: Option<Spanned<String>>,
    authorities: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMail {
    relay: Spanned<String>,
    from: Spanned<String>,
    user: Option<Spanned<String>>,
    password_file: Option<Spanned<String>>,
}

/// A refusal with its place in the text.
type Wrong = (usize, String);

impl Raw {
    /// Checks the section; without authorities of its own it believes those of the exchange.
    pub(super) fn check(self, path: impl Fn(String) -> PathBuf, exchange: PathBuf) -> Result<Notices, Wrong> {
        let hosts = within_list("webhook_hosts", self.webhook_hosts, limits::WEBHOOK_HOSTS_MAX)?;
        Ok(Notices {
            mail: self.mail.map(|mail| mail.check(&path)).transpose()?,
            webhook_key: self.webhook_key.map(&path),
            webhook_hosts: hosts.iter().map(host).collect::<Result<_, Wrong>>()?,
            public_url: self.public_url.as_ref().map(public_url).transpose()?,
            quiet: self.quiet.as_ref().map_or(Ok(Quiet::default()), quiet)?,
            language: self.language.map_or(Ok("en".to_owned()), language)?,
            authorities: self.authorities.map_or(exchange, path),
        })
    }
}

impl RawMail {
    fn check(self, path: impl Fn(String) -> PathBuf) -> Result<Mail, Wrong> {
        let wrong = |text: &Spanned<String>, what: String| (text.span().start, what);
        let relay = Relay::parse(self.relay.get_ref()).ok_or_else(|| {
            wrong(&self.relay, format!("relay = \"{}\" is not a mail server; write {}", self.relay.get_ref(), Relay::FORM))
        })?;
        let from = MailAddress::parse(self.from.get_ref()).ok_or_else(|| {
            let what = format!("from = \"{}\" is not an address of mail; write \"notices@gateway.example\"", self.from.get_ref());
            wrong(&self.from, what)
        })?;
        let login = match (self.user, self.password_file) {
            (None, None) => None,
            (Some(user), Some(password_file)) => {
                Some(Login { user: user.into_inner(), password_file: path(password_file.into_inner()) })
            }
            (Some(one), None) => return Err(wrong(&one, "user needs a password_file beside it".to_owned())),
            (None, Some(other)) => return Err(wrong(&other, "password_file needs a user beside it".to_owned())),
        };
        Ok(Mail { relay, from, login })
    }
}

impl Relay {
    /// The forms, for whoever wrote another.
    const FORM: &'static str =
        "\"smtps://host\" (TLS), \"smtp://host\" (STARTTLS), or \"smtp://127.0.0.1:25\" (in the clear, to a loopback address)";

    /// Reads `smtps://host:port` or `smtp://host:port`; the ports are 465 and 587 (RFC 8314, section 7) if there is none. Nothing goes in
    /// the clear but to an address of the loopback: a name may be anybody's.
    pub fn parse(text: &str) -> Option<Self> {
        let (is_tls, rest) = match text.strip_prefix("smtps://") {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix("smtp://")?),
        };
        let at = host_and_port(rest, Some(if is_tls { 465 } else { 587 }))?;
        let wire = match (is_tls, is_loopback(&at.host)) {
            (true, _) => Wire::Tls,
            (false, true) => Wire::Plain,
            (false, false) => Wire::StartTls,
        };
        Some(Self { wire, host: at.host, port: at.port })
    }
}

/// Whether a host is an address of the loopback; a name never is.
pub(crate) fn is_loopback(host: &str) -> bool {
    host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Reads `host:port`, as a URL has them.
fn host_and_port(text: &str, port: Option<u16>) -> Option<Url> {
    let has_port = text.rsplit(']').next().is_some_and(|behind| behind.contains(':'));
    let url = match port {
        Some(port) if !has_port => Url::parse(&format!("https://{text}:{port}")),
        _ => Url::parse(&format!("https://{text}")).filter(|_| has_port),
    };
    url.filter(|url| url.port > 0 && !text.contains('/'))
}

fn host(text: &Spanned<String>) -> Result<Url, Wrong> {
    let wrong = || (text.span().start, format!("\"{}\" is not a host with its port; write \"host:443\"", text.get_ref()));
    host_and_port(text.get_ref(), None).ok_or_else(wrong)
}

fn public_url(text: &Spanned<String>) -> Result<Endpoint, Wrong> {
    let found = Endpoint::parse(text.get_ref());
    // Whoever sees a personal link can use it.
    let found = found.filter(|url| url.scheme == Scheme::Https || is_loopback(&url.url.host));
    found.ok_or_else(|| {
        let what = format!(
            "public_url = \"{}\" is no URL for people; write \"https://gateway.example\"; http is for loopback addresses alone",
            text.get_ref()
        );
        (text.span().start, what)
    })
}

fn quiet(text: &Spanned<String>) -> Result<Quiet, Wrong> {
    let wrong = || (text.span().start, format!("quiet = \"{}\"; it is {}", text.get_ref(), Quiet::FORM));
    Quiet::parse(text.get_ref()).ok_or_else(wrong)
}

fn language(text: Spanned<String>) -> Result<String, Wrong> {
    let is_language = text.get_ref().len() == 2 && text.get_ref().bytes().all(|octet| octet.is_ascii_lowercase());
    if is_language {
        return Ok(text.into_inner());
    }
    Err((text.span().start, format!("language = \"{}\" is not a code of ISO 639-1; write \"en\"", text.get_ref())))
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;
    use std::path::Path;

    const GOOD: &str = "format = 1\ndata = \"data\"\n[exchange]\nlisten = \"127.0.0.1:8443\"\ncertificate = \"c\"\nkey = \"k\"\n\
                        authorities = \"a\"\n[registry]\nfile = \"r\"\nsignature = \"s\"\nauthority = \"z\"\n";

    fn read(section: &str) -> Result<Notices, Wrong> {
        Config::parse(&format!("{GOOD}[notices]\n{section}\n"), Path::new("/etc")).map(|config| config.notices)
    }

    #[test]
    fn what_is_not_set_is_not_done() {
        for config in [Config::parse(GOOD, Path::new("/etc")).expect("good").notices, read("").expect("good")] {
            assert!(config.mail.is_none() && config.webhook_key.is_none() && config.webhook_hosts.is_empty());
            assert_eq!((config.quiet, config.language.as_str()), (Quiet::NIGHT, "en"));
            assert_eq!((config.public_url, config.authorities.as_path()), (None, Path::new("/etc/a")));
        }
    }

    #[test]
    fn all_of_it_is_read() {
        let config = read(
            "mail = { relay = \"smtps://mail.example\", from = \"notices@town.example\", user = \"u\", password_file = \"p\" }\n\
             webhook_key = \"w.key\"\nwebhook_hosts = [\"hooks.town.example:8443\", \"[::1]:80\"]\npublic_url = \"https://town.example/x\"\n\
             quiet = \"22-7\"\nlanguage = \"ru\"\nauthorities = \"/etc/ssl/certs/ca-certificates.crt\"",
        );
        let config = config.unwrap_or_else(|(_, what)| panic!("{what}"));
        let mail = config.mail.expect("mail");
        assert_eq!(mail.relay, Relay { wire: Wire::Tls, host: "mail.example".to_owned(), port: 465 });
        let login = mail.login.expect("a login");
        assert_eq!((login.user.as_str(), login.password_file.as_path()), ("u", Path::new("/etc/p")));
        let hosts: Vec<String> = config.webhook_hosts.iter().map(Url::authority).collect();
        assert_eq!(hosts, ["hooks.town.example:8443", "[::1]:80"]);
        assert_eq!(config.webhook_key.as_deref(), Some(Path::new("/etc/w.key")));
        assert_eq!(config.public_url.map(|url| url.to_string()).as_deref(), Some("https://town.example:443/x"));
        assert_eq!((Some(config.quiet), config.language.as_str()), (Quiet::parse("22-7"), "ru"));
        assert_eq!(config.authorities, Path::new("/etc/ssl/certs/ca-certificates.crt"));
    }

    #[test]
    fn a_relay_is_protected_unless_it_is_on_this_machine() {
        for (text, expected) in [
            ("smtp://127.0.0.1:2525", Some((Wire::Plain, "127.0.0.1", 2525))),
            ("smtp://127.0.0.1", Some((Wire::Plain, "127.0.0.1", 587))),
            ("smtp://[::1]:25", Some((Wire::Plain, "::1", 25))),
            ("smtps://127.0.0.1", Some((Wire::Tls, "127.0.0.1", 465))),
            ("smtp://localhost:25", Some((Wire::StartTls, "localhost", 25))),
            ("smtp://10.0.0.1:25", Some((Wire::StartTls, "10.0.0.1", 25))),
            ("smtp://mail.example", Some((Wire::StartTls, "mail.example", 587))),
            ("smtps://mail.example:4465", Some((Wire::Tls, "mail.example", 4465))),
            ("mail.example", None),
            ("https://mail.example", None),
            ("smtp://", None),
            ("smtp://mail.example/", None),
            ("smtp://u:p@mail.example", None),
            ("smtp://mail.example:0", None),
            ("smtp://mail.example:65536", None),
        ] {
            let expected = expected.map(|(wire, host, port)| Relay { wire, host: host.to_owned(), port });
            assert_eq!(Relay::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn a_section_has_so_many_webhook_hosts_and_no_more() {
        let with = |count: usize| {
            let hosts: Vec<String> = (0..count).map(|at| format!("\"h{at}:443\"")).collect();
            read(&format!("webhook_hosts = [{}]", hosts.join(", ")))
                .map(|config| config.webhook_hosts.len())
                .map_err(|(_, what)| what)
        };
        let most = limits::WEBHOOK_HOSTS_MAX;
        assert_eq!(with(most), Ok(most));
        assert_eq!(with(limits::WEBHOOK_HOSTS_MAX + 1), Err(format!("webhook_hosts has at most {most} entries")));
    }

    #[test]
    fn mistakes_are_told_with_their_place_and_what_to_write() {
        let mail = |more: &str| format!("mail = {{ relay = \"smtps://m\", from = \"a@b\"{more} }}");
        for (section, place, what) in [
            ("mial = 1".to_owned(), "mial", "unknown field `mial`"),
            (mail(", password = \"p\""), "password", "unknown field `password`"),
            (mail(", user = \"u\""), "\"u\"", "user needs a password_file beside it"),
            (mail(", password_file = \"p\""), "\"p\"", "password_file needs a user beside it"),
            (mail("").replace("a@b", "Town <a@b>"), "\"Town", "is not an address of mail; write"),
            (mail("").replace("smtps", "smpt"), "\"smpt", "is not a mail server; write \"smtps://host\" (TLS)"),
            ("webhook_hosts = [\"town.example\"]".to_owned(), "\"town", "is not a host with its port; write \"host:443\""),
            ("webhook_hosts = [\"https://town.example:443\"]".to_owned(), "\"https", "is not a host with its port"),
            ("public_url = \"http://town.example\"".to_owned(), "\"http", "http is for loopback addresses alone"),
            (
                "quiet = \"night\"".to_owned(),
                "\"night",
                "quiet = \"night\"; it is two hours of the day, as in \"21-8\", or \"off\"",
            ),
            ("language = \"english\"".to_owned(), "\"english", "is not a code of ISO 639-1"),
        ] {
            let (offset, told) = read(&section).expect_err(what);
            assert!(told.contains(what), "{told}");
            let text = format!("{GOOD}[notices]\n{section}\n");
            assert!(text[offset..].starts_with(place), "{what}: {}", &text[offset..]);
        }
        assert!(read("public_url = \"http://127.0.0.1:8081\"").is_ok());
    }
}
