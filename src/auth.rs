//! Authentication: JSON Web Tokens (RFC 7519) are verified as RFC 8725 recommends, and give a [`Viewer`].
//!
//! - The algorithm comes from the key, never from the token's header. Key references in the header (`jku`,
//!   `x5u`, `jwk`, `x5c`) are ignored, and a header with `crit` is rejected because no extension is supported
//!   (RFC 7515, 4.1.11).
//! - `exp` and `sub` are required. `nbf` is checked, and so are `iss` and `aud` if they are configured.
//! - If several issuers are configured, the token's `iss` selects the key and the requirements.
//! - Keys come from the configuration or from a configured URL (`key_set`), never from the token.
//! - A back end whose token has the scope `scrollback:act-as` can name the owner that it acts for. It then
//!   has the same access as that owner and is recorded as the actor.
//! - The viewer has the scopes of its token ([`Scope`]). The store checks those that a read requires.
//! - Tokens can be revoked before they expire ([`RevocationList`]).
//! - Tokens are never logged, not even in part.

mod claims;
mod development;
mod error;
mod fetcher;
mod key;
mod key_set;
mod requirements;
mod revocation_list;
mod secret;
mod sign;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use arc_swap::ArcSwap;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Header, Validation, decode, decode_header, get_current_timestamp};

use crate::model::{Invalid, OwnerId, Scope, Timestamp, TokenIdentity, Viewer};
use claims::Claims;
use error::MAX_TOKEN_BYTES;
use fetcher::Fetcher;
use key::{KeyLookup, VerificationKey, VerificationKeys};
use key_set::KeySet;

pub use development::{development_secret, development_secret_file};
pub use error::AuthError;
pub use fetcher::CertificateAuthorities;
pub use key::PublicKey;
pub use key_set::KeySetTiming;
pub use requirements::TokenRequirements;
pub use revocation_list::RevocationList;
pub use secret::SharedSecret;
pub use sign::{sign, sign_with_scope};

/// The header, and the key in the payload of `connection_init`, with the owner that a back end acts for.
pub const ACT_AS: &str = "Scrollback-Act-As";

/// An issuer of tokens.
pub struct Issuer {
    /// The key that verifies its tokens.
    pub key: Key,
    /// The requirements for the claims.
    pub requirements: TokenRequirements,
}

/// A key that verifies tokens.
pub enum Key {
    /// Secrets shared with the issuer: HS256. The first one signs, each verifies.
    Secrets(Vec<SharedSecret>),
    /// A public key: RS256, ES256 or EdDSA, depending on its type.
    PublicKey(PublicKey),
    /// The URL of a JSON Web Key Set (RFC 7517).
    Url {
        /// `https://…` or `http://…`.
        url: String,
        /// Certificate authorities that are trusted for its server, besides those of the system.
        authorities: CertificateAuthorities,
    },
}

/// Verifies tokens.
pub struct Authenticator {
    issuers: ArcSwap<Vec<Verifier>>,
    revocations: RevocationList,
}

/// Verifies the tokens of one issuer.
struct Verifier {
    source: KeySource,
    validation: Validation,
    requirements: TokenRequirements,
}

enum KeySource {
    /// Several only while secrets are replaced.
    Fixed(Vec<Arc<VerificationKey>>),
    Set(Arc<KeySet>),
}

/// The credentials of a request.
#[derive(Debug, Clone, Copy, Default)]
pub struct Credentials<'a> {
    /// The value of `Authorization`.
    pub authorization: Option<&'a str>,
    /// The value of [`ACT_AS`].
    pub act_as: Option<&'a str>,
}

impl Authenticator {
    /// Accepts tokens of these issuers. Starts to fetch key sets in the background, which needs a Tokio
    /// runtime.
    ///
    /// # Errors
    /// A URL is not valid, or two issuers have the same name.
    pub fn new(issuers: Vec<Issuer>, timing: KeySetTiming) -> anyhow::Result<Self> {
        let issuers = ArcSwap::from_pointee(verifiers(issuers, timing, &[])?);
        Ok(Self { issuers, revocations: RevocationList::default() })
    }

