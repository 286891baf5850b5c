//! A case as its view tells it, read again; and what people write about it.

use crate::base::fault::{Code, Fault};
use crate::base::time::UnixTime;
use crate::gateway::driver::{CaseError, log_unreadable};
use serde_json::Value;

/// Why a case cannot be shown.
pub(super) fn fault_of(error: CaseError) -> Fault {
    match error {
        CaseError::Unknown => Fault::new(Code::CasUnknown),
        CaseError::None => Fault::new(Code::CasNone),
        CaseError::Unreadable(cause) => log_unreadable(&cause),
    }
}

/// A text of a view.
pub(super) fn word_of(view: &Value, key: &str) -> String {
    view[key].as_str().unwrap_or_default().to_owned()
}

/// A moment of a view.
pub(super) fn time_of(view: &Value, key: &str) -> Option<UnixTime> {
    view[key].as_str().and_then(UnixTime::parse)
}

/// The steps of a view.
pub(super) fn steps_of(view: &Value) -> &[Value] {
    view["steps"].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// What somebody has written into a field: in one line, not empty, and so long at most.
pub(super) fn said_in(text: &str, field: &str, characters_max: usize) -> Result<String, Fault> {
    let said: String = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if (1..=characters_max).contains(&said.chars().count()) {
        Ok(said)
    } else {
        Err(Fault::at(Code::AudQuery, format!("{field}: expected 1 to {characters_max} characters")))
    }
}
