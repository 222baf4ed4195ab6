//! What an import reads: documents with conversations, and the files that these refer to.
//!
//! A path is a file, a folder or a ZIP archive, which is read in place. Nothing is unpacked to the disk.

mod archive;
mod document;
mod encoding;
mod files;
mod inflation;

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::ImportError;
pub(super) use archive::Archive;
pub(super) use document::Document;
pub(super) use files::{SourceFile, SourceFiles};

/// The endings of documents in folders and archives. `.gz` may follow.
const ENDINGS: [&str; 3] = ["json", "jsonl", "ndjson"];

/// How deep folders nest.
const MAX_FOLDERS: usize = 32;

/// The documents and the files of an import.
#[derive(Debug, Default)]
pub struct Sources {
    pub(super) documents: Vec<Document>,
    pub(super) files: SourceFiles,
}

impl Sources {
    /// Finds what is in the paths. `-` is standard input. The documents of a folder or an archive are in the order of
    /// their names.
    ///
    /// # Errors
    /// A path cannot be read, is an archive that is not safe to read, or is a folder or archive without documents.
    pub fn open(paths: &[PathBuf]) -> Result<Self, ImportError> {
        let mut sources = Self::default();
        for path in paths {
            let name = path.display().to_string();
            if path.as_os_str() == "-" {
                sources.stream("standard input", Box::new(io::stdin()))?;
                continue;
            }
            let kind = fs::metadata(path).map_err(|error| ImportError::file(&name, &error))?;
            let before = sources.documents.len();
            if kind.is_dir() {
                sources.folder(path, 0)?;
            } else {
                sources.file(path)?;
            }
            if sources.documents.len() == before {
                return Err(ImportError::not_usable(
                    &name,
                    "has no file that ends with .json, .jsonl or .ndjson",
                ));
            }
        }
        Ok(sources)
    }

    /// Finds what is in a stream. An archive is copied to a temporary file, because its directory is at its end.
    ///
    /// # Errors
    /// As for [`Sources::open`].
    pub fn of_stream(name: &str, stream: Box<dyn Read + Send>) -> Result<Self, ImportError> {
        let mut sources = Self::default();
        sources.stream(name, stream)?;
        if sources.documents.is_empty() {
            return Err(ImportError::not_usable(name, "has no file that ends with .json, .jsonl or .ndjson"));
        }
        Ok(sources)
    }

    fn stream(&mut self, name: &str, mut stream: Box<dyn Read + Send>) -> Result<(), ImportError> {
        let cannot_read = |error: io::Error| ImportError::file(name, &error);
        let mut start = Vec::new();
        stream.by_ref().take(4).read_to_end(&mut start).map_err(cannot_read)?;
        let stream = Box::new(io::Cursor::new(start.clone()).chain(stream));
        if !Archive::is_one(&start) {
            self.documents.push(Document::stream(name, stream));
            return Ok(());
        }
        // Without a name: it goes with the process, whatever ends it.
        let mut file = tempfile::tempfile().map_err(cannot_read)?;
        io::copy(&mut { stream }, &mut file).map_err(cannot_read)?;
        file.flush().and_then(|()| file.rewind()).map_err(cannot_read)?;
        self.archive(Archive::open(name, file)?)
    }

    /// A file that was named itself may have any ending.
    fn file(&mut self, path: &Path) -> Result<(), ImportError> {
        let name = path.display().to_string();
        let cannot_read = |error: io::Error| ImportError::file(&name, &error);
        let mut file = fs::File::open(path).map_err(cannot_read)?;
        let mut start = Vec::new();
        Read::by_ref(&mut file).take(4).read_to_end(&mut start).map_err(cannot_read)?;
        if Archive::is_one(&start) {
            file.rewind().map_err(cannot_read)?;
            return self.archive(Archive::open(&name, file)?);
        }
        let size = file.metadata().map_err(cannot_read)?.len();
        self.documents.push(Document::file(path, size));
        Ok(())
    }

    fn archive(&mut self, archive: Archive) -> Result<(), ImportError> {
        let archive = Arc::new(archive);
        let mut entries = archive.entries()?;
        entries.sort_by(|one, other| one.name.cmp(&other.name));
        for entry in entries {
            if is_document(Path::new(&entry.name)) {
                self.documents.push(Document::archived(&archive, &entry));
            } else {
                self.files.add(SourceFile::archived(&archive, &entry));
            }
        }
        Ok(())
    }

    /// Links are not followed: they may lead anywhere.
    fn folder(&mut self, path: &Path, depth: usize) -> Result<(), ImportError> {
        let name = path.display().to_string();
        let cannot_read = |error: io::Error| ImportError::file(&name, &error);
        if depth > MAX_FOLDERS {
            return Err(ImportError::not_usable(&name, format!("nests deeper than {MAX_FOLDERS} folders")));
        }
        let entries = fs::read_dir(path).map_err(cannot_read)?.collect::<io::Result<Vec<_>>>();
        let mut entries = entries.map_err(cannot_read)?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let path = entry.path();
            let kind = entry.file_type().map_err(cannot_read)?;
            if kind.is_dir() {
                self.folder(&path, depth + 1)?;
            } else if kind.is_file() && is_document(&path) {
                let size = entry.metadata().map_err(cannot_read)?.len();
                self.documents.push(Document::in_folder(&path, size));
            } else if kind.is_file() {
                let size = entry.metadata().map_err(cannot_read)?.len();
                self.files.add(SourceFile::file(&path, size));
            }
        }
        Ok(())
    }
}

/// Whether a file of a folder or an archive may have conversations. Files that conversations refer to are named after
/// their ids, and may be JSON, too.
fn is_document(path: &Path) -> bool {
    let ending = |path: &Path| path.extension().and_then(OsStr::to_str).map(str::to_ascii_lowercase);
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    if name.starts_with('.') || files::id_in(name).is_some() {
        return false;
    }
    match ending(path).as_deref() {
        Some("gz") => ending(Path::new(path.file_stem().unwrap_or_default())),
        ending => ending.map(str::to_owned),
    }
    .is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
}
