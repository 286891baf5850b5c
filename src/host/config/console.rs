//! The console: where browsers reach it, and who may sign in.
//!
//! People are in a file of their own, which is read again on a reload: whoever leaves is out at once.

use super::{Oidc, address, oidc, place, within};
use crate::base::fault;
use crate::base::ids::{AgencyId, Digest};
use crate::rules::registry::Endpoint;
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::PathBuf;
use toml::Spanned;

/// The console.
#[derive(Clone, Debug)]
pub struct Console {
    /// Where it listens.
    pub listen: SocketAddr,
    /// How browsers reach it, if not at the address at which it listens.
    pub url: Option<Endpoint>,
    /// Its certificate and key. Without them it speaks plain HTTP, on loopback alone.
    pub tls: Option<ConsoleTls>,
    /// Who may sign in, by certificate or at the provider.
    pub people: Option<PathBuf>,
    /// The provider at which people sign in, if there is one.
    pub oidc: Option<Oidc>,
    /// The folder of files about the quality of services.
    pub quality: Option<PathBuf>,
    /// After how long without a request somebody is signed out, in milliseconds.
    pub idle_ms: u64,
    /// After how long somebody is signed out in any case, in milliseconds.
    pub session_ms: u64,
}

/// The certificate with which the console is served.
#[derive(Clone, Debug)]
pub struct ConsoleTls {
    /// The chain, in PEM.
    pub certificate: PathBuf,
    /// The key.
    pub key: PathBuf,
    /// The authorities whose client certificates are asked for; those of the exchange if there are none.
    pub authorities: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    listen: Option<Spanned<String>>,
    url: Option<Spanned<String>>,
    certificate: Option<Spanned<String>>,
    key: Option<String>,
    authorities: Option<String>,
    people: Option<String>,
    oidc: Option<oidc::Raw>,
    quality: Option<String>,
    idle_minutes: Option<Spanned<u64>>,
    session_hours: Option<Spanned<u64>>,
}

impl Raw {
    /// Checks the section; a provider without authorities of its own is believed by those of the exchange.
    pub(super) fn check(self, path: impl Fn(String) -> PathBuf, exchange: PathBuf) -> Result<Console, (usize, String)> {
        let listen = self.listen.as_ref().map_or(Ok(SocketAddr::from(([127, 0, 0, 1], 8082))), address)?;
        let tls = match (self.certificate, self.key) {
            (Some(certificate), Some(key)) => Some(ConsoleTls {
                certificate: path(certificate.into_inner()),
                key: path(key),
                authorities: self.authorities.map(&path),
            }),
            (None, None) => None,
            (certificate, _) => {
                let at = certificate.map_or(0, |certificate| certificate.span().start);
                return Err((at, "[console] has certificate and key, or neither".to_owned()));
            }
        };
        if tls.is_none() && !listen.ip().is_loopback() {
            let at = self.listen.map_or(0, |listen| listen.span().start);
            let what =
                format!("[console] {listen} is no loopback address: give certificate and key, so that it speaks TLS there");
            return Err((at, what));
        }
        let url = self.url.map(|url| {
            let read = Endpoint::parse(url.get_ref()).filter(|read| read.url.path == "/");
            read.ok_or_else(|| {
                (url.span().start, format!("\"{}\" is no URL of a host, as https://console.example is", url.get_ref()))
            })
        });
        Ok(Console {
            listen,
            url: url.transpose()?,
            tls,
            people: self.people.map(&path),
            oidc: self.oidc.map(|oidc| oidc.check(&path, exchange)).transpose()?,
            quality: self.quality.map(path),
            idle_ms: within("idle_minutes", self.idle_minutes, IDLE_MINUTES, IDLE_MINUTES_MAX)? * 60_000,
            session_ms: within("session_hours", self.session_hours, SESSION_HOURS, SESSION_HOURS_MAX)? * 3_600_000,
        })
    }
}

const IDLE_MINUTES: u64 = 30;
const IDLE_MINUTES_MAX: u64 = 8 * 60;
const SESSION_HOURS: u64 = 8;
const SESSION_HOURS_MAX: u64 = 24;

/// What somebody does at the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Duty {
    /// Keeps the gateway running.
    Operator,
    /// Sees the whole log, and persons for a reason.
    Auditor,
    /// Looks after life situations over all agencies, without names.
    Curator,
    /// Serves people at a one-stop shop.
    Desk,
    /// Looks after what attackers try.
    Security,
    /// Sees the exchanges of an agency.
    Agency,
}

impl Duty {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Operator, Self::Auditor, Self::Curator, Self::Desk, Self::Security, Self::Agency];

    /// Its word in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Auditor => "auditor",
            Self::Curator => "curator",
            Self::Desk => "desk",
            Self::Security => "security",
            Self::Agency => "agency",
        }
    }

    /// Reads the word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|duty| duty.as_str() == text)
    }

    /// Whether whoever does this acts for an agency in the registry: what they read is on record under its name.
    pub const fn needs_agency(self) -> bool {
        matches!(self, Self::Auditor | Self::Desk | Self::Agency)
    }
}

/// Somebody who may sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Official {
    /// The name, as records have it.
    pub name: String,
    /// For which agency.
    pub agency: Option<AgencyId>,
    /// What they do, at least one thing.
    pub duties: Vec<Duty>,
}

/// Who may sign in, by the SHA-256 of their client certificate or by their name at the provider of identities.
#[derive(Clone, Debug, Default)]
pub struct People(Vec<Known>);

