//! The metrics and labels that queries of Prometheus name.

/// A metric that a query names, with the labels that it must have and their values.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Selector {
    pub(super) metric: String,
    pub(super) labels: Vec<(String, String)>,
}

const PREFIXES: [&str; 2] = ["scrollback_", "process_"];

/// The selectors of our metrics in a text.
pub(super) fn selectors(text: &str) -> Vec<Selector> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(is_word) {
        let word = &rest[start..];
        let end = word.find(|c| !is_word(c)).unwrap_or(word.len());
        let metric = &word[..end];
        rest = &word[end..];
        if PREFIXES.iter().any(|prefix| metric.starts_with(prefix)) {
            let braces = rest.strip_prefix('{').and_then(|inside| inside.split_once('}'));
            let labels = braces.map_or_else(Vec::new, |(inside, _)| matchers(inside));
            found.push(Selector { metric: metric.to_owned(), labels });
        }
    }
    found
}

/// The labels by which the queries in a text group.
pub(super) fn grouping_labels(text: &str) -> Vec<String> {
    let groups = text.split(" by (").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0));
    groups.flat_map(|group| group.split(',')).map(|label| label.trim().to_owned()).collect()
}

fn matchers(inside: &str) -> Vec<(String, String)> {
    let labels = inside.split(',').filter_map(|matcher| matcher.trim().split_once(['=', '!']));
    labels.map(|(name, value)| (name.to_owned(), value.trim_matches(['=', '~', '"']).to_owned())).collect()
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

#[test]
fn selectors_and_labels_are_found() {
    let text = r#"sum by (kind, le) (rate(scrollback_a_total{job="b", code!="OK", kind=~"q.*"}[5m]))
                    / my_scrollback_b + process_c"#;
    let labels = [("job", "b"), ("code", "OK"), ("kind", "q.*")];
    let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let expected = [
        Selector { metric: "scrollback_a_total".to_owned(), labels },
        Selector { metric: "process_c".to_owned(), labels: Vec::new() },
    ];
    assert_eq!(selectors(text), expected);
    assert_eq!(grouping_labels(text), ["kind", "le"]);
}
