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

    /// Reads a list and adds it. With `positions`, those too.
    pub(super) fn decode(&mut self, list: &[u8], with_positions: bool) -> Result<(), Corrupt> {
        let begin = self.documents.len();
        let mut rest = decode_documents(list, &mut self.documents)?;
        if with_positions {
            for posting in &self.documents[begin..] {
                read_positions(&mut rest, posting.frequency, &mut self.positions)?;
            }
        }
        Ok(())
    }
}

/// One term's postings, with the positions not decoded yet.
#[derive(Debug, Default)]
pub struct LazyPostings<'s> {
    /// Ascending.
    pub documents: Vec<Posting>,
    /// The positions of some documents each, with the number of documents up to them.
    lists: Vec<(usize, &'s [u8])>,
}

impl<'s> LazyPostings<'s> {
    /// Reads the documents of a list and adds it.
    pub(super) fn add(&mut self, list: &'s [u8]) -> Result<(), Corrupt> {
        let positions = decode_documents(list, &mut self.documents)?;
        self.lists.push((self.documents.len(), positions));
        Ok(())
    }

    /// Reads positions of some documents, in their order.
    pub fn positions(&self) -> PositionReader<'_> {
        PositionReader { documents: &self.documents, lists: &self.lists, next: 0, rest: &[] }
    }
}

/// Reads positions of documents in ascending order, and skips those in between.
pub struct PositionReader<'p> {
    documents: &'p [Posting],
    /// The one that is being read, and those after it.
    lists: &'p [(usize, &'p [u8])],
    /// The index of the document whose positions `rest` begins with.
    next: usize,
    rest: &'p [u8],
}

impl PositionReader<'_> {
    /// Replaces `positions` by those of a document, which must come after the ones before.
    ///
    /// # Errors
    /// The term is not in the document, or the positions cannot be read.
    pub fn read(&mut self, document: u32, positions: &mut Vec<u32>) -> Result<(), Corrupt> {
        positions.clear();
        loop {
            let posting = self.documents.get(self.next).ok_or(Corrupt)?;
            self.begin_list()?;
            self.next += 1;
            if posting.document == document {
                return read_positions(&mut self.rest, posting.frequency, positions);
            }
            varint::skip(&mut self.rest, posting.frequency)?;
        }
    }

    /// Goes to the list of the next document, if it is another one.
    fn begin_list(&mut self) -> Result<(), Corrupt> {
        let begun = self.lists.first().ok_or(Corrupt)?;
        if self.next == 0 {
            self.rest = begun.1;
        } else if self.next == begun.0 {
            self.lists = &self.lists[1..];
            self.rest = self.lists.first().ok_or(Corrupt)?.1;
        }
        Ok(())
    }
}

/// Reads the documents of a list. Returns its positions.
fn decode_documents<'l>(mut list: &'l [u8], into: &mut Vec<Posting>) -> Result<&'l [u8], Corrupt> {
    let count = varint::read_len(&mut list)?;
    let mut documents = varint::take(&mut list, count)?;
    let mut document = 0u32;
    while !documents.is_empty() {
        let number = varint::read(&mut documents)?;
        let difference = u32::try_from(number >> 1).map_err(|_| Corrupt)?;
        document = document.checked_add(difference).ok_or(Corrupt)?;
        let frequency = if number & 1 == 0 { 1 } else { varint::read_u32(&mut documents)? };
        into.push(Posting { document, frequency });
    }
    Ok(list)
}

/// Reads the positions of one document and adds them.
fn read_positions(list: &mut &[u8], frequency: u32, into: &mut Vec<u32>) -> Result<(), Corrupt> {
    let mut position = 0u32;
    for _ in 0..frequency {
        position = position.checked_add(varint::read_u32(list)?).ok_or(Corrupt)?;
        into.push(position);
    }
    Ok(())
}
