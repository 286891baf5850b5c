//! Whose events a grant to subscribe is for: by what the registry knows of their publisher, and where they happened.

use super::matches;
use crate::base::ids::{AgencyId, Region};

/// Whose events a grant to subscribe is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// Of which regions; empty means of all, and of those whose region is not known.
    pub regions: Vec<Region>,
    /// Of which publishers: names, or patterns as in `who`; empty means of all.
    pub publishers: Vec<Box<str>>,
}

impl Sources {
    /// Whether an event of this publisher is among them, of which so much is known as that it is of one of these regions.
    pub fn include(&self, publisher: &AgencyId, regions: &[&Region]) -> bool {
        let is_here = || !regions.is_empty() && regions.iter().all(|region| self.regions.contains(region));
        self.has(publisher) && (self.regions.is_empty() || is_here())
    }

    /// Whether a holder that is registered for these regions could tell of one of them.
    pub(super) fn may_include(&self, publisher: &AgencyId, regions: &[Region]) -> bool {
        let is_here = || regions.is_empty() || regions.iter().any(|region| self.regions.contains(region));
        self.has(publisher) && (self.regions.is_empty() || is_here())
    }

    fn has(&self, publisher: &AgencyId) -> bool {
        self.publishers.is_empty() || self.publishers.iter().any(|who| matches(who, publisher.as_str()))
    }
}

impl std::fmt::Display for Sources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let regions: Vec<&str> = self.regions.iter().map(Region::as_str).collect();
        if !regions.is_empty() {
            write!(f, " of {}", regions.join(", "))?;
        }
        if self.publishers.is_empty() { Ok(()) } else { write!(f, " told by {}", self.publishers.join(", ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn regions(list: &[&str]) -> Vec<Region> {
        list.iter().map(|text| Region::parse(text).expect("a region")).collect()
    }

    #[test]
    fn what_is_not_known_is_in_no_region() {
        let publisher = AgencyId::parse("xx.clinic-3").expect("a name");
        for (here, who, of, includes, may) in [
            (&[][..], &[][..], &[][..], true, true),
            (&[], &[], &["XX-A"], true, true),
            (&["XX-A"], &[], &["XX-A"], true, true),
            (&["XX-A", "XX-B"], &[], &["XX-A", "XX-B"], true, true),
            (&["XX-A"], &[], &["XX-A", "XX-B"], false, true),
            (&["XX-A"], &[], &["XX-B"], false, false),
            (&["XX-A"], &[], &[], false, true),
            (&[], &["xx.clinic-*"], &[], true, true),
            (&[], &["xx.register", "xx.clinic-3"], &["XX-A"], true, true),
            (&[], &["xx.register"], &[], false, false),
            (&["XX-A"], &["xx.register"], &["XX-A"], false, false),
            (&["XX-A"], &["xx.*"], &["XX-B"], false, false),
        ] {
            let sources = Sources { regions: regions(here), publishers: who.iter().map(|who| (*who).into()).collect() };
            let of = regions(of);
            assert_eq!(sources.include(&publisher, &of.iter().collect::<Vec<_>>()), includes, "{sources:?} {of:?}");
            assert_eq!(sources.may_include(&publisher, &of), may, "{sources:?} {of:?}");
        }
    }
}
