//! The file of a backup that is being written.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use bytes::Bytes;
use tempfile::NamedTempFile;
use zstd::stream::write::Encoder;

use crate::export::ExportOutput;

/// The level of the compression: higher ones are much slower, and little better.
const LEVEL: i32 = 3;

/// Where a backup goes: a file, which has its name once it is complete, or standard output.
pub struct BackupFile(Target);

enum Target {
    File { file: NamedTempFile, path: PathBuf, force: bool },
    Output(io::Stdout),
}

impl BackupFile {
    /// A new file; `-` is standard output. With `force` a file that exists is replaced at the end.
    ///
    /// # Errors
    /// The file exists, or none can be made in its folder.
    pub fn create(path: &Path, force: bool) -> anyhow::Result<Self> {
        if path.as_os_str() == "-" {
            return Ok(Self(Target::Output(io::stdout())));
        }
        if path.is_dir() {
            bail!("cannot write {}: it is a folder", path.display());
        }
        if !force && path.symlink_metadata().is_ok() {
            bail!("{} exists: choose another name, or replace it with --force", path.display());
        }
        // Only its owner can read it.
        let file = tempfile::Builder::new().prefix(".scrollback-backup-").tempfile_in(folder(path));
        let file = file.with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self(Target::File { file, path: path.to_owned(), force }))
    }

    /// The folder of the file. `None`: standard output.
    pub fn folder(&self) -> Option<PathBuf> {
        match &self.0 {
            Target::File { path, .. } => Some(folder(path)),
            Target::Output(_) => None,
        }
    }

    fn writer(&mut self) -> BufWriter<&mut (dyn Write + Send)> {
        BufWriter::new(match &mut self.0 {
            Target::File { file, .. } => file,
            Target::Output(output) => output,
        })
    }

    /// Writes everything that `write` gives, compressed. `bytes` is how much it is, if that is known.
    pub(super) fn write_with(
        &mut self,
        bytes: Option<u64>,
        write: impl FnOnce(&mut Encoder<'static, BufWriter<&mut (dyn Write + Send)>>) -> io::Result<()>,
    ) -> anyhow::Result<()> {
        let written = (|| {
            let mut encoder = encoder(self.writer(), bytes)?;
            write(&mut encoder)?;
            encoder.finish()?.flush()
        })();
        written.context("cannot write the backup")
    }

    /// Begins to write what is not known yet.
    pub(super) fn begin(&mut self) -> io::Result<CompressedOutput<'_>> {
        Ok(CompressedOutput(encoder(self.writer(), None)?))
    }

    /// Makes the file durable and gives it its name.
    ///
    /// # Errors
    /// It cannot be written, or there is a file with this name now.
    pub fn finish(self) -> anyhow::Result<()> {
        let Target::File { file, path, force } = self.0 else { return Ok(()) };
        let cannot_write = || format!("cannot write {}", path.display());
        file.as_file().sync_all().with_context(cannot_write)?;
        if force {
            file.persist(&path).map_err(|error| error.error).with_context(cannot_write)?;
        } else {
            file.persist_noclobber(&path).map_err(|error| error.error).with_context(cannot_write)?;
        }
        File::open(folder(&path)).and_then(|folder| folder.sync_all()).with_context(cannot_write)
    }
}

fn encoder<W: Write>(writer: W, bytes: Option<u64>) -> io::Result<Encoder<'static, W>> {
    let mut encoder = Encoder::new(writer, LEVEL)?;
    encoder.include_checksum(true)?;
    encoder.set_pledged_src_size(bytes)?;
    Ok(encoder)
}

fn folder(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new(".")).to_owned()
}

/// Takes the bytes of exports.
pub(super) struct CompressedOutput<'f>(Encoder<'static, BufWriter<&'f mut (dyn Write + Send)>>);

impl CompressedOutput<'_> {
    pub(super) fn end(self) -> io::Result<()> {
        self.0.finish()?.flush()
    }
}

impl ExportOutput for CompressedOutput<'_> {
    async fn write(&mut self, bytes: Bytes) -> io::Result<()> {
        self.0.write_all(&bytes)
    }
}

/// A reader that tells how many bytes were read.
pub(super) struct Counted<R, P> {
    reader: R,
    read: u64,
    progress: P,
}

impl<R, P: FnMut(u64)> Counted<R, P> {
    pub(super) fn new(reader: R, progress: P) -> Self {
        Self { reader, read: 0, progress }
    }
}

impl<R: Read, P: FnMut(u64)> Read for Counted<R, P> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.read += read as u64;
        (self.progress)(self.read);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_has_its_name_only_when_it_is_complete() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.zst");
        let mut file = BackupFile::create(&path, false).unwrap();
        file.write_with(None, |encoder| encoder.write_all(b"hello")).unwrap();
        assert!(!path.exists());
        file.finish().unwrap();
        assert_eq!(zstd::decode_all(File::open(&path).unwrap()).unwrap(), b"hello");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let error = BackupFile::create(&path, false).err().unwrap().to_string();
        assert!(error.ends_with("exists: choose another name, or replace it with --force"), "{error}");
        let mut file = BackupFile::create(&path, true).unwrap();
        file.write_with(None, |encoder| encoder.write_all(b"again")).unwrap();
        assert_eq!(zstd::decode_all(File::open(&path).unwrap()).unwrap(), b"hello");
        file.finish().unwrap();
        assert_eq!(zstd::decode_all(File::open(&path).unwrap()).unwrap(), b"again");
        drop(BackupFile::create(&folder.path().join("b.zst"), false).unwrap());
        assert_eq!(folder.path().read_dir().unwrap().count(), 1, "what was given up is gone");
    }

    #[test]
    fn a_file_that_appears_meanwhile_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.zst");
        let mut file = BackupFile::create(&path, false).unwrap();
        file.write_with(None, |encoder| encoder.write_all(b"hello")).unwrap();
        std::fs::write(&path, "another").unwrap();
        file.finish().unwrap_err();
        assert_eq!(std::fs::read(&path).unwrap(), b"another");
    }
}
