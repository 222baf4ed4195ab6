//! Key sets over TLS: only servers with a trusted certificate are accepted.

use jsonwebtoken::{Algorithm, Header};
use serde_json::json;

use super::{ada, app, authenticate, unavailable, until};
use crate::harness::{Authority, Client, KeyServer, Program, SigningKey};

#[tokio::test]
async fn keys_come_only_from_servers_with_a_trusted_certificate() {
    let (trusted, strange) = (Authority::new(), Authority::new());
    let (keys, shown) = KeyServer::start_over_tls(&strange).await;
    let key = SigningKey::new("key", Algorithm::EdDSA);
    keys.tell(&[key.jwk(&json!({}))]);
    let file = trusted.file().display().to_string();
    let often = [("auth.jwks_refresh", "10ms"), ("auth.jwks_cooldown", "10ms")];
    let app = app(&keys, &[&often[..], &[("auth.jwks_ca_file", file.as_str())]].concat()).await;
    assert_eq!(authenticate(&app, &key.token()).await, unavailable());
    assert_eq!(keys.request_count(), 0, "nothing is said to a stranger");
    shown.change(&trusted);
    until(&app, &key.token(), ada()).await;
    // What is known is kept when a stranger takes the server's place, and he adds nothing.
    shown.change(&strange);
    let unknown = Header { kid: Some("unknown".into()), ..key.header() };
    until(&app, &key.token_with(&unknown, &json!({})), unavailable()).await;
    let new = SigningKey::new("new", Algorithm::EdDSA);
    keys.tell(&[new.jwk(&json!({}))]);
    assert_eq!(authenticate(&app, &key.token()).await, ada());
    assert_eq!(authenticate(&app, &new.token()).await, unavailable());
    shown.change(&trusted);
    until(&app, &new.token(), ada()).await;
}

#[tokio::test]
async fn system_certificate_authorities_are_trusted() {
    let authority = Authority::new();
    let (keys, _) = KeyServer::start_over_tls(&authority).await;
    let key = SigningKey::new("key", Algorithm::EdDSA);
    keys.tell(&[key.jwk(&json!({}))]);
    let trusting = |file: &str| {
        let program = Program::new().with("SCROLLBACK_AUTH_JWKS_URL", &keys.url);
        program.with("SSL_CERT_FILE", file).with("SSL_CERT_DIR", "")
    };
    let authenticate = async |authority: &Authority| {
        let program = trusting(authority.file().to_str().unwrap());
        let server = program.serve(&[]).await;
        let client = Client::new(&server.url, Some(key.token()));
        client.run("{ viewer { id } }", json!({})).await.status
    };
    assert_eq!(authenticate(&authority).await, 200);
    assert_eq!(authenticate(&Authority::new()).await, 503);
    let listen = ["--listen", "127.0.0.1:0"];
    assert!(trusting("/nowhere").refused(&listen).await.contains("there are no trusted certificates"));
}

#[tokio::test]
async fn an_invalid_ca_file_is_rejected_with_the_setting() {
    let program = Program::new();
    let broken = "-----BEGIN CERTIFICATE-----\naGk=\n-----END CERTIFICATE-----\n";
    for (text, told) in [(None, "cannot read"), (Some(""), "cannot use"), (Some(broken), "cannot use")] {
        if let Some(text) = text {
            std::fs::write(program.folder().join("ca.pem"), text).unwrap();
        }
        std::fs::write(
            program.folder().join("scrollback.toml"),
            "[auth]\njwks_url = \"https://us.example\"\njwks_ca_file = \"ca.pem\"",
        )
        .unwrap();
        let refusal = program.refused(&["--config", "scrollback.toml", "--listen", "127.0.0.1:0"]).await;
        assert!(refusal.contains(&format!("{told} `auth.jwks_ca_file`, ca.pem")), "{refusal}");
    }
}
