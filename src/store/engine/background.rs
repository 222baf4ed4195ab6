//! Work that nobody waits for.

tokio::task_local! {
    static IS_BACKGROUND: ();
}

/// Runs work in the background. Its statements are not counted among those that requests need.
pub async fn in_background<T>(work: impl Future<Output = T>) -> T {
    IS_BACKGROUND.scope((), work).await
}

/// Whether this task works in the background now.
pub(in crate::store) fn is_background() -> bool {
    IS_BACKGROUND.try_with(|()| ()).is_ok()
}
