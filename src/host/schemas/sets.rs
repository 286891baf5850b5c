//! The schemas of a gateway: those that it brings, and the sets of others in one folder, each with a symbol space of its own.
//!
//! Each set is read into memory, judged in a process of its own ([`Guard`]), and then compiled here by our own compiler, which is
//! bounded. A set is replaced whole or not at all: one that is refused keeps the state that was in force, and the others are
//! not held up by it. What is not in force at all is remembered by the names of its documents, so that requests for them are
//! told that the document exists and is out of order.

use super::guard::{Guard, Which, Wrong, content, guarded, on_a_large_stack};
use super::{DOCUMENTS, Files, Folder, SetError, example, rows};
use crate::base::fault::nearest;
use crate::base::ids::{Code, Digest};
use crate::base::limits;
use crate::message::crypto::sha256;
use crate::message::schema::{DocumentType, OwnSet, SchemaError, Schemas, Version};
use crate::message::xsd::example::Fullness;
use crate::message::xsd::read::Loaded;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Who judges sets before they are compiled.
#[derive(Clone, Debug)]
pub enum Judging {
    /// A process of this program.
    Guarded(Guard),
    /// Nobody: they are only compiled. For commands that put nothing in force, and for programs that cannot be started again.
    Compiled,
}

impl Judging {
    /// A process of this program, if it is one that can be started as such.
    pub fn of_this_program() -> Self {
        Guard::of_this_program().map_or(Self::Compiled, Self::Guarded)
    }
}

/// The schemas of a gateway.
#[derive(Debug)]
pub struct Sets {
    schemas: Schemas,
    held: Vec<Arc<Held>>,
    bad: Vec<Bad>,
    examples: Mutex<Examples>,
}

/// Examples that were made, and those that could not be.
type Examples = BTreeMap<(Code, Fullness), Option<Arc<str>>>;

/// A version of a document of a set, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The document's name.
    pub document: String,
    /// The version, where it has one.
    pub version: Option<String>,
    /// The root element.
    pub root: String,
    /// Its namespace; empty if it has none.
    pub namespace: String,
    /// The schema file that declares it.
    pub file: String,
    /// The last day on which it is taken, if it has one.
    pub until: Option<String>,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.document)?;
        self.version.iter().try_for_each(|version| write!(f, " {version}"))?;
        write!(f, ", root {} in {}", self.root, self.file)?;
        self.until.iter().try_for_each(|until| write!(f, ", until {until}"))
    }
}

/// A set that is in force.
#[derive(Debug)]
pub struct Held {
    /// Its name.
    pub name: String,
    /// What was taken leniently, and what is absent and was only to be imported.
    pub notes: Vec<String>,
    own: Arc<OwnSet>,
    /// The text of its `documents.toml`.
    documents: String,
    files: Arc<Files>,
    digest: Digest,
}

/// A set, as it lies in the folder, that is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bad {
    /// Its name.
    pub name: String,
    /// All that is wrong, each with a path from here.
    pub faults: Vec<Wrong>,
    /// What is in force of it.
    pub former: Former,
}

/// What is in force of a set that is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Former {
    /// Its state before.
    InForce,
    /// Nothing.
    None,
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.faults.len();
        let faults = if count == 1 { "1 fault".to_owned() } else { format!("{count} faults") };
        let (name, state) = (&self.name, self.former.as_str());
        write!(f, "the set {name} has {faults}; {state}")
    }
}

impl Former {
    /// In words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InForce => "its state before stays in force",
            Self::None => "none of its documents is in force",
        }
    }
}

impl Bad {
    /// What the command and the operator's lines say: one line for the set, and one for each fault.
    pub fn lines(&self) -> Vec<String> {
        let faults = self.faults.iter().map(ToString::to_string);
        std::iter::once(self.to_string()).chain(faults).collect()
    }
}

/// Why the folder of sets cannot be read at all.
#[derive(Debug)]
pub struct FolderError {
    folder: PathBuf,
    why: Why,
}

#[derive(Debug)]
enum Why {
    Unreadable(io::Error),
    TooMany,
    Together(Vec<SchemaError>),
}

impl fmt::Display for FolderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let folder = self.folder.display();
        match &self.why {
            Why::Unreadable(cause) => write!(f, "{folder}: {cause}; make the folder, or take schemas out of the configuration"),
            Why::TooMany => write!(f, "{folder}: more than {} sets; join some", limits::SCHEMA_SETS_MAX),
            Why::Together(errors) => {
                let told: Vec<String> = errors.iter().map(ToString::to_string).collect();
                write!(f, "{folder}: {}", told.join("; "))
            }
        }
    }
}

