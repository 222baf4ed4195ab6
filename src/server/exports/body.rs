//! The body of an export, which is written while it is sent.

use std::io::{self, ErrorKind};

use axum::body::Body;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::sync::mpsc::{Receiver, Sender};

use crate::export::{ExportError, ExportOutput};

/// What an export sends.
pub(super) enum Chunk {
    /// The next bytes.
    Bytes(Bytes),
    /// The export is complete.
    End,
    /// The export failed: it is not complete.
    Failed,
}

/// Sends an export to the body. It waits while the client does not read, and fails when the body is gone.
pub(super) struct ChunkSender(pub(super) Sender<Chunk>);

impl ExportOutput for ChunkSender {
    async fn write(&mut self, bytes: Bytes) -> io::Result<()> {
        let sent = self.0.send(Chunk::Bytes(bytes)).await;
        sent.map_err(|_| io::Error::new(ErrorKind::BrokenPipe, "the client has gone"))
    }
}

impl ChunkSender {
    /// Says how the export ended.
    pub(super) async fn finish(self, fault: Option<ExportError>) {
        let last = match fault {
            None => Chunk::End,
            Some(ExportError::Output(error)) if error.kind() == ErrorKind::BrokenPipe => return,
            Some(error) => {
                tracing::warn!(%error, "an export failed");
                Chunk::Failed
            }
        };
        // The send fails if the client has disconnected.
        let _ = self.0.send(last).await;
    }
}

/// The body with a chunk and those that follow. If they do not end with [`Chunk::End`], neither does the body: the server
/// breaks off the transfer.
pub(super) fn body(first: Chunk, rest: Receiver<Chunk>) -> Body {
    let state = (Some(first), Some(rest));
    // The layer that compresses asks again after the end.
    Body::from_stream(
        stream::unfold(state, |(first, rest)| async move {
            let mut rest = rest?;
            let next = match first {
                None => rest.recv().await,
                first => first,
            };
            match next {
                Some(Chunk::Bytes(bytes)) => Some((Ok(bytes), (None, Some(rest)))),
                Some(Chunk::End) => None,
                Some(Chunk::Failed) | None => {
                    Some((Err(io::Error::other("the export failed")), (None, None)))
                }
            }
        })
        .fuse(),
    )
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Collected};
    use tokio::sync::mpsc;

    use super::*;

    /// The body of these chunks. `None`: it was broken off.
    async fn read(chunks: Vec<Chunk>) -> Option<Bytes> {
        let (sender, receiver) = mpsc::channel(10);
        let mut chunks = chunks.into_iter();
        let first = chunks.next().unwrap();
        for chunk in chunks {
            sender.send(chunk).await.ok().unwrap();
        }
        drop(sender);
        body(first, receiver).collect().await.ok().map(Collected::to_bytes)
    }

    #[tokio::test]
    async fn only_a_whole_export_ends() {
        let bytes = || Chunk::Bytes(Bytes::from_static(b"ab"));
        assert_eq!(read(vec![bytes(), bytes(), Chunk::End]).await.unwrap(), "abab");
        assert_eq!(read(vec![Chunk::End]).await.unwrap(), "");
        assert_eq!(read(vec![bytes(), Chunk::Failed]).await, None);
        assert_eq!(read(vec![bytes()]).await, None, "it panicked");
    }
}
