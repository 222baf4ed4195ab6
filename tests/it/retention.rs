//! How long conversations are kept: the trash, expiry, rules for conversations without activity.

use std::collections::BTreeMap;

use scrollback::app;
use scrollback::clock::Clock;
use scrollback::model::{
    InactivityRule, OwnerId, OwnerRetention, RetentionAction, RetentionReason, RetentionRules, Timestamp,
};
use scrollback::signals::Signals;
use scrollback::store::{Process, Store};
use serde_json::{Value, json};

use crate::harness::{Client, Engine, Program, TIMEOUT, TestApp, on_each_database, with_row_level_security};

on_each_database!(
    rules_apply_to_what_is_due_and_to_nothing_else,
    users_can_have_rules_of_their_own,
    several_servers_delete_each_conversation_once,
    a_temporary_conversation_goes_by_itself,
);

with_row_level_security!(rules_apply_to_what_is_due_and_to_nothing_else, users_can_have_rules_of_their_own,);

const DAY: i64 = 24 * 3600 * 1_000_000;

/// The same database, some days later.
async fn later(app: &TestApp, days: i64) -> Store {
    let settings = app::database(&app.config, Process::Command);
    let clock = Clock::manual(Timestamp(Clock::system().now().0 + days * DAY));
    Store::connect(&settings, clock, Signals::default()).await.unwrap()
}

fn rules(trash: Option<i64>, inactive: Option<(i64, RetentionAction)>) -> RetentionRules {
    let inactive = inactive.map(|(days, action)| InactivityRule { after: days * DAY, action });
    RetentionRules { trash: trash.map(|days| days * DAY), inactive }
}

async fn create(client: &Client, title: &str, expires_at: Value) -> String {
    let query = "mutation($input: CreateConversationInput!) { createConversation(input: $input) { conversation { id } } }";
    let messages = json!([{ "role": "USER", "content": "hello" }]);
    let input = json!({ "title": title, "expiresAt": expires_at, "messages": messages });
    let data = client.data(query, json!({ "input": input })).await;
    data["createConversation"]["conversation"]["id"].as_str().unwrap().to_owned()
}

async fn change(client: &Client, mutation: &str, id: &str) {
    let query = format!("mutation($id: ID!) {{ {mutation} {{ conversation {{ id }} }} }}");
    client.data(&query, json!({ "id": id })).await;
}

/// The titles of what is left, and where it is.
async fn left(client: &Client) -> BTreeMap<String, &'static str> {
    let query = "{ conversations(first: 100, filter: { archived: null, trashed: null }) { nodes { title archivedAt trashedAt } } }";
    let data = client.data(query, json!({})).await;
    let place = |node: &Value| match (node["trashedAt"].is_null(), node["archivedAt"].is_null()) {
        (false, _) => "trash",
        (true, false) => "archive",
        (true, true) => "list",
    };
    let nodes = data["conversations"]["nodes"].as_array().unwrap();
    nodes.iter().map(|node| (node["title"].as_str().unwrap().to_owned(), place(node))).collect()
}

async fn deletions(client: &Client) -> usize {
    let mut after = Value::Null;
    let mut found = 0;
    loop {
        let query = "query($after: String) { changes(first: 100, after: $after) { nodes { __typename } hasNextPage endCursor } }";
        let data = client.data(query, json!({ "after": after })).await;
        let nodes = data["changes"]["nodes"].as_array().unwrap();
        found += nodes.iter().filter(|node| node["__typename"] == "ConversationDeleted").count();
        if data["changes"]["hasNextPage"] == false {
            return found;
        }
        after = data["changes"]["endCursor"].clone();
    }
}

