//! Errors of the operating system on the database file.

use std::io::ErrorKind;
use std::path::Path;

use anyhow::anyhow;

pub(super) fn open_error(file: &Path, error: &std::io::Error) -> anyhow::Error {
    let name = file.display();
    match error.kind() {
        ErrorKind::PermissionDenied => anyhow!(
            "cannot open the database {name}: the user that runs Scrollback may not read and write it, and its \
             folder (permission denied)"
        ),
        ErrorKind::ReadOnlyFilesystem => {
            anyhow!("cannot open the database {name}: its file system is read-only")
        }
        _ => anyhow!("cannot open the database {name}: {error}"),
    }
}
