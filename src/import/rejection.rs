//! The reason why a conversation cannot be imported.

use serde::Deserialize;
use serde_json::Value;

/// The reason why a conversation cannot be imported, with its id and title in the file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Rejection {
    pub(super) id: Option<String>,
    pub(super) title: Option<String>,
    /// It quotes no texts of the conversation.
    pub(super) reason: String,
}

/// The fields with the id and the title of a conversation, in all formats.
#[derive(Deserialize)]
struct Names {
    id: Option<Value>,
    conversation_id: Option<Value>,
    #[serde(rename = "conversationId")]
    conversation: Option<Value>,
    uuid: Option<Value>,
    message_tree_id: Option<Value>,
    title: Option<Value>,
    name: Option<Value>,
}

impl From<String> for Rejection {
    fn from(reason: String) -> Self {
        Self { reason, ..Self::default() }
    }
}

impl From<&str> for Rejection {
    fn from(reason: &str) -> Self {
        Self::from(reason.to_owned())
    }
}

impl Rejection {
    /// An entry of the wrong shape. The message quotes no texts of the entry and no position, which serde
    /// counts from the start of the entry.
    pub(super) fn in_json(what: &str, error: &serde_json::Error) -> Self {
        let fault = error.to_string();
        let fault = fault.split(" at line ").next().unwrap_or_default();
        let fault = match (fault.strip_prefix("invalid type: string "), fault.rsplit_once(", expected ")) {
            (Some(_), Some((_, expected))) => format!("invalid type: string, expected {expected}"),
            _ => fault.to_owned(),
        };
        Self::from(format!("{what}: {fault}"))
    }

    /// Adds the id and the title in `json`, if they are not known and can be parsed.
    pub(super) fn named_by(self, json: &[u8]) -> Self {
        let Ok(names) = serde_json::from_slice::<Names>(json) else { return self };
        let text = |value: Option<Value>| match value? {
            Value::String(text) => Some(text),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let ids = [names.id, names.conversation_id, names.conversation, names.uuid, names.message_tree_id];
        let id = self.id.or_else(|| ids.into_iter().find_map(text));
        let title = self.title.or_else(|| text(names.title).or_else(|| text(names.name)));
        Self { id, title, reason: self.reason }
    }
}
