//! A request as pages see it, and the response as browsers get it.

use super::words::Language;
use crate::base::fault::{Code, Fault};
use crate::base::ids::Digest;
use crate::evidence::audit::Pairs;
use crate::host::transport::{Body, Bytes, Inbound, full, read_body};
use hyper::header::{
    ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, HOST, HeaderName,
    HeaderValue, LOCATION, ORIGIN, REFERRER_POLICY, SET_COOKIE, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use std::time::Duration;

/// Whether a connection is under TLS: cookies are for it alone then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wire {
    Tls,
    Plain,
}

/// A request, read.
pub(super) struct Asked {
    pub method: Method,
    /// The path, split at the solidus, without percent-encoding.
    pub path: Vec<String>,
    /// What stands behind the question mark.
    pub query: Pairs,
    /// The fields of a form that was sent.
    pub form: Pairs,
    pub headers: HeaderMap,
    /// For whom it is: the host, with its port.
    pub host: String,
    /// SHA-256 of the client certificate, if one came.
    pub certificate: Option<Digest>,
    pub wire: Wire,
}

impl Asked {
    pub async fn read(request: Request<Inbound>, certificate: Option<Digest>, wire: Wire) -> Result<Self, Fault> {
        let (head, body) = request.into_parts();
        let path = head.uri.path().strip_prefix('/').unwrap_or(head.uri.path());
        let decode = |part: &str| {
            crate::faces::api::unescaped(part)
                .filter(|part| !part.contains(['/', '\0']))
                .ok_or_else(|| Fault::new(Code::HttpNoSuchPath))
        };
        let path = path.split('/').map(decode).collect::<Result<Vec<_>, _>>()?;
        // Of two hosts nobody knows which is meant (RFC 9112, section 3.2).
        if head.headers.get_all(HOST).iter().nth(1).is_some() {
            return Err(Fault::at(Code::HttpMalformed, "Host is there more than once"));
        }
        // What stands in the address counts more than the field (section 3.2.2); HTTP/2 has it there alone.
        let host = head.uri.authority().map(|authority| authority.as_str());
        let host = host.or_else(|| head.headers.get(HOST).and_then(|host| host.to_str().ok())).unwrap_or_default().to_owned();
        let query = Pairs::parse(head.uri.query().unwrap_or(""))?;
        let form = match head.method == Method::POST {
            false => Pairs::default(),
            true => {
                let is_form = head.headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(FORM.as_bytes()));
                if !is_form {
                    return Err(Fault::at(Code::HttpMediaType, format!("a form is sent as {FORM}")));
                }
                let octets = read_body(head.version, &head.headers, body, FORM_BYTES_MAX, FORM_TIME).await?;
                Pairs::parse(&String::from_utf8(octets).map_err(|_| Fault::new(Code::HttpMalformed))?)?
            }
        };
        Ok(Self { method: head.method, path, query, form, headers: head.headers, host, certificate, wire })
    }

    /// The value of a cookie (RFC 6265).
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let cookies =
            self.headers.get_all(COOKIE).iter().filter_map(|field| field.to_str().ok()).flat_map(|field| field.split(';'));
        let mut found =
            cookies.filter_map(|pair| pair.trim().split_once('=')).filter(|(known, _)| *known == name).map(|(_, value)| value);
        let value = found.next();
        // Of two with one name nobody knows which is ours.
        if found.next().is_some() { None } else { value }
    }

    /// The name of the cookie that signs somebody in: under TLS browsers see to it that nobody else has set it.
    pub const fn session_cookie(wire: Wire) -> &'static str {
        match wire {
            Wire::Tls => "__Host-oncegate",
            Wire::Plain => "oncegate",
        }
    }

    /// The name of the cookie of a browser that has begun to sign in at the provider.
    pub const fn state_cookie(wire: Wire) -> &'static str {
        match wire {
            Wire::Tls => "__Host-oncegate-begun",
            Wire::Plain => "oncegate-begun",
        }
    }

    /// The language that was chosen, or else the best that the browser accepts.
    pub fn language(&self) -> Language {
        let chosen = self.query.iter().find(|(key, _)| *key == "language").and_then(|(_, tag)| Language::parse(tag));
        let accepted =
            || self.headers.get(ACCEPT_LANGUAGE).and_then(|field| field.to_str().ok()).map_or(Language::En, Language::accepted);
        chosen.or_else(|| self.cookie("language").and_then(Language::parse)).unwrap_or_else(accepted)
    }

    /// Whether a form came from one of our own pages, as browsers tell it (Fetch Metadata; RFC 6454, section 7).
    pub fn is_from_here(&self) -> bool {
        let text = |name: &HeaderName| self.headers.get(name).map(|field| field.to_str().unwrap_or("?"));
        let site = text(&HeaderName::from_static("sec-fetch-site"));
        let is_own = |origin: &str| origin.split_once("://").is_some_and(|(_, host)| host == self.host);
        site.is_none_or(|site| site == "same-origin") && text(&ORIGIN).is_none_or(is_own)
    }
}

