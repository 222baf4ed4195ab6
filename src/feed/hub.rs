//! The shared readers: one for each followed object and process, shared by all subscribers.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::task::{AbortHandle, yield_now};
use tokio::time::{Instant, sleep, sleep_until};

use super::source::{QUEUE_BYTES, Source};
use crate::model::MAX_PAGE;
use crate::signals::{Listener, Signals};
use crate::store;

/// What a follower may leave unread: past either its following ends.
const QUEUE_ITEMS: usize = 256;
/// How long a reader waits before it asks a database again that did not answer.
const PAUSE: Duration = Duration::from_millis(250);

/// Readers that one look is for.
const LOOK: usize = 1000;

/// Followers that are served in one go. Others are let in between: what is for thousands holds up nobody for
/// longer than it takes to serve so many.
const SERVED: usize = 32;

/// All readers of one kind.
pub(super) struct Hub<S: Source> {
    signals: Signals,
    poll: Duration,
    readers: Mutex<Readers<S>>,
    /// Notified when there are new readers.
    begun: Notify,
}

struct Readers<S: Source> {
    by_key: HashMap<S::Key, Arc<Reader<S>>>,
    /// Readers that were not polled yet: changes committed before they listened are for them too.
    new: Vec<Arc<Reader<S>>>,
    /// Whether a task looks after them: as long as there are any.
    looked_after: bool,
}

/// One reader and who follows it.
struct Reader<S: Source> {
    source: S,
    state: Mutex<State<S::Item>>,
    task: OnceLock<AbortHandle>,
    /// Notified when the poll found changes although no signal came.
    missed: Notify,
}

struct State<T> {
    /// Everything up to here has been handed on.
    place: i64,
    /// In the order in which they came.
    followers: BTreeMap<u64, Follower<T>>,
    next_follower: u64,
}

/// A follower as its reader sees it.
struct Follower<T> {
    /// It has everything up to here.
    place: i64,
    queue: mpsc::Sender<T>,
    waiting: Arc<AtomicUsize>,
    outcome: Arc<OnceLock<Outcome>>,
}

/// Why a reader let go of a follower.
#[derive(Debug, Clone)]
pub(super) enum Outcome {
    /// Its queue was full.
    Behind,
    /// There will be nothing more.
    Ended,
    /// The store failed for good.
    Failed(store::Error),
}

/// A follower's place at its reader; it is given up when dropped.
pub(super) struct Membership<S: Source> {
    hub: Arc<Hub<S>>,
    reader: Arc<Reader<S>>,
    number: u64,
    queue: mpsc::Receiver<S::Item>,
    waiting: Arc<AtomicUsize>,
    outcome: Arc<OnceLock<Outcome>>,
}

impl<S: Source> Hub<S> {
    pub(super) fn new(signals: Signals, poll: Duration) -> Self {
        let readers = Readers { by_key: HashMap::new(), new: Vec::new(), looked_after: false };
        Self { signals, poll, readers: Mutex::new(readers), begun: Notify::new() }
    }

    /// Joins the reader of `source`, starting one where there is none, for a follower that has
    /// everything up to `place`. Gives the source back when the reader is further: then the follower
    /// must read on by itself first.
    pub(super) fn join(self: &Arc<Self>, source: S, place: i64) -> Result<Membership<S>, S> {
        let mut readers = self.readers();
        if let Some(reader) = readers.by_key.get(&source.key()) {
            // Looked at and joined under one lock: in between, the reader would go on.
            let mut state = reader.state();
            if state.place > place {
                return Err(source);
            }
            return Ok(Membership::new(self, reader, &mut state, place));
        }
        let listener = self.signals.listen(&source.topic());
        let key = source.key();
        let state = State { place, followers: BTreeMap::new(), next_follower: 0 };
        let (state, task) = (Mutex::new(state), OnceLock::new());
        let reader = Arc::new(Reader { source, state, task, missed: Notify::new() });
        let membership = Membership::new(self, &reader, &mut reader.state(), place);
        let task = tokio::spawn(run(self.clone(), reader.clone(), listener));
        let _ = reader.task.set(task.abort_handle());
        readers.new.push(reader.clone());
        readers.by_key.insert(key, reader);
        self.begun.notify_one();
        if !std::mem::replace(&mut readers.looked_after, true) {
            tokio::spawn(look_after(self.clone()));
        }
        Ok(membership)
    }

    /// How many readers there are.
    pub(super) fn count(&self) -> usize {
        self.readers().by_key.len()
    }

    fn readers(&self) -> MutexGuard<'_, Readers<S>> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a reader out, so that nobody joins it any more.
    fn remove(readers: &mut Readers<S>, reader: &Arc<Reader<S>>) {
        let key = reader.source.key();
        if readers.by_key.get(&key).is_some_and(|current| Arc::ptr_eq(current, reader)) {
            readers.by_key.remove(&key);
        }
    }
}

impl<S: Source> Reader<S> {
    fn state(&self) -> MutexGuard<'_, State<S::Item>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hand_on(&self, items: &[S::Item], first: u64) -> Option<u64> {
        self.state().hand_on::<S>(items, first)
    }
}

impl<T: Clone> State<T> {
    fn add(&mut self, follower: Follower<T>) -> u64 {
        let number = self.next_follower;
        self.next_follower += 1;
        self.followers.insert(number, follower);
        number
    }

