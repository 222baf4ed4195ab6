//! TCP connections: how many there may be, how long clients may take, HTTP/1.1 and HTTP/2.

pub(super) mod accept;
pub(super) mod connection;
pub(super) mod connection_slot;
pub(super) mod open_files;
