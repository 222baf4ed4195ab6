//! The audit log: what operators did, and how it is read and kept. What back ends do is in `act_as`.

use std::fs;

use scrollback::app;
use scrollback::clock::Clock;
use scrollback::model::{AuditAction, AuditActor, AuditFilter, OwnerId, OwnerRetention, Timestamp};
use scrollback::signals::Signals;
use scrollback::store::{Process, Store};
use serde_json::{Value, json};

use crate::harness::{Engine, Program, TestApp, on_each_database, with_row_level_security};

on_each_database!(
    appends_of_back_ends_are_audited_together_with_others,
    reports_are_audited,
    old_entries_go_and_the_others_stay,
);

with_row_level_security!(
    appends_of_back_ends_are_audited_together_with_others,
    old_entries_go_and_the_others_stay,
);

const APPEND: &str =
    "mutation($input: AppendMessageInput!) { appendMessage(input: $input) { message { id } } }";

async fn entries(store: &Store) -> Vec<(AuditAction, Option<String>, Option<String>, Option<i64>)> {
    let found = store.audit_entries(&AuditFilter::default(), 0, 1000).await.unwrap();
    let entry = |(_, entry): (i64, scrollback::model::AuditEntry)| {
        let conversation = entry.conversation.map(|id| id.to_string());
        (entry.action, conversation, entry.message.map(|id| id.to_string()), entry.count)
    };
    found.into_iter().map(entry).collect()
}

/// Users and back ends write at once, so that one commit has appends of both.
async fn appends_of_back_ends_are_audited_together_with_others(app: TestApp) {
    const APPENDS: usize = 40;
    let (ada, acting) = (app.client("ada"), app.back_end().acting_for("ada"));
    let bob = app.back_end().acting_for("bob");
    let (of_ada, of_bob) = (ada.new_conversation().await, bob.new_conversation().await);
    let append = |client: &crate::harness::Client, id: &str| {
        let input = json!({ "conversationId": id, "role": "USER", "content": "hello" });
        let client = client.clone();
        async move {
            client.data(APPEND, json!({ "input": input })).await["appendMessage"]["message"]["id"].clone()
        }
    };
    let mut own = Vec::new();
    let mut audited = Vec::new();
    let all = (0..APPENDS).map(|_| async {
        tokio::join!(append(&ada, &of_ada), append(&acting, &of_ada), append(&bob, &of_bob))
    });
    for (first, second, third) in futures_util::future::join_all(all).await {
        own.push(first.as_str().unwrap().to_owned());
        audited.push((of_ada.clone(), second.as_str().unwrap().to_owned()));
        audited.push((of_bob.clone(), third.as_str().unwrap().to_owned()));
    }
    let appended = |(action, conversation, message, count)| {
        (action == AuditAction::AppendMessages).then(|| {
            assert_eq!(count, Some(1));
            (Option::unwrap(conversation), Option::unwrap(message))
        })
    };
    let mut found: Vec<(String, String)> =
        entries(&app.store).await.into_iter().filter_map(appended).collect();
    found.sort();
    audited.sort();
    assert_eq!(found, audited);
    assert!(own.iter().all(|id| !found.iter().any(|(_, audited)| audited == id)), "a user's own append");
    // An append of several messages is one entry, in a batch and alone.
    let before = entries(&app.store).await.len();
    let several = json!({ "conversationId": of_bob, "messages": [
        { "role": "USER", "content": "a" }, { "role": "ASSISTANT", "content": "b" }, { "role": "USER", "content": "c" },
    ] });
    let query =
        "mutation($input: AppendMessagesInput!) { appendMessages(input: $input) { messages { id } } }";
    let data = bob.data(query, json!({ "input": several })).await;
    let first = data["appendMessages"]["messages"][0]["id"].as_str().unwrap().to_owned();
    let last = entries(&app.store).await.split_off(before);
    assert_eq!(last, [(AuditAction::AppendMessages, Some(of_bob), Some(first), Some(3))]);
}

async fn reports_are_audited(app: TestApp) {
    app.client("ada").new_conversation().await;
    let query = "{ usageReport(since: \"2026-01-01T00:00:00Z\", until: \"2027-01-01T00:00:00Z\") { nodes { subject } } }";
    app.client_with("billing", "scrollback:usage").data(query, json!({})).await;
    assert_eq!(app.client("ada").fault(query, json!({})).await.0, "FORBIDDEN");
    let found = app.store.audit_entries(&AuditFilter::default(), 0, 10).await.unwrap();
    let [(_, entry)] = &found[..] else { panic!("{found:?}") };
    assert_eq!((entry.action, &entry.owner), (AuditAction::UsageReport, &None));
    assert_eq!(entry.actor, AuditActor::BackEnd(OwnerId::new("billing").unwrap()));
}

