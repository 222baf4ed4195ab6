//! The secret of a first try: made once, kept in the data folder, refused in production.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::permissions;

const FILE: &str = "development-secret";

/// Where the secret of a data folder is kept.
pub fn development_secret_file(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

/// The secret in `folder`, made now when there is none, readable by its owner alone.
///
/// # Errors
/// The folder or the file cannot be read or written, or the file is empty.
pub fn development_secret(folder: &Path) -> anyhow::Result<Vec<u8>> {
    let path = development_secret_file(folder);
    permissions::create_folder(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    if !path.exists() {
        make(folder, &path)?;
    }
    let secret = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    if secret.is_empty() {
        bail!("{} is empty: remove it and start again", path.display());
    }
    Ok(secret)
}

/// Writes a new secret aside and renames it when it is complete: a server that starts at the same time
/// finds all of it or nothing, and the first one's counts.
fn make(folder: &Path, path: &Path) -> anyhow::Result<()> {
    let cannot = || format!("cannot make {}", path.display());
    let draft = folder.join(format!("{FILE}.{:x}", rand::random::<u64>()));
    let mut file = permissions::create(&draft).with_context(cannot)?;
    let secret = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
    let named = file
        .write_all(secret.as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::hard_link(&draft, path));
    fs::remove_file(&draft).with_context(cannot)?;
    match named {
        Ok(()) => tracing::info!("made a development secret: {}", path.display()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error).with_context(cannot),
    }
    Ok(())
}
