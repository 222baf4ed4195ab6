//! Shares: making, listing, revoking and reading them.
//!
//! A reader has no owner. The share is found by the hash of the secret among those of all owners; its messages are read as
//! its owner.

use std::collections::{BTreeSet, HashMap};

use ring::rand::{SecureRandom, SystemRandom};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect,
};

use crate::model::{
    Attachment, AttachmentId, AuditAction, Change, ChangeKind, Conversation, ConversationId,
    ConversationState, Deleted, End, Invalid, Message, MessageStatus, NewShare, Page, Range, Share, ShareId,
    ShareLabel, ShareRules, ShareSecret, SharedConversation, SharedMessage, Title, share_hash,
};
use crate::store::database::Store;
use crate::store::entity::{conversation, share, shared_message};
use crate::store::error::{Error, Result};
use crate::store::files::StoredFile;
use crate::store::repository::attachment_references::{self, Referrer};
use crate::store::scope::Scoped;
use crate::store::transaction::{PlainTx, Tx};

/// Messages that are copied at once.
const PAGE: Page = Page { end: End::First, size: 50 };

/// Messages that are inserted at once: SQLite takes 32766 parameters in a statement.
const ROWS: usize = 500;

impl Scoped {
    /// Copies a branch. Later changes do not change the copy. The secret is `None` for a repeat with the same id.
    ///
    /// # Errors
    /// - `SharesDisabled`: the configuration says so.
    /// - `NotFound`: no such conversation, or no such message in it, for this owner.
    /// - `Trashed`: it is in the trash.
    /// - `Invalid`: it is too large, has too many shares, or the share would end at once.
    /// - `Conflict`: the id is that of another share.
    pub async fn share_conversation(&self, new: NewShare) -> Result<(Share, Option<ShareSecret>)> {
        let rules = self.store.0.shares;
        if !rules.is_enabled {
            return Err(Error::SharesDisabled);
        }
        let id = new.id.unwrap_or_else(|| ShareId(self.store.0.clock.new_id()));
        let conversation =
            self.conversation(new.conversation).await?.ok_or(Error::NotFound("conversation"))?;
        // Read before the transaction: it would need a second connection while it holds one.
        let messages = self.copies(id, &conversation, &new, rules).await?;
        let mut tx = Tx::begin(self, AuditAction::ShareConversation, 1).await?;
        if let Some(id) = new.id
            && let Some(row) = share::Entity::find_by_id(id).one(tx.connection()).await?
        {
            let is_repeat = row.owner_id == self.owner && row.conversation_id == new.conversation;
            return if is_repeat { Ok((row.into(), None)) } else { Err(Error::Conflict) };
        }
        if let Some(expires_at) = new.expires_at.filter(|expires_at| *expires_at <= tx.now()) {
            let rule = format!("must be in the future, got {expires_at}");
            return Err(Invalid::new("input.expiresAt", rule).into());
        }
        let row = self.locked(&tx, new.conversation).await?;
        if row.trashed_at.is_some() {
            return Err(Error::Trashed);
        }
        self.check_number(&tx, new.conversation, rules).await?;
        let message_count = i64::try_from(messages.len()).unwrap_or(i64::MAX);
        let secret = new_secret()?;
        let title = new.title.map(|title| title.map(Title::into_string)).unwrap_or(conversation.title);
        let row = share::Model {
            id,
            owner_id: self.owner.clone(),
            conversation_id: new.conversation,
            secret_hash: share_hash(secret.as_str()),
            title,
            label: new.label.map(ShareLabel::into_string),
            expires_at: new.expires_at,
            created_at: tx.now(),
            message_count,
            view_count: 0,
        };
        insert(&tx, row.clone(), messages).await?;
        self.record_change(&mut tx, new.conversation);
        tx.commit().await?;
        Ok((row.into(), Some(secret)))
    }

    /// The shares of a conversation, the newest first, without those that have ended.
    pub async fn shares(&self, conversation: ConversationId) -> Result<Vec<Share>> {
        let rows = share::Entity::find()
            .filter(share::Column::OwnerId.eq(self.owner.clone()))
            .filter(share::Column::ConversationId.eq(conversation))
            .filter(lasts(self.store.0.clock.now()))
            .order_by_desc(share::Column::CreatedAt)
            .order_by_desc(share::Column::Id)
            .all(&self.reader())
            .await?;
        Ok(rows.into_iter().map(Share::from).collect())
    }

