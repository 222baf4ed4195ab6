//! TCP connections: their limits and timeouts, HTTP/1.1 and HTTP/2.

pub(super) mod accept;
pub(super) mod address;
pub(super) mod connection;
pub(super) mod connection_slot;
pub(super) mod open_files;
