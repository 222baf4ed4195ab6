//! The text format of signals between replicas: `replica:key,key,…`, or `replica:*` for all topics.
//!
//! A replica ignores payloads with its own id.

use super::Signals;
use super::outbox::PendingSignals;
use super::topic::TopicKey;

/// Payloads of NOTIFY must have less than 8,000 bytes.
const MAX_PAYLOAD_BYTES: usize = 7_900;

/// Identifies a running server.
pub(super) type ReplicaId = u64;

/// The payloads for these signals.
pub(super) fn encode(replica: ReplicaId, signals: PendingSignals) -> Vec<String> {
    let head = format!("{replica:016x}:");
    let keys = match signals {
        PendingSignals::AllTopics => return vec![head + "*"],
        PendingSignals::Topics(keys) => keys,
    };
    let per_payload = (MAX_PAYLOAD_BYTES - head.len()) / 17;
    keys.chunks(per_payload)
        .map(|keys| {
            let keys: Vec<String> = keys.iter().map(|key| format!("{key:016x}")).collect();
            format!("{head}{}", keys.join(","))
        })
        .collect()
}

/// Wakes the listeners that a payload of another replica is for. A payload that cannot be parsed wakes all
/// listeners: it may come from a newer version.
pub(super) fn deliver(signals: &Signals, replica: ReplicaId, payload: &str) {
    let Some((sender, keys)) = payload.split_once(':') else { return signals.wake_all() };
    if ReplicaId::from_str_radix(sender, 16) == Ok(replica) {
        return signals.0.figures.came_back(payload);
    }
    signals.0.figures.count_received();
    let keys: Result<Vec<TopicKey>, _> =
        keys.split(',').map(|key| TopicKey::from_str_radix(key, 16)).collect();
    match keys {
        Ok(keys) => keys.into_iter().for_each(|key| signals.wake(key)),
        Err(_) => signals.wake_all(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::OwnerId;
    use crate::signals::Topic;

    fn woken(payloads: &[String], replica: ReplicaId) -> bool {
        let signals = Signals::default();
        let topic = Topic::Account(OwnerId::new("ada").unwrap());
        let mut listener = signals.listen(&topic);
        for payload in payloads {
            deliver(&signals, replica, payload);
        }
        futures_util::FutureExt::now_or_never(listener.notified()).is_some()
    }

    #[test]
    fn payloads_wake_other_replicas_only() {
        let key = Topic::Account(OwnerId::new("ada").unwrap()).key();
        let payloads = encode(1, PendingSignals::Topics(vec![key]));
        assert!(woken(&payloads, 2));
        assert!(!woken(&payloads, 1), "a replica ignores its own payloads");
        assert!(!woken(&encode(1, PendingSignals::Topics(vec![key ^ 1])), 2));
        assert!(woken(&encode(1, PendingSignals::AllTopics), 2));
        assert!(woken(&["something newer".into()], 2));
    }

    #[test]
    fn payloads_fit_the_notify_limit_and_hold_all_keys() {
        let payloads = encode(ReplicaId::MAX, PendingSignals::Topics((0..2000).collect()));
        assert!(payloads.len() > 1 && payloads.iter().all(|payload| payload.len() < 8000));
        assert_eq!(payloads.iter().map(|payload| payload.matches(',').count() + 1).sum::<usize>(), 2000);
    }
}
