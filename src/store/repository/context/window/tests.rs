//! The window against a naive model of its rules, on random branches.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::model::{MessageId, PositionRange, Role, ToolCallId, ToolLink, ToolLinks};
use crate::store::repository::context::entry::EntryPage;

/// A message of a test branch.
#[derive(Debug, Clone)]
struct TestMessage {
    role: Role,
    tokens: i64,
    is_pinned: bool,
    is_hidden: bool,
    /// Positions since the message before: more than 1 where other branches have some.
    span: i64,
    links: Vec<(u8, bool)>,
}

impl TestMessage {
    fn is_kept(&self) -> bool {
        self.is_pinned || self.role == Role::System
    }
}

/// A branch in memory, read in pages of so many positions.
struct TestBranch {
    messages: Vec<(i64, TestMessage)>,
    page: i64,
}

impl TestBranch {
    fn new(messages: &[TestMessage], page: i64) -> Self {
        let mut position = 0;
        let placed = messages.iter().map(|message| {
            position += message.span;
            (position, message.clone())
        });
        Self { messages: placed.collect(), page }
    }

    fn entries(&self) -> Vec<ContextEntry> {
        let visible = self.messages.iter().filter(|(_, message)| !message.is_hidden);
        visible.map(|(position, message)| entry(*position, message)).collect()
    }

    fn within(&self, gap: Gap) -> impl Iterator<Item = ContextEntry> {
        self.entries()
            .into_iter()
            .filter(move |entry| entry.position > gap.after && entry.position < gap.before)
    }
}

fn entry(position: i64, message: &TestMessage) -> ContextEntry {
    let link = |(id, is_answered): &(u8, bool)| {
        let id = ToolCallId::of(&id.to_string());
        match (message.role, is_answered) {
            (Role::Assistant, false) => Some(ToolLink::Call(id)),
            (Role::Assistant, true) => Some(ToolLink::AnsweredCall(id)),
            (Role::Tool, _) => Some(ToolLink::Result(id)),
            (Role::User | Role::System, _) => None,
        }
    };
    let unique: BTreeMap<u8, bool> = message.links.iter().copied().collect();
    let links: ToolLinks = unique.into_iter().collect::<Vec<_>>().iter().filter_map(link).collect();
    let id = MessageId(uuid::Uuid::from_u128(position.unsigned_abs().into()));
    let (span, role, tokens) = (message.span, message.role, message.tokens);
    ContextEntry { id, position, span, role, tokens, links, edited_at: None }
}

impl BranchEntries for TestBranch {
    fn leaf(&self) -> i64 {
        self.messages.last().map_or(0, |(position, _)| *position)
    }

    async fn kept(&mut self) -> Result<Vec<ContextEntry>> {
        let kept = self.messages.iter().filter(|(_, message)| message.is_kept() && !message.is_hidden);
        Ok(kept.map(|(position, message)| entry(*position, message)).collect())
    }

    async fn page(&mut self, gap: Gap) -> Result<EntryPage> {
        let before = gap.before.min(self.leaf() + 1);
        let reached = (before - self.page).max(gap.after + 1);
        let mut entries: Vec<_> = self.within(Gap { after: reached - 1, before }).collect();
        entries.reverse();
        Ok(EntryPage { entries, reached })
    }

    async fn runs(&mut self, gaps: &[Gap], span: i64) -> Result<Vec<Option<Run>>> {
        let is_in = |position: i64| gaps.iter().any(|gap| position > gap.after && position < gap.before);
        let all = self.messages.iter().filter(|(position, _)| is_in(*position));
        assert_eq!(all.map(|(_, message)| message.span).sum::<i64>(), span);
        Ok(gaps
            .iter()
            .map(|gap| self.within(*gap).map(|entry| Run::of(&entry)).reduce(Run::joined))
            .collect())
    }
}

/// The positions that each message requires; `None` for one that does not exist.
fn required(entries: &[ContextEntry]) -> BTreeMap<i64, Vec<Option<i64>>> {
    let mut required = BTreeMap::new();
    for (at, entry) in entries.iter().enumerate() {
        let mut all = Vec::new();
        let (before, after) = (&entries[..at], &entries[at + 1..]);
        let calls = |entry: &ContextEntry, id: ToolCallId| {
            let [open, answered] = [ToolLink::Call(id), ToolLink::AnsweredCall(id)];
            entry.links.as_slice().contains(&open) || entry.links.as_slice().contains(&answered)
        };
        for link in entry.links.as_slice() {
            match *link {
                ToolLink::AnsweredCall(_) => {}
                ToolLink::Call(id) => {
                    let until_next = after.iter().take_while(|entry| !calls(entry, id));
                    let mut results =
                        until_next.filter(|entry| entry.links.as_slice().contains(&ToolLink::Result(id)));
                    all.push(results.next().map(|entry| entry.position));
                }
                ToolLink::Result(id) => {
                    all.push(before.iter().rfind(|entry| calls(entry, id)).map(|entry| entry.position));
                }
            }
        }
        if entry.role == Role::Tool && entry.links.as_slice().is_empty() {
            all.push(before.last().map(|entry| entry.position));
        }
        required.insert(entry.position, all);
    }
    required
}

