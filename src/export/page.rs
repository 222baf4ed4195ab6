//! What the pages of all formats have.

use super::format::ExportBranches;
use super::images::Images;
use crate::model::{Conversation, ExportedMessage, MessageStatus, Role, Timestamp};

/// A message on a page.
pub(super) struct PageMessage<'m> {
    pub(super) message: &'m ExportedMessage,
    /// Whether messages have numbers: their positions.
    pub(super) is_numbered: bool,
    /// The position of the message that it answers, unless that is the one before on the page. 0: it answers none.
    pub(super) answers: Option<i64>,
    pub(super) images: Images,
}

/// The title of a page.
pub(super) fn title(conversation: &Conversation) -> &str {
    let title = conversation.title.as_deref().map(str::trim).unwrap_or_default();
    if title.is_empty() { "Untitled conversation" } else { title }
}

/// Which branches a page has, if there are several.
pub(super) fn branches_note(conversation: &Conversation, branches: ExportBranches) -> Option<String> {
    match branches {
        _ if conversation.is_linear() => None,
        ExportBranches::Active => Some("This page has the active branch only.".to_owned()),
        ExportBranches::All => Some(format!(
            "This page has all branches. The active one ends with message {}.",
            conversation.head_position
        )),
    }
}

/// The author of a message.
pub(super) fn author(role: Role) -> &'static str {
    match role {
        Role::User => "User",
        Role::Assistant => "Assistant",
        Role::System => "System",
        Role::Tool => "Tool",
    }
}

/// What a reader should know about a message.
pub(super) fn notes(message: &ExportedMessage) -> Vec<&'static str> {
    let status = match message.status {
        MessageStatus::Streaming => Some("being written"),
        MessageStatus::Complete => None,
        MessageStatus::Interrupted => Some("interrupted"),
        MessageStatus::Failed => Some("failed"),
    };
    let edited = message.edited_at.is_some().then_some("edited");
    status.into_iter().chain(edited).collect()
}

/// Which message it answers.
pub(super) fn answers_note(position: i64) -> String {
    match position {
        0 => "Begins another branch.".to_owned(),
        _ => format!("Answers message {position}."),
    }
}

/// A time in UTC, to the second.
pub(super) fn time(time: Timestamp) -> String {
    let text = time.to_string();
    match (text.get(..10), text.get(11..19)) {
        (Some(day), Some(time)) => format!("{day} {time} UTC"),
        _ => text,
    }
}
