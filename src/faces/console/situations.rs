//! Life situations: what follows when a child is born or work is lost, what a region does better, and what it would mean for somebody who
//! does not exist. Nothing here is about a person: whatever is tried out stands in the address and nowhere else.

use super::chart::{Node, graph};
use super::html::{
    Address, Cell, Field, Figure, Form, Html, Ordered, Page, Span, Table, Tone, anchor, chart, column, facts, figure_row,
    figures, link, list, marks, prose, section, text,
};
use super::telling::{Telling, capital, decimal, region_name};
use super::words::Words;
use super::{Answered, Visit};
use crate::base::fault::{Code as Refusal, Fault};
use crate::base::ids::{Code, Region};
use crate::host::config::Duty;
use crate::rules::condition::speech::Speech;
use crate::rules::condition::{FactIndex, Kind, Value};
use crate::rules::situation::measure::{Share, Summary};
use crate::rules::situation::plan::{Knowledge, Plan, Stage, Wait};
use crate::rules::situation::time::Term;
use crate::rules::situation::{Catalogue, Channel, DocumentOf, Keeper, Situation, Spread, Step, StepIndex};
use std::collections::BTreeSet;
use std::sync::Arc;

/// `GET /situations`
pub(super) fn situations(visit: Visit) -> Answered {
    let words = visit.words;
    let catalogue = &visit.world.catalogue;
    let telling = Telling { words, catalogue };
    let ids: BTreeSet<&Code> = catalogue.situations().map(|situation| &situation.id).collect();
    let mut newest: Vec<&Arc<Situation>> = ids.into_iter().filter_map(|id| catalogue.situation(id, None)).collect();
    newest.sort_by(|left, right| telling.title(left).cmp(telling.title(right)));
    let rows = newest.iter().map(|situation| {
        let regions = overlays(catalogue, situation);
        let mut of_regions = Vec::new();
        for region in &regions {
            if !of_regions.is_empty() {
                of_regions.push(text(", "));
            }
            of_regions.push(link(region_name(words, region), format!("/situations/{}?region={region}", situation.id)));
        }
        let codes: Vec<String> = regions.iter().map(|region| region.as_str().to_owned()).collect();
        let starts: Vec<String> = situation.starts_on.iter().map(|start| telling.start(start)).collect();
        let services: BTreeSet<(&Code, &Code)> = situation.steps.iter().map(|step| (&step.office, &step.service)).collect();
        let offices: BTreeSet<&Code> = situation.steps.iter().map(|step| &step.office).collect();
        vec![
            Cell::link(telling.title(situation), format!("/situations/{}", situation.id), situation.id.as_str()),
            Cell::text(situation.version.to_string()),
            Cell::number(words, situation.steps.len() as u64),
            Cell::number(words, services.len() as u64),
            Cell::number(words, offices.len() as u64),
            Cell::of(vec![text(starts.join("; "))], starts.clone()),
            Cell::of(of_regions, codes),
        ]
    });
    let mut page = Page::new(words.say("situations.title"), visit.address.clone());
    page.put(prose(&[text(words.say("situations.lead"))]));
    page.table(Table {
        name: "situations",
        caption: words.count("situations.count", newest.len() as u64),
        columns: vec![
            column("situation", words.say("cases.situation")),
            marks("version", words.say("situations.version")),
            figures("steps", words.say("cases.steps")),
            figures("services", words.say("situations.services")),
            figures("offices", words.say("situations.offices")),
            column("starts", words.say("situations.starts")),
            column("regions", words.say("situations.overlays")),
        ],
        rows: rows.collect(),
        empty: words.say("situations.none").to_owned(),
        next: None,
    });
    visit.page(&page)
}

/// The regions that have an overlay of this version.
fn overlays(catalogue: &Catalogue, situation: &Situation) -> Vec<Region> {
    let own = catalogue.situations().filter(|known| known.id == situation.id && known.version == situation.version);
    own.filter_map(|known| known.region.clone()).collect()
}

