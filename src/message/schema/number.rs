//! Decimal numbers of any length and their bounds, compared as digits: nothing is rounded.

use std::cmp::Ordering;

/// A decimal number, its digits without zeros that mean nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number<'t> {
    negative: bool,
    whole: &'t str,
    fraction: &'t str,
}

/// A bound as the schema gives it.
#[derive(Clone, Debug)]
pub(super) struct Bound {
    text: Box<str>,
    inclusive: bool,
}

/// The facets of numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct Bounds {
    pub(super) low: Vec<Bound>,
    pub(super) high: Vec<Bound>,
    pub(super) total_digits: Option<usize>,
    pub(super) fraction_digits: Option<usize>,
    /// Whether a sign is refused, even before zero (part 2, section 3.3.21.1).
    signless: bool,
    /// The lowest and highest value that is accepted, where the facets come down to that; most do.
    quick: Option<(i64, i64)>,
}

impl<'t> Number<'t> {
    /// Reads an optional sign, digits, and an optional point with digits; at least one digit in all.
    pub(super) fn parse(text: &'t str) -> Option<Self> {
        let (negative, digits) = match text.strip_prefix(['-', '+']) {
            Some(digits) => (text.starts_with('-'), digits),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if !plain(whole) || !plain(fraction) || (whole.is_empty() && fraction.is_empty()) {
            return None;
        }
        let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
        let zero = whole.is_empty() && fraction.is_empty();
        Some(Self { negative: negative && !zero, whole, fraction })
    }

    fn compare(&self, other: &Number<'_>) -> Ordering {
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => self.compare_magnitude(other),
            (true, true) => other.compare_magnitude(self),
        }
    }

    fn compare_magnitude(&self, other: &Number<'_>) -> Ordering {
        // Without leading zeros the longer whole part is the greater; fractions compare like words.
        let whole = self.whole.len().cmp(&other.whole.len()).then_with(|| self.whole.cmp(other.whole));
        whole.then_with(|| self.fraction.cmp(other.fraction))
    }
}

impl Bound {
    /// A bound whose text is a number.
    pub(super) fn parse(text: &str, inclusive: Inclusive) -> Option<Self> {
        Number::parse(text)?;
        Some(Self { text: text.into(), inclusive: inclusive == Inclusive::Yes })
    }

    fn order(&self, value: &Number<'_>) -> Ordering {
        Number::parse(&self.text).map_or(Ordering::Equal, |bound| value.compare(&bound))
    }

    fn nearest(&self, step: i64) -> Option<i64> {
        let bound: i64 = self.text.parse().ok()?;
        if self.inclusive { Some(bound) } else { bound.checked_add(step) }
    }
}

/// Whether a bound itself is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inclusive {
    Yes,
    No,
}

impl Bounds {
    /// The bounds of the built-in types of integers.
    pub(super) fn of_built_in(name: &str) -> Option<Self> {
        let (low, high) = match name {
            "integer" => (None, None),
            "nonNegativeInteger" => (Some("0"), None),
            "positiveInteger" => (Some("1"), None),
            "nonPositiveInteger" => (None, Some("0")),
            "negativeInteger" => (None, Some("-1")),
            "long" => (Some("-9223372036854775808"), Some("9223372036854775807")),
            "int" => (Some("-2147483648"), Some("2147483647")),
            "short" => (Some("-32768"), Some("32767")),
            "byte" => (Some("-128"), Some("127")),
            "unsignedLong" => (Some("0"), Some("18446744073709551615")),
            "unsignedInt" => (Some("0"), Some("4294967295")),
            "unsignedShort" => (Some("0"), Some("65535")),
            "unsignedByte" => (Some("0"), Some("255")),
            _ => return None,
        };
        let mut bounds = Self { signless: name.starts_with("unsigned"), ..Self::default() };
        bounds.low.extend(low.and_then(|text| Bound::parse(text, Inclusive::Yes)));
        bounds.high.extend(high.and_then(|text| Bound::parse(text, Inclusive::Yes)));
        bounds.settle();
        Some(bounds)
    }

