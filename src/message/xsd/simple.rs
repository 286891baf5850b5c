//! Simple types (XML Schema 1.0, second edition, part 2): white space, the forms of the built-in types, facets, values.
//!
//! All steps of a type's derivation are compiled into one. A value is checked where it lies; most are checked without taking
//! memory. The reasons say which rule of the specification was broken and never what the value is.

mod binary;
mod built_in;
mod calendar;
mod decimal;
mod float;
mod lexical;
mod pieces;
mod restrict;
#[cfg(test)]
mod tests;
mod value;
mod words;

use super::names::Names;
use super::pattern::{Caches, Pattern};
use calendar::{Duration, Moment, Parts};
use decimal::{Number, short_integer};
use lexical::White;
pub use lexical::is_ncname;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::sync::Arc;

pub use pieces::Pieces;
pub use value::Value;

/// Finds what a prefix stands for where a value lies; the empty prefix is the default namespace.
pub trait Scope {
    /// The namespace of a prefix, if it has one.
    fn namespace(&self, prefix: &str) -> Option<&str>;
}

/// A place without namespaces.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoScope;

impl Scope for NoScope {
    fn namespace(&self, _: &str) -> Option<&str> {
        None
    }
}

/// Prefixes with their namespaces.
pub type Bindings = Vec<(Box<str>, Box<str>)>;

/// The facets of one step of restriction, as written.
#[derive(Clone, Debug, Default)]
pub struct Facets {
    /// `length`.
    pub length: Option<Box<str>>,
    /// `minLength`.
    pub min_length: Option<Box<str>>,
    /// `maxLength`.
    pub max_length: Option<Box<str>>,
    /// `totalDigits`.
    pub total_digits: Option<Box<str>>,
    /// `fractionDigits`.
    pub fraction_digits: Option<Box<str>>,
    /// `minInclusive`.
    pub min_inclusive: Option<Box<str>>,
    /// `maxInclusive`.
    pub max_inclusive: Option<Box<str>>,
    /// `minExclusive`.
    pub min_exclusive: Option<Box<str>>,
    /// `maxExclusive`.
    pub max_exclusive: Option<Box<str>>,
    /// `whiteSpace`.
    pub white_space: Option<Box<str>>,
    /// `pattern`: the alternatives of this step.
    pub patterns: Vec<Box<str>>,
    /// `enumeration`: each literal with the prefixes that are bound where it stands.
    pub enumeration: Vec<(Box<str>, Bindings)>,
    /// The names of those facets that have `fixed="true"`.
    pub fixed: Vec<Box<str>>,
}

/// Why a value is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The rule of the specification.
    pub rule: &'static str,
    /// In words, without the value.
    pub what: Cow<'static, str>,
}

/// A reason before it is put into words: members of a union are refused all the time without anybody asking why.
#[derive(Debug)]
enum Fault {
    Plain(&'static str, &'static str),
    Count { rule: &'static str, before: &'static str, count: usize, of: &'static str },
    Pattern(Arc<Pattern>),
}

impl From<Fault> for Reason {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Plain(rule, what) => Self { rule, what: Cow::Borrowed(what) },
            Fault::Count { rule, before, count, of } => Self { rule, what: format!("{before} {count} {of}").into() },
            Fault::Pattern(pattern) => Self { rule: "cvc-pattern-valid", what: words::pattern(&pattern).into() },
        }
    }
}

/// Whether values name an element or refer to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// Neither.
    None,
    /// `xs:ID`.
    Id,
    /// `xs:IDREF`.
    Idref,
    /// A list of `xs:IDREF`.
    Idrefs,
}

/// What is special about the values of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing, or, for a union, nothing that all members share.
    Plain,
    /// `xs:ID`.
    Id,
    /// `xs:IDREF`.
    Idref,
    /// A list of `xs:IDREF`.
    Idrefs,
    /// `xs:ENTITY`: no document here declares any.
    Entity,
    /// A list of `xs:ENTITY`.
    Entities,
    /// `xs:QName`.
    QName,
    /// `xs:NOTATION`.
    Notation,
}

