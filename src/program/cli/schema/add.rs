//! `oncegate schema add`: a set of somebody else's schemas becomes one of this gateway's.
//!
//! The set is judged, copied as it is, and given a `documents.toml` in which each guess waits for a person: a row with the key
//! `todo` is refused by `check` and by the gateway.

use super::Chosen;
use crate::host::config::{Config, read_bounded};
use crate::host::schemas::guard::{Verdict, compile_root, named};
use crate::host::schemas::guess::{self, Person, UNKNOWN_SCHEME};
use crate::host::schemas::sets::is_name;
use crate::host::schemas::{DOCUMENTS, Folder, is_archive};
use crate::host::store::{make_folder, replace};
use crate::message::xsd::Set;
use crate::program::cli::{Failure, Out, Outcome};
use crate::program::setup::quoted;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "Examples:\n  oncegate schema add tax/ --config office/oncegate.toml\n  \
oncegate schema add tax-2026-03.zip --name tax --config office/oncegate.toml";

/// Add a set of schemas to those of a gateway, with guesses of what its documents are, which you then confirm.
#[derive(clap::Args)]
#[command(before_help = EXAMPLES)]
pub(super) struct Add {
    /// The set: a folder, or a ZIP archive
    path: PathBuf,
    /// What the set is called here; without it, as its folder or archive
    #[arg(long)]
    name: Option<String>,
    /// The configuration
    #[arg(short, long, default_value = "oncegate.toml")]
    config: PathBuf,
}

/// A document that the set could have.
struct Guess {
    name: String,
    file: String,
    root: String,
    title: String,
    version: Option<String>,
    /// The attribute of the root that tells the version, where several versions have one root.
    when: Option<String>,
    person: Option<Person>,
}

impl Add {
    pub(super) fn run(self, out: &Out) -> Outcome {
        let failed = |error: &dyn std::fmt::Display| Failure::new(2, format_args!("{}: {error}", self.path.display()));
        let config = Config::load(&self.config).map_err(|error| Failure::new(2, error))?;
        let name = self.set_name()?;
        let chosen = Chosen::open(std::slice::from_ref(&self.path), None)?;
        if let Some(fault) = chosen.folder.faults().first() {
            let shown = chosen.shown(&fault.file);
            return Err(Failure::new(2, format_args!("{shown}:{}:{}: {}", fault.line, fault.column, fault.what)));
        }
        let verdicts = chosen.hold(&chosen.roots)?;
        let guesses = guesses(&name, &chosen, &verdicts)?;
        let snapshot = Folder::snapshot(&self.path).map_err(|error| failed(&error))?;
        let folder = config.schemas.clone().unwrap_or_else(|| beside(&self.config).join(FOLDER));
        if folder.join(DOCUMENTS).is_file() {
            let what = "is one set by itself, since it has a documents.toml; move its files into a folder inside it";
            return Err(Failure::new(2, format_args!("{} {what}", folder.display())));
        }
        let placed = self.put(&folder, &name, &snapshot, &documents(&name, &guesses))?;
        tell_verdicts(&chosen, &verdicts, out);
        let edited = if config.schemas.is_none() { Some(name_folder(&self.config)?) } else { None };
        self.tell(&placed, &guesses, edited.as_deref(), out)
    }

    fn set_name(&self) -> Result<String, Failure> {
        let path = self.path.canonicalize().map_err(|cause| Failure::new(2, format_args!("{}: {cause}", self.path.display())))?;
        let stem = if is_archive(&path) { path.file_stem() } else { path.file_name() };
        let name = self.name.clone().or_else(|| stem.map(|stem| stem.to_string_lossy().into_owned())).unwrap_or_default();
        let what = "is not the name of a set: letters of ASCII, digits, '-', '_' and '.', at most 64; give one with --name";
        if is_name(&name) { Ok(name) } else { Err(Failure::new(2, format_args!("\"{name}\" {what}"))) }
    }

