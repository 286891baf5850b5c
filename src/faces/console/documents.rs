//! Documents: what each is, who holds it, who may ask for it and why; and whether somebody may, with the rule at which each grant fails.

use super::agencies::{in_words, sees};
use super::html::{
    Address, Cell, Field, Form, Html, Note, Ordered, Page, Span, Table, Tone, column, facts, figures, lead, link, list, marks,
    moment, notes, prose, section, text,
};
use super::telling::{Telling, region_name};
use super::words::Words;
use super::{Answered, Visit};
use crate::base::fault::{Code as Refusal, Fault};
use crate::base::ids::{AgencyId, Code};
use crate::base::limits;
use crate::base::time::UnixTime;
use crate::host::config::Duty;
use crate::message::envelope::{Context, Described, Subject, World};
use crate::message::schema::{DocumentType, SubjectKind};
use crate::rules::policy::{Question, decide, explain as weigh_each};
use crate::rules::registry::diff::Effect;
use crate::rules::registry::{About, Action, AgencyIndex, Grant, Registry, Status};
use std::collections::{BTreeMap, BTreeSet};

/// Grants of a page.
const ROWS: usize = 50;
/// Holders of a document that are named where there is little room.
const HOLDERS_NAMED: usize = 4;
/// Holders, and fields, of a document's page.
const MANY: usize = 500;
/// Things that are offered to choose from; of more one is written down.
const OFFERED_MAX: usize = 300;

fn value<'v>(visit: &'v Visit, key: &str) -> &'v str {
    visit.query.iter().find(|(known, _)| *known == key).map_or("", |(_, value)| value)
}

/// What people call a type of document.
fn title(visit: &Visit, document: &DocumentType) -> String {
    let telling = Telling { words: visit.words, catalogue: &visit.world.catalogue };
    telling.document_title(&document.name).unwrap_or_else(|| document.title.clone())
}

/// `GET /documents`
pub(super) fn documents(visit: Visit) -> Answered {
    let words = visit.words;
    let registry = &visit.world.registry;
    let mut page = Page::new(words.say("documents.title"), visit.address.clone());
    let version = words.fill("agencies.registry", &[("version", &words.number(registry.version()))]);
    page.put(lead(&[text(version), Span::Line, link(words.say("documents.may-they"), "/explain")]));
    page.table(all(&visit));
    if sees_all(&visit) {
        page.put(changed(&visit));
    }
    let seen = Seen::of(&visit)?;
    page.put(section("grants", words.say("documents.who-may"), &[filters(&visit, &seen).html()]));
    page.table(grants(&visit, &seen)?);
    visit.page(&page)
}

/// What the last change of the registry means for those who are in it.
fn changed(visit: &Visit) -> Html {
    let words = visit.words;
    let inside = match visit.gateway().renewed() {
        None => vec![prose(&[text(words.say("documents.unchanged"))])],
        Some(renewed) => {
            let versions = [("from", words.number(renewed.from)), ("to", words.number(renewed.to))];
            let versions: Vec<(&str, &str)> = versions.iter().map(|(place, text)| (*place, text.as_str())).collect();
            let lines = renewed.changes.iter().take(MANY).map(|change| {
                let tone = match change.effect {
                    Effect::Breaks => Tone::Bad,
                    Effect::Narrows => Tone::Warn,
                    Effect::Widens => Tone::Good,
                    Effect::Changes => Tone::Quiet,
                };
                let word = words.find(&format!("registry.{}", change.effect.as_str())).unwrap_or(change.effect.as_str());
                vec![Span::Badge(word.to_owned(), tone), text(format!(" {}", change.what))]
            });
            let lines: Vec<Vec<Span>> = lines.collect();
            vec![
                prose(&[moment(renewed.at), text(format!(" {}", words.fill("documents.changed-from", &versions)))]),
                list(&lines, Ordered::No),
            ]
        }
    };
    section("changes", words.say("documents.changed"), &inside)
}

