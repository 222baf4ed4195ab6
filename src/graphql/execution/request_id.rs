//! The id of a request.

use std::fmt;

use uuid::Uuid;

/// Names one operation in the log and in the error that a client sees.
#[derive(Debug, Clone, Copy)]
pub struct RequestId(pub Uuid);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
