use serde_json::{Value, json};

use super::*;
use crate::import::format::Format;
use crate::import::formats::mutations;
use crate::import::parsed::ParsedMessage;
use crate::model::{MessageStatus, Part, Role};

fn parsed(value: &Value) -> Result<ParsedConversation, Rejection> {
    parse(JsonValue::read(value.to_string().as_bytes()).unwrap())
}

fn node(parent: &str, children: &[&str], role: &str, content: &Value) -> Value {
    json!({ "parent": parent, "children": children, "message": { "author": { "role": role }, "content": content } })
}

fn text(text: &str) -> Value {
    json!({ "content_type": "text", "parts": [text] })
}

fn ids(found: &ParsedConversation) -> Vec<(&str, Option<usize>)> {
    found.messages.iter().map(|message| (message.origin.as_deref().unwrap(), message.parent)).collect()
}

fn parts(message: &ParsedMessage) -> Value {
    serde_json::to_value(&message.parts).unwrap()
}

#[test]
fn the_tree_is_kept_with_its_active_path_first() {
    let file = json!({ "id": "c", "title": null, "current_node": "new", "default_model_slug": "m", "create_time": 1.7e9,
        "is_archived": true, "is_starred": true, "gizmo_id": "g-1", "mapping": {
        "root": { "parent": null, "children": ["a"], "message": null },
        "a": node("root", &["old", "new"], "user", &text("Hi")),
        "new": node("a", &[], "assistant", &text("second")), "old": node("a", &[], "assistant", &text("first")) } });
    let found = parsed(&file).unwrap();
    assert_eq!(ids(&found), [("a", None), ("new", Some(0)), ("old", Some(0))]);
    assert_eq!((found.head, found.archived, found.pinned), (1, true, true));
    assert_eq!(found.messages[1].model.as_deref(), Some("m"));
    assert_eq!(found.messages[0].model, None);
    assert_eq!(JsonValue::Object(found.metadata).to_string(), r#"{"gizmo_id":"g-1"}"#);
    let mut without = file;
    without["mapping"]["new"]["parent"] = json!(5);
    assert_eq!(ids(&parsed(&without).unwrap()).len(), 3, "the list of children knows the parent, too");
}

#[test]
fn a_call_and_its_result_are_one_message() {
    let mut call = node(
        "a",
        &["r"],
        "assistant",
        &json!({ "content_type": "code", "language": "unknown", "text": "{\"q\":1}" }),
    );
    call["message"]["recipient"] = json!("web.run");
    let mut result =
        node("call", &["end"], "tool", &json!({ "content_type": "execution_output", "text": "found" }));
    result["message"]["author"]["name"] = json!("web.run");
    result["message"]["metadata"] = json!({ "aggregate_result": { "status": "success" } });
    let file = json!({ "id": "c", "mapping": { "a": node("", &["call"], "user", &text("Hi")), "call": call, "r": result,
        "end": node("r", &[], "assistant", &text("Done")) } });
    let found = parsed(&file).unwrap();
    assert_eq!(ids(&found), [("a", None), ("call", Some(0)), ("end", Some(1))]);
    let expected = json!([{ "tool": { "toolCallId": "call", "toolName": "web.run", "state": "outputAvailable",
        "input": { "q": 1 }, "output": "found" } }]);
    assert_eq!(parts(&found.messages[1]), expected);
    let kept = JsonValue::Object(found.messages[1].metadata.clone()).to_string();
    assert!(kept.contains("aggregate_result"), "{kept}");
}

#[test]
fn several_results_of_a_call_are_branches() {
    let mut call = node("", &["r", "s"], "assistant", &text("go"));
    call["message"]["recipient"] = json!("python");
    let result = |text: &str| {
        node("call", &[], "tool", &json!({ "content_type": "system_error", "name": "E", "text": text }))
    };
    let file = json!({ "id": "c", "mapping": { "call": call, "r": result("one"), "s": result("two") } });
    let found = parsed(&file).unwrap();
    assert_eq!(found.messages.len(), 3);
    let tool = &parts(&found.messages[1])[0]["tool"];
    assert_eq!((&tool["toolCallId"], &tool["state"]), (&json!("call"), &json!("outputError")));
}

/// The shared case with the forms of 2026, by its messages.
#[test]
fn hidden_context_files_speech_and_citations_have_their_places() {
    let context = json!({ "content_type": "user_editable_context", "user_profile": "profile", "user_instructions": "brief" });
    let cited = json!({ "content_type": "multimodal_text", "parts": [
        { "content_type": "image_asset_pointer", "asset_pointer": "sediment://file_1", "size_bytes": 1, "width": 2 },
        "A cat \u{e200}cite\u{e202}turn0search0\u{e201}." ] });
    let mut answer = node("b", &["d"], "assistant", &cited);
    answer["message"]["metadata"] = json!({ "content_references": [
        { "matched_text": "\u{e200}cite\u{e202}turn0search0\u{e201}", "type": "webpage", "url": "https://example.org/cat", "title": "Cats" }] });
    answer["message"]["status"] = json!("in_progress");
    let spoken = json!({ "content_type": "multimodal_text", "parts": [{ "content_type": "audio_transcription", "text": "spoken" },
        { "content_type": "real_time_user_audio_video_asset_pointer" }] });
    let mut spoken = node("c", &[], "user", &spoken);
    spoken["message"]["metadata"] = json!({ "attachments": [{ "id": "file_9", "name": "a.pdf", "mime_type": "application/pdf", "size": 10 }] });
    let thoughts =
        json!({ "content_type": "thoughts", "thoughts": [{ "summary": "Looking", "content": "I look" }] });
    let file = json!({ "conversation_id": "c", "mapping": { "a": node("", &["b"], "user", &context),
        "b": node("a", &["c"], "assistant", &thoughts), "c": answer, "d": spoken } });
    let mut file = file;
    file["mapping"]["c"]["parent"] = json!("b");
    let found = parsed(&file).unwrap();
    let [context, thoughts, answer, spoken] = &found.messages[..] else { panic!("{found:?}") };
    assert_eq!((context.role, context.hidden), (Role::System, true));
    assert_eq!(thoughts.parts, [Part::reasoning("Looking\n\nI look".into())]);
    assert_eq!(answer.status, MessageStatus::Interrupted);
    let expected = json!([
        { "file": { "mediaType": "image/*", "url": "sediment://file_1" } },
        { "text": { "text": "A cat." } },
        { "source": { "sourceId": "https://example.org/cat", "url": "https://example.org/cat", "title": "Cats" } },
    ]);
    let found = parts(answer);
    assert_eq!(found.as_array().unwrap()[..2], expected.as_array().unwrap()[..2]);
    assert!(found[2].to_string().contains("https://example.org/cat"), "{found}");
    let kept = JsonValue::Object(answer.metadata.clone()).to_string();
    let described = r#""content":{"parts":[{"size_bytes":1,"width":2,"asset_pointer":"sediment://file_1"}]}"#;
    assert!(kept.contains("originalTexts") && kept.contains(described), "{kept}");
    assert_eq!(parts(spoken)[0], json!({ "text": { "text": "spoken" } }));
    assert_eq!(parts(spoken)[2]["file"]["filename"], "a.pdf", "{:?}", parts(spoken));
}

#[test]
fn what_has_no_shape_of_a_conversation_is_rejected() {
    for (file, reason) in [
        (json!({ "id": "folder" }), "it has no `mapping`"),
        (json!({ "title": "bad", "mapping": 5 }), "it has no `mapping`"),
        (json!([1]), "it is not an object"),
        (
            json!({ "id": "c", "mapping": { "a": node("b", &["b"], "user", &text("x")), "b": node("a", &["a"], "user", &text("y")) } }),
            "its messages form a cycle",
        ),
    ] {
        assert_eq!(parsed(&file).unwrap_err().reason, reason);
    }
}

const FORMS: &str = include_str!("../../../../tests/data/chatgpt-2026.json");
const EXPORT: &str = include_str!("../../../../tests/data/chatgpt.json");

#[test]
fn the_forms_of_2026_are_imported() {
    let entries = JsonValue::read(FORMS.as_bytes()).unwrap();
    let parsed: Vec<_> = entries.as_array().unwrap().iter().map(|entry| parse(entry.clone())).collect();
    let [Ok(forms), Err(_), Err(_), Ok(without_current)] = &parsed[..] else { panic!("{parsed:?}") };
    let roles: Vec<_> = forms.messages.iter().map(|message| (message.role, message.hidden)).collect();
    assert_eq!(roles[..2], [(Role::System, true), (Role::User, false)], "nobody said the context");
    assert!(
        forms.messages.iter().all(
            |message| message.role != Role::User || !parts(message).to_string().contains("SECRETPROFILE")
        )
    );
    assert_eq!(forms.messages[3].parts, [Part::reasoning("Thought for 5s".into())]);
    let tool = &parts(&forms.messages[4])[0]["tool"];
    assert_eq!((&tool["input"], &tool["output"]), (&json!("search(\"cats\")"), &json!("found")));
    let answer = &forms.messages[forms.head];
    assert_eq!(parts(answer)[0]["text"]["text"], "branch two");
    assert_eq!((answer.model.as_deref(), answer.created_at), (Some("gpt-5-thinking"), None));
    assert_eq!((forms.archived, forms.pinned, forms.title.as_deref()), (true, true, None));
    assert_eq!(without_current.messages.len(), 1);
}

#[test]
fn damaged_exports_lose_no_text() {
    let entries = JsonValue::read(FORMS.as_bytes()).unwrap();
    let mut entries = entries.as_array().unwrap().to_vec();
    entries.extend(JsonValue::read(EXPORT.as_bytes()));
    // Ids and places in the tree, times, what the role says, and the copies of a pointer and a text.
    let fields = &[
        "id",
        "conversation_id",
        "parent",
        "children",
        "current_node",
        "create_time",
        "update_time",
        "role",
        "status",
        "end_turn",
    ];
    let copies = &["content_type", "recipient", "parts", "text", "default_model_slug", "language"];
    let unused = mutations::Unused { fields, copies };
    mutations::check(Format::ChatGpt, &entries, &unused, 2_000);
}
