//! Check digits of the identifier schemes that define them.
//!
//! XML Schema cannot express a check digit, so a mistyped number that has the right form would travel on as another
//! person's. The algorithms are those of the bodies that issue the numbers; where sources on the web disagree, the
//! vectors in the tests decide. A scheme that is not in the table is held to the general form only.

use std::borrow::Cow;
use std::fmt;

/// Why an identifier is not one of its scheme.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckDigitError {
    /// The scheme's name or the value's characters are not of the general form.
    Form,
    /// The value does not have the scheme's form.
    SchemeForm {
        /// The scheme.
        scheme: &'static str,
        /// Its form, in words.
        form: &'static str,
    },
    /// The check digits are wrong.
    CheckDigits {
        /// The scheme.
        scheme: &'static str,
        /// What they should be.
        expected: Expected,
    },
}

/// The check digits that a value should have. They say something about the value, so [`fmt::Debug`] hides them.
#[derive(Clone, PartialEq, Eq)]
pub struct Expected {
    place: &'static str,
    /// None where no check digits make these leading digits a number of the scheme.
    digits: Option<Box<str>>,
}

impl CheckDigitError {
    /// What a peer may read: the scheme and the kind of mistake, neither the value nor the digits expected.
    pub fn detail_public(&self) -> Cow<'static, str> {
        match self {
            Self::Form => Cow::Borrowed("not of the general form of an identifier"),
            Self::SchemeForm { scheme, form } => Cow::Owned(format!("{scheme}: should be {form}")),
            Self::CheckDigits { scheme, .. } => Cow::Owned(format!("{scheme}: the check digits are wrong")),
        }
    }
}

/// For whoever holds the value anyway, such as the command line: `RU-SNILS: the last two digits should be 95`.
impl fmt::Display for CheckDigitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::CheckDigits { scheme, expected } = self else { return f.write_str(&self.detail_public()) };
        match &expected.digits {
            Some(digits) => write!(f, "{scheme}: {} should be {digits}", expected.place),
            None => write!(f, "{scheme}: no number begins with these digits"),
        }
    }
}

impl std::error::Error for CheckDigitError {}

impl fmt::Debug for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expected({}: …)", self.place)
    }
}

/// One scheme: its form in words, the test of that form, and what the value's check digits should be.
struct Scheme {
    name: &'static str,
    form: &'static str,
    has_form: fn(&str) -> bool,
    place: &'static str,
    /// The check digits of a value that has the form; None where there are none that fit.
    expected: fn(&str) -> Option<String>,
    /// The check digits that the value does have.
    found: fn(&str) -> &str,
}

/// Tests the general form, then the scheme's form and check digits.
pub(super) fn verify(scheme: &str, value: &str) -> Result<(), CheckDigitError> {
    if !is_scheme(scheme) || !is_value(value) {
        return Err(CheckDigitError::Form);
    }
    // Several rows may share a name: the taxpayer number of an organisation is shorter than a person's.
    let mut form = None;
    for row in SCHEMES.iter().filter(|row| row.name == scheme) {
        if (row.has_form)(value) {
            return row.verify(value);
        }
        form = Some(CheckDigitError::SchemeForm { scheme: row.name, form: row.form });
    }
    form.map_or(Ok(()), Err)
}

/// The schemes whose check digits are verified.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    SCHEMES.iter().map(|scheme| scheme.name)
}

/// The value with this number in the scheme of synthetic people, `XX-OGTEST`.
pub(super) fn synthetic(number: u32) -> String {
    let leading = format!("99{:07}", number % 10_000_000);
    let check = synthetic_check(&leading).unwrap_or_default();
    format!("{leading}{check}")
}

impl Scheme {
    fn verify(&self, value: &str) -> Result<(), CheckDigitError> {
        let expected = (self.expected)(value);
        if expected.as_deref() == Some((self.found)(value)) {
            return Ok(());
        }
        let expected = Expected { place: self.place, digits: expected.map(String::into_boxed_str) };
        Err(CheckDigitError::CheckDigits { scheme: self.name, expected })
    }
}

pub(super) fn is_scheme(scheme: &str) -> bool {
    let Some((country, name)) = scheme.split_once('-') else { return false };
    country.len() == 2
        && country.bytes().all(|byte| byte.is_ascii_uppercase())
        && (2..=16).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

fn is_value(value: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'/' | b'.');
    (1..=64).contains(&value.len()) && value.bytes().all(plain)
}

fn is_digits(value: &str, len: usize) -> bool {
    value.len() == len && value.bytes().all(|byte| byte.is_ascii_digit())
}

