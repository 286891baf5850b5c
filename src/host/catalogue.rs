//! A catalogue of life situations as files: those that come with the program, with those of an operator's folder beside them.
//!
//! A folder that has a `catalogue.toml` is a catalogue of its own. The files of any other folder come beside those of the program, and
//! replace those of the same name. Names that begin with a dot are passed over, and so is what is neither a folder nor `*.toml`,
//! nor `*.txt` in `texts`.

use crate::base::limits;
use crate::rules::situation::{Catalogue, File};
use std::fmt::Display;
use std::path::Path;

/// Why a folder cannot be read.
#[derive(Debug)]
pub struct Unreadable(String);

impl Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unreadable {}

/// The files of a catalogue: those of the program, with those of a folder.
pub fn files(folder: Option<&Path>) -> Result<Vec<File>, Unreadable> {
    let Some(folder) = folder else { return Ok(Catalogue::built_in_files()) };
    let mut own = Vec::new();
    read(folder, "", &mut own)?;
    Ok(beside(own))
}

/// Those of the program, with others that replace those of the same name; or the others alone, if they are a catalogue of their own.
pub fn beside(own: Vec<File>) -> Vec<File> {
    if own.iter().any(|file| file.name == "catalogue.toml") {
        return own;
    }
    let is_replaced = |file: &File| own.iter().any(|other| other.name == file.name);
    let mut files: Vec<File> = Catalogue::built_in_files().into_iter().filter(|file| !is_replaced(file)).collect();
    files.extend(own);
    files
}

fn read(folder: &Path, within: &str, files: &mut Vec<File>) -> Result<(), Unreadable> {
    let told = |path: &Path, cause: &dyn Display| Unreadable(format!("{}: {cause}", path.display()));
    let entries = std::fs::read_dir(folder).map_err(|cause| told(folder, &cause))?;
    for entry in entries {
        let entry = entry.map_err(|cause| told(folder, &cause))?;
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        let kind = entry.file_type().map_err(|cause| told(&path, &cause))?;
        if name.starts_with('.') {
            continue;
        }
        // federal/x.toml, region/RU-YAR/x.toml: no deeper.
        if kind.is_dir() && within.matches('/').count() < 2 {
            read(&path, &format!("{within}{name}/"), files)?;
        } else if kind.is_file() && (name.ends_with(".toml") || within.starts_with("texts/") && name.ends_with(".txt")) {
            if files.len() >= limits::CATALOGUE_FILES_MAX {
                return Err(told(folder, &format_args!("a catalogue has at most {} files", limits::CATALOGUE_FILES_MAX)));
            }
            let length = entry.metadata().map_err(|cause| told(&path, &cause))?.len();
            if length > limits::CATALOGUE_BYTES_MAX as u64 {
                return Err(told(&path, &format_args!("a catalogue has at most {} octets", limits::CATALOGUE_BYTES_MAX)));
            }
            let text = std::fs::read_to_string(&path).map_err(|cause| told(&path, &cause))?;
            files.push(File::new(format!("{within}{name}"), text));
        }
    }
    Ok(())
}
