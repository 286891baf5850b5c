//! A record: what it says, and the proof that it is in the log, drawn and checked.

use super::chart::{Rung, Side, ladder};
use super::html::{
    Address, Field, Form, Html, Note, Page, Span, Tone, chart, columns, command, details, facts, link, notes, prose, section,
    text,
};
use super::log::{duration, kind_word, result, when};
use super::request::Answer;
use super::session::TicketOf;
use super::words::Words;
use super::{Answered, Visit};
use crate::base::fault::{Code, Fault};
use crate::base::time::UnixTime;
use crate::evidence::audit::{Filter, QueryError, reason};
use crate::evidence::tlog::Private;
use crate::evidence::tlog::leaf::Leaf;
use crate::evidence::tlog::proof::{Proof, ProofError};
use crate::evidence::tlog::tree::Hash;
use crate::gateway::driver::audit::{Opened, opened};
use crate::gateway::driver::log_unreadable;
use crate::host::config::Duty;
use crate::host::store::{Found, StoreError};

/// A record that the visitor may see, with its receipt or why there is none. What is not there and what is not to be seen is the same.
async fn visible(visit: &Visit) -> Result<(Found, Result<Proof, StoreError>), Fault> {
    let unknown = || Fault::new(Code::AudUnknown);
    // One address for each record, without signs and zeros before its digits.
    let index: u64 = visit.of().parse().ok().filter(|index: &u64| index.to_string() == visit.of()).ok_or_else(unknown)?;
    let scope = visit.scope();
    let is_all = visit.does(&[Duty::Operator, Duty::Auditor, Duty::Security]);
    if !is_all && scope.is_none() {
        return Err(unknown());
    }
    let read = move |gateway: &crate::gateway::driver::Gateway| -> Result<_, StoreError> {
        let found = gateway.store().record(index)?;
        let own = Filter { scope: scope.clone(), ..Filter::default() };
        if scope.is_some() && !Leaf::parse(&found.leaf).is_some_and(|leaf| own.matches(&leaf)) {
            return Err(StoreError::Forgotten);
        }
        let checkpoint = gateway.store().checkpoint();
        let proof = gateway.store().receipt(index, &checkpoint);
        Ok((found, proof))
    };
    visit.console.read(read).await?.map_err(|cause| match cause {
        StoreError::Forgotten => unknown(),
        other => log_unreadable(&other),
    })
}

/// `GET /log/{index}`
pub(super) async fn entry(visit: Visit) -> Answered {
    let words = visit.words;
    let (found, proof) = visible(&visit).await?;
    let index = found.index;
    let title = words.fill("entry.title", &[("index", &words.number(index))]);
    let mut page = Page::new(title, visit.address.clone()).below(words.say("log.title"), "/log");
    let proved = proved(&visit, &proof);
    page.put(notes(words, &[proved.0]));
    let Some(leaf) = Leaf::parse(&found.leaf) else {
        page.put(prose(&[text(words.say("entry.erased"))]));
        return visit.page(&page);
    };
    let mut said = vec![section("facts", words.say("entry.facts"), &[facts(&said(&visit, &leaf))])];
    said.extend(personal(&visit, index, &leaf).await?);
    said.push(around(&visit, index, &leaf).await?);
    said.extend(super::decisions::of_record(&visit, index, &leaf).await?);
    page.put(columns(&[said, proved.1]));
    visit.page(&page)
}

