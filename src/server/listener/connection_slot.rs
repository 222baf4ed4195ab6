//! One of the connections that there may be at once.

use std::net::IpAddr;

use tokio::sync::OwnedSemaphorePermit;

use crate::server::metrics::GaugeGuard;
use crate::server::quota::QuotaPermit;

/// A connection's place among those there may be, given up when it is dropped.
pub(in crate::server) struct ConnectionSlot {
    pub(super) _permit: OwnedSemaphorePermit,
    pub(super) _share: Option<QuotaPermit<IpAddr>>,
    pub(super) _counted: GaugeGuard,
}
