//! Examples: a document from a schema, with what must be there, or with what may be there as well.
//!
//! Of a choice the branch that ends soonest is taken, recursion is cut where it may be, abstract things are replaced. Whether
//! the result is valid is for a [`super::run`] to say: what identity constraints ask across a document is only tried.

use super::model::{Of, Part};
use super::read::XML;
use super::run::XSI;
use super::set::{Complex, Content, Element, Preset, Set, TypeRef, Use};
use super::simple::{Identity, Kind, NoScope, Room, Simple};
use super::wildcard::{Process, Spaces, Wildcard};
use crate::base::limits;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

/// How much an example has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fullness {
    /// What must be there.
    Minimal,
    /// What may be there, once.
    Full,
}

/// Whether values of one type are alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    /// All the same.
    Alike,
    /// As different as is simple: keys want it.
    Different,
}

/// Makes a document whose root is a global element, or says what it cannot make.
pub fn make(set: &Set, root: u32, fullness: Fullness, values: Values) -> Result<String, String> {
    let mut maker = Maker {
        set,
        costs: Vec::new(),
        samples: BTreeMap::new(),
        fullness,
        values,
        out: Vec::new(),
        open: Vec::new(),
        elements: 0,
        ids: 0,
        turns: BTreeMap::new(),
    };
    maker.weigh();
    maker.element(root)?;
    Ok(written(&maker.out))
}

/// Namespace, local name, value.
type Attribute = (Box<str>, Box<str>, Value);

enum Item {
    Start { uri: Box<str>, local: Box<str>, attributes: Vec<Attribute> },
    Text(String),
    End,
}

enum Value {
    Text(String),
    Name(Box<str>, Box<str>),
}

struct Maker<'s> {
    set: &'s Set,
    /// For each complex type how many elements it must have inside; nothing where there is no end.
    costs: Vec<Option<u32>>,
    samples: BTreeMap<(usize, bool), Option<String>>,
    fullness: Fullness,
    values: Values,
    out: Vec<Item>,
    /// The complex types of the open elements.
    open: Vec<TypeRef>,
    elements: usize,
    ids: usize,
    /// How many values of a type there are, where they are to be different.
    turns: BTreeMap<usize, usize>,
}

