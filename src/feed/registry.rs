//! The shared readers: one for each followed object and process, shared by all subscribers.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::task::{AbortHandle, yield_now};
use tokio::time::{Instant, sleep, sleep_until};

use super::source::{FeedSource, QUEUE_BYTES};
use crate::model::MAX_PAGE;
use crate::signals::{Listener, Signals};
use crate::store;

/// What a subscriber may leave unread: past either its following ends.
const QUEUE_ITEMS: usize = 256;
/// How long a reader waits before it asks a database again that did not answer.
const RETRY_DELAY: Duration = Duration::from_millis(250);

/// RegistryState that one look is for.
const POLL_CHUNK: usize = 1000;

/// Followers that are delivered in one go. Others are let in between: what is for thousands holds up nobody for
/// longer than it takes to serve so many.
const SUBSCRIBERS_PER_YIELD: usize = 32;

/// All readers of one kind.
pub(super) struct ReaderRegistry<S: FeedSource> {
    signals: Signals,
    poll: Duration,
    readers: Mutex<RegistryState<S>>,
    /// Notified when there are new readers.
    reader_added: Notify,
}

struct RegistryState<S: FeedSource> {
    by_key: HashMap<S::Key, Arc<SharedReader<S>>>,
    /// RegistryState that were not polled yet: changes committed before they listened are for them too.
    new: Vec<Arc<SharedReader<S>>>,
    /// Whether a task looks after them: as long as there are any.
    is_polled: bool,
}

/// One reader and who follows it.
struct SharedReader<S: FeedSource> {
    source: S,
    state: Mutex<ReaderState<S::Item>>,
    task: OnceLock<AbortHandle>,
    /// Notified when the poll found changes although no signal came.
    woken: Notify,
}

struct ReaderState<T> {
    /// Everything up to here has been handed on.
    position: i64,
    /// In the order in which they came.
    subscribers: BTreeMap<u64, SubscriberQueue<T>>,
    next_number: u64,
}

/// A subscriber as its reader sees it.
struct SubscriberQueue<T> {
    /// It has everything up to here.
    position: i64,
    queue: mpsc::Sender<T>,
    queued_bytes: Arc<AtomicUsize>,
    reason: Arc<OnceLock<EndReason>>,
}

/// Why a reader let go of a subscriber.
#[derive(Debug, Clone)]
pub(super) enum EndReason {
    /// Its queue was full.
    Lagged,
    /// There will be nothing more.
    Ended,
    /// The store failed for good.
    Failed(store::Error),
}

/// A subscriber's position at its reader; it is given up when dropped.
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

    /// Joins the reader of `source`, starting one where there is none, for a subscriber that has
    /// everything up to `position`. Gives the source back when the reader is further: then the subscriber
    /// must read on by itself first.
    pub(super) fn join(self: &Arc<Self>, source: S, position: i64) -> Result<ReaderSubscription<S>, S> {
        let mut readers = self.readers();
        if let Some(reader) = readers.by_key.get(&source.key()) {
            // Looked at and joined under one lock: in between, the reader would go on.
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

    /// How many readers there are.
    pub(super) fn count(&self) -> usize {
        self.readers().by_key.len()
    }

    fn readers(&self) -> MutexGuard<'_, RegistryState<S>> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a reader out, so that nobody joins it any more.
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

    fn deliver(&self, items: &[S::Item], first: u64) -> Option<u64> {
        self.state().deliver::<S>(items, first)
    }
}

impl<T: Clone> ReaderState<T> {
    fn add(&mut self, subscriber: SubscriberQueue<T>) -> u64 {
        let number = self.next_number;
        self.next_number += 1;
        self.subscribers.insert(number, subscriber);
        number
    }

    /// Hands items to those who lack them, from a first subscriber on, and lets go of who has no room for them.
    /// Gives the first of those who are left to be delivered.
    fn deliver<S: FeedSource<Item = T>>(&mut self, items: &[T], first: u64) -> Option<u64> {
        // Who comes from now on has them, or reads them alone.
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
    /// Whether there was room for the item.
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

/// Reads for everyone until nobody follows any more or there is nothing left to follow. Most who begin to
/// follow are at the end, so it begins with queued_bytes.
async fn run_reader<S: FeedSource>(
    registry: Arc<ReaderRegistry<S>>,
    reader: Arc<SharedReader<S>>,
    mut listener: Listener,
) {
    let reason = loop {
        wait_for_signal(&reader, &mut listener).await;
        // In a box of its own, so that a reader that waits takes no room for what reading takes.
        if let Some(reason) = Box::pin(read_to_end(&reader)).await {
            break reason;
        }
    };
    let mut readers = registry.readers();
    ReaderRegistry::remove(&mut readers, &reader);
    for subscriber in std::mem::take(&mut reader.state().subscribers).into_values() {
        let _ = subscriber.reason.set(reason.clone());
    }
}

/// Reads to the end of what there is, and tells if there will be no more.
async fn read_to_end<S: FeedSource>(reader: &SharedReader<S>) -> Option<EndReason> {
    loop {
        let position = reader.state().position;
        match reader.source.read(position, MAX_PAGE).await {
            Ok(batch) => {
                let mut first = 0;
                while let Some(next) = reader.deliver(&batch.items, first) {
                    first = next;
                    yield_now().await;
                }
                if batch.ended {
                    return Some(EndReason::Ended);
                }
                if !batch.has_more {
                    return None;
                }
            }
            Err(store::Error::Unavailable(error)) => {
                tracing::warn!(%error, "a reader waits for the database");
                sleep(RETRY_DELAY).await;
            }
            Err(error) => return Some(EndReason::Failed(error)),
        }
    }
}

/// Until it is time to look: a signal came, or one was lost.
async fn wait_for_signal<S: FeedSource>(reader: &SharedReader<S>, listener: &mut Listener) {
    tokio::select! {
        () = listener.notified() => {}
        () = reader.woken.notified() => {}
    }
}

/// Looks whether readers have woken something: all of them every so often, and new ones at once, as many
/// together as there are. Ends when there are none.
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
            tracing::warn!(%error, "cannot look for what readers have woken");
            sleep(RETRY_DELAY).await;
            registry.readers().new.extend(new);
            registry.reader_added.notify_one();
        }
    }
}

/// Tells those that have woken something.
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

    /// The next item, or why there is none.
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
