//! Signals of the operating system: those that stop the server, and the one that lets it read its settings again.

use futures_util::stream::{self, Stream, StreamExt};
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

/// An item for each SIGHUP, including those that arrive after this call and before the first poll. Several that arrive
/// while one is handled count as one. If the signal cannot be listened for, that is logged and there are no items.
pub fn reload_requested() -> impl Stream<Item = ()> + Send + Unpin + 'static {
    match signal(SignalKind::hangup()) {
        Ok(signal) => stream::unfold(signal, async |mut signal| Some((signal.recv().await?, signal))).boxed(),
        Err(error) => {
            tracing::warn!(%error, "cannot listen for a signal");
            stream::empty().boxed()
        }
    }
}
