//! Receivers that fail, hang, answer slowly or are gone.

use std::time::Duration;

use reqwest::StatusCode;
use scrollback::clock::Clock;
use scrollback::model::{Timestamp, WebhookState};
use serde_json::json;

use super::receiver::{Answer, Receiver, accepted, without_repeats};
use super::{on_each_engine, start, summary, wait_until_registered};
use crate::harness::{Engine, TIMEOUT, TestApp};

on_each_engine!(
    an_event_that_fails_is_tried_until_it_succeeds_and_others_wait_for_it,
    a_receiver_that_hangs_for_one_owner_costs_others_nothing,
    a_webhook_is_paused_after_days_and_resumed,
    a_user_whose_event_fails_for_days_is_given_up_and_others_go_on,
    changes_that_were_trimmed_are_announced,
);

/// Appends messages of an owner; the newest revision is one more.
async fn write(app: &TestApp, owner: &str, messages: usize) {
    let client = app.client(owner);
    let id = client.new_conversation().await;
    for number in 0..messages {
        client.append(&id, &format!("message {number}")).await;
    }
}

async fn an_event_that_fails_is_tried_until_it_succeeds_and_others_wait_for_it(engine: Engine) {
    let receiver = Receiver::start().await;
    let app = start(engine, &receiver, "").await;
    // Every third delivery of ada fails, in several ways.
    let mut count = 0;
    receiver.answers(move |body| {
        count += usize::from(body["data"]["owner"] == "ada");
        match (body["data"]["owner"].as_str(), count % 9) {
            (Some("ada"), 0) => Answer::Status(500),
            (Some("ada"), 3) => Answer::Status(404),
            (Some("ada"), 6) => Answer::Redirect,
            _ => Answer::Status(200),
        }
    });
    tokio::join!(write(&app, "ada", 9), write(&app, "bob", 9));
    receiver.wait_for_revision(&["ada", "bob"], 10).await;
    for (owner, revisions) in receiver.accepted() {
        assert_eq!(revisions, Vec::from_iter(1..=10), "{owner}: each once and in order");
    }
    let failed = receiver.deliveries().into_iter().filter(|delivery| delivery.owner() == "ada").count();
    assert!(failed > 10, "some were tried again: {failed}");
}

async fn a_receiver_that_hangs_for_one_owner_costs_others_nothing(engine: Engine) {
    let receiver = Receiver::start().await;
    let app = start(engine, &receiver, "timeout = \"1s\"\nconcurrency = 4").await;
    receiver.answers(|body| match body["data"]["owner"].as_str() {
        Some("ada") => Answer::Never,
        Some("bob") => Answer::Late(Duration::from_millis(100)),
        _ => Answer::Status(200),
    });
    tokio::join!(write(&app, "ada", 3), write(&app, "bob", 3), write(&app, "eve", 50));
    receiver.wait_for_revision(&["bob"], 4).await;
    receiver.wait_for_revision(&["eve"], 51).await;
    // Two timeouts later it still tries the first event, one at a time.
    let of_ada =
        |found: &[super::Delivery]| found.iter().filter(|delivery| delivery.owner() == "ada").count();
    let found = receiver.wait(|found| of_ada(found) >= 2).await;
    assert!(
        found.iter().filter(|delivery| delivery.owner() == "ada").all(|delivery| delivery.revision() == 1)
    );
    receiver.answers(|_| Answer::Status(200));
    receiver.wait_for_revision(&["ada"], 4).await;
    assert_eq!(without_repeats(&receiver.accepted()["ada"]), [1, 2, 3, 4]);
    assert!(receiver.most_at_once() <= 4, "{}", receiver.most_at_once());
    // The server answers its users meanwhile.
    let answer = reqwest::get(format!("{}/readyz", app.url)).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
}

/// Waits for a state of the webhook.
async fn wait_for(app: &TestApp, is_wanted: impl Fn(WebhookState) -> bool) {
    let waiting = async {
        while !is_wanted(summary(app).await.state) {
            tokio::task::yield_now().await;
        }
    };
    let found = tokio::time::timeout(TIMEOUT, waiting).await;
    assert!(found.is_ok(), "{:?}", summary(app).await);
}

