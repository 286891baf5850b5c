//! What `oncegate log` prints.

use super::super::{Out, Outcome};
use crate::base::time::UnixTime;
use serde_json::{Value, json};

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn word(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// With `"format": 1`.
fn marked(value: &Value) -> Value {
    let mut marked = value.clone();
    marked["format"] = 1.into();
    marked
}

/// One record, on one line.
pub(super) fn entry(entry: &Value, out: &Out) -> Outcome {
    if out.is_json {
        return out.print(marked(entry));
    }
    let leaf = &entry["record"];
    let time = UnixTime::from_ms(leaf["t"].as_u64().unwrap_or(0));
    let mut line = format!("{:>8}  {time}  {}", word(&entry["logIndex"]), word(&leaf["k"]));
    for (key, before) in [
        ("a", ""),
        ("u", ""),
        ("f", "on behalf of "),
        ("s", "asks "),
        ("to", "in place of "),
        ("d", ""),
        ("p", "for "),
        ("b", "on "),
        ("e", ""),
        ("m", ""),
    ] {
        if !leaf[key].is_null() {
            line.push_str(&format!("  {before}{}", word(&leaf[key])));
        }
    }
    out.print(line)
}

pub(super) fn page(page: &Value, out: &Out) -> Outcome {
    list(&page["entries"]).iter().try_for_each(|found| entry(found, out))?;
    if out.is_json {
        return out.print(json!({
            "format": 1, "next": page["next"], "indexedUpTo": page["indexedUpTo"], "indexLag": page["indexLag"],
            "recordedAs": page["recordedAs"],
        }));
    }
    if let Some(note) = lag(page) {
        out.say(note);
    }
    if list(&page["entries"]).is_empty() {
        let known = page["indexedUpTo"].as_u64().map_or(String::new(), |known| format!(" among the first {known}"));
        out.say(format_args!("no record matches{known}"));
    }
    if let Some(index) = page["recordedAs"].as_u64() {
        out.say(format_args!("this search is record {index}"));
    }
    if let Some(next) = page["next"].as_str() {
        out.say(format_args!("more: --cursor {next}"));
    }
    Ok(())
}

pub(super) fn record(found: &Value, out: &Out) -> Outcome {
    entry(found, out)?;
    if out.is_json {
        return Ok(());
    }
    out.print(format_args!("leaf      {}", word(&found["leaf"])))?;
    let private = &found["private"];
    if private.is_null() {
        return Ok(());
    }
    let texts = |value: &Value| list(value).iter().map(word).collect::<Vec<_>>().join(" ");
    out.print(format_args!("about     {}", texts(&private["subject"])))?;
    out.print(format_args!("official  {}  {}", word(&private["official"]), word(&private["role"])))?;
    out.print(format_args!("fields    {}", texts(&private["fields"])))?;
    for (key, name) in [("documentType", "document"), ("purpose", "purpose"), ("cause", "cause"), ("reason", "reason")] {
        if !private[key].is_null() {
            out.print(format_args!("{name:<9} {}", word(&private[key])))?;
        }
    }
    out.say(format_args!("this look is record {}", word(&found["recordedAs"])));
    Ok(())
}

pub(super) fn summary(summary: &Value, out: &Out) -> Outcome {
    let by: Vec<&str> = list(&summary["by"]).iter().filter_map(Value::as_str).collect();
    if !out.is_json {
        out.print(format_args!(
            "{:<48} {:>8} {:>8} {:>8} {:>8} {:>9} {:>9}",
            by.join(" "),
            "records",
            "requests",
            "answers",
            "refusals",
            "p50 ms",
            "p99 ms"
        ))?;
    }
    for group in list(&summary["groups"]) {
        if out.is_json {
            out.print(marked(group))?;
            continue;
        }
        let key: Vec<String> = by.iter().map(|by| word(&group[*by])).collect();
        let count = |what: &str| word(&group[what]);
        let ms = |what: &str| group["latencyUs"][what].as_f64().map_or("-".to_owned(), |us| format!("{:.1}", us / 1e3));
        let codes = group["refusalsByCode"].as_object().into_iter().flatten().map(|(code, count)| format!(" {code}:{count}"));
        out.print(format_args!(
            "{:<48} {:>8} {:>8} {:>8} {:>8} {:>9} {:>9} {}",
            key.join(" "),
            count("records"),
            count("requests"),
            count("answers"),
            count("refusals"),
            ms("p50"),
            ms("p99"),
            codes.collect::<String>()
        ))?;
    }
    if out.is_json && list(&summary["groups"]).is_empty() { out.print(json!({ "format": 1, "groups": [] })) } else { Ok(()) }
}

pub(super) fn anomalies(found: &Value, out: &Out) -> Outcome {
    for anomaly in list(&found["anomalies"]) {
        if out.is_json {
            out.print(marked(anomaly))?;
            continue;
        }
        let of = anomaly["usual"].as_u64().map_or(String::new(), |usual| match anomaly["kind"].as_str() {
            Some("night") => format!(" of {usual}"),
            _ => format!(", usually {usual}"),
        });
        let official = anomaly["official"].as_str().map_or(String::new(), |official| format!("  official {official}"));
        out.print(format_args!(
            "{:<13} {:<10}  {}{official}  {}{of}  such as record {}",
            word(&anomaly["kind"]),
            word(&anomaly["day"]),
            word(&anomaly["agency"]),
            word(&anomaly["count"]),
            word(&anomaly["example"])
        ))?;
    }
    let mut rest = marked(found);
    rest["anomalies"] = list(&found["anomalies"]).len().into();
    if out.is_json {
        return out.print(rest);
    }
    out.say(format_args!("looked from {} on", word(&found["from"])));
    Ok(())
}

pub(super) fn trail(trail: &Value, out: &Out) -> Outcome {
    if out.is_json {
        return out.print(marked(trail));
    }
    for entry in list(&trail["entries"]) {
        let fields: Vec<String> = list(&entry["fields"]).iter().map(word).collect();
        let name = if entry["institutionName"].is_null() { &entry["institution"] } else { &entry["institutionName"] };
        let behalf = match (&entry["onBehalfOfName"], &entry["onBehalfOf"]) {
            (_, Value::Null) => String::new(),
            (Value::Null, other) | (other, _) => format!(" on behalf of {}", word(other)),
        };
        let what = if entry["action"].is_null() { &entry["documentType"] } else { &entry["action"] };
        out.print(format_args!(
            "{}  {}{behalf} ({})  {}  {}  for {}  on {}  {} {}  [{}]",
            word(&entry["time"]),
            word(name),
            word(&entry["role"]),
            word(what),
            fields.join(","),
            word(&entry["purpose"]),
            word(&entry["legalBasis"]),
            word(&entry["outcome"]),
            entry["code"].as_str().unwrap_or(""),
            word(&entry["logIndex"])
        ))?;
    }
    list(&trail["withheld"]).iter().try_for_each(|withheld| out.print(word(&withheld["text"])))?;
    if let Some(next) = trail["next"].as_u64() {
        out.say(format_args!("more: --before {next}"));
    }
    Ok(())
}

/// What a page may lack, where the index is behind the log.
fn lag(page: &Value) -> Option<String> {
    let lag = page["indexLag"].as_u64().filter(|lag| *lag > 0)?;
    let indexed = word(&page["indexedUpTo"]);
    Some(format!("the index has the first {indexed} records; the latest {lag} are not searched yet: search again later"))
}

#[cfg(test)]
mod tests {
    use super::{json, lag};

    #[test]
    fn a_page_says_how_many_records_the_index_lacks() {
        let page = |lag: u64| json!({ "entries": [], "indexedUpTo": 10, "indexLag": lag });
        assert_eq!(lag(&page(0)), None);
        let told = lag(&page(3)).expect("a note");
        assert!(told.contains("the first 10 records") && told.contains("the latest 3 are not searched yet"), "{told}");
    }
}
