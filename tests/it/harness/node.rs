//! Scripts that use the server as front ends do: with Node.js.

use std::path::Path;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use super::TestApp;

/// A script ends itself after a minute, and says where it was.
const PATIENCE: Duration = Duration::from_secs(90);

/// Runs a script of `tests/clients` as ada; it must end well.
pub(crate) async fn run_script(app: &TestApp, script: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
    assert!(folder.join("node_modules").is_dir(), "the clients are not installed: `tests/run` installs them");
    let output = Command::new("node")
        .arg(folder.join(script))
        .env("SCROLLBACK_URL", &app.url)
        .env("SCROLLBACK_TOKEN", app.client("ada").token())
        .kill_on_drop(true)
        .output();
    let output = timeout(PATIENCE, output).await.expect("the script ends in time");
    let output = output.expect("Node.js is installed (`tests/run` installs it)");
    assert!(
        output.status.success(),
        "{script}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
