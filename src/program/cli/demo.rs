//! `oncegate demo`

mod births;
mod pages;

use super::{Failure, Out, Outcome, runtime};
use crate::base::ids::{Code, Region};
use crate::evidence::tlog::proof::Proof;
use crate::faces::client::{Checked, Client, ClientError, Problem, Row, Signed, problem_of};
use crate::gateway::witness::Witnessing;
use crate::host::config::{Config, Lines};
use crate::host::store::{Settings, Store, StoreError, log_key, verify_all};
use crate::host::telemetry::Telemetry;
use crate::host::transport::{Fetcher, trust};
use crate::message::envelope::{Ask, Body, Context, World as MessageWorld};
use crate::program::demo::{Behaviour, CASES, Cast, Person, Plan, Role, Story, World};
use crate::program::demo::{DemoWitness, change_record, copy, drop_record};
use crate::program::setup::Installation;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

const EXAMPLES: &str = "Examples:\n  oncegate demo --once\n  oncegate demo --birth --region RU-YAR --once     a child is born, and nothing else\n  \
oncegate demo --in world     keeps the world in a folder, and stays up";

/// Make a throw-away world and run real exchanges in it.
#[derive(clap::Args)]
#[command(before_help = EXAMPLES)]
pub(super) struct Demo {
    /// End after the summary
    #[arg(long)]
    once: bool,
    /// The folder of the world; without it, one that is removed at the end
    #[arg(long = "in")]
    folder: Option<PathBuf>,
    /// Only the stories of life situations: the birth of a child, and the note of a pupil
    #[arg(long)]
    birth: bool,
    /// Where the child is born; in RU-YAR the perinatal clinic issues certificate and policy
    #[arg(long)]
    region: Option<String>,
}

/// A question of the demo: who asks, what, of whom, for which purpose, on which basis.
struct Question {
    agency: &'static str,
    story: &'static str,
    document: &'static str,
    role: Role,
    purpose: &'static str,
    basis: &'static str,
}

const fn question(
    agency: &'static str,
    story: &'static str,
    document: &'static str,
    role: Role,
    purpose: &'static str,
    basis: &'static str,
) -> Question {
    Question { agency, story, document, role, purpose, basis }
}

const SCHOOL: &str = "xx.demo.school-17";
const FUND: &str = "xx.demo.social-fund";
const REGISTRY: &str = "xx.demo.civil-registry";
const CLINIC: &str = "xx.demo.clinic-3";
const AUDITOR: &str = "xx.demo.auditor";

const QUESTIONS: [Question; 6] = [
    question(
        SCHOOL,
        "A pupil is back at school; nobody carries a note",
        "medical-absence-note",
        Role::Pupil,
        "school-attendance",
        "XX:HEALTH:13",
    ),
    question(
        REGISTRY,
        "A birth is registered from the hospital's record",
        "medical-birth-record",
        Role::Mother,
        "birth-registration",
        "XX:CIVIL:14",
    ),
    question(
        FUND,
        "The social fund pays the birth allowance",
        "birth-certificate",
        Role::Newborn,
        "birth-allowance",
        "XX:FAMILY:81",
    ),
    question(FUND, "It needs to know who the mother is", "identity-record", Role::Mother, "birth-allowance", "XX:FAMILY:81"),
    question(FUND, "And where the child lives", "residence-record", Role::Newborn, "birth-allowance", "XX:FAMILY:81"),
    question(FUND, "And that the elder child is at school", "school-enrolment", Role::Pupil, "child-benefit", "XX:FAMILY:90"),
];

/// How many families are served after the story, to measure with.
const FAMILIES: u32 = 60;

/// What the demo has seen.
#[derive(Default)]
struct Tally {
    clients: BTreeMap<&'static str, Client>,
    latencies: Vec<Duration>,
    documents: usize,
    statements: usize,
    refused: usize,
}