/// Three days pass on the clock of the server.
async fn a_webhook_is_paused_after_days_and_resumed(engine: Engine) {
    let receiver = Receiver::start().await;
    let begin = Clock::system().now();
    let clock = Clock::manual(begin);
    let app = TestApp::start_from_with_clock(engine, clock.clone(), &receiver.config("")).await;
    wait_until_registered(&app).await;
    receiver.answers(|_| Answer::Status(500));
    write(&app, "ada", 1).await;
    receiver.wait(|found| !found.is_empty()).await;
    wait_for(&app, |state| state.failing_since == Some(begin)).await;
    let almost = Timestamp(begin.0 + 3 * 86_400_000_000 - 1);
    clock.set(almost);
    let tried = receiver.deliveries().len();
    receiver.wait(|found| found.len() > tried).await;
    assert_eq!(summary(&app).await.state.paused_since, None);
    let later = Timestamp(begin.0 + 3 * 86_400_000_000);
    clock.set(later);
    wait_for(&app, |state| state.paused_since == Some(later)).await;
    let paused = summary(&app).await;
    assert_eq!((paused.last_fault.as_deref(), paused.owners_behind), (Some("status 500"), 1));
    // Nothing is delivered, also of others.
    receiver.answers(|_| Answer::Status(200));
    let tried = receiver.deliveries().len();
    write(&app, "bob", 20).await;
    assert_eq!(receiver.deliveries().len(), tried);
    app.store.resume_webhook("hook").await.unwrap();
    receiver.wait_for_revision(&["ada"], 2).await;
    receiver.wait_for_revision(&["bob"], 21).await;
    wait_for(&app, |state| state == WebhookState::default()).await;
    assert_eq!(without_repeats(&receiver.accepted()["bob"]), Vec::from_iter(1..=21));
}

async fn a_user_whose_event_fails_for_days_is_given_up_and_others_go_on(engine: Engine) {
    let receiver = Receiver::start().await;
    let begin = Clock::system().now();
    let clock = Clock::manual(begin);
    let app = TestApp::start_from_with_clock(engine, clock.clone(), &receiver.config("")).await;
    wait_until_registered(&app).await;
    receiver.answers(|body| Answer::Status(if body["data"]["owner"] == "ada" { 500 } else { 200 }));
    write(&app, "ada", 1).await;
    wait_for(&app, |state| state.failing_since == Some(begin)).await;
    write(&app, "bob", 1).await;
    wait_for(&app, |state| state == WebhookState::default()).await;
    clock.set(Timestamp(begin.0 + 3 * 86_400_000_000));
    let given_up = async {
        while summary(&app).await.owners_stalled == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(TIMEOUT, given_up).await.unwrap();
    assert_eq!(summary(&app).await.state.paused_since, None);
    let tried = receiver.deliveries().len();
    write(&app, "bob", 20).await;
    let found = receiver.wait_for_revision(&["bob"], 23).await;
    assert!(found[tried..].iter().all(|delivery| delivery.owner() == "bob"), "ada is not tried again");
    receiver.answers(|_| Answer::Status(200));
    app.store.resume_webhook("hook").await.unwrap();
    receiver.wait_for_revision(&["ada"], 2).await;
    assert_eq!(receiver.accepted()["ada"], [1, 2]);
}

async fn changes_that_were_trimmed_are_announced(engine: Engine) {
    let receiver = Receiver::start().await;
    let app = start(engine, &receiver, "").await;
    receiver.answers(|_| Answer::Status(503));
    write(&app, "ada", 4).await;
    receiver.wait(|found| !found.is_empty()).await;
    let id = app.client("ada").new_conversation().await;
    let trimmed = app.store.trim_changes(Clock::system().now()).await.unwrap();
    assert_eq!(trimmed, 6);
    app.client("ada").append(&id, "kept").await;
    receiver.answers(|_| Answer::Status(200));
    receiver.wait_for_revision(&["ada"], 7).await;
    let accepted_events: Vec<_> =
        receiver.deliveries().into_iter().filter(|delivery| delivery.answer == Answer::Status(200)).collect();
    let gap = accepted_events.iter().find(|delivery| delivery.body["type"] == "changes.lost").unwrap();
    let data = &gap.body["data"];
    let cursor = &data["cursor"];
    assert_eq!((&data["fromRevision"], &data["revision"]), (&json!(1), &json!(6)), "{accepted_events:?}");
    assert_eq!(gap.headers["webhook-id"], cursor.as_str().unwrap());
    let query = "query($after: String) { changes(after: $after) { nodes { __typename } } }";
    let rest = app.client("ada").data(query, json!({ "after": cursor })).await;
    assert_eq!(rest["changes"]["nodes"], json!([{ "__typename": "MessageAdded" }]));
    assert_eq!(accepted(&accepted_events)["ada"], [6, 7]);
}
