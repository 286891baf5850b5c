//! Reading the envelope while it is hashed.

use super::draft::{Draft, collapse};
use super::grammar::{ATTACHED, Field, MESSAGE, Model, Rule};
use super::{Header, Message, NAMESPACE};
use crate::base::fault::{Code, Fault};
use crate::base::ids::{AgencyId, Code as Word, MessageId};
use crate::base::limits;
use crate::message::schema::{Schemas, Validator};
use crate::message::sig::{Claim, DSIG};
use crate::message::xml::{Start, Visitor};

/// Reads one message; payload documents go to the validator of their schema as they pass.
pub struct EnvelopeReader<'s> {
    schemas: &'s Schemas,
    /// The document type that was asked for, where the message answers a question.
    expected: Option<&'s Word>,
    open: Vec<Frame>,
    text: String,
    attributes: Vec<String>,
    draft: Draft,
    document: Option<(Validator<'s>, usize)>,
    is_begun: bool,
}

struct Frame {
    rule: &'static Rule,
    place: usize,
    count: usize,
}

/// What a message says of itself before it is verified.
#[derive(Clone, Debug, Default)]
pub struct Claimed {
    /// Its id, if that far was read.
    pub id: Option<MessageId>,
    /// Its sender, if that far was read.
    pub from: Option<AgencyId>,
}

impl<'s> EnvelopeReader<'s> {
    /// A reader that validates payloads by these schemas.
    pub fn new(schemas: &'s Schemas) -> Self {
        let (open, text) = (Vec::with_capacity(8), String::with_capacity(64));
        Self {
            schemas,
            expected: None,
            open,
            text,
            attributes: Vec::new(),
            draft: Draft::default(),
            document: None,
            is_begun: false,
        }
    }

    /// A reader of answers to a question for such a document.
    pub fn expecting(schemas: &'s Schemas, document_type: &'s Word) -> Self {
        Self { expected: Some(document_type), ..Self::new(schemas) }
    }

    /// The message, once it is verified. A payload that broke its schema is a fault of its place in the body.
    pub fn into_message(self) -> Result<Message, Fault> {
        self.draft.into_message()
    }

    /// The header, once it is verified.
    pub fn header(&self) -> Result<Header, Fault> {
        self.draft.header()
    }

    fn path(&self) -> String {
        self.open.iter().fold(String::new(), |path, frame| path + "/" + frame.rule.name)
    }

    fn structure(&self, what: &str, at: usize) -> Fault {
        // Before the root there is no element to name.
        let place = if self.open.is_empty() { String::new() } else { format!(" in {}", self.path()) };
        Fault::at(Code::MsgStructure, format!("{what}{place} at byte {at}"))
    }

