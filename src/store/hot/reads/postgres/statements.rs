//! The texts of the hot reads' statements.
//!
//! They never change: the asks travel as arrays, one an argument, whatever their number. LATERAL with a
//! LIMIT keeps the plan what it should be, one walk over an index for each ask, however wrong the planner
//! guesses how many rows there are. `ord` says whose a row is. For an ask of which only so much may be sent,
//! texts that are longer than `each` are left out.

use crate::store::engine::row_level_security::{SqlText, scoped_sql};

/// What [`super::message_of`] reads, from a first column on. What few messages have travels as two arrays, of
/// numbers and of texts, that the others leave out: each column of each row costs on either side. Of the
/// texts, what is too long is null, or, of the parts, empty.
macro_rules! message_columns {
    () => {
        "CASE WHEN m.status = 2 AND NOT m.pinned AND coalesce(m.branch, m.edited_at, m.deleted_at) IS NULL THEN NULL \
         ELSE ARRAY[m.status, m.branch, m.parent_position, m.edited_at, m.deleted_at, m.pinned::int] END AS numbers, \
         m.position, m.id, m.role, CASE WHEN octet_length(m.content) <= w.each THEN m.content END AS content, \
         m.created_at, \
         CASE WHEN m.metadata = '{}' AND coalesce(m.parts, m.model, m.usage) IS NULL THEN NULL \
         ELSE ARRAY[CASE WHEN octet_length(m.metadata) <= w.each THEN m.metadata END, \
         CASE WHEN octet_length(m.parts) > w.each THEN '' ELSE m.parts END, m.model, m.usage] END AS texts"
    };
}

/// What else a conversation has, besides what has its like in a message.
macro_rules! conversation_numbers {
    () => {
        "ARRAY[c.updated_at, c.message_count, c.last_position, c.branch, c.head_position, c.branches, c.trunk]"
    };
}

/// The conversation comes as a row in the messages' columns, so that it is looked up once and sent once;
/// it is the one without a position. A trunk has no holes, so both ends of it are ranges.
pub(super) const OPEN: SqlText = scoped_sql!(
    "$2";
    "SELECT w.ord, r.* FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::boolean[], $5::int[]) \
     WITH ORDINALITY AS w(id, owner, most, first, each, ord) \
     JOIN conversation AS c ON c.id = w.id AND c.owner_id = w.owner \
     CROSS JOIN LATERAL (SELECT ",
    conversation_numbers!(),
    " AS numbers, NULL::bigint AS position, c.id, NULL::smallint AS role, c.title AS content, \
     c.created_at, ARRAY[c.metadata] AS texts \
     UNION ALL (SELECT ",
    message_columns!(),
    " FROM message AS m WHERE m.conversation_id = c.id AND m.owner_id = w.owner \
     AND c.branches = 0 AND c.head_position = c.last_position \
     AND m.position > CASE WHEN w.first THEN 0 ELSE c.last_position - w.most END \
     AND m.position <= CASE WHEN w.first THEN w.most ELSE c.last_position END LIMIT w.most)) AS r"
);

/// The messages of a range from one end of it.
macro_rules! range {
    ($order:literal) => {
        scoped_sql!(
            "$2";
            "SELECT w.ord, ",
            message_columns!(),
            " FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::boolean[], \
             $7::int[]) WITH ORDINALITY AS w(id, owner, after, before, most, trunk, each, ord) \
             CROSS JOIN LATERAL (SELECT * FROM message WHERE conversation_id = w.id AND owner_id = w.owner \
             AND position > w.after AND position < w.before AND (branch IS NULL OR NOT w.trunk) \
             ORDER BY position ",
            $order,
            " LIMIT w.most) AS m"
        )
    };
}

pub(super) const FIRST: SqlText = range!("ASC");
pub(super) const LAST: SqlText = range!("DESC");

pub(super) const LIST: SqlText = scoped_sql!(
    "$1";
    "SELECT w.ord, c.id, c.title, c.metadata, c.created_at, ",
    conversation_numbers!(),
    ", ",
    message_columns!(),
    " FROM unnest($1::text[], $2::bigint[], $3::int[]) WITH ORDINALITY AS w(owner, most, each, ord) \
     CROSS JOIN LATERAL (SELECT * FROM conversation WHERE owner_id = w.owner \
     ORDER BY updated_at DESC, id DESC LIMIT w.most) AS c \
     LEFT JOIN LATERAL (SELECT * FROM message WHERE conversation_id = c.id AND owner_id = w.owner \
     AND position = c.head_position LIMIT 1) AS m ON true"
);
