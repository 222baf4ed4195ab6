//! What can go wrong in the store.

use sea_orm::sqlx;
use sea_orm::{DbErr, RuntimeErr, SqlErr};

use crate::memory::Refused;
use crate::model::{Invalid, MessageId};
use crate::store::engine::connect::NO_SESSIONS;
use crate::tokens::CountError;

/// Why a read or a write did not happen. After any of them nothing was written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// No such object for this viewer; absent and foreign look the same.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// An id was used before, for something else or by somebody else. It does not say which.
    #[error("the id has been used for something else")]
    Conflict,
    /// Another message is the head than was expected: this one, if any.
    #[error("another message is the head")]
    HeadMoved(Option<MessageId>),
    /// A piece of text does not begin where the text ends, which is here.
    #[error("the text has a hole: it is {0} code points long")]
    Hole(i64),
    /// The message is in a state that does not allow it: this one.
    #[error("the message is {0}")]
    State(&'static str),
    /// So many writes wait already that another one would wait for too long.
    #[error("too many writes are waiting: try again")]
    Busy,
    /// The input broke a rule that only the store can check.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// What is in every context window does not fit.
    #[error(
        "`maxTokens` must be at least {required} for the SYSTEM and pinned messages of this branch and the tool calls \
         that belong to them, got {given}"
    )]
    ContextTooSmall {
        /// The tokens of all these messages.
        required: i64,
        /// What was asked for.
        given: i64,
    },
    /// A place in the feed that is no longer kept.
    #[error("the feed of changes no longer reaches back to this cursor: read again, then follow")]
    Expired,
    /// What was asked for is more than may be held in memory.
    #[error(transparent)]
    Memory(#[from] Refused),
    /// The database cannot be reached or is too busy; trying again may help.
    #[error("the database is not available just now")]
    Unavailable(#[source] DbErr),
    /// A fault of ours: a statement that fails, a row that does not convert.
    #[error("the store failed: {0}")]
    Internal(#[source] DbErr),
}

/// What a store operation gives.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Something that cannot be unless there is a fault of ours.
    pub(crate) fn broken(what: String) -> Self {
        Self::Internal(DbErr::Custom(what))
    }

    /// Something that may be otherwise when it is tried again.
    pub(crate) fn unavailable(what: impl Into<String>) -> Self {
        Self::Unavailable(DbErr::Custom(what.into()))
    }
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) {
            return Self::Conflict;
        }
        if is_passing(&error) {
            Self::Unavailable(error)
        } else if lost_its_session(&error) {
            Self::Internal(DbErr::Custom(NO_SESSIONS.to_owned()))
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

/// The threads' connections to SQLite have errors of their own.
impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        let code = error.sqlite_error().map(|error| error.extended_code.to_string());
        let cause = DbErr::Custom(error.to_string());
        if code.is_some_and(|code| is_passing_code(&code)) {
            Self::Unavailable(cause)
        } else {
            Self::Internal(cause)
        }
    }
}

/// Whether the fault lies with the connection or the load rather than with the statement.
fn is_passing(error: &DbErr) -> bool {
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
                sqlx::Error::Database(error) => error.code().is_some_and(|code| is_passing_code(&code)),
                _ => false,
            }
        }
        _ => false,
    }
}

/// Whether a statement that was prepared is not there, or is there before it was: then a pooler between
/// the server and PostgreSQL has changed the session. Where it does at the start, it is refused then.
fn lost_its_session(error: &DbErr) -> bool {
    let (DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error))) = error
    else {
        return false;
    };
    let code = match error.as_ref() {
        sqlx::Error::Database(error) => error.code(),
        _ => None,
    };
    matches!(code.as_deref(), Some("26000" | "42P05"))
}

/// PostgreSQL: connection exceptions (08), serialization failure and deadlock (40), out of resources
/// (53), a lock that took too long (55P03), operator intervention (57), the system around it (58).
/// SQLite: BUSY (5), LOCKED (6), INTERRUPT (9: it took too long), IOERR (10), FULL (13) and their extended
/// codes.
/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>, <https://sqlite.org/rescode.html>
fn is_passing_code(code: &str) -> bool {
    if code.len() == 5 {
        return ["08", "40", "53", "55P03", "57", "58"].iter().any(|class| code.starts_with(class));
    }
    code.parse::<i32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6 | 9 | 10 | 13))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_passing_faults_are_unavailable() {
        for code in [
            "08006", "57P01", "53300", "55P03", "58030", "40P01", "57014", "5", "9", "517", "6", "1034", "13",
        ] {
            assert!(is_passing_code(code), "{code}");
        }
        for code in ["42601", "23505", "1", "2067", "11"] {
            assert!(!is_passing_code(code), "{code}");
        }
    }
}
