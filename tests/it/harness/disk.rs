//! A disk that can be made to fail.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

/// The faults of a disk.
#[derive(Debug, Clone, Copy)]
pub(crate) enum DiskFault {
    /// No file takes another byte.
    Full,
    /// Nothing that is written can be made durable.
    Failing,
}

/// A disk for the files of programs that run with [`Disk::environment`].
pub(crate) struct Disk {
    folder: TempDir,
}

impl Disk {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // PostgreSQL runs as another user.
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let disk = Self { folder };
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/harness/disk/disk.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-o"]).arg(disk.library()).arg(source).arg("-ldl");
        let output = compiler.output().expect("a C compiler, which the build needs as well");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        disk
    }

    /// Stands between a program and the C library.
    fn library(&self) -> PathBuf {
        self.folder.path().join("disk.so")
    }

    /// Puts the disk under a program.
    pub(crate) fn environment(&self) -> [(&'static str, String); 2] {
        let path = |path: PathBuf| path.to_str().unwrap().to_owned();
        [("LD_PRELOAD", path(self.library())), ("DISK_FAULTS", path(self.folder.path().into()))]
    }

    fn flag(&self, fault: DiskFault) -> PathBuf {
        self.folder.path().join(match fault {
            DiskFault::Full => "full",
            DiskFault::Failing => "failing",
        })
    }

    pub(crate) fn breaks(&self, fault: DiskFault) {
        fs::write(self.flag(fault), "").unwrap();
    }

    pub(crate) fn is_mended(&self, fault: DiskFault) {
        fs::remove_file(self.flag(fault)).unwrap();
    }
}
