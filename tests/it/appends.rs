//! Appends that come at the same time share a commit, and each is answered as if it had come alone.

use std::collections::HashMap;

use futures_util::future::join_all;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use scrollback::clock::Clock;
use scrollback::model::{
    After, Append, Body, ChangeKind, Content, ConversationId, End, Json, Message, MessageId, MessageStatus,
    NewConversation, NewMessage, OwnerId, Page, Range, Role, StreamEnd, Viewer,
};
use scrollback::signals::Signals;
use scrollback::store::{Bounds, Error, Scoped, Settings, Store};
use sqlx::{Connection, Executor, PgConnection};
use uuid::Uuid;

use crate::harness::{Engine, PATIENCE, shared_cluster};

const WIDE: Bounds = Bounds { lanes: 2, waiting: 4096, bytes: 64 << 20 };

struct Database {
    store: Store,
    settings: Settings,
    _folder: tempfile::TempDir,
}

impl Database {
    async fn new(engine: Engine, writes: Bounds) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = match engine {
            Engine::Sqlite => format!("sqlite://{}/test.db", folder.path().display()),
            Engine::Postgres => shared_cluster().create_database().await,
        };
        let settings = Settings {
            url,
            max_connections: 10,
            acquire_timeout: PATIENCE,
            statement_timeout: PATIENCE,
            migrate: true,
            writes,
        };
        Self { store: open(&settings).await, settings, _folder: folder }
    }

    fn of(&self, owner: &str) -> Scoped {
        self.store.viewed_by(&Viewer::new(OwnerId::new(owner).unwrap()))
    }

    async fn conversation(&self, owner: &str, number: u128, messages: Vec<NewMessage>) -> ConversationId {
        let id = conversation(number);
        let new = NewConversation { id: Some(id), title: None, metadata: empty(), messages };
        self.of(owner).create_conversation(new).await.unwrap();
        id
    }

    /// All messages of a conversation, in order.
    async fn messages(&self, owner: &str, id: ConversationId) -> Vec<Message> {
        let page = Page { end: End::First, size: 10_000 };
        self.of(owner).messages(id, Range::all(), page).await.unwrap().items
    }
}

async fn open(settings: &Settings) -> Store {
    Store::connect(settings, Clock::system(), Signals::default()).await.unwrap()
}

fn conversation(number: u128) -> ConversationId {
    ConversationId(Uuid::from_u128(number))
}

fn empty() -> Json {
    Json::new("metadata", "{}".into()).unwrap()
}

fn says(id: Option<u128>, content: &str) -> NewMessage {
    NewMessage {
        id: id.map(|id| MessageId(Uuid::from_u128(id))),
        role: Role::User,
        body: Some(Body::Text(Content::new("content", content.into()).unwrap())),
        status: MessageStatus::Complete,
        model: None,
        usage: None,
        metadata: empty(),
    }
}

fn at_head(number: u128, messages: Vec<NewMessage>) -> Append {
    Append { conversation: conversation(number), after: After::Head, expected_head: None, messages }
}

/// Runs a test on both databases; on one thread, so that what is begun together waits together.
macro_rules! on_each_engine {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            use crate::harness::Engine;

            #[tokio::test]
            async fn sqlite() {
                super::$name(Engine::Sqlite).await;
            }

            #[tokio::test]
            async fn postgres() {
                super::$name(Engine::Postgres).await;
            }
        }
    )+};
}

on_each_engine!(
    each_is_answered_as_if_it_had_come_alone,
    one_of_many_with_the_same_id_wins,
    one_of_many_that_expect_the_same_head_wins,
    pieces_of_many_streams_are_added_together,
    more_than_may_wait_is_refused_at_once,
    what_was_handed_in_is_written_before_the_end,
);

/// Conversations 1 and 2 are ada's, 3 is bob's, 4 is ada's and has forked, 5 is nobody's.
const OWNED: [(u128, &str); 4] = [(1, "ada"), (2, "ada"), (3, "bob"), (4, "ada")];

async fn prepared(engine: Engine) -> Database {
    let database = Database::new(engine, WIDE).await;
    for (number, owner) in OWNED {
        let first = vec![says(Some(1000 + number), "first"), says(Some(2000 + number), "second")];
        database.conversation(owner, number, first).await;
    }
    let after = After::Message(MessageId(Uuid::from_u128(1004)));
    let fork = Append { after, ..at_head(4, vec![says(Some(3004), "another second")]) };
    database.of("ada").append(fork).await.unwrap();
    database
}

