//! A document that comes in pieces beside its message: read and validated as they come, by the rules of one in a message.

use super::{Facts, Schemas, Validator};
use crate::base::fault::{Code as FaultCode, Fault};
use crate::base::ids::Code;
use crate::message::xml::{ScanError, Stream};

/// A document of which more is to come.
pub struct Streamed<'s> {
    stream: Stream,
    validator: Validator<'s>,
    document_type: &'s Code,
}

impl<'s> Streamed<'s> {
    /// A document that is said to be of this type.
    pub fn new(schemas: &'s Schemas, document_type: &'s Code) -> Self {
        let mut validator = Validator::new(schemas);
        validator.expect(Some(document_type));
        Self { stream: Stream::default(), validator, document_type }
    }

    /// Takes the next octets. What is wrong is told as soon as it has come.
    pub fn take(&mut self, octets: &[u8]) -> Result<(), Fault> {
        self.stream.take(octets, &mut self.validator).map_err(told)?;
        if self.validator.is_refused() { self.validator.finish().map(|_| ()) } else { Ok(()) }
    }

    /// What is known about the document, which is over.
    pub fn finish(mut self) -> Result<Facts, Fault> {
        self.stream.finish(&mut self.validator).map_err(told)?;
        let facts = self.validator.finish()?;
        if facts.document_type == *self.document_type {
            return Ok(facts);
        }
        Err(Fault::at(FaultCode::DocType, format!("{}, where {} was announced", facts.document_type, self.document_type)))
    }
}

fn told(error: ScanError<std::convert::Infallible>) -> Fault {
    match error {
        ScanError::Xml(violation) => Fault::at(violation.code, violation.to_string()),
        ScanError::Visitor(never) => match never {},
    }
}
