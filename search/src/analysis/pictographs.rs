//! Emoji: every emoji sequence is one term.
//!
//! Skin tones, variation selectors and joiners are removed, so `👍🏽` is `👍`, and all flags of subdivisions,
//! such as that of Scotland, are `🏴`. Symbols below U+2190, such as `©` and `™`, are not terms.

use icu_properties::props::ExtendedPictographic;
use icu_properties::{CodePointSetData, CodePointSetDataBorrowed};

const EXTENDED_PICTOGRAPHIC: CodePointSetDataBorrowed<'static> =
    CodePointSetData::new::<ExtendedPictographic>();

/// Whether an emoji sequence can begin with this character. Keycaps do not count.
pub(super) fn is_pictograph(character: char) -> bool {
    character >= '\u{2190}'
        && (EXTENDED_PICTOGRAPHIC.contains(character) || ('\u{1F1E6}'..='\u{1F1FF}').contains(&character))
}

pub(super) fn is_skin_tone(character: char) -> bool {
    ('\u{1F3FB}'..='\u{1F3FF}').contains(&character)
}

/// The length in bytes of the keycap sequence at the end of `before`, if `character` is the mark that ends it.
pub(super) fn keycap_length(before: &str, character: char) -> Option<usize> {
    if character != '\u{20E3}' {
        return None;
    }
    let key = before.strip_suffix('\u{FE0F}').unwrap_or(before);
    let is_key = key.ends_with(|key: char| key.is_ascii_digit() || key == '#' || key == '*');
    is_key.then(|| before.len() - key.len() + 1)
}
