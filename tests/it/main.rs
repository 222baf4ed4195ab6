//! Scrollback from outside: over HTTP and WebSocket, on SQLite and on PostgreSQL.

mod harness;

mod clients;
mod conversations;
mod http;
mod messages;
mod ownership;
mod schema;
mod websocket;
