//! `oncegate send`, `sign`, `verify` and `validate`: messages as files.

use super::schema::With;
use super::{Failure, Out, Outcome, runtime};
use crate::base::fault::Fault;
use crate::base::limits;
use crate::faces::client::{Client, problem_of, signing_pair, verify_under};
use crate::host::config::place;
use crate::host::transport::Anchors;
use crate::message::envelope::{EnvelopeReader, Kind, NAMESPACE};
use crate::message::schema::{Schemas, Validator};
use crate::message::sig::{self, DSIG};
use crate::message::xml::{Profile, ScanError, Start, Visitor, scan};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Send a message as it is; prints what comes back.
#[derive(clap::Args)]
#[command(
    before_help = "Examples:\n  oncegate send signed.xml --as agencies/ru.yar.school-17\n  oncegate sign m.xml --key k --certificate c | oncegate send - --as agencies/ru.yar.school-17"
)]
pub(super) struct Send {
    /// The message, - for standard input
    file: PathBuf,
    /// The agency's folder, or its name under ./agencies
    #[arg(long = "as")]
    agency: PathBuf,
    /// How long to wait, in seconds
    #[arg(long, default_value_t = 30)]
    wait: u64,
}

/// Sign a message: appends ds:Signature as the last child of its root.
#[derive(clap::Args)]
#[command(
    before_help = "Examples:\n  oncegate sign m.xml --key sign.key --certificate sign.pem > signed.xml\n  oncegate sign - --key sign.key --certificate sign.pem < m.xml"
)]
pub(super) struct Sign {
    /// The message, - for standard input
    file: PathBuf,
    /// The private key, PKCS#8 in PEM
    #[arg(long)]
    key: PathBuf,
    /// Its certificate, PEM
    #[arg(long)]
    certificate: PathBuf,
}

/// Verify a signed message by the certificate that it carries, which must come from one of these authorities.
#[derive(clap::Args)]
#[command(
    before_help = "Examples:\n  oncegate verify answer.xml --authorities ca.pem\n  curl … | oncegate verify - --authorities ca.pem --json"
)]
pub(super) struct Verify {
    /// The message, - for standard input
    file: PathBuf,
    /// The certificates of the authorities, PEM
    #[arg(long)]
    authorities: PathBuf,
    #[command(flatten)]
    with: With,
}

/// Validate messages, signed or not, and documents, against the schemas of Oncegate or others.
#[derive(clap::Args)]
#[command(
    before_help = "Examples:\n  oncegate validate request.xml\n  oncegate validate note.xml --json\n  oncegate validate --schema tax/ extract-1.xml extract-2.xml"
)]
pub(super) struct Validate {
    /// The files, - for standard input
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// A set of XML Schema 1.0 that documents are held against: its folder, or a file; all that is wrong is told
    #[arg(long, conflicts_with = "schemas")]
    schema: Option<PathBuf>,
    #[command(flatten)]
    with: With,
}

impl Send {
    pub(super) fn run(self, out: &Out) -> Outcome {
        let client = Client::load(&super::ask::folder(&self.agency))?;
        let octets = read(&self.file)?;
        let prefer = format!("wait={}", self.wait);
        let received = runtime()?.block_on(client.post(octets, &prefer, Duration::from_secs(self.wait + 10)))?;
        if !received.status.is_success() {
            return Err(crate::faces::client::ClientError::Refused(problem_of(&received)).into());
        }
        out.say(format_args!("{}", received.status));
        std::io::stdout().lock().write_all(&received.body)?;
        Ok(())
    }
}

impl Sign {
    pub(super) fn run(self, _: &Out) -> Outcome {
        let octets = read(&self.file)?;
        let (key, certificate) = signing_pair(&self.key, &self.certificate)?;
        let signed = sig::sign(&octets, &key, Some(&certificate));
        let signed = signed.map_err(|error| Failure::new(2, at(&self.file, &octets, &error.to_string())))?;
        std::io::stdout().lock().write_all(&signed)?;
        Ok(())
    }
}

impl Verify {
    pub(super) fn run(self, out: &Out) -> Outcome {
        let octets = read(&self.file)?;
        let anchors = Anchors::load(&self.authorities).map_err(|error| Failure::new(2, error))?;
        let sets = self.with.load()?;
        let verified = verify_under(&octets, &anchors, sets.schemas());
        let (message, _) = verified.map_err(|what| Failure::new(6, at(&self.file, &octets, &what)))?;
        let header = &message.header;
        if out.is_json {
            return out.print(serde_json::json!({
                "format": 1, "messageId": header.id.to_string(), "kind": header.kind.as_str(), "from": header.from.as_str(),
                "createdAt": header.created_at.to_string(), "inReplyTo": header.in_reply_to.map(|reply| reply.id.to_string()),
            }));
        }
        out.print(format_args!("ok  {} {} from {}, signed {}", header.kind.as_str(), header.id, header.from, header.created_at))
    }
}

