//! The formats for other tools, and exports of some conversations.

use serde_json::{Value, json};

use super::http::text;
use super::{import, records};
use crate::harness::{Client, TestApp, built_typescript_client, on_each_database, run_script};

on_each_database!(
    openai_lines_have_calls_and_results,
    uimessages_are_valid_for_the_ai_sdk,
    uimessages_come_back_as_they_were_imported,
    a_line_has_the_active_branch,
    some_conversations_can_be_imported,
    a_format_is_one_state_of_the_database,
);

pub(super) const CREATE: &str =
    "mutation($input: CreateConversationInput!) { createConversation(input: $input) {
  conversation { id createdAt messages(first: 100) { nodes { id } } } } }";

/// A conversation with these messages, and their ids.
pub(super) async fn conversation(client: &Client, title: &str, messages: Value) -> (String, Vec<String>) {
    let input = json!({ "title": title, "messages": messages });
    let data = client.data(CREATE, json!({ "input": input })).await;
    let conversation = &data["createConversation"]["conversation"];
    let ids = conversation["messages"]["nodes"].as_array().unwrap().iter();
    let ids = ids.map(|node| node["id"].as_str().unwrap().to_owned()).collect();
    (conversation["id"].as_str().unwrap().to_owned(), ids)
}

/// Appends a message, and gives its id.
pub(super) async fn append(client: &Client, id: &str, message: Value) -> String {
    let query = "mutation($input: AppendMessageInput!) { appendMessage(input: $input) { message { id } } }";
    let mut input = json!({ "conversationId": id });
    input.as_object_mut().unwrap().extend(message.as_object().unwrap().clone());
    let data = client.data(query, json!({ "input": input })).await;
    data["appendMessage"]["message"]["id"].as_str().unwrap().to_owned()
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

async fn openai_lines_have_calls_and_results(app: TestApp) {
    let ada = app.client("ada");
    let tool = |id: &str, state: &str, more: Value| {
        let mut tool =
            json!({ "toolCallId": id, "toolName": "look up", "state": state, "input": { "q": [1, "é"] } });
        tool.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "tool": tool })
    };
    let pixel = "data:image/png;base64,iVBORw0KGgo=";
    let large = format!("data:image/png;base64,{}", "A".repeat(12_000));
    let messages = json!([
        { "role": "SYSTEM", "content": "Be \"brief\"." },
        { "role": "USER", "parts": [
            { "text": { "text": "What is this?" } },
            { "file": { "mediaType": "image/png", "url": pixel } },
            { "file": { "mediaType": "image/png", "url": large } },
            { "file": { "mediaType": "image/webp", "url": "https://example.org/a.webp" } },
            { "file": { "mediaType": "application/pdf", "url": "https://example.org/a.pdf" } },
        ] },
        { "role": "ASSISTANT", "parts": [
            { "reasoning": { "text": "hidden" } },
            { "text": { "text": "Let me look." } },
            tool("1", "OUTPUT_AVAILABLE", json!({ "output": { "a": null } })),
            tool("2", "OUTPUT_ERROR", json!({ "errorText": "no network" })),
            { "text": { "text": "It is" } },
            { "sourceUrl": { "sourceId": "s", "url": "https://example.org" } },
            { "data": { "name": "hidden", "data": 1 } },
            { "text": { "text": "a dot." } },
            tool("3", "INPUT_AVAILABLE", json!({})),
            tool("4", "INPUT_AVAILABLE", json!({})),
        ] },
        { "role": "TOOL", "parts": [tool("4", "OUTPUT_AVAILABLE", json!({ "output": "a text" }))] },
        { "role": "TOOL", "parts": [tool("5", "OUTPUT_DENIED", json!({}))] },
        { "role": "USER", "content": "Thanks" },
        { "role": "TOOL", "content": "of no call" },
    ]);
    let (id, _) = conversation(&ada, "t", messages).await;
    let deleted = append(&ada, &id, json!({ "role": "USER", "content": "gone" })).await;
    let delete = "mutation($id: ID!) { deleteMessage(input: { id: $id }) { message { id } } }";
    ada.data(delete, json!({ "id": deleted })).await;
    ada.new_conversation().await;
    let exported = text(&ada, "?format=openai-jsonl").await;
    let call = |id: &str| {
        json!({ "id": id, "type": "function",
            "function": { "name": "look_up", "arguments": "{\"q\":[1,\"é\"]}" } })
    };
    let result = |id: &str, content: &str| json!({ "role": "tool", "tool_call_id": id, "content": content });
    let image = |url: &str| json!({ "type": "image_url", "image_url": { "url": url } });
    // A conversation without messages has no line.
    assert_eq!(
        lines(&exported),
        [json!({ "messages": [
            { "role": "system", "content": "Be \"brief\"." },
            { "role": "user", "content": [
                { "type": "text", "text": "What is this?" },
                image(pixel), image(&large), image("https://example.org/a.webp"),
            ] },
            { "role": "assistant", "content": "Let me look.", "tool_calls": [call("1"), call("2")] },
            result("1", "{\"a\":null}"),
            result("2", "no network"),
            { "role": "assistant", "content": "It is\n\na dot.", "tool_calls": [call("3"), call("4")] },
            result("4", "a text"),
            result("3", "(no result)"),
            { "role": "assistant", "content": null, "tool_calls": [call("5")] },
            result("5", "The call was denied."),
            { "role": "user", "content": "Thanks" },
        ] })]
    );
}