/// The digits of a value; other characters count as nothing, which the test of the form has excluded.
fn digits(value: &str) -> impl DoubleEndedIterator<Item = u32> {
    value.chars().filter_map(|character| character.to_digit(10))
}

fn weighted(value: &str, weights: &[u32]) -> u32 {
    digits(value).zip(weights).fold(0, |sum, (digit, weight)| sum.saturating_add(digit.saturating_mul(*weight)))
}

/// The last `len` characters; the forms are ASCII.
fn last(value: &str, len: usize) -> &str {
    value.len().checked_sub(len).and_then(|at| value.get(at..)).unwrap_or("")
}

fn last_1(value: &str) -> &str {
    last(value, 1)
}

fn last_2(value: &str) -> &str {
    last(value, 2)
}

fn all_but_last(value: &str, len: usize) -> &str {
    value.len().checked_sub(len).and_then(|at| value.get(..at)).unwrap_or("")
}

fn one_digit(value: u32) -> Option<String> {
    (value < 10).then(|| value.to_string())
}

/// Federal Law 27-FZ; numbers up to 001-001-998 were issued without check digits.
fn snils(value: &str) -> Option<String> {
    if value.get(..9)? <= "001001998" {
        return Some(last_2(value).to_owned());
    }
    let rest = weighted(value, &[9, 8, 7, 6, 5, 4, 3, 2, 1]) % 101;
    Some(format!("{:02}", rest % 100))
}

fn inn_organisation(value: &str) -> Option<String> {
    one_digit(weighted(value, &[2, 4, 10, 3, 5, 9, 4, 6, 8]) % 11 % 10)
}

fn inn_person(value: &str) -> Option<String> {
    let first = weighted(value, &[7, 2, 4, 10, 3, 5, 9, 4, 6, 8]) % 11 % 10;
    let with_first = format!("{}{first}", value.get(..10)?);
    let second = weighted(&with_first, &[3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8]) % 11 % 10;
    Some(format!("{first}{second}"))
}

fn ogrn(value: &str) -> Option<String> {
    let leading: u64 = all_but_last(value, 1).parse().ok()?;
    Some((leading % 11 % 10).to_string())
}

fn ogrnip(value: &str) -> Option<String> {
    let leading: u64 = all_but_last(value, 1).parse().ok()?;
    Some((leading % 13 % 10).to_string())
}

fn is_isikukood(value: &str) -> bool {
    is_digits(value, 11) && !value.starts_with(['0', '9'])
}

fn isikukood(value: &str) -> Option<String> {
    let first = weighted(value, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 1]) % 11;
    let second = weighted(value, &[3, 4, 5, 6, 7, 8, 9, 1, 2, 3]) % 11;
    one_digit(if first < 10 { first } else { second % 10 })
}

fn is_hetu(value: &str) -> bool {
    let sign = value.get(6..7).unwrap_or("");
    let numbers = [value.get(..6), value.get(7..10)].into_iter().flatten().collect::<String>();
    value.len() == 11 && is_digits(&numbers, 9) && "+-YXWVUABCDEF".contains(sign)
}

fn hetu(value: &str) -> Option<String> {
    let number: u32 = format!("{}{}", value.get(..6)?, value.get(7..10)?).parse().ok()?;
    "0123456789ABCDEFHJKLMNPRSTUVWXY".chars().nth((number % 31) as usize).map(String::from)
}

fn pesel(value: &str) -> Option<String> {
    let rest = weighted(value, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3]) % 10;
    Some(((10 - rest) % 10).to_string())
}

/// The "eleven test": the last digit counts minus one.
fn bsn(value: &str) -> Option<String> {
    one_digit(weighted(value, &[9, 8, 7, 6, 5, 4, 3, 2]) % 11)
}

fn is_personnummer(value: &str) -> bool {
    is_digits(value, 10) || is_digits(value, 12)
}

/// Luhn's digit over the last ten of the digits, so that a century in front changes nothing.
fn personnummer(value: &str) -> Option<String> {
    let leading = all_but_last(last(value, 10), 1);
    let sum = digits(leading).zip([2, 1].into_iter().cycle()).fold(0_u32, |sum, (digit, weight)| {
        let product = digit.saturating_mul(weight);
        sum.saturating_add(product / 10).saturating_add(product % 10)
    });
    Some(((10 - sum % 10) % 10).to_string())
}

fn is_aadhaar(value: &str) -> bool {
    is_digits(value, 12) && !value.starts_with(['0', '1'])
}

/// Verhoeff's digit: multiplication in the dihedral group of the pentagon after a position's permutation.
fn verhoeff(value: &str) -> Option<String> {
    const INVERSE: [u32; 10] = [0, 4, 3, 2, 1, 5, 6, 7, 8, 9];
    let mut product = 0;
    for (at, digit) in digits(all_but_last(value, 1)).rev().enumerate() {
        let permuted = (0..=at).fold(digit, |digit, _| verhoeff_permute(digit));
        product = dihedral(product, permuted);
    }
    INVERSE.get(product as usize).map(u32::to_string)
}