impl std::error::Error for FolderError {}

impl Sets {
    /// The schemas that come with the gateway, and no others.
    pub fn built_in() -> Self {
        Self::of(Schemas::built_in(), Vec::new(), Vec::new())
    }

    /// Reads the folder of sets that a configuration names, if it names one. A set that has not changed since before is not
    /// looked at again; of one that is refused, what was in force before stays.
    pub fn load(folder: Option<&Path>, judging: &Judging, before: Option<&Self>) -> Result<Self, FolderError> {
        let Some(folder) = folder else { return Ok(Self::built_in()) };
        let failed = |why| FolderError { folder: folder.to_owned(), why };
        let found = find(folder).map_err(|cause| failed(Why::Unreadable(cause)))?;
        if found.len() > limits::SCHEMA_SETS_MAX {
            return Err(failed(Why::TooMany));
        }
        let (mut read, mut octets) = (Reading::default(), 0_usize);
        for candidate in &found {
            let former = before.and_then(|before| before.held.iter().find(|held| held.name == candidate.name));
            let outcome = candidate.read(judging, former).and_then(|held| {
                octets = octets.saturating_add(held.files.values().map(Vec::len).sum());
                if octets > limits::SCHEMA_SETS_BYTES_MAX { Err(candidate.refused(&[all_too_large()])) } else { Ok(held) }
            });
            match outcome {
                Ok(held) => read.good.push(Good { candidate, held, former: former.cloned() }),
                Err(refused) => read.refuse(candidate, refused, former.cloned()),
            }
        }
        read.together().map_err(|errors| failed(Why::Together(errors)))
    }

    fn of(schemas: Schemas, held: Vec<Arc<Held>>, bad: Vec<Bad>) -> Self {
        Self { schemas, held, bad, examples: Mutex::default() }
    }

    /// All documents: what messages are held against.
    pub fn schemas(&self) -> &Schemas {
        &self.schemas
    }

    /// The sets that are in force.
    pub fn held(&self) -> impl Iterator<Item = &Held> {
        self.held.iter().map(|held| &**held)
    }

    /// What the set of this name has in force, by document and version.
    pub fn rows(&self, set: &str) -> Vec<Row> {
        let types = self.schemas.others().iter().filter(|own| own.name() == set).flat_map(|own| own.document_types());
        let row = |(document, version): (&DocumentType, &Version)| Row {
            document: document.name.to_string(),
            version: version.version.clone(),
            root: version.root.clone(),
            namespace: version.namespace.clone(),
            file: version.file.clone(),
            until: version.until.map(|until| until.to_string()),
        };
        types.flat_map(|document| document.versions().iter().map(move |version| row((document, version)))).collect()
    }

    /// The set that has a document; none for those that come with the gateway.
    pub fn owner(&self, name: &Code) -> Option<&OwnSet> {
        let has = |own: &&Arc<OwnSet>| own.document_types().iter().any(|document| document.name == *name);
        self.schemas.others().iter().find(has).map(|own| &**own)
    }

    /// A valid document of a type: for those that come with the gateway its full example, for others one that is made from the
    /// schema of the newest version, once.
    pub fn example(&self, name: &str, fullness: Fullness) -> Option<Arc<str>> {
        let code = Code::parse(name)?;
        let Some(own) = self.owner(&code) else { return Schemas::example(name).map(Into::into) };
        let (name, document) = (code.clone(), self.schemas.document_type(&code)?);
        let version = document.newest()?;
        let set = own.schema(version)?;
        let root = set.global_element(set.names().find(&version.namespace, &version.root)?)?;
        let mut made = self.examples.lock().unwrap_or_else(PoisonError::into_inner);
        let example = made.entry((name, fullness)).or_insert_with(|| {
            let example = example::valid(set, root, fullness).ok();
            example.filter(|text| text.len() <= limits::MESSAGE_BYTES_MAX).map(Arc::from)
        });
        example.clone()
    }

    /// The sets that were refused when the folder was read.
    pub fn bad(&self) -> &[Bad] {
        &self.bad
    }

    /// The octets of a schema file by `SET/path/in/set.xsd`, as they lie in the set.
    pub fn file(&self, path: &str) -> Option<&[u8]> {
        let (set, path) = path.split_once('/')?;
        let held = self.held.iter().find(|held| held.name == set)?;
        held.files.get(path).filter(|_| path != DOCUMENTS).map(Vec::as_slice)
    }
}