fn all(visit: &Visit) -> Table {
    let words = visit.words;
    let registry = &visit.world.registry;
    let mut counts: BTreeMap<&Code, u64> = BTreeMap::new();
    registry.grants().for_each(|grant| *counts.entry(&grant.what).or_default() += 1);
    let mut known: Vec<(String, &DocumentType)> =
        visit.world.schemas().document_types().map(|document| (title(visit, document), document)).collect();
    known.sort_by(|left, right| left.0.cmp(&right.0));
    let shows_counts = sees_all(visit);
    let rows = known.into_iter().map(|(title, document)| {
        let name = document.name.as_str();
        let newest = document.newest();
        let version = newest.and_then(|newest| newest.version.clone());
        vec![
            Cell::link(title, format!("/documents/{name}"), name),
            Cell::of(about(words, document).map_or_else(Vec::new, |about| vec![text(about)]), name_of_about(document)),
            Cell::of(holders_in_short(visit, &document.name), holder_ids(registry, &document.name)),
            Cell::maybe(counts.get(&document.name).filter(|_| shows_counts), |count| {
                let there = Address::new("/documents").with("document", name).to_string();
                Cell::of(vec![link(words.number(*count), format!("{there}#grants"))], *count)
            }),
            Cell::maybe(version, Cell::text),
            Cell::maybe(newest, |newest| Cell::of(vec![Span::Code(newest.namespace.clone())], newest.namespace.clone())),
        ]
    });
    let rows: Vec<Vec<Cell>> = rows.collect();
    Table {
        name: "documents",
        caption: words.count("documents.count", rows.len() as u64),
        columns: vec![
            column("document", words.say("log.document")),
            column("about", words.say("documents.about")),
            column("holders", words.say("documents.held-by")),
            figures("grants", words.say("documents.grants")),
            column("version", words.say("situations.version")),
            column("namespace", words.say("documents.namespace")),
        ],
        rows,
        empty: words.say("documents.none").to_owned(),
        next: None,
    }
}

/// Whom or what a document is about.
fn name_of_about(document: &DocumentType) -> Vec<&'static str> {
    About::ALL.into_iter().filter(|about| about.is_of(document)).map(About::as_str).collect()
}

fn about(words: Words, document: &DocumentType) -> Option<String> {
    let said = About::ALL.into_iter().filter(|about| about.is_of(document)).map(|about| match about {
        About::Person => words.say("documents.person"),
        About::Organisation => words.say("documents.organisation"),
        About::Thing => words.say("documents.thing"),
    });
    let said: Vec<&str> = said.collect();
    (!said.is_empty()).then(|| said.join(", "))
}

/// Who holds a document and takes part: those of the live world, and those of the test world.
fn holders<'r>(registry: &'r Registry, document: &'r Code) -> impl Iterator<Item = AgencyIndex> + 'r {
    registry.holders(document, World::Live).chain(registry.holders(document, World::Test))
}

fn holder_ids(registry: &Registry, document: &Code) -> Vec<String> {
    let mut ids: Vec<String> = holders(registry, document)
        .filter_map(|index| registry.agency(index))
        .map(|agency| agency.id.to_string())
        .take(MANY)
        .collect();
    ids.dedup();
    ids
}

fn holders_in_short(visit: &Visit, document: &Code) -> Vec<Span> {
    let (words, registry) = (visit.words, &visit.world.registry);
    let mut indexes: Vec<AgencyIndex> = holders(registry, document).collect();
    indexes.dedup();
    let mut spans = Vec::new();
    for agency in indexes.iter().take(HOLDERS_NAMED).filter_map(|index| registry.agency(*index)) {
        if !spans.is_empty() {
            spans.push(text(", "));
        }
        match sees(visit, &agency.id) {
            true => spans.push(link(agency.name.clone(), format!("/agencies/{}", agency.id))),
            false => spans.push(text(agency.name.clone())),
        }
    }
    if indexes.len() > HOLDERS_NAMED {
        let more = words.count("documents.more-holders", (indexes.len() - HOLDERS_NAMED) as u64);
        spans.push(text(format!(", {more}")));
    }
    spans
}

/// Whether the visitor sees every grant, or those alone that concern their agency.
fn sees_all(visit: &Visit) -> bool {
    visit.does(&[Duty::Operator, Duty::Auditor, Duty::Curator, Duty::Security, Duty::Desk])
}

