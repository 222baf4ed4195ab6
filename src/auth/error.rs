//! Why credentials are refused.

use super::claims::ACT_AS_SCOPE;
use crate::model::Invalid;

/// Longest token that is looked at, in bytes.
pub(super) const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// Why credentials were refused. Says enough to mend them and nothing that helps to forge them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// There are none.
    #[error("credentials are missing: send `Authorization: Bearer <token>`")]
    Missing,
    /// They have ended.
    #[error("the token has expired")]
    Expired,
    /// Wrong signature, form, algorithm or claims.
    #[error("the token is not valid")]
    Invalid,
    /// They are larger than any token needs to be.
    #[error("the token is too long: at most {MAX_TOKEN_BYTES} bytes")]
    TooLong,
    /// They are good, but not for acting for somebody else.
    #[error("to act for somebody else the token needs the scope `{}`", ACT_AS_SCOPE)]
    ActAsForbidden,
    /// Nobody of that name can own anything.
    #[error(transparent)]
    InvalidActAs(#[from] Invalid),
    /// They may be good: the keys to verify them with cannot be had just now.
    #[error("the keys to verify the token with are not available just now")]
    KeysUnavailable,
}