    /// Finds the rule for a child of the innermost open element.
    fn child(&mut self, element: &Start<'_>) -> Result<&'static Rule, Fault> {
        let Some(frame) = self.open.last_mut() else {
            let is_message = !self.is_begun && element.is(NAMESPACE, MESSAGE.name);
            return if is_message {
                Ok(&MESSAGE)
            } else {
                Err(self.structure("the root is not Message of urn:oncegate:message:1", element.at()))
            };
        };
        if let Model::Children(particles) = frame.rule.model {
            while let Some(particle) = particles.get(frame.place) {
                let rule = particle.rules.iter().find(|rule| element.is(rule.uri, rule.name));
                match rule {
                    Some(rule) if frame.count < particle.max => {
                        frame.count = frame.count.saturating_add(1);
                        return Ok(rule);
                    }
                    _ if frame.count < particle.min => break,
                    _ => (frame.place, frame.count) = (frame.place.saturating_add(1), 0),
                }
            }
        }
        Err(self.structure("an element missing, superfluous or out of order", element.at()))
    }

    /// Takes the attributes that the rule has, all of them required, in the rule's order.
    fn read_attributes(&mut self, rule: &'static Rule, element: &Start<'_>) -> Result<(), Fault> {
        self.attributes.clear();
        for name in rule.attributes {
            let found = element.attributes().find(|attribute| attribute.uri.is_empty() && attribute.local == *name);
            let found = found.ok_or_else(|| self.structure("an attribute missing", element.at()))?;
            // As `xs:token` and `xs:integer` have it, and as it is done in documents.
            self.attributes.push(collapse(found.value).into_owned());
        }
        if element.attributes().len() != rule.attributes.len() {
            return Err(self.structure("an attribute that does not belong here", element.at()));
        }
        if std::ptr::eq(rule, &raw const MESSAGE) && self.attributes.first().map(String::as_str) != Some("1") {
            return Err(self.structure("a version other than 1", element.at()));
        }
        Ok(())
    }

    fn start_document(&mut self, element: &Start<'_>) -> Result<(), Fault> {
        if self.draft.documents.len().saturating_add(self.draft.attached.len()) >= limits::DOCUMENTS_MAX {
            return Err(self.structure("too many documents", element.at()));
        }
        if element.is(ATTACHED.uri, ATTACHED.name) {
            self.read_attributes(&ATTACHED, element)?;
            self.open.push(Frame { rule: &ATTACHED, place: 0, count: 0 });
            return Ok(());
        }
        if matches!(element.uri(), NAMESPACE | DSIG) {
            return Err(self.structure("a document in the namespace of the message or of its signature", element.at()));
        }
        let mut validator = Validator::new(self.schemas);
        validator.expect(self.expected);
        validator.start(element);
        self.document = Some((validator, 1));
        Ok(())
    }

    fn close(&mut self) -> Result<(), Fault> {
        let Some(frame) = self.open.last() else { return Ok(()) };
        match frame.rule.model {
            Model::Leaf(field) => self.close_leaf(field)?,
            Model::Documents if self.draft.documents.is_empty() && self.draft.attached.is_empty() => {
                return Err(Fault::at(Code::MsgStructure, format!("no document in {}", self.path())));
            }
            Model::Documents => {}
            Model::Children(particles) => {
                let mut missing = particles.iter().enumerate().skip(frame.place);
                let is_missing = |(place, particle): (usize, &super::grammar::Particle)| {
                    particle.min > if place == frame.place { frame.count } else { 0 }
                };
                if missing.any(is_missing) {
                    return Err(Fault::at(Code::MsgStructure, format!("an element is missing in {}", self.path())));
                }
            }
        }
        self.open.pop();
        Ok(())
    }

    fn close_leaf(&mut self, field: Field) -> Result<(), Fault> {
        let result = self.draft.set(field, &self.text, &self.attributes);
        self.text.clear();
        result.map_err(|code| match code {
            Code::DocCheckDigit => Fault::at(code, format!("the identifier in {}", self.path())),
            _ => Fault::at(code, format!("the value of {}; the form is {}", self.path(), field.form())),
        })
    }
}

impl Visitor for EnvelopeReader<'_> {
    type Error = Fault;

    fn start(&mut self, element: &Start<'_>) -> Result<(), Fault> {
        if let Some((validator, depth)) = &mut self.document {
            validator.start(element);
            *depth = depth.saturating_add(1);
            return Ok(());
        }
        if matches!(self.open.last(), Some(Frame { rule: Rule { model: Model::Documents, .. }, .. })) {
            return self.start_document(element);
        }
        let rule = self.child(element)?;
        self.is_begun = true;
        self.read_attributes(rule, element)?;
        self.open.push(Frame { rule, place: 0, count: 0 });
        Ok(())
    }

    fn text(&mut self, text: &str, at: usize) -> Result<(), Fault> {
        if let Some((validator, _)) = &mut self.document {
            validator.text(text, at);
            return Ok(());
        }
        let is_leaf = matches!(self.open.last(), Some(Frame { rule: Rule { model: Model::Leaf(_), .. }, .. }));
        if !is_leaf {
            let blank = text.bytes().all(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
            return if blank { Ok(()) } else { Err(self.structure("text between the elements", at)) };
        }
        if self.text.len().saturating_add(text.len()) > limits::LEAF_TEXT_BYTES_MAX {
            return Err(self.structure("a value too long", at));
        }
        self.text.push_str(text);
        Ok(())
    }

    fn end(&mut self) -> Result<(), Fault> {
        let Some((_, depth)) = &mut self.document else { return self.close() };
        *depth = depth.saturating_sub(1);
        let is_over = *depth == 0;
        if let Some((validator, _)) = &mut self.document {
            validator.end();
        }
        if is_over && let Some((mut validator, _)) = self.document.take() {
            self.draft.documents.push(validator.finish());
        }
        Ok(())
    }
}

impl Claim for EnvelopeReader<'_> {
    type Claimed = Claimed;

    fn claimed(&self) -> Claimed {
        Claimed { id: self.draft.id, from: self.draft.from.clone() }
    }
}
