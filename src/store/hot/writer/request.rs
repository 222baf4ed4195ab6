//! The requests of the write queue, and their results.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use tokio::sync::oneshot;

use super::figures::{BatchTimes, WriterFigures};
use super::write_queue::QueuePermit;
use crate::clock::Clock;
use crate::model::{
    CommittedText, ConversationId, MessageId, MessageStatus, OwnerId, StreamProgress, TextChunk, Timestamp,
};
use crate::signals::{Signals, Topic};
use crate::store::changed_owners::ChangedOwners;
use crate::store::engine::row_level_security::RowLevelSecurity;
use crate::store::entity::message;
use crate::store::error::{Error, Result};
use crate::store::search_index::Pending;
use crate::traces::{Part, Trace};

/// Messages to append to a conversation: their rows, without their places.
pub(in crate::store) struct NewMessages {
    pub(in crate::store) owner: OwnerId,
    /// The back end that appends them for the owner, if any.
    pub(in crate::store) actor: Option<OwnerId>,
    pub(in crate::store) conversation: ConversationId,
    pub(in crate::store) follows: Follows,
    pub(in crate::store) rows: Vec<message::Model>,
}

/// What the first of the messages follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Follows {
    /// The head, whatever it is.
    Head,
    /// This message, which has to be the head.
    Message(MessageId),
    /// Nothing: the conversation has to be empty.
    Nothing,
}

/// Text to append to a stream.
pub(in crate::store) struct NewTextChunk {
    pub(in crate::store) owner: OwnerId,
    pub(in crate::store) message: MessageId,
    /// The required end of the stream, in code points.
    pub(in crate::store) start: i64,
    pub(in crate::store) text: String,
    /// The length of the text.
    pub(in crate::store) code_points: i64,
}

/// The result of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum AppendOutcome {
    /// The messages are durable. `first` is the position of the first, the others follow. `branch` is None if the
    /// conversation never forked.
    Appended { first: i64, branch: Option<i64>, created_at: Timestamp },
    /// The owner has no such conversation.
    NotFound,
    /// An id chosen by the client exists already, perhaps from the same append.
    Known,
    /// It is not the common case, or cannot be in a batch.
    NotBatchable,
    /// It is the common case, but the row of the owner is locked.
    Busy,
}

/// The result of appending text. `None` if the stream does not end where the text begins.
pub(super) type AppendTextResult = Option<StreamProgress>;

/// A write, its permit, and the channel for its result.
pub(super) struct PendingWrite<Work, Answer> {
    pub(super) work: Work,
    pub(super) permit: QueuePermit,
    pub(super) reply: oneshot::Sender<(Work, Result<Answer>)>,
    pub(super) trace: Trace,
    pub(super) queued_at: Instant,
}

pub(super) enum WriteRequest {
    Append(PendingWrite<NewMessages, AppendOutcome>),
    AppendText(PendingWrite<NewTextChunk, AppendTextResult>),
}

/// The writes of one transaction.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) appends: Vec<PendingWrite<NewMessages, AppendOutcome>>,
    pub(super) chunks: Vec<PendingWrite<NewTextChunk, AppendTextResult>>,
}

/// The results of a batch, in its order.
pub(super) struct BatchResults {
    pub(super) appends: Vec<Result<AppendOutcome>>,
    pub(super) chunks: Vec<Result<AppendTextResult>>,
}

/// The shared parts of all workers, besides their connections.
#[derive(Clone)]
pub(in crate::store) struct WorkerContext {
    pub(in crate::store) clock: Clock,
    pub(in crate::store) signals: Signals,
    pub(in crate::store) pending: Pending,
    pub(in crate::store) changed_owners: ChangedOwners,
    pub(in crate::store) statements: Arc<AtomicU64>,
    pub(in crate::store) row_level_security: RowLevelSecurity,
    pub(in crate::store) figures: Arc<WriterFigures>,
}

impl Follows {
    pub(super) fn message(self) -> Option<MessageId> {
        match self {
            Self::Message(id) => Some(id),
            Self::Head | Self::Nothing => None,
        }
    }
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

impl NewTextChunk {
    fn committed(&self) -> CommittedText {
        let (offset, text) = (self.start, self.text.clone());
        let chunk = TextChunk { offset, text, status: MessageStatus::Streaming };
        CommittedText { owner: self.owner.clone(), message: self.message, chunk }
    }
}

impl Batch {
    /// Sends the signals of the committed writes, then answers all requests except those whose owners are locked.
    /// Returns those.
    pub(super) fn answer(
        self,
        written: BatchResults,
        times: BatchTimes,
        context: &WorkerContext,
    ) -> Vec<PendingWrite<NewMessages, AppendOutcome>> {
        let mut busy = Vec::new();
        let size = self.appends.len() + self.chunks.len();
        context.figures.written(size, times);
        for (request, result) in self.appends.into_iter().zip(written.appends) {
            if matches!(result, Ok(AppendOutcome::Appended { .. })) {
                context.pending.add(&request.work.owner, request.work.rows.len(), false);
                context.signals.signal(&Topic::Conversation(request.work.conversation));
                context.signals.signal(&Topic::Account(request.work.owner.clone()));
                context.changed_owners.add(&request.work.owner);
            }
            match result {
                Ok(AppendOutcome::Busy) => busy.push(request),
                result => {
                    request.record(times, size);
                    request.answer(result);
                }
            }
        }
        for (request, result) in self.chunks.into_iter().zip(written.chunks) {
            if matches!(result, Ok(Some(_))) {
                let chunk = &request.work;
                context.signals.signal_text(chunk.message, || chunk.committed());
            }
            request.record(times, size);
            request.answer(result);
        }
        busy
    }
}

impl<Work, Answer> PendingWrite<Work, Answer> {
    /// A write that begins to wait now.
    pub(super) fn new(
        work: Work,
        permit: QueuePermit,
        reply: oneshot::Sender<(Work, Result<Answer>)>,
        trace: &Trace,
    ) -> Self {
        Self { work, permit, reply, trace: trace.clone(), queued_at: Instant::now() }
    }

    /// Records the parts of the write. `batch` is the number of writes of its batch.
    fn record(&self, times: BatchTimes, batch: usize) {
        if !self.trace.is_on() {
            return;
        }
        let BatchTimes { started, committing, ended } = times;
        self.trace.record(Part::QueueWait, self.queued_at, started, None);
        self.trace.record(Part::Write, started, committing.unwrap_or(ended), Some(batch));
        if let Some(committing) = committing {
            self.trace.record(Part::Commit, committing, ended, Some(batch));
        }
    }

    /// Sends the result. The caller may have disconnected.
    pub(super) fn answer(self, result: Result<Answer>) {
        drop(self.permit);
        let _ = self.reply.send((self.work, result));
    }
}

impl BatchResults {
    /// The same error for all requests of a batch.
    pub(super) fn failed(batch: &Batch, error: &Error) -> Self {
        Self {
            appends: batch.appends.iter().map(|_| Err(error.clone())).collect(),
            chunks: batch.chunks.iter().map(|_| Err(error.clone())).collect(),
        }
    }
}

impl WorkerContext {
    /// Counts executed statements.
    pub(super) fn count(&self, statements: u64) {
        self.statements.fetch_add(statements, Ordering::Relaxed);
    }
}
