//! The registry as a file in TOML 1.0, turned into types; every error names its line and column.

use super::figures::{RawLoad, RawQuota, read_load, read_quota, within};
use super::group::{Groups, RawGroup};
use super::succession::{Succeeded, succeed};
use super::{
    About, Action, Agency, AgencyIndex, Delegation, Grant, GrantIndex, Holder, Key, Loaded, Registry, Role, Seal, Sources,
    Status, Url,
};
use crate::base::fault;
use crate::base::ids::{AgencyId, Code, Digest, Region};
use crate::base::limits;
use crate::base::time::{Day, UnixTime};
use crate::message::crypto::sha256;
use crate::message::envelope::World;
use crate::message::pki::Certificate;
use crate::message::schema::{DocumentType, FieldPath, Schemas};
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
    group: Vec<RawGroup<'t>>,
    #[serde(default, borrow)]
    agency: Vec<RawAgency<'t>>,
    #[serde(default, borrow)]
    holder: Vec<RawHolder<'t>>,
    #[serde(default, borrow)]
    grant: Vec<RawGrant<'t>>,
    #[serde(default, borrow)]
    delegation: Vec<RawDelegation<'t>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHead {
    format: u32,
    version: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSections<'t> {
    #[serde(default, borrow)]
    group: Vec<RawGroup<'t>>,
    #[serde(default, borrow)]
    agency: Vec<RawAgency<'t>>,
    #[serde(default, borrow)]
    holder: Vec<RawHolder<'t>>,
    #[serde(default, borrow)]
    grant: Vec<RawGrant<'t>>,
    #[serde(default, borrow)]
    delegation: Vec<RawDelegation<'t>>,
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
    load: Option<RawLoad>,
    succeeded_by: Option<Spanned<&'t str>>,
    #[serde(default)]
    carried_by: Vec<String>,
    #[serde(default)]
    roles: Vec<String>,
    #[serde(default)]
    key: Vec<RawKey<'t>>,
    #[serde(default)]
    system: Vec<RawSystem<'t>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDelegation<'t> {
    #[serde(borrow)]
    id: Spanned<&'t str>,
    agent: &'t str,
    principal: &'t str,
    #[serde(default)]
    what: Vec<String>,
    #[serde(default)]
    purposes: Vec<String>,
    basis: String,
    from: Option<&'t str>,
    until: &'t str,
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
    #[serde(default, borrow)]
    regions: Vec<Spanned<&'t str>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGrant<'t> {
    #[serde(borrow)]
    id: Spanned<&'t str>,
    who: &'t str,
    action: Option<&'t str>,
    what: &'t str,
    about: Option<&'t str>,
    #[serde(default)]
    fields: Vec<String>,
    purpose: &'t str,
    basis: String,
    until: &'t str,
    per_minute: Option<u32>,
    #[serde(default)]
    withheld_days: u16,
    #[serde(default, borrow)]
    regions: Vec<Spanned<&'t str>>,
    #[serde(default, borrow)]
    publishers: Vec<Spanned<&'t str>>,
}

pub(super) fn load(text: &str, schemas: &Schemas) -> Result<Registry, RegistryError> {
    let built = build(text, schemas).map(|registry| Registry { digest: sha256(text.as_bytes()), ..registry });
    built.map_err(|(offset, what)| {
        let before = text.get(..offset).unwrap_or(text);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        RegistryError { line, column, what }
    })
}

/// As one tree a file takes twenty times its size, and leaves holes all over the heap. So its sections are read some at a time;
/// whatever is unusual or wrong is left to the reading as a whole, which tells where.
fn build(text: &str, schemas: &Schemas) -> Loaded<Registry> {
    in_parts(text, schemas).map_or_else(|| whole(text, schemas), Ok)
}

fn whole(text: &str, schemas: &Schemas) -> Loaded<Registry> {
    let raw: RawRegistry<'_> = toml::from_str(text).map_err(|error| {
        let what = fault::suggestion(error.message()).map_or(String::new(), |suggestion| format!("; {suggestion}"));
        (error.span().map_or(0, |span| span.start), error.message().to_owned() + &what)
    })?;
    if raw.format != 1 {
        return Err((0, format!("format {} is not known; this gateway reads format 1", raw.format)));
    }
    let (mut registry, mut texts) = (empty(raw.version), Texts::default());
    let RawRegistry { group, agency, holder, grant, delegation, .. } = raw;
    let sections = RawSections { group, agency, holder, grant, delegation };
    add_all(&mut registry, sections, schemas, &mut texts)?;
    succeed(&mut registry, texts.succeeded)?;
    Ok(registry)
}

