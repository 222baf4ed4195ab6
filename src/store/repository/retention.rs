//! Retention: finds the conversations that are not kept, and deletes or archives them.
//!
//! The owners are walked through in pages. Of a page, the conversations that a rule applies to are found in small
//! batches, through indexes that begin with the owner. Each conversation is changed in a transaction of its own that
//! checks the rule again: so several servers can do it at once, a new message keeps a conversation, and a server that
//! is killed leaves nothing half done.

use std::collections::BTreeMap;

use sea_orm::sea_query::{ExprTrait, OnConflict};
use sea_orm::{
    ActiveValue, ColumnTrait, Condition, EntityTrait, FromQueryResult, QueryFilter, QuerySelect, Select,
};

use crate::model::{
    AuditAction, ConversationId, ConversationPatch, ConversationState, DueCount, InactivityRule, OwnerId,
    OwnerRetention, RetentionAction, RetentionReason, RetentionRules, Timestamp, Viewer,
};
use crate::store::database::Store;
use crate::store::engine::background::in_background;
use crate::store::entity::conversation::Column;
use crate::store::entity::{account, conversation};
use crate::store::error::{Error, Result};
use crate::store::repository::audit;
use crate::store::scope::Scoped;
use crate::store::transaction::PlainTx;

/// Conversations that are found in one statement.
const BATCH: u64 = 100;

/// A condition on conversations, for some of the owners of a page.
struct DueGroup {
    reason: RetentionReason,
    owners: Vec<OwnerId>,
    /// The latest time that the rule applies to.
    until: Timestamp,
}

#[derive(FromQueryResult)]
struct Counted {
    owner_id: OwnerId,
    conversations: i64,
}

impl Store {
    /// Deletes and archives the conversations that the rules apply to. Returns their number by reason.
    pub async fn apply_retention(&self, rules: RetentionRules) -> Result<BTreeMap<RetentionReason, u64>> {
        in_background(async {
            let mut done = BTreeMap::new();
            let mut after = String::new();
            loop {
                let (groups, last) = self.due_groups(&after, rules).await?;
                for group in groups {
                    self.apply(&group, &mut done).await?;
                }
                let Some(last) = last else { return Ok(done) };
                last.as_str().clone_into(&mut after);
            }
        })
        .await
    }

    /// How many conversations the rules apply to now, by owner and reason.
    pub async fn due_conversations(&self, rules: RetentionRules) -> Result<Vec<DueCount>> {
        let mut found = Vec::new();
        let mut after = String::new();
        loop {
            let (groups, last) = self.due_groups(&after, rules).await?;
            for group in groups {
                let counted = group
                    .select()
                    .select_only()
                    .column(Column::OwnerId)
                    .column_as(Column::Id.count(), "conversations")
                    .group_by(Column::OwnerId)
                    .into_model::<Counted>()
                    .all(&self.reader_of(group.owners.iter()))
                    .await?;
                let count = |Counted { owner_id: owner, conversations }| DueCount {
                    owner,
                    reason: group.reason,
                    conversations,
                };
                found.extend(counted.into_iter().map(count));
            }
            let Some(last) = last else { break };
            last.as_str().clone_into(&mut after);
        }
        found.sort_by(|one, other| (&one.owner, one.reason).cmp(&(&other.owner, other.reason)));
        Ok(found)
    }

    /// The number of conversations that this process deleted or archived for a reason.
    pub fn retention_figures(&self) -> [(RetentionReason, u64); 4] {
        RetentionReason::ALL.map(|reason| (reason, self.0.retention.get(reason)))
    }

    /// Sets the rule of an owner, who need not have written anything yet.
    ///
    /// # Errors
    /// - `BeingErased`: the owner is being erased.
    pub async fn set_owner_retention(&self, owner: &OwnerId, retention: OwnerRetention) -> Result<()> {
        let (after, action) = match retention {
            OwnerRetention::Default => (None, None),
            OwnerRetention::Keep => (Some(0), None),
            OwnerRetention::Rule(rule) => (Some(rule.after), Some(rule.action.code())),
        };
        let row = account::ActiveModel {
            retention_after: ActiveValue::Set(after),
            retention_action: ActiveValue::Set(action),
            ..account::ActiveModel::of(owner, self.0.clock.now())
        };
        let set = [account::Column::RetentionAfter, account::Column::RetentionAction];
        let update = OnConflict::column(account::Column::Id)
            .update_columns(set)
            .action_and_where(account::Column::ErasingSince.is_null())
            .to_owned();
        let tx = PlainTx::begin(self, owner).await?;
        let written =
            account::Entity::insert(row).on_conflict(update).exec_without_returning(tx.connection()).await?;
        if written == 0 {
            return Err(Error::BeingErased);
        }
        audit::add(tx.connection(), self.operation(AuditAction::SetRetention).about(owner)).await?;
        tx.commit(false).await
    }

