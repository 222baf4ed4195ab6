//! Exports of everything of a user, and importing them elsewhere.

mod command;
mod complete;
mod formats;
mod http;
mod markdown;
mod pages;
mod random;
mod schema;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use scrollback::import::Report;
use scrollback::model::{ExportRecord, ExportedMessage, ExportedShare, OwnerId, Viewer, share_hash};
use scrollback::store::{ExportSink, Scoped, Store};
use serde_json::json;
use uuid::Uuid;

use crate::harness::{TestApp, on_each_database, with_row_level_security};

on_each_database!(
    an_export_is_one_state_of_the_database,
    an_import_adds_what_is_missing_and_takes_nothing_of_others,
    a_taken_id_rejects_its_conversation_alone
);

with_row_level_security!(
    an_export_is_one_state_of_the_database,
    an_import_adds_what_is_missing_and_takes_nothing_of_others,
    a_taken_id_rejects_its_conversation_alone
);

/// The records of an export.
struct Records(Vec<ExportRecord>);

impl ExportSink for Records {
    type Error = anyhow::Error;

    fn write(&mut self, record: ExportRecord) -> anyhow::Result<()> {
        self.0.push(record);
        Ok(())
    }
}

fn scope(store: &Store, user: &str) -> Scoped {
    store.viewed_by(&Viewer::new(OwnerId::new(user).unwrap()))
}

async fn records(store: &Store, user: &str) -> Vec<ExportRecord> {
    let mut records = Records(Vec::new());
    scope(store, user).export(&mut records).await.unwrap();
    records.0
}

/// What an import brings: neither the header nor what is only for the user to read.
async fn data(store: &Store, user: &str) -> Vec<ExportRecord> {
    let mut records = records(store, user).await;
    records.retain(|record| {
        !matches!(record, ExportRecord::Header(_) | ExportRecord::Change(_) | ExportRecord::Audit(_))
    });
    records
}

fn lines(records: &[ExportRecord]) -> String {
    records.iter().map(|record| serde_json::to_string(record).unwrap() + "\n").collect()
}

/// Imports a text for a user.
async fn import(store: &Store, user: &str, text: &str) -> Report {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("export.jsonl");
    std::fs::write(&file, text).unwrap();
    let report = crate::harness::import(store, user, &file).await;
    store.index_owner(&OwnerId::new(user).unwrap()).await.unwrap();
    report
}

async fn an_export_is_one_state_of_the_database(app: TestApp) {
    let ada = app.client("ada");
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(ada.new_conversation().await);
    }
    let writer = tokio::spawn({
        let (ada, ids) = (ada.clone(), ids.clone());
        async move {
            for number in 0..200 {
                ada.append(&ids[number % ids.len()], "meanwhile").await;
            }
        }
    });
    let mut exports = Vec::new();
    while !writer.is_finished() {
        exports.push(records(&app.store, "ada").await);
    }
    writer.await.unwrap();
    assert!(exports.len() > 1);
    for export in exports {
        let (mut left, mut messages, mut changes) = (0, 0, 0);
        for record in &export {
            match record {
                ExportRecord::Conversation(conversation) => {
                    assert_eq!(left, 0, "each is followed by its messages");
                    left = conversation.messages;
                }
                ExportRecord::Message(_) => (left, messages) = (left - 1, messages + 1),
                ExportRecord::Change(_) => changes += 1,
                _ => {}
            }
        }
        assert_eq!((left, changes), (0, 20 + messages), "the feed is of the same state");
        let ExportRecord::End(end) = export.last().unwrap() else { panic!("no end") };
        assert_eq!((end.conversations, end.messages), (20, messages));
    }
}

