//! A lane on PostgreSQL: a batch is one statement, and so one round trip and one commit.
//!
//! The statement finds out what can be appended, locks, counts, inserts and answers. It sees the database
//! as it was when it began, but what it locks as it is by then; everything it decided before it had the
//! locks is decided again by the `UPDATE` that gives positions, and where that finds it wrong, a message
//! without a position is inserted, which the table refuses: the whole statement is undone.
//!
//! Whoever has an owner's row of `account` has all of the owner's conversations, because every write
//! takes it first. A lane never waits for one: an owner whose row somebody else has (a conversation being
//! deleted, another replica) falls out of the batch, and only that owner's appends wait. So lanes of
//! several replicas cannot deadlock, and nobody's long write holds up the others of the lane. Rows are
//! joined back on the id **and** the owner: the id alone would let a stranger's append in beside the
//! owner's.
//!
//! One append alone has a statement of its own, which costs a third of the other.

use std::collections::HashMap;

use sqlx::error::DatabaseError;
use sqlx::postgres::{PgPool, PgRow};
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use super::plan::Intake;
use super::{Batch, Desk, Draft, Grown, NewPiece, Outcome, Written};
use crate::model::{ChangeKind, Progress, Timestamp};
use crate::store::entity::message;
use crate::store::{Error, Result};

/// An id that is being inserted elsewhere is waited for, because it may not be committed; and so is the row
/// of a stream. So long at most, in milliseconds: others of the lane wait with it.
pub(in crate::store) const LOCK_TIMEOUT: &str = "250";

/// Reads where the conversation is, tells what kind of append it is, and writes it if it is ordinary.
const APPEND_ONE: &str = "WITH place AS MATERIALIZED ( \
       SELECT c.last_position AS seen, \
         $8::bytea IS NOT NULL AND EXISTS (SELECT FROM message AS m WHERE m.id = $3) AS known, \
         c.branches = 0 AND c.head_position = c.last_position AND ($14::uuid IS NULL OR $14 = \
           (SELECT m.id FROM message AS m WHERE m.conversation_id = c.id AND m.position = c.head_position)) AS plain \
       FROM conversation AS c WHERE c.id = $1 AND c.owner_id = $2), \
     free AS MATERIALIZED ( \
       SELECT a.id FROM account AS a, place WHERE a.id = $2 AND place.plain AND NOT place.known \
       FOR NO KEY UPDATE OF a SKIP LOCKED), \
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
       INSERT INTO change (owner_id, revision, kind, conversation_id, message_id, changed_at) \
       SELECT $2, clock.revision, $13, $1, $3, $4 FROM clock) \
     SELECT place.known, added.position, added.created_at FROM place LEFT JOIN added ON true";

/// The same for many: a row for each message, numbered by the append it belongs to.
///
/// The planner expects one row where there are hundreds, and would join in nested loops. So what follows
/// is joined in full, which it can only do by hashing or merging; neither side has rows the other lacks.
const APPEND_MANY: &str = "WITH given AS ( \
       SELECT * FROM unnest($1::int8[], $2::uuid[], $3::text[], $4::uuid[], $5::uuid[], $6::int2[], $7::text[], \
         $8::text[], $9::bytea[], $10::text[], $11::int2[], $12::text[], $13::text[]) WITH ORDINALITY \
       AS given (append, conversation_id, owner_id, head, id, role, content, metadata, fingerprint, parts, \
         status, model, usage, nth)), \
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
       FOR NO KEY UPDATE SKIP LOCKED), \
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
       INSERT INTO change (owner_id, revision, kind, conversation_id, message_id, changed_at) \
       SELECT owner_id, clock.revision + nth_of_owner, $15, conversation_id, ready.id, $14 \
       FROM ready FULL JOIN clock ON clock.id = ready.owner_id) \
     SELECT placed.append, placed.known, added.position, added.created_at \
     FROM placed FULL JOIN added ON added.id = placed.id ORDER BY placed.nth";