    /// The same, refusing the tokens of this list.
    #[must_use]
    pub fn with_revocations(self, revocations: RevocationList) -> Self {
        Self { revocations, ..self }
    }

    /// Resolves when the token of a viewer is revoked.
    pub fn revoked(&self, viewer: &Viewer) -> impl Future<Output = ()> + Send + use<> {
        self.revocations.refused(viewer)
    }

    /// Accepts tokens of these issuers from now on, and of no others. Key sets whose URL stays are not fetched anew.
    ///
    /// # Errors
    /// As for [`new`](Self::new). Nothing changes then.
    pub fn replace_issuers(&self, issuers: Vec<Issuer>, timing: KeySetTiming) -> anyhow::Result<()> {
        let verifiers = verifiers(issuers, timing, &self.issuers.load())?;
        self.issuers.store(Arc::new(verifiers));
        Ok(())
    }

    /// Whether at least one issuer has a usable key.
    pub fn is_ready(&self) -> bool {
        self.issuers.load().iter().any(|issuer| match &issuer.source {
            KeySource::Fixed(_) => true,
            KeySource::Set(keys) => keys.is_ready(),
        })
    }

    /// Verifies credentials.
    ///
    /// # Errors
    /// The token is missing or not valid, or it does not allow to act for another user.
    pub async fn viewer(&self, credentials: Credentials<'_>) -> Result<Viewer, AuthError> {
        let Credentials { authorization, act_as } = credentials;
        let (scheme, token) =
            authorization.and_then(|value| value.split_once(' ')).ok_or(AuthError::Missing)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(AuthError::Missing);
        }
        let (claims, leeway) = self.verify(token.trim()).await?;
        let scopes = claims.scopes();
        let subject = OwnerId::new(claims.sub).map_err(|_| AuthError::Invalid)?;
        let (owner, actor) = match act_as {
            None => (subject, None),
            Some(_) if !scopes.contains(&Scope::ActAs) => return Err(AuthError::ActAsForbidden),
            Some(name) => {
                let owner = OwnerId::new(name).map_err(|invalid| Invalid::new(ACT_AS, invalid.rule))?;
                (owner, Some(subject))
            }
        };
        // Includes the leeway, so that a WebSocket closes no earlier than a request would be rejected.
        let end = claims.exp + leeway.as_secs_f64();
        let token = TokenIdentity { id: claims.jti, issued_at: claims.iat.map(micros) };
        let viewer = Viewer { owner, actor, scopes, expires_at: Some(micros(end)), token };
        if self.revocations.refuses(&viewer) {
            return Err(AuthError::Revoked);
        }
        Ok(viewer)
    }

    async fn verify(&self, token: &str) -> Result<(Claims, Duration), AuthError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(AuthError::TooLong);
        }
        let header = decode_header(token).map_err(|_| AuthError::Invalid)?;
        if header.crit.is_some() || !claims::is_access_token(header.typ.as_deref()) {
            return Err(AuthError::Invalid);
        }
        // Not a guard of `load`: it is held while keys are fetched.
        let issuers = self.issuers.load_full();
        let issuer = match &issuers[..] {
            [only] => only,
            several => {
                let name = claims::claimed_issuer(token).ok_or(AuthError::Invalid)?;
                let is_named = |issuer: &&Verifier| issuer.requirements.issuer.as_deref() == Some(&name);
                several.iter().find(is_named).ok_or(AuthError::Invalid)?
            }
        };
        let claims = issuer.verify(token, &header).await?;
        Ok((claims, issuer.requirements.leeway))
    }
}

