//! A form: the places of a document that somebody has values for, in the order in which its schema wants them.
//!
//! Whoever fills one in knows paths such as `Patient/Name/Family`, `Doctor/Id/@scheme` and `Parent[2]/Role`. Order, namespaces,
//! fixed values, and which branch of a choice it is, follow from the schema. What every document must have and nobody gives is
//! said when the form is made; what one document lacks, when it is filled in. Whether the values are good is for a
//! [`super::Validator`] to say.

mod fill;
mod wanted;

pub use fill::{Holding, Unfilled};
pub use wanted::{Entry, Gives};

use super::Schemas;
use super::documents::Version;
use crate::base::fault::nearest;
use crate::base::ids::Code;
use crate::base::limits;
use crate::message::xsd::Set;
use crate::message::xsd::model::{Of, Part};
use crate::message::xsd::set::{Content, Preset, TypeRef};
use std::collections::{BTreeMap, BTreeSet};
use wanted::Wanted;

/// A form for one version of a document type.
#[derive(Debug)]
pub struct Form {
    root: Element,
    /// The declarations of namespaces, as they stand in the root's tag.
    declared: String,
}

/// What is wrong with a form.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FormError {
    /// The path that is meant.
    pub path: String,
    /// Why.
    pub why: Wrong,
}

/// Why a path of a form is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wrong {
    /// It is not the form of a path.
    Form,
    /// The schema has no such place; perhaps this one was meant.
    Unknown(Option<String>),
    /// Elements stand there and no value; these ones.
    HasElements(Vec<String>),
    /// Values stand there and no elements, or nothing does.
    HasNoElements,
    /// It may be there so many times only.
    TooOften(u32),
    /// Every document has it, or everything that it lies in, and nothing gives it.
    Missing,
    /// One of these is in every document, and nothing gives any.
    MissingChoice(Vec<String>),
    /// The schema does not say what stands there: its type is abstract, or anything may.
    Open,
    /// The value that it always is to have is not one of its type, which expects this.
    Value(String),
}

impl Wrong {
    /// Whether it may be for want of another line that is wrong itself.
    fn follows(&self) -> bool {
        matches!(self, Self::Missing | Self::MissingChoice(_))
    }
}

impl std::fmt::Display for FormError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = &self.path;
        match &self.why {
            Wrong::Form => {
                write!(f, "\"{path}\" is not a path: names with / between them, [2] behind one that recurs, @name last")
            }
            Wrong::Unknown(None) => write!(f, "the document has no {path}"),
            Wrong::Unknown(Some(other)) => write!(f, "the document has no {path}; did you mean {other}?"),
            Wrong::HasElements(inside) => write!(f, "no value stands in {path}, but {}", inside.join(", ")),
            Wrong::HasNoElements => write!(f, "nothing lies in what {path} is to lie in"),
            Wrong::TooOften(most) => write!(f, "{path} may be there {most} times only"),
            Wrong::Missing => write!(f, "{path} is in every such document, and comes from nowhere"),
            Wrong::MissingChoice(of) => write!(f, "one of {} is in every such document, and comes from nowhere", of.join(", ")),
            Wrong::Open => write!(f, "the schema does not say what stands at {path}"),
            Wrong::Value(expects) => write!(f, "what {path} always is to be is not {expects}"),
        }
    }
}

#[derive(Debug)]
struct Element {
    /// Its name with its prefix.
    tag: Box<str>,
    /// Its path without numbers, as grants name it.
    path: Box<str>,
    /// The same with numbers, for people.
    shown: Box<str>,
    /// Whether it goes out only to whoever may have it.
    is_field: bool,
    attributes: Vec<Attribute>,
    text: Option<Leaf>,
    inside: Vec<Element>,
    content: Option<Group>,
    /// Whether anything in it changes from document to document: what never does makes nobody put it there.
    varies: bool,
}

#[derive(Debug)]
struct Attribute {
    tag: Box<str>,
    path: Box<str>,
    is_field: bool,
    is_required: bool,
    leaf: Leaf,
}

