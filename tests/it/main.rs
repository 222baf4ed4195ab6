//! Scrollback from outside: over HTTP and WebSocket, on SQLite and on PostgreSQL.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "what a test does not expect ends it")]

mod harness;

mod acting;
mod branches;
mod changes;
mod clients;
mod conversations;
mod credentials;
mod documents;
mod durability;
mod history;
mod hostile;
mod http;
mod import;
mod interruptions;
mod introspection;
mod messages;
mod ownership;
mod paths;
mod process;
mod rate;
mod replicas;
mod schema;
mod slow;
mod sse;
mod streams;
mod tidy;
mod variables;
mod websocket;
