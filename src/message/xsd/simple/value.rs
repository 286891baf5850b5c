//! Values in the value space: equal if they are the same value of the same primitive type.

use super::Scope;
use super::calendar::{Duration, Moment, Parts};
use super::decimal::Number;
use super::{Primitive, binary, float, lexical};
use crate::message::crypto::sha256;
use std::cmp::Ordering;

/// A value, for comparing: fixed values, enumerations, keys of identity constraints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A string, of whatever length and white space.
    Text(Box<str>),
    /// A reference, as written.
    Uri(Box<str>),
    /// A boolean.
    Boolean(bool),
    /// A decimal number in its shortest form.
    Decimal(Box<str>),
    /// The bits of a float; there is one zero and one NaN.
    Float(u32),
    /// The bits of a double; there is one zero and one NaN.
    Double(u64),
    /// Months, whole seconds, and a fraction of a second.
    Duration(i64, i64, u64),
    /// A point on the timeline of one of the types of dates.
    Instant(Instant),
    /// The octets of `hexBinary`.
    Hex(Box<[u8]>),
    /// The octets of `base64Binary`.
    Base64(Box<[u8]>),
    /// A qualified name: its namespace, empty if there is none, and its local part.
    QName(Box<str>, Box<str>),
    /// The name of a notation.
    Notation(Box<str>, Box<str>),
    /// A list of values.
    List(Vec<Value>),
}

/// A value of a type of dates.
#[derive(Clone, Copy, Debug)]
pub struct Instant {
    parts: Parts,
    moment: Moment,
}

impl PartialEq for Instant {
    fn eq(&self, other: &Self) -> bool {
        self.parts == other.parts && self.moment.compare(&other.moment) == Some(Ordering::Equal)
    }
}

impl Eq for Instant {}

impl Value {
    /// Reads the value of a primitive type; the text has its white space as the type has it.
    pub(super) fn parse(primitive: Primitive, text: &str, scope: &dyn Scope) -> Option<Self> {
        Some(match primitive {
            Primitive::String => Self::Text(text.into()),
            Primitive::AnyUri => lexical::is_reference(text).then(|| Self::Uri(text.into()))?,
            Primitive::Boolean => Self::Boolean(boolean(text)?),
            Primitive::Decimal => Self::Decimal(Number::parse(text)?.canonical().into()),
            Primitive::Float => Self::Float(match float::float(text)? {
                nan if nan.is_nan() => f32::NAN.to_bits(),
                0.0 => 0,
                other => other.to_bits(),
            }),
            Primitive::Double => Self::Double(match float::double(text)? {
                nan if nan.is_nan() => f64::NAN.to_bits(),
                0.0 => 0,
                other => other.to_bits(),
            }),
            Primitive::Duration => {
                let Duration { months, seconds, attos } = Duration::parse(text)?;
                Self::Duration(months, seconds, attos)
            }
            Primitive::Calendar(parts) => Self::Instant(Instant { parts, moment: Moment::parse(parts, text)? }),
            Primitive::HexBinary => Self::Hex(binary::hex(text)?.into()),
            Primitive::Base64Binary => Self::Base64(binary::base64(text)?.into()),
            Primitive::QName | Primitive::Notation => {
                let (prefix, local) = lexical::qualified(text)?;
                let namespace = Box::from(namespace(prefix, scope)?);
                match primitive {
                    Primitive::QName => Self::QName(namespace, local.into()),
                    _ => Self::Notation(namespace, local.into()),
                }
            }
        })
    }

    /// How two values of one primitive type are ordered; `None` if they are not.
    pub(super) fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Decimal(left), Self::Decimal(right)) => Some(Number::parse(left)?.compare(&Number::parse(right)?)),
            (Self::Float(left), Self::Float(right)) if left == right => Some(Ordering::Equal),
            (Self::Double(left), Self::Double(right)) if left == right => Some(Ordering::Equal),
            (Self::Float(left), Self::Float(right)) => f32::from_bits(*left).partial_cmp(&f32::from_bits(*right)),
            (Self::Double(left), Self::Double(right)) => f64::from_bits(*left).partial_cmp(&f64::from_bits(*right)),
            (Self::Duration(months, seconds, attos), Self::Duration(other_months, other_seconds, other_attos)) => {
                let left = Duration { months: *months, seconds: *seconds, attos: *attos };
                left.compare(&Duration { months: *other_months, seconds: *other_seconds, attos: *other_attos })
            }
            (Self::Instant(left), Self::Instant(right)) if left.parts == right.parts => left.moment.compare(&right.moment),
            _ => None,
        }
    }

    /// A fixed-size stand-in: equal values have equal digests, and others have not.
    pub fn digest(&self) -> [u8; 12] {
        let mut octets = Vec::new();
        self.write(&mut octets);
        let digest = sha256(&octets);
        let mut short = [0; 12];
        short.iter_mut().zip(digest.octets()).for_each(|(to, from)| *to = *from);
        short
    }

    /// Writes the value so that no other value is written the same.
    fn write(&self, out: &mut Vec<u8>) {
        let mut part = |tag: u8, octets: &[u8]| {
            out.push(tag);
            out.extend(octets.len().to_be_bytes());
            out.extend(octets);
        };
        match self {
            Self::Text(text) => part(1, text.as_bytes()),
            Self::Uri(text) => part(2, text.as_bytes()),
            Self::Boolean(value) => part(3, &[u8::from(*value)]),
            Self::Decimal(text) => part(4, text.as_bytes()),
            Self::Float(bits) => part(5, &bits.to_be_bytes()),
            Self::Double(bits) => part(6, &bits.to_be_bytes()),
            Self::Duration(months, seconds, attos) => {
                part(7, &months.to_be_bytes());
                part(7, &seconds.to_be_bytes());
                part(7, &attos.to_be_bytes());
            }
            Self::Instant(Instant { parts, moment }) => {
                part(8, &[*parts as u8, u8::from(moment.zone.is_some())]);
                part(8, &moment.universal().to_be_bytes());
                part(8, &moment.attos.to_be_bytes());
            }
            Self::Hex(octets) => part(9, octets),
            Self::Base64(octets) => part(10, octets),
            Self::QName(namespace, local) => {
                part(11, namespace.as_bytes());
                part(11, local.as_bytes());
            }
            Self::Notation(namespace, local) => {
                part(12, namespace.as_bytes());
                part(12, local.as_bytes());
            }
            Self::List(items) => {
                part(13, &items.len().to_be_bytes());
                items.iter().for_each(|item| item.write(out));
            }
        }
    }
}

/// A truth value.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

/// The namespace of a prefix; empty for none, which a name without a prefix may have.
pub(super) fn namespace<'s>(prefix: &str, scope: &'s dyn Scope) -> Option<&'s str> {
    match scope.namespace(prefix) {
        Some(namespace) => Some(namespace),
        None if prefix.is_empty() => Some(""),
        None if prefix == "xml" => Some("http://www.w3.org/XML/1998/namespace"),
        None => None,
    }
}
