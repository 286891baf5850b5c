//! Filling a form in.

use super::{Attribute, Element, Form, Group, Leaf};
use crate::message::xml::{escape_attribute, escape_text};

/// Whoever has the values for one document.
pub trait Holding {
    /// The value of an entry, if there is one.
    fn value(&self, entry: usize) -> Option<&str>;

    /// What goes beside it into an attribute.
    fn beside(&self, entry: usize) -> Option<&str>;

    /// Whether an entry is the same in all documents.
    fn is_constant(&self, entry: usize) -> bool;

    /// Whether what may be left out, and stands at this path, may go out.
    fn gives(&self, path: &str) -> bool;
}

/// Why a form cannot be filled in with these values. It names paths, and no values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfilled {
    /// There is no value at a path where there must be one.
    Missing(String),
    /// There is a value for none of these, and one of them must be there.
    MissingChoice(Vec<String>),
    /// There is a value for a path beside others where only one of them may be.
    TooMany(String),
}

impl std::fmt::Display for Unfilled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing(path) => write!(f, "nothing stands in what becomes {path}, which every such document has"),
            Self::MissingChoice(of) => write!(f, "nothing stands in what becomes one of {}", of.join(", ")),
            Self::TooMany(path) => write!(f, "something stands in what becomes {path} beside what excludes it"),
        }
    }
}

/// Why an element is to be there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reason {
    None,
    /// What it holds is always the same.
    Always,
    /// Something of this very document is in it.
    Value,
}

impl Form {
    /// The document with these values, in canonical form but for where its namespaces are declared.
    pub fn fill(&self, holding: &dyn Holding) -> Result<String, Unfilled> {
        let mut filling = Filling { holding, out: String::with_capacity(1024) };
        filling.element(&self.root, &self.declared)?;
        Ok(filling.out)
    }
}

struct Filling<'f> {
    holding: &'f dyn Holding,
    out: String,
}

