mod any;

use std::collections::HashSet;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::json;

use super::*;
use crate::clock::Clock;

const SECRET: &[u8] = b"a secret of thirty-two bytes....";

fn claims(changes: &serde_json::Value) -> serde_json::Value {
    let exp = Clock::system().now().0 / 1_000_000 + 600;
    let mut claims = json!({ "sub": "ada", "exp": exp });
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
}

fn signed(claims: &serde_json::Value) -> String {
    signed_by(SECRET, &Header::default(), claims)
}

fn signed_by(secret: &[u8], header: &Header, claims: &serde_json::Value) -> String {
    encode(header, claims, &EncodingKey::from_secret(secret)).unwrap()
}

/// A token whose parts may be anything, with a good signature.
fn signed_raw(header: &str, claims: &str) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let key = EncodingKey::from_secret(SECRET);
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
    format!("{message}.{signature}")
}

fn believing(key: Key, rules: Rules) -> Authenticator {
    Authenticator::new(vec![Issuer { key, rules }], Timing::default()).unwrap()
}

fn authenticator(rules: &Rules) -> Authenticator {
    believing(Key::Secret(SECRET.into()), rules.clone())
}

fn plain() -> Authenticator {
    authenticator(&Rules::default())
}

async fn asked(authenticator: &Authenticator, token: &str) -> Result<Viewer, Refused> {
    headed(authenticator, Some(&format!("Bearer {token}"))).await
}

async fn headed(authenticator: &Authenticator, authorization: Option<&str>) -> Result<Viewer, Refused> {
    authenticator.viewer(Credentials { authorization, act_as: None }).await
}

#[tokio::test]
async fn a_valid_token_names_its_viewer() {
    let token = signed(&claims(&json!({})));
    let viewer = asked(&plain(), &token).await.unwrap();
    assert_eq!(viewer.owner.as_str(), "ada");
    assert!(viewer.expires_at.unwrap() > Clock::system().now());
    assert!(headed(&plain(), Some(&format!("bearer {token}"))).await.is_ok(), "schemes have no case");
}

#[tokio::test]
async fn what_is_not_a_bearer_token_is_missing() {
    for header in [None, Some(""), Some("Bearer"), Some("Basic YWRhOmFkYQ==")] {
        assert_eq!(headed(&plain(), header).await, Err(Refused::Missing), "{header:?}");
    }
}

