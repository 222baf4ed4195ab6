//! Round trips of parts through a schema that echoes its input.

use async_graphql::{EmptyMutation, EmptySubscription, Object, Request, Schema, Variables};
use serde_json::{Value, json};

use super::input::{MessagePartInput, parse_parts};
use super::*;
use crate::graphql::execution::json_writer::write_value;
use crate::graphql::schema::usage::{TokenUsage, TokenUsageInput};

const MOST: usize = 1024 * 1024;

const LIMITS: model::ContentLimits =
    model::ContentLimits { message_bytes: MOST, metadata_bytes: MOST, has_attachments: false };

struct Echo;

#[Object]
impl Echo {
    async fn parts(&self, parts: Vec<MessagePartInput>) -> async_graphql::Result<Vec<MessagePart>> {
        let parts = parse_parts("parts", parts, LIMITS).map_err(|invalid| invalid.to_string())?;
        let stored = model::Parts::from_json(&parts.to_json()).unwrap();
        Ok(stored.into_vec().into_iter().map(MessagePart::from).collect())
    }

    async fn usage(&self, usage: TokenUsageInput) -> async_graphql::Result<TokenUsage> {
        Ok(usage.parse("usage").map_err(|invalid| invalid.to_string())?.into())
    }
}

async fn ask(query: &str, variables: Value) -> std::result::Result<Value, String> {
    let schema = Schema::build(Echo, EmptyMutation, EmptySubscription).finish();
    let response = schema.execute(Request::new(query).variables(Variables::from_json(variables))).await;
    match response.errors.first() {
        Some(error) => Err(error.message.clone()),
        None => {
            let mut written = Vec::new();
            assert!(write_value(&mut written, &response.data, usize::MAX));
            Ok(serde_json::from_slice(&written).unwrap())
        }
    }
}

const PARTS: &str = "query($parts: [MessagePartInput!]!) { parts(parts: $parts) { __typename
    ... on TextPart { text extra } ... on ReasoningPart { thought: text extra }
    ... on FilePart { mediaType filename url extra }
    ... on ToolPart { toolCallId toolName state input output errorText extra }
    ... on SourceUrlPart { sourceId url title extra }
    ... on SourceDocumentPart { sourceId mediaType title filename extra } ... on DataPart { name data extra }
    ... on CustomPart { kind data extra } } }";

async fn echo(parts: Value) -> std::result::Result<Value, String> {
    ask(PARTS, json!({ "parts": parts })).await.map(|mut data| data["parts"].take())
}

#[tokio::test]
async fn every_part_comes_back_as_it_was_given() {
    let call = json!({ "toolCallId": "1", "toolName": "search", "state": "OUTPUT_AVAILABLE",
        "input": { "z": [1, 2.5, null], "a": "é" }, "output": [], "errorText": null });
    let waiting = json!({ "toolCallId": "2", "toolName": "search", "state": "APPROVAL_REQUESTED" });
    let given = json!([
        { "text": { "text": "" } },
        { "reasoning": { "text": "so" } },
        { "file": { "mediaType": "image/png", "filename": "dot.png", "url": "data:image/png;base64,AA" } },
        { "tool": call },
        { "tool": waiting },
        { "sourceUrl": { "sourceId": "1", "url": "https://example.org/" } },
        { "sourceDocument": { "sourceId": "2", "mediaType": "application/pdf", "filename": "x.pdf" } },
        { "data": { "name": "weather", "data": { "sunny": true } } },
        { "custom": { "kind": "step-start", "data": {} } },
    ]);
    let expected = json!([
        { "__typename": "TextPart", "text": "" },
        { "__typename": "ReasoningPart", "thought": "so" },
        { "__typename": "FilePart", "mediaType": "image/png", "filename": "dot.png",
            "url": "data:image/png;base64,AA" },
        { "__typename": "ToolPart", "toolCallId": "1", "toolName": "search", "state": "OUTPUT_AVAILABLE",
            "input": { "z": [1, 2.5, null], "a": "é" }, "output": [], "errorText": null },
        { "__typename": "ToolPart", "toolCallId": "2", "toolName": "search", "state": "APPROVAL_REQUESTED",
            "input": null, "output": null, "errorText": null },
        { "__typename": "SourceUrlPart", "sourceId": "1", "url": "https://example.org/", "title": null },
        { "__typename": "SourceDocumentPart", "sourceId": "2", "mediaType": "application/pdf", "title": null,
            "filename": "x.pdf" },
        { "__typename": "DataPart", "name": "weather", "data": { "sunny": true } },
        { "__typename": "CustomPart", "kind": "step-start", "data": {} },
    ]);
    let with = |parts: &Value, extra: &Value, of: fn(&mut Value) -> &mut Value| {
        let mut parts = parts.clone();
        parts.as_array_mut().unwrap().iter_mut().for_each(|part| of(part)["extra"] = extra.clone());
        parts
    };
    fn field(part: &mut Value) -> &mut Value {
        part.as_object_mut().unwrap().values_mut().next().unwrap()
    }
    for extra in [json!(null), json!({}), json!({ "z": { "b": [1.50, null] }, "a": "é" })] {
        let (given, expected) = (with(&given, &extra, field), with(&expected, &extra, |part| part));
        assert_eq!(echo(given).await, Ok(expected));
    }
}

