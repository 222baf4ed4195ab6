//! Loads the persisted documents of the configuration.

use std::fs;
use std::path::Path;

use anyhow::{Context, anyhow, bail};

use crate::config;
use crate::graphql::{self, Limits, PersistedDocumentLimits, PersistedDocuments, SubgraphSettings};

/// The trusted documents of the configured manifests, and the cache of automatic ones.
///
/// # Errors
/// A manifest cannot be read, or the settings contradict each other.
pub(super) fn load(
    config: &config::Documents,
    limits: &Limits,
    subgraph: Option<SubgraphSettings>,
) -> anyhow::Result<PersistedDocuments> {
    let manifests = match &config.manifest {
        Some(path) => {
            read(path).with_context(|| format!("cannot read `documents.manifest`, {}", path.display()))?
        }
        None if config.only => bail!(
            "`documents.only` requires `documents.manifest`: without it every document would be rejected"
        ),
        None => Vec::new(),
    };
    let room = config.automatic.then_some(PersistedDocumentLimits {
        entries: config.automatic_entries as usize,
        bytes: config.automatic_bytes as usize,
    });
    let documents = graphql::persisted_documents(&manifests, config.only, room, limits, subgraph)
        .map_err(|fault| anyhow!("`documents.manifest` cannot be used: {fault}"))?;
    if config.manifest.is_some() {
        tracing::info!(ids = documents.trusted(), only = config.only, "read the trusted documents");
    }
    Ok(documents)
}

/// Reads the manifest, or all manifests of a folder, ordered by name.
fn read(path: &Path) -> anyhow::Result<Vec<(String, String)>> {
    let mut files = vec![path.to_owned()];
    if path.is_dir() {
        let entries = fs::read_dir(path)?.collect::<Result<Vec<_>, _>>()?;
        files = entries.into_iter().map(|entry| entry.path()).filter(|path| is_json(path)).collect();
        files.sort();
        if files.is_empty() {
            bail!("the folder has no *.json file");
        }
    }
    files.into_iter().map(|file| Ok((file.display().to_string(), fs::read_to_string(file)?))).collect()
}

fn is_json(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "json")
}
