//! What background jobs did, for metrics.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The figures of all background jobs of this process. Clones share them.
#[derive(Clone, Default)]
pub struct JobFigures(Arc<Mutex<Vec<Arc<JobFigure>>>>);

/// The figures of a background job.
pub struct JobFigure {
    /// The name of the job, a fixed word.
    pub name: &'static str,
    succeeded: AtomicU64,
    failed: AtomicU64,
    nanos: AtomicU64,
    last_success: AtomicU64,
}

impl JobFigures {
    /// Figures of a job that starts.
    pub fn add(&self, name: &'static str) -> Arc<JobFigure> {
        let figure = Arc::new(JobFigure {
            name,
            succeeded: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            nanos: AtomicU64::new(0),
            last_success: AtomicU64::new(0),
        });
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(figure.clone());
        figure
    }

    /// The jobs that were started.
    pub(super) fn all(&self) -> Vec<Arc<JobFigure>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl JobFigure {
    /// Counts a run of the job.
    pub async fn run<T, E>(&self, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let started = Instant::now();
        let done = work.await;
        let nanos = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
        if done.is_ok() {
            let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            self.last_success.store(since_1970.as_secs(), Ordering::Relaxed);
            self.succeeded.fetch_add(1, Ordering::Relaxed);
        } else {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
        done
    }

    /// The runs that succeeded, and those that failed.
    pub(super) fn runs(&self) -> (u64, u64) {
        (self.succeeded.load(Ordering::Relaxed), self.failed.load(Ordering::Relaxed))
    }

    /// The time of all runs together.
    pub(super) fn duration(&self) -> Duration {
        Duration::from_nanos(self.nanos.load(Ordering::Relaxed))
    }

    /// The end of the last run that succeeded, in seconds since 1970. 0: there was none.
    pub(super) fn last_success(&self) -> u64 {
        self.last_success.load(Ordering::Relaxed)
    }
}
