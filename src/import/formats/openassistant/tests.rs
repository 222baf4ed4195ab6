use super::super::mutations;
use super::super::samples::{files, metadata, outline, parse, rejection, value};
use crate::import::format::Format;
use crate::model::Timestamp;

const TREE: &str = r#"{"message_tree_id":"t","tree_state":"ready_for_export","prompt":{
    "message_id":"a","message_tree_id":"t","text":"Hi","role":"prompter","lang":"en","created_date":"2023-02-05T10:00:00Z","replies":[
        {"message_id":"b","parent_id":"a","text":"second","role":"assistant","rank":1,"synthetic":false},
        {"message_id":"c","parent_id":"a","text":"best","role":"assistant","rank":0,"model_name":"m","replies":[
            {"message_id":"d","text":"Thanks","role":"prompter","deleted":true,"emojis":{"name":["+1"],"count":[2]}}]},
        {"message_id":"e","text":"unranked","role":"judge","synthetic":true}]}}"#;

#[test]
fn the_whole_tree_is_kept_and_the_best_path_is_active() {
    let found = super::parse(value(TREE)).unwrap();
    let expected = [
        r#"a < - User [{"text":{"text":"Hi"}}]"#,
        r#"c < a Assistant [{"text":{"text":"best"}}]"#,
        r#"d < c User [{"text":{"text":"Thanks"}}]"#,
        r#"b < a Assistant [{"text":{"text":"second"}}]"#,
        r#"e < a System [{"text":{"text":"unranked"}}]"#,
    ];
    assert_eq!((outline(&found), found.head), (expected.map(str::to_owned).to_vec(), 2));
    assert_eq!((&*found.origin, found.messages[1].model.as_deref()), ("t", Some("m")));
    assert_eq!(found.messages[0].created_at, Some(Timestamp(1_675_591_200_000_000)));
    assert!(found.messages[2].hidden && !found.messages[1].hidden);
    assert_eq!(metadata(&found, 1), r#"{"rank":0}"#);
    assert_eq!(metadata(&found, 2), r#"{"emojis":{"name":["+1"],"count":[2]}}"#);
    assert_eq!(metadata(&found, 4), r#"{"role":"judge","synthetic":true}"#);
}

#[test]
fn a_broken_reply_does_not_reject_the_tree() {
    let entry =
        r#"{"prompt":{"text":"Hi","role":"prompter","replies":["text",{"text":7,"role":"assistant"},null]}}"#;
    let found = parse(Format::OpenAssistant, entry);
    assert_eq!((&*found.origin, found.messages.len()), ("#0", 4 - 1));
    for entry in ["[]", "{}", r#"{"prompt":"Hi"}"#] {
        assert!(rejection(Format::OpenAssistant, entry).starts_with("it "), "{entry}");
    }
}

#[test]
fn thousands_of_levels_are_read() {
    let tree = std::thread::Builder::new().stack_size(256 << 20).spawn(|| {
        let begin = r#"{"text":"x","role":"prompter","replies":["#;
        let entry =
            format!(r#"{{"message_tree_id":"t","prompt":{}{}}}"#, begin.repeat(9_000), "]}".repeat(9_000));
        let entry = crate::model::JsonValue::read_within(entry.as_bytes(), 20_000).unwrap();
        let found = super::parse(entry).unwrap();
        assert_eq!((found.messages.len(), found.head), (9_000, 8_999));
    });
    tree.unwrap().join().unwrap();
}

#[test]
fn nothing_is_lost_of_samples_and_damaged_ones() {
    let fields = &["message_id", "role", "parent_id", "message_tree_id", "tree_state", "created_date"];
    let unused = mutations::Unused { fields, copies: &[] };
    let mut entries = files("openassistant.jsonl", "openassistant/en_100_tree.jsonl");
    for entry in &entries {
        mutations::check(Format::OpenAssistant, std::slice::from_ref(entry), &unused, 0);
    }
    entries.truncate(3);
    entries.push(value(TREE));
    mutations::check(Format::OpenAssistant, &entries, &unused, 2_000);
}
