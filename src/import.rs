//! Imports of conversations from files of other systems, and from exports of Scrollback.
//!
//! Data flows one way: [`Sources`] finds documents in files, folders, archives and streams; a thread splits them into
//! entries, parses those by their format and prepares what can be stored; what is missing is written, a conversation
//! in a transaction; a report says what became of everything.
//!
//! An import can be repeated and resumed: ids are UUIDs of version 5, made of the owner, the format and the ids at the
//! source. Existing messages are skipped and missing ones are added. A conversation that cannot be imported is skipped
//! and reported.

mod attach;
mod detect;
mod entries;
mod error;
mod feedback;
mod fields;
mod format;
mod formats;
mod json;
mod losses;
mod parsed;
mod prepare;
mod reader;
mod rejection;
mod report;
mod restoration;
mod source;
mod tree;
mod write;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::model::{ContentLimits, OwnerId};
use crate::store::Scoped;
pub use error::ImportError;
pub use format::Format;
pub use losses::{DroppedContent, Losses};
use prepare::{Prepared, Target};
pub use reader::MAX_CONVERSATION_BYTES;
use reader::{Item, Reader};
use rejection::Rejection;
pub use report::{ConversationReport, Outcome, Report, ReportFile};
use restoration::{Restoration, Unreadable};
use source::SourceFiles;
pub use source::Sources;
use write::Batch;

/// How an import is done.
#[derive(Debug, Clone)]
pub struct ImportOptions {
    /// Who becomes the owner.
    pub owner: OwnerId,
    /// The format. `None`: it is detected.
    pub format: Option<Format>,
    /// The sizes that messages and metadata may have.
    pub limits: ContentLimits,
    /// The largest conversation, in bytes of JSON, up to [`MAX_CONVERSATION_BYTES`]. Larger ones are rejected.
    pub conversation_bytes: usize,
    /// The time: nothing is newer.
    pub clock: Clock,
}

/// How far an import is.
#[derive(Debug, Clone)]
pub struct Progress {
    read: Arc<AtomicU64>,
    /// The bytes of all documents. `None`: one is a stream.
    pub total_bytes: Option<u64>,
}

impl Progress {
    /// The bytes that were read.
    pub fn read_bytes(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }
}

/// Sees what becomes of each conversation.
pub trait Observer: Send {
    /// Sees a conversation, or a document that cannot be used.
    ///
    /// # Errors
    /// The report cannot be written: the import ends.
    fn conversation(&mut self, report: &ConversationReport) -> std::io::Result<()>;
}

/// An import that reads.
pub struct Import {
    items: mpsc::Receiver<Item>,
    files: SourceFiles,
    progress: Progress,
    report: Report,
    /// The document that is read, its format, and the conversations of it so far.
    document: (String, Format, u64),
    restoration: Option<Restoration>,
    is_unreadable: bool,
    /// The largest conversation of an export of Scrollback, if there is a limit.
    most: Option<usize>,
    batch: Batch,
}

