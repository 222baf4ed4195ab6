//! Issuers of tokens, where there are several.

use std::path::PathBuf;

use serde::Deserialize;

use super::Secret;
use super::value;

/// One of several issuers.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issuer {
    /// What `iss` is in its tokens.
    #[serde(deserialize_with = "value::named")]
    pub issuer: String,
    /// What `aud` must hold.
    #[serde(default, deserialize_with = "value::optional")]
    pub audience: Option<String>,
    /// HS256.
    #[serde(default, deserialize_with = "value::optional")]
    pub jwt_secret: Option<Secret>,
    /// HS256, from a file.
    #[serde(default, deserialize_with = "value::optional")]
    pub jwt_secret_file: Option<PathBuf>,
    /// RS256, ES256 or EdDSA.
    #[serde(default, deserialize_with = "value::optional")]
    pub jwt_public_key_file: Option<PathBuf>,
    /// Where it tells its keys.
    #[serde(default, deserialize_with = "value::optional_url")]
    pub jwks_url: Option<String>,
}
