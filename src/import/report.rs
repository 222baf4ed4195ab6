//! What became of an import: in sum, and of each conversation.

mod file;
mod text;

use serde::Serialize;

use super::losses::Losses;
use super::rejection::Rejection;
use crate::model::ConversationId;

pub use file::ReportFile;

/// The most rejections that a summary lists. Others are counted.
const MAX_LISTED: usize = 20;

/// The result of an import.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Nothing was written: the counts are what an import into an empty database would do.
    pub dry_run: bool,
    /// New conversations.
    pub conversations: u64,
    /// New messages, those of conversations that have grown included.
    pub messages: u64,
    /// Conversations that existed and got new messages.
    pub grown: u64,
    /// Conversations that existed, with all their messages.
    pub present: u64,
    /// Conversations that were rejected, and documents that cannot be used.
    pub rejected: u64,
    /// Files of the source that became attachments.
    pub files: u64,
    /// What became of the contents of the conversations.
    #[serde(flatten)]
    pub losses: Losses,
    /// Files of a folder or an archive without conversations.
    pub ignored_files: Vec<String>,
    /// The first rejections.
    pub rejections: Vec<ConversationReport>,
}

/// What became of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConversationReport {
    /// The document.
    pub document: String,
    /// The number in the document, from 1. 0: it is the document itself.
    pub number: u64,
    /// The line on which it begins, from 1.
    pub line: usize,
    /// The id at the source.
    pub source_id: Option<String>,
    /// The title at the source.
    pub title: Option<String>,
    /// What was done.
    pub outcome: Outcome,
    /// The id here.
    pub conversation_id: Option<ConversationId>,
    /// New messages.
    pub messages: u64,
    /// Why it was rejected.
    pub reason: Option<String>,
    /// What became of its contents.
    #[serde(flatten)]
    pub losses: Losses,
}

/// What was done with a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// It is new.
    Imported,
    /// It existed and got new messages.
    Grown,
    /// It existed with all its messages, or is in the trash.
    Present,
    /// It cannot be imported.
    Rejected,
}

impl ConversationReport {
    pub(super) fn rejected(document: &str, number: u64, line: usize, rejection: Rejection) -> Self {
        Self {
            document: document.to_owned(),
            number,
            line,
            source_id: rejection.id,
            title: rejection.title,
            outcome: Outcome::Rejected,
            conversation_id: None,
            messages: 0,
            reason: Some(rejection.reason),
            losses: Losses::default(),
        }
    }
}

impl Report {
    /// Counts a conversation.
    pub(super) fn add(&mut self, conversation: &ConversationReport) {
        match conversation.outcome {
            Outcome::Imported => self.conversations += 1,
            Outcome::Grown => self.grown += 1,
            Outcome::Present => self.present += 1,
            Outcome::Rejected => {
                self.rejected += 1;
                if self.rejections.len() < MAX_LISTED {
                    self.rejections.push(conversation.clone());
                }
            }
        }
        self.messages += conversation.messages;
        self.losses.add(&conversation.losses);
    }

    /// Whether anything could be used.
    pub fn has_usable(&self) -> bool {
        self.conversations + self.grown + self.present > 0
    }
}
