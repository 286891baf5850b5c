//! Schema sets on the disk: a folder with its subfolders, an archive, or single files with what they name.
//!
//! Whatever is named is looked for inside the set alone. What lies on the web is named by a catalogue in the set's folder
//! (`catalog.xml`, `catalogue.tsv`, `WEB.tsv`), or is the one document of the set that has the namespace; nothing is fetched.
//! The types of Oncegate are there for every set that has none of that namespace. Symbolic links, paths that leave the set, and
//! files above the limits are refused.

pub mod archive;
pub mod catalogue;
pub mod decode;
pub mod example;
pub mod guard;
pub mod guess;
pub mod loose;
mod rows;
pub mod sets;

use crate::base::limits;
use crate::message::schema::Schemas;
use crate::message::xsd::SchemaError;
use crate::message::xsd::read::{Library, Loaded, Source, XS, load};
use catalogue::Catalogue;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why a folder or a file of it is not read.
#[derive(Debug)]
pub enum SetError {
    /// It is not there, or cannot be read.
    Unreadable(io::Error),
    /// A symbolic link.
    Link,
    /// A path that leaves the set.
    Outside,
    /// Neither a file nor a folder.
    Special,
    /// A file that is too large.
    TooLarge,
    /// Too many files, or folders that are nested too deep.
    TooMany,
    /// Folders that are nested too deep.
    TooDeep,
    /// Octets that are no text.
    NoText(decode::Unreadable),
    /// A catalogue that cannot be read.
    Catalogue(String),
    /// A folder without a schema.
    Empty,
    /// A set whose files are too large together.
    SetTooLarge,
    /// An archive that cannot be read.
    Archive(String),
    /// An archive that is too large.
    ArchiveTooLarge,
    /// An archive with too many files.
    TooManyPacked,
    /// A file that is many times larger than its packed form.
    Swells,
    /// A file of an archive.
    Packed(String, Box<Self>),
}

impl fmt::Display for SetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => write!(f, "cannot be read: {error}"),
            Self::Link => f.write_str("a symbolic link; put the file itself in its place"),
            Self::Outside => {
                f.write_str("lies outside of the set; copy it into the set's folder, or name a folder that holds both")
            }
            Self::Special => f.write_str("neither a file nor a folder; take it out of the set"),
            Self::TooLarge => {
                write!(f, "a file larger than a schema may be ({} MiB); split it", limits::SCHEMA_BYTES_MAX >> 20)
            }
            Self::TooMany => write!(f, "a set with more than {} schema files; split it", limits::SCHEMA_FILES_MAX),
            Self::TooDeep => write!(f, "folders nested more than {} deep; move them up", limits::SCHEMA_FOLDERS_MAX),
            Self::NoText(why) => why.fmt(f),
            Self::Catalogue(why) => write!(f, "not a catalogue: {why}"),
            Self::Empty => f.write_str("a folder without a file *.xsd; name the folder that has them"),
            Self::SetTooLarge => {
                write!(f, "a set larger than {} MiB; split it", limits::SCHEMA_SET_BYTES_MAX >> 20)
            }
            Self::Archive(why) => write!(f, "not an archive that can be read: {why}; pack it again as a plain ZIP file"),
            Self::ArchiveTooLarge => {
                write!(f, "an archive larger than {} MiB; split it", limits::SCHEMA_SET_BYTES_MAX >> 20)
            }
            Self::TooManyPacked => {
                write!(f, "an archive with more than {} files; pack the schemas alone", limits::SCHEMA_ARCHIVE_FILES_MAX)
            }
            Self::Swells => {
                write!(f, "more than {} times larger than its packed form; pack it without compression", limits::SCHEMA_RATIO_MAX)
            }
            Self::Packed(name, why) => write!(f, "{name}: {why}"),
        }
    }
}

impl std::error::Error for SetError {}

/// The files of a set by their paths inside it.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Where the files of a set are.
#[derive(Debug)]
enum Place {
    Disk(PathBuf),
    Memory(Arc<Files>),
}