const FORM: &str = "application/x-www-form-urlencoded";
/// Octets of a form.
const FORM_BYTES_MAX: usize = 64 << 10;
/// For how long a form is waited for.
const FORM_TIME: Duration = Duration::from_secs(10);

/// What is answered.
pub(super) struct Answer(Response<Body>);

impl Answer {
    pub fn html(status: StatusCode, html: String) -> Self {
        Self::of(status, "text/html; charset=utf-8", html)
    }

    pub fn of(status: StatusCode, media_type: &'static str, body: impl Into<Bytes>) -> Self {
        let mut response = Response::new(full(body));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        Self(response)
    }

    pub fn stream(body: Body, media_type: &'static str) -> Self {
        let mut response = Response::new(body);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        Self(response)
    }

    /// A file to keep, under a name of ours.
    pub fn file(media_type: &'static str, name: &str, body: impl Into<Bytes>) -> Self {
        Self::of(StatusCode::OK, media_type, body).with(CONTENT_DISPOSITION, &format!("attachment; filename=\"{name}\""))
    }

    /// What never changes under its address.
    pub fn asset(media_type: &'static str, body: &'static str) -> Self {
        Self::of(StatusCode::OK, media_type, body).with(CACHE_CONTROL, "public, max-age=31536000, immutable")
    }

    /// Go there, and get it (RFC 9110, section 15.4.4). It is an address of ours, always.
    pub fn see(address: &str) -> Self {
        Self::of(StatusCode::SEE_OTHER, "text/plain; charset=utf-8", "").with(LOCATION, address)
    }

    /// Go to the provider at which people sign in: the one address that is not ours, made of what the configuration says.
    pub fn leave(address: &str) -> Self {
        Self::see(address)
    }

    pub fn with(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.0.headers_mut().append(name, value);
        }
        self
    }

    /// Gives the browser a cookie, or takes it back if it has no value.
    pub fn with_cookie(self, name: &str, value: &str, wire: Wire, reach: Reach) -> Self {
        let secure = if wire == Wire::Tls { "; Secure" } else { "" };
        let reach = match reach {
            Reach::Session => "; HttpOnly; SameSite=Lax",
            Reach::Minutes => "; HttpOnly; SameSite=Lax; Max-Age=600",
            Reach::Year => "; HttpOnly; SameSite=Lax; Max-Age=31536000",
            Reach::Gone => "; HttpOnly; SameSite=Lax; Max-Age=0",
        };
        self.with(SET_COOKIE, &format!("{name}={value}; Path=/{reach}{secure}"))
    }

    /// The response, with what every one of ours says to browsers.
    pub fn response(self, wire: Wire) -> Response<Body> {
        let mut response = self.0;
        let headers = response.headers_mut();
        let mut put = |name: HeaderName, value: &'static str| headers.insert(name, HeaderValue::from_static(value));
        put(CONTENT_SECURITY_POLICY, POLICY);
        put(X_CONTENT_TYPE_OPTIONS, "nosniff");
        put(X_FRAME_OPTIONS, "DENY");
        put(REFERRER_POLICY, "same-origin");
        put(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
        put(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
        put(HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=(), payment=()");
        if wire == Wire::Tls {
            put(STRICT_TRANSPORT_SECURITY, "max-age=31536000");
        }
        if !headers.contains_key(CACHE_CONTROL) {
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        response
    }
}

/// How long a cookie stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// With the browser's session.
    Session,
    /// As long as somebody may be at the provider.
    Minutes,
    /// A year.
    Year,
    /// It goes.
    Gone,
}

/// Nothing comes from elsewhere, nothing is sent elsewhere, nobody frames us (Content Security Policy Level 3).
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; \
                      frame-ancestors 'none'; base-uri 'none'";
