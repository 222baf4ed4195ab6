//! Blocks of postings: one or many terms' lists, sorted by term.
//!
//! A block's key is its first term, a zero byte, and the number of that list's first document. A term of which the
//! list is long has blocks of its own, one after the other. All others share blocks, and a term is in the last block
//! whose key is not after the term's. Terms have no zero byte, or they all have the same length.
//! After documents were removed a key may be before the first term of its block; it still is the right place to look.

use std::cmp::Ordering;

use super::postings::{LazyPostings, Postings};
use super::{BLOCK_BYTES, Blocks, Corrupt, varint};

/// The bytes behind a term in the key of a block.
const SUFFIX_BYTES: usize = 5;

/// Keys to look at: from the last one that is not after `from`, to `to`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyRange {
    /// The block with the last key that is not after this one is in the range.
    pub from: Vec<u8>,
    /// The last possible key.
    pub to: Vec<u8>,
}

impl KeyRange {
    /// Where a term's postings are.
    pub fn of_term(term: &[u8]) -> Self {
        Self { from: block_key(term, 0), to: block_key(term, u32::MAX) }
    }

    /// Where the postings of the terms are that begin with `prefix`. UTF-8 has no byte 0xFF.
    pub fn of_prefix(prefix: &[u8]) -> Self {
        let mut to = prefix.to_vec();
        to.push(0xFF);
        Self { from: prefix.to_vec(), to }
    }

    /// One block.
    pub fn of_block(key: Vec<u8>) -> Self {
        Self { from: key.clone(), to: key }
    }

    /// The blocks of the range among sorted ones.
    pub fn select<'b>(&self, blocks: &'b [(Vec<u8>, Vec<u8>)]) -> &'b [(Vec<u8>, Vec<u8>)] {
        let begin = blocks.partition_point(|(key, _)| *key <= self.from).saturating_sub(1);
        let end = blocks.partition_point(|(key, _)| *key <= self.to);
        &blocks[begin.min(end)..end]
    }
}

fn block_key(term: &[u8], first_document: u32) -> Vec<u8> {
    let mut key = Vec::with_capacity(term.len() + SUFFIX_BYTES);
    key.extend_from_slice(term);
    key.push(0);
    key.extend_from_slice(&first_document.to_be_bytes());
    key
}

/// Writes blocks. Terms come in order.
#[derive(Default)]
pub(super) struct BlockWriter {
    done: Blocks,
    key: Vec<u8>,
    data: Vec<u8>,
    last_term: Vec<u8>,
}

impl BlockWriter {
    pub(super) fn push(&mut self, term: &[u8], postings: &Postings) {
        let mut lists = Vec::new();
        postings.encode(BLOCK_BYTES, |first, list| lists.push((first, list.to_vec())));
        let is_long = lists.len() > 1;
        for (first, list) in lists {
            if is_long || self.data.len() + term.len() + list.len() > BLOCK_BYTES {
                self.finish_block();
            }
            self.push_list(term, first, &list);
            if is_long {
                self.finish_block();
            }
        }
    }

    /// Like [`BlockWriter::push`], but begins no other block.
    pub(super) fn push_in_one_block(&mut self, term: &[u8], postings: &Postings) {
        postings.encode(usize::MAX, |first, list| self.push_list(term, first, list));
    }

    fn push_list(&mut self, term: &[u8], first_document: u32, list: &[u8]) {
        if self.data.is_empty() {
            self.key = block_key(term, first_document);
            self.last_term.clear();
        }
        let shared = self.last_term.iter().zip(term).take_while(|(one, other)| one == other).count();
        varint::write(&mut self.data, shared as u64);
        varint::write(&mut self.data, (term.len() - shared) as u64);
        self.data.extend_from_slice(&term[shared..]);
        varint::write(&mut self.data, list.len() as u64);
        self.data.extend_from_slice(list);
        self.last_term.clear();
        self.last_term.extend_from_slice(term);
    }

    fn finish_block(&mut self) {
        if !self.data.is_empty() {
            self.done.push((std::mem::take(&mut self.key), std::mem::take(&mut self.data)));
        }
    }

    pub(super) fn finish(mut self) -> Blocks {
        self.finish_block();
        self.done
    }
}

/// Calls `each` for every list of a block, with its term.
pub(super) fn for_each_list<'b>(
    mut block: &'b [u8],
    mut each: impl FnMut(&[u8], &'b [u8]) -> Result<bool, Corrupt>,
) -> Result<(), Corrupt> {
    let mut term = Vec::new();
    while !block.is_empty() {
        let shared = varint::read_len(&mut block)?;
        if shared > term.len() {
            return Err(Corrupt);
        }
        term.truncate(shared);
        let rest = varint::read_len(&mut block)?;
        term.extend_from_slice(varint::take(&mut block, rest)?);
        let length = varint::read_len(&mut block)?;
        let list = varint::take(&mut block, length)?;
        if !each(&term, list)? {
            break;
        }
    }
    Ok(())
}

/// Whether it is a block of postings. One of places or lengths comes before the first term.
fn has_postings((key, _): &&(Vec<u8>, Vec<u8>)) -> bool {
    key.first().is_some_and(u8::is_ascii_lowercase)
}

/// A term's postings in sorted blocks, which hold at least those of [`KeyRange::of_term`].
pub fn postings_of(
    blocks: &[(Vec<u8>, Vec<u8>)],
    term: &[u8],
    with_positions: bool,
) -> Result<Postings, Corrupt> {
    let mut postings = Postings::default();
    for_each_of_term(blocks, term, |list| postings.decode(list, with_positions))?;
    Ok(postings)
}

/// The same, with the positions to be decoded later.
pub fn lazy_postings_of<'b>(
    blocks: &'b [(Vec<u8>, Vec<u8>)],
    term: &[u8],
) -> Result<LazyPostings<'b>, Corrupt> {
    let mut postings = LazyPostings::default();
    for_each_of_term(blocks, term, |list| postings.add(list))?;
    Ok(postings)
}

fn for_each_of_term<'b>(
    blocks: &'b [(Vec<u8>, Vec<u8>)],
    term: &[u8],
    mut each: impl FnMut(&'b [u8]) -> Result<(), Corrupt>,
) -> Result<(), Corrupt> {
    for (_, block) in KeyRange::of_term(term).select(blocks).iter().filter(has_postings) {
        for_each_list(block, |found, list| {
            match found.cmp(term) {
                Ordering::Less => {}
                Ordering::Equal => each(list)?,
                Ordering::Greater => return Ok(false),
            }
            Ok(true)
        })?;
    }
    Ok(())
}

/// Calls `each` with the postings of every term that begins with `prefix`. Long terms come in several lists.
pub fn for_each_with_prefix(
    blocks: &[(Vec<u8>, Vec<u8>)],
    prefix: &[u8],
    with_positions: bool,
    mut each: impl FnMut(&Postings),
) -> Result<(), Corrupt> {
    let mut postings = Postings::default();
    for (_, block) in KeyRange::of_prefix(prefix).select(blocks).iter().filter(has_postings) {
        for_each_list(block, |term, list| {
            if term.starts_with(prefix) {
                postings.documents.clear();
                postings.positions.clear();
                postings.decode(list, with_positions)?;
                each(&postings);
                return Ok(true);
            }
            Ok(term < prefix)
        })?;
    }
    Ok(())
}