/// What was found of a value that is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found<'t> {
    /// The value with its white space as the type has it.
    pub text: &'t str,
    /// Whether it names or refers, by the member of a union that fits.
    pub identity: Identity,
}

/// Room for checking, to be used again and again.
#[derive(Default)]
pub struct Room {
    text: String,
    /// For patterns.
    pub caches: Caches,
}

/// A primitive type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Primitive {
    String,
    Boolean,
    Decimal,
    Float,
    Double,
    Duration,
    Calendar(Parts),
    HexBinary,
    Base64Binary,
    AnyUri,
    QName,
    Notation,
}

/// What the values are made of.
#[derive(Clone, Debug)]
enum Variety {
    /// `anySimpleType`: any text.
    Any,
    Atomic(Primitive),
    List(Arc<Simple>),
    Union(Vec<Arc<Simple>>),
}

/// What a built-in type asks of the text beyond its primitive type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Any,
    Integer,
    /// An integer that has no sign, not even before zero (section 3.3.21.1).
    Unsigned,
    Language,
    Nmtoken,
    Name,
    NcName,
}

#[derive(Clone, Debug)]
struct Bound {
    value: Value,
    /// As written.
    text: Box<str>,
    is_inclusive: bool,
}

/// The values that are allowed.
#[derive(Debug)]
struct Enumeration {
    /// The literals that fulfil all other facets, sorted.
    literals: Vec<Box<str>>,
    /// The same, to be found at once.
    table: Names,
    /// The first few as they stand in the schema.
    shown: Vec<Box<str>>,
    /// The values; left out where equal values always have equal texts.
    values: Vec<Value>,
    /// Whether a literal means the same wherever it lies, unlike a qualified name.
    is_plain: bool,
    count: usize,
}

/// A simple type, compiled.
#[derive(Clone, Debug)]
pub struct Simple {
    /// The built-in type that it is or comes from.
    name: &'static str,
    variety: Variety,
    form: Form,
    white: White,
    length_min: usize,
    length_max: usize,
    total_digits: Option<usize>,
    fraction_digits: Option<usize>,
    low: Option<Bound>,
    high: Option<Bound>,
    /// The lowest and highest integer, where bounds and digits of an integer come down to that.
    quick: Option<(i64, i64)>,
    /// One for each step of derivation; all must match.
    patterns: Vec<Arc<Pattern>>,
    enumeration: Option<Arc<Enumeration>>,
    kind: Kind,
    identity: Identity,
    /// The facets of lengths that some step has.
    stated: Vec<&'static str>,
    fixed: Vec<Box<str>>,
    notes: Vec<String>,
    /// How many types a value is tried against.
    members: usize,
    /// Whether a value means the same wherever it lies, unlike a qualified name.
    is_plain: bool,
}

