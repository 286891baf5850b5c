//! What octets say, and whether it is true: reading, signatures, schemas, the envelope, what travels beside it.

pub mod crypto;
pub mod envelope;
pub mod parts;
pub mod pki;
pub mod schema;
pub mod sig;
pub mod xml;
pub mod xsd;
