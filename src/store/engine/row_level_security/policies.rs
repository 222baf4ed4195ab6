//! Creates, removes and checks the policies.
//!
//! They are put up and taken down at the start, table by table, each in a transaction of its own that locks
//! nothing else: servers are at work meanwhile, and a lock on several tables would meet theirs half way.
//! Policies that are up are left alone, which needs no rights to the tables. One that is ever changed needs
//! a new name, by which it is missed where the old one is up.
//!
//! The tables' owner is bound by them too (FORCE), because that is who serves. Superusers and roles with
//! BYPASSRLS are not, so they are refused.

use anyhow::{Context, bail};
use sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr};
use sea_orm::{FromQueryResult, Statement};

use super::RowLevelSecurity;
use crate::store::engine::connect::alone;

/// Where statements find the setting that is about this.
const SETTING: &str = "`database.row_level_security`";

/// Evaluated once for each statement, not for each row. After a transaction that has set it a setting is
/// empty rather than absent.
macro_rules! own {
    ($column:literal) => {
        concat!(
            $column,
            " = ANY ((SELECT nullif(current_setting('scrollback.owners', true), '')::text[])::text[])"
        )
    };
}

/// A table, whose rows of it a statement may see and write, and whether upkeep sees all of them. What hangs
/// on another table's row is there for whom that row is there: a subquery is bound by that table's policy.
struct Table {
    name: &'static str,
    own: &'static str,
    upkeep: bool,
}

const TABLES: &[Table] = &[
    Table { name: "account", own: own!("id"), upkeep: true },
    Table { name: "conversation", own: own!("owner_id"), upkeep: false },
    Table { name: "message", own: own!("owner_id"), upkeep: false },
    Table { name: "change", own: own!("owner_id"), upkeep: true },
    Table { name: "stream", own: own!("owner_id"), upkeep: true },
    Table {
        name: "branch",
        own: "(SELECT true FROM conversation AS c WHERE c.id = branch.conversation_id)",
        upkeep: false,
    },
    Table {
        name: "message_text",
        own: "(SELECT true FROM message AS m WHERE m.id = message_text.message_id)",
        upkeep: false,
    },
    Table { name: "message_token_count", own: own!("owner_id"), upkeep: false },
];

const OWN: &str = "scrollback_own";
const UPKEEP: &str = "scrollback_upkeep";

/// How long the lock on a table may be waited for: later statements wait behind it.
const PATIENCE: &str = "SET LOCAL lock_timeout = '2s'";

/// What is up on a table.
#[derive(FromQueryResult)]
struct State {
    enabled: bool,
    forced: bool,
    own: bool,
    upkeep: bool,
}

#[derive(FromQueryResult)]
struct Role {
    name: String,
    superuser: bool,
    bypasses: bool,
}

/// Creates or removes the policies, as the setting says, or checks that there are none.
///
/// # Errors
/// The role may not change it, it is up where nobody asks for it, or others do not ask for it.
pub(in crate::store) async fn settle(
    connection: &DatabaseConnection,
    row_level_security: RowLevelSecurity,
) -> anyhow::Result<()> {
    if connection.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    for table in TABLES {
        let state = state(connection, table).await?;
        let is_up = state.is_up(table);
        let step = match row_level_security {
            RowLevelSecurity::Off if state.enabled && state.own => bail!(
                "row-level security is up on the table `{}`, and a server that is not told so would find \
                 nothing there: set {SETTING} to \"on\", or to \"ready\" to take it down",
                table.name
            ),
            RowLevelSecurity::Ready if state.is_anything() => Step::Down,
            RowLevelSecurity::On if !is_up => Step::Up,
            _ => continue,
        };
        if step == Step::Up {
            refuse_blind(connection).await?;
        }
        alone(connection, async |tx| {
            tx.execute_unprepared(PATIENCE).await?;
            table.take(tx, step).await
        })
        .await
        .with_context(|| format!("cannot change row-level security on `{}` ({SETTING})", table.name))?;
    }
    Ok(())
}

/// Refuses a role that policies would not bind, before anything is changed.
///
/// # Errors
/// The database has no such thing, or the role is not bound by it.
pub(in crate::store) async fn check_role(
    connection: &DatabaseConnection,
    row_level_security: RowLevelSecurity,
) -> anyhow::Result<()> {
    if row_level_security == RowLevelSecurity::Off {
        return Ok(());
    }
    if connection.get_database_backend() != DbBackend::Postgres {
        bail!("the setting {SETTING} is for PostgreSQL");
    }
    let query = "SELECT rolname::text AS name, rolsuper AS superuser, rolbypassrls AS bypasses \
                 FROM pg_roles WHERE rolname = current_user";
    let statement = Statement::from_string(DbBackend::Postgres, query);
    let role = Role::find_by_statement(statement).one(connection).await?;
    let role = role.context("PostgreSQL does not tell the current role")?;
    let why = match role {
        Role { superuser: true, .. } => "is a superuser",
        Role { bypasses: true, .. } => "has BYPASSRLS",
        _ => return Ok(()),
    };
    bail!(
        "the setting {SETTING} is worth nothing: the role `{}` {why}, and sees every row all the same",
        role.name
    )
}

