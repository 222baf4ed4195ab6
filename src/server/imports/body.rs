//! The body of an import, which another thread reads.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::graphql::Code;
use crate::server::refusal::Refusal;
use crate::server::state::ServerState;

/// The least bytes that a client must send within `server.body_timeout`.
const PROGRESS_BYTES: usize = 64 * 1024;

/// Chunks that wait to be read.
const CHUNKS: usize = 4;

/// What is wrong with the body, once it is known.
#[derive(Clone, Default)]
pub(super) struct BodyFault(Arc<Mutex<Option<Fault>>>);

#[derive(Clone, Copy)]
enum Fault {
    TooLarge(u64),
    TooSlow(Duration),
    CutOff,
}

impl BodyFault {
    fn set(&self, fault: Fault) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
    }

    /// The error for the client. What came before the fault is imported.
    pub(super) fn take(&self) -> Option<Refusal> {
        let fault = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Some(match fault? {
            Fault::TooLarge(most) => too_large(most),
            Fault::TooSlow(timeout) => {
                let time = humantime::format_duration(timeout);
                let message = format!("at least {PROGRESS_BYTES} bytes of the body must arrive in {time}");
                Refusal::Other(StatusCode::REQUEST_TIMEOUT, Code::BadRequest, message)
            }
            Fault::CutOff => {
                let message = "the body ended before its end".to_owned();
                Refusal::Other(StatusCode::BAD_REQUEST, Code::BadRequest, message)
            }
        })
    }
}

/// The error for a body with more than `most` bytes.
pub(super) fn too_large(most: u64) -> Refusal {
    let message = format!("the body has more than {most} bytes (`imports.bytes`)");
    Refusal::Other(StatusCode::PAYLOAD_TOO_LARGE, Code::PayloadTooLarge, message)
}

/// Reads what arrives. It blocks, so it belongs on a thread of its own.
pub(super) struct BodyReader {
    chunks: mpsc::Receiver<Option<Bytes>>,
    chunk: Bytes,
    has_ended: bool,
}

impl BodyReader {
    /// Begins to take a body.
    pub(super) fn start(shared: &Arc<ServerState>, body: Body) -> (Self, BodyFault) {
        let (sender, chunks) = mpsc::channel(CHUNKS);
        let fault = BodyFault::default();
        let pump = Pump { most: shared.settings.import_bytes, timeout: shared.settings.body_timeout, sender };
        let (found, abort) = (fault.clone(), shared.abort.clone());
        shared.tasks.spawn(async move {
            if let Some(Err(fault)) = abort.run_until_cancelled(pump.run(body)).await {
                found.set(fault);
            }
        });
        (Self { chunks, chunk: Bytes::new(), has_ended: false }, fault)
    }
}

/// Passes a body on, within its limits. The end is `None`.
struct Pump {
    most: u64,
    timeout: Duration,
    sender: mpsc::Sender<Option<Bytes>>,
}

impl Pump {
    async fn run(self, body: Body) -> Result<(), Fault> {
        let mut chunks = body.into_data_stream();
        let (mut size, mut since, mut waited) = (0_u64, 0, Duration::ZERO);
        loop {
            let begin = Instant::now();
            let left = self.timeout.saturating_sub(waited);
            let next = tokio::time::timeout(left, chunks.next()).await;
            let Some(chunk) = next.map_err(|_| Fault::TooSlow(self.timeout))? else { break };
            let chunk = chunk.map_err(|_| Fault::CutOff)?;
            // The time that the import takes is not the client's.
            waited += begin.elapsed();
            since += chunk.len();
            if since >= PROGRESS_BYTES {
                (since, waited) = (0, Duration::ZERO);
            }
            size += chunk.len() as u64;
            if size > self.most {
                return Err(Fault::TooLarge(self.most));
            }
            if self.sender.send(Some(chunk)).await.is_err() {
                return Ok(());
            }
        }
        // If the import has ended, nobody reads on.
        let _ = self.sender.send(None).await;
        Ok(())
    }
}

impl Read for BodyReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() && !self.has_ended {
            match self.chunks.blocking_recv() {
                Some(Some(chunk)) => self.chunk = chunk,
                Some(None) => self.has_ended = true,
                None => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the body was broken off")),
            }
        }
        let count = self.chunk.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.chunk.split_to(count));
        Ok(count)
    }
}