    /// Works out the quick bounds; to be called when the facets are complete.
    pub(super) fn settle(&mut self) {
        let low =
            self.low.iter().map(|bound| bound.nearest(1)).try_fold(i64::MIN, |low, bound| bound.map(|bound| low.max(bound)));
        let high =
            self.high.iter().map(|bound| bound.nearest(-1)).try_fold(i64::MAX, |high, bound| bound.map(|bound| high.min(bound)));
        self.quick = if self.total_digits.is_none() { low.zip(high) } else { None };
    }

    /// Checks an integer; the long way only where the short one cannot tell.
    pub(super) fn check_integer(&self, text: &str) -> Result<(), &'static str> {
        const NOT: &str = "not an integer";
        if self.signless && text.starts_with(['+', '-']) {
            return Err(NOT);
        }
        if let Some((low, high)) = self.quick
            && let Some(value) = short_integer(text)
        {
            return if value < low {
                Err("too small")
            } else if value > high {
                Err("too large")
            } else {
                Ok(())
            };
        }
        let number = Number::parse(text).filter(|_| !text.contains('.')).ok_or(NOT)?;
        self.check(&number)
    }

    /// Checks a number.
    pub(super) fn check(&self, number: &Number<'_>) -> Result<(), &'static str> {
        let above = |bound: &Bound| match bound.order(number) {
            Ordering::Greater => true,
            Ordering::Equal => bound.inclusive,
            Ordering::Less => false,
        };
        let below = |bound: &Bound| match bound.order(number) {
            Ordering::Less => true,
            Ordering::Equal => bound.inclusive,
            Ordering::Greater => false,
        };
        if !self.low.iter().all(above) {
            return Err("too small");
        }
        if !self.high.iter().all(below) {
            return Err("too large");
        }
        let digits = number.whole.len().saturating_add(number.fraction.len());
        if self.total_digits.is_some_and(|most| digits > most)
            || self.fraction_digits.is_some_and(|most| number.fraction.len() > most)
        {
            return Err("too many digits");
        }
        Ok(())
    }
}

/// Up to 18 digits, which an `i64` holds.
fn short_integer(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    let mut value = 0_i64;
    for byte in digits.bytes() {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.wrapping_mul(10).wrapping_add(i64::from(digit));
    }
    Some(if negative { value.wrapping_neg() } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_by_value() {
        let order = [
            "-100000000000000000000",
            "-2.5",
            "-2.49",
            "-0.1",
            "0",
            "0.09",
            "0.1",
            "1",
            "1.000000000000000000001",
            "9",
            "10",
            "99999999999999999999.9",
        ];
        for (left_at, left) in order.iter().enumerate() {
            for (right_at, right) in order.iter().enumerate() {
                let (left, right) = (Number::parse(left).expect("number"), Number::parse(right).expect("number"));
                assert_eq!(left.compare(&right), left_at.cmp(&right_at), "{left:?} {right:?}");
            }
        }
        assert_eq!(Number::parse("-0.00"), Number::parse("+0"));
    }

    #[test]
    fn bounds_are_inclusive_or_not() {
        let mut bounds = Bounds::default();
        bounds.low.extend(Bound::parse("1", Inclusive::No));
        bounds.high.extend(Bound::parse("5.5", Inclusive::Yes));
        bounds.settle();
        for (value, good) in [("1", false), ("1.01", true), ("5.50", true), ("5.51", false)] {
            assert_eq!(bounds.check(&Number::parse(value).expect("number")).is_ok(), good, "{value}");
        }
        for (value, good) in [("1", false), ("2", true), ("5", true), ("6", false)] {
            assert_eq!(bounds.check_integer(value).is_ok(), good, "{value}");
        }
    }
}
