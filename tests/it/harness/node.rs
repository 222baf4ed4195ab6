//! Scripts that use the server as other programs do: with Node.js and with Python.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::{Client, TestApp};

/// A script ends itself after a minute, and says where it was.
const TIMEOUT: Duration = Duration::from_secs(90);

/// Runs a script of `tests/clients` as ada; it must end well.
pub(crate) async fn run_script(app: &TestApp, script: &str) {
    run_script_with(app, script, &[]).await;
}

/// The same with this in its environment.
pub(crate) async fn run_script_with(app: &TestApp, script: &str, environment: &[(&str, &str)]) {
    finish(command(&app.url, app.client("ada").token(), script), script, environment).await;
}

/// Runs a Python script of `tests/clients` as ada; it must end well.
pub(crate) async fn run_python(app: &TestApp, script: &str, environment: &[(&str, &str)]) {
    let mut command = Command::new("python3");
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(script));
    command.env("SCROLLBACK_URL", &app.url).env("SCROLLBACK_TOKEN", app.client("ada").token());
    command.kill_on_drop(true);
    finish(command, script, environment).await;
}

/// Runs a Python script of `tests/clients` as ada, with the packages of the tests; it must end well.
pub(crate) async fn run_python_packages(app: &TestApp, script: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
    let mut command = Command::new(packaged_program("python"));
    command.arg(folder.join(script)).kill_on_drop(true);
    command.env("SCROLLBACK_URL", &app.url).env("SCROLLBACK_TOKEN", app.client("ada").token());
    finish(command, script, &[]).await;
}

/// A program of the Python packages of the tests.
pub(crate) fn packaged_program(name: &str) -> PathBuf {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/.venv/bin").join(name);
    assert!(program.exists(), "{name} is missing: `tests/run` installs it");
    program
}

async fn finish(mut command: Command, script: &str, environment: &[(&str, &str)]) {
    let output = command.envs(environment.iter().copied()).output();
    let output = timeout(TIMEOUT, output).await.expect("the script ends in time");
    let output = output.expect("Node.js and Python are installed (`tests/run` installs them)");
    assert!(
        output.status.success(),
        "{script}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Starts a script of `tests/clients` with this in its environment; what it prints can be read.
pub(crate) fn start_script(client: &Client, script: &str, environment: &[(&str, &str)]) -> Child {
    let mut command = command(client.url(), client.token(), script);
    command.envs(environment.iter().copied()).stdout(Stdio::piped());
    command.spawn().expect("Node.js is installed (`tests/run` installs it)")
}

fn command(url: &str, token: &str, script: &str) -> Command {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
    assert!(folder.join("node_modules").is_dir(), "the clients are not installed: `tests/run` installs them");
    let mut command = Command::new("node");
    command.arg(folder.join(script)).env("SCROLLBACK_URL", url).env("SCROLLBACK_TOKEN", token);
    command.kill_on_drop(true);
    command
}
