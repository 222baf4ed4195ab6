//! Loading conversations from files of other systems.
//!
//! An import can be repeated and resumed: ids are made from the origin's own (UUID version 5 of the
//! owner, the format and the id there), so what is there already is left alone and what is missing is
//! added. What cannot be read is reported with its place in the file and skipped; the rest goes on.
//!
//! Whole trees are kept: every version of a message becomes a branch, and the path that was active
//! there is the active one here.

mod chatgpt;
mod openassistant;
mod sharegpt;
mod write;

use std::fmt;
use std::path::Path;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};

use crate::model::{OwnerId, Part, Role};
use crate::store::Scoped;

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
    metadata: serde_json::Map<String, serde_json::Value>,
}

/// What is said in a turn.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Text(String),
    Parts(Vec<Part>),
}

/// Everything in a file, by the line it begins on: a conversation, or why it cannot be read.
type Parsed = Vec<(usize, Result<Found, String>)>;

/// What an import did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Conversations that were written.
    pub conversations: usize,
    /// Messages in them.
    pub messages: usize,
    /// Conversations that were there already.
    pub present: usize,
    /// Lines that were refused.
    pub refused: usize,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { conversations, messages, present, refused } = self;
        write!(
            f,
            "{conversations} conversations with {messages} messages imported, {present} were there already, {refused} refused"
        )
    }
}

/// Loads `file` for the owner of `scope`.
///
/// # Errors
/// The file cannot be read, or the database cannot be written. What was written stays; the same call
/// goes on from there.
pub async fn run(scope: &Scoped, format: Format, file: &Path) -> anyhow::Result<Report> {
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let parsed = format.parse(&bytes);
    let progress = ProgressBar::new(parsed.len() as u64);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} conversations, {eta} left") {
        progress.set_style(style);
    }
    let mut report = Report::default();
    for (line, found) in parsed {
        let taken = match found
            .and_then(|found| write::prepare(scope.owner(), format, found).map_err(|error| error.to_string()))
        {
            Ok(prepared) => write::take(scope, prepared, &mut report).await?,
            Err(reason) => Err(reason),
        };
        if let Err(reason) = taken {
            report.refused += 1;
            progress.suspend(|| eprintln!("{}:{line}: {reason}", file.display()));
        }
        progress.inc(1);
    }
    progress.finish_and_clear();
    Ok(report)
}

/// Reads a file as [`run`] does and writes nothing, for `fuzz` to feed: how many conversations could be
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
}

/// The beginning of a conversation's first message as its title: one line, at most 80 characters.
fn title_of(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(80) {
        None => line,
        Some(_) => format!("{}…", line.chars().take(79).collect::<String>().trim_end()),
    }
}
