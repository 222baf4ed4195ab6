//! Files and folders that only the user of the server can use, whatever the umask.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Permission bits that let the group and others read, write or search.
pub const ANY: u32 = 0o077;

/// Permission bits that let the group and others write.
pub const WRITE: u32 = 0o022;

/// The sticky bit: only the owner of a file can delete or rename it.
const STICKY: u32 = 0o1000;

const FILE: u32 = 0o600;
const FOLDER: u32 = 0o700;

/// Creates a folder and its parents if they do not exist.
///
/// # Errors
/// One of them cannot be created, or is a file.
pub fn create_folder(path: &Path) -> io::Result<()> {
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        create_folder(parent)?;
    }
    match DirBuilder::new().mode(FOLDER).create(path) {
        // The umask may have removed bits.
        Ok(()) => fs::set_permissions(path, Permissions::from_mode(FOLDER)),
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}

/// Creates a new file and opens it for writing.
///
/// # Errors
/// It exists, or cannot be created.
pub fn create(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create_new(true).mode(FILE).open(path)?;
    file.set_permissions(Permissions::from_mode(FILE))?;
    Ok(file)
}

/// Restricts a file to the user of the server.
///
/// # Errors
/// There is no such file, or it belongs to somebody else.
pub fn make_private(path: &Path) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(FILE))
}

/// Opens a file for reading and writing, and creates it if it does not exist. The permissions of an existing
/// file are kept.
///
/// # Errors
/// It can be neither opened nor created.
pub fn open_or_create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    match options.open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let file = options.create(true).truncate(false).mode(FILE).open(path)?;
            file.set_permissions(Permissions::from_mode(FILE))?;
            Ok(file)
        }
        opened => opened,
    }
}

/// Whether the group or others have one of the permissions in `bits`. False if the path does not exist.
pub fn others_have(bits: u32, path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.permissions().mode() & bits != 0)
}

/// Whether other users can delete or replace files in a folder.
pub fn others_may_replace_files(folder: &Path) -> bool {
    fs::metadata(folder).is_ok_and(|found| {
        let mode = found.permissions().mode();
        mode & WRITE != 0 && mode & STICKY == 0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn new_files_and_folders_are_private_and_existing_ones_stay() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("a/b");
        create_folder(&folder).unwrap();
        create_folder(&folder).unwrap();
        let file = folder.join("c");
        drop(open_or_create(&file).unwrap());
        assert_eq!(
            [root.path().join("a"), folder.clone(), file.clone()].map(|path| mode(&path)),
            [0o700, 0o700, 0o600]
        );
        fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        drop(open_or_create(&file).unwrap());
        assert_eq!(mode(&file), 0o644);
        assert!(others_have(ANY, &file) && !others_have(WRITE, &file));
        assert!(!others_have(ANY, &folder.join("absent")));
        create_folder(&file).unwrap_err();
    }

    #[test]
    fn a_sticky_folder_protects_what_is_in_it() {
        let folder = tempfile::tempdir().unwrap();
        for (mode, may) in [(0o755, false), (0o775, true), (0o777, true), (0o1777, false)] {
            fs::set_permissions(folder.path(), Permissions::from_mode(mode)).unwrap();
            assert_eq!(others_may_replace_files(folder.path()), may, "{mode:o}");
        }
    }
}
