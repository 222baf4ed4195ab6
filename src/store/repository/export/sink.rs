//! Where the records of an export go.

use crate::model::ExportRecord;
use crate::store::error::Error;

/// Takes the records in their order.
pub trait ExportSink: Send {
    /// The error that ends an export.
    type Error: From<Error> + Send;

    /// Takes a record.
    ///
    /// # Errors
    /// It cannot be written: the export ends.
    fn write(&mut self, record: ExportRecord) -> std::result::Result<(), Self::Error>;

    /// Passes on what was written, and waits until there is room for more. It is called after each record.
    ///
    /// # Errors
    /// It cannot be passed on: the export ends.
    fn flush(&mut self) -> impl Future<Output = std::result::Result<(), Self::Error>> + Send {
        std::future::ready(Ok(()))
    }
}

/// Gives a record to a sink.
pub(super) async fn write<S: ExportSink>(
    sink: &mut S,
    record: ExportRecord,
) -> std::result::Result<(), S::Error> {
    sink.write(record)?;
    sink.flush().await
}
