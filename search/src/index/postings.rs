//! Postings: the documents a term occurs in, and its positions there.
//!
//! A list is stored as the number of bytes of its documents, the documents, and the positions. A document is the
//! difference to the one before, times two, plus one if the term occurs more than once there; then how often follows.
//! Positions are differences too, beginning anew with each document. They come last, so a query without phrases does not
//! read them.

use super::{Corrupt, varint};

/// One term's postings, decoded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Postings {
    /// Ascending.
    pub documents: Vec<Posting>,
    /// Of all documents, in their order.
    pub positions: Vec<u32>,
}

/// A document that has the term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Posting {
    /// The document's number in its segment.
    pub document: u32,
    /// How often the term occurs, at least 1.
    pub frequency: u32,
}

impl Postings {
    /// Adds an occurrence, which must come after all others.
    pub fn push(&mut self, document: u32, position: u32) {
        match self.documents.last_mut() {
            Some(last) if last.document == document => last.frequency += 1,
            _ => self.documents.push(Posting { document, frequency: 1 }),
        }
        self.positions.push(position);
    }

    /// Each document with its positions.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &[u32])> {
        let mut rest = self.positions.as_slice();
        self.documents.iter().map(move |posting| {
            let (positions, others) =
                rest.split_at_checked(posting.frequency as usize).unwrap_or((rest, &[]));
            rest = others;
            (posting.document, positions)
        })
    }

    /// Adds a document with its positions, which must come after all others.
    pub fn push_document(&mut self, document: u32, positions: &[u32]) {
        self.documents.push(Posting { document, frequency: positions.len() as u32 });
        self.positions.extend_from_slice(positions);
    }

    /// Keeps the documents that `is_kept` says.
    pub fn retain(&mut self, is_kept: impl Fn(u32) -> bool) {
        let mut kept = Self::default();
        for (document, positions) in self.iter() {
            if is_kept(document) {
                kept.push_document(document, positions);
            }
        }
        *self = kept;
    }

    /// Writes lists of at most about `limit` bytes each. `each` gets the first document of the list, and the list.
    pub(super) fn encode(&self, limit: usize, mut each: impl FnMut(u32, &[u8])) {
        let (mut documents, mut positions, mut list) = (Vec::new(), Vec::new(), Vec::new());
        let (mut first, mut last) = (None, 0);
        let mut finish = |first: u32, documents: &mut Vec<u8>, positions: &mut Vec<u8>| {
            list.clear();
            varint::write(&mut list, documents.len() as u64);
            list.append(documents);
            list.append(positions);
            each(first, &list);
        };
        for (document, places) in self.iter() {
            if documents.len() + positions.len() >= limit
                && let Some(first) = first.take()
            {
                finish(first, &mut documents, &mut positions);
                last = 0;
            }
            first.get_or_insert(document);
            let difference = u64::from(document - last) << 1;
            last = document;
            if places.len() == 1 {
                varint::write(&mut documents, difference);
            } else {
                varint::write(&mut documents, difference | 1);
                varint::write(&mut documents, places.len() as u64);
            }
            let mut before = 0;
            for place in places {
                varint::write(&mut positions, u64::from(place - before));
                before = *place;
            }
        }
        if let Some(first) = first {
            finish(first, &mut documents, &mut positions);
        }
    }

    /// Reads a list and adds the documents that are among ascending others, with their positions.
    pub(super) fn decode_among(&mut self, mut list: &[u8], others: &[u32]) -> Result<(), Corrupt> {
        let mut documents = Self::default();
        documents.decode(list, false)?;
        let count = varint::read_len(&mut list)?;
        varint::take(&mut list, count)?;
        let mut others = others.iter().copied().peekable();
        for Posting { document, frequency } in documents.documents {
            while others.next_if(|other| *other < document).is_some() {}
            if others.peek() != Some(&document) {
                varint::skip(&mut list, frequency)?;
                continue;
            }
            let mut position = 0u32;
            for _ in 0..frequency {
                position = position.checked_add(varint::read_u32(&mut list)?).ok_or(Corrupt)?;
                self.push(document, position);
            }
        }
        Ok(())
    }

    /// Reads a list and adds it. With `positions`, those too.
    pub(super) fn decode(&mut self, mut list: &[u8], with_positions: bool) -> Result<(), Corrupt> {
        let count = varint::read_len(&mut list)?;
        let mut documents = varint::take(&mut list, count)?;
        let begin = self.documents.len();
        let mut document = 0u32;
        while !documents.is_empty() {
            let number = varint::read(&mut documents)?;
            let difference = u32::try_from(number >> 1).map_err(|_| Corrupt)?;
            document = document.checked_add(difference).ok_or(Corrupt)?;
            let frequency = if number & 1 == 0 { 1 } else { varint::read_u32(&mut documents)? };
            self.documents.push(Posting { document, frequency });
        }
        if with_positions {
            for posting in &self.documents[begin..] {
                let mut position = 0u32;
                for _ in 0..posting.frequency {
                    position = position.checked_add(varint::read_u32(&mut list)?).ok_or(Corrupt)?;
                    self.positions.push(position);
                }
            }
        }
        Ok(())
    }
}
