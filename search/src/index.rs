//! The inverted index: segments that never change but for the removal of documents.
//!
//! A segment holds some documents of one owner, sorted by time, and numbered from 0. It is a sorted map from keys
//! to blocks of about [`BLOCK_BYTES`], which a database keeps as rows. The first byte of a key says what the block holds:
//!
//! | first byte | block |
//! |---|---|
//! | `D` | the places of [`DOCUMENTS_A_BLOCK`] documents: [`documents`] |
//! | `L` | the lengths of [`LENGTHS_A_BLOCK`] documents, one byte each |
//! | a [`Field`] | postings: in which documents a term occurs, and where: [`postings`], [`block`] |
//!
//! The formats are stored. A change of them, or of [`crate::analysis`], needs [`VERSION`] to go up, and then
//! everything is indexed again.

pub mod block;
pub mod builder;
pub mod documents;
pub mod merge;
pub mod postings;
pub mod removal;
pub mod segment;
mod varint;

#[cfg(test)]
mod tests;

/// The version of the formats and of the analysis.
pub const VERSION: i16 = 1;

/// How large a block is meant to be, in bytes.
pub const BLOCK_BYTES: usize = 4000;

/// Documents in a block of places.
pub const DOCUMENTS_A_BLOCK: u32 = 512;

/// Documents in a block of lengths.
pub const LENGTHS_A_BLOCK: u32 = 4096;

/// A segment's rows: keys and blocks, sorted by key.
pub type Blocks = Vec<(Vec<u8>, Vec<u8>)>;

/// What a term was found in, and the first byte of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// The id of the conversation.
    Conversation,
    /// The name of the model.
    Model,
    /// The title of the conversation.
    Title,
    /// The role of the message.
    Role,
    /// The reasoning of the message.
    Reasoning,
    /// The text of the message.
    Text,
    /// The inputs and outputs of tools.
    Tools,
}

impl Field {
    /// The fields whose text is split into terms.
    pub const TEXTS: [Self; 4] = [Self::Title, Self::Reasoning, Self::Text, Self::Tools];

    /// The first byte of its keys.
    pub fn code(self) -> u8 {
        match self {
            Self::Conversation => b'c',
            Self::Model => b'm',
            Self::Title => b'n',
            Self::Role => b'o',
            Self::Reasoning => b'r',
            Self::Text => b't',
            Self::Tools => b'x',
        }
    }

    /// The key of a term in this field.
    pub fn key(self, term: &[u8]) -> Vec<u8> {
        let mut key = Vec::with_capacity(1 + term.len());
        key.push(self.code());
        key.extend_from_slice(term);
        key
    }
}

/// Where a document is, and its place in the order of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Microseconds since 1970 UTC.
    pub created_at: i64,
    /// The id of the conversation.
    pub conversation: [u8; 16],
    /// The position of the message in the conversation; 0 is the conversation's title.
    pub position: i64,
}

/// Stored data that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Corrupt;

impl std::fmt::Display for Corrupt {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a block of the search index cannot be read")
    }
}

impl std::error::Error for Corrupt {}
