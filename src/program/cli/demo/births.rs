//! What `oncegate demo` tells of life situations: a birth and a pupil's note, in a town of their own.

use super::{Failure, Out, Outcome};
use crate::base::ids::Region;
use crate::gateway::driver::now;
use crate::program::demo::{
    Birth, Line, Note, Postbox, QUALITY, Town, TownPlan, WORKING_DAY_IN_A_SECOND, live_on, made_up, personal_link, tell_birth,
    tell_note,
};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// The household with the newborn, and that of the pupil.
const BIRTH_IN: u32 = 3;
const PUPIL_IN: u32 = 5;
/// Households whose cases stay open.
const OPEN_IN: std::ops::Range<u32> = 6..14;

/// Who looks at the pages of the town: name, role, agency.
const PEOPLE: &[super::pages::Seat] = &[
    ("o.lebedeva", "curator", None, "life situations over all agencies, without names"),
    ("v.orlov", "desk", Some("xx.town.portal"), "the window where people apply"),
];

/// How long the family's mail is waited for: three days of its case are nine seconds.
const SURVEY_WAIT: Duration = Duration::from_secs(15);

/// Where the stories are told, and what came of them.
pub(super) struct Told {
    town: Town,
    birth: Birth,
    postbox: Postbox,
}

/// Makes a town in a folder and tells both stories.
pub(super) async fn births(folder: &Path, region: Option<&Region>, out: &Out) -> Result<Told, Failure> {
    let start = Instant::now();
    let mut say = |line: Line| if out.is_json { Ok(()) } else { show(&line) };
    let postbox = Postbox::open().await.map_err(|error| Failure::new(1, error))?;
    let mut plan = TownPlan { pace: WORKING_DAY_IN_A_SECOND, ..TownPlan::default() };
    // Night and day are a second each: nobody is woken.
    plan.config += &format!(
        "[notices]\nmail = {{ relay = \"smtp://127.0.0.1:{}\", from = \"notices@town.example\" }}\nquiet = \"off\"\n{}",
        postbox.port(),
        super::pages::CONFIGURATION
    );
    plan.config += &format!("quality = \"{QUALITY}\"\n");
    plan.ratings = made_up(now())?;
    let town = Town::start(folder, plan).await?;
    head(&town, region, out)?;
    let birth = tell_birth(&town, &postbox, (BIRTH_IN, region), &mut say).await?;
    birth_summary(&birth, out)?;
    if !out.is_json {
        out.print("\nThe note of a pupil who was ill: from the clinic to the class register")?;
    }
    let note = tell_note(&town, PUPIL_IN, &mut say).await?;
    note_summary(&note, out)?;
    if out.is_json {
        out.print(json(&birth, &note, start.elapsed().as_secs_f64()))?;
    } else {
        out.print(format_args!("   both stories and the town in {:.1} s", start.elapsed().as_secs_f64()))?;
    }
    Ok(Told { town, birth, postbox })
}

impl Told {
    /// What can be tried as long as the town stays up.
    pub(super) async fn next_steps(&self, out: &Out) -> Outcome {
        live_on(&self.town, OPEN_IN).await?;
        let portal = self.town.agency_folder(crate::program::demo::PORTAL);
        out.print(format_args!("   oncegate case show {} --as {}", self.birth.case, portal.display()))?;
        super::pages::links(&self.town.installation().config(), PEOPLE, out)?;
        let link = personal_link(&self.town, &self.birth.case, BIRTH_IN).await?;
        out.print(format_args!(
            "   the family sees its case, and who looked at its papers\n             http://{}/my/{link}",
            self.town.public_address()
        ))?;
        if let Some(link) = self.survey_link().await {
            out.print(format_args!("   family    how it was: one page, for one answer\n             {link}"))?;
        }
        Ok(())
    }

    /// The link that the family was sent some days after the birth's end, by the clock of its case.
    async fn survey_link(&self) -> Option<String> {
        let end = Instant::now() + SURVEY_WAIT;
        while Instant::now() < end {
            let mails = self.postbox.take();
            let words = mails.iter().flat_map(|mail| mail.text.split_whitespace());
            if let Some(link) = words.into_iter().find(|word| word.contains("/s/")) {
                return Some(link.to_owned());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        None
    }

    /// Ends the town.
    pub(super) async fn stop(self) {
        self.town.stop().await;
    }
}

fn head(town: &Town, region: Option<&Region>, out: &Out) -> Outcome {
    if out.is_json {
        return Ok(());
    }
    let place = region.map_or(String::new(), |region| format!(" in {region}"));
    out.print(format_args!(
        "\nThe birth of a child{place}: a town of {} agencies in the test world, where a working day passes in a second",
        town.agencies()
    ))
}

fn show(line: &Line) -> std::io::Result<()> {
    use std::io::Write;
    let when = line
        .minutes
        .map_or(String::new(), |minutes| format!("day {} {:02}:{:02}", minutes / 1440, minutes / 60 % 24, minutes % 60));
    writeln!(std::io::stdout().lock(), "   {when:<12} {:<9} {:<26} {}", line.word, line.who, line.said)
}

fn birth_summary(birth: &Birth, out: &Out) -> Outcome {
    if out.is_json {
        return Ok(());
    }
    out.print(format_args!(
        "   {} of {} steps done by {} agencies in {:.1} days",
        birth.done,
        birth.steps,
        birth.agencies.len(),
        birth.days
    ))?;
    let mut desks: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    birth.at_desks.iter().for_each(|(step, desk)| desks.entry(desk).or_default().push(step));
    for (desk, steps) in desks {
        out.print(format_args!("   at one desk, {desk}: {}", steps.join(", ")))?;
    }
    out.print(format_args!(
        "   {} documents fetched and {} made on the way; {} demanded from the family, and {} question{} in {} form{}",
        birth.fetched,
        birth.made,
        birth.brought,
        birth.questions,
        plural(birth.questions),
        birth.forms,
        plural(birth.forms)
    ))?;
    out.print(format_args!("   {} notices to the family by mail", birth.notices))?;
    out.print(format_args!(
        "   before: {} documents carried to the same agencies, and {:.0} working days by the terms of the law",
        birth.before.documents, birth.before.days
    ))
}

fn note_summary(note: &Note, out: &Out) -> Outcome {
    if out.is_json {
        return Ok(());
    }
    out.print(format_args!(
        "   {:.1} s after the clinic had signed it; the diagnosis stands in {} of {} messages to others than the clinic",
        note.took.as_secs_f64(),
        note.with_diagnosis,
        note.messages
    ))
}

fn plural(count: u64) -> &'static str {
    if count == 1 { "" } else { "s" }
}

fn json(birth: &Birth, note: &Note, seconds: f64) -> serde_json::Value {
    let desks = birth.at_desks.iter().map(|(step, desk)| serde_json::json!({ "step": step, "desk": desk }));
    serde_json::json!({
        "format": 1, "seconds": seconds,
        "birth": {
            "case": birth.case, "state": birth.state, "steps": birth.steps, "done": birth.done, "agencies": birth.agencies,
            "atDesks": desks.collect::<Vec<_>>(), "fetched": birth.fetched, "made": birth.made, "brought": birth.brought,
            "questions": birth.questions, "forms": birth.forms, "notices": birth.notices,
            "days": birth.days,
            "before": { "documents": birth.before.documents, "workingDays": birth.before.days },
        },
        "note": {
            "school": note.school, "seconds": note.took.as_secs_f64(), "messages": note.messages, "withDiagnosis": note.with_diagnosis,
        },
    })
}
