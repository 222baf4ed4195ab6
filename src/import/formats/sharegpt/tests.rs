use super::super::mutations;
use super::super::samples::{dropped, files, metadata, object, outline, parse, rejection, value};
use crate::import::format::Format;

const TOOLS: &str = r#"{"id":7,"system":"Be brief.","tools":"[{\"name\":\"search\"}]","model":"m1","conversations":[
    {"from":"human","value":"Hi"},
    {"from":"function_call","value":"{\"name\": \"search\", \"arguments\": {\"q\": \"x\"}}"},
    {"from":"observation","value":"found"},
    {"from":"gpt","value":"Hello","weight":1},
    {"from":"observation","value":"alone"},
    {"from":"narrator","value":"The end"}]}"#;

#[test]
fn calls_and_results_are_joined() {
    let found = parse(Format::ShareGpt, TOOLS);
    let expected = [
        r##"#0 < - System [{"text":{"text":"Be brief."}}]"##,
        r##"#1 < #0 User [{"text":{"text":"Hi"}}]"##,
        concat!(
            r##"#2 < #1 Assistant [{"tool":{"toolCallId":"call_1_0","toolName":"search","state":"outputAvailable","##,
            r##""input":{"q":"x"},"output":"found"}}]"##
        ),
        r##"#3 < #2 Assistant [{"text":{"text":"Hello"}}]"##,
        r##"#4 < #3 Tool [{"text":{"text":"alone"}}]"##,
        r##"#5 < #4 System [{"text":{"text":"The end"}}]"##,
    ];
    assert_eq!((outline(&found), found.head), (expected.map(str::to_owned).to_vec(), 5));
    assert_eq!((&*found.origin, found.messages[3].model.as_deref()), ("7", Some("m1")));
    assert_eq!(
        (metadata(&found, 3), metadata(&found, 5)),
        (r#"{"weight":1}"#.into(), r#"{"from":"narrator"}"#.into())
    );
    assert_eq!(object(&found.metadata), r#"{"tools":"[{\"name\":\"search\"}]"}"#);
}

#[test]
fn the_names_of_other_data_sets_are_known() {
    let entry = r#"{"conversation_id":"c","language":"English","conversation":[
        {"role":"user","content":"Hi"},{"role":"assistant","content":"Hello"},{"from":"bing","text":"again"},null,7]}"#;
    let found = parse(Format::ShareGpt, entry);
    let expected = [
        r##"#0 < - User [{"text":{"text":"Hi"}}]"##,
        r##"#1 < #0 Assistant [{"text":{"text":"Hello"}}]"##,
        r##"#2 < #1 Assistant [{"text":{"text":"again"}}]"##,
        r##"#3 < #2 System [{"data":{"name":"sharegpt/message","data":7}}]"##,
    ];
    assert_eq!((outline(&found), &*found.origin), (expected.map(str::to_owned).to_vec(), "c"));
    assert_eq!(dropped(&found), ["message: it is not an object"]);
    assert_eq!(rejection(Format::ShareGpt, r#"{"id":"a"}"#), "it has no `conversations`");
}

#[test]
fn without_an_id_the_content_is_the_id() {
    let origin = |text: &str| parse(Format::ShareGpt, text).origin;
    let first = origin(r#"{"items":[{"from":"human","value":"Hi"}]}"#);
    // SHA-256 of `[["human",null,"Hi",null,null]]`.
    assert_eq!(first, "c9062a3fd04ca68fccc8786bc4323906400d9fd6bf7c22b3dc3a781c1842b6da");
    assert_eq!(origin(r#"{"x":1,"conversations":[{"value":"Hi","from":"human"}]}"#), first);
    assert_ne!(origin(r#"{"items":[{"from":"human","value":"Ho"}]}"#), first);
}

#[test]
fn nothing_is_lost_of_samples_and_damaged_ones() {
    let fields = &["id", "from", "role", "user", "created_at", "timestamp"];
    let unused = mutations::Unused { fields, copies: &["value"] };
    let mut entries = files("sharegpt.json", "sharegpt/dummy_conversation.json");
    for entry in &entries {
        mutations::check(Format::ShareGpt, std::slice::from_ref(entry), &unused, 0);
    }
    entries.truncate(4);
    entries.push(value(TOOLS));
    mutations::check(Format::ShareGpt, &entries, &unused, 2_000);
}
