//! Makes chat messages of messages.

use super::chat_message::{ChatMessage, ImageUrl, ToolCall, UserContent, UserPart};
use crate::export::images::Images;
use crate::model::{ExportedMessage, Json, Part, Parts, Role, ToolState, is_data_url};

/// What a call without a result is answered with: OpenAI requires a result.
const NO_RESULT: &str = "(no result)";

/// The state between the messages of a conversation.
#[derive(Default)]
pub(super) struct Conversion {
    /// The calls of the last assistant's message that have no result yet.
    open: Vec<String>,
    /// Its other calls.
    answered: Vec<String>,
}

/// An assistant's message that is being put together.
#[derive(Default)]
struct Turn {
    texts: Vec<String>,
    calls: Vec<(ToolCall, Option<String>)>,
}

/// A tool part.
struct ToolPart<'m> {
    id: &'m str,
    name: &'m str,
    input: Option<&'m Json>,
    result: Option<String>,
}

impl Conversion {
    /// The chat messages of the next message.
    pub(super) fn convert<'m>(
        &mut self,
        message: &'m ExportedMessage,
        images: &'m Images,
    ) -> Vec<ChatMessage<'m>> {
        if message.role == Role::Tool {
            return self.results(message);
        }
        let mut converted = self.finish();
        match message.role {
            Role::System => {
                let content = texts(message).join("\n\n");
                converted.extend((!content.is_empty()).then_some(ChatMessage::System { content }));
            }
            Role::User => {
                let content = user_content(message, images);
                converted.extend(content.map(|content| ChatMessage::User { content }));
            }
            Role::Assistant | Role::Tool => self.assistant(message, &mut converted),
        }
        converted
    }

    /// Answers the calls that have no result: none follows.
    pub(super) fn finish<'m>(&mut self) -> Vec<ChatMessage<'m>> {
        self.answered.clear();
        let result = |id| ChatMessage::Tool { tool_call_id: id, content: NO_RESULT.to_owned() };
        self.open.drain(..).map(result).collect()
    }

    /// A text after a call begins another message: the results are between the two.
    fn assistant<'m>(&mut self, message: &'m ExportedMessage, converted: &mut Vec<ChatMessage<'m>>) {
        let mut turn = Turn::default();
        match &message.parts {
            None => turn.texts.extend(texts(message).into_iter().map(str::to_owned)),
            Some(parts) => {
                for part in parts.as_slice() {
                    match part {
                        Part::Text { text, .. } if !text.is_empty() => {
                            if !turn.calls.is_empty() {
                                self.end_turn(std::mem::take(&mut turn), converted);
                                converted.extend(self.finish());
                            }
                            turn.texts.push(text.clone());
                        }
                        Part::Tool { .. } => turn.add_call(tool_part(part)),
                        _ => {}
                    }
                }
            }
        }
        self.end_turn(turn, converted);
    }

    fn end_turn<'m>(&mut self, turn: Turn, converted: &mut Vec<ChatMessage<'m>>) {
        let Turn { texts, calls } = turn;
        if texts.is_empty() && calls.is_empty() {
            return;
        }
        let content = (!texts.is_empty()).then(|| texts.join("\n\n"));
        let (calls, results): (Vec<_>, Vec<_>) = calls.into_iter().unzip();
        let ids: Vec<_> = calls.iter().map(|call| call.id.clone()).collect();
        converted.push(ChatMessage::Assistant { content, tool_calls: calls });
        for (id, result) in ids.into_iter().zip(results) {
            match result {
                Some(content) => {
                    self.answered.push(id.clone());
                    converted.push(ChatMessage::Tool { tool_call_id: id, content });
                }
                None => self.open.push(id),
            }
        }
    }

    /// The results that a message of the role TOOL has. Those of unknown calls come with the call.
    fn results<'m>(&mut self, message: &'m ExportedMessage) -> Vec<ChatMessage<'m>> {
        let parts = message.parts.iter().flat_map(Parts::as_slice);
        let mut tools = parts.filter_map(tool_part).peekable();
        let text = texts(message).join("\n\n");
        if tools.peek().is_none() {
            // A text without a call id answers the next call.
            if self.open.is_empty() || text.is_empty() {
                return Vec::new();
            }
            let id = self.open.remove(0);
            self.answered.push(id.clone());
            return vec![ChatMessage::Tool { tool_call_id: id, content: text }];
        }
        let mut converted = Vec::new();
        let mut turn = Turn::default();
        for mut tool in tools {
            if tool.result.is_none() && !text.is_empty() {
                tool.result = Some(text.clone());
            }
            if let Some(at) = self.open.iter().position(|id| id == tool.id) {
                let id = self.open.remove(at);
                self.answered.push(id.clone());
                let content = tool.result.unwrap_or_else(|| NO_RESULT.to_owned());
                converted.push(ChatMessage::Tool { tool_call_id: id, content });
            } else if !self.answered.iter().any(|id| id == tool.id) {
                tool.result.get_or_insert_with(|| NO_RESULT.to_owned());
                turn.add_call(Some(tool));
            }
        }
        if !turn.calls.is_empty() {
            converted.extend(self.finish());
            self.end_turn(turn, &mut converted);
        }
        converted
    }
}

