//! Which messages of a branch are in a window.
//!
//! A window is what is in every window (the kept messages), and the messages from a cut on. A message that takes part
//! in a call of a tool is there only together with the messages that it requires:
//!
//! - a call requires its result: its own, or the first message after it with a result of that call;
//! - a result requires the newest message before it that makes that call;
//! - a message of the role TOOL that names no call requires the message before it.
//!
//! The older the cut, the more messages are in the window. The cut is the oldest one that fits and where the first
//! message that is not kept is from the user; where there is none, the oldest one that fits.

use std::collections::{BTreeSet, HashMap};

use super::entry::ContextEntry;
use crate::model::{Role, ToolCallId, ToolLink};

/// Reads a branch from its end, until the window is full.
pub(super) struct WindowSelection {
    max_tokens: i64,
    /// Positions of the kept messages and of all that they require.
    kept: BTreeSet<i64>,
    kept_tokens: i64,
    /// The oldest kept message that makes a call.
    kept_calls: HashMap<ToolCallId, i64>,
    /// Of a window that begins with the entry that was read last.
    tokens: i64,
    /// Newest first.
    entries: Vec<Candidate>,
    /// Entries with the results of a call that was not read yet, newest first.
    results: HashMap<ToolCallId, Vec<usize>>,
    /// The entry that requires the one before it.
    follower: Option<usize>,
    /// Entries that require something that is not in the window yet.
    pending: Vec<usize>,
}

struct Candidate {
    entry: ContextEntry,
    requires: Vec<usize>,
    /// How many required messages were not read yet.
    unread: usize,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// It is kept.
    Kept,
    /// It is in every window with a cut at this position or before.
    From(i64),
    /// Something that it requires was not read yet.
    Pending,
    /// Something that it requires does not exist.
    Excluded,
}

/// The messages of a window.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) positions: BTreeSet<i64>,
    pub(super) tokens: i64,
}

