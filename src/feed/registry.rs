//! The shared readers: one for each list and process.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::task::{AbortHandle, yield_now};
use tokio::time::{Instant, sleep, sleep_until};

use super::pace::Pace;
use super::source::{FeedSource, QUEUE_BYTES};
use crate::model::MAX_PAGE;
use crate::signals::{Listener, Notification, Signals};
use crate::store;

/// Limit of undelivered items of one subscriber. If it is exceeded, the subscription ends.
const QUEUE_ITEMS: usize = 256;
/// Delay before a reader retries after a database error.
const RETRY_DELAY: Duration = Duration::from_millis(250);

/// The number of readers that one poll statement checks.
const POLL_CHUNK: usize = 1000;

/// The number of subscribers that get items before the task yields. It bounds the delay for other tasks when
/// an item has thousands of subscribers.
const SUBSCRIBERS_PER_YIELD: usize = 32;

/// All shared readers of one type of list.
pub(super) struct ReaderRegistry<S: FeedSource> {
    signals: Signals,
    poll: Duration,
    readers: Mutex<RegistryState<S>>,
    /// Notified when a reader was added.
    reader_added: Notify,
}

struct RegistryState<S: FeedSource> {
    by_key: HashMap<S::Key, Arc<SharedReader<S>>>,
    /// Readers that were not polled yet. Changes may have been committed before they registered for signals.
    new: Vec<Arc<SharedReader<S>>>,
    /// Whether the polling task runs. It runs while there are readers.
    is_polled: bool,
}

/// A reader and its subscribers.
struct SharedReader<S: FeedSource> {
    source: S,
    state: Mutex<ReaderState<S::Item>>,
    task: OnceLock<AbortHandle>,
    /// Notified when the poll found unread items without a signal.
    woken: Notify,
}

struct ReaderState<T> {
    /// The position up to which all items were delivered.
    position: i64,
    /// Subscribers in the order in which they joined.
    subscribers: BTreeMap<u64, SubscriberQueue<T>>,
    next_number: u64,
}

/// The sending side of a subscriber's queue.
struct SubscriberQueue<T> {
    /// The position up to which the subscriber has all items.
    position: i64,
    queue: mpsc::Sender<T>,
    queued_bytes: Arc<AtomicUsize>,
    reason: Arc<OnceLock<EndReason>>,
}

/// The reason why a reader dropped a subscriber.
#[derive(Debug, Clone)]
pub(super) enum EndReason {
    /// The queue of the subscriber is full.
    Lagged,
    /// The list has ended.
    Ended,
    /// A read failed with an error that a retry does not solve.
    Failed(store::Error),
}

/// A subscription to a shared reader. Dropping it unsubscribes.
pub(super) struct ReaderSubscription<S: FeedSource> {
    registry: Arc<ReaderRegistry<S>>,
    reader: Arc<SharedReader<S>>,
    number: u64,
    queue: mpsc::Receiver<S::Item>,
    queued_bytes: Arc<AtomicUsize>,
    reason: Arc<OnceLock<EndReason>>,
}

impl<S: FeedSource> ReaderRegistry<S> {
    pub(super) fn new(signals: Signals, poll: Duration) -> Self {
        let readers = RegistryState { by_key: HashMap::new(), new: Vec::new(), is_polled: false };
        Self { signals, poll, readers: Mutex::new(readers), reader_added: Notify::new() }
    }

    /// Subscribes to the reader of `source` after `position`, and starts the reader if there is none. Returns the
    /// source if the reader is already at a later position: the subscriber must first read by itself.
    pub(super) fn join(self: &Arc<Self>, source: S, position: i64) -> Result<ReaderSubscription<S>, S> {
        let mut readers = self.readers();
        if let Some(reader) = readers.by_key.get(&source.key()) {
            // Checked and joined under one lock, because the reader could advance in between.
            let mut state = reader.state();
            if state.position > position {
                return Err(source);
            }
            return Ok(ReaderSubscription::new(self, reader, &mut state, position));
        }
        let listener = self.signals.listen(&source.topic());
        let key = source.key();
        let state = ReaderState { position, subscribers: BTreeMap::new(), next_number: 0 };
        let (state, task) = (Mutex::new(state), OnceLock::new());
        let reader = Arc::new(SharedReader { source, state, task, woken: Notify::new() });
        let subscription = ReaderSubscription::new(self, &reader, &mut reader.state(), position);
        let task = tokio::spawn(run_reader(self.clone(), reader.clone(), listener));
        let _ = reader.task.set(task.abort_handle());
        readers.new.push(reader.clone());
        readers.by_key.insert(key, reader);
        self.reader_added.notify_one();
        if !std::mem::replace(&mut readers.is_polled, true) {
            tokio::spawn(poll_readers(self.clone()));
        }
        Ok(subscription)
    }