impl Demo {
    pub(super) fn run(self, out: &Out) -> Outcome {
        let temporary = std::env::temp_dir().join(format!("oncegate-demo-{}", std::process::id()));
        let (folder, is_kept) = match &self.folder {
            Some(folder) => (folder.clone(), true),
            None => (temporary, false),
        };
        let region = self.region.as_deref().map(|text| {
            let region = Region::parse(text);
            region.ok_or_else(|| Failure::new(2, format!("\"{text}\" is not a region, as RU-YAR is (ISO 3166-2)")))
        });
        let region = region.transpose()?;
        let result = runtime()?.block_on(async {
            match self.birth {
                true => self.births(&folder, region.as_ref(), out).await,
                false => self.play(&folder, region.as_ref(), out).await,
            }
        });
        if !is_kept {
            let _ = std::fs::remove_dir_all(&folder);
        }
        result
    }

    /// The stories of life situations alone.
    async fn births(&self, folder: &Path, region: Option<&Region>, out: &Out) -> Outcome {
        let told = births::births(&folder.join("town"), region, out).await?;
        if !self.once {
            out.say("\nit stays up until Ctrl-C; try next");
            told.next_steps(out).await?;
            tokio::signal::ctrl_c().await?;
        }
        told.stop().await;
        Ok(())
    }

    async fn play(&self, folder: &Path, region: Option<&Region>, out: &Out) -> Outcome {
        let failed = |error: crate::program::demo::WorldError| Failure::new(1, error);
        let start = Instant::now();
        let witness = DemoWitness::make(&folder.join("witness")).await?;
        let config = format!(
            "records = \"off\"\n{}\n[limits]\nanswer_ms = 1500\nbody_ms = 500\n{}",
            witness.configuration(),
            pages::CONFIGURATION
        );
        let (waiting, serving) = (Mutex::new(Some(witness)), Mutex::new(None));
        let (cast, enrolled) = (Cast::gather()?, Mutex::new(Ok(())));
        let prepare = |installation: &Installation| {
            *enrolled.lock().unwrap_or_else(PoisonError::into_inner) = cast.enrol(installation);
            // The witness has to know the log's key before the gateway asks it at its start.
            let key = Config::load(&installation.config()).ok().and_then(|config| log_key(&config.data, &config.log.origin).ok());
            let witness = waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
            let served = key.zip(witness).map(|(key, witness)| witness.serve(&key));
            *serving.lock().unwrap_or_else(PoisonError::into_inner) = served.and_then(Result::ok);
        };
        let world = World::start(folder, &Plan { config: &config, absent: &[], prepare: &prepare }).await.map_err(failed)?;
        enrolled.into_inner().unwrap_or_else(PoisonError::into_inner)?;
        out.print(format_args!(
            "A world of {} people and {} agencies; the gateway listens at https://{}",
            world.people().len(),
            12 + Cast::agencies(),
            world.exchange_address()
        ))?;
        out.print(format_args!(
            "made and started in {:.1} s: authority, keys, certificates, registry, 4 registers as HTTPS servers\n",
            start.elapsed().as_secs_f64()
        ))?;
        keep_tables(&world, out).await?;
        let mut tally = Tally::default();
        for (number, question) in QUESTIONS.iter().enumerate() {
            out.print(format_args!("{}. {}", number + 1, question.story))?;
            tell(&world, question, &mut tally, out).await?;
        }
        out.print(format_args!("{} more families get what they are due", FAMILIES))?;
        for family in 1..=FAMILIES {
            for question in &QUESTIONS {
                ask(&world, question, family, &mut tally).await?;
            }
        }
        refusals(&world, &mut tally, out).await?;
        refused_answer(&world, out).await?;
        evidence(&world, &mut tally, out).await?;
        delivery(&world, cast, out).await?;
        let told = births::births(&folder.join("town"), region, out).await?;
        summary(&world, &mut tally, out)?;
        if !self.once {
            world.retire_unwell().await?;
            next_steps(&world, out)?;
            told.next_steps(out).await?;
            tokio::signal::ctrl_c().await?;
        }
        told.stop().await;
        world.stop().await;
        Ok(())
    }
}

