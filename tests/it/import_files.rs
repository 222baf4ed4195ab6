//! Files that cannot be imported completely: the errors and the exit code.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::harness::{Engine, Program};

/// A file of the tests', or of the published samples where these lie beside the checkout.
fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// Runs an import and returns its exit code, standard output and standard error.
async fn import(program: &Program, format: &str, file: &str) -> (i32, String, String) {
    let output = program.run(&["import", format, file, "--user", "ada"]).await;
    let [told, errors] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    (output.status.code().unwrap(), told, errors)
}

/// Checks that nothing is imported and no database is created, and returns the error.
async fn refused(format: &str, content: &[u8]) -> String {
    let program = Program::believing();
    fs::write(program.folder().join("file"), content).unwrap();
    let (code, told, errors) = import(&program, format, "file").await;
    assert_eq!((code, told.as_str()), (2, ""), "{errors}");
    assert!(!program.folder().join("data").exists(), "nothing is written: {errors}");
    errors
}

fn utf_16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(bytes).collect()
}

#[tokio::test]
async fn a_file_of_another_format_is_recognised() {
    let [trees, shared, chatgpt, claude] =
        ["openassistant.jsonl", "sharegpt.json", "chatgpt.json", "claude.json"]
            .map(|name| fs::read(sample(name)).unwrap());
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let array = |bytes: &[u8]| [b"[", bytes, b"]"].concat();
    let cannot = "which Scrollback cannot import";
    let openassistant = "looks like OpenAssistant message trees: use `scrollback import openassistant`";
    let sharegpt = "looks like ShareGPT conversations: use `scrollback import sharegpt`";
    let as_chatgpt = "looks like ChatGPT conversations: use `scrollback import chatgpt`";
    let iconv =
        "is encoded in UTF-16: convert it to UTF-8 first, with `iconv --from-code UTF-16 --to-code UTF-8`";
    let said = |what: &str| format!("{what}, {cannot}");
    let open_web_ui =
        json!([{ "id": "o", "title": "T", "chat": { "history": { "currentId": "a", "messages": {} } } }]);
    let librechat = json!({ "conversationId": "c", "endpoint": "openAI", "title": "T", "messages": [] });
    let openai = json!({ "messages": [{ "role": "user", "content": "Hi" }] }).to_string();
    let [tree, conversations] = [
        serde_json::from_str::<Value>(text(&trees).lines().next().unwrap()).unwrap(),
        serde_json::from_slice::<Value>(&shared).unwrap(),
    ];
    let shared_lines: Vec<_> = conversations.as_array().unwrap().iter().map(Value::to_string).collect();
    for (format, content, expected) in [
        ("sharegpt", trees.clone(), openassistant.to_owned()),
        ("chatgpt", trees.clone(), openassistant.to_owned()),
        ("openassistant", shared.clone(), sharegpt.to_owned()),
        ("chatgpt", shared.clone(), sharegpt.to_owned()),
        ("openassistant", chatgpt.clone(), as_chatgpt.to_owned()),
        ("sharegpt", array(&chatgpt), as_chatgpt.to_owned()),
        ("chatgpt", claude.clone(), said("looks like an export of Claude")),
        ("sharegpt", array(&claude), said("looks like an export of Claude")),
        ("openassistant", librechat.to_string().into(), said("looks like an export of LibreChat")),
        ("sharegpt", open_web_ui.to_string().into(), said("looks like an export of Open WebUI")),
        ("openassistant", format!("{openai}\n{openai}\n").into(), said("looks like messages for OpenAI's API")),
        (
            "openassistant",
            json!([tree]).to_string().into(),
            "looks like OpenAssistant message trees, which must be one on each line, not an array: convert it with \
             `jq --compact-output '.[]'`"
                .to_owned(),
        ),
        (
            "sharegpt",
            shared_lines.join("\n").into(),
            "looks like ShareGPT conversations, which must be one array: convert it with `jq --slurp .`".to_owned(),
        ),
        (
            "chatgpt",
            b"PK\x03\x04\x14\0\0\0\x08\0conversations.json".into(),
            "is a ZIP archive: unpack it first; an export of ChatGPT is conversations.json in it".to_owned(),
        ),
        ("sharegpt", b"\x1f\x8b\x08\0\0".into(), "is compressed with gzip: unpack it first, with gunzip".to_owned()),
        ("sharegpt", [b"\xff\xfe".to_vec(), utf_16(&text(&shared), u16::to_le_bytes)].concat(), iconv.to_owned()),
        ("openassistant", [b"\xfe\xff".to_vec(), utf_16(&text(&trees), u16::to_be_bytes)].concat(), iconv.to_owned()),
        ("chatgpt", utf_16(&text(&chatgpt), u16::to_le_bytes), iconv.to_owned()),
        ("openassistant", "You: Hi\nIt: Hello\n".repeat(5000).into(), said("is plain text")),
        ("chatgpt", b"<!DOCTYPE html><html>".into(), "is an HTML page: use the JSON file of the same export".to_owned()),
        ("chatgpt", Vec::new(), "is empty: nothing can be imported from it".to_owned()),
        ("openassistant", b"\n\n".into(), "is empty: nothing can be imported from it".to_owned()),
    ] {
        let errors = refused(format, &content).await;
        assert_eq!(errors, format!("scrollback: file {expected}\n"), "{format}");
    }
}

