//! Scrollback from outside: over HTTP and WebSocket, on SQLite and on PostgreSQL.

mod harness;

mod clients;
mod conversations;
mod durability;
mod http;
mod import;
mod messages;
mod ownership;
mod process;
mod schema;
mod websocket;
