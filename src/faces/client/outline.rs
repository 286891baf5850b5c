//! What a message holds, row by row, for showing: collected in the pass that verifies it.

use crate::message::xml::Start;
use crate::message::xsd::run::XSI;
use std::collections::BTreeMap;

/// Most rows that are shown of an answer.
const ROWS_MAX: usize = 4096;
/// How much of each value: nobody reads a scan.
const SHOWN_BYTES_MAX: usize = 4096;
/// Most octets of their paths and values: deep documents have long paths.
const OCTETS_MAX: usize = 4 << 20;

/// An attribute, or an element with a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its path as `Select` and grants name it: `Parent/Person/Id/@scheme`.
    pub path: String,
    /// The same with numbers: `Parent[2]/Person/Id/@scheme`. The first of several has none.
    pub place: String,
    /// Its value.
    pub value: String,
}

/// Collects the rows of a message's body in the order of the document.
#[derive(Default)]
pub(super) struct Outline {
    open: Vec<Step>,
    text: String,
    rows: Vec<Row>,
    octets: usize,
}

struct Step {
    name: String,
    /// Which of its name it is in its parent.
    number: usize,
    /// How many of each name are in it.
    inside: BTreeMap<String, usize>,
    has_attributes: bool,
}

impl Outline {
    pub(super) fn start(&mut self, element: &Start<'_>) {
        let name = element.local();
        let number = self.open.last_mut().map_or(1, |parent| {
            // Documents of one answer are numbered whatever they are called: their names are not shown.
            let key = if parent.name == "Documents" { "" } else { name };
            let count = parent.inside.entry(key.to_owned()).or_default();
            *count = count.saturating_add(1);
            *count
        });
        self.text.clear();
        self.open.push(Step { name: name.to_owned(), number, inside: BTreeMap::new(), has_attributes: false });
        let attributes = element.attributes().filter(|attribute| attribute.uri != XSI);
        for attribute in attributes {
            self.row(Some(attribute.local), attribute.value);
            if let Some(step) = self.open.last_mut() {
                step.has_attributes = true;
            }
        }
    }

    pub(super) fn text(&mut self, text: &str) {
        let room = SHOWN_BYTES_MAX.saturating_sub(self.text.len());
        if text.len() <= room {
            self.text.push_str(text);
        } else if !self.text.ends_with('\u{2026}') {
            self.text.push_str(text.get(..text.floor_char_boundary(room)).unwrap_or(""));
            self.text.push('\u{2026}');
        }
    }

    pub(super) fn end(&mut self) {
        let text = std::mem::take(&mut self.text);
        let value = text.trim();
        // What has attributes alone has been told by them.
        if self.open.last().is_some_and(|step| step.inside.is_empty() && !(step.has_attributes && value.is_empty())) {
            self.row(None, value);
        }
        self.open.pop();
    }

    pub(super) fn into_rows(self) -> Vec<Row> {
        self.rows
    }

