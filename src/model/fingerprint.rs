//! How a repeated creation is recognised.

use sha2::{Digest, Sha256};

use super::{ConversationId, MessageBody, MessageStatus, NewConversation, NewMessage, Title};

/// What a caller asked to create under an id of its own choice, as 16 bytes of SHA-256. JSON values count by what
/// they are: the order of their keys and the way their numbers are written make no difference.
///
/// It is kept in the row, so that a retry is distinguished from another use of the same id even after the
/// conversation was renamed or the message edited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint(pub Vec<u8>);

impl Fingerprint {
    /// Of a message appended to `conversation`.
    pub fn of_message(conversation: ConversationId, message: &NewMessage) -> Self {
        let mut hash = Sha256::new();
        hash.update(conversation.0);
        hash_message(&mut hash, message);
        finish(hash)
    }

    /// Of a conversation with its first messages.
    pub fn of_conversation(conversation: &NewConversation) -> Self {
        let mut hash = Sha256::new();
        hash_text(&mut hash, conversation.title.as_ref().map(Title::as_str));
        hash_text(&mut hash, Some(&conversation.metadata.canonical()));
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
    // Only where they are given, so that what was hashed before they existed stays the same.
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

/// Length first, so that no two lists of texts run together to the same bytes.
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