async fn uimessages_are_valid_for_the_ai_sdk(app: TestApp) {
    built_typescript_client().await;
    run_script(&app, "exports.mjs").await;
}

async fn uimessages_come_back_as_they_were_imported(app: TestApp) {
    let tool = |state: &str, more: Value| {
        let mut part = json!({ "type": "tool-delete", "toolCallId": state, "state": state, "input": { "a": 1.50 },
            "title": "Delete", "toolMetadata": { "m": 1 }, "providerExecuted": true,
            "callProviderMetadata": { "p": { "x": [] } } });
        part.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        part
    };
    let of_provider = json!({ "p": { "x": [null, "é"] } });
    let mut dynamic = tool("output-available", json!({ "output": null, "toolName": "x/y" }));
    dynamic["type"] = json!("dynamic-tool");
    let parts = json!([
        { "type": "step-start" },
        { "type": "text", "text": "It rains.", "state": "done", "citations": [{ "url": "https://example.org" }],
            "providerMetadata": of_provider },
        { "type": "reasoning", "id": "r", "text": "Look.", "state": "streaming", "providerMetadata": of_provider },
        { "type": "custom", "kind": "p.x", "providerMetadata": of_provider },
        { "type": "reasoning-file", "mediaType": "image/png", "url": "https://example.org/a.png" },
        { "type": "file", "mediaType": "image", "filename": "a.png", "url": "https://example.org/a.png",
            "providerReference": { "p": "file-1" } },
        { "type": "source-url", "sourceId": "s", "url": "https://example.org", "title": "A", "providerMetadata": of_provider },
        { "type": "source-document", "sourceId": "d", "mediaType": "a/b", "title": "B", "providerMetadata": of_provider },
        { "type": "steering-message", "id": "m", "parts": [{ "type": "text", "text": "Faster" }] },
        { "type": "data-chart", "id": "c", "data": { "y": [1] } },
        dynamic,
        tool("input-streaming", json!({ "rawInput": "{", "inputEncoding": "json" })),
        tool("input-available", json!({})),
        tool("approval-requested", json!({ "approval": { "id": "a", "requestReason": "why" } })),
        tool("approval-responded", json!({ "approval": { "id": "a", "approved": true, "reason": "so" } })),
        tool("output-available", json!({ "output": [], "preliminary": true, "resultProviderMetadata": of_provider })),
        tool("output-error", json!({ "errorText": "no" })),
        tool("output-denied", json!({ "approval": { "id": "a", "approved": false } })),
    ]);
    let messages = json!([
        { "id": "u", "role": "user", "parts": [{ "type": "text", "text": "Rain?" }] },
        { "id": "a", "role": "assistant", "parts": parts },
    ]);
    import(&app.store, "ada", &json!({ "id": "c", "messages": messages }).to_string()).await;
    let exported = lines(&text(&app.client("ada"), "?format=uimessage").await);
    let parts = |message: &Value| message["parts"].as_array().unwrap().clone();
    for (message, expected) in [0, 1].map(|at| (&exported[0]["messages"][at], &messages[at])) {
        for (part, expected) in parts(message).iter().zip(parts(expected)) {
            assert_eq!(*part, expected);
        }
        assert_eq!(parts(message).len(), parts(expected).len());
    }
}

