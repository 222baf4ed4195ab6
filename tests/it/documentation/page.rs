//! Running the blocks of a page, one after the other, in a temporary folder of their own.
//!
//! `scrollback` and `cargo run` are the program that is tested. The addresses and the database that the pages
//! name are replaced by free ports and a new database. The page's server is the one that its `sh server` block
//! starts, or one without configuration.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Stdio;

use scrollback::config::{self, Sources};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::time::timeout;

use super::markdown::{Block, blocks};
use super::shell::{Shell, first_line, write_program};
use super::typescript;
use crate::harness::{Client, EventStream, TIMEOUT, packaged_program, shared_cluster};

/// The addresses of the server and its metrics listener in the pages.
const ADDRESS: &str = "127.0.0.1:8000";
const EVERYWHERE: &str = "0.0.0.0:8000";
const ADMIN_ADDRESS: &str = "127.0.0.1:9000";
const FREE_PORT: &str = "127.0.0.1:0";
const DATABASE: &str = "postgres://scrollback:secret@db.example/scrollback";

/// Runs cargo's subcommand `run` with the program that is built already.
const CARGO: &str = "#!/usr/bin/env bash
[[ $1 == run ]] || { echo \"the tests replace cargo and know only cargo run\" >&2; exit 1; }
while [[ $# -gt 0 && $1 != -- ]]; do shift; done
shift || true
exec scrollback \"$@\"
";

type Result<T = ()> = std::result::Result<T, String>;

/// Runs a page and returns its errors. The first failed block ends it.
pub(super) async fn run(name: &str, text: &str) -> Vec<String> {
    let mut page = Page::new();
    let blocks = blocks(text);
    for (at, block) in blocks.iter().enumerate() {
        let next = blocks.get(at + 1).filter(|next| next.language == "json" && next.mode == "variables");
        if let Err(fault) = page.run(block, next).await {
            return vec![format!("{name}:{}: {fault}\n{}", block.line, block.text)];
        }
    }
    Vec::new()
}

struct Page {
    folder: TempDir,
    server: Option<Server>,
    /// The response of the last block.
    answer: String,
}

struct Server {
    _process: Shell,
    address: String,
    admin: Option<String>,
    client: Client,
    /// The values of variables, by their names.
    values: BTreeMap<&'static str, Value>,
}

impl Page {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bin = folder.path().join("bin");
        fs::create_dir(&bin).unwrap();
        symlink(env!("CARGO_BIN_EXE_scrollback"), bin.join("scrollback")).unwrap();
        write_program(&bin.join("cargo"), CARGO);
        symlink(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests"), folder.path().join("tests")).unwrap();
        typescript::prepare(folder.path());
        Self { folder, server: None, answer: String::new() }
    }

    async fn run(&mut self, block: &Block, variables: Option<&Block>) -> Result {
        match (&*block.language, &*block.mode) {
            ("mermaid" | "text" | "ts", "") | ("sh", "no-run") | ("json", "variables") => Ok(()),
            // `tests/it/ai_sdk.rs` runs them in a browser.
            ("tsx", file) if file.ends_with(".tsx") => Ok(()),
            ("toml", "") => self.load(&block.text),
            ("json", "") => {
                serde_json::from_str::<Value>(&block.text).map(drop).map_err(|error| error.to_string())
            }
            ("json", "answer") => self.compare(&block.text),
            ("graphql", "") => self.execute(&block.text, variables).await,
            ("js", "") => self.run_node(&block.text).await,
            ("python", "") => self.run_python(&block.text).await,
            // Files of a recipe: see `clients.rs`.
            (_, file) if file.contains('/') => Ok(()),
            ("ts", file) if file.ends_with(".ts") => self.run_typescript(&block.text, file).await,
            ("sh", "server") => {
                self.server = None;
                let script = self.replaced(&block.text).await;
                self.start(&script).await
            }
            ("sh", "") => {
                if block.text.contains("npm install") {
                    typescript::pack_client().await;
                }
                let script = self.script(&block.text).await?;
                self.answer = script.output().await?;
                no_errors(&self.answer)
            }
            ("sh", "stream") => {
                let script = self.script(&block.text).await?;
                no_errors(&script.line("data:").await?)
            }
            ("", _) => Err("a block needs a language".into()),
            (language, mode) => Err(format!("the tests know no block `{language} {mode}`")),
        }
    }

    /// The block as it is run: with addresses and databases of the test.
    async fn replaced(&self, text: &str) -> String {
        let server = self.server.as_ref();
        let address = server.map_or(FREE_PORT, |server| &server.address);
        let admin = server.and_then(|server| server.admin.as_deref()).unwrap_or(FREE_PORT);
        let mut text =
            text.replace(ADDRESS, address).replace(EVERYWHERE, address).replace(ADMIN_ADDRESS, admin);
        if text.contains(DATABASE) {
            text = text.replace(DATABASE, &shared_cluster().create_database().await);
        }
        text
    }

    async fn script(&mut self, text: &str) -> Result<Shell> {
        if text.contains(ADDRESS) {
            self.need_server().await?;
        }
        let values = self.server.as_ref().map(|server| &server.values);
        let value = |name| values.and_then(|values| values[name].as_str()).unwrap_or_default().to_owned();
        let environment = [
            (
                "TOKEN",
                self.server.as_ref().map(|server| server.client.token().to_owned()).unwrap_or_default(),
            ),
            ("CONVERSATION_ID", value("conversationId")),
            ("CURSOR", value("cursor")),
        ];
        Ok(Shell::start(self.folder.path(), &self.replaced(text).await, &environment))
    }

    async fn need_server(&mut self) -> Result<&mut Server> {
        if self.server.is_none() {
            self.start("scrollback").await?;
        }
        self.server.as_mut().ok_or_else(|| "there is no server".into())
    }

    /// Starts a server, and gives ada a conversation there.
    async fn start(&mut self, script: &str) -> Result {
        let mut process =
            Shell::start(self.folder.path(), script, &[("SCROLLBACK_SERVER_LISTEN", FREE_PORT.into())]);
        let line = process.next_line("Scrollback is listening on http://").await?;
        let address = line.trim_end_matches("/graphql").to_owned();
        let admin = if script.contains("ADMIN_LISTEN") {
            let line = process.next_line("Health and metrics: http://").await?;
            Some(line.trim_end_matches("/metrics").to_owned())
        } else {
            None
        };
        let token = Shell::start(self.folder.path(), "scrollback token --user ada", &[]).output().await?;
        let client = Client::new(&format!("http://{address}"), Some(token.trim().to_owned()));
        let values = example(&client).await;
        self.server = Some(Server { _process: process, address, admin, client, values });
        Ok(())
    }

    /// Runs an operation with the variables that it declares; its answer may change their values.
    async fn execute(&mut self, document: &str, variables: Option<&Block>) -> Result {
        let server = self.need_server().await?;
        let mut given = match variables {
            Some(block) => {
                serde_json::from_str(&block.text).map_err(|error| format!("the variables: {error}"))?
            }
            None => serde_json::Map::new(),
        };
        for name in declared(document).filter(|name| !given.contains_key(*name)).collect::<Vec<_>>() {
            let value = server.values.get(name).ok_or_else(|| format!("nothing gives ${name} a value"))?;
            given.insert(name.to_owned(), value.clone());
        }
        let body = if document.trim_start().starts_with("subscription") {
            let mut events = EventStream::open(&server.client, document, given.into(), None).await;
            events.next().await.ok_or("no event came")?.data
        } else {
            server.client.run(document, given.into()).await.body
        };
        if document.trim_start().starts_with("mutation") {
            remember(&body["data"], &mut server.values);
        }
        self.answer = body.to_string();
        no_errors(&self.answer)
    }

    /// Runs a program in Node.js, with the packages of the tests, until it prints a line.
    async fn run_node(&mut self, text: &str) -> Result {
        let server = self.need_server().await?;
        let value = |name: &str| server.values[name].clone();
        let program = format!(
            "import WebSocketOfTests from \"ws\";\nglobalThis.WebSocket ??= WebSocketOfTests;\n\
             const [token, conversationId, cursor] = {};\n",
            json!([server.client.token(), value("conversationId"), value("cursor")])
        ) + &self.replaced(text).await;
        let mut node = Command::new("node");
        node.arg("--input-type=module");
        self.run_program(node, &program).await
    }

    /// The same in Python.
    async fn run_python(&mut self, text: &str) -> Result {
        let server = self.need_server().await?;
        let program = format!("token = {}\n", json!(server.client.token())) + &self.replaced(text).await;
        let mut python = Command::new(packaged_program("python"));
        python.arg("-");
        self.run_program(python, &program).await
    }

    async fn run_program(&mut self, mut command: Command, program: &str) -> Result {
        command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut running =
            command.spawn().expect("Node.js and Python are installed (`tests/run` installs them)");
        let mut input = running.stdin.take().unwrap();
        input.write_all(program.as_bytes()).await.unwrap();
        drop(input);
        let line = timeout(TIMEOUT, first_line(&mut running)).await;
        self.answer = line.map_err(|_| "it printed nothing in time")??;
        Ok(())
    }

    /// Writes a module of the page, type-checks it strictly, and runs it to its end.
    async fn run_typescript(&mut self, text: &str, file: &str) -> Result {
        let values = self.need_server().await?.values.clone();
        let token = self.need_server().await?.client.token().to_owned();
        let values = [
            ("token", token.as_str()),
            ("conversationId", values["conversationId"].as_str().unwrap_or_default()),
            ("cursor", values["cursor"].as_str().unwrap_or_default()),
        ];
        let module = typescript::with_values(&self.replaced(text).await, &values);
        fs::write(self.folder.path().join(file), module).unwrap();
        let script = self.script(&typescript::build_and_run(file)).await?;
        self.answer = script.output().await?;
        // A module that others import may only define something.
        let is_silent = self.answer.is_empty() && !text.contains("\nexport ");
        if is_silent { Err("it printed nothing".into()) } else { Ok(()) }
    }

    fn load(&self, text: &str) -> Result {
        let path = self.folder.path().join("example.toml");
        fs::write(&path, text).unwrap();
        let loaded = config::load(Sources { file: Some(&path), ..Sources::default() });
        loaded.map(drop).map_err(|error| error.to_string())
    }

    fn compare(&self, expected: &str) -> Result {
        let read =
            |text: &str| serde_json::from_str::<Value>(text).map_err(|error| format!("{error}: {text}"));
        let (expected, answer) = (read(expected)?, read(&self.answer)?);
        if fits(&expected, &answer) { Ok(()) } else { Err(format!("the answer is {answer}")) }
    }
}

/// A conversation of three messages, and the values that examples may use.
async fn example(client: &Client) -> BTreeMap<&'static str, Value> {
    let start = client.data("{ conversations { changeCursor } }", json!({})).await;
    let query = "mutation { createConversation(input: { title: \"Example\", messages: [
        { role: USER, content: \"One\" }, { role: ASSISTANT, content: \"Two\" }, { role: USER, content: \"Three\" }
    ] }) { conversation { id messages { edges { cursor node { id } } } } } }";
    let mut created = client.data(query, json!({})).await;
    let conversation = created["createConversation"]["conversation"].take();
    let edges = &conversation["messages"]["edges"];
    BTreeMap::from([
        ("changeCursor", start["conversations"]["changeCursor"].clone()),
        ("conversationId", conversation["id"].clone()),
        ("cursor", edges[0]["cursor"].clone()),
        ("parentId", edges[0]["node"]["id"].clone()),
        ("messageId", edges[2]["node"]["id"].clone()),
        ("leafId", edges[2]["node"]["id"].clone()),
        ("headId", edges[2]["node"]["id"].clone()),
    ])
}

