//! Addresses of mail, in the form in which mail servers agree about them.

use std::fmt;

/// An address of mail: words with points between, `@`, a host name (RFC 5321, section 4.1.2). Quoted words, comments, and letters that
/// are not of ASCII (RFC 6531) are refused, and so are `%`, `&` and `?`, which mean something else in a `mailto` URL.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MailAddress {
    text: Box<str>,
    at: usize,
}

impl MailAddress {
    /// Reads an address.
    pub fn parse(text: &str) -> Option<Self> {
        let (local, domain) = text.split_once('@')?;
        let is_atom = |word: &str| {
            !word.is_empty() && word.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"!#$'*+-/=^_`{|}~".contains(&octet))
        };
        let is_label = |label: &str| {
            let is_edge = |octet: Option<u8>| octet.is_some_and(|octet| octet.is_ascii_alphanumeric());
            (1..=63).contains(&label.len())
                && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
                && is_edge(label.bytes().next())
                && is_edge(label.bytes().last())
        };
        let is_good =
            text.len() <= BYTES_MAX && local.len() <= 64 && local.split('.').all(is_atom) && domain.split('.').all(is_label);
        is_good.then(|| Self { text: text.into(), at: local.len() })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What is before the sign.
    pub fn local(&self) -> &str {
        self.text.get(..self.at).unwrap_or_default()
    }

    /// What is behind it.
    pub fn domain(&self) -> &str {
        self.text.get(self.at + 1..).unwrap_or_default()
    }
}

impl fmt::Display for MailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// It is somebody's: nothing of it gets into a line by accident.
impl fmt::Debug for MailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MailAddress")
    }
}

/// The longest path of RFC 5321, section 4.5.3.1.3, without its brackets.
const BYTES_MAX: usize = 254;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_others_refused() {
        let longest = |more: usize| {
            let label = "d".repeat(63);
            let domain = format!("{label}.{label}.{}", "d".repeat(BYTES_MAX - 65 - 128 + more));
            format!("{}@{domain}", "l".repeat(64))
        };
        for good in ["a@b", "a.b+c@town.example", "O'Neil=x@a-b.c0", "#!$*/^_`{|}~-@1.example", &longest(0)] {
            let address = MailAddress::parse(good).expect(good);
            assert_eq!(
                (address.to_string(), format!("{}@{}", address.local(), address.domain())),
                (good.to_owned(), good.to_owned())
            );
            assert_eq!(format!("{address:?}"), "MailAddress");
        }
        let (local, domain) = (format!("{}@b", "l".repeat(65)), format!("a@{}", "d".repeat(64)));
        for bad in [
            "",
            "a",
            "@",
            "a@",
            "@b",
            "a@b@c",
            "a b@c",
            ".a@b",
            "a.@b",
            "a..b@c",
            "\"a\"@b",
            "a@[127.0.0.1]",
            "a@-b",
            "a@b-",
            "a@b..c",
            "a@b.",
            "a@b_c",
            "<a@b>",
            "a@b\r\nBcc: c@d",
            "a\r\n@b",
            "a@b\0",
            "a%40b@c",
            "a@b?subject=x",
            "a?b@c",
            "a&b@c",
            "почта@b",
            "a@почта.example",
            "a,c@b",
            &local,
            &domain,
            &longest(1),
        ] {
            assert!(MailAddress::parse(bad).is_none(), "{bad:?}");
        }
    }
}
