//! Checks the database: whether everything that the store relies on is so.
//!
//! - The check reads in batches of users and of conversations. Each batch is one snapshot, so writes of a server do not
//!   look like violations, and no snapshot lasts for the whole check.
//! - Most rules are statements, each about a set of rows ([`rule`]). A few need code: titles, labels, references to
//!   attachments, the search index and objects.
//! - Users who are being erased are left out: their rows disappear step by step.
//! - A repair is a transaction under the lock of the account, which changes only what follows from other rows. It finds
//!   the violations again under the lock.

mod conversation_rules;
mod dialect;
mod file_rules;
mod index_rules;
mod labels;
mod message_rules;
mod objects;
mod orphans;
mod owner_rules;
mod references;
mod repair;
mod rows;
mod rule;
mod rules;
mod titles;
mod violation;

use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult, Statement};
use uuid::Uuid;

pub use violation::{Remedy, Violation};

use crate::model::OwnerId;
use crate::store::database::Store;
use crate::store::engine::long_read::for_long;
use crate::store::entity::account;
use crate::store::error::Result;
use crate::store::snapshot;
use dialect::Dialect;
use rules::RuleGroup;

/// The conversations of users that are listed at once.
const LISTED: i64 = 20_000;

/// The conversations and messages that are checked in one snapshot, about. A larger conversation is checked as a whole.
const CONVERSATIONS: usize = 500;
const MESSAGES: i64 = 20_000;

/// What to check.
#[derive(Debug, Clone, Copy, Default)]
pub struct CheckOptions {
    /// Without what reads everything: the pages of an SQLite file, the search index, and the objects of attachments.
    pub quick: bool,
    /// Mend what follows from other rows.
    pub repair: bool,
}

/// How much was checked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CheckSummary {
    /// Users.
    pub owners: u64,
    /// Users who are being erased. They were left out.
    pub erasing: u64,
    /// Conversations.
    pub conversations: u64,
    /// Messages.
    pub messages: u64,
    /// Objects of attachments that were looked for. `None`: they were not.
    pub objects: Option<u64>,
    /// Violations that were found.
    pub violations: u64,
    /// Those of them that were repaired.
    pub repaired: u64,
    /// Row-level security hides rows whose parent is gone.
    pub hides_orphans: bool,
}

/// A check that is running.
struct Check<'c> {
    store: &'c Store,
    options: CheckOptions,
    report: &'c mut (dyn FnMut(Violation) + Send),
    summary: CheckSummary,
    /// Why nothing can be repaired.
    refusal: Option<&'static str>,
}

#[derive(FromQueryResult)]
struct ListedConversation {
    id: Uuid,
    last_position: i64,
}

impl Store {
    /// Checks the database and calls `report` for each violation.
    ///
    /// # Errors
    /// - The database cannot be read, or written for a repair.
    /// - `Unavailable`: the storage of files failed.
    pub async fn check(
        &self,
        options: CheckOptions,
        report: &mut (dyn FnMut(Violation) + Send),
    ) -> Result<CheckSummary> {
        let hides_orphans = self.backend() == DbBackend::Postgres && self.0.row_level_security.is_active();
        let objects = (self.0.files.is_some() && !options.quick).then_some(0);
        let summary = CheckSummary { hides_orphans, objects, ..CheckSummary::default() };
        let mut check = Check { store: self, options, report, summary, refusal: None };
        check.run().await?;
        Ok(check.summary)
    }
}

