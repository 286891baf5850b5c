//! Sign-ins that have begun and not ended, and what somebody comes back with (RFC 6749, section 4.1.2; RFC 9207).

use super::fault::{OidcError, code};
use crate::base::limits;
use crate::base::time::UnixTime;
use crate::message::crypto::{NoRandomness, random, sha256};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// A sign-in that has begun. It is kept in a [`Pending`] and given to [`Provider::finish`](super::Provider::finish), once.
pub struct Begin {
    pub(super) state: String,
    pub(super) nonce: String,
    pub(super) verifier: String,
    since: UnixTime,
}

/// What is in it is secret.
impl fmt::Debug for Begin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Begin")
    }
}

impl Begin {
    /// One that begins now.
    pub(super) fn new(now: UnixTime) -> Result<Self, OidcError> {
        let word = || random::<32>().map(|octets| URL_SAFE_NO_PAD.encode(octets)).map_err(|NoRandomness| OidcError::NoRandomness);
        Ok(Self { state: word()?, nonce: word()?, verifier: word()?, since: now })
    }

    /// What the person's browser keeps meanwhile, in a cookie, and shows when it comes back: `HttpOnly`, `Secure`, and `SameSite=Lax`, since
    /// with `Strict` it would not be shown to whoever comes from another site.
    pub fn state(&self) -> &str {
        &self.state
    }

    /// What the provider is shown before it is shown the verifier: S256 (RFC 7636, section 4.2).
    pub(super) fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(sha256(self.verifier.as_bytes()).octets())
    }

    fn is_late(&self, now: UnixTime) -> bool {
        now.as_ms().saturating_sub(self.since.as_ms()) > limits::OIDC_PENDING_MS
    }
}

/// Sign-ins that have begun and not ended. Each is taken once, and forgotten after a while; of too many the oldest is forgotten, so whoever
/// begins many has nobody else locked out.
#[derive(Default)]
pub struct Pending(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    by_state: HashMap<String, Begin>,
    in_order: VecDeque<String>,
}

impl Pending {
    /// Keeps a sign-in until somebody comes back.
    pub fn keep(&self, begin: Begin) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Waiting { by_state, in_order } = &mut *waiting;
        let now = begin.since;
        // What was taken is still in the order: it goes when it comes to the front.
        while let Some(oldest) = in_order.front() {
            let is_late = by_state.get(oldest).is_none_or(|begin| begin.is_late(now));
            if !is_late && in_order.len() < limits::OIDC_PENDING_MAX {
                break;
            }
            by_state.remove(oldest);
            in_order.pop_front();
        }
        in_order.push_back(begin.state.clone());
        by_state.insert(begin.state.clone(), begin);
    }

    /// Takes the sign-in that somebody comes back from, with the cookie that was set when it began: without it somebody could be signed in as
    /// somebody else by a link (RFC 6749, section 10.12).
    pub fn take(&self, came: &Return, cookie: Option<&str>, now: UnixTime) -> Result<Begin, OidcError> {
        if cookie != Some(came.state.as_str()) {
            return Err(OidcError::OtherBrowser);
        }
        let taken = self.0.lock().unwrap_or_else(PoisonError::into_inner).by_state.remove(&came.state);
        let begin = taken.ok_or(OidcError::UnknownState)?;
        if begin.is_late(now) { Err(OidcError::Late) } else { Ok(begin) }
    }
}

/// What somebody comes back with.
pub struct Return {
    pub(super) state: String,
    pub(super) issuer: Option<String>,
    pub(super) code: Result<String, String>,
}

/// What is in it is secret.
impl fmt::Debug for Return {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Return")
    }
}

impl Return {
    /// Reads the query of the URL that somebody comes back to. No parameter may be there twice (RFC 6749, section 3.1).
    pub fn parse(query: &str) -> Result<Self, OidcError> {
        if query.len() > limits::OIDC_QUERY_BYTES_MAX {
            return Err(OidcError::Query);
        }
        let [mut state, mut issuer, mut granted, mut error] = [None, None, None, None];
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let place = match name.as_ref() {
                "state" => &mut state,
                "iss" => &mut issuer,
                "code" => &mut granted,
                "error" => &mut error,
                _ => continue,
            };
            if place.replace(value.into_owned()).is_some() {
                return Err(OidcError::Query);
            }
        }
        let code = match (granted, error) {
            (Some(granted), None) if !granted.is_empty() => Ok(granted),
            (None, Some(error)) => Err(code(&error)),
            _ => return Err(OidcError::Query),
        };
        Ok(Self { state: state.ok_or(OidcError::Query)?, issuer, code })
    }
}