    /// Copies the set, whole or not at all, and writes its rows where it has none.
    fn put(&self, folder: &Path, name: &str, set: &Folder, rows: &str) -> Result<Placed, Failure> {
        let files = set.octets().cloned().unwrap_or_default();
        let is_packed = is_archive(&self.path);
        let target = folder.join(if is_packed { format!("{name}.zip") } else { name.to_owned() });
        let documents = if is_packed { folder.join(format!("{name}.toml")) } else { target.join(DOCUMENTS) };
        let is_there = |path: &Path| path.symlink_metadata().is_ok();
        let is_in_place = is_there(&target) && target.canonicalize().ok() == self.path.canonicalize().ok();
        if is_there(&documents) {
            let what = "is there already, and is not written again; change it by hand, or take it away first";
            return Err(Failure::new(2, format_args!("{} {what}", documents.display())));
        }
        let others = [target.clone(), folder.join(name), folder.join(format!("{name}.zip"))];
        if let Some(other) = others.iter().find(|other| is_there(other)).filter(|_| !is_in_place) {
            let what = "is there already; give this set another name with --name, or take that one away first";
            return Err(Failure::new(2, format_args!("{} {what}", other.display())));
        }
        make_folder(folder)?;
        if !is_in_place && is_packed {
            replace(&target, &fs::read(&self.path)?, 0o644)?;
        } else if !is_in_place {
            let making = folder.join(format!(".{name}.making"));
            let _ = fs::remove_dir_all(&making);
            for (file, octets) in files.iter() {
                let path = making.join(file);
                fs::create_dir_all(path.parent().unwrap_or(&making))?;
                fs::write(path, octets)?;
            }
            fs::rename(&making, &target)?;
        }
        let brought = files.contains_key(DOCUMENTS);
        if !brought {
            replace(&documents, rows.as_bytes(), 0o644)?;
        }
        let rows = if brought { Rows::Brought } else { Rows::Guessed };
        Ok(Placed { target, documents, rows, files: files.len() })
    }

    fn tell(&self, placed: &Placed, guesses: &[Guess], edited: Option<&str>, out: &Out) -> Outcome {
        if out.is_json {
            let document = |guess: &Guess| {
                serde_json::json!({
                    "name": guess.name, "file": guess.file, "root": guess.root, "version": guess.version,
                    "subject": guess.person.as_ref().map(|person| &person.path),
                })
            };
            let documents: Vec<_> = guesses.iter().map(document).collect();
            return out.print(serde_json::json!({
                "format": 1, "set": placed.target, "documentsFile": placed.documents, "files": placed.files,
                "guessed": placed.rows == Rows::Guessed, "documents": documents, "configurationChanged": edited.is_some(),
            }));
        }
        let files = if placed.files == 1 { "1 file".to_owned() } else { format!("{} files", placed.files) };
        out.print(format_args!("copied {files} to {}", placed.target.display()))?;
        if placed.rows == Rows::Brought {
            out.print(format_args!("the set brought its {DOCUMENTS}, which counts as it is"))?;
        } else {
            for guess in guesses {
                let version = guess.version.as_ref().map_or(String::new(), |version| format!(" {version}"));
                out.print(format_args!("guess {}{version}  root {} in {}", guess.name, guess.root, guess.file))?;
                out.print(format_args!("      about {}", about(guess.person.as_ref())))?;
            }
        }
        if let Some(edited) = edited {
            out.print(format_args!("{}: added {edited}; restart the gateway once, if it runs", self.config.display()))?;
        }
        if placed.rows == Rows::Guessed {
            out.say(format_args!(
                "next: look at each row of {}, correct it, and take its line todo out; then oncegate check, oncegate reload",
                placed.documents.display()
            ));
        }
        Ok(())
    }
}

/// What was put where.
struct Placed {
    target: PathBuf,
    documents: PathBuf,
    rows: Rows,
    files: usize,
}

/// Where the rows of a set are from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rows {
    Guessed,
    Brought,
}

