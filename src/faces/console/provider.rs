//! Signing in at a provider of OpenID Connect (see `host::oidc`): the way there and the way back.
//!
//! The file of people counts more than what the provider says: whoever is in it has its name, agency and roles. Everybody else has the name
//! that the provider gives, and the roles that the configuration has for their groups; whoever has none gets in nowhere.

use super::request::{Answer, Asked, Reach};
use super::session::By;
use super::{Answered, Visit, sign};
use crate::base::fault::{Code, Fault};
use crate::host::config::{Duty, Official};
use crate::host::oidc::{OidcError, Provider, Return, SignedIn};
use crate::message::crypto::sha256;

fn provider(visit: &Visit) -> Result<&Provider, Fault> {
    visit.console.provider.as_ref().ok_or_else(|| Fault::new(Code::HttpNoSuchPath))
}

/// `GET /sign-in/provider`
pub(super) async fn begin(visit: Visit) -> Answered {
    let begun = provider(&visit)?.begin(visit.now).await;
    let (address, begin) = begun.map_err(|why| failed(&visit, &why))?;
    let cookie = begin.state().to_owned();
    visit.console.pending.keep(begin);
    Ok(Answer::leave(&address).with_cookie(Asked::state_cookie(visit.wire), &cookie, visit.wire, Reach::Minutes))
}

/// `GET /sign-in/callback`
pub(super) async fn come_back(visit: Visit) -> Answered {
    let signed_in = finished(&visit).await?.map_err(|why| failed(&visit, &why))?;
    let (official, by) = official(&visit, &signed_in)?;
    let answer = sign::let_in(&visit, official, by).await?;
    Ok(answer.with_cookie(Asked::state_cookie(visit.wire), "", visit.wire, Reach::Gone))
}

async fn finished(visit: &Visit) -> Result<Result<SignedIn, OidcError>, Fault> {
    let provider = provider(visit)?;
    let address = visit.address.to_string();
    let begun = Return::parse(address.split_once('?').map_or("", |(_, query)| query))
        .and_then(|came| visit.console.pending.take(&came, visit.begun.as_deref(), visit.now).map(|begin| (came, begin)));
    Ok(match begun {
        Ok((came, begin)) => provider.finish(&came, begin, visit.now).await,
        Err(why) => Err(why),
    })
}

/// Who it is here: by the file of people, or else by the groups.
fn official(visit: &Visit, signed_in: &SignedIn) -> Result<(Official, By), Fault> {
    let subject = signed_in.subject().to_owned();
    if let Some(official) = visit.console.people().by_subject(&subject) {
        return Ok((official.clone(), By::Entry(subject)));
    }
    let settings = provider(visit)?.settings();
    let agency = settings.agency.as_ref().filter(|agency| visit.console.knows(agency).is_some());
    // What somebody reads for an agency is on record under its name: without one there is no such role.
    let duties = signed_in.roles().iter().filter(|duty| agency.is_some() || !duty.needs_agency()).map(|duty| Duty::as_str(*duty));
    let name = name(signed_in.name(), &subject);
    let official = Official::new(&name, agency.map(|agency| agency.as_str()), duties);
    official.map(|official| (official, By::Groups(subject))).map_err(|_| Fault::new(Code::ConsoleNobody))
}

/// What records call somebody: the name may be anybody's and may change, so the subject stands behind it.
fn name(name: Option<&str>, subject: &str) -> String {
    let subject = match subject.len() {
        0..=NAME_BYTES_MAX => subject.to_owned(),
        // With what tells it from others that begin the same.
        _ => format!("{}…{}", up_to(subject, 40), up_to(&sha256(subject.as_bytes()).to_string(), 16)),
    };
    let room = NAME_BYTES_MAX.saturating_sub(subject.len() + " ()".len());
    let name: String = name.unwrap_or("").chars().filter(|c| !c.is_control() && !is_direction(*c)).collect();
    match up_to(name.trim(), room).trim() {
        "" => subject,
        name => format!("{name} ({subject})"),
    }
}

/// Whether a letter changes the direction of those after it: with it the subject could be made to look like another.
const fn is_direction(letter: char) -> bool {
    matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// As many whole letters as have room in so many octets.
fn up_to(text: &str, octets: usize) -> &str {
    let end = (0..=octets.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or(0)).unwrap_or("")
}

/// Octets of a name, as the file of people has them too.
const NAME_BYTES_MAX: usize = 64;

/// Tells the operator why, and the person what to do.
fn failed(visit: &Visit, why: &OidcError) -> Fault {
    visit.gateway().telemetry().say_sparingly(&format!("nobody was signed in at the provider: {}: {why}", why.word()));
    match why {
        OidcError::Query
        | OidcError::UnknownState
        | OidcError::Late
        | OidcError::OtherBrowser
        | OidcError::OtherSender
        | OidcError::Denied(_) => Fault::at(Code::ConsoleReturn, why.word()),
        _ => Fault::new(Code::ConsoleProvider),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_its_subject_behind_it_and_is_no_longer_than_names_are() {
        assert_eq!(name(Some("Мария Иванова"), "maria"), "Мария Иванова (maria)");
        assert_eq!(name(None, "maria"), "maria");
        assert_eq!(name(Some(" \u{202e}\n "), "maria"), "maria");
        assert_eq!(name(Some("M\u{202e}aria"), "m"), "Maria (m)");
        assert_eq!(name(Some("ж".repeat(99).as_str()), "m"), format!("{} (m)", "ж".repeat(30)));
        let (one, other) = (name(Some("x"), &format!("{}1", "s".repeat(254))), name(Some("x"), &format!("{}2", "s".repeat(254))));
        assert!(one != other && one.len() <= NAME_BYTES_MAX, "{one}");
        for length in 1..=255 {
            let name = name(Some("Мария Иванова"), &"s".repeat(length));
            assert!(Official::new(&name, None, ["operator"].into_iter()).is_ok(), "{length}: {name}");
        }
    }
}
