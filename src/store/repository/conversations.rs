//! Conversations: reads and writes.
//!
//! `updated_at` moves forward with every change by at least a microsecond, whatever the clock
//! does, so that a list by activity never stands still.

use std::collections::HashMap;

use sea_orm::sea_query::{Expr, ExprTrait, Order};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, DbBackend, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect, Select,
};

use crate::model::{
    Change, ChangeKind, Conversation, ConversationFilter, ConversationId, ConversationOrder,
    ConversationPatch, End, Fingerprint, Message, NewConversation, Page, Range, Slice, Timestamp, Title,
    fold,
};
use crate::store::engine::slot;
use crate::store::entity::{branch, conversation, message};
use crate::store::error::Error;
use crate::store::error::Result;
use crate::store::hot::reads::request::{ConversationPage, ListConversations, ReadConversation};
use crate::store::repository::append::{Place, insert_message};
use crate::store::repository::token_counts;
use crate::store::scope::Scoped;
use crate::store::transaction::Tx;

/// Also takes the row's lock, so that the statements after it have the conversation to themselves.
const TOUCH: &str = "UPDATE conversation \
     SET title = CASE WHEN $4 THEN $5 ELSE title END, \
     title_folded = CASE WHEN $4 THEN $7 ELSE title_folded END, metadata = COALESCE($6, metadata), \
     updated_at = CASE WHEN updated_at < $3 THEN $3 ELSE updated_at + 1 END \
     WHERE id = $1 AND owner_id = $2 \
     RETURNING *";

const DELETE: &str = "DELETE FROM conversation WHERE id = $1 AND owner_id = $2 RETURNING *";

impl Scoped {
    /// One of the owner's conversations.
    pub async fn conversation(&self, id: ConversationId) -> Result<Option<Conversation>> {
        Ok(self.open(id, None).await?.map(|(conversation, _)| conversation))
    }

    /// One of the owner's conversations with the messages at one end of it, in one statement. Without
    /// them where no page is asked for, and where the active branch is not simply all messages: what is on
    /// it is then read with [`Scoped::path`].
    pub async fn open(
        &self,
        id: ConversationId,
        page: Option<Page>,
    ) -> Result<Option<(Conversation, Option<Slice<Message>>)>> {
        let opening =
            || ReadConversation { owner: self.owner.clone(), id, page, allowance: self.allowance.clone() };
        let opened = self.with_room(|| self.reads().open(opening())).await?;
        Ok(opened.map(|ConversationPage { conversation, messages }| {
            let slice = |(rows, page)| Slice::from_rows(rows, page, &Range::<i64>::all());
            (conversation, messages.zip(page).map(slice))
        }))
    }

    /// The owner's conversations that were active last, each with its head, in one statement.
    pub async fn recent(&self, size: u32) -> Result<Slice<(Conversation, Option<Message>)>> {
        let (owner, allowance) = (&self.owner, &self.allowance);
        let listing = || ListConversations { owner: owner.clone(), most: size, allowance: allowance.clone() };
        let listed = self.with_room(|| self.reads().list(listing())).await?;
        let page = Page { end: End::First, size };
        Ok(Slice::from_rows(listed, page, &Range::<i64>::all()))
    }

    /// Conversations by id, in no order; what is unknown or foreign is left out.
    pub async fn conversations_by_id(
        &self,
        ids: &[ConversationId],
    ) -> Result<HashMap<ConversationId, Conversation>> {
        let select = self.own_conversations().filter(conversation::Column::Id.is_in(ids.iter().copied()));
        let found = self.all_conversations(select).await?;
        Ok(found.into_iter().map(|conversation| (conversation.id, conversation)).collect())
    }

    /// A page of the owner's conversations.
    pub async fn conversations(
        &self,
        filter: &ConversationFilter,
        order: ConversationOrder,
        range: Range<(Timestamp, ConversationId)>,
        page: Page,
    ) -> Result<Slice<Conversation>> {
        let time = match order {
            ConversationOrder::UpdatedAscending | ConversationOrder::UpdatedDescending => {
                conversation::Column::UpdatedAt
            }
            ConversationOrder::CreatedAscending | ConversationOrder::CreatedDescending => {
                conversation::Column::CreatedAt
            }
        };
        let key = || Expr::tuple([Expr::col(time), Expr::col(conversation::Column::Id)]);
        let value = |(time, id): (Timestamp, ConversationId)| Expr::tuple([Expr::val(time), Expr::val(id)]);
        let (greater, less) =
            if order.is_ascending() { (range.after, range.before) } else { (range.before, range.after) };
        let mut select = filtered(self.own_conversations(), filter, self.backend());
        if let Some(bound) = greater {
            select = select.filter(key().gt(value(bound)));
        }
        if let Some(bound) = less {
            select = select.filter(key().lt(value(bound)));
        }
        let forwards = order.is_ascending() == (page.end == End::First);
        let direction = if forwards { Order::Asc } else { Order::Desc };
        let select = select
            .order_by(time, direction.clone())
            .order_by(conversation::Column::Id, direction)
            .limit(u64::from(page.size) + 1);
        Ok(Slice::from_rows(self.all_conversations(select).await?, page, &range))
    }

    /// What is selected, taken from the allowance.
    async fn all_conversations(&self, select: Select<conversation::Entity>) -> Result<Vec<Conversation>> {
        let read = || async {
            let rows = select.clone().all(&self.reader()).await?;
            self.take(rows.into_iter().map(Conversation::from).collect())
        };
        self.with_room(read).await
    }