    /// Ends a share and removes the copy. A repeat changes nothing.
    pub async fn revoke_share(&self, id: ShareId) -> Result<()> {
        let mut tx = Tx::begin(self, AuditAction::RevokeShare, 1).await?;
        let find = share::Entity::find_by_id(id).filter(share::Column::OwnerId.eq(self.owner.clone()));
        let Some(row) = find.one(tx.connection()).await? else { return Ok(()) };
        remove(&tx, &[id]).await?;
        attachment_references::release(&tx, Referrer::share(&row)).await?;
        self.record_change(&mut tx, row.conversation_id);
        tx.erases();
        tx.commit().await
    }

    /// Copies of the messages of the path. Deleted ones are left out, and those that are being written.
    async fn copies(
        &self,
        id: ShareId,
        conversation: &Conversation,
        new: &NewShare,
        rules: ShareRules,
    ) -> Result<Vec<shared_message::Model>> {
        let (mut copies, mut bytes) = (Vec::new(), 0);
        let mut after = None;
        loop {
            let range = Range { after, before: None };
            let page = self.path(conversation, new.leaf, range, PAGE, Deleted::LeftOut).await?;
            after = page.items.last().map(|message| message.position);
            for message in page.items {
                if message.status == MessageStatus::Streaming {
                    continue;
                }
                let number = i64::try_from(copies.len() + 1).unwrap_or(i64::MAX);
                let row = self.copied(id, number, message, new.with_metadata);
                bytes += row.content.len() + row.parts.as_ref().map_or(0, String::len);
                bytes += row.metadata.as_ref().map_or(0, |metadata| metadata.as_str().len());
                copies.push(row);
                if copies.len() > rules.messages as usize || bytes > rules.bytes {
                    let rule = format!(
                        "must end a branch of at most {} messages and {} bytes that can be shared",
                        rules.messages, rules.bytes
                    );
                    return Err(Invalid::new("input.leafId", rule).into());
                }
            }
            if !page.has_next || after.is_none() {
                return Ok(copies);
            }
        }
    }

    fn copied(
        &self,
        share: ShareId,
        number: i64,
        message: Message,
        with_metadata: bool,
    ) -> shared_message::Model {
        shared_message::Model {
            share_id: share,
            number,
            owner_id: self.owner.clone(),
            role: message.role.code(),
            content: message.content,
            parts: message.parts.map(|parts| parts.to_json()),
            metadata: with_metadata.then_some(message.metadata),
            model: message.model,
            created_at: message.created_at,
        }
    }

    async fn check_number(&self, tx: &Tx, id: ConversationId, rules: ShareRules) -> Result<()> {
        let count = share::Entity::find()
            .filter(share::Column::OwnerId.eq(self.owner.clone()))
            .filter(share::Column::ConversationId.eq(id))
            .count(tx.connection())
            .await?;
        if count >= u64::from(rules.shares) {
            let rule = format!("must have at most {} shares: revoke some", rules.shares);
            return Err(Invalid::new("input.conversationId", rule).into());
        }
        Ok(())
    }

    fn record_change(&self, tx: &mut Tx, conversation: ConversationId) {
        tx.record(Change { kind: ChangeKind::ConversationUpdated, conversation, message: None });
    }
}

impl Store {
    /// What a secret gives access to, and counts the view. `None` if there is no such share, whatever the reason.
    pub async fn shared(&self, secret: &str) -> Result<Option<SharedConversation>> {
        let Some((row, scope)) = self.find_share(secret).await? else { return Ok(None) };
        let messages = shared_message::Entity::find()
            .filter(shared_message::Column::ShareId.eq(row.id))
            .filter(shared_message::Column::OwnerId.eq(row.owner_id.clone()))
            .order_by_asc(shared_message::Column::Number)
            .all(&scope.reader())
            .await?;
        let messages = messages.into_iter().map(TryInto::try_into).collect::<Result<Vec<_>>>()?;
        // A revocation at the same moment removes the messages.
        if messages.len() as i64 != row.message_count {
            return Ok(None);
        }
        if let Err(error) = scope.count_view(row.id).await {
            tracing::warn!(%error, "a view of a share was not counted");
        }
        let attachments = scope.attachments_of(&messages).await?;
        Ok(Some(SharedConversation { share: row.into(), messages, attachments }))
    }

