//! What can be imported from: folders, archives, compressed files, standard input, other encodings.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::harness::Program;

/// ShareGPT conversations with these ids.
pub(super) fn export(ids: &[&str]) -> String {
    let turns = json!([{ "from": "human", "value": "Grüße 👋" }, { "from": "gpt", "value": "Hello" }]);
    Value::from(ids.iter().map(|id| json!({ "id": id, "conversations": turns })).collect::<Vec<_>>())
        .to_string()
}

/// Writes an archive of files.
pub(super) fn archive(path: &Path, files: &[(&str, &[u8])]) {
    let mut archive = ZipWriter::new(File::create(path).unwrap());
    for (name, content) in files {
        archive.start_file(*name, SimpleFileOptions::default()).unwrap();
        archive.write_all(content).unwrap();
    }
    archive.finish().unwrap();
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// Imports with these arguments and input. Returns the exit code and what was printed.
async fn import(program: &Program, arguments: &[&str], input: &[u8]) -> (i32, String, String) {
    let mut command = program.command(&[&["import", "--user", "ada"][..], arguments].concat());
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A command that refuses its input does not read all of it.
    let _ = stdin.write_all(input).await;
    drop(stdin);
    let output = child.wait_with_output().await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// Checks that an import into an empty database has so many conversations of two messages.
async fn assert_imports(program: &Program, arguments: &[&str], input: &[u8], conversations: usize) {
    let _ = fs::remove_dir_all(program.folder().join("data"));
    let (code, told, errors) = import(program, arguments, input).await;
    let messages = 2 * conversations;
    let report = format!(
        "{conversations} conversations with {messages} messages imported, 0 existed already, 0 rejected"
    );
    assert_eq!((code, told.lines().next()), (0, Some(report.as_str())), "{arguments:?}: {errors}");
}

#[tokio::test]
async fn every_container_and_encoding_is_read() {
    let program = Program::believing();
    let (first, second) = (export(&["a", "b"]), export(&["c"]));
    let at = |name: &str| program.folder().join(name);
    let utf_16 = |bytes: fn(u16) -> [u8; 2]| first.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
    fs::create_dir_all(at("export/inner")).unwrap();
    fs::write(at("export/conversations-000.json"), &first).unwrap();
    fs::write(at("export/inner/conversations-001.json"), &second).unwrap();
    fs::write(at("export/user.json"), "{}").unwrap();
    fs::write(at("export/chat.html"), "<html>").unwrap();
    let files: [(&str, &[u8]); 4] = [
        ("conversations-000.json", first.as_bytes()),
        ("inner/conversations-001.json", second.as_bytes()),
        ("user.json", b"{}"),
        ("chat.html", b"<html>"),
    ];
    archive(&at("export.zip"), &files);
    let packed = gzip(first.as_bytes());
    fs::write(at("export.json.gz"), &packed).unwrap();
    fs::write(at("little.json"), utf_16(u16::to_le_bytes)).unwrap();
    fs::write(at("big.json"), [b"\xfe\xff".to_vec(), utf_16(u16::to_be_bytes)].concat()).unwrap();
    fs::write(at("second"), &second).unwrap();
    // One object a line, and one after the other.
    let lines: Vec<Value> = serde_json::from_str(&first).unwrap();
    let lines: Vec<_> = lines.iter().map(Value::to_string).collect();
    fs::write(at("lines.jsonl"), lines.join("\n")).unwrap();
    fs::write(at("pretty.json"), lines.iter().map(|line| line.replace(',', ",\n")).collect::<String>())
        .unwrap();
    for (arguments, conversations) in [
        (&["export"][..], 3),
        (&["export.zip"], 3),
        (&["export.json.gz"], 2),
        (&["little.json"], 2),
        (&["big.json"], 2),
        (&["little.json", "second"], 3),
        (&["lines.jsonl"], 2),
        (&["pretty.json"], 2),
    ] {
        assert_imports(&program, arguments, b"", conversations).await;
    }
    assert_imports(&program, &["-"], first.as_bytes(), 2).await;
    assert_imports(&program, &["-"], &packed, 2).await;
    assert_imports(&program, &["-"], &fs::read(at("export.zip")).unwrap(), 3).await;
    let (_, told, _) = import(&program, &["export.zip"], b"").await;
    assert!(told.contains("files without conversations: export.zip/user.json"), "{told}");
}

/// The archive with another name in it, of the same length.
fn renamed(archive: &[u8], from: &str, to: &str) -> Vec<u8> {
    let mut changed = archive.to_vec();
    for at in 0..=changed.len() - from.len() {
        if &changed[at..at + from.len()] == from.as_bytes() {
            changed[at..at + to.len()].copy_from_slice(to.as_bytes());
        }
    }
    changed
}

#[tokio::test]
async fn archives_that_are_made_to_do_harm_are_refused() {
    let program = Program::believing();
    let at = |name: &str| program.folder().join(name);
    archive(&at("good.zip"), &[("ab/conv.json", export(&["a"]).as_bytes())]);
    let good = fs::read(at("good.zip")).unwrap();
    fs::write(at("leads-out.zip"), renamed(&good, "ab/conv.json", "../conv.json")).unwrap();
    fs::write(at("cut.zip"), &good[..good.len() - 30]).unwrap();
    // A megabyte of the archive would become a gigabyte.
    let mut bomb = ZipWriter::new(File::create(at("bomb.zip")).unwrap());
    bomb.start_file("conversations.json", SimpleFileOptions::default()).unwrap();
    bomb.write_all(b"[").unwrap();
    let spaces = vec![b' '; 1024 * 1024];
    (0..100).for_each(|_| bomb.write_all(&spaces).unwrap());
    bomb.write_all(export(&["a"]).trim_start_matches('[').as_bytes()).unwrap();
    bomb.finish().unwrap();
    fs::write(at("bomb.json.gz"), gzip(&vec![b' '; 100 * 1024 * 1024])).unwrap();
    // Two entries that are the same bytes.
    archive(&at("two.zip"), &[("one.json", b"[]"), ("two.json", b"[]")]);
    let mut overlapping = fs::read(at("two.zip")).unwrap();
    let entries: Vec<usize> =
        (0..overlapping.len() - 4).filter(|at| &overlapping[*at..*at + 4] == b"PK\x01\x02").collect();
    overlapping.copy_within(entries[0] + 42..entries[0] + 46, entries[1] + 42);
    fs::write(at("overlapping.zip"), overlapping).unwrap();
    for (file, said) in [
        ("leads-out.zip", "leads-out.zip has an entry whose name leads out of the archive: \"../conv.json\""),
        ("cut.zip", "cut.zip is not a valid ZIP archive"),
        (
            "bomb.zip",
            "bomb.zip/conversations.json cannot be read: it inflates to more than 200 times its size",
        ),
        ("bomb.json.gz", "bomb.json.gz cannot be read: it inflates to more than 200 times its size"),
        ("overlapping.zip", "overlapping.zip has entries that overlap: it is made to do harm"),
    ] {
        let (code, _, errors) = import(&program, &[file], b"").await;
        assert_eq!(code, 2, "{file}: {errors}");
        assert!(errors.contains(said), "{file}: {errors}");
    }
    assert!(!at("data").exists(), "no database was made");
    assert!(!at("../conv.json").exists());
}
