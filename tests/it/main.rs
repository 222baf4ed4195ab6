//! Scrollback from outside: over HTTP and WebSocket, on SQLite and on PostgreSQL.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "what a test does not expect ends it")]

mod harness;

mod acting;
mod appends;
mod architecture;
mod branches;
mod cancellation;
mod changes;
mod clients;
mod closed_output;
mod connections;
mod context;
mod conversations;
mod credentials;
mod documentation;
mod documents;
mod durability;
mod edges;
mod embed;
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
mod journey;
mod json;
mod messages;
mod metrics;
mod one_server;
mod outages;
mod ownership;
mod paths;
mod permissions;
mod poolers;
mod process;
mod rate_limit;
mod reads;
mod refusals;
mod replicas;
mod row_level_security;
mod schema;
mod slow;
mod sockets;
mod sse;
mod startup;
mod streams;

mod titles;
mod variables;
mod websocket;