/// Which grants are looked at.
struct Seen {
    document: Option<Code>,
    purpose: Option<Code>,
    /// Those that an agency has, if one is named.
    of: Option<BTreeSet<Code>>,
    agency: String,
    page: usize,
}

impl Seen {
    fn of(visit: &Visit) -> Result<Self, Fault> {
        let wrong = |what: &'static str| Fault::at(Refusal::AudQuery, what);
        let code = |key: &str, what: &'static str| match value(visit, key) {
            "" => Ok(None),
            written => Code::parse(written).map(Some).ok_or_else(|| wrong(what)),
        };
        let agency = value(visit, "agency").to_owned();
        let of = match agency.as_str() {
            "" => None,
            name => {
                let id = AgencyId::parse(name).ok_or_else(|| wrong("agency: expected the name of an agency"))?;
                Some(visit.world.registry.find(&id).map_or_else(BTreeSet::new, |index| grants_of(visit, index)))
            }
        };
        let page = match value(visit, "page") {
            "" => 1,
            page => {
                let number = page.parse().ok().filter(|page| (1..=10_000).contains(page));
                number.ok_or_else(|| wrong("page: expected 1 to 10000"))?
            }
        };
        Ok(Self {
            document: code("document", "document: expected the name of a type")?,
            purpose: code("purpose", "purpose: expected a code")?,
            of,
            agency,
            page,
        })
    }

    /// Whether a grant is one of those.
    fn has(&self, grant: &Grant) -> bool {
        self.document.as_ref().is_none_or(|document| grant.what == *document)
            && self.purpose.as_ref().is_none_or(|purpose| grant.purpose == *purpose)
            && self.of.as_ref().is_none_or(|of| of.contains(&grant.id))
    }
}

/// The names of all grants that an agency may use.
fn grants_of(visit: &Visit, index: AgencyIndex) -> BTreeSet<Code> {
    let documents = visit.world.schemas().document_types();
    let found = documents.flat_map(|document| visit.world.registry.grants_of(index, &document.name));
    found.map(|(_, grant)| grant.id.clone()).collect()
}

fn any(words: Words) -> (String, String) {
    (String::new(), words.say("log.any").to_owned())
}

fn choice(name: &str, label: &str, options: Vec<(String, String)>, chosen: &str) -> Field {
    if options.len() > OFFERED_MAX {
        return Field::input(name, label, chosen);
    }
    Field::Choice { name: name.into(), label: label.into(), options, chosen: chosen.into() }
}

fn document_options(visit: &Visit) -> Vec<(String, String)> {
    let known = visit.world.schemas().document_types();
    let mut options: Vec<_> = known.map(|document| (document.name.to_string(), title(visit, document))).collect();
    options.sort_by(|left, right| left.1.cmp(&right.1));
    options
}

fn purpose_options(visit: &Visit) -> Vec<(String, String)> {
    let purposes: BTreeSet<&Code> = visit.world.registry.grants().map(|grant| &grant.purpose).collect();
    purposes.into_iter().map(|purpose| (purpose.to_string(), visit.words.purpose(purpose.as_str()).to_owned())).collect()
}

/// The agencies that the visitor may name.
fn agency_options(visit: &Visit) -> Vec<(String, String)> {
    let known = visit.world.registry.agencies().filter(|(_, agency)| sees(visit, &agency.id));
    let mut options: Vec<_> = known.map(|(_, agency)| (agency.id.to_string(), agency.name.clone())).collect();
    options.sort_by(|left, right| left.1.cmp(&right.1));
    options
}

fn filters(visit: &Visit, seen: &Seen) -> Form {
    let words = visit.words;
    let with_any = |options: Vec<(String, String)>| std::iter::once(any(words)).chain(options).collect::<Vec<_>>();
    let chosen = |code: &Option<Code>| code.as_ref().map_or_else(String::new, Code::to_string);
    let fields = vec![
        choice("document", words.say("log.document"), with_any(document_options(visit)), &chosen(&seen.document)),
        choice("agency", words.say("log.consumer"), with_any(agency_options(visit)), &seen.agency),
        choice("purpose", words.say("log.purpose"), with_any(purpose_options(visit)), &chosen(&seen.purpose)),
    ];
    Form::get("/documents", fields, words.say("log.search"))
}

