//! A segment: what is known of it as a whole, and its blocks or some of them.

use super::documents::{decode_length, decode_places, lengths_key, places_key};
use super::{Blocks, Corrupt, DOCUMENTS_A_BLOCK, LENGTHS_A_BLOCK, Place};

/// What a database keeps beside the blocks of a segment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// How many documents it was made of. Removed ones keep their numbers.
    pub documents: u32,
    /// Microseconds since 1970: of the first document of every block of places, and of the last document.
    pub times: Vec<i64>,
}

impl Summary {
    /// The earliest and the latest time that a document may have.
    pub fn time_range(&self, document: u32) -> (i64, i64) {
        let index = (document / DOCUMENTS_A_BLOCK) as usize;
        let from = self.times.get(index).copied().unwrap_or(i64::MIN);
        (from, self.times.get(index + 1).copied().unwrap_or(i64::MAX))
    }

    /// The times as bytes, for a column.
    pub fn times_to_bytes(&self) -> Vec<u8> {
        self.times.iter().flat_map(|time| time.to_be_bytes()).collect()
    }

    /// The reverse of [`Summary::times_to_bytes`].
    pub fn times_from_bytes(bytes: &[u8]) -> Result<Vec<i64>, Corrupt> {
        let (times, rest) = bytes.as_chunks::<8>();
        if rest.is_empty() {
            Ok(times.iter().map(|time| i64::from_be_bytes(*time)).collect())
        } else {
            Err(Corrupt)
        }
    }
}

/// A segment, or as much of it as a query needs.
#[derive(Debug, Clone, Default)]
pub struct Segment {
    /// What is known of it as a whole.
    pub summary: Summary,
    /// Sorted by key.
    pub blocks: Blocks,
}

impl Segment {
    /// The block with exactly this key.
    pub fn block(&self, key: &[u8]) -> Option<&[u8]> {
        let index = self.blocks.binary_search_by(|(found, _)| found.as_slice().cmp(key)).ok()?;
        self.blocks.get(index).map(|(_, block)| block.as_slice())
    }

    /// The places in the block that has a document.
    pub fn places(&self, document: u32) -> Result<Vec<Option<Place>>, Corrupt> {
        decode_places(self.block(&places_key(document)).ok_or(Corrupt)?)
    }

    /// The places of all documents, by number.
    pub fn all_places(&self) -> Result<Vec<Option<Place>>, Corrupt> {
        let mut places = Vec::with_capacity(self.summary.documents as usize);
        for first in (0..self.summary.documents).step_by(DOCUMENTS_A_BLOCK as usize) {
            places.append(&mut self.places(first)?);
        }
        if places.len() == self.summary.documents as usize { Ok(places) } else { Err(Corrupt) }
    }

    /// About how many terms each of some documents has. The blocks of their lengths must be here.
    pub fn lengths(&self, documents: impl Iterator<Item = u32>) -> Result<Vec<u32>, Corrupt> {
        let mut lengths = Vec::with_capacity(documents.size_hint().0);
        // The block of the last document, and its number.
        let (mut block, mut number): (&[u8], _) = (&[], None);
        for document in documents {
            if number != Some(document / LENGTHS_A_BLOCK) {
                block = self.block(&lengths_key(document)).ok_or(Corrupt)?;
                number = Some(document / LENGTHS_A_BLOCK);
            }
            let byte = block.get((document % LENGTHS_A_BLOCK) as usize).ok_or(Corrupt)?;
            lengths.push(decode_length(*byte));
        }
        Ok(lengths)
    }

    /// The bytes of the blocks.
    pub fn bytes(&self) -> usize {
        self.blocks.iter().map(|(key, block)| key.len() + block.len()).sum()
    }
}
