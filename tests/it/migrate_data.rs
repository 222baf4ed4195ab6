//! Moves of a whole database to the other engine, and back: every row, and every cursor that clients have.

mod interruptions;
mod refusals;
mod rows;

use serde_json::{Value, json};

use crate::check::database::Database;
use crate::harness::{Client, Engine, EventStream, Program, Running, back_end_token, shared_cluster};
use crate::user_erasure::fill;
use rows::Rows;

/// The database of a program on SQLite.
const SQLITE: &str = "sqlite://data/scrollback.db";

const USERS: [&str; 2] = ["ada", "bob"];

const CHANGES: &str =
    "query($after: String) { changes(after: $after, first: 100) { nodes { __typename cursor } endCursor } }";

const FOLLOW: &str = "subscription($id: ID!, $after: String!) {
  messageAdded(conversationId: $id, after: $after) { cursor node { id position } }
}";

/// A program over SQLite whose files may be used by a server on PostgreSQL, too.
async fn program() -> Program {
    Program::over(Engine::Sqlite).await.with("SCROLLBACK_FILES_STORAGE", "data/files")
}

async fn serve(program: &Program, database: &str) -> Running {
    program.serve(&["--database-url", database]).await
}

async fn stop(server: Running) {
    server.terminate().await;
    let (status, log) = server.ended().await;
    assert!(status.success() && !log.contains("ERROR"), "{log}");
}

async fn move_data(program: &Program, from: &str, to: &str) -> String {
    program.printed(&["migrate-data", "--from", from, "--to", to]).await
}

async fn refused(program: &Program, from: &str, to: &str) -> String {
    program.refused(&["migrate-data", "--from", from, "--to", to]).await
}

async fn assert_sound(program: &Program, database: &str) {
    let checked = program.printed(&["check", "--database-url", database]).await;
    assert_eq!(checked.lines().last(), Some("sound"), "{checked}");
}

/// What a client has read: a conversation, the cursor of its last message, and the cursor of the feed.
pub(crate) struct Seen {
    conversation: String,
    message: Value,
    change: Value,
}

impl Seen {
    async fn by(client: &Client, conversation: String) -> Self {
        let query = "query($id: ID!) { conversations { changeCursor }
          conversation(id: $id) { messages(last: 1) { pageInfo { endCursor } } } }";
        let data = client.data(query, json!({ "id": conversation })).await;
        let message = data["conversation"]["messages"]["pageInfo"]["endCursor"].clone();
        Self { conversation, message, change: data["conversations"]["changeCursor"].clone() }
    }

    /// The changes after the cursor.
    async fn changes(&self, client: &Client) -> Value {
        client.data(CHANGES, json!({ "after": self.change })).await
    }

    /// Follows the messages after the cursor until one of this id has come.
    async fn follow(&self, client: &Client, until: &Value) -> Vec<Value> {
        let variables = json!({ "id": self.conversation, "after": self.message });
        let mut events = EventStream::open(client, FOLLOW, variables, None).await;
        let mut messages = Vec::new();
        loop {
            let event = events.next().await.unwrap();
            if event.name == "next" {
                let node = event.data["data"]["messageAdded"]["node"].clone();
                messages.push(node.clone());
                if node["id"] == *until {
                    return messages;
                }
            }
        }
    }
}

/// Conversations of two users, with a row in every table that the API fills.
pub(crate) async fn fill_all(server: &Running) -> Vec<Seen> {
    let mut seen = Vec::new();
    for user in USERS {
        let client = server.client(user);
        let id = fill(&client, "zebra").await;
        seen.push(Seen::by(&client, id.clone()).await);
        for text in ["one", "two", "three"] {
            client.append(&id, text).await;
        }
    }
    act_for_ada(server).await;
    seen
}

/// A write that the audit log has.
async fn act_for_ada(server: &Running) {
    let back_end = server.client("ada").with_token(back_end_token(crate::harness::TIMEOUT)).acting_for("ada");
    back_end.new_conversation().await;
}

/// Rows of tables that need a webhook, a failed upload or a revoked token.
pub(crate) const MORE_ROWS: &str = "
    INSERT INTO webhook VALUES ('crm', 1700000000000000, 'a', 1700000000000001, NULL, 1700000000000002, 'refused');
    INSERT INTO webhook_position VALUES ('ada', 'crm', 3, 1, 1700000000000003, 1700000000000004);
    INSERT INTO object_removal VALUES (x'0102030405060708090a0b0c0d0e0f10', 9000000000000000, 0);
    INSERT INTO revocation VALUES (1, 2, 'mallory', 1700000000000005, NULL, 0, 1700000000000006);";

