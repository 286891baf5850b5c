//! Two stories of life situations, told as they happen: the birth of a child, from the hospital's signed event to the last step, and the
//! note of a pupil who was ill, from the clinic to the class register. All that is told is what parties of the case see over their own
//! connections: the case and its timeline, and what agencies were sent.

use super::people::Person;
use super::postbox::Postbox;
use super::town::{COORDINATOR, PORTAL, Town};
use super::world::WorldError;
use crate::base::ids::{Code, Region, Uuid};
use crate::base::time::UnixTime;
use crate::faces::client::{CaseState, Client, NewCase, Order, Signed, application, order, problem_of};
use crate::rules::situation::StepIndex;
use crate::rules::situation::measure::Before;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::{Duration, Instant};

/// How many times as fast the clock of cases goes when a working day of eight hours passes in a second.
pub const WORKING_DAY_IN_A_SECOND: u32 = 8 * 60 * 60;

/// Something that was seen.
#[derive(Clone, Debug)]
pub struct Line {
    /// How long after the start, in minutes by the clock of the case; nothing before there is a case.
    pub minutes: Option<u64>,
    /// What it is: `fetched`, `done`, `asked`.
    pub word: String,
    /// By whom.
    pub who: String,
    /// In a sentence.
    pub said: String,
}

/// What came of a birth.
#[derive(Clone, Debug)]
pub struct Birth {
    /// The case.
    pub case: String,
    /// How it ended.
    pub state: String,
    /// Steps that were done.
    pub done: usize,
    /// Steps that applied.
    pub steps: usize,
    /// The agencies that did them.
    pub agencies: BTreeSet<String>,
    /// Those steps that another agency's desk did: step and desk.
    pub at_desks: Vec<(String, String)>,
    /// Documents that holders were asked for, and gave.
    pub fetched: u64,
    /// Documents that steps have made.
    pub made: u64,
    /// Documents that the family was asked for.
    pub brought: u64,
    /// Questions that the family was asked.
    pub questions: u64,
    /// Forms that they came in.
    pub forms: u64,
    /// Notices that the family got by mail.
    pub notices: usize,
    /// Days by the clock of the case, from its start to its end.
    pub days: f64,
    /// What it cost a family before.
    pub before: Before,
}

/// What came of a note.
#[derive(Clone, Debug)]
pub struct Note {
    /// The school that has marked the absence as excused.
    pub school: String,
    /// How long after the clinic had told of it, by everybody's clock.
    pub took: Duration,
    /// Messages that others than the clinic got.
    pub messages: usize,
    /// Those of them in which the diagnosis stands.
    pub with_diagnosis: usize,
}

/// Whom a line is told.
pub type Tell<'t> = &'t mut dyn FnMut(Line) -> io::Result<()>;

