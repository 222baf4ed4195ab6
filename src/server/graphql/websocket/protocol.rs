//! The messages and close codes of graphql-transport-ws.

use std::time::Duration;

use async_graphql::{Request, ServerError};
use serde::Serialize;

use crate::model::{JsonObject, JsonValue};
use crate::server::graphql::body;
use crate::server::graphql::http::from_parameters;

/// The supported subprotocol.
pub(super) const SUBPROTOCOL: &str = "graphql-transport-ws";

/// A close frame of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::server) struct Close {
    pub(super) code: u16,
    pub(super) reason: String,
}

impl Close {
    pub(super) const SUBPROTOCOL: Self = Self { code: 4406, reason: String::new() };

    pub(super) fn bad_request(reason: &str) -> Self {
        Self::new(4400, reason)
    }

    pub(super) fn unauthorized() -> Self {
        Self::new(4401, "Unauthorized")
    }

    pub(in crate::server) fn forbidden(reason: &str) -> Self {
        Self::new(4403, reason)
    }

    pub(super) fn init_timeout() -> Self {
        Self::new(4408, "Connection initialisation timeout")
    }

    /// Clients reconnect automatically, unlike after 1008.
    pub(super) fn slow_message(time: Duration) -> Self {
        let time = humantime::format_duration(time);
        Self::new(4408, &format!("a large message must arrive within {time}"))
    }

    pub(super) fn subscriber_exists(id: &str) -> Self {
        Self::new(4409, &format!("Subscriber for {id} already exists"))
    }

    pub(super) fn too_many_inits() -> Self {
        Self::new(4429, "Too many initialisation requests")
    }

    /// Clients reconnect automatically (code 1013 of the registry of RFC 6455).
    pub(in crate::server) fn try_again_later(reason: &str) -> Self {
        Self::new(1013, reason)
    }

    pub(super) fn going_away() -> Self {
        Self::new(1001, "the server is shutting down")
    }

    /// The message is not UTF-8 (RFC 6455, 8.1).
    pub(super) fn not_text() -> Self {
        Self::new(1007, "Messages must be UTF-8")
    }

    /// The frame is not valid.
    pub(super) fn violation() -> Self {
        Self::new(1002, "Protocol error")
    }

    pub(super) fn too_large(limit: usize) -> Self {
        Self::new(1009, &format!("a message must be at most {limit} bytes"))
    }

    /// 1013 "try again later" instead of 4429, after which clients do not reconnect: after a network failure,
    /// lost WebSockets count until their timeout.
    pub(super) fn too_many_sockets(most: usize) -> Self {
        Self::new(1013, &format!("an owner may have at most {most} sockets open"))
    }

    pub(in crate::server) fn reason(&self) -> &str {
        &self.reason
    }

    /// A close frame has at most 123 bytes of reason (RFC 6455, 5.5.1).
    fn new(code: u16, reason: &str) -> Self {
        let mut end = reason.len().min(123);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        Self { code, reason: reason[..end].to_owned() }
    }
}

/// A message of the client.
#[derive(Debug)]
pub(super) enum ClientMessage {
    ConnectionInit { payload: Option<JsonObject> },
    Ping { payload: Option<JsonObject> },
    Pong,
    Subscribe { id: String, payload: JsonObject },
    Complete { id: String },
}

impl ClientMessage {
    pub(super) fn parse(text: &str) -> Result<Self, Close> {
        let fields = match JsonValue::read(text.as_bytes()) {
            Ok(JsonValue::Object(fields)) => Some(fields),
            _ => None,
        };
        fields.and_then(Self::of).ok_or_else(|| Close::bad_request("Invalid message received"))
    }

    /// Unknown fields are ignored.
    fn of(mut fields: JsonObject) -> Option<Self> {
        let kind = text(fields.swap_remove("type"))?;
        let id = text(fields.swap_remove("id"));
        let payload = match fields.swap_remove("payload") {
            None | Some(JsonValue::Null) => Some(None),
            Some(JsonValue::Object(payload)) => Some(Some(payload)),
            Some(_) => None,
        };
        Some(match kind.as_str() {
            "connection_init" => Self::ConnectionInit { payload: payload? },
            "ping" => Self::Ping { payload: payload? },
            "pong" => Self::Pong,
            "subscribe" => Self::Subscribe { id: id?, payload: payload?? },
            "complete" => Self::Complete { id: id? },
            _ => return None,
        })
    }
}

fn text(value: Option<JsonValue>) -> Option<String> {
    match value {
        Some(JsonValue::String(text)) => Some(text),
        _ => None,
    }
}

/// The request in a subscribe message.
pub(super) fn request(payload: JsonObject) -> Result<Request, Close> {
    from_parameters(payload).map_err(|fault| Close::bad_request(&fault.message))
}

/// A message of the server.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ServerMessage<'a> {
    ConnectionAck,
    Ping,
    Pong {
        #[serde(skip_serializing_if = "Option::is_none")]
        payload: Option<JsonObject>,
    },
    Error {
        id: &'a str,
        payload: &'a [ServerError],
    },
    Complete {
        id: &'a str,
    },
}

impl ServerMessage<'_> {
    fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