async fn a_line_has_the_active_branch(app: TestApp) {
    let ada = app.client("ada");
    let user = |content: &str| json!({ "role": "USER", "content": content });
    let (id, ids) = conversation(&ada, "branches", json!([user("1"), user("2"), user("3")])).await;
    let other = append(&ada, &id, json!({ "role": "USER", "content": "2b", "parentId": ids[0] })).await;
    append(&ada, &id, json!({ "role": "USER", "content": "3b" })).await;
    append(&ada, &id, json!({ "role": "USER", "content": "3c", "parentId": other })).await;
    let active = async || {
        let openai = lines(&text(&ada, "?format=openai-jsonl").await);
        let messages = openai[0]["messages"].as_array().unwrap();
        let texts: Vec<_> =
            messages.iter().map(|message| message["content"].as_str().unwrap().to_owned()).collect();
        let uimessage = lines(&text(&ada, "?format=uimessage").await);
        let messages = uimessage[0]["messages"].as_array().unwrap();
        let others: Vec<_> =
            messages.iter().map(|message| message["parts"][0]["text"].as_str().unwrap()).collect();
        assert_eq!(texts, others);
        let page = text(&ada, &format!("?format=markdown&conversation={id}")).await;
        let on_page: Vec<_> = page.lines().filter(|line| line.len() < 3 && !line.is_empty()).collect();
        assert_eq!(texts, on_page);
        texts.join(" ")
    };
    assert_eq!(active().await, "1 2b 3c");
    let switch = "mutation($id: ID!, $leaf: ID!) { switchBranch(input: { conversationId: $id, leafId: $leaf }) { __typename } }";
    ada.data(switch, json!({ "id": id, "leaf": ids[2] })).await;
    assert_eq!(active().await, "1 2 3");
    let another = append(&ada, &id, json!({ "role": "USER", "content": "0", "parentId": null })).await;
    assert_eq!(active().await, "0");
    ada.data(switch, json!({ "id": id, "leaf": other })).await;
    assert_eq!(active().await, "1 2b");
    let _ = another;
    // Longer than a page of the export.
    for number in 10..99 {
        append(&ada, &id, user(&number.to_string())).await;
    }
    let expected: Vec<_> = (10..99).map(|number| number.to_string()).collect();
    assert_eq!(active().await, format!("1 2b {}", expected.join(" ")));
}

async fn some_conversations_can_be_imported(app: TestApp) {
    let ada = app.client("ada");
    let (one, two) =
        (crate::user_erasure::fill(&ada, "one").await, crate::user_erasure::fill(&ada, "two").await);
    crate::user_erasure::fill(&ada, "three").await;
    let exported = text(&ada, &format!("?conversation={two}&conversation={one}&conversation={one}")).await;
    assert!(!exported.contains("three"));
    super::schema::check(&exported);
    let kinds: Vec<_> = lines(&exported)
        .iter()
        .map(|record| record.as_object().unwrap().keys().next().unwrap().clone())
        .filter(|kind| kind != "message")
        .collect();
    let expected = "header attachment attachmentChunk attachment attachmentChunk conversation share conversation share end";
    assert_eq!(kinds.join(" "), expected);
    let all = records(&app.store, "ada").await;
    for id in [&one, &two] {
        let own = all.iter().map(|record| serde_json::to_string(record).unwrap());
        let mut own =
            own.skip_while(|line| !line.starts_with(&format!("{{\"conversation\":{{\"id\":\"{id}")));
        assert!(own.by_ref().take(10).all(|line| exported.contains(&line)));
    }
    let other = TestApp::start(app.engine).await;
    let report = import(&other.store, "ada", &exported).await;
    assert_eq!((report.conversations, report.messages, report.rejected), (2, 20, 0));
}

async fn a_format_is_one_state_of_the_database(app: TestApp) {
    let ada = app.client("ada");
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(ada.new_conversation().await);
    }
    // Each round appends to one conversation after the other, so their lengths differ by one at most.
    let writer = tokio::spawn({
        let ada = ada.clone();
        async move {
            for number in 0..100 {
                ada.append(&ids[number % ids.len()], "meanwhile").await;
            }
        }
    });
    let mut exports = 0;
    while !writer.is_finished() {
        let lengths: Vec<_> = lines(&text(&ada, "?format=uimessage").await)
            .iter()
            .map(|line| line["messages"].as_array().unwrap().len())
            .collect();
        assert_eq!(lengths.len(), 5);
        assert!(lengths.is_sorted_by(|a, b| a >= b) && lengths[0] - lengths[4] <= 1, "{lengths:?}");
        exports += 1;
    }
    writer.await.unwrap();
    assert!(exports > 1);
}
