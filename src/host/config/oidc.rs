//! How people sign in to the console at a provider of OpenID Connect: the section `[console.oidc]`.

use super::{Duty, is_loopback};
use crate::base::ids::AgencyId;
use crate::base::limits;
use crate::rules::registry::{Endpoint, Scheme};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toml::Spanned;

/// How people sign in at a provider of OpenID Connect.
#[derive(Clone, Debug)]
pub struct Oidc {
    /// The provider, in its own words: it is compared octet for octet.
    pub issuer: String,
    /// The name by which the provider knows the console.
    pub client_id: String,
    /// The file that has the secret of that name; without it the console is a public client.
    pub client_secret_file: Option<PathBuf>,
    /// What is asked for.
    pub scopes: String,
    /// The claim that names a person's groups.
    pub roles_claim: String,
    /// What a group may do here.
    pub roles: BTreeMap<String, Vec<Duty>>,
    /// For which agency: without it roles that need one are of no use to whoever is not in the file of people.
    pub agency: Option<AgencyId>,
    /// The authorities that the provider's certificate comes from.
    pub authorities: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    issuer: Spanned<String>,
    client_id: Spanned<String>,
    client_secret_file: Option<String>,
    scopes: Option<Spanned<String>>,
    roles_claim: Option<Spanned<String>>,
    roles: Spanned<BTreeMap<String, Spanned<Vec<Spanned<String>>>>>,
    agency: Option<Spanned<String>>,
    authorities: Option<String>,
}

/// A refusal with its place in the text.
type Wrong = (usize, String);

impl Oidc {
    /// Reads the text of such a section alone, as the configuration has it; paths in it are relative to the folder, and without
    /// authorities of its own it believes these.
    pub fn parse(section: &str, folder: &Path, authorities: PathBuf) -> Result<Self, (usize, String)> {
        let raw: Raw =
            toml::from_str(section).map_err(|error| (error.span().map_or(0, |span| span.start), error.message().to_owned()))?;
        raw.check(|text| folder.join(text), authorities)
    }
}

impl Raw {
    /// Checks the section; without authorities of its own it believes those of the exchange.
    pub(super) fn check(self, path: impl Fn(String) -> PathBuf, exchange: PathBuf) -> Result<Oidc, Wrong> {
        Ok(Oidc {
            issuer: issuer(self.issuer)?,
            client_id: client_id(self.client_id)?,
            client_secret_file: self.client_secret_file.map(&path),
            scopes: self.scopes.map_or(Ok("openid profile email".to_owned()), scopes)?,
            roles_claim: self.roles_claim.map_or(Ok("groups".to_owned()), roles_claim)?,
            roles: roles(self.roles)?,
            agency: self.agency.map(agency).transpose()?,
            authorities: self.authorities.map_or(exchange, path),
        })
    }
}

/// What a provider of OpenID Connect calls itself is a URL without query and fragment (OpenID Connect Core 1.0, section 2).
fn issuer(text: Spanned<String>) -> Result<String, Wrong> {
    let found = Endpoint::parse(text.get_ref());
    // Whoever is in between could be anybody.
    if found.is_some_and(|at| at.url.port > 0 && (at.scheme == Scheme::Https || is_loopback(&at.url.host))) {
        return Ok(text.into_inner());
    }
    let what = format!(
        "issuer = \"{}\" is no issuer; write it as the provider's own description has it, as in \"https://login.example/realms/town\"; http \
         is for loopback addresses alone",
        text.get_ref()
    );
    Err((text.span().start, what))
}

/// Visible characters and spaces (RFC 6749, appendix A.1).
fn client_id(text: Spanned<String>) -> Result<String, Wrong> {
    let is_good = (1..=255).contains(&text.get_ref().len()) && text.get_ref().bytes().all(|octet| (b' '..=b'~').contains(&octet));
    if is_good {
        return Ok(text.into_inner());
    }
    Err((text.span().start, "client_id is 1 to 255 visible characters of ASCII, as the provider gives it".to_owned()))
}

