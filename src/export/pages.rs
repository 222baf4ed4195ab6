//! Writes the page of a conversation, and archives of pages.

use std::io::{self, Write};

use super::archive::Archive;
use super::error::ExportError;
use super::file_name::PageNames;
use super::format::{ExportBranches, ExportFormat};
use super::images::Images;
use super::json_lines::CONVERSATIONS;
use super::output::{ExportOutput, OutputBuffer};
use super::page::PageMessage;
use super::{html, markdown};
use crate::model::{Conversation, ExportEnd, ExportedMessage};
use crate::store::ExportSnapshot;

/// An archive cannot be changed when a file turns out to have 4 GiB. A message has at most 16 MiB, and a page at most six
/// times as much.
const SMALL: i64 = 40;

/// Where the text of a page goes.
trait PageOutput {
    /// Adds text to the page.
    async fn add(&mut self, text: &str) -> io::Result<()>;
}

impl<O: ExportOutput> PageOutput for OutputBuffer<'_, O> {
    async fn add(&mut self, text: &str) -> io::Result<()> {
        self.write_all(text.as_bytes())?;
        self.flush_if_large().await
    }
}

impl<O: ExportOutput> PageOutput for Archive<'_, '_, O> {
    async fn add(&mut self, text: &str) -> io::Result<()> {
        self.write(text.as_bytes()).await
    }
}

/// Writes the page of a conversation. Returns the number of its messages.
pub(super) async fn write<O: ExportOutput>(
    snapshot: &ExportSnapshot,
    conversation: &Conversation,
    form: (ExportFormat, ExportBranches),
    output: &mut OutputBuffer<'_, O>,
) -> Result<u64, ExportError> {
    write_page(snapshot, conversation, form, output).await
}

/// Writes an archive with the pages of all conversations of a snapshot.
pub(super) async fn write_archive<O: ExportOutput>(
    snapshot: &ExportSnapshot,
    form: (ExportFormat, ExportBranches),
    output: &mut OutputBuffer<'_, O>,
) -> Result<ExportEnd, ExportError> {
    let mut archive = Archive::new(output);
    if form.0 == ExportFormat::Html {
        write_index(snapshot, &mut archive).await?;
    }
    let (mut names, mut end) = (PageNames::default(), ExportEnd::default());
    for ids in snapshot.conversation_ids().chunks(CONVERSATIONS) {
        for conversation in snapshot.conversations(ids).await? {
            let name = names.add(&conversation, form.0.extension());
            let is_large = conversation.last_position > SMALL;
            archive.begin_file(&name, conversation.updated_at, is_large)?;
            end.conversations += 1;
            end.messages += write_page(snapshot, &conversation, form, &mut archive).await?;
        }
    }
    archive.finish().await?;
    Ok(end)
}

/// Writes the page with links to the others. They get the same names again.
async fn write_index<O: ExportOutput>(
    snapshot: &ExportSnapshot,
    archive: &mut Archive<'_, '_, O>,
) -> Result<(), ExportError> {
    let ids = snapshot.conversation_ids();
    let mut names = PageNames::default();
    archive.begin_file("index.html", snapshot.exported_at(), false)?;
    archive.add(&html::begin_index(ids.len())).await?;
    for ids in ids.chunks(CONVERSATIONS) {
        for conversation in snapshot.conversations(ids).await? {
            let name = names.add(&conversation, ExportFormat::Html.extension());
            archive.add(&html::index_entry(&conversation, &name)).await?;
        }
    }
    Ok(archive.add(html::end_index()).await?)
}

async fn write_page(
    snapshot: &ExportSnapshot,
    conversation: &Conversation,
    (format, branches): (ExportFormat, ExportBranches),
    output: &mut impl PageOutput,
) -> Result<u64, ExportError> {
    let is_html = format == ExportFormat::Html;
    let (begin, end) = if is_html {
        (html::begin_page(conversation, branches), html::end_page())
    } else {
        (markdown::begin_page(conversation, branches), "")
    };
    output.add(&begin).await?;
    let has_all = branches == ExportBranches::All;
    let mut pages = if has_all {
        snapshot.all_messages(conversation.id)
    } else {
        snapshot.active_messages(conversation).await?
    };
    let (mut count, mut before) = (0, 0);
    while let Some(page) = pages.next().await? {
        for message in &page {
            let images = if is_html { Images::of(snapshot, message).await? } else { Images::default() };
            let message = page_message(message, images, has_all.then_some(before));
            let text = if is_html { html::message(&message) } else { markdown::message(&message) };
            output.add(&text).await?;
            (count, before) = (count + 1, message.message.position);
        }
    }
    output.add(end).await?;
    Ok(count)
}

/// A message of a page. `before` is the position of the message before it, if the page has all branches.
fn page_message(message: &ExportedMessage, images: Images, before: Option<i64>) -> PageMessage<'_> {
    let parent = message.parent_position;
    let answers = before.is_some_and(|before| before != parent).then_some(parent);
    PageMessage { message, is_numbered: before.is_some(), answers, images }
}
