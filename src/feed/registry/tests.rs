//! Subscribers against a model: a list, and every subscriber gets exactly a slice of it.

mod list;

use std::sync::atomic::AtomicI64;

use futures_util::StreamExt;
use proptest::prelude::*;

use super::*;
use crate::feed::{Error, Result};
use list::{Fixture, topic};

async fn take(
    stream: &mut (impl futures_util::Stream<Item = Result<i64>> + Unpin),
    count: usize,
) -> Vec<i64> {
    stream.take(count).map(|item| item.unwrap()).collect().await
}

/// A step of the history that is played.
#[derive(Debug, Clone)]
enum Step {
    Append(i64),
    AppendText(i64),
    AppendElsewhere,
    Join(i64),
    Take(usize, usize),
    Leave(usize),
    Yield(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (1..25i64).prop_map(Step::Append),
        (1..25i64).prop_map(Step::AppendText),
        Just(Step::AppendElsewhere),
        (0..40i64).prop_map(Step::Join),
        (0..8usize, 1..12usize).prop_map(|(subscriber, count)| Step::Take(subscriber, count)),
        (0..8usize).prop_map(Step::Leave),
        (1..20usize).prop_map(Step::Yield),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_subscriber_gets_exactly_its_slice(steps in prop::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let fixture = Fixture::new();
            let mut length = 0;
            let mut subscribers = Vec::new();
            for step in steps {
                match step {
                    Step::Append(count) => {
                        length += count;
                        fixture.append(count);
                    }
                    Step::AppendText(count) => {
                        length += count;
                        fixture.append_text(count);
                    }
                    Step::AppendElsewhere => {
                        length += 1;
                        fixture.append_elsewhere();
                    }
                    Step::Join(position) => {
                        let position = position.min(length);
                        subscribers.push((position, fixture.subscribe(position)));
                    }
                    Step::Take(subscriber, count) if subscriber < subscribers.len() => {
                        let (position, stream) = &mut subscribers[subscriber];
                        let count = count.min(usize::try_from(length - *position).unwrap());
                        fixture.signals.signal(&topic());
                        let got = take(stream, count).await;
                        let expected: Vec<i64> = (*position + 1..=*position + i64::try_from(count).unwrap()).collect();
                        assert_eq!(got, expected);
                        *position += i64::try_from(count).unwrap();
                    }
                    Step::Leave(subscriber) if subscriber < subscribers.len() => {
                        drop(subscribers.remove(subscriber));
                    }
                    Step::Yield(times) => {
                        for _ in 0..times {
                            tokio::task::yield_now().await;
                        }
                    }
                    Step::Take(..) | Step::Leave(_) => {}
                }
            }
            fixture.signals.signal(&topic());
            for (position, mut stream) in subscribers {
                let rest = take(&mut stream, usize::try_from(length - position).unwrap()).await;
                assert_eq!(rest, (position + 1..=length).collect::<Vec<_>>());
            }
            assert!(fixture.registry.readers().by_key.is_empty(), "nobody follows, nothing reads");
        });
    }
}

#[tokio::test]
async fn subscribers_share_one_reader() {
    let fixture = Fixture::new();
    let mut subscribers: Vec<_> = (0..50).map(|_| fixture.subscribe(0)).collect();
    fixture.append(1);
    for subscriber in &mut subscribers {
        assert_eq!(take(subscriber, 1).await, [1]);
    }
    let mut polled: Vec<_> = subscribers
        .into_iter()
        .map(|mut subscriber| tokio::spawn(async move { take(&mut subscriber, 1).await }))
        .collect();
    // All of them wait at the reader before the next item comes.
    while fixture
        .registry
        .readers()
        .by_key
        .values()
        .next()
        .is_none_or(|reader| reader.state().subscribers.len() < 50)
    {
        tokio::task::yield_now().await;
    }
    let before = fixture.list.0.reads.load(Ordering::Relaxed);
    fixture.append(1);
    for subscriber in &mut polled {
        assert_eq!(subscriber.await.unwrap(), [2]);
    }
    let reads = fixture.list.0.reads.load(Ordering::Relaxed) - before;
    assert!(reads <= 2, "one reader read for all: {reads}");
}

#[tokio::test]
async fn handed_texts_are_not_read() {
    let fixture = Fixture::new();
    let mut subscriber = fixture.subscribe(0);
    fixture.append(1);
    assert_eq!(take(&mut subscriber, 1).await, [1]);
    // It joins the reader, which looks once because it is new.
    fixture.append(1);
    assert_eq!(take(&mut subscriber, 1).await, [2]);
    let reads = || fixture.list.0.reads.load(Ordering::Relaxed);
    let before = reads();
    for position in (3..30).step_by(3) {
        fixture.append_text(1);
        fixture.append_text(2);
        assert_eq!(take(&mut subscriber, 3).await, [position, position + 1, position + 2]);
    }
    assert!(reads() <= before + 1, "{} reads", reads() - before);
    // What another process has written before is not known here.
    fixture.append_elsewhere();
    fixture.append_text(1);
    assert_eq!(take(&mut subscriber, 2).await, [30, 31]);
    assert!(reads() > before);
}

