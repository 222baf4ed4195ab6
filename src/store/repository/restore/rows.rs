//! The rows of exported values, which are checked as those of clients are.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::branches::Place;
use crate::model::{
    Content, ConversationId, ConversationState, ExportedConversation, ExportedMessage, ExportedShare,
    ExportedUsage, Feedback, FeedbackComment, FeedbackTags, Invalid, Json, Label, LabelPatch, Labels,
    MessageId, MessageStatus, ModelName, OwnerId, Parts, Rating, ShareLabel, Title, TokenUsage,
};
use crate::store::entity::{conversation, deleted_usage, message, message_feedback, share, shared_message};

/// The bytes of the hash of a secret.
const SECRET_HASH: usize = 32;

/// The bytes of a fingerprint.
const FINGERPRINT: usize = 16;

/// The row of a conversation, as it is before its messages, and its labels.
pub(super) fn conversation(
    owner: &OwnerId,
    exported: ExportedConversation,
) -> Result<(conversation::Model, Labels), Invalid> {
    let title = exported.title.map(|title| Title::new("title", title)).transpose()?;
    let labels = exported.labels.into_iter().map(|label| Label::new("labels", label));
    let labels = LabelPatch::Replace(labels.collect::<Result<_, _>>()?).apply(&Labels::default())?;
    if !(0..=exported.messages).contains(&exported.read_position) {
        let rule = format!("must be 0 to {}, got {}", exported.messages, exported.read_position);
        return Err(Invalid::new("readPosition", rule));
    }
    let row = conversation::Model {
        id: exported.id,
        owner_id: owner.clone(),
        title_folded: title.as_ref().map(Title::folded),
        title: title.map(Title::into_string),
        metadata: json("metadata", &exported.metadata)?,
        created_at: exported.created_at,
        updated_at: exported.updated_at,
        message_count: exported.messages,
        last_position: exported.messages,
        fingerprint: fingerprint(exported.fingerprint)?,
        branch: 0,
        head_position: exported.head_position,
        branches: 0,
        trunk: 0,
        state: ConversationState::of(exported.archived_at, exported.trashed_at).code(),
        pinned_at: exported.pinned_at,
        archived_at: exported.archived_at,
        trashed_at: exported.trashed_at,
        expires_at: exported.expires_at,
        labels: labels.to_json(),
        read_position: exported.read_position,
        unread_ignored: 0,
        unarchive_on_message: exported.unarchive_on_message,
    };
    Ok((row, labels))
}

/// The row of a message, and that of its feedback.
pub(super) fn message(
    owner: &OwnerId,
    conversation: ConversationId,
    place: Place,
    exported: ExportedMessage,
) -> Result<(message::Model, Option<message_feedback::Model>), Invalid> {
    let (content, parts) = match exported.parts {
        Some(parts) => {
            let parts = Parts::new("parts", parts.into_vec())?;
            (parts.content(), Some(parts.to_json()))
        }
        // A deleted message has no text, and an interrupted one may have none.
        None if exported.content.is_empty() => (String::new(), None),
        None => (Content::new("content", exported.content)?.into_string(), None),
    };
    // Nobody goes on writing it.
    let status = match exported.status {
        MessageStatus::Streaming => MessageStatus::Interrupted,
        status => status,
    };
    let model = exported.model.map(|model| ModelName::new("model", model)).transpose()?;
    let usage = exported.usage.map(|usage| usage.check("usage")).transpose()?;
    let feedback =
        exported.feedback.map(|feedback| feedback_row(owner, conversation, &exported.id, feedback));
    let row = message::Model {
        conversation_id: conversation,
        position: place.position,
        id: exported.id,
        owner_id: owner.clone(),
        role: exported.role.code(),
        content,
        metadata: json("metadata", &exported.metadata)?,
        created_at: exported.created_at,
        fingerprint: fingerprint(exported.fingerprint)?,
        branch: place.branch,
        parent_position: place.parent_position,
        parts,
        status: status.code(),
        model: model.map(ModelName::into_string),
        usage: usage.map(TokenUsage::to_json),
        edited_at: exported.edited_at,
        deleted_at: exported.deleted_at,
        pinned: exported.pinned,
    };
    Ok((row, feedback.transpose()?))
}

