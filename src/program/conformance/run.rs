//! The run: makes the checks of the table one after the other, and has each judged.

use super::ask::{Asker, Door, Question, Wait, Wanted, altered, expired, raw, unknown_key};
use super::checks::{CHECKS, Step};
use super::judge::{Answer, Came, Expected, Verdict, has_selected, judge};
use super::persons::Persons;
use super::report::{AWAY, Asked, Line};
use crate::base::fault::Code;
use crate::base::ids::Identifier;
use crate::faces::client::ClientError;
use std::task::Poll;
use std::time::Duration;

/// How many questions are asked at once.
const CROWD: usize = 20;
/// How many optional fields are tried until a document has one.
pub const FIELDS_TRIED: usize = 6;
/// The deadline of a question that has a near one.
const NEAR: Duration = Duration::from_secs(2);
/// Codes that say that nobody has answered.
const NOT_THERE: [Code; 4] = [Code::RteUnreachable, Code::RteDeadline, Code::RteBusy, Code::RteLeftAlone];
/// What is said of a check that needs a port.
const NO_PORT: &str = "it has no port, so nobody but the gateway reaches it";

/// All that is asked of one document type.
pub struct Course<'c> {
    /// Who asks.
    pub asker: &'c Asker<'c>,
    /// For what.
    pub wanted: Wanted<'c>,
    /// About whom.
    pub persons: Persons,
    /// The agency's port, if it has one.
    pub door: Option<&'c Door>,
}

type Answers = Result<Vec<Answer>, ClientError>;

