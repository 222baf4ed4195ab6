//! The writers of the fields of a message.

use super::{MessageStatus, Role};
use crate::graphql::execution::json_writer::{
    write_display, write_enum, write_id, write_json, write_list, write_option, write_string, write_time,
};
use crate::graphql::execution::related::{Missing, ReadSiblings, Related, Text};
use crate::graphql::execution::selection_plan::{FieldPlan, FieldWriter, ObjectWriter, SelectionPlan};
use crate::graphql::schema::part::writers::PartsPlan;
use crate::graphql::schema::usage::TOKEN_USAGE;
use crate::model::{Message, MessageId, MessageStatus as Status, TokenUsage};

/// The fields that need only the message, and those that are related to it.
pub(in crate::graphql) const MESSAGE: ObjectWriter<Message> = ObjectWriter {
    name: "Message",
    belongs_to: &["Node"],
    field: |name| {
        Some(match name {
            "content" => FieldWriter::Text(text_of),
            "parts" => FieldWriter::Object(|selection, fragments| {
                Some(Box::new(MessageParts(PartsPlan::of(selection, fragments)?)))
            }),
            "usage" => FieldWriter::Object(|selection, fragments| {
                Some(Box::new(Usage(SelectionPlan::of(&TOKEN_USAGE, selection, fragments)?)))
            }),
            "parent" => FieldWriter::Object(|selection, fragments| {
                Some(Box::new(Parent(SelectionPlan::of(&MESSAGE, selection, fragments)?)))
            }),
            "siblings" => FieldWriter::Object(|selection, fragments| {
                let messages = SelectionPlan::of(&MESSAGE, selection, fragments)?;
                Some(Box::new(Siblings { messages, ids: SelectionPlan::of(&SIBLING, selection, fragments) }))
            }),
            name => FieldWriter::Leaf(leaf(name)?),
        })
    },
};

fn leaf(name: &str) -> Option<fn(&mut Vec<u8>, &Message) -> bool> {
    Some(match name {
        "id" => |out, message| write_id(out, message.id.0),
        "position" => |out, message| write_display(out, &message.position),
        "role" => |out, message| write_enum(out, Role::from(message.role)),
        "status" => |out, message| write_enum(out, MessageStatus::from(message.status)),
        "model" => |out, message| write_option(out, message.model.as_deref(), write_string),
        "pinned" => |out, message| write_display(out, &message.pinned),
        "metadata" => |out, message| write_json(out, &message.metadata),
        "createdAt" => |out, message| write_time(out, message.created_at),
        "editedAt" => |out, message| write_option(out, message.edited_at, write_time),
        "deletedAt" => |out, message| write_option(out, message.deleted_at, write_time),
        _ => return None,
    })
}

fn text_of(message: &Message) -> Text<'_> {
    match message.status {
        Status::Streaming => Text::Streaming(message.id),
        _ => Text::Read(&message.content),
    }
}

/// `parts`: those of the message, or one with its text.
struct MessageParts(PartsPlan);

impl FieldPlan<Message> for MessageParts {
    fn write(&self, out: &mut Vec<u8>, message: &Message, related: &Related<'_>) -> bool {
        match &message.parts {
            Some(parts) => self.0.write(out, parts.as_slice(), related),
            None => related.text(&text_of(message)).is_some_and(|text| self.0.write_text(out, text, related)),
        }
    }

    fn find_missing(&self, message: &Message, related: &Related<'_>, missing: &mut Missing) {
        if message.parts.is_none() {
            missing.add_text(&text_of(message), related);
        }
    }

    fn has_related_messages(&self) -> bool {
        false
    }
}

/// `usage`.
struct Usage(SelectionPlan<TokenUsage>);

impl FieldPlan<Message> for Usage {
    fn write(&self, out: &mut Vec<u8>, message: &Message, related: &Related<'_>) -> bool {
        write_option(out, message.usage.as_ref(), |out, usage| self.0.write(out, usage, related))
    }

    fn find_missing(&self, _: &Message, _: &Related<'_>, _: &mut Missing) {}

    fn has_related_messages(&self) -> bool {
        false
    }
}

/// `parent`.
struct Parent(SelectionPlan<Message>);

impl FieldPlan<Message> for Parent {
    fn write(&self, out: &mut Vec<u8>, message: &Message, related: &Related<'_>) -> bool {
        let parent = match message.parent {
            Some(position) => related.message_at((message.conversation, position)),
            None => Some(None),
        };
        parent
            .is_some_and(|parent| write_option(out, parent, |out, parent| self.0.write(out, parent, related)))
    }

    fn find_missing(&self, message: &Message, related: &Related<'_>, missing: &mut Missing) {
        let Some(position) = message.parent else { return };
        let place = (message.conversation, position);
        match related.message_at(place) {
            Some(Some(parent)) => self.0.find_missing(parent, related, missing),
            Some(None) => {}
            None => missing.add_message(place),
        }
    }

    fn has_related_messages(&self) -> bool {
        true
    }
}

/// `siblings`.
struct Siblings {
    messages: SelectionPlan<Message>,
    /// If nothing but what [`SIBLING`] has is selected.
    ids: Option<SelectionPlan<(i64, MessageId)>>,
}

/// The fields of a sibling of which only the position and the id were read.
const SIBLING: ObjectWriter<(i64, MessageId)> = ObjectWriter {
    name: MESSAGE.name,
    belongs_to: MESSAGE.belongs_to,
    field: |name| {
        Some(FieldWriter::Leaf(match name {
            "id" => |out, (_, id)| write_id(out, id.0),
            "position" => |out, (position, _)| write_display(out, position),
            _ => return None,
        }))
    },
};

impl FieldPlan<Message> for Siblings {
    fn write(&self, out: &mut Vec<u8>, message: &Message, related: &Related<'_>) -> bool {
        let write = |out: &mut Vec<u8>, sibling: &Message| {
            related.fits(out) && self.messages.write(out, sibling, related)
        };
        match (related.siblings(message), &self.ids) {
            (None, _) => false,
            (Some(ReadSiblings::Itself), _) => write_list(out, [message], write),
            (Some(ReadSiblings::Messages(messages)), _) => write_list(out, messages, write),
            (Some(ReadSiblings::Ids(ids)), Some(plan)) => {
                write_list(out, ids, |out, sibling| related.fits(out) && plan.write(out, sibling, related))
            }
            (Some(ReadSiblings::Ids(ids)), None) => write_list(out, ids, |out, (position, _)| {
                let sibling = related.message_at((message.conversation, *position));
                sibling.flatten().is_some_and(|sibling| write(out, sibling))
            }),
        }
    }

    fn find_missing(&self, message: &Message, related: &Related<'_>, missing: &mut Missing) {
        if !missing.visit() {
            return;
        }
        match related.siblings(message) {
            None => missing.add_siblings(message),
            Some(ReadSiblings::Itself) => self.messages.find_missing(message, related, missing),
            Some(ReadSiblings::Messages(messages)) => {
                messages.iter().for_each(|sibling| self.messages.find_missing(sibling, related, missing));
            }
            Some(ReadSiblings::Ids(_)) if self.ids.is_some() => {}
            Some(ReadSiblings::Ids(ids)) => {
                for place in ids.iter().map(|(position, _)| (message.conversation, *position)) {
                    match related.message_at(place) {
                        Some(Some(sibling)) => self.messages.find_missing(sibling, related, missing),
                        // It was deleted since. The list is read anew.
                        Some(None) => {}
                        None => missing.add_message(place),
                    }
                }
            }
        }
    }

    fn has_related_messages(&self) -> bool {
        true
    }
}