/// Who may ask what of whom, and why.
fn grants(visit: &Visit, seen: &Seen) -> Result<Table, Fault> {
    let (words, registry) = (visit.words, &visit.world.registry);
    let own = visit.who.as_ref().and_then(|who| who.official.agency.as_ref()).and_then(|id| registry.find(id));
    let own = own.filter(|_| !sees_all(visit));
    let of_own = own.map(|index| grants_of(visit, index));
    let concerns = |grant: &Grant| {
        let held = own.is_some_and(|index| registry.is_holder(index, &grant.what));
        sees_all(visit) || held || of_own.as_ref().is_some_and(|of| of.contains(&grant.id))
    };
    let mut found: Vec<(&Grant, &str)> =
        registry.grants_with_whom().filter(|(grant, _)| seen.has(grant) && concerns(grant)).collect();
    found.sort_by(|left, right| (&left.0.what, left.1, &left.0.id).cmp(&(&right.0.what, right.1, &right.0.id)));
    let is_whole = visit.query.iter().any(|(key, _)| key == "as");
    let rows = if is_whole { limits::PAGE_RECORDS_MAX } else { ROWS };
    let before = (seen.page - 1) * rows;
    let next = (before + rows < found.len()).then(|| {
        let there = visit.address.with("page", &(seen.page + 1).to_string()).to_string();
        (words.say("documents.more-grants").to_owned(), format!("{there}#grants"))
    });
    Ok(Table {
        name: "grants",
        caption: words.count("documents.grant-count", found.len() as u64),
        columns: vec![
            column("who", words.say("log.consumer")),
            column("grant", words.say("agencies.may")),
            column("document", words.say("log.document")),
            column("purpose", words.say("log.purpose")),
            column("holders", words.say("documents.held-by")),
            marks("basis", words.say("log.basis")),
            marks("until", words.say("agencies.until")),
        ],
        rows: found.into_iter().skip(before).take(rows).map(|(grant, whom)| row(visit, grant, whom)).collect(),
        empty: words.say("documents.no-grants").to_owned(),
        next,
    })
}

fn row(visit: &Visit, grant: &Grant, whom: &str) -> Vec<Cell> {
    let words = visit.words;
    let ends = grant.until < visit.now.day();
    vec![
        Cell::of(who(visit, whom), whom),
        Cell::of(vec![text(in_words(visit, grant))], grant.id.as_str()),
        Cell::link(visit.document_name(grant.what.as_str()), format!("/documents/{}", grant.what), grant.what.as_str()),
        Cell::of(vec![text(words.purpose(grant.purpose.as_str()))], grant.purpose.as_str()),
        Cell::of(holders_in_short(visit, &grant.what), holder_ids(&visit.world.registry, &grant.what)),
        Cell::text(&*grant.basis),
        Cell::text(grant.until.to_string()).toned(if ends { Tone::Bad } else { Tone::Plain }),
    ]
}

/// For whom a grant is: an agency, or all whose names are like a pattern.
fn who(visit: &Visit, whom: &str) -> Vec<Span> {
    if whom.contains('*') {
        return vec![text(visit.words.say("documents.all-like")), text(" "), Span::Code(whom.to_owned())];
    }
    let name = visit.agency_name(whom);
    match AgencyId::parse(whom).filter(|id| sees(visit, id)) {
        Some(id) => vec![link(name, format!("/agencies/{id}"))],
        None => vec![text(name)],
    }
}