    /// Adds a row for the innermost open element, or for an attribute of it.
    fn row(&mut self, attribute: Option<&str>, value: &str) {
        if self.open.get(1).is_none_or(|step| step.name != "Body") || self.rows.len() >= ROWS_MAX || self.octets >= OCTETS_MAX {
            return;
        }
        let (mut path, mut place) = (String::new(), String::new());
        let mut add = |name: &str, number: usize| {
            let (slash, numbered) = (if place.is_empty() { "" } else { "/" }, number > 1);
            path += &format!("{}{name}", if path.is_empty() { "" } else { "/" });
            place += &if numbered { format!("{slash}{name}[{number}]") } else { format!("{slash}{name}") };
        };
        // Without Message/Body, and for a document without Documents and its root; but a further document is told by its root.
        let is_document = self.open.get(2).is_some_and(|step| step.name == "Documents");
        for step in self.open.iter().skip(if is_document { 4 } else { 2 }) {
            add(&step.name, step.number);
        }
        if let Some(attribute) = attribute {
            add(&format!("@{attribute}"), 1);
        }
        if let Some(root) = self.open.get(3).filter(|root| is_document && root.number > 1) {
            place = format!("{}[{}]/{place}", root.name, root.number);
        }
        self.octets = self.octets.saturating_add(path.len()).saturating_add(place.len()).saturating_add(value.len());
        self.rows.push(Row { path, place, value: value.to_owned() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::xml::{Profile, Visitor, scan};

    impl Visitor for Outline {
        type Error = std::convert::Infallible;

        fn start(&mut self, element: &Start<'_>) -> Result<(), Self::Error> {
            self.start(element);
            Ok(())
        }

        fn text(&mut self, text: &str, _at: usize) -> Result<(), Self::Error> {
            self.text(text);
            Ok(())
        }

        fn end(&mut self) -> Result<(), Self::Error> {
            self.end();
            Ok(())
        }
    }

    fn rows(body: &str) -> Vec<Row> {
        let mut outline = Outline::default();
        let message = format!("<Message version=\"1\"><Header><To>x</To></Header><Body>{body}</Body></Message>");
        scan(message.as_bytes(), Profile::Message, &mut outline).expect("well-formed");
        outline.into_rows()
    }

    #[test]
    fn attributes_and_repeated_elements_are_rows_in_the_order_of_the_document() {
        let document = "<D xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" k=\"0\"><P xsi:type=\"T\" a=\"1\"><N>x</N></P>\
                        <E></E><P><N>y</N><N z=\"2\"> w </N><O q=\"3\"></O></P></D>";
        let shown: Vec<(String, String)> = rows(&format!("<Documents>{document}<F><N>v</N></F></Documents>"))
            .into_iter()
            .map(|row| (row.place, row.value))
            .collect();
        let expected = [
            ("@k", "0"),
            ("P/@a", "1"),
            ("P/N", "x"),
            ("E", ""),
            ("P[2]/N", "y"),
            ("P[2]/N[2]/@z", "2"),
            ("P[2]/N[2]", "w"),
            ("P[2]/O/@q", "3"),
            ("F[2]/N", "v"),
        ];
        assert_eq!(shown, expected.map(|(place, value)| (place.to_owned(), value.to_owned())));
        let last = rows(&format!("<Documents>{document}</Documents>")).pop().expect("a row");
        assert_eq!((last.path.as_str(), last.place.as_str()), ("P/O/@q", "P[2]/O/@q"));
        assert_eq!(rows("<NoRecord><DocumentType>d</DocumentType></NoRecord>").len(), 1);
    }

    #[test]
    fn no_more_rows_are_shown_than_may_be() {
        assert_eq!(rows(&format!("<Documents><D>{}</D></Documents>", "<e>1</e>".repeat(ROWS_MAX + 1))).len(), ROWS_MAX);
        let name = "n".repeat(200);
        let (open, close) = (format!("<{name}>").repeat(50), format!("</{name}>").repeat(50));
        let deep = rows(&format!("<Documents><D>{open}{}{close}</D></Documents>", "<e>1</e>".repeat(ROWS_MAX)));
        let octets: usize = deep.iter().map(|row| row.path.len() + row.place.len() + row.value.len()).sum();
        assert!(deep.len() < ROWS_MAX && octets < OCTETS_MAX + (64 << 10), "{} {octets}", deep.len());
    }

    #[test]
    fn of_a_long_text_the_beginning_is_shown() {
        for piece in ["я", "text ", "я".repeat(SHOWN_BYTES_MAX).as_str()] {
            let mut outline = Outline::default();
            (0..SHOWN_BYTES_MAX).for_each(|_| outline.text(piece));
            let shown = outline.text.strip_suffix('\u{2026}').expect("it says that there is more");
            assert!((SHOWN_BYTES_MAX - 1..=SHOWN_BYTES_MAX).contains(&shown.len()), "{}", shown.len());
        }
        let mut outline = Outline::default();
        outline.text(&"x".repeat(SHOWN_BYTES_MAX));
        assert_eq!(outline.text.len(), SHOWN_BYTES_MAX);
    }
}
