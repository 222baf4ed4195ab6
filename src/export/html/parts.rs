//! The parts of a message in HTML.

use std::fmt::Write;

use super::escape::{EscapedHtml, is_web_url};
use crate::export::images::Images;
use crate::export::text_block::{TextBlock, text_blocks};
use crate::model::{Part, Source, attachment_of, is_data_url};

/// A text, with its code in blocks.
pub(super) fn add_text(html: &mut String, text: &str) {
    for block in text_blocks(text) {
        let _ = match block {
            TextBlock::Prose(text) => {
                let text = EscapedHtml(text.trim_matches('\n'));
                write!(html, "<div class=\"text\" dir=\"auto\">{text}</div>")
            }
            TextBlock::Code { code, .. } => {
                // A browser drops the first line break.
                write!(html, "<pre class=\"code\">\n{}</pre>", EscapedHtml(code.trim_end_matches('\n')))
            }
        };
    }
}

/// A part.
pub(super) fn add_part(html: &mut String, part: &Part, images: &Images) {
    match part {
        Part::Text { text, .. } => add_text(html, text),
        Part::Reasoning { text, .. } => add_details(html, "Reasoning", text),
        Part::File { media_type, filename, url, .. } => {
            let name = filename.as_deref().filter(|name| !name.is_empty()).unwrap_or(media_type);
            add_file(html, name, (media_type, url), images);
        }
        Part::Tool { tool_name, input, output, error_text, .. } => {
            let mut text = String::new();
            for (what, value) in [("Input", input), ("Output", output)] {
                if let Some(json) = value {
                    let _ = writeln!(text, "{what}: {}", json.as_str());
                }
            }
            if let Some(error) = error_text {
                let _ = writeln!(text, "Error: {error}");
            }
            add_details(html, &format!("Tool: {tool_name}"), text.trim_end());
        }
        Part::Source(Source::Url { url, title, .. }) => {
            let name = title.as_deref().filter(|title| !title.is_empty()).unwrap_or(url);
            html.push_str("<p class=\"source\">");
            add_link(html, url, name);
            html.push_str("</p>");
        }
        Part::Source(Source::Document { title, filename, media_type, .. }) => {
            let name = title.as_deref().or(filename.as_deref()).unwrap_or(media_type);
            let _ = write!(html, "<p class=\"source\"><bdi>{}</bdi></p>", EscapedHtml(name));
        }
        Part::Data { name: kind, data, .. } | Part::Custom { kind, data, .. } => {
            add_details(html, kind, data.as_str());
        }
    }
}

fn add_file(html: &mut String, name: &str, (media_type, url): (&str, &str), images: &Images) {
    if let Some(image) = images.data_url(media_type, url) {
        let _ = write!(html, "<img src=\"{}\" alt=\"{}\">", EscapedHtml(image), EscapedHtml(name));
        return;
    }
    html.push_str("<p class=\"file\">");
    add_link(html, url, name);
    let place = match attachment_of("url", url) {
        Ok(Some(id)) => format!(" · attachment {id}"),
        _ if is_data_url(url) => " · in the message".to_owned(),
        _ => String::new(),
    };
    let _ = write!(html, " <small>{}{place}</small></p>", EscapedHtml(media_type));
}

fn add_details(html: &mut String, summary: &str, text: &str) {
    let _ = write!(
        html,
        "<details><summary><bdi>{}</bdi></summary><pre dir=\"auto\">\n{}</pre></details>",
        EscapedHtml(summary),
        EscapedHtml(text)
    );
}

/// A link to the web. Other addresses are not linked.
fn add_link(html: &mut String, url: &str, name: &str) {
    let name = EscapedHtml(name);
    let _ = if is_web_url(url) {
        let url = EscapedHtml(url);
        write!(html, "<a href=\"{url}\" rel=\"nofollow noopener noreferrer ugc\"><bdi>{name}</bdi></a>")
    } else {
        write!(html, "<bdi>{name}</bdi>")
    };
}
