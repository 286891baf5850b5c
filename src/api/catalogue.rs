//! What a caller may ask of whom, and its own entries in the log.

use super::respond;
use crate::audit::Filter;
use crate::fault::{Code, Fault};
use crate::gateway::{Gateway, World};
use crate::ids::AgencyId;
use crate::registry::{Action, AgencyIndex};
use crate::transport::Body;
use hyper::{Response, StatusCode};
use serde_json::json;

/// Entries of one page of the trail.
const TRAIL_MAX: usize = 100;

pub(super) fn catalogue(gateway: &Gateway, world: &World, caller: AgencyIndex) -> String {
    let registry = &world.registry;
    let mut grants = Vec::new();
    for document in gateway.schemas().document_types() {
        for (_, grant) in registry.grants_of(caller, &document.name) {
            let world = registry.agency(caller).map_or(crate::envelope::World::Live, |agency| agency.world);
            let holders = registry.holders(&document.name, world).filter_map(|index| registry.agency(index));
            grants.push(json!({
                "grant": grant.id.as_str(),
                "action": match grant.action { Action::Read => "read", Action::Apply => "apply" },
                "documentType": document.name.as_str(),
                "namespace": document.namespace,
                "schema": format!("/v1/schemas/{}", document.file),
                "example": format!("/v1/examples/{}", document.name),
                "purpose": grant.purpose.as_str(),
                "legalBasis": &*grant.basis,
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

pub(super) fn trail(gateway: &Gateway, agency: &AgencyId) -> Result<Response<Body>, Fault> {
    let filter = Filter { party: Some(agency.clone()), ..Filter::default() };
    let page = gateway.store().search(&filter, None, TRAIL_MAX);
    let page = page.map_err(|cause| Fault::new(Code::LogUnavailable).with_private(cause.to_string()))?;
    let entries = page.records.iter().filter_map(|record| {
        let leaf: serde_json::Value = serde_json::from_str(&record.leaf).ok()?;
        Some(json!({ "logIndex": record.index, "record": leaf }))
    });
    let body = json!({ "indexedUpTo": page.indexed, "entries": entries.collect::<Vec<_>>() });
    Ok(respond(StatusCode::OK, "application/json", body.to_string()))
}
