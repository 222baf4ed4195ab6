//! Branches are ranges of positions.
//!
//! A branch continues its parent branch up to the position where it forked. So the path from the first message to any
//! other is a few ranges of positions, which the rows of `branch` give. A page of a path is as many index ranges,
//! read from the requested end. No read walks from message to parent, however long the conversation is.
//!
//! The trunk is the messages that were appended before the first fork. It is one range without gaps. A conversation
//! that never forked has only a trunk.

mod statements;

use std::collections::HashMap;

use sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait, ConnectionTrait, FromQueryResult, IntoActiveModel,
    QueryFilter,
};

use crate::model::{
    AuditAction, Change, ChangeKind, Conversation, ConversationId, Deleted, End, Message, MessageId,
    MessagePage, Page, Range, Siblings, Slice,
};
use crate::store::entity::message;
use crate::store::error::Error;
use crate::store::error::Result;
use crate::store::hot::reads::request::{BranchPage, Leaf, MessageRange};
use crate::store::scope::Scoped;
use crate::store::transaction::Tx;
use statements::{following, path};

#[derive(FromQueryResult)]
struct Step {
    branch: i64,
    upto: i64,
}

/// A range of positions on one branch, or on the trunk (`None`): after the first bound, up to and including the
/// second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct Segment {
    pub(super) branch: Option<i64>,
    pub(super) after: i64,
    pub(super) upto: i64,
}

impl Segment {
    /// Whether a message of a branch is in it.
    pub(in crate::store) fn contains(&self, branch: Option<i64>, position: i64) -> bool {
        self.branch == branch && position > self.after && position <= self.upto
    }
}

/// The ranges of the active branch, from its last message to the root.
pub(in crate::store) async fn active_segments(
    connection: &impl ConnectionTrait,
    conversation: &Conversation,
) -> Result<Vec<Segment>> {
    let head = Leaf { branch: conversation.branch, position: conversation.head_position };
    segments(connection, conversation, head).await
}

/// The ranges of the path, from its leaf to the root.
async fn segments(
    connection: &impl ConnectionTrait,
    conversation: &Conversation,
    leaf: Leaf,
) -> Result<Vec<Segment>> {
    if conversation.branches == 0 {
        let trunk = Segment { branch: None, after: 0, upto: leaf.position };
        return Ok(if leaf.position > 0 { vec![trunk] } else { Vec::new() });
    }
    let steps = connection.query_all(&path(conversation.id, leaf.branch, leaf.position)).await?;
    let steps = steps.iter().map(|row| Step::from_query_result(row, ""));
    let steps = steps.collect::<std::result::Result<Vec<_>, _>>()?;
    let mut segments = Vec::with_capacity(steps.len() + 1);
    for (at, step) in steps.iter().enumerate() {
        if step.branch == 0 {
            let trunk = conversation.trunk;
            segments.push(Segment { branch: Some(0), after: trunk, upto: step.upto });
            segments.push(Segment { branch: None, after: 0, upto: step.upto.min(trunk) });
        } else {
            let after = steps.get(at + 1).map_or(0, |parent| parent.upto);
            segments.push(Segment { branch: Some(step.branch), after, upto: step.upto });
        }
    }
    segments.retain(|segment| segment.upto > segment.after);
    Ok(segments)
}

impl Scoped {
    /// A page of the path that ends in `leaf`, or in the conversation's head.
    ///
    /// # Errors
    /// - `NotFound`: no such message in this conversation.
    pub async fn path(
        &self,
        conversation: &Conversation,
        leaf: Option<MessageId>,
        range: Range<i64>,
        page: Page,
        deleted: Deleted,
    ) -> Result<Slice<Message>> {
        Ok(self.message_page(conversation, leaf, range, page, deleted, false).await?.messages)
    }

    /// The same with the message before the page, and with the ids of siblings if they are wanted.
    ///
    /// # Errors
    /// - `NotFound`: no such message in this conversation.
    pub async fn message_page(
        &self,
        conversation: &Conversation,
        leaf: Option<MessageId>,
        range: Range<i64>,
        page: Page,
        deleted: Deleted,
        with_siblings: bool,
    ) -> Result<MessagePage> {
        let leaf = self.leaf_or_head(conversation, leaf).await?;
        let mut found = if conversation.branches == 0 && deleted == Deleted::Included {
            self.trunk(conversation, leaf, range, page).await?
        } else {
            let branch = BranchPage { page, leaf: Some(leaf), range, deleted, with_siblings };
            let read = self.open_branch(conversation.id, Some(branch)).await?;
            read.and_then(|(_, found)| found).ok_or(Error::NotFound("conversation"))?
        };
        // If the bound is behind the end of the path, on another branch, no message of the path follows it.
        let is_behind = range.before.is_some_and(|before| before > leaf.position);
        found.messages.has_next &= !is_behind || page.end == End::First;
        Ok(found)
    }

