use super::*;
use crate::model::{ConversationId, Message, OwnerId, Timestamp};
use crate::openai::items_of;

struct NoNames;

impl ToolNames for NoNames {
    fn of_call(&self, call: &str) -> Option<String> {
        (call == "call_1").then(|| "weather".to_owned())
    }
}

/// The message that stores an item, and the item that comes back, without its id.
fn round(item: &str) -> (NewMessage, JsonValue) {
    let value = JsonValue::read(item.as_bytes()).unwrap();
    let id = MessageId(uuid::Uuid::from_u128(7));
    let input = InputItem::parse("items[0]", value).unwrap();
    let new = input.store("items[0]", id, &NoNames, ContentLimits::LARGEST).unwrap().into_message(id);
    let (content, parts) = match new.body.clone().unwrap() {
        MessageBody::Text(text) => (text.into_string(), None),
        MessageBody::Parts(parts) => (parts.content(), Some(parts)),
    };
    let message = Message {
        id,
        conversation: ConversationId(uuid::Uuid::nil()),
        position: 1,
        owner: OwnerId::new("ada").unwrap(),
        role: new.role,
        content,
        metadata: new.metadata.clone(),
        created_at: Timestamp(0),
        branch: None,
        parent: None,
        status: MessageStatus::Complete,
        parts,
        model: None,
        usage: None,
        edited_at: None,
        deleted_at: None,
        pinned: false,
    };
    let mut items = items_of(&message, &message.content, &FileUrls::default());
    assert_eq!(items.len(), 1, "{item}");
    let JsonValue::Object(mut fields) = items.remove(0).value else { panic!() };
    assert!(fields.shift_remove("id").is_some());
    (new, JsonValue::Object(fields))
}

fn part(new: &NewMessage) -> &Part {
    match &new.body {
        Some(MessageBody::Parts(parts)) => &parts.as_slice()[0],
        other => panic!("{other:?}"),
    }
}

#[test]
fn odd_items_come_back() {
    for item in [
        // Texts that could be taken for other values.
        r#"{"type":"function_call","call_id":"c","name":"f","arguments":"","status":"completed"}"#,
        r#"{"type":"function_call","call_id":"c","name":"f","arguments":"\"text\"","status":"completed"}"#,
        r#"{"type":"function_call","call_id":"c","name":"f","arguments":"12","status":"completed"}"#,
        r#"{"type":"function_call","call_id":"c","name":"f","arguments":"{\"a\": 1e400}","status":"completed"}"#,
        r#"{"type":"function_call","call_id":"","name":"","arguments":"{","status":"completed"}"#,
        r#"{"type":"function_call_output","call_id":"c","output":"12","status":"completed"}"#,
        r#"{"type":"function_call_output","call_id":"c","output":"null","status":"completed"}"#,
        r#"{"type":"function_call_output","call_id":"c","output":"","status":"completed"}"#,
        r#"{"type":"function_call_output","call_id":"c","output":[],"status":"completed"}"#,
        r#"{"type":"function_call_output","call_id":"c","output":"[{\"type\":\"input_text\",\"text\":\"x\"}]","status":"completed"}"#,
        r#"{"type":"function_call_output","call_id":"c","output":[{"type":"input_text","text":"x"}],"status":"completed"}"#,
        r#"{"type":"function_call_output","call_id":"c","output":"{\"a\":1}","status":"completed","name":null}"#,
        // Messages that are more, or less, than texts.
        r#"{"type":"message","role":"user","content":[],"status":"completed"}"#,
        r#"{"type":"message","role":"user","content":[{"type":"input_text","text":""}],"status":"completed"}"#,
        r#"{"type":"message","role":"user","content":[{"type":"input_text","text":"a"},{"type":"input_text","text":""},{"type":"input_text","text":"b"}],"status":"completed"}"#,
        r#"{"type":"message","role":"user","content":[{"type":"output_text","text":"a","annotations":[]}],"status":"completed"}"#,
        r#"{"type":"message","role":"assistant","content":[{"type":"input_text","text":"a","openai":{"type":"x"}}],"status":"completed"}"#,
        r#"{"type":"message","role":"user","content":[{"type":"new_content","text":"a"}],"status":"completed"}"#,
        r#"{"type":"message","role":"user","content":[{"type":"input_image","image_url":"attachment:1","detail":"auto"}],"status":"completed"}"#,
        r#"{"type":"message","role":"user","content":[{"type":"input_image","image_url":"","detail":"auto"}],"status":"completed"}"#,
        r#"{"type":"message","role":"user","content":[{"type":"input_file","file_data":"no url","filename":null}],"status":"completed"}"#,
        r#"{"type":"message","role":"assistant","content":[{"type":"output_text","text":"a","annotations":null}],"phase":null,"status":"in_progress"}"#,
        r#"{"type":"reasoning","summary":[]}"#,
        r#"{"type":"reasoning","summary":[],"content":[{"type":"reasoning_text","text":"a"}],"status":null}"#,
        r#"{"type":"reasoning","summary":[{"type":"summary_text","text":"a"}],"content":null,"encrypted_content":"x"}"#,
        r#"{"type":"reasoning","summary":[{"type":"summary_text","text":"a","more":1}]}"#,
        // An item whose fields look like what is stored.
        r#"{"type":"openai.message","openai":{"type":"message"},"n":1.50}"#,
        r#"{"type":"web_search_call","action":{},"status":"failed","openai":{"type":"fs"}}"#,
        r#"{"type":"mcp_call","name":"a","arguments":"{}","server_label":"s","output":null,"error":{"type":"x"}}"#,
    ] {
        assert_eq!(round(item).1, JsonValue::read(item.as_bytes()).unwrap(), "{item}");
    }
}

