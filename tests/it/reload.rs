//! Settings that are read again on SIGHUP.

use std::fs;

use serde_json::json;
use tokio::time::timeout;

use crate::harness::{Client, Program, Running, Socket, TIMEOUT};
use crate::webhooks::receiver::{Delivery, Receiver};

const CONFIG: &str = "scrollback.toml";
const READ: &str = "read the settings again";

fn configure(program: &Program, file: &str) {
    fs::write(program.folder().join(CONFIG), file).unwrap();
}

async fn token(program: &Program) -> String {
    program.printed(&["token", "--config", CONFIG, "--user", "ada"]).await.trim().to_owned()
}

fn ada(server: &Running, token: &str) -> Client {
    server.client("ada").with_token(token)
}

async fn status(client: &Client) -> u16 {
    client.run("{ viewer { id } }", json!({})).await.status.as_u16()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_and_limits_change_while_a_socket_goes_on() {
    const OLD: &str = "[auth]\njwt_secret = \"the old secret, thirty-two bytes\"\n";
    const NEW: &str = "[auth]\njwt_secret_file = \"secret\"\n";
    let program = Program::new();
    fs::write(program.folder().join("secret"), "the new secret, thirty-two bytes\n").unwrap();
    configure(&program, NEW);
    let new_token = token(&program).await;
    configure(&program, OLD);
    let old_token = token(&program).await;
    let server = program.serve(&["--config", CONFIG]).await;
    let (old, new) = (ada(&server, &old_token), ada(&server, &new_token));
    assert_eq!([status(&old).await, status(&new).await], [200, 401]);
    let id = old.new_conversation().await;
    let mut socket = Socket::open(&server.url).await;
    socket.introduce(&old_token).await;
    let follow = "subscription($id: ID!) { messageAdded(conversationId: $id) { node { content } } }";
    socket.subscribe("s", follow, json!({ "id": id })).await;
    socket.settle().await;

    // The secret, two limits, and a setting that needs a restart.
    let limits = "[limits]\ncost = 50\nmessage_bytes = 1024\n[server]\nbody_limit = 9000000\n";
    configure(&program, &format!("{NEW}{limits}"));
    server.signal("HUP").await;
    server.logged(READ).await;
    server.logged("need a restart settings=\"server.body_limit\"").await;
    assert_eq!([status(&old).await, status(&new).await], [401, 200]);
    new.append(&id, "to the old socket").await;
    assert_eq!(
        socket.receive().await["payload"]["data"]["messageAdded"]["node"]["content"],
        "to the old socket"
    );
    let query = "{ conversations { nodes { messages { nodes { id } } } } }";
    let (code, _) = new.fault(query, json!({})).await;
    assert_eq!(code, "QUERY_TOO_COMPLEX");
    let append = "mutation($input: AppendMessageInput!) { appendMessage(input: $input) { message { id } } }";
    let long = json!({ "input": { "conversationId": id, "role": "USER", "content": "x".repeat(2000) } });
    let (_, message) = new.fault(append, long.clone()).await;
    assert!(message.contains("1024"), "{message}");

    // What is not valid changes nothing.
    for (file, told) in [
        ("[auth]\njwt_secret = \"short\"\n".to_owned(), "`auth.jwt_secret` must have at least 32 bytes"),
        (format!("{NEW}[limits]\ncost = 0\n"), "the setting `limits.cost`"),
        ("[auth\n".to_owned(), "is not TOML"),
        (format!("{NEW}[limits]\nmessage_bytes = 16000000\n"), "twice `limits.message_bytes`"),
        (
            format!("{NEW}[[webhooks]]\nname = \"a\"\nurl = \"http://127.0.0.1\"\n"),
            "`webhooks[0].url` must begin with",
        ),
    ] {
        configure(&program, &file);
        server.signal("HUP").await;
        server.logged(told).await;
        assert_eq!([status(&old).await, status(&new).await], [401, 200], "{file}");
        assert_eq!(new.fault(query, json!({})).await.0, "QUERY_TOO_COMPLEX");
    }

    // The limits go, a rate comes.
    let rate = "[rate]\noperations_per_minute = 1\nburst = 3\n[log]\nlevel = \"debug\"\n";
    configure(&program, &format!("{NEW}{rate}"));
    server.signal("HUP").await;
    server.logged("rate.operations_per_minute").await;
    server.logged("changed the filter of the log filter=\"debug\"").await;
    new.data(append, long).await;
    let mut answers = Vec::new();
    for _ in 0..3 {
        answers.push(status(&new).await);
    }
    assert_eq!(answers, [200, 200, 429]);
    server.terminate().await;
    let (_, log) = server.ended().await;
    assert!(!log.contains("thirty-two bytes"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhooks_come_and_go() {
    let (first, second) = (Receiver::start().await, Receiver::start().await);
    let program = Program::believing().with("SCROLLBACK_SERVER_ADMIN_LISTEN", "127.0.0.1:0");
    configure(&program, "");
    let mut server = program.serve(&["--config", CONFIG]).await;
    let metrics = server.line().await.strip_prefix("Health and metrics: ").unwrap().to_owned();
    let ada = server.client("ada");
    let id = ada.new_conversation().await;
    // The second time with another receiver.
    let mut revision = 1;
    let mut replaced_at = 0;
    for (receiver, count) in [(&first, 1), (&second, 2)] {
        configure(&program, &receiver.config(""));
        server.signal("HUP").await;
        server.logged_times(READ, count).await;
        replaced_at = revision;
        // A new webhook begins with changes after it was registered, which is soon.
        let is_new = |found: &[Delivery]| found.iter().any(|found| found.revision() > replaced_at);
        let heard = async {
            loop {
                ada.append(&id, "for the webhook").await;
                revision += 1;
                if timeout(TIMEOUT / 30, receiver.wait(is_new)).await.is_ok() {
                    return;
                }
            }
        };
        timeout(TIMEOUT, heard).await.expect("a delivery in time");
        let text = reqwest::get(&metrics).await.unwrap().text().await.unwrap();
        assert!(text.contains("webhook=\"hook\""), "{text}");
    }
    assert!(
        first.deliveries().iter().all(|found| found.revision() <= replaced_at),
        "the first one was replaced"
    );
    configure(&program, "");
    server.signal("HUP").await;
    server.logged_times(READ, 3).await;
    let text = reqwest::get(&metrics).await.unwrap().text().await.unwrap();
    assert!(!text.contains("webhook=\"hook\""), "{text}");
    let before = second.deliveries().len();
    ada.append(&id, "unheard").await;
    server.terminate().await;
    server.ended().await;
    assert_eq!(second.deliveries().len(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn urls_with_passwords_can_be_in_files() {
    let program = Program::believing().with("SCROLLBACK_DATABASE_URL_FILE", "url");
    fs::write(program.folder().join("url"), "sqlite://from-a-file.db\n").unwrap();
    let server = program.serve(&[]).await;
    server.client("ada").new_conversation().await;
    assert!(program.folder().join("from-a-file.db").exists());
    server.terminate().await;
    server.ended().await;
    let twice = program.refused(&["--database-url", "sqlite://other.db"]).await;
    assert!(
        twice.contains("`database.url_file`") && twice.contains("set only one of it and `database.url`"),
        "{twice}"
    );
    fs::write(program.folder().join("url"), " \n").unwrap();
    let empty = program.refused(&[]).await;
    assert!(empty.contains("the file url is empty"), "{empty}");
    fs::write(program.folder().join("url"), "mysql://a:hidden@b/c").unwrap();
    let wrong = program.refused(&[]).await;
    assert!(wrong.contains("(from the file url)") && !wrong.contains("hidden"), "{wrong}");
    fs::remove_file(program.folder().join("url")).unwrap();
    let lost = program.refused(&[]).await;
    assert!(lost.contains("the file url cannot be read"), "{lost}");
}
