//! Credentials to [`Viewer`]: JSON Web Tokens, verified with one configured key.
//!
//! - The algorithm comes from the key, never from the token's header, so no token can choose how it
//!   is checked (RFC 8725, 3.1).
//! - `exp` and `sub` are required; `nbf` is checked; `iss` and `aud` where they are configured.
//! - Nothing of a token is ever logged.

mod development;

use std::collections::HashSet;
use std::time::Duration;

use anyhow::{Context, anyhow};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};

use crate::model::{OwnerId, Timestamp, Viewer};

pub use development::development_secret;

/// What tokens are verified with.
pub enum Key {
    /// A secret shared with whoever signs: HS256.
    Secret(Vec<u8>),
    /// A public key in PEM: RS256, ES256 or EdDSA, as the key is.
    PublicKey(Vec<u8>),
}

/// What else must hold for a token.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// `iss` must be this.
    pub issuer: Option<String>,
    /// `aud` must hold this.
    pub audience: Option<String>,
    /// How far clocks may be apart.
    pub leeway: Duration,
}

/// Verifies tokens.
pub struct Authenticator {
    key: DecodingKey,
    validation: Validation,
    leeway: Duration,
}

/// Why credentials were refused. Says enough to mend them and nothing that helps to forge them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unauthenticated {
    /// There are none.
    #[error("credentials are missing: send `Authorization: Bearer <token>`")]
    Missing,
    /// They have ended.
    #[error("the token has expired")]
    Expired,
    /// Wrong signature, form, algorithm or claims.
    #[error("the token is not valid")]
    Invalid,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: String,
    /// Seconds since 1970; RFC 7519 allows a fraction.
    exp: f64,
}

impl Authenticator {
    /// Verifies with `key` under `rules`.
    ///
    /// # Errors
    /// The key cannot be used.
    pub fn new(key: &Key, rules: &Rules) -> anyhow::Result<Self> {
        let (key, algorithm) = match key {
            Key::Secret(secret) => (DecodingKey::from_secret(secret), Algorithm::HS256),
            Key::PublicKey(pem) => public_key(pem)?,
        };
        let mut validation = Validation::new(algorithm);
        let mut required = HashSet::from(["exp".to_owned(), "sub".to_owned()]);
        validation.leeway = rules.leeway.as_secs();
        validation.validate_nbf = true;
        validation.validate_aud = rules.audience.is_some();
        if let Some(issuer) = &rules.issuer {
            validation.set_issuer(&[issuer]);
            required.insert("iss".into());
        }
        if let Some(audience) = &rules.audience {
            validation.set_audience(&[audience]);
            required.insert("aud".into());
        }
        validation.required_spec_claims = required;
        Ok(Self { key, validation, leeway: rules.leeway })
    }

    /// Who a token says is asking.
    ///
    /// # Errors
    /// The token is not one to trust, or no longer.
    pub fn viewer(&self, token: &str) -> Result<Viewer, Unauthenticated> {
        let claims = decode::<Claims>(token, &self.key, &self.validation)
            .map_err(|error| match error.kind() {
                ErrorKind::ExpiredSignature => Unauthenticated::Expired,
                _ => Unauthenticated::Invalid,
            })?
            .claims;
        let owner = OwnerId::new(claims.sub).map_err(|_| Unauthenticated::Invalid)?;
        // As long as the token is believed, so that a socket is not cut sooner than a request is refused.
        let end = claims.exp + self.leeway.as_secs_f64();
        Ok(Viewer { owner, expires_at: Some(micros(end)) })
    }

    /// The same for the value of an `Authorization` header.
    ///
    /// # Errors
    /// It is absent, not a bearer token, or not one to trust.
    pub fn viewer_of_header(&self, header: Option<&str>) -> Result<Viewer, Unauthenticated> {
        let (scheme, token) =
            header.and_then(|header| header.split_once(' ')).ok_or(Unauthenticated::Missing)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Unauthenticated::Missing);
        }
        self.viewer(token.trim())
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a float saturates when it is cast to an integer")]
fn micros(seconds: f64) -> Timestamp {
    Timestamp((seconds * 1e6) as i64)
}

fn public_key(pem: &[u8]) -> anyhow::Result<(DecodingKey, Algorithm)> {
    let attempts = [
        (DecodingKey::from_ed_pem(pem), Algorithm::EdDSA),
        (DecodingKey::from_ec_pem(pem), Algorithm::ES256),
        (DecodingKey::from_rsa_pem(pem), Algorithm::RS256),
    ];
    attempts
        .into_iter()
        .find_map(|(key, algorithm)| key.ok().map(|key| (key, algorithm)))
        .ok_or_else(|| anyhow!("not a public key in PEM of RSA, P-256 or Ed25519"))
}

/// Signs a token with a shared secret: for a first try and for tests.
///
/// # Errors
/// The signature cannot be made.
pub fn sign(secret: &[u8], owner: &OwnerId, expires_at: Timestamp, rules: &Rules) -> anyhow::Result<String> {
    #[derive(Serialize)]
    struct Signed<'a> {
        sub: &'a str,
        exp: i64,
        #[serde(skip_serializing_if = "Option::is_none")]
        iss: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        aud: Option<&'a str>,
    }
    let claims = Signed {
        sub: owner.as_str(),
        exp: expires_at.0 / 1_000_000,
        iss: rules.issuer.as_deref(),
        aud: rules.audience.as_deref(),
    };
    encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(secret))
        .context("cannot sign a token")
}

#[cfg(test)]
mod tests;
