//! Keys, each with the one algorithm it is used with.

use std::sync::Arc;

use anyhow::anyhow;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Header};
use serde::Deserialize;
use serde_json::Value;

/// Sizes of an RSA modulus, in bytes: RFC 7518, 3.3 asks for 2,048 bits, and no more than 4,096 are
/// reckoned with.
const RSA_MODULUS: std::ops::RangeInclusive<usize> = 256..=512;

/// A key and the algorithm it is used with.
pub(super) struct TrustedKey {
    /// What tokens name it by.
    id: Option<String>,
    pub(super) algorithm: Algorithm,
    pub(super) key: DecodingKey,
}

impl TrustedKey {
    pub(super) fn secret(secret: &[u8]) -> Self {
        Self { id: None, algorithm: Algorithm::HS256, key: DecodingKey::from_secret(secret) }
    }

    pub(super) fn pem(pem: &[u8]) -> anyhow::Result<Self> {
        let attempts = [
            (DecodingKey::from_ed_pem(pem), Algorithm::EdDSA),
            (DecodingKey::from_ec_pem(pem), Algorithm::ES256),
            (DecodingKey::from_rsa_pem(pem), Algorithm::RS256),
        ];
        attempts
            .into_iter()
            .find_map(|(key, algorithm)| key.ok().map(|key| Self { id: None, algorithm, key }))
            .ok_or_else(|| anyhow!("not a public key in PEM of RSA, P-256 or Ed25519"))
    }

    /// A key of a set; `None` when it is not for signatures, or of no kind that is understood.
    fn of_set(jwk: &Jwk) -> Option<Self> {
        let common = &jwk.common;
        let signs = matches!(common.public_key_use, None | Some(PublicKeyUse::Signature));
        let verifies =
            common.key_operations.as_ref().is_none_or(|uses| uses.contains(&KeyOperations::Verify));
        let algorithm = algorithm(jwk).filter(|_| signs && verifies)?;
        let key = DecodingKey::from_jwk(jwk).ok()?;
        Some(Self { id: common.key_id.clone(), algorithm, key })
    }
}

/// What a key is used with: what it says itself, if that goes with its type, else its type's.
fn algorithm(jwk: &Jwk) -> Option<Algorithm> {
    use KeyAlgorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    let told = jwk.common.key_algorithm;
    let told = match &jwk.algorithm {
        AlgorithmParameters::RSA(key) => {
            let modulus = URL_SAFE_NO_PAD.decode(&key.n).ok()?;
            let fits = RSA_MODULUS.contains(&modulus.len());
            told.or(Some(RS256))
                .filter(|told| fits && [RS256, RS384, RS512, PS256, PS384, PS512].contains(told))
        }
        AlgorithmParameters::EllipticCurve(key) => match key.curve {
            EllipticCurve::P256 => told.or(Some(ES256)).filter(|told| *told == ES256),
            EllipticCurve::P384 => told.or(Some(ES384)).filter(|told| *told == ES384),
            _ => None,
        },
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            told.or(Some(EdDSA)).filter(|told| *told == EdDSA)
        }
        // A secret that is told in public is none.
        _ => None,
    };
    told.and_then(|told| told.try_into().ok())
}

/// Keys that were told together.
#[derive(Default)]
pub(super) struct Keys(Vec<Arc<TrustedKey>>);

/// What a set has for a token.
pub(super) enum Choice {
    /// This key.
    Key(Arc<TrustedKey>),
    /// None, and no newer set can help: the token does not say which, or its algorithm is another.
    None,
    /// None of that id.
    Unknown,
}

impl Keys {
    /// Reads a JWK Set. Keys that cannot be used are left out (RFC 7517, 5).
    pub(super) fn parse(text: &[u8]) -> anyhow::Result<Self> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Value>,
        }
        let set: Set = serde_json::from_slice(text).map_err(|_| anyhow!("not a JWK Set"))?;
        let jwks = set.keys.into_iter().filter_map(|key| serde_json::from_value::<Jwk>(key).ok());
        let keys: Vec<_> = jwks.filter_map(|jwk| TrustedKey::of_set(&jwk)).map(Arc::new).collect();
        if keys.is_empty() {
            return Err(anyhow!("no key in it can be used to verify tokens"));
        }
        Ok(Self(keys))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The key that a token names. Only where there is but one need it name none.
    pub(super) fn choose(&self, header: &Header) -> Choice {
        let Some(id) = &header.kid else {
            return match &self.0[..] {
                [only] => Choice::Key(only.clone()),
                _ => Choice::None,
            };
        };
        let mut named = self.0.iter().filter(|key| key.id.as_ref() == Some(id)).peekable();
        if named.peek().is_none() {
            return Choice::Unknown;
        }
        named.find(|key| key.algorithm == header.alg).map_or(Choice::None, |key| Choice::Key(key.clone()))
    }
}
