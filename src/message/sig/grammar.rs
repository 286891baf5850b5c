//! The only thing that may stand inside `ds:Signature`.
//!
//! The grammar is a table of steps, each an element at its place; whatever is not the next step is refused. `SignedInfo`
//! is canonicalised as it passes, with an output context of its own.

use super::DSIG;
use crate::base::fault::{Code, Fault};
use crate::base::ids::Digest;
use crate::base::limits;
use crate::message::crypto::Algorithm;
use crate::message::pki;
use crate::message::xml::{Canonical, Event, Start};
use std::borrow::Cow;

const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
const SHA256: &str = "http://www.w3.org/2001/04/xmlenc#sha256";

/// What the signature said, decoded.
pub(super) struct Parts {
    pub(super) digest: Digest,
    pub(super) signed_info: Vec<u8>,
    pub(super) signature: Vec<u8>,
    pub(super) algorithm: Algorithm,
    pub(super) certificate: Option<Vec<u8>>,
}

/// One element of the grammar: its depth below `Signature`, its name, its only attribute, and whether it holds text.
struct Step {
    depth: usize,
    name: &'static str,
    attribute: Option<(&'static str, Option<&'static str>)>,
    text: Option<Text>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Text {
    Digest,
    Signature,
    Certificate,
}

const fn step(
    depth: usize,
    name: &'static str,
    attribute: Option<(&'static str, Option<&'static str>)>,
    text: Option<Text>,
) -> Step {
    Step { depth, name, attribute, text }
}

/// The grammar in document order; the last three steps are `KeyInfo`, which may be missing as a whole.
const STEPS: [Step; 13] = [
    step(1, "SignedInfo", None, None),
    step(2, "CanonicalizationMethod", Some(("Algorithm", Some(EXCLUSIVE))), None),
    step(2, "SignatureMethod", Some(("Algorithm", None)), None),
    step(2, "Reference", Some(("URI", Some(""))), None),
    step(3, "Transforms", None, None),
    step(4, "Transform", Some(("Algorithm", Some(ENVELOPED))), None),
    step(4, "Transform", Some(("Algorithm", Some(EXCLUSIVE))), None),
    step(3, "DigestMethod", Some(("Algorithm", Some(SHA256))), None),
    step(3, "DigestValue", None, Some(Text::Digest)),
    step(1, "SignatureValue", None, Some(Text::Signature)),
    step(1, "KeyInfo", None, None),
    step(2, "X509Data", None, None),
    step(3, "X509Certificate", None, Some(Text::Certificate)),
];
const KEY_INFO: usize = 10;

pub(super) struct Grammar<'a> {
    canonical: Option<Canonical<'a, Vec<u8>>>,
    signed_info: Vec<u8>,
    next: usize,
    depth: usize,
    collecting: Option<Text>,
    text: String,
    algorithm: Option<Algorithm>,
    digest: Option<Digest>,
    signature: Option<Vec<u8>>,
    certificate: Option<Vec<u8>>,
    is_done: bool,
    octets: &'a [u8],
}

impl<'a> Grammar<'a> {
    /// Begins at the start tag of `ds:Signature`.
    pub(super) fn new(octets: &'a [u8], start: &Start<'a>) -> Result<Self, Fault> {
        if start.attributes().len() > 0 {
            return Err(broken("an attribute on ds:Signature", start.at()));
        }
        Ok(Self {
            canonical: None,
            signed_info: Vec::new(),
            next: 0,
            depth: 0,
            collecting: None,
            text: String::with_capacity(1024),
            algorithm: None,
            digest: None,
            signature: None,
            certificate: None,
            is_done: false,
            octets,
        })
    }

    /// Whether the end tag of `ds:Signature` has passed.
    pub(super) fn is_done(&self) -> bool {
        self.is_done
    }

    /// Takes the next event inside `ds:Signature`.
    pub(super) fn event(&mut self, event: &Event<'_, 'a>) -> Result<(), Fault> {
        match event {
            Event::Start(start) => self.start(start)?,
            Event::Text { text, at, .. } => self.text(text, *at)?,
            Event::End { .. } | Event::Done => {}
        }
        if let Some(canonical) = &mut self.canonical {
            canonical.event(event).map_err(|violation| Fault::at(violation.code, violation.to_string()))?;
        }
        if let Event::End { at, .. } = event {
            self.end(*at)?;
        }
        Ok(())
    }