/// `GET /situations/{id}`
pub(super) async fn situation(visit: Visit) -> Answered {
    let words = visit.words;
    let world = Arc::clone(&visit.world);
    let catalogue = &world.catalogue;
    let unknown = || Fault::new(Refusal::HttpNoSuchPath);
    let id = Code::parse(visit.of()).ok_or_else(unknown)?;
    let value = |key: &str| visit.query.iter().find(|(known, _)| *known == key).map_or("", |(_, value)| value);
    let region = match value("region") {
        "" => None,
        code => Some(Region::parse(code).ok_or_else(|| Fault::at(Refusal::AudQuery, "region: expected a code as RU-YAR"))?),
    };
    let country = catalogue.situation(&id, None).ok_or_else(unknown)?;
    let own = catalogue.situation(&id, region.as_ref()).ok_or_else(unknown)?;
    let knowledge = knowledge_of(catalogue, own, visit.query.iter())?;
    let seen = Seen {
        telling: Telling { words, catalogue },
        own,
        differences: differences(country, own),
        plan: Plan::make(catalogue, own, &knowledge),
        knowledge,
        region: own.region.as_ref(),
    };
    let mut page = Page::new(seen.telling.title(own), clean(&visit.address)).below(words.say("situations.title"), "/situations");
    page.put(facts(&seen.about()));
    page.put(seen.regions(country));
    page.put(chart(&seen.drawing(), &seen.caption()));
    if own.region.is_some() {
        page.put(section("differs", words.say("situations.differs"), &[seen.differing()]));
    }
    page.table(seen.steps());
    page.put(people(&visit, own, value("people")).await?);
    page.put(section("try", words.say("situations.try"), &[prose(&[text(words.say("situations.try-lead"))]), seen.form()]));
    page.table(seen.planned());
    page.table(seen.fetched());
    page.put(section("citizen", words.say("situations.from-citizen"), &[seen.asked()]));
    if visit.does(&[Duty::Curator, Duty::Operator]) {
        page.put(super::effect::form(&visit, own));
    }
    visit.page(&page)
}

/// An address without what is empty: a form sends all of its fields.
fn clean(address: &Address) -> Address {
    let pairs = address.pairs.iter().filter(|(_, value)| !value.is_empty()).cloned().collect();
    Address { path: address.path.clone(), pairs }
}

/// What is known by the fields of the form, each called `f.` and the name of a fact. An empty one says nothing.
fn knowledge_of<'q>(
    catalogue: &Catalogue,
    situation: &Situation,
    pairs: impl Iterator<Item = (&'q str, &'q str)>,
) -> Result<Knowledge, Fault> {
    let mut knowledge = Knowledge::new(situation);
    for (key, value) in pairs.filter(|(_, value)| !value.is_empty()) {
        let Some(name) = key.strip_prefix("f.") else { continue };
        let index = catalogue.fact_named(name);
        let (Some(index), Some(fact)) = (index, index.and_then(|index| catalogue.fact(index))) else {
            return Err(Fault::at(Refusal::AudQuery, "f.: there is no fact of this name"));
        };
        let value = Value::parse(fact.kind, value)
            .ok_or_else(|| Fault::at(Refusal::AudQuery, format!("f.{name}: expected {}", fact.kind)))?;
        knowledge.start_with(index, value);
    }
    Ok(knowledge)
}

/// The facts that decide which steps apply: those that are known at the start first. So many that an address has room for them.
fn deciding(situation: &Situation) -> Vec<FactIndex> {
    let conditions = situation.steps.iter().filter_map(|step| step.when.as_ref());
    let mut found: Vec<FactIndex> = Vec::new();
    for fact in situation.facts_at_start.iter().chain(conditions.flat_map(|when| when.facts())) {
        if !found.contains(fact) {
            found.push(*fact);
        }
    }
    found.truncate(FACTS_MAX);
    found
}

/// Facts of a form.
const FACTS_MAX: usize = 24;

