//! Signing in at a provider of OpenID Connect: the side of the relying party.
//!
//! The flow with an authorisation code (OpenID Connect Core 1.0, section 3.1), with PKCE (RFC 7636, S256), state and nonce, and no other. The
//! provider is found by its description (OpenID Connect Discovery 1.0); of a mix-up it is told by `iss` (RFC 9207). No redirect is followed,
//! nothing goes in the clear but to a loopback address, and every document has a limit and a deadline.

mod describe;
mod fault;
mod pending;
mod token;

pub use fault::{OidcError, OpenError, Place};
pub use pending::{Begin, Pending, Return};

use crate::base::limits;
use crate::base::time::UnixTime;
use crate::host::config::{Duty, Oidc, read_bounded};
use crate::host::transport::{Fetch, Fetcher, Received, trust};
use crate::rules::registry::Endpoint;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use describe::{Client, Description, NamesItself, endpoint};
use form_urlencoded::{Serializer, byte_serialize};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use token::{Claims, Expected, Keys};

/// A provider at which people sign in.
pub struct Provider {
    settings: Oidc,
    redirect: String,
    secret: Option<String>,
    fetcher: Fetcher,
    known: Mutex<Known>,
}

/// What is known of it, and since when.
#[derive(Default)]
struct Known {
    description: Option<(UnixTime, Arc<Description>)>,
    keys: Option<(UnixTime, Arc<Keys>)>,
    /// When the keys were asked for last, whatever came of it.
    asked: Option<UnixTime>,
}

/// Somebody who has signed in. [`Provider::finish`] is its only maker.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedIn {
    issuer: String,
    subject: String,
    name: Option<String>,
    email: Option<String>,
    groups: Vec<String>,
    roles: BTreeSet<Duty>,
    auth_time: Option<UnixTime>,
}

/// It is somebody's.
impl fmt::Debug for SignedIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignedIn with {:?}", self.roles)
    }
}

impl SignedIn {
    /// Who says so.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Who it is: with the issuer the only name of a person that never becomes another's (OpenID Connect Core 1.0, section 5.7).
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The name, for showing.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The address of mail, for showing; none that the provider says is not verified.
    pub fn email(&self) -> Option<&str> {
        self.email.as_deref()
    }

    /// The groups that the configured claim names.
    pub fn groups(&self) -> &[String] {
        &self.groups
    }

    /// The roles that these groups have; whoever has none is known, and may do nothing.
    pub fn roles(&self) -> &BTreeSet<Duty> {
        &self.roles
    }

    /// When the person signed in at the provider, if it says so.
    pub fn auth_time(&self) -> Option<UnixTime> {
        self.auth_time
    }
}

#[derive(Deserialize)]
struct Tokens {
    id_token: String,
    access_token: Option<String>,
    token_type: Option<String>,
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
}

impl Provider {
    /// One with these settings, which sends people back to this URL; it is compared octet for octet with what the provider has. Nothing is
    /// asked of the provider yet: it may be down when the gateway starts.
    pub fn open(settings: Oidc, redirect: &str) -> Result<Self, OpenError> {
        endpoint(redirect).ok_or_else(|| OpenError::Redirect(redirect.to_owned()))?;
        let secret = settings.client_secret_file.as_deref().map(secret).transpose()?;
        let fetcher = Fetcher::new(trust(&settings.authorities).map_err(OpenError::Authorities)?);
        Ok(Self { settings, redirect: redirect.to_owned(), secret, fetcher, known: Mutex::default() })
    }

    /// What is set for it.
    pub fn settings(&self) -> &Oidc {
        &self.settings
    }

    /// Begins a sign-in: where the browser is sent, and what is kept until it comes back.
    pub async fn begin(&self, now: UnixTime) -> Result<(String, Begin), OidcError> {
        let description = self.description(now).await?;
        let begin = Begin::new(now)?;
        let query = Serializer::new(String::new())
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("redirect_uri", &self.redirect)
            .append_pair("scope", &self.settings.scopes)
            .append_pair("state", &begin.state)
            .append_pair("nonce", &begin.nonce)
            .append_pair("code_challenge", &begin.challenge())
            .append_pair("code_challenge_method", "S256")
            .finish();
        let joint = if description.authorization.contains('?') { '&' } else { '?' };
        Ok((format!("{}{joint}{query}", description.authorization), begin))
    }

