//! Siblings of the messages of a page.

use std::collections::HashMap;

use crate::model::{Message, MessageId, Siblings};

/// A message with the same parent as one of the page, which is not on the page itself.
pub(super) struct Sibling {
    pub(super) parent: i64,
    pub(super) position: i64,
    pub(super) id: MessageId,
}

/// Bytes of a [`Sibling`] in [`Siblings`], with its place in the map.
pub(super) const SIBLING_BYTES: usize = 64;

/// The siblings of the messages of a page, together with these messages. Those of one branch all have different
/// parents.
pub(super) fn siblings_of(rows: &[Message], others: Vec<Sibling>) -> Siblings {
    let mut ids: HashMap<i64, Vec<(i64, MessageId)>> = HashMap::new();
    for Sibling { parent, position, id } in others {
        ids.entry(parent).or_default().push((position, id));
    }
    for row in rows {
        if let Some(ids) = ids.get_mut(&row.parent_position()) {
            ids.push((row.position, row.id));
        }
    }
    ids.values_mut().for_each(|ids| ids.sort_unstable());
    Siblings::Ids(ids)
}
