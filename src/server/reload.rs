//! Settings that change while the server runs.

use super::state::HandlerState;
use crate::auth::{Issuer, KeySetTiming};
use crate::graphql::Limits;
use crate::model::ContentLimits;
use crate::rate_limit::Rate;

/// The settings that can change while the server runs.
pub struct ReloadedSettings {
    /// The issuers whose tokens are accepted.
    pub issuers: Vec<Issuer>,
    /// When their keys are fetched.
    pub timing: KeySetTiming,
    /// The limits of requests.
    pub limits: Limits,
    /// The sizes of contents and metadata.
    pub content: ContentLimits,
    /// How many operations an owner may begin, if that has changed.
    pub rate: Option<Option<Rate>>,
}

/// Changes the settings of a server that runs.
#[derive(Clone)]
pub struct ReloadHandle(pub(super) HandlerState);

impl ReloadHandle {
    /// Uses these settings for requests that come from now on. Open connections, and WebSockets that were accepted, stay.
    ///
    /// # Errors
    /// The issuers are not valid. Nothing changes then.
    pub fn apply(&self, settings: ReloadedSettings) -> anyhow::Result<()> {
        let ReloadedSettings { issuers, timing, limits, content, rate } = settings;
        let state = &self.0.0;
        state.authenticator.replace_issuers(issuers, timing)?;
        state.api.set_limits(&limits, content);
        if let Some(rate) = rate {
            state.rate.set(rate);
        }
        Ok(())
    }
}
