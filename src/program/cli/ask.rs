//! `oncegate ask`

use super::each::{Question, ask_each};
use super::schema::With;
use super::{Failure, Out, Outcome, runtime};
use crate::base::fault::{Code as FaultCode, Fault};
use crate::base::ids::{AgencyId, Code, Identifier};
use crate::faces::client::{Attached, Checked, Client, Row};
use crate::message::envelope::{Ask as AskBody, Body, Context, Described, Subject, World};
use crate::message::schema::{Facts, FieldPath};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const EXAMPLES: &str = "Examples:\n  oncegate ask medical-absence-note --of XX-OGTEST:99000000136 --for school-attendance --as agencies/ru.yar.school-17\n  \
oncegate ask birth-certificate --of RU-SNILS:11223344595 --for birth-allowance --as agencies/ru.sfr --role mother --json\n  \
oncegate ask company-extract --of RU-OGRN:1027700132195 --organisation --for tender --as agencies/ru.fas --select 'Office/*'";

/// Ask for a document; prints its fields.
#[derive(clap::Args)]
#[command(before_help = EXAMPLES)]
pub(super) struct Ask {
    /// The document type, such as medical-absence-note
    document: String,
    /// Whom it is about: SCHEME:VALUE, such as RU-SNILS:11223344595
    #[arg(long)]
    of: String,
    /// It is about an organisation: RU-OGRN:1027700132195, ZZ-LEI:…
    #[arg(long)]
    organisation: bool,
    /// The purpose, such as school-attendance
    #[arg(long = "for")]
    purpose: String,
    /// The agency's folder, or its name under ./agencies
    #[arg(long = "as")]
    agency: PathBuf,
    /// The legal basis; without it, that of the agency's grant for this purpose
    #[arg(long)]
    basis: Option<String>,
    /// The role of the person in the document, where there are several
    #[arg(long)]
    role: Option<String>,
    /// A field that is wanted; may be given again
    #[arg(long)]
    select: Vec<String>,
    /// The agency on whose behalf, and by whose grants
    #[arg(long)]
    on_behalf_of: Option<String>,
    #[command(flatten)]
    whom: Whom,
    #[command(flatten)]
    with: With,
    /// Ask in the test world
    #[arg(long)]
    test: bool,
    /// How long to wait for the answer, in seconds
    #[arg(long, default_value_t = 300)]
    wait: u64,
    /// Write the signed answer to a file as well
    #[arg(short, long)]
    output: Option<PathBuf>,
    /// A file that travels with the request; may be given again
    #[arg(long)]
    attach: Vec<PathBuf>,
    /// A folder for the attachments of the answer, which are fetched and checked
    #[arg(long)]
    attachments: Option<PathBuf>,
}

/// Whom to ask.
#[derive(clap::Args)]
struct Whom {
    /// The holder; without it the gateway finds one
    #[arg(long)]
    to: Option<String>,
    /// Ask every holder of the document, each by a request of its own, and say who is missing
    #[arg(long, conflicts_with_all = ["to", "attach", "attachments", "output"])]
    each: bool,
}

impl Ask {
    pub(super) fn run(self, out: &Out) -> Outcome {
        let client = Client::load(&folder(&self.agency))?;
        let sets = self.with.load()?;
        let code = |text: &str| Code::parse(text).ok_or_else(|| Failure::new(2, format!("\"{text}\" is not a code")));
        let (document_type, purpose) = (code(&self.document)?, code(&self.purpose)?);
        let ask = AskBody {
            document_type,
            of: self.role.as_deref().map(code).transpose()?,
            select: fields(&self.select)?,
            during: None,
        };
        let agency =
            |id: &str| AgencyId::parse(id).ok_or_else(|| Failure::new(2, format!("\"{id}\" is not the name of an agency")));
        let (to, mut subject) = (self.whom.to.as_deref().map(agency).transpose()?, subject(&self.of)?);
        let on_behalf_of = self.on_behalf_of.as_deref().map(agency).transpose()?;
        if self.organisation {
            subject.described = Described::Organisation(None);
        }
        let world = if self.test { World::Test } else { World::Live };
        let files = self.attach.iter().enumerate().map(|(number, path)| Attached::of_file(path, number + 1));
        let files = files.collect::<Result<Vec<_>, _>>()?;
        let runtime = runtime()?;
        let answered = runtime.block_on(async {
            let basis = match &self.basis {
                Some(basis) => basis.clone(),
                None if on_behalf_of.is_some() => {
                    return Err(Failure::new(2, "--on-behalf-of needs --basis: the catalogue has the agency's own grants alone"));
                }
                None => client.granted_basis(&self.document, &self.purpose).await?.map_err(|what| Failure::new(3, what))?,
            };
            let context = Context { on_behalf_of, ..Context::new(purpose, &basis, subject) };
            if self.whom.each {
                let question = Question { ask, context, world };
                ask_each(client.clone(), question, self.with.load()?, Duration::from_secs(self.wait), out).await?;
                return Ok(None);
            }
            let request = client.request_with(ask, context, to, world, &files)?;
            let start = Instant::now();
            let checked = client.exchange_with(&request, &files, Duration::from_secs(self.wait), sets.schemas()).await?;
            Ok::<_, Failure>(Some((checked, start.elapsed())))
        })?;
        let Some((checked, elapsed)) = answered else { return Ok(()) };
        if let Some(path) = &self.output {
            std::fs::write(path, &checked.octets)?;
        }
        runtime.block_on(fetch(&client, &checked, self.attachments.as_deref(), out))?;
        show(&checked, elapsed, out)
    }
}

