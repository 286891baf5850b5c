//! What a new registry changes for those who are in it: who may more, who may less, and what works no more.

use super::{Agency, Delegation, Grant, Registry, Status, matches};
use crate::base::ids::{AgencyId, Code, Digest, Region};
use crate::base::time::{Day, UnixTime};
use std::collections::{BTreeMap, BTreeSet};

/// What a change does to those whom it concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Something that works today works no more.
    Breaks,
    /// Somebody may less, or less often.
    Narrows,
    /// Somebody may more.
    Widens,
    /// Nothing that is decided upon.
    Changes,
}

impl Effect {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Breaks => "breaks",
            Self::Narrows => "narrows",
            Self::Widens => "widens",
            Self::Changes => "changes",
        }
    }
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What it does.
    pub effect: Effect,
    /// What it is, in words.
    pub what: String,
    /// Whose use of what it concerns, to be looked up in the log.
    pub concerns: Concerns,
}

/// Records that a change concerns: all that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Concerns {
    /// Who asks: an agency or a pattern.
    pub consumer: Option<String>,
    /// Who holds.
    pub provider: Option<String>,
    /// The document type.
    pub document: Option<String>,
    /// The purpose.
    pub purpose: Option<String>,
    /// The legal basis.
    pub basis: Option<String>,
}

impl Concerns {
    /// Whether a use of this kind is concerned. Leaves have a legal basis cut, so the beginning counts.
    pub fn includes(&self, used: &Concerns) -> bool {
        let same = |mine: &Option<String>, used: &Option<String>| mine.is_none() || mine == used;
        let who = match (&self.consumer, &used.consumer) {
            (Some(mine), Some(used)) => mine == used || (mine.contains('*') && matches(mine, used)),
            (mine, _) => mine.is_none(),
        };
        let basis = match (&self.basis, &used.basis) {
            (Some(mine), Some(used)) => !used.is_empty() && mine.starts_with(used.as_str()),
            (mine, _) => mine.is_none(),
        };
        let rest = [(&self.provider, &used.provider), (&self.document, &used.document), (&self.purpose, &used.purpose)];
        who && basis && rest.iter().all(|(mine, used)| same(mine, used))
    }
}

/// All changes, those that break something first.
pub fn diff(old: &Registry, new: &Registry, now: UnixTime) -> Vec<Change> {
    let mut found = Found { changes: Vec::new(), today: now.day() };
    let names: BTreeSet<&AgencyId> = old.by_name.keys().chain(new.by_name.keys()).collect();
    for id in names {
        let agency = |registry: &Registry| registry.find(id).map(|index| Side::new(registry, index, now));
        match (agency(old), agency(new)) {
            (Some(before), Some(after)) => found.agency(registered(old, id), registered(new, id), &before, &after),
            (None, Some(_)) => found.add(Effect::Widens, format!("agency {id} is added"), Concerns::default()),
            (Some(_), None) => found.gone(id, "is taken out"),
            (None, None) => {}
        }
    }
    let by_id = |registry| -> BTreeMap<_, _> {
        Registry::grants_with_whom(registry).map(|(grant, who)| (grant.id.clone(), (grant, who))).collect()
    };
    let (before, after): (BTreeMap<Code, _>, BTreeMap<Code, _>) = (by_id(old), by_id(new));
    let ids: BTreeSet<&Code> = before.keys().chain(after.keys()).collect();
    for id in ids {
        found.grant(before.get(id).copied(), after.get(id).copied());
    }
    found.delegations(old, new);
    found.changes.sort_by_key(|change| change.effect);
    found.changes
}

fn registered<'r>(registry: &'r Registry, id: &AgencyId) -> Option<&'r Agency> {
    registry.find(id).and_then(|index| registry.agency(index))
}

/// What of an agency is compared as sets.
struct Side {
    systems: BTreeSet<Digest>,
    keys: BTreeSet<Digest>,
    held: BTreeSet<(Code, Vec<Region>)>,
    /// Who stands in its place.
    successor: Option<AgencyId>,
}

impl Side {
    fn new(registry: &Registry, index: super::AgencyIndex, now: UnixTime) -> Self {
        let keys = registry.agency(index).map_or(&[][..], |agency| agency.keys.as_slice());
        let held = registry.holders.iter().flat_map(|(what, holders)| {
            holders.iter().filter(|holder| holder.agency == index).map(|holder| (what.clone(), holder.regions.clone()))
        });
        let acting = registry.acting(index);
        Self {
            successor: registry.agency(acting).filter(|_| acting != index).map(|agency| agency.id.clone()),
            systems: registry.by_system.iter().filter(|(_, agency)| **agency == index).map(|(system, _)| *system).collect(),
            keys: keys.iter().filter(|key| key.state(now).is_ok()).map(|key| key.thumbprint).collect(),
            held: held.collect(),
        }
    }
}

