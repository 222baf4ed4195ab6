//! Tokens that are refused.

use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect,
};

use crate::model::{AuditAction, AuditEntry, OwnerId, Revocation, RevokedTokens};
use crate::store::database::Store;
use crate::store::entity::revocation::{Column, Entity, Model};
use crate::store::error::{Error, Result};
use crate::store::transaction::PlainTx;

const TOKEN: i16 = 1;
const USER: i16 = 2;

/// The most rows that are read at once.
const PAGE: u64 = 10_000;

/// How often a number is tried that another process takes at the same time.
const ATTEMPTS: usize = 20;

impl Store {
    /// Stores a revocation, or that it is undone, in the place of an earlier one of the same tokens. There is an entry in
    /// the audit log.
    pub async fn revoke(&self, revocation: &Revocation) -> Result<()> {
        for _ in 1..ATTEMPTS {
            match self.try_revoke(revocation).await {
                // The transaction with this number has committed, so the next number is larger: numbers follow commits.
                Err(Error::Conflict) => {}
                done => return done,
            }
        }
        self.try_revoke(revocation).await
    }

    async fn try_revoke(&self, revocation: &Revocation) -> Result<()> {
        let tx = PlainTx::begin_for_nobody(self).await?;
        let connection = tx.connection();
        let row = row(revocation, last_number(connection).await? + 1);
        let same = Condition::all().add(Column::Kind.eq(row.kind)).add(Column::Name.eq(&row.name));
        Entity::delete_many().filter(same).exec(connection).await?;
        Entity::insert(row.into_active_model()).exec_without_returning(connection).await?;
        let action = if revocation.is_undone { AuditAction::AcceptTokens } else { AuditAction::RevokeTokens };
        let entry = match &revocation.tokens {
            RevokedTokens::Token(id) => AuditEntry { detail: Some(id.clone()), ..self.operation(action) },
            RevokedTokens::User(user) => self.operation(action).about(user),
        };
        super::audit::add(connection, entry).await?;
        tx.commit(false).await
    }

    /// The revocations after a number, and the last number. The number of the first is larger than 0.
    pub async fn revocations_after(&self, number: i64) -> Result<(i64, Vec<Revocation>)> {
        let (mut last, mut found) = (number, Vec::new());
        loop {
            let find =
                Entity::find().filter(Column::Number.gt(last)).order_by_asc(Column::Number).limit(PAGE);
            let rows = find.all(&self.0.read).await?;
            let Some(newest) = rows.last() else { return Ok((last, found)) };
            last = newest.number;
            found.reserve(rows.len());
            for row in rows {
                found.push(revocation(row)?);
            }
        }
    }

    /// Deletes revocations of tokens that have expired.
    pub async fn trim_revocations(&self) -> Result<u64> {
        let now = self.0.clock.now();
        let _lock = self.0.write_lock.acquire().await?;
        // The last row stays: its number must not be given again.
        let last = last_number(&self.0.write).await?;
        let expired = Condition::all().add(Column::Until.lte(now)).add(Column::Number.lt(last));
        Ok(Entity::delete_many().filter(expired).exec(&self.0.write).await?.rows_affected)
    }
}

async fn last_number(connection: &impl ConnectionTrait) -> Result<i64> {
    let last = Entity::find().order_by_desc(Column::Number).one(connection).await?;
    Ok(last.map_or(0, |row| row.number))
}

fn row(revocation: &Revocation, number: i64) -> Model {
    let Revocation { tokens, issued_before, until, is_undone, created_at } = revocation.clone();
    let (kind, name) = match tokens {
        RevokedTokens::Token(id) => (TOKEN, id),
        RevokedTokens::User(user) => (USER, user.as_str().to_owned()),
    };
    Model { number, kind, name, issued_before, until, is_undone, created_at }
}

fn revocation(row: Model) -> Result<Revocation> {
    let Model { number, kind, name, issued_before, until, is_undone, created_at } = row;
    let broken = || Error::broken(format!("the row {number} of revocation is not valid"));
    let tokens = match kind {
        TOKEN => RevokedTokens::Token(name),
        USER => RevokedTokens::User(OwnerId::new(name).map_err(|_| broken())?),
        _ => return Err(broken()),
    };
    Ok(Revocation { tokens, issued_before, until, is_undone, created_at })
}
