//! Errors of subscriptions.

use crate::store;

/// The reason why a subscription ended.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// A read failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The queue of the subscriber is full. It has received everything up to this position.
    #[error("the subscriber is too slow: resume from the cursor")]
    Lagged(i64),
}

/// The result of a subscription.
pub type Result<T> = std::result::Result<T, Error>;
