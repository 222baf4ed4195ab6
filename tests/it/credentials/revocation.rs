//! Tokens that are revoked before they expire: on all servers, and on what is open.

use std::time::Duration;

use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::harness::{Client, Engine, Program, Socket, TIMEOUT, back_end_token, shared_cluster, token};

const FOLLOW: &str = "subscription($id: ID!) { messageAdded(conversationId: $id) { node { content } } }";

/// The `jti` of a token.
fn id_of(token: &str) -> String {
    let claims = jsonwebtoken::dangerous::insecure_decode_claims::<Value>(token).unwrap();
    claims["jti"].as_str().unwrap().to_owned()
}

/// Waits until requests have this status.
async fn status_becomes(client: &Client, status: u16) {
    let becomes =
        async { while client.run("{ viewer { id } }", json!({})).await.status.as_u16() != status {} };
    timeout(TIMEOUT, becomes).await.unwrap_or_else(|_| panic!("not {status}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_is_locked_out_of_what_is_open_on_sqlite() {
    a_user_is_locked_out_of_what_is_open(Program::over(Engine::Sqlite).await, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_is_locked_out_of_what_is_open_on_replicas() {
    a_user_is_locked_out_of_what_is_open(Program::over(Engine::Postgres).await, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_is_locked_out_of_what_is_open_behind_row_level_security() {
    a_user_is_locked_out_of_what_is_open(Program::over(Engine::PostgresWithRowLevelSecurity).await, 1).await;
}

async fn a_user_is_locked_out_of_what_is_open(program: Program, servers: usize) {
    let mut running = Vec::new();
    for _ in 0..servers {
        running.push(program.serve(&[]).await);
    }
    let (first, last) = (&running[0], &running[servers - 1]);
    let (ada, bob) = (first.client("ada"), last.client("bob"));
    let id = ada.new_conversation().await;
    let bobs = bob.new_conversation().await;
    // What is open, on the other server: a socket, a stream, and a back end that acts for others.
    let mut socket = Socket::open(&last.url).await;
    socket.introduce(ada.token()).await;
    socket.subscribe("s", FOLLOW, json!({ "id": id })).await;
    socket.settle().await;
    let mut bobs_socket = Socket::open(&last.url).await;
    bobs_socket.introduce(bob.token()).await;
    bobs_socket.subscribe("s", FOLLOW, json!({ "id": bobs })).await;
    bobs_socket.settle().await;
    let follow = json!({ "query": FOLLOW, "variables": { "id": id } });
    let request =
        Client::new(&last.url, Some(ada.token().to_owned())).request(reqwest::Method::POST, "/graphql");
    let answer = request.header("accept", "text/event-stream").json(&follow).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let mut stream = answer.bytes_stream();

    let printed = program.printed(&["revoke", "user", "ada"]).await;
    assert!(printed.starts_with("user ada revoked issued_before="), "{printed}");
    let closed = socket.closed().await;
    assert_eq!((closed.code, closed.reason.as_str()), (4403, "the token was revoked"));
    let ends = async { while stream.next().await.is_some() {} };
    timeout(TIMEOUT, ends).await.expect("the stream ends");
    for server in &running {
        let client = Client::new(&server.url, Some(ada.token().to_owned()));
        status_becomes(&client, 401).await;
        let (code, message) = client.fault("{ viewer { id } }", json!({})).await;
        assert_eq!((code.as_str(), message.as_str()), ("UNAUTHENTICATED", "the token was revoked"));
        for path in ["/v1/conversations", "/v1/export"] {
            let refused = client.request(reqwest::Method::GET, path).send().await.unwrap();
            assert_eq!(refused.status(), 401, "{path}");
        }
        assert!(Socket::try_open(&server.url, ada.token()).await.is_none());
    }
    // Others are not concerned.
    bob.append(&bobs, "still here").await;
    assert_eq!(
        bobs_socket.receive().await["payload"]["data"]["messageAdded"]["node"]["content"],
        "still here"
    );

    // A server that starts knows it before its first answer.
    drop((socket, bobs_socket));
    for server in running {
        server.terminate().await;
        server.ended().await;
    }
    let fresh = program.serve(&[]).await;
    let client = Client::new(&fresh.url, Some(ada.token().to_owned()));
    assert_eq!(client.run("{ viewer { id } }", json!({})).await.status, 401);
    let listed = program.printed(&["revoke", "list", "--json"]).await;
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(
        (&listed["user"], &listed["token"], &listed["until"]),
        (&json!("ada"), &Value::Null, &Value::Null)
    );
    program.printed(&["revoke", "user", "ada", "--issued-before", "2026-01-01T00:00:00Z"]).await;
    status_becomes(&client, 200).await;
    let audit = program.printed(&["audit", "--json"]).await;
    assert_eq!(audit.matches("\"revokeTokens\"").count(), 2, "{audit}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_token_is_revoked_and_accepted_again() {
    let program = Program::believing();
    let server = program.serve(&[]).await;
    let lifetime = Duration::from_secs(600);
    let (stolen, own) = (token("ada", lifetime), token("ada", lifetime));
    let (stolen_client, own_client) =
        (server.client("ada").with_token(&stolen), server.client("ada").with_token(&own));
    let id = id_of(&stolen);
    let until = "2099-01-01T00:00:00Z";
    program.printed(&["revoke", "token", &id, "--until", until]).await;
    status_becomes(&stolen_client, 401).await;
    status_becomes(&own_client, 200).await;
    assert_eq!(
        program.printed(&["revoke", "list"]).await,
        format!("token {id} revoked until=2099-01-01T00:00:00.000000Z\n")
    );
    assert_eq!(
        program.printed(&["revoke", "token", &id, "--undo"]).await,
        format!("token {id} accepted again\n")
    );
    status_becomes(&stolen_client, 200).await;
    assert_eq!(program.printed(&["revoke", "list"]).await, "");

    // A back end is revoked by its own name, for every user that it acts for.
    let acting = server.client("ada").with_token(back_end_token(lifetime)).acting_for("ada");
    status_becomes(&acting, 200).await;
    program.printed(&["revoke", "user", "back end"]).await;
    status_becomes(&acting, 401).await;
    status_becomes(&own_client, 200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_operators_revoke_at_once() {
    let database = shared_cluster().create_database().await;
    let program = Program::believing().with("SCROLLBACK_DATABASE_URL", &database);
    program.printed(&["migrate", "up"]).await;
    let ids: Vec<String> = (0..8).map(|at| format!("token-{at}")).collect();
    futures_util::future::join_all(ids.iter().map(|id| async {
        program.printed(&["revoke", "token", id]).await;
    }))
    .await;
    let listed = program.printed(&["revoke", "list"]).await;
    for id in &ids {
        assert!(listed.contains(&format!("token {id} revoked\n")), "{listed}");
    }
}

#[tokio::test]
async fn wrong_arguments_are_named() {
    let program = Program::believing();
    let long = "x".repeat(8193);
    for (arguments, told) in [
        (vec!["user", ""], "USER must"),
        (vec!["token", ""], "ID must have 1 to 8192 bytes, has 0"),
        (vec!["token", &long], "ID must have 1 to 8192 bytes, has 8193"),
        (vec!["user", "ada", "--issued-before", "yesterday"], "--issued-before must"),
        (vec!["user", "ada", "--until", "2020-01-01T00:00:00Z"], "--until must be in the future"),
    ] {
        let refused = program.refused(&[&["revoke"], &arguments[..]].concat()).await;
        assert!(refused.contains(told), "{refused}");
    }
}
