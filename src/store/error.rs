//! Errors of the store.

use std::borrow::Cow;

use sea_orm::sqlx;
use sea_orm::{DbErr, RuntimeErr, SqlErr};

use crate::memory::MemoryError;
use crate::model::{Invalid, MessageId, Scope};
use crate::store::engine::connect::POOLER_WITHOUT_SESSIONS;
use crate::tokens::CountError;

/// Why a read or a write failed. After an error nothing was written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The object does not exist, or belongs to another owner. The error does not say which.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// The id was used before, for something else or by another owner. The error does not say which.
    #[error("the id has been used for something else")]
    Conflict,
    /// The head is not the expected message. It is this one, if any.
    #[error("another message is the head")]
    HeadMoved(Option<MessageId>),
    /// The offset is behind the end of the text. The text has this many code points.
    #[error("the text has a hole: it is {0} code points long")]
    Hole(i64),
    /// The state of the message does not allow the operation.
    #[error("the message is {0}")]
    State(&'static str),
    /// The conversation is in the trash, where it takes no new messages.
    #[error("the conversation is in the trash: restore it first")]
    Trashed,
    /// The owner is being erased, or was a moment ago. Nothing of theirs is written.
    #[error("the user is being erased: nothing can be written")]
    BeingErased,
    /// The configuration turns shares off.
    #[error("sharing is turned off on this server")]
    SharesDisabled,
    /// The configuration turns attachments off.
    #[error("attachments are turned off on this server: see `files.enabled` and `files.storage`")]
    FilesDisabled,
    /// A message or a share refers to the attachment.
    #[error("the attachment is used by a message or a share: delete that first")]
    AttachmentInUse,
    /// Another upload of the same file was faster.
    #[error("another upload of the same file is going on: ask how far it is, and go on from there")]
    UploadMoved,
    /// An upload has more bytes than the file was said to have.
    #[error("the file has more than the {0} bytes that it was said to have")]
    TooManyBytes(i64),
    /// An upload is not the file that was announced.
    #[error("the file has another SHA-256 than it was said to have: it was removed")]
    WrongHash,
    /// The credentials lack a scope.
    #[error("this requires a token with the scope `{}`", .0.as_str())]
    ScopeRequired(Scope),
    /// The write queue is full.
    #[error("too many writes are waiting: try again")]
    Busy,
    /// The input broke a rule that only the store can check.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The messages that every context window contains do not fit.
    #[error(
        "`maxTokens` must be at least {required} for the SYSTEM and pinned messages of this branch and the tool calls \
         that belong to them, got {given}"
    )]
    ContextTooSmall {
        /// The tokens of all these messages.
        required: i64,
        /// The limit of the request.
        given: i64,
    },
    /// The changes after this cursor were trimmed.
    #[error("the feed of changes no longer reaches back to this cursor: read again, then follow")]
    Expired,
    /// The result needs more memory than the operation may use.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// The database cannot be reached or is too busy. A retry can succeed.
    #[error("the database is not available just now")]
    Unavailable(#[source] DbErr),
    /// A bug of Scrollback: a statement that fails, or a row that does not convert.
    #[error("the store failed: {0}")]
    Internal(#[source] DbErr),
}

/// The result of a store operation.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An invariant is broken.
    pub(crate) fn broken(what: String) -> Self {
        Self::Internal(DbErr::Custom(what))
    }

    /// A failure that a retry can avoid.
    pub(crate) fn unavailable(what: impl Into<String>) -> Self {
        Self::Unavailable(DbErr::Custom(what.into()))
    }
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) {
            return Self::Conflict;
        }
        if is_transient(&error) {
            Self::Unavailable(error)
        } else if is_pooler_error(&error) {
            Self::Internal(DbErr::Custom(POOLER_WITHOUT_SESSIONS.to_owned()))
        } else {
            Self::Internal(error)
        }
    }
}

impl From<CountError> for Error {
    fn from(error: CountError) -> Self {
        Self::broken(error.to_string())
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        DbErr::Query(RuntimeErr::SqlxError(error.into())).into()
    }
}

/// The SQLite threads use rusqlite, which has its own errors.
impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        let code = error.sqlite_error().map(|error| error.extended_code.to_string());
        let cause = DbErr::Custom(error.to_string());
        if code.is_some_and(|code| is_transient_code(&code)) {
            Self::Unavailable(cause)
        } else {
            Self::Internal(cause)
        }
    }
}

/// Whether the connection or the load caused the error, not the statement.
fn is_transient(error: &DbErr) -> bool {
    match error {
        DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => true,
        DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error)) => {
            match error.as_ref() {
                sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::Protocol(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed => true,
                sqlx::Error::Database(error) => error.code().is_some_and(|code| is_transient_code(&code)),
                _ => false,
            }
        }
        _ => false,
    }
}

/// Whether a prepared statement is missing, or exists before it was prepared. Then a pooler between Scrollback and
/// PostgreSQL changed the session. The check at startup rejects poolers that do this from the start.
fn is_pooler_error(error: &DbErr) -> bool {
    matches!(database_code(error).as_deref(), Some("26000" | "42P05"))
}

/// Whether another session of PostgreSQL held a lock: a deadlock, or `lock_timeout`.
pub(in crate::store) fn is_lock_conflict(error: &DbErr) -> bool {
    matches!(database_code(error).as_deref(), Some("40P01" | "55P03"))
}

fn database_code(error: &DbErr) -> Option<Cow<'_, str>> {
    let (DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error))) = error
    else {
        return None;
    };
    match error.as_ref() {
        sqlx::Error::Database(error) => error.code(),
        _ => None,
    }
}

/// PostgreSQL: connection exceptions (08), serialization failure and deadlock (40), out of resources (53), lock not
/// available (55P03), operator intervention (57), system error (58). SQLite: BUSY (5), LOCKED (6), INTERRUPT (9, a
/// deadline), IOERR (10), FULL (13) and their extended codes.
/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>, <https://sqlite.org/rescode.html>
fn is_transient_code(code: &str) -> bool {
    if code.len() == 5 {
        return ["08", "40", "53", "55P03", "57", "58"].iter().any(|class| code.starts_with(class));
    }
    code.parse::<i32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6 | 9 | 10 | 13))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_transient_errors_are_unavailable() {
        for code in [
            "08006", "57P01", "53300", "55P03", "58030", "40P01", "57014", "5", "9", "517", "6", "1034", "13",
        ] {
            assert!(is_transient_code(code), "{code}");
        }
        for code in ["42601", "23505", "1", "2067", "11"] {
            assert!(!is_transient_code(code), "{code}");
        }
    }
}