impl Place {
    fn of(path: &Path) -> Result<Self, SetError> {
        if is_archive(path) {
            return archive::read(path).map(|files| Self::Memory(Arc::new(files)));
        }
        path.canonicalize().map(Self::Disk).map_err(SetError::Unreadable)
    }

    fn octets(&self, name: &str) -> Result<Vec<u8>, SetError> {
        match self {
            Self::Disk(root) => read_octets(root, name),
            Self::Memory(files) => files.get(name).cloned().ok_or_else(|| SetError::Unreadable(io::ErrorKind::NotFound.into())),
        }
    }

    fn text(&self, name: &str) -> Result<String, SetError> {
        decode::decode(&self.octets(name)?).map_err(SetError::NoText)
    }

    fn has(&self, name: &str) -> bool {
        match self {
            Self::Disk(root) => root.join(name).symlink_metadata().is_ok(),
            Self::Memory(files) => files.contains_key(name),
        }
    }

    /// The schemas that it has, and why what looks like one is none.
    fn list(&self) -> Result<(Vec<String>, Vec<SchemaError>), SetError> {
        let (mut found, mut faults) = (Vec::new(), Vec::new());
        match self {
            Self::Disk(root) => walk(root, "", 0, &mut found, &mut faults)?,
            Self::Memory(files) => found.extend(files.keys().filter(|name| is_schema(name)).cloned()),
        }
        Ok((found, faults))
    }
}

/// Whether a path is that of an archive, by its name.
pub fn is_archive(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("zip")) && !path.is_dir()
}

fn is_schema(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("xsd"))
}

/// Whether a file is one that a set is read from.
fn is_of_a_set(name: &str) -> bool {
    is_schema(name) || name == DOCUMENTS || catalogue::FILES.contains(&name)
}

/// The file that says which documents a set has.
pub const DOCUMENTS: &str = "documents.toml";

/// A set of schemas on the disk.
#[derive(Debug)]
pub struct Folder {
    place: Place,
    catalogue: Catalogue,
    /// The schema documents that were found, by their path inside the set.
    files: BTreeMap<String, Outline>,
    /// What cannot be read of it.
    faults: Vec<SchemaError>,
}

/// What a schema document says that it is, and what it names.
#[derive(Debug, Default)]
struct Outline {
    target: String,
    /// By location, namespace, or both.
    names: Vec<(Option<String>, String)>,
}

impl Folder {
    /// Reads what a folder and its subfolders have. What is wrong with single files is among the faults.
    pub fn open(path: &Path) -> Result<Self, SetError> {
        Self::whole(Place::of(path)?)
    }

    /// Reads all files of a set into memory, so that what is looked at now is what is looked at later.
    pub fn snapshot(path: &Path) -> Result<Self, SetError> {
        let root = match Place::of(path)? {
            place @ Place::Memory(_) => return Self::whole(place),
            Place::Disk(root) => root,
        };
        let (mut found, mut links) = (Vec::new(), Vec::new());
        walk(&root, "", 0, &mut found, &mut links)?;
        found.extend(catalogue::FILES.iter().chain([&DOCUMENTS]).map(|name| (*name).to_owned()));
        let (mut files, mut total, mut faults) = (Files::new(), 0_usize, links);
        for name in found {
            match read_octets(&root, &name) {
                Err(SetError::Unreadable(error)) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => faults.push(fault(&name, error.to_string())),
                Ok(octets) => {
                    total = total.saturating_add(octets.len());
                    files.insert(name, octets);
                }
            }
            if total > limits::SCHEMA_SET_BYTES_MAX {
                return Err(SetError::SetTooLarge);
            }
        }
        let mut this = Self::within(Place::Memory(Arc::new(files)))?;
        this.faults = faults;
        this.outlined()
    }

    fn whole(place: Place) -> Result<Self, SetError> {
        Self::within(place)?.outlined()
    }

