//! The limit of open files: every connection needs one, and the default limit of systems is low.

/// Files besides those of connections: the database, its log, the standard streams, and rejected connections.
const OTHER_FILES: u64 = 100 + super::accept::MAX_REJECTING as u64;

/// Raises the limit of the process for this number of connections, as far as the system allows.
pub(in crate::server) fn raise_limit(connections: usize) {
    let wanted = OTHER_FILES.saturating_add(connections as u64);
    match rlimit::increase_nofile_limit(wanted) {
        Ok(granted) if granted < wanted => tracing::warn!(
            granted,
            wanted,
            "the limit of open files is lower than `server.max_connections` needs"
        ),
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "cannot raise the limit of open files"),
    }
}

/// How many files the process may open, at most, and how many this number of connections needs.
pub fn open_file_limit(connections: usize) -> (u64, u64) {
    let wanted = OTHER_FILES.saturating_add(connections as u64);
    let granted = rlimit::Resource::NOFILE.get().map_or(0, |(_, hard)| hard);
    (granted, wanted)
}
