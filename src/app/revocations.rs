//! Reads revocations of tokens from the database, where commands store them.

use std::time::Duration;

use crate::auth::RevocationList;
use crate::clock::Clock;
use crate::store::{Result, Store, in_background};

/// How often new ones are looked for. A revocation holds on all servers within a second.
const INTERVAL: Duration = Duration::from_millis(400);

/// How often those of tokens that have expired are deleted.
const TRIM_INTERVAL: Duration = Duration::from_secs(3600);

/// The revocations that a server knows.
pub(super) struct Revocations {
    store: Store,
    clock: Clock,
    list: RevocationList,
    /// The number of the last one.
    last: i64,
}

impl Revocations {
    /// All that there are. A server that does not know them accepts no requests.
    pub(super) async fn load(store: &Store, clock: &Clock) -> Result<Self> {
        let list = RevocationList::default();
        let mut revocations = Self { store: store.clone(), clock: clock.clone(), list, last: 0 };
        revocations.read().await?;
        Ok(revocations)
    }

    pub(super) fn list(&self) -> RevocationList {
        self.list.clone()
    }

    async fn read(&mut self) -> Result<()> {
        let (last, found) = self.store.revocations_after(self.last).await?;
        self.last = last;
        if !found.is_empty() {
            self.list.update(found, self.clock.now());
        }
        Ok(())
    }

    /// Looks for new ones, for ever.
    pub(super) async fn follow(mut self) {
        let mut is_failing = false;
        let mut since_trim = Duration::ZERO;
        loop {
            tokio::time::sleep(INTERVAL).await;
            let mut read = in_background(self.read()).await;
            since_trim += INTERVAL;
            if since_trim >= TRIM_INTERVAL && read.is_ok() {
                since_trim = Duration::ZERO;
                self.list.update(Vec::new(), self.clock.now());
                read = in_background(self.store.trim_revocations()).await.map(drop);
            }
            // Logged when it begins and when it ends: the database may be away for long.
            match read {
                Ok(()) if is_failing => {
                    is_failing = false;
                    tracing::info!("revocations of tokens can be read again");
                }
                Err(error) if !is_failing => {
                    is_failing = true;
                    tracing::warn!(%error, "cannot read revocations of tokens: new ones do not hold yet");
                }
                Ok(()) | Err(_) => {}
            }
        }
    }
}
