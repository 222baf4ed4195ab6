//! The statements of a write worker. Each writes a whole batch.

use super::super::request::NewMessages;

/// Reads the state of the conversation, decides whether the append is batchable, and writes it if it is.
///
/// Owners who are being erased are left out by a CASE: without statistics the planner takes `erasing_since IS NULL` to be
/// true for almost no row, and then joins in the wrong way.
macro_rules! append_one {
    ($lock:literal, $audit:expr) => {
        concat!(
            "WITH place AS MATERIALIZED ( \
               SELECT c.last_position AS seen, \
                 $8::bytea IS NOT NULL AND EXISTS (SELECT FROM message AS m WHERE m.id = $3) AS known, \
                 c.state = 0 AND c.head_position = c.last_position AND (NOT $16::bool OR c.last_position = 0) AND ($14::uuid IS NULL OR $14 = \
                   (SELECT m.id FROM message AS m WHERE m.conversation_id = c.id AND m.position = c.head_position)) AS batchable \
               FROM conversation AS c WHERE c.id = $1 AND c.owner_id = $2), \
             locked_accounts AS MATERIALIZED ( \
               SELECT a.id FROM account AS a, place WHERE a.id = $2 AND (CASE WHEN a.erasing_since IS NULL THEN true ELSE false END) AND place.batchable AND NOT place.known \
               FOR NO KEY UPDATE OF a",
            $lock,
            "), \
             revisions AS ( \
               UPDATE account AS a SET revision = a.revision + 1 FROM locked_accounts WHERE a.id = locked_accounts.id RETURNING a.revision), \
             positions AS ( \
               UPDATE conversation AS c SET last_position = c.last_position + 1, head_position = c.last_position + 1, \
                 message_count = c.message_count + 1, updated_at = greatest($4, c.updated_at + 1), \
                 read_position = CASE WHEN $5::int2 = 1 THEN c.last_position + 1 ELSE c.read_position END, \
                 unread_ignored = CASE WHEN $5::int2 = 1 THEN 0 ELSE c.unread_ignored END \
               FROM revisions, place WHERE c.id = $1 AND c.owner_id = $2 \
                 AND c.state = 0 AND c.head_position = c.last_position \
                 AND ($14::uuid IS NULL AND NOT $16 OR c.last_position = place.seen) \
               RETURNING c.last_position, c.updated_at, CASE WHEN c.branches > 0 THEN c.branch END AS branch), \
             inserted AS ( \
               INSERT INTO message (conversation_id, position, id, owner_id, role, content, metadata, created_at, \
                 fingerprint, parts, status, model, usage, branch, parent_position) \
               SELECT $1, positions.last_position, $3, $2, $5, $6, $7, positions.updated_at, $8, $9, $10, $11, $12, \
                 positions.branch, CASE WHEN positions.branch IS NOT NULL THEN positions.last_position - 1 END \
               FROM revisions LEFT JOIN positions ON true RETURNING position, created_at, branch), \
             changes AS ( \
               INSERT INTO change (owner_id, revision, kind, conversation_id, message_id, changed_at, actor) \
               SELECT $2, revisions.revision, $13, $1, $3, $4, $15 FROM revisions)",
            $audit,
            " SELECT place.known, place.batchable, inserted.position, inserted.created_at, inserted.branch FROM place LEFT JOIN inserted ON true"
        )
    };
}

