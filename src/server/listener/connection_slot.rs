//! One of the connections that there may be at once.

use std::net::IpAddr;

use tokio::sync::OwnedSemaphorePermit;

use crate::server::metrics::Counted;
use crate::server::quota::Share;

/// A connection's place among those there may be, given up when it is dropped.
pub(in crate::server) struct Place {
    pub(super) _permit: OwnedSemaphorePermit,
    pub(super) _share: Option<Share<IpAddr>>,
    pub(super) _counted: Counted,
}
