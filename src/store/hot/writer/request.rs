//! What can be written together, and how it is handed in and answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::oneshot;

use super::write_queue::QueuePermit;
use crate::clock::Clock;
use crate::model::{ConversationId, MessageId, OwnerId, Progress, Timestamp};
use crate::signals::{Signals, Topic};
use crate::store::engine::row_level_security::RowLevelSecurity;
use crate::store::entity::message;
use crate::store::error::{Error, Result};

/// Messages to put at the end of a conversation: all of each row but its place.
pub(in crate::store) struct NewMessages {
    pub(in crate::store) owner: OwnerId,
    /// Who appends them for the owner, where that is somebody else.
    pub(in crate::store) actor: Option<OwnerId>,
    pub(in crate::store) conversation: ConversationId,
    /// Which message must be the head, if it matters.
    pub(in crate::store) head: Option<MessageId>,
    pub(in crate::store) rows: Vec<message::Model>,
}

/// Text to put at the end of a stream.
pub(in crate::store) struct NewTextChunk {
    pub(in crate::store) owner: OwnerId,
    pub(in crate::store) message: MessageId,
    /// Where the stream must end, in code points.
    pub(in crate::store) start: i64,
    pub(in crate::store) text: String,
    /// Of the text.
    pub(in crate::store) code_points: i64,
}

/// What became of messages that were handed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum AppendOutcome {
    /// It is durable: the first message stands here, the others after it.
    Appended { first: i64, created_at: Timestamp },
    /// There is no such conversation for this owner.
    NotFound,
    /// An id that the caller chose is taken, perhaps by the same call.
    Known,
    /// It is not the ordinary case, or cannot be written together with others.
    NotBatchable,
    /// It is ordinary, but has to wait for the owner's row.
    Busy,
}

/// What became of a piece; `None` where the stream does not end where the piece begins.
pub(super) type AppendTextResult = Option<Progress>;

/// What is handed in, and where the answer goes.
pub(super) struct PendingWrite<Work, Answer> {
    pub(super) work: Work,
    pub(super) permit: QueuePermit,
    pub(super) reply: oneshot::Sender<(Work, Result<Answer>)>,
}

pub(super) enum WriteRequest {
    Append(PendingWrite<NewMessages, AppendOutcome>),
    AppendText(PendingWrite<NewTextChunk, AppendTextResult>),
}

/// What is written in one go.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) appends: Vec<PendingWrite<NewMessages, AppendOutcome>>,
    pub(super) pieces: Vec<PendingWrite<NewTextChunk, AppendTextResult>>,
}

/// What became of a batch, in its order.
pub(super) struct BatchResults {
    pub(super) appends: Vec<Result<AppendOutcome>>,
    pub(super) pieces: Vec<Result<AppendTextResult>>,
}

/// What a worker needs besides its connection.
#[derive(Clone)]
pub(in crate::store) struct WorkerContext {
    pub(in crate::store) clock: Clock,
    pub(in crate::store) signals: Signals,
    pub(in crate::store) statements: Arc<AtomicU64>,
    pub(in crate::store) row_level_security: RowLevelSecurity,
}

impl NewMessages {
    pub(super) fn bytes(&self) -> usize {
        let row = |row: &message::Model| {
            let optional = [&row.parts, &row.usage].map(|text| text.as_ref().map_or(0, String::len));
            row.content.len() + row.metadata.as_str().len() + optional[0] + optional[1]
        };
        self.rows.iter().map(row).sum()
    }
}

impl Batch {
    /// Wakes who waits for news of what was committed, then answers everybody but those who have to wait.
    pub(super) fn answer(
        self,
        written: BatchResults,
        signals: &Signals,
    ) -> Vec<PendingWrite<NewMessages, AppendOutcome>> {
        let mut busy = Vec::new();
        for (request, result) in self.appends.into_iter().zip(written.appends) {
            if matches!(result, Ok(AppendOutcome::Appended { .. })) {
                signals.signal(&Topic::Conversation(request.work.conversation));
                signals.signal(&Topic::Account(request.work.owner.clone()));
            }
            match result {
                Ok(AppendOutcome::Busy) => busy.push(request),
                result => request.answer(result),
            }
        }
        for (request, result) in self.pieces.into_iter().zip(written.pieces) {
            if matches!(result, Ok(Some(_))) {
                signals.signal(&Topic::Message(request.work.message));
            }
            request.answer(result);
        }
        busy
    }
}

impl<Work, Answer> PendingWrite<Work, Answer> {
    /// The caller may be gone; then nobody needs the result.
    pub(super) fn answer(self, result: Result<Answer>) {
        drop(self.permit);
        let _ = self.reply.send((self.work, result));
    }
}

impl BatchResults {
    /// The same for all of a batch.
    pub(super) fn failed(batch: &Batch, error: &Error) -> Self {
        Self {
            appends: batch.appends.iter().map(|_| Err(error.clone())).collect(),
            pieces: batch.pieces.iter().map(|_| Err(error.clone())).collect(),
        }
    }
}

impl WorkerContext {
    /// Counts statements that were run.
    pub(super) fn count(&self, statements: u64) {
        self.statements.fetch_add(statements, Ordering::Relaxed);
    }
}
