//! Erasure of users: nothing is left of them, whatever happens meanwhile.

mod journey;

use std::time::Duration;

use scrollback::model::{ErasureFault, ErasureReceipt, OwnerId};
use serde_json::{Value, json};

use crate::harness::{Client, EventStream, TIMEOUT, TestApp, on_each_database, with_row_level_security};

on_each_database!(
    a_back_end_erases_a_user,
    writes_that_race_with_an_erasure_are_refused_or_erased,
    subscriptions_of_the_user_end,
    a_receipt_is_confirmed_only_if_it_is_true,
);

with_row_level_security!(
    a_back_end_erases_a_user,
    writes_that_race_with_an_erasure_are_refused_or_erased,
    a_receipt_is_confirmed_only_if_it_is_true,
);

const ERASE: &str = "mutation($user: ID!) { eraseUser(input: { subject: $user }) { receipt { erasedAt rowCount document } } }";
const CREATE: &str = "mutation($input: CreateConversationInput!) { createConversation(input: $input) { conversation { id } } }";

fn back_end(app: &TestApp) -> Client {
    app.client_with("privacy", "scrollback:erase")
}

async fn erase(app: &TestApp, user: &str) -> ErasureReceipt {
    let data = back_end(app).data(ERASE, json!({ "user": user })).await;
    let receipt = &data["eraseUser"]["receipt"];
    let document = ErasureReceipt::parse(receipt["document"].as_str().unwrap()).unwrap();
    assert_eq!(receipt["erasedAt"], document.content.erased_at);
    assert_eq!(receipt["rowCount"], document.row_count());
    document
}

/// A conversation with a row in every table.
pub(crate) async fn fill(client: &Client, word: &str) -> String {
    let messages: Vec<_> =
        (0..5).map(|number| json!({ "role": "USER", "content": format!("{word} {number}") })).collect();
    let input = json!({ "title": word, "metadata": { "about": word }, "messages": messages });
    let id = client.data(CREATE, json!({ "input": input })).await["createConversation"]["conversation"]["id"]
        .clone();
    let id = id.as_str().unwrap().to_owned();
    let label = "mutation($id: ID!, $label: String!) { updateConversation(input: { id: $id, labels: [$label] }) { conversation { id } } }";
    client.data(label, json!({ "id": id, "label": word })).await;
    let usage = json!({ "inputTokens": 1, "outputTokens": 2, "totalTokens": 3 });
    let append = |more: Value| {
        let mut input = json!({ "conversationId": id, "role": "ASSISTANT", "content": word });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        async move {
            let query =
                "mutation($input: AppendMessageInput!) { appendMessage(input: $input) { message { id } } }";
            client.data(query, json!({ "input": input })).await["appendMessage"]["message"]["id"].clone()
        }
    };
    let answer = append(json!({ "model": word, "usage": usage })).await;
    let deleted = append(json!({ "model": word, "usage": usage })).await;
    append(json!({ "parentId": null })).await;
    let file = format!("data:text/plain,{}", format!("{} ", word.replace(' ', "%20")).repeat(3000));
    let file = json!({ "file": { "mediaType": "text/plain", "filename": word, "url": file } });
    append(json!({ "content": null, "parts": [file] })).await;
    append(json!({ "status": "STREAMING" })).await;
    let delete = "mutation($id: ID!) { deleteMessage(input: { id: $id }) { message { id } } }";
    client.data(delete, json!({ "id": deleted })).await;
    let feedback = "mutation($id: ID!, $tags: [String!]) { setMessageFeedback(input: { messageId: $id, tags: $tags }) { message { id } } }";
    client.data(feedback, json!({ "id": answer, "tags": [word] })).await;
    let share = "mutation($id: ID!, $word: String!) { shareConversation(input: { conversationId: $id, label: $word }) { secret } }";
    client.data(share, json!({ "id": id, "word": word })).await;
    let read = "query($id: ID!, $word: String!) { conversation(id: $id) { messages { nodes { tokenCount } } } searchMessages(query: $word) { nodes { id } } }";
    client.data(read, json!({ "id": id, "word": word })).await;
    id
}