/// The same for many messages: a row for each message, with the number of its append.
///
/// The planner expects one row where there are hundreds, and would use nested loops. So the later joins are FULL
/// JOINs, which PostgreSQL can only hash or merge. No side has rows that the other lacks.
macro_rules! append_many {
    ($lock:literal, $audit:expr) => {
        concat!(
            "WITH input AS ( \
               SELECT * FROM unnest($1::int8[], $2::uuid[], $3::text[], $4::uuid[], $5::uuid[], $6::int2[], $7::text[], \
                 $8::text[], $9::bytea[], $10::text[], $11::int2[], $12::text[], $13::text[], $16::text[], $17::bool[]) WITH ORDINALITY \
               AS input (append, conversation_id, owner_id, head, id, role, content, metadata, fingerprint, parts, \
                 status, model, usage, actor, is_first, nth)), \
             requests AS MATERIALIZED ( \
               SELECT input.*, c.last_position AS seen, \
                 bool_or(input.fingerprint IS NOT NULL AND EXISTS (SELECT FROM message AS m WHERE m.id = input.id)) \
                   OVER (PARTITION BY input.append) AS known, \
                 c.state = 0 AND c.head_position = c.last_position AND (NOT input.is_first OR c.last_position = 0) AND (input.head IS NULL OR input.head = \
                   (SELECT m.id FROM message AS m WHERE m.conversation_id = c.id AND m.position = c.head_position)) AS batchable \
               FROM input JOIN conversation AS c ON c.id = input.conversation_id AND c.owner_id = input.owner_id), \
             locked_accounts AS MATERIALIZED ( \
               SELECT a.id FROM account AS a \
               WHERE a.id = ANY (ARRAY(SELECT DISTINCT owner_id FROM requests WHERE batchable AND NOT known)) \
                 AND (CASE WHEN a.erasing_since IS NULL THEN true ELSE false END) \
               FOR NO KEY UPDATE",
            $lock,
            "), \
             ready AS MATERIALIZED ( \
               SELECT *, row_number() OVER (PARTITION BY owner_id ORDER BY nth) AS nth_of_owner, \
                 row_number() OVER (PARTITION BY conversation_id ORDER BY nth) AS nth_here, \
                 dense_rank() OVER (PARTITION BY conversation_id ORDER BY append) AS append_here \
               FROM requests WHERE batchable AND NOT known AND (owner_id IN (SELECT id FROM locked_accounts)) IS TRUE), \
             revisions AS ( \
               UPDATE account AS a SET revision = a.revision + n.messages \
               FROM (SELECT owner_id, count(*) AS messages FROM ready GROUP BY owner_id) AS n \
               WHERE a.id = n.owner_id RETURNING a.id, a.revision - n.messages AS revision), \
             positions AS ( \
               UPDATE conversation AS c SET last_position = c.last_position + n.messages, \
                 head_position = c.last_position + n.messages, message_count = c.message_count + n.messages, \
                 updated_at = greatest($14, c.updated_at + 1) + n.appends - 1, \
                 read_position = coalesce(c.last_position + n.last_of_user, c.read_position), \
                 unread_ignored = CASE WHEN n.last_of_user IS NULL THEN c.unread_ignored ELSE 0 END \
               FROM (SELECT conversation_id, owner_id, count(*) AS messages, max(append_here) AS appends, \
                   max(nth_here) FILTER (WHERE role = 1) AS last_of_user, \
                   min(seen) FILTER (WHERE head IS NOT NULL OR is_first) AS seen FROM ready GROUP BY conversation_id, owner_id) AS n \
               WHERE c.id = n.conversation_id AND c.owner_id = n.owner_id \
                 AND c.state = 0 AND c.head_position = c.last_position \
                 AND (n.seen IS NULL OR c.last_position = n.seen) \
               RETURNING c.id, c.owner_id, c.last_position - n.messages AS position, c.updated_at - n.appends AS updated_at, \
                 CASE WHEN c.branches > 0 THEN c.branch END AS branch), \
             inserted AS ( \
               INSERT INTO message (conversation_id, position, id, owner_id, role, content, metadata, created_at, \
                 fingerprint, parts, status, model, usage, branch, parent_position) \
               SELECT ready.conversation_id, positions.position + nth_here, ready.id, ready.owner_id, role, content, \
                 metadata, positions.updated_at + append_here, fingerprint, parts, status, model, usage, \
                 positions.branch, CASE WHEN positions.branch IS NOT NULL THEN positions.position + nth_here - 1 END \
               FROM ready FULL JOIN positions ON positions.id = ready.conversation_id AND positions.owner_id = ready.owner_id \
               RETURNING id, position, created_at, branch), \
             changes AS ( \
               INSERT INTO change (owner_id, revision, kind, conversation_id, message_id, changed_at, actor) \
               SELECT owner_id, revisions.revision + nth_of_owner, $15, conversation_id, ready.id, $14, actor \
               FROM ready FULL JOIN revisions ON revisions.id = ready.owner_id)",
            $audit,
            " SELECT requests.append, requests.known, requests.batchable, inserted.position, inserted.created_at, inserted.branch \
             FROM requests FULL JOIN inserted ON inserted.id = requests.id ORDER BY requests.nth"
        )
    };
}

