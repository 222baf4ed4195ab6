//! Message trees of OpenAssistant.
//!
//! `{message_tree_id, prompt: {message_id, text, role: prompter | assistant, rank, replies: […]}}`.
//!
//! The path of the best-ranked replies becomes the active one. Rank 0 is the best. Replies without a rank come last, in
//! the order of the file.

use super::message_list::{ListedMessage, ListedParent, arrange_list};
use super::parts::broken_message;
use crate::import::fields::Fields;
use crate::import::format::Format;
use crate::import::parsed::{Dropped, ParsedConversation, ParsedMessage};
use crate::import::rejection::Rejection;
use crate::model::{JsonValue, Part, Role};

/// A message that waits for its turn.
struct Reply {
    parent: Option<String>,
    value: JsonValue,
    /// Whether it is on the path of the best replies.
    is_best: bool,
}

pub(super) fn parse(entry: JsonValue) -> Result<ParsedConversation, Rejection> {
    let mut fields = Fields::of(entry).ok_or("it is not an object")?;
    let prompt = match fields.get("prompt") {
        Some(JsonValue::Object(_)) => fields.value("prompt").unwrap_or(JsonValue::Null),
        _ => return Err("it has no `prompt`".into()),
    };
    let tree_id = fields.id("message_tree_id");
    let mut dropped = Dropped::default();
    let mut list: Vec<ListedMessage> = Vec::new();
    let mut best = None;
    // Depth first, the best reply first, so that siblings are in the order of their rank.
    let mut rest = vec![Reply { parent: None, value: prompt, is_best: true }];
    while let Some(Reply { parent, value, is_best }) = rest.pop() {
        let listed_parent = parent.map_or(ListedParent::None, ListedParent::IdOrNone);
        if value.as_object().is_none() {
            let message = broken_message(Format::OpenAssistant, value, &mut dropped);
            list.push(ListedMessage { id: None, parent: listed_parent, message });
            continue;
        }
        let Some(mut node) = Fields::of(value) else { continue };
        let id = node.id("message_id").unwrap_or_else(|| format!("#{}", list.len()));
        let replies = replies(&mut node);
        if is_best {
            best = Some(id.clone());
        }
        list.push(ListedMessage {
            id: Some(id.clone()),
            parent: listed_parent,
            message: Some(message(node)),
        });
        let replies = replies.into_iter().enumerate().rev();
        rest.extend(replies.map(|(place, value)| Reply {
            parent: Some(id.clone()),
            value,
            is_best: is_best && place == 0,
        }));
    }
    let root = list.first().and_then(|first| first.id.clone()).unwrap_or_default();
    let (messages, head) = arrange_list(list, best.as_deref(), &mut dropped)?;
    Ok(ParsedConversation {
        origin: tree_id.unwrap_or(root),
        created_at: fields.time("created_date"),
        metadata: fields.rest(),
        messages,
        head,
        dropped,
        ..ParsedConversation::default()
    })
}

/// The replies, the best first.
fn replies(node: &mut Fields) -> Vec<JsonValue> {
    let mut replies = node.array("replies").unwrap_or_default();
    let rank = |reply: &JsonValue| match reply.as_object().and_then(|fields| fields.get("rank")) {
        Some(JsonValue::Number(rank)) => rank.as_str().parse::<f64>().unwrap_or(f64::MAX),
        _ => f64::MAX,
    };
    replies.sort_by(|one, other| rank(one).total_cmp(&rank(other)));
    replies
}

fn message(mut node: Fields) -> ParsedMessage {
    // Said by the place in the tree, and by the tree.
    for name in ["parent_id", "message_tree_id", "tree_state"] {
        node.id(name);
    }
    let role = match node.get("role").and_then(JsonValue::as_str) {
        Some("prompter") => Role::User,
        Some("assistant") => Role::Assistant,
        _ => Role::System,
    };
    if role != Role::System {
        node.ignore("role");
    }
    let parts = node.text("text").map(Part::text).into_iter().collect();
    let mut message = ParsedMessage::new(role, parts);
    message.model = node.id("model_name");
    message.created_at = node.time("created_date");
    message.hidden = node.boolean("deleted") == Some(true);
    if node.get("synthetic") == Some(&JsonValue::Boolean(false)) {
        node.ignore("synthetic");
    }
    message.metadata = node.rest();
    message
}

#[cfg(test)]
mod tests;