/// What a leaf says, in words.
fn said(visit: &Visit, leaf: &Leaf) -> Vec<(String, Vec<Span>)> {
    let words = visit.words;
    let mut rows: Vec<(String, Vec<Span>)> = Vec::new();
    let mut put = |name: &str, spans: Vec<Span>| rows.push((name.to_owned(), spans));
    put(words.say("entry.what"), vec![Span::Strong(kind_word(words, &leaf.kind))]);
    put(words.say("entry.when"), vec![when(leaf.time)]);
    if leaf.code.is_some() || leaf.action.is_some() || leaf.kind == "rsp" {
        put(words.say("entry.result"), result(words, leaf).spans);
    }
    let agency = |id: &String| vec![link(visit.agency_name(id), format!("/agencies/{id}")), text(" "), Span::Code(id.clone())];
    for (name, id) in [
        (words.say("entry.consumer"), &leaf.consumer),
        (words.say("entry.principal"), &leaf.principal),
        (words.say("entry.holder"), &leaf.provider),
        (words.say("entry.addressed"), &leaf.addressed),
    ] {
        if let Some(id) = id {
            put(name, agency(id));
        }
    }
    let coded = |name: String, code: &String| match name == *code {
        true => vec![text(name)],
        false => vec![text(name), text(" "), Span::Code(code.clone())],
    };
    if let Some(document) = &leaf.document_type {
        put(words.say("entry.document"), coded(visit.document_name(document), document));
    }
    if let Some(purpose) = &leaf.purpose {
        put(words.say("entry.purpose"), coded(words.purpose(purpose).to_owned(), purpose));
    }
    for (name, value) in [(words.say("entry.basis"), &leaf.basis), (words.say("entry.grant"), &leaf.grant)] {
        if let Some(value) = value {
            put(name, vec![text(value.clone())]);
        }
    }
    if let Some(case) = &leaf.case {
        put(words.say("entry.case"), vec![link(case.clone(), Address::new("/log").with("case", case).to_string())]);
    }
    if let Some(message) = &leaf.message {
        put(words.say("entry.message"), vec![link(message.clone(), Address::new("/log").with("message", message).to_string())]);
    }
    if let Some(digest) = leaf.digest_of_message() {
        put(words.say("entry.digest"), vec![Span::Code(digest.to_string())]);
    }
    if leaf.octets > 0 {
        put(words.say("entry.size"), vec![text(words.fill("unit.octets", &[("n", &words.number(leaf.octets))]))]);
    }
    if let Some(elapsed) = leaf.elapsed_us {
        put(words.say("entry.took"), vec![text(duration(words, elapsed))]);
    }
    if let Some(until) = leaf.withheld_until {
        put(words.say("entry.withheld"), vec![when(until)]);
    }
    if let Some(until) = leaf.until {
        put(words.say("entry.until"), vec![when(until)]);
    }
    if let Some(index) = leaf.concerns {
        put(words.say("entry.concerns"), vec![link(words.number(index), format!("/log/{index}"))]);
    }
    put(words.say("entry.registry"), vec![text(words.number(leaf.registry_version))]);
    put(
        words.say("entry.world"),
        vec![text(if leaf.test.is_some() { words.say("entry.test") } else { words.say("entry.live") })],
    );
    rows
}

/// What is private about a record: for an auditor with a reason, which is on record before anything is shown.
async fn personal(visit: &Visit, index: u64, leaf: &Leaf) -> Result<Vec<Html>, Fault> {
    let words = visit.words;
    if !visit.does(&[Duty::Auditor]) || leaf.commitment.is_none() {
        return Ok(Vec::new());
    }
    let ticket = visit.query.iter().find(|(key, _)| *key == "ticket").map(|(_, name)| name);
    let ticket = ticket.zip(visit.who.as_ref()).and_then(|(name, who)| visit.console.sessions().ticket(&who.session, name));
    let Some(ticket) = ticket.filter(|ticket| matches!(ticket.of, TicketOf::Record(of) if of == index)) else {
        let reason = Field::required("reason", words.say("why.reason"), words.say("why.reason-hint"));
        let form = Form::post(format!("/log/{index}/open"), vec![reason], words.say("entry.open"), visit.token()).html();
        return Ok(vec![section(
            "private",
            words.say("entry.private"),
            &[prose(&[text(words.say("entry.private-lead"))]), form],
        )]);
    };
    let read = visit.console.read(move |gateway| opened(gateway.store(), index)).await?;
    let Some((_, private)) = read.map_err(|cause| log_unreadable(&cause))? else {
        return Ok(vec![section("private", words.say("entry.private"), &[prose(&[text(words.say("entry.private-gone"))])])]);
    };
    let recorded = vec![
        text(words.say("log.person-shown")),
        text(" "),
        link(words.number(ticket.recorded), format!("/log/{}", ticket.recorded)),
    ];
    let shown =
        [notes(words, &[Note { tone: Tone::Warn, spans: recorded, action: None }]), facts(&private_facts(words, &private))];
    Ok(vec![section("private", words.say("entry.private"), &shown)])
}

fn private_facts(words: Words, private: &Opened) -> Vec<(String, Vec<Span>)> {
    let mut rows = Vec::new();
    for person in private.identifiers() {
        rows.push((words.say("entry.person").to_owned(), vec![Span::Code(format!("{} {}", person.scheme(), person.value()))]));
    }
    if let Some(official) = private.official() {
        rows.push((
            words.say("entry.official").to_owned(),
            vec![Span::Code(format!("{} {}", official.scheme(), official.value()))],
        ));
    }
    for (name, value) in [
        (words.say("entry.role"), &private.role),
        (words.say("entry.document"), &private.document),
        (words.say("entry.purpose"), &private.purpose),
        (words.say("entry.cause"), &private.cause),
        (words.say("entry.reason"), &private.reason),
    ] {
        if let Some(value) = value {
            rows.push((name.to_owned(), vec![text(value.clone())]));
        }
    }
    if !private.fields.is_empty() {
        rows.push((words.say("entry.fields").to_owned(), vec![text(private.fields.join(", "))]));
    }
    rows
}