async fn an_import_adds_what_is_missing_and_takes_nothing_of_others(app: TestApp) {
    let (ada, bob) = (app.client("ada"), app.client("bob"));
    let kept = crate::user_erasure::fill(&ada, "kept").await;
    let gone = crate::user_erasure::fill(&ada, "gone").await;
    let exported = lines(&records(&app.store, "ada").await);
    // All of it is there.
    let report = import(&app.store, "ada", &exported).await;
    assert_eq!((report.conversations, report.present, report.rejected), (0, 2, 0));
    // One is deleted, and comes back; the other was changed meanwhile, and stays.
    let delete = "mutation($id: ID!) { deleteConversation(input: { id: $id }) { deletedConversationId } }";
    ada.data(delete, json!({ "id": gone })).await;
    let rename = "mutation($id: ID!) { updateConversation(input: { id: $id, title: \"renamed\" }) { conversation { id } } }";
    ada.data(rename, json!({ "id": kept })).await;
    let report = import(&app.store, "ada", &exported).await;
    assert_eq!((report.conversations, report.messages, report.present), (1, 10, 1));
    let titles = "{ conversations(orderBy: { field: CREATED_AT, direction: ASC }) { nodes { title } } }";
    let data = ada.data(titles, json!({})).await;
    assert_eq!(data["conversations"]["nodes"], json!([{ "title": "renamed" }, { "title": "gone" }]));
    let search = "{ searchMessages(query: \"gone\") { nodes { id } } }";
    let found = ada.data(search, json!({})).await;
    assert_eq!(found["searchMessages"]["nodes"].as_array().unwrap().len(), 8);
    // Another user cannot have the same ids, and learns nothing.
    let report = import(&app.store, "bob", &exported).await;
    assert_eq!((report.conversations, report.present, report.rejected), (0, 0, 4), "and two attachments");
    let told = report.rejections().to_string();
    assert!(told.contains("its id, or the id of a message in it, belongs to something else"), "{told}");
    assert_eq!(bob.data(titles, json!({})).await["conversations"]["nodes"], json!([]));
    // The writer of a message is gone, so it is interrupted; its text so far is there.
    let status =
        "query($id: ID!) { conversation(id: $id) { messages(last: 1) { nodes { content status } } } }";
    let data = ada.data(status, json!({ "id": gone })).await;
    let node = &data["conversation"]["messages"]["nodes"][0];
    assert_eq!(*node, json!({ "content": "gone", "status": "INTERRUPTED" }));
}

async fn a_taken_id_rejects_its_conversation_alone(app: TestApp) {
    let ada = app.client("ada");
    for text in ["first", "second"] {
        crate::user_erasure::fill(&ada, text).await;
    }
    let exported = records(&app.store, "ada").await;
    let message = exported.iter().find_map(message).unwrap().id;
    let share = exported.iter().find_map(share).unwrap();
    // Each makes one conversation take an id: of a message of another user, of another message of the conversation, of a
    // share of another user, and the secret of that share.
    let faults: [&dyn Fn(&mut Renamed); 4] = [
        &|renamed| renamed.messages()[1].id = message,
        &|renamed| renamed.messages()[1].id = renamed.messages()[0].id,
        &|renamed| renamed.shares()[0].id = share.id,
        &|renamed| renamed.shares()[0].secret_hash.clone_from(&share.secret_hash),
    ];
    for (number, fault) in faults.iter().enumerate() {
        let mut renamed = Renamed(exported.clone());
        renamed.rename(number);
        fault(&mut renamed);
        let report = import(&app.store, "bob", &renamed.lines(number)).await;
        assert_eq!((report.conversations, report.rejected), (1, 1), "{number}");
        let told = report.rejections().to_string();
        assert!(told.contains("belongs to something else"), "{number}: {told}");
    }
}

fn message(record: &ExportRecord) -> Option<&ExportedMessage> {
    if let ExportRecord::Message(message) = record { Some(message) } else { None }
}

fn share(record: &ExportRecord) -> Option<&ExportedShare> {
    if let ExportRecord::Share(share) = record { Some(share) } else { None }
}

/// The data of a user with ids that nothing has yet.
struct Renamed(Vec<ExportRecord>);

impl Renamed {
    fn rename(&mut self, number: usize) {
        let new = |id: Uuid| Uuid::new_v5(&id, &[number as u8]);
        for record in &mut self.0 {
            match record {
                ExportRecord::Conversation(conversation) => conversation.id.0 = new(conversation.id.0),
                ExportRecord::Message(message) => message.id.0 = new(message.id.0),
                ExportRecord::Share(share) => {
                    share.id.0 = new(share.id.0);
                    share.secret_hash = STANDARD.encode(share_hash(&share.id.0.to_string()));
                }
                _ => {}
            }
        }
    }

    /// The lines, with ids of attachments that nothing has yet.
    fn lines(&self, number: usize) -> String {
        let mut text = lines(&self.0);
        for record in &self.0 {
            if let ExportRecord::Attachment(attachment) = record {
                let new = Uuid::new_v5(&attachment.id.0, &[number as u8]);
                text = text.replace(&attachment.id.to_string(), &new.to_string());
            }
        }
        text
    }

    fn messages(&mut self) -> Vec<&mut ExportedMessage> {
        let message = |record| match record {
            &mut ExportRecord::Message(ref mut message) => Some(message.as_mut()),
            _ => None,
        };
        self.0.iter_mut().filter_map(message).collect()
    }

    fn shares(&mut self) -> Vec<&mut ExportedShare> {
        let share = |record| match record {
            &mut ExportRecord::Share(ref mut share) => Some(share.as_mut()),
            _ => None,
        };
        self.0.iter_mut().filter_map(share).collect()
    }
}
