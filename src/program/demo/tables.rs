//! The registers of the demo as files: a table of separated values for each document, which a clerk can open and change, and the mapping
//! that makes documents of its lines. The holders answer from them by the agent's own code.

use super::people::{Person, Role, people};
use super::provider::Register;
use super::world::{World, WorldError};
use crate::base::ids::Identifier;
use crate::base::time::Day;
use crate::faces::agent::{Config, FILE, Finding, Holder, Say, quoted, schemas};
use crate::gateway::driver::now;
use crate::message::schema::fields_of_header;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How often it is looked whether somebody has changed a table.
const LOOK: Duration = Duration::from_millis(500);

/// A column: its title, and what stands in it for a person of a family.
type Column = (&'static str, fn(&Person, &[Person]) -> String);

/// A register for one document type.
struct Kept {
    document: &'static str,
    /// The name of its files.
    file: &'static str,
    /// Of whom there is a line.
    has: fn(&Person) -> bool,
    columns: &'static [Column],
    /// The element of the person whose line it is.
    person: &'static str,
    /// The lines of the mapping beside those of the head and of that person.
    map: &'static str,
}

/// A holder: its agency, what it is called, its number, what it has.
struct Office {
    agency: &'static str,
    name: &'static str,
    number: u32,
    registers: &'static [Kept],
}

const ID: Column = ("Number", |person, _| person.identifier.value().to_owned());
const FAMILY: Column = ("Surname", |person, _| person.family.clone());
const GIVEN: Column = ("First name", |person, _| person.given.to_owned());
const SEX: Column = ("Sex", |person, _| person.sex.to_owned());
const BORN: Column = ("Born", |person, _| day(person.born));

fn day(day: Day) -> String {
    let (year, month, day) = day.parts();
    format!("{day:02}.{month:02}.{year}")
}

fn days_from_today(days: i64) -> String {
    day(Day::from_days(now().day().days_since_epoch() + days))
}

fn of_role(family: &[Person], role: Role) -> Option<&Person> {
    family.iter().find(|person| person.role == role)
}

fn of(family: &[Person], role: Role, tell: fn(&Person) -> String) -> String {
    of_role(family, role).map(tell).unwrap_or_default()
}

const OFFICES: [Office; 4] = [
    Office {
        agency: "xx.demo.clinic-3",
        name: "Clinic 3",
        number: 9001,
        registers: &[Kept {
            document: "medical-absence-note",
            file: "absence-notes",
            // One pupil in three has not been ill.
            has: |person| person.role == Role::Pupil && person.household() % 3 != 2,
            columns: &[
                ("Note", |person, _| format!("N-{}", person.number)),
                ID,
                FAMILY,
                GIVEN,
                SEX,
                BORN,
                ("Ill from", |_, _| days_from_today(-6)),
                ("Ill until", |_, _| days_from_today(-2)),
                ("Days", |_, _| "5".to_owned()),
                ("Reason", |_, _| "illness".to_owned()),
                ("No sports from", |_, _| days_from_today(-1)),
                ("No sports until", |_, _| days_from_today(12)),
                ("Back on", |_, _| days_from_today(-1)),
            ],
            person: "Patient",
            map: r#""Head/DocumentId" = { column = "Note", as = "document-id" }
"Absence/From" = { column = "Ill from", as = "day", form = "dd.mm.yyyy" }
"Absence/To" = { column = "Ill until", as = "day", form = "dd.mm.yyyy" }
"Days" = { column = "Days", as = "integer" }
"Reason" = "Reason"
"FirstOrFollowUp" = { text = "first" }
"PeExemption/From" = { column = "No sports from", as = "day", form = "dd.mm.yyyy" }
"PeExemption/To" = { column = "No sports until", as = "day", form = "dd.mm.yyyy" }
"MayReturnOn" = { column = "Back on", as = "day", form = "dd.mm.yyyy" }
"#,
        }],
    },
    Office {
        agency: "xx.demo.school-17",
        name: "School 17",
        number: 9017,
        registers: &[Kept {
            document: "school-enrolment",
            file: "pupils",
            has: |person| person.role == Role::Pupil,
            columns: &[
                ID,
                FAMILY,
                GIVEN,
                SEX,
                BORN,
                ("Class", |_, _| "4 B".to_owned()),
                ("Since", |_, _| "01.09.2022".to_owned()),
                ("At school", |_, _| "yes".to_owned()),
            ],
            person: "Pupil",
            map: r#""Head/DocumentId" = { column = "Number", as = "document-id" }
"School" = { agency = true }
"Class" = "Class"
"Since" = { column = "Since", as = "day", form = "dd.mm.yyyy" }
"Active" = { column = "At school", as = "yes-no", yes = ["yes"], no = ["no"] }
"Form" = { text = "day" }
"#,
        }],
    },
    Office {
        agency: "xx.demo.maternity",
        name: "Maternity hospital",
        number: 9003,
        registers: &[Kept {
            document: "medical-birth-record",
            file: "births",
            has: |person| person.role == Role::Mother,
            columns: &[
                ID,
                FAMILY,
                GIVEN,
                SEX,
                BORN,
                ("Child born", |_, family| of(family, Role::Newborn, |child| format!("{} 03:20", day(child.born)))),
                ("Child's sex", |_, family| of(family, Role::Newborn, |child| child.sex.to_owned())),
                ("Her child number", |_, _| "2".to_owned()),
            ],
            person: "Mother",
            map: r#""Head/DocumentId" = { column = "Number", as = "document-id" }
"BirthAt" = { column = "Child born", as = "instant", form = "dd.mm.yyyy HH:MM", zone = "+00:00" }
"Place/Country" = { text = "RU" }
"Child/Sex" = "Child's sex"
"Child/LiveBirth" = { text = "true" }
"Child/OrderInBirth" = { text = "1" }
"Multiplicity" = { text = "1" }
"OrderForMother" = { column = "Her child number", as = "integer" }
"AttendedBy" = { agency = true }
"#,
        }],
    },
    Office {
        agency: "xx.demo.civil-registry",
        name: "Civil registry office",
        number: 9002,
        registers: &[
            Kept {
                document: "birth-certificate",
                file: "births",
                has: |person| matches!(person.role, Role::Pupil | Role::Newborn),
                columns: &[
                    ("Entry", |person, _| format!("1102697600{:05}", person.number)),
                    ("Entered on", |person, _| day(Day::from_days(person.born.days_since_epoch() + 1))),
                    ID,
                    FAMILY,
                    GIVEN,
                    SEX,
                    BORN,
                    ("Mother", |_, family| of(family, Role::Mother, |mother| mother.identifier.value().to_owned())),
                    ("Mother's surname", |_, family| of(family, Role::Mother, |mother| mother.family.clone())),
                    ("Mother's first name", |_, family| of(family, Role::Mother, |mother| mother.given.to_owned())),
                    ("Mother born", |_, family| of(family, Role::Mother, |mother| day(mother.born))),
                    ("Father", |_, family| of(family, Role::Father, |father| father.identifier.value().to_owned())),
                    ("Father's surname", |_, family| of(family, Role::Father, |father| father.family.clone())),
                    ("Father's first name", |_, family| of(family, Role::Father, |father| father.given.to_owned())),
                    ("Father born", |_, family| of(family, Role::Father, |father| day(father.born))),
                ],
                person: "Child",
                map: r#""Head/DocumentId" = { column = "Entry", as = "document-id" }
"Record/Register" = { text = "births" }
"Record/Number" = "Entry"
"Record/Date" = { column = "Entered on", as = "day", form = "dd.mm.yyyy" }
"Record/Office" = { agency = true }
"Child/BirthPlace/Country" = { text = "RU" }
"Child/BirthPlace/Region" = { text = "RU-YAR" }
"Child/LiveBirth" = { text = "true" }
"Parent[1]/Role" = { text = "mother" }
"Parent[1]/Person/Id" = { column = "Mother", as = "id", scheme = "XX-OGTEST" }
"Parent[1]/Person/Name/Family" = "Mother's surname"
"Parent[1]/Person/Name/Given" = "Mother's first name"
"Parent[1]/Person/Sex" = { text = "female" }
"Parent[1]/Person/BirthDate" = { column = "Mother born", as = "day", form = "dd.mm.yyyy" }
"Parent[2]/Role" = { text = "father" }
"Parent[2]/Person/Id" = { column = "Father", as = "id", scheme = "XX-OGTEST" }
"Parent[2]/Person/Name/Family" = "Father's surname"
"Parent[2]/Person/Name/Given" = "Father's first name"
"Parent[2]/Person/Sex" = { text = "male" }
"Parent[2]/Person/BirthDate" = { column = "Father born", as = "day", form = "dd.mm.yyyy" }
"FatherBasis" = { text = "marriage" }
"#,
            },
            Kept {
                document: "identity-record",
                file: "passports",
                has: |person| matches!(person.role, Role::Mother | Role::Father),
                columns: &[
                    ID,
                    FAMILY,
                    GIVEN,
                    SEX,
                    BORN,
                    ("Passport", |person, _| format!("78 20 {:06}", person.number)),
                    ("Issued on", |_, _| "01.06.2020".to_owned()),
                    ("Issued by", |_, _| "Office 1".to_owned()),
                    ("In force", |_, _| "yes".to_owned()),
                ],
                person: "Person",
                map: r#""Head/DocumentId" = { column = "Passport", as = "document-id" }
"Document/Kind" = { text = "passport" }
"Document/Number" = "Passport"
"Document/IssuedOn" = { column = "Issued on", as = "day", form = "dd.mm.yyyy" }
"Document/IssuedBy" = "Issued by"
"Document/Valid" = { column = "In force", as = "yes-no", yes = ["yes"], no = ["no"] }
"Citizen" = { text = "true" }
"#,
            },
            Kept {
                document: "residence-record",
                file: "residence",
                has: |_| true,
                columns: &[
                    ID,
                    FAMILY,
                    GIVEN,
                    SEX,
                    BORN,
                    ("Kind", |_, _| "permanent".to_owned()),
                    ("Region", |_, _| "RU-YAR".to_owned()),
                    ("Since", |_, _| "20.05.2018".to_owned()),
                ],
                person: "Person",
                map: r#""Head/DocumentId" = { column = "Number", as = "document-id" }
"Kind" = "Kind"
"Place/Country" = { text = "RU" }
"Place/Region" = "Region"
"Since" = { column = "Since", as = "day", form = "dd.mm.yyyy" }
"#,
            },
        ],
    },
];

impl Kept {
    /// The table, a line for each person of whom there is something.
    fn table(&self, people: &[Person]) -> String {
        let titles: Vec<&str> = self.columns.iter().map(|(title, _)| *title).collect();
        let mut table = titles.join(";") + "\n";
        for family in people.chunks(4) {
            for person in family.iter().filter(|person| (self.has)(person)) {
                let cells: Vec<String> = self.columns.iter().map(|(_, cell)| cell(person, family)).collect();
                table += &cells.join(";");
                table.push('\n');
            }
        }
        table
    }

    fn mapping(&self) -> String {
        format!(
            "# How a line of {file}.csv becomes a {document}: on the left the path in the document, on the right the column.\nformat = 1\n\
             document = \"{document}\"\nperson = {{ column = \"Number\", scheme = \"XX-OGTEST\" }}\n\n[map]\n\"Head/Issuer\" = {{ agency = true }}\n\
             \"Head/IssuedAt\" = {{ now = true }}\n\"Head/Status\" = {{ text = \"in-force\" }}\n\
             \"{person}/Id\" = {{ column = \"Number\", as = \"id\", scheme = \"XX-OGTEST\" }}\n\
             \"{person}/Name/Family\" = \"Surname\"\n\"{person}/Name/Given\" = \"First name\"\n\"{person}/Sex\" = \"Sex\"\n\
             \"{person}/BirthDate\" = {{ column = \"Born\", as = \"day\", form = \"dd.mm.yyyy\" }}\n{map}",
            file = self.file,
            document = self.document,
            person = self.person,
            map = self.map
        )
    }
}

impl Office {
    /// Writes what `oncegate agent run` needs beside the keys that are there.
    fn furnish(&self, folder: &Path, at: &str, people: &[Person]) -> std::io::Result<()> {
        let mut agent = format!(
            "# The agent of the demo for {}: docs/agent.md has all keys.\nformat = 1\nholds = \"{at}\"\n\n[agency]\nname = {}\nidentifier = \"XX-OGTEST:{}\"\n",
            self.agency,
            quoted(self.name),
            Identifier::synthetic(self.number).value()
        );
        for register in self.registers {
            let Kept { file, .. } = register;
            let _ = write!(
                agent,
                "\n[source.{file}]\nkind = \"csv\"\nfile = \"{file}.csv\"\nseparator = \";\"\n\n[[hold]]\nsource = \"{file}\"\nmap = \"{file}.toml\"\n"
            );
            std::fs::write(folder.join(format!("{file}.csv")), register.table(people))?;
            std::fs::write(folder.join(format!("{file}.toml")), register.mapping())?;
        }
        std::fs::write(folder.join(FILE), agent)
    }
}

/// The table of the clinic, which the demo speaks of.
pub fn notes_of_the_clinic(world: &World) -> PathBuf {
    world.agency_folder("xx.demo.clinic-3").join("absence-notes.csv")
}

/// Has the holders of a world answer from tables from now on, until it stops. What is changed in a table, and what is wrong with it, is
/// said.
pub async fn keep_tables(world: &World, say: Say) -> Result<(), WorldError> {
    let people = people();
    for office in &OFFICES {
        let folder = world.agency_folder(office.agency);
        let at = world.provider_address(office.agency).map(|address| address.to_string()).unwrap_or_default();
        office.furnish(&folder, &at, &people)?;
        let wrong = |findings: Vec<Finding>| {
            WorldError::Unlike(findings.first().map_or_else(|| "an agent does not open".to_owned(), ToString::to_string))
        };
        let config = Config::load(&folder).map_err(wrong)?;
        let holder = Arc::new(Holder::open(&config, schemas(&config).map_err(wrong)?).await.map_err(wrong)?);
        world.answer_from(office.agency, register(Arc::clone(&holder)));
        tokio::spawn(look_again(holder, (office.agency, Arc::clone(&say)), world.stopped()));
    }
    Ok(())
}

fn register(holder: Arc<Holder>) -> Register {
    Arc::new(move |octets, fields| {
        let holder = Arc::clone(&holder);
        Box::pin(async move {
            let fields = fields.as_deref().and_then(fields_of_header);
            holder.answer(&octets, fields).await.ok().map(|answered| answered.octets)
        })
    })
}

async fn look_again(holder: Arc<Holder>, (agency, say): (&str, Say), mut stop: tokio::sync::watch::Receiver<bool>) {
    let mut told = String::new();
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(LOOK) => {}
        }
        for line in holder.refresh().await {
            let line = line.unwrap_or_else(|error| format!("{error}; the last good one stays in use"));
            // What is wrong is told once.
            if line != told {
                say(format!("{agency}: {line}"));
                told = line;
            }
        }
    }
}