struct Found {
    changes: Vec<Change>,
    today: Day,
}

impl Found {
    fn add(&mut self, effect: Effect, what: String, concerns: Concerns) {
        self.changes.push(Change { effect, what, concerns });
    }

    /// An agency that takes part no more, as consumer and as holder.
    fn gone(&mut self, id: &AgencyId, how: &str) {
        let name = Some(id.as_str().to_owned());
        self.add(
            Effect::Breaks,
            format!("agency {id} {how}: it can ask nothing"),
            Concerns { consumer: name.clone(), ..Concerns::default() },
        );
        self.add(
            Effect::Breaks,
            format!("agency {id} {how}: no question goes to it"),
            Concerns { provider: name, ..Concerns::default() },
        );
    }

    fn agency(&mut self, old: Option<&Agency>, new: Option<&Agency>, before: &Side, after: &Side) {
        let (Some(old), Some(new)) = (old, new) else { return };
        let id = &new.id;
        let asks = || Concerns { consumer: Some(id.as_str().to_owned()), ..Concerns::default() };
        match (old.status, new.status) {
            (Status::Active, Status::Suspended) => self.gone(id, "is suspended"),
            (Status::Suspended, Status::Active) => {
                self.add(Effect::Widens, format!("agency {id} takes part again"), Concerns::default());
            }
            _ => {}
        }
        if old.world != new.world {
            self.gone(id, "moves to the other world, test or live");
        }
        if before.successor != after.successor {
            let concerns = Concerns { provider: Some(id.as_str().to_owned()), ..Concerns::default() };
            let by =
                after.successor.as_ref().map_or("it does its work itself".to_owned(), |by| format!("{by} stands in its place"));
            self.add(Effect::Changes, format!("agency {id}: {by}"), concerns);
        }
        self.sets(&format!("agency {id}: client certificate"), &before.systems, &after.systems, asks);
        self.sets(&format!("agency {id}: valid signing key"), &before.keys, &after.keys, asks);
        for (what, regions) in before.held.difference(&after.held) {
            let concerns = Concerns {
                provider: Some(id.as_str().to_owned()),
                document: Some(what.as_str().to_owned()),
                ..Concerns::default()
            };
            self.add(Effect::Breaks, format!("agency {id} holds {what} no more{}", of(regions)), concerns);
        }
        for (what, regions) in after.held.difference(&before.held) {
            self.add(Effect::Widens, format!("agency {id} holds {what}{}", of(regions)), Concerns::default());
        }
        self.rest_of_agency(old, new);
    }

    fn sets(&mut self, what: &str, before: &BTreeSet<Digest>, after: &BTreeSet<Digest>, concerns: impl Fn() -> Concerns) {
        for gone in before.difference(after) {
            self.add(Effect::Breaks, format!("{what} {gone} is no longer valid"), concerns());
        }
        for added in after.difference(before) {
            self.add(Effect::Widens, format!("{what} {added} is added"), Concerns::default());
        }
    }

