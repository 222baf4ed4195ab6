//! Scripts that are written without spaces (Han, Kana, Thai, Lao, Khmer, Myanmar) or attach particles to
//! words (Hangul).
//!
//! A run of such characters is cut into clusters: a base character with its marks. Every pair of neighbouring
//! clusters is a term at the position of the first, and the last cluster alone is a term at the last position.
//! So every cluster is the beginning of a term, and a word is found as a sequence of pairs.
//!
//! The ranges of the scripts are written out, not taken from Unicode data, so that an update of that data does
//! not change the terms of stored texts.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation as _;

use super::terms::push_term;
use super::words::is_ignorable;
use super::{MAX_TERM_BYTES, Token, TokenWriter};

/// Two clusters fit into a term.
const MAX_CLUSTER_BYTES: usize = MAX_TERM_BYTES / 2;

/// What a term of clusters is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ClusterTerm {
    /// Two neighbouring clusters.
    Pair {
        /// The end of the first cluster in the text.
        first_end: usize,
        /// The length of the first cluster in the term.
        first_term_length: usize,
    },
    /// The last cluster of a run of several.
    Last,
    /// The cluster of a run of one.
    Only,
}

/// Whether the character begins a cluster. Punctuation and digits of these scripts do not.
pub(super) fn is_cluster_base(character: char) -> bool {
    matches!(u32::from(character),
        // Thai and Lao
        0x0E01..=0x0E3A | 0x0E40..=0x0E4E | 0x0E81..=0x0ECE | 0x0EDC..=0x0EDF
        // Myanmar
        | 0x1000..=0x103F | 0x1050..=0x108F | 0x109A..=0x109D | 0xA9E0..=0xA9EF | 0xA9FA..=0xA9FE
        | 0xAA60..=0xAA7F
        // Khmer
        | 0x1780..=0x17D3 | 0x17D7 | 0x17DC..=0x17DD
        // Hangul
        | 0x1100..=0x11FF | 0x3131..=0x318E | 0xA960..=0xA97F | 0xAC00..=0xD7FF | 0xFFA1..=0xFFDC
        // Kana, without the voicing marks: they belong to the character before them
        | 0x3041..=0x3096 | 0x309D..=0x309F | 0x30A1..=0x30FA | 0x30FC..=0x30FF | 0x31F0..=0x31FF
        | 0xFF66..=0xFF9D | 0x1AFF0..=0x1B16F
        // Han and its iteration marks and numerals
        | 0x2E80..=0x2FDF | 0x3005..=0x3007 | 0x3021..=0x3029 | 0x3031..=0x3035 | 0x3038..=0x303C
        | 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xF900..=0xFAFF | 0x20000..=0x3FFFD
        // Han and Kana in brackets, circles and squares
        | 0x3220..=0x3247 | 0x3280..=0x32B0 | 0x32C0..=0x32CB | 0x32D0..=0x3357 | 0x337B..=0x337F)
}

/// Whether the character is a cluster that folds to itself, unless marks follow.
fn is_simple(character: char) -> bool {
    matches!(u32::from(character),
        0x3041..=0x3096 | 0x30A1..=0x30FA | 0x30FC | 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xAC00..=0xD7A3)
        || is_simple_thai(character)
}

fn is_simple_thai(character: char) -> bool {
    matches!(u32::from(character), 0x0E01..=0x0E30 | 0x0E32 | 0x0E40..=0x0E46)
}

/// Whether a cluster folds to itself: Thai with at most one vowel sign and one tone mark in this order.
fn is_folded_thai(cluster: &str) -> bool {
    let mut characters = cluster.chars();
    let is_vowel_sign = |sign| matches!(u32::from(sign), 0x0E31 | 0x0E34..=0x0E39);
    let is_tone_mark = |mark| matches!(u32::from(mark), 0x0E47..=0x0E4C);
    characters.next().is_some_and(is_simple_thai)
        && match (characters.next(), characters.next(), characters.next()) {
            (None, ..) => true,
            (Some(mark), None, _) => is_vowel_sign(mark) || is_tone_mark(mark),
            (Some(sign), Some(mark), None) => is_vowel_sign(sign) && is_tone_mark(mark),
            _ => false,
        }
}