impl Import {
    /// Starts to read.
    ///
    /// # Errors
    /// There is no thread for it.
    pub fn start(sources: Sources, options: ImportOptions) -> Result<Self, ImportError> {
        let Sources { documents, files } = sources;
        let read = Arc::new(AtomicU64::new(0));
        let total_bytes = documents.iter().map(|document| document.byte_size).sum();
        let ImportOptions { owner, format, limits, conversation_bytes, clock } = options;
        let target = Target { owner, limits, clock };
        let reader = Reader { format, target, conversation_bytes, progress: read.clone() };
        let items = reader.start(documents).map_err(|error| ImportError::file("the source", &error))?;
        Ok(Self {
            items,
            files,
            progress: Progress { read, total_bytes },
            report: Report::default(),
            document: (String::new(), Format::Scrollback, 0),
            restoration: None,
            is_unreadable: false,
            most: (conversation_bytes < MAX_CONVERSATION_BYTES).then_some(conversation_bytes),
            batch: Batch::default(),
        })
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// Reads and checks everything, and writes nothing.
    ///
    /// # Errors
    /// The report cannot be written.
    pub async fn check(mut self, observer: &mut impl Observer) -> Result<Report, ImportError> {
        self.report.dry_run = true;
        while let Some(item) = self.items.recv().await {
            self.item(item, None, observer).await?;
        }
        self.write_batch(None, observer).await?;
        Ok(self.report)
    }

    /// Writes what is missing. `open` opens the database, once there is something to write.
    ///
    /// # Errors
    /// The database cannot be written. What was written is kept, and the same import continues from there.
    pub async fn write<E: From<ImportError>>(
        mut self,
        open: impl AsyncFnOnce() -> Result<Scoped, E>,
        observer: &mut impl Observer,
    ) -> Result<Report, E> {
        let mut open = Some(open);
        let mut scope = None;
        while let Some(item) = self.items.recv().await {
            let is_usable = matches!(item, Item::Conversation { found: Ok(_), .. } | Item::Record { .. });
            if let Some(open) = open.take_if(|_| is_usable) {
                scope = Some(open().await?);
            }
            self.item(item, scope.as_ref(), observer).await?;
        }
        self.write_batch(scope.as_ref(), observer).await?;
        Ok(self.report)
    }

    async fn item(
        &mut self,
        item: Item,
        scope: Option<&Scoped>,
        observer: &mut impl Observer,
    ) -> Result<(), ImportError> {
        if !matches!(item, Item::Conversation { .. }) {
            self.write_batch(scope, observer).await?;
        }
        match item {
            Item::Document { name, format } => {
                (self.restoration, self.is_unreadable) = (None, false);
                self.document = (name, format, 0);
            }
            Item::Conversation { line, found } => {
                self.document.2 += 1;
                match found {
                    Ok(prepared) => self.conversation(line, *prepared, scope).await?,
                    Err(rejection) => {
                        let report = self.rejected(line, rejection);
                        self.batch.add_report(report);
                    }
                }
                if self.batch.is_full() {
                    self.write_batch(scope, observer).await?;
                }
            }
            // The rest of an export that cannot be read on.
            Item::Record { .. } if self.is_unreadable => {}
            Item::Record { line, record } => {
                let name = &self.document.0;
                let restoration =
                    self.restoration.get_or_insert_with(|| Restoration::new(name, scope.cloned(), self.most));
                let taken = restoration.take(line, record).await?;
                self.observe_restoration(observer)?;
                if let Err(Unreadable(why)) = taken {
                    self.unusable(&self.document.0.clone(), why, observer)?;
                    (self.restoration, self.is_unreadable) = (None, true);
                }
            }
            Item::End => {
                if let Some(restoration) = &mut self.restoration {
                    restoration.end().await?;
                }
                self.observe_restoration(observer)?;
                self.restoration = None;
            }
            Item::Ignored { name } => self.report.ignored_files.push(name),
            Item::Unusable { name, why } => self.unusable(&name, why, observer)?,
        }
        Ok(())
    }

    /// Adds a conversation to those that are written next.
    async fn conversation(
        &mut self,
        line: usize,
        mut prepared: Prepared,
        scope: Option<&Scoped>,
    ) -> Result<(), ImportError> {
        if let Some(scope) = scope {
            self.report.files += attach::files(scope, &self.files, &mut prepared).await?;
        }
        let names = Rejection {
            id: Some(prepared.origin.clone()),
            title: prepared.conversation.title.clone(),
            reason: String::new(),
        };
        let report = ConversationReport {
            outcome: Outcome::Imported,
            reason: None,
            losses: prepared.losses.clone(),
            ..self.rejected(line, names)
        };
        self.batch.add(report, prepared);
        Ok(())
    }

    async fn write_batch(
        &mut self,
        scope: Option<&Scoped>,
        observer: &mut impl Observer,
    ) -> Result<(), ImportError> {
        for report in self.batch.write(scope).await? {
            self.observe(&report, observer)?;
        }
        Ok(())
    }

    fn rejected(&self, line: usize, rejection: Rejection) -> ConversationReport {
        ConversationReport::rejected(&self.document.0, self.document.2, line, rejection)
    }

    fn unusable(&mut self, name: &str, why: String, observer: &mut impl Observer) -> Result<(), ImportError> {
        let report = ConversationReport::rejected(name, 0, 0, Rejection::from(why));
        self.observe(&report, observer)
    }

    fn observe_restoration(&mut self, observer: &mut impl Observer) -> Result<(), ImportError> {
        let done = self.restoration.as_mut().map(|restoration| std::mem::take(&mut restoration.done));
        for report in done.unwrap_or_default() {
            self.observe(&report, observer)?;
        }
        Ok(())
    }

    fn observe(
        &mut self,
        report: &ConversationReport,
        observer: &mut impl Observer,
    ) -> Result<(), ImportError> {
        self.report.add(report);
        observer.conversation(report).map_err(ImportError::Report)
    }
}

/// Parses and prepares a document in memory like [`Import::check`], without a thread, for `fuzz` and tests. Returns the
/// number of valid conversations and of all.
#[doc(hidden)]
pub fn probe(owner: &OwnerId, format: Format, bytes: &[u8]) -> (usize, usize) {
    let target = Target { owner: owner.clone(), limits: ContentLimits::LARGEST, clock: Clock::system() };
    reader::probe(&target, format, bytes)
}
