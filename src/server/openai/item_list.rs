//! Lists of items in requests.

use std::collections::HashMap;

use uuid::Uuid;

use super::context::Context;
use super::error::ApiError;
use crate::model::{
    Conversation, Deleted, End, Invalid, JsonValue, MessageId, NewMessage, Page, Part, Parts, Range,
};
use crate::openai::{InputItem, ToolNames};

/// The argument that errors name.
const ITEMS: &str = "items";

/// The most items of a request.
const MAX_ITEMS: usize = 20;

/// The namespace of ids that follow from `Idempotency-Key`, made for this purpose.
const NAMESPACE: Uuid = Uuid::from_u128(0x8d0f_61c7_2f5e_4b1b_9d0a_5a4e_c1b2_7730);

/// The messages that are searched for the call that a result belongs to.
const SEARCHED: u32 = 100;

/// Checks the items of a request, of which there must be `least`.
pub(super) fn parse(value: JsonValue, least: usize) -> Result<Vec<InputItem>, Invalid> {
    let JsonValue::Array(items) = value else { return Err(Invalid::new(ITEMS, "must be a list")) };
    if !(least..=MAX_ITEMS).contains(&items.len()) {
        let rule = format!("must be {least} to {MAX_ITEMS}, are {}", items.len());
        return Err(Invalid::new(ITEMS, rule));
    }
    let parse = |(at, item)| InputItem::parse(&format!("{ITEMS}[{at}]"), item);
    items.into_iter().enumerate().map(parse).collect()
}

/// Makes the ids of what a request creates. With `Idempotency-Key`, those of a repeated request are the same.
pub(super) struct RequestIds<'c> {
    context: &'c Context<'c>,
    /// What the key is for.
    name: Option<Vec<u8>>,
}

impl<'c> RequestIds<'c> {
    /// For a request about this conversation, or about none.
    pub(super) fn new(context: &'c Context<'c>, conversation: &str) -> Self {
        let owner = context.scope.owner().as_str();
        let name = context.key.as_ref().map(|key| [owner, conversation, key].join("\0").into_bytes());
        Self { context, name }
    }

    /// The id of the conversation.
    pub(super) fn conversation(&self) -> Uuid {
        self.id("conversation")
    }

    fn message(&self, at: usize) -> MessageId {
        MessageId(self.id(&at.to_string()))
    }

    fn id(&self, part: &str) -> Uuid {
        match &self.name {
            None => self.context.shared.clock.new_id(),
            Some(name) => Uuid::new_v5(&NAMESPACE, &[name, part.as_bytes()].join(&0)),
        }
    }
}

/// The names of tools by the ids of their calls.
#[derive(Default)]
pub(super) struct Names(HashMap<String, String>);

impl ToolNames for Names {
    fn of_call(&self, call: &str) -> Option<String> {
        self.0.get(call).cloned()
    }
}

impl Names {
    /// Those of calls among the items.
    pub(super) fn of(items: &[InputItem]) -> Self {
        let calls = items.iter().filter_map(InputItem::call);
        Self(calls.map(|(id, name)| (id.to_owned(), name.to_owned())).collect())
    }

    /// Adds those of the newest messages of the conversation, if the items need one of them.
    pub(super) async fn with_conversation(
        mut self,
        context: &Context<'_>,
        conversation: &Conversation,
        items: &[InputItem],
    ) -> Result<Self, ApiError> {
        let needed = items.iter().filter_map(InputItem::needs_name_of);
        if needed.into_iter().all(|call| self.0.contains_key(call)) {
            return Ok(self);
        }
        let page = Page { end: End::Last, size: SEARCHED };
        let found = context.scope.path(conversation, None, Range::all(), page, Deleted::LeftOut).await?;
        for part in found.items.iter().flat_map(|message| message.parts.iter().flat_map(Parts::as_slice)) {
            if let Part::Tool { tool_call_id, tool_name, .. } = part {
                self.0.entry(tool_call_id.clone()).or_insert_with(|| tool_name.clone());
            }
        }
        Ok(self)
    }
}

/// The messages that store the items.
pub(super) fn store(
    context: &Context<'_>,
    ids: &RequestIds<'_>,
    items: Vec<InputItem>,
    names: &Names,
) -> Result<Vec<NewMessage>, Invalid> {
    let limits = context.shared.api.content_limits();
    let message = |(at, item): (usize, InputItem)| {
        let id = ids.message(at);
        item.store(&format!("{ITEMS}[{at}]"), id, names, limits).map(|new| new.into_message(id))
    };
    items.into_iter().enumerate().map(message).collect()
}