/// Each part must be a document of its own that holds sections of its kind and nothing else. So no part begins inside of a text
/// or an array, and to read them one by one, agencies first, means the same as to read them together.
fn in_parts(text: &str, schemas: &Schemas) -> Option<Registry> {
    let (head, parts) = split(text)?;
    let head: RawHead = toml::from_str(head).ok().filter(|head: &RawHead| head.format == 1)?;
    let (mut registry, mut texts) = (empty(head.version), Texts::default());
    for kind in KINDS {
        for (_, part) in parts.iter().filter(|(of, _)| *of == kind) {
            let sections: RawSections<'_> = toml::from_str(part).ok()?;
            let RawSections { group, agency, holder, grant, delegation } = &sections;
            let counts = [group.len(), agency.len(), holder.len(), grant.len(), delegation.len()];
            if KINDS.iter().zip(counts).any(|(other, count)| *other != kind && count > 0) {
                return None;
            }
            add_all(&mut registry, sections, schemas, &mut texts).ok()?;
        }
    }
    succeed(&mut registry, texts.succeeded).ok()?;
    registry.agencies.shrink_to_fit();
    registry.grants.shrink_to_fit();
    Some(registry)
}

const KINDS: [&str; 5] = ["[[group]]", "[[agency]]", "[[holder]]", "[[grant]]", "[[delegation]]"];
const SECTIONS_PER_PART: usize = 64;

type Part<'t> = (&'static str, &'t str);

/// What stands before the first section, and the sections in runs of one kind.
fn split(text: &str) -> Option<(&str, Vec<Part<'_>>)> {
    let kind_at = |at: usize| KINDS.into_iter().find(|kind| text.get(at..).is_some_and(|rest| rest.starts_with(kind)));
    let mut begins = text.match_indices("\n[[").map(|(at, _)| at + 1).filter_map(|at| Some((at, kind_at(at)?)));
    let (head_end, first) = begins.next()?;
    let (mut parts, mut from, mut kind, mut count) = (Vec::new(), head_end, first, 1);
    for (at, next) in begins {
        if next != kind || count == SECTIONS_PER_PART {
            parts.push((kind, text.get(from..at)?));
            (from, kind, count) = (at, next, 0);
        }
        count += 1;
    }
    parts.push((kind, text.get(from..)?));
    Some((text.get(..head_end)?, parts))
}

fn empty(version: u64) -> Registry {
    Registry {
        version,
        digest: sha256(b""),
        agencies: Vec::new(),
        by_name: BTreeMap::new(),
        by_system: BTreeMap::new(),
        holders: BTreeMap::new(),
        outbound: BTreeSet::new(),
        successors: BTreeMap::new(),
        grants: Vec::new(),
        exact: BTreeMap::new(),
        patterned: BTreeMap::new(),
        delegations: BTreeMap::new(),
    }
}

fn add_all(registry: &mut Registry, raw: RawSections<'_>, schemas: &Schemas, texts: &mut Texts) -> Loaded<()> {
    raw.group.into_iter().try_for_each(|group| texts.groups.add(group))?;
    for agency in &raw.agency {
        let index = add_agency(registry, agency, &texts.groups)?;
        let by = agency.succeeded_by.as_ref();
        texts.succeeded.extend(by.map(|by| Succeeded { old: index, place: by.span().start, by: (*by.get_ref()).to_owned() }));
    }
    for holder in &raw.holder {
        add_holder(registry, holder, schemas)?;
    }
    raw.grant.into_iter().try_for_each(|grant| add_grant(registry, grant, schemas, texts))?;
    raw.delegation.iter().try_for_each(|delegation| add_delegation(registry, delegation, schemas, texts))
}