#[tokio::test]
async fn a_fault_is_named_with_its_path() {
    let large = "x".repeat(MOST);
    let tool = |field: &str, value: Value| json!({ "tool": { "toolCallId": "1", "toolName": "search", "state": "INPUT_AVAILABLE", field: value } });
    let faults = [
        (json!({ "file": { "mediaType": "a/b", "url": "" } }), "`parts[1].file.url` must not be empty"),
        (
            json!({ "sourceUrl": { "sourceId": "1", "url": "" } }),
            "`parts[1].sourceUrl.url` must not be empty",
        ),
        (tool("input", json!("\0")), "`parts[1].tool.input` must not contain NUL (U+0000)"),
        (
            tool("output", json!(large)),
            "`parts[1].tool.output` must be at most 1048576 bytes of JSON, has 1048578",
        ),
        (
            json!({ "data": { "name": "x", "data": ["\0"] } }),
            "`parts[1].data.data` must not contain NUL (U+0000)",
        ),
    ];
    let not_an_object =
        ["text", "reasoning", "file", "tool", "sourceUrl", "sourceDocument", "data", "custom"];
    let not_an_object = not_an_object.map(|kind| {
        let fields = match kind {
            "text" | "reasoning" => json!({ "text": "x" }),
            "file" => json!({ "mediaType": "a/b", "url": "x" }),
            "tool" => json!({ "toolCallId": "1", "toolName": "x", "state": "APPROVAL_RESPONDED" }),
            "sourceUrl" => json!({ "sourceId": "1", "url": "x" }),
            "sourceDocument" => json!({ "sourceId": "1", "mediaType": "a/b" }),
            "data" => json!({ "name": "x", "data": 1 }),
            _ => json!({ "kind": "x", "data": {} }),
        };
        let mut part = json!({ kind: fields });
        part[kind]["extra"] = json!([1]);
        (part, format!("`parts[1].{kind}.extra` must be an object"))
    });
    let faults = faults.map(|(part, message)| (part, message.to_owned())).into_iter().chain(not_an_object);
    for (part, message) in faults {
        let error = echo(json!([{ "text": { "text": "x" } }, part])).await.unwrap_err();
        assert_eq!(error, message);
    }
}

#[tokio::test]
async fn a_part_is_exactly_one_field() {
    let secret = json!({ "text": "my secret" });
    let wrong = [
        json!([{ "text": secret, "reasoning": secret }]),
        json!([{ "text": secret, "reasoning": null }]),
        json!([{}]),
        json!([{ "text": null }]),
        json!([{ "poem": secret }]),
        json!([{ "data": { "name": "x", "data": null } }]),
    ];
    for wrong in wrong {
        let error = echo(wrong.clone()).await.expect_err(&wrong.to_string());
        assert!(!error.contains("secret"), "{error}");
    }
}

#[tokio::test]
async fn a_usage_comes_back_as_it_was_given() {
    let query = "query($usage: TokenUsageInput!) { usage(usage: $usage) {
        inputTokens outputTokens totalTokens cachedInputTokens reasoningTokens } }";
    let usage = json!({ "inputTokens": 0, "outputTokens": 5, "totalTokens": 6, "cachedInputTokens": null,
        "reasoningTokens": 2 });
    assert_eq!(ask(query, json!({ "usage": usage })).await, Ok(json!({ "usage": usage })));
    let error = ask(query, json!({ "usage": { "totalTokens": -2 } })).await.unwrap_err();
    assert_eq!(error, "`usage.totalTokens` must not be negative, got -2");
}