    /// Ends a sign-in: gives the code for tokens, verifies them, and says who it is.
    pub async fn finish(&self, came: &Return, begin: Begin, now: UnixTime) -> Result<SignedIn, OidcError> {
        let description = self.description(now).await?;
        // Before anything that was sent is believed, an error too (RFC 9207, section 2.4).
        let is_sender = match &came.issuer {
            Some(issuer) => *issuer == self.settings.issuer,
            None => description.names_itself == NamesItself::Perhaps,
        };
        if !is_sender || came.state != begin.state {
            return Err(OidcError::OtherSender);
        }
        let code = came.code.as_ref().map_err(|error| OidcError::Denied(error.clone()))?;
        let tokens = self.tokens(&description, code, &begin).await?;
        let mut claims = self.claims(&description, &tokens, &begin, now).await?;
        let lacks = |name: &str| !claims.others.contains_key(name);
        if let (true, Some(at), Some(access_token)) =
            (lacks(&self.settings.roles_claim) || lacks("name"), &description.user_info, &tokens.access_token)
        {
            for (name, value) in self.user_info(at, access_token, &claims.sub).await? {
                // What is signed counts more.
                claims.others.entry(name).or_insert(value);
            }
        }
        Ok(self.signed_in(&claims))
    }

    /// Gives a code for tokens (OpenID Connect Core 1.0, section 3.1.3.1).
    async fn tokens(&self, description: &Description, code: &str, begin: &Begin) -> Result<Tokens, OidcError> {
        let place = Place::Token;
        let (form, headers) = self.token_request(code, begin);
        let body = Some(("application/x-www-form-urlencoded", form.into_bytes()));
        let received = self.fetch(place, &description.token, body, headers).await?;
        let status = received.status.as_u16();
        if matches!(status, 400 | 401) {
            let refusal: Refusal = serde_json::from_slice(&received.body).map_err(|_| OidcError::Status(place, status))?;
            return Err(OidcError::Refused(fault::code(&refusal.error)));
        }
        let tokens: Tokens =
            serde_json::from_slice(&json(place, received)?).map_err(|_| OidcError::Malformed(place, "there is no id_token"))?;
        let is_bearer = tokens.token_type.as_ref().is_none_or(|word| word.eq_ignore_ascii_case("bearer"));
        if is_bearer { Ok(tokens) } else { Err(OidcError::Malformed(place, "token_type is not Bearer")) }
    }

