//! PostgreSQL's row-level security: a second check of ownership.
//!
//! The first check is the owner in the condition of every statement. This one protects against a statement that forgets
//! it. The [`policies`] show and accept only rows of the owners that the transaction names; a transaction that names
//! none cannot see or write any row. It does not protect against a client that can run its own statements.
//!
//! - A transaction names its owners for itself only (`set_config(…, true)`), so nothing is left on the connection.
//! - Owners are parameters, and PostgreSQL quotes them (`text[]` to text and back). No statement is built from an owner,
//!   because an issuer of tokens may choose any subject.
//! - **Reads** name the owners within the statement, without another round trip ([`scoped_sql!`], [`Reader`]): the query
//!   is a LATERAL subquery of the row that calls `set_config`. It uses a value of that row, and `OFFSET 0` prevents that
//!   PostgreSQL pulls it up, so it runs after that row. PostgreSQL evaluates the policies at the first row of the
//!   query, which is later.
//! - **Writes** name the owners in the first statement of the transaction (`store::transaction`), and a batch in a
//!   statement of its own ([`set_owners`]): a statement that writes has no order of evaluation to rely on.
//! - Background tasks look for old changes and silent writers of all owners. They name themselves instead of owners, and
//!   see accounts, changes, streams, shares and attachments, but no conversation and no message. They then act as each
//!   owner.

mod policies;

use sea_orm::prelude::async_trait::async_trait;
use sea_orm::sea_query::{Expr, ExprTrait, Func, FunctionCall, Query, SelectStatement};
use sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr};
use sea_orm::{ExecResult, QueryResult, Statement, Value, Values};
use sqlx::PgConnection;

pub(in crate::store) use policies::{apply, check_role, resume, suspend};

use crate::model::OwnerId;
use crate::traces::{Part, Trace};

/// The mode of row-level security.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RowLevelSecurity {
    /// Off. A database with policies is rejected.
    #[default]
    Off,
    /// Transactions name their owners, and policies are removed: the step between off and on.
    Ready,
    /// Transactions name their owners, and policies are created.
    On,
}

impl RowLevelSecurity {
    /// Whether transactions name their owners.
    pub(in crate::store) fn is_active(self) -> bool {
        self != Self::Off
    }

    /// The application name of the sessions. Other servers see from it whether transactions name their owners.
    pub(in crate::store) fn session(self) -> &'static str {
        if self.is_active() { "scrollback row-level security" } else { "scrollback" }
    }

    /// The text of a statement in this mode.
    pub(in crate::store) fn text(self, text: &SqlText) -> &'static str {
        if self.is_active() { text.scoped } else { text.plain }
    }
}

/// The text of a statement, without and with the owners for row-level security.
pub(in crate::store) struct SqlText {
    pub(in crate::store) plain: &'static str,
    pub(in crate::store) scoped: &'static str,
}

/// Makes a [`SqlText`] of a query, given in parts. The first argument is the parameter that has the array of owners.
macro_rules! scoped_sql {
    ($owners:literal; $($sql:expr),+ $(,)?) => {
        $crate::store::engine::row_level_security::SqlText {
            plain: concat!($($sql),+),
            scoped: concat!(
                "SELECT found.* FROM (SELECT set_config('scrollback.owners', (",
                $owners,
                "::text[])::text, true) AS owners OFFSET 0) AS named \
                 CROSS JOIN LATERAL (SELECT * FROM (",
                $($sql,)+
                ") AS query WHERE named.owners IS NOT NULL OFFSET 0) AS found",
            ),
        }
    };
}
pub(in crate::store) use scoped_sql;

/// The owners of the rows of a read.
enum ReadScope {
    /// These owners, as a JSON array.
    Owners(String),
    /// All owners, in the tables that background tasks can see.
    AllOwners,
}

/// A connection for reads. With row-level security it adds the owners to each statement.
pub(in crate::store) struct Reader<'a> {
    connection: &'a DatabaseConnection,
    scope: Option<ReadScope>,
    trace: Trace,
}

