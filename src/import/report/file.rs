//! The report as a JSON file, written conversation by conversation.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use super::{ConversationReport, Report};

/// A report that is being written: `{"version": 1, "conversations": […], "report": {…}}`.
#[derive(Debug)]
pub struct ReportFile {
    file: BufWriter<File>,
    has_conversations: bool,
}

impl ReportFile {
    /// Begins a report in an empty file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn begin(file: File) -> io::Result<Self> {
        let mut file = BufWriter::new(file);
        file.write_all(b"{\"version\":1,\"conversations\":[")?;
        Ok(Self { file, has_conversations: false })
    }

    /// Adds a conversation.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn add(&mut self, conversation: &ConversationReport) -> io::Result<()> {
        let before: &[u8] = if self.has_conversations { b",\n" } else { b"\n" };
        self.has_conversations = true;
        self.file.write_all(before)?;
        serde_json::to_writer(&mut self.file, conversation)?;
        Ok(())
    }

    /// Ends the report.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn end(mut self, report: &Report) -> io::Result<()> {
        self.file.write_all(b"\n],\"report\":")?;
        serde_json::to_writer(&mut self.file, report)?;
        self.file.write_all(b"}\n")?;
        self.file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
    }
}
