//! Reads and parses documents on a thread of its own, while what was read before is written.
//!
//! The channel holds few conversations, so memory is bounded by the largest ones.

mod batch;

use std::io::{self, BufRead, Read as _};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use tokio::sync::mpsc;

use super::detect;
use super::entries::{Entries, Entry};
use super::feedback::MessageRatings;
use super::format::Format;
use super::formats;
use super::json::value;
use super::prepare::{Prepared, Target, prepare};
use super::rejection::Rejection;
use super::source::Document;
use crate::model::{ExportRecord, JsonValue};
use batch::{Batch, Look};

/// The largest conversation, in bytes of JSON.
pub const MAX_CONVERSATION_BYTES: usize = 128 * 1024 * 1024;

/// The longest line of an export of Scrollback. A message is shorter, whatever its characters are escaped as.
const MAX_RECORD_BYTES: usize = 256 * 1024 * 1024;

/// Deep trees are parsed, and dropped, level by level. Only what is used takes memory.
const STACK_BYTES: usize = 256 * 1024 * 1024;

/// The bytes that say what a document is that cannot be imported.
const START_BYTES: u64 = 1024;

/// Conversations that wait to be written.
const WAITING: usize = 4;

/// What was read next.
#[derive(Debug)]
pub(super) enum Item {
    /// A document begins.
    Document { name: String, format: Format },
    /// A conversation, or why it cannot be imported.
    Conversation { line: usize, found: Result<Box<Prepared>, Rejection> },
    /// A line of an export of Scrollback.
    Record { line: usize, record: Result<Box<ExportRecord>, Rejection> },
    /// A document ends.
    End,
    /// A file of a folder or an archive that has no conversations.
    Ignored { name: String },
    /// Nothing, or nothing more, in a document can be used.
    Unusable { name: String, why: String },
}

/// What is read.
#[derive(Debug)]
pub(super) struct Reader {
    /// `None`: it is detected.
    pub(super) format: Option<Format>,
    pub(super) target: Target,
    /// The largest conversation, in bytes of JSON.
    pub(super) conversation_bytes: usize,
    /// The bytes that were read so far.
    pub(super) progress: Arc<AtomicU64>,
}

/// The import has ended, so nothing more is read.
struct Closed;

impl Reader {
    /// Starts to read. Reading ends with the last document, or when the receiver is dropped.
    pub(super) fn start(self, documents: Vec<Document>) -> io::Result<mpsc::Receiver<Item>> {
        let (sender, receiver) = mpsc::channel(WAITING);
        let read = move || {
            let is_feedback = |document: &Document| MessageRatings::is_in(&document.name);
            let (feedback, documents): (Vec<_>, Vec<_>) = documents.into_iter().partition(is_feedback);
            let ratings = self.ratings(feedback);
            for document in documents {
                if self.document(document, &ratings, &sender).is_err() {
                    return;
                }
            }
        };
        std::thread::Builder::new().name("import".to_owned()).stack_size(STACK_BYTES).spawn(read)?;
        Ok(receiver)
    }

    /// The ratings of messages. Those that cannot be read are as good as none.
    fn ratings(&self, documents: Vec<Document>) -> MessageRatings {
        let mut ratings = MessageRatings::default();
        for document in documents {
            let _ = document.read(&self.progress, |text| ratings.read(text));
        }
        ratings
    }

    fn document(
        &self,
        document: Document,
        ratings: &MessageRatings,
        sender: &mpsc::Sender<Item>,
    ) -> Result<(), Closed> {
        let (name, was_named) = (document.name.clone(), document.was_named);
        let read = document.read(&self.progress, |text| {
            // The first bytes say what a document is that cannot be imported.
            let mut start = Vec::new();
            (&mut *text).take(START_BYTES).read_to_end(&mut start)?;
            let mut text = io::Cursor::new(start.clone()).chain(text);
            let mut entries =
                Entries::new(&mut text as &mut dyn BufRead, record_bytes(self.conversation_bytes));
            let look = Look::ahead(&mut entries)?;
            let read = DocumentReader { reader: self, ratings, sender, name: &name, was_named };
            Ok(match read.begin(&look, &start) {
                Ok(Some(Format::Scrollback)) => read.records(look, &mut entries),
                Ok(Some(format)) => read.conversations(format, look, &mut entries),
                Ok(None) => Ok(Ok(())),
                Err(Closed) => Ok(Err(Closed)),
            })
        });
        match read.flatten() {
            Ok(result) => result,
            Err(error) => send(sender, Item::Unusable { name, why: format!("cannot be read: {error}") }),
        }
    }
}

/// The longest line, where the largest conversation has so many bytes.
fn record_bytes(conversation_bytes: usize) -> usize {
    if conversation_bytes == MAX_CONVERSATION_BYTES { MAX_RECORD_BYTES } else { conversation_bytes }
}

fn send(sender: &mpsc::Sender<Item>, item: Item) -> Result<(), Closed> {
    sender.blocking_send(item).map_err(|_| Closed)
}

/// Reads one document.
struct DocumentReader<'r> {
    reader: &'r Reader,
    ratings: &'r MessageRatings,
    sender: &'r mpsc::Sender<Item>,
    name: &'r str,
    was_named: bool,
}

/// The outer error ends the document, the inner one the import.
type Read = io::Result<Result<(), Closed>>;

