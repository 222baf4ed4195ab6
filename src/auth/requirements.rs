//! Requirements for the claims of a token.

use std::time::Duration;

/// Requirements for a token besides its signature.
#[derive(Debug, Clone, Default)]
pub struct TokenRequirements {
    /// The required `iss`.
    pub issuer: Option<String>,
    /// The value that `aud` must contain.
    pub audience: Option<String>,
    /// The longest time that a token may still be valid. `None`: any.
    pub max_lifetime: Option<Duration>,
    /// The accepted difference between the clocks of the issuer and the server.
    pub leeway: Duration,
}
