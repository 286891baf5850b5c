//! Cases: what planning takes and reading a catalogue, what an event costs beside so many open cases, how long fourteen documents take,
//! what cases take of memory, the load of a one-stop centre beside them, and a catalogue that is read again in the middle.
//!
//! The gateways are processes of their own; the agencies of the town are here, behind one port, and everything goes over loopback by
//! mutual TLS 1.3. Every case is begun by a signed application, has ten steps, and waits for an agency that is at work at one of them.
//! What is compared runs in turn at two gateways, one with ten open cases and one with all of them.

mod hall;
mod load;
mod offices;
mod pages;
mod planning;

use super::primitive::median;
use super::process;
use super::rounds::free_port;
use super::{BenchError, Options};
use crate::base::time::UnixTime;
use crate::host::control::{Command, call};
use hall::{Hall, LONG, MANY_PAPERS, PAPERS, STEPS};
use load::PER_SECOND;
use offices::Task;
use std::time::{Duration, Instant};

/// Cases at the gateway that has few.
const FEW: usize = 10;
/// Those that are there before memory is counted: what they need once is needed once.
const FIRST: usize = 500;
/// How often few cases are gone on with, or begun, for a figure of one round.
const TIMES: usize = 8;
/// How often the documents of a case are fetched, of which the median counts.
const FETCHES: usize = 15;
/// How long a holder takes to answer.
const HOLDER: Duration = Duration::from_millis(20);
/// What is done after a step was begun is done by then.
const AFTER: Duration = Duration::from_millis(50);
/// Cases that are looked at after the catalogue was read again.
const LOOKED_AT: usize = 200;

/// A figure and its limit.
#[derive(Clone, Debug)]
pub struct Figure {
    /// What it is.
    pub what: String,
    /// How much.
    pub value: f64,
    /// Of what.
    pub unit: &'static str,
    /// The most that it may be, if there is a limit.
    pub limit: Option<f64>,
}

/// What was measured.
#[derive(Clone, Debug, Default)]
pub struct Cases {
    /// The figures, in the order in which they were found.
    pub figures: Vec<Figure>,
    /// Why there are no more of them.
    pub stopped: Option<String>,
}

impl Figure {
    fn holds(&self) -> bool {
        self.limit.is_none_or(|limit| self.value <= limit)
    }
}

impl Cases {
    /// As a table.
    pub fn table(&self) -> String {
        let row = |figure: &Figure| {
            let Figure { what, value, unit, .. } = figure;
            let limit = figure.limit.map_or(String::new(), |limit| format!("≤ {limit}"));
            let verdict = figure.limit.map_or("", |_| if figure.holds() { "met" } else { "MISSED" });
            let row = format!("{what:<66} {value:>10.2} {unit:<5} {limit:<9} {verdict}");
            row.trim_end().to_owned()
        };
        let stopped = self.stopped.iter().map(|why| format!("stopped: {why}"));
        self.figures.iter().map(row).chain(stopped).collect::<Vec<_>>().join("\n")
    }

    /// As a document.
    pub fn json(&self) -> serde_json::Value {
        let figure = |figure: &Figure| {
            serde_json::json!({
                "what": figure.what, "value": figure.value, "unit": figure.unit, "limit": figure.limit,
                "met": figure.limit.map(|_| figure.holds()),
            })
        };
        serde_json::json!({ "format": 1, "figures": self.figures.iter().map(figure).collect::<Vec<_>>(), "stopped": self.stopped })
    }

