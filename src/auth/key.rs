//! Keys, each with the one algorithm it is used with.

use std::ops::RangeInclusive;
use std::sync::Arc;

use anyhow::{anyhow, bail};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Header};
use pkcs1::RsaPublicKey;
use serde::Deserialize;
use serde_json::Value;

/// Sizes of an RSA modulus, in bits: RFC 7518, 3.3 asks for 2,048, and no more than 4,096 are reckoned with.
const RSA_BITS: RangeInclusive<usize> = 2048..=4096;

/// A public key that the operator has given.
pub struct PublicKey(pub(super) Arc<TrustedKey>);

impl PublicKey {
    /// Reads it from PEM: RSA, P-256 or Ed25519.
    ///
    /// # Errors
    /// It is something else, or RSA of another size than 2,048 to 4,096 bits.
    pub fn from_pem(pem: &[u8]) -> anyhow::Result<Self> {
        TrustedKey::pem(pem).map(|key| Self(Arc::new(key)))
    }
}

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

    fn pem(pem: &[u8]) -> anyhow::Result<Self> {
        let attempts = [
            (DecodingKey::from_ed_pem(pem), Algorithm::EdDSA),
            (DecodingKey::from_ec_pem(pem), Algorithm::ES256),
            (DecodingKey::from_rsa_pem(pem), Algorithm::RS256),
        ];
        let kinds = || anyhow!("not a public key in PEM of RSA, P-256 or Ed25519");
        let read = attempts.into_iter().find_map(|(key, algorithm)| Some((key.ok()?, algorithm)));
        let (key, algorithm) = read.ok_or_else(kinds)?;
        if algorithm == Algorithm::RS256 {
            let rsa = key.try_get_as_bytes().ok().and_then(|der| RsaPublicKey::try_from(der).ok());
            let bits = bits(rsa.ok_or_else(kinds)?.modulus.as_bytes());
            if !RSA_BITS.contains(&bits) {
                bail!("RSA needs {} to {} bits, this key has {bits}", RSA_BITS.start(), RSA_BITS.end());
            }
        }
        Ok(Self { id: None, algorithm, key })
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
        AlgorithmParameters::RSA(_) => {
            told.or(Some(RS256)).filter(|told| [RS256, RS384, RS512, PS256, PS384, PS512].contains(told))
        }
        AlgorithmParameters::EllipticCurve(key) => match key.curve {
            EllipticCurve::P256 => told.or(Some(ES256)).filter(|told| *told == ES256),
            EllipticCurve::P384 => told.or(Some(ES384)).filter(|told| *told == ES384),
            _ => None,
        },
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            told.or(Some(EdDSA)).filter(|told| *told == EdDSA)
        }
        // A key set is public, so a secret in it is not secret.
        _ => None,
    };
    told.and_then(|told| told.try_into().ok())
}

/// Whether a key is RSA of a size that is not used.
fn is_missized(jwk: &Jwk) -> bool {
    let AlgorithmParameters::RSA(key) = &jwk.algorithm else { return false };
    !URL_SAFE_NO_PAD.decode(&key.n).is_ok_and(|modulus| RSA_BITS.contains(&bits(&modulus)))
}

/// Of a number whose first byte counts most.
fn bits(number: &[u8]) -> usize {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let first = number.get(zeros).map_or(0, |byte| byte.leading_zeros() as usize);
    8 * (number.len() - zeros) - first
}

/// Keys that were told together.
#[derive(Default)]
pub(super) struct Keys {
    usable: Vec<Arc<TrustedKey>>,
    /// The names of those that are RSA of a size that is not used.
    pub(super) missized: Vec<String>,
}

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
        let (missized, fitting): (Vec<_>, Vec<_>) = jwks.partition(is_missized);
        let usable: Vec<_> = fitting.iter().filter_map(TrustedKey::of_set).map(Arc::new).collect();
        let missized: Vec<_> =
            missized.into_iter().map(|jwk| jwk.common.key_id.unwrap_or_default()).collect();
        if usable.is_empty() && missized.is_empty() {
            bail!("no key in it can be used to verify tokens");
        }
        if usable.is_empty() {
            bail!("no key in it can be used: RSA needs {} to {} bits", RSA_BITS.start(), RSA_BITS.end());
        }
        Ok(Self { usable, missized })
    }

    pub(super) fn len(&self) -> usize {
        self.usable.len()
    }

    /// The key that a token names. Only where there is but one need it name none.
    pub(super) fn choose(&self, header: &Header) -> Choice {
        let Some(id) = &header.kid else {
            return match &self.usable[..] {
                [only] => Choice::Key(only.clone()),
                _ => Choice::None,
            };
        };
        let mut named = self.usable.iter().filter(|key| key.id.as_ref() == Some(id)).peekable();
        if named.peek().is_none() {
            return Choice::Unknown;
        }
        named.find(|key| key.algorithm == header.alg).map_or(Choice::None, |key| Choice::Key(key.clone()))
    }
}
