//! Numbers of `xs:float` and `xs:double` (part 2, sections 3.2.4 and 3.2.5).

/// A `float`, rounded to the nearest; beyond the largest it is infinite. `+INF` is of XSD 1.1 and refused.
pub(super) fn float(text: &str) -> Option<f32> {
    match text {
        "INF" => Some(f32::INFINITY),
        "-INF" => Some(f32::NEG_INFINITY),
        "NaN" => Some(f32::NAN),
        _ if is_number(text) => text.parse().ok(),
        _ => None,
    }
}

/// A `double`.
pub(super) fn double(text: &str) -> Option<f64> {
    match text {
        "INF" => Some(f64::INFINITY),
        "-INF" => Some(f64::NEG_INFINITY),
        "NaN" => Some(f64::NAN),
        _ if is_number(text) => text.parse().ok(),
        _ => None,
    }
}

/// A decimal number and, maybe, an exponent that is an integer.
fn is_number(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    is_decimal(mantissa) && exponent.is_none_or(is_integer)
}

fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    plain(whole) && plain(fraction) && !(whole.is_empty() && fraction.is_empty())
}

fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}
