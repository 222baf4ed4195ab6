//! The claims of a token.

use std::collections::HashSet;

use jsonwebtoken::dangerous::insecure_decode_claims;
use jsonwebtoken::{Algorithm, Validation};
use serde::Deserialize;
use serde_json::Value;

use super::requirements::TokenRequirements;
use crate::model::Scope;

/// The claims of a verified token.
#[derive(Deserialize)]
pub(super) struct Claims {
    pub(super) sub: String,
    /// Seconds since 1970. RFC 7519 allows a fraction.
    pub(super) exp: f64,
    /// Seconds since 1970, with a fraction or without.
    #[serde(default)]
    pub(super) iat: Option<f64>,
    /// The id of the token.
    #[serde(default)]
    pub(super) jti: Option<String>,
    /// A string (RFC 7519, 4.1.1). A list is rejected.
    #[serde(default, rename = "iss")]
    _iss: Option<String>,
    /// Scopes, separated by spaces (RFC 8693, 4.2).
    #[serde(default)]
    scope: Value,
    /// The same claim as some issuers write it: scopes separated by spaces, or a list.
    #[serde(default)]
    scp: Value,
}

impl Claims {
    /// The scopes of the token that Scrollback knows.
    pub(super) fn scopes(&self) -> Vec<Scope> {
        Scope::ALL.into_iter().filter(|scope| self.has_scope(scope.as_str())).collect()
    }

    fn has_scope(&self, name: &str) -> bool {
        [&self.scope, &self.scp].into_iter().any(|claim| match claim {
            Value::String(words) => words.split(' ').any(|word| word == name),
            Value::Array(words) => words.iter().any(|word| word == name),
            _ => false,
        })
    }
}

/// The validation for these requirements. The algorithm is set with the key.
pub(super) fn validation(requirements: &TokenRequirements) -> Validation {
    let mut validation = Validation::new(Algorithm::HS256);
    let mut required = HashSet::from(["exp".to_owned(), "sub".to_owned()]);
    validation.leeway = requirements.leeway.as_secs();
    validation.validate_nbf = true;
    validation.validate_aud = requirements.audience.is_some();
    if let Some(issuer) = &requirements.issuer {
        validation.set_issuer(&[issuer]);
        required.insert("iss".into());
    }
    if let Some(audience) = &requirements.audience {
        validation.set_audience(&[audience]);
        required.insert("aud".into());
    }
    validation.required_spec_claims = required;
    validation
}

/// The claim `iss` of a token that was not verified yet. Use it only to select the key.
pub(super) fn claimed_issuer(token: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Claimed {
        iss: String,
    }
    insecure_decode_claims::<Claimed>(token).ok().map(|claimed| claimed.iss)
}

/// Whether the header's `typ` is that of an access token (RFC 9068, 2.1) or missing. Logout and event tokens
/// are signed with the same keys and are rejected (RFC 8725, 3.11).
pub(super) fn is_access_token(kind: Option<&str>) -> bool {
    let Some(kind) = kind.map(str::to_ascii_lowercase) else { return true };
    matches!(kind.strip_prefix("application/").unwrap_or(&kind), "jwt" | "at+jwt")
}
