//! Attachments: files that messages refer to. Their content is beside the database.

use super::{AttachmentId, Invalid, OwnerId, Timestamp, content::bounded};

/// The scheme of the URL of a part that refers to an attachment: `attachment:<id>`.
const SCHEME: &str = "attachment:";

/// The bytes of a SHA-256.
pub const SHA256_BYTES: usize = 32;

/// The largest file, whatever the configuration says: GraphQL's `Int` has its size.
pub const MAX_FILE_BYTES: u32 = i32::MAX as u32;

/// The longest name and media type, in bytes.
const MAX_NAME_BYTES: usize = 1024;

/// Longer `data:` URLs of files are stored as attachments.
pub const MAX_INLINE_BYTES: usize = 8 * 1024;

/// An attachment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// Chosen by the client, or made by the server.
    pub id: AttachmentId,
    /// Whose it is.
    pub owner: OwnerId,
    /// The name of the file.
    pub filename: Option<String>,
    /// For example `image/png`.
    pub media_type: String,
    /// The size of the file.
    pub byte_size: i64,
    /// The SHA-256 of the file.
    pub sha256: Vec<u8>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When the file was complete. `None`: it has to be uploaded.
    pub uploaded_at: Option<Timestamp>,
}

/// An attachment to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAttachment {
    /// The id that the client chose. It makes the call repeatable.
    pub id: Option<AttachmentId>,
    /// The name of the file.
    pub filename: Option<Filename>,
    /// The media type of the file.
    pub media_type: MediaType,
    /// The size of the file: 1 to [`MAX_FILE_BYTES`].
    pub byte_size: i64,
    /// The SHA-256 of the file.
    pub sha256: Vec<u8>,
}

/// What the configuration says about files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRules {
    /// The largest file, in bytes.
    pub file_bytes: i64,
    /// The most attachments of an owner.
    pub owner_files: u64,
    /// The most bytes of all files of an owner. The same content counts once.
    pub owner_bytes: i64,
    /// The media types that are allowed.
    pub media_types: Vec<MediaRange>,
    /// How long a URL for an upload or a download is valid at least, in microseconds.
    pub link: i64,
    /// What precedes the paths of uploads and downloads.
    pub public_url: String,
}

/// The name of a file: 1 byte to 1 KiB, without control characters.
#[derive(Clone, PartialEq, Eq)]
pub struct Filename(String);

impl Filename {
    /// Checks the value. Errors name `argument`.
    ///
    /// # Errors
    /// The name is empty, too long, or has control characters.
    pub fn new(argument: &str, text: String) -> Result<Self, Invalid> {
        if text.is_empty() {
            return Err(Invalid::new(argument, "must not be empty"));
        }
        bounded(argument, &text, MAX_NAME_BYTES)?;
        if text.chars().any(char::is_control) {
            return Err(Invalid::new(argument, "must not contain control characters"));
        }
        Ok(Self(text))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the name.
    pub fn into_string(self) -> String {
        self.0
    }
}

/// Users choose it.
impl std::fmt::Debug for Filename {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Filename({} bytes)", self.0.len())
    }
}

/// A media type with its parameters (RFC 9110, 8.3.1): at most 1 KiB of printable ASCII.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaType(String);

impl MediaType {
    /// Checks the value. Errors name `argument`.
    ///
    /// # Errors
    /// It is not a type and a subtype, for example `image/png`, or has characters that no header can have.
    pub fn new(argument: &str, text: String) -> Result<Self, Invalid> {
        bounded(argument, &text, MAX_NAME_BYTES)?;
        let is_printable = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        let essence = essence(&text);
        let is_type = essence.split_once('/').is_some_and(|(of, sub)| is_token(of) && is_token(sub));
        if is_printable && is_type {
            Ok(Self(text))
        } else {
            Err(Invalid::new(argument, "must be a media type such as `image/png`"))
        }
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

/// The type and the subtype, without parameters.
fn essence(media_type: &str) -> &str {
    media_type.split(';').next().unwrap_or_default().trim()
}

/// A token of RFC 9110, 5.6.2.
fn is_token(text: &str) -> bool {
    let is_char = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_char)
}

/// Media types: `*/*`, `image/*` or `image/png`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaRange(String);

impl MediaRange {
    /// A range, if the text is one.
    pub fn new(text: &str) -> Option<Self> {
        let (of, sub) = text.split_once('/')?;
        let is_range = (of != "*" || sub == "*") && is_token(of) && is_token(sub);
        is_range.then(|| Self(text.to_ascii_lowercase()))
    }

