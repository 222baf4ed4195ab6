//! Imports of large exports: `cargo bench --bench import -- chatgpt 1000`, with formats and megabytes.
//!
//! Each format is generated, imported into a new database, and imported again. Prints the time, the rate and the most
//! memory that the process had. `SCROLLBACK_PROGRAM` names another build to measure.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "what a benchmark does not expect ends it")]

#[path = "../tests/it"]
mod it {
    #[expect(dead_code, unused_imports, unused_macros, reason = "the tests use the rest")]
    pub(crate) mod harness;
}

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use it::harness::Cluster;

/// The exports that are generated.
const FORMATS: [&str; 5] = ["chatgpt", "claude", "open-webui", "librechat", "sharegpt"];

const MEGABYTES: u64 = 100;

/// Texts of words that are as often as in a language, the same in every run.
struct Text {
    state: u64,
}

impl Text {
    fn number(&mut self, below: u64) -> u64 {
        // A linear congruential generator: Knuth's constants.
        self.state =
            self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33) % below
    }

    /// A word: the smaller of two numbers is often a small one.
    fn word(&mut self) -> String {
        let rank = self.number(30_000).min(self.number(30_000)).min(self.number(3_000) + 1);
        let syllables =
            ["ka", "to", "mi", "re", "su", "na", "li", "ve", "do", "pe", "sh", "on", "er", "al", "in", "th"];
        let (mut word, mut rest) = (String::new(), rank + 16);
        while rest > 0 {
            word.push_str(syllables[(rest % 16) as usize]);
            rest /= 16;
        }
        word
    }

    fn words(&mut self, count: u64) -> String {
        (0..count).map(|_| self.word()).collect::<Vec<_>>().join(" ")
    }

    /// A question is short, an answer long.
    fn message(&mut self, is_answer: bool) -> String {
        let count = if is_answer { 60 + self.number(300) } else { 5 + self.number(60) };
        self.words(count)
    }
}

fn conversation(format: &str, number: u64, text: &mut Text) -> Value {
    let turns = 4 + text.number(30);
    let title = text.words(4);
    let time = 1_700_000_000.0 + number as f64 * 60.0;
    let id = format!("00000000-0000-4000-8000-{number:012}");
    let message = |turn: u64| format!("{number:08x}-{turn:04x}-4000-8000-000000000000");
    let is_answer = |turn: u64| turn % 2 == 1;
    let iso = "2025-05-05T10:00:00.000000Z";
    match format {
        "chatgpt" => {
            let mut mapping = serde_json::Map::new();
            mapping.insert(
                "root".into(),
                json!({ "id": "root", "message": null, "parent": null, "children": [message(0)] }),
            );
            for turn in 0..turns {
                let parent = if turn == 0 { "root".to_owned() } else { message(turn - 1) };
                let children = if turn + 1 < turns { vec![message(turn + 1)] } else { Vec::new() };
                let metadata = json!({ "model_slug": "gpt-4o", "request_id": message(turn), "timestamp_": "absolute",
                    "finish_details": { "type": "stop", "stop_tokens": [200_002] }, "is_complete": true, "citations": [], "content_references": [],
                    "default_model_slug": "auto", "parent_id": parent, "message_type": null });
                let content = json!({ "content_type": "text", "parts": [text.message(is_answer(turn))] });
                mapping.insert(message(turn), json!({ "id": message(turn), "parent": parent, "children": children, "message": {
                    "id": message(turn), "author": { "role": if is_answer(turn) { "assistant" } else { "user" }, "name": null, "metadata": {} },
                    "create_time": time + turn as f64, "update_time": null, "content": content, "status": "finished_successfully",
                    "end_turn": true, "weight": 1.0, "metadata": metadata, "recipient": "all", "channel": null } }));
            }
            json!({ "title": title, "create_time": time, "update_time": time + 60.0, "mapping": mapping, "moderation_results": [],
                "current_node": message(turns - 1), "plugin_ids": null, "conversation_id": id, "conversation_template_id": null, "gizmo_id": null,
                "is_archived": false, "safe_urls": [], "default_model_slug": "auto", "id": id })
        }
        "claude" => {
            let messages: Vec<_> = (0..turns)
                .map(|turn| {
                    let text = text.message(is_answer(turn));
                    json!({ "uuid": message(turn), "text": text, "content": [{ "start_timestamp": iso, "stop_timestamp": iso, "type": "text",
                        "text": text, "citations": [] }], "sender": if is_answer(turn) { "assistant" } else { "human" }, "created_at": iso,
                        "updated_at": iso, "attachments": [], "files": [] })
                })
                .collect();
            json!({ "uuid": id, "name": title, "summary": "", "created_at": iso, "updated_at": iso, "account": { "uuid": id }, "chat_messages": messages })
        }
        "open-webui" => {
            let messages: serde_json::Map<_, _> = (0..turns)
                .map(|turn| {
                    let parent = turn.checked_sub(1).map(message);
                    let role = if is_answer(turn) { "assistant" } else { "user" };
                    (message(turn), json!({ "id": message(turn), "parentId": parent, "childrenIds": [message(turn + 1)], "role": role,
                        "content": text.message(is_answer(turn)), "timestamp": time as u64 + turn, "models": ["llama3"], "model": "llama3", "done": true }))
                })
                .collect();
            let history = json!({ "messages": messages, "currentId": message(turns - 1) });
            json!({ "id": id, "user_id": "u", "title": title, "chat": { "title": title, "models": ["llama3"], "history": history },
                "updated_at": time as u64, "created_at": time as u64, "archived": false, "pinned": false, "meta": {} })
        }
        "librechat" => {
            let messages: Vec<_> = (0..turns)
                .map(|turn| {
                    let parent = turn.checked_sub(1).map_or_else(|| "00000000-0000-0000-0000-000000000000".to_owned(), message);
                    json!({ "messageId": message(turn), "parentMessageId": parent, "conversationId": id, "text": text.message(is_answer(turn)),
                        "isCreatedByUser": !is_answer(turn), "sender": "User", "model": "gpt-4o", "createdAt": iso, "updatedAt": iso })
                })
                .collect();
            json!({ "conversationId": id, "endpoint": "openAI", "title": title, "exportAt": iso, "branches": true, "recursive": false, "messages": messages })
        }
        _ => {
            let turns = (0..turns).map(|turn| {
                json!({ "from": if is_answer(turn) { "gpt" } else { "human" }, "value": text.message(is_answer(turn)) })
            });
            json!({ "id": id, "conversations": turns.collect::<Vec<_>>() })
        }
    }
}