#[derive(Clone)]
struct Request {
    owner: &'static str,
    append: Append,
}

/// Ordinary appends, strangers', unknown conversations, repeats, and ids that are used for something else.
fn requests(seed: u64) -> Vec<Request> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut requests: Vec<Request> = Vec::new();
    for number in 0..150_u128 {
        if !requests.is_empty() && random.random_bool(0.15) {
            let repeated = requests[random.random_range(0..requests.len())].clone();
            requests.push(repeated);
            continue;
        }
        let count = if random.random_bool(0.2) { random.random_range(2..=3) } else { 1 };
        let message = |nth: u128, random: &mut StdRng| {
            let id = match random.random_range(0..10) {
                0..=2 => None,
                // Taken before, by one of them; of ids that will be taken; twice in one append.
                3 => Some(1000 + random.random_range(1..=4_u128)),
                4 => Some(10 * random.random_range(0..150_u128) + 10_000),
                5 => Some(9_999),
                _ => Some(10_000 + 10 * number + nth),
            };
            says(id, &format!("message {}", random.random_range(0..3)))
        };
        let messages = (0..count).map(|nth| message(nth, &mut random)).collect();
        let owner = if random.random_bool(0.8) { "ada" } else { "bob" };
        let at = if random.random_bool(0.6) { 1 } else { random.random_range(1..=5) };
        requests.push(Request { owner, append: at_head(at, messages) });
    }
    requests
}

/// What is stored explains every answer.
async fn explain(database: &Database, requests: &[Request], answers: &[Result<Vec<Message>, Error>]) {
    let mut stored: HashMap<MessageId, Message> = HashMap::new();
    for (number, owner) in OWNED {
        let messages = database.messages(owner, conversation(number)).await;
        let places: Vec<i64> = messages.iter().map(|message| message.position).collect();
        assert_eq!(places, (1..=messages.len() as i64).collect::<Vec<_>>());
        assert!(messages.is_sorted_by_key(|message| message.created_at));
        let row = database.of(owner).conversation(conversation(number)).await.unwrap().unwrap();
        assert_eq!((row.message_count, row.last_position), (places.len() as i64, places.len() as i64));
        stored.extend(messages.into_iter().map(|message| (message.id, message)));
    }
    let mut appended: HashMap<MessageId, &Message> = HashMap::new();
    for (Request { owner, append }, answer) in requests.iter().zip(answers) {
        let owned = OWNED.iter().any(|(number, of)| conversation(*number) == append.conversation && of == owner);
        let matches = |new: &NewMessage| {
            let Some(id) = new.id else { return None };
            let Some(Body::Text(content)) = &new.body else { unreachable!() };
            Some(stored.get(&id).is_some_and(|row| {
                (row.owner.as_str(), row.conversation, row.content.as_str())
                    == (*owner, append.conversation, content.as_str())
            }))
        };
        match answer {
            Err(Error::NotFound("conversation")) => assert!(!owned),
            Err(Error::Conflict) => {
                assert!(owned);
                let all_there = append.messages.iter().all(|new| matches(new) == Some(true));
                let mut ids: Vec<_> = append.messages.iter().filter_map(|new| new.id).collect();
                ids.sort();
                ids.dedup();
                assert!(!all_there || ids.len() < append.messages.len(), "it conflicts with nothing");
            }
            Err(error) => panic!("{error}"),
            Ok(messages) => {
                assert!(owned && messages.len() == append.messages.len());
                assert!(append.messages.iter().all(|new| matches(new) != Some(false)));
                let follow = |pair: &[Message]| pair[0].position + 1 == pair[1].position;
                assert!(messages.windows(2).all(follow));
                for message in messages {
                    assert_eq!(&stored[&message.id], message);
                    appended.insert(message.id, message);
                }
            }
        }
    }
    // Two messages in each from before, and a fork.
    assert_eq!(stored.len(), appended.len() + 2 * OWNED.len() + 1, "what nobody was answered is not there");
    for owner in ["ada", "bob"] {
        let changes = database.of(owner).changes(0, 10_000).await.unwrap();
        let revisions: Vec<i64> = changes.iter().map(|change| change.revision).collect();
        assert_eq!(revisions, (1..=revisions.len() as i64).collect::<Vec<_>>());
        let added = changes.iter().filter(|change| change.change.kind == ChangeKind::MessageAdded);
        let mut told: HashMap<ConversationId, i64> = HashMap::new();
        for change in added {
            let message = &stored[&change.change.message.unwrap()];
            assert_eq!((message.owner.as_str(), message.conversation), (owner, change.change.conversation));
            let last = told.insert(message.conversation, message.position).unwrap_or(0);
            assert_eq!(message.position, last + 1, "the feed tells messages in their order");
        }
        let all = stored.values().filter(|message| message.owner.as_str() == owner).count();
        assert_eq!(told.values().sum::<i64>(), all as i64);
    }
}

