//! Signals as text between replicas: `replica:key,key,…`, or `replica:*` for everything.
//!
//! The replica's number lets it leave out what it said itself.

use super::Signals;
use super::outbox::News;
use super::topic::Key;

/// PostgreSQL takes payloads of less than 8,000 bytes.
const MOST_BYTES: usize = 7_900;

/// Tells one running server from the others.
pub(super) type Replica = u64;

/// The payloads that tell `news`.
pub(super) fn encode(replica: Replica, news: News) -> Vec<String> {
    let head = format!("{replica:016x}:");
    let keys = match news {
        News::Everything => return vec![head + "*"],
        News::Topics(keys) => keys,
    };
    let per_payload = (MOST_BYTES - head.len()) / 17;
    keys.chunks(per_payload)
        .map(|keys| {
            let keys: Vec<String> = keys.iter().map(|key| format!("{key:016x}")).collect();
            format!("{head}{}", keys.join(","))
        })
        .collect()
}

/// Wakes whom a payload of another replica is for. What cannot be read wakes everybody: a newer
/// version may have said it.
pub(super) fn hear(signals: &Signals, replica: Replica, payload: &str) {
    let Some((speaker, keys)) = payload.split_once(':') else { return signals.deliver_all() };
    if Replica::from_str_radix(speaker, 16) == Ok(replica) {
        return;
    }
    let keys: Result<Vec<Key>, _> = keys.split(',').map(|key| Key::from_str_radix(key, 16)).collect();
    match keys {
        Ok(keys) => keys.into_iter().for_each(|key| signals.deliver(key)),
        Err(_) => signals.deliver_all(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::OwnerId;
    use crate::signals::Topic;

    fn woken(payloads: &[String], replica: Replica) -> bool {
        let signals = Signals::default();
        let topic = Topic::Account(OwnerId::new("ada").unwrap());
        let mut listener = signals.listen(&topic);
        for payload in payloads {
            hear(&signals, replica, payload);
        }
        futures_util::FutureExt::now_or_never(listener.signalled()).is_some()
    }

    #[test]
    fn what_one_replica_says_the_others_hear() {
        let key = Topic::Account(OwnerId::new("ada").unwrap()).key();
        let said = encode(1, News::Topics(vec![key]));
        assert!(woken(&said, 2));
        assert!(!woken(&said, 1), "a replica does not hear itself");
        assert!(!woken(&encode(1, News::Topics(vec![key ^ 1])), 2));
        assert!(woken(&encode(1, News::Everything), 2));
        assert!(woken(&["something newer".into()], 2));
    }

    #[test]
    fn payloads_are_short_enough_and_hold_everything() {
        let said = encode(Replica::MAX, News::Topics((0..2000).collect()));
        assert!(said.len() > 1 && said.iter().all(|payload| payload.len() < 8000));
        assert_eq!(said.iter().map(|payload| payload.matches(',').count() + 1).sum::<usize>(), 2000);
    }
}
