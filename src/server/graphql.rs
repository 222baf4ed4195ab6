//! GraphQL over HTTP (`http`), server-sent events (`sse`) and WebSockets (`websocket`).
//!
//! The transports follow their specifications where async-graphql-axum does not.

pub(super) mod body;
pub(super) mod credentials;
pub(super) mod http;
pub(super) mod media_type;
mod operations;
mod origin;
pub(super) mod recorder;
pub(super) mod response;
pub(super) mod sse;
pub(super) mod too_many_requests;
pub(super) mod websocket;
