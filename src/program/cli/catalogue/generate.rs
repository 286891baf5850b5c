//! `oncegate catalogue generate`: a catalogue as large as a country's, for load tests.

use super::super::{Failure, Out, Outcome};
use crate::rules::situation::Catalogue;
use clap::Args;
use std::path::PathBuf;

/// Write a large catalogue for load tests: 70 situations of the country and 400 overlays of regions, made from those of the program.
#[derive(Args)]
#[command(before_help = "Examples:\n  oncegate catalogue generate large/\n  oncegate catalogue check large/")]
pub(super) struct Generate {
    /// A new folder
    folder: PathBuf,
    /// Situations of the country
    #[arg(long, default_value_t = 70)]
    federal: usize,
    /// Overlays of regions
    #[arg(long, default_value_t = 400)]
    regional: usize,
}

impl Generate {
    pub(super) fn run(self, out: &Out) -> Outcome {
        if self.folder.exists() {
            return Err(Failure::new(2, format!("{} is there already", self.folder.display())));
        }
        let files = Catalogue::built_in_files();
        let (federal, others): (Vec<_>, Vec<_>) = files.into_iter().partition(|file| file.name.starts_with("federal/"));
        let mut made: Vec<(String, String)> = others
            .iter()
            // Texts of single situations are left out with their situations.
            .filter(|file| !file.name.starts_with("region/"))
            .filter(|file| !file.name.starts_with("texts/") || file.name.starts_with("texts/any/"))
            .map(|file| (file.name.clone(), file.text.clone()))
            .collect();
        let ids: Vec<&str> =
            federal.iter().filter_map(|file| file.name.strip_prefix("federal/")?.strip_suffix(".toml")).collect();
        let mut versions = Vec::new();
        for number in 0..self.federal {
            let (Some(file), Some(id)) = (federal.get(number % federal.len().max(1)), ids.get(number % ids.len().max(1))) else {
                break;
            };
            let own = format!("{id}-{number}");
            let text = file.text.replacen(&format!("id = \"{id}\""), &format!("id = \"{own}\""), 1);
            versions.push((own.clone(), version(&text)));
            made.push((format!("federal/{own}.toml"), text));
        }
        for number in 0..self.regional {
            let Some((own, version)) = versions.get(number % versions.len().max(1)) else { break };
            let region = format!("RU-{:03}", number / versions.len().max(1));
            let head = format!(
                "format = 1\noverlay = \"{own}\"\nbase = \"{version}\"\nregion = \"{region}\"\nversion = \"2026.{number}\"\n"
            );
            made.push((format!("region/{region}/{own}.toml"), format!("{head}{STEP}")));
        }
        for (name, text) in &made {
            let path = self.folder.join(name);
            path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
            std::fs::write(path, text)?;
        }
        out.say(format_args!("{} situations and {} overlays in {}", versions.len(), self.regional, self.folder.display()));
        Ok(())
    }
}

fn version(text: &str) -> String {
    let line = text.lines().find_map(|line| line.strip_prefix("version = \""));
    line.and_then(|rest| rest.split('"').next()).unwrap_or("1").to_owned()
}

/// What each region adds.
const STEP: &str = "
[[step]]
id = \"own.visit\"
title = { en = \"A visit by the region's adviser\", ru = \"Посещение консультанта региона\" }
agency = \"social\"
service = \"adviser\"
deadline = \"5wd\"
tell = { applicant = [\"done\"] }
";
