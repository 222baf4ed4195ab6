//! Branches are ranges.
//!
//! A branch continues its parent branch up to where it forked, so the path from the first message to
//! any other is a handful of ranges of positions, found by following the rows of `branch`, and reading
//! a page of it is as many index ranges, from the end that is asked for inwards. There is no walk over
//! parents, however long the conversation. The trunk, what was appended before the first fork, is one
//! dense range; a conversation that never forked is nothing but trunk.

use std::collections::HashMap;

use sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait, DbBackend, FromQueryResult, IntoActiveModel, QueryFilter,
    Statement,
};

use crate::model::{
    Change, ChangeKind, Conversation, ConversationId, ConversationPatch, End, Message, MessageId, Page,
    Range, Slice,
};
use crate::store::engine::slot::slot;
use crate::store::entity::message;
use crate::store::error::Error;
use crate::store::error::Result;
use crate::store::hot::reads::request::MessageRange;
use crate::store::parameters;
use crate::store::row_budget::size;
use crate::store::scope::Scoped;
use crate::store::transaction::Tx;

/// From a branch to the root: each branch on the way, and the last position of it that is on the path.
const PATH: &str = "WITH RECURSIVE path(branch, upto, depth) AS ( \
     SELECT CAST($2 AS bigint), CAST($3 AS bigint), 0 \
     UNION ALL SELECT b.parent_branch, b.fork_position, path.depth + 1 \
     FROM path JOIN branch AS b ON b.conversation_id = $1 AND b.branch = path.branch) \
     SELECT branch, upto FROM path ORDER BY depth";

/// What is read of a message to find it: its id, and its size.
macro_rules! named {
    () => {
        concat!("SELECT m.id, ", size!(), " AS size FROM ")
    };
}

/// The messages that follow some places: on the trunk the next one, elsewhere every message that names the place.
const FOLLOWING_SQLITE: &str = concat!(
    named!(),
    "json_each($1) AS wanted JOIN message AS m ON m.slot = ",
    slot!("unhex(wanted.value ->> 0)", "(wanted.value ->> 1) + 1"),
    " AND m.conversation_id = unhex(wanted.value ->> 0) AND m.position = (wanted.value ->> 1) + 1 AND m.branch IS NULL AND m.owner_id = $2 UNION ALL ",
    named!(),
    "json_each($1) AS wanted JOIN message AS m ON m.conversation_id = unhex(wanted.value ->> 0) \
     AND m.parent_position = wanted.value ->> 1 AND m.branch IS NOT NULL AND m.owner_id = $2"
);
const FOLLOWING_POSTGRES: &str = concat!(
    named!(),
    "jsonb_array_elements($1::text::jsonb) AS wanted \
     JOIN message AS m ON m.conversation_id = (wanted ->> 0)::uuid \
     AND m.position = (wanted ->> 1)::bigint + 1 AND m.branch IS NULL AND m.owner_id = $2 UNION ALL ",
    named!(),
    "jsonb_array_elements($1::text::jsonb) AS wanted \
     JOIN message AS m ON m.conversation_id = (wanted ->> 0)::uuid \
     AND m.parent_position = (wanted ->> 1)::bigint AND m.branch IS NOT NULL AND m.owner_id = $2"
);

/// A range of positions on one branch. Left to itself SQLite reads the range and skips what is on other
/// branches.
const FIRST_SQLITE: &str = concat!(
    named!(),
    "message AS m INDEXED BY message_by_branch WHERE conversation_id = $1 \
     AND position > $2 AND position <= $3 AND owner_id = $4 AND branch = $6 ORDER BY position LIMIT $5"
);
const LAST_SQLITE: &str = concat!(
    named!(),
    "message AS m INDEXED BY message_by_branch WHERE conversation_id = $1 \
     AND position > $2 AND position <= $3 AND owner_id = $4 AND branch = $6 ORDER BY position DESC LIMIT $5"
);
const FIRST_POSTGRES: &str = concat!(
    named!(),
    "message AS m WHERE conversation_id = $1 AND position > $2 AND position <= $3 AND owner_id = $4 \
     AND branch = $6 ORDER BY position LIMIT $5"
);
const LAST_POSTGRES: &str = concat!(
    named!(),
    "message AS m WHERE conversation_id = $1 AND position > $2 AND position <= $3 AND owner_id = $4 \
     AND branch = $6 ORDER BY position DESC LIMIT $5"
);

#[derive(FromQueryResult)]
struct Step {
    branch: i64,
    upto: i64,
}

/// A range of positions on one branch (none: the trunk): after the first bound, up to the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) branch: Option<i64>,
    pub(super) after: i64,
    pub(super) upto: i64,
}

