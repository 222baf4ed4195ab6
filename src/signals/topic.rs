//! The topics of signals.

use sha2::{Digest, Sha256};

use crate::model::{ConversationId, MessageId, OwnerId};

/// What a signal is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Topic {
    /// The messages of a conversation.
    Conversation(ConversationId),
    /// Everything of an owner.
    Account(OwnerId),
    /// The text of a message.
    Message(MessageId),
    /// Everything of all owners.
    AllAccounts,
}

/// A topic as it is sent: a hash that does not reveal ids. Topics with the same key wake each other.
pub(super) type TopicKey = u64;

impl Topic {
    pub(super) fn key(&self) -> TopicKey {
        let mut hash = Sha256::new();
        match self {
            Self::Conversation(id) => {
                hash.update([1]);
                hash.update(id.0);
            }
            Self::Account(owner) => {
                hash.update([2]);
                hash.update(owner.as_str());
            }
            Self::Message(id) => {
                hash.update([3]);
                hash.update(id.0);
            }
            Self::AllAccounts => hash.update([4]),
        }
        hash.finalize()[..8].iter().fold(0, |key, byte| (key << 8) | TopicKey::from(*byte))
    }
}
