//! The little HTML that Open WebUI writes into texts.

/// The text with the character references that Python's `html.escape` and browsers write.
pub(super) fn unescape(text: &str) -> String {
    const REFERENCES: [(&str, char); 8] = [
        ("&amp;", '&'),
        ("&lt;", '<'),
        ("&gt;", '>'),
        ("&quot;", '"'),
        ("&#x27;", '\''),
        ("&#39;", '\''),
        ("&apos;", '\''),
        ("&#34;", '"'),
    ];
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        result.push_str(&rest[..at]);
        rest = &rest[at..];
        match REFERENCES.iter().find(|(name, _)| rest.starts_with(name)) {
            Some((name, character)) => {
                result.push(*character);
                rest = &rest[name.len()..];
            }
            None => {
                result.push('&');
                rest = &rest[1..];
            }
        }
    }
    result.push_str(rest);
    result
}

/// The attributes of a tag, unescaped, and the length of the tag. `text` begins after its name. `None`: it does not end.
pub(super) fn attributes(text: &str) -> Option<(Vec<(String, String)>, usize)> {
    let mut found = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches(|character: char| character.is_ascii_whitespace() || character == '/');
        if let Some(after) = rest.strip_prefix('>') {
            return Some((found, text.len() - after.len()));
        }
        let end = rest.find(|character: char| {
            character.is_ascii_whitespace() || matches!(character, '=' | '>' | '/')
        })?;
        let name = rest[..end].to_ascii_lowercase();
        rest = rest[end..].trim_start();
        let Some(value) = rest.strip_prefix('=') else {
            // Something like `="` without a name would never end.
            if name.is_empty() {
                return None;
            }
            found.push((name, String::new()));
            continue;
        };
        let value = value.trim_start();
        let quote = value.chars().next()?;
        let (value, after) = match quote {
            '"' | '\'' => value[1..].split_once(quote)?,
            _ => value
                .split_at(value.find(|character: char| character.is_ascii_whitespace() || character == '>')?),
        };
        found.push((name, unescape(value)));
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_replaced_once() {
        assert_eq!(unescape("a &lt;b&gt; &amp;lt; &#x27;c&#39; &unknown; &"), "a <b> &lt; 'c' &unknown; &");
    }

    #[test]
    fn attributes_are_read_up_to_the_end_of_the_tag() {
        let (found, length) = attributes(r#" type="tool_calls" done="true" x='>' y=1 open>text"#).unwrap();
        let found: Vec<_> = found.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(found, [("type", "tool_calls"), ("done", "true"), ("x", ">"), ("y", "1"), ("open", "")]);
        assert_eq!(length, 46);
        for broken in [" type=\"a", " type", "=\"a\"", " a=", ""] {
            assert!(attributes(broken).is_none(), "{broken}");
        }
    }
}
