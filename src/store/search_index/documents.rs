//! What of messages and titles is indexed.

use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter};
use search::index::builder::{Builder, Document};
use search::index::segment::Segment;
use search::index::{Corrupt, Field, Place};

use crate::model::{
    Conversation, ConversationId, JsonValue, Message, MessageId, MessageStatus, OwnerId, Part, Role,
    Timestamp,
};
use crate::store::entity::{conversation, message};
use crate::store::error::{Error, Result};

/// The version of an index that is made now.
pub(super) const VERSION: i16 = search::index::VERSION;

/// Rows read at once. Each may have a text of 1 MiB, or as large as `limits.message_bytes` says.
const ROWS_AT_ONCE: usize = 64;

/// A message or a title, with its texts.
pub(super) struct OwnedDocument {
    pub(super) place: Place,
    role: Option<Role>,
    model: Option<String>,
    texts: Vec<(Field, String)>,
}

impl OwnedDocument {
    /// A message. `None` if there is nothing to find: it is deleted, or still being written.
    pub(super) fn of_message(message: Message) -> Option<Self> {
        if message.deleted_at.is_some() || message.status == MessageStatus::Streaming {
            return None;
        }
        let place = place_of(message.conversation, message.position, message.created_at);
        let texts = texts_of(&message);
        Some(Self { place, role: Some(message.role), model: message.model, texts })
    }

    /// A title. `None` if the conversation has none.
    pub(super) fn of_title(conversation: Conversation) -> Option<Self> {
        let place = place_of(conversation.id, 0, conversation.created_at);
        let title = conversation.title?;
        Some(Self { place, role: None, model: None, texts: vec![(Field::Title, title)] })
    }

    /// The bytes of its texts.
    pub(super) fn bytes(&self) -> usize {
        self.texts.iter().map(|(_, text)| text.len()).sum()
    }
}

pub(super) fn place_of(conversation: ConversationId, position: i64, created_at: Timestamp) -> Place {
    Place { created_at: created_at.0, conversation: *conversation.0.as_bytes(), position }
}

/// The texts of a message, and what kind of text each is.
pub(in crate::store) fn texts_of(message: &Message) -> Vec<(Field, String)> {
    let Some(parts) = &message.parts else { return vec![(Field::Text, message.content.clone())] };
    let mut texts = Vec::new();
    for part in parts.as_slice() {
        match part {
            Part::Text { text, .. } => texts.push((Field::Text, text.clone())),
            Part::Reasoning { text, .. } => texts.push((Field::Reasoning, text.clone())),
            Part::Tool { tool_name, input, output, error_text, .. } => {
                texts.push((Field::Tools, tool_name.clone()));
                for json in [input, output].into_iter().flatten() {
                    if let Ok(value) = JsonValue::read(json.as_str().as_bytes()) {
                        add_strings(&value, &mut texts);
                    }
                }
                texts.extend(error_text.iter().map(|text| (Field::Tools, text.clone())));
            }
            Part::File { .. } | Part::Source(_) | Part::Data { .. } | Part::Custom { .. } => {}
        }
    }
    texts
}

/// The strings and numbers of a JSON value, and the names of its fields.
fn add_strings(value: &JsonValue, texts: &mut Vec<(Field, String)>) {
    match value {
        JsonValue::Null | JsonValue::Boolean(_) => {}
        JsonValue::Number(number) => texts.push((Field::Tools, number.as_str().to_owned())),
        JsonValue::String(text) => texts.push((Field::Tools, text.clone())),
        JsonValue::Array(items) => items.iter().for_each(|item| add_strings(item, texts)),
        JsonValue::Object(fields) => {
            for (name, value) in fields {
                texts.push((Field::Tools, name.clone()));
                add_strings(value, texts);
            }
        }
    }
}

/// Messages by id, also deleted ones; in no order.
pub(super) async fn messages(
    connection: &impl ConnectionTrait,
    owner: &OwnerId,
    ids: &[MessageId],
    mut each: impl FnMut(Message) -> Result<()>,
) -> Result<()> {
    for ids in ids.chunks(ROWS_AT_ONCE) {
        let rows = message::Entity::find()
            .filter(message::Column::OwnerId.eq(owner.clone()))
            .filter(message::Column::Id.is_in(ids.iter().copied()))
            .all(connection)
            .await?;
        for row in rows {
            each(row.try_into()?)?;
        }
    }
    Ok(())
}

/// Conversations by id, in no order.
pub(super) async fn conversations(
    connection: &impl ConnectionTrait,
    owner: &OwnerId,
    ids: &[ConversationId],
    mut each: impl FnMut(Conversation) -> Result<()>,
) -> Result<()> {
    for ids in ids.chunks(ROWS_AT_ONCE) {
        let rows = conversation::Entity::find()
            .filter(conversation::Column::OwnerId.eq(owner.clone()))
            .filter(conversation::Column::Id.is_in(ids.iter().copied()))
            .all(connection)
            .await?;
        for row in rows {
            each(row.into())?;
        }
    }
    Ok(())
}

/// Makes a segment. `None` of nothing.
pub(super) async fn build(mut documents: Vec<OwnedDocument>) -> Result<Option<Segment>> {
    if documents.is_empty() {
        return Ok(None);
    }
    let build = move || {
        documents.sort_unstable_by_key(|document| document.place);
        documents.dedup_by_key(|document| document.place);
        let mut builder = Builder::default();
        for document in &documents {
            let OwnedDocument { place, role, model, texts } = document;
            let texts: Vec<_> = texts.iter().map(|(field, text)| (*field, text.as_str())).collect();
            let role = role.and_then(|role| u8::try_from(role.code()).ok());
            builder.add(&Document { place: *place, role, model: model.as_deref(), texts: &texts });
        }
        builder.finish()
    };
    blocking(build).await.map(Some)
}

/// Runs what takes long on the processor.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Error::broken(format!("a task of the search index failed: {error}")))
}

pub(super) fn corrupt(error: Corrupt) -> Error {
    Error::Internal(DbErr::Custom(error.to_string()))
}
