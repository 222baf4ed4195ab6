//! Manifests of trusted documents, as front ends' builds write them.

use serde::Deserialize;
use serde_json::{Map, Value};

const APOLLO: &str = "apollo-persisted-query-manifest";

/// What Apollo's `generate-persisted-query-manifest` writes.
#[derive(Deserialize)]
struct Apollo {
    version: u32,
    operations: Vec<Operation>,
}

#[derive(Deserialize)]
struct Operation {
    id: String,
    body: String,
}

/// The documents of a manifest with their ids: Apollo's, or an object of texts by id, which is Relay's.
pub(super) fn parse(text: &str) -> Result<Vec<(String, String)>, String> {
    let manifest: Map<String, Value> =
        serde_json::from_str(text).map_err(|error| format!("not a JSON object: {error}"))?;
    let documents: Vec<(String, String)> = match manifest.get("format") {
        Some(Value::String(format)) if format == APOLLO => {
            let manifest: Apollo = serde_json::from_value(Value::Object(manifest))
                .map_err(|error| format!("not a manifest of Apollo's: {error}"))?;
            if manifest.version != 1 {
                return Err(format!("version {} of Apollo's manifest is not known, 1 is", manifest.version));
            }
            manifest.operations.into_iter().map(|operation| (operation.id, operation.body)).collect()
        }
        _ => {
            let texts = manifest.into_iter().map(|(id, document)| match document {
                Value::String(document) => Ok((id, document)),
                _ => Err(format!("{id} must be the text of a document")),
            });
            texts.collect::<Result<_, _>>()?
        }
    };
    if let Some((_, document)) = documents.iter().find(|(id, _)| id.is_empty()) {
        let start: String = document.chars().take(40).collect();
        return Err(format!("a document has no id: {start}"));
    }
    if documents.is_empty() { Err("there is no document in it".into()) } else { Ok(documents) }
}
