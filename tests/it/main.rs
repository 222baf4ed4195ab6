//! Scrollback from outside: over HTTP and WebSocket, on SQLite and on PostgreSQL.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "what a test does not expect ends it")]

mod harness;

mod act_as;
mod appends;
mod architecture;
mod branches;
mod cancellation;
mod changes;
mod clients;
mod closed_output;
mod connections;
mod conversations;
mod credentials;
mod documentation;
mod durability;
mod early_responses;
mod edges;
mod embed;
mod end_to_end;
mod entities;
mod erasure;
mod history;
mod hostile;
mod http;
mod http2;
mod import;
mod import_files;
mod interruptions;
mod introspection;
mod json;
mod messages;
mod metrics;
mod outages;
mod ownership;
mod paths;
mod permissions;
mod persisted_documents;
mod poolers;
mod process;
mod rate_limit;
mod reads;
mod replicas;
mod row_level_security;
mod schema;
mod search;
mod server_lock;
mod slow_subscribers;
mod sockets;
mod sse;
mod startup;
mod streams;

mod titles;
mod variables;
mod websocket;
