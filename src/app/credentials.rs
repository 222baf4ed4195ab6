//! Reads the token issuers from the settings.

use std::fs;
use std::path::Path;

use anyhow::{Context, bail};

use crate::auth::{CertificateAuthorities, Issuer, Key, PublicKey, TokenRequirements, development_secret};
use crate::config::{self, Config, Mode, Secret};

/// The shortest secret for signatures, in bytes (RFC 7518, 3.2).
const MIN_SECRET_BYTES: usize = 32;

/// The four settings of a key, their path, and the certificate authorities for its URL.
struct KeySettings<'a> {
    at: String,
    authorities: &'a CertificateAuthorities,
    secret: Option<&'a Secret>,
    secret_file: Option<&'a Path>,
    public_key_file: Option<&'a Path>,
    url: Option<&'a str>,
}

/// The issuers of tokens: those of the configuration, or the development secret.
///
/// # Errors
/// No issuer is configured in production, an issuer has no key or several, or a key cannot be read.
pub fn issuers(config: &Config) -> anyhow::Result<Vec<Issuer>> {
    let auth = &config.auth;
    let authorities = authorities(auth.jwks_ca_file.as_deref())?;
    let sources = KeySettings {
        at: "auth".into(),
        authorities: &authorities,
        secret: auth.jwt_secret.as_ref(),
        secret_file: auth.jwt_secret_file.as_deref(),
        public_key_file: auth.jwt_public_key_file.as_deref(),
        url: auth.jwks_url.as_deref(),
    };
    let requirements = |issuer: &Option<String>, audience: &Option<String>| TokenRequirements {
        issuer: issuer.clone(),
        audience: audience.clone(),
        leeway: auth.leeway,
    };
    let single = sources.key()?;
    if auth.issuers.is_empty() {
        let key = match single {
            Some(key) => key,
            None if config.mode == Mode::Development => Key::Secret(development_secret(&config.data_dir)?),
            None => bail!(
                "production requires a key that verifies tokens: set `auth.jwt_secret`, `auth.jwt_secret_file`, \
                 `auth.jwt_public_key_file` or `auth.jwks_url`, or list `auth.issuers`"
            ),
        };
        return Ok(vec![Issuer { key, requirements: requirements(&auth.issuer, &auth.audience) }]);
    }
    if single.is_some() || auth.issuer.is_some() || auth.audience.is_some() {
        bail!("`auth.issuers` is set: remove the other keys, issuer and audience from `auth`");
    }
    let mut issuers: Vec<Issuer> = Vec::with_capacity(auth.issuers.len());
    for (at, listed) in auth.issuers.iter().enumerate() {
        let at = format!("auth.issuers[{at}]");
        let name = Some(listed.issuer.clone());
        if issuers.iter().any(|other| other.requirements.issuer == name) {
            bail!("`{at}.issuer` is a duplicate: {}", listed.issuer);
        }
        let Some(key) = KeySettings::of(listed, at.clone(), &authorities).key()? else {
            bail!("`{at}` requires one of jwt_secret, jwt_secret_file, jwt_public_key_file and jwks_url");
        };
        issuers.push(Issuer { key, requirements: requirements(&name, &listed.audience) });
    }
    Ok(issuers)
}

impl<'a> KeySettings<'a> {
    fn of(issuer: &'a config::Issuer, at: String, authorities: &'a CertificateAuthorities) -> Self {
        Self {
            at,
            authorities,
            secret: issuer.jwt_secret.as_ref(),
            secret_file: issuer.jwt_secret_file.as_deref(),
            public_key_file: issuer.jwt_public_key_file.as_deref(),
            url: issuer.jwks_url.as_deref(),
        }
    }

    /// The configured key, if any.
    fn key(&self) -> anyhow::Result<Option<Key>> {
        let setting = |name: &str| format!("`{}.{name}`", self.at);
        let read = |name: &str, path: &Path| {
            fs::read(path).with_context(|| format!("cannot read {}, {}", setting(name), path.display()))
        };
        Ok(Some(match (self.secret, self.secret_file, self.public_key_file, self.url) {
            (None, None, None, None) => return Ok(None),
            (Some(secret), None, None, None) => {
                Key::Secret(check_secret_length(&setting("jwt_secret"), secret.expose().into())?)
            }
            (None, Some(path), None, None) => {
                let secret = read("jwt_secret_file", path)?.trim_ascii_end().to_vec();
                Key::Secret(check_secret_length(&setting("jwt_secret_file"), secret)?)
            }
            (None, None, Some(path), None) => {
                let pem = read("jwt_public_key_file", path)?;
                let context = || format!("cannot use {}, {}", setting("jwt_public_key_file"), path.display());
                Key::PublicKey(PublicKey::from_pem(&pem).with_context(context)?)
            }
            (None, None, None, Some(url)) => {
                Key::Url { url: url.to_owned(), authorities: self.authorities.clone() }
            }
            _ => bail!(
                "set only one of {}, {}, {} and {}",
                setting("jwt_secret"),
                setting("jwt_secret_file"),
                setting("jwt_public_key_file"),
                setting("jwks_url")
            ),
        }))
    }
}

/// The certificate authorities for the servers of key sets.
fn authorities(file: Option<&Path>) -> anyhow::Result<CertificateAuthorities> {
    let Some(path) = file else { return Ok(CertificateAuthorities::none()) };
    let context = |fault: &str| format!("{fault} `auth.jwks_ca_file`, {}", path.display());
    let pem = fs::read(path).with_context(|| context("cannot read"))?;
    CertificateAuthorities::from_pem(&pem).with_context(|| context("cannot use"))
}

fn check_secret_length(setting: &str, secret: Vec<u8>) -> anyhow::Result<Vec<u8>> {
    if secret.len() < MIN_SECRET_BYTES {
        bail!("{setting} must have at least {MIN_SECRET_BYTES} bytes, has {}", secret.len());
    }
    Ok(secret)
}
