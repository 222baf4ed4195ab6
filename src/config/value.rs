//! How single values are read.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error, IntoDeserializer};

/// Text that must not be shown.
#[derive(Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The text, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// "10s", "2m 30s", "24h".
pub(super) fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    humantime::parse_duration(&text).map_err(|_| D::Error::custom("must be a duration such as \"10s\""))
}

/// The same, of which there is some.
pub(super) fn some_time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    match duration(deserializer)? {
        Duration::ZERO => Err(D::Error::custom("must be longer than 0s")),
        duration => Ok(duration),
    }
}

/// An empty text is no value.
pub(super) fn optional<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    let text = String::deserialize(deserializer)?;
    if text.is_empty() { Ok(None) } else { T::deserialize(text.into_deserializer()).map(Some) }
}

/// A text that is not empty.
pub(super) fn named<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() { Err(D::Error::custom("must not be empty")) } else { Ok(text) }
}

/// An address of HTTP or HTTPS, or none. It is told in logs, so it may hold no credentials.
pub(super) fn optional_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let Some(url) = optional::<D, String>(deserializer)? else { return Ok(None) };
    let Some(rest) = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")) else {
        return Err(D::Error::custom("must begin with https:// or http://"));
    };
    match rest.split(['/', '?', '#']).next() {
        None | Some("") => Err(D::Error::custom("must name a host")),
        Some(authority) if authority.contains('@') => Err(D::Error::custom("must hold no credentials")),
        Some(_) => Ok(Some(url)),
    }
}

/// Clocks that are further apart are wrong, and a token would outlive its end by as much.
const MAX_LEEWAY: Duration = Duration::from_secs(600);

/// A duration of at most [`MAX_LEEWAY`].
pub(super) fn leeway<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    match duration(deserializer)? {
        long if long > MAX_LEEWAY => Err(D::Error::custom("must be at most 10 minutes")),
        leeway => Ok(leeway),
    }
}

/// 0 is no limit.
pub(super) fn limit<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<NonZeroU32>, D::Error> {
    Ok(NonZeroU32::new(u32::deserialize(deserializer)?))
}

/// One or more.
pub(super) fn positive<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    match u32::deserialize(deserializer)? {
        0 => Err(D::Error::custom("must be at least 1")),
        number => Ok(number),
    }
}

/// Most that values may nest: the parser calls itself for every level, and reads no more of them.
const MAX_NESTING: u32 = 64;

/// From one to [`MAX_NESTING`].
pub(super) fn nesting<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    match positive(deserializer)? {
        number if number > MAX_NESTING => Err(D::Error::custom(format!("must be at most {MAX_NESTING}"))),
        number => Ok(number),
    }
}

/// What the databases that there are drivers for are called by.
pub(super) fn database_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    let url: Option<Secret> = optional(deserializer)?;
    let known = |url: &Secret| {
        ["sqlite:", "postgres://", "postgresql://"].iter().any(|scheme| url.expose().starts_with(scheme))
    };
    match url {
        Some(url) if !known(&url) => Err(D::Error::custom("must begin with sqlite:// or postgres://")),
        url => Ok(url),
    }
}

/// Origins as browsers send them: nothing else would ever be one.
pub(super) fn origins<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let origins = Vec::<String>::deserialize(deserializer)?;
    let part = |text: &str| {
        let known =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.:[]_".contains(&byte);
        !text.is_empty() && text.bytes().all(known)
    };
    let is_origin =
        |text: &String| text.split_once("://").is_some_and(|(scheme, host)| part(scheme) && part(host));
    if let Some(wrong) = origins.iter().find(|origin| !is_origin(origin)) {
        let rule = "must hold origins such as \"https://chat.example\", without a path and in lower case";
        return Err(D::Error::custom(format!("{rule}, has {wrong:?}")));
    }
    Ok(origins)
}
