//! Folds text so that searches ignore case, accents and width.
//!
//! A crate of its own because both the server and the migrations fold.

use icu_casemap::{CaseMapper, CaseMapperBorrowed};
use icu_normalizer::properties::CanonicalCombiningClassMapBorrowed;
use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};
use icu_properties::props::DefaultIgnorableCodePoint;
use icu_properties::{CodePointSetData, CodePointSetDataBorrowed};

const CASE_MAPPER: CaseMapperBorrowed<'static> = CaseMapper::new();
const NFKD: DecomposingNormalizerBorrowed<'static> = DecomposingNormalizerBorrowed::new_nfkd();
const NFD: DecomposingNormalizerBorrowed<'static> = DecomposingNormalizerBorrowed::new_nfd();
const NFC: ComposingNormalizerBorrowed<'static> = ComposingNormalizerBorrowed::new_nfc();
const COMBINING_CLASS: CanonicalCombiningClassMapBorrowed<'static> =
    CanonicalCombiningClassMapBorrowed::new();
const IGNORABLE: CodePointSetDataBorrowed<'static> = CodePointSetData::new::<DefaultIgnorableCodePoint>();

/// Folds text: two texts that differ only in case, accents or width have the same folded form, so one text
/// contains another for a search if its folded form contains the other's.
///
/// The rule, by the Unicode Standard, without a language:
///
/// 1. Compatibility caseless matching (section 3.13, D146): NFKD, then full case folding (`C` and `F` of
///    `CaseFolding.txt`, without the Turkic `T`), then NFKD again. `ß` is `ss`, `ς` is `σ`, `ﬁ` is `fi`,
///    full-width `Ａ` is `a`.
/// 2. Code points with `Default_Ignorable_Code_Point` are removed, as in `NFKC_Casefold` (D147): soft
///    hyphens, zero-width joiners, variation selectors.
/// 3. Accents are removed: marks whose canonical combining class says "above", "below" or "overlay" (1 and
///    200 to 240), which are those of Latin, Greek and Cyrillic, and the vowel points of Hebrew, Arabic and
///    Syriac (10 to 36), which are mostly left out in writing. Marks that make another letter stay: the
///    voicing marks of Japanese, nuktas, viramas, and the vowel signs of India and South East Asia.
/// 4. Latin letters with a stroke, which Unicode does not decompose, lose it: `ø` is `o`, `ł` is `l`.
/// 5. NFC, so that a Hangul syllable does not contain another one that lacks its last consonant.
///
/// Turkish `I`, `ı`, `İ` and `i` are all `i`: the correct pairs depend on the language, which is not known.
///
/// Folding again changes nothing. The folded form may be up to 11 times as long in UTF-8 (`ﷺ`).
///
/// Folded forms are stored, so a change of these rules needs a migration that folds everything again.
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let decomposed = NFKD.normalize(text);
    let caseless = CASE_MAPPER.fold_string(&decomposed);
    let letters = NFKD.normalize(&caseless);
    let letters: String = letters.chars().filter(|letter| is_kept(*letter)).map(without_stroke).collect();
    NFC.normalize(&letters).into_owned()
}

/// The key of a name that is compared without regard to case: canonical caseless matching of the Unicode Standard
/// (section 3.13, D145), in NFC. Unlike [`fold`] it keeps accents and width.
pub fn caseless(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let caseless = CASE_MAPPER.fold_string(&NFD.normalize(text)).into_owned();
    NFC.normalize(&caseless).into_owned()
}

fn is_kept(letter: char) -> bool {
    !matches!(COMBINING_CLASS.get_u8(letter), 1 | 10..=36 | 200..=240) && !IGNORABLE.contains(letter)
}

