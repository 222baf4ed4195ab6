//! Messages whose text grows while it is written. Lengths and offsets count Unicode code points.

use super::{Json, MessageId, MessageStatus, Parts, TokenUsage};

/// The result of adding text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamProgress {
    /// Code points so far: the next offset.
    pub length: i64,
    /// Somebody asked the writer to stop.
    pub stop_requested: bool,
}

/// A piece of a streaming message's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextChunk {
    /// Code points before it.
    pub offset: i64,
    /// What was added.
    pub text: String,
    /// How far the message is. Anything but streaming: this is the last piece.
    pub status: MessageStatus,
}

impl TextChunk {
    /// Where the next piece begins.
    pub fn end(&self) -> i64 {
        self.offset.saturating_add(i64::try_from(self.text.chars().count()).unwrap_or(i64::MAX))
    }

    /// What of it stands after an offset.
    pub fn skip_to(mut self, offset: i64) -> Self {
        let skipped = usize::try_from(offset.saturating_sub(self.offset)).unwrap_or(0);
        if skipped > 0 {
            let (at, left) = match self.text.char_indices().nth(skipped) {
                Some((at, _)) => (offset, self.text.split_off(at)),
                None => (self.end(), String::new()),
            };
            (self.offset, self.text) = (at, left);
        }
        self
    }
}

/// How a stream ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamEnd {
    /// Of which message.
    pub message: MessageId,
    /// Complete, interrupted or failed.
    pub status: MessageStatus,
    /// What the whole message is made of, if it is more than the text that was streamed. What the parts say
    /// begins with that text.
    pub parts: Option<Parts>,
    /// What it cost, if that is known.
    pub usage: Option<TokenUsage>,
    /// The caller's own data, if it is to change.
    pub metadata: Option<Json>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skip_to_removes_text_before_the_offset() {
        let piece =
            |offset, text: &str| TextChunk { offset, text: text.into(), status: MessageStatus::Complete };
        for (place, expected) in [
            (0, piece(3, "é👍 a")),
            (3, piece(3, "é👍 a")),
            (4, piece(4, "👍 a")),
            (6, piece(6, "a")),
            (7, piece(7, "")),
            (9, piece(7, "")),
            (i64::MAX, piece(7, "")),
        ] {
            assert_eq!(piece(3, "é👍 a").skip_to(place), expected, "{place}");
        }
    }
}
