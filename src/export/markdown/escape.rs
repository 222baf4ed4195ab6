//! Escaping of Markdown.

use std::fmt::Write;

/// The longest name of a language after a fence.
const LANGUAGE_LENGTH: usize = 30;

/// Characters that some programs take for the end of a line.
const LINE_ENDS: [char; 11] =
    ['\n', '\r', '\u{b}', '\u{c}', '\u{1c}', '\u{1d}', '\u{1e}', '\u{85}', '\u{2028}', '\u{2029}', '\u{0}'];

/// A text in a line.
pub(super) fn inline(text: &str) -> String {
    let text = text.split(LINE_ENDS).map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>();
    escaped_line(&text.join(" "))
}

/// Lines of text as paragraphs. Line breaks and indentation are kept.
pub(super) fn paragraphs(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let mut lines = text.split(LINE_ENDS).map(str::trim_end).peekable();
    let mut escaped = String::with_capacity(text.len() + text.len() / 8);
    while let Some(line) = lines.next() {
        let is_last_of_paragraph = lines.peek().is_none_or(|next| next.trim().is_empty());
        if line.trim().is_empty() {
            if !escaped.is_empty() && !escaped.ends_with("\n\n") && lines.peek().is_some() {
                escaped.push('\n');
            }
            continue;
        }
        escaped.push_str(&escaped_line(line));
        // Two spaces are a line break.
        escaped.push_str(if is_last_of_paragraph { "\n" } else { "  \n" });
    }
    let end = escaped.trim_end_matches('\n').len();
    escaped.truncate(end);
    escaped.push('\n');
    escaped
}

/// A line in which nothing has a meaning.
fn escaped_line(line: &str) -> String {
    let text = line.trim_start();
    let mut escaped = String::with_capacity(line.len() + 16);
    // Spaces would be lost, or make code of it.
    for char in line[..line.len() - text.len()].chars() {
        escaped.push_str(if char == '\t' { "\u{a0}\u{a0}\u{a0}\u{a0}" } else { "\u{a0}" });
    }
    let number = text.len() - text.trim_start_matches(|char: char| char.is_ascii_digit()).len();
    let mut before = ' ';
    let mut rest = text.char_indices().peekable();
    while let Some((at, char)) = rest.next() {
        let next = rest.peek().map_or(' ', |(_, char)| *char);
        match char {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' if next == '#' || next.is_ascii_alphanumeric() => escaped.push_str("&amp;"),
            '\\' | '`' | '*' | '[' | ']' | '~' | '|' | '$' | '{' | '}' | '^' => {
                escaped.push('\\');
                escaped.push(char);
            }
            '_' if !(before.is_alphanumeric() && next.is_alphanumeric()) => escaped.push_str("\\_"),
            // What makes headings, lists, rules and definitions at the beginning of a line.
            '+' | '-' | '=' | ':' | '%' | '!' | '@' if at == 0 => {
                escaped.push('\\');
                escaped.push(char);
            }
            // Also at the end of a heading.
            '#' if before == ' ' => {
                escaped.push('\\');
                escaped.push(char);
            }
            '.' | ')' if number > 0 && at == number => {
                escaped.push('\\');
                escaped.push(char);
            }
            char if char.is_control() && char != '\t' => escaped.push('\u{fffd}'),
            char => escaped.push(char),
        }
        before = char;
    }
    escaped
}

/// Code between fences that are longer than all that the code has.
pub(super) fn code_block(language: &str, code: &str) -> String {
    let fence = "`".repeat(Ord::max(3, longest_run(code) + 1));
    let is_name = |char: &char| char.is_ascii_alphanumeric() || "+#-_.".contains(*char);
    let language: String = language.chars().take_while(is_name).take(LANGUAGE_LENGTH).collect();
    let mut block = format!("{fence}{language}\n");
    let code = code.replace("\r\n", "\n");
    for char in code.trim_end_matches('\n').chars() {
        block.push(match char {
            '\r' => '\n',
            char if char.is_control() && !"\n\t".contains(char) => '\u{fffd}',
            char => char,
        });
    }
    let _ = writeln!(block, "\n{fence}");
    block
}