/// What happens to one conversation of each kind.
async fn rules_apply_to_what_is_due_and_to_nothing_else(app: TestApp) {
    let ada = app.client("ada");
    let soon = Timestamp(Clock::system().now().0 + 5 * DAY).to_string();
    for title in ["plain", "pinned", "archived", "trashed", "pinned and trashed"] {
        let id = create(&ada, title, Value::Null).await;
        if title.contains("pinned") {
            change(&ada, "updateConversation(input: { id: $id, pinned: true })", &id).await;
        }
        if title == "archived" {
            change(&ada, "updateConversation(input: { id: $id, archived: true })", &id).await;
        }
        if title.contains("trashed") {
            change(&ada, "trashConversation(input: { id: $id })", &id).await;
        }
    }
    create(&ada, "temporary", json!(soon)).await;
    let pinned = create(&ada, "pinned temporary", json!(soon)).await;
    change(&ada, "updateConversation(input: { id: $id, pinned: true })", &pinned).await;
    let everything = left(&ada).await;
    assert_eq!(everything.len(), 7);
    let delete_after_10 = rules(Some(30), Some((10, RetentionAction::Delete)));
    // Nothing is due now.
    let now = later(&app, 0).await;
    assert_eq!(now.due_conversations(delete_after_10).await.unwrap(), []);
    assert_eq!(now.apply_retention(delete_after_10).await.unwrap().values().sum::<u64>(), 0);
    now.close().await;
    assert_eq!(left(&ada).await, everything);
    // After six days the time of some has come, whatever else is so.
    let store = later(&app, 6).await;
    let due = store.due_conversations(delete_after_10).await.unwrap();
    assert_eq!(
        due.iter().map(|due| (due.reason, due.conversations)).collect::<Vec<_>>(),
        [(RetentionReason::Expired, 2)]
    );
    let done = store.apply_retention(delete_after_10).await.unwrap();
    assert_eq!(done.get(&RetentionReason::Expired), Some(&2));
    store.close().await;
    let names = async || left(&ada).await.into_keys().collect::<Vec<_>>();
    assert_eq!(names().await, ["archived", "pinned", "pinned and trashed", "plain", "trashed"]);
    // After eleven days: archived, then deleted. The trash has a time of its own.
    let store = later(&app, 11).await;
    store.apply_retention(rules(None, Some((10, RetentionAction::Archive)))).await.unwrap();
    assert_eq!(left(&ada).await["plain"], "archive");
    assert_eq!(left(&ada).await["pinned"], "list");
    let due = store.due_conversations(delete_after_10).await.unwrap();
    assert_eq!(
        due.iter().map(|due| (due.reason, due.conversations)).collect::<Vec<_>>(),
        [(RetentionReason::InactiveDelete, 2)]
    );
    store.apply_retention(delete_after_10).await.unwrap();
    store.close().await;
    assert_eq!(names().await, ["pinned", "pinned and trashed", "trashed"]);
    let store = later(&app, 31).await;
    assert_eq!(store.apply_retention(rules(None, None)).await.unwrap().values().sum::<u64>(), 0, "never");
    store.apply_retention(delete_after_10).await.unwrap();
    assert_eq!(store.retention_figures()[0], (RetentionReason::Trash, 2));
    store.close().await;
    assert_eq!(names().await, ["pinned"]);
    assert_eq!(deletions(&ada).await, 6, "each is in the feed");
}

async fn users_can_have_rules_of_their_own(app: TestApp) {
    let owner = |name: &str| OwnerId::new(name).unwrap();
    let store = later(&app, 20).await;
    let rule = |days, action| OwnerRetention::Rule(InactivityRule { after: days * DAY, action });
    // Before they have written anything, too.
    store.set_owner_retention(&owner("keeps"), OwnerRetention::Keep).await.unwrap();
    store.set_owner_retention(&owner("archives"), rule(5, RetentionAction::Archive)).await.unwrap();
    for name in ["keeps", "archives", "longer", "default", "back"] {
        create(&app.client(name), "plans", Value::Null).await;
    }
    store.set_owner_retention(&owner("longer"), rule(25, RetentionAction::Delete)).await.unwrap();
    store.set_owner_retention(&owner("back"), OwnerRetention::Keep).await.unwrap();
    store.set_owner_retention(&owner("back"), OwnerRetention::Default).await.unwrap();
    let rules = rules(None, Some((10, RetentionAction::Delete)));
    let due = store.due_conversations(rules).await.unwrap();
    let due: Vec<_> = due.iter().map(|due| (due.owner.as_str(), due.reason)).collect();
    let delete = RetentionReason::InactiveDelete;
    assert_eq!(due, [("archives", RetentionReason::InactiveArchive), ("back", delete), ("default", delete)]);
    store.apply_retention(rules).await.unwrap();
    store.close().await;
    for (name, place) in [
        ("keeps", Some("list")),
        ("archives", Some("archive")),
        ("longer", Some("list")),
        ("default", None),
        ("back", None),
    ] {
        assert_eq!(left(&app.client(name)).await.get("plans").copied(), place, "{name}");
    }
}

