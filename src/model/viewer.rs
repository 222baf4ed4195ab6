//! The authenticated viewer.

use super::{OwnerId, Timestamp, TokenIdentity};

/// A scope of a token that Scrollback knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Act for any owner.
    ActAs,
    /// Read the sums of usage of all owners.
    Usage,
    /// Erase users.
    Erase,
}

impl Scope {
    /// All scopes.
    pub const ALL: [Self; 3] = [Self::ActAs, Self::Usage, Self::Erase];

    /// The name in tokens.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ActAs => "scrollback:act-as",
            Self::Usage => "scrollback:usage",
            Self::Erase => "scrollback:erase",
        }
    }
}

/// The result of authentication. Only `auth` makes one from a token. Every read and write of the store needs
/// one.
///
/// Made by `auth` alone; every read and write of the store hangs off one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Viewer {
    /// The owner of all data that this viewer can read or change.
    pub owner: OwnerId,
    /// The back end that acts for the owner, if any. It is stored with every change.
    pub actor: Option<OwnerId>,
    /// What the credentials allow besides.
    pub scopes: Vec<Scope>,
    /// When the credentials expire. WebSockets are closed then.
    pub expires_at: Option<Timestamp>,
    /// What the token says of itself, so that it can be revoked.
    pub token: TokenIdentity,
}

impl Viewer {
    /// The `sub` of the token.
    pub fn subject(&self) -> &OwnerId {
        self.actor.as_ref().unwrap_or(&self.owner)
    }

    /// A viewer whose credentials do not expire and have no scopes, for commands on the server's machine.
    pub fn new(owner: OwnerId) -> Self {
        Self { owner, actor: None, scopes: Vec::new(), expires_at: None, token: TokenIdentity::default() }
    }
}
