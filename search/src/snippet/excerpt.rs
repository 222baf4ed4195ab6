//! Cuts a part out of a text and writes it on one line.

use std::ops::Range;

use icu_properties::props::BidiControl;
use icu_properties::{CodePointSetData, CodePointSetDataBorrowed};
use unicode_segmentation::UnicodeSegmentation as _;

use super::matches::Match;
use super::{Highlight, SNIPPET_CHARACTERS, Snippet};

/// How much of the text is looked at before and after the matches.
const CONTEXT_BYTES: usize = 2048;

/// How much of the matches is looked at.
const CORE_BYTES: usize = 4096;

/// How many grapheme clusters a cut is moved to reach a space.
const WORD_CLUSTERS: usize = 20;

/// Longer grapheme clusters are cut: they are made to disturb.
const MAX_CLUSTER_CHARACTERS: usize = 32;

const BIDI_CONTROL: CodePointSetDataBorrowed<'static> = CodePointSetData::new::<BidiControl>();

/// Whether the character becomes a space.
pub(super) fn is_space(character: char) -> bool {
    character.is_whitespace() || character.is_control()
}

/// Whether the character is removed.
pub(super) fn is_hidden(character: char) -> bool {
    BIDI_CONTROL.contains(character)
}

/// A grapheme cluster on the line.
struct Cluster<'t> {
    /// Where it is in the text.
    at: usize,
    /// A space, or the cluster as it is in the text.
    text: &'t str,
    characters: usize,
}

impl Cluster<'_> {
    fn is_space(&self) -> bool {
        self.text == " "
    }
}

/// Returns the surroundings of `core`, a part of the text, with the matches that are there.
pub(super) fn excerpt(text: &str, core: Range<usize>, matches: &[Match]) -> Snippet {
    let region = text.floor_char_boundary(core.start.saturating_sub(CONTEXT_BYTES))
        ..text.floor_char_boundary(core.end.min(core.start + CORE_BYTES).saturating_add(CONTEXT_BYTES));
    let clusters = clusters(text, region.clone(), &core);
    let is_whole = region == (0..text.len());
    let characters: usize = clusters.iter().map(|cluster| cluster.characters).sum();
    let chosen = if is_whole && characters <= SNIPPET_CHARACTERS {
        0..clusters.len()
    } else {
        let first = clusters.partition_point(|cluster| cluster.at + cluster.text.len() <= core.start);
        let end = clusters.partition_point(|cluster| cluster.at < core.end).max(first);
        choose(&clusters, first..end)
    };
    let is_cut_before = chosen.start > 0 || region.start > 0;
    let is_cut_after = chosen.end < clusters.len() || region.end < text.len();
    write(&clusters[chosen], is_cut_before, is_cut_after, matches)
}

/// The clusters of a region, without those at its ends that may be incomplete, and without spaces at the ends.
fn clusters<'t>(text: &'t str, region: Range<usize>, core: &Range<usize>) -> Vec<Cluster<'t>> {
    let mut clusters: Vec<Cluster<'t>> = Vec::new();
    for (start, cluster) in text[region.clone()].grapheme_indices(true) {
        let at = region.start + start;
        let end = at + cluster.len();
        let is_incomplete = at == region.start && at > 0 && end <= core.start
            || end == region.end && end < text.len() && at >= core.end;
        if is_incomplete || cluster.chars().all(is_hidden) {
            continue;
        }
        if cluster.chars().all(is_space) {
            if clusters.last().is_some_and(|last| !last.is_space()) {
                clusters.push(Cluster { at, text: " ", characters: 1 });
            }
            continue;
        }
        let mut pieces = cluster.char_indices();
        let end = pieces.nth(MAX_CLUSTER_CHARACTERS).map_or(cluster.len(), |(end, _)| end);
        let text = &cluster[..end];
        clusters.push(Cluster { at, text, characters: text.chars().count() });
    }
    if clusters.last().is_some_and(Cluster::is_space) {
        clusters.pop();
    }
    clusters
}

/// Chooses the clusters around the core: a third of the room before it, the rest after it.
fn choose(clusters: &[Cluster<'_>], core: Range<usize>) -> Range<usize> {
    // Two for the marks of the cuts.
    let mut room = SNIPPET_CHARACTERS - 2;
    let core_end = core.start + count_fitting(clusters[core.clone()].iter(), &mut room);
    let is_whole_core = core_end == core.end;
    let mut before = if is_whole_core { room / 3 } else { 0 };
    room -= before;
    let mut start = core.start - count_fitting(clusters[..core.start].iter().rev(), &mut before);
    room += before;
    let mut end = core_end;
    if is_whole_core {
        end += count_fitting(clusters[core_end..].iter(), &mut room);
        start -= count_fitting(clusters[..start].iter().rev(), &mut room);
    }
    if start > 0 {
        let is_word_start = clusters[start - 1].is_space();
        let near = clusters[start..core.start].iter().take(WORD_CLUSTERS);
        if let Some(space) = near.into_iter().position(Cluster::is_space).filter(|_| !is_word_start) {
            start += space;
        }
    }
    if end < clusters.len() && !clusters[end].is_space() {
        let near = clusters[core_end..end].iter().rev().take(WORD_CLUSTERS);
        if let Some(space) = near.into_iter().position(Cluster::is_space) {
            end -= space;
        }
    }
    while start < end && start < core.start && clusters[start].is_space() {
        start += 1;
    }
    while start < end && clusters[end - 1].is_space() {
        end -= 1;
    }
    start..end
}

/// How many of the clusters fit into the room, which is reduced.
fn count_fitting<'c, 't: 'c>(clusters: impl Iterator<Item = &'c Cluster<'t>>, room: &mut usize) -> usize {
    let mut count = 0;
    for cluster in clusters {
        match room.checked_sub(cluster.characters) {
            Some(rest) => *room = rest,
            None => break,
        }
        count += 1;
    }
    count
}

fn write(clusters: &[Cluster<'_>], is_cut_before: bool, is_cut_after: bool, matches: &[Match]) -> Snippet {
    let mut text = String::new();
    // The place of every character in the original text; its index is its place in the snippet.
    let mut places = Vec::new();
    let start = clusters.first().map_or(0, |cluster| cluster.at);
    if is_cut_before {
        text.push('…');
        places.push(start);
    }
    let first = places.len();
    for cluster in clusters {
        for (offset, character) in cluster.text.char_indices() {
            text.push(if is_space(character) { ' ' } else { character });
            places.push(cluster.at + offset);
        }
    }
    if is_cut_after {
        text.push('…');
    }
    let mut tokens: Vec<&Range<usize>> = matches.iter().flat_map(|found| &found.tokens).collect();
    tokens.sort_by_key(|token| token.start);
    let mut highlights: Vec<Range<usize>> = Vec::new();
    for token in tokens {
        let place = |byte| first + places[first..].partition_point(|place| *place < byte);
        let highlight = place(token.start)..place(token.end);
        match highlights.last_mut() {
            _ if highlight.is_empty() => {}
            Some(last) if highlight.start <= last.end => last.end = last.end.max(highlight.end),
            _ => highlights.push(highlight),
        }
    }
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let highlight =
        |range: Range<usize>| Highlight { offset: count(range.start), length: count(range.len()) };
    Snippet { text, highlights: highlights.into_iter().map(highlight).collect() }
}