/// The birth of a child in a household: the hospital tells of it, and all else follows. The family says what nobody else can say, when it
/// was asked half a day before.
pub async fn tell_birth(
    town: &Town,
    postbox: &Postbox,
    (household, region): (u32, Option<&Region>),
    tell: Tell<'_>,
) -> Result<Birth, WorldError> {
    let event = town.birth(household, region.map(Region::as_str))?;
    post(&town.client("xx.town.maternity")?, &event).await?;
    tell(line("told", "xx.town.maternity", "medical-birth-record, signed; nobody applies"))?;
    let case = case_about(town, "birth-of-child", household).await?;
    let mut following = Following::new(town, case)?;
    let family = Family { town, mother: town.mother(household), client: town.client(PORTAL)? };
    family.join(&following.case).await?;
    let (mut notices, mut has_ended) = (0, None);
    let end = Instant::now() + LONG;
    loop {
        let seen = following.look(tell).await?;
        for mail in postbox.take() {
            let text = mail.text.lines().next().unwrap_or_default().trim();
            tell(line("mailed", &mail.to, text))?;
            notices += 1;
            has_ended = has_ended.or_else(|| text.contains(LAST_WORDS).then_some(()));
        }
        if seen["state"] != "open" && has_ended.is_some() {
            // What happened between the two looks of the last one.
            following.look(tell).await?;
            return Ok(Birth { notices, ..following.birth(&seen) });
        }
        if is_half_a_day_old(&seen) {
            family.answers(&following.case, &seen["form"]).await?;
        }
        if Instant::now() > end {
            return Err(unlike(&format!("the case {} is not over: {seen}", following.case)));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Leaves cases open for people to look at: more births, some with a step that its agency has taken and does not do.
pub async fn live_on(town: &Town, households: std::ops::Range<u32>) -> Result<(), WorldError> {
    town.manners().idle.extend(IDLE.map(str::to_owned));
    let maternity = town.client("xx.town.maternity")?;
    for household in households {
        post(&maternity, &town.birth(household, None)?).await?;
        case_about(town, "birth-of-child", household).await?;
    }
    Ok(())
}

/// A new personal link of a case of a household, by the portal at which the family applied.
pub async fn personal_link(town: &Town, case: &str, household: u32) -> Result<String, WorldError> {
    let family = Family { town, mother: town.mother(household), client: town.client(PORTAL)? };
    let id = Uuid::parse(case).ok_or_else(|| unlike("a case has no id"))?;
    let signed = family.town.apply(PORTAL, &family.mother, &order(id, Order::Link))?;
    let state = family.send(&format!("/v1/cases/{case}/orders"), &signed).await?;
    state.link.ok_or_else(|| unlike("the portal got no link"))
}

/// Steps that are taken and not done.
const IDLE: [&str; 2] = ["health-policy", "birth-allowance"];

/// The note of a pupil: with a diagnosis it is withheld, and without one it reaches the school at which the pupil is.
pub async fn tell_note(town: &Town, household: u32, tell: Tell<'_>) -> Result<Note, WorldError> {
    let clinic = town.client("xx.town.clinic")?;
    post(&clinic, &town.note(household, NOTE_DAYS, Some(DIAGNOSIS))?).await?;
    let mistake = format!("by mistake with the diagnosis {DIAGNOSIS}: withheld from whoever may not have it");
    tell(line("told", "xx.town.clinic", &mistake))?;
    let start = Instant::now();
    post(&clinic, &town.note(household, NOTE_DAYS, None)?).await?;
    tell(line("told", "xx.town.clinic", &format!("medical-absence-note, {NOTE_DAYS} days, without the diagnosis")))?;
    let id = case_about(town, "pupil-illness", household).await?;
    let client = town.client(COORDINATOR)?;
    let school = loop {
        let case = get(&client, &format!("/v1/cases/{id}")).await?;
        let excuse = rows(&case["steps"]).iter().find(|step| step["id"] == "excuse" && step["state"] == "done");
        if let Some(school) = excuse.and_then(|step| step["agency"].as_str()) {
            break school.to_owned();
        }
        if start.elapsed() > LONG {
            return Err(unlike(&format!("the note has not come to a school: {case}")));
        }
        tokio::time::sleep(PAUSE).await;
    };
    let took = start.elapsed();
    tell(line("done", &school, "the school that school-enrolment names: excused in its register"))?;
    let manners = town.manners();
    let others = manners.octets.iter().filter(|(kind, _)| *kind != "clinic").flat_map(|(_, messages)| messages);
    let has_it = |octets: &&Vec<u8>| octets.windows(DIAGNOSIS.len()).any(|part| part == DIAGNOSIS.as_bytes());
    Ok(Note { school, took, messages: others.clone().count(), with_diagnosis: others.filter(has_it).count() })
}

/// A case that is looked at again and again, as its coordinator sees it.
struct Following<'t> {
    town: &'t Town,
    client: Client,
    case: String,
    /// Events that were told.
    heard: usize,
    opened: UnixTime,
    /// Documents that holders were asked for.
    asked: BTreeSet<String>,
    /// Documents that agencies have made, and whose step was not told yet.
    made: BTreeMap<String, Vec<String>>,
    /// What the family was asked.
    questions: BTreeSet<String>,
}

impl<'t> Following<'t> {
    fn new(town: &'t Town, case: String) -> Result<Self, WorldError> {
        let client = town.client(COORDINATOR)?;
        let (opened, asked, made, questions) = (UnixTime::default(), BTreeSet::new(), BTreeMap::new(), BTreeSet::new());
        Ok(Self { town, client, case, heard: 0, opened, asked, made, questions })
    }

    /// Tells what is new; gives the case as it is just after.
    async fn look(&mut self, tell: Tell<'_>) -> Result<Value, WorldError> {
        let timeline = get(&self.client, &format!("/v1/cases/{}/timeline", self.case)).await?;
        let case = get(&self.client, &format!("/v1/cases/{}", self.case)).await?;
        self.opened = moment(&case["opened"]);
        let mut lines: Vec<Line> = Vec::new();
        for event in rows(&timeline).iter().skip(self.heard) {
            let Some(new) = self.line(event, &case) else { continue };
            let is_same = |last: &&mut Line| last.word == "fetched" && (&last.word, &last.who) == (&new.word, &new.who);
            // What comes from one holder is told together.
            match lines.iter_mut().find(is_same) {
                Some(last) => last.said = format!("{}, {}", last.said, new.said),
                None => lines.push(new),
            }
        }
        self.heard = rows(&timeline).len();
        lines.into_iter().try_for_each(tell)?;
        Ok(case)
    }

    /// An event in words; nothing of what says nothing to whoever listens.
    fn line(&mut self, event: &Value, case: &Value) -> Option<Line> {
        let (what, step, document, agency) =
            (word(event, "what"), word(event, "step"), word(event, "document"), word(event, "agency"));
        let (word_told, who, said) = match what.as_str() {
            "opened" => (
                "begun",
                COORDINATOR.to_owned(),
                format!("{} {}: case {}", word(case, "situation"), word(case, "version"), self.case),
            ),
            "asked" => {
                self.asked.insert(document);
                return None;
            }
            "came" if self.asked.contains(&document) => ("fetched", agency, document),
            "came" if agency == PORTAL => ("brought", agency, format!("{document}, by the family")),
            "came" => {
                self.made.entry(agency).or_default().push(document);
                return None;
            }
            "absent" => ("none", agency, format!("{document}: signed that there is none")),
            "done" => {
                let made = self.made.remove(&agency).map_or(String::new(), |made| format!("; makes {}", made.join(", ")));
                let said = format!("{step}: {}{made}", title(case, &step));
                ("done", agency, said)
            }
            "form" => ("asked", PORTAL.to_owned(), self.new_questions(&case["form"])?),
            "answered" => ("answered", PORTAL.to_owned(), "by the family".to_owned()),
            "joined" => (
                "joined",
                agency,
                "the family looks in, is told of the case that there is, and says where mail reaches it".to_owned(),
            ),
            "overdue" => ("late", agency, step),
            "closed" => ("over", COORDINATOR.to_owned(), format!("the case is {}", word(case, "state"))),
            // Steps on their way, and half of a term that is over.
            "begun" | "offered" | "accepted" | "half" => return None,
            other => (other, agency, format!("{step}{document}")),
        };
        let minutes = moment(&event["at"]).as_ms().saturating_sub(self.opened.as_ms()) / 60_000;
        Some(Line { minutes: Some(minutes), ..line(word_told, &who, &said) })
    }

    /// What the family was not asked before.
    fn new_questions(&mut self, form: &Value) -> Option<String> {
        let questions = rows(&form["ask"]).iter().map(|ask| word(ask, "question"));
        let papers = rows(&form["bring"]).iter().map(|bring| format!("bring {}", word(bring, "title").to_lowercase()));
        let new: Vec<String> = questions.chain(papers).filter(|question| self.questions.insert(question.clone())).collect();
        (!new.is_empty()).then(|| format!("the family: {}", new.join("; ")))
    }

    fn birth(&self, case: &Value) -> Birth {
        let steps = rows(&case["steps"]);
        let region = case["region"].as_str().and_then(Region::parse);
        let situation = Code::parse("birth-of-child").and_then(|id| self.town.catalogue().situation(&id, region.as_ref()));
        let indices =
            |named: &Value| -> Option<StepIndex> { Code::parse(named["id"].as_str()?).and_then(|id| situation?.step_named(&id)) };
        let done: Vec<&Value> = steps.iter().filter(|step| step["state"] == "done").collect();
        let before = situation.map(|situation| Before::of(situation, done.iter().filter_map(|step| indices(step))));
        let desk = |step: &&&Value| word(step, "channel").starts_with("onestop@");
        let count = |what: &str| case["counts"][what].as_u64().unwrap_or_default();
        Birth {
            case: self.case.clone(),
            state: word(case, "state"),
            done: done.len(),
            steps: steps.len(),
            agencies: done.iter().map(|step| word(step, "agency")).collect(),
            at_desks: done.iter().filter(desk).map(|step| (word(step, "id"), word(step, "agency"))).collect(),
            fetched: count("fetched"),
            made: count("made"),
            brought: count("brought"),
            questions: count("answered"),
            forms: count("forms"),
            notices: 0,
            days: moment(&case["ended"]).as_ms().saturating_sub(self.opened.as_ms()) as f64 / 86_400_000.0,
            before: before.unwrap_or_default(),
        }
    }
}

/// A family at the portal.
struct Family<'t> {
    town: &'t Town,
    mother: Person,
    client: Client,
}

impl Family<'_> {
    /// Says yes to what is asked, and brings what is to be brought.
    async fn answers(&self, case: &str, form: &Value) -> Result<(), WorldError> {
        let id = Uuid::parse(case).ok_or_else(|| unlike("a case has no id"))?;
        let yes = |ask: &Value| (word(ask, "fact"), if ask["kind"] == "bool" { "true" } else { "1" }.to_owned());
        let answers: Vec<(String, String)> = rows(&form["ask"]).iter().map(yes).collect();
        if !answers.is_empty() {
            self.order(case, &order(id, Order::Answer(&answers))).await?;
        }
        let papers = rows(&form["bring"]).iter().map(|bring| {
            let paper = self.town.paper(&word(bring, "document"), &self.mother);
            paper.ok_or_else(|| unlike(&format!("the family has no {}", word(bring, "document"))))
        });
        let papers = papers.collect::<Result<Vec<_>, _>>()?;
        if !papers.is_empty() {
            self.order(case, &format!("{}{}", order(id, Order::Bring), papers.concat())).await?;
        }
        Ok(())
    }

    /// Whoever applies for what is there already gets to know of it, and says where they are told of it.
    async fn join(&self, case: &str) -> Result<(), WorldError> {
        let code = |text: &str| Code::parse(text).ok_or_else(|| unlike(&format!("\"{text}\" is not a code")));
        let (situation, channel) = (code("birth-of-child")?, code("portal")?);
        let about = self.mother.subject();
        let new = NewCase {
            situation: &situation,
            channel: &channel,
            region: None,
            about: &about,
            others: &[],
            contact: Some((MAILBOX, Some("en"))),
            answers: &[],
        };
        let signed = self.town.apply(PORTAL, &self.mother, &application(&new))?;
        let found = self.send("/v1/cases", &signed).await?;
        if found.case == case { Ok(()) } else { Err(unlike(&format!("the portal has another case, {}", found.case))) }
    }

    async fn order(&self, case: &str, markup: &str) -> Result<(), WorldError> {
        let signed = self.town.apply(PORTAL, &self.mother, markup)?;
        self.send(&format!("/v1/cases/{case}/orders"), &signed).await.map(drop)
    }

    async fn send(&self, path: &str, signed: &Signed) -> Result<CaseState, WorldError> {
        let checked = self.client.exchange_at(path, signed, LONG, self.town.schemas()).await?;
        CaseState::read(&checked).ok_or_else(|| unlike("the coordinator has answered with something else"))
    }
}

