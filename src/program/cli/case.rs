//! `oncegate case`: what the parties of a case do with it, and what the operator learns of all.

mod measures;
mod show;

use super::ask::{folder, subject};
use super::schema::With;
use super::{Failure, Out, Outcome, runtime};
use crate::base::ids::{AgencyId, Code, Region, Uuid};
use crate::faces::client::{CaseState, Checked, Client, ClientError, NewCase, Order, application, order, problem_of};
use crate::message::envelope::{Body, Context, Described, Kind, Message, Subject, World};
use clap::{Args, Subcommand};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

const EXAMPLES: &str = "Examples:\n  oncegate case begin birth-of-child --subject RU-SNILS:11223344595 --as agencies/ru.portal --contact mailto:anna@example.org\n  \
oncegate case show 01990a5d-ac96-774b-8cce-b302099a8001 --as agencies/ru.portal\n  \
oncegate case answer 01990a5d-ac96-774b-8cce-b302099a8001 mother.wants_kindergarten=true --as agencies/ru.portal";

/// Begin a case of a life situation, look at it, and ask something of it. What is asked is signed, and so is what is answered.
#[derive(Args)]
#[command(before_help = EXAMPLES)]
pub(super) struct Case {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Apply for a life situation on behalf of somebody; if there is a case already, join it
    #[command(
        before_help = "Examples:\n  oncegate case begin birth-of-child --subject RU-SNILS:11223344595 --region RU-YAR --as agencies/ru.portal\n  oncegate case begin birth-of-child --subject XX-OGTEST:99000000136 --answer mother.wants_kindergarten=true --test --as agencies/xx.portal"
    )]
    Begin(Box<Begin>),
    /// Say how far a case is: its steps, what is asked, its documents
    #[command(before_help = "Examples:\n  oncegate case show 01990a5d-ac96-774b-8cce-b302099a8001 --as agencies/ru.portal")]
    Show(Look),
    /// Say what happened in a case, and when
    #[command(before_help = "Examples:\n  oncegate case timeline 01990a5d-ac96-774b-8cce-b302099a8001 --as agencies/ru.portal")]
    Timeline(Look),
    /// Say what the citizen is asked, and what is to be brought
    #[command(
        before_help = "Examples:\n  oncegate case form 01990a5d-ac96-774b-8cce-b302099a8001 --language ru --as agencies/ru.portal"
    )]
    Form(Look),
    #[command(flatten)]
    Ask(Asked),
    /// As the operator: what all cases carried, asked and waited for, before and now, from the log
    Measures(measures::Measures),
}

/// What is asked of a case that there is.
#[derive(Subcommand)]
enum Asked {
    /// Answer what the citizen is asked
    #[command(
        before_help = "Examples:\n  oncegate case answer 01990a5d-ac96-774b-8cce-b302099a8001 mother.wants_kindergarten=true --as agencies/ru.portal"
    )]
    Answer {
        /// The id of the case
        id: String,
        /// What the citizen says, as `case form` names it
        #[arg(required = true, value_name = "FACT=VALUE")]
        answers: Vec<String>,
        #[command(flatten)]
        asking: Asking,
    },
    /// Bring documents that the citizen was asked for
    #[command(
        before_help = "Examples:\n  oncegate case bring 01990a5d-ac96-774b-8cce-b302099a8001 bank-details.xml --as agencies/ru.portal"
    )]
    Bring {
        /// The id of the case
        id: String,
        /// Documents, each an XML file
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        #[command(flatten)]
        asking: Asking,
    },
    /// Take a case back
    #[command(before_help = "Examples:\n  oncegate case withdraw 01990a5d-ac96-774b-8cce-b302099a8001 --as agencies/ru.portal")]
    Withdraw {
        /// The id of the case
        id: String,
        #[command(flatten)]
        asking: Asking,
    },
    /// Have an official look after a case: their agency is told of every change
    #[command(
        before_help = "Examples:\n  oncegate case assistant 01990a5d-ac96-774b-8cce-b302099a8001 ru.yar.social --name \"Team 4\" --as agencies/ru.portal"
    )]
    Assistant {
        /// The id of the case
        id: String,
        /// The agency
        agency: String,
        /// Who it is there
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        asking: Asking,
    },
    /// Have another agency do a step
    #[command(
        before_help = "Examples:\n  oncegate case hand-over 01990a5d-ac96-774b-8cce-b302099a8001 register-birth --to ru.yar.zags-2 --as agencies/ru.yar.zags-1"
    )]
    HandOver {
        /// The id of the case
        id: String,
        /// The step
        step: String,
        /// The other agency
        #[arg(long)]
        to: String,
        #[command(flatten)]
        asking: Asking,
    },
    /// Remind the agency that does a step
    #[command(
        before_help = "Examples:\n  oncegate case remind 01990a5d-ac96-774b-8cce-b302099a8001 residence --as agencies/ru.portal"
    )]
    Remind {
        /// The id of the case
        id: String,
        /// The step
        step: String,
        #[command(flatten)]
        asking: Asking,
    },
    /// Change where the citizen is reached
    #[command(
        before_help = "Examples:\n  oncegate case contact 01990a5d-ac96-774b-8cce-b302099a8001 mailto:anna@example.org --language ru --as agencies/ru.portal"
    )]
    Contact {
        /// The id of the case
        id: String,
        /// mailto: and an address, or https: for a webhook
        address: String,
        /// The language of notices
        #[arg(long)]
        language: Option<String>,
        #[command(flatten)]
        asking: Asking,
    },
    /// Make a personal link by which the citizen sees the case; the one before ends
    #[command(before_help = "Examples:\n  oncegate case link 01990a5d-ac96-774b-8cce-b302099a8001 --as agencies/ru.portal")]
    Link {
        /// The id of the case
        id: String,
        #[command(flatten)]
        asking: Asking,
    },
}

