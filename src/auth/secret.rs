//! Secrets that issuers share with the server.

/// A secret for HS256.
#[derive(Clone)]
pub struct SharedSecret {
    /// The `kid` of the tokens that are signed with it.
    pub kid: Option<String>,
    /// At least 32 bytes (RFC 7518, 3.2), which the caller checks.
    pub bytes: Vec<u8>,
}

impl From<&[u8]> for SharedSecret {
    /// A secret without a `kid`.
    fn from(bytes: &[u8]) -> Self {
        Self { kid: None, bytes: bytes.to_vec() }
    }
}
