//! The files that conversations refer to: pictures, recordings and uploads.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::archive::{Archive, ArchiveEntry};

/// A file.
#[derive(Debug, Clone)]
pub(in crate::import) struct SourceFile {
    /// Without folders.
    pub(in crate::import) name: String,
    pub(in crate::import) byte_size: u64,
    location: Location,
}

#[derive(Debug, Clone)]
enum Location {
    File(PathBuf),
    Archived(Arc<Archive>, usize),
}

impl SourceFile {
    pub(super) fn file(path: &Path, byte_size: u64) -> Self {
        Self { name: name_of(path), byte_size, location: Location::File(path.to_owned()) }
    }

    pub(super) fn archived(archive: &Arc<Archive>, entry: &ArchiveEntry) -> Self {
        let location = Location::Archived(archive.clone(), entry.index);
        Self { name: name_of(Path::new(&entry.name)), byte_size: entry.byte_size, location }
    }

    /// Reads the file.
    ///
    /// # Errors
    /// It cannot be read, or inflates too much.
    pub(in crate::import) fn read<T>(
        &self,
        read: impl FnOnce(&mut dyn Read) -> io::Result<T>,
    ) -> io::Result<T> {
        match &self.location {
            Location::File(path) => read(&mut File::open(path)?),
            Location::Archived(archive, index) => archive.read(*index, read),
        }
    }
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The files of an import, by their names and by the ids in their names.
#[derive(Debug, Clone, Default)]
pub(in crate::import) struct SourceFiles(HashMap<String, SourceFile>);

impl SourceFiles {
    pub(super) fn add(&mut self, file: SourceFile) {
        if let Some(id) = id_in(&file.name) {
            self.0.entry(id.to_owned()).or_insert_with(|| file.clone());
        }
        self.0.entry(file.name.clone()).or_insert(file);
    }

    /// The file that an address names: `sediment://file_1`, `file-service://file-2`, `claude:…` or a path.
    pub(in crate::import) fn find(&self, address: &str) -> Option<&SourceFile> {
        let name = address.rsplit(['/', ':']).next().filter(|name| !name.is_empty())?;
        self.0.get(name).or_else(|| self.0.get(id_in(name)?))
    }
}

/// The id that a name begins with: `file-` or `file_`, and letters and digits.
pub(super) fn id_in(name: &str) -> Option<&str> {
    let rest = name.strip_prefix("file-").or_else(|| name.strip_prefix("file_"))?;
    let length = rest.find(|character: char| !character.is_ascii_alphanumeric()).unwrap_or(rest.len());
    (length > 0).then(|| &name[.."file-".len() + length])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_by_the_ids_in_their_names() {
        let mut files = SourceFiles::default();
        for name in ["file-Ab1-cat.png", "file_0001.dat", "notes.txt"] {
            files.add(SourceFile::file(&Path::new("export").join(name), 1));
        }
        let found = |address: &str| files.find(address).map(|file| file.name.as_str());
        assert_eq!(found("file-service://file-Ab1"), Some("file-Ab1-cat.png"));
        assert_eq!(found("sediment://file_0001#page"), Some("file_0001.dat"));
        assert_eq!(found("chatgpt:file_0001"), Some("file_0001.dat"));
        assert_eq!(found("notes.txt"), Some("notes.txt"));
        for address in ["file-service://file-Ab", "https://example.org/", "", "file-"] {
            assert_eq!(found(address), None, "{address}");
        }
    }
}
