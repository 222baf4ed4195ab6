//! The Python client and its stores for frameworks: its own tests, against this server on both databases.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use crate::harness::{Engine, Program};

/// The tests kill and start servers, and import large frameworks.
const TIMEOUT: Duration = Duration::from_secs(600);

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/python")
}

/// Runs a program of the client's environment in its folder; it must end well.
async fn run(program: &str, arguments: &[&str], environment: &[(&str, &str)]) {
    let path = folder().join(".venv/bin").join(program);
    assert!(path.exists(), "the Python client is not installed: `tests/run` installs it");
    let mut command = Command::new(path);
    command.args(arguments).envs(environment.iter().copied()).current_dir(folder()).kill_on_drop(true);
    let output = timeout(TIMEOUT, command.output()).await.expect("an end in time").unwrap();
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

async fn run_tests(engine: Engine) {
    let program = Program::over(engine).await;
    let build = env!("CARGO_BIN_EXE_scrollback");
    let mut environment = vec![("SCROLLBACK_TEST_PROGRAM", build)];
    if engine == Engine::Postgres {
        environment.push(("SCROLLBACK_TEST_DATABASE", program.variable("SCROLLBACK_DATABASE_URL")));
    }
    run("python", &["-m", "pytest", "--quiet"], &environment).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_client_and_its_stores_work_on_sqlite() {
    run_tests(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_client_and_its_stores_work_on_postgres() {
    run_tests(Engine::Postgres).await;
}

#[tokio::test]
async fn the_client_is_typed() {
    run("python", &["-m", "mypy"], &[]).await;
}