/// Writes an export of about that size, and returns its size.
fn generate(format: &str, bytes: u64, path: &Path) -> u64 {
    let mut file = BufWriter::new(File::create(path).unwrap());
    let mut text = Text { state: 7 };
    let (mut written, mut number) = (0, 0);
    file.write_all(b"[").unwrap();
    while written < bytes {
        let before = if number > 0 { "," } else { "" };
        let line = format!("{before}{}", conversation(format, number, &mut text));
        written += line.len() as u64;
        number += 1;
        file.write_all(line.as_bytes()).unwrap();
    }
    file.write_all(b"]").unwrap();
    file.flush().unwrap();
    written
}

/// Runs an import. Returns the time, the most memory in MiB, and the first line that it printed.
fn import(folder: &Path, file: &Path, database: Option<&str>) -> (Duration, u64, String) {
    let program =
        std::env::var("SCROLLBACK_PROGRAM").unwrap_or_else(|_| env!("CARGO_BIN_EXE_scrollback").into());
    let mut command = Command::new(program);
    command
        .arg("import")
        .arg(file)
        .args(["--user", "ada"])
        .env_remove("SCROLLBACK_PROGRAM")
        .current_dir(folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    if let Some(database) = database {
        command.env("SCROLLBACK_DATABASE_URL", database);
    }
    let start = Instant::now();
    let mut child = command.spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    while child.try_wait().unwrap().is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        most = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or(most);
        std::thread::sleep(Duration::from_millis(20));
    }
    let elapsed = start.elapsed();
    let printed = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    (elapsed, most / 1024, printed.lines().next().unwrap_or_default().to_owned())
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let megabytes = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(MEGABYTES);
    let wanted = |format: &&&str| {
        arguments.iter().all(|argument| argument.parse::<u64>().is_ok())
            || arguments.iter().any(|argument| argument == **format)
    };
    let with_postgres = !arguments.iter().any(|argument| argument == "sqlite");
    println!("| format | database | | MB | s | MB/s | MiB | |\n|---|---|---|--:|--:|--:|--:|---|");
    for format in FORMATS.iter().filter(wanted) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("export.json");
        let bytes = generate(format, megabytes * 1_000_000, &file);
        let cluster = if with_postgres { Some(Cluster::start(&["max_wal_size=2GB"])) } else { None };
        let url = match &cluster {
            Some(cluster) => Some(cluster.create_database().await),
            None => None,
        };
        for (name, database) in [("SQLite", None), ("PostgreSQL", url.as_deref())] {
            if name == "PostgreSQL" && database.is_none() {
                continue;
            }
            for run in ["new", "again"] {
                let (elapsed, memory, printed) = import(folder.path(), &file, database);
                let (size, seconds) = (bytes as f64 / 1e6, elapsed.as_secs_f64());
                println!(
                    "| {format} | {name} | {run} | {size:.0} | {seconds:.1} | {:.1} | {memory} | {printed} |",
                    size / seconds
                );
            }
        }
    }
}
