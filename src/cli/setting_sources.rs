//! Where the settings of this process come from.

use std::path::PathBuf;

use crate::config::{self, Config, ConfigError, Sources};

/// The sources of settings, which can be read again.
pub(super) struct SettingSources {
    pub(super) file: Option<PathBuf>,
    pub(super) environment: Vec<(String, String)>,
    pub(super) flags: Vec<(&'static str, String)>,
}

impl SettingSources {
    /// The settings as they are now: the file, and files that it names, can have changed.
    ///
    /// # Errors
    /// As for [`config::load`].
    pub(super) fn load(&self) -> Result<Config, ConfigError> {
        let (environment, flags) = (self.environment.clone(), self.flags.clone());
        config::load(Sources { file: self.file.as_deref(), environment, flags })
    }
}
