//! On whose behalf something is asked: a delegation lets an agency ask by another's grants. It gives the agent nothing of its own,
//! and nothing of it can be passed on.

use crate::base::fault::{Code as FaultCode, Fault};
use crate::base::ids::{AgencyId, Code};
use crate::base::time::UnixTime;
use crate::message::envelope::Context;
use crate::rules::registry::{AgencyIndex, Delegation, Registry, Status};

/// The agency by whose grants a sender asks: the one that the message names in `OnBehalfOf`, if a delegation says so; nobody but
/// the sender if it names none.
pub fn principal(
    registry: &Registry,
    agent: AgencyIndex,
    (what, context): (&Code, &Context),
    now: UnixTime,
) -> Result<Option<AgencyIndex>, Fault> {
    let Some(named) = &context.on_behalf_of else { return Ok(None) };
    let refused = |why: String| Err(Fault::at(FaultCode::PolDelegation, why));
    let sender = registry.agency(agent).map_or("the sender", |agency| agency.id.as_str());
    if named.as_str() == sender {
        return refused(format!("{named} asks on its own behalf without OnBehalfOf: leave it out"));
    }
    // Whether there is such an agency is nothing to tell whoever may not speak for it.
    let Some((principal, delegations)) = delegations(registry, agent, named) else {
        return refused(format!("no delegation lets {sender} ask on behalf of {named}"));
    };
    let mut nearest = (0, String::new());
    for delegation in delegations {
        let Err(closer) = weigh(delegation, what, context, now) else {
            return match registry.agency(principal).map(|agency| agency.status) {
                Some(Status::Active) => Ok(Some(principal)),
                _ => refused(format!("{named} is suspended, and so is whoever asks on its behalf")),
            };
        };
        if closer.0 > nearest.0 {
            nearest = closer;
        }
    }
    refused(nearest.1)
}

fn delegations<'r>(registry: &'r Registry, agent: AgencyIndex, named: &AgencyId) -> Option<(AgencyIndex, &'r [Delegation])> {
    let principal = registry.find(named)?;
    let delegations = registry.delegations_of(agent, principal);
    (!delegations.is_empty()).then_some((principal, delegations))
}