/// In what a region's form of a situation differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Difference<'s> {
    /// The region has one more step.
    Added,
    /// The country has it alone.
    Removed,
    /// Another term.
    Term(Term, Term),
    /// It is done elsewhere.
    Channel(&'s Channel, &'s Channel),
    /// Another office does it.
    Office(&'s Code, &'s Code),
    /// A document less is needed.
    Without(&'s DocumentOf),
    /// It is enough to know that there is no such document.
    Looser(&'s DocumentOf),
}

/// All of them, in the order of the steps.
fn differences<'s>(country: &'s Situation, own: &'s Situation) -> Vec<(&'s Step, Difference<'s>)> {
    let mut found = Vec::new();
    for step in &own.steps {
        let Some(before) = country.steps.iter().find(|known| known.id == step.id) else {
            found.push((step, Difference::Added));
            continue;
        };
        if before.deadline != step.deadline {
            found.push((step, Difference::Term(before.deadline, step.deadline)));
        }
        if before.channel != step.channel {
            found.push((step, Difference::Channel(&before.channel, &step.channel)));
        }
        if before.office != step.office {
            found.push((step, Difference::Office(&before.office, &step.office)));
        }
        for need in &before.needs {
            match step.needs.iter().find(|known| known.document == need.document) {
                None => found.push((step, Difference::Without(&need.document))),
                Some(now) if now.must != need.must => found.push((step, Difference::Looser(&need.document))),
                Some(_) => {}
            }
        }
    }
    let is_gone = |step: &&Step| own.steps.iter().all(|known| known.id != step.id);
    found.extend(country.steps.iter().filter(is_gone).map(|step| (step, Difference::Removed)));
    found
}

/// A difference in words.
fn told(telling: &Telling<'_>, difference: Difference<'_>) -> String {
    let words = telling.words;
    match difference {
        Difference::Added => words.say("situations.added").to_owned(),
        Difference::Removed => words.say("situations.removed").to_owned(),
        Difference::Term(before, now) => {
            words.fill("situations.term-is", &[("now", &telling.term(now)), ("before", &telling.term(before))])
        }
        Difference::Channel(before, now) => {
            words.fill("situations.channel-is", &[("now", &telling.channel(now)), ("before", &telling.channel(before))])
        }
        Difference::Office(before, now) => {
            words.fill("situations.office-is", &[("now", &telling.office(now)), ("before", &telling.office(before))])
        }
        Difference::Without(document) => words.fill("situations.without", &[("document", &telling.document(document))]),
        Difference::Looser(document) => words.fill("situations.looser", &[("document", &telling.document(document))]),
    }
}

/// What a situation does for people who do not exist, if that is asked for: it takes a moment.
async fn people(visit: &Visit, situation: &Arc<Situation>, wanted: &str) -> Result<Html, Fault> {
    let words = visit.words;
    let title = words.say("situations.people");
    if wanted.is_empty() {
        let there = clean(&visit.address).with("people", "500");
        let lead =
            [text(words.say("situations.people-lead")), text(" "), link(words.say("situations.people-go"), there.to_string())];
        return Ok(section("people", title, &[prose(&lead)]));
    }
    if wanted != "500" {
        return Err(Fault::at(Refusal::AudQuery, "people: expected 500"));
    }
    let (world, measured) = (Arc::clone(&visit.world), Arc::clone(situation));
    let summary = visit.console.read(move |_| Summary::of(&world.catalogue, &measured, PEOPLE)).await?;
    let from_to = |before: f64, now: f64| format!("{} → {}", decimal(words, before), decimal(words, now));
    let halved = |share: &Share| words.percent(share.share());
    let seen = [
        Figure::new(from_to(summary.carried_before.median, summary.brought.median), words.say("situations.carried")),
        Figure::new(from_to(summary.days_before.median, summary.days.median), words.say("situations.days")),
        Figure::new(decimal(words, summary.questions.median), words.say("situations.questions")),
        Figure::new(decimal(words, summary.fetched.median), words.say("situations.fetched")),
        Figure::new(words.number(summary.plans as u64), words.say("situations.plans")),
    ];
    let most = summary.hold_ups.iter().max_by_key(|(step, count)| (**count, std::cmp::Reverse(**step)));
    let hold_up = most.and_then(|(step, _)| situation.step(*step)).map(|step| step.title.in_language(words.0.tag()));
    let rows = [
        (words.say("situations.documents-halved").to_owned(), vec![text(halved(&summary.documents_halved))]),
        (words.say("situations.waiting-halved").to_owned(), vec![text(halved(&summary.waiting_halved))]),
        (words.say("situations.hold-up").to_owned(), vec![text(hold_up.unwrap_or("—"))]),
    ];
    Ok(section("people", title, &[prose(&[text(words.say("situations.people-are"))]), figure_row(&seen), facts(&rows)]))
}

