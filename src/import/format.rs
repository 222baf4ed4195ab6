//! The supported formats.

/// The format of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// OpenAssistant message trees, one per line.
    OpenAssistant,
    /// ShareGPT conversations, one array.
    ShareGpt,
    /// A ChatGPT export's `conversations.json`, or one conversation of it.
    ChatGpt,
}

impl Format {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::OpenAssistant => "openassistant",
            Self::ShareGpt => "sharegpt",
            Self::ChatGpt => "chatgpt",
        }
    }

    /// A description of the contents.
    pub(super) fn contents(self) -> &'static str {
        match self {
            Self::OpenAssistant => "OpenAssistant message trees",
            Self::ShareGpt => "ShareGPT conversations",
            Self::ChatGpt => "ChatGPT conversations",
        }
    }
}
