//! ZIP archives, read in place.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

use zip::ZipArchive;
use zip::result::ZipError;

use super::inflation::Guard;
use crate::import::error::ImportError;

/// The most entries of an archive.
const MAX_ENTRIES: usize = 200_000;

/// An archive. Several of its entries can be read at the same time.
#[derive(Debug)]
pub(in crate::import) struct Archive {
    name: String,
    archive: ZipArchive<SharedFile>,
}

/// A file with a position of its own.
#[derive(Debug, Clone)]
struct SharedFile {
    file: Arc<File>,
    position: u64,
}

/// A file in an archive.
#[derive(Debug, Clone)]
pub(in crate::import) struct ArchiveEntry {
    /// With the folders in the archive.
    pub(in crate::import) name: String,
    pub(in crate::import) index: usize,
    /// Unpacked, in bytes.
    pub(in crate::import) byte_size: u64,
}

impl Archive {
    /// Whether a file with these first bytes is an archive.
    pub(super) fn is_one(start: &[u8]) -> bool {
        start.starts_with(b"PK\x03\x04") || start.starts_with(b"PK\x05\x06")
    }

    /// Reads the directory of an archive.
    ///
    /// # Errors
    /// It is damaged, or it is made to do harm: its entries overlap, or there are too many.
    pub(super) fn open(name: &str, file: File) -> Result<Self, ImportError> {
        let fault = |error: ZipError| fault(name, error);
        let mut archive = ZipArchive::new(SharedFile { file: Arc::new(file), position: 0 }).map_err(fault)?;
        if archive.len() > MAX_ENTRIES {
            let why = format!("has {} entries, and at most {MAX_ENTRIES} are read", archive.len());
            return Err(ImportError::not_usable(name, why));
        }
        if archive.has_overlapping_entries().map_err(fault)? {
            return Err(ImportError::not_usable(name, "has entries that overlap: it is made to do harm"));
        }
        Ok(Self { name: name.to_owned(), archive })
    }

    /// The name of the archive.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The files in it.
    ///
    /// # Errors
    /// A name leads out of the archive, or a file is encrypted.
    pub(super) fn entries(&self) -> Result<Vec<ArchiveEntry>, ImportError> {
        let mut archive = self.archive.clone();
        let mut entries = Vec::with_capacity(archive.len());
        for index in 0..archive.len() {
            let entry = archive.by_index_raw(index).map_err(|error| fault(&self.name, error))?;
            let name = entry.name().map_err(|error| fault(&self.name, error))?.into_owned();
            if entry.enclosed_name().is_none() {
                let why = format!("has an entry whose name leads out of the archive: {name:?}");
                return Err(ImportError::not_usable(&self.name, why));
            }
            if entry.is_file() {
                if entry.encrypted() {
                    return Err(ImportError::not_usable(&self.name, "is encrypted: unpack it first"));
                }
                entries.push(ArchiveEntry { name, index, byte_size: entry.size() });
            }
        }
        Ok(entries)
    }

    /// Reads an entry.
    ///
    /// # Errors
    /// It cannot be read, or inflates too much.
    pub(super) fn read<T>(
        &self,
        index: usize,
        read: impl FnOnce(&mut dyn Read) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut archive = self.archive.clone();
        let entry = archive.by_index(index).map_err(io::Error::from)?;
        let packed = entry.compressed_size();
        read(&mut Guard::new(entry, move || packed))
    }
}

fn fault(name: &str, error: ZipError) -> ImportError {
    match error {
        ZipError::Io(error) => ImportError::file(name, &error),
        error => ImportError::not_usable(name, format!("is not a valid ZIP archive: {error}")),
    }
}

impl Read for SharedFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        #[cfg(unix)]
        let read = std::os::unix::fs::FileExt::read_at(&*self.file, buffer, self.position)?;
        #[cfg(windows)]
        let read = std::os::windows::fs::FileExt::seek_read(&*self.file, buffer, self.position)?;
        self.position += read as u64;
        Ok(read)
    }
}

impl Seek for SharedFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let (base, offset) = match to {
            SeekFrom::Start(position) => (position, 0),
            SeekFrom::End(offset) => (self.file.metadata()?.len(), offset),
            SeekFrom::Current(offset) => (self.position, offset),
        };
        let before_start =
            || io::Error::new(io::ErrorKind::InvalidInput, "a position before the start of the file");
        self.position = base.checked_add_signed(offset).ok_or_else(before_start)?;
        Ok(self.position)
    }
}
