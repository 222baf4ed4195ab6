//! Indexing what is older than the feed of changes reaches back: all conversations of an owner, by id.
//!
//! While that goes on, changes are not indexed: queries see them all the same, because they read the feed. Where the
//! filling has come to stands in the database, so that it goes on there after a restart.

use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, FromQueryResult, IdenStatic, Iterable, QueryFilter,
    QueryOrder,
};
use sea_orm::{QuerySelect, Statement};

use super::documents::{self, OwnedDocument};
use crate::model::{Conversation, ConversationId, Message, OwnerId};
use crate::store::engine::slot::slot;
use crate::store::entity::{conversation, message, search_state};
use crate::store::error::Result;

/// Documents of one step.
const DOCUMENTS: usize = 2048;

/// Bytes of the texts of one step.
const BYTES: usize = 16 * 1024 * 1024;

/// Messages read at once.
const MESSAGES: usize = 64;

/// The next messages of a conversation: a condition, an order and a limit. SeaORM does not know the column `slot`, by
/// which SQLite finds them.
const NEXT_SQLITE: &str = concat!(
    "m.slot > ",
    slot!("$1", "$2"),
    " AND m.slot <= ",
    slot!("$1", "4294967295"),
    " AND m.conversation_id = $1 AND m.owner_id = $3 ORDER BY m.slot LIMIT $4"
);
const NEXT_POSTGRES: &str =
    "m.conversation_id = $1 AND m.position > $2 AND m.owner_id = $3 ORDER BY m.position LIMIT $4";

/// One step of filling the index.
pub(super) struct Backfill {
    pub(super) documents: Vec<OwnedDocument>,
    /// The conversation and the position it has come to. `None`: everything was read.
    pub(super) reached: Option<(ConversationId, i64)>,
}

/// Reads the next documents.
pub(super) async fn read(connection: &impl ConnectionTrait, state: &search_state::Model) -> Result<Backfill> {
    let owner = &state.owner_id;
    let mut reached = state.backfill_conversation.map(|conversation| (conversation, state.backfill_position));
    let (mut found, mut bytes) = (Vec::new(), 0);
    let mut add = |document: Option<OwnedDocument>, found: &mut Vec<OwnedDocument>| {
        if let Some(document) = document {
            bytes += document.bytes();
            found.push(document);
        }
        found.len() >= DOCUMENTS || bytes >= BYTES
    };
    loop {
        if let Some((conversation, position)) = reached {
            let messages = next_messages(connection, owner, conversation, position).await?;
            let is_last = messages.len() < MESSAGES;
            for message in messages {
                reached = Some((conversation, message.position));
                if add(OwnedDocument::of_message(message), &mut found) {
                    return Ok(Backfill { documents: found, reached });
                }
            }
            if !is_last {
                continue;
            }
        }
        let Some(next) = next_conversation(connection, owner, reached.map(|(id, _)| id)).await? else {
            return Ok(Backfill { documents: found, reached: None });
        };
        reached = Some((next.id, 0));
        add(OwnedDocument::of_title(next), &mut found);
    }
}

async fn next_conversation(
    connection: &impl ConnectionTrait,
    owner: &OwnerId,
    after: Option<ConversationId>,
) -> Result<Option<Conversation>> {
    let mut select = conversation::Entity::find()
        .filter(conversation::Column::OwnerId.eq(owner.clone()))
        .order_by_asc(conversation::Column::Id)
        .limit(1);
    if let Some(after) = after {
        select = select.filter(conversation::Column::Id.gt(after));
    }
    Ok(select.one(connection).await?.map(Conversation::from))
}

async fn next_messages(
    connection: &impl ConnectionTrait,
    owner: &OwnerId,
    conversation: ConversationId,
    after: i64,
) -> Result<Vec<Message>> {
    let backend = connection.get_database_backend();
    let next = if backend == DbBackend::Sqlite { NEXT_SQLITE } else { NEXT_POSTGRES };
    // Not `*`: a newer version may add columns while this server is at work, which a prepared statement does not survive.
    let columns: Vec<_> = message::Column::iter().map(|column| format!("m.{}", column.as_str())).collect();
    let sql = format!("SELECT {} FROM message AS m WHERE {next}", columns.join(", "));
    let limit = i64::try_from(MESSAGES).unwrap_or(i64::MAX);
    let values = [conversation.into(), after.into(), owner.clone().into(), limit.into()];
    let statement = Statement::from_sql_and_values(backend, sql, values);
    let rows = message::Model::find_by_statement(statement).all(connection).await?;
    rows.into_iter().map(Message::try_from).collect()
}

/// The first step's state: the changes up to `revision` are read with the conversations.
pub(super) fn begin(state: &mut search_state::Model, revision: i64) {
    state.version = documents::VERSION;
    state.revision = revision;
    state.is_complete = false;
    state.backfill_conversation = None;
    state.backfill_position = 0;
    state.backfill_revision = revision;
}
