//! Conversations: reads and writes.
//!
//! Every change increases `updated_at` by at least a microsecond, whatever the clock does, so a change always moves
//! the conversation in a list by activity.

use std::collections::{BTreeSet, HashMap};

use sea_orm::sea_query::{Expr, ExprTrait, Func, Order, Query};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, DbBackend, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect, Select,
};

use serde_json::json;

use crate::model::{
    AuditAction, Change, ChangeKind, Conversation, ConversationFilter, ConversationId, ConversationOrder,
    ConversationState, End, Fingerprint, Message, MessagePage, NewConversation, Page, Range, Slice,
    Timestamp, Title, fold,
};
use crate::store::engine::slot;
use crate::store::entity::message::last_of_user;
use crate::store::entity::{branch, conversation, message};
use crate::store::error::Error;
use crate::store::error::Result;
use crate::store::hot::reads::request::{BranchPage, ConversationPage, ListConversations, ReadConversation};
use crate::store::json_rows::{JsonRows, REQUESTED};
use crate::store::repository::append::{MessagePlace, insert_message};
use crate::store::repository::labels::Labelled;
use crate::store::repository::{
    attachment_references, deleted_usage, feedback, labels, organise, shares, token_counts,
};
use crate::store::scope::Scoped;
use crate::store::transaction::Tx;

impl Scoped {
    /// One of the owner's conversations.
    pub async fn conversation(&self, id: ConversationId) -> Result<Option<Conversation>> {
        Ok(self.open(id, None, false).await?.map(|(conversation, _)| conversation))
    }

    /// One of the owner's conversations with the messages at one end of its active branch, in one statement, or in two if
    /// it has forked and the siblings are not read.
    pub async fn open(
        &self,
        id: ConversationId,
        page: Option<Page>,
        with_siblings: bool,
    ) -> Result<Option<(Conversation, Option<MessagePage>)>> {
        let page = page.map(|page| BranchPage::of_head(page, with_siblings));
        self.open_branch(id, page).await
    }

    /// One of the owner's conversations with a page of a branch.
    pub(in crate::store) async fn open_branch(
        &self,
        id: ConversationId,
        page: Option<BranchPage>,
    ) -> Result<Option<(Conversation, Option<MessagePage>)>> {
        let read =
            || ReadConversation { owner: self.owner.clone(), id, page, allowance: self.allowance.clone() };
        let found = self.with_reservation(|| self.reads().conversation(read())).await?;
        Ok(found.map(|ConversationPage { conversation, messages }| {
            (conversation, messages.zip(page).map(|(rows, page)| page.of_rows(rows)))
        }))
    }

    /// The owner's most recently active conversations, each with its head, in one statement.
    pub async fn recent(&self, size: u32) -> Result<Slice<(Conversation, Option<Message>)>> {
        let (owner, allowance) = (&self.owner, &self.allowance);
        let read = || ListConversations { owner: owner.clone(), limit: size, allowance: allowance.clone() };
        let listed = self.with_reservation(|| self.reads().list(read())).await?;
        let page = Page { end: End::First, size };
        Ok(Slice::from_rows(listed, page, &Range::<i64>::all()))
    }

    /// Conversations by id, in no order. Unknown and foreign ids are left out.
    pub async fn conversations_by_id(
        &self,
        ids: &[ConversationId],
    ) -> Result<HashMap<ConversationId, Conversation>> {
        let select = self.own_conversations().filter(conversation::Column::Id.is_in(ids.iter().copied()));
        let found = self.all_conversations(select).await?;
        Ok(found.into_iter().map(|conversation| (conversation.id, conversation)).collect())
    }

