//! Signatures, and where deliveries may go.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::receiver::{Answer, Receiver, SECRET};
use super::{start, summary};
use crate::harness::{Authority, Engine, KeyServer, Program, TIMEOUT, TestApp, run_script_with};

const OTHER_SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";

/// Checks what arrived with the verifier of Standard Webhooks for JavaScript.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deliveries_are_signed_as_standard_webhooks_say_with_all_secrets() {
    let receiver = Receiver::start().await;
    let config = receiver
        .config("include_content = true")
        .replace(&format!("\"{SECRET}\""), &format!("[\"{OTHER_SECRET}\", \"{SECRET}\"]"));
    let app = TestApp::start_from(Engine::Sqlite, &config, &[]).await;
    super::wait_until_registered(&app).await;
    let ada = app.client("ada");
    let id = ada.new_conversation().await;
    ada.append(&id, "Grüße, \"quoted\" \u{1F44D}\n").await;
    let found = receiver.wait_for_revision(&["ada"], 2).await;
    let header =
        |headers: &reqwest::header::HeaderMap, name: &str| headers[name].to_str().unwrap().to_owned();
    let deliveries: Vec<Value> = found
        .iter()
        .map(|delivery| {
            let names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
            let headers = names.map(|name| (name.to_owned(), json!(header(&delivery.headers, name))));
            json!({ "headers": serde_json::Map::from_iter(headers), "body": delivery.text })
        })
        .collect();
    let deliveries = Value::from(deliveries).to_string();
    let secrets = json!([SECRET, OTHER_SECRET]).to_string();
    run_script_with(&app, "webhook-verify.mjs", &[("DELIVERIES", &deliveries), ("SECRETS", &secrets)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn private_addresses_are_refused_unless_allowed() {
    let receiver = Receiver::start().await;
    // The name is resolved, and its address is private.
    let config = receiver
        .config("")
        .replace("127.0.0.1", "localhost")
        .replace("allow_private_addresses = true", "allow_private_addresses = false");
    let app = TestApp::start_from(Engine::Sqlite, &config, &[]).await;
    super::wait_until_registered(&app).await;
    app.client("ada").new_conversation().await;
    wait_for_fault(&app, "private address").await;
    assert_eq!(receiver.deliveries().len(), 0);
    // An address in the URL is refused at the start.
    let program = Program::believing();
    let config = receiver.config("").replace("allow_private_addresses = true", "");
    std::fs::write(program.folder().join("scrollback.toml"), config).unwrap();
    let refused = program.refused(&["--config", "scrollback.toml"]).await;
    for part in ["webhooks[0].url", "127.0.0.1 is private", "allow_private_addresses"] {
        assert!(refused.contains(part), "{refused}");
    }
    assert!(!program.folder().join("data").exists(), "nothing was created");
}

pub(super) async fn wait_for_fault(app: &TestApp, fault: &str) {
    let failed = async {
        while summary(app).await.last_fault.as_deref() != Some(fault) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(TIMEOUT, failed).await.unwrap_or_else(|_| panic!("no fault {fault}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redirects_are_not_followed_and_tls_is_verified() {
    let receiver = Receiver::start().await;
    let app = start(Engine::Sqlite, &receiver, "").await;
    receiver.answers(|_| Answer::Redirect);
    app.client("ada").new_conversation().await;
    wait_for_fault(&app, "status 307").await;
    let authority = Authority::new();
    let (server, _certificate) = KeyServer::start_over_tls(&authority).await;
    let config =
        receiver.config("").replace(&format!("http://127.0.0.1:{}/hook", receiver.port), &server.url);
    let app = TestApp::start_from(Engine::Sqlite, &config, &[]).await;
    super::wait_until_registered(&app).await;
    app.client("ada").new_conversation().await;
    wait_for_fault(&app, "tls").await;
    // With the authority among those of the system, the request arrives: the server does not know the method.
    let program = Program::believing().with("SSL_CERT_FILE", authority.file().display().to_string());
    std::fs::write(program.folder().join("scrollback.toml"), config).unwrap();
    let serving = program.serve(&["--config", "scrollback.toml"]).await;
    serving.client("ada").new_conversation().await;
    let status = async {
        loop {
            let listed = program.printed(&["webhooks", "list", "--config", "scrollback.toml"]).await;
            if listed.contains("fault=\"status 405\"") {
                return;
            }
        }
    };
    tokio::time::timeout(TIMEOUT, status).await.expect("the certificate is trusted");
    assert_eq!(StatusCode::METHOD_NOT_ALLOWED, 405);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_settings_are_refused_by_name_and_secrets_are_not_shown() {
    let good = "[[webhooks]]\nname = \"crm\"\nurl = \"https://crm.example/\"\nsecret = \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"\n";
    for (from, to, parts) in [
        ("https://", "http://", &["`webhooks[0].url`", "https://", "allow_http"][..]),
        ("https://crm.example/", "ftp://crm.example", &["`webhooks[0].url`", "https:// or http://"]),
        ("https://crm.example/", "https://ada:hush@crm.example", &["`webhooks[0].url`", "credentials"]),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "hush", &["`webhooks[0].secret`", "`whsec_`"]),
        ("\"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"", "7", &["webhooks[0].secret", "wrong type"]),
        (
            "secret = \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"",
            "secret_file = \"none\"",
            &["`webhooks[0].secret_file`", "cannot read", "none"],
        ),
        ("name = \"crm\"", "name = \"c r m\"", &["webhooks[0].name", "letters, digits"]),
        ("name = \"crm\"\n", "", &["webhooks[0]", "name"]),
        (
            "secret = ",
            "events = [\"message.created\"]\nsecret = ",
            &["`webhooks[0].events`", "message.added", "message.created"],
        ),
        ("secret = ", "owners = [\"a*b\"]\nsecret = ", &["`webhooks[0].owners`", "a*b"]),
        ("secret = ", "timeout = \"11s\"\nsecret = ", &["webhooks[0].timeout", "at most 10s"]),
        ("secret = ", "concurrency = 257\nsecret = ", &["webhooks[0].concurrency", "at most 256"]),
        ("secret = ", "retry = 1\nsecret = ", &["`webhooks[0].retry`", "did you mean"]),
    ] {
        let program = Program::believing();
        assert!(good.contains(from), "{from}");
        std::fs::write(program.folder().join("scrollback.toml"), good.replace(from, to)).unwrap();
        let refused = program.refused(&["--config", "scrollback.toml"]).await;
        for part in parts {
            assert!(refused.contains(part), "{part}: {refused}");
        }
        assert!(!refused.contains("hush") && !refused.contains("MfKQ9r8"), "{refused}");
    }
    let program = Program::believing();
    std::fs::write(program.folder().join("scrollback.toml"), format!("{good}{good}")).unwrap();
    let refused = program.refused(&["--config", "scrollback.toml"]).await;
    assert!(refused.contains("`webhooks[1].name` is a duplicate: crm"), "{refused}");
    let refused = Program::believing().with("SCROLLBACK_WEBHOOKS", "crm").refused(&[]).await;
    assert!(refused.contains("`webhooks` can be set only in the configuration file"), "{refused}");
    for (variable, value, part) in [
        ("SCROLLBACK_JETSTREAM_URL", "ftp://ada:hush@nats", "`jetstream.url` is not valid"),
        ("SCROLLBACK_JETSTREAM_SUBJECT", "a.>", "must be words of letters"),
        ("SCROLLBACK_JETSTREAM_CONCURRENCY", "0", "must be at least 1"),
    ] {
        let refused = Program::believing().with(variable, value).refused(&[]).await;
        assert!(refused.contains(part) && !refused.contains("hush"), "{refused}");
    }
}
