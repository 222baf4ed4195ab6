//! Parses GraphQL requests from HTTP requests.

use async_graphql::Request;

use crate::graphql::{DOCUMENT_ID, value_of, variables_of};
use crate::memory::{MemoryError, MemoryReservation};
use crate::model::{JsonObject, JsonValue};
use crate::server::json_body;
pub(in crate::server) use crate::server::json_body::RequestError;
use crate::server::settings::Settings;

/// The extension of automatic persisted queries.
const PERSISTED_QUERY: &str = "persistedQuery";

/// Reads the body of a POST within its limits of size and time. Its memory is reserved meanwhile.
pub(super) async fn from_body(
    request: axum::extract::Request,
    settings: &Settings,
    reserve_request: impl Fn(usize) -> Result<MemoryReservation, MemoryError>,
) -> Result<Request, RequestError> {
    let (value, _held) = json_body::read(request, settings, reserve_request).await?;
    match value {
        JsonValue::Object(parameters) => from_parameters(parameters),
        JsonValue::Array(_) => Err(RequestError::bad("batches are not supported")),
        _ => Err(RequestError::bad("the body must be a JSON object")),
    }
}

/// Parses the query string of a GET.
pub(super) fn from_query(query: &str) -> Result<Request, RequestError> {
    let mut parameters = JsonObject::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let value = match &*name {
            "query" | "operationName" | DOCUMENT_ID => JsonValue::String(value.into_owned()),
            "variables" | "extensions" if value.is_empty() => continue,
            "variables" | "extensions" => JsonValue::read(value.as_bytes())
                .map_err(|fault| RequestError::not_json(&format!("`{name}`"), fault))?,
            _ => continue,
        };
        parameters.insert(name.into_owned(), value);
    }
    from_parameters(parameters)
}

/// Parses the parameters of a request. Unknown ones are ignored, as the specification requires. A document
/// may be sent as text or by id.
pub(in crate::server) fn from_parameters(mut parameters: JsonObject) -> Result<Request, RequestError> {
    let extensions = match parameters.swap_remove("extensions") {
        None | Some(JsonValue::Null) => JsonObject::new(),
        Some(JsonValue::Object(extensions)) => extensions,
        Some(_) => return Err(RequestError::bad("`extensions` must be an object")),
    };
    let named = [extensions.get_key_value(PERSISTED_QUERY), parameters.get_key_value(DOCUMENT_ID)];
    let named: Vec<_> = named.into_iter().flatten().filter(|(_, value)| **value != JsonValue::Null).collect();
    let mut request = match parameters.get("query") {
        Some(JsonValue::String(query)) => Request::new(query),
        None | Some(JsonValue::Null) if !named.is_empty() => Request::new(""),
        _ => return Err(RequestError::bad("`query` must be given as a string")),
    };
    for (name, value) in named {
        request.extensions.insert(name.clone(), value_of(value.clone()));
    }
    match parameters.swap_remove("operationName") {
        None | Some(JsonValue::Null) => {}
        Some(JsonValue::String(name)) => request = request.operation_name(name),
        Some(_) => return Err(RequestError::bad("`operationName` must be a string")),
    }
    match parameters.swap_remove("variables") {
        None | Some(JsonValue::Null) => {}
        Some(JsonValue::Object(given)) => request = request.variables(variables_of(given)),
        Some(_) => return Err(RequestError::bad("`variables` must be an object")),
    }
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_string_holds_the_parameters() {
        let request =
            from_query("query=%7Bviewer%7Bid%7D%7D&variables=%7B%22a%22%3A1%7D&operationName=A&other=1");
        let request = request.unwrap();
        assert_eq!(request.query, "{viewer{id}}");
        assert_eq!(request.operation_name.as_deref(), Some("A"));
        assert_eq!(serde_json::to_string(&request.variables).unwrap(), r#"{"a":1}"#);
        for wrong in
            ["", "query=", "query=x&variables=%7B", "query=x&variables=%5B%5D", "query=x&extensions=1"]
        {
            assert!(from_query(wrong).is_err() == (wrong != "query="), "{wrong}");
        }
    }
}
