//! ShareGPT conversations: one JSON array.
//!
//! `[{id, conversations: [{from: human | gpt | system | tool, value}]}]`. Every element is parsed by itself,
//! so that an invalid one does not affect the others.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::parsed::{Parsed, ParsedBody, ParsedConversation, ParsedMessage, title_of};
use super::rejection::Rejection;
use crate::model::{JsonObject, Role};

#[derive(Deserialize)]
struct Conversation {
    id: String,
    conversations: Vec<Value>,
}

#[derive(Deserialize)]
struct Value {
    from: Speaker,
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Speaker {
    #[serde(alias = "user")]
    Human,
    #[serde(alias = "assistant", alias = "chatgpt", alias = "bing", alias = "bard")]
    Gpt,
    System,
    #[serde(alias = "function", alias = "observation")]
    Tool,
}

pub(super) fn parse(bytes: &[u8]) -> Parsed {
    match elements(bytes) {
        Ok(elements) => elements.into_iter().map(|(line, text)| (line, conversation(text))).collect(),
        Err(error) => vec![(error.line(), Err(Rejection::not_an_array(&error)))],
    }
}

/// The elements of a JSON array, each with its first line.
pub(super) fn elements(bytes: &[u8]) -> Result<Vec<(usize, &str)>, serde_json::Error> {
    let elements: Vec<&RawValue> = serde_json::from_slice(bytes)?;
    let (mut line, mut seen) = (1, 0);
    let placed = elements.into_iter().map(|element| {
        let text = element.get();
        let start = text.as_ptr() as usize - bytes.as_ptr() as usize;
        line += bytes[seen..start].iter().filter(|byte| **byte == b'\n').count();
        seen = start;
        (line, text)
    });
    Ok(placed.collect())
}

fn conversation(text: &str) -> Result<ParsedConversation, Rejection> {
    let found: Conversation = serde_json::from_str(text)
        .map_err(|error| Rejection::in_json("not a conversation", &error).named_by(text.as_bytes()))?;
    let title = found.conversations.first().map(|first| title_of(&first.value));
    let turn = |(at, value): (usize, Value)| ParsedMessage {
        origin: None,
        parent: at.checked_sub(1),
        role: match value.from {
            Speaker::Human => Role::User,
            Speaker::Gpt => Role::Assistant,
            Speaker::System => Role::System,
            Speaker::Tool => Role::Tool,
        },
        body: ParsedBody::Text(value.value),
        model: None,
        metadata: JsonObject::new(),
    };
    let head = found.conversations.len().saturating_sub(1);
    let messages = found.conversations.into_iter().enumerate().map(turn).collect();
    Ok(ParsedConversation { origin: found.id, title, messages, head })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_elements_are_named_by_their_line_and_skipped() {
        let file = r#"[
  {"id": "a", "conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]},
  {"id": 1},
  {"id": "b",
   "conversations": [{"from": "system", "value": "Be brief"}]}
]"#;
        let parsed = parse(file.as_bytes());
        let lines: Vec<_> = parsed.iter().map(|(line, found)| (*line, found.is_ok())).collect();
        assert_eq!(lines, [(2, true), (3, false), (4, true)]);
        assert_eq!(parsed[0].1.as_ref().unwrap().messages[1].role, Role::Assistant);
    }

    #[test]
    fn a_file_that_is_no_array_is_one_refusal() {
        assert!(matches!(parse(b"{}").as_slice(), [(1, Err(_))]));
    }
}
