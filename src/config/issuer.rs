//! Settings of one of several token issuers.

use std::path::PathBuf;

use serde::Deserialize;

use super::Secret;
use super::value;

/// A token issuer.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issuer {
    /// The `iss` of its tokens.
    #[serde(deserialize_with = "value::named")]
    pub issuer: String,
    /// The value that `aud` must contain.
    #[serde(default, deserialize_with = "value::optional")]
    pub audience: Option<String>,
    /// A secret for HS256.
    #[serde(default, deserialize_with = "value::optional")]
    pub jwt_secret: Option<Secret>,
    /// A file with a secret for HS256.
    #[serde(default, deserialize_with = "value::optional")]
    pub jwt_secret_file: Option<PathBuf>,
    /// A file with a public key for RS256, ES256 or EdDSA.
    #[serde(default, deserialize_with = "value::optional")]
    pub jwt_public_key_file: Option<PathBuf>,
    /// The URL of its key set.
    #[serde(default, deserialize_with = "value::optional_url")]
    pub jwks_url: Option<String>,
}
