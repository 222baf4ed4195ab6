//! Open files: every connection is one, and systems grant few unless they are asked.

/// What the process needs besides connections: the database, its log, the standard streams, and refused
/// connections.
const OTHER_FILES: u64 = 100 + super::accept::MAX_REJECTING as u64;

/// Raises the process's own limit so that it can have as many connections, as far as the system lets it.
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