/// What was read of a folder so far.
#[derive(Default)]
struct Reading<'c> {
    good: Vec<Good<'c>>,
    bad: Vec<Bad>,
    absent: Vec<Code>,
}

/// A set that can be in force by itself, with what was in force of it before.
struct Good<'c> {
    candidate: &'c Candidate,
    held: Arc<Held>,
    former: Option<Arc<Held>>,
}

impl Good<'_> {
    fn was_in_force(&self) -> bool {
        self.former.as_ref().is_some_and(|former| Arc::ptr_eq(former, &self.held))
    }

    /// The documents that others have already, each at its place.
    fn contested(&self, others: &BTreeMap<Code, String>) -> Vec<SchemaError> {
        let documents = self.held.own.document_types().iter();
        let known = documents.filter_map(|document| Some((&document.name, others.get(&document.name)?)));
        let told = known.map(|(name, whose)| {
            let what = format!("the document {name}, which is one of {whose} already; give it another name");
            rows::at(&self.held.documents, "name", name.as_str(), &what)
        });
        told.collect()
    }
}

/// Why a set is refused, and which documents it was to have.
struct Refused {
    faults: Vec<Wrong>,
    documents: Vec<Code>,
}

impl<'c> Reading<'c> {
    /// What was in force of a refused set stays, and has its turn like a good one.
    fn refuse(&mut self, candidate: &'c Candidate, refused: Refused, former: Option<Arc<Held>>) {
        let state = if former.is_some() { Former::InForce } else { Former::None };
        match self.bad.iter_mut().find(|bad| bad.name == candidate.name) {
            // Its former state does not go with the others either.
            Some(bad) => {
                bad.faults.extend(refused.faults);
                bad.former = state;
            }
            None => self.bad.push(Bad { name: candidate.name.clone(), faults: refused.faults, former: state }),
        }
        match former {
            Some(held) => self.good.push(Good { candidate, former: Some(Arc::clone(&held)), held }),
            None => self.absent.extend(refused.documents),
        }
    }

    /// Puts all sets together. The name of a document is one set's: those that were in force come first, then the others by name,
    /// and a set that claims what another one has is refused.
    fn together(mut self) -> Result<Sets, Vec<SchemaError>> {
        let built_in = Schemas::built_in();
        let kept = built_in.document_types().filter(|document| !document.gives_way);
        let mut names: BTreeMap<Code, String> =
            kept.map(|document| (document.name.clone(), "Oncegate's own".to_owned())).collect();
        let mut waiting: VecDeque<Good<'c>> = std::mem::take(&mut self.good).into();
        waiting.make_contiguous().sort_by_key(|good| !good.was_in_force());
        let mut held = Vec::new();
        while let Some(good) = waiting.pop_front() {
            let contested = good.contested(&names);
            if contested.is_empty() {
                let documents = good.held.own.document_types().iter();
                names.extend(documents.map(|document| (document.name.clone(), format!("the set {}", good.held.name))));
                held.push(good.held);
                continue;
            }
            let documents = good.held.own.document_types().iter().map(|document| document.name.clone()).collect();
            let refused = Refused { documents, ..good.candidate.refused(&contested) };
            let former = if good.was_in_force() { None } else { good.former };
            self.refuse(good.candidate, refused, former);
            waiting.extend(self.good.pop());
        }
        self.absent.retain(|name| !names.contains_key(name));
        self.bad.sort_by(|one, other| one.name.cmp(&other.name));
        let schemas = Schemas::with(held.iter().map(|held| Arc::clone(&held.own)).collect(), self.absent)?;
        Ok(Sets::of(schemas, held, self.bad))
    }
}

/// What may be a set.
struct Candidate {
    name: String,
    /// A folder or an archive.
    path: PathBuf,
    /// The file beside an archive that is its `documents.toml`.
    beside: Option<String>,
    /// Why it is none.
    refused: Option<&'static str>,
}

