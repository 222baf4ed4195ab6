//! Why something cannot be followed.

use crate::store;

/// Why following ended.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The store failed, or refused.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The follower did not keep up. It has everything up to this position.
    #[error("the subscriber did not keep up: resume from the cursor")]
    Lagged(i64),
}

/// What following gives.
pub type Result<T> = std::result::Result<T, Error>;