async fn a_back_end_erases_a_user(app: TestApp) {
    let (ada, bob) = (app.client("ada"), app.client("bob"));
    let (of_ada, of_bob) = (fill(&ada, "zebra").await, fill(&bob, "zebra").await);
    let acting = app.back_end().acting_for("ada");
    acting.append(&acting.new_conversation().await, "zebra").await;
    app.store.index_owner(&OwnerId::new("ada").unwrap()).await.unwrap();
    // Other tokens do not allow it.
    let told = ("FORBIDDEN".to_owned(), "this requires a token with the scope `scrollback:erase`".to_owned());
    for client in [&ada, &app.back_end(), &acting, &app.client_with("ada", "scrollback:usage")] {
        assert_eq!(client.fault(ERASE, json!({ "user": "ada" })).await, told);
    }
    assert_eq!(
        back_end(&app).fault(ERASE, json!({ "user": "" })).await,
        ("BAD_USER_INPUT".into(), "`input.subject` must not be empty".into())
    );
    let read = "query($id: ID!) { conversation(id: $id) { title messages { nodes { content } } } }";
    let before = bob.data(read, json!({ "id": of_bob })).await;
    let receipt = erase(&app, "ada").await;
    for table in [
        "account",
        "branch",
        "attachment",
        "attachment_reference",
        "blob",
        "blob_chunk",
        "change",
        "conversation",
        "conversation_label",
        "deleted_usage",
        "message",
        "message_feedback",
        "message_text",
        "message_token_count",
        "search_block",
        "search_segment",
        "search_state",
        "share",
        "shared_message",
        "stream",
    ] {
        assert!(receipt.content.rows.get(table).is_some_and(|rows| *rows > 0), "{table}: {receipt:?}");
    }
    assert_eq!((receipt.content.rows["conversation"], receipt.content.rows["message"]), (2, 11));
    let owner = OwnerId::new("ada").unwrap();
    assert_eq!(app.store.erasure_faults(&receipt, &owner).await.unwrap(), []);
    assert_eq!(ada.fault(read, json!({ "id": of_ada })).await.0, "NOT_FOUND");
    assert_eq!(bob.data(read, json!({ "id": of_bob })).await, before, "another user's");
    // A repeat gives the same receipt. Writes are still refused.
    assert_eq!(erase(&app, "ada").await, receipt);
    let told = ("BEING_ERASED".to_owned(), "the user is being erased: nothing can be written".to_owned());
    assert_eq!(ada.fault(CREATE, json!({ "input": {} })).await, told);
    // Who wrote nothing can be erased, too.
    assert_eq!(erase(&app, "nobody").await.content.rows.len(), 0);
}

async fn writes_that_race_with_an_erasure_are_refused_or_erased(app: TestApp) {
    let ada = app.client("ada");
    let mut writers = Vec::new();
    for number in 0..6 {
        let (ada, stream) = (ada.clone(), number % 3 == 0);
        let id = ada.new_conversation().await;
        writers.push(tokio::spawn(async move {
            let mut written = 0;
            // For as long as the user is there, and then some.
            for refused in 0.. {
                let input = json!({ "conversationId": id, "role": "ASSISTANT", "content": "zebra",
                    "status": if stream { "STREAMING" } else { "COMPLETE" } });
                let query = "mutation($input: AppendMessageInput!) { appendMessage(input: $input) { message { id } } }";
                let append = ada.run(query, json!({ "input": input })).await.body;
                let create = ada.run(CREATE, json!({ "input": { "title": "zebra" } })).await.body;
                let texts = "query($id: ID!) { conversation(id: $id) { messages { nodes { tokenCount } } } }";
                ada.run(texts, json!({ "id": id })).await;
                let code = |body: &Value| body["errors"][0]["extensions"]["code"].clone();
                for answer in [&append, &create] {
                    written += usize::from(answer.get("errors").is_none());
                    assert!(matches!(code(answer).as_str(), None | Some("BEING_ERASED" | "NOT_FOUND")), "{answer}");
                }
                if code(&create) == "BEING_ERASED" && refused > 100 {
                    break;
                }
            }
            written
        }));
    }
    let some = async {
        while ada.data("{ viewer { conversationCount } }", json!({})).await["viewer"]["conversationCount"]
            .as_i64()
            < Some(20)
        {}
    };
    tokio::time::timeout(TIMEOUT, some).await.unwrap();
    let indexing = tokio::spawn({
        let store = app.store.clone();
        async move { while store.index_owner(&OwnerId::new("ada").unwrap()).await.unwrap() > 0 {} }
    });
    let receipt = erase(&app, "ada").await;
    let mut written = 0;
    for writer in writers {
        written += tokio::time::timeout(TIMEOUT, writer).await.unwrap().unwrap();
    }
    indexing.await.unwrap();
    assert!(written > 20);
    let owner = OwnerId::new("ada").unwrap();
    assert_eq!(app.store.erasure_faults(&receipt, &owner).await.unwrap(), []);
}

