//! What is on its way to whoever it waits for, other than a question to its holder or an answer to whoever waits for it.

use crate::evidence::tlog::Logged;

/// It can be made only of something whose record is durable.
pub struct Notice {
    octets: Vec<u8>,
    form: Form,
}

/// What a notice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A message, as it was signed.
    Message,
    /// The gateway's own word: a problem (RFC 9457).
    Problem,
}

impl Form {
    /// Its media type.
    pub const fn media(self) -> &'static str {
        match self {
            Self::Message => "application/xml",
            Self::Problem => "application/problem+xml",
        }
    }
}

impl Notice {
    /// The message may go out, since its record is durable.
    pub fn new(octets: Vec<u8>, _recorded: &Logged) -> Self {
        Self { octets, form: Form::Message }
    }

    /// A word of the gateway about what has a record.
    pub fn word(problem: String, _recorded: &Logged) -> Self {
        Self { octets: problem.into_bytes(), form: Form::Problem }
    }

    /// What it is.
    pub fn form(&self) -> Form {
        self.form
    }

    /// The octets that were verified, or a word of the gateway.
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// What is sent.
    pub fn into_octets(self) -> Vec<u8> {
        self.octets
    }
}
