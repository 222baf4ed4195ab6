//! Writes parsed conversations to the store.

use anyhow::Context;
use uuid::Uuid;

use super::format::Format;
use super::parsed::{ParsedBody, ParsedConversation, ParsedMessage};
use super::report::Report;
use crate::model::{
    Append, AppendParent, Content, ContentLimits, ConversationId, Invalid, Json, JsonValue, MessageBody,
    MessageId, MessageStatus, ModelName, NewConversation, NewMessage, OwnerId, Parts, Title,
};
use crate::store::{Error, Scoped};

/// The namespace of the UUIDs of imports.
const NAMESPACE: Uuid = Uuid::from_u128(0x9b1f_6c0e_52a4_4f0e_8f1d_3a6e_2c77_d501);

/// A valid conversation, ready to be written.
pub(super) struct Prepared {
    /// The conversation with the messages of the active path.
    conversation: NewConversation,
    id: ConversationId,
    /// The other messages, each with its parent.
    branches: Vec<(AppendParent, NewMessage)>,
    head: Option<MessageId>,
}

/// Checks the whole conversation before anything is written.
pub(super) fn prepare(
    owner: &OwnerId,
    format: Format,
    found: ParsedConversation,
    limits: ContentLimits,
) -> Result<Prepared, Invalid> {
    if found.messages.is_empty() {
        return Err(Invalid::new("messages", "must not be empty"));
    }
    let uuid = |origin: &str| {
        let name = format!("{}\0{format:?}\0{origin}", owner.as_str());
        Uuid::new_v5(&NAMESPACE, name.as_bytes())
    };
    let ids: Vec<Option<MessageId>> = found
        .messages
        .iter()
        .map(|turn| Some(MessageId(uuid(&format!("{}\0{}", found.origin, turn.origin.as_ref()?)))))
        .collect();
    let (mut path, mut branches) = (Vec::new(), Vec::new());
    for (at, turn) in found.messages.into_iter().enumerate() {
        let parent = turn.parent;
        let message = message(&format!("messages[{at}]"), ids[at], turn, limits)?;
        // The active path comes first and is created together with the conversation.
        let is_path = at <= found.head && parent == at.checked_sub(1);
        if is_path {
            path.push(message);
            continue;
        }
        let after = parent.and_then(|parent| ids[parent]).map_or(AppendParent::Root, AppendParent::Message);
        branches.push((after, message));
    }
    let id = ConversationId(uuid(&found.origin));
    let origin = serde_json::json!({ "source": format.name(), "sourceId": found.origin });
    let conversation = NewConversation {
        id: Some(id),
        title: found.title.map(|title| Title::new("title", title)).transpose()?,
        metadata: Json::new("metadata", origin.to_string())?,
        expires_at: None,
        is_read: true,
        messages: path,
    };
    Ok(Prepared { conversation, id, branches, head: ids[found.head] })
}

fn message(
    argument: &str,
    id: Option<MessageId>,
    turn: ParsedMessage,
    limits: ContentLimits,
) -> Result<NewMessage, Invalid> {
    let most = limits.message_bytes;
    let body = match turn.body {
        ParsedBody::Text(text) => MessageBody::Text(Content::within(argument, text, most)?),
        ParsedBody::Parts(parts) => MessageBody::Parts(Parts::within(argument, parts, most)?),
    };
    Ok(NewMessage {
        id,
        role: turn.role,
        body: Some(body),
        status: MessageStatus::Complete,
        model: turn.model.map(|name| ModelName::new(argument, name)).transpose()?,
        usage: None,
        metadata: Json::within(
            argument,
            JsonValue::Object(turn.metadata).to_string(),
            limits.metadata_bytes,
        )?,
    })
}

/// Writes missing messages. The inner error rejects the conversation, the outer error ends the import.
pub(super) async fn write(
    scope: &Scoped,
    prepared: Prepared,
    report: &mut Report,
) -> anyhow::Result<Result<(), String>> {
    match write_conversation(scope, prepared, report).await {
        Ok(()) => Ok(Ok(())),
        Err(Error::Conflict) => Ok(Err("a message in it has been imported in another conversation".into())),
        Err(Error::Trashed) => Ok(Err("it has been imported and is in the trash".into())),
        Err(error) => Err(error).context("cannot write a conversation"),
    }
}

async fn write_conversation(scope: &Scoped, prepared: Prepared, report: &mut Report) -> Result<(), Error> {
    let Prepared { conversation, id, branches, head } = prepared;
    let on_path = conversation.messages.len();
    let all = on_path + branches.len();
    let there = scope.conversation(id).await?;
    let known = there.as_ref().map_or(0, |there| usize::try_from(there.last_position).unwrap_or(usize::MAX));
    if known >= all {
        report.present += 1;
        return Ok(());
    }
    if there.is_none() {
        scope.create_conversation(conversation).await?;
        report.conversations += 1;
    } else {
        report.present += 1;
    }
    // Messages of an interrupted import are not written twice, because ids make appends idempotent.
    let has_branches = !branches.is_empty();
    for (after, message) in branches {
        let messages = vec![message];
        let append = Append { conversation: id, after, expected_head: None, messages };
        scope.append(append).await?;
    }
    if let Some(head) = head {
        scope.switch_branch(id, head).await?;
    }
    if has_branches {
        scope.mark_read(id, i64::try_from(all).unwrap_or(i64::MAX), false).await?;
    }
    report.messages += all - known;
    Ok(())
}
