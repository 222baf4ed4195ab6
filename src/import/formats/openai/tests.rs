use super::super::mutations;
use super::super::samples::{dropped, metadata, object, outline, parse, rejection, value};
use crate::import::format::Format;

const LINE: &str = r#"{"messages":[
    {"role":"developer","content":"Use tools."},
    {"role":"user","content":[{"type":"text","text":"Weather?"},{"type":"image_url","image_url":{"url":"https://example.com/sky.png"}}]},
    {"role":"assistant","content":null,"weight":0,"tool_calls":[
        {"id":"call_a","type":"function","function":{"name":"weather","arguments":"{\"city\": \"Bonn\"}"}},
        {"id":"call_b","type":"function","function":{"name":"time","arguments":"not json"}}]},
    {"role":"tool","tool_call_id":"call_b","content":"12:00"},
    {"role":"tool","tool_call_id":"call_a","name":"weather","content":[{"type":"text","text":"rain"}]},
    {"role":"assistant","content":"It rains.","refusal":null},
    {"role":"assistant","refusal":"I cannot say more."},
    {"role":"critic","content":"Fine."}],
  "tools":[{"type":"function","function":{"name":"weather","description":"The weather"}}],
  "parallel_tool_calls":false,"note":"kept"}"#;

const LEGACY: &str = r#"{"id":"c1","model":"gpt-3.5","messages":[
    {"role":"user","content":"Weather?"},
    {"role":"assistant","content":null,"function_call":{"name":"weather","arguments":"{}"}},
    {"role":"function","name":"weather","content":"rain"},
    {"role":"tool","content":"without a call"},
    "broken",null]}"#;

#[test]
fn calls_are_joined_with_their_results() {
    let found = parse(Format::OpenAi, LINE);
    let expected = [
        r##"#0 < - System [{"text":{"text":"Use tools."}}]"##,
        concat!(
            r##"#1 < #0 User [{"text":{"text":"Weather?"}},"##,
            r##"{"file":{"mediaType":"image/png","url":"https://example.com/sky.png"}}]"##
        ),
        concat!(
            r##"#2 < #1 Assistant [{"tool":{"toolCallId":"call_a","toolName":"weather","state":"outputAvailable","##,
            r##""input":{"city":"Bonn"},"output":[{"type":"text","text":"rain"}]}},"##,
            r##"{"tool":{"toolCallId":"call_b","toolName":"time","state":"outputAvailable","input":"not json","output":"12:00"}}]"##
        ),
        r##"#3 < #2 Assistant [{"text":{"text":"It rains."}}]"##,
        r##"#4 < #3 Assistant [{"text":{"text":"I cannot say more."}}]"##,
        r##"#5 < #4 System [{"text":{"text":"Fine."}}]"##,
    ];
    assert_eq!((outline(&found), found.head), (expected.map(str::to_owned).to_vec(), 5));
    assert_eq!(found.origin.len(), 64);
    let expected = [
        r#"{"role":"developer"}"#,
        "{}",
        r#"{"weight":0}"#,
        "{}",
        r#"{"refusal":true}"#,
        r#"{"role":"critic"}"#,
    ];
    assert_eq!((0..6).map(|at| metadata(&found, at)).collect::<Vec<_>>(), expected);
    let tools = r#""tools":[{"type":"function","function":{"name":"weather","description":"The weather"}}]"#;
    assert_eq!(object(&found.metadata), format!(r#"{{{tools},"parallel_tool_calls":false,"note":"kept"}}"#));
}

#[test]
fn functions_of_older_requests_are_tools() {
    let found = parse(Format::OpenAi, LEGACY);
    let expected = [
        r##"#0 < - User [{"text":{"text":"Weather?"}}]"##,
        concat!(
            r##"#1 < #0 Assistant [{"tool":{"toolCallId":"call_1","toolName":"weather","state":"outputAvailable","##,
            r##""input":{},"output":"rain"}}]"##
        ),
        r##"#2 < #1 Tool [{"text":{"text":"without a call"}}]"##,
        r##"#3 < #2 System [{"data":{"name":"openai-jsonl/message","data":"broken"}}]"##,
    ];
    assert_eq!(outline(&found), expected.map(str::to_owned).to_vec());
    assert_eq!((&*found.origin, found.messages[1].model.as_deref()), ("c1", Some("gpt-3.5")));
    assert_eq!(dropped(&found), ["message: it is not an object"]);
    assert_eq!(rejection(Format::OpenAi, "{}"), "it has no `messages`");
}

#[test]
fn nothing_is_lost_of_damaged_samples() {
    let fields = &["role", "id", "tool_call_id"];
    let unused = mutations::Unused { fields, copies: &["type", "arguments"] };
    mutations::check(Format::OpenAi, &[value(LINE), value(LEGACY)], &unused, 2_000);
}