    /// A page of the owner's conversations; and whether some may be missing because the search index is being made.
    ///
    /// # Errors
    /// - `Invalid`: the filter's query is too broad.
    pub async fn conversations(
        &self,
        filter: &ConversationFilter,
        order: ConversationOrder,
        range: Range<(Timestamp, ConversationId)>,
        page: Page,
    ) -> Result<(Slice<Conversation>, bool)> {
        let (matching, is_indexing) = match &filter.query {
            Some(query) => {
                let (matching, is_indexing) = self.conversations_matching(query).await?;
                (Some(matching), is_indexing)
            }
            None => (None, false),
        };
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
        let mut select = self.filtered(filter);
        if let Some(label) = &filter.label {
            select = select.filter(match labels::labelled(self, label).await? {
                Labelled::Few(ids) => is_among(&ids, self.backend()),
                Labelled::Many(condition) => condition,
            });
        }
        if let Some(matching) = matching {
            select = select.filter(is_among(&matching, self.backend()));
        }
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
        let rows = self.all_conversations(select).await?;
        Ok((Slice::from_rows(rows, page, &range), is_indexing))
    }

    /// The selected conversations. Their bytes are taken from the allowance.
    async fn all_conversations(&self, select: Select<conversation::Entity>) -> Result<Vec<Conversation>> {
        let read = || async {
            let rows = select.clone().all(&self.reader()).await?;
            self.take(rows.into_iter().map(Conversation::from).collect())
        };
        self.with_reservation(read).await
    }

    /// Creates a conversation with its first messages, all or nothing.
    ///
    /// # Errors
    /// - `Invalid`: it would be deleted at a time that is past.
    /// - `Conflict`: the id, or the id of a message, was used for something else. The same id with the same content
    ///   is not an error: it returns the conversation that exists.
    pub async fn create_conversation(&self, new: NewConversation) -> Result<Conversation> {
        let messages = self.attach_files(new.messages).await?;
        let new = NewConversation { messages, ..new };
        let mut tx = Tx::begin(self, AuditAction::CreateConversation, 1 + new.messages.len()).await?;
        let fingerprint = new.id.map(|_| Fingerprint::of_conversation(&new));
        if let (Some(id), Some(fingerprint)) = (new.id, &fingerprint)
            && let Some(row) = conversation::Entity::find_by_id(id).one(tx.connection()).await?
        {
            let repeated = row.owner_id == self.owner && row.fingerprint.as_ref() == Some(&fingerprint.0);
            return if repeated { Ok(row.into()) } else { Err(Error::Conflict) };
        }
        organise::check_expiry(new.expires_at, tx.now())?;
        let id = new.id.unwrap_or_else(|| ConversationId(self.store.0.clock.new_id()));
        let count = i64::try_from(new.messages.len()).unwrap_or(i64::MAX);
        let rows: Vec<_> = new.messages.into_iter().map(|message| self.row(id, message)).collect();
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
            state: ConversationState::Active.code(),
            pinned_at: None,
            archived_at: None,
            trashed_at: None,
            expires_at: new.expires_at,
            labels: None,
            read_position: if new.is_read { count } else { last_of_user(&rows).unwrap_or(0) },
            unread_ignored: 0,
            unarchive_on_message: true,
        };
        let row = row.into_active_model().insert(tx.connection()).await?;
        tx.record(Change { kind: ChangeKind::ConversationCreated, conversation: id, message: None });
        for (position, message) in (1..).zip(rows) {
            let place = MessagePlace { position, branch: None, parent: None, created_at: row.created_at };
            insert_message(&mut tx, place, message).await?;
        }
        tx.commit().await?;
        Ok(row.into())
    }

    /// Removes a conversation and its messages for good.
    ///
    /// # Errors
    /// - `NotFound`: no such conversation for this owner.
    pub async fn delete_conversation(&self, id: ConversationId) -> Result<()> {
        self.delete_conversation_if(id, AuditAction::DeleteConversation, |_| true).await
    }

    /// Removes a conversation for good if a condition holds for its row.
    ///
    /// # Errors
    /// - `NotFound`: no such conversation for this owner, or the condition does not hold.
    pub(in crate::store) async fn delete_conversation_if(
        &self,
        id: ConversationId,
        action: AuditAction,
        condition: impl FnOnce(&conversation::Model) -> bool,
    ) -> Result<()> {
        let mut tx = Tx::begin(self, action, 1).await?;
        let row = self.locked(&tx, id).await?;
        if !condition(&row) {
            return Err(Error::NotFound("conversation"));
        }
        // Rows that depend on others go first: row-level security hides them as soon as the row they depend on is
        // gone.
        crate::store::repository::streams::delete_streams(&tx, id).await?;
        branch::Entity::delete_many()
            .filter(branch::Column::ConversationId.eq(id))
            .exec(tx.connection())
            .await?;
        deleted_usage::keep_usage_in(&tx, &self.owner, id).await?;
        message::Entity::delete_many()
            .filter(message::Column::ConversationId.eq(id))
            .filter(message::Column::OwnerId.eq(self.owner.clone()))
            .filter(Condition::all().add_option(slot::among(self.backend(), id, (0, slot::LAST))))
            .exec(tx.connection())
            .await?;
        token_counts::forget_conversation(&tx, &self.owner, id).await?;
        labels::remove(&tx, &self.owner, &row).await?;
        feedback::delete_feedback_in(&tx, &self.owner, id).await?;
        shares::remove_all(self, &tx, id).await?;
        attachment_references::release_conversation(&tx, &self.owner, id).await?;
        let deleted = conversation::Entity::delete_many()
            .filter(conversation::Column::Id.eq(id))
            .filter(conversation::Column::OwnerId.eq(self.owner.clone()))
            .exec(tx.connection())
            .await?;
        if deleted.rows_affected == 0 {
            return Err(Error::NotFound("conversation"));
        }
        tx.record(Change { kind: ChangeKind::ConversationDeleted, conversation: id, message: None });
        tx.commit().await
    }
}

