//! Removes the files of attachments that are gone.

use std::time::Duration;

use crate::store::Store;

/// The interval at which it looks for what other processes left behind, and tries again what failed.
const INTERVAL: Duration = Duration::from_secs(30);

/// Removes files at the start, whenever something was deleted, and at an interval.
pub(super) async fn remove_objects(store: Store) {
    loop {
        if let Err(error) = store.remove_objects().await {
            tracing::warn!(%error, "cannot remove files of attachments");
        }
        tokio::select! {
            () = store.removals() => {}
            () = tokio::time::sleep(INTERVAL) => {}
        }
    }
}
