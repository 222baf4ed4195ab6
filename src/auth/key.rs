//! Keys that verify tokens, each with its one algorithm.

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

use super::secret::SharedSecret;

/// Sizes of an RSA modulus, in bits: RFC 7518, 3.3 asks for 2,048, and no more than 4,096 are reckoned with.
const RSA_BITS: RangeInclusive<usize> = 2048..=4096;

/// A public key that the operator has given.
pub struct PublicKey(pub(super) Arc<VerificationKey>);

impl PublicKey {
    /// Reads it from PEM: RSA, P-256 or Ed25519.
    ///
    /// # Errors
    /// It is something else, or RSA of another size than 2,048 to 4,096 bits.
    pub fn from_pem(pem: &[u8]) -> anyhow::Result<Self> {
        VerificationKey::pem(pem).map(|key| Self(Arc::new(key)))
    }
}

/// A key and the algorithm it is used with.
pub(super) struct VerificationKey {
    /// What tokens name it by.
    id: Option<String>,
    pub(super) algorithm: Algorithm,
    pub(super) key: DecodingKey,
}

impl VerificationKey {
    pub(super) fn secret(SharedSecret { kid, bytes }: SharedSecret) -> Self {
        Self { id: kid, algorithm: Algorithm::HS256, key: DecodingKey::from_secret(&bytes) }
    }

    /// Whether tokens with this key id are to be verified with it.
    pub(super) fn is_named(&self, id: &str) -> bool {
        self.id.as_deref() == Some(id)
    }

    fn pem(pem: &[u8]) -> anyhow::Result<Self> {
        let attempts = [
            (DecodingKey::from_ed_pem(pem), Algorithm::EdDSA),
            (DecodingKey::from_ec_pem(pem), Algorithm::ES256),
            (DecodingKey::from_rsa_pem(pem), Algorithm::RS256),
        ];
        let kinds = || anyhow!("not a public key in PEM: RSA, P-256 or Ed25519 is required");
        let read = attempts.into_iter().find_map(|(key, algorithm)| Some((key.ok()?, algorithm)));
        let (key, algorithm) = read.ok_or_else(kinds)?;
        if algorithm == Algorithm::RS256 {
            let rsa = key.try_get_as_bytes().ok().and_then(|der| RsaPublicKey::try_from(der).ok());
            let bits = bits(rsa.ok_or_else(kinds)?.modulus.as_bytes());
            if !RSA_BITS.contains(&bits) {
                bail!(
                    "an RSA key must have {} to {} bits, this one has {bits}",
                    RSA_BITS.start(),
                    RSA_BITS.end()
                );
            }
        }
        Ok(Self { id: None, algorithm, key })
    }

    /// A key of a key set. `None` if it is not for signatures or its type is not supported.
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

/// The algorithm of a key: the declared one if it fits the type of the key, else the default of the type.
fn algorithm(jwk: &Jwk) -> Option<Algorithm> {
    use KeyAlgorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    let declared = jwk.common.key_algorithm;
    let declared = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => declared
            .or(Some(RS256))
            .filter(|declared| [RS256, RS384, RS512, PS256, PS384, PS512].contains(declared)),
        AlgorithmParameters::EllipticCurve(key) => match key.curve {
            EllipticCurve::P256 => declared.or(Some(ES256)).filter(|declared| *declared == ES256),
            EllipticCurve::P384 => declared.or(Some(ES384)).filter(|declared| *declared == ES384),
            _ => None,
        },
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            declared.or(Some(EdDSA)).filter(|declared| *declared == EdDSA)
        }
        // A key set is public, so it cannot contain a secret.
        _ => None,
    };
    declared.and_then(|declared| declared.try_into().ok())
}

/// Whether a key is an RSA key of an unsupported size.
fn is_missized(jwk: &Jwk) -> bool {
    let AlgorithmParameters::RSA(key) = &jwk.algorithm else { return false };
    !URL_SAFE_NO_PAD.decode(&key.n).is_ok_and(|modulus| RSA_BITS.contains(&bits(&modulus)))
}

/// The bit length of a big-endian number.
fn bits(number: &[u8]) -> usize {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let first = number.get(zeros).map_or(0, |byte| byte.leading_zeros() as usize);
    8 * (number.len() - zeros) - first
}

/// The keys of a key set.
#[derive(Default)]
pub(super) struct VerificationKeys {
    usable: Vec<Arc<VerificationKey>>,
    /// The ids of ignored RSA keys of an unsupported size.
    pub(super) wrong_size: Vec<String>,
}

/// The result of selecting a key for a token.
pub(super) enum KeyLookup {
    /// The key.
    Key(Arc<VerificationKey>),
    /// No key, and fetching again cannot help: the token has no key id, or its algorithm is not that of the
    /// key.
    None,
    /// No key with this id.
    Unknown,
}

impl VerificationKeys {
    /// Parses a JWK Set. Unsupported keys are ignored (RFC 7517, 5).
    pub(super) fn parse(text: &[u8]) -> anyhow::Result<Self> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Value>,
        }
        let set: Set = serde_json::from_slice(text).map_err(|_| anyhow!("not a JWK Set"))?;
        let jwks = set.keys.into_iter().filter_map(|key| serde_json::from_value::<Jwk>(key).ok());
        let (wrong_size, fitting): (Vec<_>, Vec<_>) = jwks.partition(is_missized);
        let usable: Vec<_> = fitting.iter().filter_map(VerificationKey::of_set).map(Arc::new).collect();
        let wrong_size: Vec<_> =
            wrong_size.into_iter().map(|jwk| jwk.common.key_id.unwrap_or_default()).collect();
        if usable.is_empty() && wrong_size.is_empty() {
            bail!("it has no supported key");
        }
        if usable.is_empty() {
            bail!(
                "it has no supported key: an RSA key must have {} to {} bits",
                RSA_BITS.start(),
                RSA_BITS.end()
            );
        }
        Ok(Self { usable, wrong_size })
    }

    pub(super) fn len(&self) -> usize {
        self.usable.len()
    }

    /// Selects the key by the token's key id. The id may be missing only if the set has a single key.
    pub(super) fn choose(&self, header: &Header) -> KeyLookup {
        let Some(id) = &header.kid else {
            return match &self.usable[..] {
                [only] => KeyLookup::Key(only.clone()),
                _ => KeyLookup::None,
            };
        };
        let mut named = self.usable.iter().filter(|key| key.id.as_ref() == Some(id)).peekable();
        if named.peek().is_none() {
            return KeyLookup::Unknown;
        }
        named
            .find(|key| key.algorithm == header.alg)
            .map_or(KeyLookup::None, |key| KeyLookup::Key(key.clone()))
    }
}
