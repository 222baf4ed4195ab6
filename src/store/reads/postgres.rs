//! The hot reads on PostgreSQL: each answers any number of asks.
//!
//! The asks travel as arrays, one an argument, so the text stays the same whatever their number. LATERAL
//! with a LIMIT keeps the plan what it should be, one walk over an index for each ask, however wrong the
//! planner guesses how many rows there are. `ord` says whose a row is.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use super::{Listed, Listing, Opened, Opening, Stretch};
use crate::model::{Conversation, ConversationId, End, Json, Message, MessageId, OwnerId, Timestamp};
use crate::store::entity::message;
use crate::store::fence::{Fence, Text, fenced};
use crate::store::{Error, Result};

/// What [`message_of`] reads, from a first column on.
macro_rules! message_columns {
    () => {
        "m.position, m.id, m.role, m.content, m.metadata, m.created_at, m.status, m.branch, \
         m.parent_position, m.parts, m.model, m.usage, m.edited_at, m.deleted_at"
    };
}

/// What else a conversation has, besides what has its like in a message.
macro_rules! conversation_numbers {
    () => {
        "ARRAY[c.updated_at, c.message_count, c.last_position, c.branch, c.head_position, c.branches, c.trunk]"
    };
}

/// The conversation comes as a row in the messages' columns, with its numbers in one more, so that it is
/// looked up once and sent once. A trunk has no holes, so both ends of it are ranges.
const OPEN: Text = fenced!(
    "$2";
    "SELECT w.ord, r.* FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::boolean[]) \
     WITH ORDINALITY AS w(id, owner, most, first, ord) \
     JOIN conversation AS c ON c.id = w.id AND c.owner_id = w.owner \
     CROSS JOIN LATERAL (SELECT ",
    conversation_numbers!(),
    " AS numbers, NULL::bigint AS position, c.id, NULL::smallint AS role, c.title AS content, c.metadata, \
     c.created_at, NULL::smallint AS status, NULL::bigint AS branch, NULL::bigint AS parent_position, \
     NULL AS parts, NULL AS model, NULL AS usage, NULL::bigint AS edited_at, NULL::bigint AS deleted_at \
     UNION ALL (SELECT NULL, ",
    message_columns!(),
    " FROM message AS m WHERE m.conversation_id = c.id AND m.owner_id = w.owner \
     AND c.branches = 0 AND c.head_position = c.last_position \
     AND m.position > CASE WHEN w.first THEN 0 ELSE c.last_position - w.most END \
     AND m.position <= CASE WHEN w.first THEN w.most ELSE c.last_position END LIMIT w.most)) AS r"
);

const FIRST: Text = fenced!(
    "$2";
    "SELECT w.ord, ",
    message_columns!(),
    " FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::boolean[]) \
     WITH ORDINALITY AS w(id, owner, after, before, most, trunk, ord) \
     CROSS JOIN LATERAL (SELECT * FROM message WHERE conversation_id = w.id AND owner_id = w.owner \
     AND position > w.after AND position < w.before AND (branch IS NULL OR NOT w.trunk) \
     ORDER BY position LIMIT w.most) AS m"
);

const LAST: Text = fenced!(
    "$2";
    "SELECT w.ord, ",
    message_columns!(),
    " FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::boolean[]) \
     WITH ORDINALITY AS w(id, owner, after, before, most, trunk, ord) \
     CROSS JOIN LATERAL (SELECT * FROM message WHERE conversation_id = w.id AND owner_id = w.owner \
     AND position > w.after AND position < w.before AND (branch IS NULL OR NOT w.trunk) \
     ORDER BY position DESC LIMIT w.most) AS m"
);

const LIST: Text = fenced!(
    "$1";
    "SELECT w.ord, c.id, c.title, c.metadata, c.created_at, ",
    conversation_numbers!(),
    ", ",
    message_columns!(),
    " FROM unnest($1::text[], $2::bigint[]) WITH ORDINALITY AS w(owner, most, ord) \
     CROSS JOIN LATERAL (SELECT * FROM conversation WHERE owner_id = w.owner \
     ORDER BY updated_at DESC, id DESC LIMIT w.most) AS c \
     LEFT JOIN LATERAL (SELECT * FROM message WHERE conversation_id = c.id AND owner_id = w.owner \
     AND position = c.head_position LIMIT 1) AS m ON true"
);

/// Asks that one statement answers.
pub(super) trait Together: Send + Sync + Sized {
    type Answer: Send;