    /// Reads what each file says that it is.
    fn outlined(self) -> Result<Self, SetError> {
        let mut this = self;
        let (found, faults) = this.place.list()?;
        this.faults.extend(faults);
        if found.is_empty() && this.faults.is_empty() {
            return Err(SetError::Empty);
        }
        for name in found {
            let read = this.read(&name).map_err(|error| fault(&name, error.to_string()));
            match read.and_then(|source| outline(&source)) {
                Ok(outline) => drop(this.files.insert(name, outline)),
                Err(error) => this.faults.push(error),
            }
        }
        Ok(this)
    }

    /// A folder of which only those files count that are named.
    pub fn around(path: &Path) -> Result<Self, SetError> {
        Self::within(Place::of(path)?)
    }

    fn within(place: Place) -> Result<Self, SetError> {
        let mut catalogue = Catalogue::default();
        for name in catalogue::FILES {
            let text = match place.text(name) {
                Ok(text) => text,
                Err(SetError::Unreadable(error)) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(SetError::Catalogue(format!("{name}: {error}"))),
            };
            if Path::new(name).extension().is_some_and(|extension| extension == "xml") {
                catalogue.read_xml(&text).map_err(|why| SetError::Catalogue(format!("{name}: {why}")))?;
            } else {
                catalogue.read_lines(&text);
            }
        }
        Ok(Self { place, catalogue, files: BTreeMap::new(), faults: Vec::new() })
    }

    /// All files of it, where they were read into memory.
    pub fn octets(&self) -> Option<&Arc<Files>> {
        match &self.place {
            Place::Memory(files) => Some(files),
            Place::Disk(_) => None,
        }
    }

    /// What of the folder cannot be read, each with its file.
    pub fn faults(&self) -> &[SchemaError] {
        &self.faults
    }

    /// The schema documents that can be read.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// The documents that no other one names; of those that name each other in a circle the first.
    pub fn roots(&self) -> Vec<String> {
        let arrows: BTreeMap<&str, BTreeSet<String>> =
            self.files.iter().map(|(name, outline)| (name.as_str(), self.named(name, outline))).collect();
        let named: BTreeSet<&str> =
            arrows.iter().flat_map(|(from, to)| to.iter().map(String::as_str).filter(move |to| to != from)).collect();
        let (mut roots, mut seen) = (Vec::new(), BTreeSet::new());
        let free = self.files.keys().map(String::as_str).filter(|name| !named.contains(name));
        for name in free.chain(self.files.keys().map(String::as_str)) {
            if seen.contains(name) {
                continue;
            }
            roots.push(name.to_owned());
            let mut next = vec![name];
            while let Some(at) = next.pop() {
                if seen.insert(at) {
                    next.extend(arrows.get(at).into_iter().flatten().map(String::as_str));
                }
            }
        }
        roots.sort();
        roots
    }

    fn named(&self, from: &str, outline: &Outline) -> BTreeSet<String> {
        let found = outline
            .names
            .iter()
            .filter_map(|(location, namespace)| self.resolve(from, location.as_deref(), namespace).ok().flatten());
        found.collect()
    }

    /// The elements that a document of the set declares at its top and that nothing of the set refers to: what documents could
    /// begin with. If everything is referred to, all that it declares.
    pub fn declared(&self, name: &str) -> Result<Vec<Declared>, SchemaError> {
        let referred = |source: &Source| -> Result<Vec<String>, SchemaError> {
            let document = crate::message::xsd::read::parse(source)?;
            let heads = document.descendants().filter(|node| node.tag_name().namespace() == Some(XS));
            let names = heads.flat_map(|node| [node.attribute("ref"), node.attribute("substitutionGroup")]).flatten();
            Ok(names.map(|name| name.rsplit(':').next().unwrap_or("").to_owned()).collect())
        };
        let mut used = BTreeSet::new();
        for file in self.files.keys() {
            let source = self.read(file).map_err(|error| fault(file, error.to_string()))?;
            used.extend(referred(&source)?);
        }
        let source = self.read(name).map_err(|error| fault(name, error.to_string()))?;
        let declared = declared(&source)?;
        let free: Vec<Declared> = declared.iter().filter(|declared| !used.contains(declared.local())).cloned().collect();
        Ok(if free.is_empty() { declared } else { free })
    }

