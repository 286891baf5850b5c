//! The catalogue that comes with the program. A test holds the list against the folder.

use super::diagnostic::File;
use super::{Catalogue, Diagnostic};
use crate::message::schema::Schemas;

macro_rules! files {
    ($($name:literal),* $(,)?) => { &[$(($name, include_str!(concat!("../../../schemas/catalogue/", $name)))),*] };
}

const FILES: &[(&str, &str)] = files![
    "agencies.toml",
    "calendar/RU.toml",
    "catalogue.toml",
    "documents.toml",
    "facts.toml",
    "federal/birth-of-child.toml",
    "federal/higher-education.toml",
    "federal/loss-of-work.toml",
    "federal/pupil-illness.toml",
    "population.toml",
    "region/RU-YAR/birth-of-child.toml",
    "roles.toml",
];

impl Catalogue {
    /// The files of the catalogue that comes with the program.
    pub fn built_in_files() -> Vec<File> {
        FILES.iter().map(|(name, text)| File::new(*name, *text)).collect()
    }

    /// The catalogue that comes with the program, where these are the schemas.
    pub fn built_in(schemas: &Schemas) -> Result<Self, Vec<Diagnostic>> {
        Self::read(&Self::built_in_files(), schemas)
    }
}
