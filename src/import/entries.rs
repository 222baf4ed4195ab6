//! Splits a JSON document into its entries while it is read: the elements of an array, or values that follow one
//! another, such as lines.
//!
//! Only brackets and strings are looked at, so an entry that is not valid JSON does not affect the others, and memory
//! is bounded by the largest entry.

use std::io::{self, BufRead};

use memchr::memchr3;

use super::rejection::Rejection;

/// The deepest nesting of arrays and objects. Each message of a recursive tree takes two levels.
pub(super) const MAX_LEVELS: usize = 20_000;

/// An entry of a document.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The line on which it begins, from 1.
    pub(super) line: usize,
    /// The array that it is an element of, from 1. 0 outside of arrays.
    pub(super) array: usize,
    /// The JSON text. It may be invalid.
    pub(super) text: Result<Vec<u8>, Rejection>,
}

/// What comes next in the document.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// A value or an array.
    Top,
    /// An element.
    InArray,
}

/// The entries of a document in UTF-8.
pub(super) struct Entries<R> {
    reader: R,
    /// The most bytes of an entry.
    most: usize,
    place: Place,
    line: usize,
    arrays: usize,
    /// A value has filled exactly a line: values go no further than a line.
    has_lines: bool,
}

/// The state of an entry that is being read.
#[derive(Default)]
struct Scan {
    kind: Kind,
    depth: usize,
    deepest: usize,
    in_string: bool,
    is_escaped: bool,
    newlines: usize,
}

/// How an entry ends.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// An object, an array or a string: with itself.
    #[default]
    Closed,
    /// A number, a word or text that is not JSON: before a comma or a bracket in an array, and with the line otherwise.
    Open,
}

impl<R: BufRead> Entries<R> {
    /// `most` is the most bytes of an entry. Larger ones are rejected.
    pub(super) fn new(reader: R, most: usize) -> Self {
        Self { reader, most, place: Place::Top, line: 1, arrays: 0, has_lines: false }
    }

    /// The next entry. `None` at the end.
    ///
    /// # Errors
    /// The document cannot be read.
    pub(super) fn next(&mut self) -> io::Result<Option<Entry>> {
        let first = loop {
            let Some(first) = self.peek()? else { return Ok(self.end()) };
            match (first, self.place) {
                (b'\n', _) => self.line += 1,
                (b' ' | b'\t' | b'\r', _) | (b',', Place::InArray) => {}
                (b'[', Place::Top) => {
                    self.place = Place::InArray;
                    self.arrays += 1;
                }
                (b']', Place::InArray) => self.place = Place::Top,
                _ => break first,
            }
            self.reader.consume(1);
        };
        self.entry(first).map(Some)
    }

    /// Whether the document has an array so far.
    pub(super) fn has_arrays(&self) -> bool {
        self.arrays > 0
    }

    /// The end of the document. An array that was not closed is an error: entries are missing.
    fn end(&mut self) -> Option<Entry> {
        let is_cut_off = std::mem::replace(&mut self.place, Place::Top) == Place::InArray;
        let text = Err(Rejection::from("the array does not end: the file was cut off".to_owned()));
        is_cut_off.then_some(Entry { line: self.line, array: self.arrays, text })
    }

    fn peek(&mut self) -> io::Result<Option<u8>> {
        Ok(fill(&mut self.reader)?.first().copied())
    }

    fn entry(&mut self, first: u8) -> io::Result<Entry> {
        let kind = if matches!(first, b'{' | b'[' | b'"') { Kind::Closed } else { Kind::Open };
        let mut scan = Scan { kind, ..Scan::default() };
        let (mut text, mut size) = (Vec::new(), 0);
        let mut has_ended = false;
        while !has_ended {
            let bytes = fill(&mut self.reader)?;
            if bytes.is_empty() {
                break;
            }
            let end = scan.end(bytes, self.place, self.has_lines);
            let taken = end.unwrap_or(bytes.len());
            size += taken;
            if size <= self.most {
                text.extend_from_slice(&bytes[..taken]);
            } else {
                text = Vec::new();
            }
            self.reader.consume(taken);
            has_ended = end.is_some();
        }
        let line = self.line;
        self.line += scan.newlines;
        if self.place == Place::Top
            && scan.newlines == 0
            && self.peek()?.is_none_or(|next| next == b'\n' || next == b'\r')
        {
            self.has_lines = true;
        }
        let array = if self.place == Place::InArray { self.arrays } else { 0 };
        let is_cut_off = !has_ended && (kind == Kind::Closed || self.place == Place::InArray);
        if is_cut_off {
            // The end is not reported twice.
            self.place = Place::Top;
        }
        let text = if size > self.most {
            Err(Rejection::from(format!("has more than {} bytes", self.most)))
        } else if scan.deepest > MAX_LEVELS {
            Err(Rejection::from(format!("nests deeper than {MAX_LEVELS} levels")))
        } else if is_cut_off {
            Err(Rejection::from("is not whole: the file was cut off".to_owned()).named_by(&text))
        } else {
            Ok(text)
        };
        Ok(Entry { line, array, text })
    }
}

/// More bytes. Empty at the end.
fn fill(reader: &mut impl BufRead) -> io::Result<&[u8]> {
    // The borrow checker does not see that the first borrow ends with an error.
    while let Err(error) = reader.fill_buf() {
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    reader.fill_buf()
}

impl Scan {
    /// The end of the entry in `bytes`, if it is there.
    fn end(&mut self, bytes: &[u8], place: Place, has_lines: bool) -> Option<usize> {
        let mut at = 0;
        while at < bytes.len() {
            if self.is_escaped {
                self.is_escaped = false;
                at += 1;
                continue;
            }
            if self.in_string {
                // Text of JSON has no line breaks, so a broken line of JSON Lines ends here.
                at += memchr3(b'"', b'\\', b'\n', &bytes[at..]).unwrap_or(bytes.len() - at);
                match bytes.get(at) {
                    Some(b'"') => {
                        self.in_string = false;
                        if self.depth == 0 && self.kind == Kind::Closed {
                            return Some(at + 1);
                        }
                    }
                    Some(b'\\') => self.is_escaped = true,
                    Some(_) if place == Place::Top => return Some(at),
                    Some(_) => self.newlines += 1,
                    None => {}
                }
                at += 1;
                continue;
            }
            match (self.kind, bytes[at]) {
                (_, b'\n') if self.kind == Kind::Open || (place == Place::Top && has_lines) => {
                    return Some(at);
                }
                (_, b'\n') => self.newlines += 1,
                (Kind::Open, b',' | b']') if place == Place::InArray => return Some(at),
                (Kind::Open, _) => {}
                (Kind::Closed, b'"') => self.in_string = true,
                (Kind::Closed, b'{' | b'[') => {
                    self.depth += 1;
                    self.deepest = self.deepest.max(self.depth);
                }
                (Kind::Closed, b'}' | b']') => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Some(at + 1);
                    }
                }
                (Kind::Closed, _) => {}
            }
            at += 1;
        }
        None
    }
}

#[cfg(test)]
mod tests;
