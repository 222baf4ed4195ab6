use super::*;

#[test]
fn formats_are_known_by_their_keys() {
    for (entry, expected) in [
        (r#"{"mapping":{}}"#, Some(Format::ChatGpt)),
        (r#"{"uuid":"u","chat_messages":[]}"#, Some(Format::Claude)),
        (r#"{"message_tree_id":"t","prompt":{}}"#, Some(Format::OpenAssistant)),
        (r#"{"conversationId":"c","messages":[{"messageId":"m"}]}"#, Some(Format::LibreChat)),
        (r#"{"conversationId":"c","messagesTree":[]}"#, Some(Format::LibreChat)),
        (r#"{"id":"o","chat":{"history":{"messages":{}}}}"#, Some(Format::OpenWebUi)),
        (r#"{"version":4,"history":[],"folders":[]}"#, Some(Format::ChatbotUi)),
        (r#"{"id":"s","conversations":[{"from":"human","value":"Hi"}]}"#, Some(Format::ShareGpt)),
        (r#"{"items":[{"from":"human","text":"Hi"}]}"#, Some(Format::ShareGpt)),
        (r#"{"messages":[{"role":"user","content":"Hi"}]}"#, Some(Format::OpenAi)),
        (r#"{"messages":[{"role":"user","parts":[]}]}"#, Some(Format::UiMessage)),
        (r#"{"role":"user","parts":[]}"#, Some(Format::UiMessage)),
        (r#"[{"role":"user","parts":[]}]"#, Some(Format::UiMessage)),
        (r#"{"header":{"format":"scrollback","version":2}}"#, Some(Format::Scrollback)),
        (r#"{"question_id":1,"turns":["Hi"]}"#, None),
        (r#"{"id":"folder"}"#, None),
        ("[1]", None),
        ("null", None),
    ] {
        assert_eq!(format_of(&JsonValue::read(entry.as_bytes()).unwrap()), expected, "{entry}");
    }
}

#[test]
fn other_files_are_named() {
    for (start, expected) in [
        (&b"\x28\xb5\x2f\xfd"[..], "is compressed with Zstandard"),
        (b"%PDF-1.7", "is a PDF"),
        (b"\n\n", "is empty"),
        (b"<!DOCTYPE html><html>", "is an HTML page"),
        (b"You: Hi", "is plain text"),
        (b"\xe2\x82", "is plain text"),
        (b"a\0b", "is a binary file"),
        (b"{\"question_id\":1}", "has no conversations"),
    ] {
        assert!(advice(start).starts_with(expected), "{start:?}");
    }
}