    /// Makes a conversation with its first messages, all or nothing.
    ///
    /// # Errors
    /// - `Conflict`: the id, or the id of a message, has been used for something else. The same id
    ///   with the same content is not an error: it answers with what was made first.
    pub async fn create_conversation(&self, new: NewConversation) -> Result<Conversation> {
        let mut tx = Tx::begin(self, 1 + new.messages.len()).await?;
        let fingerprint = new.id.map(|_| Fingerprint::of_conversation(&new));
        if let (Some(id), Some(fingerprint)) = (new.id, &fingerprint)
            && let Some(row) = conversation::Entity::find_by_id(id).one(tx.connection()).await?
        {
            let repeated = row.owner_id == self.owner && row.fingerprint.as_ref() == Some(&fingerprint.0);
            return if repeated { Ok(row.into()) } else { Err(Error::Conflict) };
        }
        let id = new.id.unwrap_or_else(|| ConversationId(self.store.0.clock.new_id()));
        let count = i64::try_from(new.messages.len()).unwrap_or(i64::MAX);
        let row = conversation::Model {
            id,
            owner_id: self.owner.clone(),
            title_folded: new.title.as_ref().map(Title::folded),
            title: new.title.map(Title::into_string),
            metadata: new.metadata,
            created_at: tx.now(),
            updated_at: tx.now(),
            message_count: count,
            last_position: count,
            fingerprint: fingerprint.map(|fingerprint| fingerprint.0),
            branch: 0,
            head_position: count,
            branches: 0,
            trunk: 0,
        };
        let row = row.into_active_model().insert(tx.connection()).await?;
        tx.record(Change { kind: ChangeKind::ConversationCreated, conversation: id, message: None });
        for (position, message) in (1..).zip(new.messages) {
            let place = Place { position, branch: None, parent: None, created_at: row.created_at };
            insert_message(&mut tx, place, self.row(id, message)).await?;
        }
        tx.commit().await?;
        Ok(row.into())
    }

    /// Sets what the patch gives.
    ///
    /// # Errors
    /// - `NotFound`: no such conversation for this owner.
    pub async fn update_conversation(
        &self,
        id: ConversationId,
        patch: ConversationPatch,
    ) -> Result<Conversation> {
        let mut tx = Tx::begin(self, 1).await?;
        let row = self.touch(&tx, id, patch).await?;
        tx.record(Change { kind: ChangeKind::ConversationUpdated, conversation: id, message: None });
        tx.commit().await?;
        Ok(row.into())
    }

    /// Removes a conversation and its messages for good.
    ///
    /// # Errors
    /// - `NotFound`: no such conversation for this owner.
    pub async fn delete_conversation(&self, id: ConversationId) -> Result<()> {
        let mut tx = Tx::begin(self, 1).await?;
        self.touch(&tx, id, ConversationPatch::default()).await?;
        // What hangs on another row goes before it: row-level security hides it from then on.
        crate::store::repository::streams::forget_conversation(&tx, id).await?;
        branch::Entity::delete_many()
            .filter(branch::Column::ConversationId.eq(id))
            .exec(tx.connection())
            .await?;
        message::Entity::delete_many()
            .filter(message::Column::ConversationId.eq(id))
            .filter(message::Column::OwnerId.eq(self.owner.clone()))
            .filter(Condition::all().add_option(slot::among(self.backend(), id, (0, slot::LAST))))
            .exec(tx.connection())
            .await?;
        token_counts::forget_conversation(&tx, &self.owner, id).await?;
        let deleted: Option<conversation::Model> =
            tx.one(DELETE, [id.into(), self.owner.clone().into()]).await?;
        deleted.ok_or(Error::NotFound("conversation"))?;
        tx.record(Change { kind: ChangeKind::ConversationDeleted, conversation: id, message: None });
        tx.commit().await
    }
}

impl Scoped {
    /// Takes a conversation's lock, moves its time on and sets what the patch gives.
    pub(in crate::store) async fn touch(
        &self,
        tx: &Tx,
        id: ConversationId,
        patch: ConversationPatch,
    ) -> Result<conversation::Model> {
        let sets_title = patch.title.is_some();
        let title = patch.title.flatten();
        let title_folded = title.as_ref().map(Title::folded);
        let values = [
            id.into(),
            self.owner.clone().into(),
            tx.now().into(),
            sets_title.into(),
            title.map(Title::into_string).into(),
            patch.metadata.map(crate::model::Json::into_string).into(),
            title_folded.into(),
        ];
        tx.one(TOUCH, values).await?.ok_or(Error::NotFound("conversation"))
    }
}

fn filtered(
    mut select: Select<conversation::Entity>,
    filter: &ConversationFilter,
    backend: DbBackend,
) -> Select<conversation::Entity> {
    if let Some(since) = filter.updated_since {
        select = select.filter(conversation::Column::UpdatedAt.gte(since));
    }
    if let Some(text) = &filter.title_contains {
        // No LIKE: every character of the text is literal.
        let contains = match backend {
            DbBackend::Sqlite => "instr(title_folded, ?) > 0",
            _ => "strpos(title_folded, $1) > 0",
        };
        select = select.filter(Expr::cust_with_values(contains, [fold(text)]));
    }
    select
}
