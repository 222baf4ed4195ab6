//! Rate limits of requests.

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response as HttpResponse;

use super::media_type::MediaType;
use super::response::write;
use crate::graphql::rate_limited;
use crate::model::Viewer;
use crate::server::state::ServerState;

impl ServerState {
    /// Counts an operation of the viewer.
    ///
    /// # Errors
    /// The rate limit is exceeded. The error is the time to wait.
    pub(in crate::server) fn check_rate(&self, viewer: &Viewer) -> Result<(), Duration> {
        self.rate.check(&viewer.owner)
    }
}

/// The response to a request over the rate limit: 429 with `Retry-After` (RFC 6585, 4). The body is not read
/// yet, so the status is the same for every media type.
pub(in crate::server) fn reject(media_type: MediaType, wait: Duration) -> HttpResponse {
    let mut response = write(StatusCode::TOO_MANY_REQUESTS, media_type, &rate_limited(wait));
    response.headers_mut().insert(header::RETRY_AFTER, retry_after(wait));
    response
}

/// The time to wait, in whole seconds.
pub(in crate::server) fn retry_after(wait: Duration) -> HeaderValue {
    HeaderValue::from(wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
}
