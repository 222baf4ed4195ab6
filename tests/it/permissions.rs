//! Permissions of created files, and warnings about files that others can use.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{Program, Running, SECRET};

/// A script that runs the program with a umask.
fn with_umask(folder: &Path, umask: &str) -> PathBuf {
    let script = folder.join("scrollback");
    let program = env!("CARGO_BIN_EXE_scrollback");
    fs::write(&script, format!("#!/bin/sh\numask {umask}\nexec {program} \"$@\"\n")).unwrap();
    set_mode(&script, 0o755);
    script
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Everything below a folder with its permissions, in the order of names.
fn modes(folder: &Path) -> Vec<(String, u32)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            let metadata = path.symlink_metadata().unwrap();
            let name = path.strip_prefix(folder).unwrap().display().to_string();
            found.push((name, metadata.permissions().mode() & 0o7777));
            folders.extend(metadata.is_dir().then_some(path));
        }
    }
    found.sort();
    found
}

async fn log_of(server: Running) -> String {
    server.terminate().await;
    let (status, log) = server.ended().await;
    assert_eq!(status.code(), Some(0), "{log}");
    log
}

#[tokio::test]
async fn created_files_are_private_whatever_the_umask() {
    for umask in ["000", "022", "077", "0177"] {
        let scripts = tempfile::tempdir().unwrap();
        let program = Program::of(with_umask(scripts.path(), umask));
        let arguments = ["--data-dir", "a/data"];
        // A command may be what creates the folder.
        program.printed(&["token", "--user", "ada", "--data-dir", "a/data"]).await;
        let expected = |files: &[&str]| {
            let folders = [("a".to_owned(), 0o700), ("a/data".to_owned(), 0o700)].into_iter();
            let files = files
                .iter()
                .map(|file| (format!("a/data/{file}"), if *file == "files" { 0o700 } else { 0o600 }));
            folders.chain(files).collect::<Vec<_>>()
        };
        assert_eq!(modes(program.folder()), expected(&["development-secret"]), "{umask}");
        let all = [
            "development-secret",
            "files",
            "scrollback.db",
            "scrollback.db-shm",
            "scrollback.db-wal",
            "scrollback.db.lock",
        ];
        for _ in 0..2 {
            let server = program.serve(&arguments).await;
            assert_eq!(modes(program.folder()), expected(&all), "{umask}");
            server.kill().await;
            assert_eq!(modes(program.folder()), expected(&all), "{umask}");
        }
        let log = log_of(program.serve(&arguments).await).await;
        assert!(!log.contains("chmod"), "{log}");
        let other = program.serve(&["--database-url", "sqlite://b/c.db", "--data-dir", "d"]).await;
        let found = modes(&program.folder().join("b"));
        assert_eq!(found, ["c.db", "c.db-shm", "c.db-wal", "c.db.lock"].map(|file| (file.to_owned(), 0o600)));
        let log = log_of(other).await;
        assert!(!log.contains("chmod"), "{log}");
    }
}

/// The commands that the warnings of a log name.
fn commands(log: &str) -> Vec<String> {
    let lines = log.lines().filter(|line| line.contains("WARN"));
    lines.filter_map(|line| Some(line.split_once(": run `")?.1.trim_end_matches('`').to_owned())).collect()
}

#[tokio::test]
async fn files_with_open_permissions_are_logged_with_a_chmod_command() {
    let program = Program::new();
    let data = program.folder().join("data");
    program.serve(&[]).await.kill().await;
    let database = data.join("scrollback.db").canonicalize().unwrap().display().to_string();
    for (name, mode) in
        [("scrollback.db", 0o644), ("scrollback.db-wal", 0o640), ("development-secret", 0o604)]
    {
        set_mode(&data.join(name), mode);
    }
    set_mode(&data, 0o755);
    let server = program.serve(&[]).await;
    let log = log_of(server).await;
    let found = commands(&log);
    let expected = [
        "chmod 700 data".to_owned(),
        format!("chmod 600 {database} {database}-wal"),
        "chmod 600 data/development-secret".to_owned(),
    ];
    assert_eq!(found, expected, "{log}");
    assert!(log.contains(&format!("other users can read the database {database}: run")), "{log}");
    // `-wal` is gone after a clean shutdown.
    fs::write(data.join("scrollback.db-wal"), "").unwrap();
    for command in found {
        let run = Command::new("sh").args(["-c", &command]).current_dir(program.folder()).status().unwrap();
        assert!(run.success(), "{command}");
    }
    let log = log_of(program.serve(&[]).await).await;
    assert_eq!(commands(&log), [""; 0], "{log}");
    // A folder with other files in it is named only if others can replace the database.
    let program = Program::believing().with("SCROLLBACK_DATABASE_URL", "sqlite://shared/a.db");
    let shared = program.folder().join("shared");
    fs::create_dir(&shared).unwrap();
    let path = shared.canonicalize().unwrap();
    for (mode, expected) in
        [(0o755, vec![]), (0o1777, vec![]), (0o775, vec![format!("chmod go-w {}", path.display())])]
    {
        set_mode(&shared, mode);
        let log = log_of(program.serve(&[]).await).await;
        assert_eq!(commands(&log), expected, "{log}");
    }
}

#[tokio::test]
async fn readable_secret_files_are_logged() {
    let key = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
    let cases = [
        ("SCROLLBACK_AUTH_JWT_SECRET_FILE", "`auth.jwt_secret_file`", SECRET, 0o640, "chmod 600"),
        ("SCROLLBACK_AUTH_JWT_PUBLIC_KEY_FILE", "`auth.jwt_public_key_file`", key, 0o664, "chmod go-w"),
    ];
    for (variable, setting, content, open, command) in cases {
        let program = Program::new().with(variable, "file");
        let file = program.folder().join("file");
        fs::write(&file, content).unwrap();
        set_mode(&file, open);
        let log = log_of(program.serve(&[]).await).await;
        assert_eq!(commands(&log), [format!("{command} file")], "{log}");
        assert!(log.contains(setting) && !log.contains(SECRET), "{log}");
        set_mode(&file, if command == "chmod 600" { 0o400 } else { 0o644 });
        let log = log_of(program.serve(&[]).await).await;
        assert_eq!(commands(&log), [""; 0], "{log}");
    }
    let program = Program::new();
    let file = program.folder().join("a.toml");
    for (content, expected) in
        [(format!("[auth]\njwt_secret = \"{SECRET}\"\n"), vec!["chmod 600 a.toml"]), (String::new(), vec![])]
    {
        fs::write(&file, content).unwrap();
        set_mode(&file, 0o644);
        let log = log_of(program.serve(&["--config", "a.toml"]).await).await;
        assert_eq!(commands(&log), expected, "{log}");
    }
}
