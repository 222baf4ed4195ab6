//! Errors of imports: rejected conversations and rejected files.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::detect::{self, FileKind};
use super::format::Format;
use super::parsed::Parsed;
use super::rejection::Rejection;

/// The most rejections that are listed. Others are counted.
const MAX_LISTED: usize = 20;

/// The most characters of an id, a title or a reason in a message.
const MAX_CHARACTERS: usize = 120;

/// The rejected conversations of a file: the first ones, and the number of others.
#[derive(Debug, Default)]
pub struct RejectedConversations {
    file: PathBuf,
    listed: Vec<(usize, usize, Rejection)>,
    others: usize,
}

impl RejectedConversations {
    pub(super) fn of(file: &Path) -> Self {
        Self { file: file.to_owned(), ..Self::default() }
    }

    /// Adds the conversation at `index`, counted from 0, which begins on `line`, counted from 1.
    pub(super) fn add(&mut self, index: usize, line: usize, fault: Rejection) {
        if self.listed.len() < MAX_LISTED {
            self.listed.push((index, line, fault));
        } else {
            self.others += 1;
        }
    }
}

/// One line for each.
impl fmt::Display for RejectedConversations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (index, line, fault)) in self.listed.iter().enumerate() {
            let names = [
                // In a file without line breaks everything is on line 1.
                (*line > 1).then(|| format!("line {line}")),
                fault.id.as_deref().map(|id| format!("id {}", quoted(id))),
                fault.title.as_deref().map(|title| format!("title {}", quoted(title))),
            ];
            let names = names.into_iter().flatten().collect::<Vec<_>>().join(", ");
            let names = if names.is_empty() { names } else { format!(" ({names})") };
            let end = if at > 0 { "\n" } else { "" };
            let reason = shown(&fault.reason);
            write!(f, "{end}{}: conversation {}{names}: {reason}", self.file.display(), index + 1)?;
        }
        match self.others {
            0 => Ok(()),
            others => write!(f, "\n{}: {others} more were rejected", self.file.display()),
        }
    }
}

/// A text of the file on one line, without control characters.
fn quoted(text: &str) -> String {
    format!("{:?}", cut(text))
}

fn shown(text: &str) -> String {
    cut(text).chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_CHARACTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The reason why a file cannot be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file cannot be read.
    #[error("cannot read {0}: {1}")]
    File(String, String),
    /// The file has another format. Contains what to do.
    #[error("{0}")]
    Other(String),
    /// The format is right, but every conversation is rejected.
    #[error("nothing in {0} can be imported\n{1}")]
    Refused(String, RejectedConversations),
}

impl ImportError {
    pub(super) fn file(file: &Path, error: &io::Error) -> Self {
        Self::File(file.display().to_string(), error.to_string())
    }
}

/// The error for `file`, none of whose `entries` is valid.
pub(super) fn reject_file(file: &Path, format: Format, text: &[u8], entries: Parsed) -> ImportError {
    let name = file.display().to_string();
    let kind = detect::detect(text);
    if kind == Some(FileKind::Readable(format)) {
        let mut rejected = RejectedConversations::of(file);
        for (index, (line, found)) in entries.into_iter().enumerate() {
            if let Err(fault) = found {
                rejected.add(index, line, fault);
            }
        }
        return ImportError::Refused(name, rejected);
    }
    ImportError::Other(match kind {
        Some(kind) => format!("{name} {}", kind.advice(format)),
        None => {
            let reason = entries.into_iter().find_map(|(_, found)| found.err());
            let reason = reason.map(|fault| shown(&fault.reason)).unwrap_or_default();
            format!("{name} does not hold {}: {reason}", format.contents())
        }
    })
}