async fn old_entries_go_and_the_others_stay(app: TestApp) {
    let owner = OwnerId::new("ada").unwrap();
    let settings = app::database(&app.config, Process::Command);
    for micros in [1000, 2000, 3000] {
        let clock = Clock::manual(Timestamp(micros));
        let store = Store::connect(&settings, clock, Signals::default()).await.unwrap();
        store.set_owner_retention(&owner, OwnerRetention::Keep).await.unwrap();
        store.close().await;
    }
    let times = async |filter: AuditFilter| {
        let found = app.store.audit_entries(&filter, 0, 10).await.unwrap();
        found.into_iter().map(|(_, entry)| entry.created_at.0).collect::<Vec<_>>()
    };
    assert_eq!(times(AuditFilter::default()).await, [1000, 2000, 3000]);
    let since = |since, until| AuditFilter {
        since: Some(Timestamp(since)),
        until: Some(Timestamp(until)),
        ..AuditFilter::default()
    };
    assert_eq!(times(since(2000, 3000)).await, [2000]);
    assert_eq!(app.store.trim_audit(Timestamp(2000)).await.unwrap(), 1);
    assert_eq!(times(AuditFilter::default()).await, [2000, 3000]);
    assert_eq!(app.store.trim_audit(Timestamp(2000)).await.unwrap(), 0);
}

/// What the command prints of everything that operators and servers do.
async fn the_command_prints_what_operators_did(engine: Engine) {
    let program = Program::over(engine).await.with("SCROLLBACK_RETENTION_TRASH", "0s");
    let folder = program.folder().join("shared.json");
    fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/sharegpt.json"), &folder).unwrap();
    let report = program.printed(&["import", "shared.json", "--user", "ada"]).await;
    let imported: i64 = report.split(' ').next().unwrap().parse().unwrap();
    program.printed(&["retention", "set", "--user", "bob", "--inactive", "never"]).await;
    let server = program.serve(&[]).await;
    let client = server.client("bob");
    let id = client.new_conversation().await;
    let trash = "mutation($id: ID!) { trashConversation(input: { id: $id }) { conversation { id } } }";
    client.data(trash, json!({ "id": id })).await;
    program.printed(&["retention"]).await;
    let lines: Vec<Value> = program
        .printed(&["audit", "--json"])
        .await
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let told: Vec<_> =
        lines.iter().map(|line| (&line["action"], &line["user"], &line["actorKind"])).collect();
    let [import, set, retention] = ["import", "setRetention", "retentionDelete"].map(Value::from);
    let ([ada, bob], operator) = (["ada", "bob"].map(Value::from), Value::from("operator"));
    assert_eq!(told, [(&import, &ada, &operator), (&set, &bob, &operator), (&retention, &bob, &operator)]);
    assert_eq!(lines[0]["count"], imported);
    assert_eq!(lines[2]["conversationId"], id);
    assert!(lines.iter().all(|line| !line["actor"].as_str().unwrap().is_empty()));
    // The same as text, and filtered.
    let actor = lines[0]["actor"].as_str().unwrap();
    let time = lines[2]["createdAt"].as_str().unwrap();
    let line = format!("{time} operator \"{actor}\" retentionDelete user=\"bob\" conversation={id}\n");
    assert_eq!(program.printed(&["audit", "--action", "retentionDelete"]).await, line);
    assert_eq!(program.printed(&["audit", "--user", "bob", "--since", time]).await, line);
    assert_eq!(program.printed(&["audit", "--user", "bob"]).await.lines().count(), 2);
    assert_eq!(program.printed(&["audit", "--actor", actor]).await.lines().count(), 3);
    assert_eq!(program.printed(&["audit", "--until", "2026-01-01T00:00:00Z"]).await, "");
    for (arguments, expected) in [
        (
            &["audit", "--action", "rename"][..],
            "--action must be one of createConversation, updateConversation, ",
        ),
        (&["audit", "--since", "yesterday"], "`--since` must be an RFC 3339 time with offset"),
        (&["audit", "--user", ""], "--user is not valid"),
    ] {
        let said = program.refused(arguments).await;
        assert!(said.contains(expected), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_prints_what_operators_did_on_sqlite() {
    the_command_prints_what_operators_did(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_prints_what_operators_did_on_postgres() {
    the_command_prints_what_operators_did(Engine::Postgres).await;
}