/// The other records of the same message.
async fn around(visit: &Visit, index: u64, leaf: &Leaf) -> Result<Html, Fault> {
    let words = visit.words;
    let Some(message) = leaf.message.as_deref().and_then(crate::base::ids::MessageId::parse) else { return Ok(Html::default()) };
    let filter = Filter { message: Some(message), scope: visit.scope(), ..Filter::default() };
    let read = visit.console.read(move |gateway| gateway.store().search(&filter, None, AROUND_MAX)).await?;
    let mut found = read.map_err(|cause| log_unreadable(&cause))?.records;
    found.sort_by_key(|record| record.index);
    let lines = found.iter().filter_map(|record| Some((record.index, Leaf::parse(&record.leaf)?))).map(|(at, leaf)| {
        let number = if at == index { Span::Strong(words.number(at)) } else { link(words.number(at), format!("/log/{at}")) };
        let end = result(words, &leaf);
        [vec![number, text(" "), when(leaf.time), text(format!(" {}: ", kind_word(words, &leaf.kind)))], end.spans].concat()
    });
    let lines: Vec<_> = lines.collect();
    if lines.len() < 2 {
        return Ok(Html::default());
    }
    Ok(section("around", words.say("entry.around"), &[super::html::list(&lines, super::html::Ordered::No)]))
}

const AROUND_MAX: usize = 50;

/// The verdict on the proof, and the proof.
fn proved(visit: &Visit, proof: &Result<Proof, StoreError>) -> (Note, Vec<Html>) {
    let words = visit.words;
    let bad = |why: String| (Note { tone: Tone::Bad, spans: vec![text(why)], action: None }, Vec::new());
    let proof = match proof {
        Ok(proof) => proof,
        Err(cause) => return bad(format!("{} {cause}", words.say("entry.unproved"))),
    };
    let included = match proof.verify(visit.gateway().store().verifier()) {
        Ok(included) => included,
        Err(ProofError::NotIncluded) => return bad(words.say("entry.not-included").to_owned()),
        Err(error) => return bad(format!("{} {error}", words.say("entry.unproved"))),
    };
    let spans = vec![text(words.fill("entry.proved", &[("size", &words.number(included.head.size))]))];
    let note = Note {
        tone: Tone::Good,
        spans,
        action: Some((words.say("entry.download").to_owned(), format!("/log/{}/receipt", proof.index))),
    };
    (note, vec![drawn(visit, proof, included.head.size)])
}

fn drawn(visit: &Visit, proof: &Proof, size: u64) -> Html {
    let words = visit.words;
    let (leaf, root) = (Hash::of_leaf(&proof.leaf).to_string(), proof.checkpoint.claimed().root.to_string());
    let mut node = Hash::of_leaf(&proof.leaf);
    let rungs: Vec<Rung> = sides(proof.index, size)
        .into_iter()
        .zip(&proof.hashes)
        .map(|(side, hash)| {
            node = above(side, node, hash);
            Rung { sibling: hash.to_string(), above: node.to_string(), side }
        })
        .collect();
    let caption = words.fill("entry.ladder", &[("n", &proof.hashes.len().to_string())]);
    let svg = ladder(&leaf, &rungs, &root, &caption, (words.say("entry.leaf"), words.say("entry.root")));
    let store = visit.gateway().store();
    let verify = format!("oncegate log verify entry-{}.tlog-proof \\\n  --key {}", proof.index, store.verifier());
    let mut rows = vec![
        (words.say("entry.tree-size").to_owned(), vec![text(words.number(size))]),
        (words.say("entry.root").to_owned(), vec![Span::Code(root)]),
        (words.say("entry.leaf").to_owned(), vec![Span::Code(leaf)]),
    ];
    for witness in visit.gateway().witnessing().known() {
        let (word, tone) = match &witness.trouble {
            None => (words.fill("entry.cosigned", &[("size", &words.number(witness.size))]), Tone::Good),
            Some(_) => (words.say("entry.silent").to_owned(), Tone::Warn),
        };
        rows.push((words.say("entry.witness").to_owned(), vec![text(format!("{} ", witness.name)), Span::Badge(word, tone)]));
    }
    let hashes: String = proof.hashes.iter().map(|hash| format!("{hash}\n")).collect();
    section(
        "proof",
        words.say("entry.proof"),
        &[
            chart(&svg, &caption),
            command(words.say("entry.verify"), &verify),
            facts(&rows),
            details(
                words.say("entry.all-hashes"),
                &[
                    command(words.say("entry.path"), &hashes),
                    command(words.say("entry.checkpoint"), &proof.checkpoint.to_string()),
                ],
            ),
        ],
    )
}

