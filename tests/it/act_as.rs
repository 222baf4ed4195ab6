//! Back ends that act for users: access, recorded actors, and errors.

use std::collections::BTreeSet;
use std::time::Duration;

use jsonwebtoken::{EncodingKey, Header, encode};
use reqwest::Method;
use scrollback::model::{AuditAction, AuditActor, AuditFilter, AuditedOwner, OwnerId};
use serde_json::{Value, json};

use crate::harness::{
    Client, Engine, EventStream, SECRET, Socket, TestApp, back_end_token, on_each_database,
};

on_each_database!(
    every_change_records_its_actor,
    acting_for_a_user_gives_no_other_access,
    sockets_and_streams_act_too,
    existing_rows_have_no_actor,
);

const CHANGES: &str = "{ changes(first: 100) { nodes { __typename conversationId actor } } }";

/// The changes of a viewer, each with its actor.
async fn changes(client: &Client) -> Vec<(String, Value)> {
    let data = client.data(CHANGES, json!({})).await;
    let nodes = data["changes"]["nodes"].as_array().unwrap().iter();
    nodes.map(|node| (node["__typename"].as_str().unwrap().to_owned(), node["actor"].clone())).collect()
}

/// Every mutation of a user's data that there is, in an order in which each succeeds, and the changes it makes.
const MUTATIONS: &[(&str, &str, &[&str])] = &[
    ("createConversation", "(input: { id: $c }) { conversation { id } }", &["ConversationCreated"]),
    (
        "updateConversation",
        "(input: { id: $c, title: \"t\" }) { conversation { id } }",
        &["ConversationUpdated"],
    ),
    (
        "appendMessage",
        "(input: { conversationId: $c, id: $m, role: USER, content: \"a\" }) { message { id } }",
        &["MessageAdded"],
    ),
    (
        "appendMessages",
        "(input: { conversationId: $c, messages: [{ role: USER, content: \"b\" }, \
         { id: $s, role: ASSISTANT, status: STREAMING }] }) { messages { id } }",
        &["MessageAdded", "MessageAdded"],
    ),
    ("appendMessageText", "(input: { messageId: $s, offset: 0, text: \"c\" }) { length }", &[]),
    ("stopMessage", "(input: { messageId: $s }) { message { id } }", &[]),
    ("finishMessage", "(input: { messageId: $s, status: COMPLETE }) { message { id } }", &["MessageUpdated"]),
    ("updateMessage", "(input: { id: $m, content: \"d\" }) { message { id } }", &["MessageUpdated"]),
    ("setMessageFeedback", "(input: { messageId: $m, rating: UP }) { message { id } }", &["MessageUpdated"]),
    (
        "appendMessage",
        "(input: { conversationId: $c, parentId: null, role: USER, content: \"e\" }) { message { id } }",
        &["MessageAdded"],
    ),
    (
        "switchBranch",
        "(input: { conversationId: $c, leafId: $s }) { conversation { id } }",
        &["ConversationUpdated"],
    ),
    (
        "markRead",
        "(input: { conversationId: $c, position: 0, backward: true }) { conversation { id } }",
        &["ConversationUpdated"],
    ),
    (
        "shareConversation",
        "(input: { id: $h, conversationId: $c }) { share { id } }",
        &["ConversationUpdated"],
    ),
    (
        "createAttachment",
        "(input: { id: $a, mediaType: \"text/plain\", byteSize: 1, sha256: \
         \"0000000000000000000000000000000000000000000000000000000000000000\" }) { attachment { id } }",
        &[],
    ),
    ("deleteAttachment", "(input: { id: $a }) { deletedAttachmentId }", &[]),
    ("revokeShare", "(input: { id: $h }) { revokedShareId }", &["ConversationUpdated"]),
    ("trashConversation", "(input: { id: $c }) { conversation { id } }", &["ConversationUpdated"]),
    ("restoreConversation", "(input: { id: $c }) { conversation { id } }", &["ConversationUpdated"]),
    ("deleteMessage", "(input: { id: $m }) { message { id } }", &["MessageDeleted"]),
    ("clearConversation", "(input: { id: $c }) { conversation { id } }", &["MessageDeleted"; 3]),
    ("deleteConversation", "(input: { id: $c }) { deletedConversationId }", &["ConversationDeleted"]),
];

