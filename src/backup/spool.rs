//! Opens a backup and checks all of it.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use tempfile::NamedTempFile;
use zstd::stream::read::Decoder;

use super::lines;
use crate::model::BackupEnd;
use crate::store::check_sqlite_file;

/// The start of an SQLite database.
const SQLITE: &[u8] = b"SQLite format 3\0";

/// The start of a zstd frame (RFC 8878).
const ZSTD: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];

/// A backup that is complete and sound.
pub enum Backup {
    /// An SQLite database, in a file that is removed unless it is kept.
    Sqlite(NamedTempFile),
    /// The exports of all users.
    Users(UsersBackup),
}

/// The exports of all users.
pub struct UsersBackup {
    file: File,
    /// How much it has.
    pub end: BackupEnd,
}

impl Backup {
    /// Opens a file and reads all of it; `-` is standard input. An SQLite database is unpacked into `folder`. It blocks
    /// the thread.
    ///
    /// # Errors
    /// It cannot be read, is damaged, cut off or not a backup, or cannot be unpacked.
    pub fn open(path: &Path, folder: impl FnOnce() -> anyhow::Result<PathBuf>) -> anyhow::Result<Self> {
        let is_input = path.as_os_str() == "-";
        let name = if is_input { "standard input".to_owned() } else { path.display().to_string() };
        let file = open(path).with_context(|| format!("cannot read {name}"))?;
        read(file, folder).with_context(|| format!("cannot restore {name}"))
    }
}

impl UsersBackup {
    /// The lines, once more.
    pub(super) fn reader(&self) -> io::Result<impl BufRead + Send + use<>> {
        let mut file = self.file.try_clone()?;
        file.rewind()?;
        decoder(file)
    }
}

/// Standard input is copied to a temporary file, because a backup is read twice.
fn open(path: &Path) -> io::Result<File> {
    if path.as_os_str() != "-" {
        return File::open(path);
    }
    let mut file = tempfile::tempfile()?;
    io::copy(&mut io::stdin().lock(), &mut file)?;
    file.rewind()?;
    Ok(file)
}

fn decoder(file: File) -> io::Result<BufReader<Decoder<'static, BufReader<File>>>> {
    Ok(BufReader::with_capacity(256 * 1024, Decoder::new(file)?))
}

fn read(mut file: File, folder: impl FnOnce() -> anyhow::Result<PathBuf>) -> anyhow::Result<Backup> {
    let mut start = Vec::new();
    Read::take(&mut file, ZSTD.len() as u64).read_to_end(&mut start)?;
    file.rewind()?;
    if start != ZSTD {
        bail!("it is not a backup of Scrollback: it is not compressed with zstd");
    }
    let damaged = "it is damaged or was cut off";
    let mut reader = decoder(file.try_clone()?)?;
    let start = reader.fill_buf().context(damaged)?;
    if start.starts_with(lines::START) {
        let end = lines::check(reader)?;
        return Ok(Backup::Users(UsersBackup { file, end }));
    }
    if !start.starts_with(SQLITE) {
        bail!("it is not a backup of Scrollback");
    }
    let folder = folder()?;
    let target = tempfile::Builder::new().prefix(".scrollback-restore-").tempfile_in(&folder);
    let mut target = target.with_context(|| format!("cannot write to {}", folder.display()))?;
    unpack(reader, &mut target)?;
    check_sqlite_file(target.path())?;
    Ok(Backup::Sqlite(target))
}

/// Unlike [`io::copy`] it tells a damaged source from a full disk.
fn unpack(mut reader: impl BufRead, target: &mut NamedTempFile) -> anyhow::Result<()> {
    let cannot_write = "cannot unpack it";
    loop {
        let bytes = reader.fill_buf().context("it is damaged or was cut off")?;
        if bytes.is_empty() {
            return target.as_file().sync_all().context(cannot_write);
        }
        let read = bytes.len();
        target.write_all(bytes).context(cannot_write)?;
        reader.consume(read);
    }
}
