//! The statements of a write worker. Each writes a whole batch.

/// Reads the state of the conversation, decides whether the append is batchable, and writes it if it is.
macro_rules! append_one {
    ($lock:literal) => {
        concat!(
            "WITH place AS MATERIALIZED ( \
               SELECT c.last_position AS seen, \
                 $8::bytea IS NOT NULL AND EXISTS (SELECT FROM message AS m WHERE m.id = $3) AS known, \
                 c.branches = 0 AND c.head_position = c.last_position AND ($14::uuid IS NULL OR $14 = \
                   (SELECT m.id FROM message AS m WHERE m.conversation_id = c.id AND m.position = c.head_position)) AS plain \
               FROM conversation AS c WHERE c.id = $1 AND c.owner_id = $2), \
             free AS MATERIALIZED ( \
               SELECT a.id FROM account AS a, place WHERE a.id = $2 AND place.plain AND NOT place.known \
               FOR NO KEY UPDATE OF a",
            $lock,
            "), \
             clock AS ( \
               UPDATE account AS a SET revision = a.revision + 1 FROM free WHERE a.id = free.id RETURNING a.revision), \
             taken AS ( \
               UPDATE conversation AS c SET last_position = c.last_position + 1, head_position = c.last_position + 1, \
                 message_count = c.message_count + 1, updated_at = greatest($4, c.updated_at + 1) \
               FROM clock, place WHERE c.id = $1 AND c.owner_id = $2 \
                 AND c.branches = 0 AND c.head_position = c.last_position \
                 AND ($14::uuid IS NULL OR c.last_position = place.seen) \
               RETURNING c.last_position, c.updated_at), \
             added AS ( \
               INSERT INTO message (conversation_id, position, id, owner_id, role, content, metadata, created_at, \
                 fingerprint, parts, status, model, usage) \
               SELECT $1, taken.last_position, $3, $2, $5, $6, $7, taken.updated_at, $8, $9, $10, $11, $12 \
               FROM clock LEFT JOIN taken ON true RETURNING position, created_at), \
             noted AS ( \
               INSERT INTO change (owner_id, revision, kind, conversation_id, message_id, changed_at, actor) \
               SELECT $2, clock.revision, $13, $1, $3, $4, $15 FROM clock) \
             SELECT place.known, place.plain, added.position, added.created_at FROM place LEFT JOIN added ON true"
        )
    };
}

