//! Entries that are looked at before the format is known, and bare messages that belong together.

use std::collections::VecDeque;
use std::io::{self, BufRead};

use crate::import::detect;
use crate::import::entries::{Entries, Entry};
use crate::import::format::Format;
use crate::import::json::value;
use crate::model::JsonValue;

/// The most entries and bytes that are looked at. Some exports begin with entries that are not conversations.
const MAX_ENTRIES: usize = 100;
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// The first entries of a document.
pub(super) struct Look {
    entries: VecDeque<Entry>,
    /// The format of the first entry that has one.
    pub(super) format: Option<Format>,
    /// The document is an array without elements.
    pub(super) is_empty_array: bool,
}

impl Look {
    /// Reads entries until one has a format.
    pub(super) fn ahead<R: BufRead>(reader: &mut Entries<R>) -> io::Result<Self> {
        let (mut entries, mut bytes) = (VecDeque::new(), 0);
        let mut format = None;
        while format.is_none() && entries.len() < MAX_ENTRIES && bytes < MAX_BYTES {
            let Some(entry) = reader.next()? else { break };
            if let Ok(text) = &entry.text {
                bytes += text.len();
                format = value(text).as_ref().and_then(detect::format_of);
            }
            entries.push_back(entry);
        }
        let is_empty_array = entries.is_empty() && reader.has_arrays();
        Ok(Self { entries, format, is_empty_array })
    }

    /// Whether any of the entries is JSON.
    pub(super) fn has_json(&self) -> bool {
        let is_json = |entry: &Entry| match &entry.text {
            Ok(text) => matches!(text.first(), Some(b'{' | b'[')),
            Err(_) => true,
        };
        self.entries.iter().any(is_json)
    }

    /// Why the first entry cannot be read, if it begins like JSON.
    pub(super) fn fault(&self) -> Option<String> {
        let first = self.entries.front()?.text.as_ref().err()?;
        Some(format!("cannot be imported: its first entry {}", first.reason))
    }

    pub(super) fn into_entries(self) -> VecDeque<Entry> {
        self.entries
    }
}

/// Bare messages that follow one another.
#[derive(Default)]
pub(super) struct Batch {
    line: usize,
    array: usize,
    bytes: usize,
    messages: Vec<JsonValue>,
}

impl Batch {
    /// Whether the next message belongs to those that are here.
    pub(super) fn takes(&self, array: usize, bytes: usize, most: usize) -> bool {
        self.messages.is_empty() || (self.array == array && self.bytes + bytes <= most)
    }

    pub(super) fn add(&mut self, line: usize, array: usize, message: JsonValue, bytes: usize) {
        if self.messages.is_empty() {
            *self = Self { line, array, ..Self::default() };
        }
        self.bytes += bytes;
        self.messages.push(message);
    }

    /// The line of the first message, and all of them.
    pub(super) fn take(&mut self) -> Option<(usize, Vec<JsonValue>)> {
        let Self { line, messages, .. } = std::mem::take(self);
        (!messages.is_empty()).then_some((line, messages))
    }
}