/// What a hash makes together with the one beside it.
fn above(side: Side, node: Hash, sibling: &Hash) -> Hash {
    match side {
        Side::Left => Hash::of_children(sibling, &node),
        Side::Right => Hash::of_children(&node, sibling),
    }
}

/// On which side each hash of a proof stands, from the leaf up (RFC 9162, section 2.1.3.2).
fn sides(index: u64, size: u64) -> Vec<Side> {
    let (mut node, mut last, mut sides) = (index, size.saturating_sub(1), Vec::new());
    while last > 0 {
        if node % 2 == 1 {
            sides.push(Side::Left);
        } else if node < last {
            sides.push(Side::Right);
        }
        // A node that is the last of its level, and has no sibling, goes up as it is.
        (node, last) = (node / 2, last / 2);
    }
    sides
}

/// `POST /log/{index}/open`
pub(super) async fn open(visit: Visit) -> Answered {
    let (found, _) = visible(&visit).await?;
    let index = found.index;
    let mut form = visit.form.clone();
    let reason = form.take("reason").as_deref().and_then(reason).ok_or(QueryError::NoReason)?;
    let who = visit.who.as_ref().ok_or_else(|| Fault::new(Code::ConsoleDuty))?;
    let read = visit.console.read(move |gateway| opened(gateway.store(), index)).await?;
    let private = read.map_err(|cause| log_unreadable(&cause))?;
    let persons = private.map(|(_, private)| private.identifiers()).unwrap_or_default();
    let reading = Private { subject: persons.into(), reason: Some(reason), ..Private::default() };
    let onlooker = who.onlooker(&visit.world.registry);
    let recorded = visit.gateway().record_look(&visit.world, &onlooker, "read-private", reading, Some(index)).await?.index();
    let given = visit.console.sessions().give(&who.session, TicketOf::Record(index), recorded);
    let ticket = given.ok_or_else(|| Fault::new(Code::ConsoleTicket))?;
    Ok(Answer::see(&Address::new(format!("/log/{index}")).with("ticket", &ticket).to_string()))
}

/// `GET /log/{index}/receipt`
pub(super) async fn receipt(visit: Visit) -> Answered {
    let (found, proof) = visible(&visit).await?;
    let proof = proof.map_err(|cause| log_unreadable(&cause))?;
    Ok(Answer::file("text/plain; charset=utf-8", &format!("entry-{}.tlog-proof", found.index), proof.to_string()))
}

/// How long ago, in words.
pub(super) fn ago(words: Words, time: UnixTime, now: UnixTime) -> String {
    let seconds = now.as_ms().saturating_sub(time.as_ms()) / 1000;
    match seconds {
        0..120 => words.count("unit.seconds", seconds),
        120..7200 => words.count("unit.minutes", seconds / 60),
        7200..172_800 => words.count("unit.hours", seconds / 3600),
        _ => words.count("unit.days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::tlog::tree;
    use proptest::prelude::*;

    /// The root by our drawing of the sides.
    fn climb(leaf: Hash, sides: &[Side], hashes: &[Hash]) -> Hash {
        sides.iter().zip(hashes).fold(leaf, |node, (side, sibling)| above(*side, node, sibling))
    }

    proptest! {
        /// What is drawn is what is computed: so many rungs, each on its side.
        #[test]
        fn the_ladder_has_its_hashes_on_the_sides_where_they_are(size in 1_u64..200, at in 0_u64..200) {
            let index = at % size;
            let leaves: Vec<Hash> = (0..size).map(|number| Hash::of_leaf(&number.to_be_bytes())).collect();
            let (root, path) = tree_of(&leaves, index as usize);
            let sides = sides(index, size);
            prop_assert_eq!(sides.len(), path.len());
            prop_assert_eq!(climb(leaves[index as usize], &sides, &path), root);
            prop_assert_eq!(tree::root_of_inclusion(leaves[index as usize], index, size, &path), Ok(root));
        }
    }

    /// Root and path of a leaf, by the definition (RFC 9162, section 2.1).
    fn tree_of(leaves: &[Hash], index: usize) -> (Hash, Vec<Hash>) {
        if leaves.len() == 1 {
            return (leaves[0], Vec::new());
        }
        let split = leaves.len().next_power_of_two() / 2;
        let (left, right) = leaves.split_at(split);
        if index < split {
            let (own, mut path) = tree_of(left, index);
            let other = tree_of(right, 0).0;
            path.push(other);
            (Hash::of_children(&own, &other), path)
        } else {
            let (own, mut path) = tree_of(right, index - split);
            let other = tree_of(left, 0).0;
            path.push(other);
            (Hash::of_children(&other, &own), path)
        }
    }
}