/// `GET /documents/{type}`
pub(super) fn document(visit: Visit) -> Answered {
    let words = visit.words;
    let unknown = || Fault::new(Refusal::HttpNoSuchPath);
    let name = Code::parse(visit.of()).ok_or_else(unknown)?;
    let document = visit.world.schemas().document_type(&name).ok_or_else(unknown)?;
    let mut page = Page::new(title(&visit, document), visit.address.clone()).below(words.say("documents.title"), "/documents");
    page.put(facts(&what(words, document)));
    let there = Address::new("/explain").with("document", name.as_str());
    page.put(prose(&[link(words.say("documents.may-they"), there.to_string())]));
    page.table(held(&visit, &name));
    let seen = Seen { document: Some(name), ..Seen::of(&visit)? };
    page.table(grants(&visit, &seen)?);
    page.table(fields(words, document));
    visit.page(&page)
}

fn what(words: Words, document: &DocumentType) -> Vec<(String, Vec<Span>)> {
    let mut rows = vec![(words.say("agencies.id").to_owned(), vec![Span::Code(document.name.to_string())])];
    if let Some(about) = about(words, document) {
        rows.push((words.say("documents.about").to_owned(), vec![text(about)]));
    }
    let roles: Vec<&str> = document.roles().into_iter().filter(|role| !role.is_empty()).collect();
    if !roles.is_empty() {
        rows.push((words.say("documents.roles").to_owned(), vec![text(roles.join(", "))]));
    }
    for version in document.versions() {
        let mut spans = vec![Span::Code(version.namespace.clone()), text(" "), Span::Code(version.root.clone())];
        if let Some(name) = &version.version {
            spans.insert(0, text(format!("{name}: ")));
        }
        if let Some(until) = version.until {
            spans.push(text(format!(" {}", words.fill("documents.taken-until", &[("day", &until.to_string())]))));
        }
        rows.push((words.say("documents.namespace").to_owned(), spans));
    }
    rows
}

/// Who holds a document, and where.
fn held(visit: &Visit, name: &Code) -> Table {
    let (words, registry) = (visit.words, &visit.world.registry);
    let mut indexes: Vec<AgencyIndex> = holders(registry, name).take(MANY).collect();
    indexes.dedup();
    let rows = indexes.into_iter().filter_map(|index| Some((index, registry.agency(index)?))).map(|(index, agency)| {
        let of = registry.regions_of(index, name);
        let regions: Vec<String> = of.iter().map(ToString::to_string).collect();
        let named = of.iter().map(|region| region_name(words, region));
        let where_it_is = match regions.is_empty() {
            true => words.say("agencies.everywhere").to_owned(),
            false => named.collect::<Vec<_>>().join(", "),
        };
        vec![Cell::of(who(visit, agency.id.as_str()), agency.id.as_str()), Cell::of(vec![text(where_it_is)], regions.clone())]
    });
    Table {
        name: "holders",
        caption: words.say("documents.holders").to_owned(),
        columns: vec![column("holder", words.say("log.holds")), column("regions", words.say("agencies.regions"))],
        rows: rows.collect(),
        empty: words.say("documents.no-holders").to_owned(),
        next: None,
    }
}

/// What may be in it: what a grant has to name, and what is there in any case.
fn fields(words: Words, document: &DocumentType) -> Table {
    let [optional, required] = document.paths();
    let named = |paths: &[String], key: &'static str, code: &'static str| {
        let row = |path: &String| {
            vec![Cell::of(vec![Span::Code(path.clone())], path.clone()), Cell::of(vec![text(words.say(key))], code)]
        };
        paths.iter().map(row).collect::<Vec<_>>()
    };
    let mut rows = named(optional, "documents.optional", "optional");
    rows.extend(named(required, "documents.required", "required"));
    rows.sort_by_key(|row| row.first().map(|cell| cell.value.to_string()));
    rows.truncate(MANY);
    Table {
        name: "fields",
        caption: words.say("documents.fields").to_owned(),
        columns: vec![column("path", words.say("documents.path")), column("presence", words.say("documents.presence"))],
        rows,
        empty: words.say("documents.no-fields").to_owned(),
        next: None,
    }
}

/// `GET /explain`
pub(super) fn explain(visit: Visit) -> Answered {
    let words = visit.words;
    let mut page = Page::new(words.say("explain.title"), visit.address.clone()).below(words.say("documents.title"), "/documents");
    page.put(lead(&[text(words.say("explain.lead"))]));
    page.put(form(&visit).html());
    if let Some(asked) = Asked::of(&visit)? {
        let found = asked.weigh(&visit.world.registry, visit.now);
        page.put(notes(words, &[asked.verdict(&visit, &found)]));
        page.table(asked.each(&visit, &found));
    }
    visit.page(&page)
}

