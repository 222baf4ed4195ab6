//! Pages in HTML: no script, nothing from elsewhere, every text escaped, links only to the web.

mod escape;
mod parts;

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

pub use escape::{EscapedHtml, is_web_url};

use super::format::ExportBranches;
use super::page::{PageMessage, answers_note, author, branches_note, notes, time, title};
use crate::model::{Conversation, Role};
use parts::{add_part, add_text};

/// The only style. The policy of the page allows it by its hash.
const STYLE: &str = include_str!("html/page.css");

/// The beginning of the page of a conversation.
pub(super) fn begin_page(conversation: &Conversation, branches: ExportBranches) -> String {
    let title = title(conversation);
    let mut page = begin_document(title);
    let _ = write!(
        page,
        "<header><h1 dir=\"auto\">{}</h1><p>Created {} · last active {}</p>",
        EscapedHtml(title),
        time(conversation.created_at),
        time(conversation.updated_at)
    );
    if let Some(note) = branches_note(conversation, branches) {
        let _ = write!(page, "<p>{note}</p>");
    }
    page.push_str("</header>\n");
    page
}

/// The beginning of the page that lists the others.
pub(super) fn begin_index(conversations: usize) -> String {
    let mut page = begin_document("Conversations");
    let count = match conversations {
        1 => "1 conversation".to_owned(),
        count => format!("{count} conversations"),
    };
    let _ = write!(page, "<header><h1>Conversations</h1><p>{count}, the oldest first</p></header>\n<ol>\n");
    page
}

/// A link to the page of a conversation.
pub(super) fn index_entry(conversation: &Conversation, file_name: &str) -> String {
    let messages = match conversation.message_count {
        1 => "1 message".to_owned(),
        count => format!("{count} messages"),
    };
    format!(
        "<li><a href=\"{}\" dir=\"auto\">{}</a> <small>{} · {messages}</small></li>\n",
        EscapedHtml(&path_segment(file_name)),
        EscapedHtml(title(conversation)),
        time(conversation.created_at)
    )
}

/// The end of the page that lists the others.
pub(super) fn end_index() -> &'static str {
    "</ol></main></body></html>\n"
}

/// The end of the page of a conversation.
pub(super) fn end_page() -> &'static str {
    "</main></body></html>\n"
}

/// A message.
pub(super) fn message(page: &PageMessage<'_>) -> String {
    let message = page.message;
    let class = match message.role {
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::System => "system",
        Role::Tool => "tool",
    };
    let position = message.position;
    let mut html = format!("<article class=\"{class}\" id=\"m{position}\"><h2>");
    if page.is_numbered {
        let _ = write!(html, "<span class=\"number\">{position}</span> ");
    }
    html.push_str(author(message.role));
    html.push_str(" <small>");
    if let Some(model) = &message.model {
        let _ = write!(html, "<bdi>{}</bdi> · ", EscapedHtml(model));
    }
    html.push_str(&time(message.created_at));
    for note in notes(message) {
        let _ = write!(html, " · {note}");
    }
    html.push_str("</small></h2>");
    if let Some(position) = page.answers {
        let note = answers_note(position);
        let _ = match position {
            0 => write!(html, "<p class=\"branch\">{note}</p>"),
            _ => write!(html, "<p class=\"branch\"><a href=\"#m{position}\">{note}</a></p>"),
        };
    }
    match (&message.deleted_at, &message.parts) {
        (Some(at), _) => {
            let _ = write!(html, "<p class=\"branch\">Deleted {}.</p>", time(*at));
        }
        (None, None) => add_text(&mut html, &message.content),
        (None, Some(parts)) => {
            parts.as_slice().iter().for_each(|part| add_part(&mut html, part, &page.images));
        }
    }
    html.push_str("</article>\n");
    html
}

fn begin_document(title: &str) -> String {
    let style = STANDARD.encode(Sha256::digest(STYLE));
    let title = EscapedHtml(title);
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta http-equiv=\"content-security-policy\" content=\"default-src 'none'; img-src data:; \
         style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"referrer\" content=\"no-referrer\"><meta name=\"robots\" content=\"noindex\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>{STYLE}</style></head>\n<body><main>"
    )
}

/// The name of a file in a relative URL.
fn path_segment(name: &str) -> String {
    let mut segment = "./".to_owned();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            segment.push(char::from(byte));
        } else {
            let _ = write!(segment, "%{byte:02X}");
        }
    }
    segment
}
