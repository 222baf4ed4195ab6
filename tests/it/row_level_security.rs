//! PostgreSQL's row-level security: a second check of ownership.
//!
//! Many other tests run with it too (`with_row_level_security`). These tests check the policies themselves:
//! what a session without an owner or with another owner sees, and how policies are created and removed while
//! servers run.

mod deployment;
mod migrations;
mod plans;

use std::time::Duration;

use scrollback::model::OwnerId;
use serde_json::json;
use sqlx::{Connection, Executor, PgConnection};

use crate::harness::{APPEND, Client, Engine, TestApp, shared_cluster};

/// Every table that has an owner, by itself or by another table's row.
const TABLES: [&str; 21] = [
    "account",
    "conversation",
    "conversation_label",
    "message",
    "change",
    "stream",
    "branch",
    "message_text",
    "message_token_count",
    "message_feedback",
    "deleted_usage",
    "search_state",
    "search_segment",
    "search_block",
    "share",
    "shared_message",
    "attachment",
    "attachment_reference",
    "blob",
    "blob_chunk",
    "webhook_position",
];

/// The server's own role, and one whom no policy binds.
async fn connections(app: &TestApp) -> (PgConnection, PgConnection) {
    let url = app.config.database_url();
    let admin = shared_cluster().url(url.rsplit('/').next().unwrap());
    (PgConnection::connect(&url).await.unwrap(), PgConnection::connect(&admin).await.unwrap())
}

async fn count(connection: &mut PgConnection, table: &str) -> i64 {
    let query = format!("SELECT count(*) FROM {table}");
    sqlx::query_scalar(sqlx::AssertSqlSafe(query)).fetch_one(connection).await.unwrap()
}

/// Sets the owner of this session.
async fn say(session: &mut PgConnection, setting: &str, value: &str) {
    sqlx::query("SELECT set_config($1, $2, false)").bind(setting).bind(value).execute(session).await.unwrap();
}

async fn say_owners(session: &mut PgConnection, owners: &[&str]) {
    let quoted: String =
        sqlx::query_scalar("SELECT $1::text[]::text").bind(owners).fetch_one(&mut *session).await.unwrap();
    say(session, "scrollback.owners", &quoted).await;
}

/// Runs a statement that names ada's conversation as `$1`, and gives how many rows it touched.
async fn touch(session: &mut PgConnection, statement: &'static str, id: &str) -> Result<u64, sqlx::Error> {
    let id = uuid::Uuid::parse_str(id).unwrap();
    Ok(sqlx::query(statement).bind(id).execute(session).await?.rows_affected())
}

/// A conversation with a row in every table that has an owner: it forks, and an answer streams in it.
async fn everything(client: &Client) -> String {
    let id = client.new_conversation().await;
    let first = client.append(&id, "one").await["id"].clone();
    let label = "mutation($id: ID!) { updateConversation(input: { id: $id, labels: [\"a\"] }) { conversation { id } } }";
    client.data(label, json!({ "id": id })).await;
    client.append(&id, "two").await;
    for (status, content) in [("COMPLETE", "another two"), ("STREAMING", "and so ")] {
        let input = json!({ "conversationId": id, "parentId": first, "role": "ASSISTANT", "status": status, "content": content });
        client.data(APPEND, json!({ "input": input })).await;
    }
    let count = "query($id: ID!) { conversation(id: $id) { messages { nodes { tokenCount } } } }";
    client.data(count, json!({ "id": id })).await;
    let feedback =
        "mutation($id: ID!) { setMessageFeedback(input: { messageId: $id, rating: UP }) { message { id } } }";
    client.data(feedback, json!({ "id": first })).await;
    let share = "mutation($id: ID!) { shareConversation(input: { conversationId: $id }) { share { id } } }";
    client.data(share, json!({ "id": id })).await;
    let input =
        json!({ "conversationId": id, "role": "ASSISTANT", "content": "a", "usage": { "inputTokens": 1 } });
    let attachment = crate::attachments::attach(client, b"a file").await;
    crate::attachments::append(client, &id, &attachment).await;
    let used = client.data(APPEND, json!({ "input": input })).await["appendMessage"]["message"]["id"].clone();
    let delete = "mutation($id: ID!) { deleteMessage(input: { id: $id }) { message { id } } }";
    client.data(delete, json!({ "id": used })).await;
    id
}