pub(super) fn connection_ack() -> String {
    ServerMessage::ConnectionAck.text()
}

pub(super) fn ping() -> String {
    ServerMessage::Ping.text()
}

pub(super) fn pong(payload: Option<JsonObject>) -> String {
    ServerMessage::Pong { payload }.text()
}

/// A `next` message with a rendered response.
pub(super) fn next(id: &str, answer: &[u8]) -> String {
    let id = serde_json::to_string(id).unwrap_or_default();
    let mut text = Vec::with_capacity(id.len() + answer.len() + 40);
    text.extend_from_slice(br#"{"type":"next","id":"#);
    text.extend_from_slice(id.as_bytes());
    text.extend_from_slice(br#","payload":"#);
    text.extend_from_slice(answer);
    text.push(b'}');
    body::text(text)
}

pub(super) fn error(id: &str, errors: &[ServerError]) -> String {
    ServerMessage::Error { id, payload: errors }.text()
}

pub(super) fn complete(id: &str) -> String {
    ServerMessage::Complete { id }.text()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Value};

    use super::*;

    #[test]
    fn close_reasons_have_at_most_123_bytes() {
        let close = Close::subscriber_exists(&"ä".repeat(200));
        assert!(close.reason.len() <= 123 && close.reason.ends_with('ä'));
    }

    #[test]
    fn client_messages_are_parsed() {
        for good in [
            r#"{"type":"connection_init"}"#,
            r#"{"type":"connection_init","payload":{"Authorization":"Bearer x"}}"#,
            r#"{"type":"ping"}"#,
            r#"{"type":"pong","payload":{"at":1}}"#,
            r#"{"id":"1","type":"subscribe","payload":{"query":"{viewer{id}}"}}"#,
            r#"{"id":"1","type":"complete"}"#,
        ] {
            assert!(ClientMessage::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "[]",
            r#"{"type":"start","id":"1"}"#,
            r#"{"type":"subscribe","payload":{"query":"{a}"}}"#,
            r#"{"type":"subscribe","id":1,"payload":{}}"#,
            r#"{"type":"connection_init","payload":1}"#,
        ] {
            assert_eq!(ClientMessage::parse(bad).unwrap_err().code, 4400, "{bad}");
        }
        assert_eq!(request(JsonObject::new()).err().unwrap().code, 4400);
    }

    #[test]
    fn server_messages_are_serialized() {
        assert_eq!(connection_ack(), r#"{"type":"connection_ack"}"#);
        assert_eq!(ping(), r#"{"type":"ping"}"#);
        assert_eq!(pong(None), r#"{"type":"pong"}"#);
        assert_eq!(complete("1"), r#"{"type":"complete","id":"1"}"#);
        assert_eq!(next("\"", br#"{"data":{}}"#), r#"{"type":"next","id":"\"","payload":{"data":{}}}"#);
        let errors = [ServerError::new("no", None)];
        assert_eq!(error("1", &errors), r#"{"type":"error","id":"1","payload":[{"message":"no"}]}"#);
    }

    /// Any JSON, more often such as a client may send than not.
    fn json() -> impl Strategy<Value = Value> {
        const NAMES: &[&str] =
            &["type", "id", "payload", "query", "variables", "operationName", "extensions", "x"];
        const TYPES: &[&str] = &["connection_init", "ping", "pong", "subscribe", "complete", "next", "x"];
        let text = prop_oneof![prop::sample::select(TYPES).prop_map(str::to_owned), ".{0,8}"];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            text.prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            let fields = (prop::sample::select(NAMES).prop_map(str::to_owned), inner.clone());
            prop_oneof![
                prop::collection::vec(inner, 0..4).prop_map(Value::from),
                prop::collection::vec(fields, 0..6)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    fn object() -> impl Strategy<Value = Map<String, Value>> {
        json().prop_map(|value| match value {
            Value::Object(fields) => fields,
            other => Map::from_iter([("query".to_owned(), other)]),
        })
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_rejected(any in any::<String>(), json in json(), abort: prop::sample::Index) {
            let mut text = json.to_string();
            let whole = text.clone();
            let end = text.char_indices().map(|(at, _)| at).nth(abort.index(text.chars().count()));
            text.truncate(end.unwrap_or_default());
            for text in [any, whole, text] {
                if let Err(close) = ClientMessage::parse(&text) {
                    prop_assert!(close.code == 4400 && close.reason.len() <= 123, "{}", text);
                }
            }
        }

        #[test]
        fn subscribe_payloads_are_parsed_unchanged(id in any::<String>(), payload in object()) {
            let text = serde_json::json!({ "type": "subscribe", "id": id, "payload": payload }).to_string();
            let Ok(ClientMessage::Subscribe { id: read, payload: found }) = ClientMessage::parse(&text) else {
                panic!("{text}")
            };
            prop_assert_eq!(&read, &id);
            prop_assert_eq!(serde_json::to_value(&found).unwrap(), Value::Object(payload.clone()));
            match request(found) {
                Ok(request) => prop_assert_eq!(Some(&*request.query), payload["query"].as_str()),
                Err(close) => prop_assert!(close.code == 4400 && close.reason.len() <= 123),
            }
        }
    }
}