/// Who asks, and for how long.
#[derive(Args)]
struct Asking {
    /// The agency's folder, or its name under ./agencies
    #[arg(long = "as", id = "as")]
    agency: PathBuf,
    /// The purpose; without it, that of the agency's grant
    #[arg(long = "for")]
    purpose: Option<String>,
    /// How long to wait for the answer, in seconds
    #[arg(long, default_value_t = 60)]
    wait: u64,
    #[command(flatten)]
    with: With,
}

/// Who looks at which case.
#[derive(Args)]
struct Look {
    /// The id of the case
    id: String,
    /// The agency's folder, or its name under ./agencies
    #[arg(long = "as", id = "as")]
    agency: PathBuf,
    /// The language of titles and questions
    #[arg(long, default_value = "en")]
    language: String,
}

#[derive(Args)]
struct Begin {
    /// The situation, as `oncegate catalogue list` has it
    situation: String,
    /// Whom it is about: SCHEME:VALUE, such as RU-SNILS:11223344595
    #[arg(long, value_name = "SCHEME:VALUE")]
    subject: String,
    /// It is about an organisation
    #[arg(long)]
    organisation: bool,
    /// Whom it is about as well, where the situation says so and no document: ROLE=SCHEME:VALUE, such as applicant=RU-SNILS:11223344595
    #[arg(long, value_name = "ROLE=SCHEME:VALUE")]
    other: Vec<String>,
    /// By which way it is applied for: portal, onestop
    #[arg(long, default_value = "portal")]
    channel: String,
    /// Where, such as RU-YAR
    #[arg(long)]
    region: Option<String>,
    /// Where the citizen is reached: mailto: and an address, or https: for a webhook
    #[arg(long)]
    contact: Option<String>,
    /// The language of notices
    #[arg(long, requires = "contact")]
    language: Option<String>,
    /// Something that the citizen says; may be given again
    #[arg(long = "answer", value_name = "FACT=VALUE")]
    answers: Vec<String>,
    /// In the test world
    #[arg(long)]
    test: bool,
    #[command(flatten)]
    asking: Asking,
}

/// An application or an order, before it is signed.
struct Sending<'s> {
    path: String,
    document: &'static str,
    markup: String,
    about: Subject,
    region: Option<Region>,
    world: World,
    asking: &'s Asking,
}

impl Case {
    pub(super) fn run(self, out: &Out) -> Outcome {
        match self.action {
            Action::Begin(begin) => begin.run(out),
            Action::Show(look) => show::case(&look.fetch("")?, out),
            Action::Timeline(look) => show::timeline(&look.fetch("/timeline")?, out),
            Action::Form(look) => show::form(&look.fetch("/form")?, &look.id, out),
            Action::Measures(measures) => measures.run(out),
            Action::Ask(asked) => asked.run(out),
        }
    }
}

