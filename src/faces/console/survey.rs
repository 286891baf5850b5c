//! How it was: one page for whoever has a link to it, without signing in. Looking at it does nothing; sending it uses up the link.

use super::html::{Field, Form, Note, Ordered, Page, Personal, Span, Tone, lead, list, notes, prose, text};
use super::request::Answer;
use super::{Answered, Visit};
use crate::base::fault::Fault;
use crate::base::time::UnixTime;
use crate::rules::quality::questionnaire::Kind;
use crate::rules::quality::{Questionnaire, Score};
use hyper::StatusCode;

/// What somebody is asked about, for people.
struct Asked {
    questionnaire: Questionnaire,
    situation: String,
    until: String,
}

async fn asked(visit: &Visit) -> Result<Asked, Fault> {
    let language = visit.words.0.tag();
    let look = |case: &crate::exchange::cases::Case, around: crate::exchange::cases::Around<'_>| Asked {
        questionnaire: visit.world.quality.questionnaires.of(around.situation.survey.as_ref()).clone(),
        situation: around.situation.title.in_language(language).to_owned(),
        until: case.invitation().map_or_else(String::new, |invited| UnixTime::from(invited.until).day().to_string()),
    };
    visit.gateway().surveyed(visit.of(), look).await
}

/// `GET /s/{token}`
pub(super) async fn survey(visit: Visit) -> Answered {
    let asked = asked(&visit).await?;
    visit.page(&form(&visit, &asked, None))
}

/// `POST /s/{token}`
pub(super) async fn rate(visit: Visit) -> Answered {
    // Only who has a link learns what the questionnaire is like.
    let asked = asked(&visit).await?;
    let answer = match asked.questionnaire.answer(visit.form.iter()) {
        Ok(answer) => answer,
        Err(wrong) => {
            let page = form(&visit, &asked, Some(&wrong.to_string()));
            return Ok(Answer::html(StatusCode::UNPROCESSABLE_ENTITY, visit.framed(&page)));
        }
    };
    visit.gateway().rate(visit.of(), answer).await?;
    let words = visit.words;
    let mut page = Page::new(words.say("survey.thanks"), visit.address.clone());
    page.is_personal = Personal::Yes;
    page.put(lead(&[text(words.say("survey.kept"))]));
    page.put(prose(&[text(words.say("survey.used"))]));
    visit.page(&page)
}

/// The questionnaire, and what was wrong with what was sent.
fn form(visit: &Visit, asked: &Asked, wrong: Option<&str>) -> Page {
    let (words, questionnaire) = (visit.words, &asked.questionnaire);
    let language = words.0.tag();
    let mut page = Page::new(questionnaire.title.in_language(language), visit.address.clone());
    page.is_personal = Personal::Yes;
    page.put(lead(&[Span::Strong(asked.situation.clone())]));
    if let Some(wrong) = wrong {
        let spans = vec![text(words.fill("survey.wrong", &[("what", wrong)]))];
        page.put(notes(words, &[Note { tone: Tone::Bad, spans, action: None }]));
    }
    let points = Score::RANGE.zip(&questionnaire.anchors);
    let options: Vec<(String, String)> =
        points.map(|(point, anchor)| (point.to_string(), format!("{point}\u{a0}— {}", anchor.in_language(language)))).collect();
    let fields = questionnaire.questions().iter().map(|question| {
        let label = question.text.in_language(language).to_owned();
        match question.kind {
            Kind::Scale(_) => Field::Scale { name: question.id.to_string(), label, options: options.clone() },
            Kind::Text { characters_max } => Field::Area {
                name: question.id.to_string(),
                label,
                hint: words.say("survey.hint").to_owned(),
                length: characters_max,
            },
        }
    });
    page.put(prose(&[text(words.say("survey.optional"))]));
    page.put(Form::post(visit.address.path.clone(), fields.collect(), words.say("survey.send"), "").html());
    let once = words.fill("survey.once", &[("day", &asked.until)]);
    let said = [words.say("survey.apart"), words.say("survey.nobody"), once.as_str()].map(|said| vec![text(said)]);
    page.put(list(&said, Ordered::No));
    page
}
