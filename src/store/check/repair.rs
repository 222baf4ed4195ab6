//! Mends what follows from other rows.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::{ConnectionTrait, DatabaseTransaction, Statement};
use uuid::Uuid;

use super::dialect::Dialect;
use super::rule::{Repair, Rule};
use super::rules::{self, Found, RuleGroup, Subject};
use super::violation::{FoundRow, Remedy, Violation};
use super::{labels, references, titles};
use crate::model::{AuditAction, Change, ChangeKind, ConversationId, OwnerId};
use crate::store::database::Store;
use crate::store::error::{Error, Result};
use crate::store::repository::audit;
use crate::store::transaction::{PlainTx, Tx};

/// A repair can bring out a violation of another rule, which is mended in the next pass.
const PASSES: usize = 3;

const NOT_DERIVABLE: &str = "what is there does not say what it must be: restore a backup";

const ROWS_MISSING: &str = "messages of the conversation are missing: restore a backup";

/// With a violation of one of these, nothing of the conversation is derived from its messages.
const NEEDED: [&str; 2] = ["message.position", "message.owner_id"];

/// What tells violations apart.
type Key<'f> = (&'static str, Option<&'f str>, Option<Uuid>, Option<Uuid>);

fn key<'f>((rule, row): &'f Found) -> Key<'f> {
    (rule.name, row.owner.as_deref(), row.conversation, row.other)
}

/// Repairs what can be repaired, and gives all violations with what became of them.
pub(super) async fn repair(
    store: &Store,
    group: RuleGroup,
    owners: &[OwnerId],
    first: Vec<Found>,
) -> Result<Vec<Violation>> {
    let ids = rules::ids_of(group.subject, &first);
    let mut all: Vec<Found> = first;
    let mut remaining: Vec<Found> = all.clone();
    for _ in 0..PASSES {
        let before: Vec<FoundRow> = remaining.iter().map(|(_, row)| row.clone()).collect();
        mend(store, group.subject, &remaining).await?;
        remaining = rules::find(store, group, owners, &ids).await?;
        for found in &remaining {
            if !all.iter().any(|known| key(known) == key(found)) {
                all.push(found.clone());
            }
        }
        if remaining.is_empty() || remaining.iter().map(|(_, row)| row).eq(before.iter()) {
            break;
        }
    }
    let broken = broken(&remaining);
    let violation = |found: &Found| {
        let (rule, row) = found;
        let remedy = match rule.remedy() {
            _ if !remaining.iter().any(|still| key(still) == key(found)) => Remedy::Repaired,
            Remedy::Impossible(why) => Remedy::Impossible(why),
            _ if is_broken(&broken, row) => Remedy::Impossible(ROWS_MISSING),
            _ => Remedy::Impossible(NOT_DERIVABLE),
        };
        rule.violation(row, remedy)
    };
    Ok(all.iter().map(violation).collect())
}

/// The conversations whose messages are not complete or not right.
fn broken(found: &[Found]) -> BTreeSet<Uuid> {
    let broken = found.iter().filter(|(rule, _)| NEEDED.contains(&rule.name));
    broken.filter_map(|(_, row)| row.conversation).collect()
}

fn is_broken(broken: &BTreeSet<Uuid>, row: &FoundRow) -> bool {
    row.conversation.is_some_and(|id| broken.contains(&id))
}

/// Mends the violations, one rule and one owner after the other.
async fn mend(store: &Store, subject: Subject, found: &[Found]) -> Result<()> {
    let broken = broken(found);
    let mut by_rule: Vec<(&'static Rule, BTreeMap<&str, BTreeSet<Uuid>>)> = Vec::new();
    for (rule, row) in found.iter().filter(|(_, row)| !is_broken(&broken, row)) {
        let Some(owner) = row.owner.as_deref() else { continue };
        if !matches!(by_rule.last(), Some((last, _)) if last.name == rule.name) {
            by_rule.push((*rule, BTreeMap::new()));
        }
        if let Some((_, owners)) = by_rule.last_mut() {
            owners.entry(owner).or_default().extend(row.conversation);
        }
    }
    for (rule, owners) in by_rule {
        for (owner, conversations) in owners {
            let owner = OwnerId::new(owner)?;
            match mend_of_owner(store, subject, rule, &owner, &conversations).await {
                // Their rows are about to go.
                Err(Error::BeingErased) => {}
                mended => mended?,
            }
        }
    }
    Ok(())
}

async fn mend_of_owner(
    store: &Store,
    subject: Subject,
    rule: &Rule,
    owner: &OwnerId,
    conversations: &BTreeSet<Uuid>,
) -> Result<()> {
    if let Repair::Index = rule.repair {
        store.reset_index(owner).await?;
        store.index_owner(owner).await?;
        return store.audit(AuditAction::Repair, owner, None).await;
    }
    if let Repair::None(_) = rule.repair {
        return Ok(());
    }
    if subject == Subject::Owners {
        let tx = PlainTx::begin(store, owner).await?;
        tx.lock_account_alone(owner).await?;
        let ids = serde_json::Value::from_iter([owner.as_str()]).to_string();
        run(tx.connection(), rule, owner, conversations, &ids).await?;
        audit::add(tx.connection(), store.operation(AuditAction::Repair).about(owner)).await?;
        return tx.commit(true).await;
    }
    // For clients that have a copy of the conversation.
    let scope = store.owned_by(owner.clone());
    let mut tx = Tx::begin(&scope, AuditAction::Repair, conversations.len()).await?;
    run(tx.connection(), rule, owner, conversations, &rules::id_list(conversations.iter().copied())).await?;
    for id in conversations {
        let conversation = ConversationId(*id);
        tx.record(Change { kind: ChangeKind::ConversationUpdated, conversation, message: None });
    }
    tx.commit().await
}

async fn run(
    connection: &DatabaseTransaction,
    rule: &Rule,
    owner: &OwnerId,
    conversations: &BTreeSet<Uuid>,
    ids: &str,
) -> Result<()> {
    let backend = connection.get_database_backend();
    match rule.repair {
        Repair::Statements(statements) => {
            for sql in statements(Dialect(backend)) {
                let statement = Statement::from_sql_and_values(backend, sql, [ids.into()]);
                connection.execute_raw(statement).await?;
            }
        }
        Repair::Titles => titles::repair(connection, ids).await?,
        Repair::Labels => labels::repair(connection, owner, conversations).await?,
        Repair::References => references::repair(connection, ids).await?,
        Repair::Index | Repair::None(_) => {}
    }
    Ok(())
}
