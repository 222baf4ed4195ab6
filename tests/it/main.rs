//! Scrollback from outside: over HTTP and WebSocket, on SQLite and on PostgreSQL.

mod harness;

mod conversations;
mod messages;
mod ownership;
mod schema;
