//! Panics are faults of the program: they are logged and counted.

use std::backtrace::Backtrace;
use std::panic::{PanicHookInfo, set_hook};
use std::sync::atomic::{AtomicU64, Ordering};

/// The panics of this process since [`log`] was called.
static COUNT: AtomicU64 = AtomicU64::new(0);

/// Logs and counts panics from now on, instead of printing them to standard error.
pub fn log() {
    set_hook(Box::new(log_panic));
}

/// The number of panics of this process since [`log`] was called.
pub fn count() -> u64 {
    COUNT.load(Ordering::Relaxed)
}

/// A message that was made at run time can contain a text of a user, so only fixed messages are logged.
fn log_panic(info: &PanicHookInfo<'_>) {
    COUNT.fetch_add(1, Ordering::Relaxed);
    let message = info.payload().downcast_ref::<&'static str>().copied().unwrap_or("(a message with data)");
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    let backtrace = Backtrace::capture();
    tracing::error!(%place, message, %backtrace, "the program has a fault: it panicked");
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Collects what is logged.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is logged of a panic in a thread of its own, and by how much the count grew.
    fn logged(panicking: fn()) -> (String, u64) {
        let log = Log::default();
        let writer = log.clone();
        let before = count();
        let thread = std::thread::spawn(move || {
            let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
            tracing::subscriber::with_default(subscriber, panicking);
        });
        assert!(thread.join().is_err());
        (String::from_utf8(log.0.lock().unwrap().clone()).unwrap(), count() - before)
    }

    #[test]
    fn panics_are_counted_and_logged_without_data() {
        let previous = std::panic::take_hook();
        log();
        let fixed = logged(|| panic!("a fixed message"));
        let formatted = logged(|| {
            let text = String::from("a secret of Ada");
            panic!("cannot cut {text}");
        });
        set_hook(previous);
        assert!(fixed.0.contains("a fixed message") && fixed.0.contains("src/panics.rs"), "{}", fixed.0);
        assert!(formatted.0.contains("src/panics.rs") && !formatted.0.contains("Ada"), "{}", formatted.0);
        // Other tests may panic at the same time.
        assert!(fixed.1 >= 1 && formatted.1 >= 1);
    }
}
