use super::super::mutations;
use super::super::samples::{dropped, metadata, object, outline, parse, rejection, value};
use crate::import::format::Format;

const V4: &str = r#"{"version":4,"history":[
    {"id":"c1","name":"First","folderId":"f1","prompt":"Be brief.","temperature":0.5,
     "model":{"id":"gpt-4","name":"GPT-4","maxLength":24000},
     "messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello"},{"role":"tool","content":"x"},5]},
    {"id":"c2","name":"","folderId":null,"model":"gpt-3.5","messages":[]},
    {"id":"c3","name":"No messages"}],
  "folders":[{"id":"f1","name":"Work","type":"chat"},"broken"],
  "prompts":[{"id":"p1","name":"Shorten","content":"Shorten it"}]}"#;

const V1: &str = r#"{"id":1,"name":"Old","messages":[{"role":"user","content":"Hi"}]}"#;

#[test]
fn conversations_get_the_names_of_their_folders() {
    let parsed = crate::import::formats::parse(Format::ChatbotUi, value(V4));
    assert_eq!(parsed.len(), 3);
    let found = parsed[0].as_ref().unwrap();
    let expected = [
        r##"#0 < - User [{"text":{"text":"Hi"}}]"##,
        r##"#1 < #0 Assistant [{"text":{"text":"Hello"}}]"##,
        r##"#2 < #1 System [{"text":{"text":"x"}}]"##,
        r##"#3 < #2 System [{"data":{"name":"chatbot-ui/message","data":5}}]"##,
    ];
    assert_eq!(outline(found), expected.map(str::to_owned).to_vec());
    assert_eq!((&*found.origin, found.title.as_deref()), ("c1", Some("First")));
    assert_eq!(
        (&found.labels[..], found.messages[1].model.as_deref()),
        (&["Work".to_owned()][..], Some("gpt-4"))
    );
    assert_eq!(metadata(found, 2), r#"{"role":"tool"}"#);
    let expected =
        r#"{"prompt":"Be brief.","temperature":0.5,"modelInfo":{"name":"GPT-4","maxLength":24000}}"#;
    assert_eq!(object(&found.metadata), expected);
    let expected = ["folder: it is not an object", "prompt: Scrollback stores conversations only"];
    assert_eq!(dropped(found), expected);
    assert!(parsed[1].as_ref().unwrap().messages.is_empty());
    assert_eq!(parsed[2].as_ref().unwrap_err().reason, "it has no `messages`");
}

#[test]
fn older_versions_are_read() {
    let found = parse(Format::ChatbotUi, V1);
    assert_eq!((&*found.origin, found.title.as_deref(), found.messages.len()), ("1", Some("Old"), 1));
    let entry = r#"{"history":[{"id":"a","folderId":2,"messages":[{"role":"user","content":"Hi"}]}],"folders":[{"id":2,"name":"Two"}]}"#;
    assert_eq!(parse(Format::ChatbotUi, entry).labels, ["Two"]);
    assert!(
        crate::import::formats::parse(Format::ChatbotUi, value(r#"{"history":null,"folders":null}"#))
            .is_empty()
    );
    assert_eq!(rejection(Format::ChatbotUi, r#"{"history":"x"}"#), "it has no `history`");
    assert_eq!(rejection(Format::ChatbotUi, r#"{"x":1}"#), "it has no `history`");
}

#[test]
fn nothing_is_lost_of_damaged_samples() {
    let fields = &["role", "id", "folderId", "version"];
    let unused = mutations::Unused { fields, copies: &[] };
    let without_folders = |text: &str| format!("{}}}", text.split(",\n  \"folders\"").next().unwrap());
    let entry =
        without_folders(&V4.replace(r#"{"id":"c3","name":"No messages"}"#, r#"{"id":"c3","messages":[]}"#));
    mutations::check(Format::ChatbotUi, &[value(&entry), value(V1)], &unused, 2_000);
}