/// A program whose SQLite database has rows in every table.
async fn filled() -> (Program, Vec<Seen>) {
    let program = program().await;
    let server = serve(&program, SQLITE).await;
    let seen = fill_all(&server).await;
    stop(server).await;
    program.printed(&["erase", "--public-key"]).await;
    program.printed(&["reindex"]).await;
    Database::of(Engine::Sqlite, &program).run(MORE_ROWS).await;
    (program, seen)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_moves_to_postgresql_and_back() {
    let (program, _) = filled().await;
    let postgres = shared_cluster().create_database().await;
    let before = Rows::of(&program, SQLITE).await;
    before.assert_no_table_is_empty();
    let said = move_data(&program, SQLITE, &postgres).await;
    let last = said.lines().rev().nth(1).unwrap();
    assert_eq!(last, format!("moved {} rows; the target has all rows of the source", before.count()));
    assert_eq!(Rows::of(&program, &postgres).await, before);
    move_data(&program, &postgres, "sqlite://back.db").await;
    assert_eq!(Rows::of(&program, "sqlite://back.db").await, before);
    // The sources are as they were.
    assert_eq!(Rows::of(&program, SQLITE).await, before);
    assert_eq!(Rows::of(&program, &postgres).await, before);
    for database in [SQLITE, &postgres, "sqlite://back.db"] {
        assert_sound(&program, database).await;
    }
}

/// Goes on with what a client has seen before the move.
async fn go_on(server: &Running, seen: &[Seen], changes: &[Value]) {
    for ((user, seen), before) in USERS.into_iter().zip(seen).zip(changes) {
        let client = server.client(user);
        let after = seen.changes(&client).await;
        let known = before["changes"]["nodes"].as_array().unwrap();
        assert_eq!(&after["changes"]["nodes"].as_array().unwrap()[..known.len()], &known[..], "{user}");
        let appended = client.append(&seen.conversation, "goes on").await;
        let messages = seen.follow(&client, &appended["id"]).await;
        let positions: Vec<_> = messages.iter().map(|node| node["position"].as_i64().unwrap()).collect();
        let first = positions[0];
        let expected: Vec<_> = (first..first + i64::try_from(positions.len()).unwrap()).collect();
        assert_eq!(positions, expected, "each message once, without a gap");
        assert!(positions.len() >= 4, "the three from before the move, and the new one");
    }
    act_for_ada(server).await;
}

async fn cursors_go_on_after_moves(engine: Engine) {
    let (program, seen) = filled().await;
    let server = serve(&program, SQLITE).await;
    let mut changes = Vec::new();
    for (user, seen) in USERS.into_iter().zip(&seen) {
        changes.push(seen.changes(&server.client(user)).await);
    }
    stop(server).await;
    let on_postgres = Program::over(engine)
        .await
        .with("SCROLLBACK_FILES_STORAGE", program.folder().join("data/files").display().to_string());
    // The tables may be there already, and with row-level security their policies.
    on_postgres.printed(&["migrate", "up"]).await;
    let postgres = on_postgres.variable("SCROLLBACK_DATABASE_URL").to_owned();
    move_data(&program, SQLITE, &postgres).await;
    let server = on_postgres.serve(&[]).await;
    go_on(&server, &seen, &changes).await;
    stop(server).await;
    assert_sound(&on_postgres, &postgres).await;
    let log = on_postgres.printed(&["audit", "--action", "createConversation"]).await;
    assert_eq!(log.lines().count(), 2, "{log}");
    // And back, over policies if there are some.
    let before = Rows::of(&program, &postgres).await;
    move_data(&program, &postgres, "sqlite://back.db").await;
    assert_eq!(Rows::of(&program, "sqlite://back.db").await, before);
    let server = serve(&program, "sqlite://back.db").await;
    go_on(&server, &seen, &changes).await;
    stop(server).await;
    assert_sound(&program, "sqlite://back.db").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cursors_go_on_after_moves_to_postgresql_and_back() {
    cursors_go_on_after_moves(Engine::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cursors_go_on_after_moves_to_row_level_security_and_back() {
    cursors_go_on_after_moves(Engine::PostgresWithRowLevelSecurity).await;
}
