//! ChatGPT exports: `conversations.json`, an array of conversations, or one conversation alone.
//!
//! A conversation is a tree, `mapping: {node id: {parent, children, message | null}}`, whose active path ends
//! in `current_node`. The whole tree is imported. Nodes without a message or without content are left out,
//! and their children follow the message before.

use std::collections::HashMap;

use serde::Deserialize;

use super::parsed::{Parsed, ParsedBody, ParsedConversation, ParsedMessage, title_of};
use super::rejection::Rejection;
use super::sharegpt::elements;
use crate::model::{Json, JsonObject, JsonValue, MAX_MESSAGE_BYTES, Part, Role};

#[derive(Deserialize)]
struct Conversation {
    /// Either or both may exist.
    id: Option<String>,
    conversation_id: Option<String>,
    title: Option<String>,
    mapping: HashMap<String, Node>,
    current_node: Option<String>,
    default_model_slug: Option<String>,
}

#[derive(Deserialize)]
struct Node {
    parent: Option<String>,
    #[serde(default)]
    children: Vec<String>,
    message: Option<Message>,
}

#[derive(Deserialize)]
struct Message {
    author: Author,
    create_time: Option<JsonValue>,
    content: JsonObject,
    weight: Option<f64>,
    recipient: Option<String>,
    channel: Option<String>,
    #[serde(default)]
    metadata: JsonObject,
}

#[derive(Deserialize)]
struct Author {
    role: String,
    name: Option<String>,
}

pub(super) fn parse(bytes: &[u8]) -> Parsed {
    if bytes.trim_ascii_start().first() == Some(&b'{') {
        let text = String::from_utf8_lossy(bytes);
        return vec![(1, named(&text))];
    }
    match elements(bytes) {
        Ok(elements) => elements.into_iter().map(|(line, text)| (line, named(text))).collect(),
        Err(error) => vec![(error.line(), Err(Rejection::not_an_array(&error)))],
    }
}

fn named(text: &str) -> Result<ParsedConversation, Rejection> {
    conversation(text).map_err(|fault| fault.named_by(text.as_bytes()))
}

fn conversation(text: &str) -> Result<ParsedConversation, Rejection> {
    let found: Conversation =
        serde_json::from_str(text).map_err(|error| Rejection::in_json("not a conversation", &error))?;
    let origin = found
        .id
        .or(found.conversation_id)
        .ok_or_else(|| Rejection::from("a conversation without an id".to_owned()))?;
    let active = path(&found.mapping, found.current_node.as_deref())?;
    let mut tree =
        Tree { nodes: found.mapping, model: found.default_model_slug, messages: Vec::new(), head: 0 };
    tree.walk(&active)?;
    let first = tree.messages.iter().find(|turn| turn.role == Role::User);
    let title = found.title.or_else(|| match &first?.body {
        ParsedBody::Text(text) => Some(title_of(text)),
        ParsedBody::Parts(_) => None,
    });
    Ok(ParsedConversation { origin, title, head: tree.head, messages: tree.messages })
}

/// The node ids from the root to the current node.
fn path(nodes: &HashMap<String, Node>, current: Option<&str>) -> Result<Vec<String>, String> {
    let mut path = Vec::new();
    let mut next = current;
    while let Some((id, node)) = next.and_then(|id| Some((id, nodes.get(id)?))) {
        if path.len() > nodes.len() {
            return Err("its messages form a cycle".into());
        }
        path.push(id.to_owned());
        next = node.parent.as_deref();
    }
    path.reverse();
    Ok(path)
}

struct Tree {
    nodes: HashMap<String, Node>,
    model: Option<String>,
    messages: Vec<ParsedMessage>,
    head: usize,
}

impl Tree {
    /// Depth first, the active child first. So the active path comes first, and every parent before its
    /// children.
    fn walk(&mut self, active: &[String]) -> Result<(), String> {
        let roots = self
            .nodes
            .iter()
            .filter(|(_, node)| node.parent.as_ref().is_none_or(|parent| !self.nodes.contains_key(parent)));
        let mut roots: Vec<String> = roots.map(|(id, _)| id.clone()).collect();
        roots.sort_by_key(|id| (!active.contains(id), id.clone()));
        let mut rest: Vec<(Option<usize>, String)> = roots.into_iter().rev().map(|id| (None, id)).collect();
        while let Some((parent, id)) = rest.pop() {
            let Some(node) = self.nodes.remove(&id) else { continue };
            let at = match node.message.and_then(|message| self.turn(parent, &id, message).transpose()) {
                Some(turn) => {
                    self.messages.push(turn?);
                    if active.contains(&id) {
                        self.head = self.messages.len() - 1;
                    }
                    Some(self.messages.len() - 1)
                }
                None => parent,
            };
            let mut children = node.children;
            children.sort_by_key(|child| !active.contains(child));
            rest.extend(children.into_iter().rev().map(|child| (at, child)));
        }
        Ok(())
    }

    fn turn(
        &self,
        parent: Option<usize>,
        id: &str,
        message: Message,
    ) -> Result<Option<ParsedMessage>, String> {
        let Some(body) = body(&message.content)? else { return Ok(None) };
        let role = match message.author.role.as_str() {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "system" => Role::System,
            "tool" => Role::Tool,
            other => return Err(format!("a message of the unknown role {other}")),
        };
        let own = message.metadata.get("model_slug").and_then(JsonValue::as_str).map(str::to_owned);
        let model = own.or_else(|| self.model.clone().filter(|_| role == Role::Assistant));
        let hidden = message.weight == Some(0.0)
            || message.metadata.get("is_visually_hidden_from_conversation")
                == Some(&JsonValue::Boolean(true));
        let recipient = message.recipient.filter(|recipient| recipient != "all");
        let facts = [
            ("createTime", message.create_time),
            ("recipient", recipient.map(JsonValue::from)),
            ("channel", message.channel.map(JsonValue::from)),
            ("authorName", message.author.name.map(JsonValue::from)),
            ("hidden", hidden.then_some(JsonValue::Boolean(true))),
        ];
        let facts = facts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        let metadata = facts.filter(|(_, value)| *value != JsonValue::Null).collect();
        Ok(Some(ParsedMessage { origin: Some(id.to_owned()), parent, role, body, model, metadata }))
    }
}