/// Finds the sets of a folder, by name. A folder that has a `documents.toml` itself is one set.
fn find(folder: &Path) -> io::Result<Vec<Candidate>> {
    if folder.join(DOCUMENTS).is_file() {
        let name = folder.canonicalize()?.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = name.filter(|name| is_name(name)).unwrap_or_else(|| "schemas".to_owned());
        return Ok(vec![Candidate { name, path: folder.to_owned(), beside: None, refused: None }]);
    }
    let mut found: Vec<Candidate> = Vec::new();
    let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (path, kind) = (entry.path(), entry.file_type()?);
        let file = entry.file_name().to_string_lossy().into_owned();
        let is_archive = super::is_archive(&path);
        if file.starts_with('.') || !(kind.is_dir() || is_archive || kind.is_symlink() || super::is_schema(&file)) {
            continue;
        }
        let name = if is_archive { file.get(..file.len() - ".zip".len()).unwrap_or(&file).to_owned() } else { file };
        let refused = match () {
            () if kind.is_symlink() => Some("a symbolic link; put the set itself in its place"),
            () if !kind.is_dir() && !is_archive => Some("a schema beside the sets; put it into a folder of its own"),
            () if !is_name(&name) => {
                Some("not the name of a set: letters of ASCII, digits, '-', '_' and '.', at most 64; rename it")
            }
            () if found.iter().any(|known| known.name == name) => {
                Some("a folder and an archive of one name; take one of them away")
            }
            () => None,
        };
        let beside = Some(format!("{name}.toml")).filter(|beside| is_archive && folder.join(beside).is_file());
        found.push(Candidate { name, path, beside, refused });
    }
    Ok(found)
}

/// Whether a name can stand in a URL as it is.
pub fn is_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    name.starts_with(|first: char| first.is_ascii_alphanumeric()) && name.len() <= 64 && name.chars().all(is_plain)
}

fn all_too_large() -> SchemaError {
    let most = limits::SCHEMA_SETS_BYTES_MAX >> 20;
    let what = format!("all sets together are larger than {most} MiB; take out what no document needs");
    SchemaError { file: DOCUMENTS.to_owned(), line: 1, column: 1, what }
}

impl Candidate {
    fn read(&self, judging: &Judging, former: Option<&Arc<Held>>) -> Result<Arc<Held>, Refused> {
        if let Some(why) = self.refused {
            return Err(self.none(why.to_owned()));
        }
        let folder = Folder::snapshot(&self.path).map_err(|error| self.none(error.to_string()))?;
        let files = folder.octets().cloned().unwrap_or_default();
        let documents = self.documents(&files).map_err(|what| self.none(what))?;
        let digest = digest(&files, &documents);
        if let Some(former) = former.filter(|former| former.digest == digest) {
            return Ok(Arc::clone(former));
        }
        let refused = |faults: &[SchemaError]| Refused { documents: OwnSet::names(&documents), ..self.refused(faults) };
        let roots = OwnSet::roots(&documents).map_err(|error| refused(&[error]))?;
        let roots: Vec<String> = roots.into_iter().filter(|root| folder.has(root)).collect();
        let mut judged = self.judge(judging, &roots);
        judged.faults.extend(folder.faults().iter().cloned());
        let compiled = compile(&self.name, &documents, &folder, &judged);
        let own = match compiled {
            Ok(own) if judged.faults.is_empty() => own,
            Ok(_) => return Err(refused(&judged.faults)),
            Err(faults) => return Err(refused(&[faults, judged.faults].concat())),
        };
        Ok(Arc::new(Held { name: self.name.clone(), notes: judged.notes, own: Arc::new(own), documents, files, digest }))
    }

    /// The text of its `documents.toml`.
    fn documents(&self, files: &Files) -> Result<String, String> {
        let octets = match (&self.beside, files.get(DOCUMENTS)) {
            (Some(beside), Some(_)) => {
                return Err(format!("{beside} and a {DOCUMENTS} inside the archive; take one of them away"));
            }
            (None, Some(inside)) => inside.clone(),
            (None, None) => {
                let path = self.path.display();
                return Err(format!(
                    "it has no {DOCUMENTS}, which says what its documents are; oncegate schema add {path} writes one"
                ));
            }
            (Some(_), None) => self.rows_on_disk().map_err(|error| error.to_string())?,
        };
        String::from_utf8(octets).map_err(|_| format!("{DOCUMENTS} is not UTF-8; save it as UTF-8"))
    }

    /// Its rows as they lie on the disk.
    fn rows_on_disk(&self) -> Result<Vec<u8>, SetError> {
        match &self.beside {
            Some(name) => super::read_octets(self.path.parent().unwrap_or(Path::new("")), name),
            None => super::read_octets(&self.path, DOCUMENTS),
        }
    }

