//! The change feed of an owner: reading and trimming it.
//!
//! Revisions have no gaps. So if a page does not begin right after the requested revision, the changes in between
//! were trimmed. The feed needs no other bookkeeping.

use sea_orm::sea_query::{Expr, ExprTrait, Order, Query};
use sea_orm::{ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect, QueryTrait};

use crate::model::{Change, ChangeKind, CommittedChange, Invalid, OwnerId, Timestamp};
use crate::store::database::Store;
use crate::store::entity::{account, change};
use crate::store::error::Error;
use crate::store::error::Result;
use crate::store::scope::Scoped;
use crate::store::transaction;

/// The maximum number of accounts and of changes in one step of trimming.
const TRIM_ACCOUNTS: u64 = 500;
const TRIM_CHANGES: u64 = 1000;

/// An account with the time of its oldest change.
#[derive(FromQueryResult)]
struct Oldest {
    id: OwnerId,
    oldest: Option<Timestamp>,
}

impl Scoped {
    /// The revision of the owner's newest change. 0 if there is none.
    ///
    /// # Errors
    /// - `BeingErased`: the owner is being erased, so the feed ends.
    pub async fn revision(&self) -> Result<i64> {
        match account::Entity::find_by_id(self.owner.clone()).one(&self.reader()).await? {
            Some(row) if row.erasing_since.is_some() => Err(Error::BeingErased),
            row => Ok(row.map_or(0, |row| row.revision)),
        }
    }

    /// The revision before the oldest change that is kept. Reading after it returns the whole feed.
    pub async fn oldest_kept(&self) -> Result<i64> {
        let oldest = change::Entity::find()
            .filter(change::Column::OwnerId.eq(self.owner.clone()))
            .order_by_asc(change::Column::Revision)
            .one(&self.reader())
            .await?;
        match oldest {
            Some(row) => Ok(row.revision - 1),
            None => self.revision().await,
        }
    }

    /// The owner's changes after a revision, oldest first, at most `limit`.
    ///
    /// # Errors
    /// - `Expired`: the changes after the revision were trimmed.
    /// - `BeingErased`: there is none, and the owner is being erased.
    /// - `Invalid`: the revision is newer than the feed, so it does not come from this feed.
    pub async fn changes(&self, after: i64, limit: u32) -> Result<Vec<CommittedChange>> {
        // The second attempt finds changes that were committed between the reads of the page and of the revision.
        for _ in 0..2 {
            let rows = change::Entity::find()
                .filter(change::Column::OwnerId.eq(self.owner.clone()))
                .filter(change::Column::Revision.gt(after))
                .order_by_asc(change::Column::Revision)
                .limit(u64::from(limit))
                .all(&self.reader())
                .await?;
            match rows.first() {
                Some(first) if first.revision == after + 1 => {
                    return rows.into_iter().map(CommittedChange::try_from).collect();
                }
                Some(_) => return Err(Error::Expired),
                None => {}
            }
            let newest = self.revision().await?;
            if newest == after {
                return Ok(Vec::new());
            }
            if newest < after {
                return Err(Invalid::new("after", "must be a cursor of this feed").into());
            }
        }
        Err(Error::Expired)
    }
}

impl Store {
    /// Removes changes older than a time, in small steps that do not delay writes. Several replicas can run it at the
    /// same time. Returns the number of removed changes.
    pub async fn trim_changes(&self, before: Timestamp) -> Result<u64> {
        let mut removed = 0;
        let mut after = String::new();
        loop {
            let oldest = Query::select()
                .column(change::Column::ChangedAt)
                .from(change::Entity)
                .and_where(change::Column::OwnerId.into_expr().equals((account::Entity, account::Column::Id)))
                .order_by(change::Column::Revision, Order::Asc)
                .limit(1)
                .take();
            let accounts = account::Entity::find()
                .select_only()
                .column(account::Column::Id)
                .expr_as(Expr::SubQuery(None, Box::new(oldest.into())), "oldest")
                .filter(account::Column::Id.gt(after.as_str()))
                .order_by_asc(account::Column::Id)
                .limit(TRIM_ACCOUNTS)
                .into_model::<Oldest>()
                .all(&self.reader_of_all_owners())
                .await?;
            let Some(last) = accounts.last() else { return Ok(removed) };
            after = last.id.as_str().to_owned();
            for account in accounts {
                if account.oldest.is_some_and(|oldest| oldest < before) {
                    removed += self.trim_account(&account.id, before).await?;
                }
            }
        }
    }

    /// Removes from the oldest up to the first change that is kept, so that the feed has no gap.
    async fn trim_account(&self, owner: &OwnerId, before: Timestamp) -> Result<u64> {
        let mut removed = 0;
        loop {
            let oldest = change::Entity::find()
                .filter(change::Column::OwnerId.eq(owner.clone()))
                .order_by_asc(change::Column::Revision)
                .limit(TRIM_CHANGES)
                .all(&self.reader_of(std::iter::once(owner)))
                .await?;
            let Some(last) = oldest.iter().take_while(|row| row.changed_at < before).last() else {
                return Ok(removed);
            };
            let trim = change::Entity::delete_many()
                .filter(change::Column::OwnerId.eq(owner.clone()))
                .filter(change::Column::Revision.lte(last.revision));
            removed += transaction::run_without_change(self, owner, trim.build(self.backend())).await?;
            self.0.writer.erased();
        }
    }
}

/// An unknown kind is a fault in the database, so the error is internal.
impl TryFrom<change::Model> for CommittedChange {
    type Error = Error;

    fn try_from(row: change::Model) -> Result<Self> {
        let kind = ChangeKind::from_code(row.kind)
            .ok_or_else(|| Error::broken(format!("a change has the unknown kind {}", row.kind)))?;
        let change = Change { kind, conversation: row.conversation_id, message: row.message_id };
        Ok(Self { revision: row.revision, change, changed_at: row.changed_at, actor: row.actor })
    }
}
