//! A holder: the signed answer to a question, from a source, by a mapping. An outage is never told as "there is none", and no line
//! has a value of a cell or an identifier.

use super::config::{Config, Finding, Hold};
use super::repeat::Repeats;
use super::zones::Database;
use crate::base::fault::Code as FaultCode;
use crate::base::ids::{Identifier, MessageId};
use crate::base::limits::CLOCK_SKEW_MS;
use crate::exchange::mapping::{Failed, Outcome, Own, Question, Table};
use crate::faces::client::{Client, ClientError, digest_of, verify_under};
use crate::gateway::driver::now;
use crate::host::schemas::sets::{Judging, Sets};
use crate::host::source::{Refreshed, Source, SourceConfig, SourceError};
use crate::host::transport::Anchors;
use crate::message::envelope::{Ask, Body, Context, Kind, Message, ReplyTo};
use crate::message::schema::{FieldPath, Schemas};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// A holder whose sources are open.
pub struct Holder {
    client: Client,
    anchors: Anchors,
    schemas: Arc<Sets>,
    name: String,
    identifier: Option<Identifier>,
    holds: Vec<Hold>,
    sources: BTreeMap<String, (SourceConfig, Source)>,
    repeats: Mutex<Repeats>,
}

/// What became of a question, for a line.
#[derive(Clone, Debug)]
pub struct Said {
    /// The question.
    pub id: MessageId,
    /// The document type that was asked for.
    pub document: String,
    /// `documents 2`, `no record`, or a code.
    pub outcome: String,
    /// Why there is no answer: rows, columns and paths.
    pub why: Option<String>,
    /// How long it took, in milliseconds.
    pub ms: u128,
}

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { id, document, outcome, why, ms } = self;
        write!(f, "{} {id} {document}: {outcome}, {ms} ms", now())?;
        why.as_ref().map_or(Ok(()), |why| write!(f, "; {why}"))
    }
}

/// What was made of a question.
pub struct Answered {
    /// The signed answer.
    pub octets: Vec<u8>,
    /// The line about it.
    pub said: Said,
}

/// The schemas of an agent: those of the program, and those of its folder. A set that is refused refuses the agent: what it says must
/// not depend on what could be read.
pub fn schemas(config: &Config) -> Result<Arc<Sets>, Vec<Finding>> {
    let folder = config.schemas.as_deref();
    let file = config.folder.join(super::config::FILE);
    let refused = |what: String| vec![Finding::of_file(folder.unwrap_or(&file), FaultCode::CfgSchema, what)];
    let sets = Sets::load(folder, &Judging::of_this_program(), None).map_err(|error| refused(error.to_string()))?;
    let lines: Vec<String> = sets.bad().iter().flat_map(|bad| bad.lines()).collect();
    if lines.is_empty() { Ok(Arc::new(sets)) } else { Err(refused(lines.join("\n"))) }
}

