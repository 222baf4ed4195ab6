//! The TypeScript client of `clients/typescript`: what is generated in it, its own tests, and scripts that use it
//! while the network, the tokens and the server break.

use std::fs;
use std::path::Path;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

use crate::harness::{
    Program, SECRET, TIMEOUT, TestApp, built_typescript_client, on_each_database, run_typescript_client,
    start_typescript_client,
};

on_each_database!(
    requests_have_typed_results_and_errors,
    followers_resume_over_server_sent_events,
    followers_resume_over_web_sockets,
    writers_never_double_text,
    outboxes_survive_reloads_and_surface_errors,
    expired_tokens_are_renewed,
    two_tabs_see_the_same,
    followers_hear_of_expired_cursors,
    clients_survive_crashes_of_the_server,
    tabs_of_a_browser_share_a_conversation,
);

async fn requests_have_typed_results_and_errors(app: TestApp) {
    run_typescript_client(&app, "requests.mjs", &[]).await;
}

async fn followers_resume_over_server_sent_events(app: TestApp) {
    follow(app, "server-sent events").await;
}

async fn followers_resume_over_web_sockets(app: TestApp) {
    follow(app, "WebSocket").await;
}

async fn follow(app: TestApp, transport: &str) {
    // They get SLOW_CONSUMER and are not disconnected, however long the test takes not to read.
    let app = TestApp::start_with(app.engine, &[("server.write_timeout", "1m")]).await;
    run_typescript_client(&app, "follow.mjs", &[("TRANSPORT", transport)]).await;
}

async fn writers_never_double_text(app: TestApp) {
    run_typescript_client(&app, "stream.mjs", &[]).await;
}

async fn outboxes_survive_reloads_and_surface_errors(app: TestApp) {
    run_typescript_client(&app, "outbox.mjs", &[]).await;
}

async fn expired_tokens_are_renewed(app: TestApp) {
    let app = TestApp::start_with(app.engine, &[("auth.leeway", "0s")]).await;
    run_typescript_client(&app, "tokens.mjs", &[("SECRET", SECRET)]).await;
}

async fn two_tabs_see_the_same(app: TestApp) {
    run_typescript_client(&app, "tabs.mjs", &[]).await;
}

async fn followers_hear_of_expired_cursors(app: TestApp) {
    let app = TestApp::start_with(app.engine, &[("feed.keep", "1s"), ("feed.trim", "100ms")]).await;
    run_typescript_client(&app, "cursor-expired.mjs", &[]).await;
}

async fn clients_survive_crashes_of_the_server(app: TestApp) {
    let program = Program::over(app.engine).await;
    let mut server = program.serve(&[]).await;
    let target = program.folder().join("target");
    fs::write(&target, &server.url).unwrap();
    let path = target.display().to_string();
    let mut script =
        start_typescript_client(&server.client("ada"), "restarts.mjs", &[("TARGET", &path)]).await;
    let mut lines = BufReader::new(script.stdout.take().unwrap()).lines();
    let mut restarts = 0;
    while let Some(line) = timeout(TIMEOUT, lines.next_line()).await.expect("a line in time").unwrap() {
        if line == "restart" {
            server.kill().await;
            server = program.serve(&[]).await;
            // The script reads all of it or nothing.
            fs::write(target.with_extension("new"), &server.url).unwrap();
            fs::rename(target.with_extension("new"), &target).unwrap();
            restarts += 1;
        }
    }
    assert!(script.wait().await.unwrap().success());
    assert_eq!(restarts, 5);
}

async fn tabs_of_a_browser_share_a_conversation(app: TestApp) {
    // Nobody listens there: the browser is given the page by the script.
    let origin = "http://localhost:5173";
    let app = TestApp::start_with(app.engine, &[("server.cors_origins", origin)]).await;
    run_typescript_client(&app, "browser.mjs", &[("ORIGIN", origin)]).await;
}

/// Runs a program of the package with Node.js, which must end well.
async fn node(arguments: &[&str]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/typescript");
    let output = Command::new("node").args(arguments).current_dir(folder).output().await.unwrap();
    let printed =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{arguments:?}: {printed}");
}

#[tokio::test]
async fn what_needs_no_server_works() {
    built_typescript_client().await;
    node(&["--test", "test/units.test.mjs"]).await;
}

#[tokio::test]
async fn generated_operations_are_current() {
    built_typescript_client().await;
    node(&["scripts/generate.mjs", "--check"]).await;
}