/// Has the holders answer from tables; what becomes of a table that somebody changes is said.
#[cfg(feature = "agent")]
async fn keep_tables(world: &World, out: &Out) -> Outcome {
    let is_quiet = out.is_quiet;
    let say = Arc::new(move |line: String| Out { is_json: false, is_quiet }.say(format_args!("   {line}")));
    Ok(crate::program::demo::keep_tables(world, say).await?)
}

#[cfg(not(feature = "agent"))]
async fn keep_tables(_: &World, _: &Out) -> Outcome {
    Ok(())
}

fn person(world: &World, family: u32, role: Role) -> Option<&Person> {
    world.people().iter().find(|person| person.household() == family && person.role == role)
}

async fn ask(world: &World, question: &Question, family: u32, tally: &mut Tally) -> Result<Checked, Failure> {
    let client = match tally.clients.get(question.agency) {
        Some(client) => client.clone(),
        None => {
            let client = Client::load(&world.agency_folder(question.agency))?;
            tally.clients.insert(question.agency, client.clone());
            client
        }
    };
    let request = request(world, &client, question, family)?;
    let start = Instant::now();
    let checked = client.exchange(&request, Duration::from_secs(20), world.schemas()).await?;
    tally.latencies.push(start.elapsed());
    match &checked.message.body {
        Body::Documents(documents) => tally.documents += documents.len(),
        _ => tally.statements += 1,
    }
    Ok(checked)
}

/// The signed request of a question about a family.
fn request(world: &World, client: &Client, question: &Question, family: u32) -> Result<Signed, Failure> {
    let code = |text: &str| Code::parse(text).ok_or_else(|| Failure::new(1, format!("\"{text}\" is not a code")));
    let subject = person(world, family, question.role).map(Person::subject).unwrap_or_default();
    let ask = Ask { document_type: code(question.document)?, of: None, select: Vec::new(), during: None };
    let context = Context::new(code(question.purpose)?, question.basis, subject);
    Ok(client.request(ask, context, None, MessageWorld::Live)?)
}

/// One exchange, step by step: everything that is said was observed from outside.
async fn tell(world: &World, question: &Question, tally: &mut Tally, out: &Out) -> Outcome {
    let start = Instant::now();
    let checked = ask(world, question, 0, tally).await?;
    let elapsed = start.elapsed();
    out.print(format_args!(
        "   asks      {} for {}, purpose {}, basis {}",
        question.agency, question.document, question.purpose, question.basis
    ))?;
    out.print(
        "   passed    client certificate, quota, XML, signature, sender, time, replay, grant, holder; recorded; then forwarded",
    )?;
    let from = &checked.message.header.from;
    out.print(format_args!(
        "   answers   {from}, signed; passed signature, question, schema, check digits, subject, fields; recorded; then released"
    ))?;
    for Row { place: path, value, .. } in checked.outline.iter().filter(|row| shown(&row.path)).take(5) {
        out.print(format_args!("             {path:<28} {value}"))?;
    }
    let index = checked.log_index.map_or("?".to_owned(), |index| index.to_string());
    out.print(format_args!(
        "   record    {index} in the log; {:.1} ms with making the request and checking the answer\n",
        elapsed.as_secs_f64() * 1e3
    ))
}

/// The document's own fields rather than its head and who it is about.
fn shown(path: &str) -> bool {
    let is_about = path.contains("Name/") || ["Id", "Sex", "BirthDate"].iter().any(|field| path.ends_with(field));
    !path.starts_with("Head") && !path.contains('@') && !is_about && !path.is_empty()
}