/// Whether a delegation is for a question, or at which step it is not.
fn weigh(delegation: &Delegation, what: &Code, context: &Context, now: UnixTime) -> Result<(), (u8, String)> {
    let (id, today) = (&delegation.id, now.day());
    let is_for = |listed: &[Code], code: &Code| listed.is_empty() || listed.contains(code);
    if !is_for(&delegation.what, what) {
        return Err((1, format!("the delegation {id} is not for {what}")));
    }
    if !is_for(&delegation.purposes, &context.purpose) {
        return Err((2, format!("the delegation {id} is not for the purpose {}", context.purpose)));
    }
    if let Some(from) = delegation.from.filter(|from| *from > today) {
        return Err((3, format!("the delegation {id} begins on {from}")));
    }
    if delegation.until < today {
        return Err((3, format!("the delegation {id} ended on {}; ask the authority to renew it", delegation.until)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::envelope::Subject;
    use crate::message::schema::Schemas;

    const AGENCIES: &str = "format = 1\nversion = 1\n[[agency]]\nid = \"xx.portal\"\nname = \"P\"\n[[agency]]\nid = \"xx.school\"\nname = \"S\"\n\
        [[agency]]\nid = \"xx.fund\"\nname = \"F\"\n[[agency]]\nid = \"xx.closed\"\nname = \"C\"\nsuspended = true\n";

    fn delegation(id: &str, agent: &str, principal: &str, more: &str) -> String {
        format!(
            "[[delegation]]\nid = \"{id}\"\nagent = \"{agent}\"\nprincipal = \"{principal}\"\nbasis = \"L\"\nuntil = \"2027-12-31\"\n{more}"
        )
    }

    fn registry(delegations: &str) -> Result<Registry, String> {
        Registry::check(&format!("{AGENCIES}{delegations}"), &Schemas::built_in()).map_err(|error| error.to_string())
    }

    /// Who is asked for, or the refusal.
    fn verdict(registry: &Registry, agent: &str, named: Option<&str>, day: &str) -> Result<Option<String>, String> {
        let id = |text: &str| AgencyId::parse(text).expect("a name");
        let code = |text: &str| Code::parse(text).expect("a code");
        let mut context = Context::new(code("enrolment"), "L", Subject::default());
        context.on_behalf_of = named.map(id);
        let agent = registry.find(&id(agent)).expect("an agency");
        let now = UnixTime::parse(&format!("{day}T12:00:00Z")).expect("an instant");
        let found = principal(registry, agent, (&code("birth-certificate"), &context), now).map_err(|fault| {
            assert_eq!(fault.code, FaultCode::PolDelegation);
            fault.detail.into_owned()
        });
        found.map(|index| index.and_then(|index| registry.agency(index)).map(|agency| agency.id.to_string()))
    }

    #[test]
    fn an_agency_asks_for_another_as_far_as_a_delegation_goes() {
        let day = "2027-03-04";
        let plain = registry(&delegation("d", "xx.portal", "xx.school", "")).expect("a registry");
        assert_eq!(verdict(&plain, "xx.portal", None, day), Ok(None));
        assert_eq!(verdict(&plain, "xx.portal", Some("xx.school"), day), Ok(Some("xx.school".to_owned())));
        assert_eq!(verdict(&plain, "xx.portal", Some("xx.school"), "2027-12-31"), Ok(Some("xx.school".to_owned())));
        for (agent, named, day, words) in [
            ("xx.portal", "xx.portal", day, "leave it out"),
            ("xx.portal", "xx.fund", day, "no delegation lets xx.portal ask on behalf of xx.fund"),
            ("xx.portal", "xx.nobody", day, "no delegation lets xx.portal ask on behalf of xx.nobody"),
            ("xx.school", "xx.portal", day, "no delegation"),
            ("xx.portal", "xx.school", "2028-01-01", "ended on 2027-12-31"),
        ] {
            let why = verdict(&plain, agent, Some(named), day).expect_err(words);
            assert!(why.contains(words), "{why}");
        }
        for (more, words) in [
            ("what = [\"medical-absence-note\"]\n", Some("not for birth-certificate")),
            ("what = [\"medical-absence-note\", \"birth-certificate\"]\n", None),
            ("purposes = [\"audit\"]\n", Some("not for the purpose enrolment")),
            ("purposes = [\"enrolment\"]\n", None),
            ("from = \"2027-03-05\"\n", Some("begins on 2027-03-05")),
            ("from = \"2027-03-04\"\n", None),
        ] {
            let narrow = registry(&delegation("d", "xx.portal", "xx.school", more)).expect("a registry");
            let verdict = verdict(&narrow, "xx.portal", Some("xx.school"), day);
            assert_eq!(verdict.is_ok(), words.is_none(), "{more}");
            assert!(words.is_none_or(|words| verdict.is_err_and(|why| why.contains(words))), "{more}");
        }
        let several = delegation("a", "xx.portal", "xx.school", "purposes = [\"audit\"]\n")
            + &delegation("b", "xx.portal", "xx.school", "");
        assert!(verdict(&registry(&several).expect("a registry"), "xx.portal", Some("xx.school"), day).is_ok(), "one is enough");
        let closed = registry(&delegation("d", "xx.portal", "xx.closed", "")).expect("a registry");
        assert!(verdict(&closed, "xx.portal", Some("xx.closed"), day).is_err_and(|why| why.contains("suspended")));
    }

    #[test]
    fn a_delegation_names_two_agencies_once_and_is_not_passed_on() {
        for (delegations, words) in [
            (delegation("d", "xx.portal", "xx.portal", ""), "asks for itself without one"),
            (delegation("d", "xx.portal", "xx.nobody", ""), "no agency is called \"xx.nobody\""),
            (delegation("d", "xx.nobody", "xx.school", ""), "no agency is called \"xx.nobody\""),
            (delegation("d", "xx.portal", "xx.school", "what = [\"birth-certificat\"]\n"), "did you mean \"birth-certificate\""),
            (delegation("d", "xx.portal", "xx.school", "from = \"2028-01-01\"\n"), "ends before it begins"),
            (delegation("d", "xx.portal", "xx.school", "") + &delegation("d", "xx.portal", "xx.fund", ""), "given twice"),
            (delegation("a", "xx.portal", "xx.school", "") + &delegation("b", "xx.school", "xx.fund", ""), "not passed on"),
            (delegation("a", "xx.school", "xx.fund", "") + &delegation("b", "xx.portal", "xx.school", ""), "not passed on"),
        ] {
            let why = registry(&delegations).expect_err(words);
            assert!(why.contains(words) && why.starts_with("line "), "{why}");
        }
        // One for several, and several for one, are no chain.
        let star = delegation("a", "xx.portal", "xx.school", "")
            + &delegation("b", "xx.portal", "xx.fund", "")
            + &delegation("c", "xx.closed", "xx.school", "");
        assert_eq!(registry(&star).expect("a registry").delegations().count(), 3);
    }

    /// Both names are in a leaf, beside the holder's.
    #[test]
    fn the_names_of_a_delegation_have_so_many_characters_and_no_more() {
        let name = |length: usize| format!("xx.{}.{}", "a".repeat(20), "b".repeat(length - 24));
        let with = |length: usize| {
            let (agent, principal) = (name(40), name(length - 40).replace("xx", "yy"));
            let agency = |id: &str| format!("[[agency]]\nid = \"{id}\"\nname = \"A\"\n");
            registry(&(agency(&agent) + &agency(&principal) + &delegation("d", &agent, &principal, ""))).is_ok()
        };
        let most = crate::base::limits::DELEGATION_BYTES_MAX;
        assert_eq!((with(most), with(most + 1)), (true, false));
    }
}
