use super::super::mutations;
use super::super::samples::{files, metadata, object, outline, parse, rejection, value};
use crate::import::format::Format;
use crate::model::{MessageStatus, Rating, Timestamp};

/// As in the export of 2025: a question with a file and an attachment, and an answer with a search.
const EXPORT: &str = r#"{"uuid":"c1","name":"Weather","summary":"About rain","created_at":"2025-10-09T08:00:00.000000Z",
  "updated_at":"2025-10-09T09:00:00.000000Z","account":{"uuid":"acc"},"is_starred":true,"project":{"uuid":"p1","name":"Trips"},
  "chat_messages":[
    {"uuid":"m1","text":"Rain?","sender":"human","created_at":"2025-10-09T08:00:01Z","updated_at":"2025-10-09T08:00:01Z",
     "parent_message_uuid":"00000000-0000-4000-8000-000000000000",
     "content":[{"type":"text","text":"Rain?","citations":[],"start_timestamp":null,"flags":null}],
     "attachments":[{"file_name":"notes.txt","file_size":12,"file_type":"txt","extracted_content":"dry so far"}],
     "files":[{"file_name":"sky.png","file_uuid":"f1"}],"files_v2":[{"file_name":"sky.png","file_uuid":"f1","file_kind":"image"}]},
    {"uuid":"m2","text":"Let me see.\n```\nThis block is not supported on your current device yet.\n```\nYes.","sender":"assistant",
     "created_at":"2025-10-09T08:00:01Z","updated_at":"2025-10-09T08:00:09Z","parent_message_uuid":"m1",
     "chat_feedback":{"type":"upvote","reason":"right"},
     "content":[
      {"type":"thinking","thinking":"They want rain.","summaries":[{"summary":"Considering rain"}],"cut_off":false,"truncated":false},
      {"type":"text","text":"Let me see."},
      {"type":"tool_use","id":"t1","name":"web_search","input":{"query":"rain"},"integration_name":"Search","start_timestamp":"2025-10-09T08:00:02Z"},
      {"type":"tool_result","tool_use_id":"t1","name":"web_search","is_error":false,"content":[{"type":"knowledge","title":"Rain","url":"https://example.com/rain"}]},
      {"type":"tool_use","id":"t2","name":"fetch","input":{}},
      {"type":"tool_result","tool_use_id":"t2","is_error":true,"content":[{"type":"text","text":"no route"}]},
      {"type":"text","text":"Yes.","citations":[{"uuid":"s1","start_index":0,"end_index":4,"details":{"type":"web","url":"https://example.com/rain"}},
        {"title":"Rain","url":"https://example.com/rain"}]},
      {"type":"token_budget","remaining":100}],
     "attachments":[],"files":[]},
    {"uuid":"m3","text":"And snow?","sender":"human","created_at":"2025-10-09T08:01:00Z","parent_message_uuid":"m2","content":[]},
    {"uuid":"m4","text":"Snow inst","sender":"assistant","parent_message_uuid":"m1","content":[],"stop_reason":"user_canceled"}]}"#;

/// Without parents, as in older exports, and a result in the message after its call.
const OLD: &str = r#"{"uuid":"c2","name":"","model":"claude-2","created_at":"2024-01-01T00:00:00Z","chat_messages":[
    {"uuid":"a","sender":"human","text":"Hi","created_at":"2024-01-01T00:00:01Z"},
    {"uuid":"b","sender":"assistant","text":"","created_at":"2024-01-01T00:00:01Z","content":[{"type":"tool_use","name":"x","id":"t","input":{"a":1}}]},
    {"uuid":"c","sender":"human","text":"","created_at":"2024-01-01T00:00:02Z","content":[{"type":"tool_result","tool_use_id":"t","content":"done"}]},
    {"uuid":"d","sender":"reviewer","text":"Good","content":[{"type":"voice_note","title":"Note","text":"spoken"}]},
    "broken"]}"#;

