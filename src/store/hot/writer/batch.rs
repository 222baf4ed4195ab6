//! Batches: all requests that wait, in the order of arrival, up to a limit.
//!
//! An id occurs once in a batch, and an append that expects a head, or none, is the first of its conversation. So the
//! requests of a batch can be written in any order, and the state before the batch is enough to decide each of them. A
//! request that does not fit comes first in the next batch.

use std::collections::{HashSet, VecDeque};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::request::{Batch, Follows, NewMessages, NewTextChunk, WriteRequest};
use crate::model::{ConversationId, MessageId, OwnerId};

/// The maximum number of messages and text chunks of a batch, and of bytes. One larger request is a batch of its own.
const MAX_ROWS: usize = 256;
const MAX_BYTES: usize = 4 << 20;

/// The queue of a worker. Unbounded, because permits of the write queue bound it.
pub(super) struct BatchReceiver {
    queue: UnboundedReceiver<WriteRequest>,
    later: VecDeque<WriteRequest>,
}

impl BatchReceiver {
    pub(super) fn new() -> (UnboundedSender<WriteRequest>, Self) {
        let (sender, queue) = unbounded_channel();
        (sender, Self { queue, later: VecDeque::new() })
    }

    /// The next batch, as soon as a request waits. `None` when the queue is closed and empty.
    pub(super) async fn next(&mut self) -> Option<Batch> {
        if self.later.is_empty() {
            let first = self.queue.recv().await?;
            self.later.push_back(first);
        }
        Some(self.fill())
    }

    /// The same for a thread.
    pub(super) fn blocking_next(&mut self) -> Option<Batch> {
        if self.later.is_empty() {
            let first = self.queue.blocking_recv()?;
            self.later.push_back(first);
        }
        Some(self.fill())
    }

    /// The next batch, if a request waits. Otherwise it closes the queue.
    pub(super) fn next_at_once(&mut self) -> Option<Batch> {
        if self.later.is_empty() {
            let first = self.queue.try_recv().or_else(|_| {
                self.queue.close();
                self.queue.try_recv()
            });
            self.later.push_back(first.ok()?);
        }
        Some(self.fill())
    }

    /// The first request always fits, so no batch is empty.
    fn fill(&mut self) -> Batch {
        let mut batch = Batch::default();
        let mut plan = BatchPlan::default();
        let mut postponed = VecDeque::new();
        while let Some(request) = self.later.pop_front().or_else(|| self.queue.try_recv().ok()) {
            let (rows, bytes) = size(&request);
            if plan.rows > 0 && (plan.rows + rows > MAX_ROWS || plan.bytes + bytes > MAX_BYTES) {
                self.later.push_front(request);
                break;
            }
            match request {
                WriteRequest::Append(request) if plan.admits_append(&request.work) => {
                    batch.appends.push(request);
                }
                WriteRequest::AppendText(request) if plan.admits_text(&request.work) => {
                    batch.chunks.push(request);
                }
                request => {
                    postponed.push_back(request);
                    continue;
                }
            }
            plan.rows += rows;
            plan.bytes += bytes;
        }
        postponed.append(&mut self.later);
        self.later = postponed;
        batch
    }
}

fn size(request: &WriteRequest) -> (usize, usize) {
    match request {
        WriteRequest::Append(request) => (request.work.rows.len(), request.work.bytes()),
        WriteRequest::AppendText(request) => (1, request.work.text.len()),
    }
}

/// The content of a batch so far.
#[derive(Default)]
struct BatchPlan {
    rows: usize,
    bytes: usize,
    ids: HashSet<MessageId>,
    conversations: HashSet<ConversationId>,
    streams: HashSet<(MessageId, OwnerId)>,
}

impl BatchPlan {
    fn admits_append(&mut self, messages: &NewMessages) -> bool {
        let mut chosen = messages.rows.iter().filter(|row| row.fingerprint.is_some()).map(|row| row.id);
        let clashes = chosen.clone().any(|id| self.ids.contains(&id))
            || (messages.follows != Follows::Head && self.conversations.contains(&messages.conversation));
        if !clashes {
            self.conversations.insert(messages.conversation);
            self.ids.extend(&mut chosen);
        }
        !clashes
    }

    /// Text of another owner for the same message does not conflict: it has no effect.
    fn admits_text(&mut self, chunk: &NewTextChunk) -> bool {
        self.streams.insert((chunk.message, chunk.owner.clone()))
    }
}

#[cfg(test)]
mod tests;
