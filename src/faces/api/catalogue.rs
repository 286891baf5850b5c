//! What a caller may ask of whom.

use crate::base::ids::Region;
use crate::gateway::driver::{Gateway, World};
use crate::message::schema::{DocumentType, OwnSet, Version};
use crate::rules::registry::AgencyIndex;
use serde_json::json;

/// The versions of a document, each with where its schema is.
fn versions(owner: Option<&OwnSet>, document: &DocumentType) -> Vec<serde_json::Value> {
    let version = |version: &Version| {
        json!({
            "version": version.version, "until": version.until.map(|until| until.to_string()), "namespace": version.namespace,
            "root": version.root, "schema": address(owner, version),
        })
    };
    document.versions().iter().map(version).collect()
}

/// Where a version's schema is: a set's files are in a folder of its name.
fn address(owner: Option<&OwnSet>, version: &Version) -> String {
    let escaped = |text: &str| text.bytes().map(escape).collect::<String>();
    match owner.map(OwnSet::name) {
        None => format!("/v1/schemas/{}", version.file),
        Some(set) => format!("/v1/schemas/{set}/{}", escaped(&version.file)),
    }
}

/// What may stand in a path as it is (RFC 3986, section 3.3), or its percent-encoding.
fn escape(octet: u8) -> String {
    match octet {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => char::from(octet).to_string(),
        other => format!("%{other:02X}"),
    }
}

pub(super) fn catalogue(gateway: &Gateway, world: &World, caller: AgencyIndex) -> String {
    let registry = &world.registry;
    let mut grants = Vec::new();
    for document in world.schemas().document_types() {
        let owner = world.sets.owner(&document.name);
        for (_, grant) in registry.grants_of(caller, &document.name) {
            let world = registry.agency(caller).map_or(crate::message::envelope::World::Live, |agency| agency.world);
            let holders = registry.holders(&document.name, world).filter_map(|index| registry.agency(index));
            grants.push(json!({
                "grant": grant.id.as_str(),
                "action": grant.action.as_str(),
                "documentType": document.name.as_str(),
                "class": document.class.as_str(),
                "namespace": document.newest().map(|version| version.namespace.as_str()),
                "schema": document.newest().map(|version| address(owner, version)),
                "versions": versions(owner, document),
                "example": format!("/v1/examples/{}", document.name),
                "purpose": grant.purpose.as_str(),
                "legalBasis": &*grant.basis,
                "about": grant.about.as_str(),
                "fields": &*grant.fields,
                "until": grant.until.to_string(),
                "perMinute": grant.per_minute,
                "regions": grant.sources.iter().flat_map(|from| &from.regions).map(Region::as_str).collect::<Vec<_>>(),
                "publishers": grant.sources.iter().flat_map(|from| &from.publishers).collect::<Vec<_>>(),
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
            "attachmentBytes": gateway.limits().attachment_bytes,
            "waitSeconds": gateway.limits().wait_ms / 1000,
        },
        "holds": registry.held_by(caller).map(|what| what.as_str()).collect::<Vec<_>>(),
        "mayAsk": grants,
    });
    catalogue.to_string()
}
