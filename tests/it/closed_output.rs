//! Commands whose output is not read to the end, or cannot be written.

use std::fs::{File, OpenOptions};
use std::io::pipe;
use std::process::{ExitStatus, Stdio};

use crate::harness::{Program, TIMEOUT};

/// The writing end of a pipe that nobody reads.
fn closed() -> Stdio {
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    writer.into()
}

async fn ends(program: &Program, arguments: &[&str], output: Stdio, errors: Stdio) -> ExitStatus {
    let mut command = program.command(arguments);
    let mut child = command.stdout(output).stderr(errors).spawn().unwrap();
    tokio::time::timeout(TIMEOUT, child.wait()).await.unwrap().unwrap()
}

#[tokio::test]
async fn commands_exit_quietly_on_a_closed_pipe() {
    let program = Program::new();
    std::fs::write(program.folder().join("text"), "a text").unwrap();
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/sharegpt.json");
    for (arguments, code) in [
        (&["config"][..], 0),
        (&["schema"], 0),
        (&["--help"], 0),
        (&["import", "--help"], 0),
        (&["--version"], 0),
        (&["token", "--user", "ada"], 0),
        (&["migrate", "up"], 0),
        (&["migrate", "status"], 0),
        (&["import", sample, "--user", "ada"], 0),
        (&["import", "text", "--user", "ada"], 2),
        (&["import", "absent", "--user", "ada"], 2),
        (&["--no-such-flag"], 2),
        (&["--listen", "here"], 1),
    ] {
        let log = program.folder().join("errors");
        let status = ends(&program, arguments, closed(), File::create(&log).unwrap().into()).await;
        assert_eq!(status.code(), Some(code), "{arguments:?}");
        let errors = std::fs::read_to_string(&log).unwrap();
        assert!(!errors.contains("panicked") && (code != 0 || !errors.contains("rror")), "{errors}");
        let status = ends(&program, arguments, closed(), closed()).await;
        assert_eq!(status.code(), Some(code), "{arguments:?} without both");
    }
}

#[tokio::test]
async fn output_errors_are_reported() {
    let program = Program::new();
    for arguments in [&["config"][..], &["schema"], &["token", "--user", "ada"], &["migrate", "up"]] {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let child = program.command(arguments).stdout(full).spawn().unwrap();
        let output = tokio::time::timeout(TIMEOUT, child.wait_with_output()).await.unwrap().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {errors}");
        assert!(errors.contains("scrollback: cannot write to standard output: No space left"), "{errors}");
    }
}

#[tokio::test]
async fn a_server_survives_closed_stdout_and_stderr() {
    // A free port, which the server cannot tell.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let program = Program::new().with("SCROLLBACK_LOG_LEVEL", "trace");
    let listen = format!("127.0.0.1:{port}");
    let mut command = program.command(&["--listen", &listen, "--token-for", "ada"]);
    let mut server = command.stdout(closed()).stderr(closed()).spawn().unwrap();
    let ready = async {
        loop {
            match reqwest::get(format!("http://{listen}/readyz")).await {
                Ok(ready) => break ready.status(),
                Err(_) => tokio::task::yield_now().await,
            }
        }
    };
    assert_eq!(tokio::time::timeout(TIMEOUT, ready).await.unwrap(), 200);
    assert_eq!(server.try_wait().unwrap(), None);
    server.kill().await.unwrap();
}