struct NaiveWindow {
    positions: BTreeSet<i64>,
    tokens: i64,
}

/// The window, or the tokens that it takes at least.
fn naive(branch: &TestBranch, max_tokens: i64) -> std::result::Result<NaiveWindow, i64> {
    let entries = branch.entries();
    let required = required(&entries);
    let tokens = |positions: &BTreeSet<i64>| {
        entries.iter().filter(|entry| positions.contains(&entry.position)).map(|entry| entry.tokens).sum()
    };
    let is_kept = |position: i64| branch.messages.iter().any(|(at, m)| *at == position && m.is_kept());
    let mut kept: BTreeSet<i64> =
        entries.iter().map(|entry| entry.position).filter(|position| is_kept(*position)).collect();
    loop {
        let more: BTreeSet<i64> =
            kept.iter().flat_map(|position| required[position].iter().flatten()).copied().collect();
        if more.is_subset(&kept) {
            break;
        }
        kept.extend(more);
    }
    if tokens(&kept) > max_tokens {
        return Err(tokens(&kept));
    }
    let from = |cut: i64| {
        let mut positions: BTreeSet<i64> =
            entries.iter().map(|entry| entry.position).filter(|position| *position >= cut).collect();
        positions.extend(&kept);
        loop {
            let incomplete: Vec<i64> = positions
                .iter()
                .copied()
                .filter(|position| !kept.contains(position))
                .filter(|position| {
                    let is_there =
                        |required: &Option<i64>| required.is_some_and(|at| positions.contains(&at));
                    !required[position].iter().all(is_there)
                })
                .collect();
            if incomplete.is_empty() {
                return positions;
            }
            positions.retain(|position| !incomplete.contains(position));
        }
    };
    let fitting: Vec<_> =
        entries.iter().filter(|entry| tokens(&from(entry.position)) <= max_tokens).collect();
    let begins = |entry: &&&ContextEntry| entry.role == Role::User && !kept.contains(&entry.position);
    let cut = fitting.iter().find(begins).or(fitting.first());
    let positions = cut.map_or(kept.clone(), |entry| from(entry.position));
    Ok(NaiveWindow { tokens: tokens(&positions), positions })
}

/// What is not in a window, as it is described.
fn naive_omission(branch: &TestBranch, window: &BTreeSet<i64>) -> ContextOmission {
    let mut omission = ContextOmission::default();
    let mut is_open = false;
    for entry in branch.entries() {
        if window.contains(&entry.position) {
            is_open = false;
            continue;
        }
        omission.message_count += 1;
        omission.token_count += entry.tokens;
        match omission.ranges.last_mut() {
            Some(range) if is_open => range.last = entry.position,
            _ => omission.ranges.push(PositionRange { first: entry.position, last: entry.position }),
        }
        is_open = true;
    }
    omission
}

fn message() -> impl Strategy<Value = TestMessage> {
    let role = prop_oneof![
        5 => Just(Role::User), 6 => Just(Role::Assistant), 1 => Just(Role::System), 5 => Just(Role::Tool)
    ];
    let links =
        prop_oneof![3 => Just(Vec::new()), 4 => proptest::collection::vec((0..4u8, any::<bool>()), 1..3)];
    let span = prop_oneof![6 => Just(1i64), 1 => 2..20i64];
    (role, 0..40i64, proptest::bool::weighted(0.06), proptest::bool::weighted(0.1), span, links).prop_map(
        |(role, tokens, is_pinned, is_hidden, span, links)| TestMessage {
            role,
            tokens,
            is_pinned,
            is_hidden,
            span,
            links,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn windows_are_those_of_the_naive_model(
        messages in proptest::collection::vec(message(), 0..40),
        max_tokens in 1..600i64,
        page in 1..12i64,
    ) {
        let mut branch = TestBranch::new(&messages, page);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let selected = runtime.block_on(select_window(&mut branch, max_tokens, true));
        match naive(&branch, max_tokens) {
            Ok(expected) => {
                let selected = selected.unwrap();
                let positions: Vec<i64> = selected.entries.iter().map(|entry| entry.position).collect();
                prop_assert_eq!(&positions, &expected.positions.iter().copied().collect::<Vec<_>>());
                prop_assert_eq!(selected.tokens, expected.tokens);
                prop_assert_eq!(selected.omitted, Some(naive_omission(&branch, &expected.positions)));
            }
            Err(tokens) => {
                let refused = selected.unwrap_err();
                let is_refusal =
                    matches!(refused, Error::ContextTooSmall { required, .. } if required == tokens);
                prop_assert!(is_refusal, "{} instead of {}", refused, tokens);
            }
        }
    }
}