impl<'f> Filling<'f> {
    fn leaf(&self, leaf: &'f Leaf) -> Option<&'f str> {
        match leaf {
            Leaf::Entry(entry) => self.holding.value(*entry),
            Leaf::Beside(entry) => self.holding.beside(*entry),
            Leaf::Fixed(text) => Some(text),
        }
    }

    fn of_leaf(&self, leaf: &'f Leaf) -> Reason {
        let is_constant = match leaf {
            Leaf::Entry(entry) | Leaf::Beside(entry) => self.holding.is_constant(*entry),
            Leaf::Fixed(_) => true,
        };
        match self.leaf(leaf) {
            None => Reason::None,
            Some(_) if is_constant => Reason::Always,
            Some(_) => Reason::Value,
        }
    }

    /// Why an element is to be there, if it is.
    fn reason(&self, element: &'f Element) -> Reason {
        if element.is_field && !self.holding.gives(&element.path) {
            return Reason::None;
        }
        let attributes = element.attributes.iter().filter(|attribute| self.may_go(attribute));
        let own = element.text.iter().chain(attributes.map(|attribute| &attribute.leaf)).map(|leaf| self.of_leaf(leaf));
        let found = own.chain(element.inside.iter().map(|inside| self.reason(inside))).max().unwrap_or(Reason::None);
        match found {
            Reason::Always if element.varies => Reason::None,
            // An element that holds nothing is there if it was asked for at all: it was put into the form because it must be.
            Reason::None if !element.varies => Reason::Always,
            found => found,
        }
    }

    fn may_go(&self, attribute: &Attribute) -> bool {
        !attribute.is_field || self.holding.gives(&attribute.path)
    }

    fn element(&mut self, element: &'f Element, declared: &str) -> Result<(), Unfilled> {
        self.out.push('<');
        self.out.push_str(&element.tag);
        self.out.push_str(declared);
        for attribute in &element.attributes {
            let may_go = self.may_go(attribute);
            match self.leaf(&attribute.leaf).filter(|_| may_go) {
                Some(value) => {
                    self.out.push(' ');
                    self.out.push_str(&attribute.tag);
                    self.out.push_str("=\"");
                    escape_attribute(value, &mut self.out);
                    self.out.push('"');
                }
                None if attribute.is_required => return Err(Unfilled::Missing(attribute.path.to_string())),
                None => {}
            }
        }
        self.out.push('>');
        if let Some(text) = &element.text {
            let text = self.leaf(text).ok_or_else(|| Unfilled::Missing(element.shown.to_string()))?;
            escape_text(text, &mut self.out);
        }
        if let Some(content) = &element.content {
            let mut open: Vec<(Reason, bool)> = element.inside.iter().map(|inside| (self.reason(inside), false)).collect();
            self.group(content, element, &mut open)?;
            let left = element.inside.iter().zip(&open).find(|(_, (reason, is_written))| *reason == Reason::Value && !is_written);
            if let Some((left, _)) = left {
                return Err(Unfilled::TooMany(left.shown.to_string()));
            }
        }
        self.out.push_str("</");
        self.out.push_str(&element.tag);
        self.out.push('>');
        Ok(())
    }

    fn group(&mut self, group: &'f Group, element: &'f Element, open: &mut [(Reason, bool)]) -> Result<(), Unfilled> {
        match group {
            Group::Elements { min, max, which } => {
                let mut count = 0;
                for at in which.iter().copied() {
                    let is_due = open.get(at).is_some_and(|(reason, is_written)| *reason != Reason::None && !is_written);
                    if count < *max && is_due {
                        self.inside(at, element, open)?;
                        count = count.saturating_add(1);
                    }
                }
                // What must be there and has no value says itself what it lacks.
                for at in which.iter().copied() {
                    let is_free = open.get(at).is_some_and(|(_, is_written)| !is_written);
                    if count < *min && is_free {
                        self.inside(at, element, open)?;
                        count = count.saturating_add(1);
                    }
                }
                let path = || which.first().and_then(|at| element.inside.get(*at)).map_or("", |inside| &*inside.shown);
                if count < *min { Err(Unfilled::Missing(path().to_owned())) } else { Ok(()) }
            }
            Group::Sequence { min, max, parts } => {
                let mut count = 0;
                while count < *max && (count < *min || due(group, open) > Reason::None) {
                    let before = written(open);
                    parts.iter().try_for_each(|part| self.group(part, element, open))?;
                    count = count.saturating_add(1);
                    if written(open) == before {
                        break;
                    }
                }
                Ok(())
            }
            Group::Choice { min, max, parts, of } => self.choice((*min, *max), (parts, of), element, open),
        }
    }

    /// Of a choice what has a value of this document comes before what is always the same.
    fn choice(
        &mut self,
        (min, max): (u32, u32),
        (parts, of): (&'f [Group], &[String]),
        element: &'f Element,
        open: &mut [(Reason, bool)],
    ) -> Result<(), Unfilled> {
        let mut count = 0;
        while count < max {
            let best = parts
                .iter()
                .map(|part| (due(part, open), part))
                .reduce(|best, other| if other.0 > best.0 { other } else { best });
            let Some((reason, part)) = best else { break };
            let is_enough = count >= min;
            if reason == Reason::None || is_enough && count > 0 && reason == Reason::Always {
                if !is_enough {
                    return Err(Unfilled::MissingChoice(of.to_vec()));
                }
                break;
            }
            self.group(part, element, open)?;
            count = count.saturating_add(1);
        }
        Ok(())
    }

    fn inside(&mut self, at: usize, element: &'f Element, open: &mut [(Reason, bool)]) -> Result<(), Unfilled> {
        if let Some((_, is_written)) = open.get_mut(at) {
            *is_written = true;
        }
        element.inside.get(at).map_or(Ok(()), |inside| self.element(inside, ""))
    }
}

/// Why anything of a group that was not written yet is to be there.
fn due(group: &Group, open: &[(Reason, bool)]) -> Reason {
    match group {
        Group::Elements { which, .. } => {
            let of = |at: &usize| open.get(*at).filter(|(_, is_written)| !is_written).map(|(reason, _)| *reason);
            which.iter().filter_map(of).max().unwrap_or(Reason::None)
        }
        Group::Sequence { parts, .. } | Group::Choice { parts, .. } => {
            parts.iter().map(|part| due(part, open)).max().unwrap_or(Reason::None)
        }
    }
}

fn written(open: &[(Reason, bool)]) -> usize {
    open.iter().filter(|(_, is_written)| *is_written).count()
}
