//! Creates, removes and checks the policies of row-level security.
//!
//! This happens at startup, table by table. Each table has a transaction of its own that locks nothing else, because
//! servers are working in the meantime: locks on several tables could deadlock with theirs. Policies that exist are
//! left alone, which needs no rights on the tables. If a policy is ever changed, it needs a new name, so that startup
//! replaces the old one.
//!
//! The policies also apply to the owner of the tables (FORCE), because Scrollback connects as that role. They do not
//! apply to superusers and roles with BYPASSRLS, so startup rejects those.
//!
//! SQL stands here as text because SeaORM has no policies, no `SET`, and no entities of PostgreSQL's catalogs.

use anyhow::{Context, bail};
use sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr};
use sea_orm::{FromQueryResult, Statement};

use super::RowLevelSecurity;
use crate::store::engine::connect::in_exclusive_transaction;

/// The name of the setting in messages.
const SETTING: &str = "`database.row_level_security`";

/// The condition of a policy. PostgreSQL evaluates the subquery once for each statement, not for each row. After a
/// transaction that set it, the setting is empty, not absent.
macro_rules! own {
    ($column:literal) => {
        concat!(
            $column,
            " = ANY ((SELECT nullif(current_setting('scrollback.owners', true), '')::text[])::text[])"
        )
    };
}

/// A table and its policies. A row that depends on a row of another table is visible if that row is: the subquery is
/// subject to the policies of the other table.
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
    Table { name: "search_state", own: own!("owner_id"), upkeep: true },
    Table { name: "search_segment", own: own!("owner_id"), upkeep: false },
    Table { name: "search_block", own: own!("owner_id"), upkeep: false },
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
    Table { name: "conversation_label", own: own!("owner_id"), upkeep: false },
    Table { name: "message_feedback", own: own!("owner_id"), upkeep: false },
    Table { name: "deleted_usage", own: own!("owner_id"), upkeep: false },
    // A share is found by its secret before it is known whose it is.
    Table { name: "share", own: own!("owner_id"), upkeep: true },
    Table { name: "shared_message", own: own!("owner_id"), upkeep: false },
    // An attachment is found by its signed URL before it is known whose it is.
    Table { name: "attachment", own: own!("owner_id"), upkeep: true },
    Table { name: "attachment_reference", own: own!("owner_id"), upkeep: false },
    Table { name: "blob", own: own!("owner_id"), upkeep: false },
    Table { name: "blob_chunk", own: own!("owner_id"), upkeep: false },
    Table { name: "webhook_position", own: own!("owner_id"), upkeep: true },
];

const OWN: &str = "scrollback_own";
const UPKEEP: &str = "scrollback_upkeep";

/// The maximum wait for the lock on a table: later statements wait behind it.
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '2s'";

/// The policies that a table has.
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

/// Creates or removes the policies according to the setting, or checks that there are none.
///
/// # Errors
/// The role may not change the table, the table has policies although the setting is off, or other servers do not
/// name their owners.
pub(in crate::store) async fn apply(
    connection: &DatabaseConnection,
    row_level_security: RowLevelSecurity,
) -> anyhow::Result<()> {
    if connection.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    for table in TABLES {
        let state = state(connection, table).await?;
        let has_policies = state.has_policies(table);
        let change = match row_level_security {
            RowLevelSecurity::Off if state.enabled && state.own => bail!(
                "the table `{}` has row-level security, but {SETTING} is \"off\": set it to \"on\", or to \"ready\" to \
                 remove the policies",
                table.name
            ),
            RowLevelSecurity::Ready if state.has_any() => PolicyChange::Remove,
            RowLevelSecurity::On if !has_policies => PolicyChange::Create,
            _ => continue,
        };
        if change == PolicyChange::Create {
            check_sessions(connection).await?;
        }
        in_exclusive_transaction(connection, async |tx| {
            tx.execute_unprepared(LOCK_TIMEOUT).await?;
            table.change(tx, change).await
        })
        .await
        .with_context(|| format!("cannot change row-level security on `{}` ({SETTING})", table.name))?;
    }
    Ok(())
}

