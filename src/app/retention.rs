//! Deletes and archives conversations that are not kept, at an interval.

use std::sync::Arc;
use std::time::Duration;

use crate::config;
use crate::model::{InactivityRule, RetentionAction, RetentionRules};
use crate::server::JobFigure;
use crate::store::Store;

/// The rules of the configuration.
pub(crate) fn rules(retention: &config::Retention) -> RetentionRules {
    let action = match retention.inactive_action {
        config::InactiveAction::Delete => RetentionAction::Delete,
        config::InactiveAction::Archive => RetentionAction::Archive,
    };
    let inactive = retention.inactive.map(|after| InactivityRule { after: micros(after), action });
    RetentionRules { trash: retention.trash.map(micros), inactive }
}

/// A duration in microseconds.
pub(crate) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// Applies the rules for ever.
pub(super) async fn apply(store: Store, retention: config::Retention, figure: Arc<JobFigure>) {
    let rules = rules(&retention);
    loop {
        tokio::time::sleep(retention.check).await;
        match figure.run(store.apply_retention(rules)).await {
            Ok(done) => {
                for (reason, count) in done.into_iter().filter(|(_, count)| *count > 0) {
                    tracing::info!(
                        count,
                        reason = reason.name(),
                        "deleted or archived conversations that are not kept"
                    );
                }
            }
            Err(error) => tracing::warn!(%error, "cannot delete conversations that are not kept"),
        }
    }
}