impl Asked {
    fn run(&self, out: &Out) -> Outcome {
        match self {
            Self::Answer { id, answers, asking } => {
                let answers = pairs(answers)?;
                asking.order(id, Order::Answer(&answers), "", ("answered", out))
            }
            Self::Bring { id, files, asking } => {
                let documents = files.iter().map(|file| document(file)).collect::<Result<String, Failure>>()?;
                asking.order(id, Order::Bring, &documents, ("brought", out))
            }
            Self::Withdraw { id, asking } => asking.order(id, Order::Withdraw, "", ("withdrawn", out)),
            Self::Assistant { id, agency: who, name, asking } => {
                asking.order(id, Order::Assistant(&agency(who)?, name.as_deref()), "", ("has an assistant", out))
            }
            Self::HandOver { id, step, to, asking } => {
                asking.order(id, Order::HandOver(&code(step)?, &agency(to)?), "", ("handing over", out))
            }
            Self::Remind { id, step, asking } => asking.order(id, Order::Remind(&code(step)?), "", ("reminded", out)),
            Self::Contact { id, address, language, asking } => {
                asking.order(id, Order::Contact(&reached(address)?, language.as_deref()), "", ("contact changed", out))
            }
            Self::Link { id, asking } => asking.order(id, Order::Link, "", ("link", out)),
        }
    }
}

impl Begin {
    fn run(&self, out: &Out) -> Outcome {
        let (situation, channel) = (code(&self.situation)?, code(&self.channel)?);
        let region = self.region.as_deref().map(|text| {
            Region::parse(text).ok_or_else(|| Failure::new(2, format!("\"{text}\" is not a region, as RU-YAR is (ISO 3166-2)")))
        });
        let (region, mut about) = (region.transpose()?, subject(&self.subject)?);
        if self.organisation {
            about.described = Described::Organisation(None);
        }
        let others = self.other.iter().map(|text| other(text)).collect::<Result<Vec<_>, _>>()?;
        let (answers, contact) = (pairs(&self.answers)?, self.contact.as_deref().map(reached).transpose()?);
        let new = NewCase {
            situation: &situation,
            channel: &channel,
            region: region.as_ref(),
            about: &about,
            others: &others,
            contact: contact.as_deref().map(|address| (address, self.language.as_deref())),
            answers: &answers,
        };
        let markup = application(&new);
        let world = if self.test { World::Test } else { World::Live };
        let sending = Sending {
            path: "/v1/cases".to_owned(),
            document: "case-application",
            markup,
            about,
            region,
            world,
            asking: &self.asking,
        };
        let client = Client::load(&folder(&self.asking.agency))?;
        let (checked, state) = runtime()?.block_on(sending.send(&client))?;
        show::state(&state, &checked, "applied for", out)
    }
}

impl Asking {
    /// Sends an order, with documents behind it, and says what came of it.
    fn order(&self, id: &str, asked: Order<'_>, documents: &str, (done, out): (&str, &Out)) -> Outcome {
        let (id, client, runtime) = (case_id(id)?, Client::load(&folder(&self.agency))?, runtime()?);
        // Test or live is the case's own, and no choice of whoever asks something of it.
        let case = runtime.block_on(get(&client, &format!("/v1/cases/{id}")))?;
        let world = if case["test"] == true { World::Test } else { World::Live };
        let sending = Sending {
            path: format!("/v1/cases/{id}/orders"),
            document: "case-order",
            markup: format!("{}{documents}", order(id, asked)),
            about: Subject::default(),
            region: None,
            world,
            asking: self,
        };
        let (checked, state) = runtime.block_on(sending.send(&client))?;
        show::state(&state, &checked, done, out)
    }
}

impl Sending<'_> {
    /// Signs and sends it, and checks what is answered.
    async fn send(self, client: &Client) -> Result<(Checked, CaseState), Failure> {
        let sets = self.asking.with.load()?;
        let grant = self.grant(client).await?;
        let header = client.header(Kind::Application, grant.coordinator, None, self.world)?;
        let context = Context { region: self.region, ..Context::new(grant.purpose, &grant.basis, self.about) };
        let message = Message { header, context: Some(context), body: Body::Documents(Vec::new()), attachments: Vec::new() };
        let signed = client.sign(&message, &self.markup)?;
        let wait = Duration::from_secs(self.asking.wait);
        let checked = client.exchange_at(&self.path, &signed, wait, sets.schemas()).await?;
        let state = CaseState::read(&checked);
        let state = state.ok_or_else(|| Failure::new(6, "the answer cannot be trusted: it does not say how far the case is"))?;
        Ok((checked, state))
    }

    /// By which grant it is sent, from the catalogue; and to whom, if one agency alone coordinates cases.
    async fn grant(&self, client: &Client) -> Result<Granted, Failure> {
        let catalogue = get(client, "/v1/catalogue").await?;
        let all = catalogue["mayAsk"].as_array().map_or(&[][..], Vec::as_slice);
        let fits = |grant: &&Value| grant["documentType"] == self.document && grant["action"] == "apply";
        let wanted = |grant: &&Value| self.asking.purpose.as_ref().is_none_or(|purpose| grant["purpose"] == purpose.as_str());
        let Some(grant) = all.iter().filter(fits).find(wanted) else {
            let purposes: Vec<&str> = all.iter().filter(fits).filter_map(|grant| grant["purpose"].as_str()).collect();
            let known = if purposes.is_empty() {
                "no grant lets it; the operator makes one: oncegate agency grant".to_owned()
            } else {
                format!("it may for: {}", purposes.join(", "))
            };
            return Err(Failure::new(3, format!("{} may not send a {}; {known}", client.agency(), self.document)));
        };
        let text = |key: &str| grant[key].as_str().unwrap_or_default();
        let holders = grant["holders"].as_array().map_or(&[][..], Vec::as_slice);
        let coordinator = match holders {
            [only] => only["agency"].as_str().and_then(AgencyId::parse),
            _ => None,
        };
        Ok(Granted { purpose: code(text("purpose"))?, basis: text("legalBasis").to_owned(), coordinator })
    }
}

