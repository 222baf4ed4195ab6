//! Reads as much of a branch as its window takes, newest messages first.

use super::entry::{BranchEntries, ContextEntry, Gap, Run};
use super::kept::{Kept, read_kept};
use super::selection::{Window, WindowSelection};
use crate::model::ContextOmission;
use crate::store::error::{Error, Result};

/// The window of a branch.
#[derive(Debug)]
pub(super) struct SelectedWindow {
    /// Oldest first.
    pub(super) entries: Vec<ContextEntry>,
    pub(super) tokens: i64,
    pub(super) omitted: Option<ContextOmission>,
}

/// Selects the window, and sums up what is left out where that is asked for.
///
/// # Errors
/// - `ContextTooSmall`: the kept messages do not fit.
pub(super) async fn select_window(
    branch: &mut impl BranchEntries,
    max_tokens: i64,
    with_omitted: bool,
) -> Result<SelectedWindow> {
    let mut kept = read_kept(branch).await?;
    let required = kept.values().map(|entry| entry.tokens).sum();
    if required > max_tokens {
        return Err(Error::ContextTooSmall { required, given: max_tokens });
    }
    let mut selection = WindowSelection::new(max_tokens, kept.values());
    let mut before = branch.leaf() + 1;
    while before > 1 && selection.wants_more() {
        let page = branch.page(Gap { after: 0, before }).await?;
        before = page.reached;
        for entry in page.entries {
            if !selection.wants_more() {
                break;
            }
            selection.push(entry);
        }
    }
    let window = selection.window();
    let omitted = if with_omitted { Some(sum_up(branch, &selection, &window, &kept).await?) } else { None };
    for entry in selection.entries().filter(|entry| window.positions.contains(&entry.position)) {
        kept.entry(entry.position).or_insert_with(|| entry.clone());
    }
    Ok(SelectedWindow { entries: kept.into_values().collect(), tokens: window.tokens, omitted })
}

/// What is not in the window: first what was not read, then what was.
async fn sum_up(
    branch: &mut impl BranchEntries,
    selection: &WindowSelection,
    window: &Window,
    kept: &Kept,
) -> Result<ContextOmission> {
    let mut runs = Vec::new();
    let mut open: Option<Run> = None;
    if let Some(oldest) = selection.entries().next_back() {
        let mut gaps = Vec::new();
        let mut span = oldest.position - oldest.span;
        let mut after = 0;
        for (position, entry) in kept.range(..oldest.position) {
            gaps.push(Gap { after, before: *position });
            span -= entry.span;
            after = *position;
        }
        gaps.push(Gap { after, before: oldest.position });
        if span > 0 {
            let mut unread = branch.runs(&gaps, span).await?;
            open = unread.pop().flatten();
            runs.extend(unread.into_iter().flatten());
        }
    }
    for entry in selection.entries().rev() {
        if window.positions.contains(&entry.position) {
            runs.extend(open.take());
        } else {
            let run = Run::of(entry);
            open = Some(open.map_or(run, |open| open.joined(run)));
        }
    }
    runs.extend(open);
    Ok(ContextOmission {
        message_count: runs.iter().map(|run| run.messages).sum(),
        token_count: runs.iter().map(|run| run.tokens).sum(),
        ranges: runs.iter().map(|run| run.range).collect(),
    })
}

#[cfg(test)]
mod tests;