/// Does what servers do with the changes of a user in the background, so that there are rows in the tables for it.
async fn index(app: &TestApp, user: &str) {
    let (owner, lease) = (OwnerId::new(user).unwrap(), Duration::from_secs(20));
    app.store.index_owner(&owner).await.unwrap();
    app.store.register_webhook("hook").await.unwrap();
    let (lease, _) = app.store.acquire_webhook_lease("hook", "a server", lease).await.unwrap().unwrap();
    assert!(app.store.webhook_position(&lease, &owner).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_table_of_users_has_a_policy() {
    let app = TestApp::start(Engine::PostgresWithRowLevelSecurity).await;
    let (mut session, _) = connections(&app).await;
    let query = "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace \
                 AND relrowsecurity AND relforcerowsecurity ORDER BY 1";
    let protected: Vec<String> = sqlx::query_scalar(query).fetch_all(&mut session).await.unwrap();
    let mut tables = TABLES.map(str::to_owned).to_vec();
    tables.sort();
    assert_eq!(protected, tables);
    let query = "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'seaql_migrations' \
                 ORDER BY 1";
    let all: Vec<String> = sqlx::query_scalar(query).fetch_all(&mut session).await.unwrap();
    // No request reads them: the audit log and revocations are for operators, the key and the webhooks are of no user, and
    // removals of objects name none.
    tables
        .extend(["audit_entry", "object_removal", "revocation", "signing_key", "webhook"].map(str::to_owned));
    tables.sort();
    assert_eq!(all, tables, "a new table has an owner too");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_names_no_owner_sees_and_writes_nothing() {
    let app = TestApp::start(Engine::PostgresWithRowLevelSecurity).await;
    let id = everything(&app.client("ada")).await;
    index(&app, "ada").await;
    app.client("bob").new_conversation().await;
    let (mut session, mut admin) = connections(&app).await;
    for table in TABLES {
        assert!(count(&mut admin, table).await > 0, "{table} has rows");
        assert_eq!(count(&mut session, table).await, 0, "{table} without a word");
    }
    let writes = [
        "INSERT INTO message (conversation_id, position, id, owner_id, role, content, metadata, created_at) \
         VALUES ($1, 99, gen_random_uuid(), 'ada', 1, 'slipped in', '{}', 0)",
        "INSERT INTO conversation (id, owner_id, metadata, created_at, updated_at, message_count, last_position) \
         SELECT gen_random_uuid(), 'ada', $1::text, 0, 0, 0, 0",
        "INSERT INTO branch (conversation_id, branch, parent_branch, fork_position) VALUES ($1, 99, 0, 1)",
        "INSERT INTO change (owner_id, revision, kind, conversation_id, changed_at) VALUES ('ada', 99, 1, $1, 0)",
        "INSERT INTO account (id, revision, created_at) SELECT 'eve' || $1::text, 0, 0",
        "INSERT INTO message_text (message_id, start, text) VALUES ($1, 99, 'slipped in')",
        "INSERT INTO message_token_count (conversation_id, tokenizer, branch, position, span, owner_id) \
         VALUES ($1, 1, -1, 99, 1, 'ada')",
        "INSERT INTO message_feedback (conversation_id, message_id, owner_id, tags, updated_at) \
         VALUES ($1, gen_random_uuid(), 'ada', '[]', 0)",
        "INSERT INTO deleted_usage (owner_id, created_at, model, message_count, input_tokens, output_tokens, total_tokens, \
         cached_input_tokens, reasoning_tokens) SELECT 'ada', 0, $1::text, 1, 1, 1, 1, 1, 1",
        "INSERT INTO search_state (owner_id, version, generation, revision, is_complete, backfill_conversation, \
         backfill_position, backfill_revision) VALUES ('ada', 1, 1, 1, true, $1, 0, 0)",
        "INSERT INTO search_segment (owner_id, segment, documents, times, bytes, is_live) \
         SELECT 'ada', 99, 0, '', 0, $1::uuid IS NOT NULL",
        "INSERT INTO webhook_position (owner_id, webhook, revision, attempts) SELECT 'ada', $1::text, 1, 0",
        "INSERT INTO search_block (owner_id, segment, key, data) SELECT 'ada', 99, uuid_send($1::uuid), ''",
    ];
    let overwrites = [
        "UPDATE message SET content = 'overwritten' WHERE conversation_id = $1",
        "DELETE FROM message WHERE conversation_id = $1",
        "UPDATE conversation SET owner_id = 'bob' WHERE id = $1",
        "DELETE FROM branch WHERE conversation_id = $1",
        "DELETE FROM stream WHERE conversation_id = $1",
        "DELETE FROM message_text WHERE message_id <> $1",
        "DELETE FROM message_token_count WHERE conversation_id = $1",
        "DELETE FROM message_feedback WHERE conversation_id = $1",
        "DELETE FROM deleted_usage WHERE owner_id = 'ada' AND $1::uuid IS NOT NULL",
        "DELETE FROM search_block WHERE $1::uuid IS NOT NULL AND owner_id = 'ada'",
    ];
    for owner in ["", "bob"] {
        if !owner.is_empty() {
            say_owners(&mut session, &[owner]).await;
            assert_eq!(count(&mut session, "conversation").await, 1, "bob's own");
            for table in ["message", "stream", "branch", "message_text"] {
                assert_eq!(count(&mut session, table).await, 0, "{table} as bob");
            }
        }
        for write in writes {
            let refused = touch(&mut session, write, &id).await.unwrap_err();
            let code = refused.as_database_error().unwrap().code().unwrap().into_owned();
            assert_eq!(code, "42501", "{owner}: {write}: {refused}");
        }
        for overwrite in overwrites {
            assert_eq!(touch(&mut session, overwrite, &id).await.unwrap(), 0, "{owner}: {overwrite}");
        }
    }
    // Nobody can give away what is theirs, either.
    say_owners(&mut session, &["ada"]).await;
    let given = touch(&mut session, overwrites[2], &id).await.unwrap_err();
    assert_eq!(given.as_database_error().unwrap().code().unwrap(), "42501");
    for table in TABLES {
        assert!(count(&mut session, table).await > 0, "{table} as ada");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn background_tasks_see_no_conversation_and_no_message() {
    let app = TestApp::start(Engine::PostgresWithRowLevelSecurity).await;
    let id = everything(&app.client("ada")).await;
    index(&app, "ada").await;
    let (mut session, _) = connections(&app).await;
    say(&mut session, "scrollback.upkeep", "on").await;
    for table in TABLES {
        let seen = count(&mut session, table).await > 0;
        assert_eq!(
            seen,
            ["account", "change", "stream", "search_state", "share", "attachment", "webhook_position"]
                .contains(&table),
            "{table}"
        );
    }
    assert_eq!(touch(&mut session, "DELETE FROM stream WHERE conversation_id = $1", &id).await.unwrap(), 0);
}

/// Notes what a statement has said when it looks at a conversation.
const WITNESS: &str = "CREATE TABLE told (owners text, upkeep text);
    CREATE FUNCTION witness() RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$ BEGIN
      INSERT INTO told VALUES (current_setting('scrollback.owners', true), current_setting('scrollback.upkeep', true));
      RETURN true;
    END $$;
    CREATE POLICY witness ON conversation AS RESTRICTIVE USING (witness())";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_sees_only_rows_of_the_named_owners() {
    // One connection for everything, so that a setting that stays on it would affect the next statement.
    let settings = [("database.max_connections", "1"), ("database.write_workers", "1")];
    let app = TestApp::start_with(Engine::PostgresWithRowLevelSecurity, &settings).await;
    let (mut session, _) = connections(&app).await;
    session.execute(WITNESS).await.unwrap();
    for owner in ["ada", "bob", "ada"] {
        let client = app.client(owner);
        let id = everything(&client).await;
        let query = "query($id: ID!) { conversation(id: $id) { id messages { nodes { content } } } conversations { nodes { id } }
                     node(id: $id) { id } changes { nodes { conversationId } } }";
        client.data(query, json!({ "id": id })).await;
        let told = "WITH told AS (DELETE FROM told RETURNING *) SELECT DISTINCT owners, upkeep FROM told";
        let told: Vec<(String, Option<String>)> = sqlx::query_as(told).fetch_all(&mut session).await.unwrap();
        assert!(!told.is_empty());
        for (owners, upkeep) in told {
            assert_eq!((owners, upkeep.unwrap_or_default()), (format!("{{{owner}}}"), String::new()));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_subject_is_quoted_as_another_one() {
    let app = TestApp::start(Engine::PostgresWithRowLevelSecurity).await;
    let odd = [
        "ada",
        "a\",\"ada",
        "{ada}",
        "{\"ada\"}",
        "ada}",
        "\\",
        "ada\\",
        "\\\"ada",
        "NULL",
        "null",
        "'",
        "a','ada",
        "ada,bob",
        "ada\u{1f}bob",
        " ada",
        "ada ",
        "\"\"",
        "{}",
        "[1:1]={ada}",
        "$1",
        "ä\u{202e}🦀",
        "a\nb\tc",
        "%s;--",
    ];
    let mut own = Vec::new();
    for owner in odd {
        let client = app.client(owner);
        let id = client.new_conversation().await;
        own.push((client, id));
    }
    // Together, so that many of them are in one batch.
    let write = own.iter().map(async |(client, id)| {
        client.append(id, "hello").await;
    });
    futures_util::future::join_all(write).await;
    let list = "{ viewer { id } conversations { nodes { id messages { nodes { content } } } } }";
    let read = own.iter().map(async |(client, _)| client.data(list, json!({})).await);
    let found = futures_util::future::join_all(read).await;
    for ((owner, (_, id)), found) in odd.iter().zip(&own).zip(found) {
        let messages = json!({ "nodes": [{ "content": "hello" }] });
        let all = json!({ "nodes": [{ "id": id, "messages": messages }] });
        assert_eq!(found, json!({ "viewer": { "id": owner }, "conversations": all }));
    }
    let (mut session, _) = connections(&app).await;
    for owners in odd.chunks(1).chain(odd.chunks(5)) {
        say_owners(&mut session, owners).await;
        let query = "SELECT DISTINCT owner_id FROM message ORDER BY 1";
        let seen: Vec<String> = sqlx::query_scalar(query).fetch_all(&mut session).await.unwrap();
        let mut told = owners.to_vec();
        told.sort_unstable();
        assert_eq!(seen, told);
    }
}
