//! Identity constraints: `unique`, `key` and `keyref` with their paths (XML Schema 1.0, part 1, section 3.11).

use super::names::{Name, Names};
use super::simple::{NoScope, Room, Simple};

/// Of which kind a constraint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// No two have the same fields.
    Unique,
    /// So, and all have all fields.
    Key,
    /// The fields are those of another constraint.
    Keyref,
}

/// A constraint.
#[derive(Debug)]
pub struct Constraint {
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: Name,
    /// The name of the key that a keyref refers to.
    pub refer: Option<Name>,
    /// The elements that it is about.
    pub selector: Vec<Path>,
    /// What is compared of each.
    pub fields: Vec<Vec<Path>>,
}

/// One alternative of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// Whether it begins at any depth (`.//`).
    pub is_deep: bool,
    /// The elements on the way.
    pub steps: Vec<Test>,
    /// The attribute at its end.
    pub attribute: Option<Test>,
}

/// What a step is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// Any.
    Any,
    /// Any of a namespace.
    Space(Box<str>),
    /// One name.
    Name(Name),
}

impl Constraint {
    /// How many paths its fields have.
    pub fn paths(&self) -> usize {
        self.fields.iter().map(Vec::len).fold(0, usize::saturating_add)
    }
}

impl Test {
    /// Whether a name passes.
    pub fn fits(&self, name: Option<Name>, uri: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Space(space) => **space == *uri,
            Self::Name(wanted) => name == Some(*wanted),
        }
    }
}

/// Of what a path is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathOf {
    /// A selector: it leads to elements.
    Selector,
    /// A field: it leads to a value.
    Field,
}

/// Reads the paths of a selector or a field: the subset of XPath of section 3.11.6. Prefixes are looked up with `space`.
pub fn read_paths(
    text: &str,
    of: PathOf,
    names: &mut Names,
    space: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<Path>, String> {
    text.split('|').map(|alternative| read_path(alternative, of, names, space)).collect()
}

fn read_path(text: &str, of: PathOf, names: &mut Names, space: &dyn Fn(&str) -> Option<String>) -> Result<Path, String> {
    // Blanks may stand between the tokens, and nowhere in a name.
    let mut text = text.trim_matches(BLANKS).to_owned();
    for sign in ["/", "::", "@", ":"] {
        let parts: Vec<&str> = text.split(sign).map(|part| part.trim_matches(BLANKS)).collect();
        text = parts.join(sign);
    }
    let mut path = Path { is_deep: false, steps: Vec::new(), attribute: None };
    let mut rest = text.as_str();
    if let Some(deep) = rest.strip_prefix(".//") {
        (path.is_deep, rest) = (true, deep);
    }
    let words: Vec<&str> = rest.split('/').collect();
    let last = words.len().saturating_sub(1);
    for (at, word) in words.into_iter().enumerate() {
        let attribute = word.strip_prefix('@').or_else(|| word.strip_prefix("attribute::"));
        if let Some(name) = attribute {
            if of == PathOf::Selector || at != last {
                return Err(format!("the path {text} has an attribute where none may be"));
            }
            path.attribute = Some(test(name, names, space)?);
        } else if word != "." {
            path.steps.push(test(word.strip_prefix("child::").unwrap_or(word), names, space)?);
        }
    }
    Ok(path)
}

const BLANKS: [char; 4] = [' ', '\t', '\n', '\r'];

fn test(text: &str, names: &mut Names, space: &dyn Fn(&str) -> Option<String>) -> Result<Test, String> {
    if text == "*" {
        return Ok(Test::Any);
    }
    let is_name = |text: &str| {
        Simple::built_in("NCName").is_some_and(|of| text.trim() == text && of.check(text, &NoScope, &mut Room::default()).is_ok())
    };
    if let Some(word) = text.split(':').find(|word| !is_name(word) && *word != "*") {
        return Err(format!("the step {word} of a path, which is not a name"));
    }
    // A name without a prefix is in no namespace, whatever the default is (XPath 1.0, section 2.3).
    let Some((prefix, local)) = text.split_once(':') else {
        return Ok(Test::Name(names.intern("", text)));
    };
    let uri = space(prefix).ok_or_else(|| format!("the prefix {prefix} of a path is not declared"))?;
    Ok(if local == "*" { Test::Space(uri.into()) } else { Test::Name(names.intern(&uri, local)) })
}
