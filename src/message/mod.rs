//! What octets say, and whether it is true: reading, signatures, schemas, the envelope.

pub mod crypto;
pub mod envelope;
pub mod pki;
pub mod schema;
pub mod sig;
pub mod xml;
pub mod xsd;