    /// An answer for each ask, in their order.
    fn read(
        connection: &mut PgConnection,
        fence: Fence,
        asks: &[Self],
    ) -> impl Future<Output = Result<Vec<Self::Answer>>> + Send;
}

impl Together for Opening {
    type Answer = Option<Opened>;

    async fn read(connection: &mut PgConnection, fence: Fence, asks: &[Self]) -> Result<Vec<Self::Answer>> {
        open(connection, fence, asks).await
    }
}

impl Together for Vec<Stretch> {
    type Answer = Vec<Vec<Message>>;

    async fn read(connection: &mut PgConnection, fence: Fence, asks: &[Self]) -> Result<Vec<Self::Answer>> {
        stretches(connection, fence, asks).await
    }
}

impl Together for Listing {
    type Answer = Vec<Listed>;

    async fn read(connection: &mut PgConnection, fence: Fence, asks: &[Self]) -> Result<Vec<Self::Answer>> {
        list(connection, fence, asks).await
    }
}

async fn open(connection: &mut PgConnection, fence: Fence, asks: &[Opening]) -> Result<Vec<Option<Opened>>> {
    let mut ids = Vec::with_capacity(asks.len());
    let mut owners = Vec::with_capacity(asks.len());
    let mut most = Vec::with_capacity(asks.len());
    let mut first = Vec::with_capacity(asks.len());
    for ask in asks {
        ids.push(ask.id.0);
        owners.push(ask.owner.as_str());
        most.push(ask.page.map_or(0, |page| i64::from(page.size) + 1));
        first.push(ask.page.is_some_and(|page| page.end == End::First));
    }
    let rows = sqlx::query(fence.text(&OPEN))
        .bind(ids)
        .bind(owners)
        .bind(most)
        .bind(first)
        .fetch_all(connection)
        .await?;
    let mut found: Vec<Option<Opened>> = Vec::with_capacity(asks.len());
    found.resize_with(asks.len(), || None);
    // In no order: a conversation may come after its messages.
    let mut messages: Vec<Vec<Message>> = Vec::with_capacity(asks.len());
    messages.resize_with(asks.len(), Vec::new);
    for row in rows {
        let at = whose(&row)?;
        let (ask, found, messages) = (&asks[at], &mut found[at], &mut messages[at]);
        if row.try_get_unchecked::<Option<i64>, _>(2)?.is_some() {
            messages.push(message_of(&row, 2, ask.id, &ask.owner)?);
        } else {
            let numbers: Vec<i64> = row.try_get_unchecked(1)?;
            let conversation = Conversation {
                title: row.try_get_unchecked(5)?,
                metadata: Json::stored(row.try_get_unchecked(6)?),
                created_at: Timestamp(row.try_get_unchecked(7)?),
                ..conversation_of(ask.id, &ask.owner, &numbers)?
            };
            *found = Some(Opened { conversation, messages: None });
        }
    }
    for ((found, messages), ask) in found.iter_mut().zip(messages).zip(asks) {
        if let (Some(opened), Some(page)) = (found, ask.page)
            && opened.conversation.is_linear()
        {
            opened.messages = Some(from_end(messages, page.end));
        }
    }
    Ok(found)
}

async fn stretches(
    connection: &mut PgConnection,
    fence: Fence,
    asks: &[Vec<Stretch>],
) -> Result<Vec<Vec<Vec<Message>>>> {
    let mut found: Vec<Vec<Vec<Message>>> =
        asks.iter().map(|stretches| stretches.iter().map(|_| Vec::new()).collect()).collect();
    for (sql, end) in [(&FIRST, End::First), (&LAST, End::Last)] {
        let wanted: Vec<(usize, usize)> = asks
            .iter()
            .enumerate()
            .flat_map(|(ask, stretches)| (0..stretches.len()).map(move |at| (ask, at)))
            .filter(|(ask, at)| asks[*ask][*at].end == end)
            .collect();
        if wanted.is_empty() {
            continue;
        }
        let each = || wanted.iter().map(|(ask, at)| &asks[*ask][*at]);
        let rows = sqlx::query(fence.text(sql))
            .bind(each().map(|stretch| stretch.conversation.0).collect::<Vec<_>>())
            .bind(each().map(|stretch| stretch.owner.as_str()).collect::<Vec<_>>())
            .bind(each().map(|stretch| stretch.after).collect::<Vec<_>>())
            .bind(each().map(|stretch| stretch.before).collect::<Vec<_>>())
            .bind(each().map(|stretch| i64::from(stretch.rows)).collect::<Vec<_>>())
            .bind(each().map(|stretch| stretch.trunk).collect::<Vec<_>>())
            .fetch_all(&mut *connection)
            .await?;
        for row in rows {
            let (ask, at) = wanted[whose(&row)?];
            let stretch = &asks[ask][at];
            found[ask][at].push(message_of(&row, 1, stretch.conversation, &stretch.owner)?);
        }
        for (ask, at) in wanted {
            let messages = std::mem::take(&mut found[ask][at]);
            found[ask][at] = from_end(messages, end);
        }
    }
    Ok(found)
}