fn without_stroke(letter: char) -> char {
    match letter {
        'ⱥ' => 'a',
        'ƀ' => 'b',
        'ȼ' => 'c',
        'đ' => 'd',
        'ɇ' => 'e',
        'ǥ' => 'g',
        'ħ' => 'h',
        'ɨ' | 'ı' => 'i',
        'ɉ' => 'j',
        'ł' => 'l',
        'ø' => 'o',
        'ɍ' => 'r',
        'ŧ' | 'ⱦ' => 't',
        'ʉ' => 'u',
        'ɏ' => 'y',
        'ƶ' => 'z',
        _ => letter,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_differ_in_case_accents_or_width_have_one_form() {
        for texts in [
            &["plan", "PLAN", "Ｐｌａｎ", "𝐏𝐥𝐚𝐧", "pl\u{AD}an"][..],
            &["привет", "Привет", "ПРИВЕТ", "приве\u{301}т"],
            &["еж", "Ёж", "е\u{308}ж"],
            &["οδυσσευσ", "Ὀδυσσεύς", "ΟΔΥΣΣΕΎΣ"],
            &["istanbul", "İstanbul", "ISTANBUL", "ıstanbul", "I\u{307}stanbul"],
            &["strasse", "Straße", "STRASSE", "STRAẞE"],
            &["cafe", "Café", "CAFE\u{301}", "ＣＡＦÉ"],
            &["file", "ﬁle", "FILE"],
            &["lodz", "Łódź", "ŁÓDŹ"],
            &["smørrebrød", "SMORREBROD", "smo\u{338}rrebro\u{338}d"],
            &["שלום", "שָׁלוֹם"],
            &["محمد", "مُحَمَّد"],
            &["ガンダム", "ｶﾞﾝﾀﾞﾑ", "カ\u{3099}ンタ\u{3099}ム"],
            &["한글", "\u{1112}\u{1161}\u{11AB}\u{1100}\u{1173}\u{11AF}"],
            &["❤", "❤\u{FE0F}"],
            &["", "\u{301}", "\u{200D}\u{FE0F}"],
        ] {
            for text in texts {
                assert_eq!(fold(text), fold(texts[0]), "{text}");
            }
        }
    }

    #[test]
    fn caseless_keys_ignore_case_and_composition_only() {
        for texts in [
            &["work", "Work", "WORK"][..],
            &["straße", "STRASSE", "Strasse"],
            &["café", "CAFÉ", "cafe\u{301}", "CAFE\u{301}"],
            &["όσος", "ΌΣΟΣ", "Όσοσ"],
        ] {
            for text in texts {
                assert_eq!(caseless(text), caseless(texts[0]), "{text}");
                assert_eq!(caseless(&caseless(text)), caseless(text), "{text}");
            }
        }
        for (one, other) in [("café", "cafe"), ("Ａ", "a"), ("ﬁ", "f"), ("a b", "ab")] {
            assert_ne!(caseless(one), caseless(other), "{one} {other}");
        }
    }

    #[test]
    fn other_letters_stay_apart() {
        for (one, other) in
            [("か", "が"), ("は", "ば"), ("कि", "की"), ("กิน", "กัน"), ("æ", "a"), ("👍", "👎"), ("한", "하")]
        {
            assert_ne!(fold(one), fold(other), "{one} {other}");
        }
        assert!(!fold("한글").contains(&fold("하")), "syllables are whole");
        assert!(fold("東京タワー").contains(&fold("京タ")));
        assert!(fold("Party 🎉🎉").contains(&fold("🎉")));
        for text in ["100%", "a_b", r"c:\d", "'; --"] {
            assert_eq!(fold(text), text, "nothing is written otherwise");
        }
    }

    #[test]
    fn every_character_folds_once_and_as_its_other_cases_do() {
        for letter in '\0'..=char::MAX {
            let text = letter.to_string();
            let folded = fold(&text);
            assert_eq!(fold(&folded), folded, "{letter:?} {:x}", u32::from(letter));
            assert_eq!(fold(&text.to_uppercase()), folded, "{letter:?} {:x}", u32::from(letter));
            assert_eq!(fold(&text.to_lowercase()), folded, "{letter:?} {:x}", u32::from(letter));
            assert!(folded.len() <= 11 * text.len(), "{letter:?}: {} bytes", folded.len());
        }
    }
}
