use super::super::mutations;
use super::super::samples::{dropped, metadata, object, outline, parse, rejection, value};
use crate::import::format::Format;
use crate::model::{JsonValue, Rating, Timestamp, TokenUsage};

/// The messages of a branch, as in an export without nesting.
const FLAT: &str = r#"{"conversationId":"c1","endpoint":"agents","title":"Trip","exportAt":"16:33:32 GMT","branches":true,"recursive":false,
  "options":{"model":"gpt-4o","temperature":1},"isArchived":true,"tags":["travel","work"],
  "messages":[
    {"_id":"1","messageId":"m1","parentMessageId":"00000000-0000-0000-0000-000000000000","conversationId":"c1","sender":"User",
     "text":"Weather?","isCreatedByUser":true,"error":false,"unfinished":false,"tokenCount":5,"createdAt":"2024-05-01T16:00:00Z",
     "updatedAt":"2024-05-01T16:00:00Z","user":"u1","__v":0,
     "files":[{"file_id":"f1","filename":"sky.png","filepath":"/images/u1/sky.png","type":"image/png","width":10},{"file_id":"f2","filename":"a.pdf"}]},
    {"messageId":"m2","parentMessageId":"m1","sender":"Agent","model":"gpt-4o","isCreatedByUser":false,"text":"","endpoint":"agents",
     "createdAt":"2024-05-01T16:00:10Z","tokenCount":50,"promptTokens":70,"finish_reason":"stop",
     "feedback":{"rating":"thumbsDown","tag":{"key":"inaccurate","label":"x"},"text":"It was dry"},
     "content":[
       {"type":"think","think":"Where?"},
       {"type":"text","text":{"value":"Let me look.","annotations":[]},"tool_call_ids":["t1"]},
       {"type":"tool_call","tool_call":{"type":"tool_call","id":"t1","name":"weather","args":"{\"city\":\"Bonn\"}","output":"rain","progress":1}},
       {"type":"tool_call","tool_call":{"id":"t2","type":"function","function":{"name":"time","arguments":"{}","output":null}}},
       {"type":"image_file","image_file":{"file_id":"i1","filename":"map.webp","filepath":"/images/map.webp","width":5}},
       {"type":"agent_update","agent_update":{"agentId":"a1"}}],
     "attachments":[{"type":"web_search","toolCallId":"t1","web_search":{"organic":[]}},{"file_id":"f3","filename":"out.csv","toolCallId":"t1"}]},
    {"messageId":"m3","parentMessageId":"m1","sender":"Agent","isCreatedByUser":false,"text":"Half an ans","unfinished":true,"createdAt":"2024-05-01T16:00:05Z"},
    {"messageId":"m4","parentMessageId":"m2","sender":"Agent","isCreatedByUser":false,"text":"{\"type\":\"no_key\"}","error":true,"createdAt":"2024-05-01T16:00:20Z"}]}"#;

/// As `librechat-tree.json` of the tests of LibreChat: inner messages have no times.
const TREE: &str = r#"{"conversationId":"c2","title":null,"recursive":true,"messagesTree":[
    {"messageId":"m1","parentMessageId":"00000000-0000-0000-0000-000000000000","sender":"User","text":"venv?","isCreatedByUser":true,
     "createdAt":"2024-05-01T16:35:11.530Z","children":[
      {"messageId":"m2","parentMessageId":"m1","sender":"Software Engineer","text":"Check it.","isCreatedByUser":false,"children":[
        {"parentMessageId":"m2","sender":"User","text":"thanks","isCreatedByUser":true,"children":[
          {"messageId":"m4","text":"Welcome","sender":"Software Engineer","finish_reason":"length"},"broken"]}]},
      {"messageId":"m5","sender":"System","text":"Note"}]}]}"#;

