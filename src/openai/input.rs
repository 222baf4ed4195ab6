//! Items of clients.

use super::content::KIND;
use super::file_urls::FileUrls;
use super::id::ItemId;
use super::item::{MessageView, drafts};
use super::item_type::{ItemType, MESSAGE, OTHER, REASONING, Shape, named};
use super::json::{set_default, stored, stored_fields, text};
pub use super::tool::ToolNames;
use super::{message_item, reasoning, tool};
use crate::model::{
    Content, ContentLimits, Invalid, Json, JsonObject, JsonValue, MessageBody, MessageId, MessageStatus,
    NewMessage, Part, Parts, Role,
};

/// The longest name of a type.
const MAX_TYPE_BYTES: usize = 64;

/// A checked item of a client, with the fields that OpenAI sets in its answers.
#[derive(Debug, Clone)]
pub struct InputItem {
    kind: &'static ItemType,
    role: Role,
    fields: JsonObject,
}

/// A message to append for an item.
#[derive(Debug)]
pub struct NewItem {
    role: Role,
    body: MessageBody,
    metadata: Json,
}

/// Another item stands for an item that is stored: that is not supported.
const REFERENCE: &str = "item_reference";

impl InputItem {
    /// Checks an item. Errors name `argument` with the path.
    ///
    /// # Errors
    /// It is no object, or a field that its type requires is missing or of another type.
    pub fn parse(argument: &str, value: JsonValue) -> Result<Self, Invalid> {
        let JsonValue::Object(mut fields) = value else {
            return Err(Invalid::new(argument, "must be an object"));
        };
        let path = |name: &str| format!("{argument}.{name}");
        let name = match fields.get("type") {
            Some(JsonValue::String(name)) => name.clone(),
            None if fields.contains_key("role") => MESSAGE.name.to_owned(),
            _ => return Err(Invalid::new(path("type"), "must be a string")),
        };
        if name == REFERENCE {
            return Err(Invalid::new(path("type"), "must not be item_reference: send the item itself"));
        }
        if name.is_empty() || name.len() > MAX_TYPE_BYTES {
            return Err(Invalid::new(path("type"), format!("must be 1 to {MAX_TYPE_BYTES} bytes")));
        }
        let kind = named(&name).unwrap_or(&OTHER);
        let optional = kind.optional.iter().filter(|(field, _)| fields.contains_key(*field));
        for (field, shape) in kind.required.iter().chain(optional) {
            if !shape.fits(fields.get(*field)) {
                return Err(Invalid::new(path(field), shape.rule()));
            }
        }
        set_default(&mut fields, "type", name.into());
        let role = match kind.name {
            "message" => message_item::complete(argument, &mut fields)?,
            _ => kind.tool.as_ref().map_or(Role::Assistant, |tool| tool.role),
        };
        if kind.has_status {
            let is_null = fields.get("status") == Some(&JsonValue::Null);
            if is_null {
                fields.shift_remove("status");
            }
            set_default(&mut fields, "status", "completed".into());
        }
        Ok(Self { kind, role, fields })
    }

    /// The id and the name of the call that it is, if it is one.
    pub fn call(&self) -> Option<(&str, &str)> {
        let tool = self.kind.tool.as_ref()?;
        let id =
            tool.call.and_then(|field| text(&self.fields, field)).or_else(|| text(&self.fields, "id"))?;
        Some((id, text(&self.fields, "name")?))
    }

    /// The id of a call whose name it needs.
    pub fn needs_name_of(&self) -> Option<&str> {
        let tool = self.kind.tool.as_ref()?;
        let is_named =
            !matches!(tool.name, super::item_type::ToolName::OfCall) || self.fields.contains_key("name");
        if is_named { None } else { tool.call.and_then(|field| text(&self.fields, field)) }
    }

    /// The message that stores it under this id.
    ///
    /// # Errors
    /// A value is too large or cannot be stored. The error names `argument` with the path.
    pub fn store(
        mut self,
        argument: &str,
        id: MessageId,
        names: &impl ToolNames,
        limits: ContentLimits,
    ) -> Result<NewItem, Invalid> {
        let item_id = ItemId::new(self.kind.prefix, id, 0).to_string();
        let typed = self.typed(argument, &item_id, names)?;
        // The id of another system is kept. One of Scrollback belongs to another item.
        let given = self.fields.shift_remove("id");
        let given = given.filter(|id| id.as_str().is_some_and(|id| ItemId::parse(id).is_none()));
        for (parts, other) in typed {
            if let Some(stored) = self.fitting(argument, parts, other, given.clone(), limits)? {
                return Ok(stored);
            }
        }
        if let Some(id) = given {
            self.fields.insert("id".to_owned(), id);
        }
        let data = stored(argument, &JsonValue::Object(self.fields.clone()))?;
        let name = text(&self.fields, "type").unwrap_or_default();
        let part = Part::Custom { kind: format!("{KIND}{name}"), data, extra: None };
        let body = body(argument, vec![part], limits)?;
        Ok(NewItem { role: self.role, body, metadata: Json::empty_object() })
    }

