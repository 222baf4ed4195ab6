//! The files in `deploy` are valid, and what they name exists. The file system of the image, the proxy and the
//! alerts are run. What needs a container engine or a cluster is not: docs/deployment.md says so.

mod image;
mod proxy;
mod queries;
mod tools;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use scrollback::config::{self, Mode, Sources};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::time::timeout;

use crate::harness::{
    Client, Engine, Nats, Program, Running, TIMEOUT, files_in, packaged_program, start_script, token,
};
use proxy::Proxy;
use queries::{grouping_labels, selectors};
use tools::{succeed, system_program};

/// The files of `deploy`, without the secrets that somebody made.
fn files() -> Vec<(PathBuf, String)> {
    let files = files_in(Path::new("deploy")).into_iter();
    let files = files.filter(|path| !path.starts_with("deploy/docker/secrets"));
    files.map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn settings_that_are_named_exist() {
    let defaults: toml::Table = toml::from_str(config::DEFAULT_FILE).unwrap();
    let mut variables = BTreeSet::from(["SCROLLBACK_CONFIG".to_owned(), "SCROLLBACK_GRAPHIQL".to_owned()]);
    for (name, value) in &defaults {
        let keys =
            value.as_table().map(|section| section.keys().map(|key| format!("{name}_{key}")).collect());
        let keys: Vec<String> = keys.unwrap_or_else(|| vec![name.clone()]);
        variables.extend(keys.iter().map(|key| format!("SCROLLBACK_{key}").to_uppercase()));
    }
    let (mut named, mut unknown) = (0, Vec::new());
    for (path, text) in files() {
        for word in text.split(|c: char| !c.is_ascii_alphanumeric() && !"_.-".contains(c)) {
            let word = word.trim_matches('.');
            let setting = word.split_once('.').filter(|(_, key)| !key.contains('.'));
            let section = setting.and_then(|(section, key)| Some((defaults.get(section)?.as_table()?, key)));
            let is_known = match section {
                Some((section, key)) => section.contains_key(key),
                None if word.starts_with("SCROLLBACK_") => variables.contains(word),
                None => continue,
            };
            named += 1;
            if !is_known {
                unknown.push(format!("{}: {word}", path.display()));
            }
        }
    }
    assert_eq!(unknown, Vec::<String>::new());
    assert!(named > 20, "{named}");
}

#[test]
fn the_configuration_of_the_package_is_valid() {
    let text = read("deploy/systemd/scrollback.toml");
    // What is commented out, too.
    let uncommented = text.lines().map(|line| {
        let code = line.strip_prefix("# ").filter(|code| code.starts_with('[') || code.contains(" = "));
        format!("{}\n", code.unwrap_or(line))
    });
    let uncommented = uncommented.collect::<String>();
    assert_ne!(text, uncommented);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("scrollback.toml");
    for text in [text, uncommented] {
        fs::write(&file, text).unwrap();
        let config = config::load(Sources { file: Some(&file), ..Sources::default() }).unwrap();
        assert_eq!(config.mode, Mode::Production);
        assert!(config.server.admin_listen.is_some());
    }
}

#[test]
fn the_dockerfile_and_the_compose_file_are_valid() {
    succeed(Command::new(packaged_program("hadolint")).args(["--no-color", "deploy/docker/Dockerfile"]));
    let mut check = Command::new(packaged_program("check-jsonschema"));
    succeed(check.args(["--builtin-schema", "vendor.compose-spec", "deploy/docker/compose.yaml"]));
    for line in read("deploy/docker/Dockerfile.dockerignore").lines() {
        if let Some(path) = line.strip_prefix('!') {
            assert!(Path::new(path).exists(), "{path}");
        }
    }
}

#[test]
fn the_secrets_are_made_once_for_their_users() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("make-secrets");
    fs::copy("deploy/docker/make-secrets", &script).unwrap();
    if !image::is_root() {
        let output = Command::new("bash").arg(&script).output().unwrap();
        assert!(!output.status.success());
        assert!(String::from_utf8(output.stderr).unwrap().contains("must run as root"));
        return;
    }
    let secrets = folder.path().join("secrets");
    let made = || {
        succeed(Command::new("bash").arg(&script));
        let files = files_in(&secrets).into_iter();
        files.map(|file| (file.clone(), fs::read_to_string(file).unwrap())).collect::<BTreeSet<_>>()
    };
    let first = made();
    assert_eq!(made(), first, "they are kept");
    let names: Vec<_> = first.iter().map(|(file, _)| file.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["jwt-secret", "postgres-password", "scrollback.toml"]);
    let compose = read("deploy/docker/compose.yaml");
    for name in names {
        assert!(compose.contains(&format!("file: ./secrets/{name}\n")), "{name}");
        let (mode, user) = image::mode_and_user(&secrets.join(name));
        assert_eq!(mode, 0o600, "{name}");
        assert_eq!(user, if name == "postgres-password" { 70 } else { image::USER }, "{name}");
    }
    let file = secrets.join("scrollback.toml");
    let config = config::load(Sources { file: Some(&file), ..Sources::default() }).unwrap();
    let password = fs::read_to_string(secrets.join("postgres-password")).unwrap();
    assert_eq!(config.database_url(), format!("postgres://scrollback:{password}@postgres/scrollback"));
    assert!(password.len() >= 32 && fs::read_to_string(secrets.join("jwt-secret")).unwrap().len() >= 32);
}

