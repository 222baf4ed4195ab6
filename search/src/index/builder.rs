//! Makes a segment of documents.

use std::collections::HashMap;

use super::block::BlockWriter;
use super::documents::{encode_length, encode_places, lengths_key, places_key};
use super::postings::Postings;
use super::segment::{Segment, Summary};
use super::{Blocks, DOCUMENTS_A_BLOCK, Field, LENGTHS_A_BLOCK, Place};
use crate::analysis::for_each_token;

/// Longest name of a model in the index, in bytes. Longer ones are cut.
const MAX_MODEL_BYTES: usize = 200;

/// A message or a title, to be indexed.
#[derive(Debug, Clone, Copy)]
pub struct Document<'a> {
    /// Where it is.
    pub place: Place,
    /// The number of the role; `None` for a title.
    pub role: Option<u8>,
    /// The name of the model.
    pub model: Option<&'a str>,
    /// What is indexed. A phrase does not run from one text into the next.
    pub texts: &'a [(Field, &'a str)],
}

/// A segment that is being made.
#[derive(Default)]
pub struct Builder {
    terms: HashMap<Vec<u8>, Postings>,
    places: Vec<Option<Place>>,
    lengths: Vec<u8>,
    key: Vec<u8>,
}

impl Builder {
    /// Adds a document. Documents come in the order of their places.
    pub fn add(&mut self, document: &Document<'_>) {
        let number = self.places.len() as u32;
        debug_assert!(
            self.places.last().is_none_or(|last| *last < Some(document.place)),
            "documents are sorted"
        );
        let mut next_positions = [0u32; Field::TEXTS.len()];
        let mut length = 0u32;
        for (field, text) in document.texts {
            let Some(next) = Field::TEXTS.iter().position(|other| other == field) else { continue };
            let first = next_positions[next];
            let end = for_each_token(text, first, |token| {
                length += u32::from(!token.is_part);
                self.push(field.code(), token.term.as_bytes(), number, token.position);
            });
            next_positions[next] = end + 1;
        }
        self.push(Field::Conversation.code(), &document.place.conversation, number, 0);
        if let Some(role) = document.role {
            self.push(Field::Role.code(), &[role], number, 0);
        }
        if let Some(model) = document.model {
            self.push(Field::Model.code(), model_term(model), number, 0);
        }
        self.places.push(Some(document.place));
        self.lengths.push(encode_length(length));
    }

    fn push(&mut self, field: u8, term: &[u8], document: u32, position: u32) {
        self.key.clear();
        self.key.push(field);
        self.key.extend_from_slice(term);
        match self.terms.get_mut(&self.key) {
            Some(postings) => postings.push(document, position),
            None => {
                let mut postings = Postings::default();
                postings.push(document, position);
                self.terms.insert(self.key.clone(), postings);
            }
        }
    }

    /// How many documents were added.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The segment.
    pub fn finish(self) -> Segment {
        let mut terms: Vec<_> = self.terms.into_iter().collect();
        terms.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let mut writer = BlockWriter::default();
        for (term, postings) in &terms {
            writer.push(term, postings);
        }
        finish(&self.places, &self.lengths, writer)
    }
}

/// The term of a model's name.
pub(crate) fn model_term(name: &str) -> &[u8] {
    &name.as_bytes()[..name.floor_char_boundary(MAX_MODEL_BYTES)]
}

pub(super) fn finish(places: &[Option<Place>], lengths: &[u8], postings: BlockWriter) -> Segment {
    let mut blocks = Blocks::new();
    let mut times = Vec::new();
    for (number, places) in (0..).zip(places.chunks(DOCUMENTS_A_BLOCK as usize)) {
        times.extend(places.first().copied().flatten().map(|place| place.created_at));
        blocks.push((places_key(number * DOCUMENTS_A_BLOCK), encode_places(places)));
    }
    times.extend(places.last().copied().flatten().map(|place| place.created_at));
    for (number, lengths) in (0..).zip(lengths.chunks(LENGTHS_A_BLOCK as usize)) {
        blocks.push((lengths_key(number * LENGTHS_A_BLOCK), lengths.to_vec()));
    }
    blocks.append(&mut postings.finish());
    Segment { summary: Summary { documents: places.len() as u32, times }, blocks }
}
