//! The fields of a verified answer as JSON: in the order of the schema, and what may recur as a list however often it is there.

use crate::faces::client::Row;
use std::collections::BTreeSet;
use std::fmt::Write;

/// An element.
#[derive(Default)]
struct Element {
    value: Option<String>,
    attributes: Vec<(String, String)>,
    /// By name, in the order in which names first came.
    inside: Vec<(String, Vec<Element>)>,
}

/// The documents of an answer, each as an object of JSON. `recurring` are the paths that may be there more than once.
pub fn documents(rows: &[Row], recurring: &BTreeSet<String>) -> Vec<String> {
    let mut documents: Vec<Element> = Vec::new();
    for row in rows {
        let places: Vec<(&str, usize)> = row.place.split('/').map(step).collect();
        // A further document is told by its root, which paths do not have.
        let is_further = places.len() > row.path.split('/').count();
        let number = places.first().filter(|_| is_further).map_or(1, |(_, number)| *number);
        while documents.len() < number {
            documents.push(Element::default());
        }
        if let Some(document) = number.checked_sub(1).and_then(|at| documents.get_mut(at)) {
            document.put(places.get(usize::from(is_further)..).unwrap_or_default(), &row.value);
        }
    }
    documents.iter().map(|document| document.to_json("", recurring)).collect()
}

/// A step of a place and its number; the first of several has none.
fn step(step: &str) -> (&str, usize) {
    let numbered = step.strip_suffix(']').and_then(|open| open.split_once('['));
    numbered.and_then(|(name, number)| Some((name, number.parse().ok()?))).unwrap_or((step, 1))
}

impl Element {
    fn put(&mut self, steps: &[(&str, usize)], value: &str) {
        let Some(((name, number), rest)) = steps.split_first() else {
            self.value = Some(value.to_owned());
            return;
        };
        if let Some(attribute) = name.strip_prefix('@') {
            self.attributes.push((format!("@{attribute}"), value.to_owned()));
            return;
        }
        let known = self.inside.iter().position(|(known, _)| known == name);
        let at = known.unwrap_or_else(|| {
            self.inside.push(((*name).to_owned(), Vec::new()));
            self.inside.len().saturating_sub(1)
        });
        let Some((_, all)) = self.inside.get_mut(at) else { return };
        while all.len() < *number {
            all.push(Self::default());
        }
        if let Some(element) = number.checked_sub(1).and_then(|at| all.get_mut(at)) {
            element.put(rest, value);
        }
    }

    fn to_json(&self, path: &str, recurring: &BTreeSet<String>) -> String {
        if self.attributes.is_empty() && self.inside.is_empty() {
            return text(self.value.as_deref().unwrap_or_default());
        }
        let mut members: Vec<String> =
            self.attributes.iter().map(|(name, value)| format!("{}:{}", text(name), text(value))).collect();
        members.extend(self.value.iter().map(|value| format!("\"value\":{}", text(value))));
        for (name, all) in &self.inside {
            let below = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
            let written: Vec<String> = all.iter().map(|element| element.to_json(&below, recurring)).collect();
            let mut member = format!("{}:", text(name));
            let _ = match written.as_slice() {
                [only] if !recurring.contains(&below) => write!(member, "{only}"),
                _ => write!(member, "[{}]", written.join(",")),
            };
            members.push(member);
        }
        format!("{{{}}}", members.join(","))
    }
}

/// A string of JSON.
pub fn text(text: &str) -> String {
    serde_json::Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(place: &str, value: &str) -> Row {
        let path: Vec<&str> = place.split('/').map(|part| step(part).0).collect();
        let path = path.join("/").trim_start_matches("Root/").to_owned();
        Row { path, place: place.to_owned(), value: value.to_owned() }
    }

    #[test]
    fn fields_keep_their_order_and_what_may_recur_is_a_list() {
        let rows = [
            row("Head/Status", "in-force"),
            row("Child/Id/@scheme", "XX-OGTEST"),
            row("Child/Id", "1"),
            row("Child/Name/Family", "O'\"Neil"),
            row("Parent/Role", "mother"),
            row("Parent[2]/Role", "father"),
            row("Note", "n"),
            row("Root[2]/Head/Status", "cancelled"),
        ];
        let recurring = ["Child/Id", "Note"].map(str::to_owned).into_iter().collect();
        let made = documents(&rows, &recurring);
        let first = "{\"Head\":{\"Status\":\"in-force\"},\"Child\":{\"Id\":[{\"@scheme\":\"XX-OGTEST\",\"value\":\"1\"}],\"Name\":{\"Family\":\"O'\\\"Neil\"}},\
                     \"Parent\":[{\"Role\":\"mother\"},{\"Role\":\"father\"}],\"Note\":[\"n\"]}";
        assert_eq!(made, [first, "{\"Head\":{\"Status\":\"cancelled\"}}"]);
        assert!(made.iter().all(|made| serde_json::from_str::<serde_json::Value>(made).is_ok()));
    }
}