/// Rejects a role that policies do not apply to, before anything is changed.
///
/// # Errors
/// The database is not PostgreSQL, or policies do not apply to the role.
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
    let role = role.context("PostgreSQL does not list the current role in pg_roles")?;
    let why = match role {
        Role { superuser: true, .. } => "is a superuser",
        Role { bypasses: true, .. } => "has BYPASSRLS",
        _ => return Ok(()),
    };
    bail!(
        "{SETTING} has no effect: the role `{}` {why}, so policies do not apply to it. Connect as another role",
        role.name
    )
}

/// Rejects the change while servers of this role that do not name owners are connected: they would see no rows.
async fn check_sessions(connection: &DatabaseConnection) -> anyhow::Result<()> {
    let query = "SELECT count(*) AS sessions FROM pg_stat_activity \
                 WHERE datname = current_database() AND application_name = $1";
    let values = [RowLevelSecurity::Off.session().into()];
    let statement = Statement::from_sql_and_values(DbBackend::Postgres, query, values);
    match Sessions::find_by_statement(statement).one(connection).await? {
        Some(Sessions { sessions }) if sessions > 0 => bail!(
            "{sessions} sessions belong to servers where {SETTING} is \"off\", which would no longer see any rows: set \
             it to \"ready\" on all servers first"
        ),
        _ => Ok(()),
    }
}

#[derive(FromQueryResult)]
struct Sessions {
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
    fn has_policies(&self, table: &Table) -> bool {
        self.enabled && self.forced && self.own && self.upkeep == table.upkeep
    }

    fn has_any(&self) -> bool {
        self.enabled || self.forced || self.own || self.upkeep
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum PolicyChange {
    Create,
    Remove,
}

impl Table {
    /// Creates or removes the policies, whatever exists. Replicas that do this at the same time wait for each other.
    async fn change(&self, tx: &DatabaseTransaction, change: PolicyChange) -> Result<(), DbErr> {
        let Self { name, own, upkeep } = self;
        let mut statements = vec![
            format!("DROP POLICY IF EXISTS {OWN} ON {name}"),
            format!("DROP POLICY IF EXISTS {UPKEEP} ON {name}"),
        ];
        if change == PolicyChange::Create {
            statements.push(format!("CREATE POLICY {OWN} ON {name} USING ({own}) WITH CHECK ({own})"));
            if *upkeep {
                let is_upkeep = "(SELECT current_setting('scrollback.upkeep', true)) = 'on'";
                statements.push(format!("CREATE POLICY {UPKEEP} ON {name} FOR SELECT USING ({is_upkeep})"));
            }
        }
        let (enable, force) =
            if change == PolicyChange::Create { ("ENABLE", "FORCE") } else { ("DISABLE", "NO FORCE") };
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

/// Exempts the owner of the tables from the policies for the rest of a transaction, because a migration changes all
/// rows. Returns the tables for [`resume`].
pub(in crate::store) async fn suspend(tx: &DatabaseTransaction) -> Result<Vec<String>, DbErr> {
    let mut suspended = Vec::new();
    if tx.get_database_backend() != DbBackend::Postgres {
        return Ok(suspended);
    }
    for Table { name, .. } in TABLES {
        let query =
            "SELECT relname::text AS name FROM pg_class WHERE oid = to_regclass($1) AND relforcerowsecurity";
        let statement = Statement::from_sql_and_values(DbBackend::Postgres, query, [(*name).into()]);
        if let Some(Forced { name }) = Forced::find_by_statement(statement).one(tx).await? {
            tx.execute_unprepared(&format!("ALTER TABLE {name} NO FORCE ROW LEVEL SECURITY")).await?;
            suspended.push(name);
        }
    }
    Ok(suspended)
}

/// Applies the policies to the owner of the tables again, for tables that still exist.
pub(in crate::store) async fn resume(tx: &DatabaseTransaction, suspended: &[String]) -> Result<(), DbErr> {
    for name in suspended {
        tx.execute_unprepared(&format!("ALTER TABLE IF EXISTS {name} FORCE ROW LEVEL SECURITY")).await?;
    }
    Ok(())
}