struct Granted {
    purpose: Code,
    basis: String,
    coordinator: Option<AgencyId>,
}

impl Look {
    fn fetch(&self, what: &str) -> Result<Value, Failure> {
        let (id, client) = (case_id(&self.id)?, Client::load(&folder(&self.agency))?);
        if !self.language.bytes().all(|octet| octet.is_ascii_lowercase()) {
            return Err(Failure::new(2, format!("\"{}\" is not a language, as en and ru are", self.language)));
        }
        runtime()?.block_on(get(&client, &format!("/v1/cases/{id}{what}?language={}", self.language)))
    }
}

async fn get(client: &Client, path: &str) -> Result<Value, Failure> {
    let received = client.get(path).await?;
    if !received.status.is_success() {
        return Err(ClientError::Refused(problem_of(&received)).into());
    }
    serde_json::from_slice(&received.body).map_err(|error| Failure::new(1, error))
}

fn case_id(text: &str) -> Result<Uuid, Failure> {
    Uuid::parse(text).ok_or_else(|| Failure::new(2, format!("\"{text}\" is not the id of a case (a UUID)")))
}

fn code(text: &str) -> Result<Code, Failure> {
    Code::parse(text).ok_or_else(|| Failure::new(2, format!("\"{text}\" is not a code")))
}

fn agency(text: &str) -> Result<AgencyId, Failure> {
    AgencyId::parse(text).ok_or_else(|| Failure::new(2, format!("\"{text}\" is not the name of an agency")))
}

/// An address of a form that the gateway can reach.
fn reached(text: &str) -> Result<String, Failure> {
    let is_known = ["mailto:", "https:"].iter().any(|scheme| text.len() > scheme.len() && text.starts_with(scheme));
    let wrong = || Failure::new(2, format!("\"{text}\" is no address: write mailto:anna@example.org, or https:… for a webhook"));
    if is_known { Ok(text.to_owned()) } else { Err(wrong()) }
}

fn other(text: &str) -> Result<(Code, Subject), Failure> {
    let wrong = || Failure::new(2, format!("\"{text}\": write ROLE=SCHEME:VALUE, as applicant=RU-SNILS:11223344595"));
    let (role, who) = text.split_once('=').ok_or_else(wrong)?;
    Ok((code(role)?, subject(who)?))
}

fn pairs(given: &[String]) -> Result<Vec<(String, String)>, Failure> {
    let pair = |text: &String| match text.split_once('=') {
        // Both parts, and a fact as the catalogue names facts.
        Some((fact, value)) if fact.split('.').filter(|part| !part.is_empty()).count() == 2 && !value.trim().is_empty() => {
            Ok((fact.trim().to_owned(), value.trim().to_owned()))
        }
        _ => Err(Failure::new(2, format!("\"{text}\": write FACT=VALUE, as mother.wants_kindergarten=true"))),
    };
    given.iter().map(pair).collect()
}

/// The markup of a document in a file, without what stands before its root.
fn document(path: &Path) -> Result<String, Failure> {
    let failed = |cause: &dyn std::fmt::Display| Failure::new(2, format!("{}: {cause}", path.display()));
    let text = crate::host::config::read_bounded(path).map_err(|cause| failed(&cause))?;
    let text = text.trim_start_matches('\u{feff}').trim();
    let markup = if text.starts_with("<?xml") { text.split_once("?>").map_or("", |(_, rest)| rest) } else { text };
    Ok(markup.trim().to_owned())
}
