//! Settings of a secret that verifies tokens while others do, too.

use std::path::PathBuf;

use serde::Deserialize;

use super::Secret;
use super::value;

/// A secret for HS256 that is accepted besides others.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JwtSecret {
    /// The issuer that has it. `None`: the only one.
    #[serde(default, deserialize_with = "value::optional")]
    pub issuer: Option<String>,
    /// The `kid` of the tokens that are signed with it.
    #[serde(default, deserialize_with = "value::optional")]
    pub kid: Option<String>,
    /// The secret.
    #[serde(default, deserialize_with = "value::optional")]
    pub secret: Option<Secret>,
    /// A file with the secret.
    #[serde(default, deserialize_with = "value::optional")]
    pub secret_file: Option<PathBuf>,
}
