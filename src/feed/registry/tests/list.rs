//! A list in memory that can be subscribed to.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::feed::Result;
use crate::feed::registry::ReaderRegistry;
use crate::feed::source::{Batch, FeedSource};
use crate::feed::subscriber::subscribe;
use crate::model::{CommittedText, MessageId, MessageStatus, OwnerId, TextChunk};
use crate::signals::{Signals, Topic};
use crate::store;

/// A list in memory whose items are their own places, with the reads it was asked for.
#[derive(Clone, Default)]
pub(super) struct List(pub(super) Arc<Inner>);

#[derive(Default)]
pub(super) struct Inner {
    pub(super) length: Mutex<i64>,
    pub(super) deleted: AtomicBool,
    pub(super) reads: AtomicUsize,
    pub(super) failures: AtomicUsize,
}

/// How many items one read takes.
const PAGE: u32 = 10;

const MESSAGE: MessageId = MessageId(uuid::Uuid::nil());

pub(super) fn topic() -> Topic {
    Topic::Message(MESSAGE)
}

impl FeedSource for List {
    type Key = OwnerId;
    type Item = i64;

    fn key(&self) -> OwnerId {
        OwnerId::new("ada").unwrap()
    }

    fn topic(&self) -> Topic {
        topic()
    }

    async fn read(&self, after: i64, limit: u32) -> store::Result<Batch<i64>> {
        self.0.reads.fetch_add(1, Ordering::Relaxed);
        tokio::task::yield_now().await;
        if self
            .0
            .failures
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
            .is_ok()
        {
            return Err(store::Error::Unavailable(sea_orm::DbErr::Custom("away".into())));
        }
        let length = *self.0.length.lock().unwrap();
        let items: Vec<i64> = (after + 1..=length).take(limit.min(PAGE) as usize).collect();
        let ended = items.is_empty() && self.0.deleted.load(Ordering::Relaxed);
        let has_more = items.last().is_some_and(|last| *last < length);
        tokio::task::yield_now().await;
        Ok(Batch { items, has_more, ended })
    }

    /// A code point of a text is an item.
    fn committed(&self, after: i64, texts: &[Arc<CommittedText>]) -> Option<Vec<i64>> {
        let mut end = after;
        for chunk in texts.iter().map(|text| &text.chunk).filter(|chunk| chunk.end() > after) {
            if chunk.offset != end {
                return None;
            }
            end = chunk.end();
        }
        Some((after + 1..=end).collect())
    }

    async fn find_unread(&self, all: &[(OwnerId, i64)]) -> store::Result<Vec<usize>> {
        let (length, deleted) = (*self.0.length.lock().unwrap(), self.0.deleted.load(Ordering::Relaxed));
        let behind = all.iter().enumerate().filter(|(_, (_, position))| deleted || length > *position);
        Ok(behind.map(|(at, _)| at).collect())
    }

    fn position(item: &i64) -> i64 {
        *item
    }

    fn byte_size(_: &i64) -> usize {
        8
    }
}

/// A list, its signals and its readers.
pub(super) struct Fixture {
    pub(super) list: List,
    pub(super) signals: Signals,
    pub(super) registry: Arc<ReaderRegistry<List>>,
}

impl Fixture {
    pub(super) fn new() -> Self {
        Self::polling(Duration::from_secs(3600))
    }

    pub(super) fn polling(every: Duration) -> Self {
        let signals = Signals::default();
        let registry = Arc::new(ReaderRegistry::new(signals.clone(), every));
        Self { list: List::default(), signals, registry }
    }

    pub(super) fn append(&self, count: i64) {
        *self.list.0.length.lock().unwrap() += count;
        self.signals.signal(&topic());
    }

    /// Appends items that the reader does not have to read.
    pub(super) fn append_text(&self, count: i64) {
        let mut length = self.list.0.length.lock().unwrap();
        let text = "x".repeat(count.try_into().unwrap());
        let chunk = TextChunk { offset: *length, text, status: MessageStatus::Streaming };
        *length += count;
        let owner = self.list.key();
        self.signals.signal_text(MESSAGE, || CommittedText { owner, message: MESSAGE, chunk });
    }

    /// Appends an item in another process, whose signal comes later.
    pub(super) fn append_elsewhere(&self) {
        *self.list.0.length.lock().unwrap() += 1;
    }

    pub(super) fn subscribe(
        &self,
        position: i64,
    ) -> impl futures_util::Stream<Item = Result<i64>> + Send + Unpin + use<> {
        Box::pin(subscribe(self.registry.clone(), self.list.clone(), position, false))
    }
}
