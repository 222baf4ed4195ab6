//! Who is asking.

use super::{OwnerId, Timestamp};

/// Who the credentials say is asking, and until when.
///
/// Made by `auth` alone; every read and write of the store hangs off one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Viewer {
    /// The owner of everything this viewer may read or change.
    pub owner: OwnerId,
    /// Who acts for the owner, where that is somebody else; kept with every change they make.
    pub actor: Option<OwnerId>,
    /// When the credentials end. Sockets close then.
    pub expires_at: Option<Timestamp>,
}

impl Viewer {
    /// A viewer whose credentials do not end: for commands run on the server's own machine.
    pub fn new(owner: OwnerId) -> Self {
        Self { owner, actor: None, expires_at: None }
    }
}
