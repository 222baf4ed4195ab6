//! Errors of the configuration.

/// The reason why a configuration is rejected.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration file {0}: {1}")]
    Unreadable(String, std::io::Error),
    /// The file is not valid TOML. The line is not quoted: it may contain a secret.
    #[error("the configuration file {file} is not TOML: {fault} (line {line})")]
    NotToml {
        /// The path of the file or the setting.
        file: String,
        /// The error.
        fault: String,
        /// The line number.
        line: usize,
    },
    /// The environment variable of a setting is not UTF-8.
    #[error("the environment variable {0} is not UTF-8")]
    NotUtf8(String),
    /// Unknown names, each with the nearest known one.
    #[error("{}", .0.join("; "))]
    Unknown(Vec<String>),
    /// The value of a setting is not valid.
    #[error("the setting `{setting}` (from {origin}) is not valid: {fault}")]
    Wrong {
        /// The path of the setting, for example `database.url`.
        setting: String,
        /// The source: a file, an environment variable or a flag.
        origin: String,
        /// The error.
        fault: String,
    },
}
