//! What a document says, as a flat list: the same list is the same document.

use oncegate::message::xml::{Canonical, Event, Profile, Reader, Start, Violation, Visitor, escape_attribute, escape_text};

/// An attribute: namespace name, local name, value.
pub type Attribute = (String, String, String);

/// One thing that a document says.
#[derive(Debug, PartialEq, Eq)]
pub enum Said {
    /// An element begins, with its attributes in the order of their names.
    Start(String, String, Vec<Attribute>),
    /// All text up to the next tag.
    Text(String),
    /// An element ends.
    End,
}

/// Notes what a document says.
#[derive(Default)]
pub struct Noted(pub Vec<Said>);

impl Visitor for Noted {
    type Error = std::convert::Infallible;

    fn start(&mut self, element: &Start<'_>) -> Result<(), Self::Error> {
        let text = str::to_owned;
        let mut attributes: Vec<_> = element.attributes().map(|a| (text(a.uri), text(a.local), text(a.value))).collect();
        attributes.sort();
        let is_same = |two: &[Attribute]| (&two[0].0, &two[0].1) == (&two[1].0, &two[1].1);
        assert!(!attributes.windows(2).any(is_same), "an attribute was given twice");
        self.0.push(Said::Start(text(element.uri()), text(element.local()), attributes));
        Ok(())
    }

    fn text(&mut self, text: &str, _: usize) -> Result<(), Self::Error> {
        match self.0.last_mut() {
            _ if text.is_empty() => {}
            Some(Said::Text(before)) => before.push_str(text),
            _ => self.0.push(Said::Text(text.to_owned())),
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), Self::Error> {
        self.0.push(Said::End);
        Ok(())
    }
}

/// Writes a document that says this, in a spelling of our own: every name has a prefix declared where it is used.
pub fn written(said: &[Said]) -> String {
    let (mut out, mut open) = (String::new(), Vec::new());
    let prefixed = |uri: &str, local: &str, prefix: String| match uri {
        "" => (local.to_owned(), None),
        "http://www.w3.org/XML/1998/namespace" => (format!("xml:{local}"), None),
        _ => (format!("{prefix}:{local}"), Some(prefix)),
    };
    for one in said {
        match one {
            Said::Start(uri, local, attributes) => {
                let (name, prefix) = prefixed(uri, local, "e".to_owned());
                out += &format!("<{name}");
                let mut put = |name: &str, value: &str| {
                    out += &format!("\n{name} = \"");
                    escape_attribute(value, &mut out);
                    out.push('"');
                };
                if let Some(prefix) = prefix {
                    put(&format!("xmlns:{prefix}"), uri);
                }
                for (number, (uri, local, value)) in attributes.iter().enumerate() {
                    let (name, prefix) = prefixed(uri, local, format!("a{number}"));
                    if let Some(prefix) = prefix {
                        put(&format!("xmlns:{prefix}"), uri);
                    }
                    put(&name, value);
                }
                out.push('>');
                open.push(name);
            }
            Said::Text(text) => escape_text(text, &mut out),
            Said::End => out += &format!("</{}>", open.pop().expect("elements end as often as they begin")),
        }
    }
    assert!(open.is_empty(), "an element has no end");
    out
}

/// The canonical form of a document.
pub fn canonical(octets: &[u8]) -> Result<Vec<u8>, Violation> {
    let mut reader = Reader::new(octets, Profile::Message)?;
    let mut canonical = Canonical::new(octets, Vec::new());
    loop {
        match reader.next()? {
            Event::Done => return Ok(canonical.finish()),
            event => canonical.event(&event)?,
        }
    }
}
