//! Concurrent appends share a commit, and each has the same result as if it were sent alone.

mod concurrent;

use futures_util::future::join_all;
use scrollback::clock::Clock;
use scrollback::model::{
    Append, AppendParent, Content, ConversationId, End, Json, Message, MessageBody, MessageId, MessageStatus,
    NewConversation, NewMessage, OwnerId, Page, Range, Role, ShareRules, StreamEnd, Viewer,
};
use scrollback::signals::Signals;
use scrollback::store::{Bounds, Error, Process, RowLevelSecurity, Scoped, Settings, Store};
use sqlx::{Connection, Executor, PgConnection};
use uuid::Uuid;

use crate::harness::{Engine, TIMEOUT, shared_cluster};
use concurrent::batched_reads_equal_single_reads;

const WIDE: Bounds = Bounds { workers: 2, waiting: 4096, bytes: 64 << 20 };

struct Database {
    store: Store,
    settings: Settings,
    folder: tempfile::TempDir,
}

impl Database {
    async fn new(engine: Engine, writes: Bounds) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = match engine {
            Engine::Sqlite => format!("sqlite://{}/test.db", folder.path().display()),
            Engine::Postgres => shared_cluster().create_database().await,
            Engine::PostgresWithRowLevelSecurity => shared_cluster().create_database_of_a_plain_role().await,
        };
        let settings = Settings {
            process: Process::Server,
            url,
            max_connections: 10,
            acquire_timeout: TIMEOUT,
            statement_timeout: TIMEOUT,
            migrate: true,
            writes,
            files: None,
            erasure_settle: TIMEOUT,
            shares: ShareRules {
                is_enabled: true,
                messages: 100,
                bytes: 1024,
                shares: 10,
                while_trashed: false,
            },
            row_level_security: if engine == Engine::PostgresWithRowLevelSecurity {
                RowLevelSecurity::On
            } else {
                RowLevelSecurity::Off
            },
        };
        Self { store: open(&settings).await, settings, folder }
    }

    fn of(&self, owner: &str) -> Scoped {
        self.store.viewed_by(&Viewer::new(OwnerId::new(owner).unwrap()))
    }

    async fn conversation(&self, owner: &str, number: u128, messages: Vec<NewMessage>) -> ConversationId {
        let id = conversation(number);
        let new = NewConversation {
            id: Some(id),
            title: None,
            metadata: empty(),
            expires_at: None,
            is_read: false,
            messages,
        };
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
        body: Some(MessageBody::Text(Content::new("content", content.into()).unwrap())),
        status: MessageStatus::Complete,
        model: None,
        usage: None,
        metadata: empty(),
    }
}

fn at_head(number: u128, messages: Vec<NewMessage>) -> Append {
    Append { conversation: conversation(number), after: AppendParent::Head, expected_head: None, messages }
}

/// Runs a test on both databases and with row-level security, on one thread, so that requests that start
/// together are batched.
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

            #[tokio::test]
            async fn with_row_level_security() {
                super::$name(Engine::PostgresWithRowLevelSecurity).await;
            }
        }
    )+};
}

on_each_engine!(
    batched_reads_equal_single_reads,
    whatever_follows_the_newest_message_is_batched,
    concurrent_appends_with_one_id_create_one_message,
    concurrent_appends_with_one_expected_head_have_one_winner,
    text_of_many_streams_is_written_in_one_batch,
    a_full_write_queue_refuses_at_once,
    queued_writes_are_written_before_shutdown,
);

/// Conversations 1 and 2 are ada's, 3 is bob's, 4 is ada's and has forked, 5 is nobody's.
const OWNED: [(u128, &str); 4] = [(1, "ada"), (2, "ada"), (3, "bob"), (4, "ada")];

async fn prepared(engine: Engine) -> Database {
    let database = Database::new(engine, WIDE).await;
    for (number, owner) in OWNED {
        let first = vec![says(Some(1000 + number), "first"), says(Some(2000 + number), "second")];
        database.conversation(owner, number, first).await;
    }
    let after = AppendParent::Message(MessageId(Uuid::from_u128(1004)));
    let fork = Append { after, ..at_head(4, vec![says(Some(3004), "another second")]) };
    database.of("ada").append(fork).await.unwrap();
    database
}

