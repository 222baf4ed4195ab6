//! Reads that may take longer than `database.statement_timeout`: transactions that wait for somebody who reads a file.

use std::time::Duration;

tokio::task_local! {
    static IS_LONG: ();
}

/// The time limit of all statements of such a transaction on SQLite.
pub(in crate::store) const LONG: Duration = Duration::from_secs(24 * 3600);

/// Lets a connection be used for long that `work` takes from the pool.
pub(in crate::store) async fn for_long<T>(work: impl Future<Output = T>) -> T {
    IS_LONG.scope((), work).await
}

/// Whether this task takes a connection for long.
pub(in crate::store) fn is_for_long() -> bool {
    IS_LONG.try_with(|()| ()).is_ok()
}
