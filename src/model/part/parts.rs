//! All parts of a message.

use serde::{Deserialize, Serialize};

use super::Part;
use crate::model::Invalid;
use crate::model::content::MAX_MESSAGE_BYTES;

/// The most parts of a message.
pub const MAX_PARTS: usize = 1000;

/// The parts of a message: 1 to 1000, at most 16 MiB of JSON together, without NUL.
///
/// Texts may be empty, for example at the start of a stream, but not all parts may be empty texts.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Parts(Vec<Part>);

impl Parts {
    /// Checks the parts. Errors name `argument` with the path: `parts[2].file.url`.
    ///
    /// # Errors
    /// There are no parts or too many, they are too large, all are empty texts, or a part is invalid.
    pub fn new(argument: &str, parts: Vec<Part>) -> Result<Self, Invalid> {
        Self::within(argument, parts, MAX_MESSAGE_BYTES)
    }

    /// The same with another limit of the JSON, in bytes.
    ///
    /// # Errors
    /// As for [`Parts::new`].
    pub fn within(argument: &str, parts: Vec<Part>, most: usize) -> Result<Self, Invalid> {
        Self::check(argument, parts, most, |_| 0)
    }

    /// The same where large `data:` URLs are going to be attachments: they do not count.
    ///
    /// # Errors
    /// As for [`Parts::new`].
    pub fn to_attach(argument: &str, parts: Vec<Part>, most: usize) -> Result<Self, Invalid> {
        let attached = |part: &Part| match part {
            Part::File { url, .. } if part.is_large_data_url() => url.len(),
            _ => 0,
        };
        Self::check(argument, parts, most, attached)
    }

    fn check(
        argument: &str,
        parts: Vec<Part>,
        most: usize,
        not_counted: impl Fn(&Part) -> usize,
    ) -> Result<Self, Invalid> {
        if parts.len() > MAX_PARTS {
            let rule = format!("must have at most {MAX_PARTS} parts, has {}", parts.len());
            return Err(Invalid::new(argument, rule));
        }
        for (at, part) in parts.iter().enumerate() {
            part.check().map_err(|invalid| invalid.within(&format!("{argument}[{at}]")))?;
        }
        if parts.iter().all(Part::is_empty_text) {
            return Err(Invalid::new(argument, "must not be empty"));
        }
        let parts = Self(parts);
        let bytes = parts.to_json().len() - parts.0.iter().map(not_counted).sum::<usize>();
        if bytes > most {
            let rule = format!("must have at most {most} bytes of JSON in total, has {bytes}");
            return Err(Invalid::new(argument, rule));
        }
        Ok(parts)
    }

    /// The content of the message: the texts that are not empty, joined by blank lines. It is never longer
    /// than a [`Content`](crate::model::Content) may be.
    pub fn content(&self) -> String {
        let texts = self.0.iter().filter_map(|part| match part {
            Part::Text { text, .. } if !text.is_empty() => Some(text.as_str()),
            _ => None,
        });
        texts.collect::<Vec<_>>().join("\n\n")
    }

    /// The same parts with canonical JSON values.
    pub(in crate::model) fn canonical(&self) -> Self {
        Self(self.0.iter().map(Part::canonical).collect())
    }

    /// The compact JSON for the database.
    pub fn to_json(&self) -> String {
        #[expect(clippy::expect_used, reason = "every key is a string and every Json was checked")]
        serde_json::to_string(&self.0).expect("parts can be written as JSON")
    }

    /// Parts from a row of the database, which were checked when they were written. `None` if the text was
    /// not written by [`Parts::to_json`]. There is no error with a position, because it would quote the text.
    pub fn from_json(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok().map(Self)
    }

    /// The approximate memory that they take, in bytes.
    pub fn bytes(&self) -> usize {
        self.0.iter().map(Part::bytes).sum()
    }

    /// The parts, in order.
    pub fn as_slice(&self) -> &[Part] {
        &self.0
    }

    /// Returns the parts.
    pub fn into_vec(self) -> Vec<Part> {
        self.0
    }
}

/// Shows only the count: parts are data of users.
impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Parts({})", self.0.len())
    }
}
