//! Signing of tokens for development and tests.

use anyhow::Context;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde::Serialize;

use super::requirements::TokenRequirements;
use crate::model::{OwnerId, Timestamp};

#[derive(Serialize)]
struct SignedClaims<'a> {
    sub: &'a str,
    exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a str>,
}

/// Signs a token with a shared secret. The token satisfies the requirements.
///
/// # Errors
/// The token cannot be signed.
pub fn sign(
    secret: &[u8],
    owner: &OwnerId,
    expires_at: Timestamp,
    requirements: &TokenRequirements,
) -> anyhow::Result<String> {
    sign_with_scope(secret, owner, expires_at, requirements, None)
}

/// Like [`sign`], with scopes separated by spaces.
///
/// # Errors
/// The token cannot be signed.
pub fn sign_with_scope(
    secret: &[u8],
    owner: &OwnerId,
    expires_at: Timestamp,
    requirements: &TokenRequirements,
    scope: Option<&str>,
) -> anyhow::Result<String> {
    let claims = SignedClaims {
        sub: owner.as_str(),
        exp: expires_at.0 / 1_000_000,
        iss: requirements.issuer.as_deref(),
        aud: requirements.audience.as_deref(),
        scope,
    };
    encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(secret))
        .context("cannot sign a token")
}