    /// Hands items to those who lack them, from a first follower on, and lets go of who has no room for them.
    /// Gives the first of those who are left to be served.
    fn hand_on<S: Source<Item = T>>(&mut self, items: &[T], first: u64) -> Option<u64> {
        // Who comes from now on has them, or reads them alone.
        self.place = items.last().map_or(self.place, S::place);
        let (mut served, mut behind, mut next) = (0, Vec::new(), None);
        for (number, follower) in self.followers.range_mut(first..) {
            if served == SERVED {
                next = Some(*number);
                break;
            }
            served += 1;
            let place = follower.place;
            let mut lacked = items.iter().skip_while(|item| S::place(item) <= place);
            if !lacked.all(|item| follower.take::<S>(item)) {
                let _ = follower.outcome.set(Outcome::Behind);
                behind.push(*number);
            }
        }
        for number in behind {
            self.followers.remove(&number);
        }
        next
    }
}

impl<T: Clone> Follower<T> {
    /// Whether there was room for the item.
    fn take<S: Source<Item = T>>(&mut self, item: &T) -> bool {
        let weight = S::weight(item);
        let waiting = self.waiting.fetch_add(weight, Ordering::Relaxed);
        let fits = waiting == 0 || waiting + weight <= QUEUE_BYTES;
        let taken = fits && self.queue.try_send(item.clone()).is_ok();
        if taken {
            self.place = S::place(item);
        }
        taken
    }
}

/// Reads for everyone until nobody follows any more or there is nothing left to follow. Most who begin to
/// follow are at the end, so it begins with waiting.
async fn run<S: Source>(hub: Arc<Hub<S>>, reader: Arc<Reader<S>>, mut listener: Listener) {
    let outcome = loop {
        wait(&reader, &mut listener).await;
        // In a box of its own, so that a reader that waits takes no room for what reading takes.
        if let Some(outcome) = Box::pin(read_on(&reader)).await {
            break outcome;
        }
    };
    let mut readers = hub.readers();
    Hub::remove(&mut readers, &reader);
    for follower in std::mem::take(&mut reader.state().followers).into_values() {
        let _ = follower.outcome.set(outcome.clone());
    }
}

/// Reads to the end of what there is, and tells if there will be no more.
async fn read_on<S: Source>(reader: &Reader<S>) -> Option<Outcome> {
    loop {
        let place = reader.state().place;
        match reader.source.read(place, MAX_PAGE).await {
            Ok(batch) => {
                let mut first = 0;
                while let Some(next) = reader.hand_on(&batch.items, first) {
                    first = next;
                    yield_now().await;
                }
                if batch.ended {
                    return Some(Outcome::Ended);
                }
                if !batch.more {
                    return None;
                }
            }
            Err(store::Error::Unavailable(error)) => {
                tracing::warn!(%error, "a reader waits for the database");
                sleep(PAUSE).await;
            }
            Err(error) => return Some(Outcome::Failed(error)),
        }
    }
}

/// Until it is time to look: a signal came, or one was lost.
async fn wait<S: Source>(reader: &Reader<S>, listener: &mut Listener) {
    tokio::select! {
        () = listener.signalled() => {}
        () = reader.missed.notified() => {}
    }
}

/// Looks whether readers have missed something: all of them every so often, and new ones at once, as many
/// together as there are. Ends when there are none.
async fn look_after<S: Source>(hub: Arc<Hub<S>>) {
    let mut next = Instant::now() + hub.poll;
    loop {
        let is_time = tokio::select! {
            () = sleep_until(next) => true,
            () = hub.begun.notified() => false,
        };
        let (new, all): (Vec<_>, Vec<_>) = {
            let mut readers = hub.readers();
            let new = std::mem::take(&mut readers.new);
            readers.looked_after = !readers.by_key.is_empty();
            if !readers.looked_after {
                return;
            }
            (new, if is_time { readers.by_key.values().cloned().collect() } else { Vec::new() })
        };
        if is_time {
            next = Instant::now() + hub.poll;
        }
        let looked = look(if is_time { &all } else { &new }).await;
        if let Err(error) = looked {
            tracing::warn!(%error, "cannot look for what readers have missed");
            sleep(PAUSE).await;
            hub.readers().new.extend(new);
            hub.begun.notify_one();
        }
    }
}

/// Tells those that have missed something.
async fn look<S: Source>(readers: &[Arc<Reader<S>>]) -> store::Result<()> {
    for readers in readers.chunks(LOOK) {
        let places: Vec<_> =
            readers.iter().map(|reader| (reader.source.key(), reader.state().place)).collect();
        let behind = readers[0].source.behind(&places).await?;
        behind.iter().filter_map(|at| readers.get(*at)).for_each(|it| it.missed.notify_one());
    }
    Ok(())
}

impl<S: Source> Membership<S> {
    fn new(hub: &Arc<Hub<S>>, reader: &Arc<Reader<S>>, state: &mut State<S::Item>, place: i64) -> Self {
        let (queue, receiver) = mpsc::channel(QUEUE_ITEMS);
        let waiting = Arc::new(AtomicUsize::new(0));
        let outcome = Arc::new(OnceLock::new());
        let follower = Follower { place, queue, waiting: waiting.clone(), outcome: outcome.clone() };
        let number = state.add(follower);
        Self { hub: hub.clone(), reader: reader.clone(), number, queue: receiver, waiting, outcome }
    }

    /// The next item, or why there is none.
    pub(super) async fn next(&mut self) -> Result<S::Item, Outcome> {
        match self.queue.recv().await {
            Some(item) => {
                self.waiting.fetch_sub(S::weight(&item), Ordering::Relaxed);
                Ok(item)
            }
            None => Err(self.outcome.get().cloned().unwrap_or(Outcome::Ended)),
        }
    }
}

impl<S: Source> Drop for Membership<S> {
    fn drop(&mut self) {
        let mut readers = self.hub.readers();
        let mut state = self.reader.state();
        state.followers.remove(&self.number);
        if state.followers.is_empty() {
            Hub::remove(&mut readers, &self.reader);
            if let Some(task) = self.reader.task.get() {
                task.abort();
            }
        }
    }
}

#[cfg(test)]
mod tests;
