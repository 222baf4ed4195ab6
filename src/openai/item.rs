//! The items of a message.
//!
//! A message that was made of an item is that item. Any other is split: texts, files and sources that follow each other are
//! an item of the type `message`, reasoning is one, and each call of a tool and each result. An empty text ends an item: it
//! stands where an item was deleted, so that the ids of the others stay the same.

use std::ops::Range;

use super::content::KIND;
use super::draft::ItemDraft;
use super::file_urls::FileUrls;
use super::id::ItemId;
use super::item_type::{FUNCTION_CALL_OUTPUT, MESSAGE, OTHER, REASONING, named};
use super::json::{object, read, read_fields, text};
use super::{message_item, reasoning, tool};
use crate::model::{JsonObject, JsonValue, Message, MessageStatus, Part, Parts, Role};

/// An item of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its id.
    pub id: ItemId,
    /// Its fields, the id among them.
    pub value: JsonValue,
    /// The parts that it is made of.
    parts: Range<usize>,
}

impl Item {
    /// Whether the item is after the place of this id, in a message that has both.
    pub fn is_after(&self, other: &ItemId) -> bool {
        place(&self.id) > place(other)
    }

    /// The parts that are left of a message without this item. Empty if nothing is left.
    pub fn parts_without(&self, message: &Message) -> Vec<Part> {
        let mut parts = message.parts.clone().map_or_else(Vec::new, Parts::into_vec);
        for at in self.parts.clone() {
            let Some(part) = parts.get_mut(at) else { continue };
            let rest = tool::without(message.role, part, self.id.prefix());
            *part = rest.unwrap_or_else(|| Part::text(String::new()));
        }
        let is_empty = |part: &Part| matches!(part, Part::Text { text, .. } if text.is_empty());
        if parts.iter().all(is_empty) { Vec::new() } else { parts }
    }
}

/// The place of an item in its message: a result is after its call.
fn place(id: &ItemId) -> (usize, bool) {
    (id.part, id.prefix() == FUNCTION_CALL_OUTPUT.prefix)
}

/// The items of a message, in order. `text` is its content, and `urls` has the URLs of its attachments.
pub fn items_of(message: &Message, text: &str, urls: &FileUrls) -> Vec<Item> {
    let view = MessageView {
        role: message.role,
        status: message.status,
        other: read_fields(Some(&message.metadata)),
        text,
        parts: message.parts.as_ref().map(Parts::as_slice),
    };
    let item = |draft: ItemDraft| {
        let id = ItemId::new(draft.prefix, message.id, draft.parts.start);
        let mut fields = object([("id", id.to_string().into())]);
        fields.extend(draft.fields);
        fields.insert("id".to_owned(), id.to_string().into());
        Item { id, value: JsonValue::Object(fields), parts: draft.parts }
    };
    drafts(&view, urls).into_iter().map(item).collect()
}

/// What items are made of.
pub(super) struct MessageView<'m> {
    pub(super) role: Role,
    pub(super) status: MessageStatus,
    /// The fields of the item that are in the metadata.
    pub(super) other: JsonObject,
    pub(super) text: &'m str,
    pub(super) parts: Option<&'m [Part]>,
}

/// The items without ids.
pub(super) fn drafts(view: &MessageView<'_>, urls: &FileUrls) -> Vec<ItemDraft> {
    let only = [Part::text(view.text.to_owned())];
    let parts = view.parts.unwrap_or(if view.text.is_empty() { &[] } else { &only });
    let mut other = view.other.clone();
    let whole = match other.shift_remove("type") {
        Some(JsonValue::String(kind)) => Some(kind),
        _ => None,
    };
    match whole.as_deref() {
        Some("message") => return vec![message_draft(view, parts, 0..parts.len(), urls, other)],
        Some("reasoning") => {
            let fields = reasoning::of_parts(parts.iter(), other);
            return vec![ItemDraft { prefix: REASONING.prefix, fields, parts: 0..parts.len() }];
        }
        _ => {}
    }
    let mut items = Vec::new();
    let mut at = 0;
    while let Some(part) = parts.get(at) {
        let kind = group(part);
        let end = at + parts[at..].iter().take_while(|part| group(part) == kind).count();
        let run = match kind {
            Group::Message | Group::Reasoning => at..end,
            _ => at..at + 1,
        };
        match kind {
            Group::Message => items.push(message_draft(view, parts, run.clone(), urls, JsonObject::new())),
            Group::Reasoning => {
                let fields = reasoning::of_parts(parts[run.clone()].iter(), JsonObject::new());
                items.push(ItemDraft { prefix: REASONING.prefix, fields, parts: run.clone() });
            }
            Group::Tool => items.extend(tool::items(view.role, at, part)),
            Group::Raw => items.extend(raw(at, part)),
            Group::None => {}
        }
        at = run.end;
    }
    if items.is_empty() {
        items.push(message_draft(view, parts, 0..parts.len(), urls, JsonObject::new()));
    }
    items
}

/// Parts of which items are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Group {
    Message,
    Reasoning,
    Tool,
    Raw,
    None,
}

fn group(part: &Part) -> Group {
    match part {
        Part::Text { text, .. } if text.is_empty() => Group::None,
        Part::Text { .. } | Part::File { .. } | Part::Source(_) => Group::Message,
        Part::Reasoning { .. } => Group::Reasoning,
        Part::Tool { .. } => Group::Tool,
        Part::Custom { kind, .. } if kind.starts_with(KIND) => Group::Raw,
        Part::Custom { .. } | Part::Data { .. } => Group::None,
    }
}

fn message_draft(
    view: &MessageView<'_>,
    parts: &[Part],
    run: Range<usize>,
    urls: &FileUrls,
    other: JsonObject,
) -> ItemDraft {
    let fields = message_item::of_parts((view.role, view.status), parts[run.clone()].iter(), urls, other);
    ItemDraft { prefix: MESSAGE.prefix, fields, parts: run }
}

/// An item that was kept as a whole.
fn raw(at: usize, part: &Part) -> Option<ItemDraft> {
    let Part::Custom { data, .. } = part else { return None };
    let JsonValue::Object(fields) = read(data) else { return None };
    let prefix = text(&fields, "type").and_then(named).map_or(OTHER.prefix, |kind| kind.prefix);
    Some(ItemDraft::new(prefix, at, fields))
}
