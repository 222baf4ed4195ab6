//! Verifies tokens: a header and claims, each on a line, are signed unchanged. Only ada's tokens that have
//! not expired may be accepted. Other input is used as a token itself.
#![no_main]

use std::sync::LazyLock;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use libfuzzer_sys::fuzz_target;
use scrollback::auth::{Authenticator, Credentials, Issuer, Key, TokenRequirements, KeySetTiming};
use scrollback::clock::Clock;
use tokio::runtime::{Builder, Runtime};

const SECRET: &[u8] = b"a secret of thirty-two bytes....";

static ALL: LazyLock<(Runtime, Authenticator)> = LazyLock::new(|| {
    let requirements = TokenRequirements { issuer: Some("us".into()), audience: Some("chat".into()), leeway: Duration::ZERO };
    let issuer = Issuer { key: Key::Secret(SECRET.into()), requirements };
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    (runtime, Authenticator::new(vec![issuer], KeySetTiming::default()).expect("one issuer"))
});

fuzz_target!(|bytes: &[u8]| {
    let (runtime, authenticator) = &*ALL;
    let token = match bytes.iter().position(|byte| *byte == b'\n') {
        Some(at) => signed(&bytes[..at], &bytes[at + 1..]),
        None => String::from_utf8_lossy(bytes).into_owned(),
    };
    let authorization = format!("Bearer {token}");
    let credentials = Credentials { authorization: Some(&authorization), act_as: None };
    if let Ok(viewer) = runtime.block_on(authenticator.viewer(credentials)) {
        assert!(viewer.actor.is_none());
        // Expiry is compared in whole seconds.
        let end = viewer.expires_at.expect("an end").0.saturating_add(1_000_000);
        assert!(end >= Clock::system().now().0);
        assert!((1..=255).contains(&viewer.owner.as_str().len()));
    }
});

fn signed(header: &[u8], claims: &[u8]) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let key = EncodingKey::from_secret(SECRET);
    let signature = crypto::sign(message.as_bytes(), &key, Algorithm::HS256).expect("a signature");
    format!("{message}.{signature}")
}
