//! Whom a run asks about: two people of whom there is a record, one of whom there is none, and identifiers that nobody has.

use crate::base::ids::{Code, Identifier};
use crate::message::envelope::World;

/// A scheme that nobody has.
const NOBODYS: &str = "XX-OGNOBODY";
/// Documented identifiers of people who do not exist: [docs/mock.md](../../../docs/mock.md).
const FOUND: [u32; 2] = [100, 110];
const NONE: u32 = 101;

/// A person that the operator has named: `[TYPE=]SCHEME:VALUE`.
#[derive(Clone, Debug)]
pub struct Named {
    document: Option<Code>,
    identifier: Identifier,
}

impl Named {
    /// Reads it; the reason holds no value.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (document, rest) = match text.split_once('=') {
            Some((document, rest)) => {
                let known = Code::parse(document).ok_or_else(|| format!("\"{document}\" is not a document type"))?;
                (Some(known), rest)
            }
            None => (None, text),
        };
        let (scheme, value) = rest.split_once(':').ok_or("a person is named by SCHEME:VALUE, or TYPE=SCHEME:VALUE")?;
        let identifier = Identifier::parse(scheme, value).map_err(|error| format!("OG-DOC-021 {}", error.detail_public()))?;
        Ok(Self { document, identifier })
    }

    /// Those that are named for a document type; if none is, those that are named for all.
    fn of<'n>(named: &'n [Self], document: &Code) -> Vec<&'n Identifier> {
        let own = named.iter().filter(|named| named.document.as_ref() == Some(document));
        let own: Vec<_> = own.map(|named| &named.identifier).collect();
        let all = named.iter().filter(|named| named.document.is_none());
        if own.is_empty() { all.map(|named| &named.identifier).collect() } else { own }
    }
}

/// Whom a run asks about for a document type.
#[derive(Clone, Debug)]
pub struct Persons {
    /// Of whom there is a record.
    pub found: [Identifier; 2],
    /// Of whom there is none.
    pub none: Identifier,
}

impl Persons {
    /// Chooses them: those that are named; in the test world else those of the documented identifiers.
    pub fn choose(document: &Code, found: &[Named], none: &[Named], world: World) -> Result<Self, String> {
        let (found, none) = (Named::of(found, document), Named::of(none, document));
        let two = match *found.as_slice() {
            [first, second, ..] if first != second => Some([first.clone(), second.clone()]),
            [] if world == World::Test => Some(FOUND.map(Identifier::synthetic)),
            _ => None,
        };
        let one = match *none.as_slice() {
            [one, ..] => Some(one.clone()),
            [] if world == World::Test => Some(Identifier::synthetic(NONE)),
            [] => None,
        };
        match (two, one) {
            (Some(found), Some(none)) if !found.contains(&none) => Ok(Self { found, none }),
            _ => Err(format!(
                "{document}: name two different people of whom the agency has a record and one of whom it has none: \
                 --found SCHEME:VALUE --found SCHEME:VALUE --none SCHEME:VALUE (for one type of several: --found {document}=SCHEME:VALUE)"
            )),
        }
    }

    /// The first person's number in a scheme that nobody has.
    pub fn other_scheme(&self) -> Identifier {
        let first = &self.found[0];
        nobodys(first.value()).unwrap_or_else(|| Identifier::synthetic(NONE))
    }

    /// What an identifier in a message can carry of wildcards; the gateway lets no other sign pass.
    pub fn wildcards(&self) -> Vec<Identifier> {
        let value = self.found[0].value();
        let (head, tail) = (value.get(1..).unwrap_or(""), value.get(..value.len().saturating_sub(1)).unwrap_or(""));
        let patterns = [".".to_owned(), "-".to_owned(), ".+".to_owned(), format!(".{head}"), format!("{tail}.")];
        patterns.iter().filter_map(|pattern| nobodys(pattern)).collect()
    }

    /// The same of what a database would run.
    pub fn injections(&self) -> Vec<Identifier> {
        ["1-OR-1", "0--", "NULL", "TRUE", "1/0", "../../X"].iter().filter_map(|value| nobodys(value)).collect()
    }