impl WindowSelection {
    /// With the kept messages, which fit.
    pub(super) fn new<'e>(max_tokens: i64, kept: impl Iterator<Item = &'e ContextEntry>) -> Self {
        let mut selection = Self {
            max_tokens,
            kept: BTreeSet::new(),
            kept_tokens: 0,
            kept_calls: HashMap::new(),
            tokens: 0,
            entries: Vec::new(),
            results: HashMap::new(),
            follower: None,
            pending: Vec::new(),
        };
        for entry in kept {
            selection.kept.insert(entry.position);
            selection.kept_tokens += entry.tokens;
            for link in entry.links.as_slice() {
                if let ToolLink::Call(id) | ToolLink::AnsweredCall(id) = link {
                    let oldest = selection.kept_calls.entry(*id).or_insert(entry.position);
                    *oldest = entry.position.min(*oldest);
                }
            }
        }
        selection.tokens = selection.kept_tokens;
        selection
    }

    /// Adds the message before the one that was added last.
    pub(super) fn push(&mut self, entry: ContextEntry) {
        let at = self.entries.len();
        let is_kept = self.kept.contains(&entry.position);
        let mut candidate = Candidate { requires: Vec::new(), unread: 0, state: State::Pending, entry };
        let mut has_new_links = false;
        if let Some(follower) = self.follower.take() {
            self.resolve(follower, at);
            has_new_links = true;
        }
        for link in candidate.entry.links.as_slice() {
            match link {
                ToolLink::Call(id) | ToolLink::AnsweredCall(id) => {
                    let results = self.results.remove(id).unwrap_or_default();
                    for result in &results {
                        self.resolve(*result, at);
                        has_new_links = true;
                    }
                    if matches!(link, ToolLink::Call(_)) {
                        match results.last() {
                            Some(first) => candidate.requires.push(*first),
                            None => candidate.state = State::Excluded,
                        }
                    }
                }
                ToolLink::Result(id) => {
                    self.results.entry(*id).or_default().push(at);
                    candidate.unread += 1;
                }
            }
        }
        if candidate.entry.is_unnamed_result() {
            self.follower = Some(at);
            candidate.unread += 1;
        }
        if is_kept {
            candidate.state = State::Kept;
        } else if candidate.state == State::Pending {
            if candidate.requires.is_empty() && candidate.unread == 0 {
                candidate.state = State::From(candidate.entry.position);
                self.tokens += candidate.entry.tokens;
            } else {
                self.pending.push(at);
            }
        }
        self.entries.push(candidate);
        if has_new_links {
            self.settle();
        }
    }

    fn resolve(&mut self, at: usize, required: usize) {
        self.entries[at].requires.push(required);
        self.entries[at].unread -= 1;
    }

    /// Decides what can be decided of the pending entries.
    fn settle(&mut self) {
        let is_excluded = |entries: &[Candidate], at: &usize| {
            entries[*at].requires.iter().any(|required| entries[*required].state == State::Excluded)
        };
        while let Some(found) = self.pending.iter().position(|at| is_excluded(&self.entries, at)) {
            let at = self.pending.swap_remove(found);
            self.entries[at].state = State::Excluded;
        }
        let mut complete: BTreeSet<usize> =
            self.pending.iter().copied().filter(|at| self.entries[*at].unread == 0).collect();
        loop {
            let before = complete.len();
            let is_there = |required: &usize, complete: &BTreeSet<usize>| {
                matches!(self.entries[*required].state, State::Kept | State::From(_))
                    || complete.contains(required)
            };
            let all = complete.clone();
            complete.retain(|at| self.entries[*at].requires.iter().all(|required| is_there(required, &all)));
            if complete.len() == before {
                break;
            }
        }
        self.pending.retain(|at| !complete.contains(at));
        for at in &complete {
            let entry = &mut self.entries[*at];
            entry.state = State::From(entry.entry.position);
            self.tokens += entry.entry.tokens;
        }
        // Each is in from where the oldest message is in that it requires, directly or not.
        let mut has_changed = true;
        while has_changed {
            has_changed = false;
            for at in &complete {
                let oldest = self.entries[*at].requires.iter().filter_map(|required| {
                    let State::From(position) = self.entries[*required].state else { return None };
                    Some(position)
                });
                if let (Some(oldest), State::From(position)) = (oldest.min(), self.entries[*at].state)
                    && oldest < position
                {
                    self.entries[*at].state = State::From(oldest);
                    has_changed = true;
                }
            }
        }
    }

    /// Whether the message before the one that was added last can make a difference.
    pub(super) fn wants_more(&self) -> bool {
        let Some(last) = self.entries.last() else { return true };
        self.tokens <= self.max_tokens
            || self
                .results
                .keys()
                .any(|id| self.kept_calls.get(id).is_some_and(|position| *position < last.entry.position))
    }

    /// The window.
    pub(super) fn window(&self) -> Window {
        let mut from: HashMap<i64, i64> = HashMap::new();
        for candidate in &self.entries {
            if let State::From(position) = candidate.state {
                *from.entry(position).or_default() += candidate.entry.tokens;
            }
        }
        let (mut with_user, mut any) = (None, None);
        let mut tokens = self.kept_tokens;
        for Candidate { entry, state, .. } in &self.entries {
            tokens += from.get(&entry.position).copied().unwrap_or_default();
            if tokens > self.max_tokens {
                break;
            }
            any = Some((entry.position, tokens));
            if entry.role == Role::User && *state != State::Kept {
                with_user = any;
            }
        }
        let (cut, tokens) = with_user.or(any).unwrap_or((i64::MAX, self.kept_tokens));
        let mut positions = self.kept.clone();
        positions.extend(self.entries.iter().filter_map(|candidate| {
            matches!(candidate.state, State::From(from) if from >= cut).then_some(candidate.entry.position)
        }));
        Window { positions, tokens }
    }

    /// What was read, newest first.
    pub(super) fn entries(&self) -> impl DoubleEndedIterator<Item = &ContextEntry> {
        self.entries.iter().map(|candidate| &candidate.entry)
    }
}
