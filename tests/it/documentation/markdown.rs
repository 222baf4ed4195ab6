//! A parser for the parts of Markdown that the tests use.

use std::collections::BTreeSet;

/// A fenced block of code.
#[derive(Debug)]
pub(super) struct Block {
    /// The line of its first backticks, from 1.
    pub(super) line: usize,
    /// The first word of its info string.
    pub(super) language: String,
    /// The rest of its info string: how the tests treat the block.
    pub(super) mode: String,
    pub(super) text: String,
}

const FENCE: &str = "```";

/// The blocks of code, in order.
pub(super) fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (at, line) in text.lines().enumerate() {
        match (&mut open, line.strip_prefix(FENCE)) {
            (None, Some(info)) => {
                let (language, mode) = info.split_once(' ').unwrap_or((info, ""));
                let (language, mode) = (language.to_owned(), mode.to_owned());
                open = Some(Block { line: at + 1, language, mode, text: String::new() });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block of code is not closed");
    blocks
}

/// The lines that are not in a block of code, numbered from 1.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut is_code = false;
    text.lines().enumerate().filter_map(move |(at, line)| {
        let is_fence = line.starts_with(FENCE);
        is_code ^= is_fence;
        (!is_code && !is_fence).then_some((at + 1, line))
    })
}

/// The targets of links, with their lines.
pub(super) fn links(text: &str) -> Vec<(usize, String)> {
    let mut links = Vec::new();
    for (number, line) in prose(text) {
        for (at, start) in line.match_indices("](") {
            let rest = &line[at + start.len()..];
            let end = rest.find(')').unwrap_or_else(|| panic!("line {number}: a link is not closed"));
            links.push((number, rest[..end].to_owned()));
        }
    }
    links
}

/// The contents of the code spans in prose.
pub(super) fn inline_code(text: &str) -> Vec<&str> {
    prose(text).flat_map(|(_, line)| line.split('`').skip(1).step_by(2)).collect()
}

/// What links to headings end with, as GitHub makes it of their texts.
pub(super) fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text).map(|(_, line)| line).filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| {
        let kept = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = kept.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}

#[test]
fn markdown_is_read() {
    let text = "# The `API`, in short\nSee [it](a.md#b), `x.y`.\n\n```sh server\n[no](link)\n```\n";
    let [block] = &blocks(text)[..] else { panic!("one block") };
    assert_eq!((block.line, &*block.language, &*block.mode), (4, "sh", "server"));
    assert_eq!(block.text, "[no](link)\n");
    assert_eq!(links(text), [(2, "a.md#b".to_owned())]);
    assert_eq!(inline_code(text), ["API", "x.y"]);
    assert_eq!(anchors(text), BTreeSet::from(["the-api-in-short".to_owned()]));
}