/// Fetches what an answer names into a folder, or says that there is something to be fetched.
pub(super) async fn fetch(client: &Client, checked: &Checked, folder: Option<&Path>, out: &Out) -> Outcome {
    for attachment in &checked.message.attachments {
        let what = format!("{} ({}, {} bytes)", attachment.name, attachment.media_type, attachment.size);
        match folder {
            Some(folder) => {
                let path = client.fetch(attachment, folder).await?;
                out.say(format_args!("attachment {what}, checked: {}", path.display()));
            }
            None => out.say(format_args!("attachment {what}: --attachments FOLDER fetches it")),
        }
    }
    Ok(())
}

pub(super) fn show(checked: &Checked, elapsed: Duration, out: &Out) -> Outcome {
    let (from, time) = (&checked.message.header.from, checked.message.header.created_at);
    let unchecked = match &checked.message.body {
        Body::Documents(documents) => unchecked(documents)?,
        _ => None,
    };
    let what = match &checked.message.body {
        Body::Documents(documents) => {
            let inline = documents.first().and_then(|facts| facts.as_ref().ok()).map(|facts| facts.document_type.as_str());
            let attached = checked.message.attached().next().map(|(_, document_type)| document_type.as_str());
            inline.or(attached).unwrap_or("document")
        }
        Body::NoRecord { .. } => "no record",
        Body::Later { .. } => "later",
        Body::State { .. } => "state",
        Body::Fault { .. } | Body::Ask(_) => "fault",
    };
    if out.is_json {
        let row = |row: &Row| serde_json::json!({ "path": row.path, "place": row.place, "value": row.value });
        let fields: Vec<_> = checked.outline.iter().map(row).collect();
        out.print(serde_json::json!({
            "format": 1, "what": what, "from": from.as_str(), "signedAt": time.to_string(), "logIndex": checked.log_index, "fields": fields,
            "checkedBySchema": unchecked.is_none(),
        }))?;
    } else {
        out.print(format_args!(
            "{what} from {from}, signed {time}, signature and certificate verified        {:.0} ms",
            elapsed.as_secs_f64() * 1e3
        ))?;
        for Row { place, value, .. } in &checked.outline {
            out.print(format_args!("  {place:<28} {value}"))?;
        }
        unchecked.map_or(Ok(()), |note| out.print(format_args!("note  {note}")))?;
        if let Some(index) = checked.log_index {
            out.print(format_args!("log {index}"))?;
        }
    }
    match &checked.message.body {
        Body::NoRecord { .. } => Err(Failure::new(4, "the holder states, signed, that there is no record")),
        Body::Fault { code, .. } => Err(Failure::new(1, format!("the holder answered with {code}"))),
        _ => Ok(()),
    }
}

/// What was not checked here. A document whose schema is known here and that breaks it is not to be believed, whoever let it pass.
fn unchecked(documents: &[Result<Facts, Fault>]) -> Result<Option<&'static str>, Failure> {
    let mut note = None;
    for fault in documents.iter().filter_map(|document| document.as_ref().err()) {
        if fault.code != FaultCode::DocUnknown {
            return Err(Failure::new(6, format_args!("the answer cannot be trusted: {fault}")));
        }
        note =
            Some("its schema is not known here: the gateway has held it against it, this command has not; --schemas FOLDER does");
    }
    Ok(note)
}

/// A folder as given, or the name of an agency of the installation that one is in.
pub(super) fn folder(given: &Path) -> PathBuf {
    let named = Path::new("agencies").join(given);
    if !given.is_dir() && named.is_dir() { named } else { given.to_owned() }
}

pub(super) fn subject(text: &str) -> Result<Subject, Failure> {
    let (scheme, value) =
        text.split_once(':').ok_or_else(|| Failure::new(2, "--of takes SCHEME:VALUE, like RU-SNILS:11223344595"))?;
    let identifier =
        Identifier::parse(scheme, value).map_err(|error| Failure::new(2, format!("OG-DOC-021 {scheme} {value}: {error}")))?;
    Ok(Subject { identifiers: vec![identifier], ..Subject::default() })
}

pub(super) fn fields(given: &[String]) -> Result<Vec<FieldPath>, Failure> {
    let parse = |text: &String| {
        FieldPath::parse(text)
            .ok_or_else(|| Failure::new(2, format!("--select {text} is not the path of a field: {}", FieldPath::FORM)))
    };
    given.iter().map(parse).collect()
}
