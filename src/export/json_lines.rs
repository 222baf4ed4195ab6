//! Lines of JSON, one a conversation, written message by message.

use std::io::{self, Write};

use serde::Serialize;

use super::output::{ExportOutput, OutputBuffer};

/// The conversations that are read at once.
pub(super) const CONVERSATIONS: usize = 50;

/// A line: an object whose last field is a list of messages.
pub(super) struct JsonLine<'b, 'o, O> {
    output: &'b mut OutputBuffer<'o, O>,
    /// The line up to its first message.
    start: Option<String>,
}

impl<'b, 'o, O: ExportOutput> JsonLine<'b, 'o, O> {
    /// A line with the fields of `head`, and then the field `messages`.
    pub(super) fn new(output: &'b mut OutputBuffer<'o, O>, head: &impl Serialize) -> io::Result<Self> {
        let mut start = serde_json::to_string(head)?;
        start.pop();
        if !start.ends_with('{') {
            start.push(',');
        }
        start.push_str("\"messages\":[");
        Ok(Self { output, start: Some(start) })
    }

    /// Adds a message.
    pub(super) async fn add(&mut self, message: &impl Serialize) -> io::Result<()> {
        self.begin()?;
        serde_json::to_writer(&mut *self.output, message)?;
        self.output.flush_if_large().await
    }

    fn begin(&mut self) -> io::Result<()> {
        match self.start.take() {
            Some(start) => self.output.write_all(start.as_bytes()),
            None => self.output.write_all(b","),
        }
    }

    /// Ends the line, if it has begun.
    pub(super) async fn end(self) -> io::Result<()> {
        if self.start.is_none() {
            self.output.write_all(b"]}\n")?;
        }
        self.output.flush_if_large().await
    }

    /// Ends the line, also without messages.
    pub(super) async fn end_always(mut self) -> io::Result<()> {
        if self.start.is_some() {
            self.begin()?;
        }
        self.end().await
    }
}