impl<'s> Maker<'s> {
    fn complex(&self, number: u32) -> Option<&'s Complex> {
        self.set.complex(number)
    }

    /// Works out the costs, from types without elements upwards.
    fn weigh(&mut self) {
        let mut count = 0_u32;
        while self.complex(count).is_some() {
            count = count.saturating_add(1);
        }
        self.costs = vec![None; count as usize];
        for _ in 0..ROUNDS_MAX {
            let mut has_changed = false;
            for number in 0..count {
                let Some(complex) = self.complex(number) else { continue };
                let cost = match &complex.content {
                    Content::Empty => Some(0),
                    Content::Simple(simple) => self.sample(simple).map(|_| 0),
                    Content::Elements { model, .. } => model.root().map_or(Some(0), |root| self.cost(&root)),
                };
                let slot = self.costs.get_mut(number as usize);
                if let (Some(cost), Some(slot)) = (cost, slot)
                    && slot.is_none_or(|known| cost < known)
                {
                    *slot = Some(cost);
                    has_changed = true;
                }
            }
            if !has_changed {
                return;
            }
        }
    }

    /// What a part costs that must be there; nothing is what may be absent.
    fn cost(&mut self, part: &Part<'s>) -> Option<u32> {
        if part.min() == 0 { Some(0) } else { self.once(part).map(|once| once.saturating_mul(part.min())) }
    }

    fn once(&mut self, part: &Part<'s>) -> Option<u32> {
        match part.of() {
            Of::Element(number) => self.choice_of(number).map(|(_, _, cost)| cost),
            Of::Any(wildcard) => self.stand_in(wildcard).map(|(_, cost)| cost),
            Of::Choice => part.parts().filter_map(|inner| self.cost(&inner)).min(),
            Of::Sequence | Of::All => {
                part.parts().map(|inner| self.cost(&inner)).try_fold(0_u32, |sum, cost| Some(sum.saturating_add(cost?)))
            }
        }
    }

    /// Which element and which type stand for a declared element: the declared ones, if they are not abstract.
    fn choice_of(&mut self, number: u32) -> Option<(&'s Element, TypeRef, u32)> {
        let declared = self.set.element(number)?;
        let own = (!declared.is_abstract).then_some(declared);
        let others =
            declared.substitutes.iter().filter_map(|(_, other)| self.set.element(*other)).filter(|other| !other.is_abstract);
        let mut best: Option<(&'s Element, TypeRef, u32)> = None;
        for element in own.into_iter().chain(others) {
            let Some((of, cost)) = self.type_of(element) else { continue };
            if best.as_ref().is_none_or(|(_, _, known)| cost.saturating_add(1) < *known) {
                best = Some((element, of, cost.saturating_add(1)));
            }
            if best.is_some() && own.is_some() {
                break;
            }
        }
        best
    }

    /// The type that an element is of in the example, and what it costs.
    fn type_of(&mut self, element: &Element) -> Option<(TypeRef, u32)> {
        let set = self.set;
        match element.of {
            TypeRef::Missing => None,
            TypeRef::Simple(_) if element.preset.is_some() => Some((element.of, 0)),
            TypeRef::Simple(_) => set.simple_of(element.of).and_then(|simple| self.sample(simple)).map(|_| (element.of, 0)),
            TypeRef::Complex(number) if !self.complex(number)?.is_abstract => {
                Some((element.of, (*self.costs.get(number as usize)?)?))
            }
            TypeRef::Complex(number) => {
                let blocked = element.block.and(self.complex(number)?.block);
                let derived = set.global_types().filter_map(|(_, of)| match of {
                    TypeRef::Complex(number)
                        if !set.complex(number)?.is_abstract && !set.derives(of, element.of)?.meets(blocked) =>
                    {
                        Some((of, (*self.costs.get(number as usize)?)?))
                    }
                    _ => None,
                });
                derived.min_by_key(|(_, cost)| *cost)
            }
        }
    }

    fn sample(&mut self, simple: &Arc<Simple>) -> Option<String> {
        let is_full = self.fullness == Fullness::Full;
        let key = (Arc::as_ptr(simple) as usize, is_full);
        self.samples.entry(key).or_insert_with(|| simple.sample(is_full)).clone()
    }

    fn element(&mut self, number: u32) -> Result<(), String> {
        let set = self.set;
        let Some((element, of, _)) = self.choice_of(number) else {
            let name = set.element(number).map_or("", |element| set.names().local(element.name));
            return Err(format!("no element {name} can be made: it has no end, or a type that is not in the set"));
        };
        if self.out.len() > ITEMS_MAX || self.open.len() > limits::DEPTH_MAX {
            return Err("an example would be too large, or too deep".to_owned());
        }
        self.elements = self.elements.saturating_add(1);
        let before = self.fullness;
        if self.open.contains(&of) || self.elements > limits::SCHEMA_EXAMPLE_ELEMENTS {
            self.fullness = Fullness::Minimal;
        }
        let made = self.inside(element, of);
        self.fullness = before;
        made
    }

    fn inside(&mut self, element: &'s Element, of: TypeRef) -> Result<(), String> {
        let set = self.set;
        let mut attributes = Vec::new();
        if of != element.of {
            let name = set.global_types().find(|(_, known)| *known == of).map_or(0, |(name, _)| name);
            attributes.push((
                XSI.into(),
                "type".into(),
                Value::Name(set.names().uri(name).into(), set.names().local(name).into()),
            ));
        }
        let complex = match of {
            TypeRef::Complex(number) => set.complex(number),
            _ => None,
        };
        for declared in complex.map_or(&[][..], |complex| &complex.attributes.uses) {
            attributes.extend(self.attribute(declared)?);
        }
        let (uri, local) = (set.names().uri(element.name).into(), set.names().local(element.name).into());
        self.out.push(Item::Start { uri, local, attributes });
        self.open.push(of);
        let fixed = element.preset.as_ref().filter(|preset| preset.is_fixed);
        let made = match (set.simple_of(of), complex.map(|complex| &complex.content)) {
            (Some(simple), _) => self.text(simple, element.preset.as_ref()),
            (None, Some(Content::Elements { is_mixed: true, .. })) if fixed.is_some() => {
                self.out.extend(fixed.map(|preset| Item::Text(preset.text.to_string())));
                Ok(())
            }
            (None, Some(Content::Elements { model, .. })) => model.root().map_or(Ok(()), |root| self.part(&root)),
            _ => Ok(()),
        };
        self.open.pop();
        self.out.push(Item::End);
        made
    }

    /// The value that a schema gives; where values are to be different only one that must be.
    fn preset(&self, preset: Option<&Preset>) -> Option<String> {
        let counts = preset.filter(|preset| preset.is_fixed || self.values == Values::Alike);
        counts.map(|preset| preset.text.to_string())
    }

    fn text(&mut self, simple: &Arc<Simple>, preset: Option<&Preset>) -> Result<(), String> {
        let made = self.preset(preset).or_else(|| self.value(simple));
        let text = made.ok_or_else(|| format!("no value can be made that is {}", simple.expects()))?;
        self.out.push(Item::Text(text));
        Ok(())
    }

    fn attribute(&mut self, declared: &Use) -> Result<Option<Attribute>, String> {
        let refers = declared.of.as_ref().is_some_and(|of| matches!(of.identity(), Identity::Idref | Identity::Idrefs));
        if !declared.is_required && (self.fullness == Fullness::Minimal || refers && self.ids == 0) {
            return Ok(None);
        }
        let preset = self.preset(declared.preset.as_deref());
        let made = match &declared.of {
            Some(of) => preset.or_else(|| self.value(of)),
            None => None,
        };
        let (uri, local) = (self.set.names().uri(declared.name), self.set.names().local(declared.name));
        match made {
            Some(text) => Ok(Some((uri.into(), local.into(), Value::Text(text)))),
            None if declared.is_required => Err(format!("no value of the attribute {local} can be made")),
            None => Ok(None),
        }
    }

    fn value(&mut self, simple: &Arc<Simple>) -> Option<String> {
        let sample = self.sample(simple)?;
        if matches!(simple.kind(), Kind::Entity | Kind::Entities) {
            // It would name an entity of a DTD, which no document here has.
            return None;
        }
        match simple.identity() {
            Identity::Id => self.ids = self.ids.saturating_add(1),
            Identity::Idref | Identity::Idrefs => return Some(fitting(simple, [FIRST_ID.to_owned()]).unwrap_or(sample)),
            Identity::None if self.values == Values::Alike => return Some(sample),
            Identity::None => {}
        }
        if simple.identity() == Identity::Id {
            return fitting(simple, [format!("id{}", self.ids), format!("{sample}{}", self.ids)]).or(Some(sample));
        }
        let turn = self.turns.entry(Arc::as_ptr(simple) as usize).or_default();
        let before = std::mem::replace(turn, turn.saturating_add(1));
        if let Some(allowed) = simple.one_of_all(before) {
            return Some(allowed);
        }
        let number = self.out.len();
        let cut = |by: usize| sample.chars().take(sample.chars().count().saturating_sub(by)).collect::<String>();
        let digits = number.to_string();
        let day = sample.replacen("-17", &format!("-{:02}", number.checked_rem(28).unwrap_or(0).saturating_add(1)), 1);
        let made = [format!("{sample}{number}"), format!("{}{number}", cut(digits.len())), digits, day, before.to_string()];
        fitting(simple, made).or(Some(sample))
    }

    /// A part as often as it must be there, or once where it may.
    fn part(&mut self, part: &Part<'s>) -> Result<(), String> {
        let wants = if part.min() > 0 { part.min() } else { u32::from(self.wants(part)) };
        if wants as usize > ITEMS_MAX {
            return Err("an example would be too large".to_owned());
        }
        if let (Of::Choice, Fullness::Full) = (part.of(), self.fullness) {
            return self.branches(part, wants);
        }
        for _ in 0..wants {
            match part.of() {
                Of::Element(number) => self.element(number)?,
                Of::Any(wildcard) => self.any(wildcard)?,
                Of::Sequence | Of::All => part.parts().try_for_each(|inner| self.part(&inner))?,
                Of::Choice => {
                    let weighed = part.parts().filter_map(|inner| self.cost(&inner).map(|cost| (cost, inner)));
                    let cheapest = weighed.min_by_key(|(cost, _)| *cost);
                    cheapest.map_or(Err("no branch of a choice can be made".to_owned()), |(_, inner)| self.part(&inner))?;
                }
            }
        }
        Ok(())
    }

    /// The branches of a choice one after the other as often as it may be repeated; those that recur are left out.
    fn branches(&mut self, part: &Part<'s>, wants: u32) -> Result<(), String> {
        if wants == 0 {
            return Ok(());
        }
        let good: Vec<Part<'s>> = part.parts().filter(|inner| self.once(inner).is_some() && self.is_new(inner)).collect();
        let count = (good.len() as u32).min(part.max()).max(wants);
        if good.is_empty() {
            let before = std::mem::replace(&mut self.fullness, Fullness::Minimal);
            let made = if part.min() > 0 { self.part(part) } else { Ok(()) };
            self.fullness = before;
            return made;
        }
        for inner in good.iter().cycle().take(count as usize) {
            self.part(inner)?;
        }
        Ok(())
    }

    /// Whether what may be absent is put there.
    fn wants(&mut self, part: &Part<'s>) -> bool {
        self.fullness == Fullness::Full
            && self.elements < limits::SCHEMA_EXAMPLE_ELEMENTS
            && !matches!(part.of(), Of::Any(_))
            && self.is_new(part)
            && self.once(part).is_some()
    }

    /// Whether an element is of no type that is open, and refers to nothing that is not there.
    fn is_new(&mut self, part: &Part<'s>) -> bool {
        let Of::Element(number) = part.of() else { return !matches!(part.of(), Of::Any(_)) };
        let Some((_, of, _)) = self.choice_of(number) else { return false };
        let refers = self.set.simple_of(of).is_some_and(|simple| matches!(simple.identity(), Identity::Idref | Identity::Idrefs));
        !(self.open.contains(&of) || refers && self.ids == 0)
    }

    fn any(&mut self, wildcard: &Wildcard) -> Result<(), String> {
        match self.stand_in(wildcard) {
            Some((StandIn::Global(number), _)) => self.element(number),
            Some((StandIn::Own(uri), _)) => {
                self.out.push(Item::Start { uri, local: "any".into(), attributes: Vec::new() });
                self.out.push(Item::End);
                Ok(())
            }
            None => Err("nothing is declared that a wildcard would let through".to_owned()),
        }
    }

    /// What may stand where a wildcard is, and what it costs.
    fn stand_in(&mut self, wildcard: &Wildcard) -> Option<(StandIn, u32)> {
        if wildcard.process != Process::Strict {
            let uri = match &wildcard.spaces {
                Spaces::Of(listed) => listed.first()?.clone(),
                _ => "urn:example:any".into(),
            };
            return Some((StandIn::Own(uri), 1));
        }
        let set = self.set;
        let fitting = set.global_elements().filter_map(|number| Some((number, set.element(number)?)));
        let fitting = fitting.filter(|(_, element)| !element.is_abstract && wildcard.spaces.allow(set.names().uri(element.name)));
        let weighed = fitting.filter_map(|(number, element)| self.type_of(element).map(|(_, cost)| (cost, number)));
        weighed.min().map(|(cost, number)| (StandIn::Global(number), cost.saturating_add(1)))
    }
}

