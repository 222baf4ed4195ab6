//! What people do to keep order: pins, the archive, labels, the trash, reading positions.

mod trash;
mod unread;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{Client, TestApp, on_each_database, with_row_level_security};

on_each_database!(
    pins_archive_and_labels_are_set_and_cleared,
    organising_moves_nothing_in_lists_by_activity,
    labels_are_compared_without_case,
    invalid_labels_name_the_rule,
    filters_combine_and_pages_follow_each_other,
    a_new_message_takes_a_conversation_out_of_the_archive,
    every_change_is_told_once_and_what_changes_nothing_is_not,
);

with_row_level_security!(filters_combine_and_pages_follow_each_other, labels_are_compared_without_case);

pub(super) const FIELDS: &str = "id title pinnedAt archivedAt unarchiveOnMessage trashedAt expiresAt labels readPosition unreadCount updatedAt";

pub(super) async fn create(client: &Client, title: &str) -> String {
    let query =
        "mutation($title: String) { createConversation(input: { title: $title }) { conversation { id } } }";
    let data = client.data(query, json!({ "title": title })).await;
    data["createConversation"]["conversation"]["id"].as_str().unwrap().to_owned()
}

pub(super) async fn update(client: &Client, id: &str, mut input: Value) -> Value {
    input["id"] = json!(id);
    let query = format!(
        "mutation($input: UpdateConversationInput!) {{ updateConversation(input: $input) {{ conversation {{ {FIELDS} }} }} }}"
    );
    client.data(&query, json!({ "input": input })).await["updateConversation"]["conversation"].clone()
}

pub(super) async fn read(client: &Client, id: &str) -> Value {
    let query = format!("query($id: ID!) {{ conversation(id: $id) {{ {FIELDS} }} }}");
    client.data(&query, json!({ "id": id })).await["conversation"].clone()
}

/// The titles that a filter finds.
pub(super) async fn titles(client: &Client, filter: Value) -> Vec<String> {
    let query = "query($filter: ConversationFilter) { conversations(first: 100, filter: $filter) { nodes { title } } }";
    let data = client.data(query, json!({ "filter": filter })).await;
    let nodes = data["conversations"]["nodes"].as_array().unwrap();
    nodes.iter().map(|node| node["title"].as_str().unwrap().to_owned()).collect()
}

pub(super) async fn counts(client: &Client) -> (i64, i64) {
    let data = client.data("{ viewer { conversationCount unreadConversationCount } }", json!({})).await;
    let number = |name: &str| data["viewer"][name].as_i64().unwrap();
    (number("conversationCount"), number("unreadConversationCount"))
}

/// The kinds of the changes, oldest first.
async fn changes(client: &Client) -> Vec<String> {
    let data = client.data("{ changes(first: 100) { nodes { __typename } } }", json!({})).await;
    let nodes = data["changes"]["nodes"].as_array().unwrap();
    nodes.iter().map(|node| node["__typename"].as_str().unwrap().to_owned()).collect()
}

async fn labels(client: &Client) -> Value {
    client.data("{ labels { label conversationCount } }", json!({})).await["labels"].clone()
}

async fn pins_archive_and_labels_are_set_and_cleared(app: TestApp) {
    let ada = app.client("ada");
    let id = create(&ada, "plans").await;
    let new = read(&ada, &id).await;
    for field in ["pinnedAt", "archivedAt", "trashedAt", "expiresAt"] {
        assert_eq!(new[field], Value::Null, "{field}");
    }
    assert_eq!((&new["labels"], &new["unarchiveOnMessage"]), (&json!([]), &json!(true)));
    let expires = "2099-01-01T00:00:00.000000Z";
    let set = json!({ "pinned": true, "archived": true, "unarchiveOnMessage": false, "labels": ["Work", "x"], "expiresAt": expires });
    let organised = update(&ada, &id, set.clone()).await;
    assert!(organised["pinnedAt"].is_string() && organised["archivedAt"].is_string(), "{organised}");
    assert_eq!(organised["labels"], json!(["Work", "x"]));
    assert_eq!((&organised["unarchiveOnMessage"], &organised["expiresAt"]), (&json!(false), &json!(expires)));
    assert_eq!(read(&ada, &id).await, organised);
    assert_eq!(update(&ada, &id, set).await, organised, "a repeat keeps the times");
    let kept = json!({ "pinned": null, "archived": null, "unarchiveOnMessage": null });
    assert_eq!(update(&ada, &id, kept).await, organised, "null changes nothing");
    let clear = json!({ "pinned": false, "archived": false, "unarchiveOnMessage": true, "labels": null, "expiresAt": null });
    assert_eq!(update(&ada, &id, clear).await, new);
    let past = json!({ "id": id, "expiresAt": "2020-01-01T00:00:00Z" });
    let query = "mutation($input: UpdateConversationInput!) { updateConversation(input: $input) { conversation { id } } }";
    let (code, message) = ada.fault(query, json!({ "input": past })).await;
    assert_eq!(code, "BAD_USER_INPUT");
    assert_eq!(message, "`input.expiresAt` must be in the future, got 2020-01-01T00:00:00.000000Z");
}

