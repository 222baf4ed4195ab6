//! Signatures as Standard Webhooks describe them: HMAC-SHA-256 of id, time and body.
//!
//! <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>
//!
//! The crate `standardwebhooks` would add a second base64, a second HMAC and `time` for these few lines.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

/// What secrets begin with.
const PREFIX: &str = "whsec_";

/// The sizes of keys that the specification recommends, in bytes.
const MIN_BYTES: usize = 24;
const MAX_BYTES: usize = 64;

/// A secret that signs deliveries.
#[derive(Clone)]
pub struct SigningSecret(hmac::Key);

impl SigningSecret {
    /// Parses `whsec_` and 24 to 64 bytes in Base64.
    ///
    /// # Errors
    /// The text is something else. The error does not show it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let rule = "must be `whsec_` and 24 to 64 bytes in Base64";
        let bytes = text.strip_prefix(PREFIX).and_then(|key| STANDARD.decode(key).ok()).ok_or(rule)?;
        if (MIN_BYTES..=MAX_BYTES).contains(&bytes.len()) {
            Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
        } else {
            Err(rule)
        }
    }

    fn sign(&self, signed: &[u8]) -> String {
        format!("v1,{}", STANDARD.encode(hmac::sign(&self.0, signed)))
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret")
    }
}

/// The header `webhook-signature`: one signature for each secret, so that secrets can be replaced one after the other.
pub(super) fn signature(secrets: &[SigningSecret], id: &str, timestamp: i64, body: &[u8]) -> String {
    let mut signed = format!("{id}.{timestamp}.").into_bytes();
    signed.extend_from_slice(body);
    let signatures: Vec<String> = secrets.iter().map(|secret| secret.sign(&signed)).collect();
    signatures.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the libraries of Standard Webhooks.
    #[test]
    fn the_signature_is_that_of_the_specification() {
        let secret = SigningSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let (id, body) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", br#"{"test": 2432232314}"#);
        let expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(signature(std::slice::from_ref(&secret), id, 1_614_265_330, body), expected);
        let both = signature(&[secret.clone(), secret], id, 1_614_265_330, body);
        assert_eq!(both, format!("{expected} {expected}"));
    }

    #[test]
    fn secrets_of_another_form_are_refused() {
        for wrong in ["", "whsec_", "whsec_c2hvcnQ=", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_not base64"]
        {
            let fault = SigningSecret::parse(wrong).unwrap_err();
            assert!(fault.starts_with("must be `whsec_`"), "{fault}");
        }
        let long = format!("whsec_{}", STANDARD.encode([7; 65]));
        assert!(SigningSecret::parse(&long).is_err());
    }
}
