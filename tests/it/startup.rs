//! Errors of commands that cannot use their settings or database.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::harness::{Authority, Cluster, Program, shared_cluster};

/// Commands that need a database.
const COMMANDS: [&[&str]; 3] = [&[], &["migrate", "status"], &["import", "sharegpt.json", "--user", "ada"]];

fn with_sample(program: Program) -> Program {
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/sharegpt.json");
    fs::copy(sample, program.folder().join("sharegpt.json")).unwrap();
    program
}

/// The error of all commands for this database.
async fn refused(program: &Program) -> String {
    let mut said = Vec::new();
    for arguments in COMMANDS {
        said.push(program.refused(arguments).await);
    }
    said.dedup();
    assert_eq!(said.len(), 1, "{said:?}");
    let said = said.remove(0);
    assert_eq!(said.lines().count(), 1, "{said}");
    said
}

#[tokio::test]
async fn unknown_names_are_refused_by_every_command_with_the_nearest_one() {
    let hint = "did you mean `SCROLLBACK_DATABASE_URL`?\n";
    let program = with_sample(Program::new().with("SCROLLBACK_DATABSE_URL", "postgres://ada:hush@db/chat"));
    for arguments in COMMANDS.into_iter().chain([&["token", "--user", "ada"][..]]) {
        let refused = program.refused(arguments).await;
        assert!(refused.contains("`SCROLLBACK_DATABSE_URL`") && refused.ends_with(hint), "{refused}");
        assert!(!refused.contains("hush"), "{refused}");
    }
    assert!(!program.folder().join("data").exists(), "nothing is made");
    let program = Program::new();
    fs::write(program.folder().join("a.toml"), "[server]\nlissten = \"127.0.0.1:0\"\n").unwrap();
    let refused = program.refused(&["--config", "a.toml"]).await;
    let expected =
        "scrollback: `server.lissten` (from a.toml) is not a setting: did you mean `server.listen`?\n";
    assert_eq!(refused, expected);
}

#[tokio::test]
async fn mistyped_flags_commands_and_formats_are_refused_with_the_nearest_one() {
    let program = Program::new();
    for (arguments, hint) in [
        (&["--databse-url", "sqlite://a.db"][..], "'--database-url'"),
        (&["--data_dir", "a"], "'--data-dir'"),
        (&["serve", "--lissten", "127.0.0.1:0"], "'--listen'"),
        (&["token", "--usr", "ada"], "'--user'"),
        (&["import", "a.json", "--user", "ada", "--format", "shargpt"], "'sharegpt'"),
        (&["tokn", "--user", "ada"], "'token'"),
        (&["migrate", "statsu"], "'status'"),
    ] {
        let output = program.run(arguments).await;
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {errors}");
        assert!(errors.contains("similar") && errors.contains(hint), "{arguments:?}: {errors}");
    }
}

