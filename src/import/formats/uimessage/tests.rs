use super::super::mutations;
use super::super::samples::{dropped, metadata, object, outline, parse, rejection, value};
use crate::import::format::Format;
use crate::model::{Timestamp, TokenUsage};

const CHAT: &str = r#"{"id":"c1","title":"Weather","visibility":"private","createdAt":"2025-10-09T08:00:00.000Z","messages":[
    {"id":"m1","role":"user","parts":[{"type":"text","text":"Rain?"},
      {"type":"file","mediaType":"image/png","filename":"sky.png","url":"https://example.com/sky.png","providerMetadata":{"p":{"x":1}}}]},
    {"id":"m2","role":"assistant","metadata":{"model":"gpt-5","createdAt":1760000000500,"totalUsage":{"inputTokens":7,"outputTokens":5,"reasoningTokens":2},"mood":"good"},
     "parts":[{"type":"step-start"},
      {"type":"reasoning","text":"Look.","state":"done","providerMetadata":{"openai":{"itemId":"rs_1"}}},
      {"type":"tool-weather","toolCallId":"t1","state":"output-available","input":{"city":"Bonn"},"output":null,"providerExecuted":true},
      {"type":"dynamic-tool","toolName":"mcp","toolCallId":"t2","state":"output-error","input":{},"errorText":"no route"},
      {"type":"tool-delete","toolCallId":"t3","state":"approval-requested","input":{},"approval":{"id":"a1"}},
      {"type":"tool-delete","toolCallId":"t4","state":"approval-responded","input":{},"approval":{"id":"a2","approved":true,"reason":"go"}},
      {"type":"tool-delete","toolCallId":"t5","state":"output-denied","input":{},"approval":{"id":"a3","approved":false}},
      {"type":"tool-write","toolCallId":"t6","state":"input-streaming"},
      {"type":"source-url","sourceId":"s1","url":"https://example.com/rain","title":"Rain"},
      {"type":"source-document","sourceId":"s2","mediaType":"application/pdf","title":"Report","filename":"r.pdf"},
      {"type":"data-chart","id":"d1","data":{"y":[1]}},
      {"type":"new-kind","x":1},
      {"type":"text","text":"It ra","state":"streaming"}]}]}"#;

const ROWS: &str = r#"[
    {"id":"a","chatId":"c1","role":"user","parts":[{"type":"text","text":"One"}],"attachments":[{"name":"x.pdf","url":"/x","contentType":"application/pdf"}],"createdAt":"2025-10-09T08:00:00Z"},
    {"id":"b","chatId":"c2","role":"user","parts":"[{\"type\":\"text\",\"text\":\"Two\"}]","attachments":[],"createdAt":"2025-10-09T08:00:01Z"},null,
    {"id":"c","chatId":"c1","role":"assistant","parts":[{"type":"text","text":"Three"}],"attachments":[],"createdAt":"2025-10-09T08:00:02Z"}]"#;

/// Version 4 of the AI SDK, with and without parts.
const LEGACY: &str = r#"[
    {"id":"a","role":"user","content":"Rain?","experimental_attachments":[{"name":"sky.png","contentType":"image/png","url":"data:image/png;base64,AA=="}]},
    {"id":"b","role":"assistant","content":"Yes.","reasoning":"Hm.","annotations":[{"x":1}],"toolInvocations":[
      {"state":"result","toolCallId":"t1","toolName":"weather","args":{"city":"Bonn"},"result":"rain","step":0},
      {"state":"partial-call","toolCallId":"t2","toolName":"time","args":{}}]},
    {"id":"c","role":"assistant","content":"Yes.","toolInvocations":[{"state":"call","toolCallId":"t3","toolName":"x","args":{}}],"parts":[
      {"type":"tool-invocation","toolInvocation":{"state":"call","toolCallId":"t3","toolName":"x","args":{}}},
      {"type":"source","source":{"sourceType":"url","id":"s","url":"https://example.com"}},
      {"type":"file","mimeType":"image/png","data":"AA=="},{"type":"text","text":"Yes."}]},
    {"id":"d","role":"data","content":"x"},"broken",null]"#;

