//! Responses that are being sent, and which of them to end when others wait for their memory.
//!
//! A client that reads slowly keeps the reservation of its response for a long time. As long as there is
//! enough memory, that affects nobody. When an operation waits for memory, responses that have been sent for
//! longer than [`SENDING_TIME`] are ended, those of the owner with the most bytes first.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::model::OwnerId;

/// The time that a client always has to read a response.
const SENDING_TIME: Duration = Duration::from_secs(2);

/// Ends the sending of a response.
type EndResponse = Box<dyn FnOnce() + Send>;

/// The responses that are being sent, in the order in which sending has started.
#[derive(Default)]
pub(super) struct SendingResponses(Mutex<State>);

#[derive(Default)]
struct State {
    next: ResponseNumber,
    sending: BTreeMap<ResponseNumber, SendingResponse>,
    evicted: u64,
}

/// Numbers responses in the order in which sending has started.
pub(super) type ResponseNumber = u64;

struct SendingResponse {
    owner: OwnerId,
    bytes: usize,
    since: Instant,
    end: EndResponse,
}

impl SendingResponses {
    pub(super) fn add(&self, owner: &OwnerId, bytes: usize, end: EndResponse) -> ResponseNumber {
        let mut state = self.state();
        let number = state.next;
        state.next += 1;
        let response = SendingResponse { owner: owner.clone(), bytes, since: Instant::now(), end };
        state.sending.insert(number, response);
        number
    }

    pub(super) fn remove(&self, number: ResponseNumber) {
        self.state().sending.remove(&number);
    }

    /// Ends slow responses of this owner, or of all owners, until they have this many bytes together.
    pub(super) fn evict(&self, bytes: usize, of: Option<&OwnerId>) {
        let mut state = self.state();
        let evicted = state.slowest(bytes, of);
        state.evicted += evicted.len() as u64;
        drop(state);
        for response in evicted {
            tracing::debug!(bytes = response.bytes, "ended a response that was read too slowly");
            // Drops the reservation, which removes the response here.
            (response.end)();
        }
    }

    /// How many responses were ended.
    pub(super) fn evicted(&self) -> u64 {
        self.state().evicted
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes the responses to end.
    fn slowest(&mut self, bytes: usize, of: Option<&OwnerId>) -> Vec<SendingResponse> {
        let now = Instant::now();
        let mut held = HashMap::<_, usize>::new();
        for response in self.sending.values().filter(|response| of.is_none_or(|of| *of == response.owner)) {
            *held.entry(response.owner.clone()).or_default() += response.bytes;
        }
        let (mut evicted, mut sum) = (Vec::new(), 0);
        while sum < bytes {
            let Some(owner) = held.iter().max_by_key(|(_, bytes)| **bytes).map(|(owner, _)| owner.clone())
            else {
                break;
            };
            let is_slow = |response: &SendingResponse| now.duration_since(response.since) >= SENDING_TIME;
            let oldest = self.sending.iter().find(|(_, response)| response.owner == owner);
            match oldest.filter(|(_, response)| is_slow(response)).map(|(number, _)| *number) {
                Some(number) => {
                    let response = self.sending.remove(&number);
                    let freed = response.as_ref().map_or(0, |response| response.bytes);
                    held.entry(owner).and_modify(|bytes| *bytes -= freed);
                    sum += freed;
                    evicted.extend(response);
                }
                // This owner has only responses that have just started.
                None => drop(held.remove(&owner)),
            }
        }
        evicted
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn owner(name: &str) -> OwnerId {
        OwnerId::new(name).unwrap()
    }

    /// Adds a response of this owner with a name, which is in the list when it was ended.
    fn add(to: &SendingResponses, ended: &Arc<Mutex<Vec<&'static str>>>, name: &'static str, bytes: usize) {
        let ended = ended.clone();
        let owner = owner(&name[..3]);
        to.add(&owner, bytes, Box::new(move || ended.lock().unwrap().push(name)));
    }

    #[tokio::test(start_paused = true)]
    async fn slow_responses_of_the_owner_with_the_most_bytes_end_first() {
        let (responses, ended) = (SendingResponses::default(), Arc::default());
        for (name, bytes) in [("ada 1", 40), ("eve 1", 30), ("eve 2", 30), ("eve 3", 30), ("bob 1", 10)] {
            add(&responses, &ended, name, bytes);
        }
        responses.evict(1000, None);
        assert!(ended.lock().unwrap().is_empty(), "none has had enough time");
        tokio::time::advance(SENDING_TIME).await;
        add(&responses, &ended, "eve 4", 1000);
        let take = || std::mem::take(&mut *ended.lock().unwrap());
        responses.evict(31, None);
        assert_eq!(take(), ["eve 1", "eve 2"]);
        responses.evict(1, Some(&owner("bob")));
        assert_eq!(take(), ["bob 1"]);
        responses.evict(1000, None);
        assert_eq!(take(), ["eve 3", "ada 1"], "the last of eve has just started");
        assert_eq!(responses.evicted(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn sent_responses_are_not_ended() {
        let (responses, ended) = (SendingResponses::default(), Arc::<Mutex<Vec<&str>>>::default());
        let flag = ended.clone();
        let number = responses.add(&owner("ada"), 1, Box::new(move || flag.lock().unwrap().push("ended")));
        tokio::time::advance(SENDING_TIME).await;
        responses.remove(number);
        responses.evict(1, None);
        assert!(ended.lock().unwrap().is_empty());
    }
}