#[tokio::test]
async fn claims_that_break_a_rule_are_refused() {
    let now = Clock::system().now().0 / 1_000_000;
    let cases = [
        (json!({ "exp": now - 60 }), Refused::Expired),
        (json!({ "exp": 0 }), Refused::Expired),
        (json!({ "exp": 1.5 }), Refused::Expired),
        (json!({ "exp": null }), Refused::Invalid),
        (json!({ "exp": "tomorrow" }), Refused::Invalid),
        (json!({ "exp": (now + 600).to_string() }), Refused::Invalid),
        (json!({ "exp": -1 }), Refused::Invalid),
        (json!({ "exp": -1.5 }), Refused::Invalid),
        (json!({ "exp": 1e300 }), Refused::Invalid),
        (json!({ "exp": true }), Refused::Invalid),
        (json!({ "exp": [now + 600] }), Refused::Invalid),
        (json!({ "sub": null }), Refused::Invalid),
        (json!({ "sub": "" }), Refused::Invalid),
        (json!({ "sub": 7 }), Refused::Invalid),
        (json!({ "sub": "a\0b" }), Refused::Invalid),
        (json!({ "sub": "x".repeat(256) }), Refused::Invalid),
        (json!({ "nbf": now + 600 }), Refused::Invalid),
        (json!({ "nbf": "now" }), Refused::Invalid),
        (json!({ "iss": ["us", "them"] }), Refused::Invalid),
    ];
    for (changes, expected) in cases {
        assert_eq!(asked(&plain(), &signed(&claims(&changes))).await, Err(expected), "{changes}");
    }
    for changes in [json!({ "exp": u64::MAX }), json!({ "nbf": now - 5 }), json!({ "exp": now as f64 + 0.5 })]
    {
        let rules = Rules { leeway: Duration::from_secs(30), ..Rules::default() };
        let viewer = asked(&authenticator(&rules), &signed(&claims(&changes))).await;
        assert!(viewer.unwrap().expires_at.unwrap() > Clock::system().now(), "{changes}");
    }
    let (good, later) = (r#"{"alg":"HS256"}"#, now + 600);
    let only_sub = r#"{"sub":"ada"}"#;
    let twice = format!(r#"{{"sub":"ada","sub":"bob","exp":{later}}}"#);
    for payload in [
        only_sub,
        &twice,
        r#"{"sub":"ada","exp":NaN}"#,
        r#"{"sub":"ada","exp":1e999}"#,
        "",
        "[]",
        "null",
        "7",
    ] {
        assert_eq!(asked(&plain(), &signed_raw(good, payload)).await, Err(Refused::Invalid), "{payload}");
    }
}

#[tokio::test]
async fn a_header_can_neither_bring_a_key_nor_ask_for_more() {
    let payload = claims(&json!({})).to_string();
    let told = |header: &str| signed_raw(header, &payload);
    for good in [
        r#"{"alg":"HS256"}"#,
        r#"{"alg":"HS256","typ":"at+jwt","kid":"any"}"#,
        r#"{"alg":"HS256","typ":"application/AT+JWT"}"#,
        r#"{"alg":"HS256","jku":"https://evil.example/jwks","x5u":"https://evil.example/x5u"}"#,
        r#"{"alg":"HS256","x5c":["MIIB"],"zip":"DEF"}"#,
    ] {
        assert!(asked(&plain(), &told(good)).await.is_ok(), "{good}");
    }
    for bad in [
        r#"{"alg":"HS256","crit":["exp"]}"#,
        r#"{"alg":"HS256","crit":[]}"#,
        r#"{"alg":"HS256","typ":"logout+jwt"}"#,
        r#"{"alg":"HS256","typ":"secevent+jwt"}"#,
        r#"{"alg":"none"}"#,
        r#"{"alg":"None"}"#,
        r#"{"alg":"hs256"}"#,
        r#"{"typ":"JWT"}"#,
        "[]",
        "",
    ] {
        assert_eq!(asked(&plain(), &told(bad)).await, Err(Refused::Invalid), "{bad}");
    }
}

#[tokio::test]
async fn a_token_has_a_bounded_length() {
    let fitting = signed(&claims(&json!({ "more": "x".repeat(5_000) })));
    assert!(asked(&plain(), &fitting).await.is_ok());
    for long in [signed(&claims(&json!({ "more": "x".repeat(9_000) }))), ".".repeat(9_000)] {
        assert_eq!(asked(&plain(), &long).await, Err(Refused::TooLong));
    }
    for garbage in ["", ".", "..", "...", "a.b", "é.é.é", &".".repeat(8_000), &"a.".repeat(2_000)] {
        let refused = asked(&plain(), garbage).await;
        assert!(matches!(refused, Err(Refused::Invalid)), "{garbage}");
    }
}

#[tokio::test]
async fn issuer_and_audience_are_checked_where_configured() {
    let rules =
        Rules { issuer: Some("us".into()), audience: Some("chat".into()), leeway: Duration::from_secs(30) };
    let strict = authenticator(&rules);
    let good = json!({ "iss": "us", "aud": ["chat", "other"] });
    assert!(asked(&strict, &signed(&claims(&good))).await.is_ok());
    for bad in [
        json!({}),
        json!({ "iss": "us" }),
        json!({ "aud": "chat" }),
        json!({ "iss": "us", "aud": "other" }),
        json!({ "iss": "us", "aud": [] }),
        json!({ "iss": "us", "aud": 7 }),
        json!({ "iss": "them", "aud": "chat" }),
        json!({ "iss": ["us"], "aud": "chat" }),
    ] {
        assert_eq!(asked(&strict, &signed(&claims(&bad))).await, Err(Refused::Invalid), "{bad}");
    }
    let token = sign(SECRET, &OwnerId::new("ada").unwrap(), Timestamp(i64::MAX), &rules).unwrap();
    assert!(asked(&strict, &token).await.is_ok());
    assert!(asked(&plain(), &token).await.is_ok(), "an audience nobody asked for does no harm");
}

#[tokio::test]
async fn each_of_several_issuers_has_a_key_and_rules_of_its_own() {
    let rules = |issuer: &str, audience: Option<&str>| Rules {
        issuer: Some(issuer.into()),
        audience: audience.map(str::to_owned),
        leeway: Duration::ZERO,
    };
    let (us, them) = (b"the secret of us, 32 bytes long.", b"the secret of them, of 32 bytes.");
    let issuers = || {
        vec![
            Issuer { key: Key::Secret(us.to_vec()), rules: rules("us", None) },
            Issuer { key: Key::Secret(them.to_vec()), rules: rules("them", Some("chat")) },
        ]
    };
    let both = Authenticator::new(issuers(), Timing::default()).unwrap();
    let told = |secret: &[u8], more| signed_by(secret, &Header::default(), &claims(&more));
    assert!(asked(&both, &told(us, json!({ "iss": "us" }))).await.is_ok());
    assert!(asked(&both, &told(them, json!({ "iss": "them", "aud": "chat" }))).await.is_ok());
    for (secret, more) in [
        (us, json!({})),
        (us, json!({ "iss": "them", "aud": "chat" })),
        (them, json!({ "iss": "us" })),
        (them, json!({ "iss": "them" })),
        (us, json!({ "iss": "others" })),
        (us, json!({ "iss": ["us"] })),
    ] {
        assert_eq!(asked(&both, &told(secret, more.clone())).await, Err(Refused::Invalid), "{more}");
    }
    let mut twice = issuers();
    twice.extend(issuers());
    assert!(Authenticator::new(twice, Timing::default()).is_err());
}

#[tokio::test]
async fn signature_and_algorithm_cannot_be_chosen_by_the_token() {
    let good = signed(&claims(&json!({})));
    let (head, signature) = good.rsplit_once('.').unwrap();
    let unsigned = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
    let payload = head.split('.').nth(1).unwrap();
    let hs512 = signed_by(SECRET, &Header::new(Algorithm::HS512), &claims(&json!({})));
    let other = signed_by(b"other", &Header::default(), &claims(&json!({})));
    for token in [
        format!("{unsigned}.{payload}."),
        format!("{unsigned}.{payload}.{signature}"),
        format!("{head}."),
        format!("{head}.{}", signature.chars().rev().collect::<String>()),
        hs512,
        other,
        String::new(),
        "a.b.c".into(),
    ] {
        assert_eq!(asked(&plain(), &token).await, Err(Refused::Invalid), "{token}");
    }
}

fn openssl(arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("openssl").args(arguments).output().expect("openssl is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[tokio::test]
async fn a_public_key_brings_its_algorithm() {
    let kinds: [(&[&str], Algorithm); 3] = [
        (&["genpkey", "-algorithm", "ed25519"], Algorithm::EdDSA),
        (&["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"], Algorithm::ES256),
        (&["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"], Algorithm::RS256),
    ];
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("private.pem");
    for (arguments, algorithm) in kinds {
        let private = openssl(arguments);
        std::fs::write(&file, &private).unwrap();
        let public = openssl(&["pkey", "-pubout", "-in", file.to_str().unwrap()]);
        let key = match algorithm {
            Algorithm::EdDSA => EncodingKey::from_ed_pem(&private),
            Algorithm::ES256 => EncodingKey::from_ec_pem(&private),
            _ => EncodingKey::from_rsa_pem(&private),
        };
        let token = encode(&Header::new(algorithm), &claims(&json!({})), &key.unwrap()).unwrap();
        let authenticator =
            believing(Key::PublicKey(PublicKey::from_pem(&public).unwrap()), Rules::default());
        assert_eq!(asked(&authenticator, &token).await.unwrap().owner.as_str(), "ada", "{algorithm:?}");
        let confused = encode(&Header::default(), &claims(&json!({})), &EncodingKey::from_secret(&public));
        assert_eq!(
            asked(&authenticator, &confused.unwrap()).await,
            Err(Refused::Invalid),
            "the public key as an HMAC secret"
        );
    }
    assert!(PublicKey::from_pem(b"nonsense").is_err());
}

#[test]
fn an_rsa_key_has_a_size_that_protects_and_is_public() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("private.pem");
    for (bits, fits) in [(1024, false), (2047, false), (2048, true), (4096, true), (4104, false)] {
        let private =
            openssl(&["genpkey", "-algorithm", "RSA", "-pkeyopt", &format!("rsa_keygen_bits:{bits}")]);
        std::fs::write(&file, &private).unwrap();
        for form in ["pkey -pubout", "rsa -RSAPublicKey_out"] {
            let form: Vec<&str> = form.split(' ').chain(["-in", file.to_str().unwrap()]).collect();
            let read = PublicKey::from_pem(&openssl(&form)).map(drop).map_err(|error| error.to_string());
            let told = format!("RSA needs 2048 to 4096 bits, this key has {bits}");
            assert_eq!(read, if fits { Ok(()) } else { Err(told) });
        }
        let told = PublicKey::from_pem(&private).err().unwrap().to_string();
        assert!(told.starts_with("not a public key"), "{told}");
    }
}

#[test]
fn a_development_secret_is_made_once_and_private() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let secret = development_secret(&data).unwrap();
    assert_eq!(development_secret(&data).unwrap(), secret);
    assert!(secret.len() >= 32);
    let file = std::fs::metadata(data.join("development-secret")).unwrap();
    assert_eq!(file.permissions().mode() & 0o777, 0o600);
}

#[test]
fn all_who_start_together_have_the_same_development_secret() {
    let folder = tempfile::tempdir().unwrap();
    let start = std::sync::Barrier::new(8);
    let secrets: HashSet<_> = std::thread::scope(|scope| {
        let one = || {
            start.wait();
            development_secret(folder.path()).unwrap()
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(one)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(secrets.len(), 1);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
}