enum StandIn {
    Global(u32),
    Own(Box<str>),
}

/// The first text that the type takes.
fn fitting(simple: &Simple, made: impl IntoIterator<Item = String>) -> Option<String> {
    made.into_iter().find(|text| simple.check(text, &NoScope, &mut Room::default()).is_ok())
}

/// The document, with all namespaces declared at its root.
fn written(items: &[Item]) -> String {
    let names = || {
        items.iter().flat_map(|item| match item {
            Item::Start { uri, attributes, .. } => {
                let of_values = attributes.iter().filter_map(|(_, _, value)| match value {
                    Value::Name(uri, _) => Some(uri),
                    Value::Text(_) => None,
                });
                std::iter::once((uri, false))
                    .chain(attributes.iter().map(|(uri, _, _)| (uri, true)))
                    .chain(of_values.map(|uri| (uri, false)))
                    .collect()
            }
            _ => Vec::new(),
        })
    };
    let root = names().next().map_or("", |(uri, _)| &**uri);
    let has_bare = names().any(|(uri, is_attribute)| uri.is_empty() && !is_attribute);
    let has_prefixed = names().any(|(uri, is_attribute)| is_attribute && **uri == *root);
    let mut prefixes: BTreeMap<&str, String> = BTreeMap::from([("", String::new()), (XML, "xml:".to_owned())]);
    for (uri, is_attribute) in names() {
        let is_default = **uri == *root && !has_bare && !has_prefixed;
        let number = prefixes.len().saturating_sub(1);
        let prefix = match &**uri {
            XSI => "xsi:".to_owned(),
            super::read::XS => "xs:".to_owned(),
            _ if is_default && !is_attribute => String::new(),
            _ => format!("n{number}:"),
        };
        prefixes.entry(uri).or_insert(prefix);
    }
    let mut out = String::new();
    write_items(items, &prefixes, &mut out);
    out
}

