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
async fn import(program: &Program, arguments: &[&str]) -> (i32, String, String) {
    let output = program.run(&[&["import", "--user", "ada"][..], arguments].concat()).await;
    let [told, errors] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    (output.status.code().unwrap(), told, errors)
}

/// Checks that nothing is imported and no database is created, and returns the error.
async fn refused(arguments: &[&str], content: &[u8]) -> String {
    let program = Program::believing();
    fs::write(program.folder().join("file"), content).unwrap();
    let (code, told, errors) = import(&program, &[arguments, &["file"]].concat()).await;
    assert_eq!((code, told.as_str()), (2, ""), "{errors}");
    assert!(!program.folder().join("data").exists(), "nothing is written: {errors}");
    errors
}

#[tokio::test]
async fn what_is_no_export_is_refused_with_what_it_is() {
    let cannot = "which Scrollback cannot import";
    let said = |what: &str| format!("{what}, {cannot}");
    for (content, expected) in [
        (b"\x28\xb5\x2f\xfd".to_vec(), "is compressed with Zstandard: unpack it first".to_owned()),
        ("You: Hi\nIt: Hello\n".repeat(5000).into(), said("is plain text")),
        (b"<!DOCTYPE html><html>".into(), "is an HTML page: use the JSON file of the same export".to_owned()),
        (Vec::new(), "is empty: nothing can be imported from it".to_owned()),
        (b"\n\n".into(), "is empty: nothing can be imported from it".to_owned()),
        (b"SQLite format 3\0".into(), said("is an SQLite database")),
        (
            json!([{ "question_id": 81, "turns": ["Hi"] }]).to_string().into(),
            "has no conversations in a format that Scrollback can import".to_owned(),
        ),
    ] {
        let errors = refused(&[], &content).await;
        assert_eq!(errors, format!("scrollback: nothing can be imported\nfile {expected}\n"));
    }
}

#[tokio::test]
async fn another_format_than_the_wanted_one_is_recognised() {
    let trees = fs::read(sample("openassistant.jsonl")).unwrap();
    let errors = refused(&["--format", "chatgpt"], &trees).await;
    let expected = "file looks like message trees of OpenAssistant, not like conversations of ChatGPT: use `--format \
                    openassistant`, or leave it out";
    assert!(errors.contains(expected), "{errors}");
    // What earlier versions wanted in the place of paths.
    let program = Program::believing();
    let (code, _, errors) = import(&program, &["sharegpt", "a.json"]).await;
    let hint = "To say the format, use `--format sharegpt`.";
    assert!(code == 2 && errors.contains(hint), "{errors}");
}

#[tokio::test]
async fn published_samples_are_recognised() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    for (file, own, counts) in [
        ("openassistant/en_100_tree.jsonl", "openassistant.jsonl", "100 conversations with 1167 messages"),
        ("sharegpt/dummy_conversation.json", "sharegpt.json", "500 conversations with 2000 messages"),
        ("chatgpt/native-conversation-v1.json", "chatgpt.json", "1 conversations with "),
        ("claude/sample-00.json", "claude.json", "1 conversations with "),
    ] {
        let whole = samples.join(file);
        let (file, counts) =
            if whole.exists() { (whole, counts) } else { (sample(own), " conversations with ") };
        let program = Program::believing();
        let (code, told, errors) = import(&program, &["--dry-run", file.to_str().unwrap()]).await;
        assert_eq!(code, 0, "{errors}");
        assert!(told.contains(counts), "{told}");
        assert!(!program.folder().join("data").exists(), "a dry run writes nothing");
    }
}

#[tokio::test]
async fn a_file_without_readable_conversations_is_refused_with_reasons() {
    let shared = fs::read(sample("sharegpt.json")).unwrap();
    // The first conversations are whole.
    let program = Program::believing();
    fs::write(program.folder().join("file"), &shared[..shared.len() / 2]).unwrap();
    let (code, told, errors) = import(&program, &["file"]).await;
    assert_eq!(code, 3, "{told}");
    assert!(errors.contains("is not whole: the file was cut off"), "{errors}");
    let broken = json!({ "message_tree_id": "t", "prompt": "a secret" }).to_string();
    let errors = refused(&[], [&*broken; 30].join("\n").as_bytes()).await;
    let lines: Vec<_> = errors.lines().collect();
    assert_eq!(lines.len(), 22, "{errors}");
    assert!(lines[1].starts_with("file: conversation 1 (id \"t\"): "), "{errors}");
    assert_eq!(lines[21], "10 more were rejected");
    assert!(!errors.contains("secret"), "texts are not repeated: {errors}");
}