fn tell_verdicts(chosen: &Chosen, verdicts: &[Verdict], out: &Out) {
    for verdict in verdicts {
        let word = if verdict.faults.is_empty() { "ok  " } else { "bad " };
        let (root, files, types) = (chosen.shown(&verdict.root), verdict.files.len(), verdict.types);
        let of = if files == 1 { "file" } else { "files" };
        out.say(format_args!("{word}{root}  {files} {of}, {types} types, {} ms", verdict.ms));
        for fault in &verdict.faults {
            out.say(format_args!("{}:{}:{}: {}", chosen.shown(&fault.file), fault.line, fault.column, fault.what));
        }
    }
}

/// What the documents of the set could be: the global elements of its good roots that no other declaration refers to.
fn guesses(set: &str, chosen: &Chosen, verdicts: &[Verdict]) -> Result<Vec<Guess>, Failure> {
    let mut found = Vec::new();
    for verdict in verdicts.iter().filter(|verdict| verdict.faults.is_empty()) {
        let outlined = chosen.folder.declared(&verdict.root).map_err(|error| Failure::new(2, error))?;
        let compiled = compile_root(&chosen.folder, &verdict.root).map_err(|error| Failure::new(2, error))?;
        for declared in outlined {
            let element = compiled.global_elements().find(|number| {
                compiled
                    .element(*number)
                    .is_some_and(|element| !element.is_abstract && named(&compiled, element.name) == declared.name)
            });
            let Some(element) = element else { continue };
            let root = declared.name.rsplit('}').next().unwrap_or("").to_owned();
            found.push(Guess {
                name: guess::name(set, &root),
                file: verdict.root.clone(),
                title: declared.title.unwrap_or_else(|| root.clone()),
                version: version(&compiled, element).map(|(_, version)| version).or(declared.version),
                when: version(&compiled, element).map(|(attribute, _)| attribute),
                person: guess::person(&compiled, element),
                root,
            });
        }
    }
    if found.is_empty() {
        let fault = verdicts.iter().flat_map(|verdict| &verdict.faults).next();
        let why = fault.map_or("no schema of it declares an element".to_owned(), |fault| {
            format!("{}:{}:{}: {}", chosen.shown(&fault.file), fault.line, fault.column, fault.what)
        });
        let path = chosen.path.display();
        return Err(Failure::new(
            2,
            format_args!("no document can begin with anything of this set: {why}; oncegate schema check {path} tells all"),
        ));
    }
    tell_apart(&mut found);
    Ok(found)
}

/// Several rows of one name are versions of one document, if something tells them apart; else each has a name of its own.
fn tell_apart(found: &mut [Guess]) {
    let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (at, guess) in found.iter().enumerate() {
        groups.entry(guess.name.clone()).or_default().push(at);
    }
    for places in groups.into_values() {
        let mut versions: Vec<_> = places.iter().filter_map(|at| found.get(*at)?.version.clone()).collect();
        versions.sort();
        versions.dedup();
        let are_versions = places.len() > 1 && versions.len() == places.len();
        for (number, at) in places.iter().enumerate() {
            let Some(guess) = found.get_mut(*at) else { continue };
            if !are_versions {
                guess.when = None;
            }
            if !are_versions && number > 0 {
                guess.name = format!("{}-{}", guess.name, number + 1);
            }
        }
    }
}

/// An attribute of the root that has the version as its one value.
fn version(set: &Set, root: u32) -> Option<(String, String)> {
    use crate::message::xsd::set::TypeRef;
    let TypeRef::Complex(number) = set.element(root)?.of else { return None };
    let says = |name: &str| {
        let name = name.to_lowercase();
        name.starts_with("vers") || name.starts_with("верс")
    };
    set.complex(number)?.attributes.uses.iter().find_map(|attribute| {
        let name = set.names().local(attribute.name);
        let preset = attribute.preset.as_ref().filter(|preset| preset.is_fixed).map(|preset| preset.text.to_string());
        let only = || attribute.of.as_ref()?.only_value();
        says(name).then(|| preset.or_else(only)).flatten().map(|value| (name.to_owned(), value))
    })
}

