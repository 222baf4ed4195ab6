//! Makes a parsed conversation one that can be stored: values that break a rule are cut, kept elsewhere or left out, and
//! each is reported.

mod message;
mod metadata;
mod target;

use super::format::Format;
use super::losses::Losses;
use super::parsed::{Dropped, ParsedConversation, title_of};
use super::rejection::Rejection;
use crate::model::{
    ConversationId, ExportedConversation, ExportedMessage, JsonObject, JsonValue, Label, MAX_LABELS,
    MAX_TITLE_BYTES, MessageId, Part, Parts, Role, Timestamp,
};
pub(super) use target::Target;
use target::{EARLIEST, uuid, without_nul};

/// The most characters of a label.
const MAX_LABEL_CHARACTERS: usize = 64;

/// A conversation that can be stored.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) origin: String,
    pub(super) conversation: ExportedConversation,
    /// In the order of their positions: parents before children, the active path first.
    pub(super) messages: Vec<ExportedMessage>,
    pub(super) losses: Losses,
}

impl Prepared {
    /// The approximate memory that it takes, in bytes.
    pub(super) fn bytes(&self) -> usize {
        let bytes = |message: &ExportedMessage| {
            let parts = message.parts.as_ref().map_or(0, Parts::bytes);
            size_of::<ExportedMessage>() + message.content.len() + parts + message.metadata.as_str().len()
        };
        self.messages.iter().map(bytes).sum()
    }

    /// The last message of the active path.
    pub(super) fn head(&self) -> Option<MessageId> {
        let at = usize::try_from(self.conversation.head_position - 1).ok()?;
        self.messages.get(at).map(|message| message.id)
    }
}

/// Checks a whole conversation before anything is written.
///
/// # Errors
/// It has no messages, or a message is larger than messages may be.
pub(super) fn prepare(
    target: &Target,
    format: Format,
    found: ParsedConversation,
) -> Result<Prepared, Rejection> {
    let (id, title) = (Some(found.origin.clone()), title_or_first_text(&found));
    conversation(target, format, found, title.clone()).map_err(|rejection| Rejection {
        id,
        title,
        ..rejection
    })
}

/// The title, or one made of what the user said first.
fn title_or_first_text(found: &ParsedConversation) -> Option<String> {
    let title = found.title.clone().filter(|title| !title.trim().is_empty());
    title.or_else(|| {
        let first = found.messages.iter().find(|message| message.role == Role::User && !message.hidden)?;
        first.parts.iter().find_map(|part| match part {
            Part::Text { text, .. } if !text.trim().is_empty() => Some(title_of(text)),
            _ => None,
        })
    })
}

fn conversation(
    target: &Target,
    format: Format,
    found: ParsedConversation,
    title: Option<String>,
) -> Result<Prepared, Rejection> {
    let mut losses = Losses::default();
    let mut dropped = found.dropped;
    let mut rest = found.metadata;
    let title = title.and_then(|title| self::title(title, &mut rest, &mut dropped));
    let labels = labels(found.labels, &mut dropped);
    let now = target.clock.now();
    let clamp = |time: Timestamp| (time >= EARLIEST).then(|| time.min(now));
    let times = found.messages.iter().filter_map(|message| message.created_at.and_then(clamp));
    let (earliest, latest) = (times.clone().min(), times.max());
    let created_at = found.created_at.and_then(clamp).or(earliest).unwrap_or(now);
    let updated_at = found.updated_at.and_then(clamp).or(latest).unwrap_or(created_at).max(created_at);
    let metadata =
        metadata::of_conversation(format, &found.origin, rest, target, (&mut losses, &mut dropped))?;

    let mut context = message::Context {
        target,
        format,
        conversation: &found.origin,
        created_at,
        now,
        losses: &mut losses,
        dropped: &mut dropped,
    };
    // Where each message is stored: a message without content leaves its place to the one before.
    let mut positions: Vec<i64> = Vec::with_capacity(found.messages.len());
    let mut messages: Vec<ExportedMessage> = Vec::with_capacity(found.messages.len());
    for (at, parsed) in found.messages.into_iter().enumerate() {
        let parent = parsed.parent.map_or(0, |parent| positions[parent]);
        let before = usize::try_from(parent - 1).ok().map(|at| messages[at].created_at);
        let position = i64::try_from(messages.len() + 1).unwrap_or(i64::MAX);
        match context.message(at, parsed, (position, parent), before)? {
            Some(message) => {
                messages.push(message);
                positions.push(position);
            }
            None => positions.push(parent),
        }
    }
    let count = i64::try_from(messages.len()).unwrap_or(i64::MAX);
    // A head that was left out leaves its place to the one before, too. Without any there is nothing to read.
    let head = positions.get(found.head).copied().filter(|head| *head > 0).unwrap_or(count);
    if messages.is_empty() {
        return Err(Rejection::from("`messages` must not be empty"));
    }
    losses.set_dropped(&dropped);
    let conversation = ExportedConversation {
        id: ConversationId(uuid(&target.owner, format, &found.origin)),
        title,
        metadata,
        created_at,
        updated_at,
        pinned_at: found.pinned.then_some(updated_at),
        archived_at: found.archived.then_some(updated_at),
        trashed_at: None,
        expires_at: None,
        labels,
        read_position: count,
        unarchive_on_message: true,
        head_position: head,
        messages: count,
        fingerprint: None,
    };
    Ok(Prepared { origin: found.origin, conversation, messages, losses })
}

/// A title of at most 1 KiB. A longer one is kept whole in the metadata.
fn title(title: String, rest: &mut JsonObject, dropped: &mut Dropped) -> Option<String> {
    let title = without_nul(title, "title", dropped);
    if title.len() <= MAX_TITLE_BYTES {
        return Some(title).filter(|title| !title.trim().is_empty());
    }
    let end = title.floor_char_boundary(MAX_TITLE_BYTES - '…'.len_utf8());
    let cut = format!("{}…", &title[..end]);
    rest.insert("title".to_owned(), JsonValue::from(title));
    Some(cut)
}

fn labels(found: Vec<String>, dropped: &mut Dropped) -> Vec<String> {
    let mut labels: Vec<Label> = Vec::new();
    for text in found {
        let visible = text.chars().map(|character| if character.is_control() { ' ' } else { character });
        let cut: String = visible.collect::<String>().trim().chars().take(MAX_LABEL_CHARACTERS).collect();
        let Ok(label) = Label::new("labels", cut.trim().to_owned()) else { continue };
        if labels.contains(&label) {
            continue;
        }
        if labels.len() == MAX_LABELS {
            dropped.add("label", "a conversation has at most 32 labels");
            continue;
        }
        labels.push(label);
    }
    labels.into_iter().map(|label| label.as_str().to_owned()).collect()
}

#[cfg(test)]
mod tests;