impl Simple {
    fn plain(name: &'static str, variety: Variety, white: White) -> Self {
        let (members, is_plain) = match &variety {
            Variety::Any => (1, true),
            Variety::Atomic(primitive) => (1, !matches!(primitive, Primitive::QName | Primitive::Notation)),
            Variety::List(item) => (item.members.saturating_add(1), item.is_plain),
            Variety::Union(all) => {
                (all.iter().map(|member| member.members).fold(1, usize::saturating_add), all.iter().all(|member| member.is_plain))
            }
        };
        Self {
            members,
            is_plain,
            name,
            variety,
            form: Form::Any,
            white,
            length_min: 0,
            length_max: usize::MAX,
            total_digits: None,
            fraction_digits: None,
            low: None,
            high: None,
            quick: None,
            patterns: Vec::new(),
            enumeration: None,
            kind: Kind::Plain,
            identity: Identity::None,
            stated: Vec::new(),
            fixed: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// A built-in type by its local name: the 44 of XSD 1.0, and `anySimpleType`.
    pub fn built_in(name: &str) -> Option<Arc<Self>> {
        built_in::ALL.get(name).cloned()
    }

    /// A restriction. What the specification refuses about it is said in words.
    pub fn restrict(base: &Arc<Self>, facets: &Facets) -> Result<Arc<Self>, String> {
        restrict::restrict(base, facets).map(Arc::new)
    }

    /// A list of items.
    pub fn list(item: &Arc<Self>) -> Arc<Self> {
        let plain = Self::plain("list", Variety::List(Arc::clone(item)), White::Collapse);
        let kind = match item.kind {
            Kind::Idref => Kind::Idrefs,
            Kind::Entity => Kind::Entities,
            other => other,
        };
        let identity = listed(item.identity);
        Arc::new(Self { kind, identity, ..plain })
    }

    /// A union of types; the first that fits has a value.
    pub fn union(members: &[Arc<Self>]) -> Arc<Self> {
        let plain = Self::plain("union", Variety::Union(members.to_vec()), White::Preserve);
        let kind = members.first().map_or(Kind::Plain, |first| first.kind);
        let kind = if members.iter().all(|member| member.kind == kind) { kind } else { Kind::Plain };
        let identity = members.iter().map(|member| member.identity).find(|identity| *identity != Identity::None);
        Arc::new(Self { kind, identity: identity.unwrap_or(Identity::None), ..plain })
    }

    /// Checks a value as written; gives it with its white space as the type has it.
    #[inline]
    pub fn check<'t>(&self, raw: &'t str, scope: &dyn Scope, room: &'t mut Room) -> Result<&'t str, Reason> {
        self.examine(raw, scope, room).map(|found| found.text)
    }

    /// Checks a value as written; says also whether it names an element or refers to one.
    #[inline]
    pub fn examine<'t>(&self, raw: &'t str, scope: &dyn Scope, room: &'t mut Room) -> Result<Found<'t>, Reason> {
        let Room { text, caches } = room;
        let (part, identity) = self.run(raw, scope, text, caches)?;
        Ok(Found { text: part.unwrap_or(text), identity })
    }

    /// Checks a value and gives it for comparing.
    pub fn value(&self, raw: &str, scope: &dyn Scope, room: &mut Room) -> Result<Value, Reason> {
        let Room { text, caches } = room;
        let (part, _) = self.run(raw, scope, text, caches)?;
        let made = self.make(part.unwrap_or(text), scope, caches);
        made.ok_or_else(|| Fault::Plain(DATATYPE, "has no value").into())
    }

    /// How many types a value is tried against: its own, the members of a union, the items of a list.
    pub fn members(&self) -> usize {
        self.members
    }

    /// The built-in type that it is or comes from; "list" or "union" for what is made of others.
    pub fn ancestor(&self) -> &'static str {
        self.name
    }

    /// What is special about the values.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether values name an element or refer to one; for a union, whether a value can. [`Self::examine`] tells for each.
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// What was read leniently in this step of derivation and those before, in words.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Whether it is a list, whose items single spaces part.
    pub fn is_list(&self) -> bool {
        matches!(self.variety, Variety::List(_))
    }

    /// The one value that there is, where an enumeration has no other.
    pub fn only_value(&self) -> Option<String> {
        let only = self.enumeration.as_ref().filter(|allowed| allowed.count == 1)?;
        only.literals.first().map(|literal| literal.to_string())
    }

    /// One of the values of an enumeration, another one for the next number until all were given.
    pub fn one_of_all(&self, number: usize) -> Option<String> {
        let allowed = self.enumeration.as_ref().filter(|allowed| allowed.is_plain)?;
        let at = number.checked_rem(allowed.literals.len())?;
        allowed.literals.get(at).map(|literal| literal.to_string())
    }

    /// What a value should be, for people.
    pub fn expects(&self) -> String {
        words::expects(self)
    }

    /// A valid literal, if one can be made; a full one has what is optional.
    #[allow(clippy::fn_params_excessive_bools, reason = "whether the example is a full one is all that is asked")]
    pub fn sample(&self, full: bool) -> Option<String> {
        words::sample(self, if full { words::Amount::Full } else { words::Amount::Least })
    }

    /// Checks a value; gives it as a part of itself, or `None` where it is in `text` now.
    fn run<'t>(
        &self,
        raw: &'t str,
        scope: &dyn Scope,
        text: &mut String,
        caches: &mut Caches,
    ) -> Result<(Option<&'t str>, Identity), Fault> {
        if let Variety::Union(members) = &self.variety {
            return self.run_union(members, raw, scope, text, caches);
        }
        let part = self.white.apply(raw, text);
        let identity = self.judge(part.unwrap_or(text), scope, caches)?;
        Ok((part, identity))
    }

