//! Settings of authentication.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::value;
use super::{Issuer, JwtSecret, Secret};

/// Authentication.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// A secret for HS256.
    #[serde(deserialize_with = "value::optional")]
    pub jwt_secret: Option<Secret>,
    /// A file with a secret for HS256.
    #[serde(deserialize_with = "value::optional")]
    pub jwt_secret_file: Option<PathBuf>,
    /// Secrets that are accepted, too.
    pub jwt_secrets: Vec<JwtSecret>,
    /// A file with a public key for RS256, ES256 or EdDSA.
    #[serde(deserialize_with = "value::optional")]
    pub jwt_public_key_file: Option<PathBuf>,
    /// The URL of the issuer's key set.
    #[serde(deserialize_with = "value::optional_url")]
    pub jwks_url: Option<String>,
    /// The required `iss`.
    #[serde(deserialize_with = "value::optional")]
    pub issuer: Option<String>,
    /// The value that `aud` must contain.
    #[serde(deserialize_with = "value::optional")]
    pub audience: Option<String>,
    /// Several issuers, instead of the settings above.
    pub issuers: Vec<Issuer>,
    /// The longest time that a token may still be valid. `None`: any.
    #[serde(deserialize_with = "value::positive_duration_or_never")]
    pub max_lifetime: Option<Duration>,
    /// The accepted difference between clocks.
    #[serde(deserialize_with = "value::leeway")]
    pub leeway: Duration,
    /// A file with certificate authorities for key set URLs, besides those of the system.
    #[serde(deserialize_with = "value::optional")]
    pub jwks_ca_file: Option<PathBuf>,
    /// The age at which keys from a URL are fetched again.
    #[serde(deserialize_with = "value::positive_duration")]
    pub jwks_refresh: Duration,
    /// The shortest time between two fetches.
    #[serde(deserialize_with = "value::positive_duration")]
    pub jwks_cooldown: Duration,
    /// The age at which keys expire if they cannot be fetched.
    #[serde(deserialize_with = "value::positive_duration")]
    pub jwks_keep: Duration,
}