/// The same for many messages: a row for each message, with the number of its append.
///
/// The planner expects one row where there are hundreds, and would use nested loops. So the later joins are FULL
/// JOINs, which PostgreSQL can only hash or merge. No side has rows that the other lacks.
macro_rules! append_many {
    ($lock:literal) => {
        concat!(
            "WITH given AS ( \
               SELECT * FROM unnest($1::int8[], $2::uuid[], $3::text[], $4::uuid[], $5::uuid[], $6::int2[], $7::text[], \
                 $8::text[], $9::bytea[], $10::text[], $11::int2[], $12::text[], $13::text[], $16::text[]) WITH ORDINALITY \
               AS given (append, conversation_id, owner_id, head, id, role, content, metadata, fingerprint, parts, \
                 status, model, usage, actor, nth)), \
             placed AS MATERIALIZED ( \
               SELECT given.*, c.last_position AS seen, \
                 bool_or(given.fingerprint IS NOT NULL AND EXISTS (SELECT FROM message AS m WHERE m.id = given.id)) \
                   OVER (PARTITION BY given.append) AS known, \
                 c.branches = 0 AND c.head_position = c.last_position AND (given.head IS NULL OR given.head = \
                   (SELECT m.id FROM message AS m WHERE m.conversation_id = c.id AND m.position = c.head_position)) AS plain \
               FROM given JOIN conversation AS c ON c.id = given.conversation_id AND c.owner_id = given.owner_id), \
             free AS MATERIALIZED ( \
               SELECT a.id FROM account AS a \
               WHERE a.id = ANY (ARRAY(SELECT DISTINCT owner_id FROM placed WHERE plain AND NOT known)) \
               FOR NO KEY UPDATE",
            $lock,
            "), \
             ready AS MATERIALIZED ( \
               SELECT *, row_number() OVER (PARTITION BY owner_id ORDER BY nth) AS nth_of_owner, \
                 row_number() OVER (PARTITION BY conversation_id ORDER BY nth) AS nth_here, \
                 dense_rank() OVER (PARTITION BY conversation_id ORDER BY append) AS append_here \
               FROM placed WHERE plain AND NOT known AND (owner_id IN (SELECT id FROM free)) IS TRUE), \
             clock AS ( \
               UPDATE account AS a SET revision = a.revision + n.messages \
               FROM (SELECT owner_id, count(*) AS messages FROM ready GROUP BY owner_id) AS n \
               WHERE a.id = n.owner_id RETURNING a.id, a.revision - n.messages AS revision), \
             taken AS ( \
               UPDATE conversation AS c SET last_position = c.last_position + n.messages, \
                 head_position = c.last_position + n.messages, message_count = c.message_count + n.messages, \
                 updated_at = greatest($14, c.updated_at + 1) + n.appends - 1 \
               FROM (SELECT conversation_id, owner_id, count(*) AS messages, max(append_here) AS appends, \
                   min(seen) FILTER (WHERE head IS NOT NULL) AS seen FROM ready GROUP BY conversation_id, owner_id) AS n \
               WHERE c.id = n.conversation_id AND c.owner_id = n.owner_id \
                 AND c.branches = 0 AND c.head_position = c.last_position \
                 AND (n.seen IS NULL OR c.last_position = n.seen) \
               RETURNING c.id, c.owner_id, c.last_position - n.messages AS position, c.updated_at - n.appends AS updated_at), \
             added AS ( \
               INSERT INTO message (conversation_id, position, id, owner_id, role, content, metadata, created_at, \
                 fingerprint, parts, status, model, usage) \
               SELECT ready.conversation_id, taken.position + nth_here, ready.id, ready.owner_id, role, content, \
                 metadata, taken.updated_at + append_here, fingerprint, parts, status, model, usage \
               FROM ready FULL JOIN taken ON taken.id = ready.conversation_id AND taken.owner_id = ready.owner_id \
               RETURNING id, position, created_at), \
             noted AS ( \
               INSERT INTO change (owner_id, revision, kind, conversation_id, message_id, changed_at, actor) \
               SELECT owner_id, clock.revision + nth_of_owner, $15, conversation_id, ready.id, $14, actor \
               FROM ready FULL JOIN clock ON clock.id = ready.owner_id) \
             SELECT placed.append, placed.known, placed.plain, added.position, added.created_at \
             FROM placed FULL JOIN added ON added.id = placed.id ORDER BY placed.nth"
        )
    };
}

/// The statements that append one message and many. They differ in how they lock accounts: with `SKIP LOCKED`, or
/// waiting.
pub(super) struct AppendStatements {
    pub(super) one: &'static str,
    pub(super) many: &'static str,
}

/// Skip locked owners.
pub(super) const SKIPPING_LOCKED: AppendStatements =
    AppendStatements { one: append_one!(" SKIP LOCKED"), many: append_many!(" SKIP LOCKED") };

/// Wait for locked owners.
pub(super) const WAITING_FOR_LOCKS: AppendStatements =
    AppendStatements { one: append_one!(""), many: append_many!("") };

/// Adds text chunks to the streams that end where they begin. The row of a stream is locked for a short time only, so
/// the statement waits for it.
pub(super) const APPEND_TEXT: &str = "WITH given AS MATERIALIZED ( \
       SELECT * FROM unnest($1::uuid[], $2::text[], $3::int8[], $4::text[], $5::int8[]) \
       AS given (message_id, owner_id, start, text, code_points)), \
     grown AS ( \
       UPDATE stream AS s SET length = s.length + given.code_points, written_at = $6 FROM given \
       WHERE s.message_id = given.message_id AND s.owner_id = given.owner_id AND s.length = given.start \
       RETURNING s.message_id, s.owner_id, s.length, s.stop_requested), \
     added AS ( \
       INSERT INTO message_text (message_id, start, text) \
       SELECT given.message_id, given.start, given.text FROM given JOIN grown USING (message_id, owner_id) \
       WHERE given.text <> '') \
     SELECT message_id, owner_id, length, stop_requested FROM grown";
