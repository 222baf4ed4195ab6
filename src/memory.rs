//! Memory that operations hold: the rows they read, what is made of them, and answers until they are sent
//! (below); before that, what they were asked with ([`Memory::take_in`]).
//!
//! Every operation has an [`Allowance`]. Of it, [`FREE`] bytes are its own: most operations take less, and
//! share nothing with any other. One that needs more reserves, once, as much as an operation may ever hold:
//! out of its owner's share first, then out of what there is for all, in the order of asking and for no
//! longer than `PATIENCE`. So however many large answers are asked for at once, those that are worked on
//! fit in memory and the others wait, those of one owner behind each other. Nobody holds a reservation
//! while waiting for one.
//!
//! What is taken is counted before it is held, or no more than a row later. Once an answer is written, what
//! is left of the reservation is the answer's bytes, until they are sent or given up ([`Held`]).

mod request;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::model::OwnerId;
pub use request::FREE as FREE_OF_REQUEST;

/// Bytes that an operation may hold without a reservation.
pub const FREE: usize = 512 * 1024;

/// How long an operation waits for a reservation.
const PATIENCE: Duration = Duration::from_secs(5);

/// What an operation may read, and make of it, in answers of the largest size.
const WORK: u32 = 3;

/// What it reserves: the answer itself comes to that.
pub const RESERVED: u32 = WORK + 1;

/// How much operations may hold, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// The largest answer.
    pub answer: u32,
    /// Together, those of one owner: at least [`RESERVED`] answers.
    pub owner: u32,
    /// All together: at least as much as of one owner.
    pub all: u32,
    /// The requests of one owner that are being answered.
    pub requests_of_owner: u32,
    /// All requests that are being answered.
    pub requests: u32,
}

/// Why an operation may not hold more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It has no reservation.
    #[error("more is held than is free")]
    Unreserved,
    /// Nobody may hold so much. The largest answer has so many bytes.
    #[error(
        "answering this takes more than {} bytes of memory, {WORK} times the largest answer: ask for less at once",
        u64::from(WORK) * u64::from(*.0)
    )]
    Work(u32),
    /// The answer has more than so many bytes.
    #[error("the answer has more than {0} bytes: ask for less at once")]
    Answer(u32),
    /// Others hold all there is.
    #[error("too many large answers are being prepared: try again")]
    Busy,
    /// Others hold all there is for requests.
    #[error("too many large requests are being answered: try again")]
    Crowded,
}

/// What there is. Clones share it.
#[derive(Clone)]
pub struct Memory(Arc<Inner>);

struct Inner {
    bounds: Bounds,
    all: Arc<Semaphore>,
    requests: Arc<Semaphore>,
    owners: Mutex<HashMap<OwnerId, Share>>,
}

/// What one owner may hold, kept as long as somebody holds or waits for some of it.
struct Share {
    answers: Arc<Semaphore>,
    requests: Arc<Semaphore>,
    seats: usize,
}

/// Keeps an owner's share.
struct Seat {
    memory: Memory,
    owner: OwnerId,
}

/// So many bytes of an owner's share and of all.
struct Reservation {
    own: OwnedSemaphorePermit,
    all: OwnedSemaphorePermit,
    _seat: Seat,
}

impl Memory {
    /// As much as the bounds say.
    pub fn new(bounds: Bounds) -> Self {
        let [all, requests] = [bounds.all, bounds.requests].map(semaphore);
        Self(Arc::new(Inner { bounds, all, requests, owners: Mutex::default() }))
    }

    /// The allowance of an operation.
    pub fn allow(&self, owner: &OwnerId) -> Allowance {
        Allowance(Some(Arc::new(State::new(FREE, Some((self.clone(), owner.clone()))))))
    }

    /// Bytes of the largest answer.
    pub fn largest_answer(&self) -> u32 {
        self.0.bounds.answer
    }

    /// Bytes that are reserved just now.
    pub fn reserved(&self) -> usize {
        (self.0.bounds.all as usize).saturating_sub(self.0.all.available_permits())
    }

    async fn reserve(&self, owner: &OwnerId) -> Result<Reservation, Refused> {
        let (seat, answers) = self.sit(owner, |share| &share.answers);
        let bytes = self.0.bounds.answer.saturating_mul(RESERVED);
        let both = async {
            let own = answers.acquire_many_owned(bytes).await.ok()?;
            let all = self.0.all.clone().acquire_many_owned(bytes).await.ok()?;
            Some(Reservation { own, all, _seat: seat })
        };
        timeout(PATIENCE, both).await.ok().flatten().ok_or(Refused::Busy)
    }

    fn sit(&self, owner: &OwnerId, of: impl Fn(&Share) -> &Arc<Semaphore>) -> (Seat, Arc<Semaphore>) {
        let Bounds { owner: answers, requests_of_owner: requests, .. } = self.0.bounds;
        let mut owners = self.owners();
        let share = owners.entry(owner.clone()).or_insert_with(|| Share {
            answers: semaphore(answers),
            requests: semaphore(requests),
            seats: 0,
        });
        share.seats += 1;
        (Seat { memory: self.clone(), owner: owner.clone() }, of(share).clone())
    }

    fn owners(&self) -> MutexGuard<'_, HashMap<OwnerId, Share>> {
        self.0.owners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn semaphore(bytes: u32) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(bytes as usize))
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut owners = self.memory.owners();
        if let Some(share) = owners.get_mut(&self.owner) {
            share.seats -= 1;
            if share.seats == 0 {
                owners.remove(&self.owner);
            }
        }
    }
}

