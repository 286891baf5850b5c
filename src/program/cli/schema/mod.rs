//! `oncegate schema`: sets of schemas, tried without a gateway.

mod add;
mod check;
mod example;
mod fields;
mod suite;
mod valid;
mod with;

pub(super) use valid::validate;
pub(super) use with::With;

use super::{Failure, Out, Outcome};
use crate::host::schemas::guard::{self, Guard, Verdict, Which};
use crate::host::schemas::{Folder, is_archive};
use clap::Subcommand;
use std::path::{Path, PathBuf};

/// Look at sets of XML Schema 1.0, run tests of them, make examples; needs no gateway.
#[derive(clap::Args)]
#[command(before_help = "Examples:\n  oncegate schema check schemas/\n  oncegate schema example schemas/ --root Extract --full")]
pub(super) struct Schema {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Add a set to those of a gateway, with guesses of what its documents are
    Add(add::Add),
    /// Compile a set of schemas, and say what it has and all that is wrong
    Check(check::Check),
    /// Make a valid document from a schema
    Example(example::Example),
    /// Say which fields documents of a type may lack, and which grants release each
    Fields(fields::Fields),
    /// Run a list of tests, and print what agrees and what does not
    Suite(suite::Suite),
    /// Hold roots that standard input names: the process that `check` and others start
    #[command(hide = true)]
    Hold(Hold),
}

/// Compile and judge the roots that standard input names, one a line, within limits; `check` starts it.
#[derive(clap::Args)]
#[command(before_help = "Examples:\n  oncegate schema hold FOLDER < roots\n  oncegate schema hold FOLDER --whole < roots")]
struct Hold {
    /// The set's folder
    folder: PathBuf,
    /// All files of the folder count, not only those that roots name
    #[arg(long)]
    whole: bool,
}

impl Schema {
    pub(super) fn run(self, out: &Out) -> Outcome {
        match self.command {
            Command::Add(command) => command.run(out),
            Command::Check(command) => command.run(out),
            Command::Example(command) => command.run(out),
            Command::Fields(command) => command.run(out),
            Command::Suite(command) => command.run(out),
            Command::Hold(command) => {
                let which = if command.whole { Which::Whole } else { Which::Named };
                guard::serve(&command.folder, which, std::io::stdin().lock(), std::io::stdout())?;
                Ok(())
            }
        }
    }
}

/// A set of schemas as a command was given it.
pub(super) struct Chosen {
    /// Its folder, as given.
    pub(super) path: PathBuf,
    pub(super) folder: Folder,
    which: Which,
    /// Its roots, by their paths inside the set.
    pub(super) roots: Vec<String>,
}

impl Chosen {
    /// Opens a folder, or files of one.
    pub(super) fn open(paths: &[PathBuf], within: Option<&Path>) -> Result<Self, Failure> {
        let failed = |path: &Path, error: &dyn std::fmt::Display| Failure::new(2, format_args!("{}: {error}", path.display()));
        if let (None, [path]) = (within, paths)
            && (path.is_dir() || is_archive(path))
        {
            let folder = Folder::open(path).map_err(|error| failed(path, &error))?;
            let roots = folder.roots();
            return Ok(Self { path: path.clone(), folder, which: Which::Whole, roots });
        }
        if let Some(path) = paths.iter().find(|path| path.is_dir()) {
            return Err(failed(path, &"a folder among files; name one folder alone, or files"));
        }
        let path = within.map_or_else(|| common(paths), Path::to_owned);
        let which = if within.is_some() { Which::Whole } else { Which::Named };
        let folder = if which == Which::Whole { Folder::open(&path) } else { Folder::around(&path) };
        let folder = folder.map_err(|error| failed(&path, &error))?;
        let name = |file: &PathBuf| folder.name_of(file).map_err(|error| failed(file, &error));
        let roots = paths.iter().map(name).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { path, folder, which, roots })
    }

    /// Compiles and judges roots where it can do no harm.
    pub(super) fn hold(&self, roots: &[String]) -> Result<Vec<Verdict>, Failure> {
        let guard = Guard::of_this_program().ok_or_else(|| Failure::new(1, "this program cannot be started again"))?;
        Ok(guard.hold(&self.path, self.which, roots)?)
    }

    /// A file of the set, as a path from here.
    pub(super) fn shown(&self, name: &str) -> String {
        if self.path == Path::new(".") { name.to_owned() } else { self.path.join(name).display().to_string() }
    }
}

/// The folder that all files lie in.
fn common(paths: &[PathBuf]) -> PathBuf {
    let mut folders = paths.iter().map(|path| path.parent().unwrap_or(Path::new("")).to_owned());
    let mut common = folders.next().unwrap_or_default();
    for folder in folders {
        while !folder.starts_with(&common) {
            common.pop();
        }
    }
    if common.as_os_str().is_empty() { PathBuf::from(".") } else { common }
}
