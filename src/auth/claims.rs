//! What a token must say.

use std::collections::HashSet;

use jsonwebtoken::dangerous::insecure_decode_claims;
use jsonwebtoken::{Algorithm, Validation};
use serde::Deserialize;
use serde_json::Value;

use super::requirements::TokenRequirements;

/// Allows a back end to act for any owner.
pub(super) const ACT_AS_SCOPE: &str = "scrollback:act-as";

/// What is read of a token whose signature was verified.
#[derive(Deserialize)]
pub(super) struct Claims {
    pub(super) sub: String,
    /// Seconds since 1970; RFC 7519 allows a fraction.
    pub(super) exp: f64,
    /// A string (RFC 7519, 4.1.1): a list of issuers would be some other kind of token.
    #[serde(default, rename = "iss")]
    _iss: Option<String>,
    /// Words (RFC 8693, 4.2).
    #[serde(default)]
    scope: Value,
    /// The same as some issuers write it: words, or a list.
    #[serde(default)]
    scp: Value,
}

impl Claims {
    /// Whether the token is one for acting for others.
    pub(super) fn has_act_as_scope(&self) -> bool {
        [&self.scope, &self.scp].into_iter().any(|claim| match claim {
            Value::String(words) => words.split(' ').any(|word| word == ACT_AS_SCOPE),
            Value::Array(words) => words.iter().any(|word| word == ACT_AS_SCOPE),
            _ => false,
        })
    }
}

/// How tokens are checked under these rules; the algorithm comes with the key.
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

/// Whom a token claims to be from, before anything of it was verified: good to choose a key by, and for
/// nothing else.
pub(super) fn claimed_issuer(token: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Claimed {
        iss: String,
    }
    insecure_decode_claims::<Claimed>(token).ok().map(|claimed| claimed.iss)
}

/// Whether a token's `typ` is that of tokens for servers (RFC 9068, 2.1) or says nothing: tokens for a
/// logout or an event are signed with the same keys (RFC 8725, 3.11).
pub(super) fn is_access_token(kind: Option<&str>) -> bool {
    let Some(kind) = kind.map(str::to_ascii_lowercase) else { return true };
    matches!(kind.strip_prefix("application/").unwrap_or(&kind), "jwt" | "at+jwt")
}