async fn organising_moves_nothing_in_lists_by_activity(app: TestApp) {
    let ada = app.client("ada");
    let first = create(&ada, "first").await;
    create(&ada, "second").await;
    let before = read(&ada, &first).await["updatedAt"].clone();
    update(&ada, &first, json!({ "pinned": true, "addLabels": ["a"] })).await;
    assert_eq!(read(&ada, &first).await["updatedAt"], before);
    assert_eq!(titles(&ada, Value::Null).await, ["second", "first"]);
    update(&ada, &first, json!({ "title": "first, renamed" })).await;
    assert_eq!(titles(&ada, Value::Null).await, ["first, renamed", "second"]);
}

async fn labels_are_compared_without_case(app: TestApp) {
    let (ada, bob) = (app.client("ada"), app.client("bob"));
    let (one, two) = (create(&ada, "one").await, create(&ada, "two").await);
    let changed = update(&ada, &one, json!({ "labels": ["Work", "WORK", "Straße", "café", "cafe"] })).await;
    assert_eq!(changed["labels"], json!(["Work", "Straße", "café", "cafe"]));
    let changed =
        update(&ada, &one, json!({ "addLabels": ["work", "New"], "removeLabels": ["STRASSE"] })).await;
    assert_eq!(changed["labels"], json!(["Work", "café", "cafe", "New"]));
    update(&ada, &two, json!({ "labels": ["WORK"] })).await;
    let foreign = create(&bob, "foreign").await;
    update(&bob, &foreign, json!({ "labels": ["work", "secret"] })).await;
    let count = |label: &str, count: i64| json!({ "label": label, "conversationCount": count });
    let expected = json!([count("cafe", 1), count("café", 1), count("New", 1), count("WORK", 2)]);
    assert_eq!(labels(&ada).await, expected);
    assert_eq!(titles(&ada, json!({ "label": "wOrK" })).await, ["two", "one"]);
    assert_eq!(titles(&ada, json!({ "label": "CAFÉ" })).await, ["one"]);
    assert_eq!(titles(&ada, json!({ "label": "secret" })).await, Vec::<String>::new());
    ada.data(
        "mutation($id: ID!) { deleteConversation(input: { id: $id }) { deletedConversationId } }",
        json!({ "id": one }),
    )
    .await;
    assert_eq!(labels(&ada).await, json!([count("WORK", 1)]), "a deleted conversation has none");
}

async fn invalid_labels_name_the_rule(app: TestApp) {
    let ada = app.client("ada");
    let id = create(&ada, "plans").await;
    let query = "mutation($input: UpdateConversationInput!) { updateConversation(input: $input) { conversation { id } } }";
    let many = |count: usize| (0..count).map(|number| format!("label {number}")).collect::<Vec<_>>();
    update(&ada, &id, json!({ "labels": many(31) })).await;
    for (input, expected) in [
        (
            json!({ "labels": [""] }),
            "`input.labels[0]` must have 1 to 64 characters that are not only white space",
        ),
        (
            json!({ "addLabels": ["ok", "é".repeat(65)] }),
            "`input.addLabels[1]` must have at most 64 characters, has 65",
        ),
        (
            json!({ "removeLabels": ["a\u{0}"] }),
            "`input.removeLabels[0]` must not contain control characters, got U+0000",
        ),
        (
            json!({ "addLabels": ["a", "b"] }),
            "`input.addLabels` must leave a conversation with at most 32 labels, it would have 33",
        ),
        (
            json!({ "labels": many(33) }),
            "`input.labels` must leave a conversation with at most 32 labels, it would have 33",
        ),
        (json!({ "labels": many(129) }), "`input.labels` must have at most 128 items, has 129"),
        (
            json!({ "labels": [], "addLabels": ["a"] }),
            "`input.labels` must not be given together with `addLabels` or `removeLabels`",
        ),
    ] {
        let mut input = input;
        input["id"] = json!(id);
        let (code, message) = ada.fault(query, json!({ "input": input })).await;
        assert_eq!((code.as_str(), message.as_str()), ("BAD_USER_INPUT", expected));
    }
    assert_eq!(read(&ada, &id).await["labels"].as_array().unwrap().len(), 31, "nothing was written");
    let query = "{ conversations(filter: { label: \"\" }) { nodes { id } } }";
    let (_, message) = ada.fault(query, json!({})).await;
    assert_eq!(message, "`filter.label` must have 1 to 64 characters that are not only white space");
}

