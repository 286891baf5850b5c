//! Files as sources: read whole, indexed by their keys, and replaced whole.
//!
//! A file is put into its place by renaming, and what is asked meanwhile is answered from the one before. A bad file is refused as a
//! whole and names its line; the last good one stays. The text is kept as it is, once, with sixteen octets for each key of a row; cells
//! are taken apart when somebody asks for them.

use super::answer::{Gathering, now, rows_max, time, twice};
use super::csv::{Field, Form, Place, Reader};
use super::decode::{self, Wrong};
use super::{CsvConfig, Key, Refreshed, SourceError, unknown_column};
use crate::base::fault::Code;
use crate::base::ids::Identifier;
use crate::base::limits;
use crate::base::time::{DAY_MS, Day, UnixTime};
use crate::exchange::mapping::{Asked, Table, identifier};
use encoding_rs::Encoding;
use std::borrow::Cow;
use std::collections::hash_map::RandomState;
use std::fs::{File, Metadata};
use std::hash::BuildHasher;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

/// A file that is asked.
pub(super) struct FileSource(Arc<Inner>);

struct Inner {
    plan: Plan,
    max_age: Option<Duration>,
    rows_max: usize,
    loaded: RwLock<Arc<Loaded>>,
    /// Held by whoever looks at the file again, on a thread for such work: one at a time. The file that was last found bad, and why.
    bad: Mutex<Option<(Stamp, SourceError)>>,
}

/// How a file is read.
struct Plan {
    path: PathBuf,
    encoding: &'static Encoding,
    form: Form,
    keys: Vec<Key>,
    as_of_column: Option<String>,
}

/// A file that was read.
struct Loaded {
    text: Box<str>,
    columns: Arc<[Box<str>]>,
    indices: Vec<Index>,
    hashes: RandomState,
    as_of: UnixTime,
    stamp: Stamp,
    rows: usize,
    warnings: Vec<String>,
}

/// Where the rows of a person are, by one key.
struct Index {
    key: Key,
    column: usize,
    /// In the order of their hashes, those of one hash in the order of the file.
    entries: Vec<Entry>,
    unasked: Unasked,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    hash: u64,
    offset: u32,
    line: u32,
}

/// Rows that nobody can ask for, since their key is no identifier.
#[derive(Default)]
struct Unasked {
    count: u64,
    lines: Vec<u64>,
}

/// By what a file is known to be another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    seconds: i64,
    nanoseconds: i64,
    octets: u64,
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            seconds: metadata.mtime(),
            nanoseconds: metadata.mtime_nsec(),
            octets: metadata.len(),
        }
    }
}

impl FileSource {
    pub async fn open(config: &CsvConfig, folder: &Path, keys: &[Key]) -> Result<Self, SourceError> {
        let wrong = |what: String| SourceError::new(Code::AgtFile, what);
        let label = config.encoding.as_deref();
        let encoding = decode::encoding(label).ok_or_else(|| {
            wrong(format!("encoding {:?} is not known; utf-8 and windows-1251 are such labels", label.unwrap_or("")))
        })?;
        let form = Form::new(config.separator.as_deref(), config.quote).map_err(|what| wrong(what.to_owned()))?;
        if let Some(key) = keys.iter().find(|key| !Identifier::is_scheme(&key.scheme)) {
            return Err(wrong(format!("{:?} is no scheme of identifiers", key.scheme)));
        }
        let rows_max = rows_max(config.rows_max)?;
        let path = folder.join(&config.file);
        let plan = Plan { path, encoding, form, keys: keys.to_vec(), as_of_column: config.as_of_column.clone() };
        let max_age = config.max_age.map(super::Span::duration);
        let opening = on_a_thread(move || {
            let loaded = plan.load()?;
            let (loaded, bad) = (RwLock::new(Arc::new(loaded)), Mutex::new(None));
            Ok(Self(Arc::new(Inner { plan, max_age, rows_max, loaded, bad })))
        });
        opening.await
    }

    pub fn rows(&self, asked: &Asked, key: &Key) -> Result<Table, SourceError> {
        let loaded = self.0.loaded();
        self.0.check_age(loaded.as_of)?;
        loaded.find(asked, key, self.0.plan.form, self.0.rows_max)
    }

    pub fn columns(&self) -> Arc<[Box<str>]> {
        Arc::clone(&self.0.loaded().columns)
    }

    pub fn warnings(&self) -> Vec<String> {
        self.0.loaded().warnings.clone()
    }

