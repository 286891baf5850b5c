//! The files of a folder about quality, as they stand there.
//!
//! Reads `*.toml` and `*.jsonl`, also in `questionnaires`, and passes over what begins with a dot; what they may be called is decided where
//! they are read. Refuses a file that is too large before it takes memory.

use super::config::{ConfigError, read_bounded};
use crate::base::limits;
use crate::rules::quality::Found;
use crate::rules::situation::File;
use std::path::Path;

/// The files of a folder, in the order of their names; none if it is not there.
pub fn files(folder: Option<&Path>) -> Result<Vec<Found>, ConfigError> {
    let mut found = Vec::new();
    if let Some(folder) = folder.filter(|folder| folder.exists()) {
        read(folder, "", &mut found)?;
    }
    found.sort_by(|left, right| left.place.cmp(&right.place));
    Ok(found)
}

fn read(folder: &Path, within: &str, found: &mut Vec<Found>) -> Result<(), ConfigError> {
    let failed = |path: &Path, cause: std::io::Error| {
        let what = cause.to_string();
        ConfigError { file: path.to_owned(), line: 0, column: 0, what, suggestion: None }
    };
    for entry in std::fs::read_dir(folder).map_err(|cause| failed(folder, cause))? {
        let entry = entry.map_err(|cause| failed(folder, cause))?;
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        // Where a name leads counts, since files of configurations are often links.
        let is_folder = std::fs::metadata(&path).map_err(|cause| failed(&path, cause))?.is_dir();
        if name.starts_with('.') {
            continue;
        }
        // No deeper than questionnaires/x.toml.
        if is_folder && within.is_empty() {
            read(&path, &format!("{name}/"), found)?;
        } else if !is_folder && found.len() <= limits::QUALITY_FILES_MAX && (name.ends_with(".toml") || name.ends_with(".jsonl"))
        {
            let file = File::new(path.display().to_string(), read_bounded(&path)?);
            found.push(Found { place: format!("{within}{name}"), file });
        }
    }
    Ok(())
}
