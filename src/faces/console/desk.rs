//! The desk of a one-stop shop: it applies for somebody who is present, fills in the short form, hands over the personal link, and takes a case
//! back. All of it goes to the coordinator as signed messages of the desk's agency, and who sat at the desk is on record.

use super::html::{Field, Form, Html, Must, Note, Page, Span, Tone, command, lead, link, notes, prose, section, text};
use super::log::person_in;
use super::request::Answer;
use super::seen::{fault_of, word_of};
use super::{Answered, Visit};
use crate::base::fault::{Code, Fault};
use crate::base::ids::{AgencyId, Code as Word, Region, Uuid};
use crate::faces::client::{NewCase, Order, application, order};
use crate::message::envelope::Subject;
use crate::rules::situation::Start;
use serde_json::Value;

fn agency(visit: &Visit) -> Result<AgencyId, Fault> {
    visit.who.as_ref().and_then(|who| who.official.agency.clone()).ok_or_else(|| Fault::new(Code::ConsoleDuty))
}

/// What can be applied for, and by which way.
fn offered(visit: &Visit) -> Vec<(Word, Word, String)> {
    let language = visit.words.0.tag();
    let mut found: Vec<(Word, Word, String)> = Vec::new();
    for situation in visit
        .world
        .catalogue
        .situations()
        .filter(|situation| situation.roles.iter().skip(1).all(|role| !role.found_in.is_empty()))
    {
        let channels = situation.starts_on.iter().filter_map(|start| match start {
            Start::Request(channel) => Some(channel.clone()),
            Start::Document(_) => None,
        });
        let channels: Vec<Word> = channels.collect();
        let channel = channels.iter().find(|channel| channel.as_str() == "onestop").or_else(|| channels.first());
        if let Some(channel) = channel.filter(|_| !found.iter().any(|(id, _, _)| *id == situation.id)) {
            found.push((situation.id.clone(), channel.clone(), situation.title.in_language(language).to_owned()));
        }
    }
    found.sort_by(|left, right| left.2.cmp(&right.2));
    found
}

/// `GET /desk`
pub(super) async fn desk(visit: Visit) -> Answered {
    let words = visit.words;
    let own = agency(&visit)?;
    let mut page = Page::new(words.say("desk.title"), visit.address.clone());
    page.put(lead(&[text(words.say("desk.lead"))]));
    if !visit.gateway().signs_for(&own) {
        page.put(notes(
            words,
            &[Note { tone: Tone::Warn, spans: vec![text(words.fill("desk.no-key", &[("agency", own.as_str())]))], action: None }],
        ));
        return visit.page(&page);
    }
    let options: Vec<(String, String)> = offered(&visit).into_iter().map(|(id, _, title)| (id.to_string(), title)).collect();
    let chosen = options.first().map(|(id, _)| id.clone()).unwrap_or_default();
    let input = |name: &str, label: &str, hint: &str, kind: &'static str, must: Must| Field::Input {
        name: name.into(),
        label: label.into(),
        value: String::new(),
        hint: hint.into(),
        kind,
        must,
    };
    let languages = vec![("en".to_owned(), "English".to_owned()), ("ru".to_owned(), "Русский".to_owned())];
    let fields = vec![
        Field::Choice { name: "situation".into(), label: words.say("cases.situation").into(), options, chosen },
        input("person", words.say("why.person"), words.say("why.person-hint"), "text", Must::Be),
        input("region", words.say("cases.region"), words.say("desk.region-hint"), "text", Must::Not),
        input("mail", words.say("desk.mail"), words.say("desk.mail-hint"), "email", Must::Not),
        Field::Choice {
            name: "tongue".into(),
            label: words.say("desk.tongue").into(),
            options: languages,
            chosen: words.0.tag().to_owned(),
        },
    ];
    page.put(section(
        "apply",
        words.say("desk.apply"),
        &[Form::post("/desk", fields, words.say("desk.go"), visit.token()).html()],
    ));
    page.put(prose(&[link(words.say("desk.cases"), "/cases")]));
    visit.page(&page)
}

/// `POST /desk`
pub(super) async fn apply(visit: Visit) -> Answered {
    let own = agency(&visit)?;
    let mut form = visit.form.clone();
    let mut take = |key: &str| form.take(key).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
    let wrong = |what: &'static str| Fault::at(Code::AudQuery, what);
    let person = take("person")
        .as_deref()
        .and_then(person_in)
        .ok_or_else(|| wrong("person: expected scheme and value with good check digits, as RU-SNILS 11223344595"))?;
    let situation = take("situation").and_then(|id| offered(&visit).into_iter().find(|(known, _, _)| known.as_str() == id));
    let (situation, channel, _) = situation.ok_or_else(|| Fault::new(Code::CasSituation))?;
    let region = take("region").map(|text| {
        Region::parse(&text.to_ascii_uppercase()).ok_or_else(|| wrong("region: expected one as RU-YAR (ISO 3166-2)"))
    });
    let region = region.transpose()?;
    let mail = take("mail").map(|mail| format!("mailto:{mail}"));
    let tongue = take("tongue").filter(|tongue| matches!(tongue.as_str(), "en" | "ru"));
    let about: Subject = vec![person].into();
    let contact = mail.as_deref().map(|mail| (mail, tongue.as_deref()));
    let new = NewCase {
        situation: &situation,
        channel: &channel,
        region: region.as_ref(),
        about: &about,
        others: &[],
        contact,
        answers: &[],
    };
    let markup = application(&new);
    visit.gateway().ask_at_desk(&own, &about, region.as_ref(), ("case-application", &markup)).await?;
    let id = visit.gateway().newest_case_of(&own, &about, &situation).await.map_err(fault_of)?;
    let id = id.ok_or_else(|| Fault::new(Code::CasUnknown))?;
    recorded(&visit, "apply", id).await?;
    Ok(Answer::see(&format!("/cases/{id}")))
}

