//! Formats: what is written is read, and nothing else is.

use proptest::prelude::*;

use super::block::{KeyRange, postings_of};
use super::builder::{Builder, Document};
use super::documents::{decode_length, decode_places, encode_length, encode_places};
use super::merge::merge;
use super::postings::Postings;
use super::segment::{Segment, Summary};
use super::{BLOCK_BYTES, Field, Place};

fn postings() -> impl Strategy<Value = Postings> {
    prop::collection::btree_map(0..100_000u32, prop::collection::btree_set(0..100_000u32, 1..6), 0..200)
        .prop_map(|documents| {
            let mut postings = Postings::default();
            for (document, positions) in documents {
                postings.push_document(document, &positions.into_iter().collect::<Vec<_>>());
            }
            postings
        })
}

proptest! {
    #[test]
    fn postings_are_read_as_written(written in postings(), limit in 1..300usize) {
        let mut read = Postings::default();
        let mut documents_only = Postings::default();
        written.encode(limit, |_, list| {
            read.decode(list, true).unwrap();
            documents_only.decode(list, false).unwrap();
        });
        prop_assert_eq!(&read, &written);
        prop_assert_eq!(documents_only.documents, written.documents);
        prop_assert!(documents_only.positions.is_empty());
    }

    #[test]
    fn places_are_read_as_written(places in prop::collection::vec(
        prop::option::of((any::<i64>(), any::<u8>(), any::<i64>()).prop_map(|(created_at, id, position)| Place {
            created_at, conversation: [id; 16], position,
        })), 0..512)) {
        prop_assert_eq!(decode_places(&encode_places(&places)).unwrap(), places);
    }

    #[test]
    fn broken_blocks_are_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode_places(&bytes);
        let _ = Postings::default().decode(&bytes, true);
        let _ = postings_of(&[(b"t".to_vec(), bytes.clone())], b"tword", true);
        let _ = Summary::times_from_bytes(&bytes);
        let documents = [3, 9].into();
        let _ = super::removal::remove(b"t", &bytes, &documents);
        let _ = super::removal::remove(b"D\0\0\0\0", &bytes, &documents);
        let segment = Segment { summary: Summary { documents: 3, times: Vec::new() }, blocks: vec![(b"D\0\0\0\0".to_vec(), bytes.clone()), (b"t".to_vec(), bytes)] };
        let _ = merge(&[segment]);
    }
}

#[test]
fn lengths_are_exact_where_they_are_small() {
    for length in 0..128 {
        assert_eq!(decode_length(encode_length(length)), length);
    }
    for length in [128, 1000, 2144, 5000, u32::MAX] {
        let read = decode_length(encode_length(length));
        assert!(read <= length && (length - read < 16 || read == 2160), "{length} {read}");
    }
}

#[test]
fn long_lists_and_many_terms_are_cut_into_blocks() {
    let mut builder = Builder::default();
    for number in 0..5000 {
        let place = Place { created_at: number, conversation: [7; 16], position: number + 1 };
        let text = format!("the same w{number}");
        builder.add(&Document { place, role: Some(1), model: None, texts: &[(Field::Text, &text)] });
    }
    let segment = builder.finish();
    assert!(segment.blocks.is_sorted_by(|(one, _), (other, _)| one < other));
    for conversation in [[0; 16], [7; 16], [9; 16]] {
        let key = Field::Conversation.key(&conversation);
        let documents = postings_of(&segment.blocks, &key, false).unwrap().documents.len();
        assert_eq!(documents, if conversation == [7; 16] { 5000 } else { 0 });
    }
    let largest = segment.blocks.iter().map(|(_, block)| block.len()).max().unwrap();
    assert!(largest < 3 * BLOCK_BYTES, "{largest}");
    for (term, count) in [("the", 5000), ("same", 5000), ("w17", 1), ("w", 5000), ("17", 1), ("nothing", 0)] {
        let key = Field::Text.key(term.as_bytes());
        let blocks = KeyRange::of_term(&key).select(&segment.blocks).to_vec();
        assert_eq!(postings_of(&blocks, &key, true).unwrap().documents.len(), count, "{term}");
        assert!(blocks.len() <= 10, "{term}: {}", blocks.len());
    }
}
