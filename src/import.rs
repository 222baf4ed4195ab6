//! Loading conversations from files of other systems.
//!
//! An import can be repeated and resumed: ids are made from the origin's own (UUID version 5 of the
//! owner, the format and the id there), so what is there already is left alone and what is missing is
//! added. A conversation that cannot be read is skipped and reported with its number, id and title; the
//! rest goes on. A file of which nothing can be read is refused as a whole, with what it seems to be.
//!
//! Whole trees are kept: every version of a message becomes a branch, and the path that was active
//! there is the active one here.

mod chatgpt;
mod detect;
mod openassistant;
mod refusal;
mod sharegpt;
mod write;

use std::fmt;
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};

use crate::model::{JsonObject, OwnerId, Part, Role};
use crate::store::Scoped;

use refusal::Fault;
pub use refusal::{Refusals, Unreadable};

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// OpenAssistant message trees, one a line.
    OpenAssistant,
    /// ShareGPT conversations, one array.
    ShareGpt,
    /// A ChatGPT export's `conversations.json`, or one conversation of it.
    ChatGpt,
}

/// A conversation as a file tells it.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    /// Its id in the file.
    origin: String,
    title: Option<String>,
    /// Parents before children; the first path is the one that was active.
    turns: Vec<Turn>,
    /// Where the active path ends.
    head: usize,
}

/// A message as a file tells it.
#[derive(Debug, PartialEq, Eq)]
struct Turn {
    /// Its id in the file, where it has one.
    origin: Option<String>,
    /// Which turn it follows; none for a first one.
    parent: Option<usize>,
    role: Role,
    said: Said,
    model: Option<String>,
    /// What else the file tells and somebody may want.
    metadata: JsonObject,
}

/// What is said in a turn.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Text(String),
    Parts(Vec<Part>),
}

/// Everything in a file, by the line it begins on: a conversation, or why it cannot be read.
type Parsed = Vec<(usize, Result<Found, Fault>)>;

/// The conversations of a file, not written yet.
pub struct Conversations {
    file: PathBuf,
    format: Format,
    entries: Parsed,
}

/// What an import did.
#[derive(Debug, Default)]
pub struct Report {
    /// Conversations that were written.
    pub conversations: usize,
    /// Messages in them.
    pub messages: usize,
    /// Conversations that were there already.
    pub present: usize,
    /// Conversations that were refused.
    pub refused: usize,
    /// The first of these, and why.
    pub refusals: Refusals,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { conversations, messages, present, refused, .. } = self;
        write!(
            f,
            "{conversations} conversations with {messages} messages imported, {present} were there already, {refused} refused"
        )
    }
}

/// The byte order mark that some programs put before UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads `file`. Conversations that cannot be read are kept as refusals.
///
/// # Errors
/// The file cannot be read, or no conversation of the format is in it.
pub fn read(format: Format, file: &Path) -> Result<Conversations, Unreadable> {
    let bytes = std::fs::read(file).map_err(|error| Unreadable::file(file, &error))?;
    let text = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&bytes);
    let entries = format.parse(text);
    let is_empty_array = entries.is_empty() && !text.trim_ascii().is_empty();
    if is_empty_array || entries.iter().any(|(_, found)| found.is_ok()) {
        return Ok(Conversations { file: file.to_owned(), format, entries });
    }
    Err(refusal::of_file(file, format, text, entries))
}

/// Writes conversations for the owner of `scope`.
///
/// # Errors
/// The database cannot be written. What was written stays; the same import goes on from there.
pub async fn write(scope: &Scoped, conversations: Conversations) -> anyhow::Result<Report> {
    let Conversations { file, format, entries } = conversations;
    let progress = ProgressBar::new(entries.len() as u64);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} conversations, {eta} left") {
        progress.set_style(style);
    }
    let mut report = Report { refusals: Refusals::of(&file), ..Report::default() };
    for (index, (line, found)) in entries.into_iter().enumerate() {
        if let Err(fault) = take(scope, format, found, &mut report).await? {
            report.refused += 1;
            report.refusals.add(index, line, fault);
        }
        progress.inc(1);
    }
    progress.finish_and_clear();
    Ok(report)
}

/// Writes one conversation. The inner error refuses it, the outer ends the import.
async fn take(
    scope: &Scoped,
    format: Format,
    found: Result<Found, Fault>,
    report: &mut Report,
) -> anyhow::Result<Result<(), Fault>> {
    let found = match found {
        Ok(found) => found,
        Err(fault) => return Ok(Err(fault)),
    };
    let (id, title) = (Some(found.origin.clone()), found.title.clone());
    let refused = |reason: String| Ok(Err(Fault { id, title, reason }));
    match write::prepare(scope.owner(), format, found) {
        Ok(prepared) => match write::take(scope, prepared, report).await? {
            Ok(()) => Ok(Ok(())),
            Err(reason) => refused(reason),
        },
        Err(invalid) => refused(invalid.to_string()),
    }
}

/// Reads a file as [`read`] does and writes nothing, for `fuzz` to feed: how many conversations could be
/// written, of how many.
#[doc(hidden)]
pub fn probe(owner: &OwnerId, format: Format, bytes: &[u8]) -> (usize, usize) {
    let parsed = format.parse(bytes);
    let all = parsed.len();
    let found = parsed.into_iter().filter_map(|(_, found)| found.ok());
    (found.filter_map(|found| write::prepare(owner, format, found).ok()).count(), all)
}

impl Format {
    fn parse(self, bytes: &[u8]) -> Parsed {
        match self {
            Self::OpenAssistant => openassistant::parse(bytes),
            Self::ShareGpt => sharegpt::parse(bytes),
            Self::ChatGpt => chatgpt::parse(bytes),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::OpenAssistant => "openassistant",
            Self::ShareGpt => "sharegpt",
            Self::ChatGpt => "chatgpt",
        }
    }

    /// What a file of this format holds, for people.
    fn contents(self) -> &'static str {
        match self {
            Self::OpenAssistant => "OpenAssistant message trees",
            Self::ShareGpt => "ShareGPT conversations",
            Self::ChatGpt => "ChatGPT conversations",
        }
    }
}

/// The beginning of a conversation's first message as its title: one line, at most 80 characters.
fn title_of(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(80) {
        None => line,
        Some(_) => format!("{}…", line.chars().take(79).collect::<String>().trim_end()),
    }
}
