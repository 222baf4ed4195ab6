//! What a parser of Markdown finds in an exported page.

use pulldown_cmark::{Event, Options, Parser, Tag};

/// Checks that a page has only what it should have: headings for the title and for each message, and links to the web.
pub(super) fn check(page: &str, messages: usize) {
    let mut headings = 0;
    for event in Parser::new_ext(page, Options::all()) {
        match event {
            Event::Html(html) | Event::InlineHtml(html) => panic!("HTML: {html}"),
            Event::Start(Tag::Heading { .. }) => headings += 1,
            Event::Start(Tag::Link { dest_url, .. }) => {
                assert!(dest_url.starts_with("https://"), "{dest_url}");
            }
            Event::Start(Tag::Paragraph | Tag::CodeBlock(_) | Tag::Emphasis | Tag::Strong) => {}
            Event::Start(other) => panic!("{other:?} in\n{page}"),
            Event::Rule | Event::FootnoteReference(_) | Event::TaskListMarker(_) => panic!("{event:?}"),
            _ => {}
        }
    }
    assert_eq!(headings, 1 + messages, "{page}");
}