async fn refusals(world: &World, tally: &mut Tally, out: &Out) -> Outcome {
    out.print(format_args!(
        "\n{} kinds of bad input: each is refused with its code and recorded, and its correct twin passes",
        CASES.len()
    ))?;
    out.print(format_args!("   {:<44} {:<12} {:<6} {:<9} {:<12} {}", "sent", "code", "status", "blame", "retry", "record"))?;
    for case in CASES {
        let verdict = case.run(world).await?;
        if !verdict.is_right(case) {
            return Err(Failure::new(
                1,
                format!("{}: expected {}, got {:?}; its twin got {:?}", case.name, case.code, verdict.bad, verdict.twin),
            ));
        }
        tally.refused += 1;
        let (status, problem) = (verdict.bad.status, &verdict.bad.problem);
        let record = problem.log_index.map_or(String::new(), |index| index.to_string());
        out.print(format_args!(
            "   {:<44} {:<12} {:<6} {:<9} {:<12} {}",
            case.name, problem.code, status, problem.blame, problem.retry, record
        ))?;
    }
    Ok(())
}

/// A holder answers with a document that breaks its schema: what each of the three sides learns of it.
async fn refused_answer(world: &World, out: &Out) -> Outcome {
    let client = world.client(SCHOOL)?;
    let request = request(world, &client, &QUESTIONS[0], Behaviour::Invalid.household())?;
    let problem = match client.exchange(&request, Duration::from_secs(20), world.schemas()).await {
        Err(ClientError::Refused(problem)) => problem,
        Err(other) => return Err(other.into()),
        Ok(_) => return Err(Failure::new(1, "an answer that breaks its schema was released")),
    };
    let Problem { code, title, .. } = &problem;
    let index = problem.log_index.ok_or_else(|| Failure::new(1, "the refusal has no record"))?;
    out.print("\nA holder's answer is refused: who learns what")?;
    out.print(format_args!("   {SCHOOL}, who asked, is told the rule alone:\n      {code} {title}    record {index}"))?;
    out.print(format_args!("   {CLINIC}, who answered, sees the cause: oncegate refusals {} --as …", request.id))?;
    let told = super::refusals::fetch(&world.client(CLINIC)?, request.id).await?;
    super::refusals::lines(&told["refusals"][0]).iter().try_for_each(|line| out.print(format_args!("      {line}")))?;
    out.print(format_args!("   {AUDITOR} sees it too, and is recorded: oncegate log show {index} --reason \"demo\" --as …"))?;
    let seen = world.client(AUDITOR)?.get(&format!("/v1/log/records/{index}?reason=demo")).await?;
    if !seen.status.is_success() {
        return Err(ClientError::Refused(problem_of(&seen)).into());
    }
    let seen: serde_json::Value = serde_json::from_slice(&seen.body).map_err(|error| Failure::new(1, error))?;
    let word = |value: &serde_json::Value| value.as_str().unwrap_or("-").to_owned();
    out.print(format_args!("      cause     {}", word(&seen["private"]["cause"])))?;
    out.print(format_args!("      this look is record {}", seen["recordedAs"]))
}

