//! Documents with conversations.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::read::MultiGzDecoder;

use super::archive::{Archive, ArchiveEntry};
use super::encoding;
use super::inflation::Guard;

const BUFFER: usize = 256 * 1024;

/// A document.
pub(in crate::import) struct Document {
    /// The path, or the name of the archive and that in it.
    pub(in crate::import) name: String,
    /// `None`: it is a stream.
    pub(in crate::import) byte_size: Option<u64>,
    /// It was named itself, so it is an error if nothing in it can be imported.
    pub(in crate::import) was_named: bool,
    location: Location,
}

enum Location {
    File(PathBuf),
    Archived(Arc<Archive>, usize),
    Stream(Box<dyn Read + Send>),
}

impl Document {
    pub(super) fn file(path: &Path, byte_size: u64) -> Self {
        let location = Location::File(path.to_owned());
        Self { name: path.display().to_string(), byte_size: Some(byte_size), was_named: true, location }
    }

    pub(super) fn in_folder(path: &Path, byte_size: u64) -> Self {
        Self { was_named: false, ..Self::file(path, byte_size) }
    }

    pub(super) fn archived(archive: &Arc<Archive>, entry: &ArchiveEntry) -> Self {
        let location = Location::Archived(archive.clone(), entry.index);
        let name = format!("{}/{}", archive.name(), entry.name);
        Self { name, byte_size: Some(entry.byte_size), was_named: false, location }
    }

    pub(super) fn stream(name: &str, stream: Box<dyn Read + Send>) -> Self {
        Self { name: name.to_owned(), byte_size: None, was_named: true, location: Location::Stream(stream) }
    }

    /// Reads the document as UTF-8, unpacked. `progress` counts the bytes that were read from where it is.
    ///
    /// # Errors
    /// It cannot be read, or inflates too much.
    pub(in crate::import) fn read<T>(
        self,
        progress: &AtomicU64,
        read: impl FnOnce(&mut dyn BufRead) -> io::Result<T>,
    ) -> io::Result<T> {
        match self.location {
            Location::File(path) => text(File::open(path)?, progress, read),
            Location::Archived(archive, index) => archive.read(index, |entry| text(entry, progress, read)),
            Location::Stream(stream) => text(stream, progress, read),
        }
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Document({})", self.name)
    }
}

/// Unpacks gzip and decodes UTF-16.
fn text<T>(
    source: impl Read,
    progress: &AtomicU64,
    read: impl FnOnce(&mut dyn BufRead) -> io::Result<T>,
) -> io::Result<T> {
    let mut counted = BufReader::with_capacity(BUFFER, Counted { source, progress });
    let is_gzip = counted.fill_buf()?.starts_with(b"\x1f\x8b");
    if !is_gzip {
        return read(&mut BufReader::with_capacity(BUFFER, encoding::utf_8(counted)?));
    }
    let before = progress.load(Ordering::Relaxed);
    let packed = || progress.load(Ordering::Relaxed).saturating_sub(before) + BUFFER as u64;
    let unpacked = Guard::new(MultiGzDecoder::new(counted), packed);
    read(&mut BufReader::with_capacity(BUFFER, encoding::utf_8(unpacked)?))
}

/// Counts what is read.
struct Counted<'p, R> {
    source: R,
    progress: &'p AtomicU64,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        self.progress.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
