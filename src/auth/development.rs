//! The secret of a first try: made once, kept in the data folder, refused in production.

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, bail};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

const FILE: &str = "development-secret";

/// The secret in `folder`, made now when there is none, readable by its owner alone.
///
/// # Errors
/// The folder or the file cannot be read or written, or the file is empty.
pub fn development_secret(folder: &Path) -> anyhow::Result<Vec<u8>> {
    let path = folder.join(FILE);
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let made = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    match made {
        Ok(mut file) => {
            let secret = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
            file.write_all(secret.as_bytes())
                .and_then(|()| file.sync_all())
                .with_context(|| format!("cannot write {}", path.display()))?;
            tracing::info!("made a development secret: {}", path.display());
            Ok(secret.into_bytes())
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let secret = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            if secret.is_empty() {
                bail!("{} is empty: remove it and start again", path.display());
            }
            Ok(secret)
        }
        Err(error) => Err(error).with_context(|| format!("cannot make {}", path.display())),
    }
}
