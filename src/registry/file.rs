//! The registry as a file in TOML 1.0, turned into types; every error names its line and column.

use super::{Action, Agency, AgencyIndex, Allowance, Grant, GrantIndex, Holder, Key, Registry, Seal, Status, Url};
use crate::envelope::World;
use crate::fault;
use crate::ids::{AgencyId, Code, Digest};
use crate::limits;
use crate::pki::Certificate;
use crate::schema::Schemas;
use crate::time::{Day, UnixTime};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use toml::Spanned;

/// What is wrong with a registry file, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryError {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub what: String,
}

impl std::fmt::Display for RegistryError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.what)
    }
}

impl std::error::Error for RegistryError {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRegistry<'t> {
    format: u32,
    version: u64,
    #[serde(default, borrow)]
    agency: Vec<RawAgency<'t>>,
    #[serde(default, borrow)]
    holder: Vec<RawHolder<'t>>,
    #[serde(default, borrow)]
    grant: Vec<RawGrant<'t>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAgency<'t> {
    #[serde(borrow)]
    id: Spanned<&'t str>,
    name: String,
    #[serde(default)]
    suspended: bool,
    #[serde(default)]
    test: bool,
    url: Option<String>,
    seal: Option<String>,
    quota: Option<RawQuota>,
    #[serde(default)]
    carried_by: Vec<String>,
    #[serde(default)]
    key: Vec<RawKey<'t>>,
    #[serde(default)]
    system: Vec<RawSystem<'t>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawQuota {
    requests_per_minute: Option<u32>,
    burst: Option<u32>,
    kib_per_minute: Option<u32>,
    parallel: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawKey<'t> {
    #[serde(borrow)]
    certificate: Spanned<&'t str>,
    from: Option<&'t str>,
    until: Option<&'t str>,
    revoked_at: Option<&'t str>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSystem<'t> {
    #[serde(borrow)]
    certificate_sha256: Spanned<&'t str>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHolder<'t> {
    #[serde(borrow)]
    document: Spanned<&'t str>,
    agency: &'t str,
    #[serde(default)]
    regions: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGrant<'t> {
    #[serde(borrow)]
    id: Spanned<&'t str>,
    who: &'t str,
    action: Option<&'t str>,
    what: &'t str,
    #[serde(default)]
    fields: Vec<String>,
    purpose: &'t str,
    basis: String,
    until: &'t str,
    per_minute: Option<u32>,
}

type Loaded<T> = Result<T, (usize, String)>;

pub(super) fn load(text: &str, schemas: &Schemas) -> Result<Registry, RegistryError> {
    build(text, schemas).map_err(|(offset, what)| {
        let before = text.get(..offset).unwrap_or(text);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        RegistryError { line, column, what }
    })
}

fn build(text: &str, schemas: &Schemas) -> Loaded<Registry> {
    let raw: RawRegistry<'_> = toml::from_str(text).map_err(|error| {
        let what = fault::suggestion(error.message()).map_or(String::new(), |suggestion| format!("; {suggestion}"));
        (error.span().map_or(0, |span| span.start), error.message().to_owned() + &what)
    })?;
    if raw.format != 1 {
        return Err((0, format!("format {} is not known; this gateway reads format 1", raw.format)));
    }
    let mut registry = Registry {
        version: raw.version,
        agencies: Vec::with_capacity(raw.agency.len()),
        by_name: BTreeMap::new(),
        by_system: BTreeMap::new(),
        holders: BTreeMap::new(),
        grants: Vec::with_capacity(raw.grant.len()),
        exact: BTreeMap::new(),
        patterned: BTreeMap::new(),
    };
    for agency in &raw.agency {
        add_agency(&mut registry, agency)?;
    }
    for holder in &raw.holder {
        add_holder(&mut registry, holder, schemas)?;
    }
    let mut texts = Texts::default();
    for grant in raw.grant {
        add_grant(&mut registry, grant, schemas, &mut texts)?;
    }
    Ok(registry)
}

/// What the grants of a registry say again and again, each kept once: a hundred thousand rows name few purposes, laws and
/// lists of fields.
#[derive(Default)]
struct Texts {
    purposes: BTreeSet<Code>,
    bases: BTreeSet<Arc<str>>,
    fields: BTreeSet<Arc<[String]>>,
}

impl Texts {
    fn purpose(&mut self, text: &str) -> Option<Code> {
        let purpose = Code::parse(text)?;
        if let Some(known) = self.purposes.get(&purpose) {
            return Some(known.clone());
        }
        self.purposes.insert(purpose.clone());
        Some(purpose)
    }