    fn rest_of_agency(&mut self, old: &Agency, new: &Agency) {
        let id = &new.id;
        let asks = || Concerns { consumer: Some(id.as_str().to_owned()), ..Concerns::default() };
        for (name, before, after) in [
            ("requests_per_minute", old.allowance.requests_per_minute, new.allowance.requests_per_minute),
            ("burst", old.allowance.burst, new.allowance.burst),
            ("kib_per_minute", old.allowance.kib_per_minute, new.allowance.kib_per_minute),
            ("parallel", old.allowance.parallel, new.allowance.parallel),
            ("persons_per_day", old.allowance.persons_per_day, new.allowance.persons_per_day),
            ("misses_per_day", old.allowance.misses.per_day, new.allowance.misses.per_day),
            ("misses_share", old.allowance.misses.share, new.allowance.misses.share),
        ] {
            self.figure(&format!("agency {id}: quota.{name}"), before, after, asks);
        }
        let holds = || Concerns { provider: Some(id.as_str().to_owned()), ..Concerns::default() };
        for (name, before, after) in [
            ("parallel", old.load.parallel, new.load.parallel),
            ("waiting", old.load.waiting, new.load.waiting),
            ("failures", old.load.failures, new.load.failures),
        ] {
            self.figure(&format!("agency {id}: load.{name}"), before, after, holds);
        }
        let roles = |agency: &Agency| agency.roles.iter().map(|role| role.as_str()).collect::<BTreeSet<_>>();
        for role in roles(new).difference(&roles(old)) {
            self.add(Effect::Widens, format!("agency {id} becomes {role}"), Concerns::default());
        }
        for role in roles(old).difference(&roles(new)) {
            self.add(Effect::Breaks, format!("agency {id} is {role} no more"), asks());
        }
        if old.url != new.url {
            let concerns = Concerns { provider: Some(id.as_str().to_owned()), ..Concerns::default() };
            self.add(Effect::Changes, format!("agency {id} is asked at another address"), concerns);
        }
        if old.seal != new.seal {
            self.add(Effect::Changes, format!("agency {id}: somebody else signs its messages"), asks());
        }
        if old.carried_by != new.carried_by {
            self.add(Effect::Changes, format!("agency {id}: other agencies carry its messages"), asks());
        }
        if old.name != new.name {
            self.add(Effect::Changes, format!("agency {id} is called \"{}\"", new.name), Concerns::default());
        }
    }

    fn figure(&mut self, what: &str, before: u32, after: u32, concerns: impl Fn() -> Concerns) {
        if before != after {
            let effect = if after < before { Effect::Narrows } else { Effect::Widens };
            self.add(effect, format!("{what}: {before} becomes {after}"), concerns());
        }
    }

    fn grant(&mut self, before: Option<(&Grant, &str)>, after: Option<(&Grant, &str)>) {
        match (before, after) {
            (Some((old, who)), Some((new, whom))) if who == whom && is_same_right(old, new) => self.same_grant(old, new, who),
            (before, after) => {
                if let Some((old, who)) = before.filter(|(old, _)| old.until >= self.today) {
                    self.add(Effect::Breaks, format!("grant {}: {} is taken back", old.id, right(old, who)), concerns(old, who));
                }
                if let Some((new, who)) = after.filter(|(new, _)| new.until >= self.today) {
                    self.add(Effect::Widens, format!("grant {}: {} is given", new.id, right(new, who)), concerns(new, who));
                }
            }
        }
    }

    fn same_grant(&mut self, old: &Grant, new: &Grant, who: &str) {
        let id = &new.id;
        let here = || concerns(new, who);
        let fields = |grant: &Grant| grant.fields.iter().cloned().collect::<BTreeSet<_>>();
        for field in fields(old).difference(&fields(new)) {
            self.add(Effect::Narrows, format!("grant {id} gives {field} no more"), here());
        }
        for field in fields(new).difference(&fields(old)) {
            self.add(Effect::Widens, format!("grant {id} gives {field} as well"), here());
        }
        if old.until != new.until {
            let effect = match (old.until >= self.today, new.until >= self.today) {
                (true, false) => Effect::Breaks,
                _ if new.until < old.until => Effect::Narrows,
                _ => Effect::Widens,
            };
            self.add(effect, format!("grant {id} ends on {} instead of {}", new.until, old.until), here());
        }
        let often = |grant: &Grant| grant.per_minute.unwrap_or(u32::MAX);
        self.figure(&format!("grant {id}: per_minute (4294967295: no limit)"), often(old), often(new), here);
        if old.withheld_days != new.withheld_days {
            let what =
                format!("grant {id}: withheld from citizens for {} days instead of {}", new.withheld_days, old.withheld_days);
            self.add(Effect::Changes, what, here());
        }
    }
}

impl Found {
    /// A delegation that is not the same in all but its days is another one, whatever it is called.
    fn delegations(&mut self, old: &Registry, new: &Registry) {
        let by_id = |registry| Registry::delegations(registry).map(|found| (found.id.clone(), found)).collect();
        let (before, after): (BTreeMap<Code, &Delegation>, BTreeMap<Code, &Delegation>) = (by_id(old), by_id(new));
        for id in before.keys().chain(after.keys()).collect::<BTreeSet<_>>() {
            let (old_side, new_side) =
                (before.get(id).map(|found| told(old, found)), after.get(id).map(|found| told(new, found)));
            match (before.get(id).zip(old_side), after.get(id).zip(new_side)) {
                (Some((was, old_words)), Some((is, words))) if old_words == words => self.same_delegation((old, was), is),
                (before, after) => {
                    if let Some((was, words)) = before.filter(|(was, _)| was.until >= self.today) {
                        self.add(Effect::Breaks, format!("delegation {id}: {words} no more"), agent_of(old, was));
                    }
                    if let Some((is, words)) = after.filter(|(is, _)| is.until >= self.today) {
                        self.add(Effect::Widens, format!("delegation {id}: {words}"), agent_of(new, is));
                    }
                }
            }
        }
    }