/// The case in which something was asked about a household.
async fn case_about(town: &Town, situation: &str, household: u32) -> Result<String, WorldError> {
    let end = Instant::now() + LONG;
    loop {
        let found = town.manners().asked.iter().find_map(|asked| {
            let (case, of, _) = asked.context.as_ref()?;
            (of.as_str() == situation && asked.about? / 4 == household).then(|| case.to_string())
        });
        if let Some(case) = found {
            return Ok(case);
        }
        if Instant::now() > end {
            return Err(unlike(&format!("no case of {situation} has begun")));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn post(client: &Client, event: &Signed) -> Result<(), WorldError> {
    let told = client.post(event.octets.clone(), "", LONG).await?;
    if told.status.as_u16() == 202 {
        return Ok(());
    }
    let problem = problem_of(&told);
    Err(unlike(&format!("{}: {} {}", told.status, problem.code, problem.detail)))
}

async fn get(client: &Client, path: &str) -> Result<Value, WorldError> {
    let received = client.get(path).await?;
    if !received.status.is_success() {
        let problem = problem_of(&received);
        return Err(unlike(&format!("{path}: {} {}", problem.code, problem.title)));
    }
    Ok(serde_json::from_slice(&received.body).map_err(io::Error::other)?)
}

fn is_half_a_day_old(case: &Value) -> bool {
    let form = &case["form"];
    let is_asked = !rows(&form["ask"]).is_empty() || !rows(&form["bring"]).is_empty();
    is_asked && moment(&case["now"]).as_ms() >= moment(&form["since"]).plus_ms(HALF_A_DAY_MS).as_ms()
}

fn line(word: &str, who: &str, said: &str) -> Line {
    Line { minutes: None, word: word.to_owned(), who: who.to_owned(), said: said.to_owned() }
}

fn title(case: &Value, step: &str) -> String {
    rows(&case["steps"]).iter().find(|known| known["id"] == step).map_or(String::new(), |known| word(known, "title"))
}

fn rows(list: &Value) -> &[Value] {
    list.as_array().map_or(&[], Vec::as_slice)
}

fn word(of: &Value, key: &str) -> String {
    of[key].as_str().unwrap_or_default().to_owned()
}

fn moment(of: &Value) -> UnixTime {
    of.as_str().and_then(UnixTime::parse).unwrap_or_default()
}

fn unlike(what: &str) -> WorldError {
    WorldError::Unlike(what.to_owned())
}

const MAILBOX: &str = "mailto:family@home.example";
/// With these the last mail begins to end.
const LAST_WORDS: &str = "All that follows the birth of your child is done.";
const NOTE_DAYS: i64 = 4;
const DIAGNOSIS: &str = "J06.9";
const HALF_A_DAY_MS: u64 = 12 * 60 * 60 * 1000;
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(20);
/// The longest that anything here takes, on a machine that is busy with other things.
const LONG: Duration = Duration::from_secs(60);