async fn each_is_answered_as_if_it_had_come_alone(engine: Engine) {
    for seed in 0..6 {
        let requests = requests(seed);
        let alone = prepared(engine).await;
        let mut one_by_one = Vec::new();
        for request in &requests {
            one_by_one.push(alone.of(request.owner).append(request.append.clone()).await);
        }
        explain(&alone, &requests, &one_by_one).await;
        let together = prepared(engine).await;
        let append =
            |request: &Request| {
                let (scope, append) = (together.of(request.owner), request.append.clone());
                async move { scope.append(append).await }
            };
        let at_once = join_all(requests.iter().map(append)).await;
        explain(&together, &requests, &at_once).await;
        // Who comes first wins an id; of the others there is only one possible answer.
        let uses = |id: MessageId| {
            requests.iter().filter(|other| other.append.messages.iter().any(|new| new.id == Some(id))).count()
        };
        let mut compared = 0;
        for (request, (alone, together)) in requests.iter().zip(one_by_one.iter().zip(&at_once)) {
            let ids = request.append.messages.iter().filter_map(|new| new.id);
            if ids.clone().all(|id| id.0.as_u128() < 9_999 || uses(id) == 1) {
                assert_eq!(kind(alone), kind(together), "{:?}", request.append);
                compared += 1;
            }
        }
        assert!(compared > 30, "{compared} can be compared");
    }
}

fn kind(answer: &Result<Vec<Message>, Error>) -> String {
    answer.as_ref().map_or_else(ToString::to_string, |messages| messages.len().to_string())
}

async fn one_of_many_with_the_same_id_wins(engine: Engine) {
    let database = prepared(engine).await;
    for round in 0..10 {
        let id = Some(50_000 + round);
        let append = |nth: usize| {
            let (owner, number) = [("ada", 1), ("bob", 3), ("ada", 4)][nth % 3];
            let append = at_head(number, vec![says(id, "mine")]);
            let scope = database.of(owner);
            async move { scope.append(append).await }
        };
        let answers = join_all((0..30).map(append)).await;
        let winners: Vec<&Message> = answers.iter().flatten().flatten().collect();
        assert_eq!(winners.len(), 10, "the winner's repeats are answered alike");
        assert!(winners.iter().all(|message| *message == winners[0]));
        let lost = answers.iter().filter(|answer| matches!(answer, Err(Error::Conflict))).count();
        assert_eq!(lost, 20);
    }
}

async fn one_of_many_that_expect_the_same_head_wins(engine: Engine) {
    let database = prepared(engine).await;
    for number in [1, 4] {
        for _ in 0..10 {
            let head = database.messages("ada", conversation(number)).await.pop().unwrap().id;
            let append = |_| {
                let append = Append { expected_head: Some(head), ..at_head(number, vec![says(None, "next")]) };
                let scope = database.of("ada");
                async move { scope.append(append).await }
            };
            let answers = join_all((0..20).map(append)).await;
            let winner = answers.iter().flatten().flatten().next().unwrap().id;
            let lost = |answer: &&Result<_, Error>| matches!(answer, Err(Error::HeadMoved(Some(now))) if *now == winner);
            assert_eq!(answers.iter().filter(lost).count(), 19);
        }
    }
}

/// Of one owner, or of many, each with a conversation of that number.
fn one_each(database: &Database, owners: impl Iterator<Item = u128>) -> Vec<(Scoped, Append)> {
    owners.map(|n| (database.of(&format!("user-{n}")), at_head(n, vec![says(None, "one more")]))).collect()
}

async fn all_at_once(appends: Vec<(Scoped, Append)>) -> Vec<Result<Vec<Message>, Error>> {
    join_all(appends.into_iter().map(|(scope, append)| async move { scope.append(append).await })).await
}

#[tokio::test]
async fn many_share_a_statement_on_postgresql() {
    let database = Database::new(Engine::Postgres, WIDE).await;
    for n in 0..100 {
        database.conversation(&format!("user-{n}"), n, Vec::new()).await;
    }
    let before = database.store.statements();
    let answers = all_at_once(one_each(&database, 0..100)).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(database.store.statements() - before, 2, "one for each lane");
}

