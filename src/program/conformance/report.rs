//! The report of a run: what was asked, what came of each check, signed by the key that signs the registry.
//!
//! A report is a text: a first line that no registry can begin with, JSON, an empty line, and a signature in the form of a line of a C2SP
//! signed note; the key is that of the registry, so the line has no key hash of Ed25519. It holds nothing of a person.

use super::checks::CHECKS;
use crate::base::ids::AgencyId;
use crate::base::limits;
use crate::base::time::{DAY_MS, UnixTime};
use crate::message::crypto::PublicKey;
use crate::message::envelope::World;
use crate::rules::registry::Bundle;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// What to do where nobody answers: what the check is about has not been seen at all.
pub const AWAY: &str = "start the agency's system and see that it runs: it comes for its questions, or can be reached at its url, and answers in time";

const FIRST_LINE: &str = "oncegate-conformance-report/1";
const SIGNED_BY: &str = "\u{2014} registry ";

/// A report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Report {
    /// The form of the report: 1.
    pub format: u32,
    /// The agency.
    pub agency: String,
    /// `test` or `live`.
    pub world: String,
    /// Where the gateway's log is: its name.
    pub gateway: String,
    /// The thumbprint of the gateway's certificate.
    pub gateway_certificate: String,
    /// The agency that asked, made for this.
    pub asked_by: String,
    /// When the run ended.
    pub made_at: String,
    /// The version of the program.
    pub program: String,
    /// The thumbprints of the agency's signing certificates.
    pub keys: Vec<String>,
    /// What came of each document type.
    pub documents: Vec<Tested>,
}

/// What came of a document type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Tested {
    /// The type.
    pub document: String,
    /// The digest of its schema.
    pub schema: String,
    /// The checks, in the order of the table.
    pub checks: Vec<Line>,
}

/// What came of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Line {
    /// Its number, from 1.
    pub number: usize,
    /// Its name.
    pub name: String,
    /// Whether it is held.
    pub held: bool,
    /// What came, where that is worth a word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub what: Option<String>,
    /// The code of the rule that was broken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What to do by that code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The questions.
    pub messages: Vec<Asked>,
}

/// A question of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Asked {
    /// Its id.
    pub id: String,
    /// The index of its record in the log of the gateway; what went to the port of the agency has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<u64>,
}

/// Why a report is not to be believed, or says too little.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotGood {
    /// It is no report, or not whole.
    Form,
    /// The operator's registry key has not signed it.
    Signature,
    /// It is about another agency.
    Agency,
    /// It is of the live world.
    World,
    /// It is of other keys than the agency has.
    Keys,
    /// It is older than it may be.
    Old,
    /// It is of a time to come.
    Future,
}

impl std::fmt::Display for NotGood {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Form => f.write_str("it is no conformance report, or not whole"),
            Self::Signature => {
                f.write_str("it was not signed by the registry key of this installation, or was altered afterwards")
            }
            Self::Agency => f.write_str("it is about another agency"),
            Self::World => f.write_str("it is of the live world, and the switch is from the test world"),
            Self::Keys => f.write_str("it was made with other keys than the agency has now"),
            Self::Old => write!(f, "it is older than {} days", limits::CONFORMANCE_DAYS),
            Self::Future => f.write_str("it is of a time to come"),
        }
    }
}

/// What a report must fit to count for going live.
pub struct Present<'p> {
    /// The agency.
    pub agency: &'p AgencyId,
    /// The thumbprints of its keys.
    pub keys: &'p [String],
    /// The time.
    pub now: UnixTime,
}

impl Report {
    /// What is signed.
    pub fn text(&self) -> String {
        // Pretty JSON has no empty line, so that the end of the text is plain.
        format!("{FIRST_LINE}\n{}\n", serde_json::to_string_pretty(self).unwrap_or_default())
    }

    /// The text with its signature, in base64.
    pub fn signed(text: &str, signature: &str) -> String {
        format!("{text}\n{SIGNED_BY}{}\n", signature.trim())
    }

