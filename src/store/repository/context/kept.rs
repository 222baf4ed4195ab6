//! What is in every window of a branch: messages of the role SYSTEM, pinned messages, and what these require.
//!
//! A required message is near the one that requires it, so it is looked for from there on.

use std::collections::{BTreeMap, HashSet};

use super::entry::{BranchEntries, ContextEntry, Gap};
use crate::model::{ToolCallId, ToolLink};
use crate::store::error::Result;

/// Positions that are read at once to find a result.
const AHEAD: i64 = 64;

/// Entries by position.
pub(super) type Kept = BTreeMap<i64, ContextEntry>;

/// All kept messages of a branch.
pub(super) async fn read_kept(branch: &mut impl BranchEntries) -> Result<Kept> {
    let mut kept = Kept::new();
    let mut added: Kept = branch.kept().await?.into_iter().map(|entry| (entry.position, entry)).collect();
    while !added.is_empty() {
        kept.extend(added.clone());
        let mut required = find_results(branch, &added).await?;
        required.extend(find_calls(branch, &added).await?);
        added = required
            .into_iter()
            .filter(|entry| !kept.contains_key(&entry.position))
            .map(|entry| (entry.position, entry))
            .collect();
    }
    Ok(kept)
}

fn calls_without_result(entry: &ContextEntry) -> impl Iterator<Item = ToolCallId> {
    entry.links.as_slice().iter().filter_map(|link| match link {
        ToolLink::Call(id) => Some(*id),
        ToolLink::AnsweredCall(_) | ToolLink::Result(_) => None,
    })
}

/// The first result of each call, oldest call first.
async fn find_results(branch: &mut impl BranchEntries, callers: &Kept) -> Result<Vec<ContextEntry>> {
    let mut found = Vec::new();
    let mut open: HashSet<ToolCallId> = HashSet::new();
    let mut after = 0;
    loop {
        if open.is_empty() {
            let mut callers = callers.range(after + 1..);
            let Some((position, caller)) =
                callers.find(|(_, entry)| calls_without_result(entry).next().is_some())
            else {
                return Ok(found);
            };
            after = *position;
            open.extend(calls_without_result(caller));
        }
        if after >= branch.leaf() {
            return Ok(found);
        }
        let before = after + 1 + AHEAD;
        for entry in read_gap(branch, Gap { after, before }).await?.into_iter().rev() {
            for link in entry.links.as_slice() {
                let (ToolLink::Call(id) | ToolLink::AnsweredCall(id) | ToolLink::Result(id)) = link;
                if open.remove(id) && matches!(link, ToolLink::Result(_)) {
                    found.push(entry.clone());
                }
            }
            if let Some(caller) = callers.get(&entry.position) {
                open.extend(calls_without_result(caller));
            }
        }
        after = before - 1;
    }
}

/// All entries of a gap, newest first.
async fn read_gap(branch: &mut impl BranchEntries, gap: Gap) -> Result<Vec<ContextEntry>> {
    let mut entries = Vec::new();
    let mut before = gap.before;
    while before > gap.after + 1 {
        let page = branch.page(Gap { before, ..gap }).await?;
        entries.extend(page.entries);
        before = page.reached;
    }
    Ok(entries)
}

/// What results require, newest result first: the newest call before, or the message before.
async fn find_calls(branch: &mut impl BranchEntries, answers: &Kept) -> Result<Vec<ContextEntry>> {
    let results = |entry: &ContextEntry| {
        let ids = entry.links.as_slice().iter().filter_map(|link| match link {
            ToolLink::Result(id) => Some(*id),
            ToolLink::Call(_) | ToolLink::AnsweredCall(_) => None,
        });
        ids.collect::<Vec<_>>()
    };
    let mut found = Vec::new();
    let mut open: HashSet<ToolCallId> = HashSet::new();
    let mut follows = false;
    let mut before = i64::MAX;
    loop {
        if open.is_empty() && !follows {
            let mut answers = answers.range(..before).rev();
            let is_result =
                |(_, entry): &(&i64, &ContextEntry)| entry.is_unnamed_result() || !results(entry).is_empty();
            let Some((position, answer)) = answers.find(is_result) else { return Ok(found) };
            before = *position;
            open.extend(results(answer));
            follows = answer.is_unnamed_result();
        }
        if before <= 1 {
            return Ok(found);
        }
        let page = branch.page(Gap { after: 0, before }).await?;
        for entry in page.entries {
            let mut is_required = std::mem::take(&mut follows);
            for link in entry.links.as_slice() {
                if let ToolLink::Call(id) | ToolLink::AnsweredCall(id) = link {
                    is_required |= open.remove(id);
                }
            }
            if let Some(answer) = answers.get(&entry.position) {
                open.extend(results(answer));
                follows = answer.is_unnamed_result();
            }
            if is_required {
                found.push(entry);
            }
        }
        before = page.reached;
    }
}
