//! Topics of signals.

use sha2::{Digest, Sha256};

use crate::model::{ConversationId, MessageId, OwnerId};

/// What there may be signals of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Topic {
    /// A conversation's messages.
    Conversation(ConversationId),
    /// Anything an owner has.
    Account(OwnerId),
    /// A message's text.
    Message(MessageId),
}

/// A topic as it travels: short, and telling nothing. Two topics that share a key wake each other.
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
        }
        hash.finalize()[..8].iter().fold(0, |key, byte| (key << 8) | TopicKey::from(*byte))
    }
}
