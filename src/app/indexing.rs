//! Keeps the search index up to date in the background.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::model::OwnerId;
use crate::server::JobFigure;
use crate::store::{Result, Store};

/// How often all accounts are looked at, for what other processes wrote and did not index.
const SWEEP: Duration = Duration::from_secs(600);

/// How long to wait after an error.
const BACKOFF: Duration = Duration::from_secs(5);

/// The share of its time that indexing what was just written rests, so that most of the processor is left for requests:
/// it rests this many times as long as it worked. Under load it then indexes more at once, which costs less.
const REST: u32 = 2;

/// The longest rest.
const LONGEST_REST: Duration = Duration::from_secs(1);

/// How often the log tells how far a sweep is.
const REPORT: Duration = Duration::from_secs(10);

/// Indexes what was written, and at the start and from time to time what others left behind.
pub(super) async fn index(store: Store, figure: Arc<JobFigure>) {
    loop {
        if let Err(error) = figure.run(sweep(&store)).await {
            tracing::warn!(%error, "cannot bring the search index up to date");
            tokio::time::sleep(BACKOFF).await;
            continue;
        }
        let until = tokio::time::sleep(SWEEP);
        tokio::pin!(until);
        loop {
            tokio::select! {
                () = &mut until => break,
                owner = store.next_owner_to_index() => index_owner(&store, &owner, &figure).await,
            }
        }
    }
}

async fn index_owner(store: &Store, owner: &OwnerId, figure: &JobFigure) {
    let begun = Instant::now();
    if let Err(error) = figure.run(store.index_owner(owner)).await {
        // The next sweep finds it again.
        tracing::warn!(%error, "cannot index an owner's messages");
        tokio::time::sleep(BACKOFF).await;
    }
    tokio::time::sleep((begun.elapsed() * REST).min(LONGEST_REST)).await;
}

/// Indexes every owner whose index lacks something. What was written meanwhile is done in between.
async fn sweep(store: &Store) -> Result<()> {
    let (mut owners, mut documents) = (0_u64, 0_u64);
    let mut reported = Instant::now();
    let mut after = String::new();
    loop {
        let (lacking, last) = store.owners_to_index(&after).await?;
        for owner in &lacking {
            documents += store.index_owner(owner).await?;
            owners += 1;
            if reported.elapsed() >= REPORT {
                tracing::info!(owners, documents, "bringing the search index up to date");
                reported = Instant::now();
            }
        }
        let Some(last) = last else { break };
        after = last.as_str().to_owned();
    }
    if documents > 0 {
        tracing::info!(owners, documents, "the search index is up to date");
    }
    Ok(())
}
