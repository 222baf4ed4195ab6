//! ZIP archives, written as a stream.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use zip::CompressionMethod;
use zip::DateTime;
use zip::write::{SimpleFileOptions, StreamWriter, ZipWriter};

use super::output::{ExportOutput, OutputBuffer};
use crate::model::Timestamp;

/// The bytes that are compressed at once.
const BLOCK_BYTES: usize = 64 * 1024;

/// What the archive has written and was not passed on yet.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An archive that is being written. It keeps the names of its files until the end.
pub(super) struct Archive<'b, 'o, O> {
    zip: ZipWriter<StreamWriter<Written>>,
    written: Written,
    output: &'b mut OutputBuffer<'o, O>,
}

impl<'b, 'o, O: ExportOutput> Archive<'b, 'o, O> {
    pub(super) fn new(output: &'b mut OutputBuffer<'o, O>) -> Self {
        let written = Written::default();
        Self { zip: ZipWriter::new_stream(written.clone()), written, output }
    }

    /// Begins a file. `is_large` says that it may have 4 GiB or more.
    pub(super) fn begin_file(&mut self, name: &str, changed_at: Timestamp, is_large: bool) -> io::Result<()> {
        let mut options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .unix_permissions(0o600)
            .large_file(is_large);
        if let Some(time) = zip_time(changed_at) {
            options = options.last_modified_time(time);
        }
        Ok(self.zip.start_file(name, options)?)
    }

    /// Adds to the file that was begun last.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        for block in bytes.chunks(BLOCK_BYTES) {
            self.zip.write_all(block)?;
            self.pass_on().await?;
        }
        Ok(())
    }

    /// Ends the archive.
    pub(super) async fn finish(self) -> io::Result<()> {
        let Self { zip, written, output } = self;
        zip.finish()?;
        output.write_all(&written.take())?;
        output.flush_if_large().await
    }

    async fn pass_on(&mut self) -> io::Result<()> {
        self.output.write_all(&self.written.take())?;
        self.output.flush_if_large().await
    }
}

/// A time in UTC. `None`: an archive cannot have it.
fn zip_time(time: Timestamp) -> Option<DateTime> {
    let text = time.to_string();
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<u8>().ok();
    let year = text.get(..4)?.parse().ok()?;
    let (month, day) = (number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    DateTime::from_date_and_time(year, month, day, hour, minute, second).ok()
}
