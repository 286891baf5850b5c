//! `oncegate log export`

use super::super::{Failure, Out, Outcome, runtime};
use super::{As, Selection, accepted, add, fetched, text, verify};
use crate::evidence::audit::{COLUMNS, csv_row};
use crate::evidence::tlog::leaf::Leaf;
use crate::evidence::tlog::note::VerifierKey;
use crate::message::crypto::Sha256;
use clap::ValueEnum;
use serde_json::json;
use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Export records of a range of time. The table (CSV) is made from the evidence, which is kept beside it.
#[derive(clap::Args)]
pub(super) struct Export {
    #[command(flatten)]
    who: As,
    #[command(flatten)]
    selection: Selection,
    /// The file
    #[arg(short, long)]
    output: PathBuf,
    /// Its form; beside a table stands FILE.ndjson, which it was made from
    #[arg(long, value_enum, default_value_t = Form::Ndjson)]
    format: Form,
    /// The log's key: name+hash+base64, or a file that has it; else the one that the gateway gives
    #[arg(long)]
    key: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    Ndjson,
    Csv,
}

impl Export {
    pub(super) fn run(&self, out: &Out) -> Outcome {
        let evidence = match self.format {
            Form::Ndjson => self.output.clone(),
            Form::Csv => PathBuf::from(format!("{}.ndjson", self.output.display())),
        };
        let digest = self.download(&evidence)?;
        let key = match &self.key {
            Some(key) => verify::read_key(key)?,
            None => {
                let given = text(runtime()?.block_on(fetched(&self.who.client()?, "/log/key"))?)?;
                VerifierKey::parse(given.trim()).map_err(|error| Failure::new(1, format!("the gateway's key: {error}")))?
            }
        };
        let reader = || File::open(&evidence).map(BufReader::new);
        let exported = match self.format {
            Form::Ndjson => verify::export(reader()?, &evidence, &key, |_, _| Ok(()))?,
            Form::Csv => {
                // Only at its end it is known to be whole: no table is made of what does not hold.
                let exported = verify::export(reader()?, &evidence, &key, |_, _| Ok(()))?;
                let mut table = BufWriter::new(File::create(&self.output)?);
                write!(table, "{COLUMNS}\r\n")?;
                verify::export(reader()?, &evidence, &key, |index, text| {
                    let leaf = Leaf::parse(text).ok_or_else(|| Failure::new(6, "a leaf could not be read"))?;
                    Ok(write!(table, "{}\r\n", csv_row(index, text, &leaf))?)
                })?;
                table.flush()?;
                exported
            }
        };
        let (shown, hidden) = (exported.shown, exported.hidden);
        out.result(
            format_args!("{shown} records; {} sha256 {digest}", evidence.display()),
            &json!({ "format": 1, "records": shown, "hidden": hidden, "file": evidence, "sha256": digest }),
        )?;
        let whose = if self.key.is_some() { "the key given" } else { "the key that the gateway gave: compare it" };
        out.say(format_args!("verified with {whose}: {key}"));
        Ok(())
    }

    /// Writes what comes to a file; gives its SHA-256.
    fn download(&self, path: &Path) -> Result<String, Failure> {
        let mut pairs = self.selection.pairs()?;
        add(&mut pairs, "format", Some("ndjson".to_owned()))?;
        let mut file =
            BufWriter::new(File::create(path).map_err(|cause| Failure::new(2, format!("{}: {cause}", path.display())))?);
        let mut hash = Sha256::new();
        let client = self.who.client()?;
        let path = format!("/v1/log/export?{pairs}");
        let download = client.download(&path, |portion| {
            hash.update(portion);
            file.write_all(portion)
        });
        accepted(runtime()?.block_on(download)?)?;
        file.flush()?;
        Ok(hash.finish().to_string())
    }
}