/// The examples that follow go on with what a mutation has made.
fn remember(data: &Value, values: &mut BTreeMap<&'static str, Value>) {
    for payload in data.as_object().into_iter().flat_map(|data| data.values()) {
        let id = |noun: &str| payload[noun]["id"].is_string().then(|| payload[noun]["id"].clone());
        if let Some(id) = id("conversation") {
            values.insert("conversationId", id);
        }
        if let Some(id) = id("message") {
            values.extend(["messageId", "leafId", "headId"].map(|name| (name, id.clone())));
        }
    }
}

/// The names of the variables that a document declares.
fn declared(document: &str) -> impl Iterator<Item = &str> {
    document.split('$').skip(1).filter_map(|rest| {
        let (name, _) = rest.split_once(':')?;
        name.chars().all(|c| c.is_alphanumeric() || c == '_').then_some(name)
    })
}

fn no_errors(answer: &str) -> Result {
    if answer.contains("\"errors\"") { Err(answer.to_owned()) } else { Ok(()) }
}

/// Whether an answer is what a page says; `"…"` stands for anything.
fn fits(expected: &Value, answer: &Value) -> bool {
    match (expected, answer) {
        (Value::String(text), _) if text == "…" => true,
        (Value::Object(expected), Value::Object(answer)) => {
            expected.len() == answer.len()
                && expected
                    .iter()
                    .all(|(name, value)| answer.get(name).is_some_and(|other| fits(value, other)))
        }
        (Value::Array(expected), Value::Array(answer)) => {
            expected.len() == answer.len()
                && expected.iter().zip(answer).all(|(value, other)| fits(value, other))
        }
        _ => expected == answer,
    }
}