/// Where a value comes from.
#[derive(Clone, Debug)]
enum Leaf {
    /// From the entry with this number.
    Entry(usize),
    /// From what goes beside it: the scheme of an identifier, the currency of an amount.
    Beside(usize),
    /// The schema fixes it.
    Fixed(Box<str>),
}

/// Which elements may stand, in which order, and how often.
#[derive(Debug)]
enum Group {
    Elements { min: u32, max: u32, which: Vec<usize> },
    Sequence { min: u32, max: u32, parts: Vec<Group> },
    Choice { min: u32, max: u32, parts: Vec<Group>, of: Vec<String> },
}

/// A place of a document at which a value stands, for whoever looks for what to put there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaceOf {
    /// Its path.
    pub path: String,
    /// What stands there.
    pub takes: Takes,
    /// The same in words.
    pub expects: String,
    /// A value that is taken.
    pub sample: Option<String>,
}

/// What stands at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Takes {
    /// A day.
    Day,
    /// A moment.
    Instant,
    /// A whole number.
    Integer,
    /// `true` or `false`.
    Truth,
    /// One of these.
    OneOf(Vec<String>),
    /// An identifier: its scheme stands beside it.
    Id,
    /// An amount: its currency stands beside it.
    Money,
    /// A text.
    Text,
}

/// The places at which values stand in documents of a type, in the order of its schema, as far as they are listed.
pub fn places(schemas: &Schemas, document: &Code) -> Vec<PlaceOf> {
    let Some((version, set)) = schemas.newest_of(document) else { return Vec::new() };
    let root = set.names().find(&version.namespace, &version.root).and_then(|name| set.global_element(name));
    let Some(root) = root else { return Vec::new() };
    let all = super::paths::unfold(set, root).all;
    let has = |path: &str, attribute: &str| all.iter().any(|other| other.path == format!("{path}/@{attribute}"));
    let place = |path: &super::paths::Path| {
        let simple = path.of.and_then(|of| set.simple_of(of))?;
        let takes = match takes(simple) {
            _ if has(&path.path, "scheme") => Takes::Id,
            _ if has(&path.path, "currency") => Takes::Money,
            takes => takes,
        };
        Some(PlaceOf { path: path.path.clone(), takes, expects: simple.expects(), sample: simple.sample(true) })
    };
    // They are listed breadth first, and people read documents from their beginning.
    let order = |at: usize| {
        let mut above = vec![at];
        while let Some(parent) = above.last().filter(|at| **at != 0).and_then(|at| all.get(*at)).map(|path| path.parent) {
            above.push(parent);
        }
        above.reverse();
        above
    };
    let mut numbers: Vec<usize> = (1..all.len()).collect();
    numbers.sort_by_cached_key(|at| order(*at));
    numbers.into_iter().filter_map(|at| all.get(at).and_then(place)).collect()
}

/// The paths that may be there more than once in what they lie in.
pub fn recurring(schemas: &Schemas, document: &Code) -> BTreeSet<String> {
    let Some((version, set)) = schemas.newest_of(document) else { return BTreeSet::new() };
    let root = set.names().find(&version.namespace, &version.root).and_then(|name| set.global_element(name));
    let all = root.map(|root| super::paths::unfold(set, root).all).unwrap_or_default();
    all.into_iter().filter(|path| path.occurs == super::paths::Occurs::Repeatedly).map(|path| path.path).collect()
}

fn takes(simple: &crate::message::xsd::simple::Simple) -> Takes {
    use crate::message::xsd::simple::{NoScope, Room};
    let is = |text: &str| simple.check(text, &NoScope, &mut Room::default()).is_ok();
    if simple.one_of_all(0).is_some() {
        let mut all: Vec<String> = Vec::new();
        for found in (0..100).map_while(|number| simple.one_of_all(number)) {
            if all.contains(&found) {
                break;
            }
            all.push(found);
        }
        return Takes::OneOf(all);
    }
    let is_text = is("x y") || is("Xy");
    match () {
        () if is_text => Takes::Text,
        () if is("2026-03-04") => Takes::Day,
        () if is("2026-03-04T05:12:09Z") => Takes::Instant,
        () if is("true") && is("false") => Takes::Truth,
        () if ["1", "0", "5", "12", "100", "2026"].iter().any(|number| is(number)) && !is("a") => Takes::Integer,
        () => Takes::Text,
    }
}