#[test]
fn systemd_accepts_the_unit_and_its_sandbox() {
    let text = read("deploy/systemd/scrollback.service");
    let program = "ExecStart=/usr/bin/scrollback --config /etc/scrollback/scrollback.toml\n";
    assert!(text.contains(program));
    let folder = tempfile::tempdir().unwrap();
    let unit = folder.path().join("scrollback.service");
    let built = format!("ExecStart={}\n", env!("CARGO_BIN_EXE_scrollback"));
    fs::write(&unit, text.replace(program, &built)).unwrap();
    let (_, warnings) = succeed(Command::new("systemd-analyze").args(["--man=no", "verify"]).arg(&unit));
    assert_eq!(warnings, "");
    // From 0, where nothing is allowed, to 100.
    let mut security = Command::new("systemd-analyze");
    succeed(security.args(["security", "--offline=true", "--threshold=15", "--no-pager"]).arg(&unit));
}

#[test]
fn the_debian_package_has_its_files() {
    let manifest: toml::Table = toml::from_str(&read("Cargo.toml")).unwrap();
    let package = &manifest["package"]["metadata"]["deb"];
    let mut installed = Vec::new();
    for asset in package["assets"].as_array().unwrap() {
        let [source, target] = [&asset[0], &asset[1]].map(|path| path.as_str().unwrap());
        assert!(source.starts_with("target/release/") || Path::new(source).is_file(), "{source}");
        installed.push(format!("/{target}"));
    }
    for file in package["conf-files"].as_array().unwrap() {
        assert!(installed.contains(&file.as_str().unwrap().to_owned()), "{file}");
    }
    let units = package["systemd-units"]["unit-scripts"].as_str().unwrap();
    assert!(Path::new(units).join("scrollback.service").is_file());
    let scripts = files_in(Path::new(package["maintainer-scripts"].as_str().unwrap()));
    assert_eq!(scripts.len(), 2, "{scripts:?}");
    for script in scripts {
        // cargo-deb puts the commands for the unit there.
        assert!(fs::read_to_string(&script).unwrap().contains("\n#DEBHELPER#\n"), "{}", script.display());
        succeed(Command::new("sh").arg("-n").arg(&script));
    }
}

#[test]
fn the_manifests_for_kubernetes_are_valid() {
    let folder = Path::new("deploy/kubernetes");
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let manifests: BTreeSet<PathBuf> =
        entries.filter(|path| path.is_file() && !path.ends_with("kustomization.yaml")).collect();
    let mut validate = Command::new(packaged_program("kubernetes-validate"));
    succeed(validate.args(["--strict", "--quiet"]).args(&manifests));
    let kustomization = read("deploy/kubernetes/kustomization.yaml");
    let (_, resources) = kustomization.split_once("\nresources:\n").unwrap();
    let listed = resources.lines().map(|line| folder.join(line.trim().strip_prefix("- ").unwrap()));
    let mut listed: BTreeSet<PathBuf> = listed.collect();
    assert!(listed.insert(folder.join("secret.example.yaml")), "an example must not be applied");
    assert_eq!(listed, manifests);
}

