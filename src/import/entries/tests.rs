use super::*;

/// The entries of a document with their lines and arrays, read in pieces of `size` bytes.
fn split(document: &str, size: usize) -> Vec<(usize, usize, Result<String, String>)> {
    let reader = io::BufReader::with_capacity(size, document.as_bytes());
    let mut entries = Entries::new(reader, 60);
    let mut found = Vec::new();
    while let Some(entry) = entries.next().unwrap() {
        let text = entry.text.map(|text| String::from_utf8(text).unwrap()).map_err(|error| error.reason);
        found.push((entry.line, entry.array, text));
    }
    found
}

/// Checks the entries, whatever the pieces are in which the document is read.
fn assert_split(document: &str, expected: &[(usize, usize, &str)]) {
    for size in [1, 2, 3, 7, 1000] {
        let found = split(document, size);
        let found: Vec<_> = found
            .iter()
            .map(|(line, array, text)| (*line, *array, text.as_deref().unwrap_or("REJECTED")))
            .collect();
        assert_eq!(found, expected, "{document:?} in pieces of {size}");
    }
}

#[test]
fn the_elements_of_arrays_are_entries() {
    assert_split("", &[]);
    assert_split(" [] ", &[]);
    assert_split(
        "[1,\n {\"a\": \"]}\\\"\"} , [2]]",
        &[(1, 1, "1"), (2, 1, "{\"a\": \"]}\\\"\"}"), (2, 1, "[2]")],
    );
    assert_split(
        "[\n{\"a\":\n[1]},\n\"x\",null]",
        &[(2, 1, "{\"a\":\n[1]}"), (4, 1, "\"x\""), (4, 1, "null")],
    );
    assert_split("[{}]\n[{}]", &[(1, 1, "{}"), (2, 2, "{}")]);
}

#[test]
fn values_that_follow_one_another_are_entries() {
    assert_split("{\"a\":1}\n\n{\"b\":2}\n", &[(1, 0, "{\"a\":1}"), (3, 0, "{\"b\":2}")]);
    assert_split("{\n\"a\":1}{\"b\":2}", &[(1, 0, "{\n\"a\":1}"), (2, 0, "{\"b\":2}")]);
    assert_split("{\"a\":1}", &[(1, 0, "{\"a\":1}")]);
}

#[test]
fn a_broken_line_does_not_affect_the_next() {
    assert_split(
        "{}\nnot, ] JSON\n{\"a\": [\n{\"b\": \"x\n{}\r\n{}",
        &[
            (1, 0, "{}"),
            (2, 0, "not, ] JSON"),
            (3, 0, "{\"a\": ["),
            (4, 0, "{\"b\": \"x"),
            (5, 0, "{}"),
            (6, 0, "{}"),
        ],
    );
}

#[test]
fn what_is_cut_off_too_large_or_too_deep_is_rejected_and_named() {
    assert_split("[{}", &[(1, 1, "{}"), (1, 1, "REJECTED")]);
    assert_split("[{},{\"a\":", &[(1, 1, "{}"), (1, 1, "REJECTED")]);
    assert_split("{\"a\":{", &[(1, 0, "REJECTED")]);
    let large = format!("[{{\"a\":\"{}\"}},{{}}]", "x".repeat(60));
    assert_split(&large, &[(1, 1, "REJECTED"), (1, 1, "{}")]);
    let deep = |levels: usize| {
        let document = format!("{}{}", "[".repeat(levels + 1), "]".repeat(levels + 1));
        let mut entries = Entries::new(document.as_bytes(), usize::MAX);
        entries.next().unwrap().unwrap().text
    };
    assert!(deep(MAX_LEVELS).is_ok());
    assert!(deep(MAX_LEVELS + 1).is_err());
}