/// A receipt, verified without the gateway; and three ways to lie about the log, each on a copy, and who finds it.
async fn evidence(world: &World, tally: &mut Tally, out: &Out) -> Outcome {
    let failed = |what: &str| Failure::new(1, what.to_owned());
    let config = Config::load(&world.installation().config()).map_err(|error| Failure::new(1, error))?;
    let key = log_key(&config.data, &config.log.origin)?;
    let older = world.folder().join("older");
    copy(&config.data, &older)?;
    out.print("\nThe receipt of an exchange: whoever has it can prove the record")?;
    let checked = ask(world, &QUESTIONS[0], 1, tally).await?;
    let client = world.client(SCHOOL)?;
    let id = checked.message.header.in_reply_to.map(|question| question.id.to_string()).unwrap_or_default();
    // The witness is asked every second: wait for a checkpoint that it has cosigned.
    let (mut receipt, end) = (String::new(), Instant::now() + Duration::from_secs(10));
    while receipt.matches('\u{2014}').count() < 4 && Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let received = client.get(&format!("/v1/messages/{id}/receipt")).await?;
        receipt = String::from_utf8_lossy(&received.body).into_owned();
    }
    let path = world.folder().join("receipt.tlog-proof");
    std::fs::write(&path, &receipt)?;
    let proofs = Proof::parse_bundle(&receipt).map_err(|error| Failure::new(1, error))?;
    let last = proofs.last().ok_or_else(|| failed("there is no receipt"))?;
    last.to_string().lines().try_for_each(|line| out.print(format_args!("   | {}", &line[..line.floor_char_boundary(100)])))?;
    for proof in &proofs {
        let shown = proof.verify(&key).map_err(|error| Failure::new(1, error))?;
        out.print(format_args!(
            "   verified  record {} is in the log of {} records; checked with the log's key alone",
            shown.index, shown.head.size
        ))?;
    }
    out.print(format_args!("   key       {key}"))?;
    out.print("\nThree attempts to falsify the log, by somebody who has its disk and its key")?;
    let copied = |name: &str| {
        let folder = world.folder().join(name);
        copy(&config.data, &folder).map(|()| folder)
    };
    let (index, checkpoint) = (last.index - 1, std::slice::from_ref(&last.checkpoint));
    let changed = copied("changed")?;
    change_record(&changed, index)?;
    let found = verify_all(&changed, &[]).err().ok_or_else(|| failed("a changed record was not found"))?;
    out.print(format_args!("   record {index} changed, its checksum made to fit\n      found by `log verify --all`: {found}"))?;
    let dropped = copied("dropped")?;
    drop_record(&dropped, index)?;
    // What is derived from the journal makes itself anew.
    Store::open(&dropped, &config.log.origin, Settings::default())?.0.close();
    verify_all(&dropped, &[]).map_err(|error| Failure::new(1, error))?;
    let found = verify_all(&dropped, checkpoint).err().ok_or_else(|| failed("a dropped record was not found"))?;
    out.print(format_args!(
        "   record {index} removed, another put at the end, everything rewritten so that it is consistent\n      found by whoever has a receipt: {found}"
    ))?;
    let (store, _) = Store::open(&older, &config.log.origin, Settings::default())?;
    let authorities = config.log.authorities.as_ref().unwrap_or(&config.exchange.authorities);
    let fetcher = Fetcher::new(trust(authorities).map_err(|error| Failure::new(1, error))?);
    let witnessing = Witnessing::new(&config.log.witnesses, key, &fetcher);
    let (store, telemetry) = (Arc::new(store), Telemetry::new(Lines::Off));
    let found = witnessing.check_not_rolled_back(&store, &telemetry).await;
    store.close();
    let found = found.err().ok_or_else(|| failed("a rollback was not found"))?;
    out.print(format_args!("   an older copy put back\n      found by the witness, before the gateway starts: {found}"))
}

/// Five stories of what is on its way, each told in a line, and its records in another.
async fn delivery(world: &World, cast: Cast, out: &Out) -> Outcome {
    out.print("\nDelivery: a holder is down, another opens no port, news, a large file, a question taken back")?;
    let mut stage = cast.on_stage(world)?;
    for story in Story::ALL {
        let told = stage.tell(story).await?;
        out.print(format_args!("   {:<14} {}", story.title(), told.said))?;
        let records: Vec<String> = told.records.iter().map(|(kind, index)| format!("{kind} {index}")).collect();
        out.print(format_args!("   {:<14} verified  receipts of {}", "", records.join(", ")))?;
    }
    Ok(())
}

