//! A share as a page: no script, everything escaped, links only to the web.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::file_path::file_path;
use crate::export::{EscapedHtml as Escaped, is_web_url};
use crate::model::{Part, Role, SharedConversation, SharedMessage, Source, Timestamp};

/// The only style. The policy allows it by its hash.
const STYLE: &str = include_str!("page.css");

/// The Content-Security-Policy of the page. Its own images are those of the share.
pub(super) fn policy(images: bool) -> String {
    let style = STANDARD.encode(Sha256::digest(STYLE));
    let images = if images { "'self' https:" } else { "'self'" };
    format!(
        "default-src 'none'; img-src {images}; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
}

/// The page of a share.
pub(super) fn page(shared: &SharedConversation, secret: &str, images: bool) -> String {
    let title =
        shared.share.title.as_deref().filter(|title| !title.is_empty()).unwrap_or("Shared conversation");
    let mut body =
        format!("<header><h1>{}</h1><p>Shared on {}", Escaped(title), day(shared.share.created_at));
    if let Some(expires_at) = shared.share.expires_at {
        let _ = write!(body, ", until {}", day(expires_at));
    }
    body.push_str("</p></header>");
    for message in &shared.messages {
        add_message(&mut body, message, (secret, images));
    }
    document(title, &body)
}

/// A page that says only this.
pub(super) fn notice(text: &str) -> String {
    document(
        "Shared conversation",
        &format!("<header><h1>Shared conversation</h1><p>{}</p></header>", Escaped(text)),
    )
}

fn document(title: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{}</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><meta name=\"robots\" content=\"noindex\">\
         <style>{STYLE}</style></head><body><main>{body}</main></body></html>\n",
        Escaped(title)
    )
}

/// The day of a time, in UTC.
fn day(time: Timestamp) -> String {
    time.to_string().chars().take(10).collect()
}

fn add_message(page: &mut String, message: &SharedMessage, of_page: (&str, bool)) {
    let (class, author) = match message.role {
        Role::User => ("user", "User"),
        Role::Assistant => ("assistant", "Assistant"),
        Role::System => ("system", "System"),
        Role::Tool => ("tool", "Tool"),
    };
    let _ = write!(page, "<article class=\"{class}\"><h2>{author}");
    if let Some(model) = &message.model {
        let _ = write!(page, " <small>{}</small>", Escaped(model));
    }
    page.push_str("</h2>");
    match &message.parts {
        None => add_text(page, &message.content),
        Some(parts) => parts.as_slice().iter().for_each(|part| add_part(page, part, of_page)),
    }
    if let Some(metadata) = message.metadata.as_ref().filter(|metadata| metadata.as_str() != "{}") {
        add_details(page, "Metadata", metadata.as_str());
    }
    page.push_str("</article>");
}

fn add_text(page: &mut String, text: &str) {
    if !text.is_empty() {
        let _ = write!(page, "<div class=\"text\" dir=\"auto\">{}</div>", Escaped(text));
    }
}

fn add_part(page: &mut String, part: &Part, (secret, images): (&str, bool)) {
    match part {
        Part::Text { text, .. } => add_text(page, text),
        Part::Reasoning { text, .. } => add_details(page, "Reasoning", text),
        Part::File { media_type, filename, url, .. } => {
            let name = filename.as_deref().filter(|name| !name.is_empty()).unwrap_or(media_type);
            let own = file_path(secret, url);
            let is_shown = own.is_some() || (images && url.starts_with("https://"));
            let url = own.as_deref().unwrap_or(url);
            if is_shown && media_type.starts_with("image/") {
                let _ =
                    write!(page, "<img src=\"{}\" alt=\"{}\" loading=\"lazy\">", Escaped(url), Escaped(name));
            } else if own.is_some() {
                let _ = write!(page, "<p><a href=\"{}\" download>{}</a></p>", Escaped(url), Escaped(name));
            } else {
                add_link(page, url, name);
            }
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
            add_details(page, &format!("Tool: {tool_name}"), &text);
        }
        Part::Source(Source::Url { url, title, .. }) => {
            add_link(page, url, title.as_deref().filter(|title| !title.is_empty()).unwrap_or(url));
        }
        Part::Source(Source::Document { title, filename, media_type, .. }) => {
            let name = title.as_deref().or(filename.as_deref()).unwrap_or(media_type);
            let _ = write!(page, "<p>{}</p>", Escaped(name));
        }
        Part::Data { name: kind, data, .. } | Part::Custom { kind, data, .. } => {
            add_details(page, kind, data.as_str());
        }
    }
}

fn add_details(page: &mut String, summary: &str, text: &str) {
    let _ = write!(
        page,
        "<details><summary>{}</summary><pre dir=\"auto\">{}</pre></details>",
        Escaped(summary),
        Escaped(text)
    );
}

/// A link to the web. Other addresses, such as `javascript:` and `data:`, are only named.
fn add_link(page: &mut String, url: &str, name: &str) {
    if is_web_url(url) {
        let (url, name) = (Escaped(url), Escaped(name));
        let _ = write!(page, "<p><a href=\"{url}\" rel=\"nofollow noopener noreferrer ugc\">{name}</a></p>");
    } else {
        let _ = write!(page, "<p>{}</p>", Escaped(name));
    }
}
