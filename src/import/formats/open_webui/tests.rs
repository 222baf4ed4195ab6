use super::super::mutations;
use super::super::samples::{metadata, object, outline, parse, rejection, value};
use crate::import::format::Format;
use crate::model::{Rating, Timestamp, TokenUsage};

/// As in an export of 2026: answers with `output`, a regenerated answer, sources, files and feedback.
const EXPORT: &str = r#"{"id":"c1","user_id":"u1","title":"Sums","created_at":1700000000,"updated_at":1700000010,"share_id":null,
  "archived":true,"pinned":true,"meta":{"tags":["math"],"origin":"x"},"folder_id":"f1",
  "chat":{"id":"c1","title":"Sums","models":["r1"],"params":{},"tags":[{"name":"school"}],"timestamp":1700000000000,
   "history":{"currentId":"m2","messages":{
    "m1":{"id":"m1","parentId":null,"childrenIds":["m2","m3"],"role":"user","content":"15 * 17?","timestamp":1700000000,"models":["r1"],
      "files":[{"type":"image","url":"data:image/png;base64,AA=="},
        {"type":"file","id":"d1","name":"a.pdf","file":{"id":"d1","filename":"a.pdf","meta":{"content_type":"application/pdf"},"data":{"content":"page"}}},
        {"type":"collection","id":"k1","name":"Books"}]},
    "m2":{"id":"m2","parentId":"m1","childrenIds":[],"role":"assistant","model":"r1","modelName":"R1","timestamp":1700000010000000000,"done":true,
      "content":"<details type=\"reasoning\" done=\"true\"><summary>Thought</summary>&gt; 255</details>It is 255.",
      "output":[
        {"type":"reasoning","id":"r1","status":"completed","content":[{"type":"output_text","text":"150 + 105"}],"summary":null,"duration":3},
        {"type":"function_call","id":"x","call_id":"t1","name":"calc","arguments":"{\"a\":1}","status":"completed"},
        {"type":"function_call_output","id":"y","call_id":"t1","output":[{"type":"input_text","text":"255"}],"status":"completed"},
        {"type":"open_webui:code_interpreter","id":"ci","code":"1","lang":"python","output":{"stdout":"1"},"status":"completed"},
        {"type":"web_search_call","id":"w","action":{"type":"search","query":"q"}},
        {"type":"message","id":"z","role":"assistant","status":"completed","content":[{"type":"output_text","text":"It is 255."}]}],
      "sources":[{"source":{"id":"s1","name":"a.pdf","type":"file"},"document":["page"],"metadata":[{"source":"a.pdf","page":1}]},
        {"source":{"name":"search"},"document":["x"],"metadata":[{"source":"https://example.com/a","title":"A"}]}],
      "usage":{"prompt_tokens":7,"completion_tokens":9,"total_tokens":16,"response_token/s":4.5},
      "annotation":{"rating":1,"reason":"accurate_information","comment":"fine","tags":["math"],"details":{"rating":8}},
      "statusHistory":[{"action":"web_search","done":true}],"lastSentence":"It is 255."},
    "m3":{"parentId":"m1","role":"assistant","content":"It i","done":false,"info":{"eval_count":3,"total_duration":5}}
  }}}}"#;

/// A bare chat, as in older versions: `<details>` in the content, an error, and a message that does not name its parent.
const OLD: &str = r#"{"title":"Old","models":["x"],"history":{"currentId":"b","messages":{
    "a":{"id":"a","childrenIds":["b"],"role":"user","content":[{"type":"text","text":"Hi"}]},
    "b":{"id":"b","role":"assistant","content":"<details type=\"reasoning\" done=\"true\" duration=\"2\">\n<summary>Thought</summary>\n> hm\n</details>\nHello","error":{"content":"no model"}},
    "c":{"id":"c","role":"critic","parentId":"b","content":"ok"}}}}"#;

