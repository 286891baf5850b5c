//! Pairs of key and value, each key once: from the query of an address (RFC 3986, section 3.4, in the form that HTML
//! gives it: `key=value` joined by `&`, a plus sign for a space) or from elsewhere.

use super::QueryError;
use crate::base::limits;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

/// Pairs that are waiting to be taken; what nobody takes is unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pairs(Vec<(String, String)>);

impl Pairs {
    /// Reads the query of an address.
    pub fn parse(query: &str) -> Result<Self, QueryError> {
        let mut pairs = Self::default();
        for part in query.split('&').filter(|part| !part.is_empty()) {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            let key = decoded(key).ok_or_else(|| QueryError::escape(key))?;
            let value = decoded(value).ok_or_else(|| QueryError::escape(&key))?;
            pairs.add(key, value)?;
        }
        Ok(pairs)
    }

    /// Reads an object of JSON whose values are texts and whole numbers.
    pub fn parse_json(octets: &[u8]) -> Result<Self, QueryError> {
        let Members(members) = serde_json::from_slice(octets).map_err(|_| QueryError::value("body", "an object of JSON"))?;
        let mut pairs = Self::default();
        for (key, value) in members {
            let value = match value {
                Value::String(text) => text,
                Value::Number(number) => number.to_string(),
                _ => return Err(QueryError::value(&key, "a text or a whole number")),
            };
            pairs.add(key, value)?;
        }
        Ok(pairs)
    }

    /// Adds a pair.
    pub fn add(&mut self, key: String, value: String) -> Result<(), QueryError> {
        if self.0.iter().any(|(known, _)| *known == key) {
            return Err(QueryError::doubled(&key));
        }
        if self.0.len() == limits::QUERY_PAIRS_MAX {
            return Err(QueryError::unknown(&key));
        }
        self.0.push((key, value));
        Ok(())
    }

    /// Takes the value of a key.
    pub fn take(&mut self, key: &str) -> Option<String> {
        let at = self.0.iter().position(|(known, _)| known == key)?;
        Some(self.0.swap_remove(at).1)
    }

    /// All pairs.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Any key that is left.
    pub fn left(&self) -> Option<&str> {
        self.0.first().map(|(key, _)| key.as_str())
    }
}

/// The members of an object, also those that are there twice.
struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;

        impl<'de> Visitor<'de> for Read {
            type Value = Members;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Read)
    }
}

fn decoded(text: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        octets.push(match octet {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                let digit = |octet: u8| (octet as char).to_digit(16);
                (digit(digits[0])? << 4 | digit(digits[1])?) as u8
            }
            other => other,
        });
    }
    String::from_utf8(octets).ok()
}

/// The query of an address from pairs: everything but unreserved characters is escaped.
pub fn encoded(text: &str) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(text.len());
    for octet in text.bytes() {
        if octet.is_ascii_alphanumeric() || b"-._~".contains(&octet) {
            out.push(octet as char);
        } else {
            let _ = write!(out, "%{octet:02X}");
        }
    }
    out
}

impl std::fmt::Display for Pairs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (number, (key, value)) in self.0.iter().enumerate() {
            write!(f, "{}{}={}", if number == 0 { "" } else { "&" }, encoded(key), encoded(value))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_as_written() {
        let mut pairs = Pairs::default();
        for (key, value) in [("basis", "RU:323-FZ:13 & ё=+%"), ("to", "")] {
            pairs.add(key.to_owned(), value.to_owned()).expect("once");
        }
        assert_eq!(Pairs::parse(&pairs.to_string()), Ok(pairs));
    }

    #[test]
    fn an_object_is_read_and_nothing_else() {
        let pairs = Pairs::parse_json(br#"{"limit": 7, "consumer": "xx.a"}"#).expect("an object");
        assert_eq!(pairs.to_string(), "limit=7&consumer=xx.a");
        assert_eq!(Pairs::parse_json(br#"{"to":"1","to":"1"}"#), Err(QueryError::doubled("to")));
        for bad in [&b"[]"[..], b"", b"{", b"{\"to\":null}", b"{\"to\":{}}", b"{\"to\":true}", b"{}{}", b"\xff"] {
            assert!(Pairs::parse_json(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_is_no_query_is_refused() {
        assert_eq!(Pairs::parse("to=1&to=2"), Err(QueryError::doubled("to")));
        for bad in ["to=%", "to=%4", "to=%zz", "to=%ff", "%ff=1"] {
            assert!(Pairs::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(Pairs::parse("&&").map(|pairs| pairs.left().is_none()), Ok(true));
        let many: Vec<String> = (0..100).map(|number| format!("k{number}=1")).collect();
        assert!(Pairs::parse(&many.join("&")).is_err());
    }
}