/// How many people are taken through a situation.
const PEOPLE: u64 = 500;

/// A situation as it is looked at.
struct Seen<'s> {
    telling: Telling<'s>,
    own: &'s Arc<Situation>,
    differences: Vec<(&'s Step, Difference<'s>)>,
    knowledge: Knowledge,
    plan: Plan,
    region: Option<&'s Region>,
}

impl Seen<'_> {
    fn words(&self) -> Words {
        self.telling.words
    }

    /// Whether something is tried out.
    fn is_tried(&self) -> bool {
        deciding(self.own).iter().any(|fact| self.knowledge.known(*fact).is_some())
    }

    fn indexed(&self) -> impl Iterator<Item = (StepIndex, &Step)> {
        (0..).map(StepIndex).zip(&self.own.steps)
    }

    fn about(&self) -> Vec<(String, Vec<Span>)> {
        let (words, telling, own) = (self.words(), &self.telling, self.own);
        let roles: Vec<String> = own.roles.iter().map(|role| telling.role(&role.name).to_lowercase()).collect();
        let starts: Vec<String> = own.starts_on.iter().map(|start| telling.start(start)).collect();
        let law: Vec<String> = own.legal.iter().map(|legal| telling.law(legal)).collect();
        let mut rows = vec![
            (words.say("situations.version").to_owned(), vec![text(own.version.to_string())]),
            (words.say("situations.whom").to_owned(), vec![text(roles.join(", "))]),
            (words.say("situations.starts").to_owned(), vec![text(starts.join("; "))]),
        ];
        if let Some((region, overlay)) = self.region.zip(own.overlay.as_ref()) {
            let name = region_name(words, region);
            let said = words.fill("situations.overlay-is", &[("region", &name), ("version", &overlay.to_string())]);
            rows.insert(1, (words.say("cases.region").to_owned(), vec![text(said)]));
        }
        if !law.is_empty() {
            rows.push((words.say("log.basis").to_owned(), vec![text(law.join(", "))]));
        }
        rows
    }

    /// The forms of the situation: the country's, and those of regions.
    fn regions(&self, country: &Situation) -> Html {
        let words = self.words();
        let regions = overlays(self.telling.catalogue, country);
        if regions.is_empty() {
            return prose(&[text(words.say("situations.same-everywhere"))]);
        }
        let mut spans = vec![text(words.say("situations.see-in")), text(" ")];
        let path = format!("/situations/{}", self.own.id);
        match self.region {
            None => spans.push(Span::Strong(words.say("situations.country").to_owned())),
            Some(_) => spans.push(link(words.say("situations.country"), path.clone())),
        }
        for region in &regions {
            spans.push(text(", "));
            let name = region_name(words, region);
            match self.region == Some(region) {
                true => spans.push(Span::Strong(name)),
                false => spans.push(link(name, Address::new(path.clone()).with("region", region.as_str()).to_string())),
            }
        }
        prose(&spans)
    }

    fn of(&self, step: &Step) -> impl Iterator<Item = Difference<'_>> {
        let id = step.id.clone();
        self.differences.iter().filter(move |(known, _)| known.id == id).map(|(_, difference)| *difference)
    }

    /// The steps as boxes: toned by the plan if something is tried out, and otherwise by what the region does better.
    fn drawing(&self) -> super::chart::Svg {
        let nodes: Vec<Node> = self
            .indexed()
            .map(|(index, step)| {
                let planned = self.plan.steps.get(usize::from(index.0));
                let (tone, mark) = match self.of(step).next() {
                    _ if self.is_tried() => planned.map_or((Tone::Plain, ""), |planned| staged(planned.stage)),
                    Some(Difference::Added) => (Tone::Good, "situations.new"),
                    Some(_) => (Tone::Warn, "situations.other"),
                    None => (Tone::Plain, ""),
                };
                let office = self.telling.office(&step.office);
                let below = match mark {
                    "" => format!("{office}, {}", self.telling.term(step.deadline)),
                    mark => format!("{}, {office}", stage_or_mark(self.words(), mark)),
                };
                Node {
                    title: format!("{}. {}", index.0 + 1, self.telling.step(step)),
                    below,
                    tone,
                    after: self.comes_after(step),
                }
            })
            .collect();
        graph(&nodes, self.words().say("situations.drawing"))
    }

    /// The steps that one stands behind: those that have to be over, and those that make a document that it needs; not those that
    /// another of them stands behind, too.
    fn comes_after(&self, step: &Step) -> Vec<usize> {
        let direct = |step: &Step| -> BTreeSet<usize> {
            let makes = |of: &DocumentOf| self.own.steps.iter().position(|known| known.gives.as_ref() == Some(of));
            let made = step.needs.iter().filter_map(|need| makes(&need.document));
            step.after.iter().map(|after| usize::from(after.0)).chain(made).collect()
        };
        let all = direct(step);
        let mut implied: BTreeSet<usize> = BTreeSet::new();
        let mut open: Vec<usize> = all.iter().copied().collect();
        while let Some(of) = open.pop() {
            let before = self.own.steps.get(of).map(direct).unwrap_or_default();
            open.extend(before.into_iter().filter(|of| implied.insert(*of)));
        }
        all.difference(&implied).copied().collect()
    }

    fn caption(&self) -> String {
        let words = self.words();
        let more = match (self.is_tried(), self.differences.is_empty()) {
            (true, _) => words.say("situations.drawing-tried"),
            (false, false) => words.say("situations.drawing-region"),
            (false, true) => "",
        };
        format!("{} {more}", words.say("situations.drawing")).trim_end().to_owned()
    }

    fn differing(&self) -> Html {
        let words = self.words();
        let items: Vec<Vec<Span>> = self
            .differences
            .iter()
            .map(|(step, difference)| {
                let tone = if *difference == Difference::Removed { Tone::Bad } else { Tone::Good };
                let said = told(&self.telling, *difference);
                vec![text(format!("{}: ", self.telling.step(step))), Span::Badge(said, tone)]
            })
            .collect();
        match items.is_empty() {
            true => prose(&[text(words.say("situations.differs-not"))]),
            false => list(&items, Ordered::No),
        }
    }

    fn steps(&self) -> Table {
        let (words, telling) = (self.words(), &self.telling);
        let rows = self.indexed().map(|(index, step)| {
            let after: Vec<String> = step.after.iter().map(|after| (after.0 + 1).to_string()).collect();
            let needs: Vec<String> = step.needs.iter().map(|need| telling.need(need)).collect();
            let needed: Vec<String> = step.needs.iter().map(|need| need.document.to_string()).collect();
            let when = step.when.as_ref();
            let condition = when.map_or_else(|| words.say("situations.always").to_owned(), |when| when.speak(telling));
            let condition = capital(&condition);
            let differs: Vec<String> = self.of(step).map(|difference| told(&self.telling, difference)).collect();
            let tone = if differs.is_empty() { Tone::Plain } else { Tone::Good };
            vec![
                Cell::number(words, u64::from(index.0) + 1),
                Cell::of(vec![anchor(telling.step(step), format!("step-{}", step.id))], step.id.as_str()).toned(tone),
                Cell::of(vec![text(telling.office(&step.office))], step.office.as_str()),
                Cell::of(vec![text(telling.channel(&step.channel))], step.channel.to_string()),
                Cell::of(vec![text(telling.term(step.deadline))], step.deadline.to_string()),
                Cell::of(vec![text(condition)], when.map_or("", |when| when.as_str())),
                Cell::of(vec![text(after.join(", "))], after.clone()),
                Cell::of(vec![text(needs.join("; "))], needed),
                Cell::maybe(step.gives.as_ref(), |of| Cell::of(vec![text(telling.document(of))], of.to_string())),
                Cell::maybe(step.legal.as_ref(), |legal| Cell::of(vec![text(telling.law(legal))], &*legal.reference)),
            ]
        });
        Table {
            name: "steps",
            caption: words.count("situations.step-count", self.own.steps.len() as u64),
            columns: vec![
                figures("number", words.say("log.index")),
                column("step", words.say("cases.step")),
                column("office", words.say("situations.office")),
                column("channel", words.say("situations.where")),
                column("term", words.say("situations.term")),
                column("when", words.say("situations.for-whom")),
                column("after", words.say("situations.after")),
                column("needs", words.say("situations.needs")),
                column("gives", words.say("situations.gives")),
                column("law", words.say("log.basis")),
            ],
            rows: rows.collect(),
            empty: words.say("case.no-steps").to_owned(),
            next: None,
        }
    }

    fn form(&self) -> Html {
        let words = self.words();
        let mut fields: Vec<Field> = deciding(self.own).into_iter().filter_map(|fact| self.field(fact)).collect();
        if let Some(region) = self.region {
            fields.push(Field::Hidden { name: "region", value: region.to_string() });
        }
        Form::get(format!("/situations/{}", self.own.id), fields, words.say("situations.try-go")).html()
    }

    fn field(&self, index: FactIndex) -> Option<Field> {
        let (words, fact) = (self.words(), self.telling.catalogue.fact(index)?);
        let known = self.knowledge.known(index).map(|(value, _)| value);
        let (name, label) = (format!("f.{}", fact.name), capital(&self.telling.fact(index)));
        let choice = |mut values: Vec<(String, Value)>| {
            values.sort();
            values.dedup();
            let unknown = (String::new(), words.say("situations.unknown").to_owned());
            let chosen = values.iter().find(|(_, value)| Some(value) == known).map(|(raw, _)| raw.clone());
            let options = values.iter().map(|(raw, value)| (raw.clone(), self.telling.value(value)));
            Field::Choice {
                name: name.clone(),
                label: label.clone(),
                options: std::iter::once(unknown).chain(options).collect(),
                chosen: chosen.unwrap_or_default(),
            }
        };
        let input = |kind, raw: String| {
            let field = Field::input(name.clone(), &label, raw);
            match field {
                Field::Input { name, label, value, hint, must, .. } => Field::Input { name, label, value, hint, kind, must },
                other => other,
            }
        };
        let raw = known.map_or_else(String::new, |value| match value {
            Value::Text(text) => text.to_string(),
            other => other.to_string(),
        });
        Some(match (fact.kind, self.telling.catalogue.spread(index)) {
            (Kind::Truth, _) => choice(vec![("true".into(), Value::Truth(true)), ("false".into(), Value::Truth(false))]),
            (Kind::Text, Spread::Among(values)) if !values.is_empty() => {
                let texts = values.iter().filter_map(|value| match value {
                    Value::Text(text) => Some((text.to_string(), value.clone())),
                    _ => None,
                });
                choice(texts.collect())
            }
            (Kind::Text, _) => input("text", raw),
            (Kind::Number, _) => input("number", raw),
            (Kind::Date, _) => input("date", raw),
        })
    }

    /// Which steps apply, and why.
    fn planned(&self) -> Table {
        let (words, telling) = (self.words(), &self.telling);
        let rows = self.indexed().zip(&self.plan.steps).map(|((index, step), planned)| {
            let (tone, mark) = staged(planned.stage);
            let waits: Vec<String> = planned.waits_for.iter().map(|wait| self.wait(wait)).collect();
            vec![
                Cell::number(words, u64::from(index.0) + 1),
                Cell::of(vec![text(telling.step(step))], step.id.as_str()),
                Cell::of(vec![Span::Badge(stage_or_mark(words, mark), tone)], mark.trim_start_matches("step.")),
                Cell::text(capital(&telling.why(step, planned, &self.knowledge))),
                Cell::of(vec![text(waits.join("; "))], waits.clone()),
            ]
        });
        Table {
            name: "plan",
            caption: words.say("situations.plan").to_owned(),
            columns: vec![
                figures("number", words.say("log.index")),
                column("step", words.say("cases.step")),
                column("stage", words.say("situations.applies")),
                column("why", words.say("situations.why")),
                column("waits", words.say("cases.waits-for")),
            ],
            rows: rows.collect(),
            empty: words.say("case.no-steps").to_owned(),
            next: None,
        }
    }

    fn wait(&self, wait: &Wait) -> String {
        match wait {
            Wait::Step(step) => self.own.step(*step).map_or_else(String::new, |step| self.telling.step(step).to_owned()),
            Wait::Document(document) => self.telling.document(document),
        }
    }

    /// Which documents would be asked for now, of whom.
    fn fetched(&self) -> Table {
        let (words, telling) = (self.words(), &self.telling);
        let rows = self.plan.fetch.iter().map(|(document, by)| {
            let holder = telling.catalogue.documents().get(&document.document).map(|known| &known.holder);
            let from = match holder {
                Some(Keeper::Office(office)) => Some((telling.office(office), office.as_str())),
                _ => None,
            };
            vec![
                Cell::of(vec![text(telling.document(document))], document.to_string()),
                Cell::maybe(from, |(title, code)| Cell::of(vec![text(title)], code)),
                Cell::of(vec![text(telling.role(by))], by.as_str()),
            ]
        });
        Table {
            name: "fetch",
            caption: words.say("situations.fetch").to_owned(),
            columns: vec![
                column("document", words.say("log.document")),
                column("from", words.say("situations.from")),
                column("by", words.say("situations.known-by")),
            ],
            rows: rows.collect(),
            empty: words.say("situations.fetch-none").to_owned(),
            next: None,
        }
    }

    /// What only the citizen can bring or say: now, or later if it still matters.
    fn asked(&self) -> Html {
        let (words, telling) = (self.words(), &self.telling);
        let bring = self.plan.bring.iter().map(|of| words.fill("situations.bring", &[("document", &telling.document(of))]));
        let asks = questions(telling.catalogue, &self.plan).into_iter().map(|fact| {
            let ask = telling.catalogue.fact(fact).and_then(|fact| fact.ask.as_ref());
            ask.map_or_else(|| capital(&telling.fact(fact)), |ask| ask.in_language(words.0.tag()).to_owned())
        });
        let items: Vec<Vec<Span>> = bring.chain(asks).map(|said| vec![text(said)]).collect();
        match items.is_empty() {
            true => prose(&[text(words.say("situations.ask-none"))]),
            false => list(&items, Ordered::No),
        }
    }
}

