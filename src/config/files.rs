//! The settings of `[files]`.

use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Error};

use super::value;
use crate::model::{MAX_FILE_BYTES, MediaRange};

/// Attachments: files that messages refer to.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Files {
    /// Whether there are attachments.
    pub enabled: bool,
    /// A folder, or the URL of an object store. `None`: a folder in the data folder, with an embedded database.
    #[serde(deserialize_with = "storage")]
    pub storage: Option<String>,
    /// What precedes the paths of uploads and downloads. `None`: nothing, they are relative to the server.
    #[serde(deserialize_with = "value::optional_url")]
    pub public_url: Option<String>,
    /// The largest file, in bytes.
    #[serde(deserialize_with = "file_bytes")]
    pub file_bytes: u32,
    /// The most attachments of an owner.
    #[serde(deserialize_with = "value::positive")]
    pub owner_files: u32,
    /// The most bytes of all files of an owner.
    #[serde(deserialize_with = "owner_bytes")]
    pub owner_bytes: u64,
    /// The media types that are allowed.
    #[serde(deserialize_with = "media_types")]
    pub media_types: Vec<MediaRange>,
    /// How long an attachment is kept that no message refers to.
    #[serde(deserialize_with = "value::positive_duration")]
    pub unused: Duration,
    /// How long the URL of an upload or a download is valid at least.
    #[serde(deserialize_with = "link")]
    pub link: Duration,
    /// The most uploads at once.
    #[serde(deserialize_with = "value::positive")]
    pub uploads: u32,
    /// The most uploads of an owner at once.
    #[serde(deserialize_with = "value::positive")]
    pub uploads_per_owner: u32,
}

/// A location without credentials, because it is logged.
fn storage<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let location: Option<String> = value::optional(deserializer)?;
    match &location {
        Some(location) if location.contains("://") && location.contains('@') => Err(D::Error::custom(
            "must not contain credentials: set the environment variables of the provider, such as AWS_ACCESS_KEY_ID",
        )),
        _ => Ok(location),
    }
}

fn file_bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    match u32::deserialize(deserializer)? {
        number if (1..=MAX_FILE_BYTES).contains(&number) => Ok(number),
        number => Err(D::Error::custom(format!("must be 1 to {MAX_FILE_BYTES}, got {number}"))),
    }
}

fn owner_bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    match u64::deserialize(deserializer)? {
        0 => Err(D::Error::custom("must be at least 1")),
        number => Ok(number),
    }
}

fn media_types<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<MediaRange>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    let range = |text: &String| {
        let rule = "must contain media types such as \"image/png\", \"image/*\" or \"*/*\"";
        MediaRange::new(text).ok_or_else(|| D::Error::custom(format!("{rule}, has {text:?}")))
    };
    texts.iter().map(range).collect()
}

/// Ten seconds to a week.
fn link<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let duration = value::duration(deserializer)?;
    if (Duration::from_secs(10)..=Duration::from_secs(7 * 24 * 3600)).contains(&duration) {
        Ok(duration)
    } else {
        Err(D::Error::custom("must be 10s to 7days"))
    }
}
