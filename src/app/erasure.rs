//! Goes on with erasures of users that a server or a command began and did not end.

use std::sync::Arc;
use std::time::Duration;

use crate::server::JobFigure;
use crate::store::{Result, Store, in_background};

/// The interval. An erasure that another process is doing is not in the way of a second one.
const INTERVAL: Duration = Duration::from_secs(30);

/// Looks for them at the start, and then for ever.
pub(super) async fn go_on(store: Store, figure: Arc<JobFigure>) {
    loop {
        match figure.run(in_background(finish_all(&store))).await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "finished erasures of users"),
            Err(error) => tracing::warn!(%error, "cannot go on with the erasure of a user"),
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

async fn finish_all(store: &Store) -> Result<usize> {
    let users = store.unfinished_erasures().await?;
    for user in &users {
        store.go_on_erasing(user).await?;
    }
    Ok(users.len())
}
