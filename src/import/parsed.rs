//! Conversations as files tell them, whatever the format.

use super::rejection::Rejection;
use crate::model::{JsonObject, Part, Role};

/// A conversation as a file tells it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ParsedConversation {
    /// Its id in the file.
    pub(super) origin: String,
    pub(super) title: Option<String>,
    /// Parents before children; the first path is the one that was active.
    pub(super) messages: Vec<ParsedMessage>,
    /// Where the active path ends.
    pub(super) head: usize,
}

/// A message as a file tells it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ParsedMessage {
    /// Its id in the file, where it has one.
    pub(super) origin: Option<String>,
    /// Which turn it follows; none for a first one.
    pub(super) parent: Option<usize>,
    pub(super) role: Role,
    pub(super) body: ParsedBody,
    pub(super) model: Option<String>,
    /// What else the file tells and somebody may want.
    pub(super) metadata: JsonObject,
}

/// What is body in a turn.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ParsedBody {
    Text(String),
    Parts(Vec<Part>),
}

/// Everything in a file, by the line it begins on: a conversation, or why it cannot be read.
pub(super) type Parsed = Vec<(usize, Result<ParsedConversation, Rejection>)>;

/// The beginning of a conversation's first message as its title: one line, at most 80 characters.
pub(super) fn title_of(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(80) {
        None => line,
        Some(_) => format!("{}…", line.chars().take(79).collect::<String>().trim_end()),
    }
}