async fn every_change_records_its_actor(app: TestApp) {
    let (ada, back_end) = (app.client("ada"), app.back_end());
    let acting = back_end.acting_for("ada");
    let known = ada.data("{ __schema { mutationType { fields { name } } } }", json!({})).await;
    let fields = known["__schema"]["mutationType"]["fields"].as_array().unwrap();
    let mut fields: BTreeSet<_> = fields.iter().map(|field| field["name"].as_str().unwrap()).collect();
    // It is of no user: see `user_erasure`.
    assert!(fields.remove("eraseUser"));
    assert_eq!(fields, MUTATIONS.iter().map(|(name, ..)| *name).collect(), "a mutation without a case");
    let variables = json!({
        "c": "0197a1b2-0000-7000-8000-000000000001",
        "m": "0197a1b2-0000-7000-8000-000000000002",
        "s": "0197a1b2-0000-7000-8000-000000000003",
        "h": "0197a1b2-0000-7000-8000-000000000004",
        "a": "0197a1b2-0000-7000-8000-000000000005",
    });
    let mut expected = Vec::new();
    for (name, rest, made) in MUTATIONS {
        // Unused variables are not valid: only those that the field names are declared.
        let names = ["c", "m", "s", "h", "a"].into_iter().filter(|name| rest.contains(&format!("${name}")));
        let declared: Vec<_> = names.map(|name| format!("${name}: ID!")).collect();
        let query = format!("mutation({}) {{ {name}{rest} }}", declared.join(", "));
        acting.data(&query, variables.clone()).await;
        expected.extend(made.iter().map(|kind| ((*kind).to_owned(), json!("back end"))));
        assert_eq!(changes(&ada).await, expected, "{name}");
    }
    // What the user does themselves has none.
    ada.new_conversation().await;
    expected.push(("ConversationCreated".into(), Value::Null));
    assert_eq!(changes(&ada).await, expected);
    assert_eq!(changes(&acting).await, expected);
    assert_eq!(changes(&back_end).await, []);
    // The audit log has the same, without text that is appended to a stream.
    let audited = app.store.audit_entries(&AuditFilter::default(), 0, 100).await.unwrap();
    let audited: Vec<_> = audited.into_iter().map(|(_, entry)| entry).collect();
    let names = audited.iter().map(|entry| entry.action.name());
    let expected = MUTATIONS.iter().map(|(name, ..)| *name).filter(|name| *name != "appendMessageText");
    let expected = expected.map(|name| if name == "appendMessage" { "appendMessages" } else { name });
    assert_eq!(names.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    let back_end = AuditActor::BackEnd(OwnerId::new("back end").unwrap());
    let ada = AuditedOwner::Known(OwnerId::new("ada").unwrap());
    for entry in &audited {
        assert_eq!((&entry.actor, entry.owner.as_ref()), (&back_end, Some(&ada)), "{entry:?}");
        let is_of_message =
            entry.action.name().contains("essage") || entry.action == AuditAction::ClearConversation;
        assert_eq!(entry.message.is_some(), is_of_message, "{entry:?}");
        let is_of_conversation = !matches!(
            entry.action,
            AuditAction::StopMessage | AuditAction::CreateAttachment | AuditAction::DeleteAttachment
        );
        assert_eq!(entry.conversation.is_some(), is_of_conversation, "{entry:?}");
    }
    let counts: Vec<_> = audited.iter().filter_map(|entry| entry.count).collect();
    assert_eq!(counts, [1, 2, 1, 1, 1, 1, 1, 3], "of messages");
}

async fn acting_for_a_user_gives_no_other_access(app: TestApp) {
    let (ada, bob, back_end) = (app.client("ada"), app.client("bob"), app.back_end());
    let own = back_end.new_conversation().await;
    let bobs = bob.new_conversation().await;
    let acting = back_end.acting_for("ada");
    let id = acting.new_conversation().await;
    let who = "{ viewer { id actor } conversations { nodes { id } } }";
    let told = |viewer: Value, ids: &[&str]| {
        let nodes: Vec<_> = ids.iter().map(|id| json!({ "id": id })).collect();
        json!({ "viewer": viewer, "conversations": { "nodes": nodes } })
    };
    assert_eq!(acting.data(who, json!({})).await, told(json!({ "id": "ada", "actor": "back end" }), &[&id]));
    assert_eq!(ada.data(who, json!({})).await, told(json!({ "id": "ada", "actor": null }), &[&id]));
    assert_eq!(
        back_end.data(who, json!({})).await,
        told(json!({ "id": "back end", "actor": null }), &[&own])
    );
    let conversation = "query($id: ID!) { conversation(id: $id) { id } }";
    for foreign in [&own, &bobs] {
        assert_eq!(acting.fault(conversation, json!({ "id": foreign })).await.0, "NOT_FOUND");
    }
    // A repeat by another actor is the same repeat.
    let create = "mutation($id: ID!) { createConversation(input: { id: $id }) { conversation { id } } }";
    let twice = json!({ "id": "0197a1b2-0000-7000-8000-00000000000a" });
    acting.data(create, twice.clone()).await;
    ada.data(create, twice).await;
    assert_eq!(changes(&ada).await.len(), 2);
    // It may name itself; that is still acting.
    let itself = back_end.acting_for("back end").data(who, json!({})).await;
    assert_eq!(itself, told(json!({ "id": "back end", "actor": "back end" }), &[&own]));
}

async fn sockets_and_streams_act_too(app: TestApp) {
    let follow = "subscription { changes { __typename actor } }";
    let token = back_end_token(Duration::from_secs(600));
    let mut in_payload = Socket::open(&app.url).await;
    let payload = json!({ "authorization": format!("Bearer {token}"), "scrollback-act-as": "ada" });
    in_payload.send(json!({ "type": "connection_init", "payload": payload })).await;
    assert_eq!(in_payload.receive().await["type"], "connection_ack");
    let bearer = format!("Bearer {token}");
    let headers = [
        ("sec-websocket-protocol", "graphql-transport-ws"),
        ("authorization", bearer.as_str()),
        ("scrollback-act-as", "ada"),
    ];
    let mut in_headers = Socket::open_with(&app.url, &headers).await;
    in_headers.send(json!({ "type": "connection_init" })).await;
    assert_eq!(in_headers.receive().await["type"], "connection_ack");
    let mut stream = EventStream::open(&app.back_end().acting_for("ada"), follow, json!({}), None).await;
    for socket in [&mut in_payload, &mut in_headers] {
        socket.subscribe("who", "{ viewer { id actor } }", json!({})).await;
        let who = socket.receive().await["payload"]["data"]["viewer"].clone();
        assert_eq!(who, json!({ "id": "ada", "actor": "back end" }));
        assert_eq!(socket.receive().await["type"], "complete");
        socket.subscribe("s", follow, json!({})).await;
    }
    in_payload
        .subscribe("m", "mutation { createConversation(input: {}) { conversation { id } } }", json!({}))
        .await;
    // Without a cursor a subscription begins when the server gets to it: changes are made until it has.
    let maker = tokio::spawn({
        let acting = app.back_end().acting_for("ada");
        async move {
            loop {
                acting.new_conversation().await;
            }
        }
    });
    let told = json!({ "__typename": "ConversationCreated", "actor": "back end" });
    for socket in [&mut in_payload, &mut in_headers] {
        loop {
            let message = socket.receive().await;
            if message["id"] == "s" {
                assert_eq!(message["payload"]["data"]["changes"], told);
                break;
            }
        }
    }
    assert_eq!(stream.next().await.unwrap().data["data"]["changes"], told);
    maker.abort();
}

async fn existing_rows_have_no_actor(app: TestApp) {
    app.client("ada").new_conversation().await;
    let app = app.restart().await;
    assert_eq!(changes(&app.client("ada")).await, [("ConversationCreated".into(), Value::Null)]);
}

/// The status, the code and the message that a request is answered with.
async fn refusal(client: &Client) -> (u16, String, String) {
    let answer =
        client.run("mutation { createConversation(input: {}) { conversation { id } } }", json!({})).await;
    let error = &answer.body["errors"][0];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (answer.status.as_u16(), text(&error["extensions"]["code"]), text(&error["message"]))
}

fn signed(changes: &Value) -> String {
    let mut claims = json!({ "sub": "back end", "exp": 9_999_999_999_u64 });
    claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    encode(&Header::default(), &claims, &EncodingKey::from_secret(SECRET.as_bytes())).unwrap()
}

#[tokio::test]
async fn only_the_scope_allows_it() {
    let app = TestApp::start(Engine::Sqlite).await;
    let acting = |claims: Value| app.anonymous().with_token(signed(&claims)).acting_for("ada");
    for claims in [
        json!({ "scope": "scrollback:act-as" }),
        json!({ "scope": "openid scrollback:act-as chat" }),
        json!({ "scp": ["openid", "scrollback:act-as"] }),
        json!({ "scp": "scrollback:act-as" }),
        json!({ "scope": "openid", "scp": ["scrollback:act-as"] }),
    ] {
        let data = acting(claims.clone()).data("{ viewer { id } }", json!({})).await;
        assert_eq!(data["viewer"]["id"], "ada", "{claims}");
    }
    let message = "acting for another user requires a token with the scope `scrollback:act-as`";
    for claims in [
        json!({}),
        json!({ "scope": "" }),
        json!({ "scope": null, "scp": 7 }),
        json!({ "scope": "scrollback:act-as-not" }),
        json!({ "scope": "SCROLLBACK:ACT-AS" }),
        json!({ "scope": "scrollback:act-as,chat" }),
        json!({ "scope": { "scrollback:act-as": true } }),
        json!({ "scp": [["scrollback:act-as"]] }),
        json!({ "scopes": "scrollback:act-as", "role": "scrollback:act-as" }),
    ] {
        assert_eq!(
            refusal(&acting(claims.clone())).await,
            (403, "FORBIDDEN".into(), message.into()),
            "{claims}"
        );
        let mut socket = Socket::open(&app.url).await;
        let payload =
            json!({ "Authorization": format!("Bearer {}", signed(&claims)), "Scrollback-Act-As": "ada" });
        socket.send(json!({ "type": "connection_init", "payload": payload })).await;
        let closed = socket.closed().await;
        assert_eq!((closed.code, closed.reason.as_str()), (4403, message));
    }
    // Not even for oneself, and not with a token that is not believed.
    assert_eq!(refusal(&app.client("ada").acting_for("ada")).await.1, "FORBIDDEN");
    assert_eq!(refusal(&app.anonymous().acting_for("ada")).await.1, "UNAUTHENTICATED");
    assert_eq!(changes(&app.client("ada")).await, []);
}

#[tokio::test]
async fn invalid_act_as_headers_are_refused() {
    let app = TestApp::start(Engine::Sqlite).await;
    let long = "x".repeat(256);
    for (named, rule) in [("", "must not be empty"), (long.as_str(), "must be at most 255 bytes")] {
        let message = format!("`Scrollback-Act-As` {rule}");
        assert_eq!(refusal(&app.back_end().acting_for(named)).await, (400, "BAD_USER_INPUT".into(), message));
    }
    let ask = |request: reqwest::RequestBuilder| async {
        let answer = request.json(&json!({ "query": "{ viewer { id } }" })).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let post = || app.back_end().request(Method::POST, "/graphql");
    let (status, body) = ask(post().header("scrollback-act-as", &b"zo\xeb"[..])).await;
    assert_eq!(
        (status, &body["errors"][0]["message"]),
        (400, &json!("`Scrollback-Act-As` must be in UTF-8"))
    );
    let twice = post().header("scrollback-act-as", "ada").header("scrollback-act-as", "bob");
    let (status, body) = ask(twice).await;
    assert_eq!(
        (status, &body["errors"][0]["message"]),
        (400, &json!("`Scrollback-Act-As` must be given once"))
    );
    let (_, body) = ask(post().header("scrollback-act-as", "zoë".as_bytes())).await;
    assert_eq!(body["data"]["viewer"]["id"], "zoë");
    let bearer = format!("Bearer {}", back_end_token(Duration::from_secs(60)));
    for (named, reason) in [
        (json!({ "Scrollback-Act-As": "" }), "`Scrollback-Act-As` must not be empty"),
        (json!({ "Scrollback-Act-As": null }), "`Scrollback-Act-As` must be a string"),
        (json!({ "Scrollback-Act-As": ["ada"] }), "`Scrollback-Act-As` must be a string"),
        (
            json!({ "Scrollback-Act-As": "ada", "scrollback-act-as": "bob" }),
            "`Scrollback-Act-As` must be given once",
        ),
        (json!({ "Scrollback-Act-As": "a\u{0}b" }), "`Scrollback-Act-As` must not contain NUL"),
    ] {
        let mut payload = named.clone();
        payload["Authorization"] = json!(bearer);
        let mut socket = Socket::open(&app.url).await;
        socket.send(json!({ "type": "connection_init", "payload": payload })).await;
        let closed = socket.closed().await;
        assert_eq!((closed.code, closed.reason.as_str()), (4403, reason), "{named}");
    }
}

#[tokio::test]
async fn acting_ends_when_the_back_ends_token_expires() {
    let app = TestApp::start_with(Engine::Sqlite, &[("auth.leeway", "0s")]).await;
    let mut socket = Socket::open(&app.url).await;
    let short = back_end_token(Duration::from_secs(2));
    let payload = json!({ "Authorization": format!("Bearer {short}"), "Scrollback-Act-As": "ada" });
    socket.send(json!({ "type": "connection_init", "payload": payload })).await;
    assert_eq!(socket.receive().await["type"], "connection_ack");
    assert_eq!(socket.closed().await.code, 4403);
    let late = app
        .anonymous()
        .with_token(signed(&json!({ "exp": 1, "scope": "scrollback:act-as" })))
        .acting_for("ada");
    assert_eq!(refusal(&late).await.1, "UNAUTHENTICATED");
}

#[tokio::test]
async fn a_front_end_of_another_origin_may_send_the_header() {
    let app = TestApp::start_with(Engine::Sqlite, &[("server.cors_origins", "https://chat.example")]).await;
    let preflight = app.anonymous().request(Method::OPTIONS, "/graphql");
    let preflight = preflight
        .header("origin", "https://chat.example")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "scrollback-act-as");
    let allowed = preflight.send().await.unwrap();
    let allowed = allowed.headers()["access-control-allow-headers"].to_str().unwrap().to_owned();
    assert!(allowed.split(',').any(|name| name.trim() == "scrollback-act-as"), "{allowed}");
}
