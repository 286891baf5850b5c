//! A case in words: as the gateway shows it, and as the coordinator has signed it.

use super::super::{Out, Outcome};
use crate::faces::client::{CaseState, Checked};
use serde_json::{Value, json};

/// What was answered to an application or an order.
pub(super) fn state(state: &CaseState, checked: &Checked, done: &str, out: &Out) -> Outcome {
    let (from, time) = (&checked.message.header.from, checked.message.header.created_at);
    if out.is_json {
        let steps = state.steps.iter().map(|step| json!({ "id": step.id, "state": step.state, "due": step.due }));
        let ask = state.ask.iter().map(|(fact, kind)| json!({ "fact": fact, "kind": kind }));
        let choose = state.choose.iter().map(|(appointment, days)| json!({ "appointment": appointment, "days": days }));
        let bring = state.bring.iter().map(|(document, role)| json!({ "document": document, "role": role }));
        return out.print(json!({
            "format": 1, "case": state.case, "situation": state.situation, "version": state.version, "state": state.state,
            "link": state.link, "steps": steps.collect::<Vec<_>>(), "ask": ask.collect::<Vec<_>>(),
            "choose": choose.collect::<Vec<_>>(), "bring": bring.collect::<Vec<_>>(), "from": from.as_str(), "signedAt": time.to_string(), "logIndex": checked.log_index,
        }));
    }
    out.print(format_args!("{done}  {} {}, case {}, {}", state.situation, state.version, state.case, state.state))?;
    out.print(format_args!("signed by {from} {time}, signature and certificate verified"))?;
    for step in &state.steps {
        let due = step.due.as_ref().map_or(String::new(), |due| format!("due {due}"));
        out.print(format_args!("  {:<10} {:<30} {due}", step.state, step.id).to_string().trim_end())?;
    }
    for (fact, kind) in &state.ask {
        out.print(format_args!("ask    {fact} ({kind})    oncegate case answer {} {fact}=…", state.case))?;
    }
    for (appointment, days) in &state.choose {
        let (days, case) = (days.join(", "), &state.case);
        out.print(format_args!("choose {appointment}: {days}    oncegate case answer {case} appointment.{appointment}=DAY"))?;
    }
    for (document, role) in &state.bring {
        out.print(format_args!("bring  {document} of {role}    oncegate case bring {} FILE", state.case))?;
    }
    if let Some(link) = &state.link {
        out.print(format_args!("link   /my/{link}    on the public address of the gateway; whoever has it sees the case"))?;
    }
    checked.log_index.map_or(Ok(()), |index| out.print(format_args!("log {index}")))
}

/// How far a case is.
pub(super) fn case(case: &Value, out: &Out) -> Outcome {
    if out.is_json {
        return out.print(marked(case));
    }
    let text = |key: &str| word(case, key);
    let region = case["region"].as_str().map_or(String::new(), |region| format!(" in {region}"));
    let test = if case["test"] == true { ", in the test world" } else { "" };
    out.print(format_args!("{} {}{region}{test}: {}", text("situation"), text("version"), text("title")))?;
    let ended = case["ended"].as_str().map_or(format!("now {}", text("now")), |ended| format!("ended {ended}"));
    out.print(format_args!("{}  opened {}, {ended}", text("state"), text("opened")))?;
    rows(&case["steps"]).iter().try_for_each(|found| step(found, out))?;
    if case.get("form").is_some() {
        questions(&case["form"], &text("id"), out)?;
        let count = |key: &str| case["counts"][key].as_u64().unwrap_or_default();
        out.print(format_args!(
            "documents  {} fetched, {} made on the way, {} brought; {} questions answered, {} forms",
            count("fetched"),
            count("made"),
            count("brought"),
            count("answered"),
            count("forms")
        ))?;
        let without =
            rows(&case["documents"]).iter().filter(|document| matches!(word(document, "state").as_str(), "asked" | "silent"));
        for document in without {
            let trouble = document["trouble"].as_str().map_or(String::new(), |code| format!("  {code}"));
            let (what, role) = (word(document, "document"), word(document, "role"));
            out.print(format_args!("  {:<10} {what}:{role}{trouble}", word(document, "state")))?;
        }
        for against in rows(&case["contradictions"]) {
            out.print(format_args!(
                "  contradicts what is known: {} says another {}",
                word(against, "document"),
                word(against, "fact")
            ))?;
        }
    }
    case["assistant"]["agency"].as_str().map_or(Ok(()), |agency| out.print(format_args!("assistant  {agency}")))
}

