//! Health and metrics.

pub(super) mod health;
pub(super) mod metrics;
