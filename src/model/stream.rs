//! Streaming messages. Lengths and offsets count Unicode code points.

use super::{Json, MessageId, MessageStatus, OwnerId, Parts, TokenUsage};

/// The result of adding text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamProgress {
    /// The length so far in code points: the next offset.
    pub length: i64,
    /// Whether a client requested that the writer stops.
    pub stop_requested: bool,
}

/// A chunk of the text of a streaming message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextChunk {
    /// The number of code points before it.
    pub offset: i64,
    /// The added text.
    pub text: String,
    /// The status of the message. If it is not `Streaming`, this is the last chunk.
    pub status: MessageStatus,
}

/// Text that was committed at the end of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommittedText {
    /// The owner of the message.
    pub owner: OwnerId,
    /// The streaming message.
    pub message: MessageId,
    /// The added text.
    pub chunk: TextChunk,
}

impl TextChunk {
    /// The offset of the next chunk.
    pub fn end(&self) -> i64 {
        self.offset.saturating_add(i64::try_from(self.text.chars().count()).unwrap_or(i64::MAX))
    }

    /// The part of the chunk after an offset.
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
    /// The message that ends.
    pub message: MessageId,
    /// `Complete`, `Interrupted` or `Failed`.
    pub status: MessageStatus,
    /// The parts of the whole message, if it is more than the streamed text. Their text must start with the
    /// streamed text.
    pub parts: Option<Parts>,
    /// The used tokens, if known.
    pub usage: Option<TokenUsage>,
    /// The new metadata. `None` keeps it.
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