async fn list(connection: &mut PgConnection, fence: Fence, asks: &[Listing]) -> Result<Vec<Vec<Listed>>> {
    let owners: Vec<&str> = asks.iter().map(|ask| ask.owner.as_str()).collect();
    let most: Vec<i64> = asks.iter().map(|ask| i64::from(ask.most) + 1).collect();
    let rows = sqlx::query(fence.text(&LIST)).bind(owners).bind(most).fetch_all(connection).await?;
    let mut found: Vec<Vec<Listed>> = asks.iter().map(|ask| Vec::with_capacity(ask.most as usize)).collect();
    for row in rows {
        let at = whose(&row)?;
        let owner = &asks[at].owner;
        let id = ConversationId(row.try_get_unchecked(1)?);
        let numbers: Vec<i64> = row.try_get_unchecked(5)?;
        let conversation = Conversation {
            title: row.try_get_unchecked(2)?,
            metadata: Json::stored(row.try_get_unchecked(3)?),
            created_at: Timestamp(row.try_get_unchecked(4)?),
            ..conversation_of(id, owner, &numbers)?
        };
        let has_head = row.try_get_unchecked::<Option<i64>, _>(6)?.is_some();
        let head = has_head.then(|| message_of(&row, 6, id, owner)).transpose()?;
        found[at].push((conversation, head));
    }
    for conversations in &mut found {
        conversations
            .sort_by_key(|(conversation, _)| std::cmp::Reverse((conversation.updated_at, conversation.id)));
    }
    Ok(found)
}

/// Whose row it is, counted from 0.
fn whose(row: &PgRow) -> Result<usize> {
    let ord: i64 = row.try_get_unchecked(0)?;
    usize::try_from(ord - 1).map_err(|_| Error::broken(format!("a row belongs to ask {ord}")))
}

/// In the order in which they are read from an end inwards.
fn from_end(mut messages: Vec<Message>, end: End) -> Vec<Message> {
    match end {
        End::First => messages.sort_by_key(|message| message.position),
        End::Last => messages.sort_by_key(|message| std::cmp::Reverse(message.position)),
    }
    messages
}

fn conversation_of(id: ConversationId, owner: &OwnerId, numbers: &[i64]) -> Result<Conversation> {
    let &[updated_at, message_count, last_position, branch, head_position, branches, trunk] = numbers else {
        return Err(Error::broken(format!("conversation {id} has {} numbers", numbers.len())));
    };
    Ok(Conversation {
        id,
        owner: owner.clone(),
        title: None,
        metadata: Json::empty_object(),
        created_at: Timestamp(0),
        updated_at: Timestamp(updated_at),
        message_count,
        last_position,
        head_position,
        branch,
        branches,
        trunk,
    })
}

fn message_of(row: &PgRow, at: usize, conversation: ConversationId, owner: &OwnerId) -> Result<Message> {
    let id: Uuid = row.try_get_unchecked(at + 1)?;
    let time = |column| -> Result<Option<Timestamp>> {
        Ok(row.try_get_unchecked::<Option<i64>, _>(at + column)?.map(Timestamp))
    };
    message::Model {
        conversation_id: conversation,
        position: row.try_get_unchecked(at)?,
        id: MessageId(id),
        owner_id: owner.clone(),
        role: row.try_get_unchecked(at + 2)?,
        content: row.try_get_unchecked(at + 3)?,
        metadata: row.try_get_unchecked(at + 4)?,
        created_at: Timestamp(row.try_get_unchecked(at + 5)?),
        fingerprint: None,
        status: row.try_get_unchecked(at + 6)?,
        branch: row.try_get_unchecked(at + 7)?,
        parent_position: row.try_get_unchecked(at + 8)?,
        parts: row.try_get_unchecked(at + 9)?,
        model: row.try_get_unchecked(at + 10)?,
        usage: row.try_get_unchecked(at + 11)?,
        edited_at: time(12)?,
        deleted_at: time(13)?,
    }
    .try_into()
}
