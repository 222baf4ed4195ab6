//! Deserializers of values.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error, IntoDeserializer};

use super::database_url;

/// A secret text, hidden in `Debug`.
#[derive(Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The secret text. Do not log it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A duration such as "10s", "2m 30s" or "24h".
pub(super) fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    humantime::parse_duration(&text).map_err(|_| D::Error::custom("must be a duration such as \"10s\""))
}

/// The longest duration. It can be added to an instant without overflow.
const MAX_DURATION: Duration = Duration::from_secs(365 * 24 * 3600);

/// A duration between 1 ns and [`MAX_DURATION`].
pub(super) fn positive_duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    match duration(deserializer)? {
        Duration::ZERO => Err(D::Error::custom("must be longer than 0s")),
        duration if duration > MAX_DURATION => Err(D::Error::custom("must be at most 365days")),
        duration => Ok(duration),
    }
}

/// The word for no limit.
const NEVER: &str = "never";

/// A duration, or `None` for "never".
pub(super) fn duration_or_never<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text == NEVER {
        return Ok(None);
    }
    let duration = humantime::parse_duration(&text);
    duration.map(Some).map_err(|_| D::Error::custom("must be a duration such as \"30days\", or \"never\""))
}

/// A duration of a second or more, or `None` for "never".
pub(super) fn positive_duration_or_never<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    match duration_or_never(deserializer)? {
        Some(duration) if duration < Duration::from_secs(1) => {
            Err(D::Error::custom("must be at least 1s, or \"never\""))
        }
        duration => Ok(duration),
    }
}

/// A value, or `None` for the empty text.
pub(super) fn optional<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    let text = String::deserialize(deserializer)?;
    if text.is_empty() { Ok(None) } else { T::deserialize(text.into_deserializer()).map(Some) }
}

/// A text that must not be empty.
pub(super) fn named<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() { Err(D::Error::custom("must not be empty")) } else { Ok(text) }
}

/// An HTTP or HTTPS URL, or none. URLs are logged, so credentials are rejected.
pub(super) fn optional_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let Some(url) = optional::<D, String>(deserializer)? else { return Ok(None) };
    let Some(rest) = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")) else {
        return Err(D::Error::custom("must begin with https:// or http://"));
    };
    match rest.split(['/', '?', '#']).next() {
        None | Some("") => Err(D::Error::custom("must name a host")),
        Some(authority) if authority.contains('@') => Err(D::Error::custom("must not contain credentials")),
        Some(_) => Ok(Some(url)),
    }
}

/// A fraction between 0 and 1.
pub(super) fn fraction<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    #[derive(serde::Deserialize)]
    #[serde(untagged)]
    enum Number {
        Float(f64),
        Integer(i32),
        Text(String),
    }
    let rule = |given: String| D::Error::custom(format!("must be a number from 0 to 1, got {given}"));
    let (number, given) = match Number::deserialize(deserializer)? {
        Number::Float(number) => (number, number.to_string()),
        Number::Integer(number) => (f64::from(number), number.to_string()),
        Number::Text(text) => (f64::NAN, format!("{text:?}")),
    };
    if (0.0..=1.0).contains(&number) { Ok(number) } else { Err(rule(given)) }
}

/// The largest leeway. Tokens are accepted for this time after they expire.
const MAX_LEEWAY: Duration = Duration::from_secs(600);

/// A duration of at most [`MAX_LEEWAY`].
pub(super) fn leeway<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    match duration(deserializer)? {
        long if long > MAX_LEEWAY => Err(D::Error::custom("must be at most 10 minutes")),
        leeway => Ok(leeway),
    }
}

/// A number; 0 is `None`, no limit.
pub(super) fn limit<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<NonZeroU32>, D::Error> {
    Ok(NonZeroU32::new(u32::deserialize(deserializer)?))
}

/// A number of at least 1.
pub(super) fn positive<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    match u32::deserialize(deserializer)? {
        0 => Err(D::Error::custom("must be at least 1")),
        number => Ok(number),
    }
}

/// The deepest nesting of values: the parser is recursive.
const MAX_NESTING: u32 = 64;