fn form(visit: &Visit) -> Form {
    let words = visit.words;
    let actions = [("read", "explain.read"), ("apply", "explain.apply"), ("subscribe", "explain.subscribe")];
    let actions = actions.map(|(action, key)| (action.to_owned(), words.say(key).to_owned()));
    let action = value(visit, "action");
    let basis = match Field::input("basis", words.say("log.basis"), value(visit, "basis")) {
        Field::Input { name, label, value, kind, must, .. } => {
            Field::Input { name, label, value, hint: words.say("explain.basis-hint").to_owned(), kind, must }
        }
        other => other,
    };
    let fields = vec![
        choice("agency", words.say("explain.who"), agency_options(visit), value(visit, "agency")),
        choice("action", words.say("explain.action"), actions.to_vec(), if action.is_empty() { "read" } else { action }),
        choice("document", words.say("log.document"), document_options(visit), value(visit, "document")),
        choice("purpose", words.say("log.purpose"), purpose_options(visit), value(visit, "purpose")),
        basis,
    ];
    Form::get("/explain", fields, words.say("explain.go"))
}

/// A question that nobody sends: whether it would be permitted.
struct Asked<'w> {
    agency: AgencyIndex,
    action: Action,
    document: &'w DocumentType,
    context: Context,
    role: String,
    /// Whether the agency may take part.
    is_active: bool,
    holders: usize,
}

/// What came of it: each grant with what it fails at, and the whole.
struct Weighed<'r> {
    each: Vec<(&'r Grant, Option<Fault>)>,
    whole: Result<Code, Fault>,
}

impl<'w> Asked<'w> {
    fn of(visit: &'w Visit) -> Result<Option<Self>, Fault> {
        let [agency, document, purpose] = ["agency", "document", "purpose"].map(|key| value(visit, key));
        if agency.is_empty() || document.is_empty() || purpose.is_empty() {
            return Ok(None);
        }
        let wrong = |what: &'static str| Fault::at(Refusal::AudQuery, what);
        let registry = &visit.world.registry;
        let id = AgencyId::parse(agency).filter(|id| sees(visit, id));
        let index = id.and_then(|id| registry.find(&id)).ok_or_else(|| wrong("agency: no such agency is in the registry"))?;
        let document = Code::parse(document).and_then(|name| visit.world.schemas().document_type(&name));
        let document = document.ok_or_else(|| wrong("document: there is no such type"))?;
        let purpose = Code::parse(purpose).ok_or_else(|| wrong("purpose: expected a code"))?;
        let action = match value(visit, "action") {
            "" | "read" => Action::Read,
            "apply" => Action::Apply,
            "subscribe" => Action::Subscribe,
            _ => return Err(wrong("action: expected read, apply or subscribe")),
        };
        let is_active = registry.agency(index).is_some_and(|agency| agency.status == Status::Active);
        let world = registry.agency(index).map_or(World::Live, |agency| agency.world);
        let basis = value(visit, "basis").to_owned();
        let bases = match basis.is_empty() {
            true => registry.grants_of(index, &document.name).map(|(_, grant)| grant.basis.to_string()).collect(),
            false => vec![basis],
        };
        let holders = registry.holders(&document.name, world).count();
        Ok(Some(Self {
            agency: index,
            action,
            document,
            context: context(document, purpose, bases),
            role: role_of(document),
            is_active,
            holders,
        }))
    }