    /// The number of readers.
    pub(super) fn count(&self) -> usize {
        self.readers().by_key.len()
    }

    /// The items that wait in the queues of subscribers: of all together, and of the one with the most.
    pub(super) fn backlog(&self) -> (usize, usize) {
        let readers: Vec<_> = self.readers().by_key.values().cloned().collect();
        let backlogs = readers.iter().map(|reader| reader.state().backlog());
        backlogs.fold((0, 0), |(all, most), (sum, max)| (all + sum, most.max(max)))
    }

    fn readers(&self) -> MutexGuard<'_, RegistryState<S>> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes a reader, so that no subscriber joins it.
    fn remove(readers: &mut RegistryState<S>, reader: &Arc<SharedReader<S>>) {
        let key = reader.source.key();
        if readers.by_key.get(&key).is_some_and(|current| Arc::ptr_eq(current, reader)) {
            readers.by_key.remove(&key);
        }
    }
}

impl<S: FeedSource> SharedReader<S> {
    fn state(&self) -> MutexGuard<'_, ReaderState<S::Item>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn deliver(&self, items: &[S::Item]) {
        let mut first = 0;
        loop {
            let next = self.state().deliver::<S>(items, first);
            let Some(next) = next else { return };
            first = next;
            yield_now().await;
        }
    }
}

impl<T: Clone> ReaderState<T> {
    fn add(&mut self, subscriber: SubscriberQueue<T>) -> u64 {
        let number = self.next_number;
        self.next_number += 1;
        self.subscribers.insert(number, subscriber);
        number
    }

    fn backlog(&self) -> (usize, usize) {
        let queued = self.subscribers.values().map(|subscriber| {
            let queue = &subscriber.queue;
            queue.max_capacity() - queue.capacity()
        });
        queued.fold((0, 0), |(all, most), queued| (all + queued, most.max(queued)))
    }

    /// Sends items to subscribers, beginning with the number `first`, and drops those whose queues are full. Returns
    /// the number of the next subscriber to serve, if some are left.
    fn deliver<S: FeedSource<Item = T>>(&mut self, items: &[T], first: u64) -> Option<u64> {
        // Subscribers that join from now on already have these items or read them by themselves.
        self.position = items.last().map_or(self.position, S::position);
        let (mut delivered, mut lagging, mut next) = (0, Vec::new(), None);
        for (number, subscriber) in self.subscribers.range_mut(first..) {
            if delivered == SUBSCRIBERS_PER_YIELD {
                next = Some(*number);
                break;
            }
            delivered += 1;
            let position = subscriber.position;
            let mut missing = items.iter().skip_while(|item| S::position(item) <= position);
            if !missing.all(|item| subscriber.try_send::<S>(item)) {
                let _ = subscriber.reason.set(EndReason::Lagged);
                lagging.push(*number);
            }
        }
        for number in lagging {
            self.subscribers.remove(&number);
        }
        next
    }
}

impl<T: Clone> SubscriberQueue<T> {
    /// Whether the item fit the queue.
    fn try_send<S: FeedSource<Item = T>>(&mut self, item: &T) -> bool {
        let byte_size = S::byte_size(item);
        let queued_bytes = self.queued_bytes.fetch_add(byte_size, Ordering::Relaxed);
        let fits = queued_bytes == 0 || queued_bytes + byte_size <= QUEUE_BYTES;
        let sent = fits && self.queue.try_send(item.clone()).is_ok();
        if sent {
            self.position = S::position(item);
        }
        sent
    }
}

/// Reads until no subscriber is left or the list ends. Most subscribers join at the end of the list, so it waits
/// before it reads.
async fn run_reader<S: FeedSource>(
    registry: Arc<ReaderRegistry<S>>,
    reader: Arc<SharedReader<S>>,
    mut listener: Listener,
) {
    let mut pace = Pace::new();
    let reason = loop {
        let notification = wait_for_signal(&reader, &mut listener).await;
        let late = pace.lateness(&notification);
        // Boxed to keep the task of a waiting reader small.
        if let Some(reason) = Box::pin(read_after(&reader, notification)).await {
            break reason;
        }
        pace.pause(late).await;
    };
    let mut readers = registry.readers();
    ReaderRegistry::remove(&mut readers, &reader);
    for subscriber in std::mem::take(&mut reader.state().subscribers).into_values() {
        let _ = subscriber.reason.set(reason.clone());
    }
}

