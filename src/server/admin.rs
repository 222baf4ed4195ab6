//! Health and metrics.

pub(super) mod check;
pub(super) mod health;
pub(super) mod metrics;
mod text_format;
