//! GraphQL over HTTP (`http`), server-sent events (`sse`) and WebSockets (`websocket`).
//!
//! The transports follow their specifications where async-graphql-axum does not.

mod body;
pub(super) mod credentials;
pub(super) mod http;
mod negotiate;
mod operations;
mod origin;
mod rate_limit;
mod response;
pub(super) mod sse;
pub(super) mod websocket;