    /// The rules that apply to a page of owners, and the last of them.
    async fn due_groups(
        &self,
        after: &str,
        rules: RetentionRules,
    ) -> Result<(Vec<DueGroup>, Option<OwnerId>)> {
        let now = self.0.clock.now();
        let mut accounts = self.accounts_after(after).await?;
        let last = accounts.last().map(|account| account.id.clone());
        accounts.retain(|account| account.erasing_since.is_none());
        let owners: Vec<OwnerId> = accounts.iter().map(|account| account.id.clone()).collect();
        let until = |after: i64| Timestamp(now.0.saturating_sub(after));
        let group = |reason, until, owners| DueGroup { reason, owners, until };
        let mut groups = vec![group(RetentionReason::Expired, now, owners.clone())];
        if let Some(trash) = rules.trash {
            groups.push(group(RetentionReason::Trash, until(trash), owners));
        }
        let mut by_rule: BTreeMap<(i64, i16), Vec<OwnerId>> = BTreeMap::new();
        for account in accounts {
            if let Some(rule) = rule_of(&account, rules)? {
                by_rule.entry((rule.after, rule.action.code())).or_default().push(account.id);
            }
        }
        for ((after, action), owners) in by_rule {
            let reason = match RetentionAction::from_code(action) {
                Some(RetentionAction::Archive) => RetentionReason::InactiveArchive,
                _ => RetentionReason::InactiveDelete,
            };
            groups.push(group(reason, until(after), owners));
        }
        groups.retain(|group| !group.owners.is_empty());
        Ok((groups, last))
    }

    async fn apply(&self, group: &DueGroup, done: &mut BTreeMap<RetentionReason, u64>) -> Result<()> {
        loop {
            let due = group.select().limit(BATCH).all(&self.reader_of(group.owners.iter())).await?;
            let is_last = (due.len() as u64) < BATCH;
            let mut changed = 0;
            for row in due {
                if self.viewed_by(&Viewer::new(row.owner_id)).retain(row.id, group).await? {
                    self.0.retention.add(group.reason);
                    changed += 1;
                }
            }
            *done.entry(group.reason).or_default() += changed;
            // If nothing changed, another server was faster, and is doing the rest.
            if is_last || changed == 0 {
                return Ok(());
            }
        }
    }
}

impl Scoped {
    /// Applies a rule to a conversation, if it still applies. Returns whether it did.
    async fn retain(&self, id: ConversationId, group: &DueGroup) -> Result<bool> {
        let applied = if group.reason == RetentionReason::InactiveArchive {
            let patch = ConversationPatch { archived: Some(true), ..ConversationPatch::default() };
            self.update_conversation_if(id, AuditAction::RetentionArchive, patch, |row| group.applies_to(row))
                .await
                .map(drop)
        } else {
            self.delete_conversation_if(id, AuditAction::RetentionDelete, |row| group.applies_to(row)).await
        };
        match applied {
            Ok(()) => Ok(true),
            Err(Error::NotFound(_) | Error::BeingErased) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl DueGroup {
    /// The conversations of its owners that the rule applies to.
    fn select(&self) -> Select<conversation::Entity> {
        let owners = conversation::Entity::find().filter(Column::OwnerId.is_in(self.owners.iter().cloned()));
        let states =
            |states: &[ConversationState]| Column::State.is_in(states.iter().map(|state| state.code()));
        let is_inactive = Column::UpdatedAt.lte(self.until).and(Column::PinnedAt.is_null());
        let condition = match self.reason {
            RetentionReason::Trash => {
                Column::TrashedAt.lte(self.until).and(states(&[ConversationState::Trashed]))
            }
            RetentionReason::Expired => Column::ExpiresAt.lte(self.until),
            RetentionReason::InactiveDelete => {
                is_inactive.and(states(&[ConversationState::Active, ConversationState::Archived]))
            }
            RetentionReason::InactiveArchive => is_inactive.and(states(&[ConversationState::Active])),
        };
        owners.filter(Condition::all().add(condition))
    }

    /// The same for one row.
    fn applies_to(&self, row: &conversation::Model) -> bool {
        let is_past = |time: Option<Timestamp>| time.is_some_and(|time| time <= self.until);
        let is_inactive = row.updated_at <= self.until && row.pinned_at.is_none() && row.trashed_at.is_none();
        match self.reason {
            RetentionReason::Trash => is_past(row.trashed_at),
            RetentionReason::Expired => is_past(row.expires_at),
            RetentionReason::InactiveDelete => is_inactive,
            RetentionReason::InactiveArchive => is_inactive && row.archived_at.is_none(),
        }
    }
}

/// The rule for conversations without activity of an owner.
fn rule_of(account: &account::Model, rules: RetentionRules) -> Result<Option<InactivityRule>> {
    let action = |code| {
        RetentionAction::from_code(code)
            .ok_or_else(|| Error::broken(format!("an account has the unknown retention action {code}")))
    };
    match (account.retention_after, account.retention_action) {
        (Some(after), Some(code)) => Ok(Some(InactivityRule { after, action: action(code)? })),
        (Some(_), None) => Ok(None),
        (None, _) => Ok(rules.inactive),
    }
}
