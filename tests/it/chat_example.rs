//! The chat of `examples/chat`, driven in a browser: with its own server, over a server with an empty database.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::OnceCell;
use tokio::time::timeout;

use crate::harness::{Engine, Program, SECRET, TIMEOUT, TestApp, on_each_database, token};

on_each_database!(
    answers_need_no_open_page,
    versions_are_branches,
    conversations_are_organised_and_found,
    two_tabs_are_in_step_and_offline_messages_are_sent_later,
    everybody_can_use_it,
    a_picture_and_a_large_file_are_sent_and_exported,
    its_server_gives_nothing_away,
    answers_go_on_when_the_server_is_killed,
);

/// The scripts end themselves after this time, and say where they were.
const SCRIPT_TIMEOUT: Duration = Duration::from_secs(300);

async fn answers_need_no_open_page(app: TestApp) {
    run(&app, "answers.mjs").await;
}

async fn versions_are_branches(app: TestApp) {
    run(&app, "branches.mjs").await;
}

async fn conversations_are_organised_and_found(app: TestApp) {
    run(&app, "organise.mjs").await;
}

async fn two_tabs_are_in_step_and_offline_messages_are_sent_later(app: TestApp) {
    run(&app, "tabs.mjs").await;
}

async fn everybody_can_use_it(app: TestApp) {
    run(&app, "look.mjs").await;
}

async fn a_picture_and_a_large_file_are_sent_and_exported(app: TestApp) {
    let chat = Chat::over(&app).await;
    let _server = chat.serve().await;
    // The contents of files are outside the database, so one of the runs is enough for a very large one.
    let size = if app.engine == Engine::Sqlite { "200" } else { "40" };
    let mut script = chat.script("files.mjs");
    script.env("FILE_MIB", size);
    finished(script, "files.mjs").await;
}

async fn its_server_gives_nothing_away(app: TestApp) {
    run(&app, "server.mjs").await;
}

async fn answers_go_on_when_the_server_is_killed(app: TestApp) {
    let chat = Chat::over(&app).await;
    let mut server = chat.serve().await;
    let mut script = chat.script("restart.mjs").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut answers = script.stdin.take().unwrap();
    let mut lines = BufReader::new(script.stdout.take().unwrap()).lines();
    let mut kills = 0;
    while let Some(line) = timeout(SCRIPT_TIMEOUT, lines.next_line()).await.expect("a line in time").unwrap()
    {
        match &*line {
            "kill" => {
                server.kill().await.unwrap();
                kills += 1;
            }
            "start" => server = chat.serve().await,
            _ => continue,
        }
        answers.write_all(b"done\n").await.unwrap();
    }
    assert!(script.wait().await.unwrap().success());
    assert_eq!(kills, 2);
}

async fn run(app: &TestApp, script: &str) {
    let chat = Chat::over(app).await;
    let _server = chat.serve().await;
    finished(chat.script(script), script).await;
}

/// Where the chat, and Scrollback below it, will be.
struct Chat {
    program: Program,
    address: String,
    port: u16,
}

impl Chat {
    async fn over(app: &TestApp) -> Self {
        built_chat().await;
        let (port, scrollback_port) = (free_port(), free_port());
        let origin = format!("http://127.0.0.1:{port}");
        let program = Program::over(app.engine).await.with("SCROLLBACK_SERVER_CORS_ORIGINS", origin);
        Self { program, address: format!("127.0.0.1:{scrollback_port}"), port }
    }

    /// Starts Scrollback, at the same address each time.
    async fn serve(&self) -> Child {
        let mut child =
            self.program.command(&["--listen", &self.address]).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = timeout(TIMEOUT, lines.next_line()).await.expect("a line in time").unwrap();
        assert!(line.unwrap().contains(&self.address));
        child.stdout = Some(lines.into_inner().into_inner());
        child
    }

