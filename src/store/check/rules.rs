//! The groups of rules, and the search for their violations.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::rule::Rule;
use super::violation::FoundRow;
use super::{conversation_rules, file_rules, index_rules, message_rules, owner_rules};
use crate::model::OwnerId;
use crate::store::database::Store;
use crate::store::error::Result;
use crate::store::snapshot;

/// What the ids of a group are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    Conversations,
    Owners,
}

/// Rules that are checked together, in this order.
#[derive(Clone, Copy)]
pub(super) struct RuleGroup {
    pub(super) subject: Subject,
    rules: &'static [&'static [Rule]],
}

pub(super) const OWNERS: RuleGroup = RuleGroup { subject: Subject::Owners, rules: &[owner_rules::RULES] };
pub(super) const FILES: RuleGroup = RuleGroup { subject: Subject::Owners, rules: &[file_rules::RULES] };
pub(super) const INDEX: RuleGroup = RuleGroup { subject: Subject::Owners, rules: &[index_rules::RULES] };
pub(super) const CONVERSATIONS: RuleGroup =
    RuleGroup { subject: Subject::Conversations, rules: &[conversation_rules::RULES, message_rules::RULES] };

/// A violation: the rule and the row.
pub(super) type Found = (&'static Rule, FoundRow);

/// The violations of a group in one snapshot. `ids` is a JSON array.
pub(super) async fn find(
    store: &Store,
    group: RuleGroup,
    owners: &[OwnerId],
    ids: &str,
) -> Result<Vec<Found>> {
    let connection = snapshot::begin_for_owners(store, owners).await?;
    let mut found = Vec::new();
    for rule in group.rules.iter().copied().flatten() {
        found.extend(rule.find(&connection, ids).await?.into_iter().map(|row| (rule, row)));
    }
    connection.rollback().await?;
    Ok(found)
}

/// The ids of violations: those of their conversations, or their owners.
pub(super) fn ids_of(subject: Subject, found: &[Found]) -> String {
    match subject {
        Subject::Conversations => id_list(found.iter().filter_map(|(_, row)| row.conversation)),
        Subject::Owners => {
            let owners: BTreeSet<&str> = found.iter().filter_map(|(_, row)| row.owner.as_deref()).collect();
            serde_json::Value::from_iter(owners).to_string()
        }
    }
}

/// Ids as a JSON array in one parameter.
pub(super) fn id_list(ids: impl IntoIterator<Item = Uuid>) -> String {
    let ids: BTreeSet<Uuid> = ids.into_iter().collect();
    serde_json::Value::from_iter(ids.into_iter().map(|id| id.simple().to_string())).to_string()
}