    /// Has roots judged.
    fn judge(&self, judging: &Judging, roots: &[String]) -> Judged {
        let mut judged = Judged::default();
        let Judging::Guarded(guard) = judging else { return judged };
        match guard.hold(&self.path, Which::Whole, roots) {
            Ok(verdicts) => {
                for verdict in verdicts {
                    judged.notes.extend(verdict.notes);
                    let mut faults = verdict.faults.into_iter().map(SchemaError::from).peekable();
                    let state = faults.peek().map_or(Ok(verdict.content), |first| Err(first.clone()));
                    judged.roots.insert(verdict.root, state);
                    judged.faults.extend(faults);
                }
            }
            Err(cause) => {
                let what =
                    format!("the process that judges schemas could not be started: {cause}; make room for one more process");
                let failed = SchemaError { file: DOCUMENTS.to_owned(), line: 1, column: 1, what };
                judged.roots.extend(roots.iter().map(|root| (root.clone(), Err(failed.clone()))));
                judged.faults.push(failed);
            }
        }
        judged.notes.sort_unstable();
        judged.notes.dedup();
        judged
    }

    /// It cannot be read at all.
    fn none(&self, what: String) -> Refused {
        let wrong = Wrong { file: self.path.display().to_string(), line: 1, column: 1, what };
        // Its rows may still say what it was to have.
        let rows = if self.refused.is_none() { self.rows_on_disk().ok() } else { None };
        let text = rows.and_then(|octets| String::from_utf8(octets).ok());
        Refused { faults: vec![wrong], documents: text.map_or_else(Vec::new, |text| OwnSet::names(&text)) }
    }

    /// It is refused for these, each once and by a path from here.
    fn refused(&self, faults: &[SchemaError]) -> Refused {
        let mut told: Vec<Wrong> = Vec::new();
        for fault in faults {
            let mut wrong = Wrong::from(fault.clone());
            wrong.file = match &self.beside {
                Some(beside) if wrong.file == DOCUMENTS => self.path.with_file_name(beside).display().to_string(),
                _ => self.path.join(&wrong.file).display().to_string(),
            };
            if !told.contains(&wrong) && told.len() < limits::SCHEMA_TOLD_MAX {
                told.push(wrong);
            }
        }
        Refused { faults: told, documents: Vec::new() }
    }
}

/// What the judge said.
#[derive(Default)]
struct Judged {
    notes: Vec<String>,
    faults: Vec<SchemaError>,
    /// By root: the digest of what was read of it, or the first of its faults.
    roots: BTreeMap<String, Result<String, SchemaError>>,
}

/// Compiles what was judged and found good, from the same octets. All that is wrong besides is told: with what a root names, and
/// with the rows.
fn compile(name: &str, documents: &str, folder: &Folder, judged: &Judged) -> Result<OwnSet, Vec<SchemaError>> {
    let mut more = Vec::new();
    let mut load = |file: &str| -> Result<Loaded, SchemaError> {
        if !folder.has(file) {
            let meant = nearest(file, folder.files()).map_or(String::new(), |meant| format!("; did you mean {meant}?"));
            return Err(rows::at(documents, "file", file, &format!("{file} is not in the set{meant}")));
        }
        let was = judged.roots.get(file).cloned().transpose()?;
        let (loaded, faults) = folder.load(&[file])?;
        let mut faults = faults.into_iter();
        if let Some(first) = faults.next() {
            more.extend(faults);
            return Err(first);
        }
        if was.is_some_and(|was| was != content(&loaded)) {
            let what = "changed while it was read; read it again, once whoever writes it is done".to_owned();
            return Err(SchemaError { file: file.to_owned(), line: 1, column: 1, what });
        }
        Ok(loaded)
    };
    let compiled = on_a_large_stack(|| guarded("compiling", || Ok(OwnSet::compile(name, documents, &mut load))));
    let compiled = compiled.unwrap_or_else(|panic| Err(vec![panic]));
    compiled.map_err(|mut faults| {
        faults.extend(more);
        faults
    })
}

/// Of all that a set is read from.
fn digest(files: &Files, documents: &str) -> Digest {
    let mut octets = Vec::new();
    for (name, content) in files {
        octets.extend_from_slice(&(name.len() as u64).to_be_bytes());
        octets.extend_from_slice(name.as_bytes());
        octets.extend_from_slice(sha256(content).octets());
    }
    octets.extend_from_slice(sha256(documents.as_bytes()).octets());
    sha256(&octets)
}
