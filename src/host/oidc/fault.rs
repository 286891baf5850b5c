//! Why a sign-in fails, and why nobody can sign in at all: a word and a sentence for each.

use crate::host::config::ConfigError;
use crate::host::transport::{TlsError, UpstreamError};
use std::fmt;
use std::path::PathBuf;

/// Where at the provider something was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Its description (OpenID Connect Discovery 1.0, section 4).
    Description,
    /// Its keys (RFC 7517).
    Keys,
    /// Where codes become tokens (RFC 6749, section 3.2).
    Token,
    /// What it says of a person (OpenID Connect Core 1.0, section 5.3).
    UserInfo,
}

impl Place {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Description => "its description (/.well-known/openid-configuration)",
            Self::Keys => "its keys (jwks_uri)",
            Self::Token => "its token endpoint",
            Self::UserInfo => "its UserInfo endpoint",
        }
    }
}

/// Why nobody can sign in, for the operator.
#[derive(Debug)]
pub enum OpenError {
    /// The authorities of the provider cannot be read.
    Authorities(TlsError),
    /// The secret cannot be read.
    Secret(ConfigError),
    /// There is none in its file.
    NoSecret(PathBuf),
    /// Nobody can be sent back to this URL.
    Redirect(String),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Authorities(cause) => write!(f, "{cause}"),
            Self::Secret(cause) => write!(f, "{cause}"),
            Self::NoSecret(path) => write!(f, "{}: it has no client secret: one line, of visible characters", path.display()),
            Self::Redirect(text) => {
                write!(f, "{text} is nowhere to send somebody back to; it is an https URL, or http with a loopback address")
            }
        }
    }
}

impl std::error::Error for OpenError {}

/// Why a sign-in fails, for the operator. Nothing of a token, a code or a secret is in it.
#[derive(Debug)]
pub enum OidcError {
    /// There is no randomness to be had.
    NoRandomness,
    /// The provider was not heard.
    Unheard(Place, UpstreamError),
    /// It wants us to go elsewhere.
    Redirected(Place),
    /// It answered with a status that says nothing.
    Status(Place, u16),
    /// What it answered is no JSON.
    NotJson(Place),
    /// What it answered lacks something, or has it in another form.
    Malformed(Place, &'static str),
    /// It calls itself something else.
    OtherIssuer(String),
    /// It says that it cannot do what this needs.
    Unsupported(&'static str),
    /// Nobody comes back in this manner.
    Query,
    /// Nobody waits with this state: never begun, ended, or begun so long ago that it was forgotten.
    UnknownState,
    /// It took too long.
    Late,
    /// It was begun in another browser.
    OtherBrowser,
    /// Whoever sent the person back is not the provider.
    OtherSender,
    /// The provider did not let the person in.
    Denied(String),
    /// The provider gives no tokens for the code.
    Refused(String),
    /// The token is not signed in a manner that is believed.
    NotSigned,
    /// It is signed with a key that the provider does not have.
    UnknownKey,
    /// Its signature is not that of the key.
    Signature,
    /// It is no ID token.
    TokenForm,
    /// It is another provider's.
    Issuer,
    /// It is for somebody else.
    Audience,
    /// It was given to somebody else.
    AuthorizedParty,
    /// It is no longer valid.
    Expired,
    /// It is not yet valid.
    Early,
    /// It belongs to another sign-in.
    Nonce,
    /// It belongs to another access token.
    AccessToken,
    /// UserInfo is about somebody else.
    Subject,
}

impl OidcError {
    /// A word for it that stays the same.
    pub const fn word(&self) -> &'static str {
        self.row().0
    }

    /// Word and sentence.
    const fn row(&self) -> (&'static str, &'static str) {
        match self {
            Self::NoRandomness => ("no-randomness", "the system gives no random octets"),
            Self::Unheard(..) => ("unreachable", "the provider did not answer"),
            Self::Redirected(_) => ("redirected", "the provider redirects, which is not followed"),
            Self::Status(..) => ("status", "the provider answered with an error"),
            Self::NotJson(_) => ("not-json", "the provider did not answer with JSON"),
            Self::Malformed(..) => ("malformed", "the provider's answer is not as OpenID Connect has it"),
            Self::OtherIssuer(_) => ("issuer-differs", "the provider's description names another issuer than the configuration"),
            Self::Unsupported(_) => ("unsupported", "the provider says that it cannot do what signing in here needs"),
            Self::Query => ("bad-return", "the address with which somebody came back is not one that a provider makes"),
            Self::UnknownState => ("unknown-state", "nobody has begun this sign-in, or it has ended already"),
            Self::Late => ("late", "the sign-in took longer than ten minutes"),
            Self::OtherBrowser => ("other-browser", "the sign-in was begun in another browser"),
            Self::OtherSender => ("other-sender", "somebody was sent back by another than the configured provider"),
            Self::Denied(_) => ("denied", "the provider did not sign the person in"),
            Self::Refused(_) => ("refused", "the provider gives no token for its code"),
            Self::NotSigned => ("not-signed", "the ID token is not signed with RS256, PS256, ES256 or EdDSA"),
            Self::UnknownKey => ("unknown-key", "the ID token is signed with a key that is not among the provider's"),
            Self::Signature => ("bad-signature", "the signature of the ID token is wrong"),
            Self::TokenForm => ("bad-token", "the ID token is not as OpenID Connect has it"),
            Self::Issuer => ("token-issuer", "the ID token is of another issuer"),
            Self::Audience => ("token-audience", "the ID token is for another client"),
            Self::AuthorizedParty => ("token-party", "the ID token is for several clients and was not given to this one"),
            Self::Expired => ("token-expired", "the ID token has expired; compare the clocks"),
            Self::Early => ("token-early", "the ID token is from the future; compare the clocks"),
            Self::Nonce => ("token-nonce", "the ID token belongs to another sign-in"),
            Self::AccessToken => ("token-hash", "the ID token belongs to another access token"),
            Self::Subject => ("other-subject", "UserInfo is about another person than the ID token"),
        }
    }
}

impl fmt::Display for OidcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.row().1)?;
        match self {
            Self::Unheard(place, cause) => write!(f, ": {}: {cause}", place.as_str()),
            Self::Redirected(place) | Self::NotJson(place) => write!(f, ": {}", place.as_str()),
            Self::Status(place, status) => write!(f, ": {}: status {status}", place.as_str()),
            Self::Malformed(place, what) => write!(f, ": {}: {what}", place.as_str()),
            Self::OtherIssuer(found) => write!(f, ": {found:?}"),
            Self::Unsupported(what) => write!(f, ": {what}"),
            Self::Denied(code) | Self::Refused(code) => write!(f, ": {code}"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for OidcError {}

/// A code of an error as OAuth has it (RFC 6749, sections 4.1.2.1 and 5.2), or that it is none: it comes from outside.
pub(super) fn code(text: &str) -> String {
    let is_code =
        (1..=64).contains(&text.len()) && text.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"_-.".contains(&octet));
    if is_code { text.to_owned() } else { "an error that is no code".to_owned() }
}