#[test]
fn a_flat_export_with_content_is_read() {
    let found = parse(Format::LibreChat, FLAT);
    let expected = [
        concat!(
            r#"m1 < - User [{"text":{"text":"Weather?"}},"#,
            r#"{"file":{"mediaType":"image/png","filename":"sky.png","url":"/images/u1/sky.png"}},"#,
            r#"{"file":{"mediaType":"application/pdf","filename":"a.pdf","url":"librechat:f2"}}]"#,
        ),
        concat!(
            r#"m2 < m1 Assistant [{"reasoning":{"text":"Where?"}},{"text":{"text":"Let me look."}},"#,
            r#"{"tool":{"toolCallId":"t1","toolName":"weather","state":"outputAvailable","input":{"city":"Bonn"},"output":"rain"}},"#,
            r#"{"tool":{"toolCallId":"t2","toolName":"time","state":"inputAvailable","input":{}}},"#,
            r#"{"file":{"mediaType":"image/webp","filename":"map.webp","url":"/images/map.webp"}},"#,
            r#"{"data":{"name":"librechat/agent_update","data":{"type":"agent_update","agent_update":{"agentId":"a1"}}}},"#,
            r#"{"data":{"name":"librechat/web_search","data":{"type":"web_search","toolCallId":"t1","web_search":{"organic":[]}}}},"#,
            r#"{"file":{"mediaType":"text/csv","filename":"out.csv","url":"librechat:f3"}}]"#,
        ),
        r#"m4 < m2 Assistant Failed [{"text":{"text":"{\"type\":\"no_key\"}"}}]"#,
        r#"m3 < m1 Assistant Interrupted [{"text":{"text":"Half an ans"}}]"#,
    ];
    assert_eq!((outline(&found), found.head), (expected.map(str::to_owned).to_vec(), 2));
    assert_eq!(
        (found.title.as_deref(), found.archived, &found.labels.join(" ")),
        (Some("Trip"), true, &"travel work".to_owned())
    );
    let answer = &found.messages[1];
    let usage = TokenUsage { input_tokens: Some(70), output_tokens: Some(50), ..TokenUsage::default() };
    assert_eq!((answer.usage, answer.model.as_deref()), (Some(usage), Some("gpt-4o")));
    assert_eq!(answer.created_at, Some(Timestamp(1_714_579_210_000_000)));
    let feedback = answer.feedback.as_ref().unwrap();
    assert_eq!(
        (feedback.rating, &*feedback.tags[0], feedback.comment.as_deref()),
        (Some(Rating::Down), "inaccurate", Some("It was dry"))
    );
    assert_eq!(metadata(&found, 0), r#"{"tokenCount":5,"files":[{"index":0,"file_id":"f1","width":10}]}"#);
    let expected = concat!(
        r#"{"sender":"Agent","endpoint":"agents","finish_reason":"stop","attachments":[{"index":1,"toolCallId":"t1"}],"#,
        r#""feedback":{"tag":{"label":"x"}},"#,
        r#""content":[{"index":1,"tool_call_ids":["t1"]},{"index":2,"tool_call":{"progress":1}},"#,
        r#"{"index":3,"tool_call":{"type":"function"}},"#,
        r#"{"index":4,"image_file":{"file_id":"i1","width":5}}]}"#,
    );
    assert_eq!(metadata(&found, 1), expected);
    let expected =
        r#"{"endpoint":"agents","exportAt":"16:33:32 GMT","options":{"model":"gpt-4o","temperature":1}}"#;
    assert_eq!(object(&found.metadata), expected);
}

#[test]
fn a_tree_keeps_its_branches() {
    let found = parse(Format::LibreChat, TREE);
    let expected = [
        r##"m1 < - User [{"text":{"text":"venv?"}}]"##,
        r##"m5 < m1 System [{"text":{"text":"Note"}}]"##,
        r##"m2 < m1 Assistant [{"text":{"text":"Check it."}}]"##,
        r##"#2 < m2 User [{"text":{"text":"thanks"}}]"##,
        r##"m4 < #2 Assistant Interrupted [{"text":{"text":"Welcome"}}]"##,
        r##"#4 < #2 System [{"data":{"name":"librechat/message","data":"broken"}}]"##,
    ];
    assert_eq!((outline(&found), found.head), (expected.map(str::to_owned).to_vec(), 1));
    assert_eq!(dropped(&found), Vec::<String>::new());
    assert_eq!(metadata(&found, 2), r#"{"sender":"Software Engineer"}"#);
}

#[test]
fn a_single_message_may_stand_without_an_array() {
    let entry = r#"{"conversationId":"c","messages":{"messageId":"a","text":"Hi","isCreatedByUser":true,"children":[{"text":"Ho","sender":"GPT-4"}]}}"#;
    let found = parse(Format::LibreChat, entry);
    assert_eq!(outline(&found)[1], r##"#1 < a Assistant [{"text":{"text":"Ho"}}]"##);
    let expected = "it has no `messages` and no `messagesTree`";
    assert_eq!(rejection(Format::LibreChat, r#"{"conversationId":"c","messages":"x"}"#), expected);
}

#[test]
fn thousands_of_levels_are_read() {
    let thread = std::thread::Builder::new().stack_size(256 << 20).spawn(|| {
        let begin = r#"{"text":"x","isCreatedByUser":true,"children":["#;
        let entry = format!(r#"{{"messagesTree":[{}{}]}}"#, begin.repeat(9_000), "]}".repeat(9_000));
        let found = super::parse(JsonValue::read_within(entry.as_bytes(), 20_000).unwrap()).unwrap();
        assert_eq!((found.messages.len(), found.head), (9_000, 8_999));
    });
    thread.unwrap().join().unwrap();
}

#[test]
fn nothing_is_lost_of_damaged_samples() {
    let fields = &[
        "messageId",
        "parentMessageId",
        "conversationId",
        "_id",
        "user",
        "__v",
        "sender",
        "createdAt",
        "updatedAt",
        "rating",
    ];
    let unused = mutations::Unused { fields, copies: &["type", "args", "arguments"] };
    mutations::check(Format::LibreChat, &[value(FLAT), value(TREE)], &unused, 2_000);
}
