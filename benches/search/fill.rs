//! Fills a database and its index, without a server.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use scrollback::app::App;
use scrollback::clock::Clock;
use scrollback::config::{self, Sources};
use scrollback::model::{
    Content, Json, MessageBody, MessageStatus, NewConversation, NewMessage, OwnerId, Role, Viewer,
};
use scrollback::store::Store;
use tokio::task::JoinSet;

use crate::corpus::{Batch, Corpus, batches_of};
use crate::it::harness::SECRET;

/// Conversations that are written at once.
const WRITERS: usize = 16;

/// What was written, and how fast.
#[derive(Default, Clone, Copy)]
pub(crate) struct Filled {
    pub(crate) messages: usize,
    /// Of the texts.
    pub(crate) bytes: usize,
    /// Seconds of the fill.
    pub(crate) writing: f64,
    /// Seconds of the indexing, one owner after the other.
    pub(crate) indexing: f64,
}

/// The name of an owner.
pub(crate) fn owner_name(owner: usize) -> String {
    format!("owner-{owner}")
}

/// The batches of some owners with so many messages each, all owners growing at the same pace.
pub(crate) fn batches(owners: &[(usize, usize)]) -> Vec<Batch> {
    let mut batches = Vec::new();
    for (owner, messages) in owners {
        let of_owner: Vec<Batch> = batches_of(*owner, *messages).collect();
        let count = of_owner.len() as f64;
        batches.extend(of_owner.into_iter().map(|batch| (batch.number as f64 / count, batch)));
    }
    batches.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    batches.into_iter().map(|(_, batch)| batch).collect()
}

/// Writes the conversations of some owners, and indexes them.
pub(crate) async fn fill(
    database: &str,
    folder: &str,
    corpus: &Arc<Corpus>,
    owners: &[(usize, usize)],
) -> Filled {
    let flags = vec![
        ("data_dir", folder.to_owned()),
        ("database.url", database.to_owned()),
        ("auth.jwt_secret", SECRET.to_owned()),
    ];
    let config = config::load(Sources { flags, ..Sources::default() }).unwrap();
    let app = App::open_for_command(config, Clock::system()).await.unwrap();
    let batches = Arc::new(batches(owners));
    let begun = Instant::now();
    let next = Arc::new(AtomicUsize::new(0));
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        let (store, corpus, batches, next) =
            (app.store.clone(), corpus.clone(), batches.clone(), next.clone());
        writers.spawn(async move {
            let mut bytes = 0;
            while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
                bytes += write(&store, &corpus, *batch).await;
            }
            bytes
        });
    }
    let bytes = writers.join_all().await.into_iter().sum();
    let writing = begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    for (owner, _) in owners {
        app.store.index_owner(&OwnerId::new(owner_name(*owner)).unwrap()).await.unwrap();
    }
    let indexing = begun.elapsed().as_secs_f64();
    app.store.close().await;
    let messages = batches.iter().map(|batch| batch.messages).sum();
    Filled { messages, bytes, writing, indexing }
}

/// Writes one conversation, and gives the bytes of its texts.
async fn write(store: &Store, corpus: &Corpus, batch: Batch) -> usize {
    let mut bytes = 0;
    let mut messages = Vec::new();
    for (text, role) in corpus.texts(batch).into_iter().zip([Role::User, Role::Assistant].into_iter().cycle())
    {
        bytes += text.len();
        messages.push(NewMessage {
            id: None,
            role,
            body: Some(MessageBody::Text(Content::new("content", text).unwrap())),
            status: MessageStatus::Complete,
            model: None,
            usage: None,
            metadata: Json::empty_object(),
        });
    }
    let new = NewConversation {
        id: None,
        title: None,
        metadata: Json::empty_object(),
        expires_at: None,
        is_read: true,
        messages,
    };
    let viewer = Viewer::new(OwnerId::new(owner_name(batch.owner)).unwrap());
    store.viewed_by(&viewer).create_conversation(new).await.unwrap();
    bytes
}