async fn more_than_may_wait_is_refused_at_once(engine: Engine) {
    let database = Database::new(engine, Bounds { lanes: 1, waiting: 8, bytes: 1 << 20 }).await;
    for n in 0..200 {
        database.conversation(&format!("user-{n}"), n, Vec::new()).await;
    }
    let refused = |answers: &[Result<_, Error>]| {
        answers.iter().filter(|answer| matches!(answer, Err(Error::Busy))).count()
    };
    let answers = all_at_once(one_each(&database, 0..200)).await;
    assert!(refused(&answers) > 0);
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count() + refused(&answers), 200);
    let answers = all_at_once(one_each(&database, std::iter::repeat_n(7, 200))).await;
    assert!(refused(&answers) > 0);
    if engine == Engine::Postgres {
        assert_eq!(refused(&answers), 198, "one owner has a quarter of the places");
    }
    let answers = all_at_once(one_each(&database, 0..2)).await;
    assert!(answers.iter().all(Result::is_ok), "there is room again");
}

async fn what_was_handed_in_is_written_before_the_end(engine: Engine) {
    let database = prepared(engine).await;
    let append = |_| (database.of("ada"), at_head(1, vec![says(None, "at last")]));
    let ending = futures_util::future::join(
        all_at_once((0..300).map(append).collect()),
        database.store.close(),
    );
    let (answers, ()) = tokio::time::timeout(PATIENCE, ending).await.unwrap();
    assert!(answers.iter().all(Result::is_ok));
    let late = database.of("ada").append(at_head(1, vec![says(None, "too late")])).await;
    assert!(matches!(late, Err(Error::Unavailable(_))));
    let database = Database { store: open(&database.settings).await, ..database };
    assert_eq!(database.messages("ada", conversation(1)).await.len(), 302);
}

#[tokio::test]
async fn nobody_waits_for_an_owner_who_is_busy() {
    let database = Database::new(Engine::Postgres, Bounds { lanes: 1, ..WIDE }).await;
    for n in 0..10 {
        database.conversation(&format!("user-{n}"), n, Vec::new()).await;
    }
    let mut elsewhere = PgConnection::connect(&database.settings.url).await.unwrap();
    let mut busy = elsewhere.begin().await.unwrap();
    let lock = "SELECT id FROM account WHERE id = 'user-0' FOR UPDATE";
    busy.execute(lock).await.unwrap();
    let mut appends = one_each(&database, 0..10);
    let (scope, append) = appends.remove(0);
    let held_up = tokio::spawn(async move { scope.append(append).await });
    for _ in 0..3 {
        let answers = tokio::time::timeout(PATIENCE, all_at_once(one_each(&database, 1..10))).await.unwrap();
        assert!(answers.iter().all(Result::is_ok));
    }
    assert!(!held_up.is_finished());
    busy.rollback().await.unwrap();
    tokio::time::timeout(PATIENCE, held_up).await.unwrap().unwrap().unwrap();
}

async fn pieces_of_many_streams_are_added_together(engine: Engine) {
    let database = prepared(engine).await;
    let mut streams = Vec::new();
    for (number, owner) in OWNED {
        for _ in 0..10 {
            let new = NewMessage { body: None, status: MessageStatus::Streaming, ..says(None, "-") };
            let message = database.of(owner).append(at_head(number, vec![new])).await.unwrap().remove(0);
            streams.push((owner, message.id));
        }
    }
    for (nth, text) in ["Grüße, ", "Welt", ""].into_iter().enumerate() {
        let offset = if nth == 0 { 0 } else if nth == 1 { 7 } else { 11 };
        let asks = streams.iter().flat_map(|(owner, id)| {
            ["ada", "bob", owner].map(|asker| {
                let scope = database.of(asker);
                async move { (asker == *owner, scope.append_text(*id, offset, text).await) }
            })
        });
        for (owned, answer) in join_all(asks).await {
            match answer {
                Ok(progress) => {
                    assert!(owned && !progress.stop_requested);
                    assert_eq!(progress.length, offset + text.chars().count() as i64);
                }
                Err(error) => assert!(!owned && matches!(error, Error::NotFound("message")), "{error}"),
            }
        }
    }
    for (owner, message) in streams {
        let status = MessageStatus::Complete;
        let end = StreamEnd { message, status, parts: None, usage: None, metadata: None };
        let message = database.of(owner).finish_message(end).await.unwrap();
        assert_eq!(message.content, "Grüße, Welt");
    }
}