    fn run_union<'t>(
        &self,
        members: &[Arc<Self>],
        raw: &'t str,
        scope: &dyn Scope,
        text: &mut String,
        caches: &mut Caches,
    ) -> Result<(Option<&'t str>, Identity), Fault> {
        for member in members {
            let Ok((part, identity)) = member.run(raw, scope, text, caches) else { continue };
            let value = part.unwrap_or(text);
            self.match_patterns(value, caches)?;
            if let Some(allowed) = &self.enumeration
                && !allowed.lists(value)
            {
                allowed.check_value(self.make(value, scope, caches))?;
            }
            return Ok((part, identity));
        }
        Err(Fault::Plain("cvc-datatype-valid", "not of any of the forms allowed"))
    }

    /// Checks a value whose white space is as it should be; not for unions.
    fn judge(&self, value: &str, scope: &dyn Scope, caches: &mut Caches) -> Result<Identity, Fault> {
        if let Some(allowed) = &self.enumeration {
            // The literals listed were checked against all other facets when the schema was compiled.
            if allowed.lists(value) {
                return Ok(self.identity);
            }
            if allowed.values.is_empty() {
                return Err(allowed.reason());
            }
        }
        let identity = self.judge_but_enumeration(value, scope, caches)?;
        if let Some(allowed) = &self.enumeration {
            allowed.check_value(self.make(value, scope, caches))?;
        }
        Ok(identity)
    }

    fn judge_but_enumeration(&self, value: &str, scope: &dyn Scope, caches: &mut Caches) -> Result<Identity, Fault> {
        match &self.variety {
            Variety::Any | Variety::Union(_) => {}
            Variety::Atomic(primitive) => self.judge_atomic(*primitive, value, scope)?,
            Variety::List(item) => self.judge_list(item, value, scope, caches)?,
        }
        self.match_patterns(value, caches)?;
        Ok(self.identity)
    }

    fn match_patterns(&self, value: &str, caches: &mut Caches) -> Result<(), Fault> {
        match self.patterns.iter().find(|pattern| !pattern.matches(value, caches)) {
            None => Ok(()),
            Some(pattern) => Err(Fault::Pattern(Arc::clone(pattern))),
        }
    }

    fn judge_list(&self, item: &Self, value: &str, scope: &dyn Scope, caches: &mut Caches) -> Result<(), Fault> {
        // No item has white space inside, so nothing is ever put here.
        let mut text = String::new();
        let mut items = 0_usize;
        for word in value.split(' ').filter(|word| !word.is_empty()) {
            items = items.saturating_add(1);
            item.run(word, scope, &mut text, caches)?;
        }
        self.check_length(items, "items")
    }

    #[inline]
    fn judge_atomic(&self, primitive: Primitive, value: &str, scope: &dyn Scope) -> Result<(), Fault> {
        match primitive {
            Primitive::String => {
                self.check_form(value)?;
                self.check_characters(value)
            }
            Primitive::AnyUri => {
                good(lexical::is_reference(value).then_some(()), "not a reference (URI)")?;
                self.check_characters(value)
            }
            Primitive::Boolean => good(value::boolean(value), "not true, false, 1 or 0"),
            Primitive::Decimal => self.judge_decimal(value),
            Primitive::Float => {
                good(float::float(value), "not a number")?;
                self.check_bounds(primitive, value)
            }
            Primitive::Double => {
                good(float::double(value), "not a number")?;
                self.check_bounds(primitive, value)
            }
            Primitive::Duration => {
                good(Duration::parse(value), "not a duration such as P1Y2M3DT4H5M6S")?;
                self.check_bounds(primitive, value)
            }
            Primitive::Calendar(parts) => {
                good(Moment::parse(parts, value), words::calendar(parts))?;
                self.check_bounds(primitive, value)
            }
            Primitive::HexBinary => {
                let octets = binary::hex_octets(value).ok_or(Fault::Plain(DATATYPE, NOT_HEX))?;
                self.check_length(octets, "octets")
            }
            Primitive::Base64Binary => {
                let octets = binary::base64_octets(value).ok_or(Fault::Plain(DATATYPE, NOT_BASE64))?;
                self.check_length(octets, "octets")
            }
            Primitive::QName | Primitive::Notation => {
                let name = lexical::qualified(value).ok_or_else(|| Fault::Plain(DATATYPE, "not a qualified name"))?;
                good(value::namespace(name.0, scope), "a name whose prefix is not bound to a namespace")
            }
        }
    }

    fn judge_decimal(&self, value: &str) -> Result<(), Fault> {
        if self.form == Form::Unsigned && value.starts_with(['+', '-']) {
            return Err(Fault::Plain(DATATYPE, "not a whole number without a sign"));
        }
        if let Some((low, high)) = self.quick
            && let Some(number) = short_integer(value)
            && (low..=high).contains(&number)
        {
            return Ok(());
        }
        let is_integer = self.is_integer();
        let number = Number::parse(value).filter(|_| !is_integer || !value.contains('.'));
        let number = number
            .ok_or_else(|| Fault::Plain(DATATYPE, if is_integer { "not a whole number" } else { "not a decimal number" }))?;
        if let Some(most) = self.total_digits.filter(|most| number.total_digits() > *most) {
            return Err(Fault::Count { rule: "cvc-totalDigits-valid", before: "more than", count: most, of: "digits" });
        }
        if let Some(most) = self.fraction_digits.filter(|most| number.fraction_digits() > *most) {
            return Err(Fault::Count {
                rule: "cvc-fractionDigits-valid",
                before: "more than",
                count: most,
                of: "digits behind the point",
            });
        }
        let order = |bound: &Bound| match &bound.value {
            Value::Decimal(text) => Number::parse(text).map(|bound| number.compare(&bound)),
            _ => None,
        };
        self.check_order(order)
    }

    fn check_bounds(&self, primitive: Primitive, value: &str) -> Result<(), Fault> {
        if self.low.is_none() && self.high.is_none() {
            return Ok(());
        }
        let Some(value) = Value::parse(primitive, value, &NoScope) else { return good(None::<()>, "not a value of its type") };
        self.check_order(|bound| value.compare(&bound.value))
    }

    /// Sections 4.3.7 to 4.3.10: what cannot be compared with a bound is outside.
    fn check_order(&self, order: impl Fn(&Bound) -> Option<Ordering>) -> Result<(), Fault> {
        if let Some(low) = &self.low {
            let order = order(low);
            if order != Some(Ordering::Greater) && !(low.is_inclusive && order == Some(Ordering::Equal)) {
                let rule = if low.is_inclusive { "cvc-minInclusive-valid" } else { "cvc-minExclusive-valid" };
                return Err(Fault::Plain(rule, "below the lowest value allowed"));
            }
        }
        if let Some(high) = &self.high {
            let order = order(high);
            if order != Some(Ordering::Less) && !(high.is_inclusive && order == Some(Ordering::Equal)) {
                let rule = if high.is_inclusive { "cvc-maxInclusive-valid" } else { "cvc-maxExclusive-valid" };
                return Err(Fault::Plain(rule, "above the highest value allowed"));
            }
        }
        Ok(())
    }

    fn check_form(&self, value: &str) -> Result<(), Fault> {
        match self.form {
            Form::Any | Form::Integer | Form::Unsigned => Ok(()),
            Form::Language => good(lexical::is_language(value).then_some(()), "not a language such as en or et-EE"),
            Form::Nmtoken => good(lexical::is_nmtoken(value).then_some(()), "not a word of letters, digits and . - _ :"),
            Form::Name => good(lexical::is_name(value).then_some(()), "not a name"),
            Form::NcName => good(lexical::is_ncname(value).then_some(()), "not a name without a colon"),
        }
    }

    #[inline]
    fn check_characters(&self, value: &str) -> Result<(), Fault> {
        // A character has one to four octets: short and plain values need no counting.
        if value.len() <= self.length_max && value.len().div_ceil(4) >= self.length_min {
            return Ok(());
        }
        self.check_length(value.chars().count(), "characters")
    }

    fn check_length(&self, length: usize, of: &'static str) -> Result<(), Fault> {
        let (min, max) = (self.length_min, self.length_max);
        if (min..=max).contains(&length) {
            return Ok(());
        }
        let (rule, before, count) = match (length < min, min == max) {
            (_, true) => ("cvc-length-valid", "of a length other than", max),
            (true, false) => ("cvc-minLength-valid", "shorter than", min),
            (false, false) => ("cvc-maxLength-valid", "longer than", max),
        };
        Err(Fault::Count { rule, before, count, of })
    }

    /// The value of a text that has been found good.
    fn make(&self, value: &str, scope: &dyn Scope, caches: &mut Caches) -> Option<Value> {
        match &self.variety {
            Variety::Any => Some(Value::Text(value.into())),
            Variety::Atomic(primitive) => Value::parse(*primitive, value, scope),
            Variety::List(item) => {
                let words = value.split(' ').filter(|word| !word.is_empty());
                words.map(|word| item.make(word, scope, caches)).collect::<Option<Vec<_>>>().map(Value::List)
            }
            Variety::Union(members) => members.iter().find_map(|member| {
                let mut text = String::new();
                let (part, _) = member.run(value, scope, &mut text, caches).ok()?;
                member.make(part.unwrap_or(&text), scope, caches)
            }),
        }
    }

    fn is_integer(&self) -> bool {
        matches!(self.form, Form::Integer | Form::Unsigned)
    }

    /// Whether equal values always have equal texts.
    fn is_text(&self) -> bool {
        matches!(self.variety, Variety::Any | Variety::Atomic(Primitive::String | Primitive::AnyUri))
    }

    /// Whether a text means the same wherever it lies.
    pub fn is_plain(&self) -> bool {
        self.is_plain
    }
}

impl Enumeration {
    fn table(literals: &[Box<str>]) -> Names {
        let mut table = Names::default();
        for literal in literals {
            table.intern("", literal);
        }
        table
    }

    #[inline]
    fn lists(&self, value: &str) -> bool {
        self.is_plain && self.table.find("", value).is_some()
    }

    fn check_value(&self, value: Option<Value>) -> Result<(), Fault> {
        match value {
            Some(value) if self.values.contains(&value) => Ok(()),
            _ => Err(self.reason()),
        }
    }

    fn reason(&self) -> Fault {
        Fault::Plain("cvc-enumeration-valid", "not one of the values allowed")
    }
}

fn listed(identity: Identity) -> Identity {
    match identity {
        Identity::Idref => Identity::Idrefs,
        other => other,
    }
}

fn good<T>(found: Option<T>, what: &'static str) -> Result<(), Fault> {
    found.map(|_| ()).ok_or(Fault::Plain(DATATYPE, what))
}

/// The rule that a value must be of the form of its type.
const DATATYPE: &str = "cvc-datatype-valid";
const NOT_HEX: &str = "not pairs of hexadecimal digits";
const NOT_BASE64: &str = "not base64";
