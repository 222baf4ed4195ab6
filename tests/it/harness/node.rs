//! Scripts that use the server as other programs do: with Node.js and with Python.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::sync::OnceCell;
use tokio::time::timeout;

use super::{Client, TestApp};

/// A script ends itself after three minutes, and says where it was.
const TIMEOUT: Duration = Duration::from_secs(240);

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

/// Builds the TypeScript client from its sources, once.
pub(crate) async fn built_typescript_client() {
    static BUILT: OnceCell<()> = OnceCell::const_new();
    BUILT.get_or_init(build_typescript_client).await;
}

async fn build_typescript_client() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/typescript");
    let compiler = folder.join("node_modules/typescript/bin/tsc");
    assert!(compiler.is_file(), "the packages are not installed: `tests/run` installs them");
    let output = Command::new("node").arg(compiler).current_dir(folder).output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// Runs a script of `clients/typescript/test` as ada; it must end well.
pub(crate) async fn run_typescript_client(app: &TestApp, script: &str, environment: &[(&str, &str)]) {
    built_typescript_client().await;
    run_script_with(app, &typescript_script(script), environment).await;
}

/// Starts a script of `clients/typescript/test`; what it prints can be read.
pub(crate) async fn start_typescript_client(
    client: &Client,
    script: &str,
    environment: &[(&str, &str)],
) -> Child {
    built_typescript_client().await;
    start_script(client, &typescript_script(script), environment)
}

fn typescript_script(name: &str) -> String {
    format!("../../clients/typescript/test/{name}")
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

/// Litestream, from the Python packages of the tests or installed otherwise.
pub(crate) fn litestream() -> PathBuf {
    let packaged = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/.venv/bin/litestream");
    if packaged.exists() { packaged } else { "litestream".into() }
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

/// Starts a script of `tests/clients` with this in its environment; it can be written to, and what it prints can
/// be read.
pub(crate) fn start_script(client: &Client, script: &str, environment: &[(&str, &str)]) -> Child {
    let mut command = command(client.url(), client.token(), script);
    command.envs(environment.iter().copied()).stdin(Stdio::piped()).stdout(Stdio::piped());
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

/// A browser is installed.
pub(crate) fn assert_browser() {
    let chromium = std::env::var("CHROMIUM").unwrap_or_else(|_| "/usr/bin/chromium".into());
    assert!(Path::new(&chromium).exists(), "{chromium} is missing: `tests/run` installs it");
}
