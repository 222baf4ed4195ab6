//! Scrollback's own format: everything, as records that can be imported.

use std::io::{self, Write};

use super::error::ExportError;
use super::output::{ExportOutput, OutputBuffer};
use crate::model::{ExportEnd, ExportRecord};
use crate::store::{ExportSink, ExportSnapshot};

/// Writes records as lines.
struct RecordLines<'b, 'o, O>(&'b mut OutputBuffer<'o, O>);

impl<O: ExportOutput> ExportSink for RecordLines<'_, '_, O> {
    type Error = ExportError;

    fn write(&mut self, record: ExportRecord) -> Result<(), ExportError> {
        serde_json::to_writer(&mut *self.0, &record).map_err(io::Error::from)?;
        self.0.write_all(b"\n")?;
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), ExportError> {
        Ok(self.0.flush_if_large().await?)
    }
}

/// Writes everything of the owner, or only the conversations of the snapshot and their attachments.
pub(super) async fn write<O: ExportOutput>(
    snapshot: &ExportSnapshot,
    only_conversations: bool,
    output: &mut OutputBuffer<'_, O>,
) -> Result<ExportEnd, ExportError> {
    let mut lines = RecordLines(output);
    if only_conversations {
        snapshot.write_conversation_records(&mut lines).await
    } else {
        snapshot.write_all_records(&mut lines).await
    }
}
