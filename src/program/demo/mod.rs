//! A throw-away world: an authority, a gateway, and agencies as separate HTTPS servers that answer from registers of their
//! own, about 1,000 people who do not exist. Identifiers are of the test scheme `XX-OGTEST`, so that nobody real is hit.
//!
//! Nothing here is a stand-in for the gateway: what runs is the gateway, over real connections.

mod births;
mod delivery;
mod documents;
mod evidence;
mod people;
mod postbox;
mod provider;
mod ratings;
mod refusals;
#[cfg(feature = "agent")]
mod tables;
mod town;
mod world;

pub use births::{Birth, Line, Note, WORKING_DAY_IN_A_SECOND, live_on, personal_link, tell_birth, tell_note};
pub use delivery::{Cast, Stage, Story, Told};
pub use evidence::{DemoWitness, change_record, copy, drop_record};
pub use people::{Person, Role, people};
pub use postbox::{Mail, Postbox};
pub use provider::{Behaviour, Observer, Provider, Register};
pub use ratings::made_up;
pub use refusals::{CASES, Case, Sent, Shape, Verdict};
#[cfg(feature = "agent")]
pub use tables::{keep_tables, notes_of_the_clinic};
pub use town::{Asked, COORDINATOR, Manners, PORTAL, QUALITY, Tasked, Town, TownPlan, of_kind, school_id};
pub use world::{Elsewhere, Plan, World, WorldError};
