//! The integration tests: one binary, since each further one costs a link of everything.
//!
//! Without the feature `server` it has those of the core alone, which is what mutation testing runs.

#[cfg(feature = "server")]
mod abuse;
mod admission;
#[cfg(feature = "agent")]
mod agents;
mod agreement;
#[cfg(feature = "server")]
mod api;
#[cfg(feature = "server")]
mod asked;
#[cfg(feature = "server")]
mod attached;
#[cfg(feature = "server")]
mod attack;
#[cfg(feature = "server")]
mod audit;
#[cfg(feature = "server")]
mod backup;
#[cfg(feature = "server")]
mod behalf;
#[cfg(feature = "server")]
mod births;
#[cfg(feature = "server")]
mod books;
#[cfg(feature = "server")]
mod bulkheads;
#[cfg(feature = "server")]
mod case_commands;
#[cfg(feature = "server")]
mod cases;
#[cfg(feature = "server")]
mod cases_killed;
#[cfg(feature = "server")]
mod cases_many;
#[cfg(feature = "server")]
mod cli;
#[cfg(feature = "server")]
mod conformance;
#[cfg(feature = "server")]
mod console;
#[cfg(feature = "server")]
mod console_abuse;
#[cfg(feature = "server")]
mod console_browser;
#[cfg(feature = "server")]
mod console_cases;
#[cfg(feature = "server")]
mod console_crowd;
#[cfg(feature = "server")]
mod console_decisions;
#[cfg(feature = "server")]
mod console_sign_in;
#[cfg(feature = "server")]
mod console_trials;
#[cfg(feature = "server")]
mod crash;
#[cfg(feature = "server")]
mod crowd;
#[cfg(feature = "server")]
mod damage;
#[cfg(feature = "server")]
mod delivery;
#[cfg(feature = "server")]
mod doctor;
#[cfg(feature = "server")]
mod durable;
#[cfg(feature = "server")]
mod entrance;
#[cfg(feature = "server")]
mod enumeration;
mod envelope;
#[cfg(feature = "server")]
mod events;
#[cfg(feature = "server")]
mod evidence;
#[cfg(feature = "server")]
mod fairness;
#[cfg(feature = "server")]
mod faults;
#[cfg(feature = "server")]
mod fields;
mod figures;
mod folder;
#[cfg(feature = "server")]
mod foreign;
#[cfg(feature = "server")]
mod framing;
mod generate;
#[cfg(feature = "server")]
mod hangup;
#[cfg(feature = "server")]
mod holders;
#[cfg(feature = "server")]
mod inbox;
#[cfg(feature = "server")]
mod installation;
#[cfg(feature = "server")]
mod joining;
mod journal;
#[cfg(feature = "server")]
mod letters;
mod limits;
#[cfg(feature = "server")]
mod log;
#[cfg(feature = "server")]
mod manipulation;
#[cfg(feature = "server")]
mod memory;
#[cfg(feature = "server")]
mod mock;
#[cfg(feature = "server")]
mod notices;
#[cfg(feature = "server")]
mod offline;
#[cfg(feature = "server")]
mod oidc;
#[cfg(feature = "server")]
mod operators;
#[cfg(feature = "server")]
mod organisations;
#[cfg(feature = "server")]
mod others;
#[cfg(feature = "server")]
mod pages;
#[cfg(feature = "server")]
mod papers;
#[cfg(feature = "server")]
mod past;
#[cfg(feature = "server")]
mod peers;
#[cfg(feature = "server")]
mod pki;
#[cfg(feature = "agent")]
mod postgres;
#[cfg(feature = "server")]
mod powercut;
#[cfg(feature = "server")]
mod process;
mod profile;
#[cfg(feature = "server")]
mod pushed;
#[cfg(feature = "server")]
mod quality;
#[cfg(feature = "server")]
mod refusals;
#[cfg(feature = "server")]
mod restart;
#[cfg(feature = "server")]
mod revocation;
#[cfg(feature = "server")]
mod rig;
#[cfg(feature = "server")]
mod rounds;
mod schema;
#[cfg(feature = "server")]
mod sets;
#[cfg(feature = "server")]
mod sim;
#[cfg(feature = "server")]
mod situations;
#[cfg(feature = "agent")]
mod sources;
#[cfg(feature = "server")]
mod spoilt;
#[cfg(feature = "server")]
mod surveys;
#[cfg(feature = "server")]
mod suspicions;
#[cfg(feature = "agent")]
mod tables;
mod tidy;
mod tool;
#[cfg(feature = "server")]
mod traffic;
mod vectors;
#[cfg(feature = "server")]
mod witness;
#[cfg(feature = "server")]
mod world;
mod xsd;
