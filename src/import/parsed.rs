//! Parsed conversations, independent of the format.

use std::collections::BTreeMap;

use super::rejection::Rejection;
use crate::model::{Feedback, JsonObject, MessageStatus, Part, Role, Timestamp, TokenUsage};

/// The conversations of an entry, or why they are invalid.
pub(super) type Parsed = Vec<Result<ParsedConversation, Rejection>>;

/// A parsed conversation. Its values are not checked yet: [`super::prepare`] cuts or leaves out what breaks a rule of
/// Scrollback, and reports it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ParsedConversation {
    /// The id at the source. Ids of the messages are unique within it.
    pub(super) origin: String,
    pub(super) title: Option<String>,
    pub(super) created_at: Option<Timestamp>,
    pub(super) updated_at: Option<Timestamp>,
    pub(super) archived: bool,
    pub(super) pinned: bool,
    /// Tags, and the names of folders and projects.
    pub(super) labels: Vec<String>,
    /// Every other field of the source. It is stored in `metadata` under the name of the format.
    pub(super) metadata: JsonObject,
    /// Parents before children. The active path comes first.
    pub(super) messages: Vec<ParsedMessage>,
    /// The index of the last message of the active path.
    pub(super) head: usize,
    /// What is in the source and not in this conversation.
    pub(super) dropped: Dropped,
}

/// A parsed message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ParsedMessage {
    /// The id at the source. `None`: it is derived from the index.
    pub(super) origin: Option<String>,
    /// The index of the parent. `None` for a first message.
    pub(super) parent: Option<usize>,
    pub(super) role: Role,
    /// A message with a single text part becomes one with a text. Empty texts are left out. A message without parts is
    /// stored if its status says that it may be empty, and otherwise left out.
    pub(super) parts: Vec<Part>,
    pub(super) status: MessageStatus,
    pub(super) model: Option<String>,
    pub(super) usage: Option<TokenUsage>,
    /// `updated_at` is set to the time of the message.
    pub(super) feedback: Option<Feedback>,
    pub(super) created_at: Option<Timestamp>,
    /// The source does not show it to the user.
    pub(super) hidden: bool,
    /// Every other field of the source. It is stored in `metadata` under the name of the format.
    pub(super) metadata: JsonObject,
}

impl ParsedMessage {
    /// A complete message without anything else.
    pub(super) fn new(role: Role, parts: Vec<Part>) -> Self {
        Self {
            origin: None,
            parent: None,
            role,
            parts,
            status: MessageStatus::Complete,
            model: None,
            usage: None,
            feedback: None,
            created_at: None,
            hidden: false,
            metadata: JsonObject::new(),
        }
    }
}

/// What an import leaves out: how often each thing, with the reason.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Dropped(BTreeMap<(String, &'static str), u64>);

impl Dropped {
    /// `what` names a field or a kind of content of the source, never a text of the user.
    pub(super) fn add(&mut self, what: impl Into<String>, why: &'static str) {
        *self.0.entry((what.into(), why)).or_default() += 1;
    }

    /// Adds all of `other`.
    pub(super) fn extend(&mut self, other: &Self) {
        for ((what, why), count) in &other.0 {
            *self.0.entry((what.clone(), why)).or_default() += count;
        }
    }

    /// What, why and how often.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &'static str, u64)> {
        self.0.iter().map(|((what, why), count)| (what.as_str(), *why, *count))
    }
}

/// A title from the first message: one line of at most 80 characters.
pub(super) fn title_of(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(80) {
        None => line,
        Some(_) => format!("{}…", line.chars().take(79).collect::<String>().trim_end()),
    }
}