    fn basis(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.bases.get(text) {
            return Arc::clone(known);
        }
        let basis = Arc::<str>::from(text);
        self.bases.insert(Arc::clone(&basis));
        basis
    }

    fn fields(&mut self, list: Vec<String>) -> Arc<[String]> {
        if let Some(known) = self.fields.get(list.as_slice()) {
            return Arc::clone(known);
        }
        let fields = Arc::<[String]>::from(list);
        self.fields.insert(Arc::clone(&fields));
        fields
    }
}

fn add_agency(registry: &mut Registry, raw: &RawAgency<'_>) -> Loaded<()> {
    let place = raw.id.span().start;
    let id = AgencyId::parse(raw.id.get_ref()).ok_or_else(|| (place, format!("\"{}\" is no agency name", raw.id.get_ref())))?;
    if id.as_str().len() > limits::AGENCY_BYTES_MAX {
        return Err((place, format!("an agency name has at most {} characters", limits::AGENCY_BYTES_MAX)));
    }
    let index = AgencyIndex(registry.agencies.len() as u32);
    if registry.by_name.insert(id.clone(), index).is_some() {
        return Err((place, format!("the agency {id} is given twice")));
    }
    for system in &raw.system {
        let (text, place) = (system.certificate_sha256.get_ref(), system.certificate_sha256.span().start);
        let thumbprint =
            Digest::parse_hex(text).ok_or_else(|| (place, "a SHA-256 has 64 hexadecimal digits in lower case".to_owned()))?;
        if registry.by_system.insert(thumbprint, index).is_some() {
            return Err((place, "the client certificate is given twice".to_owned()));
        }
    }
    let keys = raw.key.iter().map(|key| read_key(key, &id)).collect::<Loaded<Vec<Key>>>()?;
    if keys.len() > limits::KEYS_PER_AGENCY_MAX {
        return Err((place, format!("{id} has more than {} keys", limits::KEYS_PER_AGENCY_MAX)));
    }
    let url =
        raw.url.as_deref().map(|url| Url::parse(url).ok_or_else(|| (place, format!("{id}: \"{url}\" is no https address"))));
    let seal = match raw.seal.as_deref() {
        None | Some("agency") => Seal::Agency,
        Some("gateway") => Seal::Gateway,
        Some(other) => return Err((place, format!("{id}: seal = \"{other}\"; it is \"agency\" or \"gateway\""))),
    };
    let carrier = |name: &String| AgencyId::parse(name).ok_or_else(|| (place, format!("\"{name}\" is no agency name")));
    let carried_by = raw.carried_by.iter().map(carrier).collect::<Loaded<Vec<AgencyId>>>()?;
    registry.agencies.push(Agency {
        carried_by,
        id,
        name: raw.name.clone(),
        status: if raw.suspended { Status::Suspended } else { Status::Active },
        world: if raw.test { World::Test } else { World::Live },
        url: url.transpose()?,
        seal,
        allowance: read_quota(raw.quota.as_ref()),
        keys,
    });
    Ok(())
}

/// A quota of nothing would be a suspension that does not say so: every figure is at least one.
fn read_quota(raw: Option<&RawQuota>) -> Allowance {
    let (Some(raw), standard) = (raw, Allowance::default()) else { return Allowance::default() };
    Allowance {
        requests_per_minute: raw.requests_per_minute.unwrap_or(standard.requests_per_minute).max(1),
        burst: raw.burst.unwrap_or(standard.burst).max(1),
        kib_per_minute: raw.kib_per_minute.unwrap_or(standard.kib_per_minute).max(1024),
        parallel: raw.parallel.unwrap_or(standard.parallel).max(1),
    }
}

fn read_key(raw: &RawKey<'_>, agency: &AgencyId) -> Loaded<Key> {
    let place = raw.certificate.span().start;
    let certificate =
        Certificate::from_base64(raw.certificate.get_ref()).map_err(|error| (place, format!("{agency}: {error}")))?;
    if certificate.agency.as_ref().is_some_and(|named| named != agency) {
        return Err((place, format!("the certificate names another agency than {agency}")));
    }
    let time = |text: Option<&str>| {
        let parse = |text| UnixTime::parse(text).ok_or_else(|| (place, format!("{agency}: \"{text}\" is no instant in UTC")));
        text.map(parse).transpose()
    };
    Ok(Key {
        thumbprint: certificate.thumbprint,
        from: time(raw.from)?.map_or(certificate.not_before, |from| from.max(certificate.not_before)),
        until: time(raw.until)?.map_or(certificate.not_after, |until| until.min(certificate.not_after)),
        revoked_at: time(raw.revoked_at)?,
        key: certificate.key,
    })
}

fn document_type(text: &str, place: usize, schemas: &Schemas) -> Loaded<Code> {
    let known = Code::parse(text).and_then(|code| schemas.document_type(&code));
    known.map(|document| document.name.clone()).ok_or_else(|| {
        let known = schemas.document_types().map(|known| known.name.as_str());
        let nearest = fault::nearest(text, known).map_or(String::new(), |known| format!("; did you mean \"{known}\"?"));
        (place, format!("no document type is called \"{text}\"{nearest}"))
    })
}

fn add_holder(registry: &mut Registry, raw: &RawHolder<'_>, schemas: &Schemas) -> Loaded<()> {
    let place = raw.document.span().start;
    let what = document_type(raw.document.get_ref(), place, schemas)?;
    let agency = AgencyId::parse(raw.agency).and_then(|id| registry.find(&id));
    let agency = agency.ok_or_else(|| (place, format!("no agency is called \"{}\"", raw.agency)))?;
    if registry.agency(agency).is_none_or(|agency| agency.url.is_none()) {
        return Err((place, format!("{} holds documents but has no url", raw.agency)));
    }
    registry.holders.entry(what).or_default().push(Holder { agency, regions: raw.regions.clone() });
    Ok(())
}

fn add_grant(registry: &mut Registry, raw: RawGrant<'_>, schemas: &Schemas, texts: &mut Texts) -> Loaded<()> {
    let place = raw.id.span().start;
    let code = |text: &str| Code::parse(text).ok_or_else(|| (place, format!("\"{text}\" is no code")));
    let what = document_type(raw.what, place, schemas)?;
    let known = schemas.document_type(&what).map_or(&[][..], |document| document.fields.as_slice());
    let leads = |field: &str| {
        known.iter().any(|path| path.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
    };
    if let Some(field) = raw.fields.iter().find(|field| !leads(field)) {
        let known = known.join(", ");
        return Err((place, format!("{what} has no optional field \"{field}\"; it has: {known}")));
    }
    let action = match raw.action {
        None | Some("read") => Action::Read,
        Some("apply") => Action::Apply,
        Some(other) => return Err((place, format!("action = \"{other}\"; it is \"read\" or \"apply\""))),
    };
    let index = GrantIndex(registry.grants.len() as u32);
    if raw.who.contains('*') {
        registry.patterned.entry(what.clone()).or_default().push(index);
    } else {
        let agency = AgencyId::parse(raw.who).and_then(|id| registry.find(&id));
        let agency = agency.ok_or_else(|| (place, format!("no agency is called \"{}\"", raw.who)))?;
        registry.exact.entry((agency, what.clone())).or_default().push(index);
    }
    registry.grants.push(Grant {
        id: code(raw.id.get_ref())?,
        pattern: raw.who.contains('*').then(|| raw.who.into()),
        action,
        what,
        fields: texts.fields(raw.fields),
        purpose: texts.purpose(raw.purpose).ok_or_else(|| (place, format!("\"{}\" is no code", raw.purpose)))?,
        basis: texts.basis(&raw.basis),
        until: Day::parse(raw.until).ok_or_else(|| (place, format!("\"{}\" is no day", raw.until)))?,
        per_minute: raw.per_minute,
    });
    Ok(())
}