fn feedback_row(
    owner: &OwnerId,
    conversation: ConversationId,
    message: &MessageId,
    exported: Feedback,
) -> Result<message_feedback::Model, Invalid> {
    let tags = FeedbackTags::new("feedback.tags", exported.tags)?.into_vec();
    let comment =
        exported.comment.map(|comment| FeedbackComment::new("feedback.comment", comment)).transpose()?;
    Ok(message_feedback::Model {
        conversation_id: conversation,
        message_id: *message,
        owner_id: owner.clone(),
        rating: exported.rating.map(Rating::code),
        tags: serde_json::to_string(&tags)
            .map_err(|error| Invalid::new("feedback.tags", error.to_string()))?,
        comment: comment.map(FeedbackComment::into_string),
        updated_at: exported.updated_at,
    })
}

/// The row of a share, and those of its messages.
pub(super) fn share(
    owner: &OwnerId,
    conversation: ConversationId,
    exported: ExportedShare,
) -> Result<(share::Model, Vec<shared_message::Model>), Invalid> {
    let hash = STANDARD.decode(&exported.secret_hash).ok().filter(|bytes| bytes.len() == SECRET_HASH);
    let hash = hash
        .ok_or_else(|| Invalid::new("share.secretHash", format!("must be {SECRET_HASH} bytes in Base64")))?;
    let id = exported.id;
    let mut messages = Vec::with_capacity(exported.messages.len());
    for (number, message) in (1..).zip(exported.messages) {
        let parts = message.parts.map(|parts| Parts::new("share.parts", parts.into_vec())).transpose()?;
        messages.push(shared_message::Model {
            share_id: id,
            number,
            owner_id: owner.clone(),
            role: message.role.code(),
            content: message.content,
            parts: parts.map(|parts| parts.to_json()),
            metadata: message.metadata.map(|metadata| json("share.metadata", &metadata)).transpose()?,
            model: message.model,
            created_at: message.created_at,
        });
    }
    let title = exported.title.map(|title| Title::new("share.title", title)).transpose()?;
    let label = exported.label.map(|label| ShareLabel::new("share.label", label)).transpose()?;
    let row = share::Model {
        id,
        owner_id: owner.clone(),
        conversation_id: conversation,
        secret_hash: hash,
        title: title.map(Title::into_string),
        label: label.map(ShareLabel::into_string),
        expires_at: exported.expires_at,
        created_at: exported.created_at,
        message_count: i64::try_from(messages.len()).unwrap_or(i64::MAX),
        view_count: exported.view_count,
    };
    Ok((row, messages))
}

/// The row of token usage of deleted messages.
pub(super) fn deleted_usage(
    owner: &OwnerId,
    exported: ExportedUsage,
) -> Result<deleted_usage::Model, Invalid> {
    let counts = [
        exported.message_count,
        exported.input_tokens,
        exported.output_tokens,
        exported.total_tokens,
        exported.cached_input_tokens,
        exported.reasoning_tokens,
    ];
    if let Some(negative) = counts.into_iter().find(|count| *count < 0) {
        return Err(Invalid::new("deletedUsage", format!("must have no negative counts, got {negative}")));
    }
    let model = match exported.model.is_empty() {
        true => String::new(),
        false => ModelName::new("model", exported.model)?.into_string(),
    };
    Ok(deleted_usage::Model {
        owner_id: owner.clone(),
        created_at: exported.created_at,
        model,
        message_count: exported.message_count,
        input_tokens: exported.input_tokens,
        output_tokens: exported.output_tokens,
        total_tokens: exported.total_tokens,
        cached_input_tokens: exported.cached_input_tokens,
        reasoning_tokens: exported.reasoning_tokens,
    })
}

fn json(argument: &str, json: &Json) -> Result<Json, Invalid> {
    Json::new(argument, json.as_str().to_owned())
}

fn fingerprint(exported: Option<String>) -> Result<Option<Vec<u8>>, Invalid> {
    let Some(text) = exported else { return Ok(None) };
    let bytes = STANDARD.decode(&text).ok().filter(|bytes| bytes.len() == FINGERPRINT);
    bytes
        .map(Some)
        .ok_or_else(|| Invalid::new("fingerprint", format!("must be {FINGERPRINT} bytes in Base64")))
}