impl Course<'_> {
    /// Makes all checks; `told` hears of each as it is judged.
    pub async fn run(&self, told: &(dyn Fn(&Line) + Sync)) -> Result<Vec<Line>, ClientError> {
        let mut lines = Vec::with_capacity(CHECKS.len());
        for (at, check) in CHECKS.iter().enumerate() {
            let line = if check.step.is_at_port() && self.door.is_none() {
                line(at + 1, check.name, Verdict::Held(Some(NO_PORT)), &[])
            } else {
                let answers = self.answers(check.step).await?;
                line(at + 1, check.name, judge(check.step, &answers), &answers)
            };
            told(&line);
            lines.push(line);
        }
        Ok(lines)
    }

    async fn answers(&self, step: Step) -> Answers {
        let Persons { found: [first, second], none } = &self.persons;
        match step {
            Step::Found | Step::After => self.one(question(first, Expected::Paper), Wait::Usual).await,
            Step::Second => self.one(question(second, Expected::Paper), Wait::Usual).await,
            Step::NoRecord => self.one(question(none, Expected::NoRecord), Wait::Usual).await,
            Step::Bare => {
                let selected = Some(self.required().unwrap_or_default());
                self.one(Question { selected, ..question(first, Expected::Paper) }, Wait::Usual).await
            }
            Step::Selected => self.selected().await,
            Step::Again => self.each(vec![question(first, Expected::Paper), question(first, Expected::Paper)]).await,
            Step::Pair => self.at_once(vec![question(first, Expected::Paper), question(second, Expected::Paper)]).await,
            Step::Crowd => {
                let kinds = [(first, Expected::Paper), (second, Expected::Paper), (none, Expected::NoRecord)];
                let questions = kinds.iter().cycle().take(CROWD).map(|(about, expected)| question(about, *expected));
                self.at_once(questions.collect()).await
            }
            Step::OtherScheme => self.one(question(&self.persons.other_scheme(), Expected::Nobody), Wait::Usual).await,
            Step::Wildcards => self.hostile(self.persons.wildcards(), self.persons.wildcards_raw()).await,
            Step::Injection => {
                let mut answers = self.hostile(self.persons.injections(), self.persons.injections_raw()).await?;
                answers.extend(self.one(question(first, Expected::Paper), Wait::Usual).await?);
                Ok(answers)
            }
            Step::LookAlikes => self.hostile(self.persons.look_alikes(), self.persons.look_alikes_raw()).await,
            Step::Twice => self.twice().await,
            Step::Late => self.one(question(first, Expected::Paper), Wait::Afterwards).await,
            Step::Deadline => self.one(question(first, Expected::InTime), Wait::Deadline(NEAR)).await,
            Step::Altered | Step::UnknownKey | Step::Expired | Step::Stranger => self.at_port(step).await,
        }
    }

    async fn one(&self, question: Question, wait: Wait) -> Answers {
        Ok(vec![self.asker.ask(&self.wanted, &question, wait).await?])
    }

    async fn each(&self, questions: Vec<Question>) -> Answers {
        let mut answers = Vec::new();
        for question in questions {
            answers.extend(self.one(question, Wait::Usual).await?);
        }
        Ok(answers)
    }

    async fn at_once(&self, questions: Vec<Question>) -> Answers {
        let mut asked: Vec<_> =
            questions.iter().map(|question| (Box::pin(self.asker.ask(&self.wanted, question, Wait::Usual)), None)).collect();
        std::future::poll_fn(|context| {
            for (asking, came) in asked.iter_mut().filter(|(_, came)| came.is_none()) {
                if let Poll::Ready(answer) = asking.as_mut().poll(context) {
                    *came = Some(answer);
                }
            }
            if asked.iter().all(|(_, came)| came.is_some()) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        asked.into_iter().filter_map(|(_, came)| came).collect()
    }

    /// A path that every document has and that may be selected: whoever selects it selects nothing optional.
    fn required(&self) -> Option<String> {
        let [_, required] = self.wanted.document.paths();
        let plain = |path: &&String| !path.starts_with("Head") && !path.contains(['/', '@']);
        required.iter().find(plain).cloned()
    }

    /// The optional fields that the grant of the run gives.
    pub fn optional(document: &crate::message::schema::DocumentType) -> Vec<&str> {
        let [optional, _] = document.paths();
        let role = document.roles().first().copied().unwrap_or("").to_owned();
        let described = document.described(&role);
        let is_plain = |path: &&String| !path.contains(['/', '@']) && !described.iter().any(|part| part.covers(path));
        optional.iter().filter(is_plain).map(String::as_str).take(FIELDS_TRIED).collect()
    }

    /// Selects one field after the other until a document has it.
    async fn selected(&self) -> Answers {
        let mut answers = Vec::new();
        for field in Self::optional(self.wanted.document) {
            let selected = Some(field.to_owned());
            let asked = Question { selected, ..question(&self.persons.found[0], Expected::Paper) };
            let answer = self.asker.ask(&self.wanted, &asked, Wait::Usual).await?;
            let is_enough = has_selected(&answer) || !matches!(answer.came, Came::Papers(_));
            answers.push(answer);
            if is_enough {
                break;
            }
        }
        Ok(answers)
    }

    async fn hostile(&self, carried: Vec<Identifier>, uncarried: Vec<String>) -> Answers {
        let mut answers = self.each(carried.iter().map(|about| question(about, Expected::Nobody)).collect()).await?;
        let (Some(door), first) = (self.door, &self.persons.found[0]) else { return Ok(answers) };
        for value in &uncarried {
            let signed = raw(self.asker.client, &self.wanted, first.scheme(), value)?;
            answers.push(door.deliver(self.asker, &self.wanted, &question(first, Expected::Nobody), &signed).await);
        }
        Ok(answers)
    }

    async fn twice(&self) -> Answers {
        let asked = question(&self.persons.found[0], Expected::Paper);
        let signed = self.asker.client.sign(&self.wanted.question(self.asker.client, &asked)?, "")?;
        let mut answers = Vec::new();
        for _ in 0..2 {
            answers.push(match self.door {
                Some(door) => door.deliver(self.asker, &self.wanted, &asked, &signed).await,
                None => self.asker.put(&self.wanted, &asked, &signed, Wait::Usual).await?,
            });
        }
        Ok(answers)
    }

    async fn at_port(&self, step: Step) -> Answers {
        let Some(door) = self.door else { return Ok(Vec::new()) };
        let (client, asked) = (self.asker.client, question(&self.persons.found[0], Expected::Silence));
        let signed = match step {
            Step::Altered => altered(client, &self.wanted, &asked)?,
            Step::UnknownKey => unknown_key(client, &self.wanted, &asked)?,
            Step::Expired => expired(client, &self.wanted, &asked)?,
            _ => {
                let signed = client.sign(&self.wanted.question(client, &asked)?, "")?;
                return Ok(door.deliver_as_strangers(self.asker, &self.wanted, &asked, &signed).await);
            }
        };
        Ok(vec![door.deliver(self.asker, &self.wanted, &asked, &signed).await])
    }
}

fn question(about: &Identifier, expected: Expected) -> Question {
    Question { about: about.clone(), selected: None, expected }
}

fn line(number: usize, name: &str, verdict: Verdict, answers: &[Answer]) -> Line {
    let mut messages: Vec<Asked> = Vec::new();
    for answer in answers {
        let asked = Asked { id: answer.id.to_string(), record: answer.record };
        if !messages.contains(&asked) {
            messages.push(asked);
        }
    }
    let (held, what, code) = match verdict {
        Verdict::Held(note) => (true, note.map(str::to_owned), None),
        Verdict::Broken(what, code) => (false, Some(what), code),
    };
    // The catalogue tells whoever asks what to do; here it is told to whoever does not answer.
    let next = |code: Code| if NOT_THERE.contains(&code) { AWAY } else { code.next_step() };
    let (help, code) = (code.map(|code| next(code).to_owned()), code.map(|code| code.as_str().to_owned()));
    Line { number, name: name.to_owned(), held, what, code, help, messages }
}
