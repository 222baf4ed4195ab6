//! Reads the token issuers from the settings.

use std::fs;
use std::path::Path;

use anyhow::{Context, bail};

use crate::auth::{
    CertificateAuthorities, Issuer, Key, PublicKey, SharedSecret, TokenRequirements, development_secret,
};
use crate::config::{self, Config, JwtSecret, Mode, Secret};

/// The shortest secret for signatures, in bytes (RFC 7518, 3.2).
const MIN_SECRET_BYTES: usize = 32;

/// The settings of a key, their path, and the certificate authorities for its URL.
struct KeySettings<'a> {
    at: String,
    /// The entries of `auth.jwt_secrets` that are this issuer's, with their paths.
    secrets: Vec<(String, &'a JwtSecret)>,
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
        secrets: secrets_of(auth, None),
        authorities: &authorities,
        secret: auth.jwt_secret.as_ref(),
        secret_file: auth.jwt_secret_file.as_deref(),
        public_key_file: auth.jwt_public_key_file.as_deref(),
        url: auth.jwks_url.as_deref(),
    };
    let requirements = |issuer: &Option<String>, audience: &Option<String>| TokenRequirements {
        issuer: issuer.clone(),
        audience: audience.clone(),
        max_lifetime: auth.max_lifetime,
        leeway: auth.leeway,
    };
    check_issuers_of_secrets(auth)?;
    let single = sources.key()?;
    if auth.issuers.is_empty() {
        let key = match single {
            Some(key) => key,
            None if config.mode == Mode::Development => {
                Key::Secrets(vec![development_secret(&config.data_dir)?[..].into()])
            }
            None => bail!(
                "production requires a key that verifies tokens: set `auth.jwt_secret`, `auth.jwt_secret_file`, \
                 `auth.jwt_secrets`, `auth.jwt_public_key_file` or `auth.jwks_url`, or list `auth.issuers`"
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
        let secrets = secrets_of(auth, Some(&listed.issuer));
        let Some(key) = KeySettings::of(listed, at.clone(), secrets, &authorities).key()? else {
            bail!("`{at}` requires one of jwt_secret, jwt_secret_file, jwt_public_key_file and jwks_url");
        };
        issuers.push(Issuer { key, requirements: requirements(&name, &listed.audience) });
    }
    Ok(issuers)
}

impl<'a> KeySettings<'a> {
    fn of(
        issuer: &'a config::Issuer,
        at: String,
        secrets: Vec<(String, &'a JwtSecret)>,
        authorities: &'a CertificateAuthorities,
    ) -> Self {
        Self {
            at,
            secrets,
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
        let given = [
            self.secret.is_some(),
            self.secret_file.is_some(),
            self.public_key_file.is_some(),
            self.url.is_some(),
        ];
        if given.into_iter().filter(|is_given| *is_given).count() > 1 {
            bail!(
                "set only one of {}, {}, {} and {}",
                setting("jwt_secret"),
                setting("jwt_secret_file"),
                setting("jwt_public_key_file"),
                setting("jwks_url")
            );
        }
        if let (Some((at, _)), true) =
            (self.secrets.first(), self.public_key_file.is_some() || self.url.is_some())
        {
            bail!("`{at}` is a secret of `{}`, whose key is not a secret: remove one of them", self.at);
        }
        if let Some(path) = self.public_key_file {
            let pem = read(&setting("jwt_public_key_file"), path)?;
            let context = || format!("cannot use {}, {}", setting("jwt_public_key_file"), path.display());
            return Ok(Some(Key::PublicKey(PublicKey::from_pem(&pem).with_context(context)?)));
        }
        if let Some(url) = self.url {
            return Ok(Some(Key::Url { url: url.to_owned(), authorities: self.authorities.clone() }));
        }
        let secrets = self.all_secrets()?;
        Ok((!secrets.is_empty()).then_some(Key::Secrets(secrets)))
    }

    /// The secrets, with the one that signs first.
    fn all_secrets(&self) -> anyhow::Result<Vec<SharedSecret>> {
        let own = read_secret(&format!("{}.jwt_secret", self.at), self.secret, self.secret_file)?;
        let mut secrets: Vec<_> = own.map(|bytes| SharedSecret { kid: None, bytes }).into_iter().collect();
        for (at, listed) in &self.secrets {
            if listed.secret.is_some() && listed.secret_file.is_some() {
                bail!("set only one of `{at}.secret` and `{at}.secret_file`");
            }
            let bytes =
                read_secret(&format!("{at}.secret"), listed.secret.as_ref(), listed.secret_file.as_deref())?;
            let Some(bytes) = bytes else { bail!("`{at}` requires one of secret and secret_file") };
            let kid = listed.kid.clone();
            if kid.is_some() && secrets.iter().any(|other| other.kid == kid) {
                bail!("`{at}.kid` is a duplicate: {}", kid.unwrap_or_default());
            }
            secrets.push(SharedSecret { kid, bytes });
        }
        Ok(secrets)
    }
}

/// The entries of `auth.jwt_secrets` of an issuer, with their paths.
fn secrets_of<'a>(auth: &'a config::Auth, issuer: Option<&str>) -> Vec<(String, &'a JwtSecret)> {
    let listed = auth.jwt_secrets.iter().enumerate();
    let own = listed.filter(|(_, secret)| secret.issuer.as_deref() == issuer);
    own.map(|(at, secret)| (format!("auth.jwt_secrets[{at}]"), secret)).collect()
}

/// Rejects secrets that are no issuer's.
fn check_issuers_of_secrets(auth: &config::Auth) -> anyhow::Result<()> {
    let is_known = |secret: &JwtSecret| match &secret.issuer {
        None => auth.issuers.is_empty(),
        Some(name) => auth.issuers.iter().any(|issuer| issuer.issuer == *name),
    };
    let Some(at) = auth.jwt_secrets.iter().position(|secret| !is_known(secret)) else { return Ok(()) };
    match &auth.jwt_secrets[at].issuer {
        None => bail!("`auth.jwt_secrets[{at}]` requires an issuer, because `auth.issuers` is set"),
        Some(name) => bail!("`auth.jwt_secrets[{at}].issuer` is not one of `auth.issuers`: {name}"),
    }
}

fn read(setting: &str, path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {setting}, {}", path.display()))
}

/// A secret from its setting, or from the file that the setting with `_file` names.
fn read_secret(
    setting: &str,
    secret: Option<&Secret>,
    file: Option<&Path>,
) -> anyhow::Result<Option<Vec<u8>>> {
    let (setting, secret) = match (secret, file) {
        (Some(secret), _) => (format!("`{setting}`"), secret.expose().into()),
        (None, Some(path)) => {
            let setting = format!("`{setting}_file`");
            let secret = read(&setting, path)?.trim_ascii_end().to_vec();
            (setting, secret)
        }
        (None, None) => return Ok(None),
    };
    if secret.len() < MIN_SECRET_BYTES {
        bail!("{setting} must have at least {MIN_SECRET_BYTES} bytes, has {}", secret.len());
    }
    Ok(Some(secret))
}

/// The certificate authorities for the servers of key sets.
fn authorities(file: Option<&Path>) -> anyhow::Result<CertificateAuthorities> {
    let Some(path) = file else { return Ok(CertificateAuthorities::none()) };
    let context = |fault: &str| format!("{fault} `auth.jwks_ca_file`, {}", path.display());
    let pem = fs::read(path).with_context(|| context("cannot read"))?;
    CertificateAuthorities::from_pem(&pem).with_context(|| context("cannot use"))
}