#[test]
fn output_becomes_parts() {
    let found = parse(Format::OpenWebUi, EXPORT);
    let expected = [
        concat!(
            r#"m1 < - User [{"text":{"text":"15 * 17?"}},{"file":{"mediaType":"image/png","url":"data:image/png;base64,AA=="}},"#,
            r#"{"file":{"mediaType":"application/pdf","filename":"a.pdf","url":"open-webui:d1"}},"#,
            r#"{"data":{"name":"open-webui/collection","data":{"type":"collection","id":"k1","name":"Books"}}}]"#,
        ),
        concat!(
            r#"m2 < m1 Assistant [{"reasoning":{"text":"150 + 105"}},"#,
            r#"{"tool":{"toolCallId":"t1","toolName":"calc","state":"outputAvailable","input":{"a":1},"output":[{"type":"input_text","text":"255"}]}},"#,
            r#"{"tool":{"toolCallId":"ci","toolName":"code_interpreter","state":"outputAvailable","input":{"code":"1","lang":"python"},"output":{"stdout":"1"}}},"#,
            r#"{"data":{"name":"open-webui/web_search_call","data":{"type":"web_search_call","id":"w","action":{"type":"search","query":"q"}}}},"#,
            r#"{"text":{"text":"It is 255."}},"#,
            r#"{"source":{"sourceId":"s1","mediaType":"application/pdf","title":"a.pdf"}},"#,
            r#"{"source":{"sourceId":"https://example.com/a","url":"https://example.com/a","title":"A"}}]"#,
        ),
        r#"m3 < m1 Assistant Interrupted [{"text":{"text":"It i"}}]"#,
    ];
    assert_eq!((outline(&found), found.head), (expected.map(str::to_owned).to_vec(), 1));
    assert_eq!(
        (&*found.origin, found.title.as_deref(), found.archived, found.pinned),
        ("c1", Some("Sums"), true, true)
    );
    assert_eq!(
        (found.labels.join(" "), found.created_at),
        ("school math".to_owned(), Some(Timestamp(1_700_000_000_000_000)))
    );
    let expected = r#"{"user_id":"u1","folder_id":"f1","chat":{"models":["r1"]},"meta":{"origin":"x"}}"#;
    assert_eq!(object(&found.metadata), expected);
    let answer = &found.messages[1];
    assert_eq!(answer.created_at, Some(Timestamp(1_700_000_010_000_000)));
    let usage = TokenUsage {
        input_tokens: Some(7),
        output_tokens: Some(9),
        total_tokens: Some(16),
        ..TokenUsage::default()
    };
    assert_eq!((answer.usage, answer.model.as_deref()), (Some(usage), Some("r1")));
    let feedback = answer.feedback.as_ref().unwrap();
    assert_eq!(
        (feedback.rating, feedback.tags.join(" "), feedback.comment.as_deref()),
        (Some(Rating::Up), "accurate_information math".to_owned(), Some("fine"))
    );
    assert_eq!(found.messages[2].usage, Some(TokenUsage { output_tokens: Some(3), ..TokenUsage::default() }));
    let rest = metadata(&found, 1);
    for expected in [
        r#""response_token/s":4.5"#,
        r#""details":{"rating":8}"#,
        r#""document":["page"]"#,
        r#"{"index":0,"id":"r1","duration":3}"#,
        r#""modelName":"R1""#,
    ] {
        assert!(rest.contains(expected), "{expected} in {rest}");
    }
}

#[test]
fn blocks_of_details_become_parts() {
    let found = parse(Format::OpenWebUi, OLD);
    let expected = [
        r#"a < - User [{"text":{"text":"Hi"}}]"#,
        r#"b < a Assistant Failed [{"reasoning":{"text":"hm"}},{"text":{"text":"Hello"}}]"#,
        r#"c < b System [{"text":{"text":"ok"}}]"#,
    ];
    assert_eq!((outline(&found), found.head), (expected.map(str::to_owned).to_vec(), 1));
    assert_eq!((found.origin.len(), found.title.as_deref()), (64, Some("Old")));
    assert_eq!(
        metadata(&found, 1),
        r#"{"error":{"content":"no model"},"details":[{"index":0,"duration":"2"}]}"#
    );
}

#[test]
fn a_chat_without_a_tree_is_a_line() {
    let entry = r#"{"chat":{"messages":[{"role":"user","content":"Hi"},{"id":"b","role":"assistant","content":"Ho"},null]}}"#;
    let found = parse(Format::OpenWebUi, entry);
    let expected =
        [r##"#0 < - User [{"text":{"text":"Hi"}}]"##, r##"b < #0 Assistant [{"text":{"text":"Ho"}}]"##];
    assert_eq!(outline(&found), expected.map(str::to_owned).to_vec());
    let entry = r#"{"id":"c","messages":[{"id":"a","role":"user","content":"a copy"}],
        "history":{"messages":{"a":{"id":"a","role":"user","content":"Hi"}}}}"#;
    let found = parse(Format::OpenWebUi, entry);
    assert_eq!(
        (outline(&found).len(), object(&found.metadata)),
        (1, "{}".to_owned()),
        "the list is a copy of the tree"
    );
    assert_eq!(
        rejection(Format::OpenWebUi, r#"{"chat":{"history":{}}}"#),
        "it has no `chat.history.messages`"
    );
}

#[test]
fn nothing_is_lost_of_damaged_samples() {
    let fields = &[
        "id",
        "parentId",
        "childrenIds",
        "role",
        "timestamp",
        "created_at",
        "updated_at",
        "currentId",
        "call_id",
        "status",
    ];
    let unused = mutations::Unused { fields, copies: &["lastSentence", "content", "type", "arguments"] };
    mutations::check(Format::OpenWebUi, &[value(EXPORT), value(OLD)], &unused, 2_000);
}
