//! The arguments of imports and exports.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
pub(in crate::cli) struct ImportArguments {
    /// Files, folders or ZIP archives of an export, or - for standard input
    #[arg(required = true, value_name = "PATH")]
    pub(in crate::cli) paths: Vec<PathBuf>,
    /// User who becomes the owner of the conversations
    #[arg(long)]
    pub(in crate::cli) user: String,
    /// Format of the files
    #[arg(long, value_enum, default_value_t = ImportFormat::Auto)]
    pub(in crate::cli) format: ImportFormat,
    /// Only read the files and report what can be imported; the database is not opened
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
    /// New file for a report on every conversation, in JSON
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) report: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ExportArguments {
    /// User whose data is exported
    #[arg(long)]
    pub(in crate::cli) user: String,
    /// Only these conversations (default: everything)
    #[arg(long = "conversation", value_name = "ID", num_args = 1..)]
    pub(in crate::cli) conversations: Vec<String>,
    /// Format of the file
    #[arg(long, default_value = "scrollback")]
    pub(in crate::cli) format: ExportFormat,
    /// Branches of each conversation, for markdown and html [default: active]
    #[arg(long)]
    pub(in crate::cli) branches: Option<ExportBranches>,
    /// New file to write; "-" is standard output (the default)
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(in crate::cli) enum ExportFormat {
    /// Everything, without loss; `scrollback import scrollback` reads it
    Scrollback,
    /// Messages of Vercel's AI SDK (UIMessage), one JSON object a conversation
    Uimessage,
    /// Messages of OpenAI's chat completions, one JSON object a conversation, for example for fine-tuning
    OpenaiJsonl,
    /// A Markdown file a conversation: one with one --conversation, otherwise a ZIP file of them
    Markdown,
    /// An HTML page a conversation: one with one --conversation, otherwise a ZIP file of them
    Html,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(in crate::cli) enum ExportBranches {
    /// The active branch
    Active,
    /// All branches, in the order in which the messages were written
    All,
}

/// The names are those of [`crate::import::Format`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ImportFormat {
    /// Recognise the format by the content
    Auto,
    /// Export of ChatGPT
    #[value(name = "chatgpt")]
    ChatGpt,
    /// Export of Claude
    Claude,
    /// Export of LibreChat
    #[value(name = "librechat")]
    LibreChat,
    /// Export of Open WebUI
    OpenWebui,
    /// Export of Chatbot UI
    ChatbotUi,
    /// Message trees of OpenAssistant; the best-ranked path becomes the active branch
    #[value(name = "openassistant")]
    OpenAssistant,
    /// ShareGPT conversations
    #[value(name = "sharegpt")]
    ShareGpt,
    /// Messages for OpenAI's API, a conversation a line
    OpenaiJsonl,
    /// Messages of the AI SDK
    #[value(name = "uimessage")]
    UiMessage,
    /// A file that `scrollback export` wrote
    Scrollback,
}
