//! Texts of users: the content of messages and the titles of conversations.
//!
//! Texts are stored byte for byte. NUL is rejected because PostgreSQL cannot store it and both databases must
//! behave alike.

use super::Invalid;

/// The largest content of a message in bytes of UTF-8, and the largest JSON of its parts, whatever the configuration says.
pub const MAX_MESSAGE_BYTES: usize = 16 * 1024 * 1024;

/// The largest metadata in bytes of JSON, whatever the configuration says.
pub const MAX_METADATA_BYTES: usize = 1024 * 1024;

/// Longest title of a conversation, in bytes of UTF-8.
pub const MAX_TITLE_BYTES: usize = 1024;

/// The sizes that clients may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentLimits {
    /// Of a content in UTF-8, and of all parts of a message as JSON.
    pub message_bytes: usize,
    /// Of metadata as JSON.
    pub metadata_bytes: usize,
    /// Whether large `data:` URLs become attachments: then they do not count.
    pub has_attachments: bool,
}

impl ContentLimits {
    /// Those that no configuration exceeds.
    pub const LARGEST: Self =
        Self { message_bytes: MAX_MESSAGE_BYTES, metadata_bytes: MAX_METADATA_BYTES, has_attachments: false };
}

/// The content of a message: 1 byte to 16 MiB of UTF-8 without NUL.
#[derive(Clone, PartialEq, Eq)]
pub struct Content(String);

impl Content {
    /// Checks the value. Errors name `argument`.
    ///
    /// # Errors
    /// The text is empty, has more than 16 MiB or contains NUL.
    pub fn new(argument: &str, text: String) -> Result<Self, Invalid> {
        Self::within(argument, text, MAX_MESSAGE_BYTES)
    }

    /// The same with another limit.
    ///
    /// # Errors
    /// The text is empty, has more than `most` bytes or contains NUL.
    pub fn within(argument: &str, text: String, most: usize) -> Result<Self, Invalid> {
        if text.is_empty() {
            return Err(Invalid::new(argument, "must not be empty"));
        }
        bounded(argument, &text, most)?;
        Ok(Self(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the text.
    pub fn into_string(self) -> String {
        self.0
    }
}

/// Shows only the length: contents must not be logged.
impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Content({} bytes)", self.0.len())
    }
}

/// The title of a conversation: at most 1 KiB of UTF-8 without NUL.
#[derive(Clone, PartialEq, Eq)]
pub struct Title(String);

impl Title {
    /// Checks the value. Errors name `argument`.
    ///
    /// # Errors
    /// The text has more than 1 KiB or contains NUL.
    pub fn new(argument: &str, text: String) -> Result<Self, Invalid> {
        bounded(argument, &text, MAX_TITLE_BYTES)?;
        Ok(Self(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text in the folded form for searches.
    pub fn folded(&self) -> String {
        super::fold(&self.0)
    }

    /// Returns the text.
    pub fn into_string(self) -> String {
        self.0
    }
}

/// Shows only the length: titles may quote users.
impl std::fmt::Debug for Title {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Title({} bytes)", self.0.len())
    }
}

/// Checks a chunk of streamed text: UTF-8 without NUL. An empty chunk only renews the writer's lease.
///
/// # Errors
/// The text has more than `most` bytes or contains NUL. The error names `argument`.
pub fn check_text_chunk(argument: &str, text: &str, most: usize) -> Result<(), Invalid> {
    bounded(argument, text, most)
}

/// The name of a model: 1 to 255 bytes of UTF-8 without NUL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelName(String);

impl ModelName {
    /// Checks the value. Errors name `argument`.
    ///
    /// # Errors
    /// The text is empty, has more than 255 bytes or contains NUL.
    pub fn new(argument: &str, text: String) -> Result<Self, Invalid> {
        if text.is_empty() {
            return Err(Invalid::new(argument, "must not be empty"));
        }
        bounded(argument, &text, 255)?;
        Ok(Self(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the text.
    pub fn into_string(self) -> String {
        self.0
    }
}

pub(super) fn bounded(argument: &str, text: &str, most: usize) -> Result<(), Invalid> {
    if text.len() > most {
        let rule = format!("must be at most {most} bytes of UTF-8, has {}", text.len());
        return Err(Invalid::new(argument, rule));
    }
    if text.contains('\0') {
        return Err(Invalid::new(argument, "must not contain NUL (U+0000)"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_one_byte_to_256_kib_without_nul() {
        assert!(Content::new("content", "x".into()).is_ok());
        assert!(Content::new("content", "x".repeat(MAX_MESSAGE_BYTES)).is_ok());
        let faults = [
            (String::new(), "`content` must not be empty"),
            ("a\0b".into(), "`content` must not contain NUL (U+0000)"),
            (
                "x".repeat(MAX_MESSAGE_BYTES + 1),
                "`content` must be at most 16777216 bytes of UTF-8, has 16777217",
            ),
        ];
        for (text, message) in faults {
            assert_eq!(Content::new("content", text).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn debug_output_hides_the_text() {
        let content = Content::new("content", "my secret".into()).unwrap();
        assert_eq!(format!("{content:?}"), "Content(9 bytes)");
    }
}
