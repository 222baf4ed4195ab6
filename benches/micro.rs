//! Measures single steps between the socket and the database: `cargo bench --bench micro`.
//!
//! The database is not used; `benches/peers` measures whole requests.
#![expect(clippy::unwrap_used, reason = "what a benchmark does not expect ends it")]

use std::hint::black_box;

use async_graphql::{Request, Variables};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use scrollback::app::{self, App};
use scrollback::clock::Clock;
use scrollback::config::{self, Config, Sources};
use scrollback::feed::Feed;
use scrollback::graphql::probe::{Page, Reader, cursor_there_and_back};
use scrollback::model::{
    ConversationId, Json, Message, MessageId, MessageStatus, OwnerId, Role, Timestamp, Viewer,
};
use scrollback::signals::Signals;
use scrollback::store::probe::Waiting;
use serde_json::json;
use uuid::Uuid;

const HISTORY: &str = "query History($id: ID!, $n: Int) { conversation(id: $id) { id title
  messages(last: $n) { edges { cursor node { id role content createdAt } } pageInfo { hasPreviousPage } } } }";

const EDGES: &str = "{ page { edges { cursor node { id role content createdAt } } } }";

fn documents(c: &mut Criterion) {
    let limits = app::limits(&Config::default());
    let variables = json!({ "id": "0197a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b", "n": 50 });
    let request = || Request::new(HISTORY).variables(Variables::from_json(variables.clone()));
    let mut group = c.benchmark_group("a document");
    group.bench_function("read and looked at", |b| {
        b.iter_batched(
            || (Reader::default(), request()),
            |(reader, request)| assert!(reader.prepare(request, &limits)),
            BatchSize::SmallInput,
        );
    });
    let reader = Reader::default();
    group.bench_function("seen before and looked at", |b| {
        b.iter_batched(request, |request| assert!(reader.prepare(request, &limits)), BatchSize::SmallInput);
    });
    let bomb: String =
        (0..40).map(|at| format!("fragment F{at} on Query {{ ...F{0} ...F{0} }} ", at + 1)).collect();
    let bomb = format!("{{ ...F0 }} {bomb} fragment F40 on Query {{ viewer {{ id }} }}");
    group.bench_function("refused: 2^40 fields", |b| {
        b.iter(|| assert!(!Reader::default().prepare(Request::new(black_box(&bomb)), &limits)));
    });
    group.finish();
}

fn cursors(c: &mut Criterion) {
    let conversation = ConversationId(Uuid::from_u128(7));
    c.bench_function("a cursor there and back", |b| {
        b.iter(|| assert!(cursor_there_and_back(black_box(conversation), black_box(12_345))));
    });
}

fn lists(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let flags = vec![("data_dir", folder.path().display().to_string())];
    let config = config::load(Sources { flags, ..Sources::default() }).unwrap();
    let poll = config.feed.poll;
    let app = runtime.block_on(App::open(config, Clock::system())).unwrap();
    let viewer = Viewer::new(OwnerId::new("ada").unwrap());
    let messages = (1..=50).map(|position| message(position, &viewer.owner)).collect();
    let feed = Feed::new(&Signals::default(), poll);
    let page = Page::of(messages, app.store.clone(), feed, viewer);

    let bytes = runtime.block_on(page.answer(EDGES, true)).len();
    let mut group = c.benchmark_group("50 messages");
    group.throughput(Throughput::Bytes(bytes as u64));
    for (name, in_one_walk) in [("in one walk", true), ("field by field", false)] {
        group.bench_function(name, |b| {
            b.iter(|| assert_eq!(runtime.block_on(page.answer(black_box(EDGES), in_one_walk)).len(), bytes));
        });
    }
    group.finish();
}

fn message(position: i64, owner: &OwnerId) -> Message {
    Message {
        id: MessageId(Uuid::from_u128(position.unsigned_abs().into())),
        conversation: ConversationId(Uuid::from_u128(7)),
        position,
        owner: owner.clone(),
        role: if position % 2 == 1 { Role::User } else { Role::Assistant },
        content: "A line with \"quotes\", an é and a\nbreak. ".repeat(7),
        metadata: Json::empty_object(),
        created_at: Timestamp(1_795_000_000_000_000 + position),
        branch: None,
        parent: None,
        status: MessageStatus::Complete,
        parts: None,
        model: None,
        usage: None,
        edited_at: None,
        deleted_at: None,
        pinned: false,
    }
}

fn plans(c: &mut Criterion) {
    let owner = OwnerId::new("ada").unwrap();
    let mut group = c.benchmark_group("64 appends that wait");
    group.throughput(Throughput::Elements(64));
    // Those that expect a head come into a batch once for each conversation.
    for (name, conversations) in [("each in its conversation", 64), ("all in one", 1)] {
        group.bench_function(name, |b| {
            b.iter_batched(
                || Waiting::appends(64, conversations, &owner),
                |waiting| assert_eq!(waiting.batches().iter().sum::<usize>(), 64),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

/// Cuts texts into the terms of the search index.
fn terms(c: &mut Criterion) {
    let mut group = c.benchmark_group("terms of 64 KiB");
    for (name, sample) in [
        ("English", "The quick brown fox doesn't jump over the lazy dog, and runs away from example.com. "),
        ("code", "let fooBar = self.write_run(at..piece.end)?; assert_eq!(HTTPServer::new(3.14), None);\n"),
        (
            "German",
            "Die Straße führt über die Brücke, und größere Häuser säumen das Ufer der schönen Stadt. ",
        ),
        ("Russian", "Съешь же ещё этих мягких французских булок, да выпей чаю и приходи завтра опять. "),
        ("Hindi", "यह एक हिन्दी वाक्य है जिसमें कई शब्द हैं और जो बहुत लंबा नहीं है "),
        ("Japanese", "病院は機能していない。明日、サーバーを再起動してからもう一度確認してください。"),
    ] {
        let text = sample.repeat(64 * 1024 / sample.len());
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(name, |b| {
            b.iter(|| search::analysis::for_each_token(black_box(&text), 0, |_| ()));
        });
    }
    group.finish();
}

criterion_group!(benches, documents, cursors, lists, plans, terms);
criterion_main!(benches);