    fn weigh<'r>(&self, registry: &'r Registry, now: UnixTime) -> Weighed<'r> {
        let question = Question {
            consumer: self.agency,
            action: self.action,
            document: self.document,
            context: &self.context,
            select: &[],
            role: &self.role,
        };
        let each = weigh_each(registry, &question, now).collect();
        let whole = if self.is_active {
            decide(registry, &question, now).map(|grounds| grounds.grant_id)
        } else {
            Err(Fault::new(Refusal::TlsAgencySuspended))
        };
        Weighed {
            each,
            whole: whole.and_then(|grant| if self.holders > 0 { Ok(grant) } else { Err(Fault::new(Refusal::RteNoHolder)) }),
        }
    }

    /// The whole in a sentence, and what to do next.
    fn verdict(&self, visit: &Visit, found: &Weighed<'_>) -> Note {
        let words = visit.words;
        let code = match &found.whole {
            Ok(id) => {
                let grant = found.each.iter().find(|(grant, _)| grant.id == *id).map(|(grant, _)| *grant);
                let until = grant.map_or_else(String::new, |grant| grant.until.to_string());
                let said = words.fill("explain.yes", &[("until", &until)]);
                let spans = vec![Span::Strong(said), text(" "), text(words.count("explain.holders", self.holders as u64))];
                return Note { tone: Tone::Good, spans, action: None };
            }
            Err(fault) => fault.code,
        };
        let spans = vec![
            Span::Strong(words.say("explain.no").to_owned()),
            text(format!(" {} {} ", words.say(why_key(code)), words.say(next_key(code)))),
            link(code.as_str(), format!("/help/{}", code.as_str())),
        ];
        Note { tone: Tone::Warn, spans, action: None }
    }

    /// Each grant that the question could stand on.
    fn each(&self, visit: &Visit, found: &Weighed<'_>) -> Table {
        let words = visit.words;
        let rows = found.each.iter().map(|(grant, fault)| {
            let (verdict, tone) = match fault {
                None => ("explain.permits", Tone::Good),
                Some(_) => ("explain.refuses", Tone::Bad),
            };
            let why = fault.as_ref().map_or_else(String::new, |fault| fails(words, grant, fault.code, self.action));
            let code = fault.as_ref().map(|fault| fault.code.as_str());
            vec![
                Cell::of(vec![text(in_words(visit, grant))], grant.id.as_str()),
                Cell::of(
                    vec![Span::Badge(words.say(verdict).to_owned(), tone)],
                    if fault.is_none() { "permits" } else { "refuses" },
                ),
                Cell::text(why),
                Cell::maybe(code, |code| Cell::link(code, format!("/help/{code}"), code)),
                Cell::text(&*grant.basis),
                Cell::text(grant.until.to_string()),
            ]
        });
        Table {
            name: "tried",
            caption: words.say("explain.each").to_owned(),
            columns: vec![
                column("grant", words.say("agencies.may")),
                column("verdict", words.say("explain.verdict")),
                column("why", words.say("situations.why")),
                marks("code", words.say("log.code")),
                marks("basis", words.say("log.basis")),
                marks("until", words.say("agencies.until")),
            ],
            rows: rows.collect(),
            empty: words.say("explain.none").to_owned(),
            next: None,
        }
    }
}

/// What a question about such a document says of itself, with nobody in it.
fn context(document: &DocumentType, purpose: Code, bases: Vec<String>) -> Context {
    let is_of_people = document.is_about(SubjectKind::Person) || !document.is_about(SubjectKind::Organisation);
    let described = if is_of_people { Described::default() } else { Described::Organisation(None) };
    let mut context = Context::new(purpose, String::new(), Subject { described, ..Subject::default() });
    context.legal_basis = bases;
    context
}

/// The role in which a document can be asked for: that of a question without `Of`, or else the first.
fn role_of(document: &DocumentType) -> String {
    let roles = document.roles();
    if roles.contains("") { String::new() } else { roles.first().map_or_else(String::new, |role| (*role).to_owned()) }
}

/// What a grant fails at, in words.
fn fails(words: Words, grant: &Grant, code: Refusal, action: Action) -> String {
    match code {
        Refusal::PolNoGrant if grant.action != action => words.say("explain.other-action").to_owned(),
        Refusal::PolNoGrant => words.say("explain.other-subject").to_owned(),
        Refusal::PolPurpose => words.fill("explain.other-purpose", &[("purpose", words.purpose(grant.purpose.as_str()))]),
        Refusal::PolBasis => words.fill("explain.other-basis", &[("basis", &grant.basis)]),
        Refusal::PolExpired => words.fill("explain.ended", &[("day", &grant.until.to_string())]),
        other => other.title().to_owned(),
    }
}