    fn add(&mut self, what: impl Into<String>, (value, unit): (f64, &'static str), limit: Option<f64>) {
        self.figures.push(Figure { what: what.into(), value, unit, limit });
    }
}

/// Measures beside so many open cases, with so many seconds of load; or, with so many records, the pages of the console alone. Removes what it
/// made.
pub fn cases(
    options: &Options,
    (count, seconds): (usize, u64),
    records: Option<u64>,
    progress: &mut dyn FnMut(&str),
) -> Result<Cases, BenchError> {
    process::raise_open_files();
    if process::can_pin() {
        process::pin(process::LOAD_CORE);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(BenchError::Io)?;
    let mut found = Cases::default();
    let count = count.max(FIRST * 2);
    let result = match records {
        Some(records) => runtime.block_on(browse(options, count, records, (&mut found, progress))),
        None => runtime.block_on(measure(options, count, seconds, (&mut found, progress))),
    };
    drop(runtime);
    let _ = std::fs::remove_dir_all(&options.folder);
    // What takes minutes tells what it has found.
    match result {
        Err(error) if found.figures.is_empty() => Err(error),
        result => Ok(Cases { stopped: result.err().map(|error| error.to_string()), ..found }),
    }
}

/// What was found, and who is told what is going on.
type Told<'t> = (&'t mut Cases, &'t mut dyn FnMut(&str));

/// The pages of the console beside so many cases and records.
async fn browse(options: &Options, count: usize, records: u64, (found, progress): Told<'_>) -> Result<(), BenchError> {
    progress(&format!("{records} records are written"));
    let config = pages::config(free_port()?);
    let hall = Hall::prepared(options, ("pages", config), |hall| pages::fill(hall, records)).await?;
    progress(&format!("{count} cases are begun, by an application each"));
    let mut tasks = hall.begin(count, LONG).await?;
    progress("pages are opened");
    pages::measure(&hall, &mut tasks, found).await
}

async fn measure(options: &Options, count: usize, seconds: u64, (found, progress): Told<'_>) -> Result<(), BenchError> {
    let (mean, dearest) = planning::plan_us()?;
    found.add(format!("a plan of {} steps, mean of all turns of cases", planning::STEPS), (mean, "us"), Some(100.0));
    found.add("the dearest of them", (dearest, "us"), Some(100.0));
    found.add(format!("{} situations are read", planning::SITUATIONS), (planning::load_seconds()?, "s"), Some(1.0));
    let (mut few, mut many) = (Hall::open(options, "few").await?, Hall::open(options, "many").await?);
    fetch(&few, found).await?;
    progress(&format!("{count} cases are begun, by an application each"));
    let mut tasks = many.begin(FIRST, LONG).await?;
    let first_kib = many.settled_kib().await;
    let (cpu, begun) = (many.cpu(), Instant::now());
    tasks.extend(many.begin(count - FIRST, LONG).await?);
    let (cpu, wall) = (many.cpu().saturating_sub(cpu), begun.elapsed());
    let each = (count - FIRST) as f64;
    found.add("beginning one of them, CPU, all at once", (cpu.as_secs_f64() * 1e6 / each, "us"), None);
    found.add("  by the clock", (wall.as_secs_f64() * 1e6 / each, "us"), None);
    let open_kib = many.settled_kib().await;
    found.add(format!("memory of each of {count} open cases"), (kib_each(open_kib, first_kib, each), "KiB"), Some(8.0));
    progress("events beside ten cases and beside all of them, in turn");
    let figures = rounds(options, &few, &many, &mut tasks).await?;
    let cases = count * STEPS;
    for (what, few_us, many_us, ratio) in figures {
        found.add(format!("{what}, CPU beside {FEW} open cases"), (few_us, "us"), None);
        found.add(format!("{what}, CPU beside {count} with {cases} steps"), (many_us, "us"), None);
        found.add("  ratio, the median of all rounds", (ratio, ""), Some(1.2));
    }
    if seconds > 0 {
        progress(&format!("{PER_SECOND} requests a second for {seconds} s"));
        one_stop(&many, seconds, &mut tasks, found).await?;
    }
    progress("the catalogue is read again while cases go on");
    reload(&many, &mut tasks, found).await?;
    progress("all cases are taken back");
    let closed_at_few = FETCHES + (options.rounds + 1) * TIMES * FEW;
    close((&mut few, closed_at_few), &mut many, &tasks, found).await?;
    Ok(())
}

/// Fourteen documents of holders that take their time.
async fn fetch(hall: &Hall, found: &mut Cases) -> Result<(), BenchError> {
    hall.offices.pause(HOLDER);
    let (mut fetched, mut offered, mut cases) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..FETCHES {
        let octets = hall.application(&hall.somebody(), MANY_PAPERS)?;
        let (before, begun) = (hall.offices.taken(), Instant::now());
        hall::post(hall.portal(), octets).await?;
        hall.until_taken(before + 1).await?;
        let Some(task) = hall.offices.take_tasks().pop() else { return Err(BenchError::Workload("no task")) };
        offered.push(task.at.duration_since(begun).as_secs_f64() * 1e3);
        let timeline = hall.look(&format!("/v1/cases/{}/timeline", task.case)).await?;
        fetched.push(fetched_ms(&timeline)?);
        cases.push(task);
    }
    hall.offices.pause(Duration::ZERO);
    hall.withdraw(&cases).await?;
    let what = format!("{} documents of holders that take {} ms: all are there", PAPERS.len(), HOLDER.as_millis());
    found.add(what, (median(&mut fetched), "ms"), Some(100.0));
    found.add("  and the agency has its task with them", (median(&mut offered), "ms"), None);
    Ok(())
}

/// From the beginning of a case until the last document had come.
fn fetched_ms(timeline: &serde_json::Value) -> Result<f64, BenchError> {
    let events = timeline.as_array().ok_or(BenchError::Workload("a timeline"))?;
    let at = |event: &serde_json::Value| event["at"].as_str().and_then(UnixTime::parse).map(UnixTime::as_ms);
    let opened = events.iter().find(|event| event["what"] == "opened").and_then(at);
    let came: Vec<u64> = events.iter().filter(|event| event["what"] == "came").filter_map(at).collect();
    match (opened, came.iter().max()) {
        (Some(opened), Some(last)) if came.len() == PAPERS.len() => Ok(last.saturating_sub(opened) as f64),
        _ => Err(BenchError::Start(format!("{} of {} documents have come: {timeline}", came.len(), PAPERS.len()))),
    }
}

/// Rounds at both gateways: for a step that is done, and for an application, what it costs there and there, and how they compare.
async fn rounds(
    options: &Options,
    few: &Hall,
    many: &Hall,
    tasks: &mut Vec<Task>,
) -> Result<[(&'static str, f64, f64, f64); 2], BenchError> {
    let mut found = [(Vec::new(), Vec::new(), Vec::new()), (Vec::new(), Vec::new(), Vec::new())];
    let mut own = few.begin(FEW, LONG).await?;
    // Whatever is needed once is there.
    at_few(few, &mut own).await?;
    for _ in 0..options.rounds {
        let at_few = at_few(few, &mut own).await?;
        let at_many = at_many(many, tasks).await?;
        for ((few, many, ratio), (of_few, of_many)) in found.iter_mut().zip(at_few.into_iter().zip(at_many)) {
            few.push(of_few);
            many.push(of_many);
            ratio.push(of_many / of_few);
        }
    }
    let mut names = ["a step that is done, up to the next agency", "an application, up to the first agency"].into_iter();
    Ok(found.map(|(mut few, mut many, mut ratio)| {
        (names.next().unwrap_or_default(), median(&mut few), median(&mut many), median(&mut ratio))
    }))
}

/// CPU of a step and of an application where there are ten cases, in microseconds.
async fn at_few(hall: &Hall, own: &mut Vec<Task>) -> Result<[f64; 2], BenchError> {
    let mut spent = [Duration::ZERO; 2];
    for _ in 0..TIMES {
        spent[0] += hall.spent(hall.go_on(own)).await?.0;
        let (began, next) = hall.spent(hall.begin(FEW, LONG)).await?;
        spent[1] += began;
        // There are ten again, of which nothing has been done yet.
        hall.withdraw(own).await?;
        tokio::time::sleep(AFTER).await;
        *own = next;
    }
    Ok(spent.map(|spent| spent.as_secs_f64() * 1e6 / (TIMES * FEW) as f64))
}

/// The same where there are many: each step is of another case.
async fn at_many(hall: &Hall, tasks: &mut Vec<Task>) -> Result<[f64; 2], BenchError> {
    let mut spent = [Duration::ZERO; 2];
    let mut next = Vec::new();
    for time in 0..TIMES {
        let mut own = Vec::with_capacity(FEW);
        for number in 0..FEW.min(tasks.len()) {
            let at = (time * FEW + number + 1) * 7_919 % tasks.len();
            own.push(tasks.swap_remove(at));
        }
        let (gone_on, after) = hall.spent(hall.go_on(&own)).await?;
        let (began, fresh) = hall.spent(hall.begin(FEW, LONG)).await?;
        spent[0] += gone_on;
        spent[1] += began;
        next.extend(after.into_iter().chain(fresh));
    }
    // Those of which something has been done come last, and are not taken again in the rounds.
    let done = spent.map(|spent| spent.as_secs_f64() * 1e6 / (TIMES * FEW) as f64);
    tasks.extend(next);
    Ok(done)
}

impl Hall {
    /// CPU that the gateway uses for something, what follows from it included.
    async fn spent<T>(&self, doing: impl Future<Output = Result<T, BenchError>>) -> Result<(Duration, T), BenchError> {
        let before = self.cpu();
        let done = doing.await?;
        tokio::time::sleep(AFTER).await;
        Ok((self.cpu().saturating_sub(before), done))
    }
}

async fn one_stop(hall: &Hall, seconds: u64, tasks: &mut Vec<Task>, found: &mut Cases) -> Result<(), BenchError> {
    let loaded = load::load(hall, seconds, tasks).await?;
    found.add(format!("one-stop load, {PER_SECOND} requests/s for {seconds} s: answered"), (loaded.per_second, "1/s"), None);
    found.add("  half of them within", (loaded.p50_ms, "ms"), None);
    found.add("  99 of 100 within", (loaded.p99_ms, "ms"), Some(250.0));
    found.add("  all within", (loaded.most_ms, "ms"), None);
    found.add(format!("  lost of {}", loaded.sent), (loaded.lost as f64, ""), Some(0.0));
    found.add("  of a core", (loaded.core_share, ""), None);
    match loaded.first {
        Some(first) if loaded.lost == loaded.sent => Err(BenchError::Start(first)),
        Some(first) => {
            found.add(format!("  the first: {}", first.chars().take(120).collect::<String>()), (1.0, ""), None);
            Ok(())
        }
        None => Ok(()),
    }
}

/// Another version comes into force while steps are done: no case is lost, and each stays with its version.
async fn reload(hall: &Hall, tasks: &mut Vec<Task>, found: &mut Cases) -> Result<(), BenchError> {
    let before = hall.count_open()?;
    hall.put_version("2")?;
    let data = hall.data();
    let reading = tokio::task::spawn_blocking(move || {
        let begun = Instant::now();
        call(&data, Command::Reload).map(|answer| (answer, begun.elapsed()))
    });
    let split = tasks.len().saturating_sub(LOOKED_AT);
    let gone_on = hall.go_on(&tasks.split_off(split)).await?;
    let (answer, took) = reading.await.map_err(|_| BenchError::Workload("a task has ended"))?.map_err(BenchError::Io)?;
    let refused = answer.ok_or(BenchError::Workload("no gateway answers"))?.refused;
    if !refused.is_empty() {
        return Err(BenchError::Start(refused.join("\n")));
    }
    let mut astray = hall.count_open()?.abs_diff(before);
    for task in gone_on.iter().chain(tasks.iter().rev().take(LOOKED_AT)) {
        let case = hall.look(&format!("/v1/cases/{}", task.case)).await?;
        astray += u64::from(case["version"] != "1" || case["state"] != "open");
    }
    tasks.extend(gone_on);
    let fresh = hall.begin(FEW, LONG).await?;
    for task in &fresh {
        let case = hall.look(&format!("/v1/cases/{}", task.case)).await?;
        astray += u64::from(case["version"] != "2");
    }
    tasks.extend(fresh);
    found.add(format!("the catalogue is read again beside {before} open cases"), (took.as_secs_f64(), "s"), None);
    found.add("  cases lost, or gone astray", (astray as f64, ""), Some(0.0));
    Ok(())
}

/// All cases are taken back. What those that are over take of memory is what a start with cases takes more than one without: what the
/// allocator keeps of the time before is not theirs, and the index of their records is the log's. A few have the same fixed costs.
async fn close(
    (few, closed_at_few): (&mut Hall, usize),
    many: &mut Hall,
    tasks: &[Task],
    found: &mut Cases,
) -> Result<(), BenchError> {
    let running_kib = many.settled_kib().await;
    many.withdraw(tasks).await?;
    let closed_kib = many.settled_kib().await;
    let left = many.count_open()?;
    if left > 0 {
        return Err(BenchError::Start(format!("{left} cases are open that were taken back")));
    }
    found.add("resident before all are taken back", (running_kib as f64 / 1024.0, "MiB"), None);
    found.add("  and after", (closed_kib as f64 / 1024.0, "MiB"), None);
    let (few_start, many_start) = (few.restart()?, many.restart()?);
    let (few_with, many_with) = (few.fresh_kib().await?, many.fresh_kib().await?);
    for hall in [&mut *few, &mut *many] {
        hall.coordinate_nothing()?;
        hall.restart()?;
    }
    let (few_without, many_without) = (few.fresh_kib().await?, many.fresh_kib().await?);
    let more = tasks.len().saturating_sub(closed_at_few).max(1);
    let octets = |with: u64, without: u64| (with as f64 - without as f64) * 1024.0;
    let each = (octets(many_with, many_without) - octets(few_with, few_without)) / more as f64;
    found.add("resident after a start beside them", (many_with as f64 / 1024.0, "MiB"), None);
    found.add("  of it for cases", (octets(many_with, many_without) / 1024.0 / 1024.0, "MiB"), None);
    found.add(format!("memory of each of {more} closed cases more"), (each, "B"), Some(256.0));
    found.add("  a start beside them", (many_start.as_secs_f64(), "s"), None);
    found.add("  a start beside few", (few_start.as_secs_f64(), "s"), None);
    Ok(())
}

fn kib_each(after: u64, before: u64, count: f64) -> f64 {
    after.saturating_sub(before) as f64 / count
}