    /// Whether the range has the type, whatever its parameters are.
    pub fn contains(&self, media_type: &str) -> bool {
        let found = essence(media_type).to_ascii_lowercase();
        match self.0.strip_suffix('*') {
            Some("*/") => true,
            Some(prefix) => found.starts_with(prefix),
            None => found == self.0,
        }
    }
}

impl FileRules {
    /// Checks the media type and the size of a file. Errors name the fields within `argument`.
    ///
    /// # Errors
    /// The media type is not allowed, or the file is empty or too large.
    pub fn check(&self, argument: &str, media_type: &str, byte_size: i64) -> Result<(), Invalid> {
        if !self.media_types.iter().any(|range| range.contains(media_type)) {
            let allowed: Vec<_> = self.media_types.iter().map(|range| range.0.as_str()).collect();
            let rule = format!("must be one of {}, got `{media_type}`", allowed.join(", "));
            return Err(Invalid::new("mediaType", rule).within(argument));
        }
        if byte_size < 1 || byte_size > self.file_bytes {
            let rule = format!("must be 1 to {}, got {byte_size}", self.file_bytes);
            return Err(Invalid::new("byteSize", rule).within(argument));
        }
        Ok(())
    }
}

/// The URL of a part that refers to an attachment.
pub fn attachment_url(id: AttachmentId) -> String {
    format!("{SCHEME}{id}")
}

/// The attachment that a URL refers to. `None`: it is another URL.
///
/// # Errors
/// The scheme is `attachment`, and what follows is not an id. The error names `argument`.
pub fn attachment_of(argument: &str, url: &str) -> Result<Option<AttachmentId>, Invalid> {
    let Some(id) = url.strip_prefix(SCHEME) else { return Ok(None) };
    let rule = || Invalid::new(argument, "must be `attachment:` and the id of an attachment");
    AttachmentId::parse(argument, id).map(Some).map_err(|_| rule())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_media_type_can_be_a_header() {
        for right in ["image/png", "text/plain; charset=utf-8", "application/vnd.a+json"] {
            assert!(MediaType::new("mediaType", right.into()).is_ok(), "{right}");
        }
        for wrong in ["", "image", "image/", "/png", "image/png\r\nx: y", "im age/png", "image/pñg", "a/b/c"]
        {
            let error = MediaType::new("mediaType", wrong.into()).unwrap_err();
            assert!(error.to_string().contains("`mediaType` must be a media type"), "{wrong}");
        }
    }

    #[test]
    fn a_range_has_its_types() {
        let has = |range: &str, of: &str| MediaRange::new(range).unwrap().contains(of);
        assert!(
            has("*/*", "a/b") && has("image/*", "IMAGE/png") && has("text/plain", "text/plain; charset=x")
        );
        assert!(
            !has("image/*", "imagex/png")
                && !has("text/plain", "text/plainx")
                && !has("image/png", "image/gif")
        );
        for wrong in ["", "*", "image", "*/png", "image/p ng", "/"] {
            assert_eq!(MediaRange::new(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn only_a_canonical_id_follows_the_scheme() {
        let id = "0197a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b";
        let found = attachment_of("url", &format!("attachment:{id}")).unwrap().unwrap();
        assert_eq!(attachment_url(found), format!("attachment:{id}"));
        assert_eq!(attachment_of("url", "https://example.org").unwrap(), None);
        assert!(attachment_of("url", "attachment:1").is_err());
    }
}
