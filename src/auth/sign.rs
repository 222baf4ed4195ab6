//! Signing of tokens for development and tests.

use anyhow::Context;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, get_current_timestamp};
use serde::Serialize;
use uuid::Uuid;

use super::requirements::TokenRequirements;
use super::secret::SharedSecret;
use crate::model::{OwnerId, Timestamp};

#[derive(Serialize)]
struct SignedClaims<'a> {
    sub: &'a str,
    exp: i64,
    iat: u64,
    jti: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a str>,
}

/// Signs a token with a shared secret. The token satisfies the requirements, except that its lifetime is the caller's.
///
/// # Errors
/// The token cannot be signed.
pub fn sign(
    secret: &[u8],
    owner: &OwnerId,
    expires_at: Timestamp,
    requirements: &TokenRequirements,
) -> anyhow::Result<String> {
    sign_with_scope(&secret.into(), owner, expires_at, requirements, None)
}

/// Like [`sign`], with scopes separated by spaces.
///
/// # Errors
/// The token cannot be signed.
pub fn sign_with_scope(
    secret: &SharedSecret,
    owner: &OwnerId,
    expires_at: Timestamp,
    requirements: &TokenRequirements,
    scope: Option<&str>,
) -> anyhow::Result<String> {
    let claims = SignedClaims {
        sub: owner.as_str(),
        exp: expires_at.0 / 1_000_000,
        iat: get_current_timestamp(),
        jti: uuid::Builder::from_random_bytes(rand::random()).into_uuid(),
        iss: requirements.issuer.as_deref(),
        aud: requirements.audience.as_deref(),
        scope,
    };
    let header = Header { kid: secret.kid.clone(), ..Header::new(Algorithm::HS256) };
    encode(&header, &claims, &EncodingKey::from_secret(&secret.bytes)).context("cannot sign a token")
}
