//! The texts of the hot reads' statements.
//!
//! The texts are constant: the arguments of all reads are arrays, one for each parameter. LATERAL with a LIMIT keeps
//! the plan independent of the planner's row estimates: one index scan for each read. `ord` is the number of the read
//! that a row belongs to. For reads without a reservation, texts longer than `max_text` are left out.

use crate::store::engine::row_level_security::{SqlText, scoped_sql};

/// The columns that [`super::message_of`] decodes. Columns that few messages have are in two arrays, of numbers and
/// of texts, which are null for most messages: each column of each row costs time on both sides. A text that is too
/// long is null, or, for the parts, empty.
macro_rules! message_columns {
    () => {
        "CASE WHEN m.status = 2 AND NOT m.pinned AND coalesce(m.branch, m.edited_at, m.deleted_at) IS NULL THEN NULL \
         ELSE ARRAY[m.status, m.branch, m.parent_position, m.edited_at, m.deleted_at, m.pinned::int] END AS numbers, \
         m.position, m.id, m.role, CASE WHEN octet_length(m.content) <= req.max_text THEN m.content END AS content, \
         m.created_at, \
         CASE WHEN m.metadata = '{}' AND coalesce(m.parts, m.model, m.usage) IS NULL THEN NULL \
         ELSE ARRAY[CASE WHEN octet_length(m.metadata) <= req.max_text THEN m.metadata END, \
         CASE WHEN octet_length(m.parts) > req.max_text THEN '' ELSE m.parts END, m.model, m.usage] END AS texts"
    };
}

/// The columns of a conversation that a message does not have.
macro_rules! conversation_numbers {
    () => {
        "ARRAY[c.updated_at, c.message_count, c.last_position, c.branch, c.head_position, c.branches, c.trunk, \
         c.read_position, c.unread_ignored, c.unarchive_on_message::int, c.pinned_at, c.archived_at, c.trashed_at, \
         c.expires_at]"
    };
}

/// The row of the conversation, in the columns of messages.
macro_rules! conversation_row {
    () => {
        concat!(
            "SELECT ",
            conversation_numbers!(),
            " AS numbers, NULL::bigint AS position, c.id, NULL::smallint AS role, c.title AS content, \
             c.created_at, ARRAY[c.metadata, c.labels] AS texts"
        )
    };
}

/// The conversation is a row in the columns of the messages, without a position, so that it is looked up once and
/// sent once. A trunk has no gaps, so both ends of it are ranges.
pub(super) const CONVERSATION: SqlText = scoped_sql!(
    "$2";
    "SELECT req.ord, r.* FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::boolean[], $5::int[]) \
     WITH ORDINALITY AS req(id, owner, max_rows, first, max_text, ord) \
     JOIN conversation AS c ON c.id = req.id AND c.owner_id = req.owner \
     CROSS JOIN LATERAL (",
    conversation_row!(),
    " UNION ALL (SELECT ",
    message_columns!(),
    " FROM message AS m WHERE m.conversation_id = c.id AND m.owner_id = req.owner \
     AND c.branches = 0 AND c.head_position = c.last_position \
     AND m.position > CASE WHEN req.first THEN 0 ELSE c.last_position - req.max_rows END \
     AND m.position <= CASE WHEN req.first THEN req.max_rows ELSE c.last_position END LIMIT req.max_rows)) AS r"
);