#[test]
fn known_items_are_typed_and_small() {
    let (new, _) = round(r#"{"role":"user","content":"Hi"}"#);
    assert_eq!((new.metadata.as_str(), matches!(new.body, Some(MessageBody::Text(_)))), ("{}", true));
    let (new, _) = round(r#"{"type":"function_call_output","call_id":"call_1","output":"{\"a\":1}"}"#);
    let Part::Tool { tool_name, output: Some(output), extra: None, .. } = part(&new) else { panic!() };
    assert_eq!((tool_name.as_str(), output.as_str()), ("weather", r#"{"a":1}"#));
    let (new, _) = round(
        r#"{"type":"message","role":"assistant","content":[{"type":"refusal","refusal":"No."}],"id":"msg_1"}"#,
    );
    let Part::Text { text, extra: Some(extra) } = part(&new) else { panic!() };
    assert_eq!((text.as_str(), extra.as_str()), ("No.", r#"{"openai":{"type":"refusal"}}"#));
    assert_eq!(new.metadata.as_str(), r#"{"openai":{"id":"msg_1"}}"#);
    // An id of Scrollback belongs to the item that was copied.
    let (new, _) = round(r#"{"role":"user","content":"Hi","id":"msg_0197a1b2c3d47e5f8a6b7c8d9e0f1a2b"}"#);
    assert_eq!(new.metadata.as_str(), "{}");
    let (new, _) = round(r#"{"type":"compaction","encrypted_content":"x"}"#);
    assert!(matches!(part(&new), Part::Custom { kind, .. } if kind == "openai.compaction"));
}

/// Every value of a field that the published schema refuses is refused, and every other is taken.
#[test]
fn items_are_checked_as_the_published_schema_says() {
    let document: serde_json::Value =
        serde_json::from_str(include_str!("../../../docs/openapi.json")).unwrap();
    let components = &document["components"]["schemas"];
    let types: Vec<_> =
        components.as_object().unwrap().keys().filter(|name| name.starts_with("Input_")).collect();
    assert!(types.len() > 25);
    let mut checked = 0;
    for name in types.into_iter().map(String::as_str).chain(["InputMessage"]) {
        let schema = serde_json::json!({ "$ref": format!("#/components/schemas/{name}"), "components": document["components"] });
        let validator = jsonschema::validator_for(&schema).unwrap();
        let properties = components[name]["properties"].as_object().unwrap();
        let valid: serde_json::Map<_, _> =
            properties.iter().map(|(field, schema)| (field.clone(), example(schema))).collect();
        assert!(validator.is_valid(&valid.clone().into()), "{valid:?}");
        for field in properties.keys() {
            for value in [
                "null",
                "true",
                "1",
                r#""text""#,
                "[]",
                "[1]",
                r#"["text"]"#,
                "[null]",
                "{}",
                "[{}]",
                r#"{"text":"x"}"#,
                r#"[{"type":"summary_text"}]"#,
                r#"[{"type":"other","text":"x"}]"#,
                r#"[{"type":"summary_text","text":"x"}]"#,
                r#"[{"type":"input_text","text":"x"}]"#,
                r#"[{"type":"input_text","text":1}]"#,
            ] {
                let mut item = valid.clone();
                item.insert(field.clone(), serde_json::from_str(value).unwrap());
                let value = serde_json::Value::Object(item);
                // Another type has other rules.
                if field == "type" {
                    continue;
                }
                let read = JsonValue::read(value.to_string().as_bytes()).unwrap();
                let parsed = InputItem::parse("items[0]", read);
                assert_eq!(parsed.is_ok(), validator.is_valid(&value), "{value}: {:?}", parsed.err());
                checked += 1;
            }
        }
    }
    assert!(checked > 900, "{checked}");
}

/// A value that a schema of a property allows.
fn example(schema: &serde_json::Value) -> serde_json::Value {
    let first = schema.get("anyOf").map_or(schema, |any| &any[0]);
    if let Some(only) = first.get("const").or_else(|| first.get("enum").map(|all| &all[0])) {
        return only.clone();
    }
    match first["type"].as_str() {
        Some("string") => "x".into(),
        Some("array") => serde_json::json!([]),
        Some("boolean") => true.into(),
        _ => serde_json::json!({}),
    }
}