impl Segment {
    /// Whether a message of a branch is in it.
    pub(super) fn contains(&self, branch: Option<i64>, position: i64) -> bool {
        self.branch == branch && position > self.after && position <= self.upto
    }
}

/// Where a path ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Leaf {
    branch: i64,
    position: i64,
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
    ) -> Result<Slice<Message>> {
        let leaf = self.leaf_or_head(conversation, leaf).await?;
        let mut segments = self.segments(conversation, leaf).await?;
        if page.end == End::First {
            segments.reverse();
        }
        let wanted = page.size + 1;
        let mut rows: Vec<Message> = Vec::new();
        for segment in segments {
            let missing = wanted.saturating_sub(u32::try_from(rows.len()).unwrap_or(wanted));
            if missing == 0 {
                break;
            }
            rows.extend(self.segment(conversation.id, segment, &range, page.end, missing).await?);
        }
        let mut slice = Slice::from_rows(rows, page, &range);
        // A bound beyond the path's end, on another branch, has nothing of the path behind it.
        slice.has_next &= range.before.is_none_or(|before| before <= leaf.position) || page.end == End::First;
        Ok(slice)
    }

    /// The ranges of the path that ends in `leaf`, or in the conversation's head, from there to the root.
    ///
    /// # Errors
    /// - `NotFound`: no such message in this conversation.
    pub(super) async fn branch_segments(
        &self,
        conversation: &Conversation,
        leaf: Option<MessageId>,
    ) -> Result<Vec<Segment>> {
        let leaf = self.leaf_or_head(conversation, leaf).await?;
        let mut segments = self.segments(conversation, leaf).await?;
        segments.retain(|segment| segment.upto > segment.after);
        Ok(segments)
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

    /// The path's ranges, from its leaf to the root.
    async fn segments(&self, conversation: &Conversation, leaf: Leaf) -> Result<Vec<Segment>> {
        if conversation.branches == 0 {
            return Ok(vec![Segment { branch: None, after: 0, upto: leaf.position }]);
        }
        let values = [conversation.id.into(), leaf.branch.into(), leaf.position.into()];
        let statement = Statement::from_sql_and_values(self.backend(), PATH, values);
        let steps = Step::find_by_statement(statement).all(&self.reader()).await?;
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

    async fn segment(
        &self,
        conversation: ConversationId,
        segment: Segment,
        range: &Range<i64>,
        end: End,
        limit: u32,
    ) -> Result<Vec<Message>> {
        let after = segment.after.max(range.after.unwrap_or(0));
        let upto = segment.upto.min(range.before.map_or(i64::MAX, |before| before - 1));
        if upto <= after {
            return Ok(Vec::new());
        }
        let Some(branch) = segment.branch else {
            // The trunk is dense: nothing else stands in its range.
            let page = Page { end, size: limit };
            let stretch =
                MessageRange { after, before: upto + 1, rows: limit, ..self.all_of(conversation, page) };
            return self.stretch(stretch).await;
        };
        let some = match (self.backend(), end) {
            (DbBackend::Sqlite, End::First) => FIRST_SQLITE,
            (DbBackend::Sqlite, End::Last) => LAST_SQLITE,
            (_, End::First) => FIRST_POSTGRES,
            (_, End::Last) => LAST_POSTGRES,
        };
        let range = [conversation.into(), after.into(), upto.into(), self.owner.clone().into()];
        let values = range.into_iter().chain([i64::from(limit).into(), branch.into()]).collect();
        let mut rows = self.messages_named(some, values).await?;
        rows.sort_unstable_by_key(|row| row.position);
        if end == End::Last {
            rows.reverse();
        }
        rows.into_iter().map(Message::try_from).collect()
    }

    /// The messages that follow each of some places, oldest first.
    pub async fn messages_following(
        &self,
        places: &[(ConversationId, i64)],
    ) -> Result<HashMap<(ConversationId, i64), Vec<Message>>> {
        let some = if self.backend() == DbBackend::Sqlite { FOLLOWING_SQLITE } else { FOLLOWING_POSTGRES };
        let values = vec![parameters::places(places).into(), self.owner.clone().into()];
        let rows = self.messages_named(some, values).await?;
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
        let mut tx = Tx::begin(self, 1).await?;
        let row = self.touch(&tx, id, ConversationPatch::default()).await?;
        let leaf = self
            .own_messages()
            .filter(message::Column::Id.eq(leaf))
            .filter(message::Column::ConversationId.eq(id))
            .one(tx.connection())
            .await?
            .ok_or(Error::NotFound("message"))?;
        if row.head_position == leaf.position {
            // It is so already: nothing is written, the lock is let go before anything is waited for.
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
