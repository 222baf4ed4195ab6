//! Authentication errors.

use std::time::Duration;

use jsonwebtoken::errors::ErrorKind;

use crate::model::{Invalid, Scope};

/// The longest accepted token, in bytes.
pub(super) const MAX_TOKEN_BYTES: usize = 8 * 1024;

impl From<jsonwebtoken::errors::Error> for AuthError {
    fn from(error: jsonwebtoken::errors::Error) -> Self {
        match error.kind() {
            ErrorKind::ExpiredSignature => Self::Expired,
            _ => Self::Invalid,
        }
    }
}

/// The reason why credentials were rejected. The messages help to correct the request but not to forge a
/// token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// There are no credentials.
    #[error("credentials are missing: send `Authorization: Bearer <token>`")]
    Missing,
    /// The token has expired.
    #[error("the token has expired")]
    Expired,
    /// The token was revoked.
    #[error("the token was revoked")]
    Revoked,
    /// The token is valid for longer than tokens may be.
    #[error("the token is valid for too long: it must expire within {}", humantime::format_duration(*.0))]
    LivesTooLong(Duration),
    /// The signature, format, algorithm or claims are not valid.
    #[error("the token is not valid")]
    Invalid,
    /// The token is longer than the limit.
    #[error("the token must have at most {MAX_TOKEN_BYTES} bytes")]
    TooLong,
    /// The token is valid but does not allow to act for other users.
    #[error("acting for another user requires a token with the scope `{}`", Scope::ActAs.as_str())]
    ActAsForbidden,
    /// The owner to act for is not valid.
    #[error(transparent)]
    InvalidActAs(#[from] Invalid),
    /// The keys to verify the token cannot be fetched now.
    #[error("the keys to verify the token are not available: retry later")]
    KeysUnavailable,
}
