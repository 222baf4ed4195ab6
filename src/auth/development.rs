//! The secret for development. It is created once in the data folder and never used in production.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::permissions;

const FILE: &str = "development-secret";

/// The path of the secret in a data folder.
pub fn development_secret_file(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

/// Reads the secret in `folder`, or creates it. Only the user that runs the server can read it.
///
/// # Errors
/// The folder or the file cannot be read or written, or the file is empty.
pub fn development_secret(folder: &Path) -> anyhow::Result<Vec<u8>> {
    let path = development_secret_file(folder);
    permissions::create_folder(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    if !path.exists() {
        make(folder, &path)?;
    }
    let secret = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    if secret.is_empty() {
        bail!("{} is empty: remove it and start again", path.display());
    }
    Ok(secret)
}

/// Writes a new secret to a temporary file and links it when it is complete. If servers start concurrently,
/// the first link wins and no server reads an incomplete file.
fn make(folder: &Path, path: &Path) -> anyhow::Result<()> {
    let cannot = || format!("cannot create {}", path.display());
    let draft = folder.join(format!("{FILE}.{:x}", rand::random::<u64>()));
    let mut file = permissions::create(&draft).with_context(cannot)?;
    let secret = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
    let named = file
        .write_all(secret.as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::hard_link(&draft, path));
    fs::remove_file(&draft).with_context(cannot)?;
    match named {
        Ok(()) => tracing::info!("created a development secret: {}", path.display()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error).with_context(cannot),
    }
    Ok(())
}