    /// Body and header fields of the request for tokens.
    fn token_request(&self, code: &str, begin: &Begin) -> (String, Vec<(&'static str, String)>) {
        let mut form = Serializer::new(String::new());
        form.append_pair("grant_type", "authorization_code")
            .append_pair("code", code)
            .append_pair("redirect_uri", &self.redirect)
            .append_pair("code_verifier", &begin.verifier);
        let Some(secret) = &self.secret else {
            return (form.append_pair("client_id", &self.settings.client_id).finish(), Vec::new());
        };
        // Both are encoded before they are joined (RFC 6749, section 2.3.1).
        let [name, secret] = [&self.settings.client_id, secret].map(|text| byte_serialize(text.as_bytes()).collect::<String>());
        (form.finish(), vec![("authorization", format!("Basic {}", STANDARD.encode(format!("{name}:{secret}"))))])
    }

    /// Verifies the ID token; if its key is unknown, with the keys read again.
    async fn claims(
        &self,
        description: &Description,
        tokens: &Tokens,
        begin: &Begin,
        now: UnixTime,
    ) -> Result<Claims, OidcError> {
        let expected = Expected {
            issuer: &self.settings.issuer,
            client_id: &self.settings.client_id,
            nonce: &begin.nonce,
            access_token: tokens.access_token.as_deref(),
            now,
        };
        let kept = self.known().keys.clone().filter(|(since, _)| is_fresh(*since, limits::OIDC_KEPT_MS, now));
        let keys = match kept {
            Some((_, keys)) => keys,
            None => self.read_keys(description, now).await?,
        };
        match Claims::verify(&tokens.id_token, &keys, &expected) {
            Err(OidcError::UnknownKey) if self.may_ask_again(now) => {
                Claims::verify(&tokens.id_token, &*self.read_keys(description, now).await?, &expected)
            }
            verified => verified,
        }
    }

    /// What the provider says of a person, who has to be this one (OpenID Connect Core 1.0, section 5.3).
    async fn user_info(&self, at: &Endpoint, access_token: &str, subject: &str) -> Result<Map<String, Value>, OidcError> {
        let place = Place::UserInfo;
        let headers = vec![("authorization", format!("Bearer {access_token}"))];
        let octets = json(place, self.fetch(place, at, None, headers).await?)?;
        let said: Map<String, Value> =
            serde_json::from_slice(&octets).map_err(|_| OidcError::Malformed(place, "it is no object of claims"))?;
        if said.get("sub").and_then(Value::as_str) == Some(subject) { Ok(said) } else { Err(OidcError::Subject) }
    }

    fn signed_in(&self, claims: &Claims) -> SignedIn {
        let text = |name: &str| claims.others.get(name).and_then(Value::as_str).map(str::to_owned);
        let groups: Vec<String> = match claims.others.get(&self.settings.roles_claim) {
            Some(Value::String(one)) => vec![one.clone()],
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => Vec::new(),
        };
        let roles = groups.iter().filter_map(|group| self.settings.roles.get(group)).flatten().copied().collect();
        let is_refuted = claims.others.get("email_verified") == Some(&Value::Bool(false));
        SignedIn {
            issuer: self.settings.issuer.clone(),
            subject: claims.sub.clone(),
            name: text("name"),
            email: text("email").filter(|_| !is_refuted),
            groups,
            roles,
            auth_time: claims.auth_time(),
        }
    }

    async fn description(&self, now: UnixTime) -> Result<Arc<Description>, OidcError> {
        let kept = self.known().description.clone();
        if let Some((_, description)) = kept.filter(|(since, _)| is_fresh(*since, limits::OIDC_KEPT_MS, now)) {
            return Ok(description);
        }
        let place = Place::Description;
        let issuer = &self.settings.issuer;
        let at = Description::of(issuer).ok_or(OidcError::Malformed(place, "the issuer is no URL"))?;
        let octets = json(place, self.fetch(place, &at, None, Vec::new()).await?)?;
        let client = if self.secret.is_some() { Client::Secret } else { Client::Public };
        let description = Arc::new(Description::read(&octets, issuer, client)?);
        self.known().description = Some((now, Arc::clone(&description)));
        Ok(description)
    }

    async fn read_keys(&self, description: &Description, now: UnixTime) -> Result<Arc<Keys>, OidcError> {
        self.known().asked = Some(now);
        let octets = json(Place::Keys, self.fetch(Place::Keys, &description.keys, None, Vec::new()).await?)?;
        let keys = Arc::new(Keys::read(&octets)?);
        self.known().keys = Some((now, Arc::clone(&keys)));
        Ok(keys)
    }

    /// Whether the keys may be asked for again already; whoever hears so does ask, and of several at once one hears it.
    fn may_ask_again(&self, now: UnixTime) -> bool {
        let mut known = self.known();
        let may = known.asked.is_none_or(|since| !is_fresh(since, limits::OIDC_KEYS_AGAIN_MS, now));
        known.asked = if may { Some(now) } else { known.asked };
        may
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn fetch(
        &self,
        place: Place,
        at: &Endpoint,
        body: Option<(&'static str, Vec<u8>)>,
        mut headers: Vec<(&'static str, String)>,
    ) -> Result<Received, OidcError> {
        headers.push(("accept", "application/json".to_owned()));
        let deadline = Duration::from_millis(limits::OIDC_MS);
        let fetch = Fetch { body, headers, answer_bytes_max: limits::OIDC_DOCUMENT_BYTES_MAX, deadline };
        let received = self.fetcher.fetch(at, fetch).await.map_err(|cause| OidcError::Unheard(place, cause))?;
        if received.status.is_redirection() { Err(OidcError::Redirected(place)) } else { Ok(received) }
    }
}

/// Octets that came with `200` and are said to be JSON.
fn json(place: Place, received: Received) -> Result<Vec<u8>, OidcError> {
    if received.status.as_u16() != 200 {
        return Err(OidcError::Status(place, received.status.as_u16()));
    }
    let media_type = received.headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or("");
    let media_type = media_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    let is_json = media_type == "application/json" || (media_type.starts_with("application/") && media_type.ends_with("+json"));
    if is_json { Ok(received.body) } else { Err(OidcError::NotJson(place)) }
}

/// Whether what is known since then is not older than this. A clock that was set back makes nothing younger.
fn is_fresh(since: UnixTime, age_ms_max: u64, now: UnixTime) -> bool {
    now >= since && now.as_ms() - since.as_ms() < age_ms_max
}

/// The secret of a client, in a file of one line.
fn secret(file: &Path) -> Result<String, OpenError> {
    let text = read_bounded(file).map_err(OpenError::Secret)?;
    // The line's end is the editor's.
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() || line.contains(char::is_control) {
        return Err(OpenError::NoSecret(file.to_owned()));
    }
    Ok(line.to_owned())
}

#[cfg(test)]
mod tests;