fn step(step: &Value, out: &Out) -> Outcome {
    let text = |key: &str| step[key].as_str();
    let when = match (text("over"), text("due")) {
        (Some(over), _) => format!("over {over}"),
        (None, Some(due)) => format!("due {due}"),
        (None, None) => String::new(),
    };
    let late = if step["late"] == true { "late  " } else { "" };
    let line = format!(
        "  {:<10} {:<30} {:<26} {late}{when}",
        word(step, "state"),
        word(step, "id"),
        text("agency").or(text("office")).unwrap_or_default()
    );
    out.print(line.trim_end())?;
    let waits: Vec<&str> = rows(&step["waitsFor"]).iter().filter_map(Value::as_str).collect();
    if !waits.is_empty() && text("over").is_none() {
        out.print(format_args!("             waits for {}", waits.join(", ")))?;
    }
    for (key, label) in [("reason", "reason"), ("trouble", "trouble"), ("promised", "promised for")] {
        text(key).map_or(Ok(()), |said| out.print(format_args!("             {label} {said}")))?;
    }
    let handing = &step["handingOver"];
    handing["to"]
        .as_str()
        .map_or(Ok(()), |to| out.print(format_args!("             handing over to {to}: {}", word(handing, "state"))))
}

/// What happened in a case.
pub(super) fn timeline(events: &Value, out: &Out) -> Outcome {
    if out.is_json {
        return out.print(json!({ "format": 1, "events": events }));
    }
    rows(events).iter().try_for_each(|event| {
        let of = ["step", "document"].iter().filter_map(|key| event[*key].as_str()).collect::<Vec<_>>().join(" ");
        let line = format!("{}  {:<12} {of:<36} {}", word(event, "at"), word(event, "what"), word(event, "agency"));
        out.print(line.trim_end())
    })
}

/// What the citizen is asked.
pub(super) fn form(form: &Value, id: &str, out: &Out) -> Outcome {
    if out.is_json {
        return out.print(marked(form));
    }
    if rows(&form["ask"]).is_empty() && rows(&form["bring"]).is_empty() {
        out.say("nothing is asked");
    }
    questions(form, id, out)
}

fn questions(form: &Value, id: &str, out: &Out) -> Outcome {
    for ask in rows(&form["ask"]) {
        let (fact, kind, question) = (word(ask, "fact"), word(ask, "kind"), word(ask, "question"));
        out.print(format_args!("ask    {fact} ({kind})  {question}\n       oncegate case answer {id} {fact}=…"))?;
    }
    for choose in rows(&form["days"]) {
        let appointment = word(choose, "appointment");
        let list = |key: &str| rows(&choose[key]).iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ");
        let (steps, days) = (list("steps"), list("days"));
        out.print(format_args!("choose {steps}: {days}\n       oncegate case answer {id} appointment.{appointment}=DAY"))?;
    }
    for bring in rows(&form["bring"]) {
        let (document, role, title) = (word(bring, "document"), word(bring, "role"), word(bring, "title"));
        out.print(format_args!("bring  {document} of {role}  {title}\n       oncegate case bring {id} FILE"))?;
    }
    Ok(())
}

fn marked(of: &Value) -> Value {
    let mut marked = of.clone();
    if let Some(object) = marked.as_object_mut() {
        object.insert("format".to_owned(), 1.into());
    }
    marked
}

fn rows(list: &Value) -> &[Value] {
    list.as_array().map_or(&[], Vec::as_slice)
}

fn word(of: &Value, key: &str) -> String {
    of[key].as_str().unwrap_or_default().to_owned()
}
