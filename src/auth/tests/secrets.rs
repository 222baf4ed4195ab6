//! Secrets that are replaced while tokens of both are used, and limits of the lifetime.

use super::*;

const OLD: &[u8] = b"the old secret, thirty-two bytes";
const NEW: &[u8] = b"the new secret, thirty-two bytes";
const OTHER: &[u8] = b"a secret that nobody has given..";

fn secret(kid: Option<&str>, bytes: &[u8]) -> SharedSecret {
    SharedSecret { kid: kid.map(str::to_owned), bytes: bytes.to_vec() }
}

fn token(secret: &[u8], kid: Option<&str>) -> String {
    let header = Header { kid: kid.map(str::to_owned), ..Header::default() };
    signed_by(secret, &header, &claims(&json!({})))
}

#[tokio::test]
async fn tokens_of_each_secret_are_accepted() {
    let secrets = vec![secret(None, OLD), secret(Some("new"), NEW)];
    let authenticator = trusting(Key::Secrets(secrets), TokenRequirements::default());
    for (bytes, kid, is_good) in [
        (OLD, None, true),
        (NEW, None, true),
        (NEW, Some("new"), true),
        // A name that no secret has says nothing.
        (OLD, Some("unknown"), true),
        (NEW, Some("unknown"), true),
        // One that a secret has is binding.
        (OLD, Some("new"), false),
        (OTHER, None, false),
        (OTHER, Some("new"), false),
        (OTHER, Some("unknown"), false),
    ] {
        let verified = verify(&authenticator, &token(bytes, kid)).await;
        assert_eq!(verified.is_ok(), is_good, "{} {kid:?}", String::from_utf8_lossy(bytes));
    }
}

#[tokio::test]
async fn an_expired_token_of_any_secret_is_told_so() {
    let authenticator =
        trusting(Key::Secrets(vec![secret(None, OLD), secret(None, NEW)]), TokenRequirements::default());
    for bytes in [OLD, NEW] {
        let expired = signed_by(bytes, &Header::default(), &claims(&json!({ "exp": 1 })));
        assert_eq!(verify(&authenticator, &expired).await, Err(AuthError::Expired));
    }
    let forged = signed_by(OTHER, &Header::default(), &claims(&json!({ "exp": 1 })));
    assert_eq!(verify(&authenticator, &forged).await, Err(AuthError::Invalid));
}

#[tokio::test]
async fn tokens_that_live_too_long_are_refused() {
    let most = Duration::from_secs(3600);
    let leeway = Duration::from_secs(30);
    let requirements = TokenRequirements { max_lifetime: Some(most), leeway, ..TokenRequirements::default() };
    let authenticator = authenticator(&requirements);
    let now = Clock::system().now().0 / 1_000_000;
    for (lifetime, is_good) in
        [(60, true), (3600, true), (3600 + 25, true), (3600 + 60, false), (1 << 40, false)]
    {
        let verified = verify(&authenticator, &signed(&claims(&json!({ "exp": now + lifetime })))).await;
        let expected = if is_good { Ok(()) } else { Err(AuthError::LivesTooLong(most)) };
        assert_eq!(verified.map(drop), expected, "{lifetime} s");
    }
    // A forged token does not disclose the limit.
    let forged = signed_by(OTHER, &Header::default(), &claims(&json!({ "exp": now + 7200 })));
    assert_eq!(verify(&authenticator, &forged).await, Err(AuthError::Invalid));
}