    /// The ways to store it as typed parts, with the fields for the metadata; the best first.
    fn typed(
        &self,
        argument: &str,
        id: &str,
        names: &impl ToolNames,
    ) -> Result<Vec<(Vec<Part>, JsonObject)>, Invalid> {
        let with_type = |other: &JsonObject, name: &str| {
            let mut fields = other.clone();
            fields.insert("type".to_owned(), name.into());
            fields
        };
        if self.kind.name == MESSAGE.name {
            let (parts, mut other) = message_item::parts(argument, self.role, &self.fields)?;
            other.shift_remove("id");
            let whole = with_type(&other, MESSAGE.name);
            return Ok(vec![(parts.clone(), JsonObject::new()), (parts, whole)]);
        }
        if self.kind.name == REASONING.name {
            let Some((parts, mut other)) = reasoning::parts(argument, &self.fields)? else {
                return Ok(Vec::new());
            };
            other.shift_remove("id");
            let whole = with_type(&other, REASONING.name);
            return Ok(vec![(parts.clone(), JsonObject::new()), (parts, whole)]);
        }
        let Some(tool) = &self.kind.tool else { return Ok(Vec::new()) };
        let part = tool::part(argument, (self.kind, tool), (&self.fields, id), names)?;
        Ok(vec![(vec![part], JsonObject::new())])
    }

    /// The message of these parts, if the same item can be made of it.
    fn fitting(
        &self,
        argument: &str,
        parts: Vec<Part>,
        other: JsonObject,
        given_id: Option<JsonValue>,
        limits: ContentLimits,
    ) -> Result<Option<NewItem>, Invalid> {
        let is_empty = |part: &Part| matches!(part, Part::Text { text, .. } | Part::Reasoning { text, .. } if text.is_empty());
        if parts.iter().all(is_empty) {
            return Ok(None);
        }
        let view = MessageView {
            role: self.role,
            status: MessageStatus::Complete,
            other: other.clone(),
            text: "",
            parts: Some(&parts),
        };
        let mut made = drafts(&view, &FileUrls::default());
        let item = made.pop().filter(|_| made.is_empty()).map(|draft| without_id(draft.fields));
        if item.as_ref() != Some(&self.fields) {
            return Ok(None);
        }
        let mut other = other;
        other.extend(given_id.map(|id| ("id".to_owned(), id)));
        let metadata = stored_fields(argument, other)?.unwrap_or_else(Json::empty_object);
        if metadata.as_str().len() > limits.metadata_bytes {
            return Ok(None);
        }
        Ok(Some(NewItem { role: self.role, body: body(argument, parts, limits)?, metadata }))
    }
}

fn without_id(mut fields: JsonObject) -> JsonObject {
    fields.shift_remove("id");
    fields
}

fn body(argument: &str, parts: Vec<Part>, limits: ContentLimits) -> Result<MessageBody, Invalid> {
    let path = format!("{argument}.content");
    let most = limits.message_bytes;
    if let [Part::Text { text, extra: None }] = parts.as_slice() {
        return Content::within(&path, text.clone(), most).map(MessageBody::Text);
    }
    let parts = match limits.has_attachments {
        true => Parts::to_attach(&path, parts, most),
        false => Parts::within(&path, parts, most),
    };
    parts.map(MessageBody::Parts)
}

impl NewItem {
    /// The message to append.
    pub fn into_message(self, id: MessageId) -> NewMessage {
        NewMessage {
            id: Some(id),
            role: self.role,
            body: Some(self.body),
            status: MessageStatus::Complete,
            model: None,
            usage: None,
            metadata: self.metadata,
        }
    }
}

impl Shape {
    fn fits(self, value: Option<&JsonValue>) -> bool {
        let Some(value) = value else { return false };
        match value {
            JsonValue::Null => matches!(self, Self::Any | Self::NullableText | Self::NullableList),
            JsonValue::Boolean(_) => matches!(self, Self::Any | Self::Boolean),
            JsonValue::Number(_) => self == Self::Any,
            JsonValue::String(_) => {
                matches!(self, Self::Any | Self::Text | Self::NullableText | Self::TextOrList)
            }
            JsonValue::Object(_) => matches!(self, Self::Any | Self::Object),
            JsonValue::Array(entries) => match self {
                Self::Any | Self::List | Self::NullableList | Self::TextOrList => true,
                Self::Texts => entries.iter().all(|entry| entry.as_str().is_some()),
                Self::Summaries => entries.iter().all(reasoning::is_summary),
                _ => false,
            },
        }
    }

    fn rule(self) -> &'static str {
        match self {
            Self::Any => "must be given",
            Self::Text => "must be a string",
            Self::Boolean => "must be true or false",
            Self::List => "must be a list",
            Self::Object => "must be an object",
            Self::TextOrList => "must be a string or a list",
            Self::NullableText => "must be a string or null",
            Self::NullableList => "must be a list or null",
            Self::Texts => "must be a list of strings",
            Self::Summaries => "must be a list of objects with the type summary_text and a text",
        }
    }
}

#[cfg(test)]
mod tests;
