//! Where the bytes of an export go.

use std::io::{self, Write};

use bytes::Bytes;

/// The bytes that are passed on together.
const CHUNK_BYTES: usize = 64 * 1024;

/// Takes the bytes of a file, in order.
pub trait ExportOutput: Send {
    /// Takes the next bytes, and waits until there is room for more.
    ///
    /// # Errors
    /// They cannot be written, or nobody reads them any more: the export ends.
    fn write(&mut self, bytes: Bytes) -> impl Future<Output = io::Result<()>> + Send;
}

/// Collects bytes for an output.
pub(super) struct OutputBuffer<'o, O> {
    output: &'o mut O,
    bytes: Vec<u8>,
}

impl<'o, O: ExportOutput> OutputBuffer<'o, O> {
    pub(super) fn new(output: &'o mut O) -> Self {
        Self { output, bytes: Vec::with_capacity(2 * CHUNK_BYTES) }
    }

    /// Passes on what was written if it is much. Call it often, and at the latest after each message.
    pub(super) async fn flush_if_large(&mut self) -> io::Result<()> {
        if self.bytes.len() < CHUNK_BYTES { Ok(()) } else { self.flush().await }
    }

    /// Passes on what was written.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        let mut rest = Bytes::from(std::mem::take(&mut self.bytes));
        while !rest.is_empty() {
            let chunk = rest.split_to(rest.len().min(CHUNK_BYTES));
            self.output.write(chunk).await?;
        }
        Ok(())
    }
}

/// Never fails, and never waits.
impl<O> Write for OutputBuffer<'_, O> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
