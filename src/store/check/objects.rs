//! The objects of attachments, in the folder or the object store.

use futures_util::{StreamExt, TryStreamExt, stream};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::violation::{Remedy, Violation};
use crate::model::OwnerId;
use crate::store::database::Store;
use crate::store::entity::blob_chunk;
use crate::store::error::Result;
use crate::store::object_storage::ObjectStorage;

/// The rows that are read at once.
const CHUNKS: u64 = 500;

/// The objects that are looked for at the same time.
const AT_ONCE: usize = 8;

/// Looks for the objects of some owners. Returns how many there must be.
///
/// # Errors
/// - `Unavailable`: the storage failed.
pub(super) async fn find(
    store: &Store,
    owners: &[OwnerId],
    report: &mut (dyn FnMut(Violation) + Send),
) -> Result<u64> {
    let Some(files) = &store.0.files else { return Ok(0) };
    let (mut checked, mut after) = (0, Uuid::nil());
    loop {
        let page = blob_chunk::Entity::find()
            .filter(blob_chunk::Column::OwnerId.is_in(owners.iter().cloned()))
            .filter(blob_chunk::Column::Id.gt(after))
            .order_by_asc(blob_chunk::Column::Id)
            .limit(CHUNKS)
            .all(&store.reader_of(owners.iter()))
            .await?;
        let Some(last) = page.last() else { return Ok(checked) };
        after = last.id;
        checked += page.len() as u64;
        let sizes = page.into_iter().map(|chunk| size(files.storage.clone(), chunk));
        let found: Vec<_> = stream::iter(sizes).buffered(AT_ONCE).try_collect().await?;
        for (chunk, size) in found.into_iter().filter(|(chunk, size)| *size != Some(chunk.byte_size)) {
            // It may have been removed meanwhile, after its row.
            let still = blob_chunk::Entity::find_by_id(chunk.id).one(&store.reader_of(owners.iter())).await?;
            if still.is_some() {
                report(missing(&chunk, size));
            }
        }
    }
}

async fn size(storage: ObjectStorage, chunk: blob_chunk::Model) -> Result<(blob_chunk::Model, Option<i64>)> {
    let size = storage.size(chunk.id).await?;
    Ok((chunk, size))
}

fn missing(chunk: &blob_chunk::Model, size: Option<i64>) -> Violation {
    let owner = serde_json::Value::from(chunk.owner_id.as_str());
    let fault = match size {
        None => format!("the object is missing in the storage of files, must have {} bytes", chunk.byte_size),
        Some(size) => format!("the object has {size} bytes, must have {}", chunk.byte_size),
    };
    Violation {
        rule: "blob_chunk.id",
        place: format!("owner={owner} blob={} object={}", chunk.blob_id, chunk.id),
        fault,
        remedy: Remedy::Impossible("restore a backup of the files"),
    }
}
