use serde_json::json;

use super::*;
use crate::config::Config;
use crate::graphql::schema::validator;

const WHO: &str = "{ viewer { id } }";

fn limits() -> Limits {
    crate::app::limits(&Config::default())
}

fn documents(manifest: &serde_json::Value, only: bool) -> Result<PersistedDocuments, String> {
    let manifests = [("manifest.json".to_owned(), manifest.to_string())];
    PersistedDocuments::new(
        &manifests,
        only,
        Some(PersistedDocumentLimits { entries: 3, bytes: 10_000 }),
        &limits(),
        validator,
    )
}

fn automatic(entries: usize, bytes: usize) -> PersistedDocuments {
    PersistedDocuments::new(
        &[],
        false,
        Some(PersistedDocumentLimits { entries, bytes }),
        &limits(),
        validator,
    )
    .unwrap()
}

fn apollo(operations: &[(&str, &str)]) -> serde_json::Value {
    let operations: Vec<_> = operations
        .iter()
        .map(|(id, body)| json!({ "id": id, "name": "N", "type": "query", "body": body }))
        .collect();
    json!({ "format": "apollo-persisted-query-manifest", "version": 1, "operations": operations })
}

#[test]
fn a_hash_is_written_as_clients_write_it() {
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(document_hash(""), empty);
    assert!(is_hash(empty) && !is_hash(&empty.to_uppercase()) && !is_hash(&empty[1..]));
}

#[test]
fn manifests_are_read_as_apollo_and_relay_write_them() {
    let hash = document_hash(WHO);
    let both = [apollo(&[(&hash, WHO), ("custom", WHO)]), json!({ "0123456789abcdef": WHO })];
    for (manifest, ids) in both.iter().zip([vec![hash.as_str(), "custom"], vec!["0123456789abcdef", &hash]]) {
        let documents = documents(manifest, true).unwrap();
        for id in ids {
            assert_eq!(documents.find(id).as_deref(), Some(WHO), "{id}");
            assert_eq!(documents.find(&format!("sha256:{id}")).as_deref(), Some(WHO), "{id}");
        }
        assert_eq!(documents.find("other"), None);
    }
}

#[test]
fn a_manifest_that_cannot_be_used_is_refused_with_file_and_reason() {
    for (manifest, reason) in [
        (json!([]), "not a JSON object"),
        (json!({}), "there is no document in it"),
        (apollo(&[]), "there is no document in it"),
        (json!({ "format": "apollo-persisted-query-manifest", "version": 2, "operations": [] }), "version 2"),
        (json!({ "format": "apollo-persisted-query-manifest", "version": 1 }), "missing field `operations`"),
        (json!({ "a": 1 }), "a must be the text of a document"),
        (json!({ "": WHO }), "a document has no id: { viewer"),
        (json!({ "broken": "{ viewer " }), "the document broken: "),
        (json!({ "deep": "{a".repeat(100) }), "the document deep: the document has 100 levels of brackets"),
        (apollo(&[("a", WHO), ("a", "{ viewer { actor } }")]), "the document a: another has the same id"),
    ] {
        let refusal = documents(&manifest, true).err().unwrap_or_else(|| panic!("{manifest}"));
        assert!(refusal.starts_with("manifest.json: ") && refusal.contains(reason), "{refusal}");
    }
}

#[test]
fn the_least_recently_used_documents_are_evicted() {
    let documents = automatic(3, 10_000);
    for id in ["a", "b", "c"] {
        documents.remember(id.into(), WHO);
    }
    assert!(documents.find("a").is_some());
    documents.remember("d".into(), WHO);
    assert_eq!(documents.find("b"), None);
    assert!(["a", "c", "d"].into_iter().all(|id| documents.find(id).is_some()));
}

#[test]
fn automatic_documents_are_bounded_in_bytes() {
    let documents = automatic(1000, 5_000);
    for id in 0..1000 {
        documents.remember(id.to_string(), &"x".repeat(1_000));
        documents.remember(id.to_string(), &"x".repeat(1_000));
    }
    let kept = documents.0.automatic.as_ref().unwrap().kept.lock().unwrap();
    assert_eq!((kept.documents.len(), kept.bytes), (3, 3 * 1_256));
    drop(kept);
    documents.remember("large".into(), &"x".repeat(6_000));
    assert_eq!(documents.find("large"), None);
    assert_eq!(documents.0.automatic.as_ref().unwrap().kept.lock().unwrap().bytes, 0);
}
