//! Puts messages in order that come as a list.

use std::collections::{HashMap, HashSet};

use crate::import::fields::Fields;
use crate::import::parsed::{Dropped, ParsedMessage};
use crate::import::rejection::Rejection;
use crate::import::tree::{TreeNode, arrange};
use crate::model::{Json, JsonValue, Role, hex};
use sha2::{Digest, Sha256};

/// The parent of a message in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ListedParent {
    /// It is a first message.
    None,
    /// The message before it in the list.
    Before,
    /// The message with this id. If there is none: the message before it in the list.
    Id(String),
    /// The message with this id. If there is none: it is a first message.
    IdOrNone(String),
}

/// A message of a list whose messages refer to their parents.
#[derive(Debug)]
pub(super) struct ListedMessage {
    pub(super) id: Option<String>,
    pub(super) parent: ListedParent,
    /// `None`: it is left out, and its children follow the message before.
    pub(super) message: Option<ParsedMessage>,
}

/// The messages with their parents, the active path first, and the index of its last message.
///
/// Missing ids and ids that occur again are replaced. Where messages form a cycle, one of them becomes a first message.
///
/// # Errors
/// Those of [`arrange`].
pub(super) fn arrange_list(
    list: Vec<ListedMessage>,
    active: Option<&str>,
    dropped: &mut Dropped,
) -> Result<(Vec<ParsedMessage>, usize), Rejection> {
    let mut known: HashMap<String, usize> = HashMap::with_capacity(list.len());
    let mut ids = Vec::with_capacity(list.len());
    for (at, item) in list.iter().enumerate() {
        let mut id = item.id.clone().unwrap_or_else(|| format!("#{at}"));
        while known.contains_key(&id) {
            id.push_str(&format!("#{at}"));
        }
        known.insert(id.clone(), at);
        ids.push(id);
    }
    let before = |at: usize| at.checked_sub(1);
    let mut parents: Vec<Option<usize>> = list
        .iter()
        .enumerate()
        .map(|(at, item)| match &item.parent {
            ListedParent::None => None,
            ListedParent::Before => before(at),
            ListedParent::Id(id) => known.get(id).copied().or_else(|| before(at)),
            ListedParent::IdOrNone(id) => known.get(id).copied(),
        })
        .collect();
    cut_cycles(&mut parents, dropped);
    let nodes = list.into_iter().zip(&parents).zip(&ids).map(|((item, parent), id)| TreeNode {
        id: id.clone(),
        parent: parent.map(|parent| ids[parent].clone()),
        message: item.message,
    });
    arrange(nodes.collect(), active)
}

/// Makes a message of each cycle a first one.
fn cut_cycles(parents: &mut [Option<usize>], dropped: &mut Dropped) {
    let mut is_checked = vec![false; parents.len()];
    for start in 0..parents.len() {
        let mut path = HashSet::new();
        let mut at = start;
        while !is_checked[at] && path.insert(at) {
            match parents[at] {
                Some(parent) if path.contains(&parent) => {
                    parents[at] = None;
                    dropped.add("parent of a message", "messages form a cycle");
                }
                Some(parent) => at = parent,
                None => break,
            }
        }
        path.into_iter().for_each(|at| is_checked[at] = true);
    }
}

/// Messages that follow one another, and the index of the last. An id that occurs again is left out.
pub(super) fn line(messages: Vec<Option<ParsedMessage>>) -> (Vec<ParsedMessage>, usize) {
    let mut ids = HashSet::new();
    let mut messages: Vec<ParsedMessage> = messages.into_iter().flatten().collect();
    for (at, message) in messages.iter_mut().enumerate() {
        message.parent = at.checked_sub(1);
        message.origin = message.origin.take().filter(|id| ids.insert(id.clone()));
    }
    let head = messages.len().saturating_sub(1);
    (messages, head)
}