#[test]
fn promtool_accepts_the_alerts_and_their_tests() {
    let promtool = system_program("promtool");
    let run = |arguments: &[&str]| {
        succeed(Command::new(&promtool).args(arguments).current_dir("deploy/monitoring"));
    };
    run(&["check", "config", "prometheus.yaml"]);
    run(&["test", "rules", "alerts.test.yaml"]);
    let (rules, tests) = (read("deploy/monitoring/alerts.yaml"), read("deploy/monitoring/alerts.test.yaml"));
    let alerts: Vec<_> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() > 10, "{alerts:?}");
    for alert in &alerts {
        // Once where it is silent, once where it fires.
        assert!(tests.matches(alert).count() >= 2, "{alert}");
    }
    for annotation in ["summary: ", "description: ", "runbook: "] {
        assert_eq!(rules.matches(&format!("\n          {annotation}")).count(), alerts.len(), "{annotation}");
    }
}

#[tokio::test]
async fn promtool_finds_no_fault_in_the_metrics() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("metrics");
    fs::write(&file, metrics().await).unwrap();
    let mut command = Command::new(system_program("promtool"));
    command.args(["check", "metrics"]).stdin(fs::File::open(&file).unwrap());
    assert_eq!(succeed(&mut command), (String::new(), String::new()));
}

/// The texts in a JSON value.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(values) => values.iter().flat_map(texts).collect(),
        Value::Object(values) => values.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

/// A server with metrics, and the address of its admin listener.
async fn serve(program: &Program) -> (Running, String) {
    let mut server = program.serve(&[]).await;
    let line = server.line().await;
    let admin = line.strip_prefix("Health and metrics: http://").and_then(|url| url.strip_suffix("/metrics"));
    let admin = admin.unwrap_or_else(|| panic!("{line}")).to_owned();
    (server, admin)
}

/// The metrics of a server that did a bit of everything.
async fn metrics() -> String {
    let program = Program::believing()
        .with("SCROLLBACK_SERVER_ADMIN_LISTEN", "127.0.0.1:0")
        .with("SCROLLBACK_CONFIG", "scrollback.toml");
    let webhook = "[[webhooks]]\nname = \"crm\"\nurl = \"https://crm.example/\"\n\
                   secret = \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"\n";
    fs::write(program.folder().join("scrollback.toml"), webhook).unwrap();
    let (server, admin) = serve(&program).await;
    let ada = server.client("ada");
    ada.new_conversation().await;
    ada.data("{ viewer { id } }", json!({})).await;
    let deep = "{ conversations { nodes { head ".to_owned() + &"{ conversation { head ".repeat(20);
    ada.fault(&(deep + "{ id }" + &"} }".repeat(20) + " } } }"), json!({})).await;
    reqwest::get(format!("http://{admin}/metrics")).await.unwrap().text().await.unwrap()
}

