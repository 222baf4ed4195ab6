//! The README and the documentation are true: their examples run, their links lead somewhere, and the settings
//! and metrics that they name exist. `docs/README.md` says how a block of code is marked.

mod markdown;
mod page;
mod shell;
mod typescript;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use tokio::task::JoinSet;

use crate::harness::Program;
use markdown::{anchors, blocks, inline_code, links};

/// The first line of each block that is marked `no-run`, and where it is. Such a block needs another machine, a
/// tool that the tests do not have, or the whole of cargo.
const NOT_RUN: &[(&str, &str)] = &[
    ("clients/typescript/README.md", "npm ci"),
    ("docs/clients/apollo.md", "npm install @apollo/client graphql graphql-ws rxjs"),
    ("docs/clients/relay.md", "npm install relay-runtime graphql-ws"),
    (
        "docs/clients/urql.md",
        "npm install @urql/core @urql/exchange-graphcache @urql/exchange-retry graphql-ws",
    ),
    ("docs/embedding.md", "cargo run --example embed"),
    ("CONTRIBUTING.md", "cargo install cargo-fuzz"),
    ("CONTRIBUTING.md", "cargo install llvm_profparser"),
    ("CONTRIBUTING.md", "cargo run                    # a development server on http://127.0.0.1:8000"),
    ("README.md", "tests/run"),
    ("docs/backup.md", "litestream replicate -exec \"scrollback\" data/scrollback.db s3://bucket/scrollback"),
    ("docs/backup.md", "litestream restore -o data/scrollback.db s3://bucket/scrollback"),
    ("docs/data-protection.md", "sqlite3 data/scrollback.db VACUUM"),
    ("docs/deployment.md", "cargo build --release        # target/release/scrollback"),
    ("docs/deployment.md", "sudo deploy/docker/make-secrets"),
    ("docs/building.md", "export SCROLLBACK_COMMIT=$(git rev-parse --short=12 HEAD)"),
    ("docs/building.md", "cargo install --locked cargo-cyclonedx"),
    ("docs/deployment.md", "cargo install cargo-deb"),
    ("docs/deployment.md", "kubectl create namespace scrollback"),
    (
        "docs/import.md",
        "scrollback import export.zip --user ada --dry-run   # what would be imported, and what would be left out",
    ),
    (
        "README.md",
        "cargo run --release -- import export.zip --user ada --dry-run   # what would be imported, and what would be left out",
    ),
    ("docs/performance.md", "cargo bench --bench load"),
    ("docs/performance.md", "perf record -F 999 -g -p \"$(pidof scrollback)\" -- sleep 10"),
    ("docs/sharing.md", "curl http://127.0.0.1:8000/shared/$SECRET -H 'accept: application/json'"),
];

/// The folders with pages for users and contributors.
const PAGE_FOLDERS: [&str; 4] = [".", "docs", "docs/clients", "clients/typescript"];

