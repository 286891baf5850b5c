//! Restriction: one step of derivation (part 2, sections 4.1.2.1 and 4.3), and what the specification refuses about it.

use super::decimal::Number;
use super::lexical::White;
use super::value::Value;
use super::{Bound, Enumeration, Facets, NoScope, Primitive, Room, Simple, Variety};
use crate::message::xsd::pattern::Pattern;
use std::cmp::Ordering;
use std::sync::Arc;

/// A type restricted by the facets of one step.
pub(super) fn restrict(base: &Arc<Simple>, facets: &Facets) -> Result<Simple, String> {
    let given = given(facets);
    if let Some((name, _)) = given.iter().find(|(name, _)| !applies(base, name)) {
        return Err(format!("the facet {name} is not for a type like this (cos-applicable-facets)"));
    }
    let mut made = Simple::clone(base);
    made.enumeration = None;
    white_space(&mut made, base, facets)?;
    lengths(&mut made, base, facets)?;
    digits(&mut made, base, facets)?;
    bounds(&mut made, base, facets)?;
    if let Some((name, _)) =
        given.iter().find(|(name, _)| base.fixed.iter().any(|fixed| **fixed == **name) && changes(base, &made, name))
    {
        return Err(format!("the facet {name} is fixed in the base type and cannot have another value"));
    }
    made.fixed.extend(facets.fixed.iter().cloned());
    if !facets.patterns.is_empty() {
        let alternatives = facets.patterns.iter().map(|pattern| &**pattern).collect::<Vec<_>>();
        let pattern = Pattern::compile(&alternatives)?;
        made.notes.extend(pattern.notes().iter().cloned());
        made.patterns.push(Arc::new(pattern));
    }
    made.settle();
    made.enumeration = enumeration(&made, base, facets)?.map(Arc::new);
    Ok(made)
}

/// The facets that are given, by name, with their text.
fn given(facets: &Facets) -> Vec<(&'static str, &str)> {
    let single = [
        ("length", &facets.length),
        ("minLength", &facets.min_length),
        ("maxLength", &facets.max_length),
        ("totalDigits", &facets.total_digits),
        ("fractionDigits", &facets.fraction_digits),
        ("minInclusive", &facets.min_inclusive),
        ("maxInclusive", &facets.max_inclusive),
        ("minExclusive", &facets.min_exclusive),
        ("maxExclusive", &facets.max_exclusive),
        ("whiteSpace", &facets.white_space),
    ];
    let mut given = single.iter().filter_map(|(name, text)| text.as_deref().map(|text| (*name, text))).collect::<Vec<_>>();
    given.extend(facets.patterns.first().map(|text| ("pattern", &**text)));
    given.extend(facets.enumeration.first().map(|(text, _)| ("enumeration", &**text)));
    given
}

/// Section 4.1.5.
fn applies(base: &Simple, facet: &str) -> bool {
    let primitive = match &base.variety {
        Variety::Any => return false,
        Variety::Union(_) => return matches!(facet, "pattern" | "enumeration"),
        Variety::List(_) => {
            return matches!(facet, "pattern" | "enumeration" | "whiteSpace" | "length" | "minLength" | "maxLength");
        }
        Variety::Atomic(primitive) => *primitive,
    };
    match facet {
        "pattern" | "whiteSpace" => true,
        "enumeration" => primitive != Primitive::Boolean,
        "length" | "minLength" | "maxLength" => matches!(
            primitive,
            Primitive::String
                | Primitive::AnyUri
                | Primitive::HexBinary
                | Primitive::Base64Binary
                | Primitive::QName
                | Primitive::Notation
        ),
        "totalDigits" | "fractionDigits" => primitive == Primitive::Decimal,
        _ => is_ordered(primitive),
    }
}

fn is_ordered(primitive: Primitive) -> bool {
    let numbers = matches!(primitive, Primitive::Decimal | Primitive::Float | Primitive::Double);
    numbers || matches!(primitive, Primitive::Duration | Primitive::Calendar(_))
}

/// Whether a facet is not the same as in the base.
fn changes(base: &Simple, made: &Simple, facet: &str) -> bool {
    let differs = |left: &Option<Bound>, right: &Option<Bound>| match (left, right) {
        (Some(left), Some(right)) => left.value != right.value || left.is_inclusive != right.is_inclusive,
        (None, None) => false,
        _ => true,
    };
    match facet {
        "whiteSpace" => base.white != made.white,
        "length" => base.length_min != made.length_min || base.length_max != made.length_max,
        "minLength" => base.length_min != made.length_min,
        "maxLength" => base.length_max != made.length_max,
        "totalDigits" => base.total_digits != made.total_digits,
        "fractionDigits" => base.fraction_digits != made.fraction_digits,
        "minInclusive" | "minExclusive" => differs(&base.low, &made.low),
        "maxInclusive" | "maxExclusive" => differs(&base.high, &made.high),
        _ => false,
    }
}

fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\n', '\r'])
}