/// What is asked of the citizen: what the plan asks, and what steps wait for that stands in no document.
fn questions(catalogue: &Catalogue, plan: &Plan) -> BTreeSet<FactIndex> {
    let open = plan.steps.iter().filter(|planned| planned.stage == Stage::Open).flat_map(|planned| &planned.because);
    let is_said = |fact: &&FactIndex| catalogue.fact(**fact).is_some_and(|fact| fact.source.is_none() && fact.ask.is_some());
    open.filter(is_said).chain(&plan.ask).copied().collect()
}

/// How a stage is meant, and its word.
const fn staged(stage: Stage) -> (Tone, &'static str) {
    match stage {
        Stage::Off => (Tone::Quiet, "step.off"),
        Stage::Open => (Tone::Warn, "step.open"),
        Stage::Waiting => (Tone::Good, "step.waiting"),
        Stage::Ready => (Tone::Good, "step.ready"),
        Stage::Over => (Tone::Good, "step.done"),
    }
}

fn stage_or_mark(words: Words, mark: &str) -> String {
    words.find(mark).unwrap_or(mark).to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::words::Language;
    use super::*;
    use crate::message::schema::Schemas;

    fn catalogue() -> Catalogue {
        Catalogue::built_in(&Schemas::built_in()).expect("a catalogue")
    }

    fn code(text: &str) -> Code {
        Code::parse(text).expect("a code")
    }

    #[test]
    fn what_a_region_does_better_is_found_step_by_step() {
        let catalogue = catalogue();
        let region = Region::parse("RU-YAR");
        let id = code("birth-of-child");
        let country = catalogue.situation(&id, None).expect("the country's");
        let own = catalogue.situation(&id, region.as_ref()).expect("the region's");
        assert!(differences(country, country).is_empty());
        let telling = Telling { words: Words(Language::En), catalogue: &catalogue };
        let found: Vec<String> = differences(country, own)
            .into_iter()
            .map(|(step, difference)| format!("{}: {}", step.id, told(&telling, difference)))
            .collect();
        let is_said = |start: &str, words: &str| found.iter().any(|line| line.starts_with(start) && line.contains(words));
        assert!(is_said("register-birth: ", "4 hours"), "{found:?}");
        assert!(is_said("health-policy: ", "Perinatal clinic"), "{found:?}");
        assert!(is_said("yar.third-child-kit: ", telling.words.say("situations.added")), "{found:?}");
        // The other way round the steps of the region are gone.
        let back = differences(own, country);
        assert!(
            back.iter().any(|(step, difference)| step.id == code("yar.third-child-kit") && *difference == Difference::Removed)
        );
    }

    #[test]
    fn a_form_of_facts_becomes_what_is_known() {
        let catalogue = catalogue();
        let situation = catalogue.situation(&code("birth-of-child"), None).expect("a situation");
        let known = |pairs: &[(&'static str, &'static str)]| knowledge_of(&catalogue, situation, pairs.iter().copied());
        let fact = |name: &str| catalogue.fact_named(name).expect("a fact");
        let some = known(&[
            ("region", "RU-YAR"),
            ("f.child.live_birth", "true"),
            ("f.child.birth_order", "3"),
            ("f.mother.citizen", ""),
        ])
        .expect("good");
        let value = |name: &str| some.known(fact(name)).map(|(value, _)| value.clone());
        assert_eq!(value("child.live_birth"), Some(Value::Truth(true)));
        assert_eq!(value("child.birth_order"), Some(Value::Number(3)));
        assert_eq!(value("mother.citizen"), None);
        for bad in [("f.child.live_birth", "perhaps"), ("f.child.birth_order", "x"), ("f.child.nothing", "1"), ("f.", "1")] {
            assert_eq!(known(&[bad]).expect_err("refused").code, Refusal::AudQuery, "{bad:?}");
        }
    }

    #[test]
    fn each_situation_has_room_for_its_facts_in_an_address() {
        let catalogue = catalogue();
        for situation in catalogue.situations() {
            let of_steps = situation.steps.iter().filter_map(|step| step.when.as_ref()).flat_map(|when| when.facts());
            let all: BTreeSet<_> = of_steps.chain(&situation.facts_at_start).collect();
            assert_eq!(deciding(situation).len(), all.len(), "{}", situation.id);
        }
        // Beside them stand region, people, language and the form of a table.
        const { assert!(FACTS_MAX + 5 <= crate::base::limits::QUERY_PAIRS_MAX) };
    }

    #[test]
    fn whatever_decides_has_words_in_both_languages() {
        let catalogue = catalogue();
        for language in Language::ALL {
            let telling = Telling { words: Words(language), catalogue: &catalogue };
            for situation in catalogue.situations() {
                for fact in deciding(situation) {
                    let name = &catalogue.fact(fact).expect("a fact").name;
                    let (_, word) = name.split_once('.').expect("a role");
                    assert!(telling.words.find(&format!("fact.{word}")).is_some(), "{language:?} has no word for {name}");
                }
                for step in &situation.steps {
                    let said = step.when.as_ref().map_or_else(String::new, |when| when.speak(&telling));
                    assert!(!said.contains(['_', '[', '&', '!']), "{said}");
                }
            }
        }
    }

    #[test]
    fn a_condition_reads_as_a_sentence() {
        let catalogue = catalogue();
        let said = |language, id: &str, step: &str| {
            let situation = catalogue.situation(&code(id), None).expect("a situation");
            let step = situation.step_named(&code(step)).and_then(|step| situation.step(step)).expect("a step");
            let telling = Telling { words: Words(language), catalogue: &catalogue };
            step.when.as_ref().expect("a condition").speak(&telling)
        };
        assert_eq!(
            said(Language::En, "pupil-illness", "catch-up"),
            "the pupil: goes to school, and (the pupil: days by the note at least 21, or the pupil: school days missed at least 40, or \
             the pupil: days by all notes of a year at least 40)"
        );
        assert_eq!(said(Language::Ru, "pupil-illness", "meals"), "ученик: ходит в школу, и ученик: льготное питание");
    }
}
