//! Writes the exports of all users into a database.

use std::io;

use anyhow::Context;

use super::sections::Sections;
use super::spool::UsersBackup;
use crate::clock::Clock;
use crate::import::{
    ConversationReport, Format, Import, ImportError, ImportOptions, MAX_CONVERSATION_BYTES, Observer,
    Outcome, Sources,
};
use crate::model::{AuditAction, BackedUpAccount, BackupRecord, ContentLimits, OwnerId, Viewer};
use crate::store::{Scoped, Store};

/// What was restored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RestoredUsers {
    /// Users.
    pub users: u64,
    /// Conversations that were written.
    pub conversations: u64,
    /// Messages that were written.
    pub messages: u64,
    /// Conversations that were there already.
    pub present: u64,
    /// Conversations and attachments that could not be written.
    pub rejected: u64,
}

/// Passes on why something could not be written.
struct Rejections<'r>(&'r mut (dyn FnMut(String) + Send), &'r OwnerId);

impl Observer for Rejections<'_> {
    fn conversation(&mut self, report: &ConversationReport) -> io::Result<()> {
        if report.outcome == Outcome::Rejected {
            let id = report.conversation_id.map(|id| id.to_string()).or_else(|| report.source_id.clone());
            let reason = report.reason.as_deref().unwrap_or("unknown reason");
            (self.0)(format!("user {:?}, {}: {reason}", self.1.as_str(), id.unwrap_or_default()));
        }
        Ok(())
    }
}

/// Writes all users. What is there already is left as it is. `rejected` gets what could not be written, and why.
///
/// # Errors
/// The backup cannot be read, or the database cannot be written. What was written stays.
pub async fn restore_users(
    store: &Store,
    clock: &Clock,
    backup: &UsersBackup,
    rejected: &mut (dyn FnMut(String) + Send),
    mut progress: impl FnMut(RestoredUsers),
) -> anyhow::Result<RestoredUsers> {
    let sections = Sections::new(backup.reader().context("cannot read the backup")?);
    let mut restored = RestoredUsers::default();
    while let Some(record) = sections.next()? {
        match record {
            BackupRecord::SigningKey(key) => store.restore_signing_key(&key).await?,
            BackupRecord::Account(account) => {
                let section = Box::new(sections.section());
                restore_user(store, clock, &account, section, rejected, &mut restored).await?;
                progress(restored);
            }
            BackupRecord::Backup(_) | BackupRecord::BackupEnd(_) => {}
        }
    }
    Ok(restored)
}

async fn restore_user(
    store: &Store,
    clock: &Clock,
    account: &BackedUpAccount,
    section: Box<dyn io::Read + Send>,
    rejected: &mut (dyn FnMut(String) + Send),
    restored: &mut RestoredUsers,
) -> anyhow::Result<()> {
    let owner = store.restore_account(account).await?;
    let sources = Sources::of_stream("the backup", section)?;
    let options = ImportOptions {
        owner: owner.clone(),
        format: Some(Format::Scrollback),
        // What was stored once is stored again, whatever the limits are now.
        limits: ContentLimits::LARGEST,
        conversation_bytes: MAX_CONVERSATION_BYTES,
        clock: clock.clone(),
    };
    let scope = store.viewed_by(&Viewer::new(owner.clone()));
    let open = async || -> Result<Scoped, ImportError> { Ok(scope) };
    let import = Import::start(sources, options)?;
    let report = import.write(open, &mut Rejections(rejected, &owner)).await?;
    store.index_owner(&owner).await?;
    store.audit(AuditAction::Import, &owner, Some(report.conversations)).await?;
    restored.users += 1;
    restored.conversations += report.conversations;
    restored.messages += report.messages;
    restored.present += report.present;
    restored.rejected += report.rejected;
    Ok(())
}