impl Validate {
    pub(super) fn run(self, out: &Out) -> Outcome {
        match &self.schema {
            Some(schema) => super::schema::validate(out, schema, &self.files),
            None => {
                let sets = self.with.load()?;
                self.files.iter().try_for_each(|file| Self::known(out, file, sets.schemas()))
            }
        }
    }

    fn known(out: &Out, file: &Path, schemas: &Schemas) -> Outcome {
        let octets = read(file)?;
        let mut reader = AnyReader { schemas, inside: Inside::Nothing, skipping: 0 };
        let faulty = |fault: &Fault| Failure::new(2, at(file, &octets, &fault.to_string()));
        scan(&octets, Profile::Message, &mut reader).map_err(|error| match error {
            ScanError::Xml(violation) => faulty(&Fault::at(violation.code, violation.to_string())),
            ScanError::Visitor(fault) => faulty(&fault),
        })?;
        let what = reader.finish().map_err(|fault| faulty(&fault))?;
        if out.is_json {
            out.print(serde_json::json!({ "format": 1, "valid": true, "what": what }))
        } else {
            out.print(format_args!("ok  {what}"))
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut octets = Vec::new();
    let limit = limits::MESSAGE_BYTES_MAX as u64 + 1;
    let failed = |cause: std::io::Error| Failure::new(2, format!("{}: {cause}", path.display()));
    if path == Path::new("-") {
        std::io::stdin().lock().take(limit).read_to_end(&mut octets).map_err(failed)?;
    } else {
        std::fs::File::open(path).and_then(|file| file.take(limit).read_to_end(&mut octets)).map_err(failed)?;
    }
    Ok(octets)
}

/// Puts file, line and column in front of a text that names a byte.
fn at(path: &Path, octets: &[u8], text: &str) -> String {
    let digits = |rest: &str| rest.split(|c: char| !c.is_ascii_digit()).next().and_then(|digits| digits.parse::<usize>().ok());
    match (text.split("byte ").skip(1).find_map(digits), std::str::from_utf8(octets)) {
        (Some(offset), Ok(content)) => {
            let (line, column) = place(content, offset);
            format!("{}:{line}:{column}: {text}", path.display())
        }
        _ => format!("{}: {text}", path.display()),
    }
}

/// Reads a message, whose signature is passed over, or a document.
struct AnyReader<'s> {
    schemas: &'s Schemas,
    inside: Inside<'s>,
    skipping: usize,
}

enum Inside<'s> {
    Nothing,
    Message(Box<EnvelopeReader<'s>>),
    Document(Box<Validator<'s>>),
}

impl AnyReader<'_> {
    fn finish(self) -> Result<String, Fault> {
        match self.inside {
            Inside::Nothing => Ok("nothing".to_owned()),
            Inside::Message(reader) => {
                let message = reader.into_message()?;
                message.fits()?;
                if matches!(message.header.kind, Kind::Request | Kind::Application) {
                    message.reason()?;
                }
                if let crate::message::envelope::Body::Documents(documents) = &message.body {
                    documents.iter().try_for_each(|document| document.as_ref().map(|_| ()).map_err(Clone::clone))?;
                }
                Ok(format!("message: {} {}", message.header.kind.as_str(), message.header.id))
            }
            Inside::Document(mut validator) => validator.finish().map(|facts| format!("document: {}", facts.document_type)),
        }
    }
}

impl Visitor for AnyReader<'_> {
    type Error = Fault;

    fn start(&mut self, element: &Start<'_>) -> Result<(), Fault> {
        if self.skipping > 0 || (element.depth() == 2 && element.is(DSIG, "Signature")) {
            self.skipping += 1;
            return Ok(());
        }
        if let Inside::Nothing = self.inside {
            self.inside = if element.uri() == NAMESPACE {
                Inside::Message(Box::new(EnvelopeReader::new(self.schemas)))
            } else {
                Inside::Document(Box::new(Validator::new(self.schemas)))
            };
        }
        match &mut self.inside {
            Inside::Message(reader) => reader.start(element),
            Inside::Document(validator) => {
                validator.start(element);
                Ok(())
            }
            Inside::Nothing => Ok(()),
        }
    }

    fn text(&mut self, text: &str, at: usize) -> Result<(), Fault> {
        match &mut self.inside {
            Inside::Message(reader) if self.skipping == 0 => reader.text(text, at),
            Inside::Document(validator) => {
                validator.text(text, at);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn end(&mut self) -> Result<(), Fault> {
        if self.skipping > 0 {
            self.skipping -= 1;
            return Ok(());
        }
        match &mut self.inside {
            Inside::Message(reader) => reader.end(),
            Inside::Document(validator) => {
                validator.end();
                Ok(())
            }
            Inside::Nothing => Ok(()),
        }
    }
}