    /// Whether the set has this file.
    pub fn has(&self, name: &str) -> bool {
        self.place.has(name)
    }

    /// Reads a document of the set.
    pub fn read(&self, name: &str) -> Result<Source, SetError> {
        self.place.text(name).map(|text| Source { name: name.to_owned(), text })
    }

    /// The path inside the set of a file that was given by its path.
    pub fn name_of(&self, path: &Path) -> Result<String, SetError> {
        let is_link = fs::symlink_metadata(path).map_err(SetError::Unreadable)?.is_symlink();
        if is_link {
            return Err(SetError::Link);
        }
        let Place::Disk(root) = &self.place else { return Err(SetError::Outside) };
        let path = path.canonicalize().map_err(SetError::Unreadable)?;
        let inside = path.strip_prefix(root).map_err(|_| SetError::Outside)?;
        Ok(inside.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/"))
    }

    /// Reads roots and all that they name. What is absent or may not be read is in the second part, as faults; what was to be
    /// imported and is absent stays with what was loaded.
    pub fn load(&self, roots: &[&str]) -> Result<(Loaded, Vec<SchemaError>), SchemaError> {
        let read = |name: &&str| self.read(name).map_err(|error| fault(name, error.to_string()));
        let sources = roots.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let mut shelf = Shelf { folder: self, refused: BTreeMap::new() };
        let loaded = load(sources, &mut shelf)?;
        let mut faults = Vec::new();
        for absent in &loaded.absent {
            let mut error = absent.error.clone();
            let location = error.what.strip_suffix(" is not in the set").unwrap_or("").to_owned();
            match shelf.refused.get(&(error.file.clone(), location.clone())) {
                Some(why) => error.what = format!("{location}: {why}"),
                None if absent.is_import => continue,
                None => {
                    error.what = format!("src-include: {location} is not in the set; add the file, or name it in a catalogue")
                }
            }
            faults.push(error);
        }
        Ok((loaded, faults))
    }

    /// The path inside the set of what a document names by a location.
    pub fn find(&self, from: &str, location: &str) -> Result<Option<String>, SetError> {
        self.resolve(from, Some(location), "")
    }

    /// The path inside the set of what a document names: what lies where it says, else what the catalogue has for it, else the file
    /// that is called alike, else the only one of the namespace.
    fn resolve(&self, from: &str, location: Option<&str>, namespace: &str) -> Result<Option<String>, SetError> {
        let listed = || self.catalogue.find(namespace).filter(|_| !namespace.is_empty());
        let Some(location) = location.map(str::trim) else {
            return Ok(listed().or_else(|| self.only_one_of(from, namespace)));
        };
        let elsewhere = || {
            let named = self.catalogue.find(location).or_else(listed).or_else(|| self.called_alike(from, location, namespace));
            named.or_else(|| self.only_one_of(from, namespace))
        };
        if location.contains("://") && !location.starts_with("file:") || location.starts_with("urn:") {
            return Ok(elsewhere());
        }
        let is_absolute = location.starts_with("file:") || location.starts_with('/');
        let Some(path) = relative(from, location).filter(|_| !is_absolute) else {
            return self.called_alike(from, location, namespace).map(Some).ok_or(SetError::Outside);
        };
        if self.files.contains_key(&path) || self.place.has(&path) {
            return Ok(Some(path));
        }
        Ok(elsewhere())
    }

    /// The file of the set whose path ends as a location does, in as many of its last parts as may be: makers publish a set under
    /// one address and pack it in other folders. It must be of the namespace that is named. Of several the nearest to the document
    /// that names it counts; of several that are as near, none.
    fn called_alike(&self, from: &str, location: &str, namespace: &str) -> Option<String> {
        let location = location.split(['#', '?']).next().unwrap_or("").replace('\\', "/").replace("%20", " ");
        let own = self.files.get(from).map_or("", |outline| outline.target.as_str());
        let may_be = |target: &str| if namespace.is_empty() { target.is_empty() || target == own } else { target == namespace };
        let folder = |path: &str| path.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
        let home = folder(from);
        let near = |path: &str| folder(path).split('/').zip(home.split('/')).take_while(|(one, other)| one == other).count();
        let fitting = self.files.iter().filter(|(name, outline)| *name != from && may_be(&outline.target));
        let mut ranked: Vec<((usize, usize), &String)> = fitting
            .map(|(name, _)| {
                let alike = name.rsplit('/').zip(location.rsplit('/')).take_while(|(one, other)| one == other).count();
                ((alike, near(name)), name)
            })
            .filter(|((alike, _), _)| *alike > 0)
            .collect();
        ranked.sort_by_key(|(rank, _)| std::cmp::Reverse(*rank));
        match ranked.as_slice() {
            [(first, _), (second, _), ..] if first == second => None,
            [(_, name), ..] => Some((*name).clone()),
            [] => None,
        }
    }

    fn only_one_of(&self, but: &str, namespace: &str) -> Option<String> {
        let mut found =
            self.files.iter().filter(|(name, outline)| outline.target == namespace && *name != but && !namespace.is_empty());
        let first = found.next()?;
        found.next().is_none().then(|| first.0.clone())
    }
}

/// A set as documents are taken from it, with why some were not.
pub struct Shelf<'f> {
    folder: &'f Folder,
    refused: BTreeMap<(String, String), String>,
}

