//! Scrollback.

pub mod app;
pub mod auth;
pub mod cli;
pub mod clock;
pub mod config;
pub mod feed;
pub mod graphql;
pub mod import;
pub mod model;
pub mod server;
pub mod signals;
pub mod store;
pub mod telemetry;