/// The content of a message: nothing, a text, or parts. Parts are never joined to one text.
fn body(content: &JsonObject) -> Result<Option<ParsedBody>, String> {
    let kind = content.get("content_type").and_then(JsonValue::as_str).unwrap_or("text");
    let parts = match (kind, content.get("parts").and_then(JsonValue::as_array)) {
        ("thoughts", _) => thoughts(content),
        ("text" | "multimodal_text", Some(parts)) => {
            parts.iter().map(part).collect::<Result<Vec<_>, String>>()?
        }
        _ => vec![data(kind, &JsonValue::Object(content.clone()))?],
    };
    let mut parts: Vec<Part> = parts
        .into_iter()
        .filter(|part| !matches!(part, Part::Text { text } | Part::Reasoning { text } if text.is_empty()))
        .collect();
    Ok(match (parts.pop(), parts.is_empty()) {
        (None, _) => None,
        (Some(Part::Text { text }), true) => Some(ParsedBody::Text(text)),
        (Some(last), _) => {
            parts.push(last);
            Some(ParsedBody::Parts(parts))
        }
    })
}

fn part(part: &JsonValue) -> Result<Part, String> {
    match part {
        JsonValue::String(text) => Ok(Part::Text { text: text.clone() }),
        other => {
            let kind = other.as_object().and_then(|fields| fields.get("content_type")?.as_str());
            data(kind.unwrap_or("part"), other)
        }
    }
}

/// Reasoning: newer exports have thoughts with summaries, older ones plain texts.
fn thoughts(content: &JsonObject) -> Vec<Part> {
    let listed = |name: &str| content.get(name).and_then(JsonValue::as_array).into_iter().flatten();
    let told = |thought: &JsonValue| {
        let field = |name: &str| {
            thought.as_object().and_then(|thought| thought.get(name)?.as_str()).unwrap_or_default()
        };
        [field("summary"), field("content")].join("\n\n").trim().to_owned()
    };
    let thoughts = listed("thoughts").map(told);
    let texts = listed("parts").filter_map(JsonValue::as_str).map(str::to_owned);
    thoughts.chain(texts).map(|text| Part::Reasoning { text }).collect()
}

/// Any other data, stored unchanged.
fn data(kind: &str, value: &JsonValue) -> Result<Part, String> {
    let data =
        Json::within("content", value.to_string(), MAX_MESSAGE_BYTES).map_err(|error| error.to_string())?;
    Ok(Part::Data { name: format!("chatgpt/{kind}"), data })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn parsed(value: &Value) -> Result<ParsedConversation, Rejection> {
        let text = value.to_string();
        parse(text.as_bytes()).pop().unwrap().1
    }

    fn node(parent: &str, children: &[&str], role: &str, parts: &Value) -> Value {
        let content = json!({ "content_type": "text", "parts": parts });
        json!({ "parent": parent, "children": children, "message": { "author": { "role": role }, "content": content } })
    }

    #[test]
    fn the_tree_is_kept_with_its_active_path_first() {
        let file = json!({ "id": "c", "conversation_id": "c", "title": null, "current_node": "new", "default_model_slug": "m", "mapping": {
            "root": { "parent": null, "children": ["hidden"], "message": null },
            "hidden": node("root", &["ask"], "system", &json!([""])),
            "ask": node("hidden", &["old", "new"], "user", &json!(["Why?"])),
            "old": node("ask", &[], "assistant", &json!(["Because."])),
            "new": node("ask", &["thanks"], "assistant", &json!(["See", { "content_type": "image_asset_pointer", "asset_pointer": "x" }])),
            "thanks": node("new", &[], "user", &json!(["Thanks"])),
        } });
        let found = parsed(&file).unwrap();
        let tree: Vec<_> =
            found.messages.iter().map(|turn| (turn.origin.as_deref().unwrap(), turn.parent)).collect();
        assert_eq!(tree, [("ask", None), ("new", Some(0)), ("thanks", Some(1)), ("old", Some(0))]);
        assert_eq!((found.head, found.title.as_deref()), (1, Some("Why?")));
        assert_eq!(found.messages[1].model.as_deref(), Some("m"));
        assert_eq!(found.messages[0].model, None);
        let ParsedBody::Parts(parts) = &found.messages[1].body else { panic!("parts are not joined") };
        assert!(
            matches!(&parts[..], [Part::Text { text }, Part::Data { name, .. }] if text == "See" && name == "chatgpt/image_asset_pointer")
        );
    }

    #[test]
    fn graphs_that_are_not_trees_are_rejected() {
        assert!(parsed(&json!({ "id": "c" })).unwrap_err().reason.contains("mapping"));
        let circle = json!({ "id": "c", "current_node": "a", "mapping": {
            "a": node("b", &["b"], "user", &json!(["x"])), "b": node("a", &["a"], "user", &json!(["y"])),
        } });
        assert!(parsed(&circle).unwrap_err().reason.contains("cycle"));
    }
}
