//! The ratings of messages that ChatGPT exports in a file of their own.

use std::collections::HashMap;

use super::entries::{Entries, Entry};
use super::fields::Fields;
use super::json::value;
use crate::model::{Feedback, JsonValue, Rating, Timestamp};

/// The largest rating, in bytes.
const MAX_BYTES: usize = 1024 * 1024;

/// The most ratings that are kept in memory.
const MAX_RATINGS: usize = 500_000;

/// The ratings of messages, by the ids of these.
#[derive(Debug, Default)]
pub(super) struct MessageRatings(HashMap<String, Feedback>);

impl MessageRatings {
    /// Whether a document has them.
    pub(super) fn is_in(name: &str) -> bool {
        name.rsplit(['/', '\\']).next() == Some("message_feedback.json")
    }

    /// Adds those of a document.
    pub(super) fn read(&mut self, document: impl std::io::BufRead) -> std::io::Result<()> {
        let mut entries = Entries::new(document, MAX_BYTES);
        while let Some(Entry { text, .. }) = entries.next()? {
            let found = text.ok().and_then(|text| rating(value(&text)?));
            if let Some((id, feedback)) = found.filter(|_| self.0.len() < MAX_RATINGS) {
                self.0.insert(id, feedback);
            }
        }
        Ok(())
    }

    /// The rating of a message.
    pub(super) fn of(&self, message: &str) -> Option<&Feedback> {
        self.0.get(message)
    }
}

/// `{id, rating: thumbsUp | thumbs_down | …, content: JSON with text and tags}`.
fn rating(entry: JsonValue) -> Option<(String, Feedback)> {
    let mut fields = Fields::of(entry)?;
    let id = fields.id("message_id").or_else(|| fields.id("id"))?;
    let rating = match fields.text("rating")?.to_lowercase() {
        rating if rating.contains("up") => Some(Rating::Up),
        rating if rating.contains("down") => Some(Rating::Down),
        _ => None,
    };
    let content = match fields.value("content") {
        Some(JsonValue::String(text)) => value(text.as_bytes()).and_then(Fields::of),
        other => other.and_then(Fields::of),
    };
    let mut content = content.unwrap_or_default();
    let comment = content.text("text").filter(|text| !text.is_empty());
    let tags = content.array("tags").unwrap_or_default();
    let tags = tags.iter().filter_map(JsonValue::as_str).map(str::to_owned).collect();
    Some((id, Feedback { rating, tags, comment, updated_at: Timestamp(0) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratings_are_found_by_the_ids_of_messages() {
        let file = r#"[{"id":"a","rating":"thumbsUp","content":"{}"},7,
            {"message_id":"b","rating":"thumbs_down","content":"{\"text\":\"wrong\",\"tags\":[\"false\"]}"},{"id":"c"}]"#;
        let mut ratings = MessageRatings::default();
        ratings.read(file.as_bytes()).unwrap();
        assert_eq!(ratings.of("a").unwrap().rating, Some(Rating::Up));
        let other = ratings.of("b").unwrap();
        assert_eq!((other.rating, other.comment.as_deref()), (Some(Rating::Down), Some("wrong")));
        assert_eq!(other.tags, ["false"]);
        assert!(ratings.of("c").is_none());
        assert!(
            MessageRatings::is_in("export.zip/message_feedback.json") && !MessageRatings::is_in("x.json")
        );
    }
}
