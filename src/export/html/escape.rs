//! Escaping of HTML.

/// A text in HTML, in elements and in quoted attributes.
pub struct EscapedHtml<'t>(pub &'t str);

impl std::fmt::Display for EscapedHtml<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find(['&', '<', '>', '"', '\'']) {
            f.write_str(&rest[..at])?;
            f.write_str(match rest.as_bytes()[at] {
                b'&' => "&amp;",
                b'<' => "&lt;",
                b'>' => "&gt;",
                b'"' => "&quot;",
                _ => "&#39;",
            })?;
            rest = &rest[at + 1..];
        }
        f.write_str(rest)
    }
}

/// Whether a URL is one of the web. Others, such as `javascript:` and `data:`, are no links.
pub fn is_web_url(url: &str) -> bool {
    let scheme = url.split(':').next().unwrap_or_default();
    ["http", "https"].iter().any(|web| scheme.eq_ignore_ascii_case(web)) && url.contains("://")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped() {
        assert_eq!(EscapedHtml("a<b>&\"'é").to_string(), "a&lt;b&gt;&amp;&quot;&#39;é");
    }

    #[test]
    fn only_the_web_is_linked() {
        assert!(is_web_url("https://example.org/a") && is_web_url("HTTP://example.org"));
        for url in [
            "javascript:alert(1)",
            "JavaScript:https://x",
            "data:text/html,x",
            "vbscript:x",
            "/a",
            "//a.b",
            "https:x",
        ] {
            assert!(!is_web_url(url), "{url}");
        }
    }
}