impl Turn {
    /// Adds a call. Parts with the same id are one call.
    fn add_call(&mut self, tool: Option<ToolPart<'_>>) {
        let Some(ToolPart { id, name, input, result }) = tool else { return };
        match self.calls.iter_mut().find(|(call, _)| call.id == id) {
            Some((call, earlier)) => {
                if let Some(input) = input {
                    input.as_str().clone_into(&mut call.function.arguments);
                }
                *earlier = result.or(earlier.take());
            }
            None => {
                let arguments = input.map_or("{}", Json::as_str).to_owned();
                self.calls.push((ToolCall::new(id, name, arguments), result));
            }
        }
    }
}

fn tool_part(part: &Part) -> Option<ToolPart<'_>> {
    let Part::Tool { tool_call_id, tool_name, state, input, output, error_text, .. } = part else {
        return None;
    };
    let result = match state {
        ToolState::OutputAvailable => Some(output.as_ref().map_or_else(|| "null".to_owned(), text_of)),
        ToolState::OutputError => Some(error_text.clone().unwrap_or_else(|| "error".to_owned())),
        ToolState::OutputDenied => Some("The call was denied.".to_owned()),
        ToolState::InputStreaming
        | ToolState::InputAvailable
        | ToolState::ApprovalRequested
        | ToolState::ApprovalResponded => None,
    };
    Some(ToolPart { id: tool_call_id, name: tool_name, input: input.as_ref(), result })
}

/// A text as it is, other values as JSON.
fn text_of(json: &Json) -> String {
    serde_json::from_str(json.as_str()).unwrap_or_else(|_| json.as_str().to_owned())
}

/// The texts that are not empty.
fn texts(message: &ExportedMessage) -> Vec<&str> {
    let texts = match &message.parts {
        None => vec![message.content.as_str()],
        Some(parts) => {
            let parts = parts.as_slice().iter();
            let texts = parts.filter_map(|part| match part {
                Part::Text { text, .. } => Some(text.as_str()),
                _ => None,
            });
            texts.collect()
        }
    };
    texts.into_iter().filter(|text| !text.is_empty()).collect()
}

/// The texts and images of a user. `None`: there are none.
fn user_content<'m>(message: &'m ExportedMessage, images: &'m Images) -> Option<UserContent<'m>> {
    let parts = message.parts.iter().flat_map(Parts::as_slice);
    let content = parts.filter_map(|part| match part {
        Part::Text { text, .. } if !text.is_empty() => Some(UserPart::Text { text }),
        Part::File { media_type, url, .. } if media_type.starts_with("image/") => {
            let is_reachable = is_data_url(url) || url.starts_with("https://") || url.starts_with("http://");
            let url = if is_reachable { Some(url.as_str()) } else { images.data_url(media_type, url) };
            url.map(|url| UserPart::ImageUrl { image_url: ImageUrl { url } })
        }
        _ => None,
    });
    let content: Vec<_> = content.collect();
    if content.iter().any(|part| matches!(part, UserPart::ImageUrl { .. })) {
        return Some(UserContent::Parts(content));
    }
    let text = texts(message).join("\n\n");
    (!text.is_empty()).then_some(UserContent::Text(text))
}