#[test]
fn every_part_has_its_place() {
    let found = parse(Format::UiMessage, CHAT);
    let expected = [
        concat!(
            r#"m1 < - User [{"text":{"text":"Rain?"}},"#,
            r#"{"file":{"mediaType":"image/png","filename":"sky.png","url":"https://example.com/sky.png","#,
            r#""extra":{"providerMetadata":{"p":{"x":1}}}}}]"#
        ),
        concat!(
            r#"m2 < m1 Assistant Interrupted [{"custom":{"kind":"step-start","data":{}}},"#,
            r#"{"reasoning":{"text":"Look.","extra":{"state":"done","providerMetadata":{"openai":{"itemId":"rs_1"}}}}},"#,
            r#"{"tool":{"toolCallId":"t1","toolName":"weather","state":"outputAvailable","input":{"city":"Bonn"},"output":null,"#,
            r#""extra":{"providerExecuted":true}}},"#,
            r#"{"tool":{"toolCallId":"t2","toolName":"mcp","state":"outputError","input":{},"errorText":"no route","#,
            r#""extra":{"type":"dynamic-tool"}}},"#,
            r#"{"tool":{"toolCallId":"t3","toolName":"delete","state":"approvalRequested","input":{},"#,
            r#""extra":{"approval":{"id":"a1"}}}},"#,
            r#"{"tool":{"toolCallId":"t4","toolName":"delete","state":"approvalResponded","input":{},"#,
            r#""extra":{"approval":{"id":"a2","approved":true,"reason":"go"}}}},"#,
            r#"{"tool":{"toolCallId":"t5","toolName":"delete","state":"outputDenied","input":{},"#,
            r#""extra":{"approval":{"id":"a3","approved":false}}}},"#,
            r#"{"tool":{"toolCallId":"t6","toolName":"write","state":"inputStreaming"}},"#,
            r#"{"source":{"sourceId":"s1","url":"https://example.com/rain","title":"Rain"}},"#,
            r#"{"source":{"sourceId":"s2","mediaType":"application/pdf","title":"Report","filename":"r.pdf"}},"#,
            r#"{"data":{"name":"chart","data":{"y":[1]},"extra":{"id":"d1"}}},"#,
            r#"{"custom":{"kind":"new-kind","data":{"x":1}}},"#,
            r#"{"text":{"text":"It ra","extra":{"state":"streaming"}}}]"#,
        ),
    ];
    assert_eq!((outline(&found), found.head), (expected.map(str::to_owned).to_vec(), 1));
    assert_eq!((&*found.origin, found.title.as_deref()), ("c1", Some("Weather")));
    assert_eq!(object(&found.metadata), r#"{"visibility":"private"}"#);
    let answer = &found.messages[1];
    let usage = TokenUsage {
        input_tokens: Some(7),
        output_tokens: Some(5),
        reasoning_tokens: Some(2),
        ..TokenUsage::default()
    };
    assert_eq!((answer.usage, answer.model.as_deref()), (Some(usage), Some("gpt-5")));
    assert_eq!(answer.created_at, Some(Timestamp(1_760_000_000_500_000)));
    assert_eq!(metadata(&found, 1), r#"{"metadata":{"mood":"good"}}"#);
}

#[test]
fn rows_are_grouped_by_their_chat() {
    let parsed = crate::import::formats::parse(Format::UiMessage, value(ROWS));
    let found: Vec<_> = parsed
        .iter()
        .map(|found| found.as_ref().unwrap())
        .map(|found| (&*found.origin, outline(found)))
        .collect();
    let first = [
        r#"a < - User [{"text":{"text":"One"}},{"file":{"mediaType":"application/pdf","filename":"x.pdf","url":"/x"}}]"#,
        r#"c < a Assistant [{"text":{"text":"Three"}}]"#,
    ];
    let second = [r#"b < - User [{"text":{"text":"Two"}}]"#];
    assert_eq!(
        found,
        [("c1", first.map(str::to_owned).to_vec()), ("c2", second.map(str::to_owned).to_vec())]
    );
}

#[test]
fn messages_of_version_4_are_read() {
    let found = parse(Format::UiMessage, LEGACY);
    let expected = [
        concat!(
            r##"a < - User [{"text":{"text":"Rain?"}},"##,
            r##"{"file":{"mediaType":"image/png","filename":"sky.png","url":"data:image/png;base64,AA=="}}]"##
        ),
        concat!(
            r##"b < a Assistant [{"reasoning":{"text":"Hm."}},"##,
            r##"{"tool":{"toolCallId":"t1","toolName":"weather","state":"outputAvailable","input":{"city":"Bonn"},"output":"rain"}},"##,
            r##"{"tool":{"toolCallId":"t2","toolName":"time","state":"inputStreaming","input":{}}},{"text":{"text":"Yes."}}]"##,
        ),
        concat!(
            r##"c < b Assistant [{"tool":{"toolCallId":"t3","toolName":"x","state":"inputAvailable","input":{}}},"##,
            r##"{"source":{"sourceId":"s","url":"https://example.com","extra":{"source":{"sourceType":"url"}}}},"##,
            r##"{"file":{"mediaType":"image/png","url":"data:image/png;base64,AA=="}},{"text":{"text":"Yes."}}]"##,
        ),
        r##"d < c System [{"text":{"text":"x"}}]"##,
        r##"#4 < d System [{"data":{"name":"uimessage/message","data":"broken"}}]"##,
    ];
    assert_eq!(outline(&found), expected.map(str::to_owned).to_vec());
    assert_eq!(&*found.origin, "a", "the id of the first message");
    assert_eq!(metadata(&found, 1), r#"{"annotations":[{"x":1}],"toolInvocations":[{"index":0,"step":0}]}"#);
    assert_eq!(metadata(&found, 3), r#"{"role":"data"}"#);
    assert_eq!(dropped(&found), ["message: it is not an object"]);
}

#[test]
fn entries_without_messages_are_rejected() {
    assert_eq!(rejection(Format::UiMessage, r#"{"id":"c1"}"#), "it has no `messages`");
    assert_eq!(rejection(Format::UiMessage, "7"), "it is not an object");
    assert_eq!(
        parse(Format::UiMessage, r#"{"id":"m","chatId":"c","role":"user","content":"Hi"}"#).origin,
        "c"
    );
}

#[test]
fn nothing_is_lost_of_damaged_samples() {
    let fields = &["id", "chatId", "role", "createdAt", "state", "toolCallId"];
    let unused = mutations::Unused { fields, copies: &["type", "parts", "args"] };
    mutations::check(Format::UiMessage, &[value(CHAT), value(ROWS), value(LEGACY)], &unused, 2_000);
}
