//! Scrollback's own exports: JSON Lines, read line by line. See [`crate::model::ExportRecord`].
//!
//! A conversation is written in a transaction of its own, so an import that is interrupted leaves whole conversations. A
//! repeat skips those that are there.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use super::error::{ImportError, RejectedConversations};
use super::rejection::Rejection;
use super::report::Report;
use crate::model::{
    EXPORT_VERSION, ExportEnd, ExportHeader, ExportRecord, ExportedAttachment, ExportedConversation,
};
use crate::store::{Error, Restore, Scoped, Upload};

/// The longest line, in bytes. A message is shorter, whatever its characters are escaped as.
const MAX_LINE: u64 = 256 * 1024 * 1024;

/// A file that is being read.
pub struct ExportFile {
    file: String,
    lines: BufReader<File>,
    /// The number of the line that was read last, from 1.
    line: usize,
}

impl ExportFile {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// It cannot be read, or it is not an export of Scrollback of this version.
    pub fn open(file: &Path) -> Result<Self, ImportError> {
        let lines = BufReader::new(File::open(file).map_err(|error| ImportError::file(file, &error))?);
        let mut opened = Self { file: file.display().to_string(), lines, line: 0 };
        match opened.next()? {
            Some(Ok(ExportRecord::Header(header))) => opened.check(&header).map(|()| opened),
            _ => Err(opened.fault("is not an export of Scrollback: it has no header")),
        }
    }

    fn check(&self, header: &ExportHeader) -> Result<(), ImportError> {
        if header.format == "scrollback" && (1..=EXPORT_VERSION).contains(&header.version) {
            return Ok(());
        }
        let ExportHeader { format, version, .. } = header;
        Err(self.fault(&format!(
            "has the format {format:?} in version {version}; this version of Scrollback reads \"scrollback\" up to \
             version {EXPORT_VERSION}"
        )))
    }

    fn fault(&self, what: &str) -> ImportError {
        ImportError::Other(format!("{} {what}", self.file))
    }

    /// The next record. `None` at the end of the file. The inner error is that of a line, without its texts.
    fn next(&mut self) -> Result<Option<Result<ExportRecord, Rejection>>, ImportError> {
        let mut line = Vec::new();
        let read = self.lines.by_ref().take(MAX_LINE).read_until(b'\n', &mut line);
        let bytes = read.map_err(|error| ImportError::file(Path::new(&self.file), &error))?;
        if bytes == 0 {
            return Ok(None);
        }
        self.line += 1;
        if bytes as u64 == MAX_LINE && !line.ends_with(b"\n") {
            return Err(self.fault(&format!("has a line of more than {MAX_LINE} bytes: line {}", self.line)));
        }
        let record = serde_json::from_slice(&line);
        Ok(Some(record.map_err(|error| Rejection::in_json("not a record of an export", &error))))
    }
}

/// What is known while a file is written.
struct Import<'i> {
    scope: &'i Scoped,
    report: Report,
    file: Option<RestoredFile>,
    current: Option<Current>,
    /// Conversations so far.
    index: usize,
    end: ExportEnd,
    has_ended: bool,
}

/// The attachment that is being written.
struct RestoredFile {
    upload: Upload,
    id: String,
    line: usize,
    /// The bytes that are there already and come next.
    skip: Option<usize>,
}

/// The conversation that is being written.
struct Current {
    restore: Restore,
    id: String,
    title: Option<String>,
    line: usize,
    messages: usize,
}

/// Writes what a file has for the owner of `scope`.
///
/// # Errors
/// The file or the database fails. Written conversations are kept, and the same import continues from there.
pub async fn restore(scope: &Scoped, mut file: ExportFile) -> anyhow::Result<Report> {
    let report = Report { rejected: RejectedConversations::of(Path::new(&file.file)), ..Report::default() };
    let mut import = Import {
        scope,
        report,
        file: None,
        current: None,
        index: 0,
        end: ExportEnd::default(),
        has_ended: false,
    };
    while let Some(record) = file.next()? {
        match record {
            Ok(record) => import.take(record, file.line).await?,
            Err(rejection) => import.reject_line(file.line, rejection),
        }
    }
    import.finish_attachment().await?;
    import.finish_current().await?;
    if !import.has_ended {
        let cut = "the file was cut off: it has no `end`".to_owned();
        import.reject_line(file.line, Rejection::from(cut));
    }
    Ok(import.report)
}

