//! Representations: references to entities.

use async_graphql::{ID, InputValueResult, Name, Scalar, ScalarType, Value};
use indexmap::IndexMap;

use crate::graphql::execution::number;
use crate::graphql::schema::argument;
use crate::model::{AttachmentId, ConversationId, Invalid, MessageId};

/// A reference to an entity in the API. It is checked by [`Representation::key`].
pub(super) struct Representation(Value);

/// The type and the key of an entity.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum EntityKey {
    Conversation(ConversationId),
    Message(MessageId),
    Attachment(AttachmentId),
    /// The subject of a user.
    Viewer(String),
}

/// A reference to an entity: an object with its type in `__typename` and its key in `id`, for example
/// {"__typename": "Conversation", "id": "0197a3c2-5b7e-7a3e-9d4f-3f2b8c1d6e50"}. Other fields are ignored.
#[Scalar(
    name = "_Any",
    specified_by_url = "https://www.apollographql.com/docs/graphos/schema-design/federated-schemas/reference/subgraph-spec#scalar-_any"
)]
impl ScalarType for Representation {
    /// Accepts any value: only [`Representation::key`] knows its index for an error.
    fn parse(value: Value) -> InputValueResult<Self> {
        Ok(Self(value))
    }

    fn to_value(&self) -> Value {
        self.0.clone()
    }
}

impl Representation {
    /// The type and the key.
    ///
    /// # Errors
    /// The representation is not valid. The error names it by its index.
    pub(super) fn key(&self, at: usize) -> Result<EntityKey, Invalid> {
        let argument = format!("representations[{at}]");
        let Value::Object(fields) = &self.0 else {
            return Err(Invalid::new(argument, "must be an object with `__typename` and `id`"));
        };
        let Some(Value::String(name)) = fields.get("__typename") else {
            let missing = Invalid::new("__typename", "must be the name of a type");
            return Err(missing.within(&argument));
        };
        let key = match name.as_str() {
            "Conversation" => {
                id(fields).and_then(|id| argument::conversation_id("id", &id)).map(EntityKey::Conversation)
            }
            "Message" => id(fields).and_then(|id| argument::message_id("id", &id)).map(EntityKey::Message),
            "Attachment" => {
                id(fields).and_then(|id| argument::attachment_id("id", &id)).map(EntityKey::Attachment)
            }
            "Viewer" => id(fields).map(|id| EntityKey::Viewer(id.0)),
            _ => Err(Invalid::new("__typename", "must be Conversation, Message, Attachment or Viewer")),
        };
        key.map_err(|invalid| invalid.within(&argument))
    }
}

/// The key, as every ID is coerced: a number stands for its digits.
fn id(fields: &IndexMap<Name, Value>) -> Result<ID, Invalid> {
    match fields.get("id") {
        None | Some(Value::Null) => Err(Invalid::new("id", "must be given")),
        Some(Value::String(id)) => Ok(ID(id.clone())),
        Some(value) => {
            let digits = number::digits(value).map(ID);
            digits.ok_or_else(|| Invalid::new("id", "must be an ID: a string or a whole number"))
        }
    }
}
