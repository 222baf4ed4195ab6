//! The formats that can be imported.

/// The format of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// The export of ChatGPT.
    ChatGpt,
    /// The export of Claude.
    Claude,
    /// LibreChat.
    LibreChat,
    /// Open WebUI.
    OpenWebUi,
    /// Chatbot UI.
    ChatbotUi,
    /// Message trees of OpenAssistant.
    OpenAssistant,
    /// ShareGPT.
    ShareGpt,
    /// Messages for OpenAI's API.
    OpenAi,
    /// Messages of the AI SDK.
    UiMessage,
    /// Scrollback's own export.
    Scrollback,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::ChatGpt,
        Self::Claude,
        Self::LibreChat,
        Self::OpenWebUi,
        Self::ChatbotUi,
        Self::OpenAssistant,
        Self::ShareGpt,
        Self::OpenAi,
        Self::UiMessage,
        Self::Scrollback,
    ];

    /// The name: in `--format`, in `metadata.source`, and of the object in `metadata` that has what Scrollback has no
    /// place for.
    pub fn name(self) -> &'static str {
        match self {
            Self::ChatGpt => "chatgpt",
            Self::Claude => "claude",
            Self::LibreChat => "librechat",
            Self::OpenWebUi => "open-webui",
            Self::ChatbotUi => "chatbot-ui",
            Self::OpenAssistant => "openassistant",
            Self::ShareGpt => "sharegpt",
            Self::OpenAi => "openai-jsonl",
            Self::UiMessage => "uimessage",
            Self::Scrollback => "scrollback",
        }
    }

    /// The format of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// A description of the contents.
    pub(super) fn contents(self) -> &'static str {
        match self {
            Self::ChatGpt => "conversations of ChatGPT",
            Self::Claude => "conversations of Claude",
            Self::LibreChat => "conversations of LibreChat",
            Self::OpenWebUi => "chats of Open WebUI",
            Self::ChatbotUi => "an export of Chatbot UI",
            Self::OpenAssistant => "message trees of OpenAssistant",
            Self::ShareGpt => "ShareGPT conversations",
            Self::OpenAi => "messages for OpenAI's API",
            Self::UiMessage => "messages of the AI SDK",
            Self::Scrollback => "an export of Scrollback",
        }
    }
}
