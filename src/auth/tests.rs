mod any;
mod secrets;

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

fn trusting(key: Key, requirements: TokenRequirements) -> Authenticator {
    Authenticator::new(vec![Issuer { key, requirements }], KeySetTiming::default()).unwrap()
}

fn authenticator(requirements: &TokenRequirements) -> Authenticator {
    trusting(Key::Secrets(vec![SECRET.into()]), requirements.clone())
}

fn default_authenticator() -> Authenticator {
    authenticator(&TokenRequirements::default())
}

async fn verify(authenticator: &Authenticator, token: &str) -> Result<Viewer, AuthError> {
    verify_header(authenticator, Some(&format!("Bearer {token}"))).await
}

async fn verify_header(
    authenticator: &Authenticator,
    authorization: Option<&str>,
) -> Result<Viewer, AuthError> {
    authenticator.viewer(Credentials { authorization, act_as: None }).await
}

#[tokio::test]
async fn a_valid_token_names_its_viewer() {
    let token = signed(&claims(&json!({})));
    let viewer = verify(&default_authenticator(), &token).await.unwrap();
    assert_eq!(viewer.owner.as_str(), "ada");
    assert!(viewer.expires_at.unwrap() > Clock::system().now());
    assert!(
        verify_header(&default_authenticator(), Some(&format!("bearer {token}"))).await.is_ok(),
        "schemes have no case"
    );
}

#[tokio::test]
async fn other_schemes_count_as_missing_credentials() {
    for header in [None, Some(""), Some("Bearer"), Some("Basic YWRhOmFkYQ==")] {
        assert_eq!(
            verify_header(&default_authenticator(), header).await,
            Err(AuthError::Missing),
            "{header:?}"
        );
    }
}

#[tokio::test]
async fn invalid_claims_are_rejected() {
    let now = Clock::system().now().0 / 1_000_000;
    let cases = [
        (json!({ "exp": now - 60 }), AuthError::Expired),
        (json!({ "exp": 0 }), AuthError::Expired),
        (json!({ "exp": 1.5 }), AuthError::Expired),
        (json!({ "exp": null }), AuthError::Invalid),
        (json!({ "exp": "tomorrow" }), AuthError::Invalid),
        (json!({ "exp": (now + 600).to_string() }), AuthError::Invalid),
        (json!({ "exp": -1 }), AuthError::Invalid),
        (json!({ "exp": -1.5 }), AuthError::Invalid),
        (json!({ "exp": 1e300 }), AuthError::Invalid),
        (json!({ "exp": true }), AuthError::Invalid),
        (json!({ "exp": [now + 600] }), AuthError::Invalid),
        (json!({ "sub": null }), AuthError::Invalid),
        (json!({ "sub": "" }), AuthError::Invalid),
        (json!({ "sub": 7 }), AuthError::Invalid),
        (json!({ "sub": "a\0b" }), AuthError::Invalid),
        (json!({ "sub": "x".repeat(256) }), AuthError::Invalid),
        (json!({ "nbf": now + 600 }), AuthError::Invalid),
        (json!({ "nbf": "now" }), AuthError::Invalid),
        (json!({ "iss": ["us", "them"] }), AuthError::Invalid),
    ];
    for (changes, expected) in cases {
        assert_eq!(
            verify(&default_authenticator(), &signed(&claims(&changes))).await,
            Err(expected),
            "{changes}"
        );
    }
    for changes in [json!({ "exp": u64::MAX }), json!({ "nbf": now - 5 }), json!({ "exp": now as f64 + 0.5 })]
    {
        let requirements =
            TokenRequirements { leeway: Duration::from_secs(30), ..TokenRequirements::default() };
        let viewer = verify(&authenticator(&requirements), &signed(&claims(&changes))).await;
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
        assert_eq!(
            verify(&default_authenticator(), &signed_raw(good, payload)).await,
            Err(AuthError::Invalid),
            "{payload}"
        );
    }
}

#[tokio::test]
async fn a_token_header_cannot_supply_a_key_or_an_extension() {
    let payload = claims(&json!({})).to_string();
    let token_with = |header: &str| signed_raw(header, &payload);
    for good in [
        r#"{"alg":"HS256"}"#,
        r#"{"alg":"HS256","typ":"at+jwt","kid":"any"}"#,
        r#"{"alg":"HS256","typ":"application/AT+JWT"}"#,
        r#"{"alg":"HS256","jku":"https://evil.example/jwks","x5u":"https://evil.example/x5u"}"#,
        r#"{"alg":"HS256","x5c":["MIIB"],"zip":"DEF"}"#,
    ] {
        assert!(verify(&default_authenticator(), &token_with(good)).await.is_ok(), "{good}");
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
        assert_eq!(
            verify(&default_authenticator(), &token_with(bad)).await,
            Err(AuthError::Invalid),
            "{bad}"
        );
    }
}

