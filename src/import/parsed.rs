//! Parsed conversations, independent of the format.

use super::rejection::Rejection;
use crate::model::{JsonObject, Part, Role};

/// A parsed conversation.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ParsedConversation {
    /// The id in the file.
    pub(super) origin: String,
    pub(super) title: Option<String>,
    /// Parents before children. The active path comes first.
    pub(super) messages: Vec<ParsedMessage>,
    /// The index of the last message of the active path.
    pub(super) head: usize,
}

/// A parsed message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ParsedMessage {
    /// The id in the file, if there is one.
    pub(super) origin: Option<String>,
    /// The index of the parent. `None` for a first message.
    pub(super) parent: Option<usize>,
    pub(super) role: Role,
    pub(super) body: ParsedBody,
    pub(super) model: Option<String>,
    /// Other data of the file.
    pub(super) metadata: JsonObject,
}

/// The content of a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ParsedBody {
    Text(String),
    Parts(Vec<Part>),
}

/// The conversations of a file with their first lines, or the reasons why they are invalid.
pub(super) type Parsed = Vec<(usize, Result<ParsedConversation, Rejection>)>;

/// A title from the first message: one line of at most 80 characters.
pub(super) fn title_of(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(80) {
        None => line,
        Some(_) => format!("{}…", line.chars().take(79).collect::<String>().trim_end()),
    }
}
