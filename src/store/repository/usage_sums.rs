//! Sums of token usage, computed from the messages and from what is kept of deleted ones.
//!
//! One statement reads both, so a message that is deleted at the same moment counts once.

mod statement;

use std::collections::HashMap;

use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect,
};

use crate::model::{
    AuditAction, End, Invalid, MAX_USAGE_SUMS, OwnerId, OwnerUsage, Page, Range, Scope, Slice, UsageGroup,
    UsagePeriod, UsageSum,
};
use crate::store::entity::account;
use crate::store::error::{Error, Result};
use crate::store::row_budget::{ROW_OVERHEAD, RowBudget};
use crate::store::scope::Scoped;
use statement::{SumRow, SumStatement};

impl Scoped {
    /// The owner's sums of a period, in the order of days, models and conversations. Without groups there is one sum.
    ///
    /// # Errors
    /// - `Invalid`: there are more than [`MAX_USAGE_SUMS`] sums.
    pub async fn usage(&self, period: UsagePeriod, groups: &[UsageGroup]) -> Result<Vec<UsageSum>> {
        let owner = std::slice::from_ref(&self.owner);
        let usage = self.usage_of(owner, period, groups).await?.pop();
        Ok(usage.map(|usage| usage.sums).unwrap_or_default())
    }

    /// The sums of a period for each owner after one, in the order of owners. Owners without usage are there, too.
    ///
    /// # Errors
    /// - `ScopeRequired`: the credentials lack [`Scope::Usage`].
    /// - `Invalid`: there are more than [`MAX_USAGE_SUMS`] sums.
    pub async fn usage_report(
        &self,
        period: UsagePeriod,
        groups: &[UsageGroup],
        after: Option<OwnerId>,
        size: u32,
    ) -> Result<Slice<OwnerUsage>> {
        self.require(Scope::Usage)?;
        self.audit_read(AuditAction::UsageReport).await?;
        let accounts = account::Entity::find()
            .filter(account::Column::Id.gt(after.as_ref().map_or("", OwnerId::as_str)))
            .order_by_asc(account::Column::Id)
            .limit(u64::from(size) + 1)
            .all(&self.store.reader_of_all_owners())
            .await?;
        let owners = accounts.into_iter().map(|account| account.id).collect();
        let page = Page { end: End::First, size };
        let Slice { items, has_previous, has_next } =
            Slice::from_rows(owners, page, &Range { after, before: None });
        Ok(Slice { items: self.usage_of(&items, period, groups).await?, has_previous, has_next })
    }

    /// The sums of each of these owners, in the given order.
    async fn usage_of(
        &self,
        owners: &[OwnerId],
        period: UsagePeriod,
        groups: &[UsageGroup],
    ) -> Result<Vec<OwnerUsage>> {
        let rows = self.sum_rows(SumStatement { backend: self.backend(), owners, period, groups }).await?;
        let mut budget = RowBudget::new(&self.allowance);
        budget.grow(rows.len() * ROW_OVERHEAD).await?;
        let mut sums: HashMap<OwnerId, Vec<UsageSum>> = HashMap::new();
        for row in rows {
            sums.entry(row.owner_id.clone()).or_default().push(row.into());
        }
        budget.keep();
        let usage = owners.iter().map(|owner| {
            let mut sums = sums.remove(owner).unwrap_or_default();
            if sums.is_empty() && groups.is_empty() {
                sums.push(UsageSum::default());
            }
            // The databases differ in the order of texts and of nulls.
            sums.sort_by(|a, b| (a.day, &a.model, a.conversation).cmp(&(b.day, &b.model, b.conversation)));
            OwnerUsage { owner: owner.clone(), sums }
        });
        Ok(usage.collect())
    }

    async fn sum_rows(&self, statement: SumStatement<'_>) -> Result<Vec<SumRow>> {
        if statement.owners.is_empty() {
            return Ok(Vec::new());
        }
        let permit = self.store.0.sums.acquire().await;
        let _permit = permit.map_err(|_| Error::unavailable("the store is closed"))?;
        let reader = self.store.reader_of(statement.owners.iter());
        let rows = reader.query_all(&statement.select()).await?;
        if rows.len() > MAX_USAGE_SUMS {
            let rule = format!(
                "must give at most {MAX_USAGE_SUMS} sums, gives more: ask for fewer groups or a shorter period"
            );
            return Err(Invalid::new("groupBy", rule).into());
        }
        rows.iter().map(|row| Ok(SumRow::from_query_result(row, "")?)).collect()
    }
}