/// Words with a space between them (RFC 6749, section 3.3), one of which is `openid`.
fn scopes(text: Spanned<String>) -> Result<String, Wrong> {
    let is_word =
        |word: &str| !word.is_empty() && word.bytes().all(|octet| octet.is_ascii_graphic() && !b"\"\\".contains(&octet));
    let words: Vec<&str> = text.get_ref().split(' ').collect();
    if text.get_ref().len() <= 1_000 && words.iter().all(|word| is_word(word)) && words.contains(&"openid") {
        return Ok(text.into_inner());
    }
    let what = format!("scopes = \"{}\"; they are words with a space between them, and openid is one of them", text.get_ref());
    Err((text.span().start, what))
}

fn roles_claim(text: Spanned<String>) -> Result<String, Wrong> {
    let is_good = (1..=255).contains(&text.get_ref().len()) && !text.get_ref().contains(char::is_control);
    if is_good {
        return Ok(text.into_inner());
    }
    Err((text.span().start, "roles_claim is the name of a claim, as in \"groups\"".to_owned()))
}

fn agency(text: Spanned<String>) -> Result<AgencyId, Wrong> {
    AgencyId::parse(text.get_ref()).ok_or_else(|| {
        (text.span().start, format!("agency = \"{}\" is not the name of an agency, as in ru.audit", text.get_ref()))
    })
}

