use serde_json::json;

use super::*;

fn lines(values: &[Value]) -> Vec<u8> {
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n").into_bytes()
}

fn tree() -> Value {
    json!({ "message_tree_id": "t", "prompt": { "message_id": "a", "text": "Hi", "role": "prompter" } })
}

fn shared() -> Value {
    json!({ "id": "s", "conversations": [{ "from": "human", "value": "Hi" }] })
}

#[test]
fn formats_are_detected_by_their_keys() {
    let chatgpt = json!({ "id": "c", "title": "T", "mapping": {} });
    for (bytes, expected) in [
        (lines(&[tree(), tree()]), FileKind::Readable(Format::OpenAssistant)),
        (lines(&[tree()]), FileKind::Readable(Format::OpenAssistant)),
        (lines(&[json!([tree()])]), FileKind::WrongLayout(Format::OpenAssistant)),
        (lines(&[json!([{ "id": 1 }, shared()])]), FileKind::Readable(Format::ShareGpt)),
        (lines(&[shared(), shared()]), FileKind::WrongLayout(Format::ShareGpt)),
        (lines(&[json!([{ "id": "folder" }, chatgpt])]), FileKind::Readable(Format::ChatGpt)),
        (lines(std::slice::from_ref(&chatgpt)), FileKind::Readable(Format::ChatGpt)),
        (lines(&[chatgpt.clone(), chatgpt]), FileKind::WrongLayout(Format::ChatGpt)),
    ] {
        assert_eq!(detect(&bytes), Some(expected), "{}", String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn truncated_files_are_detected() {
    let whole = lines(&[json!([shared(), shared()])]);
    assert_eq!(detect(&whole[..whole.len() - 9]), Some(FileKind::Readable(Format::ShareGpt)));
}

#[test]
fn other_file_kinds_are_detected() {
    for (bytes, expected) in [
        (b"PK\x03\x04rest".to_vec(), "is a ZIP archive"),
        (b"\x1f\x8b\x08".to_vec(), "is compressed with gzip"),
        (b"\xff\xfe[\0".to_vec(), "is encoded in UTF-16"),
        (b"\xfe\xff\0[".to_vec(), "is encoded in UTF-16"),
        (b"[\0{\0".to_vec(), "is encoded in UTF-16"),
        (b"\0[\0{".to_vec(), "is encoded in UTF-16"),
        (b" \n".to_vec(), "is empty"),
        (b"".to_vec(), "is empty"),
        (b"You: Hi\nChatGPT: Hello\n".to_vec(), "is plain text"),
        ("Привет".as_bytes().to_vec(), "is plain text"),
        (b"<!DOCTYPE html><title>".to_vec(), "is an HTML page"),
        (b"\x89PNG\r\n\x1a\n\0\0".to_vec(), "is a binary file"),
        (lines(&[json!([{ "uuid": "u", "chat_messages": [] }])]), "looks like an export of Claude"),
        (lines(&[json!({ "conversationId": "c", "messages": [] })]), "looks like an export of LibreChat"),
        (lines(&[json!({ "conversationId": "c", "messagesTree": [] })]), "looks like an export of LibreChat"),
        (
            lines(&[json!([{ "id": "o", "chat": { "history": { "messages": {} } } }])]),
            "looks like an export of Open WebUI",
        ),
        (
            lines(&[json!({ "messages": [{ "role": "user", "content": "Hi" }] })]),
            "looks like messages for OpenAI's API",
        ),
        (
            lines(&[json!({ "messages": [{ "role": "user", "parts": [] }] })]),
            "looks like messages of the AI SDK",
        ),
        (lines(&[json!({ "version": 4, "history": [] })]), "looks like an export of Chatbot UI"),
        (
            lines(&[json!({ "message_tree_id": "t", "message_id": "m", "text": "Hi" })]),
            "looks like OpenAssistant messages without their trees",
        ),
    ] {
        let Some(FileKind::Other(what, _)) = detect(&bytes) else { panic!("{bytes:?}") };
        assert_eq!(what, expected);
    }
}

#[test]
fn other_json_is_not_detected() {
    for text in ["{}", "[]", "[1, 2]", "{\"a\":", "[{\"question_id\": 1, \"turns\": []}]"] {
        assert_eq!(detect(text.as_bytes()), None, "{text}");
    }
}