/// Adds pieces to the streams that end where they begin. A stream's row is held for moments only, so
/// it is waited for.
const GROW: &str = "WITH given AS MATERIALIZED ( \
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

/// Writes what comes until nothing can come any more.
pub(super) async fn serve(mut intake: Intake, pool: PgPool, desk: Desk) {
    while let Some(batch) = intake.next().await {
        let written = match pool.acquire().await {
            Ok(mut connection) => Lane { connection: &mut connection, desk: &desk }.write(&batch).await,
            Err(error) => Written::failed(&batch, &error.into()),
        };
        batch.settle(written, &desk.signals);
    }
}

struct Lane<'a> {
    connection: &'a mut PgConnection,
    desk: &'a Desk,
}

impl Lane<'_> {
    async fn write(&mut self, batch: &Batch) -> Written {
        let drafts: Vec<&Draft> = batch.appends.iter().map(|order| &order.work).collect();
        let pieces: Vec<&NewPiece> = batch.pieces.iter().map(|order| &order.work).collect();
        Written { appends: self.append(&drafts).await, pieces: self.grow(&pieces).await }
    }

    async fn append(&mut self, drafts: &[&Draft]) -> Vec<Result<Outcome>> {
        let together = match drafts {
            [] => return Vec::new(),
            [_] => None,
            drafts => match self.append_many(drafts).await {
                Ok(outcomes) => return outcomes.into_iter().map(Ok).collect(),
                Err(error) => Some(error),
            },
        };
        if let Some(error) = together
            && !is_refused(&error)
        {
            let error = Error::from(error);
            return drafts.iter().map(|_| Err(error.clone())).collect();
        }
        let mut results = Vec::with_capacity(drafts.len());
        for draft in drafts {
            let alone = match &draft.rows[..] {
                [row] => self.append_one(draft, row).await,
                _ => self.append_many(&[draft]).await.map(|outcomes| outcomes[0]),
            };
            results.push(fall_out(alone, Outcome::Apart));
        }
        results
    }

    async fn append_one(&mut self, draft: &Draft, row: &message::Model) -> sqlx::Result<Outcome> {
        let found = sqlx::query(APPEND_ONE)
            .bind(draft.conversation.0)
            .bind(draft.owner.as_str())
            .bind(row.id.0)
            .bind(self.now())
            .bind(row.role)
            .bind(&row.content)
            .bind(&row.metadata)
            .bind(row.fingerprint.as_deref())
            .bind(row.parts.as_deref())
            .bind(row.status)
            .bind(row.model.as_deref())
            .bind(row.usage.as_deref())
            .bind(ChangeKind::MessageAdded.code())
            .bind(draft.head.map(|head| head.0))
            .fetch_optional(&mut *self.connection)
            .await?;
        found.map_or(Ok(Outcome::NotFound), |found| outcome(&found, 0))
    }

    async fn append_many(&mut self, drafts: &[&Draft]) -> sqlx::Result<Vec<Outcome>> {
        let rows = || {
            let numbered = (0_i64..).zip(drafts);
            numbered.flat_map(|(append, draft)| draft.rows.iter().map(move |row| (append, draft, row)))
        };
        let found = sqlx::query(APPEND_MANY)
            .bind(rows().map(|(append, ..)| append).collect::<Vec<_>>())
            .bind(rows().map(|(_, draft, _)| draft.conversation.0).collect::<Vec<_>>())
            .bind(rows().map(|(_, draft, _)| draft.owner.as_str()).collect::<Vec<_>>())
            .bind(rows().map(|(_, draft, _)| draft.head.map(|head| head.0)).collect::<Vec<_>>())
            .bind(rows().map(|(.., row)| row.id.0).collect::<Vec<_>>())
            .bind(rows().map(|(.., row)| row.role).collect::<Vec<_>>())
            .bind(rows().map(|(.., row)| row.content.as_str()).collect::<Vec<_>>())
            .bind(rows().map(|(.., row)| row.metadata.as_str()).collect::<Vec<_>>())
            .bind(rows().map(|(.., row)| row.fingerprint.as_deref()).collect::<Vec<_>>())
            .bind(rows().map(|(.., row)| row.parts.as_deref()).collect::<Vec<_>>())
            .bind(rows().map(|(.., row)| row.status).collect::<Vec<_>>())
            .bind(rows().map(|(.., row)| row.model.as_deref()).collect::<Vec<_>>())
            .bind(rows().map(|(.., row)| row.usage.as_deref()).collect::<Vec<_>>())
            .bind(self.now())
            .bind(ChangeKind::MessageAdded.code())
            .fetch_all(&mut *self.connection)
            .await?;
        let mut outcomes = vec![Outcome::NotFound; drafts.len()];
        // The first message of an append tells where it begins, so it is the last to be looked at.
        for row in found.iter().rev() {
            let append: i64 = row.try_get(0)?;
            outcomes[append as usize] = outcome(row, 1)?;
        }
        Ok(outcomes)
    }

    async fn grow(&mut self, pieces: &[&NewPiece]) -> Vec<Result<Grown>> {
        if pieces.is_empty() {
            return Vec::new();
        }
        let together = match self.grow_many(pieces).await {
            Ok(grown) => return grown.into_iter().map(Ok).collect(),
            Err(error) => error,
        };
        if !is_refused(&together) {
            let error = Error::from(together);
            return pieces.iter().map(|_| Err(error.clone())).collect();
        }
        let mut results = Vec::with_capacity(pieces.len());
        for piece in pieces {
            let alone = self.grow_many(&[piece]).await;
            results.push(alone.map(|grown| grown[0]).map_err(Error::from));
        }
        results
    }

    async fn grow_many(&mut self, pieces: &[&NewPiece]) -> sqlx::Result<Vec<Grown>> {
        let found = sqlx::query(GROW)
            .bind(pieces.iter().map(|piece| piece.message.0).collect::<Vec<_>>())
            .bind(pieces.iter().map(|piece| piece.owner.as_str()).collect::<Vec<_>>())
            .bind(pieces.iter().map(|piece| piece.start).collect::<Vec<_>>())
            .bind(pieces.iter().map(|piece| piece.text.as_str()).collect::<Vec<_>>())
            .bind(pieces.iter().map(|piece| piece.code_points).collect::<Vec<_>>())
            .bind(self.now())
            .fetch_all(&mut *self.connection)
            .await?;
        let mut grown = vec![None; pieces.len()];
        let nth: HashMap<_, _> =
            (0..).zip(pieces).map(|(nth, piece)| ((piece.message.0, piece.owner.as_str()), nth)).collect();
        for row in found {
            let key: (Uuid, &str) = (row.try_get(0)?, row.try_get(1)?);
            if let Some(nth) = nth.get(&key) {
                grown[*nth] = Some(Progress { length: row.try_get(2)?, stop_requested: row.try_get(3)? });
            }
        }
        Ok(grown)
    }

    fn now(&self) -> i64 {
        self.desk.count(1);
        self.desk.clock.now().0
    }
}

/// From three columns: whether an id was known; where the message is and since when, if it is.
fn outcome(row: &PgRow, column: usize) -> sqlx::Result<Outcome> {
    Ok(match (row.try_get(column)?, row.try_get(column + 1)?, row.try_get(column + 2)?) {
        (_, Some(first), Some(created_at)) => Outcome::Appended { first, created_at: Timestamp(created_at) },
        (true, ..) => Outcome::Known,
        _ => Outcome::Apart,
    })
}

/// Whether the database refused the statement for what is in it or for who else is at it: values (22),
/// constraints (23), deadlocks (40), limits (54), locks that take too long (55).
/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>
fn is_refused(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(DatabaseError::code);
    code.is_some_and(|code| ["22", "23", "40", "54", "55"].iter().any(|class| code.starts_with(class)))
}

/// What is refused even alone is left to the operation that asked for it.
fn fall_out<T>(alone: sqlx::Result<T>, apart: T) -> Result<T> {
    alone.or_else(|error| if is_refused(&error) { Ok(apart) } else { Err(error.into()) })
}
