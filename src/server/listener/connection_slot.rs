//! Slots of open connections.

use std::net::IpAddr;

use tokio::sync::OwnedSemaphorePermit;

use crate::server::metrics::GaugeGuard;
use crate::server::quota::QuotaPermit;

/// Counts a connection against the limits until it is dropped.
pub(in crate::server) struct ConnectionSlot {
    _permit: OwnedSemaphorePermit,
    _permit_of_address: Option<QuotaPermit<IpAddr>>,
    _gauge: GaugeGuard,
}

impl ConnectionSlot {
    pub(super) fn new(
        permit: OwnedSemaphorePermit,
        permit_of_address: Option<QuotaPermit<IpAddr>>,
        gauge: GaugeGuard,
    ) -> Self {
        Self { _permit: permit, _permit_of_address: permit_of_address, _gauge: gauge }
    }
}
