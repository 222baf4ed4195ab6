//! The JSON Schema of the records, checked by a validator.

use jsonschema::Validator;
use serde_json::{Value, json};

use super::{lines, records};
use crate::harness::{TestApp, on_each_database};

on_each_database!(an_export_is_valid_for_its_schema);

fn validator() -> Validator {
    let schema: Value = serde_json::from_str(include_str!("../../../docs/export.schema.json")).unwrap();
    jsonschema::meta::validate(&schema).unwrap();
    jsonschema::validator_for(&schema).unwrap()
}

/// Checks each line of an export.
pub(super) fn check(export: &str) {
    let validator = validator();
    for line in export.lines() {
        let record = serde_json::from_str(line).unwrap();
        let faults: Vec<_> = validator.iter_errors(&record).map(|fault| fault.to_string()).collect();
        assert!(faults.is_empty(), "{line}: {faults:?}");
    }
}

async fn an_export_is_valid_for_its_schema(app: TestApp) {
    let ada = app.client("ada");
    let id = crate::user_erasure::fill(&ada, "\"word\"").await;
    app.back_end().acting_for("ada").append(&id, "by a back end").await;
    let exported = lines(&records(&app.store, "ada").await);
    check(&exported);
    let kinds =
        ["header", "attachment", "attachmentChunk", "conversation", "message", "share", "change", "end"];
    for kind in kinds.iter().chain(&["deletedUsage", "audit"]) {
        assert!(exported.contains(&format!("\n{{\"{kind}\":")) || *kind == "header", "{kind}");
    }
    // Each key of each record is known to the schema, and required unless it may be absent.
    let validator = validator();
    for line in exported.lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        let (kind, content) = record.as_object().unwrap().iter().next().unwrap();
        assert!(!validator.is_valid(&json!({ kind: content, "other": 1 })), "{kind}");
        for key in content.as_object().into_iter().flat_map(|content| content.keys()) {
            let mut wrong = record.clone();
            wrong[kind][key] = json!({ "wrong": [1.5] });
            let is_any = ["metadata"].contains(&key.as_str());
            assert_eq!(validator.is_valid(&wrong), is_any, "{kind}.{key}");
            let mut without = record.clone();
            without[kind].as_object_mut().unwrap().remove(key);
            let is_optional = kind == "end" && key == "attachments";
            assert_eq!(validator.is_valid(&without), is_optional, "{kind} without {key}");
        }
        if content.is_object() {
            let mut more = record.clone();
            more[kind]["more"] = json!(1);
            assert!(!validator.is_valid(&more), "{kind}");
        }
    }
    for wrong in [json!({}), json!([]), json!({ "massage": {} }), json!({ "attachmentChunk": "*" })] {
        assert!(!validator.is_valid(&wrong), "{wrong}");
    }
}
