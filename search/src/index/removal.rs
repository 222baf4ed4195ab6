//! Removes documents from a segment, so that nothing of their text is left in it.

use std::collections::BTreeSet;

use super::block::{BlockWriter, for_each_list};
use super::documents::{decode_places, encode_places, lengths_key, places_key};
use super::postings::Postings;
use super::{Corrupt, DOCUMENTS_A_BLOCK, LENGTHS_A_BLOCK};

/// What becomes of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It has nothing of these documents.
    Unchanged,
    /// The block is to be replaced by this one, under the same key.
    Replaced(Vec<u8>),
    /// Nothing is left of it.
    Emptied,
}

/// Removes `documents` from the block under `key`.
pub fn remove(key: &[u8], block: &[u8], documents: &BTreeSet<u32>) -> Result<Outcome, Corrupt> {
    match key.first() {
        Some(b'D') => remove_places(key, block, documents),
        Some(b'L') => Ok(remove_lengths(key, block, documents)),
        _ => remove_postings(block, documents),
    }
}

fn number_of(key: &[u8]) -> Result<u32, Corrupt> {
    let bytes = key.get(1..).and_then(|bytes| bytes.try_into().ok()).ok_or(Corrupt)?;
    Ok(u32::from_be_bytes(bytes))
}

fn remove_places(key: &[u8], block: &[u8], documents: &BTreeSet<u32>) -> Result<Outcome, Corrupt> {
    debug_assert_eq!(places_key(number_of(key)? * DOCUMENTS_A_BLOCK), key);
    let first = number_of(key)?.checked_mul(DOCUMENTS_A_BLOCK).ok_or(Corrupt)?;
    let mut here = documents.range(first..first.saturating_add(DOCUMENTS_A_BLOCK)).peekable();
    if here.peek().is_none() {
        return Ok(Outcome::Unchanged);
    }
    let mut places = decode_places(block)?;
    for document in here {
        *places.get_mut((document - first) as usize).ok_or(Corrupt)? = None;
    }
    Ok(Outcome::Replaced(encode_places(&places)))
}

fn remove_lengths(key: &[u8], block: &[u8], documents: &BTreeSet<u32>) -> Outcome {
    let mut block = block.to_vec();
    let mut is_changed = false;
    for document in documents {
        let place = (document % LENGTHS_A_BLOCK) as usize;
        if lengths_key(*document) == key && block.get(place).is_some_and(|length| *length != 0) {
            block[place] = 0;
            is_changed = true;
        }
    }
    if is_changed { Outcome::Replaced(block) } else { Outcome::Unchanged }
}

fn remove_postings(block: &[u8], documents: &BTreeSet<u32>) -> Result<Outcome, Corrupt> {
    let mut is_changed = false;
    for_each_list(block, |_, list| {
        let mut postings = Postings::default();
        postings.decode(list, false)?;
        is_changed = postings.documents.iter().any(|posting| documents.contains(&posting.document));
        Ok(!is_changed)
    })?;
    if !is_changed {
        return Ok(Outcome::Unchanged);
    }
    let mut writer = BlockWriter::default();
    for_each_list(block, |term, list| {
        let mut postings = Postings::default();
        postings.decode(list, true)?;
        postings.retain(|document| !documents.contains(&document));
        if !postings.documents.is_empty() {
            writer.push_in_one_block(term, &postings);
        }
        Ok(true)
    })?;
    Ok(match writer.finish().pop() {
        Some((_, block)) => Outcome::Replaced(block),
        None => Outcome::Emptied,
    })
}