#[tokio::test]
async fn published_samples_of_another_format_are_recognised() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let mut seen = 0;
    for (file, right, said) in [
        ("openassistant/en_100_tree.jsonl", "openassistant", "looks like OpenAssistant message trees: use "),
        ("sharegpt/dummy_conversation.json", "sharegpt", "looks like ShareGPT conversations: use "),
        ("chatgpt/native-conversation-v1.json", "chatgpt", "looks like ChatGPT conversations: use "),
        ("chatgpt/sample-00.json", "chatgpt", "looks like ChatGPT conversations: use "),
        ("cases/chatgpt-2026-forms.json", "chatgpt", "looks like ChatGPT conversations: use "),
        ("claude/sample-00.json", "", "looks like an export of Claude, "),
        ("mt-bench/question.jsonl", "", "does not hold "),
        ("mt-bench/reference_answer_gpt-4.jsonl", "", "does not hold "),
    ] {
        let whole = samples.join(file);
        let file = if whole.exists() { whole } else { sample("mt-bench.jsonl") };
        let said = if file.ends_with("tests/data/mt-bench.jsonl") { "does not hold " } else { said };
        for format in ["openassistant", "sharegpt", "chatgpt"].into_iter().filter(|format| *format != right) {
            let errors = refused(format, &fs::read(&file).unwrap()).await;
            assert!(
                errors.contains(said) && errors.lines().count() == 1,
                "{format} {}: {errors}",
                file.display()
            );
            seen += 1;
        }
    }
    assert_eq!(seen, 19);
}

#[tokio::test]
async fn a_file_without_readable_conversations_is_refused_with_reasons() {
    let shared = fs::read(sample("sharegpt.json")).unwrap();
    let errors = refused("sharegpt", &shared[..shared.len() / 2]).await;
    let [first, second] = errors.lines().collect::<Vec<_>>()[..] else { panic!("{errors}") };
    assert_eq!(first, "scrollback: nothing in file can be imported");
    assert!(second.contains("not an array of conversations: EOF while parsing"), "{second}");
    let broken = json!({ "message_tree_id": "t", "prompt": { "text": "a secret" } }).to_string();
    let errors = refused("openassistant", [&*broken; 30].join("\n").as_bytes()).await;
    let lines: Vec<_> = errors.lines().collect();
    assert_eq!(lines.len(), 22, "{errors}");
    assert_eq!(lines[1], "file: conversation 1 (id \"t\"): not a message tree: missing field `message_id`");
    assert_eq!(lines[21], "file: 10 more were rejected");
    assert!(!errors.contains("secret"), "texts are not repeated: {errors}");
}

#[tokio::test]
async fn the_first_twenty_refused_conversations_are_listed() {
    let program = Program::believing();
    let good = json!({ "id": "good", "conversations": [{ "from": "human", "value": "Hi" }] });
    let bad = |at: usize| match at {
        0 => json!({ "id": 7, "title": "A\u{1b}[31m title", "conversations": [] }),
        1 => json!({ "id": "text", "conversations": "a secret" }),
        2 => json!({ "id": "speaker", "conversations": [{ "from": "nobody", "value": "a secret" }] }),
        3 => json!({ "id": "none", "conversations": [] }),
        _ => json!({ "id": format!("bad {at}") }),
    };
    let all: Vec<_> = std::iter::once(good).chain((0..34).map(bad)).collect();
    fs::write(program.folder().join("file.json"), Value::from(all).to_string()).unwrap();
    for (conversations, messages, present) in [(1, 1, 0), (0, 0, 1)] {
        let (code, told, errors) = import(&program, "sharegpt", "file.json").await;
        let report = format!(
            "{conversations} conversations with {messages} messages imported, {present} existed already, 34 rejected\n"
        );
        assert_eq!((code, told), (3, report), "{errors}");
        let lines: Vec<_> = errors.lines().filter(|line| line.starts_with("file.json: ")).collect();
        assert_eq!(lines.len(), 21, "{errors}");
        for (line, expected) in lines.iter().zip([
            "2 (id \"7\", title \"A\\u{1b}[31m title\"): not a conversation: invalid type: integer `7`, expected a string",
            "3 (id \"text\"): not a conversation: invalid type: string, expected a sequence",
            "4 (id \"speaker\"): not a conversation: unknown variant `nobody`",
            "5 (id \"none\"): `messages` must not be empty",
            "6 (id \"bad 4\"): not a conversation: missing field `conversations`",
        ]) {
            assert!(line.starts_with(&format!("file.json: conversation {expected}")), "{line}");
        }
        assert_eq!(lines[20], "file.json: 14 more were rejected");
        assert!(!errors.contains("secret"), "texts are not repeated: {errors}");
    }
}

