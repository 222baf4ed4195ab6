//! Webhooks: who delivers, whether deliveries fail, and how far they are in the changes of each owner.

mod commands;
mod lease;
mod positions;
mod replay;

pub use lease::WebhookLease;
pub use replay::ReplayStart;
