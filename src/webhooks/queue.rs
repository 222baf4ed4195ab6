//! The owners whose changes a webhook is about to deliver.
//!
//! An owner is in it once: ready, running, or waiting after a failure. So no owner is delivered by two tasks.

use std::collections::{BTreeMap, HashMap, VecDeque};

use tokio::time::Instant;

use crate::model::OwnerId;

/// The most owners that are ready or waiting. Others are found in the database later.
const OWNERS: usize = 10_000;

/// The owners of a webhook.
#[derive(Default)]
pub(super) struct OwnerQueue {
    states: HashMap<OwnerId, OwnerState>,
    ready: VecDeque<OwnerId>,
    /// By their time, and a number that makes it unique.
    waiting: BTreeMap<(Instant, u64), OwnerId>,
    last_number: u64,
}

#[derive(Clone, Copy)]
enum OwnerState {
    Ready,
    /// `is_changed`: something was added meanwhile.
    Running {
        is_changed: bool,
    },
    Waiting,
}

impl OwnerQueue {
    /// Adds an owner with changes. An owner who waits after a failure goes on waiting. Returns false if there is no room.
    pub(super) fn add(&mut self, owner: OwnerId) -> bool {
        let is_full = self.states.len() >= OWNERS;
        match self.states.get_mut(&owner) {
            Some(OwnerState::Running { is_changed }) => *is_changed = true,
            Some(OwnerState::Ready | OwnerState::Waiting) => {}
            None if is_full => return false,
            None => self.make_ready(owner),
        }
        true
    }

    /// Makes owners ready whose wait is over.
    pub(super) fn end_waits_until(&mut self, now: Instant) {
        while let Some(entry) = self.waiting.first_entry().filter(|entry| entry.key().0 <= now) {
            let owner = entry.remove();
            self.make_ready(owner);
        }
    }

    /// Takes an owner to run: the one that has been ready for longest.
    pub(super) fn start(&mut self) -> Option<OwnerId> {
        let owner = self.ready.pop_front()?;
        self.states.insert(owner.clone(), OwnerState::Running { is_changed: false });
        Some(owner)
    }

    /// Ends the run of an owner, who is ready again if there is more.
    pub(super) fn finish(&mut self, owner: OwnerId, has_more: bool) {
        match self.states.remove(&owner) {
            Some(OwnerState::Running { is_changed }) if is_changed || has_more => self.make_ready(owner),
            _ => {}
        }
    }

    /// Ends the run of an owner, who is ready again at a time. `None`: the owner is not tried again.
    pub(super) fn postpone(&mut self, owner: OwnerId, until: Option<Instant>) {
        self.states.remove(&owner);
        let Some(until) = until else { return };
        self.last_number += 1;
        let key = (until, self.last_number);
        self.states.insert(owner.clone(), OwnerState::Waiting);
        self.waiting.insert(key, owner);
    }

    /// Makes all owners ready that wait after a failure.
    pub(super) fn end_waits(&mut self) {
        for owner in std::mem::take(&mut self.waiting).into_values() {
            self.make_ready(owner);
        }
    }

    /// When an owner is ready next. `None`: one is, or there is none.
    pub(super) fn next_ready_at(&self) -> Option<Instant> {
        let first = self.waiting.first_key_value().filter(|_| self.ready.is_empty());
        first.map(|((at, _), _)| *at)
    }

    /// Whether an owner is ready now.
    pub(super) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// The number of owners.
    pub(super) fn len(&self) -> usize {
        self.states.len()
    }

    /// Whether there is room for this number of owners.
    pub(super) fn has_room(&self, owners: usize) -> bool {
        self.states.len() + owners <= OWNERS
    }

    fn make_ready(&mut self, owner: OwnerId) {
        self.states.insert(owner.clone(), OwnerState::Ready);
        self.ready.push_back(owner);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn owner(name: &str) -> OwnerId {
        OwnerId::new(name).unwrap()
    }

    #[test]
    fn an_owner_runs_once_at_a_time_and_again_if_something_was_added() {
        let mut queue = OwnerQueue::default();
        assert!(queue.add(owner("ada")) && queue.add(owner("bob")) && queue.add(owner("ada")));
        assert_eq!(queue.start(), Some(owner("ada")));
        queue.add(owner("ada"));
        assert_eq!((queue.start(), queue.start()), (Some(owner("bob")), None));
        queue.finish(owner("bob"), false);
        queue.finish(owner("ada"), false);
        assert_eq!((queue.start(), queue.start()), (Some(owner("ada")), None));
        queue.finish(owner("ada"), true);
        assert!(queue.has_ready());
        assert_eq!(queue.start(), Some(owner("ada")));
        queue.finish(owner("ada"), false);
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn an_owner_who_failed_waits_whatever_is_added() {
        let (mut queue, now) = (OwnerQueue::default(), Instant::now());
        let later = now + Duration::from_secs(5);
        queue.add(owner("ada"));
        queue.start();
        queue.add(owner("ada"));
        queue.postpone(owner("ada"), Some(later));
        queue.add(owner("ada"));
        queue.end_waits_until(now);
        assert_eq!((queue.start(), queue.next_ready_at()), (None, Some(later)));
        queue.end_waits_until(later);
        assert_eq!(queue.start(), Some(owner("ada")));
        queue.postpone(owner("ada"), Some(later));
        queue.end_waits();
        assert_eq!((queue.start(), queue.next_ready_at()), (Some(owner("ada")), None));
        queue.postpone(owner("ada"), None);
        queue.end_waits();
        assert_eq!((queue.len(), queue.start()), (0, None));
    }

    #[test]
    fn a_full_queue_refuses_others() {
        let mut queue = OwnerQueue::default();
        assert!((0..OWNERS).all(|number| queue.add(owner(&format!("user {number}")))));
        assert!(!queue.add(owner("ada")) && !queue.has_room(1));
        assert!(queue.add(owner("user 7")), "it is there");
        assert_eq!(queue.len(), OWNERS);
    }
}
