//! Where the contents of attachments are: a folder, or an object store such as S3.
//!
//! An object has a random name, is written once and whole, and is never changed. What is in which object is in the
//! database: see `repository::blobs`.

mod http_client;

use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use bytes::Bytes;
use futures_util::{Stream, TryStreamExt};
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt};
use uuid::Uuid;

use crate::permissions;
use crate::store::error::{Error, Result};

/// Writes an object, reads it, and deletes it again. Returns false if it is a folder that does not exist: the first start
/// makes it.
///
/// # Errors
/// The place cannot be opened, or one of these does not work.
pub async fn check_file_storage(location: &str) -> anyhow::Result<bool> {
    if !ObjectStorage::exists(location) {
        return Ok(false);
    }
    let storage = ObjectStorage::open(location)?;
    let id = Uuid::from_bytes(rand::random());
    storage.put(id, Bytes::from_static(b"scrollback doctor")).await.context("cannot write")?;
    let found = storage.size(id).await.context("cannot read");
    storage.delete(id).await.context("cannot delete")?;
    match found? {
        Some(_) => Ok(true),
        None => bail!("what was written cannot be read"),
    }
}

/// Where objects are.
#[derive(Clone)]
pub(in crate::store) struct ObjectStorage {
    objects: Arc<dyn ObjectStore>,
    /// The folder, if it is one.
    folder: Option<PathBuf>,
}

impl ObjectStorage {
    /// Opens a folder, which is made if it does not exist, or an object store: `s3://bucket/prefix`, `gs://bucket/prefix`,
    /// `az://container/prefix` or a URL of the provider. Its credentials come from the environment, as those of the
    /// provider's own tools do.
    ///
    /// # Errors
    /// The folder cannot be made, or the URL or the environment is not valid.
    pub(in crate::store) fn open(location: &str) -> anyhow::Result<Self> {
        let Some((scheme, rest)) = location.split_once("://") else {
            return Self::folder(FilePath::new(location));
        };
        let prefix = Path::from(rest.split_once('/').map_or("", |(_, prefix)| prefix));
        let http = http_client::Connector::new;
        let objects: Box<dyn ObjectStore> = match scheme {
            "file" => return Self::folder(FilePath::new(rest)),
            "s3" | "s3a" => {
                Box::new(AmazonS3Builder::from_env().with_url(location).with_http_connector(http()?).build()?)
            }
            "gs" => Box::new(
                GoogleCloudStorageBuilder::from_env()
                    .with_url(location)
                    .with_http_connector(http()?)
                    .build()?,
            ),
            "az" | "azure" | "abfs" | "abfss" => Box::new(
                MicrosoftAzureBuilder::from_env().with_url(location).with_http_connector(http()?).build()?,
            ),
            _ => bail!("must be a folder, or begin with s3://, gs:// or az://, got `{scheme}://`"),
        };
        Ok(Self { objects: Arc::new(PrefixStore::new(objects, prefix)), folder: None })
    }

    /// Whether there may be objects: in a folder that exists, or in an object store.
    pub(in crate::store) fn exists(location: &str) -> bool {
        let folder = location.strip_prefix("file://").unwrap_or(location);
        folder.contains("://") || FilePath::new(folder).is_dir()
    }

    fn folder(folder: &FilePath) -> anyhow::Result<Self> {
        let shown = folder.display();
        permissions::create_folder(folder).with_context(|| format!("cannot create the folder {shown}"))?;
        let folder = folder.canonicalize().with_context(|| format!("cannot open the folder {shown}"))?;
        // What is acknowledged is durable.
        let objects = LocalFileSystem::new_with_prefix(&folder)?.with_fsync(true);
        Ok(Self { objects: Arc::new(objects), folder: Some(folder) })
    }

    /// Writes an object.
    pub(in crate::store) async fn put(&self, id: Uuid, bytes: Bytes) -> Result<()> {
        let path = path(id);
        let file = self.folder.as_ref().map(|folder| folder.join(path.as_ref()));
        if let Some(folder) = file.as_ref().and_then(|file| file.parent()) {
            permissions::create_folder(folder).map_err(|error| failed(&error))?;
        }
        self.objects.put(&path, bytes.into()).await.map_err(|error| unavailable(&error))?;
        if let Some(file) = file {
            permissions::make_private(&file).map_err(|error| failed(&error))?;
        }
        Ok(())
    }

    /// A part of an object.
    pub(in crate::store) async fn read(
        &self,
        id: Uuid,
        range: std::ops::Range<u64>,
    ) -> Result<impl Stream<Item = Result<Bytes>> + Send + use<>> {
        let options = GetOptions { range: Some(GetRange::Bounded(range)), ..GetOptions::default() };
        let found = self.objects.get_opts(&path(id), options).await.map_err(|error| unavailable(&error))?;
        Ok(found.into_stream().map_err(|error| unavailable(&error)))
    }

    /// The bytes of an object. `None`: it does not exist.
    pub(in crate::store) async fn size(&self, id: Uuid) -> Result<Option<i64>> {
        match self.objects.head(&path(id)).await {
            Ok(found) => Ok(i64::try_from(found.size).ok()),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(unavailable(&error)),
        }
    }

    /// Removes an object, if it exists.
    pub(in crate::store) async fn delete(&self, id: Uuid) -> Result<()> {
        if let Some(folder) = &self.folder {
            // What a process that was killed had written of it.
            let begun = folder.join(format!("{}#1", path(id)));
            match tokio::fs::remove_file(begun).await {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(failed(&error));
                }
                _ => {}
            }
        }
        match self.objects.delete(&path(id)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(unavailable(&error)),
        }
    }
}

/// Two levels, so that no folder has very many entries.
fn path(id: Uuid) -> Path {
    let name = id.simple().to_string();
    // The last digits are random; the first ones are the time.
    Path::from(format!("{}/{name}", &name[30..]))
}

fn failed(error: &std::io::Error) -> Error {
    Error::unavailable(format!("the folder of files failed: {error}"))
}

fn unavailable(error: &object_store::Error) -> Error {
    Error::unavailable(format!("the storage of files failed: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(storage: &ObjectStorage, id: Uuid, range: std::ops::Range<u64>) -> Result<Vec<u8>> {
        let parts: Vec<Bytes> = storage.read(id, range).await?.try_collect().await?;
        Ok(parts.concat())
    }

    #[tokio::test]
    async fn a_folder_keeps_objects() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("files");
        let storage = ObjectStorage::open(folder.to_str().unwrap()).unwrap();
        let id = Uuid::from_u128(7);
        storage.put(id, Bytes::from_static(b"hello world")).await.unwrap();
        assert_eq!(read(&storage, id, 6..11).await.unwrap(), b"world");
        let file = folder.join(path(id).as_ref());
        assert!(file.is_file() && !permissions::others_have(permissions::ANY, &file));
        assert!(!permissions::others_have(permissions::ANY, file.parent().unwrap()));
        let begun = folder.join(format!("{}#1", path(id)));
        std::fs::write(&begun, b"hel").unwrap();
        storage.delete(id).await.unwrap();
        assert!(!begun.exists());
        storage.delete(id).await.unwrap();
        assert!(matches!(read(&storage, id, 0..1).await, Err(Error::Unavailable(_))));
        assert!(!permissions::others_have(permissions::ANY, &folder));
    }

    #[test]
    fn other_schemes_are_refused() {
        let error = ObjectStorage::open("ftp://host/a").err().unwrap().to_string();
        assert!(error.contains("must be a folder"), "{error}");
    }
}
