//! Examples that were held against their schema before anybody sees them.

use super::loose::{Told, hold};
use crate::message::xsd::Set;
use crate::message::xsd::example::{Fullness, Values, make};
use std::fmt;

/// Why there is no example.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unmade {
    /// Something of it has no value, or no end.
    Impossible(String),
    /// What was made is not valid; the first violation.
    Invalid(Told),
}

impl fmt::Display for Unmade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Impossible(what) => f.write_str(what),
            Self::Invalid(told) => {
                write!(f, "what was made is not valid at {}:{}: {}: {}", told.line, told.column, told.rule, told.what)
            }
        }
    }
}

/// A valid document whose root is a global element.
pub fn valid(set: &Set, root: u32, fullness: Fullness) -> Result<String, Unmade> {
    let mut first = None;
    // What a key wants may be optional by itself: then the smallest document with it is the full one.
    let ways = [
        (fullness, Values::Alike),
        (fullness, Values::Different),
        (Fullness::Full, Values::Alike),
        (Fullness::Full, Values::Different),
    ];
    for (fullness, values) in ways {
        let made = make(set, root, fullness, values).map_err(Unmade::Impossible)?;
        match hold(set, &made, 1).into_iter().next() {
            None => return Ok(made),
            Some(told) => first = first.or(Some(told)),
        }
    }
    Err(first.map_or(Unmade::Impossible("nothing was made".to_owned()), Unmade::Invalid))
}
