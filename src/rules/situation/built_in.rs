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
    "federal/business-start.toml",
    "federal/change-of-residence.toml",
    "federal/death-of-a-relative.toml",
    "federal/disability-established.toml",
    "federal/fertility-treatment.toml",
    "federal/first-job.toml",
    "federal/guardianship.toml",
    "federal/higher-education.toml",
    "federal/large-family.toml",
    "federal/long-absence-from-school.toml",
    "federal/long-term-care.toml",
    "federal/loss-of-breadwinner.toml",
    "federal/loss-of-work.toml",
    "federal/marriage.toml",
    "federal/oncology-pathway.toml",
    "federal/orphan-turns-18.toml",
    "federal/pregnancy.toml",
    "federal/pupil-illness.toml",
    "federal/rehabilitation-course.toml",
    "federal/retirement.toml",
    "federal/school-place.toml",
    "federal/third-child-special-needs.toml",
    "federal/veteran-status.toml",
    "population.toml",
    "region/RU-MOW/change-of-residence.toml",
    "region/RU-MOW/disability-established.toml",
    "region/RU-MOW/marriage.toml",
    "region/RU-MOW/retirement.toml",
    "region/RU-YAR/birth-of-child.toml",
    "region/RU-YAR/fertility-treatment.toml",
    "region/RU-YAR/first-job.toml",
    "region/RU-YAR/long-absence-from-school.toml",
    "region/RU-YAR/third-child-special-needs.toml",
    "roles.toml",
    "texts/any/bring.en.txt",
    "texts/any/bring.ru.txt",
    "texts/any/closed.en.txt",
    "texts/any/closed.ru.txt",
    "texts/any/done.en.txt",
    "texts/any/done.ru.txt",
    "texts/any/expiring.en.txt",
    "texts/any/expiring.ru.txt",
    "texts/any/failed.en.txt",
    "texts/any/failed.ru.txt",
    "texts/any/form.en.txt",
    "texts/any/form.ru.txt",
    "texts/any/late.en.txt",
    "texts/any/late.ru.txt",
    "texts/any/reminder.en.txt",
    "texts/any/reminder.ru.txt",
    "texts/any/started.en.txt",
    "texts/any/started.ru.txt",
    "texts/any/survey.en.txt",
    "texts/any/survey.ru.txt",
    "texts/any/withdrawn.en.txt",
    "texts/any/withdrawn.ru.txt",
    "texts/birth-of-child/closed.en.txt",
    "texts/birth-of-child/closed.ru.txt",
    "texts/birth-of-child/done.en.txt",
    "texts/birth-of-child/done.ru.txt",
    "texts/birth-of-child/form.en.txt",
    "texts/birth-of-child/form.ru.txt",
    "texts/pupil-illness/done.en.txt",
    "texts/pupil-illness/done.ru.txt",
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
