//! Signing: for a first try and for tests.

use anyhow::Context;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde::Serialize;

use super::rules::Rules;
use crate::model::{OwnerId, Timestamp};

#[derive(Serialize)]
struct Signed<'a> {
    sub: &'a str,
    exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a str>,
}

/// Signs a token with a shared secret, so that it keeps these rules.
///
/// # Errors
/// The signature cannot be made.
pub fn sign(secret: &[u8], owner: &OwnerId, expires_at: Timestamp, rules: &Rules) -> anyhow::Result<String> {
    sign_with_scope(secret, owner, expires_at, rules, None)
}

/// The same with scopes, separated by spaces.
///
/// # Errors
/// The signature cannot be made.
pub fn sign_with_scope(
    secret: &[u8],
    owner: &OwnerId,
    expires_at: Timestamp,
    rules: &Rules,
    scope: Option<&str>,
) -> anyhow::Result<String> {
    let claims = Signed {
        sub: owner.as_str(),
        exp: expires_at.0 / 1_000_000,
        iss: rules.issuer.as_deref(),
        aud: rules.audience.as_deref(),
        scope,
    };
    encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(secret))
        .context("cannot sign a token")
}
