//! Scrollback's own exports: JSON Lines, record by record. See [`crate::model::ExportRecord`].
//!
//! A conversation is written in a transaction of its own, so an import that is interrupted leaves whole conversations. A
//! repeat skips those that are there.
//!
//! The transaction begins when the conversation has been read: others would wait for its locks while a client sends the rest.
//! Only a conversation that is too large for memory is written while it is read, and only from a source that says so.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use super::rejection::Rejection;
use super::report::{ConversationReport, Outcome};
use super::write::rejected;
use crate::model::{
    ConversationId, EXPORT_VERSION, ExportEnd, ExportHeader, ExportRecord, ExportedAttachment,
    ExportedConversation, Invalid, Parts, SharedMessage,
};
use crate::store::{Error, Restore, Scoped, Upload};

/// An export that is being written.
pub(super) struct Restoration {
    document: String,
    /// `None`: nothing is written.
    scope: Option<Scoped>,
    /// The most bytes of a conversation. `None`: any number, because the source is on this machine.
    most: Option<usize>,
    file: Option<RestoredFile>,
    current: Option<Current>,
    /// What was done since it was last asked.
    pub(super) done: Vec<ConversationReport>,
    /// What the document had so far.
    end: ExportEnd,
    has_header: bool,
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
    /// `None`: it is being written.
    exported: Option<Box<ExportedConversation>>,
    /// What was read and is not written yet.
    rest: Vec<ExportRecord>,
    bytes: usize,
    /// It is written while it is read.
    restore: Option<Restore>,
    id: ConversationId,
    title: Option<String>,
    line: usize,
    messages: u64,
}

/// What is kept in memory of a conversation that may be larger, in bytes.
const BUFFER: usize = 32 * 1024 * 1024;

/// What became of a conversation, or of a part of it.
enum Written {
    Whole,
    /// The owner has it already.
    Present,
}

/// The export cannot be read on: why.
pub(super) struct Unreadable(pub(super) String);

impl Restoration {
    pub(super) fn new(document: &str, scope: Option<Scoped>, most: Option<usize>) -> Self {
        Self {
            document: document.to_owned(),
            scope,
            most,
            file: None,
            current: None,
            done: Vec::new(),
            end: ExportEnd::default(),
            has_header: false,
            has_ended: false,
        }
    }

    /// Takes a line of the export.
    ///
    /// # Errors
    /// The database fails. The inner error ends the document.
    pub(super) async fn take(
        &mut self,
        line: usize,
        record: Result<Box<ExportRecord>, Rejection>,
    ) -> Result<Result<(), Unreadable>, Error> {
        match record.map(|record| *record) {
            Ok(ExportRecord::Header(header)) => {
                self.has_header = true;
                return Ok(check(&header));
            }
            Ok(_) | Err(_) if !self.has_header => {
                return Ok(Err(Unreadable("is not an export of Scrollback: it has no header".to_owned())));
            }
            Ok(record) => self.record(record, line).await?,
            Err(rejection) => self.reject_line(line, rejection),
        }
        Ok(Ok(()))
    }

    /// Ends the document.
    ///
    /// # Errors
    /// The database fails.
    pub(super) async fn end(&mut self) -> Result<(), Error> {
        self.finish_attachment().await?;
        self.finish_current().await?;
        if !self.has_ended {
            self.reject_line(0, Rejection::from("the file was cut off: it has no `end`"));
        }
        Ok(())
    }

