//! Tokens of issuers with a key set URL, including hostile ones.

mod revocation;
mod rotation;
mod tls;

use std::time::{Duration, Instant};

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Client, Engine, KeyServer, Program, SigningKey, Socket, TIMEOUT, TestApp};

/// A public key of 1,024 bits.
const SMALL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/credentials/rsa1024.pem");

/// A server that trusts the keys at a URL.
async fn app(keys: &KeyServer, settings: &[(&'static str, &str)]) -> TestApp {
    let url = [("auth.jwt_secret", ""), ("auth.jwks_url", keys.url.as_str())];
    TestApp::start_with(Engine::Sqlite, &[&url, settings].concat()).await
}

/// The status, and the viewer or the code of the error.
async fn authenticate(app: &TestApp, token: &str) -> (u16, String) {
    let client = app.anonymous().with_token(token);
    let answer = client.run("{ viewer { id } }", json!({})).await;
    let told = match answer.body.get("errors") {
        Some(errors) => &errors[0]["extensions"]["code"],
        None => &answer.body["data"]["viewer"]["id"],
    };
    (answer.status.as_u16(), told.as_str().unwrap_or_else(|| panic!("{answer:?}")).to_owned())
}

fn ada() -> (u16, String) {
    (200, "ada".into())
}

fn refused() -> (u16, String) {
    (401, "UNAUTHENTICATED".into())
}

fn unavailable() -> (u16, String) {
    (503, "UNAVAILABLE".into())
}

/// Asks again and again until the answer is this.
async fn until(app: &TestApp, token: &str, wanted: (u16, String)) {
    let deadline = Instant::now() + TIMEOUT;
    while authenticate(app, token).await != wanted {
        assert!(Instant::now() < deadline, "never {wanted:?}");
    }
}

async fn readiness(client: &Client) -> StatusCode {
    client.request(Method::GET, "/readyz").send().await.unwrap().status()
}

#[tokio::test]
async fn each_key_of_a_set_is_used_with_its_algorithm() {
    let keys = KeyServer::start().await;
    let rsa = SigningKey::new("rsa", Algorithm::RS256);
    let ec = SigningKey::new("ec", Algorithm::ES256);
    let ed = SigningKey::new("ed", Algorithm::EdDSA);
    let enc = SigningKey::new("enc", Algorithm::RS256);
    let signer = SigningKey::new("signer", Algorithm::ES256);
    let secret = b"a secret in a public place, 32 b";
    keys.tell(&[
        rsa.jwk(&json!({ "alg": null })),
        ec.jwk(&json!({ "use": null, "key_ops": ["verify"] })),
        ed.jwk(&json!({})),
        enc.jwk(&json!({ "use": "enc" })),
        signer.jwk(&json!({ "use": null, "key_ops": ["sign"] })),
        json!({ "kty": "oct", "kid": "oct", "alg": "HS256", "k": "YSBzZWNyZXQgaW4gYSBwdWJsaWMgcGxhY2UsIDMyIGI" }),
        json!({ "kty": "new-kind", "kid": "new" }),
        json!("nonsense"),
    ]);
    let app = app(&keys, &[]).await;
    for key in [&rsa, &ec, &ed] {
        assert_eq!(authenticate(&app, &key.token()).await, ada(), "{}", key.id);
    }
    for key in [&enc, &signer] {
        assert_eq!(authenticate(&app, &key.token()).await, refused(), "{}", key.id);
    }
    let oct = Header { kid: Some("oct".into()), ..Header::new(Algorithm::HS256) };
    let claims = json!({ "sub": "ada", "exp": 9_999_999_999_u64 });
    let by_secret = encode(&oct, &claims, &EncodingKey::from_secret(secret)).unwrap();
    assert_eq!(
        authenticate(&app, &by_secret).await,
        refused(),
        "a secret in a public key set is not accepted"
    );
    // One of several keys must be named, by its own name, and is used with its own algorithm.
    let nameless = rsa.token_with(&Header::new(Algorithm::RS256), &json!({}));
    assert_eq!(authenticate(&app, &nameless).await, refused());
    let misnamed = rsa.token_with(&Header { kid: Some("ec".into()), ..rsa.header() }, &json!({}));
    assert_eq!(authenticate(&app, &misnamed).await, refused());
    let pss = rsa.token_with(&Header { alg: Algorithm::PS256, ..rsa.header() }, &json!({}));
    assert_eq!(authenticate(&app, &pss).await, refused());
    // The modulus is no secret of HMAC's.
    let modulus = rsa.jwk(&json!({}))["n"].as_str().unwrap().to_owned();
    let header = Header { kid: Some("rsa".into()), ..Header::new(Algorithm::HS256) };
    let confused = encode(&header, &claims, &EncodingKey::from_secret(modulus.as_bytes())).unwrap();
    assert_eq!(authenticate(&app, &confused).await, refused());
}

#[tokio::test]
async fn a_single_key_needs_no_kid() {
    let (keys, key) = (KeyServer::start().await, SigningKey::new("only", Algorithm::EdDSA));
    keys.tell(&[key.jwk(&json!({ "kid": null }))]);
    let app = app(&keys, &[]).await;
    assert_eq!(authenticate(&app, &key.token_with(&Header::new(Algorithm::EdDSA), &json!({}))).await, ada());
}

#[tokio::test]
async fn unsupported_rsa_keys_are_ignored_and_logged_once() {
    let (keys, small) = (KeyServer::start().await, SigningKey::too_small("small"));
    let good = SigningKey::new("good", Algorithm::EdDSA);
    keys.tell(&[small.jwk(&json!({})), good.jwk(&json!({}))]);
    let program = Program::new().with("SCROLLBACK_AUTH_JWKS_URL", &keys.url);
    let often = program.with("SCROLLBACK_AUTH_JWKS_REFRESH", "10ms");
    let program = often.with("SCROLLBACK_AUTH_JWKS_COOLDOWN", "10ms");
    let server = program.serve(&[]).await;
    for (key, status) in [(&good, 200), (&small, 401)] {
        let client = Client::new(&server.url, Some(key.token()));
        assert_eq!(client.run("{ viewer { id } }", json!({})).await.status, status, "{}", key.id);
    }
    keys.wait_for_requests(keys.request_count() + 2).await;
    server.terminate().await;
    let (_, log) = server.ended().await;
    assert_eq!(log.matches("RSA keys must have 2048 to 4096 bits").count(), 1, "{log}");
    assert!(log.contains("\"small\"") && !log.contains("\"good\""), "{log}");
}

#[tokio::test]
async fn many_unknown_keys_cause_one_request_to_the_issuer() {
    let (keys, key) = (KeyServer::start().await, SigningKey::new("known", Algorithm::EdDSA));
    keys.tell(&[key.jwk(&json!({}))]);
    // None is due for an hour.
    let app = app(&keys, &[("auth.jwks_cooldown", "1h")]).await;
    assert_eq!(authenticate(&app, &key.token()).await, ada());
    let invented = |number| {
        key.token_with(&Header { kid: Some(format!("invented-{number}")), ..key.header() }, &json!({}))
    };
    let flood: Vec<_> = (0..200).map(invented).collect();
    let asking = flood.iter().map(|token| authenticate(&app, token));
    for answer in futures_util::future::join_all(asking).await {
        assert_eq!(answer, refused());
    }
    assert_eq!(keys.request_count(), 1);
    assert_eq!(authenticate(&app, &key.token()).await, ada());
}

#[tokio::test]
async fn concurrent_unknown_keys_share_one_fetch() {
    let (keys, key) = (KeyServer::start().await, SigningKey::new("known", Algorithm::EdDSA));
    keys.tell(&[key.jwk(&json!({}))]);
    let app = app(&keys, &[("auth.jwks_cooldown", "2s"), ("auth.jwks_refresh", "1h")]).await;
    let invented = Header { kid: Some("invented".into()), ..key.header() };
    let token = key.token_with(&invented, &json!({}));
    let start = Instant::now();
    // Until the cooldown is over nobody is asked; then one fetch serves all that wait for it.
    while keys.request_count() < 2 {
        assert!(start.elapsed() < TIMEOUT);
        let asking = (0..20).map(|_| authenticate(&app, &token));
        assert!(futures_util::future::join_all(asking).await.iter().all(|answer| *answer == refused()));
    }
    assert_eq!(keys.request_count(), 2);
}

#[tokio::test]
async fn rotated_keys_take_effect_immediately() {
    let keys = KeyServer::start().await;
    let (old, new) = (SigningKey::new("old", Algorithm::ES256), SigningKey::new("new", Algorithm::ES256));
    keys.tell(&[old.jwk(&json!({}))]);
    let app = app(&keys, &[("auth.jwks_cooldown", "1us")]).await;
    assert_eq!(authenticate(&app, &old.token()).await, ada());
    assert_eq!(authenticate(&app, &new.token()).await, refused());
    keys.tell(&[old.jwk(&json!({})), new.jwk(&json!({}))]);
    assert_eq!(authenticate(&app, &new.token()).await, ada());
    assert_eq!(authenticate(&app, &old.token()).await, ada());
    keys.tell(&[new.jwk(&json!({}))]);
    // The next fetch is at the latest that for another unknown key.
    let invented = Header { kid: Some("invented".into()), ..old.header() };
    assert_eq!(authenticate(&app, &old.token_with(&invented, &json!({}))).await, refused());
    assert_eq!(authenticate(&app, &old.token()).await, refused());
    assert_eq!(authenticate(&app, &new.token()).await, ada());
}

#[tokio::test]
async fn keys_are_refreshed_periodically() {
    let (keys, key) = (KeyServer::start().await, SigningKey::new("key", Algorithm::EdDSA));
    keys.tell(&[key.jwk(&json!({}))]);
    let app = app(&keys, &[("auth.jwks_refresh", "20ms"), ("auth.jwks_cooldown", "10ms")]).await;
    keys.wait_for_requests(3).await;
    assert_eq!(authenticate(&app, &key.token()).await, ada());
}

#[tokio::test]
async fn the_server_starts_while_the_issuer_is_unreachable() {
    let (keys, key) = (KeyServer::start().await, SigningKey::new("key", Algorithm::EdDSA));
    keys.tell(&[key.jwk(&json!({}))]);
    keys.set_down(true);
    let app = app(&keys, &[("auth.jwks_cooldown", "10ms")]).await;
    keys.wait_for_requests(2).await;
    assert_eq!(authenticate(&app, &key.token()).await, unavailable());
    assert_eq!(authenticate(&app, "a.b.c").await, refused(), "garbage is garbage whatever the keys are");
    assert_eq!(readiness(&app.anonymous()).await, 503);
    let mut socket = Socket::open(&app.url).await;
    let payload = json!({ "Authorization": format!("Bearer {}", key.token()) });
    socket.send(json!({ "type": "connection_init", "payload": payload })).await;
    assert_eq!(socket.closed().await.code, 1013);
    keys.set_down(false);
    until(&app, &key.token(), ada()).await;
    assert_eq!(readiness(&app.anonymous()).await, 200);
}

#[tokio::test]
async fn keys_expire_if_the_issuer_stays_unreachable() {
    let (keys, key) = (KeyServer::start().await, SigningKey::new("key", Algorithm::EdDSA));
    keys.tell(&[key.jwk(&json!({}))]);
    let often = [("auth.jwks_refresh", "10ms"), ("auth.jwks_cooldown", "10ms")];
    let keeping = app(&keys, &often).await;
    let forgetting = app(&keys, &[&often[..], &[("auth.jwks_keep", "2s")]].concat()).await;
    assert_eq!(authenticate(&keeping, &key.token()).await, ada());
    assert_eq!(authenticate(&forgetting, &key.token()).await, ada());
    keys.set_down(true);
    keys.wait_for_requests(keys.request_count() + 6).await;
    assert_eq!(authenticate(&keeping, &key.token()).await, ada());
    let unknown = Header { kid: Some("maybe-new".into()), ..key.header() };
    let unknown = key.token_with(&unknown, &json!({}));
    // It may be good.
    until(&keeping, &unknown, unavailable()).await;
    until(&forgetting, &key.token(), unavailable()).await;
    assert_eq!(authenticate(&keeping, &key.token()).await, ada());
    keys.set_down(false);
    until(&forgetting, &key.token(), ada()).await;
    until(&keeping, &unknown, refused()).await;
}

#[tokio::test]
async fn an_invalid_key_set_is_ignored() {
    let key = SigningKey::new("key", Algorithm::EdDSA);
    let good = json!({ "keys": [key.jwk(&json!({}))] });
    let mut large = good.clone();
    large["padding"] = json!("x".repeat(1024 * 1024));
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for wrong in [String::new(), "[]".into(), json!({ "keys": [] }).to_string(), large.to_string(), deep] {
        let keys = KeyServer::start().await;
        keys.tell_raw(wrong.clone());
        let app = app(&keys, &[("auth.jwks_cooldown", "10ms")]).await;
        keys.wait_for_requests(2).await;
        assert_eq!(authenticate(&app, &key.token()).await, unavailable(), "{wrong:.40}");
    }
    // Nor what another address tells.
    let keys = KeyServer::start().await;
    keys.tell_raw(good.to_string());
    let elsewhere = keys.url.replace("/keys", "/elsewhere");
    let settings = [("auth.jwt_secret", ""), ("auth.jwks_url", elsewhere.as_str())];
    let app = TestApp::start_with(Engine::Sqlite, &settings).await;
    assert_eq!(authenticate(&app, &key.token()).await, unavailable());
    assert_eq!(keys.request_count(), 0);
}

#[tokio::test]
async fn fetching_keys_has_a_timeout() {
    let (keys, key) = (KeyServer::start().await, SigningKey::new("key", Algorithm::EdDSA));
    let never = keys.url.replace("/keys", "/never");
    let settings = [("auth.jwt_secret", ""), ("auth.jwks_url", never.as_str())];
    let app = TestApp::start_with(Engine::Sqlite, &settings).await;
    let start = Instant::now();
    assert_eq!(authenticate(&app, &key.token()).await, unavailable());
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_token_cannot_choose_its_key() {
    let (keys, key) = (KeyServer::start().await, SigningKey::new("key", Algorithm::EdDSA));
    keys.tell(&[key.jwk(&json!({}))]);
    let (evil, forger) = (KeyServer::start().await, SigningKey::new("key", Algorithm::EdDSA));
    evil.tell(&[forger.jwk(&json!({}))]);
    let app = app(&keys, &[]).await;
    let brought = serde_json::from_value(forger.jwk(&json!({}))).unwrap();
    let at = Some(evil.url.clone());
    for header in [
        Header { jku: at.clone(), ..forger.header() },
        Header { x5u: at, ..forger.header() },
        Header { jwk: Some(brought), ..forger.header() },
    ] {
        assert_eq!(authenticate(&app, &forger.token_with(&header, &json!({}))).await, refused());
        assert_eq!(
            authenticate(&app, &key.token_with(&header, &json!({}))).await,
            ada(),
            "no harm in it either"
        );
    }
    assert_eq!(evil.request_count(), 0);
}

#[tokio::test]
async fn several_issuers_are_distinguished_by_name() {
    let (keys, key) = (KeyServer::start().await, SigningKey::new("key", Algorithm::ES256));
    keys.tell(&[key.jwk(&json!({}))]);
    let file = format!(
        "[[auth.issuers]]\nissuer = \"login\"\naudience = \"chat\"\njwks_url = \"{}\"\n\
         [[auth.issuers]]\nissuer = \"back end\"\njwt_secret = \"a secret that only back ends know\"\n",
        keys.url
    );
    let app = TestApp::start_from(Engine::Sqlite, &file, &[("auth.jwt_secret", "")]).await;
    let secret = EncodingKey::from_secret(b"a secret that only back ends know");
    let by_secret = |more: Value| {
        let mut claims = json!({ "sub": "ada", "exp": 9_999_999_999_u64 });
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        encode(&Header::default(), &claims, &secret).unwrap()
    };
    let login = json!({ "iss": "login", "aud": ["chat"] });
    assert_eq!(authenticate(&app, &key.token_with(&key.header(), &login)).await, ada());
    assert_eq!(authenticate(&app, &by_secret(json!({ "iss": "back end" }))).await, ada());
    assert_eq!(authenticate(&app, &by_secret(login)).await, refused());
    assert_eq!(authenticate(&app, &by_secret(json!({}))).await, refused());
    let wrong = json!({ "iss": "login", "aud": ["other"] });
    assert_eq!(authenticate(&app, &key.token_with(&key.header(), &wrong)).await, refused());
    assert_eq!(
        authenticate(&app, &key.token_with(&key.header(), &json!({ "iss": "back end" }))).await,
        refused()
    );
}

#[tokio::test]
async fn authentication_errors_do_not_quote_the_token() {
    let app = TestApp::start(Engine::Sqlite).await;
    for (token, challenge) in [
        (None, "Bearer"),
        (Some("a.b.c".to_owned()), "Bearer error=\"invalid_token\""),
        (Some("x".repeat(9_000)), "Bearer error=\"invalid_token\""),
    ] {
        let mut request = app.anonymous().request(Method::POST, "/graphql");
        if let Some(token) = &token {
            request = request.bearer_auth(token);
        }
        let response = request.json(&json!({ "query": "{ viewer { id } }" })).send().await.unwrap();
        assert_eq!(response.status(), 401);
        assert_eq!(response.headers()["www-authenticate"], challenge);
        let body = response.text().await.unwrap();
        assert!(token.is_none_or(|token| !body.contains(&token)), "{body}");
    }
}

#[tokio::test]
async fn invalid_issuer_settings_are_refused_by_name() {
    let program = Program::new();
    let listed = |more: &str| format!("[[auth.issuers]]\nissuer = \"us\"\n{more}\n");
    let secret = "jwt_secret = \"a secret of thirty-two bytes....\"";
    for (file, told) in [
        (listed(""), "`auth.issuers[0]` requires one of"),
        (listed("jwt_secret = \"short\""), "`auth.issuers[0].jwt_secret` must have at least 32 bytes, has 5"),
        (
            listed(&format!("{secret}\njwks_url = \"https://us.example\"")),
            "set only one of `auth.issuers[0].jwt_secret`",
        ),
        (listed("jwks_url = \"ftp://us.example\""), "must begin with https:// or http://"),
        (listed("jwks_url = \"https://ada:pw@us.example/\""), "must not contain credentials"),
        (listed("jwks_url = \"https://\""), "must name a host"),
        (
            listed("jwt_public_key_file = \"nowhere.pem\""),
            "cannot read `auth.issuers[0].jwt_public_key_file`",
        ),
        (
            listed(&format!("jwt_public_key_file = \"{SMALL}\"")),
            "rsa1024.pem: an RSA key must have 2048 to 4096 bits, this one has 1024",
        ),
        (format!("{}{}", listed(secret), listed(secret)), "`auth.issuers[1].issuer` is a duplicate: us"),
        (format!("[auth]\n{secret}\n{}", listed(secret)), "`auth.issuers` is set"),
        (format!("[[auth.issuers]]\nissuer = \"\"\n{secret}"), "must not be empty"),
        (listed("jwt_secrets = \"x\""), "did you mean `auth.issuers[0].jwt_secret`?"),
        ("[auth]\nleeway = \"1h\"".into(), "`auth.leeway`"),
        ("[auth]\njwks_cooldown = \"0s\"".into(), "`auth.jwks_cooldown`"),
        (format!("[auth]\n{secret}\njwks_url = \"https://us.example\""), "set only one of `auth.jwt_secret`"),
    ] {
        std::fs::write(program.folder().join("scrollback.toml"), &file).unwrap();
        let refusal = program.refused(&["--config", "scrollback.toml", "--listen", "127.0.0.1:0"]).await;
        assert!(refusal.contains(told), "{file}: {refusal}");
        assert!(!refusal.contains("thirty-two") && !refusal.contains(":pw@"), "{refusal}");
    }
}
