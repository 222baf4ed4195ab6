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
mod error;
mod format;
mod openassistant;
mod parsed;
mod rejection;
mod report;
mod sharegpt;
mod write;

use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};

use crate::model::OwnerId;
use crate::store::Scoped;

pub use error::{ImportError, RejectedConversations};
pub use format::Format;
use parsed::{Parsed, ParsedConversation};
use rejection::Rejection;
pub use report::Report;

/// The conversations of a file, not written yet.
pub struct Conversations {
    file: PathBuf,
    format: Format,
    entries: Parsed,
}

/// The byte order mark that some programs put before UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads `file`. Conversations that cannot be read are kept as rejected.
///
/// # Errors
/// The file cannot be read, or no conversation of the format is in it.
pub fn read(format: Format, file: &Path) -> Result<Conversations, ImportError> {
    let bytes = std::fs::read(file).map_err(|error| ImportError::file(file, &error))?;
    let text = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&bytes);
    let entries = parse(format, text);
    let is_empty_array = entries.is_empty() && !text.trim_ascii().is_empty();
    if is_empty_array || entries.iter().any(|(_, found)| found.is_ok()) {
        return Ok(Conversations { file: file.to_owned(), format, entries });
    }
    Err(error::reject_file(file, format, text, entries))
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
    let mut report = Report { rejected: RejectedConversations::of(&file), ..Report::default() };
    for (index, (line, found)) in entries.into_iter().enumerate() {
        if let Err(fault) = write_one(scope, format, found, &mut report).await? {
            report.refused += 1;
            report.rejected.add(index, line, fault);
        }
        progress.inc(1);
    }
    progress.finish_and_clear();
    Ok(report)
}

/// Writes one conversation. The inner error refuses it, the outer ends the import.
async fn write_one(
    scope: &Scoped,
    format: Format,
    found: Result<ParsedConversation, Rejection>,
    report: &mut Report,
) -> anyhow::Result<Result<(), Rejection>> {
    let found = match found {
        Ok(found) => found,
        Err(fault) => return Ok(Err(fault)),
    };
    let (id, title) = (Some(found.origin.clone()), found.title.clone());
    let refused = |reason: String| Ok(Err(Rejection { id, title, reason }));
    match write::prepare(scope.owner(), format, found) {
        Ok(prepared) => match write::write(scope, prepared, report).await? {
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
    let parsed = parse(format, bytes);
    let all = parsed.len();
    let found = parsed.into_iter().filter_map(|(_, found)| found.ok());
    (found.filter_map(|found| write::prepare(owner, format, found).ok()).count(), all)
}

fn parse(format: Format, bytes: &[u8]) -> Parsed {
    match format {
        Format::OpenAssistant => openassistant::parse(bytes),
        Format::ShareGpt => sharegpt::parse(bytes),
        Format::ChatGpt => chatgpt::parse(bytes),
    }
}