/// Forty conversations with every combination; and every filter, compared with what it should find.
async fn filters_combine_and_pages_follow_each_other(app: TestApp) {
    let ada = app.client("ada");
    let mut all = Vec::new();
    for number in 0..40_u32 {
        let title = format!("{number:02}");
        let id = create(&ada, &title).await;
        let (pinned, archived, labelled, unread) =
            (number % 2 == 0, number % 3 == 0, number % 5 == 0, number % 7 == 0);
        let trashed = number % 11 == 0;
        if unread {
            let query = "mutation($id: ID!) { appendMessage(input: { conversationId: $id, role: ASSISTANT, content: \"a walrus\" }) { message { id } } }";
            ada.data(query, json!({ "id": id })).await;
        }
        let labels = if labelled { json!(["Five"]) } else { json!([]) };
        update(&ada, &id, json!({ "pinned": pinned, "archived": archived, "labels": labels })).await;
        if trashed {
            trash::trash(&ada, &id).await;
        }
        all.push((
            title,
            [("pinned", pinned), ("archived", archived), ("unread", unread), ("trashed", trashed)],
            labelled,
        ));
    }
    let choices = [Value::Null, json!(true), json!(false)];
    for pinned in &choices {
        for archived in &choices {
            for unread in &choices {
                for trashed in &choices {
                    for label in [Value::Null, json!("FIVE")] {
                        let filter = json!({ "pinned": pinned, "archived": archived, "unread": unread, "trashed": trashed, "label": label });
                        let expected: BTreeSet<_> = all
                            .iter()
                            .filter(|(_, flags, labelled)| {
                                (label.is_null() || *labelled)
                                    && flags.iter().all(|(name, is)| {
                                        let ignored =
                                            *name == "archived" && (*trashed == json!(true) || flags[3].1);
                                        ignored || filter[name].is_null() || filter[name] == json!(is)
                                    })
                            })
                            .map(|(title, ..)| title.clone())
                            .collect();
                        let found = titles(&ada, filter.clone()).await;
                        assert_eq!(found.iter().cloned().collect::<BTreeSet<_>>(), expected, "{filter}");
                        assert_eq!(found.len(), expected.len(), "{filter}");
                    }
                }
            }
        }
    }
    let listed: BTreeSet<_> = all
        .iter()
        .filter(|(_, flags, _)| !flags[1].1 && !flags[3].1)
        .map(|(title, ..)| title.clone())
        .collect();
    assert_eq!(
        titles(&ada, Value::Null).await.into_iter().collect::<BTreeSet<_>>(),
        listed,
        "the default list"
    );
    let unread = all.iter().filter(|(_, flags, _)| flags[2].1 && !flags[1].1 && !flags[3].1).count() as i64;
    let kept = all.iter().filter(|(_, flags, _)| !flags[3].1).count() as i64;
    assert_eq!(counts(&ada).await, (kept, unread));
    assert_eq!(counts(&app.client("bob")).await, (0, 0));
    // Pages through active and archived ones, in both directions and orders.
    for (field, direction) in
        [("UPDATED_AT", "DESC"), ("UPDATED_AT", "ASC"), ("CREATED_AT", "DESC"), ("CREATED_AT", "ASC")]
    {
        let order = json!({ "field": field, "direction": direction });
        let whole = pages(&ada, &order, "first", 100).await;
        assert_eq!(whole.len() as i64, kept);
        assert_eq!(pages(&ada, &order, "first", 7).await, whole, "{order}");
        assert_eq!(pages(&ada, &order, "last", 7).await, whole, "{order}");
    }
    // Words and labels together.
    let found = titles(&ada, json!({ "query": "walrus", "label": "five", "archived": null })).await;
    let expected: BTreeSet<_> = all
        .iter()
        .filter(|(_, flags, labelled)| flags[2].1 && *labelled && !flags[3].1)
        .map(|(title, ..)| title.clone())
        .collect();
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), expected);
}