impl Form {
    /// A form for the newest version of a document type, with these entries; or all that is wrong with them.
    pub fn new(schemas: &Schemas, document: &Code, entries: &[Entry<'_>]) -> Result<Self, Vec<FormError>> {
        let unknown = |why| vec![FormError { path: document.to_string(), why }];
        let names = || schemas.document_types().map(|document| document.name.as_str());
        let near = || Wrong::Unknown(nearest(document.as_str(), names()).map(str::to_owned));
        let (version, set) = schemas.newest_of(document).ok_or_else(|| unknown(near()))?;
        let root = set.names().find(&version.namespace, &version.root).and_then(|name| set.global_element(name));
        let root = root.ok_or_else(|| unknown(Wrong::Open))?;
        let mut maker = Maker { set, version, entries, faults: Vec::new(), prefixes: BTreeMap::new(), depth: 0 };
        let (wanted, faults) = Wanted::of(entries);
        maker.faults = faults;
        maker.name_spaces(root, &wanted);
        let root = maker.element(root, &wanted, ("", ""));
        let mut faults = maker.faults;
        // What is wrong with what somebody wrote comes before what follows from it.
        faults.sort_by(|left, right| (left.why.follows(), left).cmp(&(right.why.follows(), right)));
        faults.dedup();
        if faults.is_empty() { Ok(Self { root, declared: declared(&maker.prefixes) }) } else { Err(faults) }
    }
}

/// The declarations of these namespaces, in the order of their prefixes.
fn declared(prefixes: &BTreeMap<String, String>) -> String {
    let mut all: Vec<(&str, &str)> = prefixes.iter().map(|(uri, prefix)| (prefix.as_str(), uri.as_str())).collect();
    all.sort_unstable();
    let mut out = String::new();
    for (prefix, uri) in all.into_iter().filter(|(_, uri)| !uri.is_empty()) {
        let colon = if prefix.is_empty() { "" } else { ":" };
        out.push_str(&format!(" xmlns{colon}{prefix}=\""));
        crate::message::xml::escape_attribute(uri, &mut out);
        out.push('"');
    }
    out
}

struct Maker<'m> {
    set: &'m Set,
    version: &'m Version,
    entries: &'m [Entry<'m>],
    faults: Vec<FormError>,
    /// By namespace.
    prefixes: BTreeMap<String, String>,
    depth: usize,
}

impl<'m> Maker<'m> {
    /// The root's namespace needs no prefix, unless something is in none.
    fn name_spaces(&mut self, root: u32, wanted: &Wanted<'_>) {
        let mut found = BTreeSet::new();
        self.spaces(root, wanted, &mut found, 0);
        let has_none = found.contains(&(String::new(), false));
        for (number, (uri, is_attribute)) in found.into_iter().filter(|(uri, _)| !uri.is_empty()).enumerate() {
            let bare = uri == self.version.namespace && !has_none;
            let prefix = if bare && !is_attribute { String::new() } else { format!("n{}", number.saturating_add(1)) };
            // An attribute has no default namespace: one that is in the root's makes it need a prefix.
            match self.prefixes.get_mut(&uri) {
                Some(known) if is_attribute => *known = prefix,
                Some(_) => {}
                None => {
                    self.prefixes.insert(uri, prefix);
                }
            }
        }
    }