/// Takes the role of a message. One that is unknown stays.
pub(super) fn take_role(fields: &mut Fields) -> Option<Role> {
    let role = match fields.get("role")?.as_str()? {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "system" => Role::System,
        "tool" => Role::Tool,
        _ => return None,
    };
    fields.ignore("role");
    Some(role)
}

/// Takes the name of the model of a conversation. It becomes that of the answers that have none. Without such answers the
/// field stays.
pub(super) fn take_model(fields: &mut Fields, messages: &mut [ParsedMessage]) {
    let mut answers = messages
        .iter_mut()
        .filter(|message| message.role == Role::Assistant && message.model.is_none())
        .peekable();
    let Some(model) = answers.peek().is_some().then(|| fields.id("model")).flatten() else { return };
    answers.for_each(|message| message.model = Some(model.clone()));
}

/// An id for a conversation without one: SHA-256 of these fields of its messages, in hexadecimal.
pub(super) fn content_id(messages: &[JsonValue], fields: &[&str]) -> String {
    let fields_of = |message: &JsonValue| match message.as_object() {
        Some(message) => {
            let value = |name: &&str| message.get(*name).cloned().unwrap_or(JsonValue::Null);
            JsonValue::Array(fields.iter().map(value).collect())
        }
        None => message.clone(),
    };
    let content = JsonValue::Array(messages.iter().map(fields_of).collect());
    let content = Json::stored(content.to_string());
    hex(&Sha256::digest(content.canonical().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Part;

    fn item(id: Option<&str>, parent: ListedParent) -> ListedMessage {
        let text = id.unwrap_or("none").to_owned();
        let message = Some(ParsedMessage::new(Role::User, vec![Part::text(text)]));
        ListedMessage { id: id.map(str::to_owned), parent, message }
    }

    fn order(list: Vec<ListedMessage>) -> (Vec<(String, Option<usize>)>, Dropped) {
        let mut dropped = Dropped::default();
        let (messages, _) = arrange_list(list, None, &mut dropped).unwrap();
        (messages.into_iter().map(|message| (message.origin.unwrap(), message.parent)).collect(), dropped)
    }

    fn named(expected: &[(&str, Option<usize>)]) -> Vec<(String, Option<usize>)> {
        expected.iter().map(|(id, parent)| ((*id).to_owned(), *parent)).collect()
    }

    #[test]
    fn missing_and_repeated_ids_and_unknown_parents_are_replaced() {
        let id = |id: &str| ListedParent::Id(id.to_owned());
        let (messages, dropped) = order(vec![
            item(Some("a"), ListedParent::Before),
            item(None, id("a")),
            item(Some("b"), id("lost")),
            item(Some("b"), id("b")),
            item(Some("c"), ListedParent::IdOrNone("lost".to_owned())),
        ]);
        let expected = [("c", None), ("a", None), ("#1", Some(1)), ("b", Some(2)), ("b#3", Some(3))];
        assert_eq!((messages, dropped), (named(&expected), Dropped::default()));
    }

    #[test]
    fn cycles_are_cut() {
        let id = |id: &str| ListedParent::Id(id.to_owned());
        let (messages, dropped) = order(vec![
            item(Some("a"), id("c")),
            item(Some("b"), id("a")),
            item(Some("c"), id("b")),
            item(Some("d"), id("d")),
        ]);
        assert_eq!(messages.len(), 4);
        assert_eq!(dropped.iter().map(|(_, _, count)| count).sum::<u64>(), 2);
    }

    #[test]
    fn the_id_of_a_content_does_not_depend_on_the_order_of_fields() {
        let id = |text: &str| {
            content_id(JsonValue::read(text.as_bytes()).unwrap().as_array().unwrap(), &["a", "b"])
        };
        let expected = id(r#"[{"a":"x","b":{"c":1,"d":2}}]"#);
        assert_eq!((expected.len(), id(r#"[{"b":{"d":2,"c":1},"a":"x","e":1}]"#)), (64, expected.clone()));
        assert_ne!(id(r#"[{"a":"y","b":{"c":1,"d":2}}]"#), expected);
    }
}
