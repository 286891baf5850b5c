//! `oncegate schema fields`: what documents of a type may lack, and which grants release it.

use crate::base::fault::nearest;
use crate::base::ids::Code;
use crate::host::config::Config;
use crate::message::schema::{Describing, DocumentType, Known, Reach, Schemas};
use crate::program::cli::{Failure, Out, Outcome};
use crate::program::server::check;
use crate::rules::policy::describes;
use crate::rules::registry::Grant;
use std::path::PathBuf;

const EXAMPLES: &str = "Examples:\n  oncegate schema fields medical-absence-note -c office/oncegate.toml\n  \
oncegate schema fields birth-certificate --grant fund-reads-birth --role mother --json";

/// Say which fields documents of a type may lack, and which grants release each. Needs no running gateway.
#[derive(clap::Args)]
#[command(before_help = EXAMPLES)]
pub(super) struct Fields {
    /// The document type, such as medical-absence-note
    document: String,
    /// One grant alone
    #[arg(long)]
    grant: Option<String>,
    /// The role of the subject in the document, where there are several
    #[arg(long, default_value = "")]
    role: String,
    /// The configuration
    #[arg(short, long, default_value = "oncegate.toml")]
    config: PathBuf,
}

impl Fields {
    pub(super) fn run(self, out: &Out) -> Outcome {
        let config = Config::load(&self.config).map_err(|error| Failure::new(2, error))?;
        let checked = check(config).map_err(|error| Failure::new(2, error))?;
        let document = find(checked.sets.schemas(), &self.document)?;
        let of_type: Vec<&Grant> = checked.registry.grants().filter(|grant| grant.what == document.name).collect();
        let is_meant = |grant: &&&Grant| self.grant.as_deref().is_none_or(|name| name == grant.id.as_str());
        let grants: Vec<&Grant> = of_type.iter().filter(is_meant).copied().collect();
        if let (Some(name), true) = (&self.grant, grants.is_empty()) {
            let near = nearest(name, of_type.iter().map(|grant| grant.id.as_str()));
            let hint = near.map_or(String::new(), |near| format!("; did you mean {near}?"));
            return Err(Failure::new(2, format!("no grant of {} is called {name}{hint}", document.name)));
        }
        let subject = document.described(&self.role);
        let (title, count) = (&document.title, document.fields.len());
        out.say(format_args!("{} ({title}): {count} fields that a document may lack, and who is given each", document.name));
        let known = Known::of(grants.iter().flat_map(|grant| grant.fields.iter()), &document.paths());
        for field in &document.fields {
            Row::of(field, &known, &grants, &subject).show(out)?;
        }
        out.say("What is not listed is in every answer that has what it lies in; in brackets: only as the element around what is granted.");
        if document.reach == Reach::Open {
            out.say("There are more than are listed: the type contains itself, or lets other elements through.");
        }
        for grant in grants.iter().filter(|grant| grant.fields.is_empty()) {
            out.say(format_args!("{} gives what is required and no field", grant.id));
        }
        Ok(())
    }
}

fn find<'s>(schemas: &'s Schemas, name: &str) -> Result<&'s DocumentType, Failure> {
    Code::parse(name).and_then(|code| schemas.document_type(&code)).ok_or_else(|| {
        let near = nearest(name, schemas.document_types().map(|known| known.name.as_str()));
        let hint = near.map_or(String::new(), |near| format!("; did you mean {near}?"));
        Failure::new(2, format!("no document type is called {name}{hint}"))
    })
}

/// A field, and who is given it.
struct Row<'r> {
    field: &'r str,
    /// The consumer knows it: it describes the subject, and nobody else can stand there.
    describes: bool,
    /// The grants that name it, or something that it lies in.
    released: Vec<&'r str>,
    /// Those that name something that lies in it.
    around: Vec<&'r str>,
}

impl<'r> Row<'r> {
    fn of(field: &'r str, known: &Known<'_>, grants: &[&'r Grant], subject: &[Describing<'_>]) -> Self {
        let mut row = Self { field, describes: describes(field, subject), released: Vec::new(), around: Vec::new() };
        for grant in grants {
            if grant.fields.iter().any(|granted| granted.covers(field)) {
                row.released.push(grant.id.as_str());
            } else if grant.fields.iter().any(|granted| granted.releases(field, known)) {
                row.around.push(grant.id.as_str());
            }
        }
        row
    }

    fn show(&self, out: &Out) -> Outcome {
        let mut who: Vec<String> = self.released.iter().map(|name| (*name).to_owned()).collect();
        who.extend(self.around.iter().map(|name| format!("({name})")));
        let who = match (self.describes, who.is_empty()) {
            (true, _) => "whoever asks: it describes the subject".to_owned(),
            (false, true) => "nobody".to_owned(),
            (false, false) => who.join(", "),
        };
        let json = serde_json::json!({
            "format": 1, "field": self.field, "describesSubject": self.describes, "released": self.released, "around": self.around,
        });
        out.result(format_args!("{:<44} {who}", self.field), &json)
    }
}