    /// The same of what only looks like an identifier.
    pub fn look_alikes(&self) -> Vec<Identifier> {
        let value = self.found[0].value();
        let long = "9".repeat(64);
        let values =
            [format!("0{value}"), format!("+{value}"), "+1+1".to_owned(), "-1".to_owned(), long, value.replace('0', "O")];
        values.iter().filter(|other| **other != value).filter_map(|value| nobodys(value)).collect()
    }

    /// What no message that passes the gateway can carry: for the agency's own port.
    pub fn wildcards_raw(&self) -> Vec<String> {
        let value = self.found[0].value();
        let tail = value.get(..value.len().saturating_sub(1)).unwrap_or("");
        vec!["%".to_owned(), "_".repeat(value.len()), "*".to_owned(), ".*".to_owned(), format!("{tail}%"), format!("{tail}?")]
    }

    /// The same of what a database or a shell would run.
    pub fn injections_raw(&self) -> Vec<String> {
        let value = self.found[0].value();
        vec![
            "' OR '1'='1".to_owned(),
            format!("{value}' --"),
            "x\"; DROP TABLE x; --".to_owned(),
            "$(id)".to_owned(),
            "${jndi:ldap://127.0.0.1/x}".to_owned(),
        ]
    }

    /// The same of what only looks like an identifier.
    pub fn look_alikes_raw(&self) -> Vec<String> {
        let value = self.found[0].value();
        // Digits of full width: U+FF10 and on.
        let wide = |digit: char| digit.to_digit(10).and_then(|digit| char::from_u32(0xFF10 + digit)).unwrap_or(digit);
        vec![
            "=1+1".to_owned(),
            "@SUM(1)".to_owned(),
            "<Id>1</Id>".to_owned(),
            value.chars().map(wide).collect(),
            format!("{value}\u{200b}"),
            "9".repeat(4096),
        ]
    }
}

/// A value in the scheme that nobody has, if an identifier can be so.
pub fn nobodys(value: &str) -> Option<Identifier> {
    Identifier::parse(NOBODYS, value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> Code {
        Code::parse(text).expect("a code")
    }

    fn named(texts: &[&str]) -> Vec<Named> {
        texts.iter().map(|text| Named::parse(text).expect("good")).collect()
    }

    #[test]
    fn in_the_live_world_nobody_is_asked_about_who_was_not_named() {
        let document = code("identity-record");
        let choose = |found: &[&str], none: &[&str], world| Persons::choose(&document, &named(found), &named(none), world);
        let (one, two, three) = ("XX-OGTEST:99000000136", "XX-OGTEST:99000000245", "XX-OGTEST:99000000354");
        assert!(choose(&[], &[], World::Test).is_ok() && choose(&[], &[], World::Live).is_err());
        assert!(choose(&[one, two], &[three], World::Live).is_ok());
        for (found, none) in [(&[one, two][..], &[][..]), (&[one], &[three]), (&[one, one], &[three]), (&[one, two], &[two])] {
            assert!(choose(found, none, World::Live).is_err(), "{found:?} {none:?}");
        }
        // Those of a type count before those of all.
        let typed = format!("identity-record={three}");
        let chosen = choose(&[one, two, &typed, &format!("identity-record={two}")], &[one], World::Live).expect("enough");
        assert_eq!(chosen.found[0].value(), "99000000354");
        let told = Named::parse("XX-OGTEST:99000000137").expect_err("wrong check digits");
        assert!(!told.contains("99000000137"), "{told}");
    }

    #[test]
    fn identifiers_that_nobody_has_are_none_of_those_that_are_found() {
        let persons = Persons::choose(&code("identity-record"), &[], &[], World::Test).expect("the documented ones");
        let all = [persons.wildcards(), persons.injections(), persons.look_alikes(), vec![persons.other_scheme()]].concat();
        assert!(all.len() >= 16 && all.iter().all(|id| id.scheme() == NOBODYS));
        let raw = [persons.wildcards_raw(), persons.injections_raw(), persons.look_alikes_raw()].concat();
        for value in &raw {
            assert!(Identifier::parse("XX-OGTEST", value).is_err(), "the gateway would let it pass: {value}");
        }
    }
}
