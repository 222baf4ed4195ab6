//! Imports of conversations from files of other systems.
//!
//! An import can be repeated and resumed: ids are UUIDs of version 5, made of the owner, the format and the
//! id in the file. Existing conversations are skipped and missing messages are added. A conversation that
//! cannot be parsed is skipped and reported with its number, id and title. A file without any valid
//! conversation is rejected, with its detected format.
//!
//! Imports keep all branches: every version of a message becomes a branch. The active path of the file
//! becomes the active branch.

mod chatgpt;
mod detect;
mod error;
mod format;
mod openassistant;
mod parsed;
mod rejection;
mod report;
mod scrollback;
mod sharegpt;
mod write;

use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};

use crate::model::{ContentLimits, OwnerId};
use crate::store::Scoped;

pub use error::{ImportError, RejectedConversations};
pub use format::Format;
use parsed::{Parsed, ParsedConversation};
use rejection::Rejection;
pub use report::Report;
pub use scrollback::{ExportFile, restore};

/// The parsed conversations of a file.
pub struct Conversations {
    file: PathBuf,
    format: Format,
    entries: Parsed,
}

/// The byte order mark that some programs write before UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Parses `file`. Invalid conversations are kept as rejections.
///
/// # Errors
/// The file cannot be read, or it has no valid conversation of the format.
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

/// Writes conversations for the owner of `scope`. Those with a message or metadata over the limits are rejected.
///
/// # Errors
/// The database cannot be written. Written conversations are kept, and the same import continues from there.
pub async fn write(
    scope: &Scoped,
    conversations: Conversations,
    limits: ContentLimits,
) -> anyhow::Result<Report> {
    let Conversations { file, format, entries } = conversations;
    let progress = ProgressBar::new(entries.len() as u64);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} conversations, {eta} left") {
        progress.set_style(style);
    }
    let mut report = Report { rejected: RejectedConversations::of(&file), ..Report::default() };
    for (index, (line, found)) in entries.into_iter().enumerate() {
        if let Err(fault) = write_one(scope, format, limits, found, &mut report).await? {
            report.refused += 1;
            report.rejected.add(index, line, fault);
        }
        progress.inc(1);
    }
    progress.finish_and_clear();
    Ok(report)
}

/// Writes one conversation. The inner error rejects it, the outer error ends the import.
async fn write_one(
    scope: &Scoped,
    format: Format,
    limits: ContentLimits,
    found: Result<ParsedConversation, Rejection>,
    report: &mut Report,
) -> anyhow::Result<Result<(), Rejection>> {
    let found = match found {
        Ok(found) => found,
        Err(fault) => return Ok(Err(fault)),
    };
    let (id, title) = (Some(found.origin.clone()), found.title.clone());
    let refused = |reason: String| Ok(Err(Rejection { id, title, reason }));
    match write::prepare(scope.owner(), format, found, limits) {
        Ok(prepared) => match write::write(scope, prepared, report).await? {
            Ok(()) => Ok(Ok(())),
            Err(reason) => refused(reason),
        },
        Err(invalid) => refused(invalid.to_string()),
    }
}

/// Parses a file like [`read`] without writing, for `fuzz`. Returns the number of valid conversations and of
/// all.
#[doc(hidden)]
pub fn probe(owner: &OwnerId, format: Format, bytes: &[u8]) -> (usize, usize) {
    let parsed = parse(format, bytes);
    let all = parsed.len();
    let found = parsed.into_iter().filter_map(|(_, found)| found.ok());
    (found.filter_map(|found| write::prepare(owner, format, found, ContentLimits::LARGEST).ok()).count(), all)
}

fn parse(format: Format, bytes: &[u8]) -> Parsed {
    match format {
        Format::OpenAssistant => openassistant::parse(bytes),
        Format::ShareGpt => sharegpt::parse(bytes),
        Format::ChatGpt => chatgpt::parse(bytes),
    }
}
