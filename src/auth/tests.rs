mod any;

use std::process::Command;

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
    encode(&Header::default(), claims, &EncodingKey::from_secret(SECRET)).unwrap()
}

fn authenticator(rules: &Rules) -> Authenticator {
    Authenticator::new(&Key::Secret(SECRET.into()), rules).unwrap()
}

fn plain() -> Authenticator {
    authenticator(&Rules::default())
}

#[test]
fn a_valid_token_names_its_viewer() {
    let token = signed(&claims(&json!({})));
    let viewer = plain().viewer_of_header(Some(&format!("Bearer {token}"))).unwrap();
    assert_eq!(viewer.owner.as_str(), "ada");
    assert!(viewer.expires_at.unwrap() > Clock::system().now());
    assert!(plain().viewer_of_header(Some(&format!("bearer {token}"))).is_ok(), "schemes have no case");
}

#[test]
fn what_is_not_a_bearer_token_is_missing() {
    for header in [None, Some(""), Some("Bearer"), Some("Basic YWRhOmFkYQ==")] {
        assert_eq!(plain().viewer_of_header(header), Err(Unauthenticated::Missing), "{header:?}");
    }
}

#[test]
fn claims_that_break_a_rule_are_refused() {
    let now = Clock::system().now().0 / 1_000_000;
    let cases = [
        (json!({ "exp": now - 60 }), Unauthenticated::Expired),
        (json!({ "exp": null }), Unauthenticated::Invalid),
        (json!({ "exp": "tomorrow" }), Unauthenticated::Invalid),
        (json!({ "sub": null }), Unauthenticated::Invalid),
        (json!({ "sub": "" }), Unauthenticated::Invalid),
        (json!({ "sub": "a\0b" }), Unauthenticated::Invalid),
        (json!({ "sub": "x".repeat(256) }), Unauthenticated::Invalid),
        (json!({ "nbf": now + 600 }), Unauthenticated::Invalid),
    ];
    for (changes, expected) in cases {
        assert_eq!(plain().viewer(&signed(&claims(&changes))), Err(expected), "{changes}");
    }
}

#[test]
fn issuer_and_audience_are_checked_where_configured() {
    let rules =
        Rules { issuer: Some("us".into()), audience: Some("chat".into()), leeway: Duration::from_secs(30) };
    let strict = authenticator(&rules);
    let good = json!({ "iss": "us", "aud": ["chat", "other"] });
    assert!(strict.viewer(&signed(&claims(&good))).is_ok());
    for bad in [
        json!({}),
        json!({ "iss": "us" }),
        json!({ "iss": "us", "aud": "other" }),
        json!({ "iss": "them", "aud": "chat" }),
    ] {
        assert_eq!(strict.viewer(&signed(&claims(&bad))), Err(Unauthenticated::Invalid), "{bad}");
    }
    let token = sign(SECRET, &OwnerId::new("ada").unwrap(), Timestamp(i64::MAX), &rules).unwrap();
    assert!(strict.viewer(&token).is_ok());
    assert!(plain().viewer(&token).is_ok(), "an audience nobody asked for does no harm");
}

#[test]
fn signature_and_algorithm_cannot_be_chosen_by_the_token() {
    let good = signed(&claims(&json!({})));
    let (head, signature) = good.rsplit_once('.').unwrap();
    let unsigned = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
    let payload = head.split('.').nth(1).unwrap();
    let hs512 =
        encode(&Header::new(Algorithm::HS512), &claims(&json!({})), &EncodingKey::from_secret(SECRET))
            .unwrap();
    let other = encode(&Header::default(), &claims(&json!({})), &EncodingKey::from_secret(b"other")).unwrap();
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
        assert_eq!(plain().viewer(&token), Err(Unauthenticated::Invalid), "{token}");
    }
}

fn openssl(arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("openssl").args(arguments).output().expect("openssl is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[test]
fn a_public_key_brings_its_algorithm() {
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
        let authenticator = Authenticator::new(&Key::PublicKey(public.clone()), &Rules::default()).unwrap();
        assert_eq!(authenticator.viewer(&token).unwrap().owner.as_str(), "ada", "{algorithm:?}");
        let confused = encode(&Header::default(), &claims(&json!({})), &EncodingKey::from_secret(&public));
        assert_eq!(
            authenticator.viewer(&confused.unwrap()),
            Err(Unauthenticated::Invalid),
            "the public key as an HMAC secret"
        );
    }
    assert!(Authenticator::new(&Key::PublicKey(b"nonsense".into()), &Rules::default()).is_err());
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
