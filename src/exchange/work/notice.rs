//! A message on its way to whoever it waits for, other than a question to its holder or an answer to whoever waits for it.

use crate::evidence::tlog::Logged;

/// It can be made only of something whose record is durable.
pub struct Notice(Vec<u8>);

impl Notice {
    /// The message may go out, since its record is durable.
    pub fn new(octets: Vec<u8>, _recorded: &Logged) -> Self {
        Self(octets)
    }

    /// The octets that were verified.
    pub fn octets(&self) -> &[u8] {
        &self.0
    }

    /// What is sent: the octets that were verified.
    pub fn into_octets(self) -> Vec<u8> {
        self.0
    }
}
