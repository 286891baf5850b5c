//! What a caller may ask of whom.

use crate::gateway::driver::{Gateway, World};
use crate::rules::registry::{Action, AgencyIndex};
use serde_json::json;

pub(super) fn catalogue(gateway: &Gateway, world: &World, caller: AgencyIndex) -> String {
    let registry = &world.registry;
    let mut grants = Vec::new();
    for document in gateway.schemas().document_types() {
        for (_, grant) in registry.grants_of(caller, &document.name) {
            let world = registry.agency(caller).map_or(crate::message::envelope::World::Live, |agency| agency.world);
            let holders = registry.holders(&document.name, world).filter_map(|index| registry.agency(index));
            grants.push(json!({
                "grant": grant.id.as_str(),
                "action": match grant.action { Action::Read => "read", Action::Apply => "apply" },
                "documentType": document.name.as_str(),
                "namespace": document.newest().map(|version| version.namespace.as_str()),
                "schema": document.newest().map(|version| format!("/v1/schemas/{}", version.file)),
                "example": format!("/v1/examples/{}", document.name),
                "purpose": grant.purpose.as_str(),
                "legalBasis": &*grant.basis,
                "about": grant.about.as_str(),
                "fields": &*grant.fields,
                "until": grant.until.to_string(),
                "perMinute": grant.per_minute,
                "holders": holders.map(|agency| json!({ "agency": agency.id.as_str(), "name": agency.name })).collect::<Vec<_>>(),
            }));
        }
    }
    let agency = registry.agency(caller);
    let catalogue = json!({
        "agency": agency.map(|agency| agency.id.as_str()),
        "name": agency.map(|agency| agency.name.as_str()),
        "registryVersion": registry.version(),
        "limits": {
            "requestsPerMinute": world.quotas.per_minute(caller),
            "messageBytes": gateway.limits().message_bytes,
            "waitSeconds": gateway.limits().wait_ms / 1000,
        },
        "holds": registry.held_by(caller).map(|what| what.as_str()).collect::<Vec<_>>(),
        "mayAsk": grants,
    });
    catalogue.to_string()
}
