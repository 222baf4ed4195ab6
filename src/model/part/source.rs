//! Sources: the web pages and documents that a model refers to.

use serde::{Deserialize, Serialize};

use super::{Invalid, Json, MAX_NAME_BYTES, MAX_URL_BYTES, optional, required};

/// The media type of a stored document source that has none: RFC 2046 defines it as "any kind of data".
const UNKNOWN_MEDIA_TYPE: &str = "application/octet-stream";

/// A web page or a document that the model refers to.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Row", into = "Row")]
pub enum Source {
    /// A web page.
    Url {
        /// The id of the source.
        source_id: String,
        /// The address. Never empty in new messages.
        url: String,
        /// Its title.
        title: Option<String>,
        /// Further fields of the SDK that wrote the part, an object.
        extra: Option<Json>,
    },
    /// A document.
    Document {
        /// The id of the source.
        source_id: String,
        /// For example `application/pdf`.
        media_type: String,
        /// Its title.
        title: Option<String>,
        /// Its file name.
        filename: Option<String>,
        /// Further fields of the SDK that wrote the part, an object.
        extra: Option<Json>,
    },
}

impl Source {
    /// The size of its texts, in bytes.
    pub(super) fn bytes(&self) -> usize {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        match self {
            Self::Url { source_id, url, title, .. } => source_id.len() + url.len() + text(title),
            Self::Document { source_id, media_type, title, filename, .. } => {
                source_id.len() + media_type.len() + text(title) + text(filename)
            }
        }
    }

    pub(super) fn check(&self) -> Result<(), Invalid> {
        match self {
            Self::Url { source_id, url, title, .. } => {
                required("sourceUrl.sourceId", source_id, MAX_URL_BYTES)?;
                required("sourceUrl.url", url, MAX_URL_BYTES)?;
                optional("sourceUrl.title", title.as_deref(), MAX_NAME_BYTES)
            }
            Self::Document { source_id, media_type, title, filename, .. } => {
                required("sourceDocument.sourceId", source_id, MAX_URL_BYTES)?;
                required("sourceDocument.mediaType", media_type, MAX_NAME_BYTES)?;
                optional("sourceDocument.title", title.as_deref(), MAX_NAME_BYTES)?;
                optional("sourceDocument.filename", filename.as_deref(), MAX_NAME_BYTES)
            }
        }
    }
}

/// A source in the JSON of the database. A source with a `url` is a web page, any other is a document.
/// Earlier versions stored documents without a media type.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    source_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    media_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    filename: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    extra: Option<Json>,
}

impl From<Row> for Source {
    fn from(Row { source_id, url, media_type, title, filename, extra }: Row) -> Self {
        match url {
            Some(url) => Self::Url { source_id, url, title, extra },
            None => {
                let media_type = media_type.unwrap_or_else(|| UNKNOWN_MEDIA_TYPE.to_owned());
                Self::Document { source_id, media_type, title, filename, extra }
            }
        }
    }
}

impl From<Source> for Row {
    fn from(source: Source) -> Self {
        match source {
            Source::Url { source_id, url, title, extra } => {
                Self { source_id, url: Some(url), media_type: None, title, filename: None, extra }
            }
            Source::Document { source_id, media_type, title, filename, extra } => {
                Self { source_id, url: None, media_type: Some(media_type), title, filename, extra }
            }
        }
    }
}