    /// Reads a report and checks its signature.
    pub fn verify(file: &str, authority: &PublicKey) -> Result<Self, NotGood> {
        let (text, rest) = file.split_once("\n\n").ok_or(NotGood::Form)?;
        let text = format!("{text}\n");
        let signature = rest.strip_prefix(SIGNED_BY).and_then(|line| line.strip_suffix('\n')).ok_or(NotGood::Form)?;
        if signature.contains('\n') {
            return Err(NotGood::Form);
        }
        Bundle::verify(&text, signature, authority).map_err(|crate::rules::registry::NotSigned| NotGood::Signature)?;
        let json = text.strip_prefix(FIRST_LINE).ok_or(NotGood::Form)?;
        let report: Self = serde_json::from_str(json).map_err(|_| NotGood::Form)?;
        if report.format == 1 { Ok(report) } else { Err(NotGood::Form) }
    }

    /// Whether it counts for an agency as it is now.
    pub fn counts_for(&self, present: &Present<'_>) -> Result<(), NotGood> {
        let made_at = UnixTime::parse(&self.made_at).ok_or(NotGood::Form)?;
        let (mut own, mut known) = (self.keys.clone(), present.keys.to_vec());
        own.sort_unstable();
        known.sort_unstable();
        if self.agency != present.agency.as_str() {
            Err(NotGood::Agency)
        } else if self.world != word(World::Test) {
            Err(NotGood::World)
        } else if own != known {
            Err(NotGood::Keys)
        } else if made_at > present.now.plus_ms(limits::CLOCK_SKEW_MS) {
            Err(NotGood::Future)
        } else if made_at.plus_ms(limits::CONFORMANCE_DAYS * DAY_MS) < present.now {
            Err(NotGood::Old)
        } else {
            Ok(())
        }
    }

    /// How many checks are held, of how many.
    pub fn score(&self) -> (usize, usize) {
        self.documents.iter().fold((0, 0), |(held, all), tested| (held + tested.held(), all + CHECKS.len()))
    }

    /// For people.
    pub fn to_people(&self) -> String {
        let Self { agency, world, gateway, made_at, documents, .. } = self;
        let mut out = format!("conformance of {agency} in the {world} world, {made_at}, by the gateway with the log {gateway}\n");
        for tested in documents {
            let _ = writeln!(out, "{}: {} of {}", tested.document, tested.held(), CHECKS.len());
            tested.checks.iter().for_each(|line| line.tell(&mut out));
        }
        out
    }
}

impl Tested {
    /// How many of its checks are held.
    pub fn held(&self) -> usize {
        self.checks.iter().filter(|line| line.held).count()
    }

    /// Whether each check of the table is there, in its place, and held.
    pub fn is_whole(&self) -> bool {
        let rows = CHECKS.iter().enumerate().zip(&self.checks);
        self.checks.len() == CHECKS.len()
            && rows.into_iter().all(|((at, check), line)| line.number == at + 1 && line.name == check.name && line.held)
    }
}

impl Line {
    fn tell(&self, out: &mut String) {
        let check = CHECKS.iter().find(|check| check.name == self.name);
        let (sent, what) = (check.map_or("", |check| check.sent), self.what.as_deref());
        if self.held {
            let note = what.map_or(String::new(), |what| format!(" ({what})"));
            let _ = writeln!(out, "  {:>2} held    {:<16} {sent}{note}", self.number, self.name);
            return;
        }
        let code = self.code.as_ref().map_or(String::new(), |code| format!("{code} "));
        let _ = writeln!(out, "  {:>2} BROKEN  {:<16} {sent}", self.number, self.name);
        let _ = writeln!(out, "       what came: {code}{}", what.unwrap_or("nothing"));
        let help = self.help.as_deref();
        if let Some(check) = check {
            let _ = writeln!(out, "       the rule:  {}", check.rule);
            let _ = writeln!(out, "       why:       or else {}", check.meaning);
            let _ = writeln!(out, "       next step: {}", help.filter(|help| *help == AWAY).unwrap_or(check.next));
        }
        if let Some(help) = help.filter(|help| *help != AWAY) {
            let _ = writeln!(out, "       {code}says: {help}");
        }
        let asked = |asked: &Asked| asked.record.map_or_else(|| asked.id.clone(), |at| format!("{} (record {at})", asked.id));
        let messages: Vec<String> = self.messages.iter().take(SHOWN).map(asked).collect();
        let more = self.messages.len().saturating_sub(SHOWN);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let _ = writeln!(out, "       questions: {}{more}", messages.join(", "));
    }
}

/// The word for a world.
pub fn word(world: World) -> &'static str {
    match world {
        World::Test => "test",
        World::Live => "live",
    }
}

/// How many questions of a check people are shown.
const SHOWN: usize = 4;
