//! Pages in Markdown (CommonMark): every text shows as it was written, and cannot be anything else.
//!
//! Code between fences stays code. All other texts are escaped, so they make no headings, links, images or HTML.

mod escape;

use std::fmt::Write;

use super::format::ExportBranches;
use super::html::is_web_url;
use super::page::{PageMessage, answers_note, author, branches_note, notes, time, title};
use super::text_block::{TextBlock, text_blocks};
use crate::model::{Conversation, Json, Part, Source, attachment_of, is_data_url};
use escape::{code_block, code_span, inline, paragraphs, url};

/// The beginning of the page of a conversation.
pub(super) fn begin_page(conversation: &Conversation, branches: ExportBranches) -> String {
    let mut page = format!(
        "# {}\n\nCreated {} · last active {} · `{}`\n",
        inline(title(conversation)),
        time(conversation.created_at),
        time(conversation.updated_at),
        conversation.id
    );
    if let Some(note) = branches_note(conversation, branches) {
        let _ = write!(page, "\n{note}\n");
    }
    page
}

/// A message.
pub(super) fn message(page: &PageMessage<'_>) -> String {
    let message = page.message;
    let mut text = "\n## ".to_owned();
    if page.is_numbered {
        let _ = write!(text, "{} · ", message.position);
    }
    let _ = write!(text, "{}\n\n*", author(message.role));
    if let Some(model) = &message.model {
        let _ = write!(text, "{} · ", inline(model));
    }
    text.push_str(&time(message.created_at));
    for note in notes(message) {
        let _ = write!(text, " · {note}");
    }
    text.push_str("*\n");
    if let Some(position) = page.answers {
        let _ = write!(text, "\n*{}*\n", answers_note(position));
    }
    match (&message.deleted_at, &message.parts) {
        (Some(at), _) => {
            let _ = write!(text, "\n*Deleted {}.*\n", time(*at));
        }
        (None, None) => add_text(&mut text, &message.content),
        (None, Some(parts)) => parts.as_slice().iter().for_each(|part| add_part(&mut text, part)),
    }
    text
}

fn add_text(page: &mut String, text: &str) {
    for block in text_blocks(text) {
        page.push('\n');
        match block {
            TextBlock::Prose(text) => page.push_str(&paragraphs(text)),
            TextBlock::Code { language, code } => page.push_str(&code_block(language, code)),
        }
    }
}

fn add_part(page: &mut String, part: &Part) {
    match part {
        Part::Text { text, .. } => add_text(page, text),
        Part::Reasoning { text, .. } => {
            page.push_str("\n**Reasoning**\n\n");
            page.push_str(&code_block("", text));
        }
        Part::File { media_type, filename, url: address, .. } => {
            let name = filename.as_deref().filter(|name| !name.is_empty()).unwrap_or("file");
            let _ = write!(page, "\n**File:** {} ({})", link(address, name), inline(media_type));
            match attachment_of("url", address) {
                Ok(Some(id)) => {
                    let _ = write!(page, ", attachment `{id}`");
                }
                _ if is_data_url(address) => page.push_str(", in the message"),
                _ => {}
            }
            page.push('\n');
        }
        Part::Tool { tool_name, input, output, error_text, .. } => {
            let _ = write!(page, "\n**Tool:** {}\n", inline(tool_name));
            add_json(page, "Input", input.as_ref());
            add_json(page, "Output", output.as_ref());
            if let Some(error) = error_text {
                let _ = write!(page, "\nError:\n\n{}", code_block("", error));
            }
        }
        Part::Source(Source::Url { url: address, title, .. }) => {
            let name = title.as_deref().filter(|title| !title.is_empty()).unwrap_or(address);
            let _ = write!(page, "\n**Source:** {}\n", link(address, name));
        }
        Part::Source(Source::Document { title, filename, media_type, .. }) => {
            let name = title.as_deref().or(filename.as_deref()).unwrap_or(media_type);
            let _ = write!(page, "\n**Source:** {}\n", inline(name));
        }
        Part::Data { name: kind, data, .. } | Part::Custom { kind, data, .. } => {
            let _ = write!(page, "\n**Data:** {}\n", inline(kind));
            add_json(page, "", Some(data));
        }
    }
}

fn add_json(page: &mut String, what: &str, json: Option<&Json>) {
    if let Some(json) = json {
        if !what.is_empty() {
            let _ = write!(page, "\n{what}:\n");
        }
        let _ = write!(page, "\n{}", code_block("json", json.as_str()));
    }
}

/// A link to the web. Other addresses are not linked.
fn link(address: &str, name: &str) -> String {
    if is_web_url(address) {
        format!("[{}](<{}>)", inline(name), url(address))
    } else if is_data_url(address) || attachment_of("url", address).ok().flatten().is_some() {
        inline(name)
    } else {
        format!("{} {}", inline(name), code_span(address))
    }
}
