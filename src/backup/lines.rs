//! The lines of a backup of all users.

use std::io::{self, BufRead};

use anyhow::{Context, bail};
use serde::de::IgnoredAny;

use crate::model::{BACKUP_VERSION, BackupEnd, BackupRecord, ExportRecord};

/// The name of the format in the first line.
pub(super) const FORMAT: &str = "scrollback-backup";

/// How the first line begins.
pub(super) const START: &[u8] = b"{\"backup\":";

/// The longest line: an export has none that is longer.
const MAX_LINE: usize = 256 * 1024 * 1024;

/// Reads lines, and counts them.
pub(super) struct Lines<R> {
    reader: R,
    number: u64,
}

/// A line.
#[derive(Debug)]
pub(super) enum Line {
    /// One of the backup.
    Record(BackupRecord),
    /// One of the export of a user, with its line break.
    Exported(Vec<u8>),
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, number: 0 }
    }

    /// The number of the last line, from 1.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The next line. `None` at the end.
    ///
    /// # Errors
    /// The file is damaged, or the line is not one of a backup.
    pub(super) fn next(&mut self) -> anyhow::Result<Option<Line>> {
        let mut bytes = Vec::new();
        let mut limited = io::Read::take(&mut self.reader, MAX_LINE as u64);
        limited.read_until(b'\n', &mut bytes).context("it is damaged or was cut off")?;
        if bytes.is_empty() {
            return Ok(None);
        }
        self.number += 1;
        if bytes.last() != Some(&b'\n') {
            bail!("line {} has no end", self.number);
        }
        let is_record = [START, b"{\"signingKey\":", b"{\"account\":", b"{\"backupEnd\":"]
            .iter()
            .any(|start| bytes.starts_with(start));
        if !is_record {
            return Ok(Some(Line::Exported(bytes)));
        }
        let record = serde_json::from_slice(&bytes);
        Ok(Some(Line::Record(record.with_context(|| format!("line {} is not valid", self.number))?)))
    }
}

/// What a section of a user has had so far.
struct Section {
    user: String,
    has_header: bool,
}

/// Reads a whole backup and checks that it is complete, without keeping anything.
///
/// # Errors
/// It is damaged, cut off, newer than this version, or not a backup.
pub(super) fn check(reader: impl BufRead) -> anyhow::Result<BackupEnd> {
    let mut lines = Lines::new(reader);
    let Some(Line::Record(BackupRecord::Backup(header))) = lines.next()? else {
        bail!("it is not a backup of Scrollback: it does not begin with `backup`");
    };
    if header.format != FORMAT || header.version > BACKUP_VERSION {
        bail!(
            "it has the format {} in version {}, this version reads {FORMAT} up to {BACKUP_VERSION}",
            header.format,
            header.version
        );
    }
    let (mut section, mut found): (Option<Section>, _) = (None, BackupEnd::default());
    loop {
        let line = lines.next()?;
        let number = lines.number();
        match (line, &mut section) {
            (Some(Line::Record(BackupRecord::SigningKey(_))), None) => {}
            (Some(Line::Record(BackupRecord::Account(account))), None) => {
                found.users += 1;
                section = Some(Section { user: account.user, has_header: false });
            }
            (Some(Line::Exported(bytes)), Some(open)) => {
                if exported(&bytes, open, &mut found).with_context(|| format!("line {number}"))? {
                    section = None;
                }
            }
            (Some(Line::Record(BackupRecord::BackupEnd(end))), None) => {
                if end != found {
                    bail!("it says that it has {end:?}, and has {found:?}");
                }
                if lines.next()?.is_some() {
                    bail!("line {} comes after the end", lines.number());
                }
                return Ok(found);
            }
            (Some(_), _) => bail!("line {number} is out of place"),
            (None, _) => bail!("it was cut off: the end is missing"),
        }
    }
}

/// Checks a line of an export. Returns whether it is the last one of the user.
fn exported(bytes: &[u8], section: &mut Section, found: &mut BackupEnd) -> anyhow::Result<bool> {
    let starts = |key: &str| bytes.strip_prefix(b"{\"").is_some_and(|rest| rest.starts_with(key.as_bytes()));
    if starts("header\":") {
        let record: ExportRecord = serde_json::from_slice(bytes)?;
        let ExportRecord::Header(header) = record else { bail!("it is not a header") };
        if header.user != section.user || section.has_header {
            bail!("it is not the header of the user before it");
        }
        section.has_header = true;
        return Ok(false);
    }
    if !section.has_header {
        bail!("it comes before a header");
    }
    serde_json::from_slice::<IgnoredAny>(bytes)?;
    found.conversations += u64::from(starts("conversation\":"));
    found.messages += u64::from(starts("message\":"));
    Ok(is_last(bytes))
}

/// Whether a line ends the export of a user.
pub(super) fn is_last(line: &[u8]) -> bool {
    line.starts_with(b"{\"end\":")
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &[&str] = &[
        r#"{"backup":{"format":"scrollback-backup","version":1,"takenAt":"2026-11-30T00:00:00Z"}}"#,
        r#"{"account":{"user":"ada","createdAt":"2026-11-30T00:00:00Z","retentionAfter":null,"retentionAction":null}}"#,
        r#"{"header":{"format":"scrollback","version":2,"user":"ada","exportedAt":"2026-11-30T00:00:00Z"}}"#,
        r#"{"conversation":{}}"#,
        r#"{"message":{}}"#,
        r#"{"end":{"conversations":1,"messages":1,"attachments":0}}"#,
        r#"{"backupEnd":{"users":1,"conversations":1,"messages":1}}"#,
    ];

    fn check_lines(lines: &[&str]) -> anyhow::Result<BackupEnd> {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        check(text.as_bytes())
    }

    #[test]
    fn a_whole_backup_is_accepted() {
        let end = BackupEnd { users: 1, conversations: 1, messages: 1 };
        assert_eq!(check_lines(WHOLE).unwrap(), end);
    }

    #[test]
    fn a_backup_that_lacks_a_line_or_has_one_more_is_refused() {
        for lacking in 0..WHOLE.len() {
            let mut lines = WHOLE.to_vec();
            lines.remove(lacking);
            assert!(check_lines(&lines).is_err(), "without line {}", lacking + 1);
        }
        for (number, twice) in WHOLE.iter().enumerate() {
            let mut lines = WHOLE.to_vec();
            lines.insert(number, twice);
            assert!(check_lines(&lines).is_err(), "with line {} twice", number + 1);
        }
        let mut lines = WHOLE.to_vec();
        lines[4] = r#"{"message":{"#;
        assert!(check_lines(&lines).is_err());
        lines[0] =
            r#"{"backup":{"format":"scrollback-backup","version":2,"takenAt":"2026-11-30T00:00:00Z"}}"#;
        let error = format!("{:#}", check_lines(&lines).unwrap_err());
        assert!(error.contains("in version 2, this version reads scrollback-backup up to 1"), "{error}");
    }
}
