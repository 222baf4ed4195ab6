//! What must hold for a token besides its signature.

use std::time::Duration;

/// What else must hold for a token.
#[derive(Debug, Clone, Default)]
pub struct TokenRequirements {
    /// `iss` must be this.
    pub issuer: Option<String>,
    /// `aud` must hold this.
    pub audience: Option<String>,
    /// How far clocks may be apart.
    pub leeway: Duration,
}
