//! Lists as one JSON parameter of a statement, however long they are: so the text of the statement stays constant.

use crate::model::{ConversationId, MessageId};

/// Places: conversations with a position.
pub(super) fn places(places: &[(ConversationId, i64)]) -> String {
    let places: Vec<String> =
        places.iter().map(|(id, position)| format!("[\"{}\",{position}]", id.0.simple())).collect();
    format!("[{}]", places.join(","))
}

/// Ids of messages.
pub(super) fn ids(ids: &[MessageId]) -> String {
    let ids: Vec<String> = ids.iter().map(|id| format!("\"{}\"", id.0.simple())).collect();
    format!("[{}]", ids.join(","))
}
