//! Puts the messages of a tree in order.

use std::collections::{HashMap, HashSet};

use super::parsed::ParsedMessage;
use super::rejection::Rejection;

/// A node of the tree of a source.
#[derive(Debug)]
pub(super) struct TreeNode {
    pub(super) id: String,
    /// The id of the node before. Unknown ids are treated like none: the node is a first one.
    pub(super) parent: Option<String>,
    /// `None`: the node is left out, and its children follow the message before.
    pub(super) message: Option<ParsedMessage>,
}

/// The messages with their parents, the active path first, and the index of its last message.
///
/// `active` is the id of the last node of the active path. Without a known one it is the last node without children.
/// Children are in the order of the nodes.
///
/// # Errors
/// Nodes form a cycle, or two have the same id.
pub(super) fn arrange(
    nodes: Vec<TreeNode>,
    active: Option<&str>,
) -> Result<(Vec<ParsedMessage>, usize), Rejection> {
    let index_of: HashMap<String, usize> =
        nodes.iter().enumerate().map(|(at, node)| (node.id.clone(), at)).collect();
    if index_of.len() < nodes.len() {
        return Err(Rejection::from("two of its messages have the same id".to_owned()));
    }
    let parents: Vec<Option<usize>> =
        nodes.iter().map(|node| index_of.get(node.parent.as_ref()?).copied()).collect();
    let mut children = vec![Vec::new(); nodes.len()];
    for (at, parent) in parents.iter().enumerate() {
        if let Some(parent) = parent {
            children[*parent].push(at);
        }
    }
    let last = || (0..nodes.len()).rev().find(|at| children[*at].is_empty());
    let mut path = HashSet::new();
    let mut next = active.and_then(|id| index_of.get(id).copied()).or_else(last);
    while let Some(at) = next.filter(|at| path.insert(*at)) {
        next = parents[at];
    }
    let mut messages = Vec::with_capacity(nodes.len());
    let mut head = 0;
    let mut nodes: Vec<Option<TreeNode>> = nodes.into_iter().map(Some).collect();
    let mut roots: Vec<usize> = (0..nodes.len()).filter(|at| parents[*at].is_none()).collect();
    roots.sort_by_key(|at| !path.contains(at));
    let mut rest: Vec<(Option<usize>, usize)> = roots.into_iter().rev().map(|at| (None, at)).collect();
    while let Some((parent, at)) = rest.pop() {
        let Some(node) = nodes[at].take() else { continue };
        let mut before = parent;
        if let Some(mut message) = node.message {
            message.origin = Some(node.id);
            message.parent = parent;
            messages.push(message);
            before = Some(messages.len() - 1);
            if path.contains(&at) {
                head = messages.len() - 1;
            }
        }
        let mut next = std::mem::take(&mut children[at]);
        next.sort_by_key(|child| !path.contains(child));
        rest.extend(next.into_iter().rev().map(|child| (before, child)));
    }
    if nodes.iter().any(Option::is_some) {
        return Err(Rejection::from("its messages form a cycle".to_owned()));
    }
    Ok((messages, head))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Part, Role};

    fn node(id: &str, parent: &str, has_message: bool) -> TreeNode {
        let parts = vec![Part::text(id.to_owned())];
        let message = has_message.then(|| ParsedMessage::new(Role::User, parts));
        TreeNode { id: id.to_owned(), parent: Some(parent.to_owned()), message }
    }

    fn order(nodes: Vec<TreeNode>, active: Option<&str>) -> (Vec<(String, Option<usize>)>, usize) {
        let (messages, head) = arrange(nodes, active).unwrap();
        (messages.into_iter().map(|message| (message.origin.unwrap(), message.parent)).collect(), head)
    }

    fn named(expected: &[(&str, Option<usize>)]) -> Vec<(String, Option<usize>)> {
        expected.iter().map(|(id, parent)| ((*id).to_owned(), *parent)).collect()
    }

    #[test]
    fn the_active_path_comes_first_and_nodes_without_a_message_are_left_out() {
        let nodes = || {
            vec![
                node("root", "none", false),
                node("a", "root", true),
                node("old", "a", true),
                node("gap", "a", false),
                node("new", "gap", true),
            ]
        };
        let expected = named(&[("a", None), ("new", Some(0)), ("old", Some(0))]);
        assert_eq!(order(nodes(), Some("new")), (expected.clone(), 1));
        assert_eq!(order(nodes(), None), (expected, 1), "the last leaf without a current node");
        let expected = named(&[("a", None), ("old", Some(0)), ("new", Some(0))]);
        assert_eq!(order(nodes(), Some("old")), (expected, 1));
    }

    #[test]
    fn cycles_and_equal_ids_are_errors() {
        assert!(arrange(vec![node("a", "b", true), node("b", "a", true)], Some("a")).is_err());
        assert!(arrange(vec![node("a", "b", true), node("a", "c", true)], None).is_err());
        assert_eq!(order(Vec::new(), None), (Vec::new(), 0));
    }
}
