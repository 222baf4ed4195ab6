//! `scrollback webhooks`, beside a running server.

use scrollback::clock::Clock;
use serde_json::{Value, json};

use super::on_each_engine;
use super::receiver::{Answer, Receiver, accepted, without_repeats};
use crate::harness::{Engine, Program, TIMEOUT};

on_each_engine!(operators_list_resume_and_replay);

const CONFIG: &str = "scrollback.toml";

async fn list(program: &Program) -> Value {
    let line = program.printed(&["webhooks", "list", "--json", "--config", CONFIG]).await;
    serde_json::from_str(&line).unwrap()
}

/// Waits until positions are stored: a command repeats what was delivered since.
async fn wait_until_stored(program: &Program) {
    let stored = async { while list(program).await["usersBehind"] != 0 {} };
    tokio::time::timeout(TIMEOUT, stored).await.unwrap();
}

pub(super) async fn operators_list_resume_and_replay(engine: Engine) {
    let receiver = Receiver::start().await;
    let program = Program::over(engine).await.with("SCROLLBACK_SERVER_ADMIN_LISTEN", "127.0.0.1:0");
    std::fs::write(program.folder().join(CONFIG), receiver.config("")).unwrap();
    let refused = program.refused(&["webhooks", "resume", "hook", "--config", CONFIG]).await;
    assert!(refused.contains("no server has started with a webhook `hook`"), "{refused}");
    let mut server = program.serve(&["--config", CONFIG]).await;
    let metrics = server.line().await.strip_prefix("Health and metrics: ").unwrap().to_owned();
    let metric = async |series: &str| {
        let text = reqwest::get(&metrics).await.unwrap().text().await.unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {series}: {text}")).parse::<u64>().unwrap()
    };
    let (ada, bob) = (server.client("ada"), server.client("bob"));
    let id = ada.new_conversation().await;
    bob.new_conversation().await;
    receiver.wait_for_revision(&["ada", "bob"], 1).await;
    let between = Clock::system().now().to_string();
    ada.append(&id, "hello").await;
    ada.append(&id, "again").await;
    let before = receiver.wait_for_revision(&["ada"], 3).await.len();
    wait_until_stored(&program).await;
    // All owners from a time on.
    let printed =
        program.printed(&["webhooks", "replay", "hook", "--from", &between, "--config", CONFIG]).await;
    assert_eq!(printed, format!("hook delivers again from {between}\n"));
    let found = receiver.wait(|found| found.len() >= before + 2).await;
    assert_eq!(accepted(&found[before..])["ada"], [2, 3], "those of ada after that time");
    wait_until_stored(&program).await;
    // One owner after a cursor.
    let cursor = found[0].body["data"]["cursor"].as_str().unwrap().to_owned();
    let owner = found[0].owner().to_owned();
    program.printed(&["webhooks", "replay", "hook", "--from", &cursor, "--config", CONFIG]).await;
    if owner == "ada" {
        let found = receiver.wait(|found| found.len() >= before + 4).await;
        assert_eq!(accepted(&found[before + 2..])["ada"], [2, 3]);
    }
    wait_until_stored(&program).await;
    // Everything that is kept.
    let all = receiver.deliveries().len();
    program
        .printed(&["webhooks", "replay", "hook", "--from", "2000-01-01T00:00:00Z", "--config", CONFIG])
        .await;
    let found = receiver.wait(|found| found.len() >= all + 4).await;
    let again = accepted(&found[all..]);
    assert_eq!((without_repeats(&again["ada"]), without_repeats(&again["bob"])), (vec![1, 2, 3], vec![1]));
    wait_until_stored(&program).await;
    // A receiver that is gone for good.
    receiver.answers(|_| Answer::Status(410));
    bob.new_conversation().await;
    let paused = async {
        loop {
            let listed = list(&program).await;
            if listed["state"] == "paused" {
                return listed;
            }
        }
    };
    let listed = tokio::time::timeout(TIMEOUT, paused).await.unwrap();
    assert_eq!((&listed["name"], &listed["fault"]), (&json!("hook"), &json!("status 410")));
    assert_eq!((&listed["usersBehind"], &listed["isConfigured"]), (&json!(1), &json!(true)));
    let text = program.printed(&["webhooks", "list", "--config", CONFIG]).await;
    assert!(text.starts_with("hook paused since=") && text.contains("users_behind=1"), "{text}");
    for name in ["paused", "failing"] {
        assert_eq!(metric(&format!("scrollback_webhook_{name}{{webhook=\"hook\"}}")).await, 1, "{name}");
    }
    let failed = metric(r#"scrollback_webhook_deliveries_total{webhook="hook",outcome="failed"}"#).await;
    let delivered =
        metric(r#"scrollback_webhook_deliveries_total{webhook="hook",outcome="delivered"}"#).await;
    let arrived = receiver.deliveries().len() as u64;
    assert_eq!((failed, delivered + failed), (1, arrived));
    receiver.answers(|_| Answer::Status(200));
    program.printed(&["webhooks", "resume", "hook", "--config", CONFIG]).await;
    receiver.wait_for_revision(&["bob"], 2).await;
    for name in ["paused", "failing"] {
        assert_eq!(metric(&format!("scrollback_webhook_{name}{{webhook=\"hook\"}}")).await, 0, "{name}");
    }
    for (arguments, part) in [
        (
            ["replay", "nothing", "--from", "2000-01-01T00:00:00Z"],
            "no server has started with a webhook `nothing`",
        ),
        (
            ["replay", "hook", "--from", "yesterday"],
            "--from must be an RFC 3339 time with offset, or the cursor",
        ),
    ] {
        let refused = program.refused(&[&["webhooks"][..], &arguments, &["--config", CONFIG]].concat()).await;
        assert!(refused.contains(part), "{refused}");
    }
    let audit = program.printed(&["audit", "--config", CONFIG]).await;
    for (action, count) in [("replayWebhook webhook=hook", 3), ("resumeWebhook webhook=hook", 1)] {
        assert_eq!(audit.matches(action).count(), count, "{audit}");
    }
    server.terminate().await;
    let (status, log) = server.ended().await;
    assert!(status.success(), "{log}");
    let said = "a webhook is paused: `scrollback webhooks resume hook` delivers again";
    assert!(log.contains(said) && log.contains("status 410"), "{log}");
    assert!(!log.contains("whsec_"), "{log}");
}
