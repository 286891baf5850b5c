//! What a provider says of itself (OpenID Connect Discovery 1.0, section 3; RFC 8414, section 2; RFC 9207, section 3).

use super::fault::{OidcError, Place};
use super::token::ALGORITHMS;
use crate::host::config::is_loopback;
use crate::rules::registry::{Endpoint, Scheme};
use serde::Deserialize;

/// A provider, as far as it matters here.
#[derive(Debug)]
pub(super) struct Description {
    /// Where people are sent to, as the provider has it.
    pub authorization: String,
    pub token: Endpoint,
    pub keys: Endpoint,
    pub user_info: Option<Endpoint>,
    pub names_itself: NamesItself,
}

/// Whether a provider says who it is when it sends somebody back (RFC 9207).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NamesItself {
    Always,
    Perhaps,
}

/// What the console is for the provider (OpenID Connect Core 1.0, section 9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Client {
    /// It has a secret: `client_secret_basic`.
    Secret,
    /// It has none.
    Public,
}

#[derive(Deserialize)]
struct Raw {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    userinfo_endpoint: Option<String>,
    response_types_supported: Option<Vec<String>>,
    code_challenge_methods_supported: Option<Vec<String>>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    id_token_signing_alg_values_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl Description {
    /// Where the description of an issuer is: behind its name, whether or not that ends with a solidus (section 4).
    pub fn of(issuer: &str) -> Option<Endpoint> {
        endpoint(issuer).map(|at| at.below(".well-known/openid-configuration"))
    }

    /// Reads the description of an issuer.
    pub fn read(octets: &[u8], issuer: &str, client: Client) -> Result<Self, OidcError> {
        let place = Place::Description;
        let raw: Raw =
            serde_json::from_slice(octets).map_err(|_| OidcError::Malformed(place, "issuer and endpoints are not all there"))?;
        // Exactly, or else a provider could speak for another (section 4.3).
        if raw.issuer != issuer {
            return Err(OidcError::OtherIssuer(raw.issuer.chars().take(200).collect()));
        }
        let lacks = |list: &Option<Vec<String>>, words: &[&str]| {
            list.as_ref().is_some_and(|list| !list.iter().any(|word| words.contains(&word.as_str())))
        };
        for (lacks, what) in [
            (lacks(&raw.response_types_supported, &["code"]), "response_types_supported has no \"code\""),
            (lacks(&raw.code_challenge_methods_supported, &["S256"]), "code_challenge_methods_supported has no \"S256\""),
            (
                lacks(&raw.id_token_signing_alg_values_supported, &ALGORITHMS.map(|(word, _)| word)),
                "id_token_signing_alg_values_supported has none of RS256, PS256, ES256, EdDSA",
            ),
            (
                client == Client::Secret && lacks(&raw.token_endpoint_auth_methods_supported, &["client_secret_basic"]),
                "token_endpoint_auth_methods_supported has no \"client_secret_basic\"",
            ),
        ] {
            if lacks {
                return Err(OidcError::Unsupported(what));
            }
        }
        // In the clear only where the whole provider is.
        let scheme = endpoint(issuer).map(|at| at.scheme);
        let at =
            |text: &str, what| endpoint(text).filter(|at| Some(at.scheme) == scheme || at.scheme == Scheme::Https).ok_or(what);
        let wrong = |what| OidcError::Malformed(place, what);
        at(&raw.authorization_endpoint, "authorization_endpoint is no https URL").map_err(wrong)?;
        let names_itself =
            if raw.authorization_response_iss_parameter_supported { NamesItself::Always } else { NamesItself::Perhaps };
        Ok(Self {
            token: at(&raw.token_endpoint, "token_endpoint is no https URL").map_err(wrong)?,
            keys: at(&raw.jwks_uri, "jwks_uri is no https URL").map_err(wrong)?,
            user_info: raw
                .userinfo_endpoint
                .map(|text| at(&text, "userinfo_endpoint is no https URL"))
                .transpose()
                .map_err(wrong)?,
            authorization: raw.authorization_endpoint,
            names_itself,
        })
    }
}

/// Reads a URL of `https`, or of `http` with a loopback address; it may have a query (RFC 6749, section 3.1), and no fragment.
pub(super) fn endpoint(text: &str) -> Option<Endpoint> {
    let (base, query) = text.split_once('?').map_or((text, None), |(base, query)| (base, Some(query)));
    let mut at = Endpoint::parse(base).filter(|at| at.scheme == Scheme::Https || is_loopback(&at.url.host))?;
    if let Some(query) = query {
        let is_plain = query.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?%".contains(&octet));
        is_plain.then(|| at.url.path.extend(["?", query]))?;
    }
    Some(at)
}
