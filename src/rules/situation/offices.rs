//! Which agencies the kinds of agencies are, and whether the registry lets them have what their steps need.

use super::diagnostic::File;
use super::file::{Read, Reading};
use super::{Catalogue, Keeper, Need, Situation, Step};
use crate::base::fault::Code as Fault;
use crate::base::ids::{AgencyId, Code, Region};
use crate::base::time::Day;
use crate::message::envelope::World;
use crate::rules::registry::{Action, AgencyIndex, Grant, Registry};
use serde::Deserialize;
use std::fmt;
use toml::Spanned;

/// An agency of a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Post {
    /// The agency.
    pub agency: AgencyId,
    /// The regions that it is for; for all others if it names none.
    pub regions: Vec<Region>,
    /// What it is called in documents, where they say which agency does a step: its identifiers.
    pub called: Vec<Box<str>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOffices {
    format: Spanned<u32>,
    #[serde(default)]
    office: Vec<RawPost>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPost {
    kind: Spanned<String>,
    agency: Spanned<String>,
    #[serde(default)]
    regions: Vec<Spanned<String>>,
    #[serde(default)]
    called: Vec<String>,
}

pub(super) fn offices(reading: &mut Reading<'_>, file: &File) -> Read<()> {
    let raw: RawOffices = reading.toml(file)?;
    reading.format(file, &raw.format)?;
    for post in raw.office {
        let regions = reading.each(post.regions, |reading, text| {
            let what = || format!("\"{}\" is not a region of ISO 3166-2, as in RU-YAR", text.get_ref());
            Region::parse(text.get_ref()).map_or_else(|| reading.wrong(Fault::CatSyntax, file, &text.span(), what()), Ok)
        });
        let agency = AgencyId::parse(post.agency.get_ref());
        if agency.is_none() {
            let what = format!("\"{}\" is not the name of an agency, as in ru.yar.school-17", post.agency.get_ref());
            reading.note(Fault::CatSyntax, file, &post.agency.span(), what);
        }
        let called = post.called.into_iter().map(String::into_boxed_str).collect();
        if let (Ok(kind), Some(agency)) = (reading.office(file, &post.kind), agency) {
            reading.catalogue.posts.entry(kind).or_default().push(Post { agency, regions, called });
        }
    }
    Ok(())
}

/// What stands between a situation and a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// No agency is named for a kind of agency.
    NoAgency(Code),
    /// An agency that is named is not in the registry.
    NotRegistered(AgencyId),
    /// Nobody in the registry holds a document.
    NoHolder(Code),
    /// An agency has no grant for a document that a step of it needs.
    NoGrant {
        /// The agency.
        agency: AgencyId,
        /// The document.
        document: Code,
        /// The step.
        step: Code,
        /// The purpose, if the step names one.
        purpose: Option<Code>,
    },
}

impl Obstacle {
    /// The code of the rule.
    pub const fn code(&self) -> Fault {
        match self {
            Self::NoAgency(_) | Self::NotRegistered(_) => Fault::CatUnknown,
            Self::NoHolder(_) => Fault::CatHolder,
            Self::NoGrant { .. } => Fault::CatGrant,
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.code();
        match self {
            Self::NoAgency(kind) => write!(f, "{code} offices.toml names no agency for {kind}"),
            Self::NotRegistered(agency) => write!(f, "{code} {agency} is not in the registry"),
            Self::NoHolder(document) => write!(f, "{code} nobody in the registry holds {document}"),
            Self::NoGrant { agency, document, step, purpose } => {
                let purpose = purpose.as_ref().map_or(String::new(), |purpose| format!(" for {purpose}"));
                write!(f, "{code} {agency} has no grant for {document}{purpose}, which its step {step} needs")
            }
        }
    }
}

impl Catalogue {
    /// The agencies of a kind for a region: those that are for it, else those for all.
    pub fn agencies_of(&self, kind: &Code, region: Option<&Region>) -> Vec<&AgencyId> {
        let posts = self.posts.get(kind).map_or(&[][..], Vec::as_slice);
        let of_region = |post: &&Post| region.is_some_and(|region| post.regions.contains(region));
        let own: Vec<&AgencyId> = posts.iter().filter(of_region).map(|post| &post.agency).collect();
        let for_all = || posts.iter().filter(|post| post.regions.is_empty()).map(|post| &post.agency).collect();
        if own.is_empty() { for_all() } else { own }
    }

    /// The agency of a kind that is called so in documents.
    pub fn agency_called(&self, kind: &Code, name: &str) -> Option<&AgencyId> {
        let posts = self.posts.get(kind).map_or(&[][..], Vec::as_slice);
        posts.iter().find(|post| post.called.iter().any(|called| **called == *name)).map(|post| &post.agency)
    }

    /// What stands between a situation and a registry on a day, each once.
    pub fn obstacles(&self, situation: &Situation, registry: &Registry, today: Day) -> Vec<Obstacle> {
        let mut found = Vec::new();
        let mut note = |obstacle: Obstacle| {
            if !found.contains(&obstacle) {
                found.push(obstacle);
            }
        };
        for step in &situation.steps {
            let agencies = self.agencies_of(&step.office, situation.region.as_ref());
            if agencies.is_empty() {
                note(Obstacle::NoAgency(step.office.clone()));
            }
            for agency in agencies {
                match registry.find(agency) {
                    None => note(Obstacle::NotRegistered(agency.clone())),
                    Some(index) => step
                        .needs
                        .iter()
                        .filter_map(|need| self.refused(registry, (agency, index), step, need, today))
                        .for_each(&mut note),
                }
            }
            for need in step.needs.iter().filter(|need| self.is_fetched(need)) {
                let document = &need.document.document;
                if registry.holders(document, World::Live).next().is_none() {
                    note(Obstacle::NoHolder(document.clone()));
                }
            }
        }
        found
    }

    fn is_fetched(&self, need: &Need) -> bool {
        self.documents.get(&need.document.document).is_some_and(|known| known.holder != Keeper::Applicant)
    }

    fn refused(
        &self,
        registry: &Registry,
        (agency, index): (&AgencyId, AgencyIndex),
        step: &Step,
        need: &Need,
        today: Day,
    ) -> Option<Obstacle> {
        let document = &need.document.document;
        let fits = |grant: &Grant| {
            grant.action == Action::Read
                && grant.until >= today
                && step.purpose.as_ref().is_none_or(|purpose| *purpose == grant.purpose)
        };
        let may = registry.is_holder(index, document) || registry.grants_of(index, document).any(|(_, grant)| fits(grant));
        (self.is_fetched(need) && !may).then(|| Obstacle::NoGrant {
            agency: agency.clone(),
            document: document.clone(),
            step: step.id.clone(),
            purpose: step.purpose.clone(),
        })
    }
}