/// A page of a branch, in the rows of [`CONVERSATION`]. A branch is the messages up to the leaf, and those of its
/// parent branch up to the fork, to the root: branch 0 continues the trunk, which is -1 here. The path is walked only
/// until the page is full, from the leaf or, as a whole, from the root.
///
/// A sibling is a row with the position of its parent and without a role. The siblings on branches have the same
/// parent; the one on the trunk is the next message there.
macro_rules! branch {
    ($depth:literal, $order:literal) => {
        scoped_sql!(
            "$2";
            "SELECT req.ord, r.* FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], \
             $6::bigint[], $7::bigint[], $8::boolean[], $9::boolean[], $10::int[]) WITH ORDINALITY \
             AS req(id, owner, max_rows, branch, position, after, before, deleted, siblings, max_text, ord) \
             JOIN conversation AS c ON c.id = req.id AND c.owner_id = req.owner \
             CROSS JOIN LATERAL (WITH RECURSIVE path(branch, upto, depth) AS (\
             SELECT CASE WHEN c.branches = 0 THEN -1 ELSE coalesce(req.branch, c.branch) END, \
             coalesce(req.position, c.head_position), 0 \
             UNION ALL SELECT CASE p.branch WHEN 0 THEN -1 ELSE b.parent_branch END, \
             CASE p.branch WHEN 0 THEN least(p.upto, c.trunk) ELSE b.fork_position END, p.depth + 1 \
             FROM path AS p LEFT JOIN LATERAL (SELECT * FROM branch \
             WHERE conversation_id = c.id AND branch = p.branch LIMIT 1) AS b ON true WHERE p.branch >= 0), \
             page AS MATERIALIZED (SELECT m.* FROM ",
            $depth,
            " AS p CROSS JOIN LATERAL (\
             (SELECT * FROM message WHERE conversation_id = c.id AND owner_id = req.owner AND branch = p.branch \
             AND position <= p.upto AND position > req.after AND position < req.before \
             AND (req.deleted OR deleted_at IS NULL) ORDER BY position ",
            $order,
            " LIMIT req.max_rows) UNION ALL \
             (SELECT * FROM message WHERE p.branch = -1 AND conversation_id = c.id AND owner_id = req.owner \
             AND position <= p.upto AND position > req.after AND position < req.before \
             AND (req.deleted OR deleted_at IS NULL) ORDER BY position ",
            $order,
            " LIMIT req.max_rows)) AS m LIMIT req.max_rows), \
             parents AS (SELECT position, branch, coalesce(parent_position, position - 1) AS parent FROM page \
             WHERE req.siblings AND c.branches > 0) ",
            conversation_row!(),
            " UNION ALL SELECT ",
            message_columns!(),
            " FROM page AS m UNION ALL \
             SELECT NULL, s.position, s.id, NULL, NULL, p.parent, NULL FROM parents AS p CROSS JOIN LATERAL ( \
             SELECT position, id FROM message WHERE conversation_id = c.id AND owner_id = req.owner \
             AND branch IS NOT NULL AND parent_position = p.parent AND position <> p.position OFFSET 0) AS s UNION ALL \
             SELECT NULL, s.position, s.id, NULL, NULL, p.parent, NULL FROM parents AS p CROSS JOIN LATERAL ( \
             SELECT position, id FROM message WHERE p.branch IS NOT NULL AND p.parent < c.trunk \
             AND conversation_id = c.id AND owner_id = req.owner AND position = p.parent + 1 LIMIT 1) AS s) AS r"
        )
    };
}

pub(super) const FIRST_OF_BRANCH: SqlText = branch!("(SELECT * FROM path ORDER BY depth DESC)", "ASC");
pub(super) const LAST_OF_BRANCH: SqlText = branch!("path", "DESC");

/// The messages of a range from one end.
macro_rules! range {
    ($order:literal) => {
        scoped_sql!(
            "$2";
            "SELECT req.ord, ",
            message_columns!(),
            " FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::boolean[], \
             $7::int[]) WITH ORDINALITY AS req(id, owner, after, before, max_rows, trunk, max_text, ord) \
             CROSS JOIN LATERAL (SELECT * FROM message WHERE conversation_id = req.id AND owner_id = req.owner \
             AND position > req.after AND position < req.before AND (branch IS NULL OR NOT req.trunk) \
             ORDER BY position ",
            $order,
            " LIMIT req.max_rows) AS m"
        )
    };
}

pub(super) const FIRST: SqlText = range!("ASC");
pub(super) const LAST: SqlText = range!("DESC");

pub(super) const LIST: SqlText = scoped_sql!(
    "$1";
    "SELECT req.ord, c.id, c.title, c.metadata, c.created_at, c.labels, ",
    conversation_numbers!(),
    ", ",
    message_columns!(),
    " FROM unnest($1::text[], $2::bigint[], $3::int[]) WITH ORDINALITY AS req(owner, max_rows, max_text, ord) \
     CROSS JOIN LATERAL (SELECT * FROM conversation WHERE owner_id = req.owner AND state = 0 \
     ORDER BY updated_at DESC, id DESC LIMIT req.max_rows) AS c \
     LEFT JOIN LATERAL (SELECT * FROM message WHERE conversation_id = c.id AND owner_id = req.owner \
     AND position = c.head_position LIMIT 1) AS m ON true"
);