/// Servers that do not say whose rows they are about would find nothing from now on. Those of this role can
/// be seen.
async fn refuse_blind(connection: &DatabaseConnection) -> anyhow::Result<()> {
    let query = "SELECT count(*) AS sessions FROM pg_stat_activity \
                 WHERE datname = current_database() AND application_name = $1";
    let values = [RowLevelSecurity::Off.session().into()];
    let statement = Statement::from_sql_and_values(DbBackend::Postgres, query, values);
    match Blind::find_by_statement(statement).one(connection).await? {
        Some(Blind { sessions }) if sessions > 0 => bail!(
            "{sessions} sessions are of servers where {SETTING} is \"off\", which would find nothing from now on: \
             set it to \"ready\" on all servers first"
        ),
        _ => Ok(()),
    }
}

#[derive(FromQueryResult)]
struct Blind {
    sessions: i64,
}

async fn state(connection: &impl ConnectionTrait, table: &Table) -> anyhow::Result<State> {
    let query = "SELECT c.relrowsecurity AS enabled, c.relforcerowsecurity AS forced, \
         EXISTS (SELECT FROM pg_policy WHERE polrelid = c.oid AND polname = $2) AS own, \
         EXISTS (SELECT FROM pg_policy WHERE polrelid = c.oid AND polname = $3) AS upkeep \
         FROM pg_class AS c WHERE c.oid = to_regclass($1)";
    let values = [table.name.into(), OWN.into(), UPKEEP.into()];
    let statement = Statement::from_sql_and_values(DbBackend::Postgres, query, values);
    let found = State::find_by_statement(statement).one(connection).await?;
    found.with_context(|| format!("there is no table `{}`", table.name))
}

impl State {
    fn is_up(&self, table: &Table) -> bool {
        self.enabled && self.forced && self.own && self.upkeep == table.upkeep
    }

    fn is_anything(&self) -> bool {
        self.enabled || self.forced || self.own || self.upkeep
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Up,
    Down,
}

impl Table {
    /// Whatever is there before. Replicas that do it at the same time do it one after the other.
    async fn take(&self, tx: &DatabaseTransaction, step: Step) -> Result<(), DbErr> {
        let Self { name, own, upkeep } = self;
        let mut statements = vec![
            format!("DROP POLICY IF EXISTS {OWN} ON {name}"),
            format!("DROP POLICY IF EXISTS {UPKEEP} ON {name}"),
        ];
        if step == Step::Up {
            statements.push(format!("CREATE POLICY {OWN} ON {name} USING ({own}) WITH CHECK ({own})"));
            if *upkeep {
                let told = "(SELECT current_setting('scrollback.upkeep', true)) = 'on'";
                statements.push(format!("CREATE POLICY {UPKEEP} ON {name} FOR SELECT USING ({told})"));
            }
        }
        let (enable, force) = if step == Step::Up { ("ENABLE", "FORCE") } else { ("DISABLE", "NO FORCE") };
        statements
            .push(format!("ALTER TABLE {name} {enable} ROW LEVEL SECURITY, {force} ROW LEVEL SECURITY"));
        for statement in statements {
            tx.execute_unprepared(&statement).await?;
        }
        Ok(())
    }
}

#[derive(FromQueryResult)]
struct Forced {
    name: String,
}

/// Lets the tables' owner through for the rest of a transaction, because a migration is about all rows.
/// Gives where [`force`] is to bind it again.
pub(in crate::store) async fn lift(tx: &DatabaseTransaction) -> Result<Vec<String>, DbErr> {
    let mut lifted = Vec::new();
    if tx.get_database_backend() != DbBackend::Postgres {
        return Ok(lifted);
    }
    for Table { name, .. } in TABLES {
        let query =
            "SELECT relname::text AS name FROM pg_class WHERE oid = to_regclass($1) AND relforcerowsecurity";
        let statement = Statement::from_sql_and_values(DbBackend::Postgres, query, [(*name).into()]);
        if let Some(Forced { name }) = Forced::find_by_statement(statement).one(tx).await? {
            tx.execute_unprepared(&format!("ALTER TABLE {name} NO FORCE ROW LEVEL SECURITY")).await?;
            lifted.push(name);
        }
    }
    Ok(lifted)
}

/// Binds the tables' owner again where it was bound and the table is still there.
pub(in crate::store) async fn force(tx: &DatabaseTransaction, lifted: &[String]) -> Result<(), DbErr> {
    for name in lifted {
        tx.execute_unprepared(&format!("ALTER TABLE IF EXISTS {name} FORCE ROW LEVEL SECURITY")).await?;
    }
    Ok(())
}