#[tokio::test]
async fn a_postgresql_connection_error_is_reported_at_once() {
    let port = shared_cluster().port();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    // One that hangs up, and one that says nothing.
    let rude = TcpListener::bind("127.0.0.1:0").unwrap();
    let rude_port = rude.local_addr().unwrap().port();
    std::thread::spawn(move || rude.incoming().for_each(drop));
    let web = TcpListener::bind("127.0.0.1:0").unwrap();
    let web_port = web.local_addr().unwrap().port();
    std::thread::spawn(move || {
        web.incoming().flatten().for_each(|mut client| {
            let _ = client.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        });
    });
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent_port = silent.local_addr().unwrap().port();
    for (user, at, database, query, said) in [
        ("ada", format!("127.0.0.1:{closed}"), "chat", "", "connection refused"),
        ("ada", "no..such.host:5432".to_owned(), "chat", "", "no such host"),
        ("with_password", format!("127.0.0.1:{port}"), "postgres", "", "password authentication failed"),
        ("scrollback", format!("127.0.0.1:{port}"), "nowhere", "", "database \"nowhere\" does not exist"),
        ("nobody", format!("127.0.0.1:{port}"), "postgres", "", "role \"nobody\" does not exist"),
        ("without_room", format!("127.0.0.1:{port}"), "postgres", "", "too many connections for role"),
        (
            "scrollback",
            format!("127.0.0.1:{port}"),
            "postgres",
            "?sslmode=require",
            "TLS failed: server does not",
        ),
        ("with_tls", format!("127.0.0.1:{port}"), "postgres", "", "pg_hba.conf rejects connection"),
        ("ada", format!("127.0.0.1:{rude_port}"), "chat", "", "the server closed the connection"),
        ("ada", format!("127.0.0.1:{web_port}"), "chat", "", "the answer is not that of PostgreSQL"),
        ("ada", format!("127.0.0.1:{silent_port}"), "chat", "", "no answer within 1s"),
    ] {
        let url = format!("postgres://{user}:hush@{at}/{database}{query}");
        let timeout = if said.starts_with("no answer") { "1s" } else { "20s" };
        let program = Program::believing().with("SCROLLBACK_DATABASE_URL", url);
        let program = with_sample(program.with("SCROLLBACK_DATABASE_ACQUIRE_TIMEOUT", timeout));
        let started = Instant::now();
        let refused = refused(&program).await;
        assert!(started.elapsed() < Duration::from_secs(15), "it does not wait for a pool: {refused}");
        let (host, port) = at.rsplit_once(':').unwrap();
        let place = format!(
            "scrollback: cannot connect to PostgreSQL at {host}, port {port}, as user \"{user}\" to database \
             \"{database}\": "
        );
        assert!(refused.starts_with(&place) && refused.contains(said), "{said}: {refused}");
        assert_eq!(refused.matches(said).count(), 1, "{refused}");
        assert!(!refused.contains("hush"), "{refused}");
    }
    drop(silent);
    let program = Program::believing()
        .with("SCROLLBACK_DATABASE_URL", "postgres:///chat?host=/nowhere&user=ada&password=hush");
    let refused = refused(&with_sample(program)).await;
    assert!(refused.contains("at /nowhere, port 5432, as user \"ada\" to database \"chat\""), "{refused}");
    assert!(refused.contains("there is no such socket") && !refused.contains("hush"), "{refused}");
}

#[tokio::test]
async fn untrusted_certificates_are_reported() {
    let [right, wrong] = [Authority::new(), Authority::new()];
    let files = right.for_postgres();
    let path = |name: &str| files.path().join(name).display().to_string();
    let cluster = Cluster::start(&[
        "ssl = on",
        &format!("ssl_cert_file = '{}'", path("server.pem")),
        &format!("ssl_key_file = '{}'", path("server.key")),
    ]);
    // The role may not connect without TLS.
    let base = cluster.url("postgres").replace("scrollback@", "with_tls:hush@");
    let program = |query: &str| {
        with_sample(Program::believing().with("SCROLLBACK_DATABASE_URL", format!("{base}?sslmode={query}")))
    };
    let said = refused(&program(&format!("verify-full&sslrootcert={}", wrong.file().display()))).await;
    assert!(said.contains("as user \"with_tls\"") && said.contains("invalid peer certificate"), "{said}");
    assert!(!said.contains("hush"), "{said}");
    let said = refused(&program("verify-full&sslrootcert=/nowhere.pem")).await;
    assert!(said.contains("(`sslrootcert`, `sslcert`, `sslkey`) does not exist"), "{said}");
    let said = refused(&program("disable")).await;
    assert!(said.contains("pg_hba.conf rejects connection"), "{said}");
    let right = program(&format!("verify-full&sslrootcert={}", right.file().display()));
    let connected = right.run(&["migrate", "status"]).await;
    assert!(connected.status.success(), "{connected:?}");
}

#[tokio::test]
async fn a_malformed_url_is_refused_without_its_password() {
    for url in [
        "postgres://ada:hush@db:port/chat",
        "postgres://ada:12#hush@db/chat",
        "postgres://ada:hush@db/chat?sslmod=require",
        "postgres://ada:hush@db/chat?sslmode=maybe",
        "postgres://ada:%ff%fehush@db/chat",
        "mysql://ada:hush@db/chat",
    ] {
        let program = with_sample(Program::believing().with("SCROLLBACK_DATABASE_URL", url));
        let refused = refused(&program).await;
        assert!(refused.contains("`database.url`"), "{url}: {refused}");
        assert!(!refused.contains("hush") && !refused.contains("12"), "{url}: {refused}");
    }
}

