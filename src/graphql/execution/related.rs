//! What the items of a list need besides themselves: texts of streaming messages, parents and siblings.
//!
//! Most of it is on the page, or was read with it ([`crate::model::MessagePage`]). The rest is loaded for all items at once.

use std::collections::HashMap;
use std::sync::Arc;

use super::loaders::{Loaders, MessagePosition};
use crate::model::{Message, MessageId, MessagesBeside, Siblings, Slice};
use crate::store::Result;

/// The most messages that are looked at to find what is missing. Lists in lists can have many more.
const MAX_VISITS: usize = 65_536;

/// The messages of a page, and those that belong to them.
pub(in crate::graphql) struct Related<'a> {
    /// In the order of their positions, if they are of one conversation.
    page: &'a [Message],
    beside: Option<&'a MessagesBeside>,
    texts: HashMap<MessageId, Arc<str>>,
    messages: HashMap<MessagePosition, Option<Arc<Message>>>,
    siblings: HashMap<MessagePosition, Arc<Slice<Message>>>,
    /// The length at which an output is too long to go on.
    limit: usize,
}

/// A text of an item.
pub(in crate::graphql) enum Text<'a> {
    /// It was read with the item.
    Read(&'a str),
    /// The text of a streaming message, which is stored elsewhere.
    Streaming(MessageId),
}

/// What must be loaded.
#[derive(Default)]
pub(in crate::graphql) struct Missing {
    texts: Vec<MessageId>,
    messages: Vec<MessagePosition>,
    siblings: Vec<MessagePosition>,
    visits: usize,
}

/// The siblings of a message, as far as they were read.
pub(in crate::graphql) enum ReadSiblings<'a> {
    /// It has no other.
    Itself,
    /// Their positions and ids.
    Ids(&'a [(i64, MessageId)]),
    Messages(&'a [Message]),
}

impl<'a> Related<'a> {
    /// A page, and what was read with it.
    pub(in crate::graphql) fn of(page: &'a [Message], beside: Option<&'a MessagesBeside>) -> Self {
        let (texts, messages, siblings) = (HashMap::new(), HashMap::new(), HashMap::new());
        Self { page, beside, texts, messages, siblings, limit: usize::MAX }
    }

    /// Limits the length of the output, which is checked within lists.
    pub(in crate::graphql) fn set_limit(&mut self, bytes: usize) {
        self.limit = bytes;
    }

    /// Whether an output is not too long.
    pub(in crate::graphql) fn fits(&self, out: &[u8]) -> bool {
        out.len() <= self.limit
    }

    /// A text. `None` if it must be loaded.
    pub(in crate::graphql) fn text<'b>(&'b self, text: &Text<'b>) -> Option<&'b str> {
        match text {
            Text::Read(text) => Some(text),
            Text::Streaming(id) => self.texts.get(id).map(AsRef::as_ref),
        }
    }

    /// The message at a position, `Some(None)` if it does not exist. `None` if it must be loaded.
    pub(in crate::graphql) fn message_at(&self, place: MessagePosition) -> Option<Option<&Message>> {
        let is_it = |message: &&Message| (message.conversation, message.position) == place;
        let on_page = self.page.binary_search_by_key(&place.1, |message| message.position).ok();
        let preceding = self.beside.and_then(|beside| beside.preceding.as_ref());
        let read = on_page.map(|at| &self.page[at]).or(preceding).filter(is_it);
        read.map(Some).or_else(|| Some(self.messages.get(&place)?.as_deref()))
    }

    /// The siblings of a message, oldest first. `None` if they must be loaded.
    pub(in crate::graphql) fn siblings(&self, message: &Message) -> Option<ReadSiblings<'_>> {
        match self.beside.map(|beside| &beside.siblings) {
            Some(Siblings::None) if self.is_on_page(message) => Some(ReadSiblings::Itself),
            Some(Siblings::Ids(ids)) if self.is_on_page(message) => {
                let ids = ids.get(&message.parent_position());
                Some(ids.map_or(ReadSiblings::Itself, |ids| ReadSiblings::Ids(ids)))
            }
            _ => {
                let found = self.siblings.get(&(message.conversation, message.parent_position()))?;
                Some(ReadSiblings::Messages(&found.items))
            }
        }
    }

    fn is_on_page(&self, message: &Message) -> bool {
        let found = self.page.binary_search_by_key(&message.position, |message| message.position);
        found.is_ok_and(|at| self.page[at].id == message.id)
    }

    /// Loads what is missing.
    ///
    /// # Errors
    /// The database cannot be read, or the memory for it is missing.
    pub(in crate::graphql) async fn load(&mut self, missing: Missing, loaders: &Loaders) -> Result<()> {
        let Missing { texts, messages, siblings, .. } = missing;
        self.texts.extend(loaders.texts(texts).await?);
        self.messages.extend(loaders.messages_at(messages).await?);
        self.siblings.extend(loaders.all_messages_following(siblings).await?);
        Ok(())
    }

    /// With the texts of these streaming messages.
    pub(in crate::graphql) fn with_texts(texts: HashMap<MessageId, Arc<str>>) -> Self {
        Self { texts, ..Self::of(&[], None) }
    }
}

impl Missing {
    /// Adds a text if it must be loaded.
    pub(in crate::graphql) fn add_text(&mut self, text: &Text<'_>, related: &Related<'_>) {
        if let Text::Streaming(id) = text
            && related.text(text).is_none()
        {
            self.texts.push(*id);
        }
    }

    /// Adds a message.
    pub(in crate::graphql) fn add_message(&mut self, place: MessagePosition) {
        self.messages.push(place);
    }

    /// Adds the siblings of a message.
    pub(in crate::graphql) fn add_siblings(&mut self, message: &Message) {
        self.siblings.push((message.conversation, message.parent_position()));
    }

    /// Counts a message that is looked at. Returns false if there were too many.
    pub(in crate::graphql) fn visit(&mut self) -> bool {
        self.visits += 1;
        self.visits <= MAX_VISITS
    }

    /// Whether there is something to load, and all of it was found.
    pub(in crate::graphql) fn can_be_loaded(&self) -> bool {
        let is_empty = self.texts.is_empty() && self.messages.is_empty() && self.siblings.is_empty();
        !is_empty && self.visits <= MAX_VISITS
    }

    /// The streaming messages whose texts are missing.
    pub(in crate::graphql) fn texts(&self) -> &[MessageId] {
        &self.texts
    }
}
