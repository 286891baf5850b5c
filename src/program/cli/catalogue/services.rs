//! The services that situations are made of: each of an agency once, with the steps in which it is rendered.

use crate::rules::situation::{Catalogue as Loaded, Situation, Step};
use std::collections::{BTreeMap, BTreeSet};

/// A service of an agency.
struct Service<'c> {
    title: &'c str,
    legal: BTreeSet<&'c str>,
    /// Situation, region and step.
    steps: BTreeSet<(&'c str, Option<&'c str>, &'c str)>,
}

/// All of them, by agency and name. A step of the country counts once, and not again for each region that has it as well.
pub(super) fn services(catalogue: &Loaded, language: &str) -> Vec<serde_json::Value> {
    let mut services = BTreeMap::<(&str, &str), Service>::new();
    for situation in catalogue.situations() {
        let region = situation.region.as_ref().map(|region| region.as_str());
        for step in situation.steps.iter().filter(|step| !is_of_the_country(catalogue, situation, step)) {
            let title = step.title.in_language(language);
            let service = services.entry((step.office.as_str(), step.service.as_str()));
            let service = service.or_insert(Service { title, legal: BTreeSet::new(), steps: BTreeSet::new() });
            service.legal.extend(step.legal.iter().map(|legal| &*legal.reference));
            service.steps.insert((situation.id.as_str(), region, step.id.as_str()));
        }
    }
    let json = services.iter().map(|((agency, service), known)| {
        let step = |(situation, region, step): &(&str, Option<&str>, &str)| {
            serde_json::json!({ "situation": situation, "region": region, "step": step })
        };
        serde_json::json!({
            "agency": agency, "service": service, "title": known.title, "legal": known.legal,
            "steps": known.steps.iter().map(step).collect::<Vec<_>>(),
        })
    });
    json.collect()
}

/// Whether a region has a step as the country has it: by the same agency, as the same service.
fn is_of_the_country(catalogue: &Loaded, situation: &Situation, step: &Step) -> bool {
    let country = catalogue.version(&situation.id, &situation.version, None).filter(|_| situation.region.is_some());
    let same = |known: &Step| known.id == step.id && known.office == step.office && known.service == step.service;
    country.is_some_and(|country| country.steps.iter().any(same))
}
