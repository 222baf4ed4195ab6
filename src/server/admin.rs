//! Health, metrics and the filter of the log.

pub(super) mod check;
pub(super) mod health;
pub(super) mod log;
pub(super) mod metrics;
mod text_format;
