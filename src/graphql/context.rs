//! The one door to async-graphql's context.

use async_graphql::Context;

use super::loaders::Loaders;
use crate::feed::Feed;
use crate::model::Viewer;
use crate::store::{Error, Result, Scoped};

/// What every operation is given: who asks, what they own, and loaders of their own.
pub(super) struct Asked {
    pub(super) viewer: Viewer,
    pub(super) store: Scoped,
    pub(super) loaders: Loaders,
    pub(super) feed: Feed,
}

/// Typed access to what an operation was given.
pub(super) trait ContextExt {
    fn asked(&self) -> Result<&Asked>;

    /// Who asks.
    fn viewer(&self) -> Result<&Viewer> {
        Ok(&self.asked()?.viewer)
    }

    /// What the viewer owns.
    fn store(&self) -> Result<&Scoped> {
        Ok(&self.asked()?.store)
    }

    /// Batched reads of what the viewer owns.
    fn loaders(&self) -> Result<&Loaders> {
        Ok(&self.asked()?.loaders)
    }

    /// The readers behind subscriptions.
    fn feed(&self) -> Result<&Feed> {
        Ok(&self.asked()?.feed)
    }
}

impl ContextExt for Context<'_> {
    #[expect(clippy::disallowed_methods, reason = "the one place that looks into the context")]
    fn asked(&self) -> Result<&Asked> {
        self.data::<Asked>().map_err(|_| Error::broken("an operation was run without a viewer".into()))
    }
}
