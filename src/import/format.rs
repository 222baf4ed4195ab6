//! The formats that can be imported.

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// OpenAssistant message trees, one a line.
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

    /// What a file of this format holds, for people.
    pub(super) fn contents(self) -> &'static str {
        match self {
            Self::OpenAssistant => "OpenAssistant message trees",
            Self::ShareGpt => "ShareGPT conversations",
            Self::ChatGpt => "ChatGPT conversations",
        }
    }
}
