//! What agencies have in common: names form a tree, and what is set for a part of it holds for all agencies below.

use super::Loaded;
use super::figures::{RawLoad, RawQuota};
use crate::base::ids::AgencyId;
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::Spanned;

/// A part of the tree of names, as a registry has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawGroup<'t> {
    #[serde(borrow)]
    id: Spanned<&'t str>,
    quota: Option<RawQuota>,
    load: Option<RawLoad>,
}

/// What is set for parts of the tree, by their names.
#[derive(Debug, Default)]
pub(super) struct Groups {
    quotas: BTreeMap<Box<str>, RawQuota>,
    loads: BTreeMap<Box<str>, RawLoad>,
}

impl Groups {
    pub(super) fn add(&mut self, raw: RawGroup<'_>) -> Loaded<()> {
        let (place, name) = (raw.id.span().start, *raw.id.get_ref());
        // A country, or what is the name of an agency or could be.
        let is_country = name.len() == 2 && name.bytes().all(|byte| byte.is_ascii_lowercase());
        if !is_country && AgencyId::parse(name).is_none() {
            return Err((place, format!("\"{name}\" is not the beginning of names, as ru.yar is of ru.yar.school-17")));
        }
        if self.quotas.contains_key(name) || self.loads.contains_key(name) {
            return Err((place, format!("the group {name} is given twice")));
        }
        let (quota, load) = (raw.quota.unwrap_or_default(), raw.load.unwrap_or_default());
        quota.check(place)?;
        load.check(place)?;
        self.quotas.insert(name.into(), quota);
        self.loads.insert(name.into(), load);
        Ok(())
    }

    /// The quota of an agency: each figure is its own, or that of the nearest part of the tree that has one.
    pub(super) fn quota(&self, agency: &AgencyId, own: Option<RawQuota>) -> RawQuota {
        above(agency).filter_map(|name| self.quotas.get(name)).fold(own.unwrap_or_default(), RawQuota::or)
    }

    /// The load of a holder, likewise.
    pub(super) fn load(&self, agency: &AgencyId, own: Option<RawLoad>) -> RawLoad {
        above(agency).filter_map(|name| self.loads.get(name)).fold(own.unwrap_or_default(), RawLoad::or)
    }
}

/// The name itself and all that it lies below, the nearest first: `ru.yar.school-17`, `ru.yar`, `ru`.
fn above(agency: &AgencyId) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(agency.as_str()), |name| name.rsplit_once('.').map(|(above, _)| above))
}

#[cfg(test)]
mod tests {
    use crate::message::schema::Schemas;
    use crate::rules::registry::{Allowance, Load, Registry};

    fn registry(groups: &str, more: &str) -> Result<Registry, String> {
        let agency = |id: &str, more: &str| format!("[[agency]]\nid = \"{id}\"\nname = \"A\"\n{more}\n");
        let (school, region) = (agency("ru.yar.school-17", more), agency("ru.yar", ""));
        let others = agency("ru.yaroslavl.school-1", "") + &agency("kz.school", "");
        let text = format!("format = 1\nversion = 1\n{school}{region}{others}{groups}");
        Registry::check(&text, &Schemas::built_in()).map_err(|error| error.to_string())
    }

    fn quotas(registry: &Registry) -> Vec<u32> {
        registry.agencies().map(|(_, agency)| agency.allowance.requests_per_minute).collect()
    }

    /// A27: a limit set on `ru.yar` applies to `ru.yar.school-17`, and to nobody whose name only begins with the same letters.
    #[test]
    fn a_limit_set_on_a_part_of_the_tree_applies_below_it() {
        let usual = Allowance::default().requests_per_minute;
        let yar = "[[group]]\nid = \"ru.yar\"\nquota = { requests_per_minute = 30, burst = 3 }\n";
        assert_eq!(quotas(&registry(yar, "").expect("good")), [30, 30, usual, usual]);
        // The nearest counts, figure by figure, and an agency's own before all.
        let both = format!(
            "{yar}[[group]]\nid = \"ru\"\nquota = {{ requests_per_minute = 90, parallel = 9 }}\nload = {{ waiting = 2 }}\n"
        );
        let known = registry(&both, "quota = { burst = 7 }").expect("good");
        assert_eq!(quotas(&known), [30, 30, 90, usual]);
        let school = known.agencies().next().map(|(_, agency)| (agency.allowance, agency.load)).expect("it is the first");
        let expected = Allowance { requests_per_minute: 30, burst: 7, parallel: 9, ..Allowance::default() };
        assert_eq!(school, (expected, Load { waiting: 2, ..Load::default() }));
    }

    #[test]
    fn what_is_wrong_with_a_group_is_told_where_it_stands() {
        let group = |id: &str, quota: &str| format!("[[group]]\nid = \"{id}\"\nquota = {{ {quota} }}\n");
        for (groups, said) in [
            (group("Yaroslavl", "burst = 3"), "\"Yaroslavl\" is not the beginning of names"),
            (group("ru.", "burst = 3"), "is not the beginning of names"),
            (group("ru.yar", "burst = 0"), "burst = 0: the least is 1"),
            (group("ru.yar", "burst = 1") + &group("ru.yar", "burst = 2"), "the group ru.yar is given twice"),
            (group("ru.yar", "bursts = 3"), "unknown field `bursts`"),
        ] {
            let wrong = registry(&groups, "").expect_err(&groups);
            assert!(wrong.contains(said) && wrong.starts_with("line "), "{wrong}");
        }
    }
}
