//! Names in rows are numbers, given in the order in which names first appear in the log: whoever reads the log anew gives
//! the same. The file is a line of JSON for each.

use crate::host::store::StoreError;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) struct Names {
    path: PathBuf,
    file: Option<File>,
    texts: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, u64>,
    unwritten: String,
    sum: crc32fast::Hasher,
}

/// How many names there are, and their checksum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Known {
    pub count: u64,
    pub sum: u32,
}

/// Whether a file of names ends before so many are there.
pub(crate) fn is_short(path: &Path, known: Known) -> bool {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let (whole, rest) = text.rsplit_once('\n').unwrap_or(("", &text));
    let is_name = |line: &str| serde_json::from_str::<String>(line).is_ok();
    let is_cut = |rest: &str| serde_json::from_str::<String>(rest).map_or_else(|cause| cause.is_eof(), |_| true);
    (whole.lines().count() as u64) < known.count && whole.lines().all(is_name) && is_cut(rest)
}

impl Names {
    /// Reads the first names, those that sealed volumes speak of; none if they are not as they were.
    pub(crate) fn open(path: &Path, known: Known) -> Option<Self> {
        let count = known.count;
        let text = if count == 0 { String::new() } else { std::fs::read_to_string(path).ok()? };
        let mut names = Self::new(path);
        for line in text.split_inclusive('\n').take(count as usize) {
            let name: String = serde_json::from_str(line.strip_suffix('\n')?).ok()?;
            names.number_or_new(&name);
        }
        // What came later is given its number again by the records of the live volume; all is written anew.
        (names.known() == known).then_some(names)
    }

    pub(crate) fn new(path: &Path) -> Self {
        let (texts, numbers, unwritten, sum) = (Vec::new(), HashMap::new(), String::new(), crc32fast::Hasher::new());
        Self { path: path.to_owned(), file: None, texts, numbers, unwritten, sum }
    }

    pub(crate) fn known(&self) -> Known {
        Known { count: self.count(), sum: self.sum.clone().finalize() }
    }

    fn count(&self) -> u64 {
        self.texts.len() as u64
    }

    pub(crate) fn number(&self, text: &str) -> Option<u64> {
        self.numbers.get(text).copied()
    }

    pub(crate) fn text(&self, number: u64) -> Option<&Arc<str>> {
        self.texts.get(usize::try_from(number.checked_sub(1)?).ok()?)
    }

    pub(crate) fn number_or_new(&mut self, text: &str) -> u64 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let name: Arc<str> = text.into();
        self.texts.push(Arc::clone(&name));
        let number = self.count();
        self.numbers.insert(name, number);
        // A string is always written as JSON.
        let line = serde_json::to_string(text).unwrap_or_default() + "\n";
        self.sum.update(line.as_bytes());
        self.unwritten.push_str(&line);
        number
    }

    /// Makes all names durable.
    pub(crate) fn sync(&mut self) -> Result<(), StoreError> {
        let (path, unwritten) = (self.path.clone(), std::mem::take(&mut self.unwritten));
        let mut write = || {
            if let Some(file) = &mut self.file {
                return file.write_all(unwritten.as_bytes()).and_then(|()| file.sync_data());
            }
            // The first time all of them are written, beside those of the last start, and take their place.
            let new = path.with_extension("new");
            let mut file = File::create(&new)?;
            file.write_all(unwritten.as_bytes()).and_then(|()| file.sync_data())?;
            std::fs::rename(&new, &path)?;
            self.file = Some(file);
            Ok(())
        };
        let written = write();
        if written.is_err() {
            // It is unknown how much of it is there: all of them are written again.
            self.file = None;
            let line = |text: &Arc<str>| serde_json::to_string(&**text).unwrap_or_default() + "\n";
            self.unwritten = self.texts.iter().map(line).collect();
        }
        written.map_err(|cause| StoreError::io(&self.path, cause))
    }
}