    /// A file of what a secret gives access to. `None` if there is no such share or file, whatever the reason.
    pub async fn shared_file(&self, secret: &str, id: AttachmentId) -> Result<Option<StoredFile>> {
        match self.find_share(secret).await? {
            Some((row, scope)) => scope.file_of_share(row.id, id).await,
            None => Ok(None),
        }
    }

    /// What a secret gives access to, and the view of its owner.
    async fn find_share(&self, secret: &str) -> Result<Option<(share::Model, Scoped)>> {
        if !self.0.shares.is_enabled {
            return Ok(None);
        }
        let find = share::Entity::find()
            .filter(share::Column::SecretHash.eq(share_hash(secret)))
            .filter(lasts(self.0.clock.now()));
        let Some(row) = find.one(&self.reader_of_all_owners()).await? else { return Ok(None) };
        let scope = self.owned_by(row.owner_id.clone());
        if !self.0.shares.while_trashed && scope.is_trashed(row.conversation_id).await? {
            return Ok(None);
        }
        Ok(Some((row, scope)))
    }
}

impl Scoped {
    async fn is_trashed(&self, id: ConversationId) -> Result<bool> {
        let states: Option<i16> = self
            .own_conversations()
            .filter(conversation::Column::Id.eq(id))
            .select_only()
            .column(conversation::Column::State)
            .into_tuple()
            .one(&self.reader())
            .await?;
        Ok(states.is_none_or(|state| state == ConversationState::Trashed.code()))
    }

    /// The attachments that shared messages refer to.
    async fn attachments_of(&self, messages: &[SharedMessage]) -> Result<HashMap<AttachmentId, Attachment>> {
        let parts = messages.iter().filter_map(|message| message.parts.as_ref());
        let ids: BTreeSet<_> = parts.flat_map(attachment_references::referred).collect();
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        self.attachments(&ids.into_iter().collect::<Vec<_>>()).await
    }

    async fn count_view(&self, id: ShareId) -> Result<()> {
        let tx = PlainTx::begin(&self.store, &self.owner).await?;
        share::Entity::update_many()
            .col_expr(share::Column::ViewCount, Expr::col(share::Column::ViewCount).add(1_i64))
            .filter(share::Column::Id.eq(id))
            .filter(share::Column::OwnerId.eq(self.owner.clone()))
            .exec(tx.connection())
            .await?;
        tx.commit(false).await
    }
}

/// Inserts a share with its messages.
///
/// # Errors
/// - `Conflict`: there is a share with this id or secret.
pub(super) async fn insert(tx: &Tx, share: share::Model, messages: Vec<shared_message::Model>) -> Result<()> {
    share::Entity::insert(share.clone().into_active_model()).exec_without_returning(tx.connection()).await?;
    let mut referred = BTreeSet::new();
    for message in &messages {
        referred.append(&mut attachment_references::referred_in(message.parts.as_deref())?);
    }
    attachment_references::refer_to_known(tx, Referrer::share(&share), &referred).await?;
    let mut rows = messages.into_iter().map(IntoActiveModel::into_active_model).peekable();
    while rows.peek().is_some() {
        shared_message::Entity::insert_many(rows.by_ref().take(ROWS))
            .exec_without_returning(tx.connection())
            .await?;
    }
    Ok(())
}

/// Removes the shares of a conversation.
pub(super) async fn remove_all(scope: &Scoped, tx: &Tx, conversation: ConversationId) -> Result<()> {
    let ids: Vec<ShareId> = share::Entity::find()
        .select_only()
        .column(share::Column::Id)
        .filter(share::Column::OwnerId.eq(scope.owner.clone()))
        .filter(share::Column::ConversationId.eq(conversation))
        .into_tuple()
        .all(tx.connection())
        .await?;
    remove(tx, &ids).await
}

async fn remove(tx: &Tx, ids: &[ShareId]) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    shared_message::Entity::delete_many()
        .filter(shared_message::Column::ShareId.is_in(ids.iter().copied()))
        .exec(tx.connection())
        .await?;
    share::Entity::delete_many()
        .filter(share::Column::Id.is_in(ids.iter().copied()))
        .exec(tx.connection())
        .await?;
    Ok(())
}

/// The shares that have not ended.
fn lasts(now: crate::model::Timestamp) -> Condition {
    Condition::any().add(share::Column::ExpiresAt.is_null()).add(share::Column::ExpiresAt.gt(now))
}

fn new_secret() -> Result<ShareSecret> {
    let mut bytes = [0; 24];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Error::broken("the system gives no random numbers".into()))?;
    Ok(ShareSecret::from_bytes(bytes))
}