async fn concurrent_appends_with_one_id_create_one_message(engine: Engine) {
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

async fn concurrent_appends_with_one_expected_head_have_one_winner(engine: Engine) {
    let database = prepared(engine).await;
    for number in [1, 4] {
        for _ in 0..10 {
            let head = database.messages("ada", conversation(number)).await.pop().unwrap().id;
            let append = |_| {
                let append =
                    Append { expected_head: Some(head), ..at_head(number, vec![says(None, "next")]) };
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

/// Clients that keep a tree name the parent of each message, and a conversation that has forked stays so. Neither makes
/// an append a transaction of its own.
async fn whatever_follows_the_newest_message_is_batched(engine: Engine) {
    let database = prepared(engine).await;
    database.conversation("ada", 6, Vec::new()).await;
    let append = async |number, after, expected_head| {
        let before = database.store.statements();
        let append = Append { after, expected_head, ..at_head(number, vec![says(None, "next")]) };
        let appended = database.of("ada").append(append).await.unwrap();
        (appended[0].clone(), database.store.statements() - before)
    };
    let (_, plain) = append(1, AppendParent::Head, None).await;
    // A check of the head is a statement of its own on SQLite.
    let most = if engine == Engine::Sqlite { plain + 1 } else { plain };
    let (first, cost) = append(6, AppendParent::Root, None).await;
    assert!(first.parent.is_none() && cost <= most, "{cost} statements instead of {most}");
    for number in [1, 4, 6] {
        let (mut head, _) = append(number, AppendParent::Head, None).await;
        for (names_parent, expects_head) in [(false, false), (false, true), (true, false), (true, true)] {
            let after = if names_parent { AppendParent::Message(head.id) } else { AppendParent::Head };
            let (next, cost) = append(number, after, expects_head.then_some(head.id)).await;
            assert_eq!((next.parent, next.position), (Some(head.position), head.position + 1));
            assert!(cost <= most, "{number} {after:?}: {cost} statements instead of {most}");
            head = next;
        }
    }
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
    assert_eq!(database.store.statements() - before, 2, "one for each worker");
}

async fn a_full_write_queue_refuses_at_once(engine: Engine) {
    let database = Database::new(engine, Bounds { workers: 1, waiting: 8, bytes: 1 << 20 }).await;
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
    if engine != Engine::Sqlite {
        assert_eq!(refused(&answers), 198, "one owner has a quarter of the places");
    }
    let answers = all_at_once(one_each(&database, 0..2)).await;
    assert!(answers.iter().all(Result::is_ok), "there is room again");
}

async fn queued_writes_are_written_before_shutdown(engine: Engine) {
    let database = prepared(engine).await;
    let append = |_| (database.of("ada"), at_head(1, vec![says(None, "at last")]));
    let ending =
        futures_util::future::join(all_at_once((0..300).map(append).collect()), database.store.close());
    let (answers, ()) = tokio::time::timeout(TIMEOUT, ending).await.unwrap();
    assert!(answers.iter().all(Result::is_ok));
    let late = database.of("ada").append(at_head(1, vec![says(None, "too late")])).await;
    assert!(matches!(late, Err(Error::Unavailable(_))));
    let database = Database { store: open(&database.settings).await, ..database };
    assert_eq!(database.messages("ada", conversation(1)).await.len(), 302);
}

#[tokio::test]
async fn a_busy_owner_does_not_delay_other_owners() {
    let database = Database::new(Engine::Postgres, Bounds { workers: 1, ..WIDE }).await;
    for n in 0..10 {
        database.conversation(&format!("user-{n}"), n, Vec::new()).await;
    }
    let mut elsewhere = PgConnection::connect(&database.settings.url).await.unwrap();
    let mut busy = elsewhere.begin().await.unwrap();
    let lock = "SELECT id FROM account WHERE id = 'user-0' FOR UPDATE";
    busy.execute(lock).await.unwrap();
    let held_up = tokio::spawn(all_at_once(one_each(&database, std::iter::repeat_n(0, 20))));
    for _ in 0..3 {
        let others = all_at_once(one_each(&database, 1..10));
        let answers = tokio::time::timeout(TIMEOUT, others).await.unwrap();
        assert!(answers.iter().all(Result::is_ok));
    }
    assert!(!held_up.is_finished());
    let before = database.store.statements();
    busy.rollback().await.unwrap();
    let answers = tokio::time::timeout(TIMEOUT, held_up).await.unwrap().unwrap();
    assert!(answers.iter().all(Result::is_ok));
    assert!(database.store.statements() - before < 5, "those who waited share what they waited for");
    assert_eq!(database.messages("user-0", conversation(0)).await.len(), 20);
}

#[tokio::test]
async fn replicas_append_to_the_same_conversation() {
    let database = prepared(Engine::Postgres).await;
    let replica = open(&database.settings).await;
    let here = |_| (database.of("ada"), at_head(1, vec![says(None, "here")]));
    let there = |_| {
        let scope = replica.viewed_by(&Viewer::new(OwnerId::new("ada").unwrap()));
        (scope, at_head(1, vec![says(None, "there")]))
    };
    for _ in 0..5 {
        let (here, there) = ((0..150).map(here).collect(), (0..150).map(there).collect());
        let (here, there) = futures_util::future::join(all_at_once(here), all_at_once(there)).await;
        assert!(here.iter().chain(&there).all(Result::is_ok));
    }
    let places = database.messages("ada", conversation(1)).await.into_iter().map(|message| message.position);
    assert!(places.eq(1..=1502));
}

#[tokio::test]
async fn the_wal_stays_bounded_under_load() {
    let database = prepared(Engine::Sqlite).await;
    let text = "x".repeat(250 << 10);
    for _ in 0..60 {
        let append = |_| (database.of("ada"), at_head(1, vec![says(None, &text)]));
        let answers = all_at_once((0..30).map(append).collect()).await;
        assert!(answers.iter().all(Result::is_ok));
    }
    let length =
        |suffix| std::fs::metadata(database.folder.path().join(format!("test.db{suffix}"))).unwrap().len();
    assert!(length("") > 250 << 20, "450 MB were written, most of it is carried over: {}", length(""));
    // 24,000 pages, and what is written until it is carried over.
    assert!(length("-wal") <= 160 << 20, "{}", length("-wal"));
}

async fn text_of_many_streams_is_written_in_one_batch(engine: Engine) {
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
        let offset = if nth == 0 {
            0
        } else if nth == 1 {
            7
        } else {
            11
        };
        let asks = streams.iter().flat_map(|(owner, id)| {
            ["ada", "bob", owner].map(|asker| {
                let scope = database.of(asker);
                async move { (asker == *owner, scope.append_text(*id, (offset, text), 256 * 1024).await) }
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