/// Somebody, with the SHA-256 of their certificate, and their name at the provider of identities.
type Known = (Official, Option<Digest>, Option<String>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPeople {
    format: Spanned<u32>,
    #[serde(default)]
    person: Vec<Spanned<RawPerson>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPerson {
    name: Spanned<String>,
    agency: Option<Spanned<String>>,
    roles: Spanned<Vec<String>>,
    certificate: Option<Spanned<String>>,
    subject: Option<String>,
}

impl People {
    /// Reads the file; a refusal has line, column and what is wrong.
    pub fn parse(text: &str) -> Result<Self, (usize, usize, String)> {
        let at = |(offset, what): (usize, String)| {
            let (line, column) = place(text, offset);
            let what = fault::suggestion(&what).map_or_else(|| what.clone(), |suggestion| format!("{what}; {suggestion}"));
            (line, column, what)
        };
        let raw: RawPeople =
            toml::from_str(text).map_err(|error| at((error.span().map_or(0, |span| span.start), error.message().to_owned())))?;
        if *raw.format.get_ref() != 1 {
            return Err(at((raw.format.span().start, "this gateway reads format = 1".to_owned())));
        }
        raw.person.into_iter().map(|person| person.into_inner().check().map_err(at)).collect::<Result<_, _>>().map(Self)
    }

    /// Who has this client certificate.
    pub fn by_certificate(&self, certificate: &Digest) -> Option<&Official> {
        self.0.iter().find(|(_, known, _)| known.as_ref() == Some(certificate)).map(|(official, _, _)| official)
    }

    /// Who has this name at the provider of identities.
    pub fn by_subject(&self, subject: &str) -> Option<&Official> {
        self.0.iter().find(|(_, _, known)| known.as_deref() == Some(subject)).map(|(official, _, _)| official)
    }
}

impl RawPerson {
    fn check(self) -> Result<Known, (usize, String)> {
        let official = Official::new(
            self.name.get_ref(),
            self.agency.as_ref().map(|agency| agency.get_ref().as_str()),
            self.roles.get_ref().iter().map(String::as_str),
        );
        let official = official.map_err(|what| (self.name.span().start, what))?;
        let certificate = self.certificate.map(|text| {
            let wrong = || {
                (text.span().start, "certificate is the SHA-256 of the client certificate in 64 hexadecimal digits".to_owned())
            };
            Digest::parse_hex(&text.get_ref().replace(':', "").to_ascii_lowercase()).ok_or_else(wrong)
        });
        Ok((official, certificate.transpose()?, self.subject))
    }
}

impl Official {
    /// Somebody with this name, for this agency, with these duties.
    pub fn new<'d>(name: &str, agency: Option<&str>, duties: impl Iterator<Item = &'d str>) -> Result<Self, String> {
        let is_name = (1..=NAME_BYTES_MAX).contains(&name.len()) && !name.chars().any(char::is_control);
        if !is_name {
            return Err(format!("a name has 1 to {NAME_BYTES_MAX} octets, in one line"));
        }
        let agency = agency
            .map(|text| AgencyId::parse(text).ok_or_else(|| format!("\"{text}\" is not the name of an agency, as in ru.audit")));
        let agency = agency.transpose()?;
        let words = || Duty::ALL.map(Duty::as_str).join(", ");
        let duty = |text: &str| Duty::parse(text).ok_or_else(|| format!("\"{text}\" is no role; there are {}", words()));
        let mut duties = duties.map(duty).collect::<Result<Vec<_>, _>>()?;
        duties.sort_unstable();
        duties.dedup();
        if duties.is_empty() {
            return Err(format!("{name} has no role; there are {}", words()));
        }
        if let (Some(duty), None) = (duties.iter().find(|duty| duty.needs_agency()), &agency) {
            return Err(format!("{name} is {} for an agency: name it in agency", duty.as_str()));
        }
        Ok(Self { name: name.to_owned(), agency, duties })
    }
}

const NAME_BYTES_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_may_sign_in_is_found_by_certificate_and_by_name() {
        let digest = "ab".repeat(32);
        let text = format!(
            "format = 1\n[[person]]\nname = \"a.petrova\"\nagency = \"ru.audit\"\nroles = [\"auditor\"]\ncertificate = \"{digest}\"\n\
             [[person]]\nname = \"o\"\nroles = [\"operator\", \"security\"]\nsubject = \"o@example\"\n"
        );
        let people = People::parse(&text).expect("good");
        let found = people.by_certificate(&Digest::parse_hex(&digest).expect("hexadecimal")).expect("she is there");
        assert_eq!((found.name.as_str(), found.duties.as_slice()), ("a.petrova", [Duty::Auditor].as_slice()));
        assert_eq!(people.by_subject("o@example").map(|official| official.duties.len()), Some(2));
        assert_eq!(people.by_subject(""), None);
    }

    #[test]
    fn what_is_wrong_with_people_is_told_with_its_place() {
        for (person, words, line) in [
            ("name = \"\"\nroles = [\"operator\"]", "1 to 64 octets", 3),
            ("name = \"a\"\nroles = []", "no role", 3),
            ("name = \"a\"\nroles = [\"king\"]", "no role; there are operator", 3),
            ("name = \"a\"\nroles = [\"auditor\"]", "name it in agency", 3),
            ("name = \"a\"\nroles = [\"desk\"]\nagency = \"A\"", "not the name of an agency", 3),
            ("name = \"a\"\nroles = [\"operator\"]\ncertificate = \"12\"", "SHA-256", 5),
            ("name = \"a\"\nrols = [\"operator\"]", "did you mean `roles`", 4),
        ] {
            let (at, _, what) = People::parse(&format!("format = 1\n[[person]]\n{person}\n")).expect_err(person);
            assert!(what.contains(words) && at == line, "{person}: {at}: {what}");
        }
    }
}