/// The number of a facet that is a `nonNegativeInteger`.
fn count(name: &str, text: Option<&str>) -> Result<Option<usize>, String> {
    let Some(text) = text.map(trim) else { return Ok(None) };
    let number = Number::parse(text)
        .filter(|_| !text.contains('.') && (!text.starts_with('-') || text.trim_matches(['-', '0']).is_empty()));
    let number = number.ok_or_else(|| format!("the facet {name} is not a whole number"))?;
    Ok(Some(number.canonical().parse().unwrap_or(usize::MAX)))
}

/// Section 4.3.6.1: white space may only be treated more strictly.
fn white_space(made: &mut Simple, base: &Simple, facets: &Facets) -> Result<(), String> {
    let Some(text) = facets.white_space.as_deref() else { return Ok(()) };
    let white = White::parse(trim(text)).ok_or("the facet whiteSpace is not preserve, replace or collapse")?;
    if white < base.white {
        return Err("the facet whiteSpace gives back what the base type takes away (whiteSpace-valid-restriction)".to_owned());
    }
    made.white = white;
    Ok(())
}

/// Sections 4.3.1.4, 4.3.2.4 and 4.3.3.4.
fn lengths(made: &mut Simple, base: &Simple, facets: &Facets) -> Result<(), String> {
    let length = count("length", facets.length.as_deref())?;
    let min = count("minLength", facets.min_length.as_deref())?;
    let max = count("maxLength", facets.max_length.as_deref())?;
    let states = |name: &str| base.stated.contains(&name);
    if length.is_some() || states("length") {
        // Beside a length only such a bound may stand as an earlier step has.
        if min.is_some_and(|min| !states("minLength") || min != base.length_min && !states("length")) {
            return Err("the facets length and minLength stand together (length-minLength-maxLength)".to_owned());
        }
        if max.is_some_and(|max| !states("maxLength") || max != base.length_max && !states("length")) {
            return Err("the facets length and maxLength stand together (length-minLength-maxLength)".to_owned());
        }
    }
    if min.zip(max).is_some_and(|(min, max)| min > max) {
        return Err("the facet minLength is above maxLength (minLength-less-than-equal-to-maxLength)".to_owned());
    }
    let within = |name: &str, value: usize| match (base.length_min..=base.length_max).contains(&value) {
        true => Ok(()),
        false => Err(format!("the facet {name} allows what the base type does not ({name}-valid-restriction)")),
    };
    for (name, value) in [("length", length), ("minLength", min), ("maxLength", max)] {
        let Some(value) = value else { continue };
        within(name, value)?;
        if name != "maxLength" {
            made.length_min = value;
        }
        if name != "minLength" {
            made.length_max = value;
        }
        made.stated.push(name);
    }
    Ok(())
}

/// Sections 4.3.11.4 and 4.3.12.4.
fn digits(made: &mut Simple, base: &Simple, facets: &Facets) -> Result<(), String> {
    if let Some(total) = count("totalDigits", facets.total_digits.as_deref())? {
        if total == 0 {
            return Err("the facet totalDigits is zero".to_owned());
        }
        if base.total_digits.is_some_and(|known| total > known) {
            return Err("the facet totalDigits allows more than the base type (totalDigits-valid-restriction)".to_owned());
        }
        made.total_digits = Some(total);
    }
    if let Some(fraction) = count("fractionDigits", facets.fraction_digits.as_deref())? {
        if base.fraction_digits.is_some_and(|known| fraction > known) {
            return Err("the facet fractionDigits allows more than the base type (fractionDigits-valid-restriction)".to_owned());
        }
        made.fraction_digits = Some(fraction);
    }
    if made.total_digits.zip(made.fraction_digits).is_some_and(|(total, fraction)| fraction > total) {
        return Err("the facet fractionDigits is above totalDigits (fractionDigits-less-than-equal-to-totalDigits)".to_owned());
    }
    Ok(())
}

/// Sections 4.3.7.4 to 4.3.10.4.
fn bounds(made: &mut Simple, base: &Simple, facets: &Facets) -> Result<(), String> {
    let low = bound(base, ("minInclusive", &facets.min_inclusive), ("minExclusive", &facets.min_exclusive))?;
    let high = bound(base, ("maxInclusive", &facets.max_inclusive), ("maxExclusive", &facets.max_exclusive))?;
    if let (Some(low), Some(high)) = (&low, &high) {
        let same_kind = low.is_inclusive == high.is_inclusive;
        match low.value.compare(&high.value) {
            Some(Ordering::Less) => {}
            Some(Ordering::Equal) if same_kind => {}
            _ => return Err("the lowest value is above the highest one (min…-less-than-equal-to-max…)".to_owned()),
        }
    }
    let widens = || "a bound allows what the base type does not (min…-valid-restriction, max…-valid-restriction)".to_owned();
    let compare = |bound: &Bound, other: &Option<Bound>| {
        other.as_ref().map(|other| (bound.value.compare(&other.value), other.is_inclusive))
    };
    for (new, is_low) in [(&low, true), (&high, false)] {
        let Some(new) = new else { continue };
        let good = |found: Option<(Option<Ordering>, bool)>, inside: Ordering, same_side: bool| match found {
            None => true,
            Some((Some(order), _)) if order == inside => true,
            // Two exclusive bounds, or an exclusive one on an inclusive one, may be the same on the same side.
            Some((Some(Ordering::Equal), is_inclusive)) => {
                if same_side {
                    is_inclusive || !new.is_inclusive
                } else {
                    is_inclusive && new.is_inclusive
                }
            }
            _ => false,
        };
        let fits =
            good(compare(new, &base.low), Ordering::Greater, is_low) && good(compare(new, &base.high), Ordering::Less, !is_low);
        if !fits {
            return Err(widens());
        }
    }
    made.low = low.or_else(|| base.low.clone());
    made.high = high.or_else(|| base.high.clone());
    Ok(())
}