fn roles(groups: Spanned<BTreeMap<String, Spanned<Vec<Spanned<String>>>>>) -> Result<BTreeMap<String, Vec<Duty>>, Wrong> {
    let (place, groups) = (groups.span().start, groups.into_inner());
    if !(1..=limits::OIDC_GROUPS_MAX).contains(&groups.len()) {
        let most = limits::OIDC_GROUPS_MAX;
        return Err((place, format!("roles has 1 to {most} groups, as in roles = {{ \"gateway-auditors\" = [\"auditor\"] }}")));
    }
    let role = |word: Spanned<String>| {
        Duty::parse(word.get_ref()).ok_or_else(|| {
            let known = Duty::ALL.map(Duty::as_str).join(", ");
            (word.span().start, format!("\"{}\" is no role; there are {known}", word.get_ref()))
        })
    };
    let of_group = |(group, words): (String, Spanned<Vec<Spanned<String>>>)| {
        if words.get_ref().is_empty() {
            return Err((words.span().start, format!("the group \"{group}\" has no role; leave it out")));
        }
        Ok((group, words.into_inner().into_iter().map(role).collect::<Result<_, _>>()?))
    };
    groups.into_iter().map(of_group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLES: &str = "roles = { staff = [\"desk\"] }\n";

    fn read(section: &str) -> Result<Oidc, Wrong> {
        Oidc::parse(section, Path::new("/etc"), PathBuf::from("/etc/a"))
    }

    fn with(more: &str) -> String {
        format!("issuer = \"https://login.example\"\nclient_id = \"console\"\n{ROLES}{more}")
    }

    #[test]
    fn what_is_not_set_is_as_the_documents_say() {
        let oidc = read(&with("")).expect("good");
        assert_eq!((oidc.scopes.as_str(), oidc.roles_claim.as_str()), ("openid profile email", "groups"));
        assert_eq!((oidc.client_secret_file, oidc.authorities), (None, PathBuf::from("/etc/a")));
    }

    #[test]
    fn all_of_it_is_read() {
        let oidc = read(
            "issuer = \"https://login.example:8443/realms/town/\"\nclient_id = \"the console\"\nclient_secret_file = \"s\"\n\
             scopes = \"openid groups\"\nroles_claim = \"https://town.example/roles\"\nagency = \"ru.audit\"\nauthorities = \"/etc/ssl/ca.pem\"\n\
             [roles]\n\"/town/auditors\" = [\"auditor\", \"security\"]\nstaff = [\"operator\", \"curator\", \"desk\", \"agency\"]\n",
        );
        let oidc = oidc.unwrap_or_else(|(_, what)| panic!("{what}"));
        assert_eq!((oidc.issuer.as_str(), oidc.client_id.as_str()), ("https://login.example:8443/realms/town/", "the console"));
        assert_eq!((oidc.scopes.as_str(), oidc.roles_claim.as_str()), ("openid groups", "https://town.example/roles"));
        assert_eq!(oidc.client_secret_file.as_deref(), Some(Path::new("/etc/s")));
        assert_eq!(oidc.authorities, Path::new("/etc/ssl/ca.pem"));
        assert_eq!(oidc.agency.as_ref().map(AgencyId::as_str), Some("ru.audit"));
        assert_eq!(oidc.roles["/town/auditors"], [Duty::Auditor, Duty::Security]);
        assert_eq!(oidc.roles["staff"], [Duty::Operator, Duty::Curator, Duty::Desk, Duty::Agency]);
    }

    #[test]
    fn so_many_groups_have_roles_and_no_more() {
        let groups = |count: usize| {
            let groups: String = (0..count).map(|at| format!("g{at} = [\"desk\"]\n")).collect();
            let section = format!("{}[roles]\n{groups}", with("").replace(ROLES, ""));
            read(&section).map(|oidc| oidc.roles.len()).map_err(|(_, what)| what)
        };
        assert_eq!(groups(limits::OIDC_GROUPS_MAX), Ok(limits::OIDC_GROUPS_MAX));
        for count in [0, limits::OIDC_GROUPS_MAX + 1] {
            assert!(groups(count).expect_err("too many or none").starts_with("roles has 1 to 256 groups"));
        }
    }

    #[test]
    fn mistakes_are_told_with_their_place_and_what_to_write() {
        let issuer = |text: &str| with("").replace("https://login.example", text);
        let roles = |text: &str| with("").replace("[\"desk\"]", text);
        for (section, place, what) in [
            (with("isuer = 1"), "isuer", "unknown field `isuer`"),
            (issuer("login.example"), "\"login", "write it as the provider's own description has it"),
            (issuer("http://login.example"), "\"http", "http is for loopback addresses alone"),
            (issuer("http://localhost:3000"), "\"http", "http is for loopback addresses alone"),
            (issuer("https://login.example?tenant=1"), "\"https", "is no issuer"),
            (issuer("https://login.example#x"), "\"https", "is no issuer"),
            (issuer("https://u:p@login.example"), "\"https", "is no issuer"),
            (with("").replace("\"console\"", "\"\""), "\"\"", "client_id is 1 to 255 visible characters"),
            (with("").replace("\"console\"", "\"конс\""), "\"конс", "client_id is 1 to 255 visible characters"),
            (with("scopes = \"profile\""), "\"profile", "openid is one of them"),
            (with("scopes = \"openid  email\""), "\"openid", "words with a space between them"),
            (with("roles_claim = \"\""), "\"\"", "roles_claim is the name of a claim"),
            (format!("agency = \"A\"\n{}", with("")), "\"A\"", "is not the name of an agency"),
            (
                roles("[\"desk\", \"admin\"]"),
                "\"admin",
                "is no role; there are operator, auditor, curator, desk, security, agency",
            ),
            (roles("[]"), "[]", "the group \"staff\" has no role; leave it out"),
        ] {
            let (offset, told) = read(&section).expect_err(what);
            assert!(told.contains(what), "{told}");
            assert!(section[offset..].starts_with(place), "{what}: {}", &section[offset..]);
        }
        assert!(read(&issuer("http://127.0.0.1:3000")).is_ok() && read(&issuer("http://[::1]:3000/a")).is_ok());
        assert!(read(&with("").replace(ROLES, "")).expect_err("no roles").1.contains("missing field `roles`"));
    }
}
