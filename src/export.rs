//! Exports of conversations, one file a format. The command and the server use the same.
//!
//! An export reads one state of the database, page by page, and writes as it reads: memory does not grow with its size. Only
//! the names of the files in an archive are kept until its end.

mod archive;
mod error;
mod file_name;
mod format;
mod html;
mod images;
mod json_lines;
mod markdown;
mod openai;
mod output;
mod page;
mod pages;
mod scrollback;
mod text_block;
mod uimessage;

pub use error::ExportError;
pub use format::{ExportBranches, ExportFormat, ExportRequest};
pub use html::{EscapedHtml, is_web_url};
pub use output::ExportOutput;

use crate::model::{Conversation, ExportEnd};
use crate::store::{ExportSnapshot, Scoped};
use file_name::{day, page_name};
use output::OutputBuffer;

/// An export that can be written.
pub struct Export {
    snapshot: ExportSnapshot,
    request: ExportRequest,
    /// The conversation, if the export is its page.
    only: Option<Conversation>,
}

impl Export {
    /// Begins to read one state of the database.
    ///
    /// # Errors
    /// - `NotFound`: the owner has no such conversation.
    /// - The database cannot be read.
    pub async fn begin(scope: &Scoped, request: ExportRequest) -> Result<Self, ExportError> {
        let snapshot = scope.export_snapshot(request.conversations.as_deref()).await?;
        let found = snapshot.conversation_ids();
        let wanted = request.conversations.as_deref().unwrap_or_default();
        if let Some(missing) = wanted.iter().find(|id| !found.contains(id)) {
            return Err(ExportError::NotFound(*missing));
        }
        let only = match wanted {
            [id] if request.format.is_page() => snapshot.conversations(&[*id]).await?.pop(),
            _ => None,
        };
        Ok(Self { snapshot, request, only })
    }

    /// An export of everything of a user, from a snapshot in the format of Scrollback.
    pub fn of_everything(snapshot: ExportSnapshot) -> Self {
        Self { snapshot, request: ExportRequest::everything(), only: None }
    }

    /// Adds an entry to the audit log if a back end exports the data of a user.
    ///
    /// # Errors
    /// The entry cannot be written.
    pub async fn audit(&self) -> Result<(), ExportError> {
        Ok(self.snapshot.audit().await?)
    }

    /// The media type of the file.
    pub fn media_type(&self) -> &'static str {
        match self.request.format {
            ExportFormat::Scrollback | ExportFormat::UiMessage | ExportFormat::OpenAiJsonl => {
                "application/jsonl"
            }
            ExportFormat::Markdown | ExportFormat::Html if self.only.is_none() => "application/zip",
            ExportFormat::Markdown => "text/markdown; charset=utf-8",
            ExportFormat::Html => "text/html; charset=utf-8",
        }
    }

    /// A name for the file.
    pub fn file_name(&self) -> String {
        let format = self.request.format;
        if let Some(conversation) = &self.only {
            return page_name(conversation, format.extension());
        }
        let extension = if format.is_page() { "zip" } else { format.extension() };
        let what = if format == ExportFormat::Scrollback { "export" } else { format.name() };
        format!("scrollback-{what}-{}.{extension}", day(self.snapshot.exported_at()))
    }

    /// Writes the file. Returns how much is in it.
    ///
    /// # Errors
    /// The database cannot be read, or the output fails.
    pub async fn write<O: ExportOutput>(self, output: &mut O) -> Result<ExportEnd, ExportError> {
        let Self { snapshot, request, only } = self;
        let mut buffer = OutputBuffer::new(output);
        let written = match (request.format, &only) {
            (ExportFormat::Scrollback, _) => {
                scrollback::write(&snapshot, request.conversations.is_some(), &mut buffer).await?
            }
            (ExportFormat::UiMessage, _) => uimessage::write(&snapshot, &mut buffer).await?,
            (ExportFormat::OpenAiJsonl, _) => openai::write(&snapshot, &mut buffer).await?,
            (format, Some(conversation)) => {
                let messages =
                    pages::write(&snapshot, conversation, (format, request.branches), &mut buffer).await?;
                ExportEnd { conversations: 1, messages, attachments: 0 }
            }
            (format, None) => {
                pages::write_archive(&snapshot, (format, request.branches), &mut buffer).await?
            }
        };
        buffer.flush().await?;
        snapshot.close().await?;
        Ok(written)
    }
}