#[tokio::test]
async fn metrics_and_labels_of_the_alerts_and_the_dashboard_exist() {
    let scraped = metrics().await;
    let codes = read("docs/api.md");
    let dashboard: Value = serde_json::from_str(&read("deploy/monitoring/dashboard.json")).unwrap();
    let dashboard = texts(&dashboard).join("\n");
    let mut missing = Vec::new();
    for (file, text) in
        [("alerts.yaml", read("deploy/monitoring/alerts.yaml")), ("dashboard.json", dashboard)]
    {
        let selectors = selectors(&text);
        assert!(selectors.len() > 15, "{file}: {selectors:?}");
        // Prometheus adds these.
        let is_ours = |label: &str| !["job", "instance"].contains(&label);
        for selector in selectors {
            let of_metric = |line: &&str| {
                let rest = line.strip_prefix(&selector.metric);
                rest.is_some_and(|rest| rest.starts_with(['{', ' ']))
            };
            let series: Vec<&str> = scraped.lines().filter(of_metric).collect();
            if series.is_empty() {
                missing.push(format!("{file}: {}", selector.metric));
            }
            for (label, value) in selector.labels.iter().filter(|(label, _)| is_ours(label)) {
                let is_word = value.chars().all(|c| c.is_ascii_alphabetic() || c == '_');
                let has_value = !is_word
                    || codes.contains(&format!("`{value}`"))
                    || series.iter().any(|line| line.contains(&format!("{label}=\"{value}\"")));
                if !has_value || !series.iter().all(|line| line.contains(&format!("{label}=\""))) {
                    missing.push(format!("{file}: {}{{{label}={value}}}", selector.metric));
                }
            }
        }
        for label in grouping_labels(&text).into_iter().filter(|label| is_ours(label)) {
            if !scraped.contains(&format!("{label}=\"")) {
                missing.push(format!("{file}: by ({label})"));
            }
        }
    }
    assert_eq!(missing, Vec::<String>::new(), "{scraped}");
}

#[test]
fn the_dashboard_has_the_types_of_grafana() {
    succeed(Command::new("node").arg("tests/clients/dashboard.mjs"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_behind_the_proxy_resume_when_servers_end() {
    let nats = Nats::start();
    let program = Program::over(Engine::Postgres)
        .await
        .with("SCROLLBACK_SERVER_ADMIN_LISTEN", "127.0.0.1:0")
        .with("SCROLLBACK_FEED_SIGNALS", nats.url());
    let (mut servers, mut addresses) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let (server, admin) = serve(&program).await;
        addresses.push((server.url.strip_prefix("http://").unwrap().to_owned(), admin));
        servers.push(server);
    }
    let proxy = Proxy::start(&addresses);
    let ada = Client::new(&proxy.url, Some(token("ada", Duration::from_secs(600))));
    let mut followers = start_script(&ada, "failover.mjs", &[]);
    let mut input = followers.stdin.take().unwrap();
    let mut lines = BufReader::new(followers.stdout.take().unwrap()).lines();
    let mut append = async |expected: u32| {
        input.write_all(b"append\n").await.unwrap();
        let line =
            timeout(TIMEOUT, lines.next_line()).await.expect("everything is received in time").unwrap();
        assert_eq!(line, Some(format!("{expected} received")));
    };
    append(10).await;
    let first = servers.remove(0);
    first.kill().await;
    append(20).await;
    let second = servers.remove(0);
    second.terminate().await;
    append(30).await;
    let (status, log) = second.ended().await;
    assert!(status.success(), "{log}");
    append(40).await;
    drop(input);
    let status = timeout(TIMEOUT, followers.wait()).await.expect("an end in time").unwrap();
    assert!(status.success(), "{status}");
}

#[tokio::test]
async fn the_proxy_limits_readers_of_shares_and_hides_metrics() {
    let program = Program::over(Engine::Sqlite)
        .await
        .with("SCROLLBACK_SERVER_ADMIN_LISTEN", "127.0.0.1:0")
        .with("SCROLLBACK_SHARES_VIEWS_PER_MINUTE", "0");
    let (server, admin) = serve(&program).await;
    let proxy = Proxy::start(&[(server.url.strip_prefix("http://").unwrap().to_owned(), admin)]);
    let status =
        async |path: &str| reqwest::get(format!("{}{path}", proxy.url)).await.unwrap().status().as_u16();
    assert_eq!(status("/proxy-health").await, 200);
    for _ in 0..60 {
        assert_eq!(status("/shared/nothing").await, 404);
    }
    assert_eq!(status("/shared/nothing").await, 429);
    assert_eq!(status("/metrics").await, 404);
    let ada = Client::new(&proxy.url, Some(token("ada", Duration::from_secs(600))));
    assert_eq!(ada.data("{ viewer { id } }", json!({})).await, json!({ "viewer": { "id": "ada" } }));
}