const fn why_key(code: Refusal) -> &'static str {
    match code {
        Refusal::PolPurpose => "explain.why-purpose",
        Refusal::PolBasis => "explain.why-basis",
        Refusal::PolExpired => "explain.why-ended",
        Refusal::TlsAgencySuspended => "explain.why-suspended",
        Refusal::RteNoHolder => "explain.why-no-holder",
        _ => "explain.why-no-grant",
    }
}

const fn next_key(code: Refusal) -> &'static str {
    match code {
        Refusal::PolPurpose => "explain.next-purpose",
        Refusal::PolBasis => "explain.next-basis",
        Refusal::PolExpired => "explain.next-ended",
        Refusal::TlsAgencySuspended => "explain.next-suspended",
        Refusal::RteNoHolder => "explain.next-no-holder",
        _ => "explain.next-no-grant",
    }
}

#[cfg(test)]
mod tests {
    use super::super::words::Language;
    use super::*;
    use crate::message::schema::Schemas;

    const REGISTRY: &str = r#"
format = 1
version = 3
[[agency]]
id = "xx.school"
name = "School"
[[agency]]
id = "xx.clinic"
name = "Clinic"
url = "outbound"
[[holder]]
agency = "xx.clinic"
document = "medical-absence-note"
[[grant]]
id = "school-reads"
who = "xx.school"
action = "read"
what = "medical-absence-note"
fields = []
purpose = "school-attendance"
basis = "XX:HEALTH:13"
until = "2026-12-31"
"#;

    /// The code of each grant that is tried, and of the whole.
    fn asked(purpose: &str, basis: &str, action: Action, day: &str) -> (Vec<Option<Refusal>>, Option<Refusal>) {
        let schemas = Schemas::built_in();
        let registry = Registry::check(REGISTRY, &schemas).expect("a registry");
        let document = schemas.document_type(&Code::parse("medical-absence-note").expect("a code")).expect("a type");
        let agency = registry.find(&AgencyId::parse("xx.school").expect("a name")).expect("an agency");
        let context = context(document, Code::parse(purpose).expect("a code"), vec![basis.to_owned()]);
        let asked = Asked { agency, action, document, context, role: role_of(document), is_active: true, holders: 1 };
        let found = asked.weigh(&registry, UnixTime::parse(&format!("{day}T12:00:00Z")).expect("a time"));
        (
            found.each.iter().map(|(_, fault)| fault.as_ref().map(|fault| fault.code)).collect(),
            found.whole.err().map(|fault| fault.code),
        )
    }

    #[test]
    fn a_question_that_nobody_sends_is_weighed_as_one_that_is_sent() {
        let good = ("school-attendance", "XX:HEALTH:13", Action::Read, "2026-12-31");
        for (purpose, basis, action, day, code) in [
            (good.0, good.1, good.2, good.3, None),
            ("statistics", good.1, good.2, good.3, Some(Refusal::PolPurpose)),
            (good.0, "XX:HEALTH:14", good.2, good.3, Some(Refusal::PolBasis)),
            (good.0, good.1, Action::Apply, good.3, Some(Refusal::PolNoGrant)),
            (good.0, good.1, good.2, "2027-01-01", Some(Refusal::PolExpired)),
        ] {
            assert_eq!(asked(purpose, basis, action, day), (vec![code], code), "{purpose} {basis} {day}");
        }
    }

    #[test]
    fn whatever_is_refused_says_why_and_what_to_do_in_both_languages() {
        for language in Language::ALL {
            let words = Words(language);
            for code in [
                Refusal::PolNoGrant,
                Refusal::PolPurpose,
                Refusal::PolBasis,
                Refusal::PolExpired,
                Refusal::TlsAgencySuspended,
                Refusal::RteNoHolder,
            ] {
                assert!(words.find(why_key(code)).is_some() && words.find(next_key(code)).is_some(), "{code}");
            }
        }
    }
}
