//! The second fence: PostgreSQL's own row-level security, where it is asked for.
//!
//! The first fence is that the owner stands in the condition of every statement. This one is for the
//! statement that forgets it. The [`policies`] show and take rows only of the owners that the session says
//! it is at work for; a statement that does not say it sees nothing and writes nothing. It is no fence
//! against somebody who can run statements of their own: they would say what they like.
//!
//! - Whose rows a statement is about is said for its own transaction only, so that nothing of it is left on
//!   the connection for the next one.
//! - Owners travel as parameters and are quoted by PostgreSQL itself (`text[]` to text and back). Never is
//!   a statement put together out of one: subjects are whatever an issuer likes.
//! - **Reads** say it within their own statement, without a round trip more ([`fenced!`], [`Reader`]): what
//!   is read is a LATERAL subquery of the row that says it. That one needs a value of the row, and `OFFSET 0`
//!   keeps it from being pulled up, so it can only be run for the row, after it. The policies' own
//!   subqueries are evaluated when the first row is looked at, later still.
//! - **Writes** say it in the transaction's first statement (`tx`), a batch in one of its own ([`tell`]):
//!   within a statement that writes there is no order to rely on.
//! - Upkeep, which looks for old changes and silent writers of all owners, says so instead, and sees
//!   accounts, changes and streams, but no conversation and no message. It then acts as each owner.

mod policies;

use sea_orm::prelude::async_trait::async_trait;
use sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr};
use sea_orm::{ExecResult, QueryResult, Statement, Value, Values};
use sqlx::PgConnection;

pub(in crate::store) use policies::{check_role, force, lift, settle};

use crate::model::OwnerId;

/// What is done about row-level security.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RowLevelSecurity {
    /// Nothing. Refuses a database where it is up.
    #[default]
    Off,
    /// Statements say whose rows they are about, and the fence is taken down: the step between the others.
    Ready,
    /// The same, and the fence is put up.
    On,
}

impl RowLevelSecurity {
    /// Whether statements say whose rows they are about.
    pub(in crate::store) fn is_told(self) -> bool {
        self != Self::Off
    }

    /// What sessions are called, by which others know whether they say it.
    pub(in crate::store) fn session(self) -> &'static str {
        if self.is_told() { "scrollback fenced" } else { "scrollback" }
    }

    /// The text of a statement as it is run.
    pub(in crate::store) fn text(self, text: &Text) -> &'static str {
        if self.is_told() { text.fenced } else { text.plain }
    }
}

/// A statement whose text is constant, without and with the fence.
pub(in crate::store) struct Text {
    pub(in crate::store) plain: &'static str,
    pub(in crate::store) fenced: &'static str,
}

/// Makes a [`Text`] of a query, given in pieces, that has the owners among its parameters: the first piece
/// names that one, an array.
macro_rules! fenced {
    ($owners:literal; $($sql:expr),+ $(,)?) => {
        $crate::store::engine::row_level_security::Text {
            plain: concat!($($sql),+),
            fenced: concat!(
                "SELECT found.* FROM (SELECT set_config('scrollback.owners', (",
                $owners,
                "::text[])::text, true) AS told OFFSET 0) AS fence \
                 CROSS JOIN LATERAL (SELECT * FROM (",
                $($sql,)+
                ") AS sought WHERE fence.told IS NOT NULL OFFSET 0) AS found",
            ),
        }
    };
}
pub(in crate::store) use fenced;

/// Whose rows are read.
enum Whose {
    /// Of these owners, as a JSON array.
    Owners(String),
    /// Of everybody, where that can be seen.
    Everybody,
}

/// Where to read what belongs to somebody.
pub(in crate::store) struct Reader<'a> {
    connection: &'a DatabaseConnection,
    whose: Option<Whose>,
}

impl<'a> Reader<'a> {
    /// For what belongs to these owners.
    pub(in crate::store) fn of<'o>(
        fence: RowLevelSecurity,
        connection: &'a DatabaseConnection,
        owners: impl Iterator<Item = &'o OwnerId>,
    ) -> Self {
        let json = || serde_json::Value::from_iter(owners.map(OwnerId::as_str)).to_string();
        Self { connection, whose: fence.is_told().then(|| Whose::Owners(json())) }
    }

    /// For upkeep: for accounts, changes and streams, whoever owns them.
    pub(in crate::store) fn of_everybody(
        fence: RowLevelSecurity,
        connection: &'a DatabaseConnection,
    ) -> Self {
        Self { connection, whose: fence.is_told().then_some(Whose::Everybody) }
    }

    /// A query that first says whose rows it is about.
    fn tell(&self, mut statement: Statement) -> Statement {
        let set = match &self.whose {
            None => return statement,
            Some(Whose::Everybody) => "set_config('scrollback.upkeep', 'on', true)".to_owned(),
            Some(Whose::Owners(owners)) => {
                let values = &mut statement.values.get_or_insert_with(|| Values(Vec::new())).0;
                values.push(Value::from(owners.clone()));
                let owners = values.len();
                format!(
                    "set_config('scrollback.owners', \
                     ARRAY(SELECT jsonb_array_elements_text(${owners}::text::jsonb))::text, true)"
                )
            }
        };
        statement.sql = format!(
            "SELECT found.* FROM (SELECT {set} AS told OFFSET 0) AS fence CROSS JOIN LATERAL \
             (SELECT * FROM ({}) AS sought WHERE fence.told IS NOT NULL OFFSET 0) AS found",
            statement.sql
        );
        statement
    }
}

#[async_trait]
impl ConnectionTrait for Reader<'_> {
    fn get_database_backend(&self) -> DbBackend {
        self.connection.get_database_backend()
    }

    async fn execute_raw(&self, _: Statement) -> Result<ExecResult, DbErr> {
        Err(only_reads())
    }

    async fn execute_unprepared(&self, _: &str) -> Result<ExecResult, DbErr> {
        Err(only_reads())
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.connection.query_one_raw(self.tell(statement)).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.connection.query_all_raw(self.tell(statement)).await
    }
}

fn only_reads() -> DbErr {
    DbErr::Custom("a reader was asked to write".into())
}

/// Says whose rows the rest of a transaction is about.
pub(in crate::store) async fn tell(transaction: &mut PgConnection, owners: &[&str]) -> sqlx::Result<()> {
    let tell = sqlx::query("SELECT set_config('scrollback.owners', $1::text[]::text, true)");
    tell.bind(owners).execute(transaction).await.map(drop)
}

/// The same for a transaction of SeaORM's and one owner.
pub(in crate::store) async fn tell_one(
    transaction: &DatabaseTransaction,
    owner: &OwnerId,
) -> Result<(), DbErr> {
    let tell = "SELECT set_config('scrollback.owners', ARRAY[$1::text]::text, true)";
    let values = [owner.clone().into()];
    let statement = Statement::from_sql_and_values(transaction.get_database_backend(), tell, values);
    transaction.execute_raw(statement).await.map(drop)
}
