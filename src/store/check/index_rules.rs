//! The search index.

use super::rule::{Find, Repair, Rule};

pub(super) const RULES: &[Rule] = &[Rule {
    name: "search_block.data",
    labels: ("", "segment"),
    fault: "the index has {found} messages and titles, must have {expected}",
    find: Find::Index,
    repair: Repair::Index,
}];
