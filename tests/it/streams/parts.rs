//! Parts of messages.

use serde_json::{Value, json};
use sqlx::{Connection, Executor, PgConnection, SqliteConnection};

use super::{FOLLOW, add, begin, chunk, read};
use crate::harness::{APPEND, Engine, TestApp, on_each_database};

on_each_database!(
    sources_stored_by_earlier_versions_are_read,
    parts_are_kept_and_their_texts_are_the_content,
    final_parts_must_start_with_the_streamed_text,
);

async fn parts_are_kept_and_their_texts_are_the_content(app: TestApp) {
    let ada = app.client("ada");
    let conversation = ada.new_conversation().await;
    let parts = json!([
        { "reasoning": { "text": "hm" } },
        { "text": { "text": "It is" } },
        { "tool": { "toolCallId": "c1", "toolName": "weather", "state": "OUTPUT_AVAILABLE", "input": { "z": 1, "a": [null] }, "output": 21.50 } },
        { "text": { "text": "warm." } },
        { "file": { "mediaType": "image/png", "filename": "sun.png", "url": "https://x.example/sun.png" } },
        { "sourceUrl": { "sourceId": "s", "url": "https://x.example", "title": "X" } },
        { "sourceDocument": { "sourceId": "d", "mediaType": "application/pdf", "title": "X", "filename": "x.pdf" } },
        { "data": { "name": "chart", "data": [1, 2] } },
    ]);
    let usage = json!({ "inputTokens": 10, "outputTokens": 3 });
    let fields = "id content usage { inputTokens outputTokens totalTokens } parts { __typename
      ... on TextPart { text } ... on ReasoningPart { thought: text } ... on ToolPart { toolCallId toolName state input output errorText }
      ... on FilePart { mediaType filename url } ... on SourceUrlPart { sourceId url title }
      ... on SourceDocumentPart { sourceId mediaType title filename } ... on DataPart { name data } }";
    let append = format!(
        "mutation($input: AppendMessageInput!) {{ appendMessage(input: $input) {{ message {{ {fields} }} }} }}"
    );
    let input =
        json!({ "conversationId": conversation, "role": "ASSISTANT", "parts": parts, "usage": usage });
    let message = ada.data(&append, json!({ "input": input })).await["appendMessage"]["message"].clone();
    assert_eq!(message["content"], "It is\n\nwarm.");
    assert_eq!(message["usage"], json!({ "inputTokens": 10, "outputTokens": 3, "totalTokens": null }));
    assert_eq!(message["parts"][2]["input"].to_string(), r#"{"a":[null],"z":1}"#);
    let kinds: Vec<_> = message["parts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|part| part["__typename"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds,
        [
            "ReasoningPart",
            "TextPart",
            "ToolPart",
            "TextPart",
            "FilePart",
            "SourceUrlPart",
            "SourceDocumentPart",
            "DataPart"
        ]
    );
    let read = format!("query($id: ID!) {{ node(id: $id) {{ ... on Message {{ {fields} }} }} }}");
    assert_eq!(ada.data(&read, json!({ "id": message["id"] })).await["node"], message);
    // A plain text is one text part, and an edit makes it so.
    let update = format!(
        "mutation($input: UpdateMessageInput!) {{ updateMessage(input: $input) {{ message {{ {fields} }} }} }}"
    );
    let input = json!({ "id": message["id"], "content": "Cold.", "usage": null });
    let edited = ada.data(&update, json!({ "input": input })).await["updateMessage"]["message"].clone();
    assert_eq!(
        (&edited["parts"], &edited["usage"]),
        (&json!([{ "__typename": "TextPart", "text": "Cold." }]), &Value::Null)
    );
    // A stream ends with parts.
    let id = begin(&ada, &conversation, Some("It is")).await;
    let finish = format!(
        "mutation($input: FinishMessageInput!) {{ finishMessage(input: $input) {{ message {{ {fields} }} }} }}"
    );
    let input = json!({ "messageId": id, "status": "COMPLETE", "parts": parts, "usage": usage });
    let finished = ada.data(&finish, json!({ "input": input })).await["finishMessage"]["message"].clone();
    assert_eq!((&finished["content"], &finished["parts"]), (&message["content"], &message["parts"]));
    for (parts, content, rule) in [
        (json!([]), Value::Null, "`input.parts` must"),
        (
            json!([{ "text": { "text": "x" } }]),
            json!("x"),
            "`input.parts` must not be given together with `content`",
        ),
        (
            json!([{ "file": { "mediaType": "a/b", "url": format!("https://a.b/{}", "x".repeat(9000)) } }]),
            Value::Null,
            "`input.parts[0].file.url` must",
        ),
    ] {
        let input =
            json!({ "conversationId": conversation, "role": "USER", "parts": parts, "content": content });
        let (code, message) = ada.fault(APPEND, json!({ "input": input })).await;
        assert!(code == "BAD_USER_INPUT" && message.starts_with(rule), "{message}");
    }
    let two = json!([{ "text": { "text": "x" }, "data": { "name": "n", "data": 1 } }]);
    let input = json!({ "conversationId": conversation, "role": "USER", "parts": two });
    assert!(ada.run(APPEND, json!({ "input": input })).await.body["errors"].is_array(), "exactly one field");
}

