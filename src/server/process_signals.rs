//! Signals that stop the server.

use tokio::signal::unix::{SignalKind, signal};

/// Resolves on Ctrl-C or SIGTERM, including one that arrives after this call and before the first poll. A
/// signal that cannot be listened for is logged and never resolves.
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