impl Scoped {
    /// One of the owner's conversations, as it is while the transaction lasts: the lock of the account covers it.
    pub(in crate::store) async fn locked(&self, tx: &Tx, id: ConversationId) -> Result<conversation::Model> {
        let find = self.own_conversations().filter(conversation::Column::Id.eq(id));
        find.one(tx.connection()).await?.ok_or(Error::NotFound("conversation"))
    }

    /// Locks a conversation for the transaction and increases `updated_at`.
    pub(in crate::store) async fn touch(&self, tx: &Tx, id: ConversationId) -> Result<conversation::Model> {
        let update = conversation::Entity::update_many()
            .col_expr(conversation::Column::UpdatedAt, conversation::next_updated_at(tx.now()))
            .filter(conversation::Column::Id.eq(id))
            .filter(conversation::Column::OwnerId.eq(self.owner.clone()));
        let updated = update.exec_with_returning(tx.connection()).await?.pop();
        updated.ok_or(Error::NotFound("conversation"))
    }

    /// The conversations that a filter selects, whatever their messages say and their labels are.
    fn filtered(&self, filter: &ConversationFilter) -> Select<conversation::Entity> {
        let states = filter.states();
        let state = conversation::Column::State;
        let mut select = self.own_conversations().filter(match &states[..] {
            // The index has the order of a list within a state.
            [only] => state.eq(only.code()),
            several => state.is_in(several.iter().map(|state| state.code())),
        });
        if let Some(since) = filter.updated_since {
            select = select.filter(conversation::Column::UpdatedAt.gte(since));
        }
        if let Some(text) = &filter.title_contains {
            // No LIKE, because every character of the text is literal.
            let find = if self.backend() == DbBackend::Sqlite { "instr" } else { "strpos" };
            let title = conversation::Column::TitleFolded.into_expr();
            let place = Expr::from(Func::cust(find).args([title, Expr::val(fold(text))]));
            select = select.filter(place.gt(0));
        }
        if let Some(pinned) = filter.pinned {
            let pinned_at = conversation::Column::PinnedAt;
            select = select.filter(if pinned { pinned_at.is_not_null() } else { pinned_at.is_null() });
        }
        if let Some(unread) = filter.unread {
            let is_unread = conversation::is_unread();
            select = select.filter(if unread { is_unread } else { is_unread.not() });
        }
        select
    }
}

/// One of these conversations. They may be more than a statement can have parameters.
fn is_among(ids: &BTreeSet<ConversationId>, backend: DbBackend) -> Expr {
    let requested = JsonRows::new(backend, ids.iter().map(|id| json!([id.0.simple().to_string()])));
    let ids = Query::select().expr(requested.uuid(0)).from_function(requested.table(), REQUESTED).take();
    conversation::Column::Id.in_subquery(ids)
}