/// The length in bytes of the cluster that `text` begins with.
fn cluster_length(text: &str) -> usize {
    let mut characters = text.chars();
    if let Some(first) = characters.next().filter(|first| is_simple(*first))
        && characters.next().is_none_or(|next| next.is_ascii() || is_simple(next))
    {
        return first.len_utf8();
    }
    text.graphemes(true).next().map_or(0, str::len)
}

/// A run that is being written.
#[derive(Default)]
struct Run {
    /// The last cluster, folded.
    last: String,
    /// Its bytes in the text.
    last_range: Range<usize>,
    /// How many clusters there are.
    count: u32,
}

impl<F: FnMut(Token<'_>)> TokenWriter<'_, F> {
    /// Writes the run that the piece begins with; returns the end of the run.
    pub(super) fn write_run(&mut self, piece: Range<usize>) -> usize {
        let text = self.text;
        let mut run = Run::default();
        let mut folded = String::new();
        let mut at = piece.start;
        loop {
            let cluster = &text[at..at + cluster_length(&text[at..piece.end])];
            let range = at..at + cluster.len();
            at = range.end;
            let is_one = cluster.chars().nth(1).is_none() && cluster.chars().all(is_simple);
            if is_one || is_folded_thai(cluster) {
                self.write_cluster(&mut run, cluster, range);
            } else {
                folded.clear();
                // A cluster may stand for several: `㌔` is `キロ`.
                push_term(&mut folded, cluster);
                for cluster in folded.graphemes(true).filter(|cluster| cluster.starts_with(is_cluster_base)) {
                    let end = cluster.floor_char_boundary(MAX_CLUSTER_BYTES);
                    self.write_cluster(&mut run, &cluster[..end], range.clone());
                }
            }
            let rest = text[at..piece.end].trim_start_matches(is_ignorable);
            if cluster.is_empty() || !rest.starts_with(is_cluster_base) {
                break;
            }
            at = piece.end - rest.len();
        }
        if run.count > 0 {
            self.term.clear();
            self.term.push_str(&run.last);
            let cluster = if run.count == 1 { ClusterTerm::Only } else { ClusterTerm::Last };
            self.write_token(run.last_range, Some(cluster));
            self.advance(1);
        }
        at
    }

    fn write_cluster(&mut self, run: &mut Run, cluster: &str, range: Range<usize>) {
        if run.count > 0 {
            self.term.clear();
            self.term.push_str(&run.last);
            self.term.push_str(cluster);
            let (first_end, first_term_length) = (run.last_range.end, run.last.len());
            let pair = ClusterTerm::Pair { first_end, first_term_length };
            self.write_token(run.last_range.start..range.end, Some(pair));
            self.advance(1);
        }
        run.last.clear();
        run.last.push_str(cluster);
        run.last_range = range;
        run.count = run.count.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn simple_clusters_fold_to_themselves() {
        for character in ('\0'..=char::MAX).filter(|character| is_simple(*character)) {
            assert!(is_cluster_base(character), "{character:?}");
            assert_eq!(fold::fold(&character.to_string()), character.to_string(), "{character:?}");
        }
    }

    proptest! {
        #[test]
        fn simple_characters_are_clusters_of_their_own(text in "[ぁ-んァ-ヺー一-龥가-힣ก-ะาเ-ๆa1]{1,6}") {
            let mut at = 0;
            for cluster in text.graphemes(true) {
                prop_assert_eq!(cluster_length(&text[at..]), cluster.len());
                at += cluster.len();
            }
        }

        #[test]
        fn folded_thai_folds_to_itself(cluster in "[ก-๎]{1,4}") {
            if is_folded_thai(&cluster) {
                prop_assert_eq!(fold::fold(&cluster), cluster);
            }
        }
    }
}