    async fn record(&mut self, record: ExportRecord, line: usize) -> Result<(), Error> {
        match record {
            ExportRecord::Attachment(exported) => self.begin_attachment(exported, line).await?,
            ExportRecord::AttachmentChunk(text) => self.add_chunk(&text, line).await?,
            ExportRecord::Conversation(exported) => {
                self.finish_attachment().await?;
                self.finish_current().await?;
                self.begin(exported, line);
            }
            record @ (ExportRecord::Message(_) | ExportRecord::Share(_)) => {
                self.end.messages += u64::from(matches!(record, ExportRecord::Message(_)));
                self.add(record).await?;
            }
            ExportRecord::DeletedUsage(exported) => {
                self.finish_attachment().await?;
                self.finish_current().await?;
                let Some(scope) = &self.scope else { return Ok(()) };
                if let Err(error) = scope.restore_deleted_usage(exported).await {
                    let reason = rejected(error)?;
                    self.reject_line(line, Rejection::from(reason));
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

    async fn begin_attachment(&mut self, exported: ExportedAttachment, line: usize) -> Result<(), Error> {
        self.finish_attachment().await?;
        self.end.attachments += 1;
        let Some(scope) = &self.scope else { return Ok(()) };
        let id = exported.id.to_string();
        match scope.restore_attachment(exported).await {
            Ok(upload) => self.file = upload.map(|upload| RestoredFile { upload, id, line, skip: None }),
            Err(error) => {
                let reason = rejected(error)?;
                self.reject(line, Rejection { id: Some(id), title: None, reason });
            }
        }
        Ok(())
    }

    /// The next bytes of the attachment that is being written. Those that an interrupted import has written are skipped.
    async fn add_chunk(&mut self, text: &str, line: usize) -> Result<(), Error> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let Ok(bytes) = STANDARD.decode(text) else {
            self.file = None;
            self.reject_line(line, Rejection::from("the content of an attachment is not Base64"));
            return Ok(());
        };
        let skip =
            file.skip.get_or_insert_with(|| usize::try_from(file.upload.received()).unwrap_or(usize::MAX));
        let skipped = Ord::min(*skip, bytes.len());
        *skip -= skipped;
        let written = file.upload.write(Bytes::from(bytes).slice(skipped..)).await;
        self.unless_wrong(written)
    }

    /// Ends the attachment that is being written.
    async fn finish_attachment(&mut self) -> Result<(), Error> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let finished = file.upload.finish().await;
        let is_complete = file.upload.is_complete();
        self.unless_wrong(finished)?;
        if let Some(file) = self.file.take().filter(|_| !is_complete) {
            let reason = "its content ends before its end".to_owned();
            self.reject(file.line, Rejection { id: Some(file.id), title: None, reason });
        }
        Ok(())
    }

    /// Rejects the attachment if its content is wrong. Other errors end the import.
    fn unless_wrong(&mut self, done: Result<(), Error>) -> Result<(), Error> {
        match done {
            Err(error @ (Error::WrongHash | Error::TooManyBytes(_))) => {
                if let Some(RestoredFile { id, line, .. }) = self.file.take() {
                    let reason = error.to_string();
                    self.reject(line, Rejection { id: Some(id), title: None, reason });
                }
                Ok(())
            }
            done => done,
        }
    }

    fn begin(&mut self, exported: Box<ExportedConversation>, line: usize) {
        self.end.conversations += 1;
        let (id, title) = (exported.id, exported.title.clone());
        let (rest, restore) = (Vec::new(), None);
        self.current =
            Some(Current { exported: Some(exported), rest, bytes: 0, restore, id, title, line, messages: 0 });
    }

    /// Adds to the conversation that is being read. What belongs to a rejected one is passed over.
    async fn add(&mut self, record: ExportRecord) -> Result<(), Error> {
        let Some(current) = &mut self.current else { return Ok(()) };
        current.bytes += bytes_of(&record);
        current.rest.push(record);
        match self.most {
            Some(most) if current.bytes > most => {
                let rule = format!("has more than {most} bytes");
                self.reject_current(Invalid::new("conversation", rule).into(), false)
            }
            None if current.bytes > BUFFER => self.write_current(false).await,
            _ => Ok(()),
        }
    }

    /// Commits the conversation that was read.
    async fn finish_current(&mut self) -> Result<(), Error> {
        if self.current.is_some() { self.write_current(true).await } else { Ok(()) }
    }

    /// Writes what was read of the conversation.
    async fn write_current(&mut self, is_whole: bool) -> Result<(), Error> {
        let Some(mut current) = self.current.take() else { return Ok(()) };
        let written = match &self.scope {
            Some(scope) => current.write(scope, is_whole).await,
            None => {
                current.count();
                Ok(Written::Whole)
            }
        };
        match written {
            Ok(Written::Present) => {
                current.messages = 0;
                self.report(current, Outcome::Present);
            }
            Ok(Written::Whole) if is_whole => self.report(current, Outcome::Imported),
            Ok(Written::Whole) => self.current = Some(current),
            Err((error, is_of_message)) => {
                self.current = Some(current);
                self.reject_current(error, is_of_message)?;
            }
        }
        Ok(())
    }

    fn report(&mut self, current: Current, outcome: Outcome) {
        let Current { id, title, line, messages, .. } = current;
        let rejection = Rejection { id: Some(id.to_string()), title, reason: String::new() };
        self.done.push(ConversationReport {
            outcome,
            conversation_id: Some(id),
            messages,
            reason: None,
            ..ConversationReport::rejected(&self.document, self.end.conversations, line, rejection)
        });
    }

    fn reject_current(&mut self, error: Error, is_of_message: bool) -> Result<(), Error> {
        let reason = rejected(error)?;
        if let Some(Current { id, title, line, messages, .. }) = self.current.take() {
            let reason = if is_of_message { format!("message {messages}: {reason}") } else { reason };
            self.reject(line, Rejection { id: Some(id.to_string()), title, reason });
        }
        Ok(())
    }

    /// Rejects a line that is no record. If it was one of a conversation, so is the conversation.
    fn reject_line(&mut self, line: usize, rejection: Rejection) {
        match self.current.take() {
            Some(Current { id, title, .. }) => {
                self.reject(line, Rejection { id: Some(id.to_string()), title, ..rejection });
            }
            None => self.reject(line, rejection),
        }
    }

    fn reject(&mut self, line: usize, rejection: Rejection) {
        let number = self.end.conversations.max(1);
        self.done.push(ConversationReport::rejected(&self.document, number, line, rejection));
    }
}

impl Current {
    /// Counts what is not written.
    fn count(&mut self) {
        let is_message = |record: &ExportRecord| matches!(record, ExportRecord::Message(_));
        self.messages += self.rest.drain(..).filter(is_message).count() as u64;
        self.bytes = 0;
    }

    /// Writes what was read. An error says whether it is that of a message.
    async fn write(&mut self, scope: &Scoped, is_whole: bool) -> Result<Written, (Error, bool)> {
        if let Some(exported) = self.exported.take() {
            match scope.begin_restore(*exported).await.map_err(|error| (error, false))? {
                Some(restore) => self.restore = Some(restore),
                None => return Ok(Written::Present),
            }
        }
        let Some(restore) = &mut self.restore else { return Ok(Written::Whole) };
        self.bytes = 0;
        for record in self.rest.drain(..) {
            match record {
                ExportRecord::Message(exported) => {
                    self.messages += 1;
                    restore.add(*exported).await.map_err(|error| (error, true))?;
                }
                ExportRecord::Share(exported) => {
                    restore.add_share(*exported).await.map_err(|error| (error, true))?;
                }
                _ => {}
            }
        }
        if let Some(restore) = self.restore.take_if(|_| is_whole) {
            restore.finish().await.map_err(|error| (error, false))?;
        }
        Ok(Written::Whole)
    }
}

/// The approximate memory of a record, in bytes.
fn bytes_of(record: &ExportRecord) -> usize {
    match record {
        ExportRecord::Message(message) => {
            let parts = message.parts.as_ref().map_or(0, Parts::bytes);
            size_of_val(&**message) + message.content.len() + parts + message.metadata.as_str().len()
        }
        ExportRecord::Share(share) => {
            let bytes = |message: &SharedMessage| {
                size_of_val(message) + message.content.len() + message.parts.as_ref().map_or(0, Parts::bytes)
            };
            share.messages.iter().map(bytes).sum()
        }
        _ => 0,
    }
}

fn check(header: &ExportHeader) -> Result<(), Unreadable> {
    let ExportHeader { format, version, .. } = header;
    if format == "scrollback" && (1..=EXPORT_VERSION).contains(version) {
        return Ok(());
    }
    Err(Unreadable(format!(
        "has the format {format:?} in version {version}; this version of Scrollback reads \"scrollback\" up to version \
         {EXPORT_VERSION}"
    )))
}
