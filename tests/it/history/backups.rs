//! Backups that are restored elsewhere and read there.

use std::time::Instant;

use super::deployment::Deployment;
use super::log::{self, Reading};
use crate::harness::{Engine, Program};

/// Backups in one run, spread over its appends.
pub(super) const BACKUPS: usize = 2;

/// Backs up the database, kills the server, restores the backup elsewhere, checks it and reads all conversations there.
pub(super) async fn restored(
    deployment: &mut Deployment,
    engine: Engine,
    conversations: &[String],
) -> Vec<Reading> {
    let began = Instant::now();
    let program = deployment.program(0);
    let backup = program.run(&["backup", "backup.zst", "--force"]).await;
    assert!(backup.status.success(), "{backup:?}");
    // The texts of answers stay as they were.
    let elsewhere = Program::over(engine).await.with("SCROLLBACK_FEED_LEASE", "3650days");
    std::fs::rename(program.folder().join("backup.zst"), elsewhere.folder().join("backup.zst")).unwrap();
    deployment.kill(0).await;
    let restored = elsewhere.printed(&["restore", "backup.zst"]).await;
    assert_eq!(restored.lines().last(), Some("sound"), "{restored}");
    let server = elsewhere.serve(&[]).await;
    let client = server.client("ada");
    let mut readings = Vec::new();
    for conversation in conversations {
        let mut entries = log::read(&client, conversation).await.expect("an answer");
        // In a backup of users an answer that was being written has ended.
        for entry in entries.iter_mut().filter(|entry| entry.status == "INTERRUPTED") {
            entry.status = "STREAMING".to_owned();
        }
        readings.push(Reading { conversation: conversation.clone(), began, entries });
    }
    readings
}