#[tokio::test]
async fn a_file_that_is_not_a_database_is_reported_in_one_sentence() {
    let program = || with_sample(Program::believing());
    for (content, name) in [(&b"a text that is longer than a header"[..], "text.db"), (b"short", "short.db")]
    {
        let program = program().with("SCROLLBACK_DATABASE_URL", format!("sqlite://{name}"));
        fs::write(program.folder().join(name), content).unwrap();
        let said = "is not an SQLite database: move it away, or set `database.url` to another file\n";
        assert_eq!(refused(&program).await, format!("scrollback: {name} {said}"));
        assert_eq!(fs::read(program.folder().join(name)).unwrap(), content, "it is left alone");
    }
    // A header, and nothing behind it that a database could be.
    let program_with_header = program().with("SCROLLBACK_DATABASE_URL", "sqlite://header.db");
    let header = [&b"SQLite format 3\0"[..], &[0xff; 4080]].concat();
    fs::write(program_with_header.folder().join("header.db"), header).unwrap();
    let said = refused(&program_with_header).await;
    assert_eq!(said.matches("file is not a database").count(), 1, "{said}");
    assert!(said.starts_with("scrollback: cannot open the database header.db: "), "{said}");

    let folder = program().with("SCROLLBACK_DATABASE_URL", "sqlite://folder");
    fs::create_dir(folder.folder().join("folder")).unwrap();
    let said = refused(&folder).await;
    assert!(said.ends_with("folder: it is a folder; `database.url` must name a file\n"), "{said}");

    let below = program().with("SCROLLBACK_DATABASE_URL", "sqlite://sharegpt.json/chat.db");
    let said = refused(&below).await;
    assert!(said.ends_with("sharegpt.json is a file, not a folder\n"), "{said}");

    let device = program().with("SCROLLBACK_DATABASE_URL", "sqlite:///dev/null");
    let said = refused(&device).await;
    assert!(said.ends_with("/dev/null: it is not a regular file\n"), "{said}");

    let data = program().with("SCROLLBACK_DATA_DIR", "sharegpt.json");
    let said = refused(&data).await;
    assert!(said.contains("`data_dir`") && said.ends_with("is a file, not a folder\n"), "{said}");
}

/// A script that starts the program without the privileges of root.
fn without_privileges(folder: &std::path::Path) -> std::path::PathBuf {
    let uid = Command::new("id").arg("-u").output().unwrap().stdout;
    let program = env!("CARGO_BIN_EXE_scrollback");
    let line = if uid.trim_ascii() == b"0" {
        let powers = "-dac_override,-dac_read_search";
        format!("exec setpriv --bounding-set={powers} --inh-caps={powers} {program} \"$@\"")
    } else {
        format!("exec {program} \"$@\"")
    };
    let script = folder.join("scrollback");
    fs::write(&script, format!("#!/bin/sh\n{line}\n")).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    script
}

#[tokio::test]
async fn an_inaccessible_file_is_reported_in_one_sentence() {
    let scripts = tempfile::tempdir().unwrap();
    let script = without_privileges(scripts.path());
    let program = |name: &'static str| {
        let program = Program::of(script.clone()).with("SCROLLBACK_AUTH_JWT_SECRET", crate::harness::SECRET);
        with_sample(program.with("SCROLLBACK_DATABASE_URL", format!("sqlite://{name}")))
    };
    let forbid = |program: &Program, name: &str, mode: u32| {
        fs::set_permissions(program.folder().join(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    let said =
        "the user that runs Scrollback may not read and write it, and its folder (permission denied)\n";
    for mode in [0o000, 0o400] {
        let file = program("chat.db");
        fs::write(file.folder().join("chat.db"), "").unwrap();
        forbid(&file, "chat.db", mode);
        assert_eq!(refused(&file).await, format!("scrollback: cannot open the database chat.db: {said}"));
    }
    for exists in [false, true] {
        let folder = program("data/chat.db");
        fs::create_dir(folder.folder().join("data")).unwrap();
        if exists {
            fs::write(folder.folder().join("data/chat.db"), "").unwrap();
        }
        forbid(&folder, "data", 0o500);
        assert_eq!(
            refused(&folder).await,
            format!("scrollback: cannot open the database data/chat.db: {said}")
        );
        forbid(&folder, "data", 0o700);
    }
    let nowhere = program("data/new/chat.db");
    fs::create_dir(nowhere.folder().join("data")).unwrap();
    forbid(&nowhere, "data", 0o500);
    let told = refused(&nowhere).await;
    assert!(told.contains("cannot make data/new: Permission denied"), "{told}");
    forbid(&nowhere, "data", 0o700);
}
