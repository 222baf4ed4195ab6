//! OpenAssistant message trees: one JSON object a line.
//!
//! `{message_tree_id, prompt: {message_id, text, role: prompter | assistant, rank, replies: […]}}`.
//!
//! The whole tree is imported. The path of the best-ranked replies becomes the active one. Rank 0 is best;
//! replies without a rank come last, in the order of the file.

use serde::Deserialize;

use super::parsed::{Parsed, ParsedBody, ParsedConversation, ParsedMessage, title_of};
use super::rejection::Rejection;
use crate::model::{JsonObject, Role};

#[derive(Deserialize)]
struct Tree {
    message_tree_id: String,
    prompt: Node,
}

#[derive(Deserialize)]
struct Node {
    message_id: String,
    text: String,
    role: Speaker,
    #[serde(default)]
    rank: Option<i64>,
    #[serde(default)]
    model_name: Option<String>,
    #[serde(default)]
    replies: Vec<Node>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Speaker {
    Prompter,
    Assistant,
}

pub(super) fn parse(bytes: &[u8]) -> Parsed {
    bytes
        .split(|byte| *byte == b'\n')
        .zip(1..)
        .filter(|(line, _)| !line.trim_ascii().is_empty())
        .map(|(line, number)| (number, tree(line)))
        .collect()
}

fn tree(line: &[u8]) -> Result<ParsedConversation, Rejection> {
    let tree: Tree = serde_json::from_slice(line)
        .map_err(|error| Rejection::in_json("not a message tree", &error).named_by(line))?;
    let title = title_of(&tree.prompt.text);
    let mut messages = Vec::new();
    let mut head = 0;
    // Depth first, the best reply first. So the best path comes first, and every parent before its children.
    let mut rest = vec![(None, tree.prompt, true)];
    while let Some((parent, mut node, best)) = rest.pop() {
        let at = messages.len();
        if best {
            head = at;
        }
        node.replies.sort_by_key(|reply| reply.rank.unwrap_or(i64::MAX));
        let replies = std::mem::take(&mut node.replies);
        messages.push(turn(parent, node));
        let replies = replies.into_iter().enumerate().rev();
        rest.extend(replies.map(|(rank, reply)| (Some(at), reply, best && rank == 0)));
    }
    Ok(ParsedConversation { origin: tree.message_tree_id, title: Some(title), messages, head })
}

fn turn(parent: Option<usize>, node: Node) -> ParsedMessage {
    ParsedMessage {
        origin: Some(node.message_id),
        parent,
        role: match node.role {
            Speaker::Prompter => Role::User,
            Speaker::Assistant => Role::Assistant,
        },
        body: ParsedBody::Text(node.text),
        model: node.model_name,
        metadata: JsonObject::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_tree_is_kept_and_bad_lines_are_named() {
        let good =
            r#"{"message_tree_id":"t","prompt":{"message_id":"a","text":"Hi","role":"prompter","replies":[
            {"message_id":"b","text":"second","role":"assistant","rank":1},
            {"message_id":"c","text":"best","role":"assistant","rank":0,"model_name":"m","replies":[
                {"message_id":"d","text":"Thanks","role":"prompter"}]},
            {"message_id":"e","text":"unranked","role":"assistant"}]}}"#
                .replace('\n', " ");
        let file = format!("{good}\n\n{{\"message_tree_id\":1}}\n");
        let parsed = parse(file.as_bytes());
        assert_eq!(parsed.len(), 2);
        let found = parsed[0].1.as_ref().unwrap();
        let tree: Vec<_> =
            found.messages.iter().map(|turn| (turn.origin.as_deref().unwrap(), turn.parent)).collect();
        let expected = [("a", None), ("c", Some(0)), ("d", Some(1)), ("b", Some(0)), ("e", Some(0))];
        assert_eq!((tree, found.head), (expected.into(), 2));
        assert_eq!(found.messages[1].model.as_deref(), Some("m"));
        assert_eq!(parsed[1].0, 3);
        assert!(parsed[1].1.is_err());
    }
}
