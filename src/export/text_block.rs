//! The blocks of a text: prose, and code between fences as in Markdown.

/// A part of a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum TextBlock<'t> {
    /// Lines of text.
    Prose(&'t str),
    /// Lines of code.
    Code {
        /// What follows the fence, for example `rust`.
        language: &'t str,
        /// The lines between the fences.
        code: &'t str,
    },
}

/// The blocks of a text, in order. A fence that is not closed ends with the text.
pub(super) fn text_blocks(text: &str) -> Vec<TextBlock<'_>> {
    let mut blocks = Vec::new();
    let (mut begin, mut at) = (0, 0);
    let mut open: Option<(Fence, &str)> = None;
    for line in text.split_inclusive('\n') {
        let next = at + line.len();
        match &open {
            None => {
                if let Some((fence, language)) = Fence::opened_by(line) {
                    blocks.push(TextBlock::Prose(&text[begin..at]));
                    open = Some((fence, language));
                    begin = next;
                }
            }
            Some((fence, language)) if fence.is_closed_by(line) => {
                blocks.push(TextBlock::Code { language, code: &text[begin..at] });
                open = None;
                begin = next;
            }
            Some(_) => {}
        }
        at = next;
    }
    blocks.push(match open {
        None => TextBlock::Prose(&text[begin..]),
        Some((_, language)) => TextBlock::Code { language, code: &text[begin..] },
    });
    blocks.retain(|block| !matches!(block, TextBlock::Prose(text) if text.trim().is_empty()));
    blocks
}

/// A run of at least three backticks or tildes at the beginning of a line.
struct Fence {
    char: char,
    length: usize,
}

impl Fence {
    fn opened_by(line: &str) -> Option<(Self, &str)> {
        let line = line.trim();
        let char = line.chars().next().filter(|char| "`~".contains(*char))?;
        let rest = line.trim_start_matches(char);
        let length = line.len() - rest.len();
        let is_fence = length >= 3 && !(char == '`' && rest.contains('`'));
        is_fence.then(|| (Self { char, length }, rest.trim()))
    }

    fn is_closed_by(&self, line: &str) -> bool {
        let line = line.trim();
        line.len() >= self.length && line.chars().all(|char| char == self.char)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_between_fences() {
        let text = "Look:\n```rust\nlet a = 1;\n\n````\n```` no\nAnd\n  ~~~\n```\n~~~~\nend";
        assert_eq!(
            text_blocks(text),
            [
                TextBlock::Prose("Look:\n"),
                TextBlock::Code { language: "rust", code: "let a = 1;\n\n" },
                TextBlock::Code { language: "no", code: "And\n  ~~~\n```\n~~~~\nend" },
            ]
        );
        assert_eq!(text_blocks("``` a`b\n"), [TextBlock::Prose("``` a`b\n")]);
        assert_eq!(text_blocks("~~~\n```\n~~~"), [TextBlock::Code { language: "", code: "```\n" }]);
        assert_eq!(text_blocks(" \n"), []);
        assert_eq!(text_blocks("```"), [TextBlock::Code { language: "", code: "" }]);
    }
}
