//! Files that conversations refer to become attachments, if the source has them.

mod media_type;

use std::io::{self, Read};

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::losses::Losses;
use super::prepare::Prepared;
use super::source::{SourceFile, SourceFiles};
use crate::model::{AttachmentId, Filename, MediaType, NewAttachment, Part, Parts, attachment_url};
use crate::store::{Error, Scoped};

/// The namespace of the ids of attachments: a repeated import makes the same ones.
const NAMESPACE: Uuid = Uuid::from_u128(0x2a77_31cf_1b0a_4cc5_9a4e_0e31_8f6d_92b4);

/// The type of a file whose type is not known.
const UNKNOWN: &str = "application/octet-stream";

const CHUNK: usize = 256 * 1024;

/// The bytes that say what a file is.
const START_BYTES: u64 = 64;

/// Makes attachments of the files of a conversation, and of its large `data:` URLs. Returns how many. A file that cannot
/// be one, because it is not allowed or the owner has too many, stays a reference.
pub(super) async fn files(
    scope: &Scoped,
    files: &SourceFiles,
    prepared: &mut Prepared,
) -> Result<u64, Error> {
    let mut count = 0;
    let has_file = |part: &Part| match part {
        Part::File { url, .. } => part.is_large_data_url() || files.find(url).is_some(),
        _ => false,
    };
    let has_files = |parts: &Parts| parts.as_slice().iter().any(has_file);
    if !prepared.messages.iter().filter_map(|message| message.parts.as_ref()).any(has_files) {
        return Ok(0);
    }
    let ids: Vec<_> = prepared.messages.iter().map(|message| message.id).collect();
    let known = scope.known_among(prepared.conversation.id, &ids).await?;
    let losses = &mut prepared.losses;
    let missing = prepared.messages.iter_mut().filter(|message| !known.contains(&message.id));
    for parts in missing.filter_map(|message| message.parts.as_mut()) {
        if !has_files(parts) {
            continue;
        }
        let mut attached = parts.clone().into_vec();
        for part in &mut attached {
            if part.is_large_data_url() {
                count += data_url(scope, part, losses).await?;
            } else if let Part::File { media_type, filename, url, .. } = part
                && let Some(file) = files.find(url)
            {
                let named = filename.clone().unwrap_or_else(|| file.name.clone());
                let (name, known) = described(file.clone(), named, media_type).await;
                if let Some(id) = outcome(attach(scope, file, &name, &known).await, losses)? {
                    (*url, *filename, *media_type) = (attachment_url(id), Some(name), known);
                    count += 1;
                }
            }
        }
        *parts = Parts::new("parts", attached)?;
    }
    Ok(count)
}

async fn data_url(scope: &Scoped, part: &mut Part, losses: &mut Losses) -> Result<u64, Error> {
    let one = Parts::to_attach("parts", vec![part.clone()], usize::MAX)?;
    let Some(attached) = outcome(scope.attach_parts(one).await.map_err(Fault::Store), losses)? else {
        return Ok(0);
    };
    if let Some(attached) = attached.into_vec().pop() {
        *part = attached;
    }
    Ok(1)
}

/// Why a file did not become an attachment.
enum Fault {
    Store(Error),
    /// The source has it, but it cannot be read.
    Unreadable,
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl From<io::Error> for Fault {
    fn from(_: io::Error) -> Self {
        Self::Unreadable
    }
}

/// `None`: it stays as it is, and the report says so.
fn outcome<T>(attached: Result<T, Fault>, losses: &mut Losses) -> Result<Option<T>, Error> {
    let why = match attached {
        Ok(attached) => return Ok(Some(attached)),
        Err(Fault::Unreadable) => "the source is damaged",
        Err(Fault::Store(Error::FilesDisabled)) => "attachments are not enabled",
        Err(Fault::Store(Error::Invalid(_) | Error::WrongHash | Error::TooManyBytes(_))) => {
            "the settings in `files` do not allow it"
        }
        Err(Fault::Store(error)) => return Err(error),
    };
    losses.dropped("content of a file", why);
    Ok(None)
}

/// The name and the media type of a file. A source that does not know them writes `image/*` and names ending with `.dat`.
async fn described(file: SourceFile, name: String, media_type: &str) -> (String, String) {
    if !media_type.ends_with("/*") && media_type != UNKNOWN {
        return (name, media_type.to_owned());
    }
    let start = move || {
        file.read(|reader| {
            let mut start = Vec::new();
            reader.take(START_BYTES).read_to_end(&mut start).map(|_| start)
        })
    };
    // What cannot be read is reported when it is stored.
    let start =
        tokio::task::spawn_blocking(start).await.map_err(io::Error::other).flatten().unwrap_or_default();
    match media_type::of_content(&start) {
        Some((found, ending)) => {
            let name = name.strip_suffix(".dat").map_or(name.clone(), |stem| format!("{stem}.{ending}"));
            (name, found.to_owned())
        }
        None => (name, media_type.to_owned()),
    }
}

/// Stores a file, unless it is there.
async fn attach(
    scope: &Scoped,
    file: &SourceFile,
    name: &str,
    media_type: &str,
) -> Result<AttachmentId, Fault> {
    let sha256 = hash(file.clone()).await?;
    let filename = Filename::new("filename", name.to_owned()).ok();
    let media_type = MediaType::new("mediaType", media_type.to_owned())
        .or_else(|_| MediaType::new("mediaType", UNKNOWN.to_owned()))
        .map_err(Error::Invalid)?;
    let owner = scope.owner().as_str().as_bytes();
    let key = [owner, &sha256, media_type.as_str().as_bytes(), name.as_bytes()].join(&0);
    let id = AttachmentId(Uuid::new_v5(&NAMESPACE, &key));
    let byte_size = i64::try_from(file.byte_size).unwrap_or(i64::MAX);
    let new = NewAttachment { id: Some(id), filename, media_type, byte_size, sha256 };
    scope.create_attachment(new).await?;
    let Some(mut upload) = scope.upload(id).await?.filter(|upload| !upload.is_complete()) else {
        return Ok(id);
    };
    let (sender, mut receiver) = mpsc::channel(4);
    let skip = u64::try_from(upload.received()).unwrap_or(0);
    let file = file.clone();
    let reading = tokio::task::spawn_blocking(move || {
        file.read(|reader| {
            io::copy(&mut reader.take(skip), &mut io::sink())?;
            chunks(reader, |bytes| sender.blocking_send(bytes).is_ok())
        })
    });
    while let Some(bytes) = receiver.recv().await {
        upload.write(bytes).await?;
    }
    reading.await.map_err(io::Error::other).flatten()?;
    upload.finish().await?;
    Ok(id)
}

async fn hash(file: SourceFile) -> io::Result<Vec<u8>> {
    let hash = move || {
        let mut hasher = Sha256::new();
        file.read(|reader| {
            chunks(reader, |bytes| {
                hasher.update(&bytes);
                true
            })
        })?;
        Ok(hasher.finalize().to_vec())
    };
    tokio::task::spawn_blocking(hash).await.map_err(io::Error::other).flatten()
}

/// Gives the bytes in pieces, until there are no more or `give` says so.
fn chunks(reader: &mut dyn Read, mut give: impl FnMut(Bytes) -> bool) -> io::Result<()> {
    loop {
        let mut chunk = Vec::with_capacity(CHUNK);
        reader.take(CHUNK as u64).read_to_end(&mut chunk)?;
        if chunk.is_empty() || !give(Bytes::from(chunk)) {
            return Ok(());
        }
    }
}