    fn same_delegation(&mut self, (registry, was): (&Registry, &Delegation), is: &Delegation) {
        let (id, here) = (&is.id, || agent_of(registry, was));
        if was.until != is.until {
            let effect = match (was.until >= self.today, is.until >= self.today) {
                (true, false) => Effect::Breaks,
                _ if is.until < was.until => Effect::Narrows,
                _ => Effect::Widens,
            };
            self.add(effect, format!("delegation {id} ends on {} instead of {}", is.until, was.until), here());
        }
        if was.from != is.from {
            let day = |from: Option<Day>| from.map_or("at once".to_owned(), |from| format!("on {from}"));
            let effect = if is.from > was.from { Effect::Narrows } else { Effect::Widens };
            self.add(effect, format!("delegation {id} begins {} instead of {}", day(is.from), day(was.from)), here());
        }
    }
}

/// What a delegation lets somebody do, but for its days.
fn told(registry: &Registry, delegation: &Delegation) -> String {
    let name = |index| registry.agency(index).map_or("", |agency| agency.id.as_str());
    let listed = |codes: &[Code], all: &str| match codes {
        [] => all.to_owned(),
        codes => codes.iter().map(Code::as_str).collect::<Vec<_>>().join(", "),
    };
    let (agent, principal) = (name(delegation.agent), name(delegation.principal));
    let (what, purposes) = (listed(&delegation.what, "all documents"), listed(&delegation.purposes, "all purposes"));
    format!("{agent} asks on behalf of {principal}: {what} for {purposes} on {}", delegation.basis)
}

/// What the agent does, whether for itself or for others: the log is not asked for one principal.
fn agent_of(registry: &Registry, delegation: &Delegation) -> Concerns {
    let agent = registry.agency(delegation.agent).map(|agency| agency.id.as_str().to_owned());
    Concerns { consumer: agent, ..Concerns::default() }
}

/// A grant for something else, or for somebody else, is another grant, whatever it is called.
fn is_same_right(old: &Grant, new: &Grant) -> bool {
    let right = |grant: &Grant| (grant.action, grant.what.clone(), grant.about, grant.purpose.clone(), grant.sources.clone());
    right(old) == right(new) && old.basis == new.basis
}

fn right(grant: &Grant, who: &str) -> String {
    let sources = grant.sources.as_ref().map_or(String::new(), ToString::to_string);
    format!("{who} may {} {}{sources} for {} on {}", grant.action.as_str(), grant.what, grant.purpose, grant.basis)
}

fn concerns(grant: &Grant, who: &str) -> Concerns {
    Concerns {
        consumer: Some(who.to_owned()),
        provider: None,
        document: Some(grant.what.as_str().to_owned()),
        purpose: Some(grant.purpose.as_str().to_owned()),
        basis: Some(grant.basis.to_string()),
    }
}