impl<'f> Shelf<'f> {
    /// The documents of a set.
    pub fn of(folder: &'f Folder) -> Self {
        Self { folder, refused: BTreeMap::new() }
    }
}

impl Library for Shelf<'_> {
    fn fetch(&mut self, from: &str, location: Option<&str>, namespace: &str) -> Option<Source> {
        let found = match self.folder.resolve(from, location, namespace) {
            Ok(None) => return built_in(namespace),
            Ok(Some(name)) => self.folder.read(&name),
            Err(error) => Err(error),
        };
        match found {
            Ok(source) => Some(source),
            Err(SetError::Unreadable(error)) if error.kind() == io::ErrorKind::NotFound => built_in(namespace),
            Err(error) => {
                self.refused.insert((from.to_owned(), location.unwrap_or(namespace).to_owned()), error.to_string());
                None
            }
        }
    }
}

/// The types that come with the gateway, for a set that names them and does not have them.
fn built_in(namespace: &str) -> Option<Source> {
    let (name, text) = Schemas::built_in_files().iter().find(|(name, _)| *name == TYPES_FILE && namespace == TYPES)?;
    Some(Source { name: format!("{name} (built in)"), text: (*text).to_owned() })
}

const TYPES: &str = "urn:oncegate:types:1";
const TYPES_FILE: &str = "types-1.xsd";

fn fault(file: &str, what: impl Into<String>) -> SchemaError {
    SchemaError { file: file.to_owned(), line: 1, column: 1, what: what.into() }
}

