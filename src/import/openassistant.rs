//! OpenAssistant message trees: one JSON object a line.
//!
//! `{message_tree_id, prompt: {message_id, text, role: prompter | assistant, rank, replies: […]}}`.
//! Of each tree the path of the best-ranked replies is taken (rank 0 is best; unranked ones come
//! last, in the file's order).

use serde::Deserialize;

use super::{Found, Parsed, Turn, title_of};
use crate::model::Role;

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

fn tree(line: &[u8]) -> Result<Found, String> {
    let tree: Tree = serde_json::from_slice(line).map_err(|error| format!("not a message tree: {error}"))?;
    let title = title_of(&tree.prompt.text);
    let mut turns = Vec::new();
    let mut next = Some(tree.prompt);
    while let Some(node) = next {
        turns.push(Turn {
            origin: Some(node.message_id),
            role: match node.role {
                Speaker::Prompter => Role::User,
                Speaker::Assistant => Role::Assistant,
            },
            text: node.text,
            model: node.model_name,
        });
        next = node.replies.into_iter().min_by_key(|reply| reply.rank.unwrap_or(i64::MAX));
    }
    Ok(Found { origin: tree.message_tree_id, title: Some(title), turns })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_ranked_path_is_taken_and_bad_lines_are_named() {
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
        let path: Vec<_> = found.turns.iter().map(|turn| (turn.text.as_str(), turn.role)).collect();
        assert_eq!(path, [("Hi", Role::User), ("best", Role::Assistant), ("Thanks", Role::User)]);
        assert_eq!(found.turns[1].model.as_deref(), Some("m"));
        assert_eq!(parsed[1].0, 3);
        assert!(parsed[1].1.is_err());
    }
}