impl<'a> Reader<'a> {
    /// Reads rows of these owners.
    pub(in crate::store) fn of<'o>(
        row_level_security: RowLevelSecurity,
        connection: &'a DatabaseConnection,
        owners: impl Iterator<Item = &'o OwnerId>,
    ) -> Self {
        let json = || serde_json::Value::from_iter(owners.map(OwnerId::as_str)).to_string();
        let scope = row_level_security.is_active().then(|| ReadScope::Owners(json()));
        Self { connection, scope, trace: Trace::default() }
    }

    /// For background tasks: accounts, changes and streams of all owners.
    pub(in crate::store) fn of_all_owners(
        row_level_security: RowLevelSecurity,
        connection: &'a DatabaseConnection,
    ) -> Self {
        let scope = row_level_security.is_active().then_some(ReadScope::AllOwners);
        Self { connection, scope, trace: Trace::default() }
    }

    /// The same, with its reads recorded.
    pub(in crate::store) fn traced(self, trace: Trace) -> Self {
        Self { trace, ..self }
    }

    /// Makes a query name its owners first. The reader receives statements after SeaORM has built them, so it wraps
    /// their text.
    fn with_owners(&self, mut statement: Statement) -> Statement {
        let set = match &self.scope {
            None => return statement,
            Some(ReadScope::AllOwners) => "set_config('scrollback.upkeep', 'on', true)".to_owned(),
            Some(ReadScope::Owners(owners)) => {
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
            "SELECT found.* FROM (SELECT {set} AS owners OFFSET 0) AS named CROSS JOIN LATERAL \
             (SELECT * FROM ({}) AS query WHERE named.owners IS NOT NULL OFFSET 0) AS found",
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
        let _timer = self.trace.time(Part::Read);
        self.connection.query_one_raw(self.with_owners(statement)).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let _timer = self.trace.time(Part::Read);
        self.connection.query_all_raw(self.with_owners(statement)).await
    }
}

fn only_reads() -> DbErr {
    DbErr::Custom("a connection for reads cannot write".into())
}

/// Selects the row to insert, after naming its owner.
pub(in crate::store) fn with_owner(row: [Expr; 3], owner: &OwnerId) -> SelectStatement {
    let named = Query::select().expr_as(setting_of(owner), "owners").offset(0).take();
    let is_named = Expr::col(("named", "owners")).is_not_null();
    Query::select().exprs(row).from_subquery(named, "named").and_where(is_named).take()
}

/// Lets the rest of a transaction read what background tasks can see of all owners.
pub(in crate::store) async fn set_upkeep(transaction: &DatabaseTransaction) -> Result<(), DbErr> {
    let set = [Expr::val("scrollback.upkeep"), Expr::val("on"), Expr::val(true)];
    let set = Query::select().expr(Func::cust("set_config").args(set)).take();
    transaction.execute(&set).await.map(drop)
}

/// Names the owners for the rest of a transaction.
pub(in crate::store) async fn set_owners(
    transaction: &mut PgConnection,
    owners: &[&str],
) -> sqlx::Result<()> {
    // This is a connection of sqlx, which SeaORM cannot use.
    let set = sqlx::query("SELECT set_config('scrollback.owners', $1::text[]::text, true)");
    set.bind(owners).execute(transaction).await.map(drop)
}

/// The same for one owner and a transaction of SeaORM.
pub(in crate::store) async fn set_owner(
    transaction: &DatabaseTransaction,
    owner: &OwnerId,
) -> Result<(), DbErr> {
    transaction.execute(&Query::select().expr(setting_of(owner)).take()).await.map(drop)
}

/// The same for several owners.
pub(in crate::store) async fn set_owners_of(
    transaction: &DatabaseTransaction,
    owners: impl Iterator<Item = &OwnerId>,
) -> Result<(), DbErr> {
    let owners = serde_json::Value::from_iter(owners.map(OwnerId::as_str)).to_string();
    // SeaORM has no `ARRAY(SELECT …)`.
    let set = "SELECT set_config('scrollback.owners', \
               ARRAY(SELECT jsonb_array_elements_text($1::text::jsonb))::text, true)";
    let statement = Statement::from_sql_and_values(DbBackend::Postgres, set, [owners.into()]);
    transaction.execute_raw(statement).await.map(drop)
}

/// The expression that names the owner for the rest of a transaction.
fn setting_of(owner: &OwnerId) -> FunctionCall {
    let owners = [Expr::cust("'{}'::text[]"), Expr::val(owner.clone())];
    let owners = Expr::from(Func::cust("array_append").args(owners)).cast_as("text");
    Func::cust("set_config").args([Expr::val("scrollback.owners"), owners, Expr::val(true)])
}
