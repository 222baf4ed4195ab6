//! When to stop.

use tokio::signal::unix::{SignalKind, signal};

/// Resolves on Ctrl-C or SIGTERM, also on one that came after this call and before it is polled. A signal that
/// cannot be listened for never comes.
pub fn terminated() -> impl Future<Output = ()> + Send + 'static {
    let wait = |kind| {
        let listening = signal(kind);
        async move {
            match listening {
                Ok(mut signal) => {
                    signal.recv().await;
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot listen for a signal");
                    std::future::pending::<()>().await;
                }
            }
        }
    };
    let (interrupted, terminated) = (wait(SignalKind::interrupt()), wait(SignalKind::terminate()));
    async move {
        tokio::select! {
            () = interrupted => {}
            () = terminated => {}
        }
    }
}
