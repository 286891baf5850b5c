//! Octets as `hexBinary` and `base64Binary` (part 2, sections 3.2.15 and 3.2.16).

/// How many octets a text in hexadecimal stands for.
pub(super) fn hex_octets(value: &str) -> Option<usize> {
    let whole = value.len().is_multiple_of(2) && value.bytes().all(|byte| byte.is_ascii_hexdigit());
    whole.then_some(value.len() / 2)
}

/// The octets of a text in hexadecimal.
pub(super) fn hex(value: &str) -> Option<Vec<u8>> {
    hex_octets(value)?;
    value.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// How many octets a base64 text stands for; a space may follow any character.
pub(super) fn base64_octets(value: &str) -> Option<usize> {
    let (mut digits, mut padding, mut last) = (0_usize, 0_usize, 0_u8);
    for byte in value.bytes().filter(|byte| *byte != b' ') {
        match byte {
            b'=' => padding = padding.saturating_add(1),
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' if padding == 0 => {
                digits = digits.saturating_add(1);
                last = byte;
            }
            _ => return None,
        }
    }
    // The bits that padding leaves over must be zero, so that one content has one text.
    let rest_is_zero = match padding {
        0 => true,
        1 => b"AEIMQUYcgkosw048".contains(&last),
        2 => b"AQgw".contains(&last),
        _ => false,
    };
    let whole = digits.saturating_add(padding).is_multiple_of(4);
    (whole && rest_is_zero).then(|| digits.saturating_mul(3) / 4)
}

/// The octets of a base64 text.
pub(super) fn base64(value: &str) -> Option<Vec<u8>> {
    let mut octets = Vec::with_capacity(base64_octets(value)?);
    let (mut bits, mut count) = (0_u32, 0_u32);
    for byte in value.bytes() {
        let digit = match byte {
            b'A'..=b'Z' => byte.wrapping_sub(b'A'),
            b'a'..=b'z' => byte.wrapping_sub(b'a').wrapping_add(26),
            b'0'..=b'9' => byte.wrapping_sub(b'0').wrapping_add(52),
            b'+' => 62,
            b'/' => 63,
            _ => continue,
        };
        bits = bits << 6 | u32::from(digit);
        count = count.saturating_add(6);
        if count >= 8 {
            count = count.saturating_sub(8);
            octets.push((bits >> count & 0xff) as u8);
        }
    }
    Some(octets)
}
