//! Windows of random conversations, against a naive model of the rules that knows all messages.

use std::collections::{BTreeMap, BTreeSet};

use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use serde_json::{Value, json};

use super::{CONTEXT, DELETE, append_input, omitted, pin, positions};
use crate::harness::{Client, TestApp};

/// A message as the test appended it.
#[derive(Debug, Clone)]
struct Sent {
    id: String,
    parent: Option<usize>,
    role: &'static str,
    tokens: i64,
    tool: Option<(u32, bool)>,
    is_pinned: bool,
    is_deleted: bool,
}

impl Sent {
    fn is_kept(&self) -> bool {
        self.is_pinned || self.role == "SYSTEM"
    }
}

pub(super) async fn compare(app: &TestApp) {
    let ada = app.client("ada");
    for seed in 0..6 {
        let mut random = StdRng::seed_from_u64(seed);
        let id = ada.new_conversation().await;
        let mut messages: Vec<Sent> = Vec::new();
        for _ in 0..4 {
            for _ in 0..12 {
                append_random(&ada, &id, &mut messages, &mut random).await;
            }
            for _ in 0..3 {
                change_random(&ada, &mut messages, &mut random).await;
            }
            for _ in 0..6 {
                let leaf = random.random_range(0..messages.len());
                let max = random.random_range(1..60);
                let variables = json!({ "id": id, "max": max, "leaf": messages[leaf].id });
                let answer = ada.run(CONTEXT, variables).await.body;
                assert_eq!(
                    summary(&answer),
                    expected(&messages, leaf, max),
                    "{seed} {leaf} {max} {messages:#?}"
                );
            }
        }
    }
}

async fn append_random(ada: &Client, id: &str, messages: &mut Vec<Sent>, random: &mut StdRng) {
    let role =
        ["USER", "USER", "ASSISTANT", "ASSISTANT", "TOOL", "TOOL", "SYSTEM"][random.random_range(0..7)];
    let parent = match random.random_range(0..8) {
        0 if !messages.is_empty() => Some(random.random_range(0..messages.len())),
        _ => messages.len().checked_sub(1),
    };
    let tokens = random.random_range(1..6);
    let text = "abcd".repeat(tokens);
    let tool = (matches!(role, "ASSISTANT" | "TOOL") && random.random_range(0..4) > 0)
        .then(|| (random.random_range(0..3), random.random_range(0..3) == 0));
    let mut input = json!({ "conversationId": id, "role": role });
    if let Some(parent) = parent {
        input["parentId"] = json!(messages[parent].id);
    }
    match tool {
        None => input["content"] = json!(text),
        Some((call, is_answered)) => {
            let state = if is_answered { "OUTPUT_DENIED" } else { "INPUT_AVAILABLE" };
            let tool = json!({ "toolCallId": format!("call {call}"), "toolName": "look", "state": state });
            input["parts"] = json!([{ "text": { "text": text } }, { "tool": tool }]);
        }
    }
    let id = append_input(ada, input).await;
    let tokens = i64::try_from(tokens).unwrap() + i64::from(tool.is_some());
    messages.push(Sent { id, parent, role, tokens, tool, is_pinned: false, is_deleted: false });
}

async fn change_random(ada: &Client, messages: &mut [Sent], random: &mut impl Rng) {
    let at = random.random_range(0..messages.len());
    let message = &mut messages[at];
    if random.random_range(0..2) == 0 {
        ada.data(DELETE, json!({ "id": message.id })).await;
        (message.is_deleted, message.is_pinned) = (true, false);
    } else if !message.is_deleted {
        pin(ada, &message.id).await;
        message.is_pinned = true;
    }
}

/// Positions, tokens and what was left out; or the tokens that it takes.
fn summary(answer: &Value) -> Value {
    if let Some(error) = answer["errors"].get(0) {
        return error["extensions"]["requiredTokens"].clone();
    }
    let context = &answer["data"]["conversation"]["context"];
    json!([positions(context), context["tokenCount"], context["omitted"]])
}

/// The indexes of a branch's messages, oldest first, without deleted ones.
fn branch(messages: &[Sent], leaf: usize) -> Vec<usize> {
    let mut branch: Vec<usize> = std::iter::successors(Some(leaf), |at| messages[*at].parent)
        .filter(|at| !messages[*at].is_deleted)
        .collect();
    branch.reverse();
    branch
}

/// What each message requires; `None` for a message that does not exist.
fn requirements(messages: &[Sent], branch: &[usize]) -> BTreeMap<usize, Vec<Option<usize>>> {
    let is_call = |at: usize, id: u32| {
        messages[at].role == "ASSISTANT" && messages[at].tool.is_some_and(|(call, _)| call == id)
    };
    let is_result = |at: usize, id: u32| {
        messages[at].role == "TOOL" && messages[at].tool.is_some_and(|(call, _)| call == id)
    };
    let required = branch.iter().enumerate().map(|(place, at)| {
        let (before, after) = (&branch[..place], &branch[place + 1..]);
        let required = match (messages[*at].role, messages[*at].tool) {
            ("ASSISTANT", Some((id, false))) => {
                let mut later = after.iter().copied().take_while(|at| !is_call(*at, id));
                vec![later.find(|at| is_result(*at, id))]
            }
            ("TOOL", Some((id, _))) => vec![before.iter().copied().rfind(|at| is_call(*at, id))],
            ("TOOL", None) => vec![before.last().copied()],
            _ => Vec::new(),
        };
        (*at, required)
    });
    required.collect()
}

fn expected(messages: &[Sent], leaf: usize, max: i64) -> Value {
    let branch = branch(messages, leaf);
    let required = requirements(messages, &branch);
    let tokens = |set: &BTreeSet<usize>| set.iter().map(|at| messages[*at].tokens).sum::<i64>();
    let mut kept: BTreeSet<usize> = branch.iter().copied().filter(|at| messages[*at].is_kept()).collect();
    loop {
        let more: Vec<usize> = kept.iter().flat_map(|at| required[at].iter().flatten()).copied().collect();
        let before = kept.len();
        kept.extend(more);
        if kept.len() == before {
            break;
        }
    }
    if tokens(&kept) > max {
        return json!(tokens(&kept));
    }
    let from = |place: usize| {
        let mut set: BTreeSet<usize> = branch[place..].iter().copied().chain(kept.iter().copied()).collect();
        loop {
            let all = set.clone();
            let is_there = |required: &Option<usize>| required.is_some_and(|at| all.contains(&at));
            set.retain(|at| kept.contains(at) || required[at].iter().all(is_there));
            if set == all {
                return set;
            }
        }
    };
    let fitting: Vec<usize> = (0..branch.len()).filter(|place| tokens(&from(*place)) <= max).collect();
    let is_user = |place: &usize| messages[branch[*place]].role == "USER" && !kept.contains(&branch[*place]);
    let cut = fitting.iter().copied().find(is_user).or(fitting.first().copied());
    let window = cut.map_or(kept.clone(), from);
    let mut ranges: Vec<(i64, i64)> = Vec::new();
    let mut left_out = BTreeSet::new();
    let mut follows = false;
    for at in branch {
        let position = i64::try_from(at).unwrap() + 1;
        if window.contains(&at) {
            follows = false;
            continue;
        }
        left_out.insert(at);
        match ranges.last_mut() {
            Some(range) if follows => range.1 = position,
            _ => ranges.push((position, position)),
        }
        follows = true;
    }
    let places: Vec<usize> = window.iter().map(|at| at + 1).collect();
    json!([
        places,
        tokens(&window),
        omitted(i64::try_from(left_out.len()).unwrap(), tokens(&left_out), &ranges)
    ])
}
