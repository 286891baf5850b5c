//! Wildcards: which namespaces they let through (XML Schema 1.0, part 1, section 3.10).

/// What becomes of what a wildcard let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Process {
    /// It must be declared, and valid.
    Strict,
    /// It must be valid if it is declared.
    Lax,
    /// It is not looked at.
    Skip,
}

/// The namespaces that are let through; the empty name stands for none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spaces {
    /// All.
    Any,
    /// All but this one, and but names without a namespace.
    Other(Box<str>),
    /// These.
    Of(Vec<Box<str>>),
}

/// A wildcard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wildcard {
    /// What it lets through.
    pub spaces: Spaces,
    /// What becomes of it.
    pub process: Process,
}

impl Spaces {
    /// Whether a namespace is let through.
    pub fn allow(&self, uri: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Other(but) => !uri.is_empty() && **but != *uri,
            Self::Of(listed) => listed.iter().any(|known| **known == *uri),
        }
    }

    /// What both let through (section 3.10.6, "attribute wildcard intersection").
    pub fn both(self, other: Self) -> Self {
        match (self, other) {
            (Self::Any, rest) | (rest, Self::Any) => rest,
            (Self::Of(mut listed), rest) | (rest, Self::Of(mut listed)) => {
                listed.retain(|uri| rest.allow(uri));
                Self::Of(listed)
            }
            // Of two different ones the specification knows no intersection but with "not absent".
            (Self::Other(one), Self::Other(two)) => Self::Other(if one.is_empty() { two } else { one }),
        }
    }

    /// What either lets through (section 3.10.6, "attribute wildcard union").
    pub fn either(self, other: Self) -> Self {
        match (self, other) {
            (Self::Any, _) | (_, Self::Any) => Self::Any,
            (Self::Of(mut listed), Self::Of(more)) => {
                listed.extend(more);
                listed.sort_unstable();
                listed.dedup();
                Self::Of(listed)
            }
            (Self::Other(one), Self::Other(two)) => Self::Other(if one == two { one } else { "".into() }),
            (Self::Other(but), Self::Of(listed)) | (Self::Of(listed), Self::Other(but)) => {
                let has = |uri: &str| listed.iter().any(|known| **known == *uri);
                match (has(&but), has("")) {
                    (true, true) => Self::Any,
                    (true, false) => Self::Other("".into()),
                    _ => Self::Other(but),
                }
            }
        }
    }
}