    /// The namespaces of all elements that a form may have, and of its attributes.
    fn spaces(&self, number: u32, wanted: &Wanted<'_>, found: &mut BTreeSet<(String, bool)>, depth: usize) {
        let Some(element) = self.set.element(number).filter(|_| depth < limits::DEPTH_MAX) else { return };
        found.insert((self.set.names().uri(element.name).to_owned(), false));
        let TypeRef::Complex(complex) = element.of else { return };
        let Some(complex) = self.set.complex(complex) else { return };
        for declared in &complex.attributes.uses {
            let uri = self.set.names().uri(declared.name);
            if !uri.is_empty() {
                found.insert((uri.to_owned(), true));
            }
        }
        let Content::Elements { model, .. } = &complex.content else { return };
        for inside in model.elements() {
            let local = self.set.element(inside.element).map_or("", |element| self.set.names().local(element.name));
            // One that nobody names may be there as well, if it is always the same.
            let none = Wanted::default();
            let named = wanted.inside.iter().find(|child| child.name == local);
            if named.is_some() || depth < 8 {
                self.spaces(inside.element, named.unwrap_or(&none), found, depth.saturating_add(1));
            }
        }
    }

    fn tag(&self, number: crate::message::xsd::names::Name) -> Box<str> {
        let names = self.set.names();
        let prefix = self.prefixes.get(names.uri(number)).map_or("", String::as_str);
        let colon = if prefix.is_empty() { "" } else { ":" };
        format!("{prefix}{colon}{}", names.local(number)).into()
    }

    fn wrong(&mut self, path: &str, why: Wrong) {
        self.faults.push(FormError { path: path.to_owned(), why });
    }

    /// Whether what stands at a path is left out unless it was given.
    fn is_field(&self, path: &str) -> bool {
        self.version.is_field(path)
    }

    /// An element with all that is wanted of it.
    fn element(&mut self, number: u32, wanted: &Wanted<'_>, (path, shown): (&str, &str)) -> Element {
        let mut made = Element {
            tag: "".into(),
            path: path.into(),
            shown: shown.into(),
            is_field: !path.is_empty() && self.is_field(path),
            attributes: Vec::new(),
            text: None,
            inside: Vec::new(),
            content: None,
            varies: false,
        };
        let Some(element) = self.set.element(number) else { return made };
        made.tag = self.tag(element.name);
        self.depth = self.depth.saturating_add(1);
        if self.depth > limits::DEPTH_MAX {
            self.wrong(shown, Wrong::Open);
        } else {
            match element.of {
                TypeRef::Complex(complex) => self.complex(complex, wanted, &mut made, element.preset.as_ref()),
                TypeRef::Simple(_) => self.simple(element.of, wanted, &mut made, element.preset.as_ref()),
                TypeRef::Missing => self.wrong(shown, Wrong::Open),
            }
        }
        self.depth = self.depth.saturating_sub(1);
        let varies = |leaf: &Leaf| match leaf {
            Leaf::Entry(entry) | Leaf::Beside(entry) => {
                self.entries.get(*entry).is_some_and(|entry| entry.gives == Gives::Column)
            }
            Leaf::Fixed(_) => false,
        };
        made.varies = made.text.iter().chain(made.attributes.iter().map(|attribute| &attribute.leaf)).any(varies)
            || made.inside.iter().any(|inside| inside.varies);
        made
    }

    fn complex(&mut self, number: u32, wanted: &Wanted<'_>, made: &mut Element, preset: Option<&Preset>) {
        let Some(complex) = self.set.complex(number).filter(|complex| !complex.is_abstract) else {
            return self.wrong(&made.shown.clone(), Wrong::Open);
        };
        self.attributes(number, wanted, made);
        match &complex.content {
            Content::Simple(_) => self.simple(TypeRef::Complex(number), wanted, made, preset),
            Content::Empty => {
                self.refuse_value(wanted, made, Vec::new());
                self.refuse_inside(wanted);
            }
            Content::Elements { model, .. } => {
                let locals = model.elements().filter_map(|found| self.set.element(found.element));
                let locals: Vec<String> = locals.map(|element| self.set.names().local(element.name).to_owned()).collect();
                self.refuse_value(wanted, made, locals);
                let mut taken = vec![false; wanted.inside.len()];
                let Some(root) = model.root() else { return self.refuse_inside(wanted) };
                made.content = self.group(&root, wanted, made, &mut taken, Needed::of(&root, 1));
                self.left_over(model, wanted, made, &taken);
            }
        }
    }