#[test]
fn blocks_become_parts() {
    let found = parse(Format::Claude, EXPORT);
    let expected = [
        concat!(
            r#"m1 < - User [{"text":{"text":"Rain?"}},"#,
            r#"{"data":{"name":"claude/attachment","data":{"file_name":"notes.txt","file_size":12,"file_type":"txt"}}},"#,
            r#"{"text":{"text":"dry so far"}},"#,
            r#"{"file":{"mediaType":"image/png","filename":"sky.png","url":"claude:f1"}}]"#,
        ),
        r#"m4 < m1 Assistant Interrupted [{"text":{"text":"Snow inst"}}]"#,
        concat!(
            r#"m2 < m1 Assistant [{"reasoning":{"text":"They want rain."}},{"text":{"text":"Let me see."}},"#,
            r#"{"tool":{"toolCallId":"t1","toolName":"web_search","state":"outputAvailable","input":{"query":"rain"},"#,
            r#""output":[{"type":"knowledge","title":"Rain","url":"https://example.com/rain"}]}},"#,
            r#"{"tool":{"toolCallId":"t2","toolName":"fetch","state":"outputError","input":{},"#,
            r#""output":[{"type":"text","text":"no route"}],"errorText":"no route"}},"#,
            r#"{"text":{"text":"Yes."}},{"source":{"sourceId":"s1","url":"https://example.com/rain"}},"#,
            r#"{"data":{"name":"claude/token_budget","data":{"type":"token_budget","remaining":100}}}]"#,
        ),
        r#"m3 < m2 User [{"text":{"text":"And snow?"}}]"#,
    ];
    assert_eq!((outline(&found), found.head), (expected.map(str::to_owned).to_vec(), 1));
    assert_eq!((&*found.origin, found.title.as_deref(), found.pinned), ("c1", Some("Weather"), true));
    assert_eq!(
        (&found.labels[..], found.created_at),
        (&["Trips".to_owned()][..], Some(Timestamp(1_759_996_800_000_000)))
    );
    let expected =
        r#"{"summary":"About rain","account":{"uuid":"acc"},"project":{"uuid":"p1","name":"Trips"}}"#;
    assert_eq!(object(&found.metadata), expected);
    assert_eq!(metadata(&found, 0), r#"{"files_v2":[{"index":0,"file_kind":"image"}]}"#);
    let expected = concat!(
        r#"{"updated_at":"2025-10-09T08:00:09Z","chat_feedback":{"type":"upvote"},"content":["#,
        r#"{"index":0,"summaries":[{"summary":"Considering rain"}]},"#,
        r#"{"index":2,"integration_name":"Search","start_timestamp":"2025-10-09T08:00:02Z"},"#,
        r#"{"index":6,"citations":[{"uuid":"s1","start_index":0,"end_index":4,"details":{"type":"web","url":"https://example.com/rain"}},"#,
        r#"{"title":"Rain","url":"https://example.com/rain"}]}]}"#,
    );
    assert_eq!(metadata(&found, 2), expected);
    let feedback = found.messages[2].feedback.as_ref().unwrap();
    assert_eq!((feedback.rating, feedback.comment.as_deref()), (Some(Rating::Up), Some("right")));
}

#[test]
fn the_current_leaf_ends_the_active_path() {
    let entry = EXPORT.replace(r#""summary":"About rain""#, r#""current_leaf_message_uuid":"m3""#);
    let found = parse(Format::Claude, &entry);
    assert_eq!(found.messages[found.head].origin.as_deref(), Some("m3"));
    assert_eq!(found.messages[1].origin.as_deref(), Some("m2"));
}

#[test]
fn without_parents_the_order_is_that_of_the_file() {
    let found = parse(Format::Claude, OLD);
    let expected = [
        r#"a < - User [{"text":{"text":"Hi"}}]"#,
        concat!(
            r#"b < a Assistant [{"tool":{"toolCallId":"t","toolName":"x","state":"outputAvailable","#,
            r#""input":{"a":1},"output":"done"}}]"#
        ),
        concat!(
            r#"d < b System [{"data":{"name":"claude/voice_note","data":{"type":"voice_note","title":"Note","text":"spoken"}}},"#,
            r#"{"text":{"text":"Good"}}]"#
        ),
        r##"#4 < d System [{"data":{"name":"claude/message","data":"broken"}}]"##,
    ];
    assert_eq!((outline(&found), found.head), (expected.map(str::to_owned).to_vec(), 3));
    assert_eq!(
        (found.messages[1].model.as_deref(), found.messages[0].model.as_deref()),
        (Some("claude-2"), None)
    );
    assert_eq!(metadata(&found, 1), r#"{"toolResults":[{"createdAt":"2024-01-01T00:00:02.000000Z"}]}"#);
    assert_eq!(metadata(&found, 2), r#"{"sender":"reviewer"}"#);
}

#[test]
fn some_messages_may_have_parents_and_others_not() {
    let entry = r#"{"uuid":"c","chat_messages":[
        {"uuid":"a","sender":"human","text":"1"},{"uuid":"b","sender":"assistant","text":"2","parent_message_uuid":"a"},
        {"uuid":"c","sender":"human","text":"3","parent_message_uuid":null},
        {"uuid":"d","sender":"human","text":"4","parent_message_uuid":"00000000-0000-0000-0000-000000000000"},
        {"uuid":"e","sender":"assistant","text":"5","parent_message_uuid":"lost"}]}"#;
    let found = parse(Format::Claude, entry);
    let parents: Vec<_> = outline(&found).into_iter().map(|line| line[..5].to_owned()).collect();
    assert_eq!(parents, ["d < -", "e < d", "a < -", "b < a", "c < b"]);
    assert_eq!(found.head, 1);
}

#[test]
fn an_answer_that_was_cut_off_is_interrupted() {
    let status = |fields: &str| {
        let entry = format!(
            r#"{{"uuid":"c","chat_messages":[{{"uuid":"a","sender":"assistant","text":"x",{fields}}}]}}"#
        );
        parse(Format::Claude, &entry).messages[0].status
    };
    assert_eq!(status(r#""truncated":true"#), MessageStatus::Interrupted);
    assert_eq!(
        status(r#""content":[{"type":"text","text":"x","cut_off":true}]"#),
        MessageStatus::Interrupted
    );
    assert_eq!(status(r#""stop_reason":"max_tokens""#), MessageStatus::Interrupted);
    assert_eq!(status(r#""stop_reason":"error""#), MessageStatus::Failed);
    assert_eq!(status(r#""stop_reason":"end_turn","truncated":false"#), MessageStatus::Complete);
}

#[test]
fn an_entry_without_messages_is_rejected() {
    assert_eq!(
        rejection(Format::Claude, r#"{"uuid":"c","chat_messages":null}"#),
        "it has no `chat_messages`"
    );
    assert_eq!(rejection(Format::Claude, "[]"), "it is not an object");
}

#[test]
fn nothing_is_lost_of_samples_and_damaged_ones() {
    let fields = &[
        "uuid",
        "sender",
        "created_at",
        "updated_at",
        "parent_message_uuid",
        "file_uuid",
        "tool_use_id",
        "id",
        "current_leaf_message_uuid",
    ];
    let unused = mutations::Unused { fields, copies: &["text", "type"] };
    for entry in files("claude.json", "claude/sample-00.json") {
        mutations::check(Format::Claude, &[entry], &unused, 10);
    }
    mutations::check(Format::Claude, &[value(EXPORT), value(OLD)], &unused, 2_000);
}