#[tokio::test]
async fn a_token_has_a_bounded_length() {
    let fitting = signed(&claims(&json!({ "more": "x".repeat(5_000) })));
    assert!(verify(&default_authenticator(), &fitting).await.is_ok());
    for long in [signed(&claims(&json!({ "more": "x".repeat(9_000) }))), ".".repeat(9_000)] {
        assert_eq!(verify(&default_authenticator(), &long).await, Err(AuthError::TooLong));
    }
    for garbage in ["", ".", "..", "...", "a.b", "é.é.é", &".".repeat(8_000), &"a.".repeat(2_000)] {
        let refused = verify(&default_authenticator(), garbage).await;
        assert!(matches!(refused, Err(AuthError::Invalid)), "{garbage}");
    }
}

#[tokio::test]
async fn issuer_and_audience_are_checked_where_configured() {
    let requirements = TokenRequirements {
        issuer: Some("us".into()),
        audience: Some("chat".into()),
        leeway: Duration::from_secs(30),
        ..TokenRequirements::default()
    };
    let strict = authenticator(&requirements);
    let good = json!({ "iss": "us", "aud": ["chat", "other"] });
    assert!(verify(&strict, &signed(&claims(&good))).await.is_ok());
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
        assert_eq!(verify(&strict, &signed(&claims(&bad))).await, Err(AuthError::Invalid), "{bad}");
    }
    let token = sign(SECRET, &OwnerId::new("ada").unwrap(), Timestamp(i64::MAX), &requirements).unwrap();
    assert!(verify(&strict, &token).await.is_ok());
    assert!(
        verify(&default_authenticator(), &token).await.is_ok(),
        "an audience nobody asked for does no harm"
    );
}

#[tokio::test]
async fn each_issuer_has_its_own_key_and_requirements() {
    let requirements = |issuer: &str, audience: Option<&str>| TokenRequirements {
        issuer: Some(issuer.into()),
        audience: audience.map(str::to_owned),
        ..TokenRequirements::default()
    };
    let (us, them) = (b"the secret of us, 32 bytes long.", b"the secret of them, of 32 bytes.");
    let issuers = || {
        vec![
            Issuer { key: Key::Secrets(vec![us[..].into()]), requirements: requirements("us", None) },
            Issuer {
                key: Key::Secrets(vec![them[..].into()]),
                requirements: requirements("them", Some("chat")),
            },
        ]
    };
    let both = Authenticator::new(issuers(), KeySetTiming::default()).unwrap();
    let token_with = |secret: &[u8], more| signed_by(secret, &Header::default(), &claims(&more));
    assert!(verify(&both, &token_with(us, json!({ "iss": "us" }))).await.is_ok());
    assert!(verify(&both, &token_with(them, json!({ "iss": "them", "aud": "chat" }))).await.is_ok());
    for (secret, more) in [
        (us, json!({})),
        (us, json!({ "iss": "them", "aud": "chat" })),
        (them, json!({ "iss": "us" })),
        (them, json!({ "iss": "them" })),
        (us, json!({ "iss": "others" })),
        (us, json!({ "iss": ["us"] })),
    ] {
        assert_eq!(verify(&both, &token_with(secret, more.clone())).await, Err(AuthError::Invalid), "{more}");
    }
    let mut twice = issuers();
    twice.extend(issuers());
    assert!(Authenticator::new(twice, KeySetTiming::default()).is_err());
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
        assert_eq!(verify(&default_authenticator(), &token).await, Err(AuthError::Invalid), "{token}");
    }
}

fn openssl(arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("openssl").args(arguments).output().expect("openssl is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[tokio::test]
async fn the_algorithm_comes_from_the_public_key() {
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
            trusting(Key::PublicKey(PublicKey::from_pem(&public).unwrap()), TokenRequirements::default());
        assert_eq!(verify(&authenticator, &token).await.unwrap().owner.as_str(), "ada", "{algorithm:?}");
        let confused = encode(&Header::default(), &claims(&json!({})), &EncodingKey::from_secret(&public));
        assert_eq!(
            verify(&authenticator, &confused.unwrap()).await,
            Err(AuthError::Invalid),
            "the public key as an HMAC secret"
        );
    }
    assert!(PublicKey::from_pem(b"nonsense").is_err());
}

#[test]
fn rsa_keys_must_be_public_and_have_2048_to_4096_bits() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("private.pem");
    for (bits, fits) in [(1024, false), (2047, false), (2048, true), (4096, true), (4104, false)] {
        let private =
            openssl(&["genpkey", "-algorithm", "RSA", "-pkeyopt", &format!("rsa_keygen_bits:{bits}")]);
        std::fs::write(&file, &private).unwrap();
        for form in ["pkey -pubout", "rsa -RSAPublicKey_out"] {
            let form: Vec<&str> = form.split(' ').chain(["-in", file.to_str().unwrap()]).collect();
            let read = PublicKey::from_pem(&openssl(&form)).map(drop).map_err(|error| error.to_string());
            let token_with = format!("an RSA key must have 2048 to 4096 bits, this one has {bits}");
            assert_eq!(read, if fits { Ok(()) } else { Err(token_with) });
        }
        let token_with = PublicKey::from_pem(&private).err().unwrap().to_string();
        assert!(token_with.starts_with("not a public key"), "{token_with}");
    }
}

#[test]
fn a_development_secret_is_created_once_and_private() {
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
fn concurrent_starts_share_one_development_secret() {
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
