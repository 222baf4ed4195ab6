//! Followers against a model: a list, and every follower gets exactly a slice of it.

use std::sync::atomic::{AtomicI64, AtomicUsize};

use futures_util::StreamExt;
use proptest::prelude::*;

use super::*;
use crate::feed::follow::follow;
use crate::feed::source::Batch;
use crate::feed::{Error, Result};
use crate::model::{ConversationId, OwnerId};
use crate::signals::Topic;

/// A list in memory whose items are their own places, with the reads it was asked for.
#[derive(Clone, Default)]
struct List(Arc<Inner>);

#[derive(Default)]
struct Inner {
    length: Mutex<i64>,
    deleted: std::sync::atomic::AtomicBool,
    reads: AtomicUsize,
    failures: AtomicUsize,
}

/// How many items one read takes.
const PAGE: u32 = 10;

fn topic() -> Topic {
    Topic::Conversation(ConversationId(uuid::Uuid::nil()))
}

impl Source for List {
    type Key = OwnerId;
    type Item = i64;

    fn key(&self) -> OwnerId {
        OwnerId::new("ada").unwrap()
    }

    fn topic(&self) -> Topic {
        topic()
    }

    async fn read(&self, after: i64, most: u32) -> store::Result<Batch<i64>> {
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
        let items: Vec<i64> = (after + 1..=length).take(most.min(PAGE) as usize).collect();
        let ended = items.is_empty() && self.0.deleted.load(Ordering::Relaxed);
        let more = items.last().is_some_and(|last| *last < length);
        tokio::task::yield_now().await;
        Ok(Batch { items, more, ended })
    }

    async fn behind(&self, all: &[(OwnerId, i64)]) -> store::Result<Vec<usize>> {
        let (length, deleted) = (*self.0.length.lock().unwrap(), self.0.deleted.load(Ordering::Relaxed));
        let behind = all.iter().enumerate().filter(|(_, (_, place))| deleted || length > *place);
        Ok(behind.map(|(at, _)| at).collect())
    }

    fn place(item: &i64) -> i64 {
        *item
    }

    fn weight(_: &i64) -> usize {
        8
    }
}

struct Setting {
    list: List,
    signals: Signals,
    hub: Arc<Hub<List>>,
}

impl Setting {
    fn new() -> Self {
        Self::looking(Duration::from_secs(3600))
    }

    fn looking(every: Duration) -> Self {
        let signals = Signals::default();
        let hub = Arc::new(Hub::new(signals.clone(), every));
        Self { list: List::default(), signals, hub }
    }

    fn append(&self, count: i64) {
        *self.list.0.length.lock().unwrap() += count;
        self.signals.signal(&topic());
    }

    fn follow(&self, place: i64) -> impl futures_util::Stream<Item = Result<i64>> + Send + Unpin + use<> {
        Box::pin(follow(self.hub.clone(), self.list.clone(), place, false))
    }
}

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
    Join(i64),
    Take(usize, usize),
    Leave(usize),
    Yield(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (1..25i64).prop_map(Step::Append),
        (0..40i64).prop_map(Step::Join),
        (0..8usize, 1..12usize).prop_map(|(follower, count)| Step::Take(follower, count)),
        (0..8usize).prop_map(Step::Leave),
        (1..20usize).prop_map(Step::Yield),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_follower_has_exactly_its_slice(steps in prop::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let setting = Setting::new();
            let mut length = 0;
            let mut followers = Vec::new();
            for step in steps {
                match step {
                    Step::Append(count) => {
                        length += count;
                        setting.append(count);
                    }
                    Step::Join(place) => {
                        let place = place.min(length);
                        followers.push((place, setting.follow(place)));
                    }
                    Step::Take(follower, count) if follower < followers.len() => {
                        let (place, stream) = &mut followers[follower];
                        let count = count.min(usize::try_from(length - *place).unwrap());
                        let got = take(stream, count).await;
                        let expected: Vec<i64> = (*place + 1..=*place + i64::try_from(count).unwrap()).collect();
                        assert_eq!(got, expected);
                        *place += i64::try_from(count).unwrap();
                    }
                    Step::Leave(follower) if follower < followers.len() => {
                        drop(followers.remove(follower));
                    }
                    Step::Yield(times) => {
                        for _ in 0..times {
                            tokio::task::yield_now().await;
                        }
                    }
                    Step::Take(..) | Step::Leave(_) => {}
                }
            }
            for (place, mut stream) in followers {
                let rest = take(&mut stream, usize::try_from(length - place).unwrap()).await;
                assert_eq!(rest, (place + 1..=length).collect::<Vec<_>>());
            }
            assert!(setting.hub.readers().by_key.is_empty(), "nobody follows, nothing reads");
        });
    }
}

#[tokio::test]
async fn followers_share_one_reader() {
    let setting = Setting::new();
    let mut followers: Vec<_> = (0..50).map(|_| setting.follow(0)).collect();
    setting.append(1);
    for follower in &mut followers {
        assert_eq!(take(follower, 1).await, [1]);
    }
    let mut polled: Vec<_> = followers
        .into_iter()
        .map(|mut follower| tokio::spawn(async move { take(&mut follower, 1).await }))
        .collect();
    // All of them wait at the reader before the next item comes.
    while setting
        .hub
        .readers()
        .by_key
        .values()
        .next()
        .is_none_or(|reader| reader.state().followers.len() < 50)
    {
        tokio::task::yield_now().await;
    }
    let before = setting.list.0.reads.load(Ordering::Relaxed);
    setting.append(1);
    for follower in &mut polled {
        assert_eq!(follower.await.unwrap(), [2]);
    }
    let reads = setting.list.0.reads.load(Ordering::Relaxed) - before;
    assert!(reads <= 2, "one reader read for all: {reads}");
}

