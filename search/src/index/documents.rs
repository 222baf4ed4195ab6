//! Blocks of places and of lengths: what is known of the documents of a segment, by their numbers.

use super::{Corrupt, DOCUMENTS_A_BLOCK, LENGTHS_A_BLOCK, Place, varint};

/// The key of the block of places that has a document.
pub fn places_key(document: u32) -> Vec<u8> {
    numbered_key(b'D', document / DOCUMENTS_A_BLOCK)
}

/// The key of the block of lengths that has a document.
pub fn lengths_key(document: u32) -> Vec<u8> {
    numbered_key(b'L', document / LENGTHS_A_BLOCK)
}

fn numbered_key(code: u8, number: u32) -> Vec<u8> {
    let mut key = vec![code];
    key.extend_from_slice(&number.to_be_bytes());
    key
}

/// Writes a block of places. `None` stands where a document was removed.
pub(super) fn encode_places(places: &[Option<Place>]) -> Vec<u8> {
    let mut conversations: Vec<[u8; 16]> = places.iter().flatten().map(|place| place.conversation).collect();
    conversations.sort_unstable();
    conversations.dedup();
    let mut out = Vec::new();
    varint::write(&mut out, conversations.len() as u64);
    for conversation in &conversations {
        out.extend_from_slice(conversation);
    }
    let mut before = 0;
    for place in places {
        let Some(place) = place else {
            out.push(0);
            continue;
        };
        let index = conversations.partition_point(|conversation| *conversation < place.conversation);
        varint::write(&mut out, index as u64 + 1);
        varint::write(&mut out, varint::zigzag(place.created_at.wrapping_sub(before)));
        varint::write(&mut out, varint::zigzag(place.position));
        before = place.created_at;
    }
    out
}

/// Reads a block of places. `None` stands where a document was removed.
pub fn decode_places(mut block: &[u8]) -> Result<Vec<Option<Place>>, Corrupt> {
    let count = varint::read_len(&mut block)?;
    let ids = varint::take(&mut block, count.checked_mul(16).ok_or(Corrupt)?)?;
    let (conversations, _) = ids.as_chunks::<16>();
    let mut places = Vec::with_capacity(DOCUMENTS_A_BLOCK as usize);
    let mut before = 0i64;
    while !block.is_empty() {
        let index = varint::read_len(&mut block)?;
        let Some(index) = index.checked_sub(1) else {
            places.push(None);
            continue;
        };
        let conversation = *conversations.get(index).ok_or(Corrupt)?;
        let created_at = before.wrapping_add(varint::unzigzag(varint::read(&mut block)?));
        let position = varint::unzigzag(varint::read(&mut block)?);
        before = created_at;
        places.push(Some(Place { created_at, conversation, position }));
    }
    Ok(places)
}

/// The byte that stands for a number of terms: exact up to 127, then in steps of 16, at most 2,144.
pub(super) fn encode_length(terms: u32) -> u8 {
    match terms {
        0..128 => terms as u8,
        _ => 128 + ((terms - 128) / 16).min(127) as u8,
    }
}

/// About how many terms a byte stands for.
pub(crate) fn decode_length(byte: u8) -> u32 {
    match byte {
        0..128 => u32::from(byte),
        _ => 128 + 16 * u32::from(byte - 128),
    }
}