/// A location beside a document, as a path inside the set; nothing where it leaves the set.
fn relative(from: &str, location: &str) -> Option<String> {
    let location = location.split('#').next().unwrap_or("").replace('\\', "/").replace("%20", " ");
    let mut parts: Vec<&str> = from.rsplit_once('/').map_or(Vec::new(), |(folder, _)| folder.split('/').collect());
    for part in location.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Reads a file of a set, none of whose folders inside the set may be a link.
fn read_octets(root: &Path, name: &str) -> Result<Vec<u8>, SetError> {
    let mut path = root.to_owned();
    for part in name.split('/') {
        path.push(part);
        let kind = fs::symlink_metadata(&path).map_err(SetError::Unreadable)?.file_type();
        if kind.is_symlink() {
            return Err(SetError::Link);
        }
    }
    let about = fs::metadata(&path).map_err(SetError::Unreadable)?;
    if !about.is_file() {
        return Err(SetError::Special);
    }
    if about.len() > limits::SCHEMA_BYTES_MAX as u64 {
        return Err(SetError::TooLarge);
    }
    let mut octets = Vec::new();
    let file = fs::File::open(&path).map_err(SetError::Unreadable)?;
    file.take(limits::SCHEMA_BYTES_MAX as u64 + 1).read_to_end(&mut octets).map_err(SetError::Unreadable)?;
    if octets.len() > limits::SCHEMA_BYTES_MAX { Err(SetError::TooLarge) } else { Ok(octets) }
}

/// Finds the schema files of a folder.
fn walk(root: &Path, at: &str, depth: usize, found: &mut Vec<String>, faults: &mut Vec<SchemaError>) -> Result<(), SetError> {
    if depth > limits::SCHEMA_FOLDERS_MAX {
        return Err(SetError::TooDeep);
    }
    let mut entries =
        fs::read_dir(root.join(at)).and_then(Iterator::collect::<io::Result<Vec<_>>>).map_err(SetError::Unreadable)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if at.is_empty() { name.clone() } else { format!("{at}/{name}") };
        let kind = entry.file_type().map_err(SetError::Unreadable)?;
        if kind.is_symlink() {
            faults.push(fault(&path, SetError::Link.to_string()));
        } else if kind.is_dir() {
            walk(root, &path, depth + 1, found, faults)?;
        } else if is_schema(&name) {
            found.push(path);
        }
        if found.len() > limits::SCHEMA_FILES_MAX || faults.len() > limits::SCHEMA_FILES_MAX {
            return Err(SetError::TooMany);
        }
    }
    Ok(())
}

/// An element that a schema document declares at its top.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// `{namespace}name`, or the name alone.
    pub name: String,
    /// The first line of what its documentation says.
    pub title: Option<String>,
    /// The version that the schema document says that it has.
    pub version: Option<String>,
}

impl Declared {
    fn local(&self) -> &str {
        self.name.rsplit('}').next().unwrap_or("")
    }
}

fn declared(source: &Source) -> Result<Vec<Declared>, SchemaError> {
    let document = crate::message::xsd::read::parse(source)?;
    let root = document.root_element();
    let target = root.attribute("targetNamespace").unwrap_or("");
    let elements = root.children().filter(|node| node.tag_name().name() == "element");
    let title = |node: &roxmltree::Node<'_, '_>| {
        let said = node.children().filter(|child| child.tag_name().name() == "annotation").flat_map(|child| child.descendants());
        let said = said.filter(|child| child.is_text()).filter_map(|child| child.text()).find(|text| !text.trim().is_empty())?;
        said.trim().lines().next().map(|line| line.trim().chars().take(TITLE_CHARS_MAX).collect::<String>())
    };
    let element = |node: roxmltree::Node<'_, '_>| {
        let local = node.attribute("name")?;
        let name = if target.is_empty() { local.to_owned() } else { format!("{{{target}}}{local}") };
        Some(Declared { name, title: title(&node), version: root.attribute("version").map(str::to_owned) })
    };
    Ok(elements.filter_map(element).collect())
}

/// A title is a line, whatever a schema's documentation is.
const TITLE_CHARS_MAX: usize = 120;

fn outline(source: &Source) -> Result<Outline, SchemaError> {
    let document = crate::message::xsd::read::parse(source)?;
    let root = document.root_element();
    if !(root.tag_name().name() == "schema" && root.tag_name().namespace() == Some(XS)) {
        return Err(fault(&source.name, "its root is not xs:schema; is it a schema of XML Schema 1.0?"));
    }
    let names = root.children().filter(|node| matches!(node.tag_name().name(), "include" | "import" | "redefine"));
    let names = names
        .map(|node| (node.attribute("schemaLocation").map(str::to_owned), node.attribute("namespace").unwrap_or("").to_owned()));
    Ok(Outline { target: root.attribute("targetNamespace").unwrap_or("").to_owned(), names: names.collect() })
}
