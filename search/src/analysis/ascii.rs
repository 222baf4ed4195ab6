//! Word boundaries of ASCII text: the rules of UAX #29 with a table.

use std::ops::Range;

use super::{MAX_TERM_BYTES, Token, TokenWriter};

const LOWER: u8 = 1;
const UPPER: u8 = 2;
const DIGIT: u8 = 4;
const UNDERSCORE: u8 = 8;
/// Joins two letters: `MidLetter`, `MidNumLet` and `Single_Quote`.
const MID_LETTER: u8 = 16;
/// Joins two digits: `MidNum`, `MidNumLet` and `Single_Quote`.
const MID_NUMBER: u8 = 32;

const LETTER: u8 = LOWER | UPPER;
const WORD: u8 = LETTER | DIGIT | UNDERSCORE;

const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        classes[byte as usize] = match byte {
            b'a'..=b'z' => LOWER,
            b'A'..=b'Z' => UPPER,
            b'0'..=b'9' => DIGIT,
            b'_' => UNDERSCORE,
            b':' => MID_LETTER,
            b'.' | b'\'' => MID_LETTER | MID_NUMBER,
            b',' | b';' => MID_NUMBER,
            _ => 0,
        };
        byte += 1;
    }
    classes
};

fn class(bytes: &[u8], at: usize) -> u8 {
    bytes.get(at).map_or(0, |byte| CLASSES[usize::from(*byte)])
}

impl<F: FnMut(Token<'_>)> TokenWriter<'_, F> {
    /// Writes the words of an ASCII piece of the text.
    pub(super) fn write_ascii_words(&mut self, piece: Range<usize>) {
        let bytes = &self.text.as_bytes()[..piece.end];
        let mut at = piece.start;
        while at < bytes.len() {
            let first = class(bytes, at);
            let start = at;
            at += 1;
            if first & WORD == 0 {
                continue;
            }
            let mut rest = 0;
            let mut previous = first;
            loop {
                let current = class(bytes, at);
                if current & WORD == 0 && !joins(previous, current, class(bytes, at + 1)) {
                    break;
                }
                rest |= current;
                previous = current;
                at += 1;
            }
            let is_plain = rest == 0 && first != UNDERSCORE
                || rest == LOWER && first & LETTER != 0
                || rest == first && first & (UPPER | DIGIT) != 0;
            if is_plain {
                self.write_plain_ascii_word(start..at);
            } else {
                self.write_word(start..at);
            }
        }
    }

    fn write_plain_ascii_word(&mut self, range: Range<usize>) {
        self.term.clear();
        self.term.push_str(&self.text[range.start..range.end.min(range.start + MAX_TERM_BYTES)]);
        self.term.make_ascii_lowercase();
        self.write_token(range, None);
        self.advance(1);
    }
}

fn joins(previous: u8, current: u8, next: u8) -> bool {
    current & MID_LETTER != 0 && previous & LETTER != 0 && next & LETTER != 0
        || current & MID_NUMBER != 0 && previous & DIGIT != 0 && next & DIGIT != 0
}
