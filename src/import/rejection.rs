//! Why one conversation cannot be imported.

use serde::Deserialize;
use serde_json::Value;

/// Why a conversation cannot be imported, and what it is called in its file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Rejection {
    pub(super) id: Option<String>,
    pub(super) title: Option<String>,
    pub(super) reason: String,
}

/// The fields that name a conversation, in any of the formats.
#[derive(Deserialize)]
struct Names {
    id: Option<Value>,
    conversation_id: Option<Value>,
    message_tree_id: Option<Value>,
    title: Option<Value>,
}

impl From<String> for Rejection {
    fn from(reason: String) -> Self {
        Self { reason, ..Self::default() }
    }
}

impl Rejection {
    /// An entry that is not what it should be. The texts in it are not repeated; neither is the place of the
    /// fault, which serde counts from the beginning of the entry.
    pub(super) fn in_json(what: &str, error: &serde_json::Error) -> Self {
        let fault = error.to_string();
        let fault = fault.split(" at line ").next().unwrap_or_default();
        let fault = match (fault.strip_prefix("invalid type: string "), fault.rsplit_once(", expected ")) {
            (Some(_), Some((_, expected))) => format!("invalid type: string, expected {expected}"),
            _ => fault.to_owned(),
        };
        Self::from(format!("{what}: {fault}"))
    }

    /// A file that should be an array. The place is that in the file.
    pub(super) fn not_an_array(error: &serde_json::Error) -> Self {
        Self::from(format!("not an array of conversations: {error}"))
    }

    /// With the id and the title that are in `json`, as far as it can be read.
    pub(super) fn named_by(self, json: &[u8]) -> Self {
        let Ok(names) = serde_json::from_slice::<Names>(json) else { return self };
        let text = |value: Option<Value>| match value? {
            Value::String(text) => Some(text),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let id = text(names.id).or(text(names.conversation_id)).or(text(names.message_tree_id));
        Self { id, title: text(names.title), reason: self.reason }
    }
}