    /// A script of `examples/chat/test`.
    fn script(&self, name: &str) -> Command {
        let mut command = Command::new("node");
        command
            .arg(folder().join("test").join(name))
            .env("SCROLLBACK_URL", format!("http://{}", self.address))
            .env("SCROLLBACK_TOKEN", token("ada", SCRIPT_TIMEOUT * 2))
            .env("CHAT_SCROLLBACK_SECRET", SECRET)
            .env("CHAT_PORT", self.port.to_string())
            .env("TIMEOUT_MS", (SCRIPT_TIMEOUT.as_millis() - 10_000).to_string())
            .kill_on_drop(true);
        command
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/chat")
}

/// A port that nobody uses: the chat's server and Scrollback must know each other's before they start. It is below those
/// that the system gives to others meanwhile.
fn free_port() -> u16 {
    static USED: AtomicU16 = AtomicU16::new(0);
    let first = 12_000 + u16::try_from(std::process::id() % 100).unwrap() * 100;
    let mut ports = std::iter::repeat_with(|| first + USED.fetch_add(1, Ordering::Relaxed) % 100);
    ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}

/// Checks the types of the chat and builds it, once.
async fn built_chat() {
    static BUILT: OnceCell<()> = OnceCell::const_new();
    let build = async || {
        let chromium = std::env::var("CHROMIUM").unwrap_or_else(|_| "/usr/bin/chromium".into());
        assert!(Path::new(&chromium).exists(), "{chromium} is missing: `tests/run` installs it");
        assert!(
            folder().join("node_modules").is_dir(),
            "the packages are not installed: `tests/run` installs them"
        );
        for script in ["check", "build"] {
            let mut npm = Command::new("npm");
            npm.args(["run", script]).current_dir(folder());
            finished(npm, script).await;
        }
    };
    BUILT.get_or_init(build).await;
}

/// Runs a program, which must end well.
async fn finished(mut command: Command, name: &str) {
    let output = timeout(SCRIPT_TIMEOUT, command.output()).await.expect("an end in time").unwrap();
    let printed =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {printed}");
}

/// Does what the README says, in a copy of the repository without the packages and the build of the tests.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_readme_starts_it() {
    built_chat().await;
    let copy = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pack = format!(
        "tar -C '{}' --exclude=examples/chat/node_modules --exclude=examples/chat/dist --exclude=examples/chat/data \
         -cf - examples/chat | tar -xf -",
        root.display()
    );
    let mut shell = Command::new("bash");
    shell.args(["-ec", &pack]).current_dir(copy.path());
    finished(shell, "copy").await;
    symlink(root.join("clients"), copy.path().join("clients")).unwrap();
    // Without a network: what it installs are the packages of the tests, from the same lock.
    symlink(folder().join("node_modules"), copy.path().join("examples/chat/node_modules")).unwrap();
    let readme = fs::read_to_string(folder().join("README.md")).unwrap();
    let steps = readme.split("```sh\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    assert_eq!(steps.lines().collect::<Vec<_>>(), ["cd examples/chat", "npm install", "npm start"]);
    let steps = steps.replace("npm install", "npm ls --depth 0");
    let (port, address) = (free_port(), format!("127.0.0.1:{}", free_port()));
    let mut shell = Command::new("bash");
    shell
        .args(["-ec", &steps.replace("npm start", "exec npm start")])
        .current_dir(copy.path())
        .env("CHAT_PORT", port.to_string())
        .env("CHAT_SCROLLBACK_PROGRAM", env!("CARGO_BIN_EXE_scrollback"))
        .env("SCROLLBACK_SERVER_LISTEN", &address)
        .stdout(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    let mut child = shell.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let started = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if line == format!("The chat is at http://localhost:{port}") {
                return true;
            }
        }
        false
    };
    assert!(timeout(SCRIPT_TIMEOUT, started).await.expect("a start in time"));
    let mut script = Command::new("node");
    let script_path = folder().join("test/started.mjs");
    // It has no token of the server: like a browser, it asks the chat for one.
    script
        .arg(script_path)
        .env("CHAT_PORT", port.to_string())
        .env("SCROLLBACK_URL", format!("http://{address}"));
    script.env("SCROLLBACK_TOKEN", "none");
    finished(script, "started.mjs").await;
    let data = copy.path().join("examples/chat/data");
    assert!(data.join("scrollback.db").is_file());
    let group = format!("-{}", child.id().unwrap());
    Command::new("kill").args(["-TERM", "--", &group]).status().await.unwrap();
    timeout(TIMEOUT, child.wait()).await.expect("an end in time").unwrap();
}

#[test]
fn its_packages_are_those_of_the_tests() {
    let version = |path: PathBuf, name: &str| {
        let package: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        let packages = ["dependencies", "devDependencies"].into_iter();
        packages.map(|kind| package[kind][name].clone()).find(Value::is_string)
    };
    for name in ["graphql-ws", "graphql", "typescript"] {
        let tested = version("tests/clients/package.json".into(), name);
        assert!(tested.is_some());
        assert_eq!(version(folder().join("package.json"), name), tested, "{name}");
    }
}
