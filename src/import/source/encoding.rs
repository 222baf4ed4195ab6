//! Reads text in UTF-8 or UTF-16, with a byte order mark or without, as UTF-8.

use std::io::{self, Read};

use encoding_rs::{Encoding, UTF_16BE, UTF_16LE};
use encoding_rs_io::DecodeReaderBytesBuilder;

/// The byte order mark that some programs write before UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The text as UTF-8 without its byte order mark.
///
/// # Errors
/// It cannot be read.
pub(super) fn utf_8<'r>(mut reader: impl Read + 'r) -> io::Result<Box<dyn Read + 'r>> {
    let mut start = Vec::new();
    reader.by_ref().take(4).read_to_end(&mut start)?;
    if start.starts_with(BYTE_ORDER_MARK) {
        start.drain(..BYTE_ORDER_MARK.len());
    }
    let encoding = utf_16(&start);
    let whole = io::Cursor::new(start).chain(reader);
    Ok(match encoding {
        None => Box::new(whole),
        Some(encoding) => {
            Box::new(DecodeReaderBytesBuilder::new().encoding(Some(encoding)).bom_override(true).build(whole))
        }
    })
}

/// JSON begins with an ASCII character, of which UTF-16 has a zero byte.
fn utf_16(start: &[u8]) -> Option<&'static Encoding> {
    match start {
        [0xff, 0xfe, ..] | [1..=0xff, 0, ..] => Some(UTF_16LE),
        [0xfe, 0xff, ..] | [0, 1..=0xff, ..] => Some(UTF_16BE),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_encoding_becomes_utf_8() {
        let text = "[{\"a\": \"ä 👩\"}]";
        let utf_16 = |bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
        for bytes in [
            text.as_bytes().to_vec(),
            [BYTE_ORDER_MARK, text.as_bytes()].concat(),
            utf_16(u16::to_le_bytes),
            utf_16(u16::to_be_bytes),
            [b"\xff\xfe".to_vec(), utf_16(u16::to_le_bytes)].concat(),
            [b"\xfe\xff".to_vec(), utf_16(u16::to_be_bytes)].concat(),
        ] {
            let mut found = String::new();
            utf_8(&*bytes).unwrap().read_to_string(&mut found).unwrap();
            assert_eq!(found, text);
        }
        let mut empty = String::new();
        utf_8(io::empty()).unwrap().read_to_string(&mut empty).unwrap();
        assert_eq!(empty, "");
    }
}
