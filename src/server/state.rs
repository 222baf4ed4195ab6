//! The shared state of all handlers.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::drain::Drain;
use super::metrics::Metrics;
use super::quota::Quota;
use super::settings::Settings;
use crate::auth::Authenticator;
use crate::clock::Clock;
use crate::graphql::{Api, RequestId};
use crate::model::{OwnerId, Viewer};
use crate::rate_limit::RateLimiter;
use crate::store::Store;

/// The shared state of all handlers.
#[derive(Clone)]
pub(super) struct HandlerState(pub(super) Arc<ServerState>);

pub(super) struct ServerState {
    pub(super) api: Api,
    pub(super) store: Store,
    pub(super) authenticator: Authenticator,
    pub(super) clock: Clock,
    pub(super) rate: RateLimiter,
    pub(super) settings: Settings,
    pub(super) metrics: Arc<Metrics>,
    /// Cancelled when the shutdown begins.
    pub(super) closing: CancellationToken,
    /// Cancelled when the time for running operations is over.
    pub(super) abort: CancellationToken,
    pub(super) drain: Arc<Drain>,
    /// The WebSockets of each owner.
    pub(super) socket_quota: Arc<Quota<OwnerId>>,
    /// The streams of each owner.
    pub(super) stream_quota: Arc<Quota<OwnerId>>,
    /// The uploads of each owner.
    pub(super) upload_quota: Arc<Quota<OwnerId>>,
    /// The uploads of all owners: each takes megabytes.
    pub(super) uploads: Semaphore,
    /// Lets few pages of shares be made at a time: each takes megabytes.
    pub(super) share_pages: Semaphore,
    /// The exports of each owner.
    pub(super) export_quota: Arc<Quota<OwnerId>>,
    /// The exports of all owners: each holds a connection to the database.
    pub(super) exports: Arc<Semaphore>,
    /// The imports of each owner.
    pub(super) import_quota: Arc<Quota<OwnerId>>,
    /// The imports of all owners: each has a thread.
    pub(super) imports: Arc<Semaphore>,
    /// The tasks that outlive the handler that started them: WebSockets and exports.
    pub(super) tasks: TaskTracker,
}

/// The lifetime of credentials that do not expire. It can be added to an instant without overflow.
const NEVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

impl ServerState {
    /// The time until the viewer's credentials expire.
    pub(super) fn credential_lifetime(&self, viewer: &Viewer) -> Duration {
        viewer.expires_at.map_or(NEVER, |at| {
            let micros = at.0.saturating_sub(self.clock.now().0);
            Duration::from_micros(u64::try_from(micros).unwrap_or_default()).min(NEVER)
        })
    }

    /// Resolves when the viewer's credentials expire or are revoked, or when this stream must close at shutdown.
    pub(super) fn ended(&self, viewer: &Viewer) -> impl Future<Output = ()> + Send + use<> {
        let (guard, left) = (self.drain.enter(), self.credential_lifetime(viewer));
        let revoked = self.authenticator.revoked(viewer);
        async move {
            tokio::select! {
                () = guard.must_close() => {}
                () = revoked => {}
                () = tokio::time::sleep(left) => {}
            }
        }
    }

    pub(super) fn new_request(&self) -> RequestId {
        RequestId(self.clock.new_id())
    }
}