fn verhoeff_permute(digit: u32) -> u32 {
    const PERMUTED: [u32; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    PERMUTED.get(digit as usize).copied().unwrap_or(0)
}

/// Rotations are 0 to 4, reflections 5 to 9; both arguments are digits.
fn dihedral(left: u32, right: u32) -> u32 {
    match (left < 5, right < 5) {
        (true, true) => (left + right) % 5,
        (true, false) => (left + right - 5) % 5 + 5,
        (false, true) => (left - 5 + 5 - right) % 5 + 5,
        (false, false) => (left + 5 - right) % 5,
    }
}

/// ISO 7064, MOD 97-10 over digits and letters (A is 10).
fn mod_97(text: impl Iterator<Item = char>) -> u32 {
    text.filter_map(|character| character.to_digit(36)).fold(0, |rest, digit| {
        let shift = if digit < 10 { 10 } else { 100 };
        (rest * shift + digit) % 97
    })
}

fn is_iban(value: &str) -> bool {
    let plain = value.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    let country = value.get(..2).is_some_and(|country| country.bytes().all(|byte| byte.is_ascii_uppercase()));
    (15..=34).contains(&value.len()) && plain && country && value.get(2..4).is_some_and(|check| is_digits(check, 2))
}

fn iban(value: &str) -> Option<String> {
    let moved = value.get(4..)?.chars().chain(value.get(..2)?.chars()).chain("00".chars());
    Some(format!("{:02}", 98_u32.checked_sub(mod_97(moved))?))
}

fn iban_found(value: &str) -> &str {
    value.get(2..4).unwrap_or("")
}

fn is_lei(value: &str) -> bool {
    let plain = value.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    value.len() == 20 && plain && is_digits(last_2(value), 2)
}

fn lei(value: &str) -> Option<String> {
    let padded = all_but_last(value, 2).chars().chain("00".chars());
    Some(format!("{:02}", 98_u32.checked_sub(mod_97(padded))?))
}

fn is_synthetic(value: &str) -> bool {
    is_digits(value, 11) && value.starts_with("99")
}

fn synthetic_check(value: &str) -> Option<String> {
    Some(format!("{:02}", weighted(value, &[1, 2, 3, 4, 5, 6, 7, 8, 9]) % 97))
}

const LAST: &str = "the last digit";
const LAST_TWO: &str = "the last two digits";

macro_rules! schemes {
    ($($name:literal, $form:literal, $has_form:expr, $place:expr, $expected:ident, $found:ident;)*) => {
        &[$(Scheme {
            name: $name, form: $form, has_form: $has_form, place: $place, expected: $expected, found: $found,
        }),*]
    };
}

const SCHEMES: &[Scheme] = schemes! {
    "RU-SNILS", "11 digits", |value| is_digits(value, 11), LAST_TWO, snils, last_2;
    "RU-INN", "10 or 12 digits", |value| is_digits(value, 10), LAST, inn_organisation, last_1;
    "RU-INN", "10 or 12 digits", |value| is_digits(value, 12), LAST_TWO, inn_person, last_2;
    "RU-OGRN", "13 digits", |value| is_digits(value, 13), LAST, ogrn, last_1;
    "RU-OGRNIP", "15 digits", |value| is_digits(value, 15), LAST, ogrnip, last_1;
    "EE-IK", "11 digits, the first from 1 to 8", is_isikukood, LAST, isikukood, last_1;
    "FI-HETU", "6 digits, a sign of the century, 3 digits and a check character", is_hetu, "the last character", hetu, last_1;
    "PL-PESEL", "11 digits", |value| is_digits(value, 11), LAST, pesel, last_1;
    "NL-BSN", "9 digits", |value| is_digits(value, 9), LAST, bsn, last_1;
    "SE-PNR", "10 or 12 digits", is_personnummer, LAST, personnummer, last_1;
    "IN-AADHAAR", "12 digits, the first from 2 to 9", is_aadhaar, LAST, verhoeff, last_1;
    "ZZ-IBAN", "a country code, 2 digits, 11 to 30 letters or digits", is_iban, "the digits after the country code", iban, iban_found;
    "ZZ-LEI", "18 letters or digits and 2 digits", is_lei, LAST_TWO, lei, last_2;
    "XX-OGTEST", "11 digits, the first two 99", is_synthetic, LAST_TWO, synthetic_check, last_2;
};

#[cfg(test)]
mod tests {
    use super::*;

    /// Scheme, a good value, and the check digits or character that stand in it.
    const GOOD: &[(&str, &str)] = &[
        ("RU-SNILS", "11223344595"),
        ("RU-SNILS", "10001899900"),
        ("RU-SNILS", "10001989900"),
        ("RU-SNILS", "90006999900"),
        ("RU-SNILS", "00100199877"),
        ("RU-INN", "7707083893"),
        ("RU-INN", "500100732259"),
        ("RU-OGRN", "1027700132195"),
        ("RU-OGRNIP", "304500116000157"),
        ("EE-IK", "37605030299"),
        ("EE-IK", "60001019906"),
        ("FI-HETU", "131052-308T"),
        ("PL-PESEL", "44051401359"),
        ("NL-BSN", "111222333"),
        ("SE-PNR", "8112189876"),
        ("SE-PNR", "198112189876"),
        ("IN-AADHAAR", "999999990019"),
        ("ZZ-IBAN", "GB82WEST12345698765432"),
        ("ZZ-LEI", "5493001KJTIIGC8Y1R12"),
        ("XX-OGTEST", "99000000136"),
    ];

    #[test]
    fn good_values_pass_and_every_other_last_character_fails() {
        for (scheme, value) in GOOD {
            assert_eq!(verify(scheme, value), Ok(()), "{scheme} {value}");
            if *scheme == "RU-SNILS" && value.starts_with("00100199") {
                continue;
            }
            for other in "0123456789".chars().filter(|other| !value.ends_with(*other)) {
                let wrong = format!("{}{other}", all_but_last(value, 1));
                assert!(matches!(verify(scheme, &wrong), Err(CheckDigitError::CheckDigits { .. })), "{scheme} {wrong}");
            }
        }
    }

    #[test]
    fn verhoeff_has_its_textbook_digit() {
        assert_eq!(verhoeff("2363").as_deref(), Some("3"));
    }

    #[test]
    fn an_error_says_what_should_be_to_the_holder_only() {
        let error = verify("RU-SNILS", "11223344594").expect_err("wrong check digits");
        assert_eq!(error.to_string(), "RU-SNILS: the last two digits should be 95");
        assert_eq!(error.detail_public(), "RU-SNILS: the check digits are wrong");
        assert!(!format!("{error:?}").contains("95"));
        let error = verify("ZZ-IBAN", "GB83WEST12345698765432").expect_err("wrong check digits");
        assert_eq!(error.to_string(), "ZZ-IBAN: the digits after the country code should be 82");
    }

    #[test]
    fn some_leading_digits_belong_to_no_number() {
        let none =
            (0..100).map(|number| format!("1000000{number:02}")).find(|value| bsn(value).is_none()).expect("one in eleven");
        let error = verify("NL-BSN", &none).expect_err("no digit fits");
        assert_eq!(error.to_string(), "NL-BSN: no number begins with these digits");
    }

    #[test]
    fn forms_are_told_from_check_digits() {
        for (scheme, value) in [
            ("RU-SNILS", "112-233-445 95"),
            ("RU-SNILS", ""),
            ("ru-snils", "11223344595"),
            ("RU", "11223344595"),
            ("RU-S", "11223344595"),
            ("RUS-SNILS", "11223344595"),
            ("RU-SNILS", "1122334459\u{665}"),
        ] {
            assert_eq!(verify(scheme, value), Err(CheckDigitError::Form), "{scheme} {value}");
        }
        for (scheme, value) in [
            ("RU-SNILS", "112-233-445"),
            ("RU-INN", "77070838931"),
            ("FI-HETU", "131052/308T"),
            ("EE-IK", "97605030299"),
            ("ZZ-IBAN", "8282WEST12345698765432"),
            ("XX-OGTEST", "11223344595"),
        ] {
            let found = verify(scheme, value);
            assert!(matches!(found, Err(CheckDigitError::SchemeForm { .. })), "{scheme} {value}: {found:?}");
        }
    }

    #[test]
    fn unknown_schemes_are_held_to_the_general_form() {
        assert_eq!(verify("DE-KVNR", "A123456780"), Ok(()));
        assert_eq!(verify("DE-KVNR", &"A".repeat(64)), Ok(()));
        assert_eq!(verify("DE-KVNR", &"A".repeat(65)), Err(CheckDigitError::Form));
    }

    #[test]
    fn synthetic_people_have_valid_numbers() {
        for number in [0, 1, 17, 4_711, 9_999_999, 10_000_000, u32::MAX] {
            assert_eq!(verify("XX-OGTEST", &synthetic(number)), Ok(()), "{number}");
        }
        assert_eq!(synthetic(1), "99000000136");
    }
}