fn write_items(items: &[Item], prefixes: &BTreeMap<&str, String>, out: &mut String) {
    let prefix = |uri: &str| prefixes.get(uri).map_or("", String::as_str);
    let mut open: Vec<(&str, &str)> = Vec::new();
    let mut items = items.iter().peekable();
    let mut is_inline = false;
    while let Some(item) = items.next() {
        match item {
            Item::Start { uri, local, attributes } => {
                let _ = write!(out, "{}<{}{local}", indent(open.len()), prefix(uri));
                if open.is_empty() {
                    for (uri, prefix) in prefixes.iter().filter(|(uri, _)| !uri.is_empty() && **uri != XML) {
                        let prefix = prefix.trim_end_matches(':');
                        let colon = if prefix.is_empty() { "" } else { ":" };
                        let _ = write!(out, " xmlns{colon}{prefix}=\"{}\"", escaped(uri));
                    }
                }
                for (uri, local, value) in attributes {
                    let value = match value {
                        Value::Text(text) => escaped(text),
                        Value::Name(uri, local) => format!("{}{local}", prefix(uri)),
                    };
                    let _ = write!(out, " {}{local}=\"{value}\"", prefix(uri));
                }
                is_inline = matches!(items.peek(), Some(Item::Text(_)));
                if matches!(items.peek(), Some(Item::End)) {
                    items.next();
                    out.push_str("/>\n");
                } else {
                    out.push_str(if is_inline { ">" } else { ">\n" });
                    open.push((uri, local));
                }
            }
            Item::Text(text) => out.push_str(&escaped(text)),
            Item::End => {
                let Some((uri, local)) = open.pop() else { continue };
                let indent = if std::mem::take(&mut is_inline) { String::new() } else { indent(open.len()) };
                let _ = writeln!(out, "{indent}</{}{local}>", prefix(uri));
            }
        }
    }
}

fn indent(depth: usize) -> String {
    " ".repeat(depth.saturating_mul(2))
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' | '\r' => {
                let _ = write!(out, "&#{};", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

/// The first ID that an example has, for what refers to one.
const FIRST_ID: &str = "id1";
/// So many steps between types without an end are looked at.
const ROUNDS_MAX: usize = 300;
const ITEMS_MAX: usize = 500_000;