impl Import<'_> {
    async fn take(&mut self, record: ExportRecord, line: usize) -> anyhow::Result<()> {
        match record {
            ExportRecord::Attachment(exported) => self.begin_attachment(exported, line).await?,
            ExportRecord::AttachmentChunk(text) => self.add_chunk(&text, line).await?,
            ExportRecord::Conversation(exported) => {
                self.finish_attachment().await?;
                self.finish_current().await?;
                self.begin(*exported, line).await?;
            }
            ExportRecord::Message(exported) => {
                self.end.messages += 1;
                let Some(current) = &mut self.current else { return Ok(()) };
                match current.restore.add(*exported).await {
                    Ok(()) => current.messages += 1,
                    Err(error) => self.reject_current(error)?,
                }
            }
            ExportRecord::Share(exported) => {
                let Some(current) = &mut self.current else { return Ok(()) };
                if let Err(error) = current.restore.add_share(*exported).await {
                    self.reject_current(error)?;
                }
            }
            ExportRecord::DeletedUsage(exported) => {
                self.finish_attachment().await?;
                self.finish_current().await?;
                match self.scope.restore_deleted_usage(exported).await {
                    Err(Error::Invalid(invalid)) => {
                        self.reject_line(line, Rejection::from(invalid.to_string()));
                    }
                    restored => restored?,
                }
            }
            ExportRecord::End(end) => {
                self.finish_attachment().await?;
                self.finish_current().await?;
                self.has_ended = true;
                if end != self.end {
                    let counts = |end: ExportEnd| {
                        let ExportEnd { conversations, messages, attachments } = end;
                        format!(
                            "{conversations} conversations, {messages} messages and {attachments} attachments"
                        )
                    };
                    let reason = format!("the file has {}, its end says {}", counts(self.end), counts(end));
                    self.reject_line(line, Rejection::from(reason));
                }
            }
            // They are for the user to read.
            ExportRecord::Header(_) | ExportRecord::Change(_) | ExportRecord::Audit(_) => {}
        }
        Ok(())
    }

    async fn begin_attachment(&mut self, exported: ExportedAttachment, line: usize) -> anyhow::Result<()> {
        self.finish_attachment().await?;
        self.end.attachments += 1;
        let id = exported.id.to_string();
        match self.scope.restore_attachment(exported).await {
            Ok(upload) => self.file = upload.map(|upload| RestoredFile { upload, id, line, skip: None }),
            Err(error) => {
                let reason = reason(error)?;
                self.reject(line, Rejection { id: Some(id), title: None, reason });
            }
        }
        Ok(())
    }

    /// The next bytes of the attachment that is being written. Those that an interrupted import has written are skipped.
    async fn add_chunk(&mut self, text: &str, line: usize) -> anyhow::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let Ok(bytes) = STANDARD.decode(text) else {
            self.file = None;
            self.reject_line(line, Rejection::from("the content of an attachment is not Base64".to_owned()));
            return Ok(());
        };
        let skip =
            file.skip.get_or_insert_with(|| usize::try_from(file.upload.received()).unwrap_or(usize::MAX));
        let skipped = Ord::min(*skip, bytes.len());
        *skip -= skipped;
        let written = file.upload.write(Bytes::from(bytes).slice(skipped..)).await;
        self.unless_wrong(written).await
    }

    /// Ends the attachment that is being written.
    async fn finish_attachment(&mut self) -> anyhow::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let finished = file.upload.finish().await;
        let is_complete = file.upload.is_complete();
        self.unless_wrong(finished).await?;
        if let Some(file) = self.file.take().filter(|_| !is_complete) {
            let reason = "its content ends before its end".to_owned();
            self.reject(file.line, Rejection { id: Some(file.id), title: None, reason });
        }
        Ok(())
    }

    /// Rejects the attachment if its content is wrong. Other errors end the import.
    async fn unless_wrong(&mut self, done: Result<(), Error>) -> anyhow::Result<()> {
        match done {
            Err(error @ (Error::WrongHash | Error::TooManyBytes(_))) => {
                if let Some(RestoredFile { id, line, .. }) = self.file.take() {
                    let reason = error.to_string();
                    self.reject(line, Rejection { id: Some(id), title: None, reason });
                }
                Ok(())
            }
            done => Ok(done?),
        }
    }

    async fn begin(&mut self, exported: ExportedConversation, line: usize) -> anyhow::Result<()> {
        self.index += 1;
        self.end.conversations += 1;
        let (id, title) = (exported.id.to_string(), exported.title.clone());
        match self.scope.begin_restore(exported).await {
            Ok(Some(restore)) => self.current = Some(Current { restore, id, title, line, messages: 0 }),
            Ok(None) => self.report.present += 1,
            Err(error) => {
                let reason = reason(error)?;
                self.reject(line, Rejection { id: Some(id), title, reason });
            }
        }
        Ok(())
    }

    /// Commits the conversation that is being written.
    async fn finish_current(&mut self) -> anyhow::Result<()> {
        let Some(Current { restore, id, title, line, messages }) = self.current.take() else { return Ok(()) };
        match restore.finish().await {
            Ok(()) => {
                self.report.conversations += 1;
                self.report.messages += messages;
            }
            Err(error) => {
                let reason = reason(error)?;
                self.reject(line, Rejection { id: Some(id), title, reason });
            }
        }
        Ok(())
    }

    fn reject_current(&mut self, error: Error) -> anyhow::Result<()> {
        let reason = reason(error)?;
        if let Some(Current { id, title, line, messages, .. }) = self.current.take() {
            let reason = format!("message {}: {reason}", messages + 1);
            self.reject(line, Rejection { id: Some(id), title, reason });
        }
        Ok(())
    }

    /// Rejects a line that is no record. If it was one of a conversation, so is the conversation.
    fn reject_line(&mut self, line: usize, rejection: Rejection) {
        match self.current.take() {
            Some(Current { id, title, .. }) => {
                self.reject(line, Rejection { id: Some(id), title, reason: rejection.reason });
            }
            None => self.reject(line, rejection),
        }
    }

    fn reject(&mut self, line: usize, rejection: Rejection) {
        self.report.refused += 1;
        self.report.rejected.add(self.index.saturating_sub(1), line, rejection);
    }
}

/// Why a conversation cannot be imported. Other errors end the import.
fn reason(error: Error) -> anyhow::Result<String> {
    match error {
        Error::Invalid(invalid) => Ok(invalid.to_string()),
        Error::FilesDisabled => Ok(Error::FilesDisabled.to_string()),
        Error::Conflict => Ok("its id, or the id of a message in it, belongs to something else".into()),
        error => Err(error.into()),
    }
}
