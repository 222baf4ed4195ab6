//! NATS over TLS, with a password: signals between servers, and the publisher to JetStream.

use async_nats::ConnectOptions;
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::harness::{Authority, Engine, Nats, Program, Socket, TIMEOUT};

const FOLLOW: &str = "subscription($id: ID!) { messageAdded(conversationId: $id) { node { content } } }";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signals_and_publications_go_over_tls() {
    let authority = Authority::new();
    let nats = Nats::start_secured(&authority);
    let url = nats.url_as("tls", "chat:s3cret");
    let program = Program::over(Engine::Postgres)
        .await
        .with("SCROLLBACK_FEED_POLL", "1h")
        .with("SCROLLBACK_FEED_SIGNALS", &url)
        .with("SSL_CERT_FILE", authority.file().to_str().unwrap());
    let options = ConnectOptions::new().add_root_certificates(authority.file()).require_tls(true);
    let client = options.user_and_password("chat".into(), "s3cret".into()).connect(nats.url()).await.unwrap();
    let mut published = client.subscribe("chat.events.>").await.unwrap();
    let stream = json!({ "name": "EVENTS", "subjects": ["chat.events.>"] }).to_string();
    let create = async {
        loop {
            // JetStream is ready a little later than NATS.
            let asked = client.request("$JS.API.STREAM.CREATE.EVENTS", stream.clone().into()).await;
            if let Ok(created) = asked {
                return serde_json::from_slice::<Value>(&created.payload).unwrap();
            }
        }
    };
    let created = timeout(TIMEOUT, create).await.expect("JetStream answers in time");
    assert_eq!(created.get("error"), None, "{created}");

    let one = program.serve(&[]).await;
    let program =
        program.with("SCROLLBACK_JETSTREAM_URL", &url).with("SCROLLBACK_JETSTREAM_SUBJECT", "chat.events");
    let two = program.serve(&[]).await;
    let ada = one.client("ada");
    let id = ada.new_conversation().await;
    let mut socket = Socket::open(&two.url).await;
    socket.introduce(ada.token()).await;
    socket.subscribe("s", FOLLOW, json!({ "id": id })).await;
    socket.settle().await;
    // Until both are connected a signal can be lost; nothing polls.
    let heard = async {
        loop {
            ada.append(&id, "signalled").await;
            match timeout(TIMEOUT / 30, socket.receive()).await {
                Ok(message) if message["type"] == "next" => return message,
                _ => {}
            }
        }
    };
    let heard = timeout(TIMEOUT, heard).await.expect("a signal in time");
    assert_eq!(heard["payload"]["data"]["messageAdded"]["node"]["content"], "signalled", "{heard}");
    // The publisher begins with changes after it was registered.
    let event = async {
        loop {
            ada.append(&id, "published").await;
            if let Ok(event) = timeout(TIMEOUT / 30, published.next()).await {
                return event.unwrap();
            }
        }
    };
    let event = timeout(TIMEOUT, event).await.expect("an event in time");
    assert!(event.subject.starts_with("chat.events."), "{}", event.subject);

    let found = program.run(&["doctor"]).await.stdout;
    let found = String::from_utf8(found).unwrap();
    assert!(found.contains("the server of `feed.signals` answers"), "{found}");
    // The certificate of another authority, and a wrong password.
    let other = Authority::new();
    let distrusting = Program::believing()
        .with("SCROLLBACK_FEED_SIGNALS", &url)
        .with("SSL_CERT_FILE", other.file().to_str().unwrap());
    let wrong = Program::believing()
        .with("SCROLLBACK_FEED_SIGNALS", nats.url_as("tls", "chat:wrong-one"))
        .with("SSL_CERT_FILE", authority.file().to_str().unwrap());
    for (program, told) in [(distrusting, "certificate"), (wrong, "authorization violation")] {
        let found = String::from_utf8(program.run(&["doctor"]).await.stdout).unwrap();
        assert!(found.contains("error    nats: the server of `feed.signals`: cannot connect"), "{found}");
        assert!(found.to_lowercase().contains(&told.to_lowercase()), "{told}: {found}");
        assert!(!found.contains("s3cret") && !found.contains("wrong-one"), "{found}");
    }
}
