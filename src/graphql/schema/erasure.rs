//! Erasure of users, for back ends.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::scalar::DateTime;
use crate::graphql::execution::context::ContextExt;
use crate::model::{self, Invalid, OwnerId, Timestamp};
use crate::store::Result;

/// The user to erase.
#[derive(InputObject)]
struct EraseUserInput {
    /// The user: the subject of their tokens.
    subject: ID,
}

/// The proof that a user was erased.
struct ErasureReceipt(model::ErasureReceipt);

/// The proof that a user was erased.
#[Object]
impl ErasureReceipt {
    /// When the erasure ended.
    async fn erased_at(&self) -> DateTime {
        DateTime(self.0.erased_at().unwrap_or(Timestamp(0)))
    }

    /// How many rows of the database were removed.
    async fn row_count(&self) -> i64 {
        i64::try_from(self.0.row_count()).unwrap_or(i64::MAX)
    }

    /// The receipt as JSON: the number of rows for each table, the times, a SHA-256, and a signature with the key of the
    /// database. It has a hash instead of the user. Keep it: `scrollback erase --verify` checks it.
    async fn document(&self) -> String {
        self.0.to_json()
    }
}

/// The result of an erasure.
#[derive(SimpleObject)]
struct EraseUserPayload {
    /// The receipt. Null if the erasure takes longer than a few seconds: it goes on, also after a crash of the server.
    /// Call again for the receipt.
    receipt: Option<ErasureReceipt>,
}

/// Mutations of erasure.
#[derive(Default)]
pub(in crate::graphql) struct ErasureMutation;

#[Object]
impl ErasureMutation {
    /// Erases a user: all conversations and messages, everything that was derived from them, and the account. Their
    /// subscriptions end, and their writes fail with BEING_ERASED until a minute after the end (`erasure.settle`). Revoke
    /// their tokens first. It cannot be undone. A repeat gives the same receipt, unless the user wrote something since. Error
    /// FORBIDDEN: the token lacks the scope `scrollback:erase`.
    async fn erase_user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user.")] input: EraseUserInput,
    ) -> Result<EraseUserPayload> {
        let user = OwnerId::new(input.subject.0)
            .map_err(|invalid| Invalid { argument: "input.subject".into(), ..invalid })?;
        let receipt = ctx.store()?.erase_user(&user).await?;
        Ok(EraseUserPayload { receipt: receipt.map(ErasureReceipt) })
    }
}