    /// What was wanted and found no place.
    fn left_over(&mut self, model: &crate::message::xsd::model::Model, wanted: &Wanted<'_>, made: &Element, taken: &[bool]) {
        let names: Vec<(String, u32)> = model
            .elements()
            .filter_map(|found| Some((self.set.names().local(self.set.element(found.element)?.name).to_owned(), found.element)))
            .collect();
        for (child, _) in wanted.inside.iter().zip(taken).filter(|(child, taken)| !**taken && !child.is_attribute()) {
            let why = if names.iter().any(|(name, _)| *name == child.name) {
                let same = wanted.inside.iter().zip(taken).filter(|(other, taken)| other.name == child.name && **taken).count();
                Wrong::TooOften(u32::try_from(same).unwrap_or(u32::MAX))
            } else {
                let near = nearest(child.name, names.iter().map(|(name, _)| name.as_str()));
                Wrong::Unknown(near.map(|near| below(&made.path, near)))
            };
            self.wrong(&child.first_path(), why);
        }
    }

    fn refuse_value(&mut self, wanted: &Wanted<'_>, made: &Element, inside: Vec<String>) {
        if wanted.entry.is_some() {
            let why = if inside.is_empty() { Wrong::HasNoElements } else { Wrong::HasElements(inside) };
            self.wrong(&made.shown.clone(), why);
        }
    }

    fn refuse_inside(&mut self, wanted: &Wanted<'_>) {
        for child in wanted.inside.iter().filter(|child| !child.is_attribute()) {
            self.faults.push(FormError { path: child.first_path(), why: Wrong::HasNoElements });
        }
    }

    /// The value of an element.
    fn simple(&mut self, of: TypeRef, wanted: &Wanted<'_>, made: &mut Element, preset: Option<&Preset>) {
        self.refuse_inside(wanted);
        let fixed = preset.filter(|preset| preset.is_fixed).map(|preset| Leaf::Fixed(preset.text.clone()));
        made.text = fixed.or_else(|| wanted.entry.map(Leaf::Entry));
        let shown = made.shown.clone();
        match made.text {
            None => self.wrong(&shown, Wrong::Missing),
            Some(Leaf::Entry(entry)) => {
                let simple = self.set.simple_of(of).cloned();
                if let Some(simple) = simple {
                    self.hold(entry, &shown, &simple);
                }
            }
            Some(_) => {}
        }
    }

    /// Holds what is known of an entry's values against its type.
    fn hold(&mut self, entry: usize, shown: &str, simple: &crate::message::xsd::simple::Simple) {
        use crate::message::xsd::simple::{NoScope, Room};
        let Some(entry) = self.entries.get(entry) else { return };
        let is_good = |text: &&&str| simple.check(text, &NoScope, &mut Room::default()).is_ok();
        if !entry.samples.is_empty() && entry.samples.iter().filter(is_good).count() < entry.fitting() {
            self.wrong(shown, Wrong::Value(simple.expects()));
        }
    }

