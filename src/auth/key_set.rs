//! Key sets that are fetched from a URL and cached.
//!
//! One task fetches, so there is never more than one request at a time. It fetches when the keys have reached
//! the refresh interval and when a token has an unknown key id, but at most once in the cooldown: invented
//! key ids cannot cause more requests. If a fetch fails, the keys are kept, by default for a day, and the
//! task retries once in the cooldown. Without any keys it retries earlier at first.

use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::Header;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until, timeout};

use super::error::AuthError;
use super::fetcher::{Fetcher, KeySetSource, TIMEOUT};
use super::key::{KeyLookup, VerificationKeys};

/// The intervals at which keys are fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeySetTiming {
    /// The age at which keys are fetched again.
    pub refresh: Duration,
    /// The shortest time between two fetches.
    pub cooldown: Duration,
    /// The age at which keys expire if they cannot be fetched.
    pub keep: Duration,
}

impl Default for KeySetTiming {
    fn default() -> Self {
        Self {
            refresh: Duration::from_secs(600),
            cooldown: Duration::from_secs(60),
            keep: Duration::from_secs(24 * 3600),
        }
    }
}

/// The first delay between two attempts if there are no keys. It doubles up to the cooldown.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// The keys of one issuer. Dropping it ends the task that fetches.
pub(super) struct KeySet {
    state: watch::Receiver<KeySetState>,
    fetch_requested: Arc<Notify>,
    timing: KeySetTiming,
    source: KeySetSource,
    task: AbortHandle,
}

/// The cached keys and the state of fetching.
#[derive(Clone, Default)]
struct KeySetState {
    keys: Arc<VerificationKeys>,
    /// The time at which `keys` were fetched.
    fetched_at: Option<Instant>,
    /// The time at which the last attempt ended. `None` before the first.
    attempted_at: Option<Instant>,
    /// Whether that attempt failed.
    failed: bool,
    /// Whether an attempt is running.
    fetching: bool,
    attempts: u32,
}

impl KeySet {
    /// Starts to fetch.
    pub(super) fn start(fetcher: Fetcher, timing: KeySetTiming) -> Self {
        let (sender, state) = watch::channel(KeySetState { fetching: true, ..KeySetState::default() });
        let fetch_requested = Arc::new(Notify::new());
        let source = fetcher.source().clone();
        let task = tokio::spawn(run_fetcher(fetcher, timing, sender, fetch_requested.clone())).abort_handle();
        Self { state, fetch_requested, timing, source, task }
    }

    /// Whether these are the keys that this fetcher would fetch, at these intervals.
    pub(super) fn is_of(&self, fetcher: &Fetcher, timing: KeySetTiming) -> bool {
        self.source == *fetcher.source() && self.timing == timing
    }

    /// Whether there are keys that have not expired.
    pub(super) fn is_ready(&self) -> bool {
        self.usable(&self.state.borrow())
    }

    fn usable(&self, state: &KeySetState) -> bool {
        state.fetched_at.is_some_and(|at| at.elapsed() <= self.timing.keep)
    }

    /// Selects the key for a token. An unknown key id may be a new key, so the set is fetched again if the
    /// cooldown allows it.
    ///
    /// # Errors
    /// `KeysUnavailable`: the token cannot be verified now.
    pub(super) async fn choose(&self, header: &Header) -> Result<KeyLookup, AuthError> {
        let before = self.state.borrow().clone();
        if self.usable(&before) {
            match before.keys.choose(header) {
                KeyLookup::Unknown => {}
                choice => return Ok(choice),
            }
        }
        let is_due = before.attempted_at.is_none_or(|at| at.elapsed() >= self.timing.cooldown);
        if before.fetching || is_due {
            if !before.fetching {
                self.fetch_requested.notify_one();
            }
            let mut state = self.state.clone();
            let done = state.wait_for(|state| state.attempts > before.attempts);
            let _ = timeout(2 * TIMEOUT, done).await;
        }
        let after = self.state.borrow().clone();
        if !self.usable(&after) {
            return Err(AuthError::KeysUnavailable);
        }
        match after.keys.choose(header) {
            // The last fetch failed, so the key may exist.
            KeyLookup::Unknown if after.failed => Err(AuthError::KeysUnavailable),
            choice => Ok(choice),
        }
    }
}

impl Drop for KeySet {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run_fetcher(
    fetcher: Fetcher,
    timing: KeySetTiming,
    state: watch::Sender<KeySetState>,
    fetch_requested: Arc<Notify>,
) {
    let uri = fetcher.uri().clone();
    let mut wait = FIRST_WAIT;
    loop {
        state.send_modify(|state| state.fetching = true);
        let fetched = match fetcher.fetch().await {
            Ok(text) => VerificationKeys::parse(&text),
            Err(error) => Err(error),
        };
        let was_failing = state.borrow().failed;
        match &fetched {
            Ok(keys) => {
                tracing::debug!(keys = keys.len(), "fetched the keys of {uri}");
                // Logged only when it changes.
                if !keys.wrong_size.is_empty() && keys.wrong_size != state.borrow().keys.wrong_size {
                    let left_out = &keys.wrong_size;
                    tracing::warn!(
                        ?left_out,
                        "some keys of {uri} are ignored: RSA keys must have 2048 to 4096 bits"
                    );
                }
            }
            Err(_) if was_failing => {}
            Err(error) => tracing::warn!(error = format!("{error:#}"), "cannot fetch the keys of {uri}"),
        }
        if fetched.is_ok() && was_failing {
            tracing::info!("fetched the keys of {uri} again");
        }
        let now = Instant::now();
        state.send_modify(|state| {
            state.failed = fetched.is_err();
            if let Ok(keys) = fetched {
                (state.keys, state.fetched_at) = (Arc::new(keys), Some(now));
            }
            (state.attempted_at, state.fetching) = (Some(now), false);
            state.attempts = state.attempts.wrapping_add(1);
        });
        let KeySetState { failed, fetched_at, .. } = state.borrow().clone();
        let pause = match fetched_at {
            Some(_) if !failed => timing.refresh.max(timing.cooldown),
            Some(_) => timing.cooldown,
            None => {
                let pause = wait.min(timing.cooldown);
                wait = (2 * wait).min(timing.cooldown.max(FIRST_WAIT));
                pause
            }
        };
        let requested = async {
            sleep_until(now + timing.cooldown).await;
            fetch_requested.notified().await;
        };
        tokio::select! {
            () = sleep_until(now + pause) => {}
            () = requested => {}
        }
    }
}