/// The verifiers of these issuers, with the key sets that are there already.
fn verifiers(
    issuers: Vec<Issuer>,
    timing: KeySetTiming,
    present: &[Verifier],
) -> anyhow::Result<Vec<Verifier>> {
    let several = issuers.len() > 1;
    let mut verifiers: Vec<Verifier> = Vec::with_capacity(issuers.len());
    for Issuer { key, requirements } in issuers {
        let known = |other: &Verifier| other.requirements.issuer == requirements.issuer;
        if several && (requirements.issuer.is_none() || verifiers.iter().any(known)) {
            anyhow::bail!("if there are several issuers, each needs a unique name (`issuer`)");
        }
        let source = match key {
            Key::Secrets(secrets) => {
                let keys = secrets.into_iter().map(VerificationKey::secret).map(Arc::new);
                KeySource::Fixed(keys.collect())
            }
            Key::PublicKey(PublicKey(key)) => KeySource::Fixed(vec![key]),
            Key::Url { url, authorities } => {
                let fetcher = Fetcher::new(&url, &authorities)
                    .with_context(|| format!("cannot fetch keys from {url}"))?;
                let same = present.iter().find_map(|verifier| match &verifier.source {
                    KeySource::Set(keys) if keys.is_of(&fetcher, timing) => Some(keys.clone()),
                    _ => None,
                });
                KeySource::Set(same.unwrap_or_else(|| Arc::new(KeySet::start(fetcher, timing))))
            }
        };
        verifiers.push(Verifier { source, validation: claims::validation(&requirements), requirements });
    }
    Ok(verifiers)
}

/// Fetches a key set once, and returns how many keys it has that can be used.
///
/// # Errors
/// It cannot be fetched, or is not a key set.
pub async fn check_key_set(url: &str, authorities: &CertificateAuthorities) -> anyhow::Result<usize> {
    let text = Fetcher::new(url, authorities)?.fetch().await?;
    Ok(VerificationKeys::parse(&text)?.len())
}

impl Verifier {
    async fn verify(&self, token: &str, header: &Header) -> Result<Claims, AuthError> {
        let claims = match &self.source {
            KeySource::Fixed(keys) => self.verify_with_one_of(keys, token, header)?,
            KeySource::Set(keys) => match keys.choose(header).await? {
                KeyLookup::Key(key) => self.verify_with(&key, token).map_err(AuthError::from)?,
                KeyLookup::None | KeyLookup::Unknown => return Err(AuthError::Invalid),
            },
        };
        match self.requirements.max_lifetime {
            Some(most) if self.lives_longer(&claims, most) => Err(AuthError::LivesTooLong(most)),
            _ => Ok(claims),
        }
    }

    /// Verifies a token with the key that it names, or with each of those that it can have been signed with.
    fn verify_with_one_of(
        &self,
        keys: &[Arc<VerificationKey>],
        token: &str,
        header: &Header,
    ) -> Result<Claims, AuthError> {
        let named = header.kid.as_deref().and_then(|id| keys.iter().find(|key| key.is_named(id)));
        let candidates = named.map_or(keys, std::slice::from_ref);
        let mut result = Err(AuthError::Invalid);
        for key in candidates {
            match self.verify_with(key, token) {
                Err(error) if *error.kind() == ErrorKind::InvalidSignature => {}
                verified => {
                    result = verified.map_err(AuthError::from);
                    break;
                }
            }
        }
        result
    }

    fn verify_with(&self, key: &VerificationKey, token: &str) -> Result<Claims, jsonwebtoken::errors::Error> {
        let mut validation = self.validation.clone();
        validation.algorithms = vec![key.algorithm];
        Ok(decode::<Claims>(token, &key.key, &validation)?.claims)
    }

    fn lives_longer(&self, claims: &Claims, most: Duration) -> bool {
        let now = Duration::from_secs(get_current_timestamp());
        claims.exp > (now + most + self.requirements.leeway).as_secs_f64()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a float saturates when it is cast to an integer")]
fn micros(seconds: f64) -> Timestamp {
    Timestamp((seconds * 1e6) as i64)
}

#[cfg(test)]
mod tests;