/// Delivers what a notification has, or reads to the end of the list.
async fn read_after<S: FeedSource>(
    reader: &SharedReader<S>,
    notification: Notification,
) -> Option<EndReason> {
    if let Notification::Texts(texts, _) = notification {
        let position = reader.state().position;
        if let Some(items) = reader.source.committed(position, &texts) {
            reader.deliver(&items).await;
            return None;
        }
    }
    read_to_end(reader).await
}

/// Reads to the end of the list. Returns a reason if the list has ended or failed.
async fn read_to_end<S: FeedSource>(reader: &SharedReader<S>) -> Option<EndReason> {
    loop {
        let position = reader.state().position;
        match reader.source.read(position, MAX_PAGE).await {
            Ok(batch) => {
                reader.deliver(&batch.items).await;
                if batch.ended {
                    return Some(EndReason::Ended);
                }
                if !batch.has_more {
                    return None;
                }
            }
            Err(store::Error::Unavailable(error)) => {
                tracing::warn!(%error, "a reader cannot reach the database and retries");
                sleep(RETRY_DELAY).await;
            }
            Err(error) => return Some(EndReason::Failed(error)),
        }
    }
}

/// Waits for a signal, or for the poll to find unread items.
async fn wait_for_signal<S: FeedSource>(reader: &SharedReader<S>, listener: &mut Listener) -> Notification {
    tokio::select! {
        notification = listener.notified() => notification,
        () = reader.woken.notified() => Notification::Signal,
    }
}

/// Polls for unread items: of all readers at the poll interval, and of new readers at once. Ends when there
/// are no readers.
async fn poll_readers<S: FeedSource>(registry: Arc<ReaderRegistry<S>>) {
    let mut next = Instant::now() + registry.poll;
    loop {
        let is_time = tokio::select! {
            () = sleep_until(next) => true,
            () = registry.reader_added.notified() => false,
        };
        let (new, all): (Vec<_>, Vec<_>) = {
            let mut readers = registry.readers();
            let new = std::mem::take(&mut readers.new);
            readers.is_polled = !readers.by_key.is_empty();
            if !readers.is_polled {
                return;
            }
            (new, if is_time { readers.by_key.values().cloned().collect() } else { Vec::new() })
        };
        if is_time {
            next = Instant::now() + registry.poll;
        }
        let polled = notify_lagging(if is_time { &all } else { &new }).await;
        if let Err(error) = polled {
            tracing::warn!(%error, "cannot poll for unread items");
            sleep(RETRY_DELAY).await;
            registry.readers().new.extend(new);
            registry.reader_added.notify_one();
        }
    }
}

/// Wakes the readers that have unread items.
async fn notify_lagging<S: FeedSource>(readers: &[Arc<SharedReader<S>>]) -> store::Result<()> {
    for readers in readers.chunks(POLL_CHUNK) {
        let places: Vec<_> =
            readers.iter().map(|reader| (reader.source.key(), reader.state().position)).collect();
        let lagging = readers[0].source.find_unread(&places).await?;
        lagging.iter().filter_map(|at| readers.get(*at)).for_each(|it| it.woken.notify_one());
    }
    Ok(())
}

impl<S: FeedSource> ReaderSubscription<S> {
    fn new(
        registry: &Arc<ReaderRegistry<S>>,
        reader: &Arc<SharedReader<S>>,
        state: &mut ReaderState<S::Item>,
        position: i64,
    ) -> Self {
        let (queue, receiver) = mpsc::channel(QUEUE_ITEMS);
        let queued_bytes = Arc::new(AtomicUsize::new(0));
        let reason = Arc::new(OnceLock::new());
        let subscriber =
            SubscriberQueue { position, queue, queued_bytes: queued_bytes.clone(), reason: reason.clone() };
        let number = state.add(subscriber);
        Self {
            registry: registry.clone(),
            reader: reader.clone(),
            number,
            queue: receiver,
            queued_bytes,
            reason,
        }
    }

    /// The next item, or the reason why there is none.
    pub(super) async fn next(&mut self) -> Result<S::Item, EndReason> {
        match self.queue.recv().await {
            Some(item) => {
                self.queued_bytes.fetch_sub(S::byte_size(&item), Ordering::Relaxed);
                Ok(item)
            }
            None => Err(self.reason.get().cloned().unwrap_or(EndReason::Ended)),
        }
    }
}

impl<S: FeedSource> Drop for ReaderSubscription<S> {
    fn drop(&mut self) {
        let mut readers = self.registry.readers();
        let mut state = self.reader.state();
        state.subscribers.remove(&self.number);
        if state.subscribers.is_empty() {
            ReaderRegistry::remove(&mut readers, &self.reader);
            if let Some(task) = self.reader.task.get() {
                task.abort();
            }
        }
    }
}

#[cfg(test)]
mod tests;