impl DocumentReader<'_> {
    /// Says what the document is. `None`: nothing of it is read.
    fn begin(&self, look: &Look, start: &[u8]) -> Result<Option<Format>, Closed> {
        let name = self.name.to_owned();
        let unusable = |why: String| Item::Unusable { name: name.clone(), why };
        let (item, format) = match (self.reader.format, look.format) {
            (Some(wanted), Some(found)) if wanted != found => {
                let why = format!(
                    "looks like {}, not like {}: use `--format {}`, or leave it out",
                    found.contents(),
                    wanted.contents(),
                    found.name()
                );
                (unusable(why), None)
            }
            (_, Some(found)) => (Item::Document { name: name.clone(), format: found }, Some(found)),
            (_, None) if look.is_empty_array => return Ok(None),
            (Some(wanted), None) if self.was_named && look.has_json() => {
                (Item::Document { name: name.clone(), format: wanted }, Some(wanted))
            }
            (_, None) if self.was_named => {
                let why = look.fault().unwrap_or_else(|| detect::advice(start).to_owned());
                (unusable(why), None)
            }
            (_, None) => (Item::Ignored { name: name.clone() }, None),
        };
        send(self.sender, item)?;
        Ok(format)
    }

    /// Sends every record.
    fn records(&self, look: Look, entries: &mut Entries<&mut dyn BufRead>) -> Read {
        let mut ahead = look.into_entries();
        loop {
            let next = match ahead.pop_front() {
                Some(entry) => Some(entry),
                None => entries.next()?,
            };
            let Some(Entry { line, text, .. }) = next else { return Ok(send(self.sender, Item::End)) };
            let record = text.and_then(|text| {
                serde_json::from_slice(&text)
                    .map_err(|error| Rejection::in_json("not a record of an export", &error))
            });
            if send(self.sender, Item::Record { line, record }).is_err() {
                return Ok(Err(Closed));
            }
        }
    }

    /// Sends every conversation.
    fn conversations(&self, format: Format, look: Look, entries: &mut Entries<&mut dyn BufRead>) -> Read {
        let mut ahead = look.into_entries();
        let mut batch = Batch::default();
        loop {
            let next = match ahead.pop_front() {
                Some(entry) => Some(entry),
                None => entries.next()?,
            };
            let Some(entry) = next else {
                let sent = self.messages(format, &mut batch).and_then(|()| send(self.sender, Item::End));
                return Ok(sent);
            };
            if self.entry(format, entry, &mut batch).is_err() {
                return Ok(Err(Closed));
            }
        }
    }

    fn entry(&self, format: Format, entry: Entry, batch: &mut Batch) -> Result<(), Closed> {
        let Entry { line, array, text } = entry;
        let most = self.reader.conversation_bytes;
        let text = text.and_then(|text| match text.len() <= most {
            true => Ok(text),
            false => Err(Rejection::from(format!("has more than {most} bytes"))),
        });
        let found = text.and_then(|text| match value(&text) {
            Some(value) => Ok((value, text)),
            None => Err(Rejection::from("is not valid JSON").named_by(&text)),
        });
        match found {
            Ok((value, text)) if detect::is_bare_message(&value) => {
                if !batch.takes(array, text.len(), most) {
                    self.messages(format, batch)?;
                }
                batch.add(line, array, value, text.len());
                Ok(())
            }
            Ok((value, text)) => {
                self.messages(format, batch)?;
                self.parsed(format, line, value, |rejection| rejection.named_by(&text))
            }
            Err(rejection) => {
                self.messages(format, batch)?;
                send(self.sender, Item::Conversation { line, found: Err(rejection) })
            }
        }
    }

    /// Parses the bare messages that were collected.
    fn messages(&self, format: Format, batch: &mut Batch) -> Result<(), Closed> {
        let Some((line, messages)) = batch.take() else { return Ok(()) };
        self.parsed(format, line, JsonValue::Array(messages), |rejection| rejection)
    }

    fn parsed(
        &self,
        format: Format,
        line: usize,
        value: JsonValue,
        name: impl Fn(Rejection) -> Rejection,
    ) -> Result<(), Closed> {
        for found in formats::parse(format, value) {
            let found = found.and_then(|mut found| {
                for message in found.messages.iter_mut().filter(|message| message.feedback.is_none()) {
                    message.feedback = message.origin.as_ref().and_then(|id| self.ratings.of(id)).cloned();
                }
                prepare(&self.reader.target, format, found)
            });
            let found = found.map(Box::new).map_err(&name);
            send(self.sender, Item::Conversation { line, found })?;
        }
        Ok(())
    }
}

/// Parses and prepares the entries of a document. Returns the number of valid conversations and of all.
pub(super) fn probe(target: &Target, format: Format, bytes: &[u8]) -> (usize, usize) {
    let mut entries = Entries::new(bytes, MAX_CONVERSATION_BYTES);
    let (mut valid, mut all) = (0, 0);
    while let Ok(Some(entry)) = entries.next() {
        let found = entry.text.ok().and_then(|text| value(&text)).map(|value| formats::parse(format, value));
        for found in found.unwrap_or_else(|| vec![Err(Rejection::from("is not valid JSON"))]) {
            all += 1;
            valid += usize::from(found.and_then(|found| prepare(target, format, found)).is_ok());
        }
    }
    (valid, all)
}