fn summary(world: &World, tally: &mut Tally, out: &Out) -> Outcome {
    tally.latencies.sort_unstable();
    let at =
        |share: usize| tally.latencies.get((tally.latencies.len() * share / 100).min(tally.latencies.len().saturating_sub(1)));
    let ms = |latency: Option<&Duration>| latency.map_or(0.0, |latency| latency.as_secs_f64() * 1e3);
    let (median, p99) = (ms(at(50)), ms(at(99)));
    let exchanges = tally.latencies.len();
    if out.is_json {
        return out.print(serde_json::json!({
            "format": 1, "exchanges": exchanges, "documents": tally.documents, "statements": tally.statements,
            "refused": tally.refused, "medianMs": median, "p99Ms": p99, "folder": world.folder(),
        }));
    }
    out.print("\nsummary")?;
    out.print(format_args!("   {:>5} documents that no citizen carried", tally.documents))?;
    out.print(format_args!("   {:>5} signed statements that there is no record", tally.statements))?;
    out.print(format_args!("   {:>5} kinds of bad input refused, each recorded", tally.refused))?;
    out.print(format_args!(
        "   {median:>5.1} ms median, {p99:.1} ms p99 of {exchanges} exchanges, as the consumer sees them, one after the other"
    ))
}

fn next_steps(world: &World, out: &Out) -> Outcome {
    let (address, folder) = (world.exchange_address(), world.folder().display());
    let school = world.agency_folder(SCHOOL);
    let school = school.display();
    let id = person(world, 0, Role::Pupil).map_or("", |person| person.identifier.value());
    out.print("\nit stays up until Ctrl-C; try next")?;
    out.print(format_args!(
        "   oncegate ask medical-absence-note --of XX-OGTEST:{id} --for school-attendance --as {school} -o answer.xml"
    ))?;
    out.print(format_args!("   xmlsec1 --verify --trusted-pem {school}/ca.pem --enabled-key-data x509 answer.xml"))?;
    #[cfg(feature = "agent")]
    tables(world, id, &school.to_string(), out)?;
    out.print(format_args!(
        "   curl --cacert {school}/ca.pem --cert {school}/tls.pem --key {school}/tls.key https://{address}/v1/catalogue"
    ))?;
    out.print(format_args!("   curl http://{}/metrics", world.public_address()))?;
    out.print(format_args!("   oncegate doctor -c {folder}/oncegate.toml"))?;
    out.print("\nthe pages, by links that are good once within ten minutes; oncegate console link makes others")?;
    pages::links(&world.installation().config(), PEOPLE, out)
}

/// What somebody can do with the tables of the holders.
#[cfg(feature = "agent")]
fn tables(world: &World, id: &str, school: &str, out: &Out) -> Outcome {
    let table = crate::program::demo::notes_of_the_clinic(world);
    let folder = table.parent().unwrap_or(world.folder()).display();
    out.print("\nthe holders are agents that answer from tables; open this one in an editor or a spreadsheet:")?;
    out.print(format_args!("   {}", table.display()))?;
    out.print(format_args!(
        "in the line of {id} write injury in the place of illness, save, and ask; the answer is another one within a second:"
    ))?;
    out.print(format_args!("   oncegate ask medical-absence-note --of XX-OGTEST:{id} --for school-attendance --as {school}"))?;
    out.print("take the line out, and the answer is a signed \"there is no record\"; leave a quotation mark open somewhere, and the last good table stays in use, as is said here")?;
    out.print(format_args!("   oncegate agent check {folder}"))?;
    out.print("")
}

/// Who looks at the pages of the world.
const PEOPLE: &[pages::Seat] = &[
    ("i.ivanov", "operator", None, "what needs attention, agencies, what ends"),
    ("a.petrova", "auditor", Some(AUDITOR), "the whole log with its proofs, and persons for a reason"),
    ("school-17", "agency", Some(SCHOOL), "its own exchanges"),
];

impl From<crate::program::demo::WorldError> for Failure {
    fn from(error: crate::program::demo::WorldError) -> Self {
        match error {
            crate::program::demo::WorldError::Io(cause) => cause.into(),
            other => Self::new(1, other),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::new(6, error)
    }
}

const _: fn(ClientError) -> Failure = Failure::from;