async fn subscriptions_of_the_user_end(app: TestApp) {
    let (ada, bob) = (app.client("ada"), app.client("bob"));
    let id = ada.new_conversation().await;
    let of_bob = bob.new_conversation().await;
    let messages = "subscription($id: ID!) { messageAdded(conversationId: $id) { node { id } } }";
    let changes = "subscription { changes { __typename } }";
    let mut of_messages = EventStream::open(&ada, messages, json!({ "id": id }), None).await;
    let mut of_changes = EventStream::open(&ada, changes, json!({}), None).await;
    let mut of_another = EventStream::open(&bob, messages, json!({ "id": of_bob }), None).await;
    // They are subscribed once they get something.
    for stream in [&mut of_messages, &mut of_changes] {
        let appended = async {
            loop {
                ada.append(&id, "hello").await;
                if let Ok(event) = tokio::time::timeout(Duration::from_millis(50), stream.next()).await {
                    assert_eq!(event.unwrap().data.get("errors"), None);
                    break;
                }
            }
        };
        tokio::time::timeout(TIMEOUT, appended).await.unwrap();
    }
    erase(&app, "ada").await;
    for (stream, codes) in
        [(&mut of_messages, &["", "NOT_FOUND"][..]), (&mut of_changes, &["BEING_ERASED", "CURSOR_EXPIRED"])]
    {
        let mut last = String::new();
        let ended = async {
            while let Some(event) = stream.next().await {
                if let Some(code) = event.data["errors"][0]["extensions"]["code"].as_str() {
                    code.clone_into(&mut last);
                }
            }
        };
        tokio::time::timeout(TIMEOUT, ended).await.unwrap();
        assert!(codes.contains(&&*last), "{last}");
    }
    bob.append(&of_bob, "still here").await;
    let event = of_another.next().await.unwrap();
    assert!(event.data["data"]["messageAdded"]["node"].is_object(), "{event:?}");
}

async fn a_receipt_is_confirmed_only_if_it_is_true(app: TestApp) {
    let database = app.config.database_url();
    let settings = [("database.url", &*database), ("erasure.settle", "0s")];
    let mut before = app;
    before.stop().await;
    let app = TestApp::start_with(before.engine, &settings).await;
    let (ada, owner) = (app.client("ada"), OwnerId::new("ada").unwrap());
    fill(&ada, "zebra").await;
    let receipt = erase(&app, "ada").await;
    let faults = async |receipt: &ErasureReceipt, owner: &OwnerId| {
        app.store.erasure_faults(receipt, owner).await.unwrap()
    };
    assert_eq!(faults(&receipt, &owner).await, []);
    let bob = OwnerId::new("bob").unwrap();
    assert_eq!(faults(&receipt, &bob).await, [ErasureFault::OtherUser(bob)]);
    let mut changed = receipt.clone();
    changed.content.rows.insert("message".into(), 1000);
    assert_eq!(faults(&changed, &owner).await, [ErasureFault::Changed, ErasureFault::Forged]);
    changed.sha256 = changed.content.sha256();
    assert_eq!(faults(&changed, &owner).await, [ErasureFault::Forged]);
    let other_key = ErasureReceipt { public_key: "AAAA".into(), ..receipt.clone() };
    assert_eq!(faults(&other_key, &owner).await, [ErasureFault::OtherKey]);
    // The user comes back, and is erased again.
    ada.new_conversation().await;
    let told: Vec<_> = faults(&receipt, &owner).await.iter().map(ToString::to_string).collect();
    let again = "has 1 rows of the user, who wrote again after the erasure";
    assert_eq!(
        told,
        ["account", "change", "conversation"].map(|table| format!("the table `{table}` {again}"))
    );
    let second = erase(&app, "ada").await;
    assert_ne!(second, receipt);
    assert_eq!(second.content.rows["conversation"], 1);
    assert_eq!(faults(&second, &owner).await, []);
    assert_eq!(faults(&receipt, &owner).await, []);
}