async fn recorded(visit: &Visit, action: &str, id: Uuid) -> Result<(), Fault> {
    let who = visit.who.as_ref().ok_or_else(|| Fault::new(Code::ConsoleDuty))?;
    let onlooker = who.onlooker(&visit.world.registry);
    visit.gateway().record_doing(&onlooker, action, Some(id), None).await.map(drop)
}

/// What a desk can do in a case that it sees all of.
pub(super) fn forms(visit: &Visit, id: Uuid, view: &Value) -> Vec<Html> {
    let words = visit.words;
    let is_whole = view["form"].is_object() && view["state"] == "open";
    let signs =
        visit.who.as_ref().and_then(|who| who.official.agency.as_ref()).is_some_and(|agency| visit.gateway().signs_for(agency));
    if !is_whole || !signs {
        return Vec::new();
    }
    let mut inside = Vec::new();
    let asked = view["form"]["ask"].as_array().map(Vec::as_slice).unwrap_or_default();
    let yes_no =
        || vec![("true".to_owned(), words.say("desk.yes").to_owned()), ("false".to_owned(), words.say("desk.no").to_owned())];
    let fields: Vec<Field> = asked
        .iter()
        .map(|ask| {
            let (name, label) = (
                format!("f.{}", word_of(ask, "fact")),
                ask["question"].as_str().map_or_else(|| word_of(ask, "fact"), str::to_owned),
            );
            match ask["kind"].as_str() {
                Some("bool") => Field::Scale { name, label, options: yes_no() },
                kind => Field::Input {
                    name,
                    label,
                    value: String::new(),
                    hint: kind.unwrap_or_default().to_owned(),
                    kind: if kind == Some("day") { "date" } else { "text" },
                    must: Must::Be,
                },
            }
        })
        .collect();
    if !fields.is_empty() {
        inside.push(Form::post(format!("/cases/{id}/answers"), fields, words.say("desk.answer"), visit.token()).html());
    }
    inside.push(Form::post(format!("/cases/{id}/link"), Vec::new(), words.say("desk.link"), visit.token()).classed("row").html());
    let withdraw =
        Form::post(format!("/cases/{id}/withdraw"), Vec::new(), words.say("desk.withdraw"), visit.token()).classed("row").html();
    inside.push(super::html::details(words.say("desk.withdraw-lead"), &[withdraw]));
    vec![section("desk", words.say("desk.do"), &inside)]
}

/// The case of a form, about whom it is, and whose desk this is.
async fn at_desk(visit: &Visit) -> Result<(Uuid, Subject, AgencyId), Fault> {
    let unknown = || Fault::new(Code::CasUnknown);
    let id = Uuid::parse(&visit.of().to_ascii_lowercase()).ok_or_else(unknown)?;
    let own = agency(visit)?;
    let about = visit
        .gateway()
        .case(id, &own, |case, _, part| (part == crate::exchange::cases::Part::Whole).then(|| case.subject()))
        .await;
    let about = about.map_err(fault_of)?.ok_or_else(|| Fault::new(Code::CasParty))?;
    Ok((id, about, own))
}

async fn ordered(visit: &Visit, id: Uuid, about: &Subject, own: &AgencyId, markup: &str) -> Result<(), Fault> {
    visit.gateway().ask_at_desk(own, about, None, ("case-order", markup)).await?;
    recorded(visit, "order", id).await
}

/// `POST /cases/{id}/answers`
pub(super) async fn answers(visit: Visit) -> Answered {
    let (id, about, own) = at_desk(&visit).await?;
    let said: Vec<(String, String)> = visit
        .form
        .iter()
        .filter_map(|(key, value)| Some((key.strip_prefix("f.")?.to_owned(), value.trim().to_owned())))
        .filter(|(_, value)| !value.is_empty())
        .collect();
    if said.is_empty() {
        return Err(Fault::new(Code::CasAnswer));
    }
    ordered(&visit, id, &about, &own, &order(id, Order::Answer(&said))).await?;
    Ok(Answer::see(&format!("/cases/{id}")))
}

/// `POST /cases/{id}/withdraw`
pub(super) async fn withdraw(visit: Visit) -> Answered {
    let (id, about, own) = at_desk(&visit).await?;
    ordered(&visit, id, &about, &own, &order(id, Order::Withdraw)).await?;
    Ok(Answer::see(&format!("/cases/{id}")))
}

/// `POST /cases/{id}/link`: the personal link, to print and hand over. It is shown once: another is made the next time.
pub(super) async fn personal(visit: Visit) -> Answered {
    let words = visit.words;
    let (id, about, own) = at_desk(&visit).await?;
    ordered(&visit, id, &about, &own, &order(id, Order::Link)).await?;
    let found = visit.gateway().link_for(id, &own).await.map_err(fault_of)?;
    let found = found.ok_or_else(|| Fault::new(Code::CasLink))?;
    let public = visit.console.config.notices.public_url.as_ref().map(|url| url.to_string().trim_end_matches('/').to_owned());
    let base = public.unwrap_or_else(|| visit.console.url());
    let mut page =
        Page::new(words.say("desk.link-title"), visit.address.clone()).below(words.say("cases.title"), format!("/cases/{id}"));
    page.put(lead(&[text(words.say("desk.link-lead"))]));
    page.put(command(words.say("desk.link-is"), &format!("{base}/my/{found}")));
    page.put(prose(&[text(words.say("my.case-number")), text(" "), Span::Code(id.to_string())]));
    visit.page(&page)
}