/// A number between 1 and [`MAX_NESTING`].
pub(super) fn nesting<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    up_to(MAX_NESTING, deserializer)
}

/// The bytes of a message's content: 1 KiB to 16 MiB.
pub(super) fn message_bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    between(1024, 16 * 1024 * 1024, deserializer)
}

/// The bytes of metadata: 1 KiB to 1 MiB.
pub(super) fn metadata_bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    between(1024, 1024 * 1024, deserializer)
}

/// The most connections for appends.
const MAX_WORKERS: u32 = 64;

/// A number between 1 and [`MAX_WORKERS`].
pub(super) fn workers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    up_to(MAX_WORKERS, deserializer)
}

fn between<'de, D: Deserializer<'de>>(least: u32, most: u32, deserializer: D) -> Result<u32, D::Error> {
    match u32::deserialize(deserializer)? {
        number if (least..=most).contains(&number) => Ok(number),
        number => Err(D::Error::custom(format!("must be {least} to {most}, got {number}"))),
    }
}

fn up_to<'de, D: Deserializer<'de>>(most: u32, deserializer: D) -> Result<u32, D::Error> {
    match positive(deserializer)? {
        number if number > most => Err(D::Error::custom(format!("must be at most {most}"))),
        number => Ok(number),
    }
}

/// The smallest limit of a request head: hyper reads HTTP/1.1 in buffers of this size.
const MIN_HEADER_LIMIT: u32 = 8192;

/// A number of at least [`MIN_HEADER_LIMIT`].
pub(super) fn header_limit<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    match u32::deserialize(deserializer)? {
        number if number < MIN_HEADER_LIMIT => {
            Err(D::Error::custom(format!("must be at least {MIN_HEADER_LIMIT}")))
        }
        number => Ok(number),
    }
}

/// The URL of a supported database.
pub(super) fn database_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    let url: Option<Secret> = optional(deserializer)?;
    match url.as_ref().map(|url| database_url::check(url.expose())) {
        Some(Err(fault)) => Err(D::Error::custom(fault)),
        _ => Ok(url),
    }
}

/// Origins in the form that browsers send.
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
        let rule = "must contain origins such as \"https://chat.example\", without a path and in lower case";
        return Err(D::Error::custom(format!("{rule}, has {wrong:?}")));
    }
    Ok(origins)
}

/// A name of a webhook: it is in metrics and in commands.
pub(super) fn webhook_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let name = String::deserialize(deserializer)?;
    let is_known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if (1..=64).contains(&name.len()) && name.bytes().all(is_known) {
        Ok(name)
    } else {
        Err(D::Error::custom("must be 1 to 64 letters, digits, `-` and `_`"))
    }
}

/// The URL of a webhook. The URL is logged in errors, so credentials are rejected.
pub(super) fn webhook_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let url = optional_url(deserializer)?.ok_or_else(|| D::Error::custom("must not be empty"))?;
    if url.contains('#') { Err(D::Error::custom("must not contain `#`")) } else { Ok(url) }
}

/// The most deliveries of a webhook at once.
const MAX_DELIVERIES: u32 = 256;

/// A number between 1 and [`MAX_DELIVERIES`].
pub(super) fn webhook_concurrency<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    up_to(MAX_DELIVERIES, deserializer)
}

/// The longest time for a delivery. The lease of a webhook must be longer.
const MAX_DELIVERY: Duration = Duration::from_secs(10);

/// A duration between 1 ns and [`MAX_DELIVERY`].
pub(super) fn webhook_timeout<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    match positive_duration(deserializer)? {
        long if long > MAX_DELIVERY => Err(D::Error::custom("must be at most 10s")),
        timeout => Ok(timeout),
    }
}

/// A subject of NATS without wildcards: words with full stops in between.
pub(super) fn subject<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let subject = String::deserialize(deserializer)?;
    let is_known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if subject.split('.').all(|word| !word.is_empty() && word.bytes().all(is_known)) {
        Ok(subject)
    } else {
        Err(D::Error::custom("must be words of letters, digits, `-` and `_`, with `.` in between"))
    }
}