#[tokio::test]
async fn delivery_to_many_subscribers_yields_to_other_tasks() {
    const COUNT: usize = 10 * SUBSCRIBERS_PER_YIELD;
    let fixture = Fixture::new();
    let mut subscribers: Vec<_> = (0..COUNT).map(|_| fixture.subscribe(0)).collect();
    let mut polled: Vec<_> =
        subscribers.iter_mut().map(|subscriber| take(subscriber, 3)).map(Box::pin).collect();
    while fixture.registry.readers().by_key.values().all(|reader| reader.state().subscribers.len() < COUNT) {
        for subscriber in &mut polled {
            assert!(futures_util::poll!(subscriber).is_pending());
        }
        tokio::task::yield_now().await;
    }
    fixture.append(3);
    // Those who are served first are not held up by those who come last.
    let mut received = Vec::new();
    while !received.contains(&true) {
        tokio::task::yield_now().await;
        received.clear();
        for subscriber in &mut polled {
            received.push(futures_util::poll!(subscriber).is_ready());
        }
    }
    assert!(received.contains(&false), "everyone was served in one go");
    for (subscriber, received) in polled.into_iter().zip(received) {
        if !received {
            assert_eq!(subscriber.await, [1, 2, 3]);
        }
    }
}

#[tokio::test]
async fn a_slow_subscriber_is_dropped_with_its_position_and_others_are_unaffected() {
    let fixture = Fixture::new();
    let mut slow = fixture.subscribe(0);
    let mut quick = fixture.subscribe(0);
    fixture.append(1);
    assert_eq!((take(&mut slow, 1).await, take(&mut quick, 1).await), (vec![1], vec![1]));
    // Both join the reader, where they get the second item; only one reads on.
    let total = i64::try_from(QUEUE_ITEMS).unwrap() + 100;
    let (one, two) = tokio::join!(take(&mut slow, 1), async {
        while fixture.registry.readers().by_key.is_empty() {
            tokio::task::yield_now().await;
        }
        fixture.append(1);
        take(&mut quick, 1).await
    });
    assert_eq!((one, two), (vec![2], vec![2]));
    for position in 3..=total {
        fixture.append(1);
        assert_eq!(take(&mut quick, 1).await, [position]);
    }
    let mut last = 2;
    let ended = loop {
        match slow.next().await {
            Some(Ok(position)) => {
                assert!(position > last);
                last = position;
            }
            other => break other,
        }
    };
    assert!(
        matches!(ended, Some(Err(Error::Lagged(position))) if position == last),
        "{ended:?} after {last}"
    );
    // Resuming there misses nothing.
    let mut resumed = fixture.subscribe(last);
    let rest = take(&mut resumed, usize::try_from(total - last).unwrap()).await;
    assert_eq!(rest, (last + 1..=total).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_reader_retries_while_the_database_is_unavailable_and_ends_with_its_list() {
    let fixture = Fixture::new();
    let mut subscriber = fixture.subscribe(0);
    fixture.append(1);
    assert_eq!(take(&mut subscriber, 1).await, [1]);
    let mut waiting = tokio::spawn(async move {
        let item = take(&mut subscriber, 1).await;
        (item, subscriber.next().await.is_none())
    });
    while fixture.registry.readers().by_key.is_empty() {
        tokio::task::yield_now().await;
    }
    fixture.list.0.failures.store(2, Ordering::Relaxed);
    fixture.append(1);
    fixture.list.0.deleted.store(true, Ordering::Relaxed);
    fixture.signals.signal(&topic());
    assert!(futures_util::poll!(&mut waiting).is_pending());
    // The end is only seen at the next look.
    let woken = tokio::spawn({
        let signals = fixture.signals.clone();
        async move {
            loop {
                signals.signal(&topic());
                tokio::task::yield_now().await;
            }
        }
    });
    assert_eq!(waiting.await.unwrap(), (vec![2], true));
    woken.abort();
}

/// Subscribers come and go on several threads while the reader goes on: what one misses between looking
/// at the reader's position and joining it would show here.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn joining_a_running_reader_misses_nothing() {
    const LENGTH: i64 = 20_000;
    let fixture = Arc::new(Fixture::new());
    let received = Arc::new(AtomicI64::new(0));
    let follow = |stay: usize| {
        let (fixture, received) = (fixture.clone(), received.clone());
        tokio::spawn(async move {
            let mut position = 0;
            while position < LENGTH {
                let mut stream =
                    fixture.subscribe(position).take(stay.min(usize::try_from(LENGTH - position).unwrap()));
                while let Some(item) = stream.next().await {
                    match item {
                        Ok(item) => assert_eq!(item, position + 1),
                        // On a busy machine this one may not keep up with the quickest.
                        Err(Error::Lagged(at)) => {
                            assert_eq!(at, position);
                            break;
                        }
                        Err(error) => panic!("{error}"),
                    }
                    position += 1;
                    received.fetch_max(position, Ordering::Relaxed);
                }
            }
        })
    };
    // One stays, so that there always is a reader to join; the others are always about to.
    let subscribers: Vec<_> = [usize::MAX, 1, 1, 1].map(follow).into();
    for position in 1..=LENGTH {
        fixture.append(1);
        while received.load(Ordering::Relaxed) < position
            && subscribers.iter().all(|subscriber| !subscriber.is_finished())
        {
            tokio::task::yield_now().await;
        }
    }
    for subscriber in subscribers {
        subscriber.await.unwrap();
    }
}

#[tokio::test]
async fn polling_finds_items_without_signals() {
    let fixture = Fixture::polling(Duration::from_millis(20));
    let mut subscriber = fixture.subscribe(0);
    fixture.append(3);
    assert_eq!(take(&mut subscriber, 3).await, [1, 2, 3]);
    // The signal of this one is lost, and then the list ends without a word.
    *fixture.list.0.length.lock().unwrap() += 2;
    assert_eq!(take(&mut subscriber, 2).await, [4, 5]);
    fixture.list.0.deleted.store(true, Ordering::Relaxed);
    assert!(subscriber.next().await.is_none());
}
