//! Requests that wait at a worker, for `benches/hot.rs` only.

use std::sync::Arc;

use tokio::sync::oneshot;
use uuid::Uuid;

use super::batch::BatchReceiver;
use super::request::{Follows, NewMessages, PendingWrite, WriteRequest};
use super::write_queue::{Bounds, WriteQueue};
use crate::model::{ConversationId, Json, MessageId, MessageStatus, OwnerId, Role, Timestamp};
use crate::store::entity::message;
use crate::traces::Trace;

/// Appends that wait at a worker.
pub struct Waiting(BatchReceiver);

impl Waiting {
    /// So many appends of one message each, in as many conversations as given. All have ids chosen by the client, and
    /// every other one expects a head.
    pub fn appends(count: u128, conversations: u128, owner: &OwnerId) -> Self {
        let (sender, batches) = BatchReceiver::new();
        let queue = Arc::new(WriteQueue::new(Bounds { workers: 1, waiting: usize::MAX, bytes: usize::MAX }));
        for number in 0..count {
            let follows =
                if number % 2 == 0 { Follows::Message(MessageId(Uuid::nil())) } else { Follows::Head };
            let conversation = ConversationId(Uuid::from_u128(number % conversations));
            let rows = vec![row(number + 1, conversation, owner)];
            let work = NewMessages { owner: owner.clone(), actor: None, conversation, follows, rows };
            if let Ok(permit) = queue.acquire(owner, 0) {
                let (reply, trace) = (oneshot::channel().0, Trace::default());
                let _ = sender.send(WriteRequest::Append(PendingWrite::new(work, permit, reply, &trace)));
            }
        }
        Self(batches)
    }

    /// Plans batches until nothing waits. Returns the number of appends of each.
    pub fn batches(mut self) -> Vec<usize> {
        std::iter::from_fn(|| self.0.next_at_once()).map(|batch| batch.appends.len()).collect()
    }
}

fn row(id: u128, conversation_id: ConversationId, owner: &OwnerId) -> message::Model {
    message::Model {
        conversation_id,
        position: 0,
        id: MessageId(Uuid::from_u128(id)),
        owner_id: owner.clone(),
        role: Role::User.code(),
        content: "x".repeat(300),
        metadata: Json::empty_object(),
        created_at: Timestamp(0),
        fingerprint: Some(Vec::new()),
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