/// What the grants of a registry say again and again, each kept once: a hundred thousand rows name few purposes, laws and
/// lists of fields.
#[derive(Default)]
struct Texts {
    groups: Groups,
    /// Agencies in whose place others stand.
    succeeded: Vec<Succeeded>,
    purposes: BTreeSet<Code>,
    bases: BTreeSet<Arc<str>>,
    fields: BTreeSet<Arc<[FieldPath]>>,
    /// The names of the grants so far: a record names the grant by which something was released.
    grants: BTreeSet<Code>,
    /// The names of the delegations so far.
    delegations: BTreeSet<Code>,
    /// Who asks for others, and for whom others ask.
    agents: BTreeSet<AgencyIndex>,
    principals: BTreeSet<AgencyIndex>,
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

    fn fields(&mut self, list: Vec<FieldPath>) -> Arc<[FieldPath]> {
        if let Some(known) = self.fields.get(list.as_slice()) {
            return Arc::clone(known);
        }
        let fields = Arc::<[FieldPath]>::from(list);
        self.fields.insert(Arc::clone(&fields));
        fields
    }
}

fn add_agency(registry: &mut Registry, raw: &RawAgency<'_>, groups: &Groups) -> Loaded<AgencyIndex> {
    let place = raw.id.span().start;
    let id = AgencyId::parse(raw.id.get_ref())
        .ok_or_else(|| (place, format!("\"{}\" is not the name of an agency", raw.id.get_ref())))?;
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
    let wrong = |url| (place, format!("{id}: \"{url}\" is not an https address, and not \"{OUTBOUND}\""));
    let url = raw.url.as_deref().filter(|url| *url != OUTBOUND);
    let url = url.map(|url| Url::parse(url).ok_or_else(|| wrong(url)));
    if raw.url.as_deref() == Some(OUTBOUND) {
        registry.outbound.insert(index);
    }
    let seal = match raw.seal.as_deref() {
        None | Some("agency") => Seal::Agency,
        Some("gateway") => Seal::Gateway,
        Some(other) => return Err((place, format!("{id}: seal = \"{other}\"; it is \"agency\" or \"gateway\""))),
    };
    let carrier =
        |name: &String| AgencyId::parse(name).ok_or_else(|| (place, format!("\"{name}\" is not the name of an agency")));
    let carried_by = raw.carried_by.iter().map(carrier).collect::<Loaded<Vec<AgencyId>>>()?;
    let roles = raw.roles.iter().map(|text| role(text, place, &id)).collect::<Loaded<Vec<Role>>>()?;
    registry.agencies.push(Agency {
        carried_by,
        roles,
        allowance: read_quota(&groups.quota(&id, raw.quota), place)?,
        load: read_load(&groups.load(&id, raw.load), place)?,
        id,
        name: raw.name.clone(),
        status: if raw.suspended { Status::Suspended } else { Status::Active },
        world: if raw.test { World::Test } else { World::Live },
        url: url.transpose()?,
        seal,
        keys,
    });
    Ok(index)
}

fn role(text: &str, place: usize, agency: &AgencyId) -> Loaded<Role> {
    let known = || Role::ALL.into_iter().map(Role::as_str);
    Role::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(|| {
        let nearest = fault::nearest(text, known()).map_or(String::new(), |known| format!("; did you mean \"{known}\"?"));
        (place, format!("{agency}: no role is called \"{text}\"{nearest}"))
    })
}

/// The certificates of a registry's keys that are not revoked, in DER, each with its agency; nothing of a text that is no
/// registry.
pub fn certificates(text: &str) -> Vec<(AgencyId, Vec<u8>)> {
    let sections: Result<RawRegistry<'_>, _> = toml::from_str(text);
    let agencies = sections.map(|sections| sections.agency).unwrap_or_default();
    let of_agency = |agency: RawAgency<'_>| {
        let id = AgencyId::parse(agency.id.get_ref());
        let keys = agency.key.into_iter().filter(|key| key.revoked_at.is_none());
        keys.filter_map(move |key| Some((id.clone()?, crate::message::pki::decode(key.certificate.get_ref())?)))
            .collect::<Vec<_>>()
    };
    agencies.into_iter().flat_map(of_agency).collect()
}

