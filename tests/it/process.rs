//! The program: its commands, its settings, and its errors.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::harness::{Client, Engine, Program};

async fn viewer(url: &str, token: &str) -> String {
    let data = Client::new(url, Some(token.to_owned())).data("{ viewer { id } }", json!({})).await;
    data["viewer"]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_server_starts_without_configuration() {
    let program = Program::new();
    let mut server = program.serve(&[]).await;
    assert_eq!(
        server.line().await,
        format!("GraphiQL: {}/ (`scrollback token --user ada` prints a token)", server.url)
    );
    let ready = reqwest::get(format!("{}/readyz", server.url)).await.unwrap();
    assert_eq!(ready.status(), 200);
    assert!(program.folder().join("data/scrollback.db").is_file());
    let secret = fs::metadata(program.folder().join("data/development-secret")).unwrap();
    assert_eq!(secret.permissions().mode() & 0o777, 0o600);
    let token = program.printed(&["token", "--user", "ada"]).await;
    assert_eq!(viewer(&server.url, token.trim_end()).await, "ada");
    server.terminate().await;
    let url = server.url.clone();
    let (status, log) = server.ended().await;
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(reqwest::get(format!("{url}/livez")).await.is_err(), "nobody listens any more");
    // The secret stays, and so do the tokens made with it.
    let server = program.serve(&["--token-for", "bob"]).await;
    assert_eq!(viewer(&server.url, token.trim_end()).await, "ada");
}

#[tokio::test]
async fn a_development_token_is_printed_at_start() {
    let program = Program::new();
    let mut server = program.serve(&["--token-for", "ada"]).await;
    assert_eq!(server.line().await, "A token for ada, valid for 1day:");
    assert_eq!(server.line().await, "");
    let token = server.line().await;
    assert_eq!(server.line().await, "");
    assert_eq!(server.line().await, format!("Open GraphiQL as ada: {}/#token={token}", server.url));
    assert_eq!(viewer(&server.url, &token).await, "ada");
    server.terminate().await;
    let (_, log) = server.ended().await;
    assert!(!log.contains(&token), "a token is never logged: {log}");
}

#[tokio::test]
async fn production_does_not_start_without_a_key() {
    let program = Program::new();
    let refused = program.refused(&["--mode", "production"]).await;
    for setting in ["`auth.jwt_secret`", "`auth.jwt_secret_file`", "`auth.jwt_public_key_file`"] {
        assert!(refused.contains(setting), "{refused}");
    }
    assert!(!program.folder().join("data/development-secret").exists());
    let short = Program::new().with("SCROLLBACK_AUTH_JWT_SECRET", "hush");
    let refused = short.refused(&["--mode", "production"]).await;
    assert!(refused.contains("`auth.jwt_secret` must have at least 32 bytes, has 4"), "{refused}");
    let production = Program::over(Engine::Sqlite).await;
    let refused = production.refused(&["--mode", "production", "--token-for", "ada"]).await;
    assert!(refused.contains("--token-for is for development only"), "{refused}");
    let server = production.serve(&["--mode", "production"]).await;
    let token = production.printed(&["token", "--user", "ada", "--expires-in", "1m"]).await;
    assert_eq!(viewer(&server.url, token.trim_end()).await, "ada");
}

#[tokio::test]
async fn an_invalid_setting_is_rejected_by_name() {
    let told =
        |setting: &str, origin: &str| format!("the setting `{setting}` (from {origin}) is not valid: ");
    let program = Program::new();
    for (arguments, setting) in [(["--listen", "here"], "server.listen"), (["--mode", "test"], "mode")] {
        let refused = program.refused(&arguments).await;
        assert!(refused.contains(&told(setting, &format!("the flag for {setting}"))), "{refused}");
    }
    let program = Program::new().with("SCROLLBACK_DATABASE_MAX_CONNECTIONS", "0");
    let refused = program.refused(&[]).await;
    assert!(
        refused.contains(&told("database.max_connections", "SCROLLBACK_DATABASE_MAX_CONNECTIONS")),
        "{refused}"
    );
    let program = Program::new();
    for (text, setting) in [
        ("[server]\nexecution_timeout = 10\n", "server.execution_timeout"),
        ("[auth]\njwt_secret = 1\n", "auth.jwt_secret"),
    ] {
        fs::write(program.folder().join("wrong.toml"), text).unwrap();
        let refused = program.refused(&["--config", "wrong.toml"]).await;
        assert!(refused.contains(&told(setting, "wrong.toml")), "{refused}");
    }
    let refused = program.refused(&["--config", "absent.toml"]).await;
    assert!(refused.contains("cannot read the configuration file absent.toml"), "{refused}");
    for (variable, value, setting) in [
        ("SCROLLBACK_SERVER_CORS_ORIGINS", "*", "server.cors_origins"),
        ("SCROLLBACK_SERVER_CORS_ORIGINS", "chat.example", "server.cors_origins"),
        ("SCROLLBACK_SERVER_CORS_ORIGINS", "https://chat.example/", "server.cors_origins"),
        ("SCROLLBACK_SERVER_DEAD_AFTER", "15s", "server.dead_after"),
        ("SCROLLBACK_SERVER_DRAIN", "11s", "server.drain"),
        ("SCROLLBACK_SERVER_ADMIN_LISTEN", "192.0.2.1:1", "server.admin_listen"),
        ("SCROLLBACK_LOG_LEVEL", "scrollback=loud", "log.level"),
        ("SCROLLBACK_DATABASE_URL", "mysql://localhost/db", "database.url"),
        ("SCROLLBACK_AUTH_JWT_SECRET_FILE", "absent", "auth.jwt_secret_file"),
    ] {
        let refused = Program::new().with(variable, value).refused(&[]).await;
        assert!(refused.contains(&format!("`{setting}`")), "{refused}");
    }
}

#[tokio::test]
async fn the_schema_is_printed_as_it_is_published() {
    let published = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.graphql");
    let printed = Program::new().printed(&["schema"]).await;
    assert!(printed == fs::read_to_string(published).unwrap());
}

#[tokio::test]
async fn the_printed_configuration_can_be_used() {
    let program = Program::new();
    let printed = program.printed(&["config"]).await;
    assert_eq!(printed, scrollback::config::DEFAULT_FILE);
    fs::write(program.folder().join("scrollback.toml"), printed).unwrap();
    let server = program.serve(&["--config", "scrollback.toml"]).await;
    let token = program.printed(&["token", "--config", "scrollback.toml", "--user", "ada"]).await;
    assert_eq!(viewer(&server.url, token.trim_end()).await, "ada");
}

#[tokio::test]
async fn the_schema_of_the_configuration_is_printed_as_it_is_published() {
    let published = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/config.schema.json");
    let printed = Program::new().printed(&["config", "--schema"]).await;
    assert!(printed == fs::read_to_string(published).unwrap());
}

#[tokio::test]
async fn settings_are_checked_without_a_server() {
    let program = Program::new();
    let check = ["config", "--check", "--config", "scrollback.toml"];
    let write = |text: &str| fs::write(program.folder().join("scrollback.toml"), text).unwrap();
    write("[database]\nurl = \"postgres://nobody@127.0.0.1:1/none\"\n");
    assert_eq!(program.printed(&check).await, "The settings are valid.\n");
    for (text, told) in [
        ("mode = \"production\"", "production requires a key that verifies tokens"),
        ("[auth]\njwt_secret_file = \"nowhere\"", "cannot read `auth.jwt_secret_file`, nowhere"),
        ("[server]\nlissten = \"127.0.0.1:1\"", "did you mean `server.listen`?"),
        ("[server]\ndead_after = \"1s\"", "`server.dead_after` must be longer"),
        ("[documents]\nmanifest = \"nowhere.json\"", "nowhere.json"),
        (
            "[[webhooks]]\nname = \"crm\"\nurl = \"https://crm.example/\"\nsecret_file = \"nowhere\"",
            "`webhooks[0].secret_file`",
        ),
    ] {
        write(text);
        let refused = program.refused(&check).await;
        assert!(refused.contains(told), "{text}: {refused}");
    }
    assert!(!program.folder().join("data/scrollback.db").exists(), "no database is made");
}

#[tokio::test]
async fn the_licences_of_what_is_in_the_program_are_printed() {
    let printed = Program::new().printed(&["licenses"]).await;
    for package in ["async-graphql 8", "axum 0.8", "libsqlite3-sys 0", "tokio 1"] {
        assert!(printed.lines().any(|line| line.starts_with(package)), "{package}");
    }
    assert!(printed.contains("Permission is hereby granted") && printed.contains("Apache License"));
    // The page with GraphiQL has packages of its own.
    assert!(printed.lines().any(|line| line.starts_with("@graphiql/react ")));
}

#[tokio::test]
async fn the_version_is_that_of_the_package() {
    let printed = Program::new().printed(&["--version"]).await;
    let version = printed.strip_prefix(concat!("scrollback ", env!("CARGO_PKG_VERSION"))).unwrap();
    assert!(version == "\n" || version.starts_with(" ("), "{printed}");
}

/// The first word of each line: `applied` or `pending`.
fn states(printed: &str) -> Vec<&str> {
    printed.lines().map(|line| line.split_once(' ').unwrap().0).collect()
}

#[tokio::test]
async fn migrations_are_listed_applied_and_reverted() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let program = Program::over(engine).await.with("SCROLLBACK_DATABASE_MIGRATE", "false");
        let before = program.printed(&["migrate", "status"]).await;
        assert!(!before.is_empty() && states(&before).iter().all(|state| *state == "pending"), "{before}");
        let refused = program.refused(&[]).await;
        assert!(refused.contains("run `scrollback migrate up`"), "{refused}");
        let all = before.lines().count();
        for _ in 0..2 {
            let up = program.printed(&["migrate", "up"]).await;
            assert_eq!(states(&up), vec!["applied"; all]);
            assert_eq!(program.printed(&["migrate", "status"]).await, up);
        }
        let server = program.serve(&[]).await;
        server.client("ada").new_conversation().await;
        server.kill().await;
        let down = program.printed(&["migrate", "down", "--steps", &all.to_string()]).await;
        assert_eq!(down, before);
        program.printed(&["migrate", "up"]).await;
        let server = program.serve(&[]).await;
        let data = server.client("ada").data("{ conversations { nodes { id } } }", json!({})).await;
        assert_eq!(data["conversations"]["nodes"], json!([]), "the tables were new");
    }
}