impl Holder {
    /// Opens the sources of a configuration. Some that are away are no reason not to open.
    pub async fn open(config: &Config, schemas: Arc<Sets>) -> Result<Self, Vec<Finding>> {
        let file = config.folder.join(super::config::FILE);
        let unusable = |error: ClientError| vec![Finding::of_file(&file, FaultCode::AgtFile, error)];
        let client = Client::load(&config.client).map_err(unusable)?;
        let anchors = client.anchors().clone();
        let holds = config.holds(schemas.schemas())?;
        let (mut sources, mut wrong) = (BTreeMap::new(), Vec::new());
        for (name, source) in &config.sources {
            let keys = config.keys(name, &holds);
            match Source::open(name, source, &config.folder, &keys).await {
                Ok(open) => {
                    sources.insert(name.clone(), (source.clone(), open));
                }
                Err(SourceError { code, what }) => wrong.push(Finding::of_file(&file, code, what)),
            }
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let (name, identifier) = (config.name.clone(), config.identifier.clone());
        Ok(Self { client, anchors, schemas, name, identifier, holds, sources, repeats: Mutex::default() })
    }

    /// The client that it signs with.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The schemas that it goes by.
    pub fn schemas(&self) -> &Schemas {
        self.schemas.schemas()
    }

    /// What is held.
    pub fn holds(&self) -> &[Hold] {
        &self.holds
    }

    /// A source by its name.
    pub fn source(&self, name: &str) -> Option<(&SourceConfig, &Source)> {
        self.sources.get(name).map(|(config, source)| (config, source))
    }

    /// Looks at all sources again; what is new, and what is wrong, as lines.
    pub async fn refresh(&self) -> Vec<Result<String, SourceError>> {
        let mut told = Vec::new();
        for (name, (_, source)) in &self.sources {
            match source.refresh().await {
                Ok(Refreshed::Same) => {}
                Ok(Refreshed::Loaded { rows }) => told.push(Ok(format!("source {name}: {rows} rows, in use from now on"))),
                Err(error) => told.push(Err(error)),
            }
        }
        told
    }

    /// The signed answer to a question, if it is one. `fields` are the optional fields that the gateway says may go out.
    pub async fn answer(&self, octets: &[u8], fields: Option<Vec<FieldPath>>) -> Result<Answered, String> {
        let start = Instant::now();
        let (question, _) = verify_under(octets, &self.anchors, self.schemas())?;
        let reply = ReplyTo { id: question.header.id, digest: digest_of(octets).map_err(|fault| fault.to_string())? };
        let (Body::Ask(ask), Some(context)) = (&question.body, &question.context) else {
            return Err("it asks for no document".to_owned());
        };
        let (id, document) = (question.header.id, ask.document_type.to_string());
        let said = |outcome, why| Said { id, document, outcome, why, ms: start.elapsed().as_millis() };
        // What is not said to be given stays here.
        let fields = fields.unwrap_or_else(|| ask.select.clone());
        let repeats = || self.repeats.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(again) = repeats().find((&reply.digest, &fields), now()).map(<[u8]>::to_vec) {
            return Ok(Answered { octets: again, said: said("the same again".to_owned(), None) });
        }
        // Clocks differ; a question that is older than that was kept by somebody, and is not the gateway's.
        let found = if question.header.expires_at.plus_ms(CLOCK_SKEW_MS) < now() {
            Err(Failed { code: FaultCode::MsgExpired, what: "the question has expired".to_owned() })
        } else {
            self.outcome(ask, context, &fields).await
        };
        let (body, markup, outcome, why) = match found {
            Ok(Outcome::Documents(documents)) => {
                let said = format!("documents {}", documents.len());
                (Body::Documents(Vec::new()), documents.concat(), said, None)
            }
            Ok(Outcome::NoRecord) => {
                (Body::NoRecord { document_type: ask.document_type.clone() }, String::new(), "no record".to_owned(), None)
            }
            Err(Failed { code, what }) => (fault_of(code), String::new(), code.to_string(), Some(what)),
        };
        let octets = self.sign(&question, context, (reply, body), &markup)?;
        // What failed may do better the next time.
        if why.is_none() {
            repeats().keep((reply.digest, fields), question.header.expires_at, &octets, now());
        }
        Ok(Answered { octets, said: said(outcome, why) })
    }

    async fn outcome(&self, ask: &Ask, context: &Context, fields: &[FieldPath]) -> Result<Outcome, Failed> {
        let is_held = |hold: &&Hold| {
            *hold.mapping.document() == ask.document_type
                && hold.mapping.persons().iter().any(|person| *person.role == *ask.role())
        };
        let hold = self.holds.iter().find(is_held).ok_or_else(|| Failed {
            code: FaultCode::SrcUnheld,
            what: format!("no [[hold]] is for {} in the role \"{}\"", ask.document_type, ask.role()),
        })?;
        let identifiers = &context.subject.identifiers;
        let question = Question { role: ask.role(), identifiers, during: ask.during, fields, now: now() };
        let (person, asked) = hold.mapping.asked(&question)?;
        let table = self.rows(hold, (&person.column, &person.scheme), &asked).await;
        let table = table.map_err(|SourceError { code, what }| Failed { code, what })?;
        hold.mapping.answer(&question, (person, &asked), &table, &self.own(), self.schemas())
    }

    async fn rows(
        &self,
        hold: &Hold,
        (column, scheme): (&str, &str),
        asked: &crate::exchange::mapping::Asked,
    ) -> Result<Table, SourceError> {
        let (config, source) = self.source(&hold.config.source).ok_or_else(|| SourceError {
            code: FaultCode::SrcUnavailable,
            what: format!("there is no source {}", hold.config.source),
        })?;
        source.rows(asked, &hold.by(config, column, scheme)).await
    }

    /// Whoever answers.
    pub fn own(&self) -> Own<'_> {
        Own { id: self.client.agency(), name: &self.name, identifier: self.identifier.as_ref(), zones: &Database }
    }

    fn sign(
        &self,
        question: &Message,
        context: &Context,
        (reply, body): (ReplyTo, Body),
        markup: &str,
    ) -> Result<Vec<u8>, String> {
        let kind = if matches!(body, Body::Fault { .. }) { Kind::Fault } else { Kind::Answer };
        let header = self.client.header(kind, Some(question.header.from.clone()), Some(reply), question.header.world);
        let header = header.map_err(|error| error.to_string())?;
        // Who at the consumer asks is nothing that an answer repeats.
        let context = Context { official: None, ..context.clone() };
        let message = Message { header, context: Some(context), body, attachments: Vec::new() };
        let signed = self.client.sign(&message, markup).map_err(|error| error.to_string())?;
        Ok(signed.octets)
    }
}

/// A failure as a body.
pub fn fault_of(code: FaultCode) -> Body {
    Body::Fault { code: code.to_string(), blame: code.blame().as_str().to_owned(), retry: code.retry().as_str().to_owned() }
}