async fn final_parts_must_start_with_the_streamed_text(app: TestApp) {
    let ada = app.client("ada");
    let finish = "mutation($input: FinishMessageInput!) {
      finishMessage(input: $input) { message { status content } }
    }";
    let texts = |texts: &[&str]| {
        let mut parts: Vec<Value> = texts.iter().map(|text| json!({ "text": { "text": text } })).collect();
        parts.insert(0, json!({ "reasoning": { "text": "hm" } }));
        json!(parts)
    };
    let conversation = ada.new_conversation().await;
    let id = begin(&ada, &conversation, None).await;
    let mut socket = app.socket("ada").await;
    socket.subscribe("s", FOLLOW, json!({ "id": id })).await;
    add(&ada, &id, 0, "It is 👍").await;
    let mut heard = chunk(&mut socket).await["text"].as_str().unwrap().to_owned();
    // What was told as it came is not taken back.
    let rule =
        "`input.parts` must have texts that, joined by blank lines, begin with the text that was streamed";
    for other in [texts(&["It was 👍"]), texts(&["It", "is 👍"]), texts(&["It is "]), texts(&[])] {
        let input = json!({ "messageId": id, "status": "COMPLETE", "parts": other });
        let fault = ada.fault(finish, json!({ "input": input })).await;
        assert_eq!(fault, ("BAD_USER_INPUT".into(), rule.into()));
    }
    // Nothing has changed: it goes on.
    assert_eq!(read(&ada, &id).await, json!({ "status": "STREAMING", "content": "It is 👍" }));
    add(&ada, &id, 7, " and").await;
    let parts = texts(&["It is 👍 and w", "arm."]);
    let input = json!({ "messageId": id, "status": "COMPLETE", "parts": parts });
    for _ in 0..2 {
        let data = ada.data(finish, json!({ "input": input })).await;
        let whole = json!({ "status": "COMPLETE", "content": "It is 👍 and w\n\narm." });
        assert_eq!(data["finishMessage"]["message"], whole);
    }
    loop {
        let chunk = chunk(&mut socket).await;
        assert_eq!(chunk["offset"], heard.chars().count(), "{chunk}");
        heard.push_str(chunk["text"].as_str().unwrap());
        if chunk["status"] != "STREAMING" {
            break;
        }
    }
    assert_eq!(heard, "It is 👍 and w\n\narm.");
    // Of a message that was not streamed in pieces, anything may be said.
    let id = begin(&ada, &conversation, None).await;
    let input = json!({ "messageId": id, "status": "FAILED", "parts": texts(&["Sorry."]) });
    let data = ada.data(finish, json!({ "input": input })).await;
    assert_eq!(data["finishMessage"]["message"]["content"], "Sorry.");
}

async fn sources_stored_by_earlier_versions_are_read(app: TestApp) {
    const STORED: &str = r#"UPDATE message SET parts = '[{"source":{"sourceId":"1","url":"https://x.example","title":"X"}},
        {"source":{"sourceId":"2","url":""}},{"source":{"sourceId":"3","title":"Y"}},{"source":{"sourceId":"4"}}]'"#;
    let ada = app.client("ada");
    let conversation = ada.new_conversation().await;
    let parts = json!([{ "sourceUrl": { "sourceId": "1", "url": "x" } }]);
    let input = json!({ "conversationId": conversation, "role": "ASSISTANT", "parts": parts });
    ada.data(APPEND, json!({ "input": input })).await;
    let url = &app.config.database_url();
    match app.engine {
        Engine::Sqlite => SqliteConnection::connect(url).await.unwrap().execute(STORED).await.map(|_| ()),
        Engine::Postgres | Engine::PostgresWithRowLevelSecurity => {
            PgConnection::connect(url).await.unwrap().execute(STORED).await.map(|_| ())
        }
    }
    .unwrap();
    let query = "query($id: ID!) { conversation(id: $id) { messages { nodes { parts { __typename
        ... on FilePart { mediaType filename url } ... on SourceUrlPart { sourceId url title }
        ... on SourceDocumentPart { sourceId mediaType title filename } } } } } }";
    let data = ada.data(query, json!({ "id": conversation })).await;
    let page = |id: &str, url: &str, title: Value| json!({ "__typename": "SourceUrlPart", "sourceId": id, "url": url, "title": title });
    let document = |id: &str, title: Value| {
        json!({ "__typename": "SourceDocumentPart", "sourceId": id, "mediaType": "application/octet-stream",
            "title": title, "filename": null })
    };
    let expected = json!([
        page("1", "https://x.example", json!("X")),
        page("2", "", Value::Null),
        document("3", json!("Y")),
        document("4", Value::Null),
    ]);
    assert_eq!(data["conversation"]["messages"]["nodes"][0]["parts"], expected);
}
