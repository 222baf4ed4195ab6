//! Ids: a prefix and the UUID of a conversation or a message as 32 hexadecimal digits.
//!
//! A message that Scrollback shows as several items has one id for each: the index of its first part follows, unless that is 0.

use uuid::Uuid;

use crate::model::{ConversationId, MAX_PARTS, MessageId};

/// The prefix of conversations.
const CONVERSATION: &str = "conv_";

/// The id of a conversation.
pub fn conversation_id(id: ConversationId) -> String {
    format!("{CONVERSATION}{}", id.0.simple())
}

/// The conversation with this id. `None`: no conversation can have it.
pub fn parse_conversation_id(text: &str) -> Option<ConversationId> {
    text.strip_prefix(CONVERSATION).and_then(uuid).map(ConversationId)
}

/// The id of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemId {
    /// The message that it is in.
    pub message: MessageId,
    /// The index of its first part.
    pub part: usize,
    prefix: String,
}

impl ItemId {
    pub(super) fn new(prefix: &str, message: MessageId, part: usize) -> Self {
        Self { message, part, prefix: prefix.to_owned() }
    }

    /// Reads an id. `None`: no item can have it.
    pub fn parse(text: &str) -> Option<Self> {
        let (prefix, rest) = text.split_once('_')?;
        let (message, part) = match rest.split_once('_') {
            None => (rest, 0),
            Some((message, part)) => (message, index(part)?),
        };
        let is_prefix = !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_lowercase());
        is_prefix.then_some(())?;
        Some(Self::new(prefix, MessageId(uuid(message)?), part))
    }

    /// The prefix, which depends on the type of the item.
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }
}

impl std::fmt::Display for ItemId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}_{}", self.prefix, self.message.0.simple())?;
        if self.part > 0 { write!(f, "_{}", self.part) } else { Ok(()) }
    }
}

/// A UUID in its one form: 32 lower-case digits.
fn uuid(text: &str) -> Option<Uuid> {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let is_simple = text.len() == 32 && text.bytes().all(is_digit);
    if is_simple { Uuid::try_parse(text).ok() } else { None }
}

fn index(text: &str) -> Option<usize> {
    let index = text.parse().ok().filter(|index| (1..MAX_PARTS).contains(index))?;
    (index.to_string() == text).then_some(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0197a1b2c3d47e5f8a6b7c8d9e0f1a2b";

    #[test]
    fn ids_have_one_form() {
        let text = format!("conv_{ID}");
        assert_eq!(conversation_id(parse_conversation_id(&text).unwrap()), text);
        for text in [format!("msg_{ID}"), format!("fc_{ID}_7"), format!("fco_{ID}_999")] {
            assert_eq!(ItemId::parse(&text).unwrap().to_string(), text);
        }
        for wrong in [
            "",
            "conv_",
            "conv_123",
            "conv_0197a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b",
            "conv_0197A1B2C3D47E5F8A6B7C8D9E0F1A2B",
            "0197a1b2c3d47e5f8a6b7c8d9e0f1a2b",
        ] {
            assert_eq!(parse_conversation_id(wrong), None, "{wrong}");
        }
        for wrong in [
            "msg_abc",
            "_x",
            &format!("msg_{ID}_0"),
            &format!("msg_{ID}_07"),
            &format!("msg_{ID}_1000"),
            &format!("Msg_{ID}"),
        ] {
            assert_eq!(ItemId::parse(wrong), None, "{wrong}");
        }
    }
}
