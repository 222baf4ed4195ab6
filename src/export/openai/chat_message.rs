//! The messages of OpenAI's chat completions.

use serde::Serialize;

/// A message.
#[derive(Debug, Serialize, PartialEq)]
#[serde(rename_all = "lowercase", tag = "role")]
pub(in crate::export) enum ChatMessage<'m> {
    System {
        content: String,
    },
    User {
        content: UserContent<'m>,
    },
    Assistant {
        /// Null only with tool calls.
        content: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        tool_calls: Vec<ToolCall>,
    },
    Tool {
        tool_call_id: String,
        content: String,
    },
}

/// A text, or texts with images.
#[derive(Debug, Serialize, PartialEq)]
#[serde(untagged)]
pub(super) enum UserContent<'m> {
    Text(String),
    Parts(Vec<UserPart<'m>>),
}

#[derive(Debug, Serialize, PartialEq)]
#[serde(rename_all = "snake_case", tag = "type")]
pub(super) enum UserPart<'m> {
    Text { text: &'m str },
    ImageUrl { image_url: ImageUrl<'m> },
}

#[derive(Debug, Serialize, PartialEq)]
pub(super) struct ImageUrl<'m> {
    pub(super) url: &'m str,
}

#[derive(Debug, Serialize, PartialEq)]
pub(super) struct ToolCall {
    pub(super) id: String,
    pub(super) r#type: &'static str,
    pub(super) function: Function,
}

#[derive(Debug, Serialize, PartialEq)]
pub(super) struct Function {
    pub(super) name: String,
    /// JSON in a string.
    pub(super) arguments: String,
}

/// The longest name of a function.
const NAME_LENGTH: usize = 64;

impl ToolCall {
    /// A call. Characters that OpenAI does not allow in names are replaced.
    pub(super) fn new(id: &str, name: &str, arguments: String) -> Self {
        let is_allowed = |char: &char| char.is_ascii_alphanumeric() || "_-".contains(*char);
        let name = name.chars().take(NAME_LENGTH).map(|char| if is_allowed(&char) { char } else { '_' });
        Self { id: id.to_owned(), r#type: "function", function: Function { name: name.collect(), arguments } }
    }
}
