//! What a one-stop shop's desk does for somebody who is present: it applies, answers and asks in the name of its agency. The gateway signs for
//! it with the agency's key, if it has that, and the message goes the way of every other.

use super::super::{Gateway, Reply, Wait, now};
use super::{CaseError, new_id};
use crate::base::fault::{Code, Fault};
use crate::base::ids::{AgencyId, Code as Word, Region, Uuid};
use crate::base::limits;
use crate::message::envelope::{Body, Context, Header, Kind, Message, Subject};
use crate::rules::registry::Action;
use std::sync::Arc;
use std::time::Duration;

impl Gateway {
    /// Whether the gateway can sign for an agency.
    pub fn signs_for(&self, agency: &AgencyId) -> bool {
        self.seal.has(agency)
    }

    /// Sends an application or an order to the coordinator of the agency's world, and waits for its answer.
    pub async fn ask_at_desk(
        self: &Arc<Self>,
        agency: &AgencyId,
        about: &Subject,
        region: Option<&Region>,
        (document, markup): (&str, &str),
    ) -> Result<(), Fault> {
        let world = self.world();
        let index = world.registry.find(agency).ok_or_else(|| Fault::new(Code::TlsUnknownCertificate))?;
        let of = world.registry.agency(index).map(|agency| agency.world).unwrap_or(crate::message::envelope::World::Live);
        let in_world = |id: &&AgencyId| {
            world.registry.find(id).and_then(|index| world.registry.agency(index)).is_some_and(|known| known.world == of)
        };
        let coordinator = self.cases.coordination.coordinators.iter().find(in_world).ok_or_else(|| Fault::new(Code::CasNone))?;
        let what = Word::parse(document).ok_or_else(|| Fault::new(Code::MsgValue))?;
        let mut grants = world.registry.grants_of(index, &what).map(|(_, grant)| grant);
        let grant = grants.find(|grant| grant.action == Action::Apply).ok_or_else(|| Fault::new(Code::PolNoGrant))?;
        let context = Context { region: region.cloned(), ..Context::new(grant.purpose.clone(), &*grant.basis, about.clone()) };
        let header = Header {
            id: new_id(),
            in_reply_to: None,
            kind: Kind::Application,
            from: agency.clone(),
            to: Some(coordinator.clone()),
            created_at: now(),
            expires_at: now().plus_ms(limits::REQUEST_LIFE_MS - limits::CLOCK_SKEW_MS),
            world: of,
            signer_certificate: None,
        };
        let message = Message { header, context: Some(context), body: Body::Documents(Vec::new()), attachments: Vec::new() };
        let octets = self.sign_own(agency, &message, markup)?;
        let visit = self.enter_own(agency, octets.len())?;
        match self.submit(visit, octets, Wait::UpTo(PATIENCE)).await {
            Ok(Reply::Answered { .. } | Reply::Cancelled { .. }) => Ok(()),
            Ok(Reply::Accepted { .. }) => Err(Fault::new(Code::HttpBusy).with_retry_after(5)),
            Err(refused) => Err(refused.fault),
        }
    }

    /// The newest open case about somebody in which an agency has a part.
    pub async fn newest_case_of(&self, agency: &AgencyId, about: &Subject, situation: &Word) -> Result<Option<Uuid>, CaseError> {
        let world = self.world();
        let of = world.registry.find(agency).and_then(|index| world.registry.agency(index)).map(|agency| agency.world);
        let Some(of) = of else { return Ok(None) };
        let look = |case: &crate::exchange::cases::Case, _: crate::exchange::cases::Around<'_>| {
            (case.opening.situation.0 == *situation && !case.is_over() && case.has_part(agency)).then_some(case.id)
        };
        Ok(self.cases_about(about, of, look).await?.into_iter().flatten().next())
    }

    /// The personal link of a case that is in force, for an agency that sees all of it.
    pub async fn link_for(&self, id: Uuid, agency: &AgencyId) -> Result<Option<String>, CaseError> {
        let now = now();
        let found = self.case(id, agency, |case, _, part| {
            let is_whole = part == crate::exchange::cases::Part::Whole;
            is_whole.then(|| case.link_in_force(now).map(|_| self.link_of(case, case.links).ok())).flatten().flatten()
        });
        found.await
    }
}

/// How long a desk waits for the coordinator, who is this gateway.
const PATIENCE: Duration = Duration::from_secs(10);