impl Check<'_> {
    async fn run(&mut self) -> Result<()> {
        if self.store.backend() == DbBackend::Sqlite && !self.options.quick {
            self.check_file().await?;
        }
        let mut after = String::new();
        loop {
            let accounts = self.store.accounts_after(&after).await?;
            let Some(last) = accounts.last() else { break };
            after = last.id.as_str().to_owned();
            let is_erasing = |account: &&account::Model| account.erasing_since.is_some();
            self.summary.erasing += accounts.iter().filter(is_erasing).count() as u64;
            let owners: Vec<OwnerId> = accounts
                .into_iter()
                .filter(|account| account.erasing_since.is_none())
                .map(|account| account.id)
                .collect();
            if !owners.is_empty() {
                self.check_owners(&owners).await?;
            }
        }
        // After repairs, which can bring a parent back.
        let mut found = Vec::new();
        orphans::find(self.store, &mut |violation| found.push(violation)).await?;
        found.into_iter().for_each(|violation| self.add(violation));
        Ok(())
    }

    fn add(&mut self, violation: Violation) {
        self.summary.violations += 1;
        self.summary.repaired += u64::from(violation.remedy == Remedy::Repaired);
        (self.report)(violation);
    }

    /// SQLite's own checks of the file. If it is damaged, nothing can be derived from it.
    async fn check_file(&mut self) -> Result<()> {
        let faults = for_long(async {
            let read = &self.store.0.read;
            let mut faults = Vec::new();
            for pragma in ["PRAGMA integrity_check(100)", "PRAGMA foreign_key_check"] {
                let rows = read.query_all_raw(Statement::from_string(DbBackend::Sqlite, pragma)).await?;
                for row in rows {
                    faults.push(row.try_get_by_index::<String>(0)?);
                }
            }
            Ok::<_, crate::store::error::Error>(faults)
        })
        .await?;
        for fault in faults.into_iter().filter(|fault| fault != "ok") {
            let why = "the file is damaged: restore a backup";
            self.refusal = Some(why);
            self.add(Violation {
                rule: "sqlite.integrity_check",
                place: String::new(),
                fault: fault.split_whitespace().collect::<Vec<_>>().join(" "),
                remedy: Remedy::Impossible(why),
            });
        }
        Ok(())
    }

    async fn check_owners(&mut self, owners: &[OwnerId]) -> Result<()> {
        self.summary.owners += owners.len() as u64;
        let names = serde_json::Value::from_iter(owners.iter().map(OwnerId::as_str)).to_string();
        self.check_group(rules::OWNERS, owners, &names).await?;
        self.check_conversations(owners, &names).await?;
        // After the references, from which these follow.
        self.check_group(rules::FILES, owners, &names).await?;
        if self.options.quick {
            return Ok(());
        }
        for owner in owners {
            let name = serde_json::Value::from_iter([owner.as_str()]).to_string();
            self.check_group(rules::INDEX, std::slice::from_ref(owner), &name).await?;
        }
        let mut found = Vec::new();
        let objects = objects::find(self.store, owners, &mut |violation| found.push(violation)).await?;
        self.summary.objects = self.summary.objects.map(|all| all + objects);
        found.into_iter().for_each(|violation| self.add(violation));
        Ok(())
    }

    async fn check_conversations(&mut self, owners: &[OwnerId], names: &str) -> Result<()> {
        let mut after = Uuid::nil();
        loop {
            let listed = self.list(owners, names, after).await?;
            let Some(last) = listed.last() else { return Ok(()) };
            after = last.id;
            let (mut ids, mut messages) = (Vec::new(), 0);
            for conversation in listed {
                let size = conversation.last_position.max(0);
                if ids.len() >= CONVERSATIONS || (!ids.is_empty() && messages + size > MESSAGES) {
                    self.check_chunk(owners, std::mem::take(&mut ids)).await?;
                    messages = 0;
                }
                ids.push(conversation.id);
                messages += size;
                self.summary.messages += size.unsigned_abs();
            }
            self.check_chunk(owners, ids).await?;
        }
    }

    async fn check_chunk(&mut self, owners: &[OwnerId], ids: Vec<Uuid>) -> Result<()> {
        self.summary.conversations += ids.len() as u64;
        self.check_group(rules::CONVERSATIONS, owners, &rules::id_list(ids)).await
    }

    /// The next conversations of some owners, by id.
    async fn list(&self, owners: &[OwnerId], names: &str, after: Uuid) -> Result<Vec<ListedConversation>> {
        let connection = snapshot::begin_for_owners(self.store, owners).await?;
        let backend = self.store.backend();
        let sql = format!(
            "SELECT c.id, c.last_position FROM conversation AS c WHERE c.owner_id IN {} AND c.id > $2 \
             ORDER BY c.id LIMIT $3",
            Dialect(backend).listed_owners()
        );
        let values = [names.into(), after.into(), LISTED.into()];
        let statement = Statement::from_sql_and_values(backend, sql, values);
        let listed = ListedConversation::find_by_statement(statement).all(&connection).await?;
        connection.rollback().await?;
        Ok(listed)
    }

    /// Checks some rules on some users or conversations.
    async fn check_group(&mut self, group: RuleGroup, owners: &[OwnerId], ids: &str) -> Result<()> {
        let found = rules::find(self.store, group, owners, ids).await?;
        if found.is_empty() {
            return Ok(());
        }
        let violations = match (self.options.repair, self.refusal) {
            (false, _) => found.iter().map(|(rule, row)| rule.violation(row, rule.remedy())).collect(),
            (true, Some(why)) => {
                found.iter().map(|(rule, row)| rule.violation(row, Remedy::Impossible(why))).collect()
            }
            (true, None) => repair::repair(self.store, group, owners, found).await?,
        };
        violations.into_iter().for_each(|violation| self.add(violation));
        Ok(())
    }
}
