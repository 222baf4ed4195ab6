//! Exports of ChatGPT: `conversations.json`, an array of conversations, or one conversation alone.
//!
//! A conversation is a tree, `mapping: {node id: {parent, children, message | null}}`, whose active path ends in
//! `current_node`. The whole tree is imported. Nodes without a message are left out, and their children follow the
//! message before. A call of a tool and its result, which are nodes of their own, become one message.

mod citations;
mod content;
mod message;
mod tools;

use std::collections::HashMap;

use crate::import::fields::Fields;
use crate::import::parsed::{Dropped, ParsedConversation};
use crate::import::rejection::Rejection;
use crate::import::tree::{TreeNode, arrange};
use crate::model::{JsonObject, JsonValue};
use message::Node;

pub(super) fn parse(entry: JsonValue) -> Result<ParsedConversation, Rejection> {
    let mut fields = Fields::of(entry).ok_or_else(|| Rejection::from("it is not an object"))?;
    let mapping = fields.object("mapping").ok_or_else(|| Rejection::from("it has no `mapping`"))?;
    let ids = [fields.id("conversation_id"), fields.id("id")];
    let model = fields.text("default_model_slug");
    let mut dropped = Dropped::default();
    let (nodes, strange_nodes) = nodes(mapping, model.as_deref());
    if !strange_nodes.is_empty() {
        fields.put("mapping", JsonValue::Object(strange_nodes));
    }
    // Earlier imports preferred `id`. Both are the same where both are there.
    let origin = ids.into_iter().rev().flatten().next().or_else(|| nodes.first().map(|node| node.id.clone()));
    let origin = origin.ok_or_else(|| Rejection::from("it has neither an id nor messages"))?;
    let active = fields.id("current_node");
    let nodes = tools::join(nodes, &mut dropped);
    let nodes = nodes.into_iter().map(|node| TreeNode {
        id: node.id,
        parent: node.parent,
        message: node.message.map(|message| message.parsed),
    });
    let (messages, head) = arrange(nodes.collect(), active.as_deref())?;
    Ok(ParsedConversation {
        origin,
        title: fields.text("title"),
        created_at: fields.time("create_time"),
        updated_at: fields.time("update_time"),
        archived: fields.boolean("is_archived") == Some(true),
        pinned: fields.boolean("is_starred") == Some(true),
        labels: Vec::new(),
        metadata: fields.rest(),
        messages,
        head,
        dropped,
    })
}

/// The nodes, siblings in their order, and what is in the mapping besides.
fn nodes(mapping: Fields, model: Option<&str>) -> (Vec<Node>, JsonObject) {
    let mut strange_nodes = JsonObject::new();
    let JsonValue::Object(mapping) = mapping.into_value() else { return (Vec::new(), strange_nodes) };
    // Each child, with its parent and its place among its siblings.
    let mut places: HashMap<String, (String, usize)> = HashMap::new();
    let mut nodes = Vec::with_capacity(mapping.len());
    for (id, node) in mapping {
        let Some(mut fields) = Fields::of(node.clone()) else {
            strange_nodes.insert(id, node);
            continue;
        };
        let children = fields.array("children").unwrap_or_default();
        let mut strange = Vec::new();
        for (place, child) in children.into_iter().enumerate() {
            match child {
                JsonValue::String(child) => drop(places.entry(child).or_insert_with(|| (id.clone(), place))),
                child => strange.push(child),
            }
        }
        let parent = fields.id("parent");
        let mut message = match fields.value("message") {
            None => None,
            Some(message @ JsonValue::Object(_)) => {
                Fields::of(message).map(|fields| message::parse(&id, fields, model))
            }
            Some(strange) => {
                fields.put("message", strange);
                None
            }
        };
        fields.ignore_scalar("id");
        let mut rest = fields.rest();
        if !strange.is_empty() {
            rest.insert("children".to_owned(), JsonValue::Array(strange));
        }
        if !rest.is_empty() {
            // A node without a message is no message because it has a field more.
            match &mut message {
                Some(message) => {
                    drop(message.parsed.metadata.insert("node".to_owned(), JsonValue::Object(rest)));
                }
                None => drop(strange_nodes.insert(id.clone(), JsonValue::Object(rest))),
            }
        }
        nodes.push(Node { id, parent, message });
    }
    let known = |id: &Option<String>| id.as_ref().is_some_and(|id| !id.is_empty());
    for node in &mut nodes {
        if !known(&node.parent) {
            // A parent that lost its name still has its children.
            node.parent = places.get(&node.id).map(|(parent, _)| parent.clone()).filter(|id| *id != node.id);
        }
    }
    nodes.sort_by_key(|node| places.get(&node.id).map_or(0, |(_, place)| *place));
    (nodes, strange_nodes)
}

#[cfg(test)]
mod tests;
