//! GraphQL over HTTP, to the letter of <https://graphql.github.io/graphql-over-http/draft/>.

use std::time::Duration;

use reqwest::header::{ACCEPT, ALLOW, AUTHORIZATION, CONTENT_TYPE, HeaderMap, WWW_AUTHENTICATE};
use reqwest::{Body, Method, RequestBuilder, StatusCode};
use scrollback::auth::{TokenRequirements, sign};
use scrollback::clock::Clock;
use scrollback::model::{OwnerId, Timestamp};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{Client, Engine, SECRET, TestApp, on_each_database, run_script, token};

on_each_database!(
    all_graphql_http_audits_pass,
    requests_without_valid_credentials_are_refused,
    get_runs_queries_and_nothing_else,
    other_methods_are_refused,
    form_content_types_are_refused,
    unacceptable_media_types_are_rejected_before_execution,
    a_body_over_the_limit_is_rejected_with_413,
    batches_are_refused,
    a_refused_document_has_a_code_and_no_data,
    results_have_the_shape_of_their_document,
    a_null_propagates_to_the_next_nullable_field,
);

const CREATE: &str = "mutation { createConversation(input: {}) { conversation { id } } }";

/// A response that was read completely.
struct ReadResponse {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl ReadResponse {
    async fn to(request: RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        Self { status, headers, text: response.text().await.unwrap() }
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {:?}", self.text))
    }

    /// The code of the one error; there is no data.
    fn code(&self) -> String {
        let body = self.json();
        assert_eq!(body["errors"].as_array().map(Vec::len), Some(1), "{body}");
        assert_eq!(body.get("data"), None, "a request error has no data: {body}");
        body["errors"][0]["extensions"]["code"].as_str().unwrap().to_owned()
    }

