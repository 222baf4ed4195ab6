//! Key sets at a URL: fetched, cached, and fetched again.
//!
//! One task fetches, so no two requests to the endpoint are ever under way. It does so when the keys
//! have reached their age, and when a token names a key that is not among them, but at most once in a
//! cooldown: invented key ids cannot make the server send requests. While the endpoint is away the keys are
//! kept, for a day unless configured otherwise, and the endpoint is tried once in a cooldown; while there
//! are no keys at all, more often at first.

use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::Header;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until, timeout};

use super::error::AuthError;
use super::fetcher::{Fetcher, TIMEOUT};
use super::key::{KeyLookup, VerificationKeys};

/// When keys are fetched.
#[derive(Debug, Clone, Copy)]
pub struct KeySetTiming {
    /// How old keys become before they are fetched again.
    pub refresh: Duration,
    /// How long after a fetch the next one may begin at the earliest.
    pub cooldown: Duration,
    /// How old keys may become while they cannot be fetched.
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

/// The first wait between two attempts while there are no keys. It doubles up to the cooldown.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// The keys of one issuer. The task that fetches ends with it.
pub(super) struct KeySet {
    state: watch::Receiver<KeySetState>,
    fetch_requested: Arc<Notify>,
    timing: KeySetTiming,
    task: AbortHandle,
}

/// What is known.
#[derive(Clone, Default)]
struct KeySetState {
    keys: Arc<VerificationKeys>,
    /// When `keys` were fetched.
    fetched_at: Option<Instant>,
    /// When the last attempt ended; `None` before the first.
    attempted_at: Option<Instant>,
    /// Whether that attempt failed.
    failed: bool,
    /// Whether one is under way.
    fetching: bool,
    attempts: u32,
}

impl KeySet {
    /// Begins to fetch.
    pub(super) fn start(fetcher: Fetcher, timing: KeySetTiming) -> Self {
        let (sender, state) = watch::channel(KeySetState { fetching: true, ..KeySetState::default() });
        let fetch_requested = Arc::new(Notify::new());
        let task = tokio::spawn(run_fetcher(fetcher, timing, sender, fetch_requested.clone())).abort_handle();
        Self { state, fetch_requested, timing, task }
    }

    /// Whether there are keys that are not too old.
    pub(super) fn is_ready(&self) -> bool {
        self.usable(&self.state.borrow())
    }

    fn usable(&self, state: &KeySetState) -> bool {
        state.fetched_at.is_some_and(|at| at.elapsed() <= self.timing.keep)
    }

    /// The key for a token. A name that is not known may be a new key's: then the set is fetched, where
    /// the last fetch is long enough ago.
    ///
    /// # Errors
    /// `Unavailable`: whether the token is good cannot be was_failing now.
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
            // The key may be one that could not be fetched.
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
                // Not with every fetch.
                if !keys.wrong_size.is_empty() && keys.wrong_size != state.borrow().keys.wrong_size {
                    let left_out = &keys.wrong_size;
                    tracing::warn!(?left_out, "not all keys of {uri} are used: RSA needs 2048 to 4096 bits");
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
