//! Liveness and readiness.

use std::fmt::Write;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::routing::get;

use crate::server::state::{HandlerState, ServerState};

/// Timeout of the database check.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(2);

/// A check. The first one that fails gives the reason.
#[derive(Debug, Clone, Copy)]
enum Check {
    Shutdown,
    Keys,
    Database,
}

impl Check {
    const ALL: [Self; 3] = [Self::Shutdown, Self::Keys, Self::Database];

    fn name(self) -> &'static str {
        match self {
            Self::Shutdown => "shutdown",
            Self::Keys => "keys",
            Self::Database => "database",
        }
    }

    /// The reason in the response if it fails.
    fn fault(self) -> &'static str {
        match self {
            Self::Shutdown => "shutting down",
            Self::Keys => "no keys to verify tokens with",
            Self::Database => "the database does not answer",
        }
    }

    async fn succeeds(self, shared: &ServerState) -> bool {
        match self {
            Self::Shutdown => !shared.closing.is_cancelled(),
            Self::Keys => shared.authenticator.is_ready(),
            Self::Database => {
                matches!(tokio::time::timeout(DATABASE_TIMEOUT, shared.store.ping()).await, Ok(Ok(())))
            }
        }
    }
}

/// `/livez`: the process runs. `/readyz`: the database responds, there are keys to verify tokens with, and no
/// shutdown has begun. `/readyz?verbose` has each check with its state and time.
pub(in crate::server) fn router() -> Router<HandlerState> {
    Router::new().route("/livez", get(async || "ok\n")).route("/readyz", get(ready))
}

async fn ready(
    State(HandlerState(shared)): State<HandlerState>,
    RawQuery(query): RawQuery,
) -> (StatusCode, String) {
    let is_verbose = query.is_some_and(|query| {
        query.split('&').any(|parameter| parameter.split('=').next() == Some("verbose"))
    });
    if is_verbose {
        return describe(&shared).await;
    }
    for check in Check::ALL {
        if !check.succeeds(&shared).await {
            return (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", check.fault()));
        }
    }
    (StatusCode::OK, "ok\n".to_owned())
}

/// All checks, in the format of the API server of Kubernetes
/// (<https://kubernetes.io/docs/reference/using-api/health-checks/>), with their times.
async fn describe(shared: &ServerState) -> (StatusCode, String) {
    let (mut text, mut is_ready) = (String::new(), true);
    for check in Check::ALL {
        let started = Instant::now();
        let succeeds = check.succeeds(shared).await;
        let millis = started.elapsed().as_secs_f64() * 1000.0;
        is_ready &= succeeds;
        let _ = if succeeds {
            writeln!(text, "[+]{} ok ({millis:.1} ms)", check.name())
        } else {
            writeln!(text, "[-]{} failed: {} ({millis:.1} ms)", check.name(), check.fault())
        };
    }
    text.push_str(if is_ready { "readyz check passed\n" } else { "readyz check failed\n" });
    (if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, text)
}
