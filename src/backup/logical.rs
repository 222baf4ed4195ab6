//! Writes the exports of all users, from one state of the database.

use std::io;

use anyhow::Context;
use bytes::Bytes;

use super::file::{BackupFile, CompressedOutput};
use crate::export::{Export, ExportOutput};
use crate::model::{BACKUP_VERSION, BackupEnd, BackupHeader, BackupRecord};
use crate::store::{BackupSnapshot, Store};

/// Writes all users. `progress` gets what was written so far.
///
/// # Errors
/// The database or the storage of files cannot be read, or the backup cannot be written.
pub async fn write_all_users(
    store: &Store,
    output: &mut BackupFile,
    progress: impl FnMut(BackupEnd),
) -> anyhow::Result<BackupEnd> {
    let snapshot = store.backup_snapshot().await?;
    let mut compressed = output.begin().context(CANNOT_WRITE)?;
    let end = write(&snapshot, &mut compressed, progress).await?;
    compressed.end().context(CANNOT_WRITE)?;
    snapshot.close().await?;
    Ok(end)
}

const CANNOT_WRITE: &str = "cannot write the backup";

async fn write(
    snapshot: &BackupSnapshot,
    output: &mut CompressedOutput<'_>,
    mut progress: impl FnMut(BackupEnd),
) -> anyhow::Result<BackupEnd> {
    let header = BackupHeader {
        format: super::lines::FORMAT.to_owned(),
        version: BACKUP_VERSION,
        taken_at: snapshot.taken_at(),
    };
    line(output, &BackupRecord::Backup(header)).await?;
    if let Some(key) = snapshot.signing_key().await? {
        line(output, &BackupRecord::SigningKey(key)).await?;
    }
    let mut end = BackupEnd::default();
    let mut after = String::new();
    loop {
        let (accounts, last) = snapshot.accounts_after(&after).await?;
        let Some(last) = last else { break };
        after = last;
        for account in accounts {
            let user = account.user.clone();
            line(output, &BackupRecord::Account(account)).await?;
            let written = Export::of_everything(snapshot.export(&user).await?).write(output).await?;
            end.users += 1;
            end.conversations += written.conversations;
            end.messages += written.messages;
            progress(end);
        }
    }
    line(output, &BackupRecord::BackupEnd(end)).await?;
    Ok(end)
}

async fn line(output: &mut CompressedOutput<'_>, record: &BackupRecord) -> anyhow::Result<()> {
    let mut bytes = serde_json::to_vec(record).map_err(io::Error::from).context(CANNOT_WRITE)?;
    bytes.push(b'\n');
    output.write(Bytes::from(bytes)).await.context(CANNOT_WRITE)
}