/// Whom a document is about, for people.
fn about(person: Option<&Person>) -> String {
    let Some(person) = person else { return "nobody that its names tell: say whom, with subject".to_owned() };
    let place = if person.path.is_empty() { "the root itself" } else { &person.path };
    let ids: Vec<String> = person.ids.iter().map(|(path, scheme)| format!("{path} ({scheme})")).collect();
    let names = [&person.family, &person.given].into_iter().flatten().cloned();
    let more: Vec<String> = ids.into_iter().chain(names).chain(person.birth.iter().map(|(path, _)| path.clone())).collect();
    format!("{place}: {}", more.join(", "))
}

/// The rows, each with what a person has to confirm.
fn documents(set: &str, guesses: &[Guess]) -> String {
    let mut text = format!(
        "# The documents of the set {set}, as oncegate schema add guessed them; docs/schemas.md describes every key.\n\
         # Correct each row, delete those that nobody exchanges, and take the lines todo out: until then the set is refused.\n"
    );
    for guess in guesses {
        let _ = write!(
            text,
            "\n[[document]]\nname = {}\nfile = {}\nroot = {}\nclass = \"personal\"\ntitle = {}\n",
            quoted(&guess.name),
            quoted(&guess.file),
            quoted(&guess.root),
            quoted(&guess.title)
        );
        if let Some(version) = &guess.version {
            let _ = writeln!(text, "version = {}", quoted(version));
            if let Some(attribute) = &guess.when {
                let _ = writeln!(text, "when = {{ attribute = {}, is = {} }}", quoted(attribute), quoted(version));
            }
        }
        let whom = if guess.person.is_some() { "" } else { ", and whom it is about, which no name tells (subject = …)" };
        let _ = writeln!(text, "todo = \"is this a document that is exchanged? its name, class and title{whom}\"");
        if let Some(person) = &guess.person {
            text.push_str(&subject(person));
        }
    }
    text
}

fn subject(person: &Person) -> String {
    let id = |(path, scheme): &(String, &str)| format!("{{ path = {}, scheme = {} }}", quoted(path), quoted(scheme));
    let ids: Vec<String> = person.ids.iter().map(id).collect();
    let mut text = format!("[[document.subject]]\npath = {}\nid = [{}]\n", quoted(&person.path), ids.join(", "));
    if person.is_organisation() {
        text.push_str("kind = \"organisation\"\n");
    }
    for (key, path) in [("family", &person.family), ("given", &person.given)] {
        if let Some(path) = path {
            let _ = writeln!(text, "{key} = {}", quoted(path));
        }
    }
    if let Some((path, form)) = &person.birth {
        let _ = writeln!(text, "birth_date = {{ path = {}, form = {} }}", quoted(path), quoted(form));
    }
    let scheme = if person.ids.iter().any(|(_, scheme)| *scheme == UNKNOWN_SCHEME) {
        format!(", and the scheme in the place of {UNKNOWN_SCHEME}")
    } else {
        String::new()
    };
    let _ = writeln!(text, "todo = \"is the document about whoever stands there? by which identifiers and names{scheme}\"");
    text
}

fn beside(config: &Path) -> PathBuf {
    config.parent().unwrap_or(Path::new("")).to_owned()
}

/// Writes the folder of sets into a configuration that names none; says the line.
fn name_folder(config: &Path) -> Result<String, Failure> {
    let text = read_bounded(config).map_err(|error| Failure::new(2, error))?;
    let line = format!("schemas = \"{FOLDER}\"");
    // Keys of the file itself stand before its first table.
    let at = if text.starts_with('[') { 0 } else { text.find("\n[").map_or(text.len(), |at| at + 1) };
    let (before, after) = text.split_at(at);
    let gap = if before.is_empty() || before.ends_with("\n") { "" } else { "\n" };
    let edited = format!("{before}{gap}{line}\n{after}");
    let good = Config::parse(&edited, &beside(config)).ok().and_then(|read| read.schemas);
    if good.is_none() {
        return Err(Failure::new(2, format_args!("{}: add the line {line} above its first table", config.display())));
    }
    // Whoever may read it stays the same.
    let mode = fs::metadata(config)?.permissions().mode() & 0o777;
    replace(config, edited.as_bytes(), mode)?;
    Ok(line)
}

/// The folder of sets where a configuration names none.
const FOLDER: &str = "schemas";