async fn several_servers_delete_each_conversation_once(app: TestApp) {
    let mut users = Vec::new();
    for user in 0..4 {
        let client = app.client(&format!("user {user}"));
        for number in 0..30 {
            create(&client, &format!("plans {number}"), Value::Null).await;
        }
        users.push(client);
    }
    let (one, other) = (later(&app, 2).await, later(&app, 2).await);
    let rules = rules(None, Some((1, RetentionAction::Delete)));
    let (first, second) = tokio::join!(one.apply_retention(rules), other.apply_retention(rules));
    let sum = |done: BTreeMap<RetentionReason, u64>| done.values().sum::<u64>();
    let (first, second) = (sum(first.unwrap()), sum(second.unwrap()));
    // One may have left the rest of a batch to the other.
    let rest = sum(one.apply_retention(rules).await.unwrap());
    assert_eq!(first + second + rest, 120);
    for client in &users {
        assert_eq!((left(client).await.len(), deletions(client).await), (0, 30));
    }
    one.close().await;
    other.close().await;
}

/// The server's own job.
async fn a_temporary_conversation_goes_by_itself(app: TestApp) {
    let mut app = app;
    let settings = [("retention.check", "50ms")];
    let database = app.config.database_url();
    app.stop().await;
    let server = TestApp::start_with(app.engine, &[("database.url", &*database), settings[0]]).await;
    let ada = server.client("ada");
    let soon = Timestamp(Clock::system().now().0 + 1_000_000).to_string();
    create(&ada, "temporary", json!(soon)).await;
    create(&ada, "kept", Value::Null).await;
    let gone = async { while left(&ada).await.len() > 1 {} };
    tokio::time::timeout(TIMEOUT, gone).await.unwrap();
    assert_eq!(left(&ada).await.into_keys().collect::<Vec<_>>(), ["kept"]);
    assert_eq!(deletions(&ada).await, 1);
}

/// The command line: what it prints, what it refuses, and a kill in the middle.
async fn the_command_survives_a_kill(engine: Engine) {
    const CONVERSATIONS: usize = 400;
    let program = Program::over(engine).await.with("SCROLLBACK_RETENTION_TRASH", "0s");
    let server = program.serve(&[]).await;
    let ada = server.client("ada");
    for _ in 0..CONVERSATIONS {
        let id = create(&ada, "plans", Value::Null).await;
        change(&ada, "trashConversation(input: { id: $id })", &id).await;
    }
    create(&ada, "kept", Value::Null).await;
    let shown = program.printed(&["retention", "--dry-run"]).await;
    assert_eq!(
        shown,
        format!("ada: would delete from the trash {CONVERSATIONS}\n{CONVERSATIONS} conversations in all\n")
    );
    assert_eq!(deletions(&ada).await, 0, "a dry run deletes nothing");
    let mut command = program.command(&["retention"]).spawn().unwrap();
    let some = async { while deletions(&ada).await == 0 {} };
    tokio::time::timeout(TIMEOUT, some).await.unwrap();
    command.kill().await.unwrap();
    let before = deletions(&ada).await;
    assert!(before < CONVERSATIONS, "{before}: it was killed too late to say anything");
    let printed = program.printed(&["retention"]).await;
    let rest = CONVERSATIONS - before;
    let expected = format!(
        "deleted {rest} conversations ({rest} from the trash, 0 expired, 0 without activity), archived 0\n"
    );
    assert_eq!(printed, expected);
    assert_eq!(deletions(&ada).await, CONVERSATIONS, "each is in the feed once");
    assert_eq!(left(&ada).await.into_keys().collect::<Vec<_>>(), ["kept"]);
    for (arguments, expected) in [
        (
            &["retention", "set", "--user", "ada", "--inactive", "soon"][..],
            "--inactive must be a duration such as 90days, or never, got soon",
        ),
        (
            &["retention", "set", "--user", "ada", "--inactive", "0s"],
            "--inactive must be at least 1s, or never, got 0s",
        ),
        (&["retention", "set", "--user", "", "--inactive", "never"], "--user is not valid"),
    ] {
        let said = program.refused(arguments).await;
        assert!(said.contains(expected), "{said}");
    }
    let set = program
        .printed(&["retention", "set", "--user", "ada", "--inactive", "1s", "--action", "archive"])
        .await;
    assert_eq!(set, "conversations of ada are archived after that time without activity\n");
    let archived = async {
        while !program
            .printed(&["retention", "--dry-run"])
            .await
            .starts_with("ada: would archive without activity 1\n")
        {}
    };
    tokio::time::timeout(TIMEOUT, archived).await.unwrap();
    let unset = program.printed(&["retention", "unset", "--user", "ada"]).await;
    assert_eq!(unset, "conversations of ada follow the rule of the configuration\n");
    assert_eq!(program.printed(&["retention", "--dry-run"]).await, "0 conversations in all\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_survives_a_kill_on_sqlite() {
    the_command_survives_a_kill(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_survives_a_kill_on_postgres() {
    the_command_survives_a_kill(Engine::Postgres).await;
}