impl Reservation {
    /// Lets go of all but so many bytes.
    fn shrink(mut self, bytes: usize) -> Self {
        if let (Some(own), Some(all)) = (self.own.split(bytes), self.all.split(bytes)) {
            (self.own, self.all) = (own, all);
        }
        self
    }
}

/// What one operation may hold. Clones count together. The default is without any bound, for what the
/// server does by itself.
#[derive(Clone, Default)]
pub struct Allowance(Option<Arc<State>>);

struct State {
    /// What may be held without a reservation, and where that comes from.
    free: usize,
    from: Option<(Memory, OwnerId)>,
    taken: AtomicUsize,
    reserved: AtomicBool,
    reservation: tokio::sync::Mutex<Option<Reservation>>,
}

impl State {
    fn new(free: usize, from: Option<(Memory, OwnerId)>) -> Self {
        let (taken, reserved) = (AtomicUsize::new(0), AtomicBool::new(false));
        Self { free, from, taken, reserved, reservation: tokio::sync::Mutex::new(None) }
    }

    /// Bytes of the largest answer, where it has a reservation.
    fn reserved_for(&self) -> Option<u32> {
        let (memory, _) = self.from.as_ref()?;
        self.reserved.load(Ordering::Relaxed).then(|| memory.largest_answer())
    }

    fn most(&self) -> usize {
        self.reserved_for().map_or(self.free, |answer| answer.saturating_mul(WORK) as usize)
    }
}

impl Allowance {
    /// So many bytes, and no reservation.
    pub fn up_to(bytes: usize) -> Self {
        Self(Some(Arc::new(State::new(bytes, None))))
    }

    /// Whether it has a reservation, or needs none.
    pub fn is_reserved(&self) -> bool {
        self.0.as_ref().is_none_or(|state| state.reserved.load(Ordering::Relaxed))
    }

    /// Whether it has taken a reservation: what is read for it may be large.
    pub fn is_large(&self) -> bool {
        self.0.is_some() && self.is_reserved()
    }

    /// Bytes that may still be taken as it is.
    pub fn left(&self) -> usize {
        let left = |state: &Arc<State>| state.most().saturating_sub(state.taken.load(Ordering::Relaxed));
        self.0.as_ref().map_or(usize::MAX, left)
    }

    /// Takes some bytes.
    ///
    /// # Errors
    /// `Unreserved`: there is no reservation, and it needs one. `Work`: no operation may hold so much.
    /// Nothing is taken then.
    pub fn take(&self, bytes: usize) -> Result<(), Refused> {
        let Some(state) = &self.0 else { return Ok(()) };
        let before = state.taken.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) <= state.most() {
            return Ok(());
        }
        state.taken.fetch_sub(bytes, Ordering::Relaxed);
        Err(self.refusal())
    }

    /// Why it may not take more than is left.
    pub fn refusal(&self) -> Refused {
        let reserved_for = self.0.as_ref().and_then(|state| state.reserved_for());
        reserved_for.map_or(Refused::Unreserved, Refused::Work)
    }

    /// Gives back what was taken.
    pub fn give_back(&self, bytes: usize) {
        if let Some(state) = &self.0 {
            // A read that was given up may end when its operation has settled already.
            let less = |taken: usize| Some(taken.saturating_sub(bytes));
            let _ = state.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        }
    }

    /// Takes some bytes, and waits for a reservation where it needs one.
    ///
    /// # Errors
    /// `Work`: no operation may hold so much. `Busy`: there was no reservation in time.
    pub async fn hold(&self, bytes: usize) -> Result<(), Refused> {
        match self.take(bytes) {
            Err(Refused::Unreserved) => {
                self.reserve().await?;
                self.take(bytes)
            }
            taken => taken,
        }
    }

    /// Waits for a reservation, unless it has one.
    ///
    /// # Errors
    /// `Busy`: there was none in time. `Unreserved`: there is none to be had.
    pub async fn reserve(&self) -> Result<(), Refused> {
        let Some(state) = &self.0 else { return Ok(()) };
        let (memory, owner) = state.from.as_ref().ok_or(Refused::Unreserved)?;
        // Fields that are worked on at the same time wait for one and the same.
        let mut reservation = state.reservation.lock().await;
        if reservation.is_none() {
            *reservation = Some(memory.reserve(owner).await?);
            state.reserved.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// All that is left of what was taken is an answer of so many bytes. What comes next, if anything does,
    /// begins anew.
    ///
    /// # Errors
    /// `Busy`: it needs a reservation, and there was none in time.
    pub async fn settle(&self, bytes: usize) -> Result<Held, Refused> {
        let Some(state) = &self.0 else { return Ok(Held(None)) };
        if bytes > FREE {
            self.reserve().await?;
        }
        let reservation = if self.is_reserved() { state.reservation.lock().await.take() } else { None };
        state.reserved.store(false, Ordering::Relaxed);
        state.taken.store(0, Ordering::Relaxed);
        Ok(Held(reservation.filter(|_| bytes > FREE).map(|reservation| reservation.shrink(bytes))))
    }
}

/// Bytes of an answer or of a request, held until this is dropped. Small ones are not counted.
#[derive(Default)]
pub struct Held(Option<Reservation>);

impl Held {
    /// Whether it is counted.
    pub fn is_counted(&self) -> bool {
        self.0.is_some()
    }
}

#[cfg(test)]
mod tests;
