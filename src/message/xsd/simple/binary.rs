//! Octets as `hexBinary` and `base64Binary` (part 2, sections 3.2.15 and 3.2.16).

/// Hexadecimal digits, counted as they come.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Hex {
    digits: usize,
}

impl Hex {
    /// Takes the next characters.
    pub(super) fn take(&mut self, text: &str) -> Option<()> {
        self.digits = self.digits.saturating_add(text.len());
        text.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(())
    }

    /// How many octets they stand for, if nothing comes any more.
    pub(super) fn octets(self) -> Option<usize> {
        self.digits.is_multiple_of(2).then_some(self.digits / 2)
    }
}

/// Base64, counted as it comes; a space may follow any character.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Base64 {
    digits: usize,
    padding: usize,
    last: u8,
}

impl Base64 {
    /// Takes the next characters.
    pub(super) fn take(&mut self, text: &str) -> Option<()> {
        let (words, rest) = text.as_bytes().as_chunks::<32>();
        for word in words {
            // Without an early exit the compiler looks at all of them at once.
            let is_plain = self.padding == 0 && word.iter().fold(true, |all, byte| all & is_digit(*byte));
            if let (true, Some(last)) = (is_plain, word.last()) {
                (self.digits, self.last) = (self.digits.saturating_add(word.len()), *last);
            } else {
                self.take_each(word)?;
            }
        }
        self.take_each(rest)
    }

    fn take_each(&mut self, octets: &[u8]) -> Option<()> {
        for byte in octets.iter().filter(|byte| **byte != b' ') {
            match byte {
                b'=' => self.padding = self.padding.saturating_add(1),
                digit if self.padding == 0 && is_digit(*digit) => {
                    (self.digits, self.last) = (self.digits.saturating_add(1), *digit);
                }
                _ => return None,
            }
        }
        Some(())
    }

    /// How many octets it stands for, if nothing comes any more.
    pub(super) fn octets(self) -> Option<usize> {
        // The bits that padding leaves over must be zero, so that one content has one text.
        let rest_is_zero = match self.padding {
            0 => true,
            1 => b"AEIMQUYcgkosw048".contains(&self.last),
            2 => b"AQgw".contains(&self.last),
            _ => false,
        };
        let whole = self.digits.saturating_add(self.padding).is_multiple_of(4);
        (whole && rest_is_zero).then(|| self.digits.saturating_mul(3) / 4)
    }
}

#[inline]
fn is_digit(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() | matches!(byte, b'+' | b'/')
}

/// How many octets a text in hexadecimal stands for.
pub(super) fn hex_octets(value: &str) -> Option<usize> {
    let mut hex = Hex::default();
    hex.take(value)?;
    hex.octets()
}

/// The octets of a text in hexadecimal.
pub(super) fn hex(value: &str) -> Option<Vec<u8>> {
    hex_octets(value)?;
    value.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// How many octets a base64 text stands for.
pub(super) fn base64_octets(value: &str) -> Option<usize> {
    let mut base64 = Base64::default();
    base64.take(value)?;
    base64.octets()
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
