//! The authenticated viewer.

use super::{OwnerId, Timestamp};

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
    /// When the credentials expire. WebSockets are closed then.
    pub expires_at: Option<Timestamp>,
}

impl Viewer {
    /// A viewer whose credentials do not expire, for commands on the server's machine.
    pub fn new(owner: OwnerId) -> Self {
        Self { owner, actor: None, expires_at: None }
    }
}