    fn header(&self, name: impl reqwest::header::AsHeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

fn post(client: &Client, query: &str) -> RequestBuilder {
    client.request(Method::POST, "/graphql").json(&json!({ "query": query }))
}

fn get(client: &Client, query: &str) -> RequestBuilder {
    let parameters = form_urlencoded::Serializer::new(String::new()).append_pair("query", query).finish();
    client.request(Method::GET, &format!("/graphql?{parameters}"))
}

/// Nothing of ada's was written.
async fn assert_nothing_written(app: &TestApp) {
    let data = app.client("ada").data("{ conversations { nodes { id } } }", json!({})).await;
    assert_eq!(data, json!({ "conversations": { "nodes": [] } }));
}

async fn all_graphql_http_audits_pass(app: TestApp) {
    run_script(&app, "audit.mjs").await;
}

async fn requests_without_valid_credentials_are_refused(app: TestApp) {
    let forged = |secret: &[u8], seconds: i64| {
        let at = Timestamp(Clock::system().now().0 + seconds * 1_000_000);
        sign(secret, &OwnerId::new("ada").unwrap(), at, &TokenRequirements::default()).unwrap()
    };
    let good = token("ada", Duration::from_secs(600));
    let payload = good.split('.').nth(1).unwrap();
    let cases = [
        (None, "credentials are missing: send `Authorization: Bearer <token>`"),
        (Some("Basic YWRhOmFkYQ==".into()), "credentials are missing: send `Authorization: Bearer <token>`"),
        (Some("Bearer nonsense".into()), "the token is not valid"),
        (
            Some(format!("Bearer {}", forged(b"a secret of somebody else's making", 600))),
            "the token is not valid",
        ),
        (Some(format!("Bearer eyJhbGciOiJub25lIn0.{payload}.")), "the token is not valid"),
        (Some(format!("Bearer {}", forged(SECRET.as_bytes(), -600))), "the token has expired"),
    ];
    let anonymous = app.anonymous();
    for (authorization, message) in cases {
        for request in [post(&anonymous, CREATE), get(&anonymous, "{ viewer { id } }")] {
            let request = match &authorization {
                Some(value) => request.header(AUTHORIZATION, value),
                None => request,
            };
            let reply = ReadResponse::to(request).await;
            assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{authorization:?}");
            let missing = message.starts_with("credentials");
            let challenge = if missing { "Bearer" } else { "Bearer error=\"invalid_token\"" };
            assert_eq!(reply.header(WWW_AUTHENTICATE), challenge);
            assert_eq!(reply.code(), "UNAUTHENTICATED");
            assert_eq!(reply.json()["errors"][0]["message"], message);
            let sent = authorization.as_deref().and_then(|value| value.split(' ').nth(1)).unwrap_or("eyJ");
            assert!(!reply.text.contains(sent), "nothing of the token comes back: {}", reply.text);
        }
    }
    assert_nothing_written(&app).await;
}

async fn get_runs_queries_and_nothing_else(app: TestApp) {
    let ada = app.client("ada");
    let reply = ReadResponse::to(get(&ada, "{ viewer { id } }")).await;
    assert_eq!(
        (reply.status, reply.json()),
        (StatusCode::OK, json!({ "data": { "viewer": { "id": "ada" } } }))
    );
    let reply = ReadResponse::to(get(&ada, CREATE)).await;
    assert_eq!((reply.status, reply.header(ALLOW)), (StatusCode::METHOD_NOT_ALLOWED, "POST"));
    assert_eq!(reply.code(), "BAD_REQUEST");
    // The operation that is named decides, not the document's first.
    let both = form_urlencoded::Serializer::new(String::new())
        .append_pair(
            "query",
            &format!("query Read {{ viewer {{ id }} }} {}", CREATE.replace("mutation", "mutation Write")),
        )
        .append_pair("operationName", "Write")
        .finish();
    let reply = ReadResponse::to(ada.request(Method::GET, &format!("/graphql?{both}"))).await;
    assert_eq!(reply.status, StatusCode::METHOD_NOT_ALLOWED);
    let follow =
        format!("subscription {{ messageAdded(conversationId: \"{}\") {{ cursor }} }}", uuid::Uuid::nil());
    for request in [get(&ada, &follow), post(&ada, &follow)] {
        let reply = ReadResponse::to(request).await;
        assert_eq!((reply.status, reply.code().as_str()), (StatusCode::NOT_ACCEPTABLE, "BAD_REQUEST"));
    }
    assert_nothing_written(&app).await;
}

async fn other_methods_are_refused(app: TestApp) {
    for method in [Method::PUT, Method::PATCH, Method::DELETE, Method::HEAD, Method::TRACE] {
        let request = app.client("ada").request(method.clone(), "/graphql").json(&json!({ "query": CREATE }));
        let reply = ReadResponse::to(request).await;
        assert_eq!(reply.status, StatusCode::METHOD_NOT_ALLOWED, "{method}");
        assert_eq!(reply.header(ALLOW), "GET, POST", "{method}");
    }
    assert_nothing_written(&app).await;
}

async fn form_content_types_are_refused(app: TestApp) {
    let ada = app.client("ada");
    let body = json!({ "query": CREATE }).to_string();
    for kind in [
        "text/plain",
        "text/plain; application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/graphql",
        "application/json; charset=utf-16",
        "",
    ] {
        let request = ada.request(Method::POST, "/graphql").header(CONTENT_TYPE, kind).body(body.clone());
        let reply = ReadResponse::to(request).await;
        assert_eq!(reply.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{kind}");
        assert_eq!(reply.code(), "BAD_REQUEST", "{kind}");
    }
    let reply = ReadResponse::to(ada.request(Method::POST, "/graphql").body(body)).await;
    assert_eq!(reply.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "without a content type");
    assert_nothing_written(&app).await;
}

async fn unacceptable_media_types_are_rejected_before_execution(app: TestApp) {
    let reply =
        ReadResponse::to(post(&app.client("ada"), CREATE).header(ACCEPT, "text/html, application/xml")).await;
    assert_eq!(reply.status, StatusCode::NOT_ACCEPTABLE);
    assert_eq!(reply.code(), "BAD_REQUEST");
    assert_nothing_written(&app).await;
}

async fn a_body_over_the_limit_is_rejected_with_413(app: TestApp) {
    const LIMIT: usize = 8 * 1024 * 1024;
    let ada = app.client("ada");
    let sized = |size: usize| {
        let body = json!({ "query": CREATE, "extensions": { "padding": "" } }).to_string();
        body.replace("\"\"", &format!("\"{}\"", "x".repeat(size - body.len())))
    };
    let send = |body: Body| {
        ada.request(Method::POST, "/graphql").header(CONTENT_TYPE, "application/json").body(body)
    };
    let chunked = |body: String| {
        let chunks: Vec<_> =
            body.into_bytes().chunks(100_000).map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec())).collect();
        Body::wrap_stream(futures_util::stream::iter(chunks))
    };
    for body in [sized(LIMIT + 1).into(), chunked(sized(LIMIT + 1))] {
        let reply = ReadResponse::to(send(body)).await;
        assert_eq!(reply.status, StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(reply.code(), "PAYLOAD_TOO_LARGE");
        assert_eq!(reply.json()["errors"][0]["message"], "the body must be at most 8388608 bytes");
    }
    assert_nothing_written(&app).await;
    for body in [sized(LIMIT).into(), chunked(sized(LIMIT))] {
        assert_eq!(ReadResponse::to(send(body)).await.status, StatusCode::OK, "a body of just the limit");
    }
    // A body that is announced as too large is refused before it is sent.
    let mut stream = TcpStream::connect(app.url.strip_prefix("http://").unwrap()).await.unwrap();
    let head = format!(
        "POST /graphql HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
         Content-Length: 104857600\r\nExpect: 100-continue\r\n\r\n",
        ada.token()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut status = [0; 12];
    stream.read_exact(&mut status).await.unwrap();
    assert_eq!(std::str::from_utf8(&status).unwrap(), "HTTP/1.1 413");
}

async fn batches_are_refused(app: TestApp) {
    let batch = json!([{ "query": CREATE }, { "query": CREATE }]);
    let reply = ReadResponse::to(app.client("ada").request(Method::POST, "/graphql").json(&batch)).await;
    assert_eq!((reply.status, reply.code().as_str()), (StatusCode::BAD_REQUEST, "BAD_REQUEST"));
    assert_eq!(reply.json()["errors"][0]["message"], "batches are not supported");
    assert_nothing_written(&app).await;
}

async fn a_refused_document_has_a_code_and_no_data(app: TestApp) {
    let ada = app.client("ada");
    let deep = format!(
        "{{ conversation(id: 1) {{ head {{ {}id{} }} }} }}",
        "conversation { head { ".repeat(10),
        " } }".repeat(10)
    );
    let typed = "query($id: ID!) { conversation(id: $id) { id } }";
    for (query, operation, variables, code) in [
        ("{ viewer { id }", Value::Null, json!({}), "GRAPHQL_PARSE_FAILED"),
        ("", Value::Null, json!({}), "GRAPHQL_PARSE_FAILED"),
        ("{ nothing }", Value::Null, json!({}), "GRAPHQL_VALIDATION_FAILED"),
        ("{ viewer }", Value::Null, json!({}), "GRAPHQL_VALIDATION_FAILED"),
        (
            "{ viewer { ...F } } fragment F on Viewer { ...F }",
            Value::Null,
            json!({}),
            "GRAPHQL_VALIDATION_FAILED",
        ),
        (typed, Value::Null, json!({ "id": [1] }), "BAD_USER_INPUT"),
        (typed, Value::Null, json!({}), "BAD_USER_INPUT"),
        (typed, Value::Null, json!({ "id": null }), "BAD_USER_INPUT"),
        ("query A { viewer { id } }", json!("B"), json!({}), "OPERATION_RESOLUTION_FAILURE"),
        (
            "query A { viewer { id } } query B { viewer { id } }",
            Value::Null,
            json!({}),
            "OPERATION_RESOLUTION_FAILURE",
        ),
        (&deep, Value::Null, json!({}), "QUERY_TOO_COMPLEX"),
    ] {
        let body = json!({ "query": query, "operationName": operation, "variables": variables });
        let request = ada.request(Method::POST, "/graphql").json(&body);
        for (accept, status) in [("application/json", 200), ("application/graphql-response+json", 400)] {
            let reply = ReadResponse::to(request.try_clone().unwrap().header(ACCEPT, accept)).await;
            assert_eq!((reply.code().as_str(), reply.status.as_u16()), (code, status), "{query}");
            assert!(reply.header(CONTENT_TYPE).starts_with(accept));
        }
    }
}

async fn results_have_the_shape_of_their_document(app: TestApp) {
    let ada = app.client("ada");
    let id = ada.new_conversation().await;
    // Mutations run one after another, in the document's order.
    let append = |name: &str| {
        let input = format!("{{ conversationId: \"{id}\", role: USER, content: \"{name}\" }}");
        format!("{name}: appendMessage(input: {input}) {{ message {{ content position }} }}")
    };
    let query = format!("mutation {{ {} {} {} }}", append("z"), append("a"), append("m"));
    let reply = ReadResponse::to(post(&ada, &query)).await;
    let message = |name: &str, position: u8| {
        format!(r#""{name}":{{"message":{{"content":"{name}","position":{position}}}}}"#)
    };
    let expected = format!(r#"{{"data":{{{},{},{}}}}}"#, message("z", 1), message("a", 2), message("m", 3));
    assert_eq!(reply.text, expected, "fields stand in the document's order");
    let query = "query($yes: Boolean!, $no: Boolean!) {
      viewer { a: id ...F @include(if: $no) id @skip(if: $yes) __typename ... on Viewer { b: id } }
    } fragment F on Viewer { never: id }";
    let body = json!({ "query": query, "variables": { "yes": true, "no": false } });
    let reply = ReadResponse::to(ada.request(Method::POST, "/graphql").json(&body)).await;
    assert_eq!(reply.text, r#"{"data":{"viewer":{"a":"ada","__typename":"Viewer","b":"ada"}}}"#);
}

async fn a_null_propagates_to_the_next_nullable_field(app: TestApp) {
    let ada = app.client("ada");
    let nobody = uuid::Uuid::nil();
    let query = format!("{{ viewer {{ id }} lost: conversation(id: \"{nobody}\") {{ id }} }}");
    let reply =
        ReadResponse::to(post(&ada, &query).header(ACCEPT, "application/graphql-response+json")).await;
    assert_eq!(reply.status, StatusCode::OK, "a result with an error in it is a result");
    let body = reply.json();
    assert_eq!(body["data"], json!({ "viewer": { "id": "ada" }, "lost": null }));
    assert_eq!(body["errors"][0]["path"], json!(["lost"]));
    assert_eq!(body["errors"][0]["locations"], json!([{ "line": 1, "column": 17 }]));
    let input = format!("{{ conversationId: \"{nobody}\", role: USER, content: \"x\" }}");
    let query = format!("mutation {{ appendMessage(input: {input}) {{ message {{ id }} }} }}");
    let reply =
        ReadResponse::to(post(&ada, &query).header(ACCEPT, "application/graphql-response+json")).await;
    let body = reply.json();
    assert_eq!((reply.status, body.get("data")), (StatusCode::OK, Some(&Value::Null)));
    assert_eq!(body["errors"][0]["path"], json!(["appendMessage"]));
}

#[tokio::test]
async fn browsers_may_call_from_the_configured_origins_only() {
    let app = TestApp::start_with(Engine::Sqlite, &[("server.cors_origins", "https://chat.example")]).await;
    let ada = app.client("ada");
    let preflight = async |origin: &str| {
        let request = app.anonymous().request(Method::OPTIONS, "/graphql").header("origin", origin);
        let request = request.header("access-control-request-method", "POST");
        ReadResponse::to(request.header("access-control-request-headers", "authorization,content-type")).await
    };
    let allowed = preflight("https://chat.example").await;
    assert_eq!(allowed.status, StatusCode::OK);
    assert_eq!(allowed.header("access-control-allow-origin"), "https://chat.example");
    assert_eq!(allowed.header("access-control-allow-methods"), "GET,POST,PUT,DELETE");
    assert_eq!(
        allowed.header("access-control-allow-headers"),
        "idempotency-key,openai-organization,openai-project,x-stainless-arch,x-stainless-helper-method,\
         x-stainless-lang,x-stainless-os,x-stainless-package-version,x-stainless-retry-count,x-stainless-runtime,\
         x-stainless-runtime-version,x-stainless-timeout,\
         authorization,content-type,accept,last-event-id,scrollback-act-as,content-range,range"
    );
    assert_eq!(allowed.header("access-control-allow-credentials"), "", "no cookie is ever read");
    let answered =
        ReadResponse::to(post(&ada, "{ viewer { id } }").header("origin", "https://chat.example")).await;
    assert_eq!(answered.header("access-control-allow-origin"), "https://chat.example");
    assert_eq!(
        answered.header("access-control-expose-headers"),
        "x-request-id,retry-after,content-range,content-disposition,etag,upload-offset,upload-length"
    );
    for foreign in ["https://evil.example", "https://chat.example.evil.example", "null"] {
        assert_eq!(preflight(foreign).await.header("access-control-allow-origin"), "", "{foreign}");
        let answered = ReadResponse::to(post(&ada, "{ viewer { id } }").header("origin", foreign)).await;
        assert_eq!(answered.header("access-control-allow-origin"), "", "{foreign}");
    }
}

#[tokio::test]
async fn every_response_has_a_request_id() {
    let app = TestApp::start(Engine::Sqlite).await;
    let ada = app.client("ada");
    let mut seen = std::collections::BTreeSet::new();
    for (request, status) in [
        (post(&ada, "{ viewer { id } }"), 200),
        (post(&app.anonymous(), "{ viewer { id } }"), 401),
        (ada.request(Method::PUT, "/graphql"), 405),
        (ada.request(Method::POST, "/graphql"), 415),
    ] {
        let reply = ReadResponse::to(request).await;
        assert_eq!(reply.status, status);
        assert!(seen.insert(uuid::Uuid::parse_str(reply.header("x-request-id")).unwrap()));
        assert_eq!(reply.header("cache-control"), "no-store");
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
    }
}

#[tokio::test]
async fn health_checks_need_no_credentials() {
    let app = TestApp::start(Engine::Sqlite).await;
    for path in ["/livez", "/readyz"] {
        let reply = ReadResponse::to(app.anonymous().request(Method::GET, path)).await;
        assert_eq!((reply.status, reply.text.as_str()), (StatusCode::OK, "ok\n"), "{path}");
    }
}