/// A short code in a line.
pub(super) fn code_span(code: &str) -> String {
    let code: String = code
        .chars()
        .take(200)
        .map(|char| if char.is_whitespace() || char.is_control() { ' ' } else { char })
        .collect();
    let fence = "`".repeat(longest_run(&code) + 1);
    format!("{fence} {code} {fence}")
}

/// The longest run of backticks.
fn longest_run(text: &str) -> usize {
    text.split(|char| char != '`').map(str::len).max().unwrap_or_default()
}

/// A URL between angle brackets.
pub(super) fn url(url: &str) -> String {
    let mut escaped = String::with_capacity(url.len());
    for char in url.chars() {
        if char.is_whitespace() || char.is_control() || "<>\\`\"[]*_{}|^".contains(char) {
            let mut bytes = [0; 4];
            for byte in char.encode_utf8(&mut bytes).bytes() {
                let _ = write!(escaped, "%{byte:02X}");
            }
        } else {
            escaped.push(char);
        }
    }
    // An entity in it would be decoded.
    escaped.replace('&', "&amp;")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

    use super::*;

    proptest! {
        #[test]
        fn a_parser_finds_only_paragraphs(text in "[-#*_`~<>\\[\\]()!&;:=+|$^{}1a. \n\t\\\\\"'@%/]{0,60}") {
            for event in Parser::new_ext(&paragraphs(&text), Options::all()) {
                let is_plain = matches!(
                    event,
                    Event::Text(_)
                        | Event::SoftBreak
                        | Event::HardBreak
                        | Event::Start(Tag::Paragraph)
                        | Event::End(TagEnd::Paragraph)
                );
                prop_assert!(is_plain, "{event:?} of {text:?}");
            }
        }

        #[test]
        fn a_parser_finds_the_code(code in "[`~a# \n<]{0,40}", language in "[`~a# \n<]{0,9}") {
            let mut found = String::new();
            for event in Parser::new_ext(&code_block(&language, &code), Options::all()) {
                match event {
                    Event::Text(text) => found.push_str(&text),
                    Event::Start(Tag::CodeBlock(_)) | Event::End(TagEnd::CodeBlock) => {}
                    other => prop_assert!(false, "{other:?} of {code:?}"),
                }
            }
            prop_assert_eq!(found.trim_end_matches('\n'), code.trim_end_matches('\n'));
        }
    }

    #[test]
    fn nothing_has_a_meaning() {
        for (text, escaped) in [
            ("# a", "\\# a"),
            ("a # b C#", "a \\# b C#"),
            ("- a\n+ b", "\\- a  \n\\+ b"),
            ("12. a", "12\\. a"),
            ("12) a", "12\\) a"),
            ("1.5 litres", "1\\.5 litres"),
            ("===\n---", "\\===  \n\\---"),
            ("<script>", "&lt;script&gt;"),
            ("a & b &amp; &#60;", "a & b &amp;amp; &amp;#60;"),
            ("![x](javascript:y)", "\\!\\[x\\](javascript:y)"),
            ("snake_case _it_ **b**", "snake_case \\_it\\_ \\*\\*b\\*\\*"),
            ("    code\n\ttab", "\u{a0}\u{a0}\u{a0}\u{a0}code  \n\u{a0}\u{a0}\u{a0}\u{a0}tab"),
            ("a\u{2028}# b\u{85}# c\r# d", "a  \n\\# b  \n\\# c  \n\\# d"),
            ("a\n\n\n\nb\n", "a\n\nb"),
            ("\n\na", "a"),
            ("a\u{7}", "a\u{fffd}"),
            ("a | b\n-|-", "a \\| b  \n\\-\\|-"),
            ("\\# a", "\\\\# a"),
        ] {
            assert_eq!(paragraphs(text), format!("{escaped}\n"), "{text:?}");
        }
        assert_eq!(inline("a\n# b\r\n"), "a \\# b");
        assert_eq!(inline("\n# b"), "\\# b");
    }

    #[test]
    fn code_cannot_leave_its_block() {
        assert_eq!(code_block("rust", "a\n"), "```rust\na\n```\n");
        assert_eq!(code_block("x` y", "````\n# a"), "`````x\n````\n# a\n`````\n");
        assert_eq!(code_span("a`b"), "`` a`b ``");
        assert_eq!(url("https://a/b> <c\n(d)?e=1&lt;"), "https://a/b%3E%20%3Cc%0A(d)?e=1&amp;lt;");
    }
}