    fn start(&mut self, start: &Start<'a>) -> Result<(), Fault> {
        let at = start.at();
        self.depth = self.depth.saturating_add(1);
        let unexpected = || broken("an element that the profile does not have here", at);
        let step = STEPS.get(self.next).ok_or_else(unexpected)?;
        if self.collecting.is_some() || self.depth != step.depth || !start.is(DSIG, step.name) {
            return Err(unexpected());
        }
        let mut attributes = start.attributes();
        match (step.attribute, attributes.next(), attributes.next()) {
            (None, None, None) => {}
            (Some((name, value)), Some(given), None) if given.uri.is_empty() && given.local == name => match value {
                Some(value) if value == given.value => {}
                Some(_) => return Err(broken("an algorithm or reference that the profile does not allow", at)),
                None => {
                    self.algorithm =
                        Some(Algorithm::from_uri(given.value).ok_or_else(|| broken("an unknown signature algorithm", at))?)
                }
            },
            _ => return Err(broken("an attribute missing or superfluous", at)),
        }
        self.next = self.next.saturating_add(1);
        self.collecting = step.text;
        if step.name == "SignedInfo" {
            self.canonical = Some(Canonical::new(self.octets, Vec::with_capacity(1024)));
        }
        Ok(())
    }

    fn text(&mut self, text: &str, at: usize) -> Result<(), Fault> {
        if self.collecting.is_none() {
            let blank = text.bytes().all(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
            return if blank { Ok(()) } else { Err(broken("text between the elements", at)) };
        }
        if self.text.len().saturating_add(text.len()) > limits::CERTIFICATE_BYTES_MAX.saturating_mul(2) {
            return Err(broken("a value too long", at));
        }
        self.text.push_str(text);
        Ok(())
    }

    fn end(&mut self, at: usize) -> Result<(), Fault> {
        if let Some(kind) = self.collecting.take() {
            let octets = pki::decode(&self.text).ok_or_else(|| broken("a value that is not base64", at))?;
            self.text.clear();
            match kind {
                Text::Digest => {
                    let octets = <[u8; 32]>::try_from(octets.as_slice())
                        .map_err(|_| broken("a digest that does not have 32 octets", at))?;
                    self.digest = Some(Digest::from_octets(octets));
                }
                Text::Signature => self.signature = Some(octets),
                Text::Certificate if octets.len() > limits::CERTIFICATE_BYTES_MAX => {
                    return Err(broken("a certificate too long", at));
                }
                Text::Certificate => self.certificate = Some(octets),
            }
        }
        let inside = match self.depth {
            0 => {
                self.is_done = true;
                return self.check_complete(at);
            }
            depth => depth,
        };
        self.depth = inside.saturating_sub(1);
        // An element may end only when the next step is not inside it.
        if STEPS.get(self.next).is_some_and(|next| next.depth > inside) {
            return Err(broken("an element that lacks a child", at));
        }
        if inside == 1 && self.canonical.is_some() {
            self.signed_info = self.canonical.take().map(Canonical::finish).unwrap_or_default();
        }
        Ok(())
    }

    fn check_complete(&self, at: usize) -> Result<(), Fault> {
        let complete = self.next == KEY_INFO || self.next == STEPS.len();
        if complete { Ok(()) } else { Err(broken("a signature that lacks an element", at)) }
    }

    /// What the signature said, once the document is over.
    pub(super) fn finish(self) -> Result<Parts, Fault> {
        let missing = || Fault::at(Code::SigProfile, Cow::Borrowed("a signature that lacks an element"));
        let (algorithm, signature) = (self.algorithm.ok_or_else(missing)?, self.signature.ok_or_else(missing)?);
        if !algorithm.fits(signature.len()) {
            return Err(Fault::at(Code::SigProfile, "a signature value whose length is wrong for its algorithm"));
        }
        let digest = self.digest.ok_or_else(missing)?;
        Ok(Parts { digest, signed_info: self.signed_info, signature, algorithm, certificate: self.certificate })
    }
}

fn broken(what: &'static str, at: usize) -> Fault {
    Fault::at(Code::SigProfile, format!("{what}, at byte {at}"))
}