type Named<'f> = (&'static str, &'f Option<Box<str>>);

fn bound(base: &Simple, inclusive: Named<'_>, exclusive: Named<'_>) -> Result<Option<Bound>, String> {
    let ((name, text), is_inclusive) = match (inclusive.1, exclusive.1) {
        (Some(_), Some(_)) => return Err(format!("the facets {} and {} stand together", inclusive.0, exclusive.0)),
        (Some(text), None) => ((inclusive.0, text), true),
        (None, Some(text)) => ((exclusive.0, text), false),
        (None, None) => return Ok(None),
    };
    let Variety::Atomic(primitive) = &base.variety else { return Ok(None) };
    let text = trim(text);
    let value = Value::parse(*primitive, text, &NoScope).filter(|_| !base.is_integer() || !text.contains('.'));
    let value = value.ok_or_else(|| format!("the facet {name} is not a value of the base type"))?;
    Ok(Some(Bound { value, text: text.into(), is_inclusive }))
}

/// The values allowed: those of this step, or those of the base that the other facets leave.
fn enumeration(made: &Simple, base: &Simple, facets: &Facets) -> Result<Option<Enumeration>, String> {
    let mut room = Room::default();
    let is_plain = made.is_plain();
    let mut literals = Vec::new();
    if facets.enumeration.is_empty() {
        let Some(known) = &base.enumeration else { return Ok(None) };
        let kept = |texts: &[Box<str>], room: &mut Room| {
            texts.iter().filter(|text| !is_plain || made.check(text, &NoScope, room).is_ok()).cloned().collect::<Vec<_>>()
        };
        let (literals, shown) = (kept(&known.literals, &mut room), kept(&known.shown, &mut room));
        let table = Enumeration::table(&literals);
        return Ok(Some(Enumeration { literals, table, shown, values: known.values.clone(), is_plain, count: known.count }));
    }
    let (mut values, mut shown) = (Vec::new(), Vec::new());
    for (literal, bindings) in &facets.enumeration {
        let value = base.value(literal, &BoundPrefixes(bindings), &mut room);
        let value = value.map_err(|reason| {
            format!("a value of the enumeration is not one of the base type: {} (enumeration-valid-restriction)", reason.what)
        })?;
        if let Ok(text) = made.check(literal, &BoundPrefixes(bindings), &mut room) {
            if shown.len() < SHOWN_MAX {
                shown.push(Box::from(text));
            }
            literals.push(Box::from(text));
        }
        if !made.is_text() {
            values.push(value);
        }
    }
    literals.sort_unstable();
    literals.dedup();
    let table = Enumeration::table(&literals);
    Ok(Some(Enumeration { literals, table, shown, values, is_plain, count: facets.enumeration.len() }))
}

/// The prefixes that are bound where a literal stands.
struct BoundPrefixes<'b>(&'b [(Box<str>, Box<str>)]);

impl super::Scope for BoundPrefixes<'_> {
    fn namespace(&self, prefix: &str) -> Option<&str> {
        self.0.iter().rev().find(|(known, _)| **known == *prefix).map(|(_, namespace)| &**namespace)
    }
}

impl Simple {
    /// Works out the quick bounds of an integer; to be called when the facets are complete.
    pub(super) fn settle(&mut self) {
        self.quick = None;
        if !self.is_integer() {
            return;
        }
        let (mut low, mut high) = (i64::MIN, i64::MAX);
        if let Some(bound) = &self.low {
            let step = i128::from(!bound.is_inclusive);
            let Some(number) = whole(bound) else { return };
            low = i64::try_from(number.saturating_add(step)).unwrap_or(if number < 0 { i64::MIN } else { i64::MAX });
        }
        if let Some(bound) = &self.high {
            let step = i128::from(!bound.is_inclusive);
            let Some(number) = whole(bound) else { return };
            high = i64::try_from(number.saturating_sub(step)).unwrap_or(if number < 0 { i64::MIN } else { i64::MAX });
        }
        if let Some(most) = self.total_digits.and_then(|digits| 10_i64.checked_pow(u32::try_from(digits).ok()?)) {
            low = low.max(1_i64.saturating_sub(most));
            high = high.min(most.saturating_sub(1));
        }
        self.quick = Some((low, high));
    }
}

fn whole(bound: &Bound) -> Option<i128> {
    match &bound.value {
        Value::Decimal(text) => text.parse().ok(),
        _ => None,
    }
}

/// How many values of an enumeration are kept in the order of the schema, to be shown.
const SHOWN_MAX: usize = 12;