/// The titles of all pages, in the order of the list.
async fn pages(client: &Client, order: &Value, size: &str, count: i32) -> Vec<String> {
    let cursor = if size == "first" { "after" } else { "before" };
    let query = format!(
        "query($count: Int, $cursor: String, $order: ConversationOrder) {{
           conversations({size}: $count, {cursor}: $cursor, orderBy: $order, filter: {{ archived: null }}) {{
             nodes {{ title }} pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }} }}"
    );
    let (mut found, mut at) = (Vec::new(), Value::Null);
    loop {
        let data = client.data(&query, json!({ "count": count, "cursor": at, "order": order })).await;
        let page = &data["conversations"];
        let nodes = page["nodes"].as_array().unwrap().iter();
        let titles: Vec<_> = nodes.map(|node| node["title"].as_str().unwrap().to_owned()).collect();
        let (more, next) = if size == "first" {
            found.extend(titles);
            ("hasNextPage", "endCursor")
        } else {
            found.splice(0..0, titles);
            ("hasPreviousPage", "startCursor")
        };
        at = page["pageInfo"][next].clone();
        if page["pageInfo"][more] == false {
            return found;
        }
    }
}

async fn a_new_message_takes_a_conversation_out_of_the_archive(app: TestApp) {
    let ada = app.client("ada");
    let (back, stays) = (create(&ada, "back").await, create(&ada, "stays").await);
    for id in [&back, &stays] {
        ada.append(id, "before").await;
        update(&ada, id, json!({ "archived": true })).await;
    }
    update(&ada, &stays, json!({ "unarchiveOnMessage": false })).await;
    assert_eq!(titles(&ada, Value::Null).await, Vec::<String>::new());
    for id in [&back, &stays] {
        ada.append(id, "after").await;
    }
    assert_eq!(titles(&ada, Value::Null).await, ["back"]);
    assert_eq!(titles(&ada, json!({ "archived": true })).await, ["stays"]);
    assert_eq!(read(&ada, &back).await["archivedAt"], Value::Null);
    assert_eq!(read(&ada, &back).await["readPosition"], 2);
    let messages = "query($id: ID!) { conversation(id: $id) { messages { nodes { position } } } }";
    let data = ada.data(messages, json!({ "id": stays })).await;
    assert_eq!(data["conversation"]["messages"]["nodes"].as_array().unwrap().len(), 2);
    // On a branch, too.
    update(&ada, &back, json!({ "archived": true })).await;
    let query = "mutation($id: ID!) { appendMessage(input: { conversationId: $id, parentId: null, role: USER, content: \"again\" }) { message { position } } }";
    ada.data(query, json!({ "id": back })).await;
    assert_eq!(titles(&ada, Value::Null).await, ["back"]);
}

async fn every_change_is_told_once_and_what_changes_nothing_is_not(app: TestApp) {
    let ada = app.client("ada");
    let id = create(&ada, "plans").await;
    ada.append(&id, "hello").await;
    let mut expected = changes(&ada).await;
    for (input, is_told) in [
        (json!({ "pinned": true }), true),
        (json!({ "pinned": true }), false),
        (json!({ "archived": false }), false),
        (json!({ "labels": ["a", "b"] }), true),
        (json!({ "labels": ["a", "b"] }), false),
        (json!({ "addLabels": ["A"], "removeLabels": ["c"] }), false),
        (json!({ "labels": ["A", "b"] }), true),
        (json!({ "archived": true, "removeLabels": ["a"] }), true),
        (json!({}), false),
    ] {
        update(&ada, &id, input.clone()).await;
        if is_told {
            expected.push("ConversationUpdated".into());
        }
        assert_eq!(changes(&ada).await, expected, "{input}");
    }
    for (is_trash, is_told) in [(true, true), (true, false), (false, true), (false, false)] {
        if is_trash {
            trash::trash(&ada, &id).await
        } else {
            trash::restore(&ada, &id).await
        };
        if is_told {
            expected.push("ConversationUpdated".into());
        }
        assert_eq!(changes(&ada).await, expected);
    }
    for (position, backward, is_told) in
        [(1, false, false), (0, false, false), (0, true, true), (1, false, true)]
    {
        unread::mark_read(&ada, &id, position, backward).await;
        if is_told {
            expected.push("ConversationUpdated".into());
        }
        assert_eq!(changes(&ada).await, expected, "{position}");
    }
}
