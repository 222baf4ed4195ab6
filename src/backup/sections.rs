//! The export of one user in a backup, as a stream.

use std::io::{self, BufRead, Read};
use std::sync::{Arc, Mutex, PoisonError};

use super::lines::{Line, Lines, is_last};
use crate::model::BackupRecord;

/// A backup that is read section by section.
pub(super) struct Sections<R>(Arc<Mutex<Lines<R>>>);

/// The lines up to the `end` of one user.
pub(super) struct SectionReader<R> {
    lines: Arc<Mutex<Lines<R>>>,
    line: io::Cursor<Vec<u8>>,
    has_ended: bool,
}

impl<R: BufRead> Sections<R> {
    pub(super) fn new(reader: R) -> Self {
        Self(Arc::new(Mutex::new(Lines::new(reader))))
    }

    /// The next line that is not of an export. What is left of the export before is skipped.
    pub(super) fn next(&self) -> anyhow::Result<Option<BackupRecord>> {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(line) = lines.next()? {
            if let Line::Record(record) = line {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    /// The export that comes next.
    pub(super) fn section(&self) -> SectionReader<R> {
        SectionReader { lines: self.0.clone(), line: io::Cursor::default(), has_ended: false }
    }
}

impl<R: BufRead> Read for SectionReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.line.read(buffer)?;
        if read > 0 || buffer.is_empty() || self.has_ended {
            return Ok(read);
        }
        let next = self.lines.lock().unwrap_or_else(PoisonError::into_inner).next();
        match next.map_err(io::Error::other)? {
            Some(Line::Exported(bytes)) => {
                self.has_ended = is_last(&bytes);
                self.line = io::Cursor::new(bytes);
                self.line.read(buffer)
            }
            // The whole file was checked before.
            Some(Line::Record(_)) | None => {
                self.has_ended = true;
                Ok(0)
            }
        }
    }
}
