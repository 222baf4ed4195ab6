use super::*;
use crate::analysis::for_each_token;
use crate::analysis::tests::texts;
use crate::query::parse;
use proptest::prelude::*;
use unicode_segmentation::UnicodeSegmentation as _;

/// The snippet with `[` and `]` around its highlights.
fn show(texts: &[&str], query: &str) -> String {
    let Snippet { text, highlights } = snippet(texts, &parse(query).expect("a query"));
    let mut shown: Vec<char> = text.chars().collect();
    for Highlight { offset, length } in highlights.into_iter().rev() {
        shown.insert((offset + length) as usize, ']');
        shown.insert(offset as usize, '[');
    }
    shown.into_iter().collect()
}

#[test]
fn matches_are_highlighted() {
    for (text, query, expected) in [
        ("One café, two cafés.", "cafe", "One [café], two cafés."),
        ("One café, two cafés.", "caf*", "One [café], two [cafés]."),
        ("one two one three", "\"one three\" -four", "one two [one] [three]"),
        ("one one two", "one \"one two\"", "[one] [one] [two]"),
        ("a a a", "\"a a\"", "[a] [a] [a]"),
        ("snake_case Snake", "snake", "[snake]_case [Snake]"),
        ("snake_case Snake", "snake_case", "[snake_case] Snake"),
        ("gpt4 gpt", "\"gpt 4\"", "[gpt4] gpt"),
        ("see foo-bar", "foo-bar", "see [foo]-[bar]"),
        ("この病院は機能していない", "病院は", "この[病院は]機能していない"),
        ("この病院は病", "病", "この[病]院は[病]"),
        ("great 👍🏽!", "👍", "great [👍🏽]!"),
        ("  one\r\n\t two\0\u{202E}three\u{2066}  ", "two", "one [two] three"),
        ("nothing here", "else", "nothing here"),
        (" \n ", "else", ""),
    ] {
        assert_eq!(show(&[text], query), expected, "{text}: {query}");
    }
}

#[test]
fn the_best_text_and_window_are_chosen() {
    let far = "filler ".repeat(60);
    let (text, other) = (format!("{far}one {far}one two {far}"), format!("two {far}one"));
    let shown = show(&[&other, &text], "one two");
    assert!(shown.contains("[one] [two] filler"), "{shown}");
    assert!(shown.starts_with("…filler filler") && shown.ends_with("filler…"), "{shown}");
    let shown = show(&[&text], "filler one");
    assert!(shown.contains("[filler] [one]"), "{shown}");
    assert_eq!(show(&["x", "x two", "two two"], "two"), "[two] [two]");
    assert_eq!(show(&["", "first", "second"], "title"), "first");
    assert_eq!(show(&[], "title"), "");
}

#[test]
fn snippets_are_cut_between_words_and_never_in_clusters() {
    let cut = |text: &str, query: &str| show(&[text], query);
    let word = "wonderful ".repeat(40);
    assert_eq!(cut(&word, "x"), format!("{}wonderful…", "wonderful ".repeat(18)));
    let shown = cut(&format!("{word}one {word}"), "one");
    assert!(shown.starts_with("…wonderful ") && shown.ends_with(" wonderful…"), "{shown}");
    let family = "👩\u{200D}👩\u{200D}👧".repeat(100);
    assert_eq!(
        cut(&family, "x").chars().count(),
        39 * 5 + 1,
        "198 code points and a mark, less an incomplete one"
    );
    let long = "a".repeat(500);
    let shown = cut(&format!("one {long} two"), &format!("{long} one"));
    assert_eq!(shown.replace(['[', ']'], "").chars().count(), 199, "{shown}");
    let spread = format!("one{}two", " ".repeat(100_000));
    assert_eq!(cut(&spread, "\"one two\""), "[one]…");
}

#[test]
fn long_texts_are_read_in_pieces() {
    let filler = "filler ".repeat(30_000);
    assert!(
        show(&[&format!("{filler}\"late\" match {filler}")], "\"late match\"").contains("[late]\" [match]")
    );
    assert!(show(&[&format!("one {filler} one two")], "one two").starts_with("[one] filler"));
    let unbroken = "病院".repeat(50_000);
    assert!(show(&[&unbroken], "病院").starts_with("[病院病院"));
}

#[test]
fn time_is_bounded() {
    let start = std::time::Instant::now();
    let texts =
        ["a ".repeat(128 * 1024), "a_B".repeat(80_000), "\u{301}".repeat(128 * 1024), "🇩".repeat(65_536)];
    let letters: String = ('b'..='z').map(|letter| format!("{letter}* ")).collect();
    for query in ["\"a a a a a a a a a a a a a a a a a a a a\" a* x", &letters, "🇩🇩 x"] {
        for text in &texts {
            snippet(&[text], &parse(query).expect("a query"));
        }
    }
    assert!(start.elapsed().as_secs() < 30, "{:?}", start.elapsed());
}

/// The whole text on one line.
fn line(text: &str) -> String {
    let mut line = String::new();
    for character in text.chars().filter(|character| !excerpt::is_hidden(*character)) {
        if !excerpt::is_space(character) {
            line.push(character);
        } else if !line.is_empty() && !line.ends_with(' ') {
            line.push(' ');
        }
    }
    line.trim_end().to_owned()
}

proptest! {
    #[test]
    fn snippets_are_well_formed(texts in proptest::collection::vec(texts(), 1..4), word in 0..50_usize) {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let mut words = Vec::new();
        for text in &texts {
            for_each_token(text, 0, |token| words.push(text[token.range].to_owned()));
        }
        let query = words.get(word).map_or("none", String::as_str);
        let Ok(query) = parse(query) else { return Ok(()) };
        let Snippet { text, highlights } = snippet(&texts, &query);
        let length = text.chars().count();
        prop_assert!(length <= SNIPPET_CHARACTERS, "{length}");
        prop_assert!(!text.contains(|c: char| c.is_control() || excerpt::is_hidden(c)), "{text:?}");
        let mut last = None;
        for Highlight { offset, length: highlighted } in &highlights {
            prop_assert!(last.is_none_or(|last| last < *offset), "{highlights:?}");
            prop_assert!(*highlighted > 0);
            last = Some(offset + highlighted);
        }
        prop_assert!(last.is_none_or(|last| last as usize <= length));
        prop_assert_eq!(!highlights.is_empty(), query.matches(&texts), "{:?}", query);
    }

    #[test]
    fn cuts_are_between_clusters(text in "([a-c ]|[一-三]|e\u{301}|👩\u{200D}💻|🇩🇪|\n){150,400}", word in 0..200_usize) {
        let mut words = Vec::new();
        for_each_token(&text, 0, |token| words.push(text[token.range].to_owned()));
        let query = words.get(word).map_or("none", String::as_str);
        let Ok(query) = parse(query) else { return Ok(()) };
        let Snippet { text: shown, .. } = snippet(&[&text], &query);
        let shown = shown.trim_matches('…');
        let line = line(&text);
        let is_cluster_boundary = |at| at == line.len() || line.grapheme_indices(true).any(|(start, _)| start == at);
        let is_cut_well = |(at, _)| is_cluster_boundary(at) && is_cluster_boundary(at + shown.len());
        prop_assert!(line.match_indices(shown).any(is_cut_well), "{shown} in {line}");
        prop_assert!(shown.chars().count() > 70 || shown == line, "{shown} in {line}");
    }
}