/// Adds entries to the audit log, for appends of back ends: 1 is a back end, 8 is `appendMessages`.
macro_rules! audit {
    (one) => {
        ", audited AS ( \
           INSERT INTO audit_entry (created_at, actor_kind, actor, action, owner_id, conversation_id, message_id, count) \
           SELECT $4, 1, $15, 8, $2, $1, $3, 1 FROM revisions)"
    };
    (many) => {
        ", audited AS ( \
           INSERT INTO audit_entry (created_at, actor_kind, actor, action, owner_id, conversation_id, message_id, count) \
           SELECT $14, 1, actor, 8, owner_id, conversation_id, (array_agg(id ORDER BY nth))[1], count(*) FROM ready \
           WHERE actor IS NOT NULL GROUP BY append, actor, owner_id, conversation_id)"
    };
}

/// The statements that append one message and many.
pub(super) struct AppendStatements {
    pub(super) one: &'static str,
    pub(super) many: &'static str,
}

/// The statements for a way to lock accounts: with `SKIP LOCKED`, or waiting.
pub(super) struct LockingStatements {
    /// Without appends of back ends for users.
    plain: AppendStatements,
    /// With such.
    audited: AppendStatements,
}

impl LockingStatements {
    /// The statements for some appends.
    pub(super) fn of(&self, appends: &[&NewMessages]) -> &AppendStatements {
        if appends.iter().any(|messages| messages.actor.is_some()) { &self.audited } else { &self.plain }
    }
}

/// Skip locked owners.
pub(super) const SKIPPING_LOCKED: LockingStatements = LockingStatements {
    plain: AppendStatements { one: append_one!(" SKIP LOCKED", ""), many: append_many!(" SKIP LOCKED", "") },
    audited: AppendStatements {
        one: append_one!(" SKIP LOCKED", audit!(one)),
        many: append_many!(" SKIP LOCKED", audit!(many)),
    },
};

/// Wait for locked owners.
pub(super) const WAITING_FOR_LOCKS: LockingStatements = LockingStatements {
    plain: AppendStatements { one: append_one!("", ""), many: append_many!("", "") },
    audited: AppendStatements { one: append_one!("", audit!(one)), many: append_many!("", audit!(many)) },
};

/// Adds text chunks to the streams that end where they begin. The row of a stream is locked for a short time only, so
/// the statement waits for it.
pub(super) const APPEND_TEXT: &str = "WITH input AS MATERIALIZED ( \
       SELECT * FROM unnest($1::uuid[], $2::text[], $3::int8[], $4::text[], $5::int8[]) \
       AS input (message_id, owner_id, start, text, code_points)), \
     appended AS ( \
       UPDATE stream AS s SET length = s.length + input.code_points, written_at = $6 FROM input \
       WHERE s.message_id = input.message_id AND s.owner_id = input.owner_id AND s.length = input.start \
       RETURNING s.message_id, s.owner_id, s.length, s.stop_requested), \
     inserted AS ( \
       INSERT INTO message_text (message_id, start, text) \
       SELECT input.message_id, input.start, input.text FROM input JOIN appended USING (message_id, owner_id) \
       WHERE input.text <> '') \
     SELECT message_id, owner_id, length, stop_requested FROM appended";

#[cfg(test)]
mod tests {
    use crate::model::{AuditAction, AuditActor};

    #[test]
    fn statements_have_the_numbers_of_the_audit_log() {
        assert_eq!((AuditActor::BACK_END, AuditAction::AppendMessages.code()), (1, 8));
    }
}
