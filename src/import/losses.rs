//! What became of the contents of a source: mapped, kept as data, or left out.

use std::collections::BTreeMap;

use serde::Serialize;

use super::parsed::Dropped;

/// The most different names in each list. They come from the source, so there could be any number.
const MAX_NAMES: usize = 500;

/// The name for all others.
const OTHERS: &str = "others";

/// What became of the contents of conversations, counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Losses {
    /// What Scrollback has a place for: messages and kinds of parts.
    pub mapped: BTreeMap<&'static str, u64>,
    /// What is stored unchanged: kinds of content as data parts, and fields in `metadata`.
    pub kept: BTreeMap<String, u64>,
    /// What is not stored.
    pub dropped: Vec<DroppedContent>,
}

/// Something that is not stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DroppedContent {
    /// The kind of content or the field.
    pub what: String,
    /// The reason.
    pub why: &'static str,
    /// How often.
    pub count: u64,
}

impl Losses {
    pub(super) fn mapped(&mut self, what: &'static str) {
        *self.mapped.entry(what).or_default() += 1;
    }

    pub(super) fn kept(&mut self, what: &str) {
        self.add_kept(what, 1);
    }

    fn add_kept(&mut self, what: &str, count: u64) {
        let is_known = self.kept.contains_key(what) || self.kept.len() < MAX_NAMES;
        *self.kept.entry(if is_known { what } else { OTHERS }.to_owned()).or_default() += count;
    }

    pub(super) fn set_dropped(&mut self, dropped: &Dropped) {
        for (what, why, count) in dropped.iter() {
            self.add_dropped(what, why, count);
        }
    }

    pub(super) fn dropped(&mut self, what: &str, why: &'static str) {
        self.add_dropped(what, why, 1);
    }

    fn add_dropped(&mut self, what: &str, why: &'static str, count: u64) {
        let what = if self.dropped.len() < MAX_NAMES { what } else { OTHERS };
        match self.dropped.iter_mut().find(|dropped| dropped.what == what && dropped.why == why) {
            Some(dropped) => dropped.count += count,
            None => self.dropped.push(DroppedContent { what: what.to_owned(), why, count }),
        }
    }

    /// Adds those of another conversation.
    pub(super) fn add(&mut self, other: &Self) {
        for (what, count) in &other.mapped {
            *self.mapped.entry(what).or_default() += count;
        }
        for (what, count) in &other.kept {
            self.add_kept(what, *count);
        }
        for DroppedContent { what, why, count } in &other.dropped {
            self.add_dropped(what, why, *count);
        }
    }
}
