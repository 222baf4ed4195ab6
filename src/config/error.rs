//! Why a configuration is refused.

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration file {0}: {1}")]
    Unreadable(String, std::io::Error),
    /// The file is not TOML. The line is not shown: it may hold a secret.
    #[error("the configuration file {file} is not TOML: {fault} (line {line})")]
    NotToml {
        /// Its path.
        file: String,
        /// What is wrong with it.
        fault: String,
        /// Where.
        line: usize,
    },
    /// The variable of a setting is not UTF-8.
    #[error("the environment variable {0} is not UTF-8")]
    NotUtf8(String),
    /// Names that no setting has, each with the one that was probably meant.
    #[error("{}", .0.join("; "))]
    Unknown(Vec<String>),
    /// A setting has a wrong value.
    #[error("the setting `{setting}` (from {origin}) is wrong: {fault}")]
    Wrong {
        /// Its path, `database.url`.
        setting: String,
        /// The file, the environment variable or the flag.
        origin: String,
        /// What is wrong with it.
        fault: String,
    },
}
