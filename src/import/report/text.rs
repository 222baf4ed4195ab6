//! The report as text.

use std::fmt;

use super::{ConversationReport, Report};

/// The most characters of an id or a title.
const MAX_CHARACTERS: usize = 120;

/// The most characters of a reason or a path.
const MAX_REASON: usize = 400;

/// The most entries of a list.
const MAX_ENTRIES: usize = 30;

impl Report {
    /// The first rejections, a line each.
    pub fn rejections(&self) -> impl fmt::Display {
        Rejections(self)
    }
}

/// The counts, and what was kept as data and left out.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { dry_run, conversations, messages, grown, present, rejected, files, losses, .. } = self;
        if *dry_run {
            write!(
                f,
                "{conversations} conversations with {messages} messages can be imported, {rejected} cannot"
            )?;
        } else {
            write!(f, "{conversations} conversations with {messages} messages imported, ")?;
            if *grown > 0 {
                write!(f, "{grown} conversations have grown, ")?;
            }
            write!(f, "{present} existed already, {rejected} rejected")?;
        }
        if *files > 0 {
            write!(f, "\nfiles: {files}")?;
        }
        list(f, "\nstored as", losses.mapped.iter().map(|(what, count)| format!("{what} {count}")))?;
        list(
            f,
            "\nkept as data",
            losses.kept.iter().map(|(what, count)| format!("{} {count}", shown(what))),
        )?;
        let dropped = losses
            .dropped
            .iter()
            .map(|dropped| format!("{} {} ({})", shown(&dropped.what), dropped.count, dropped.why));
        list(f, "\nleft out", dropped)?;
        list(f, "\nfiles without conversations", self.ignored_files.iter().map(|name| shown(name)))
    }
}

/// `title: a, b, …`, or nothing.
fn list(
    f: &mut fmt::Formatter<'_>,
    title: &str,
    entries: impl ExactSizeIterator<Item = String>,
) -> fmt::Result {
    let others = entries.len().saturating_sub(MAX_ENTRIES);
    for (at, entry) in entries.take(MAX_ENTRIES).enumerate() {
        let before = if at == 0 { format!("{title}: ") } else { ", ".to_owned() };
        write!(f, "{before}{entry}")?;
    }
    if others > 0 { write!(f, ", and {others} more") } else { Ok(()) }
}

struct Rejections<'r>(&'r Report);

impl fmt::Display for Rejections<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, rejection) in self.0.rejections.iter().enumerate() {
            let end = if at > 0 { "\n" } else { "" };
            write!(f, "{end}{rejection}")?;
        }
        match self.0.rejected.saturating_sub(self.0.rejections.len() as u64) {
            0 => Ok(()),
            others => write!(f, "\n{others} more were rejected"),
        }
    }
}

/// `file: conversation 7 (line 3, id "x", title "y"): reason`, on one line.
impl fmt::Display for ConversationReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let document = shown(&self.document);
        let reason = shown(self.reason.as_deref().unwrap_or_default());
        if self.number == 0 {
            return write!(f, "{document} {reason}");
        }
        let names = [
            // In a file without line breaks everything is on line 1.
            (self.line > 1).then(|| format!("line {}", self.line)),
            self.source_id.as_deref().map(|id| format!("id {}", quoted(id))),
            self.title.as_deref().map(|title| format!("title {}", quoted(title))),
        ];
        let names = names.into_iter().flatten().collect::<Vec<_>>().join(", ");
        let names = if names.is_empty() { names } else { format!(" ({names})") };
        write!(f, "{document}: conversation {}{names}: {reason}", self.number)
    }
}

/// A text of the file on one line, without control characters.
fn quoted(text: &str) -> String {
    format!("{:?}", cut(text, MAX_CHARACTERS))
}

fn shown(text: &str) -> String {
    cut(text, MAX_REASON)
        .chars()
        .map(|character| if character.is_control() { ' ' } else { character })
        .collect()
}

fn cut(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