#[tokio::test]
async fn what_is_for_many_lets_others_in_between() {
    const MANY: usize = 10 * SERVED;
    let setting = Setting::new();
    let mut followers: Vec<_> = (0..MANY).map(|_| setting.follow(0)).collect();
    let mut polled: Vec<_> = followers.iter_mut().map(|follower| take(follower, 3)).map(Box::pin).collect();
    while setting.hub.readers().by_key.values().all(|reader| reader.state().followers.len() < MANY) {
        for follower in &mut polled {
            assert!(futures_util::poll!(follower).is_pending());
        }
        tokio::task::yield_now().await;
    }
    setting.append(3);
    // Those who are served first are not held up by those who come last.
    let mut told = Vec::new();
    while !told.contains(&true) {
        tokio::task::yield_now().await;
        told.clear();
        for follower in &mut polled {
            told.push(futures_util::poll!(follower).is_ready());
        }
    }
    assert!(told.contains(&false), "everyone was served in one go");
    for (follower, told) in polled.into_iter().zip(told) {
        if !told {
            assert_eq!(follower.await, [1, 2, 3]);
        }
    }
}

#[tokio::test]
async fn who_does_not_keep_up_is_told_where_to_resume_and_the_others_notice_nothing() {
    let setting = Setting::new();
    let mut slow = setting.follow(0);
    let mut quick = setting.follow(0);
    setting.append(1);
    assert_eq!((take(&mut slow, 1).await, take(&mut quick, 1).await), (vec![1], vec![1]));
    // Both join the reader, where they get the second item; only one reads on.
    let total = i64::try_from(QUEUE_ITEMS).unwrap() + 100;
    let (one, two) = tokio::join!(take(&mut slow, 1), async {
        while setting.hub.readers().by_key.is_empty() {
            tokio::task::yield_now().await;
        }
        setting.append(1);
        take(&mut quick, 1).await
    });
    assert_eq!((one, two), (vec![2], vec![2]));
    for place in 3..=total {
        setting.append(1);
        assert_eq!(take(&mut quick, 1).await, [place]);
    }
    let mut last = 2;
    let ended = loop {
        match slow.next().await {
            Some(Ok(place)) => {
                assert!(place > last);
                last = place;
            }
            other => break other,
        }
    };
    assert!(matches!(ended, Some(Err(Error::Behind(place))) if place == last), "{ended:?} after {last}");
    // Resuming there misses nothing.
    let mut resumed = setting.follow(last);
    let rest = take(&mut resumed, usize::try_from(total - last).unwrap()).await;
    assert_eq!(rest, (last + 1..=total).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_reader_waits_for_a_database_that_is_away_and_ends_with_what_it_reads() {
    let setting = Setting::new();
    let mut follower = setting.follow(0);
    setting.append(1);
    assert_eq!(take(&mut follower, 1).await, [1]);
    let mut waiting = tokio::spawn(async move {
        let item = take(&mut follower, 1).await;
        (item, follower.next().await.is_none())
    });
    while setting.hub.readers().by_key.is_empty() {
        tokio::task::yield_now().await;
    }
    setting.list.0.failures.store(2, Ordering::Relaxed);
    setting.append(1);
    setting.list.0.deleted.store(true, Ordering::Relaxed);
    setting.signals.signal(&topic());
    assert!(futures_util::poll!(&mut waiting).is_pending());
    // The end is only seen at the next look.
    let woken = tokio::spawn({
        let signals = setting.signals.clone();
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

/// Followers come and go on several threads while the reader goes on: what one misses between looking
/// at the reader's place and joining it would show here.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn joining_while_the_reader_goes_on_misses_nothing() {
    const LENGTH: i64 = 20_000;
    let setting = Arc::new(Setting::new());
    let told = Arc::new(AtomicI64::new(0));
    let follow = |stay: usize| {
        let (setting, told) = (setting.clone(), told.clone());
        tokio::spawn(async move {
            let mut place = 0;
            while place < LENGTH {
                let mut stream =
                    setting.follow(place).take(stay.min(usize::try_from(LENGTH - place).unwrap()));
                while let Some(item) = stream.next().await {
                    match item {
                        Ok(item) => assert_eq!(item, place + 1),
                        // On a busy machine this one may not keep up with the quickest.
                        Err(Error::Behind(at)) => {
                            assert_eq!(at, place);
                            break;
                        }
                        Err(error) => panic!("{error}"),
                    }
                    place += 1;
                    told.fetch_max(place, Ordering::Relaxed);
                }
            }
        })
    };
    // One stays, so that there always is a reader to join; the others are always about to.
    let followers: Vec<_> = [usize::MAX, 1, 1, 1].map(follow).into();
    for place in 1..=LENGTH {
        setting.append(1);
        while told.load(Ordering::Relaxed) < place && followers.iter().all(|follower| !follower.is_finished())
        {
            tokio::task::yield_now().await;
        }
    }
    for follower in followers {
        follower.await.unwrap();
    }
}

#[tokio::test]
async fn what_no_signal_told_of_is_found_by_looking() {
    let setting = Setting::looking(Duration::from_millis(20));
    let mut follower = setting.follow(0);
    setting.append(3);
    assert_eq!(take(&mut follower, 3).await, [1, 2, 3]);
    // The signal of this one is lost, and then the list ends without a word.
    *setting.list.0.length.lock().unwrap() += 2;
    assert_eq!(take(&mut follower, 2).await, [4, 5]);
    setting.list.0.deleted.store(true, Ordering::Relaxed);
    assert!(follower.next().await.is_none());
}