#[tokio::test]
async fn the_slots_migration_keeps_sqlite_data() {
    const TREE: &str = "{ conversations(first: 3) { nodes { id title updatedAt messageCount head { id }
      messages(first: 4) { nodes { id position role content metadata status createdAt editedAt parts { __typename }
        parent { id } siblings { id } } } } } }";
    let append = "mutation($input: AppendMessageInput!) { appendMessage(input: $input) { message { id } } }";
    let program = Program::over(Engine::Sqlite).await;
    let server = program.serve(&[]).await;
    let (ada, eve) = (server.client("ada"), server.client("eve"));
    let mut first = Vec::new();
    for client in [&ada, &eve, &ada] {
        let id = client.new_conversation().await;
        let asked = client.append(&id, "asked").await["id"].take();
        client.append(&id, "answered").await;
        // A second answer beside the first, and a text longer than a page.
        let long = "long ".repeat(2000);
        let input = json!({ "conversationId": id, "parentId": asked, "role": "ASSISTANT", "content": long });
        client.data(append, json!({ "input": input })).await;
        first.push(id);
    }
    let before = (ada.data(TREE, json!({})).await, eve.data(TREE, json!({})).await);
    server.kill().await;
    program.undo_migrations_from("slots").await;
    program.printed(&["migrate", "up"]).await;
    let server = program.serve(&[]).await;
    let (ada, eve) = (server.client("ada"), server.client("eve"));
    assert_eq!((ada.data(TREE, json!({})).await, eve.data(TREE, json!({})).await), before);
    for (client, id) in [(&ada, &first[0]), (&eve, &first[1]), (&ada, &first[2])] {
        client.append(id, "goes on").await;
        let query = "query($id: ID!) { conversation(id: $id) { head { position content } } }";
        let head = client.data(query, json!({ "id": id })).await["conversation"]["head"].take();
        assert_eq!(head, json!({ "position": 4, "content": "goes on" }));
    }
}
