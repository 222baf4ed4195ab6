//! Full-text search: cuts texts into terms, parses queries, and shows matches in context.
//!
//! A crate of its own because both the server and the migrations index texts.

pub mod analysis;
pub mod evaluate;
pub mod index;
pub mod query;
pub mod snippet;
