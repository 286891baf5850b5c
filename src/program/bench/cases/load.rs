//! The load of a one-stop centre beside open cases: so many requests a second, each sent at its time whether those before it have been
//! answered or not.

use super::super::BenchError;
use super::hall::{Hall, LONG, broken, post};
use super::offices::Task;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Requests a second.
pub(super) const PER_SECOND: u32 = 310;
/// Of so many one is an application for a case, two are steps that are done, and two look at a case; the others are questions for a
/// document of somebody.
const TURN: usize = 31;

/// What came of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Loaded {
    /// Requests that were sent.
    pub sent: u64,
    /// Those that were not answered as they should be, and cases that did not go on.
    pub lost: u64,
    /// In milliseconds: the median, 99 of 100, and the longest.
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub most_ms: f64,
    /// Requests a second that were answered.
    pub per_second: f64,
    /// What was wrong first.
    pub first: Option<String>,
    /// CPU of the gateway, as a share of one core.
    pub core_share: f64,
}

/// Sends for so long; `tasks` are steps that can be done, each of another case.
pub(super) async fn load(hall: &Hall, seconds: u64, tasks: &mut Vec<Task>) -> Result<Loaded, BenchError> {
    let (count, before) = (u64::from(PER_SECOND) * seconds, hall.offices.taken());
    let mut under_way = JoinSet::new();
    let (mut follow, cpu, begun) = (0, hall.cpu(), Instant::now());
    for number in 0..count {
        let due = begun + Duration::from_secs(number) / PER_SECOND;
        tokio::time::sleep_until(due.into()).await;
        match number as usize % TURN {
            0 => {
                let octets = hall.application(&hall.somebody(), LONG)?;
                under_way.spawn(timed(due, post(hall.portal(), octets)));
                follow += 1;
            }
            7 | 22 if !tasks.is_empty() => {
                let task = tasks.swap_remove(number as usize * 7_919 % tasks.len());
                let offices = std::sync::Arc::clone(&hall.offices);
                under_way.spawn(timed(due, async move { offices.done(&task).await }));
                follow += 1;
            }
            11 | 26 if !tasks.is_empty() => {
                let case = tasks.get(number as usize * 104_729 % tasks.len()).map(|task| task.case.to_string());
                let (client, path) = (hall.coordinator(), format!("/v1/cases/{}", case.unwrap_or_default()));
                under_way.spawn(timed(due, look(client, path)));
            }
            _ => {
                let octets = hall.question()?;
                under_way.spawn(timed(due, post(hall.desk(), octets)));
            }
        }
    }
    let mut times = Vec::with_capacity(count as usize);
    let mut found = Loaded { sent: count, ..Loaded::default() };
    while let Some(ended) = under_way.join_next().await {
        match ended.map_err(|_| BenchError::Workload("a task has ended"))? {
            Ok(time) => times.push(time.as_secs_f64() * 1e3),
            Err(error) => {
                found.lost += 1;
                found.first = found.first.or_else(|| Some(error.to_string()));
            }
        }
    }
    let wall = begun.elapsed().as_secs_f64();
    found.core_share = hall.cpu().saturating_sub(cpu).as_secs_f64() / wall;
    // Whatever was begun or done leads to a task for the next agency.
    if let Err(error) = hall.until_taken(before + follow).await {
        found.lost += before + follow - hall.offices.taken();
        found.first = found.first.or_else(|| Some(error.to_string()));
    }
    tasks.extend(hall.offices.take_tasks());
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times.get((times.len() as f64 * share) as usize).or(times.last()).copied().unwrap_or(f64::INFINITY);
    (found.p50_ms, found.p99_ms, found.most_ms) = (at(0.5), at(0.99), at(1.0));
    found.per_second = times.len() as f64 / wall;
    Ok(found)
}

async fn timed(due: Instant, sending: impl Future<Output = Result<(), BenchError>>) -> Result<Duration, BenchError> {
    sending.await?;
    Ok(due.elapsed())
}

async fn look(client: crate::faces::client::Client, path: String) -> Result<(), BenchError> {
    let received = client.get(&path).await.map_err(broken)?;
    if received.status.is_success() { Ok(()) } else { Err(BenchError::Answer(received.status.as_u16(), path)) }
}