#[tokio::test]
async fn the_first_twenty_refused_conversations_are_listed() {
    let program = Program::believing();
    let good = json!({ "id": "good", "conversations": [{ "from": "human", "value": "Hi" }] });
    let bad = |at: usize| match at {
        0 => json!({ "id": 7, "title": "A\u{1b}[31m title", "conversations": [] }),
        1 => json!({ "id": "text", "conversations": "a secret" }),
        _ => json!({ "id": format!("bad {at}") }),
    };
    let all: Vec<_> = std::iter::once(good).chain((0..34).map(bad)).collect();
    fs::write(program.folder().join("file.json"), Value::from(all).to_string()).unwrap();
    for (conversations, messages, present) in [(1, 1, 0), (0, 0, 1)] {
        let (code, told, errors) = import(&program, &["file.json"]).await;
        let report = format!(
            "{conversations} conversations with {messages} messages imported, {present} existed already, 34 rejected"
        );
        assert_eq!((code, told.lines().next()), (3, Some(report.as_str())), "{errors}");
        let lines: Vec<_> = errors.lines().filter(|line| line.starts_with("file.json: ")).collect();
        assert_eq!(lines.len(), 20, "{errors}");
        for (line, expected) in lines.iter().zip([
            "2 (id \"7\", title \"A\\u{1b}[31m title\"): `messages` must not be empty",
            "3 (id \"text\"): ",
            "4 (id \"bad 2\"): ",
        ]) {
            assert!(line.starts_with(&format!("file.json: conversation {expected}")), "{line}");
        }
        assert!(errors.contains("\n14 more were rejected\n"), "{errors}");
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
    fs::create_dir(program.folder().join("folder")).unwrap();
    let report = |new: usize, messages: usize, present: usize, refused: usize| {
        format!(
            "{new} conversations with {messages} messages imported, {present} existed already, {refused} rejected"
        )
    };
    for (file, code, expected) in [
        // A byte order mark is no fault.
        ("marked.json", 0, Some(report(8, 30, 0, 0))),
        ("shared.json", 0, Some(report(0, 0, 8, 0))),
        ("none.json", 0, Some(report(0, 0, 0, 0))),
        ("empty.json", 2, None),
    ] {
        let (ended, told, errors) = import(&program, &[file]).await;
        assert_eq!((ended, told.lines().next()), (code, expected.as_deref()), "{file}: {errors}");
    }
    for (file, said) in [
        ("absent.json", "scrollback: cannot read absent.json: No such file or directory"),
        ("folder", "scrollback: folder has no file that ends with .json, .jsonl or .ndjson"),
    ] {
        let (code, told, errors) = import(&program, &[file]).await;
        assert_eq!((code, told.as_str()), (2, ""), "{errors}");
        assert!(errors.starts_with(said) && errors.lines().count() == 1, "{errors}");
    }
    // Of several files some can be used.
    write("text", b"Hi");
    let (code, _, errors) = import(&program, &["shared.json", "text"]).await;
    assert!(code == 3 && errors.contains("text is plain text"), "{code} {errors}");
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
        (b"not JSON".to_vec(), Some("2 (line 2): is not valid JSON")),
        (Vec::new(), None),
        (br#"{"message_tree_id":"x"}"#.to_vec(), Some("3 (line 4, id \"x\"): ")),
        (b"{\"message_tree_id\":\"\xff\"}".to_vec(), Some("4 (line 5): is not valid JSON")),
        (br#"{"message_tree_id":"y","prompt":{"#.to_vec(), Some("5 (line 6): is not valid JSON")),
        (tree("large", &format!("{largest}x")), Some("6 (line 7, id \"large\", title \"Hi\"): `messages[1]")),
        (tree("nul", "a\0b"), None),
        (tree("two", &largest), None),
    ];
    let file = program.folder().join("trees.jsonl");
    fs::write(&file, lines.iter().map(|(line, _)| line.as_slice()).collect::<Vec<_>>().join(&b'\n')).unwrap();
    let (code, told, errors) = import(&program, &["trees.jsonl"]).await;
    let report = "3 conversations with 6 messages imported, 0 existed already, 5 rejected";
    assert_eq!((code, told.lines().next()), (3, Some(report)));
    assert!(told.contains("left out: NUL in a text 1 (texts cannot contain U+0000)"), "{told}");
    let found: Vec<_> = errors.lines().filter(|line| line.starts_with("trees.jsonl: ")).collect();
    let expected = lines.iter().filter_map(|(_, reason)| *reason);
    assert_eq!(found.len(), expected.clone().count(), "{errors}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(&format!("trees.jsonl: conversation {expected}")), "{found}");
    }
    let server = program.serve(&[]).await;
    let query = "{ conversations { nodes { metadata messages { nodes { role content } } } } }";
    let kept = server.client("ada").data(query, json!({})).await["conversations"]["nodes"].take();
    let kept = kept.as_array().unwrap();
    let messages = |id: &str| {
        kept.iter().find(|node| node["metadata"]["sourceId"] == id).unwrap()["messages"]["nodes"].clone()
    };
    let expected = |content: &str| json!([{ "role": "USER", "content": "Hi" }, { "role": "ASSISTANT", "content": content }]);
    assert_eq!(kept.len(), 3);
    assert_eq!(messages("one"), expected(" 👩‍👩‍👧‍👦\r\n\u{FFFE}"));
    assert_eq!(messages("nul"), expected("ab"));
    assert_eq!(messages("two"), expected(&largest));
}