#[tokio::test]
async fn an_import_exits_with_0_only_if_everything_was_imported() {
    let program = Program::believing();
    let write = |name: &str, content: &[u8]| fs::write(program.folder().join(name), content).unwrap();
    let shared = fs::read(sample("sharegpt.json")).unwrap();
    write("marked.json", &[b"\xef\xbb\xbf".to_vec(), shared.clone()].concat());
    write("shared.json", &shared);
    write("none.json", b"[]");
    write("empty.json", json!([{ "id": "a", "conversations": [] }]).to_string().as_bytes());
    let report = |new: usize, messages: usize, present: usize, refused: usize| {
        format!(
            "{new} conversations with {messages} messages imported, {present} existed already, {refused} rejected\n"
        )
    };
    for (file, code, expected) in [
        // A byte order mark is no fault.
        ("marked.json", 0, report(8, 30, 0, 0)),
        ("shared.json", 0, report(0, 0, 8, 0)),
        ("none.json", 0, report(0, 0, 0, 0)),
        ("empty.json", 2, report(0, 0, 0, 1)),
    ] {
        let (ended, told, errors) = import(&program, "sharegpt", file).await;
        assert_eq!((ended, told), (code, expected), "{file}: {errors}");
    }
    for (file, said) in [("absent.json", "No such file or directory"), (".", "Is a directory")] {
        let (code, told, errors) = import(&program, "sharegpt", file).await;
        assert_eq!((code, told.as_str()), (2, ""), "{errors}");
        let expected = format!("scrollback: cannot read {file}: {said}");
        assert!(errors.starts_with(&expected) && errors.lines().count() == 1, "{errors}");
    }
}

#[tokio::test]
async fn invalid_entries_are_reported_and_skipped() {
    let program = Program::over(Engine::Sqlite).await;
    let tree = |id: &str, content: &str| {
        let reply = json!({ "message_id": "r", "text": content, "role": "assistant", "replies": [] });
        let prompt = json!({ "message_id": "p", "text": "Hi", "role": "prompter", "replies": [reply] });
        json!({ "message_tree_id": id, "prompt": prompt }).to_string().into_bytes()
    };
    let largest = "x".repeat(1024 * 1024);
    let lines = [
        (tree("one", " 👩‍👩‍👧‍👦\r\n\u{FFFE}"), None),
        (b"not JSON".to_vec(), Some("2 (line 2): not a message tree: expected ident")),
        (Vec::new(), None),
        (
            br#"{"message_tree_id":"x"}"#.to_vec(),
            Some("3 (line 4, id \"x\"): not a message tree: missing field `prompt`"),
        ),
        (b"{\"message_tree_id\":\"\xff\"}".to_vec(), Some("4 (line 5): not a message tree: ")),
        (tree("empty", ""), Some("5 (line 6, id \"empty\", title \"Hi\"): `messages[1]")),
        (tree("nul", "a\0b"), Some("6 (line 7, id \"nul\", title \"Hi\"): `messages[1]")),
        (tree("large", &format!("{largest}x")), Some("7 (line 8, id \"large\", title \"Hi\"): `messages[1]")),
        (tree("two", &largest), None),
    ];
    let file = program.folder().join("trees.jsonl");
    fs::write(&file, lines.iter().map(|(line, _)| line.as_slice()).collect::<Vec<_>>().join(&b'\n')).unwrap();
    let output = program.run(&["import", "openassistant", "trees.jsonl", "--user", "ada"]).await;
    let report = "2 conversations with 4 messages imported, 0 existed already, 6 rejected\n";
    assert_eq!((output.status.code(), String::from_utf8(output.stdout).unwrap().as_str()), (Some(3), report));
    let errors = String::from_utf8(output.stderr).unwrap();
    let told: Vec<_> = errors.lines().filter(|line| line.starts_with("trees.jsonl: ")).collect();
    let expected = lines.iter().filter_map(|(_, reason)| *reason);
    assert_eq!(told.len(), expected.clone().count(), "{errors}");
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.starts_with(&format!("trees.jsonl: conversation {expected}")), "{told}");
    }
    let server = program.serve(&[]).await;
    let query = "{ conversations { nodes { metadata messages { nodes { role content } } } } }";
    let kept = server.client("ada").data(query, json!({})).await["conversations"]["nodes"].take();
    let kept = kept.as_array().unwrap();
    let messages = |id: &str| {
        kept.iter().find(|node| node["metadata"]["sourceId"] == id).unwrap()["messages"]["nodes"].clone()
    };
    let expected = |content: &str| json!([{ "role": "USER", "content": "Hi" }, { "role": "ASSISTANT", "content": content }]);
    assert_eq!(kept.len(), 2);
    assert_eq!(messages("one"), expected(" 👩‍👩‍👧‍👦\r\n\u{FFFE}"));
    assert_eq!(messages("two"), expected(&largest));
}