/// The pages for users and contributors.
fn pages() -> Vec<(String, String)> {
    let mut pages = Vec::new();
    for folder in PAGE_FOLDERS {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        for path in entries.filter(|path| path.extension().is_some_and(|extension| extension == "md")) {
            let name = path.strip_prefix(".").unwrap_or(&path).display().to_string();
            pages.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
    pages.sort();
    assert!(pages.iter().any(|(name, _)| name == "README.md"));
    assert!(pages.iter().any(|(name, _)| name == "docs/README.md"));
    pages
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_examples_run() {
    let mut running = JoinSet::new();
    for (name, text) in pages() {
        running.spawn(async move { page::run(&name, &text).await });
    }
    let mut failures = Vec::new();
    while let Some(finished) = running.join_next().await {
        failures.extend(finished.unwrap());
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_example_is_found() {
    let cases = [
        ("```graphql\nquery { nothing }\n```\n", "nothing"),
        ("```graphql\nquery ($unknown: ID!) { node(id: $unknown) { id } }\n```\n", "$unknown"),
        (
            "```graphql\n{ viewer { id } }\n```\n\n```json answer\n{ \"data\": { \"viewer\": { \"id\": \"eve\" } } }\n```\n",
            "eve",
        ),
        ("```sh\nscrollback token\n```\n", "--user"),
        ("```sh\ncurl http://127.0.0.1:8000/graphql\n```\n", "errors"),
        ("```sh server\nscrollback --listen nowhere\n```\n", "server.listen"),
        ("```js\nthrow new Error(\"broken example\");\n```\n", "broken example"),
        ("```ts a.ts\nthrow new Error(\"broken module\");\n```\n", "broken module"),
        (
            "```sh\nnpm install --save-dev @types/node\n```\n```ts a.ts\nconsole.log(token.nothing);\n```\n",
            "TS2339",
        ),
        ("```toml\n[server]\nport = 8000\n```\n", "server.port"),
        ("```\nno language\n```\n", "language"),
        ("```sh twice\ntrue\n```\n", "twice"),
    ];
    for (text, expected) in cases {
        let failures = page::run("wrong.md", text).await;
        assert_eq!(failures.len(), 1, "{text}: {failures:?}");
        assert!(failures[0].starts_with("wrong.md:") && failures[0].contains(expected), "{failures:?}");
    }
}

#[test]
fn blocks_that_are_not_run_are_known() {
    let mut found = BTreeSet::new();
    for (name, text) in pages() {
        for block in blocks(&text).into_iter().filter(|block| block.mode == "no-run") {
            found.insert((name.clone(), block.text.lines().next().unwrap_or_default().to_owned()));
        }
    }
    let known = NOT_RUN.iter().map(|(page, line)| ((*page).to_owned(), (*line).to_owned()));
    assert_eq!(found, known.collect());
}

/// A target of a link, from the page that it is on.
fn target(page: &Path, link: &str) -> Result<(), String> {
    if link.starts_with("https://") {
        return Ok(());
    }
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    let path =
        if file.is_empty() { page.to_owned() } else { page.parent().unwrap_or(Path::new("")).join(file) };
    if !path.exists() {
        return Err(format!("{} does not exist", path.display()));
    }
    let has_anchor = || anchors(&fs::read_to_string(&path).unwrap_or_default()).contains(anchor);
    if anchor.is_empty() || has_anchor() { Ok(()) } else { Err(format!("no heading #{anchor}")) }
}

#[test]
fn links_lead_somewhere() {
    let others = [
        "benches/peers/README.md",
        "clients/python/README.md",
        "clients/python/UPSTREAM_TESTS.md",
        "examples/chat/README.md",
        "examples/two-tabs/README.md",
        "tests/data/README.md",
        "src/performance.md",
    ];
    let others = others.map(|name| (name.to_owned(), fs::read_to_string(name).unwrap()));
    let mut wrong = Vec::new();
    for (name, text) in pages().into_iter().chain(others) {
        for (line, link) in links(&text) {
            if let Err(fault) = target(&PathBuf::from(&name), &link) {
                wrong.push(format!("{name}:{line}: {link}: {fault}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(target(Path::new("docs/README.md"), "absent.md").is_err());
    assert!(target(Path::new("docs/README.md"), "../README.md#absent").is_err());
}

#[test]
fn every_page_is_in_the_index_and_short() {
    let index = fs::read_to_string("docs/README.md").unwrap();
    let linked: BTreeSet<String> = links(&index).into_iter().map(|(_, link)| link).collect();
    for (name, text) in pages().iter().filter(|(name, _)| name.starts_with("docs/")) {
        let file = name.strip_prefix("docs/").unwrap();
        assert!(file == "README.md" || linked.contains(file), "docs/README.md does not link {file}");
        // Recipes are mostly code.
        let longest = if name.starts_with("docs/clients/") { 300 } else { 200 };
        assert!(text.lines().count() <= longest, "{name} is too long");
    }
}

#[test]
fn settings_that_are_named_exist() {
    let defaults: toml::Table = toml::from_str(scrollback::config::DEFAULT_FILE).unwrap();
    let mut unknown = Vec::new();
    for (name, text) in pages().iter().filter(|(name, _)| name != "CHANGELOG.md") {
        for code in inline_code(text) {
            let code = code.split(" = ").next().unwrap_or_default();
            let Some((section, key)) = code.split_once('.') else { continue };
            let Some(section) = defaults.get(section).and_then(toml::Value::as_table) else { continue };
            if !section.contains_key(key) {
                unknown.push(format!("{name}: {code}"));
            }
        }
    }
    assert_eq!(unknown, Vec::<String>::new());
}

/// What documentation names by its path begins with one of these.
const FOLDERS: [&str; 12] = [
    "benches",
    "clients",
    "deploy",
    "docs",
    "examples",
    "fold",
    "fuzz",
    "migration",
    "src",
    "tests",
    ".ci",
    ".cargo",
];

#[test]
fn files_that_are_named_exist() {
    let mut absent = Vec::new();
    for (name, text) in pages().into_iter().filter(|(name, _)| name != "CHANGELOG.md") {
        for code in inline_code(&text) {
            let code = code.split_whitespace().next().unwrap_or_default();
            let is_path = FOLDERS.iter().any(|folder| code.split('/').next() == Some(folder));
            if is_path && code.contains('/') && !Path::new(code).exists() {
                absent.push(format!("{name}: {code}"));
            }
        }
    }
    assert_eq!(absent, Vec::<String>::new());
}

#[tokio::test]
async fn metrics_that_are_named_exist() {
    let program = Program::believing().with("SCROLLBACK_SERVER_ADMIN_LISTEN", "127.0.0.1:0");
    let webhook = "[[webhooks]]\nname = \"crm\"\nurl = \"https://crm.example/\"\n\
                   secret = \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"\n";
    fs::write(program.folder().join("scrollback.toml"), webhook).unwrap();
    let mut server = program.serve(&["--config", "scrollback.toml"]).await;
    let line = server.line().await;
    let metrics = line.strip_prefix("Health and metrics: ").unwrap();
    let client = server.client("ada");
    client.data("{ viewer { id } }", json!({})).await;
    let deep = "{ conversations { nodes { head ".to_owned() + &"{ conversation { head ".repeat(20);
    client.fault(&(deep + "{ id }" + &"} }".repeat(20) + " } } }"), json!({})).await;
    let text = reqwest::get(metrics).await.unwrap().text().await.unwrap();
    for (name, page) in pages() {
        for code in inline_code(&page) {
            let metric = code.split('{').next().unwrap_or_default();
            if metric.starts_with("scrollback_") || metric.starts_with("process_") {
                assert!(text.contains(metric), "{name}: {metric}");
            }
        }
    }
}

#[test]
fn the_version_of_rust_is_the_manifests() {
    let manifest: toml::Table = toml::from_str(&fs::read_to_string("Cargo.toml").unwrap()).unwrap();
    let version = manifest["workspace"]["package"]["rust-version"].as_str().unwrap();
    assert!(fs::read_to_string("README.md").unwrap().contains(&format!("Rust {version} or newer")));
}
