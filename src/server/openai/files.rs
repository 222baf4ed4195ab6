//! The URLs of attachments in items.

use std::collections::HashMap;

use futures_util::TryStreamExt;

use super::context::Context;
use super::error::ApiError;
use crate::model::{AttachmentId, MAX_MESSAGE_BYTES, Message, MessageStatus, Part, Parts, attachment_of};
use crate::openai::{FileUrls, Item, items_of};
use crate::store::{Error, LinkPurpose};

/// The items of messages, in the order of the messages.
pub(super) async fn items(context: &Context<'_>, messages: &[Message]) -> Result<Vec<Vec<Item>>, ApiError> {
    let urls = urls(context, messages).await?;
    let streaming = messages.iter().filter(|message| message.status == MessageStatus::Streaming);
    let streaming: Vec<_> = streaming.map(|message| message.id).collect();
    let texts = match streaming.as_slice() {
        [] => HashMap::new(),
        ids => context.scope.texts(ids).await?,
    };
    let mut items = Vec::with_capacity(messages.len());
    for message in messages {
        let text = texts.get(&message.id).unwrap_or(&message.content);
        let size =
            text.len() + message.metadata.as_str().len() + message.parts.as_ref().map_or(0, Parts::bytes);
        context.budget.grow(size).await?;
        items.push(items_of(message, text, &urls));
    }
    Ok(items)
}

/// Files that were sent as `data:` URLs come back as these. Others get a link that ends.
async fn urls(context: &Context<'_>, messages: &[Message]) -> Result<FileUrls, ApiError> {
    let mut urls = FileUrls::default();
    for (id, media_type) in attachments(messages) {
        if urls.has(id) {
            continue;
        }
        if FileUrls::is_of_data_url(id)
            && let Some(file) = file(context, id).await?
        {
            urls.insert_file(id, media_type, &file);
            continue;
        }
        match context.scope.file_link(LinkPurpose::Download, id).await {
            Ok(link) => urls.insert(id, link.url),
            Err(Error::FilesDisabled) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(urls)
}

/// The attachments of messages, with their media types.
fn attachments<'m>(messages: &'m [Message]) -> Vec<(AttachmentId, &'m str)> {
    let parts = messages.iter().flat_map(|message| message.parts.iter().flat_map(Parts::as_slice));
    let attachment = |part: &'m Part| match part {
        Part::File { media_type, url, .. } => {
            attachment_of("url", url).ok().flatten().map(|id| (id, media_type.as_str()))
        }
        _ => None,
    };
    parts.filter_map(attachment).collect()
}

/// The content of an attachment. `None`: it is too large to be in a message, or attachments are turned off.
async fn file(context: &Context<'_>, id: AttachmentId) -> Result<Option<Vec<u8>>, ApiError> {
    let stored = match context.scope.file(id).await {
        Err(Error::FilesDisabled) => None,
        found => found?,
    };
    let Some(stored) = stored else { return Ok(None) };
    let bytes = stored.attachment.byte_size;
    let size = usize::try_from(bytes).unwrap_or(usize::MAX);
    if size > MAX_MESSAGE_BYTES {
        return Ok(None);
    }
    // The file, and its Base64.
    context.budget.grow(size + size / 3 * 4).await?;
    let mut chunks = Box::pin(stored.read(0..bytes));
    let mut file = Vec::with_capacity(size);
    while let Some(chunk) = chunks.try_next().await? {
        file.extend_from_slice(&chunk);
    }
    Ok(Some(file))
}
