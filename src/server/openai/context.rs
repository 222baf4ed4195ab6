//! What the handlers of all endpoints share.

use crate::memory::MemoryBudget;
use crate::server::state::ServerState;
use crate::store::Scoped;

/// What the handlers of an endpoint have.
pub(super) struct Context<'s> {
    pub(super) shared: &'s ServerState,
    pub(super) scope: Scoped,
    pub(super) budget: MemoryBudget,
    /// The header `Idempotency-Key`.
    pub(super) key: Option<String>,
}