fn read_key(raw: &RawKey<'_>, agency: &AgencyId) -> Loaded<Key> {
    let place = raw.certificate.span().start;
    let certificate =
        Certificate::from_base64(raw.certificate.get_ref()).map_err(|error| (place, format!("{agency}: {error}")))?;
    if certificate.agency.as_ref().is_some_and(|named| named != agency) {
        return Err((place, format!("the certificate names another agency than {agency}")));
    }
    let time = |text: Option<&str>| {
        let parse = |text| {
            UnixTime::parse(text)
                .ok_or_else(|| (place, format!("{agency}: \"{text}\" is not an instant in UTC such as 2026-03-04T05:12:09Z")))
        };
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

/// Whether a row is about a document whose schema set is refused at present. It counts for nothing until the set is in force: a
/// fault of one set must not stop the exchanges of all others.
fn is_absent(text: &str, schemas: &Schemas) -> bool {
    Code::parse(text).is_some_and(|code| schemas.is_absent(&code))
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
    if is_absent(raw.document.get_ref(), schemas) {
        return Ok(());
    }
    let what = document_type(raw.document.get_ref(), place, schemas)?;
    let agency = AgencyId::parse(raw.agency).and_then(|id| registry.find(&id));
    let agency = agency.ok_or_else(|| (place, format!("no agency is called \"{}\"", raw.agency)))?;
    if registry.agency(agency).is_none_or(|agency| agency.url.is_none()) && !registry.outbound.contains(&agency) {
        let what =
            format!("{} holds documents but has no url; one that comes for its questions has url = \"{OUTBOUND}\"", raw.agency);
        return Err((place, what));
    }
    let regions = read_regions(&raw.regions)?;
    registry.holders.entry(what).or_default().push(Holder { agency, regions });
    Ok(())
}

fn read_regions(raw: &[Spanned<&str>]) -> Loaded<Vec<Region>> {
    let read = |text: &Spanned<&str>| {
        let wrong = || (text.span().start, format!("\"{}\" is not a region of ISO 3166-2 such as RU-YAR", text.get_ref()));
        Region::parse(text.get_ref()).ok_or_else(wrong)
    };
    raw.iter().map(read).collect()
}

/// Whose events a grant is for, if it names some.
fn read_sources(registry: &Registry, raw: &RawGrant<'_>, action: Action) -> Loaded<Option<Box<Sources>>> {
    let named = [("regions", raw.regions.first()), ("publishers", raw.publishers.first())];
    let Some((key, first)) = named.into_iter().find_map(|(key, first)| Some((key, first?))) else { return Ok(None) };
    if action != Action::Subscribe {
        let what = format!("{key} says whose events a grant is for; write action = \"subscribe\", or leave {key} out");
        return Err((first.span().start, what));
    }
    let publisher = |text: &Spanned<&str>| {
        let who = *text.get_ref();
        let known = || registry.by_name.keys().map(AgencyId::as_str);
        if !who.contains('*') && AgencyId::parse(who).is_none_or(|id| registry.find(&id).is_none()) {
            let nearest = fault::nearest(who, known()).map_or(String::new(), |known| format!("; did you mean \"{known}\"?"));
            return Err((text.span().start, format!("no agency is called \"{who}\"{nearest}")));
        }
        Ok(who.into())
    };
    let publishers = raw.publishers.iter().map(publisher).collect::<Loaded<_>>()?;
    Ok(Some(Box::new(Sources { regions: read_regions(&raw.regions)?, publishers })))
}

/// The url of an agency that opens no port, and comes for its questions.
pub const OUTBOUND: &str = "outbound";

/// Most fields that an error lists.
const FIELDS_SHOWN: usize = 60;

/// A field of a grant: something that documents of its type may lack.
fn read_field(text: &str, document: &DocumentType) -> Result<FieldPath, String> {
    let field = FieldPath::parse(text).ok_or_else(|| format!("\"{text}\" is not the path of a field: {}", FieldPath::FORM))?;
    if document.has_field(&field) {
        return Ok(field);
    }
    let (what, known) = (&document.name, document.fields.as_slice());
    if field.is_pattern() {
        return Err(format!("nothing optional of {what} is at \"{field}\"; oncegate schema fields {what} shows what there is"));
    }
    let nearest = fault::nearest(text, known.iter().map(String::as_str));
    let nearest = nearest.map_or(String::new(), |known| format!("; did you mean \"{known}\"?"));
    let shown = known.iter().take(FIELDS_SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = known.len().saturating_sub(FIELDS_SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Err(format!("{what} has no optional field \"{field}\"{nearest}; it has: {shown}{more}"))
}

/// Whom or what a grant is about; it must be what its document type is about.
fn read_about(text: Option<&str>, document: &DocumentType) -> Result<About, String> {
    let about = match text {
        None => About::default(),
        Some(text) => About::ALL
            .into_iter()
            .find(|about| about.as_str() == text)
            .ok_or_else(|| format!("about = \"{text}\"; it is \"person\", \"organisation\" or \"thing\""))?,
    };
    if about.is_of(document) {
        return Ok(about);
    }
    let good: Vec<String> =
        About::ALL.into_iter().filter(|about| about.is_of(document)).map(|about| format!("\"{}\"", about.as_str())).collect();
    Err(format!(
        "a grant of {} that is about a {}, and the document is not; write about = {}",
        document.name,
        about.as_str(),
        good.join(" or ")
    ))
}

fn add_grant(registry: &mut Registry, raw: RawGrant<'_>, schemas: &Schemas, texts: &mut Texts) -> Loaded<()> {
    let place = raw.id.span().start;
    if is_absent(raw.what, schemas) {
        return Ok(());
    }
    let code = |text: &str| Code::parse(text).ok_or_else(|| (place, format!("\"{text}\" is not a code")));
    let what = document_type(raw.what, place, schemas)?;
    let document = schemas.document_type(&what).ok_or_else(|| (place, format!("no document type is called \"{what}\"")))?;
    let fields = raw.fields.iter().map(|text| read_field(text, document)).collect::<Result<Vec<_>, _>>();
    let fields = fields.map_err(|wrong| (place, wrong))?;
    let about = read_about(raw.about, document).map_err(|wrong| (place, wrong))?;
    let action = match raw.action {
        None | Some("read") => Action::Read,
        Some("apply") => Action::Apply,
        Some("subscribe") => Action::Subscribe,
        Some(other) => {
            return Err((place, format!("action = \"{other}\"; it is \"read\", \"apply\" or \"subscribe\"")));
        }
    };
    if raw.withheld_days > limits::WITHHELD_DAYS_MAX {
        return Err((place, format!("withheld_days is at most {}", limits::WITHHELD_DAYS_MAX)));
    }
    let id = code(raw.id.get_ref())?;
    if !texts.grants.insert(id.clone()) {
        return Err((place, format!("the grant {id} is given twice; every grant has a name of its own")));
    }
    let sources = read_sources(registry, &raw, action)?;
    let index = GrantIndex(registry.grants.len() as u32);
    if raw.who.contains('*') {
        registry.patterned.entry(what.clone()).or_default().push(index);
    } else {
        let agency = AgencyId::parse(raw.who).and_then(|id| registry.find(&id));
        let agency = agency.ok_or_else(|| (place, format!("no agency is called \"{}\"", raw.who)))?;
        registry.exact.entry((agency, what.clone())).or_default().push(index);
    }
    registry.grants.push(Grant {
        id,
        pattern: raw.who.contains('*').then(|| raw.who.into()),
        action,
        what,
        about,
        fields: texts.fields(fields),
        purpose: texts.purpose(raw.purpose).ok_or_else(|| (place, format!("\"{}\" is not a code", raw.purpose)))?,
        basis: texts.basis(&raw.basis),
        until: Day::parse(raw.until).ok_or_else(|| (place, format!("\"{}\" is not a day such as 2027-12-31", raw.until)))?,
        per_minute: raw.per_minute.map(|figure| within("per_minute", figure, 1..=u32::MAX, place)).transpose()?,
        withheld_days: raw.withheld_days,
        sources,
    });
    Ok(())
}

/// A delegation gives the agent nothing but the principal's grants, and no more of it can be passed on: whoever asks for others
/// has nobody asking for it.
fn add_delegation(registry: &mut Registry, raw: &RawDelegation<'_>, schemas: &Schemas, texts: &mut Texts) -> Loaded<()> {
    let place = raw.id.span().start;
    let code = |text: &str| Code::parse(text).ok_or_else(|| (place, format!("\"{text}\" is not a code")));
    let day = |text: &str| Day::parse(text).ok_or_else(|| (place, format!("\"{text}\" is not a day such as 2027-12-31")));
    let id = code(raw.id.get_ref())?;
    if !texts.delegations.insert(id.clone()) {
        return Err((place, format!("the delegation {id} is given twice; every delegation has a name of its own")));
    }
    let agency = |name: &str| {
        let known = AgencyId::parse(name).and_then(|id| registry.find(&id));
        known.ok_or_else(|| (place, format!("the delegation {id}: no agency is called \"{name}\"")))
    };
    let (agent, principal) = (agency(raw.agent)?, agency(raw.principal)?);
    if agent == principal {
        return Err((place, format!("the delegation {id}: {} asks for itself without one", raw.agent)));
    }
    if raw.agent.len().saturating_add(raw.principal.len()) > limits::DELEGATION_BYTES_MAX {
        let most = limits::DELEGATION_BYTES_MAX;
        return Err((place, format!("the delegation {id}: both names together have more than {most} characters")));
    }
    texts.agents.insert(agent);
    texts.principals.insert(principal);
    if let Some((name, _)) = [(raw.agent, agent), (raw.principal, principal)]
        .into_iter()
        .find(|(_, index)| texts.agents.contains(index) && texts.principals.contains(index))
    {
        let what = format!(
            "the delegation {id}: {name} would ask for another and have another ask for it; a delegation is not passed on"
        );
        return Err((place, what));
    }
    let known = |text: &String| if is_absent(text, schemas) { code(text) } else { document_type(text, place, schemas) };
    let (what, purposes) = (raw.what.iter().map(known).collect::<Loaded<_>>()?, raw.purposes.iter());
    let delegation = Delegation {
        id: id.clone(),
        agent,
        principal,
        what,
        purposes: purposes.map(|text| code(text)).collect::<Loaded<_>>()?,
        basis: raw.basis.as_str().into(),
        from: raw.from.map(day).transpose()?,
        until: day(raw.until)?,
    };
    if delegation.from.is_some_and(|from| from > delegation.until) {
        return Err((place, format!("the delegation {id} ends before it begins")));
    }
    registry.delegations.entry((agent, principal)).or_default().push(delegation);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "format = 1\nversion = 3\n";

    fn agency(name: &str, more: &str) -> String {
        format!("[[agency]]\nid = \"xx.{name}\"\nname = \"A\"\nurl = \"https://a/\"\n{more}")
    }

    fn grant(name: &str) -> String {
        format!(
            "[[grant]]\nid = \"g-{name}\"\nwho = \"xx.{name}\"\nwhat = \"birth-certificate\"\npurpose = \"p\"\nbasis = \"b\"\nuntil = \"2030-12-31\"\n"
        )
    }

    #[test]
    fn parts_mean_what_the_whole_means() {
        let schemas = Schemas::built_in();
        let holder = "[[holder]]\ndocument = \"birth-certificate\"\nagency = \"xx.a\"\n";
        let many = |from: usize| (from..from + 100).map(|number| agency(&format!("m-{number}"), "")).collect::<String>();
        let delegation =
            "[[delegation]]\nid = \"d\"\nagent = \"xx.a\"\nprincipal = \"xx.b\"\nbasis = \"L\"\nuntil = \"2030-12-31\"\n";
        let quota = "[agency.quota]\nburst = 7\n";
        for text in [
            format!("{HEAD}{}{}{holder}", agency("a", ""), grant("a")),
            format!("{HEAD}{delegation}{}{}{}", agency("a", ""), agency("b", ""), grant("a")),
            // A grant before its agency, kinds mixed, more sections than a part holds.
            format!("{HEAD}{}{}{holder}{}{}{}", grant("a"), many(0), agency("a", quota), many(100), grant("m-7")),
        ] {
            let (parts, whole) = (in_parts(&text, &schemas).expect("parts"), whole(&text, &schemas).expect("a whole"));
            assert_eq!(format!("{parts:?}"), format!("{whole:?}"));
        }
    }

    #[test]
    fn what_is_wrong_with_whose_events_a_grant_is_for_is_told_where_it_stands() {
        let hears = |more: &str| format!("{HEAD}{}{}{more}\n", agency("clinic", ""), grant("clinic"));
        let wrong = |more: &str| load(&hears(more), &Schemas::built_in()).map(|_| ()).map_err(|error| error.to_string());
        let subscribe = "action = \"subscribe\"\n";
        assert_eq!(wrong(&format!("{subscribe}regions = [\"XX-A\", \"XX-9\"]\npublishers = [\"xx.clinic\", \"yy.*\"]")), Ok(()));
        for (more, told) in [
            (
                "regions = [\"XX-A\"]",
                "line 14, column 12: regions says whose events a grant is for; write action = \"subscribe\", or leave regions out",
            ),
            (
                "publishers = [\"xx.*\"]",
                "line 14, column 15: publishers says whose events a grant is for; write action = \"subscribe\", or leave publishers out",
            ),
            (
                "action = \"subscribe\"\nregions = [\"XX-A\", \"north\"]",
                "line 15, column 20: \"north\" is not a region of ISO 3166-2 such as RU-YAR",
            ),
            (
                "action = \"subscribe\"\npublishers = [\"xx.clinik\"]",
                "line 15, column 15: no agency is called \"xx.clinik\"; did you mean \"xx.clinic\"?",
            ),
            ("action = \"subscribe\"\nregion = [\"XX-A\"]", "line 15, column 1: unknown field `region`"),
        ] {
            let error = wrong(more).expect_err(more);
            assert!(error.starts_with(told), "{error}");
        }
        let holder = "[[holder]]\ndocument = \"birth-certificate\"\nagency = \"xx.clinic\"\nregions = [\"XX-north\"]\n";
        let error = load(&(hears("") + holder), &Schemas::built_in()).expect_err("no region");
        assert_eq!(error.to_string(), "line 18, column 12: \"XX-north\" is not a region of ISO 3166-2 such as RU-YAR");
    }

    #[test]
    fn what_is_unusual_is_left_to_the_whole() {
        let schemas = Schemas::built_in();
        let text = agency("b", "[agency.quota]\nburst = 7\n").replace("\"A\"", "\"\"\"\n[[grant]]\n\"\"\"");
        for (text, is_good) in [
            (format!("{HEAD}{text}"), true),
            (format!("{HEAD}{}{}", agency("a", ""), agency("b", "").replace("[[agency]]", "[[ agency ]]")), true),
            (format!("{HEAD}{}{}", grant("a"), agency("a", "").replace("[[agency]]", "[[ agency ]]")), true),
            (format!("{HEAD}{}{}[agency.quota]\nburst = 7\n", agency("a", ""), grant("a")), true),
            (format!("{HEAD}agency = []\n{}", agency("a", "")), false),
            (format!("{HEAD}{}format = 1\n", agency("a", "")), false),
            (format!("{HEAD}{}{}", agency("a", ""), agency("a", "")), false),
            (format!("{}{HEAD}", agency("a", "")), false),
            (HEAD.replace('1', "2"), false),
        ] {
            let (parts, whole) = (in_parts(&text, &schemas), whole(&text, &schemas));
            assert_eq!(whole.is_ok(), is_good, "{text}: {whole:?}");
            if let Some(parts) = parts {
                assert_eq!(format!("{parts:?}"), format!("{:?}", whole.expect("what its parts are")));
            }
        }
    }
}