fn of(regions: &[Region]) -> String {
    let names: Vec<&str> = regions.iter().map(Region::as_str).collect();
    if names.is_empty() { String::new() } else { format!(" of {}", names.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::schema::Schemas;

    const OLD: &str = "format = 1\nversion = 1\n[[agency]]\nid = \"xx.a\"\nname = \"A\"\nurl = \"https://a/\"\n\
        [[agency]]\nid = \"xx.b\"\nname = \"B\"\nquota = { burst = 7 }\n[[holder]]\ndocument = \"medical-absence-note\"\nagency = \"xx.a\"\n\
        [[grant]]\nid = \"g\"\nwho = \"xx.*\"\nwhat = \"medical-absence-note\"\nfields = [\"School\"]\npurpose = \"p\"\nbasis = \"b\"\nuntil = \"2030-12-31\"\n";

    fn changes(from: &str, to: &str) -> Vec<String> {
        let read = |text: &str| Registry::check(text, &Schemas::built_in()).expect("a registry");
        let now = UnixTime::parse("2027-01-01T00:00:00Z").expect("an instant");
        let changed = OLD.replacen(from, to, 1);
        assert_ne!(changed, OLD, "{from}");
        let found = diff(&read(OLD), &read(&changed), now);
        found.iter().map(|change| format!("{} {}", change.effect.as_str(), change.what)).collect()
    }

    #[test]
    fn each_change_says_whom_it_gives_or_takes_what() {
        for (from, to, expected) in [
            ("name = \"B\"", "name = \"C\"", &["changes agency xx.b is called \"C\""][..]),
            ("name = \"B\"", "name = \"B\"\nsucceeded_by = \"xx.a\"", &["changes agency xx.b: xx.a stands in its place"]),
            ("burst = 7", "burst = 6", &["narrows agency xx.b: quota.burst: 7 becomes 6"]),
            ("name = \"B\"", "name = \"B\"\nload = { parallel = 7 }", &["narrows agency xx.b: load.parallel: 64 becomes 7"]),
            (
                "until = \"2030-12-31\"",
                "until = \"2030-12-31\"\n[[delegation]]\nid = \"d\"\nagent = \"xx.a\"\nprincipal = \"xx.b\"\nbasis = \"L\"\nuntil = \"2027-01-01\"",
                &["widens delegation d: xx.a asks on behalf of xx.b: all documents for all purposes on L"],
            ),
            ("burst = 7", "burst = 8", &["widens agency xx.b: quota.burst: 7 becomes 8"]),
            ("[\"School\"]", "[]", &["narrows grant g gives School no more"]),
            ("[\"School\"]", "[\"School\", \"Diagnosis\"]", &["widens grant g gives Diagnosis as well"]),
            ("2030-12-31", "2029-12-31", &["narrows grant g ends on 2029-12-31 instead of 2030-12-31"]),
            ("2030-12-31", "2026-12-31", &["breaks grant g ends on 2026-12-31 instead of 2030-12-31"]),
            ("2030-12-31", "2031-12-31", &["widens grant g ends on 2031-12-31 instead of 2030-12-31"]),
            (
                "purpose = \"p\"",
                "purpose = \"q\"",
                &[
                    "breaks grant g: xx.* may read medical-absence-note for p on b is taken back",
                    "widens grant g: xx.* may read medical-absence-note for q on b is given",
                ],
            ),
            (
                "purpose = \"p\"",
                "purpose = \"p\"\naction = \"subscribe\"\nregions = [\"XX-A\", \"XX-B\"]\npublishers = [\"xx.a\"]",
                &[
                    "breaks grant g: xx.* may read medical-absence-note for p on b is taken back",
                    "widens grant g: xx.* may subscribe medical-absence-note of XX-A, XX-B told by xx.a for p on b is given",
                ],
            ),
            (
                "agency = \"xx.a\"\n",
                "agency = \"xx.a\"\nregions = [\"XX-A\"]\n",
                &[
                    "breaks agency xx.a holds medical-absence-note no more",
                    "widens agency xx.a holds medical-absence-note of XX-A",
                ],
            ),
            ("name = \"B\"", "name = \"B\"\nroles = [\"auditor\"]", &["widens agency xx.b becomes auditor"]),
            (
                "name = \"B\"",
                "name = \"B\"\nsuspended = true",
                &[
                    "breaks agency xx.b is suspended: it can ask nothing",
                    "breaks agency xx.b is suspended: no question goes to it",
                ],
            ),
            (
                "[[holder]]\ndocument = \"medical-absence-note\"\nagency = \"xx.a\"\n",
                "",
                &["breaks agency xx.a holds medical-absence-note no more"],
            ),
        ] {
            assert_eq!(changes(from, to), expected, "{from} -> {to}");
        }
    }

    #[test]
    fn a_use_is_concerned_by_pattern_and_as_far_as_its_legal_basis_is_kept() {
        let text = |text: &str| Some(text.to_owned());
        let used =
            Concerns { consumer: text("xx.b"), provider: None, document: text("d"), purpose: text("p"), basis: text("a lo") };
        let mine = Concerns { consumer: text("xx.*"), basis: text("a long law"), ..Concerns::default() };
        assert!(mine.includes(&used) && Concerns::default().includes(&used));
        for other in [
            Concerns { consumer: text("yy.*"), ..Concerns::default() },
            Concerns { purpose: text("q"), ..Concerns::default() },
            Concerns { basis: text("another"), ..Concerns::default() },
            Concerns { provider: text("xx.a"), ..Concerns::default() },
        ] {
            assert!(!other.includes(&used), "{other:?}");
        }
    }
}
