//! JSON as sources give it: taken apart level by level, numbers as they are written, and no name twice in an object.

use super::SourceError;
use super::answer::{Gathering, Presence};
use crate::base::fault::Code;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// One level of a JSON text (RFC 8259).
#[derive(Clone)]
pub(super) enum Json<'t> {
    Nothing,
    /// A text, a number as it is written, or `true` or `false`.
    Scalar(Cow<'t, str>),
    List(Vec<&'t RawValue>),
    Object(Members<'t>),
}

/// The members of an object.
#[derive(Clone)]
pub(super) struct Members<'t>(pub BTreeMap<Cow<'t, str>, &'t RawValue>);

/// The text is not JSON, or has a name twice in one object.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotJson;

impl<'t> Json<'t> {
    /// Reads a text that nothing but blanks follows.
    pub fn parse(octets: &'t [u8]) -> Result<Self, NotJson> {
        Self::of(serde_json::from_slice(octets).map_err(|_| NotJson)?)
    }

    pub fn of(raw: &'t RawValue) -> Result<Self, NotJson> {
        let text = raw.get();
        let read = match text.as_bytes().first() {
            Some(b'{') => serde_json::from_str(text).map(Self::Object),
            Some(b'[') => serde_json::from_str(text).map(Self::List),
            Some(b'"') => serde_json::from_str(text).map(|text: String| Self::Scalar(Cow::Owned(text))),
            Some(b'n') => Ok(Self::Nothing),
            _ => Ok(Self::Scalar(Cow::Borrowed(text))),
        };
        read.map_err(|_| NotJson)
    }

    /// What a pointer points to (RFC 6901); nothing if that is not there.
    pub fn at(&self, pointer: &Pointer) -> Result<Option<Self>, NotJson> {
        let Some((first, others)) = pointer.0.split_first() else { return Ok(Some(self.clone())) };
        let mut found = self.step(first);
        for token in others {
            let Some(raw) = found else { return Ok(None) };
            found = Self::of(raw)?.step(token);
        }
        found.map(Self::of).transpose()
    }

    fn step(&self, token: &str) -> Option<&'t RawValue> {
        match self {
            Self::Object(members) => members.0.get(token).copied(),
            Self::List(items) => items.get(index(token)?).copied(),
            Self::Nothing | Self::Scalar(_) => None,
        }
    }
}

/// A place in a JSON text (RFC 6901).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pointer(Vec<String>);

impl Pointer {
    /// Reads a pointer: nothing, or names with a solidus before each.
    pub fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self(Vec::new()));
        }
        let token = |token: &str| {
            let is_escaped = token.split('~').skip(1).all(|behind| behind.starts_with(['0', '1']));
            is_escaped.then(|| token.replace("~1", "/").replace("~0", "~"))
        };
        text.strip_prefix('/')?.split('/').map(token).collect::<Option<_>>().map(Self)
    }
}

/// A place in a list: without leading noughts.
fn index(token: &str) -> Option<usize> {
    let is_index = token == "0" || (!token.starts_with('0') && token.bytes().all(|byte| byte.is_ascii_digit()));
    is_index.then(|| token.parse().ok())?
}

impl<'de> serde::Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    // Of two values one would be taken by chance.
                    if members.insert(Cow::Owned(name), value).is_some() {
                        return Err(A::Error::custom("a name twice"));
                    }
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Each)
    }
}

/// Takes what stands for a column of a row; what is no value there says that the source is another than was described.
pub(super) fn put(found: Option<Json<'_>>, name: &str, presence: Presence, gathering: &mut Gathering) -> Result<(), SourceError> {
    let changed = |what: String| Err(SourceError::new(Code::SrcChanged, what));
    match found {
        Some(Json::Scalar(text)) => gathering.cell(Some(&text)),
        Some(Json::Nothing) => gathering.cell(None),
        None if presence == Presence::Optional => gathering.cell(None),
        None => changed(format!("column {name:?} is missing; if it may be, name it in optional")),
        Some(Json::List(_) | Json::Object(_)) => {
            changed(format!("column {name:?} is a list or an object where a value should be"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, pointer: &str) -> Result<Option<String>, NotJson> {
        let found = Json::parse(text.as_bytes())?.at(&Pointer::parse(pointer).expect("a pointer"))?;
        Ok(found.map(|json| match json {
            Json::Nothing => "null".to_owned(),
            Json::Scalar(text) => text.into_owned(),
            Json::List(items) => format!("{} items", items.len()),
            Json::Object(members) => format!("{} members", members.0.len()),
        }))
    }

    #[test]
    fn pointers_point_and_numbers_stay_as_they_are_written() {
        let text = r#" {"a/b": {"m~n": [1, 12.50, 12345678901234567890123, -0, true, null, "Ж\n"]}, "": {}} "#;
        for (pointer, expected) in [
            ("", Some("2 members")),
            ("/a~1b/m~0n", Some("7 items")),
            ("/a~1b/m~0n/0", Some("1")),
            ("/a~1b/m~0n/1", Some("12.50")),
            ("/a~1b/m~0n/2", Some("12345678901234567890123")),
            ("/a~1b/m~0n/3", Some("-0")),
            ("/a~1b/m~0n/4", Some("true")),
            ("/a~1b/m~0n/5", Some("null")),
            ("/a~1b/m~0n/6", Some("Ж\n")),
            ("/", Some("0 members")),
            ("/a~1b/m~0n/7", None),
            ("/a~1b/m~0n/01", None),
            ("/a~1b/m~0n/-", None),
            ("/a~1b/m~0n/0/0", None),
            ("/b", None),
        ] {
            assert_eq!(at(text, pointer), Ok(expected.map(str::to_owned)), "{pointer}");
        }
        for bad in ["a", "/a~", "/a~2"] {
            assert!(Pointer::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn what_is_no_json_or_has_a_name_twice_is_refused() {
        for text in ["", "{", "{}x", "[1,]", "<html>", r#"{"a":1,"a":2}"#, "\"\u{1}\"", "01", "NaN"] {
            assert_eq!(at(text, ""), Err(NotJson), "{text}");
        }
        // A thousand levels take no stack.
        let deep = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
        assert_eq!(at(&deep, ""), Ok(Some("1 items".to_owned())));
    }
}
