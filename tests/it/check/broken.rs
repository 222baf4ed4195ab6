//! Every rule, broken by a statement: the check names it, and `--repair` mends it or says that it cannot.

use std::fs;

use super::database::Database;
use super::{check, rules};
use crate::harness::{Engine, Program, files_in};
use crate::user_erasure::fill;

/// How a rule is broken, which rules the check then names, and whether all of it is repaired.
struct Case {
    break_by: &'static str,
    named: &'static [&'static str],
    is_repaired: bool,
}

const fn repaired(break_by: &'static str, named: &'static [&'static str]) -> Case {
    Case { break_by, named, is_repaired: true }
}

const fn lost(break_by: &'static str, named: &'static [&'static str]) -> Case {
    Case { break_by, named, is_repaired: false }
}

const CASES: &[Case] = &[
    // Positions, counts and heads.
    lost(
        "DELETE FROM message WHERE owner_id = 'ada' AND position = 3",
        &["message.position", "conversation.message_count", "search_block.data"],
    ),
    repaired(
        "UPDATE conversation SET message_count = message_count + 1 WHERE owner_id = 'ada'",
        &["conversation.message_count"],
    ),
    repaired(
        "UPDATE conversation SET last_position = last_position - 1 WHERE owner_id = 'ada'",
        &["conversation.last_position"],
    ),
    lost(
        "UPDATE conversation SET last_position = last_position + 1 WHERE owner_id = 'ada'",
        &["conversation.last_position"],
    ),
    repaired(
        "UPDATE conversation SET head_position = 99 WHERE owner_id = 'ada'",
        &["conversation.head_position"],
    ),
    repaired("UPDATE conversation SET branch = 0 WHERE owner_id = 'ada'", &["conversation.branch"]),
    // Branches.
    repaired("UPDATE conversation SET branches = 5 WHERE owner_id = 'ada'", &["conversation.branches"]),
    repaired(
        "UPDATE conversation SET trunk = 3 WHERE owner_id = 'ada'",
        &["conversation.trunk", "message.branch"],
    ),
    repaired("DELETE FROM branch", &["branch.branch"]),
    repaired("UPDATE branch SET parent_branch = 7", &["branch.branch"]),
    lost("UPDATE branch SET fork_position = 2", &["branch.branch"]),
    lost("INSERT INTO branch SELECT conversation_id, 2, 0, 1 FROM branch", &["branch.messages"]),
    repaired(
        "UPDATE message SET parent_position = 99 WHERE owner_id = 'ada' AND position = 9",
        &["message.parent_position", "message_token_count.position"],
    ),
    lost(
        "UPDATE message SET parent_position = 2 WHERE owner_id = 'ada' AND position = 9",
        &["message.parent_position"],
    ),
    lost(
        "UPDATE message SET branch = NULL WHERE owner_id = 'ada' AND position = 9",
        &["message.branch", "conversation.trunk"],
    ),
    // What is read of a conversation.
    repaired(
        "UPDATE conversation SET read_position = 99 WHERE owner_id = 'ada'",
        &["conversation.read_position"],
    ),
    repaired(
        "UPDATE conversation SET unread_ignored = 5 WHERE owner_id = 'ada'",
        &["conversation.unread_ignored"],
    ),
    repaired("UPDATE conversation SET state = 1 WHERE owner_id = 'ada'", &["conversation.state"]),
    repaired(
        "UPDATE conversation SET title_folded = 'x' WHERE owner_id = 'ada'",
        &["conversation.title_folded"],
    ),
    repaired("DELETE FROM conversation_label WHERE owner_id = 'ada'", &["conversation_label.label_key"]),
    repaired(
        "UPDATE conversation_label SET trashed = NOT trashed WHERE owner_id = 'ada'",
        &["conversation_label.label_key"],
    ),
    repaired(
        "UPDATE conversation SET labels = NULL WHERE owner_id = 'ada'",
        &["conversation_label.conversation_id"],
    ),
    // Messages.
    lost(
        "UPDATE message SET owner_id = 'bob' WHERE owner_id = 'ada' AND position = 2",
        &["message.owner_id"],
    ),
    lost("UPDATE message SET role = 9 WHERE owner_id = 'ada' AND position = 2", &["message.status"]),
    repaired(
        "UPDATE message SET content = 'left' WHERE owner_id = 'ada' AND deleted_at IS NOT NULL",
        &["message.deleted_at"],
    ),
    repaired("DELETE FROM stream WHERE owner_id = 'ada'", &["stream.message_id", "message_text.message_id"]),
    repaired("UPDATE stream SET length = 99 WHERE owner_id = 'ada'", &["stream.length"]),
    lost("UPDATE message_text SET start = start + 7", &["stream.length"]),
    repaired(
        "UPDATE message SET status = 3 WHERE owner_id = 'ada' AND status = 1",
        &["stream.conversation_id", "search_block.data"],
    ),
    repaired("UPDATE message_token_count SET span = span + 1", &["message_token_count.position"]),
    repaired(
        "UPDATE message_feedback SET message_id = (SELECT m.id FROM message AS m WHERE m.owner_id = 'ada' \
         AND m.deleted_at IS NOT NULL) WHERE owner_id = 'ada'",
        &["message_feedback.message_id"],
    ),
    lost(
        "UPDATE message_feedback SET owner_id = 'bob' WHERE owner_id = 'ada'",
        &["message_feedback.message_id"],
    ),
    // Shares.
    lost("DELETE FROM shared_message WHERE owner_id = 'ada' AND number = 1", &["shared_message.number"]),
    lost("DELETE FROM share WHERE owner_id = 'ada'", &["shared_message.share_id"]),
    lost("UPDATE share SET conversation_id = id WHERE owner_id = 'ada'", &["share.conversation_id"]),
    // Attachments.
    lost("DELETE FROM attachment WHERE owner_id = 'ada'", &["attachment_reference.attachment_id", "blob.id"]),
    repaired(
        "DELETE FROM attachment_reference WHERE owner_id = 'ada'",
        &["attachment_reference.referrer_id", "attachment.unused_since"],
    ),
    repaired(
        "UPDATE message SET parts = NULL WHERE owner_id = 'ada' AND position = 9",
        &["attachment_reference.referrer_id"],
    ),
    repaired("UPDATE attachment SET unused_since = 1 WHERE owner_id = 'ada'", &["attachment.unused_since"]),
    lost("UPDATE blob SET received = 1 WHERE owner_id = 'ada'", &["blob.received"]),
    lost("DELETE FROM blob WHERE owner_id = 'ada'", &["attachment.blob_id", "blob_chunk.blob_id"]),
    repaired(
        "INSERT INTO object_removal SELECT id, 9000000000000000, false FROM blob_chunk WHERE owner_id = 'ada'",
        &["object_removal.id"],
    ),
    // The feed and what follows it.
    lost("DELETE FROM change WHERE owner_id = 'ada' AND revision = 3", &["change.revision"]),
    repaired(
        "UPDATE account SET revision = revision - 1 WHERE id = 'ada'",
        &["account.revision", "search_state.revision"],
    ),
    lost("UPDATE account SET revision = revision + 1 WHERE id = 'ada'", &["account.revision"]),
    lost("UPDATE change SET kind = 9 WHERE owner_id = 'ada' AND revision = 1", &["change.kind"]),
    repaired(
        "UPDATE search_state SET revision = revision + 1 WHERE owner_id = 'ada'",
        &["search_state.revision"],
    ),
    repaired("DELETE FROM search_block WHERE owner_id = 'ada'", &["search_block.data"]),
    repaired(
        "DELETE FROM search_segment WHERE owner_id = 'ada'",
        &["search_block.segment", "search_block.data"],
    ),
    repaired(
        "INSERT INTO webhook_position VALUES ('ada', 'hook', 1000, 0, NULL, NULL)",
        &["webhook_position.revision"],
    ),
    // Rows without a parent.
    lost(
        "DELETE FROM conversation WHERE owner_id = 'ada'",
        &[
            "message.conversation_id",
            "branch.conversation_id",
            "message_token_count.conversation_id",
            "message_feedback.conversation_id",
            "attachment_reference.conversation_id",
            "share.conversation_id",
        ],
    ),
    lost(
        "DELETE FROM account WHERE id = 'ada'",
        &[
            "conversation.owner_id",
            "change.owner_id",
            "share.owner_id",
            "attachment.owner_id",
            "search_state.owner_id",
        ],
    ),
];

/// A database with a row in every table, whose server is stopped and whose index is up to date.
async fn filled(engine: Engine) -> (Program, Database) {
    let program = Program::over(engine).await;
    let server = program.serve(&[]).await;
    fill(&server.client("ada"), "zebra").await;
    fill(&server.client("bob"), "zebra").await;
    server.terminate().await;
    server.ended().await;
    program.printed(&["reindex"]).await;
    let database = Database::of(engine, &program);
    database.save().await;
    (program, database)
}

async fn every_broken_rule_is_named_and_repaired_if_it_can_be(engine: Engine) {
    let (program, database) = filled(engine).await;
    let mut failures = Vec::new();
    for Case { break_by, named, is_repaired } in CASES {
        database.run(break_by).await;
        let (found, code) = check(&program, &[]).await;
        let names = rules(&found);
        for rule in *named {
            if code != 3 || !names.iter().any(|(name, _)| name == rule) {
                failures.push(format!("{break_by}: {rule} is not named: {code} {found:#?}"));
            }
        }
        if found.iter().any(|line| line.contains("zebra") || line.contains("left")) {
            failures.push(format!("{break_by}: a text of a user is printed: {found:#?}"));
        }
        let (lines, code) = check(&program, &["--repair"]).await;
        let names = rules(&lines);
        let mended = |rule: &str| names.iter().filter(|(name, _)| name == rule).all(|(_, mended)| *mended);
        if *is_repaired {
            let (again, sound) = check(&program, &[]).await;
            if code != 0 || sound != 0 || !named.iter().all(|rule| mended(rule)) {
                failures.push(format!("{break_by}: is not repaired: {code} {lines:#?}, then {again:#?}"));
            }
        } else if code != 3 || !lines.iter().any(|line| line.contains("(cannot be repaired: ")) {
            failures.push(format!("{break_by}: {code} {lines:#?}"));
        }
        database.reset().await;
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    let (lines, code) = check(&program, &[]).await;
    assert_eq!((code, lines.last().unwrap().as_str()), (0, "sound"), "{lines:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_broken_rule_is_named_and_repaired_if_it_can_be_on_sqlite() {
    every_broken_rule_is_named_and_repaired_if_it_can_be(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_broken_rule_is_named_and_repaired_if_it_can_be_on_postgres() {
    every_broken_rule_is_named_and_repaired_if_it_can_be(Engine::Postgres).await;
}

async fn a_lost_or_short_object_is_named(engine: Engine) {
    let (program, _) = filled(engine).await;
    let storage = if engine == Engine::Sqlite { "data/files" } else { "files" };
    let files = files_in(&program.folder().join(storage));
    assert_eq!(files.len(), 2, "one of each user: {files:?}");
    fs::remove_file(&files[0]).unwrap();
    fs::write(&files[1], "short").unwrap();
    let (lines, code) = check(&program, &["--repair"]).await;
    assert_eq!((code, rules(&lines)), (3, vec![("blob_chunk.id".to_owned(), false)]), "{lines:#?}");
    let said = |what: &str| lines.iter().any(|line| line.contains(what));
    assert!(said("the object is missing in the storage of files, must have "), "{lines:#?}");
    assert!(said("the object has 5 bytes, must have "), "{lines:#?}");
    let (lines, code) = check(&program, &["--quick"]).await;
    assert_eq!(code, 0, "{lines:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_or_short_object_is_named_on_sqlite() {
    a_lost_or_short_object_is_named(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_or_short_object_is_named_on_postgres() {
    a_lost_or_short_object_is_named(Engine::Postgres).await;
}

/// After a repair clients read correct values, the feed has a change, and the audit log has an entry.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repair_is_in_the_feed_and_in_the_audit_log() {
    for engine in [Engine::Sqlite, Engine::Postgres, Engine::PostgresWithRowLevelSecurity] {
        let (program, database) = filled(engine).await;
        let count = "SELECT message_count FROM conversation WHERE owner_id = 'ada'";
        let revision = "SELECT revision FROM account WHERE id = 'ada'";
        let (right, before) = (database.number(count).await, database.number(revision).await);
        database.run("UPDATE conversation SET message_count = 0 WHERE owner_id = 'ada'").await;
        let (lines, code) = check(&program, &["--repair"]).await;
        assert_eq!(code, 0, "{lines:#?}");
        assert_eq!(database.number(count).await, right);
        assert_eq!(database.number(revision).await, before + 1);
        let kind = format!(
            "SELECT CAST(kind AS bigint) FROM change WHERE owner_id = 'ada' AND revision = {}",
            before + 1
        );
        assert_eq!(database.number(&kind).await, 2);
        let log = program.printed(&["audit", "--action", "repair", "--user", "ada"]).await;
        assert_eq!(log.lines().count(), 1, "{log}");
    }
}