    /// Shows all rows, one after the other, each with the line that it begins in.
    pub fn each(&self, see: &mut dyn FnMut(u64, &[Cow<'_, str>])) {
        let loaded = self.0.loaded();
        let mut reader = Reader::new(&loaded.text, self.0.plan.form);
        let mut fields = Vec::new();
        // The header was read before, and so was each row.
        let _ = reader.next(&mut fields);
        while let Ok(Some(place)) = reader.next(&mut fields) {
            let cells: Vec<Cow<'_, str>> = fields.iter().map(|field| field.text()).collect();
            see(place.line, &cells);
        }
    }

    /// As of when the data is.
    pub fn as_of(&self) -> UnixTime {
        self.0.loaded().as_of
    }

    pub fn rows_held(&self) -> usize {
        self.0.loaded().rows
    }

    pub async fn refresh(&self) -> Result<Refreshed, SourceError> {
        let inner = Arc::clone(&self.0);
        on_a_thread(move || inner.refresh()).await
    }
}

impl Inner {
    fn loaded(&self) -> Arc<Loaded> {
        Arc::clone(&self.loaded.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn check_age(&self, as_of: UnixTime) -> Result<(), SourceError> {
        let Some(max_age) = self.max_age else { return Ok(()) };
        let age = now().as_ms().saturating_sub(as_of.as_ms());
        if u128::from(age) <= max_age.as_millis() {
            return Ok(());
        }
        let hours = |ms: u128| ms / 3_600_000;
        let what = format!(
            "its data is as of {as_of}, {} hours ago; max_age is {} hours",
            hours(age.into()),
            hours(max_age.as_millis())
        );
        Err(SourceError::new(Code::SrcTooOld, what))
    }

    fn refresh(&self) -> Result<Refreshed, SourceError> {
        let mut bad = self.bad.lock().unwrap_or_else(PoisonError::into_inner);
        let metadata = std::fs::metadata(&self.plan.path).map_err(|cause| self.plan.unreadable(&cause))?;
        let stamp = Stamp::of(&metadata);
        if self.loaded().stamp == stamp {
            *bad = None;
            return Ok(Refreshed::Same);
        }
        if let Some((_, error)) = bad.as_ref().filter(|(known, _)| *known == stamp) {
            return Err(error.clone());
        }
        match self.plan.load() {
            Ok(loaded) => {
                let rows = loaded.rows;
                *self.loaded.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(loaded);
                *bad = None;
                Ok(Refreshed::Loaded { rows })
            }
            Err(error) => {
                *bad = Some((stamp, error.clone()));
                Err(error)
            }
        }
    }
}

impl Plan {
    fn load(&self) -> Result<Loaded, SourceError> {
        let (octets, metadata) = self.read()?;
        let text = decode::decode(octets, self.encoding).map_err(|wrong| self.bad(wrong))?;
        if u32::try_from(text.len()).is_err() {
            return Err(self.unfit("as UTF-8 it has more octets than can be counted here"));
        }
        let mut reader = Reader::new(&text, self.form);
        let mut fields = Vec::new();
        let columns = header(&mut reader, &mut fields).map_err(|wrong| self.bad(wrong))?;
        let mut indices = self.keys.iter().map(|key| Index::new(key, &columns)).collect::<Result<Vec<_>, _>>()?;
        let hashes = RandomState::new();
        let mut newest = self.as_of_column.as_deref().map(|name| Newest::new(name, &columns)).transpose()?;
        let mut rows = 0;
        while let Some(place) = reader.next(&mut fields).map_err(|wrong| self.bad(wrong))? {
            check_row(&fields, columns.len(), rows, place).map_err(|wrong| self.bad(wrong))?;
            indices.iter_mut().for_each(|index| index.add(&fields, place, &hashes));
            if let Some(newest) = &mut newest {
                newest.look(&fields, place).map_err(|wrong| self.bad(wrong))?;
            }
            rows += 1;
        }
        let of_file = metadata.modified().map(time).map_err(|cause| self.unreadable(&cause))?;
        let as_of = newest.map_or(Ok(of_file), |newest| newest.finish(rows, of_file)).map_err(|what| self.unfit(&what))?;
        indices.iter_mut().for_each(Index::finish);
        let warnings = indices.iter().filter_map(Index::warning).collect();
        let text = text.into_boxed_str();
        Ok(Loaded { text, columns, indices, hashes, as_of, stamp: Stamp::of(&metadata), rows, warnings })
    }

    /// Reads the file whole. One that changes meanwhile was not renamed into place, and is read again.
    fn read(&self) -> Result<(Vec<u8>, Metadata), SourceError> {
        for _ in 0..limits::SOURCE_FILE_READS {
            // Opening a pipe would wait for whoever writes into it.
            if !std::fs::metadata(&self.path).map_err(|cause| self.unreadable(&cause))?.is_file() {
                return Err(self.unfit("it is no file"));
            }
            let mut file = File::open(&self.path).map_err(|cause| self.unreadable(&cause))?;
            let before = file.metadata().map_err(|cause| self.unreadable(&cause))?;
            let most = limits::SOURCE_FILE_BYTES_MAX;
            if before.len() > most {
                return Err(self.unfit(&format!("it has more than {most} octets")));
            }
            let mut octets = Vec::with_capacity(usize::try_from(before.len()).unwrap_or_default());
            file.by_ref().take(most).read_to_end(&mut octets).map_err(|cause| self.unreadable(&cause))?;
            let after = file.metadata().map_err(|cause| self.unreadable(&cause))?;
            if Stamp::of(&before) == Stamp::of(&after) && octets.len() as u64 == after.len() {
                return Ok((octets, after));
            }
        }
        Err(self.unfit("it changes while it is read; write it under another name and rename it into its place"))
    }

    fn bad(&self, wrong: Wrong) -> SourceError {
        SourceError::new(Code::AgtTable, format!("{}:{}: {}", self.path.display(), wrong.line, wrong.what))
    }

    fn unfit(&self, what: &str) -> SourceError {
        SourceError::new(Code::AgtTable, format!("{}: {what}", self.path.display()))
    }

    fn unreadable(&self, cause: &std::io::Error) -> SourceError {
        self.unfit(&cause.kind().to_string())
    }
}

/// The first row: the names of the columns.
fn header<'t>(reader: &mut Reader<'t>, fields: &mut Vec<Field<'t>>) -> Result<Arc<[Box<str>]>, Wrong> {
    let Some(place) = reader.next(fields)? else {
        return Err(Wrong::new(1, "the file is empty; its first row names the columns"));
    };
    let columns: Arc<[Box<str>]> = fields.iter().map(|field| Box::from(field.text().trim())).collect();
    // In a file without such a row these would be cells of somebody, so they are numbered and not named.
    let wrong = |what: String| Err(Wrong::new(place.line, what));
    if let Some(at) = columns.iter().position(|name| name.is_empty()) {
        return wrong(format!("column {} has no name", at + 1));
    }
    if let Some(at) = columns.iter().position(|name| name.len() > limits::NAME_BYTES_MAX) {
        return wrong(format!("the name of column {} has more than {} octets", at + 1, limits::NAME_BYTES_MAX));
    }
    let Some(name) = twice(&columns) else { return Ok(columns) };
    let places = columns.iter().zip(1..).filter(|(column, _)| ***column == *name);
    let places: Vec<String> = places.map(|(_, place): (_, usize)| place.to_string()).collect();
    wrong(format!("columns {} have one name", places.join(" and ")))
}

fn check_row(fields: &[Field], columns: usize, rows: usize, place: Place) -> Result<(), Wrong> {
    if rows >= limits::SOURCE_FILE_ROWS_MAX {
        return Err(Wrong::new(place.line, format!("more than {} rows", limits::SOURCE_FILE_ROWS_MAX)));
    }
    if fields.len() != columns {
        return Err(Wrong::new(place.line, format!("the row has {} cells, and the first row has {columns}", fields.len())));
    }
    Ok(())
}

impl Index {
    fn new(key: &Key, columns: &[Box<str>]) -> Result<Self, SourceError> {
        let column = columns.iter().position(|name| *name == key.column);
        let column = column.ok_or_else(|| unknown_column("person", &key.column, columns))?;
        Ok(Self { key: key.clone(), column, entries: Vec::new(), unasked: Unasked::default() })
    }

    fn add(&mut self, fields: &[Field], place: Place, hashes: &RandomState) {
        let Some(person) = self.person(fields) else {
            self.unasked.count += 1;
            if self.unasked.lines.len() < limits::SOURCE_TOLD_MAX {
                self.unasked.lines.push(place.line);
            }
            return;
        };
        // A file has fewer octets, and so fewer lines, than fit.
        let fits = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        let hash = hashes.hash_one(person.value());
        self.entries.push(Entry { hash, offset: fits(place.offset as u64), line: fits(place.line) });
    }

    fn finish(&mut self) {
        self.entries.shrink_to_fit();
        self.entries.sort_unstable();
    }

    /// The person of a row, if its key is an identifier.
    fn person(&self, fields: &[Field]) -> Option<Identifier> {
        identifier(&self.key.scheme, &fields.get(self.column)?.text())
    }

    fn warning(&self) -> Option<String> {
        let (count, lines) = (self.unasked.count, &self.unasked.lines);
        let lines: Vec<String> = lines.iter().map(u64::to_string).collect();
        let (column, scheme) = (&self.key.column, &self.key.scheme);
        let more = if count > lines.len() as u64 { " and more" } else { "" };
        (count > 0).then(|| {
            format!("{count} rows cannot be asked for, since {column:?} is no {scheme} there: lines {}{more}", lines.join(", "))
        })
    }
}

impl Loaded {
    fn find(&self, asked: &Asked, key: &Key, form: Form, rows_max: usize) -> Result<Table, SourceError> {
        let index = self.indices.iter().find(|index| index.key == *key);
        let index = index.ok_or_else(|| SourceError::new(Code::AgtUnknown, format!("there is no index of {:?}", key.column)))?;
        if asked.person.scheme() != &*key.scheme {
            let what = format!("people are found by {} in {:?}, and the question has another scheme", key.scheme, key.column);
            return Err(SourceError::new(Code::SrcSelector, what));
        }
        let hash = self.hashes.hash_one(asked.person.value());
        let from = index.entries.partition_point(|entry| entry.hash < hash);
        let (mut fields, mut gathering) = (Vec::new(), Gathering::new(&self.columns, rows_max));
        for entry in index.entries.iter().skip(from).take_while(|entry| entry.hash == hash) {
            let place = Place { offset: entry.offset as usize, line: entry.line.into() };
            let wrong = |_| SourceError::new(Code::SrcUnavailable, format!("line {} cannot be read any more", entry.line));
            Reader::from(&self.text, form, place).next(&mut fields).map_err(wrong)?;
            // Two people may share a hash.
            if index.person(&fields).is_none_or(|person| person != asked.person) {
                continue;
            }
            for field in &fields {
                gathering.cell(Some(&field.text()))?;
            }
            gathering.end_row(Some(place.line))?;
        }
        Ok(gathering.finish(self.as_of))
    }
}

/// The newest day or instant of a column.
struct Newest {
    name: String,
    column: usize,
    found: Option<UnixTime>,
    latest: UnixTime,
}

impl Newest {
    fn new(name: &str, columns: &[Box<str>]) -> Result<Self, SourceError> {
        let column = columns.iter().position(|column| **column == *name);
        let column = column.ok_or_else(|| unknown_column("as_of_column", name, columns))?;
        Ok(Self { name: name.to_owned(), column, found: None, latest: now().plus_ms(DAY_MS) })
    }

    fn look(&mut self, fields: &[Field], place: Place) -> Result<(), Wrong> {
        let text = fields.get(self.column).map(|field| field.text()).unwrap_or_default();
        let text = text.trim();
        if text.is_empty() {
            return Ok(());
        }
        let Some(at) = instant(text) else {
            return Err(Wrong::new(place.line, format!("{:?} is neither a day nor an instant of ISO 8601 there", self.name)));
        };
        // One row of a day that has not come would make all others new for ever.
        if at > self.latest {
            return Err(Wrong::new(place.line, format!("{:?} is in the future there", self.name)));
        }
        self.found = self.found.max(Some(at));
        Ok(())
    }

    /// A table without rows is as old as its file.
    fn finish(self, rows: usize, of_file: UnixTime) -> Result<UnixTime, String> {
        match self.found {
            Some(found) => Ok(found),
            None if rows == 0 => Ok(of_file),
            None => Err(format!("no row says in {:?} as of when it is", self.name)),
        }
    }
}

/// A day counts from its beginning, so that nothing is taken for newer than it may be.
fn instant(text: &str) -> Option<UnixTime> {
    if let Some(day) = Day::parse(text) {
        return u64::try_from(day.days_since_epoch()).ok()?.checked_mul(DAY_MS).map(UnixTime::from_ms);
    }
    let text = text.replacen(' ', "T", 1);
    UnixTime::parse(&text).or_else(|| UnixTime::parse(&format!("{text}Z")))
}

/// Reading a large file takes seconds, which the threads that answer do not have.
async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SourceError> + Send + 'static,
) -> Result<T, SourceError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(SourceError::new(Code::AgtTable, "reading the file was broken off")))
}