    /// A page of a conversation that never forked.
    async fn trunk(
        &self,
        conversation: &Conversation,
        leaf: Leaf,
        range: Range<i64>,
        page: Page,
    ) -> Result<MessagePage> {
        let upto = Range { after: None, before: Some(leaf.position + 1) };
        let whole = self.whole_conversation(conversation.id, page).within(&range).within(&upto);
        let rows = self.message_range(MessageRange { trunk: true, ..whole }).await?;
        Ok(MessagePage::from_rows(rows, page, &range, Deleted::Included, Siblings::None))
    }

    /// The ranges of the path that ends in `leaf`, or in the conversation's head, from there to the root.
    ///
    /// # Errors
    /// - `NotFound`: no such message in this conversation.
    pub(in crate::store) async fn branch_segments(
        &self,
        conversation: &Conversation,
        leaf: Option<MessageId>,
    ) -> Result<Vec<Segment>> {
        let leaf = self.leaf_or_head(conversation, leaf).await?;
        self.segments(conversation, leaf).await
    }

    async fn leaf_or_head(&self, conversation: &Conversation, leaf: Option<MessageId>) -> Result<Leaf> {
        match leaf {
            Some(id) => self.leaf(conversation.id, id).await,
            None => Ok(Leaf { branch: conversation.branch, position: conversation.head_position }),
        }
    }

    async fn leaf(&self, conversation: ConversationId, id: MessageId) -> Result<Leaf> {
        let row = self
            .own_messages()
            .filter(message::Column::Id.eq(id))
            .filter(message::Column::ConversationId.eq(conversation))
            .one(&self.reader())
            .await?
            .ok_or(Error::NotFound("message"))?;
        Ok(Leaf { branch: row.branch.unwrap_or(0), position: row.position })
    }

    async fn segments(&self, conversation: &Conversation, leaf: Leaf) -> Result<Vec<Segment>> {
        segments(&self.reader(), conversation, leaf).await
    }

    /// The messages that follow each of some places, oldest first.
    pub async fn messages_following(
        &self,
        places: &[(ConversationId, i64)],
    ) -> Result<HashMap<(ConversationId, i64), Vec<Message>>> {
        let rows = self.found_messages(following(self.backend(), &self.owner, places)).await?;
        let mut following: HashMap<_, Vec<Message>> = HashMap::new();
        for row in rows {
            let message = Message::try_from(row)?;
            following.entry((message.conversation, message.parent.unwrap_or(0))).or_default().push(message);
        }
        for messages in following.values_mut() {
            messages.sort_unstable_by_key(|message| message.position);
        }
        Ok(following)
    }

    /// Makes the path that ends in `leaf` the active branch.
    ///
    /// # Errors
    /// - `NotFound`: no such conversation, or no such message in it, for this owner.
    pub async fn switch_branch(&self, id: ConversationId, leaf: MessageId) -> Result<Conversation> {
        let mut tx = Tx::begin(self, AuditAction::SwitchBranch, 1).await?;
        let row = self.touch(&tx, id).await?;
        let leaf = self
            .own_messages()
            .filter(message::Column::Id.eq(leaf))
            .filter(message::Column::ConversationId.eq(id))
            .one(tx.connection())
            .await?
            .ok_or(Error::NotFound("message"))?;
        if row.head_position == leaf.position {
            // The leaf is already the head: roll back, which releases the locks, and read.
            drop(tx);
            return self.conversation(id).await?.ok_or(Error::NotFound("conversation"));
        }
        let mut row = row.into_active_model();
        row.head_position = ActiveValue::Set(leaf.position);
        row.branch = ActiveValue::Set(leaf.branch.unwrap_or(0));
        let row = row.update(tx.connection()).await?;
        tx.record(Change { kind: ChangeKind::ConversationUpdated, conversation: id, message: None });
        tx.commit().await?;
        Ok(row.into())
    }
}
