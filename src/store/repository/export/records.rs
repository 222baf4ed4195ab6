//! The records of rows.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::model::{
    AuditEntry, ChangeKind, ExportedAttachment, ExportedAuditEntry, ExportedChange, ExportedConversation,
    ExportedMessage, ExportedShare, ExportedUsage, Feedback, Label, Labels, Message, SharedMessage,
};
use crate::store::entity::{attachment, blob, change, conversation, deleted_usage, share};
use crate::store::error::{Error, Result};

pub(super) fn attachment(row: attachment::Model, blob: &blob::Model) -> ExportedAttachment {
    ExportedAttachment {
        id: row.id,
        filename: row.filename,
        media_type: row.media_type,
        byte_size: blob.byte_size,
        sha256: STANDARD.encode(&blob.sha256),
        created_at: row.created_at,
        uploaded_at: blob.uploaded_at,
    }
}

pub(super) fn conversation(row: conversation::Model) -> ExportedConversation {
    let labels = Labels::stored(row.labels);
    ExportedConversation {
        id: row.id,
        title: row.title,
        metadata: row.metadata,
        created_at: row.created_at,
        updated_at: row.updated_at,
        pinned_at: row.pinned_at,
        archived_at: row.archived_at,
        trashed_at: row.trashed_at,
        expires_at: row.expires_at,
        labels: labels.iter().map(Label::as_str).map(str::to_owned).collect(),
        read_position: row.read_position,
        unarchive_on_message: row.unarchive_on_message,
        head_position: row.head_position,
        messages: row.last_position,
        fingerprint: row.fingerprint.map(|bytes| STANDARD.encode(bytes)),
    }
}

pub(super) fn message(
    message: Message,
    feedback: Option<Feedback>,
    fingerprint: Option<String>,
) -> ExportedMessage {
    ExportedMessage {
        id: message.id,
        position: message.position,
        parent_position: message.parent.unwrap_or(0),
        role: message.role,
        status: message.status,
        model: message.model,
        content: message.content,
        parts: message.parts,
        metadata: message.metadata,
        usage: message.usage,
        created_at: message.created_at,
        edited_at: message.edited_at,
        deleted_at: message.deleted_at,
        pinned: message.pinned,
        feedback,
        fingerprint,
    }
}

pub(super) fn usage(row: deleted_usage::Model) -> ExportedUsage {
    ExportedUsage {
        created_at: row.created_at,
        model: row.model,
        message_count: row.message_count,
        input_tokens: row.input_tokens,
        output_tokens: row.output_tokens,
        total_tokens: row.total_tokens,
        cached_input_tokens: row.cached_input_tokens,
        reasoning_tokens: row.reasoning_tokens,
    }
}

pub(super) fn change(row: change::Model) -> Result<ExportedChange> {
    let kind = ChangeKind::from_code(row.kind)
        .ok_or_else(|| Error::broken(format!("a change has the unknown kind {}", row.kind)))?;
    Ok(ExportedChange {
        revision: row.revision,
        kind: kind.name().to_owned(),
        conversation_id: row.conversation_id,
        message_id: row.message_id,
        changed_at: row.changed_at,
        actor: row.actor.map(|actor| actor.as_str().to_owned()),
    })
}

pub(super) fn audit_entry(entry: &AuditEntry) -> ExportedAuditEntry {
    ExportedAuditEntry {
        created_at: entry.created_at,
        actor_kind: entry.actor.kind_name().to_owned(),
        actor: entry.actor.name().map(str::to_owned),
        action: entry.action.name().to_owned(),
        conversation_id: entry.conversation,
        message_id: entry.message,
        count: entry.count,
    }
}

pub(super) fn share(row: share::Model, messages: Vec<SharedMessage>) -> ExportedShare {
    ExportedShare {
        id: row.id,
        title: row.title,
        label: row.label,
        created_at: row.created_at,
        expires_at: row.expires_at,
        view_count: row.view_count,
        secret_hash: STANDARD.encode(row.secret_hash),
        messages,
    }
}