    fn attributes(&mut self, number: u32, wanted: &Wanted<'_>, made: &mut Element) {
        let Some(complex) = self.set.complex(number) else { return };
        for declared in &complex.attributes.uses {
            let local = self.set.names().local(declared.name);
            let (path, shown) = (below(&made.path, &format!("@{local}")), below(&made.shown, &format!("@{local}")));
            let own =
                wanted.inside.iter().find(|child| child.name.strip_prefix('@') == Some(local)).and_then(|child| child.entry);
            let fixed = declared.preset.as_ref().filter(|preset| preset.is_fixed && (declared.is_required || own.is_some()));
            let beside = wanted.entry.filter(|entry| self.entries.get(*entry).is_some_and(|entry| entry.beside == Some(local)));
            let leaf = fixed.map(|preset| Leaf::Fixed(preset.text.clone()));
            let leaf = leaf.or_else(|| own.map(Leaf::Entry)).or_else(|| beside.map(Leaf::Beside));
            let Some(leaf) = leaf else {
                if declared.is_required {
                    self.wrong(&shown, Wrong::Missing);
                }
                continue;
            };
            if let (Leaf::Entry(entry), Some(of)) = (&leaf, &declared.of) {
                self.hold(*entry, &shown, of);
            }
            let (tag, is_field) = (self.tag(declared.name), !declared.is_required && self.is_field(&path));
            made.attributes.push(Attribute { tag, path: path.into(), is_field, is_required: declared.is_required, leaf });
        }
        // In canonical order: those in no namespace first, which have no prefix.
        made.attributes.sort_by(|left, right| (left.tag.contains(':'), &left.tag).cmp(&(right.tag.contains(':'), &right.tag)));
        for child in wanted.inside.iter().filter(|child| child.is_attribute()) {
            let names = || complex.attributes.uses.iter().map(|declared| self.set.names().local(declared.name));
            let local = child.name.trim_start_matches('@');
            if !names().any(|name| name == local) {
                let near = nearest(local, names()).map(|near| below(&made.path, &format!("@{near}")));
                self.faults.push(FormError { path: child.first_path(), why: Wrong::Unknown(near) });
            }
        }
    }

    /// What of a particle is wanted; says what it must have besides.
    fn group(
        &mut self,
        part: &Part<'m>,
        wanted: &Wanted<'_>,
        made: &mut Element,
        taken: &mut [bool],
        needed: Needed,
    ) -> Option<Group> {
        match part.of() {
            Of::Element(number) => self.places(part, number, (wanted, made, taken), needed),
            Of::Any(_) => {
                if needed.is_needed {
                    self.wrong(&below(&made.shown, "*"), Wrong::Open);
                }
                None
            }
            Of::Sequence | Of::All => self.sequence(part, (wanted, made, taken), needed),
            Of::Choice => self.choice(part, (wanted, made, taken), needed),
        }
    }

