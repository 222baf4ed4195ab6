//! Answers.

use axum::body::Bytes;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use super::error::ApiError;
use crate::memory::{MemoryBudget, MemoryError};
use crate::model::{Conversation, JsonObject, JsonValue};
use crate::openai::{self, Item};
use crate::server::graphql::body::fill;

/// What a request is answered with.
pub(super) struct Answer(JsonObject);

fn object<const N: usize>(fields: [(&str, JsonValue); N]) -> JsonObject {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// A conversation as OpenAI's clients see it.
pub(super) fn conversation(row: &Conversation) -> Answer {
    Answer(conversation_fields(row))
}

fn conversation_fields(row: &Conversation) -> JsonObject {
    let seconds = row.created_at.0.div_euclid(1_000_000).to_string();
    object([
        ("id", openai::conversation_id(row.id).into()),
        ("object", "conversation".into()),
        ("created_at", JsonValue::read(seconds.as_bytes()).unwrap_or(JsonValue::Null)),
        ("metadata", JsonValue::Object(openai::metadata_of(&row.metadata))),
    ])
}

/// A deleted conversation.
pub(super) fn deleted(id: &str) -> Answer {
    Answer(object([
        ("id", id.into()),
        ("object", "conversation.deleted".into()),
        ("deleted", JsonValue::Boolean(true)),
    ]))
}

/// An item.
pub(super) fn item(item: Item) -> Answer {
    match item.value {
        JsonValue::Object(fields) => Answer(fields),
        _ => Answer(JsonObject::new()),
    }
}

/// A list of items.
pub(super) fn items(items: Vec<Item>, has_more: bool) -> Answer {
    let ids = (items.first().map(|item| item.id.to_string()), items.last().map(|item| item.id.to_string()));
    list(items.into_iter().map(|item| item.value).collect(), ids, has_more)
}

/// A list of conversations.
pub(super) fn conversations(rows: &[Conversation], has_more: bool) -> Answer {
    let id = |row: Option<&Conversation>| row.map(|row| openai::conversation_id(row.id));
    let data = rows.iter().map(|row| JsonValue::Object(conversation_fields(row))).collect();
    list(data, (id(rows.first()), id(rows.last())), has_more)
}

fn list(data: Vec<JsonValue>, (first, last): (Option<String>, Option<String>), has_more: bool) -> Answer {
    let id = |id: Option<String>| id.map_or(JsonValue::Null, JsonValue::from);
    Answer(object([
        ("object", "list".into()),
        ("data", JsonValue::Array(data)),
        ("first_id", id(first)),
        ("last_id", id(last)),
        ("has_more", JsonValue::Boolean(has_more)),
    ]))
}

/// Writes an answer. Its memory is reserved until it is sent.
pub(super) async fn write(budget: &MemoryBudget, most: usize, answer: Answer) -> Result<Response, ApiError> {
    let bytes =
        serde_json::to_vec(&JsonValue::Object(answer.0)).map_err(|error| ApiError::internal(&error))?;
    if bytes.len() > most {
        return Err(MemoryError::ResponseTooLarge(u32::try_from(most).unwrap_or(u32::MAX)).into());
    }
    let held = budget.keep_response(bytes.len()).await?;
    let mut response = (StatusCode::OK, [(CONTENT_TYPE, "application/json; charset=utf-8")]).into_response();
    fill(&mut response, Bytes::from(bytes), held);
    Ok(response)
}
