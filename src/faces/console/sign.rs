//! Signing in and out. Each time is a record of the log.

use super::html::{Form, Ordered, Page, lead, link as leads, list, text};
use super::request::{Answer, Asked, Reach};
use super::session::{By, Visitor};
use super::{Answered, Console, Visit};
use crate::base::fault::{Code, Fault};
use crate::base::ids::Digest;
use crate::gateway::driver::World;
use crate::host::config::{Official, People};
use crate::rules::registry::{Endpoint, Role, Status};

/// Who comes with a client certificate: somebody of the file of people, or a system of an agency, for which its agency speaks.
pub(super) fn by_certificate(people: &People, world: &World, certificate: &Digest) -> Option<Official> {
    if let Some(official) = people.by_certificate(certificate) {
        return Some(official.clone());
    }
    let agency =
        world.registry.agency(world.registry.by_system(certificate)?).filter(|agency| agency.status == Status::Active)?;
    let duties: &[&str] = if agency.roles.contains(&Role::Auditor) { &["agency", "auditor"] } else { &["agency"] };
    let name: String = agency.name.chars().take(30).collect();
    Official::new(&name, Some(agency.id.as_str()), duties.iter().copied()).ok()
}

/// Puts on record that somebody has come or gone.
pub(super) async fn recorded(console: &Console, who: &Visitor, action: &str) -> Result<u64, Fault> {
    let world = console.gateway.world();
    let onlooker = who.onlooker(&world.registry);
    console.gateway.record_doing(&onlooker, action, None, None).await.map(|logged| logged.index())
}

pub(super) fn sign_in(visit: Visit) -> Answered {
    if visit.who.is_some() {
        return Ok(Answer::see("/"));
    }
    let words = visit.words;
    let mut page = Page::new(words.say("sign.title"), visit.address.clone());
    page.put(lead(&[text(words.say("sign.lead"))]));
    let provider = visit.console.provider.as_ref().map(|provider| {
        let name = Endpoint::parse(&provider.settings().issuer).map_or_else(String::new, |at| at.url.authority());
        vec![leads(words.fill("sign.by-provider", &[("name", &name)]), "/sign-in/provider")]
    });
    let others = [words.say("sign.by-certificate"), words.say("sign.by-link")].map(|way| vec![text(way)]);
    let ways: Vec<_> = provider.into_iter().chain(others).collect();
    page.put(list(&ways, Ordered::No));
    visit.page(&page)
}

pub(super) fn link(visit: Visit) -> Answered {
    if !visit.console.sessions().has_link(visit.of(), visit.now) {
        return Err(Fault::new(Code::ConsoleLink));
    }
    let words = visit.words;
    let mut page = Page::new(words.say("sign.title"), visit.address.clone());
    page.put(lead(&[text(words.say("sign.once"))]));
    page.put(Form::post(visit.address.path.clone(), Vec::new(), words.say("sign.go"), "").html());
    visit.page(&page)
}

pub(super) async fn use_link(visit: Visit) -> Answered {
    let gone = || Fault::new(Code::ConsoleLink);
    let official = visit.console.sessions().take_link(visit.of(), visit.now).ok_or_else(gone)?;
    let_in(&visit, official, By::Link).await
}

/// Signs somebody in, which is on record before their browser is told.
pub(super) async fn let_in(visit: &Visit, official: Official, by: By) -> Answered {
    let gone = || Fault::new(Code::ConsoleLink);
    // Whoever was signed in before in this browser is not any more: a session is never taken over.
    if let Some(who) = &visit.who {
        visit.console.sessions().close(&who.session);
    }
    let shown = visit.console.sessions().open(official, by, visit.now).ok_or_else(gone)?;
    let who = visit.console.sessions().find(&shown, visit.now).ok_or_else(gone)?;
    if let Err(fault) = recorded(&visit.console, &who, "sign-in").await {
        visit.console.sessions().close(&who.session);
        return Err(fault);
    }
    Ok(Answer::see("/").with_cookie(Asked::session_cookie(visit.wire), &shown, visit.wire, Reach::Session))
}

pub(super) async fn sign_out(visit: Visit) -> Answered {
    if let Some(who) = &visit.who {
        visit.console.sessions().close(&who.session);
        recorded(&visit.console, who, "sign-out").await?;
    }
    Ok(Answer::see("/sign-in").with_cookie(Asked::session_cookie(visit.wire), "", visit.wire, Reach::Gone))
}