    fn sequence(
        &mut self,
        part: &Part<'m>,
        (wanted, made, taken): (&Wanted<'_>, &mut Element, &mut [bool]),
        needed: Needed,
    ) -> Option<Group> {
        let is_wanted = self.is_wanted(part, wanted, taken);
        // What may be left out is left out whole.
        if !is_wanted && !needed.is_needed {
            return None;
        }
        let mut parts = Vec::new();
        for inner in part.parts() {
            let inside = Needed { is_needed: inner.min() > 0, times: needed.times.saturating_mul(inner.max()) };
            parts.extend(self.group(&inner, wanted, made, taken, inside));
        }
        (!parts.is_empty()).then_some(Group::Sequence { min: part.min(), max: part.max(), parts })
    }

    fn choice(
        &mut self,
        part: &Part<'m>,
        (wanted, made, taken): (&Wanted<'_>, &mut Element, &mut [bool]),
        needed: Needed,
    ) -> Option<Group> {
        let (before, mut parts) = (taken.to_vec(), Vec::new());
        let mut all = before.clone();
        let mut may_be_nothing = false;
        for inner in part.parts() {
            may_be_nothing |= inner.min() == 0;
            let mut branch = before.clone();
            if self.is_wanted(&inner, wanted, &branch) {
                let inside = Needed { is_needed: true, times: needed.times.saturating_mul(inner.max()) };
                parts.extend(self.group(&inner, wanted, made, &mut branch, inside));
                all.iter_mut().zip(&branch).for_each(|(all, branch)| *all |= branch);
            }
        }
        taken.copy_from_slice(&all);
        let of: Vec<String> = part.parts().map(|inner| self.first_name(&inner)).map(|name| below(&made.shown, &name)).collect();
        if parts.is_empty() {
            if needed.is_needed && !may_be_nothing && self.always(part).is_none() {
                self.wrong(&made.shown.clone(), Wrong::MissingChoice(of));
            }
            return None;
        }
        let min = if may_be_nothing { 0 } else { part.min() };
        Some(Group::Choice { min, max: part.max(), parts, of })
    }

    /// The elements of a particle that are wanted; or one that is always the same, if it must be there.
    fn places(
        &mut self,
        part: &Part<'m>,
        number: u32,
        (wanted, made, taken): (&Wanted<'_>, &mut Element, &mut [bool]),
        needed: Needed,
    ) -> Option<Group> {
        let most = usize::try_from(needed.times).unwrap_or(usize::MAX);
        let mut which = Vec::new();
        for (at, child) in wanted.inside.iter().enumerate() {
            let stands = self.stands(number, child.name).filter(|_| !child.is_attribute() && which.len() < most);
            let Some(slot) = taken.get_mut(at).filter(|slot| !**slot) else { continue };
            if let Some(element) = stands {
                *slot = true;
                let (path, shown) = (below(&made.path, child.name), below(&made.shown, &child.step_text()));
                let inside = self.element(element, child, (&path, &shown));
                which.push(made.inside.len());
                made.inside.push(inside);
            }
        }
        if which.is_empty() {
            if !needed.is_needed {
                return None;
            }
            let local = self.set.element(number).map_or("", |element| self.set.names().local(element.name)).to_owned();
            let (path, shown) = (below(&made.path, &local), below(&made.shown, &local));
            // What is always the same is there by itself; else what it needs is told one by one.
            let inside = self.element(number, &Wanted::default(), (&path, &shown));
            which.push(made.inside.len());
            made.inside.push(inside);
        }
        Some(Group::Elements { min: part.min(), max: part.max(), which })
    }

    /// The element that stands in a place under this name: the one that is declared, or one of its substitution group.
    fn stands(&self, number: u32, local: &str) -> Option<u32> {
        let declared = self.set.element(number)?;
        let is_named = |name| self.set.names().local(name) == local;
        if is_named(declared.name) && !declared.is_abstract {
            return Some(number);
        }
        declared.substitutes.iter().find(|(name, _)| is_named(*name)).map(|(_, other)| *other)
    }

    fn is_wanted(&self, part: &Part<'m>, wanted: &Wanted<'_>, taken: &[bool]) -> bool {
        match part.of() {
            Of::Element(number) => {
                let free = wanted.inside.iter().zip(taken).filter(|(child, taken)| !**taken && !child.is_attribute());
                free.into_iter().any(|(child, _)| self.stands(number, child.name).is_some())
            }
            Of::Any(_) => false,
            _ => part.parts().any(|inner| self.is_wanted(&inner, wanted, taken)),
        }
    }

    /// Whether a particle is satisfied by nothing.
    fn always(&self, part: &Part<'m>) -> Option<()> {
        match part.of() {
            _ if part.min() == 0 => Some(()),
            Of::Element(_) | Of::Any(_) => None,
            Of::Choice => part.parts().find_map(|inner| self.always(&inner)),
            Of::Sequence | Of::All => part.parts().all(|inner| self.always(&inner).is_some()).then_some(()),
        }
    }

    /// What a particle begins with, for people.
    fn first_name(&self, part: &Part<'m>) -> String {
        match part.of() {
            Of::Element(number) => self.set.element(number).map_or("", |element| self.set.names().local(element.name)).to_owned(),
            Of::Any(_) => "*".to_owned(),
            _ => part.parts().next().map_or(String::new(), |first| self.first_name(&first)),
        }
    }
}

/// Whether something must be there, and how often it may be in all repetitions together.
#[derive(Clone, Copy)]
struct Needed {
    is_needed: bool,
    times: u32,
}

impl Needed {
    fn of(part: &Part<'_>, times: u32) -> Self {
        Self { is_needed: part.min() > 0, times: times.saturating_mul(part.max()) }
    }
}

fn below(path: &str, step: &str) -> String {
    if path.is_empty() { step.to_owned() } else { format!("{path}/{step}") }
}
