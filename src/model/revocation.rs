//! Tokens that are refused although they have not expired.

use super::{OwnerId, Timestamp};

/// What is known of the token of a viewer, besides whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TokenIdentity {
    /// `jti` (RFC 7519, 4.1.7).
    pub id: Option<String>,
    /// `iat` (RFC 7519, 4.1.6).
    pub issued_at: Option<Timestamp>,
}

/// The tokens that are refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RevokedTokens {
    /// The token with this `jti`.
    Token(String),
    /// Tokens with this `sub`.
    User(OwnerId),
}

/// A revocation, or that it is undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// What is refused.
    pub tokens: RevokedTokens,
    /// Of a user, only tokens that were issued before, and those that do not say when they were issued.
    pub issued_before: Option<Timestamp>,
    /// When the tokens have expired, so that the revocation is not needed any more. `None`: never.
    pub until: Option<Timestamp>,
    /// Whether they are accepted again.
    pub is_undone: bool,
    /// When this was said.
    pub created_at: Timestamp,
}

impl Revocation {
    /// Whether it refuses tokens at a time.
    pub fn is_active(&self, now: Timestamp) -> bool {
        !self.is_undone && self.until.is_none_or(|until| until > now)
    }
}
