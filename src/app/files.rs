//! Removes the files of attachments that are gone.

use std::sync::Arc;
use std::time::Duration;

use crate::server::JobFigure;
use crate::store::Store;

/// The interval at which it looks for what other processes left behind, and tries again what failed.
const INTERVAL: Duration = Duration::from_secs(30);

/// Removes files at the start, whenever something was deleted, and at an interval.
pub(super) async fn remove_objects(store: Store, figure: Arc<JobFigure>) {
    loop {
        if let Err(error) = figure.run(store.remove_objects()).await {
            tracing::warn!(%error, "cannot remove files of attachments");
        }
        tokio::select! {
            () = store.removals() => {}
            () = tokio::time::sleep(INTERVAL) => {}
        }
    }
}
