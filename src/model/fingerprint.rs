//! Fingerprints, which recognise a repeated creation.

use sha2::{Digest, Sha256};

use super::{ConversationId, MessageBody, MessageStatus, NewConversation, NewMessage, Title};

/// The input of a creation with a client-chosen id, as 16 bytes of SHA-256. JSON values are compared by
/// value: the order of keys and the notation of numbers make no difference.
///
/// It is stored in the row. So a retry can be told from another use of the id even after the conversation was
/// renamed or the message edited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint(pub Vec<u8>);

impl Fingerprint {
    /// The fingerprint of a message appended to `conversation`.
    pub fn of_message(conversation: ConversationId, message: &NewMessage) -> Self {
        let mut hash = Sha256::new();
        hash.update(conversation.0);
        hash_message(&mut hash, message);
        finish(hash)
    }

    /// The fingerprint of a conversation with its first messages.
    pub fn of_conversation(conversation: &NewConversation) -> Self {
        let mut hash = Sha256::new();
        hash_text(&mut hash, conversation.title.as_ref().map(Title::as_str));
        hash_text(&mut hash, Some(&conversation.metadata.canonical()));
        if let Some(expires_at) = conversation.expires_at {
            hash_text(&mut hash, Some(&expires_at.0.to_string()));
        }
        for message in &conversation.messages {
            hash_text(&mut hash, message.id.map(|id| id.to_string()).as_deref());
            hash_message(&mut hash, message);
        }
        finish(hash)
    }
}

fn hash_message(hash: &mut Sha256, message: &NewMessage) {
    hash.update([message.role.code() as u8]);
    match &message.body {
        None => hash_text(hash, None),
        Some(MessageBody::Text(content)) => hash_text(hash, Some(content.as_str())),
        Some(MessageBody::Parts(parts)) => {
            hash.update([2]);
            hash_text(hash, Some(&parts.canonical().to_json()));
        }
    }
    hash_text(hash, Some(&message.metadata.canonical()));
    // Only if given, so that the fingerprints of earlier versions stay the same.
    if message.status != MessageStatus::Complete {
        hash.update([message.status.code() as u8]);
    }
    if let Some(model) = &message.model {
        hash_text(hash, Some(model.as_str()));
    }
    if let Some(usage) = message.usage {
        hash_text(hash, Some(&usage.to_json()));
    }
}

/// Hashes the length first, so that different lists of texts never give the same bytes.
fn hash_text(hash: &mut Sha256, text: Option<&str>) {
    match text {
        None => hash.update([0]),
        Some(text) => {
            hash.update([1]);
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        }
    }
}

fn finish(hash: Sha256) -> Fingerprint {
    Fingerprint(hash.finalize()[..16].to_vec())
}
