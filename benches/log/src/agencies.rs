//! Whether what an append costs depends on how many agencies there are.

use crate::work::{cpu, entry_of, middle, open, runtime, settle};
use oncegate::host::store::{Store, Sync};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const RECORDS: u64 = 40_000;

pub fn measure(folder: &Path, rounds: usize) {
    let runtime = runtime();
    let stores = [10, 10_000].map(|agencies| (agencies, Arc::new(open(&folder.join(agencies.to_string()), Sync::Never))));
    let mut costs = [Vec::new(), Vec::new()];
    // The first round gets names known.
    for round in 0..=rounds as u64 {
        for ((agencies, store), costs) in stores.iter().zip(&mut costs) {
            let before = cpu();
            runtime.block_on(append(store, *agencies, round * RECORDS));
            settle(store);
            costs.extend((round > 0).then(|| (cpu() - before).as_secs_f64() * 1e6 / RECORDS as f64));
        }
    }
    let ratio = middle(costs[1].iter().zip(&costs[0]).map(|(many, few)| many / few));
    let [few, many] = costs.map(|costs| middle(costs.into_iter()));
    println!("append, 10 agencies, CPU of a record, us        {few:>12.2}");
    println!("append, 10,000 agencies, CPU of a record, us    {many:>12.2}");
    println!("ratio                                           {ratio:>12.2}");
    stores.iter().for_each(|(_, store)| store.close());
}

async fn append(store: &Arc<Store>, agencies: u64, from: u64) {
    let next = Arc::new(AtomicU64::new(from));
    let tasks: Vec<_> = (0..64)
        .map(|_| {
            let (store, next) = (Arc::clone(store), Arc::clone(&next));
            tokio::spawn(async move {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= from + RECORDS {
                        return;
                    }
                    store.append(entry_of(number, agencies)).await.expect("there is room");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("it ends");
    }
}
