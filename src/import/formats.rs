//! The parsers: one file a format.

mod block_fields;
mod chatbot_ui;
mod chatgpt;
mod claude;
mod content_parts;
mod librechat;
mod message_list;
#[cfg(test)]
mod mutations;
mod open_webui;
mod openai;
mod openassistant;
mod parts;
#[cfg(test)]
mod samples;
mod sharegpt;
mod token_counts;
mod tool_results;
mod uimessage;

use super::format::Format;
use super::parsed::Parsed;
use crate::model::JsonValue;

/// Parses an entry of a document. Bare messages come as one array of all messages that follow one another.
pub(super) fn parse(format: Format, entry: JsonValue) -> Parsed {
    match format {
        Format::ChatGpt => vec![chatgpt::parse(entry)],
        Format::Claude => vec![claude::parse(entry)],
        Format::LibreChat => vec![librechat::parse(entry)],
        Format::OpenWebUi => vec![open_webui::parse(entry)],
        Format::ChatbotUi => chatbot_ui::parse(entry),
        Format::OpenAssistant => vec![openassistant::parse(entry)],
        Format::ShareGpt => vec![sharegpt::parse(entry)],
        Format::OpenAi => vec![openai::parse(entry)],
        Format::UiMessage => uimessage::parse(entry),
        // It is read record by record.
        Format::Scrollback => Vec::new(),
    }
}
