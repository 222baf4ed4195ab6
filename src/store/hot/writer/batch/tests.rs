use std::sync::Arc;

use tokio::sync::oneshot;
use uuid::Uuid;

use super::*;
use crate::model::{Json, MessageStatus, Role, Timestamp};
use crate::store::entity::message;
use crate::store::hot::writer::request::{NewTextChunk, PendingWrite};
use crate::store::hot::writer::write_queue::{Bounds, WriteQueue};
use crate::traces::Trace;

fn owner(name: &str) -> OwnerId {
    OwnerId::new(name).unwrap()
}

fn row(id: u128, chosen: bool, bytes: usize) -> message::Model {
    let metadata = Json::empty_object();
    message::Model {
        conversation_id: ConversationId(Uuid::nil()),
        position: 0,
        id: MessageId(Uuid::from_u128(id)),
        owner_id: owner("ada"),
        role: Role::User.code(),
        content: "x".repeat(bytes.saturating_sub(metadata.as_str().len())),
        metadata,
        created_at: Timestamp(0),
        fingerprint: chosen.then(Vec::new),
        branch: None,
        parent_position: None,
        parts: None,
        status: MessageStatus::Complete.code(),
        model: None,
        usage: None,
        edited_at: None,
        deleted_at: None,
        pinned: false,
    }
}

struct WriteWorker {
    sender: UnboundedSender<WriteRequest>,
    batches: BatchReceiver,
    queue: Arc<WriteQueue>,
}

impl WriteWorker {
    fn new() -> Self {
        let (sender, batches) = BatchReceiver::new();
        let bounds = Bounds { workers: 1, waiting: usize::MAX, bytes: usize::MAX };
        Self { sender, batches, queue: Arc::new(WriteQueue::new(bounds)) }
    }

    fn append(&self, conversation: u128, head: Option<u128>, rows: Vec<message::Model>) {
        let conversation = ConversationId(Uuid::from_u128(conversation));
        let follows = head.map_or(Follows::Head, |id| Follows::Message(MessageId(Uuid::from_u128(id))));
        let work = NewMessages { owner: owner("ada"), actor: None, conversation, follows, rows };
        let permit = self.queue.acquire(&work.owner, 0).unwrap();
        assert!(
            self.sender
                .send(WriteRequest::Append(PendingWrite::new(
                    work,
                    permit,
                    oneshot::channel().0,
                    &Trace::default()
                )))
                .is_ok()
        );
    }

    fn append_text(&self, message: u128, name: &str) {
        let message = MessageId(Uuid::from_u128(message));
        let work = NewTextChunk { owner: owner(name), message, start: 0, text: "x".into(), code_points: 1 };
        let permit = self.queue.acquire(&work.owner, 0).unwrap();
        assert!(
            self.sender
                .send(WriteRequest::AppendText(PendingWrite::new(
                    work,
                    permit,
                    oneshot::channel().0,
                    &Trace::default()
                )))
                .is_ok()
        );
    }

    /// The ids of all messages and pieces, batch by batch.
    fn batches(mut self) -> Vec<Vec<u128>> {
        drop(self.sender);
        let mut batches = Vec::new();
        while let Some(batch) = self.batches.blocking_next() {
            let rows = batch.appends.iter().flat_map(|request| &request.work.rows).map(|row| row.id);
            let chunks = batch.chunks.iter().map(|request| request.work.message);
            batches.push(rows.chain(chunks).map(|id| id.0.as_u128()).collect());
        }
        batches
    }
}

#[test]
fn all_waiting_requests_are_one_batch_in_order() {
    let worker = WriteWorker::new();
    worker.append(1, None, vec![row(1, true, 1), row(2, true, 1)]);
    worker.append(2, None, vec![row(3, false, 1)]);
    worker.append(1, None, vec![row(4, true, 1)]);
    assert_eq!(worker.batches(), [[1, 2, 3, 4]]);
}

#[test]
fn an_id_occurs_once_in_a_batch() {
    let worker = WriteWorker::new();
    for id in [1, 1, 2, 1] {
        worker.append(1, None, vec![row(id, true, 1)]);
    }
    for (message, name) in [(8, "ada"), (8, "bob"), (8, "ada"), (9, "ada")] {
        worker.append_text(message, name);
    }
    assert_eq!(worker.batches(), [vec![1, 2, 8, 8, 9], vec![1, 8], vec![1]]);
}

#[test]
fn an_append_that_expects_a_head_is_the_first_of_its_conversation() {
    let worker = WriteWorker::new();
    worker.append(1, None, vec![row(1, false, 1)]);
    worker.append(1, Some(1), vec![row(2, false, 1)]);
    worker.append(2, Some(1), vec![row(3, false, 1)]);
    worker.append(2, None, vec![row(4, false, 1)]);
    assert_eq!(worker.batches(), [vec![1, 3, 4], vec![2]]);
}

#[test]
fn a_batch_is_bounded_and_a_larger_append_is_a_batch_alone() {
    let worker = WriteWorker::new();
    for id in 0..600 {
        worker.append(1, None, vec![row(id, false, 1)]);
    }
    assert_eq!(worker.batches().iter().map(Vec::len).collect::<Vec<_>>(), [256, 256, 88]);
    let worker = WriteWorker::new();
    for (id, bytes) in [(1, 1), (2, MAX_BYTES + 1), (3, MAX_BYTES / 2), (4, MAX_BYTES / 2), (5, 1)] {
        worker.append(1, None, vec![row(id, false, bytes)]);
    }
    assert_eq!(worker.batches(), [vec![1], vec![2], vec![3, 4], vec![5]]);
}
